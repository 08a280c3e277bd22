// A connection that logs its own changes: what it logs, and that nobody else can tell.
//
// The same statements run on two files, one plain, the other captured and written by such a
// connection: results, errors, counters and tables must be the same, whatever triggers, attached
// files and other connections there are.
// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>

#include "base/key_ranges.h"
#include "tests/oltp/fixture.h"

static uint64_t seed = 1;

static uint32_t pick(uint32_t bound)
{
    return (uint32_t)(test_random(&seed) >> 33) % bound;
}

// ---- ranges ---------------------------------------------------------------------------------

static void check_packed(const br_key_ranges *ranges, size_t limit_bytes)
{
    br_buffer packed = {0};
    size_t seen = 0;
    for (size_t at = 0; at < ranges->count;) {
        br_buffer_clear(&packed);
        if (!br_key_ranges_pack(ranges, &at, limit_bytes, &packed)) exit(1);
        CHECK(packed.size_bytes <= limit_bytes);
        br_key_range_reader reader = br_key_range_reader_make(
            br_text_make((const char *)packed.bytes, (uint32_t)packed.size_bytes));
        br_key_range range;
        for (; br_key_range_next(&reader, &range) && seen < ranges->count; seen++) {
            CHECK_INT(range.first, ranges->items[seen].first);
            CHECK_INT(range.last, ranges->items[seen].last);
        }
        CHECK(!reader.is_damaged);
    }
    CHECK_INT(seen, ranges->count);
    br_buffer_release(&packed);
}

static void test_ranges_are_packed_and_read_back(void)
{
    static const int64_t keys[] = {5, 6, 7,  4,  3,   INT64_MIN,     100, INT64_MAX, INT64_MAX - 1,
                                   0, 6, -1, 99, 101, INT64_MIN + 1, 7};
    br_key_ranges ranges = {0};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CHECK(br_key_ranges_add(&ranges, keys[i]));
    br_key_ranges_normalise(&ranges, INT64_MAX);
    static const br_key_range wanted[] = {
        {INT64_MIN, INT64_MIN + 1}, {-1, 0}, {3, 7}, {99, 101}, {INT64_MAX - 1, INT64_MAX}};
    CHECK_INT(ranges.count, 5);
    for (size_t i = 0; i < 5 && i < ranges.count; i++) {
        CHECK_INT(ranges.items[i].first, wanted[i].first);
        CHECK_INT(ranges.items[i].last, wanted[i].last);
    }
    check_packed(&ranges, 1 << 16);
    check_packed(&ranges, 20);
    br_key_ranges_normalise(&ranges, 100);
    CHECK_INT(ranges.count, 4);
    CHECK_INT(ranges.items[3].last, 100);
    br_key_ranges_normalise(&ranges, INT64_MIN);
    CHECK_INT(ranges.count, 1);
    br_key_ranges_release(&ranges);
}

static void test_damaged_ranges_are_noticed(void)
{
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[24];
        uint32_t size = pick(sizeof bytes);
        for (uint32_t j = 0; j < size; j++) bytes[j] = (uint8_t)(pick(3) == 0 ? 0xff : pick(256));
        br_key_range_reader reader =
            br_key_range_reader_make(br_text_make((const char *)bytes, size));
        br_key_range range;
        while (br_key_range_next(&reader, &range)) CHECK(range.first <= range.last);
        CHECK(reader.is_damaged || reader.next == reader.end);
    }
}

// ---- what is logged -------------------------------------------------------------------------

static br_oltp *connect_own(fixture *f)
{
    br_oltp_config config = {
        .path = f->path, .busy_timeout_ms = 100, .create = true, .logs_own_changes = true};
    br_oltp *oltp = NULL;
    MUST(br_oltp_open(&config, &oltp, &f->err), f->err);
    return oltp;
}

