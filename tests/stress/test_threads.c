// Several threads on one handle, and several handles on one file: queries, writes, syncs,
// checkpoints and compaction at the same time. Every answer must be that of one commit point:
// transfers keep the sum of the balances, journal rows come in tens, and the tables agree.
//
// Also: a long query is stopped by an interrupt, by its timeout, and by the memory budget, on both
// engines, and the database goes on.
// SPDX-License-Identifier: Apache-2.0
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"
#include "include/braid.h"
#include "tests/test.h"

enum {
    ACCOUNTS = 3000,
    BALANCE = 100,
    TENS = 10,           // journal rows per transaction
    RUN_MS = 1500,
    STOP_MS_MAX = 5000,  // generous: sanitizers and busy machines
};

static char folder[] = "/tmp/braid-stress-XXXXXX";
static uint64_t seed;

typedef struct actor {
    br_thread thread;
    braid *db;
    uint64_t seed;
    braid_engine engine;
    uint64_t rounds;
    uint64_t native;  // queries the columnar engine ran
} actor;

static atomic_bool is_over;  // relaxed: a late look only makes one round more
static atomic_int problems;  // relaxed: a count, read after the threads are joined

static void complain(const char *what, const char *message)
{
    fprintf(stderr, "%s: %s\n", what, message);
    atomic_fetch_add_explicit(&problems, 1, memory_order_relaxed);
}

static uint32_t pick(actor *self, uint32_t bound)
{
    return (uint32_t)(test_random(&self->seed) >> 33) % bound;
}

static void must_exec(braid *db, const char *sql)
{
    if (braid_exec(db, sql) == BRAID_OK) return;
    fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    exit(1);
}

static braid *must_open(const char *name, uint64_t memory_bytes)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    config.threads = 3;
    config.memory_bytes = memory_bytes;
    config.busy_timeout_ms = 30000;
    braid *db = NULL;
    if (braid_open(path, &config, &db) == BRAID_OK) return db;
    fprintf(stderr, "%s: %s\n", path, braid_error_message(db));
    exit(1);
}

// ---- consistent answers ----------------------------------------------------------------------

static void transfer(actor *self)
{
    char sql[400];
    uint32_t amount = pick(self, 50);
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE;"
             "UPDATE account SET balance = balance - %u WHERE id = %u;"
             "UPDATE account SET balance = balance + %u WHERE id = %u;"
             "COMMIT",
             amount, pick(self, ACCOUNTS) + 1, amount, pick(self, ACCOUNTS) + 1);
    if (braid_exec(self->db, sql) != BRAID_OK) complain(sql, braid_error_message(self->db));
}

// Ten rows and the number of transactions, or ten fewer.
static void journal(actor *self)
{
    char sql[500];
    if (pick(self, 4) == 0)
        snprintf(sql, sizeof sql,
                 "BEGIN IMMEDIATE;"
                 "UPDATE meta SET batches = batches - (SELECT count(*) > 0 FROM journal);"
                 "DELETE FROM journal WHERE batch = (SELECT batch FROM journal LIMIT 1);"
                 "COMMIT");
    else
        snprintf(sql, sizeof sql,
                 "BEGIN IMMEDIATE;"
                 "UPDATE meta SET batches = batches + 1, last = last + 1;"
                 "INSERT INTO journal(batch, amount) SELECT last, id FROM meta, account"
                 " WHERE id <= %d;"
                 "COMMIT",
                 TENS);
    if (braid_exec(self->db, sql) != BRAID_OK) complain(sql, braid_error_message(self->db));
}

static void writer_run(void *context)
{
    actor *self = context;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        if (pick(self, 3) == 0) journal(self);
        else transfer(self);
        self->rounds++;
    }
}

static int64_t integer_at(const braid_result *result, uint64_t row, uint32_t column)
{
    braid_value value = braid_value_get(result, row, column);
    return value.type == BRAID_INTEGER ? value.as.integer : INT64_MIN;
}

