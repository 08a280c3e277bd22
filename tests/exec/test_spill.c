// Queries whose rows do not fit the quota: each runs without a limit, which tells what it needs, and
// then with a small part of that. Answers are SQLite's both times, and identical where an order is
// asked for.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exec/spill.h"
#include "tests/exec/support_spill.h"
#include "tests/test.h"

static br_error err;

static void test_sorts(void)
{
    CHECK(spill_check_sqlite("SELECT mixed, d, id, t FROM fact ORDER BY mixed, d LIMIT 30 OFFSET 120000"));
    // Only a few rows come out, but all have to be sorted.
    CHECK(spill_check("SELECT * FROM fact ORDER BY r, id LIMIT 5 OFFSET 240000") > 0);
    CHECK(spill_check("SELECT t, n, r, id FROM fact ORDER BY t COLLATE NOCASE DESC, n LIMIT 3000 "
                     "OFFSET 220000") > 0);
    // Equal keys stay in order.
    CHECK(spill_check("SELECT id, t, n, r, g FROM fact ORDER BY g NULLS LAST LIMIT 2000 "
                     "OFFSET 100000") > 0);
    // Values of any class, dates.
    CHECK(spill_check("SELECT mixed, d, id, t FROM fact ORDER BY mixed, d LIMIT 3000 OFFSET 120000") > 0);
    // The rows of a sort go on into another operator.
    CHECK(spill_check("SELECT g, count(*), max(t) FROM (SELECT * FROM fact ORDER BY r "
                     "LIMIT 220000 OFFSET 10) GROUP BY g ORDER BY g") > 0);
}

static void test_groups(void)
{
    CHECK(spill_check_sqlite("SELECT n, count(*), sum(r), min(t), group_concat(d) FROM fact "
                 "GROUP BY n, mixed HAVING n < 100 ORDER BY n, mixed"));
    // Nearly as many groups as rows, states of every kind.
    CHECK(spill_check("SELECT count(*), sum(c), sum(length(a) + length(b)), min(b), max(x), sum(s) "
                     "FROM (SELECT n, count(*) AS c, max(t) AS a, min(t) AS b, max(mixed) AS x, "
                     "sum(r) AS s, min(d) AS e FROM fact GROUP BY n, t)") > 0);
    CHECK(spill_check("SELECT n, t, total(r), group_concat(d, '-'), avg(g), sum(mixed), max(id) "
                     "FROM fact GROUP BY n, t ORDER BY n, t LIMIT 300 OFFSET 150000") > 0);
    // Texts as keys, many groups of more than one row.
    CHECK(spill_check("SELECT max(k), sum(c), sum(s) FROM (SELECT t AS k, count(*) AS c, sum(n) AS s, "
                     "max(mixed) AS m, min(id) AS i FROM fact GROUP BY t)") > 0);
}

// States that are lists: many bytes in few groups.
static void test_lists(void)
{
    size_t before = spill_limit_min;
    spill_limit_min = 16 << 20;
    CHECK(spill_check("SELECT count(*), sum(m), sum(q), max(j), sum(length(l)) FROM (SELECT n, "
                     "median(r) AS m, quantile(id, 0.3) AS q, stddev(r) AS s, "
                     "json_group_array(t) AS j, string_agg(d, ',' ORDER BY t) AS l "
                     "FROM fact GROUP BY n, g)") > 0);
    spill_limit_min = before;
}

static void test_distinct(void)
{
    CHECK(spill_check("SELECT count(*), max(t), sum(n) FROM (SELECT DISTINCT n, t, r, mixed "
                     "FROM fact)") > 0);
    CHECK(spill_check("SELECT g, count(DISTINCT t), sum(DISTINCT r), count(*) FROM fact "
                     "GROUP BY g ORDER BY g") > 0);
}

static void test_sets(void)
{
    CHECK(spill_check("SELECT count(*), sum(a), max(b) FROM (SELECT n AS a, t AS b, r FROM fact "
                     "UNION SELECT id, t, r FROM fact)") > 0);
    CHECK(spill_check("SELECT count(*), sum(a), max(b) FROM (SELECT n AS a, t AS b FROM fact "
                     "EXCEPT SELECT id, t FROM fact WHERE id % 3 = 0)") > 0);
    CHECK(spill_check("SELECT count(*), sum(a), max(b) FROM (SELECT n AS a, t AS b FROM fact "
                     "INTERSECT SELECT n, t FROM fact WHERE id % 3 = 0)") > 0);
}

