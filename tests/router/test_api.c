// The public API: opening, errors, statements, parameters, transactions.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

// ---- versions and names ----------------------------------------------------------------------

static void test_version_and_names(void)
{
    CHECK(braid_version()[0] != 0);
    CHECK_TEXT(braid_status_name(BRAID_OK), "ok");
    CHECK_TEXT(braid_status_name(BRAID_BUSY), "busy");
    CHECK_TEXT(braid_status_name(BRAID_INTERNAL), "internal error");
    CHECK_TEXT(braid_status_name((braid_status)99), "unknown status");
    CHECK_TEXT(braid_error_message(NULL), "no database handle");
    CHECK_INT(braid_error_offset(NULL), -1);
    CHECK_INT(braid_close(NULL), BRAID_OK);
    braid_statement_close(NULL);
    braid_result_free(NULL);
    braid_free(NULL);
}

static void test_config_has_defaults(void)
{
    braid_config config;
    memset(&config, 0xff, sizeof config);
    braid_config_init(&config);
    CHECK_INT(config.size, sizeof config);
    CHECK_INT(config.create, 0);
    CHECK_INT(config.engine, BRAID_ENGINE_AUTO);
    CHECK_INT(config.freshness, BRAID_FRESH_STRICT);
    CHECK(config.exclude == NULL);
}

// ---- opening ---------------------------------------------------------------------------------

// Opens, expects a failure, and gives the handle that tells about it.
static braid *open_fails(const char *path, const braid_config *config, braid_status want)
{
    braid *db = NULL;
    CHECK_INT(braid_open(path, config, &db), want);
    CHECK(db != NULL);
    CHECK(braid_error_message(db)[0] != 0);
    return db;
}

