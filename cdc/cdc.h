// cdc.h - moves committed changes from SQLite to the columnar store, exactly once.
//
// The model (docs/cdc.md): each table has a high-water rowid `hi` in SQLite's _braid_table. Rows
// above `hi` are found by a range scan; changes of rows at or below it are logged by triggers as
// keys in _braid_log(seq, table_id, key). A sync raises `hi`, then in ONE read transaction reads
// the schema cookie, the log above the watermark, and all rows above the previous `hi`:
//
//     live rows = rows(previous) - {logged keys} - {key > previous hi} + current rows of both sets
//
// so a sync is idempotent and its result is the database at exactly that commit point. No read
// transaction stays open afterwards.
//
// A capture either maintains the folder (holds its lock; raises hi, checkpoints, prunes the log) or
// follows: same syncs, in its own memory only.
//
// Ownership: borrows the store. Threads: locked (its own locks; one sync at a time, later callers
// that find it fresh return at once; checkpoints and compaction beside it).
// Errors: a failed sync leaves the published versions; the next one starts over from the same
// watermark.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_CDC_CDC_H
#define BR_CDC_CDC_H

#include "columnar/columnar.h"
#include "oltp/oltp.h"

typedef struct br_cdc br_cdc;

// How far long work is.
typedef struct br_cdc_work {
    const char *what;     // "mirroring", "verifying", "compacting"
    const char *table;    // NULL: none in particular
    uint64_t rows_done, rows_total;  // the total is an estimate; 0: unknown
    bool is_done;         // the last call about this work
} br_cdc_work;

typedef struct br_cdc_config {
    const char *path;  // the SQLite file
    uint32_t busy_timeout_ms;
    bool read_only;              // the SQLite file may only be read
    br_store_config store;       // how to open the columnar folder (path + "-braid")
    const char *const *exclude;  // tables not to mirror, NULL-terminated; may be NULL
    br_oltp_functions *functions;  // of the application, which tables may use; may be NULL
    // Called every few thousand rows of long work, by one thread at a time and with locks held;
    // false ends the work with BR_INTERRUPTED. NULL: nobody asks.
    bool (*go_on)(void *context, const br_cdc_work *work);
    void *go_on_context;
} br_cdc_config;

typedef struct br_cdc_status {
    bool is_maintainer;
    uint64_t seq;  // watermark of the published versions
    uint64_t sync_count;
    uint64_t rows_read;     // from SQLite, since open
    uint64_t synced_at_ns;  // br_clock_ns when the last sync's read transaction began
    uint64_t checkpoint_count;
    uint32_t table_count;  // mirrored
    uint32_t blind_count;  // of them not captured: read again whenever the file changes
    uint64_t hold_count, long_hold_count;  // how often we had SQLite's write lock; for over 2 ms
    uint64_t hold_ns_max;
} br_cdc_status;

typedef struct br_background_status {
    bool is_running;
    uint32_t interval_ms;
    uint32_t backoff_ms;  // how long it waits after failures instead; 0: the last round was good
    uint64_t round_count;
    uint64_t failure_count;  // in a row
    char message[256];       // of the last failure; "": there was none
} br_background_status;

// Opens store and file, installs capture, decides whether the copy can be continued (lineage, seq,
// hi, checkpoint id) or is re-read, and mirrors what is missing, on all threads of the pool.
// A damaged folder is removed and rebuilt.
BR_CHECKED br_status br_cdc_open(const br_cdc_config *config, br_cdc **cdc_out, br_error *err);
// Checkpoints (when maintainer) and closes the store.
void br_cdc_close(br_cdc *cdc);

// Brings the store up to everything committed before the call. Cheap when nothing has changed.
BR_CHECKED br_status br_cdc_sync(br_cdc *cdc, br_error *err);
// As sync, but allowed to skip when the last sync began less than max_lag_ms ago.
BR_CHECKED br_status br_cdc_sync_within(br_cdc *cdc, uint64_t max_lag_ms, br_error *err);
// The file's segments are written while syncs go on. Prunes the log too.
BR_CHECKED br_status br_cdc_checkpoint(br_cdc *cdc, br_error *err);
// The checkpoint, or a follower's new look at the folder, that a sync has found to be due, if any.
BR_CHECKED br_status br_cdc_maintain(br_cdc *cdc, br_error *err);
BR_CHECKED br_status br_cdc_compact(br_cdc *cdc, bool *did_work_out, br_error *err);
// Is the snapshot of that version what a strict query would see? For a caller that keeps others
// from committing. Never waits: false when that cannot be told at once.
bool br_cdc_is_current(br_cdc *cdc, uint64_t snapshot_version);
br_cdc_status br_cdc_get_status(br_cdc *cdc);
// Changes that are committed and not in the published versions: log records, and new rows by their
// largest keys; at least 1 after any commit. Waits for a sync that runs.
BR_CHECKED br_status br_cdc_measure_lag(br_cdc *cdc, uint64_t *changes_out, br_error *err);

// A mark in the log: its seq is beyond everything committed before the call, so a copy that holds
// it holds all of that. Waits for SQLite's write lock, up to the busy timeout.
BR_CHECKED br_status br_cdc_mark(br_cdc *cdc, uint64_t *seq_out, br_error *err);

// A thread that syncs every interval_ms (1 and more) and does what br_cdc_maintain and
// br_cdc_compact do, so that other syncs do not. Starting again changes the interval.
BR_CHECKED br_status br_cdc_background_start(br_cdc *cdc, uint32_t interval_ms, br_error *err);
void br_cdc_background_stop(br_cdc *cdc);  // returns when the thread has ended
br_background_status br_cdc_background_status(br_cdc *cdc);

// The schema as of the published versions, for binding (views, affinities, collations). Counted:
// give it back. Never NULL after open.
typedef struct br_schema_ref br_schema_ref;
const br_schema_ref *br_cdc_schema_acquire(br_cdc *cdc);
void br_cdc_schema_retain(const br_schema_ref *ref);  // one more reference
void br_cdc_schema_drop(const br_schema_ref *ref);
const br_schema *br_schema_ref_get(const br_schema_ref *ref);
// A snapshot and the schema it was read under, consistent with each other.
void br_cdc_snapshot(br_cdc *cdc, br_snapshot **snapshot_out, const br_schema_ref **schema_out);

// Makes a table temporal, changes for how long its history is kept, or goes on with one that was
// ended. Ending one keeps what is known, or throws it away. Any process may.
BR_CHECKED br_status br_cdc_begin_history(br_cdc *cdc, const char *table,
                                          const br_history_options *options, br_error *err);
BR_CHECKED br_status br_cdc_end_history(br_cdc *cdc, const char *table, bool keeps_history,
                                        br_error *err);

// Compares every mirrored table with SQLite row by row at one commit point; the first difference is
// BR_CORRUPT naming table, rowid and column.
BR_CHECKED br_status br_cdc_check(br_cdc *cdc, uint64_t *rows_out, br_error *err);
// Throws the copy away and mirrors everything anew.
BR_CHECKED br_status br_cdc_rebuild(br_cdc *cdc, br_error *err);
// Removes triggers and _braid_* tables from the file, and the folder; for a closed database.
BR_CHECKED br_status br_cdc_detach(const char *path, uint32_t busy_timeout_ms, br_error *err);

#endif
