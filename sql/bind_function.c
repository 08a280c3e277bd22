// Function calls: which function it is, scalar ones, and the checks SQLite makes.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"

bool br_ast_has_aggregate(const br_scope *scope, const br_ast *ast)
{
    if (ast == NULL) return false;
    if (ast->kind == BR_AST_FUNCTION) {
        bool is_aggregate = br_aggregate_find(ast->name, ast->arg_count) != BR_AGG_COUNT_ &&
                            !br_is_redefined(scope->binder, ast->name, ast->arg_count);
        bool is_outer = br_outer_aggregate_find(scope->binder, ast) != NULL;
        if (is_aggregate && ast->window == NULL && !is_outer) return true;
        if (br_ast_has_aggregate(scope, ast->filter)) return true;
        if (ast->window != NULL && br_window_has_aggregate(scope, ast->window)) return true;
    }
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        if (br_ast_has_aggregate(scope, ast->args[i])) return true;
    }
    return false;
}

static br_status wrong_count(const br_ast *ast, const char *name, br_error *err)
{
    return br_fail_at(err, BR_SQL, ast->offset, "wrong number of arguments to function %s()", name);
}

// COLLATE inside an argument makes the result explicit; min(), max() and nullif() compare with the
// first argument that has a collation at all.
static br_collation call_collation(const br_bound *args, uint32_t arg_count, br_bound *out)
{
    br_collation collation = BR_COLLATION_BINARY;
    for (uint32_t i = arg_count; i-- > 0;) {
        if (args[i].source != BR_COLLATED_NOT) collation = args[i].collation;
        if (args[i].source != BR_COLLATED_EXPLICIT) continue;
        out->source = BR_COLLATED_EXPLICIT;
        out->collation = args[i].collation;
    }
    return collation;
}

static br_status call_expr(br_scope *scope, const br_ast *ast, br_expr_kind kind,
                           const br_bound *args, uint32_t arg_count, br_expr **out, br_error *err)
{
    br_expr *expr = br_expr_new(scope->binder->arena, kind, arg_count);
    BR_NEED(expr, err);
    expr->offset = ast->offset;
    for (uint32_t i = 0; i < arg_count; i++) {
        expr->args[i] = args[i].expr;
        expr->can_fail = expr->can_fail || args[i].expr->can_fail;
    }
    *out = expr;
    return BR_OK;
}

void br_like_finish(const br_scope *scope, br_expr *expr)
{
    bool ignores_case =
        expr->operator_ == BR_OP_LIKE && !scope->binder->options->like_is_case_sensitive;
    br_type_operator(expr, false);
    expr->can_fail = expr->can_fail || expr->arg_count > 2;
    expr->collation = ignores_case ? BR_COLLATION_NOCASE : BR_COLLATION_BINARY;
}

// like(pattern, text) and glob(pattern, text) are the operators with their operands swapped.
static br_status call_like(br_scope *scope, const br_ast *ast, br_operator operator_,
                           const br_bound *args, uint32_t arg_count, br_bound *out, br_error *err)
{
    BR_TRY(call_expr(scope, ast, BR_EXPR_OPERATOR, args, arg_count, &out->expr, err));
    out->expr->operator_ = operator_;
    out->expr->args[0] = args[1].expr;
    out->expr->args[1] = args[0].expr;
    br_like_finish(scope, out->expr);
    return BR_OK;
}

// SQLite wants a literal with a point, between 0.0 and 1.0.
static br_status check_likelihood(const br_ast *ast, uint32_t arg_count, br_error *err)
{
    if (arg_count < 2) return BR_OK;
    const br_ast *chance = ast->args[1];
    bool is_real = chance->kind == BR_AST_LITERAL && chance->value.class_ == BR_REAL;
    if (is_real && chance->value.f64 <= 1.0) return BR_OK;
    return br_fail_at(err, BR_SQL, ast->offset, "second argument to likelihood() must be a "
                      "constant between 0.0 and 1.0");
}

