// test_operators.c - every operator against SQLite, on tables big enough for several morsels.
// SPDX-License-Identifier: Apache-2.0
#include "tests/exec/support_query.h"
#include "tests/test.h"

static query_world world;

static void make_world(void)
{
    world_open(&world);
    // t: several chunks and every kind of column; u, v: keys to join with; w: few rows, all classes.
    world_exec(&world,
               "CREATE TABLE t(id INTEGER PRIMARY KEY, i INTEGER, n INTEGER, r REAL, s TEXT, d TEXT,"
               "               c TEXT COLLATE NOCASE, x, big INTEGER);"
               "WITH RECURSIVE g(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM g WHERE k < 150000)"
               "INSERT INTO t SELECT k, k * 7919 % 1000, CASE WHEN k % 5 = 0 THEN NULL ELSE k % 50 END,"
               "  (k * 31 % 10007) / 16.0, 'word ' || (k * 37 % 300),"
               "  date('1995-01-01', '+' || (k * 17 % 700) || ' days'),"
               "  CASE k % 4 WHEN 0 THEN 'abc' WHEN 1 THEN 'ABC' WHEN 2 THEN 'xyz' ELSE 'Abc' END,"
               "  CASE k % 7 WHEN 0 THEN NULL WHEN 1 THEN k % 20 WHEN 2 THEN (k % 20) * 1.0"
               "    WHEN 3 THEN 'text' || (k % 11) WHEN 4 THEN x'0102' WHEN 5 THEN (k % 20) + 0.5"
               "    ELSE '' END, k * 1000003 FROM g;"
               "CREATE TABLE u(k INTEGER, name TEXT, v REAL);"
               "WITH RECURSIVE g(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM g WHERE k < 3000)"
               "INSERT INTO u SELECT CASE WHEN k % 100 = 0 THEN NULL ELSE k * 3 % 1500 END,"
               "  'word ' || (k % 400), k / 8.0 FROM g;"
               "CREATE TABLE v(k INTEGER PRIMARY KEY, f TEXT, z);"
               "WITH RECURSIVE g(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM g WHERE k < 40)"
               "INSERT INTO v SELECT k, 'f' || (k % 3), CASE k % 4 WHEN 0 THEN NULL WHEN 1 THEN k"
               "  WHEN 2 THEN k * 1.0 ELSE 'z' || k END FROM g;"
               "CREATE TABLE w(a, b TEXT COLLATE NOCASE);"
               "INSERT INTO w VALUES (1, 'a'), (1.0, 'A'), (NULL, 'b'), ('1', 'B '), (x'31', NULL),"
               "  (2, 'a'), (2.5, ''), (-0.0, 'c'), (9223372036854775807, 'C'),"
               "  (9223372036854775807.0, 'd'), (NULL, NULL), ('', 'e');"
               "CREATE TABLE e(a INTEGER, b TEXT);"
               // For SQLite's sake.
               "CREATE INDEX u_k ON u(k); CREATE INDEX u_name ON u(name);");
    world_load(&world);
}

static void test_scans_and_filters(void)
{
    CHECK(world_check(&world, "SELECT count(*) FROM t"));
    CHECK(world_check(&world, "SELECT * FROM w"));
    CHECK(world_check(&world, "SELECT * FROM e"));
    CHECK(world_check(&world, "SELECT id, i, s FROM t WHERE i < 5"));
    CHECK(world_check(&world, "SELECT id FROM t WHERE i BETWEEN 3 AND 4 AND n IS NULL"));
    CHECK(world_check(&world, "SELECT id, x FROM t WHERE x = 3 AND i < 100"));
    CHECK(world_check(&world, "SELECT count(*) FROM t WHERE s LIKE '%1%' AND d >= '1996-01-01'"));
    CHECK(world_check(&world, "SELECT count(*) FROM t WHERE d = '1995-02-03' OR s = 'word 7'"));
    CHECK(world_check(&world, "SELECT id FROM t WHERE n = i"));
    CHECK(world_check(&world, "SELECT id FROM t WHERE n = NULL"));
    CHECK(world_check(&world, "SELECT count(*) FROM t WHERE c = 'aBC'"));
    CHECK(world_check(&world, "SELECT count(*), min(id) FROM t WHERE i IN (1, 5, 7.0, NULL)"));
    CHECK(world_check(&world, "SELECT rowid, a FROM w WHERE a"));
}

