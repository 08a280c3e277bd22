// FROM: joins, ON, USING and NATURAL.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

static br_status bind_source(br_scope *scope, const br_ast_source *source, br_plan **plan_out,
                             br_error *err);

typedef struct join_sides {  // scope items: [begin, middle) left, [middle, end) right
    uint32_t begin, middle, end;
    br_plan *left, *right;
} join_sides;

static br_status add_item(br_scope *scope, br_scope_item *item, br_error *err)
{
    br_scope_item **grown =
        br_grow(scope->binder->arena, scope->items, scope->item_count, sizeof *grown);
    BR_NEED(grown, err);
    scope->items = grown;
    grown[scope->item_count++] = item;
    return BR_OK;
}

static br_scope_column *find_column(const br_scope_item *item, const char *name)
{
    for (uint32_t i = 0; i < item->column_count; i++) {
        if (br_name_equal(item->columns[i].name, name)) return &item->columns[i];
    }
    return NULL;
}

static br_scope_column *find_in(const br_scope *scope, uint32_t first, uint32_t end,
                                const char *name, uint32_t *count_out)
{
    br_scope_column *found = NULL;
    *count_out = 0;
    for (uint32_t i = first; i < end; i++) {
        br_scope_column *column = find_column(scope->items[i], name);
        if (column == NULL) continue;
        if (found == NULL) found = column;
        (*count_out)++;
    }
    return found;
}

// NATURAL is USING with every column name that both sides have.
static br_status natural_names(br_scope *scope, const join_sides *sides, br_scope_item *right,
                               br_error *err)
{
    right->using_columns = BR_ALLOC(scope->binder->arena, const char *, right->column_count);
    BR_NEED(right->using_columns, err);
    right->is_using = true;
    for (uint32_t i = 0; i < right->column_count; i++) {
        uint32_t count;
        if (right->columns[i].is_hidden) continue;
        find_in(scope, sides->begin, sides->middle, right->columns[i].name, &count);
        if (count > 0) right->using_columns[right->using_count++] = right->columns[i].name;
    }
    return BR_OK;
}

static bool uses(const br_scope_item *item, const char *name)
{
    for (uint32_t i = 0; item->is_using && i < item->using_count; i++) {
        if (br_name_equal(item->using_columns[i], name)) return true;
    }
    return false;
}

// Behind RIGHT and FULL joins any of the left side's columns of that name may be the one with a
// value: the first that is not NULL counts, as in the result.
static br_status using_left(br_scope *scope, const join_sides *sides, const char *name,
                            uint32_t count, br_bound *out, br_error *err)
{
    br_expr *call = br_expr_new(scope->binder->arena, BR_EXPR_FUNCTION, count);
    BR_NEED(call, err);
    call->function = BR_FN_COALESCE;
    call->function_name = "coalesce";
    call->arg_count = 0;
    for (uint32_t i = sides->begin; i < sides->middle; i++) {
        br_scope_column *column = find_column(scope->items[i], name);
        if (column == NULL) continue;
        if (call->arg_count > 0 && !uses(scope->items[i], name))
            return br_fail(err, BR_SQL, "ambiguous reference to %s in USING()", name);
        BR_TRY(br_bind_column(scope, column, out, err));
        call->args[call->arg_count++] = out->expr;
    }
    call->type = br_function_type(BR_FN_COALESCE, "coalesce", call->args, call->arg_count);
    *out = (br_bound){.expr = call, .source = BR_COLLATED_NOT};
    return BR_OK;
}

