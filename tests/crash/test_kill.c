// Kills a process at random instants of writing, altering tables, syncing, checkpointing and
// compacting, then opens the database again: it must open, agree with SQLite row by row, and hold every commit that the
// child had acknowledged before it died.
//
//     crash_test_kill [SEED [KILLS]]
//
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "braid.h"
#include "tests/test.h"

enum { KILLS_DEFAULT = 40, LIFE_MS_MAX = 60 };

typedef struct shared_memory {     // memory of both processes
    volatile int64_t acknowledged; // highest n whose transaction has committed
    volatile int64_t rounds;       // how often the child got to a checkpoint
} shared_memory;

static void must(braid *db, braid_status status, const char *what)
{
    if (status == BRAID_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, braid_status_name(status), braid_error_message(db));
    _exit(3);
}

static braid *open_database(const char *path)
{
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    config.threads = 2;
    braid *db = NULL;
    must(db, braid_open(path, &config, &db), "open");
    return db;
}

static int64_t query_int(braid *db, const char *sql)
{
    braid_result *result = NULL;
    must(db, braid_query(db, sql, &result), sql);
    braid_value value = braid_value_get(result, 0, 0);
    int64_t number = value.type == BRAID_INTEGER ? value.as.integer : -1;
    braid_result_free(result);
    return number;
}

// What an earlier child has left decides whether it can be done.
static void change_schema(braid *db, int64_t n)
{
    static const char *const changes[] = {
        "ALTER TABLE item ADD COLUMN extra DEFAULT 'extra'",
        "UPDATE item SET extra = id WHERE id % 5 = 0",
        "ALTER TABLE item DROP COLUMN extra; ALTER TABLE item ADD COLUMN extra DEFAULT 'extra'",
        "CREATE UNIQUE INDEX one ON item(id, k)",
        "ALTER TABLE item RENAME COLUMN extra TO other",
        "ALTER TABLE item DROP COLUMN other",
        "DROP INDEX one",
    };
    braid_status status = braid_exec(db, changes[n % (int64_t)(sizeof changes / sizeof *changes)]);
    if (status != BRAID_SQL && status != BRAID_RUNTIME) must(db, status, "change the schema");
}

// Writes for ever: numbered transactions over two tables, with everything the copy does in between.
_Noreturn static void child_run(const char *path, uint64_t seed, shared_memory *shared)
{
    uint64_t random = seed;
    braid *db = open_database(path);
    if (test_random(&random) % 2 == 0)  // checkpoints beside syncs
        must(db, braid_background_start(db, 1), "background");
    int64_t n = query_int(db, "SELECT coalesce(max(n), 0) FROM mark");
    for (;;) {
        char sql[400];
        n++;
        snprintf(sql, sizeof sql,
                 "BEGIN; INSERT INTO item(k, name, price) SELECT value, 'name ' || (value %% 13), "
                 "value * 0.25 FROM seq WHERE value <= %d; "
                 "UPDATE item SET price = price + 1 WHERE id %% 17 = %d; "
                 "DELETE FROM item WHERE id %% 29 = %d; INSERT INTO mark VALUES (%lld); COMMIT",
                 (int)(test_random(&random) % 200), (int)(n % 17), (int)(n % 29), (long long)n);
        must(db, braid_exec(db, sql), "write");
        shared->acknowledged = n;
        if (n % 4 == 0) change_schema(db, n / 4);
        if (n % 3 == 0) must(db, braid_sync(db), "sync");
        if (n % 5 == 0) {
            must(db, braid_checkpoint(db), "checkpoint");
            shared->rounds++;
        }
        if (n % 20 == 0) must(db, braid_compact(db), "compact");
        if (n % 47 == 0) must(db, braid_rebuild(db), "rebuild");
    }
}

static void create_tables(const char *path)
{
    braid *db = open_database(path);
    must(db,
         braid_exec(db, "CREATE TABLE item(id INTEGER PRIMARY KEY, k INT, name TEXT, price REAL);"
                        "CREATE TABLE mark(n INT);"
                        "CREATE TABLE seq AS WITH RECURSIVE s(value) AS (SELECT 1 UNION ALL "
                        "SELECT value + 1 FROM s WHERE value < 200) SELECT value FROM s"),
         "create");
    braid_temporal_options options = {.size = sizeof options, .keep_versions = 3};
    must(db, braid_register_temporal(db, "item", &options), "temporal");
    braid_close(db);
}

static void check_after_kill(const char *path, int64_t acknowledged, uint32_t kill_number)
{
    braid *db = open_database(path);
    uint64_t rows = 0;
    braid_status status = braid_check(db, &rows);
    if (status != BRAID_OK) fprintf(stderr, "kill %u: %s\n", kill_number, braid_error_message(db));
    CHECK(status == BRAID_OK);
    // A killed process loses nothing that SQLite had committed: the page cache survives it.
    CHECK(query_int(db, "SELECT count(*) FROM mark") >= acknowledged);
    CHECK(query_int(db, "SELECT coalesce(max(n), 0) FROM mark") ==
          query_int(db, "SELECT count(*) FROM mark"));
    // The history ends with what is in the table.
    CHECK_INT(query_int(db, "SELECT count(*) FROM (SELECT id, k, name, price FROM item EXCEPT"
                            " SELECT id, k, name, price FROM item FOR SYSTEM_TIME AS OF 'now')"),
              0);
    CHECK(query_int(db, "SELECT count(*) FROM item FOR SYSTEM_TIME ALL WHERE _braid_valid_to IS"
                        " NULL") == query_int(db, "SELECT count(*) FROM item"));
    braid_close(db);
}

int main(int argument_count, char **arguments)
{
    uint64_t seed = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint32_t kills = argument_count > 2 ? (uint32_t)atoi(arguments[2]) : KILLS_DEFAULT;
    uint64_t random = seed * 7919 + 1;
    char folder[] = "/tmp/braid-kill-XXXXXX", path[64], command[64];
    printf("seed %" PRIu64 "\n", seed);
    shared_memory *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || mkdtemp(folder) == NULL) return 2;
    snprintf(path, sizeof path, "%s/kill.db", folder);
    create_tables(path);
    for (uint32_t i = 0; i < kills; i++) {
        pid_t child = fork();
        if (child == 0) child_run(path, test_random(&random) | 1, shared);
        // A slow build gets more time, until its children live to see a checkpoint.
        uint64_t life_ms = shared->rounds > 0 ? LIFE_MS_MAX : LIFE_MS_MAX * (1 + i);
        usleep((useconds_t)(test_random(&random) % (life_ms * 1000)) + 2000);
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); // not an error of its own
        check_after_kill(path, shared->acknowledged, i);
    }
    CHECK(shared->rounds > 0);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) return 2;
    return test_result();
}
