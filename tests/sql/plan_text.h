// plan_text.h - a plan as one line of text, for tests that assert shapes.
//
//     project(filter(scan t: a > 1): a, a + 1)
//
// Columns print with the name of what puts them out first, `#` when that has none.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SQL_PLAN_TEXT_H
#define BR_TESTS_SQL_PLAN_TEXT_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "sql/sql.h"

typedef struct plan_text {
    char text[8000];
    size_t size;
    const char *names[2000];  // by column id
} plan_text;

__attribute__((format(printf, 2, 3))) static inline void put(plan_text *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof out->text - out->size;
    int size = vsnprintf(out->text + out->size, room, format, arguments);
    va_end(arguments);
    if (size > 0) out->size += (size_t)size < room ? (size_t)size : room - 1;
}

static inline void put_value(plan_text *out, const br_value *value)
{
    if (value->class_ == BR_NULL) put(out, "null");
    if (value->class_ == BR_INT) put(out, "%" PRId64, value->i64);
    if (value->class_ == BR_REAL) put(out, "%.17g", value->f64);
    if (value->class_ == BR_TEXT) put(out, "'%.*s'", (int)value->text.size, value->text.data);
    if (value->class_ == BR_BLOB) put(out, "x'%u'", value->text.size);
}

static inline const char *operator_text(br_operator operator_)
{
    static const char *const names[BR_OP_COUNT] = {
        "+", "-", "*", "/", "%", "-", "&", "|", "<<", ">>", "~", "||", "=", "<>", "<", "<=", ">",
        ">=", "is", "is not", "and", "or", "not", "is null", "not null", "is true", "is false",
        "is not true", "is not false", "between", "in", "like", "glob",
    };
    return names[operator_];
}

static inline void put_expr(plan_text *out, const br_expr *expr);

static inline void put_list(plan_text *out, br_expr *const *list, uint32_t count,
                            const char *separator)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) put(out, "%s", separator);
        put_expr(out, list[i]);
    }
}

static inline void put_operator(plan_text *out, const br_expr *expr)
{
    static const char *const collations[] = {"", " nocase", " rtrim"};
    char separator[40];
    if (expr->arg_count == 1) {
        put(out, "%s(", operator_text(expr->operator_));
        put_expr(out, expr->args[0]);
    } else if (expr->operator_ >= BR_OP_BETWEEN) {
        put(out, "%s(", operator_text(expr->operator_));
        put_list(out, expr->args, expr->arg_count, ", ");
    } else {
        snprintf(separator, sizeof separator, " %s%s ", operator_text(expr->operator_),
                 collations[expr->collation]);
        put(out, "(");
        put_list(out, expr->args, expr->arg_count, separator);
    }
    put(out, ")");
}

static inline void put_expr(plan_text *out, const br_expr *expr)
{
    static const char *const affinities[] = {"none", "blob", "text", "numeric", "integer", "real"};
    const char *name = expr->kind == BR_EXPR_COLUMN ? out->names[expr->column_id] : NULL;
    switch (expr->kind) {
    case BR_EXPR_CONST: put_value(out, &expr->value); return;
    case BR_EXPR_COLUMN: put(out, "%s", name == NULL || *name == 0 ? "#" : name); return;
    case BR_EXPR_PARAMETER: put(out, "?%u", expr->parameter + 1); return;
    case BR_EXPR_SUBQUERY: put(out, "$%u", expr->subquery); return;
    case BR_EXPR_OPERATOR: put_operator(out, expr); return;
    case BR_EXPR_FUNCTION: put(out, "%s(", expr->function_name); break;
    case BR_EXPR_CASE: put(out, "case("); break;
    case BR_EXPR_CAST: put(out, "cast %s(", affinities[expr->affinity_to]); break;
    case BR_EXPR_AFFINITY: put(out, "as %s(", affinities[expr->affinity_to]); break;
    }
    put_list(out, expr->args, expr->arg_count, ", ");
    put(out, ")");
}

static inline void collect_names(plan_text *out, const br_plan *plan)
{
    if (plan->left != NULL) collect_names(out, plan->left);
    if (plan->right != NULL) collect_names(out, plan->right);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        uint32_t id = plan->columns[i].id;
        if (id < 2000 && out->names[id] == NULL) out->names[id] = plan->columns[i].name;
    }
}

static inline void put_plan(plan_text *out, const br_plan *plan);

static inline const char *aggregate_name(const br_aggregate *aggregate)
{
    static const char *const names[] = {"count", "count", "sum", "total", "avg", "min", "max",
                                        "group_concat", "json_group_array",
                                        "json_group_object", "quantile", "stddev_samp",
                                        "stddev_pop", "var_samp", "var_pop", "first", "arg_min",
                                        "arg_max"};
    return names[aggregate->kind];
}

static inline void put_aggregate(plan_text *out, const br_plan *plan)
{
    put(out, "; ");
    put_list(out, plan->aggregate.keys, plan->aggregate.key_count, ", ");
    put(out, ";");
    for (uint32_t i = 0; i < plan->aggregate.aggregate_count; i++) {
        const br_aggregate *aggregate = &plan->aggregate.aggregates[i];
        put(out, " %s(%s", aggregate_name(aggregate), aggregate->distinct ? "distinct " : "");
        put_list(out, aggregate->args, aggregate->arg_count, ", ");
        put(out, ")");
    }
}

