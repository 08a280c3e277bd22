// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "router/database.h"

br_status br_bridge_take(br_database *database, br_oltp_bridge **bridge_out, br_error *err)
{
    br_oltp_bridge *bridge = NULL;
    br_lock_take(&database->cache_lock);
    if (database->bridge_count > 0) bridge = database->bridges[--database->bridge_count];
    br_lock_give(&database->cache_lock);
    if (bridge == NULL) BR_TRY(br_oltp_bridge_new(database->functions, &bridge, err));
    br_status status = br_oltp_bridge_refresh(bridge, err);
    if (status == BR_OK)
        *bridge_out = bridge;
    else
        br_oltp_bridge_free(bridge);
    return status;
}

void br_bridge_give(br_database *database, br_oltp_bridge *bridge)
{
    br_lock_take(&database->cache_lock);
    if (database->bridge_count < BR_BRIDGES_MAX) {
        database->bridges[database->bridge_count++] = bridge;
        bridge = NULL;
    }
    br_lock_give(&database->cache_lock);
    br_oltp_bridge_free(bridge);
}

static br_status bridge_set_call(void *context, uint32_t worker, const br_function_call *call,
                                 br_arena *arena, br_value *results_out, br_error *err)
{
    br_bridge_set *set = context;
    // Each worker touches only its own entry, so no lock is needed around it.
    if (set->workers[worker] == NULL)
        BR_TRY(br_bridge_take(set->database, &set->workers[worker], err));
    return br_oltp_bridge_call(set->workers[worker], call, arena, results_out, err);
}

static br_status bridge_set_rows(void *context, uint32_t worker, const br_function_call *call,
                                 uint32_t row, const br_row_receiver *receiver, br_error *err)
{
    br_bridge_set *set = context;
    if (set->workers[worker] == NULL)
        BR_TRY(br_bridge_take(set->database, &set->workers[worker], err));
    return br_oltp_bridge_rows(set->workers[worker], call, row, receiver, err);
}

static br_status bridge_set_read(void *context, uint32_t worker, const br_function_call *call,
                                 uint32_t row, const br_row_receiver *receiver, br_error *err)
{
    br_bridge_set *set = context;
    return br_source_set_read(set->sources, worker, call, row, receiver, err);
}

br_exec_bridge br_bridge_set_open(br_bridge_set *set, br_database *database,
                                  br_source_set *sources)
{
    *set = (br_bridge_set){.database = database, .sources = sources};
    return (br_exec_bridge){
        .call = bridge_set_call,
        .rows = bridge_set_rows,
        .read = bridge_set_read,
        .real_to_text = br_oltp_real_to_text,
        .context = set,
    };
}

void br_bridge_set_close(br_bridge_set *set)
{
    for (uint32_t worker = 0; worker < BR_THREADS_MAX; worker++) {
        if (set->workers[worker] != NULL) br_bridge_give(set->database, set->workers[worker]);
    }
}
