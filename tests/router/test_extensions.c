// What Braid adds to SQLite's grammar: grouping sets, ORDER BY ALL, SUMMARIZE.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

// All rows as text: values with '|' between, rows with ';'.
static void put_rows(const braid_result *result, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint64_t row = 0; row < braid_row_count(result); row++) {
        for (uint32_t column = 0; column < braid_column_count(result) && at < size; column++) {
            braid_value value = braid_value_get(result, row, column);
            const char *separator = column > 0 ? "|" : row > 0 ? ";" : "";
            int used = 0;
            switch (value.type) {
            case BRAID_NULL: used = snprintf(out + at, size - at, "%s-", separator); break;
            case BRAID_INTEGER:
                used = snprintf(out + at, size - at, "%s%lld", separator,
                                (long long)value.as.integer);
                break;
            case BRAID_REAL:
                used = snprintf(out + at, size - at, "%s%g", separator, value.as.real);
                break;
            default:
                used = snprintf(out + at, size - at, "%s%.*s", separator,
                                (int)value.as.text.size, value.as.text.data);
            }
            at += (size_t)used;
        }
    }
}

static void check_rows(braid *db, const char *sql, const char *expected)
{
    char text[1000];
    braid_result *result = support_query(db, sql);
    CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLAP);
    put_rows(result, text, sizeof text);
    if (strcmp(text, expected) != 0) fprintf(stderr, "%s\n", sql);
    CHECK_TEXT(text, expected);
    braid_result_free(result);
}

static void check_refused(braid *db, const char *sql, const char *message)
{
    braid_result *result = NULL;
    CHECK_INT(braid_query(db, sql, &result), BRAID_SQL);
    CHECK_TEXT(braid_error_message(db), message);
}

static braid *open_sales(const char *name)
{
    braid *db = support_open(name);
    support_exec(db, "CREATE TABLE s(region TEXT, product TEXT, year INT NOT NULL,"
                     " amount INT NOT NULL); INSERT INTO s VALUES ('n','a',1,10), ('n','b',1,20),"
                     " ('s','a',2,5), ('s','a',1,7), ('s',NULL,2,1), ('n','a',2,100)");
    return db;
}

static void test_grouping_sets(void)
{
    braid *db = open_sales("sets.db");
    check_rows(db, "SELECT region, product, sum(amount) FROM s GROUP BY ROLLUP(region, product)"
                   " ORDER BY ALL",
               "-|-|143;n|-|130;n|a|110;n|b|20;s|-|1;s|-|13;s|a|12");
    check_rows(db, "SELECT region, product, sum(amount), grouping(region), grouping(product)"
                   " FROM s GROUP BY cube(region, product) ORDER BY 4, 5, 1, 2",
               "n|a|110|0|0;n|b|20|0|0;s|-|1|0|0;s|a|12|0|0;n|-|130|0|1;s|-|13|0|1;-|-|1|1|0;"
               "-|a|122|1|0;-|b|20|1|0;-|-|143|1|1");
    check_rows(db, "SELECT year + 1, count(*), amount IS NULL FROM s GROUP BY"
                   " GROUPING SETS ((year, amount), year, ()) HAVING count(*) > 2 ORDER BY ALL DESC",
               "3|3|1;2|3|1;-|6|1");
    check_rows(db, "SELECT region, product, year, count(*) FROM s"
                   " GROUP BY region, rollup(product, year) HAVING count(*) > 1 ORDER BY ALL",
               "n|-|-|3;n|a|-|2;s|-|-|3;s|a|-|2");
    check_rows(db, "SELECT count(*) FROM s GROUP BY rollup(region, (product, year)) ORDER BY 1",
               "1;1;1;1;1;1;3;3;6");
    check_rows(db, "SELECT count(*), year FROM s GROUP BY GROUPING SETS (rollup(year), year)"
                   " ORDER BY ALL", "3|1;3|1;3|2;3|2;6|-");
    check_rows(db, "SELECT region r, max(amount), product FROM s GROUP BY rollup(r) ORDER BY 1",
               "-|100|a;n|100|a;s|7|a");
    check_rows(db, "SELECT region, (SELECT count(*) FROM s b WHERE b.region = s.region) FROM s"
                   " GROUP BY rollup(region) ORDER BY ALL", "-|0;n|3;s|3");
    check_rows(db, "SELECT sum(amount), count(*) FROM s WHERE year > 9 GROUP BY rollup(region)",
               "-|0");
    check_rows(db, "SELECT sum(n) FROM (SELECT count(*) n FROM s GROUP BY cube(region, year))",
               "24");
    CHECK_INT(braid_close(db), BRAID_OK);
}

