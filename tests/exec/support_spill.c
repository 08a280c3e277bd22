// support_spill.c - a world of tables, and queries with a small quota.
// SPDX-License-Identifier: Apache-2.0
#include "tests/exec/support_spill.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    PART = 20,  // the quota is 1 / PART of what a query needs in memory
};

// Every allocation costs more under ASan.
#ifdef BR_ARENA_ASAN
size_t spill_limit_min = 10 << 20;
#else
size_t spill_limit_min = 7 << 20;
#endif
query_world spill_world;

uint32_t spill_files(void)
{
    uint32_t count = 0;
    DIR *folder = opendir(spill_world.folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += strcmp(entry->d_name, "store") != 0 && entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static bool run(const char *sql, uint32_t pool, br_result **result_out)
{
    br_error err;
    atomic_store(&spill_world.query_quota.peak_bytes, 0);
    br_status status = world_run(&spill_world, sql, pool, br_cpu_isa_best(), result_out, &err);
    if (status != BR_OK) printf("%s: %s\n", sql, err.message);
    return status == BR_OK && spill_files() == 0;
}

uint64_t spill_check(const char *sql)
{
    br_result *free_run, *tight_run;
    spill_world.memory_limit = 0;
    if (!run(sql, 1, &free_run)) return 0;
    size_t needed = atomic_load(&spill_world.query_quota.peak_bytes), limit = needed / PART;
    if (limit < spill_limit_min) limit = spill_limit_min;
    uint64_t spilled = 0;
    bool is_same = free_run->spilled_bytes == 0;
    for (uint32_t pool = 0; is_same && pool < WORLD_POOLS; pool++) {
        spill_world.memory_limit = limit;
        if (!run(sql, pool, &tight_run)) break;
        spilled = tight_run->spilled_bytes;
        is_same = world_same_result(free_run, tight_run) &&
                  atomic_load(&spill_world.query_quota.peak_bytes) <= limit;
        br_result_free(tight_run);
    }
    br_result_free(free_run);
    printf("%zu KiB in memory; %" PRIu64 " KiB on disk with %zu KiB%s: %s\n", needed / 1024,
           spilled / 1024, limit / 1024, is_same ? "" : ", NOT THE SAME", sql);
    return is_same ? spilled : 0;
}

bool spill_check_sqlite(const char *sql)
{
    spill_world.memory_limit = 0;
    return world_check(&spill_world, sql);
}

void spill_open(uint32_t row_count)
{
    char sql[1200];
    world_open(&spill_world);
    spill_world.spills = true;
    snprintf(sql, sizeof sql,
               "CREATE TABLE fact(id INTEGER PRIMARY KEY, g INTEGER, n INTEGER, r REAL, t TEXT, "
               "d TEXT, mixed);"
               "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %u) "
               "INSERT INTO fact SELECT i, CASE WHEN i %% 11 = 0 THEN NULL ELSE i * 7919 %% 1000 END, "
               "i * 104729 %% 200003, (i * 15485863 %% 1000003) / 8.0, "
               "CASE i %% 3 WHEN 0 THEN 'Name ' ELSE 'name ' END || (i * 7919 %% 100003), "
               "date('2000-01-01', (i * 31 %% 5000) || ' days'), "
               "CASE i %% 7 WHEN 0 THEN NULL WHEN 1 THEN i %% 100 WHEN 2 THEN i / 4.0 "
               "WHEN 3 THEN x'00' || i ELSE 'v' || (i %% 5000) END FROM s;"
               "CREATE TABLE other AS SELECT * FROM fact WHERE id %% 2 = 0;", row_count);
    world_exec(&spill_world, sql);
    world_load(&spill_world);
}
