// Proof of freshness. Writer processes of four kinds commit numbered transactions over three tables
// and publish in shared memory what is acknowledged; reader processes ask strict queries and check
// each answer: everything acknowledged before the query began is in, nothing that was not begun,
// whole transactions only, never back in time, and what the result says of itself.
//
//     stress_test_freshness [--reads N] [--seconds S] [--seed N] [--rough]
//
// Some processes are killed on the way. --rough kills many, and has a caretaker at work meanwhile:
// SQLite's checkpoints, Braid's, compaction, ALTER TABLE, indexes, VACUUM. A second run asks for
// freshness `any` and must see old answers: the checks are able to fail.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <sqlite3.h>

#include "include/braid.h"
#include "tests/stress/support_freshness.h"
#include "tests/test.h"

enum {
    WRITERS = 5,
    READERS = 4,
    CARETAKER = WRITERS + READERS,
    PROCESSES,
    NOT_THERE = 77,      // the exit status of a writer without its program
    STOP_SECONDS = 120,  // generous: sanitizers and busy machines
    COLUMNS_ADDED_MAX = 20,
};

typedef enum violation {
    STALE,        // an acknowledged transaction is missing
    FUTURE,       // a transaction is there that had not begun
    TORN,         // a part of a transaction is seen
    BACKWARD,     // less than the reader has seen before
    IMPLAUSIBLE,  // what the result says of itself
    FAILED,       // the query failed
    VIOLATIONS
} violation;

static const char *const violation_names[VIOLATIONS] = {"stale", "future",      "torn",
                                                        "backward", "implausible", "failed"};

static int64_t reads_wanted = 20000;
static double seconds_max = 6;
static bool is_rough;
static uint64_t seed = 1;
static char folder[] = "/tmp/braid-freshness-XXXXXX";
static freshness_world world;

static const char query_sql[] =
    "SELECT c.writer, c.n, c.live, c.total, count(l.id), coalesce(sum(l.amount), 0),"
    " coalesce(max(l.n), 0), (SELECT sum(balance) FROM account)"
    " FROM counter c LEFT JOIN ledger l ON l.writer = c.writer"
    " GROUP BY c.writer, c.n, c.live, c.total ORDER BY c.writer";

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// ---- readers ---------------------------------------------------------------------------------

typedef struct reader {
    int number;
    braid *db;
    braid_statement *statements[2];
    uint64_t random;
    int64_t seen[WRITERS];  // newest transaction of each writer
    int64_t acknowledged;   // sum over the writers, before the last read
    int64_t marked;         // the newest seq that was told before the last read
    uint64_t seq;
    bool is_quiet;  // old answers are expected: count them, do not print
} reader;

static void complain(const reader *self, violation what, int writer, int64_t found, int64_t wanted)
{
    int64_t count = atomic_fetch_add(&world.board->violations[what], 1);
    if (self->is_quiet || count >= 10) return;
    fprintf(stderr, "reader %d: %s: writer %d: %" PRId64 ", expected %" PRId64 "\n", self->number,
            violation_names[what], writer, found, wanted);
}

static int64_t integer_at(const braid_result *result, uint32_t row, uint32_t column)
{
    braid_value value = braid_value_get(result, row, column);
    return value.type == BRAID_INTEGER ? value.as.integer : INT64_MIN;
}

static void check_writer(reader *self, const braid_result *result, int writer,
                         int64_t acknowledged)
{
    uint32_t row = (uint32_t)writer;
    int64_t n = integer_at(result, row, 1);
    int64_t started = atomic_load(&world.board->writers[writer].started);
    if (n < acknowledged) complain(self, STALE, writer, n, acknowledged);
    if (n > started) complain(self, FUTURE, writer, n, started);
    if (n < self->seen[writer]) complain(self, BACKWARD, writer, n, self->seen[writer]);
    self->seen[writer] = n;
    for (uint32_t column = 4; column < 7; column++) {
        int64_t wanted = integer_at(result, row, column == 6 ? 1 : column - 2);
        if (integer_at(result, row, column) != wanted)
            complain(self, TORN, writer, integer_at(result, row, column), wanted);
    }
    if (integer_at(result, row, 7) != FRESHNESS_ACCOUNTS * FRESHNESS_BALANCE)
        complain(self, TORN, writer, integer_at(result, row, 7),
                 FRESHNESS_ACCOUNTS * FRESHNESS_BALANCE);
}

