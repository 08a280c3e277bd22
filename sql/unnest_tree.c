// Sets of columns, copies of plans, and lists of columns kept up.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/unnest.h"

br_status br_ids_init(br_binder *binder, br_unnest_ids *ids, br_error *err)
{
    ids->size = binder->next_id;
    ids->has = BR_ALLOC(binder->arena, uint8_t, ids->size);
    BR_NEED(ids->has, err);
    return BR_OK;
}

void br_ids_add_produced(br_unnest_ids *ids, const br_plan *plan)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        br_assert(plan->columns[i].id < ids->size);
        ids->has[plan->columns[i].id] = 1;
    }
    if (plan->left != NULL) br_ids_add_produced(ids, plan->left);
    if (plan->right != NULL) br_ids_add_produced(ids, plan->right);
}

bool br_expr_names(const br_expr *expr, const br_unnest_ids *ids)
{
    if (expr->kind == BR_EXPR_COLUMN) return br_ids_has(ids, expr->column_id);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (br_expr_names(expr->args[i], ids)) return true;
    }
    return false;
}

bool br_expr_names_other(const br_expr *expr, const br_unnest_ids *ids)
{
    if (expr->kind == BR_EXPR_COLUMN) return !br_ids_has(ids, expr->column_id);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (br_expr_names_other(expr->args[i], ids)) return true;
    }
    return false;
}

typedef struct names_check {
    const br_unnest_ids *ids;
    bool found;
} names_check;

static br_status names_visit(void *context, br_expr **expr, br_error *err)
{
    (void)err;
    names_check *check = context;
    check->found = check->found || br_expr_names(*expr, check->ids);
    return BR_OK;
}

bool br_plan_names(br_plan *plan, const br_unnest_ids *ids)
{
    names_check check = {.ids = ids};
    br_error ignored;
    br_status status = br_plan_each_expr_deep(plan, names_visit, &check, &ignored);
    return status == BR_OK && check.found;
}

// ---- lists of columns ------------------------------------------------------------------------

// What MARK and SINGLE add stays: the last column, and the right side's.
static br_status refresh_join(br_binder *binder, br_plan *join, br_error *err)
{
    br_join_kind kind = join->join.join;
    if (kind == BR_JOIN_MARK) {
        join->columns += join->column_count - 1;
        join->column_count = 1;
    } else if (kind == BR_JOIN_SINGLE) {
        uint32_t added = 0;
        br_plan_column *columns = BR_ALLOC(binder->arena, br_plan_column, join->column_count);
        BR_NEED(columns, err);
        for (uint32_t i = 0; i < join->column_count; i++) {
            if (br_plan_find(join->right, join->columns[i].id) != NULL)
                columns[added++] = join->columns[i];
        }
        join->columns = columns;
        join->column_count = added;
    }
    bool done = br_plan_join_columns(binder, join);
    return done ? BR_OK : br_fail(err, BR_NOMEM, "no memory for the plan");
}

br_status br_refresh_node(br_binder *binder, br_plan *plan, br_error *err)
{
    bool passes = plan->kind == BR_PLAN_FILTER || plan->kind == BR_PLAN_SORT ||
                  plan->kind == BR_PLAN_LIMIT;
    if (plan->kind == BR_PLAN_JOIN) return refresh_join(binder, plan, err);
    if (plan->kind == BR_PLAN_WINDOW)
        return br_plan_window_columns(binder, plan)
                   ? BR_OK
                   : br_fail(err, BR_NOMEM, "no memory for the plan");
    if (plan->kind == BR_PLAN_CALL)
        return br_plan_call_columns(binder, plan)
                   ? BR_OK
                   : br_fail(err, BR_NOMEM, "no memory for the plan");
    if (!passes) return BR_OK;
    size_t bytes = plan->left->column_count * sizeof *plan->columns;
    plan->columns = br_arena_copy(binder->arena, plan->left->columns, bytes);
    BR_NEED(plan->columns, err);
    plan->column_count = plan->left->column_count;
    return BR_OK;
}

br_status br_refresh(br_binder *binder, br_plan *plan, br_error *err)
{
    if (plan->left != NULL) BR_TRY(br_refresh(binder, plan->left, err));
    if (plan->right != NULL) BR_TRY(br_refresh(binder, plan->right, err));
    return br_refresh_node(binder, plan, err);
}

