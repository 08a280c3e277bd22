// Connections, statements and the pool of readers.
// SPDX-License-Identifier: Apache-2.0
#include "tests/oltp/fixture.h"

static void test_exec_runs_all_statements(void)
{
    fixture f = fixture_new();
    fixture_exec(&f, "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2);-- a comment\n;");
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM t"), 2);
    MUST(br_oltp_exec_format(f.oltp, &f.err, "INSERT INTO t VALUES(%d)", 3), f.err);
    CHECK_INT(br_oltp_changes(f.oltp), 1);
    CHECK_INT(br_oltp_last_rowid(f.oltp), 3);
    CHECK_INT(fixture_int(&f, "SELECT max(a) FROM t WHERE 0"), -999);
    fixture_release(&f);
}

static void test_errors_have_status_and_offset(void)
{
    fixture f = fixture_new();
    CHECK_INT(br_oltp_exec(f.oltp, "SELECT 1; SELEC 2", &f.err), BR_SQL);
    CHECK_INT(f.err.sql_offset, 10);
    CHECK(strstr(f.err.message, "SELEC") != NULL);
    CHECK_INT(br_oltp_exec(f.oltp, "SELECT nope", &f.err), BR_SQL);
    CHECK_TEXT(f.err.message, "no such column: nope");
    fixture_exec(&f, "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)");
    CHECK_INT(br_oltp_exec(f.oltp, "INSERT INTO t VALUES(1)", &f.err), BR_RUNTIME);
    CHECK_TEXT(f.err.message, "UNIQUE constraint failed: t.a");
    CHECK_INT(br_oltp_exec(f.oltp, "SELECT abs(-9223372036854775807 - 1)", &f.err), BR_RUNTIME);
    CHECK_TEXT(f.err.message, "integer overflow");
    fixture_release(&f);
}

static void test_open_tells_what_is_wrong(void)
{
    fixture f = fixture_new();
    char path[100];
    snprintf(path, sizeof path, "%s/none.db", f.folder);
    br_oltp_config config = {.path = path};
    br_oltp *oltp = NULL;
    CHECK_INT(br_oltp_open(&config, &oltp, &f.err), BR_IO);
    CHECK(oltp == NULL && strstr(f.err.message, "none.db") != NULL);
    snprintf(path, sizeof path, "%s/text.db", f.folder);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 200; i++) fputs("this is no database\n", file);
    fclose(file);
    CHECK_INT(br_oltp_open(&config, &oltp, &f.err), BR_NOT_DATABASE);
    fixture_release(&f);
}

static void test_locked_and_read_only_files(void)
{
    fixture f = fixture_new();
    fixture_exec(&f, "CREATE TABLE t(a)");
    br_oltp_config config = {.path = f.path, .busy_timeout_ms = 20, .read_only = true};
    br_oltp *reader = NULL;
    MUST(br_oltp_open(&config, &reader, &f.err), f.err);
    CHECK(!br_oltp_can_write(reader));
    CHECK_INT(br_oltp_exec(reader, "INSERT INTO t VALUES(1)", &f.err), BR_READONLY);
    br_oltp_close(reader);
    br_oltp *other = fixture_connect(&f);
    CHECK(br_oltp_can_write(other));
    br_oltp_set_busy_timeout(other, 0);
    fixture_exec(&f, "BEGIN IMMEDIATE");
    CHECK(br_oltp_in_transaction(f.oltp));
    CHECK_INT(br_oltp_exec(other, "INSERT INTO t VALUES(1)", &f.err), BR_BUSY);
    fixture_exec(&f, "COMMIT");
    MUST(br_oltp_exec(other, "INSERT INTO t VALUES(1)", &f.err), f.err);
    br_oltp_close(other);
    fixture_release(&f);
}

static void test_data_version_changes_with_other_commits(void)
{
    fixture f = fixture_new();
    fixture_exec(&f, "CREATE TABLE t(a)");
    br_oltp *other = fixture_connect(&f);
    int64_t before, same, after;
    MUST(br_oltp_data_version(other, &before, &f.err), f.err);
    MUST(br_oltp_data_version(other, &same, &f.err), f.err);
    fixture_exec(&f, "INSERT INTO t VALUES(1)");
    MUST(br_oltp_data_version(other, &after, &f.err), f.err);
    CHECK_INT(same, before);
    CHECK(after != before);
    br_oltp_close(other);
    fixture_release(&f);
}

static br_oltp_statement *prepare(fixture *f, const char *sql)
{
    br_oltp_statement *statement = NULL;
    MUST(br_oltp_prepare(f->oltp, sql, NULL, &statement, &f->err), f->err);
    return statement;
}

static void check_round_trip(fixture *f, br_oltp_statement *statement, br_value value)
{
    bool has_row = false;
    MUST(br_oltp_bind(statement, 1, &value, &f->err), f->err);
    MUST(br_oltp_step(statement, &has_row, &f->err), f->err);
    CHECK(has_row);
    br_value result = br_oltp_column(statement, 0);
    CHECK_INT(result.class_, value.class_);
    CHECK_INT(br_value_compare(&result, &value, BR_COLLATION_BINARY), 0);
    CHECK_TEXT(br_class_name((br_class)value.class_), br_oltp_column(statement, 1).text.data);
    br_oltp_reset(statement);
}

