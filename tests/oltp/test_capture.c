// What the triggers log: every key that changes but for new ones above hi, and little else.
// SPDX-License-Identifier: Apache-2.0
#include "tests/oltp/fixture.h"

// A file with table `t` made by the statement, rows by the second, captured as table 1.
static fixture captured(const char *create, const char *fill)
{
    fixture f = fixture_new();
    fixture_exec(&f, create);
    fixture_exec(&f, fill);
    MUST(br_capture_install_meta(f.oltp, &f.err), f.err);
    uint32_t id = 0;
    MUST(br_capture_new_id(f.oltp, &id, &f.err), f.err);
    br_schema schema;
    MUST(br_schema_read(f.oltp, f.arena, &schema, &f.err), f.err);
    MUST(br_capture_install(f.oltp, br_schema_find(&schema, "t"), id, &f.err), f.err);
    return f;
}

// The distinct keys logged since the last call, as text.
static void check_logged(fixture *f, const char *sql, const char *expected)
{
    fixture_exec(f, sql);
    br_oltp_statement *s = NULL;
    MUST(br_oltp_prepare(f->oltp,
                         "SELECT coalesce(group_concat(k), '') FROM (SELECT DISTINCT"
                         " coalesce(key, 'all') AS k FROM _braid_log ORDER BY key)",
                         NULL, &s, &f->err),
         f->err);
    bool has_row;
    MUST(br_oltp_step(s, &has_row, &f->err), f->err);
    br_text text = br_oltp_column(s, 0).text;
    char actual[500];
    snprintf(actual, sizeof actual, "%.*s", (int)text.size, text.data);
    CHECK_TEXT(actual, expected);
    br_oltp_finalize(s);
    fixture_exec(f, "DELETE FROM _braid_log");
}

static void test_all_but_new_keys_above_hi_are_logged(void)
{
    fixture f = captured("CREATE TABLE t(id INTEGER PRIMARY KEY, a)",
                         "INSERT INTO t VALUES(1,1),(2,2),(5,5)");
    CHECK_INT(fixture_int(&f, "SELECT hi FROM _braid_table"), 5);
    check_logged(&f, "INSERT INTO t VALUES(6,6),(NULL,7)", "");
    check_logged(&f, "UPDATE t SET a = 0 WHERE id > 5; DELETE FROM t WHERE id = 7", "6,7");
    check_logged(&f, "INSERT INTO t VALUES(3,3)", "3");
    check_logged(&f, "UPDATE t SET a = 9 WHERE id IN (1,6)", "1,6");
    check_logged(&f, "UPDATE t SET id = 100 WHERE id = 2", "2,100");
    check_logged(&f, "UPDATE t SET oid = 2 WHERE id = 100", "2,100");
    check_logged(&f, "INSERT INTO t VALUES(2,0) ON CONFLICT DO UPDATE SET (a, ID) = (1, 8)", "2,8");
    check_logged(&f, "UPDATE t SET _rowid_ = 2 WHERE id = 8", "2,8");
    check_logged(&f, "UPDATE t SET rowid = 4 WHERE rowid = 3", "3,4");
    check_logged(&f, "INSERT OR REPLACE INTO t VALUES(5,55)", "5");
    check_logged(&f, "INSERT INTO t VALUES(-3,0)", "-3");
    check_logged(&f, "SAVEPOINT s; DELETE FROM t WHERE id=1; ROLLBACK TO s; RELEASE s", "");
    check_logged(&f, "DELETE FROM t", "-3,1,2,4,5,6");
    fixture_release(&f);
}

static void test_empty_table_logs_nothing(void)
{
    fixture f = captured("CREATE TABLE t(a)", "");
    CHECK_INT(fixture_int(&f, "SELECT hi FROM _braid_table"), INT64_MIN);
    check_logged(&f, "INSERT INTO t VALUES(1),(2); INSERT OR REPLACE INTO t(rowid) VALUES(2)", "");
    check_logged(&f, "INSERT INTO t(rowid, a) VALUES(-9223372036854775808, 1)",
                 "-9223372036854775808");
    fixture_release(&f);
}

