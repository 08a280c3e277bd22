// test_columnar.c - the n-th allocation fails while a store is opened, changed, scanned, compacted.
//
// Each step either succeeds or fails with BR_NOMEM and changes nothing; without failures it then
// succeeds, and the store holds what the model says.
// SPDX-License-Identifier: Apache-2.0
#include "tests/columnar/model.h"
#include "tests/fault/support_allocation.h"

enum { KEYS = 900, LOADED = 300 };

typedef struct world {
    fixture base;
    uint32_t seeds[KEYS], seeds_before[KEYS];  // no allocation of our own while some fail
    model rows;
    br_column *columns;  // of the load
} world;

static br_status change_rows(world *all, int64_t salt, br_error *err)
{
    br_apply *apply;
    br_watermark watermark = {.seq = (uint64_t)salt};
    int64_t keys[KEYS];
    size_t count = 0;
    memcpy(all->seeds_before, all->seeds, sizeof all->seeds);
    BR_TRY(br_apply_begin(all->base.store, &apply, err));
    br_status status = br_apply_delete_above(apply, 1, KEYS - 50, err);
    for (int64_t key = KEYS - 49; key < KEYS; key++) all->seeds[key] = 0;
    for (int64_t key = KEYS - 1 - salt; key > 0; key -= 17) keys[count++] = key;
    if (status == BR_OK) status = br_apply_delete_keys(apply, 1, keys, count, err);
    for (size_t i = 0; i < count && status == BR_OK; i++) {
        all->seeds[keys[i]] = 0;
        if (i % 3 != 0)
            status = model_append(apply, &all->rows, keys[i], (uint32_t)(keys[i] * 9 + salt), err);
    }
    if (status == BR_OK) status = br_apply_publish(apply, &watermark, err);
    else br_apply_abandon(apply);
    if (status != BR_OK) memcpy(all->seeds, all->seeds_before, sizeof all->seeds);
    return status;
}

static br_status load_and_drop(world *all, br_error *err)
{
    br_apply *apply;
    br_load *load;
    br_table_spec spec = model_spec(2, "loaded");
    BR_TRY(br_apply_begin(all->base.store, &apply, err));
    br_status status = br_apply_add_table(apply, &spec, err);
    if (status == BR_OK) status = br_load_begin(apply, 2, &load, err);
    if (status == BR_OK) {
        status = br_load_add_chunk(load, 0, all->columns, err);
        if (status == BR_OK) status = br_load_finish(load, err);
        else br_load_abandon(load);
    }
    if (status == BR_OK) status = br_apply_drop_table(apply, 1, err);
    br_apply_abandon(apply);
    return status;
}

// DROP COLUMN of the last one, which holds NULLs only, and ADD COLUMN of one like it.
static br_status alter(world *all, br_error *err)
{
    br_apply *apply;
    br_watermark watermark = {.seq = 9};
    br_table_spec spec = model_spec(1, "rows");
    const uint32_t from[MODEL_COLUMNS] = {0, 1, 2, 3, 4, 5, 6, BR_COLUMN_ABSENT};
    const br_value values[MODEL_COLUMNS] = {{0}};
    br_reshape reshape = {MODEL_COLUMNS, from, values};
    BR_TRY(br_apply_begin(all->base.store, &apply, err));
    br_status status = br_apply_reshape(apply, &spec, &reshape, err);
    if (status == BR_OK) return br_apply_publish(apply, &watermark, err);
    br_apply_abandon(apply);
    return status;
}

static br_status scan_rows(world *all, br_error *err)
{
    br_snapshot *snapshot = br_snapshot_acquire(all->base.store);
    const br_table_view *view = br_snapshot_find(snapshot, "rows");
    br_scan_column columns[MODEL_COLUMNS];
    for (uint32_t c = 0; c < MODEL_COLUMNS; c++)
        columns[c] = (br_scan_column){.column = c, .class_ = BR_ANY};
    br_scan_filter filter = {
        .column = 5,
        .filter = {.kind = BR_FILTER_COMPARE,
                   .compare = BR_GT,
                   .value = br_value_text(br_text_make("text 3", 6))}};
    br_scan_request request = {.columns = columns,
                               .column_count = MODEL_COLUMNS,
                               .filters = &filter,
                               .filter_count = 1};
    br_scan *scan = NULL;
    br_status status = br_scan_open(view, &request, 0, NULL, &scan, err);
    for (uint32_t chunk = 0; status == BR_OK && chunk < br_table_view_chunks(view); chunk++) {
        br_batch batch = {.row_count = 1};
        status = br_scan_seek(scan, chunk, err);
        while (status == BR_OK && batch.row_count > 0) status = br_scan_next(scan, &batch, err);
    }
    br_scan_close(scan);
    if (status == BR_OK) status = br_table_view_verify(view, err);
    br_snapshot_drop(snapshot);
    return status;
}