static void check_sum(const braid_result *result)
{
    if (braid_row_count(result) != 1 || integer_at(result, 0, 0) != ACCOUNTS * BALANCE ||
        integer_at(result, 0, 1) != ACCOUNTS)
        complain("accounts", "the sum has changed");
}

static void check_batches(const braid_result *result)
{
    if (braid_row_count(result) != 0) complain("journal", "a part of a transaction is seen");
}

static void check_agreement(const braid_result *result)
{
    if (integer_at(result, 0, 0) != TENS * integer_at(result, 0, 1))
        complain("meta", "two tables are seen at two commit points");
}

static const struct {
    const char *sql;
    void (*check)(const braid_result *result);
} checks[] = {
    {"SELECT sum(balance), count(*) FROM account", check_sum},
    {"SELECT batch FROM journal GROUP BY batch HAVING count(*) <> 10", check_batches},
    {"SELECT (SELECT count(*) FROM journal), (SELECT batches FROM meta)", check_agreement},
    {"SELECT sum(a.balance), count(DISTINCT a.id) FROM account a JOIN account b ON a.id = b.id",
     check_sum},
};
enum { CHECKS = sizeof checks / sizeof *checks };

static void reader_run(void *context)
{
    actor *self = context;
    braid_statement *statements[CHECKS];
    for (int i = 0; i < CHECKS; i++) {
        if (braid_prepare(self->db, checks[i].sql, &statements[i], NULL) != BRAID_OK) exit(1);
        braid_statement_set_engine(statements[i], self->engine);
    }
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        uint32_t i = pick(self, CHECKS);
        braid_result *result = NULL;
        braid_result_info info = {.size = sizeof info};
        // Half of the queries share the handle's cache of texts with other threads.
        braid_status status = pick(self, 2) == 0
                                  ? braid_query(self->db, checks[i].sql, &result)
                                  : braid_run(statements[i], &result);
        if (status == BRAID_OK) {
            checks[i].check(result);
            braid_result_get_info(result, &info);
            self->native += info.engine == BRAID_ENGINE_OLAP;
        } else {
            complain(checks[i].sql, braid_error_message(self->db));
        }
        braid_result_free(result);
        self->rounds++;
    }
    for (int i = 0; i < CHECKS; i++) braid_statement_close(statements[i]);
}

static void keeper_run(void *context)
{
    actor *self = context;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        braid_status status = BRAID_OK;
        char *text = NULL;
        switch (pick(self, 8)) {
        case 0: status = braid_compact(self->db); break;
        case 1: status = braid_checkpoint(self->db); break;
        case 2: status = braid_status_json(self->db, &text); break;
        case 3: status = braid_check(self->db, NULL); break;
        default: status = braid_sync(self->db); break;
        }
        if (status != BRAID_OK) complain("keeping", braid_error_message(self->db));
        braid_free(text);
        self->rounds++;
        br_sleep_ms(pick(self, 5));
    }
}

static void make_tables(braid *db)
{
    char sql[600];
    snprintf(sql, sizeof sql,
             "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT, name TEXT);"
             "CREATE TABLE journal(id INTEGER PRIMARY KEY, batch INT, amount INT);"
             "CREATE TABLE meta(batches INT, last INT);"
             "INSERT INTO meta VALUES(0, 0);"
             "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT %d)"
             " INSERT INTO account SELECT i, %d, 'account ' || i FROM r",
             ACCOUNTS, BALANCE);
    must_exec(db, sql);
}

static void run_actors(actor *actors, int count, void (*const *runs)(void *context))
{
    br_error err;
    for (int i = 0; i < count; i++) {
        actors[i].seed = seed * 1000 + (uint64_t)i + 1;
        MUST(br_thread_start(&actors[i].thread, runs[i], &actors[i], &err), err);
    }
    br_sleep_ms(RUN_MS);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    for (int i = 0; i < count; i++) {
        br_thread_join(&actors[i].thread);
        CHECK(actors[i].rounds > 0);
    }
}