static void test_joins(void)
{
    CHECK(spill_check_sqlite("SELECT count(*), sum(a.n), max(b.t), count(b.id) FROM fact a "
                 "LEFT JOIN other b ON b.n = a.id"));
    CHECK(spill_check("SELECT count(*), sum(a.id + b.g), max(a.t), min(b.t), sum(b.r), max(b.mixed) "
                     "FROM fact a JOIN other b ON a.n = b.n") > 0);
    CHECK(spill_check("SELECT a.id, a.t, b.t, b.r FROM fact a JOIN other b ON a.t = b.t AND "
                     "a.n < b.n ORDER BY a.id, b.id LIMIT 100 OFFSET 50000") > 0);
    CHECK(spill_check("SELECT count(*), sum(a.n), max(b.t), count(b.id), max(b.mixed) FROM fact a "
                     "LEFT JOIN other b ON b.n = a.id") > 0);
    CHECK(spill_check("SELECT count(*), sum(a.n), max(b.t), count(b.id), count(a.id), min(a.t) "
                     "FROM fact a FULL JOIN other b ON b.n = a.id AND b.g = 7") > 0);
    CHECK(spill_check("SELECT count(*), sum(n), max(t), max(mixed) FROM fact a WHERE NOT EXISTS "
                     "(SELECT * FROM other b WHERE b.t = a.t AND b.r < a.r)") > 0);
    CHECK(spill_check("SELECT count(*), sum(n), max(t), min(d) FROM fact a WHERE "
                     "t IN (SELECT t FROM other WHERE n > 100) OR g IS NULL") > 0);
}

// Through io_uring, where it is allowed, and without it.
static void test_io_modes(void)
{
    static const br_io_mode modes[] = {BR_IO_PREAD, BR_IO_URING};
    for (uint32_t i = 0; i < 2; i++) {
        br_io_ring *ring = NULL;
        if (br_io_ring_new(modes[i], &ring, &err) != BR_OK) {
            printf("%s\n", err.message);
            continue;
        }
        br_io_ring_free(ring);
        spill_world.io_mode = modes[i];
        CHECK(spill_check("SELECT count(*), sum(a.id + b.g), max(a.t) FROM fact a JOIN other b "
                          "ON a.n = b.n") > 0);
        CHECK(spill_check("SELECT t, n, r, id FROM fact ORDER BY mixed, t, id LIMIT 3000 "
                          "OFFSET 120000") > 0);
    }
    spill_world.io_mode = BR_IO_AUTO;
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
    CHECK(strstr(path, spill_world.folder) != NULL);
    (void)operation;
    if (atomic_fetch_sub(&self->left, 1) > 0) return 0;
    if (self->cancelled != NULL) atomic_store(self->cancelled, true);
    return self->cancelled != NULL ? 0 : self->code;
}

static br_status run_failing(const char *sql, uint32_t pool, countdown *fail)
{
    br_result *result = NULL;
    const br_file_hook hook = {.before = count_down, .context = fail};
    spill_world.hook = &hook;
    spill_world.cancelled = fail->cancelled;
    spill_world.memory_limit = 6 << 20;
    br_status status = world_run(&spill_world, sql, pool, br_cpu_isa_best(), &result, &err);
    spill_world.hook = NULL;
    spill_world.cancelled = NULL;
    if (status == BR_OK) br_result_free(result);
    CHECK_INT(spill_files(), 0);
    CHECK_INT(atomic_load(&spill_world.query_quota.used_bytes), 0);
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
    spill_world.memory_limit = 300 << 10;
    CHECK_INT(world_run(&spill_world, failing_sql[0], 1, br_cpu_isa_best(), &result, &err), BR_NOMEM);
    CHECK(strstr(err.message, "query memory limit of 307200 bytes") != NULL);
    // A result is the caller's: it does not go to disk.
    spill_world.memory_limit = 6 << 20;
    CHECK_INT(world_run(&spill_world, "SELECT * FROM fact", 1, br_cpu_isa_best(), &result, &err),
              BR_NOMEM);
    CHECK_INT(atomic_load(&spill_world.query_quota.used_bytes), 0);
    spill_world.memory_limit = 0;
}

// The number of rows; more of them need a smaller part of their memory.
int main(int argument_count, char **arguments)
{
    spill_open(argument_count > 1 ? (uint32_t)atoi(arguments[1]) : 250000);
    RUN(test_sorts);
    RUN(test_groups);
    RUN(test_lists);
    RUN(test_distinct);
    RUN(test_sets);
    RUN(test_joins);
    RUN(test_io_modes);
    RUN(test_failing_files);
    RUN(test_interrupts);
    RUN(test_too_little);
    world_close(&spill_world);
    return test_result();
}
