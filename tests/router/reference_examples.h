// reference_examples.h - one example per construct of SQL, for docs/sql_reference.md.
//
// Results have one order, so that both engines have to give the same rows.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_ROUTER_REFERENCE_EXAMPLES_H
#define BR_TESTS_ROUTER_REFERENCE_EXAMPLES_H

static const char *const reference_tables =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT COLLATE NOCASE, c REAL, j TEXT);"
    "INSERT INTO t VALUES(1, 5, 'x', 0.5, '{\"k\":[1,2]}'), (2, 7, 'X', 1.5, '[3]'),"
    " (3, NULL, 'y', -2.0, NULL), (4, 5, NULL, 1e3, '\"s\"');"
    "CREATE TABLE u(t_id INT, v TEXT, d TEXT);"
    "INSERT INTO u VALUES(1, 'one', '2024-02-29'), (1, 'uno', '2024-03-01'), (3, 'three', NULL),"
    " (9, 'nine', '2023-12-31 23:59:59');"
    "CREATE VIEW w(n, m) AS SELECT a, count(*) FROM t GROUP BY a;"
    "CREATE TABLE k(x TEXT PRIMARY KEY, y) WITHOUT ROWID; INSERT INTO k VALUES('p', 1), ('q', 2)";

typedef struct reference_example {
    const char *construct, *sql;  // sql NULL: a heading
} reference_example;

