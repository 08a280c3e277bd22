// micro_htap.c - what the columnar copy costs those who write, and how soon it is fresh.
//
//     micro_htap [--rows N] [--mirror-rows N] [--rounds N] [--folder FOLDER] [--markdown FILE]
//
// Prints one line per figure with the value aimed at, and writes the same as a Markdown table.
// Capture is compared slice by slice: plain SQLite, a captured file and Braid's own statements take
// turns every few milliseconds, so that what else the machine does hits all of them alike. A ratio
// is the median over the rounds, each of which begins with new files.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sqlite3.h>

#include "include/braid.h"
#include "router/router.h"  // for the cached route alone: no call of the public API is only that

enum {
    ROUNDS_MAX = 32,
    FIGURES_MAX = 64,
    BATCH_ROWS = 10000,    // of a transaction of many rows
    SINGLE_SLICE = 500,    // transactions of one row between two turns
    SINGLE_ROWS = 20000,   // of them per round
    SYNCS = 500,
    RATE_ROUNDS = 20,
    RATE_ROWS = 50000,
    CALLS = 20000,
    PATH_BYTES = 600,
};

static uint64_t rows_batch = 1000000, rows_mirror = 10000000;
static int rounds = 3;
static const char *folder = "/tmp";

static struct figure {
    char name[80], value[120], target[40];
} figures[FIGURES_MAX];
static int figure_count;

static void add_figure(const char *name, const char *target, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// ---- small things ----------------------------------------------------------------------------

static void add_figure(const char *name, const char *target, const char *format, ...)
{
    struct figure *figure = &figures[figure_count++ % FIGURES_MAX];
    va_list arguments;
    va_start(arguments, format);
    snprintf(figure->name, sizeof figure->name, "%s", name);
    snprintf(figure->target, sizeof figure->target, "%s", target);
    vsnprintf(figure->value, sizeof figure->value, format, arguments);
    va_end(arguments);
    printf("%-46s %-58s %s\n", figure->name, figure->value, figure->target);
    fflush(stdout);
}

static void write_markdown(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "micro_htap: '%s' cannot be written\n", path);
        exit(1);
    }
    fprintf(file, "# Writing, mirroring, freshness\n\n");
    fprintf(file, "SQLite %s; median of %d rounds.\n\n", sqlite3_libversion(), rounds);
    fprintf(file, "| | measured | aim |\n|---|---|---|\n");
    for (int i = 0; i < figure_count; i++)
        fprintf(file, "| %s | %s | %s |\n", figures[i].name, figures[i].value, figures[i].target);
    fclose(file);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare_doubles(const void *left, const void *right)
{
    double l = *(const double *)left, r = *(const double *)right;
    return (l > r) - (l < r);
}

// The value that `percent` of the others are below.
static double percentile(double *values, int count, int percent)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return values[(count - 1) * percent / 100];
}

static void must(int status, const char *what, const char *message)
{
    if (status == 0 || status == SQLITE_DONE) return;
    fprintf(stderr, "micro_htap: %s: %s\n", what, message);
    exit(1);
}

static void path_of(char out[PATH_BYTES], const char *name)
{
    snprintf(out, PATH_BYTES, "%s/micro_htap-%s.db", folder, name);
}

static void remove_database(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[PATH_BYTES + 8];
    braid_detach(path, NULL, 0);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%.*s%s", PATH_BYTES, path, suffixes[i]);
        unlink(name);
    }
}

// ---- both APIs -------------------------------------------------------------------------------

static sqlite3 *sqlite_open(const char *path)
{
    sqlite3 *db;
    int code = sqlite3_open(path, &db);
    must(code, path, sqlite3_errmsg(db));
    const char *pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    must(sqlite3_exec(db, pragmas, NULL, NULL, NULL), "pragmas", sqlite3_errmsg(db));
    return db;
}

static void sqlite_run(sqlite3 *db, const char *sql)
{
    must(sqlite3_exec(db, sql, NULL, NULL, NULL), sql, sqlite3_errmsg(db));
}

static braid *copy_open(const char *path)
{
    braid *db;
    braid_status status = braid_open(path, NULL, &db);
    must((int)status, path, braid_error_message(db));
    return db;
}

