// Entry points: from a parsed statement to a checked, rewritten query.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"
#include "sql/rewrite.h"

static br_status copy_parameters(const br_statement_ast *statement, const br_plan_options *options,
                                 br_arena *arena, br_query *query, br_error *err)
{
    query->parameter_count = statement->parameter_count;
    query->parameter_masks = BR_ALLOC(arena, uint8_t, statement->parameter_count);
    BR_NEED(query->parameter_masks, err);
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        bool is_bound = options->parameter_masks != NULL && i < options->parameter_count;
        query->parameter_masks[i] = is_bound                          ? options->parameter_masks[i]
                                    : options->parameter_masks == NULL ? BR_MASK_ALL
                                                                       : BR_MASK_NULL;
    }
    return BR_OK;
}

// Once more whenever an aggregate turned out to be another query's.
static br_status bind_names(br_binder *binder, const br_statement_ast *statement,
                            br_plan **root_out, br_error *err)
{
    const br_binder fresh = *binder;
    const br_query empty = *binder->query;
    bool escapes;
    for (;;) {
        br_status status = br_bind_select(binder, NULL, statement->select, BR_NAMES_RESULT,
                                          root_out, &escapes, err);
        if (!binder->is_stale || status == BR_NOMEM) return status;
        br_outer_aggregate *noted = binder->outer_aggregates;
        *binder = fresh;
        *binder->query = empty;
        binder->outer_aggregates = noted;
    }
}

static br_status bind(br_binder *binder, const br_statement_ast *statement, br_error *err)
{
    br_query *query = binder->query;
    br_plan *root = NULL;
    BR_TRY(bind_names(binder, statement, &root, err));
    query->root = root;
    if (!binder->has_dependent) return BR_OK;
    BR_TRY(br_unnest(binder, &query->root, err));
    for (uint32_t i = 0; i < query->subquery_count; i++)
        BR_TRY(br_unnest(binder, &query->subqueries[i], err));
    for (uint32_t i = 0; i < query->shared_count; i++)
        BR_TRY(br_unnest(binder, &query->shared[i], err));
    return BR_OK;
}

br_status br_sql_plan(const br_statement_ast *statement, const br_sql_catalog *catalog,
                      const br_plan_options *options, br_arena *arena, br_query **query_out,
                      br_error *err)
{
    if (statement->select == NULL)
        return br_fail(err, BR_UNSUPPORTED, "only SELECT runs on the columnar copy");
    br_query *query = BR_ALLOC(arena, br_query, 1);
    BR_NEED(query, err);
    br_binder binder = {
        .arena = arena, .catalog = catalog, .options = options, .query = query,
        .text = statement->text, .next_id = 1,
    };
    BR_TRY(copy_parameters(statement, options, arena, query, err));
    BR_TRY(bind(&binder, statement, err));
    if (options->optimize) BR_TRY(br_optimize(query, catalog, arena, err));
    *query_out = query;
    return BR_OK;
}

static const br_table_view *find_view(const br_snapshot *snapshot, uint32_t table_id)
{
    uint32_t count = br_snapshot_table_count(snapshot);
    for (uint32_t i = 0; i < count; i++) {
        const br_table_view *view = br_snapshot_table_at(snapshot, i);
        if (br_table_view_spec(view)->table_id == table_id) return view;
    }
    return NULL;
}

static bool column_fits(const br_query_table *assumed, const br_table_view *view)
{
    uint32_t key = br_table_view_spec(view)->column_count;
    uint32_t column = assumed->column == BR_SCAN_KEY ? key : assumed->column;
    if (column > key) return false;
    const br_zone_stats *stats = br_table_view_stats(view, column);
    const br_type *type = &assumed->type;
    if ((stats->class_mask & ~(unsigned)type->class_mask) != 0) return false;
    if ((stats->class_mask & BR_MASK_INT) == 0 || !type->has_range) return true;
    return stats->int_min >= type->int_min && stats->int_max <= type->int_max;
}

bool br_query_fits(const br_query *query, const br_snapshot *snapshot,
                   const uint8_t *parameter_masks, uint32_t parameter_count)
{
    for (uint32_t i = 0; i < query->parameter_count; i++) {
        unsigned mask = i < parameter_count ? parameter_masks[i] : BR_MASK_NULL;
        if ((mask & ~(unsigned)query->parameter_masks[i]) != 0) return false;
    }
    const br_table_view *view = NULL;
    for (uint32_t i = 0; i < query->assumption_count; i++) {
        const br_query_table *assumed = &query->assumptions[i];
        if (view == NULL || br_table_view_spec(view)->table_id != assumed->table_id)
            view = find_view(snapshot, assumed->table_id);
        if (view == NULL || !column_fits(assumed, view)) return false;
    }
    return true;
}
