// Table-valued functions in FROM, and tables that SQLite reads. Arguments may name columns of what
// stands beside them.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind_call.h"

static br_status find_call(const br_scope *scope, br_table_call *call, br_error *err)
{
    const br_sql_catalog *catalog = scope->binder->catalog;
    const char *schema = call->source->schema, *name = call->source->name;
    bool is_main = schema == NULL || br_name_equal(schema, "main");
    if (is_main) call->function = br_table_function_find(name);
    call->takes_arguments = call->function != NULL;
    if (!is_main || call->function != NULL || catalog->find_source == NULL) return BR_OK;
    return catalog->find_source(catalog->context, name, &call->function, &call->takes_arguments,
                                err);
}

static br_status check_call(const br_scope *scope, const br_table_call *call, br_error *err)
{
    const br_sql_catalog *catalog = scope->binder->catalog;
    const br_ast_source *source = call->source;
    const br_table_function *function = call->function;
    if (function == NULL)
        return br_fail(err, BR_UNSUPPORTED, "table-valued function %s() is not native",
                       source->name);
    const br_sql_table *table = catalog->find_table(catalog->context, NULL, source->name);
    bool is_mirrored = table != NULL && table->view != NULL;
    if (source->kind == BR_AST_SOURCE_FUNCTION && (is_mirrored || !call->takes_arguments))
        return br_fail_at(err, BR_SQL, source->offset, "'%s' is not a function", source->name);
    if (source->arg_count > function->argument_max)
        return br_fail_at(err, BR_SQL, source->offset, "too many arguments on %s() - max %u",
                          function->name, function->argument_max);
    return BR_OK;
}

static br_status bind_arguments(br_scope *scope, const br_table_call *call, br_error *err)
{
    br_attach_list *attach = scope->attach;
    uint32_t references = scope->own_references;
    scope->attach = NULL;
    br_status status = BR_OK;
    for (uint32_t i = 0; i < call->argument_count && status == BR_OK; i++) {
        br_bound bound = {0};
        status = br_bind_expression(scope, call->arguments[i].ast, &bound, err);
        call->plan->call.arguments[i] = bound.expr;
    }
    scope->attach = attach;
    call->plan->call.is_lateral = scope->own_references > references;
    scope->binder->has_dependent = scope->binder->has_dependent || call->plan->call.is_lateral;
    return status;
}

// Those of a native function are by position.
static br_status make_arguments(br_binder *binder, const br_table_call *call, br_error *err)
{
    br_plan *plan = call->plan;
    uint32_t count = call->argument_count;
    plan->call.argument_count = count;
    plan->call.arguments = BR_ALLOC(binder->arena, br_expr *, count);
    plan->call.constraints = BR_ALLOC(binder->arena, br_call_constraint, count);
    BR_NEED(plan->call.arguments, err);
    BR_NEED(plan->call.constraints, err);
    for (uint32_t i = 0; i < count; i++)
        plan->call.constraints[i] = call->arguments[i].constraint;
    return BR_OK;
}

static br_status fill_column(br_binder *binder, const br_table_call *call, uint32_t index,
                             br_scope_column *out, br_error *err)
{
    const br_table_function *function = call->function;
    const br_table_function_column *from = &function->columns[index];
    bool is_rowid = index == function->column_count;
    bool is_json = index == 1 && (br_name_equal(function->name, "json_each") ||
                                  br_name_equal(function->name, "json_tree"));
    br_affinity affinity = from->affinity == BR_AFFINITY_NONE ? BR_AFFINITY_BLOB : from->affinity;
    br_collation collation = BR_COLLATION_BINARY;
    if (from->collation != NULL) {
        br_status status = br_parse_collation(binder, from->collation, &collation, err);
        if (status != BR_OK && status != BR_SQL) return status;
        if (status != BR_OK) out->unknown_collation = from->collation;
    }
    out->name = from->name;
    out->base_type = br_type_of_mask(from->class_mask);
    out->is_hidden = from->is_hidden;
    out->is_search = from->is_hidden && br_name_equal(from->name, call->source->name);
    out->is_unset = from->is_hidden && !is_rowid && !br_call_has_argument(call, index);
    out->has_collation = !is_rowid;
    out->column = (br_plan_column){.id = binder->next_id++,
                                   .name = from->name,
                                   .type = br_type_of_mask(from->class_mask),
                                   .affinity = is_rowid ? BR_AFFINITY_INTEGER : affinity,
                                   .collation = collation,
                                   .json = is_json ? BR_JSON_MAYBE : BR_JSON_NOT};
    return BR_OK;
}

