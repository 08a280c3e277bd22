// Writers, syncing readers, checkpoints and a second capture at the same time: every snapshot is
// the database at one commit point.
//
// Writers move money between accounts, so the sum over a snapshot never changes; each transaction
// also adds a row to a journal that says how often money was moved in all.
// SPDX-License-Identifier: Apache-2.0
#include <stdatomic.h>

#include "tests/cdc/fixture.h"

enum { ACCOUNTS = 500, BALANCE = 1000, WRITERS = 2, READERS = 3, TRANSFERS = 300 };

typedef struct actor {
    br_thread thread;
    fixture *f;
    br_cdc *cdc;
    uint64_t seed;
    uint64_t snapshots;
} actor;

static atomic_bool is_over;  // relaxed: a late look only makes one round more
static atomic_int failures;

static uint32_t pick(actor *a, uint32_t bound)
{
    return (uint32_t)(test_random(&a->seed) >> 33) % bound;
}

static void writer_run(void *context)
{
    actor *a = context;
    br_error err;
    br_oltp_config config = {.path = a->f->path, .busy_timeout_ms = 10000};
    br_oltp *oltp = NULL;
    MUST(br_oltp_open(&config, &oltp, &err), err);
    for (int i = 0; i < TRANSFERS; i++) {
        uint32_t amount = pick(a, 50), from = pick(a, ACCOUNTS), to = pick(a, ACCOUNTS);
        MUST(br_oltp_exec(oltp, "BEGIN IMMEDIATE", &err), err);
        MUST(br_oltp_exec_format(oltp, &err,
                                 "UPDATE account SET balance = balance - %u WHERE id = %u;"
                                 "UPDATE account SET balance = balance + %u WHERE id = %u;"
                                 "INSERT INTO journal(amount) VALUES(%u);"
                                 "DELETE FROM journal WHERE id %% 20 = 19",
                                 amount, from, amount, to, amount),
             err);
        MUST(br_oltp_exec(oltp, "UPDATE total SET moves = moves + 1", &err), err);
        MUST(br_oltp_exec(oltp, "COMMIT", &err), err);
    }
    br_oltp_close(oltp);
}

static int64_t sum_column(const br_snapshot *snapshot, const char *table, uint32_t column)
{
    br_error err;
    br_scan *scan = NULL;
    br_batch batch;
    br_arena *arena = br_arena_new(NULL);
    const br_table_view *view = br_snapshot_find(snapshot, table);
    br_scan_column columns[] = {{.column = column, .class_ = BR_ANY}};
    br_scan_request request = {.columns = columns, .column_count = 1};
    int64_t sum = 0;
    MUST(br_scan_open(view, &request, 0, NULL, &scan, &err), err);
    for (uint32_t chunk = 0; chunk < br_table_view_chunks(view); chunk++) {
        MUST(br_scan_seek(scan, chunk, &err), err);
        do {
            MUST(br_scan_next(scan, &batch, &err), err);
            for (uint32_t row = 0; row < batch.row_count; row++)
                sum += br_vector_value(&batch.columns[0], row, arena).i64;
        } while (batch.row_count > 0);
    }
    br_scan_close(scan);
    br_arena_free(arena);
    return sum;
}

static void reader_run(void *context)
{
    actor *a = context;
    br_error err;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        br_snapshot *snapshot;
        const br_schema_ref *schema;
        MUST(br_cdc_sync(a->cdc, &err), err);
        br_cdc_snapshot(a->cdc, &snapshot, &schema);
        bool is_good =
            sum_column(snapshot, "account", 1) == ACCOUNTS * BALANCE &&
            br_snapshot_watermark(snapshot).schema_cookie == br_schema_ref_get(schema)->cookie;
        int64_t moves = sum_column(snapshot, "total", 0);
        int64_t rows = (int64_t)br_table_view_rows(br_snapshot_find(snapshot, "journal"));
        is_good = is_good && rows == moves - (moves + 1) / 20;
        if (!is_good) atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
        a->snapshots++;
        br_snapshot_drop(snapshot);
        br_cdc_schema_drop(schema);
        if (pick(a, 50) == 0) MUST(br_cdc_checkpoint(a->cdc, &err), err);
    }
}

static void test_snapshots_are_commit_points(void)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f, "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT);"
                     "CREATE TABLE journal(id INTEGER PRIMARY KEY AUTOINCREMENT, amount INT);"
                     "CREATE TABLE total(moves INT); INSERT INTO total VALUES(0);"
                     "WITH r(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM r LIMIT 500)"
                     " INSERT INTO account SELECT i, 1000 FROM r");
    f.cdc = fixture_open_cdc(&f);
    br_cdc *follower = fixture_open_cdc(&f);
    actor actors[WRITERS + READERS] = {0};
    for (int i = 0; i < WRITERS + READERS; i++) {
        // One reader uses the follower.
        actors[i].f = &f;
        actors[i].cdc = i == WRITERS ? follower : f.cdc;
        actors[i].seed = (uint64_t)i + 1;
        MUST(br_thread_start(&actors[i].thread, i < WRITERS ? writer_run : reader_run, &actors[i],
                             &f.err),
             f.err);
    }
    for (int i = 0; i < WRITERS; i++) br_thread_join(&actors[i].thread);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    for (int i = WRITERS; i < WRITERS + READERS; i++) {
        br_thread_join(&actors[i].thread);
        CHECK(actors[i].snapshots > 0);
    }
    CHECK_INT(atomic_load_explicit(&failures, memory_order_relaxed), 0);
    CHECK(is_same_copy(f.cdc));
    CHECK(is_same_copy(follower));
    CHECK_INT(fixture_int(&f, "SELECT moves FROM total"), WRITERS * TRANSFERS);
    br_cdc_close(follower);
    fixture_release(&f);
}

int main(void)
{
    RUN(test_snapshots_are_commit_points);
    return test_result();
}
