// cpu.h - the only CPU feature detection.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_CPU_H
#define BR_BASE_CPU_H

#include <stdint.h>

typedef enum br_isa { BR_ISA_SCALAR, BR_ISA_AVX2, BR_ISA_AVX512, BR_ISA_COUNT } br_isa;

br_isa br_cpu_isa_best(void);
const char *br_isa_name(br_isa isa);  // "scalar" "avx2" "avx512"
// The level named by `name` (NULL or "": the best), never above what the CPU can run.
br_isa br_isa_choose(const char *name);
uint32_t br_cpu_count(void);           // CPUs this process may use
uint64_t br_memory_available_bytes(void);  // of the machine, or of the cgroup when it is less
// What the cgroups of this process, version 1 and 2, leave of `bytes`. `root` is where /proc and
// /sys are: "", but in tests.
uint64_t br_cgroup_memory_bytes(const char *root, uint64_t bytes);

#endif