// Groups of groups, of all that can be made of parts: the same as grouping the rows for each set.
static void test_grouping_sets_share(void)
{
    braid *db = open_sales("share.db");
    char *text = NULL;
    support_exec(db, "CREATE TABLE v(a INT, b TEXT COLLATE NOCASE, x, y REAL);"
                     " INSERT INTO v VALUES (1,'A',1,2.5), (1,'a',2,NULL), (2,'b','7',1.0),"
                     " (NULL,'b',NULL,NULL), (3,NULL,1.5,-4.0)");
    check_rows(db, "SELECT a, b, count(*), count(x), sum(x), avg(x), total(x), min(x), max(y),"
                   " avg(y) FROM v WHERE a < 3 GROUP BY rollup(a, b) ORDER BY a, b",
               "-|-|3|3|10|3.33333|10|1|2.5|1.75;1|-|2|2|3|1.5|3|1|2.5|2.5;"
               "1|A|2|2|3|1.5|3|1|2.5|2.5;2|-|1|1|7|7|7|7|1|1;2|b|1|1|7|7|7|7|1|1");
    check_rows(db, "SELECT b, sum(x) FILTER (WHERE y IS NOT NULL), avg(x) FILTER (WHERE y > 0)"
                   " FROM v GROUP BY GROUPING SETS ((a, b), b, ()) HAVING count(*) > 1 ORDER BY 1",
               "-|9.5|4;A|1|1;A|1|1;b|7|7");
    check_rows(db, "SELECT count(x), avg(x), total(x), max(x) FROM v WHERE a > 9 GROUP BY"
                   " cube(a, b)", "0|-|0|-");
    check_rows(db, "SELECT b, count(DISTINCT x), median(x) FROM v JOIN s ON a = year"
                   " WHERE amount > 5 GROUP BY rollup(b, a) ORDER BY ALL",
               "-|3|2;A|2|1.5;A|2|1.5;b|1|7;b|1|7");
    CHECK_INT(braid_explain(db, "SELECT sum(x) FROM v JOIN s ON a = year GROUP BY rollup(a, b)",
                            &text), BRAID_OK);
    const char *shared = strstr(text, "shared 0:"), *join = strstr(text, "join");
    CHECK(shared != NULL && join != NULL && join > shared);
    CHECK(join != NULL && strstr(join + 4, "join") == NULL);
    braid_free(text);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_order_by_all(void)
{
    braid *db = open_sales("order_all.db");
    check_rows(db, "SELECT * FROM s ORDER BY ALL LIMIT 2", "n|a|1|10;n|a|2|100");
    check_rows(db, "SELECT product, amount FROM s ORDER BY ALL DESC NULLS FIRST LIMIT 3",
               "-|1;b|20;a|100");
    check_rows(db, "SELECT region FROM s UNION SELECT product FROM s ORDER BY ALL DESC",
               "s;n;b;a;-");
    check_rows(db, "WITH RECURSIVE c(x, y) AS (SELECT 1, 9 UNION ALL SELECT x + 1, y FROM c"
                   " WHERE x < 3 ORDER BY ALL) SELECT * FROM c", "1|9;2|9;3|9");
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_summarize(void)
{
    static const char *const expected =
        "region|text|n|s|2|-|-|-|-|-|6|0;product|text,null|a|b|2|-|-|-|-|-|6|16.67;"
        "year|integer|1|2|2|1.5|0.547723|1|1.5|2|6|0;"
        "amount|integer|1|100|6|23.8333|37.8598|5.5|8.5|17.5|6|0";
    braid *db = open_sales("summary.db");
    char text[1000];
    for (int engine = BRAID_ENGINE_OLAP; engine <= BRAID_ENGINE_OLTP; engine++) {
        braid_result *result = NULL;
        braid_statement *statement = support_prepare(db, "SUMMARIZE s");
        braid_statement_set_engine(statement, engine);
        CHECK_INT(braid_run(statement, &result), BRAID_OK);
        put_rows(result, text, sizeof text);
        CHECK_TEXT(text, expected);
        CHECK_TEXT(braid_column_name(result, 11), "null_percentage");
        braid_result_free(result);
        braid_statement_close(statement);
    }
    CHECK_INT(support_int(db, "summarize SELECT 7"), INT64_MIN);  // a name
    support_exec(db, "ALTER TABLE s ADD COLUMN \"odd \"\"name\" DEFAULT 'it''s'");
    braid_result *result = support_query(db, "SUMMARIZE main.s");
    CHECK_INT(braid_row_count(result), 5);
    CHECK_INT(braid_value_get(result, 4, 0).as.text.size, 9);
    braid_result_free(result);
    check_refused(db, "SUMMARIZE missing", "no such table: missing");
    check_refused(db, "SUMMARIZE s, s", "near \"SUMMARIZE\": syntax error");
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_what_is_wrong_is_said(void)
{
    braid *db = open_sales("wrong.db");
    check_refused(db, "SELECT grouping(year) FROM s GROUP BY rollup(region)",
                  "GROUPING() of what is not in GROUP BY");
    check_refused(db, "SELECT grouping(region, year) FROM s GROUP BY rollup(region)",
                  "wrong number of arguments to function grouping()");
    check_refused(db, "SELECT rollup(region) FROM s", "no such function: rollup");
    check_refused(db, "SELECT cube(region) FROM s GROUP BY rollup(region)",
                  "no such function: cube");
    // Of a syntax error SQLite tells, which stops earlier.
    check_refused(db, "SELECT 1 FROM s GROUP BY GROUPING SETS (region,)",
                  "near \"SETS\": syntax error");
    check_refused(db, "SELECT 1 FROM s GROUP BY cube(1+1,2,3,4,5,6,7,8,9,10,11)",
                  "more than 10 keys in CUBE");
    check_refused(db, "SELECT region FROM s ORDER BY ALL, 1", "near \"ALL\": syntax error");
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_grouping_sets);
    RUN(test_grouping_sets_share);
    RUN(test_order_by_all);
    RUN(test_summarize);
    RUN(test_what_is_wrong_is_said);
    return support_end();
}
