// scan.h - the inside of a scan: which pages a chunk needs, and how rows become batches.
//
// A chunk is read in windows of BR_BATCH_ROWS rows. A window that passes whole is decoded as it
// lies. Of the others the positions of the survivors are queued, over several windows, and gathered
// once there are enough for a batch: selective filters do not make tiny batches.
//
//     seek    prune the chunk and its zones, pin the pages of the filters
//     next    window: live rows -> filters, in order of cost and selectivity -> dense | queue
//             batch:  decode the dense window | gather the queue     (pins the other pages first)
//
// Threads: one thread per scan.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_SCAN_H
#define BR_COLUMNAR_SCAN_H

#include "columnar/version.h"

enum {
    // A batch is handed out when this many survivors are queued: enough to hide what an operator
    // pays per batch, few enough that one more window fits.
    BR_SCAN_QUEUE_EMIT = BR_BATCH_ROWS / 2,
    BR_SCAN_QUEUE_MAX = BR_SCAN_QUEUE_EMIT + BR_BATCH_ROWS,
    BR_WINDOW_WORDS = BR_BATCH_ROWS / 64,
};

typedef struct scan_page {
    uint32_t column;
    bool is_output;
    bool is_pinned;
    br_page_want want;
} scan_page;

typedef struct scan_filter {
    const br_filter *filter;
    uint32_t page;           // index into pages
    uint8_t passing_zones;   // bit per zone of the chunk: every row passes
    bool is_active;          // some zone needs it
    double cost;             // relative
    uint64_t rows_in, rows_out;  // of the windows sampled
    br_select_cache cache;
} scan_filter;

struct br_scan {
    const br_version *version;
    br_page_cache *cache;
    uint32_t worker;
    br_arena *arena;        // what lives as long as the scan, then what lives until the next seek
    br_arena_mark chunk_mark;
    br_arena *batch_arena;  // until the next call of next
    const br_scan_request *request;
    uint32_t page_count;
    scan_page *pages;
    br_page_want *wants;    // room for all pages
    uint32_t *output_pages; // per output column
    br_vector *vectors;     // per output column
    uint32_t filter_count;
    scan_filter *filters;   // in order of evaluation
    uint64_t chunks_tried, chunks_hit;  // with active filters; with survivors
    br_scan_stats stats;

    // The current chunk.
    bool is_delta;
    uint32_t chunk;         // in its segment or in the delta
    br_segment *segment;    // borrowed; NULL in the delta
    uint32_t row_count;
    const uint64_t *dead;   // NULL: every row lives
    uint8_t zones;          // bit per zone that may have survivors
    uint64_t summed_rows;   // of zones that were taken out of them, whose statistics tell all
    br_zone_stats *sums;    // per output column; NULL: all rows are handed out
    bool has_outputs;       // all pages of output columns are pinned
    uint32_t next_row;      // first row of the next window
    uint32_t windows_sampled;

    // Survivors not handed out yet: rows queue_base + queue[i].
    uint32_t queue_base;
    uint32_t queue_count;
    uint32_t dense_count;   // a whole window at dense_first waits behind the queue; 0: none
    uint32_t dense_first;
    uint16_t queue[BR_SCAN_QUEUE_MAX];
};

// The filters of the rows first..first+count, ANDed into `selected` (scan_filter.c).
BR_CHECKED br_status br_scan_run_filters(br_scan *scan, uint32_t first, uint32_t count,
                                         uint64_t *selected, br_error *err);
// Decides what the filters leave of the current chunk by its statistics; sets zones, is_active and
// passing_zones, and the order.
void br_scan_prune(br_scan *scan);
// Takes zones out of scan->zones whose statistics tell all that is wanted (scan_sum.c).
void br_scan_sum_zones(br_scan *scan);
// Hands out rows first..first+count whole, or base+positions[i] (scan_output.c).
typedef struct br_scan_rows {
    uint32_t first;
    uint32_t count;
    const uint16_t *positions;  // NULL: all of them
} br_scan_rows;
BR_CHECKED br_status br_scan_emit(br_scan *scan, br_scan_rows rows, br_batch *batch_out,
                                  br_error *err);
// Pins pages: those of active filters, or those of outputs too.
BR_CHECKED br_status br_scan_pin(br_scan *scan, bool with_outputs, br_error *err);

#endif
