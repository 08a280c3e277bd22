// Which expressions have values that SQLite marks as JSON (a subtype of TEXT).
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (br_name_equal(name, names[i])) return true;
    }
    return false;
}

br_json_kind br_function_json(const char *name)
{
    static const char *const makers[] = {"json",        "json_array",  "json_object",
                                         "json_insert", "json_patch",  "json_quote",
                                         "json_remove", "json_replace", "json_set", "->"};
    if (is_one_of(name, makers, sizeof makers / sizeof *makers)) return BR_JSON_ALWAYS;
    return br_name_equal(name, "json_extract") ? BR_JSON_MAYBE : BR_JSON_NOT;
}

bool br_function_takes_json(const char *name)
{
    static const char *const takers[] = {"json_array",  "json_object",  "json_quote",
                                         "json_insert", "json_replace", "json_set",
                                         "json_group_array", "json_group_object"};
    return is_one_of(name, takers, sizeof takers / sizeof *takers);
}

static br_json_kind any_of(br_expr *const *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (br_expr_json(args[i]) != BR_JSON_NOT) return BR_JSON_MAYBE;
    }
    return BR_JSON_NOT;
}

br_json_kind br_expr_json(const br_expr *expr)
{
    switch (expr->kind) {
    case BR_EXPR_COLUMN:
    case BR_EXPR_SUBQUERY: return expr->json;
    case BR_EXPR_FUNCTION:
        switch (expr->function) {
        case BR_FN_COALESCE:
        case BR_FN_NULLIF:
        case BR_FN_MIN:
        case BR_FN_MAX: return any_of(expr->args, expr->arg_count);
        default: return expr->json;
        }
    case BR_EXPR_CASE: return any_of(expr->args, expr->arg_count);
    case BR_EXPR_AFFINITY: return any_of(expr->args, 1);
    case BR_EXPR_CAST:
        return expr->affinity_to == BR_AFFINITY_TEXT ? any_of(expr->args, 1) : BR_JSON_NOT;
    default: return BR_JSON_NOT;
    }
}

// A column or subquery of which nobody can tell any more.
static bool rests_on_query(const br_expr *expr)
{
    if (expr->kind == BR_EXPR_COLUMN || expr->kind == BR_EXPR_SUBQUERY)
        return expr->json == BR_JSON_MAYBE;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (br_expr_json(expr->args[i]) != BR_JSON_NOT && rests_on_query(expr->args[i]))
            return true;
    }
    return false;
}

// ---- values of json_each() and json_tree() ---------------------------------------------------

enum { VALUE_COLUMN = 1, TYPE_COLUMN = 2 };

// The column that tells the type of the value in column `id`; NULL: it is no such value.
static br_scope_column *type_column(br_scope *scope, uint32_t id, br_scope **owner_out)
{
    for (*owner_out = scope; *owner_out != NULL; *owner_out = (*owner_out)->outer) {
        for (uint32_t i = 0; i < (*owner_out)->item_count; i++) {
            const br_scope_item *item = (*owner_out)->items[i];
            bool has_type = item->column_count > TYPE_COLUMN;
            if (has_type && item->columns[VALUE_COLUMN].column.id == id)
                return &item->columns[TYPE_COLUMN];
        }
    }
    return NULL;
}

static br_status type_is(br_scope *scope, const br_bound *type, const char *name, br_expr **out,
                         br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_expr *left = br_expr_clone(arena, type->expr);
    br_expr *right =
        br_expr_const(arena, br_value_text(br_text_make(name, (uint32_t)strlen(name))));
    BR_NEED(left, err);
    BR_NEED(right, err);
    *out = br_expr_operator(arena, BR_OP_EQ, left, right);
    BR_NEED(*out, err);
    return BR_OK;
}

// Arrays and objects are marked: iif(type = 'array' OR type = 'object', json(value), value).
static br_status settle_value(br_scope *scope, const br_ast *ast, br_expr **expr, br_error *err)
{
    br_scope *owner;
    br_arena *arena = scope->binder->arena;
    br_scope_column *column = type_column(scope, (*expr)->column_id, &owner);
    if (column == NULL) return BR_OK;
    br_bound type, args[3] = {{0}};
    br_expr *is_array, *is_object;
    BR_TRY(br_bind_column(owner, column, &type, err));
    BR_TRY(type_is(scope, &type, "array", &is_array, err));
    BR_TRY(type_is(scope, &type, "object", &is_object, err));
    args[0].expr = br_expr_operator(arena, BR_OP_OR, is_array, is_object);
    args[2].expr = br_expr_clone(arena, *expr);
    BR_NEED(args[0].expr, err);
    BR_NEED(args[2].expr, err);
    args[2].expr->json = BR_JSON_NOT;
    br_bound value = {.expr = *expr}, settled;
    value.expr->json = BR_JSON_NOT;
    BR_TRY(br_bind_call(scope, ast, "json", &value, 1, &args[1], err));
    BR_TRY(br_bind_call(scope, ast, "iif", args, 3, &settled, err));
    *expr = settled.expr;
    return BR_OK;
}

static br_status settle(br_scope *scope, const br_ast *ast, br_expr **expr, br_error *err)
{
    if (br_expr_json(*expr) == BR_JSON_NOT) return BR_OK;
    if ((*expr)->kind == BR_EXPR_COLUMN && (*expr)->json == BR_JSON_MAYBE)
        return settle_value(scope, ast, expr, err);
    for (uint32_t i = 0; i < (*expr)->arg_count; i++)
        BR_TRY(settle(scope, ast, &(*expr)->args[i], err));
    return BR_OK;
}

// ---- calls -----------------------------------------------------------------------------------

br_status br_json_settle(br_scope *scope, const br_ast *ast, const char *name, br_bound *args,
                         uint32_t arg_count, br_error *err)
{
    if (!br_function_takes_json(name)) return BR_OK;
    for (uint32_t i = 0; i < arg_count; i++) {
        BR_TRY(settle(scope, ast, &args[i].expr, err));
        if (br_expr_json(args[i].expr) != BR_JSON_NOT && rests_on_query(args[i].expr))
            return br_fail(err, BR_UNSUPPORTED, "%s() of what may be JSON or text", name);
    }
    return BR_OK;
}

br_status br_json_aggregate(br_scope *scope, const br_ast *ast, br_aggregate *aggregate,
                            br_error *err)
{
    br_expr **value = &aggregate->args[aggregate->kind == BR_AGG_JSON_OBJECT ? 1 : 0];
    br_bound arg = {.expr = *value}, quoted;
    BR_TRY(br_json_settle(scope, ast, ast->name, &arg, 1, err));
    if (br_expr_json(arg.expr) == BR_JSON_MAYBE) {  // as text of JSON in any case
        BR_TRY(br_bind_call(scope, ast, "json_quote", &arg, 1, &quoted, err));
        arg = quoted;
    }
    *value = arg.expr;
    aggregate->is_json = br_expr_json(arg.expr) == BR_JSON_ALWAYS;
    return BR_OK;
}
