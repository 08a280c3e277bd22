// The history of random changes, against a model: after each statement of SQLite's, whoever ran it,
// the test keeps what is in the table and the time. AS OF that time must show exactly that, on both
// engines, and the versions must follow each other without gap and overlap. In between the copy is
// synchronised, checkpointed, compacted, rebuilt, closed; histories are switched off and on; columns
// are added and renamed.
//
//     router_test_history_model [SEED [ROUNDS [STATEMENTS]]]
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

enum { STATES_MAX = 4000, SQL_BYTES = 800 };

// What the table held after the last change at or before `at`.
typedef struct state {
    int64_t at;
    char *rows;
} state;

typedef struct shape {
    const char *create;
    const char *columns;  // how a row is shown; the key first
    const char *key;      // of its versions; NULL: the rowid, which versions do not show
} shape;

static const shape shapes[] = {
    {"CREATE TABLE t(k INTEGER PRIMARY KEY, u INT UNIQUE, x, y TEXT COLLATE NOCASE)", "k, u, x, y",
     "k"},
    {"CREATE TABLE t(k INT, u INT, x, y TEXT COLLATE NOCASE); CREATE UNIQUE INDEX tu ON t(u);"
     "CREATE UNIQUE INDEX ty ON t(y, k) WHERE x > 3",
     "k, u, x, y", NULL},
    {"CREATE TABLE t(k INT, u TEXT COLLATE NOCASE, x, y REAL UNIQUE, PRIMARY KEY(k, u))"
     " WITHOUT ROWID",
     "k, u, x, y", "k, u"},
    {"CREATE TABLE t(k INTEGER PRIMARY KEY, u INT, x ANY, y TEXT NOT NULL DEFAULT 'd',"
     " g INT AS (u + 1), UNIQUE(u, y)) STRICT",
     "k, u, x, y, g", "k"},
    {"CREATE TABLE t(k INTEGER PRIMARY KEY, u, x, y)", "k, u, x, y", "k"},
};

typedef struct model {
    const shape *shape;
    char *path;
    sqlite3 *app;   // another program
    braid *db;
    uint64_t random;
    state states[STATES_MAX];
    uint32_t count;
    uint32_t marks[3], depth;  // states at BEGIN and each SAVEPOINT
    uint32_t refused;
    int64_t added, renamed;  // numbers of columns: the next, and the one that gets it
} model;

static uint64_t below(model *m, uint64_t limit)
{
    return test_random(&m->random) % limit;
}

static bool run(model *m, sqlite3 *app, const char *sql)
{
    char *message = NULL;
    int code = sqlite3_exec(app, sql, NULL, NULL, &message);
    bool is_refused = code != SQLITE_OK;
    if (is_refused && code != SQLITE_CONSTRAINT && code != SQLITE_MISMATCH) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(1);
    }
    m->refused += is_refused;
    sqlite3_free(message);
    return !is_refused;
}

static char *ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    char *text = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        text = sqlite3_mprintf("%s", sqlite3_column_type(statement, 0) == SQLITE_NULL
                                         ? ""
                                         : (const char *)sqlite3_column_text(statement, 0));
    if (text == NULL) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_finalize(statement);
    return text;
}

// All rows of `from` in one text, whose storage classes show.
static char *rows_sql(const model *m, const char *from)
{
    char *list = sqlite3_mprintf(""), *columns = sqlite3_mprintf("%s", m->shape->columns), *at = columns;
    for (char *name = strsep(&at, ","); name != NULL; name = strsep(&at, ","))
        list = sqlite3_mprintf("%z%s quote(%s)", list, list[0] == 0 ? "" : " || ' ' ||", name);
    sqlite3_free(columns);
    return sqlite3_mprintf("SELECT group_concat(r, char(10)) FROM (SELECT %z AS r FROM %s"
                           " ORDER BY 1)",
                           list, from);
}

// ---- states ----------------------------------------------------------------------------------

static int64_t clock_last(model *m)
{
    char *text = ask(m->app, "SELECT last FROM _braid_clock");
    int64_t last = strtoll(text, NULL, 10);
    sqlite3_free(text);
    return last;
}

static void forget_states(model *m, uint32_t count)
{
    while (m->count > count) sqlite3_free(m->states[--m->count].rows);
}

// A statement that changes nothing takes no time.
static void keep_state(model *m)
{
    char *sql = rows_sql(m, "t");
    state now = {.at = clock_last(m), .rows = ask(m->app, sql)};
    sqlite3_free(sql);
    bool is_same = m->count > 0 && m->states[m->count - 1].at == now.at;
    if (is_same) CHECK_TEXT(now.rows, m->states[m->count - 1].rows);
    if (is_same || m->count == STATES_MAX)
        sqlite3_free(now.rows);
    else
        m->states[m->count++] = now;
}

