// recursion_rows.h - the rows of a recursion: those that wait for their step, and with UNION all
// that ever were, so that none comes twice.
//
// Rows are numbered in the order in which they were added; they lie column by column, as groups do
// (groups.h). Rows that nobody needs any more may be dropped, which moves the others.
//
// Ownership: rows live in a memory of their own, of the run. Threads: one; batches that were handed
// out may be read by others as long as nothing is dropped.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_RECURSION_ROWS_H
#define BR_EXEC_RECURSION_ROWS_H

#include "exec/groups.h"

typedef struct br_recursion_rows {
    br_run *run;
    br_memory *memory;
    const br_plan *plan;      // RECURSIVE
    br_collation *collations;
    br_groups groups;
    uint32_t *numbers;        // of the rows of one batch: room for what br_groups_find says
} br_recursion_rows;

BR_CHECKED br_status br_recursion_rows_init(br_recursion_rows *rows, br_run *run,
                                            const br_plan *plan, br_error *err);
void br_recursion_rows_release(br_recursion_rows *rows);

static inline uint32_t br_recursion_rows_count(const br_recursion_rows *rows)
{
    return rows->groups.count;
}

// Adds the rows of the batch; with UNION those that are new.
BR_CHECKED br_status br_recursion_rows_add(br_recursion_rows *rows, const br_batch *batch,
                                           br_arena *scratch, br_error *err);
// Rows first..first+count (at most a batch). Arrays are borrowed where they can be.
BR_CHECKED br_status br_recursion_rows_slice(const br_recursion_rows *rows, uint32_t first,
                                             uint32_t count, br_arena *scratch, br_batch *out,
                                             br_error *err);
// The rows of these numbers (at most a batch).
BR_CHECKED br_status br_recursion_rows_pick(const br_recursion_rows *rows,
                                            const uint32_t *numbers, uint32_t count,
                                            br_arena *scratch, br_batch *out, br_error *err);
// Forgets rows 0..first: the one at `first` is 0 then. Not with UNION.
BR_CHECKED br_status br_recursion_rows_drop(br_recursion_rows *rows, uint32_t first,
                                            br_arena *scratch, br_error *err);
// Which of two rows comes first under the recursion's ORDER BY; 0: they are equal.
int br_recursion_rows_compare(const br_recursion_rows *rows, uint32_t left, uint32_t right,
                              br_arena *scratch);

#endif