br_status br_project_extend(br_binder *binder, br_plan *plan, uint32_t extra, br_error *err)
{
    uint32_t count = plan->column_count;
    br_plan_column *columns = BR_ALLOC(binder->arena, br_plan_column, count + extra);
    br_expr **expressions = BR_ALLOC(binder->arena, br_expr *, count + extra);
    BR_NEED(columns, err);
    BR_NEED(expressions, err);
    if (count > 0) memcpy(columns, plan->columns, count * sizeof *columns);
    if (count > 0) memcpy(expressions, plan->project.expressions, count * sizeof *expressions);
    plan->columns = columns;
    plan->project.expressions = expressions;
    plan->column_count = count + extra;
    return BR_OK;
}

br_status br_join_add_keys(br_binder *binder, br_plan *join, uint32_t count, br_error *err)
{
    br_arena *arena = binder->arena;
    uint32_t old = join->join.key_count;
    br_expr **left = BR_ALLOC(arena, br_expr *, old + count);
    br_expr **right = BR_ALLOC(arena, br_expr *, old + count);
    br_collation *collations = BR_ALLOC(arena, br_collation, old + count);
    bool *null_safe = BR_ALLOC(arena, bool, old + count);
    BR_NEED(left, err);
    BR_NEED(right, err);
    BR_NEED(collations, err);
    BR_NEED(null_safe, err);
    if (old > 0) {
        memcpy(left, join->join.left_keys, old * sizeof *left);
        memcpy(right, join->join.right_keys, old * sizeof *right);
        memcpy(collations, join->join.key_collations, old * sizeof *collations);
        memcpy(null_safe, join->join.null_safe, old * sizeof *null_safe);
    }
    join->join.left_keys = left;
    join->join.right_keys = right;
    join->join.key_collations = collations;
    join->join.null_safe = null_safe;
    join->join.key_count = old + count;
    return BR_OK;
}

// ---- substitution and copies -----------------------------------------------------------------

typedef struct substitution {
    br_arena *arena;
    uint32_t id;
    const br_expr *expr;
} substitution;

static br_status substitute_visit(void *context, br_expr **expr, br_error *err)
{
    substitution *substitute = context;
    if ((*expr)->kind == BR_EXPR_COLUMN && (*expr)->column_id == substitute->id) {
        br_affinity affinity = (*expr)->affinity;
        *expr = br_expr_clone(substitute->arena, substitute->expr);
        BR_NEED(*expr, err);
        (*expr)->affinity = affinity;
        return BR_OK;
    }
    for (uint32_t i = 0; i < (*expr)->arg_count; i++)
        BR_TRY(substitute_visit(context, &(*expr)->args[i], err));
    return BR_OK;
}

br_status br_plan_substitute(br_binder *binder, br_plan *plan, uint32_t id, const br_expr *expr,
                             br_error *err)
{
    substitution substitute = {binder->arena, id, expr};
    return br_plan_each_expr_deep(plan, substitute_visit, &substitute, err);
}

typedef struct cloning {
    br_binder *binder;
    uint32_t *map;
    uint32_t map_size;
} cloning;

static void map_column(const cloning *clone, br_plan_column *column)
{
    br_assert(column->id < clone->map_size);
    if (clone->map[column->id] == 0) clone->map[column->id] = clone->binder->next_id++;
    column->id = clone->map[column->id];
}

static void map_expr(const cloning *clone, br_expr *expr)
{
    bool mapped = expr->kind == BR_EXPR_COLUMN && expr->column_id < clone->map_size &&
                  clone->map[expr->column_id] != 0;
    if (mapped) expr->column_id = clone->map[expr->column_id];
    for (uint32_t i = 0; i < expr->arg_count; i++) map_expr(clone, expr->args[i]);
}

// The node's lists are copied by the visitor's caller; each expression is replaced by its copy.
static br_status clone_visit(void *context, br_expr **expr, br_error *err)
{
    const cloning *clone = context;
    *expr = br_expr_clone(clone->binder->arena, *expr);
    BR_NEED(*expr, err);
    map_expr(clone, *expr);
    return BR_OK;
}

static void *copy_list(br_arena *arena, const void *list, size_t bytes)
{
    static const char nothing[1];
    return br_arena_copy(arena, list == NULL ? nothing : list, list == NULL ? 0 : bytes);
}

#define COPY_LIST(list, count)                                                    \
    do {                                                                          \
        (list) = copy_list(clone->binder->arena, (list), (count) * sizeof *(list)); \
        BR_NEED(list, err);                                                       \
    } while (0)

