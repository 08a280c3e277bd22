// test_recursive.c - WITH RECURSIVE against SQLite: shapes of steps, queue orders, ends.
//
// Random recursions carry a counter in column n, so that they end; `test_recursive SEED ROUNDS`.
// SPDX-License-Identifier: Apache-2.0
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "tests/exec/support_query.h"
#include "tests/test.h"

static query_world world;
static uint64_t random_state;

static void make_world(void)
{
    world_open(&world);
    world_exec(&world,
               "CREATE TABLE edge(a INTEGER, b INTEGER);"
               "CREATE TABLE item(id INTEGER PRIMARY KEY, parent, name TEXT COLLATE NOCASE, cost);"
               "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 3000)"
               "INSERT INTO edge SELECT i * 7919 % 1000, (i * 104729 + i / 3) % 1000 FROM g;"
               "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 400)"
               "INSERT INTO item SELECT i, CASE WHEN i > 1 THEN i / 3 + (i < 3) END, 'n' || (i % 90),"
               "  CASE WHEN i % 9 = 0 THEN NULL WHEN i % 5 = 0 THEN i * 0.5 ELSE i % 40 END FROM g;");
    world_load(&world);
}

// ---- shapes ----------------------------------------------------------------------------------

static const char *const queries[] = {
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000)"
    " SELECT count(*), sum(x), min(x), max(x) FROM c",
    // All that can be reached, the step's hash table built once.
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT b FROM edge, r WHERE a = n) SELECT n FROM r",
    "WITH RECURSIVE r(n, d) AS (SELECT 1, 0 UNION SELECT b, d + 1 FROM r JOIN edge ON a = n"
    " WHERE d < 4) SELECT d, count(*), sum(n) FROM r GROUP BY d",
    "WITH RECURSIVE p(id, total) AS (SELECT id, cost FROM item WHERE parent IS NULL UNION ALL"
    " SELECT item.id, total + item.cost FROM p JOIN item ON item.parent = p.id)"
    " SELECT id, total FROM p",
    // Subqueries in the step, correlated or not.
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c"
    " WHERE EXISTS (SELECT 1 FROM item WHERE parent = c.x)) SELECT x FROM c",
    "WITH RECURSIVE c(x, y) AS (SELECT 1, 0 UNION ALL SELECT x + 1,"
    " (SELECT count(*) FROM item WHERE parent = c.x) FROM c WHERE x < 150) SELECT x, y FROM c",
    "WITH RECURSIVE c(x, y) AS (SELECT 1, 0 UNION ALL SELECT x + 1,"
    " (SELECT max(cost) FROM item WHERE id < c.x) FROM c"
    " WHERE x < (SELECT count(*) FROM item) / 4) SELECT x, y FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT b FROM c, edge WHERE a = x"
    " AND b NOT IN (SELECT parent FROM item WHERE parent IS NOT NULL)) SELECT x FROM c",
    // One row at a time: the other side of an outer join, DISTINCT.
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT item.id FROM item LEFT JOIN c"
    " ON item.parent = c.x WHERE item.id BETWEEN 3 AND 5 AND (c.x IS NULL OR c.x > 0)"
    " LIMIT 50) SELECT count(*) FROM c",
    "WITH RECURSIVE c(x, s) AS (SELECT 1, 'a' UNION ALL SELECT DISTINCT x + v, s || v FROM c,"
    " (SELECT 1 AS v UNION ALL SELECT 1 UNION ALL SELECT 2) WHERE x < 9) SELECT x, s FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LEFT JOIN edge"
    " ON a = x AND b < 50 WHERE x < 12) SELECT x, count(*) FROM c GROUP BY x",
    // Several terms, several first rows.
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT 10 UNION ALL SELECT x + 1 FROM c"
    " WHERE x < 30 UNION ALL SELECT x * 2 FROM c WHERE x < 30) SELECT x, count(*) FROM c GROUP BY x",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT 10 EXCEPT SELECT 1 UNION ALL SELECT x + 1 FROM c"
    " WHERE x < 20) SELECT x FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT x * 1.0 FROM c UNION SELECT x + 1 FROM c"
    " WHERE x < 9) SELECT x, typeof(x) FROM c",
    // Classes that come in later.
    "WITH RECURSIVE c(x) AS (SELECT NULL UNION ALL SELECT CASE typeof(x) WHEN 'null' THEN 1"
    " WHEN 'integer' THEN 2.5 WHEN 'real' THEN 'abc' WHEN 'text' THEN x'00' END FROM c"
    " WHERE typeof(x) <> 'blob') SELECT x, typeof(x) FROM c",
    "WITH RECURSIVE c(x, y) AS (SELECT 9223372036854775800, 1 UNION ALL SELECT x + 3, y + 1 FROM c"
    " WHERE y < 9) SELECT x, typeof(x) FROM c",
    "WITH RECURSIVE d(day) AS (SELECT date('2023-12-20') UNION ALL SELECT date(day, '+1 day')"
    " FROM d WHERE day < '2024-03-05') SELECT day FROM d",
    "WITH RECURSIVE w(s, rest) AS (SELECT '', 'ab,c,,def,' UNION ALL SELECT"
    " substr(rest, 1, instr(rest, ',') - 1), substr(rest, instr(rest, ',') + 1) FROM w"
    " WHERE rest <> '') SELECT s FROM w",
    "WITH RECURSIVE c(x) AS (SELECT name FROM item WHERE id = 7 UNION SELECT upper(x) FROM c"
    " UNION SELECT lower(x) || 'z' FROM c WHERE length(x) < 5) SELECT lower(x) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT name FROM item WHERE id = 7 UNION SELECT upper(x) FROM c)"
    " SELECT x FROM c WHERE x = 'N7'",
    "WITH RECURSIVE c(x) AS (SELECT 'a' || '' UNION ALL SELECT (x || 'b') COLLATE NOCASE FROM c"
    " WHERE length(x) < 4) SELECT x FROM c WHERE x < 'AB'",
    // Used twice, nested, in subqueries.
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100)"
    " SELECT a.x, b.x FROM c a JOIN c b ON a.x = b.x * 2",
    "WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a WHERE x < 5),"
    " b(y) AS (SELECT 100 UNION ALL SELECT y + a.x FROM b, a WHERE y < 108) SELECT y FROM b",
    "WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a WHERE x < 6), b(y, z) AS"
    " (SELECT 1, 'k' UNION ALL SELECT y + 1, z || (SELECT count(*) FROM a p, a q WHERE p.x < q.x)"
    " FROM b WHERE y < 4) SELECT y, z FROM b",
    "SELECT id FROM item WHERE id IN (WITH RECURSIVE c(x) AS (SELECT 2 UNION ALL SELECT x * 2 FROM c"
    " WHERE x < 300) SELECT x FROM c)",
    // Correlated: run anew for each row outside.
    "SELECT id, (WITH RECURSIVE p(i, b) AS (SELECT item.id, item.parent UNION ALL"
    " SELECT e.id, e.parent FROM item e JOIN p ON e.id = p.b) SELECT count(*) FROM p) FROM item"
    " WHERE id % 20 = 3",
    "SELECT id FROM item WHERE id < 60 AND EXISTS (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL"
    " SELECT x * 3 FROM c WHERE x < item.id) SELECT 1 FROM c WHERE x = item.id)",
    // Ends that whoever reads the rows decides.
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c LIMIT 5000",
    "WITH RECURSIVE c(x) AS (SELECT 'ab' UNION ALL SELECT x || x FROM c) SELECT length(x) FROM c"
    " LIMIT 20",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5 OFFSET 3)"
    " SELECT x FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 0) SELECT x FROM c",
    "SELECT (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
    " WHERE x > 7000)",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT 10 UNION ALL SELECT x + 1 FROM c WHERE x < 50"
    " UNION ALL SELECT x * 2 FROM c WHERE x < 50 LIMIT 13) SELECT x FROM c",
    // The order of the queue.
    "/*ordered*/ WITH RECURSIVE u(id, d) AS (SELECT 1, 0 UNION ALL SELECT item.id, d + 1 FROM u"
    " JOIN item ON parent = u.id ORDER BY 2 DESC, 1) SELECT id, d FROM u",
    "/*ordered*/ WITH RECURSIVE u(id, d) AS (SELECT 1, 0 UNION ALL SELECT item.id, d + 1 FROM u"
    " JOIN item ON parent = u.id ORDER BY 2, 1 DESC LIMIT 200 OFFSET 7) SELECT id, d FROM u",
    "/*ordered*/ WITH RECURSIVE c(x) AS (SELECT 5 UNION ALL SELECT 3 UNION ALL SELECT NULL UNION ALL"
    " SELECT x - 2 FROM c WHERE x > 0 ORDER BY 1 NULLS LAST) SELECT x FROM c",
    "/*ordered*/ WITH RECURSIVE c(s) AS (SELECT name FROM item WHERE id < 9 UNION ALL"
    " SELECT upper(s) || 'x' FROM c WHERE length(s) < 6 ORDER BY 1 COLLATE BINARY DESC)"
    " SELECT s FROM c",
};

