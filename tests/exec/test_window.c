// test_window.c - window functions against SQLite.
//
// Every function runs over every kind of frame, with arguments, orders and offsets drawn at random.
// Reals are multiples of 1/4, so that sums are exact whatever is added to and taken from them.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "tests/exec/support_query.h"
#include "tests/test.h"

enum { SQL_MAX = 8000 };

static query_world world;
static uint64_t seed;

static void make_world(void)
{
    world_open(&world);
    // u is unique; k has ties and NULLs; x is of any class; g divides rows into some large and many
    // small partitions.
    world_exec(
        &world,
        "CREATE TABLE t(u INTEGER, g, k INTEGER, q REAL, i INTEGER, r REAL, s TEXT, x, d TEXT,"
        " n INTEGER, a TEXT COLLATE NOCASE);"
        "CREATE TABLE big(id INTEGER, p INTEGER, v INTEGER);"
        "CREATE TABLE huge AS SELECT 1 AS id, 9223372036854775807 AS v UNION ALL"
        " VALUES (2, 5), (3, -20), (4, 9223372036854775807), (5, 1), (6, -9), (7, 3);"
        "CREATE TABLE extreme AS SELECT 1 AS id, 1e308 AS r UNION ALL"
        " VALUES (2, 1e308), (3, 1.0), (4, 9e999), (5, -9e999), (6, 0.5);"
        "CREATE TABLE none(u INTEGER, g, k, i);"
        "CREATE TABLE one AS SELECT 1 AS u, 'a' AS g, 2 AS k, 3 AS i;"
        "CREATE TABLE nulls AS SELECT value AS u, NULL AS k FROM (SELECT 1 AS value UNION ALL "
        "SELECT 2 UNION ALL SELECT 3);");
}

static void make_rows(void)
{
    world_exec(
        &world,
        "WITH RECURSIVE c(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM c WHERE v < 200)"
        "INSERT INTO t SELECT v * 7919 % 401,"
        " CASE WHEN v % 5 = 0 THEN 'x' WHEN v % 7 = 0 THEN NULL WHEN v % 11 = 0 THEN v"
        "   ELSE v % 3 END,"
        " CASE WHEN v % 13 <> 0 THEN v * 31 % 40 - 10 END,"
        " CASE WHEN v % 17 <> 0 THEN v * 37 % 90 / 4.0 END,"
        " CASE WHEN v % 6 <> 0 THEN v * 53 % 101 - 50 END,"
        " CASE WHEN v % 9 <> 0 THEN v * 59 % 203 / 4.0 - 20 END,"
        " CASE WHEN v % 8 <> 0 THEN 's' || (v * 61 % 37) END,"
        " CASE v % 6 WHEN 0 THEN NULL WHEN 1 THEN v % 23 / 4.0 + 0.125 WHEN 2 THEN 't' || v % 5"
        "   WHEN 3 THEN x'31' WHEN 4 THEN CAST(v % 19 AS TEXT) ELSE v % 29 END,"
        " date('2024-01-01', (v * 67 % 50) || ' days'), v * 71 % 97,"
        " CASE WHEN v % 2 THEN 'A' ELSE 'a' END || v % 4 FROM c;"
        "WITH RECURSIVE c(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM c WHERE v < 80000)"
        "INSERT INTO big SELECT v, CASE WHEN v % 3 = 0 THEN 0 ELSE v % 500 END,"
        " v * 7919 % 10007 FROM c;");
    world_load(&world);
}

static uint32_t pick(uint32_t count)
{
    return (uint32_t)(test_random(&seed) % count);
}

