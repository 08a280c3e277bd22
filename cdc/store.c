// store.c - the columnar folder: who maintains it, opening it, giving it up.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "cdc/state.h"

br_status br_cdc_try_lock(br_cdc *cdc, br_error *err)
{
    if (cdc->lock_file != NULL || cdc->writer == NULL || cdc->config.store.read_only) return BR_OK;
    const br_file_hook *hook = cdc->config.store.hook;
    br_file *file = NULL;
    bool is_locked = false;
    BR_TRY(br_folder_make(cdc->folder, hook, err));
    BR_TRY(br_file_open(cdc->lock_path, BR_FILE_READ_WRITE, hook, &file, err));
    br_status status = br_file_try_lock(file, &is_locked, err);
    if (status != BR_OK || !is_locked) {
        br_file_close(file);
        return status;
    }
    cdc->lock_file = file;
    return BR_OK;
}

static void give_up_lock(br_cdc *cdc)
{
    br_file_close(cdc->lock_file);
    cdc->lock_file = NULL;
}

// Everything but the lock, which we hold.
static br_status clear_entry(void *context, const char *name, br_error *err)
{
    const br_cdc *cdc = context;
    if (strcmp(name, "lock") == 0) return BR_OK;
    br_arena *arena = br_arena_new(NULL);
    char *path = arena == NULL ? NULL : br_arena_format(arena, "%s/%s", cdc->folder, name);
    br_status status = path == NULL ? br_fail(err, BR_NOMEM, "no memory to clear '%s'", cdc->folder)
                                    : br_file_remove(path, cdc->config.store.hook, err);
    br_arena_free(arena);
    return status;
}

static br_status open_as(br_cdc *cdc, const char *folder, bool read_only, br_store **store_out,
                         br_error *err)
{
    br_store_config config = cdc->config.store;
    config.folder = folder;
    config.read_only = read_only;
    return br_store_open(&config, store_out, err);
}

static br_status open_to_maintain(br_cdc *cdc, br_store **store_out, br_error *err)
{
    br_status status = open_as(cdc, cdc->folder, false, store_out, err);
    if (status != BR_CORRUPT && status != BR_NOT_DATABASE) return status;
    // Damaged: SQLite's file has everything, so begin again.
    BR_TRY(br_folder_list(cdc->folder, clear_entry, cdc, err));
    return open_as(cdc, cdc->folder, false, store_out, err);
}

br_status br_cdc_open_store(br_cdc *cdc, br_error *err)
{
    br_store *store = NULL;
    br_status status = BR_OK;
    if (br_cdc_is_maintainer(cdc)) {
        status = open_to_maintain(cdc, &store, err);
        // A folder that cannot be written (a full disk, say) leaves a copy in memory.
        if (status != BR_OK && status != BR_NOMEM) give_up_lock(cdc);
    }
    if (!br_cdc_is_maintainer(cdc)) {
        status = open_as(cdc, cdc->folder, true, &store, err);
        if (status != BR_OK && status != BR_NOMEM)
            status = open_as(cdc, cdc->no_folder, true, &store, err);
    }
    if (status != BR_OK) return status;
    br_store *before = cdc->next_store;
    cdc->next_store = store;
    if (before != NULL && before != cdc->store) br_store_close(before);
    br_watermark watermark = br_store_watermark(store);
    memcpy(cdc->lineage, watermark.lineage, sizeof cdc->lineage);
    memcpy(cdc->checkpoint_id, watermark.checkpoint_id, sizeof cdc->checkpoint_id);
    cdc->last_seq = 0;
    cdc->must_reload_all = false;
    cdc->is_set_valid = false;
    cdc->own_moves = 0;
    cdc->checkpointed_version = 0;
    cdc->checkpointed_seq = watermark.seq;
    cdc->checkpointed_ns = br_clock_ns();
    cdc->has_reopened = true;
    return BR_OK;
}

// Publishes an empty version, so that memory and files go with the last reader.
static void empty_store(br_store *store)
{
    br_apply *apply = NULL;
    br_watermark watermark = br_store_watermark(store);
    br_status status = br_apply_begin(store, &apply, NULL);
    while (status == BR_OK && br_store_table_count(store) > 0) {
        const br_table_spec *spec = br_table_get_spec(br_store_table_at(store, 0));
        status = br_apply_drop_table(apply, spec->table_id, NULL);
    }
    if (status == BR_OK)
        status = br_apply_publish(apply, &watermark, NULL);
    else
        br_apply_abandon(apply);
    (void)status;  // it only keeps memory for longer
}

// Closes the stores whose last reader has gone.
static void close_deserted(br_cdc *cdc)
{
    for (br_retired **link = &cdc->retired; *link != NULL;) {
        br_retired *retired = *link;
        if (!br_store_is_deserted(retired->store)) {
            link = &retired->next;
            continue;
        }
        *link = retired->next;
        br_store_close(retired->store);
        br_heap_free(retired);
    }
}

void br_cdc_retire(br_cdc *cdc, br_store *store)
{
    close_deserted(cdc);
    br_retired *retired = br_heap_zalloc(sizeof *retired);
    empty_store(store);
    // Without memory for the note the store is never closed, which readers do not notice.
    if (retired == NULL) return;
    retired->store = store;
    retired->next = cdc->retired;
    cdc->retired = retired;
}
