// Collations of the application on both engines: every place where texts are compared.
//
// The collations take many texts for one, and put others in an order of their own. Each query gives
// every row at most one place, so that both engines have to give the same text.
// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>

#include "tests/router/support.h"

enum { ROWS = 20000 };

// By the last byte alone, backwards; the empty text comes first.
static int compare_last(void *context, braid_text left, braid_text right)
{
    (void)context;
    int l = left.size == 0 ? 256 : (unsigned char)left.data[left.size - 1];
    int r = right.size == 0 ? 256 : (unsigned char)right.data[right.size - 1];
    return r - l;
}

// By the digits in the text as a number, then by the rest without regard to case.
static int compare_digits(void *context, braid_text left, braid_text right)
{
    int64_t numbers[2] = {0, 0};
    const braid_text *texts[2] = {&left, &right};
    (void)context;
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < texts[side]->size && i < 15; i++) {
            char c = texts[side]->data[i];
            if (c >= '0' && c <= '9') numbers[side] = numbers[side] * 10 + (c - '0');
        }
    if (numbers[0] != numbers[1]) return numbers[0] < numbers[1] ? -1 : 1;
    return compare_last(context, right, left);
}

static const char *const setup =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, d TEXT COLLATE last, n TEXT COLLATE digits, m);"
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)"
    "INSERT INTO t SELECT i, nullif(char(97 + i * 7 %% 26) || i %% 31, 'a0'),"
    " date('2020-01-01', (i * 37 %% 900) || ' days'), 'x' || (i * 7919 %% 5003),"
    " CASE i %% 5 WHEN 0 THEN i %% 7 WHEN 1 THEN 'v' || i %% 9 WHEN 2 THEN NULL"
    " WHEN 3 THEN i %% 4 + 0.5 ELSE CAST('v' || i %% 3 AS BLOB) END FROM c;"
    "CREATE TABLE u(k TEXT COLLATE digits, w);"
    "INSERT INTO u SELECT 'X' || id, id FROM t WHERE id %% 40 = 0";

static braid *open_filled(const char *name, uint32_t threads)
{
    char sql[2000];
    braid_config config = support_config();
    config.threads = threads;
    braid *db = NULL;
    CHECK_INT(braid_open(support_path(name), &config, &db), BRAID_OK);
    CHECK_INT(braid_create_collation(db, "last", 0, NULL, compare_last, NULL), BRAID_OK);
    CHECK_INT(braid_create_collation(db, "Digits", BRAID_FUNCTION_THREAD_SAFE, NULL,
                                     compare_digits, NULL), BRAID_OK);
    snprintf(sql, sizeof sql, setup, ROWS);
    support_exec(db, sql);
    return db;
}

static bool same_value(braid_value left, braid_value right)
{
    if (left.type != right.type) return false;
    if (left.type == BRAID_NULL) return true;
    if (left.type == BRAID_INTEGER) return left.as.integer == right.as.integer;
    if (left.type == BRAID_REAL) return left.as.real == right.as.real;
    return left.as.text.size == right.as.text.size &&
           memcmp(left.as.text.data, right.as.text.data, left.as.text.size) == 0;
}

static braid_result *run_on(braid *db, braid_engine engine, const char *sql)
{
    braid_statement *statement;
    braid_result *result = NULL;
    CHECK_INT(braid_prepare(db, sql, &statement, NULL), BRAID_OK);
    braid_statement_set_engine(statement, engine);
    braid_status status = braid_run(statement, &result);
    if (status != BRAID_OK) fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    CHECK_INT(status, BRAID_OK);
    braid_statement_close(statement);
    return result;
}

static void check_same(braid *db, const char *sql)
{
    braid_result *native = run_on(db, BRAID_ENGINE_OLAP, sql);
    braid_result *oracle = run_on(db, BRAID_ENGINE_OLTP, sql);
    if (native == NULL || oracle == NULL) exit(1);
    CHECK_INT(braid_row_count(native), braid_row_count(oracle));
    for (uint64_t row = 0; row < braid_row_count(oracle); row++)
        for (uint32_t i = 0; i < braid_column_count(oracle); i++) {
            if (same_value(braid_value_get(native, row, i), braid_value_get(oracle, row, i)))
                continue;
            fprintf(stderr, "%s: row %d column %u\n", sql, (int)row, i);
            CHECK(false);
            row = braid_row_count(oracle) - 1;
        }
    braid_result_free(native);
    braid_result_free(oracle);
}

