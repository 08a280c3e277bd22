// How fresh the copy is: waiting for commits, and the thread that follows them.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "router/database.h"

br_status br_database_commit_seq(br_database *database, uint64_t *seq_out, br_error *err)
{
    BR_TRY(br_copy_required(database, err));
    // The mark is written by another connection, which would wait for our own transaction.
    if (atomic_load_explicit(&database->in_transaction, memory_order_relaxed))
        return br_fail(err, BR_MISUSE, "inside an open transaction: nothing is committed yet");
    return br_cdc_mark(database->cdc, seq_out, err);
}

// ---- waiting -----------------------------------------------------------------------------------

static br_status wait_for(br_database *database, uint64_t seq, uint64_t deadline_ns, br_error *err)
{
    for (;;) {
        uint64_t published = br_cdc_get_status(database->cdc).seq;
        if (published >= seq) return BR_OK;
        BR_TRY(br_cdc_sync(database->cdc, err));
        published = br_cdc_get_status(database->cdc).seq;
        if (published >= seq) return BR_OK;
        if (br_clock_ns() >= deadline_ns)
            return br_fail(err, BR_BUSY, "the copy is at seq %" PRIu64 ", want %" PRIu64, published,
                           seq);
        if (atomic_load_explicit(&database->cancelled, memory_order_relaxed))
            return br_fail(err, BR_INTERRUPTED, "interrupted");
        br_sleep_ms(1);
    }
}

br_status br_database_wait(br_database *database, uint64_t seq, uint32_t timeout_ms, br_error *err)
{
    BR_TRY(br_copy_required(database, err));
    uint32_t slot = br_running_begin(database, NULL);
    uint64_t deadline_ns = br_clock_ns() + (uint64_t)timeout_ms * 1000000;
    br_status status = wait_for(database, seq, deadline_ns, err);
    br_running_end(database, slot);
    return status;
}

// ---- the thread --------------------------------------------------------------------------------

br_status br_database_background_start(br_database *database, uint32_t interval_ms, br_error *err)
{
    BR_TRY(br_copy_required(database, err));
    return br_cdc_background_start(database->cdc, interval_ms, err);
}

void br_database_background_stop(br_database *database)
{
    if (database->cdc != NULL) br_cdc_background_stop(database->cdc);
}

br_status br_database_sync_info(br_database *database, br_sync_info *info_out, br_error *err)
{
    BR_TRY(br_copy_required(database, err));
    *info_out = (br_sync_info){.background = br_cdc_background_status(database->cdc)};
    BR_TRY(br_cdc_measure_lag(database->cdc, &info_out->lag_changes, err));
    info_out->copy = br_cdc_get_status(database->cdc);
    info_out->lag_ms = (double)(br_clock_ns() - info_out->copy.synced_at_ns) / 1e6;
    return BR_OK;
}
