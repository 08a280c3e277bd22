// bitmap.c - whole-bitmap operations.
// SPDX-License-Identifier: Apache-2.0
#include "base/bitmap.h"

#include <string.h>

// Ones for the rows that the last word holds.
static uint64_t last_mask(uint32_t row_count)
{
    return row_count % 64 ? (1ull << (row_count % 64)) - 1 : ~0ull;
}

void br_bitmap_fill(uint64_t *bits, uint32_t row_count)
{
    uint32_t words = br_bitmap_words(row_count);
    for (uint32_t i = 0; i < words; i++) bits[i] = ~0ull;
    if (words > 0) bits[words - 1] = last_mask(row_count);
}

// Sums of neighbouring bits, pairs, nibbles: vectorizes, unlike the library call that a compiler
// makes of a popcount where the instruction is not certain to exist.
static uint64_t count_ones(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555ull;
    word = (word & 0x3333333333333333ull) + (word >> 2 & 0x3333333333333333ull);
    return (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full;  // a count per byte
}

uint32_t br_bitmap_count(const uint64_t *bits, uint32_t row_count)
{
    enum { WORDS_MAX = 31 };  // a byte of the sum holds 8 per word
    uint32_t words = br_bitmap_words(row_count);
    if (words == 0) return 0;
    uint64_t last = count_ones(bits[words - 1] & last_mask(row_count));
    uint64_t count = (last * 0x0101010101010101ull) >> 56;
    for (uint32_t first = 0; first + 1 < words; first += WORDS_MAX) {
        uint32_t end = words - 1 - first < WORDS_MAX ? words - 1 : first + WORDS_MAX;
        uint64_t sums = 0;
        for (uint32_t i = first; i < end; i++) sums += count_ones(bits[i]);
        sums = (sums & 0x00ff00ff00ff00ffull) + (sums >> 8 & 0x00ff00ff00ff00ffull);
        count += (sums * 0x0001000100010001ull) >> 48;
    }
    return (uint32_t)count;
}

void br_bitmap_slice(const uint64_t *bits, uint32_t first, uint32_t row_count, uint64_t *out)
{
    uint32_t words = br_bitmap_words(row_count), shift = first % 64;
    if (words == 0) return;
    const uint64_t *in = bits + first / 64;
    uint32_t in_words = br_bitmap_words(shift + row_count);
    for (uint32_t i = 0; i < words; i++) {
        uint64_t word = in[i] >> shift;
        // The word after may lie outside of the bitmap: read it only when bits of it are wanted.
        if (shift > 0 && i + 1 < in_words) word |= in[i + 1] << (64 - shift);
        out[i] = word;
    }
    out[words - 1] &= last_mask(row_count);
}

// Positions of the ones of a byte, then zeros; and how many there are.
#define ONE(b, n) ((b) >> (n) & 1)
#define RANK(b, n)                                                                               \
    (((n) > 0 && ONE(b, 0)) + ((n) > 1 && ONE(b, 1)) + ((n) > 2 && ONE(b, 2)) +                  \
     ((n) > 3 && ONE(b, 3)) + ((n) > 4 && ONE(b, 4)) + ((n) > 5 && ONE(b, 5)) +                  \
     ((n) > 6 && ONE(b, 6)) + ((n) > 7 && ONE(b, 7)))
#define HAS(b, k, n) (ONE(b, n) && RANK(b, n) == (k))
#define AT(b, k)                                                                                 \
    (HAS(b, k, 1) * 1 + HAS(b, k, 2) * 2 + HAS(b, k, 3) * 3 + HAS(b, k, 4) * 4 +                 \
     HAS(b, k, 5) * 5 + HAS(b, k, 6) * 6 + HAS(b, k, 7) * 7)
#define ROW1(b) {AT(b, 0), AT(b, 1), AT(b, 2), AT(b, 3), AT(b, 4), AT(b, 5), AT(b, 6), AT(b, 7)},
#define ROW4(b) ROW1(b) ROW1((b) + 1) ROW1((b) + 2) ROW1((b) + 3)
#define ROW16(b) ROW4(b) ROW4((b) + 4) ROW4((b) + 8) ROW4((b) + 12)
#define ROW64(b) ROW16(b) ROW16((b) + 16) ROW16((b) + 32) ROW16((b) + 48)
static const uint16_t byte_positions[256][8] = {ROW64(0u) ROW64(64u) ROW64(128u) ROW64(192u)};
#define ONES1(b) RANK(b, 8),
#define ONES4(b) ONES1(b) ONES1((b) + 1) ONES1((b) + 2) ONES1((b) + 3)
#define ONES16(b) ONES4(b) ONES4((b) + 4) ONES4((b) + 8) ONES4((b) + 12)
#define ONES64(b) ONES16(b) ONES16((b) + 16) ONES16((b) + 32) ONES16((b) + 48)
static const uint8_t byte_ones[256] = {ONES64(0u) ONES64(64u) ONES64(128u) ONES64(192u)};

// Writes eight positions for each byte, whatever it holds, so that there is no branch to predict;
// the next byte overwrites those too many. They never reach beyond the entry of the word's last
// row: a byte has at most eight rows per byte before it.
static uint32_t word_positions(uint64_t word, uint32_t first, uint16_t *positions_out)
{
    uint32_t count = 0;
    for (uint32_t byte = 0; byte < 8; byte++, word >>= 8, first += 8) {
        uint64_t four[2];  // times four positions: sums stay below 1 << 16, so nothing carries
        memcpy(four, byte_positions[word & 255], sizeof four);
        four[0] += first * 0x0001000100010001ull;
        four[1] += first * 0x0001000100010001ull;
        memcpy(positions_out + count, four, sizeof four);
        count += byte_ones[word & 255];
    }
    return count;
}

void br_bitmap_append(uint64_t *out, uint64_t at, const uint64_t *in, uint32_t count)
{
    uint32_t shift = at % 64;
    uint64_t *word_out = out + at / 64;
    for (uint32_t done = 0; done < count; done += 64, word_out++) {
        uint64_t word = in == NULL ? ~0ull : in[done / 64];
        if (count - done < 64) word &= (1ull << (count - done)) - 1;
        *word_out |= word << shift;
        if (shift > 0 && shift + (count - done) > 64) word_out[1] |= word >> (64 - shift);
    }
}

uint32_t br_bitmap_positions(const uint64_t *bits, uint32_t row_count, uint16_t *positions_out)
{
    uint32_t words = br_bitmap_words(row_count), count = 0;
    for (uint32_t i = 0; i < words; i++) {
        bool is_last = i + 1 == words;
        uint64_t word = is_last ? bits[i] & last_mask(row_count) : bits[i];
        // Up to three ones are found faster one by one.
        uint64_t rest = word & (word - 1);
        rest &= rest - 1;
        if (!is_last && (rest & (rest - 1)) != 0) {
            count += word_positions(word, i * 64, positions_out + count);
            continue;
        }
        for (; word != 0; word &= word - 1)
            positions_out[count++] = (uint16_t)(i * 64 + (uint32_t)__builtin_ctzll(word));
    }
    return count;
}
