// test_bitmap.c - bitmap operations against bit-by-bit ones, at every length and offset.
// SPDX-License-Identifier: Apache-2.0
#include "base/bitmap.h"

#include "tests/test.h"

static uint64_t seed = 1;

static void test_bitmap_fill_is_zero_past_the_end(void)
{
    for (uint32_t rows = 0; rows <= 200; rows++) {
        uint64_t bits[5] = {0, 0, 0, 0, 0xabc};
        br_bitmap_fill(bits, rows);
        for (uint32_t i = 0; i < br_bitmap_words(rows) * 64; i++)
            CHECK(br_bitmap_get(bits, i) == (i < rows));
        CHECK_INT(bits[4], 0xabc);
        CHECK_INT(br_bitmap_count(bits, rows), rows);
    }
}

static void test_bitmap_set_and_clear(void)
{
    uint64_t bits[2] = {0, 0};
    br_bitmap_set(bits, 63);
    br_bitmap_set(bits, 64);
    CHECK_INT(br_bitmap_count(bits, 128), 2);
    br_bitmap_clear(bits, 63);
    CHECK_INT(bits[0], 0);
    CHECK_INT(bits[1], 1);
}

static void test_bitmap_count_and_positions_ignore_bits_past_the_end(void)
{
    uint64_t random = seed;
    for (uint32_t rows = 0; rows <= 300; rows++) {
        uint64_t bits[5];
        uint16_t positions[300], expected[300];
        uint32_t count = 0;
        for (int i = 0; i < 5; i++) bits[i] = test_random(&random);
        for (uint32_t i = 0; i < rows; i++) {
            if (br_bitmap_get(bits, i)) expected[count++] = (uint16_t)i;
        }
        CHECK_INT(br_bitmap_count(bits, rows), count);
        CHECK_INT(br_bitmap_positions(bits, rows, positions), count);
        CHECK(memcmp(positions, expected, count * sizeof *expected) == 0);
    }
}

// The input ends exactly with its last word, so that ASan sees a read past it.
static void test_bitmap_slice_at_every_offset(void)
{
    uint64_t random = seed + 7;
    for (uint32_t first = 0; first < 130; first++) {
        for (uint32_t rows = 0; rows < 140; rows += 1 + (uint32_t)(test_random(&random) % 5)) {
            uint32_t words = br_bitmap_words(first + rows);
            uint64_t *bits = malloc((words ? words : 1) * sizeof *bits);
            uint64_t out[4] = {9, 9, 9, 9};
            for (uint32_t i = 0; i < words; i++) bits[i] = test_random(&random);
            br_bitmap_slice(bits, first, rows, out);
            for (uint32_t i = 0; i < br_bitmap_words(rows) * 64; i++) {
                CHECK(br_bitmap_get(out, i) == (i < rows && br_bitmap_get(bits, first + i)));
            }
            CHECK_INT(out[3], 9);
            free(bits);
        }
    }
}

static void test_bitmap_append_at_any_bit(void)
{
    const uint64_t in[] = {0x123456789abcdef1ull, 0xfedcba9876543210ull, 0x5555aaaa5555aaaaull};
    for (uint32_t at = 0; at < 130; at += 13) {
        for (uint32_t count = 0; count <= 192; count += 7) {
            uint64_t out[6] = {0};
            br_bitmap_append(out, 0, NULL, at);
            br_bitmap_append(out, at, in, count);
            for (uint32_t i = 0; i < 6 * 64; i++) {
                bool is_set = i < at || (i < at + count && br_bitmap_get(in, i - at));
                CHECK_INT(br_bitmap_get(out, i), is_set);
            }
        }
    }
}

int main(int count, char **arguments)
{
    if (count > 1) seed = strtoull(arguments[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_bitmap_fill_is_zero_past_the_end);
    RUN(test_bitmap_set_and_clear);
    RUN(test_bitmap_count_and_positions_ignore_bits_past_the_end);
    RUN(test_bitmap_slice_at_every_offset);
    RUN(test_bitmap_append_at_any_bit);
    return test_result();
}