static inline void put_join(plan_text *out, const br_plan *plan)
{
    for (uint32_t i = 0; i < plan->join.key_count; i++) {
        put(out, "; ");
        put_expr(out, plan->join.left_keys[i]);
        put(out, plan->join.null_safe[i] ? " is " : " = ");
        put_expr(out, plan->join.right_keys[i]);
    }
    if (plan->join.residual == NULL) return;
    put(out, "; on ");
    put_expr(out, plan->join.residual);
}

static inline void put_limit(plan_text *out, const br_expr *limit, const br_expr *offset)
{
    if (limit != NULL) {
        put(out, " limit ");
        put_expr(out, limit);
    }
    if (offset != NULL) {
        put(out, " offset ");
        put_expr(out, offset);
    }
}

static inline void put_keys(plan_text *out, const br_sort_key *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(out, i == 0 ? ": " : ", ");
        put_expr(out, keys[i].expression);
        if (keys[i].descending) put(out, " desc");
        if (keys[i].nulls_last != keys[i].descending) put(out, " nulls moved");
    }
}

static inline void put_bound(plan_text *out, br_frame_bound bound, const br_expr *offset)
{
    static const char *const names[] = {"start", "before", "row", "after", "end"};
    if (offset != NULL) put_expr(out, offset);
    put(out, "%s%s", offset == NULL ? "" : " ", names[bound]);
}

static inline void put_call(plan_text *out, const br_window_call *call)
{
    static const char *const names[] = {
        "", "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead",
        "first_value", "last_value", "nth_value"};
    static const char *const units[] = {"range", "rows", "groups"};
    static const char *const excluded[] = {"", " without row", " without group", " without ties"};
    bool is_aggregate = call->function == BR_WINDOW_AGGREGATE;
    const br_aggregate *aggregate = &call->aggregate;
    put(out, "; %s(", is_aggregate ? aggregate_name(aggregate) : names[call->function]);
    put_list(out, is_aggregate ? aggregate->args : call->args,
             is_aggregate ? aggregate->arg_count : call->arg_count, ", ");
    put(out, ")");
    if (aggregate->filter != NULL) put(out, " if ");
    if (aggregate->filter != NULL) put_expr(out, aggregate->filter);
    if (!is_aggregate && call->function < BR_WINDOW_FIRST_VALUE) return;
    put(out, " %s ", units[call->frame.unit]);
    put_bound(out, call->frame.start, call->frame.start_offset);
    put(out, " to ");
    put_bound(out, call->frame.end, call->frame.end_offset);
    put(out, "%s", excluded[call->frame.exclude]);
}

static inline void put_window(plan_text *out, const br_plan *plan)
{
    if (plan->window.partition_count > 0) put(out, " by ");
    put_list(out, plan->window.partitions, plan->window.partition_count, ", ");
    put_keys(out, plan->window.order_by, plan->window.order_count);
    for (uint32_t i = 0; i < plan->window.call_count; i++) put_call(out, &plan->window.calls[i]);
}

static inline void put_sort(plan_text *out, const br_plan *plan)
{
    put_keys(out, plan->sort.keys, plan->sort.key_count);
    put_limit(out, plan->sort.limit, plan->sort.offset);
}

static inline const char *plan_head(const br_plan *plan)
{
    static const char *const joins[] = {"join", "left", "full", "semi", "anti", "mark", "single"};
    static const char *const sets[] = {"union all", "union", "intersect", "except"};
    static const char *const kinds[] = {"scan", "values", "shared", "filter", "project",
                                        "aggregate", "", "sort", "limit", "", "window", "apply",
                                        "recursive", "working", "call"};
    if (plan->kind == BR_PLAN_JOIN) return joins[plan->join.join];
    if (plan->kind == BR_PLAN_SET) return sets[plan->set.set];
    return kinds[plan->kind];
}

static inline void put_plan(plan_text *out, const br_plan *plan)
{
    put(out, "%s", plan_head(plan));
    if (plan->kind == BR_PLAN_SCAN) {
        put(out, " %s", plan->scan.table_name);
        return;
    }
    if (plan->kind == BR_PLAN_SHARED || plan->kind == BR_PLAN_WORKING) {
        bool is_shared = plan->kind == BR_PLAN_SHARED;
        put(out, " %u", is_shared ? plan->shared.index : plan->working.index);
        return;
    }
    if (plan->kind == BR_PLAN_APPLY) put(out, " %u", plan->apply.index);
    if (plan->kind == BR_PLAN_CALL) put(out, " %s", plan->call.function->name);
    put(out, "(");
    if (plan->left != NULL) put_plan(out, plan->left);
    if (plan->right != NULL) put(out, ", ");
    if (plan->right != NULL) put_plan(out, plan->right);
    if (plan->kind == BR_PLAN_VALUES) put(out, "%u", plan->values.row_count);
    if (plan->kind == BR_PLAN_CALL) {
        put(out, ": ");
        put_list(out, plan->call.arguments, plan->call.argument_count, ", ");
    }
    if (plan->kind == BR_PLAN_FILTER) {
        put(out, ": ");
        put_expr(out, plan->filter.predicate);
    }
    if (plan->kind == BR_PLAN_PROJECT) {
        put(out, ": ");
        put_list(out, plan->project.expressions, plan->column_count, ", ");
    }
    if (plan->kind == BR_PLAN_AGGREGATE) put_aggregate(out, plan);
    if (plan->kind == BR_PLAN_JOIN) put_join(out, plan);
    if (plan->kind == BR_PLAN_WINDOW) put_window(out, plan);
    if (plan->kind == BR_PLAN_SORT) put_sort(out, plan);
    if (plan->kind == BR_PLAN_LIMIT) put_limit(out, plan->limit.limit, plan->limit.offset);
    put(out, ")");
}

#endif
