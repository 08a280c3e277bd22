// aggregate_plan.c - aggregates to expressions and states.
// SPDX-License-Identifier: Apache-2.0
#include "exec/aggregate_plan.h"

#include <string.h>

#include "base/assert.h"
#include "exec/scan_filter.h"

// Sums of numbers in this range cannot overflow: it would take 2^32 rows.
#define NARROW_MAX 2147483647ll

static bool same_value(const br_value *left, const br_value *right)
{
    if (left->class_ != right->class_) return false;
    if (left->class_ == BR_NULL) return true;
    if (left->class_ == BR_TEXT || left->class_ == BR_BLOB)
        return br_text_equal(left->text, right->text);
    return left->i64 == right->i64;  // for reals, the bits
}

static bool same_expr(const br_expr *left, const br_expr *right)
{
    if (left == right) return true;
    if (left->kind != right->kind || left->arg_count != right->arg_count ||
        left->operator_ != right->operator_ || left->function != right->function ||
        left->affinity_to != right->affinity_to || left->collation != right->collation ||
        left->column_id != right->column_id || left->parameter != right->parameter ||
        left->subquery != right->subquery ||
        left->assumes_no_overflow != right->assumes_no_overflow ||
        !same_value(&left->value, &right->value))
        return false;
    if (left->function_name != right->function_name &&
        (left->function_name == NULL || right->function_name == NULL ||
         strcmp(left->function_name, right->function_name) != 0))
        return false;
    for (uint32_t i = 0; i < left->arg_count; i++) {
        if (!same_expr(left->args[i], right->args[i])) return false;
    }
    return true;
}

// The number of the expression in the program; it is added when it is not there yet.
static uint32_t add_expression(br_aggregate_plan *out, const br_expr *expression)
{
    if (expression == NULL) return BR_STATE_NO_ARG;
    for (uint32_t i = out->key_count; i < out->expression_count; i++) {
        if (same_expr(out->expressions[i], expression)) return i;
    }
    out->expressions[out->expression_count] = expression;
    return out->expression_count++;
}

static bool same_state(const br_state_spec *left, const br_state_spec *right)
{
    return left->kind == right->kind && left->is_max == right->is_max &&
           left->collation == right->collation && left->arg == right->arg &&
           left->second_arg == right->second_arg && left->filter == right->filter &&
           left->keeps_nulls == right->keeps_nulls &&
           left->order_count == 0 && right->order_count == 0;
}

// The number of a state, shared with others of its kind that are updated from the same rows.
static uint32_t add_state(br_aggregate_plan *out, const br_state_spec *spec,
                          br_distinct_set *distinct)
{
    const bool *enabled = distinct != NULL ? distinct->enabled : out->from_rows;
    for (uint32_t i = 0; i < out->state_count; i++) {
        if (enabled[i] && same_state(&out->states[i], spec)) {
            out->states[i].is_checked |= spec->is_checked;
            return i;
        }
    }
    out->states[out->state_count] = *spec;
    if (distinct != NULL) distinct->enabled[out->state_count] = true;
    else out->from_rows[out->state_count] = true;
    return out->state_count++;
}

// ---- states of one aggregate -----------------------------------------------------------------

static bool is_only(unsigned mask, unsigned classes)
{
    return (mask & ~(classes | BR_MASK_NULL)) == 0;
}

static bool is_narrow(const br_type *type)
{
    return type->has_range && type->int_min >= -NARROW_MAX && type->int_max <= NARROW_MAX;
}

static br_state_kind sum_kind(const br_aggregate *aggregate)
{
    const br_type *type = &aggregate->args[0]->type;
    if (is_only(type->class_mask, BR_MASK_REAL)) return BR_STATE_SUM_REAL;
    if (!is_only(type->class_mask, BR_MASK_INT)) return BR_STATE_SUM_ANY;
    // AVG and TOTAL add doubles; exact integers are as good when they cannot overflow.
    return aggregate->kind == BR_AGG_SUM || is_narrow(type) ? BR_STATE_SUM_INT : BR_STATE_SUM_REAL;
}

static br_state_kind best_kind(unsigned mask)
{
    if (is_only(mask, BR_MASK_INT)) return BR_STATE_BEST_INT;
    if (is_only(mask, BR_MASK_REAL)) return BR_STATE_BEST_REAL;
    return is_only(mask, BR_MASK_TEXT) ? BR_STATE_BEST_TEXT : BR_STATE_BEST_ANY;
}

