// segment_layout.h - where a segment has the columns of a table that was altered since.
//
// A segment file keeps the columns that its table had then. ALTER TABLE rewrites no file: a column
// that was added is *absent*, and the same value in every row; one that was dropped is looked at no
// more. Files whose columns are those of the table, in order, need no layout.
//
//     file       a  b  c            t(a, b, c)
//     layout     0  2  5 = absent   DROP COLUMN b; ADD COLUMN d DEFAULT 5
//
// Ownership: a layout is one heap block with the bytes of its values behind it.
// Threads:   immutable.
// On disk:   segment.layout of the catalog (docs/format.md, 5); hostile until it is loaded.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_SEGMENT_LAYOUT_H
#define BR_COLUMNAR_SEGMENT_LAYOUT_H

#include "base/bytes.h"
#include "columnar/columnar.h"

typedef struct br_segment_layout_column {
    uint32_t column;  // of the file; or BR_COLUMN_ABSENT:
    br_value value;   // what every row has
} br_segment_layout_column;

typedef struct br_segment_layout {
    uint32_t column_count;  // of the table; the key is not among them
    br_segment_layout_column columns[];
} br_segment_layout;

// The layout after an alteration; `before` is NULL for the columns of the file in order. Free it.
BR_CHECKED br_status br_segment_layout_reshape(const br_segment_layout *before,
                                               const br_reshape *reshape,
                                               br_segment_layout **layout_out, br_error *err);
void br_segment_layout_free(br_segment_layout *layout);  // NULL is a no-op
// Is it that of a file with so many columns, less the key, that needs none?
bool br_segment_layout_is_plain(const br_segment_layout *layout, uint32_t file_columns);

BR_CHECKED br_status br_segment_layout_store(const br_segment_layout *layout, br_buffer *out,
                                             br_error *err);
// *layout_out is NULL when the bytes are no layout of a file with so many columns, less the key.
BR_CHECKED br_status br_segment_layout_load(const uint8_t *bytes, size_t size_bytes,
                                            uint32_t file_columns, br_segment_layout **layout_out,
                                            br_error *err);

#endif
