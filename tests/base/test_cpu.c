// test_cpu.c - instruction sets, CPUs and memory are plausible.
// SPDX-License-Identifier: Apache-2.0
#include "base/cpu.h"

#include <unistd.h>

#include "tests/test.h"

static void test_isa_choose_never_exceeds_the_cpu(void)
{
    br_isa best = br_cpu_isa_best();
    CHECK(best < BR_ISA_COUNT);
    CHECK_INT(br_isa_choose(NULL), best);
    CHECK_INT(br_isa_choose(""), best);
    CHECK_INT(br_isa_choose("avx512"), best);
    CHECK_INT(br_isa_choose("scalar"), BR_ISA_SCALAR);
    CHECK(br_isa_choose("avx2") <= best);
    for (br_isa isa = BR_ISA_SCALAR; isa <= best; isa++)
        CHECK_INT(br_isa_choose(br_isa_name(isa)), isa);
    printf("best: %s\n", br_isa_name(best));
}

static void test_cpu_count_is_within_the_machine(void)
{
    CHECK(br_cpu_count() >= 1);
    CHECK(br_cpu_count() <= (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
}

static void test_memory_is_within_the_machine(void)
{
    uint64_t bytes = br_memory_available_bytes();
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    CHECK(bytes > 1 << 20);
    CHECK(bytes <= machine);
    printf("%u CPUs, %" PRIu64 " MiB\n", br_cpu_count(), bytes >> 20);
}

int main(void)
{
    RUN(test_isa_choose_never_exceeds_the_cpu);
    RUN(test_cpu_count_is_within_the_machine);
    RUN(test_memory_is_within_the_machine);
    return test_result();
}
