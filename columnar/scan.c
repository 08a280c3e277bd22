// scan.c - opening a scan, moving it from chunk to chunk and from window to window.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/scan.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

// ---- opening ---------------------------------------------------------------------------------

static br_status no_memory(br_error *err) { return br_fail(err, BR_NOMEM, "no memory for a scan"); }

static uint32_t column_of(const br_scan *scan, uint32_t column)
{
    return column == BR_SCAN_KEY ? scan->version->spec.column_count : column;
}

// The page of a column, shared by all that name it.
static uint32_t page_of(br_scan *scan, uint32_t column)
{
    column = column_of(scan, column);
    for (uint32_t i = 0; i < scan->page_count; i++) {
        if (scan->pages[i].column == column) return i;
    }
    scan->pages[scan->page_count] = (scan_page){.column = column};
    return scan->page_count++;
}

static double filter_cost(const br_filter *filter)
{
    switch (filter->kind) {
    case BR_FILTER_PREDICATE: return 16;
    case BR_FILTER_COMPARE:
        return filter->value.class_ == BR_INT || filter->value.class_ == BR_REAL ? 1 : 3;
    default: return 1;
    }
}

static br_status scan_fill(br_scan *scan, br_quota *quota, br_error *err)
{
    const br_scan_request *request = scan->request;
    scan->arena = br_arena_new(quota);
    scan->batch_arena = br_arena_new(quota);
    if (scan->arena == NULL || scan->batch_arena == NULL) return no_memory(err);
    size_t pages_max = (size_t)request->column_count + request->filter_count;
    scan->pages = BR_ALLOC(scan->arena, scan_page, pages_max);
    scan->wants = BR_ALLOC(scan->arena, br_page_want, pages_max);
    scan->output_pages = BR_ALLOC(scan->arena, uint32_t, request->column_count);
    scan->vectors = BR_ALLOC(scan->arena, br_vector, request->column_count);
    scan->filters = BR_ALLOC(scan->arena, scan_filter, request->filter_count);
    if (scan->pages == NULL || scan->wants == NULL || scan->output_pages == NULL ||
        scan->vectors == NULL || scan->filters == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < request->filter_count; i++) {
        const br_filter *filter = &request->filters[i].filter;
        scan->filters[i] = (scan_filter){.filter = filter,
                                         .page = page_of(scan, request->filters[i].column),
                                         .cost = filter_cost(filter)};
    }
    scan->filter_count = request->filter_count;
    for (uint32_t i = 0; i < request->column_count; i++) {
        scan->output_pages[i] = page_of(scan, request->columns[i].column);
        scan->pages[scan->output_pages[i]].is_output = true;
    }
    if (request->bounds != NULL) {
        scan->sums = BR_ALLOC(scan->arena, br_zone_stats, request->column_count);
        if (scan->sums == NULL) return no_memory(err);
    }
    scan->chunk_mark = br_arena_get_mark(scan->arena);
    return BR_OK;
}

static br_status request_check(const br_table_view *view, const br_scan_request *request,
                               br_error *err)
{
    uint32_t column_count = view->spec.column_count;
    for (uint32_t i = 0; i < request->column_count; i++) {
        uint32_t column = request->columns[i].column;
        if (column != BR_SCAN_KEY && column > column_count)
            return br_fail(err, BR_MISUSE, "table '%s' has no column %u", view->spec.name, column);
    }
    for (uint32_t i = 0; i < request->filter_count; i++) {
        uint32_t column = request->filters[i].column;
        if (column != BR_SCAN_KEY && column > column_count)
            return br_fail(err, BR_MISUSE, "table '%s' has no column %u", view->spec.name, column);
    }
    return BR_OK;
}

br_status br_scan_open(const br_table_view *view, const br_scan_request *request, uint32_t worker,
                       br_quota *quota, br_scan **scan_out, br_error *err)
{
    BR_TRY(request_check(view, request, err));
    br_scan *scan = br_heap_zalloc(sizeof *scan);
    if (scan == NULL) return no_memory(err);
    scan->version = view;
    scan->request = request;
    scan->worker = worker;
    br_status status = scan_fill(scan, quota, err);
    if (status != BR_OK) {
        br_scan_close(scan);
        return status;
    }
    *scan_out = scan;
    return BR_OK;
}

static void unpin_all(br_scan *scan)
{
    for (uint32_t i = 0; i < scan->page_count; i++) {
        if (scan->pages[i].is_pinned) br_page_unpin(scan->pages[i].want.slot);
        scan->pages[i].is_pinned = false;
    }
}

