// profile.h - what each node of a plan did in one run: filled by exec/, shown by EXPLAIN ANALYZE.
//
// Nodes are numbered: the root's tree before those of the shared plans, of the subqueries and of
// the applied plans, each node before its inputs. What runs many times has the figures of all runs.
//
// Ownership: the arena it was made in; nodes borrow from the query. Threads: one. Errors: BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_PROFILE_H
#define BR_SQL_PROFILE_H

#include "base/arena.h"
#include "base/error.h"

static const uint32_t BR_NODE_NONE = UINT32_MAX;

typedef struct br_node_figures {
    uint64_t rows, batches;  // handed to the parent
    uint64_t cpu_ns;         // of all workers, without the inputs'
    uint64_t memory_bytes;   // held for rows, tables and states, as far as it was let go
    uint64_t spilled_bytes;  // written to temporary files
    uint64_t build_rows;     // JOIN: in the hash table
    // SCAN: rows looked at, and those of them in the delta; what zone statistics spared.
    uint64_t rows_read, delta_rows, zones_read, zones_pruned, pages_loaded, bytes_loaded;
} br_node_figures;

typedef struct br_query_profile {
    uint32_t node_count;
    const struct br_plan **nodes;
    br_node_figures *figures;  // by node
    uint64_t wall_ns;
    uint64_t peak_bytes;       // of the query's memory
    uint32_t threads;
} br_query_profile;

struct br_query;

BR_CHECKED br_status br_query_profile_new(const struct br_query *query, br_arena *arena,
                                          br_query_profile **profile_out, br_error *err);
// BR_NODE_NONE: not a node of the query.
uint32_t br_query_profile_find(const br_query_profile *profile, const struct br_plan *plan);
void br_node_figures_add(br_node_figures *total, const br_node_figures *more);

#endif
