// Conditions move down to where their columns come from.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"
#include "sql/rewrite.h"

static br_status push_into_left(br_rewrite *rewrite, br_plan *plan, br_conjuncts *inner,
                                br_error *err)
{
    BR_TRY(br_push_down(rewrite, &plan->left, inner, err));
    BR_TRY(br_plan_refresh(rewrite, plan, err));
    br_estimate_node(rewrite, plan);
    return BR_OK;
}

br_status br_add_filter(br_rewrite *rewrite, br_plan **plan, const br_conjuncts *conditions,
                        br_error *err)
{
    if (conditions->count == 0) return BR_OK;
    br_plan *filter = BR_ALLOC(rewrite->arena, br_plan, 1);
    BR_NEED_NODE(filter, err);
    filter->kind = BR_PLAN_FILTER;
    filter->left = *plan;
    BR_TRY(br_conjuncts_join(rewrite, conditions, &filter->filter.predicate, err));
    BR_TRY(br_plan_refresh(rewrite, filter, err));
    br_estimate_node(rewrite, filter);
    *plan = filter;
    return BR_OK;
}

br_status br_make_empty(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *empty = BR_ALLOC(rewrite->arena, br_plan, 1);
    BR_NEED_NODE(empty, err);
    empty->kind = BR_PLAN_VALUES;
    empty->column_count = br_plan_output_count(*plan);
    empty->columns = (*plan)->columns;
    br_estimate_node(rewrite, empty);
    *plan = empty;
    return BR_OK;
}

static bool is_never(const br_conjuncts *conditions)
{
    for (uint32_t i = 0; i < conditions->count; i++)
        if (br_expr_is_never(conditions->items[i])) return true;
    return false;
}

// ---- one node --------------------------------------------------------------------------------

static br_status push_scan(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                           br_error *err)
{
    br_plan *scan = *plan;
    br_conjuncts filters = {0}, constant = {0};
    for (uint32_t i = 0; i < scan->scan.filter_count; i++)
        BR_TRY(br_conjuncts_split(rewrite, &filters, scan->scan.filters[i], err));
    for (uint32_t i = 0; i < conditions->count; i++) {
        br_expr *condition = conditions->items[i];
        bool has_column = br_expr_has_column(condition);
        BR_TRY(br_conjuncts_add(rewrite, has_column ? &filters : &constant, condition, err));
    }
    BR_TRY(br_conjuncts_tighten(rewrite, &filters, err));
    if (is_never(&filters)) return br_make_empty(rewrite, plan, err);
    scan->scan.filters = filters.items;
    scan->scan.filter_count = filters.count;
    BR_TRY(br_estimate_sample(rewrite, scan, err));
    br_estimate_node(rewrite, scan);
    return br_add_filter(rewrite, plan, &constant, err);
}

// A FILTER vanishes into the conditions, unless a part of it can fail: that part stays.
static br_status push_filter(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                             br_error *err)
{
    br_plan *filter = *plan;
    br_conjuncts parts = {0}, kept = {0};
    BR_TRY(br_conjuncts_split(rewrite, &parts, filter->filter.predicate, err));
    for (uint32_t i = 0; i < parts.count; i++) {
        br_conjuncts *target = parts.items[i]->can_fail ? &kept : conditions;
        BR_TRY(br_conjuncts_add(rewrite, target, parts.items[i], err));
    }
    *plan = filter->left;
    BR_TRY(br_push_down(rewrite, plan, conditions, err));
    return br_add_filter(rewrite, plan, &kept, err);
}

// Moves the conditions that still cannot fail once the substitutes are in to `inner`.
static br_status substitute_conditions(br_rewrite *rewrite, const br_conjuncts *conditions,
                                       br_conjuncts *inner, br_conjuncts *kept, br_error *err)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        br_expr *replaced;
        BR_TRY(br_expr_substitute(rewrite, conditions->items[i], &replaced, err));
        bool moves = !replaced->can_fail &&
                     (br_expr_is_heavy(conditions->items[i]) || !br_expr_is_heavy(replaced));
        BR_TRY(br_expr_simplify(rewrite, &replaced, err));
        if (moves)
            BR_TRY(br_conjuncts_split(rewrite, inner, replaced, err));
        else
            BR_TRY(br_conjuncts_add(rewrite, kept, conditions->items[i], err));
    }
    return BR_OK;
}

