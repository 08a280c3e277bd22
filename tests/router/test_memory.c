// What a database takes in memory: the budget it gives itself, and what the system sees of it while
// queries run that would need several times as much.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cpu.h"
#include "router/database.h"
#include "tests/router/support.h"

enum { BUDGET_BYTES = 64 << 20, ROWS = 300000 };

// What the allocator of a sanitizer keeps says nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool counts_memory = false;
#else
static const bool counts_memory = true;
#endif

static void test_default_budget(void)
{
    br_error err;
    br_database *database = NULL;
    br_database_config config = {.path = support_path("budget.db"), .create = true, .threads = 1};
    CHECK_INT(br_database_open(&config, &database, &err), BR_OK);
    uint64_t least = br_memory_available_bytes() / 100 * 59;
    CHECK(database->quota.limit_bytes > least);
    CHECK(database->quota.limit_bytes <= br_memory_available_bytes() / 100 * 60);
    CHECK_INT(database->query_bytes, database->quota.limit_bytes / 100 * 40);
    CHECK_INT(br_database_close(database, &err), BR_OK);
}

// ---- the peak --------------------------------------------------------------------------------

static const char *const heavy[] = {
    "SELECT id FROM t ORDER BY s, r LIMIT 1 OFFSET 299000",
    "SELECT count(*) + max(c) + sum(i) FROM (SELECT s, count(*) AS c, max(r) AS m, min(id) AS i "
    "FROM t GROUP BY s)",
    "SELECT count(*) + sum(a.g) + sum(length(b.s)) FROM t a JOIN t b ON a.s = b.s",
    "SELECT CAST(sum(x) AS INTEGER) FROM (SELECT count(r) OVER (ORDER BY s) AS x, s FROM t)",
    "SELECT count(*) + max(n) FROM (SELECT s, r, row_number() OVER (PARTITION BY g ORDER BY s DESC) AS n "
    "FROM t)",
    "SELECT count(*) + max(length(s)) FROM (SELECT s, r FROM t UNION SELECT s || 'x', r FROM t)",
    "SELECT count(DISTINCT s) + count(DISTINCT r) FROM t",
    "SELECT count(*) + sum(id) FROM t WHERE s NOT IN (SELECT CASE WHEN id % 3 THEN s ELSE 'x' END FROM t)",
    "WITH q AS MATERIALIZED (SELECT *, s || g AS u FROM t) SELECT count(*) + (SELECT count(*) FROM q "
    "WHERE r > 5) + (SELECT max(length(u)) FROM q) FROM q WHERE u < 'text 7'",
};
enum { HEAVY_COUNT = sizeof heavy / sizeof *heavy };

// A line of /proc/self/status, in bytes.
static uint64_t status_bytes(const char *name)
{
    char line[200];
    unsigned long long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ": %llu kB", &kilobytes);
    }
    if (file != NULL) fclose(file);
    return kilobytes * 1024;
}

static braid *open_with(const char *path, uint64_t memory_bytes)
{
    braid *db = NULL;
    braid_config config = support_config();
    config.memory_bytes = memory_bytes;
    if (braid_open(path, &config, &db) == BRAID_OK) return db;
    fprintf(stderr, "%s: %s\n", path, braid_error_message(db));
    exit(2);
}

// A process of its own: test_memory child PATH ANSWERS.
static int run_child(char **arguments)
{
    braid *db = open_with(arguments[0], BUDGET_BYTES);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t WHERE g = 3"), ROWS / 1000);
    uint64_t before = status_bytes("VmRSS");
    for (uint32_t i = 0; i < HEAVY_COUNT; i++) {
        CHECK_INT(support_int(db, heavy[i]), strtoll(arguments[1 + i], NULL, 10));
        printf("%" PRIu64 " KiB more after: %s\n", (status_bytes("VmHWM") - before) / 1024, heavy[i]);
    }
    uint64_t most = status_bytes("VmHWM") - before;
    if (counts_memory) CHECK(most < BUDGET_BYTES / 10 * 11);
    // A result is complete and in memory: what is too large for a query says so.
    braid_result *result = NULL;
    CHECK_INT(braid_query(db, "SELECT *, s || r FROM t", &result), BRAID_NOMEM);
    CHECK(strstr(braid_error_message(db), "query memory limit of 26843520 bytes reached by the "
                                          "result") != NULL);
    braid_close(db);
    return test_result();
}

static void test_peak_is_within_the_budget(void)
{
    char numbers[HEAVY_COUNT][32], *arguments[HEAVY_COUNT + 4] = {"test_memory", "child"};
    const char *path = support_path("peak.db");
    braid *db = open_with(path, 1ull << 30);
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, g INTEGER, r REAL, s TEXT);"
                     "WITH RECURSIVE q(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM q WHERE i < 300000) "
                     "INSERT INTO t SELECT i, i % 1000, i * 7919 % 300007 / 4.0, "
                     "'text ' || (i * 15485863 % 1000003) || ' of some length' FROM q;");
    CHECK_INT(braid_checkpoint(db), BRAID_OK);
    arguments[2] = (char *)(uintptr_t)path;
    for (uint32_t i = 0; i < HEAVY_COUNT; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%" PRId64, support_int(db, heavy[i]));
        arguments[3 + i] = numbers[i];
    }
    braid_close(db);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        // Begun as somebody else than who it runs as, a process may not be searched for leaks.
        if (seteuid(getuid()) != 0 || setegid(getgid()) != 0) _exit(2);
        execv("/proc/self/exe", arguments);
        _exit(2);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 2 && strcmp(arguments[1], "child") == 0) return run_child(arguments + 2);
    support_begin();
    RUN(test_default_budget);
    RUN(test_peak_is_within_the_budget);
    return support_end();
}
