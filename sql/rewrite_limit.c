// LIMIT and Top-N go down: of the left side of a join that keeps every left row, and of each arm of
// UNION ALL, no more than the first rows are wanted.
//
// The node above stays. The one below gives the rows that it may want, skipped ones included
// (is_partial).
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"
#include "sql/rewrite.h"

static bool is_top(const br_plan *plan)
{
    return plan->kind == BR_PLAN_LIMIT ? plan->limit.limit != NULL
                                       : plan->kind == BR_PLAN_SORT && plan->sort.limit != NULL;
}

// Does every left row come out, at least once, in its order?
static bool keeps_left(const br_plan *plan)
{
    switch (plan->kind) {
    case BR_PLAN_JOIN:
        return plan->join.join == BR_JOIN_LEFT || plan->join.join == BR_JOIN_SINGLE ||
               plan->join.join == BR_JOIN_MARK;
    case BR_PLAN_APPLY: return plan->apply.keeps_unmatched;
    case BR_PLAN_CALL: return plan->call.keeps_unmatched;
    default: return false;
    }
}

static const br_plan *skip_projects(const br_plan *plan)
{
    while (plan->kind == BR_PLAN_PROJECT) plan = plan->left;
    return plan;
}

// Can the sort keys be computed, and give the same, before what the join adds?
static bool keys_come_from(br_rewrite *rewrite, const br_plan *top, const br_plan *input)
{
    if (top->kind != BR_PLAN_SORT) return true;
    uint32_t stamp = br_mark_outputs(rewrite, input);
    for (uint32_t i = 0; i < top->sort.key_count; i++) {
        bool outside = false;
        const br_expr *key = top->sort.keys[i].expression;
        br_expr_sets(rewrite, key, stamp, 1, &outside);
        if (outside || br_expr_is_volatile(key)) return false;
    }
    return true;
}

static br_status push_top(br_rewrite *rewrite, br_plan *top, br_error *err);

// Puts a copy of `top` over *input, whose keys read as `keys`, unless that spares no rows.
static br_status add_partial(br_rewrite *rewrite, const br_plan *top, br_sort_key *keys,
                             br_plan **input, br_error *err)
{
    if (is_top(*input)) return BR_OK;
    br_plan *node = br_arena_copy(rewrite->arena, top, sizeof *top);
    BR_NEED_NODE(node, err);
    node->left = *input;
    if (node->kind == BR_PLAN_SORT) {
        node->sort.keys = keys;
        node->sort.is_partial = true;
    } else {
        node->limit.is_partial = true;
    }
    BR_TRY(br_plan_refresh(rewrite, node, err));
    br_estimate_node(rewrite, node);
    if (node->rows >= (*input)->rows) return BR_OK;
    *input = node;
    BR_TRY(br_defer_project(rewrite, input, err));
    return push_top(rewrite, node, err);
}

static br_status copy_keys(br_rewrite *rewrite, const br_plan *top, br_sort_key **keys_out,
                           br_error *err)
{
    *keys_out = NULL;
    if (top->kind != BR_PLAN_SORT) return BR_OK;
    *keys_out = br_arena_copy(rewrite->arena, top->sort.keys,
                              top->sort.key_count * sizeof **keys_out);
    BR_NEED_NODE(*keys_out, err);
    return BR_OK;
}

static br_status push_left(br_rewrite *rewrite, const br_plan *top, br_plan *node, br_error *err)
{
    br_sort_key *keys;
    if (!keys_come_from(rewrite, top, node->left)) return BR_OK;
    BR_TRY(copy_keys(rewrite, top, &keys, err));
    BR_TRY(add_partial(rewrite, top, keys, &node->left, err));
    br_estimate_node(rewrite, node);
    if (node->kind == BR_PLAN_JOIN) br_join_choose_build(node);
    return BR_OK;
}

// A LIMIT alone does not need to stop rows that come one after the other: the one above does.
static bool pays_in_arm(const br_plan *top, const br_plan *arm)
{
    arm = skip_projects(arm);
    return top->kind == BR_PLAN_SORT || keeps_left(arm) ||
           (arm->kind == BR_PLAN_SET && arm->set.set == BR_SET_UNION_ALL);
}

static br_status push_arm(br_rewrite *rewrite, const br_plan *top, const br_plan *set,
                          br_plan **arm, br_error *err)
{
    br_sort_key *keys;
    if (!pays_in_arm(top, *arm)) return BR_OK;
    BR_TRY(copy_keys(rewrite, top, &keys, err));
    for (uint32_t i = 0; i < set->column_count; i++) {
        br_expr *column = br_expr_column(rewrite->arena, &(*arm)->columns[i]);
        BR_NEED_NODE(column, err);
        rewrite->substitutes[set->columns[i].id] = column;
    }
    br_status status = BR_OK;
    for (uint32_t i = 0; keys != NULL && i < top->sort.key_count && status == BR_OK; i++)
        status = br_expr_substitute(rewrite, keys[i].expression, &keys[i].expression, err);
    for (uint32_t i = 0; i < set->column_count; i++)
        rewrite->substitutes[set->columns[i].id] = NULL;
    BR_TRY(status);
    return add_partial(rewrite, top, keys, arm, err);
}

static bool has_volatile_key(const br_plan *top)
{
    for (uint32_t i = 0; top->kind == BR_PLAN_SORT && i < top->sort.key_count; i++)
        if (br_expr_is_volatile(top->sort.keys[i].expression)) return true;
    return false;
}

static void estimate_chain(br_rewrite *rewrite, br_plan *plan, const br_plan *end)
{
    if (plan == end) return;
    estimate_chain(rewrite, plan->left, end);
    br_estimate_node(rewrite, plan);
}

static br_status push_top(br_rewrite *rewrite, br_plan *top, br_error *err)
{
    br_plan *node = top->left;
    while (top->kind == BR_PLAN_LIMIT && node->kind == BR_PLAN_PROJECT) node = node->left;
    if (keeps_left(node)) {
        BR_TRY(push_left(rewrite, top, node, err));
    } else if (node->kind == BR_PLAN_SET && node->set.set == BR_SET_UNION_ALL &&
               !has_volatile_key(top)) {
        BR_TRY(push_arm(rewrite, top, node, &node->left, err));
        BR_TRY(push_arm(rewrite, top, node, &node->right, err));
        br_estimate_node(rewrite, node);
    }
    estimate_chain(rewrite, top, node);
    return BR_OK;
}

static bool is_zero(const br_expr *limit)
{
    return limit->kind == BR_EXPR_CONST && limit->value.class_ == BR_INT && limit->value.i64 == 0;
}

br_status br_push_limits(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *self = *plan;
    if (is_top(self)) {
        const br_expr *limit =
            self->kind == BR_PLAN_LIMIT ? self->limit.limit : self->sort.limit;
        if (is_zero(limit)) return br_make_empty(rewrite, plan, err);
        BR_TRY(push_top(rewrite, self, err));
    }
    if (self->left != NULL) BR_TRY(br_push_limits(rewrite, &self->left, err));
    return self->right == NULL ? BR_OK : br_push_limits(rewrite, &self->right, err);
}
