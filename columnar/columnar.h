// columnar.h - tables made of immutable segments plus a delta; versions, snapshots, scans.
//
//     store                 the folder app.db-braid/: segment files and catalog.db
//       table               one mirrored SQLite table
//         version           immutable: [segment + delete masks]... + delta length + its masks
//     snapshot              one version of every table at one commit point
//
// One writer applies changes (cdc/): it opens an apply, deletes and appends rows in memory, and
// publishes new versions of all touched tables at once. Readers take snapshots; they never wait and
// keep what they began with. Nothing is durable until a checkpoint: segments and masks are written
// and fsynced, then one SQLite transaction in catalog.db names them together with the watermark.
//
// Rows carry a hidden key column, the rowid, stored as the last column of each segment. Tables
// without rowids (key_kind BR_KEY_NONE) number their rows themselves and are only ever replaced
// as a whole.
//
// Invariants:
//   1. A key has at most one live row in a version.
//   2. Segments are sorted by key; a delta is in arrival order.
//   3. The catalog names only files that are complete and fsynced; files it does not name are
//      removed at open.
//   4. A published version never changes again.
//
// Ownership: the store owns its tables; snapshots are counted references and must be dropped before
//            the store is closed. What a scan hands out borrows from it, see br_scan_next.
// Threads:   one writer, many readers. br_store_checkpoint and br_store_compact are for the writer.
// Errors:    a failed apply or checkpoint leaves published versions and catalog as they were.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_COLUMNAR_H
#define BR_COLUMNAR_COLUMNAR_H

#include "base/batch.h"
#include "base/column.h"
#include "base/io_ring.h"
#include "base/task_pool.h"
#include "format/format.h"

// ---- store -----------------------------------------------------------------------------------

typedef enum br_key_kind { BR_KEY_ROWID, BR_KEY_NONE } br_key_kind;

enum { BR_COLUMNS_MAX = 2000, BR_TABLES_MAX = 65536 };

// Where capture stands; opaque to columnar/, which makes it durable with the data it describes.
typedef struct br_watermark {
    uint64_t seq;             // changes up to this one are in
    int64_t schema_cookie;    // PRAGMA schema_version of what was read
    uint8_t lineage[16];      // which SQLite file this is a copy of
    uint8_t checkpoint_id[16];  // also written into the SQLite file: tells a restored backup
} br_watermark;

typedef struct br_table_spec {
    uint32_t table_id;   // given by the caller, unique, never reused
    const char *name;
    const char *definition;  // the CREATE TABLE text this copy was read under; opaque
    br_key_kind key_kind;
    uint32_t column_count;   // without the key column
    const char *const *column_names;
    int64_t hi;              // high-water rowid that is in; opaque
} br_table_spec;

typedef struct br_store_config {
    const char *folder;          // app.db-braid
    const br_format_kernels *kernels;
    br_task_pool *pool;          // used by checkpoint, compaction and bulk loads; borrowed
    br_quota *quota;             // memory of deltas and cached pages; borrowed
    size_t page_cache_bytes;     // encoded pages kept in memory beyond this are let go
    br_io_mode io_mode;
    bool read_only;              // another process maintains the folder: never write to it
    const br_file_hook *hook;    // may be NULL
} br_store_config;

typedef struct br_store br_store;
typedef struct br_table br_table;

// Opens or creates the folder. What is damaged there (catalog or a footer) is reported as
// BR_CORRUPT naming the file; the caller may br_folder_remove and open again.
BR_CHECKED br_status br_store_open(const br_store_config *config, br_store **store_out,
                                   br_error *err);
void br_store_close(br_store *store);  // without a checkpoint; NULL is a no-op
// Has it no table left, and does no snapshot use what it had?
bool br_store_is_deserted(br_store *store);
// Tests the invariants above on the published versions, by reading every key: for tests and for
// `braid verify`. BR_INTERNAL tells which is broken.
BR_CHECKED br_status br_store_check(br_store *store, br_error *err);
br_watermark br_store_watermark(const br_store *store);  // of the published versions