static void check_info(reader *self, const braid_result *result, bool is_forced)
{
    braid_result_info info = {.size = sizeof info};
    braid_result_get_info(result, &info);
    bool is_native = info.engine == BRAID_ENGINE_OLAP;
    if (is_native) atomic_fetch_add(&world.board->native, 1);
    if (is_forced && !is_native) complain(self, IMPLAUSIBLE, -1, info.engine, BRAID_ENGINE_OLAP);
    if (info.lag_ms != 0 && !self->is_quiet)
        complain(self, IMPLAUSIBLE, -1, (int64_t)(info.lag_ms * 1000), 0);
    if (info.seq < self->seq)
        complain(self, BACKWARD, -1, (int64_t)info.seq, (int64_t)self->seq);
    self->seq = info.seq;
    if (is_native && (int64_t)info.seq < self->marked)
        complain(self, STALE, -1, (int64_t)info.seq, self->marked);
    int64_t rows = WRITERS + FRESHNESS_ACCOUNTS + WRITERS * (FRESHNESS_KEEP + 1) * 5;
    if ((int64_t)info.delta_rows > rows || (!is_native && info.delta_rows != 0))
        complain(self, IMPLAUSIBLE, -1, (int64_t)info.delta_rows, rows);
}

// What is acknowledged now. A read that no commit came before would prove little, so this waits for
// one, though not for long.
static void await_commit(reader *self, int64_t acknowledged[WRITERS])
{
    int64_t sum = 0;
    for (int tries = 0; tries < 20; tries++) {
        sum = 0;
        for (int i = 0; i < WRITERS; i++)
            sum += acknowledged[i] = atomic_load(&world.board->writers[i].acknowledged);
        if (sum != self->acknowledged) break;
        usleep(100);
    }
    self->acknowledged = sum;
    self->marked = 0;
    for (int i = 0; i < WRITERS; i++) {
        int64_t seq = atomic_load(&world.board->writers[i].seq);
        if (seq > self->marked) self->marked = seq;
    }
}

static void read_once(reader *self)
{
    int64_t acknowledged[WRITERS];
    int which = (int)(test_random(&self->random) >> 40 & 1);
    await_commit(self, acknowledged);
    braid_result *result = NULL;
    if (braid_run(self->statements[which], &result) != BRAID_OK) {
        if (atomic_load(&world.board->violations[FAILED]) < 10)
            fprintf(stderr, "reader %d: %s\n", self->number, braid_error_message(self->db));
        complain(self, FAILED, -1, 0, 0);
        return;
    }
    if (braid_row_count(result) == WRITERS) {
        for (int i = 0; i < WRITERS; i++) check_writer(self, result, i, acknowledged[i]);
    } else {
        complain(self, TORN, -1, (int64_t)braid_row_count(result), WRITERS);
    }
    check_info(self, result, which == 0);
    braid_result_free(result);
    atomic_fetch_add(&world.board->reads[self->number], 1);
}

// With a thread of its own or without.
static braid *open_braid(int64_t freshness, uint32_t sync_interval_ms)
{
    braid_config config;
    braid_config_init(&config);
    config.threads = 1;
    config.memory_bytes = 64u << 20;
    config.busy_timeout_ms = 60000;
    config.freshness = freshness;
    config.sync_interval_ms = sync_interval_ms;
    braid *db = NULL;
    if (braid_open(world.path, &config, &db) == BRAID_OK) return db;
    fprintf(stderr, "open: %s\n", braid_error_message(db));
    _exit(1);
}

