// catalog.h - which segments and masks make up the tables: a small SQLite database, catalog.db.
//
// What it names is complete and fsynced before it is named. A commit writes the difference between
// two snapshots in one SQLite transaction (WAL, synchronous=FULL): a crash leaves one or the other.
//
//     watermark  one row: where capture stands, and the next segment id
//     table      one row per table, in order; column: its column names
//     segment    one row per segment, in order within its table; a layout if that was altered
//     mask       one row per chunk with dead rows; bytes as br_mask_store makes them
//
// Ownership: what is read lives in the arena given.
// Threads:   one thread.
// Errors:    whatever SQLite finds wrong with the file is BR_CORRUPT naming it. Values are only
//            checked for their type and range here; the store checks them against the segments.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_CATALOG_H
#define BR_COLUMNAR_CATALOG_H

#include "columnar/snapshot.h"

typedef struct br_catalog br_catalog;

typedef struct br_catalog_segment {
    uint64_t segment_id;
    uint32_t table_id;
    uint32_t layout_bytes;
    const uint8_t *layout;  // NULL: the columns of the file
} br_catalog_segment;

typedef struct br_catalog_mask {
    uint64_t segment_id;
    uint32_t chunk;
    uint32_t dead_count;
    const uint8_t *bytes;
    uint32_t size_bytes;
} br_catalog_mask;

typedef struct br_catalog_state {
    br_watermark watermark;
    uint64_t next_segment_id;
    br_table_spec *tables;         // in order
    br_catalog_segment *segments;  // by table, in order
    br_catalog_mask *masks;        // by segment and chunk
    uint32_t table_count, segment_count, mask_count;
} br_catalog_state;

bool br_catalog_exists(const char *folder);
// Creates the database unless `read_only`.
BR_CHECKED br_status br_catalog_open(const char *folder, bool read_only, const br_file_hook *hook,
                                     br_catalog **catalog_out, br_error *err);
void br_catalog_close(br_catalog *catalog);  // NULL is a no-op
const char *br_catalog_path(const br_catalog *catalog);

BR_CHECKED br_status br_catalog_read(br_catalog *catalog, br_arena *arena,
                                     br_catalog_state *state_out, br_error *err);

typedef struct br_catalog_change {
    const br_snapshot *before;  // what the catalog says; NULL: nothing
    const br_snapshot *after;
    uint64_t next_segment_id;
} br_catalog_change;

// *maybe_out is true when the commit itself failed: a crash may yet make it valid.
BR_CHECKED br_status br_catalog_commit(br_catalog *catalog, br_catalog_change change,
                                       bool *maybe_out, br_error *err);

#endif
