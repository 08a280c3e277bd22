// Plan nodes with their columns filled in.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

br_plan *br_plan_new(br_binder *binder, br_plan_kind kind, uint32_t column_count)
{
    br_plan *plan = BR_ALLOC(binder->arena, br_plan, 1);
    if (plan == NULL) return NULL;
    plan->kind = kind;
    plan->column_count = column_count;
    plan->columns = BR_ALLOC(binder->arena, br_plan_column, column_count);
    return plan->columns == NULL ? NULL : plan;
}

br_plan *br_plan_over(br_binder *binder, br_plan_kind kind, br_plan *input)
{
    br_plan *plan = br_plan_new(binder, kind, input->column_count);
    if (plan == NULL) return NULL;
    memcpy(plan->columns, input->columns, input->column_count * sizeof *plan->columns);
    plan->left = input;
    return plan;
}

br_plan *br_plan_filter(br_binder *binder, br_plan *input, br_expr *predicate)
{
    br_plan *plan = br_plan_over(binder, BR_PLAN_FILTER, input);
    if (plan != NULL) plan->filter.predicate = predicate;
    return plan;
}

br_plan *br_plan_limit(br_binder *binder, br_plan *input, br_expr *limit, br_expr *offset)
{
    br_plan *plan = br_plan_over(binder, BR_PLAN_LIMIT, input);
    if (plan == NULL) return NULL;
    plan->limit.limit = limit;
    plan->limit.offset = offset;
    return plan;
}

// The row of a SELECT without FROM: one column that nobody names.
br_plan *br_plan_one_row(br_binder *binder)
{
    br_plan *plan = br_plan_new(binder, BR_PLAN_VALUES, 1);
    if (plan == NULL) return NULL;
    br_expr ***rows = BR_ALLOC(binder->arena, br_expr **, 1);
    if (rows == NULL) return NULL;
    rows[0] = BR_ALLOC(binder->arena, br_expr *, 1);
    if (rows[0] == NULL) return NULL;
    rows[0][0] = br_expr_const(binder->arena, br_value_int(1));
    if (rows[0][0] == NULL) return NULL;
    plan->values.row_count = 1;
    plan->values.rows = rows;
    plan->columns[0] = (br_plan_column){
        .id = binder->next_id++, .name = "", .type = br_type_int(1, 1, false)};
    return plan;
}

br_plan *br_plan_union_all(br_binder *binder, br_plan *left, br_plan *right)
{
    br_plan *plan = br_plan_over(binder, BR_PLAN_SET, left);
    if (plan == NULL) return NULL;
    plan->right = right;
    plan->set.set = BR_SET_UNION_ALL;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        plan->columns[i].id = binder->next_id++;
        plan->columns[i].type = br_type_union(left->columns[i].type, right->columns[i].type);
    }
    return plan;
}

br_plan *br_plan_distinct(br_binder *binder, br_plan *input)
{
    br_plan *plan = br_plan_new(binder, BR_PLAN_AGGREGATE, input->column_count);
    if (plan == NULL) return NULL;
    uint32_t count = input->column_count;
    plan->left = input;
    plan->aggregate.key_count = count;
    plan->aggregate.keys = BR_ALLOC(binder->arena, br_expr *, count);
    plan->aggregate.key_collations = BR_ALLOC(binder->arena, br_collation, count);
    if (plan->aggregate.keys == NULL || plan->aggregate.key_collations == NULL) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        plan->aggregate.keys[i] = br_expr_column(binder->arena, &input->columns[i]);
        if (plan->aggregate.keys[i] == NULL) return NULL;
        plan->aggregate.key_collations[i] = input->columns[i].collation;
        plan->columns[i] = input->columns[i];
        plan->columns[i].id = binder->next_id++;
    }
    return plan;
}

static void add_null(br_plan_column *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) columns[i].type.class_mask |= BR_MASK_NULL;
}

// Left columns, then right ones. SEMI and ANTI put out left columns only; what MARK and SINGLE add
// is in `columns` already, as made by who attaches them.
bool br_plan_join_columns(br_binder *binder, br_plan *join)
{
    br_join_kind kind = join->join.join;
    const br_plan *left = join->left, *right = join->right;
    bool keeps = kind == BR_JOIN_MARK || kind == BR_JOIN_SINGLE;
    const br_plan_column *added = keeps ? join->columns : right->columns;
    uint32_t added_count = keeps ? join->column_count : right->column_count;
    if (kind == BR_JOIN_SEMI || kind == BR_JOIN_ANTI) added_count = 0;
    br_plan_column *columns =
        BR_ALLOC(binder->arena, br_plan_column, left->column_count + added_count);
    if (columns == NULL) return false;
    memcpy(columns, left->columns, left->column_count * sizeof *columns);
    if (added_count > 0)
        memcpy(columns + left->column_count, added, added_count * sizeof *columns);
    if (kind == BR_JOIN_FULL) add_null(columns, left->column_count);
    if (kind == BR_JOIN_FULL || kind == BR_JOIN_LEFT)
        add_null(columns + left->column_count, added_count);
    join->columns = columns;
    join->column_count = left->column_count + added_count;
    return true;
}

bool br_plan_window_columns(br_binder *binder, br_plan *window)
{
    uint32_t calls = window->window.call_count, left = window->left->column_count;
    br_plan_column *columns = BR_ALLOC(binder->arena, br_plan_column, left + calls);
    if (columns == NULL) return false;
    memcpy(columns, window->left->columns, left * sizeof *columns);
    memcpy(columns + left, window->columns + window->column_count - calls, calls * sizeof *columns);
    window->columns = columns;
    window->column_count = left + calls;
    return true;
}

bool br_plan_call_columns(br_binder *binder, br_plan *call)
{
    uint32_t left = call->left->column_count, added = call->call.output_count;
    br_plan_column *columns = BR_ALLOC(binder->arena, br_plan_column, left + added);
    if (columns == NULL) return false;
    memcpy(columns, call->left->columns, left * sizeof *columns);
    memcpy(columns + left, call->columns + call->column_count - added, added * sizeof *columns);
    call->columns = columns;
    call->column_count = left + added;
    return true;
}

br_plan *br_plan_join(br_binder *binder, br_join_kind kind, br_plan *left, br_plan *right)
{
    br_plan *plan = br_plan_new(binder, BR_PLAN_JOIN, 0);
    if (plan == NULL) return NULL;
    plan->join.join = kind;
    plan->left = left;
    plan->right = right;
    return br_plan_join_columns(binder, plan) ? plan : NULL;
}

br_plan_column br_column_of(br_binder *binder, const char *name, const br_bound *bound)
{
    return (br_plan_column){
        .id = binder->next_id++,
        .name = name,
        .type = bound->expr->type,
        .affinity = bound->expr->affinity,
        .collation = bound->source == BR_COLLATED_NOT ? BR_COLLATION_BINARY : bound->collation,
    };
}
