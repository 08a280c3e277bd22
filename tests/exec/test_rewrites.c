// What the optimiser rewrites gives the rows that the plain plan gives, and SQLite: random queries of
// the shapes it looks for, over keys, columns that follow from keys, NULLs and numbers of both kinds.
// argv[1]: the seed.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/exec/support_query.h"
#include "tests/test.h"

static query_world world;
static uint64_t random_state;

static uint32_t pick(uint32_t count)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % count;
}

static const char *one_of(const char *const *list, uint32_t count) { return list[pick(count)]; }
#define ONE_OF(list) one_of((list), sizeof(list) / sizeof *(list))

static const char *const columns[] = {"p.id", "p.code", "p.n", "p.w", "p.t",
                                      "c.id", "c.p",    "c.q", "c.v", "c.w"};
// Of equal values of the others (1 and 1.0) SQLite leaves open which one a group shows.
static const char *const exact[] = {"p.id", "p.code", "p.n", "p.t", "c.id", "c.p", "c.q", "c.v"};
static const char *const numbers[] = {"p.id", "p.n", "p.w", "c.id", "c.p", "c.q", "c.v", "c.w"};
static const char *const joins[] = {
    "c JOIN p ON c.p = p.id", "c LEFT JOIN p ON c.p = p.id", "p LEFT JOIN c ON c.p = p.id",
    "c LEFT JOIN p ON c.q = p.n", "c JOIN p ON c.q = p.n AND c.w >= p.w", "p JOIN c ON p.w = c.w",
    "p JOIN c ON p.id = c.p AND p.n = c.q", "c LEFT JOIN p ON c.p = p.id AND p.n > 2",
};
static const char *const compares[] = {"=", "<", "<=", ">", ">=", "<>"};
static const char *const bounds[] = {"0", "2", "3", "5", "2.5", "12", "12.0", "-1", "40"};

static uint32_t put_condition(char *sql)
{
    const char *column = ONE_OF(numbers);
    switch (pick(5)) {
    case 0:
        return (uint32_t)sprintf(sql, "%s BETWEEN %s AND %s", column, ONE_OF(bounds),
                                 ONE_OF(bounds));
    case 1: return (uint32_t)sprintf(sql, "%s IN (%s, %s)", column, ONE_OF(bounds), ONE_OF(bounds));
    case 2: return (uint32_t)sprintf(sql, "p.t %s 'm%u'", ONE_OF(compares), pick(9));
    default: return (uint32_t)sprintf(sql, "%s %s %s", column, ONE_OF(compares), ONE_OF(bounds));
    }
}

static uint32_t put_where(char *sql, uint32_t count_max)
{
    uint32_t count = pick(count_max + 1), size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += (uint32_t)sprintf(sql + size, i == 0 ? " WHERE " : " AND ");
        size += put_condition(sql + size);
    }
    return size;
}

static uint32_t put_sums(char *sql)
{
    uint32_t size = (uint32_t)sprintf(sql, "count(*)");
    const char *column = ONE_OF(numbers);
    for (uint32_t i = 0, count = 2 + pick(3); i < count; i++)
        size += (uint32_t)sprintf(sql + size, ", sum(%s %c %u)", column, pick(2) ? '+' : '-',
                                  pick(2000));
    return size;
}

// One to four, of which some may follow from others.
static void put_keys(char *keys)
{
    keys += sprintf(keys, "%s", ONE_OF(exact));
    for (uint32_t i = 0, count = pick(4); i < count; i++)
        keys += sprintf(keys, ", %s", ONE_OF(exact));
}

static void random_bounds(char *sql)
{
    static const char *const calls[] = {"count(*)", "count(q)", "count(w)", "min(v)", "max(v)",
                                        "min(id)",  "max(p)",   "min(q)",   "max(r)", "min(r)",
                                        "max(w)"};
    static const char *const filters[] = {"", " WHERE c.id < 300", " WHERE c.id > 390",
                                          " WHERE c.r >= 0", " WHERE c.v > 50 AND c.id > 7"};
    sql += sprintf(sql, "SELECT %s", ONE_OF(calls));
    for (uint32_t i = 0, count = pick(4); i < count; i++) sql += sprintf(sql, ", %s", ONE_OF(calls));
    sprintf(sql, " FROM c%s", ONE_OF(filters));
}

