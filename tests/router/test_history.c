// Temporal tables through the public API: what a history shows, on both engines, and what becomes of
// it when its table is altered, dropped, renamed, vacuumed, switched off.
// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include "tests/router/support.h"

static const braid_engine engines[] = {BRAID_ENGINE_OLAP, BRAID_ENGINE_OLTP};

static void put_value(braid_value value, char *out, size_t size)
{
    switch (value.type) {
    case BRAID_NULL: snprintf(out, size, "-"); break;
    case BRAID_INTEGER: snprintf(out, size, "%lld", (long long)value.as.integer); break;
    case BRAID_REAL: snprintf(out, size, "%g", value.as.real); break;
    default: snprintf(out, size, "%.*s", (int)value.as.text.size, value.as.text.data);
    }
}

// All rows as text: values with ' ' between, rows with ';'. A failure is its message.
static void run_text(braid *db, const char *sql, braid_engine engine, char *out, size_t size)
{
    braid_statement *statement = NULL;
    braid_result *result = NULL;
    braid_status status = braid_prepare(db, sql, &statement, NULL);
    if (status == BRAID_OK) {
        braid_statement_set_engine(statement, engine);
        status = braid_run(statement, &result);
    }
    out[0] = '\0';
    if (status != BRAID_OK) snprintf(out, size, "%s", braid_error_message(db));
    for (uint64_t row = 0; status == BRAID_OK && row < braid_row_count(result); row++) {
        for (uint32_t i = 0; i < braid_column_count(result); i++) {
            char value[100];
            put_value(braid_value_get(result, row, i), value, sizeof value);
            size_t used = strlen(out);
            snprintf(out + used, size - used, "%s%s", i > 0 ? " " : row > 0 ? ";" : "", value);
        }
    }
    braid_result_free(result);
    braid_statement_close(statement);
}

static void check_text(braid *db, const char *sql, const char *expected)
{
    char text[1000];
    for (int i = 0; i < 2; i++) {
        run_text(db, sql, engines[i], text, sizeof text);
        if (strcmp(text, expected) != 0)
            fprintf(stderr, "%s: %s\n", i == 0 ? "columnar" : "SQLite", sql);
        CHECK_TEXT(text, expected);
    }
}

static void must(braid *db, braid_status status)
{
    if (status == BRAID_OK) return;
    fprintf(stderr, "%s\n", braid_error_message(db));
    exit(1);
}

static void begin(braid *db, const char *table)
{
    must(db, braid_register_temporal(db, table, NULL));
}

static braid *open_with(const char *name, const char *sql)
{
    braid *db = support_open(name);
    support_exec(db, sql);
    begin(db, "t");
    return db;
}

static const char feed[] =
    "SELECT operation, a, b FROM braid_changes('t')";
static const char versions[] =
    "SELECT a, b, _braid_operation, _braid_valid_to IS NULL FROM t FOR SYSTEM_TIME ALL"
    " ORDER BY _braid_valid_from, a";

// ---- what a history shows --------------------------------------------------------------------

static void test_every_change_is_a_version(void)
{
    braid *db = open_with("versions", "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    support_exec(db, "BEGIN; INSERT INTO t VALUES(1, 'x'); UPDATE t SET b = 'y'; UPDATE t SET a = 2;"
                     " DELETE FROM t; INSERT INTO t VALUES(2, 1.0); COMMIT");
    check_text(db, feed, "I 1 x;U 1 y;D 1 y;I 2 y;D 2 y;I 2 1");
    check_text(db, versions, "1 x I 0;1 y U 0;1 y D 0;2 y I 0;2 y D 0;2 1 I 1");
    check_text(db, "SELECT seq FROM braid_changes('t', 5)", "5;6");
    check_text(db, "SELECT f.a FROM braid_changes('t', 2 + 4) AS f", "2");
    check_text(db, "SELECT count(*) FROM t FOR SYSTEM_TIME ALL v JOIN t ON t.a = v.a", "3");
    check_text(db, "SELECT t.a, typeof(t.b) FROM t FOR SYSTEM_TIME AS OF 'now'", "2 real");
    check_text(db, "SELECT * FROM t", "2 1");
    must(db, braid_check(db, NULL));
    must(db, braid_close(db));
}

