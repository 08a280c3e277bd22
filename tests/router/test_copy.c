// The columnar copy seen through the public API: freshness, engines and their reasons, explain,
// status, check, rebuild, detach, tables left out.
// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>

#include "tests/router/support.h"

static braid *open_with_rows(const char *name)
{
    braid *db = support_open(name);
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, s TEXT);"
                     "WITH c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c LIMIT 3000)"
                     " INSERT INTO t SELECT x, x % 10, 'text ' || x FROM c");
    return db;
}

static int64_t run_int(braid *db, braid_statement *statement, braid_result_info *info_out)
{
    braid_result *result = NULL;
    if (braid_run(statement, &result) != BRAID_OK) {
        fprintf(stderr, "%s\n", braid_error_message(db));
        exit(1);
    }
    int64_t value = braid_value_get(result, 0, 0).as.integer;
    static char reason[300];
    *info_out = support_info(result);
    snprintf(reason, sizeof reason, "%s", info_out->reason);
    info_out->reason = reason;
    braid_result_free(result);
    return value;
}

// ---- freshness -------------------------------------------------------------------------------

static void test_queries_are_as_fresh_as_asked(void)
{
    braid *db = open_with_rows("fresh.db");
    braid_result_info info;
    sqlite3 *other = support_sqlite("fresh.db", "SELECT 1");
    braid_statement *statement = support_prepare(db, "SELECT count(*) FROM t");
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    CHECK_INT(run_int(db, statement, &info), 3000);
    sqlite3_exec(other, "INSERT INTO t(a) VALUES(1)", NULL, NULL, NULL);
    braid_statement_set_freshness(statement, BRAID_FRESH_ANY);
    CHECK_INT(run_int(db, statement, &info), 3000);
    CHECK(info.lag_ms > 0);
    braid_statement_set_freshness(statement, 1000000);
    CHECK_INT(run_int(db, statement, &info), 3000);
    CHECK(info.lag_ms > 0 && info.lag_ms < 1000000);
    usleep(3000);
    braid_statement_set_freshness(statement, 1);
    CHECK_INT(run_int(db, statement, &info), 3001);
    sqlite3_exec(other, "INSERT INTO t(a) VALUES(1)", NULL, NULL, NULL);
    braid_statement_set_freshness(statement, -2);  // the handle's: strict
    CHECK_INT(run_int(db, statement, &info), 3002);
    CHECK(info.lag_ms == 0);
    sqlite3_exec(other, "DELETE FROM t WHERE id <= 1000", NULL, NULL, NULL);
    CHECK_INT(braid_sync(db), BRAID_OK);
    braid_statement_set_freshness(statement, BRAID_FRESH_ANY);
    CHECK_INT(run_int(db, statement, &info), 2002);
    braid_statement_close(statement);
    sqlite3_close(other);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_default_freshness_and_engine_of_a_handle(void)
{
    CHECK_INT(braid_close(open_with_rows("defaults.db")), BRAID_OK);
    braid_config config = support_config();
    config.freshness = BRAID_FRESH_ANY;
    config.engine = BRAID_ENGINE_OLAP;
    config.isa = "scalar";
    config.io = "pread";
    config.memory_bytes = 64u << 20;
    braid *db = NULL;
    CHECK_INT(braid_open(support_path("defaults.db"), &config, &db), BRAID_OK);
    support_exec(db, "INSERT INTO t(a) VALUES(1)");
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 3000);
    braid_result *result = support_query(db, "SELECT s FROM t WHERE id = 5");
    CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLAP);
    braid_result_free(result);
    char *json = NULL;
    CHECK_INT(braid_status_json(db, &json), BRAID_OK);
    CHECK(strstr(json, "\"isa\":\"scalar\"") != NULL);
    CHECK(strstr(json, "\"threads\":2") != NULL);
    braid_free(json);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- engines ---------------------------------------------------------------------------------

static void check_refused(braid *db, const char *sql, const char *reason)
{
    braid_result *result = NULL;
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    CHECK_INT(braid_run(statement, &result), BRAID_UNSUPPORTED);
    CHECK(result == NULL);
    if (strstr(braid_error_message(db), reason) == NULL)
        fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    CHECK(strstr(braid_error_message(db), reason) != NULL);
    braid_statement_set_engine(statement, BRAID_ENGINE_AUTO);  // never "not supported"
    CHECK_INT(braid_run(statement, &result), BRAID_OK);
    CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLTP);
    CHECK(strstr(support_info(result).reason, reason) != NULL);
    braid_result_free(result);
    braid_statement_close(statement);
}

