// What the grouping sets of a query have in common is run once. When one set has the keys of all
// others (ROLLUP, CUBE) and the aggregates can be made of parts, its groups are a shared plan, and
// the other sets group those. Otherwise the rows to group are, if they take more than a scan.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"

static bool has_parts(const br_aggregate *aggregate)
{
    switch (aggregate->kind) {
    case BR_AGG_COUNT_STAR:
    case BR_AGG_COUNT:
    case BR_AGG_SUM:
    case BR_AGG_TOTAL:
    case BR_AGG_AVG:
    case BR_AGG_MIN:
    case BR_AGG_MAX: return !aggregate->distinct;
    default: return false;
    }
}

static uint64_t finest_set(const br_scope *scope)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < scope->grouping_set_count; i++) all |= scope->grouping_sets[i];
    for (uint32_t i = 0; i < scope->grouping_set_count; i++)
        if (scope->grouping_sets[i] == all) return all;
    return 0;
}

static bool can_refine(const br_scope *scope, uint64_t finest)
{
    for (uint32_t i = 0; i < scope->aggregate_count; i++) {
        const br_bound_aggregate *item = &scope->aggregates[i];
        if (!br_is_grouping_mark(item) && !has_parts(&item->aggregate)) return false;
    }
    return finest != 0;
}

// ---- the finest groups -----------------------------------------------------------------------

// The column of a part, which is added unless the node has it already.
static br_status add_part(br_scope *scope, br_plan *fine, const br_aggregate *part,
                          uint32_t *column_out, br_error *err)
{
    uint32_t count = fine->aggregate.aggregate_count, known = 0;
    while (known < count && !br_aggregate_equal(&fine->aggregate.aggregates[known], part)) known++;
    *column_out = fine->aggregate.key_count + known;
    if (known < count) return BR_OK;
    br_aggregate *added = &fine->aggregate.aggregates[fine->aggregate.aggregate_count++];
    br_plan_column *column = &fine->columns[fine->column_count++];
    *added = *part;
    column->id = scope->binder->next_id++;
    column->name = "";
    column->type = br_type_aggregate(part, true);
    for (uint32_t i = 0; i < part->arg_count; i++) {
        added->args[i] = br_expr_clone(scope->binder->arena, part->args[i]);
        BR_NEED(added->args[i], err);
    }
    if (part->filter == NULL) return BR_OK;
    added->filter = br_expr_clone(scope->binder->arena, part->filter);
    BR_NEED(added->filter, err);
    return BR_OK;
}

// An average is a total and a count; the others are parts of themselves.
static br_status add_parts(br_scope *scope, const br_bound_aggregate *item, br_plan *fine,
                           br_grouping_parts *parts, br_error *err)
{
    br_aggregate part = item->aggregate;
    if (part.kind == BR_AGG_AVG) {
        part.kind = BR_AGG_COUNT;
        br_aggregate_simplify(&part);
        BR_TRY(add_part(scope, fine, &part, &parts->count, err));
        part = item->aggregate;
        part.kind = BR_AGG_TOTAL;
    }
    BR_TRY(add_part(scope, fine, &part, &parts->value, err));
    fine->columns[parts->value].json = item->column.json;
    return BR_OK;
}

static br_status make_fine(br_scope *scope, br_grouping_source *source, br_plan **fine_out,
                           br_error *err)
{
    br_arena *arena = scope->binder->arena;
    const br_plan *whole = source->whole;
    uint32_t key_count = whole->aggregate.key_count, part_max = 2 * scope->aggregate_count;
    br_plan *fine = br_plan_new(scope->binder, BR_PLAN_AGGREGATE, key_count + part_max);
    BR_NEED(fine, err);
    fine->left = whole->left;
    fine->aggregate = whole->aggregate;
    fine->aggregate.aggregate_count = 0;
    fine->aggregate.aggregates = BR_ALLOC(arena, br_aggregate, part_max);
    source->parts = BR_ALLOC(arena, br_grouping_parts, scope->aggregate_count);
    BR_NEED(fine->aggregate.aggregates, err);
    BR_NEED(source->parts, err);
    for (uint32_t i = 0; i < key_count; i++) {
        fine->columns[i] = whole->columns[i];
        fine->columns[i].id = scope->binder->next_id++;
    }
    fine->column_count = key_count;
    for (uint32_t i = 0; i < scope->aggregate_count; i++) {
        const br_bound_aggregate *item = &scope->aggregates[i];
        if (br_is_grouping_mark(item)) continue;
        BR_TRY(add_parts(scope, item, fine, &source->parts[i], err));
    }
    *fine_out = fine;
    return BR_OK;
}

// ---- groups of groups ------------------------------------------------------------------------

