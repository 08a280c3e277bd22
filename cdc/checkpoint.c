// checkpoint.c - making the copy durable, never ahead of SQLite.
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
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "cdc/state.h"

// Records deleted in one transaction: some 10 ms of holding SQLite's write lock.
enum { PRUNE_ROWS = 20000 };

static br_status finish(br_cdc *cdc, br_status status, br_error *err)
{
    if (status == BR_OK) status = br_oltp_exec(cdc->writer, "COMMIT", err);
    if (br_oltp_in_transaction(cdc->writer)) {
        br_status undone = br_oltp_exec(cdc->writer, "ROLLBACK", status == BR_OK ? err : NULL);
        if (status == BR_OK) status = undone;
    }
    return status;
}

static br_status announce(br_cdc *cdc, const uint8_t next[16], br_error *err)
{
    BR_TRY(br_oltp_exec(cdc->writer, "BEGIN IMMEDIATE", err));
    return finish(cdc, br_capture_set_checkpoints(cdc->writer, cdc->checkpoint_id, next, err), err);
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

static br_status prune_once(br_cdc *cdc, uint64_t seq, bool *is_done, br_error *err)
{
    BR_TRY(br_oltp_exec(cdc->writer, "BEGIN IMMEDIATE", err));
    br_status status =
        br_capture_set_checkpoints(cdc->writer, cdc->checkpoint_id, cdc->checkpoint_id, err);
    if (status == BR_OK) status = br_capture_prune(cdc->writer, seq, PRUNE_ROWS, is_done, err);
    return finish(cdc, status, err);
}

// The log that is left over does no harm: a later checkpoint prunes it.
static void prune(br_cdc *cdc, uint64_t seq)
{
    bool is_done = false;
    while (!is_done && prune_once(cdc, seq, &is_done, NULL) == BR_OK) {
    }
}

static uint64_t published_version(const br_cdc *cdc)
{
    br_snapshot *snapshot = br_snapshot_acquire(cdc->store);
    uint64_t version = br_snapshot_version(snapshot);
    br_snapshot_drop(snapshot);
    return version;
}

static br_status checkpoint(br_cdc *cdc, br_error *err)
{
    uint8_t next[16];
    br_random_bytes(next, sizeof next);
    BR_TRY(announce(cdc, next, err));
    BR_TRY(sync_wal(cdc, err));
    BR_TRY(br_store_checkpoint(cdc->store, next, err));
    memcpy(cdc->checkpoint_id, next, sizeof next);
    cdc->checkpointed_version = published_version(cdc);  // of the segments it has made
    cdc->checkpointed_seq = br_store_watermark(cdc->store).seq;
    cdc->checkpointed_ns = br_clock_ns();
    prune(cdc, cdc->checkpointed_seq);
    br_lock_take(&cdc->publish_lock);
    cdc->status.checkpoint_count++;
    br_lock_give(&cdc->publish_lock);
    return BR_OK;
}

br_status br_cdc_checkpoint_locked(br_cdc *cdc, bool wait, br_error *err)
{
    if (!br_cdc_is_maintainer(cdc) || cdc->store != cdc->next_store || !cdc->is_installed)
        return BR_OK;
    br_oltp_set_busy_timeout(cdc->writer, wait ? cdc->config.busy_timeout_ms : 0);
    br_status status = BR_OK;
    if (published_version(cdc) != cdc->checkpointed_version) status = checkpoint(cdc, err);
    if (status == BR_OK) br_cdc_purge_histories(cdc, wait);
    br_oltp_set_busy_timeout(cdc->writer, 0);
    return status;
}

br_status br_cdc_checkpoint(br_cdc *cdc, br_error *err)
{
    br_lock_take(&cdc->sync_lock);
    br_status status = br_cdc_checkpoint_locked(cdc, true, err);
    br_lock_give(&cdc->sync_lock);
    return status;
}

// Compaction commits the rows that are durable already, under the same watermark.
br_status br_cdc_compact(br_cdc *cdc, bool *did_work_out, br_error *err)
{
    *did_work_out = false;
    br_status status = BR_OK;
    br_lock_take(&cdc->sync_lock);
    if (br_cdc_is_maintainer(cdc) && cdc->store == cdc->next_store) {
        bool is_durable = published_version(cdc) == cdc->checkpointed_version;
        status = br_store_compact(cdc->store, did_work_out, err);
        if (is_durable) cdc->checkpointed_version = published_version(cdc);
    }
    br_lock_give(&cdc->sync_lock);
    return status;
}
