// Kills a process while its queries write rows to disk: nothing of that is left, and the database
// opens and is as it was.
//
//     crash_test_kill_spilling [SEED [KILLS]]
//
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "braid.h"
#include "tests/test.h"

enum { KILLS_DEFAULT = 5, TRIES_MAX = 3000 };

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
    config.memory_bytes = 20 << 20;
    braid *db = NULL;
    must(db, braid_open(path, &config, &db), "open");
    return db;
}

static void create_table(const char *path)
{
    braid *db = open_database(path);
    must(db,
         braid_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, s TEXT);"
                        "WITH RECURSIVE q(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM q "
                        "WHERE i < 200000) INSERT INTO t SELECT i, i * 7919 % 300007 / 4.0, "
                        "'text ' || (i * 15485863 % 1000003) FROM q"),
         "create");
    must(db, braid_checkpoint(db), "checkpoint");
    braid_close(db);
}

_Noreturn static void child_run(const char *path)
{
    static const char *const queries[] = {
        "SELECT id FROM t ORDER BY s, r LIMIT 1 OFFSET 199000",
        "SELECT count(*) FROM t a JOIN t b ON a.s = b.s",
        "SELECT max(x) FROM (SELECT count(r) OVER (ORDER BY s) AS x, s FROM t)",
    };
    braid *db = open_database(path);
    for (uint32_t i = 0;; i = (i + 1) % 3) {
        braid_result *result = NULL;
        must(db, braid_query(db, queries[i], &result), queries[i]);
        braid_result_free(result);
    }
}

// Bytes of files without a name that the process has open.
static uint64_t nameless_bytes(pid_t process)
{
    char folder[64], path[400];
    uint64_t bytes = 0;
    snprintf(folder, sizeof folder, "/proc/%d/fd", (int)process);
    DIR *descriptors = opendir(folder);
    struct dirent *entry;
    while (descriptors != NULL && (entry = readdir(descriptors)) != NULL) {
        struct stat about;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 0)
            bytes += (uint64_t)about.st_size;
    }
    if (descriptors != NULL) closedir(descriptors);
    return bytes;
}

// Files of the database, which do not change: names and sizes.
static uint64_t folder_digest(const char *folder)
{
    char path[400];
    uint64_t digest = 0;
    DIR *files = opendir(folder);
    struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        struct stat about;
        uint64_t hash = 14695981039346656037ull;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &about) != 0 || !S_ISREG(about.st_mode)) continue;
        // Of SQLite's files beside a database only the names of those that stay matter.
        if (strstr(entry->d_name, "-wal") != NULL || strstr(entry->d_name, "-shm") != NULL) continue;
        for (const char *c = entry->d_name; *c != 0; c++)
            hash = (hash ^ (unsigned char)*c) * 1099511628211ull;
        digest += hash;
    }
    if (files != NULL) closedir(files);
    return digest;
}

int main(int argument_count, char **arguments)
{
    uint64_t seed = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint32_t kills = argument_count > 2 ? (uint32_t)atoi(arguments[2]) : KILLS_DEFAULT;
    uint64_t random = seed * 7919 + 1;
    char folder[] = "/tmp/braid-spill-XXXXXX", path[64], copy[80], command[64];
    printf("seed %" PRIu64 "\n", seed);
    if (mkdtemp(folder) == NULL) return 2;
    snprintf(path, sizeof path, "%s/kill.db", folder);
    snprintf(copy, sizeof copy, "%s-braid", path);
    create_table(path);
    uint64_t before = folder_digest(folder) + folder_digest(copy);
    for (uint32_t i = 0; i < kills; i++) {
        pid_t child = fork();
        if (child == 0) child_run(path);
        uint32_t tries = 0;
        while (nameless_bytes(child) == 0 && tries++ < TRIES_MAX) usleep(10000);
        CHECK(nameless_bytes(child) > 0);
        usleep((useconds_t)(test_random(&random) % 60000));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);  // not an error of its own
        CHECK_INT(folder_digest(folder) + folder_digest(copy), before);
        braid *db = open_database(path);
        uint64_t rows = 0;
        CHECK_INT(braid_check(db, &rows), BRAID_OK);
        CHECK_INT(rows, 200000);
        braid_close(db);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) return 2;
    return test_result();
}
