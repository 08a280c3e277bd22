// kernels_avx2.c - 256-bit vectors. There are no unsigned comparisons: a <= b where min(a, b) = a.
// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "format/kernels/plain.h"
#include "format/kernels/unpack.h"

// ---- ranges of lanes -------------------------------------------------------------------------

static void range_min_8(const void *lanes, uint64_t low, uint64_t span, uint64_t *bits_out)
{
    const uint8_t *in = lanes;
    __m256i from = _mm256_set1_epi8((char)low), width = _mm256_set1_epi8((char)span);
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 32) {
        __m256i delta = _mm256_sub_epi8(_mm256_loadu_si256((const void *)(in + i)), from);
        __m256i passes = _mm256_cmpeq_epi8(_mm256_min_epu8(delta, width), delta);
        int mask = _mm256_movemask_epi8(passes);
        memcpy((uint8_t *)bits_out + i / 8, &mask, sizeof mask);
    }
}

static __m256i passes_16(const uint16_t *in, __m256i from, __m256i width)
{
    __m256i delta = _mm256_sub_epi16(_mm256_loadu_si256((const void *)in), from);
    return _mm256_cmpeq_epi16(_mm256_min_epu16(delta, width), delta);
}

static void range_min_16(const void *lanes, uint64_t low, uint64_t span, uint64_t *bits_out)
{
    const uint16_t *in = lanes;
    __m256i from = _mm256_set1_epi16((short)low), width = _mm256_set1_epi16((short)span);
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 32) {
        // Packing works within 128-bit halves; the permutation puts the quarters in order.
        __m256i packed = _mm256_packs_epi16(passes_16(in + i, from, width),
                                            passes_16(in + i + 16, from, width));
        int mask = _mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xd8));
        memcpy((uint8_t *)bits_out + i / 8, &mask, sizeof mask);
    }
}

static void range_min_32(const void *lanes, uint64_t low, uint64_t span, uint64_t *bits_out)
{
    const uint32_t *in = lanes;
    __m256i from = _mm256_set1_epi32((int)low), width = _mm256_set1_epi32((int)span);
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 8) {
        __m256i delta = _mm256_sub_epi32(_mm256_loadu_si256((const void *)(in + i)), from);
        __m256i passes = _mm256_cmpeq_epi32(_mm256_min_epu32(delta, width), delta);
        ((uint8_t *)bits_out)[i / 8] = (uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(passes));
    }
}

// Adding INT64_MIN on both sides turns the unsigned comparison into a signed one.
static uint32_t passes_64(const uint64_t *in, __m256i from, __m256i width)
{
    __m256i delta = _mm256_sub_epi64(_mm256_loadu_si256((const void *)in), from);
    __m256i fails = _mm256_cmpgt_epi64(delta, width);
    return ~(uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(fails)) & 15;
}

static void range_sign_64(const void *lanes, uint64_t low, uint64_t span, uint64_t *bits_out)
{
    const uint64_t *in = lanes;
    const uint64_t sign = 1ull << 63;
    __m256i from = _mm256_set1_epi64x((int64_t)(low + sign));
    __m256i width = _mm256_set1_epi64x((int64_t)(span + sign));
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 8) {
        uint32_t mask = passes_64(in + i, from, width) | passes_64(in + i + 4, from, width) << 4;
        ((uint8_t *)bits_out)[i / 8] = (uint8_t)mask;
    }
}

// ---- ranges of values ------------------------------------------------------------------------

static void range_sign_i64(const int64_t *values, uint32_t count, int64_t low, int64_t high,
                           uint64_t *bits_out)
{
    __m256i from = _mm256_set1_epi64x(low), upto = _mm256_set1_epi64x(high);
    uint32_t whole = count / 64 * 64;
    for (uint32_t first = 0; first < whole; first += 64) {
        uint64_t bits = 0;
        for (uint32_t i = 0; i < 64; i += 4) {
            __m256i value = _mm256_loadu_si256((const void *)(values + first + i));
            __m256i fails =
                _mm256_or_si256(_mm256_cmpgt_epi64(from, value), _mm256_cmpgt_epi64(value, upto));
            uint32_t mask = ~(uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(fails)) & 15;
            bits |= (uint64_t)mask << i;
        }
        bits_out[first / 64] = bits;
    }
    range_i64(values + whole, count - whole, low, high, bits_out + whole / 64);
}

static void range_cmp_f64(const double *values, uint32_t count, double low, double high,
                          uint64_t *bits_out)
{
    __m256d from = _mm256_set1_pd(low), upto = _mm256_set1_pd(high);
    uint32_t whole = count / 64 * 64;
    for (uint32_t first = 0; first < whole; first += 64) {
        uint64_t bits = 0;
        for (uint32_t i = 0; i < 64; i += 4) {
            __m256d value = _mm256_loadu_pd(values + first + i);
            __m256d passes = _mm256_and_pd(_mm256_cmp_pd(value, from, _CMP_GE_OQ),
                                           _mm256_cmp_pd(value, upto, _CMP_LE_OQ));
            bits |= (uint64_t)_mm256_movemask_pd(passes) << i;
        }
        bits_out[first / 64] = bits;
    }
    range_f64(values + whole, count - whole, low, high, bits_out + whole / 64);
}

const struct br_format_kernels br_format_kernels_avx2 = {
    .isa = "avx2",
    .unpack = UNPACK_TABLE,
    .widen = {widen_8, widen_16, widen_32},
    .widen_codes = {widen_codes_8, widen_codes_16, widen_codes_32},
    .range = {range_min_8, range_min_16, range_min_32, range_sign_64},
    .test_codes = {test_codes_8, test_codes_16, test_codes_32},
    .gather = {gather_8, gather_16, gather_32, gather_64},
    .range_i64 = range_sign_i64,
    .range_f64 = range_cmp_f64,
    .alp = alp,
    .texts = texts,
};
