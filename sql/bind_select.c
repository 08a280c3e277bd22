// One SELECT: its parts in the order in which they can be bound, then the plan on top.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

typedef struct select_parts {
    const br_ast_core *core;
    const br_ast_select *select;  // ORDER BY and LIMIT; NULL in an arm of a compound
    br_name_style style;
    br_bound *results;
    uint32_t order_count;
    br_order_term *order;
    br_expr *having, *qualify;
    br_attach_list above, below;  // joins above and below the AGGREGATE node
} select_parts;

// ---- result list -----------------------------------------------------------------------------

static br_status add_result(br_scope *scope, br_result_item item, br_error *err)
{
    br_result_item *grown =
        br_grow(scope->binder->arena, scope->results, scope->result_count, sizeof *grown);
    BR_NEED(grown, err);
    scope->results = grown;
    if (scope->result_count == BR_BIND_COLUMNS_MAX)
        return br_fail(err, BR_SQL, "too many columns in result set");
    grown[scope->result_count++] = item;
    return BR_OK;
}

static bool name_in_using(const br_scope_item *item, const char *name)
{
    for (uint32_t i = 0; item->is_using && i < item->using_count; i++) {
        if (br_name_equal(item->using_columns[i], name)) return true;
    }
    return false;
}

// A column that RIGHT or FULL JOIN ... USING merges is looked up by name, like `name` alone.
static bool is_merged(const br_scope *scope, uint32_t item, const char *name)
{
    for (uint32_t i = item + 1; scope->has_right_join && i < scope->item_count; i++) {
        if (name_in_using(scope->items[i], name)) return true;
    }
    return false;
}

static br_status expand_column(br_scope *scope, uint32_t index, br_scope_column *column,
                               const br_ast *star, br_error *err)
{
    br_result_item result = {.column = column, .item = scope->items[index], .alias = column->name};
    if (star->table == NULL && is_merged(scope, index, column->name)) {
        br_ast *name = BR_ALLOC(scope->binder->arena, br_ast, 1);
        BR_NEED(name, err);
        name->kind = BR_AST_NAME;
        name->name = column->name;
        name->offset = star->offset;
        name->end = star->end;
        result.ast = name;
    }
    return add_result(scope, result, err);
}

static br_status expand_star(br_scope *scope, const br_ast *star, br_error *err)
{
    bool found = false;
    if (star->table == NULL && scope->has_inner_using)
        return br_fail(err, BR_UNSUPPORTED, "* over a join in parentheses with USING");
    for (uint32_t i = 0; i < scope->item_count; i++) {
        br_scope_item *item = scope->items[i];
        if (star->table != NULL && !br_name_equal(star->table, item->name)) continue;
        found = true;
        for (uint32_t k = 0; k < item->column_count; k++) {
            br_scope_column *column = &item->columns[k];
            if (column->is_hidden) continue;
            if (star->table == NULL && name_in_using(item, column->name)) continue;
            BR_TRY(expand_column(scope, i, column, star, err));
        }
    }
    if (found) return BR_OK;
    if (star->table != NULL) return br_fail(err, BR_SQL, "no such table: %s", star->table);
    return br_fail(err, BR_SQL, "no tables specified");
}

static br_status expand_results(br_scope *scope, const br_ast_core *core, br_error *err)
{
    for (uint32_t i = 0; i < core->result_count; i++) {
        const br_ast *ast = core->is_values ? core->rows[0][i] : core->results[i].expression;
        const char *alias = core->is_values ? NULL : core->results[i].alias;
        if (ast->kind == BR_AST_STAR) {
            BR_TRY(expand_star(scope, ast, err));
        } else {
            BR_TRY(add_result(scope, (br_result_item){.ast = ast, .alias = alias}, err));
        }
    }
    return BR_OK;
}

// ---- names of result columns -----------------------------------------------------------------