// Opens and closes: capture is installed, every row is at or below hi.
static void copy_once(const char *path)
{
    braid *db = copy_open(path);
    must((int)braid_sync(db), "sync", braid_error_message(db));
    must((int)braid_close(db), path, "cannot be closed");
}

// ---- capture ---------------------------------------------------------------------------------

static const char table_sql[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b INT, price REAL, name TEXT)";
static const char insert_sql[] = "INSERT INTO t VALUES(?1, ?2, ?3, ?4, ?5)";
static const char update_sql[] = "UPDATE t SET a = ?2, price = ?3 WHERE id = ?1";

typedef enum workload {
    BATCH_INSERT,
    SINGLE_INSERT,
    BATCH_UPDATE,
    SINGLE_UPDATE,
    WORKLOADS
} workload;

static const char *const workload_names[WORKLOADS] = {
    "insert, 10,000 rows a transaction", "insert, one row a transaction",
    "update, 10,000 rows a transaction", "update, one row a transaction"};
static const char *const workload_targets[WORKLOADS] = {">= 0.55", ">= 0.85", "", ""};

typedef enum side { PLAIN, CAPTURED, THROUGH, SIDES } side;

typedef struct writer {  // one of the three; a Braid handle or a SQLite one
    char path[PATH_BYTES];
    sqlite3 *sqlite;
    sqlite3_stmt *sqlite_insert, *sqlite_update, *sqlite_begin, *sqlite_commit;
    braid *braid;
    braid_statement *braid_insert, *braid_update, *braid_begin, *braid_commit;
    double us[WORKLOADS];
} writer;

static sqlite3_stmt *sqlite_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), sql,
         sqlite3_errmsg(db));
    return statement;
}

static braid_statement *copy_prepare(braid *db, const char *sql)
{
    braid_statement *statement;
    must((int)braid_prepare(db, sql, &statement, NULL), sql, braid_error_message(db));
    return statement;
}

static void writer_open(writer *self, side which)
{
    if (which != THROUGH) {
        self->sqlite = sqlite_open(self->path);
        self->sqlite_insert = sqlite_prepare(self->sqlite, insert_sql);
        self->sqlite_update = sqlite_prepare(self->sqlite, update_sql);
        self->sqlite_begin = sqlite_prepare(self->sqlite, "BEGIN");
        self->sqlite_commit = sqlite_prepare(self->sqlite, "COMMIT");
        return;
    }
    self->braid = copy_open(self->path);
    self->braid_insert = copy_prepare(self->braid, insert_sql);
    self->braid_update = copy_prepare(self->braid, update_sql);
    self->braid_begin = copy_prepare(self->braid, "BEGIN");
    self->braid_commit = copy_prepare(self->braid, "COMMIT");
}

static void writer_close(writer *self)
{
    sqlite3_finalize(self->sqlite_insert);
    sqlite3_finalize(self->sqlite_update);
    sqlite3_finalize(self->sqlite_begin);
    sqlite3_finalize(self->sqlite_commit);
    sqlite3_close(self->sqlite);
    braid_statement_close(self->braid_insert);
    braid_statement_close(self->braid_update);
    braid_statement_close(self->braid_begin);
    braid_statement_close(self->braid_commit);
    braid_close(self->braid);
    self->sqlite_insert = self->sqlite_update = NULL;
    self->sqlite_begin = self->sqlite_commit = NULL;
    self->sqlite = NULL;
    self->braid_insert = self->braid_update = self->braid_begin = self->braid_commit = NULL;
    self->braid = NULL;
}

static void sqlite_step(writer *self, sqlite3_stmt *statement)
{
    must(sqlite3_step(statement), "step", sqlite3_errmsg(self->sqlite));
    sqlite3_reset(statement);
}

static void copy_step(writer *self, braid_statement *statement)
{
    must((int)braid_run(statement, NULL), "run", braid_error_message(self->braid));
}

static void sqlite_write(writer *self, bool is_insert, uint64_t id)
{
    sqlite3_stmt *statement = is_insert ? self->sqlite_insert : self->sqlite_update;
    char name[32];
    int size = snprintf(name, sizeof name, "name %d", (int)(id * 31 % 65537));
    sqlite3_bind_int64(statement, 1, (int64_t)id);
    sqlite3_bind_int64(statement, 2, (int64_t)(id * 7919 % 100003));
    if (is_insert) {
        sqlite3_bind_int64(statement, 3, (int64_t)(id % 1000));
        sqlite3_bind_double(statement, 4, (double)(id % 10000) / 100);
        sqlite3_bind_text(statement, 5, name, size, SQLITE_STATIC);
    } else {
        sqlite3_bind_double(statement, 3, (double)(id % 9999) / 100);
    }
    sqlite_step(self, statement);
}

