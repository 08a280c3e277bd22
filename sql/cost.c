// Costs in nanoseconds of one thread: coarse, but in proportion to each other.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "sql/rewrite.h"

static const double call_ns = 2000;  // to begin a table-valued function of SQLite's
static const double run_ns = 20000;  // to begin and end one run of an applied plan

// A hash table entry per row: cheap while the table fits in a core's caches.
static double entry_cost(double rows)
{
    return rows < 2e4 ? 8 : rows < 1e6 ? 18 : 40;
}

static double lookup_cost(double rows)
{
    return rows < 2e4 ? 4 : rows < 1e6 ? 9 : 22;
}

// Where most probe rows find nothing, a filter made from the build side drops them in their scan,
// before anything but the key is decoded.
static double probe_cost(double probe_rows, double build_rows, double output_rows)
{
    const double filtered_max = 0.7, filter_cost = 1.5;
    double lookup = lookup_cost(build_rows);
    if (output_rows > filtered_max * probe_rows) return probe_rows * lookup;
    return probe_rows * filter_cost + output_rows * lookup;
}

double br_cost_join(double probe_rows, double build_rows, double output_rows)
{
    return build_rows * entry_cost(build_rows) + probe_cost(probe_rows, build_rows, output_rows) +
           output_rows * 4;
}

static double join_cost(const br_plan *join)
{
    double left = join->left->rows, right = join->right->rows;
    if (join->join.key_count == 0) return left * right * 4 + right * 8;
    if (join->join.build_left) return br_cost_join(right, left, join->rows);
    return br_cost_join(left, right, join->rows);
}

// Statistics stand in for its rows.
static bool is_told(const br_plan *plan)
{
    return plan->kind == BR_PLAN_SCAN && plan->scan.bounds != NULL && plan->scan.filter_count == 0;
}

static double scan_cost(const br_rewrite *rewrite, const br_plan *scan)
{
    double rows = br_scan_table_rows(rewrite, scan);
    if (is_told(scan)) return rows * 0.001;
    return rows * 0.7 * scan->scan.filter_count + scan->rows * 1.0 * scan->scan.output_count +
           rows * 0.05;
}

static double node_cost(const br_rewrite *rewrite, const br_plan *plan)
{
    double input = plan->left == NULL ? 0 : plan->left->rows;
    switch (plan->kind) {
    case BR_PLAN_SCAN: return scan_cost(rewrite, plan);
    case BR_PLAN_VALUES:
    case BR_PLAN_SHARED:
    case BR_PLAN_WORKING: return plan->rows * 2;
    case BR_PLAN_RECURSIVE: return plan->rows * 100;
    case BR_PLAN_CALL:
        if (plan->call.function->kind == BR_TABLE_FUNCTION_SERIES) return plan->rows * 2;
        return input * call_ns + plan->rows * 500;
    case BR_PLAN_FILTER: return input * 3;
    case BR_PLAN_PROJECT: return input * 2 * plan->column_count;
    case BR_PLAN_AGGREGATE:
        if (is_told(plan->left)) return 0;
        return input * (plan->aggregate.key_count > 0 ? lookup_cost(plan->rows) : 0) +
               plan->rows * entry_cost(plan->rows) + input * 1.5 * plan->aggregate.aggregate_count;
    case BR_PLAN_JOIN: return join_cost(plan);
    case BR_PLAN_SORT:
        if (plan->sort.limit != NULL) return input * 3;
        return input * 10 * (1 + log2(input < 1 ? 1 : input) / 4);
    case BR_PLAN_WINDOW:
        return input * (10 * (1 + log2(input < 1 ? 1 : input) / 4) + 10 * plan->window.call_count);
    case BR_PLAN_LIMIT: return 0;
    case BR_PLAN_SET:
        if (plan->set.set == BR_SET_UNION_ALL) return 0;
        return (input + plan->right->rows) * entry_cost(plan->rows);
    case BR_PLAN_APPLY:
        return input * (run_ns +
                        br_cost_plan(rewrite, rewrite->query->applied[plan->apply.index]));
    }
    return 0;
}

double br_cost_plan(const br_rewrite *rewrite, const br_plan *plan)
{
    double cost = node_cost(rewrite, plan);
    if (plan->left != NULL) cost += br_cost_plan(rewrite, plan->left);
    if (plan->right != NULL) cost += br_cost_plan(rewrite, plan->right);
    return cost;
}