static const char *const queries[] = {
    "SELECT id FROM t ORDER BY s COLLATE last, id",
    "SELECT id FROM t ORDER BY d DESC, n, id LIMIT 500",
    "SELECT id, d FROM t ORDER BY n NULLS LAST, d, id LIMIT 9 OFFSET 3000",
    "SELECT id FROM t ORDER BY m COLLATE last, id",
    "SELECT count(*), min(id), max(id) FROM t GROUP BY d ORDER BY 2",
    "SELECT count(*), sum(id) FROM t GROUP BY n, d ORDER BY 2, 1",
    "SELECT count(*), min(id) FROM t GROUP BY m COLLATE digits ORDER BY 2",
    "SELECT count(DISTINCT d), count(DISTINCT n), count(DISTINCT s COLLATE last) FROM t",
    "SELECT count(*) FROM (SELECT DISTINCT d, n FROM t)",
    "SELECT count(*) FROM t WHERE d = '1999-99-91'",
    "SELECT count(*) FROM t WHERE d > '2020-05-05'",
    "SELECT count(*) FROM t WHERE d BETWEEN '8' AND '3'",
    "SELECT count(*) FROM t WHERE d NOT IN ('7', '2022-01-03')",
    "SELECT count(*) FROM t WHERE d IS NOT '7' AND (d, n) > ('3', '70')",
    "SELECT count(*) FROM t WHERE s COLLATE last IN (SELECT d FROM t WHERE id < 9)",
    "SELECT count(*) FROM t WHERE CASE d WHEN '4' THEN 1 WHEN '6' THEN 0 ELSE id % 2 END",
    "SELECT sum(nullif(d, 'x' || id % 10) IS NULL), sum(min(d, '5') = '5') FROM t",
    "SELECT hex(min(n)) <> '', length(max(d)), max(id) FROM t",
    "SELECT substr(min(d), 10), substr(max(d), 10) FROM t GROUP BY id % 3 ORDER BY 1, 2",
    "SELECT count(*), sum(w) FROM t JOIN u ON n = k",
    "SELECT count(*), sum(w) FROM t LEFT JOIN u ON k = n AND w > 1000",
    "SELECT count(*), sum(a.id) FROM t a JOIN t b ON a.d = b.d AND b.id < 30",
    "SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM u WHERE k = n AND w <> id)",
    "SELECT count(*) FROM t WHERE n NOT IN (SELECT k FROM u)",
    "SELECT count(*) FROM (SELECT d FROM t UNION SELECT k FROM u)",
    "SELECT count(*) FROM (SELECT n FROM t INTERSECT SELECT k FROM u)",
    "SELECT count(*) FROM (SELECT n FROM t EXCEPT SELECT k FROM u)",
    "SELECT id, count(*) OVER (PARTITION BY d) FROM t ORDER BY id",
    "SELECT id, rank() OVER (ORDER BY d), dense_rank() OVER (PARTITION BY id % 3 ORDER BY n DESC) "
    "FROM t ORDER BY id",
    "SELECT id, substr(max(d) OVER (ORDER BY id ROWS 5 PRECEDING), 10) FROM t ORDER BY id",
    "SELECT w, (SELECT count(*) FROM t WHERE n = k), (SELECT min(id) FROM t WHERE n > k) FROM u "
    "ORDER BY w LIMIT 60",
    "WITH RECURSIVE r(x) AS (VALUES('1' COLLATE last) UNION SELECT CAST(x + 7 AS TEXT) COLLATE last "
    "FROM r) SELECT count(*) FROM r",
    "SELECT count(*) FROM t WHERE date(d, '+1 day') COLLATE last >= '2020-01-05'",
    "SELECT count(*), min(id) FROM t GROUP BY date(d, '+1 day') COLLATE last ORDER BY 2",
    "SELECT count(*) FROM t NATURAL JOIN (SELECT d, min(id) AS id FROM t GROUP BY d)",
    // Alike but for the collation: nothing to be computed once.
    "SELECT a.c, b.c FROM (SELECT count(*) AS c FROM (SELECT 1 FROM t GROUP BY s COLLATE last)) a, "
    "(SELECT count(*) AS c FROM (SELECT 1 FROM t GROUP BY s COLLATE digits)) b",
    "SELECT a.c, b.c FROM (SELECT count(DISTINCT s COLLATE last) AS c FROM t) a, "
    "(SELECT count(DISTINCT s COLLATE digits) AS c FROM t) b",
};

static void check_all(braid *db)
{
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) check_same(db, queries[i]);
}

static void test_collations_compare_everywhere(void)
{
    for (uint32_t threads = 1; threads <= 4; threads += 3) {
        braid *db = open_filled(threads == 1 ? "one" : "four", threads);
        check_all(db);
        CHECK_INT(braid_checkpoint(db), BRAID_OK);
        CHECK_INT(braid_compact(db), BRAID_OK);
        check_all(db);
        CHECK_INT(braid_close(db), BRAID_OK);
    }
}

static void test_collations_are_found_by_name(void)
{
    braid *db = open_filled("names", 2);
    braid_result *result = NULL;
    const char *sql = "SELECT id FROM t ORDER BY s COLLATE LAST, id LIMIT 1";
    check_same(db, sql);
    CHECK_INT(braid_query(db, "SELECT s FROM t ORDER BY s COLLATE other", &result), BRAID_SQL);
    CHECK_TEXT(braid_error_message(db), "no such collation sequence: other");
    // A plan that was made before goes by the new order.
    CHECK_INT(braid_create_collation(db, "last", 0, NULL, compare_digits, NULL), BRAID_OK);
    check_same(db, sql);
    check_same(db, "SELECT count(*) FROM t GROUP BY s COLLATE last ORDER BY 1");
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_collations_compare_everywhere);
    RUN(test_collations_are_found_by_name);
    return support_end();
}
