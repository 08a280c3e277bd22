// api.h - what the other files that implement include/braid.h need of api.c.
//
// Threads and errors: as braid.h says. SPDX-License-Identifier: Apache-2.0
#ifndef BR_ROUTER_API_H
#define BR_ROUTER_API_H

#include "include/braid.h"
#include "router/router.h"

// Every call on a handle begins here: forgets the last error of the calling thread, whose place for
// the next one is *err_out, and refuses a handle that did not open.
BR_CHECKED br_status br_api_begin(braid *db, br_error **err_out);
braid_status br_api_status(br_status status);
braid *br_api_handle(const braid_statement *statement);
br_statement *br_api_statement(const braid_statement *statement);
// Columns as vectors, on the heap; BR_MISUSE when the chunk cannot be one.
BR_CHECKED br_status br_api_vectors(const braid_chunk *chunk, br_vector **vectors_out,
                                    br_error *err);

#endif
