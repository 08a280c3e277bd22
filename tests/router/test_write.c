// Writes fed by a SELECT of the columnar engine leave what SQLite alone leaves: the same statements
// run on two files with the same contents, through Braid on the one and in SQLite on the other.
// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include "tests/router/support.h"

static const char schema[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT COLLATE NOCASE, c REAL, d);"
    "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n LIMIT 3000)"
    " INSERT INTO t SELECT x, x % 10, 'text ' || (x % 7), x / 4.0,"
    "  CASE x % 5 WHEN 0 THEN NULL WHEN 1 THEN x WHEN 2 THEN x'00ff' WHEN 3 THEN '' ELSE 0.5 END"
    "  FROM n;"
    "CREATE TABLE sums(k INTEGER PRIMARY KEY, n INT, s TEXT, r REAL NOT NULL);"
    "CREATE TABLE seen(k, n);"
    "CREATE TRIGGER tr AFTER INSERT ON sums BEGIN INSERT INTO seen VALUES(new.k, new.n); END;";

typedef struct fed_write {
    const char *sql;
    bool is_native;
} fed_write;

static const fed_write writes[] = {
    {"INSERT INTO sums SELECT a, count(*), sum(id), avg(c) FROM t GROUP BY a ORDER BY a", true},
    {"INSERT INTO sums(r, k) SELECT sum(c), a + 100 FROM t GROUP BY a ORDER BY a", true},
    {"INSERT INTO sums SELECT a, 1, 'x', 2 FROM t GROUP BY a ORDER BY a DESC", true},
    {"INSERT OR IGNORE INTO sums SELECT a * 2, 1, 'x', 2 FROM t GROUP BY a ORDER BY a", true},
    {"INSERT OR FAIL INTO sums SELECT 1000 - a * 100, 1, 'f', 2 FROM t GROUP BY a ORDER BY a",
     true},
    {"INSERT OR ROLLBACK INTO sums SELECT a + 3000, 1, 'f', nullif(a, 5) FROM t GROUP BY a", true},
    {"REPLACE INTO sums SELECT a, -1, NULL, min(c) FROM t WHERE a < 5 GROUP BY a ORDER BY a",
     true},
    {"insert into sums select a, 7, b, 0 from t where id < 20 on conflict(k) do nothing", true},
    {"INSERT INTO sums SELECT a, 7, b, 0 FROM t WHERE id < 20 ORDER BY id"
     " ON CONFLICT(k) DO UPDATE SET n = n + excluded.n", true},
    {"WITH g(k, n) AS (SELECT a, count(*) FROM t GROUP BY a) INSERT INTO sums(k, n, r)"
     " SELECT k + 500, n, 1 FROM g ORDER BY k", true},
    {"INSERT INTO sums SELECT a + 700, 1, NULL, count(*) FROM t GROUP BY a ORDER BY a"
     " RETURNING k, r", true},
    {"INSERT INTO t(a, b, c, d) SELECT a, b, c, d FROM t ORDER BY id", true},
    {"INSERT INTO sums SELECT 1", false},
    {"INSERT INTO missing SELECT 1", false},
    {"INSERT INTO sums VALUES(5000, 1, (SELECT 'x'), 2)", false},
    {"CREATE TABLE made AS SELECT a, b, c AS \"c d\", d, count(*), a + 1 FROM t GROUP BY b, d"
     " ORDER BY b, d", true},
    {"CREATE TABLE made AS SELECT 1 AS x FROM t", false},
    {"CREATE TABLE IF NOT EXISTS made AS SELECT 1 AS x FROM t", false},
    {"CREATE TABLE IF NOT EXISTS made2 AS SELECT max(id) AS x FROM t", false},
    {"CREATE TABLE main.\"made 3\" AS SELECT DISTINCT a FROM t ORDER BY a LIMIT 5", true},
    {"CREATE TABLE made4 AS SELECT a FROM t WHERE a > 2 UNION SELECT b FROM t ORDER BY 1", true},
    {"CREATE TABLE made5 AS SELECT abs(-9223372036854775807 - (a > 3)) FROM t ORDER BY id", true},
    {"DELETE FROM sums WHERE k IN (SELECT a FROM t)", false},
};

// ---- the twin --------------------------------------------------------------------------------

// All that is in the file, a line per row.
static char *dump(sqlite3 *db)
{
    char *text = sqlite3_mprintf("%s", "");
    sqlite3_stmt *names, *rows;
    sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT"
                           " LIKE '\\_braid%' ESCAPE '\\' ORDER BY name", -1, &names, NULL);
    while (sqlite3_step(names) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(names, 0);
        text = sqlite3_mprintf("%z%s\n", text, sqlite3_column_text(names, 1));
        char *sql = sqlite3_mprintf("SELECT rowid, * FROM \"%w\" ORDER BY rowid", name);
        CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
        sqlite3_free(sql);
        sqlite3_str *lines = sqlite3_str_new(db);
        while (sqlite3_step(rows) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(rows); i++)
                sqlite3_str_appendf(lines, "%d:%s|", sqlite3_column_type(rows, i),
                                    sqlite3_column_text(rows, i));
            sqlite3_str_appendchar(lines, 1, '\n');
        }
        sqlite3_finalize(rows);
        text = sqlite3_mprintf("%z%z", text, sqlite3_str_finish(lines));
    }
    sqlite3_finalize(names);
    return text;
}

