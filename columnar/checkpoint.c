// checkpoint.c - making the published versions durable: deltas to segments, then the catalog.
//
// Order matters. Files are complete and fsynced before one catalog transaction names them; then the
// new versions are published, and only then do files go that no version needs any more.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/checkpoint.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/segment_build.h"

enum {
    // A checkpoint pays from 16 chunks on: a segment of a good size.
    WANTED_DELTA_ROWS = 16 * BR_CHUNK_ROWS,
    // Or when deltas take this much memory, or a quarter of what there is.
    WANTED_DELTA_BYTES = 256 * 1024 * 1024,
    ROW_BYTES = 13,  // of a column, see base/column.h
};

// ---- flushing a delta ------------------------------------------------------------------------

static br_status delta_open_column(void *context, uint32_t worker, uint32_t column,
                                   const br_column **chunks_out, br_error *err)
{
    const br_version *version = context;
    (void)worker;
    (void)err;
    for (uint32_t chunk = 0; chunk < br_delta_chunks(version->delta_rows); chunk++)
        chunks_out[chunk] = br_delta_column(version->delta, chunk, column);
    return BR_OK;
}

static void delta_close_column(void *context, uint32_t worker)
{
    (void)context;
    (void)worker;
}

static size_t list_live_rows(const br_version *version, br_key_row *rows)
{
    size_t count = 0;
    for (uint32_t row = 0; row < version->delta_rows; row++) {
        if (br_mask_set_is_dead(version->delta_masks, row / BR_CHUNK_ROWS, row % BR_CHUNK_ROWS))
            continue;
        rows[count++] = (br_key_row){.key = br_delta_key(version->delta, row), .row = row};
    }
    return count;
}

// Segments being added to a version.
typedef struct additions {
    br_version_segment *items;
    uint32_t count, kept;  // the first `kept` are those of the version
} additions;

static br_status write_rows(br_store *store, const br_version *version, const br_key_row *rows,
                            size_t row_count, additions *added, br_error *err)
{
    br_row_source source = {.column_count = br_version_columns(version),
                            .chunk_count = br_delta_chunks(version->delta_rows),
                            .context = (void *)(uintptr_t)version,
                            .open_column = delta_open_column,
                            .close_column = delta_close_column};
    const size_t rows_max = (size_t)BR_SEGMENT_CHUNKS_MAX * BR_CHUNK_ROWS;
    for (size_t first = 0; first < row_count; first += rows_max) {
        size_t left = row_count - first;
        br_build_rows part = {.rows = rows + first,
                              .count = left < rows_max ? left : rows_max,
                              .effort = BR_ENCODE_FAST};
        BR_TRY(br_segment_build(store, &source, part, &added->items[added->count].segment, err));
        added->count++;
    }
    return BR_OK;
}

static br_status flush_rows(br_store *store, const br_version *version, additions *added,
                            br_error *err)
{
    br_key_row *rows = br_heap_array((size_t)version->delta_rows * 2, sizeof *rows);
    if (rows == NULL)
        return br_fail(err, BR_NOMEM, "no memory to sort %u rows", version->delta_rows);
    size_t row_count = list_live_rows(version, rows);
    br_key_rows_sort(rows, rows + version->delta_rows, row_count);
    br_status status = write_rows(store, version, rows, row_count, added, err);
    br_heap_free(rows);
    return status;
}

// A version with the same rows and no delta.
static br_status flush_version(br_store *store, const br_version *version, br_version **draft_out,
                               br_error *err)
{
    uint32_t pieces = version->delta_rows / (BR_SEGMENT_CHUNKS_MAX * BR_CHUNK_ROWS) + 1;
    additions added = {.count = version->segment_count, .kept = version->segment_count};
    added.items = br_heap_array((size_t)added.kept + pieces, sizeof *added.items);
    if (added.items == NULL) return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    for (uint32_t i = 0; i < added.kept; i++) added.items[i] = version->segments[i];
    br_version *draft = NULL;
    br_status status = flush_rows(store, version, &added, err);
    if (status == BR_OK) status = br_version_copy(version, &draft, err);
    if (status == BR_OK) status = br_version_set_segments(draft, added.items, added.count, err);
    if (status == BR_OK) {
        br_version_clear_delta(draft);
        status = br_version_seal(draft, err);
    }
    for (uint32_t i = added.kept; i < added.count; i++) br_segment_drop(added.items[i].segment);
    br_heap_free(added.items);
    if (status != BR_OK) {
        br_version_drop(draft);
        return status;
    }
    br_assert(draft->live_rows == version->live_rows);
    *draft_out = draft;
    return BR_OK;
}