static br_status call_known(br_scope *scope, const br_ast *ast, const br_function_info *info,
                            const br_bound *args, uint32_t arg_count, br_bound *out, br_error *err)
{
    bool too_many = info->arguments_max >= 0 && arg_count > (uint32_t)info->arguments_max;
    if (arg_count < (uint32_t)info->arguments_min || too_many)
        return wrong_count(ast, ast->name != NULL ? ast->name : info->name, err);
    br_collation collation = call_collation(args, arg_count, out);
    if (br_name_equal(info->name, "like"))
        return call_like(scope, ast, BR_OP_LIKE, args, arg_count, out, err);
    if (br_name_equal(info->name, "glob"))
        return call_like(scope, ast, BR_OP_GLOB, args, arg_count, out, err);
    if (info->function == BR_FN_LIKELY) {  // a hint; only the affinity goes
        BR_TRY(check_likelihood(ast, arg_count, err));
        out->expr = args[0].expr;
        out->expr->affinity = BR_AFFINITY_NONE;
        return BR_OK;
    }
    bool is_iif = info->function == BR_FN_IIF;
    BR_TRY(call_expr(scope, ast, is_iif ? BR_EXPR_CASE : BR_EXPR_FUNCTION, args, arg_count,
                     &out->expr, err));
    out->expr->type = br_function_type(info->function, info->name, out->expr->args, arg_count);
    if (is_iif) return BR_OK;
    bool is_log_base = info->function == BR_FN_MATH && br_name_equal(info->name, "log") &&
                       arg_count == 2;
    out->expr->function = is_log_base ? BR_FN_LOG_BASE : info->function;
    out->expr->function_name = info->name;
    out->expr->json = br_function_json(info->name);
    out->expr->collation = collation;
    out->expr->can_fail = br_function_can_fail(info->function, out->expr->args, arg_count);
    return BR_OK;
}

// The application's functions, and those of SQLite that we have no code for, go over the bridge.
static br_status call_bridge(br_scope *scope, const br_ast *ast, const char *name,
                             br_bound *args, uint32_t arg_count, br_bound *out,
                             br_error *err)
{
    const br_sql_catalog *catalog = scope->binder->catalog;
    bool is_volatile = false;
    bool exists = catalog->find_function != NULL &&
                  catalog->find_function(catalog->context, name, arg_count, &is_volatile);
    if (!exists && ast->kind != BR_AST_FUNCTION)
        return br_fail(err, BR_UNSUPPORTED, "operator %s is not native", name);
    if (!exists) return br_fail_at(err, BR_SQL, ast->offset, "no such function: %s", name);
    bool is_redefined = br_is_redefined(scope->binder, name, arg_count);
    if (!is_redefined) BR_TRY(br_json_settle(scope, ast, name, args, arg_count, err));
    call_collation(args, arg_count, out);
    BR_TRY(call_expr(scope, ast, BR_EXPR_FUNCTION, args, arg_count, &out->expr, err));
    out->expr->function = BR_FN_BRIDGE;
    out->expr->function_name = name;
    out->expr->is_volatile = is_volatile;
    out->expr->type = br_function_type(BR_FN_BRIDGE, name, out->expr->args, arg_count);
    out->expr->json = br_function_json(name);
    if (is_redefined) {
        out->expr->type = br_type_of_mask(BR_MASK_ALL);
        out->expr->json = BR_JSON_NOT;
    }
    // The time of a history: worked out once, in front of all rows, so that it may choose zones.
    bool is_time = !is_redefined && br_name_equal(name, "braid_time") &&
                   br_expr_is_constant(out->expr);
    out->expr->can_fail = !is_time || out->expr->args[0]->can_fail;
    return BR_OK;
}

bool br_is_redefined(const br_binder *binder, const char *name, uint32_t arg_count)
{
    const br_sql_catalog *catalog = binder->catalog;
    return catalog->is_redefined != NULL &&
           catalog->is_redefined(catalog->context, name, arg_count);
}