static void set_substitutes(br_rewrite *rewrite, const br_plan *plan, br_expr *const *expressions,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        rewrite->substitutes[plan->columns[i].id] = expressions == NULL ? NULL : expressions[i];
}

static br_status push_project(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                              br_error *err)
{
    br_plan *project = *plan;
    br_conjuncts inner = {0}, kept = {0};
    set_substitutes(rewrite, project, project->project.expressions, project->column_count);
    BR_TRY(substitute_conditions(rewrite, conditions, &inner, &kept, err));
    set_substitutes(rewrite, project, NULL, project->column_count);
    BR_TRY(push_into_left(rewrite, project, &inner, err));
    return br_add_filter(rewrite, plan, &kept, err);
}

// Moves the conditions that agree to `moved`.
static br_status split_agreed(br_rewrite *rewrite, const br_agreement *agreement,
                              const br_conjuncts *conditions, br_conjuncts *moved,
                              br_conjuncts *kept, br_error *err)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        bool moves = br_condition_agrees(agreement, conditions->items[i]);
        BR_TRY(br_conjuncts_add(rewrite, moves ? moved : kept, conditions->items[i], err));
    }
    return BR_OK;
}

// A condition that is the same for all rows of a group may come before grouping.
static br_status push_aggregate(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                                br_error *err)
{
    br_plan *aggregate = *plan;
    br_conjuncts inner = {0}, kept = {0}, movable = {0};
    br_agreement agreement;
    uint32_t key_count = aggregate->aggregate.key_count;
    BR_TRY(br_agreement_of_columns(rewrite, aggregate, key_count, &agreement, err));
    agreement.collations = aggregate->aggregate.key_collations;
    BR_TRY(split_agreed(rewrite, &agreement, conditions, &movable, &kept, err));
    set_substitutes(rewrite, aggregate, aggregate->aggregate.keys, key_count);
    BR_TRY(substitute_conditions(rewrite, &movable, &inner, &kept, err));
    set_substitutes(rewrite, aggregate, NULL, key_count);
    BR_TRY(push_into_left(rewrite, aggregate, &inner, err));
    return br_add_filter(rewrite, plan, &kept, err);
}

// A condition on what all rows of a partition have in common drops whole partitions: it may as well
// come first.
static br_status push_window(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                             br_error *err)
{
    br_plan *window = *plan;
    br_conjuncts inner = {0}, kept = {0};
    br_agreement agreement = {.keys = window->window.partitions,
                              .collations = window->window.partition_collations,
                              .count = window->window.partition_count};
    BR_TRY(split_agreed(rewrite, &agreement, conditions, &inner, &kept, err));
    BR_TRY(push_into_left(rewrite, window, &inner, err));
    return br_add_filter(rewrite, plan, &kept, err);
}

static bool is_limited(const br_plan *plan)
{
    if (plan->kind == BR_PLAN_LIMIT) return true;
    return plan->kind == BR_PLAN_SORT && (plan->sort.limit != NULL || plan->sort.offset != NULL);
}

static br_status push_order(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                            br_error *err)
{
    br_conjuncts none = {0};
    if (!is_limited(*plan)) return push_into_left(rewrite, *plan, conditions, err);
    BR_TRY(push_into_left(rewrite, *plan, &none, err));
    return br_add_filter(rewrite, plan, conditions, err);
}

// Conditions on the left side's columns go there, before the runs.
static br_status push_apply(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                            br_error *err)
{
    br_conjuncts left = {0}, kept = {0};
    uint32_t stamp = br_mark_outputs(rewrite, (*plan)->left);
    for (uint32_t i = 0; i < conditions->count; i++) {
        bool outside = false;
        br_expr_sets(rewrite, conditions->items[i], stamp, 1, &outside);
        br_conjuncts *target = outside ? &kept : &left;
        BR_TRY(br_conjuncts_add(rewrite, target, conditions->items[i], err));
    }
    BR_TRY(push_into_left(rewrite, *plan, &left, err));
    return br_add_filter(rewrite, plan, &kept, err);
}

// ---- sets ------------------------------------------------------------------------------------

