// The aggregates that Braid adds, and SQLite's JSON ones: both engines give the same.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

static const char *const queries[] = {
    "SELECT g, json_group_array(s), json_group_object(h, y) FROM t GROUP BY g ORDER BY g",
    "SELECT json_group_array(x) FROM t WHERE typeof(x) <> 'blob'",
    "SELECT json_group_array(x) FROM t WHERE typeof(x) = 'blob'",
    "SELECT json_group_array(x), json_group_object(x, g) FROM t WHERE g = 99",
    "SELECT g, json_group_object(x, s) FROM t GROUP BY g ORDER BY g",
    "SELECT json_group_array(DISTINCT s) FROM t WHERE id < 50",
    "SELECT json_group_array(json_array(g, s)) FROM t WHERE g < 2",
    "SELECT g, json_group_array(json_object('a', s)) FILTER (WHERE y > 50) FROM t GROUP BY g"
    " ORDER BY g",
    "SELECT id, (SELECT json_group_array(s) FROM t b WHERE b.g = a.g AND b.id < 30) FROM t a"
    " WHERE id < 20 ORDER BY id",
    "SELECT id, (SELECT json_group_object(s, y) FROM t b WHERE b.g = a.g AND b.id < 9) FROM t a"
    " WHERE id < 20 ORDER BY id",
    "SELECT median(y), quantile(y, 0.25), quantile(y, 0), quantile(y, 1) FROM t",
    "SELECT stddev(y), stddev_samp(y), stddev_pop(y), variance(y), var_samp(y), var_pop(y) FROM t",
    "SELECT g, median(y), stddev(y), var_pop(x) FROM t WHERE typeof(x) <> 'blob' GROUP BY g"
    " ORDER BY g",
    "SELECT median(x), stddev(x), stddev_pop(x), approx_count_distinct(x) FROM t WHERE g = 99",
    "SELECT median(x), stddev(x), stddev_pop(x), approx_count_distinct(x) FROM t WHERE id = 1",
    "SELECT g, median(DISTINCT g), median(DISTINCT length(s)), stddev(DISTINCT length(s)) FROM t"
    " GROUP BY g ORDER BY g",
    "SELECT g, stddev(y) FILTER (WHERE y > 99), median(y) FILTER (WHERE y < 3) FROM t GROUP BY g"
    " ORDER BY g",
    "SELECT g, approx_count_distinct(x), approx_count_distinct(h) FROM t GROUP BY g ORDER BY g",
    "SELECT string_agg(s, '-'), string_agg(x, s) FROM t WHERE id < 20",
    "SELECT quantile(y, 1.5) FROM t",
    "SELECT quantile(y, NULL) FROM t",
    "SELECT median() FROM t",
    "SELECT quantile(y) FROM t",
    "SELECT approx_count_distinct(*) FROM t",
    "SELECT string_agg(s) FROM t",
    "SELECT json_group_object(s) FROM t",
    "SELECT median(y) OVER () FROM t",
    "SELECT sum(median(y)) FROM t",
    "SELECT g FROM t WHERE median(y) > 1",
};

static braid *open_with_rows(void)
{
    braid *db = support_open("aggregates.db");
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, g INT, h TEXT COLLATE NOCASE, x,"
                     " y REAL, s TEXT);"
                     "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c LIMIT 3000)"
                     " INSERT INTO t SELECT i, nullif(i * 7 % 21, 20), char(65 + i % 40),"
                     " CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN i % 50 WHEN 2 THEN i / 8.0"
                     "  WHEN 3 THEN 'text' || i % 5 WHEN 4 THEN '12' WHEN 5 THEN x'00ff41'"
                     "  WHEN 6 THEN 'a\"\\' || char(10, 1, 233) WHEN 7 THEN -2.5 ELSE 1.0 END,"
                     " i * 7919 % 10007 / 100.0, CASE i % 4 WHEN 0 THEN NULL ELSE 's' || i % 6 END"
                     " FROM c");
    return db;
}