static const char *declared_name(const br_scope *scope, uint32_t column_id)
{
    for (; scope != NULL; scope = scope->outer) {
        for (uint32_t i = 0; i < scope->item_count; i++) {
            const br_scope_item *item = scope->items[i];
            for (uint32_t k = 0; k < item->column_count; k++) {
                if (item->columns[k].column.id == column_id) return item->columns[k].name;
            }
            if (item->rowid != NULL && item->rowid->column.id == column_id) return "rowid";
        }
    }
    return NULL;
}

// `column_id` is of the bound expression before lifting when that is a plain column, else 0.
static const char *plain_name(const br_scope *scope, const br_ast *ast, br_name_style style,
                              uint32_t column_id)
{
    if (style != BR_NAMES_RESULT) ast = br_ast_skip_collate(ast);
    if (ast->kind != BR_AST_NAME) return NULL;
    if (style == BR_NAMES_TABLE) return ast->name;
    return column_id == 0 ? NULL : declared_name(scope, column_id);
}

static const char *result_name(const br_scope *scope, const select_parts *parts, uint32_t index,
                               uint32_t column_id)
{
    const br_result_item *item = &scope->results[index];
    if (item->alias != NULL) return item->alias;
    const char *name = plain_name(scope, item->ast, parts->style, column_id);
    if (name != NULL) return name;
    if (parts->core->is_values) return br_arena_format(scope->binder->arena, "column%u", index + 1);
    return br_bind_span(scope->binder, item->ast);
}

static bool is_taken(const br_plan_column *columns, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (br_name_equal(columns[i].name, name)) return true;
    }
    return false;
}

// Columns of a subquery are told apart as SQLite does it: a, a:1, a:2.
static const char *unique_name(br_scope *scope, const br_plan_column *columns, uint32_t count,
                               const char *name)
{
    if (br_name_equal(name, "true") || br_name_equal(name, "false"))
        name = br_arena_format(scope->binder->arena, "column%u", count + 1);
    for (uint32_t n = 1; name != NULL && is_taken(columns, count, name); n++) {
        size_t size = strlen(name), end = size;
        for (size_t i = size; i-- > 1;) {
            if (name[i] >= '0' && name[i] <= '9') continue;
            if (name[i] == ':') end = i;
            break;
        }
        name = br_arena_format(scope->binder->arena, "%.*s:%u", (int)end, name, n);
    }
    return name;
}

// ---- parts -----------------------------------------------------------------------------------

static bool has_aggregate(const br_scope *scope)
{
    for (uint32_t i = 0; i < scope->result_count; i++) {
        if (scope->results[i].ast != NULL && br_ast_has_aggregate(scope, scope->results[i].ast))
            return true;
    }
    return false;
}

static br_status bind_results(br_scope *scope, select_parts *parts, br_error *err)
{
    parts->results = BR_ALLOC(scope->binder->arena, br_bound, scope->result_count);
    BR_NEED(parts->results, err);
    scope->aggregates_allowed = scope->windows_allowed = true;
    for (uint32_t i = 0; i < scope->result_count; i++)
        BR_TRY(br_bind_result(scope, &scope->results[i], &parts->results[i], err));
    scope->aggregates_allowed = scope->is_aggregate;
    scope->windows_allowed = false;
    return BR_OK;
}

static br_status bind_having(br_scope *scope, select_parts *parts, const br_ast *ast,
                             br_error *err)
{
    if (ast->kind == BR_AST_BINARY && ast->operator_ == BR_AST_OP_AND) {
        BR_TRY(bind_having(scope, parts, ast->args[0], err));
        return bind_having(scope, parts, ast->args[1], err);
    }
    br_expr *filter;
    BR_TRY(br_bind_condition(scope, ast, &parts->above, &filter, err));
    if (filter == NULL) return BR_OK;
    parts->having = br_expr_and(scope->binder->arena, parts->having, filter);
    BR_NEED(parts->having, err);
    return BR_OK;
}

