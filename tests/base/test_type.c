// test_type.c - orders of values, against SQLite's rules and against brute force.
// SPDX-License-Identifier: Apache-2.0
#include "base/type.h"

#include <math.h>

#include "tests/test.h"

static uint64_t seed = 1;

static br_text text(const char *bytes) { return br_text_make(bytes, (uint32_t)strlen(bytes)); }

static int sign(int order) { return (order > 0) - (order < 0); }

static void test_class_of_mask(void)
{
    CHECK_INT(br_class_of_mask(0), BR_NULL);
    CHECK_INT(br_class_of_mask(BR_MASK_NULL), BR_NULL);
    CHECK_INT(br_class_of_mask(BR_MASK_INT), BR_INT);
    CHECK_INT(br_class_of_mask(BR_MASK_REAL | BR_MASK_NULL), BR_REAL);
    CHECK_INT(br_class_of_mask(BR_MASK_BLOB), BR_BLOB);
    CHECK_INT(br_class_of_mask(BR_MASK_TEXT | BR_MASK_NULL), BR_TEXT);
    CHECK_INT(br_class_of_mask(BR_MASK_INT | BR_MASK_REAL), BR_ANY);
    CHECK_INT(br_class_of_mask(BR_MASK_ALL), BR_ANY);
    CHECK_TEXT(br_class_name(BR_INT), "integer");
    CHECK_TEXT(br_class_name(BR_NULL), "null");
}

// Short texts over few bytes, with NULs: the prefix must never decide otherwise than memcmp.
static void test_text_compare_is_memcmp_then_size(void)
{
    uint64_t random = seed;
    static const char alphabet[] = {0, 1, 'a', (char)0xff};
    for (int round = 0; round < 20000; round++) {
        char left[8], right[8];
        uint32_t left_size = (uint32_t)(test_random(&random) % 8);
        uint32_t right_size = (uint32_t)(test_random(&random) % 8);
        for (int i = 0; i < 8; i++) {
            left[i] = alphabet[test_random(&random) % 4];
            right[i] = round % 3 ? left[i] : alphabet[test_random(&random) % 4];
        }
        int expected = memcmp(left, right, left_size < right_size ? left_size : right_size);
        if (expected == 0) expected = (int)left_size - (int)right_size;
        br_text l = br_text_make(left, left_size), r = br_text_make(right, right_size);
        CHECK_INT(sign(br_text_compare(l, r)), sign(expected));
        CHECK(br_text_equal(l, r) == (expected == 0));
    }
}

static void test_collations(void)
{
    CHECK(br_text_collate(text("ABC"), text("abc"), BR_COLLATION_NOCASE) == 0);
    CHECK(br_text_collate(text("ABC"), text("abcd"), BR_COLLATION_NOCASE) < 0);
    CHECK(br_text_collate(text("\xc3\x84"), text("\xc3\xa4"), BR_COLLATION_NOCASE) < 0);
    CHECK(br_text_collate(text("_"), text("A"), BR_COLLATION_NOCASE) < 0);  // folded to 'a'
    CHECK(br_text_collate(text("a  "), text("a"), BR_COLLATION_RTRIM) == 0);
    CHECK(br_text_collate(text("a b"), text("a"), BR_COLLATION_RTRIM) > 0);
    CHECK(br_text_collate(text("  "), text(""), BR_COLLATION_RTRIM) == 0);
    CHECK(br_text_collate(text("a "), text("a"), BR_COLLATION_BINARY) > 0);
    CHECK(br_text_collate(text("ABC"), text("abc"), BR_COLLATION_BINARY) < 0);
    // SQLite compares no further than a shared NUL, then sizes.
    br_text left = br_text_make("a\0b", 3), right = br_text_make("A\0c", 3);
    CHECK(br_text_collate(left, right, BR_COLLATION_NOCASE) == 0);
    CHECK(br_text_collate(left, br_text_make("a\0bc", 4), BR_COLLATION_NOCASE) < 0);
}

static void test_int_real_compare_is_exact(void)
{
    int64_t two53 = (int64_t)1 << 53;
    CHECK(br_int_real_compare(two53 + 1, (double)two53) > 0);
    CHECK(br_int_real_compare(two53, (double)two53) == 0);
    CHECK(br_int_real_compare(INT64_MAX, 9223372036854775807.0) < 0);
    CHECK(br_int_real_compare(INT64_MIN, -9223372036854775808.0) == 0);
    CHECK(br_int_real_compare(INT64_MIN, -9.3e18) > 0);
    CHECK(br_int_real_compare(0, INFINITY) < 0);
    CHECK(br_int_real_compare(0, -INFINITY) > 0);
    CHECK(br_int_real_compare(1, 1.5) < 0);
    CHECK(br_int_real_compare(2, 1.5) > 0);
    CHECK(br_int_real_compare(-1, -1.5) > 0);
    CHECK(br_int_real_compare(-2, -1.5) < 0);
    CHECK(br_int_real_compare(0, -0.0) == 0);
    CHECK(br_int_real_compare(0, 1e-300) < 0);
}

static void test_value_order_is_sqlites(void)
{
    // Each is greater than the one before.
    br_value values[] = {
        br_value_null(),        br_value_real(-1e300), br_value_int(INT64_MIN),
        br_value_int(-1),       br_value_real(-0.5),   br_value_int(0),
        br_value_real(0.5),     br_value_int(1),       br_value_int(INT64_MAX),
        br_value_real(1e300),   br_value_text(text("")), br_value_text(text("B")),
        br_value_text(text("a")), br_value_blob(text("")), br_value_blob(text("B")),
    };
    int count = sizeof values / sizeof *values;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            int order = br_value_compare(&values[i], &values[j], BR_COLLATION_BINARY);
            CHECK_INT(sign(order), sign(i - j));
        }
    }
}

static void test_value_collation_is_for_text_only(void)
{
    br_value upper = br_value_text(text("A")), lower = br_value_text(text("a"));
    CHECK(br_value_compare(&upper, &lower, BR_COLLATION_NOCASE) == 0);
    upper.class_ = lower.class_ = BR_BLOB;
    CHECK(br_value_compare(&upper, &lower, BR_COLLATION_NOCASE) < 0);
}

int main(int count, char **arguments)
{
    if (count > 1) seed = strtoull(arguments[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_class_of_mask);
    RUN(test_text_compare_is_memcmp_then_size);
    RUN(test_collations);
    RUN(test_int_real_compare_is_exact);
    RUN(test_value_order_is_sqlites);
    RUN(test_value_collation_is_for_text_only);
    return test_result();
}
