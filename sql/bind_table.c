// What FROM names: tables, views, WITH definitions and subqueries.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

// ---- tables ----------------------------------------------------------------------------------

// Bounds are rounded outwards to three significant bits, so that a growing column does not make
// every plan stale with each row.
static int64_t round_up(int64_t value)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (magnitude < 8) return value;
    uint64_t slack = ((uint64_t)1 << (61 - __builtin_clzll(magnitude))) - 1;
    return value < 0 ? (int64_t)(0 - (magnitude & ~slack)) : (int64_t)(magnitude | slack);
}

static int64_t round_down(int64_t value)
{
    return -1 - round_up(-1 - value);
}

static br_type type_of_stats(const br_zone_stats *stats)
{
    br_type type = br_type_of_mask(stats->class_mask);
    if ((stats->class_mask & BR_MASK_INT) == 0) return type;
    type.has_range = true;
    type.int_min = round_down(stats->int_min);
    type.int_max = round_up(stats->int_max);
    return type;
}

// Where the view keeps a column; false: it does not.
static bool find_stored(const br_table_spec *spec, const char *name, uint32_t hint,
                        uint32_t *index_out)
{
    if (hint < spec->column_count && br_name_equal(spec->column_names[hint], name)) {
        *index_out = hint;
        return true;
    }
    for (uint32_t i = 0; i < spec->column_count; i++) {
        if (!br_name_equal(spec->column_names[i], name)) continue;
        *index_out = i;
        return true;
    }
    return false;
}

static br_status fill_column(br_binder *binder, const br_sql_table *table, uint32_t index,
                             br_scope_column *out, br_error *err)
{
    const br_sql_column *column = &table->columns[index];
    const br_table_spec *spec = br_table_view_spec(table->view);
    uint32_t stored = spec->column_count;
    if (!column->is_rowid && !find_stored(spec, column->name, index, &stored))
        return br_fail(err, BR_UNSUPPORTED, "column '%s.%s' is not mirrored", table->name,
                       column->name);
    out->name = column->name;
    out->is_hidden = column->is_hidden;
    out->is_left_out = column->is_left_out;
    out->table_column = column->is_rowid ? BR_SCAN_KEY : stored;
    out->base_type = type_of_stats(br_table_view_stats(table->view, stored));
    out->has_collation = !column->is_rowid;
    br_collation collation = BR_COLLATION_BINARY;
    if (column->collation != NULL) {
        br_status status = br_parse_collation(binder, column->collation, &collation, err);
        if (status != BR_OK && status != BR_SQL) return status;
        if (status != BR_OK) out->unknown_collation = column->collation;
    }
    out->column = (br_plan_column){.id = binder->next_id++, .name = column->name,
                                   .type = out->base_type, .affinity = column->affinity,
                                   .collation = collation};
    return BR_OK;
}

static void fill_rowid(br_binder *binder, const br_sql_table *table, br_scope_column *out)
{
    uint32_t key = br_table_view_spec(table->view)->column_count;
    out->name = "rowid";
    out->table_column = BR_SCAN_KEY;
    out->base_type = type_of_stats(br_table_view_stats(table->view, key));
    out->column = (br_plan_column){.id = binder->next_id++, .name = "rowid",
                                   .type = out->base_type, .affinity = BR_AFFINITY_INTEGER};
}

static br_status make_scan(br_binder *binder, const br_scope_item *item, br_plan **out,
                           br_error *err)
{
    bool extra = item->rowid != NULL && item->rowid == &item->columns[item->column_count];
    uint32_t count = item->column_count + (extra ? 1 : 0);
    br_plan *plan = br_plan_new(binder, BR_PLAN_SCAN, count);
    BR_NEED(plan, err);
    plan->scan.table_columns = BR_ALLOC(binder->arena, uint32_t, count);
    BR_NEED(plan->scan.table_columns, err);
    plan->scan.table_id = br_table_view_spec(item->table->view)->table_id;
    plan->scan.table_name = item->table->name;
    plan->scan.output_count = count;
    for (uint32_t i = 0; i < count; i++) {
        plan->columns[i] = item->columns[i].column;
        plan->scan.table_columns[i] = item->columns[i].table_column;
    }
    *out = plan;
    return BR_OK;
}

