// kill.c - finding rows by key in segments and delta, and marking them dead in a draft.
//
// In a segment the page directory tells the chunk and the key page the row, without an index. Rows
// of a delta are found through its own index.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "base/heap.h"
#include "columnar/table.h"

// A key page in use; zeroed: none.
typedef struct key_page {
    br_page_want want;
    bool is_pinned;
} key_page;

static void key_page_leave(key_page *page)
{
    if (page->is_pinned) br_page_unpin(page->want.slot);
    page->is_pinned = false;
}

static br_status key_page_enter(key_page *page, br_segment *segment, uint32_t chunk, br_error *err)
{
    if (page->is_pinned && page->want.chunk == chunk && page->want.segment == segment) return BR_OK;
    key_page_leave(page);
    br_page_io ignored = {0};
    page->want =
        (br_page_want){.segment = segment, .column = segment->column_count - 1, .chunk = chunk};
    BR_TRY(br_page_cache_pin(segment->cache, &page->want, 1, &ignored, err));
    page->is_pinned = true;
    return BR_OK;
}

// The row with exactly this key, which is at most the chunk's last one.
static bool key_page_find(const key_page *page, int64_t key, uint32_t *row_out)
{
    uint32_t row = br_page_lower_bound(page->want.page, key);
    uint32_t after = key == INT64_MAX ? br_page_rows(page->want.page)
                                      : br_page_lower_bound(page->want.page, key + 1);
    *row_out = row;
    return row < after;
}

static br_status kill_in_segment(br_version *draft, br_version_segment *item, br_quota *quota,
                                 const int64_t *keys, size_t key_count, key_page *page,
                                 br_error *err)
{
    br_segment *segment = item->segment;
    for (size_t i = 0; i < key_count; i++) {
        uint32_t row = 0, killed = 0;
        uint32_t chunk = br_segment_find_chunk(segment, keys[i]);
        br_assert(chunk < segment->chunk_count);
        const br_page_entry *entry = br_segment_entry(segment, segment->column_count - 1, chunk);
        if (keys[i] < entry->stats.int_min) continue;  // in the gap between two chunks
        BR_TRY(key_page_enter(page, segment, chunk, err));
        if (!key_page_find(page, keys[i], &row)) continue;
        br_mask_range range = {segment->chunk_count, chunk, row, 1};
        BR_TRY(br_mask_set_kill(&item->masks, range, quota, &killed, err));
        draft->live_rows -= killed;
    }
    return BR_OK;
}

static br_status kill_delta_rows(br_version *draft, br_quota *quota, uint32_t row,
                                 uint32_t row_count, br_error *err)
{
    uint32_t killed = 0;
    br_mask_range range = {br_delta_chunks(draft->delta->row_count), row / BR_CHUNK_ROWS,
                           row % BR_CHUNK_ROWS, row_count};
    BR_TRY(br_mask_set_kill(&draft->delta_masks, range, quota, &killed, err));
    draft->live_rows -= killed;
    return BR_OK;
}

// First index whose key is >= `key`, or > it.
static size_t keys_bound(const int64_t *keys, size_t key_count, int64_t key, bool is_after)
{
    size_t low = 0, high = key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool is_below = is_after ? keys[middle] <= key : keys[middle] < key;
        if (is_below) low = middle + 1;
        else high = middle;
    }
    return low;
}

br_status br_version_kill_keys(br_version *draft, br_quota *quota, const int64_t *keys,
                               size_t key_count, br_error *err)
{
    key_page page = {0};
    br_status status = BR_OK;
    for (uint32_t i = 0; i < draft->segment_count && status == BR_OK; i++) {
        br_version_segment *item = &draft->segments[i];
        size_t first = keys_bound(keys, key_count, item->segment->key_min, false);
        size_t end = keys_bound(keys, key_count, item->segment->key_max, true);
        if (first >= end) continue;
        status = kill_in_segment(draft, item, quota, keys + first, end - first, &page, err);
    }
    key_page_leave(&page);
    for (size_t i = 0; i < key_count && status == BR_OK && draft->delta_rows > 0; i++) {
        uint32_t row = 0;
        bool is_found = false;
        status = br_delta_find(draft->delta, keys[i], &row, &is_found, err);
        if (status == BR_OK && is_found) status = kill_delta_rows(draft, quota, row, 1, err);
    }
    return status;
}

// ---- ranges ----------------------------------------------------------------------------------

static br_status kill_segment_above(br_version *draft, br_version_segment *item, br_quota *quota,
                                    int64_t key, br_error *err)
{
    br_segment *segment = item->segment;
    br_assert(key < segment->key_max);
    key_page page = {0};
    uint32_t first_chunk = br_segment_find_chunk(segment, key + 1);
    BR_TRY(key_page_enter(&page, segment, first_chunk, err));
    uint32_t first = br_page_lower_bound(page.want.page, key + 1);
    key_page_leave(&page);
    for (uint32_t chunk = first_chunk; chunk < segment->chunk_count; chunk++) {
        uint32_t killed = 0, row_count = br_segment_chunk_rows(segment, chunk);
        br_mask_range range = {segment->chunk_count, chunk, first, row_count - first};
        BR_TRY(br_mask_set_kill(&item->masks, range, quota, &killed, err));
        draft->live_rows -= killed;
        first = 0;
    }
    return BR_OK;
}

// Segments that hold larger keys only go altogether.
static br_status drop_segments_above(br_version *draft, int64_t key, br_error *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < draft->segment_count; i++)
        kept += draft->segments[i].segment->key_min <= key;
    if (kept == draft->segment_count) return BR_OK;
    br_version_segment *items = br_heap_array(kept, sizeof *items);
    if (items == NULL) return br_fail(err, BR_NOMEM, "no memory for %u segments", kept);
    kept = 0;
    for (uint32_t i = 0; i < draft->segment_count; i++) {
        if (draft->segments[i].segment->key_min <= key) items[kept++] = draft->segments[i];
    }
    br_status status = br_version_set_segments(draft, items, kept, err);
    br_heap_free(items);
    return status;
}

static br_status kill_delta_above(br_version *draft, br_quota *quota, int64_t key, br_error *err)
{
    br_delta *delta = draft->delta;
    if (draft->delta_rows == 0 || key >= delta->live_key_max) return BR_OK;
    for (uint32_t chunk = 0; chunk < br_delta_chunks(delta->row_count); chunk++) {
        if (delta->chunks[chunk]->key_max <= key) continue;
        uint32_t first = chunk * BR_CHUNK_ROWS;
        uint32_t row_count = br_delta_chunk_rows(delta->row_count, chunk);
        for (uint32_t row = first; row < first + row_count; row++) {
            if (br_delta_key(delta, row) > key)
                BR_TRY(kill_delta_rows(draft, quota, row, 1, err));
        }
    }
    delta->live_key_max = key;
    return BR_OK;
}

br_status br_version_kill_above(br_version *draft, br_quota *quota, int64_t key, br_error *err)
{
    if (key == INT64_MAX) return BR_OK;
    BR_TRY(drop_segments_above(draft, key, err));
    for (uint32_t i = 0; i < draft->segment_count; i++) {
        br_version_segment *item = &draft->segments[i];
        if (item->segment->key_max > key)
            BR_TRY(kill_segment_above(draft, item, quota, key, err));
    }
    return kill_delta_above(draft, quota, key, err);
}
