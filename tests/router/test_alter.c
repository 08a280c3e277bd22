// Schema changes seen through the public API: by the handle, by other programs, with statements
// that stay prepared; columns added and dropped by call; tables and columns that are registered.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

// ---- both engines ------------------------------------------------------------------------------

static bool is_same_value(braid_value left, braid_value right)
{
    if (left.type != right.type) return false;
    switch (left.type) {
    case BRAID_INTEGER: return left.as.integer == right.as.integer;
    case BRAID_REAL: return left.as.real == right.as.real;
    case BRAID_TEXT:
    case BRAID_BLOB:
        return left.as.text.size == right.as.text.size &&
               memcmp(left.as.text.data, right.as.text.data, left.as.text.size) == 0;
    default: return true;
    }
}

static braid_result *run_on(braid *db, const char *sql, braid_engine engine)
{
    braid_statement *statement = support_prepare(db, sql);
    braid_result *result = NULL;
    braid_statement_set_engine(statement, engine);
    if (braid_run(statement, &result) != BRAID_OK) {
        fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
        exit(1);
    }
    braid_statement_close(statement);
    return result;
}

static void compare(braid *db, const char *sql)
{
    braid_result *olap = run_on(db, sql, BRAID_ENGINE_OLAP);
    braid_result *oltp = run_on(db, sql, BRAID_ENGINE_OLTP);
    bool is_same = braid_row_count(olap) == braid_row_count(oltp) &&
                   braid_column_count(olap) == braid_column_count(oltp);
    for (uint32_t c = 0; is_same && c < braid_column_count(olap); c++) {
        is_same = strcmp(braid_column_name(olap, c), braid_column_name(oltp, c)) == 0;
        for (uint64_t row = 0; is_same && row < braid_row_count(olap); row++)
            is_same =
                is_same_value(braid_value_get(olap, row, c), braid_value_get(oltp, row, c));
    }
    if (!is_same) fprintf(stderr, "differs: %s\n", sql);
    CHECK(is_same);
    braid_result_free(olap);
    braid_result_free(oltp);
}

#define QUOTED(name) "'\"' || replace(" name ", '\"', '\"\"') || '\"'"

// Whole tables, and per column what statistics, filters and groups make of it.
static void compare_all(braid *db)
{
    char sql[700];
    braid_result *columns =
        run_on(db,
               "SELECT " QUOTED("m.name") ", " QUOTED("c.name") ", c.cid"
               " FROM sqlite_master m, pragma_table_xinfo(m.name) c"
               " WHERE m.type = 'table' AND m.name NOT LIKE '\\_braid%' ESCAPE '\\'",
               BRAID_ENGINE_OLTP);
    for (uint64_t row = 0; row < braid_row_count(columns); row++) {
        const char *table = braid_value_get(columns, row, 0).as.text.data;
        const char *column = braid_value_get(columns, row, 1).as.text.data;
        char table_name[60], name[60];
        snprintf(table_name, sizeof table_name, "%.*s",
                 (int)braid_value_get(columns, row, 0).as.text.size, table);
        snprintf(name, sizeof name, "%.*s", (int)braid_value_get(columns, row, 1).as.text.size,
                 column);
        if (braid_value_get(columns, row, 2).as.integer == 0) {
            snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1", table_name);
            compare(db, sql);
        }
        snprintf(sql, sizeof sql,
                 "SELECT count(*), count(%s), min(%s), max(%s), typeof(min(%s))"
                 " FROM %s WHERE %s IS NOT 7",
                 name, name, name, name, table_name, name);
        compare(db, sql);
        snprintf(sql, sizeof sql,
                 "SELECT %s, count(*) FROM %s WHERE %s >= 5 OR %s IS NULL"
                 " GROUP BY 1 ORDER BY 1",
                 name, table_name, name, name);
        compare(db, sql);
    }
    braid_result_free(columns);
    CHECK_INT(braid_check(db, NULL), BRAID_OK);
}