void br_scan_close(br_scan *scan)
{
    if (scan == NULL) return;
    unpin_all(scan);
    br_arena_free(scan->arena);
    br_arena_free(scan->batch_arena);
    br_heap_free(scan);
}

br_scan_stats br_scan_get_stats(const br_scan *scan) { return scan->stats; }

// ---- pages -----------------------------------------------------------------------------------

static bool page_is_filtered(const br_scan *scan, uint32_t page)
{
    for (uint32_t i = 0; i < scan->filter_count; i++) {
        if (scan->filters[i].page == page && scan->filters[i].is_active) return true;
    }
    return false;
}

br_status br_scan_pin(br_scan *scan, bool with_outputs, br_error *err)
{
    if (scan->is_delta || scan->has_outputs) return BR_OK;
    uint32_t count = 0;
    for (uint32_t i = 0; i < scan->page_count; i++) {
        scan_page *page = &scan->pages[i];
        bool is_wanted = (with_outputs && page->is_output) || page_is_filtered(scan, i);
        if (page->is_pinned || !is_wanted) continue;
        scan->wants[count++] = (br_page_want){.segment = scan->segment,
                                              .column = page->column,
                                              .chunk = scan->chunk};
    }
    br_page_io io = {0};
    BR_TRY(br_page_cache_pin(scan->segment->cache, scan->wants, count, &io, err));
    for (uint32_t i = 0, w = 0; w < count; i++) {
        if (scan->pages[i].column != scan->wants[w].column) continue;
        scan->pages[i].want = scan->wants[w++];
        scan->pages[i].is_pinned = true;
    }
    scan->stats.pages_loaded += io.pages_loaded;
    scan->stats.bytes_loaded += io.bytes_loaded;
    scan->has_outputs = with_outputs;
    return BR_OK;
}

// ---- chunks ----------------------------------------------------------------------------------

static void chunk_locate(br_scan *scan, uint32_t chunk)
{
    const br_version *version = scan->version;
    scan->is_delta = chunk >= version->segment_chunks;
    if (scan->is_delta) {
        scan->segment = NULL;
        scan->chunk = chunk - version->segment_chunks;
        scan->row_count = br_delta_chunk_rows(version->delta_rows, scan->chunk);
        scan->dead = br_mask_set_bits(version->delta_masks, scan->chunk);
        return;
    }
    const br_version_segment *item = br_version_find_chunk(version, chunk);
    scan->segment = item->segment;
    scan->chunk = chunk - item->first_chunk;
    scan->row_count = br_segment_chunk_rows(item->segment, scan->chunk);
    scan->dead = br_mask_set_bits(item->masks, scan->chunk);
}

static void chunk_enter(br_scan *scan, uint32_t chunk)
{
    br_assert(chunk < br_table_view_chunks(scan->version));
    unpin_all(scan);
    br_arena_rewind(scan->arena, scan->chunk_mark);
    br_arena_reset(scan->batch_arena);
    scan->has_outputs = false;
    scan->next_row = 0;
    scan->windows_sampled = 0;
    scan->queue_count = 0;
    scan->dense_count = 0;
    chunk_locate(scan, chunk);
    br_scan_prune(scan);
}

static uint32_t zone_count(const br_scan *scan)
{
    return (scan->row_count + BR_ZONE_ROWS - 1) / BR_ZONE_ROWS;
}

br_status br_scan_seek(br_scan *scan, uint32_t chunk, br_error *err)
{
    chunk_enter(scan, chunk);
    uint32_t zones_left = (uint32_t)__builtin_popcount(scan->zones);
    scan->stats.zones_read += zones_left;
    scan->stats.zones_pruned += zone_count(scan) - zones_left;
    if (zones_left == 0) return BR_OK;
    bool is_filtered = false;
    for (uint32_t i = 0; i < scan->filter_count; i++) is_filtered |= scan->filters[i].is_active;
    // Reading everything at once saves a round trip to the disk, but is wasted on chunks without
    // survivors: what half of the chunks so far had decides.
    bool with_outputs = !is_filtered || scan->chunks_hit * 2 >= scan->chunks_tried;
    scan->chunks_tried += is_filtered;
    br_status status = br_scan_pin(scan, with_outputs, err);
    if (status != BR_OK) scan->zones = 0;
    return status;
}

bool br_scan_count(br_scan *scan, uint32_t chunk, uint64_t *row_count_out)
{
    chunk_enter(scan, chunk);
    uint64_t count = 0;
    for (uint32_t zone = 0; zone < zone_count(scan); zone++) {
        if ((scan->zones >> zone & 1) == 0) continue;
        for (uint32_t i = 0; i < scan->filter_count; i++) {
            if ((scan->filters[i].passing_zones >> zone & 1) == 0) return false;
        }
        uint32_t first = zone * BR_ZONE_ROWS, rows = scan->row_count - first;
        if (rows > BR_ZONE_ROWS) rows = BR_ZONE_ROWS;
        count += rows;
        if (scan->dead != NULL) count -= br_bitmap_count(scan->dead + first / 64, rows);
    }
    scan->zones = 0;  // a scan must seek before it reads
    *row_count_out = count;
    return true;
}

