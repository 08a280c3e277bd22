// kernels_avx2.c - kernels for AVX2, where they beat what the compiler makes of loops.h.
// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "exec/kernels/kernels.h"
#include "exec/kernels/loops.h"

// The second words of four 16-byte items. Unpacking gives them in the order 0 2 1 3.
static inline __m256i second_words(const char *items)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)items);
    __m256i high = _mm256_loadu_si256((const __m256i *)(items + 32));
    return _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(low, high), 0xd8);
}

static void equal_text_word_avx2(const void *items, uint32_t count, uint64_t word, uint64_t *bits)
{
    const char *texts = items;
    const __m256i wanted = _mm256_set1_epi64x((int64_t)word);
    uint32_t base = 0;
    for (; base + 64 <= count; base += 64) {
        uint64_t found = 0;
        for (uint32_t i = base; i < base + 64; i += 4) {
            __m256i equal = _mm256_cmpeq_epi64(second_words(texts + (size_t)i * 16), wanted);
            uint32_t lanes = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
            found |= (uint64_t)lanes << (i - base);
        }
        bits[base / 64] = found;
    }
    if (base < count)
        equal_text_word(texts + (size_t)base * 16, count - base, word, bits + base / 64);
}

static void expand_bits_avx2(const uint64_t *bits, uint32_t count, int64_t *out)
{
    const __m256i lane = _mm256_setr_epi64x(1, 2, 4, 8);
    const uint8_t *bytes = (const uint8_t *)bits;
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m256i nibble = _mm256_set1_epi64x(bytes[i / 8] >> (i & 4));
        __m256i is_set = _mm256_cmpeq_epi64(_mm256_and_si256(nibble, lane), lane);
        _mm256_storeu_si256((__m256i *)&out[i], _mm256_srli_epi64(is_set, 63));
    }
    for (; i < count; i++) out[i] = (int64_t)(bits[i >> 6] >> (i & 63) & 1);
}

static void blend_u64_avx2(const uint64_t *when_set, const uint64_t *when_clear,
                           const uint64_t *bits, uint32_t count, uint64_t *out)
{
    const __m256i lane = _mm256_setr_epi64x(1, 2, 4, 8);
    const uint8_t *bytes = (const uint8_t *)bits;
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m256i nibble = _mm256_set1_epi64x(bytes[i / 8] >> (i & 4));
        __m256i is_set = _mm256_cmpeq_epi64(_mm256_and_si256(nibble, lane), lane);
        __m256i both = _mm256_blendv_epi8(_mm256_loadu_si256((const __m256i *)&when_clear[i]),
                                          _mm256_loadu_si256((const __m256i *)&when_set[i]),
                                          is_set);
        _mm256_storeu_si256((__m256i *)&out[i], both);
    }
    for (; i < count; i++) out[i] = bits[i >> 6] >> (i & 63) & 1 ? when_set[i] : when_clear[i];
}

static void fill_u64_avx2(uint64_t value, const uint64_t *bits, uint32_t count, uint64_t *items)
{
    const __m256i lane = _mm256_setr_epi64x(1, 2, 4, 8);
    const __m256i values = _mm256_set1_epi64x((int64_t)value);
    const uint8_t *bytes = (const uint8_t *)bits;
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m256i nibble = _mm256_set1_epi64x(bytes[i / 8] >> (i & 4));
        __m256i is_set = _mm256_cmpeq_epi64(_mm256_and_si256(nibble, lane), lane);
        __m256i old = _mm256_loadu_si256((const __m256i *)&items[i]);
        _mm256_storeu_si256((__m256i *)&items[i], _mm256_blendv_epi8(old, values, is_set));
    }
    for (; i < count; i++) {
        if (bits[i >> 6] >> (i & 63) & 1) items[i] = value;
    }
}

static double sum_f64_avx2(const double *values, uint32_t count)
{
    __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        low = _mm256_add_pd(low, _mm256_loadu_pd(&values[i]));
        high = _mm256_add_pd(high, _mm256_loadu_pd(&values[i + 4]));
    }
    double lanes[8];
    _mm256_storeu_pd(lanes, low);
    _mm256_storeu_pd(lanes + 4, high);
    for (; i < count; i++) lanes[i % 8] += values[i];
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// ---- text ------------------------------------------------------------------------------------

static inline char letter_bit(char c) { return c >= 'a' && c <= 'z' ? 0x20 : 0; }