static void test_recursive_shapes(void)
{
    for (uint32_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        world.optimize = true;
        CHECK(world_check(&world, queries[i]));
        world.optimize = false;
        CHECK(world_check(&world, queries[i]));
    }
    world.optimize = true;
}

// ---- random ----------------------------------------------------------------------------------

static uint32_t pick(uint32_t count)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % count;
}

static const char *one_of(const char *const *list, uint32_t count) { return list[pick(count)]; }
#define ONE_OF(list) one_of((list), sizeof(list) / sizeof *(list))

static const char *const first_values[] = {"1", "0", "NULL", "2.5", "'x'", "'12'", "x'01'", "-7"};
static const char *const next_values[] = {
    "v", "v + 1", "v * 2", "v || n", "NULL", "n * 0.5", "coalesce(v, n)", "abs(n - 3)",
    "CASE WHEN n % 3 = 0 THEN v ELSE n END", "CAST(v AS TEXT)", "typeof(v)", "-v", "n % 4",
};
static const char *const joined_values[] = {"e.b", "e.a + n", "v", "coalesce(v, e.b)", "e.b % 7"};
static const char *const conditions[] = {"", " AND v IS NOT NULL", " AND n % 2 = 0", " AND v > 0",
                                         " AND typeof(v) <> 'text'"};
