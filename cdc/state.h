// state.h - the inside of a br_cdc: connections, mirrors, the store being written.
//
//     mirror   one SQLite table and how its changes are found
//     set      the mirrors of one schema; rebuilt when the schema cookie changes
//     pass     one read transaction and the apply made from it
//
// Lock order: folder_lock, sync_lock, publish_lock. folder_lock is for who writes the folder, which
// may take long; passes go on meanwhile. sync_lock covers everything but the fields said to be
// under another; those of publish_lock are written with both held, so a syncing thread may read
// them.
//
// Invariants:
//   1. What a mirror says of the store (is_known, hi, has_tail) is as of the last publish.
//   2. Every row of the published version with a key at or below `hi` is as SQLite had it at the
//      watermark, and so are the rows above it.
//   3. A durable copy names a checkpoint id that _braid_meta names too, or it is not used.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_CDC_STATE_H
#define BR_CDC_STATE_H

#include "base/file.h"
#include "base/thread.h"
#include "cdc/cdc.h"

struct br_schema_ref {
    _Atomic uint32_t refs;
    br_arena *arena;
    br_schema schema;
};

typedef enum br_mirror_mode {
    BR_MIRROR_KEYS,   // triggers log the keys that change at or below hi
    BR_MIRROR_DIRTY,  // triggers log that something changed
    BR_MIRROR_BLIND,  // nothing tells: it is read again whenever the file has changed
} br_mirror_mode;

typedef struct br_mirror {
    uint32_t table_id;
    br_mirror_mode mode;
    const br_schema_table *table;
    const char *definition;  // of the copy: the CREATE text and which columns are left out
    const char *key;  // SQL name of the rowid; NULL: has none that can be named
    const char *select_range, *select_max, *select_next;  // SQL; the last two need a key
    br_oltp_statement *range;                             // on the reader

    bool is_known;  // the store holds its rows
    bool has_tail;  // the store may hold rows above hi
    int64_t hi;
    bool is_loose;  // rows that REPLACE deletes may be missing in the log, for lack of triggers

    // What was changed in the schema since the last publish (alter.c).
    int64_t moved;            // how often: by the cookie, less what we did ourselves
    bool is_altered;          // the table has another name, definition or kind of key than the copy
    uint32_t *from;           // if so: the column of the copy for each of the table's,
    br_value *added;          // or, with BR_COLUMN_ABSENT, what its rows have
    int32_t unproven_column;  // up to here the columns have to be proven to be the copy's; -1: none
    bool must_count;          // rows may have been deleted without being logged

    // What the read transaction of the pass says.
    int64_t hi_now;  // KEYS: to become hi; DIRTY: 1 when changed
    int64_t max_key_now;
    int64_t max_key;  // of the published version
    bool has_rows;     // there is a largest key
    bool must_reload;  // all rows, instead of what changed
    int64_t *keys;     // logged since the watermark, at or below hi
    size_t key_count, key_capacity;
} br_mirror;

// Begins the comment in a definition that lists the columns left out.
#define BR_MIRROR_LEFT_OUT "\n-- without columns"

// One statement for the largest keys of many tables: a statement each would cost twice as much.
enum { BR_MIRROR_MAX_GROUP = 200 };

typedef struct br_mirror_set {
    int64_t cookie;         // of the schema
    br_schema_ref *schema;  // names and texts of the mirrors
    br_mirror *items;       // by table_id
    uint32_t count;
    br_oltp_statement **max_keys;  // largest keys of BR_MIRROR_MAX_GROUP mirrors with keys each
    uint32_t max_key_count;
} br_mirror_set;

typedef struct br_retired {
    struct br_retired *next;
    br_store *store;
} br_retired;

// The thread of background.c. `lock` covers all but thread; it is taken last.
typedef struct br_background {
    br_lock lock;
    br_condition wake;
    br_thread thread;
    bool is_running, is_stopping;
    uint32_t interval_ms;
    br_background_status status;
} br_background;

struct br_cdc {
    br_cdc_config config;
    char *path, *folder, *wal_path, *lock_path, *no_folder;
    char **exclude;  // ended by NULL

    br_lock folder_lock;
    br_oltp *keeper;      // folder_lock: announces, settles, prunes; made when first needed
    uint32_t prune_rows;  // folder_lock: so many records go in one transaction

