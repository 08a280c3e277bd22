// Expressions: tree nodes that are neither names, calls, comparisons nor subqueries.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

const char *br_bind_span(const br_binder *binder, const br_ast *ast)
{
    uint32_t first = ast->offset, end = ast->end;
    while (first < end && is_space(binder->text[first])) first++;
    while (end > first && is_space(binder->text[end - 1])) end--;
    return br_arena_copy_text(binder->arena, binder->text + first, end - first);
}

// The parser makes integers of TRUE and FALSE; the text still tells them from 1 and 0.
bool br_ast_is_keyword(const br_binder *binder, const br_ast *ast, const char *keyword)
{
    size_t size = strlen(keyword);
    if (ast->kind != BR_AST_LITERAL || ast->end - ast->offset != size) return false;
    char word[8] = {0};
    br_assert(size < sizeof word);
    memcpy(word, binder->text + ast->offset, size);
    return br_name_equal(word, keyword);
}

static br_status bind_literal(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    out->expr = br_expr_const(scope->binder->arena, ast->value);
    BR_NEED(out->expr, err);
    return BR_OK;
}

static br_status bind_parameter(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    const br_plan_options *options = scope->binder->options;
    br_expr *expr = br_expr_new(scope->binder->arena, BR_EXPR_PARAMETER, 0);
    BR_NEED(expr, err);
    br_assert(ast->parameter > 0);
    expr->parameter = ast->parameter - 1;
    unsigned mask = BR_MASK_NULL;  // not bound
    if (options->parameter_masks == NULL)
        mask = BR_MASK_ALL;
    else if (expr->parameter < options->parameter_count)
        mask = options->parameter_masks[expr->parameter];
    expr->type = br_type_of_mask(mask);
    out->expr = expr;
    return BR_OK;
}

// -9223372036854775808: its digits alone are a real.
static bool is_int_min(const br_binder *binder, const br_ast *literal)
{
    static const char digits[] = "9223372036854775808";
    uint32_t size = literal->end - literal->offset;
    return size == sizeof digits - 1 && memcmp(binder->text + literal->offset, digits, size) == 0;
}

static bool negate_literal(const br_binder *binder, const br_ast *literal, br_value *out)
{
    if (literal->kind != BR_AST_LITERAL) return false;
    if (literal->value.class_ == BR_INT && literal->value.i64 != INT64_MIN) {
        *out = br_value_int(-literal->value.i64);
        return true;
    }
    if (literal->value.class_ != BR_REAL) return false;
    *out = is_int_min(binder, literal) ? br_value_int(INT64_MIN)
                                       : br_value_real(-literal->value.f64);
    return true;
}

static br_collation_source explicit_of(const br_bound *bound)
{
    return bound->source == BR_COLLATED_EXPLICIT ? BR_COLLATED_EXPLICIT : BR_COLLATED_NOT;
}

static br_status bind_unary(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_value value;
    br_bound arg;
    if (ast->operator_ == BR_AST_OP_MINUS && negate_literal(scope->binder, ast->args[0], &value)) {
        out->expr = br_expr_const(arena, value);
        BR_NEED(out->expr, err);
        return BR_OK;
    }
    BR_TRY(br_bind_expression(scope, ast->args[0], &arg, err));
    if (ast->operator_ == BR_AST_OP_PLUS) {  // only takes the affinity away
        *out = arg;
        out->expr->affinity = BR_AFFINITY_NONE;
        return BR_OK;
    }
    br_operator operator_ = ast->operator_ == BR_AST_OP_MINUS     ? BR_OP_NEGATE
                            : ast->operator_ == BR_AST_OP_BIT_NOT ? BR_OP_BIT_NOT
                                                                  : BR_OP_NOT;
    *out = (br_bound){br_expr_operator(arena, operator_, arg.expr, NULL), arg.collation,
                      explicit_of(&arg)};
    BR_NEED(out->expr, err);
    br_type_operator(out->expr, scope->binder->options->checked_arithmetic);
    return BR_OK;
}

