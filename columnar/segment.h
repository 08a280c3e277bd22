// segment.h - one immutable segment file, opened.
//
// Columns are those of the table, the key column last. Chunks have 1..BR_CHUNK_ROWS rows; rows are
// sorted by key over the whole segment.
//
// Ownership: counted references. When the last one goes, the pages leave the cache and, unless the
//            catalog names the segment, the file is removed.
// Threads:   immutable but for the page slots (page_cache.h) and is_named, which the writer sets.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_SEGMENT_H
#define BR_COLUMNAR_SEGMENT_H

#include <stdatomic.h>

#include "columnar/page_cache.h"
#include "format/format.h"

enum { BR_SEGMENT_CHUNKS_MAX = 64 };  // 4 M rows: a unit of compaction that takes seconds

typedef struct br_segment {
    _Atomic uint32_t refs;
    _Atomic bool is_named;  // by the catalog, or possibly so after a failed commit: keep the file
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
    br_page_slot *slots;    // [column * chunk_count + chunk]
    br_zone_stats *stats;   // [column], over all chunks
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
br_segment *br_segment_acquire(br_segment *segment);
void br_segment_drop(br_segment *segment);  // NULL is a no-op

static inline br_page_slot *br_segment_slot(const br_segment *segment, uint32_t column,
                                            uint32_t chunk)
{
    return &segment->slots[(size_t)column * segment->chunk_count + chunk];
}
static inline const br_page_entry *br_segment_entry(const br_segment *segment, uint32_t column,
                                                    uint32_t chunk)
{
    return br_segment_reader_entry(segment->reader, column, chunk);
}
// NULL: nothing is known.
static inline const br_sketch *br_segment_sketch(const br_segment *segment, uint32_t column)
{
    const br_sketch *sketch = br_segment_reader_sketch(segment->reader, column);
    return sketch == NULL || sketch->common.row_count == 0 ? NULL : sketch;
}
static inline uint32_t br_segment_chunk_rows(const br_segment *segment, uint32_t chunk)
{
    return br_segment_reader_chunk_rows(segment->reader, chunk);
}
// First chunk whose keys reach up to `key`; chunk_count when there is none.
uint32_t br_segment_find_chunk(const br_segment *segment, int64_t key);

// Estimate of the distinct values in the union of sets with these statistics. `sketch` is of the
// union; NULL: there is none.
uint32_t br_distinct_merge(const br_zone_stats *const *parts, uint32_t part_count,
                           const br_sketch *sketch);

#endif
