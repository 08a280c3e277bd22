// segment.h - the fixed parts of a segment file; private to format/.
//
//     0                header, 64 bytes
//     ...              columns one after the other; one of 4 KiB or more starts at a multiple of
//                      4 KiB, a smaller one at a multiple of 64; in it the pages of its chunks,
//                      each at a multiple of 64
//     ...              sketches, when there are any: sketch.h
//     footer_offset    footer (at a multiple of 64): header, rows per chunk, page entries, zones
//     size - 64        tail, 64 bytes
//
// Field tables are with the writer of each part (footer.c) and in docs/format.md.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_SEGMENT_H
#define BR_FORMAT_SEGMENT_H

#include "format/encoding.h"

enum {
    BR_SEGMENT_VERSION = 1,
    BR_SEGMENT_HEADER_BYTES = 64,
    BR_SEGMENT_TAIL_BYTES = 64,
    BR_SEGMENT_PAGE_ALIGNMENT = 64,      // one cache line
    BR_SEGMENT_COLUMN_ALIGNMENT = 4096,  // what O_DIRECT reads need
    BR_SEGMENT_CHUNKS_MAX = 64,
    BR_SEGMENT_COLUMNS_MAX = 32768,      // SQLite's own limit is 32,767, and one for the key
};

#define BR_SEGMENT_MAGIC "BRAIDSEG"

typedef struct br_segment_header {
    uint64_t segment_id;
    uint32_t column_count;
} br_segment_header;

typedef struct br_segment_tail {
    uint64_t footer_offset, footer_bytes, footer_checksum;
    uint64_t file_bytes;
    uint64_t segment_id;
} br_segment_tail;

// A block behind the pages that a reader may do without: its place is not checked by the footer's
// reader. Size 0: there is none.
typedef struct br_segment_extra {
    uint64_t offset, size_bytes, checksum;
} br_segment_extra;

// What the footer says, in memory.
typedef struct br_segment_footer {
    uint64_t segment_id, row_count;
    uint32_t column_count, chunk_count;
    uint32_t *chunk_rows;
    br_page_entry *entries;  // [column * chunk_count + chunk]
    br_segment_extra sketches;
} br_segment_footer;

void br_segment_header_write(const br_segment_header *header,
                             uint8_t bytes_out[BR_SEGMENT_HEADER_BYTES]);
void br_segment_tail_write(const br_segment_tail *tail, uint8_t bytes_out[BR_SEGMENT_TAIL_BYTES]);
BR_CHECKED br_status br_segment_footer_append(const br_segment_footer *footer, br_buffer *out,
                                              br_error *err);

// These check everything that can be checked without the pages. `path` names the file in messages.
BR_CHECKED br_status br_segment_header_read(const uint8_t bytes[BR_SEGMENT_HEADER_BYTES],
                                            const char *path, br_segment_header *header_out,
                                            br_error *err);
BR_CHECKED br_status br_segment_tail_read(const uint8_t bytes[BR_SEGMENT_TAIL_BYTES],
                                          uint64_t file_bytes, const char *path,
                                          br_segment_tail *tail_out, br_error *err);
// The arrays are from the heap and the caller's to release, also after a failure.
BR_CHECKED br_status br_segment_footer_read(const uint8_t *bytes, const br_segment_tail *tail,
                                            const char *path, br_segment_footer *footer_out,
                                            br_error *err);
void br_segment_footer_release(br_segment_footer *footer);
br_status br_segment_corrupt(const char *path, br_error *err, const char *what, uint64_t found,
                             uint64_t want);

#endif
