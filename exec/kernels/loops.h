// loops.h - every kernel in plain C: the specification.
//
// Included by every kernels_<isa>.c, so that each table gets them compiled for its own instruction
// set: most are vectorised by the compiler as well as by hand. The same C gives the same results
// everywhere: integers wrap, and floating-point contraction is off. A table names these functions,
// or its own where that is faster.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_LOOPS_H
#define BR_EXEC_LOOPS_H

#include <string.h>

#include "base/hash.h"
#include "exec/kernels/kernels.h"

// Signed arithmetic that wraps around, without undefined behaviour.
static inline int64_t add_wrapping(int64_t left, int64_t right)
{
    return (int64_t)((uint64_t)left + (uint64_t)right);
}
static inline int64_t sub_wrapping(int64_t left, int64_t right)
{
    return (int64_t)((uint64_t)left - (uint64_t)right);
}
static inline int64_t mul_wrapping(int64_t left, int64_t right)
{
    return (int64_t)((uint64_t)left * (uint64_t)right);
}

#define DEFINE_I64_LOOP(name, operation)                                                    \
    static inline void name(const int64_t *left, const int64_t *right, uint32_t count,      \
                            int64_t *out)                                                   \
    {                                                                                       \
        for (uint32_t i = 0; i < count; i++) out[i] = operation(left[i], right[i]);         \
    }
DEFINE_I64_LOOP(add_i64, add_wrapping)
DEFINE_I64_LOOP(sub_i64, sub_wrapping)
DEFINE_I64_LOOP(mul_i64, mul_wrapping)

static inline void add_const_i64(const int64_t *left, int64_t right, uint32_t count, int64_t *out)
{
    for (uint32_t i = 0; i < count; i++) out[i] = add_wrapping(left[i], right);
}

static inline void const_sub_i64(int64_t left, const int64_t *right, uint32_t count, int64_t *out)
{
    for (uint32_t i = 0; i < count; i++) out[i] = sub_wrapping(left, right[i]);
}

static inline void mul_const_i64(const int64_t *left, int64_t right, uint32_t count, int64_t *out)
{
    for (uint32_t i = 0; i < count; i++) out[i] = mul_wrapping(left[i], right);
}

// The sign bit of the accumulator: some result has a sign that its operands rule out.
static inline bool add_checked_i64(const int64_t *left, const int64_t *right, uint32_t count,
                            int64_t *out)
{
    int64_t overflow = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t a = left[i], b = right[i], sum = add_wrapping(a, b);
        overflow |= (a ^ sum) & (b ^ sum);
        out[i] = sum;
    }
    return overflow < 0;
}

static inline bool sub_checked_i64(const int64_t *left, const int64_t *right, uint32_t count,
                            int64_t *out)
{
    int64_t overflow = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t a = left[i], b = right[i], difference = sub_wrapping(a, b);
        overflow |= (a ^ b) & (a ^ difference);
        out[i] = difference;
    }
    return overflow < 0;
}

// Operands of few bits cannot overflow: one cheap pass over both spares the exact check.
static inline bool mul_checked_i64(const int64_t *left, const int64_t *right, uint32_t count,
                            int64_t *out)
{
    uint64_t left_bits = 1, right_bits = 1;  // of the magnitudes, ORed
    for (uint32_t i = 0; i < count; i++) {
        left_bits |= (uint64_t)(left[i] ^ left[i] >> 63);
        right_bits |= (uint64_t)(right[i] ^ right[i] >> 63);
    }
    if (__builtin_clzll(left_bits) + __builtin_clzll(right_bits) > 65) {
        mul_i64(left, right, count, out);
        return false;
    }
    bool overflow = false;
    for (uint32_t i = 0; i < count; i++) {
        overflow |= __builtin_mul_overflow(left[i], right[i], &out[i]);
    }
    return overflow;
}

// The NaN test is by bits, so that the compiler may vectorise it as an integer reduction.
static inline uint64_t is_nan_bits(double value)
{
    union { double real; uint64_t bits; } number = {.real = value};
    return (number.bits << 1) > 0xffe0000000000000ull;
}

#define DEFINE_F64_LOOP(name, operation)                                                    \
    static inline bool name(const double *left, const double *right, uint32_t count, double *out) \
    {                                                                                       \
        uint64_t is_nan = 0;                                                                \
        for (uint32_t i = 0; i < count; i++) {                                              \
            double result = left[i] operation right[i];                                     \
            is_nan |= is_nan_bits(result);                                                  \
            out[i] = result;                                                                \
        }                                                                                   \
        return is_nan != 0;                                                                 \
    }
DEFINE_F64_LOOP(add_f64, +)
DEFINE_F64_LOOP(sub_f64, -)
DEFINE_F64_LOOP(mul_f64, *)