// INTERSECT and EXCEPT put out rows of the left side but compare them with those of the right.
static br_status agreement_of_set(br_rewrite *rewrite, const br_plan *set, br_agreement *out,
                                  br_error *err)
{
    BR_TRY(br_agreement_of_columns(rewrite, set, set->column_count, out, err));
    for (uint32_t i = 0; i < set->column_count; i++)
        out->keys[i]->type.class_mask |= set->right->columns[i].type.class_mask;
    return BR_OK;
}

// The conditions as they read over the columns of one side.
static br_status side_conditions(br_rewrite *rewrite, const br_plan *set, const br_plan *side,
                                 const br_conjuncts *conditions, br_conjuncts *out, br_error *err)
{
    for (uint32_t i = 0; i < set->column_count; i++) {
        br_expr *column = br_expr_column(rewrite->arena, &side->columns[i]);
        BR_NEED_NODE(column, err);
        rewrite->substitutes[set->columns[i].id] = column;
    }
    for (uint32_t i = 0; i < conditions->count; i++) {
        br_expr *replaced;
        BR_TRY(br_expr_substitute(rewrite, conditions->items[i], &replaced, err));
        BR_TRY(br_conjuncts_add(rewrite, out, replaced, err));
    }
    set_substitutes(rewrite, set, NULL, set->column_count);
    return BR_OK;
}

static br_status push_set(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                          br_error *err)
{
    br_plan *set = *plan;
    br_conjuncts left = {0}, right = {0}, moved = {0}, kept = {0};
    br_agreement agreement;
    if (set->set.set == BR_SET_UNION_ALL) {
        moved = *conditions;
    } else {
        BR_TRY(agreement_of_set(rewrite, set, &agreement, err));
        BR_TRY(split_agreed(rewrite, &agreement, conditions, &moved, &kept, err));
    }
    BR_TRY(side_conditions(rewrite, set, set->left, &moved, &left, err));
    BR_TRY(side_conditions(rewrite, set, set->right, &moved, &right, err));
    BR_TRY(br_push_down(rewrite, &set->left, &left, err));
    BR_TRY(br_push_down(rewrite, &set->right, &right, err));
    br_estimate_node(rewrite, set);
    return br_add_filter(rewrite, plan, &kept, err);
}

// ---- recursion -------------------------------------------------------------------------------

// What the rows have to be like says nothing about those that they come from.
static br_status push_recursive(br_rewrite *rewrite, br_plan *plan, br_error *err)
{
    br_conjuncts none = {0};
    BR_TRY(br_push_down(rewrite, &plan->left, &none, err));
    BR_TRY(br_push_down(rewrite, &plan->right, &none, err));
    br_join_probe_working(plan->right);
    return BR_OK;
}

// ---- all -------------------------------------------------------------------------------------

br_status br_push_down(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                       br_error *err)
{
    BR_TRY(br_conjuncts_tighten(rewrite, conditions, err));
    if (is_never(conditions)) return br_make_empty(rewrite, plan, err);
    switch ((*plan)->kind) {
    case BR_PLAN_SCAN: return push_scan(rewrite, plan, conditions, err);
    case BR_PLAN_FILTER: return push_filter(rewrite, plan, conditions, err);
    case BR_PLAN_PROJECT: return push_project(rewrite, plan, conditions, err);
    case BR_PLAN_AGGREGATE: return push_aggregate(rewrite, plan, conditions, err);
    case BR_PLAN_JOIN: return br_push_join(rewrite, plan, conditions, err);
    case BR_PLAN_SORT:
    case BR_PLAN_LIMIT: return push_order(rewrite, plan, conditions, err);
    case BR_PLAN_SET: return push_set(rewrite, plan, conditions, err);
    case BR_PLAN_WINDOW: return push_window(rewrite, plan, conditions, err);
    case BR_PLAN_CALL:
    case BR_PLAN_APPLY: return push_apply(rewrite, plan, conditions, err);
    case BR_PLAN_RECURSIVE: BR_TRY(push_recursive(rewrite, *plan, err)); break;
    case BR_PLAN_VALUES:
    case BR_PLAN_SHARED:
    case BR_PLAN_WORKING: break;
    }
    br_estimate_node(rewrite, *plan);
    return br_add_filter(rewrite, plan, conditions, err);
}