static br_state_kind state_kind(const br_aggregate *aggregate)
{
    switch (aggregate->kind) {
    case BR_AGG_SUM:
    case BR_AGG_TOTAL:
    case BR_AGG_AVG: return sum_kind(aggregate);
    case BR_AGG_MIN:
    case BR_AGG_MAX: return best_kind(aggregate->args[0]->type.class_mask);
    case BR_AGG_GROUP_CONCAT:
    case BR_AGG_JSON_ARRAY:
    case BR_AGG_JSON_OBJECT: return BR_STATE_CONCAT;
    case BR_AGG_QUANTILE: return BR_STATE_NUMBERS;
    case BR_AGG_STDDEV_SAMP:
    case BR_AGG_STDDEV_POP:
    case BR_AGG_VAR_SAMP:
    case BR_AGG_VAR_POP: return BR_STATE_MOMENTS;
    case BR_AGG_FIRST: return BR_STATE_FIRST;
    case BR_AGG_ARG_MIN:
    case BR_AGG_ARG_MAX: return BR_STATE_ARG_BEST;
    default: return BR_STATE_COUNT;
    }
}

// DISTINCT makes no difference to MIN and MAX, and lists see to it themselves.
static bool is_two_step(const br_aggregate *aggregate)
{
    br_state_kind kind = state_kind(aggregate);
    return aggregate->distinct && kind != BR_STATE_CONCAT &&
           (kind < BR_STATE_BEST_INT || kind > BR_STATE_BEST_ANY);
}

static br_status add_distinct(br_run *run, br_aggregate_plan *out, const br_aggregate *aggregate,
                              uint32_t states_max, br_distinct_set **set_out, br_error *err)
{
    uint32_t arg = add_expression(out, aggregate->args[0]);
    uint32_t filter = add_expression(out, aggregate->filter);
    for (uint32_t i = 0; i < out->distinct_count; i++) {
        *set_out = &out->distincts[i];
        if ((*set_out)->arg == arg && (*set_out)->filter == filter &&
            (*set_out)->collations[out->key_count] == aggregate->collation)
            return BR_OK;
    }
    br_distinct_set *set = &out->distincts[out->distinct_count++];
    set->arg = arg;
    set->filter = filter;
    set->collations = BR_ALLOC(run->arena, br_collation, out->key_count + 1);
    set->enabled = BR_ALLOC(run->arena, bool, states_max);
    if (set->collations == NULL || set->enabled == NULL)
        return br_run_no_memory(run, "aggregation", err);
    for (uint32_t i = 0; i < out->key_count; i++) set->collations[i] = out->key_collations[i];
    set->collations[out->key_count] = aggregate->collation;
    *set_out = set;
    return BR_OK;
}

static br_state_spec make_spec(br_aggregate_plan *out, const br_aggregate *aggregate,
                               bool is_distinct)
{
    br_state_spec spec = {.kind = state_kind(aggregate),
                          .arg = BR_STATE_NO_ARG,
                          .second_arg = BR_STATE_NO_ARG,
                          .filter = is_distinct ? BR_STATE_NO_ARG
                                                : add_expression(out, aggregate->filter)};
    if (aggregate->arg_count > 0) spec.arg = add_expression(out, aggregate->args[0]);
    if (spec.kind == BR_STATE_CONCAT || spec.kind == BR_STATE_ARG_BEST)
        spec.second_arg = aggregate->arg_count > 1 ? add_expression(out, aggregate->args[1])
                                                   : BR_STATE_NO_ARG;
    if (spec.kind == BR_STATE_BEST_ANY || spec.kind == BR_STATE_BEST_TEXT ||
        spec.kind == BR_STATE_ARG_BEST)
        spec.collation = aggregate->collation;
    spec.keeps_nulls =
        aggregate->kind == BR_AGG_JSON_ARRAY || aggregate->kind == BR_AGG_JSON_OBJECT;
    spec.is_max = aggregate->kind == BR_AGG_MAX || aggregate->kind == BR_AGG_ARG_MAX;
    if (spec.kind == BR_STATE_SUM_INT) spec.is_checked = !is_narrow(&aggregate->args[0]->type);
    if (spec.kind == BR_STATE_CONCAT && aggregate->order_count > 0) {
        spec.order_count = aggregate->order_count;
        spec.first_order = out->expression_count;  // side by side, even if known already
        for (uint32_t k = 0; k < aggregate->order_count; k++)
            out->expressions[out->expression_count++] = aggregate->order_by[k].expression;
    }
    return spec;
}

// The state that counts what went into a sum, when that is not known to be at least one value.
static uint32_t add_count(br_aggregate_plan *out, const br_aggregate *aggregate,
                          const br_state_spec *sum, br_distinct_set *distinct)
{
    bool is_nullable = aggregate->args[0]->type.class_mask & BR_MASK_NULL;
    bool is_needed = is_nullable || sum->filter != BR_STATE_NO_ARG || distinct != NULL ||
                     out->key_count == 0;
    if (aggregate->kind == BR_AGG_TOTAL || (aggregate->kind == BR_AGG_SUM && !is_needed))
        return BR_STATE_NO_ARG;
    br_state_spec count = {.kind = BR_STATE_COUNT,
                           .arg = is_nullable ? sum->arg : BR_STATE_NO_ARG,
                           .second_arg = BR_STATE_NO_ARG,
                           .filter = sum->filter};
    return add_state(out, &count, distinct);
}