static _Noreturn void run_reader(int number, int64_t freshness)
{
    reader self = {.number = number, .random = seed * 31 + (uint64_t)getpid()};
    self.is_quiet = freshness != BRAID_FRESH_STRICT;
    // Half of the strict readers have a thread that syncs, too.
    self.db = open_braid(freshness, self.is_quiet ? 0 : (uint32_t)(number % 2 * 7));
    for (int i = 0; i < 2; i++) {
        if (braid_prepare(self.db, query_sql, &self.statements[i], NULL) != BRAID_OK) {
            fprintf(stderr, "prepare: %s\n", braid_error_message(self.db));
            _exit(1);
        }
    }
    braid_statement_set_engine(self.statements[0], BRAID_ENGINE_OLAP);
    while (atomic_load(&world.board->is_over) == 0) read_once(&self);
    for (int i = 0; i < 2; i++) braid_statement_close(self.statements[i]);
    _exit(braid_close(self.db) == BRAID_OK ? 0 : 1);
}

// ---- the caretaker ---------------------------------------------------------------------------

static void must_sqlite(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    int code = sqlite3_exec(db, sql, NULL, NULL, &message);
    // The checkpoint of a file in use may have to give up; all else waits for its turn.
    if (code == SQLITE_OK || code == SQLITE_LOCKED) return;
    fprintf(stderr, "caretaker: %s: %s\n", sql, message);
    _exit(1);
}

static void must_braid(braid *db, braid_status status, const char *what)
{
    if (status == BRAID_OK || status == BRAID_BUSY) return;
    fprintf(stderr, "caretaker: %s: %s\n", what, braid_error_message(db));
    _exit(1);
}

static void add_column(sqlite3 *db)
{
    sqlite3_stmt *statement;
    char sql[100];
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM pragma_table_info('ledger')", -1, &statement,
                           NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        _exit(1);
    int count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    if (count >= COLUMNS_ADDED_MAX) return;
    snprintf(sql, sizeof sql, "ALTER TABLE ledger ADD COLUMN extra_%d INT DEFAULT %d", count,
             count);
    must_sqlite(db, sql);
}

static void do_chore(sqlite3 *sqlite, braid *db, uint32_t which)
{
    switch (which) {
    case 0: must_sqlite(sqlite, "PRAGMA wal_checkpoint(TRUNCATE)"); break;
    case 1: must_sqlite(sqlite, "PRAGMA wal_checkpoint(PASSIVE)"); break;
    case 2: must_braid(db, braid_checkpoint(db), "checkpoint"); break;
    case 3: must_braid(db, braid_compact(db), "compact"); break;
    case 4: add_column(sqlite); break;
    case 5: must_sqlite(sqlite, "CREATE INDEX IF NOT EXISTS extra ON ledger(amount)"); break;
    case 6: must_sqlite(sqlite, "DROP INDEX IF EXISTS extra"); break;
    default: must_sqlite(sqlite, "VACUUM"); break;
    }
}

static _Noreturn void run_caretaker(void)
{
    uint64_t random = seed * 17 + (uint64_t)getpid();
    sqlite3 *sqlite;
    if (sqlite3_open(world.path, &sqlite) != SQLITE_OK) _exit(1);
    sqlite3_busy_timeout(sqlite, 60000);
    braid *db = open_braid(BRAID_FRESH_STRICT, 0);
    while (atomic_load(&world.board->is_over) == 0) {
        do_chore(sqlite, db, (uint32_t)(test_random(&random) >> 33) % 8);
        atomic_fetch_add(&world.board->chores, 1);
        usleep(30000 + (useconds_t)(test_random(&random) >> 33) % 200000);
    }
    sqlite3_close(sqlite);
    _exit(braid_close(db) == BRAID_OK ? 0 : 1);
}

// ---- the processes ---------------------------------------------------------------------------

typedef struct family {
    pid_t children[PROCESSES];
    bool is_absent[PROCESSES];  // its program is not installed
    int64_t freshness;
    int kills;
} family;