// The first rows by keys of c, whose rows come out once each.
static void random_top(char *sql)
{
    static const char *const sources[] = {
        "SELECT c.id, c.v, p.n AS x FROM c LEFT JOIN p ON c.p = p.id",
        "SELECT c.id, c.v, (SELECT count(*) FROM p WHERE p.n = c.q) AS x FROM c",
        "SELECT c.id, c.v, c.p IN (SELECT n FROM p WHERE n > 2) AS x FROM c",
        "SELECT c.id, c.v, b.code AS x FROM c LEFT JOIN p a ON a.id = c.p LEFT JOIN p b ON b.id = c.q",
        "SELECT c.id, c.v, (SELECT p.t FROM p WHERE p.id > c.p ORDER BY p.n, p.id LIMIT 1) AS x FROM c",
        "SELECT id, v, q AS x FROM c UNION ALL SELECT -id, n, code FROM p",
        "SELECT c.id, c.v, p.n AS x FROM c LEFT JOIN p ON c.p = p.id UNION ALL SELECT -id, n, t FROM p",
    };
    static const char *const filters[] = {"", " WHERE v > 3", " WHERE id < 100 AND v <> 5",
                                          " WHERE x IS NOT NULL"};
    static const char *const offsets[] = {"", " OFFSET 3", " OFFSET 390", " OFFSET -1"};
    sprintf(sql, "/*ordered*/ SELECT * FROM (%s)%s ORDER BY v%s, id%s LIMIT %d%s", ONE_OF(sources),
            ONE_OF(filters), pick(2) ? " DESC" : "", pick(2) ? " DESC" : "", (int)pick(90) - 2,
            ONE_OF(offsets));
}

// What occurs twice, in FROM and in subqueries, alike or nearly.
static void random_twice(char *sql)
{
    static const char *const filters[] = {"", "", " WHERE v > 3"};
    static const char *const uses[] = {
        "SELECT a.k, a.n, b.n FROM (%s) a JOIN (%s) b ON a.k = b.k",
        "SELECT k, n FROM (%s) WHERE n >= (SELECT avg(n) FROM (%s))",
        "SELECT k, n FROM (%s) UNION ALL SELECT n, k FROM (%s)",
        "SELECT k, (SELECT max(n) FROM (%s)) FROM (%s) WHERE k > 3",
        "SELECT k, n FROM (%s) WHERE k IN (SELECT k FROM (%s) WHERE n > 40)",
    };
    static const char *const parts[] = {
        "SELECT q AS k, count(*) AS n FROM c%s GROUP BY q",
        "SELECT p.n AS k, sum(c.v) AS n FROM c JOIN p ON c.p = p.id%s GROUP BY p.n",
        "SELECT q AS k, max(v) OVER (PARTITION BY q) AS n FROM c%s",
        "SELECT q AS k, v AS n FROM c%s UNION SELECT n, id FROM p",
    };
    char part[2][400];
    const char *text = ONE_OF(parts), *filter = ONE_OF(filters);
    sprintf(part[0], text, filter);
    sprintf(part[1], text, pick(4) == 0 ? ONE_OF(filters) : filter);
    sprintf(sql, ONE_OF(uses), part[0], part[1]);
}

// Conditions on what is grouped, windowed or set-operated: on keys of one class and of several, on
// texts under a collation, comparisons and what tells equal values apart.
static void random_filtered(char *sql)
{
    // k is INT, m has INT and REAL, s is TEXT COLLATE NOCASE.
    static const char *const bodies[] = {
        "SELECT q AS k, w AS m, x AS s FROM g UNION SELECT n, w, t FROM p",
        "SELECT q AS k, w AS m, x AS s FROM g EXCEPT SELECT n, w, t FROM p",
        "SELECT q AS k, w AS m, x AS s FROM g INTERSECT SELECT q, w * 1.0, upper(x) FROM g",
        "SELECT q AS k, w AS m, x AS s FROM g UNION ALL SELECT n, w, t FROM p",
        "SELECT q AS k, w AS m, x AS s FROM g UNION ALL SELECT t, n, w FROM p EXCEPT SELECT 3, 3, 'x'",
        "SELECT q AS k, w AS m, x AS s FROM g UNION SELECT t, n, w FROM p",
        "SELECT q AS k, w AS m, x AS s, count(*) AS n FROM g GROUP BY q, w, x",
        "SELECT DISTINCT q AS k, w AS m, x AS s FROM g",
        "SELECT q AS k, w AS m, x AS s, sum(id) OVER (PARTITION BY q, w, x) AS n,"
        " rank() OVER (PARTITION BY x, w, q ORDER BY id) AS r FROM g",
        "SELECT q AS k, w AS m, x AS s, count(*) OVER (PARTITION BY w) AS n,"
        " min(id) OVER (PARTITION BY x, w) AS r FROM g",
        "SELECT q AS k, q + 1 AS m, x AS s, count(*) OVER (PARTITION BY q + 1) AS n FROM g",
    };
    static const char *const conditions[] = {
        "k = 3", "k > 3 AND k < 9", "k IN (1, 2, 3.0)", "k IS NULL", "k + 1 = 4", "k BETWEEN 2 AND 5",
        "m = 3", "m = 3.0", "m >= 2.5", "m IN (1, 2.0)", "m BETWEEN 1 AND 4", "m IS NOT NULL",
        "m = '3'", "s = 'ab'", "s = 'AB'", "s > 'ab'", "s IN ('ab', 'cd')", "s = k",
        "s LIKE 'a%'", "m = k", "k = 3 OR m = 2", "(k, m) = (3, 2)", "m IS 2", "NOT m < 3"};
    sql += sprintf(sql, "SELECT count(*), count(k), sum(k), sum(m), count(s), min(lower(s))"
                        " FROM (%s) WHERE %s", ONE_OF(bodies), ONE_OF(conditions));
    if (pick(3) == 0) sprintf(sql, " AND %s", ONE_OF(conditions));
}

