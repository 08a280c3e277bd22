// Subqueries in expressions and conditions: slots, and dependent joins.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

// ---- attaching -------------------------------------------------------------------------------

br_status br_scope_attach(br_scope *scope, br_attach_list *list, br_error *err)
{
    for (uint32_t i = 0; i < list->count; i++) {
        br_plan *join = list->joins[i];
        join->left = scope->plan;
        if (!br_plan_join_columns(scope->binder, join))
            return br_fail(err, BR_NOMEM, "no memory for the plan");
        scope->plan = join;
    }
    list->count = 0;
    list->joins = NULL;
    return BR_OK;
}

br_status br_attach_join(br_scope *scope, br_attach_list *list, br_plan *join, br_error *err)
{
    if (list == NULL)
        return br_fail(err, BR_UNSUPPORTED, "subquery where no join can be made");
    br_plan **grown = br_grow(scope->binder->arena, list->joins, list->count, sizeof *grown);
    BR_NEED(grown, err);
    list->joins = grown;
    grown[list->count++] = join;
    return BR_OK;
}

static br_status guard_expr(br_arena *arena, const br_branch_guard *guard, br_expr **out,
                            br_error *err)
{
    *out = NULL;
    for (uint32_t i = 0; i < guard->before; i++) {
        br_expr *copy = br_expr_clone(arena, guard->conditions[i * guard->step]);
        BR_NEED(copy, err);
        copy = br_expr_operator(arena, guard->passed, copy, NULL);
        BR_NEED(copy, err);
        *out = br_expr_and(arena, *out, copy);
        BR_NEED(*out, err);
    }
    if (guard->condition == NULL) return BR_OK;
    br_expr *copy = br_expr_clone(arena, guard->condition);
    BR_NEED(copy, err);
    *out = br_expr_and(arena, *out, copy);
    BR_NEED(*out, err);
    return BR_OK;
}

br_status br_scope_guard(br_scope *scope, uint32_t first_join, const br_branch_guard *guard,
                         br_error *err)
{
    br_arena *arena = scope->binder->arena;
    for (uint32_t i = first_join; i < br_scope_join_count(scope); i++) {
        br_plan *join = scope->attach->joins[i];
        br_expr *condition;
        if (!br_plan_can_fail(join->right)) continue;
        BR_TRY(guard_expr(arena, guard, &condition, err));
        if (condition == NULL) continue;
        join->join.guard = br_expr_and(arena, condition, join->join.guard);
        BR_NEED(join->join.guard, err);
    }
    return BR_OK;
}

// A join that waits for its left side, and adds columns to it: the caller fills them.
br_status br_join_new(br_scope *scope, br_join_kind kind, br_plan *right, uint32_t added,
                          br_plan **out, br_error *err)
{
    br_plan *join = br_plan_new(scope->binder, BR_PLAN_JOIN, added);
    BR_NEED(join, err);
    join->join.join = kind;
    join->right = right;
    *out = join;
    return BR_OK;
}

// ---- slots -----------------------------------------------------------------------------------

static br_status add_slot(br_binder *binder, br_plan *plan, uint32_t *slot_out, br_error *err)
{
    br_query *query = binder->query;
    br_plan **plans =
        br_grow(binder->arena, query->subqueries, query->subquery_count, sizeof *plans);
    uint32_t *order = br_grow(binder->arena, query->run_order, query->run_count, sizeof *order);
    BR_NEED(plans, err);
    BR_NEED(order, err);
    query->subqueries = plans;
    query->run_order = order;
    *slot_out = query->subquery_count;
    order[query->run_count++] = BR_RUN_SUBQUERY | query->subquery_count;
    plans[query->subquery_count++] = plan;
    return BR_OK;
}

static bool is_single_row(const br_plan *plan)
{
    while (plan->kind == BR_PLAN_PROJECT) plan = plan->left;
    return (plan->kind == BR_PLAN_AGGREGATE && plan->aggregate.key_count == 0) ||
           (plan->kind == BR_PLAN_VALUES && plan->values.row_count == 1);
}

static br_status first_row(br_binder *binder, br_plan **plan, br_error *err)
{
    if (is_single_row(*plan)) return BR_OK;
    br_expr *one = br_expr_const(binder->arena, br_value_int(1));
    BR_NEED(one, err);
    *plan = br_plan_limit(binder, *plan, one, NULL);
    BR_NEED(*plan, err);
    return BR_OK;
}

