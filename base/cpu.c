// cpu.c - which instructions, how many CPUs and how much memory this process may use.
// SPDX-License-Identifier: Apache-2.0
#include "base/cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)

// __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the registers.
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("popcnt");
}

// The set of Ice Lake and Zen 4; older AVX-512 CPUs (without VBMI2) run the AVX2 kernels.
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("avx512vpopcntdq");
}

br_isa br_cpu_isa_best(void)
{
    __builtin_cpu_init();
    if (!has_avx2()) return BR_ISA_SCALAR;
    return has_avx512() ? BR_ISA_AVX512 : BR_ISA_AVX2;
}

#else

br_isa br_cpu_isa_best(void) { return BR_ISA_SCALAR; }

#endif

static const char *const isa_names[BR_ISA_COUNT] = {"scalar", "avx2", "avx512"};

const char *br_isa_name(br_isa isa)
{
    return (unsigned)isa < BR_ISA_COUNT ? isa_names[isa] : "?";
}

br_isa br_isa_choose(const char *name)
{
    br_isa best = br_cpu_isa_best();
    if (name == NULL) return best;
    for (br_isa isa = BR_ISA_SCALAR; isa < best; isa++) {
        if (strcmp(name, isa_names[isa]) == 0) return isa;
    }
    return best;
}

// Where the kernel shows this process's control groups, version 1 and 2.
typedef struct cgroup_place {
    const char *controller;  // the field of /proc/self/cgroup; "" is version 2
    const char *folder;
    const char *file;
} cgroup_place;

// Reads "NUMBER [NUMBER]"; "max" and a missing file give no numbers.
static int read_numbers(const char *path, uint64_t numbers_out[2])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    unsigned long long first = 0, second = 0;
    int count = fscanf(file, "%llu %llu", &first, &second);
    fclose(file);
    numbers_out[0] = first;
    numbers_out[1] = second;
    return count < 0 ? 0 : count;
}

// The path of this process in the hierarchy of `controller`; false when there is none.
static bool find_cgroup(const char *root, const char *controller, char *path_out,
                        size_t size_bytes)
{
    char line[1024];
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *file = fopen(line, "re");
    if (file == NULL) return false;
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (path == NULL) continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        found = strcmp(controllers + 1, controller) == 0;
        if (found) snprintf(path_out, size_bytes, "%s", path);
    }
    fclose(file);
    return found;
}

// Calls `lower` with the numbers of the process's group and of each group around it.
static uint64_t cgroup_limit(const char *root, cgroup_place place, uint64_t limit,
                             uint64_t (*lower)(const uint64_t *numbers, int count, uint64_t limit))
{
    char group[1024], path[2048];
    if (!find_cgroup(root, place.controller, group, sizeof group)) return limit;
    for (;;) {
        uint64_t numbers[2];
        snprintf(path, sizeof path, "%s%s%s/%s", root, place.folder, group, place.file);
        int count = read_numbers(path, numbers);
        if (count > 0) limit = lower(numbers, count, limit);
        char *slash = strrchr(group, '/');
        if (slash == NULL) return limit;
        *slash = 0;
    }
}

static uint64_t lower_memory(const uint64_t *numbers, int count, uint64_t limit)
{
    (void)count;
    return numbers[0] < limit ? numbers[0] : limit;
}

// cpu.max is "QUOTA PERIOD": so many microseconds of CPU time in each period.
static uint64_t lower_cpus(const uint64_t *numbers, int count, uint64_t limit)
{
    if (count < 2 || numbers[1] == 0) return limit;
    uint64_t cpus = (numbers[0] + numbers[1] - 1) / numbers[1];
    return cpus > 0 && cpus < limit ? cpus : limit;
}

uint32_t br_cpu_count(void)
{
    cpu_set_t set;
    uint64_t count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        count = (uint64_t)CPU_COUNT(&set);
    } else {
        long online = sysconf(_SC_NPROCESSORS_ONLN);  // more CPUs than a cpu_set_t holds
        if (online > 0) count = (uint64_t)online;
    }
    cgroup_place place = {"", "/sys/fs/cgroup", "cpu.max"};
    return (uint32_t)cgroup_limit("", place, count, lower_cpus);
}

uint64_t br_cgroup_memory_bytes(const char *root, uint64_t bytes)
{
    cgroup_place version_1 = {"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"};
    cgroup_place version_2 = {"", "/sys/fs/cgroup", "memory.max"};
    bytes = cgroup_limit(root, version_1, bytes, lower_memory);
    return cgroup_limit(root, version_2, bytes, lower_memory);
}

uint64_t br_memory_available_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t bytes = 1ull << 30;  // a cautious guess where the system does not tell
    if (pages > 0 && page_bytes > 0) bytes = (uint64_t)pages * (uint64_t)page_bytes;
    return br_cgroup_memory_bytes("", bytes);
}
