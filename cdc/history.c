// history.c - temporal tables: when their histories begin, end, and are shortened.
// SPDX-License-Identifier: Apache-2.0
#include "cdc/state.h"

static br_status finish(br_oltp *oltp, br_status status, br_error *err)
{
    if (status == BR_OK) status = br_oltp_exec(oltp, "COMMIT", err);
    if (br_oltp_in_transaction(oltp)) {
        br_status undone = br_oltp_exec(oltp, "ROLLBACK", status == BR_OK ? err : NULL);
        if (status == BR_OK) status = undone;
    }
    return status;
}

// Begins a write transaction that waits for others.
static br_status begin(br_cdc *cdc, br_error *err)
{
    if (cdc->writer == NULL)
        return br_fail(err, BR_READONLY, "'%s' may only be read", cdc->path);
    br_oltp_set_busy_timeout(cdc->writer, cdc->config.busy_timeout_ms);
    BR_TRY(br_oltp_refresh(cdc->writer, err));
    return br_oltp_exec(cdc->writer, "BEGIN IMMEDIATE", err);
}

br_status br_cdc_begin_history(br_cdc *cdc, const char *table, const br_history_options *options,
                               br_error *err)
{
    br_lock_take(&cdc->sync_lock);
    br_status status = begin(cdc, err);
    if (status == BR_OK)
        status = finish(cdc->writer, br_history_register(cdc->writer, table, options, err), err);
    if (cdc->writer != NULL) br_oltp_set_busy_timeout(cdc->writer, 0);
    br_lock_give(&cdc->sync_lock);
    return status;
}

br_status br_cdc_end_history(br_cdc *cdc, const char *table, bool keeps_history, br_error *err)
{
    br_lock_take(&cdc->sync_lock);
    br_status status = begin(cdc, err);
    if (status == BR_OK)
        status = finish(cdc->writer,
                        br_history_unregister(cdc->writer, table, keeps_history, err), err);
    if (cdc->writer != NULL) br_oltp_set_busy_timeout(cdc->writer, 0);
    br_lock_give(&cdc->sync_lock);
    return status;
}

// ---- forgetting ------------------------------------------------------------------------------

enum {
    STEPS_MAX = 200,  // per checkpoint that nobody asked for: about half a second
    PAUSE_MS = 2,     // between its steps, in which writers get the lock
};

static br_status purge_step(br_cdc *cdc, const br_schema_history *history, bool *is_done,
                            br_error *err)
{
    BR_TRY(br_oltp_exec(cdc->keeper, "BEGIN IMMEDIATE", err));
    uint64_t began_ns = br_clock_ns();
    int64_t now_us = (int64_t)br_clock_wall_us();
    br_status status = br_history_purge(cdc->keeper, history, now_us, is_done, err);
    status = finish(cdc->keeper, status, err);
    br_cdc_note_hold(cdc, began_ns);
    return status;
}

static br_status purge(br_cdc *cdc, br_schema_history history, bool wait, br_error *err)
{
    bool has_limits = false, is_done = false;
    BR_TRY(br_history_read_limits(cdc->keeper, &history, &has_limits, err));
    for (uint32_t step = 0; has_limits && !is_done && (wait || step < STEPS_MAX); step++) {
        BR_TRY(purge_step(cdc, &history, &is_done, err));
        if (!wait && !is_done) br_sleep_ms(PAUSE_MS);
    }
    return BR_OK;
}

// What is left over is forgotten at a later checkpoint.
void br_cdc_purge_histories(br_cdc *cdc, const br_schema *schema, bool wait)
{
    for (uint32_t i = 0; i < schema->history_count; i++)
        if (purge(cdc, schema->histories[i], wait, NULL) != BR_OK) return;
}
