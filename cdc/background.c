// background.c - the thread that keeps a capture fresh and its folder tidy.
//
// A round syncs, makes a checkpoint when one is due, and compacts a little. Rounds follow each
// other by the interval; after a failure they are further apart, twice as far with each, up to a
// bound, and the first success ends that. While the thread runs, other syncs only sync.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "cdc/state.h"

enum { BACKOFF_MS_FIRST = 20, BACKOFF_MS_MAX = 5000 };

void br_background_init(br_background *self)
{
    br_lock_init(&self->lock);
    br_condition_init(&self->wake);
}

void br_background_release(br_background *self)
{
    br_condition_release(&self->wake);
    br_lock_release(&self->lock);
}

static void note_round(br_background *self, br_status status, const br_error *err)
{
    br_background_status *now = &self->status;
    br_lock_take(&self->lock);
    now->round_count++;
    if (status == BR_OK) {
        now->failure_count = 0;
        now->backoff_ms = 0;
    } else {
        now->failure_count++;
        now->backoff_ms = now->backoff_ms == 0 ? BACKOFF_MS_FIRST : now->backoff_ms * 2;
        if (now->backoff_ms > BACKOFF_MS_MAX) now->backoff_ms = BACKOFF_MS_MAX;
        memcpy(now->message, err->message, sizeof now->message);
    }
    br_lock_give(&self->lock);
}

// Until the next round is due; false when it is time to end.
static bool wait_for_round(br_background *self)
{
    br_lock_take(&self->lock);
    uint64_t began_ns = br_clock_ns();
    while (!self->is_stopping) {
        uint32_t wait_ms = self->interval_ms;
        if (wait_ms < self->status.backoff_ms) wait_ms = self->status.backoff_ms;
        uint64_t passed_ms = (br_clock_ns() - began_ns) / 1000000;
        if (passed_ms >= wait_ms) break;
        (void)br_condition_wait(&self->wake, &self->lock, (int64_t)(wait_ms - passed_ms));
    }
    bool goes_on = !self->is_stopping;
    br_lock_give(&self->lock);
    return goes_on;
}

static br_status do_round(br_cdc *cdc, br_error *err)
{
    bool did_work;
    BR_TRY(br_cdc_sync(cdc, err));
    uint64_t checkpoints = br_cdc_get_status(cdc).checkpoint_count;
    BR_TRY(br_cdc_maintain(cdc, err));
    // There is something to merge only after segments have been made.
    if (br_cdc_get_status(cdc).checkpoint_count == checkpoints) return BR_OK;
    return br_cdc_compact(cdc, &did_work, err);
}

static void background_run(void *context)
{
    br_cdc *cdc = context;
    br_error err;
    do {
        br_status status = do_round(cdc, &err);
        note_round(&cdc->background, status, &err);
    } while (wait_for_round(&cdc->background));
}

static void set_has_background(br_cdc *cdc, bool has_background)
{
    br_lock_take(&cdc->sync_lock);
    cdc->has_background = has_background;
    br_lock_give(&cdc->sync_lock);
}

br_status br_cdc_background_start(br_cdc *cdc, uint32_t interval_ms, br_error *err)
{
    br_background *self = &cdc->background;
    if (interval_ms == 0) return br_fail(err, BR_MISUSE, "an interval of 0 ms, want 1 and more");
    br_status status = BR_OK;
    br_lock_take(&self->lock);
    bool is_new = !self->is_running;
    if (!is_new && self->is_stopping)
        status = br_fail(err, BR_BUSY, "'%s': the thread is being stopped", cdc->path);
    else
        self->interval_ms = interval_ms;
    if (is_new) {
        self->is_stopping = false;
        status = br_thread_start(&self->thread, background_run, cdc, err);
        self->is_running = status == BR_OK;
    }
    br_condition_wake_all(&self->wake);
    br_lock_give(&self->lock);
    if (is_new && status == BR_OK) set_has_background(cdc, true);
    return status;
}

void br_cdc_background_stop(br_cdc *cdc)
{
    br_background *self = &cdc->background;
    br_lock_take(&self->lock);
    bool is_ours = self->is_running && !self->is_stopping;  // two may stop it at once
    self->is_stopping = true;
    br_condition_wake_all(&self->wake);
    br_lock_give(&self->lock);
    if (!is_ours) return;
    br_thread_join(&self->thread);
    set_has_background(cdc, false);
    br_lock_take(&self->lock);
    self->is_running = false;
    br_lock_give(&self->lock);
}

br_background_status br_cdc_background_status(br_cdc *cdc)
{
    br_background *self = &cdc->background;
    br_lock_take(&self->lock);
    br_background_status status = self->status;
    status.is_running = self->is_running;
    status.interval_ms = self->interval_ms;
    br_lock_give(&self->lock);
    return status;
}
