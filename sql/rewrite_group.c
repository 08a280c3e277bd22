// Groups and orders with less to do: sort keys, keys of groups and sums that follow from others,
// DISTINCT of rows that differ anyway.
//
// A column is *determined* by others when rows that agree in those agree in it: all columns of a
// table by its key, the other side of an equality, what a filter has fixed, what is computed from
// determined columns (functional dependencies, as in Paulley and Larson 1994).
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"
#include "sql/rewrite.h"

// Do equal values of this key look the same? Others (1 and 1.0, texts under a collation) determine
// nothing.
static bool is_exact(const br_expr *expr, br_collation collation)
{
    unsigned mask = expr->type.class_mask;
    if ((mask & BR_MASK_REAL) != 0) return false;
    return (mask & BR_MASK_TEXT) == 0 || collation == BR_COLLATION_BINARY;
}

static bool is_plain(const br_expr *expr, br_collation collation)
{
    return expr->kind == BR_EXPR_COLUMN && is_exact(expr, collation);
}

// ---- what follows from what ------------------------------------------------------------------

typedef struct closure {
    br_rewrite *rewrite;
    uint32_t stamp;  // the determined columns are those of this set
    bool grew;
} closure;

static bool is_determined(const closure *self, uint32_t id)
{
    return self->rewrite->owners[id] == self->stamp;
}

static void determine(closure *self, uint32_t id)
{
    if (is_determined(self, id)) return;
    self->rewrite->owners[id] = self->stamp;
    self->grew = true;
}

static void determine_all(closure *self, const br_plan *plan)
{
    for (uint32_t i = 0; i < plan->column_count; i++) determine(self, plan->columns[i].id);
}

static bool expr_is_determined(const closure *self, const br_expr *expr)
{
    if (expr->kind == BR_EXPR_COLUMN) return is_determined(self, expr->column_id);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!expr_is_determined(self, expr->args[i])) return false;
    return true;
}

static bool has_key_column(const closure *self, const br_plan *scan, uint32_t column)
{
    for (uint32_t i = 0; i < scan->column_count; i++) {
        bool is_null_free = (scan->columns[i].type.class_mask & BR_MASK_NULL) == 0;
        if (scan->scan.table_columns[i] == column && is_null_free &&
            is_determined(self, scan->columns[i].id))
            return true;
    }
    return false;
}

// Are the columns of a key of the table among the determined ones? None of them may be NULL: rows
// may agree in NULLs.
static bool has_key(const closure *self, const br_plan *scan)
{
    if (has_key_column(self, scan, BR_SCAN_KEY)) return true;
    const br_sql_table *table = br_scan_table(self->rewrite, scan);
    for (uint32_t i = 0; table != NULL && i < table->unique_count; i++) {
        const int32_t *key = table->unique_keys[i];
        while (*key >= 0 && has_key_column(self, scan, (uint32_t)*key)) key++;
        if (*key < 0) return true;
    }
    for (uint32_t i = 0; table != NULL && i < table->column_count; i++)
        if (table->columns[i].is_rowid && has_key_column(self, scan, i)) return true;
    return false;
}

// column = constant, where rows that fail the condition are gone for good.
static void close_constant(closure *self, const br_expr *condition)
{
    if (condition->kind != BR_EXPR_OPERATOR || condition->operator_ != BR_OP_EQ) return;
    for (uint32_t side = 0; side < 2; side++) {
        const br_expr *column = condition->args[side];
        if (is_plain(column, condition->collation) &&
            br_expr_is_constant(condition->args[1 - side]))
            determine(self, column->column_id);
    }
}

// Both sides of an equality that all rows pass; rows without a partner have NULLs on both.
static void close_equality(closure *self, const br_plan *join, uint32_t key)
{
    const br_expr *left = join->join.left_keys[key], *right = join->join.right_keys[key];
    br_collation collation = join->join.key_collations[key];
    if (!is_plain(left, collation) || !is_plain(right, collation)) return;
    if (left->type.class_mask != right->type.class_mask &&
        ((left->type.class_mask | right->type.class_mask) & ~(unsigned)BR_MASK_NULL) !=
            BR_MASK_INT)
        return;
    if (is_determined(self, left->column_id)) determine(self, right->column_id);
    if (is_determined(self, right->column_id)) determine(self, left->column_id);
}