static const char *const steps[] = {
    "ALTER TABLE t ADD COLUMN d INT DEFAULT '5'",
    "UPDATE t SET d = 6 WHERE id % 100 = 3",
    "ALTER TABLE t ADD COLUMN e TEXT DEFAULT 12; ALTER TABLE t ADD COLUMN f",
    "INSERT INTO t(a, f) VALUES(1, 2.5), (NULL, 'x')",
    "ALTER TABLE t RENAME COLUMN a TO aa",
    "ALTER TABLE t RENAME TO t2",
    "ALTER TABLE t2 DROP COLUMN s",
    "DELETE FROM t2 WHERE id % 7 = 1; ALTER TABLE t2 ADD COLUMN s REAL DEFAULT 1",
    "CREATE UNIQUE INDEX i ON t2(id, aa); CREATE VIEW v AS SELECT aa, count(*) n FROM t2 GROUP BY aa",
    "BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, aa TEXT); INSERT INTO n SELECT id, aa FROM t2;"
    "DROP VIEW v; DROP TABLE t2; ALTER TABLE n RENAME TO t2; COMMIT",
    "ALTER TABLE t2 DROP COLUMN aa; ALTER TABLE t2 ADD COLUMN aa TEXT",
    "CREATE TABLE w(a, b, PRIMARY KEY(b, a)) WITHOUT ROWID; INSERT INTO w VALUES(1, 2), (3, 4)",
    "ALTER TABLE w ADD COLUMN c DEFAULT 8",
    "ALTER TABLE w ADD COLUMN g AS (c + 1)",
    "PRAGMA user_version = 7; VACUUM",
    "DROP TABLE w",
};

// By the handle and by another program in turn, with rows in segments and in the delta.
static void test_alter_both_engines_agree_after_each_step(void)
{
    for (int way = 0; way < 4; way++) {
        char name[20];
        snprintf(name, sizeof name, "alter%d.db", way);
        braid *db = support_open(name);
        support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, s TEXT);"
                         "WITH c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c LIMIT 3000)"
                         " INSERT INTO t SELECT x, x % 10, 'text ' || x % 9 FROM c");
        sqlite3 *other = support_sqlite(name, "SELECT 1");
        if (way % 2 == 0) CHECK_INT(braid_checkpoint(db), BRAID_OK);
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            if ((i + (size_t)way / 2) % 2 == 0) support_exec(db, steps[i]);
            else CHECK_INT(sqlite3_exec(other, steps[i], NULL, NULL, NULL), SQLITE_OK);
            compare_all(db);
            if (i % 5 == 4) CHECK_INT(braid_checkpoint(db), BRAID_OK);
        }
        sqlite3_close(other);
        CHECK_INT(braid_close(db), BRAID_OK);
    }
}