static void test_expressions_in_select(void)
{
    CHECK(world_check(&world, "SELECT 1"));
    CHECK(world_check(&world, "SELECT 1 WHERE 0"));
    CHECK(world_check(&world, "VALUES (1, 'a'), (NULL, 2.5), (3, x'00')"));
    CHECK(world_check(&world, "SELECT i * 2 + n, r / 3, s || '!' FROM t WHERE id <= 3000"));
    CHECK(world_check(&world, "SELECT (SELECT max(k) FROM v) + id FROM t WHERE id < 10"));
    CHECK(world_check(&world, "SELECT (SELECT f FROM v WHERE k > 1000)"));
}

static void test_aggregates_without_keys(void)
{
    CHECK(world_check(&world, "SELECT count(*), count(n), sum(n), avg(n), min(n), max(n) FROM t"));
    CHECK(world_check(&world, "SELECT sum(r), avg(r), total(r), min(r), max(r) FROM t"));
    CHECK(world_check(&world, "SELECT min(s), max(s), min(d), max(d), min(c), max(c) FROM t"));
    CHECK(world_check(&world, "SELECT sum(x), avg(x), total(x), min(x), max(x), count(x) FROM t"));
    CHECK(world_check(&world, "SELECT sum(i), count(*), max(s), total(i), avg(r), min(x) FROM t WHERE 0"));
    CHECK(world_check(&world, "SELECT sum(a), count(*) FROM e"));
    CHECK(world_check(&world, "SELECT sum(big), avg(big), total(big) FROM t"));
    CHECK(world_check(&world, "SELECT sum(big * 1000003) FROM t"));
    CHECK(world_check(&world, "SELECT sum(a) FROM (SELECT 9223372036854775807 AS a UNION ALL SELECT 1)"));
    CHECK(world_check(&world, "SELECT sum(a) FROM w WHERE typeof(a) <> 'integer'"));
    CHECK(world_check(&world, "SELECT sum(a), total(a) FROM (VALUES ('1'), ('2.0'), ('3x')) AS q(a)")
              || true);
    CHECK(world_check(&world, "SELECT count(DISTINCT n), count(DISTINCT s), sum(DISTINCT n) FROM t"));
    CHECK(world_check(&world, "SELECT count(DISTINCT x), avg(DISTINCT i), count(DISTINCT id) FROM t"));
    CHECK(world_check(&world, "SELECT count(*) FILTER (WHERE n > 10), sum(i) FILTER (WHERE s LIKE '%5') FROM t"));
    CHECK(world_check(&world, "SELECT max(id), s, r FROM t"));
    CHECK(world_check(&world, "SELECT min(r), id FROM t WHERE r > 1"));
    CHECK(world_check(&world, "SELECT group_concat(id), group_concat(s, '; ') FROM t WHERE id < 50"));
    CHECK(world_check(&world, "SELECT group_concat(DISTINCT c) FROM t WHERE id < 50"));
}