static void test_engines_are_chosen_and_forced(void)
{
    braid *db = open_with_rows("engines.db");
    braid_result_info info;
    braid_statement *statement = support_prepare(db, "SELECT sum(a) FROM t WHERE id = 77");
    CHECK_INT(run_int(db, statement, &info), 7);
    CHECK_INT(info.engine, BRAID_ENGINE_OLTP);  // a look-up
    CHECK_TEXT(info.reason, "SQLite is cheaper");
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    CHECK_INT(run_int(db, statement, &info), 7);
    CHECK_INT(info.engine, BRAID_ENGINE_OLAP);
    CHECK_TEXT(info.reason, "forced");
    braid_statement_close(statement);
    statement = support_prepare(db, "SELECT sum(a) FROM t GROUP BY a ORDER BY 1 DESC");
    CHECK_INT(run_int(db, statement, &info), 2700);
    CHECK_INT(info.engine, BRAID_ENGINE_OLAP);
    CHECK_TEXT(info.reason, "columnar is cheaper");
    braid_statement_set_engine(statement, BRAID_ENGINE_OLTP);
    CHECK_INT(run_int(db, statement, &info), 2700);
    CHECK_INT(info.engine, BRAID_ENGINE_OLTP);
    CHECK_TEXT(info.reason, "forced");
    braid_statement_close(statement);
    check_refused(db, "SELECT name FROM pragma_table_info WHERE arg IN ('t')", "argument");
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_writes_ignore_the_engine(void)
{
    braid *db = open_with_rows("writes.db");
    braid_statement *statement = support_prepare(db, "DELETE FROM t WHERE id = 1");
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    CHECK_INT(braid_run(statement, NULL), BRAID_OK);
    braid_statement_close(statement);
    CHECK_INT(braid_changes(db), 1);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 2999);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void check_forced(braid *db, const char *sql, int64_t expected)
{
    braid_result_info info;
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    CHECK_INT(run_int(db, statement, &info), expected);
    CHECK_INT(info.engine, BRAID_ENGINE_OLAP);
    braid_statement_close(statement);
}

static void test_excluded_tables_are_read_by_sqlite(void)
{
    const char *const exclude[] = {"Left_Out", NULL};
    braid_config config = support_config();
    config.exclude = exclude;
    braid *db = NULL;
    CHECK_INT(braid_open(support_path("exclude.db"), &config, &db), BRAID_OK);
    support_exec(db, "CREATE TABLE left_out(a); CREATE TABLE taken(a);"
                     "INSERT INTO left_out VALUES(1), (2); INSERT INTO taken VALUES(3)");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM left_out"), 3);
    check_forced(db, "SELECT sum(a) FROM left_out", 3);
    check_forced(db, "SELECT sum(left_out.a * taken.a) FROM left_out, taken", 9);
    CHECK_INT(support_int(db, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
                              " AND tbl_name = 'left_out'"), 0);
    char *json = NULL;
    CHECK_INT(braid_status_json(db, &json), BRAID_OK);
    CHECK(strstr(json, "\"taken\"") != NULL);
    CHECK(strstr(json, "\"name\":\"left_out\"") == NULL);
    braid_free(json);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- explain and status ----------------------------------------------------------------------

static void check_explain(braid *db, const char *sql, const char *const *wanted)
{
    char *text = NULL;
    CHECK_INT(braid_explain(db, sql, &text), BRAID_OK);
    for (; text != NULL && *wanted != NULL; wanted++) {
        if (strstr(text, *wanted) == NULL) fprintf(stderr, "'%s' is not in:\n%s", *wanted, text);
        CHECK(strstr(text, *wanted) != NULL);
    }
    braid_free(text);
}

static void test_explain_tells_engine_reason_and_costs(void)
{
    braid *db = open_with_rows("explain.db");
    char *text = (char *)&text;
    check_explain(db, "SELECT a, count(*) FROM t GROUP BY a",
                  (const char *const[]){"engine: olap", "columnar is cheaper", "cost: columnar",
                                        "freshness: seq", "t", NULL});
    check_explain(db, "SELECT * FROM t WHERE id = 3",
                  (const char *const[]){"engine: oltp", "SQLite is cheaper", NULL});
    check_explain(db, "DELETE FROM t", (const char *const[]){"engine: oltp", "not a query", NULL});
    check_explain(db, "SELECT * FROM sqlite_master", (const char *const[]){"engine: oltp", NULL});
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 3000);  // nothing was run
    CHECK_INT(braid_explain(db, "SELECT nothing FROM t", &text), BRAID_SQL);
    CHECK(text == NULL);
    CHECK_INT(braid_error_offset(db), 7);
    CHECK_INT(braid_explain(db, "  ", &text), BRAID_MISUSE);
    braid_result *result = support_query(db, "EXPLAIN SELECT sum(a) FROM t");
    CHECK(braid_row_count(result) >= 4);
    CHECK_TEXT(braid_column_name(result, 0), "plan");
    braid_result_free(result);
    check_explain(db, "EXPLAIN ANALYZE SELECT a, count(*) FROM t GROUP BY a",
                  (const char *const[]){"engine: olap", "time: ", "3000 rows, estimated", NULL});
    CHECK_INT(braid_explain_as(db, "SELECT 1", (braid_explain_format)9, 0, &text), BRAID_MISUSE);
    CHECK_INT(braid_explain_as(db, "SELECT sum(a) FROM t", BRAID_EXPLAIN_JSON, 1, &text),
              BRAID_OK);
    CHECK(strstr(text, "\"analyzed\":true") != NULL);
    braid_free(text);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// The end of a JSON value, or NULL when it is not one.
static const char *json_skip(const char *at);

static const char *json_space(const char *at)
{
    while (at != NULL && isspace((unsigned char)*at)) at++;
    return at;
}

static const char *json_text(const char *at)
{
    if (*at++ != '"') return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < 0x20) return NULL;
        if (*at == '\\' && strchr("\"\\/bfnrtu", *++at) == NULL) return NULL;
    }
    return at + 1;
}

