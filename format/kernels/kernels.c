// kernels.c - which table an instruction set level uses.
// SPDX-License-Identifier: Apache-2.0
#include "format/kernels/kernels.h"

#include "format/format.h"

const br_format_kernels *br_format_kernels_for(br_isa isa)
{
    switch (isa) {
    case BR_ISA_AVX512: return &br_format_kernels_avx512;
    case BR_ISA_AVX2: return &br_format_kernels_avx2;
    default: return &br_format_kernels_scalar;
    }
}