static br_status add_aggregate(br_run *run, br_aggregate_plan *out, const br_aggregate *aggregate,
                               uint32_t states_max, br_error *err)
{
    br_distinct_set *distinct = NULL;
    if (is_two_step(aggregate))
        BR_TRY(add_distinct(run, out, aggregate, states_max, &distinct, err));
    br_state_spec spec = make_spec(out, aggregate, distinct != NULL);
    bool is_sum = aggregate->kind == BR_AGG_SUM || aggregate->kind == BR_AGG_TOTAL ||
                  aggregate->kind == BR_AGG_AVG;
    br_aggregate_output *output = &out->outputs[out->output_count++];
    *output = (br_aggregate_output){.aggregate = aggregate, .count_state = BR_STATE_NO_ARG};
    if (spec.kind == BR_STATE_COUNT &&
        (aggregate->kind == BR_AGG_COUNT_STAR ||
         (aggregate->args[0]->type.class_mask & BR_MASK_NULL) == 0))
        spec.arg = BR_STATE_NO_ARG;  // counts rows
    output->state = add_state(out, &spec, distinct);
    if (is_sum) output->count_state = add_count(out, aggregate, &spec, distinct);
    return BR_OK;
}

static void note_column(void *context, uint32_t column_id)
{
    (void)column_id;
    *(bool *)context = true;
}

static bool is_constant(const br_expr *expression)
{
    bool has_column = false;
    br_expr_columns(expression, note_column, &has_column);
    return !has_column && !expression->can_fail;
}

static br_status add_constant(br_run *run, const br_expr *key, br_vector *out, br_error *err)
{
    br_value *value = BR_ALLOC(run->arena, br_value, 1);
    if (value == NULL) return br_run_no_memory(run, "aggregation", err);
    BR_TRY(br_evaluate_constant(key, &run->expr_env, run->arena, value, err));
    *out = br_vector_const(value);
    return BR_OK;
}

// A constant among the keys does not make groups; but some key must, or there would be a group
// even without rows.
static br_status add_keys(br_run *run, const br_plan *plan, br_aggregate_plan *out, br_error *err)
{
    uint32_t count = plan->aggregate.key_count;
    for (uint32_t i = 0; i < count; i++) {
        const br_expr *key = plan->aggregate.keys[i];
        bool is_last = i + 1 == count && out->key_count == 0;
        out->key_of[i] = BR_STATE_NO_ARG;
        if (is_constant(key) && !is_last) {
            BR_TRY(add_constant(run, key, &out->constants[i], err));
            continue;
        }
        out->key_of[i] = out->key_count;
        out->expressions[out->key_count] = key;
        if (plan->aggregate.key_collations != NULL)
            out->key_collations[out->key_count] = plan->aggregate.key_collations[i];
        out->key_count++;
    }
    out->expression_count = out->key_count;
    return BR_OK;
}

br_status br_aggregate_plan_make(br_run *run, const br_plan *plan, br_aggregate_plan *out,
                                 br_error *err)
{
    uint32_t key_count = plan->aggregate.key_count, count = plan->aggregate.aggregate_count;
    uint32_t expressions_max = key_count + 3 * count, states_max = 2 * count + 1;
    for (uint32_t i = 0; i < count; i++)
        expressions_max += plan->aggregate.aggregates[i].order_count;
    *out = (br_aggregate_plan){0};
    out->key_of = BR_ALLOC(run->arena, uint32_t, key_count);
    out->constants = BR_ALLOC(run->arena, br_vector, key_count);
    out->key_collations = BR_ALLOC(run->arena, br_collation, key_count);
    out->expressions = BR_ALLOC(run->arena, const br_expr *, expressions_max);
    out->states = BR_ALLOC(run->arena, br_state_spec, states_max);
    out->from_rows = BR_ALLOC(run->arena, bool, states_max);
    out->outputs = BR_ALLOC(run->arena, br_aggregate_output, count);
    out->distincts = BR_ALLOC(run->arena, br_distinct_set, count);
    if (out->key_of == NULL || out->constants == NULL || out->key_collations == NULL ||
        out->expressions == NULL || out->states == NULL || out->from_rows == NULL ||
        out->outputs == NULL || out->distincts == NULL)
        return br_run_no_memory(run, "aggregation", err);
    BR_TRY(add_keys(run, plan, out, err));
    for (uint32_t i = 0; i < count; i++) {
        BR_TRY(add_aggregate(run, out, &plan->aggregate.aggregates[i], states_max, err));
    }
    br_assert(out->expression_count <= expressions_max && out->state_count <= states_max);
    return BR_OK;
}