// ---- changes ---------------------------------------------------------------------------------

static const char *const conflicts[] = {"", "OR REPLACE ", "OR IGNORE ", "OR FAIL ", "OR ABORT ",
                                        "OR REPLACE "};

static void random_value(model *m, char *out, size_t size)
{
    switch (below(m, 6)) {
    case 0: snprintf(out, size, "NULL"); break;
    case 1: snprintf(out, size, "%d.5", (int)below(m, 9)); break;
    case 2: snprintf(out, size, "'%c'", "aAbBcC"[below(m, 6)]); break;
    default: snprintf(out, size, "%d", (int)below(m, 9)); break;
    }
}

static void insert_sql(model *m, char *sql)
{
    char values[4][16];
    const char *verb = conflicts[below(m, 6)];
    int size = snprintf(sql, SQL_BYTES, "INSERT %sINTO t(k, u, x, y) VALUES", verb);
    uint64_t rows = 1 + below(m, 3);
    for (uint64_t i = 0; i < rows; i++) {
        for (int c = 0; c < 4; c++) random_value(m, values[c], sizeof values[c]);
        // Most keys fit their column.
        if (below(m, 20) > 0) snprintf(values[0], sizeof values[0], "%d", (int)below(m, 15));
        size += snprintf(sql + size, SQL_BYTES - (size_t)size, "%s(%s, %s, %s, %s)",
                         i == 0 ? "" : ", ", values[0], values[1], values[2], values[3]);
    }
    if (verb[0] == 0 && below(m, 2) == 0)
        snprintf(sql + size, SQL_BYTES - (size_t)size,
                 below(m, 2) == 0 ? " ON CONFLICT DO NOTHING"
                                  : " ON CONFLICT DO UPDATE SET x = excluded.x, u = u + 1");
}

static void update_sql(model *m, char *sql)
{
    static const char *const sets[] = {"x = %s",        "u = %s, x = 1", "k = %s",    "y = %s",
                                       "k = k + 1, x = %s", "x = %s, y = y", "u = u + 1, x = %s"};
    char value[16], set[60];
    random_value(m, value, sizeof value);
    snprintf(set, sizeof set, sets[below(m, 7)], value);
    snprintf(sql, SQL_BYTES, "UPDATE %st SET %s WHERE k %s %d", conflicts[below(m, 6)], set,
             below(m, 4) == 0 ? ">" : "=", (int)below(m, 15));
}

static void change_sql(model *m, char *sql)
{
    uint64_t which = below(m, 10);
    if (which < 4)
        insert_sql(m, sql);
    else if (which < 8)
        update_sql(m, sql);
    else if (which < 9 || below(m, 5) > 0)
        snprintf(sql, SQL_BYTES, "DELETE FROM t WHERE k = %d", (int)below(m, 15));
    else
        snprintf(sql, SQL_BYTES, "DELETE FROM t");
}

static void begin_or_end(model *m)
{
    if (m->depth < 3 && below(m, 3) > 0) {
        run(m, m->app, m->depth == 0 ? "BEGIN" : m->depth == 1 ? "SAVEPOINT a" : "SAVEPOINT b");
        m->marks[m->depth++] = m->count;
    } else if (m->depth > 0) {
        static const char *const undo[] = {"ROLLBACK", "ROLLBACK TO a; RELEASE a",
                                           "ROLLBACK TO b; RELEASE b"};
        static const char *const keep[] = {"COMMIT", "RELEASE a", "RELEASE b"};
        bool is_undone = below(m, 2) == 0;
        m->depth--;
        run(m, m->app, is_undone ? undo[m->depth] : keep[m->depth]);
        if (is_undone) forget_states(m, m->marks[m->depth]);
    }
}

static void end_all(model *m)
{
    if (m->depth > 0) run(m, m->app, "COMMIT");
    m->depth = 0;
}

// ---- checks ----------------------------------------------------------------------------------

static char *query_text(model *m, const char *sql, int64_t at, braid_engine engine)
{
    braid_statement *statement = NULL;
    braid_result *result = NULL;
    braid_status status = braid_prepare(m->db, sql, &statement, NULL);
    if (status == BRAID_OK) {
        braid_statement_set_engine(statement, engine);
        if (braid_parameter_count(statement) > 0) status = braid_bind_int64(statement, 1, at);
    }
    if (status == BRAID_OK) status = braid_run(statement, &result);
    if (status != BRAID_OK) {
        fprintf(stderr, "%s: %s\n", sql, braid_error_message(m->db));
        exit(1);
    }
    braid_value value = braid_value_get(result, 0, 0);
    char *text = value.type == BRAID_TEXT ? sqlite3_mprintf("%.*s", (int)value.as.text.size,
                                                            value.as.text.data)
                 : value.type == BRAID_INTEGER ? sqlite3_mprintf("%lld", value.as.integer)
                                               : sqlite3_mprintf("");
    braid_result_free(result);
    braid_statement_close(statement);
    return text;
}