static braid_result *run(braid *db, const char *sql, int engine, char message_out[300])
{
    braid_result *result = NULL;
    braid_statement *statement = NULL;
    message_out[0] = '\0';
    if (braid_prepare(db, sql, &statement, NULL) == BRAID_OK) {
        braid_statement_set_engine(statement, engine);
        if (braid_run(statement, &result) == BRAID_OK)
            CHECK_INT(support_info(result).engine, engine);
    }
    if (result == NULL) snprintf(message_out, 300, "%s", braid_error_message(db));
    braid_statement_close(statement);
    return result;
}

static bool same_value(braid_value left, braid_value right)
{
    if (left.type != right.type) return false;
    switch (left.type) {
    case BRAID_INTEGER: return left.as.integer == right.as.integer;
    case BRAID_REAL: {
        double a = left.as.real, b = right.as.real;
        return a == b || fabs(a - b) <= 1e-11 * fmax(fabs(a), fabs(b));
    }
    case BRAID_NULL: return true;
    default:
        return left.as.text.size == right.as.text.size &&
               memcmp(left.as.text.data, right.as.text.data, left.as.text.size) == 0;
    }
}

static void compare_rows(const char *sql, const braid_result *left, const braid_result *right)
{
    CHECK_INT(braid_row_count(left), braid_row_count(right));
    CHECK_INT(braid_column_count(left), braid_column_count(right));
    for (uint64_t row = 0; row < braid_row_count(left); row++) {
        for (uint32_t column = 0; column < braid_column_count(left); column++) {
            bool same = same_value(braid_value_get(left, row, column),
                                   braid_value_get(right, row, column));
            if (!same) fprintf(stderr, "%s: row %d, column %u\n", sql, (int)row, column);
            CHECK(same);
        }
    }
}

static void test_both_engines_agree(void)
{
    braid *db = open_with_rows();
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        char message[300], expected_message[300];
        braid_result *result = run(db, queries[i], BRAID_ENGINE_OLAP, message);
        braid_result *expected = run(db, queries[i], BRAID_ENGINE_OLTP, expected_message);
        CHECK_TEXT(message, expected_message);
        if (result != NULL && expected != NULL) compare_rows(queries[i], result, expected);
        braid_result_free(result);
        braid_result_free(expected);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void check_text(braid *db, const char *sql, const char *expected)
{
    braid_result *result = support_query(db, sql);
    braid_value value = braid_value_get(result, 0, 0);
    char text[300] = "NULL";
    if (value.type == BRAID_TEXT)
        snprintf(text, sizeof text, "%.*s", (int)value.as.text.size, value.as.text.data);
    CHECK_TEXT(text, expected);
    braid_result_free(result);
}

// ORDER BY inside an aggregate is newer than the oldest SQLite that we run with.
static void test_order_inside(void)
{
    braid *db = support_open("order.db");
    support_exec(db, "CREATE TABLE t(a INT, b TEXT COLLATE NOCASE);"
                     "INSERT INTO t VALUES(3, 'x'), (1, 'B'), (NULL, 'a'), (2, 'c'), (2, 'A')");
    check_text(db, "SELECT group_concat(b ORDER BY a) FROM t", "a,B,c,A,x");
    check_text(db, "SELECT group_concat(b, '' ORDER BY a DESC, b) FROM t", "xAcBa");
    check_text(db, "SELECT group_concat(b, '' ORDER BY a DESC NULLS FIRST, b DESC) FROM t", "axcAB");
    check_text(db, "SELECT string_agg(b, '|' ORDER BY b, a) FROM t", "a|A|B|c|x");
    check_text(db, "SELECT json_group_array(a ORDER BY a NULLS LAST) FROM t", "[1,2,2,3,null]");
    check_text(db, "SELECT json_group_object(b, a ORDER BY b, a) FROM t WHERE a > 1",
               "{\"A\":2,\"c\":2,\"x\":3}");
    check_text(db, "SELECT group_concat(DISTINCT b ORDER BY b) FROM t WHERE a > 1", "A,c,x");
    CHECK_INT(support_int(db, "SELECT sum(a ORDER BY b) FROM t"), 8);
    braid_result *result = NULL;
    CHECK_INT(braid_query(db, "SELECT abs(a ORDER BY b) FROM t", &result), BRAID_SQL);
    CHECK_TEXT(braid_error_message(db),
               "ORDER BY may not be used with non-aggregate abs()");
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_both_engines_agree);
    RUN(test_order_inside);
    return support_end();
}
