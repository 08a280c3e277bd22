// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool br_name_equal(const char *left, const char *right)
{
    while (*left != 0 && fold(*left) == fold(*right)) {
        left++;
        right++;
    }
    return fold(*left) == fold(*right);
}

void *br_grow(br_arena *arena, void *items, uint32_t count, size_t item_bytes)
{
    bool is_full = count == 0 || (count >= 4 && (count & (count - 1)) == 0);
    if (!is_full) return items;
    size_t capacity = count == 0 ? 4 : (size_t)count * 2;
    void *grown = br_arena_array(arena, capacity, item_bytes, _Alignof(max_align_t));
    if (grown != NULL && count > 0) memcpy(grown, items, count * item_bytes);
    return grown;
}

br_expr *br_expr_new(br_arena *arena, br_expr_kind kind, uint32_t arg_count)
{
    br_expr *expr = BR_ALLOC(arena, br_expr, 1);
    if (expr == NULL) return NULL;
    expr->kind = kind;
    expr->arg_count = arg_count;
    if (arg_count > 0) {
        expr->args = BR_ALLOC(arena, br_expr *, arg_count);
        if (expr->args == NULL) return NULL;
    }
    return expr;
}

br_expr *br_expr_const(br_arena *arena, br_value value)
{
    br_expr *expr = br_expr_new(arena, BR_EXPR_CONST, 0);
    if (expr == NULL) return NULL;
    expr->value = value;
    expr->type = br_type_of_value(&value);
    return expr;
}

br_expr *br_expr_column(br_arena *arena, const br_plan_column *column)
{
    br_expr *expr = br_expr_new(arena, BR_EXPR_COLUMN, 0);
    if (expr == NULL) return NULL;
    expr->column_id = column->id;
    expr->type = column->type;
    expr->affinity = column->affinity;
    expr->json = column->json;
    return expr;
}

static bool is_nullable(const br_expr *expr)
{
    return (expr->type.class_mask & BR_MASK_NULL) != 0;
}

// For operators whose result is 0, 1 or, when an operand is, NULL; others set their type after.
br_expr *br_expr_operator(br_arena *arena, br_operator operator_, br_expr *left, br_expr *right)
{
    br_expr *expr = br_expr_new(arena, BR_EXPR_OPERATOR, right == NULL ? 1 : 2);
    if (expr == NULL) return NULL;
    expr->operator_ = operator_;
    expr->args[0] = left;
    if (right != NULL) expr->args[1] = right;
    bool never_null = operator_ == BR_OP_IS || operator_ == BR_OP_IS_NOT ||
                      (operator_ >= BR_OP_IS_NULL && operator_ <= BR_OP_IS_NOT_FALSE);
    bool nullable = is_nullable(left) || (right != NULL && is_nullable(right));
    expr->type = br_type_int(0, 1, nullable && !never_null);
    expr->can_fail = left->can_fail || (right != NULL && right->can_fail);
    expr->offset = left->offset;
    return expr;
}

br_expr *br_expr_clone(br_arena *arena, const br_expr *expr)
{
    br_expr *copy = br_arena_copy(arena, expr, sizeof *expr);
    if (copy == NULL || expr->arg_count == 0) return copy;
    copy->args = BR_ALLOC(arena, br_expr *, expr->arg_count);
    if (copy->args == NULL) return NULL;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        copy->args[i] = br_expr_clone(arena, expr->args[i]);
        if (copy->args[i] == NULL) return NULL;
    }
    return copy;
}

static bool value_equal(const br_value *left, const br_value *right)
{
    if (left->class_ != right->class_) return false;
    if (left->class_ == BR_NULL) return true;
    if (left->class_ == BR_INT) return left->i64 == right->i64;
    if (left->class_ == BR_REAL) return memcmp(&left->f64, &right->f64, sizeof left->f64) == 0;
    return br_text_equal(left->text, right->text);
}

