// check.c - testing the invariants of a store by reading every key.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/segment_build.h"

// Lists the keys of the live rows of one chunk; ascending within a segment (invariant 2).
static br_status list_chunk(br_scan *scan, const br_version *version, uint32_t chunk,
                            br_key_row *keys, size_t *count, br_error *err)
{
    bool is_sorted = chunk < version->segment_chunks;
    BR_TRY(br_scan_seek(scan, chunk, err));
    for (size_t first = *count;;) {
        br_batch batch;
        br_vector flat;
        BR_TRY(br_scan_next(scan, &batch, err));
        if (batch.row_count == 0) return BR_OK;
        br_verify(*count + batch.row_count <= version->live_rows, err);
        br_arena *arena = br_arena_new(NULL);
        if (arena == NULL) return br_fail(err, BR_NOMEM, "no memory to check");
        br_status status =
            br_vector_flatten(&batch.columns[0], batch.row_count, arena, &flat, err);
        for (uint32_t i = 0; i < batch.row_count && status == BR_OK; i++) {
            int64_t key = flat.i64[i];
            if (is_sorted && *count > first && keys[*count - 1].key >= key)
                status = br_fail(err, BR_INTERNAL, "table '%s': key %" PRId64 " before %" PRId64,
                                 version->spec.name, keys[*count - 1].key, key);
            keys[(*count)++].key = key;
        }
        br_arena_free(arena);
        BR_TRY(status);
    }
}

static br_status list_keys(const br_version *version, br_key_row *keys, size_t *count,
                           br_error *err)
{
    br_scan_column column = {.column = BR_SCAN_KEY, .class_ = BR_INT};
    br_scan_request request = {.columns = &column, .column_count = 1};
    br_scan *scan = NULL;
    BR_TRY(br_scan_open(version, &request, 0, NULL, &scan, err));
    br_status status = BR_OK;
    for (uint32_t chunk = 0; chunk < br_table_view_chunks(version) && status == BR_OK; chunk++)
        status = list_chunk(scan, version, chunk, keys, count, err);
    br_scan_close(scan);
    return status;
}

static br_status check_keys(const br_version *version, br_error *err)
{
    size_t capacity = (size_t)version->live_rows, count = 0;
    br_key_row *keys = br_heap_array(capacity * 2, sizeof *keys);
    if (keys == NULL) return br_fail(err, BR_NOMEM, "no memory to check %zu keys", capacity);
    br_status status = list_keys(version, keys, &count, err);
    if (status == BR_OK && count != capacity)
        status = br_fail(err, BR_INTERNAL, "table '%s': %zu live rows, want %zu",
                         version->spec.name, count, capacity);
    if (status == BR_OK) br_key_rows_sort(keys, keys + capacity, count);
    for (size_t i = 1; i < count && status == BR_OK; i++) {
        if (keys[i - 1].key == keys[i].key)  // invariant 1
            status = br_fail(err, BR_INTERNAL, "table '%s': key %" PRId64 " has two live rows",
                             version->spec.name, keys[i].key);
    }
    br_heap_free(keys);
    return status;
}

br_status br_store_check(br_store *store, br_error *err)
{
    const br_snapshot *current = store->current;
    br_verify(current->table_count == store->table_count || store->apply != NULL, err);
    for (uint32_t i = 0; i < current->table_count; i++) {
        BR_TRY(br_version_check(current->tables[i], err));
        BR_TRY(check_keys(current->tables[i], err));
    }
    for (uint32_t i = 0; i < store->durable->table_count; i++) {
        const br_version *version = store->durable->tables[i];
        BR_TRY(br_version_check(version, err));
        br_verify(version->delta_rows == 0, err);
        for (uint32_t s = 0; s < version->segment_count; s++) {
            const br_segment *segment = br_segment_of_file(version->segments[s].segment);
            br_verify(atomic_load_explicit(&segment->is_named, memory_order_relaxed), err);
        }
    }
    return BR_OK;
}