static void test_open_without_path_is_misuse(void)
{
    braid *db = open_fails(NULL, NULL, BRAID_MISUSE);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_open_missing_file_without_create_fails(void)
{
    braid *db = open_fails(support_path("missing.db"), NULL, BRAID_IO);
    CHECK(strstr(braid_error_message(db), "missing.db") != NULL);
    CHECK_INT(braid_close(db), BRAID_OK);
    CHECK(access(support_path("missing.db"), F_OK) != 0);
    CHECK(access(support_path("missing.db-braid"), F_OK) != 0);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(support_path(name), "w");
    if (file == NULL) exit(2);
    for (int i = 0; i < 200; i++) fputs(text, file);
    fclose(file);
}

static void test_open_what_is_not_a_database_fails(void)
{
    write_file("text.db", "not a database at all\n");
    braid *db = open_fails(support_path("text.db"), NULL, BRAID_NOT_DATABASE);
    CHECK(strstr(braid_error_message(db), "text.db") != NULL);
    // Every other call refuses such a handle, and none of them fails badly.
    braid_result *result;
    braid_statement *statement;
    char *text;
    CHECK_INT(braid_exec(db, "SELECT 1"), BRAID_MISUSE);
    CHECK_INT(braid_query(db, "SELECT 1", &result), BRAID_MISUSE);
    CHECK(result == NULL);
    CHECK_INT(braid_prepare(db, "SELECT 1", &statement, NULL), BRAID_MISUSE);
    CHECK(statement == NULL);
    CHECK_INT(braid_explain(db, "SELECT 1", &text), BRAID_MISUSE);
    CHECK_INT(braid_status_json(db, &text), BRAID_MISUSE);
    CHECK_INT(braid_sync(db), BRAID_MISUSE);
    CHECK_INT(braid_checkpoint(db), BRAID_MISUSE);
    CHECK_INT(braid_compact(db), BRAID_MISUSE);
    CHECK_INT(braid_check(db, NULL), BRAID_MISUSE);
    CHECK_INT(braid_rebuild(db), BRAID_MISUSE);
    CHECK_INT(braid_changes(db), 0);
    CHECK_INT(braid_last_rowid(db), 0);
    braid_interrupt(db);
    CHECK_INT(braid_close(db), BRAID_OK);
    CHECK(access(support_path("text.db-braid"), F_OK) != 0);
}

static void test_open_folder_fails(void)
{
    braid_config config = support_config();
    braid *db = NULL;
    CHECK(braid_open(support_folder, &config, &db) != BRAID_OK);
    CHECK(braid_error_message(db)[0] != 0);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_open_locked_file_is_busy(void)
{
    sqlite3 *other = support_sqlite("locked.db", "CREATE TABLE t(a); BEGIN EXCLUSIVE");
    braid_config config = support_config();
    config.busy_timeout_ms = 50;
    braid *db = open_fails(support_path("locked.db"), &config, BRAID_BUSY);
    CHECK_INT(braid_close(db), BRAID_OK);
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(other);
    db = support_open("locked.db");
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 0);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_write_while_another_writes_is_busy(void)
{
    braid_config config = support_config();
    config.busy_timeout_ms = 50;
    braid *db = NULL;
    CHECK_INT(braid_open(support_path("busy.db"), &config, &db), BRAID_OK);
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    sqlite3 *other = support_sqlite("busy.db", "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)");
    CHECK_INT(braid_exec(db, "INSERT INTO t VALUES(3)"), BRAID_BUSY);
    CHECK(braid_error_message(db)[0] != 0);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);  // reading goes on
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(other);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 2);
    support_exec(db, "INSERT INTO t VALUES(3)");
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 3);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_read_only_refuses_writes(void)
{
    braid *db = support_open("reading.db");
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)");
    CHECK_INT(braid_close(db), BRAID_OK);
    braid_config config = support_config();
    config.read_only = 1;
    config.create = 0;
    CHECK_INT(braid_open(support_path("reading.db"), &config, &db), BRAID_OK);
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 3);
    CHECK_INT(braid_exec(db, "INSERT INTO t VALUES(3)"), BRAID_READONLY);
    CHECK(braid_error_message(db)[0] != 0);
    CHECK_INT(braid_exec(db, "CREATE TABLE u(a)"), BRAID_READONLY);
    sqlite3 *other = support_sqlite("reading.db", "INSERT INTO t VALUES(3)");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 6);
    sqlite3_close(other);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// The file's permissions, not our caller, forbid writing.