static freshness_kind kind_of(int writer)
{
    static const freshness_kind kinds[WRITERS] = {FRESHNESS_BRAID, FRESHNESS_SQLITE,
                                                  FRESHNESS_PYTHON, FRESHNESS_SHELL,
                                                  FRESHNESS_SQLITE};
    return kinds[writer];
}

static void start(family *all, int role)
{
    pid_t child = fork();
    if (child == 0) {
        if (role < WRITERS) freshness_write(&world, kind_of(role), role);
        if (role < CARETAKER) run_reader(role - WRITERS, all->freshness);
        run_caretaker();
    }
    if (child < 0) exit(2);
    all->children[role] = child;
}

static void kill_one(family *all, int role)
{
    int status = 0;
    if (all->children[role] == 0 || all->is_absent[role]) return;
    kill(all->children[role], SIGKILL);
    waitpid(all->children[role], &status, 0);
    bool is_absent = WIFEXITED(status) && WEXITSTATUS(status) == NOT_THERE;
    CHECK(is_absent || WIFSIGNALED(status));  // not an error of its own
    all->is_absent[role] = is_absent;
    all->kills++;
    if (!is_absent) start(all, role);
}

static void join_one(family *all, int role)
{
    int status = 0;
    double until = now_seconds() + STOP_SECONDS;
    if (all->children[role] == 0) return;
    while (waitpid(all->children[role], &status, WNOHANG) == 0) {
        if (now_seconds() > until) {
            fprintf(stderr, "process %d does not end\n", role);
            kill(all->children[role], SIGKILL);
        }
        usleep(2000);
    }
    bool is_absent = WIFEXITED(status) && WEXITSTATUS(status) == NOT_THERE;
    if (is_absent) printf("no %s here\n", freshness_kind_name(kind_of(role)));
    CHECK(is_absent || all->is_absent[role] || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

static int64_t reads_done(void)
{
    int64_t sum = 0;
    for (int i = 0; i < READERS; i++) sum += atomic_load(&world.board->reads[i]);
    return sum;
}

static void run_family(family *all, int64_t reads, double seconds)
{
    uint64_t random = seed * 101 + 7;
    double began = now_seconds(), next_kill = began + 0.5, next_line = began + 20;
    memset(world.board, 0, sizeof *world.board);
    for (int role = 0; role < PROCESSES; role++) {
        if (role != CARETAKER || is_rough) start(all, role);
    }
    while (reads_done() < reads && (seconds <= 0 || now_seconds() - began < seconds)) {
        usleep(5000);
        if (now_seconds() > next_kill) {
            uint32_t pick = (uint32_t)(test_random(&random) >> 33);
            kill_one(all, (int)(pick % PROCESSES));
            next_kill = now_seconds() + (is_rough ? 0.2 : 0.4) * (double)(1 + pick % 3);
        }
        if (now_seconds() > next_line) {
            printf("%" PRId64 " reads\n", reads_done());
            fflush(stdout);
            next_line += 20;
        }
    }
    atomic_store(&world.board->is_over, 1);
    for (int role = 0; role < PROCESSES; role++) join_one(all, role);
}

static void report(const family *all)
{
    int64_t transactions = 0;
    for (int i = 0; i < WRITERS; i++)
        transactions += atomic_load(&world.board->writers[i].acknowledged);
    printf("%" PRId64 " reads, %" PRId64 " of them columnar; %" PRId64
           " transactions, %d kills, %" PRId64 " chores; violations:",
           reads_done(), atomic_load(&world.board->native), transactions, all->kills,
           atomic_load(&world.board->chores));
    for (int i = 0; i < VIOLATIONS; i++)
        printf(" %s %" PRId64, violation_names[i], atomic_load(&world.board->violations[i]));
    printf("\n");
}

// ---- tests -----------------------------------------------------------------------------------

static void make_database(void)
{
    char sql[1200];
    sqlite3 *db;
    char *message = NULL;
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = WAL;"
             "DROP TABLE IF EXISTS ledger; DROP TABLE IF EXISTS counter;"
             "DROP TABLE IF EXISTS account; DROP TABLE IF EXISTS part;"
             "CREATE TABLE ledger(id INTEGER PRIMARY KEY, writer INT, n INT, amount INT);"
             "CREATE INDEX ledger_of ON ledger(writer, n);"
             "CREATE TABLE counter(writer INTEGER PRIMARY KEY, n INT, live INT, total INT);"
             "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT);"
             "CREATE TABLE part(value INT); INSERT INTO part VALUES(1), (2), (3), (4), (5);"
             "WITH r(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM r LIMIT %d)"
             " INSERT INTO counter SELECT i, 0, 0, 0 FROM r;"
             "WITH r(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM r LIMIT %d)"
             " INSERT INTO account SELECT i, %d FROM r",
             WRITERS, FRESHNESS_ACCOUNTS, FRESHNESS_BALANCE);
    if (sqlite3_open(world.path, &db) != SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", world.path, message);
        exit(2);
    }
    sqlite3_close(db);
}

static void check_database(void)
{
    uint64_t rows = 0;
    braid *db = open_braid(BRAID_FRESH_STRICT, 0);
    braid_status status = braid_check(db, &rows);
    if (status != BRAID_OK) fprintf(stderr, "%s\n", braid_error_message(db));
    CHECK_INT(status, BRAID_OK);
    CHECK(rows > 0);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_strict_reads_see_all_that_was_acknowledged(void)
{
    family all = {.freshness = BRAID_FRESH_STRICT};
    make_database();
    run_family(&all, reads_wanted, seconds_max);
    report(&all);
    for (int i = 0; i < VIOLATIONS; i++) CHECK_INT(atomic_load(&world.board->violations[i]), 0);
    CHECK(atomic_load(&world.board->native) > 0);
    for (int i = 0; i < WRITERS; i++)
        CHECK(all.is_absent[i] || kind_of(i) >= FRESHNESS_PYTHON ||
              atomic_load(&world.board->writers[i].acknowledged) > 0);
    check_database();
}

// What is published is old, but whole, and never older than before.
static void test_any_reads_are_seen_to_be_old(void)
{
    family all = {.freshness = BRAID_FRESH_ANY};
    make_database();
    run_family(&all, 2000, 4);
    report(&all);
    CHECK(atomic_load(&world.board->violations[STALE]) > 0);
    for (int i = 0; i < VIOLATIONS; i++) {
        if (i != STALE) CHECK_INT(atomic_load(&world.board->violations[i]), 0);
    }
}

static void read_options(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : "0";
        if (strcmp(name, "--rough") == 0) {
            is_rough = true;
            continue;
        }
        if (strcmp(name, "--reads") == 0) {
            reads_wanted = strtoll(value, NULL, 10);
            seconds_max = 0;
        } else if (strcmp(name, "--seconds") == 0) {
            seconds_max = strtod(value, NULL);
        } else if (strcmp(name, "--seed") == 0) {
            seed = strtoull(value, NULL, 10);
        } else {
            fprintf(stderr, "unknown option '%s'\n", name);
            exit(2);
        }
        i++;
    }
}

int main(int argument_count, char **arguments)
{
    char path[100], board_path[100], command[100];
    read_options(argument_count, arguments);
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    if (mkdtemp(folder) == NULL) return 2;
    snprintf(path, sizeof path, "%s/fresh.db", folder);
    snprintf(board_path, sizeof board_path, "%s/board", folder);
    int file = open(board_path, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof(freshness_board)) != 0) return 2;
    world = (freshness_world){
        .path = path, .board_path = board_path, .script = BRAID_FRESHNESS_SCRIPT};
    world.board =
        mmap(NULL, sizeof(freshness_board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (world.board == MAP_FAILED) return 2;
    RUN(test_strict_reads_see_all_that_was_acknowledged);
    RUN(test_any_reads_are_seen_to_be_old);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) return 2;
    return test_result();
}
