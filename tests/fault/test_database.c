// A whole database whose n-th allocation, or n-th file operation, fails, for every n: each call gives
// a right answer or a clean error, and afterwards the database opens and agrees with SQLite.
//
//     fault_test_database [STEP]     every STEP-th n (default 7: quick), 1 for all
//
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "router/router.h"
#include "tests/fault/support_allocation.h"
#include "tests/test.h"

typedef struct fault_hook {
    uint64_t seen, fail_at;  // operations; 0: never fail
    int error_number;
} fault_hook;

static int hook_before(void *context, const char *operation, const char *path)
{
    fault_hook *hook = context;
    (void)operation, (void)path;
    return ++hook->seen == hook->fail_at ? hook->error_number : 0;
}

static const char *const script[] = {
    "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL)",
    "INSERT INTO t(a, b, c) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE "
    "n < 3000) SELECT n % 17, 'name ' || (n % 5), n / 4.0 FROM s",
    "UPDATE t SET a = a + 1 WHERE id % 11 = 0",
    "DELETE FROM t WHERE id % 13 = 0",
};

static const char *const queries[] = {
    "SELECT b, count(*), sum(a), avg(c) FROM t GROUP BY b ORDER BY b",
    "SELECT count(*) FROM t x JOIN t y ON x.id = y.a WHERE x.c > 1",
    "SELECT id, upper(b) FROM t WHERE b LIKE '%3' ORDER BY c DESC LIMIT 5",
    "SELECT a, sum(c) OVER (PARTITION BY a ORDER BY id ROWS 2 PRECEDING), rank() OVER (ORDER BY b)"
    " FROM t WHERE id < 300",
    "WITH RECURSIVE s(n) AS (SELECT 1 UNION SELECT n + a FROM s JOIN t ON t.id = s.n WHERE n < 90)"
    " SELECT n FROM s",
    "SELECT id, (SELECT b FROM t y WHERE y.a = x.a ORDER BY y.c DESC LIMIT 1 OFFSET (SELECT 1))"
    " FROM t x"
    " WHERE id < 50",
    "SELECT id FROM t x WHERE b NOT IN (SELECT b FROM t y WHERE y.a = x.a LIMIT 2) AND id < 90",
    "SELECT m.name, c.name, t.b FROM sqlite_schema m, pragma_table_info(m.name) c JOIN t ON t.id ="
    " c.cid + 1 WHERE m.type = 'table'",
    "SELECT a, median(c), json_group_array(b ORDER BY id) FROM t GROUP BY rollup(a)",
    "SELECT count(DISTINCT b COLLATE back) FROM t GROUP BY b COLLATE back ORDER BY b COLLATE back",
};

static int compare_backward(void *context, br_text left, br_text right)
{
    (void)context;
    return br_text_compare(right, left);
}

static br_status append_to(br_database *database, br_error *err)
{
    br_appender *appender;
    static const char *const columns[] = {"a", "b", NULL};
    BR_TRY(br_appender_open(database, "t", columns, &appender, err));
    br_status status = BR_OK;
    br_value values[] = {br_value_int(7), br_value_text(br_text_make("appended", 8))};
    for (int i = 0; i < 2 * 1100 && status == BR_OK; i++)
        status = br_appender_add(appender, &values[i % 2], err);
    if (status == BR_OK) status = br_appender_flush(appender, err);
    br_appender_free(appender);
    return status;
}

