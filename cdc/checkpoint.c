// checkpoint.c - making the copy durable, never ahead of SQLite; and compaction.
//
// Ids in _braid_meta and the catalog, step by step; a crash after any step leaves a pair that fits:
//
//     step                                   _braid_meta       catalog
//     0. before                              A, (anything)     A
//     1. announce B, in SQLite               A, B              A
//     2. fsync SQLite's WAL                  A, B (durable)    A
//     3. write segments, commit the catalog  A, B              B
//     4. settle and prune, in SQLite         B, B              B
//
// What a copy holds was committed before step 1, so a SQLite file that names B contains all of it.
// The snapshot that becomes durable is taken before step 1. sync_lock is held for that and for the
// commit of the catalog only; folder_lock throughout.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "cdc/state.h"

enum {
    PRUNE_ROWS_FIRST = 500,
    PRUNE_ROWS_MIN = 50,
    PRUNE_ROWS_MAX = 20000,
    PRUNE_PAUSE_MS = 2,  // in which whoever waited for the lock gets it
    BUSY_MS = 100,       // for the write lock, of a checkpoint that nobody waits for
};

// Of SQLite's write lock: a writer that finds it taken looks again after 1 ms.
static const uint64_t PRUNE_HOLD_NS = 800000;
static const uint64_t LONG_HOLD_NS = 2000000;  // what a writer may have to wait
static const uint64_t CHECKPOINT_NS = 300 * 1000000000ull;
static const uint64_t CHECKPOINT_RETRY_NS = 2 * 1000000000ull;
static const uint64_t CHECKPOINT_RECORDS = 250000;  // replayed in less than a second

// ---- SQLite's write lock ---------------------------------------------------------------------

void br_cdc_note_hold(br_cdc *cdc, uint64_t began_ns)
{
    uint64_t held_ns = br_clock_ns() - began_ns;
    br_lock_take(&cdc->publish_lock);
    cdc->status.hold_count++;
    cdc->status.long_hold_count += held_ns > LONG_HOLD_NS;
    if (held_ns > cdc->status.hold_ns_max) cdc->status.hold_ns_max = held_ns;
    br_lock_give(&cdc->publish_lock);
}

static br_status keeper_open(br_cdc *cdc, uint32_t busy_ms, br_error *err)
{
    br_oltp_config config = {
        .path = cdc->path, .functions = cdc->config.functions, .busy_timeout_ms = busy_ms};
    if (cdc->keeper == NULL) {
        BR_TRY(br_oltp_open(&config, &cdc->keeper, err));
        // As for the writer: SQLite's own checkpoints are the application's.
        BR_TRY(br_oltp_exec(cdc->keeper, "PRAGMA wal_autocheckpoint = 0", err));
    }
    br_oltp_set_busy_timeout(cdc->keeper, busy_ms);
    return br_oltp_refresh(cdc->keeper, err);
}

static br_status keeper_begin(br_cdc *cdc, uint64_t *began_ns_out, br_error *err)
{
    BR_TRY(br_oltp_exec(cdc->keeper, "BEGIN IMMEDIATE", err));
    *began_ns_out = br_clock_ns();
    return BR_OK;
}

static br_status keeper_end(br_cdc *cdc, uint64_t began_ns, br_status status, br_error *err)
{
    if (status == BR_OK) status = br_oltp_exec(cdc->keeper, "COMMIT", err);
    if (br_oltp_in_transaction(cdc->keeper)) {
        br_status undone = br_oltp_exec(cdc->keeper, "ROLLBACK", status == BR_OK ? err : NULL);
        if (status == BR_OK) status = undone;
    }
    br_cdc_note_hold(cdc, began_ns);
    return status;
}

static br_status set_checkpoints(br_cdc *cdc, const uint8_t durable[16], const uint8_t next[16],
                                 br_error *err)
{
    uint64_t began_ns;
    BR_TRY(keeper_begin(cdc, &began_ns, err));
    br_status status = br_capture_set_checkpoints(cdc->keeper, durable, next, err);
    return keeper_end(cdc, began_ns, status, err);
}

