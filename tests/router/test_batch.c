// braid_exec_batch and braid_run_batch: all or nothing, and which one failed.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

static braid *open_with_table(const char *name)
{
    braid *db = support_open(name);
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b NOT NULL DEFAULT 0);"
                     "INSERT INTO t VALUES(1, 'one', 1)");
    return db;
}

static void test_batch_of_statements(void)
{
    braid *db = open_with_table("statements.db");
    const char *const texts[] = {
        "INSERT INTO t(a) VALUES('two')",
        "UPDATE t SET b = b + 10; -- two in one text\n DELETE FROM t WHERE id = 1",
        "", "-- nothing",
        "CREATE TABLE u AS SELECT * FROM t",
    };
    size_t failed = 99;
    CHECK_INT(braid_exec_batch(db, texts, 5, &failed), BRAID_OK);
    CHECK_INT(failed, 5);
    CHECK_INT(support_int(db, "SELECT id * 100 + b FROM u"), 210);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);
    CHECK_INT(braid_exec_batch(db, NULL, 0, NULL), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_batch_of_statements_fails_as_a_whole(void)
{
    braid *db = open_with_table("whole.db");
    const char *const conflict[] = {"DELETE FROM t", "INSERT INTO t VALUES(1, 2, NULL)"};
    const char *const wrong[] = {"DELETE FROM t", "SELECT 1; SELEC 2", "DELETE FROM t"};
    size_t failed = 99;
    CHECK_INT(braid_exec_batch(db, conflict, 2, &failed), BRAID_RUNTIME);
    CHECK_INT(failed, 1);
    CHECK_TEXT(braid_error_message(db), "statement 1: NOT NULL constraint failed: t.b");
    CHECK_INT(braid_exec_batch(db, wrong, 3, &failed), BRAID_SQL);
    CHECK_INT(failed, 1);
    CHECK_INT(braid_error_offset(db), 10);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_batch_may_not_hold_a_transaction(void)
{
    static const char *const controls[] = {"BEGIN", " /* x */ commit;", "--\nEND TRANSACTION",
                                           "ROLLBACK", "SAVEPOINT s", "RELEASE s",
                                           "SELECT 1; BEGIN IMMEDIATE"};
    braid *db = open_with_table("control.db");
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        const char *texts[] = {"DELETE FROM t", controls[i]};
        size_t failed = 99;
        braid_status status = braid_exec_batch(db, texts, 2, &failed);
        // SQLite may refuse to compile a RELEASE without its SAVEPOINT: either way, not run.
        CHECK_INT(status, BRAID_MISUSE);
        CHECK_INT(failed, 1);
        CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_batch_inside_an_open_transaction(void)
{
    braid *db = open_with_table("nested.db");
    const char *const good[] = {"INSERT INTO t(a) VALUES(2)"};
    const char *const bad[] = {"INSERT INTO t(a) VALUES(3)", "INSERT INTO t(id) VALUES(1)"};
    support_exec(db, "BEGIN");
    support_exec(db, "INSERT INTO t(a) VALUES('before')");
    CHECK_INT(braid_exec_batch(db, good, 1, NULL), BRAID_OK);
    CHECK_INT(braid_exec_batch(db, bad, 2, NULL), BRAID_RUNTIME);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 3);
    support_exec(db, "ROLLBACK");
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_batch_whose_commit_fails(void)
{
    braid *db = support_open("deferred.db");
    support_exec(db, "PRAGMA foreign_keys = ON; CREATE TABLE p(id INTEGER PRIMARY KEY);"
                     "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
    const char *const orphan[] = {"INSERT INTO p VALUES(1)", "INSERT INTO c VALUES(2)"};
    size_t failed = 99;
    CHECK_INT(braid_exec_batch(db, orphan, 2, &failed), BRAID_RUNTIME);
    CHECK_INT(failed, 2);
    CHECK_INT(support_int(db, "SELECT count(*) FROM p"), 0);
    support_exec(db, "INSERT INTO p VALUES(7)");  // no transaction is left open
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_rows_of_every_type(void)
{
    braid *db = open_with_table("rows.db");
    const int64_t ids[] = {10, 11, 12};
    const braid_value any[] = {
        {.type = BRAID_TEXT, .as.text = {.data = "x\0y", .size = 3}},
        {.type = BRAID_NULL},
        {.type = BRAID_BLOB, .as.text = {.data = "\xff", .size = 1}},
    };
    const double reals[] = {0.5, -1, 2};
    const uint64_t validity = 5;
    const braid_column columns[] = {
        {.type = BRAID_INTEGER, .as.integers = ids},
        {.type = BRAID_ANY, .as.values = any},
        {.type = BRAID_REAL, .validity = &validity, .as.reals = reals},
    };
    const braid_chunk chunk = {.row_count = 3, .column_count = 3, .columns = columns};
    braid_statement *insert = support_prepare(db, "INSERT INTO t VALUES(?1, ?2, coalesce(?3, 9))");
    size_t failed = 99;
    CHECK_INT(braid_run_batch(insert, &chunk, &failed), BRAID_OK);
    CHECK_INT(failed, 3);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t WHERE id = 10 AND hex(a) = '780079'"
                              " AND typeof(a) = 'text' AND b = 0.5"), 1);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t WHERE id = 11 AND a IS NULL AND b = 9"), 1);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t WHERE id = 12 AND a = x'ff' AND b = 2"), 1);
    CHECK_INT(braid_run_batch(insert, &chunk, &failed), BRAID_RUNTIME);
    CHECK_INT(failed, 0);
    CHECK_TEXT(braid_error_message(db), "row 0: UNIQUE constraint failed: t.id");
    braid_statement_close(insert);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_rows_fail_as_a_whole_and_leave_bindings(void)
{
    braid *db = open_with_table("bindings.db");
    const int64_t ids[] = {5, 6, 1, 7};
    const braid_column column = {.type = BRAID_INTEGER, .as.integers = ids};
    const braid_chunk chunk = {.row_count = 4, .column_count = 1, .columns = &column};
    braid_statement *insert = support_prepare(db, "INSERT INTO t(id) VALUES(?)");
    size_t failed = 99;
    CHECK_INT(braid_bind_int64(insert, 1, 77), BRAID_OK);
    CHECK_INT(braid_run_batch(insert, &chunk, &failed), BRAID_RUNTIME);
    CHECK_INT(failed, 2);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);
    CHECK_INT(braid_run(insert, NULL), BRAID_OK);
    CHECK_INT(support_int(db, "SELECT max(id) FROM t"), 77);
    braid_statement_close(insert);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_what_is_no_batch(void)
{
    braid *db = open_with_table("misuse.db");
    const braid_column null = {.type = BRAID_NULL}, empty = {.type = BRAID_TEXT},
                       odd = {.type = (braid_type)9};
    const braid_chunk good = {.row_count = 1, .column_count = 1, .columns = &null};
    const braid_chunk none = {.row_count = 1}, no_values = {1, 1, &empty}, no_type = {1, 1, &odd};
    braid_statement *insert = support_prepare(db, "INSERT INTO t(a) VALUES(?)");
    braid_statement *select = support_prepare(db, "SELECT ?");
    braid_statement *commit = support_prepare(db, "COMMIT");
    CHECK_INT(braid_run_batch(select, &good, NULL), BRAID_MISUSE);
    CHECK_INT(braid_run_batch(commit, &none, NULL), BRAID_MISUSE);
    CHECK_INT(braid_run_batch(insert, &none, NULL), BRAID_MISUSE);
    CHECK_TEXT(braid_error_message(db), "0 columns for 1 parameters");
    CHECK_INT(braid_run_batch(insert, &no_values, NULL), BRAID_MISUSE);
    CHECK_INT(braid_run_batch(insert, &no_type, NULL), BRAID_MISUSE);
    CHECK_INT(braid_run_batch(insert, &good, NULL), BRAID_OK);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 2);
    braid_statement_close(insert);
    braid_statement_close(select);
    braid_statement_close(commit);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_batch_of_statements);
    RUN(test_batch_of_statements_fails_as_a_whole);
    RUN(test_batch_may_not_hold_a_transaction);
    RUN(test_batch_inside_an_open_transaction);
    RUN(test_batch_whose_commit_fails);
    RUN(test_rows_of_every_type);
    RUN(test_rows_fail_as_a_whole_and_leave_bindings);
    RUN(test_what_is_no_batch);
    return support_end();
}
