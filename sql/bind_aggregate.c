// Aggregate functions, and lifting expressions above the AGGREGATE node.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

static br_status misuse(const br_scope *scope, const br_ast *ast, br_error *err)
{
    if ((scope->is_aggregate || scope->in_order) && !scope->in_aggregate)
        return br_fail_at(err, BR_SQL, ast->offset, "misuse of aggregate: %s()", ast->name);
    return br_fail_at(err, BR_SQL, ast->offset, "misuse of aggregate function %s()", ast->name);
}

// ORDER BY inside an aggregate: bound always, kept where it makes a difference.
static br_status bind_order_inside(br_scope *scope, const br_ast *ast, br_aggregate *aggregate,
                                   br_error *err)
{
    br_bound term;
    br_sort_key *keys = BR_ALLOC(scope->binder->arena, br_sort_key, ast->order_count);
    BR_NEED(keys, err);
    for (uint32_t i = 0; i < ast->order_count; i++) {
        const br_ast_order *order = &ast->order_by[i];
        BR_TRY(br_bind_expression(scope, order->expression, &term, err));
        keys[i] = (br_sort_key){
            .expression = term.expr,
            .descending = order->descending,
            .nulls_last = order->nulls == 0 ? order->descending : order->nulls > 0,
            .collation = term.source == BR_COLLATED_NOT ? BR_COLLATION_BINARY : term.collation};
    }
    if (aggregate->kind != BR_AGG_GROUP_CONCAT && aggregate->kind != BR_AGG_JSON_ARRAY &&
        aggregate->kind != BR_AGG_JSON_OBJECT)
        return BR_OK;
    aggregate->order_count = ast->order_count;
    aggregate->order_by = keys;
    return BR_OK;
}

br_status br_bind_arguments(br_scope *scope, const br_ast *ast, br_aggregate *aggregate,
                            br_bound *first_out, br_error *err)
{
    br_bound arg;
    *first_out = (br_bound){.source = BR_COLLATED_NOT};
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        BR_TRY(br_bind_expression(scope, ast->args[i], &arg, err));
        aggregate->args[i] = arg.expr;
        if (i > 0) continue;
        *first_out = arg;
        if (arg.source != BR_COLLATED_NOT) aggregate->collation = arg.collation;
    }
    aggregate->arg_count = ast->arg_count;
    BR_TRY(bind_order_inside(scope, ast, aggregate, err));
    if (ast->filter == NULL) return BR_OK;
    BR_TRY(br_bind_expression(scope, ast->filter, &arg, err));
    aggregate->filter = arg.expr;
    return BR_OK;
}

// Arguments are bound below the AGGREGATE node.
static br_status bind_below(br_scope *scope, const br_ast *ast, br_aggregate *aggregate,
                            br_error *err)
{
    br_attach_list *attach = scope->attach;
    bool windows_allowed = scope->windows_allowed;
    uint32_t *references;
    br_bound first;
    BR_TRY(br_scope_count_references(scope, &references, err));
    scope->attach = scope->attach_below;
    scope->in_aggregate = true;
    scope->windows_allowed = false;
    br_status status = br_bind_arguments(scope, ast, aggregate, &first, err);
    scope->attach = attach;
    scope->in_aggregate = false;
    scope->windows_allowed = windows_allowed;
    BR_TRY(status);
    return br_note_outer_aggregate(scope, ast, references, err);
}

static bool optional_equal(const br_expr *left, const br_expr *right)
{
    if (left == NULL || right == NULL) return left == right;
    return br_expr_equal(left, right);
}

bool br_aggregate_equal(const br_aggregate *left, const br_aggregate *right)
{
    bool same = left->kind == right->kind && left->distinct == right->distinct &&
                left->collation == right->collation && left->arg_count == right->arg_count &&
                left->is_json == right->is_json && left->order_count == right->order_count &&
                optional_equal(left->filter, right->filter);
    for (uint32_t i = 0; same && i < left->order_count; i++) {
        const br_sort_key *a = &left->order_by[i], *b = &right->order_by[i];
        same = a->descending == b->descending && a->nulls_last == b->nulls_last &&
               a->collation == b->collation && br_expr_equal(a->expression, b->expression);
    }
    for (uint32_t i = 0; same && i < left->arg_count; i++)
        same = br_expr_equal(left->args[i], right->args[i]);
    return same;
}