// Arguments that are not given: a native function has no column for them, so that who names one is
// left to SQLite; SQLite's own tables have one.
static br_status fill_item(br_binder *binder, br_table_call *call, br_error *err)
{
    const br_table_function *function = call->function;
    br_scope_item *item = call->item;
    uint32_t visible = function->column_count - function->argument_max;
    bool is_source = function->kind == BR_TABLE_FUNCTION_SOURCE;
    item->column_count = is_source ? function->column_count : visible + call->argument_count;
    item->columns = BR_ALLOC(binder->arena, br_scope_column, item->column_count + 1);
    BR_NEED(item->columns, err);
    for (uint32_t i = 0; i < item->column_count; i++)
        BR_TRY(fill_column(binder, call, i, &item->columns[i], err));
    item->is_call = true;
    if (function->columns[function->column_count].name == NULL) return BR_OK;
    item->rowid = &item->columns[item->column_count];
    BR_TRY(fill_column(binder, call, function->column_count, item->rowid, err));
    return BR_OK;
}

static br_status make_outputs(br_binder *binder, br_table_call *call, br_error *err)
{
    const br_scope_item *item = call->item;
    br_plan *plan = call->plan;
    uint32_t count = item->column_count + (item->rowid != NULL ? 1 : 0);
    plan->columns = BR_ALLOC(binder->arena, br_plan_column, count);
    plan->call.outputs = BR_ALLOC(binder->arena, uint32_t, count);
    BR_NEED(plan->columns, err);
    BR_NEED(plan->call.outputs, err);
    plan->call.function = call->function;
    plan->call.output_count = count;
    for (uint32_t i = 0; i < count; i++) {
        plan->columns[i] = item->columns[i].column;
        plan->call.outputs[i] = i < item->column_count ? i : call->function->column_count;
    }
    plan->column_count = count;
    plan->left = br_plan_one_row(binder);
    BR_NEED(plan->left, err);
    return br_plan_call_columns(binder, plan)
               ? BR_OK
               : br_fail(err, BR_NOMEM, "no memory for the plan");
}

static br_status make_call(br_scope *scope, br_table_call *call, br_error *err)
{
    br_binder *binder = scope->binder;
    const br_ast_source *source = call->source;
    BR_TRY(check_call(scope, call, err));
    call->plan = br_plan_new(binder, BR_PLAN_CALL, 0);
    call->item = BR_ALLOC(binder->arena, br_scope_item, 1);
    BR_NEED(call->plan, err);
    BR_NEED(call->item, err);
    bool is_source = call->function->kind == BR_TABLE_FUNCTION_SOURCE;
    if (is_source) binder->query->reads_sources = true;
    call->item->name = source->alias != NULL ? source->alias : source->name;
    call->item->schema = is_source ? "main" : NULL;
    BR_TRY(br_call_arguments(scope, call, err));
    if (call->argument_count < call->function->argument_min)
        return br_fail_at(err, BR_SQL, source->offset,
                          "first argument to \"%s()\" missing or unusable", call->function->name);
    BR_TRY(make_arguments(binder, call, err));
    BR_TRY(fill_item(binder, call, err));
    return make_outputs(binder, call, err);
}

// ---- calls that wait ---------------------------------------------------------------------------

