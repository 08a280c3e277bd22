// Processes that share a database: who maintains it when one is killed, users with different
// rights, forks, and what a busy writer's WAL comes to while a long columnar query runs.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sqlite3.h>

#include "base/thread.h"
#include "include/braid.h"
#include "tests/test.h"

enum { NOBODY = 65534, TAKE_OVER_MS_MAX = 1000 };

static char folder[] = "/tmp/braid-processes-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][100];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static braid *open_with(const char *name, uint32_t interval_ms)
{
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    config.threads = 2;
    config.busy_timeout_ms = 30000;
    config.sync_interval_ms = interval_ms;
    braid *db = NULL;
    if (braid_open(path_of(name), &config, &db) == BRAID_OK) return db;
    fprintf(stderr, "%s: %s\n", name, braid_error_message(db));
    _exit(1);
}

static void exec(braid *db, const char *sql)
{
    if (braid_exec(db, sql) == BRAID_OK) return;
    fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    _exit(1);
}

static int64_t ask(braid *db, const char *sql)
{
    braid_result *result = NULL;
    braid_statement *statement = NULL;
    if (braid_prepare(db, sql, &statement, NULL) != BRAID_OK) return -1;
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    if (braid_run(statement, &result) != BRAID_OK)
        fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    int64_t value = result == NULL ? -1 : braid_value_get(result, 0, 0).as.integer;
    braid_result_free(result);
    braid_statement_close(statement);
    return value;
}

static braid_sync_info info_of(braid *db)
{
    braid_sync_info info = {.size = sizeof info};
    CHECK_INT(braid_get_sync_info(db, &info), BRAID_OK);
    return info;
}

// A child tells that it is ready, and is told to go on, through pipes.
typedef struct family {
    pid_t child;
    int from_child[2], to_child[2];
} family;

static void say(int descriptor)
{
    if (write(descriptor, "x", 1) != 1) _exit(3);
}

static void hear(int descriptor)
{
    char byte;
    if (read(descriptor, &byte, 1) != 1) _exit(3);
}

static bool family_fork(family *all)
{
    if (pipe(all->from_child) != 0 || pipe(all->to_child) != 0) exit(2);
    fflush(stdout);
    all->child = fork();
    if (all->child < 0) exit(2);
    return all->child == 0;
}

static int family_join(family *all)
{
    int status = 0;
    waitpid(all->child, &status, 0);
    for (int i = 0; i < 2; i++) {
        close(all->from_child[i]);
        close(all->to_child[i]);
    }
    return status;
}

// ---- the maintainer is killed ----------------------------------------------------------------

static _Noreturn void maintain(family *all, const char *name)
{
    braid *db = open_with(name, 2);
    exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); INSERT INTO t(a) VALUES(1), (2)");
    if (!info_of(db).is_maintainer || braid_checkpoint(db) != BRAID_OK) _exit(1);
    say(all->from_child[1]);
    for (;;) exec(db, "INSERT INTO t(a) VALUES(3)");
}