// SQLite marks its JSON aggregates' values, and min() and bare columns keep the mark.
static br_json_kind json_of(const br_aggregate *aggregate)
{
    if (aggregate->kind == BR_AGG_JSON_ARRAY || aggregate->kind == BR_AGG_JSON_OBJECT)
        return BR_JSON_ALWAYS;
    bool passes = aggregate->kind == BR_AGG_MIN || aggregate->kind == BR_AGG_MAX ||
                  aggregate->kind == BR_AGG_FIRST || aggregate->kind == BR_AGG_ARG_MIN ||
                  aggregate->kind == BR_AGG_ARG_MAX;
    return passes ? br_expr_json(aggregate->args[0]) : BR_JSON_NOT;
}

// The column of the aggregate, which is added unless the query has it already.
static br_status aggregate_column(br_scope *scope, const br_aggregate *aggregate, bool is_bare,
                                  br_plan_column **out, br_error *err)
{
    for (uint32_t i = 0; i < scope->aggregate_count; i++) {
        br_bound_aggregate *known = &scope->aggregates[i];
        if (known->is_bare != is_bare) continue;
        if (!br_aggregate_equal(&known->aggregate, aggregate)) continue;
        *out = &known->column;
        return BR_OK;
    }
    br_bound_aggregate *grown = br_grow(scope->binder->arena, scope->aggregates,
                                        scope->aggregate_count, sizeof *grown);
    BR_NEED(grown, err);
    scope->aggregates = grown;
    br_bound_aggregate *added = &grown[scope->aggregate_count++];
    *added = (br_bound_aggregate){.aggregate = *aggregate, .is_bare = is_bare};
    added->column.id = scope->binder->next_id++;
    added->column.name = "";
    added->column.json = json_of(aggregate);
    added->column.type = br_type_aggregate(aggregate, !scope->nulls_when_empty);
    *out = &added->column;
    return BR_OK;
}

static bool never_null(const br_expr *expr)
{
    return (expr->type.class_mask & BR_MASK_NULL) == 0 && !expr->can_fail &&
           !expr->assumes_no_overflow;
}

br_value br_aggregate_empty(br_aggregate_kind kind)
{
    switch (kind) {
    case BR_AGG_COUNT_STAR:
    case BR_AGG_COUNT: return br_value_int(0);
    case BR_AGG_TOTAL: return br_value_real(0.0);
    case BR_AGG_JSON_ARRAY: return br_value_text(br_text_make("[]", 2));
    case BR_AGG_JSON_OBJECT: return br_value_text(br_text_make("{}", 2));
    default: return br_value_null();
    }
}

// Counting what cannot be NULL is counting rows.
void br_aggregate_simplify(br_aggregate *aggregate)
{
    if (aggregate->kind == BR_AGG_MIN || aggregate->kind == BR_AGG_MAX) aggregate->distinct = false;
    if (aggregate->kind != BR_AGG_COUNT || aggregate->distinct) return;
    if (aggregate->arg_count == 1 && !never_null(aggregate->args[0])) return;
    aggregate->kind = BR_AGG_COUNT_STAR;
    aggregate->arg_count = 0;
    aggregate->args[0] = NULL;
}