br_status br_bind_call(br_scope *scope, const br_ast *ast, const char *name, br_bound *args,
                       uint32_t arg_count, br_bound *out, br_error *err)
{
    *out = (br_bound){.source = BR_COLLATED_NOT};
    const br_function_info *info = br_function_find(name);
    if (info == NULL || br_is_redefined(scope->binder, name, arg_count))
        return call_bridge(scope, ast, name, args, arg_count, out, err);
    return call_known(scope, ast, info, args, arg_count, out, err);
}

br_status br_aggregate_check_count(const br_ast *ast, br_aggregate_kind kind, br_error *err)
{
    bool is_approximate = br_name_equal(ast->name, "approx_count_distinct");
    bool has_two = kind == BR_AGG_JSON_OBJECT || br_name_equal(ast->name, "quantile") ||
                   br_name_equal(ast->name, "string_agg");
    uint32_t max = has_two || kind == BR_AGG_GROUP_CONCAT ? 2 : 1;
    uint32_t min = has_two ? 2 : kind == BR_AGG_COUNT && !is_approximate ? 0 : 1;
    bool bad_star = ast->is_star && (kind != BR_AGG_COUNT || is_approximate);
    if (bad_star || ast->arg_count < min || ast->arg_count > max)
        return wrong_count(ast, ast->name, err);
    return BR_OK;
}

// coalesce() computes its arguments up to the first that is not NULL, iif() one of two.
static br_status bind_args(br_scope *scope, const br_ast *ast, bool is_redefined,
                           br_bound **args_out, br_error *err)
{
    const br_function_info *info = is_redefined ? NULL : br_function_find(ast->name);
    bool is_iif = info != NULL && info->function == BR_FN_IIF && ast->arg_count == 3;
    bool is_coalesce = info != NULL && info->function == BR_FN_COALESCE;
    br_bound *args = BR_ALLOC(scope->binder->arena, br_bound, ast->arg_count);
    br_expr **done = BR_ALLOC(scope->binder->arena, br_expr *, ast->arg_count);
    BR_NEED(args, err);
    BR_NEED(done, err);
    br_branch_guard guard = {.conditions = done, .step = 1};
    guard.passed = is_iif ? BR_OP_IS_NOT_TRUE : BR_OP_IS_NULL;
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        uint32_t joins = br_scope_join_count(scope);
        BR_TRY(br_bind_expression(scope, ast->args[i], &args[i], err));
        done[i] = args[i].expr;
        guard.before = is_coalesce ? i : is_iif && i == 2 ? 1 : 0;
        guard.condition = is_iif && i == 1 ? done[0] : NULL;
        BR_TRY(br_scope_guard(scope, joins, &guard, err));
    }
    *args_out = args;
    return BR_OK;
}

br_status br_bind_function(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    if (ast->window != NULL) return br_bind_window(scope, ast, out, err);
    if (br_name_equal(ast->name, "grouping") && br_has_grouping_sets(scope->core))
        return br_bind_grouping_mark(scope, ast, out, err);
    bool is_redefined = br_is_redefined(scope->binder, ast->name, ast->arg_count);
    br_aggregate_kind kind =
        is_redefined ? BR_AGG_COUNT_ : br_aggregate_find(ast->name, ast->arg_count);
    if (kind != BR_AGG_COUNT_) {
        BR_TRY(br_aggregate_check_count(ast, kind, err));
        return br_bind_aggregate(scope, ast, kind, out, err);
    }
    if (br_window_find(ast->name) != NULL && !is_redefined)
        return br_fail_at(err, BR_SQL, ast->offset, "misuse of window function %s()", ast->name);
    if (ast->filter != NULL)
        return br_fail_at(err, BR_SQL, ast->offset,
                          "FILTER may not be used with non-aggregate %s()", ast->name);
    if (ast->order_count > 0)
        return br_fail_at(err, BR_SQL, ast->offset,
                          "ORDER BY may not be used with non-aggregate %s()", ast->name);
    if (ast->is_star) return wrong_count(ast, ast->name, err);
    br_bound *args;
    BR_TRY(bind_args(scope, ast, is_redefined, &args, err));
    return br_bind_call(scope, ast, ast->name, args, ast->arg_count, out, err);
}
