// ALTER TABLE and index changes: which are taken over without reading rows, and which are not.
// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <unistd.h>

#include "tests/cdc/fixture.h"

enum { ROWS = 3000 };

static void backup(sqlite3 *from, sqlite3 *to)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    if (copy == NULL || sqlite3_backup_step(copy, -1) != SQLITE_DONE) exit(1);
    sqlite3_backup_finish(copy);
}

static void fill(fixture *f, const char *columns)
{
    char sql[600];
    snprintf(sql, sizeof sql,
             "CREATE TABLE t(%s);"
             "CREATE TABLE u(id INTEGER PRIMARY KEY, x);"
             "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT %d)"
             " INSERT INTO t(a, b, c) SELECT i, 'row ' || i, i / 4.0 FROM r;"
             "INSERT INTO u SELECT a, b FROM t",
             columns, ROWS);
    fixture_exec(f, sql);
}

static void begin(fixture *f, const char *columns)
{
    fixture_init(f);
    fill(f, columns);
    f->cdc = fixture_open_cdc(f);
}

// Rows that the next sync reads, after which both sides must be the same.
static uint64_t rows_of_sync(fixture *f, br_cdc *cdc)
{
    uint64_t before = rows_read(cdc);
    MUST(br_cdc_sync(cdc, &f->err), f->err);
    uint64_t rows = rows_read(cdc) - before;
    CHECK(is_same_copy(cdc));
    return rows;
}

// Each statement on tables of its own: with segments and a delta, and in a follower.
static void expect_rows(const char *columns, const char *sql, uint64_t want)
{
    for (int with_segments = 0; with_segments < 2; with_segments++) {
        fixture f;
        begin(&f, columns);
        br_cdc *follower = fixture_open_cdc(&f);
        if (with_segments) MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
        fixture_exec(&f, sql);
        uint64_t rows = rows_of_sync(&f, f.cdc), others = rows_of_sync(&f, follower);
        if (rows != want || others > want) fprintf(stderr, "%s\n", sql);
        CHECK_INT(rows, want);
        CHECK(others == 0 || others == ROWS);
        // What was taken over lives on.
        fixture_exec(&f, "UPDATE u SET x = 'y' WHERE id % 100 = 3");
        CHECK(is_same_copy(f.cdc) && is_same_copy(follower));
        br_cdc_close(follower);
        fixture_reopen(&f);
        CHECK_INT(rows_read(f.cdc), 0);
        CHECK(is_same_copy(f.cdc));
        fixture_release(&f);
    }
}

static const char *const plain = "id INTEGER PRIMARY KEY, a, b, c";

static void test_add_column_reads_no_rows(void)
{
    static const char *const definitions[] = {
        "d", "d INT DEFAULT '12'", "d TEXT DEFAULT 12", "d REAL DEFAULT 3", "d DEFAULT x'00ff'",
        "d NUMERIC DEFAULT '1e2'", "d NOT NULL DEFAULT 'n'", "d INT CHECK (d < 0) DEFAULT -5",
        "d DEFAULT true", "d BLOB DEFAULT abc", "d TEXT COLLATE NOCASE DEFAULT 'it''s'",
        "d DEFAULT -9223372036854775808", "d DEFAULT (NULL)", "d INTEGER DEFAULT 1.0",
        "d REFERENCES u(id)", "d DEFAULT \"quoted\"", "d ANY DEFAULT '0012'", "d DEFAULT 1e999",
    };
    for (size_t i = 0; i < sizeof definitions / sizeof definitions[0]; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN %s", definitions[i]);
        expect_rows(plain, sql, 0);
    }
}

static void test_alterations_that_read_no_rows(void)
{
    expect_rows(plain, "ALTER TABLE t RENAME COLUMN a TO z", 0);
    expect_rows(plain, "ALTER TABLE t RENAME TO \"t \"\"2\"", 0);
    expect_rows(plain, "ALTER TABLE t DROP COLUMN b", 0);
    expect_rows(plain, "ALTER TABLE t DROP COLUMN c", 0);
    expect_rows(plain, "ALTER TABLE t DROP COLUMN b; ALTER TABLE t DROP COLUMN a", 0);
    expect_rows(plain, "ALTER TABLE t ADD COLUMN d DEFAULT 1; ALTER TABLE t ADD COLUMN e", 0);
    expect_rows(plain,
                "ALTER TABLE t ADD COLUMN d; CREATE INDEX i ON t(d); CREATE TABLE v(x);"
                "ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t RENAME TO w",
                0);
    expect_rows(plain,
                "ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t RENAME COLUMN b TO a;"
                "ALTER TABLE t RENAME COLUMN z TO b",
                0);
    expect_rows(plain,
                "ALTER TABLE t RENAME TO z; ALTER TABLE u RENAME TO t; ALTER TABLE z RENAME TO u;"
                "ALTER TABLE t RENAME TO z; ALTER TABLE u RENAME TO t; ALTER TABLE z RENAME TO u",
                0);
    expect_rows("a, b, c, PRIMARY KEY(a)", "ALTER TABLE t RENAME COLUMN a TO z", 0);
}

