// kernels_avx512.c - kernels for AVX-512, where they beat what the compiler makes of loops.h.
//
// The last rows are read with masked loads, which touch nothing behind the end.
// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "exec/kernels/kernels.h"
#include "exec/kernels/loops.h"

static inline __mmask8 first_lanes(uint32_t count)
{
    return (__mmask8)(count >= 8 ? 0xff : (1u << count) - 1);
}

// The second words of eight 16-byte items.
static inline __m512i second_words(const char *items, uint32_t count)
{
    const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    __mmask8 low = first_lanes(count * 2), high = count > 4 ? first_lanes(count * 2 - 8) : 0;
    return _mm512_permutex2var_epi64(_mm512_maskz_loadu_epi64(low, items), odd,
                                     _mm512_maskz_loadu_epi64(high, items + 64));
}

static void equal_text_word_avx512(const void *items, uint32_t count, uint64_t word,
                                   uint64_t *bits)
{
    const char *texts = items;
    const __m512i wanted = _mm512_set1_epi64((int64_t)word);
    for (uint32_t base = 0; base < count; base += 64) {
        uint32_t end = count - base < 64 ? count : base + 64;
        uint64_t found = 0;
        for (uint32_t i = base; i < end; i += 8) {
            __m512i words = second_words(texts + (size_t)i * 16, end - i);
            found |= (uint64_t)_mm512_mask_cmpeq_epi64_mask(first_lanes(end - i), words, wanted)
                     << (i - base);
        }
        bits[base / 64] = found;
    }
}

static void lookup_bits_avx512(const uint32_t *codes, uint32_t count, const uint64_t *table,
                               uint64_t *bits)
{
    const __m512i one = _mm512_set1_epi32(1), low_bits = _mm512_set1_epi32(31);
    for (uint32_t base = 0; base < count; base += 64) {
        uint32_t end = count - base < 64 ? count : base + 64;
        uint64_t word = 0;
        for (uint32_t i = base; i < end; i += 16) {
            __mmask16 lanes = (__mmask16)(end - i >= 16 ? 0xffff : (1u << (end - i)) - 1);
            __m512i code = _mm512_maskz_loadu_epi32(lanes, &codes[i]);
            __m512i words = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), lanes,
                                                        _mm512_srli_epi32(code, 5), table, 4);
            __m512i bit = _mm512_srlv_epi32(words, _mm512_and_si512(code, low_bits));
            word |= (uint64_t)_mm512_mask_test_epi32_mask(lanes, bit, one) << (i - base);
        }
        bits[base / 64] = word;
    }
}

static void in_bitmap_i64_avx512(const int64_t *values, uint32_t count, int64_t least,
                                 uint64_t span, const uint64_t *table, uint64_t *bits)
{
    const __m512i one = _mm512_set1_epi64(1), low_bits = _mm512_set1_epi64(63);
    const __m512i base = _mm512_set1_epi64(least), last = _mm512_set1_epi64((int64_t)span);
    memset(bits, 0, (count + 63) / 64 * sizeof *bits);
    for (uint32_t i = 0; i < count; i += 8) {
        __mmask8 lanes = first_lanes(count - i);
        __m512i offset = _mm512_sub_epi64(_mm512_maskz_loadu_epi64(lanes, &values[i]), base);
        lanes = _mm512_mask_cmple_epu64_mask(lanes, offset, last);
        __m512i words = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), lanes,
                                                    _mm512_srli_epi64(offset, 6), table, 8);
        __m512i bit = _mm512_srlv_epi64(words, _mm512_and_si512(offset, low_bits));
        lanes = _mm512_mask_test_epi64_mask(lanes, bit, one);
        bits[i >> 6] |= (uint64_t)lanes << (i & 63);
    }
}

static void expand_bits_avx512(const uint64_t *bits, uint32_t count, int64_t *out)
{
    const uint8_t *bytes = (const uint8_t *)bits;
    const __m512i one = _mm512_set1_epi64(1);
    for (uint32_t i = 0; i < count; i += 8) {
        _mm512_mask_storeu_epi64(&out[i], first_lanes(count - i),
                                 _mm512_maskz_mov_epi64((__mmask8)bytes[i / 8], one));
    }
}

