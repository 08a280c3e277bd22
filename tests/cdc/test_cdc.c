// Every way SQLite lets rows change must end in the same rows on both sides.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cdc/fixture.h"

static void sync_and_check(fixture *f, const char *sql)
{
    fixture_exec(f, sql);
    MUST(br_cdc_sync(f->cdc, &f->err), f->err);
    if (!is_same_copy(f->cdc)) fprintf(stderr, "after: %s\n", sql);
    CHECK(is_same_copy(f->cdc));
}

// Opens a capture over `create` and checks after each statement, up to NULL.
static void check_steps(const char *create, const char *const *steps)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f, create);
    f.cdc = fixture_open_cdc(&f);
    CHECK(is_same_copy(f.cdc));
    for (const char *const *step = steps; *step != NULL; step++) sync_and_check(&f, *step);
    // The same again from what is durable.
    fixture_reopen(&f);
    CHECK(is_same_copy(f.cdc));
    fixture_release(&f);
}

static void test_inserts_updates_and_deletes(void)
{
    static const char *const steps[] = {
        "INSERT INTO t VALUES(10, 'ten', 1.5), (11, NULL, x'00ff'), (12, 12, '')",
        "UPDATE t SET a = 'changed' WHERE id = 2",
        "UPDATE t SET id = 100 WHERE id = 3",
        "UPDATE t SET id = -5 WHERE id = 100",
        "BEGIN; UPDATE t SET id = 0 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2;"
        "UPDATE t SET id = 2 WHERE id = 0; COMMIT",
        "DELETE FROM t WHERE id = 12",
        "INSERT INTO t(a) VALUES('reused')",
        "DELETE FROM t WHERE id = (SELECT max(id) FROM t); INSERT INTO t(a) VALUES('again')",
        "INSERT INTO t VALUES(-100, 'negative', -0.0), (-9223372036854775808, 'least', 0)",
        "INSERT INTO t VALUES(9223372036854775807, 'largest', 1e300)",
        "INSERT INTO t(a) VALUES('somewhere')",
        "UPDATE t SET b = 5 WHERE id > 1000",
        "DELETE FROM t WHERE id = 9223372036854775807",
        "SAVEPOINT one; DELETE FROM t; SAVEPOINT two; INSERT INTO t(a) VALUES(1); ROLLBACK TO one;"
        "UPDATE t SET a = 'kept' WHERE id = 1; RELEASE one",
        "BEGIN; DELETE FROM t; ROLLBACK",
        "DELETE FROM t",
        "INSERT INTO t VALUES(1, 'new', 1)",
        "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 5000)"
        " INSERT INTO t(a, b) SELECT 'row ' || i, i * 0.25 FROM r",
        "UPDATE t SET b = b + 1 WHERE id % 3 = 0",
        "UPDATE t SET id = id + 10000",
        "DELETE FROM t WHERE id % 2 = 0",
        NULL,
    };
    check_steps("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
                "INSERT INTO t VALUES(1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, 4, 4)",
                steps);
}

static void test_tables_without_integer_primary_key(void)
{
    static const char *const steps[] = {
        "INSERT INTO t VALUES(4, 'd'), (5, 'e')",
        "DELETE FROM t WHERE a IN (1, 2)",
        "VACUUM",
        "UPDATE t SET b = 'x' WHERE a = 3",
        "DELETE FROM t WHERE a = 4; INSERT INTO t VALUES(7, 'g'); VACUUM; DELETE FROM t WHERE a = "
        "3",
        "UPDATE t SET rowid = 77 WHERE a = 7",
        NULL,
    };
    check_steps("CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 'a'), (2, 'b'), (3, 'c')", steps);
    check_steps(
        "CREATE TABLE t(a PRIMARY KEY, b); INSERT INTO t VALUES(1, 'a'), (2, 'b'), (3, 'c')",
        steps);
}

