// Random changes of the schema between random writes: ALTER TABLE of all kinds, indexes, views,
// copy-and-rename, VACUUM, backups restored, files replaced, dumped and loaded. After every few
// steps the copies of the maintainer and of a follower must be SQLite's rows.
// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <stdarg.h>
#include <unistd.h>

#include "tests/cdc/fixture.h"

static uint64_t seed = 1;
static bool is_talkative;

static uint32_t pick(uint32_t bound) { return (uint32_t)(test_random(&seed) >> 33) % bound; }

// ---- speaking SQL ----------------------------------------------------------------------------

// Statements may fail: what they leave is what counts.
static void attempt(fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void attempt(fixture *f, const char *format, ...)
{
    char sql[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    br_error err = {.status = BR_OK};
    br_status status = br_oltp_exec(f->app, sql, &err);
    if (is_talkative) printf("    %s%s%s\n", sql, status == BR_OK ? "" : "  -- ", err.message);
}

enum { TEXT_MAX = 400 };

// The first value of a query as text; "" when there is none.
static const char *ask(fixture *f, char text[TEXT_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static const char *ask(fixture *f, char text[TEXT_MAX], const char *format, ...)
{
    char sql[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    sqlite3_stmt *statement = NULL;
    text[0] = 0;
    if (sqlite3_prepare_v2(br_oltp_handle(f->app), sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL)
        snprintf(text, TEXT_MAX, "%s", sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return text;
}

#define USER_TABLES                                                                                \
    "FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) NOT IN ('_braid_', 'sqlite_')"

static uint32_t count_tables(fixture *f)
{
    char text[TEXT_MAX];
    return (uint32_t)atoi(ask(f, text, "SELECT count(*) " USER_TABLES));
}

// A table of the file, or a name that may not be one.
static const char *some_table(fixture *f, char text[TEXT_MAX])
{
    uint32_t count = count_tables(f);
    if (count == 0) return ask(f, text, "SELECT 'no_table'");
    return ask(f, text, "SELECT name " USER_TABLES " ORDER BY name LIMIT 1 OFFSET %u", pick(count));
}

static const char *some_column(fixture *f, const char *table, char text[TEXT_MAX])
{
    char count[TEXT_MAX];
    uint32_t columns =
        (uint32_t)atoi(ask(f, count, "SELECT count(*) FROM pragma_table_xinfo('%s')", table));
    if (columns == 0) return ask(f, text, "SELECT 'no_column'");
    return ask(f, text, "SELECT name FROM pragma_table_xinfo('%s') LIMIT 1 OFFSET %u", table,
               pick(columns));
}

static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static const char *some_name(void) { return names[pick(8)]; }

static const char *some_value(char text[64])
{
    static const char *const special[] = {"NULL", "''", "x''", "-0.0", "9223372036854775807",
                                          "1e308", "'12'", "1.0"};
    uint32_t number = pick(60);
    switch (pick(6)) {
    case 0: snprintf(text, 64, "%u", number); break;
    case 1: snprintf(text, 64, "%u.25", number); break;
    case 2: snprintf(text, 64, "'%s%u'", pick(2) ? "Name " : "name ", number); break;
    case 3: snprintf(text, 64, "x'%02x'", number); break;
    case 4: snprintf(text, 64, "%s", special[pick(8)]); break;
    default: snprintf(text, 64, "-%u", number); break;
    }
    return text;
}

// ---- rows ------------------------------------------------------------------------------------

// A value for each column that can be written, from one expression per row.
static void insert_rows(fixture *f, const char *table)
{
    char columns[TEXT_MAX], values[TEXT_MAX];
    static const char *const conflicts[] = {"", "OR REPLACE", "OR IGNORE"};
    const char *const expressions[] = {
        "abs(random()) %% 300", "value * 7", "'n' || value", "CASE WHEN value % 3 THEN value END",
        "value / 4.0"};
    const char *expression = expressions[1 + pick(4)];
    ask(f, columns,
        "SELECT group_concat('\"' || name || '\"') FROM pragma_table_xinfo('%s') WHERE hidden = 0",
        table);
    ask(f, values,
        "SELECT group_concat(iif(cid %% 3 = %u, 'value + %u', '%s')) FROM pragma_table_xinfo('%s')"
        " WHERE hidden = 0",
        pick(3), pick(300), "coalesce(nullif(value, 7), 0) + 1", table);
    attempt(f,
            "WITH r(value) AS (VALUES(1) UNION ALL SELECT value + 1 FROM r LIMIT %u)"
            " INSERT %s INTO \"%s\"(%s) SELECT %s FROM r",
            1 + pick(40), conflicts[pick(3)], table, columns, values);
    if (pick(3) == 0)
        attempt(f, "UPDATE OR IGNORE \"%s\" SET %s = %s WHERE rowid %% 5 = %u", table, some_name(),
                expression, pick(5));
}

static void change_rows(fixture *f)
{
    char table[TEXT_MAX], column[TEXT_MAX], other[TEXT_MAX], value[64];
    static const char *const conflicts[] = {"", "OR REPLACE", "OR IGNORE"};
    some_table(f, table);
    some_column(f, table, column);
    some_column(f, table, other);
    switch (pick(7)) {
    case 0:
    case 1:
    case 2: insert_rows(f, table); break;
    case 3:
        attempt(f, "UPDATE %s \"%s\" SET \"%s\" = %s WHERE \"%s\" > %u", conflicts[pick(3)], table,
                column, some_value(value), other, pick(100));
        break;
    case 4:
        some_value(value);
        attempt(f, "DELETE FROM \"%s\" WHERE \"%s\" = %s", table, column, value);
        break;
    case 5:
        attempt(f, "UPDATE OR REPLACE \"%s\" SET \"%s\" = \"%s\" WHERE rowid %% 3 = %u", table,
                column, other, pick(3));
        break;
    default:
        attempt(f, "INSERT OR REPLACE INTO \"%s\"(\"%s\", \"%s\") VALUES(%u, %u)", table, column,
                other, pick(50), pick(50));
        break;
    }
}

// ---- tables ----------------------------------------------------------------------------------

static void create_table(fixture *f)
{
    static const char *const shapes[] = {
        "(id INTEGER PRIMARY KEY, a, b)",
        "(id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL DEFAULT 2)",
        "(a, b, c DEFAULT 'x')",
        "(a TEXT COLLATE NOCASE PRIMARY KEY, b REAL, c)",
        "(a, b, c, PRIMARY KEY(a, b)) WITHOUT ROWID",
        "(a BLOB PRIMARY KEY, b NUMERIC, c)",
        "(a INT, b TEXT, c ANY) STRICT",
        "(id INTEGER PRIMARY KEY, a INT, g AS (a * 2), s AS (a + 1) STORED, b)",
        "(a, g AS (a || 'g') STORED UNIQUE, b, h AS (g || a))",
        "(id INTEGER PRIMARY KEY AUTOINCREMENT, a UNIQUE, b NOT NULL DEFAULT 0)",
        "(rowid, _rowid_, oid)",
        "(\n  a INT,\n  b TEXT,\n  c\n)",
        "(a, b DEFAULT 4, c DEFAULT NULL, UNIQUE(c))",
    };
    attempt(f, "CREATE TABLE t%u%s", pick(6), shapes[pick(13)]);
}

// The documented way to change a table: a new one, filled, in the place of the old one.
static void copy_and_rename(fixture *f, const char *table)
{
    char columns[TEXT_MAX], types[TEXT_MAX];
    static const char *const declared[] = {"TEXT", "INT", "REAL", "BLOB", ""};
    ask(f, columns, "SELECT group_concat('\"' || name || '\"') FROM pragma_table_info('%s')",
        table);
    ask(f, types, "SELECT group_concat('\"' || name || '\" %s') FROM pragma_table_info('%s')",
        declared[pick(5)], table);
    attempt(f,
            "BEGIN; CREATE TABLE copied(%s); INSERT INTO copied(%s) SELECT %s FROM \"%s\";"
            " DROP TABLE \"%s\"; ALTER TABLE copied RENAME TO \"%s\"; COMMIT",
            types, columns, columns, table, table, table);
    if (br_oltp_in_transaction(f->app)) attempt(f, "ROLLBACK");
}

static void add_column(fixture *f, const char *table)
{
    static const char *const definitions[] = {
        "",
        "INT DEFAULT '12'",
        "TEXT DEFAULT 12",
        "REAL DEFAULT 3",
        "DEFAULT x'00ff'",
        "NUMERIC DEFAULT '1e2'",
        "NOT NULL DEFAULT 'n'",
        "INT CHECK (1) DEFAULT -5",
        "ANY DEFAULT '3'",
        "TEXT DEFAULT 'it''s' COLLATE NOCASE",
        "DEFAULT true",
        "AS (1 + 1)",
        "DEFAULT (1 + 1)",
        "DEFAULT current_time",
        "DEFAULT (NULL)",
        "REFERENCES t1(a)",
        "BLOB DEFAULT abc",
        "DEFAULT -9223372036854775808",
    };
    attempt(f, "ALTER TABLE \"%s\" ADD COLUMN %s %s", table, some_name(), definitions[pick(18)]);
}

// A column that comes back with the same definition: nothing shows in the CREATE text.
static void reset_column(fixture *f, const char *table)
{
    char last[TEXT_MAX];
    static const char *const definitions[] = {"", " DEFAULT 'x'", " REAL DEFAULT 2", " BLOB",
                                              " TEXT"};
    ask(f, last, "SELECT name FROM pragma_table_info('%s') ORDER BY cid DESC LIMIT 1", table);
    attempt(f, "ALTER TABLE \"%s\" DROP COLUMN \"%s\"; ALTER TABLE \"%s\" ADD COLUMN %s%s", table,
            last, table, last, definitions[pick(5)]);
}

static void swap_names(fixture *f, const char *table)
{
    const char *left = some_name(), *right = some_name();
    attempt(f,
            "ALTER TABLE \"%s\" RENAME COLUMN %s TO swapping;"
            " ALTER TABLE \"%s\" RENAME COLUMN %s TO %s;"
            " ALTER TABLE \"%s\" RENAME COLUMN swapping TO %s",
            table, left, table, right, left, table, right);
}

static void alter_table(fixture *f)
{
    char table[TEXT_MAX], column[TEXT_MAX], other[TEXT_MAX];
    some_table(f, table);
    some_column(f, table, column);
    switch (pick(10)) {
    case 0:
    case 1:
    case 2: add_column(f, table); break;
    case 3:
    case 4: attempt(f, "ALTER TABLE \"%s\" DROP COLUMN \"%s\"", table, column); break;
    case 5:
        attempt(f, "ALTER TABLE \"%s\" RENAME COLUMN \"%s\" TO %s", table, column, some_name());
        break;
    case 6: attempt(f, "ALTER TABLE \"%s\" RENAME TO t%u", table, pick(6)); break;
    case 7: reset_column(f, table); break;
    case 8: swap_names(f, table); break;
    default:
        some_table(f, other);
        attempt(f,
                "ALTER TABLE \"%s\" RENAME TO swapping; ALTER TABLE \"%s\" RENAME TO \"%s\";"
                " ALTER TABLE swapping RENAME TO \"%s\"",
                table, other, table, other);
    }
}

static void change_objects(fixture *f)
{
    char table[TEXT_MAX], column[TEXT_MAX];
    static const char *const kinds[] = {"", "UNIQUE"};
    some_table(f, table);
    some_column(f, table, column);
    switch (pick(10)) {
    case 0:
    case 1:
        attempt(f, "CREATE %s INDEX i%u ON \"%s\"(\"%s\"%s)", kinds[pick(2)], pick(6), table,
                column, pick(4) == 0 ? ", rowid" : "");
        break;
    case 2: attempt(f, "DROP INDEX i%u", pick(6)); break;
    case 3:
        attempt(f, "CREATE UNIQUE INDEX i%u ON \"%s\"(lower(\"%s\"))", pick(6), table, column);
        break;
    case 4:  // rows go without a trigger, and the index that made them go leaves no trace
        attempt(f,
                "CREATE UNIQUE INDEX passing ON \"%s\"(\"%s\");"
                " UPDATE OR REPLACE \"%s\" SET \"%s\" = (SELECT max(\"%s\") FROM \"%s\")"
                " WHERE rowid %% 4 = 1; DROP INDEX passing",
                table, column, table, column, column, table);
        break;
    case 5: attempt(f, "CREATE VIEW v%u AS SELECT * FROM \"%s\"", pick(3), table); break;
    case 6: attempt(f, "DROP VIEW v%u", pick(3)); break;
    case 7: attempt(f, "CREATE TABLE passing AS SELECT 1 x; DROP TABLE passing"); break;
    case 8: attempt(f, "DROP TABLE \"%s\"", table); break;
    default:
        attempt(f, "CREATE TRIGGER tr%u AFTER INSERT ON \"%s\" BEGIN DELETE FROM \"%s\" WHERE"
                   " rowid %% 11 = 3; END", pick(4), table, table);
        attempt(f, "DROP TRIGGER tr%u", pick(4));
    }
}

// ---- files -----------------------------------------------------------------------------------

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char command[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (system(command) != 0) exit(1);
}

static void must_be_same(fixture *f, br_cdc *cdc, const char *who)
{
    bool is_good = is_same_copy(cdc);
    CHECK(is_good);
    if (is_good) return;
    fprintf(stderr, "%s differs, %s\n", who, f->folder);
    exit(1);
}

static void backup(sqlite3 *from, sqlite3 *to)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    if (copy == NULL) return;
    sqlite3_backup_step(copy, -1);
    sqlite3_backup_finish(copy);
}

// Saves the file beside, or puts what was saved over the open file.
static void save_or_restore(fixture *f, bool is_restore)
{
    char path[200];
    sqlite3 *other = NULL;
    snprintf(path, sizeof path, "%s/saved.db", f->folder);
    if (is_restore && access(path, R_OK) != 0) return;
    if (sqlite3_open(path, &other) != SQLITE_OK) exit(1);
    if (is_restore) backup(other, br_oltp_handle(f->app));
    else backup(br_oltp_handle(f->app), other);
    sqlite3_close(other);
    if (is_talkative) printf("    -- %s\n", is_restore ? "backup restored" : "backup taken");
}

// A database like ours in a file of its own, opened as a database of its own.
static void look_into_copy(fixture *f)
{
    fixture other = *f;
    snprintf(other.path, sizeof other.path, "%s/into.db", f->folder);
    snprintf(other.store, sizeof other.store, "%s-braid", other.path);
    attempt(f, "VACUUM INTO '%s'", other.path);
    other.app = fixture_connect(&other);
    other.cdc = fixture_open_cdc(&other);
    must_be_same(&other, other.cdc, "a copy made by VACUUM INTO");
    br_cdc_close(other.cdc);
    br_oltp_close(other.app);
    run("rm -rf %s*", other.path);
}

static void use_attached(fixture *f)
{
    char table[TEXT_MAX];
    some_table(f, table);
    attempt(f, "ATTACH '%s/other.db' AS x; CREATE TABLE IF NOT EXISTS x.\"%s\"(a, b, c);"
               "INSERT INTO x.\"%s\" VALUES(1, 2, 3);"
               "INSERT INTO main.\"%s\" SELECT * FROM x.\"%s\"",
            f->folder, table, table, table, table);
    attempt(f, "DETACH x");
}

// All connections closed, another file in the place of the first.
static void replace_file(fixture *f)
{
    char saved[200];
    snprintf(saved, sizeof saved, "%s/saved.db", f->folder);
    br_cdc_close(f->cdc);
    br_oltp_close(f->app);
    if (access(saved, R_OK) == 0)
        run("rm -f %s-wal %s-shm && cp %s %s", f->path, f->path, saved, f->path);
    f->app = fixture_connect(f);
    f->cdc = fixture_open_cdc(f);
    if (is_talkative) printf("    -- file replaced\n");
}

// Every object created and every row inserted anew, as .dump and .read do it.
static void dump_and_load(fixture *f)
{
    sqlite3_stmt *row = NULL;
    br_oltp *old = f->app;
    br_cdc_close(f->cdc);
    char path[200];
    snprintf(path, sizeof path, "%s/dumped.db", f->folder);
    run("mv %s %s; rm -f %s-wal %s-shm", f->path, path, f->path, f->path);
    br_oltp_close(old);
    run("rm -f %s-wal %s-shm", f->path, f->path);
    f->app = fixture_connect(f);
    sqlite3 *to = br_oltp_handle(f->app);
    attempt(f, "ATTACH '%s' AS old", path);
    if (sqlite3_prepare_v2(to, "SELECT type, name, sql FROM old.sqlite_master WHERE sql IS NOT NULL"
                               " AND name NOT LIKE 'sqlite_%' ORDER BY type <> 'table'",
                           -1, &row, NULL) != SQLITE_OK)
        exit(1);
    while (sqlite3_step(row) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(row, 1);
        attempt(f, "%s", (const char *)sqlite3_column_text(row, 2));
        if (strcmp((const char *)sqlite3_column_text(row, 0), "table") != 0) continue;
        char columns[TEXT_MAX];
        ask(f, columns,
            "SELECT group_concat('\"' || name || '\"') FROM pragma_table_info('%s')", name);
        attempt(f, "INSERT INTO main.\"%s\"(%s) SELECT %s FROM old.\"%s\"", name, columns, columns,
                name);
    }
    sqlite3_finalize(row);
    attempt(f, "DETACH old");
    unlink(path);
    f->cdc = fixture_open_cdc(f);
    if (is_talkative) printf("    -- dumped and loaded\n");
}

// What needs the follower closed.
static void change_files(fixture *f)
{
    switch (pick(6)) {
    case 0: replace_file(f); break;
    case 1: dump_and_load(f); break;
    case 2: look_into_copy(f); break;
    case 3:
        fixture_reopen(f);
        break;
    case 4: save_or_restore(f, true); break;
    default: save_or_restore(f, false); break;
    }
}

// ---- rounds ----------------------------------------------------------------------------------

static void change(fixture *f)
{
    uint32_t what = pick(100);
    if (what < 45)
        change_rows(f);
    else if (what < 50)
        create_table(f);
    else if (what < 78)
        alter_table(f);
    else if (what < 90)
        change_objects(f);
    else if (what < 93) {
        char table[TEXT_MAX];
        copy_and_rename(f, some_table(f, table));
    } else if (what < 95)
        attempt(f, "VACUUM");
    else if (what < 97)
        use_attached(f);
    else
        attempt(f, "PRAGMA user_version = %u; ANALYZE", pick(9));
}

static void disturb(fixture *f)
{
    bool did_work;
    switch (pick(6)) {
    case 0: MUST(br_cdc_checkpoint(f->cdc, &f->err), f->err); break;
    case 1:
        MUST(br_cdc_checkpoint(f->cdc, &f->err), f->err);
        MUST(br_cdc_compact(f->cdc, &did_work, &f->err), f->err);
        break;
    case 2: fixture_reopen(f); break;
    default: MUST(br_cdc_sync(f->cdc, &f->err), f->err); break;
    }
}

static void test_schema_random_changes_end_in_the_same_rows(void)
{
    fixture f;
    fixture_init(&f);
    for (int i = 0; i < 4; i++) create_table(&f);
    f.cdc = fixture_open_cdc(&f);
    br_cdc *follower = fixture_open_cdc(&f);
    for (int round = 0; round < 40; round++) {
        for (uint32_t i = 1 + pick(5); i > 0; i--) {
            change(&f);
            if (pick(3) == 0) disturb(&f);
            if (pick(6) == 0) MUST(br_cdc_sync(follower, &f.err), f.err);
        }
        if (pick(2) == 0) must_be_same(&f, follower, "the follower");
        must_be_same(&f, f.cdc, "the maintainer");
        if (pick(4) != 0) continue;
        br_cdc_close(follower);
        change_files(&f);
        must_be_same(&f, f.cdc, "after another file");
        follower = fixture_open_cdc(&f);
    }
    br_cdc_close(follower);
    fixture_reopen(&f);
    must_be_same(&f, f.cdc, "the reopened copy");
    fixture_release(&f);
}

int main(int argument_count, char **arguments)
{
    uint64_t first = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint64_t count = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 6;
    is_talkative = argument_count > 3;
    for (uint64_t i = 0; i < count; i++) {
        seed = (first + i) * 0x9e3779b97f4a7c15ull | 1;
        printf("seed %" PRIu64 "\n", first + i);
        RUN(test_schema_random_changes_end_in_the_same_rows);
    }
    return test_result();
}