// With synchronous=NORMAL commits in the WAL are not durable until somebody says so.
static br_status sync_wal(br_cdc *cdc, br_error *err)
{
    if (!br_file_exists(cdc->wal_path)) return BR_OK;
    br_file *file = NULL;
    BR_TRY(br_file_open(cdc->wal_path, BR_FILE_READ, cdc->config.store.hook, &file, err));
    br_status status = br_file_sync(file, err);
    br_file_close(file);
    return status;
}

// ---- pruning ---------------------------------------------------------------------------------

// As many records at once as keep the lock for about PRUNE_HOLD_NS.
static uint32_t adapt_rows(uint32_t rows, uint64_t held_ns)
{
    uint64_t wanted = rows * PRUNE_HOLD_NS / (held_ns + 1);
    if (wanted > (uint64_t)rows * 2) wanted = (uint64_t)rows * 2;
    if (wanted > PRUNE_ROWS_MAX) wanted = PRUNE_ROWS_MAX;
    return wanted < PRUNE_ROWS_MIN ? PRUNE_ROWS_MIN : (uint32_t)wanted;
}

static br_status prune_once(br_cdc *cdc, uint64_t seq, bool *is_done, br_error *err)
{
    uint64_t began_ns;
    BR_TRY(keeper_begin(cdc, &began_ns, err));
    br_status status = br_capture_prune(cdc->keeper, seq, cdc->prune_rows, is_done, err);
    status = keeper_end(cdc, began_ns, status, err);
    if (status == BR_OK && !*is_done)
        cdc->prune_rows = adapt_rows(cdc->prune_rows, br_clock_ns() - began_ns);
    return status;
}

// The log that is left over does no harm: a later checkpoint prunes it. The thread of background.c
// has the time for pauses; a query that prunes on its way has not.
static void prune(br_cdc *cdc, uint64_t seq, bool has_time)
{
    bool is_done = false;
    if (cdc->prune_rows == 0) cdc->prune_rows = PRUNE_ROWS_FIRST;
    while (prune_once(cdc, seq, &is_done, NULL) == BR_OK && !is_done) {
        if (has_time) br_sleep_ms(PRUNE_PAUSE_MS);
    }
}

// Histories forget what they may; what is left over they forget at a later checkpoint.
static void purge(br_cdc *cdc, uint32_t busy_ms)
{
    const br_schema_ref *schema = br_cdc_schema_acquire(cdc);
    if (br_schema_ref_get(schema)->history_count > 0 && keeper_open(cdc, busy_ms, NULL) == BR_OK)
        br_cdc_purge_histories(cdc, br_schema_ref_get(schema), busy_ms != BUSY_MS);
    br_cdc_schema_drop(schema);
}

// ---- checkpoints -----------------------------------------------------------------------------

static uint64_t published_version(const br_cdc *cdc)
{
    br_snapshot *snapshot = br_snapshot_acquire(cdc->store);
    uint64_t version = br_snapshot_version(snapshot);
    br_snapshot_drop(snapshot);
    return version;
}

static bool can_checkpoint(const br_cdc *cdc)
{
    return br_cdc_is_maintainer(cdc) && cdc->store == cdc->next_store && cdc->is_installed &&
           !cdc->must_reload_all;
}

// One checkpoint on its way.
typedef struct making {
    br_checkpoint *checkpoint;
    const br_store *store;
    uint64_t version;  // published when it began
    uint8_t before[16], next[16];
} making;

// Leaves making->checkpoint NULL when there is nothing to do.
static br_status begin(br_cdc *cdc, making *at, br_error *err)
{
    if (published_version(cdc) == cdc->checkpointed_version) return BR_OK;
    at->store = cdc->store;
    at->version = published_version(cdc);
    memcpy(at->before, cdc->checkpoint_id, sizeof at->before);
    br_random_bytes(at->next, sizeof at->next);
    return br_checkpoint_begin(cdc->store, &at->checkpoint, err);
}