static void test_rows_replaced_over_unique_constraints_are_logged(void)
{
    fixture f = captured("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE,"
                         " b INTEGER NOT NULL DEFAULT 7, c, UNIQUE(b, c))",
                         "INSERT INTO t VALUES(1,'x',1,1),(2,'y',2,2),(3,NULL,7,3),(4,'z',4,4)");
    check_logged(&f, "INSERT OR REPLACE INTO t(a,b,c) VALUES('X',9,9)", "1");
    check_logged(&f, "INSERT INTO t(a,b,c) VALUES('new',10,10),(NULL,1,NULL)", "");
    check_logged(&f, "INSERT OR REPLACE INTO t VALUES(20,'w',NULL,3)", "3");
    check_logged(&f, "UPDATE OR REPLACE t SET a = 'Y' WHERE id = 20", "2,20");
    check_logged(&f, "UPDATE t SET b = 4, c = 4 WHERE id = 4", "4");
    check_logged(&f, "REPLACE INTO t VALUES(21,'q',4,4)", "4");
    fixture_release(&f);
}

static void test_partial_unique_indexes_log_what_they_cover(void)
{
    fixture f = captured("CREATE TABLE t(id INTEGER PRIMARY KEY, a, gone DEFAULT 0);"
                         "CREATE UNIQUE INDEX live ON t(a) WHERE gone = 0",
                         "INSERT INTO t VALUES(1,'x',0),(2,'x',1),(3,'y',0)");
    check_logged(&f, "INSERT OR REPLACE INTO t(a) VALUES('x')", "1");
    check_logged(&f, "UPDATE OR REPLACE t SET a = 'y' WHERE id = 4", "3,4");
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM t"), 2);
    fixture_release(&f);
}

static void test_foreign_key_actions_are_logged(void)
{
    fixture f = captured("PRAGMA foreign_keys = 1; CREATE TABLE p(id INTEGER PRIMARY KEY);"
                         "CREATE TABLE t(id INTEGER PRIMARY KEY, p REFERENCES p(id)"
                         " ON DELETE CASCADE ON UPDATE CASCADE)",
                         "INSERT INTO p VALUES(1),(2),(3); INSERT INTO t VALUES(1,1),(2,2),(3,3)");
    check_logged(&f, "DELETE FROM p WHERE id = 1", "1");
    check_logged(&f, "UPDATE p SET id = 20 WHERE id = 2", "2");
    check_logged(&f, "REPLACE INTO p VALUES(3)", "3");
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM t"), 1);
    fixture_release(&f);
}

static void test_dirty_tables_log_once(void)
{
    fixture f = captured("CREATE TABLE t(a PRIMARY KEY, b) WITHOUT ROWID",
                         "INSERT INTO t VALUES(1,1),(2,2)");
    CHECK_INT(fixture_int(&f, "SELECT hi FROM _braid_table"), 0);
    fixture_exec(&f, "INSERT INTO t VALUES(3,3); UPDATE t SET b = 0; DELETE FROM t WHERE a = 1");
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM _braid_log"), 1);
    CHECK_INT(fixture_int(&f, "SELECT hi FROM _braid_table"), 1);
    check_logged(&f, "UPDATE _braid_table SET hi = 0", "all");
    check_logged(&f, "DELETE FROM t", "all");
    fixture_release(&f);
}

static void test_entries_tell_whether_triggers_are_intact(void)
{
    fixture f = captured("CREATE TABLE t(a)", "");
    static const struct {
        const char *sql;
        br_capture_state state;
    } steps[] = {
        {"", BR_CAPTURE_INTACT},
        {"CREATE TABLE u(a); CREATE INDEX i ON t(a); ANALYZE; VACUUM", BR_CAPTURE_INTACT},
        {"CREATE UNIQUE INDEX q ON t(a)", BR_CAPTURE_LOOSE},
        {"ALTER TABLE t RENAME TO \"t 2\"; ALTER TABLE \"t 2\" RENAME COLUMN a TO b",
         BR_CAPTURE_LOOSE},
        {"DROP INDEX q", BR_CAPTURE_INTACT},
        {"DROP TRIGGER _braid_1_delete", BR_CAPTURE_BROKEN},
        {"DROP TABLE \"t 2\"; CREATE TABLE \"t 2\"(a)", BR_CAPTURE_BROKEN},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        fixture_exec(&f, steps[i].sql);
        br_schema schema;
        br_capture_entry *entries;
        uint32_t count;
        MUST(br_schema_read(f.oltp, f.arena, &schema, &f.err), f.err);
        MUST(br_capture_read_entries(f.oltp, &schema, f.arena, &entries, &count, &f.err), f.err);
        CHECK_INT(count, 1);
        CHECK_INT(entries[0].table_id, 1);
        CHECK_INT(entries[0].state, steps[i].state);
    }
    fixture_exec(&f, "DROP TABLE u");
    fixture_release(&f);
}