static bool check(const char *format, ...)
{
    char sql[SQL_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    return world_check(&world, sql);
}

// ---- frames ----------------------------------------------------------------------------------

static const char *const units[] = {"ROWS", "RANGE", "GROUPS"};
static const char *const excludes[] = {"", "EXCLUDE CURRENT ROW", "EXCLUDE GROUP", "EXCLUDE TIES"};
static const char *const starts[] = {"UNBOUNDED PRECEDING", "%s PRECEDING", "CURRENT ROW",
                                     "%s FOLLOWING"};
static const char *const ends[] = {"%s PRECEDING", "CURRENT ROW", "%s FOLLOWING",
                                   "UNBOUNDED FOLLOWING"};

static const char *pick_offset(bool is_range)
{
    static const char *const whole[] = {"0", "1", "2", "3", "7", "60", "1000"};
    static const char *const parts[] = {"0", "1", "2.5", "7", "100", "1e300", "'3'"};
    return is_range ? parts[pick(7)] : whole[pick(7)];
}

// Fills `out` with the order and frame of a window.
static void make_window(uint32_t unit, uint32_t start, uint32_t end, uint32_t exclude, char *out)
{
    static const char *const unique[] = {
        "u", "u DESC", "k, u", "k DESC NULLS FIRST, u", "s, x, u DESC", "r NULLS LAST, u"};
    static const char *const tied[] = {"k",
                                       "k DESC",
                                       "q",
                                       "q DESC",
                                       "x",
                                       "x DESC",
                                       "k NULLS LAST",
                                       "q DESC NULLS FIRST",
                                       "d",
                                       "s COLLATE NOCASE DESC",
                                       "a"};
    static const char *const partitions[] = {
        "", "", "PARTITION BY g", "PARTITION BY g, a", "PARTITION BY a", "PARTITION BY d"};
    char first[60], last[60];
    snprintf(first, sizeof first, starts[start], pick_offset(unit == 1));
    snprintf(last, sizeof last, ends[end], pick_offset(unit == 1));
    snprintf(out, 300, "%s ORDER BY %s %s BETWEEN %s AND %s %s", partitions[pick(6)],
             unit == 0 ? unique[pick(6)] : tied[pick(11)], units[unit], first, last,
             excludes[exclude]);
}

// Of peers, SQLite may take any first: functions that tell them apart run over unique orders.
static bool check_frame(uint32_t unit, uint32_t start, uint32_t end, uint32_t exclude)
{
    static const char *const numbers[] = {"i", "r", "x", "k", "i * 1000", "NULL", "s"};
    static const char *const any[] = {"i", "r", "s", "x", "d", "a", "i || s", "5"};
    char window[300];
    make_window(unit, start, end, exclude, window);
    const char *number = numbers[pick(7)];
    bool same =
        check("SELECT u, g, count(*) OVER w, count(%s) OVER w, sum(%s) OVER w, total(%s) OVER w,"
              " avg(%s) OVER w, count(*) FILTER (WHERE n %% 3 = 1) OVER w,"
              " sum(%s) FILTER (WHERE x > 3) OVER w FROM t WINDOW w AS (%s)",
              any[pick(8)], number, number, numbers[pick(7)], numbers[pick(7)], window);
    same &= check("SELECT u, min(%s) OVER w, max(%s) OVER w, max(n) OVER w FROM t WINDOW w AS (%s)",
                  numbers[pick(2)], numbers[pick(2)], window);
    if (unit != 0) return same;
    const char *value = any[pick(8)];
    same &=
        check("SELECT u, first_value(%s) OVER w, last_value(%s) OVER w, nth_value(%s, 3) OVER w,"
              " min(%s) OVER w, max(%s) OVER w FROM t WINDOW w AS (%s)",
              value, value, any[pick(8)], any[pick(4)], any[pick(4)], window);
    return same &
           check("SELECT u, group_concat(%s) OVER w, group_concat(s, i) OVER w,"
                 " group_concat(i, '-') FILTER (WHERE n > 50) OVER w FROM t WINDOW w AS (%s)",
                 value, window);
}

static void test_window_frames(void)
{
    for (uint32_t unit = 0; unit < 3; unit++) {
        for (uint32_t start = 0; start < 4; start++) {
            for (uint32_t end = start < 2 ? 0 : start - 1; end < 4; end++) {
                for (uint32_t exclude = 0; exclude < 4; exclude++)
                    CHECK(check_frame(unit, start, end, exclude));
            }
        }
    }
}

// ---- functions without frames ----------------------------------------------------------------

static void test_window_ranks(void)
{
    static const char *const windows[] = {"ORDER BY k",
                                          "PARTITION BY g ORDER BY k DESC",
                                          "PARTITION BY d",
                                          "PARTITION BY g ORDER BY x",
                                          "PARTITION BY a ORDER BY s, k",
                                          "PARTITION BY u ORDER BY k",
                                          ""};
    for (uint32_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        CHECK(check("SELECT u, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w,"
                    " cume_dist() OVER w FROM t WINDOW w AS (%s)",
                    windows[i]));
    }
    CHECK(
        check("SELECT u, row_number() OVER (ORDER BY u), row_number() OVER (PARTITION BY g ORDER BY"
              " u DESC), rank() OVER (ORDER BY u ROWS 3 PRECEDING EXCLUDE TIES) FROM t"));
    for (uint32_t tiles = 1; tiles < 9; tiles++) {
        CHECK(
            check("SELECT u, ntile(%u) OVER (ORDER BY u), ntile('%u') OVER (PARTITION BY g ORDER BY"
                  " u), ntile(%u.9 + n) OVER (PARTITION BY a ORDER BY u) FROM t",
                  tiles * tiles, tiles, tiles));
    }
}

static void test_window_neighbours(void)
{
    static const char *const offsets[] = {
        "0",   "1",    "2",     "7",   "1000", "-1",    "-2", "'2'",   "2.0",
        "1.5", "NULL", "x'31'", "'y'", "i",    "n % 4", "r",  "1e-30", "9223372036854775807"};
    for (uint32_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        const char *offset = offsets[i];
        CHECK(check("SELECT u, lag(i, %s) OVER w, lead(i, %s) OVER w, lag(s, %s, 'none') OVER w,"
                    " lead(x, %s, u) OVER w, lag(r, %s, -1) OVER w, lead(r, %s, -1.5) OVER w,"
                    " lag(i, %s, 0) OVER w, lead(d, %s, d) OVER w FROM t"
                    " WINDOW w AS (PARTITION BY a ORDER BY u)",
                    offset, offset, offset, offset, offset, offset, offset, offset));
    }
    CHECK(check(
        "SELECT u, lag(d) OVER (ORDER BY u), lead(NULL, 1, i) OVER (ORDER BY u DESC) FROM t"));
    CHECK(check("SELECT u, nth_value(s, n %% 5 + 1) OVER (ORDER BY u), nth_value(s, '2') OVER"
                " (PARTITION BY a ORDER BY u ROWS 2 PRECEDING) FROM t"));
}

// ---- few rows, many rows ---------------------------------------------------------------------

static void test_window_few_rows(void)
{
    static const char *const tables[] = {"none", "one", "nulls"};
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(check(
            "SELECT u, row_number() OVER (ORDER BY u), ntile(2) OVER (ORDER BY u), lag(u, 1, 9)"
            " OVER (ORDER BY u), percent_rank() OVER (ORDER BY u), cume_dist() OVER (ORDER BY"
            " k), sum(k) OVER (ORDER BY k), total(k) OVER (), avg(k) OVER (), min(k) OVER"
            " (ORDER BY u ROWS 1 PRECEDING), group_concat(k) OVER (ORDER BY u), count(k) OVER"
            " (ORDER BY k RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING), first_value(k) OVER"
            " (ORDER BY k DESC RANGE BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM %s",
            tables[i]));
    }
    // Nobody looks at arguments when there are no rows.
    CHECK(check("SELECT ntile(0) OVER (), sum(u) OVER (ROWS -1 PRECEDING), nth_value(u, 0) OVER ()"
                " FROM none"));
}