// `keeps` is false below an outer join that may replace the rows by NULLs.
static void close_plan(closure *self, const br_plan *plan, bool keeps);

static void close_join(closure *self, const br_plan *join, bool keeps)
{
    br_join_kind kind = join->join.join;
    bool is_outer = kind == BR_JOIN_LEFT || kind == BR_JOIN_SINGLE || kind == BR_JOIN_FULL;
    close_plan(self, join->left, keeps && kind != BR_JOIN_FULL);
    if (kind != BR_JOIN_INNER && !is_outer) return;  // only left columns come out
    close_plan(self, join->right, keeps && !is_outer);
    for (uint32_t i = 0; kind == BR_JOIN_INNER && i < join->join.key_count; i++)
        close_equality(self, join, i);
}

// The keys tell the group. Where an outer join may replace it by NULLs, one of them must tell that
// apart from the group.
static bool is_group_determined(const closure *self, const br_plan *plan, bool keeps)
{
    bool has_null_free = false;
    for (uint32_t i = 0; i < plan->aggregate.key_count; i++) {
        if (!is_determined(self, plan->columns[i].id)) return false;
        if ((plan->columns[i].type.class_mask & BR_MASK_NULL) == 0) has_null_free = true;
    }
    return keeps || has_null_free;
}

static void close_plan(closure *self, const br_plan *plan, bool keeps)
{
    switch (plan->kind) {
    case BR_PLAN_SCAN:
        for (uint32_t i = 0; keeps && i < plan->scan.filter_count; i++)
            close_constant(self, plan->scan.filters[i]);
        if (has_key(self, plan)) determine_all(self, plan);
        break;
    case BR_PLAN_JOIN: close_join(self, plan, keeps); break;
    case BR_PLAN_AGGREGATE:
        if (is_group_determined(self, plan, keeps)) determine_all(self, plan);
        break;
    case BR_PLAN_PROJECT:
        close_plan(self, plan->left, keeps);
        for (uint32_t i = 0; keeps && i < plan->column_count; i++)
            if (expr_is_determined(self, plan->project.expressions[i]))
                determine(self, plan->columns[i].id);
        break;
    case BR_PLAN_FILTER:
    case BR_PLAN_SORT:
    case BR_PLAN_WINDOW:
    case BR_PLAN_LIMIT: close_plan(self, plan->left, keeps); break;
    default: break;
    }
}

static void close_all(closure *self, const br_plan *plan)
{
    do {
        self->grew = false;
        close_plan(self, plan, true);
    } while (self->grew);
}

// ---- orders ----------------------------------------------------------------------------------

// A sort key that is the same in all rows that agree in the keys before it decides nothing.
static void reduce_order(br_rewrite *rewrite, br_plan *plan)
{
    uint32_t kept = 0;
    closure self = {.rewrite = rewrite, .stamp = ++rewrite->stamp};
    for (uint32_t i = 0; i < plan->sort.key_count; i++) {
        const br_sort_key *key = &plan->sort.keys[i];
        close_all(&self, plan->left);
        bool follows = key->expression->kind == BR_EXPR_COLUMN &&
                       is_determined(&self, key->expression->column_id);
        bool is_last_resort = kept == 0 && i + 1 == plan->sort.key_count;
        if (follows && !is_last_resort) continue;
        if (is_plain(key->expression, key->collation))
            determine(&self, key->expression->column_id);
        plan->sort.keys[kept++] = *key;
    }
    plan->sort.key_count = kept;
}

// ---- DISTINCT --------------------------------------------------------------------------------