// Writer side: the tables as of the last publish (or, inside an apply, with its changes).
uint32_t br_store_table_count(const br_store *store);
br_table *br_store_table_at(br_store *store, uint32_t index);
br_table *br_store_find(br_store *store, uint32_t table_id);  // NULL: no such table
// Valid until the next change of the table or publish.
const br_table_spec *br_table_get_spec(const br_table *table);
uint64_t br_table_rows(const br_table *table);  // live ones

// ---- applying changes ------------------------------------------------------------------------

typedef struct br_apply br_apply;

// One apply at a time. Changes are invisible to new snapshots until br_apply_publish. After a
// failed call an apply may be half changed: abandon it. Tables of BR_KEY_NONE number their rows as
// they are appended, whatever key is given, and take no deletes by key.
BR_CHECKED br_status br_apply_begin(br_store *store, br_apply **apply_out, br_error *err);
BR_CHECKED br_status br_apply_add_table(br_apply *apply, const br_table_spec *spec, br_error *err);
BR_CHECKED br_status br_apply_drop_table(br_apply *apply, uint32_t table_id, br_error *err);
// How a table is altered: column i is what column from[i] was, or it is new (BR_COLUMN_ABSENT) and
// rows that exist have values[i]. `values` may be NULL when no column is new.
#define BR_COLUMN_ABSENT UINT32_MAX  // too large for an enumerator
typedef struct br_reshape {
    uint32_t column_count;
    const uint32_t *from;
    const br_value *values;
} br_reshape;
bool br_reshape_is_identity(const br_reshape *reshape, uint32_t column_count_before);
// Takes ALTER TABLE over: the table with the id of `spec` gets its name, definition and columns and
// keeps its rows, key kind and hi. No file is rewritten. To be called before the table's other
// changes.
BR_CHECKED br_status br_apply_reshape(br_apply *apply, const br_table_spec *spec,
                                      const br_reshape *reshape, br_error *err);
BR_CHECKED br_status br_apply_set_hi(br_apply *apply, uint32_t table_id, int64_t hi, br_error *err);
BR_CHECKED br_status br_apply_truncate(br_apply *apply, uint32_t table_id, br_error *err);
// Deletes the live row with this key, if there is one.
BR_CHECKED br_status br_apply_delete(br_apply *apply, uint32_t table_id, int64_t key,
                                     br_error *err);
// The same for many keys (any order), in one pass over the segments.
BR_CHECKED br_status br_apply_delete_keys(br_apply *apply, uint32_t table_id, const int64_t *keys,
                                          size_t key_count, br_error *err);
BR_CHECKED br_status br_apply_delete_above(br_apply *apply, uint32_t table_id, int64_t key,
                                           br_error *err);
// `values` has one value per column of the spec; bytes are copied. The key must not be live.
BR_CHECKED br_status br_apply_append(br_apply *apply, uint32_t table_id, int64_t key,
                                     const br_value *values, br_error *err);
// Publishes new versions of everything touched, atomically, under `watermark`; frees the apply, and
// abandons it on failure.
BR_CHECKED br_status br_apply_publish(br_apply *apply, const br_watermark *watermark,
                                      br_error *err);
void br_apply_abandon(br_apply *apply);  // nothing happened; NULL is a no-op

// First mirroring: encodes whole chunks straight into segment files, from any number of threads.
// Chunks of one load may be added in any order; `order` (0, 1, 2, ...) says where each belongs, and
// keys must ascend with it. The load becomes part of the apply; the table must be empty. A
// read-only store takes no loads (BR_READONLY), only appends.
typedef struct br_load br_load;
BR_CHECKED br_status br_load_begin(br_apply *apply, uint32_t table_id, br_load **load_out,
                                   br_error *err);
// `columns` are the spec's columns plus the key column (INT), equally long: 1..BR_CHUNK_ROWS rows.
// Threads: any number at once.
BR_CHECKED br_status br_load_add_chunk(br_load *load, uint32_t order, const br_column *columns,
                                       br_error *err);