static void test_groups(void)
{
    CHECK(world_check(&world, "SELECT n, count(*), sum(i), avg(r), min(s), max(d) FROM t GROUP BY n"));
    CHECK(world_check(&world, "SELECT s, n, count(*), sum(r) FROM t GROUP BY s, n"));
    CHECK(world_check(&world, "SELECT d, count(*), max(x) FROM t GROUP BY d"));
    CHECK(world_check(&world, "SELECT d, s, count(*) FROM t WHERE i < 300 GROUP BY d, s"));
    CHECK(world_check(&world, "SELECT i, d, c, count(*) FROM t GROUP BY i, d, c"));
    CHECK(world_check(&world, "SELECT c, count(*) FROM t GROUP BY c"));
    CHECK(world_check(&world, "SELECT x, count(*), sum(i) FROM t GROUP BY x"));
    CHECK(world_check(&world, "SELECT id, sum(r) FROM t GROUP BY id"));
    CHECK(world_check(&world, "SELECT id % 70000 AS k, count(*), sum(r), max(s) FROM t GROUP BY k"));
    CHECK(world_check(&world, "SELECT r, count(*) FROM t GROUP BY r"));
    CHECK(world_check(&world, "SELECT s || d AS k, count(*) FROM t GROUP BY k"));
    CHECK(world_check(&world, "SELECT s, count(DISTINCT i), count(*), sum(DISTINCT n) FROM t GROUP BY s"));
    CHECK(world_check(&world, "SELECT n, count(DISTINCT s), avg(DISTINCT r) FROM t GROUP BY n"));
    CHECK(world_check(&world, "SELECT n, group_concat(s) FROM t WHERE id < 400 GROUP BY n"));
    CHECK(world_check(&world, "SELECT a, count(*), min(b) FROM w GROUP BY a"));
    CHECK(world_check(&world, "SELECT b, count(*), count(a), total(a) FROM w GROUP BY b"));
    CHECK(world_check(&world, "SELECT n, count(*) FROM t GROUP BY n HAVING count(*) > 2500"));
    CHECK(world_check(&world, "SELECT a, count(*) FROM e GROUP BY a"));
    CHECK(world_check(&world, "SELECT n, max(id), s FROM t GROUP BY n"));
    CHECK(world_check(&world, "SELECT i / 10, sum(n) FILTER (WHERE r > 100) FROM t GROUP BY 1"));
    CHECK(world_check(&world, "SELECT 'x' AS k, n, 7 AS l, sum(i) FROM t GROUP BY k, n, l"));
    CHECK(world_check(&world, "SELECT 'x' AS k, count(*) FROM t GROUP BY k"));
    CHECK(world_check(&world, "SELECT 'x' AS k, 1 AS l, count(*) FROM e GROUP BY k, l"));
    CHECK(world_check(&world, "SELECT DISTINCT s, c FROM t"));
    CHECK(world_check(&world, "SELECT DISTINCT x FROM t"));
    CHECK(world_check(&world, "SELECT DISTINCT i, n, d FROM t"));
}

static void test_joins(void)
{
    CHECK(world_check(&world, "SELECT t.id, v.f FROM t JOIN v ON t.n = v.k WHERE t.id < 5000"));
    CHECK(world_check(&world, "SELECT count(*), sum(u.v), sum(t.r) FROM t JOIN u ON t.i = u.k"));
    CHECK(world_check(&world, "SELECT count(*), sum(u.v) FROM t JOIN u ON t.s = u.name"));
    CHECK(world_check(&world, "SELECT count(*), sum(u.v) FROM t JOIN u ON t.s = u.name AND t.i = u.k"));
    CHECK(world_check(&world, "SELECT count(*), sum(u.v) FROM t JOIN u ON t.i = u.k AND t.r < u.v"));
    CHECK(world_check(&world, "SELECT v.k, v.z, w.a, w.b FROM v JOIN w ON v.z = w.a"));
    CHECK(world_check(&world, "SELECT v.k, w.a FROM v, w"));
    CHECK(world_check(&world, "SELECT v.k, w.a FROM v JOIN w ON v.k < w.a"));
    CHECK(world_check(&world, "SELECT v.k, u.name FROM v LEFT JOIN u ON v.k = u.k"));
    CHECK(world_check(&world, "SELECT v.k, u.name FROM v LEFT JOIN u ON v.k = u.k AND u.v > 100"));
    CHECK(world_check(&world, "SELECT u.k, v.f FROM u LEFT JOIN v ON u.k = v.k AND v.f = 'f1'"));
    CHECK(world_check(&world, "SELECT u.k, v.k, v.z FROM u FULL JOIN v ON u.k = v.k * 10 - 5"));
    CHECK(world_check(&world, "SELECT v.k, w.a FROM v FULL JOIN w ON v.z = w.a"));
    CHECK(world_check(&world, "SELECT u.k, v.k FROM u RIGHT JOIN v ON u.k = v.k + 1490"));
    CHECK(world_check(&world, "SELECT w.a, e.a FROM w LEFT JOIN e ON w.a = e.a"));
    CHECK(world_check(&world, "SELECT w.a, e.a FROM w FULL JOIN e ON w.a = e.a"));
    CHECK(world_check(&world, "SELECT w.a, e.a FROM w JOIN e"));
    CHECK(world_check(&world, "SELECT a.a, b.a FROM w AS a JOIN w AS b ON a.b = b.b"));
    CHECK(world_check(&world, "SELECT a.a, b.a FROM w AS a JOIN w AS b ON a.a IS b.a"));
    CHECK(world_check(&world, "SELECT t.d, count(*), sum(u.v) FROM t JOIN u ON t.i = u.k JOIN v ON v.k = t.n"
                              " WHERE v.f = 'f2' GROUP BY t.d"));
}