static bool node_equal(const br_expr *left, const br_expr *right)
{
    switch (left->kind) {
    case BR_EXPR_CONST: return value_equal(&left->value, &right->value);
    case BR_EXPR_COLUMN: return left->column_id == right->column_id;
    case BR_EXPR_PARAMETER: return left->parameter == right->parameter;
    case BR_EXPR_SUBQUERY: return left->subquery == right->subquery;
    case BR_EXPR_OPERATOR:
        return left->operator_ == right->operator_ && left->collation == right->collation;
    case BR_EXPR_FUNCTION:
        return left->function == right->function && left->collation == right->collation &&
               br_name_equal(left->function_name, right->function_name);
    case BR_EXPR_CASE: return true;
    case BR_EXPR_CAST:
    case BR_EXPR_AFFINITY: return left->affinity_to == right->affinity_to;
    }
    return false;
}

bool br_expr_equal(const br_expr *left, const br_expr *right)
{
    if (left->kind != right->kind || left->arg_count != right->arg_count) return false;
    if (!node_equal(left, right)) return false;
    for (uint32_t i = 0; i < left->arg_count; i++) {
        if (!br_expr_equal(left->args[i], right->args[i])) return false;
    }
    return true;
}

bool br_expr_is_constant(const br_expr *expr)
{
    if (expr->kind == BR_EXPR_COLUMN || expr->is_volatile) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!br_expr_is_constant(expr->args[i])) return false;
    }
    return true;
}

bool br_expr_is_volatile(const br_expr *expr)
{
    if (expr->is_volatile) return true;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (br_expr_is_volatile(expr->args[i])) return true;
    }
    return false;
}

br_expr *br_expr_and(br_arena *arena, br_expr *left, br_expr *right)
{
    if (left == NULL) return right;
    if (right == NULL) return left;
    bool is_and = left->kind == BR_EXPR_OPERATOR && left->operator_ == BR_OP_AND;
    if (!is_and) return br_expr_operator(arena, BR_OP_AND, left, right);
    br_expr **args = BR_ALLOC(arena, br_expr *, left->arg_count + 1);
    if (args == NULL) return NULL;
    memcpy(args, left->args, left->arg_count * sizeof *args);
    args[left->arg_count++] = right;
    left->args = args;
    left->type = br_type_int(0, 1, is_nullable(left) || is_nullable(right));
    left->can_fail = left->can_fail || right->can_fail;
    return left;
}

static br_status visit_list(br_expr **list, uint32_t count, br_expr_visit visit, void *context,
                            br_error *err)
{
    for (uint32_t i = 0; i < count; i++) BR_TRY(visit(context, &list[i], err));
    return BR_OK;
}

static br_status visit_optional(br_expr **expr, br_expr_visit visit, void *context, br_error *err)
{
    return *expr == NULL ? BR_OK : visit(context, expr, err);
}

static br_status visit_aggregate(br_aggregate *aggregate, br_expr_visit visit, void *context,
                                 br_error *err)
{
    BR_TRY(visit_list(aggregate->args, aggregate->arg_count, visit, context, err));
    for (uint32_t i = 0; i < aggregate->order_count; i++)
        BR_TRY(visit(context, &aggregate->order_by[i].expression, err));
    return visit_optional(&aggregate->filter, visit, context, err);
}

static br_status visit_join(br_plan *plan, br_expr_visit visit, void *context, br_error *err)
{
    BR_TRY(visit_list(plan->join.left_keys, plan->join.key_count, visit, context, err));
    BR_TRY(visit_list(plan->join.right_keys, plan->join.key_count, visit, context, err));
    BR_TRY(visit_optional(&plan->join.guard, visit, context, err));
    return visit_optional(&plan->join.residual, visit, context, err);
}

static br_status visit_call(br_window_call *call, br_expr_visit visit, void *context,
                            br_error *err)
{
    BR_TRY(visit_aggregate(&call->aggregate, visit, context, err));
    BR_TRY(visit_list(call->args, call->arg_count, visit, context, err));
    BR_TRY(visit_optional(&call->frame.start_offset, visit, context, err));
    return visit_optional(&call->frame.end_offset, visit, context, err);
}

