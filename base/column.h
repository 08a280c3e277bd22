// column.h - a growing column of SQLite values, up to one chunk long.
//
// What writers fill: the delta, the input of the encoders, rows read from SQLite. Three parallel
// arrays, so that an all-integer column *is* an int64 array and an all-real one a double array:
//
//     classes[row]   br_class of the value
//     payloads[row]  int64, bits of the double, or pointer to the bytes; 0 for NULL
//     sizes[row]     bytes of TEXT and BLOB, 0 for others
//
// Arrays have room for BR_CHUNK_ROWS from the start and never move (untouched pages cost no
// memory), so readers may use rows below a published count while one writer appends.
//
// Ownership: text bytes are copied in; the column owns them. Threads: one writer, many readers
// (below a row count published by the owner with release / acquire; class_mask is atomic).
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_COLUMN_H
#define BR_BASE_COLUMN_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/vector.h"

typedef struct br_column {
    uint8_t *classes;
    uint64_t *payloads;
    uint32_t *sizes;
    uint32_t row_count;
    _Atomic uint8_t class_mask;  // relaxed; a superset of the classes of published rows
    uint64_t text_bytes;         // sum of sizes
    br_arena *texts;             // the bytes of TEXT and BLOB
    br_quota *quota;             // may be NULL
    uint32_t charged_rows;       // rows of the arrays charged to the quota
} br_column;

BR_CHECKED br_status br_column_init(br_column *column, br_quota *quota, br_error *err);
void br_column_release(br_column *column);  // accepts a zeroed column
void br_column_reset(br_column *column);    // empty, keeps its memory; only when nobody reads

BR_CHECKED br_status br_column_append(br_column *column, const br_value *value, br_error *err);
br_value br_column_value(const br_column *column, uint32_t row);

// Rows first..first+count as a FLAT vector of class `class_`, which must be BR_ANY or cover the
// classes present. INT and REAL without copying; the rest is built in `arena`.
BR_CHECKED br_status br_column_slice(const br_column *column, uint32_t first, uint32_t count,
                                     br_class class_, br_arena *arena, br_vector *out,
                                     br_error *err);

#endif
