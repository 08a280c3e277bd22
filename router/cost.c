// What SQLite would need for a query. A model of its executor, not of its planner: each scan is
// either a look-up through an index that the scan's own equality conditions can use, or a pass over
// the table; joins are loops over the outer side with an index look-up per row where there is one.
//
// The constants were measured with SQLite 3.40 on in-memory data, in ns.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "router/database.h"

static const double row_scan_ns = 90;    // step of a table scan with one condition
static const double lookup_ns = 700;     // one b-tree descent
static const double statement_ns = 6000; // prepare and start
static const double row_work_ns = 60;    // one row through grouping or sorting

typedef struct cost_context {
    const br_query *query;
    const br_snapshot *snapshot;
    const br_schema *schema;
} cost_context;

// The table column that a scan's filter compares with a constant for equality; -1: none.
static int64_t filter_equal_column(const br_plan *scan, const br_expr *filter)
{
    if (filter->kind != BR_EXPR_OPERATOR || filter->operator_ != BR_OP_EQ) return -1;
    for (uint32_t side = 0; side < 2; side++) {
        const br_expr *column = filter->args[side], *other = filter->args[1 - side];
        if (column->kind != BR_EXPR_COLUMN) continue;
        if (other->kind != BR_EXPR_CONST && other->kind != BR_EXPR_PARAMETER) continue;
        for (uint32_t i = 0; i < scan->column_count; i++) {
            if (scan->columns[i].id == column->column_id) return scan->scan.table_columns[i];
        }
    }
    return -1;
}

// Is the column the rowid, or the first of an index?
static bool column_leads_index(const br_schema_table *table, int64_t column)
{
    if (column == BR_SCAN_KEY || (table->rowid_column >= 0 && column == table->rowid_column))
        return true;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const br_schema_index *index = &table->indexes[i];
        if (!index->is_partial && index->column_count > 0 && index->columns[0] == column)
            return true;
    }
    return false;
}

static double scan_cost(const cost_context *context, const br_plan *scan)
{
    const br_schema_table *table = br_schema_find(context->schema, scan->scan.table_name);
    const br_table_view *view = br_snapshot_find(context->snapshot, scan->scan.table_name);
    double rows = view == NULL ? scan->rows : (double)br_table_view_rows(view);
    for (uint32_t i = 0; table != NULL && i < scan->scan.filter_count; i++) {
        int64_t column = filter_equal_column(scan, scan->scan.filters[i]);
        if (column >= 0 && column_leads_index(table, column))
            return lookup_ns + scan->rows * lookup_ns; // the rows themselves are look-ups too
    }
    return rows * row_scan_ns;
}

static double plan_cost(const cost_context *context, const br_plan *plan)
{
    if (plan == NULL) return 0;
    double below = plan_cost(context, plan->left) + plan_cost(context, plan->right);
    switch (plan->kind) {
    case BR_PLAN_SCAN:
        return scan_cost(context, plan);
    case BR_PLAN_JOIN: {
        double outer = fmax(plan->left->rows, 1), inner = fmax(plan->right->rows, 1);
        double loops = plan->join.key_count > 0
                           ? fmin(outer, inner) * lookup_ns + plan->rows * row_work_ns
                           : outer * inner * row_work_ns;
        return below + loops;
    }
    case BR_PLAN_AGGREGATE:
    case BR_PLAN_SORT:
    case BR_PLAN_WINDOW:
    case BR_PLAN_SET: {
        double rows = plan->left == NULL ? 0 : plan->left->rows;
        return below + rows * row_work_ns * log2(rows + 2);
    }
    case BR_PLAN_APPLY:
        return below + fmax(plan->left->rows, 1) *
                           plan_cost(context, context->query->applied[plan->apply.index]);
    default:
        return below;
    }
}

double br_cost_oltp(const br_query *query, const br_snapshot *snapshot, const br_schema *schema)
{
    cost_context context = {.query = query, .snapshot = snapshot, .schema = schema};
    double cost = statement_ns + plan_cost(&context, query->root);
    for (uint32_t i = 0; i < query->subquery_count; i++)
        cost += plan_cost(&context, query->subqueries[i]);
    for (uint32_t i = 0; i < query->shared_count; i++)
        cost += plan_cost(&context, query->shared[i]);
    return cost;
}
