// A temporal table whose n-th allocation fails, for every n: each call gives a right answer or a clean
// error, and afterwards the database opens, agrees with SQLite, and its history with its table.
//
//     fault_test_history [STEP]     every STEP-th n (default 11: quick), 1 for all
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "router/router.h"
#include "tests/fault/support_allocation.h"
#include "tests/test.h"

static br_status query_int(br_database *database, const char *sql, br_engine engine, int64_t *out,
                           br_error *err)
{
    br_statement *statement = NULL;
    br_outcome *outcome = NULL;
    *out = -1;
    BR_TRY(br_statement_new(database, sql, &statement, NULL, err));
    br_statement_set_engine(statement, engine);
    br_status status = br_statement_run(statement, &outcome, err);
    if (status == BR_OK) {
        const br_vector *column = &outcome->result->batches[0].columns[0];
        *out = br_vector_value(column, 0, outcome->result->arena).i64;
    }
    br_outcome_free(outcome);
    br_statement_free(statement);
    return status;
}

static br_status expect(br_database *database, const char *sql, int64_t expected, br_error *err)
{
    static const br_engine engines[] = {BR_ENGINE_OLAP, BR_ENGINE_OLTP};
    for (int i = 0; i < 2; i++) {
        int64_t found;
        BR_TRY(query_int(database, sql, engines[i], &found, err));
        CHECK_INT(found, expected);
    }
    return BR_OK;
}

static br_status work_with(br_database *database, br_error *err)
{
    br_history_options all = {0}, few = {.keep_versions = 1};
    BR_TRY(br_database_exec(database,
                            "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c); INSERT INTO t"
                            " VALUES(1, 1, 'x'), (2, 2, 'y')",
                            err));
    BR_TRY(br_database_begin_history(database, "t", &all, err));
    BR_TRY(br_database_exec(database, "UPDATE t SET c = 'z'; REPLACE INTO t VALUES(3, 2, NULL)",
                            err));
    BR_TRY(expect(database, "SELECT count(*) FROM t FOR SYSTEM_TIME ALL", 6, err));
    BR_TRY(expect(database, "SELECT count(*) FROM t FOR SYSTEM_TIME AS OF 'now'", 2, err));
    BR_TRY(expect(database,
                  "SELECT count(*) FROM t FOR SYSTEM_TIME BETWEEN '2020-01-01' AND 'now' x"
                  " JOIN braid_changes('t', 2) y ON x.a = y.a",
                  12, err));
    BR_TRY(br_database_exec(database,
                            "ALTER TABLE t ADD COLUMN d DEFAULT 4; ALTER TABLE t RENAME COLUMN c"
                            " TO e; ALTER TABLE t RENAME TO u",
                            err));
    BR_TRY(expect(database, "SELECT sum(d) FROM u FOR SYSTEM_TIME ALL", 24, err));
    BR_TRY(br_database_end_history(database, "u", true, err));
    BR_TRY(br_database_exec(database, "DELETE FROM u WHERE a = 1", err));
    BR_TRY(br_database_begin_history(database, "u", &few, err));
    BR_TRY(br_database_checkpoint(database, err));
    BR_TRY(expect(database, "SELECT count(*) >= 3 FROM braid_changes('u')", 1, err));
    BR_TRY(br_database_exec(database, "DROP TABLE u", err));
    BR_TRY(expect(database, "SELECT count(*) FROM u FOR SYSTEM_TIME AS OF 'now'", 0, err));
    return br_database_end_history(database, "u", false, err);
}

static br_status open_database(const char *path, br_database **out, br_error *err)
{
    br_database_config config = {.path = path, .create = true, .threads = 1, .io = "pread",
                                 .memory_bytes = 1u << 28};
    return br_database_open(&config, out, err);
}

static br_status work(const char *path, br_error *err)
{
    br_database *database = NULL;
    BR_TRY(open_database(path, &database, err));
    br_status status = work_with(database, err);
    br_error ignored;
    br_status closed = br_database_close(database, status == BR_OK ? err : &ignored);
    return status == BR_OK ? closed : status;
}

static void check_afterwards(const char *path, uint64_t n)
{
    br_error err;
    br_database *database = NULL;
    uint64_t rows = 0;
    int64_t has_table = 0, has_history = 0;
    MUST(open_database(path, &database, &err), err);
    br_status status = br_database_check(database, &rows, &err);
    if (status != BR_OK) fprintf(stderr, "n = %" PRIu64 ": %s\n", n, err.message);
    CHECK_INT(status, BR_OK);
    MUST(query_int(database, "SELECT count(*) FROM sqlite_schema WHERE name = 't'", BR_ENGINE_OLTP,
                   &has_table, &err),
         err);
    MUST(query_int(database, "SELECT count(*) FROM sqlite_schema WHERE name = '_braid_change_1'",
                   BR_ENGINE_OLTP, &has_history, &err),
         err);
    if (has_table && has_history)
        MUST(expect(database,
                    "SELECT count(*) FROM (SELECT a, b FROM t EXCEPT SELECT a, b FROM t"
                    " FOR SYSTEM_TIME AS OF 'now')",
                    0, &err),
             err);
    CHECK_INT(br_database_close(database, &err), BR_OK);
}

static void remove_database(const char *folder)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'/*", folder);
    if (system(command) != 0) exit(2);
}

int main(int argument_count, char **arguments)
{
    uint64_t step = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 11;
    char folder[] = "/tmp/braid-fault-XXXXXX", path[64];
    if (mkdtemp(folder) == NULL) return 2;
    snprintf(path, sizeof path, "%s/fault.db", folder);
    for (uint64_t n = 1;; n += step) {
        br_error err = {.message = ""};
        fail_allocation(n, FAIL_ONCE);
        br_status status = work(path, &err);
        bool reached = allocation_has_failed();
        fail_no_allocation();
        bool is_clean = status == BR_OK || status == BR_NOMEM || status == BR_UNSUPPORTED;
        if (!is_clean) fprintf(stderr, "n = %" PRIu64 ": %s\n", n, err.message);
        // BR_UNSUPPORTED: it opened without a copy, which then has no histories.
        CHECK(reached ? is_clean : status == BR_OK);
        if (status != BR_OK) CHECK(err.message[0] != 0);
        check_afterwards(path, n);
        remove_database(folder);
        if (!reached) break;
    }
    if (rmdir(folder) != 0) return 2;
    return test_result();
}
