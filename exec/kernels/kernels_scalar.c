// kernels_scalar.c - the table of the plain C kernels of loops.h.
// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/kernels.h"
#include "exec/kernels/loops.h"

const br_exec_kernels br_exec_kernels_scalar = {
    .isa = "scalar",
    BR_EXEC_LOOPS,
    .equal_i64 = equal_i64, .less_i64 = less_i64, .equal_f64 = equal_f64, .less_f64 = less_f64,
    .in_range_i64 = in_range_i64, .in_range_f64 = in_range_f64,
    .equal_text_word = equal_text_word, .in_bitmap_i64 = in_bitmap_i64,
    .lookup_bits = lookup_bits, .expand_bits = expand_bits,
    .compact_u64 = compact_u64, .compact_u32 = compact_u32, .blend_u64 = blend_u64,
    .fill_u64 = fill_u64,
    .sum_f64 = sum_f64, .find_bytes = find_bytes, .find_bytes_nocase = find_bytes_nocase,
    .count_chars = count_chars,
};