// Frees the load, also on failure.
BR_CHECKED br_status br_load_finish(br_load *load, br_error *err);
void br_load_abandon(br_load *load);

// ---- durability ------------------------------------------------------------------------------

// Writes deltas as segments and commits catalog.db with the published watermark, but with the
// checkpoint_id given. After it returns BR_OK a reopen gives exactly the published versions.
BR_CHECKED br_status br_store_checkpoint(br_store *store, const uint8_t checkpoint_id[16],
                                         br_error *err);
// The same in steps, so that the writer can go on during the long one. Begin and commit are the
// writer's, outside of an apply; write is for any thread meanwhile. What is published until the
// commit stays published on top of the new segments, and is not durable. One checkpoint or
// compaction at a time. Commit frees it, also on failure.
typedef struct br_checkpoint br_checkpoint;
BR_CHECKED br_status br_checkpoint_begin(br_store *store, br_checkpoint **checkpoint_out,
                                         br_error *err);
BR_CHECKED br_status br_checkpoint_write(br_checkpoint *checkpoint, br_error *err);
BR_CHECKED br_status br_checkpoint_commit(br_checkpoint *checkpoint,
                                          const uint8_t checkpoint_id[16], br_error *err);
void br_checkpoint_abandon(br_checkpoint *checkpoint);  // NULL is a no-op
br_watermark br_store_durable_watermark(const br_store *store);  // of what the catalog names
// Merges small or much-deleted segments (re-encoded with BR_ENCODE_SMALL) and commits. Rewrites
// at most what one call can do in a few seconds; *did_work_out is false when nothing is left to do.
BR_CHECKED br_status br_store_compact(br_store *store, bool *did_work_out, br_error *err);
// The same in steps, as for a checkpoint; *compaction_out is NULL when nothing is left to do.
// Commit frees it; *did_work_out is false when what was published meanwhile makes it useless.
typedef struct br_compaction br_compaction;
BR_CHECKED br_status br_compaction_begin(br_store *store, br_compaction **compaction_out,
                                         br_error *err);
BR_CHECKED br_status br_compaction_write(br_compaction *compaction, br_error *err);
BR_CHECKED br_status br_compaction_commit(br_compaction *compaction, bool *did_work_out,
                                          br_error *err);
void br_compaction_abandon(br_compaction *compaction);  // NULL is a no-op
// True when deltas are big enough that a checkpoint pays.
bool br_store_wants_checkpoint(const br_store *store);
uint64_t br_store_delta_bytes(const br_store *store);  // memory that all deltas take, about

// ---- snapshots -------------------------------------------------------------------------------

typedef struct br_snapshot br_snapshot;
typedef struct br_table_view br_table_view;  // one table in a snapshot; lives as long as it

br_snapshot *br_snapshot_acquire(br_store *store);  // never fails, never waits
void br_snapshot_drop(br_snapshot *snapshot);       // NULL is a no-op
br_watermark br_snapshot_watermark(const br_snapshot *snapshot);
uint64_t br_snapshot_version(const br_snapshot *snapshot);  // changes with every publish
uint32_t br_snapshot_table_count(const br_snapshot *snapshot);
const br_table_view *br_snapshot_table_at(const br_snapshot *snapshot, uint32_t index);
// Case-insensitive, as SQLite's names are. NULL: not mirrored.
const br_table_view *br_snapshot_find(const br_snapshot *snapshot, const char *table_name);