static br_status using_pair(br_scope *scope, const join_sides *sides, const char *name,
                            br_expr **condition, br_error *err)
{
    uint32_t left_count, right_count;
    br_bound left, right, equal;
    br_scope_column *left_column =
        find_in(scope, sides->begin, sides->middle, name, &left_count);
    br_scope_column *right_column =
        find_in(scope, sides->middle, sides->end, name, &right_count);
    if (left_column == NULL || right_column == NULL)
        return br_fail(err, BR_SQL,
                       "cannot join using column %s - column not present in both tables", name);
    if (scope->has_right_join && left_count > 1)
        BR_TRY(using_left(scope, sides, name, left_count, &left, err));
    else
        BR_TRY(br_bind_column(scope, left_column, &left, err));
    BR_TRY(br_bind_column(scope, right_column, &right, err));
    BR_TRY(br_bind_compare(scope, BR_OP_EQ, left, right, &equal, err));
    *condition = br_expr_and(scope->binder->arena, *condition, equal.expr);
    BR_NEED(*condition, err);
    return BR_OK;
}

// ---- USING with a join in parentheses --------------------------------------------------------

// How many columns of that name the right side's join puts out: those that its own USING merges
// count once.
static uint32_t count_visible(const br_scope *scope, const join_sides *sides, const char *name,
                              br_scope_item **item_out)
{
    uint32_t count = 0;
    for (uint32_t i = sides->middle; i < sides->end; i++) {
        br_scope_item *item = scope->items[i];
        const br_scope_column *column = find_column(item, name);
        if (column == NULL || column->is_hidden || uses(item, name)) continue;
        if (count++ == 0) *item_out = item;
    }
    return count;
}

static br_status merge_column(br_scope *scope, const join_sides *sides, const char *name,
                              br_expr **condition, br_error *err)
{
    br_scope_item *item = NULL;
    uint32_t count = count_visible(scope, sides, name, &item);
    if (count > 1)
        return br_fail(err, BR_UNSUPPORTED, "USING (%s), which a join in parentheses has twice",
                       name);
    BR_TRY(using_pair(scope, sides, name, condition, err));
    br_verify(item != NULL, err);  // what cannot be seen is not in FROM
    const char **names = BR_ALLOC(scope->binder->arena, const char *, item->using_count + 1);
    BR_NEED(names, err);
    for (uint32_t i = 0; i < item->using_count; i++) names[i] = item->using_columns[i];
    names[item->using_count++] = name;
    item->using_columns = names;
    item->is_using = true;
    return BR_OK;
}

static br_status natural_group(br_scope *scope, const join_sides *sides, br_expr **condition,
                               br_error *err)
{
    for (uint32_t i = sides->middle; i < sides->end; i++) {
        br_scope_item *item = scope->items[i];
        for (uint32_t k = 0; k < item->column_count; k++) {
            uint32_t count;
            const char *name = item->columns[k].name;
            if (item->columns[k].is_hidden || uses(item, name)) continue;
            find_in(scope, sides->begin, sides->middle, name, &count);
            if (count > 0) BR_TRY(merge_column(scope, sides, name, condition, err));
        }
    }
    return BR_OK;
}

static br_status using_group(br_scope *scope, const br_ast_source *source,
                             const join_sides *sides, br_expr **condition, br_error *err)
{
    if (scope->has_right_join)
        return br_fail(err, BR_UNSUPPORTED, "USING with a join in parentheses and RIGHT or FULL");
    if (source->natural) return natural_group(scope, sides, condition, err);
    for (uint32_t i = 0; i < source->using_count; i++)
        BR_TRY(merge_column(scope, sides, source->using_columns[i], condition, err));
    return BR_OK;
}

static br_status using_condition(br_scope *scope, const br_ast_source *source,
                                 const join_sides *sides, br_expr **condition, br_error *err)
{
    if (!source->natural && source->using_count == 0) return BR_OK;
    if (source->natural && (source->on != NULL || source->using_count > 0))
        return br_fail(err, BR_SQL, "a NATURAL join may not have an ON or USING clause");
    if (sides->end - sides->middle > 1)
        return using_group(scope, source, sides, condition, err);
    br_scope_item *right = scope->items[sides->middle];
    if (source->natural) {
        BR_TRY(natural_names(scope, sides, right, err));
    } else {
        right->is_using = true;
        right->using_count = source->using_count;
        right->using_columns = source->using_columns;
    }
    for (uint32_t i = 0; i < right->using_count; i++)
        BR_TRY(using_pair(scope, sides, right->using_columns[i], condition, err));
    return BR_OK;
}

