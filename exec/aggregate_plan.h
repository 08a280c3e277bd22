// aggregate_plan.h - what an AGGREGATE node has to evaluate, keep and put out.
//
// The expressions of keys, arguments, filters and inner ORDER BYs become one program; equal ones
// are computed once. Aggregates are mapped to states, which they share where they can.
//
// DISTINCT takes two steps: rows become groups of (keys, value), and those are taken into the
// states as if they were rows. One such set serves all aggregates over the same value and filter.
//
// Ownership: the run's arena. Threads: immutable once made.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_AGGREGATE_PLAN_H
#define BR_EXEC_AGGREGATE_PLAN_H

#include "exec/aggregate_state.h"

typedef struct br_distinct_set {
    uint32_t arg;     // expression
    uint32_t filter;  // expression, or BR_STATE_NO_ARG
    br_collation *collations;  // of the keys, then of the value
    bool *enabled;    // states that are updated from it
} br_distinct_set;

typedef struct br_aggregate_plan {
    uint32_t key_count;  // the first expressions are the keys, but for those that are constant
    uint32_t *key_of;    // by key of the node; BR_STATE_NO_ARG: a constant
    br_vector *constants;
    br_collation *key_collations;
    uint32_t expression_count;
    const br_expr **expressions;
    uint32_t state_count;
    br_state_spec *states;
    bool *from_rows;     // states that are updated from rows
    uint32_t output_count;
    br_aggregate_output *outputs;  // one per aggregate
    uint32_t distinct_count;
    br_distinct_set *distincts;
} br_aggregate_plan;

BR_CHECKED br_status br_aggregate_plan_make(br_run *run, const br_plan *plan,
                                            br_aggregate_plan *out, br_error *err);

#endif