static void test_replace_and_upsert(void)
{
    static const char *const steps[] = {
        "REPLACE INTO t VALUES(1, 'one', 'uno', 0)",
        "INSERT OR REPLACE INTO t VALUES(9, 'TWO', 'nine', 0)",
        "INSERT OR REPLACE INTO t VALUES(10, 'three', 'nine', 0)",
        "UPDATE OR REPLACE t SET name = 'four' WHERE id = 10",
        "UPDATE OR REPLACE t SET id = 5 WHERE id = 10",
        "INSERT OR IGNORE INTO t VALUES(6, 'four', 'z', 0), (7, 'seven', 'seven', 0)",
        "INSERT INTO t VALUES(7, 'x', 'y', 1) ON CONFLICT(id) DO UPDATE SET n = n + 1",
        "INSERT INTO t VALUES(8, 'seven', 'w', 1) ON CONFLICT(name) DO UPDATE SET n = n + 10",
        "INSERT INTO t VALUES(8, 'seven', 'w', 1) ON CONFLICT DO NOTHING",
        "INSERT OR REPLACE INTO t VALUES(20, 'twenty', NULL, 0), (21, 'twentyone', NULL, 0)",
        "INSERT OR REPLACE INTO t SELECT id + 100, name, other, n FROM t",
        "INSERT INTO t VALUES(500, 'v', 'partial', 0), (501, 'w', 'partial', 1), (600, 'x', NULL, 1)",
        "UPDATE OR REPLACE t SET n = 0 WHERE id = 501",
        "UPDATE OR REPLACE t SET other = 'same'",
        "INSERT INTO soft VALUES(1, 'a'), (2, 'b'), (3, 'c')",
        "INSERT INTO soft VALUES(4, 'b')",
        "UPDATE soft SET k = 'c' WHERE id = 1",
        "PRAGMA recursive_triggers = 1; INSERT INTO soft VALUES(5, 'c')",
        NULL,
    };
    check_steps("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, other, n);"
                "CREATE UNIQUE INDEX other ON t(other) WHERE n = 0;"
                "CREATE TABLE soft(id INTEGER PRIMARY KEY, k UNIQUE ON CONFLICT REPLACE);"
                "INSERT INTO t VALUES(1, 'one', 'a', 0), (2, 'two', 'b', 0), (3, 'three', 'c', 0),"
                "(4, 'four', 'd', 0)",
                steps);
}

static void test_foreign_keys(void)
{
    static const char *const steps[] = {
        "DELETE FROM p WHERE id = 1",
        "UPDATE p SET id = 22 WHERE id = 2",
        "REPLACE INTO p VALUES(3, 'x')",
        "DELETE FROM p",
        NULL,
    };
    check_steps("PRAGMA foreign_keys = 1; CREATE TABLE p(id INTEGER PRIMARY KEY, a);"
                "CREATE TABLE cascading(id INTEGER PRIMARY KEY, p REFERENCES p(id)"
                " ON DELETE CASCADE ON UPDATE CASCADE);"
                "CREATE TABLE nulling(p REFERENCES p(id) ON DELETE SET NULL ON UPDATE SET NULL);"
                "INSERT INTO p VALUES(1, 1), (2, 2), (3, 3), (4, 4);"
                "INSERT INTO cascading SELECT id, id FROM p; INSERT INTO nulling SELECT id FROM p",
                steps);
}

static void test_tables_read_as_a_whole(void)
{
    static const char *const steps[] = {
        "INSERT INTO w VALUES('b', 2), ('a', 1)",
        "UPDATE w SET v = 3 WHERE k = 'a'",
        "UPDATE w SET v = 4 WHERE k = 'a'",
        "DELETE FROM w",
        "INSERT INTO e VALUES('X'), ('y'); REPLACE INTO e VALUES('x')",
        "INSERT INTO taken VALUES(1, 2, 3), (1, 2, 3)",
        "DELETE FROM taken WHERE rowid = 1",
        "INSERT INTO other VALUES(1)",
        NULL,
    };
    check_steps("CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID;"
                "CREATE TABLE e(a); CREATE UNIQUE INDEX ex ON e(lower(a));"
                "CREATE TABLE taken(rowid, _rowid_, oid); CREATE TABLE other(a)",
                steps);
}

static void test_schema_changes(void)
{
    static const char *const steps[] = {
        "CREATE TABLE fresh(a INTEGER PRIMARY KEY, b); INSERT INTO fresh VALUES(1, 1)",
        "ALTER TABLE t ADD COLUMN c DEFAULT 'later'",
        "INSERT INTO t VALUES(9, 9, 9)",
        "UPDATE t SET c = 'set' WHERE id = 1",
        "ALTER TABLE t RENAME COLUMN a TO aa",
        "ALTER TABLE t RENAME TO tt",
        "UPDATE tt SET aa = 0 WHERE id = 2",
        "ALTER TABLE tt DROP COLUMN c",
        "DROP TABLE fresh; CREATE TABLE fresh(a INTEGER PRIMARY KEY, b);"
        "INSERT INTO fresh VALUES(1, 'other')",
        "DROP TABLE fresh",
        "CREATE UNIQUE INDEX u ON tt(aa) WHERE id > 2; REPLACE INTO tt VALUES(50, 9)",
        "DROP INDEX u",
        "CREATE TEMP TABLE _braid_log(x); INSERT INTO tt VALUES(60, 60)",
        "UPDATE tt SET aa = 61 WHERE id IN (2, 60)",
        "CREATE TEMP TRIGGER temporary AFTER INSERT ON tt BEGIN"
        " UPDATE tt SET aa = aa || '!' WHERE id = 2; END; INSERT INTO tt VALUES(70, 70)",
        "CREATE TRIGGER own BEFORE DELETE ON tt BEGIN INSERT INTO tt VALUES(NULL, 'log'); END;"
        "DELETE FROM tt WHERE id = 70",
        "BEGIN; CREATE TABLE x(a); INSERT INTO x VALUES(1); ROLLBACK",
        "CREATE TABLE gen(a, b AS (a * 2), c AS (a || 'x') STORED);"
        "INSERT INTO gen VALUES(1), (2)",
        "UPDATE gen SET a = 5 WHERE a = 1",
        "CREATE TABLE strict(i INT, t TEXT, x ANY) STRICT; INSERT INTO strict VALUES(1, 'a', 'x')",
        "UPDATE strict SET x = 1.5",
        "CREATE VIEW v AS SELECT * FROM tt; ANALYZE; REINDEX",
        "VACUUM",
        NULL,
    };
    check_steps("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 1), (2, 2)",
                steps);
}