// As a value, a compound has the affinity and collation of its last arm (in FROM: of its first).
const br_plan_column *br_value_column(const br_plan *plan, uint32_t index)
{
    const br_plan *node = plan;
    while (node->kind == BR_PLAN_SORT || node->kind == BR_PLAN_LIMIT) node = node->left;
    return &(node->kind == BR_PLAN_SET ? node->right : plan)->columns[index];
}

// What a plain subquery gives is what it computes, with its mark. Through a sorter marks do not
// pass; of the rows of UNION ALL each has its own.
static br_json_kind json_of(const br_ast_select *select, const br_plan *plan)
{
    bool is_plain = select->order_count == 0;
    while (plan->kind == BR_PLAN_LIMIT) plan = plan->left;
    if (select->cores[0].distinct && plan->kind == BR_PLAN_AGGREGATE) plan = plan->left;
    if (is_plain && plan->kind == BR_PLAN_PROJECT)
        return br_expr_json(plan->project.expressions[0]);
    bool is_mixed = is_plain && plan->kind == BR_PLAN_SET && plan->set.set == BR_SET_UNION_ALL;
    return is_mixed ? BR_JSON_MAYBE : BR_JSON_NOT;
}

br_status br_bind_slot(br_scope *scope, br_plan *plan, br_expr **out, br_error *err)
{
    br_expr *expr = br_expr_new(scope->binder->arena, BR_EXPR_SUBQUERY, 0);
    BR_NEED(expr, err);
    expr->type = plan->columns[0].type;
    if (!is_single_row(plan)) expr->type.class_mask |= BR_MASK_NULL;
    expr->affinity = br_value_column(plan, 0)->affinity;
    expr->can_fail = br_plan_can_fail(plan);
    BR_TRY(first_row(scope->binder, &plan, err));
    *out = expr;
    return add_slot(scope->binder, plan, &expr->subquery, err);
}

static bool is_one(const br_expr *expr)
{
    return expr != NULL && expr->kind == BR_EXPR_CONST && expr->value.class_ == BR_INT &&
           expr->value.i64 == 1;
}

// SELECT x ... ORDER BY y LIMIT 1, in a correlated subquery: the x beside the least y, which an
// aggregate finds when no y is NULL.
static br_status first_as_aggregate(br_binder *binder, br_plan **plan, br_error *err)
{
    br_plan *sort = (*plan)->kind == BR_PLAN_PROJECT ? (*plan)->left : *plan;
    if (sort->kind != BR_PLAN_SORT || sort->sort.key_count != 1) return BR_OK;
    const br_sort_key *key = &sort->sort.keys[0];
    bool nullable = (key->expression->type.class_mask & BR_MASK_NULL) != 0;
    if (nullable || !is_one(sort->sort.limit) || sort->sort.offset != NULL) return BR_OK;
    const br_plan_column *value = &sort->columns[0];
    br_plan *aggregate = br_plan_new(binder, BR_PLAN_AGGREGATE, 1);
    BR_NEED(aggregate, err);
    aggregate->left = sort->left;
    aggregate->aggregate.aggregate_count = 1;
    aggregate->aggregate.aggregates = BR_ALLOC(binder->arena, br_aggregate, 1);
    BR_NEED(aggregate->aggregate.aggregates, err);
    br_aggregate *first = aggregate->aggregate.aggregates;
    first->kind = key->descending ? BR_AGG_ARG_MAX : BR_AGG_ARG_MIN;
    first->collation = key->collation;
    first->arg_count = 2;
    first->args[0] = br_expr_column(binder->arena, value);
    first->args[1] = key->expression;
    BR_NEED(first->args[0], err);
    aggregate->columns[0] = *value;
    aggregate->columns[0].id = binder->next_id++;
    aggregate->columns[0].type.class_mask |= BR_MASK_NULL;
    *plan = aggregate;
    return BR_OK;
}

// A row that is computed once: the subquery as a shared plan, and a slot for each column of it.
static br_status slot_row(br_scope *scope, br_plan *plan, br_bound *items, br_error *err)
{
    br_binder *binder = scope->binder;
    uint32_t index;
    bool is_nullable = !is_single_row(plan);
    BR_TRY(first_row(binder, &plan, err));
    BR_TRY(br_plan_share(binder, plan, &index, err));
    for (uint32_t i = 0; i < plan->column_count; i++) {
        br_plan *reference, *project = br_plan_new(binder, BR_PLAN_PROJECT, 1);
        BR_NEED(project, err);
        BR_TRY(br_plan_shared(binder, plan, index, &reference, err));
        project->left = reference;
        project->columns[0] = reference->columns[i];
        project->columns[0].id = binder->next_id++;
        project->project.expressions = BR_ALLOC(binder->arena, br_expr *, 1);
        BR_NEED(project->project.expressions, err);
        project->project.expressions[0] = br_expr_column(binder->arena, &reference->columns[i]);
        BR_NEED(project->project.expressions[0], err);
        BR_TRY(br_bind_slot(scope, project, &items[i].expr, err));
        if (is_nullable) items[i].expr->type.class_mask |= BR_MASK_NULL;
    }
    return BR_OK;
}