static bool map_operator(br_ast_operator from, br_operator *out)
{
    switch (from) {
    case BR_AST_OP_ADD: *out = BR_OP_ADD; return true;
    case BR_AST_OP_SUB: *out = BR_OP_SUB; return true;
    case BR_AST_OP_MUL: *out = BR_OP_MUL; return true;
    case BR_AST_OP_DIV: *out = BR_OP_DIV; return true;
    case BR_AST_OP_MOD: *out = BR_OP_MOD; return true;
    case BR_AST_OP_CONCAT: *out = BR_OP_CONCAT; return true;
    case BR_AST_OP_BIT_AND: *out = BR_OP_BIT_AND; return true;
    case BR_AST_OP_BIT_OR: *out = BR_OP_BIT_OR; return true;
    case BR_AST_OP_SHIFT_LEFT: *out = BR_OP_SHIFT_LEFT; return true;
    case BR_AST_OP_SHIFT_RIGHT: *out = BR_OP_SHIFT_RIGHT; return true;
    case BR_AST_OP_EQ: *out = BR_OP_EQ; return true;
    case BR_AST_OP_NE: *out = BR_OP_NE; return true;
    case BR_AST_OP_LT: *out = BR_OP_LT; return true;
    case BR_AST_OP_LE: *out = BR_OP_LE; return true;
    case BR_AST_OP_GT: *out = BR_OP_GT; return true;
    case BR_AST_OP_GE: *out = BR_OP_GE; return true;
    case BR_AST_OP_IS: *out = BR_OP_IS; return true;
    case BR_AST_OP_IS_NOT: *out = BR_OP_IS_NOT; return true;
    case BR_AST_OP_AND: *out = BR_OP_AND; return true;
    case BR_AST_OP_OR: *out = BR_OP_OR; return true;
    default: return false;
    }
}

// COLLATE inside either operand makes the whole explicit, the left one first.
static void merge_collation(br_bound *out, const br_bound *left, const br_bound *right)
{
    const br_bound *from = left->source == BR_COLLATED_EXPLICIT ? left : right;
    out->source = explicit_of(from);
    out->collation = from->collation;
}

// A chain of the same operator becomes one node with many arguments.
static br_status bind_logic(br_scope *scope, const br_ast *ast, br_operator operator_,
                            br_bound *out, br_error *err)
{
    uint32_t count = 2;
    const br_ast *first = ast;
    while (first->args[0]->kind == BR_AST_BINARY && first->args[0]->operator_ == ast->operator_) {
        first = first->args[0];
        count++;
    }
    br_expr *expr = br_expr_new(scope->binder->arena, BR_EXPR_OPERATOR, count);
    BR_NEED(expr, err);
    expr->operator_ = operator_;
    expr->offset = ast->offset;
    const br_ast *node = ast;
    for (uint32_t i = count; i-- > 0;) {
        br_bound arg;
        BR_TRY(br_bind_expression(scope, i == 0 ? node : node->args[1], &arg, err));
        expr->args[i] = arg.expr;
        if (i > 0) node = node->args[0];
        if (arg.source == BR_COLLATED_EXPLICIT) *out = arg;
    }
    br_type_operator(expr, scope->binder->options->checked_arithmetic);
    out->expr = expr;
    return BR_OK;
}

static br_status unary_test(br_scope *scope, br_operator operator_, const br_ast *arg_ast,
                            br_bound *out, br_error *err)
{
    br_bound arg;
    BR_TRY(br_bind_expression(scope, arg_ast, &arg, err));
    *out = (br_bound){br_expr_operator(scope->binder->arena, operator_, arg.expr, NULL),
                      arg.collation, explicit_of(&arg)};
    BR_NEED(out->expr, err);
    return BR_OK;
}

// TRUE or FALSE as a word. SQLite's parser takes IN with an empty list for the same word.
static bool is_truth(const br_binder *binder, const br_ast *ast, bool value)
{
    bool is_empty_in =
        ast->kind == BR_AST_IN && ast->arg_count == 1 && ast->select == NULL && ast->name == NULL;
    return is_empty_in ? ast->negated == value
                       : br_ast_is_keyword(binder, ast, value ? "true" : "false");
}