static br_status combine_part(br_scope *scope, const br_aggregate *part,
                              const br_plan_column *column, br_aggregate *out, br_error *err)
{
    bool counts = part->kind == BR_AGG_COUNT || part->kind == BR_AGG_COUNT_STAR;
    *out = (br_aggregate){.kind = counts ? BR_AGG_SUM : part->kind, .arg_count = 1,
                          .collation = part->collation};
    out->args[0] = br_expr_column(scope->binder->arena, column);
    BR_NEED(out->args[0], err);
    return BR_OK;
}

// The same columns as `fine`, by grouping its groups by its keys.
static br_status make_coarse(br_scope *scope, br_plan *fine, uint32_t index,
                             br_plan **coarse_out, br_error *err)
{
    br_binder *binder = scope->binder;
    uint32_t key_count = fine->aggregate.key_count, count = fine->aggregate.aggregate_count;
    br_plan *coarse = br_plan_over(binder, BR_PLAN_AGGREGATE, fine);
    BR_NEED(coarse, err);
    BR_TRY(br_plan_shared(binder, fine, index, &coarse->left, err));
    coarse->aggregate = fine->aggregate;
    coarse->aggregate.keys = BR_ALLOC(binder->arena, br_expr *, key_count);
    coarse->aggregate.aggregates = BR_ALLOC(binder->arena, br_aggregate, count);
    BR_NEED(coarse->aggregate.keys, err);
    BR_NEED(coarse->aggregate.aggregates, err);
    const br_plan_column *groups = coarse->left->columns;
    for (uint32_t i = 0; i < key_count; i++) {
        coarse->aggregate.keys[i] = br_expr_column(binder->arena, &groups[i]);
        BR_NEED(coarse->aggregate.keys[i], err);
        coarse->columns[i].id = binder->next_id++;
    }
    for (uint32_t i = 0; i < count; i++) {
        br_aggregate *combined = &coarse->aggregate.aggregates[i];
        br_plan_column *column = &coarse->columns[key_count + i];
        BR_TRY(combine_part(scope, &fine->aggregate.aggregates[i], &groups[key_count + i],
                            combined, err));
        column->id = binder->next_id++;
        column->type = br_type_aggregate(combined, false);
    }
    *coarse_out = coarse;
    return BR_OK;
}

// ---- the whole -------------------------------------------------------------------------------

static bool takes_more_than_a_scan(const br_plan *plan)
{
    while (plan->kind == BR_PLAN_FILTER || plan->kind == BR_PLAN_PROJECT) plan = plan->left;
    return plan->kind != BR_PLAN_SCAN && plan->kind != BR_PLAN_SHARED;
}

br_status br_share_grouping(br_scope *scope, br_grouping_source *source, br_error *err)
{
    uint64_t finest = finest_set(scope);
    *source = (br_grouping_source){.whole = scope->plan};
    if (scope->grouping_set_count < 2 || scope->escapes) return BR_OK;
    if (can_refine(scope, finest)) {
        br_plan *fine;
        BR_TRY(make_fine(scope, source, &fine, err));
        BR_TRY(br_plan_share(scope->binder, fine, &source->fine_index, err));
        source->fine = fine;
        source->fine_set = finest;
        return make_coarse(scope, fine, source->fine_index, &source->whole, err);
    }
    if (!takes_more_than_a_scan(scope->plan->left)) return BR_OK;
    return br_plan_share_in_place(scope->binder, scope->plan->left, err);
}

// NULL in no group is no count; an average of nothing is a division by zero, NULL.
br_status br_grouping_value(br_scope *scope, const br_grouping_source *source, uint32_t aggregate,
                            const br_plan_column *columns, br_expr **out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_aggregate_kind kind = scope->aggregates[aggregate].aggregate.kind;
    const br_grouping_parts *parts = source->parts == NULL ? NULL : &source->parts[aggregate];
    br_expr *value = br_expr_column(
        arena, &columns[parts == NULL ? scope->key_count + aggregate : parts->value]);
    BR_NEED(value, err);
    *out = value;
    if (parts == NULL) return BR_OK;
    if (kind == BR_AGG_AVG) {
        br_expr *count = br_expr_column(arena, &columns[parts->count]);
        BR_NEED(count, err);
        *out = br_expr_operator(arena, BR_OP_DIV, value, count);
        BR_NEED(*out, err);
        br_type_operator(*out, false);
    } else if (kind == BR_AGG_COUNT || kind == BR_AGG_COUNT_STAR) {
        br_expr *choice = br_expr_new(arena, BR_EXPR_FUNCTION, 2);
        BR_NEED(choice, err);
        choice->function = BR_FN_COALESCE;
        choice->function_name = "coalesce";
        choice->args[0] = value;
        choice->args[1] = br_expr_const(arena, br_value_int(0));
        BR_NEED(choice->args[1], err);
        choice->type = scope->aggregates[aggregate].column.type;
        *out = choice;
    }
    return BR_OK;
}