// The first row of a correlated subquery, by a SINGLE join.
static br_status joined_row(br_scope *scope, br_plan *plan, br_bound *items, br_error *err)
{
    br_plan *join;
    uint32_t count = plan->column_count;
    if (count == 1) BR_TRY(first_as_aggregate(scope->binder, &plan, err));
    BR_TRY(br_join_new(scope, BR_JOIN_SINGLE, plan, count, &join, err));
    for (uint32_t i = 0; i < count; i++) {
        join->columns[i] = plan->columns[i];
        join->columns[i].affinity = br_value_column(plan, i)->affinity;
        if (!is_single_row(plan)) join->columns[i].type.class_mask |= BR_MASK_NULL;
        items[i].expr = br_expr_column(scope->binder->arena, &join->columns[i]);
        BR_NEED(items[i].expr, err);
    }
    return br_attach_join(scope, scope->attach, join, err);
}

// As an operand of a row comparison a column of a subquery has its collation; as a scalar it has
// none.
br_status br_bind_row_subquery(br_scope *scope, const br_ast *ast, br_bound **items_out,
                               uint32_t *count_out, br_error *err)
{
    br_binder *binder = scope->binder;
    br_plan *plan;
    bool escapes;
    BR_TRY(br_bind_select(binder, scope, ast->select, BR_NAMES_TABLE, &plan, &escapes, err));
    uint32_t count = plan->column_count;
    br_bound *items = BR_ALLOC(binder->arena, br_bound, count);
    BR_NEED(items, err);
    *items_out = items;
    *count_out = count;
    for (uint32_t i = 0; i < count && count > 1; i++) {
        items[i].collation = br_value_column(plan, i)->collation;
        items[i].source = binder->sources == NULL ? BR_COLLATED_NOT : binder->sources[i];
    }
    br_json_kind json = json_of(ast->select, plan);  // joined_row may change the plan
    BR_TRY(escapes     ? joined_row(scope, plan, items, err)
           : count > 1 ? slot_row(scope, plan, items, err)
                       : br_bind_slot(scope, plan, &items[0].expr, err));
    items[0].expr->json = json;
    return BR_OK;
}

br_status br_bind_scalar_subquery(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    br_bound *items;
    uint32_t count;
    BR_TRY(br_bind_row_subquery(scope, ast, &items, &count, err));
    if (count != 1)
        return br_fail_at(err, BR_SQL, ast->offset, "sub-select returns %u columns - expected 1",
                          count);
    *out = items[0];
    return BR_OK;
}

// ---- EXISTS ----------------------------------------------------------------------------------

static bool is_positive_literal(const br_ast *ast)
{
    return ast->kind == BR_AST_LITERAL && ast->value.class_ == BR_INT && ast->value.i64 > 0;
}

// EXISTS does not care for order, nor for a limit that lets a row through.
static br_status bind_existing(br_scope *scope, const br_ast *ast, br_plan **plan_out,
                               bool *escapes_out, br_error *err)
{
    br_ast_select select = *ast->select;
    bool is_limited = select.offset_expression != NULL ||
                      (select.limit != NULL && !is_positive_literal(select.limit));
    if (!is_limited) {
        select.limit = NULL;
        if (select.core_count == 1) select.order_count = 0;
    }
    return br_bind_select(scope->binder, scope, &select, BR_NAMES_TABLE, plan_out, escapes_out,
                          err);
}

// 1 when the plan has a row: how many of its first row there are.
static br_status exists_slot(br_scope *scope, br_plan *plan, br_expr **out, br_error *err)
{
    br_binder *binder = scope->binder;
    BR_TRY(first_row(binder, &plan, err));
    br_plan *count = br_plan_new(binder, BR_PLAN_AGGREGATE, 1);
    BR_NEED(count, err);
    count->left = plan;
    count->aggregate.aggregate_count = 1;
    count->aggregate.aggregates = BR_ALLOC(binder->arena, br_aggregate, 1);
    BR_NEED(count->aggregate.aggregates, err);
    count->aggregate.aggregates[0].kind = BR_AGG_COUNT_STAR;
    count->columns[0] = (br_plan_column){
        .id = binder->next_id++, .name = "", .type = br_type_int(0, 1, false)};
    return br_bind_slot(scope, count, out, err);
}

