// op_top.h - a sink that keeps only rows that may be among the first N of an order.
//
// Each morsel keeps its own first N. A row behind the N-th of any set of rows cannot be among the
// first N: the best such bound so far, of all workers, turns rows away before they are stored.
// A scan may be told of it too, so that no other columns of those rows are read. Which rows are
// turned away depends on timing; which are the first N does not.
//
// Ownership: rows live where `keep` says. Threads: locked (the stage's own lock).
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_OP_TOP_H
#define BR_EXEC_OP_TOP_H

#include "exec/sort.h"

enum { BR_TOP_ROWS_MAX = 32768 };  // beyond, a morsel has hardly more rows than that

typedef struct br_top_spec {
    uint32_t width;      // columns of the rows; the keys follow
    uint32_t key_count;  // at least 1
    const br_sort_key *keys;
    uint64_t row_count;  // N
    br_keep keep;
} br_top_spec;

BR_CHECKED br_status br_top_new(br_pipeline *pipeline, const br_top_spec *spec,
                                br_stage **sink_out, br_error *err);
// Keeps rows that the first key does not put behind the best bound so far; passes no NULLs. For a
// scan below whose column the key is.
br_filter br_top_filter(br_stage *sink);
void br_top_release(br_stage *sink);  // after the pipeline has run
BR_CHECKED br_status br_top_batches(br_stage *sink, br_batches *batches_out, br_error *err);

#endif