static void test_times_are_texts_or_microseconds(void)
{
    braid *db = open_with("times", "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    support_exec(db, "INSERT INTO t VALUES(1, 'x'); UPDATE t SET b = 'y';"
                     "UPDATE _braid_change_1 SET _braid_at = 1577934245000000 + _braid_seq");
    must(db, braid_rebuild(db));
    static const char *const at_first[] = {
        "1577934245000001", "'2020-01-02 03:04:05.000001'", "'2020-01-02T03:04:05.0000019Z'",
        "'2020-01-02 04:04:05.000001+01:00'", "'2020-01-02 00:34:05.000001 -02:30'",
        "datetime('2020-01-02 03:04:04', '+1 second') || '.000001'", "1577934245000000 + 1"};
    static const char *const before[] = {"'2020-01-02 03:04:05'", "'2020-01-02 03:04'",
                                         "'2020-01-02'", "0", "NULL"};
    char sql[300];
    for (size_t i = 0; i < sizeof at_first / sizeof *at_first; i++) {
        snprintf(sql, sizeof sql, "SELECT b FROM t FOR SYSTEM_TIME AS OF %s", at_first[i]);
        check_text(db, sql, "x");
    }
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        snprintf(sql, sizeof sql, "SELECT b FROM t FOR SYSTEM_TIME AS OF %s", before[i]);
        check_text(db, sql, "");
    }
    check_text(db, "SELECT _braid_valid_from, _braid_valid_to FROM t FOR SYSTEM_TIME ALL ORDER BY 1",
               "2020-01-02 03:04:05.000001 2020-01-02 03:04:05.000002;"
               "2020-01-02 03:04:05.000002 -");
    check_text(db,
               "SELECT b, _braid_valid_to FROM t FOR SYSTEM_TIME AS OF '2020-01-02 03:04:05.000001'",
               "x 2020-01-02 03:04:05.000002");
    check_text(db, "SELECT b FROM t FOR SYSTEM_TIME BETWEEN '2020-01-01' AND '2020-01-02'", "");
    check_text(db, "SELECT b FROM t FOR SYSTEM_TIME BETWEEN 0 AND 1577934245000001", "x");
    check_text(db, "SELECT b FROM t FOR SYSTEM_TIME FROM 0 TO 1577934245000001", "");
    check_text(db, "SELECT b FROM t FOR SYSTEM_TIME FROM 1577934245000002 TO 'now'", "y");
    must(db, braid_close(db));
}

static void test_wrong_times_and_names_are_errors(void)
{
    braid *db = open_with("errors", "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES"
                                    "(1, 2); CREATE TABLE u(a)");
    check_text(db, "SELECT * FROM t FOR SYSTEM_TIME AS OF 'yesterday'",
               "'yesterday' is no time of a history: expected YYYY-MM-DD HH:MM:SS.SSSSSS in UTC, or"
               " microseconds since 1970");
    check_text(db, "SELECT * FROM t FOR SYSTEM_TIME AS OF b",
               "a time of a history can have neither columns nor subqueries");
    check_text(db, "SELECT * FROM t FOR SYSTEM_TIME AS OF (SELECT 1)",
               "a time of a history can have neither columns nor subqueries");
    check_text(db, "SELECT * FROM u FOR SYSTEM_TIME ALL", "table 'u' has no history");
    check_text(db, "SELECT * FROM braid_changes('nothing')", "table 'nothing' has no history");
    check_text(db, "SELECT z FROM t FOR SYSTEM_TIME ALL", "no such column: z");
    char text[200];
    run_text(db, "SELECT * FROM t FOR SYSTEM_TIME", BRAID_ENGINE_AUTO, text, sizeof text);
    CHECK(strstr(text, "syntax error") != NULL);
    run_text(db, "SELECT * FROM braid_changes(t)", BRAID_ENGINE_AUTO, text, sizeof text);
    CHECK(text[0] != '\0');
    // To SQLite, and so to us, FOR is a name.
    check_text(db, "SELECT for.a FROM t for", "1");
    must(db, braid_close(db));
}

