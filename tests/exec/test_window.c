// test_window.c - window functions against SQLite.
//
// Every function runs over every kind of frame, with arguments, orders and offsets drawn at random.
// Reals are multiples of 1/4, so that sums are exact whatever is added to and taken from them.
// SPDX-License-Identifier: Apache-2.0
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
    world_exec(&world,
               "CREATE TABLE t(u INTEGER, g, k INTEGER, q REAL, i INTEGER, r REAL, s TEXT, x, d TEXT,"
               " n INTEGER, a TEXT COLLATE NOCASE);"
               "CREATE TABLE none(u INTEGER, g, k, i);"
               "CREATE TABLE one AS SELECT 1 AS u, 'a' AS g, 2 AS k, 3 AS i;"
               "CREATE TABLE nulls AS SELECT value AS u, NULL AS k FROM (SELECT 1 AS value UNION ALL SELECT 2 UNION ALL SELECT 3);");
}

static void make_rows(void)
{
    world_exec(&world,
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
               " CASE WHEN v % 2 THEN 'A' ELSE 'a' END || v % 4 FROM c;");
    world_load(&world);
}

static uint32_t pick(uint32_t count) { return (uint32_t)(test_random(&seed) % count); }

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
static const char *const excludes[] = {"", "EXCLUDE CURRENT ROW", "EXCLUDE GROUP",
                                       "EXCLUDE TIES"};
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
    static const char *const unique[] = {"u", "u DESC", "k, u", "k DESC NULLS FIRST, u",
                                         "s, x, u DESC", "r NULLS LAST, u"};
    static const char *const tied[] = {"k", "k DESC", "q", "q DESC", "x", "x DESC", "k NULLS LAST",
                                       "q DESC NULLS FIRST", "d", "s COLLATE NOCASE DESC", "a"};
    static const char *const partitions[] = {"", "", "PARTITION BY g", "PARTITION BY g, a",
                                             "PARTITION BY a", "PARTITION BY d"};
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
    bool same = check("SELECT u, g, count(*) OVER w, count(%s) OVER w, sum(%s) OVER w, total(%s) OVER w,"
                      " avg(%s) OVER w, count(*) FILTER (WHERE n %% 3 = 1) OVER w,"
                      " sum(%s) FILTER (WHERE x > 3) OVER w FROM t WINDOW w AS (%s)",
                      any[pick(8)], number, number, numbers[pick(7)], numbers[pick(7)], window);
    same &= check("SELECT u, min(%s) OVER w, max(%s) OVER w, max(n) OVER w FROM t WINDOW w AS (%s)",
                  numbers[pick(2)], numbers[pick(2)], window);
    if (unit != 0) return same;
    const char *value = any[pick(8)];
    same &= check("SELECT u, first_value(%s) OVER w, last_value(%s) OVER w, nth_value(%s, 3) OVER w,"
                  " min(%s) OVER w, max(%s) OVER w FROM t WINDOW w AS (%s)",
                  value, value, any[pick(8)], any[pick(4)], any[pick(4)], window);
    return same & check("SELECT u, group_concat(%s) OVER w, group_concat(s, i) OVER w,"
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

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261120;
    printf("seed %" PRIu64 "\n", seed);
    make_world();
    make_rows();
    RUN(test_window_frames);
    world_close(&world);
    return test_result();
}