// What is particular to some aggregates, once the arguments are bound.
static br_status complete(br_scope *scope, const br_ast *ast, br_aggregate *aggregate,
                          br_error *err)
{
    switch (aggregate->kind) {
    case BR_AGG_JSON_ARRAY:
    case BR_AGG_JSON_OBJECT: BR_TRY(br_json_aggregate(scope, ast, aggregate, err)); break;
    case BR_AGG_QUANTILE:
        if (aggregate->arg_count == 1)
            aggregate->args[aggregate->arg_count++] =
                br_expr_const(scope->binder->arena, br_value_real(0.5));
        BR_NEED(aggregate->args[1], err);
        if (!br_expr_is_constant(aggregate->args[1]))
            return br_fail(err, BR_UNSUPPORTED, "quantile() with a fraction that is not constant");
        break;
    case BR_AGG_COUNT:
        if (!br_name_equal(ast->name, "approx_count_distinct")) break;
        aggregate->distinct = true;
        aggregate->collation = BR_COLLATION_BINARY;
        break;
    default: break;
    }
    br_aggregate_simplify(aggregate);
    return BR_OK;
}

br_status br_bind_aggregate(br_scope *scope, const br_ast *ast, br_aggregate_kind kind,
                            br_bound *out, br_error *err)
{
    const br_outer_aggregate *noted = br_outer_aggregate_find(scope->binder, ast);
    bool is_elsewhere = noted != NULL && (scope->core == NULL || !br_is_owner(scope->core, noted));
    if (is_elsewhere) return br_bind_outer_aggregate(scope, ast, kind, noted, out, err);
    // In WHERE of an aggregate query one of an outer query may stand.
    bool may_be_outer = scope->is_aggregate && scope->outer != NULL;
    if (scope->in_aggregate || (!scope->aggregates_allowed && !may_be_outer))
        return misuse(scope, ast, err);
    if (ast->distinct && ast->arg_count != 1)
        return br_fail(err, BR_SQL, "DISTINCT aggregates must have exactly one argument");
    br_aggregate aggregate = {.kind = kind, .distinct = ast->distinct};
    br_plan_column *column;
    BR_TRY(bind_below(scope, ast, &aggregate, err));
    if (!scope->aggregates_allowed) return misuse(scope, ast, err);
    BR_TRY(complete(scope, ast, &aggregate, err));
    BR_TRY(aggregate_column(scope, &aggregate, false, &column, err));
    *out = (br_bound){.source = BR_COLLATED_NOT};
    out->expr = br_expr_column(scope->binder->arena, column);
    BR_NEED(out->expr, err);
    return BR_OK;
}

br_status br_bind_grouping_mark(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    if (!scope->aggregates_allowed || scope->in_aggregate) return misuse(scope, ast, err);
    if (ast->arg_count != 1)
        return br_fail_at(err, BR_SQL, ast->offset,
                          "wrong number of arguments to function %s()", ast->name);
    br_aggregate mark = {.kind = BR_AGG_FIRST};
    br_plan_column *column;
    BR_TRY(bind_below(scope, ast, &mark, err));
    BR_TRY(aggregate_column(scope, &mark, false, &column, err));
    column->type = br_type_int(0, 1, false);
    *out = (br_bound){.source = BR_COLLATED_NOT};
    out->expr = br_expr_column(scope->binder->arena, column);
    BR_NEED(out->expr, err);
    return BR_OK;
}

// ---- lifting ---------------------------------------------------------------------------------

static br_status lift_column(br_scope *scope, br_expr **expr, const br_plan_column *column,
                             br_error *err)
{
    uint32_t offset = (*expr)->offset;
    br_affinity affinity = (*expr)->affinity;
    *expr = br_expr_column(scope->binder->arena, column);
    BR_NEED(*expr, err);
    (*expr)->offset = offset;
    (*expr)->affinity = affinity;
    return BR_OK;
}

br_status br_lift(br_scope *scope, br_expr **expr, br_error *err)
{
    for (uint32_t i = 0; i < scope->key_count; i++) {
        if (br_expr_equal(scope->keys[i], *expr))
            return lift_column(scope, expr, &scope->key_columns[i], err);
    }
    if ((*expr)->kind != BR_EXPR_COLUMN) {
        for (uint32_t i = 0; i < (*expr)->arg_count; i++)
            BR_TRY(br_lift(scope, &(*expr)->args[i], err));
        return BR_OK;
    }
    uint32_t id = (*expr)->column_id;
    if (id < scope->first_id || id >= scope->end_id) return BR_OK;
    br_aggregate bare = {.kind = BR_AGG_FIRST, .arg_count = 1, .args = {*expr}};
    br_plan_column *column;
    BR_TRY(aggregate_column(scope, &bare, true, &column, err));
    return lift_column(scope, expr, column, err);
}