static void test_odd_names(void)
{
    static const char *const steps[] = {
        "INSERT INTO \"select\" VALUES(1, 2, 3); INSERT INTO \"a \"\"b'\" VALUES(1, 2)",
        "UPDATE \"select\" SET \"from\" = 5; UPDATE \"a \"\"b'\" SET \"x y\" = 'z'",
        "REPLACE INTO \"select\" VALUES(9, 2, 3)",
        "DELETE FROM \"select\"; INSERT INTO \"t\xc3\xa4g\" VALUES('\xf0\x9f\x98\x80')",
        "INSERT INTO [sp ace] VALUES(1)",
        "UPDATE [sp ace] SET \"%s\" = 2",
        NULL,
    };
    check_steps(
        "CREATE TABLE \"select\"(\"order\" INTEGER PRIMARY KEY, \"group\" UNIQUE, \"from\");"
        "CREATE TABLE \"a \"\"b'\"(\"x y\" PRIMARY KEY, \"hi\");"
        "CREATE TABLE \"t\xc3\xa4g\"(\"\xc3\xbc\"); CREATE TABLE [sp ace](\"%s\")",
        steps);
}

static void test_utf16_files(void)
{
    static const char *const steps[] = {"INSERT INTO t VALUES('\xc3\xa9\xf0\x9f\x98\x80'), ('')",
                                        "UPDATE t SET a = 'abc'", NULL};
    check_steps("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(a)", steps);
}

static void test_shell_writes_are_seen(void)
{
    fixture f;
    char command[300];
    fixture_init(&f);
    fixture_exec(&f,
                 "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES(1, 1), (2, 2)");
    f.cdc = fixture_open_cdc(&f);
    snprintf(command, sizeof command,
             "sqlite3 %s \"UPDATE t SET b = 9 WHERE a = 1; INSERT INTO t VALUES(3, 3)\"", f.path);
    if (system(command) == 0) CHECK_INT(fixture_int(&f, "SELECT sum(b) FROM t"), 14);
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    CHECK(is_same_copy(f.cdc));
    CHECK_INT(copy_rows(f.cdc, "t"), fixture_int(&f, "SELECT count(*) FROM t"));
    fixture_release(&f);
}

static void test_only_what_changed_is_read(void)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE TABLE u(a);"
                     "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 1000)"
                     " INSERT INTO t SELECT i, i FROM r; INSERT INTO u VALUES(1), (2), (3)");
    f.cdc = fixture_open_cdc(&f);
    uint64_t before = rows_read(f.cdc);
    CHECK_INT(before, 1003);
    fixture_exec(&f, "UPDATE t SET b = 0 WHERE a = 5; UPDATE t SET b = 1 WHERE a = 5;"
                     "INSERT INTO t VALUES(1001, 1)");
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    CHECK_INT(rows_read(f.cdc) - before, 2);
    uint64_t syncs = br_cdc_get_status(f.cdc).sync_count;
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    // A commit of our own raised hi; after that nothing happens any more.
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    CHECK_INT(rows_read(f.cdc) - before, 2);
    CHECK(br_cdc_get_status(f.cdc).sync_count <= syncs + 1);
    fixture_exec(&f, "INSERT INTO u VALUES(4)");
    MUST(br_cdc_sync_within(f.cdc, 60000, &f.err), f.err);
    CHECK_INT(copy_rows(f.cdc, "u"), 3);
    MUST(br_cdc_sync_within(f.cdc, 0, &f.err), f.err);
    CHECK_INT(copy_rows(f.cdc, "U"), 4);
    fixture_release(&f);
}