static void copy_write(writer *self, bool is_insert, uint64_t id)
{
    braid_statement *statement = is_insert ? self->braid_insert : self->braid_update;
    char name[32];
    int size = snprintf(name, sizeof name, "name %d", (int)(id * 31 % 65537));
    braid_bind_int64(statement, 1, (int64_t)id);
    braid_bind_int64(statement, 2, (int64_t)(id * 7919 % 100003));
    if (is_insert) {
        braid_bind_int64(statement, 3, (int64_t)(id % 1000));
        braid_bind_double(statement, 4, (double)(id % 10000) / 100);
        braid_bind_text(statement, 5, name, (size_t)size);
    } else {
        braid_bind_double(statement, 3, (double)(id % 9999) / 100);
    }
    copy_step(self, statement);
}

static void writer_slice(writer *self, workload what, uint64_t first, uint64_t count)
{
    bool is_insert = what == BATCH_INSERT || what == SINGLE_INSERT;
    bool is_batch = what == BATCH_INSERT || what == BATCH_UPDATE;
    double began = now_us();
    if (self->sqlite != NULL) {
        if (is_batch) sqlite_step(self, self->sqlite_begin);
        for (uint64_t i = first; i < first + count; i++) sqlite_write(self, is_insert, i);
        if (is_batch) sqlite_step(self, self->sqlite_commit);
    } else {
        if (is_batch) copy_step(self, self->braid_begin);
        for (uint64_t i = first; i < first + count; i++) copy_write(self, is_insert, i);
        if (is_batch) copy_step(self, self->braid_commit);
    }
    self->us[what] += now_us() - began;
}

static void run_workload(writer writers[SIDES], workload what, uint64_t first, uint64_t count)
{
    bool is_batch = what == BATCH_INSERT || what == BATCH_UPDATE;
    uint64_t slice = is_batch ? BATCH_ROWS : SINGLE_SLICE;
    for (uint64_t at = 0, turn = 0; at < count; at += slice, turn++) {
        for (uint64_t i = 0; i < SIDES; i++)
            writer_slice(&writers[(turn + i) % SIDES], what, first + at, slice);
    }
}

static void capture_round(writer writers[SIDES])
{
    static const char *const names[SIDES] = {"plain", "captured", "through"};
    for (int i = 0; i < SIDES; i++) {
        writers[i] = (writer){.path = ""};
        path_of(writers[i].path, names[i]);
        remove_database(writers[i].path);
        sqlite3 *db = sqlite_open(writers[i].path);
        sqlite_run(db, table_sql);
        sqlite3_close(db);
        if (i != PLAIN) copy_once(writers[i].path);
        writer_open(&writers[i], (side)i);
    }
    run_workload(writers, BATCH_INSERT, 1, rows_batch);
    run_workload(writers, SINGLE_INSERT, rows_batch + 1, SINGLE_ROWS);
    for (int i = 0; i < SIDES; i++) {  // now every row is at or below hi, so updates are logged
        writer_close(&writers[i]);
        if (i != PLAIN) copy_once(writers[i].path);
        writer_open(&writers[i], (side)i);
    }
    run_workload(writers, BATCH_UPDATE, 1, rows_batch / 2);
    run_workload(writers, SINGLE_UPDATE, rows_batch / 2, SINGLE_ROWS);
    for (int i = 0; i < SIDES; i++) {
        writer_close(&writers[i]);
        remove_database(writers[i].path);
    }
}