// DISTINCT over rows that differ already only picks columns.
static br_status drop_distinct(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *distinct = *plan;
    uint32_t stamp = ++rewrite->stamp;
    for (uint32_t i = 0; i < distinct->aggregate.key_count; i++) {
        const br_expr *key = distinct->aggregate.keys[i];
        bool is_null_free = (key->type.class_mask & BR_MASK_NULL) == 0;
        if (is_null_free && is_plain(key, distinct->aggregate.key_collations[i]))
            rewrite->owners[key->column_id] = stamp;
    }
    if (!br_plan_is_unique(rewrite, distinct->left, stamp)) return BR_OK;
    br_plan *project = BR_ALLOC(rewrite->arena, br_plan, 1);
    BR_NEED_NODE(project, err);
    *project = (br_plan){.kind = BR_PLAN_PROJECT,
                         .left = distinct->left,
                         .column_count = distinct->column_count,
                         .columns = distinct->columns,
                         .project = {.expressions = distinct->aggregate.keys}};
    br_estimate_node(rewrite, project);
    *plan = project;
    return BR_OK;
}

// ---- sums ------------------------------------------------------------------------------------

// sum(x + c) = sum(x) + c * count(x): many sums over one x need two (ClickBench has ninety).
typedef struct shifted_sum {
    br_expr *base;   // x; NULL: no such sum
    int64_t shift;   // c
} shifted_sum;

static const int64_t shift_max = INT64_C(1) << 31;  // sums of fewer than 2^31 rows cannot overflow

static bool is_small(const br_expr *expr)
{
    const br_type *type = &expr->type;
    bool is_int = (type->class_mask & ~(unsigned)BR_MASK_NULL) == BR_MASK_INT;
    return is_int && type->has_range && type->int_min >= -shift_max &&
           type->int_max <= shift_max && !expr->assumes_no_overflow && !expr->can_fail;
}

static bool is_shift(const br_expr *expr)
{
    return expr->kind == BR_EXPR_CONST && expr->value.class_ == BR_INT &&
           expr->value.i64 >= -shift_max && expr->value.i64 <= shift_max;
}

static shifted_sum sum_of(const br_aggregate *aggregate)
{
    const shifted_sum none = {0};
    if (aggregate->kind != BR_AGG_SUM || aggregate->distinct || aggregate->filter != NULL ||
        aggregate->order_count > 0)
        return none;
    br_expr *arg = aggregate->args[0];
    bool is_add = arg->kind == BR_EXPR_OPERATOR && arg->operator_ == BR_OP_ADD;
    bool is_sub = arg->kind == BR_EXPR_OPERATOR && arg->operator_ == BR_OP_SUB;
    if (is_add && is_shift(arg->args[0]) && is_small(arg->args[1]))
        return (shifted_sum){.base = arg->args[1], .shift = arg->args[0]->value.i64};
    if ((is_add || is_sub) && is_shift(arg->args[1]) && is_small(arg->args[0])) {
        int64_t shift = arg->args[1]->value.i64;
        return (shifted_sum){.base = arg->args[0], .shift = is_add ? shift : -shift};
    }
    return is_small(arg) ? (shifted_sum){.base = arg} : none;
}

// Other sums over the same x with a shift, this one included.
static uint32_t count_shifted(const br_plan *plan, const br_expr *base)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->aggregate.aggregate_count; i++) {
        shifted_sum sum = sum_of(&plan->aggregate.aggregates[i]);
        count += sum.base != NULL && sum.shift != 0 && br_expr_equal(sum.base, base);
    }
    return count;
}

typedef struct sum_rewrite {
    br_rewrite *rewrite;
    br_plan *from, *to;     // the aggregates: as it was, and as it gets
    br_expr **expressions;  // of the PROJECT above
} sum_rewrite;

