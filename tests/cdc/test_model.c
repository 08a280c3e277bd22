// Random interleavings of everything, with syncs, checkpoints, reopens and a follower; after each
// round both sides must be the same. SQLite is the model. Writers are a connection that logs its
// own changes and one for which the triggers do.
// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>

#include "tests/cdc/fixture.h"

static uint64_t seed = 1;
static int round_count = 40;
static br_oltp *own, *plain;  // f->app is one of them

static uint32_t pick(uint32_t bound)
{
    return (uint32_t)(test_random(&seed) >> 33) % bound;
}

static const char *const tables[] = {"keyed", "plain", "uniq", "wide", "parent", "child", "texts"};

static const char *const schema =
    "PRAGMA foreign_keys = 1;"
    "CREATE TABLE keyed(id INTEGER PRIMARY KEY, a, b);"
    "CREATE TABLE plain(a, b);"
    "CREATE TABLE uniq(id INTEGER PRIMARY KEY, a UNIQUE, b DEFAULT 0, UNIQUE(b, a));"
    "CREATE UNIQUE INDEX part ON uniq(b) WHERE b > 50;"
    "CREATE TABLE wide(a, b, PRIMARY KEY(a)) WITHOUT ROWID;"
    "CREATE TABLE parent(a INTEGER PRIMARY KEY, b);"
    "CREATE TABLE child(a REFERENCES parent(a) ON DELETE CASCADE ON UPDATE CASCADE, b);"
    "CREATE TABLE texts(a TEXT COLLATE NOCASE PRIMARY KEY, b);";

