// Queries whose rows do not fit the quota: each runs without a limit, which tells what it needs, and
// then with a small part of that. Answers are SQLite's both times, and identical where an order is
// asked for.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "exec/spill.h"
#include "tests/exec/support_query.h"
#include "tests/test.h"

enum {
    PART = 20,  // the quota is 1 / PART of what a query needs in memory
};

// The tables and batches that a worker is at need some as well; every allocation costs more under
// ASan.
#ifdef BR_ARENA_ASAN
static size_t limit_min = 10 << 20;
#else
static size_t limit_min = 7 << 20;
#endif
static query_world world;
static br_error err;

// Nothing but the store: files of queries have no names.
static uint32_t files_in_folder(void)
{
    uint32_t count = 0;
    DIR *folder = opendir(world.folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += strcmp(entry->d_name, "store") != 0 && entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void run(const char *sql, uint32_t pool, br_result **result_out)
{
    atomic_store(&world.query_quota.peak_bytes, 0);
    br_status status = world_run(&world, sql, pool, br_cpu_isa_best(), result_out, &err);
    if (status != BR_OK) fprintf(stderr, "%s: %s\n", sql, err.message);
    MUST(status, err);
    CHECK_INT(files_in_folder(), 0);
}

// Returns the bytes that went to disk.
static uint64_t check_part(const char *sql)
{
    br_result *free_run, *tight_run;
    world.memory_limit = 0;
    run(sql, 1, &free_run);
    size_t needed = atomic_load(&world.query_quota.peak_bytes), limit = needed / PART;
    if (limit < limit_min) limit = limit_min;
    CHECK_INT(free_run->spilled_bytes, 0);
    uint64_t spilled = 0;
    for (uint32_t pool = 0; pool < WORLD_POOLS; pool++) {
        world.memory_limit = limit;
        run(sql, pool, &tight_run);
        CHECK(world_same_result(free_run, tight_run));
        CHECK(atomic_load(&world.query_quota.peak_bytes) <= world.memory_limit);
        spilled = tight_run->spilled_bytes;
        br_result_free(tight_run);
    }
    br_result_free(free_run);
    printf("%zu KiB in memory; %" PRIu64 " KiB on disk with %zu KiB: %s\n", needed / 1024,
           spilled / 1024, limit / 1024, sql);
    return spilled;
}

// The answer without a limit is SQLite's; once per kind of operator.
static void check_sqlite(const char *sql)
{
    world.memory_limit = 0;
    CHECK(world_check(&world, sql));
}

static void test_sorts(void)
{
    check_sqlite("SELECT mixed, d, id, t FROM fact ORDER BY mixed, d LIMIT 30 OFFSET 120000");
    // Only a few rows come out, but all have to be sorted.
    CHECK(check_part("SELECT * FROM fact ORDER BY r, id LIMIT 5 OFFSET 240000") > 0);
    CHECK(check_part("SELECT t, n, r, id FROM fact ORDER BY t COLLATE NOCASE DESC, n LIMIT 3000 "
                     "OFFSET 220000") > 0);
    // Equal keys stay in order.
    CHECK(check_part("SELECT id, t, n, r, g FROM fact ORDER BY g NULLS LAST LIMIT 2000 "
                     "OFFSET 100000") > 0);
    // Values of any class, dates.
    CHECK(check_part("SELECT mixed, d, id, t FROM fact ORDER BY mixed, d LIMIT 3000 OFFSET 120000") > 0);
    // The rows of a sort go on into another operator.
    CHECK(check_part("SELECT g, count(*), max(t) FROM (SELECT * FROM fact ORDER BY r "
                     "LIMIT 220000 OFFSET 10) GROUP BY g ORDER BY g") > 0);
}

static void test_groups(void)
{
    check_sqlite("SELECT n, count(*), sum(r), min(t), group_concat(d) FROM fact "
                 "GROUP BY n, mixed HAVING n < 100 ORDER BY n, mixed");
    // Nearly as many groups as rows, states of every kind.
    CHECK(check_part("SELECT count(*), sum(c), sum(length(a) + length(b)), min(b), max(x), sum(s) "
                     "FROM (SELECT n, count(*) AS c, max(t) AS a, min(t) AS b, max(mixed) AS x, "
                     "sum(r) AS s, min(d) AS e FROM fact GROUP BY n, t)") > 0);
    CHECK(check_part("SELECT n, t, total(r), group_concat(d, '-'), avg(g), sum(mixed), max(id) "
                     "FROM fact GROUP BY n, t ORDER BY n, t LIMIT 300 OFFSET 150000") > 0);
    // Texts as keys, many groups of more than one row.
    CHECK(check_part("SELECT max(k), sum(c), sum(s) FROM (SELECT t AS k, count(*) AS c, sum(n) AS s, "
                     "max(mixed) AS m, min(id) AS i FROM fact GROUP BY t)") > 0);
}

// States that are lists: many bytes in few groups.
static void test_lists(void)
{
    size_t before = limit_min;
    limit_min = 16 << 20;
    CHECK(check_part("SELECT count(*), sum(m), sum(q), max(j), sum(length(l)) FROM (SELECT n, "
                     "median(r) AS m, quantile(id, 0.3) AS q, stddev(r) AS s, "
                     "json_group_array(t) AS j, string_agg(d, ',' ORDER BY t) AS l "
                     "FROM fact GROUP BY n, g)") > 0);
    limit_min = before;
}

static void test_distinct(void)
{
    CHECK(check_part("SELECT count(*), max(t), sum(n) FROM (SELECT DISTINCT n, t, r, mixed "
                     "FROM fact)") > 0);
    CHECK(check_part("SELECT g, count(DISTINCT t), sum(DISTINCT r), count(*) FROM fact "
                     "GROUP BY g ORDER BY g") > 0);
}

static void test_sets(void)
{
    CHECK(check_part("SELECT count(*), sum(a), max(b) FROM (SELECT n AS a, t AS b, r FROM fact "
                     "UNION SELECT id, t, r FROM fact)") > 0);
    CHECK(check_part("SELECT count(*), sum(a), max(b) FROM (SELECT n AS a, t AS b FROM fact "
                     "EXCEPT SELECT id, t FROM fact WHERE id % 3 = 0)") > 0);
    CHECK(check_part("SELECT count(*), sum(a), max(b) FROM (SELECT n AS a, t AS b FROM fact "
                     "INTERSECT SELECT n, t FROM fact WHERE id % 3 = 0)") > 0);
}

static void test_joins(void)
{
    check_sqlite("SELECT count(*), sum(a.n), max(b.t), count(b.id) FROM fact a "
                 "LEFT JOIN other b ON b.n = a.id");
    CHECK(check_part("SELECT count(*), sum(a.id + b.g), max(a.t), min(b.t), sum(b.r), max(b.mixed) "
                     "FROM fact a JOIN other b ON a.n = b.n") > 0);
    CHECK(check_part("SELECT a.id, a.t, b.t, b.r FROM fact a JOIN other b ON a.t = b.t AND "
                     "a.n < b.n ORDER BY a.id, b.id LIMIT 100 OFFSET 50000") > 0);
    CHECK(check_part("SELECT count(*), sum(a.n), max(b.t), count(b.id), max(b.mixed) FROM fact a "
                     "LEFT JOIN other b ON b.n = a.id") > 0);
    CHECK(check_part("SELECT count(*), sum(a.n), max(b.t), count(b.id), count(a.id), min(a.t) "
                     "FROM fact a FULL JOIN other b ON b.n = a.id AND b.g = 7") > 0);
    CHECK(check_part("SELECT count(*), sum(n), max(t), max(mixed) FROM fact a WHERE NOT EXISTS "
                     "(SELECT * FROM other b WHERE b.t = a.t AND b.r < a.r)") > 0);
    CHECK(check_part("SELECT count(*), sum(n), max(t), min(d) FROM fact a WHERE "
                     "t IN (SELECT t FROM other WHERE n > 100) OR g IS NULL") > 0);
}

// ---- what goes wrong -------------------------------------------------------------------------

static const char *const failing_sql[] = {
    "SELECT * FROM fact ORDER BY r, id LIMIT 5 OFFSET 240000",
    "SELECT max(b), sum(c) FROM (SELECT n, count(*) AS c, max(t) AS b, min(mixed) AS m, "
    "group_concat(t) FROM fact GROUP BY n)",
    "SELECT count(*), max(b.mixed) FROM fact a JOIN other b ON a.n = b.n AND a.t > b.t",
};
enum { FAILING_COUNT = sizeof failing_sql / sizeof *failing_sql };

typedef struct countdown {
    _Atomic int left;  // operations to let through
    int code;
    _Atomic bool *cancelled;  // instead of failing
} countdown;

static int count_down(void *context, const char *operation, const char *path)
{
    countdown *self = context;
    CHECK(strstr(path, world.folder) != NULL);
    (void)operation;
    if (atomic_fetch_sub(&self->left, 1) > 0) return 0;
    if (self->cancelled != NULL) atomic_store(self->cancelled, true);
    return self->cancelled != NULL ? 0 : self->code;
}

static br_status run_failing(const char *sql, uint32_t pool, countdown *fail)
{
    br_result *result = NULL;
    const br_file_hook hook = {.before = count_down, .context = fail};
    world.hook = &hook;
    world.cancelled = fail->cancelled;
    world.memory_limit = 6 << 20;
    br_status status = world_run(&world, sql, pool, br_cpu_isa_best(), &result, &err);
    world.hook = NULL;
    world.cancelled = NULL;
    if (status == BR_OK) br_result_free(result);
    CHECK_INT(files_in_folder(), 0);
    CHECK_INT(atomic_load(&world.query_quota.used_bytes), 0);
    return status;
}

static void test_failing_files(void)
{
    for (uint32_t i = 0; i < FAILING_COUNT; i++) {
        countdown counted = {.left = INT32_MAX};
        CHECK_INT(run_failing(failing_sql[i], 1, &counted), BR_OK);
        int total = INT32_MAX - counted.left;
        CHECK(total > 100);
        for (int at = 0; at < total; at += at == 0 ? 1 : total / 3) {
            countdown full = {.left = at, .code = ENOSPC}, broken = {.left = at, .code = EIO};
            CHECK_INT(run_failing(failing_sql[i], (uint32_t)at % WORLD_POOLS, &full), BR_FULL);
            CHECK(strstr(err.message, "temporary file: cannot ") != NULL);
            if (at < 2) CHECK_INT(run_failing(failing_sql[i], 1, &broken), BR_IO);
        }
    }
}

static void test_interrupts(void)
{
    for (uint32_t i = 0; i < FAILING_COUNT; i++) {
        for (int at = 1; at < 300; at += 280) {
            _Atomic bool cancelled = false;
            countdown interrupt = {.left = at, .cancelled = &cancelled};
            CHECK_INT(run_failing(failing_sql[i], 1, &interrupt), BR_INTERRUPTED);
        }
    }
}

static void test_too_little(void)
{
    br_result *result;
    world.memory_limit = 300 << 10;
    CHECK_INT(world_run(&world, failing_sql[0], 1, br_cpu_isa_best(), &result, &err), BR_NOMEM);
    CHECK(strstr(err.message, "query memory limit of 307200 bytes") != NULL);
    // A result is the caller's: it does not go to disk.
    world.memory_limit = 6 << 20;
    CHECK_INT(world_run(&world, "SELECT * FROM fact", 1, br_cpu_isa_best(), &result, &err),
              BR_NOMEM);
    CHECK_INT(atomic_load(&world.query_quota.used_bytes), 0);
    world.memory_limit = 0;
}

static void open_world(void)
{
    world_open(&world);
    world.spills = true;
    world_exec(&world,
               "CREATE TABLE fact(id INTEGER PRIMARY KEY, g INTEGER, n INTEGER, r REAL, t TEXT, "
               "d TEXT, mixed);"
               "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 250000) "
               "INSERT INTO fact SELECT i, CASE WHEN i % 11 = 0 THEN NULL ELSE i * 7919 % 1000 END, "
               "i * 104729 % 200003, (i * 15485863 % 1000003) / 8.0, "
               "CASE i % 3 WHEN 0 THEN 'Name ' ELSE 'name ' END || (i * 7919 % 100003), "
               "date('2000-01-01', (i * 31 % 5000) || ' days'), "
               "CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN i % 100 WHEN 2 THEN i / 4.0 "
               "WHEN 3 THEN x'00' || i ELSE 'v' || (i % 5000) END FROM s;"
               "CREATE TABLE other AS SELECT * FROM fact WHERE id % 2 = 0;");
    world_load(&world);
}

int main(void)
{
    open_world();
    RUN(test_sorts);
    RUN(test_groups);
    RUN(test_lists);
    RUN(test_distinct);
    RUN(test_sets);
    RUN(test_joins);
    RUN(test_failing_files);
    RUN(test_interrupts);
    RUN(test_too_little);
    world_close(&world);
    return test_result();
}
