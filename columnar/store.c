// store.c - opening and closing the folder; publishing and taking snapshots.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

enum { OPEN_ATTEMPTS = 5 };  // of a reader whom the maintainer takes files away under

// ---- snapshots -------------------------------------------------------------------------------

void br_store_install(br_store *store, br_snapshot *snapshot)
{
    br_assert(snapshot->table_count == store->table_count);
    for (uint32_t i = 0; i < store->table_count; i++) {
        br_assert(store->tables[i]->table_id == snapshot->tables[i]->spec.table_id);
        store->tables[i]->published = snapshot->tables[i];
    }
    snapshot->version = ++store->version;
    br_lock_take(&store->lock);
    br_snapshot *before = store->current;
    store->current = snapshot;
    br_lock_give(&store->lock);
    br_snapshot_drop(before);
}

br_snapshot *br_snapshot_acquire(br_store *store)
{
    br_lock_take(&store->lock);
    br_snapshot *snapshot = br_snapshot_share(store->current);
    br_lock_give(&store->lock);
    return snapshot;
}

br_watermark br_store_watermark(const br_store *store) { return store->current->watermark; }

br_segment_source br_store_new_segment(br_store *store)
{
    return (br_segment_source){
        .folder = store->folder,
        // Relaxed: a counter, orders nothing.
        .segment_id = atomic_fetch_add_explicit(&store->next_segment_id, 1, memory_order_relaxed),
        .cache = &store->cache,
        .hook = store->config.hook,
        .keep_file = store->config.read_only,
    };
}

static void mark_all(const br_snapshot *snapshot, bool is_named)
{
    for (uint32_t t = 0; snapshot != NULL && t < snapshot->table_count; t++) {
        const br_version *version = snapshot->tables[t];
        for (uint32_t i = 0; i < version->segment_count; i++) {
            br_segment *file = br_segment_of_file(version->segments[i].segment);
            // Release pairs with the acquire of br_segment_drop.
            atomic_store_explicit(&file->is_named, is_named, memory_order_release);
        }
    }
}

void br_store_mark_named(const br_snapshot *before, const br_snapshot *after)
{
    // Both snapshots are held by the caller, so no segment goes between the two steps.
    mark_all(before, false);
    mark_all(after, true);
}

// ---- opening ---------------------------------------------------------------------------------

// The segments of the catalog, opened by all threads.
typedef struct opening {
    br_store *store;
    const br_catalog_state *state;
    br_segment **segments;  // as in the state
} opening;

// Shows a segment through the layout that the catalog has for it.
static br_status show_reshaped(const opening *at, uint32_t index, br_error *err)
{
    const br_catalog_segment *named = &at->state->segments[index];
    br_segment *file = at->segments[index];
    br_segment_layout *layout = NULL;
    if (named->layout == NULL) return BR_OK;
    BR_TRY(br_segment_layout_load(named->layout, named->layout_bytes, file->column_count - 1,
                                  &layout, err));
    if (layout == NULL)
        return br_fail(err, BR_CORRUPT, "%s: %u bytes that are no layout of segment %" PRIu64,
                       br_catalog_path(at->store->catalog), named->layout_bytes, file->segment_id);
    BR_TRY(br_segment_new_reshaped(file, layout, &at->segments[index], err));
    br_segment_drop(file);  // held by the other now
    return BR_OK;
}

static br_status open_one(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    const opening *at = context;
    br_store *store = at->store;
    (void)worker;
    br_segment_source source = {.folder = store->folder,
                                .segment_id = at->state->segments[index].segment_id,
                                .cache = &store->cache,
                                .hook = store->config.hook,
                                .keep_file = store->config.read_only};
    br_status status = br_segment_open(&source, true, &at->segments[index], err);
    if (status == BR_OK) return show_reshaped(at, index, err);
    if (status != BR_IO) return status;
    char *path = br_segment_path(store->folder, source.segment_id);
    if (path != NULL && !br_file_exists(path))
        status = br_fail(err, BR_CORRUPT, "%s: the catalog names it, but there is no such file",
                         path);
    br_heap_free(path);
    return status;
}

// First mask of a segment; masks are sorted.
static uint32_t first_mask(const br_catalog_state *state, uint64_t segment_id)
{
    uint32_t low = 0, high = state->mask_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (state->masks[middle].segment_id < segment_id) low = middle + 1;
        else high = middle;
    }
    return low;
}

static br_status load_masks(const opening *at, br_version_segment *item, uint32_t *taken,
                            br_error *err)
{
    const br_catalog_state *state = at->state;
    const br_segment *segment = item->segment;
    uint64_t segment_id = segment->segment_id;
    for (uint32_t i = first_mask(state, segment_id);
         i < state->mask_count && state->masks[i].segment_id == segment_id; i++) {
        const br_catalog_mask *mask = &state->masks[i];
        bool is_valid = false;
        if (mask->chunk < segment->chunk_count) {
            br_mask_stored stored = {.bytes = mask->bytes,
                                     .size_bytes = mask->size_bytes,
                                     .dead_count = mask->dead_count,
                                     .row_count = br_segment_chunk_rows(segment, mask->chunk)};
            BR_TRY(br_mask_set_load(&item->masks, segment->chunk_count, mask->chunk, stored,
                                    at->store->config.quota, &is_valid, err));
        }
        if (!is_valid)
            return br_fail(err, BR_CORRUPT,
                           "%s: mask of segment %" PRIu64 " chunk %u: %u dead rows in %u bytes",
                           br_catalog_path(at->store->catalog), segment_id, mask->chunk,
                           mask->dead_count, mask->size_bytes);
        ++*taken;
    }
    return BR_OK;
}

