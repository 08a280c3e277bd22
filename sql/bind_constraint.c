// Arguments of calls in FROM: those in parentheses, and those that conditions give, as SQLite hands
// them to virtual tables: hidden = value, and column MATCH value. Comparisons of columns with
// constants go to SQLite too, which may then read less, but stay conditions.
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
    for (uint32_t i = 0; i <= function->column_count; i++) {
        const char *name = function->columns[i].name;
        if (name == NULL || !br_name_equal(name, ast->name)) continue;
        *column_out = i;
        return true;
    }
    return false;
}

static const char equal[] = "=";

bool br_call_has_argument(const br_table_call *call, uint32_t column)
{
    for (uint32_t i = 0; i < call->argument_count; i++) {
        const br_call_constraint *constraint = &call->arguments[i].constraint;
        if (constraint->column == column && constraint->operator_ == equal) return true;
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

// hidden = value: taken.
static br_status search_equal(search *at, const br_ast *condition, bool *is_taken, br_error *err)
{
    for (uint32_t side = 0; side < 2; side++) {
        const br_ast *value = condition->args[1 - side];
        uint32_t column, ignored;
        if (!names_call(at, condition->args[side], &column)) continue;
        bool is_argument = column < at->call->function->column_count &&
                           at->call->function->columns[column].is_hidden;
        if (!is_argument || br_call_has_argument(at->call, column)) continue;
        if (value->kind == BR_AST_ROW || names_call(at, value, &ignored)) continue;
        *is_taken = true;
        return take(at, condition, (br_call_argument){value, {column, equal}}, err);
    }
    return BR_OK;
}

// The operator as it is with its sides swapped, or not; NULL: no comparison.
static const char *comparison(const br_ast *condition, bool is_swapped)
{
    switch (condition->operator_) {
    case BR_AST_OP_EQ: return equal;
    case BR_AST_OP_LT: return is_swapped ? ">" : "<";
    case BR_AST_OP_LE: return is_swapped ? ">=" : "<=";
    case BR_AST_OP_GT: return is_swapped ? "<" : ">";
    case BR_AST_OP_GE: return is_swapped ? "<=" : ">=";
    default: return NULL;
    }
}

// column < constant: SQLite says the same of it as the condition does, which stays. The name must
// mean nothing else, as one that USING merges does.
static br_status search_constant(search *at, const br_ast *condition, br_error *err)
{
    for (uint32_t side = 0; side < 2; side++) {
        const br_ast *value = condition->args[1 - side];
        const char *operator_ = comparison(condition, side == 1);
        bool is_literal = value->kind == BR_AST_LITERAL && value->name == NULL;
        uint32_t column;
        if (operator_ == NULL || (!is_literal && value->kind != BR_AST_PARAMETER)) continue;
        bool is_alone = at->scope->core->from == at->call->source;
        if (!names_call(at, condition->args[side], &column)) continue;
        if (condition->args[side]->table == NULL && !is_alone) continue;
        bool is_hidden = column < at->call->function->column_count &&
                         at->call->function->columns[column].is_hidden;
        if (is_hidden) continue;
        return add_argument(at, (br_call_argument){value, {column, operator_}}, err);
    }
    return BR_OK;
}

static br_status search_match(search *at, const br_ast *condition, br_error *err)
{
    uint32_t column;
    bool is_match = condition->operator_ == BR_AST_OP_MATCH && !condition->negated &&
                    at->call->takes_arguments && names_call(at, condition->args[0], &column);
    if (!is_match) return BR_OK;
    return take(at, condition, (br_call_argument){condition->args[1], {column, "MATCH"}}, err);
}

static br_status search_conditions(search *at, const br_ast *ast, br_error *err)
{
    bool is_source = at->call->function->kind == BR_TABLE_FUNCTION_SOURCE, is_taken = false;
    if (ast != NULL && ast->kind == BR_AST_BINARY && ast->operator_ == BR_AST_OP_AND) {
        BR_TRY(search_conditions(at, ast->args[0], err));
        return search_conditions(at, ast->args[1], err);
    }
    if (ast != NULL && ast->kind == BR_AST_LIKE && is_source) return search_match(at, ast, err);
    if (ast == NULL || ast->kind != BR_AST_BINARY) return BR_OK;
    if (ast->operator_ == BR_AST_OP_EQ && at->call->takes_arguments)
        BR_TRY(search_equal(at, ast, &is_taken, err));
    return is_taken || !is_source ? BR_OK : search_constant(at, ast, err);
}

// What runs natively takes its arguments by position.
static br_status order_arguments(br_table_call *call, br_error *err)
{
    const br_table_function *function = call->function;
    uint32_t visible = function->column_count - function->argument_max;
    for (uint32_t i = 1; i < call->argument_count; i++) {
        br_call_argument moved = call->arguments[i];
        uint32_t to = i;
        for (; to > 0 && moved.constraint.column < call->arguments[to - 1].constraint.column; to--)
            call->arguments[to] = call->arguments[to - 1];
        call->arguments[to] = moved;
    }
    if (function->kind == BR_TABLE_FUNCTION_SOURCE) return BR_OK;
    for (uint32_t i = 0; i < call->argument_count; i++) {
        if (call->arguments[i].constraint.column != visible + i)
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
        br_call_argument argument = {call->source->args[i], {visible + i, equal}};
        BR_TRY(add_argument(&at, argument, err));
    }
    BR_TRY(search_conditions(&at, scope->call_on, err));
    BR_TRY(search_conditions(&at, scope->call_where, err));
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