static void test_transactions_see_their_own_versions(void)
{
    braid *db = open_with("inside", "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    char text[100];
    support_exec(db, "BEGIN; INSERT INTO t VALUES(1, 2)");
    run_text(db, "SELECT count(*) FROM t FOR SYSTEM_TIME ALL", BRAID_ENGINE_AUTO, text,
             sizeof text);
    CHECK_TEXT(text, "1");
    CHECK_INT(braid_register_temporal(db, "t", NULL), BRAID_MISUSE);
    CHECK_INT(braid_unregister_temporal(db, "t", 0), BRAID_MISUSE);
    support_exec(db, "ROLLBACK");
    check_text(db, "SELECT count(*) FROM t FOR SYSTEM_TIME ALL", "0");
    must(db, braid_close(db));
}

// ---- rows that go without a trigger ----------------------------------------------------------

static void test_replaced_rows_end(void)
{
    braid *db = open_with("replace", "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE);"
                                     "INSERT INTO t VALUES(1, 10), (2, 20), (3, 30)");
    support_exec(db, "REPLACE INTO t VALUES(1, 20); INSERT OR IGNORE INTO t VALUES(4, 30);"
                     "DELETE FROM t WHERE a = 3; INSERT INTO t VALUES(5, 30);"
                     "UPDATE OR REPLACE t SET b = 30 WHERE a = 1;"
                     "INSERT INTO t VALUES(6, 30) ON CONFLICT(b) DO UPDATE SET b = 31;"
                     "UPDATE OR REPLACE t SET a = 7, b = 1 WHERE a = 1");
    check_text(db, feed,
               "I 1 10;I 2 20;I 3 30;D 2 20;I 1 20;D 3 30;I 5 30;D 5 30;U 1 30;U 1 31;D 1 31;I 7 1");
    check_text(db, "SELECT a, b FROM t FOR SYSTEM_TIME AS OF 'now'", "7 1");
    must(db, braid_close(db));
}

static void test_cascades_and_triggers_are_told(void)
{
    braid *db = support_open("cascade");
    support_exec(db, "PRAGMA foreign_keys = 1; CREATE TABLE p(id INTEGER PRIMARY KEY);"
                     "CREATE TABLE t(a INTEGER PRIMARY KEY, b REFERENCES p ON DELETE CASCADE);"
                     "CREATE TRIGGER mine AFTER INSERT ON t BEGIN UPDATE t SET b = b WHERE a = NEW.a;"
                     " END; INSERT INTO p VALUES(1)");
    begin(db, "t");
    support_exec(db, "INSERT INTO t VALUES(5, 1)");
    check_text(db, feed, "I 5 1;U 5 1");
    // A trigger that comes later would run before ours, until the next look.
    support_exec(db, "CREATE TRIGGER second AFTER INSERT ON t BEGIN UPDATE t SET b = NULL WHERE"
                     " a = NEW.a; END");
    must(db, braid_sync(db));
    support_exec(db, "INSERT INTO t VALUES(6, 1); DELETE FROM p");
    check_text(db, "SELECT a, b FROM t FOR SYSTEM_TIME AS OF 'now'", "6 -");
    check_text(db, "SELECT a, b FROM t", "6 -");
    must(db, braid_close(db));
}

// ---- what becomes of the table ---------------------------------------------------------------

static void test_columns_come_and_change_names(void)
{
    braid *db = open_with("columns", "CREATE TABLE t(a INTEGER PRIMARY KEY, b);"
                                     "INSERT INTO t VALUES(1, 2)");
    support_exec(db, "ALTER TABLE t ADD COLUMN c DEFAULT 5; ALTER TABLE t RENAME COLUMN b TO n");
    must(db, braid_sync(db));
    support_exec(db, "UPDATE t SET c = 6");
    check_text(db, "SELECT a, n, c, _braid_operation FROM t FOR SYSTEM_TIME ALL"
                   " ORDER BY _braid_valid_from",
               "1 2 5 I;1 2 6 U");
    support_exec(db, "ALTER TABLE t RENAME COLUMN a TO key");
    check_text(db, "SELECT key, n, c FROM t FOR SYSTEM_TIME AS OF 'now'", "1 2 6");
    CHECK_INT(braid_exec(db, "ALTER TABLE t DROP COLUMN n"), BRAID_RUNTIME);
    must(db, braid_drop_column(db, "t", "n"));
    check_text(db, "SELECT count(*) FROM braid_changes('t')", "2");
    support_exec(db, "UPDATE t SET c = 7");
    check_text(db, "SELECT key, c, _braid_operation FROM t FOR SYSTEM_TIME ALL"
                   " ORDER BY _braid_valid_from",
               "1 5 I;1 6 U;1 7 U");
    must(db, braid_unregister_temporal(db, "t", 1));
    support_exec(db, "UPDATE t SET c = 6; ALTER TABLE t ADD COLUMN late");
    begin(db, "t");
    check_text(db, "SELECT key, c FROM t FOR SYSTEM_TIME AS OF 'now'", "1 6");
    check_text(db, "SELECT n FROM t FOR SYSTEM_TIME ALL", "no such column: n");
    must(db, braid_close(db));
}

static void test_tables_change_names_and_go(void)
{
    braid *db = open_with("names", "CREATE TABLE t(a INTEGER PRIMARY KEY, b);"
                                   "INSERT INTO t VALUES(1, 2)");
    support_exec(db, "ALTER TABLE t RENAME TO \"new t\"; UPDATE \"new t\" SET b = 3");
    check_text(db, "SELECT a, b FROM \"new t\" FOR SYSTEM_TIME ALL ORDER BY b", "1 2;1 3");
    support_exec(db, "ALTER TABLE \"new t\" RENAME TO t");
    must(db, braid_sync(db));
    support_exec(db, "DROP TABLE t");
    check_text(db, feed, "I 1 2;U 1 3;D 1 3");
    check_text(db, "SELECT a, b FROM t FOR SYSTEM_TIME AS OF 'now'", "");
    // Another table of that name goes on, also with another key.
    support_exec(db, "CREATE TABLE t(b INTEGER PRIMARY KEY, a, d); INSERT INTO t VALUES(2, 9, 9)");
    check_text(db, "SELECT operation, b, a, d FROM braid_changes('t')", "I 2 9 9");
    check_text(db, "SELECT a, b FROM \"t before 2\" FOR SYSTEM_TIME ALL ORDER BY b, _braid_valid_from",
               "1 2;1 3;1 3");
    must(db, braid_close(db));
}

static void test_vacuum_gives_rows_new_numbers(void)
{
    braid *db = open_with("vacuum", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)");
    support_exec(db, "DELETE FROM t WHERE a = 1; VACUUM");
    check_text(db, "SELECT a, b FROM t FOR SYSTEM_TIME AS OF 'now' ORDER BY a", "2 2;3 3");
    support_exec(db, "UPDATE t SET b = 4 WHERE a = 3");
    check_text(db, "SELECT a, b FROM t FOR SYSTEM_TIME AS OF 'now' ORDER BY a", "2 2;3 4");
    must(db, braid_check(db, NULL));
    must(db, braid_close(db));
}

static void test_switching_keeps_what_is_known(void)
{
    braid *db = open_with("switch", "CREATE TABLE t(a INTEGER PRIMARY KEY, b);"
                                    "INSERT INTO t VALUES(1, 1), (2, 2), (3, 'x')");
    must(db, braid_unregister_temporal(db, "t", 1));
    support_exec(db, "UPDATE t SET b = 5 WHERE a = 1; DELETE FROM t WHERE a = 2;"
                     "INSERT INTO t VALUES(4, 4)");
    check_text(db, feed, "I 1 1;I 2 2;I 3 x");
    begin(db, "t");
    check_text(db, feed, "I 1 1;I 2 2;I 3 x;D 2 2;U 1 5;I 4 4");
    begin(db, "t");
    check_text(db, "SELECT count(*) FROM braid_changes('t')", "6");
    must(db, braid_unregister_temporal(db, "t", 0));
    check_text(db, feed, "table 't' has no history");
    CHECK_INT(braid_unregister_temporal(db, "t", 0), BRAID_MISUSE);
    check_text(db, "SELECT count(*) FROM sqlite_schema WHERE name GLOB '_braid_change*'"
                   " OR name GLOB '_braid_history*' OR name GLOB '_braid_replaced*'",
               "0");
    must(db, braid_close(db));
}

// Versions are a quarter of an hour apart, long ago; the last statement is now.
static braid *open_old(const char *name)
{
    braid *db = open_with(name, "CREATE TABLE t(a INT, b INT, x, PRIMARY KEY(a, b)) WITHOUT ROWID");
    support_exec(db, "INSERT INTO t VALUES(1, 1, 1), (2, 2, 1), (3, 3, 1); UPDATE t SET x = 2;"
                     "UPDATE t SET x = 3 WHERE a < 3; DELETE FROM t WHERE a = 2;"
                     "UPDATE _braid_change_1 SET _braid_at = _braid_seq * 1000000000;"
                     "INSERT INTO t VALUES(4, 4, 1)");
    must(db, braid_rebuild(db));
    return db;
}

static void keep(braid *db, int64_t keep_us, int64_t keep_versions)
{
    braid_temporal_options options = {
        .size = sizeof options, .keep_us = keep_us, .keep_versions = keep_versions};
    must(db, braid_register_temporal(db, "t", &options));
    must(db, braid_sync(db));
    must(db, braid_checkpoint(db));
}

static void test_old_versions_are_forgotten(void)
{
    static const char what[] = "SELECT a, x, operation FROM braid_changes('t') ORDER BY a, seq";
    braid *db = open_old("aged");
    sqlite3_int64 since_1970_us = (sqlite3_int64)time(NULL) * 1000000;
    keep(db, since_1970_us - 5500000000, 0);
    check_text(db, what, "1 2 U;1 3 U;2 2 U;2 3 U;2 3 D;3 1 I;3 2 U;4 1 I");
    keep(db, since_1970_us - 100000000000, 0);
    check_text(db, what, "1 3 U;3 2 U;4 1 I");
    check_text(db, "SELECT a, x FROM t FOR SYSTEM_TIME AS OF 'now' ORDER BY a", "1 3;3 2;4 1");
    must(db, braid_check(db, NULL));
    must(db, braid_close(db));
}

static void test_too_many_versions_are_forgotten(void)
{
    static const char what[] = "SELECT a, x, operation FROM braid_changes('t') ORDER BY a, seq";
    braid *db = open_old("counted");
    keep(db, 0, 2);
    check_text(db, what, "1 2 U;1 3 U;2 3 U;2 3 D;3 1 I;3 2 U;4 1 I");
    support_exec(db, "UPDATE t SET x = 9 WHERE a = 1; UPDATE t SET x = 10 WHERE a = 1");
    keep(db, 0, 0);
    check_text(db, "SELECT count(*) FROM braid_changes('t')", "9");
    keep(db, 0, 1);
    check_text(db, what, "1 10 U;2 3 D;3 2 U;4 1 I");
    must(db, braid_unregister_temporal(db, "t", 1));
    check_text(db, "SELECT a, x FROM t FOR SYSTEM_TIME AS OF 'now' ORDER BY a", "1 10;3 2;4 1");
    must(db, braid_check(db, NULL));
    must(db, braid_close(db));
}

static void test_several_handles_share_a_history(void)
{
    braid *first = support_open("shared"), *second = support_open("shared"), *reader = NULL;
    support_exec(first, "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1, 1)");
    begin(second, "t");
    support_exec(second, "UPDATE t SET b = 2");
    check_text(first, feed, "I 1 1;U 1 2");
    support_exec(first, "ALTER TABLE t ADD COLUMN c; DELETE FROM t");
    check_text(second, feed, "I 1 1;U 1 2;D 1 2");
    braid_config config = support_config();
    config.read_only = 1;
    must(reader, braid_open(support_path("shared"), &config, &reader));
    check_text(reader, feed, "I 1 1;U 1 2;D 1 2");
    CHECK_INT(braid_unregister_temporal(reader, "t", 0), BRAID_READONLY);
    must(reader, braid_close(reader));
    must(second, braid_close(second));
    must(first, braid_close(first));
}

static void test_what_cannot_be_temporal_says_why(void)
{
    braid *db = support_open("refused");
    support_exec(db, "CREATE TABLE e(a); CREATE UNIQUE INDEX ei ON e(abs(a));"
                     "CREATE TABLE r(rowid, _rowid_, oid); CREATE TABLE b(_braid_x);"
                     "CREATE VIEW v AS SELECT 1; CREATE VIRTUAL TABLE f USING fts5(x)");
    static const char *const names[] = {"e", "r", "b", "v", "f", "nothing", "_braid_log"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK_INT(braid_register_temporal(db, names[i], NULL), BRAID_MISUSE);
        CHECK(braid_error_message(db)[0] != '\0');
    }
    braid_temporal_options options = {.size = sizeof options, .keep_us = -1};
    CHECK_INT(braid_register_temporal(db, "e", &options), BRAID_MISUSE);
    must(db, braid_close(db));
}

static void test_detach_leaves_nothing(void)
{
    braid *db = open_with("detach", "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE)");
    must(db, braid_close(db));
    CHECK_INT(braid_detach(support_path("detach"), NULL, 0), BRAID_OK);
    sqlite3 *plain;
    sqlite3_stmt *statement;
    if (sqlite3_open(support_path("detach"), &plain) != SQLITE_OK) exit(1);
    if (sqlite3_prepare_v2(plain, "SELECT count(*) FROM sqlite_schema", -1, &statement, NULL) != 0)
        exit(1);
    CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
    CHECK_INT(sqlite3_column_int(statement, 0), 2);
    sqlite3_finalize(statement);
    sqlite3_close(plain);
}

int main(void)
{
    support_begin();
    RUN(test_every_change_is_a_version);
    RUN(test_times_are_texts_or_microseconds);
    RUN(test_wrong_times_and_names_are_errors);
    RUN(test_transactions_see_their_own_versions);
    RUN(test_replaced_rows_end);
    RUN(test_cascades_and_triggers_are_told);
    RUN(test_columns_come_and_change_names);
    RUN(test_tables_change_names_and_go);
    RUN(test_vacuum_gives_rows_new_numbers);
    RUN(test_switching_keeps_what_is_known);
    RUN(test_old_versions_are_forgotten);
    RUN(test_too_many_versions_are_forgotten);
    RUN(test_several_handles_share_a_history);
    RUN(test_what_cannot_be_temporal_says_why);
    RUN(test_detach_leaves_nothing);
    return support_end();
}