static void test_updated_entries_have_all_triggers_and_keep_hi(void)
{
    fixture f = captured("CREATE TABLE t(a)", "INSERT INTO t VALUES(1), (2)");
    fixture_exec(&f, "CREATE UNIQUE INDEX q ON t(a); ALTER TABLE t RENAME TO t2;"
                     "INSERT INTO t2 VALUES(3)");
    for (int round = 0; round < 2; round++) {
        br_schema schema;
        br_capture_entry *entries;
        uint32_t count;
        MUST(br_schema_read(f.oltp, f.arena, &schema, &f.err), f.err);
        MUST(br_capture_read_entries(f.oltp, &schema, f.arena, &entries, &count, &f.err), f.err);
        CHECK_INT(entries[0].state, round == 0 ? BR_CAPTURE_LOOSE : BR_CAPTURE_INTACT);
        CHECK_TEXT(entries[0].name, round == 0 ? "t" : "t2");
        CHECK_INT(entries[0].hi, 2);
        MUST(br_capture_update(f.oltp, &entries[0], &f.err), f.err);
    }
    check_logged(&f, "REPLACE INTO t2(rowid, a) VALUES(9, 1)", "1");
    fixture_release(&f);
}

static void test_default_of_a_column_is_what_sqlite_reads(void)
{
    static const struct {
        const char *text;
        br_oltp_affinity affinity;
        bool is_known;
        br_value value;
    } cases[] = {
        {NULL, BR_OLTP_TEXT, true, {.class_ = BR_NULL}},
        {"NULL", BR_OLTP_TEXT, true, {.class_ = BR_NULL}},
        {"'12'", BR_OLTP_INTEGER, true, {.class_ = BR_INT, .i64 = 12}},
        {"3", BR_OLTP_REAL, true, {.class_ = BR_REAL, .f64 = 3}},
        {"12", BR_OLTP_TEXT, true, {.class_ = BR_TEXT, .text = {"12", 2}}},
        {"word", BR_OLTP_BLOB, true, {.class_ = BR_TEXT, .text = {"word", 4}}},
        {"x'6162'", BR_OLTP_NUMERIC, true, {.class_ = BR_BLOB, .text = {"ab", 2}}},
        {"1e2", BR_OLTP_NUMERIC, true, {.class_ = BR_INT, .i64 = 100}},
        {"1 + 1", BR_OLTP_BLOB, false, {.class_ = BR_NULL}},
        {"current_time", BR_OLTP_BLOB, false, {.class_ = BR_NULL}},
        {"no_function()", BR_OLTP_BLOB, false, {.class_ = BR_NULL}},
        {"1); DROP TABLE d; --", BR_OLTP_BLOB, false, {.class_ = BR_NULL}},
    };
    br_error err;
    br_arena *arena = br_arena_new(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_schema_column column = {.default_value = cases[i].text, .affinity = cases[i].affinity};
        br_value value;
        bool is_known;
        MUST(br_schema_default(&column, arena, &value, &is_known, &err), err);
        CHECK_INT(is_known, cases[i].is_known);
        if (!is_known) continue;
        br_value want = cases[i].value;
        if (want.class_ == BR_TEXT || want.class_ == BR_BLOB)
            want.text = br_text_make(want.text.data, want.text.size);
        CHECK_INT(value.class_, want.class_);
        CHECK_INT(br_value_compare(&value, &want, BR_COLLATION_BINARY), 0);
    }
    br_arena_free(arena);
}

