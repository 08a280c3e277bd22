// Name resolution: columns of FROM, rowids, aliases of the result list, outer scopes.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

static bool is_rowid_name(const char *name)
{
    return br_name_equal(name, "rowid") || br_name_equal(name, "_rowid_") ||
           br_name_equal(name, "oid");
}

static bool item_is_named(const br_scope_item *item, const br_ast *name)
{
    if (name->table == NULL) return true;
    if (!br_name_equal(item->name, name->table)) return false;
    if (name->schema == NULL) return true;
    return item->schema != NULL && br_name_equal(item->schema, name->schema);
}

static br_scope_column *item_find(const br_scope_item *item, const char *name)
{
    for (uint32_t i = 0; i < item->column_count; i++) {
        if (br_name_equal(item->columns[i].name, name)) return &item->columns[i];
    }
    return NULL;
}

static bool item_uses(const br_scope_item *item, const char *name)
{
    for (uint32_t i = 0; item->is_using && i < item->using_count; i++) {
        if (br_name_equal(item->using_columns[i], name)) return true;
    }
    return false;
}

// The plan now rests on the classes and the range of this column.
static br_status column_note(br_scope *owner, const br_scope_item *item, br_scope_column *column,
                             br_error *err)
{
    br_query *query = owner->binder->query;
    column->is_noted = true;
    br_query_table *grown = br_grow(owner->binder->arena, query->assumptions,
                                    query->assumption_count, sizeof *grown);
    BR_NEED(grown, err);
    query->assumptions = grown;
    grown[query->assumption_count++] = (br_query_table){
        br_table_view_spec(item->table->view)->table_id, column->table_column, column->base_type};
    return BR_OK;
}

static const br_scope_item *item_of(const br_scope *owner, const br_scope_column *column)
{
    for (uint32_t i = 0; i < owner->item_count; i++) {
        const br_scope_item *item = owner->items[i];
        bool inside = column >= item->columns && column < item->columns + item->column_count;
        if (inside || column == item->rowid) return item;
    }
    return NULL;
}

br_status br_bind_column(br_scope *owner, br_scope_column *column, br_bound *out, br_error *err)
{
    const br_scope_item *item = item_of(owner, column);
    if (column->unknown_collation != NULL)
        return br_fail(err, BR_UNSUPPORTED, "column '%s' has collation '%s', which is not native",
                       column->name, column->unknown_collation);
    if (column->is_left_out)
        return br_fail(err, BR_UNSUPPORTED, "column '%s' is not mirrored", column->name);
    if (column->is_search)
        return br_fail(err, BR_UNSUPPORTED, "column '%s' of a virtual table is its search",
                       column->name);
    if (column->is_unset && (owner->conjunct != NULL || owner->is_from))
        return br_fail(err, BR_UNSUPPORTED, "condition on '%s', which is an argument",
                       column->name);
    if (!column->is_noted && item != NULL && item->table != NULL)
        BR_TRY(column_note(owner, item, column, err));
    owner->own_references++;
    br_expr *expr = br_expr_column(owner->binder->arena, &column->column);
    BR_NEED(expr, err);
    if (owner->nulls_when_empty && !owner->in_aggregate) expr->type.class_mask |= BR_MASK_NULL;
    *out = (br_bound){expr, column->column.collation,
                      column->has_collation ? BR_COLLATED_COLUMN : BR_COLLATED_NOT};
    return BR_OK;
}

// The columns a FULL JOIN makes one: the first that is not NULL.
static br_status coalesce(br_scope *scope, br_bound left, br_bound right, br_bound *out,
                          br_error *err)
{
    br_expr *expr = br_expr_new(scope->binder->arena, BR_EXPR_FUNCTION, 2);
    BR_NEED(expr, err);
    expr->function = BR_FN_COALESCE;
    expr->function_name = "coalesce";
    expr->args[0] = left.expr;
    expr->args[1] = right.expr;
    expr->type = br_function_type(BR_FN_COALESCE, "coalesce", expr->args, 2);
    *out = (br_bound){.expr = expr, .source = BR_COLLATED_NOT};
    return BR_OK;
}

static br_status find_rowid(br_scope *scope, const br_ast *name, br_bound *out,
                            uint32_t *matches_out, br_error *err)
{
    br_scope_item *found = NULL;
    uint32_t tables = 0;
    for (uint32_t i = 0; i < scope->item_count; i++) {
        br_scope_item *item = scope->items[i];
        if (!item_is_named(item, name)) continue;
        bool without_rowid =
            item->is_cte || ((item->table != NULL || item->is_call) && item->rowid == NULL);
        if (without_rowid) continue;
        tables++;
        found = item;
    }
    if (tables != 1) return BR_OK;
    if (found->rowid == NULL)
        return br_fail(err, BR_UNSUPPORTED, "rowid of the view or subquery '%s'", found->name);
    *matches_out = 1;
    return br_bind_column(scope, found->rowid, out, err);
}

