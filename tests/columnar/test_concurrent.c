// test_concurrent.c - one writer and two readers; made for -DBRAID_SANITIZE=thread.
//
// The writer moves amounts between accounts, so that each published version has the same number of
// rows and the same sum. Readers take snapshots and check both, while pages are evicted, deltas are
// flushed and segments are merged under them.
// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"
#include "tests/columnar/model.h"

enum { ACCOUNTS = 20000, AMOUNT = 1000, READERS = 2, ROUNDS = 400 };

static uint64_t seed_given = 99;

typedef struct bank {
    fixture base;
    _Atomic bool is_over;
    _Atomic uint64_t scans;
} bank;

static void sum_chunk(br_scan *scan, uint32_t chunk, int64_t *sum, uint64_t *rows)
{
    br_error err;
    br_batch batch;
    br_arena *arena = br_arena_new(NULL);
    MUST(br_scan_seek(scan, chunk, &err), err);
    do {
        MUST(br_scan_next(scan, &batch, &err), err);
        br_arena_reset(arena);
        for (uint32_t row = 0; row < batch.row_count; row++)
            *sum += br_vector_value(&batch.columns[0], row, arena).i64;
        *rows += batch.row_count;
    } while (batch.row_count > 0);
    br_arena_free(arena);
}

static bool snapshot_is_good(br_snapshot *snapshot, uint32_t worker)
{
    br_error err;
    br_scan *scan;
    const br_table_view *view = br_snapshot_find(snapshot, "bank");
    br_scan_column column = {.column = 0, .class_ = BR_INT};
    br_scan_filter filter = {.column = 0, .filter = {.kind = BR_FILTER_NOT_NULL}};
    br_scan_request request = {
        .columns = &column, .column_count = 1, .filters = &filter, .filter_count = 1};
    int64_t sum = 0;
    uint64_t rows = 0;
    MUST(br_scan_open(view, &request, worker, NULL, &scan, &err), err);
    for (uint32_t chunk = 0; chunk < br_table_view_chunks(view); chunk++)
        sum_chunk(scan, chunk, &sum, &rows);
    br_scan_close(scan);
    return sum == (int64_t)ACCOUNTS * AMOUNT && rows == ACCOUNTS &&
           br_table_view_rows(view) == ACCOUNTS && br_table_view_stats(view, 0)->null_count == 0;
}

// Reads until the writer is done; keeps every other snapshot over the next one.
static void read_all(void *context)
{
    bank *all = context;
    br_snapshot *kept = NULL;
    uint64_t bad = 0, scans = 0;
    while (!atomic_load(&all->is_over)) {
        br_snapshot *snapshot = br_snapshot_acquire(all->base.store);
        bad += !snapshot_is_good(snapshot, 0);
        if (kept != NULL) bad += !snapshot_is_good(kept, 0);
        br_snapshot_drop(kept);
        kept = scans++ % 2 == 0 ? snapshot : NULL;
        if (kept == NULL) br_snapshot_drop(snapshot);
    }
    br_snapshot_drop(kept);
    atomic_fetch_add(&all->scans, scans);
    if (bad > 0) {
        fprintf(stderr, "%" PRIu64 " snapshots were wrong\n", bad);
        exit(1);
    }
}

// Writes segments of what was published while the writer goes on.
typedef struct flushing {
    br_thread thread;
    br_checkpoint *checkpoint;
    br_error err;
    br_status status;
} flushing;

static void flush_all(void *context)
{
    flushing *self = context;
    self->status = br_checkpoint_write(self->checkpoint, &self->err);
}

static void flush_begin(bank *all, flushing *self)
{
    br_error err;
    MUST(br_checkpoint_begin(all->base.store, &self->checkpoint, &err), err);
    MUST(br_thread_start(&self->thread, flush_all, self, &err), err);
}

static void flush_end(flushing *self)
{
    br_error err;
    br_thread_join(&self->thread);
    MUST(self->status, self->err);
    MUST(br_checkpoint_commit(self->checkpoint, (const uint8_t[16]){0}, &err), err);
}

static void move(br_apply *apply, int64_t *amounts, uint64_t *random)
{
    br_error err;
    int64_t keys[2], change = (int64_t)(test_random(random) % 100);
    for (int i = 0; i < 2; i++) keys[i] = (int64_t)(test_random(random) % ACCOUNTS);
    if (keys[0] == keys[1]) return;
    for (int i = 0; i < 2; i++) {
        amounts[keys[i]] += i == 0 ? change : -change;
        br_value values[2] = {br_value_int(amounts[keys[i]]),
                              br_value_text(br_text_make("some text", 9))};
        MUST(br_apply_delete(apply, 1, keys[i], &err), err);
        MUST(br_apply_append(apply, 1, keys[i], values, &err), err);
    }
}

static void write_all(bank *all)
{
    br_error err;
    uint64_t random = seed_given;
    static int64_t amounts[ACCOUNTS];
    flushing flush;
    for (int i = 0; i < ACCOUNTS; i++) amounts[i] = AMOUNT;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        br_apply *apply;
        br_watermark watermark = {.seq = round + 10};
        bool did_work;
        MUST(br_apply_begin(all->base.store, &apply, &err), err);
        for (int i = 0; i < 50; i++) move(apply, amounts, &random);
        MUST(br_apply_publish(apply, &watermark, &err), err);
        if (round % 10 == 4) flush_begin(all, &flush);
        if (round % 10 == 9) flush_end(&flush);
        if (round % 25 == 24) MUST(br_store_compact(all->base.store, &did_work, &err), err);
        if (round % 100 == 99) MUST(br_store_check(all->base.store, &err), err);
    }
}

static void open_bank(bank *all)
{
    static const char *const names[] = {"amount", "note"};
    br_table_spec spec = {.table_id = 1, .name = "bank", .definition = "", .column_count = 2,
                          .column_names = names};
    br_apply *apply;
    br_error err;
    br_watermark watermark = {.seq = 1};
    MUST(br_apply_begin(all->base.store, &apply, &err), err);
    MUST(br_apply_add_table(apply, &spec, &err), err);
    for (int64_t key = 0; key < ACCOUNTS; key++) {
        br_value values[2] = {br_value_int(AMOUNT), br_value_null()};
        MUST(br_apply_append(apply, 1, key, values, &err), err);
    }
    MUST(br_apply_publish(apply, &watermark, &err), err);
}

static void test_concurrent_readers_see_whole_versions(void)
{
    bank all = {0};
    br_error err;
    br_thread readers[READERS];
    fixture_init(&all.base);
    all.base.config.page_cache_bytes = 100 * 1024;
    fixture_open(&all.base);
    open_bank(&all);
    for (int i = 0; i < READERS; i++)
        MUST(br_thread_start(&readers[i], read_all, &all, &err), err);
    write_all(&all);
    atomic_store(&all.is_over, true);
    for (int i = 0; i < READERS; i++) br_thread_join(&readers[i]);
    CHECK(atomic_load(&all.scans) > 10);
    br_snapshot *last = br_snapshot_acquire(all.base.store);
    CHECK(snapshot_is_good(last, 0));
    br_snapshot_drop(last);
    fixture_release(&all.base);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed_given = strtoull(argv[1], NULL, 0);
    printf("seed %" PRIu64 "\n", seed_given);
    RUN(test_concurrent_readers_see_whole_versions);
    return test_result();
}