static void test_threads_see_commit_points(void)
{
    braid *one = must_open("shared.db", 0), *two = must_open("shared.db", 0);
    CHECK_INT(braid_background_start(one, 2), BRAID_OK);  // the maintainer's
    CHECK_INT(braid_background_start(two, 5), BRAID_OK);
    make_tables(one);
    enum { ACTORS = 7 };
    void (*const runs[ACTORS])(void *) = {writer_run, writer_run, reader_run, reader_run,
                                          reader_run, keeper_run, keeper_run};
    actor actors[ACTORS] = {
        {.db = one}, {.db = two},
        {.db = one, .engine = BRAID_ENGINE_OLAP},
        {.db = one, .engine = BRAID_ENGINE_AUTO},
        {.db = two, .engine = BRAID_ENGINE_OLAP},
        {.db = one}, {.db = two},
    };
    atomic_store_explicit(&is_over, false, memory_order_relaxed);
    run_actors(actors, ACTORS, runs);
    CHECK_INT(atomic_load_explicit(&problems, memory_order_relaxed), 0);
    CHECK(actors[2].native > 0);
    CHECK(actors[4].native > 0);
    uint64_t rows = 0;
    CHECK_INT(braid_check(one, &rows), BRAID_OK);
    CHECK(rows > ACCOUNTS);
    CHECK_INT(braid_check(two, NULL), BRAID_OK);
    CHECK_INT(braid_close(two), BRAID_OK);
    CHECK_INT(braid_close(one), BRAID_OK);
    one = must_open("shared.db", 0);
    CHECK_INT(braid_check(one, NULL), BRAID_OK);
    CHECK_INT(braid_close(one), BRAID_OK);
}

// ---- errors belong to their thread -----------------------------------------------------------

static void failer_run(void *context)
{
    actor *self = context;
    char sql[60], want[90];
    snprintf(sql, sizeof sql, "SELECT * FROM missing_%u", pick(self, 1000));
    snprintf(want, sizeof want, "no such table: %s", sql + 14);
    for (int i = 0; i < 300; i++) {
        braid_result *result = NULL;
        if (braid_query(self->db, sql, &result) != BRAID_SQL) complain(sql, "did not fail");
        if (strcmp(braid_error_message(self->db), want) != 0)
            complain(want, braid_error_message(self->db));
        if (braid_query(self->db, "SELECT 1", &result) != BRAID_OK) complain("SELECT 1", "failed");
        if (braid_error_message(self->db)[0] != 0) complain("SELECT 1", "left a message");
        braid_result_free(result);
        self->rounds++;
    }
}