static br_status bind_base(br_scope *scope, const br_sql_table *table, br_scope_item *item,
                           br_plan **plan_out, br_error *err)
{
    br_binder *binder = scope->binder;
    item->table = table;
    item->column_count = table->column_count;
    item->columns = BR_ALLOC(binder->arena, br_scope_column, table->column_count + 1);
    BR_NEED(item->columns, err);
    for (uint32_t i = 0; i < table->column_count; i++) {
        BR_TRY(fill_column(binder, table, i, &item->columns[i], err));
        if (table->columns[i].is_rowid) item->rowid = &item->columns[i];
    }
    if (table->has_rowid && item->rowid == NULL) {
        item->rowid = &item->columns[table->column_count];
        fill_rowid(binder, table, item->rowid);
    }
    return make_scan(binder, item, plan_out, err);
}

// ---- subqueries ------------------------------------------------------------------------------

br_collation br_outward_collation(const br_query *query, const br_plan *plan, uint32_t column)
{
    for (;;) {
        switch (plan->kind) {
        case BR_PLAN_SHARED: plan = query->shared[plan->shared.index]; break;
        case BR_PLAN_SORT:
        case BR_PLAN_LIMIT:
        case BR_PLAN_SET:
        case BR_PLAN_RECURSIVE: plan = plan->left; break;
        default: return plan->columns[column].collation;
        }
    }
}

static br_status columns_of_plan(br_scope *scope, const br_plan *plan, const char *const *names,
                                 br_scope_item *item, br_error *err)
{
    item->column_count = plan->column_count;
    item->columns = BR_ALLOC(scope->binder->arena, br_scope_column, plan->column_count);
    BR_NEED(item->columns, err);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        br_scope_column *column = &item->columns[i];
        column->column = plan->columns[i];
        column->column.collation = br_outward_collation(scope->binder->query, plan, i);
        column->base_type = plan->columns[i].type;
        column->name = names != NULL ? names[i] : plan->columns[i].name;
        column->has_collation = true;
    }
    return BR_OK;
}

static br_status check_names(const char *name, const br_plan *plan, uint32_t count, br_error *err)
{
    if (count == 0 || count == plan->column_count) return BR_OK;
    return br_fail(err, BR_SQL, "table %s has %u values for %u columns", name, plan->column_count,
                   count);
}

static br_status bind_subselect(br_scope *scope, const br_ast_select *select, br_scope_item *item,
                                br_plan **plan_out, br_error *err)
{
    bool escapes;
    BR_TRY(br_bind_select(scope->binder, scope->outer, select, BR_NAMES_TABLE, plan_out, &escapes,
                          err));
    scope->escapes = scope->escapes || escapes;
    return columns_of_plan(scope, *plan_out, NULL, item, err);
}

// ---- views -----------------------------------------------------------------------------------

static br_status bind_view_text(br_scope *scope, const char *name, const char *text,
                                br_scope_item *item, br_plan **plan_out, br_error *err)
{
    br_binder *binder = scope->binder;
    br_ast_cte view;
    bool escapes;
    BR_TRY(br_parse_view(text, binder->arena, &view, err));
    BR_TRY(br_bind_select(binder, NULL, view.select, BR_NAMES_VIEW, plan_out, &escapes, err));
    if (view.column_count != 0 && view.column_count != (*plan_out)->column_count)
        return br_fail(err, BR_SQL, "expected %u columns for '%s' but got %u", view.column_count,
                       name, (*plan_out)->column_count);
    return columns_of_plan(scope, *plan_out, view.column_count > 0 ? view.columns : NULL, item,
                           err);
}