// x IS NULL, x IS TRUE and the like are no comparisons.
static br_status bind_is(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    const br_binder *binder = scope->binder;
    bool negated = ast->operator_ == BR_AST_OP_IS_NOT;
    const br_ast *left = ast->args[0], *right = ast->args[1], *word = right;
    while (word->kind == BR_AST_COLLATE) word = word->args[0];  // as SQLite does
    if (is_truth(binder, word, true))
        return unary_test(scope, negated ? BR_OP_IS_NOT_TRUE : BR_OP_IS_TRUE, left, out, err);
    if (is_truth(binder, word, false))
        return unary_test(scope, negated ? BR_OP_IS_NOT_FALSE : BR_OP_IS_FALSE, left, out, err);
    bool is_row = left->kind == BR_AST_ROW;
    if (right->kind == BR_AST_LITERAL && right->value.class_ == BR_NULL && !is_row)
        return unary_test(scope, negated ? BR_OP_NOT_NULL : BR_OP_IS_NULL, left, out, err);
    return br_bind_compare_ast(scope, ast, negated ? BR_OP_IS_NOT : BR_OP_IS, out, err);
}

// An operator that is a call of a function, with its first two operands swapped for LIKE and such.
static br_status bind_call_of(br_scope *scope, const br_ast *ast, const char *name, bool swapped,
                              br_bound *out, br_error *err)
{
    br_bound args[3];
    BR_TRY(br_bind_expression(scope, ast->args[0], &args[swapped ? 1 : 0], err));
    BR_TRY(br_bind_expression(scope, ast->args[1], &args[swapped ? 0 : 1], err));
    if (ast->arg_count > 2) BR_TRY(br_bind_expression(scope, ast->args[2], &args[2], err));
    return br_bind_call(scope, ast, name, args, ast->arg_count, out, err);
}

static br_status bind_binary(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    br_operator operator_;
    if (ast->operator_ == BR_AST_OP_JSON) return bind_call_of(scope, ast, "->", false, out, err);
    if (ast->operator_ == BR_AST_OP_JSON_TEXT)
        return bind_call_of(scope, ast, "->>", false, out, err);
    if (!map_operator(ast->operator_, &operator_))
        return br_fail(err, BR_UNSUPPORTED, "operator at offset %u is not native", ast->offset);
    if (operator_ == BR_OP_AND || operator_ == BR_OP_OR)
        return bind_logic(scope, ast, operator_, out, err);
    if (operator_ == BR_OP_IS || operator_ == BR_OP_IS_NOT) return bind_is(scope, ast, out, err);
    if (operator_ >= BR_OP_EQ && operator_ <= BR_OP_GE)
        return br_bind_compare_ast(scope, ast, operator_, out, err);
    br_bound left, right;
    BR_TRY(br_bind_expression(scope, ast->args[0], &left, err));
    BR_TRY(br_bind_expression(scope, ast->args[1], &right, err));
    out->expr = br_expr_operator(scope->binder->arena, operator_, left.expr, right.expr);
    BR_NEED(out->expr, err);
    out->expr->offset = ast->offset;
    br_type_operator(out->expr, scope->binder->options->checked_arithmetic);
    merge_collation(out, &left, &right);
    return BR_OK;
}

static br_status bind_like(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    const char *name = ast->operator_ == BR_AST_OP_LIKE     ? "like"
                       : ast->operator_ == BR_AST_OP_GLOB   ? "glob"
                       : ast->operator_ == BR_AST_OP_REGEXP ? "regexp"
                                                            : "match";
    bool is_native = ast->operator_ == BR_AST_OP_LIKE || ast->operator_ == BR_AST_OP_GLOB;
    if (ast->operator_ == BR_AST_OP_MATCH && !br_is_redefined(scope->binder, name, ast->arg_count))
        return br_fail(err, BR_UNSUPPORTED, "MATCH, which is for a virtual table to answer");
    if (!is_native || br_is_redefined(scope->binder, name, ast->arg_count)) {
        BR_TRY(bind_call_of(scope, ast, name, true, out, err));
    } else {
        br_expr *expr = br_expr_new(arena, BR_EXPR_OPERATOR, ast->arg_count);
        BR_NEED(expr, err);
        expr->operator_ = ast->operator_ == BR_AST_OP_LIKE ? BR_OP_LIKE : BR_OP_GLOB;
        expr->offset = ast->offset;
        if (expr->operator_ == BR_OP_GLOB && ast->arg_count > 2)
            return br_fail_at(err, BR_SQL, ast->offset,
                              "wrong number of arguments to function GLOB()");
        for (uint32_t i = 0; i < ast->arg_count; i++) {
            br_bound arg;
            BR_TRY(br_bind_expression(scope, ast->args[i], &arg, err));
            expr->args[i] = arg.expr;
            if (arg.source == BR_COLLATED_EXPLICIT) *out = arg;
        }
        br_like_finish(scope, expr);
        out->expr = expr;
    }
    if (ast->negated) out->expr = br_expr_operator(arena, BR_OP_NOT, out->expr, NULL);
    BR_NEED(out->expr, err);
    return BR_OK;
}

