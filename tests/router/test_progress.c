// Long work tells how far it is and can be stopped anywhere; what was there before stays.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

enum { ROWS = 210000, STEP = 9 };  // enough rows to be read by several threads

typedef struct watcher {
    braid *db;           // to be interrupted at stop_at; NULL: the handler says so itself
    int64_t stop_at;     // after so many calls; negative: never
    int calls, ends;
    uint64_t rows_done, rows_total;
    char what[20], table[20];
} watcher;

static int watch(void *context, const braid_progress *progress)
{
    watcher *self = context;
    if (progress->is_done) {
        self->ends++;
        return 0;
    }
    CHECK(progress->rows_done >= self->rows_done || self->ends > 0);
    self->rows_done = progress->rows_done;
    self->rows_total = progress->rows_total;
    snprintf(self->what, sizeof self->what, "%s", progress->what);
    if (progress->table != NULL) snprintf(self->table, sizeof self->table, "%s", progress->table);
    bool stops = self->calls++ == self->stop_at;
    if (stops && self->db != NULL) braid_interrupt(self->db);
    return stops && self->db == NULL;
}

static void make_file(const char *name)
{
    char sql[300];
    snprintf(sql, sizeof sql, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); WITH RECURSIVE n(x) AS"
             " (VALUES(1) UNION ALL SELECT x + 1 FROM n LIMIT %d) INSERT INTO t SELECT x, x %% 7"
             " FROM n; CREATE TABLE w(a PRIMARY KEY) WITHOUT ROWID; INSERT INTO w SELECT id FROM t"
             " WHERE id <= 20000", ROWS);
    sqlite3_close(support_sqlite(name, sql));
}

static braid_status open_watched(const char *name, watcher *self, braid **db_out)
{
    braid_config config = support_config();
    config.progress = watch;
    config.progress_context = self;
    return braid_open(support_path(name), &config, db_out);
}

static void check_all(braid *db)
{
    uint64_t rows;
    CHECK_INT(braid_check(db, &rows), BRAID_OK);
    CHECK_INT(rows, ROWS + 20000);
}

static void test_opening_can_be_stopped_at_any_moment(void)
{
    make_file("open.db");
    braid_status status = BRAID_INTERRUPTED;
    int stopped = 0;
    for (int at = 0; status != BRAID_OK; at++) {
        watcher self = {.stop_at = at};
        braid *db;
        status = open_watched("open.db", &self, &db);
        if (status != BRAID_OK) {
            CHECK_INT(status, BRAID_INTERRUPTED);
            CHECK_TEXT(braid_error_message(db), "interrupted");
            CHECK_INT(self.ends, 1);
            CHECK_TEXT(self.what, "mirroring");
            stopped++;
        } else {
            self.stop_at = -1;
            check_all(db);
        }
        CHECK_INT(braid_close(db), BRAID_OK);
    }
    CHECK(stopped > 2);
}

typedef braid_status (*long_work)(braid *db);

static braid_status check(braid *db)
{
    return braid_check(db, NULL);
}

static braid_status append_rows(braid *db)
{
    support_exec(db, "INSERT INTO t(a) SELECT a FROM t WHERE id <= 50000");
    braid_status status = braid_sync(db);
    support_exec(db, "DELETE FROM t WHERE id > 210000");
    return status;
}

static void stop_everywhere(long_work work, const char *what, bool by_interrupt)
{
    watcher self = {.stop_at = -1};
    braid *db;
    CHECK_INT(open_watched("work.db", &self, &db), BRAID_OK);
    int stopped = 0;
    braid_status status = BRAID_INTERRUPTED;
    for (int at = 0; status != BRAID_OK; at += STEP) {
        self = (watcher){.db = by_interrupt ? db : NULL, .stop_at = at};
        status = work(db);
        CHECK(self.calls == 0 || strcmp(self.what, what) == 0);
        CHECK_INT(self.ends, self.calls > 0);
        if (status == BRAID_OK) break;
        CHECK_INT(status, BRAID_INTERRUPTED);
        stopped++;
        // What was there is there, and an interrupt is not meant for what comes after.
        self.stop_at = -1;
        CHECK_INT(support_int(db, "SELECT count(*) FROM t"), ROWS);
    }
    CHECK(stopped > 0);
    CHECK(self.calls > 2);
    self.stop_at = -1;
    check_all(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_long_work_can_be_stopped_at_any_moment(void)
{
    make_file("work.db");
    for (int by_interrupt = 0; by_interrupt < 2; by_interrupt++) {
        stop_everywhere(check, "verifying", by_interrupt);
        stop_everywhere(braid_rebuild, "mirroring", by_interrupt);
        stop_everywhere(append_rows, "mirroring", by_interrupt);
    }
}

static void test_compaction_can_be_stopped(void)
{
    make_file("compact.db");
    watcher self = {.stop_at = -1};
    braid *db;
    CHECK_INT(open_watched("compact.db", &self, &db), BRAID_OK);
    support_exec(db, "DELETE FROM t WHERE id % 2 = 0");
    CHECK_INT(braid_sync(db), BRAID_OK);
    self = (watcher){.stop_at = 0};
    CHECK_INT(braid_compact(db), BRAID_INTERRUPTED);
    CHECK_TEXT(self.what, "compacting");
    self = (watcher){.stop_at = -1};
    CHECK_INT(braid_compact(db), BRAID_OK);
    CHECK(self.calls > 1);
    CHECK_INT(self.ends, 1);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), ROWS / 2);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// A query that first has to bring the copy up to date stops too; a stale interrupt stops nothing.
static void test_interrupts_and_queries(void)
{
    make_file("query.db");
    watcher self = {.stop_at = -1};
    braid *db;
    CHECK_INT(open_watched("query.db", &self, &db), BRAID_OK);
    braid_interrupt(db);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), ROWS);
    braid_interrupt(db);
    CHECK_INT(braid_sync(db), BRAID_OK);
    support_exec(db, "UPDATE t SET a = a + 1 WHERE id <= 60000");
    self = (watcher){.db = db, .stop_at = 3};
    braid_result *result;
    CHECK_INT(braid_query(db, "SELECT sum(a) FROM t GROUP BY a % 3", &result), BRAID_INTERRUPTED);
    CHECK_INT(support_int(db, "SELECT count(*) FROM t"), ROWS);
    check_all(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_opening_can_be_stopped_at_any_moment);
    RUN(test_long_work_can_be_stopped_at_any_moment);
    RUN(test_compaction_can_be_stopped);
    RUN(test_interrupts_and_queries);
    return support_end();
}