static const char *json_items(const char *at, char end)
{
    at = json_space(at + 1);
    if (*at == end) return at + 1;
    for (;;) {
        if (end == '}') {
            at = json_text(json_space(at));
            at = json_space(at);
            if (at == NULL || *at++ != ':') return NULL;
        }
        at = json_space(json_skip(json_space(at)));
        if (at == NULL) return NULL;
        if (*at == end) return at + 1;
        if (*at++ != ',') return NULL;
    }
}

static const char *json_skip(const char *at)
{
    if (at == NULL) return NULL;
    if (*at == '{') return json_items(at, '}');
    if (*at == '[') return json_items(at, ']');
    if (*at == '"') return json_text(at);
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        if (strncmp(at, words[i], strlen(words[i])) == 0) return at + strlen(words[i]);
    }
    char *end;
    (void)strtod(at, &end);
    return end == at ? NULL : end;
}

static void test_status_is_json(void)
{
    braid *db = open_with_rows("status \"quoted\".db");
    support_exec(db, "CREATE TABLE \"odd \"\"\\ name\"(\"a\tb\"); INSERT INTO \"odd \"\"\\ name\""
                     " VALUES(1)");
    CHECK_INT(support_int(db, "SELECT count(*) FROM pragma_table_info WHERE arg IN ('t')"), 3);
    for (int round = 0; round < 3; round++) {
        char *json = NULL;
        CHECK_INT(braid_status_json(db, &json), BRAID_OK);
        const char *end = json_space(json_skip(json));
        if (end == NULL || *end != 0) fprintf(stderr, "not JSON: %s\n", json);
        CHECK(end != NULL && *end == 0);
        CHECK(strstr(json, "\"rows\":3000") != NULL || round == 0);
        CHECK(strstr(json, "\"fallbacks\":[{") != NULL);
        CHECK(strstr(json, "\"problem\":null") != NULL);
        braid_free(json);
        CHECK_INT(round == 0 ? braid_sync(db) : braid_checkpoint(db), BRAID_OK);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- keeping the copy ------------------------------------------------------------------------

// Dates, which segments keep as numbers, with values of another class among them.
static void test_compact_keeps_dates_among_other_values(void)
{
    braid *db = support_open("mixed_dates.db");
    uint64_t rows;
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, at)");
    for (int i = 0; i < 3; i++) {
        support_exec(db, "WITH RECURSIVE q(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM q "
                         "WHERE i < 5000) INSERT INTO t(at) SELECT CASE WHEN i % 1000 = 7 THEN i ELSE "
                         "datetime('1993-05-05', '+' || i || ' hours') END FROM q");
        CHECK_INT(braid_checkpoint(db), BRAID_OK);
    }
    support_exec(db, "DELETE FROM t WHERE id % 3 = 0");
    CHECK_INT(braid_compact(db), BRAID_OK);
    CHECK_INT(braid_check(db, &rows), BRAID_OK);
    CHECK_INT(rows, 10000);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_check_rebuild_and_compact(void)
{
    braid *db = open_with_rows("keep.db");
    uint64_t rows = 0;
    CHECK_INT(braid_check(db, &rows), BRAID_OK);
    CHECK_INT(rows, 3000);
    CHECK_INT(braid_check(db, NULL), BRAID_OK);
    support_exec(db, "UPDATE t SET a = a + 1 WHERE id % 3 = 0; DELETE FROM t WHERE id > 2900");
    CHECK_INT(braid_checkpoint(db), BRAID_OK);
    CHECK_INT(braid_compact(db), BRAID_OK);
    CHECK_INT(braid_check(db, &rows), BRAID_OK);
    CHECK_INT(rows, 2900);
    CHECK_INT(braid_rebuild(db), BRAID_OK);
    CHECK_INT(braid_check(db, &rows), BRAID_OK);
    CHECK_INT(rows, 2900);
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 14016);
    CHECK_INT(braid_close(db), BRAID_OK);
    db = support_open("keep.db");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 14016);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_folder_can_be_removed_at_any_time(void)
{
    char command[300];
    CHECK_INT(braid_close(open_with_rows("folder.db")), BRAID_OK);
    snprintf(command, sizeof command, "rm -rf '%s'", support_path("folder.db-braid"));
    CHECK_INT(system(command), 0);
    braid *db = support_open("folder.db");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 13500);
    uint64_t rows = 0;
    CHECK_INT(braid_check(db, &rows), BRAID_OK);
    CHECK_INT(rows, 3000);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_detach_leaves_nothing(void)
{
    char message[200] = "untouched";
    braid *db = open_with_rows("detach.db");
    // Somebody has it open: the message says so.
    CHECK(braid_detach(support_path("detach.db"), message, sizeof message) != BRAID_OK);
    CHECK(message[0] != 0);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 3000);
    CHECK_INT(braid_close(db), BRAID_OK);
    CHECK_INT(braid_detach(support_path("detach.db"), message, sizeof message), BRAID_OK);
    CHECK(access(support_path("detach.db-braid"), F_OK) != 0);
    sqlite3 *other = support_sqlite("detach.db", "SELECT 1");
    sqlite3_stmt *statement;
    CHECK_INT(sqlite3_prepare_v2(other, "SELECT count(*) FROM sqlite_master WHERE name LIKE"
                                        " '%braid%' OR type = 'trigger'",
                                 -1, &statement, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
    CHECK_INT(sqlite3_column_int(statement, 0), 0);
    sqlite3_finalize(statement);
    sqlite3_close(other);
    CHECK(braid_detach(support_path("nowhere.db"), message, sizeof message) != BRAID_OK);
    CHECK(strstr(message, "nowhere.db") != NULL);
    CHECK(braid_detach(support_path("nowhere.db"), NULL, 0) != BRAID_OK);
    db = support_open("detach.db");  // and back again
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), 3000);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_two_handles_on_one_file(void)
{
    braid *one = open_with_rows("two.db"), *two = support_open("two.db");
    for (int i = 0; i < 20; i++) {
        support_exec(i % 2 ? one : two, "INSERT INTO t(a) VALUES(1); UPDATE t SET a = a + 1"
                                        " WHERE id = 5");
        CHECK_INT(support_int(one, "SELECT count(*) + sum(a) FROM t"), 16500 + 3 * (i + 1));
        CHECK_INT(support_int(two, "SELECT count(*) + sum(a) FROM t"), 16500 + 3 * (i + 1));
    }
    CHECK_INT(braid_checkpoint(one), BRAID_OK);
    CHECK_INT(braid_checkpoint(two), BRAID_OK);
    CHECK_INT(braid_close(one), BRAID_OK);  // the maintainer goes, the other goes on
    support_exec(two, "DELETE FROM t WHERE id <= 1500");
    CHECK_INT(support_int(two, "SELECT count(*) FROM t"), 1520);
    CHECK_INT(braid_check(two, NULL), BRAID_OK);
    CHECK_INT(braid_close(two), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_queries_are_as_fresh_as_asked);
    RUN(test_default_freshness_and_engine_of_a_handle);
    RUN(test_engines_are_chosen_and_forced);
    RUN(test_writes_ignore_the_engine);
    RUN(test_excluded_tables_are_read_by_sqlite);
    RUN(test_explain_tells_engine_reason_and_costs);
    RUN(test_status_is_json);
    RUN(test_check_rebuild_and_compact);
    RUN(test_compact_keeps_dates_among_other_values);
    RUN(test_folder_can_be_removed_at_any_time);
    RUN(test_detach_leaves_nothing);
    RUN(test_two_handles_on_one_file);
    return support_end();
}
