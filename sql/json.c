// Which expressions have values that SQLite marks as JSON (a subtype of TEXT).
// SPDX-License-Identifier: Apache-2.0
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

// SQLite may keep the mark of a subquery's column or not, depending on how it runs the two.
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

br_status br_json_check(const char *name, const br_bound *args, uint32_t arg_count, br_error *err)
{
    if (!br_function_takes_json(name)) return BR_OK;
    for (uint32_t i = 0; i < arg_count; i++) {
        if (br_expr_json(args[i].expr) != BR_JSON_NOT && rests_on_query(args[i].expr))
            return br_fail(err, BR_UNSUPPORTED, "%s() of the JSON of a subquery", name);
    }
    return BR_OK;
}
