// Compound SELECTs: UNION, UNION ALL, INTERSECT, EXCEPT, and VALUES of several rows.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

static const char *compound_name(br_ast_compound compound)
{
    static const char *const names[] = {"UNION ALL", "UNION", "INTERSECT", "EXCEPT"};
    return names[compound];
}

static br_set_kind set_kind(br_ast_compound compound)
{
    static const br_set_kind kinds[] = {BR_SET_UNION_ALL, BR_SET_UNION, BR_SET_INTERSECT,
                                        BR_SET_EXCEPT};
    return kinds[compound];
}

// ---- VALUES ----------------------------------------------------------------------------------

static br_status bind_value_row(br_scope *scope, const br_ast_core *core, uint32_t row,
                                br_plan *plan, br_error *err)
{
    br_expr **out = BR_ALLOC(scope->binder->arena, br_expr *, core->result_count);
    BR_NEED(out, err);
    for (uint32_t i = 0; i < core->result_count; i++) {
        br_bound bound;
        BR_TRY(br_bind_expression(scope, core->rows[row][i], &bound, err));
        out[i] = bound.expr;
        if (row == 0) {
            const char *name = br_arena_format(scope->binder->arena, "column%u", i + 1);
            BR_NEED(name, err);
            plan->columns[i] = br_column_of(scope->binder, name, &bound);
        }
        plan->columns[i].type = br_type_union(plan->columns[i].type, bound.expr->type);
    }
    plan->values.rows[row] = out;
    return BR_OK;
}

// Rows with joins in them are PROJECTs over those, one behind the other.
static br_status rows_as_set(br_scope *scope, const br_plan *values, br_attach_list *joins,
                             br_plan **plan_out, br_error *err)
{
    br_binder *binder = scope->binder;
    br_plan *set = NULL;
    for (uint32_t row = 0; row < values->values.row_count; row++) {
        scope->plan = br_plan_one_row(binder);
        BR_NEED(scope->plan, err);
        BR_TRY(br_scope_attach(scope, &joins[row], err));
        br_plan *project = br_plan_new(binder, BR_PLAN_PROJECT, values->column_count);
        BR_NEED(project, err);
        project->left = scope->plan;
        project->project.expressions = values->values.rows[row];
        for (uint32_t i = 0; i < values->column_count; i++) {
            project->columns[i] = values->columns[i];
            project->columns[i].id = binder->next_id++;
        }
        set = set == NULL ? project : br_plan_union_all(binder, set, project);
        BR_NEED(set, err);
    }
    *plan_out = set;
    return BR_OK;
}

static br_status bind_values(br_scope *scope, const br_ast_core *core, br_plan **plan_out,
                             br_error *err)
{
    bool has_joins = false;
    br_plan *plan = br_plan_new(scope->binder, BR_PLAN_VALUES, core->result_count);
    br_attach_list *joins = BR_ALLOC(scope->binder->arena, br_attach_list, core->row_count);
    BR_NEED(plan, err);
    BR_NEED(joins, err);
    plan->values.row_count = core->row_count;
    plan->values.rows = BR_ALLOC(scope->binder->arena, br_expr **, core->row_count);
    BR_NEED(plan->values.rows, err);
    for (uint32_t row = 0; row < core->row_count; row++) {
        scope->attach = &joins[row];
        BR_TRY(bind_value_row(scope, core, row, plan, err));
        has_joins = has_joins || joins[row].count > 0;
    }
    scope->attach = NULL;
    *plan_out = plan;
    return has_joins ? rows_as_set(scope, plan, joins, plan_out, err) : BR_OK;
}

// ---- arms ------------------------------------------------------------------------------------

static br_status bind_arm(br_scope *scope, const br_ast_core *core, br_name_style style,
                          br_plan **plan_out, br_error *err)
{
    if (core->is_values && core->row_count > 1) return bind_values(scope, core, plan_out, err);
    return br_bind_core(scope, core, NULL, style, plan_out, err);
}

br_status br_arms_init(br_binder *binder, uint32_t count, br_arms *arms, br_error *err)
{
    arms->count = count;
    arms->scopes = BR_ALLOC(binder->arena, br_scope, count);
    arms->plans = BR_ALLOC(binder->arena, br_plan *, count);
    BR_NEED(arms->scopes, err);
    BR_NEED(arms->plans, err);
    return BR_OK;
}

