// What a result says of its freshness, seqs and waiting for them, transactions of the handle, and
// the thread that syncs.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

static braid *open_with_rows(const char *name)
{
    braid *db = support_open(name);
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); INSERT INTO t(a) VALUES(1), (2)");
    CHECK_INT(braid_sync(db), BRAID_OK);
    return db;
}

static int64_t run(braid *db, const char *sql, braid_engine engine, int64_t freshness,
                   braid_result_info *info_out)
{
    braid_result *result = NULL;
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, engine);
    braid_statement_set_freshness(statement, freshness);
    if (braid_run(statement, &result) != BRAID_OK) {
        fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
        exit(1);
    }
    int64_t value = braid_value_get(result, 0, 0).as.integer;
    *info_out = support_info(result);
    info_out->reason = NULL;  // goes with the result
    braid_result_free(result);
    braid_statement_close(statement);
    return value;
}

static void test_results_tell_seq_lag_and_delta(void)
{
    static const char sql[] = "SELECT sum(a) FROM t";
    braid *db = open_with_rows("info.db");
    braid_result_info info;
    uint64_t seq;
    CHECK_INT(braid_checkpoint(db), BRAID_OK);
    CHECK_INT(run(db, sql, BRAID_ENGINE_OLAP, BRAID_FRESH_STRICT, &info), 3);
    CHECK_INT(info.delta_rows, 0);
    support_exec(db, "INSERT INTO t(a) VALUES(10), (20)");
    CHECK_INT(braid_commit_seq(db, &seq), BRAID_OK);
    CHECK_INT(run(db, sql, BRAID_ENGINE_OLAP, BRAID_FRESH_ANY, &info), 3);
    CHECK(info.seq < seq && info.lag_ms > 0 && info.delta_rows == 0);
    CHECK_INT(run(db, sql, BRAID_ENGINE_OLTP, BRAID_FRESH_ANY, &info), 33);
    CHECK(info.seq < seq && info.lag_ms == 0 && info.delta_rows == 0);
    CHECK_INT(run(db, sql, BRAID_ENGINE_OLAP, BRAID_FRESH_STRICT, &info), 33);
    CHECK(info.seq == seq && info.lag_ms == 0 && info.delta_rows == 2);
    CHECK_INT(run(db, sql, BRAID_ENGINE_OLTP, BRAID_FRESH_STRICT, &info), 33);
    CHECK(info.seq == seq && info.lag_ms == 0 && info.delta_rows == 0);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_waiting_for_a_seq(void)
{
    braid *db = open_with_rows("wait.db"), *other = support_open("wait.db");
    braid_result_info info;
    uint64_t seq;
    for (int i = 0; i < 3; i++) {
        support_exec(db, "INSERT INTO t(a) VALUES(5)");  // a row that needs no record
        CHECK_INT(braid_commit_seq(db, &seq), BRAID_OK);
        CHECK_INT(run(other, "SELECT count(*) FROM t", BRAID_ENGINE_OLAP, BRAID_FRESH_ANY, &info),
                  2 + i);
        CHECK(info.seq < seq);
        CHECK_INT(braid_wait(other, seq, 5000), BRAID_OK);
        CHECK_INT(run(other, "SELECT count(*) FROM t", BRAID_ENGINE_OLAP, BRAID_FRESH_ANY, &info),
                  3 + i);
        CHECK(info.seq >= seq);
    }
    CHECK_INT(braid_wait(other, seq + 1, 5), BRAID_BUSY);
    CHECK(strstr(braid_error_message(other), "want") != NULL);
    CHECK_INT(braid_close(other), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_marks_belong_to_no_transaction(void)
{
    braid *db = open_with_rows("marks.db");
    uint64_t seq = 7;
    support_exec(db, "BEGIN; INSERT INTO t(a) VALUES(5)");
    CHECK_INT(braid_commit_seq(db, &seq), BRAID_MISUSE);
    CHECK_INT(seq, 0);
    support_exec(db, "COMMIT");
    int64_t rowid = braid_last_rowid(db);
    CHECK_INT(braid_commit_seq(db, &seq), BRAID_OK);
    CHECK_INT(braid_last_rowid(db), rowid);
    CHECK_INT(braid_changes(db), 1);
    CHECK_INT(braid_close(db), BRAID_OK);
    braid_config config = support_config();
    config.read_only = 1;
    CHECK_INT(braid_open(support_path("marks.db"), &config, &db), BRAID_OK);
    CHECK_INT(braid_commit_seq(db, &seq), BRAID_READONLY);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- transactions of the handle ----------------------------------------------------------------

static void check_own(braid *db, int64_t expected)
{
    braid_result *result = support_query(db, "SELECT sum(a) FROM t");
    braid_result_info info = support_info(result);
    CHECK_INT(braid_value_get(result, 0, 0).as.integer, expected);
    CHECK_INT(info.engine, BRAID_ENGINE_OLTP);
    CHECK_TEXT(info.reason, "inside an open transaction");
    CHECK(info.seq == 0 && info.lag_ms == 0 && info.delta_rows == 0);
    braid_result_free(result);
}

static void test_savepoints_are_seen(void)
{
    braid *db = open_with_rows("savepoints.db"), *other = support_open("savepoints.db");
    support_exec(db, "SAVEPOINT one; INSERT INTO t(a) VALUES(10)");
    check_own(db, 13);
    support_exec(db, "SAVEPOINT two; UPDATE t SET a = a + 100 WHERE id = 1");
    check_own(db, 113);
    CHECK_INT(support_int(other, "SELECT sum(a) FROM t"), 3);  // nothing is committed
    support_exec(db, "ROLLBACK TO two");
    check_own(db, 13);
    support_exec(db, "RELEASE two; DELETE FROM t WHERE id = 2");
    check_own(db, 11);
    CHECK_INT(support_int(other, "SELECT sum(a) FROM t"), 3);
    support_exec(db, "RELEASE one");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 11);
    CHECK_INT(support_int(other, "SELECT sum(a) FROM t"), 11);
    support_exec(db, "BEGIN; DELETE FROM t");
    check_own(db, 0);
    support_exec(db, "ROLLBACK");
    CHECK_INT(support_int(db, "SELECT sum(a) FROM t"), 11);
    CHECK_INT(braid_close(other), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- the thread --------------------------------------------------------------------------------

static braid_sync_info sync_info(braid *db)
{
    braid_sync_info info = {.size = sizeof info};
    CHECK_INT(braid_get_sync_info(db, &info), BRAID_OK);
    return info;
}

static void test_background_sync(void)
{
    CHECK_INT(braid_close(open_with_rows("thread.db")), BRAID_OK);
    braid_config config = support_config();
    braid_result_info info;
    config.sync_interval_ms = 3;
    braid *db = NULL;
    CHECK_INT(braid_open(support_path("thread.db"), &config, &db), BRAID_OK);
    CHECK(sync_info(db).is_background && sync_info(db).interval_ms == 3);
    support_exec(db, "INSERT INTO t(a) VALUES(30)");
    for (int i = 0; i < 3000 && sync_info(db).lag_changes > 0; i++) usleep(10000);
    CHECK_INT(run(db, "SELECT sum(a) FROM t", BRAID_ENGINE_OLAP, BRAID_FRESH_ANY, &info), 33);
    char *json = NULL;
    CHECK_INT(braid_status_json(db, &json), BRAID_OK);
    CHECK(strstr(json, "\"background\":{\"running\":true,\"interval_ms\":3,") != NULL);
    CHECK(strstr(json, "\"lag_changes\":0") != NULL);
    braid_free(json);
    CHECK_INT(braid_background_stop(db), BRAID_OK);
    CHECK(!sync_info(db).is_background);
    support_exec(db, "INSERT INTO t(a) VALUES(30)");
    CHECK(sync_info(db).lag_changes > 0);
    CHECK_INT(braid_background_start(db, 0), BRAID_MISUSE);
    CHECK_INT(braid_background_start(db, 1000), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_results_tell_seq_lag_and_delta);
    RUN(test_waiting_for_a_seq);
    RUN(test_marks_belong_to_no_transaction);
    RUN(test_savepoints_are_seen);
    RUN(test_background_sync);
    return support_end();
}
