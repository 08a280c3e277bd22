// Table-valued functions in FROM. Arguments may name columns of what stands before the function.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

static br_status check_call(const br_scope *scope, const br_ast_source *source,
                            const br_table_function *function, br_error *err)
{
    const br_sql_catalog *catalog = scope->binder->catalog;
    if (function == NULL || source->schema != NULL)
        return br_fail(err, BR_UNSUPPORTED, "table-valued function %s() is not native",
                       source->name);
    if (catalog->find_table(catalog->context, NULL, source->name) != NULL)
        return br_fail_at(err, BR_SQL, source->offset, "'%s' is not a function", source->name);
    if (source->arg_count > function->argument_max)
        return br_fail_at(err, BR_SQL, source->offset, "too many arguments on %s() - max %u",
                          function->name, function->argument_max);
    if (source->arg_count < function->argument_min)
        return br_fail_at(err, BR_SQL, source->offset,
                          "first argument to \"%s()\" missing or unusable", function->name);
    return BR_OK;
}

static br_status bind_arguments(br_scope *scope, const br_ast_source *source, br_plan *plan,
                                br_error *err)
{
    plan->call.argument_count = source->arg_count;
    plan->call.arguments = BR_ALLOC(scope->binder->arena, br_expr *, source->arg_count);
    BR_NEED(plan->call.arguments, err);
    br_attach_list *attach = scope->attach;
    scope->attach = NULL;
    br_status status = BR_OK;
    for (uint32_t i = 0; i < source->arg_count && status == BR_OK; i++) {
        br_bound bound = {0};
        status = br_bind_expression(scope, source->args[i], &bound, err);
        plan->call.arguments[i] = bound.expr;
    }
    scope->attach = attach;
    return status;
}

// Arguments that are not given have no column here: who names it is left to SQLite.
static br_status fill_item(br_binder *binder, const br_table_function *function,
                           uint32_t argument_count, br_scope_item *item, br_error *err)
{
    uint32_t visible = function->column_count - function->argument_max;
    item->column_count = visible + argument_count;
    item->columns = BR_ALLOC(binder->arena, br_scope_column, item->column_count + 1);
    BR_NEED(item->columns, err);
    for (uint32_t i = 0; i <= item->column_count; i++) {
        uint32_t index = i < item->column_count ? i : function->column_count;
        const br_table_function_column *from = &function->columns[index];
        bool is_json = function->kind == BR_TABLE_FUNCTION_SQLITE && index == 1;
        item->columns[i] = (br_scope_column){
            .name = from->name,
            .base_type = br_type_of_mask(from->class_mask),
            .is_hidden = from->is_hidden,
            .has_collation = true,
            .column = {.id = binder->next_id++,
                       .name = from->name,
                       .type = br_type_of_mask(from->class_mask),
                       .affinity = BR_AFFINITY_BLOB,
                       .json = is_json ? BR_JSON_MAYBE : BR_JSON_NOT},
        };
    }
    item->rowid = &item->columns[item->column_count];
    item->rowid->has_collation = false;
    item->rowid->column.affinity = BR_AFFINITY_INTEGER;
    return BR_OK;
}

static br_status make_outputs(br_binder *binder, const br_table_function *function,
                              const br_scope_item *item, br_plan *plan, br_error *err)
{
    uint32_t count = item->column_count + 1;
    plan->columns = BR_ALLOC(binder->arena, br_plan_column, count);
    plan->call.outputs = BR_ALLOC(binder->arena, uint32_t, count);
    BR_NEED(plan->columns, err);
    BR_NEED(plan->call.outputs, err);
    plan->call.function = function;
    plan->call.output_count = count;
    for (uint32_t i = 0; i < count; i++) {
        plan->columns[i] = item->columns[i].column;
        plan->call.outputs[i] = i < item->column_count ? i : function->column_count;
    }
    plan->column_count = count;
    plan->left = br_plan_one_row(binder);
    BR_NEED(plan->left, err);
    return br_plan_call_columns(binder, plan)
               ? BR_OK
               : br_fail(err, BR_NOMEM, "no memory for the plan");
}

br_status br_bind_table_function(br_scope *scope, const br_ast_source *source, br_plan **plan_out,
                                 br_scope_item **item_out, br_error *err)
{
    br_binder *binder = scope->binder;
    const br_table_function *function = br_table_function_find(source->name);
    BR_TRY(check_call(scope, source, function, err));
    br_plan *plan = br_plan_new(binder, BR_PLAN_CALL, 0);
    br_scope_item *item = BR_ALLOC(binder->arena, br_scope_item, 1);
    BR_NEED(plan, err);
    BR_NEED(item, err);
    uint32_t references = scope->own_references;
    BR_TRY(bind_arguments(scope, source, plan, err));
    plan->call.is_lateral = scope->own_references > references;
    binder->has_dependent = binder->has_dependent || plan->call.is_lateral;
    item->name = source->alias != NULL ? source->alias : source->name;
    BR_TRY(fill_item(binder, function, source->arg_count, item, err));
    BR_TRY(make_outputs(binder, function, item, plan, err));
    *plan_out = plan;
    *item_out = item;
    return BR_OK;
}

static bool is_put_out(const br_plan *plan, const br_expr *expr)
{
    if (expr->kind == BR_EXPR_COLUMN && br_plan_find(plan, expr->column_id) == NULL) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!is_put_out(plan, expr->args[i])) return false;
    return true;
}

br_status br_call_join(br_binder *binder, br_plan *left, br_plan *call, br_error *err)
{
    br_assert(call->kind == BR_PLAN_CALL && call->call.is_lateral);
    for (uint32_t i = 0; i < call->call.argument_count; i++) {
        if (!is_put_out(left, call->call.arguments[i]))
            return br_fail(err, BR_UNSUPPORTED, "%s() over columns outside of its join",
                           call->call.function->name);
    }
    call->left = left;
    return br_plan_call_columns(binder, call)
               ? BR_OK
               : br_fail(err, BR_NOMEM, "no memory for the plan");
}
