// test_fault.c - the n-th file operation fails, for every n; memory runs out at every size.
//
// The same story is told again and again, and each time another operation fails. After the failure
// what is published must still be there, the store must go on working, and a reopen must give what
// the last successful checkpoint made durable.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "tests/columnar/model.h"

enum { KEYS = 1600, LOAD_ID = 2 };

typedef struct saboteur {
    int64_t left;  // operations until the one that fails; negative: none does
    int code;
    uint64_t failed;
} saboteur;

static int sabotage(void *context, const char *operation, const char *path)
{
    saboteur *spy = context;
    (void)operation;
    (void)path;
    if (spy->left < 0 || spy->left-- > 0) return 0;
    spy->failed++;
    return spy->code;
}

typedef struct story {
    fixture base;
    br_file_hook hook;
    saboteur spy;
    model rows, rows_durable;
    model loaded, loaded_durable;  // all zero: no such table
    bool has_loaded, has_loaded_durable;
} story;

static void save_durable(story *all)
{
    model_free(&all->rows_durable);
    model_free(&all->loaded_durable);
    all->rows_durable = model_copy(&all->rows);
    all->loaded_durable = model_copy(&all->loaded);
    all->has_loaded_durable = all->has_loaded;
}

static void check_state(story *all, const model *rows, const model *loaded, bool has_loaded)
{
    br_error err;
    br_snapshot *snapshot = br_snapshot_acquire(all->base.store);
    const br_table_view *view = br_snapshot_find(snapshot, "rows");
    MUST(br_store_check(all->base.store, &err), err);
    CHECK(view != NULL);
    if (view != NULL) CHECK_INT(model_differences(rows, view, true), 0);
    view = br_snapshot_find(snapshot, "loaded");
    CHECK_INT(view != NULL, has_loaded);
    if (view != NULL) CHECK_INT(model_differences(loaded, view, true), 0);
    br_snapshot_drop(snapshot);
}

// Updates, deletes and inserts; the model follows only when all is published.
static br_status change_rows(story *all, uint32_t salt, br_error *err)
{
    br_apply *apply;
    br_watermark watermark = {.seq = salt};
    model after = model_copy(&all->rows);
    BR_TRY(br_apply_begin(all->base.store, &apply, err));
    br_status status = BR_OK;
    for (int64_t key = salt; key < KEYS && status == BR_OK; key += 37) {
        status = br_apply_delete(apply, 1, key, err);
        after.seeds[key] = 0;
        if (status == BR_OK && key % 3 != 0)
            status = model_append(apply, &after, key, (uint32_t)key * 5 + salt, err);
    }
    if (status == BR_OK) {
        status = br_apply_publish(apply, &watermark, err);
    } else {
        br_apply_abandon(apply);
    }
    model *keep = status == BR_OK ? &after : &all->rows;
    model *lose = status == BR_OK ? &all->rows : &after;
    model_free(lose);
    all->rows = *keep;
    return status;
}

static br_status load_rows(br_apply *apply, model *table, br_error *err)
{
    br_load *load;
    br_table_spec spec = model_spec(LOAD_ID, "loaded");
    BR_TRY(br_apply_add_table(apply, &spec, err));
    BR_TRY(br_load_begin(apply, LOAD_ID, &load, err));
    br_status status = BR_OK;
    for (uint32_t chunk = 0; chunk < 3 && status == BR_OK; chunk++) {
        br_column *columns = model_chunk_new(table, chunk * 500, 500);
        status = br_load_add_chunk(load, chunk, columns, err);
        model_chunk_free(columns);
    }
    if (status == BR_OK) return br_load_finish(load, err);
    br_load_abandon(load);
    return status;
}

static br_status add_loaded(story *all, br_error *err)
{
    br_apply *apply;
    br_watermark watermark = {.seq = 50};
    BR_TRY(br_apply_begin(all->base.store, &apply, err));
    br_status status = load_rows(apply, &all->loaded, err);
    if (status == BR_OK) status = br_apply_publish(apply, &watermark, err);
    else br_apply_abandon(apply);
    all->has_loaded = status == BR_OK;
    if (status != BR_OK) memset(all->loaded.seeds, 0, KEYS * sizeof(uint32_t));
    return status;
}

static br_status checkpoint(story *all, br_error *err)
{
    BR_TRY(br_store_checkpoint(all->base.store, (const uint8_t[16]){1}, err));
    save_durable(all);
    return BR_OK;
}

