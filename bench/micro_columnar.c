// micro_columnar.c - speed of loads, applies and scans of a table of five columns.
//
//     micro_columnar [rows] [folder]
//
// Prints one line per measurement: what, rows, and a rate or a time.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/thread.h"
#include "columnar/columnar.h"

enum { COLUMNS = 5, TEMPLATES = 4 };

static void must(br_status status, const br_error *err)
{
    if (status == BR_OK) return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static double seconds_since(uint64_t start_ns)
{
    return (double)(br_clock_ns() - start_ns) / 1e9;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return *state >> 24;
}

static br_value make_value(uint32_t column, uint64_t random, char text[32])
{
    static const char *const words[] = {"AIR", "MAIL", "RAIL", "SHIP", "TRUCK", "FOB", "REG AIR"};
    switch (column) {
    case 0: return br_value_int((int64_t)(random % 100000));
    case 1: return br_value_real((double)(random % 1000000) / 100);
    case 2: br_date_format(8035 + (int64_t)(random % 2526), text);
            return br_value_text(br_text_make(text, 10));
    case 3: {
        const char *word = words[random % 7];
        return br_value_text(br_text_make(word, (uint32_t)strlen(word)));
    }
    default: return br_value_int((int64_t)(random % 50));
    }
}

typedef struct bench {
    br_store *store;
    br_task_pool *pool;
    uint32_t chunks;
    br_column *templates[TEMPLATES];
    br_load *load;
    const br_table_view *view;
    const br_scan_request *request;
    _Atomic uint64_t rows;
} bench;

static void make_templates(bench *all)
{
    br_error err;
    uint64_t state = 1;
    char text[32];
    for (int t = 0; t < TEMPLATES; t++) {
        br_column *columns = br_heap_array(COLUMNS + 1, sizeof *columns);
        for (uint32_t c = 0; c <= COLUMNS; c++) {
            must(br_column_init(&columns[c], NULL, &err), &err);
            for (uint32_t row = 0; row < BR_CHUNK_ROWS; row++) {
                br_value value = c == COLUMNS ? br_value_int(row)
                                              : make_value(c, next_random(&state), text);
                must(br_column_append(&columns[c], &value, &err), &err);
            }
        }
        all->templates[t] = columns;
    }
}

static br_status load_one(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    bench *all = context;
    (void)worker;
    br_column columns[COLUMNS + 1], *keys = &columns[COLUMNS];
    memcpy(columns, all->templates[index % TEMPLATES], sizeof columns);
    BR_TRY(br_column_init(keys, NULL, err));
    for (uint32_t row = 0; row < BR_CHUNK_ROWS; row++) {
        br_value key = br_value_int((int64_t)index * BR_CHUNK_ROWS + row + 1);
        BR_TRY(br_column_append(keys, &key, err));
    }
    br_status status = br_load_add_chunk(all->load, index, columns, err);
    br_column_release(keys);
    return status;
}

static void bench_load(bench *all)
{
    static const char *const names[] = {"quantity", "price", "day", "mode", "discount"};
    br_table_spec spec = {.table_id = 1, .name = "t", .definition = "", .column_count = COLUMNS,
                          .column_names = names};
    br_watermark watermark = {.seq = 1};
    br_apply *apply;
    br_error err;
    uint64_t start = br_clock_ns();
    must(br_apply_begin(all->store, &apply, &err), &err);
    must(br_apply_add_table(apply, &spec, &err), &err);
    must(br_load_begin(apply, 1, &all->load, &err), &err);
    must(br_task_pool_run(all->pool, 0, all->chunks, load_one, all, &err), &err);
    must(br_load_finish(all->load, &err), &err);
    must(br_apply_publish(apply, &watermark, &err), &err);
    double seconds = seconds_since(start);
    printf("load                     %6.2f M rows/s\n",
           all->chunks * (double)BR_CHUNK_ROWS / seconds / 1e6);
    start = br_clock_ns();
    must(br_store_checkpoint(all->store, (const uint8_t[16]){1}, &err), &err);
    printf("checkpoint after load    %6.2f ms\n", seconds_since(start) * 1e3);
}

static br_status scan_one(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    bench *all = context;
    uint32_t per = 16, first = index * per;
    uint64_t rows = 0;
    br_scan *scan;
    BR_TRY(br_scan_open(all->view, all->request, worker, NULL, &scan, err));
    for (uint32_t chunk = first; chunk < first + per && chunk < br_table_view_chunks(all->view);
         chunk++) {
        br_batch batch;
        BR_TRY(br_scan_seek(scan, chunk, err));
        do {
            BR_TRY(br_scan_next(scan, &batch, err));
            rows += batch.row_count;
        } while (batch.row_count > 0);
    }
    br_scan_close(scan);
    atomic_fetch_add_explicit(&all->rows, rows, memory_order_relaxed);
    return BR_OK;
}

static void bench_scan(bench *all, const char *name, const br_scan_request *request, int repeat)
{
    br_error err;
    br_snapshot *snapshot = br_snapshot_acquire(all->store);
    all->view = br_snapshot_find(snapshot, "t");
    all->request = request;
    for (int i = 0; i < repeat; i++) {
        atomic_store(&all->rows, 0);
        uint32_t tasks = (br_table_view_chunks(all->view) + 15) / 16;
        uint64_t start = br_clock_ns();
        must(br_task_pool_run(all->pool, 1, tasks, scan_one, all, &err), &err);
        double seconds = seconds_since(start);
        uint64_t total = br_table_view_rows(all->view), rows = atomic_load(&all->rows);
        printf("%-24s %6.2f ms  %8.1f M rows/s  %5.2f ns/row  passed %.3f %%\n", name,
               seconds * 1e3, (double)total / seconds / 1e6, seconds * 1e9 / (double)total,
               100.0 * (double)rows / (double)total);
    }
    br_snapshot_drop(snapshot);
}

static br_filter compare(br_compare op, br_value value)
{
    return (br_filter){.kind = BR_FILTER_COMPARE, .compare = op, .value = value};
}

static void bench_scans(bench *all)
{
    const br_scan_column columns[] = {{0, BR_INT}, {1, BR_REAL}, {2, BR_TEXT}, {3, BR_TEXT},
                                      {4, BR_INT}};
    br_scan_request count = {0};
    br_scan_request one = {.columns = columns, .column_count = 1};
    br_scan_request five = {.columns = columns, .column_count = 5};
    bench_scan(all, "scan 5 columns, cold", &five, 1);
    bench_scan(all, "scan no column", &count, 2);
    bench_scan(all, "scan 1 column", &one, 2);
    bench_scan(all, "scan 5 columns", &five, 2);
    br_scan_filter q6[] = {
        {.column = 4, .filter = compare(BR_LT, br_value_int(12))},
        {.column = 2, .filter = compare(BR_GE, br_value_text(br_text_make("1994-01-01", 10)))},
        {.column = 2, .filter = compare(BR_LT, br_value_text(br_text_make("1995-01-01", 10)))},
        {.column = 0, .filter = compare(BR_LT, br_value_int(24000))}};
    br_scan_request filtered = {.columns = columns, .column_count = 2, .filters = q6,
                                .filter_count = 4};
    bench_scan(all, "scan like TPC-H Q6", &filtered, 3);
    br_scan_filter point = {.column = 0, .filter = compare(BR_EQ, br_value_int(777))};
    br_scan_request points = {.columns = columns, .column_count = 5, .filters = &point,
                              .filter_count = 1};
    bench_scan(all, "scan where 1 of 100000", &points, 3);
    br_scan_filter word = {.column = 3, .filter = compare(BR_EQ, br_value_text(br_text_make("MAIL", 4)))};
    br_scan_request wordy = {.columns = columns, .column_count = 2, .filters = &word,
                             .filter_count = 1};
    bench_scan(all, "scan where 1 of 7", &wordy, 3);
}

static void bench_apply(bench *all, int rows, int repeat)
{
    br_error err;
    uint64_t state = 3, total = (uint64_t)all->chunks * BR_CHUNK_ROWS;
    uint64_t start = br_clock_ns();
    for (int i = 0; i < repeat; i++) {
        br_apply *apply;
        br_watermark watermark = {.seq = (uint64_t)i + 2};
        int64_t keys[1000];
        char text[32];
        must(br_apply_begin(all->store, &apply, &err), &err);
        for (int r = 0; r < rows; r++) keys[r] = (int64_t)(next_random(&state) % total) + 1;
        must(br_apply_delete_keys(apply, 1, keys, (size_t)rows, &err), &err);
        for (int r = 0; r < rows; r++) {
            br_value values[COLUMNS];
            for (uint32_t c = 0; c < COLUMNS; c++) values[c] = make_value(c, (uint64_t)r, text);
            must(br_apply_delete(apply, 1, keys[r], &err), &err);
            must(br_apply_append(apply, 1, keys[r], values, &err), &err);
        }
        must(br_apply_publish(apply, &watermark, &err), &err);
    }
    printf("apply of %4d updates    %6.2f us\n", rows, seconds_since(start) * 1e6 / repeat);
}

static void bench_snapshots(bench *all)
{
    uint64_t start = br_clock_ns();
    for (int i = 0; i < 1000000; i++) br_snapshot_drop(br_snapshot_acquire(all->store));
    printf("snapshot and drop        %6.2f ns\n", seconds_since(start) * 1e9 / 1e6);
}

int main(int argc, char **argv)
{
    bench all = {.chunks = 153};
    br_error err;
    br_quota quota;
    char made[] = "/tmp/braid-micro-XXXXXX";
    const char *folder = argc > 2 ? argv[2] : mkdtemp(made);
    if (argc > 1) all.chunks = (uint32_t)(strtoull(argv[1], NULL, 0) / BR_CHUNK_ROWS) + 1;
    br_quota_init(&quota, SIZE_MAX, NULL);
    must(br_task_pool_new(0, &all.pool, &err), &err);
    br_store_config config = {.folder = folder,
                              .kernels = br_format_kernels_for(br_cpu_isa_best()),
                              .pool = all.pool,
                              .quota = &quota,
                              .page_cache_bytes = (size_t)4 << 30};
    must(br_store_open(&config, &all.store, &err), &err);
    make_templates(&all);
    bench_load(&all);
    bench_scans(&all);
    bench_snapshots(&all);
    bench_apply(&all, 10, 2000);
    bench_apply(&all, 1000, 200);
    bench_scans(&all);
    uint64_t start = br_clock_ns();
    must(br_store_checkpoint(all.store, (const uint8_t[16]){1}, &err), &err);
    printf("checkpoint of updates    %6.2f ms\n", seconds_since(start) * 1e3);
    br_store_close(all.store);
    br_task_pool_free(all.pool);
    must(br_folder_remove(folder, &err), &err);
    return 0;
}