// Keys are computed below the AGGREGATE node; their joins go there at once.
static br_status bind_key(br_scope *scope, const br_ast *ast, uint32_t index, br_error *err)
{
    br_attach_list joins = {0};
    br_bound key;
    int32_t column;
    BR_TRY(br_order_match(scope, ast, "GROUP", index, &column, err));
    const br_ast *source = column < 0 ? ast : scope->results[column].ast;
    if (source != NULL && br_ast_has_aggregate(scope, source))
        return br_fail(err, BR_SQL, "aggregate functions are not allowed in the GROUP BY clause");
    br_attach_list *attach = scope->attach;
    scope->attach = &joins;
    scope->aggregates_allowed = false;
    br_status status = column < 0 ? br_bind_expression(scope, ast, &key, err)
                                  : br_bind_result(scope, &scope->results[column], &key, err);
    scope->aggregates_allowed = true;
    scope->attach = attach;
    BR_TRY(status);
    if (ast->kind == BR_AST_COLLATE)
        BR_TRY(br_parse_collation(scope->binder, ast->name, &key.collation, err));
    if (ast->kind == BR_AST_COLLATE) key.source = BR_COLLATED_EXPLICIT;
    scope->keys[index] = key.expr;
    scope->key_columns[index] = br_column_of(scope->binder, "", &key);
    scope->key_columns[index].json = br_expr_json(key.expr);
    return br_scope_attach(scope, &joins, err);
}

static br_status bind_group(br_scope *scope, const br_ast_core *core, br_error *err)
{
    br_ast **keys = core->group_by;
    uint32_t count = core->group_count;
    bool has_sets = br_has_grouping_sets(core);
    if (has_sets) BR_TRY(br_expand_grouping(scope, core, &keys, &count, err));
    scope->keys = BR_ALLOC(scope->binder->arena, br_expr *, count);
    scope->key_columns = BR_ALLOC(scope->binder->arena, br_plan_column, count);
    BR_NEED(scope->keys, err);
    BR_NEED(scope->key_columns, err);
    br_scope *outer = scope->outer;  // GROUP BY sees no outer query
    scope->outer = NULL;
    br_status status = BR_OK;
    for (uint32_t i = 0; i < count && status == BR_OK; i++)
        status = bind_key(scope, keys[i], i, err);
    scope->outer = outer;
    if (status == BR_OK) scope->key_count = count;
    if (status == BR_OK && has_sets) br_settle_grouping(scope);
    return status;
}

// Sees aliases, as in ORDER BY, and like that clause and the result list window functions.
static br_status bind_qualify(br_scope *scope, select_parts *parts, br_error *err)
{
    br_bound bound;
    scope->windows_allowed = true;
    br_status status = br_bind_expression(scope, parts->core->qualify, &bound, err);
    scope->windows_allowed = false;
    BR_TRY(status);
    parts->qualify = bound.expr;
    if (scope->window_count > 0) return BR_OK;
    return br_fail(err, BR_SQL, "QUALIFY clause on a query without window functions");
}

static br_status bind_clauses(br_scope *scope, select_parts *parts, br_error *err)
{
    const br_ast_core *core = parts->core;
    scope->attach = &parts->above;
    scope->attach_below = &parts->below;
    BR_TRY(bind_results(scope, parts, err));
    scope->aliases_visible = true;
    if (parts->order_count > 0) BR_TRY(br_bind_order(scope, parts->select, &parts->order, err));
    if (core->having != NULL) {
        if (!scope->is_aggregate)
            return br_fail(err, BR_SQL, "HAVING clause on a non-aggregate query");
        BR_TRY(bind_having(scope, parts, core->having, err));
    }
    if (core->qualify != NULL) BR_TRY(bind_qualify(scope, parts, err));
    scope->aggregates_allowed = false;
    bool nulls_when_empty = scope->nulls_when_empty;
    scope->nulls_when_empty = false;
    if (core->where != NULL) BR_TRY(br_bind_where(scope, core->where, err));
    BR_TRY(br_scope_attach(scope, &parts->below, err));
    if (core->group_count > 0) BR_TRY(bind_group(scope, core, err));
    scope->nulls_when_empty = nulls_when_empty;
    return BR_OK;
}

