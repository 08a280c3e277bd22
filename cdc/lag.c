// lag.c - how far the published versions are behind the file.
// SPDX-License-Identifier: Apache-2.0
#include "cdc/state.h"

// New rows, by the largest keys.
static uint64_t count_new_rows(const br_mirror_set *set)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const br_mirror *mirror = &set->items[i];
        bool is_new = mirror->mode == BR_MIRROR_KEYS && mirror->has_rows &&
                      mirror->max_key_now > mirror->max_key;
        int64_t before = mirror->max_key > 0 ? mirror->max_key : 0;  // rowids count from 1
        if (!is_new) continue;
        count += mirror->max_key_now > before ? (uint64_t)(mirror->max_key_now - before) : 1;
    }
    return count;
}

static br_status measure(br_cdc *cdc, uint64_t *changes_out, br_error *err)
{
    int64_t seq = 0, version;
    uint64_t watermark = br_store_watermark(cdc->store).seq;
    BR_TRY(br_oltp_data_version(cdc->reader, &version, err));
    if (cdc->is_fresh && version == cdc->data_version) {
        *changes_out = 0;
        return BR_OK;
    }
    if (cdc->is_installed)
        BR_TRY(
            br_oltp_query_int(cdc->reader, "SELECT max(seq) FROM main._braid_log", 0, &seq, err));
    uint64_t logged = (uint64_t)seq > watermark ? (uint64_t)seq - watermark : 0;
    // Of a schema that has changed the next sync knows; until then the log has to do.
    bool has_keys = cdc->is_set_valid && br_mirror_read_max_keys(&cdc->set, NULL) == BR_OK;
    uint64_t count = logged + (has_keys ? count_new_rows(&cdc->set) : 0);
    *changes_out = count > 0 ? count : 1;  // rows above hi may be gone, or other than they were
    return BR_OK;
}

br_status br_cdc_measure_lag(br_cdc *cdc, uint64_t *changes_out, br_error *err)
{
    br_lock_take(&cdc->sync_lock);
    br_status status = measure(cdc, changes_out, err);
    br_lock_give(&cdc->sync_lock);
    return status;
}