// Statements may fail (constraints): what they leave is what counts.
static void attempt(fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void attempt(fixture *f, const char *format, ...)
{
    char sql[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    if (!br_oltp_in_transaction(f->app)) f->app = pick(2) == 0 ? own : plain;
    br_status status = br_oltp_exec(f->app, sql, NULL);
    (void)status;
}

static const char *random_value(char text[64])
{
    static const char *const special[] = {"NULL", "''", "x''", "-0.0", "9223372036854775807",
                                          "1e308"};
    uint32_t number = pick(200);
    switch (pick(6)) {
    case 0: snprintf(text, 64, "%u", number); break;
    case 1: snprintf(text, 64, "%u.25", number); break;
    case 2: snprintf(text, 64, "'%s%u'", pick(2) ? "Name " : "name ", number); break;
    case 3: snprintf(text, 64, "x'%02x'", number); break;
    case 4: snprintf(text, 64, "%s", special[pick(6)]); break;
    default: snprintf(text, 64, "-%u", number); break;
    }
    return text;
}

static void change_row(fixture *f, const char *table, const char * or)
{
    char a[64], b[64], c[64];
    switch (pick(8)) {
    case 0:
    case 1:
        attempt(f, "INSERT %s INTO %s(a, b) VALUES(%s, %s)", or, table, random_value(a),
                random_value(b));
        break;
    case 2:
        attempt(f, "INSERT %s INTO %s(a, b) SELECT abs(random()) %% 500, %s FROM %s LIMIT %u", or,
                table, random_value(a), tables[pick(7)], pick(30));
        break;
    case 3:
        attempt(f, "UPDATE %s %s SET b = %s WHERE a = %s OR b = %s", or, table, random_value(a),
                random_value(b), random_value(c));
        break;
    case 4:
        attempt(f, "UPDATE %s %s SET a = %s WHERE a = %s", or, table, random_value(a),
                random_value(b));
        break;
    case 5:
        attempt(f, "DELETE FROM %s WHERE a = %s OR b = %s", table, random_value(a),
                random_value(b));
        break;
    case 6:
        attempt(f, "INSERT INTO %s(a, b) VALUES(%s, 1) ON CONFLICT DO UPDATE SET b = %s", table,
                random_value(a), random_value(b));
        break;
    default: attempt(f, "UPDATE %s %s SET a = a + %u", or, table, pick(3)); break;
    }
}

static void change_keys(fixture *f)
{
    static const char *const keyed[] = {"keyed", "plain", "uniq", "child", "texts"};
    const char *table = keyed[pick(5)];
    switch (pick(6)) {
    case 0:
        attempt(f, "UPDATE OR REPLACE %s SET rowid = %u WHERE rowid = (SELECT max(rowid) FROM %s)",
                table, pick(100), table);
        break;
    case 1:
        attempt(f, "UPDATE OR IGNORE %s SET rowid = -rowid WHERE rowid %% 5 = %u", table, pick(5));
        break;
    case 2:
        attempt(f, "DELETE FROM %s WHERE rowid = (SELECT max(rowid) FROM %s)", table, table);
        break;
    case 3:
        attempt(f, "INSERT OR REPLACE INTO %s(rowid, a, b) VALUES(%u, %u, %u)", table, pick(300),
                pick(300), pick(100));
        break;
    case 4: attempt(f, "UPDATE OR REPLACE %s SET rowid = rowid + 1", table); break;
    default: attempt(f, "DELETE FROM %s WHERE rowid > %u", table, pick(300)); break;
    }
}

static void change_schema(fixture *f)
{
    const char *table = tables[pick(3)];
    switch (pick(17)) {
    case 11:
        attempt(f, "CREATE TRIGGER app AFTER UPDATE ON keyed BEGIN"
                   " UPDATE plain SET b = NEW.id WHERE rowid = NEW.id %% 7;"
                   " DELETE FROM texts WHERE a = NEW.a; END");
        break;
    case 12: attempt(f, "DROP TRIGGER app"); break;
    case 13:
        attempt(f, "CREATE TEMP TRIGGER own AFTER DELETE ON plain BEGIN"
                   " UPDATE keyed SET b = b || 'd' WHERE id = OLD.rowid; END");
        break;
    case 14: attempt(f, "DROP TRIGGER temp.own"); break;
    case 15:
        attempt(f, "DROP TABLE parent; CREATE TABLE parent(a INTEGER PRIMARY KEY, b)");
        break;
    case 0: attempt(f, "ALTER TABLE %s ADD COLUMN c%u DEFAULT 'c'", table, pick(1000)); break;
    case 1: attempt(f, "VACUUM"); break;
    case 2: attempt(f, "DROP TABLE plain; CREATE TABLE plain(a, b)"); break;
    case 3: attempt(f, "CREATE UNIQUE INDEX extra ON keyed(b)"); break;
    case 4: attempt(f, "DROP INDEX extra"); break;
    case 5: attempt(f, "ALTER TABLE keyed RENAME TO k2; ALTER TABLE k2 RENAME TO keyed"); break;
    case 6: attempt(f, "CREATE TABLE more%u AS SELECT * FROM %s", pick(3), table); break;
    case 7: attempt(f, "DROP TABLE more%u", pick(3)); break;
    case 8: attempt(f, "CREATE UNIQUE INDEX lowered ON plain(lower(a), rowid)"); break;
    case 9: attempt(f, "CREATE UNIQUE INDEX low ON texts(lower(b))"); break;
    case 10: attempt(f, "DROP INDEX low"); break;
    default: attempt(f, "ANALYZE; PRAGMA recursive_triggers = %u", pick(2)); break;
    }
}

static void change(fixture *f)
{
    static const char *const conflicts[] = {"OR REPLACE", "OR IGNORE", "OR FAIL", ""};
    uint32_t what = pick(100);
    if (what < 70)
        change_row(f, tables[pick(7)], conflicts[pick(4)]);
    else if (what < 85)
        change_keys(f);
    else if (what < 87)
        attempt(f, "DELETE FROM %s", tables[pick(7)]);
    else if (what < 90)
        attempt(f, "BEGIN");
    else if (what < 92)
        attempt(f, "SAVEPOINT s%u", pick(2));
    else if (what < 94)
        attempt(f, "ROLLBACK TO s%u", pick(2));
    else if (what < 96)
        attempt(f, pick(3) ? "COMMIT" : "ROLLBACK");
    else
        change_schema(f);
}

// True when both sides are the same; after a difference the test ends, naming the round.
static void check(fixture *f, br_cdc *cdc, int round, const char *who)
{
    bool is_good = is_same_copy(cdc);
    CHECK(is_good);
    if (is_good) return;
    fprintf(stderr, "%s differs in round %d of %s\n", who, round, f->folder);
    exit(1);
}

static void disturb(fixture *f, int round)
{
    bool did_work;
    switch (pick(10)) {
    case 0: fixture_reopen(f); break;
    case 1: MUST(br_cdc_checkpoint(f->cdc, &f->err), f->err); break;
    case 2:
        MUST(br_cdc_checkpoint(f->cdc, &f->err), f->err);
        MUST(br_cdc_compact(f->cdc, &did_work, &f->err), f->err);
        break;
    case 3: check(f, f->cdc, round, "the maintainer"); break;
    default: MUST(br_cdc_sync(f->cdc, &f->err), f->err); break;
    }
}

// A transaction open in the application hides its changes from everybody else.
static void end_transaction(fixture *f)
{
    while (br_oltp_in_transaction(f->app)) attempt(f, "COMMIT");
}

static void test_random_changes_end_in_the_same_rows(void)
{
    fixture f;
    fixture_init(&f);
    plain = f.app;
    f.logs_own_changes = true;
    own = fixture_connect(&f);
    fixture_exec(&f, schema);
    MUST(br_oltp_exec(own, "PRAGMA foreign_keys = 1", &f.err), f.err);
    f.cdc = fixture_open_cdc(&f);
    br_cdc *follower = fixture_open_cdc(&f);
    for (int round = 0; round < round_count; round++) {
        for (uint32_t i = pick(40); i > 0; i--) {
            change(&f);
            if (pick(12) == 0 && !br_oltp_in_transaction(f.app))
                disturb(&f, round);
            else if (pick(12) == 0)
                MUST(br_cdc_sync(f.cdc, &f.err), f.err);
            if (pick(30) == 0) MUST(br_cdc_sync(follower, &f.err), f.err);
        }
        end_transaction(&f);
        if (pick(2) == 0) check(&f, follower, round, "the follower");
        check(&f, f.cdc, round, "the maintainer");
        if (pick(2) == 0) check(&f, follower, round, "the follower");
    }
    br_cdc_close(follower);
    fixture_reopen(&f);
    check(&f, f.cdc, round_count, "the reopened copy");
    f.app = plain;
    br_oltp_close(own);
    fixture_release(&f);
}

int main(int argument_count, char **arguments)
{
    uint64_t first = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint64_t count = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 4;
    for (uint64_t i = 0; i < count; i++) {
        seed = (first + i) * 0x9e3779b97f4a7c15ull | 1;
        printf("seed %" PRIu64 "\n", first + i);
        RUN(test_random_changes_end_in_the_same_rows);
    }
    return test_result();
}