static void test_values_go_in_and_out(void)
{
    fixture f = fixture_new();
    br_oltp_statement *s = prepare(&f, "SELECT ?1 AS x, typeof(?1)");
    check_round_trip(&f, s, br_value_null());
    check_round_trip(&f, s, br_value_int(INT64_MIN));
    check_round_trip(&f, s, br_value_real(-0.5));
    check_round_trip(&f, s, br_value_text(br_text_make("", 0)));
    check_round_trip(&f, s, br_value_text(br_text_make("a\0b", 3)));
    check_round_trip(&f, s, br_value_blob(br_text_make("", 0)));
    check_round_trip(&f, s, br_value_blob(br_text_make("\xff\0", 2)));
    br_value value = br_value_int(1);
    CHECK_INT(br_oltp_bind(s, 2, &value, &f.err), BR_MISUSE);
    CHECK_INT(br_oltp_column_count(s), 2);
    CHECK_TEXT(br_oltp_column_name(s, 0), "x");
    CHECK(br_oltp_is_readonly(s) && !br_oltp_is_explain(s));
    br_oltp_finalize(s);
    s = prepare(&f, "SELECT $a, @b");
    CHECK_INT(br_oltp_parameter_count(s), 2);
    CHECK_INT(br_oltp_parameter_index(s, "@b"), 2);
    CHECK_INT(br_oltp_parameter_index(s, "c"), 0);
    CHECK_TEXT(br_oltp_parameter_name(s, 1), "$a");
    br_oltp_finalize(s);
    s = prepare(&f, "EXPLAIN SELECT 1");
    CHECK(br_oltp_is_explain(s));
    br_oltp_finalize(s);
    CHECK(prepare(&f, " -- nothing") == NULL);
    fixture_release(&f);
}

static void test_utf16_text_comes_as_utf8(void)
{
    fixture f = fixture_new();
    br_oltp_close(f.oltp);
    snprintf(f.path, sizeof f.path, "%s/wide.db", f.folder);
    f.oltp = fixture_connect(&f);
    fixture_exec(&f, "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(a);"
                     "INSERT INTO t VALUES('h\xc3\xa9')");
    br_oltp_close(f.oltp);
    f.oltp = fixture_connect(&f);
    br_oltp_statement *s = prepare(&f, "SELECT a FROM t");
    bool has_row;
    MUST(br_oltp_step(s, &has_row, &f.err), f.err);
    br_text text = br_oltp_column(s, 0).text;
    CHECK(text.size == 3 && memcmp(text.data, "h\xc3\xa9", 3) == 0);
    br_oltp_finalize(s);
    fixture_release(&f);
}

static void test_fill_appends_rows_to_columns(void)
{
    fixture f = fixture_new();
    br_oltp_statement *s =
        prepare(&f, "WITH r(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM r LIMIT 5)"
                    " SELECT i, 'n' || i, i * 0.5 FROM r");
    br_column columns[2];
    for (int i = 0; i < 2; i++) MUST(br_column_init(&columns[i], NULL, &f.err), f.err);
    uint32_t count;
    MUST(br_oltp_fill(s, columns, 2, 3, &count, &f.err), f.err);
    CHECK_INT(count, 3);
    MUST(br_oltp_fill(s, columns, 2, 3, &count, &f.err), f.err);
    CHECK_INT(count, 2);
    CHECK_INT(columns[0].row_count, 5);
    CHECK_INT(br_column_value(&columns[0], 4).i64, 5);
    br_text text = br_column_value(&columns[1], 4).text;
    CHECK(text.size == 2 && memcmp(text.data, "n5", 2) == 0);
    for (int i = 0; i < 2; i++) br_column_release(&columns[i]);
    br_oltp_finalize(s);
    fixture_release(&f);
}

static void test_pool_keeps_connections(void)
{
    fixture f = fixture_new();
    fixture_exec(&f, "CREATE TABLE t(a)");
    br_oltp_config config = {.path = f.path, .busy_timeout_ms = 100};
    br_oltp_pool *pool = NULL;
    MUST(br_oltp_pool_new(&config, &pool, &f.err), f.err);
    br_oltp *first = NULL, *second = NULL, *again = NULL;
    MUST(br_oltp_pool_take(pool, &first, &f.err), f.err);
    MUST(br_oltp_pool_take(pool, &second, &f.err), f.err);
    CHECK(first != second);
    CHECK_INT(br_oltp_exec(first, "INSERT INTO t VALUES(1)", &f.err), BR_READONLY);
    br_oltp_pool_interrupt(pool);
    br_oltp_pool_give(pool, first);
    MUST(br_oltp_pool_take(pool, &again, &f.err), f.err);
    CHECK(again == first);
    MUST(br_oltp_exec(again, "BEGIN; SELECT * FROM t", &f.err), f.err);
    br_oltp_pool_give(pool, again);  // in a transaction: not kept
    br_oltp_pool_give(pool, second);
    MUST(br_oltp_pool_take(pool, &again, &f.err), f.err);
    CHECK(again == second);
    br_oltp_pool_give(pool, again);
    br_oltp_pool_free(pool);
    fixture_release(&f);
}

static void test_quote_name_doubles_quotes(void)
{
    fixture f = fixture_new();
    CHECK_TEXT(br_oltp_quote_name(f.arena, "a\"b c"), "\"a\"\"b c\"");
    CHECK_TEXT(br_oltp_quote_name(f.arena, ""), "\"\"");
    fixture_release(&f);
}

int main(void)
{
    RUN(test_exec_runs_all_statements);
    RUN(test_errors_have_status_and_offset);
    RUN(test_open_tells_what_is_wrong);
    RUN(test_locked_and_read_only_files);
    RUN(test_data_version_changes_with_other_commits);
    RUN(test_values_go_in_and_out);
    RUN(test_utf16_text_comes_as_utf8);
    RUN(test_fill_appends_rows_to_columns);
    RUN(test_pool_keeps_connections);
    RUN(test_quote_name_doubles_quotes);
    return test_result();
}