static br_status clone_aggregate(cloning *clone, br_plan *plan, br_error *err)
{
    COPY_LIST(plan->aggregate.keys, plan->aggregate.key_count);
    COPY_LIST(plan->aggregate.aggregates, plan->aggregate.aggregate_count);
    for (uint32_t i = 0; i < plan->aggregate.aggregate_count; i++) {
        br_aggregate *aggregate = &plan->aggregate.aggregates[i];
        COPY_LIST(aggregate->order_by, aggregate->order_count);
    }
    return BR_OK;
}

static br_status clone_lists(cloning *clone, br_plan *plan, br_error *err)
{
    switch (plan->kind) {
    case BR_PLAN_SCAN: COPY_LIST(plan->scan.filters, plan->scan.filter_count); break;
    case BR_PLAN_VALUES:
        COPY_LIST(plan->values.rows, plan->values.row_count);
        for (uint32_t i = 0; i < plan->values.row_count; i++)
            COPY_LIST(plan->values.rows[i], plan->column_count);
        break;
    case BR_PLAN_PROJECT: COPY_LIST(plan->project.expressions, plan->column_count); break;
    case BR_PLAN_AGGREGATE: BR_TRY(clone_aggregate(clone, plan, err)); break;
    case BR_PLAN_JOIN:
        COPY_LIST(plan->join.left_keys, plan->join.key_count);
        COPY_LIST(plan->join.right_keys, plan->join.key_count);
        break;
    case BR_PLAN_SORT: COPY_LIST(plan->sort.keys, plan->sort.key_count); break;
    case BR_PLAN_WINDOW:
        COPY_LIST(plan->window.partitions, plan->window.partition_count);
        COPY_LIST(plan->window.order_by, plan->window.order_count);
        COPY_LIST(plan->window.calls, plan->window.call_count);
        break;
    case BR_PLAN_APPLY: COPY_LIST(plan->apply.arguments, plan->apply.argument_count); break;
    case BR_PLAN_CALL:
        COPY_LIST(plan->call.arguments, plan->call.argument_count);
        COPY_LIST(plan->call.outputs, plan->call.output_count);
        break;
    case BR_PLAN_SHARED:
    case BR_PLAN_RECURSIVE:
    case BR_PLAN_WORKING:
    case BR_PLAN_FILTER:
    case BR_PLAN_LIMIT:
    case BR_PLAN_SET: break;
    }
    return BR_OK;
}

static br_status clone_node(cloning *clone, const br_plan *from, br_plan **out, br_error *err)
{
    br_plan *plan = br_arena_copy(clone->binder->arena, from, sizeof *from);
    BR_NEED(plan, err);
    if (plan->left != NULL) BR_TRY(clone_node(clone, from->left, &plan->left, err));
    if (plan->right != NULL) BR_TRY(clone_node(clone, from->right, &plan->right, err));
    COPY_LIST(plan->columns, plan->column_count);
    for (uint32_t i = 0; i < plan->column_count; i++) map_column(clone, &plan->columns[i]);
    BR_TRY(clone_lists(clone, plan, err));
    *out = plan;
    return br_plan_each_expr(plan, clone_visit, clone, err);
}

br_status br_plan_clone(br_binder *binder, const br_plan *plan, br_plan **out, uint32_t **map_out,
                        br_error *err)
{
    cloning clone = {.binder = binder, .map_size = binder->next_id};
    clone.map = BR_ALLOC(binder->arena, uint32_t, clone.map_size);
    BR_NEED(clone.map, err);
    *map_out = clone.map;
    return clone_node(&clone, plan, out, err);
}

static br_status rename_visit(void *context, br_expr **expr, br_error *err)
{
    (void)err;
    map_expr(context, *expr);
    return BR_OK;
}

static br_status rename_node(cloning *clone, br_plan *plan, br_error *err)
{
    if (plan->left != NULL) BR_TRY(rename_node(clone, plan->left, err));
    if (plan->right != NULL) BR_TRY(rename_node(clone, plan->right, err));
    for (uint32_t i = 0; i < plan->column_count; i++) map_column(clone, &plan->columns[i]);
    return br_plan_each_expr(plan, rename_visit, clone, err);
}

br_status br_plan_rename(br_binder *binder, br_plan *plan, br_error *err)
{
    cloning clone = {.binder = binder, .map_size = binder->next_id};
    clone.map = BR_ALLOC(binder->arena, uint32_t, clone.map_size);
    BR_NEED(clone.map, err);
    return rename_node(&clone, plan, err);
}
