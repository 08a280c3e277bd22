// scan_filter.c - pruning by statistics, and the order and evaluation of a scan's filters.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "columnar/filter.h"
#include "columnar/scan.h"

enum {
    // Windows of each chunk whose survivors are counted to learn pass rates; counting all of them
    // would cost as much as a cheap filter.
    SAMPLE_WINDOWS = 2,
};

// ---- pruning ---------------------------------------------------------------------------------

// Zones in which the filter lets every row pass; clears in *zones those where it lets none.
static uint8_t prune_zones(const br_filter *filter, const br_page_entry *entry,
                           uint32_t zone_count, uint8_t *zones)
{
    br_prune whole = br_filter_prune(filter, &entry->stats);
    if (whole == BR_PRUNE_ALL) return UINT8_MAX;
    if (whole == BR_PRUNE_NONE) *zones = 0;
    uint8_t passing = 0;
    for (uint32_t zone = 0; zone < zone_count && *zones != 0; zone++) {
        if ((*zones >> zone & 1) == 0) continue;
        br_prune prune = br_filter_prune(filter, &entry->zones[zone]);
        if (prune == BR_PRUNE_ALL) passing |= (uint8_t)(1u << zone);
        if (prune == BR_PRUNE_NONE) *zones &= (uint8_t)~(1u << zone);
    }
    return passing;
}

// All of the delta shares one set of statistics.
static uint8_t prune_delta(const br_filter *filter, const br_zone_stats *stats, uint8_t *zones)
{
    br_prune prune = br_filter_prune(filter, stats);
    if (prune == BR_PRUNE_NONE) *zones = 0;
    return prune == BR_PRUNE_ALL ? UINT8_MAX : 0;
}

// Cost per row that a filter takes away; the least comes first.
static double filter_rank(const scan_filter *item)
{
    double passed = item->rows_in == 0 ? 0.5 : (double)item->rows_out / (double)item->rows_in;
    return item->cost / (1.001 - passed);
}

static void sort_filters(br_scan *scan)
{
    for (uint32_t i = 1; i < scan->filter_count; i++) {
        scan_filter item = scan->filters[i];
        double rank = filter_rank(&item);
        uint32_t at = i;
        for (; at > 0 && filter_rank(&scan->filters[at - 1]) > rank; at--)
            scan->filters[at] = scan->filters[at - 1];
        scan->filters[at] = item;
    }
}

void br_scan_prune(br_scan *scan)
{
    uint32_t zone_count = (scan->row_count + BR_ZONE_ROWS - 1) / BR_ZONE_ROWS;
    uint8_t zones = (uint8_t)((1u << zone_count) - 1);
    for (uint32_t i = 0; i < scan->filter_count && zones != 0; i++) {
        scan_filter *item = &scan->filters[i];
        uint32_t column = scan->pages[item->page].column;
        if (scan->is_delta) {
            const br_zone_stats *stats = &scan->version->delta_stats->stats[column];
            item->passing_zones = prune_delta(item->filter, stats, &zones);
        } else {
            const br_page_entry *entry = br_segment_entry(scan->segment, column, scan->chunk);
            item->passing_zones = prune_zones(item->filter, entry, zone_count, &zones);
        }
    }
    scan->zones = zones;
    if (scan->sums != NULL) {
        br_scan_sum_zones(scan);
        zones = scan->zones;
    }
    for (uint32_t i = 0; i < scan->filter_count; i++) {
        scan_filter *item = &scan->filters[i];
        item->is_active = (zones & ~item->passing_zones) != 0;
        item->cache = (br_select_cache){0};
    }
    if (zones != 0) sort_filters(scan);
}

// ---- evaluation ------------------------------------------------------------------------------

static bool is_empty(const uint64_t *selected, uint32_t count)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < br_bitmap_words(count); i++) any |= selected[i];
    return any == 0;
}

static br_status filter_page(br_scan *scan, scan_filter *item, uint32_t first, uint32_t count,
                             uint64_t *selected, br_error *err)
{
    const br_page *page = scan->pages[item->page].want.page;
    const uint64_t *passes_before = item->cache.entry_passes;
    br_arena_mark mark = br_arena_get_mark(scan->arena);
    BR_TRY(br_page_select(page, item->filter, scan->worker, first, count, &item->cache, scan->arena,
                          selected, err));
    // What is remembered per dictionary stays for the chunk; decoded values make room.
    if (item->cache.entry_passes == passes_before) br_arena_rewind(scan->arena, mark);
    return BR_OK;
}

static br_status filter_delta(br_scan *scan, const scan_filter *item, uint32_t first,
                              uint32_t count, uint64_t *selected, br_error *err)
{
    uint32_t column = scan->pages[item->page].column;
    br_class class_ = br_class_of_mask(scan->version->delta_stats->stats[column].class_mask);
    uint64_t passes[BR_WINDOW_WORDS] = {0};
    br_vector vector;
    BR_TRY(br_column_slice(br_delta_column(scan->version->delta, scan->chunk, column), first, count,
                           class_, scan->batch_arena, &vector, err));
    BR_TRY(br_vector_filter(item->filter, scan->worker, &vector, count, scan->batch_arena, passes,
                            err));
    for (uint32_t i = 0; i < br_bitmap_words(count); i++) selected[i] &= passes[i];
    return BR_OK;
}

br_status br_scan_run_filters(br_scan *scan, uint32_t first, uint32_t count, uint64_t *selected,
                              br_error *err)
{
    uint32_t zone = first / BR_ZONE_ROWS;
    bool is_sampled = scan->filter_count > 1 && scan->windows_sampled < SAMPLE_WINDOWS;
    scan->windows_sampled += is_sampled;
    for (uint32_t i = 0; i < scan->filter_count; i++) {
        scan_filter *item = &scan->filters[i];
        if (item->passing_zones >> zone & 1) continue;
        if (is_sampled) item->rows_in += br_bitmap_count(selected, count);
        if (scan->is_delta) BR_TRY(filter_delta(scan, item, first, count, selected, err));
        else BR_TRY(filter_page(scan, item, first, count, selected, err));
        if (is_sampled) item->rows_out += br_bitmap_count(selected, count);
        if (is_empty(selected, count)) return BR_OK;
    }
    return BR_OK;
}