static void make_nullable(br_scope *scope, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        br_scope_item *item = scope->items[i];
        for (uint32_t k = 0; k < item->column_count; k++)
            item->columns[k].column.type.class_mask |= BR_MASK_NULL;
        if (item->rowid != NULL) item->rowid->column.type.class_mask |= BR_MASK_NULL;
    }
}

static bool is_lateral_call(const br_plan *plan)
{
    return plan->kind == BR_PLAN_CALL && plan->call.is_lateral;
}

// The function is called once per row of the left side, whether or not it gives what ON asks for.
static br_status left_call(br_scope *scope, const br_ast_source *source, const join_sides *sides,
                           br_expr *condition, br_error *err)
{
    br_plan *call = sides->right;
    BR_TRY(br_call_join(scope->binder, sides->left, call, err));
    call->call.keeps_unmatched = true;
    call->call.residual = condition;
    if (source->on != NULL) {
        br_bound on;
        br_attach_list *attach = scope->attach;
        scope->attach = NULL;
        br_status status = br_bind_expression(scope, source->on, &on, err);
        scope->attach = attach;
        BR_TRY(status);
        call->call.residual = br_expr_and(scope->binder->arena, condition, on.expr);
        BR_NEED(call->call.residual, err);
    }
    make_nullable(scope, sides->middle, sides->end);
    for (uint32_t i = sides->left->column_count; i < call->column_count; i++)
        call->columns[i].type.class_mask |= BR_MASK_NULL;
    return BR_OK;
}

static br_status outer_join(br_scope *scope, const br_ast_source *source, const join_sides *sides,
                            br_expr *condition, br_plan **plan_out, br_error *err)
{
    br_binder *binder = scope->binder;
    if (source->join == BR_AST_JOIN_LEFT && is_lateral_call(sides->right)) {
        *plan_out = sides->right;
        return left_call(scope, source, sides, condition, err);
    }
    bool is_right = source->join == BR_AST_JOIN_RIGHT;
    br_join_kind kind = source->join == BR_AST_JOIN_FULL ? BR_JOIN_FULL : BR_JOIN_LEFT;
    br_plan *join = br_plan_join(binder, kind, is_right ? sides->right : sides->left,
                                 is_right ? sides->left : sides->right);
    BR_NEED(join, err);
    join->join.residual = condition;
    if (source->on != NULL) BR_TRY(br_bind_outer_on(scope, source->on, join, err));
    if (source->join != BR_AST_JOIN_RIGHT) make_nullable(scope, sides->middle, sides->end);
    if (source->join != BR_AST_JOIN_LEFT) make_nullable(scope, sides->begin, sides->middle);
    *plan_out = join;
    return BR_OK;
}

// ---- ON that names tables behind it ----------------------------------------------------------

static bool scope_has_name(const br_scope *scope, const br_ast *name)
{
    for (uint32_t i = 0; i < scope->item_count; i++) {
        const br_scope_item *item = scope->items[i];
        if (name->table != NULL ? br_name_equal(item->name, name->table)
                                : find_column(item, name->name) != NULL)
            return true;
    }
    return false;
}

bool br_names_later(const br_scope *scope, const br_ast *ast)
{
    if (ast->kind == BR_AST_NAME) {
        for (const br_scope *at = scope; at != NULL; at = at->outer)
            if (scope_has_name(at, ast)) return false;
        return !ast->quoted || ast->table != NULL;
    }
    for (uint32_t i = 0; i < ast->arg_count; i++)
        if (br_names_later(scope, ast->args[i])) return true;
    return false;
}