    br_lock sync_lock;
    br_oltp *reader;        // of passes
    br_oltp *writer;        // NULL: the file may not be written
    br_oltp_pool *readers;  // more of them, for loads
    // Made once the _braid_* tables are there, but for the first three.
    br_oltp_statement *begin, *rollback, *cookie_of, *log_since, *table_rows;  // reader
    br_oltp_statement *take, *commit, *undo, *raise, *lower, *log_dirty;       // writer
    br_file *lock_file;  // held: we maintain the folder
    uint64_t lock_tried_ns;
    br_store *next_store;  // what passes write; becomes `store` with the next publish
    br_mirror_set set;
    bool is_set_valid;  // the set is that of `cookie`, and what it says of the store holds
    int64_t cookie;
    int64_t own_moves;       // of the cookie by what we installed since the last publish
    bool has_remade;         // triggers of tables that stayed, since then
    int64_t installed_cookie;  // of the schema that we have last looked at as the maintainer
    bool is_installed;       // the _braid_* tables are there
    bool must_reload_all;    // the copy is not one of this file
    uint32_t next_blind_id;  // for tables that _braid_table does not have; counts down
    bool is_fresh;           // `data_version` is that of the last pass
    int64_t data_version;
    uint8_t lineage[16];
    uint8_t checkpoint_id[16];  // of the durable copy; zeros: there is none
    uint64_t checkpointed_version, checkpointed_seq, checkpointed_ns;
    uint64_t checkpoint_not_before_ns;  // after one that failed
    uint64_t reopened_bytes;            // of a follower's deltas, after it last opened the folder
    bool has_reopened;                  // and these are still to be counted
    bool has_loaded;                    // segments that the catalog does not name yet
    bool is_due;                        // the folder wants br_cdc_maintain
    bool has_background;                // whose work that is
    br_capture_entry *entries;          // of the set, in its schema's arena
    uint32_t entry_count;
    uint64_t last_seq;  // the newest log record seen, and what it said
    uint32_t last_table_id;
    int64_t last_key;
    br_retired *retired;  // stores that readers may still be using
    br_cdc_work work;     // what go_on was last told; `what` NULL: no long work
    uint64_t work_unasked;  // rows since

    br_lock publish_lock;
    br_store *store;        // publish_lock
    br_schema_ref *schema;  // publish_lock
    br_cdc_status status;   // publish_lock

    br_background background;
};

// One pass.
typedef struct br_pass {
    br_cdc *cdc;
    br_oltp **readers;      // [0] is cdc->reader; all in read transactions of one commit point
    uint32_t reader_count;  // 0: no transaction is open
    int64_t data_version;
    int64_t cookie;
    uint64_t began_ns;
    uint64_t seq;  // newest in the log
    uint64_t rows_read;
    uint32_t chunks_loaded;
    br_apply *apply;
    bool has_changes;
    bool has_installed, has_raised, has_reopened;  // what is tried once per pass
} br_pass;

// ---- cdc.c ----------------------------------------------------------------------------------

static inline bool br_cdc_is_maintainer(const br_cdc *cdc)
{
    return cdc->lock_file != NULL;
}
void br_schema_ref_share(br_schema_ref *ref);
BR_CHECKED br_status br_schema_ref_new(br_schema_ref **ref_out, br_error *err);
bool br_cdc_is_excluded(const br_cdc *cdc, const br_schema_table *table);

// ---- store.c: whose folder it is ------------------------------------------------------------

// Takes the maintainer's lock if it is free and the file may be written.
BR_CHECKED br_status br_cdc_try_lock(br_cdc *cdc, br_error *err);
// Opens the folder anew into next_store, for writing when we are its maintainer. What cannot be
// used is cleared by the maintainer and ignored by others.
BR_CHECKED br_status br_cdc_open_store(br_cdc *cdc, br_error *err);
void br_cdc_retire(br_cdc *cdc, br_store *store);

// ---- install.c: what the maintainer writes into SQLite --------------------------------------

// Enters every table that is not captured as it should be. `wait` for the write lock or give up:
// *done_out is then false.
BR_CHECKED br_status br_cdc_install(br_cdc *cdc, bool wait, bool *done_out, br_error *err);
// Are there so many rows above hi, or dirty flags, that raising and lowering them pays?
bool br_cdc_wants_raise(const br_cdc *cdc);
// Raises hi to the largest keys that the set has read, if the write lock is free.
void br_cdc_raise(br_cdc *cdc);
bool br_cdc_entry_is_usable(const br_cdc *cdc, const br_capture_entry *entry, bool rowids_moved);
bool br_cdc_is_mirrored(const br_cdc *cdc, const br_schema_table *table);