static br_status bind_view(br_scope *scope, const br_ast_source *source, const char *text,
                           br_scope_item *item, br_plan **plan_out, br_error *err)
{
    br_binder *binder = scope->binder;
    for (uint32_t i = 0; i < binder->view_depth; i++) {
        if (br_name_equal(binder->views[i], source->name))
            return br_fail(err, BR_SQL, "view %s is circularly defined", source->name);
    }
    if (binder->view_depth == sizeof binder->views / sizeof binder->views[0])
        return br_fail(err, BR_UNSUPPORTED, "views nested deeper than %u", binder->view_depth);
    const char *outer_text = binder->text;
    br_cte_list *outer_ctes = binder->ctes;
    binder->views[binder->view_depth++] = source->name;
    binder->text = text;
    binder->ctes = NULL;
    br_status status = bind_view_text(scope, source->name, text, item, plan_out, err);
    binder->text = outer_text;
    binder->ctes = outer_ctes;
    binder->view_depth--;
    // An offset into the view's text means nothing to who wrote the statement.
    if (status != BR_OK && err != NULL) err->sql_offset = (int32_t)source->offset;
    return status;
}

// ---- histories -------------------------------------------------------------------------------

static br_status bind_history(br_scope *scope, const br_ast_source *source, br_scope_item *item,
                              br_plan **plan_out, br_error *err)
{
    br_binder *binder = scope->binder;
    const char *text, *outer_text = binder->text;
    br_statement_ast query;
    bool escapes;
    BR_TRY(br_check_place(binder, source, err));
    const br_ast *where = scope->core != NULL ? scope->core->where : NULL;
    BR_TRY(br_history_query(binder, source, where, &text, err));
    BR_TRY(br_parse(text, binder->arena, &query, err));
    binder->text = text;
    br_status status = br_bind_select(binder, NULL, query.select, BR_NAMES_TABLE, plan_out,
                                      &escapes, err);
    binder->text = outer_text;
    if (status != BR_OK && err != NULL) err->sql_offset = (int32_t)source->offset;
    BR_TRY(status);
    return columns_of_plan(scope, *plan_out, NULL, item, err);
}

// ---- WITH ------------------------------------------------------------------------------------

static br_cte *find_cte(const br_binder *binder, const char *name)
{
    for (br_cte_list *list = binder->ctes; list != NULL; list = list->outer) {
        for (uint32_t i = 0; i < list->count; i++) {
            if (br_name_equal(list->items[i].ast->name, name)) return &list->items[i];
        }
    }
    return NULL;
}

br_status br_plan_shared(br_binder *binder, const br_plan *plan, uint32_t index, br_plan **out,
                         br_error *err)
{
    br_plan *reference = br_plan_new(binder, BR_PLAN_SHARED, plan->column_count);
    BR_NEED(reference, err);
    reference->shared.index = index;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        reference->columns[i] = plan->columns[i];
        reference->columns[i].id = binder->next_id++;
    }
    *out = reference;
    return BR_OK;
}

static br_status add_shared(br_binder *binder, br_plan *plan, uint32_t *index_out, br_error *err)
{
    br_query *query = binder->query;
    br_plan **grown = br_grow(binder->arena, query->shared, query->shared_count, sizeof *grown);
    BR_NEED(grown, err);
    query->shared = grown;
    *index_out = query->shared_count;
    grown[query->shared_count++] = plan;
    return BR_OK;
}

static br_status append_run(br_binder *binder, uint32_t index, br_error *err)
{
    br_query *query = binder->query;
    uint32_t *order = br_grow(binder->arena, query->run_order, query->run_count, sizeof *order);
    BR_NEED(order, err);
    query->run_order = order;
    order[query->run_count++] = index;
    return BR_OK;
}

br_status br_plan_share(br_binder *binder, br_plan *plan, uint32_t *index_out, br_error *err)
{
    BR_TRY(add_shared(binder, plan, index_out, err));
    return append_run(binder, *index_out, err);
}

// The shared plan has to run before whatever was bound after its first use. all_ctes is in that
// order, so of two with the same position the later one may need the earlier one.
static br_status insert_run(br_binder *binder, const br_cte *cte, uint32_t entry, br_error *err)
{
    br_query *query = binder->query;
    uint32_t *grown = br_grow(binder->arena, query->run_order, query->run_count, sizeof *grown);
    BR_NEED(grown, err);
    query->run_order = grown;
    uint32_t position = cte->run_position;
    memmove(grown + position + 1, grown + position, (query->run_count - position) * sizeof *grown);
    grown[position] = entry;
    query->run_count++;
    bool is_later = false;
    for (uint32_t i = 0; i < binder->all_cte_count; i++) {
        br_cte *other = binder->all_ctes[i];
        if (other->run_position > position || (is_later && other->run_position == position))
            other->run_position++;
        is_later = is_later || other == cte;
    }
    return BR_OK;
}

