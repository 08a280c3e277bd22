// sort_runs.h - sorted runs on disk, and merging them.
//
// A run is a part of the rows in order, as blocks of a few rows: as many bytes as one read should
// fetch. The merge holds one block per run; a tournament tree of losers (Knuth, The Art of Computer
// Programming 3, 5.4.1) finds the next row with one comparison per level. Of equal rows that of the
// earlier run comes first: runs are made of consecutive rows, so the sort is stable.
//
// Ownership: blocks lie in arenas of their run's cursor. Threads: one thread per merge.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_SORT_RUNS_H
#define BR_EXEC_SORT_RUNS_H

#include "exec/sort.h"
#include "exec/spill.h"

typedef struct br_sorted_run {
    uint32_t block_count, block_capacity;
    br_spill_place *blocks;
} br_sorted_run;

// Adds the batch as a block; the list of blocks lies in `index`.
BR_CHECKED br_status br_sorted_run_add(br_run *run, uint32_t worker, br_sorted_run *sorted,
                                       const br_batch *batch, br_arena *index, br_error *err);

typedef struct br_merge {
    br_run *run;
    const br_sort_spec *spec;
    uint32_t column_count;     // of the blocks
    const uint8_t *classes;    // of each column over all runs, and its kind
    const uint8_t *kinds;
    uint32_t output_count;     // columns put out
    uint32_t batch_rows;       // in one batch put out, at most BR_BATCH_ROWS
    uint64_t offset, limit;    // rows put out
    br_status (*put)(void *context, const br_batch *batch, br_error *err);
    void *context;
} br_merge;

BR_CHECKED br_status br_merge_runs(const br_merge *merge, const br_sorted_run *runs,
                                   uint32_t count, br_error *err);

#endif
