// batch.h - a set of equal-length vectors, and the pull interface that produces them.
//
// Batches are dense: every row counts. Who filters rows also compacts them.
//
// Ownership: a batch borrows its vectors. What a br_batch_source hands out lives until the next
// call of `next` on the same source. Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_BATCH_H
#define BR_BASE_BATCH_H

#include "base/vector.h"

typedef struct br_batch {
    uint32_t row_count;  // 0..BR_BATCH_ROWS
    uint32_t column_count;
    br_vector *columns;
} br_batch;

// One of the two seams of the tree: a columnar scan, a SQLite cursor and a test fixture all
// implement it. `next` sets row_count to 0 at the end, and then keeps doing so.
typedef struct br_batch_source {
    br_status (*next)(struct br_batch_source *source, br_batch *batch_out, br_error *err);
} br_batch_source;

#endif