// ---- committing ------------------------------------------------------------------------------

br_status br_store_check_idle(const br_store *store, const char *what, br_error *err)
{
    if (store->config.read_only)
        return br_fail(err, BR_READONLY, "'%s' is open read-only: no %s", store->folder, what);
    if (store->apply != NULL) return br_fail(err, BR_MISUSE, "%s during an apply", what);
    return BR_OK;
}

br_status br_store_commit(br_store *store, br_snapshot *durable, br_error *err)
{
    br_catalog_change change = {
        .before = store->durable,
        .after = durable,
        .next_segment_id = atomic_load_explicit(&store->next_segment_id, memory_order_relaxed),
    };
    bool maybe = false;
    br_status status = br_catalog_commit(store->catalog, change, &maybe, err);
    if (status == BR_OK) {
        br_store_mark_named(store->durable, durable);
        br_snapshot_drop(store->durable);
        store->durable = br_snapshot_share(durable);
    } else if (maybe) {
        // After a crash the catalog may name either state: the files of both must stay.
        br_store_mark_named(NULL, durable);
    }
    return status;
}

// Versions of all tables with their deltas flushed.
static br_status flush_all(br_store *store, br_version **versions, br_error *err)
{
    const br_snapshot *current = store->current;
    for (uint32_t i = 0; i < current->table_count; i++) {
        br_version *version = current->tables[i];
        if (version->delta_rows == 0) versions[i] = br_version_acquire(version);
        else BR_TRY(flush_version(store, version, &versions[i], err));
    }
    return BR_OK;
}

br_status br_store_checkpoint(br_store *store, const uint8_t checkpoint_id[16], br_error *err)
{
    BR_TRY(br_store_check_idle(store, "checkpoint", err));
    const br_snapshot *current = store->current;
    br_version **versions = br_heap_array(current->table_count, sizeof *versions);
    if (versions == NULL) return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    br_snapshot *snapshot = NULL;
    br_status status = flush_all(store, versions, err);
    if (status == BR_OK)
        status = br_snapshot_new(versions, current->table_count, current, &snapshot, err);
    for (uint32_t i = 0; i < current->table_count; i++) br_version_drop(versions[i]);
    br_heap_free(versions);
    if (status != BR_OK) return status;

    snapshot->watermark = current->watermark;
    memcpy(snapshot->watermark.checkpoint_id, checkpoint_id, 16);
    status = br_store_commit(store, snapshot, err);
    if (status == BR_OK) br_store_install(store, snapshot);
    else br_snapshot_drop(snapshot);
    return status;
}

static uint64_t delta_bytes(const br_version *version)
{
    uint64_t bytes = (uint64_t)version->delta_rows * br_version_columns(version) * ROW_BYTES;
    for (uint32_t c = 0; c < version->spec.column_count; c++) {
        for (uint32_t chunk = 0; chunk < br_delta_chunks(version->delta_rows); chunk++)
            bytes += br_delta_column(version->delta, chunk, c)->text_bytes;
    }
    return bytes;
}

uint64_t br_store_delta_bytes(const br_store *store)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < store->current->table_count; i++) {
        const br_version *version = store->current->tables[i];
        if (version->delta_rows > 0) bytes += delta_bytes(version);
    }
    return bytes;
}

bool br_store_wants_checkpoint(const br_store *store)
{
    uint64_t rows = 0, bytes = br_store_delta_bytes(store);
    for (uint32_t i = 0; i < store->current->table_count; i++)
        rows += store->current->tables[i]->delta_rows;
    size_t limit_bytes = store->config.quota == NULL ? SIZE_MAX : store->config.quota->limit_bytes;
    return rows >= WANTED_DELTA_ROWS || bytes >= WANTED_DELTA_BYTES || bytes >= limit_bytes / 4;
}