static void measure_capture(void)
{
    static const uint64_t divisors[WORKLOADS] = {1, 0, 2, 0};  // of rows_batch; 0: SINGLE_ROWS
    static double us[SIDES][WORKLOADS][ROUNDS_MAX], ratios[SIDES][WORKLOADS][ROUNDS_MAX];
    for (int round = 0; round < rounds; round++) {
        writer writers[SIDES];
        capture_round(writers);
        for (int what = 0; what < WORKLOADS; what++) {
            for (int i = 0; i < SIDES; i++) {
                us[i][what][round] = writers[i].us[what];
                ratios[i][what][round] = writers[PLAIN].us[what] / writers[i].us[what];
            }
        }
    }
    for (int what = 0; what < WORKLOADS; what++) {
        double rate[SIDES], ratio[SIDES];
        double rows = divisors[what] == 0 ? SINGLE_ROWS : (double)(rows_batch / divisors[what]);
        for (int i = 0; i < SIDES; i++) {
            rate[i] = rows / percentile(us[i][what], rounds, 50) * 1e3;
            ratio[i] = percentile(ratios[i][what], rounds, 50);
        }
        add_figure(workload_names[what], workload_targets[what],
                   "%.0f k/s plain, captured %.0f k/s = %.2f, by braid %.0f k/s = %.2f",
                   rate[PLAIN], rate[CAPTURED], ratio[CAPTURED], rate[THROUGH], ratio[THROUGH]);
    }
}

// ---- first mirroring -------------------------------------------------------------------------

static void make_mirror_file(const char *path)
{
    char sql[500];
    remove_database(path);
    sqlite3 *db = sqlite_open(path);
    sqlite_run(db, table_sql);
    snprintf(sql, sizeof sql,
             "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT %" PRIu64 ")"
             " INSERT INTO t SELECT i, i * 7919 %% 100003, i %% 1000, i %% 10000 / 100.0,"
             " 'name ' || (i * 31 %% 65537) FROM r",
             rows_mirror);
    sqlite_run(db, sql);
    sqlite_run(db, "CREATE TABLE tiny(k INTEGER PRIMARY KEY, g INT)");
    sqlite_run(db, "INSERT INTO tiny SELECT id, id % 7 FROM t LIMIT 100");
    sqlite_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
}

static void query_once(braid *db, const char *sql)
{
    braid_result *result;
    must((int)braid_query(db, sql, &result), sql, braid_error_message(db));
    braid_result_free(result);
}

static double scan_in_sqlite(const char *path)
{
    sqlite3 *db = sqlite_open(path);
    sqlite3_stmt *statement = sqlite_prepare(db, "SELECT * FROM t");
    double began = now_us();
    int64_t sum = 0;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < 5; i++) sum += sqlite3_column_type(statement, i);
        sum += sqlite3_column_bytes(statement, 4);
    }
    double us = now_us() - began;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return sum > 0 ? us : 0;
}

static void measure_mirroring(const char *path)
{
    double us[ROUNDS_MAX], scan_us[ROUNDS_MAX];
    for (int round = 0; round < rounds; round++) {
        char message[300];
        must((int)braid_detach(path, message, sizeof message), path, message);
        scan_us[round] = scan_in_sqlite(path);
        double began = now_us();
        braid *db = copy_open(path);
        query_once(db, "SELECT b, sum(price) FROM t GROUP BY b");
        us[round] = now_us() - began;
        braid_close(db);
    }
    double rows = (double)rows_mirror;
    add_figure("first mirroring, to the first answer", ">= 4 M rows/s",
               "%.2f M rows/s on %ld CPUs (SQLite only reading, on one: %.2f)",
               rows / percentile(us, rounds, 50), sysconf(_SC_NPROCESSORS_ONLN),
               rows / percentile(scan_us, rounds, 50));
    for (int round = 0; round < rounds; round++) {
        double began = now_us();
        braid *db = copy_open(path);
        query_once(db, "SELECT b, sum(price) FROM t GROUP BY b");
        us[round] = now_us() - began;
        braid_close(db);
    }
    add_figure("opening again, to the first answer", "", "%.1f ms",
               percentile(us, rounds, 50) / 1e3);
}

// ---- syncs -----------------------------------------------------------------------------------

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Ten updates of old rows that are far from each other.
static void make_updates(char *sql, size_t size, uint64_t *state)
{
    int length = snprintf(sql, size, "UPDATE t SET price = price + 1 WHERE id IN (");
    for (int i = 0; i < 10; i++)
        length += snprintf(sql + length, size - (size_t)length, "%s%" PRIu64, i == 0 ? "" : ", ",
                           random_next(state) % rows_mirror + 1);
    snprintf(sql + length, size - (size_t)length, ")");
}