static void test_alter_prepared_statements_go_on(void)
{
    braid *db = support_open("prepared.db");
    support_exec(db, "CREATE TABLE t(a INT, b INT); INSERT INTO t VALUES(1, 2), (3, 4)");
    braid_statement *all = support_prepare(db, "SELECT * FROM t ORDER BY 1");
    braid_statement *sum = support_prepare(db, "SELECT sum(b) FROM t");
    braid_result *result;
    for (int i = 0; i < 6; i++) {
        braid_statement_set_engine(all, BRAID_ENGINE_OLAP);
        CHECK_INT(braid_run(all, &result), BRAID_OK);
        CHECK_INT(braid_column_count(result), 2 + i);
        braid_result_free(result);
        CHECK_INT(braid_run(sum, &result), BRAID_OK);
        CHECK_INT(braid_value_get(result, 0, 0).as.integer, 6);
        braid_result_free(result);
        char definition[40];
        snprintf(definition, sizeof definition, "c%d INT DEFAULT %d", i, i);
        CHECK_INT(braid_add_column(db, "t", definition), BRAID_OK);
    }
    CHECK_INT(braid_drop_column(db, "t", "b"), BRAID_OK);
    CHECK(braid_run(sum, &result) != BRAID_OK);
    CHECK(strstr(braid_error_message(db), "no such column: b") != NULL);
    braid_statement_close(all);
    braid_statement_close(sum);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- columns by call ---------------------------------------------------------------------------

static void test_alter_columns_by_call(void)
{
    braid *db = support_open("columns.db");
    support_exec(db, "CREATE TABLE \"odd \"\"name\"(a); INSERT INTO \"odd \"\"name\" VALUES(1), (2)");
    const char *table = "odd \"name";
    CHECK_INT(braid_add_column(db, table, "b REAL NOT NULL DEFAULT 2"), BRAID_OK);
    CHECK_INT(support_int(db, "SELECT count(*) FROM \"odd \"\"name\" WHERE b = 2.0"), 2);
    CHECK_INT(braid_add_column(db, table, "c; DROP TABLE \"odd \"\"name\""), BRAID_MISUSE);
    CHECK_INT(braid_add_column(db, table, "b"), BRAID_SQL);
    CHECK(strstr(braid_error_message(db), "duplicate column") != NULL);
    CHECK_INT(braid_add_column(db, "no such", "b"), BRAID_SQL);
    CHECK_INT(braid_drop_column(db, table, "c"), BRAID_SQL);
    support_exec(db, "BEGIN");
    CHECK_INT(braid_add_column(db, table, "d DEFAULT 4"), BRAID_OK);
    CHECK_INT(support_int(db, "SELECT sum(d) FROM \"odd \"\"name\""), 8);
    support_exec(db, "ROLLBACK");
    CHECK_INT(braid_drop_column(db, table, "b"), BRAID_OK);
    CHECK_INT(support_int(db, "SELECT count(*) FROM pragma_table_info('odd \"name')"), 1);
    compare_all(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- registrations -----------------------------------------------------------------------------

static bool is_olap(braid *db, const char *sql)
{
    braid_statement *statement = support_prepare(db, sql);
    braid_result *result = NULL;
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    braid_status status = braid_run(statement, &result);
    CHECK(status == BRAID_OK || status == BRAID_UNSUPPORTED);
    braid_result_free(result);
    braid_statement_close(statement);
    return status == BRAID_OK;
}

static bool is_mirrored(braid *db, const char *table)
{
    char *json = NULL, wanted[80];
    CHECK_INT(braid_sync(db), BRAID_OK);
    CHECK_INT(braid_status_json(db, &json), BRAID_OK);
    snprintf(wanted, sizeof wanted, "{\"name\":\"%s\",\"rows\"", table);
    bool is_there = strstr(json, wanted) != NULL;
    braid_free(json);
    return is_there;
}

static braid_status leave_out(braid *db, const char *pattern)
{
    braid_registration registration = {.size = sizeof registration, .exclude = 1};
    return braid_register_table(db, pattern, &registration);
}

static void test_register_patterns_decide_in_order(void)
{
    braid *db = support_open("patterns.db");
    support_exec(db, "CREATE TABLE log_1(a); CREATE TABLE Log_2(a); CREATE TABLE t(a);"
                     "INSERT INTO log_1 VALUES(1); INSERT INTO log_2 VALUES(2)");
    CHECK_INT(leave_out(db, "LOG_*"), BRAID_OK);
    CHECK(!is_mirrored(db, "log_1") && !is_mirrored(db, "Log_2") && is_mirrored(db, "t"));
    CHECK_INT(support_int(db, "SELECT sum(a) FROM log_1, (SELECT a b FROM log_2)"), 1);
    CHECK_INT(braid_register_table(db, "log_2", NULL), BRAID_OK);
    CHECK(!is_mirrored(db, "log_1") && is_mirrored(db, "Log_2"));
    support_exec(db, "CREATE TABLE log_3(a)");
    CHECK(!is_mirrored(db, "log_3"));
    CHECK_INT(leave_out(db, "log_*"), BRAID_OK);  // another pattern, and the last one
    CHECK(!is_mirrored(db, "Log_2"));
    CHECK_INT(braid_unregister_table(db, "log_*"), BRAID_OK);
    CHECK(is_mirrored(db, "Log_2") && !is_mirrored(db, "log_3"));
    CHECK_INT(braid_unregister_table(db, "LOG_*"), BRAID_OK);
    CHECK(is_mirrored(db, "log_1") && is_mirrored(db, "log_3"));
    CHECK_INT(braid_unregister_table(db, "LOG_*"), BRAID_MISUSE);
    CHECK(strstr(braid_error_message(db), "nothing is registered for 'LOG_*'") != NULL);
    compare_all(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void check_partly_mirrored(braid *db)
{
    CHECK(is_olap(db, "SELECT count(*), sum(n), max(id) FROM t WHERE n > 2"));
    CHECK(is_olap(db, "SELECT l.n FROM t l JOIN t r USING (id)"));
    CHECK(!is_olap(db, "SELECT payload FROM t"));
    CHECK(!is_olap(db, "SELECT * FROM t"));
    CHECK(!is_olap(db, "SELECT count(*) FROM t WHERE payload IS NULL"));
    CHECK(!is_olap(db, "SELECT count(*) FROM t NATURAL JOIN (SELECT payload FROM t)"));
    CHECK_INT(support_int(db, "SELECT count(*) FROM t WHERE payload IS NULL"), 0);
    CHECK_INT(support_int(db, "SELECT count(DISTINCT payload) FROM t"), 100);
    CHECK_INT(braid_check(db, NULL), BRAID_OK);
}

static void test_register_some_columns(void)
{
    static const char *const names[] = {"N", NULL}, *const wrong[] = {"n", "m", NULL};
    braid_registration some = {.size = sizeof some, .columns = names};
    braid_registration bad = {.size = sizeof bad, .columns = wrong};
    braid *db = support_open("some.db");
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, payload TEXT, n INT, UNIQUE(payload));"
                     "WITH c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c LIMIT 100)"
                     " INSERT INTO t SELECT x, 'payload ' || x, x % 7 FROM c");
    CHECK(is_olap(db, "SELECT payload FROM t"));
    CHECK_INT(braid_register_table(db, "t", &bad), BRAID_MISUSE);
    CHECK(strstr(braid_error_message(db), "has a column 'm'") != NULL);
    CHECK(is_olap(db, "SELECT payload FROM t"));
    CHECK_INT(braid_register_table(db, "t", &some), BRAID_OK);
    check_partly_mirrored(db);
    braid *other = support_open("some.db");  // holds for every handle, and after closing
    check_partly_mirrored(other);
    support_exec(db, "UPDATE t SET n = 9 WHERE id = 5; REPLACE INTO t VALUES(200, 'payload 6', 1)");
    check_partly_mirrored(db);
    check_partly_mirrored(other);
    support_exec(db, "ALTER TABLE t ADD COLUMN later DEFAULT 'x'");
    check_partly_mirrored(db);
    CHECK(!is_olap(db, "SELECT later FROM t"));
    CHECK_INT(braid_close(other), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
    db = support_open("some.db");
    check_partly_mirrored(db);
    CHECK_INT(braid_register_table(db, "t", NULL), BRAID_OK);
    CHECK(is_olap(db, "SELECT payload, later FROM t"));
    compare_all(db);
    CHECK_INT(braid_close(db), BRAID_OK);
    char message[200];
    CHECK_INT(braid_detach(support_path("some.db"), message, sizeof message), BRAID_OK);
    sqlite3_close(support_sqlite("some.db", "CREATE TABLE _braid_registration(x)"));
}

int main(void)
{
    support_begin();
    RUN(test_alter_both_engines_agree_after_each_step);
    RUN(test_alter_prepared_statements_go_on);
    RUN(test_alter_columns_by_call);
    RUN(test_register_patterns_decide_in_order);
    RUN(test_register_some_columns);
    return support_end();
}