#define DEFINE_F64_CONST_LOOP(name, operation)                                              \
    static inline bool name(const double *left, double right, uint32_t count, double *out)  \
    {                                                                                       \
        uint64_t is_nan = 0;                                                                \
        for (uint32_t i = 0; i < count; i++) {                                              \
            double result = left[i] operation right;                                        \
            is_nan |= is_nan_bits(result);                                                  \
            out[i] = result;                                                                \
        }                                                                                   \
        return is_nan != 0;                                                                 \
    }
DEFINE_F64_CONST_LOOP(add_const_f64, +)
DEFINE_F64_CONST_LOOP(sub_const_f64, -)
DEFINE_F64_CONST_LOOP(mul_const_f64, *)

static inline bool const_sub_f64(double left, const double *right, uint32_t count, double *out)
{
    uint64_t is_nan = 0;
    for (uint32_t i = 0; i < count; i++) {
        double result = left - right[i];
        is_nan |= is_nan_bits(result);
        out[i] = result;
    }
    return is_nan != 0;
}

static inline bool div_f64(const double *left, const double *right, uint32_t count, double *out)
{
    uint64_t is_null = 0;
    for (uint32_t i = 0; i < count; i++) {
        double result = left[i] / right[i];
        is_null |= is_nan_bits(result) | (right[i] == 0.0);
        out[i] = result;
    }
    return is_null != 0;
}

static inline bool div_const_f64(const double *left, double right, uint32_t count, double *out)
{
    uint64_t is_null = right == 0.0;
    for (uint32_t i = 0; i < count; i++) {
        double result = left[i] / right;
        is_null |= is_nan_bits(result);
        out[i] = result;
    }
    return is_null != 0;
}

static inline void i64_to_f64(const int64_t *values, uint32_t count, double *out)
{
    for (uint32_t i = 0; i < count; i++) out[i] = (double)values[i];
}

static inline void hash_i64(const int64_t *values, uint32_t count, uint64_t *hashes)
{
    for (uint32_t i = 0; i < count; i++) hashes[i] = br_hash_u64((uint64_t)values[i]);
}

static inline int64_t sum_i64(const int64_t *values, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += (uint64_t)values[i];
    return (int64_t)sum;
}

static inline void min_max_i64(const int64_t *values, uint32_t count, int64_t *min_out,
                               int64_t *max_out)
{
    int64_t min = values[0], max = values[0];
    for (uint32_t i = 1; i < count; i++) {
        min = values[i] < min ? values[i] : min;
        max = values[i] > max ? values[i] : max;
    }
    *min_out = min;
    *max_out = max;
}

// One loop per comparison: 64 results gathered in a register make one word of the bitmap.
#define DEFINE_BITS_LOOP(name, parameters, condition)                                       \
    static inline void name parameters                                                      \
    {                                                                                       \
        for (uint32_t base = 0; base < count; base += 64) {                                 \
            uint32_t end = count - base < 64 ? count : base + 64;                           \
            uint64_t word = 0;                                                              \
            for (uint32_t i = base; i < end; i++) word |= (uint64_t)(condition) << (i - base); \
            bits[base / 64] = word;                                                         \
        }                                                                                   \
    }

DEFINE_BITS_LOOP(equal_i64, (const int64_t *left, const int64_t *right, uint32_t count,
                             uint64_t *bits), left[i] == right[i])
DEFINE_BITS_LOOP(less_i64, (const int64_t *left, const int64_t *right, uint32_t count,
                            uint64_t *bits), left[i] < right[i])
DEFINE_BITS_LOOP(equal_f64, (const double *left, const double *right, uint32_t count,
                             uint64_t *bits), left[i] == right[i])
DEFINE_BITS_LOOP(less_f64, (const double *left, const double *right, uint32_t count,
                            uint64_t *bits), left[i] < right[i])
DEFINE_BITS_LOOP(in_range_i64, (const int64_t *values, uint32_t count, int64_t low, int64_t high,
                                uint64_t *bits), (values[i] >= low) & (values[i] <= high))
DEFINE_BITS_LOOP(in_range_f64, (const double *values, uint32_t count, double low, double high,
                                uint64_t *bits), (values[i] >= low) & (values[i] <= high))
DEFINE_BITS_LOOP(lookup_bits, (const uint32_t *codes, uint32_t count, const uint64_t *table,
                               uint64_t *bits), table[codes[i] >> 6] >> (codes[i] & 63) & 1)

// No branches: which values pass is as good as random.
static inline void in_bitmap_i64(const int64_t *values, uint32_t count, int64_t least,
                                 uint64_t span, const uint64_t *table, uint64_t *bits)
{
    memset(bits, 0, (count + 63) / 64 * sizeof *bits);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = (uint64_t)values[i] - (uint64_t)least;
        uint64_t is_inside = offset <= span;
        offset = is_inside ? offset : 0;
        bits[i >> 6] |= (table[offset >> 6] >> (offset & 63) & is_inside) << (i & 63);
    }
}