// More rows than a morsel has, in one partition and in many of very different sizes.
static void test_window_many_rows(void)
{
    static const char *const windows[] = {"ORDER BY v, id", "PARTITION BY p ORDER BY v DESC, id",
                                          "PARTITION BY v ORDER BY id",
                                          "PARTITION BY id ORDER BY v"};
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(check(
            "SELECT id, row_number() OVER w, sum(v) OVER w, lag(v) OVER w, max(v) OVER (w ROWS"
            " BETWEEN 9 PRECEDING AND 3 FOLLOWING), avg(v / 4.0) OVER (w ROWS 20 PRECEDING)"
            " FROM big WINDOW w AS (%s)",
            windows[i]));
    }
    CHECK(check("SELECT id, count(*) OVER (ORDER BY v), sum(v) OVER (ORDER BY v RANGE BETWEEN 50"
                " PRECEDING AND 20 FOLLOWING), sum(v) OVER (PARTITION BY p) FROM big"));
}

// ---- sums ------------------------------------------------------------------------------------

static void test_window_sums_that_overflow(void)
{
    // Does not fit on the way; fits again when what is too much has left the frame.
    CHECK(check("SELECT sum(v) OVER (ORDER BY id) FROM huge"));
    CHECK(check("SELECT sum(v) OVER (ORDER BY id ROWS 1 PRECEDING) FROM huge"));
    CHECK(
        check("SELECT id, sum(v) OVER (ORDER BY id ROWS CURRENT ROW), total(v) OVER (ORDER BY id),"
              " sum(v) FILTER (WHERE id %% 3 = 1) OVER"
              " (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM huge"));
    CHECK(check(
        "SELECT sum(v + 0.0) OVER (ORDER BY id), sum(CASE WHEN id = 1 THEN 0.5 ELSE v END) OVER"
        " (ORDER BY id) FROM huge"));
}