// As the maintainer does: every table that has no triggers gets them.
static void capture_all(fixture *f, br_oltp *maintainer)
{
    br_schema schema;
    br_capture_entry *entries;
    uint32_t count;
    MUST(br_oltp_exec(maintainer, "BEGIN IMMEDIATE", &f->err), f->err);
    MUST(br_capture_install_meta(maintainer, &f->err), f->err);
    MUST(br_schema_read(maintainer, f->arena, &schema, &f->err), f->err);
    MUST(br_capture_read_entries(maintainer, &schema, f->arena, &entries, &count, &f->err), f->err);
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].state == BR_CAPTURE_BROKEN)
            MUST(br_capture_uninstall(maintainer, entries[i].table_id, &f->err), f->err);
        else
            MUST(br_capture_update(maintainer, &entries[i], &f->err), f->err);
    }
    for (uint32_t i = 0; i < schema.table_count; i++) {
        bool is_captured = false;
        for (uint32_t j = 0; j < count; j++)
            is_captured |=
                entries[j].state != BR_CAPTURE_BROKEN && entries[j].table == &schema.tables[i];
        if (is_captured) continue;
        uint32_t id = 0;
        MUST(br_capture_new_id(maintainer, &id, &f->err), f->err);
        MUST(br_capture_install(maintainer, &schema.tables[i], id, &f->err), f->err);
    }
    MUST(br_oltp_exec(maintainer, "COMMIT", &f->err), f->err);
}

// The log since the last call: for each record its kind and, of ranges, the keys.
static void check_log(fixture *f, const char *expected)
{
    br_oltp_statement *s = NULL;
    br_buffer text = {0};
    bool has_row = true;
    MUST(br_oltp_prepare(f->oltp, "SELECT key FROM _braid_log ORDER BY seq", NULL, &s, &f->err),
         f->err);
    MUST(br_oltp_step(s, &has_row, &f->err), f->err);
    while (has_row) {
        br_value key = br_oltp_column(s, 0);
        br_key_range range;
        br_key_range_reader reader = br_key_range_reader_make(key.text);
        if (key.class_ == BR_INT) br_buffer_format(&text, "%" PRId64 " ", key.i64);
        if (key.class_ == BR_NULL) br_buffer_format(&text, "all ");
        while (key.class_ == BR_BLOB && br_key_range_next(&reader, &range))
            br_buffer_format(&text, "%" PRId64 "-%" PRId64 " ", range.first, range.last);
        MUST(br_oltp_step(s, &has_row, &f->err), f->err);
    }
    br_oltp_finalize(s);
    br_buffer_append(&text, "", 1);
    CHECK_TEXT((const char *)text.bytes, expected);
    br_buffer_release(&text);
    fixture_exec(f, "DELETE FROM _braid_log");
}

// `oltp` of the fixture is a plain connection.
static fixture captured(const char *schema, br_oltp **own_out)
{
    fixture f = fixture_new();
    fixture_exec(&f, schema);
    capture_all(&f, f.oltp);
    *own_out = connect_own(&f);
    return f;
}

static void run(fixture *f, br_oltp *own, const char *sql)
{
    MUST(br_oltp_exec(own, sql, &f->err), f->err);
}

static void test_keys_are_logged_when_a_transaction_ends(void)
{
    br_oltp *own;
    fixture f = captured("CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE);"
                         "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 1000)"
                         " INSERT INTO t SELECT i, i FROM r",
                         &own);
    run(&f, own, "INSERT INTO t VALUES(1001, 0), (NULL, -1)");
    check_log(&f, "");
    run(&f, own, "UPDATE t SET a = -a WHERE id BETWEEN 10 AND 20 OR id = 30");
    check_log(&f, "10-20 30-30 ");
    run(&f, own, "DELETE FROM t WHERE id = 5");
    check_log(&f, "5 ");
    run(&f, own,
        "BEGIN; UPDATE t SET a = 5000 WHERE id = 7; SELECT * FROM t;"
        "UPDATE t SET id = 5 WHERE id = 8; INSERT OR REPLACE INTO t VALUES(2000, 100);"
        "SAVEPOINT s; DELETE FROM t WHERE id = 50; RELEASE s; COMMIT");
    check_log(&f, "5-5 7-8 100-100 50 ");
    run(&f, own, "BEGIN; UPDATE t SET a = a || 'x'; ROLLBACK");
    check_log(&f, "");
    run(&f, own, "SAVEPOINT s; DELETE FROM t WHERE id = 500; RELEASE s");
    check_log(&f, "500 ");
    run(&f, own, "INSERT INTO t VALUES(1, 1) ON CONFLICT(id) DO UPDATE SET a = 'up'");
    check_log(&f, "1 ");
    run(&f, own, "DELETE FROM t");
    check_log(&f, "1-7 9-49 51-99 101-499 501-1000 ");
    br_oltp_close(own);
    fixture_release(&f);
}

