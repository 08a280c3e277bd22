// bitmap.h - rows as bits: bit `row % 64` of word `row / 64`.
//
// A validity bitmap has a 1 for each non-NULL row; a NULL pointer means "no NULLs".
// A selection bitmap has a 1 for each selected row. Bits past the row count are zero in
// selections and unspecified in validities.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_BITMAP_H
#define BR_BASE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t br_bitmap_words(uint32_t row_count) { return (row_count + 63) / 64; }
static inline bool br_bitmap_get(const uint64_t *bits, uint32_t row)
{
    return bits[row >> 6] >> (row & 63) & 1;
}
static inline void br_bitmap_set(uint64_t *bits, uint32_t row)
{
    bits[row >> 6] |= 1ull << (row & 63);
}
static inline void br_bitmap_clear(uint64_t *bits, uint32_t row)
{
    bits[row >> 6] &= ~(1ull << (row & 63));
}
void br_bitmap_fill(uint64_t *bits, uint32_t row_count);  // ones, zero past the end
uint32_t br_bitmap_count(const uint64_t *bits, uint32_t row_count);
// Copies `row_count` bits starting at bit `first` of `bits` to bit 0 of `out`; zero past the end.
void br_bitmap_slice(const uint64_t *bits, uint32_t first, uint32_t row_count, uint64_t *out);
// Bits 0..count-1 of `in` (NULL: ones) to bit `at` of `out`, which is zero from there on.
void br_bitmap_append(uint64_t *out, uint64_t at, const uint64_t *in, uint32_t count);
// Writes the positions of the ones, in order, and returns how many. Room for row_count entries.
uint32_t br_bitmap_positions(const uint64_t *bits, uint32_t row_count, uint16_t *positions_out);

#endif
