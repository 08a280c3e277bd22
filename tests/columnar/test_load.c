// test_load.c - loads from many threads, and what they refuse.
// SPDX-License-Identifier: Apache-2.0
#include "tests/columnar/model.h"

enum { CHUNKS = 75, CHUNK_ROWS = 300 };  // more than two segments of 32 chunks

typedef struct loading {
    br_load *load;
    br_column *chunks[CHUNKS];
} loading;

static br_status add_one(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    loading *all = context;
    (void)worker;
    uint32_t order = index * 37 % CHUNKS;  // every order once, far apart
    return br_load_add_chunk(all->load, order, all->chunks[order], err);
}

static br_apply *begin(fixture *base, br_load **load_out)
{
    br_error err;
    br_apply *apply;
    br_table_spec spec = model_spec(1, "t");
    MUST(br_apply_begin(base->store, &apply, &err), err);
    if (br_store_find(base->store, 1) == NULL) MUST(br_apply_add_table(apply, &spec, &err), err);
    MUST(br_load_begin(apply, 1, load_out, &err), err);
    return apply;
}

static void test_load_takes_chunks_in_any_order_from_any_thread(void)
{
    fixture base;
    br_error err;
    loading all;
    br_watermark watermark = {.seq = 1};
    model table = model_new(1, CHUNKS * CHUNK_ROWS);
    fixture_init(&base);
    fixture_open(&base);
    for (uint32_t i = 0; i < CHUNKS; i++)
        all.chunks[i] = model_chunk_new(&table, (int64_t)i * CHUNK_ROWS, CHUNK_ROWS);
    br_apply *apply = begin(&base, &all.load);
    MUST(br_task_pool_run(base.pool, 0, CHUNKS, add_one, &all, &err), err);
    MUST(br_load_finish(all.load, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_store_check(base.store, &err), err);
    br_snapshot *snapshot = br_snapshot_acquire(base.store);
    const br_table_view *view = br_snapshot_find(snapshot, "t");
    CHECK_INT(br_table_view_segments(view), 3);
    CHECK_INT(br_table_view_chunks(view), CHUNKS);
    CHECK_INT(model_differences(&table, view, false), 0);
    br_snapshot_drop(snapshot);
    // Nothing is durable yet: the files go with the store.
    fixture_close(&base);
    fixture_open(&base);
    CHECK_INT(br_store_table_count(base.store), 0);
    fixture_release(&base);
    for (uint32_t i = 0; i < CHUNKS; i++) model_chunk_free(all.chunks[i]);
    model_free(&table);
}

// Adds chunks with the given first keys and orders; the status of the finish, or of the first
// chunk that is refused.
static br_status try_load(fixture *base, const int64_t *first_keys, const uint32_t *orders,
                          uint32_t count)
{
    br_error err;
    br_load *load;
    model scratch = model_new(1, 100000);
    br_apply *apply = begin(base, &load);
    br_status status = BR_OK;
    for (uint32_t i = 0; i < count && status == BR_OK; i++) {
        br_column *columns = model_chunk_new(&scratch, first_keys[i], 10);
        status = br_load_add_chunk(load, orders[i], columns, &err);
        model_chunk_free(columns);
    }
    br_status finished = br_load_finish(load, &err);
    CHECK(status == BR_OK || finished == BR_MISUSE);
    br_apply_abandon(apply);
    model_free(&scratch);
    return status == BR_OK ? finished : status;
}

static void test_load_refuses_disorder(void)
{
    fixture base;
    fixture_init(&base);
    fixture_open(&base);
    const int64_t up[] = {0, 10, 20}, down[] = {20, 10, 0}, overlap[] = {0, 9, 50};
    const uint32_t in_order[] = {0, 1, 2}, twice[] = {0, 1, 1}, gap[] = {0, 1, 3};
    const uint32_t far[] = {0, 1, 40}, reversed[] = {2, 1, 0}, wild[] = {0, 1, UINT32_MAX};
    CHECK_INT(try_load(&base, up, in_order, 0), BR_OK);
    CHECK_INT(try_load(&base, up, in_order, 3), BR_OK);
    CHECK_INT(try_load(&base, down, reversed, 3), BR_OK);
    CHECK_INT(try_load(&base, down, in_order, 3), BR_MISUSE);
    CHECK_INT(try_load(&base, overlap, in_order, 3), BR_MISUSE);
    CHECK_INT(try_load(&base, up, twice, 3), BR_MISUSE);
    CHECK_INT(try_load(&base, up, gap, 3), BR_MISUSE);
    CHECK_INT(try_load(&base, up, far, 3), BR_MISUSE);
    CHECK_INT(try_load(&base, up, wild, 3), BR_MISUSE);
    int64_t first_keys[34];
    uint32_t orders[34];
    for (uint32_t i = 0; i < 34; i++) first_keys[i] = (orders[i] = i) * 10;
    CHECK_INT(try_load(&base, first_keys, orders, 34), BR_OK);
    first_keys[33] = (orders[33] = 7) * 10;  // its segment is written already
    CHECK_INT(try_load(&base, first_keys, orders, 34), BR_MISUSE);
    fixture_release(&base);
}

static void test_load_refuses_bad_chunks(void)
{
    fixture base;
    br_error err;
    br_load *load;
    model scratch = model_new(1, 1000);
    fixture_init(&base);
    fixture_open(&base);
    br_apply *apply = begin(&base, &load);
    br_column *columns = model_chunk_new(&scratch, 0, 10);
    columns[2].row_count = 9;
    CHECK_INT(br_load_add_chunk(load, 0, columns, &err), BR_MISUSE);
    columns[2].row_count = 10;
    columns[MODEL_COLUMNS].payloads[4] = 3;
    CHECK_INT(br_load_add_chunk(load, 0, columns, &err), BR_MISUSE);
    columns[MODEL_COLUMNS].payloads[4] = 4;
    columns[MODEL_COLUMNS].classes[9] = BR_REAL;
    CHECK_INT(br_load_add_chunk(load, 0, columns, &err), BR_MISUSE);
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) columns[c].row_count = 0;
    CHECK_INT(br_load_add_chunk(load, 0, columns, &err), BR_MISUSE);
    br_load_abandon(load);
    br_apply_abandon(apply);
    model_chunk_free(columns);
    model_free(&scratch);
    fixture_release(&base);
}