// The plan moves to query->shared, and its place names it there.
static br_status move_to_shared(br_binder *binder, br_plan *place, uint32_t *index_out,
                                br_error *err)
{
    br_plan *moved = br_arena_copy(binder->arena, place, sizeof *place);
    BR_NEED(moved, err);
    // The place keeps the ids, which expressions name already.
    moved->columns = br_arena_copy(binder->arena, place->columns,
                                   place->column_count * sizeof *place->columns);
    BR_NEED(moved->columns, err);
    BR_TRY(br_plan_rename(binder, moved, err));
    BR_TRY(add_shared(binder, moved, index_out, err));
    *place = (br_plan){.kind = BR_PLAN_SHARED, .column_count = place->column_count,
                       .columns = place->columns};
    place->shared.index = *index_out;
    return BR_OK;
}

br_status br_plan_share_in_place(br_binder *binder, br_plan *place, br_error *err)
{
    uint32_t index;
    BR_TRY(move_to_shared(binder, place, &index, err));
    return append_run(binder, index, err);
}

static br_status share(br_binder *binder, br_cte *cte, br_error *err)
{
    uint32_t index;
    BR_TRY(move_to_shared(binder, cte->first_use, &index, err));
    cte->shared = index + 1;
    return insert_run(binder, cte, index, err);
}

static br_status bind_cte_body(br_scope *scope, br_cte *cte, br_plan **plan_out, br_error *err)
{
    br_binder *binder = scope->binder;
    br_cte_list *visible = binder->ctes;
    bool escapes;
    uint32_t subqueries = binder->query->subquery_count;
    binder->ctes = cte->list;
    cte->is_busy = true;
    cte->first_step = br_cte_first_step(cte->ast);
    if (cte->first_step > 0) binder->body = cte;
    br_status status = br_bind_select(binder, scope->outer, cte->ast->select, BR_NAMES_TABLE,
                                      plan_out, &escapes, err);
    cte->is_busy = false;
    binder->ctes = visible;
    BR_TRY(status);
    scope->escapes = scope->escapes || escapes;
    bool can_share = !escapes && cte->first_use == NULL && binder->all_cte_count < 64;
    if (!can_share) return BR_OK;
    cte->first_use = *plan_out;
    cte->has_subqueries = binder->query->subquery_count > subqueries;
    cte->run_position = binder->query->run_count;
    binder->all_ctes[binder->all_cte_count++] = cte;
    return BR_OK;
}

// Is it bound anew for each use? Scans, filters and projections read less when they know what the
// use needs, which is worth more than to run once. NOT MATERIALIZED asks for it, MATERIALIZED
// forbids it.
static bool is_inlined(const br_binder *binder, const br_cte *cte)
{
    const br_plan *plan = cte->first_use;
    if (cte->shared > 0 || cte->ast->materialized > 0) return false;
    if (binder->next_id > BR_BIND_INLINE_IDS_MAX) return false;
    if (cte->ast->materialized < 0) return true;
    while (plan->kind == BR_PLAN_FILTER || plan->kind == BR_PLAN_PROJECT) plan = plan->left;
    return plan->kind == BR_PLAN_SCAN && !cte->has_subqueries;
}

static br_status bind_cte(br_scope *scope, br_cte *cte, const br_ast_source *source,
                          br_scope_item *item, br_plan **plan_out, br_error *err)
{
    const br_ast_cte *ast = cte->ast;
    if (cte->is_busy) {
        BR_TRY(br_bind_working(scope->binder, cte, source, plan_out, err));
    } else if (cte->first_use == NULL || is_inlined(scope->binder, cte)) {
        BR_TRY(bind_cte_body(scope, cte, plan_out, err));
    } else {
        if (cte->shared == 0) BR_TRY(share(scope->binder, cte, err));
        const br_plan *shared = scope->binder->query->shared[cte->shared - 1];
        BR_TRY(br_plan_shared(scope->binder, shared, cte->shared - 1, plan_out, err));
    }
    BR_TRY(check_names(ast->name, *plan_out, ast->column_count, err));
    return columns_of_plan(scope, *plan_out, ast->column_count > 0 ? ast->columns : NULL, item,
                           err);
}

