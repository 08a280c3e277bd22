// test_cpu.c - instruction sets, CPUs and memory are plausible.
// SPDX-License-Identifier: Apache-2.0
#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

// Folders are made as needed.
static void write_file(const char *root, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0);
    if (file != NULL) fclose(file);
}

// Files as the kernel would show them, in a folder of our own.
static void test_memory_is_within_the_cgroups(void)
{
    char root[] = "/tmp/braid-cgroup-XXXXXX", command[64];
    const uint64_t machine = 8ull << 30;
    CHECK(mkdtemp(root) != NULL);
    CHECK_INT(br_cgroup_memory_bytes(root, machine), machine);  // no cgroups at all
    write_file(root, "/proc/self/cgroup", "0::/app/job\n");
    CHECK_INT(br_cgroup_memory_bytes(root, machine), machine);
    write_file(root, "/sys/fs/cgroup/app/job/memory.max", "max\n");
    CHECK_INT(br_cgroup_memory_bytes(root, machine), machine);
    write_file(root, "/sys/fs/cgroup/app/memory.max", "3221225472\n");  // of the group around it
    CHECK_INT(br_cgroup_memory_bytes(root, machine), 3221225472);
    write_file(root, "/sys/fs/cgroup/app/job/memory.max", "1073741824\n");
    CHECK_INT(br_cgroup_memory_bytes(root, machine), 1073741824);
    CHECK_INT(br_cgroup_memory_bytes(root, 1000), 1000);  // more than the machine has
    // Version 1, alone and beside version 2; what it calls no limit is more than any machine has.
    write_file(root, "/proc/self/cgroup", "4:cpu,cpuacct:/box\n3:memory:/box\n0::/\n");
    write_file(root, "/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK_INT(br_cgroup_memory_bytes(root, machine), machine);
    write_file(root, "/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "536870912\n");
    CHECK_INT(br_cgroup_memory_bytes(root, machine), 536870912);
    write_file(root, "/sys/fs/cgroup/memory.max", "268435456\n");  // seen from inside a container
    CHECK_INT(br_cgroup_memory_bytes(root, machine), 268435456);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CHECK_INT(system(command), 0);
}

int main(void)
{
    RUN(test_isa_choose_never_exceeds_the_cpu);
    RUN(test_cpu_count_is_within_the_machine);
    RUN(test_memory_is_within_the_machine);
    RUN(test_memory_is_within_the_cgroups);
    return test_result();
}
