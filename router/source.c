// Tables that only SQLite can read, for a query that the columnar engine runs: virtual tables,
// sqlite_schema, pragma functions.
//
// The rows must be of the snapshot's commit point. So a read transaction is begun first, and then
// the snapshot is compared with what is committed: a commit that the transaction sees and the
// snapshot does not would be noticed, and one between the two only means to try again.
// SPDX-License-Identifier: Apache-2.0
#include "router/database.h"

br_status br_source_set_read(br_source_set *set, uint32_t worker, const br_function_call *call,
                             uint32_t row, const br_row_receiver *receiver, br_error *err)
{
    // What receives the rows may read others for each of them, on this thread.
    bool is_owner = atomic_load_explicit(&set->owner, memory_order_relaxed) == worker + 1;
    if (!is_owner) {
        br_lock_take(&set->lock);
        atomic_store_explicit(&set->owner, worker + 1, memory_order_relaxed);
    }
    br_status status = br_oltp_bridge_rows(set->bridge, call, row, receiver, err);
    if (!is_owner) {
        atomic_store_explicit(&set->owner, 0, memory_order_relaxed);
        br_lock_give(&set->lock);
    }
    return status;
}

static br_status begin(br_source_set *set, br_olap_run *run, br_error *err)
{
    br_database *database = set->database;
    int64_t ignored;
    BR_TRY(br_oltp_pool_take(database->readers, &set->reader, err));
    BR_TRY(br_oltp_bridge_over(set->reader, &set->bridge, err));
    BR_TRY(br_oltp_exec(set->reader, "BEGIN", err));
    BR_TRY(br_oltp_query_int(set->reader, "SELECT 1 FROM sqlite_master", 0, &ignored, err));
    run->is_stale = !br_cdc_is_current(database->cdc, br_snapshot_version(run->snapshot));
    if (run->is_stale)
        return br_fail(err, BR_UNSUPPORTED, "the file changes too often to be read with its copy");
    if (run->deadline_ns != 0) br_oltp_set_deadline(set->reader, run->deadline_ns);
    return BR_OK;
}

br_status br_source_set_open(br_source_set *set, br_database *database, br_olap_run *run,
                             br_error *err)
{
    *set = (br_source_set){.database = database};
    br_lock_init(&set->lock);
    return begin(set, run, err);
}

void br_source_set_close(br_source_set *set)
{
    br_oltp_bridge_free(set->bridge);
    if (set->reader != NULL) {
        br_oltp_set_deadline(set->reader, 0);
        if (br_oltp_in_transaction(set->reader)) {
            br_status ignored = br_oltp_exec(set->reader, "ROLLBACK", NULL);
            (void)ignored; // the pool closes a connection that is still in a transaction
        }
    }
    br_oltp_pool_give(set->database->readers, set->reader);
    br_lock_release(&set->lock);
}