static br_status lift_all(br_scope *scope, select_parts *parts, br_error *err)
{
    for (uint32_t i = 0; i < scope->result_count; i++)
        BR_TRY(br_lift(scope, &parts->results[i].expr, err));
    for (uint32_t i = 0; i < parts->order_count; i++) {
        if (parts->order[i].column < 0)
            BR_TRY(br_lift(scope, &parts->order[i].bound.expr, err));
    }
    if (parts->having != NULL) BR_TRY(br_lift(scope, &parts->having, err));
    if (parts->qualify != NULL) BR_TRY(br_lift(scope, &parts->qualify, err));
    for (uint32_t i = 0; i < scope->window_count; i++)
        BR_TRY(br_lift_node(scope, scope->windows[i], err));
    BR_TRY(br_lift_joins(scope, &parts->above, err));
    return br_bind_aggregate_node(scope, err);
}

// ---- the plan --------------------------------------------------------------------------------

static int32_t find_result(const select_parts *parts, uint32_t count, const br_expr *expr)
{
    for (uint32_t i = 0; i < count; i++) {
        if (br_expr_equal(parts->results[i].expr, expr)) return (int32_t)i;
    }
    return -1;
}

// ORDER BY terms that are no result columns become extra columns behind them.
static br_status project(br_scope *scope, select_parts *parts, const uint32_t *plain_ids,
                         br_plan **out, br_error *err)
{
    br_binder *binder = scope->binder;
    uint32_t count = scope->result_count;
    br_plan *plan = br_plan_new(binder, BR_PLAN_PROJECT, count + parts->order_count);
    BR_NEED(plan, err);
    plan->left = scope->plan;
    plan->project.expressions = BR_ALLOC(binder->arena, br_expr *, plan->column_count);
    BR_NEED(plan->project.expressions, err);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = result_name(scope, parts, i, plain_ids[i]);
        BR_NEED(name, err);
        if (parts->style != BR_NAMES_RESULT) name = unique_name(scope, plan->columns, i, name);
        BR_NEED(name, err);
        plan->columns[i] = br_column_of(binder, name, &parts->results[i]);
        plan->project.expressions[i] = parts->results[i].expr;
    }
    plan->column_count = count;
    for (uint32_t i = 0; i < parts->order_count; i++) {
        br_order_term *term = &parts->order[i];
        if (term->column >= 0) continue;
        if (br_expr_is_constant(term->bound.expr)) continue;
        term->column = find_result(parts, count, term->bound.expr);
        term->has_collation = true;
        term->collation = term->bound.source == BR_COLLATED_NOT ? BR_COLLATION_BINARY
                                                                : term->bound.collation;
        if (term->column >= 0) continue;
        term->column = (int32_t)plan->column_count;
        plan->columns[plan->column_count] = br_column_of(binder, "", &term->bound);
        plan->project.expressions[plan->column_count++] = term->bound.expr;
    }
    *out = plan;
    return BR_OK;
}

// DISTINCT keeps of each extra column the value of the first row.
static br_status distinct(br_scope *scope, br_plan **plan, br_error *err)
{
    br_binder *binder = scope->binder;
    uint32_t keys = scope->result_count, extra = (*plan)->column_count - keys;
    br_plan *result = br_plan_distinct(binder, *plan);
    BR_NEED(result, err);
    result->aggregate.key_count = keys;
    result->aggregate.aggregate_count = extra;
    result->aggregate.aggregates = BR_ALLOC(binder->arena, br_aggregate, extra);
    BR_NEED(result->aggregate.aggregates, err);
    for (uint32_t i = 0; i < extra; i++) {
        result->aggregate.aggregates[i] = (br_aggregate){
            .kind = BR_AGG_FIRST, .arg_count = 1, .args = {result->aggregate.keys[keys + i]}};
    }
    *plan = result;
    return BR_OK;
}