static bool has_outer_join(const br_ast_source *source)
{
    if (source->kind != BR_AST_SOURCE_JOIN) return false;
    return source->join >= BR_AST_JOIN_LEFT || has_outer_join(source->left) ||
           has_outer_join(source->right);
}

// CROSS says which side comes first.
static bool has_cross_join(const br_ast_source *source)
{
    if (source->kind != BR_AST_SOURCE_JOIN) return false;
    return source->join == BR_AST_JOIN_CROSS || has_cross_join(source->left) ||
           has_cross_join(source->right);
}

static br_status add_late(br_scope *scope, const br_ast *on, br_error *err)
{
    if (scope->is_optional)
        return br_fail(err, BR_UNSUPPORTED, "ON names a table behind it, inside an outer join");
    const br_ast **grown =
        br_grow(scope->binder->arena, scope->late_on, scope->late_count, sizeof *grown);
    BR_NEED(grown, err);
    scope->late_on = grown;
    grown[scope->late_count++] = on;
    return BR_OK;
}

// Without RIGHT and FULL joins ON of an inner join means the same as WHERE.
static br_status bind_late(br_scope *scope, const br_ast_source *source, br_error *err)
{
    if (scope->late_count > 0 && scope->has_right_join)
        return br_fail(err, BR_UNSUPPORTED, "ON names a table behind it, beside RIGHT or FULL");
    if (scope->late_call_count > 0 && (has_outer_join(source) || has_cross_join(source)))
        return br_fail(err, BR_UNSUPPORTED,
                       "arguments name a table behind, beside an outer or cross join");
    BR_TRY(br_bind_late_calls(scope, err));
    if (scope->late_condition != NULL) {
        scope->plan = br_plan_filter(scope->binder, scope->plan, scope->late_condition);
        BR_NEED(scope->plan, err);
    }
    for (uint32_t i = 0; i < scope->late_count; i++)
        BR_TRY(br_bind_where(scope, scope->late_on[i], err));
    return BR_OK;
}

// ---- joins -----------------------------------------------------------------------------------

// Of one that waits for tables behind it.
static bool is_place_of_call(const br_plan *plan)
{
    return plan->kind == BR_PLAN_VALUES && plan->column_count == 0;
}

static br_status inner_join(br_scope *scope, const br_ast_source *source, const join_sides *sides,
                            br_expr *condition, br_plan **plan_out, br_error *err)
{
    br_plan *join;
    if (is_lateral_call(sides->right)) {
        join = sides->right;
        BR_TRY(br_call_join(scope->binder, sides->left, join, err));
    } else if (is_place_of_call(sides->left) || is_place_of_call(sides->right)) {
        join = is_place_of_call(sides->left) ? sides->right : sides->left;
    } else {
        join = br_plan_join(scope->binder, BR_JOIN_INNER, sides->left, sides->right);
        BR_NEED(join, err);
    }
    bool is_late = scope->late_call_count > 0;
    if (condition != NULL && is_late) {
        scope->late_condition = br_expr_and(scope->binder->arena, scope->late_condition, condition);
        BR_NEED(scope->late_condition, err);
    } else if (condition != NULL) {
        join = br_plan_filter(scope->binder, join, condition);
        BR_NEED(join, err);
    }
    if (source->on != NULL && (is_late || br_names_later(scope, source->on))) {
        BR_TRY(add_late(scope, source->on, err));
    } else if (source->on != NULL) {
        br_plan *outside = scope->plan;
        scope->plan = join;
        br_status status = br_bind_where(scope, source->on, err);
        join = scope->plan;
        scope->plan = outside;
        BR_TRY(status);
    }
    *plan_out = join;
    return BR_OK;
}

static bool has_using(const br_ast_source *source)
{
    if (source->kind != BR_AST_SOURCE_JOIN) return false;
    return source->natural || source->using_count > 0 || has_using(source->left) ||
           has_using(source->right);
}