static inline bool matches_at(const char *bytes, const char *needle, size_t size, bool nocase)
{
    if (!nocase) return memcmp(bytes, needle, size) == 0;
    for (size_t i = 0; i < size; i++) {
        if ((bytes[i] | letter_bit(needle[i])) != needle[i]) return false;
    }
    return true;
}

// Places where the first and the last byte fit are candidates; those are compared in full. A byte
// ORed with a letter's 0x20 equals the letter only in either of its cases.
static inline size_t find(const char *bytes, size_t size, size_t from, const char *needle,
                          size_t needle_size, bool nocase)
{
    char first_letter = nocase ? letter_bit(needle[0]) : 0;
    char last_letter = nocase ? letter_bit(needle[needle_size - 1]) : 0;
    __m256i first = _mm256_set1_epi8(needle[0]), first_bits = _mm256_set1_epi8(first_letter);
    __m256i last = _mm256_set1_epi8(needle[needle_size - 1]);
    __m256i last_bits = _mm256_set1_epi8(last_letter);
    size_t at = from;
    for (; at + needle_size + 31 <= size; at += 32) {
        __m256i starts = _mm256_loadu_si256((const __m256i *)(bytes + at));
        __m256i ends = _mm256_loadu_si256((const __m256i *)(bytes + at + needle_size - 1));
        __m256i fits = _mm256_and_si256(
            _mm256_cmpeq_epi8(_mm256_or_si256(starts, first_bits), first),
            _mm256_cmpeq_epi8(_mm256_or_si256(ends, last_bits), last));
        uint32_t found = (uint32_t)_mm256_movemask_epi8(fits);
        for (; found != 0; found &= found - 1) {
            size_t place = at + (size_t)__builtin_ctz(found);
            if (matches_at(bytes + place, needle, needle_size, nocase)) return place;
        }
    }
    for (; at + needle_size <= size; at++) {
        if ((bytes[at] | first_letter) == needle[0] &&
            matches_at(bytes + at, needle, needle_size, nocase))
            return at;
    }
    return size;
}

static size_t find_bytes_avx2(const char *bytes, size_t size, size_t from, const char *needle,
                              size_t needle_size)
{
    return find(bytes, size, from, needle, needle_size, false);
}

static size_t find_bytes_nocase_avx2(const char *bytes, size_t size, size_t from,
                                     const char *needle, size_t needle_size)
{
    return find(bytes, size, from, needle, needle_size, true);
}

static size_t count_chars_avx2(const char *bytes, size_t size)
{
    size_t chars = 0, i = 0;
    uint32_t after_ascii = 1;  // is the byte before the block ASCII, or the block the first?
    for (; i + 32 <= size; i += 32) {
        __m256i block = _mm256_loadu_si256((const __m256i *)(bytes + i));
        __m256i zeros = _mm256_cmpeq_epi8(block, _mm256_setzero_si256());
        uint32_t continuations = (uint32_t)_mm256_movemask_epi8(
            _mm256_cmpgt_epi8(_mm256_set1_epi8(-64), block));
        uint32_t ascii = ~(uint32_t)_mm256_movemask_epi8(block);
        bool is_odd = (continuations & (ascii << 1 | after_ascii)) != 0;
        if (is_odd || !_mm256_testz_si256(zeros, zeros)) return count_chars(bytes, size);
        chars += 32 - (size_t)__builtin_popcount(continuations);
        after_ascii = ascii >> 31;
    }
    bool takes_continuations = !after_ascii;
    for (; i < size && bytes[i] != 0; i++) {
        bool is_continuation = (signed char)bytes[i] < -64;
        if (!is_continuation) takes_continuations = (signed char)bytes[i] < 0;
        chars += !is_continuation || !takes_continuations;
    }
    return chars;
}

const br_exec_kernels br_exec_kernels_avx2 = {
    .isa = "avx2",
    BR_EXEC_LOOPS,
    .equal_i64 = equal_i64, .less_i64 = less_i64, .equal_f64 = equal_f64, .less_f64 = less_f64,
    .in_range_i64 = in_range_i64, .in_range_f64 = in_range_f64,
    .equal_text_word = equal_text_word_avx2,
    .in_bitmap_i64 = in_bitmap_i64,
    .lookup_bits = lookup_bits, .expand_bits = expand_bits_avx2, .compact_u64 = compact_u64,
    .compact_u32 = compact_u32, .blend_u64 = blend_u64_avx2, .fill_u64 = fill_u64_avx2,
    .sum_f64 = sum_f64_avx2,
    .find_bytes = find_bytes_avx2, .find_bytes_nocase = find_bytes_nocase_avx2,
    .count_chars = count_chars_avx2,
};