static void check_text(model *m, const char *sql, int64_t at, const char *expected)
{
    static const braid_engine engines[] = {BRAID_ENGINE_OLAP, BRAID_ENGINE_OLTP};
    for (int i = 0; i < 2; i++) {
        char *text = query_text(m, sql, at, engines[i]);
        if (strcmp(text, expected) != 0)
            fprintf(stderr, "at %" PRId64 ", %s: %s\n", at, i == 0 ? "columnar" : "SQLite", sql);
        CHECK_TEXT(text, expected);
        sqlite3_free(text);
    }
}

static void check_states(model *m, uint32_t tries)
{
    char *sql = rows_sql(m, "t FOR SYSTEM_TIME AS OF ?1");
    for (uint32_t i = 0; i < tries && m->count > 0; i++) {
        const state *known = &m->states[below(m, m->count)];
        check_text(m, sql, known->at, known->rows);
    }
    if (m->count > 0) check_text(m, sql, INT64_MAX, m->states[m->count - 1].rows);
    sqlite3_free(sql);
}

// A condition on the key makes another plan than one that hides it.
static void check_one_key(model *m)
{
    if (m->count == 0) return;
    int64_t at = m->states[below(m, m->count)].at;
    char *plain = rows_sql(m, "t FOR SYSTEM_TIME AS OF ?1 WHERE +k = 3");
    char *keyed = rows_sql(m, "t FOR SYSTEM_TIME AS OF ?1 AS h WHERE h.k IN (3) AND k IS NOT 5");
    char *found = query_text(m, plain, at, BRAID_ENGINE_OLTP);
    check_text(m, plain, at, found);
    check_text(m, keyed, at, found);
    sqlite3_free(keyed);
    keyed = rows_sql(m, "t FOR SYSTEM_TIME AS OF ?1 WHERE 3 = k");
    check_text(m, keyed, at, found);
    sqlite3_free(keyed);
    sqlite3_free(found);
    sqlite3_free(plain);
}

// Each version begins where the one before it ended, unless that was a delete, which ends at once;
// the open ones are the rows that there are.
static void check_versions(model *m)
{
    char *now = rows_sql(m, "t"), *rows = ask(m->app, now);
    char *open = rows_sql(m, "t FOR SYSTEM_TIME ALL WHERE _braid_valid_to IS NULL");
    check_text(m, open, 0, rows);
    sqlite3_free(now);
    sqlite3_free(rows);
    sqlite3_free(open);
    if (m->shape->key == NULL) return;
    char *sql = sqlite3_mprintf(
        "SELECT count(*) FROM (SELECT *, lag(_braid_valid_to) OVER w AS before,"
        " lag(_braid_operation) OVER w AS was, row_number() OVER w AS n"
        " FROM t FOR SYSTEM_TIME ALL WINDOW w AS (PARTITION BY %s ORDER BY _braid_valid_from))"
        " WHERE CASE WHEN n = 1 THEN _braid_operation <> 'I'"
        " WHEN was = 'D' THEN before > _braid_valid_from OR _braid_operation <> 'I'"
        " ELSE before IS NOT _braid_valid_from END"
        " OR (_braid_operation = 'D') <> (_braid_valid_to IS _braid_valid_from)",
        m->shape->key);
    check_text(m, sql, 0, "0");
    sqlite3_free(sql);
}

// Numbers and times of the feed only rise.
static void check_feed(model *m)
{
    check_text(m,
               "SELECT count(*) FROM (SELECT at, lag(at) OVER (ORDER BY seq) AS before,"
               " operation FROM braid_changes('t', 0)) WHERE before > at"
               " OR operation NOT IN ('I', 'U', 'D')",
               0, "0");
}

static void check_all(model *m, uint32_t tries)
{
    end_all(m);
    check_states(m, tries);
    check_one_key(m);
    check_versions(m);
    check_feed(m);
}

// ---- what else goes on -----------------------------------------------------------------------

static void must(model *m, braid_status status)
{
    if (status == BRAID_OK) return;
    fprintf(stderr, "%s\n", braid_error_message(m->db));
    exit(1);
}

static void open_db(model *m)
{
    braid_config config = support_config();
    must(m, braid_open(m->path, &config, &m->db));
}