static void test_each_thread_has_its_error(void)
{
    enum { ACTORS = 4 };
    braid *db = must_open("errors.db", 0);
    void (*const runs[ACTORS])(void *) = {failer_run, failer_run, failer_run, failer_run};
    actor actors[ACTORS] = {{.db = db}, {.db = db}, {.db = db}, {.db = db}};
    run_actors(actors, ACTORS, runs);
    CHECK_INT(atomic_load_explicit(&problems, memory_order_relaxed), 0);
    CHECK_TEXT(braid_error_message(db), "");
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- stopping long queries -------------------------------------------------------------------

// Years of work for either engine.
static const char long_sql[] = "SELECT count(*) FROM number a, number b, number c, number d"
                               " WHERE (a.n + b.n * c.n) % 7 = d.n % 11";

static braid *open_with_numbers(const char *name, uint64_t memory_bytes, int rows)
{
    char sql[300];
    braid *db = must_open(name, memory_bytes);
    snprintf(sql, sizeof sql,
             "CREATE TABLE number(n INT, t TEXT);"
             "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT %d)"
             " INSERT INTO number SELECT i, 'some longer text of number ' || i FROM r",
             rows);
    must_exec(db, sql);
    return db;
}

static int64_t count_numbers(braid *db)
{
    braid_result *result = NULL;
    if (braid_query(db, "SELECT count(*) FROM number", &result) != BRAID_OK) return -1;
    int64_t count = integer_at(result, 0, 0);
    braid_result_free(result);
    return count;
}

typedef struct long_run {
    br_thread thread;
    braid_statement *statement;
    braid_status status;
    atomic_bool is_done;  // release by the thread, acquire by who waits
} long_run;

static void long_run_thread(void *context)
{
    long_run *self = context;
    self->status = braid_run(self->statement, NULL);
    atomic_store_explicit(&self->is_done, true, memory_order_release);
}

static void interrupt_one(braid *db, braid_engine engine)
{
    br_error err;
    long_run run = {.status = BRAID_OK};
    CHECK_INT(braid_prepare(db, long_sql, &run.statement, NULL), BRAID_OK);
    braid_statement_set_engine(run.statement, engine);
    MUST(br_thread_start(&run.thread, long_run_thread, &run, &err), err);
    uint64_t began_ns = br_clock_ns();
    br_sleep_ms(100);
    // An interrupt that comes before the query has begun is lost, as SQLite's.
    while (!atomic_load_explicit(&run.is_done, memory_order_acquire) &&
           br_clock_ns() - began_ns < (uint64_t)STOP_MS_MAX * 1000000) {
        braid_interrupt(db);
        br_sleep_ms(20);
    }
    CHECK(atomic_load_explicit(&run.is_done, memory_order_acquire));
    br_thread_join(&run.thread);
    CHECK_INT(run.status, BRAID_INTERRUPTED);
    braid_statement_close(run.statement);
    CHECK_INT(count_numbers(db), 2000);
}

static void time_out_one(braid *db, braid_engine engine)
{
    braid_statement *statement;
    CHECK_INT(braid_prepare(db, long_sql, &statement, NULL), BRAID_OK);
    braid_statement_set_engine(statement, engine);
    braid_statement_set_timeout(statement, 50);
    uint64_t began_ns = br_clock_ns();
    CHECK_INT(braid_run(statement, NULL), BRAID_INTERRUPTED);
    uint64_t ms = (br_clock_ns() - began_ns) / 1000000;
    CHECK(ms >= 50 && ms < STOP_MS_MAX);
    CHECK(braid_error_message(db)[0] != 0);
    braid_statement_close(statement);
    CHECK_INT(count_numbers(db), 2000);
}

static void test_long_queries_are_stopped(void)
{
    braid *db = open_with_numbers("long.db", 0, 2000);
    interrupt_one(db, BRAID_ENGINE_OLAP);
    interrupt_one(db, BRAID_ENGINE_OLTP);
    time_out_one(db, BRAID_ENGINE_OLAP);
    time_out_one(db, BRAID_ENGINE_OLTP);
    time_out_one(db, BRAID_ENGINE_AUTO);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void exhaust(braid *db, const char *sql, braid_engine engine)
{
    braid_statement *statement;
    braid_result *result = NULL;
    CHECK_INT(braid_prepare(db, sql, &statement, NULL), BRAID_OK);
    braid_statement_set_engine(statement, engine);
    CHECK_INT(braid_run(statement, &result), BRAID_NOMEM);
    CHECK(result == NULL);
    CHECK(braid_error_message(db)[0] != 0);
    braid_statement_close(statement);
    CHECK_INT(count_numbers(db), 50000);
}

static void test_memory_budget_stops_one_query(void)
{
    braid *db = open_with_numbers("memory.db", 48u << 20, 50000);
    static const char wide_sql[] = "SELECT a.n, b.n, a.t FROM number a, number b";
    exhaust(db, wide_sql, BRAID_ENGINE_OLAP);
    exhaust(db, wide_sql, BRAID_ENGINE_OLTP);
    exhaust(db, "SELECT group_concat(a.t || b.n) FROM number a, number b", BRAID_ENGINE_OLAP);
    must_exec(db, "UPDATE number SET n = n + 1");
    CHECK_INT(count_numbers(db), 50000);
    CHECK_INT(braid_check(db, NULL), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(int argument_count, char **arguments)
{
    char command[100];
    seed = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    printf("seed %" PRIu64 "\n", seed);
    if (mkdtemp(folder) == NULL) return 2;
    RUN(test_threads_see_commit_points);
    RUN(test_each_thread_has_its_error);
    RUN(test_long_queries_are_stopped);
    RUN(test_memory_budget_stops_one_query);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) return 2;
    return test_result();
}