static void test_vacuum_moves_the_canary_when_it_moves_rowids(void)
{
    fixture f =
        captured("CREATE TABLE t(a)", "INSERT INTO t VALUES(1),(2); DELETE FROM t WHERE a=1");
    br_capture_meta meta;
    MUST(br_capture_read_meta(f.oltp, &meta, &f.err), f.err);
    CHECK(meta.is_installed && !meta.rowids_moved);
    fixture_exec(&f, "VACUUM");
    MUST(br_capture_read_meta(f.oltp, &meta, &f.err), f.err);
    CHECK_INT(meta.rowids_moved, fixture_int(&f, "SELECT rowid FROM t") != 2);
    MUST(br_capture_accept_moved_rowids(f.oltp, &f.err), f.err);
    MUST(br_capture_read_meta(f.oltp, &meta, &f.err), f.err);
    CHECK(!meta.rowids_moved);
    fixture_release(&f);
}

static void test_meta_keeps_ids_and_prune_keeps_the_newest(void)
{
    fixture f = captured("CREATE TABLE t(a)", "INSERT INTO t VALUES(1),(2),(3),(4),(5)");
    uint8_t first[16] = {1}, second[16] = {2};
    br_capture_meta meta;
    MUST(br_capture_set_checkpoints(f.oltp, first, second, &f.err), f.err);
    MUST(br_capture_read_meta(f.oltp, &meta, &f.err), f.err);
    CHECK(memcmp(meta.checkpoint_id, first, 16) == 0);
    CHECK(memcmp(meta.next_checkpoint_id, second, 16) == 0);
    fixture_exec(&f, "UPDATE t SET a = 0");
    bool is_done = true;
    MUST(br_capture_prune(f.oltp, 5, 2, &is_done, &f.err), f.err);
    CHECK(!is_done);
    CHECK_INT(fixture_int(&f, "SELECT min(seq) FROM _braid_log"), 3);
    while (!is_done) MUST(br_capture_prune(f.oltp, 5, 2, &is_done, &f.err), f.err);
    CHECK_INT(fixture_int(&f, "SELECT min(seq) FROM _braid_log"), 5);
    fixture_exec(&f, "UPDATE t SET a = 1 WHERE rowid = 1");
    CHECK_INT(fixture_int(&f, "SELECT max(seq) FROM _braid_log"), 6);
    uint32_t id;
    MUST(br_capture_new_id(f.oltp, &id, &f.err), f.err);
    CHECK_INT(id, 2);
    fixture_release(&f);
}

static void test_a_mark_needs_nobody_before_it(void)
{
    fixture f = fixture_new();
    uint64_t first = 0, second = 0;
    fixture_exec(&f, "CREATE TABLE t(a); BEGIN IMMEDIATE");
    MUST(br_capture_mark(f.oltp, &first, &f.err), f.err);
    MUST(br_capture_mark(f.oltp, &second, &f.err), f.err);
    CHECK(first > 0 && second == first + 1);
    fixture_exec(&f, "COMMIT");
    fixture_release(&f);
}

static void test_remove_all_leaves_no_trace(void)
{
    fixture f = captured("CREATE TABLE t(a UNIQUE)", "");
    MUST(br_capture_uninstall(f.oltp, 1, &f.err), f.err);
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"), 0);
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM _braid_table"), 0);
    MUST(br_capture_install_meta(f.oltp, &f.err), f.err);
    MUST(br_capture_remove_all(f.oltp, &f.err), f.err);
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM sqlite_master WHERE name LIKE '%braid%'"), 0);
    fixture_release(&f);
}

int main(void)
{
    RUN(test_all_but_new_keys_above_hi_are_logged);
    RUN(test_empty_table_logs_nothing);
    RUN(test_rows_replaced_over_unique_constraints_are_logged);
    RUN(test_partial_unique_indexes_log_what_they_cover);
    RUN(test_foreign_key_actions_are_logged);
    RUN(test_dirty_tables_log_once);
    RUN(test_entries_tell_whether_triggers_are_intact);
    RUN(test_updated_entries_have_all_triggers_and_keep_hi);
    RUN(test_default_of_a_column_is_what_sqlite_reads);
    RUN(test_vacuum_moves_the_canary_when_it_moves_rowids);
    RUN(test_meta_keeps_ids_and_prune_keeps_the_newest);
    RUN(test_a_mark_needs_nobody_before_it);
    RUN(test_remove_all_leaves_no_trace);
    return test_result();
}