static void test_load_and_apply_end_in_any_order(void)
{
    fixture base;
    br_error err;
    br_load *load;
    br_watermark watermark = {.seq = 1};
    model table = model_new(1, 1000);
    fixture_init(&base);
    fixture_open(&base);
    br_apply *apply = begin(&base, &load);
    CHECK_INT(br_apply_publish(apply, &watermark, &err), BR_MISUSE);
    CHECK_INT(br_load_finish(load, &err), BR_MISUSE);
    apply = begin(&base, &load);
    br_apply_abandon(apply);
    br_load_abandon(load);

    // A table must be empty for a load, and stay so during it.
    model_create(base.store, &table, "t", 20);
    MUST(br_apply_begin(base.store, &apply, &err), err);
    CHECK_INT(br_load_begin(apply, 1, &load, &err), BR_MISUSE);
    MUST(br_apply_truncate(apply, 1, &err), err);
    MUST(br_load_begin(apply, 1, &load, &err), err);
    MUST(model_append(apply, &table, 5, 5, &err), err);
    CHECK_INT(br_load_finish(load, &err), BR_MISUSE);
    br_apply_abandon(apply);
    MUST(br_store_check(base.store, &err), err);
    model_free(&table);
    fixture_release(&base);
}

static void test_load_replaces_a_truncated_table(void)
{
    fixture base;
    br_error err;
    br_load *load;
    br_apply *apply;
    br_watermark watermark = {.seq = 2};
    model table = model_new(1, 3000);
    fixture_init(&base);
    fixture_open(&base);
    model_create(base.store, &table, "t", 2000);
    br_snapshot *before = br_snapshot_acquire(base.store);
    model old = model_copy(&table);
    MUST(br_apply_begin(base.store, &apply, &err), err);
    MUST(br_apply_delete_above(apply, 1, -5, &err), err);
    memset(table.seeds, 0, 3000 * sizeof(uint32_t));
    MUST(br_load_begin(apply, 1, &load, &err), err);
    br_column *columns = model_chunk_new(&table, 1000, 1500);
    MUST(br_load_add_chunk(load, 0, columns, &err), err);
    model_chunk_free(columns);
    MUST(br_load_finish(load, &err), err);
    MUST(model_append(apply, &table, 5, 99, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_store_checkpoint(base.store, (const uint8_t[16]){0}, &err), err);
    CHECK_INT(model_differences(&old, br_snapshot_find(before, "t"), false), 0);
    br_snapshot_drop(before);
    fixture_close(&base);
    fixture_open(&base);
    br_snapshot *after = br_snapshot_acquire(base.store);
    CHECK_INT(model_differences(&table, br_snapshot_find(after, "t"), false), 0);
    br_snapshot_drop(after);
    model_free(&table);
    model_free(&old);
    fixture_release(&base);
}

int main(void)
{
    RUN(test_load_refuses_disorder);
    RUN(test_load_refuses_bad_chunks);
    RUN(test_load_and_apply_end_in_any_order);
    RUN(test_load_replaces_a_truncated_table);
    RUN(test_load_takes_chunks_in_any_order_from_any_thread);
    return test_result();
}
