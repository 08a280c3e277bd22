// segment_build.h - writing rows that lie in memory as a segment, in key order.
//
// Where the rows come from is up to the caller: a source hands out one column at a time as arrays
// by chunk, and an order says which row comes when. Deltas and compaction are sources.
//
// Ownership: the source is borrowed during the call.
// Threads:   columns are encoded by all threads of the pool, each with a worker number of its own.
// Errors:    a failed build leaves no file.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_SEGMENT_BUILD_H
#define BR_COLUMNAR_SEGMENT_BUILD_H

#include "columnar/store.h"

// A row of a source: chunk << 16 | row in the chunk.
typedef struct br_key_row {
    int64_t key;
    uint32_t row;
} br_key_row;

// Sorts by key; `scratch` has room for `count` too. Linear when there are few ascending runs.
void br_key_rows_sort(br_key_row *rows, br_key_row *scratch, size_t count);

typedef struct br_row_source {
    uint32_t column_count;  // with the key, which is the last
    uint32_t chunk_count;   // of the source
    void *context;
    // Fills chunks_out[0..chunk_count-1] with a column, valid until close_column of this worker.
    br_status (*open_column)(void *context, uint32_t worker, uint32_t column,
                             const br_column **chunks_out, br_error *err);
    void (*close_column)(void *context, uint32_t worker);  // also after a failed open_column
} br_row_source;

typedef struct br_build_rows {
    const br_key_row *rows;  // ascending keys
    uint64_t count;          // 1..BR_SEGMENT_CHUNKS_MAX chunks full
    br_encode_effort effort;
} br_build_rows;

BR_CHECKED br_status br_segment_build(br_store *store, const br_row_source *source,
                                      br_build_rows rows, br_segment **segment_out, br_error *err);

// Encoded pages, [chunk * column_count + column].
typedef struct br_encoded {
    uint32_t column_count;
    uint32_t chunk_count;
    br_buffer *pages;
    br_page_entry *entries;
    br_sketch *sketches;  // none of the keys, which are all different
} br_encoded;

BR_CHECKED br_status br_encoded_init(br_encoded *encoded, uint32_t column_count,
                                     uint32_t chunk_count, br_error *err);
// `page` is the place in the arrays.
BR_CHECKED br_status br_encoded_page(br_encoded *encoded, size_t page, const br_column *values,
                                     br_encode_effort effort, br_error *err);
void br_encoded_release(br_encoded *encoded);  // accepts a zeroed one

// Writes the pages of several encoded parts, one after the other, as a segment; fsynced and opened.
// The parts are released as they go, for the writer has a copy.
BR_CHECKED br_status br_segment_write(br_store *store, br_encoded *parts, uint32_t part_count,
                                      br_segment **segment_out, br_error *err);

#endif
