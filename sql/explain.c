// SPDX-License-Identifier: Apache-2.0
#include "sql/explain.h"

#include "base/heap.h"

// ---- names -----------------------------------------------------------------------------------

static uint32_t plan_id_count(const br_plan *plan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->column_count; i++)
        if (plan->columns[i].id >= count) count = plan->columns[i].id + 1;
    const br_plan *inputs[2] = {plan->left, plan->right};
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t inner = inputs[k] == NULL ? 0 : plan_id_count(inputs[k]);
        if (inner > count) count = inner;
    }
    return count;
}

// Inputs first: a column keeps the name of where it comes from.
static void name_columns(br_explainer *self, const br_plan *plan)
{
    if (plan->left != NULL) name_columns(self, plan->left);
    if (plan->right != NULL) name_columns(self, plan->right);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const br_plan_column *column = &plan->columns[i];
        bool is_named = column->name != NULL && column->name[0] != 0;
        if (is_named && self->names[column->id] == NULL) self->names[column->id] = column->name;
    }
}

// ---- parts -----------------------------------------------------------------------------------

// ---- figures ---------------------------------------------------------------------------------

const br_node_figures *br_explain_measured(const br_explainer *self, const br_plan *plan)
{
    if (self->profile == NULL) return NULL;
    uint32_t node = br_query_profile_find(self->profile, plan);
    return node == BR_NODE_NONE ? NULL : &self->profile->figures[node];
}

uint64_t br_explain_total_ns(const br_query_profile *profile)
{
    uint64_t total_ns = 0;
    for (uint32_t i = 0; i < profile->node_count; i++) total_ns += profile->figures[i].cpu_ns;
    return total_ns;
}

double br_explain_share(const br_explainer *self, const br_node_figures *figures)
{
    uint64_t total_ns = br_explain_total_ns(self->profile);
    return total_ns == 0 ? 0 : (double)figures->cpu_ns / (double)total_ns;
}

double br_explain_off(const br_plan *plan, const br_node_figures *figures)
{
    double estimate = plan->rows < 1 ? 1 : plan->rows;
    double rows = figures->rows < 1 ? 1 : (double)figures->rows;
    return estimate > rows ? estimate / rows : rows / estimate;
}

void br_explain_bytes(br_explainer *self, uint64_t bytes)
{
    if (bytes < 10000)
        br_explain_text(self, "%llu bytes", (unsigned long long)bytes);
    else if (bytes < 10000000)
        br_explain_text(self, "%.0f kB", (double)bytes / 1e3);
    else
        br_explain_text(self, "%.0f MB", (double)bytes / 1e6);
}

void br_explain_extras(br_explainer *self, const br_plan *plan, const br_node_figures *figures)
{
    typedef unsigned long long number;
    if (plan->kind == BR_PLAN_JOIN)
        br_explain_text(self, "; build %llu rows", (number)figures->build_rows);
    if (plan->kind == BR_PLAN_SCAN) {
        uint64_t zones = figures->zones_read + figures->zones_pruned;
        br_explain_text(self, "; %llu of %llu zones skipped, %llu pages loaded",
                        (number)figures->zones_pruned, (number)zones,
                        (number)figures->pages_loaded);
    }
    if (figures->delta_rows > 0)
        br_explain_text(self, "; %llu rows in the delta", (number)figures->delta_rows);
    if (figures->memory_bytes > 0) {
        br_explain_text(self, "; ");
        br_explain_bytes(self, figures->memory_bytes);
    }
    if (figures->spilled_bytes > 0) {
        br_explain_text(self, "; spilled ");
        br_explain_bytes(self, figures->spilled_bytes);
    }
}

void br_explain_figures(br_explainer *self, const br_plan *plan)
{
    const br_node_figures *figures = br_explain_measured(self, plan);
    if (figures == NULL) {
        br_explain_text(self, "%.0f rows", plan->rows);
        return;
    }
    br_explain_text(self, "%llu rows, estimated %.0f", (unsigned long long)figures->rows,
                    plan->rows);
    double off = br_explain_off(plan, figures);
    if (off > BR_EXPLAIN_OFF_MAX) br_explain_text(self, " (%.0fx off)", off);
    br_explain_text(self, "; %.3f ms, %.0f%%", (double)figures->cpu_ns / 1e6,
                    100 * br_explain_share(self, figures));
    br_explain_extras(self, plan, figures);
}

