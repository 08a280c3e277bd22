// kernels_avx512.c - 512-bit vectors and mask registers.
// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "format/kernels/plain.h"
#include "format/kernels/unpack.h"

// ---- ranges of lanes -------------------------------------------------------------------------

static void range_mask_8(const void *lanes, uint64_t low, uint64_t span, uint64_t *bits_out)
{
    const uint8_t *in = lanes;
    __m512i from = _mm512_set1_epi8((char)low), width = _mm512_set1_epi8((char)span);
    for (uint32_t word = 0; word < BR_VECTOR_WORDS; word++) {
        __m512i delta = _mm512_sub_epi8(_mm512_loadu_si512(in + word * 64), from);
        bits_out[word] = _mm512_cmple_epu8_mask(delta, width);
    }
}

static void range_mask_16(const void *lanes, uint64_t low, uint64_t span, uint64_t *bits_out)
{
    const uint16_t *in = lanes;
    __m512i from = _mm512_set1_epi16((short)low), width = _mm512_set1_epi16((short)span);
    for (uint32_t word = 0; word < BR_VECTOR_WORDS; word++) {
        __m512i left = _mm512_sub_epi16(_mm512_loadu_si512(in + word * 64), from);
        __m512i right = _mm512_sub_epi16(_mm512_loadu_si512(in + word * 64 + 32), from);
        bits_out[word] = _cvtmask32_u32(_mm512_cmple_epu16_mask(left, width)) |
                         (uint64_t)_cvtmask32_u32(_mm512_cmple_epu16_mask(right, width)) << 32;
    }
}

static void range_mask_32(const void *lanes, uint64_t low, uint64_t span, uint64_t *bits_out)
{
    const uint32_t *in = lanes;
    __m512i from = _mm512_set1_epi32((int)low), width = _mm512_set1_epi32((int)span);
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 16) {
        __m512i delta = _mm512_sub_epi32(_mm512_loadu_si512(in + i), from);
        __mmask16 mask = _mm512_cmple_epu32_mask(delta, width);
        memcpy((uint8_t *)bits_out + i / 8, &mask, sizeof mask);
    }
}

static void range_mask_64(const void *lanes, uint64_t low, uint64_t span, uint64_t *bits_out)
{
    const uint64_t *in = lanes;
    __m512i from = _mm512_set1_epi64((int64_t)low), width = _mm512_set1_epi64((int64_t)span);
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 8) {
        __m512i delta = _mm512_sub_epi64(_mm512_loadu_si512(in + i), from);
        ((uint8_t *)bits_out)[i / 8] = (uint8_t)_mm512_cmple_epu64_mask(delta, width);
    }
}

// ---- ranges of values ------------------------------------------------------------------------

static __mmask8 tail_of(uint32_t count, uint32_t first)
{
    uint32_t left = count - first;
    return (__mmask8)(left >= 8 ? 0xffu : 0xffu >> (8 - left));
}

static void range_mask_i64(const int64_t *values, uint32_t count, int64_t low, int64_t high,
                           uint64_t *bits_out)
{
    __m512i from = _mm512_set1_epi64(low), upto = _mm512_set1_epi64(high);
    if (count % 64 != 0) bits_out[count / 64] = 0;
    for (uint32_t first = 0; first < count; first += 8) {
        __mmask8 rows = tail_of(count, first);
        __m512i value = _mm512_maskz_loadu_epi64(rows, values + first);
        __mmask8 passes = _mm512_mask_cmpge_epi64_mask(rows, value, from);
        passes = _mm512_mask_cmple_epi64_mask(passes, value, upto);
        ((uint8_t *)bits_out)[first / 8] = (uint8_t)passes;
    }
}

static void range_mask_f64(const double *values, uint32_t count, double low, double high,
                           uint64_t *bits_out)
{
    __m512d from = _mm512_set1_pd(low), upto = _mm512_set1_pd(high);
    if (count % 64 != 0) bits_out[count / 64] = 0;
    for (uint32_t first = 0; first < count; first += 8) {
        __mmask8 rows = tail_of(count, first);
        __m512d value = _mm512_maskz_loadu_pd(rows, values + first);
        __mmask8 passes = _mm512_mask_cmp_pd_mask(rows, value, from, _CMP_GE_OQ);
        passes = _mm512_mask_cmp_pd_mask(passes, value, upto, _CMP_LE_OQ);
        ((uint8_t *)bits_out)[first / 8] = (uint8_t)passes;
    }
}

// ---- codes -----------------------------------------------------------------------------------

// 64 bits starting at any bit; zero past the end.
static uint64_t bits_from(const uint64_t *bits, uint32_t size, uint32_t first)
{
    uint32_t words = br_bitmap_words(size), word = first / 64, shift = first % 64;
    uint64_t low = word < words ? bits[word] : 0, high = word + 1 < words ? bits[word + 1] : 0;
    return shift == 0 ? low : low >> shift | high << (64 - shift);
}

// The 256 bits that an 8-bit lane can name become four tables of bytes, looked up two at a time.
static void test_codes_table_8(const void *lanes, uint32_t base, const uint64_t *passes,
                               uint32_t size, uint64_t *bits_out)
{
    const uint8_t *in = lanes;
    __m512i table[4];
    for (uint32_t i = 0; i < 4; i++)
        table[i] = _mm512_movm_epi8(bits_from(passes, size, base + i * 64));
    for (uint32_t word = 0; word < BR_VECTOR_WORDS; word++) {
        __m512i code = _mm512_loadu_si512(in + word * 64);
        __m512i low = _mm512_permutex2var_epi8(table[0], code, table[1]);
        __m512i high = _mm512_permutex2var_epi8(table[2], code, table[3]);
        __mmask64 is_high = _mm512_movepi8_mask(code);
        bits_out[word] = _mm512_movepi8_mask(_mm512_mask_blend_epi8(is_high, low, high));
    }
}

