// The writers: through braid.h, SQLite's C API, the sqlite3 shell, and Python's sqlite3.
// SPDX-License-Identifier: Apache-2.0
#include "tests/stress/support_freshness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sqlite3.h>

#include "include/braid.h"

enum { SQL_BYTES = 1200, BUSY_MS = 60000, NOT_THERE = 77 };

const char *freshness_kind_name(freshness_kind kind)
{
    static const char *const names[] = {"braid", "sqlite", "python", "shell"};
    return names[kind];
}

void freshness_transaction(int writer, int64_t n, char *sql_out, size_t size)
{
    int from = (int)((n * 7 + writer) % FRESHNESS_ACCOUNTS);
    int to = (int)((n * 13 + 5) % FRESHNESS_ACCOUNTS), amount = (int)(n % 9) + 1;
    snprintf(sql_out, size,
             "BEGIN IMMEDIATE;"
             "INSERT INTO ledger(writer, n, amount) SELECT %d, %" PRId64 ", %" PRId64 " + p.value"
             " FROM counter c, part p WHERE c.writer = %d AND c.n = %" PRId64
             " AND p.value <= %d;"
             "DELETE FROM ledger WHERE writer = %d AND n <= %" PRId64 ";"
             "UPDATE account SET balance = balance - %d WHERE id = %d;"
             "UPDATE account SET balance = balance + %d WHERE id = %d;"
             "UPDATE counter SET n = %" PRId64 ","
             " live = (SELECT count(*) FROM ledger l WHERE l.writer = counter.writer),"
             " total = (SELECT sum(amount) FROM ledger l WHERE l.writer = counter.writer)"
             " WHERE writer = %d AND n = %" PRId64 ";"
             "COMMIT",
             writer, n, n, writer, n - 1, (int)(n % 5) + 1, writer, n - FRESHNESS_KEEP, amount,
             from, amount, to, n, writer, n - 1);
}

static _Noreturn void give_up(const char *what, const char *message)
{
    fprintf(stderr, "writer: %s: %s\n", what, message);
    _exit(1);
}

static sqlite3 *open_sqlite(const char *path)
{
    sqlite3 *db;
    if (sqlite3_open(path, &db) != SQLITE_OK) give_up(path, sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, BUSY_MS);
    // No power fails here: without an fsync per commit there is more to read.
    sqlite3_exec(db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    return db;
}

static int64_t last_committed(const char *path, int writer)
{
    sqlite3 *db = open_sqlite(path);
    sqlite3_stmt *statement;
    int64_t n = 0;
    if (sqlite3_prepare_v2(db, "SELECT n FROM counter WHERE writer = ?", -1, &statement, NULL) !=
        SQLITE_OK)
        give_up("last transaction", sqlite3_errmsg(db));
    sqlite3_bind_int(statement, 1, writer);
    if (sqlite3_step(statement) != SQLITE_ROW) give_up("last transaction", sqlite3_errmsg(db));
    n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return n;
}

typedef struct writer {
    const freshness_world *world;
    braid *braid;
    sqlite3 *sqlite;
} writer;

static void run_in_braid(writer *self, const char *sql)
{
    braid_status status = braid_exec(self->braid, sql);
    if (status != BRAID_OK) give_up("braid", braid_error_message(self->braid));
}

// Now and then, for each mark is one more transaction.
static void mark_in_braid(writer *self, freshness_slot *slot, int64_t n)
{
    uint64_t seq;
    if (n % 8 != 0) return;
    if (braid_commit_seq(self->braid, &seq) != BRAID_OK)
        give_up("mark", braid_error_message(self->braid));
    atomic_store(&slot->seq, (int64_t)seq);
}

static void run_in_sqlite(writer *self, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(self->sqlite, sql, NULL, NULL, &message) != SQLITE_OK)
        give_up("sqlite", message);
}

static void run_in_shell(writer *self, const char *sql)
{
    char command[SQL_BYTES + 400];
    snprintf(command, sizeof command,
             "exec sqlite3 -bail -cmd '.timeout %d' -cmd 'PRAGMA synchronous = NORMAL' '%s' '%s'",
             BUSY_MS, self->world->path, sql);
    if (system(command) != 0) give_up("shell", "failed");
}

static _Noreturn void become_python(const freshness_world *world, int writer_number)
{
    char number[12];
    snprintf(number, sizeof number, "%d", writer_number);
    execlp("python3", "python3", world->script, world->path, world->board_path, number,
           (char *)NULL);
    _exit(NOT_THERE);
}

static void open_writer(writer *self, freshness_kind kind)
{
    braid_config config;
    braid_config_init(&config);
    config.threads = 1;
    config.busy_timeout_ms = BUSY_MS;
    if (kind == FRESHNESS_SQLITE) self->sqlite = open_sqlite(self->world->path);
    if (kind == FRESHNESS_BRAID &&
        braid_open(self->world->path, &config, &self->braid) != BRAID_OK)
        give_up("open", braid_error_message(self->braid));
    if (kind == FRESHNESS_SHELL && system("command -v sqlite3 >/dev/null") != 0) _exit(NOT_THERE);
}

_Noreturn void freshness_write(const freshness_world *world, freshness_kind kind, int number)
{
    static void (*const runs[])(writer *, const char *) = {
        [FRESHNESS_BRAID] = run_in_braid,
        [FRESHNESS_SQLITE] = run_in_sqlite,
        [FRESHNESS_SHELL] = run_in_shell,
    };
    freshness_slot *slot = &world->board->writers[number];
    writer self = {.world = world};
    if (kind == FRESHNESS_PYTHON) become_python(world, number);
    open_writer(&self, kind);
    int64_t n = last_committed(world->path, number);
    while (atomic_load(&world->board->is_over) == 0) {
        char sql[SQL_BYTES];
        freshness_transaction(number, ++n, sql, sizeof sql);
        if (atomic_load(&slot->started) < n) atomic_store(&slot->started, n);
        runs[kind](&self, sql);
        atomic_store(&slot->acknowledged, n);
        if (kind == FRESHNESS_BRAID) mark_in_braid(&self, slot, n);
        if (kind != FRESHNESS_SHELL) usleep((useconds_t)(n * 977 % 700));
    }
    sqlite3_close(self.sqlite);
    _exit(braid_close(self.braid) == BRAID_OK ? 0 : 1);
}