// ---- by name ---------------------------------------------------------------------------------

static br_status no_such_table(const br_ast_source *source, br_error *err)
{
    if (source->schema != NULL)
        return br_fail_at(err, BR_SQL, source->offset, "no such table: %s.%s", source->schema,
                          source->name);
    return br_fail_at(err, BR_SQL, source->offset, "no such table: %s", source->name);
}

br_status br_check_place(const br_binder *binder, const br_ast_source *source, br_error *err)
{
    const br_sql_catalog *catalog = binder->catalog;
    bool is_elsewhere = source->schema == NULL && catalog->is_elsewhere != NULL &&
                        catalog->is_elsewhere(catalog->context, source->name);
    if (!is_elsewhere) return BR_OK;
    return br_fail(err, BR_UNSUPPORTED, "'%s' is a temporary table or view", source->name);
}

// INDEXED BY is a hint, and says that there is the index. Whether a query may use a partial one,
// only SQLite can tell.
static br_status check_index(const br_binder *binder, const br_ast_source *source, bool is_cte,
                             br_error *err)
{
    const br_sql_catalog *catalog = binder->catalog;
    bool is_partial = false;
    if (source->index_name == NULL || catalog->has_index == NULL) return BR_OK;
    if (is_cte || !catalog->has_index(catalog->context, source->name, source->index_name,
                                      &is_partial))
        return br_fail_at(err, BR_SQL, source->offset, "no such index: %s", source->index_name);
    if (!is_partial) return BR_OK;
    return br_fail(err, BR_UNSUPPORTED, "INDEXED BY a partial index");
}

// A mirrored table, a view, or what SQLite alone can read.
static br_status bind_object(br_scope *scope, const br_ast_source *source, br_scope_item **item,
                             br_plan **plan_out, br_error *err)
{
    const br_sql_catalog *catalog = scope->binder->catalog;
    BR_TRY(br_check_place(scope->binder, source, err));
    const br_sql_table *table =
        catalog->find_table(catalog->context, source->schema, source->name);
    (*item)->schema = source->schema != NULL ? source->schema : "main";
    if (table != NULL && table->view != NULL)
        return bind_base(scope, table, *item, plan_out, err);
    const char *view = NULL;
    if (table == NULL && catalog->find_view != NULL)
        view = catalog->find_view(catalog->context, source->schema, source->name);
    if (view != NULL) return bind_view(scope, source, view, *item, plan_out, err);
    BR_TRY(br_bind_table_function(scope, source, plan_out, item, err));
    if (*plan_out != NULL) return BR_OK;
    if (table != NULL)
        return br_fail(err, BR_UNSUPPORTED, "table '%s' is not mirrored", table->name);
    return no_such_table(source, err);
}

static br_status bind_named(br_scope *scope, const br_ast_source *source, br_scope_item **item,
                            br_plan **plan_out, br_error *err)
{
    if (source->history != BR_AST_HISTORY_NONE)
        return bind_history(scope, source, *item, plan_out, err);
    br_cte *cte = source->schema == NULL ? find_cte(scope->binder, source->name) : NULL;
    BR_TRY(check_index(scope->binder, source, cte != NULL, err));
    (*item)->is_cte = cte != NULL;
    if (cte != NULL) return bind_cte(scope, cte, source, *item, plan_out, err);
    return bind_object(scope, source, item, plan_out, err);
}

br_status br_bind_table(br_scope *scope, const br_ast_source *source, br_plan **plan_out,
                        br_scope_item **item_out, br_error *err)
{
    br_scope_item *item = BR_ALLOC(scope->binder->arena, br_scope_item, 1);
    BR_NEED(item, err);
    item->name = br_source_name(source);
    const br_scope *from_outer = scope->binder->from_outer;
    scope->binder->from_outer = scope->outer;
    br_status status = source->kind == BR_AST_SOURCE_SELECT
                           ? bind_subselect(scope, source->select, item, plan_out, err)
                           : bind_named(scope, source, &item, plan_out, err);
    scope->binder->from_outer = from_outer;
    *item_out = item;
    return status;
}
