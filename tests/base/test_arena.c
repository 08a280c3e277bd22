// test_arena.c - quotas, marks, alignment; the same checks run on the ASan twin.
// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <pthread.h>

#include "tests/test.h"

static void test_quota_counts_and_refuses(void)
{
    br_quota quota;
    br_quota_init(&quota, 100, NULL);
    CHECK(br_quota_take(&quota, 60));
    CHECK(br_quota_take(&quota, 40));
    CHECK(!br_quota_take(&quota, 1));
    CHECK(!br_quota_take(&quota, SIZE_MAX));
    CHECK_INT(quota.used_bytes, 100);
    br_quota_give(&quota, 70);
    CHECK(br_quota_take(&quota, 10));
    CHECK_INT(quota.used_bytes, 40);
    CHECK_INT(quota.peak_bytes, 100);
}

static void test_quota_charges_the_parent(void)
{
    br_quota parent, child, other;
    br_quota_init(&parent, 100, NULL);
    br_quota_init(&child, SIZE_MAX, &parent);
    br_quota_init(&other, 50, &parent);
    CHECK(br_quota_take(&child, 80));
    CHECK(!br_quota_take(&other, 30));  // fits here, not in the parent: nothing is taken
    CHECK_INT(other.used_bytes, 0);
    CHECK_INT(parent.used_bytes, 80);
    br_quota_give(&child, 80);
    CHECK_INT(parent.used_bytes, 0);
    CHECK(br_quota_take(NULL, 5));
    br_quota_give(NULL, 5);
}

static void *take_and_give(void *argument)
{
    br_quota *quota = argument;
    for (int i = 0; i < 20000; i++) {
        if (br_quota_take(quota, 3)) br_quota_give(quota, 3);
    }
    return NULL;
}

static void test_quota_room_is_that_of_the_tightest(void)
{
    br_quota database, query, free_query;
    br_quota_init(&database, 100, NULL);
    br_quota_init(&query, 60, &database);
    br_quota_init(&free_query, SIZE_MAX, NULL);
    CHECK_INT(br_quota_room(&query), 60);
    CHECK(br_quota_take(&query, 10));
    CHECK_INT(br_quota_room(&query), 50);
    CHECK(br_quota_take(&database, 70));
    CHECK_INT(br_quota_room(&query), 20);
    CHECK(br_quota_room(&free_query) == SIZE_MAX);
    CHECK(br_quota_room(NULL) == SIZE_MAX);
    br_quota_give(&database, 70);
    br_quota_give(&query, 10);
}

static void test_arena_trim_gives_back_what_a_rewind_kept(void)
{
    br_quota quota;
    br_quota_init(&quota, SIZE_MAX, NULL);
    br_arena *arena = br_arena_new(&quota);
    br_arena_trim(arena);  // nothing there yet
    char *kept = br_arena_copy_text(arena, "kept", 4);
    size_t before = br_arena_bytes(arena);
    br_arena_mark mark = br_arena_get_mark(arena);
    for (int i = 0; i < 100; i++) CHECK(br_arena_alloc(arena, 10000, 8) != NULL);
    br_arena_rewind(arena, mark);
    br_arena_trim(arena);
    CHECK_INT(br_arena_bytes(arena), before);
    CHECK_INT(atomic_load(&quota.used_bytes), before);
    CHECK_TEXT(kept, "kept");
    CHECK(br_arena_alloc(arena, 10000, 8) != NULL);
    br_arena_free(arena);
    CHECK_INT(atomic_load(&quota.used_bytes), 0);
}

static void test_quota_shared_by_threads(void)
{
    br_quota parent, quota;
    br_quota_init(&parent, 10, NULL);
    br_quota_init(&quota, SIZE_MAX, &parent);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, take_and_give, &quota);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    CHECK_INT(quota.used_bytes, 0);
    CHECK_INT(parent.used_bytes, 0);
    CHECK(parent.peak_bytes <= 10);
}

static void test_arena_aligns_and_keeps_contents(void)
{
    br_arena *arena = br_arena_new(NULL);
    uint8_t *blocks[500];
    for (uint32_t i = 0; i < 500; i++) {
        size_t alignment = (size_t)1 << (i % 7);
        blocks[i] = br_arena_alloc(arena, i * 7, alignment);
        CHECK(blocks[i] != NULL);
        CHECK_INT((uintptr_t)blocks[i] % alignment, 0);
        memset(blocks[i], (int)(i & 255), i * 7);
    }
    for (uint32_t i = 0; i < 500; i++) {
        for (uint32_t at = 0; at < i * 7; at++) CHECK(blocks[i][at] == (i & 255));
    }
    br_arena_free(arena);
    br_arena_free(NULL);
}

