// segment.h - one immutable segment file, opened.
//
// Columns are those of the table, the key column last. Chunks have 1..BR_CHUNK_ROWS rows; rows are
// sorted by key over the whole segment.
//
// After ALTER TABLE the same file is shown through a segment *reshaped* by a layout: its columns
// are some of the file's, and constants. A constant has pages like any other column, but they are
// made in memory and belong to the segment, not to the cache; scans notice no difference.
//
// Ownership: counted references. A reshaped segment holds the one of its file. When the last
//            reference goes, the pages leave the cache and, unless the catalog names the segment,
//            the file is removed.
// Threads:   immutable but for the page slots (page_cache.h) and is_named, which the writer sets.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_SEGMENT_H
#define BR_COLUMNAR_SEGMENT_H

#include <stdatomic.h>

#include "columnar/segment_layout.h"
#include "columnar/page_cache.h"
#include "format/format.h"

enum { BR_SEGMENT_CHUNKS_MAX = 64 };  // 4 M rows: a unit of compaction that takes seconds

// One column in all chunks.
typedef struct br_segment_column {
    br_page_slot *slots;           // [chunk]
    const br_page_entry *entries;  // [chunk]
    const br_sketch *sketch;       // NULL: nothing is known
    bool is_constant;              // not of the file
} br_segment_column;

typedef struct br_constant_pages br_constant_pages;  // of all constants of a reshaped segment

typedef struct br_segment {
    _Atomic uint32_t refs;
    // By the catalog, or possibly so after a failed commit: keep the file. Not of a reshaped one.
    _Atomic bool is_named;
    bool keep_file;         // somebody else maintains the folder
    uint64_t segment_id;
    uint32_t column_count;  // with the key
    uint32_t chunk_count;
    uint64_t row_count;
    uint64_t raw_bytes;
    uint64_t stored_bytes;
    int64_t key_min, key_max;
    br_segment_reader *reader;
    br_page_cache *cache;
    const br_file_hook *hook;
    char *path;
    br_page_slot *slots;    // [column * chunk_count + chunk] of the file
    br_segment_column *columns;
    br_zone_stats *stats;   // [column], over all chunks
    // Of a reshaped segment, which borrows reader, cache and path from `file`; NULL otherwise.
    struct br_segment *file;
    br_segment_layout *layout;
    br_constant_pages *constants;
} br_segment;

typedef struct br_segment_source {
    const char *folder;
    uint64_t segment_id;
    br_page_cache *cache;
    const br_file_hook *hook;
    bool keep_file;
} br_segment_source;

// `app.db-braid/<16 hex digits>.brd` as heap text; NULL when there is no memory.
char *br_segment_path(const char *folder, uint64_t segment_id);
// True when `name` is that of a segment file.
bool br_segment_parse_name(const char *name, uint64_t *segment_id_out);

// Opens a file and checks what columnar/ relies on: the id, ascending integer keys.
// On failure the file stays.
BR_CHECKED br_status br_segment_open(const br_segment_source *source, bool is_named,
                                     br_segment **segment_out, br_error *err);
// The same file as a table sees it that was altered. A segment whose columns come out as those of
// the file is that of the file.
BR_CHECKED br_status br_segment_reshape(br_segment *segment, const br_reshape *reshape,
                                        br_segment **segment_out, br_error *err);
// Of a segment as it was opened, after the catalog; takes the layout over, also on failure.
BR_CHECKED br_status br_segment_new_reshaped(br_segment *file, br_segment_layout *layout,
                                             br_segment **segment_out, br_error *err);
br_segment *br_segment_acquire(br_segment *segment);
void br_segment_drop(br_segment *segment);  // NULL is a no-op

static inline br_page_slot *br_segment_slot(const br_segment *segment, uint32_t column,
                                            uint32_t chunk)
{
    return &segment->columns[column].slots[chunk];
}
static inline const br_page_entry *br_segment_entry(const br_segment *segment, uint32_t column,
                                                    uint32_t chunk)
{
    return &segment->columns[column].entries[chunk];
}
static inline br_segment *br_segment_of_file(br_segment *segment)
{
    return segment->file != NULL ? segment->file : segment;
}
static inline const br_sketch *br_segment_sketch(const br_segment *segment, uint32_t column)
{
    return segment->columns[column].sketch;
}
static inline uint32_t br_segment_chunk_rows(const br_segment *segment, uint32_t chunk)
{
    return br_segment_reader_chunk_rows(segment->reader, chunk);
}
// First chunk whose keys reach up to `key`; chunk_count when there is none.
uint32_t br_segment_find_chunk(const br_segment *segment, int64_t key);

void br_segment_free_reshaped(br_segment *segment);  // when its last reference has gone
// Sums the statistics of all chunks up. `stats` must be unset.
BR_CHECKED br_status br_segment_merge_stats(br_segment *segment, br_error *err);
// Estimate of the distinct values in the union of sets with these statistics. `sketch` is of the
// union; NULL: there is none.
uint32_t br_distinct_merge(const br_zone_stats *const *parts, uint32_t part_count,
                           const br_sketch *sketch);

#endif