static bool has_to_wait(const br_scope *scope, const br_table_call *call)
{
    if (scope->late_call_count > 0 && call->argument_count > 0) return true;
    for (uint32_t i = 0; i < call->argument_count; i++)
        if (br_names_later(scope, call->arguments[i].ast)) return true;
    return false;
}

// One row without columns stands in its place.
static br_status wait(br_scope *scope, const br_table_call *call, br_plan **plan_out, br_error *err)
{
    const br_table_call **grown = br_grow(scope->binder->arena, scope->late_calls,
                                          scope->late_call_count, sizeof *grown);
    BR_NEED(grown, err);
    scope->late_calls = grown;
    grown[scope->late_call_count] = br_arena_copy(scope->binder->arena, call, sizeof *call);
    BR_NEED(grown[scope->late_call_count], err);
    scope->late_call_count++;
    *plan_out = br_plan_one_row(scope->binder);
    BR_NEED(*plan_out, err);
    return BR_OK;
}

static bool is_put_out(const br_plan *plan, const br_expr *expr)
{
    if (expr->kind == BR_EXPR_COLUMN && br_plan_find(plan, expr->column_id) == NULL) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!is_put_out(plan, expr->args[i])) return false;
    return true;
}

static bool can_be_called(const br_plan *left, const br_plan *call)
{
    for (uint32_t i = 0; i < call->call.argument_count; i++)
        if (!is_put_out(left, call->call.arguments[i])) return false;
    return true;
}

// The first that waits for nothing but what is there; NULL: they wait for each other.
static const br_table_call *next_call(const br_scope *scope, bool *is_done)
{
    for (uint32_t i = 0; i < scope->late_call_count; i++) {
        if (is_done[i] || !can_be_called(scope->plan, scope->late_calls[i]->plan)) continue;
        is_done[i] = true;
        return scope->late_calls[i];
    }
    return NULL;
}

br_status br_bind_late_calls(br_scope *scope, br_error *err)
{
    bool *is_done = BR_ALLOC(scope->binder->arena, bool, scope->late_call_count);
    BR_NEED(is_done, err);
    for (uint32_t i = 0; i < scope->late_call_count; i++)
        BR_TRY(bind_arguments(scope, scope->late_calls[i], err));
    for (uint32_t i = 0; i < scope->late_call_count; i++) {
        const br_table_call *call = next_call(scope, is_done);
        if (call == NULL)
            return br_fail(err, BR_UNSUPPORTED, "table-valued functions over each other's columns");
        call->plan->call.is_lateral = true;
        BR_TRY(br_call_join(scope->binder, scope->plan, call->plan, err));
        scope->plan = call->plan;
    }
    return BR_OK;
}

br_status br_bind_table_function(br_scope *scope, const br_ast_source *source, br_plan **plan_out,
                                 br_scope_item **item_out, br_error *err)
{
    br_table_call call = {.source = source};
    *plan_out = NULL;
    BR_TRY(br_check_place(scope->binder, source, err));
    BR_TRY(find_call(scope, &call, err));
    if (call.function == NULL && source->kind == BR_AST_SOURCE_TABLE) return BR_OK;
    BR_TRY(make_call(scope, &call, err));
    *plan_out = call.plan;
    *item_out = call.item;
    if (has_to_wait(scope, &call)) return wait(scope, &call, plan_out, err);
    return bind_arguments(scope, &call, err);
}

br_status br_call_join(br_binder *binder, br_plan *left, br_plan *call, br_error *err)
{
    br_assert(call->kind == BR_PLAN_CALL && call->call.is_lateral);
    if (!can_be_called(left, call))
        return br_fail(err, BR_UNSUPPORTED, "%s() over columns outside of its join",
                       call->call.function->name);
    call->left = left;
    return br_plan_call_columns(binder, call)
               ? BR_OK
               : br_fail(err, BR_NOMEM, "no memory for the plan");
}