// The new aggregate's column with this aggregate; added when there is none yet.
static br_status take_aggregate(sum_rewrite *self, br_aggregate_kind kind, br_expr *arg,
                                const br_plan_column **column_out, br_error *err)
{
    br_plan *to = self->to;
    br_aggregate wanted = {.kind = kind, .arg_count = arg == NULL ? 0 : 1, .args = {arg}};
    uint32_t key_count = to->aggregate.key_count;
    for (uint32_t i = 0; i < to->aggregate.aggregate_count; i++) {
        const br_aggregate *there = &to->aggregate.aggregates[i];
        bool is_plain_call = there->kind == kind && !there->distinct && there->filter == NULL;
        if (!is_plain_call || (arg != NULL && !br_expr_equal(there->args[0], arg))) continue;
        *column_out = &to->columns[key_count + i];
        return BR_OK;
    }
    br_plan_column *column = &to->columns[to->column_count++];
    *column = (br_plan_column){.id = br_rewrite_new_id(self->rewrite),
                               .type = br_type_aggregate(&wanted, key_count > 0)};
    if (column->id == 0) return br_fail(err, BR_NOMEM, "no memory to optimise");
    to->aggregate.aggregates[to->aggregate.aggregate_count++] = wanted;
    *column_out = column;
    return BR_OK;
}

static br_status shifted_expr(sum_rewrite *self, const shifted_sum *sum, br_expr **out,
                              br_error *err)
{
    br_arena *arena = self->rewrite->arena;
    const br_plan_column *total, *count;
    bool has_nulls = (sum->base->type.class_mask & BR_MASK_NULL) != 0;
    BR_TRY(take_aggregate(self, BR_AGG_SUM, sum->base, &total, err));
    BR_TRY(take_aggregate(self, has_nulls ? BR_AGG_COUNT : BR_AGG_COUNT_STAR,
                          has_nulls ? sum->base : NULL, &count, err));
    br_expr *shift = br_expr_const(arena, br_value_int(sum->shift));
    br_expr *totals = br_expr_column(arena, total), *counts = br_expr_column(arena, count);
    BR_NEED_NODE(shift, err);
    BR_NEED_NODE(totals, err);
    BR_NEED_NODE(counts, err);
    br_expr *product = br_expr_operator(arena, BR_OP_MUL, shift, counts);
    BR_NEED_NODE(product, err);
    br_type_operator(product, false);
    *out = br_expr_operator(arena, BR_OP_ADD, totals, product);
    BR_NEED_NODE(*out, err);
    br_type_operator(*out, false);
    return BR_OK;
}

static br_status rewrite_call(sum_rewrite *self, uint32_t index, br_error *err)
{
    const br_plan *from = self->from;
    const br_aggregate *aggregate = &from->aggregate.aggregates[index];
    const br_plan_column *column = &from->columns[from->aggregate.key_count + index];
    br_expr **expression = &self->expressions[from->aggregate.key_count + index];
    shifted_sum sum = sum_of(aggregate);
    bool is_shifted = sum.base != NULL && sum.shift != 0 && count_shifted(from, sum.base) > 1;
    if (is_shifted) return shifted_expr(self, &sum, expression, err);
    br_plan *to = self->to;
    to->columns[to->column_count++] = *column;
    to->aggregate.aggregates[to->aggregate.aggregate_count++] = *aggregate;
    *expression = br_expr_column(self->rewrite->arena, column);
    BR_NEED_NODE(*expression, err);
    return BR_OK;
}

static br_status new_aggregate(br_rewrite *rewrite, const br_plan *from, br_plan **out,
                               br_error *err)
{
    // Each sum becomes at most two aggregates.
    uint32_t room = 2 * from->aggregate.aggregate_count;
    br_plan *to = br_arena_copy(rewrite->arena, from, sizeof *from);
    br_plan_column *columns =
        BR_ALLOC(rewrite->arena, br_plan_column, from->aggregate.key_count + room);
    br_aggregate *aggregates = BR_ALLOC(rewrite->arena, br_aggregate, room);
    BR_NEED_NODE(to, err);
    BR_NEED_NODE(columns, err);
    BR_NEED_NODE(aggregates, err);
    if (from->aggregate.key_count > 0)
        memcpy(columns, from->columns, from->aggregate.key_count * sizeof *columns);
    to->columns = columns;
    to->column_count = from->aggregate.key_count;
    to->aggregate.aggregates = aggregates;
    to->aggregate.aggregate_count = 0;
    *out = to;
    return BR_OK;
}

