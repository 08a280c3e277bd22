// table.h - the writer's side: an apply and the drafts it changes.
//
// An apply copies the version of each table it touches into a draft on the first touch. Publishing
// seals the drafts and swaps the snapshot; abandoning drops them and takes the rows appended to
// shared deltas back.
//
// Threads: the writer's.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_TABLE_H
#define BR_COLUMNAR_TABLE_H

#include "columnar/store.h"

struct br_apply {
    br_store *store;
    br_table **tables_before;  // the store's list when it is not the same now; NULL: it is
    uint32_t table_count_before;
    bool has_renamed;  // a table may have another name
    br_load *loads;  // not finished yet, linked
};

// The draft of a table, made when there is none yet. Unknown tables are BR_MISUSE.
BR_CHECKED br_status br_apply_draft(br_apply *apply, uint32_t table_id, br_version **draft_out,
                                    br_error *err);
// Kills the live rows of the draft with these keys, which ascend.
BR_CHECKED br_status br_version_kill_keys(br_version *draft, br_quota *quota, const int64_t *keys,
                                          size_t key_count, br_error *err);
BR_CHECKED br_status br_version_kill_above(br_version *draft, br_quota *quota, int64_t key,
                                           br_error *err);

// Tells the loads of an apply that it is over.
void br_load_orphan(br_load *first);

#endif