static double time_run(braid *db, braid_statement *statement)
{
    braid_result *result;
    double began = now_us();
    must((int)braid_run(statement, &result), "run", braid_error_message(db));
    braid_result_free(result);
    return now_us() - began;
}

// A strict query after ten changes by another program: the sync, and what a query costs anyway.
static void measure_sync(braid *db, sqlite3 *other, bool is_insert)
{
    static double us[SYNCS];
    uint64_t state = 88172645463325252;
    char sql[400] = "INSERT INTO t(a, b, price, name) VALUES";
    braid_statement *query = copy_prepare(db, "SELECT count(*) FROM t");
    braid_statement_set_engine(query, BRAID_ENGINE_OLAP);
    for (int i = 0; i < 10; i++)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "%s(%d, 2, 3.5, 'name')",
                 i == 0 ? "" : ", ", i);
    (void)time_run(db, query);
    for (int i = 0; i < SYNCS; i++) {
        if (!is_insert) make_updates(sql, sizeof sql, &state);
        sqlite_run(other, sql);
        us[i] = time_run(db, query);
    }
    double median = percentile(us, SYNCS, 50), slow = percentile(us, SYNCS, 99);
    add_figure(is_insert ? "query that finds 10 new rows" : "query that finds 10 updated old rows",
               is_insert ? "median < 100 us, p99 < 500 us" : "median < 300 us",
               "median %.0f us, p99 %.0f us", median, slow);
    braid_statement_close(query);
}

// What the syncs take in, with the checkpoints that become due on the way.
static void measure_rate(braid *db, sqlite3 *other, const char *name, const char *target,
                         const char *change)
{
    double us = 0;
    uint64_t step = rows_mirror / RATE_ROUNDS;
    for (uint64_t round = 0; round < RATE_ROUNDS; round++) {
        // ?1 is the first row of the round, ?2 the number of rows.
        sqlite3_stmt *statement = sqlite_prepare(other, change);
        sqlite3_bind_int64(statement, 1, (int64_t)(round * step + 1));
        sqlite3_bind_int64(statement, 2, (int64_t)RATE_ROWS);
        must(sqlite3_step(statement), name, sqlite3_errmsg(other));
        sqlite3_finalize(statement);
        double began = now_us();
        must((int)braid_sync(db), name, braid_error_message(db));
        us += now_us() - began;
    }
    add_figure(name, target, "%.2f M rows/s in syncs of %d rows, on %ld CPUs",
               (double)RATE_ROWS * RATE_ROUNDS / us, RATE_ROWS, sysconf(_SC_NPROCESSORS_ONLN));
}

static void measure_rates(braid *db, sqlite3 *other)
{
    measure_rate(db, other, "new rows, sustained", ">= 1.5 M rows/s",
                 "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT ?2)"
                 " INSERT INTO t(a, b, price, name) SELECT i * 7919 % 100003, i % 1000,"
                 " i % 10000 / 100.0, 'name ' || (i * 31 % 65537) FROM r WHERE ?1 > 0");
    measure_rate(db, other, "updated old rows, sustained", ">= 0.5 M rows/s",
                 "UPDATE t SET price = price + 1 WHERE id >= ?1 AND id < ?1 + ?2");
    measure_rate(db, other, "updated scattered old rows, sustained", ">= 0.5 M rows/s",
                 "UPDATE t SET a = a + 1 WHERE id IN (SELECT ?1 + value * 17 % 99991 FROM"
                 " (WITH r(value) AS (VALUES(1) UNION ALL SELECT value + 1 FROM r LIMIT ?2)"
                 " SELECT value FROM r))");
    measure_rate(db, other, "deleted old rows, sustained", ">= 0.5 M rows/s",
                 "DELETE FROM t WHERE id >= ?1 AND id < ?1 + ?2");
}

// ---- freshness and fixed costs ---------------------------------------------------------------