// One failure may hit any of these calls; whatever it was, the next call must work as usual.
static br_status work_with(br_database *database, br_error *err)
{
    br_oltp_definition back = {.name = "back", .collation = compare_backward};
    br_status first = br_database_define(database, &back, err);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        br_statement *statement = NULL;
        br_outcome *outcome = NULL;
        br_status status = br_statement_take(database, queries[i], &statement, err);
        if (status == BR_OK) {
            br_statement_set_engine(statement, BR_ENGINE_OLAP);
            status = br_statement_run(statement, &outcome, err);
        }
        if (status == BR_OK) CHECK(outcome->result->row_count > 0 || i == 1);
        br_outcome_free(outcome);
        br_statement_give(statement);
        if (first == BR_OK) first = status;
    }
    br_status status = br_database_checkpoint(database, err);
    if (first == BR_OK) first = status;
    status = br_database_exec(database, "UPDATE t SET c = 0 WHERE id = 5; INSERT INTO t(a) VALUES (1)",
                              err);
    if (first == BR_OK) first = status;
    status = br_database_exec(database, "INSERT INTO t(a, b) SELECT count(*), b FROM t GROUP BY b",
                              err);
    if (first == BR_OK) first = status;
    static const char *const batch[] = {"DELETE FROM t WHERE id = 6", "INSERT INTO t(a) VALUES(2)"};
    size_t failed;
    status = br_database_exec_batch(database, batch, 2, &failed, err);
    if (first == BR_OK) first = status;
    status = append_to(database, err);
    if (first == BR_OK) first = status;
    status = br_database_compact(database, err);
    if (first == BR_OK) first = status;
    return first == BR_OK ? br_database_sync(database, err) : first;
}

static br_status work(const char *path, fault_hook *hook, br_error *err)
{
    br_file_hook file_hook = {.before = hook_before, .context = hook};
    br_database_config config = {.path = path, .create = true, .threads = 1, .io = "pread",
                                 .memory_bytes = 1u << 28, .hook = hook == NULL ? NULL : &file_hook};
    br_database *database = NULL;
    BR_TRY(br_database_open(&config, &database, err));
    br_status status = BR_OK;
    for (size_t i = 0; i < sizeof script / sizeof *script && status == BR_OK; i++)
        status = br_database_exec(database, script[i], err);
    if (status == BR_OK) status = work_with(database, err);
    br_error ignored;
    br_status closed = br_database_close(database, status == BR_OK ? err : &ignored);
    return status == BR_OK ? closed : status;
}

static void check_afterwards(const char *path, uint64_t n)
{
    br_error err;
    br_database_config config = {.path = path, .create = true, .threads = 1};
    br_database *database = NULL;
    uint64_t rows = 0;
    MUST(br_database_open(&config, &database, &err), err);
    br_status status = br_database_check(database, &rows, &err);
    if (status != BR_OK) fprintf(stderr, "n = %" PRIu64 ": %s\n", n, err.message);
    CHECK_INT(status, BR_OK);
    CHECK_INT(br_database_close(database, &err), BR_OK);
}

static void remove_database(const char *folder)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'/*", folder);
    if (system(command) != 0) exit(2);
}

static void run_allocations(const char *folder, const char *path, uint64_t step)
{
    for (uint64_t n = 1;; n += step) {
        br_error err = {.message = ""};
        fail_allocation(n, FAIL_ONCE);
        br_status status = work(path, NULL, &err);
        bool reached = allocation_has_failed();
        fail_no_allocation();
        if (reached && status != BR_OK) {
            // BR_UNSUPPORTED: it opened without a copy, which then cannot be synced.
            CHECK(status == BR_NOMEM || status == BR_UNSUPPORTED);
            CHECK(err.message[0] != 0);
        }
        check_afterwards(path, n);
        remove_database(folder);
        if (!reached) break;
    }
}

static void run_files(const char *folder, const char *path, uint64_t step, int error_number)
{
    for (uint64_t n = 1;; n += step) {
        br_error err = {.message = ""};
        fault_hook hook = {.fail_at = n, .error_number = error_number};
        br_status status = work(path, &hook, &err);
        if (status != BR_OK) {
            CHECK(status == BR_IO || status == BR_FULL || status == BR_UNSUPPORTED);
            CHECK(err.message[0] != 0);
        }
        check_afterwards(path, n);
        remove_database(folder);
        if (hook.seen < n) break;
    }
}

int main(int argument_count, char **arguments)
{
    uint64_t step = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 7;
    char folder[] = "/tmp/braid-fault-XXXXXX", path[64];
    if (mkdtemp(folder) == NULL) return 2;
    snprintf(path, sizeof path, "%s/fault.db", folder);
    run_files(folder, path, 1, ENOSPC);
    run_files(folder, path, 1, EIO);
    run_allocations(folder, path, step * 5);
    if (rmdir(folder) != 0) return 2;
    return test_result();
}
