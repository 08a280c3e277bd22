// result.h - outcomes behind the public result functions, and their Arrow export.
//
// Ownership: a braid_result owns its outcome. Threads: one thread per result.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_ROUTER_RESULT_H
#define BR_ROUTER_RESULT_H

#include "include/braid.h"
#include "router/router.h"

struct braid_result {
    br_outcome *outcome;
    braid_chunk *chunks;        // one per batch, in the result's arena
    uint64_t *chunk_first_rows; // row number of each chunk's first row, and of the end
};

// Takes the outcome over, also on failure.
BR_CHECKED br_status br_result_wrap(br_outcome *outcome, braid_result **result_out, br_error *err);
// Takes the result over when it returns BR_OK.
BR_CHECKED br_status br_result_to_arrow(braid_result *result, struct ArrowArrayStream *stream,
                                        br_error *err);

#endif