// As of the last publish; NULL: the table was added by the apply in progress.
const br_table_view *br_table_published(const br_table *table);
const br_table_spec *br_table_view_spec(const br_table_view *view);
uint64_t br_table_view_rows(const br_table_view *view);       // live rows
uint64_t br_table_view_delta_rows(const br_table_view *view); // of them in the delta
uint32_t br_table_view_chunks(const br_table_view *view);     // morsels: of segments, then of delta
uint32_t br_table_view_chunk_rows(const br_table_view *view, uint32_t chunk);  // dead ones included
uint32_t br_table_view_segments(const br_table_view *view);
uint64_t br_table_view_raw_bytes(const br_table_view *view);
uint64_t br_table_view_stored_bytes(const br_table_view *view);
// Statistics of a column over all rows, dead ones included (so bounds may be wide, never narrow).
// `column` == column_count is the key. distinct_estimate is over the table.
const br_zone_stats *br_table_view_stats(const br_table_view *view, uint32_t column);
// The most frequent values of a column, among the rows that are in segments (row_count of it; dead
// ones included).
const br_common_values *br_table_view_common(const br_table_view *view, uint32_t column);
// Bytes stored of a column, and a text like "bitpack 40, rle 2" for status output.
uint64_t br_table_view_column_bytes(const br_table_view *view, uint32_t column);
BR_CHECKED br_status br_table_view_encodings(const br_table_view *view, uint32_t column,
                                             br_arena *arena, const char **text_out, br_error *err);
// Reads every page of the view and verifies it; damaged sketches are reported too.
BR_CHECKED br_status br_table_view_verify(const br_table_view *view, br_error *err);

// ---- scans -----------------------------------------------------------------------------------

#define BR_SCAN_KEY UINT32_MAX  // as a column: the key (rowid); too large for an enumerator

typedef struct br_scan_column {
    uint32_t column;
    br_class class_;  // class of the vectors to hand out; BR_ANY or covering what the stats show
} br_scan_column;

typedef struct br_scan_filter {
    uint32_t column;
    br_filter filter;
} br_scan_filter;

typedef struct br_scan_request {
    const br_scan_column *columns;  // what batches hold, in this order; may be empty (counting)
    uint32_t column_count;
    const br_scan_filter *filters;  // ANDed; evaluated cheapest and most selective first
    uint32_t filter_count;
    const bool *bounds;  // not NULL: see br_scan_summary; per column: are its bounds wanted?
    bool no_times;  // TEXT comes as texts, never as DATE or DATETIME
} br_scan_request;

typedef struct br_scan br_scan;  // the state of one worker

// The request and its filters are borrowed until close.
BR_CHECKED br_status br_scan_open(const br_table_view *view, const br_scan_request *request,
                                  uint32_t worker, br_quota *quota, br_scan **scan_out,
                                  br_error *err);
void br_scan_close(br_scan *scan);
// Goes to the start of a chunk (morsel). Zones that no row can pass are skipped.
BR_CHECKED br_status br_scan_seek(br_scan *scan, uint32_t chunk, br_error *err);
// The next rows of the chunk that are live and pass all filters, dense, in order; row_count 0 at
// the end of the chunk. Vectors live until the next call of next or seek; dictionaries and text
// bytes until the next seek. A vector of only NULLs may be of class BR_NULL whatever was asked for.
BR_CHECKED br_status br_scan_next(br_scan *scan, br_batch *batch_out, br_error *err);
// Live rows of the chunk that pass all filters, when that can be told without reading pages. A scan
// that was somewhere must seek again afterwards.
bool br_scan_count(br_scan *scan, uint32_t chunk, uint64_t *row_count_out);
// With request->bounds: rows of the chunk sought that br_scan_next does not hand out, because
// statistics tell all that is wanted of them: how many there are and how many NULLs, and the exact
// bounds of columns that want them, which hold nothing but INT or nothing but REAL. The statistics
// (one per column) live until the next seek.
typedef struct br_scan_sum {
    uint64_t row_count;
    const br_zone_stats *columns;
} br_scan_sum;
br_scan_sum br_scan_summary(const br_scan *scan);
// Cumulative, for EXPLAIN ANALYZE.
typedef struct br_scan_stats {
    uint64_t rows_read, rows_passed, zones_read, zones_pruned, pages_loaded, bytes_loaded;
} br_scan_stats;
br_scan_stats br_scan_get_stats(const br_scan *scan);

#endif