static void test_excluded_and_unreadable_tables(void)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f, "CREATE TABLE t(a); CREATE TABLE Secret(a); INSERT INTO t VALUES(1);"
                     "CREATE VIRTUAL TABLE words USING fts5(body)");
    const char *const exclude[] = {"secret", NULL};
    br_cdc_config config = fixture_config(&f);
    config.exclude = exclude;
    MUST(br_cdc_open(&config, &f.cdc, &f.err), f.err);
    CHECK_INT(copy_rows(f.cdc, "t"), 1);
    CHECK_INT(copy_rows(f.cdc, "Secret"), -1);
    CHECK_INT(copy_rows(f.cdc, "words"), -1);
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
                              " AND tbl_name = 'Secret'"),
              0);
    fixture_exec(&f, "INSERT INTO words VALUES('hello'); INSERT INTO Secret VALUES(1)");
    CHECK(is_same_copy(f.cdc));
    fixture_release(&f);
}

static void test_schema_goes_with_the_snapshot(void)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f, "CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t");
    f.cdc = fixture_open_cdc(&f);
    const br_schema_ref *before = br_cdc_schema_acquire(f.cdc);
    CHECK(br_schema_find_view(br_schema_ref_get(before), "v") != NULL);
    fixture_exec(&f, "DROP VIEW v");
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    const br_schema_ref *after;
    br_snapshot *snapshot;
    br_cdc_snapshot(f.cdc, &snapshot, &after);
    CHECK(br_schema_find_view(br_schema_ref_get(before), "v") != NULL);
    CHECK(br_schema_find_view(br_schema_ref_get(after), "v") == NULL);
    CHECK_INT(br_snapshot_watermark(snapshot).schema_cookie, br_schema_ref_get(after)->cookie);
    br_snapshot_drop(snapshot);
    br_cdc_schema_drop(before);
    br_cdc_schema_drop(after);
    fixture_release(&f);
}

static void test_bulk_load_of_sparse_keys_on_all_threads(void)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b TEXT);"
                     "WITH r(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM r LIMIT 300000)"
                     " INSERT INTO t SELECT CASE WHEN i < 200000 THEN i ELSE i * 1000000007 END,"
                     " i % 1000, 'text ' || i FROM r");
    f.cdc = fixture_open_cdc(&f);
    CHECK_INT(copy_rows(f.cdc, "t"), 300000);
    CHECK(is_same_copy(f.cdc));
    fixture_exec(&f, "UPDATE t SET a = -1");  // most of it has changed: read as a whole
    CHECK(is_same_copy(f.cdc));
    fixture_exec(&f, "CREATE TABLE w(k INTEGER PRIMARY KEY, v) WITHOUT ROWID;"
                     "INSERT INTO w SELECT id, a FROM t LIMIT 150000");
    CHECK(is_same_copy(f.cdc));
    CHECK_INT(copy_rows(f.cdc, "w"), 150000);
    fixture_release(&f);
}

static void test_check_names_the_difference(void)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f,
                 "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 'x'), (2, 2)");
    f.cdc = fixture_open_cdc(&f);
    uint64_t rows;
    MUST(br_cdc_check(f.cdc, &rows, &f.err), f.err);
    CHECK_INT(rows, 2);
    // Behind the back of the triggers: what they log goes to another table's number.
    fixture_exec(&f, "UPDATE t SET a = 'y' WHERE id = 1; UPDATE _braid_log SET table_id = 0");
    CHECK_INT(br_cdc_check(f.cdc, &rows, &f.err), BR_CORRUPT);
    CHECK_TEXT(f.err.message,
               "table 't': rowid 1: column 'a' is text of 1 bytes 'x', want text of 1 bytes 'y'");
    fixture_exec(&f, "UPDATE t SET id = 3 WHERE id = 1; UPDATE _braid_log SET table_id = 0");
    CHECK_INT(br_cdc_check(f.cdc, &rows, &f.err), BR_CORRUPT);
    CHECK_TEXT(f.err.message, "table 't': rowid 1 is in the copy only");
    MUST(br_cdc_rebuild(f.cdc, &f.err), f.err);
    CHECK(is_same_copy(f.cdc));
    fixture_release(&f);
}

int main(void)
{
    RUN(test_inserts_updates_and_deletes);
    RUN(test_tables_without_integer_primary_key);
    RUN(test_replace_and_upsert);
    RUN(test_foreign_keys);
    RUN(test_tables_read_as_a_whole);
    RUN(test_schema_changes);
    RUN(test_odd_names);
    RUN(test_utf16_files);
    RUN(test_shell_writes_are_seen);
    RUN(test_only_what_changed_is_read);
    RUN(test_excluded_and_unreadable_tables);
    RUN(test_schema_goes_with_the_snapshot);
    RUN(test_bulk_load_of_sparse_keys_on_all_threads);
    RUN(test_check_names_the_difference);
    return test_result();
}