static void test_cascades_and_dirty_tables_are_logged(void)
{
    br_oltp *own;
    fixture f = captured("CREATE TABLE p(id INTEGER PRIMARY KEY);"
                         "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE);"
                         "CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID;"
                         "INSERT INTO p VALUES(1), (2); INSERT INTO c VALUES(7, 1), (8, 2), (9, 1)",
                         &own);
    run(&f, own, "PRAGMA foreign_keys = 1; DELETE FROM p WHERE id = 1");
    check_log(&f, "1 7-7 9-9 ");
    run(&f, own, "INSERT INTO w VALUES('a', 1), ('b', 2); UPDATE w SET v = 3");
    check_log(&f, "all ");
    CHECK_INT(fixture_int(&f, "SELECT max(hi) FROM _braid_table WHERE name = 'w'"), 1);
    br_oltp_close(own);
    fixture_release(&f);
}

static void test_triggers_of_the_application_go_on_firing(void)
{
    br_oltp *own, *other;
    int64_t count;
    fixture f = captured("CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE seen(a)", &own);
    run(&f, own, "BEGIN; INSERT INTO t VALUES(1, 1); COMMIT");
    other = fixture_connect(&f);
    run(&f, other,
        "CREATE TRIGGER app AFTER INSERT ON t BEGIN INSERT INTO seen VALUES(NEW.a); END");
    run(&f, own, "INSERT INTO t VALUES(2, 2)");
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM seen"), 1);
    run(&f, other, "DROP TRIGGER app");
    run(&f, own, "BEGIN; INSERT INTO t VALUES(3, 3); COMMIT; BEGIN; INSERT INTO t VALUES(4, 4)");
    run(&f, own, "COMMIT");
    br_oltp_statement *insert = NULL;
    bool has_row;
    MUST(br_oltp_prepare(own, "INSERT INTO t(a) VALUES(5)", NULL, &insert, &f.err), f.err);
    MUST(br_oltp_step(insert, &has_row, &f.err), f.err);
    br_oltp_reset(insert);
    run(&f, other,
        "CREATE TRIGGER app AFTER INSERT ON t BEGIN INSERT INTO seen VALUES(NEW.a); END");
    MUST(br_oltp_step(insert, &has_row, &f.err), f.err);
    br_oltp_reset(insert);
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM seen"), 2);
    run(&f, own, "BEGIN");
    MUST(br_oltp_step(insert, &has_row, &f.err), f.err);
    br_oltp_reset(insert);
    run(&f, own, "COMMIT");
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM seen"), 3);
    run(&f, own,
        "DROP TRIGGER app; CREATE TEMP TRIGGER own AFTER INSERT ON t BEGIN"
        " INSERT INTO seen VALUES('temp'); END; INSERT INTO t(a) VALUES(6)");
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM seen"), 4);
    run(&f, own,
        "DROP TRIGGER temp.own; ATTACH ':memory:' AS side; CREATE TABLE side.t(a);"
        "CREATE TABLE side.seen(a); CREATE TRIGGER side.x AFTER INSERT ON t BEGIN"
        " INSERT INTO seen VALUES(1); END; INSERT INTO side.t VALUES(1)");
    MUST(br_oltp_query_int(own, "SELECT count(*) FROM side.seen", 0, &count, &f.err), f.err);
    CHECK_INT(count, 1);
    br_oltp_finalize(insert);
    br_oltp_close(other);
    br_oltp_close(own);
    fixture_release(&f);
}

