// delta.h - the newest rows of a table: uncompressed columns in memory, in arrival order.
//
// The writer appends; each version shows a prefix (`delta_rows` of the version) less the rows its
// masks declare dead. A row never moves and, once a version shows it, never changes. A checkpoint
// starts a new delta.
//
//     row r of the delta  =  row r % BR_CHUNK_ROWS of chunk r / BR_CHUNK_ROWS
//
// Invariants:
//   1. Rows that a version shows are complete in all columns; the last column is the key.
//   2. Of the rows of one key only the last one can be live.
//   3. While is_ascending, keys ascend strictly with the row.
//
// Ownership: counted references by versions and by the writer. Values are copied in.
// Threads:   one writer, many readers of published rows. The fields marked so are the writer's.
// Errors:    a failed append leaves the delta as it was.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_DELTA_H
#define BR_COLUMNAR_DELTA_H

#include <stdatomic.h>

#include "base/column.h"
#include "format/format.h"

enum { BR_DELTA_CHUNKS_MAX = 1024 };  // 67 M rows: a checkpoint is due long before

typedef struct br_delta_chunk {
    int64_t key_max;      // writer's
    br_column columns[];  // with the key
} br_delta_chunk;

// Open addressing, key -> its last row + 1 (0: empty).
typedef struct br_delta_index {
    int64_t *keys;
    uint32_t *rows;
    size_t capacity;      // a power of two
    uint32_t used;
    uint32_t row_count;   // rows of the delta that are in
} br_delta_index;

typedef struct br_delta {
    _Atomic uint32_t refs;
    uint32_t column_count;  // with the key
    br_quota *quota;
    uint32_t row_count;      // writer's, as all below but the chunks
    bool is_ascending;
    int64_t live_key_max;    // no live row has a larger key
    br_zone_stats *stats;    // [column]; may be wide after a truncation
    br_delta_index index;    // filled when first asked
    br_delta_chunk *chunks[BR_DELTA_CHUNKS_MAX];  // set once, before rows of it are published
} br_delta;

BR_CHECKED br_status br_delta_new(uint32_t column_count, br_quota *quota, br_delta **delta_out,
                                  br_error *err);
br_delta *br_delta_acquire(br_delta *delta);  // NULL gives NULL
void br_delta_drop(br_delta *delta);          // NULL is a no-op

BR_CHECKED br_status br_delta_append(br_delta *delta, int64_t key, const br_value *values,
                                     br_error *err);
// Takes back the rows from `row_count` on, which no version shows; `stats` are those published.
void br_delta_truncate(br_delta *delta, uint32_t row_count, const br_zone_stats *stats);

// The last row with this key among all appended; *found_out is false when there is none.
BR_CHECKED br_status br_delta_find(br_delta *delta, int64_t key, uint32_t *row_out,
                                   bool *found_out, br_error *err);

static inline const br_column *br_delta_column(const br_delta *delta, uint32_t chunk,
                                               uint32_t column)
{
    return &delta->chunks[chunk]->columns[column];
}
static inline int64_t br_delta_key(const br_delta *delta, uint32_t row)
{
    const br_column *keys = br_delta_column(delta, row / BR_CHUNK_ROWS, delta->column_count - 1);
    return (int64_t)keys->payloads[row % BR_CHUNK_ROWS];
}
// Rows of a chunk when `row_count` rows of the delta are shown.
static inline uint32_t br_delta_chunk_rows(uint32_t row_count, uint32_t chunk)
{
    uint32_t left = row_count - chunk * BR_CHUNK_ROWS;
    return left < BR_CHUNK_ROWS ? left : BR_CHUNK_ROWS;
}
static inline uint32_t br_delta_chunks(uint32_t row_count)
{
    return (row_count + BR_CHUNK_ROWS - 1) / BR_CHUNK_ROWS;
}
// Bytes of SQLite's own that the first `row_count` rows hold of a column; the writer's only.
uint64_t br_delta_column_bytes(const br_delta *delta, uint32_t column, uint32_t row_count);

#endif
