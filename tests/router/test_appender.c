// Appenders: the rows that SQLite's own INSERT leaves, in the file and in the columnar copy, with
// every kind of table, and the triggers that must run.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

static braid_appender *open_appender(braid *db, const char *table, const char *const *columns)
{
    braid_appender *appender;
    if (braid_appender_open(db, table, columns, &appender) == BRAID_OK) return appender;
    fprintf(stderr, "%s: %s\n", table, braid_error_message(db));
    exit(1);
}

// Both sides agree, row by row.
static void check_copy(braid *db)
{
    uint64_t rows;
    CHECK_INT(braid_check(db, &rows), BRAID_OK);
    CHECK_TEXT(braid_error_message(db), "");
}

static int64_t native_int(braid *db, const char *sql)
{
    braid_statement *statement = support_prepare(db, sql);
    braid_result *result = NULL;
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    braid_statement_set_freshness(statement, BRAID_FRESH_ANY);
    if (braid_run(statement, &result) != BRAID_OK) {
        fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
        exit(1);
    }
    braid_value value = braid_value_get(result, 0, 0);
    braid_result_free(result);
    braid_statement_close(statement);
    return value.type == BRAID_INTEGER ? value.as.integer : INT64_MIN;
}

static void test_values_of_every_class(void)
{
    braid *db = support_open("classes.db");
    support_exec(db, "CREATE TABLE t(i, r, t, b, n, g AS (i + 1), d DEFAULT 7)");
    braid_appender *all = open_appender(db, "t", NULL);
    CHECK_INT(braid_append_int64(all, INT64_MIN), BRAID_OK);
    CHECK_INT(braid_append_double(all, -0.5), BRAID_OK);
    CHECK_INT(braid_append_text(all, "a\0b", 3), BRAID_OK);
    CHECK_INT(braid_append_blob(all, "\xff", 1), BRAID_OK);
    CHECK_INT(braid_append_null(all), BRAID_OK);
    CHECK_INT(braid_append_text(all, "", 0), BRAID_OK);
    CHECK_INT(braid_appender_row_count(all), 0);
    CHECK_INT(braid_appender_flush(all), BRAID_OK);
    CHECK_INT(braid_appender_row_count(all), 1);
    CHECK_INT(braid_appender_close(all), BRAID_OK);
    static const char *const some[] = {"T", "i", NULL};
    braid_appender *two = open_appender(db, "T", some);
    CHECK_INT(braid_append_double(two, NAN), BRAID_OK);
    CHECK_INT(braid_append_int64(two, 41), BRAID_OK);
    CHECK_INT(braid_appender_close(two), BRAID_OK);
    CHECK_INT(native_int(db, "SELECT count(*) FROM t WHERE r = -0.5 AND hex(t) = '610062' AND"
                             " b = x'ff' AND n IS NULL AND d = ''"), 1);
    CHECK_INT(native_int(db, "SELECT g * 10 + d FROM t WHERE t IS NULL"), 427);
    check_copy(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_what_cannot_be_appended(void)
{
    braid *db = support_open("wrong.db");
    support_exec(db, "CREATE TABLE t(a, b)");
    static const char *const missing[] = {"c", NULL}, *const none[] = {NULL};
    braid_appender *appender;
    CHECK_INT(braid_appender_open(db, "nowhere", NULL, &appender), BRAID_SQL);
    CHECK_TEXT(braid_error_message(db), "no such table: nowhere");
    CHECK_INT(braid_appender_open(db, "t", missing, &appender), BRAID_SQL);
    CHECK_INT(braid_error_offset(db), -1);
    CHECK_INT(braid_appender_open(db, "t", none, &appender), BRAID_MISUSE);
    CHECK_INT(braid_appender_open(db, NULL, NULL, &appender), BRAID_MISUSE);
    CHECK(appender == NULL);
    appender = open_appender(db, "t", NULL);
    CHECK_INT(braid_append_int64(appender, 1), BRAID_OK);
    CHECK_INT(braid_appender_flush(appender), BRAID_MISUSE);
    CHECK_TEXT(braid_error_message(db), "row of 1 values, want 2");
    CHECK_INT(braid_appender_close(appender), BRAID_MISUSE);
    CHECK_INT(braid_appender_close(NULL), BRAID_OK);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 0);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_failing_rows_are_named(void)
{
    braid *db = support_open("failing.db");
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, a CHECK (a < 9))");
    braid_appender *appender = open_appender(db, "t", NULL);
    const int64_t ids[] = {1, 2, 3}, checked[] = {5, 6, 9}, doubled[] = {1, 2, 2};
    braid_column columns[] = {{.type = BRAID_INTEGER, .as.integers = ids},
                              {.type = BRAID_INTEGER, .as.integers = ids}};
    const braid_chunk chunk = {.row_count = 3, .column_count = 2, .columns = columns};
    CHECK_INT(braid_append_chunk(appender, &chunk), BRAID_OK);
    CHECK_INT(braid_appender_flush(appender), BRAID_OK);
    columns[1].as.integers = checked;
    CHECK_INT(braid_append_chunk(appender, &chunk), BRAID_OK);
    CHECK_INT(braid_appender_flush(appender), BRAID_RUNTIME);
    CHECK_TEXT(braid_error_message(db), "row 3: UNIQUE constraint failed: t.id");
    const int64_t more[] = {4, 5, 6};
    columns[0].as.integers = more;
    CHECK_INT(braid_append_chunk(appender, &chunk), BRAID_OK);
    CHECK_INT(braid_appender_flush(appender), BRAID_RUNTIME);
    CHECK_TEXT(braid_error_message(db), "row 8: CHECK constraint failed: a < 9");
    columns[1].as.integers = doubled;
    CHECK_INT(braid_append_chunk(appender, &chunk), BRAID_OK);
    CHECK_INT(braid_appender_close(appender), BRAID_OK);
    CHECK_INT(native_int(db, "SELECT sum(id) * 100 + sum(a) FROM t"), 2111);
    check_copy(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_inside_an_open_transaction(void)
{
    braid *db = support_open("open.db");
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    support_exec(db, "BEGIN");
    braid_appender *appender = open_appender(db, "t", NULL);
    for (int i = 0; i < 70000; i++) CHECK_INT(braid_append_int64(appender, i), BRAID_OK);
    CHECK_INT(braid_appender_close(appender), BRAID_OK);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 70001);
    support_exec(db, "ROLLBACK");
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);
    support_exec(db, "INSERT INTO t VALUES(2)");
    CHECK_INT(native_int(db, "SELECT count(*) FROM t"), 1);  // ANY: as of the last sync
    CHECK_INT(braid_sync(db), BRAID_OK);
    CHECK_INT(native_int(db, "SELECT count(*) FROM t"), 2);
    check_copy(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- capture -----------------------------------------------------------------------------------

static void test_triggers_of_the_application_run(void)
{
    braid *db = support_open("triggers.db");
    support_exec(db, "CREATE TABLE t(a); CREATE TABLE seen(a);"
                     "CREATE VIEW v AS SELECT a FROM t;"
                     "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO seen VALUES(NEW.a); END;"
                     "CREATE TRIGGER vr INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES(-NEW.a);"
                     " END");
    braid_appender *appender = open_appender(db, "t", NULL);
    CHECK_INT(braid_append_int64(appender, 1), BRAID_OK);
    CHECK_INT(braid_appender_flush(appender), BRAID_OK);
    support_exec(db, "DROP TRIGGER tr");
    CHECK_INT(braid_append_int64(appender, 2), BRAID_OK);
    CHECK_INT(braid_appender_flush(appender), BRAID_OK);
    support_exec(db, "CREATE TEMP TRIGGER tt AFTER INSERT ON t BEGIN INSERT INTO seen VALUES(-1);"
                     " END");
    CHECK_INT(braid_append_int64(appender, 3), BRAID_OK);
    CHECK_INT(braid_appender_close(appender), BRAID_OK);
    appender = open_appender(db, "v", NULL);
    CHECK_INT(braid_append_int64(appender, 4), BRAID_OK);
    CHECK_INT(braid_appender_close(appender), BRAID_OK);
    support_exec(db, "DROP TRIGGER tt");
    CHECK_INT(support_int(db, "SELECT sum(a) * 100 + count(*) FROM t"), 204);
    CHECK_INT(support_int(db, "SELECT sum(a) * 100 + count(*) FROM seen"), -97);
    check_copy(db);
    // Triggers are on again for everybody else.
    support_exec(db, "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO seen VALUES(50); END;"
                     "INSERT INTO t VALUES(5)");
    CHECK_INT(support_int(db, "SELECT max(a) FROM seen"), 50);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// Keys at or below those that capture logs: given, chosen for rows deleted at the end, and both.
static void test_keys_that_must_be_logged(void)
{
    braid *db = support_open("logged.db");
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE r(a);"
                     "WITH RECURSIVE n(x) AS (VALUES(10) UNION ALL SELECT x + 10 FROM n LIMIT 9000)"
                     " INSERT INTO t SELECT x, x FROM n; INSERT INTO r SELECT a FROM t");
    CHECK_INT(braid_checkpoint(db), BRAID_OK);
    support_exec(db, "DELETE FROM t WHERE id > 50000; DELETE FROM r WHERE rowid > 8000");
    CHECK_INT(braid_sync(db), BRAID_OK);
    static const char *const keyed[] = {"a", "rowid", NULL};
    braid_appender *t = open_appender(db, "t", NULL), *r = open_appender(db, "r", NULL),
                   *k = open_appender(db, "r", keyed);
    for (int64_t i = 0; i < 3000; i++) {
        if (i % 3 == 0) CHECK_INT(braid_append_null(t), BRAID_OK);
        else CHECK_INT(braid_append_int64(t, i * 10 + (i % 2 == 0 ? 1 : 60005)), BRAID_OK);
        CHECK_INT(braid_append_int64(t, -i), BRAID_OK);
        CHECK_INT(braid_append_int64(r, -i), BRAID_OK);
    }
    CHECK_INT(braid_appender_flush(t), BRAID_OK);
    CHECK_INT(braid_appender_close(r), BRAID_OK);
    check_copy(db);
    for (int64_t i = 0; i <= 1540; i++) {  // beyond hi, which these rows raise; then below it
        CHECK_INT(braid_append_null(k), BRAID_OK);
        CHECK_INT(braid_append_int64(k, i < 1500 ? 200000 + i : -i), BRAID_OK);
        if (i != 1499) continue;
        CHECK_INT(braid_appender_flush(k), BRAID_OK);
        check_copy(db);
    }
    CHECK_INT(braid_appender_close(k), BRAID_OK);
    CHECK_INT(native_int(db, "SELECT count(*) FROM r WHERE rowid < 0 OR rowid > 100000"), 1541);
    check_copy(db);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(braid_append_text(t, i == 0 ? "70001" : "7.2e4", 5), BRAID_OK);
        CHECK_INT(braid_append_null(t), BRAID_OK);
    }
    CHECK_INT(braid_appender_close(t), BRAID_OK);
    CHECK_INT(native_int(db, "SELECT count(*) FROM t WHERE id IN (70001, 72000)"), 2);
    check_copy(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_kinds_of_tables(void)
{
    static const char *const tables[] = {
        "CREATE TABLE t(a PRIMARY KEY, b) WITHOUT ROWID",
        "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b)",
        "CREATE TABLE t(a INT UNIQUE ON CONFLICT REPLACE, b)",
        "CREATE TABLE t(a INT, b TEXT, UNIQUE(a, b)) STRICT",
        "CREATE TABLE t(rowid, oid)",
        "CREATE TABLE t(a, b); CREATE UNIQUE INDEX i ON t(a + 1)",
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char name[40];
        snprintf(name, sizeof name, "kind%zu.db", i);
        braid *db = support_open(name);
        support_exec(db, tables[i]);
        CHECK_INT(braid_sync(db), BRAID_OK);
        for (int64_t round = 0; round < 3; round++) {
            braid_appender *appender = open_appender(db, "t", NULL);
            for (int64_t row = 0; row < 1500; row++) {
                CHECK_INT(braid_append_int64(appender, round % 2 == 0 ? row * 7 + round
                                                                      : -row * 7 - 1), BRAID_OK);
                CHECK_INT(braid_append_text(appender, "text", 4), BRAID_OK);
            }
            CHECK_INT(braid_appender_close(appender), BRAID_OK);
            CHECK_INT(native_int(db, "SELECT count(*) FROM t"), 1500 * (round + 1));
            check_copy(db);
        }
        CHECK_INT(braid_close(db), BRAID_OK);
    }
}

// Several transactions, the copy following along, queries meanwhile, and another writer.
static void test_many_rows(void)
{
    enum { CHUNKS = 90, CHUNK_ROWS = 3000 };
    braid *db = support_open("many.db");
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT)");
    sqlite3 *other = support_sqlite("many.db", "PRAGMA busy_timeout = 5000");
    static int64_t ids[CHUNK_ROWS];
    const braid_column columns[] = {{.type = BRAID_NULL},
                                    {.type = BRAID_INTEGER, .as.integers = ids},
                                    {.type = BRAID_NULL}};
    const braid_chunk chunk = {.row_count = CHUNK_ROWS, .column_count = 3, .columns = columns};
    const braid_chunk narrow = {.row_count = 1, .column_count = 2, .columns = columns};
    braid_appender *appender = open_appender(db, "t", NULL);
    CHECK_INT(braid_append_chunk(appender, &narrow), BRAID_MISUSE);
    int64_t next = 0;
    for (int i = 0; i < CHUNKS; i++) {
        for (int row = 0; row < CHUNK_ROWS; row++) ids[row] = next++;
        CHECK_INT(braid_append_chunk(appender, &chunk), BRAID_OK);
        if (i % 30 != 29) continue;
        CHECK_INT(sqlite3_exec(other, "DELETE FROM t WHERE a % 1000 = 7;"
                                      "INSERT INTO t(a) VALUES(-1)", NULL, NULL, NULL), SQLITE_OK);
        int64_t count = support_int(db, "SELECT count(*) FROM t WHERE a >= 0 AND b IS NULL");
        CHECK(count <= (int64_t)braid_appender_row_count(appender));
    }
    CHECK_INT(braid_appender_flush(appender), BRAID_OK);
    CHECK_INT(braid_appender_row_count(appender), CHUNKS * CHUNK_ROWS);
    CHECK_INT(native_int(db, "SELECT count(*) FROM t WHERE a = -1"), 3);
    CHECK_INT(braid_appender_close(appender), BRAID_OK);
    check_copy(db);
    sqlite3_close(other);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_values_of_every_class);
    RUN(test_what_cannot_be_appended);
    RUN(test_failing_rows_are_named);
    RUN(test_inside_an_open_transaction);
    RUN(test_triggers_of_the_application_run);
    RUN(test_keys_that_must_be_logged);
    RUN(test_kinds_of_tables);
    RUN(test_many_rows);
    return support_end();
}
