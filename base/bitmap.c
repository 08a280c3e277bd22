// bitmap.c - whole-bitmap operations.
// SPDX-License-Identifier: Apache-2.0
#include "base/bitmap.h"

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

uint32_t br_bitmap_count(const uint64_t *bits, uint32_t row_count)
{
    uint32_t words = br_bitmap_words(row_count), count = 0;
    if (words == 0) return 0;
    for (uint32_t i = 0; i + 1 < words; i++) count += (uint32_t)__builtin_popcountll(bits[i]);
    return count + (uint32_t)__builtin_popcountll(bits[words - 1] & last_mask(row_count));
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

uint32_t br_bitmap_positions(const uint64_t *bits, uint32_t row_count, uint16_t *positions_out)
{
    uint32_t words = br_bitmap_words(row_count), count = 0;
    for (uint32_t i = 0; i < words; i++) {
        uint64_t word = i + 1 == words ? bits[i] & last_mask(row_count) : bits[i];
        for (; word != 0; word &= word - 1)
            positions_out[count++] = (uint16_t)(i * 64 + (uint32_t)__builtin_ctzll(word));
    }
    return count;
}
