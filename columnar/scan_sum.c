// scan_sum.c - zones that need not be read, because their statistics tell all that is wanted.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "columnar/scan.h"

// A zone has bounds when it has values of one class. Those of text are cut off; of 0.0 and -0.0,
// which are equal, a bound may be either.
static bool has_exact_bounds(const br_zone_stats *zone)
{
    unsigned mask = zone->class_mask & ~(unsigned)BR_MASK_NULL;
    if (mask == 0 || mask == BR_MASK_INT) return true;
    return mask == BR_MASK_REAL && zone->real_min != 0 && zone->real_max != 0;
}

static const br_zone_stats *zone_stats(const br_scan *scan, uint32_t output, uint32_t zone)
{
    uint32_t column = scan->pages[scan->output_pages[output]].column;
    return &br_segment_entry(scan->segment, column, scan->chunk)->zones[zone];
}

static uint32_t zone_rows(const br_scan *scan, uint32_t zone)
{
    uint32_t rows = scan->row_count - zone * BR_ZONE_ROWS;
    return rows < BR_ZONE_ROWS ? rows : BR_ZONE_ROWS;
}

// Every row lives and passes all filters, and bounds are exact where they are wanted.
static bool tells_all(const br_scan *scan, uint32_t zone)
{
    const uint64_t *dead = scan->dead;
    for (uint32_t i = 0; i < scan->filter_count; i++) {
        if ((scan->filters[i].passing_zones >> zone & 1) == 0) return false;
    }
    if (dead != NULL && br_bitmap_count(dead + zone * (BR_ZONE_ROWS / 64), zone_rows(scan, zone)))
        return false;
    for (uint32_t i = 0; i < scan->request->column_count; i++) {
        if (scan->request->bounds[i] && !has_exact_bounds(zone_stats(scan, i, zone))) return false;
    }
    return true;
}

void br_scan_sum_zones(br_scan *scan)
{
    scan->summed_rows = 0;
    for (uint32_t i = 0; i < scan->request->column_count; i++) br_zone_stats_init(&scan->sums[i]);
    if (scan->is_delta) return;
    for (uint32_t zone = 0; zone < BR_ZONES_PER_CHUNK; zone++) {
        if ((scan->zones >> zone & 1) == 0 || !tells_all(scan, zone)) continue;
        scan->zones &= (uint8_t)~(1u << zone);
        scan->summed_rows += zone_rows(scan, zone);
        for (uint32_t i = 0; i < scan->request->column_count; i++)
            br_zone_stats_merge(&scan->sums[i], zone_stats(scan, i, zone));
    }
}

br_scan_sum br_scan_summary(const br_scan *scan)
{
    br_assert(scan->sums != NULL);
    return (br_scan_sum){.row_count = scan->summed_rows, .columns = scan->sums};
}
