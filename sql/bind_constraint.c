// Arguments of calls in FROM: those in parentheses, and those that conditions give, as SQLite hands
// them to virtual tables: hidden = value, and column MATCH value.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind_call.h"

typedef struct search {
    br_scope *scope;
    br_table_call *call;
} search;

static br_status add_argument(search *at, br_call_argument argument, br_error *err)
{
    br_table_call *call = at->call;
    br_call_argument *grown =
        br_grow(at->scope->binder->arena, call->arguments, call->argument_count, sizeof *grown);
    BR_NEED(grown, err);
    call->arguments = grown;
    grown[call->argument_count++] = argument;
    return BR_OK;
}

// The column of the call that the name means; a name without a table may mean others too, which is
// found out when the condition's turn comes.
static bool names_call(const search *at, const br_ast *ast, uint32_t *column_out)
{
    const br_table_function *function = at->call->function;
    if (ast->kind != BR_AST_NAME) return false;
    if (ast->table != NULL && !br_name_equal(ast->table, at->call->item->name)) return false;
    if (ast->schema != NULL && !br_name_equal(ast->schema, "main")) return false;
    for (uint32_t i = 0; i < function->column_count; i++) {
        if (!br_name_equal(function->columns[i].name, ast->name)) continue;
        *column_out = i;
        return true;
    }
    return false;
}

static bool is_given(const br_table_call *call, uint32_t column)
{
    for (uint32_t i = 0; i < call->argument_count; i++) {
        if (call->arguments[i].column == column && !call->arguments[i].is_match) return true;
    }
    return false;
}

static br_status take(search *at, const br_ast *condition, br_call_argument argument,
                      br_error *err)
{
    br_scope *scope = at->scope;
    const br_ast **grown = br_grow(scope->binder->arena, scope->constraints,
                                   scope->constraint_count, sizeof *grown);
    BR_NEED(grown, err);
    scope->constraints = grown;
    grown[scope->constraint_count++] = condition;
    return add_argument(at, argument, err);
}

static br_status search_equal(search *at, const br_ast *condition, br_error *err)
{
    for (uint32_t side = 0; side < 2; side++) {
        const br_ast *value = condition->args[1 - side];
        uint32_t column, ignored;
        if (!names_call(at, condition->args[side], &column)) continue;
        if (!at->call->function->columns[column].is_hidden || is_given(at->call, column)) continue;
        if (value->kind == BR_AST_ROW || names_call(at, value, &ignored)) continue;
        return take(at, condition, (br_call_argument){.ast = value, .column = column}, err);
    }
    return BR_OK;
}

static br_status search_conditions(search *at, const br_ast *ast, br_error *err)
{
    if (ast == NULL) return BR_OK;
    if (ast->kind == BR_AST_BINARY && ast->operator_ == BR_AST_OP_AND) {
        BR_TRY(search_conditions(at, ast->args[0], err));
        return search_conditions(at, ast->args[1], err);
    }
    if (ast->kind == BR_AST_BINARY && ast->operator_ == BR_AST_OP_EQ)
        return search_equal(at, ast, err);
    uint32_t column;
    bool is_match = ast->kind == BR_AST_LIKE && ast->operator_ == BR_AST_OP_MATCH &&
                    !ast->negated && at->call->function->kind == BR_TABLE_FUNCTION_SOURCE &&
                    at->call->takes_arguments && names_call(at, ast->args[0], &column);
    if (!is_match) return BR_OK;
    return take(at, ast,
                (br_call_argument){.ast = ast->args[1], .column = column, .is_match = true}, err);
}

// What runs natively takes its arguments by position.
static br_status order_arguments(br_table_call *call, br_error *err)
{
    const br_table_function *function = call->function;
    uint32_t visible = function->column_count - function->argument_max;
    for (uint32_t i = 1; i < call->argument_count; i++) {
        br_call_argument moved = call->arguments[i];
        uint32_t to = i;
        for (; to > 0 && moved.column < call->arguments[to - 1].column; to--)
            call->arguments[to] = call->arguments[to - 1];
        call->arguments[to] = moved;
    }
    if (function->kind == BR_TABLE_FUNCTION_SOURCE) return BR_OK;
    for (uint32_t i = 0; i < call->argument_count; i++) {
        if (call->arguments[i].column != visible + i)
            return br_fail(err, BR_UNSUPPORTED, "%s() without its argument '%s'", function->name,
                           function->columns[visible + i].name);
    }
    return BR_OK;
}

br_status br_call_arguments(br_scope *scope, br_table_call *call, br_error *err)
{
    search at = {.scope = scope, .call = call};
    const br_table_function *function = call->function;
    uint32_t visible = function->column_count - function->argument_max;
    for (uint32_t i = 0; i < call->source->arg_count; i++) {
        br_call_argument argument = {.ast = call->source->args[i], .column = visible + i};
        BR_TRY(add_argument(&at, argument, err));
    }
    if (call->takes_arguments) {
        BR_TRY(search_conditions(&at, scope->call_on, err));
        BR_TRY(search_conditions(&at, scope->call_where, err));
    }
    return order_arguments(call, err);
}

// ---- conditions that were taken ----------------------------------------------------------------

bool br_is_constraint(const br_scope *scope, const br_ast *ast)
{
    for (uint32_t i = 0; i < scope->constraint_count; i++) {
        if (scope->constraints[i] == ast) return true;
    }
    return false;
}

// Its column was looked up in one table only.
static br_status check_unique(const br_scope *scope, const br_ast *name, br_error *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; name->kind == BR_AST_NAME && i < scope->item_count; i++) {
        const br_scope_item *item = scope->items[i];
        if (name->table != NULL && !br_name_equal(item->name, name->table)) continue;
        for (uint32_t k = 0; k < item->column_count; k++)
            count += br_name_equal(item->columns[k].name, name->name);
    }
    if (count <= 1) return BR_OK;
    return br_fail_at(err, BR_SQL, name->offset, "ambiguous column name: %s", name->name);
}

br_status br_bind_constraint(const br_scope *scope, const br_ast *ast, br_bound *out,
                             br_error *err)
{
    for (uint32_t i = 0; i < ast->arg_count; i++) BR_TRY(check_unique(scope, ast->args[i], err));
    br_expr *expr = br_expr_const(scope->binder->arena, br_value_int(1));
    BR_NEED(expr, err);
    *out = (br_bound){.expr = expr, .source = BR_COLLATED_NOT};
    return BR_OK;
}
