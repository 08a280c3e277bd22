// ORDER BY, GROUP BY terms that mean result columns, and LIMIT.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"

const br_ast *br_ast_skip_collate(const br_ast *ast)
{
    while (ast->kind == BR_AST_COLLATE) ast = ast->args[0];
    return ast;
}

// An integer, perhaps with signs before it.
static bool is_ordinal(const br_binder *binder, const br_ast *ast, int64_t *value_out)
{
    const br_ast *digits = ast;
    bool negative = false;
    for (; digits->kind == BR_AST_UNARY; digits = digits->args[0]) {
        bool is_minus = digits->operator_ == BR_AST_OP_MINUS;
        if (!is_minus && digits->operator_ != BR_AST_OP_PLUS) return false;
        negative = negative != is_minus;
    }
    if (digits->kind != BR_AST_LITERAL || digits->value.class_ != BR_INT) return false;
    if (br_ast_is_keyword(binder, digits, "true") || br_ast_is_keyword(binder, digits, "false"))
        return false;
    int64_t value = digits->value.i64;
    if (value > INT32_MAX || value < 0) return false;
    *value_out = negative ? -value : value;
    return true;
}

static const char *ordinal_suffix(uint32_t n)
{
    uint32_t last = n % 10, teens = n % 100;
    if (teens >= 11 && teens <= 13) return "th";
    return last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th";
}

static int32_t find_alias(const br_scope *scope, const br_ast *ast)
{
    if (ast->kind != BR_AST_NAME || ast->table != NULL) return -1;
    for (uint32_t i = 0; i < scope->result_count; i++) {
        const char *alias = scope->results[i].alias;
        if (alias != NULL && br_name_equal(alias, ast->name)) return (int32_t)i;
    }
    return -1;
}

br_status br_order_match(br_scope *scope, const br_ast *ast, const char *clause, uint32_t term,
                         int32_t *column_out, br_error *err)
{
    int64_t ordinal;
    const br_ast *inner = br_ast_skip_collate(ast);
    *column_out = clause[0] == 'O' ? find_alias(scope, inner) : -1;
    if (*column_out >= 0 || !is_ordinal(scope->binder, inner, &ordinal)) return BR_OK;
    if (ordinal < 1 || ordinal > scope->result_count)
        return br_fail_at(err, BR_SQL, inner->offset,
                          "%u%s %s BY term out of range - should be between 1 and %u", term + 1,
                          ordinal_suffix(term + 1), clause, scope->result_count);
    *column_out = (int32_t)ordinal - 1;
    return BR_OK;
}

static br_status bind_term(br_scope *scope, const br_ast_order *order, uint32_t index,
                           br_order_term *term, br_error *err)
{
    const br_ast *ast = order->expression;
    term->descending = order->descending;
    term->nulls_last = order->nulls == 0 ? order->descending : order->nulls > 0;
    BR_TRY(br_order_match(scope, ast, "ORDER", index, &term->column, err));
    if (term->column < 0) return br_bind_expression(scope, ast, &term->bound, err);
    term->has_collation = ast->kind == BR_AST_COLLATE;
    if (!term->has_collation) return BR_OK;
    return br_parse_collation(scope->binder, ast->name, &term->collation, err);
}

br_status br_expand_order_all(br_binder *binder, const br_ast_select **select,
                              uint32_t column_count, br_error *err)
{
    if (!(*select)->order_all) return BR_OK;
    br_ast_select *copy = BR_ALLOC(binder->arena, br_ast_select, 1);
    br_ast_order *terms = BR_ALLOC(binder->arena, br_ast_order, column_count);
    br_ast *ordinals = BR_ALLOC(binder->arena, br_ast, column_count);
    BR_NEED(copy, err);
    BR_NEED(terms, err);
    BR_NEED(ordinals, err);
    for (uint32_t i = 0; i < column_count; i++) {
        ordinals[i] = *(*select)->order_by[0].expression;
        ordinals[i].value = br_value_int(i + 1);
        terms[i] = (*select)->order_by[0];
        terms[i].expression = &ordinals[i];
    }
    *copy = **select;
    copy->order_all = false;
    copy->order_by = terms;
    copy->order_count = column_count;
    *select = copy;
    return BR_OK;
}

br_status br_bind_order(br_scope *scope, const br_ast_select *select, br_order_term **terms_out,
                        br_error *err)
{
    br_order_term *terms = BR_ALLOC(scope->binder->arena, br_order_term, select->order_count);
    BR_NEED(terms, err);
    br_scope *outer = scope->outer;  // ORDER BY sees no outer query
    scope->outer = NULL;
    scope->in_order = scope->windows_allowed = true;
    br_status status = BR_OK;
    for (uint32_t i = 0; i < select->order_count && status == BR_OK; i++)
        status = bind_term(scope, &select->order_by[i], i, &terms[i], err);
    scope->in_order = scope->windows_allowed = false;
    scope->outer = outer;
    BR_TRY(status);
    *terms_out = terms;
    return BR_OK;
}

// A count names nothing: what its subqueries need is joined to a single row.
static br_status bind_count(br_binder *binder, const br_ast *ast, br_expr **out, br_error *err)
{
    br_attach_list joins = {0};
    br_scope scope = {.binder = binder, .attach = &joins};
    br_bound bound;
    *out = NULL;
    if (ast == NULL) return BR_OK;
    BR_TRY(br_bind_expression(&scope, ast, &bound, err));
    *out = bound.expr;
    if (joins.count == 0) return BR_OK;
    scope.plan = br_plan_one_row(binder);
    BR_NEED(scope.plan, err);
    BR_TRY(br_scope_attach(&scope, &joins, err));
    br_plan *project = br_plan_new(binder, BR_PLAN_PROJECT, 1);
    BR_NEED(project, err);
    project->left = scope.plan;
    project->columns[0] = br_column_of(binder, "", &bound);
    project->project.expressions = BR_ALLOC(binder->arena, br_expr *, 1);
    BR_NEED(project->project.expressions, err);
    project->project.expressions[0] = bound.expr;
    return br_bind_slot(&scope, project, out, err);
}

br_status br_bind_limit(br_binder *binder, const br_ast_select *select, br_expr **limit_out,
                        br_expr **offset_out, br_error *err)
{
    BR_TRY(bind_count(binder, select->limit, limit_out, err));
    return bind_count(binder, select->offset_expression, offset_out, err);
}