// The same join, of which every place reads other columns.
static void random_join_twice(char *sql)
{
    static const char *const parts[] = {
        "e JOIN p ON e.p = p.id AND p.n = 2",
        "e JOIN p ON e.p = p.id AND p.n IN (1, 5) JOIN p b ON b.id = e.q",
        "e LEFT JOIN p b ON b.id = e.q AND b.n < 4 JOIN p ON e.p = p.id AND p.n = 6",
        "e JOIN p ON e.p = p.id AND p.n = 2 AND e.v > 5 WHERE e.q IN (SELECT n FROM p)",
    };
    static const char *const outputs[] = {"e.id", "e.p", "e.q", "e.v", "p.id", "p.n", "p.t", "p.code"};
    const char *part = ONE_OF(parts), *out[4];
    for (uint32_t i = 0; i < 4; i++) out[i] = ONE_OF(outputs);
    switch (pick(6)) {
    case 0:
        sprintf(sql, "SELECT %s, max(%s) FROM %s GROUP BY 1 HAVING count(*) * 20 >"
                     " (SELECT count(%s) FROM %s)", out[0], out[1], part, out[2], part);
        break;
    case 1:
        sprintf(sql, "SELECT (SELECT max(%s) FROM %s), (SELECT min(%s) FROM %s),"
                     " (SELECT count(DISTINCT %s) FROM %s)", out[0], part, out[1], part, out[2], part);
        break;
    case 2:
        sprintf(sql, "SELECT %s, %s FROM %s %s SELECT %s, %s FROM %s", out[0], out[1], part,
                pick(2) ? "UNION" : "EXCEPT", out[2], out[3], part);
        break;
    case 3:
        sprintf(sql, "SELECT x.k, x.n, y.n FROM (SELECT %s AS k, count(*) AS n FROM %s GROUP BY 1) x"
                     " JOIN (SELECT %s AS k, max(%s) AS n FROM %s GROUP BY 1) y ON x.k = y.k",
                out[0], part, out[1], out[2], part);
        break;
    case 4:
        sprintf(sql, "SELECT x.k, y.k FROM (SELECT DISTINCT %s AS k, %s AS n FROM %s) x"
                     " LEFT JOIN (SELECT %s AS k, %s AS n FROM %s LIMIT 100000) y ON x.n = y.n",
                out[0], out[1], part, out[2], out[1], part);
        break;
    default:
        sprintf(sql, "SELECT %s FROM (SELECT * FROM %s) z%u, (SELECT count(%s) AS n FROM %s)",
                "count(*), max(n)", part, pick(9), out[0], part);
    }
}

// A common table whose uses want some of its rows each.
static void random_shared(char *sql)
{
    static const char *const bodies[] = {
        "SELECT q AS k, p.n AS m, count(*) AS n FROM c LEFT JOIN p ON c.p = p.id GROUP BY q, p.n",
        "SELECT q AS k, v AS m, max(v) OVER (PARTITION BY q) AS n FROM c",
        "SELECT q AS k, 1 AS m, count(*) AS n FROM c GROUP BY q UNION ALL SELECT n, 2, id FROM p",
        "SELECT p AS k, v AS m, id AS n FROM c ORDER BY id LIMIT 99",
    };
    static const char *const uses[] = {
        "SELECT a.k, a.m, b.n FROM s a, s b WHERE a.k = b.k AND a.%s AND b.%s",
        "SELECT a.k, b.m, b.n FROM s a JOIN s b ON a.k = b.m AND b.%s WHERE a.%s",
        "SELECT a.k, b.m, b.n FROM s a LEFT JOIN s b ON a.k = b.m AND b.%s WHERE a.%s",
        "SELECT k, n FROM s WHERE %s AND k IN (SELECT m FROM s WHERE %s)",
        "SELECT a.k, (SELECT count(*) FROM s b WHERE b.m = a.m AND b.%s) FROM s a WHERE a.%s",
        "SELECT a.n, b.n FROM s a FULL JOIN s b ON a.k = b.m AND a.m = b.k WHERE a.%s AND"
        " coalesce(b.%s, 1)",
        "SELECT k, n FROM s WHERE %s UNION ALL SELECT m, k FROM s WHERE %s",
    };
    static const char *const conditions[] = {"k = 3",  "k > 4",       "k IS NULL",
                                             "m = 2",  "m IN (1, 2)", "m BETWEEN 0 AND 5",
                                             "n > 20", "n <> 5",      "k = 2 AND m < 9"};
    sql += sprintf(sql, "WITH s AS (%s) ", ONE_OF(bodies));
    sprintf(sql, ONE_OF(uses), ONE_OF(conditions), ONE_OF(conditions));
}