static void take_over_from_killed(uint32_t interval_ms)
{
    family all;
    const char *name = interval_ms > 0 ? "killed.db" : "killed_idle.db";
    if (family_fork(&all)) maintain(&all, name);
    hear(all.from_child[0]);
    braid *db = open_with(name, interval_ms);
    CHECK(!info_of(db).is_maintainer);
    CHECK(ask(db, "SELECT count(*) FROM t") >= 2);
    kill(all.child, SIGKILL);
    family_join(&all);
    uint64_t began_ns = br_clock_ns();
    while (!info_of(db).is_maintainer && br_clock_ns() - began_ns < 20000000000) {
        if (interval_ms == 0) CHECK_INT(braid_sync(db), BRAID_OK);
        br_sleep_ms(2);
    }
    uint64_t ms = (br_clock_ns() - began_ns) / 1000000;
    printf("another took over after %" PRIu64 " ms\n", ms);
    CHECK(ms < TAKE_OVER_MS_MAX);
    exec(db, "DELETE FROM t WHERE a = 3");
    CHECK_INT(ask(db, "SELECT count(*) FROM t"), 2);
    CHECK_INT(braid_checkpoint(db), BRAID_OK);
    CHECK_INT(braid_check(db, NULL), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_another_takes_over_within_a_second(void)
{
    take_over_from_killed(10);  // by its thread
    take_over_from_killed(0);   // by whoever syncs
}

// ---- users with different rights -------------------------------------------------------------

static _Noreturn void read_as_nobody(family *all, const char *name)
{
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) _exit(4);
    braid *db = open_with(name, 0);
    int bad = ask(db, "SELECT sum(a) FROM t") != 3;
    for (int64_t i = 1; i <= 20; i++) {
        say(all->from_child[1]);
        hear(all->to_child[0]);
        bad += ask(db, "SELECT sum(a) FROM t") != 3 + i;
    }
    bad += info_of(db).is_maintainer != 0;
    bad += braid_exec(db, "INSERT INTO t(a) VALUES(1)") == BRAID_OK;
    _exit(braid_close(db) == BRAID_OK && bad == 0 ? 0 : 1);
}

// Who may only read the files, and nothing of the folder but that, sees every commit.
static void test_another_user_reads_fresh(void)
{
    if (geteuid() != 0) return;
    family all;
    braid *db = open_with("users.db", 0);
    exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); INSERT INTO t(a) VALUES(1), (2)");
    CHECK_INT(braid_sync(db), BRAID_OK);
    CHECK_INT(braid_checkpoint(db), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
    if (family_fork(&all)) {
        hear(all.to_child[0]);  // the parent has it open from here on
        read_as_nobody(&all, "users.db");
    }
    db = open_with("users.db", 0);
    say(all.to_child[1]);
    for (int i = 0; i < 20; i++) {
        hear(all.from_child[0]);
        exec(db, i % 2 == 0 ? "INSERT INTO t(a) VALUES(1)" : "UPDATE t SET a = a + 1 WHERE id = 1");
        if (i % 5 == 4) CHECK_INT(braid_checkpoint(db), BRAID_OK);
        say(all.to_child[1]);
    }
    int status = family_join(&all);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- fork ------------------------------------------------------------------------------------

static _Noreturn void use_of_parent(braid *db)
{
    braid_result *result = NULL;
    bool is_refused = braid_exec(db, "INSERT INTO t(a) VALUES(5)") == BRAID_MISUSE &&
                      braid_query(db, "SELECT 1", &result) == BRAID_MISUSE && result == NULL &&
                      strstr(braid_error_message(db), "forked") != NULL &&
                      braid_background_stop(db) == BRAID_MISUSE && braid_close(db) == BRAID_MISUSE;
    _exit(is_refused ? 0 : 1);
}

static void test_a_child_cannot_use_the_handle(void)
{
    family all;
    braid *db = open_with("fork.db", 5);
    exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); INSERT INTO t(a) VALUES(1)");
    if (family_fork(&all)) use_of_parent(db);
    int status = family_join(&all);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    exec(db, "INSERT INTO t(a) VALUES(2)");
    CHECK_INT(ask(db, "SELECT sum(a) FROM t"), 3);
    CHECK_INT(braid_check(db, NULL), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- the WAL ---------------------------------------------------------------------------------

static atomic_bool is_over;  // relaxed: a late look only makes one round more

// Keeps the query that calls it waiting.
static void linger(braid_call *call, uint32_t argument_count, const braid_value *arguments)
{
    (void)argument_count;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) br_sleep_ms(1);
    braid_call_return(call, &arguments[0]);
}

static void run_long_query(void *context)
{
    // The sum of what there was when it began.
    CHECK_INT(ask(context, "SELECT sum(linger(a)) FROM t"), 1000);
}

static int64_t size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
}

// Commits some 4 KiB; returns how far the WAL got at most.
static int64_t write_much(const char *name, int commits)
{
    sqlite3 *db;
    int64_t size_max = 0;
    char wal[110], sql[200];
    snprintf(wal, sizeof wal, "%s-wal", path_of(name));
    if (sqlite3_open(path_of(name), &db) != SQLITE_OK) exit(1);
    sqlite3_exec(db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    sqlite3_busy_timeout(db, 30000);
    for (int i = 0; i < commits; i++) {
        snprintf(sql, sizeof sql,
                 "INSERT INTO t(a, pad) VALUES(%d, zeroblob(4000)); DELETE FROM t WHERE a = %d;"
                 "UPDATE t SET pad = 'x' WHERE id = %d",
                 i + 10, i - 990, i % 1000 + 1);
        CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        int64_t size = size_of(wal);
        if (size > size_max) size_max = size;
    }
    sqlite3_close(db);
    return size_max;
}

static void test_wal_stays_small_during_a_long_query(void)
{
    br_thread query;
    br_error err;
    braid *db = open_with("wal.db", 3);
    braid_status status =
        braid_create_function(db, "linger", 1, BRAID_FUNCTION_THREAD_SAFE, NULL, linger, NULL);
    CHECK_INT(status, BRAID_OK);
    exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, pad);"
             "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 1000)"
             " INSERT INTO t SELECT i, 1, 'pad' FROM r");
    CHECK_INT(braid_sync(db), BRAID_OK);
    MUST(br_thread_start(&query, run_long_query, db, &err), err);
    br_sleep_ms(50);
    enum { COMMITS = 8000 };  // each writes 8 pages or more
    int64_t size_max = write_much("wal.db", COMMITS);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    br_thread_join(&query);
    braid_sync_info info = info_of(db);
    printf("the WAL had %.1f MB at most; %" PRIu64 " syncs; SQLite's lock was ours %" PRIu64
           " times, %" PRIu64 " of them for over 2 ms, for %.2f ms at most\n",
           (double)size_max / 1e6, info.sync_count, info.write_lock_count,
           info.write_lock_long_count, info.write_lock_ms_max);
    CHECK(info.sync_count > 10);
    // SQLite's own checkpoints begin at 4 MB; without them there would be 250 MB.
    CHECK(size_max < 40000000);
    CHECK_INT(braid_check(db, NULL), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    char command[100];
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) return 2;
    RUN(test_another_takes_over_within_a_second);
    RUN(test_another_user_reads_fresh);
    RUN(test_a_child_cannot_use_the_handle);
    RUN(test_wal_stays_small_during_a_long_query);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) return 2;
    return test_result();
}
