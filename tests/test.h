// test.h - all the framework the unit tests need: checks that print what differs, and a runner.
//
//     static void test_bitmap_counts_ones(void) { CHECK_INT(br_bitmap_count(bits, 70), 3); }
//     int main(void) { RUN(test_bitmap_counts_ones); return test_result(); }
//
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_TEST_H
#define BR_TESTS_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_failures_;
static int test_checks_;

static inline void test_note_failure(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: FAILED: %s\n", file, line, text);
    if (++test_failures_ >= 50) {
        fprintf(stderr, "too many failures\n");
        exit(1);
    }
}

#define CHECK(condition)                                                            \
    do {                                                                            \
        test_checks_++;                                                             \
        if (!(condition)) test_note_failure(__FILE__, __LINE__, #condition);        \
    } while (0)

#define CHECK_INT(actual, expected)                                                 \
    do {                                                                            \
        int64_t actual_ = (int64_t)(actual), expected_ = (int64_t)(expected);       \
        char text_[300];                                                            \
        test_checks_++;                                                             \
        snprintf(text_, sizeof text_, "%s: %" PRId64 ", expected %" PRId64, #actual, actual_, \
                 expected_);                                                        \
        if (actual_ != expected_) test_note_failure(__FILE__, __LINE__, text_);     \
    } while (0)

#define CHECK_TEXT(actual, expected)                                                \
    do {                                                                            \
        const char *actual_ = (actual), *expected_ = (expected);                    \
        char text_[2000];                                                           \
        test_checks_++;                                                             \
        snprintf(text_, sizeof text_, "%s: '%s', expected '%s'", #actual, actual_, expected_); \
        if (strcmp(actual_, expected_) != 0) test_note_failure(__FILE__, __LINE__, text_); \
    } while (0)

// A call that must succeed; prints its message and ends the program otherwise.
#define MUST(call, err)                                                             \
    do {                                                                            \
        if ((call) != 0) {                                                          \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, (err).message); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

#define RUN(test)                                                                   \
    do {                                                                            \
        int before_ = test_failures_;                                               \
        test();                                                                     \
        printf("%s %s\n", test_failures_ == before_ ? "ok  " : "FAIL", #test);      \
    } while (0)

static inline int test_result(void)
{
    printf("%d checks, %d failures\n", test_checks_, test_failures_);
    return test_failures_ != 0 || test_checks_ == 0;
}

// xorshift64*: the random numbers of a seeded test.
static inline uint64_t test_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

#endif