static void explain_columns(br_explainer *self, const br_plan_column *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) br_explain_text(self, ", ");
        br_explain_column(self, columns[i].id);
    }
}

static void explain_scan(br_explainer *self, const br_plan *plan)
{
    br_explain_text(self, "scan %s [", plan->scan.table_name);
    explain_columns(self, plan->columns, plan->scan.output_count);
    br_explain_text(self, "]");
    if (plan->scan.filter_count > 0) br_explain_text(self, " where ");
    br_explain_list(self, plan->scan.filters, plan->scan.filter_count, " AND ");
    if (plan->scan.bounds != NULL) br_explain_text(self, ", by statistics where they tell");
}

static void explain_project(br_explainer *self, const br_plan *plan)
{
    br_explain_text(self, "project ");
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const br_expr *expr = plan->project.expressions[i];
        if (i > 0) br_explain_text(self, ", ");
        br_explain_expr(self, expr);
        bool is_same = expr->kind == BR_EXPR_COLUMN && expr->column_id == plan->columns[i].id;
        if (is_same) continue;
        br_explain_text(self, " as ");
        br_explain_column(self, plan->columns[i].id);
    }
}

static void explain_sort_keys(br_explainer *self, const br_sort_key *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) br_explain_text(self, ", ");
        br_explain_expr(self, keys[i].expression);
        if (keys[i].descending) br_explain_text(self, " desc");
        if (keys[i].nulls_last != keys[i].descending)
            br_explain_text(self, keys[i].nulls_last ? " nulls last" : " nulls first");
    }
}

static void explain_aggregate_call(br_explainer *self, const br_aggregate *aggregate)
{
    static const char *const names[BR_AGG_COUNT_] = {
        "count(*", "count(", "sum(", "total(", "avg(", "min(", "max(", "group_concat(",
        "json_group_array(", "json_group_object(", "quantile(", "stddev_samp(", "stddev_pop(",
        "var_samp(", "var_pop(", "first(", "arg_min(", "arg_max(",
    };
    br_explain_text(self, "%s%s", names[aggregate->kind], aggregate->distinct ? "distinct " : "");
    br_explain_list(self, aggregate->args, aggregate->arg_count, ", ");
    if (aggregate->order_count > 0) br_explain_text(self, " order by ");
    explain_sort_keys(self, aggregate->order_by, aggregate->order_count);
    br_explain_text(self, ")");
    if (aggregate->filter == NULL) return;
    br_explain_text(self, " filter ");
    br_explain_expr(self, aggregate->filter);
}