br_status br_bind_exists(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    br_plan *plan, *join;
    bool escapes;
    BR_TRY(bind_existing(scope, ast, &plan, &escapes, err));
    if (!escapes) return exists_slot(scope, plan, &out->expr, err);
    br_plan_column mark = {
        .id = scope->binder->next_id++, .name = "", .type = br_type_int(0, 1, false)};
    BR_TRY(br_join_new(scope, BR_JOIN_MARK, plan, 1, &join, err));
    join->columns[0] = mark;
    BR_TRY(br_attach_join(scope, scope->attach, join, err));
    out->expr = br_expr_column(scope->binder->arena, &mark);
    BR_NEED(out->expr, err);
    return BR_OK;
}

static br_status negate(br_scope *scope, bool negated, br_expr **expr, br_error *err)
{
    if (!negated) return BR_OK;
    *expr = br_expr_operator(scope->binder->arena, BR_OP_NOT, *expr, NULL);
    BR_NEED(*expr, err);
    return BR_OK;
}

// ---- conditions ------------------------------------------------------------------------------

static br_status condition_exists(br_scope *scope, const br_ast *ast, bool negated,
                                  br_attach_list *joins, br_expr **filter_out, br_error *err)
{
    br_plan *plan, *join;
    bool escapes;
    BR_TRY(bind_existing(scope, ast, &plan, &escapes, err));
    if (!escapes) {
        BR_TRY(exists_slot(scope, plan, filter_out, err));
        return negate(scope, negated, filter_out, err);
    }
    BR_TRY(br_join_new(scope, negated ? BR_JOIN_ANTI : BR_JOIN_SEMI, plan, 0, &join, err));
    return br_attach_join(scope, joins, join, err);
}

// A condition that rows must pass, as joins or else as a filter above them (NULL: none).
br_status br_bind_condition(br_scope *scope, const br_ast *ast, br_attach_list *joins,
                            br_expr **filter_out, br_error *err)
{
    bool negated = false;
    const br_ast *inner = ast;
    br_bound bound;
    *filter_out = NULL;
    while (inner->kind == BR_AST_UNARY && inner->operator_ == BR_AST_OP_NOT) {
        negated = !negated;
        inner = inner->args[0];
    }
    if (joins != NULL && inner->kind == BR_AST_EXISTS)
        return condition_exists(scope, inner, negated, joins, filter_out, err);
    bool in_subquery = inner->kind == BR_AST_IN && (inner->select != NULL || inner->name != NULL);
    if (joins != NULL && in_subquery)
        return br_bind_condition_in(scope, inner, negated != inner->negated, joins, filter_out,
                                    err);
    BR_TRY(br_bind_expression(scope, ast, &bound, err));
    *filter_out = bound.expr;
    return BR_OK;
}

typedef struct where_parts {
    br_attach_list joins;
    br_expr *before, *after;  // filters that need none of the joins, and those that may
} where_parts;

static br_status where_conjunct(br_scope *scope, const br_ast *ast, where_parts *parts,
                                br_error *err)
{
    if (ast->kind == BR_AST_BINARY && ast->operator_ == BR_AST_OP_AND) {
        BR_TRY(where_conjunct(scope, ast->args[0], parts, err));
        return where_conjunct(scope, ast->args[1], parts, err);
    }
    br_expr *filter;
    uint32_t joins = parts->joins.count;
    scope->conjunct = ast;
    BR_TRY(br_bind_condition(scope, ast, &parts->joins, &filter, err));
    if (filter == NULL) return BR_OK;
    br_expr **side = parts->joins.count == joins ? &parts->before : &parts->after;
    *side = br_expr_and(scope->binder->arena, *side, filter);
    BR_NEED(*side, err);
    return BR_OK;
}

br_status br_bind_where(br_scope *scope, const br_ast *ast, br_error *err)
{
    where_parts parts = {0};
    br_attach_list *attach_before = scope->attach;
    scope->attach = &parts.joins;
    br_status status = where_conjunct(scope, ast, &parts, err);
    scope->attach = attach_before;
    scope->conjunct = NULL;
    BR_TRY(status);
    if (parts.before != NULL) {
        scope->plan = br_plan_filter(scope->binder, scope->plan, parts.before);
        BR_NEED(scope->plan, err);
    }
    BR_TRY(br_scope_attach(scope, &parts.joins, err));
    if (parts.after == NULL) return BR_OK;
    scope->plan = br_plan_filter(scope->binder, scope->plan, parts.after);
    BR_NEED(scope->plan, err);
    return BR_OK;
}