static inline void equal_text_word(const void *items, uint32_t count, uint64_t word, uint64_t *bits)
{
    const char *at = (const char *)items + 8;
    memset(bits, 0, (count + 63) / 64 * sizeof *bits);
    for (uint32_t i = 0; i < count; i++, at += 16) {
        uint64_t actual;
        memcpy(&actual, at, sizeof actual);
        bits[i >> 6] |= (uint64_t)(actual == word) << (i & 63);
    }
}

static inline void expand_bits(const uint64_t *bits, uint32_t count, int64_t *out)
{
    for (uint32_t i = 0; i < count; i++) out[i] = (int64_t)(bits[i >> 6] >> (i & 63) & 1);
}

static inline uint32_t compact_u64(const uint64_t *items, const uint64_t *bits, uint32_t count,
                            uint64_t *out)
{
    uint32_t selected = 0;
    for (uint32_t base = 0; base < count; base += 64) {
        for (uint64_t word = bits[base / 64]; word != 0; word &= word - 1) {
            out[selected++] = items[base + (uint32_t)__builtin_ctzll(word)];
        }
    }
    return selected;
}

static inline uint32_t compact_u32(const uint32_t *items, const uint64_t *bits, uint32_t count,
                            uint32_t *out)
{
    uint32_t selected = 0;
    for (uint32_t base = 0; base < count; base += 64) {
        for (uint64_t word = bits[base / 64]; word != 0; word &= word - 1) {
            out[selected++] = items[base + (uint32_t)__builtin_ctzll(word)];
        }
    }
    return selected;
}

static inline void blend_u64(const uint64_t *when_set, const uint64_t *when_clear,
                             const uint64_t *bits, uint32_t count, uint64_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t mask = 0 - (bits[i >> 6] >> (i & 63) & 1);
        out[i] = (when_set[i] & mask) | (when_clear[i] & ~mask);
    }
}

static inline void fill_u64(uint64_t value, const uint64_t *bits, uint32_t count, uint64_t *items)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t mask = 0 - (bits[i >> 6] >> (i & 63) & 1);
        items[i] = (value & mask) | (items[i] & ~mask);
    }
}

static inline double sum_f64(const double *values, uint32_t count)
{
    double lanes[8] = {0};
    for (uint32_t i = 0; i < count; i++) lanes[i % 8] += values[i];
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

static inline size_t find_bytes(const char *bytes, size_t size, size_t from, const char *needle,
                         size_t needle_size)
{
    const char *found = memmem(bytes + from, size - from, needle, needle_size);
    return found != NULL ? (size_t)(found - bytes) : size;
}

static inline char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static inline size_t find_bytes_nocase(const char *bytes, size_t size, size_t from,
                                       const char *needle, size_t needle_size)
{
    for (size_t at = from; at + needle_size <= size; at++) {
        size_t matched = 0;
        while (matched < needle_size && lower(bytes[at + matched]) == needle[matched]) matched++;
        if (matched == needle_size) return at;
    }
    return size;
}

// Up to the first NUL. A character is a byte with the continuation bytes (10xxxxxx) behind it, but
// an ASCII byte takes none: behind one, continuation bytes are characters of their own.
static inline size_t count_chars(const char *bytes, size_t size)
{
    size_t chars = 0;
    bool takes_continuations = false;
    for (size_t i = 0; i < size && bytes[i] != 0; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0xc0) takes_continuations = true;
        else if (c < 0x80) takes_continuations = false;
        chars += c < 0x80 || c >= 0xc0 || !takes_continuations;
    }
    return chars;
}

// What no table has by hand.
#define BR_EXEC_LOOPS                                                                       \
    .add_i64 = add_i64, .sub_i64 = sub_i64, .mul_i64 = mul_i64,                             \
    .add_const_i64 = add_const_i64, .const_sub_i64 = const_sub_i64,                         \
    .mul_const_i64 = mul_const_i64, .add_checked_i64 = add_checked_i64,                     \
    .sub_checked_i64 = sub_checked_i64, .mul_checked_i64 = mul_checked_i64,                 \
    .add_f64 = add_f64, .sub_f64 = sub_f64, .mul_f64 = mul_f64,                             \
    .add_const_f64 = add_const_f64, .sub_const_f64 = sub_const_f64,                         \
    .const_sub_f64 = const_sub_f64, .mul_const_f64 = mul_const_f64, .div_f64 = div_f64,     \
    .div_const_f64 = div_const_f64, .i64_to_f64 = i64_to_f64, .hash_i64 = hash_i64,         \
    .sum_i64 = sum_i64, .min_max_i64 = min_max_i64

#endif
