// Function calls: which function it is, scalar ones, and the checks SQLite makes.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"

bool br_ast_has_aggregate(const br_scope *scope, const br_ast *ast)
{
    if (ast == NULL) return false;
    if (ast->kind == BR_AST_FUNCTION) {
        bool is_aggregate = br_aggregate_find(ast->name, ast->arg_count) != BR_AGG_COUNT_;
        if (is_aggregate && ast->window == NULL) return true;
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

static bool is_text_constant(const br_expr *expr, const char *text)
{
    if (expr->kind != BR_EXPR_CONST || expr->value.class_ != BR_TEXT) return false;
    char word[16] = {0};
    if (expr->value.text.size >= sizeof word) return false;
    memcpy(word, expr->value.text.data, expr->value.text.size);
    return br_name_equal(word, text);
}

// Date functions without a time value, or with 'now', depend on the clock.
static bool asks_the_clock(br_function function, const br_bound *args, uint32_t arg_count)
{
    if (function < BR_FN_DATE || function > BR_FN_STRFTIME) return false;
    uint32_t first = function == BR_FN_STRFTIME ? 1 : 0;
    if (arg_count <= first) return true;
    for (uint32_t i = first; i < arg_count; i++) {
        if (is_text_constant(args[i].expr, "now")) return true;
    }
    return false;
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

// like(pattern, text) and glob(pattern, text) are the operators with their operands swapped.
static br_status call_like(br_scope *scope, const br_ast *ast, br_operator operator_,
                           const br_bound *args, uint32_t arg_count, br_bound *out, br_error *err)
{
    BR_TRY(call_expr(scope, ast, BR_EXPR_OPERATOR, args, arg_count, &out->expr, err));
    out->expr->operator_ = operator_;
    out->expr->args[0] = args[1].expr;
    out->expr->args[1] = args[0].expr;
    br_type_operator(out->expr, false);
    out->expr->can_fail = out->expr->can_fail || arg_count > 2;
    return BR_OK;
}

static br_status call_known(br_scope *scope, const br_ast *ast, const br_function_info *info,
                            const br_bound *args, uint32_t arg_count, br_bound *out, br_error *err)
{
    bool too_many = info->arguments_max >= 0 && arg_count > (uint32_t)info->arguments_max;
    if (arg_count < (uint32_t)info->arguments_min || too_many)
        return wrong_count(ast, ast->name != NULL ? ast->name : info->name, err);
    if (asks_the_clock(info->function, args, arg_count))
        return br_fail(err, BR_UNSUPPORTED, "function %s() of the current time", info->name);
    br_collation collation = call_collation(args, arg_count, out);
    if (br_name_equal(info->name, "like"))
        return call_like(scope, ast, BR_OP_LIKE, args, arg_count, out, err);
    if (br_name_equal(info->name, "glob"))
        return call_like(scope, ast, BR_OP_GLOB, args, arg_count, out, err);
    if (info->function == BR_FN_LIKELY) {  // a hint; only the affinity goes
        out->expr = args[0].expr;
        out->expr->affinity = BR_AFFINITY_NONE;
        return BR_OK;
    }
    bool is_iif = info->function == BR_FN_IIF;
    BR_TRY(call_expr(scope, ast, is_iif ? BR_EXPR_CASE : BR_EXPR_FUNCTION, args, arg_count,
                     &out->expr, err));
    out->expr->type = br_function_type(info->function, info->name, out->expr->args, arg_count);
    if (is_iif) return BR_OK;
    out->expr->function = info->function;
    out->expr->function_name = info->name;
    out->expr->collation = collation;
    out->expr->can_fail = br_function_can_fail(info->function, out->expr->args, arg_count);
    return BR_OK;
}

// SQLite's own deterministic functions that we have no code for are called through the bridge.
static br_status call_unknown(br_scope *scope, const br_ast *ast, const char *name,
                              const br_bound *args, uint32_t arg_count, br_bound *out,
                              br_error *err)
{
    const br_sql_catalog *catalog = scope->binder->catalog;
    const char *reason = br_function_unsupported(name);
    if (reason != NULL) return br_fail(err, BR_UNSUPPORTED, "%s", reason);
    bool exists = catalog->has_function != NULL &&
                  catalog->has_function(catalog->context, name, arg_count);
    if (!exists && ast->kind != BR_AST_FUNCTION)
        return br_fail(err, BR_UNSUPPORTED, "operator %s is not native", name);
    if (!exists) return br_fail_at(err, BR_SQL, ast->offset, "no such function: %s", name);
    call_collation(args, arg_count, out);
    BR_TRY(call_expr(scope, ast, BR_EXPR_FUNCTION, args, arg_count, &out->expr, err));
    out->expr->function = BR_FN_BRIDGE;
    out->expr->function_name = name;
    out->expr->type = br_function_type(BR_FN_BRIDGE, name, out->expr->args, arg_count);
    out->expr->can_fail = true;
    return BR_OK;
}

br_status br_bind_call(br_scope *scope, const br_ast *ast, const char *name, const br_bound *args,
                       uint32_t arg_count, br_bound *out, br_error *err)
{
    *out = (br_bound){.source = BR_COLLATED_NOT};
    const br_function_info *info = br_function_find(name);
    if (info != NULL) return call_known(scope, ast, info, args, arg_count, out, err);
    return call_unknown(scope, ast, name, args, arg_count, out, err);
}

br_status br_aggregate_check_count(const br_ast *ast, br_aggregate_kind kind, br_error *err)
{
    uint32_t max = kind == BR_AGG_GROUP_CONCAT ? 2 : 1;
    uint32_t min = kind == BR_AGG_COUNT ? 0 : 1;
    bool bad_star = ast->is_star && kind != BR_AGG_COUNT;
    if (bad_star || ast->arg_count < min || ast->arg_count > max)
        return wrong_count(ast, ast->name, err);
    return BR_OK;
}

br_status br_bind_function(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    if (ast->window != NULL) return br_bind_window(scope, ast, out, err);
    br_aggregate_kind kind = br_aggregate_find(ast->name, ast->arg_count);
    if (kind != BR_AGG_COUNT_) {
        BR_TRY(br_aggregate_check_count(ast, kind, err));
        return br_bind_aggregate(scope, ast, kind, out, err);
    }
    if (br_window_find(ast->name) != NULL)
        return br_fail_at(err, BR_SQL, ast->offset, "misuse of window function %s()", ast->name);
    if (ast->filter != NULL)
        return br_fail_at(err, BR_SQL, ast->offset,
                          "FILTER may not be used with non-aggregate %s()", ast->name);
    if (ast->is_star) return wrong_count(ast, ast->name, err);
    br_bound *args = BR_ALLOC(scope->binder->arena, br_bound, ast->arg_count);
    BR_NEED(args, err);
    for (uint32_t i = 0; i < ast->arg_count; i++)
        BR_TRY(br_bind_expression(scope, ast->args[i], &args[i], err));
    return br_bind_call(scope, ast, ast->name, args, ast->arg_count, out, err);
}