static br_status share_sums(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *from = *plan;
    bool pays = false;
    for (uint32_t i = 0; i < from->aggregate.aggregate_count && !pays; i++) {
        shifted_sum sum = sum_of(&from->aggregate.aggregates[i]);
        pays = sum.base != NULL && sum.shift != 0 && count_shifted(from, sum.base) > 1;
    }
    if (!pays || !br_rewrite_has_ids(rewrite, 2 * from->aggregate.aggregate_count)) return BR_OK;
    sum_rewrite self = {.rewrite = rewrite, .from = from};
    BR_TRY(new_aggregate(rewrite, from, &self.to, err));
    br_plan *project = BR_ALLOC(rewrite->arena, br_plan, 1);
    self.expressions = BR_ALLOC(rewrite->arena, br_expr *, from->column_count);
    BR_NEED_NODE(project, err);
    BR_NEED_NODE(self.expressions, err);
    for (uint32_t i = 0; i < from->aggregate.key_count; i++) {
        self.expressions[i] = br_expr_column(rewrite->arena, &from->columns[i]);
        BR_NEED_NODE(self.expressions[i], err);
    }
    for (uint32_t i = 0; i < from->aggregate.aggregate_count; i++)
        BR_TRY(rewrite_call(&self, i, err));
    *project = (br_plan){.kind = BR_PLAN_PROJECT,
                         .left = self.to,
                         .column_count = from->column_count,
                         .columns = from->columns,
                         .project = {.expressions = self.expressions}};
    br_estimate_node(rewrite, self.to);
    br_estimate_node(rewrite, project);
    *plan = project;
    return BR_OK;
}

// ---- keys of groups --------------------------------------------------------------------------

enum { GROUP_KEYS_MAX = 64 };

typedef struct key_choice {
    uint32_t order[GROUP_KEYS_MAX];  // in which keys are looked at: those that are unique first
    bool follows[GROUP_KEYS_MAX];
    uint32_t kept;
} key_choice;

static bool is_unique_key(const br_rewrite *rewrite, const br_expr *key)
{
    return key->kind == BR_EXPR_COLUMN && rewrite->facts[key->column_id].is_unique;
}

static void order_keys(const br_rewrite *rewrite, const br_plan *plan, key_choice *choice)
{
    uint32_t count = 0;
    for (uint32_t wanted = 2; wanted-- > 0;)
        for (uint32_t i = 0; i < plan->aggregate.key_count; i++)
            if (is_unique_key(rewrite, plan->aggregate.keys[i]) == (wanted == 1))
                choice->order[count++] = i;
}

static void choose_keys(br_rewrite *rewrite, const br_plan *plan, key_choice *choice)
{
    closure self = {.rewrite = rewrite, .stamp = ++rewrite->stamp};
    uint32_t count = plan->aggregate.key_count;
    order_keys(rewrite, plan, choice);
    close_all(&self, plan->left);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t i = choice->order[k];
        const br_expr *key = plan->aggregate.keys[i];
        bool is_last_resort = choice->kept == 0 && k + 1 == count;
        choice->follows[i] = key->kind == BR_EXPR_COLUMN && !is_last_resort &&
                             is_determined(&self, key->column_id);
        if (choice->follows[i]) continue;
        choice->kept++;
        if (!is_plain(key, plan->aggregate.key_collations[i])) continue;
        determine(&self, key->column_id);
        close_all(&self, plan->left);
    }
}