static void run_native(braid *db, const fed_write *write, char message_out[300],
                       uint64_t *rows_out)
{
    braid_result *result = NULL;
    braid_statement *statement = NULL;
    message_out[0] = '\0';
    *rows_out = 0;
    if (braid_prepare(db, write->sql, &statement, NULL) == BRAID_OK) {
        braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
        if (braid_run(statement, &result) == BRAID_OK) {
            int engine = write->is_native ? BRAID_ENGINE_OLAP : BRAID_ENGINE_OLTP;
            if ((int)support_info(result).engine != engine) fprintf(stderr, "%s\n", write->sql);
            CHECK_INT(support_info(result).engine, engine);
            *rows_out = braid_row_count(result);
            braid_result_free(result);
            braid_statement_close(statement);
            return;
        }
    }
    snprintf(message_out, 300, "%s", braid_error_message(db));
    braid_statement_close(statement);
}

static void run_sqlite(sqlite3 *db, const char *sql, char message_out[300], uint64_t *rows_out)
{
    sqlite3_stmt *statement = NULL;
    *rows_out = 0;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) ++*rows_out;
    }
    snprintf(message_out, 300, "%s", code == SQLITE_DONE ? "" : sqlite3_errmsg(db));
    sqlite3_finalize(statement);
}

static void test_both_files_are_the_same_after_each_write(void)
{
    braid *db = support_open("native.db");
    support_exec(db, schema);
    sqlite3 *file = support_sqlite("native.db", "SELECT 1");
    sqlite3 *twin = support_sqlite("twin.db", schema);
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        char message[300], expected_message[300];
        uint64_t rows, expected_rows;
        run_native(db, &writes[i], message, &rows);
        run_sqlite(twin, writes[i].sql, expected_message, &expected_rows);
        CHECK_TEXT(message, expected_message);
        CHECK_INT(rows, expected_rows);
        if (expected_message[0] == '\0' && strstr(writes[i].sql, "CREATE") == NULL)
            CHECK_INT(braid_changes(db), sqlite3_changes(twin));
        char *got = dump(file), *expected = dump(twin);
        if (strcmp(got, expected) != 0) fprintf(stderr, "differs after: %s\n", writes[i].sql);
        CHECK(strcmp(got, expected) == 0);
        sqlite3_free(got);
        sqlite3_free(expected);
    }
    CHECK_INT(braid_check(db, NULL), BRAID_OK);
    sqlite3_close(file);
    sqlite3_close(twin);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_parameters(void)
{
    braid *db = support_open("parameters.db");
    support_exec(db, schema);
    const char *sql = "INSERT INTO sums SELECT a + ?2, count(*), ?1, ?2 FROM t WHERE id <= ?3"
                      " GROUP BY a";
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    CHECK_INT(braid_bind_text(statement, 1, "a'b", 3), BRAID_OK);
    for (int64_t i = 1; i <= 3; i++) {
        braid_result *result = NULL;
        CHECK_INT(braid_bind_int64(statement, 2, 1000 * i), BRAID_OK);
        CHECK_INT(braid_bind_int64(statement, 3, 20 * i), BRAID_OK);
        CHECK_INT(braid_run(statement, &result), BRAID_OK);
        CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLAP);
        CHECK_INT(braid_column_count(result), 0);
        braid_result_free(result);
    }
    braid_statement_close(statement);
    CHECK_INT(support_int(db, "SELECT sum(n) FROM sums WHERE s = 'a''b' AND r >= 1000"), 120);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_inside_a_transaction_sqlite_does_it(void)
{
    braid *db = support_open("inside.db");
    support_exec(db, schema);
    support_exec(db, "BEGIN; DELETE FROM t WHERE id > 10");
    support_exec(db, "INSERT INTO seen SELECT count(*), 'inside' FROM t");
    support_exec(db, "COMMIT");
    CHECK_INT(support_int(db, "SELECT k FROM seen WHERE n = 'inside'"), 10);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- beside other writers --------------------------------------------------------------------

static _Atomic bool is_over;

// Each commit adds a row to both tables.
static void *write_pairs(void *path)
{
    sqlite3 *db = NULL;
    sqlite3_open(path, &db);
    sqlite3_busy_timeout(db, 10000);
    while (!is_over) {
        sqlite3_exec(db, "BEGIN IMMEDIATE; INSERT INTO left_side VALUES(1);"
                         "INSERT INTO right_side VALUES(1); COMMIT", NULL, NULL, NULL);
        usleep(500);  // SQLite's lock is not fair
    }
    sqlite3_close(db);
    return NULL;
}

static void test_rows_are_of_the_commit_point_of_the_write(void)
{
    enum { WRITES = 60 };
    braid *db = support_open("pairs.db");
    support_exec(db, "CREATE TABLE left_side(x); CREATE TABLE right_side(x);"
                     "CREATE TABLE log(id INTEGER PRIMARY KEY, l, r, so_far)");
    pthread_t writer;
    CHECK_INT(pthread_create(&writer, NULL, write_pairs, (void *)(uintptr_t)support_path("pairs.db")),
              0);
    for (int i = 0; i < WRITES; i++) {
        support_exec(db, "INSERT INTO log(l, r, so_far) SELECT (SELECT count(*) FROM left_side),"
                         " (SELECT count(*) FROM right_side), count(*) FROM log");
        usleep(i % 3 == 0 ? 2000 : 0);
    }
    is_over = true;
    pthread_join(writer, NULL);
    CHECK_INT(support_int(db, "SELECT count(*) FROM log WHERE l = r AND so_far = id - 1"), WRITES);
    CHECK_INT(support_int(db, "SELECT count(*) FROM log a JOIN log b ON b.id = a.id + 1 AND"
                              " b.l < a.l"), 0);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_both_files_are_the_same_after_each_write);
    RUN(test_parameters);
    RUN(test_inside_a_transaction_sqlite_does_it);
    RUN(test_rows_are_of_the_commit_point_of_the_write);
    return support_end();
}