static void random_query(char *sql)
{
    char keys[100];
    const char *join = ONE_OF(joins), *first = ONE_OF(columns), *second = ONE_OF(columns);
    switch (pick(10)) {
    case 4: random_bounds(sql); break;
    case 6: random_twice(sql); break;
    case 7: random_shared(sql); break;
    case 8: random_join_twice(sql); break;
    case 9: random_filtered(sql); break;
    case 5: random_top(sql); break;
    case 0:
        first = ONE_OF(exact);
        second = ONE_OF(exact);
        sql += sprintf(sql, "SELECT DISTINCT %s, %s FROM %s", first, second, join);
        put_where(sql, 3);
        break;
    case 1:
        put_keys(keys);
        sql += sprintf(sql, "SELECT %s, ", keys);
        sql += put_sums(sql);
        sql += sprintf(sql, " FROM %s", join);
        sql += put_where(sql, 2);
        sprintf(sql, " GROUP BY %s", keys);
        break;
    case 2:  // all of c and p, so that the order is one
        sql += sprintf(sql, "/*ordered*/ SELECT %s, c.id, p.id FROM %s", first, join);
        sql += put_where(sql, 2);
        sprintf(sql, " ORDER BY %s%s, %s, c.id, p.id, %s LIMIT %u", first, pick(2) ? " DESC" : "",
                second, ONE_OF(columns), 1 + pick(300));
        break;
    default:
        sql += sprintf(sql, "SELECT %s, %s FROM %s", first, second, join);
        put_where(sql, 5);
    }
}

static void test_rewrites_keep_the_rows(uint64_t seed)
{
    char sql[2000];
    for (uint32_t i = 0; i < 500; i++) {
        random_state = seed * 1000003 + i;
        for (uint32_t k = 0; k < 4; k++) (void)pick(2);
        random_query(sql);
        for (uint32_t optimize = 0; optimize < 2; optimize++) {
            world.optimize = optimize != 0;
            CHECK(world_check(&world, sql));
        }
    }
}

static void open_world(void)
{
    world_open(&world);
    world_exec(&world,
               "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, n INT, w, t TEXT);"
               "CREATE TABLE c(id INTEGER PRIMARY KEY, p INT, q INT, v INT, w, r REAL);"
               "WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i LIMIT 60) INSERT INTO "
               "p SELECT i, 'code' || i, nullif(i % 7, 3), CASE i % 4 WHEN 0 THEN i % 5 WHEN 1 THEN "
               "i % 5 * 1.0 WHEN 2 THEN NULL ELSE i % 5 + 0.5 END, 'm' || (i % 9) FROM i;"
               "WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i LIMIT 400) INSERT INTO "
               "c SELECT i, nullif(i * 7 % 75, 9), nullif(i % 11, 4), i * 13 % 50 - 5, "
               "CASE i % 3 WHEN 0 THEN i % 6 WHEN 1 THEN i % 6 * 1.0 END, (i % 30 - 3) * 0.5 FROM i;"
               // Large enough for a join with it to be worth sharing.
               "CREATE TABLE g(id INTEGER PRIMARY KEY, q INT, w, x TEXT COLLATE NOCASE);"
               "INSERT INTO g SELECT id, q, CASE id % 5 WHEN 0 THEN q * 1.0 WHEN 1 THEN 2.5 WHEN 2 THEN"
               " v % 4 WHEN 3 THEN v % 4 * 1.0 END, CASE id % 4 WHEN 0 THEN 'ab' WHEN 1 THEN 'AB' WHEN 2"
               " THEN 'cD' END FROM c;"
               "CREATE TABLE e(id INTEGER PRIMARY KEY, p INT, q INT, v INT);"
               "WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i LIMIT 9000) INSERT INTO "
               "e SELECT i, i * 7 % 75, nullif(i % 97, 4), i * 13 % 50 FROM i");
    world_load(&world);
}

int main(int argument_count, char **arguments)
{
    uint64_t seed = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    printf("seed %llu\n", (unsigned long long)seed);
    open_world();
    test_rewrites_keep_the_rows(seed);
    world_close(&world);
    return test_result();
}