// Compressing into a register and storing all of it is much faster than the compressing store. The
// surplus lanes land where later items go, or are masked off.
static uint32_t compact_u64_avx512(const uint64_t *items, const uint64_t *bits, uint32_t count,
                                   uint64_t *out)
{
    const uint8_t *bytes = (const uint8_t *)bits;
    uint32_t selected = 0, i = 0;
    for (; i + 8 <= count; i += 8) {
        __mmask8 mask = (__mmask8)bytes[i / 8];
        __m512i packed = _mm512_maskz_compress_epi64(mask, _mm512_loadu_si512(&items[i]));
        _mm512_storeu_si512(&out[selected], packed);
        selected += (uint32_t)__builtin_popcount(mask);
    }
    if (i == count) return selected;
    __mmask8 mask = (__mmask8)(bytes[i / 8] & first_lanes(count - i));
    __m512i last = _mm512_maskz_loadu_epi64(first_lanes(count - i), &items[i]);
    uint32_t rest = (uint32_t)__builtin_popcount(mask);
    _mm512_mask_storeu_epi64(&out[selected], first_lanes(rest),
                             _mm512_maskz_compress_epi64(mask, last));
    return selected + rest;
}

static uint32_t compact_u32_avx512(const uint32_t *items, const uint64_t *bits, uint32_t count,
                                   uint32_t *out)
{
    const uint16_t *halves = (const uint16_t *)bits;
    uint32_t selected = 0, i = 0;
    for (; i + 16 <= count; i += 16) {
        __mmask16 mask = (__mmask16)halves[i / 16];
        __m512i packed = _mm512_maskz_compress_epi32(mask, _mm512_loadu_si512(&items[i]));
        _mm512_storeu_si512(&out[selected], packed);
        selected += (uint32_t)__builtin_popcount(mask);
    }
    if (i == count) return selected;
    uint32_t lanes = (1u << (count - i)) - 1;
    __mmask16 mask = (__mmask16)(halves[i / 16] & lanes);
    __m512i last = _mm512_maskz_loadu_epi32((__mmask16)lanes, &items[i]);
    uint32_t rest = (uint32_t)__builtin_popcount(mask);
    _mm512_mask_storeu_epi32(&out[selected], (__mmask16)((1u << rest) - 1),
                             _mm512_maskz_compress_epi32(mask, last));
    return selected + rest;
}

static void blend_u64_avx512(const uint64_t *when_set, const uint64_t *when_clear,
                             const uint64_t *bits, uint32_t count, uint64_t *out)
{
    const uint8_t *bytes = (const uint8_t *)bits;
    for (uint32_t i = 0; i < count; i += 8) {
        __mmask8 lanes = first_lanes(count - i);
        __m512i clear = _mm512_maskz_loadu_epi64(lanes, &when_clear[i]);
        __m512i both = _mm512_mask_loadu_epi64(clear, (__mmask8)(bytes[i / 8] & lanes),
                                               &when_set[i]);
        _mm512_mask_storeu_epi64(&out[i], lanes, both);
    }
}

static void fill_u64_avx512(uint64_t value, const uint64_t *bits, uint32_t count, uint64_t *items)
{
    const uint8_t *bytes = (const uint8_t *)bits;
    const __m512i values = _mm512_set1_epi64((int64_t)value);
    for (uint32_t i = 0; i < count; i += 8) {
        __mmask8 mask = (__mmask8)(bytes[i / 8] & first_lanes(count - i));
        _mm512_mask_storeu_epi64(&items[i], mask, values);
    }
}

static double sum_f64_avx512(const double *values, uint32_t count)
{
    __m512d sums = _mm512_setzero_pd();
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) sums = _mm512_add_pd(sums, _mm512_loadu_pd(&values[i]));
    __mmask8 rest = first_lanes(count - i);
    if (rest != 0)
        sums = _mm512_mask_add_pd(sums, rest, sums, _mm512_maskz_loadu_pd(rest, &values[i]));
    double lanes[8];
    _mm512_storeu_pd(lanes, sums);
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// ---- text ------------------------------------------------------------------------------------

static inline __mmask64 first_bytes(size_t count)
{
    return count >= 64 ? ~0ull : _bzhi_u64(~0ull, (unsigned)count);
}

// For each byte of a needle in lower case: 0x20 for a letter, else 0. A byte of the text matches
// when, ORed with it, it equals the needle's: for letters that is either case, and nothing else.
static inline __m512i letter_bits(__m512i needle)
{
    __m512i place = _mm512_sub_epi8(needle, _mm512_set1_epi8('a'));
    __mmask64 letters = _mm512_cmplt_epu8_mask(place, _mm512_set1_epi8(26));
    return _mm512_maskz_mov_epi8(letters, _mm512_set1_epi8(0x20));
}