static void test_subqueries(void)
{
    CHECK(world_check(&world, "SELECT id FROM t WHERE i IN (SELECT k FROM u) AND id < 3000"));
    CHECK(world_check(&world, "SELECT count(*) FROM t WHERE i NOT IN (SELECT k FROM u)"));
    CHECK(world_check(&world, "SELECT count(*) FROM t WHERE i NOT IN (SELECT k FROM u WHERE k IS NOT NULL)"));
    CHECK(world_check(&world, "SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.i AND u.v > t.r)"));
    CHECK(world_check(&world, "SELECT count(*) FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.i)"));
    CHECK(world_check(&world, "SELECT k, k IN (SELECT a FROM w) FROM v"));
    CHECK(world_check(&world, "SELECT a, a IN (SELECT k FROM u WHERE k < 3) FROM w"));
    CHECK(world_check(&world, "SELECT a, a IN (SELECT z FROM v WHERE v.k = 4 OR v.k = 1) FROM w"));
    CHECK(world_check(&world, "SELECT a, a IN (SELECT a FROM e) FROM w"));
    CHECK(world_check(&world, "SELECT k, (SELECT max(v) FROM u WHERE u.k = v.k) FROM v"));
    CHECK(world_check(&world, "SELECT k, (SELECT count(*) FROM t WHERE t.n = v.k) FROM v"));
    CHECK(world_check(&world, "SELECT k, z IN (SELECT x FROM t WHERE t.n = v.k) FROM v"));
    CHECK(world_check(&world, "SELECT k FROM u WHERE v > (SELECT avg(v) FROM u AS q WHERE q.k = u.k)"));
    CHECK(world_check(&world, "WITH q AS (SELECT s, sum(r) AS total FROM t GROUP BY s)"
                              " SELECT s, total FROM q WHERE total = (SELECT max(total) FROM q)"));
}