static const char *const results[] = {"n, v, typeof(v)", "count(*), sum(n), max(v)",
                                      "DISTINCT v", "n, count(*)"};

static void random_query(char *sql)
{
    bool is_union = pick(2), is_ordered = pick(3) == 0, joins = pick(2);
    int size = sprintf(sql, "WITH RECURSIVE c(n, v) AS (SELECT 0, %s", ONE_OF(first_values));
    if (pick(3) == 0)
        size += sprintf(sql + size, " UNION ALL SELECT 1, %s", ONE_OF(first_values));
    for (uint32_t i = 0, terms = 1 + pick(2); i < terms; i++) {
        size += sprintf(sql + size, " UNION %s SELECT n + %u, ", is_union ? "" : "ALL", 1 + pick(2));
        bool here = joins && i == 0;
        size += sprintf(sql + size, "%s FROM ", here ? ONE_OF(joined_values) : ONE_OF(next_values));
        if (here)
            size += sprintf(sql + size, "%s WHERE e.a < 150 AND n < %u",
                            pick(2) ? "c JOIN edge e ON e.a = c.n * 9" : "edge e JOIN c ON e.a = v",
                            2 + pick(2));
        else
            size += sprintf(sql + size, "c WHERE n < %u%s", 3 + pick(5), ONE_OF(conditions));
    }
    if (is_ordered) size += sprintf(sql + size, " ORDER BY 1%s, 2", pick(2) ? " DESC" : "");
    if (is_ordered && pick(2)) size += sprintf(sql + size, " LIMIT %u", pick(60));
    const char *result = ONE_OF(results);
    size += sprintf(sql + size, ") SELECT %s FROM c", result);
    if (strcmp(result, "n, count(*)") == 0) sprintf(sql + size, " GROUP BY n");
}

static void test_recursive_random(uint64_t seed, uint32_t rounds)
{
    char sql[2000];
    for (uint32_t i = 0; i < rounds; i++) {
        random_state = seed * 1000003 + i;
        for (uint32_t k = 0; k < 4; k++) (void)pick(2);
        random_query(sql);
        world.optimize = i % 4 != 0;
        CHECK(world_check(&world, sql));
    }
    world.optimize = true;
}

// ---- ends ------------------------------------------------------------------------------------

static const char *const endless[] = {
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c ORDER BY 1) SELECT sum(x) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT DISTINCT x + 1 FROM c) SELECT max(x) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT b FROM c, edge) SELECT x FROM c WHERE x < 0",
};

static void test_recursive_endless_ends_by_deadline(void)
{
    for (uint32_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        br_error err = {0};
        br_result *result = NULL;
        world.deadline_ns = br_clock_ns() + 20000000;
        CHECK_INT(world_run(&world, endless[i], 1, br_cpu_isa_best(), &result, &err),
                  BR_INTERRUPTED);
        CHECK_INT(atomic_load(&world.query_quota.used_bytes), 0);
    }
    world.deadline_ns = 0;
}

// Those that keep all rows end by the quota; a queue that stays short never takes more.
static void test_recursive_endless_ends_by_quota(void)
{
    for (uint32_t i = 1; i < sizeof endless / sizeof *endless; i++) {
        if (i == 3) continue;
        br_error err = {0};
        br_result *result = NULL;
        world.memory_limit = 3000000;
        CHECK_INT(world_run(&world, endless[i], 1, br_cpu_isa_best(), &result, &err), BR_NOMEM);
        CHECK(strstr(err.message, "query memory limit of 3000000 bytes reached") != NULL);
        CHECK_INT(atomic_load(&world.query_quota.used_bytes), 0);
    }
    CHECK(world_check(&world, queries[0]));
    world.memory_limit = 0;
}

int main(int count, char **arguments)
{
    uint64_t seed = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint32_t rounds = count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 150;
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    make_world();
    RUN(test_recursive_shapes);
    test_recursive_random(seed, rounds);
    RUN(test_recursive_endless_ends_by_deadline);
    RUN(test_recursive_endless_ends_by_quota);
    world_close(&world);
    return test_result();
}