static const reference_example reference_examples[] = {
    {"Expressions", NULL},
    {"literals", "SELECT 1, 0x1F, 1.5e3, 'it''s', x'00FF', NULL, TRUE, FALSE"},
    {"arithmetic and bits", "SELECT 7 / 2, 7 % 4, -7, 7.0 / 2, 6 & 3, 6 | 3, ~6, 1 << 3, 256 >> 2"},
    {"integers that overflow", "SELECT 9223372036854775807 + id FROM t WHERE id = 1"},
    {"concatenation", "SELECT b || '-' || a FROM t WHERE id = 1"},
    {"comparison, affinity", "SELECT '5' = 5, a = '5', b < 3 FROM t WHERE id = 1"},
    {"IS, IS NOT, IS DISTINCT FROM",
     "SELECT a IS NULL, a IS NOT 5, a IS NOT DISTINCT FROM NULL FROM t ORDER BY id"},
    {"BETWEEN", "SELECT id FROM t WHERE c BETWEEN 0 AND 2 ORDER BY id"},
    {"IN with a list", "SELECT id FROM t WHERE a IN (5, 9) ORDER BY id"},
    {"IN with a subquery", "SELECT id FROM t WHERE id IN (SELECT t_id FROM u) ORDER BY id"},
    {"IN with a table", "SELECT ('p', 1) IN k, ('p', 2) NOT IN k"},
    {"LIKE with ESCAPE", "SELECT 'a_b' LIKE 'A!_%' ESCAPE '!'"},
    {"GLOB", "SELECT 'abc' GLOB 'a[b-d]*'"},
    {"REGEXP", "SELECT 'abc' REGEXP '^a.c$'"},
    {"CASE", "SELECT CASE a WHEN 5 THEN 'five' ELSE 'other' END FROM t ORDER BY id"},
    {"CAST", "SELECT CAST('12x' AS INTEGER), CAST(1.5 AS TEXT), CAST('1e2' AS NUMERIC)"},
    {"COLLATE", "SELECT id FROM t WHERE b COLLATE BINARY = 'x' ORDER BY id"},
    {"row values", "SELECT id FROM t WHERE (a, b) >= (5, 'x') ORDER BY id"},
    {"JSON operators", "SELECT j -> 'k', j ->> '$.k[1]' FROM t WHERE id = 1"},
    {"JSON in JSON", "SELECT json_object('list', json_array(1, json('[2]')))"},
    {"date and time", "SELECT date(d, '+1 month', 'start of month'), strftime('%H', d) FROM u"},
    {"rowid", "SELECT rowid, _rowid_ FROM u ORDER BY rowid"},
    {"Clauses", NULL},
    {"DISTINCT", "SELECT DISTINCT a FROM t ORDER BY a"},
    {"GROUP BY, HAVING", "SELECT a, count(*) FROM t GROUP BY a HAVING count(*) > 1"},
    {"GROUP BY an expression, an alias, a number",
     "SELECT a % 2 AS odd, c > 0, sum(c) FROM t GROUP BY odd, 2 ORDER BY 1, 2"},
    {"HAVING without GROUP BY", "SELECT count(*) FROM t HAVING count(*) > 3"},
    {"bare columns beside min() or max()", "SELECT id, max(c) FROM t"},
    {"the same with FILTER", "SELECT id, max(c) FILTER (WHERE a = 5 AND c < 9) FROM t"},
    {"DISTINCT in an aggregate", "SELECT count(DISTINCT a), group_concat(DISTINCT a) FROM t"},
    {"FILTER", "SELECT count(*) FILTER (WHERE a = 5), sum(a) FILTER (WHERE c > 0) FROM t"},
    {"ORDER BY in an aggregate", "SELECT group_concat(id ORDER BY c DESC) FROM t"},
    {"ORDER BY with NULLS FIRST, NULLS LAST", "SELECT id FROM t ORDER BY a DESC NULLS FIRST, c"},
    {"LIMIT and OFFSET", "SELECT id FROM t ORDER BY id LIMIT 2 OFFSET (SELECT 1)"},
    {"VALUES", "VALUES(1, 'a'), (2, 'b')"},
    {"GROUP BY ROLLUP, CUBE, GROUPING SETS",
     "SELECT a, b, count(*), grouping(b) FROM t GROUP BY ROLLUP(a, b) ORDER BY ALL"},
    {"QUALIFY", "SELECT id FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY c) = 1 ORDER BY id"},
    {"Sources", NULL},
    {"FOR SYSTEM_TIME AS OF", "SELECT x, y FROM k FOR SYSTEM_TIME AS OF 'now' ORDER BY x"},
    {"FOR SYSTEM_TIME BETWEEN, FROM TO",
     "SELECT x, y FROM k FOR SYSTEM_TIME BETWEEN '2020-01-01' AND 'now' ORDER BY 1, 2"},
    {"FOR SYSTEM_TIME ALL",
     "SELECT x, y, _braid_operation, _braid_valid_to IS NULL FROM k FOR SYSTEM_TIME ALL ORDER BY 1, 2"},
    {"braid_changes()", "SELECT operation, x, y FROM braid_changes('k', 2) ORDER BY seq"},
    {"comma, CROSS and INNER JOIN", "SELECT count(*) FROM t, u CROSS JOIN k JOIN t AS s ON s.id = u.t_id"},
    {"LEFT JOIN", "SELECT id, v FROM t LEFT JOIN u ON t_id = id ORDER BY 1, 2"},
    {"RIGHT JOIN", "SELECT id, v FROM t RIGHT JOIN u ON t_id = id ORDER BY v"},
    {"FULL JOIN", "SELECT id, v FROM t FULL JOIN u ON t_id = id ORDER BY id, v"},
    {"USING and NATURAL", "SELECT count(*) FROM t JOIN t AS s USING (id, a) NATURAL JOIN t AS r"},
    {"ON with any condition", "SELECT count(*) FROM t JOIN u ON t.id < u.t_id AND v LIKE '%e'"},
    {"ON that names a table behind, beside an outer join",
     "SELECT count(*) FROM t JOIN u ON k.y = t.id LEFT JOIN k ON k.y = u.t_id"},
    {"joins in parentheses", "SELECT count(*) FROM t LEFT JOIN (u JOIN k ON k.y = u.t_id) ON t_id = id"},
    {"INDEXED BY, NOT INDEXED", "SELECT count(*) FROM t NOT INDEXED"},
    {"subquery in FROM", "SELECT max(n) FROM (SELECT count(*) AS n FROM t GROUP BY a)"},
    {"views", "SELECT n, m FROM w ORDER BY n"},
    {"WITH", "WITH x(n) AS (SELECT a FROM t) SELECT count(*), sum(n) FROM x"},
    {"WITH ... AS [NOT] MATERIALIZED",
     "WITH x AS MATERIALIZED (SELECT a FROM t) SELECT count(*) FROM x JOIN x AS y USING (a)"},
    {"WITH RECURSIVE",
     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n"},
    {"WITH RECURSIVE with UNION, ORDER BY and LIMIT",
     "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i * 2 % 11 FROM n ORDER BY 1 DESC LIMIT 6) "
     "SELECT i FROM n"},
    {"json_each, json_tree", "SELECT t.id, e.value FROM t, json_each(t.j) AS e ORDER BY 1, 2"},
    {"generate_series", "SELECT sum(value) FROM generate_series(1, 100, 3)"},
    {"pragma functions", "SELECT name, type FROM pragma_table_info('t') ORDER BY cid"},
    {"sqlite_schema", "SELECT name FROM sqlite_schema WHERE type = 'view'"},
    {"WITHOUT ROWID tables", "SELECT x, y FROM k ORDER BY x"},
    {"Subqueries", NULL},
    {"scalar", "SELECT (SELECT max(c) FROM t), id FROM t ORDER BY id"},
    {"correlated", "SELECT id, (SELECT count(*) FROM u WHERE t_id = id) FROM t ORDER BY id"},
    {"correlated, with ORDER BY and LIMIT",
     "SELECT id, (SELECT v FROM u WHERE t_id = id ORDER BY v DESC LIMIT 1) FROM t ORDER BY id"},
    {"EXISTS, NOT EXISTS", "SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE t_id = id) ORDER BY id"},
    {"with row values", "SELECT id FROM t WHERE (id, 'one') IN (SELECT t_id, v FROM u)"},
    {"in ON, ORDER BY, LIMIT",
     "SELECT id FROM t LEFT JOIN u ON t_id = (SELECT min(y) FROM k WHERE y = id) "
     "ORDER BY (SELECT count(*) FROM u WHERE t_id = id), id LIMIT (SELECT 2)"},
    {"over both sides in ON of a FULL JOIN",
     "SELECT count(*) FROM t FULL JOIN u ON (SELECT y FROM k WHERE y = id + t_id) = 2"},
    {"Compounds", NULL},
    {"UNION ALL", "SELECT a FROM t UNION ALL SELECT t_id FROM u ORDER BY 1"},
    {"UNION, INTERSECT, EXCEPT",
     "SELECT id FROM t UNION SELECT 9 INTERSECT SELECT t_id FROM u EXCEPT SELECT 3 ORDER BY 1"},
    {"Windows", NULL},
    {"ranks", "SELECT id, rank() OVER (ORDER BY a), ntile(2) OVER (ORDER BY id) FROM t ORDER BY id"},
    {"lag, lead, first_value, last_value, nth_value",
     "SELECT lag(id) OVER o, lead(id, 2, 0) OVER o, nth_value(id, 2) OVER o FROM t WINDOW o AS (ORDER BY id)"},
    {"aggregates over frames",
     "SELECT sum(c) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t ORDER BY id"},
    {"RANGE and GROUPS frames",
     "SELECT count(*) OVER (ORDER BY a RANGE 2 PRECEDING), count(*) OVER (ORDER BY a GROUPS CURRENT ROW) "
     "FROM t ORDER BY id"},
    {"EXCLUDE, FILTER",
     "SELECT count(*) FILTER (WHERE a = 5) OVER (ORDER BY id ROWS 2 PRECEDING EXCLUDE CURRENT ROW) "
     "FROM t ORDER BY id"},
    {"named windows and bases",
     "SELECT sum(id) OVER (p ORDER BY id) FROM t WINDOW p AS (PARTITION BY a) ORDER BY id"},
    {"JSON over windows", "SELECT json_group_array(id) OVER (ORDER BY id) FROM t ORDER BY id"},
    {"over groups", "SELECT a, rank() OVER (ORDER BY count(*)) FROM t GROUP BY a ORDER BY a"},
};

#endif