// A value that was infinite, or too big, does not spoil the frames after it.
static void test_window_sums_of_extreme_reals(void)
{
    br_result *result = NULL;
    br_error err = {0};
    MUST(world_run(&world,
                   "SELECT sum(r) OVER (ORDER BY id ROWS CURRENT ROW), sum(r) OVER (ORDER BY"
                   " id ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) FROM extreme",
                   1, br_cpu_isa_best(), &result, &err),
         err);
    static const double alone[] = {1e308, 1e308, 1, INFINITY, -INFINITY, 0.5};
    static const double pairs[] = {INFINITY, 1e308, INFINITY, 0, -INFINITY, 0.5};
    for (uint32_t i = 0; i < 6; i++) {
        br_value value = world_value(result, i, 0), pair = world_value(result, i, 1);
        CHECK(value.class_ == BR_REAL && value.f64 == alone[i]);
        CHECK(i == 3 ? pair.class_ == BR_NULL : pair.class_ == BR_REAL && pair.f64 == pairs[i]);
    }
    br_result_free(result);
}

// ---- errors ----------------------------------------------------------------------------------

static void test_window_errors(void)
{
    static const char *const calls[] = {
        "ntile(0) OVER ()",
        "ntile(NULL) OVER ()",
        "ntile(-3) OVER (ORDER BY u)",
        "ntile(i) OVER (ORDER BY u)",
        "nth_value(u, 0) OVER ()",
        "nth_value(u, NULL) OVER ()",
        "nth_value(u, 1.5) OVER ()",
        "nth_value(u, 'b') OVER (ORDER BY u ROWS BETWEEN 3 PRECEDING AND 5 PRECEDING)",
        "nth_value(u, -1) OVER (ORDER BY u EXCLUDE CURRENT ROW)",
        "sum(u) OVER (ROWS -1 PRECEDING)",
        "sum(u) OVER (ROWS 1.5 PRECEDING)",
        "max(u) OVER (GROUPS 'x' PRECEDING)",
        "max(u) OVER (ORDER BY u GROUPS NULL PRECEDING)",
        "max(u) OVER (ROWS BETWEEN 1 PRECEDING AND -1 FOLLOWING)",
        "count(*) OVER (ORDER BY u RANGE -0.5 PRECEDING)",
        "count(*) OVER (ORDER BY u RANGE BETWEEN CURRENT ROW AND 'x' FOLLOWING)",
        "count(*) OVER (ORDER BY u RANGE x'31' PRECEDING)",
        "count(*) OVER (ORDER BY u RANGE NULL PRECEDING)"};
    for (uint32_t i = 0; i < sizeof calls / sizeof *calls; i++)
        CHECK(check("SELECT %s FROM t", calls[i]));
    CHECK(check("SELECT rank() OVER (ORDER BY u ROWS -1 PRECEDING) FROM t")); // has no frame
}

static const char *const long_query =
    "SELECT id, sum(v) OVER (PARTITION BY p ORDER BY v), group_concat(id) OVER (PARTITION BY p),"
    " max(v) OVER (PARTITION BY p ORDER BY id ROWS BETWEEN 5 PRECEDING AND 5 FOLLOWING) FROM big";

static void test_window_memory_limits(void)
{
    for (size_t limit = 1 << 16; limit <= (size_t)64 << 20; limit *= 4) {
        br_result *result = NULL;
        br_error err = {0};
        world.memory_limit = limit;
        br_status status = world_run(&world, long_query, 1, BR_ISA_SCALAR, &result, &err);
        CHECK(status == BR_OK || status == BR_NOMEM);
        if (limit == 1 << 16) CHECK_INT(status, BR_NOMEM);
        if (status == BR_OK) br_result_free(result);
        CHECK_INT(atomic_load(&world.query_quota.used_bytes), 0);
    }
    world.memory_limit = 0;
}

static void test_window_cancelled(void)
{
    _Atomic bool cancelled = true;
    br_result *result = NULL;
    br_error err = {0};
    world.cancelled = &cancelled;
    CHECK_INT(world_run(&world, long_query, 1, BR_ISA_SCALAR, &result, &err), BR_INTERRUPTED);
    world.cancelled = NULL;
    world.deadline_ns = br_clock_ns() + 2000000;
    CHECK_INT(world_run(&world, long_query, 1, BR_ISA_SCALAR, &result, &err), BR_INTERRUPTED);
    world.deadline_ns = 0;
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261120;
    printf("seed %" PRIu64 "\n", seed);
    make_world();
    make_rows();
    RUN(test_window_frames);
    RUN(test_window_ranks);
    RUN(test_window_neighbours);
    RUN(test_window_few_rows);
    RUN(test_window_many_rows);
    RUN(test_window_sums_that_overflow);
    RUN(test_window_sums_of_extreme_reals);
    RUN(test_window_errors);
    RUN(test_window_memory_limits);
    RUN(test_window_cancelled);
    world_close(&world);
    return test_result();
}