static void test_protected_file_is_read(void)
{
    if (geteuid() == 0) return;
    sqlite3 *other = support_sqlite("protected.db", "CREATE TABLE t(a); INSERT INTO t VALUES(5)");
    sqlite3_close(other);
    CHECK_INT(chmod(support_path("protected.db"), 0400), 0);
    braid *db = support_open("protected.db");
    CHECK_INT(support_int(db, "SELECT a FROM t"), 5);
    CHECK_INT(braid_exec(db, "INSERT INTO t VALUES(6)"), BRAID_READONLY);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// Nothing can be made beside the file: no WAL, no folder for the copy.
static void test_protected_folder_is_read(void)
{
    if (geteuid() == 0) return;
    CHECK_INT(mkdir(support_path("fixed"), 0700), 0);
    sqlite3 *other = support_sqlite("fixed/data.db", "CREATE TABLE t(a); INSERT INTO t VALUES(7)");
    sqlite3_close(other);
    CHECK_INT(chmod(support_path("fixed"), 0500), 0);
    braid_config config = support_config();
    for (int read_only = 0; read_only < 2; read_only++) {
        braid *db = NULL;
        config.read_only = read_only;
        config.create = 0;
        CHECK_INT(braid_open(support_path("fixed/data.db"), &config, &db), BRAID_OK);
        CHECK_INT(support_int(db, "SELECT a FROM t"), 7);
        CHECK_INT(support_int(db, "SELECT sum(a) + count(*) FROM t"), 8);
        CHECK(braid_exec(db, "INSERT INTO t VALUES(8)") != BRAID_OK);
        CHECK(braid_error_message(db)[0] != 0);
        CHECK_INT(braid_close(db), BRAID_OK);
    }
    CHECK_INT(chmod(support_path("fixed"), 0700), 0);
}

static void test_older_config_is_understood(void)
{
    braid_config config = support_config();
    config.size = offsetof(braid_config, engine);  // what comes behind keeps its default
    config.engine = BRAID_ENGINE_OLTP;
    braid *db = NULL;
    CHECK_INT(braid_open(support_path("older.db"), &config, &db), BRAID_OK);
    support_exec(db, "CREATE TABLE t(a)");
    braid_result *result = support_query(db, "SELECT count(*) FROM t, t u, t v");
    CHECK(strcmp(support_info(result).reason, "forced") != 0);
    braid_result_free(result);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- errors of SQL ---------------------------------------------------------------------------

static void check_sql_error(braid *db, const char *sql, const char *message, int offset)
{
    braid_result *result = (braid_result *)&result;
    braid_statement *statement = NULL;
    CHECK_INT(braid_query(db, sql, &result), BRAID_SQL);
    CHECK(result == NULL);
    CHECK(strstr(braid_error_message(db), message) != NULL);
    CHECK_INT(braid_error_offset(db), offset);
    // Whether it shows when preparing or when running is not promised, but the message is.
    braid_status status = braid_prepare(db, sql, &statement, NULL);
    if (status == BRAID_OK) status = braid_run(statement, &result);
    CHECK_INT(status, BRAID_SQL);
    CHECK(strstr(braid_error_message(db), message) != NULL);
    CHECK_INT(braid_error_offset(db), offset);
    braid_statement_close(statement);
}

static void test_sql_errors_say_what_and_where(void)
{
    braid *db = support_open("errors.db");
    support_exec(db, "CREATE TABLE t(a, b)");
    check_sql_error(db, "SELECT missing FROM t", "no such column: missing", 7);
    check_sql_error(db, "SELECT a FROM t WHERE frob(a)", "no such function: frob", 22);
    check_sql_error(db, "SELECT a FRM t WHERE", "syntax error", 13);
    check_sql_error(db, "SELECT * FROM nowhere", "no such table: nowhere", -1);
    CHECK_INT(braid_exec(db, "INSERT INTO t VALUES(1, 2); INSERT INTO t VALUES(1)"), BRAID_SQL);
    CHECK(strstr(braid_error_message(db), "has 2 columns but 1 values") != NULL);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);  // the first was run
    CHECK_INT(braid_exec(db, "SELECT 1; SELECT nothing"), BRAID_SQL);
    CHECK_INT(braid_error_offset(db), 17);  // counted over the whole text
    CHECK_INT(braid_exec(db, "SELECT 1"), BRAID_OK);
    CHECK_TEXT(braid_error_message(db), "");
    CHECK_INT(braid_error_offset(db), -1);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_statements_that_fail_while_running(void)
{
    braid *db = support_open("running.db");
    support_exec(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b NOT NULL); INSERT INTO t VALUES(1, 1)");
    CHECK_INT(braid_exec(db, "INSERT INTO t VALUES(1, 2)"), BRAID_RUNTIME);
    CHECK(strstr(braid_error_message(db), "UNIQUE constraint failed: t.a") != NULL);
    CHECK_INT(braid_error_offset(db), -1);
    braid_result *result = NULL;
    CHECK_INT(braid_query(db, "SELECT abs(b - 2 - 9223372036854775807) FROM t", &result),
              BRAID_RUNTIME);
    CHECK(result == NULL);
    CHECK(strstr(braid_error_message(db), "integer overflow") != NULL);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 1);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- statements and parameters ---------------------------------------------------------------

static void test_texts_of_several_statements(void)
{
    braid *db = support_open("several.db");
    const char *sql = " SELECT 1; -- first\n /* none */; CREATE TABLE t(a); SELECT 2 ";
    int64_t answers[] = {1, 2};
    int statements = 0, answered = 0;
    for (const char *rest = sql; *rest != 0;) {
        braid_statement *statement = NULL;
        braid_result *result = NULL;
        CHECK_INT(braid_prepare(db, rest, &statement, &rest), BRAID_OK);
        CHECK(rest > sql && rest <= sql + strlen(sql));
        if (statement == NULL) continue;
        statements++;
        CHECK_INT(braid_run(statement, &result), BRAID_OK);
        if (braid_column_count(result) > 0)
            CHECK_INT(braid_value_get(result, 0, 0).as.integer, answers[answered++]);
        braid_result_free(result);
        braid_statement_close(statement);
    }
    CHECK_INT(statements, 3);
    CHECK_INT(answered, 2);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 0);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_texts_without_statement(void)
{
    braid *db = support_open("nothing.db");
    const char *texts[] = {"", "  \n", "-- only a comment", "/* open", ";"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        braid_statement *statement = (braid_statement *)&statement;
        braid_result *result = NULL;
        const char *tail = NULL;
        CHECK_INT(braid_prepare(db, texts[i], &statement, &tail), BRAID_OK);
        CHECK(statement == NULL);
        CHECK(tail != NULL);
        CHECK_INT(braid_exec(db, texts[i]), BRAID_OK);
        CHECK_INT(braid_query(db, texts[i], &result), BRAID_MISUSE);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_parameters_have_names_and_numbers(void)
{
    braid *db = support_open("parameters.db");
    support_exec(db, "CREATE TABLE t(a, b, c)");
    const char *texts[] = {"SELECT a FROM t WHERE a = ?5 AND b = :b AND c = $c AND a <> ? AND b = :b",
                           "UPDATE t SET a = ?5, b = :b, c = $c WHERE a <> ? AND b = :b"};
    for (int i = 0; i < 2; i++) {
        braid_statement *statement = support_prepare(db, texts[i]);
        CHECK_INT(braid_parameter_count(statement), 8);
        CHECK_TEXT(braid_parameter_name(statement, 5), "?5");
        CHECK_TEXT(braid_parameter_name(statement, 6), ":b");
        CHECK_TEXT(braid_parameter_name(statement, 7), "$c");
        CHECK(braid_parameter_name(statement, 8) == NULL);
        CHECK(braid_parameter_name(statement, 1) == NULL);
        CHECK(braid_parameter_name(statement, 0) == NULL);
        CHECK(braid_parameter_name(statement, 9) == NULL);
        CHECK_INT(braid_parameter_index(statement, ":b"), 6);
        CHECK_INT(braid_parameter_index(statement, "$c"), 7);
        CHECK_INT(braid_parameter_index(statement, ":missing"), 0);
        CHECK_INT(braid_bind_int64(statement, 0, 1), BRAID_MISUSE);
        CHECK_INT(braid_bind_int64(statement, 9, 1), BRAID_MISUSE);
        CHECK(strstr(braid_error_message(db), "parameter 9") != NULL);
        CHECK_INT(braid_bind_int64(statement, 8, 1), BRAID_OK);
        CHECK_INT(braid_run(statement, NULL), BRAID_OK);
        braid_statement_close(statement);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

// The class and the value of one parameter, asked of an engine.
static void check_bound(braid_statement *statement, const char *class_name, const char *quoted)
{
    braid_engine engines[] = {BRAID_ENGINE_OLTP, BRAID_ENGINE_OLAP, BRAID_ENGINE_AUTO};
    for (int i = 0; i < 3; i++) {
        braid_result *result = NULL;
        braid_statement_set_engine(statement, engines[i]);
        CHECK_INT(braid_run(statement, &result), BRAID_OK);
        if (result == NULL) return;
        char text[200];
        for (uint32_t column = 0; column < 2; column++) {
            braid_value value = braid_value_get(result, 0, column);
            CHECK_INT(value.type, BRAID_TEXT);
            snprintf(text, sizeof text, "%.*s", (int)value.as.text.size, value.as.text.data);
            CHECK_TEXT(text, column == 0 ? class_name : quoted);
        }
        braid_result_free(result);
    }
}

static void test_parameters_of_every_class(void)
{
    braid *db = support_open("bind.db");
    support_exec(db, "CREATE TABLE one(a); INSERT INTO one VALUES(1)");
    braid_statement *statement = support_prepare(db, "SELECT typeof(?1), quote(?1) FROM one");
    check_bound(statement, "null", "NULL");
    CHECK_INT(braid_bind_int64(statement, 1, INT64_MIN), BRAID_OK);
    check_bound(statement, "integer", "-9223372036854775808");
    CHECK_INT(braid_bind_double(statement, 1, 0.1), BRAID_OK);
    check_bound(statement, "real", "0.1");
    CHECK_INT(braid_bind_double(statement, 1, (double)NAN), BRAID_OK);
    check_bound(statement, "null", "NULL");
    CHECK_INT(braid_bind_double(statement, 1, (double)INFINITY), BRAID_OK);
    check_bound(statement, "real", "Inf");
    char text[] = "it's";
    CHECK_INT(braid_bind_text(statement, 1, text, 4), BRAID_OK);
    memset(text, 'x', 4);  // it was copied
    check_bound(statement, "text", "'it''s'");
    CHECK_INT(braid_bind_text(statement, 1, "", 0), BRAID_OK);
    check_bound(statement, "text", "''");
    CHECK_INT(braid_bind_text(statement, 1, NULL, 0), BRAID_OK);
    check_bound(statement, "null", "NULL");
    CHECK_INT(braid_bind_blob(statement, 1, "\x00\xff", 2), BRAID_OK);
    check_bound(statement, "blob", "X'00FF'");
    CHECK_INT(braid_bind_blob(statement, 1, "", 0), BRAID_OK);
    check_bound(statement, "blob", "X''");
    CHECK_INT(braid_bind_blob(statement, 1, NULL, 5), BRAID_OK);
    check_bound(statement, "null", "NULL");
    CHECK_INT(braid_bind_text(statement, 1, "x", (size_t)1 << 40), BRAID_MISUSE);
    CHECK_INT(braid_bind_null(statement, 1), BRAID_OK);
    check_bound(statement, "null", "NULL");
    braid_statement_close(statement);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_values_stay_bound_from_run_to_run(void)
{
    braid *db = support_open("rebound.db");
    support_exec(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)");
    braid_statement *insert = support_prepare(db, "INSERT INTO t VALUES(?, ?)");
    CHECK_INT(braid_bind_text(insert, 2, "same", 4), BRAID_OK);
    for (int64_t i = 1; i <= 100; i++) {
        CHECK_INT(braid_bind_int64(insert, 1, i * 2), BRAID_OK);
        CHECK_INT(braid_run(insert, NULL), BRAID_OK);
        CHECK_INT(braid_changes(db), 1);
        CHECK_INT(braid_last_rowid(db), i * 2);
    }
    CHECK_INT(braid_run(insert, NULL), BRAID_RUNTIME);  // the same key again
    CHECK_INT(braid_bind_int64(insert, 1, 7), BRAID_OK);
    CHECK_INT(braid_run(insert, NULL), BRAID_OK);  // a failure leaves the statement usable
    braid_statement_close(insert);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t WHERE b = 'same'"), 101);
    support_exec(db, "UPDATE t SET b = 'other' WHERE a <= 20");
    CHECK_INT(braid_changes(db), 11);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// What SQLite's grammar has not never goes there, however few the rows.
static void test_qualify_is_never_sqlites(void)
{
    braid *db = support_open("qualify.db");
    const char *sql = "SELECT a FROM t QUALIFY rank() OVER (ORDER BY a DESC) = 1";
    braid_result *result = NULL;
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (3), (2)");
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, BRAID_ENGINE_AUTO);
    CHECK_INT(braid_run(statement, &result), BRAID_OK);
    CHECK_INT(braid_value_get(result, 0, 0).as.integer, 3);
    CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLAP);
    CHECK_TEXT(support_info(result).reason, "SQLite has no such clause");
    braid_result_free(result);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLTP);
    CHECK_INT(braid_run(statement, &result), BRAID_SQL);
    braid_statement_close(statement);
    check_sql_error(db, "SELECT a FROM t QUALIFY nowhere > rank() OVER ()",
                    "no such column: nowhere", 24);
    check_sql_error(db, "SELECT a FROM t QUALIFY a > 1", "QUALIFY clause on a query without", -1);
    support_exec(db, "BEGIN; INSERT INTO t VALUES(10)");
    CHECK_INT(braid_query(db, sql, &result), BRAID_UNSUPPORTED);
    CHECK(strstr(braid_error_message(db), "transaction") != NULL);
    support_exec(db, "COMMIT");
    CHECK_INT(support_int(db, sql), 10);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- transactions and sessions ---------------------------------------------------------------

static void test_queries_see_their_own_transaction(void)
{
    braid *db = support_open("own.db");
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2), (3)");
    sqlite3 *other = support_sqlite("own.db", "SELECT 1");
    support_exec(db, "BEGIN; INSERT INTO t VALUES(10); DELETE FROM t WHERE a = 1");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 15);
    braid_statement *statement = support_prepare(db, "SELECT sum(a) FROM t");
    braid_result *result = NULL;
    CHECK_INT(braid_run(statement, &result), BRAID_OK);
    CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLTP);
    CHECK(strstr(support_info(result).reason, "transaction") != NULL);
    CHECK_INT(braid_value_get(result, 0, 0).as.integer, 15);
    braid_result_free(result);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    CHECK_INT(braid_run(statement, &result), BRAID_UNSUPPORTED);
    CHECK(strstr(braid_error_message(db), "transaction") != NULL);
    CHECK_INT(braid_sync(db), BRAID_OK);  // brings nothing: it is not committed
    support_exec(db, "ROLLBACK");
    CHECK_INT(braid_run(statement, &result), BRAID_OK);
    CHECK_INT(braid_value_get(result, 0, 0).as.integer, 6);
    CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLAP);
    braid_result_free(result);
    braid_statement_close(statement);
    sqlite3_close(other);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// Its compiled form on the writer outlives the transaction, and what changes around it.
static void test_prepared_query_in_and_out_of_transactions(void)
{
    braid *db = support_open("kept.db");
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)");
    braid_statement *sum = support_prepare(db, "SELECT sum(a) + ?1 FROM t");
    static const char *const steps[] = {
        "BEGIN", "INSERT INTO t VALUES(3)", "COMMIT", "BEGIN",
        "DROP TABLE t; CREATE TABLE t(b, a); INSERT INTO t VALUES(50, 7)", "ROLLBACK",
        "CREATE TEMP TABLE t(a); INSERT INTO temp.t VALUES(100)", "DROP TABLE temp.t",
        "BEGIN; ALTER TABLE t RENAME COLUMN a TO c; ALTER TABLE t ADD COLUMN a DEFAULT 10", "COMMIT",
    };
    static const int64_t sums[] = {3, 6, 6, 6, 7, 6, 100, 6, 30, 30};
    for (int64_t i = 0; i < 10; i++) {
        braid_result *result = NULL;
        support_exec(db, steps[i]);
        CHECK_INT(braid_bind_int64(sum, 1, i * 1000), BRAID_OK);
        CHECK_INT(braid_run(sum, &result), BRAID_OK);
        CHECK_INT(braid_value_get(result, 0, 0).as.integer, sums[i] + i * 1000);
        braid_result_free(result);
    }
    braid_statement_close(sum);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_prepared_begin_and_commit(void)
{
    braid *db = support_open("begin.db");
    support_exec(db, "CREATE TABLE t(a)");
    braid_statement *begin = support_prepare(db, "BEGIN"), *commit = support_prepare(db, "COMMIT");
    for (int round = 0; round < 3; round++) {
        CHECK_INT(braid_run(begin, NULL), BRAID_OK);
        support_exec(db, "INSERT INTO t VALUES(1)");
        CHECK_INT(support_int(db, "SELECT count(*) FROM t"), round + 1);
        CHECK_INT(braid_run(begin, NULL), BRAID_RUNTIME);  // no transaction within a transaction
        CHECK_INT(braid_run(commit, NULL), BRAID_OK);
    }
    CHECK_INT(braid_run(commit, NULL), BRAID_RUNTIME);
    braid_statement_close(begin);
    braid_statement_close(commit);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// On the columnar engine when it can be, in any case with this sum.
static void check_session(braid *db, const char *sql, int64_t sum, bool is_native)
{
    braid_result *result = NULL;
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    int code = braid_run(statement, &result);
    if (code != (is_native ? BRAID_OK : BRAID_UNSUPPORTED))
        fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    CHECK_INT(code, is_native ? BRAID_OK : BRAID_UNSUPPORTED);
    if (code == BRAID_OK) CHECK_INT(braid_value_get(result, 0, 0).as.integer, sum);
    braid_result_free(result);
    braid_statement_close(statement);
    CHECK_INT(support_int(db, sql), sum);
}

static void test_names_in_a_session(void)
{
    braid *db = support_open("names.db");
    sqlite3_close(support_sqlite("far.db", "CREATE TABLE far(a); INSERT INTO far VALUES(40);"
                                           "CREATE TABLE u(a)"));
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2); CREATE TABLE u(a);"
                     "INSERT INTO u VALUES(5); CREATE VIEW w AS SELECT a FROM t");
    check_session(db, "SELECT sum(a) FROM t", 3, true);
    support_exec(db, "CREATE TEMP TABLE T(a); INSERT INTO temp.t VALUES(100);"
                     "CREATE TEMP VIEW json_each AS SELECT 7 AS value");
    check_session(db, "SELECT sum(a) FROM t", 100, false);
    check_session(db, "SELECT sum(a) FROM main.t", 3, true);
    check_session(db, "SELECT sum(a) FROM u WHERE a IN (SELECT 5)", 5, true);
    check_session(db, "SELECT sum(a) FROM u WHERE a + 95 IN t", 5, false);
    check_session(db, "SELECT sum(value) FROM json_each", 7, false);
    check_session(db, "WITH t AS (SELECT 8 AS a) SELECT sum(a) FROM t", 8, true);
    check_session(db, "SELECT count(*) FROM sqlite_schema WHERE name = 't'", 1, true);
    check_session(db, "SELECT count(*) FROM sqlite_temp_schema", 2, false);
    check_session(db, "SELECT count(*) FROM pragma_database_list", 2, false);
    support_exec(db, "BEGIN; DROP TABLE temp.t");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 3);
    support_exec(db, "ROLLBACK");
    check_session(db, "SELECT sum(a) FROM t", 100, false);
    support_exec(db, "ALTER TABLE t RENAME TO u");
    check_session(db, "SELECT sum(a) FROM u", 100, false);
    check_session(db, "SELECT sum(a) FROM t", 3, true);
    support_exec(db, "DROP TABLE temp.u; DROP VIEW temp.json_each");
    check_session(db, "SELECT sum(a) FROM u", 5, true);
    char sql[300];
    snprintf(sql, sizeof sql, "ATTACH '%s' AS other", support_path("far.db"));
    support_exec(db, sql);
    check_session(db, "SELECT sum(a) FROM u", 5, true);
    check_session(db, "SELECT sum(a) FROM far", 40, false);
    check_session(db, "SELECT count(*) FROM other.u", 0, false);
    check_session(db, "SELECT count(*) FROM pragma_table_info('far')", 1, false);
    support_exec(db, "INSERT INTO other.u SELECT sum(a) FROM t GROUP BY a");
    check_session(db, "SELECT sum(a) FROM other.u", 3, false);
    support_exec(db, "DETACH other");
    check_session(db, "SELECT count(*) FROM pragma_table_info('u')", 1, true);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_temporary_tables_and_attached_files(void)
{
    braid *db = support_open("session.db");
    sqlite3_close(support_sqlite("attached.db", "CREATE TABLE far(a); INSERT INTO far VALUES(40)"));
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)");
    support_exec(db, "CREATE TEMP TABLE t(a); INSERT INTO temp.t VALUES(100)");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 100);  // the temporary one hides the other
    CHECK_INT(support_int(db, "SELECT sum(a) FROM main.t"), 3);
    support_exec(db, "DROP TABLE temp.t");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 3);
    char sql[300];
    snprintf(sql, sizeof sql, "ATTACH '%s' AS other", support_path("attached.db"));
    support_exec(db, sql);
    CHECK_INT(support_int(db, "SELECT sum(t.a + far.a) FROM t, other.far"), 83);
    support_exec(db, "DETACH other");
    braid_statement *statement = support_prepare(db, "SELECT sum(a) FROM t");
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    braid_result *result = NULL;
    CHECK_INT(braid_run(statement, &result), BRAID_OK);  // the session is an ordinary one again
    CHECK_INT(braid_value_get(result, 0, 0).as.integer, 3);
    braid_result_free(result);
    braid_statement_close(statement);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_schema_changes_are_seen(void)
{
    braid *db = support_open("schema.db");
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    braid_statement *statement = support_prepare(db, "SELECT * FROM t");
    for (int round = 0; round < 4; round++) {
        braid_result *result = NULL;
        char sql[100];
        braid_statement_set_engine(statement, round % 2 ? BRAID_ENGINE_OLAP : BRAID_ENGINE_OLTP);
        CHECK_INT(braid_run(statement, &result), BRAID_OK);
        CHECK_INT(braid_column_count(result), round + 1);
        braid_result_free(result);
        snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN c%d DEFAULT %d", round, round);
        support_exec(db, sql);
    }
    support_exec(db, "DROP TABLE t");
    CHECK_INT(braid_run(statement, NULL), BRAID_SQL);
    CHECK(strstr(braid_error_message(db), "no such table: t") != NULL);
    braid_statement_close(statement);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_version_and_names);
    RUN(test_config_has_defaults);
    RUN(test_open_without_path_is_misuse);
    RUN(test_open_missing_file_without_create_fails);
    RUN(test_open_what_is_not_a_database_fails);
    RUN(test_open_folder_fails);
    RUN(test_open_locked_file_is_busy);
    RUN(test_write_while_another_writes_is_busy);
    RUN(test_read_only_refuses_writes);
    RUN(test_protected_file_is_read);
    RUN(test_protected_folder_is_read);
    RUN(test_older_config_is_understood);
    RUN(test_sql_errors_say_what_and_where);
    RUN(test_statements_that_fail_while_running);
    RUN(test_texts_of_several_statements);
    RUN(test_texts_without_statement);
    RUN(test_parameters_have_names_and_numbers);
    RUN(test_parameters_of_every_class);
    RUN(test_values_stay_bound_from_run_to_run);
    RUN(test_qualify_is_never_sqlites);
    RUN(test_queries_see_their_own_transaction);
    RUN(test_prepared_query_in_and_out_of_transactions);
    RUN(test_prepared_begin_and_commit);
    RUN(test_temporary_tables_and_attached_files);
    RUN(test_names_in_a_session);
    RUN(test_schema_changes_are_seen);
    return support_end();
}
