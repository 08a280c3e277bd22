// plain.h - the loops that compilers vectorise by themselves, compiled once per instruction set.
//
// Included by each kernels_<isa>.c. kernels_scalar.c takes all of them; the others replace those
// for which intrinsics are faster. Not a public header.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_KERNELS_PLAIN_H
#define BR_FORMAT_KERNELS_PLAIN_H

#include <string.h>

#include "format/kernels/kernels.h"

// A table takes what it has no better version of; the rest is unused in that file.
#define PLAIN static inline

#define DEFINE_WIDEN(bits)                                                              \
    PLAIN void widen_##bits(const void *restrict lanes, uint64_t base,                  \
                            uint64_t *restrict values_out)                              \
    {                                                                                   \
        const uint##bits##_t *in = __builtin_assume_aligned(lanes, 64);                 \
        for (uint32_t i = 0; i < BR_VECTOR_ROWS; i++) values_out[i] = base + in[i];     \
    }                                                                                   \
    PLAIN void widen_codes_##bits(const void *restrict lanes, uint32_t base,            \
                                  uint32_t *restrict codes_out)                         \
    {                                                                                   \
        const uint##bits##_t *in = __builtin_assume_aligned(lanes, 64);                 \
        for (uint32_t i = 0; i < BR_VECTOR_ROWS; i++) codes_out[i] = base + in[i];      \
    }
DEFINE_WIDEN(8)
DEFINE_WIDEN(16)
DEFINE_WIDEN(32)

#define DEFINE_RANGE(bits)                                                              \
    PLAIN void range_##bits(const void *lanes, uint64_t low, uint64_t span,             \
                            uint64_t *bits_out)                                         \
    {                                                                                   \
        const uint##bits##_t *in = lanes;                                               \
        for (uint32_t word = 0; word < BR_VECTOR_WORDS; word++) {                       \
            uint64_t bits_of_word = 0;                                                  \
            for (uint32_t i = 0; i < 64; i++) {                                         \
                uint##bits##_t delta =                                                  \
                    (uint##bits##_t)(in[word * 64 + i] - (uint##bits##_t)low);          \
                bits_of_word |= (uint64_t)(delta <= (uint##bits##_t)span) << i;         \
            }                                                                           \
            bits_out[word] = bits_of_word;                                              \
        }                                                                               \
    }
DEFINE_RANGE(8)
DEFINE_RANGE(16)
DEFINE_RANGE(32)
DEFINE_RANGE(64)

#define DEFINE_TEST_CODES(bits)                                                         \
    PLAIN void test_codes_##bits(const void *lanes, uint32_t base, const uint64_t *passes, \
                                 uint32_t size, uint64_t *bits_out)                     \
    {                                                                                   \
        const uint##bits##_t *in = lanes;                                               \
        (void)size;                                                                     \
        for (uint32_t word = 0; word < BR_VECTOR_WORDS; word++) {                       \
            uint64_t bits_of_word = 0;                                                  \
            for (uint32_t i = 0; i < 64; i++) {                                         \
                uint32_t code = base + in[word * 64 + i];                               \
                bits_of_word |= (passes[code >> 6] >> (code & 63) & 1) << i;            \
            }                                                                           \
            bits_out[word] = bits_of_word;                                              \
        }                                                                               \
    }
DEFINE_TEST_CODES(8)
DEFINE_TEST_CODES(16)
DEFINE_TEST_CODES(32)

// A value lies in one word of its lane or in two; where it lies in one, the second read is the
// same word again and its bits are masked away.
#define DEFINE_GATHER(bits, lanes)                                                      \
    PLAIN void gather_##bits(const void *packed, uint32_t width, uint64_t base,         \
                             const uint16_t *positions, uint32_t count,                 \
                             uint64_t *values_out)                                      \
    {                                                                                   \
        const uint##bits##_t *words = packed;                                           \
        const uint64_t mask = ~(uint64_t)0 >> (64 - width);                             \
        for (uint32_t i = 0; i < count; i++) {                                          \
            uint32_t lane = positions[i] % lanes, bit = positions[i] / lanes * width;   \
            uint32_t shift = bit % bits, last = (bit + width - 1) / bits;               \
            uint64_t low = words[bit / bits * lanes + lane];                            \
            uint64_t high = words[last * lanes + lane];                                 \
            uint64_t value = low >> shift | high << (bits - 1 - shift) << 1;            \
            values_out[i] = base + (value & mask);                                      \
        }                                                                               \
    }
DEFINE_GATHER(8, 128)
DEFINE_GATHER(16, 64)
DEFINE_GATHER(32, 32)
DEFINE_GATHER(64, 16)

#define DEFINE_RANGE_VALUES(name, type)                                                 \
    PLAIN void name(const type *values, uint32_t count, type low, type high,            \
                    uint64_t *bits_out)                                                 \
    {                                                                                   \
        for (uint32_t first = 0; first < count; first += 64) {                          \
            uint32_t rows = count - first < 64 ? count - first : 64;                    \
            uint64_t bits_of_word = 0;                                                  \
            for (uint32_t i = 0; i < rows; i++) {                                       \
                type value = values[first + i];                                         \
                bits_of_word |= (uint64_t)((value >= low) & (value <= high)) << i;      \
            }                                                                           \
            bits_out[first / 64] = bits_of_word;                                        \
        }                                                                               \
    }
DEFINE_RANGE_VALUES(range_i64, int64_t)
DEFINE_RANGE_VALUES(range_f64, double)

PLAIN void alp(const int64_t *restrict integers, uint32_t count, double multiplier, double scale,
               double *restrict values_out)
{
    for (uint32_t i = 0; i < count; i++) {
        values_out[i] = (double)integers[i] * multiplier * scale;
    }
}

PLAIN void texts(const char *restrict bytes, const uint32_t *restrict offsets, uint32_t count,
                 br_text *restrict texts_out)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *data = bytes + offsets[i];
        uint32_t size = offsets[i + 1] - offsets[i], prefix;
        memcpy(&prefix, data, sizeof prefix);
        prefix = __builtin_bswap32(prefix);
        // The bytes after a short text are not its own.
        uint32_t keep = size >= 4 ? ~(uint32_t)0 : ~(~(uint32_t)0 >> (8 * (size & 3)));
        texts_out[i] = (br_text){.data = data, .size = size, .prefix = prefix & keep};
    }
}

#endif