br_status br_scope_find(br_scope *scope, const br_ast *name, br_bound *out, uint32_t *matches_out,
                        br_error *err)
{
    *matches_out = 0;
    for (uint32_t i = 0; i < scope->item_count; i++) {
        br_scope_item *item = scope->items[i];
        if (!item_is_named(item, name)) continue;
        br_scope_column *column = item_find(item, name->name);
        if (column == NULL) continue;
        if (*matches_out > 0) {
            if (!item_uses(item, name->name)) {
                *matches_out = 2;
                return BR_OK;
            }
            if (item->join == BR_AST_JOIN_FULL) {
                br_bound right, left = *out;
                BR_TRY(br_bind_column(scope, column, &right, err));
                BR_TRY(coalesce(scope, left, right, out, err));
                continue;
            }
            if (item->join != BR_AST_JOIN_RIGHT) continue;  // the left-most one counts
        }
        *matches_out = 1;
        BR_TRY(br_bind_column(scope, column, out, err));
    }
    if (*matches_out == 0 && is_rowid_name(name->name))
        return find_rowid(scope, name, out, matches_out, err);
    return BR_OK;
}

br_status br_bind_result(br_scope *scope, const br_result_item *item, br_bound *out,
                         br_error *err)
{
    if (item->ast != NULL) return br_bind_expression(scope, item->ast, out, err);
    return br_bind_column(scope, item->column, out, err);
}

static const br_result_item *find_alias(const br_scope *scope, const char *name)
{
    for (uint32_t i = 0; i < scope->result_count; i++) {
        const br_result_item *item = &scope->results[i];
        if (item->alias != NULL && br_name_equal(item->alias, name)) return item;
    }
    return NULL;
}

// An alias stands for its expression, bound again as in the result list: without aliases.
static br_status bind_alias(br_scope *scope, const br_result_item *item, const br_ast *name,
                            br_bound *out, br_error *err)
{
    bool has_aggregate = item->ast != NULL && br_ast_has_aggregate(scope, item->ast);
    if (item->ast != NULL && !scope->windows_allowed && br_ast_has_window(item->ast))
        return br_fail_at(err, BR_SQL, name->offset, "misuse of aliased window function %s",
                          item->alias);
    if (has_aggregate && (!scope->aggregates_allowed || scope->in_aggregate))
        return br_fail_at(err, BR_SQL, name->offset, "misuse of aliased aggregate %s", item->alias);
    if (item->ast != NULL && item->ast->kind == BR_AST_ROW)
        return br_fail_at(err, BR_SQL, name->offset, "row value misused");
    scope->aliases_visible = false;
    br_status status = br_bind_result(scope, item, out, err);
    scope->aliases_visible = true;
    return status;
}

static br_status find_in_scope(br_scope *scope, const br_ast *ast, br_bound *out,
                               uint32_t *matches_out, br_error *err)
{
    BR_TRY(br_scope_find(scope, ast, out, matches_out, err));
    if (*matches_out > 0 || ast->table != NULL || !scope->aliases_visible) return BR_OK;
    const br_result_item *alias = find_alias(scope, ast->name);
    if (alias == NULL) return BR_OK;
    *matches_out = 1;
    return bind_alias(scope, alias, ast, out, err);
}

static br_status name_error(const br_ast *ast, const char *what, br_error *err)
{
    if (ast->schema != NULL)
        return br_fail_at(err, BR_SQL, ast->offset, "%s: %s.%s.%s", what, ast->schema, ast->table,
                          ast->name);
    if (ast->table != NULL)
        return br_fail_at(err, BR_SQL, ast->offset, "%s: %s.%s", what, ast->table, ast->name);
    return br_fail_at(err, BR_SQL, ast->offset, "%s: %s", what, ast->name);
}

// No column: a "quoted" name is a string after all.
static br_status name_as_string(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    if (ast->quoted && ast->table == NULL) {
        br_text text = br_text_make(ast->name, (uint32_t)strlen(ast->name));
        br_expr *expr = br_expr_const(scope->binder->arena, br_value_text(text));
        BR_NEED(expr, err);
        expr->offset = ast->offset;
        *out = (br_bound){.expr = expr, .source = BR_COLLATED_NOT};
        return BR_OK;
    }
    for (const br_scope *s = scope; s != NULL; s = s->outer) {
        if (s->is_from)
            return br_fail(err, BR_UNSUPPORTED, "ON names '%s', which no table before it has",
                           ast->name);
    }
    return name_error(ast, "no such column", err);
}

br_status br_bind_name(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    uint32_t matches = 0;
    br_scope *owner = scope;
    for (; owner != NULL; owner = owner->outer) {
        bool windows_allowed = owner->windows_allowed;
        owner->windows_allowed = windows_allowed && owner == scope;
        br_status status = find_in_scope(owner, ast, out, &matches, err);
        owner->windows_allowed = windows_allowed;
        BR_TRY(status);
        if (matches > 0) break;
    }
    if (matches == 0) return name_as_string(scope, ast, out, err);
    if (matches > 1) return name_error(ast, "ambiguous column name", err);
    for (br_scope *inner = scope; inner != owner; inner = inner->outer) inner->escapes = true;
    out->expr->offset = ast->offset;
    return BR_OK;
}
