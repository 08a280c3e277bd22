// scan_filter.h - filters of a plan's scan as filters that columnar/ evaluates on encoded data.
//
//     column op constant, BETWEEN, IS NULL       COMPARE, NOT_NULL, IS_NULL
//     any other condition on one column          PREDICATE: once per dictionary entry where it can
//     conditions on several, or that can fail    residual: evaluated on the batches of the scan
//
// Ownership: everything lives in the run's arena; evaluators in the memory given.
// Threads: built by one thread; predicates keep one evaluator per worker.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_SCAN_FILTER_H
#define BR_EXEC_SCAN_FILTER_H

#include "exec/pipeline.h"

typedef struct br_scan_filters {
    br_scan_filter *filters;  // column numbers are the table's
    uint32_t filter_count;
    const br_expr *residual;  // NULL: none
    bool is_never;            // no row can pass
} br_scan_filters;

BR_CHECKED br_status br_scan_filters_make(br_run *run, const br_plan *scan, br_memory *memory,
                                          br_scan_filters *filters_out, br_error *err);

// Ids of the columns that an expression reads: calls `found` for each, repeatedly.
void br_expr_columns(const br_expr *expression, void (*found)(void *context, uint32_t column_id),
                     void *context);

#endif