static void test_counters_do_not_show_the_log(void)
{
    br_oltp *own;
    fixture f = captured("CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
                         "INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)",
                         &own);
    static const struct {
        const char *sql, *counter;
        int64_t wanted;
    } steps[] = {
        {"UPDATE t SET a = 0", "SELECT changes()", 3},
        {"SELECT 1", "SELECT total_changes()", 3},
        {"BEGIN; DELETE FROM t WHERE id < 3; COMMIT", "SELECT changes()", 2},
        {"INSERT INTO t VALUES(77, 1)", "SELECT last_insert_rowid()", 77},
        {"INSERT OR REPLACE INTO t VALUES(3, 1)", "SELECT last_insert_rowid()", 3},
        {"SELECT 1", "SELECT total_changes()", 7},
        {"UPDATE t SET a = 1 WHERE id = 100", "SELECT changes()", 0},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int64_t value;
        run(&f, own, steps[i].sql);
        MUST(br_oltp_query_int(own, steps[i].counter, -1, &value, &f.err), f.err);
        CHECK_INT(value, steps[i].wanted);
    }
    br_oltp_close(own);
    fixture_release(&f);
}

// Statements that are no INSERT, UPDATE or DELETE, with the log and the session behind them.
static void test_other_statements_lose_nothing(void)
{
    br_oltp *own;
    int64_t count;
    fixture f = captured("CREATE TABLE p(id INTEGER PRIMARY KEY);"
                         "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE);"
                         "INSERT INTO p VALUES(1), (2); INSERT INTO c VALUES(7, 1), (8, 2), (9, 1)",
                         &own);
    run(&f, own, "PRAGMA foreign_keys = 1; INSERT INTO c VALUES(10, 2)");
    run(&f, own, "\xef\xbb\xbfUPDATE c SET p = 1 WHERE id = 8");
    check_log(&f, "8 ");
    MUST(br_oltp_query_int(own, "SELECT changes()", -1, &count, &f.err), f.err);
    CHECK_INT(count, 1);
    run(&f, own,
        "BEGIN; PRAGMA defer_foreign_keys = 1; INSERT INTO c VALUES(11, 3);"
        "INSERT INTO p VALUES(3); COMMIT");
    run(&f, own,
        "BEGIN; CREATE TEMP TABLE x(a); INSERT INTO c VALUES(12, 3); COMMIT;"
        "INSERT INTO x VALUES(1)");
    check_log(&f, "");
    run(&f, own, "DELETE FROM c WHERE id = 12; DROP TABLE p");
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM c"), 0);
    check_log(&f, "7 8 9 10 11 ");
    br_oltp_close(own);
    fixture_release(&f);
}

// The number of a schema that was taken back may be that of another one afterwards.
static void test_a_schema_taken_back_is_looked_at_again(void)
{
    static const char *const ends[] = {
        "ROLLBACK", "INSERT OR ROLLBACK INTO t VALUES(1, NULL)",
        "ROLLBACK TO s; INSERT INTO seen VALUES(0); DELETE FROM seen; RELEASE s"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        br_oltp *own;
        fixture f = captured("CREATE TABLE t(id INTEGER PRIMARY KEY, a NOT NULL);"
                             "CREATE TABLE seen(a); INSERT INTO t VALUES(1, 1)",
                             &own);
        br_oltp *other = fixture_connect(&f);
        run(&f, other,
            "CREATE TRIGGER app AFTER INSERT ON t BEGIN INSERT INTO seen VALUES(1); END");
        run(&f, own,
            "INSERT INTO t VALUES(2, 2); SAVEPOINT s; DROP TRIGGER app;"
            "INSERT INTO t VALUES(3, 3)");
        br_status ignored = br_oltp_exec(own, ends[i], &f.err);
        (void)ignored;
        CHECK(!br_oltp_in_transaction(own));
        run(&f, other, "DELETE FROM seen; CREATE TABLE x(a)");
        run(&f, own, "INSERT INTO t VALUES(4, 4)");
        CHECK_INT(fixture_int(&f, "SELECT count(*) FROM seen"), 1);
        br_oltp_close(other);
        br_oltp_close(own);
        fixture_release(&f);
    }
}