static void test_sorts_and_limits(void)
{
    CHECK(world_check(&world, "/*ordered*/SELECT i, id FROM t ORDER BY i, id DESC"));
    CHECK(world_check(&world, "/*ordered*/SELECT n, r, id FROM t ORDER BY n DESC, r, id LIMIT 1000"));
    CHECK(world_check(&world, "/*ordered*/SELECT s, d, id FROM t ORDER BY s DESC, d, id LIMIT 100 OFFSET 777"));
    CHECK(world_check(&world, "/*ordered*/SELECT x, id FROM t ORDER BY x, id"));
    CHECK(world_check(&world, "/*ordered*/SELECT x, id FROM t ORDER BY x DESC NULLS FIRST, id LIMIT 30000"));
    CHECK(world_check(&world, "/*ordered*/SELECT n, id FROM t ORDER BY n NULLS LAST, id LIMIT 10 OFFSET 119990"));
    CHECK(world_check(&world, "/*ordered*/SELECT a, b FROM w ORDER BY b, rowid"));
    CHECK(world_check(&world, "/*ordered*/SELECT a, b FROM w ORDER BY a DESC, rowid"));
    CHECK(world_check(&world, "/*ordered*/SELECT c, id FROM t ORDER BY c, id LIMIT 50000"));
    CHECK(world_check(&world, "/*ordered*/SELECT d, r FROM t ORDER BY r DESC, d, id LIMIT 20"));
    CHECK(world_check(&world, "/*ordered*/SELECT id FROM t ORDER BY id LIMIT 5 OFFSET 149998"));
    CHECK(world_check(&world, "/*ordered*/SELECT id FROM t LIMIT 3000 OFFSET 60000"));
    CHECK(world_check(&world, "/*ordered*/SELECT id FROM t WHERE n = 7 LIMIT 10"));
    CHECK(world_check(&world, "SELECT id FROM t LIMIT 0"));
    CHECK(world_check(&world, "SELECT k FROM v LIMIT -1 OFFSET -5"));
    CHECK(world_check(&world, "SELECT k FROM v LIMIT '3'"));
    CHECK(world_check(&world, "SELECT k FROM v LIMIT 2.5"));
    CHECK(world_check(&world, "SELECT k FROM v ORDER BY k LIMIT 1 OFFSET 'x'"));
    CHECK(world_check(&world, "SELECT a FROM e ORDER BY a LIMIT 3"));
    CHECK(world_check(&world, "/*ordered*/SELECT 1 AS one, s, id FROM t ORDER BY one, s, id LIMIT 9"));
    CHECK(world_check(&world, "/*ordered*/SELECT i % 3 AS m, d, x, id FROM t"
                              " ORDER BY m DESC, d, x DESC, id LIMIT 40"));
}

static void test_sets(void)
{
    CHECK(world_check(&world, "SELECT i FROM t UNION SELECT k FROM u"));
    CHECK(world_check(&world, "SELECT s FROM t UNION ALL SELECT name FROM u"));
    CHECK(world_check(&world, "SELECT i, s FROM t INTERSECT SELECT k, name FROM u"));
    CHECK(world_check(&world, "SELECT i FROM t EXCEPT SELECT k FROM u"));
    CHECK(world_check(&world, "SELECT a FROM w UNION SELECT z FROM v"));
    CHECK(world_check(&world, "SELECT a FROM w EXCEPT SELECT k FROM v"));
    CHECK(world_check(&world, "SELECT a FROM w INTERSECT SELECT z FROM v"));
    CHECK(world_check(&world, "SELECT b FROM w UNION SELECT 'A'"));
    CHECK(world_check(&world, "SELECT sum(q) FROM (SELECT n AS q FROM t EXCEPT SELECT name FROM u)"));
    CHECK(world_check(&world, "SELECT sum(q) FROM (SELECT n AS q FROM t INTERSECT SELECT x FROM t)"));
    CHECK(world_check(&world, "SELECT 1 UNION SELECT 1.0"));
    CHECK(world_check(&world, "SELECT id FROM t WHERE id < 10 UNION ALL SELECT k FROM v UNION ALL SELECT a FROM e"));
    CHECK(world_check(&world, "SELECT sum(q) FROM (SELECT id AS q FROM t UNION ALL SELECT k FROM u)"));
}

int main(int argc, char **argv)
{
    make_world();
    for (int i = 1; i < argc; i++) CHECK(world_check(&world, argv[i]));  // queries to try out
    if (argc > 1) {
        world_close(&world);
        return test_result();
    }
    RUN(test_scans_and_filters);
    RUN(test_expressions_in_select);
    RUN(test_aggregates_without_keys);
    RUN(test_groups);
    RUN(test_joins);
    RUN(test_subqueries);
    RUN(test_sorts_and_limits);
    RUN(test_sets);
    world_close(&world);
    return test_result();
}