static br_status visit_window(br_plan *plan, br_expr_visit visit, void *context, br_error *err)
{
    BR_TRY(visit_list(plan->window.partitions, plan->window.partition_count, visit, context, err));
    for (uint32_t i = 0; i < plan->window.order_count; i++)
        BR_TRY(visit(context, &plan->window.order_by[i].expression, err));
    for (uint32_t i = 0; i < plan->window.call_count; i++)
        BR_TRY(visit_call(&plan->window.calls[i], visit, context, err));
    return BR_OK;
}

br_status br_plan_each_expr(br_plan *plan, br_expr_visit visit, void *context, br_error *err)
{
    switch (plan->kind) {
    case BR_PLAN_SHARED:
    case BR_PLAN_SET:
    case BR_PLAN_WORKING: return BR_OK;
    case BR_PLAN_SCAN:
        return visit_list(plan->scan.filters, plan->scan.filter_count, visit, context, err);
    case BR_PLAN_VALUES:
        for (uint32_t i = 0; i < plan->values.row_count; i++)
            BR_TRY(visit_list(plan->values.rows[i], plan->column_count, visit, context, err));
        return BR_OK;
    case BR_PLAN_FILTER: return visit(context, &plan->filter.predicate, err);
    case BR_PLAN_PROJECT:
        return visit_list(plan->project.expressions, plan->column_count, visit, context, err);
    case BR_PLAN_AGGREGATE:
        BR_TRY(visit_list(plan->aggregate.keys, plan->aggregate.key_count, visit, context, err));
        for (uint32_t i = 0; i < plan->aggregate.aggregate_count; i++)
            BR_TRY(visit_aggregate(&plan->aggregate.aggregates[i], visit, context, err));
        return BR_OK;
    case BR_PLAN_JOIN: return visit_join(plan, visit, context, err);
    case BR_PLAN_WINDOW: return visit_window(plan, visit, context, err);
    case BR_PLAN_SORT:
        for (uint32_t i = 0; i < plan->sort.key_count; i++)
            BR_TRY(visit(context, &plan->sort.keys[i].expression, err));
        BR_TRY(visit_optional(&plan->sort.limit, visit, context, err));
        return visit_optional(&plan->sort.offset, visit, context, err);
    case BR_PLAN_LIMIT:
        BR_TRY(visit_optional(&plan->limit.limit, visit, context, err));
        return visit_optional(&plan->limit.offset, visit, context, err);
    case BR_PLAN_APPLY:
        return visit_list(plan->apply.arguments, plan->apply.argument_count, visit, context, err);
    case BR_PLAN_CALL:
        BR_TRY(visit_list(plan->call.arguments, plan->call.argument_count, visit, context, err));
        return visit_optional(&plan->call.residual, visit, context, err);
    case BR_PLAN_RECURSIVE:
        BR_TRY(visit_optional(&plan->recursive.limit, visit, context, err));
        return visit_optional(&plan->recursive.offset, visit, context, err);
    }
    return BR_OK;
}

br_status br_plan_each_expr_deep(br_plan *plan, br_expr_visit visit, void *context, br_error *err)
{
    BR_TRY(br_plan_each_expr(plan, visit, context, err));
    if (plan->left != NULL) BR_TRY(br_plan_each_expr_deep(plan->left, visit, context, err));
    if (plan->right != NULL) BR_TRY(br_plan_each_expr_deep(plan->right, visit, context, err));
    return BR_OK;
}

static br_status can_fail_visit(void *context, br_expr **expr, br_error *err)
{
    (void)err;
    bool *found = context;
    *found = *found || (*expr)->can_fail;
    return BR_OK;
}

bool br_plan_can_fail(br_plan *plan)
{
    bool found = false;
    br_error ignored;
    return br_plan_each_expr_deep(plan, can_fail_visit, &found, &ignored) != BR_OK || found;
}

const br_plan_column *br_plan_find(const br_plan *plan, uint32_t column_id)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        if (plan->columns[i].id == column_id) return &plan->columns[i];
    }
    return NULL;
}