static br_status sort(br_scope *scope, const select_parts *parts, br_plan **plan, br_error *err)
{
    br_plan *sorted = br_plan_over(scope->binder, BR_PLAN_SORT, *plan);
    BR_NEED(sorted, err);
    sorted->sort.keys = BR_ALLOC(scope->binder->arena, br_sort_key, parts->order_count);
    BR_NEED(sorted->sort.keys, err);
    for (uint32_t i = 0; i < parts->order_count; i++) {
        const br_order_term *term = &parts->order[i];
        if (term->column < 0) continue;  // a constant orders nothing
        const br_plan_column *column = &(*plan)->columns[term->column];
        br_sort_key *key = &sorted->sort.keys[sorted->sort.key_count++];
        key->expression = br_expr_column(scope->binder->arena, column);
        BR_NEED(key->expression, err);
        key->descending = term->descending;
        key->nulls_last = term->nulls_last;
        key->collation = term->has_collation ? term->collation : column->collation;
    }
    if (sorted->sort.key_count > 0) *plan = sorted;
    return BR_OK;
}

static br_status limit(br_scope *scope, const select_parts *parts, br_plan **plan, br_error *err)
{
    br_expr *count, *offset;
    BR_TRY(br_bind_limit(scope->binder, parts->select, &count, &offset, err));
    if (count == NULL && offset == NULL) return BR_OK;
    if ((*plan)->kind == BR_PLAN_SORT) {
        (*plan)->sort.limit = count;
        (*plan)->sort.offset = offset;
        return BR_OK;
    }
    *plan = br_plan_limit(scope->binder, *plan, count, offset);
    BR_NEED(*plan, err);
    return BR_OK;
}

static br_status drop_extra(br_scope *scope, br_plan **plan, br_error *err)
{
    br_plan *result = br_plan_over(scope->binder, BR_PLAN_PROJECT, *plan);
    BR_NEED(result, err);
    result->column_count = scope->result_count;
    result->project.expressions = BR_ALLOC(scope->binder->arena, br_expr *, scope->result_count);
    BR_NEED(result->project.expressions, err);
    for (uint32_t i = 0; i < scope->result_count; i++) {
        result->project.expressions[i] =
            br_expr_column(scope->binder->arena, &(*plan)->columns[i]);
        BR_NEED(result->project.expressions[i], err);
        result->columns[i].id = scope->binder->next_id++;
    }
    *plan = result;
    return BR_OK;
}

// Which results are plain columns: known before lifting hides it.
static br_status note_plain(br_scope *scope, const select_parts *parts, uint32_t **out,
                            br_error *err)
{
    uint32_t *ids = BR_ALLOC(scope->binder->arena, uint32_t, scope->result_count);
    scope->sources = BR_ALLOC(scope->binder->arena, br_collation_source, scope->result_count);
    BR_NEED(ids, err);
    BR_NEED(scope->sources, err);
    for (uint32_t i = 0; i < scope->result_count; i++) {
        const br_expr *expr = parts->results[i].expr;
        if (expr->kind == BR_EXPR_COLUMN) ids[i] = expr->column_id;
        scope->sources[i] = parts->results[i].source;
    }
    *out = ids;
    return BR_OK;
}

static br_status build(br_scope *scope, select_parts *parts, br_plan **plan_out, br_error *err)
{
    uint32_t *plain_ids = NULL;
    br_plan *plan = NULL;
    BR_TRY(note_plain(scope, parts, &plain_ids, err));
    if (scope->is_aggregate) BR_TRY(lift_all(scope, parts, err));
    BR_TRY(br_scope_attach(scope, &parts->above, err));
    if (parts->having != NULL) {
        scope->plan = br_plan_filter(scope->binder, scope->plan, parts->having);
        BR_NEED(scope->plan, err);
    }
    BR_TRY(br_scope_add_windows(scope, err));
    if (parts->qualify != NULL) {
        scope->plan = br_plan_filter(scope->binder, scope->plan, parts->qualify);
        BR_NEED(scope->plan, err);
    }
    BR_TRY(project(scope, parts, plain_ids, &plan, err));
    bool has_extra = plan->column_count > scope->result_count;
    if (parts->core->distinct) BR_TRY(distinct(scope, &plan, err));
    if (parts->order_count > 0) BR_TRY(sort(scope, parts, &plan, err));
    if (parts->select != NULL) BR_TRY(limit(scope, parts, &plan, err));
    if (has_extra) BR_TRY(drop_extra(scope, &plan, err));
    *plan_out = plan;
    return BR_OK;
}