// Sixteen codes: bit `code` of a bitmap is bit code % 32 of its word code / 32.
static __mmask16 test_gathered(__m512i codes, const uint64_t *passes)
{
    __m512i words = _mm512_i32gather_epi32(_mm512_srli_epi32(codes, 5), passes, 4);
    // The rotation uses the code modulo 32, and brings the bit to place 0.
    __m512i bit = _mm512_rorv_epi32(words, codes);
    return _mm512_test_epi32_mask(bit, _mm512_set1_epi32(1));
}

// Up to 1,024 bits fit two registers of 16-bit words.
static void test_codes_small_16(const uint16_t *in, uint32_t base, const uint64_t *passes,
                                uint32_t size, uint64_t *bits_out)
{
    uint32_t words = br_bitmap_words(size), low_words = words < 8 ? words : 8;
    __m512i low = _mm512_maskz_loadu_epi64((__mmask8)((1u << low_words) - 1), passes);
    __m512i high =
        _mm512_maskz_loadu_epi64((__mmask8)((1u << (words - low_words)) - 1), passes + low_words);
    __m512i start = _mm512_set1_epi16((short)base), one = _mm512_set1_epi16(1);
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 32) {
        __m512i code = _mm512_add_epi16(_mm512_loadu_si512(in + i), start);
        __m512i word = _mm512_permutex2var_epi16(low, _mm512_srli_epi16(code, 4), high);
        __m512i shift = _mm512_and_si512(code, _mm512_set1_epi16(15));
        __mmask32 mask = _mm512_test_epi16_mask(_mm512_srlv_epi16(word, shift), one);
        memcpy((uint8_t *)bits_out + i / 8, &mask, sizeof mask);
    }
}

static void test_codes_gather_16(const void *lanes, uint32_t base, const uint64_t *passes,
                                 uint32_t size, uint64_t *bits_out)
{
    const uint16_t *in = lanes;
    if (size <= 1024) {
        test_codes_small_16(in, base, passes, size, bits_out);
        return;
    }
    __m512i start = _mm512_set1_epi32((int)base);
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 16) {
        __m512i code = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(in + i)));
        __mmask16 mask = test_gathered(_mm512_add_epi32(code, start), passes);
        memcpy((uint8_t *)bits_out + i / 8, &mask, sizeof mask);
    }
}

static void test_codes_gather_32(const void *lanes, uint32_t base, const uint64_t *passes,
                                 uint32_t size, uint64_t *bits_out)
{
    const uint32_t *in = lanes;
    (void)size;
    __m512i start = _mm512_set1_epi32((int)base);
    for (uint32_t i = 0; i < BR_VECTOR_ROWS; i += 16) {
        __m512i code = _mm512_add_epi32(_mm512_loadu_si512(in + i), start);
        __mmask16 mask = test_gathered(code, passes);
        memcpy((uint8_t *)bits_out + i / 8, &mask, sizeof mask);
    }
}

// ---- texts -----------------------------------------------------------------------------------

static void texts_gather(const char *restrict bytes, const uint32_t *restrict offsets,
                         uint32_t count, br_text *restrict texts_out)
{
    const __m256i reverse = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    const __m512i start = _mm512_set1_epi64((int64_t)(uintptr_t)bytes);
    uint32_t whole = count / 8 * 8;
    for (uint32_t i = 0; i < whole; i += 8) {
        __m256i begin = _mm256_loadu_si256((const void *)(offsets + i));
        __m256i end = _mm256_loadu_si256((const void *)(offsets + i + 1));
        __m256i size = _mm256_sub_epi32(end, begin);
        __m256i prefix = _mm256_i32gather_epi32((const void *)bytes, begin, 1);
        // Shifts of 32 and more give zero: texts of four bytes and more keep all of them.
        __m256i drop = _mm256_srlv_epi32(_mm256_set1_epi32(-1), _mm256_slli_epi32(size, 3));
        prefix = _mm256_andnot_si256(drop, _mm256_shuffle_epi8(prefix, reverse));
        __m512i data = _mm512_add_epi64(_mm512_cvtepu32_epi64(begin), start);
        __m512i rest = _mm512_or_si512(_mm512_cvtepu32_epi64(size),
                                       _mm512_slli_epi64(_mm512_cvtepu32_epi64(prefix), 32));
        _mm512_storeu_si512(texts_out + i, _mm512_permutex2var_epi64(data, low, rest));
        _mm512_storeu_si512(texts_out + i + 4, _mm512_permutex2var_epi64(data, high, rest));
    }
    texts(bytes, offsets + whole, count - whole, texts_out + whole);
}

_Static_assert(sizeof(br_text) == 16 && offsetof(br_text, size) == 8 &&
                   offsetof(br_text, prefix) == 12,
               "texts_gather writes br_text as two 64-bit words");

const struct br_format_kernels br_format_kernels_avx512 = {
    .isa = "avx512",
    .unpack = UNPACK_TABLE,
    .widen = {widen_8, widen_16, widen_32},
    .widen_codes = {widen_codes_8, widen_codes_16, widen_codes_32},
    .range = {range_mask_8, range_mask_16, range_mask_32, range_mask_64},
    .test_codes = {test_codes_table_8, test_codes_gather_16, test_codes_gather_32},
    .gather = {gather_8, gather_16, gather_32, gather_64},
    .range_i64 = range_mask_i64,
    .range_f64 = range_mask_f64,
    .alp = alp,
    .texts = texts_gather,
};