static br_status commit(br_cdc *cdc, making *at, br_error *err)
{
    br_checkpoint *checkpoint = at->checkpoint;
    at->checkpoint = NULL;
    if (!can_checkpoint(cdc) || cdc->store != at->store ||
        memcmp(cdc->checkpoint_id, at->before, sizeof at->before) != 0) {
        // Meanwhile the copy was found to be of another file, and what was begun is of no use.
        br_checkpoint_abandon(checkpoint);
        return br_fail(err, BR_BUSY, "'%s': the copy was thrown away during a checkpoint",
                       cdc->path);
    }
    bool is_all = published_version(cdc) == at->version;
    BR_TRY(br_checkpoint_commit(checkpoint, at->next, err));
    memcpy(cdc->checkpoint_id, at->next, sizeof at->next);
    // Of the segments it has made; what was published meanwhile is still to be made durable.
    cdc->checkpointed_version = is_all ? published_version(cdc) : 0;
    cdc->checkpointed_seq = br_store_durable_watermark(cdc->store).seq;
    cdc->checkpointed_ns = br_clock_ns();
    cdc->has_loaded = cdc->has_loaded && !is_all;
    br_lock_take(&cdc->publish_lock);
    cdc->status.checkpoint_count++;
    br_lock_give(&cdc->publish_lock);
    return BR_OK;
}

// Steps 1 to 4; sync_lock is not held.
static br_status make_durable(br_cdc *cdc, making *at, br_error *err)
{
    BR_TRY(set_checkpoints(cdc, at->before, at->next, err));
    BR_TRY(sync_wal(cdc, err));
    BR_TRY(br_checkpoint_write(at->checkpoint, err));
    br_lock_take(&cdc->sync_lock);
    br_status status = commit(cdc, at, err);
    uint64_t seq = cdc->checkpointed_seq;
    bool has_time = cdc->has_background;
    br_lock_give(&cdc->sync_lock);
    BR_TRY(status);
    // The log that is left when the lock is not to be had does no harm.
    if (set_checkpoints(cdc, at->next, at->next, NULL) == BR_OK) prune(cdc, seq, has_time);
    return BR_OK;
}

// folder_lock is held, sync_lock is not.
static br_status checkpoint(br_cdc *cdc, uint32_t busy_ms, br_error *err)
{
    making at = {0};
    br_lock_take(&cdc->sync_lock);
    bool is_able = can_checkpoint(cdc);
    br_status status = is_able ? begin(cdc, &at, err) : BR_OK;
    br_lock_give(&cdc->sync_lock);
    if (status == BR_OK && at.checkpoint != NULL) {
        status = keeper_open(cdc, busy_ms, err);
        if (status == BR_OK) status = make_durable(cdc, &at, err);
        br_checkpoint_abandon(at.checkpoint);
    }
    if (status == BR_OK && is_able) purge(cdc, busy_ms);
    return status;
}

br_status br_cdc_checkpoint(br_cdc *cdc, br_error *err)
{
    br_lock_take(&cdc->folder_lock);
    br_status status = checkpoint(cdc, cdc->config.busy_timeout_ms, err);
    br_lock_give(&cdc->folder_lock);
    return status;
}

// ---- when it is time -------------------------------------------------------------------------

bool br_cdc_wants_checkpoint(const br_cdc *cdc)
{
    if (br_store_wants_checkpoint(cdc->store)) return true;
    return br_store_watermark(cdc->store).seq - cdc->checkpointed_seq >= CHECKPOINT_RECORDS ||
           br_clock_ns() - cdc->checkpointed_ns >= CHECKPOINT_NS;
}

bool br_cdc_wants_reopening(br_cdc *cdc)
{
    if (br_cdc_is_maintainer(cdc)) return false;
    uint64_t bytes = br_store_delta_bytes(cdc->store);
    if (cdc->has_reopened) cdc->reopened_bytes = bytes;
    cdc->has_reopened = false;
    return br_store_wants_checkpoint(cdc->store) && bytes / 2 >= cdc->reopened_bytes;
}