// ---- windows ---------------------------------------------------------------------------------

static void select_live(const br_scan *scan, uint32_t first, uint32_t count, uint64_t *selected)
{
    br_bitmap_fill(selected, count);
    if (scan->dead == NULL) return;
    const uint64_t *dead = scan->dead + first / 64;
    for (uint32_t i = 0; i < br_bitmap_words(count); i++) selected[i] &= ~dead[i];
}

static bool is_all(const uint64_t *selected, uint32_t count)
{
    uint64_t all = ~0ull;
    for (uint32_t i = 0; i < count / 64; i++) all &= selected[i];
    uint32_t rest = count % 64;
    return all == ~0ull && (rest == 0 || selected[count / 64] == (1ull << rest) - 1);
}

static void queue_rows(br_scan *scan, uint32_t first, uint32_t count, const uint64_t *selected)
{
    if (scan->request->column_count == 0) {  // nobody will ask which rows they are
        scan->queue_count += br_bitmap_count(selected, count);
        return;
    }
    if (scan->queue_count == 0) scan->queue_base = first;
    uint16_t *out = scan->queue + scan->queue_count;
    uint32_t passed = br_bitmap_positions(selected, count, out);
    uint16_t shift = (uint16_t)(first - scan->queue_base);
    if (shift > 0) {
        for (uint32_t i = 0; i < passed; i++) out[i] = (uint16_t)(out[i] + shift);
    }
    scan->queue_count += passed;
}

// Finds the survivors of the next window and queues them, or remembers that they are all its rows.
static br_status window_read(br_scan *scan, br_error *err)
{
    uint64_t selected[BR_WINDOW_WORDS];
    uint32_t first = scan->next_row, count = scan->row_count - first;
    if (count > BR_BATCH_ROWS) count = BR_BATCH_ROWS;
    scan->next_row += BR_BATCH_ROWS;
    if ((scan->zones >> first / BR_ZONE_ROWS & 1) == 0) return BR_OK;
    select_live(scan, first, count, selected);
    scan->stats.rows_read += count;
    br_arena_mark mark = br_arena_get_mark(scan->batch_arena);
    BR_TRY(br_scan_run_filters(scan, first, count, selected, err));
    br_arena_rewind(scan->batch_arena, mark);
    if (is_all(selected, count)) {
        scan->dense_first = first;
        scan->dense_count = count;
        return BR_OK;
    }
    queue_rows(scan, first, count, selected);
    return BR_OK;
}

static br_status emit_queue(br_scan *scan, br_batch *batch_out, br_error *err)
{
    uint32_t count = scan->queue_count < BR_BATCH_ROWS ? scan->queue_count : BR_BATCH_ROWS;
    br_scan_rows rows = {.first = scan->queue_base, .count = count, .positions = scan->queue};
    BR_TRY(br_scan_emit(scan, rows, batch_out, err));
    scan->queue_count -= count;
    memmove(scan->queue, scan->queue + count, scan->queue_count * sizeof scan->queue[0]);
    return BR_OK;
}

static br_status emit_dense(br_scan *scan, br_batch *batch_out, br_error *err)
{
    br_scan_rows rows = {.first = scan->dense_first, .count = scan->dense_count};
    scan->dense_count = 0;
    return br_scan_emit(scan, rows, batch_out, err);
}

br_status br_scan_next(br_scan *scan, br_batch *batch_out, br_error *err)
{
    br_arena_reset(scan->batch_arena);
    while (scan->zones != 0 && scan->next_row < scan->row_count && scan->dense_count == 0 &&
           scan->queue_count < BR_SCAN_QUEUE_EMIT)
        BR_TRY(window_read(scan, err));
    if (scan->queue_count == 0 && scan->dense_count == 0) {
        *batch_out = (br_batch){.column_count = scan->request->column_count,
                                .columns = scan->vectors};
        return BR_OK;
    }
    // The first batch of the chunk: from here on its other columns are needed.
    if (!scan->has_outputs) {
        scan->chunks_hit += !scan->is_delta;
        BR_TRY(br_scan_pin(scan, true, err));
    }
    return scan->queue_count > 0 ? emit_queue(scan, batch_out, err)
                                 : emit_dense(scan, batch_out, err);
}