static bool has_call(const br_plan *plan)
{
    if (plan == NULL) return false;
    return (plan->kind == BR_PLAN_CALL && plan->call.argument_count > 0) ||
           has_call(plan->left) || has_call(plan->right);
}

// ON gives arguments to a call on either side of an inner join, and to the right one of LEFT; WHERE
// to no call that may be missing from a row.
static br_status bind_side(br_scope *scope, const br_ast_source *join, const br_ast_source *side,
                           br_plan **plan_out, br_error *err)
{
    const br_ast *where = scope->call_where, *on = scope->call_on;
    bool is_inner = join->join < BR_AST_JOIN_LEFT, is_left = join->join == BR_AST_JOIN_LEFT;
    bool is_kept = is_inner || (is_left && side == join->left);
    bool is_optional = scope->is_optional;
    if (!is_kept) scope->call_where = NULL;
    scope->is_optional = is_optional || !is_kept;
    scope->call_on = is_inner || (is_left && side == join->right) ? join->on : NULL;
    br_status status = bind_source(scope, side, plan_out, err);
    scope->call_where = where;
    scope->call_on = on;
    scope->is_optional = is_optional;
    return status;
}

static br_status bind_join(br_scope *scope, const br_ast_source *source, br_plan **plan_out,
                           br_error *err)
{
    join_sides sides = {.begin = scope->item_count};
    br_expr *condition = NULL;
    if (source->alias != NULL)
        return br_fail(err, BR_UNSUPPORTED, "join in parentheses with the alias '%s'",
                       source->alias);
    BR_TRY(bind_side(scope, source, source->left, &sides.left, err));
    sides.middle = scope->item_count;
    BR_TRY(bind_side(scope, source, source->right, &sides.right, err));
    // SQLite's equalities of arguments and hidden columns are conditions there, which count later.
    if (source->join >= BR_AST_JOIN_RIGHT && (has_call(sides.left) || has_call(sides.right)))
        return br_fail(err, BR_UNSUPPORTED, "RIGHT or FULL JOIN with a table-valued function");
    sides.end = scope->item_count;
    if (sides.end - sides.middle == 1) scope->items[sides.middle]->join = source->join;
    if (source->join >= BR_AST_JOIN_RIGHT) scope->has_right_join = true;
    scope->has_inner_using = scope->has_inner_using || has_using(source->right);
    BR_TRY(using_condition(scope, source, &sides, &condition, err));
    if (source->join >= BR_AST_JOIN_LEFT)
        return outer_join(scope, source, &sides, condition, plan_out, err);
    return inner_join(scope, source, &sides, condition, plan_out, err);
}

static br_status bind_source(br_scope *scope, const br_ast_source *source, br_plan **plan_out,
                             br_error *err)
{
    br_scope_item *item;
    if (source->kind == BR_AST_SOURCE_JOIN) return bind_join(scope, source, plan_out, err);
    if (source->kind == BR_AST_SOURCE_FUNCTION)
        BR_TRY(br_bind_table_function(scope, source, plan_out, &item, err));
    else
        BR_TRY(br_bind_table(scope, source, plan_out, &item, err));
    return add_item(scope, item, err);
}

br_status br_bind_from(br_scope *scope, const br_ast_source *source, br_error *err)
{
    scope->first_id = scope->binder->next_id;
    if (source == NULL) {
        scope->plan = br_plan_one_row(scope->binder);
        BR_NEED(scope->plan, err);
    } else {
        br_plan *plan;
        scope->is_from = true;
        scope->call_where = scope->core != NULL ? scope->core->where : NULL;
        br_status status = bind_source(scope, source, &plan, err);
        scope->is_from = false;
        BR_TRY(status);
        scope->plan = plan;
        BR_TRY(bind_late(scope, source, err));
    }
    scope->end_id = scope->binder->next_id;
    return BR_OK;
}