// The version of a table whose segments are segments[first..end) of the state.
static br_status build_version(const opening *at, const br_table_spec *spec, uint32_t first,
                               uint32_t end, br_version **version_out, br_error *err)
{
    br_version_segment *items = br_heap_array(end - first, sizeof *items);
    if (items == NULL) return br_fail(err, BR_NOMEM, "no memory for table '%s'", spec->name);
    br_version *version = NULL;
    uint32_t masks_taken = 0;
    br_status status = br_version_new(spec, &version, err);
    for (uint32_t i = first; i < end && status == BR_OK; i++) {
        const br_segment *segment = at->segments[i];
        items[i - first].segment = at->segments[i];
        if (segment->column_count != spec->column_count + 1)
            status = br_fail(err, BR_CORRUPT, "%s: %u columns, want %u", segment->path,
                             segment->column_count, spec->column_count + 1);
        else status = load_masks(at, &items[i - first], &masks_taken, err);
    }
    if (status == BR_OK) status = br_version_set_segments(version, items, end - first, err);
    if (status == BR_OK) status = br_version_seal(version, err);
    for (uint32_t i = first; i < end; i++) br_mask_set_drop(items[i - first].masks);
    br_heap_free(items);
    if (status != BR_OK) {
        br_version_drop(version);
        return status;
    }
    *version_out = version;
    return BR_OK;
}

static br_status add_table(br_store *store, uint32_t table_id, br_error *err)
{
    br_table *table = br_heap_zalloc(sizeof *table);
    if (table == NULL || !br_heap_grow((void **)&store->tables, sizeof *store->tables,
                                       store->table_count, &store->table_capacity)) {
        br_heap_free(table);
        return br_fail(err, BR_NOMEM, "no memory for %u tables", store->table_count + 1);
    }
    table->table_id = table_id;
    store->tables[store->table_count++] = table;
    return BR_OK;
}

// Builds and installs the snapshot that the catalog describes.
static br_status build_snapshot(const opening *at, br_error *err)
{
    br_store *store = at->store;
    const br_catalog_state *state = at->state;
    br_version **versions = br_heap_array(state->table_count, sizeof *versions);
    if (versions == NULL) return br_fail(err, BR_NOMEM, "no memory for the tables");
    br_status status = BR_OK;
    uint32_t first = 0;
    for (uint32_t t = 0; t < state->table_count && status == BR_OK; t++) {
        uint32_t table_id = state->tables[t].table_id, end = first;
        while (end < state->segment_count && state->segments[end].table_id == table_id) end++;
        status = build_version(at, &state->tables[t], first, end, &versions[t], err);
        if (status == BR_OK) status = add_table(store, table_id, err);
        first = end;
    }
    br_snapshot *snapshot = NULL;
    if (status == BR_OK)
        status = br_snapshot_new(versions, state->table_count, NULL, &snapshot, err);
    for (uint32_t t = 0; t < state->table_count; t++) br_version_drop(versions[t]);
    br_heap_free(versions);
    if (status != BR_OK) return status;
    snapshot->watermark = state->watermark;
    br_store_install(store, snapshot);
    store->durable = br_snapshot_share(snapshot);
    return BR_OK;
}

static br_status load_state(br_store *store, const br_catalog_state *state, br_error *err)
{
    opening at = {.store = store, .state = state};
    uint64_t next_segment_id = state->next_segment_id;
    at.segments = br_heap_array(state->segment_count, sizeof *at.segments);
    if (at.segments == NULL)
        return br_fail(err, BR_NOMEM, "no memory for %u segments", state->segment_count);
    br_status status = BR_OK;
    for (uint32_t i = 0; i < state->segment_count; i++) {
        if (state->segments[i].segment_id >= next_segment_id && status == BR_OK)
            status = br_fail(err, BR_CORRUPT, "%s: segment %" PRIu64 ", want less than %" PRIu64,
                             br_catalog_path(store->catalog), state->segments[i].segment_id,
                             next_segment_id);
    }
    atomic_store_explicit(&store->next_segment_id, next_segment_id, memory_order_relaxed);
    if (status == BR_OK)
        status = br_task_pool_run(store->config.pool, 0, state->segment_count, open_one, &at, err);
    if (status == BR_OK) status = build_snapshot(&at, err);
    for (uint32_t i = 0; i < state->segment_count; i++) br_segment_drop(at.segments[i]);
    br_heap_free(at.segments);
    return status;
}

