// Counts and bounds of columns, for which statistics may stand in for rows.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"
#include "sql/rewrite.h"

// Equal numbers of two classes would look different: which of them came first only the rows tell.
// The bounds of text are cut off.
static bool has_bounds(const br_type *type)
{
    unsigned mask = type->class_mask & ~(unsigned)BR_MASK_NULL;
    return mask == BR_MASK_INT || mask == BR_MASK_REAL;
}

static bool is_bound(const br_aggregate *aggregate)
{
    return aggregate->kind == BR_AGG_MIN || aggregate->kind == BR_AGG_MAX;
}

static bool is_told(const br_aggregate *aggregate)
{
    if (aggregate->filter != NULL) return false;
    if (aggregate->kind == BR_AGG_COUNT_STAR) return true;
    if (aggregate->args[0]->kind != BR_EXPR_COLUMN) return false;
    if (aggregate->kind == BR_AGG_COUNT) return !aggregate->distinct;
    return is_bound(aggregate) && has_bounds(&aggregate->args[0]->type);
}

static bool is_summable(const br_plan *plan)
{
    if (plan->kind != BR_PLAN_AGGREGATE || plan->aggregate.key_count > 0 ||
        plan->left->kind != BR_PLAN_SCAN)
        return false;
    for (uint32_t i = 0; i < plan->aggregate.aggregate_count; i++)
        if (!is_told(&plan->aggregate.aggregates[i])) return false;
    return true;
}

static br_status mark_scan(br_rewrite *rewrite, const br_plan *aggregate, br_error *err)
{
    br_plan *scan = aggregate->left;
    scan->scan.bounds = BR_ALLOC(rewrite->arena, bool, scan->scan.output_count);
    BR_NEED_NODE(scan->scan.bounds, err);
    for (uint32_t i = 0; i < aggregate->aggregate.aggregate_count; i++) {
        const br_aggregate *call = &aggregate->aggregate.aggregates[i];
        for (uint32_t k = 0; is_bound(call) && k < scan->scan.output_count; k++)
            if (scan->columns[k].id == call->args[0]->column_id) scan->scan.bounds[k] = true;
    }
    return BR_OK;
}

br_status br_mark_bounds(br_rewrite *rewrite, br_plan *plan, br_error *err)
{
    if (is_summable(plan)) return mark_scan(rewrite, plan, err);
    if (plan->left != NULL) BR_TRY(br_mark_bounds(rewrite, plan->left, err));
    return plan->right == NULL ? BR_OK : br_mark_bounds(rewrite, plan->right, err);
}