// ---- mirror.c -------------------------------------------------------------------------------

// Builds the set for the schema that the pass sees.
BR_CHECKED br_status br_mirror_set_build(br_pass *pass, br_error *err);
void br_mirror_set_release(br_mirror_set *set);
br_mirror *br_mirror_find(const br_mirror_set *set, uint32_t table_id);  // NULL: none
// Reads the largest key of each mirror that has keys.
BR_CHECKED br_status br_mirror_read_max_keys(br_mirror_set *set, br_error *err);
void br_mirror_clear_keys(br_mirror_set *set);
BR_CHECKED br_status br_mirror_add_key(br_mirror *mirror, int64_t key, br_error *err);

// ---- alter.c --------------------------------------------------------------------------------

// Compares a known mirror with its copy in the store: sets what was changed in the schema. A mirror
// whose columns cannot be told, or read as they were, is not known any more. Texts go into `arena`.
BR_CHECKED br_status br_alter_compare(br_cdc *cdc, br_mirror *mirror, br_arena *arena,
                                      br_error *err);
bool br_alter_is_same(const br_table_spec *spec, const br_mirror *mirror);
// Proves what has to be, when the log has been read; or the mirror must be reloaded.
BR_CHECKED br_status br_alter_prove(const br_cdc *cdc, br_mirror *mirror, br_error *err);
// Has the draft as many rows as SQLite's table?
BR_CHECKED br_status br_alter_has_all_rows(const br_pass *pass, const br_mirror *mirror,
                                           bool *has_out, br_error *err);

// ---- pass.c, read.c, load.c -----------------------------------------------------------------

// Everything committed before the call is in the published versions when it returns BR_OK.
BR_CHECKED br_status br_cdc_sync_locked(br_cdc *cdc, bool force, br_error *err);
// Runs a pass to its publication. On success its read transactions are still open, at the commit
// point of what is published: br_pass_end.
BR_CHECKED br_status br_pass_run(br_pass *pass, bool wait, br_error *err);
// Read transactions of one commit point on `count` connections.
BR_CHECKED br_status br_pass_begin(br_pass *pass, uint32_t count, br_error *err);
void br_pass_end(br_pass *pass);
// Makes the statements on _braid_* tables that are not there yet.
BR_CHECKED br_status br_pass_prepare(br_cdc *cdc, br_error *err);
// Learns what changed from _braid_table, the log and the largest keys. *usable_out is false when
// the copy cannot be brought up to date from them.
BR_CHECKED br_status br_pass_read_changes(br_pass *pass, bool *usable_out, br_error *err);
// How many rows the pass will read, roughly.
uint64_t br_pass_expected_rows(const br_pass *pass);
// Brings the rows of one mirror into the apply.
BR_CHECKED br_status br_pass_apply_mirror(br_pass *pass, br_mirror *mirror, br_error *err);
bool br_mirror_is_big(const br_mirror *mirror);  // worth all threads
BR_CHECKED br_status br_pass_load(br_pass *pass, br_mirror *mirror, br_error *err);

// ---- work.c: long work that can be watched and stopped ---------------------------------------

void br_cdc_work_begin(br_cdc *cdc, const char *what, uint64_t rows_total);
// So many rows more are done. BR_INTERRUPTED: stop.
BR_CHECKED br_status br_cdc_work_advance(br_cdc *cdc, const char *table, uint64_t rows,
                                         br_error *err);
void br_cdc_work_end(br_cdc *cdc);  // without a beginning nothing happens

// ---- history.c ------------------------------------------------------------------------------

// Forgets what histories need not keep. `wait`: all of it; otherwise for about half a second.
void br_cdc_purge_histories(br_cdc *cdc, const br_schema *schema, bool wait);

// ---- checkpoint.c ---------------------------------------------------------------------------

// Deltas are big, or the log is long, or it has been a while: what a crash would have to repeat.
bool br_cdc_wants_checkpoint(const br_cdc *cdc);
// What only a checkpoint takes out of the deltas, dead rows above all, stays in a follower's memory
// until it opens the folder again: is it time?
bool br_cdc_wants_reopening(br_cdc *cdc);
// To be called after we had SQLite's write lock since `began_ns`.
void br_cdc_note_hold(br_cdc *cdc, uint64_t began_ns);

// ---- background.c ---------------------------------------------------------------------------

void br_background_init(br_background *background);
void br_background_release(br_background *background);

#endif