br_status br_arm_bind(br_binder *binder, br_scope *outer, const br_ast_select *select,
                      br_name_style style, uint32_t index, br_arms *arms, br_error *err)
{
    arms->scopes[index] = (br_scope){.binder = binder, .outer = outer};
    BR_TRY(bind_arm(&arms->scopes[index], &select->cores[index], style, &arms->plans[index], err));
    if (arms->plans[index]->column_count == arms->plans[0]->column_count) return BR_OK;
    return br_fail(err, BR_SQL,
                   "SELECTs to the left and right of %s do not have the same number of result "
                   "columns", compound_name(select->compounds[index - 1]));
}

br_collation br_arms_collation(const br_arms *arms, uint32_t first, uint32_t last, uint32_t column)
{
    for (uint32_t i = first; i <= last; i++) {
        const br_collation_source *sources = arms->scopes[i].sources;
        if (sources != NULL && sources[column] != BR_COLLATED_NOT)
            return arms->plans[i]->columns[column].collation;
    }
    return BR_COLLATION_BINARY;
}

static br_status combine_two(br_binder *binder, const br_arms *arms, uint32_t index,
                             br_set_kind kind, br_plan **plan, br_error *err)
{
    br_plan *right = arms->plans[index], *left = *plan;
    br_plan *set = br_plan_over(binder, BR_PLAN_SET, left);
    BR_NEED(set, err);
    set->right = right;
    set->set.set = kind;
    for (uint32_t k = 0; k < set->column_count; k++) {
        set->columns[k].id = binder->next_id++;
        set->columns[k].collation = br_arms_collation(arms, 0, index, k);
        bool left_only = kind >= BR_SET_INTERSECT;
        if (!left_only)
            set->columns[k].type = br_type_union(left->columns[k].type, right->columns[k].type);
    }
    *plan = set;
    return BR_OK;
}

br_status br_arms_combine(br_binder *binder, const br_ast_select *select, const br_arms *arms,
                          uint32_t end, br_plan **plan_out, br_error *err)
{
    *plan_out = arms->plans[0];
    for (uint32_t i = 1; i < end; i++)
        BR_TRY(combine_two(binder, arms, i, set_kind(select->compounds[i - 1]), plan_out, err));
    return BR_OK;
}

br_status br_arms_append(br_binder *binder, const br_arms *arms, uint32_t first,
                         br_plan **plan_out, br_error *err)
{
    *plan_out = arms->plans[first];
    for (uint32_t i = first + 1; i < arms->count; i++)
        BR_TRY(combine_two(binder, arms, i, BR_SET_UNION_ALL, plan_out, err));
    return BR_OK;
}

// ---- ORDER BY --------------------------------------------------------------------------------

// An expression that cannot be bound in this arm just does not match it.
static br_status order_by_arm(br_scope *scope, const br_plan *plan, const br_ast *ast,
                              int32_t *column_out, br_error *err)
{
    br_bound bound, result;
    const br_ast *inner = br_ast_skip_collate(ast);
    *column_out = -1;
    scope->aliases_visible = false;
    scope->windows_allowed = true;
    br_status status = br_bind_expression(scope, inner, &bound, err);
    if (status != BR_OK) return status == BR_NOMEM ? status : BR_OK;
    for (uint32_t i = 0; i < scope->result_count && i < plan->column_count; i++) {
        BR_TRY(br_bind_result(scope, &scope->results[i], &result, err));
        if (!br_expr_equal(bound.expr, result.expr)) continue;
        *column_out = (int32_t)i;
        return BR_OK;
    }
    return BR_OK;
}