// What is due is done by whoever comes first; after a failure not before some time has passed.
static br_status take_due(br_cdc *cdc, bool *wants_checkpoint_out, br_error *err)
{
    br_status status = BR_OK;
    br_lock_take(&cdc->sync_lock);
    bool is_due = cdc->is_due && cdc->store == cdc->next_store;
    if (is_due && !br_cdc_is_maintainer(cdc)) {
        cdc->is_due = cdc->is_fresh = false;
        status = br_cdc_open_store(cdc, err);
    }
    *wants_checkpoint_out = is_due && br_cdc_is_maintainer(cdc) &&
                            br_clock_ns() >= cdc->checkpoint_not_before_ns;
    if (*wants_checkpoint_out) cdc->is_due = false;
    br_lock_give(&cdc->sync_lock);
    return status;
}

br_status br_cdc_maintain(br_cdc *cdc, br_error *err)
{
    bool wants_checkpoint;
    if (!br_lock_try(&cdc->folder_lock)) return BR_OK;  // somebody is at it
    br_status status = take_due(cdc, &wants_checkpoint, err);
    if (status == BR_OK && wants_checkpoint) {
        status = checkpoint(cdc, BUSY_MS, err);
        br_lock_take(&cdc->sync_lock);
        if (status != BR_OK) cdc->checkpoint_not_before_ns = br_clock_ns() + CHECKPOINT_RETRY_NS;
        if (status != BR_OK) cdc->is_due = true;
        br_lock_give(&cdc->sync_lock);
    }
    br_lock_give(&cdc->folder_lock);
    return status;
}

static br_status compact_begin(br_cdc *cdc, br_compaction **compaction_out, br_error *err)
{
    br_status status = BR_OK;
    br_lock_take(&cdc->sync_lock);
    if (br_cdc_is_maintainer(cdc) && cdc->store == cdc->next_store)
        status = br_compaction_begin(cdc->store, compaction_out, err);
    br_lock_give(&cdc->sync_lock);
    return status;
}

static br_status compact_commit(br_cdc *cdc, br_compaction *compaction, bool *did_work_out,
                                br_error *err)
{
    br_lock_take(&cdc->sync_lock);
    bool is_durable = published_version(cdc) == cdc->checkpointed_version;
    br_status status = br_compaction_commit(compaction, did_work_out, err);
    if (is_durable) cdc->checkpointed_version = published_version(cdc);
    br_lock_give(&cdc->sync_lock);
    return status;
}

// Compaction commits the rows that are durable already, under the same watermark. As with a
// checkpoint, syncs go on while the new segment is written.
br_status br_cdc_compact(br_cdc *cdc, bool *did_work_out, br_error *err)
{
    *did_work_out = false;
    br_compaction *compaction = NULL;
    br_lock_take(&cdc->folder_lock);
    br_status status = compact_begin(cdc, &compaction, err);
    if (compaction != NULL) {
        status = br_compaction_write(compaction, err);
        if (status == BR_OK) status = compact_commit(cdc, compaction, did_work_out, err);
        else br_compaction_abandon(compaction);
    }
    br_lock_give(&cdc->folder_lock);
    return status;
}

// ---- marks -----------------------------------------------------------------------------------

br_status br_cdc_mark(br_cdc *cdc, uint64_t *seq_out, br_error *err)
{
    if (cdc->writer == NULL)
        return br_fail(err, BR_READONLY, "'%s' may not be written: no mark in its log", cdc->path);
    uint64_t began_ns;
    br_lock_take(&cdc->folder_lock);
    br_status status = keeper_open(cdc, cdc->config.busy_timeout_ms, err);
    if (status == BR_OK) status = keeper_begin(cdc, &began_ns, err);
    if (status == BR_OK) {
        status = br_capture_mark(cdc->keeper, seq_out, err);
        status = keeper_end(cdc, began_ns, status, err);
    }
    br_lock_give(&cdc->folder_lock);
    return status;
}