// Everything that touches files, small segments enough to be merged, deletions among them.
static br_status tell(story *all, br_error *err)
{
    bool did_work;
    for (uint32_t salt = 1; salt <= 4; salt++) {
        BR_TRY(change_rows(all, salt * 7, err));
        BR_TRY(checkpoint(all, err));
    }
    BR_TRY(add_loaded(all, err));
    BR_TRY(change_rows(all, 3, err));
    BR_TRY(br_store_compact(all->base.store, &did_work, err));
    CHECK(did_work);
    BR_TRY(change_rows(all, 5, err));
    return checkpoint(all, err);
}

static void story_begin(story *all)
{
    *all = (story){.spy = {.left = -1, .code = EIO}};
    all->rows = model_new(1, KEYS);
    all->loaded = model_new(LOAD_ID, KEYS);
    fixture_init(&all->base);
    all->hook = (br_file_hook){.before = sabotage, .context = &all->spy};
    all->base.config.hook = &all->hook;
    all->base.config.page_cache_bytes = 0;
    fixture_open(&all->base);
    model_create(all->base.store, &all->rows, "rows", KEYS / 2);
    br_error err;
    MUST(checkpoint(all, &err), err);
}

static void story_end(story *all)
{
    fixture_release(&all->base);
    model_free(&all->rows);
    model_free(&all->rows_durable);
    model_free(&all->loaded);
    model_free(&all->loaded_durable);
}

static void test_fault_any_file_operation_may_fail(void)
{
    br_error err;
    bool failed = true;
    // Later operations are of the same kinds as the first; a few of them will do.
    for (int n = 0; failed; n += n < 120 ? 1 : 5) {
        story all;
        story_begin(&all);
        all.spy.left = n;
        all.spy.code = n % 2 == 0 ? EIO : ENOSPC;
        br_status status = tell(&all, &err);
        failed = all.spy.failed > 0;
        all.spy.left = -1;
        // Removing a file is the one thing that may fail unnoticed.
        if (status != BR_OK) CHECK(status == BR_IO || status == BR_FULL);
        if (status != BR_OK) CHECK(err.message[0] != 0);
        check_state(&all, &all.rows, &all.loaded, all.has_loaded);
        if (n % 3 == 0) {  // goes on as if nothing had happened
            MUST(change_rows(&all, 11, &err), err);
            MUST(checkpoint(&all, &err), err);
            check_state(&all, &all.rows, &all.loaded, all.has_loaded);
        }
        fixture_close(&all.base);
        fixture_open(&all.base);
        check_state(&all, &all.rows_durable, &all.loaded_durable, all.has_loaded_durable);
        story_end(&all);
        if (!failed) CHECK(n > 40);
    }
}

static void test_fault_opening_may_fail(void)
{
    br_error err;
    story all;
    story_begin(&all);
    MUST(tell(&all, &err), err);
    fixture_close(&all.base);
    bool failed = true;
    for (int n = 0; failed; n++) {
        all.spy = (saboteur){.left = n, .code = EIO};
        br_store *store = NULL;
        br_status status = br_store_open(&all.base.config, &store, &err);
        failed = all.spy.failed > 0;
        CHECK_INT(status, failed ? BR_IO : BR_OK);
        br_store_close(store);
        CHECK_INT(all.base.quota.used_bytes, 0);
        if (!failed) CHECK(n > 3);
    }
    all.spy.left = -1;
    fixture_open(&all.base);
    check_state(&all, &all.rows, &all.loaded, true);
    story_end(&all);
}

static void test_fault_memory_may_run_out(void)
{
    br_error err;
    uint32_t failures = 0;
    for (size_t spare = 0; spare < 3000000; spare = spare * 5 / 4 + 3000) {
        story all;
        story_begin(&all);
        all.base.quota.limit_bytes = all.base.quota.used_bytes + spare;
        br_status status = tell(&all, &err);
        CHECK(status == BR_OK || status == BR_NOMEM);
        failures += status == BR_NOMEM;
        all.base.quota.limit_bytes = SIZE_MAX;
        check_state(&all, &all.rows, &all.loaded, all.has_loaded);
        MUST(change_rows(&all, 11, &err), err);
        MUST(checkpoint(&all, &err), err);
        fixture_close(&all.base);
        fixture_open(&all.base);
        check_state(&all, &all.rows_durable, &all.loaded_durable, all.has_loaded_durable);
        story_end(&all);
        if (status == BR_OK) break;
    }
    CHECK(failures > 5);
}

int main(void)
{
    RUN(test_fault_any_file_operation_may_fail);
    RUN(test_fault_opening_may_fail);
    RUN(test_fault_memory_may_run_out);
    return test_result();
}