static br_status tell(world *all, br_error *err)
{
    bool did_work;
    for (int64_t salt = 1; salt <= 5; salt++) {
        BR_TRY(change_rows(all, salt, err));
        BR_TRY(br_store_checkpoint(all->base.store, (const uint8_t[16]){1}, err));
    }
    BR_TRY(load_and_drop(all, err));
    BR_TRY(change_rows(all, 8, err));
    BR_TRY(alter(all, err));
    BR_TRY(scan_rows(all, err));
    BR_TRY(br_store_checkpoint(all->base.store, (const uint8_t[16]){1}, err));
    return br_store_compact(all->base.store, &did_work, err);
}

static void world_check(world *all)
{
    br_error err;
    MUST(br_store_check(all->base.store, &err), err);
    br_snapshot *snapshot = br_snapshot_acquire(all->base.store);
    CHECK_INT(br_snapshot_table_count(snapshot), 1);
    CHECK_INT(model_differences(&all->rows, br_snapshot_find(snapshot, "rows"), true), 0);
    br_snapshot_drop(snapshot);
}

static void world_begin(world *all)
{
    br_error err;
    model loaded = model_new(2, LOADED);
    all->rows = (model){.table_id = 1, .key_count = KEYS, .seeds = all->seeds};
    fixture_init(&all->base);
    all->base.config.page_cache_bytes = 0;
    all->columns = model_chunk_new(&loaded, 0, LOADED);
    model_free(&loaded);
    fixture_open(&all->base);
    model_create(all->base.store, &all->rows, "rows", KEYS / 2);
    MUST(br_store_checkpoint(all->base.store, (const uint8_t[16]){1}, &err), err);
}

static void world_end(world *all)
{
    model_chunk_free(all->columns);
    fixture_release(&all->base);
}

static void fail_each(fail_mode mode)
{
    br_error err;
    bool failed = true;
    for (uint64_t n = 1; failed; n += n < 100 ? 1 : n / 25) {
        world all = {0};
        world_begin(&all);
        fail_allocation(n, mode);
        br_status status = tell(&all, &err);
        failed = allocation_has_failed();
        fail_no_allocation();
        CHECK(status == BR_OK || status == BR_NOMEM);
        world_check(&all);
        MUST(tell(&all, &err), err);
        world_check(&all);
        world_end(&all);
    }
}

static void test_columnar_survives_one_failed_allocation(void) { fail_each(FAIL_ONCE); }

static void test_columnar_survives_the_end_of_memory(void) { fail_each(FAIL_FROM_THERE_ON); }

static void test_columnar_opens_or_says_why_not(void)
{
    br_error err;
    bool failed = true;
    world all = {0};
    world_begin(&all);
    MUST(tell(&all, &err), err);
    MUST(br_store_checkpoint(all.base.store, (const uint8_t[16]){1}, &err), err);
    fixture_close(&all.base);
    for (uint64_t n = 1; failed; n++) {
        br_store *store = NULL;
        fail_allocation(n, FAIL_ONCE);
        br_status status = br_store_open(&all.base.config, &store, &err);
        failed = allocation_has_failed();
        fail_no_allocation();
        CHECK(status == BR_OK || status == BR_NOMEM);
        br_store_close(store);
        CHECK_INT(all.base.quota.used_bytes, 0);
    }
    fixture_open(&all.base);
    world_check(&all);
    world_end(&all);
}

int main(void)
{
    RUN(test_columnar_survives_one_failed_allocation);
    RUN(test_columnar_survives_the_end_of_memory);
    RUN(test_columnar_opens_or_says_why_not);
    return test_result();
}