br_status br_bind_core(br_scope *scope, const br_ast_core *core, const br_ast_select *select,
                       br_name_style style, br_plan **plan_out, br_error *err)
{
    scope->core = core;
    BR_TRY(br_check_windows(core, err));
    BR_TRY(br_bind_from(scope, core->from, err));
    BR_TRY(expand_results(scope, core, err));
    if (select != NULL)
        BR_TRY(br_expand_order_all(scope->binder, &select, scope->result_count, err));
    select_parts parts = {.core = core, .select = select, .style = style};
    if (select != NULL) parts.order_count = select->order_count;
    scope->is_aggregate = core->group_count > 0 || has_aggregate(scope) ||
                          br_owns_aggregate(scope->binder, core);
    scope->nulls_when_empty =
        scope->is_aggregate && (core->group_count == 0 || br_has_grouping_sets(core));
    BR_TRY(bind_clauses(scope, &parts, err));
    br_status status = build(scope, &parts, plan_out, err);
    scope->binder->sources = scope->sources;
    scope->attach = scope->attach_below = NULL;
    return status;
}

// ---- WITH and the whole ----------------------------------------------------------------------

static br_status push_ctes(br_binder *binder, const br_ast_select *select, br_error *err)
{
    if (select->cte_count == 0) return BR_OK;
    br_cte_list *list = BR_ALLOC(binder->arena, br_cte_list, 1);
    BR_NEED(list, err);
    list->items = BR_ALLOC(binder->arena, br_cte, select->cte_count);
    BR_NEED(list->items, err);
    list->count = select->cte_count;
    list->outer = binder->ctes;
    for (uint32_t i = 0; i < list->count; i++) {
        list->items[i].ast = &select->ctes[i];
        list->items[i].list = list;
        for (uint32_t k = 0; k < i; k++) {
            if (br_name_equal(select->ctes[k].name, select->ctes[i].name))
                return br_fail(err, BR_SQL, "duplicate WITH table name: %s", select->ctes[i].name);
        }
    }
    binder->ctes = list;
    return BR_OK;
}

static br_status bind_body(br_binder *binder, br_scope *outer, const br_ast_select *select,
                           br_name_style style, br_plan **plan_out, bool *escapes_out,
                           br_error *err)
{
    br_cte *cte = binder->body;
    if (cte != NULL && cte->ast->select == select) {
        binder->body = NULL;
        return br_bind_recursive(binder, outer, cte, plan_out, escapes_out, err);
    }
    bool many_rows = select->core_count == 1 && select->cores[0].is_values &&
                     select->cores[0].row_count > 1;
    if (select->core_count > 1 || many_rows)
        return br_bind_compound(binder, outer, select, style, plan_out, escapes_out, err);
    br_scope scope = {.binder = binder, .outer = outer};
    BR_TRY(br_bind_core(&scope, &select->cores[0], select, style, plan_out, err));
    *escapes_out = scope.escapes;
    return BR_OK;
}

br_status br_bind_select(br_binder *binder, br_scope *outer, const br_ast_select *select,
                         br_name_style style, br_plan **plan_out, bool *escapes_out, br_error *err)
{
    br_cte_list *ctes = binder->ctes;
    if (++binder->depth > BR_BIND_DEPTH_MAX)
        return br_fail(err, BR_UNSUPPORTED, "SELECTs nested deeper than %d", BR_BIND_DEPTH_MAX);
    *escapes_out = false;
    br_status status = push_ctes(binder, select, err);
    if (status == BR_OK)
        status = bind_body(binder, outer, select, style, plan_out, escapes_out, err);
    binder->ctes = ctes;
    binder->depth--;
    binder->has_dependent = binder->has_dependent || *escapes_out;
    return status;
}
