// SPDX-License-Identifier: Apache-2.0
#include "base/collator.h"

#include <string.h>

#include "tests/test.h"

enum { TEXTS = 5000 };

static int compare_first(void *context, br_text left, br_text right)
{
    ++*(int64_t *)context;
    int l = left.size == 0 ? -1 : left.data[0], r = right.size == 0 ? -1 : right.data[0];
    return l - r;
}

static br_text text_of(uint32_t number, char *bytes)
{
    int size = snprintf(bytes, 20, "%c%u", 'A' + (int)(number % 50), number);
    return br_text_make(bytes, (uint32_t)size);
}

static void test_collator_equal_texts_hash_alike(void)
{
    int64_t calls = 0;
    char bytes[2][20];
    uint64_t hashes[TEXTS];
    br_collator *collator = br_collator_new("first", compare_first, &calls, NULL);
    if (collator == NULL) exit(1);
    CHECK_TEXT(br_collator_name(collator), "first");
    for (uint32_t i = 0; i < TEXTS; i++)
        hashes[i] = br_collator_hash(collator, text_of(i * 7919 % TEXTS, bytes[0]));
    int64_t calls_first = calls;
    CHECK(calls_first < TEXTS * 20);  // a search each, not a walk
    for (uint32_t i = 0; i < TEXTS; i++) {
        uint32_t number = i * 7919 % TEXTS, other = number % 50;  // which has the number's letter
        uint64_t hash = br_collator_hash(collator, text_of(other, bytes[1]));
        CHECK(hashes[i] == hash);
        CHECK(br_collator_hash(collator, text_of((other + 1) % 50, bytes[1])) != hash);
    }
    CHECK_INT(calls, calls_first);  // known texts are not compared
    CHECK(!br_collator_failed(collator));
    br_collator_forget(collator);
    CHECK(br_collator_hash(collator, br_text_make("", 0)) ==
          br_collator_hash(collator, br_text_make("", 0)));
    br_collator_free(collator);
}

static void test_collator_tells_of_missing_memory(void)
{
    int64_t calls = 0;
    br_quota quota;
    char bytes[20];
    br_quota_init(&quota, 100000, NULL);
    br_collator *collator = br_collator_new("first", compare_first, &calls, &quota);
    if (collator == NULL) exit(1);
    for (uint32_t i = 0; i < TEXTS; i++) (void)br_collator_hash(collator, text_of(i, bytes));
    CHECK(br_collator_failed(collator));
    br_collator_forget(collator);
    CHECK(!br_collator_failed(collator));
    br_collator_free(collator);
}

int main(void)
{
    RUN(test_collator_equal_texts_hash_alike);
    RUN(test_collator_tells_of_missing_memory);
    return test_result();
}