static void explain_aggregate(br_explainer *self, const br_plan *plan)
{
    uint32_t key_count = plan->aggregate.key_count, count = plan->aggregate.aggregate_count;
    br_explain_text(self, count == 0 ? "distinct" : "aggregate");
    for (uint32_t i = 0; i < key_count; i++) {
        br_explain_text(self, i > 0 ? ", " : count == 0 ? " " : " by ");
        br_explain_expr(self, plan->aggregate.keys[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        br_explain_text(self, i > 0 ? ", " : ": ");
        explain_aggregate_call(self, &plan->aggregate.aggregates[i]);
        br_explain_text(self, " as ");
        br_explain_column(self, plan->columns[key_count + i].id);
    }
}

static void explain_join(br_explainer *self, const br_plan *plan)
{
    static const char *const names[] = {"inner", "left", "full", "semi", "anti", "mark", "single"};
    bool is_cross = plan->join.join == BR_JOIN_INNER && plan->join.key_count == 0 &&
                    plan->join.residual == NULL;
    br_explain_text(self, "%s join", is_cross ? "cross" : names[plan->join.join]);
    for (uint32_t i = 0; i < plan->join.key_count; i++) {
        br_explain_text(self, i > 0 ? " and " : " on ");
        br_explain_expr(self, plan->join.left_keys[i]);
        br_explain_text(self, plan->join.null_safe[i] ? " is " : " = ");
        br_explain_expr(self, plan->join.right_keys[i]);
    }
    if (plan->join.residual != NULL) {
        br_explain_text(self, plan->join.key_count > 0 ? " if " : " on ");
        br_explain_expr(self, plan->join.residual);
    }
    if (plan->join.build_left) br_explain_text(self, ", build left");
    if (plan->join.mark_key_count > 0) br_explain_text(self, ", nulls count");
}

static void explain_bound(br_explainer *self, br_frame_bound bound, const br_expr *offset)
{
    static const char *const names[] = {"unbounded preceding", "preceding", "current row",
                                        "following", "unbounded following"};
    if (offset != NULL) {
        br_explain_expr(self, offset);
        br_explain_text(self, " ");
    }
    br_explain_text(self, "%s", names[bound]);
}

static void explain_frame(br_explainer *self, const br_window_frame *frame)
{
    static const char *const units[] = {"range", "rows", "groups"};
    static const char *const excluded[] = {"", " exclude current row", " exclude group",
                                           " exclude ties"};
    br_explain_text(self, " %s ", units[frame->unit]);
    explain_bound(self, frame->start, frame->start_offset);
    br_explain_text(self, " to ");
    explain_bound(self, frame->end, frame->end_offset);
    br_explain_text(self, "%s", excluded[frame->exclude]);
}

static bool has_frame(br_window_function function)
{
    return function == BR_WINDOW_AGGREGATE || function >= BR_WINDOW_FIRST_VALUE;
}

static void explain_call(br_explainer *self, const br_window_call *call)
{
    static const char *const names[] = {
        "", "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag",
        "lead", "first_value", "last_value", "nth_value",
    };
    if (call->function == BR_WINDOW_AGGREGATE) {
        explain_aggregate_call(self, &call->aggregate);
    } else {
        br_explain_text(self, "%s(", names[call->function]);
        br_explain_list(self, call->args, call->arg_count, ", ");
        br_explain_text(self, ")");
    }
    if (has_frame(call->function)) explain_frame(self, &call->frame);
}

static void explain_window(br_explainer *self, const br_plan *plan)
{
    uint32_t count = plan->window.call_count;
    br_explain_text(self, "window");
    if (plan->window.partition_count > 0) br_explain_text(self, " partition by ");
    br_explain_list(self, plan->window.partitions, plan->window.partition_count, ", ");
    if (plan->window.order_count > 0) br_explain_text(self, " order by ");
    explain_sort_keys(self, plan->window.order_by, plan->window.order_count);
    for (uint32_t i = 0; i < count; i++) {
        br_explain_text(self, i > 0 ? ", " : ": ");
        explain_call(self, &plan->window.calls[i]);
        br_explain_text(self, " as ");
        br_explain_column(self, plan->columns[plan->column_count - count + i].id);
    }
}

static void explain_apply(br_explainer *self, const br_plan *plan)
{
    br_explain_text(self, "apply %u to ", plan->apply.index);
    for (uint32_t i = 0; i < plan->apply.argument_count; i++) {
        if (i > 0) br_explain_text(self, ", ");
        br_explain_expr(self, plan->apply.arguments[i]);
        br_explain_text(self, " as ?%u", plan->apply.first_parameter + i + 1);
    }
}

static void explain_limit(br_explainer *self, const br_expr *limit, const br_expr *offset,
                          bool is_partial)
{
    if (limit != NULL) {
        br_explain_text(self, " limit ");
        br_explain_expr(self, limit);
    }
    if (offset == NULL) return;
    br_explain_text(self, is_partial ? " and " : " offset ");
    br_explain_expr(self, offset);
}

static void explain_arguments(br_explainer *self, const br_plan *plan)
{
    const br_table_function *function = plan->call.function;
    for (uint32_t i = 0; i < plan->call.argument_count; i++) {
        if (i > 0) br_explain_text(self, ", ");
        if (function->kind == BR_TABLE_FUNCTION_SOURCE) {
            const br_call_constraint *constraint = &plan->call.constraints[i];
            br_explain_text(self, "%s %s ", function->columns[constraint->column].name,
                            constraint->operator_);
        }
        br_explain_expr(self, plan->call.arguments[i]);
    }
}

static void explain_table_function(br_explainer *self, const br_plan *plan)
{
    bool is_source = plan->call.function->kind == BR_TABLE_FUNCTION_SOURCE;
    br_explain_text(self, "%s%s %s(", plan->call.keeps_unmatched ? "left " : "",
                    is_source ? "read in SQLite" : "call", plan->call.function->name);
    explain_arguments(self, plan);
    br_explain_text(self, ") [");
    explain_columns(self, plan->columns + plan->column_count - plan->call.output_count,
                    plan->call.output_count);
    br_explain_text(self, "]");
    if (plan->call.residual == NULL) return;
    br_explain_text(self, " if ");
    br_explain_expr(self, plan->call.residual);
}

static void explain_recursive(br_explainer *self, const br_plan *plan)
{
    br_explain_text(self, "recursive %u %s", plan->recursive.index,
                    plan->recursive.distinct ? "union" : "union all");
    if (plan->recursive.by_row) br_explain_text(self, ", row by row");
    for (uint32_t i = 0; i < plan->recursive.key_count; i++) {
        br_explain_text(self, i == 0 ? ", least " : ", ");
        br_explain_column(self, plan->columns[plan->recursive.key_columns[i]].id);
        if (plan->recursive.keys[i].descending) br_explain_text(self, " desc");
    }
    explain_limit(self, plan->recursive.limit, plan->recursive.offset, false);
}

// ---- nodes -----------------------------------------------------------------------------------

void br_explain_node(br_explainer *self, const br_plan *plan)
{
    static const char *const sets[] = {"union all", "union", "intersect", "except"};
    switch (plan->kind) {
    case BR_PLAN_SCAN: explain_scan(self, plan); break;
    case BR_PLAN_VALUES: br_explain_text(self, "values"); break;
    case BR_PLAN_SHARED: br_explain_text(self, "shared %u", plan->shared.index); break;
    case BR_PLAN_FILTER:
        br_explain_text(self, "filter ");
        br_explain_expr(self, plan->filter.predicate);
        break;
    case BR_PLAN_PROJECT: explain_project(self, plan); break;
    case BR_PLAN_AGGREGATE: explain_aggregate(self, plan); break;
    case BR_PLAN_JOIN: explain_join(self, plan); break;
    case BR_PLAN_SORT:
        br_explain_text(self, "sort ");
        explain_sort_keys(self, plan->sort.keys, plan->sort.key_count);
        explain_limit(self, plan->sort.limit, plan->sort.offset, plan->sort.is_partial);
        break;
    case BR_PLAN_LIMIT:
        br_explain_text(self, "rows");
        explain_limit(self, plan->limit.limit, plan->limit.offset, plan->limit.is_partial);
        break;
    case BR_PLAN_WINDOW: explain_window(self, plan); break;
    case BR_PLAN_SET: br_explain_text(self, "%s", sets[plan->set.set]); break;
    case BR_PLAN_APPLY: explain_apply(self, plan); break;
    case BR_PLAN_CALL: explain_table_function(self, plan); break;
    case BR_PLAN_RECURSIVE: explain_recursive(self, plan); break;
    case BR_PLAN_WORKING: br_explain_text(self, "working %u", plan->working.index); break;
    }
}

const char *br_explain_operator(const br_plan *plan)
{
    switch (plan->kind) {
    case BR_PLAN_SCAN: return "scan";
    case BR_PLAN_VALUES: return "values";
    case BR_PLAN_SHARED: return "shared";
    case BR_PLAN_FILTER: return "filter";
    case BR_PLAN_PROJECT: return "project";
    case BR_PLAN_AGGREGATE: return "aggregate";
    case BR_PLAN_JOIN: return "join";
    case BR_PLAN_SORT: return "sort";
    case BR_PLAN_LIMIT: return "limit";
    case BR_PLAN_SET: return "set";
    case BR_PLAN_WINDOW: return "window";
    case BR_PLAN_APPLY: return "apply";
    case BR_PLAN_RECURSIVE: return "recursive";
    case BR_PLAN_WORKING: return "working";
    case BR_PLAN_CALL: return "call";
    }
    return "";
}

// ---- the tree --------------------------------------------------------------------------------

static void explain_plan(br_explainer *self, const br_plan *plan, uint32_t depth)
{
    br_explain_text(self, "%*s", (int)(2 * depth), "");
    br_explain_node(self, plan);
    br_explain_text(self, "  (");
    br_explain_figures(self, plan);
    br_explain_text(self, ")\n");
    if (plan->left != NULL) explain_plan(self, plan->left, depth + 1);
    if (plan->right != NULL) explain_plan(self, plan->right, depth + 1);
}

static void explain_plans(br_explainer *self, const char *kind, br_plan *const *plans,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        br_explain_text(self, "%s %u:\n", kind, i);
        explain_plan(self, plans[i], 1);
    }
}

static void name_all(br_explainer *self, const br_query *query)
{
    for (uint32_t i = 0; i < query->shared_count; i++) name_columns(self, query->shared[i]);
    for (uint32_t i = 0; i < query->subquery_count; i++) name_columns(self, query->subqueries[i]);
    for (uint32_t i = 0; i < query->applied_count; i++) name_columns(self, query->applied[i]);
    name_columns(self, query->root);
}

static uint32_t query_id_count(const br_query *query)
{
    uint32_t count = plan_id_count(query->root), other;
    for (uint32_t i = 0; i < query->shared_count; i++)
        if ((other = plan_id_count(query->shared[i])) > count) count = other;
    for (uint32_t i = 0; i < query->subquery_count; i++)
        if ((other = plan_id_count(query->subqueries[i])) > count) count = other;
    for (uint32_t i = 0; i < query->applied_count; i++)
        if ((other = plan_id_count(query->applied[i])) > count) count = other;
    return count;
}

static void explain_tree(br_explainer *self, const br_query *query)
{
    explain_plan(self, query->root, 0);
    explain_plans(self, "shared", query->shared, query->shared_count);
    explain_plans(self, "subquery", query->subqueries, query->subquery_count);
    explain_plans(self, "applied", query->applied, query->applied_count);
}

static void explain_head(br_explainer *self, const br_explanation *what)
{
    br_explain_text(self, "engine: %s\nreason: %s\n", what->engine, what->reason);
    if (what->query != NULL)
        br_explain_text(self, "cost: columnar %.3f ms, SQLite %.3f ms\nfreshness: seq %llu\n",
                        what->cost_olap_ns / 1e6, what->cost_oltp_ns / 1e6,
                        (unsigned long long)what->seq);
    if (what->profile != NULL) {
        br_explain_text(self, "time: %.3f ms, CPU %.3f ms on up to %u threads, memory ",
                        (double)what->profile->wall_ns / 1e6,
                        (double)br_explain_total_ns(what->profile) / 1e6, what->profile->threads);
        br_explain_bytes(self, what->profile->peak_bytes);
        br_explain_text(self, "\n");
    } else if (what->was_run) {
        br_explain_text(self, "time: %.3f ms, %llu rows\n", what->run_ms,
                        (unsigned long long)what->row_count);
    }
}

static void explain_all(br_explainer *self, const br_explanation *what, br_explain_format format)
{
    if (what->query != NULL) name_all(self, what->query);
    if (format == BR_EXPLAIN_JSON) {
        br_explain_json(self, what);
    } else if (format == BR_EXPLAIN_HTML) {
        br_explain_html(self, what);
    } else {
        if (what->engine != NULL) explain_head(self, what);
        if (what->query != NULL) explain_tree(self, what->query);
    }
}

br_status br_explain(const br_explanation *what, br_explain_format format, br_buffer *out,
                     br_error *err)
{
    br_explainer self = {.out = out, .profile = what->profile};
    if (what->query != NULL) self.name_count = query_id_count(what->query);
    self.names = br_heap_array(self.name_count + 1, sizeof *self.names);
    if (self.names == NULL) return br_fail(err, BR_NOMEM, "no memory to explain a plan");
    explain_all(&self, what, format);
    br_heap_free(self.names);
    br_buffer_release(&self.detail);
    return self.failed ? br_fail(err, BR_NOMEM, "no memory to explain a plan") : BR_OK;
}

br_status br_query_explain(const br_query *query, br_buffer *out, br_error *err)
{
    br_explanation what = {.query = query};
    return br_explain(&what, BR_EXPLAIN_TEXT, out, err);
}