// A term names an alias, an ordinal or an expression of some arm, the left-most one first.
static br_status match_term(br_arms *arms, const br_ast *ast, uint32_t term,
                            int32_t *column_out, br_error *err)
{
    for (uint32_t i = 0; i < arms->count; i++) {
        br_scope *scope = &arms->scopes[i];
        uint32_t known = scope->result_count;
        if (known == 0) {  // VALUES: only ordinals
            scope->result_count = arms->plans[i]->column_count;
            scope->results = BR_ALLOC(scope->binder->arena, br_result_item, scope->result_count);
            BR_NEED(scope->results, err);
        }
        BR_TRY(br_order_match(scope, ast, "ORDER", term, column_out, err));
        if (*column_out >= 0) return BR_OK;
        if (known > 0) BR_TRY(order_by_arm(scope, arms->plans[i], ast, column_out, err));
        if (known == 0) scope->result_count = 0;
        if (*column_out >= 0) return BR_OK;
    }
    static const char *const suffixes[] = {"th", "st", "nd", "rd"};
    uint32_t n = term + 1, last = n % 10;
    bool teens = n % 100 >= 11 && n % 100 <= 13;
    return br_fail(err, BR_SQL, "%u%s ORDER BY term does not match any column in the result set", n,
                   suffixes[teens || last > 3 ? 0 : last]);
}

br_status br_arms_order(br_binder *binder, const br_ast_select *select, br_arms *arms,
                        const br_plan *plan, br_sort_key **keys_out, uint32_t **columns_out,
                        br_error *err)
{
    br_sort_key *keys = BR_ALLOC(binder->arena, br_sort_key, select->order_count);
    uint32_t *columns = BR_ALLOC(binder->arena, uint32_t, select->order_count);
    BR_NEED(keys, err);
    BR_NEED(columns, err);
    for (uint32_t i = 0; i < select->order_count; i++) {
        const br_ast_order *order = &select->order_by[i];
        int32_t column;
        BR_TRY(match_term(arms, order->expression, i, &column, err));
        columns[i] = (uint32_t)column;
        br_sort_key *key = &keys[i];
        key->descending = order->descending;
        key->nulls_last = order->nulls == 0 ? order->descending : order->nulls > 0;
        key->collation = plan->columns[column].collation;
        if (order->expression->kind == BR_AST_COLLATE)
            BR_TRY(br_parse_collation(binder, order->expression->name, &key->collation, err));
    }
    *keys_out = keys;
    *columns_out = columns;
    return BR_OK;
}

static br_status order_compound(br_binder *binder, const br_ast_select *select, br_arms *arms,
                                br_plan **plan, br_error *err)
{
    uint32_t *columns;
    br_plan *sort = br_plan_over(binder, BR_PLAN_SORT, *plan);
    BR_NEED(sort, err);
    sort->sort.key_count = select->order_count;
    BR_TRY(br_arms_order(binder, select, arms, *plan, &sort->sort.keys, &columns, err));
    for (uint32_t i = 0; i < select->order_count; i++) {
        sort->sort.keys[i].expression =
            br_expr_column(binder->arena, &(*plan)->columns[columns[i]]);
        BR_NEED(sort->sort.keys[i].expression, err);
    }
    *plan = sort;
    return BR_OK;
}

br_status br_bind_compound(br_binder *binder, br_scope *outer, const br_ast_select *select,
                           br_name_style style, br_plan **plan_out, bool *escapes_out,
                           br_error *err)
{
    br_arms arms;
    br_plan *plan = NULL;
    br_expr *count, *offset;
    BR_TRY(br_arms_init(binder, select->core_count, &arms, err));
    for (uint32_t i = 0; i < arms.count; i++) {
        BR_TRY(br_arm_bind(binder, outer, select, style, i, &arms, err));
        *escapes_out = *escapes_out || arms.scopes[i].escapes;
    }
    BR_TRY(br_arms_combine(binder, select, &arms, arms.count, &plan, err));
    BR_TRY(br_expand_order_all(binder, &select, plan->column_count, err));
    if (select->order_count > 0) BR_TRY(order_compound(binder, select, &arms, &plan, err));
    BR_TRY(br_bind_limit(binder, select, &count, &offset, err));
    if (count != NULL || offset != NULL) {
        if (plan->kind == BR_PLAN_SORT) {
            plan->sort.limit = count;
            plan->sort.offset = offset;
        } else {
            plan = br_plan_limit(binder, plan, count, offset);
            BR_NEED(plan, err);
        }
    }
    *plan_out = plan;
    return BR_OK;
}