static void test_alterations_of_tables_without_rowid_read_no_rows(void)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f, "CREATE TABLE t(a INT, b TEXT, c REAL, PRIMARY KEY(a, b)) WITHOUT ROWID;"
                     "CREATE TABLE s(a INT, b ANY, c REAL) STRICT");
    fixture_exec(&f, "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 500)"
                     " INSERT INTO t SELECT i, i, i FROM r; INSERT INTO s SELECT * FROM t");
    f.cdc = fixture_open_cdc(&f);
    fixture_exec(&f, "ALTER TABLE t ADD COLUMN d INT DEFAULT '5'; ALTER TABLE s RENAME TO s2");
    CHECK_INT(rows_of_sync(&f, f.cdc), 0);
    fixture_exec(&f, "ALTER TABLE t DROP COLUMN c");
    CHECK_INT(rows_of_sync(&f, f.cdc), 0);
    fixture_exec(&f, "ALTER TABLE s2 ADD COLUMN d ANY DEFAULT '5';"
                     "ALTER TABLE s2 RENAME COLUMN c TO e");
    CHECK_INT(rows_of_sync(&f, f.cdc), 0);
    fixture_exec(&f, "UPDATE t SET b = 'x' WHERE a = 1");
    CHECK_INT(rows_of_sync(&f, f.cdc), 500);
    fixture_release(&f);
}

// The same CREATE text before and after, or names that tell nothing: only `t` is read again.
static void test_alterations_in_doubt_read_their_table_again(void)
{
    expect_rows(plain, "ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c", ROWS);
    expect_rows(plain, "ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN d", ROWS);
    expect_rows(plain,
                "ALTER TABLE t DROP COLUMN b; ALTER TABLE t RENAME COLUMN c TO b;"
                "ALTER TABLE t ADD COLUMN c",
                ROWS);
    expect_rows(plain, "ALTER TABLE t ADD COLUMN d AS (a + 1)", ROWS);
    expect_rows(plain,
                "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql ="
                " 'CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b, c)' WHERE name = 't';"
                "PRAGMA writable_schema = RESET; CREATE TABLE passing(x); DROP TABLE passing",
                ROWS);
    expect_rows(plain,
                "BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT, b, c);"
                "INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t; COMMIT",
                ROWS);
}

static void test_indexes_read_no_rows(void)
{
    expect_rows(plain, "CREATE UNIQUE INDEX i ON t(a)", 0);
    expect_rows(plain, "CREATE UNIQUE INDEX i ON t(a); DROP INDEX i", 0);
    expect_rows("id INTEGER PRIMARY KEY, a UNIQUE, b, c", "CREATE UNIQUE INDEX i ON t(b, c)", 0);
    expect_rows(plain, "CREATE INDEX i ON t(a); CREATE VIEW v AS SELECT a FROM t; ANALYZE", 0);
    expect_rows(plain, "CREATE UNIQUE INDEX i ON t(a); ALTER TABLE t ADD COLUMN d DEFAULT 7", 0);
    expect_rows("id INTEGER PRIMARY KEY, a, b, c, no_value",
                "CREATE TABLE passing(x); CREATE INDEX i ON passing(x); DROP TABLE passing", 0);
}

// The changed row is read first, and then all, for there are fewer than there should be.
static void test_rows_that_a_passing_index_deletes_are_missed_by_nobody(void)
{
    expect_rows(plain,
                "CREATE UNIQUE INDEX i ON t(a); UPDATE OR REPLACE t SET a = a + 1 WHERE id = 7;"
                "DROP INDEX i",
                ROWS);
    fixture f;
    begin(&f, plain);
    fixture_exec(&f, "CREATE UNIQUE INDEX i ON t(a); REPLACE INTO t(a, b) VALUES(5, 'new')");
    CHECK_INT(rows_of_sync(&f, f.cdc), ROWS + 1);
    fixture_exec(&f, "REPLACE INTO t(a, b) VALUES(6, 'new')");
    CHECK(rows_of_sync(&f, f.cdc) <= 2);
    fixture_exec(&f, "DROP INDEX i");
    CHECK(rows_of_sync(&f, f.cdc) <= 2);
    fixture_release(&f);
}

