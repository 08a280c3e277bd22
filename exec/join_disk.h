// join_disk.h - joins whose build side is too large for memory: both sides are cut by the hash of
// the keys, and partition after partition is joined (grace hash join, Kitsuregawa et al. 1983).
//
// Whether a join does so depends on the bytes of its build side and on the quota, not on what is
// free at the moment: the rows come out in another order, which must not depend on timing. Within a
// partition they come out as they would from memory.
//
// Ownership: partitions are on disk; lists of them in the run's index. Threads: one caller; cutting
//            and probing use all workers.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_JOIN_DISK_H
#define BR_EXEC_JOIN_DISK_H

#include "exec/op_join.h"

typedef struct br_join_input {
    const br_plan *plan;
    br_expr **keys;
    br_layout layout;
    uint32_t *key_columns;  // of the stored rows
    br_keep keep;
    br_batches batches;
} br_join_input;

// Runs a side and stores its rows; keys that are not columns are computed behind them.
BR_CHECKED br_status br_join_store(br_run *run, br_join_input *side, uint32_t key_count,
                                   br_error *err);
// Is the stored build side too large to stay in memory? If not, its bytes count for the next one.
bool br_join_wants_disk(br_run *run, const br_plan *plan, const br_join_input *build,
                        br_memory *memory);
// Adds to the pipeline what joins the two sides partition by partition and pushes into `stage`.
// `rest_wanted`: build rows with that matched flag come last; negative: none do.
BR_CHECKED br_status br_join_on_disk(br_pipeline *pipeline, br_join_stage *stage,
                                     br_join_input sides[2], int rest_wanted, br_stage *next,
                                     br_error *err);

// op_join.c: the branch of those build rows; about row_count of them are in the table by then.
BR_CHECKED br_status br_join_add_rest(br_pipeline *pipeline, const br_join_stage *stage,
                                      uint8_t wanted, uint32_t row_count, br_stage *next,
                                      br_error *err);
bool br_join_tracks(const br_join_stage *stage);  // does it need `matched`?

#endif
