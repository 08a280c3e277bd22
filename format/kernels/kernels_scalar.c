// kernels_scalar.c - the specification: plain C, for any CPU.
// SPDX-License-Identifier: Apache-2.0
#include "format/kernels/plain.h"
#include "format/kernels/unpack.h"

const struct br_format_kernels br_format_kernels_scalar = {
    .isa = "scalar",
    .unpack = UNPACK_TABLE,
    .widen = {widen_8, widen_16, widen_32},
    .widen_codes = {widen_codes_8, widen_codes_16, widen_codes_32},
    .range = {range_8, range_16, range_32, range_64},
    .test_codes = {test_codes_8, test_codes_16, test_codes_32},
    .gather = {gather_8, gather_16, gather_32, gather_64},
    .range_i64 = range_i64,
    .range_f64 = range_f64,
    .alp = alp,
    .texts = texts,
};