// The node with fewer keys: kept ones, the aggregates, and the value of each other key in the first
// row of its group.
static br_status group_by_fewer(br_rewrite *rewrite, const br_plan *from,
                                const key_choice *choice, br_plan *to, br_error *err)
{
    uint32_t keys = from->aggregate.key_count, count = from->aggregate.aggregate_count, kept = 0;
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, from->column_count);
    br_aggregate *aggregates = BR_ALLOC(rewrite->arena, br_aggregate, keys + count);
    to->aggregate.keys = BR_ALLOC(rewrite->arena, br_expr *, choice->kept);
    to->aggregate.key_collations = BR_ALLOC(rewrite->arena, br_collation, choice->kept);
    BR_NEED_NODE(columns, err);
    BR_NEED_NODE(aggregates, err);
    BR_NEED_NODE(to->aggregate.keys, err);
    BR_NEED_NODE(to->aggregate.key_collations, err);
    if (count > 0) {
        memcpy(aggregates, from->aggregate.aggregates, count * sizeof *aggregates);
        memcpy(columns + choice->kept, from->columns + keys, count * sizeof *columns);
    }
    for (uint32_t i = 0; i < keys; i++) {
        br_expr *key = from->aggregate.keys[i];
        uint32_t place = choice->follows[i] ? choice->kept + count : kept;
        columns[place] = from->columns[i];
        if (choice->follows[i]) {
            aggregates[count++] =
                (br_aggregate){.kind = BR_AGG_FIRST, .arg_count = 1, .args = {key}};
            continue;
        }
        to->aggregate.keys[kept] = key;
        to->aggregate.key_collations[kept++] = from->aggregate.key_collations[i];
    }
    to->columns = columns;
    to->aggregate.key_count = kept;
    to->aggregate.aggregates = aggregates;
    to->aggregate.aggregate_count = count;
    return BR_OK;
}

// Keys that are the same in all rows that agree in the others make no more groups.
static br_status drop_keys(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *from = *plan;
    key_choice choice = {0};
    if (from->aggregate.key_count < 2 || from->aggregate.key_count > GROUP_KEYS_MAX) return BR_OK;
    choose_keys(rewrite, from, &choice);
    if (choice.kept == from->aggregate.key_count) return BR_OK;
    br_plan *to = br_arena_copy(rewrite->arena, from, sizeof *from);
    br_plan *project = BR_ALLOC(rewrite->arena, br_plan, 1);
    br_expr **expressions = BR_ALLOC(rewrite->arena, br_expr *, from->column_count);
    BR_NEED_NODE(to, err);
    BR_NEED_NODE(project, err);
    BR_NEED_NODE(expressions, err);
    BR_TRY(group_by_fewer(rewrite, from, &choice, to, err));
    for (uint32_t i = 0; i < from->column_count; i++) {
        expressions[i] = br_expr_column(rewrite->arena, &from->columns[i]);
        BR_NEED_NODE(expressions[i], err);
    }
    *project = (br_plan){.kind = BR_PLAN_PROJECT,
                         .left = to,
                         .column_count = from->column_count,
                         .columns = from->columns,
                         .project = {.expressions = expressions}};
    br_estimate_node(rewrite, to);
    br_estimate_node(rewrite, project);
    *plan = project;
    return BR_OK;
}

// ---- all -------------------------------------------------------------------------------------

br_status br_reduce_groups(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *self = *plan;
    if (self->left != NULL) BR_TRY(br_reduce_groups(rewrite, &self->left, err));
    if (self->right != NULL) BR_TRY(br_reduce_groups(rewrite, &self->right, err));
    if (self->kind == BR_PLAN_SORT) reduce_order(rewrite, self);
    if (self->kind != BR_PLAN_AGGREGATE) return BR_OK;
    bool is_distinct = self->aggregate.aggregate_count == 0 && self->aggregate.key_count > 0;
    if (is_distinct) BR_TRY(drop_distinct(rewrite, plan, err));
    if ((*plan)->kind != BR_PLAN_AGGREGATE) return BR_OK;
    BR_TRY(share_sums(rewrite, plan, err));
    return drop_keys(rewrite, (*plan)->kind == BR_PLAN_AGGREGATE ? plan : &(*plan)->left, err);
}