static br_status lift_visit(void *context, br_expr **expr, br_error *err)
{
    return br_lift(context, expr, err);
}

br_status br_lift_node(br_scope *scope, br_plan *plan, br_error *err)
{
    return br_plan_each_expr(plan, lift_visit, scope, err);
}

br_status br_lift_joins(br_scope *scope, br_attach_list *list, br_error *err)
{
    for (uint32_t i = 0; i < list->count; i++)
        BR_TRY(br_plan_each_expr_deep(list->joins[i], lift_visit, scope, err));
    return BR_OK;
}

// Beside min() or max(), bare columns come from the row with the extreme: of the last such
// aggregate when there are several.
static br_status order_bare_columns(br_scope *scope, br_error *err)
{
    const br_aggregate *extreme = NULL;
    bool has_bare = false;
    for (uint32_t i = 0; i < scope->aggregate_count; i++) {
        const br_bound_aggregate *item = &scope->aggregates[i];
        br_aggregate_kind kind = item->aggregate.kind;
        has_bare = has_bare || item->is_bare;
        bool is_extreme = kind == BR_AGG_MIN || kind == BR_AGG_MAX;
        if (!item->is_bare && is_extreme) extreme = &item->aggregate;
    }
    if (extreme == NULL || !has_bare) return BR_OK;
    for (uint32_t i = 0; i < scope->aggregate_count; i++) {
        br_bound_aggregate *item = &scope->aggregates[i];
        if (!item->is_bare) continue;
        item->aggregate.kind = extreme->kind == BR_AGG_MIN ? BR_AGG_ARG_MIN : BR_AGG_ARG_MAX;
        item->aggregate.arg_count = 2;
        item->aggregate.args[1] = br_expr_clone(scope->binder->arena, extreme->args[0]);
        BR_NEED(item->aggregate.args[1], err);
        item->aggregate.collation = extreme->collation;
        if (extreme->filter == NULL) continue;
        item->aggregate.filter = br_expr_clone(scope->binder->arena, extreme->filter);
        BR_NEED(item->aggregate.filter, err);
    }
    return BR_OK;
}

br_status br_bind_aggregate_node(br_scope *scope, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    BR_TRY(order_bare_columns(scope, err));
    br_plan *plan = br_plan_new(scope->binder, BR_PLAN_AGGREGATE,
                                scope->key_count + scope->aggregate_count);
    BR_NEED(plan, err);
    plan->left = scope->plan;
    plan->aggregate.key_count = scope->key_count;
    plan->aggregate.keys = scope->keys;
    plan->aggregate.key_collations = BR_ALLOC(arena, br_collation, scope->key_count);
    plan->aggregate.aggregate_count = scope->aggregate_count;
    plan->aggregate.aggregates = BR_ALLOC(arena, br_aggregate, scope->aggregate_count);
    BR_NEED(plan->aggregate.key_collations, err);
    BR_NEED(plan->aggregate.aggregates, err);
    for (uint32_t i = 0; i < scope->key_count; i++) {
        plan->columns[i] = scope->key_columns[i];
        plan->aggregate.key_collations[i] = scope->key_columns[i].collation;
    }
    for (uint32_t i = 0; i < scope->aggregate_count; i++) {
        plan->columns[scope->key_count + i] = scope->aggregates[i].column;
        plan->aggregate.aggregates[i] = scope->aggregates[i].aggregate;
    }
    scope->plan = plan;
    return scope->grouping_set_count > 0 ? br_bind_grouping_sets(scope, err) : BR_OK;
}