static double time_sqlite(sqlite3_stmt *statement)
{
    double began = now_us();
    while (sqlite3_step(statement) == SQLITE_ROW) {
        (void)sqlite3_column_int64(statement, 0);
        (void)sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return now_us() - began;
}

static void measure_freshness(braid *db, sqlite3 *reader)
{
    static double strict_us[CALLS], any_us[CALLS], text_us[CALLS], sqlite_us[CALLS];
    static const char sql[] = "SELECT g, count(*) FROM tiny GROUP BY g";
    braid_statement *strict = copy_prepare(db, sql), *any = copy_prepare(db, sql);
    sqlite3_stmt *prepared = sqlite_prepare(reader, sql);
    braid_statement_set_engine(strict, BRAID_ENGINE_OLAP);
    braid_statement_set_engine(any, BRAID_ENGINE_OLAP);
    braid_statement_set_freshness(any, BRAID_FRESH_ANY);
    for (int i = 0; i < CALLS; i++) {
        strict_us[i] = time_run(db, strict);
        any_us[i] = time_run(db, any);
        double began = now_us();
        query_once(db, sql);
        text_us[i] = now_us() - began;
        sqlite_us[i] = time_sqlite(prepared);
    }
    double fresh = percentile(strict_us, CALLS, 50), stale = percentile(any_us, CALLS, 50);
    add_figure("asking for fresh rows when nothing is new", "< 20 us", "%.2f us", fresh - stale);
    add_figure("columnar GROUP BY of 100 rows, prepared", "", "%.1f us (SQLite %.1f us)", stale,
               percentile(sqlite_us, CALLS, 50));
    add_figure("the same as text, routed", "", "%.1f us", percentile(text_us, CALLS, 50));
    braid_statement_close(strict);
    braid_statement_close(any);
    sqlite3_finalize(prepared);
}

// The way from a text seen before to its statement and decision.
static void measure_route(const char *path)
{
    static const char sql[] = "SELECT b, sum(price) FROM t WHERE a < 50000 GROUP BY b";
    static double ns[100];
    br_database *database;
    br_statement *statement = NULL;
    br_outcome *outcome;
    br_error err;
    br_database_config config = {.path = path};
    must((int)br_database_open(&config, &database, &err), path, err.message);
    must((int)br_statement_take(database, sql, &statement, &err), sql, err.message);
    must((int)br_statement_run(statement, &outcome, &err), sql, err.message);
    br_outcome_free(outcome);
    br_statement_give(statement);
    for (int round = 0; round < 100; round++) {
        double began = now_us();
        for (int i = 0; i < 10000; i++) {
            must((int)br_statement_take(database, sql, &statement, &err), sql, err.message);
            br_statement_give(statement);
        }
        ns[round] = (now_us() - began) / 10000 * 1e3;
    }
    add_figure("statement and route of a text seen before", "< 100 ns", "%.0f ns",
               percentile(ns, 100, 50));
    must((int)br_database_close(database, &err), path, err.message);
}

// ---- main ------------------------------------------------------------------------------------

static const char *read_options(int count, char **arguments)
{
    const char *markdown = NULL;
    for (int i = 1; i < count; i += 2) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(name, "--rows") == 0) rows_batch = strtoull(value, NULL, 10);
        else if (strcmp(name, "--mirror-rows") == 0) rows_mirror = strtoull(value, NULL, 10);
        else if (strcmp(name, "--rounds") == 0) rounds = atoi(value);
        else if (strcmp(name, "--folder") == 0) folder = value;
        else if (strcmp(name, "--markdown") == 0) markdown = value;
        else must(1, name, "unknown option");
    }
    if (rounds < 1 || rounds > ROUNDS_MAX) must(1, "--rounds", "1 to 32");
    if (rows_batch < 2 * SINGLE_ROWS) must(1, "--rows", "40000 and more");
    rows_batch -= rows_batch % (2 * BATCH_ROWS);
    return markdown;
}

int main(int argument_count, char **arguments)
{
    const char *markdown = read_options(argument_count, arguments);
    char path[PATH_BYTES];
    path_of(path, "mirror");
    measure_capture();
    make_mirror_file(path);
    measure_mirroring(path);
    sqlite3 *other = sqlite_open(path);
    braid *db = copy_open(path);
    measure_sync(db, other, true);
    measure_sync(db, other, false);
    measure_rates(db, other);
    measure_freshness(db, other);
    must((int)braid_close(db), path, "cannot be closed");
    sqlite3_close(other);
    measure_route(path);
    remove_database(path);
    if (markdown != NULL) write_markdown(markdown);
    return 0;
}