// Forgets a half-loaded state.
static void unload(br_store *store)
{
    br_snapshot_drop(store->durable);
    br_snapshot_drop(store->current);
    for (uint32_t i = 0; i < store->table_count; i++) br_heap_free(store->tables[i]);
    store->durable = store->current = NULL;
    store->table_count = 0;
}

static br_status read_and_load(br_store *store, br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return br_fail(err, BR_NOMEM, "no memory for the catalog");
    br_catalog_state state = {.next_segment_id = 1};
    br_status status = BR_OK;
    if (store->catalog != NULL) status = br_catalog_read(store->catalog, arena, &state, err);
    if (status == BR_OK) status = load_state(store, &state, err);
    if (status != BR_OK) unload(store);
    br_arena_free(arena);
    return status;
}

// A maintainer may compact while we read: a file that is gone was replaced in a newer catalog.
static br_status read_until_stable(br_store *store, br_error *err)
{
    br_status status = read_and_load(store, err);
    for (int i = 1; status == BR_CORRUPT && store->config.read_only && i < OPEN_ATTEMPTS; i++)
        status = read_and_load(store, err);
    return status;
}

static int id_compare(const void *left, const void *right)
{
    uint64_t l = *(const uint64_t *)left, r = *(const uint64_t *)right;
    return (l > r) - (l < r);
}

typedef struct sweeping {
    br_store *store;
    uint64_t *named;
    size_t named_count;
} sweeping;

static br_status sweep_one(void *context, const char *name, br_error *err)
{
    const sweeping *at = context;
    uint64_t segment_id;
    if (!br_segment_parse_name(name, &segment_id)) return BR_OK;
    if (at->named_count > 0 && bsearch(&segment_id, at->named, at->named_count,
                                       sizeof *at->named, id_compare) != NULL)
        return BR_OK;
    char *path = br_segment_path(at->store->folder, segment_id);
    if (path == NULL) return br_fail(err, BR_NOMEM, "no memory to tidy '%s'", at->store->folder);
    br_status status = br_file_remove(path, at->store->config.hook, err);
    br_heap_free(path);
    return status;
}

// Removes the segment files that a crash left without a name in the catalog.
static br_status sweep(br_store *store, br_error *err)
{
    sweeping at = {.store = store};
    const br_snapshot *durable = store->durable;
    size_t count = 0;
    for (uint32_t t = 0; t < durable->table_count; t++)
        count += durable->tables[t]->segment_count;
    at.named = br_heap_array(count, sizeof *at.named);
    if (at.named == NULL) return br_fail(err, BR_NOMEM, "no memory to tidy '%s'", store->folder);
    for (uint32_t t = 0; t < durable->table_count; t++) {
        const br_version *version = durable->tables[t];
        for (uint32_t i = 0; i < version->segment_count; i++)
            at.named[at.named_count++] = version->segments[i].segment->segment_id;
    }
    qsort(at.named, at.named_count, sizeof *at.named, id_compare);
    br_status status = br_folder_list(store->folder, sweep_one, &at, err);
    br_heap_free(at.named);
    return status;
}

static br_status store_fill(br_store *store, br_error *err)
{
    bool read_only = store->config.read_only;
    if (store->folder == NULL) return br_fail(err, BR_NOMEM, "no memory for a store");
    if (!read_only) BR_TRY(br_folder_make(store->folder, store->config.hook, err));
    // A reader of a folder that nobody has made yet has an empty copy.
    if (!read_only || br_catalog_exists(store->folder))
        BR_TRY(br_catalog_open(store->folder, read_only, store->config.hook, &store->catalog, err));
    BR_TRY(read_until_stable(store, err));
    if (!read_only) return sweep(store, err);
    br_catalog_close(store->catalog);
    store->catalog = NULL;
    return BR_OK;
}

br_status br_store_open(const br_store_config *config, br_store **store_out, br_error *err)
{
    br_store *store = br_heap_zalloc(sizeof *store);
    if (store == NULL) return br_fail(err, BR_NOMEM, "no memory for a store");
    store->config = *config;
    store->folder = br_heap_copy_text(config->folder);
    store->config.folder = store->folder;
    br_lock_init(&store->lock);
    br_page_cache_init(&store->cache, config->kernels, config->quota, config->io_mode,
                       config->page_cache_bytes);
    br_status status = store_fill(store, err);
    if (status != BR_OK) {
        br_store_close(store);
        return status;
    }
    *store_out = store;
    return BR_OK;
}

bool br_store_is_deserted(br_store *store)
{
    // Acquire pairs with the release of the last segment's end.
    return store->table_count == 0 &&
           atomic_load_explicit(&store->cache.segment_count, memory_order_acquire) == 0;
}

void br_store_close(br_store *store)
{
    if (store == NULL) return;
    br_apply_abandon(store->apply);
    unload(store);
    br_catalog_close(store->catalog);
    br_page_cache_release(&store->cache);
    br_lock_release(&store->lock);
    br_heap_free(store->tables);
    br_heap_free(store->folder);
    br_heap_free(store);
}