static br_status bind_cast(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    BR_TRY(br_bind_expression(scope, ast->args[0], out, err));
    br_expr *expr = br_expr_new(scope->binder->arena, BR_EXPR_CAST, 1);
    BR_NEED(expr, err);
    expr->args[0] = out->expr;
    expr->affinity_to = br_affinity_of_type_name(ast->name);
    expr->affinity = expr->affinity_to;
    expr->type = br_type_cast(out->expr->type, expr->affinity_to);
    expr->can_fail = out->expr->can_fail;
    expr->offset = ast->offset;
    out->expr = expr;
    return BR_OK;
}

static br_status bind_collate(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    BR_TRY(br_bind_expression(scope, ast->args[0], out, err));
    BR_TRY(br_parse_collation(scope->binder, ast->name, &out->collation, err));
    out->source = BR_COLLATED_EXPLICIT;
    return BR_OK;
}

static br_status bind_node(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    switch (ast->kind) {
    case BR_AST_LITERAL: return bind_literal(scope, ast, out, err);
    case BR_AST_NAME: return br_bind_name(scope, ast, out, err);
    case BR_AST_PARAMETER: return bind_parameter(scope, ast, out, err);
    case BR_AST_UNARY: return bind_unary(scope, ast, out, err);
    case BR_AST_BINARY: return bind_binary(scope, ast, out, err);
    case BR_AST_BETWEEN: return br_bind_between(scope, ast, out, err);
    case BR_AST_IN:
        if (ast->select != NULL || ast->name != NULL)
            return br_bind_in_subquery(scope, ast, out, err);
        return br_bind_in_list(scope, ast, out, err);
    case BR_AST_LIKE: return bind_like(scope, ast, out, err);
    case BR_AST_IS_NULL:
        return unary_test(scope, ast->negated ? BR_OP_NOT_NULL : BR_OP_IS_NULL, ast->args[0], out,
                          err);
    case BR_AST_CASE: return br_bind_case(scope, ast, out, err);
    case BR_AST_CAST: return bind_cast(scope, ast, out, err);
    case BR_AST_COLLATE: return bind_collate(scope, ast, out, err);
    case BR_AST_FUNCTION: return br_bind_function(scope, ast, out, err);
    case BR_AST_EXISTS: return br_bind_exists(scope, ast, out, err);
    case BR_AST_SUBQUERY: return br_bind_scalar_subquery(scope, ast, out, err);
    case BR_AST_ROW: return br_fail_at(err, BR_SQL, ast->offset, "row value misused");
    case BR_AST_STAR: return br_fail_at(err, BR_SQL, ast->offset, "near \"*\": syntax error");
    case BR_AST_GROUPING_SETS:
        return br_fail_at(err, BR_SQL, ast->offset, "GROUPING SETS is only for GROUP BY");
    case BR_AST_RAISE:
        return br_fail_at(err, BR_SQL, ast->offset,
                          "RAISE() may only be used within a trigger-program");
    }
    return br_fail(err, BR_INTERNAL, "expression of unknown kind %d", (int)ast->kind);
}

br_status br_bind_expression(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    *out = (br_bound){.source = BR_COLLATED_NOT};
    if (br_is_constraint(scope, ast)) return br_bind_constraint(scope, ast, out, err);
    return bind_node(scope, ast, out, err);
}