static void test_changes_taken_back_are_not_counted(void)
{
    br_oltp *own;
    int64_t count;
    fixture f = captured("CREATE TABLE p(id INTEGER PRIMARY KEY);"
                         "CREATE TABLE c(id INTEGER PRIMARY KEY,"
                         " p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
                         &own);
    run(&f, own, "PRAGMA foreign_keys = 1; INSERT INTO p VALUES(1)");
    fixture_exec(&f, "CREATE TABLE x(a)");
    run(&f, own, "INSERT INTO p VALUES(2)");
    MUST(br_oltp_query_int(own, "SELECT total_changes()", -1, &count, &f.err), f.err);
    CHECK_INT(count, 2);
    CHECK(br_oltp_exec(own, "INSERT INTO c VALUES(1, 5)", &f.err) != BR_OK);
    MUST(br_oltp_query_int(own, "SELECT total_changes()", -1, &count, &f.err), f.err);
    CHECK_INT(count, 2);
    br_oltp_close(own);
    fixture_release(&f);
}

// ---- nobody can tell ------------------------------------------------------------------------

typedef struct sides {
    fixture plain, own; // `oltp` of each is another, plain connection to its file
    br_oltp *writers[2];
} sides;

static void both(sides *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static br_status run_text(br_oltp *oltp, const char *sql, char rows[400], br_error *err)
{
    size_t length = 0;
    rows[0] = 0;
    br_status status = BR_OK;
    while (status == BR_OK && *sql != 0) {
        br_oltp_statement *statement = NULL;
        status = br_oltp_prepare(oltp, sql, &sql, &statement, err);
        bool has_row = statement != NULL;
        // Some are left in the middle of what they return.
        for (int i = 0; status == BR_OK && has_row && i < 5; i++) {
            status = br_oltp_step(statement, &has_row, err);
            for (uint32_t c = 0; status == BR_OK && has_row && c < br_oltp_column_count(statement);
                 c++) {
                br_value value = br_oltp_column(statement, c);
                if (value.class_ == BR_INT && length < 370)
                    length += (size_t)sprintf(rows + length, "%" PRId64 ";", value.i64);
            }
        }
        br_oltp_finalize(statement);
    }
    return status;
}

static void both(sides *s, const char *format, ...)
{
    char sql[800], rows[2][400];
    br_error errs[2] = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    br_status plain = run_text(s->writers[0], sql, rows[0], &errs[0]);
    br_status own = run_text(s->writers[1], sql, rows[1], &errs[1]);
    CHECK_INT(own, plain);
    if (plain != BR_OK && plain == own) CHECK_TEXT(errs[1].message, errs[0].message);
    CHECK_TEXT(rows[1], rows[0]);
    CHECK_INT(br_oltp_in_transaction(s->writers[1]), br_oltp_in_transaction(s->writers[0]));
    CHECK_INT(br_oltp_changes(s->writers[1]), br_oltp_changes(s->writers[0]));
    CHECK_INT(br_oltp_last_rowid(s->writers[1]), br_oltp_last_rowid(s->writers[0]));
    if (test_failures_ > 0) {
        fprintf(stderr, "after: %s: %s\n", sql, errs[1].message);
        exit(1);
    }
}

static const char *const sides_schema =
    "CREATE TABLE a(id INTEGER PRIMARY KEY, x UNIQUE, y NOT NULL DEFAULT 1 CHECK(y < 90));"
    "CREATE TABLE b(x, y); CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES a(id)"
    " ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);"
    "CREATE TABLE w(x, y, PRIMARY KEY(y, x)) WITHOUT ROWID; CREATE TABLE seen(x, y);"
    "CREATE VIEW v AS SELECT x, y FROM b;";

static void change_both(sides *s)
{
    static const char *const verbs[] = {"", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK"};
    static const char *const tables[] = {"a", "b", "w"};
    const char *verb = verbs[pick(5)], *table = tables[pick(3)];
    uint32_t n = pick(60), m = pick(100);
    switch (pick(22)) {
    case 0:
        both(s, "INSERT %s INTO %s(x, y) VALUES(%u, %u)", verb, table, n, m);
        break;
    case 1:
        both(s, "INSERT %s INTO %s(x, y) VALUES(%u, %u), (%u, 2) RETURNING x, y", verb, table, n, m,
             m);
        break;
    case 2:
        both(s, "UPDATE %s %s SET x = x + 1 WHERE y > %u RETURNING x", verb, table, m);
        break;
    case 3:
        both(s, "UPDATE %s %s SET y = %u WHERE x = %u", verb, table, m, n);
        break;
    case 4:
        both(s, "DELETE FROM %s WHERE x = %u OR y = %u", table, n, m);
        break;
    case 5:
        both(s, "INSERT %s INTO %s(x, y) SELECT y, x FROM b", verb, table);
        break;
    case 6:
        both(s, "INSERT %s INTO c(id, a) VALUES(%u, %u)", verb, n, m);
        break;
    case 7:
        both(s, "UPDATE %s a SET id = %u WHERE id = %u", verb, m, n);
        break;
    case 8:
        both(s, "/* x */ -- y\n; REPLACE INTO a VALUES(%u, %u, 3)", n, m);
        break;
    case 9:
        both(s, "WITH z AS (SELECT %u AS q) UPDATE b SET x = (SELECT q FROM z) WHERE y = %u", n, m);
        break;
    case 10:
        both(s, "SELECT changes(), last_insert_rowid(); SELECT count(*) FROM %s", table);
        break;
    case 11:
        both(s, "DELETE FROM %s", tables[pick(3)]);
        break;
    case 12:
        both(s, "INSERT INTO v VALUES(1, 2)");
        break;
    case 13:
    case 14:
        both(s, "BEGIN%s", pick(2) == 0 ? " IMMEDIATE" : "");
        break;
    case 15:
        both(s, "SAVEPOINT s%u", pick(2));
        break;
    case 16:
        both(s, "ROLLBACK TO s%u", pick(2));
        break;
    case 17:
        both(s, "RELEASE s%u", pick(2));
        break;
    case 18:
    case 19:
        both(s, pick(4) > 0 ? "COMMIT" : "ROLLBACK");
        break;
    case 20:
        both(s, "INSERT INTO b VALUES(zeroblob(9), abs(-9223372036854775808))");
        break;
    default:
        both(s, "INSERT INTO a(x, y) VALUES(%u, 5) ON CONFLICT(x) DO UPDATE SET y = y + 1", n);
        break;
    }
}

// Triggers, by the writers themselves or by others, and what is captured.
static void change_triggers(sides *s)
{
    static const char *const texts[] = {
        "CREATE TRIGGER app AFTER INSERT ON b BEGIN INSERT INTO seen VALUES(NEW.x, 'i'); END",
        "CREATE TRIGGER app AFTER DELETE ON c BEGIN INSERT INTO seen VALUES(OLD.id, 'd'); END",
        "CREATE TRIGGER app INSTEAD OF INSERT ON v BEGIN INSERT INTO b VALUES(NEW.x, NEW.y); END",
        "DROP TRIGGER app",
        "CREATE TABLE more(x)",
        "DROP TABLE more",
        "ALTER TABLE seen RENAME TO seen2; ALTER TABLE seen2 RENAME TO seen",
        "DROP TRIGGER app",
    };
    const char *sql = texts[pick(8)];
    if (pick(3) == 0) {
        both(s, "%s", sql);
        return;
    }
    if (br_oltp_in_transaction(s->writers[0])) return;
    br_status plain = br_oltp_exec(s->plain.oltp, sql, NULL);
    CHECK_INT(br_oltp_exec(s->own.oltp, sql, NULL), plain);
    if (pick(2) == 0) capture_all(&s->own, s->own.oltp);
}

static void change_session(sides *s)
{
    static const char *const texts[] = {
        "CREATE TEMP TRIGGER own AFTER UPDATE ON b BEGIN INSERT INTO seen VALUES(NEW.x, 't'); END",
        "DROP TRIGGER temp.own",
        "DROP TRIGGER temp.own",
        "ATTACH ':memory:' AS side; CREATE TABLE side.t(a); CREATE TABLE side.u(a);"
        "CREATE TRIGGER side.x AFTER INSERT ON t BEGIN INSERT INTO u VALUES(1); END",
        "INSERT INTO side.t VALUES(1); SELECT count(*) FROM side.u",
        "DETACH side",
        "PRAGMA foreign_keys = 1",
        "PRAGMA recursive_triggers = 1",
        "PRAGMA recursive_triggers = 0"};
    both(s, "%s", texts[pick(9)]);
}

// All rows of all tables.
static void dump(fixture *f, char rows[20000])
{
    br_oltp_statement *statement = NULL;
    bool has_row = true;
    size_t length = 0;
    MUST(br_oltp_prepare(f->oltp,
                         "SELECT 'a', id, quote(x), quote(y) FROM a UNION ALL"
                         " SELECT 'b', rowid, quote(x), quote(y) FROM b UNION ALL"
                         " SELECT 'c', id, quote(a), '0' FROM c UNION ALL"
                         " SELECT 'w', 0, quote(x), quote(y) FROM w UNION ALL"
                         " SELECT 's', rowid, quote(x), quote(y) FROM seen ORDER BY 1, 2, 3, 4"
                         " LIMIT 600",
                         NULL, &statement, &f->err),
         f->err);
    MUST(br_oltp_step(statement, &has_row, &f->err), f->err);
    while (has_row && length < 19900) {
        br_value id = br_oltp_column(statement, 1);
        br_text x = br_oltp_column(statement, 2).text, y = br_oltp_column(statement, 3).text;
        length += (size_t)snprintf(rows + length, 20000 - length, "%" PRId64 ",%.*s,%.*s\n", id.i64,
                                   x.size > 9 ? 9 : (int)x.size, x.data,
                                   y.size > 9 ? 9 : (int)y.size, y.data);
        MUST(br_oltp_step(statement, &has_row, &f->err), f->err);
    }
    br_oltp_finalize(statement);
}

static void check_tables(sides *s)
{
    static char rows[2][20000];
    dump(&s->plain, rows[0]);
    dump(&s->own, rows[1]);
    CHECK(strcmp(rows[0], rows[1]) == 0);
}

static void test_nobody_can_tell(void)
{
    sides s = {.plain = fixture_new(), .own = fixture_new()};
    fixture_exec(&s.plain, sides_schema);
    fixture_exec(&s.own, sides_schema);
    capture_all(&s.own, s.own.oltp);
    s.writers[0] = fixture_connect(&s.plain);
    s.writers[1] = connect_own(&s.own);
    for (int i = 0; i < 1500; i++) {
        uint32_t what = pick(100);
        if (what < 90)
            change_both(&s);
        else if (what < 96)
            change_triggers(&s);
        else
            change_session(&s);
        if (!br_oltp_in_transaction(s.writers[0])) check_tables(&s);
        if (test_failures_ > 0) break;
    }
    for (int i = 0; i < 2; i++) br_oltp_close(s.writers[i]);
    fixture_release(&s.plain);
    fixture_release(&s.own);
}

int main(int argument_count, char **arguments)
{
    uint64_t first = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint64_t count = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 6;
    RUN(test_ranges_are_packed_and_read_back);
    RUN(test_damaged_ranges_are_noticed);
    RUN(test_keys_are_logged_when_a_transaction_ends);
    RUN(test_cascades_and_dirty_tables_are_logged);
    RUN(test_triggers_of_the_application_go_on_firing);
    RUN(test_counters_do_not_show_the_log);
    RUN(test_other_statements_lose_nothing);
    RUN(test_a_schema_taken_back_is_looked_at_again);
    RUN(test_changes_taken_back_are_not_counted);
    for (uint64_t i = 0; i < count; i++) {
        seed = (first + i) * 0x9e3779b97f4a7c15ull | 1;
        printf("seed %" PRIu64 "\n", first + i);
        RUN(test_nobody_can_tell);
    }
    return test_result();
}