// Writes before and after an alteration, by keys and in the tail, all before one sync.
static void test_alterations_mix_with_writes(void)
{
    fixture f;
    begin(&f, plain);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    fixture_exec(&f, "UPDATE t SET b = 'before' WHERE id IN (5, 6); DELETE FROM t WHERE id = 8;"
                     "INSERT INTO t(id, a) VALUES(5000, 1);"
                     "ALTER TABLE t ADD COLUMN d TEXT DEFAULT 12;"
                     "UPDATE t SET d = 'after' WHERE id IN (6, 7); INSERT INTO t(a) VALUES(2)");
    CHECK_INT(rows_of_sync(&f, f.cdc), 5);
    fixture_exec(&f, "UPDATE t SET a = NULL WHERE id = 9; ALTER TABLE t DROP COLUMN b");
    CHECK(rows_of_sync(&f, f.cdc) <= 3);
    fixture_exec(&f, "ALTER TABLE t RENAME COLUMN c TO e; INSERT INTO t(d, e) VALUES(1, 2);"
                     "ALTER TABLE t RENAME TO t3; DELETE FROM t3 WHERE id = 10");
    CHECK(rows_of_sync(&f, f.cdc) <= 4);
    fixture_reopen(&f);
    CHECK(is_same_copy(f.cdc));
    fixture_release(&f);
}

// The copy is at an older schema than the file: a crash, or another process that altered it.
static void test_alterations_are_taken_over_by_a_copy_from_before(void)
{
    fixture f;
    begin(&f, plain);
    br_cdc_close(f.cdc);
    fixture_exec(&f, "ALTER TABLE t ADD COLUMN d DEFAULT 5");
    f.cdc = fixture_open_cdc(&f);
    CHECK_INT(rows_read(f.cdc), 0);
    CHECK(is_same_copy(f.cdc));
    br_cdc *follower = fixture_open_cdc(&f);
    fixture_exec(&f, "ALTER TABLE t RENAME COLUMN d TO e; ALTER TABLE t ADD COLUMN f;"
                     "UPDATE t SET f = 1 WHERE id < 4");
    CHECK_INT(rows_of_sync(&f, follower), 3);
    CHECK_INT(rows_of_sync(&f, f.cdc), 3);
    br_cdc_close(follower);
    fixture_release(&f);
}

// A backup moves the schema cookie by one, as ALTER TABLE does, and brings columns back that are no
// new ones.
static void test_alterations_undone_by_a_backup_are_noticed(void)
{
    static const char *const alterations[] = {
        "ALTER TABLE t DROP COLUMN c",
        "ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c",
        "ALTER TABLE t ADD COLUMN d DEFAULT 4",
        "DROP TABLE u",
        "CREATE UNIQUE INDEX i ON t(a)",
    };
    for (size_t i = 0; i < sizeof alterations / sizeof alterations[0]; i++) {
        fixture f;
        begin(&f, plain);
        MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
        sqlite3 *saved = NULL;
        if (sqlite3_open(":memory:", &saved) != SQLITE_OK) exit(1);
        backup(br_oltp_handle(f.app), saved);
        br_cdc *follower = fixture_open_cdc(&f);
        fixture_exec(&f, alterations[i]);
        CHECK(is_same_copy(f.cdc));
        CHECK(is_same_copy(follower));
        backup(saved, br_oltp_handle(f.app));
        sqlite3_close(saved);
        CHECK(is_same_copy(f.cdc));
        CHECK(is_same_copy(follower));
        br_cdc_close(follower);
        fixture_release(&f);
    }
}

// Columns dropped and added in turn: the copy neither grows nor mixes them up.
static void test_alterations_many_in_turn(void)
{
    fixture f;
    begin(&f, plain);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    uint64_t before = rows_read(f.cdc);
    for (int i = 0; i < 30; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN n%d DEFAULT %d", i, i);
        fixture_exec(&f, sql);
        if (i % 3 == 0) CHECK(is_same_copy(f.cdc));
        if (i % 7 == 0) MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
        if (i < 4) continue;
        CHECK(is_same_copy(f.cdc));
        snprintf(sql, sizeof sql, "ALTER TABLE t DROP COLUMN n%d", i - 4);
        fixture_exec(&f, sql);
        CHECK(is_same_copy(f.cdc));
    }
    CHECK_INT(rows_read(f.cdc), before);
    fixture_reopen(&f);
    CHECK_INT(rows_read(f.cdc), 0);
    CHECK(is_same_copy(f.cdc));
    fixture_release(&f);
}

int main(void)
{
    RUN(test_add_column_reads_no_rows);
    RUN(test_alterations_that_read_no_rows);
    RUN(test_alterations_of_tables_without_rowid_read_no_rows);
    RUN(test_alterations_in_doubt_read_their_table_again);
    RUN(test_indexes_read_no_rows);
    RUN(test_rows_that_a_passing_index_deletes_are_missed_by_nobody);
    RUN(test_alterations_mix_with_writes);
    RUN(test_alterations_are_taken_over_by_a_copy_from_before);
    RUN(test_alterations_undone_by_a_backup_are_noticed);
    RUN(test_alterations_many_in_turn);
    return test_result();
}
