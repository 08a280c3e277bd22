// Window functions whose rows do not fit the quota: partitions that fit one by one, and partitions
// that do not.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "tests/exec/support_spill.h"
#include "tests/test.h"

static void test_small_partitions(void)
{
    static const char *const windows[] = {
        "row_number() OVER w, rank() OVER w, sum(r) OVER w, lag(t, 2) OVER w, min(mixed) OVER w, d "
        "FROM fact WINDOW w AS (PARTITION BY n % 500 ORDER BY t, id)",
        "group_concat(t, '-') OVER w, last_value(mixed) OVER w, count(g) FILTER (WHERE r > 9) OVER w "
        "FROM fact WINDOW w AS (PARTITION BY n, g ORDER BY d)",
        // Some partitions fit, and one does not.
        "sum(n) OVER w, ntile(7) OVER w, max(t) OVER w, cume_dist() OVER w "
        "FROM fact WINDOW w AS (PARTITION BY CASE WHEN n < 70000 THEN 0 ELSE n END ORDER BY id)",
    };
    char sql[800];
    for (uint32_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        snprintf(sql, sizeof sql, "SELECT id, %s ORDER BY id LIMIT 40 OFFSET 30000", windows[i]);
        CHECK(spill_check_sqlite(sql));
        snprintf(sql, sizeof sql, "SELECT id, %s ORDER BY id LIMIT 3000 OFFSET 30000", windows[i]);
        CHECK(spill_check(sql) > 0);
    }
}

// One partition of all rows: `calls` over it.
static void check_large(const char *calls, const char *window)
{
    char sql[1200];
    snprintf(sql, sizeof sql,
             "SELECT id, %s FROM fact WINDOW w AS (%s) ORDER BY id LIMIT 3000 OFFSET 30000", calls,
             window);
    CHECK(spill_check(sql) > 0);
}

static void test_ranks(void)
{
    const char *calls = "t, row_number() OVER w, rank() OVER w, dense_rank() OVER w, "
                        "percent_rank() OVER w, cume_dist() OVER w, ntile(7) OVER w, "
                        "ntile(100000) OVER w";
    check_large(calls, "ORDER BY g");
    check_large(calls, "");
}

static void test_neighbours(void)
{
    check_large("lag(t) OVER w, lead(mixed, 17000, 'none') OVER w, lag(r, 3, 0.5) OVER w, "
                "lead(n, g) OVER w, d",
                "ORDER BY r, id");
    check_large("first_value(t) OVER w, last_value(mixed) OVER w, nth_value(d, 5000) OVER w",
                "ORDER BY n, id ROWS BETWEEN 9000 PRECEDING AND 9000 FOLLOWING");
    check_large("first_value(t) OVER w, last_value(mixed) OVER w, nth_value(d, 3) OVER w",
                "ORDER BY n, id RANGE UNBOUNDED PRECEDING EXCLUDE CURRENT ROW");
}

static void test_sums(void)
{
    const char *calls = "sum(n) OVER w, sum(r) OVER w, avg(g) OVER w, total(mixed) OVER w, "
                        "sum(mixed) OVER w, count(t) FILTER (WHERE n % 3 = 0) OVER w, count(*) OVER w";
    check_large(calls, "ORDER BY t");
    check_large(calls, "ORDER BY n RANGE BETWEEN 20 PRECEDING AND 30000 FOLLOWING");
    check_large(calls, "ORDER BY r DESC RANGE BETWEEN 20.5 PRECEDING AND CURRENT ROW EXCLUDE GROUP");
    check_large(calls, "ORDER BY g NULLS LAST GROUPS BETWEEN 3 PRECEDING AND 1 FOLLOWING EXCLUDE TIES");
    check_large(calls, "ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING");
    // Sums on the way that do not fit a double, and infinite values.
    check_large("sum(r * 1e303) OVER w, avg(CASE WHEN n = 7 THEN 9e999 ELSE r END) OVER w, "
                "total(CASE WHEN n < 9 THEN -9e999 WHEN n < 18 THEN 9e999 ELSE r END) OVER w",
                "ORDER BY r, id ROWS BETWEEN 9000 PRECEDING AND 5 FOLLOWING");
}

static void test_bests(void)
{
    const char *calls = "min(n) OVER w, max(r) OVER w, min(t) OVER w, max(mixed) OVER w, "
                        "max(d) OVER w";
    check_large(calls, "ORDER BY n");
    check_large(calls, "ORDER BY d, id ROWS BETWEEN 7000 PRECEDING AND 3 FOLLOWING EXCLUDE TIES");
    check_large(calls, "ORDER BY r, id ROWS BETWEEN 5 PRECEDING AND UNBOUNDED FOLLOWING");
}

static void test_texts(void)
{
    size_t before = spill_limit_min;
    spill_limit_min = 8 << 20;  // texts of a block
    check_large("group_concat(d) OVER w, group_concat(t, g) OVER w",
                "ORDER BY n, id ROWS BETWEEN 5 PRECEDING AND 7 FOLLOWING EXCLUDE CURRENT ROW");
    check_large("group_concat(d) OVER w, group_concat(g, mixed) FILTER (WHERE n > 100) OVER w",
                "ORDER BY n, id ROWS BETWEEN 4 FOLLOWING AND 9 FOLLOWING");
    check_large("group_concat(substr(t, 1, 1), '') FILTER (WHERE n % 500 = 0) OVER w",
                "ORDER BY n, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW");
    check_large("json_group_array(n) OVER w, json_group_object(g, t) FILTER (WHERE n > 100) OVER w",
                "ORDER BY n, id ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW");
    spill_limit_min = before;
}

static void test_errors(void)
{
    static const struct {
        const char *sql, *message;
    } bad[] = {
        {"SELECT sum(9223372036854775000 + id % 2) OVER (ORDER BY t) FROM fact", "integer overflow"},
        {"SELECT t, d, mixed, ntile(-id) OVER (ORDER BY r) FROM fact",
         "argument of ntile must be a positive integer"},
        {"SELECT t, d, mixed, nth_value(t, 100 - n) OVER (ORDER BY r) FROM fact",
         "second argument to nth_value must be a positive integer"},
        // A text as long as the table.
        {"SELECT max(x) FROM (SELECT group_concat(t || t || d) OVER () AS x FROM fact)",
         "query memory limit of "},
    };
    br_error err;
    spill_world.memory_limit = spill_limit_min;
    for (uint32_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        br_result *result = NULL;
        CHECK(world_run(&spill_world, bad[i].sql, 1, br_cpu_isa_best(), &result, &err) != BR_OK);
        CHECK(strstr(err.message, bad[i].message) != NULL);
        CHECK_INT(atomic_load(&spill_world.query_quota.used_bytes), 0);
    }
    spill_world.memory_limit = 0;
}

// The number of rows; more of them need a smaller part of their memory.
int main(int argument_count, char **arguments)
{
    spill_open(argument_count > 1 ? (uint32_t)atoi(arguments[1]) : 60000);
    spill_limit_min = 4 << 20;
    RUN(test_small_partitions);
    RUN(test_ranks);
    RUN(test_neighbours);
    RUN(test_sums);
    RUN(test_bests);
    RUN(test_texts);
    RUN(test_errors);
    world_close(&spill_world);
    return test_result();
}