static inline bool matches_at(const char *bytes, const char *needle, size_t size, bool nocase)
{
    for (size_t i = 0; i < size; i += 64) {
        __mmask64 mask = first_bytes(size - i);
        __m512i wanted = _mm512_maskz_loadu_epi8(mask, needle + i);
        __m512i actual = _mm512_maskz_loadu_epi8(mask, bytes + i);
        if (nocase) actual = _mm512_or_si512(actual, letter_bits(wanted));
        if (_mm512_mask_cmpneq_epi8_mask(mask, actual, wanted) != 0) return false;
    }
    return true;
}

// Places where the first and the last byte fit are candidates; those are compared in full.
static inline size_t find(const char *bytes, size_t size, size_t from, const char *needle,
                          size_t needle_size, bool nocase)
{
    __m512i first = _mm512_set1_epi8(needle[0]);
    __m512i last = _mm512_set1_epi8(needle[needle_size - 1]);
    __m512i first_letter = nocase ? letter_bits(first) : _mm512_setzero_si512();
    __m512i last_letter = nocase ? letter_bits(last) : _mm512_setzero_si512();
    for (size_t at = from; at + needle_size <= size; at += 64) {
        __mmask64 mask = first_bytes(size - needle_size + 1 - at);
        __m512i starts = _mm512_maskz_loadu_epi8(mask, bytes + at);
        __m512i ends = _mm512_maskz_loadu_epi8(mask, bytes + at + needle_size - 1);
        __mmask64 found = _mm512_mask_cmpeq_epi8_mask(
            mask, _mm512_or_si512(starts, first_letter), first);
        found = _mm512_mask_cmpeq_epi8_mask(found, _mm512_or_si512(ends, last_letter), last);
        for (; found != 0; found &= found - 1) {
            size_t place = at + (size_t)__builtin_ctzll(found);
            if (matches_at(bytes + place, needle, needle_size, nocase)) return place;
        }
    }
    return size;
}

static size_t find_bytes_avx512(const char *bytes, size_t size, size_t from, const char *needle,
                                size_t needle_size)
{
    return find(bytes, size, from, needle, needle_size, false);
}

static size_t find_bytes_nocase_avx512(const char *bytes, size_t size, size_t from,
                                       const char *needle, size_t needle_size)
{
    return find(bytes, size, from, needle, needle_size, true);
}

static size_t count_chars_avx512(const char *bytes, size_t size)
{
    size_t chars = 0;
    uint64_t after_ascii = 1;  // is the byte before the block ASCII, or the block the first?
    for (size_t i = 0; i < size; i += 64) {
        __mmask64 mask = first_bytes(size - i);
        __m512i block = _mm512_maskz_loadu_epi8(mask, bytes + i);
        uint64_t zeros = _mm512_mask_testn_epi8_mask(mask, block, block);
        if (zeros != 0) mask = first_bytes((size_t)__builtin_ctzll(zeros));
        uint64_t continuations =
            _mm512_mask_cmplt_epi8_mask(mask, block, _mm512_set1_epi8(-64));
        uint64_t ascii = ~_mm512_movepi8_mask(block);
        // Continuation bytes that continue nothing are rare; the plain kernel knows what they are.
        if ((continuations & (ascii << 1 | after_ascii)) != 0) return count_chars(bytes, size);
        chars += (size_t)__builtin_popcountll(mask & ~continuations);
        if (zeros != 0) break;
        after_ascii = ascii >> 63;
    }
    return chars;
}

const br_exec_kernels br_exec_kernels_avx512 = {
    .isa = "avx512",
    BR_EXEC_LOOPS,
    .equal_i64 = equal_i64, .less_i64 = less_i64, .equal_f64 = equal_f64, .less_f64 = less_f64,
    .in_range_i64 = in_range_i64, .in_range_f64 = in_range_f64,
    .equal_text_word = equal_text_word_avx512, .in_bitmap_i64 = in_bitmap_i64_avx512,
    .lookup_bits = lookup_bits_avx512,
    .expand_bits = expand_bits_avx512, .compact_u64 = compact_u64_avx512,
    .compact_u32 = compact_u32_avx512, .blend_u64 = blend_u64_avx512,
    .fill_u64 = fill_u64_avx512,
    .sum_f64 = sum_f64_avx512, .find_bytes = find_bytes_avx512,
    .find_bytes_nocase = find_bytes_nocase_avx512, .count_chars = count_chars_avx512,
};
