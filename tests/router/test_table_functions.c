// generate_series, which SQLite has in its shell only, on both engines; and what is left to SQLite.
// What is expected is what the shell of SQLite 3.40 answers.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

static braid *db;

// The one value of the query as text, "" for NULL, on the engine given.
static const char *value_on(braid_engine engine, const char *sql)
{
    static char text[4096];
    braid_result *result = NULL;
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, engine);
    text[0] = 0;
    if (braid_run(statement, &result) == BRAID_OK) {
        braid_value value = braid_value_get(result, 0, 0);
        if (value.type == BRAID_TEXT)
            snprintf(text, sizeof text, "%.*s", (int)value.as.text.size, value.as.text.data);
        if (value.type == BRAID_INTEGER)
            snprintf(text, sizeof text, "%lld", (long long)value.as.integer);
        braid_result_free(result);
    } else {
        snprintf(text, sizeof text, "error: %s", braid_error_message(db));
    }
    braid_statement_close(statement);
    return text;
}

static void check_both(const char *sql, const char *expected)
{
    CHECK_TEXT(value_on(BRAID_ENGINE_OLAP, sql), expected);
    CHECK_TEXT(value_on(BRAID_ENGINE_OLTP, sql), expected);
}

static void test_series_values(void)
{
    check_both("SELECT group_concat(value) FROM generate_series(1, 10, 3)", "1,4,7,10");
    check_both("SELECT group_concat(value) FROM generate_series(-3, -1)", "-3,-2,-1");
    check_both("SELECT group_concat(value) FROM generate_series(1, 10, -3)", "10,7,4,1");
    check_both("SELECT group_concat(value) FROM generate_series(1, 6, -2)", "5,3,1");
    check_both("SELECT group_concat(value) FROM generate_series(10, 1, -1)", "");
    check_both("SELECT group_concat(value) FROM generate_series('2', '5.7')", "2,3,4,5");
    check_both("SELECT group_concat(value) FROM generate_series(1, 3, 0)", "1,2,3");
    check_both("SELECT group_concat(value) FROM generate_series(1, NULL)", "");
    check_both("SELECT group_concat(value) FROM (SELECT value FROM generate_series(5) LIMIT 3)",
               "5,6,7");
    check_both("SELECT group_concat(value || ':' || start || ':' || stop || ':' || step || ':' "
               "|| rowid) FROM generate_series(1, 5, 2)",
               "1:1:5:2:1,3:1:5:2:2,5:1:5:2:3");
    check_both("SELECT count(*) || ' ' || sum(value) FROM generate_series(1, 100000)",
               "100000 5000050000");
    check_both("SELECT group_concat(value) FROM "
               "generate_series(9223372036854775806, 9223372036854775807)",
               "9223372036854775806,9223372036854775807");
}

static void test_series_over_columns(void)
{
    check_both("SELECT group_concat(id || '-' || value) FROM t, generate_series(1, t.id)",
               "1-1,2-1,2-2,3-1,3-2,3-3");
    check_both("SELECT count(*) || ' ' || sum(value) FROM t JOIN generate_series(t.id, 5000) g "
               "ON g.value % 7 = t.id", "2144 5359644");
    check_both("SELECT group_concat(x) FROM (SELECT id || '-' || coalesce(value, '') AS x FROM t "
               "LEFT JOIN generate_series(2, t.id) ORDER BY 1)", "1-,2-2,3-2,3-3");
    check_both("SELECT group_concat(x) FROM (SELECT id || '-' || coalesce(value, '') AS x FROM t "
               "LEFT JOIN generate_series(1, t.id) g ON g.value = 2 OR t.id = 1 ORDER BY 1)",
               "1-1,2-2,3-2");
    check_both("SELECT group_concat(a.value || b.value) FROM generate_series(1, 3) a, "
               "generate_series(a.value, 3) b", "11,12,13,22,23,33");
    check_both("SELECT group_concat(n) FROM (SELECT (SELECT sum(value) FROM "
               "generate_series(1, t.id)) AS n FROM t)", "1,3,6");
    check_both("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT value FROM c, "
               "generate_series(c.x + 1, c.x + 2) WHERE c.x < 8) SELECT count(*) || ' ' || sum(x) "
               "FROM c", "67 470");
    check_both("SELECT json_group_array(value) FROM json_each('[1,[2]]')", "[1,[2]]");
}

static void test_series_wrong_calls(void)
{
    check_both("SELECT value FROM generate_series(1, 2, 3, 4)",
               "error: too many arguments on generate_series() - max 3");
    check_both("SELECT value FROM generate_series()",
               "error: first argument to \"generate_series()\" missing or unusable");
}

// Never "not supported": SQLite answers what does not run natively.
static void test_table_functions_left_to_sqlite(void)
{
    static const char *const queries[][2] = {
        {"SELECT count(*) FROM generate_series WHERE start = 4294967295 AND step = 2", "1"},
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        CHECK_TEXT(value_on(BRAID_ENGINE_AUTO, queries[i][0]), queries[i][1]);
        CHECK(strncmp(value_on(BRAID_ENGINE_OLAP, queries[i][0]), "error", 5) == 0);
    }
}

int main(void)
{
    support_begin();
    db = support_open("functions.db");
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1), (2), (3)");
    RUN(test_series_values);
    RUN(test_series_over_columns);
    RUN(test_series_wrong_calls);
    RUN(test_table_functions_left_to_sqlite);
    CHECK_INT(braid_close(db), BRAID_OK);
    return support_end();
}
