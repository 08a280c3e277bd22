// kernels.h - the hot loops of query execution, one table of them per instruction set.
//
// loops.h is the specification: plain C, written to be read. Every table must return bit-identical
// results for every input; tests/exec/test_kernels.c holds them to it.
//
// Bitmaps are as in base/bitmap.h; kernels that write one write all its words, zero past the end.
// Arrays need no alignment. Values behind NULL rows are computed like others.
// REAL values are never NaN, but the values behind NULL rows may be.
//
// Threads: tables are const. Pick one with br_exec_kernels_for and carry it in the query's state.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_KERNELS_H
#define BR_EXEC_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

typedef struct br_exec_kernels br_exec_kernels;

struct br_exec_kernels {
    const char *isa;

    // ---- arithmetic: vector op vector, and vector op constant ----
    // INT wraps around. `_checked` returns true when any result did not fit.
    void (*add_i64)(const int64_t *left, const int64_t *right, uint32_t count, int64_t *out);
    void (*sub_i64)(const int64_t *left, const int64_t *right, uint32_t count, int64_t *out);
    void (*mul_i64)(const int64_t *left, const int64_t *right, uint32_t count, int64_t *out);
    void (*add_const_i64)(const int64_t *left, int64_t right, uint32_t count, int64_t *out);
    void (*const_sub_i64)(int64_t left, const int64_t *right, uint32_t count, int64_t *out);
    void (*mul_const_i64)(const int64_t *left, int64_t right, uint32_t count, int64_t *out);
    bool (*add_checked_i64)(const int64_t *left, const int64_t *right, uint32_t count,
                            int64_t *out);
    bool (*sub_checked_i64)(const int64_t *left, const int64_t *right, uint32_t count,
                            int64_t *out);
    bool (*mul_checked_i64)(const int64_t *left, const int64_t *right, uint32_t count,
                            int64_t *out);
    // REAL: true when any result is a NaN, which SQLite knows as NULL.
    bool (*add_f64)(const double *left, const double *right, uint32_t count, double *out);
    bool (*sub_f64)(const double *left, const double *right, uint32_t count, double *out);
    bool (*mul_f64)(const double *left, const double *right, uint32_t count, double *out);
    bool (*add_const_f64)(const double *left, double right, uint32_t count, double *out);
    bool (*sub_const_f64)(const double *left, double right, uint32_t count, double *out);
    bool (*const_sub_f64)(double left, const double *right, uint32_t count, double *out);
    bool (*mul_const_f64)(const double *left, double right, uint32_t count, double *out);
    // True when any result is a NaN or any divisor 0.
    bool (*div_f64)(const double *left, const double *right, uint32_t count, double *out);
    bool (*div_const_f64)(const double *left, double right, uint32_t count, double *out);
    void (*i64_to_f64)(const int64_t *values, uint32_t count, double *out);

    // ---- comparison into bitmaps ----
    void (*equal_i64)(const int64_t *left, const int64_t *right, uint32_t count, uint64_t *bits);
    void (*less_i64)(const int64_t *left, const int64_t *right, uint32_t count, uint64_t *bits);
    void (*equal_f64)(const double *left, const double *right, uint32_t count, uint64_t *bits);
    void (*less_f64)(const double *left, const double *right, uint32_t count, uint64_t *bits);
    // low <= value <= high; nothing when low > high.
    void (*in_range_i64)(const int64_t *values, uint32_t count, int64_t low, int64_t high,
                         uint64_t *bits);
    void (*in_range_f64)(const double *values, uint32_t count, double low, double high,
                         uint64_t *bits);
    // The 64-bit word at byte 8 of each 16-byte item (size and prefix of a br_text) equals `word`.
    void (*equal_text_word)(const void *items, uint32_t count, uint64_t word, uint64_t *bits);
    // bits[i] = table bit (values[i] - least), 0 when that is not in 0..span (as unsigned).
    void (*in_bitmap_i64)(const int64_t *values, uint32_t count, int64_t least, uint64_t span,
                          const uint64_t *table, uint64_t *bits);
    // bits[i] = table bit codes[i].
    void (*lookup_bits)(const uint32_t *codes, uint32_t count, const uint64_t *table,
                        uint64_t *bits);

    // ---- bitmaps ----
    void (*expand_bits)(const uint64_t *bits, uint32_t count, int64_t *out);  // to 0 and 1
    // The items whose bit is set, in order; returns how many. Room for `count` items in `out`.
    uint32_t (*compact_u64)(const uint64_t *items, const uint64_t *bits, uint32_t count,
                            uint64_t *out);
    uint32_t (*compact_u32)(const uint32_t *items, const uint64_t *bits, uint32_t count,
                            uint32_t *out);
    // out[i] = bit i ? when_set[i] : when_clear[i]
    void (*blend_u64)(const uint64_t *when_set, const uint64_t *when_clear, const uint64_t *bits,
                      uint32_t count, uint64_t *out);
    // Sets the items whose bit is set, and leaves the others.
    void (*fill_u64)(uint64_t value, const uint64_t *bits, uint32_t count, uint64_t *items);

    // ---- hashing and reducing ----
    void (*hash_i64)(const int64_t *values, uint32_t count, uint64_t *hashes);  // br_hash_u64
    int64_t (*sum_i64)(const int64_t *values, uint32_t count);  // wraps around; count may be 0
    // Lane i % 8 sums values[i]; lanes add up as ((0+4)+(2+6)) + ((1+5)+(3+7)).
    double (*sum_f64)(const double *values, uint32_t count);
    void (*min_max_i64)(const int64_t *values, uint32_t count, int64_t *min_out,
                        int64_t *max_out);  // count > 0

    // ---- text ----
    // Where `needle` (size >= 1) first occurs at or after `from`; `size` when it does not.
    size_t (*find_bytes)(const char *bytes, size_t size, size_t from, const char *needle,
                         size_t needle_size);
    // The same without regard to ASCII case; `needle` is in lower case.
    size_t (*find_bytes_nocase)(const char *bytes, size_t size, size_t from, const char *needle,
                                size_t needle_size);
    // Characters as SQLite's length() counts them: up to the first NUL.
    size_t (*count_chars)(const char *bytes, size_t size);
};

extern const br_exec_kernels br_exec_kernels_scalar;
extern const br_exec_kernels br_exec_kernels_avx2;
extern const br_exec_kernels br_exec_kernels_avx512;

// `isa` must be one this CPU can run (br_isa_choose).
const br_exec_kernels *br_exec_kernels_for(br_isa isa);

#endif
