// unpack.h - straight-line unpacking of every width, compiled once per instruction set.
//
// Included by each kernels_<isa>.c, whose compiler flags decide how wide the loops over lanes
// become: widths and rows are constants, lanes are independent, so that every compiler vectorises
// them. Not a public header.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_KERNELS_UNPACK_H
#define BR_FORMAT_KERNELS_UNPACK_H

#include "format/kernels/kernels.h"

#define UNPACK_INLINE static inline __attribute__((always_inline))

// One row (1024 / lane bits values) of a vector. The conditions are constant after inlining.
#define DEFINE_UNPACK_ROW(bits, lanes)                                                             \
    UNPACK_INLINE void unpack_row_##bits(const uint##bits##_t *restrict packed, uint32_t width,    \
                                         uint32_t row, uint##bits##_t base,                        \
                                         uint##bits##_t *restrict out)                             \
    {                                                                                              \
        const uint32_t word = row * width / bits, shift = row * width % bits;                      \
        const uint##bits##_t mask =                                                                \
            (uint##bits##_t)((uint##bits##_t)~(uint##bits##_t)0 >> (bits - width));                \
        const uint##bits##_t *low = packed + word * lanes;                                         \
        const uint##bits##_t *high = low + lanes;                                                  \
        if (shift + width <= bits) {                                                               \
            for (uint32_t lane = 0; lane < lanes; lane++)                                          \
                out[row * lanes + lane] =                                                          \
                    (uint##bits##_t)(((uint##bits##_t)(low[lane] >> shift) & mask) + base);        \
        } else {                                                                                   \
            for (uint32_t lane = 0; lane < lanes; lane++)                                          \
                out[row * lanes + lane] =                                                          \
                    (uint##bits##_t)((((uint##bits##_t)(low[lane] >> shift) |                      \
                                       (uint##bits##_t)(high[lane] << ((bits - shift) % bits))) &  \
                                      mask) +                                                      \
                                     base);                                                        \
        }                                                                                          \
    }

DEFINE_UNPACK_ROW(8, 128)
DEFINE_UNPACK_ROW(16, 64)
DEFINE_UNPACK_ROW(32, 32)
DEFINE_UNPACK_ROW(64, 16)

#define ROWS_4(bits, width, row)                           \
    unpack_row_##bits(words, width, (row), start, out);    \
    unpack_row_##bits(words, width, (row) + 1, start, out); \
    unpack_row_##bits(words, width, (row) + 2, start, out); \
    unpack_row_##bits(words, width, (row) + 3, start, out);
#define ROWS_8(bits, width, row) ROWS_4(bits, width, row) ROWS_4(bits, width, (row) + 4)
#define ROWS_16(bits, width, row) ROWS_8(bits, width, row) ROWS_8(bits, width, (row) + 8)
#define ROWS_32(bits, width, row) ROWS_16(bits, width, row) ROWS_16(bits, width, (row) + 16)
#define ROWS_64(bits, width, row) ROWS_32(bits, width, row) ROWS_32(bits, width, (row) + 32)

#define DEFINE_UNPACK(bits, width)                                                        \
    static void unpack_##width(const void *restrict packed, uint64_t base,                \
                               void *restrict lanes_out)                                  \
    {                                                                                     \
        const uint##bits##_t *words = __builtin_assume_aligned(packed, 64);               \
        uint##bits##_t *out = __builtin_assume_aligned(lanes_out, 64);                    \
        const uint##bits##_t start = (uint##bits##_t)base;                                \
        ROWS_##bits(bits, width, 0)                                                       \
    }

static void unpack_0(const void *restrict packed, uint64_t base, void *restrict lanes_out)
{
    (void)packed;
    __builtin_memset(lanes_out, (int)(base & 0xff), BR_VECTOR_ROWS);
}

// X(bits, width) for every width there is.
#define EACH_WIDTH(X)                                                                     \
    X(8, 1) X(8, 2) X(8, 3) X(8, 4) X(8, 5) X(8, 6) X(8, 7) X(8, 8)                       \
    X(16, 9) X(16, 10) X(16, 11) X(16, 12) X(16, 13) X(16, 14) X(16, 15) X(16, 16)        \
    X(32, 17) X(32, 18) X(32, 19) X(32, 20) X(32, 21) X(32, 22) X(32, 23) X(32, 24)       \
    X(32, 25) X(32, 26) X(32, 27) X(32, 28) X(32, 29) X(32, 30) X(32, 31) X(32, 32)       \
    X(64, 33) X(64, 34) X(64, 35) X(64, 36) X(64, 37) X(64, 38) X(64, 39) X(64, 40)       \
    X(64, 41) X(64, 42) X(64, 43) X(64, 44) X(64, 45) X(64, 46) X(64, 47) X(64, 48)       \
    X(64, 49) X(64, 50) X(64, 51) X(64, 52) X(64, 53) X(64, 54) X(64, 55) X(64, 56)       \
    X(64, 57) X(64, 58) X(64, 59) X(64, 60) X(64, 61) X(64, 62) X(64, 63) X(64, 64)

EACH_WIDTH(DEFINE_UNPACK)

#define UNPACK_ENTRY(bits, width) [width] = unpack_##width,
#define UNPACK_TABLE {[0] = unpack_0, EACH_WIDTH(UNPACK_ENTRY)}

#endif
