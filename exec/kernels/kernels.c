// kernels.c - which table of kernels runs.
// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/kernels.h"

const br_exec_kernels *br_exec_kernels_for(br_isa isa)
{
    switch (isa) {
    case BR_ISA_AVX512: return &br_exec_kernels_avx512;
    case BR_ISA_AVX2: return &br_exec_kernels_avx2;
    default: return &br_exec_kernels_scalar;
    }
}