// While it is off nothing is written down; then what has changed counts as changed now.
static void switch_off_and_on(model *m)
{
    char sql[SQL_BYTES];
    end_all(m);
    must(m, braid_unregister_temporal(m->db, "t", 1));
    check_states(m, 2);
    for (uint64_t i = below(m, 6); i > 0; i--) {
        change_sql(m, sql);
        run(m, m->app, sql);
    }
    must(m, braid_register_temporal(m->db, "t", NULL));
    keep_state(m);
}

// Old versions have the default of a new column, as rows have.
static void alter(model *m)
{
    char sql[SQL_BYTES];
    end_all(m);
    if (m->added < 3) {
        snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN new%d INT DEFAULT %d", (int)m->added,
                 (int)m->added);
        m->added++;
    } else {
        snprintf(sql, sizeof sql, "ALTER TABLE t RENAME COLUMN new%d TO new%d", (int)m->renamed,
                 (int)m->added);
        m->renamed = m->added++;
    }
    run(m, m->app, sql);
    must(m, braid_sync(m->db));
    keep_state(m);
}

static void maintain(model *m)
{
    end_all(m);
    switch (below(m, 8)) {
    case 0: must(m, braid_sync(m->db)); break;
    case 1: must(m, braid_checkpoint(m->db)); break;
    case 2: must(m, braid_compact(m->db)); break;
    case 3: must(m, braid_rebuild(m->db)); break;
    case 4:
        must(m, braid_close(m->db));
        open_db(m);
        break;
    case 5: switch_off_and_on(m); break;
    case 6: alter(m); break;
    default:
        run(m, m->app, "VACUUM");
        must(m, braid_sync(m->db));
        keep_state(m);
        break;
    }
    check_all(m, 4);
}

static void change(model *m)
{
    char sql[SQL_BYTES];
    change_sql(m, sql);
    if (m->depth == 0 && below(m, 3) == 0) {
        braid_status status = braid_exec(m->db, sql);
        if (status != BRAID_OK && status != BRAID_RUNTIME) must(m, status);
        m->refused += status != BRAID_OK;
    } else {
        run(m, m->app, sql);
    }
    keep_state(m);
}

static void begin_round(model *m, const shape *of, const char *path)
{
    m->shape = of;
    m->path = sqlite3_mprintf("%s", path);
    open_db(m);
    if (sqlite3_open(path, &m->app) != SQLITE_OK) exit(1);
    sqlite3_busy_timeout(m->app, 5000);
    char sql[SQL_BYTES];
    run(m, m->app, of->create);
    if (below(m, 2) == 0) run(m, m->app, "PRAGMA recursive_triggers = 1");
    for (int i = 0; i < 5; i++) {
        change_sql(m, sql);
        run(m, m->app, sql);
    }
    must(m, braid_register_temporal(m->db, "t", NULL));
    keep_state(m);
}

// Nothing but what is valid now is kept, the newest change of all, and what that has ended.
static void check_forgetting(model *m)
{
    braid_temporal_options options = {.size = sizeof options, .keep_us = 1};
    must(m, braid_register_temporal(m->db, "t", &options));
    must(m, braid_sync(m->db));
    must(m, braid_checkpoint(m->db));
    forget_states(m, 0);
    keep_state(m);
    check_states(m, 1);
    char *open = ask(m->app, "SELECT count(*) FROM t");
    check_text(m, "SELECT count(*) FROM t FOR SYSTEM_TIME ALL WHERE _braid_valid_to IS NULL", 0,
               open);
    check_text(m, "SELECT count(*) <= 2 FROM t FOR SYSTEM_TIME ALL WHERE _braid_valid_to IS NOT NULL",
               0, "1");
    sqlite3_free(open);
}

static void end_round(model *m)
{
    check_all(m, 30);
    check_forgetting(m);
    must(m, braid_check(m->db, NULL));
    forget_states(m, 0);
    sqlite3_close(m->app);
    must(m, braid_close(m->db));
    sqlite3_free(m->path);
}

int main(int argc, char **argv)
{
    static model m;
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    int rounds = argc > 2 ? atoi(argv[2]) : 10, statements = argc > 3 ? atoi(argv[3]) : 150;
    printf("seed %" PRIu64 "\n", seed);
    support_begin();
    for (int round = 0; round < rounds; round++) {
        char name[40];
        m = (model){.random = (seed * 1000 + (uint64_t)round) * 0x9e3779b97f4a7c15ull | 1};
        snprintf(name, sizeof name, "model%d.db", round);
        begin_round(&m, &shapes[round % 5], support_path(name));
        for (int i = 0; i < statements; i++) {
            if (below(&m, 6) == 0) begin_or_end(&m);
            change(&m);
            if (below(&m, 12) == 0) maintain(&m);
        }
        end_round(&m);
        printf("round %d: %u refused\n", round, m.refused);
    }
    return support_end();
}