static void test_arena_stops_at_the_quota(void)
{
    br_quota quota;
    br_quota_init(&quota, 200000, NULL);
    br_arena *arena = br_arena_new(&quota);
    size_t taken = 0;
    CHECK(!br_arena_failed(arena));
    while (br_arena_alloc(arena, 1000, 8) != NULL) taken += 1000;
    CHECK(br_arena_failed(arena));
    CHECK(taken > 100000 && taken <= 200000);
    CHECK(quota.used_bytes <= 200000);
    CHECK_INT(quota.used_bytes, br_arena_bytes(arena));
    br_arena_reset(arena);
    CHECK(!br_arena_failed(arena));
    CHECK(br_arena_alloc(arena, 1000, 8) != NULL);
    br_arena_free(arena);
    CHECK_INT(quota.used_bytes, 0);
}

static void test_arena_near_the_quota_takes_what_it_needs(void)
{
    br_quota quota;
    br_quota_init(&quota, 2000, NULL);  // less than a first block
    br_arena *arena = br_arena_new(&quota);
    CHECK(br_arena_alloc(arena, 1500, 8) != NULL);
    CHECK(br_arena_alloc(arena, 1500, 8) == NULL);
    br_arena_free(arena);
}

static void test_arena_rewind_reuses_memory(void)
{
    br_quota quota;
    br_quota_init(&quota, SIZE_MAX, NULL);
    br_arena *arena = br_arena_new(&quota);
    char *kept = br_arena_copy_text(arena, "kept", 4);
    br_arena_mark mark = br_arena_get_mark(arena);
    size_t after_first = 0;
    for (int round = 0; round < 100; round++) {
        for (size_t size = 1; size < 300000; size *= 3) {
            char *block = br_arena_alloc(arena, size, 16);
            CHECK(block != NULL);
            memset(block, round, size);
        }
        if (round == 0) after_first = quota.peak_bytes;
        br_arena_rewind(arena, mark);
    }
    CHECK_INT(quota.peak_bytes, after_first);
    CHECK_TEXT(kept, "kept");
    br_arena_free(arena);
    CHECK_INT(quota.used_bytes, 0);
}

static void test_arena_nested_marks_and_empty_mark(void)
{
    br_arena *arena = br_arena_new(NULL);
    br_arena_mark empty = br_arena_get_mark(arena);
    int *outer = BR_ALLOC(arena, int, 10);
    outer[9] = 9;
    br_arena_mark inner = br_arena_get_mark(arena);
    for (int i = 0; i < 100; i++) CHECK(BR_ALLOC(arena, int64_t, 5000) != NULL);
    br_arena_rewind(arena, inner);
    CHECK_INT(outer[9], 9);
    br_arena_rewind(arena, empty);
    int *again = BR_ALLOC(arena, int, 10);
    CHECK(again != NULL);
    for (int i = 0; i < 10; i++) CHECK_INT(again[i], 0);
    br_arena_free(arena);
}

static void test_arena_growing_requests_do_not_pile_up(void)
{
    br_quota quota;
    br_quota_init(&quota, SIZE_MAX, NULL);
    br_arena *arena = br_arena_new(&quota);
    br_arena_mark mark = br_arena_get_mark(arena);
    for (size_t size = 10000; size <= 4000000; size += 10000) {
        CHECK(br_arena_alloc(arena, size, 8) != NULL);
        br_arena_rewind(arena, mark);
    }
    CHECK(quota.peak_bytes < 8500000);
    br_arena_free(arena);
}

static void test_arena_text_and_arrays(void)
{
    br_arena *arena = br_arena_new(NULL);
    CHECK_TEXT(br_arena_copy_text(arena, "abcdef", 3), "abc");
    CHECK_TEXT(br_arena_copy_text(arena, NULL, 0), "");
    CHECK_TEXT(br_arena_format(arena, "%s-%d", "x", 42), "x-42");
    const char *copy = br_arena_copy(arena, "12345678", 8);
    CHECK(memcmp(copy, "12345678", 8) == 0);
    CHECK_INT((uintptr_t)copy % 16, 0);
    CHECK(br_arena_array(arena, SIZE_MAX / 2, 3, 8) == NULL);
    CHECK(br_arena_alloc(arena, 0, 1) != NULL);
    CHECK(br_arena_alloc(arena, SIZE_MAX - 10, 1) == NULL);
    br_arena_free(arena);
}

int main(void)
{
    RUN(test_quota_counts_and_refuses);
    RUN(test_quota_charges_the_parent);
    RUN(test_quota_room_is_that_of_the_tightest);
    RUN(test_arena_trim_gives_back_what_a_rewind_kept);
    RUN(test_quota_shared_by_threads);
    RUN(test_arena_aligns_and_keeps_contents);
    RUN(test_arena_stops_at_the_quota);
    RUN(test_arena_near_the_quota_takes_what_it_needs);
    RUN(test_arena_rewind_reuses_memory);
    RUN(test_arena_nested_marks_and_empty_mark);
    RUN(test_arena_growing_requests_do_not_pile_up);
    RUN(test_arena_text_and_arrays);
    return test_result();
}
