// op_window.h - inside of the window operator: what its two ways, in memory and on disk, share.
//
// Ownership: the run's arena, and `memory` for what is as large as the rows. Threads: a node is
//            immutable while workers put out rows; on disk each portion has a copy of its own.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_OP_WINDOW_H
#define BR_EXEC_OP_WINDOW_H

#include "exec/window.h"

typedef struct br_window_node {
    br_run *run;
    const br_plan *plan;
    br_memory *memory;  // of all that is kept
    br_layout layout;   // of the input
    uint32_t width;     // of the input
    uint32_t output_count;
    uint32_t *outputs;  // stored columns that are put out again, before the results
    uint32_t extra_count;
    const br_expr **extras;  // stored behind the columns of the input
    uint32_t key_count;      // PARTITION BY, then ORDER BY
    uint32_t *key_columns;
    br_sort_key *keys;
    uint32_t job_count;
    br_window_job *jobs;
    br_rows input;
    br_vector *sorted;   // by stored column; the order of `rows`
    bool *is_sorted;     // which of them are there
    br_window_rows rows;
    uint32_t task_count;
    uint32_t *tasks;     // their first partitions; behind the last, all
} br_window_node;

// Job `index` gets its arguments from the sorted columns, and room for its results.
BR_CHECKED br_status br_window_prepare(br_window_node *node, uint32_t index, uint32_t worker,
                                       br_error *err);
// Task `index`: a portion of the partitions, for one job.
BR_CHECKED br_status br_window_run_task(br_window_node *node, uint32_t index, uint32_t worker,
                                        br_error *err);
// Puts out rows from `first` on, as many as a batch holds.
BR_CHECKED br_status br_window_push(const br_window_node *node, br_worker *worker, uint32_t first,
                                    br_stage *next, br_error *err);

// The input, all of it on disk: sorts it, and adds a branch that evaluates the jobs portion by
// portion while it puts out the rows.
BR_CHECKED br_status br_window_on_disk(br_pipeline *pipeline, br_window_node *node,
                                       const br_batches *input, br_stage *next, br_error *err);

#endif
