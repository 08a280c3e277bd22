// SPDX-License-Identifier: Apache-2.0
#include "sql/join_graph.h"

#include "sql/bind.h"

// ---- gathering -------------------------------------------------------------------------------

static br_status add_condition(br_join_graph *graph, br_expr *condition, br_error *err)
{
    br_conjuncts parts = {0};
    BR_TRY(br_conjuncts_split(graph->rewrite, &parts, condition, err));
    for (uint32_t i = 0; i < parts.count; i++) {
        br_conjuncts *list = parts.items[i]->can_fail ? &graph->failing : &graph->pool;
        BR_TRY(br_conjuncts_add(graph->rewrite, list, parts.items[i], err));
    }
    return BR_OK;
}

// Keys and residual of an inner join as conditions.
static br_status add_join_conditions(br_join_graph *graph, const br_plan *join, br_error *err)
{
    for (uint32_t i = 0; i < join->join.key_count; i++) {
        br_expr *equal = br_expr_operator(graph->rewrite->arena,
                                          join->join.null_safe[i] ? BR_OP_IS : BR_OP_EQ,
                                          join->join.left_keys[i], join->join.right_keys[i]);
        BR_NEED_NODE(equal, err);
        equal->collation = join->join.key_collations[i];
        BR_TRY(add_condition(graph, equal, err));
    }
    return join->join.residual == NULL ? BR_OK
                                       : add_condition(graph, join->join.residual, err);
}

// Conditions of a SEMI join on its left side alone are the graph's.
static br_status add_semi(br_join_graph *graph, br_plan *join, br_error *err)
{
    br_rewrite *rewrite = graph->rewrite;
    br_graph_semi *grown =
        br_grow(rewrite->arena, graph->semis, graph->semi_count, sizeof *grown);
    BR_NEED_NODE(grown, err);
    graph->semis = grown;
    grown[graph->semi_count++] = (br_graph_semi){.join = join};
    if (join->join.join != BR_JOIN_SEMI || join->join.residual == NULL) return BR_OK;
    br_conjuncts parts = {0}, kept = {0};
    uint32_t stamp = br_mark_outputs(rewrite, join->right);
    BR_TRY(br_conjuncts_split(rewrite, &parts, join->join.residual, err));
    for (uint32_t i = 0; i < parts.count; i++) {
        bool outside = false;
        bool inside = br_expr_sets(rewrite, parts.items[i], stamp, 1, &outside) != 0;
        bool is_left = outside && !inside && !parts.items[i]->can_fail;
        br_conjuncts *list = is_left ? &graph->pool : &kept;
        BR_TRY(br_conjuncts_add(rewrite, list, parts.items[i], err));
    }
    return br_conjuncts_join(rewrite, &kept, &join->join.residual, err);
}

static bool filter_can_fail(const br_plan *plan)
{
    return plan->kind == BR_PLAN_FILTER && plan->filter.predicate->can_fail;
}

// Takes the joins at the top of `plan` apart, into at most `leaves_max` leaves.
static br_status gather(br_join_graph *graph, br_plan *plan, uint32_t leaves_max, br_error *err)
{
    if (plan->kind == BR_PLAN_FILTER && !filter_can_fail(plan)) {
        BR_TRY(add_condition(graph, plan->filter.predicate, err));
        return gather(graph, plan->left, leaves_max, err);
    }
    if (plan->kind == BR_PLAN_JOIN)
        BR_TRY(br_join_make_inner(graph->rewrite, plan, &graph->pool, err));
    br_join_kind kind = plan->kind == BR_PLAN_JOIN ? plan->join.join : BR_JOIN_FULL;
    if (kind == BR_JOIN_SEMI || kind == BR_JOIN_ANTI) {
        BR_TRY(add_semi(graph, plan, err));
        return gather(graph, plan->left, leaves_max, err);
    }
    if (kind == BR_JOIN_INNER && leaves_max >= 2) {
        uint32_t before = graph->leaf_count;
        BR_TRY(add_join_conditions(graph, plan, err));
        BR_TRY(gather(graph, plan->right, leaves_max - 1, err));
        return gather(graph, plan->left, leaves_max - (graph->leaf_count - before), err);
    }
    graph->leaves[graph->leaf_count++] = plan;
    return BR_OK;
}

// ---- placing conditions ----------------------------------------------------------------------

static void mark_leaves(br_join_graph *graph)
{
    br_rewrite *rewrite = graph->rewrite;
    graph->stamp = rewrite->stamp + 1;
    rewrite->stamp += graph->leaf_count;
    for (uint32_t leaf = 0; leaf < graph->leaf_count; leaf++) {
        uint32_t count = br_plan_output_count(graph->leaves[leaf]);
        for (uint32_t i = 0; i < count; i++)
            rewrite->owners[graph->leaves[leaf]->columns[i].id] = graph->stamp + leaf;
    }
}

static uint64_t leaves_of(const br_join_graph *graph, const br_expr *expr)
{
    return br_expr_sets(graph->rewrite, expr, graph->stamp, graph->leaf_count, NULL);
}

static bool is_single(uint64_t leaves)
{
    return leaves != 0 && (leaves & (leaves - 1)) == 0;
}

// The part of one branch of an OR that concerns one leaf; NULL: nothing.
static br_status branch_part(br_join_graph *graph, br_expr *branch, uint64_t leaf, br_expr **out,
                             br_error *err)
{
    br_conjuncts parts = {0}, fitting = {0};
    BR_TRY(br_conjuncts_split(graph->rewrite, &parts, branch, err));
    for (uint32_t i = 0; i < parts.count; i++) {
        if (leaves_of(graph, parts.items[i]) != leaf) continue;
        br_expr *copy = br_expr_clone(graph->rewrite->arena, parts.items[i]);
        BR_NEED_NODE(copy, err);
        BR_TRY(br_conjuncts_add(graph->rewrite, &fitting, copy, err));
    }
    return br_conjuncts_join(graph->rewrite, &fitting, out, err);
}

// (a AND x) OR (b AND y), a and b on one leaf, implies a OR b there.
static br_status add_implied(br_join_graph *graph, const br_expr *condition, uint32_t leaf,
                             double *share, br_error *err)
{
    br_rewrite *rewrite = graph->rewrite;
    br_expr *implied = NULL;
    for (uint32_t i = 0; i < condition->arg_count; i++) {
        br_expr *part;
        BR_TRY(branch_part(graph, condition->args[i], 1ull << leaf, &part, err));
        if (part == NULL) return BR_OK;
        if (implied == NULL) {
            implied = part;
            continue;
        }
        br_expr *either = br_expr_operator(rewrite->arena, BR_OP_OR, implied, part);
        BR_NEED_NODE(either, err);
        implied = either;
    }
    *share *= br_estimate_condition(rewrite, implied);
    return br_conjuncts_add(rewrite, &graph->leaf_conditions[leaf], implied, err);
}

static br_status place_condition(br_join_graph *graph, br_expr *condition, br_error *err)
{
    br_rewrite *rewrite = graph->rewrite;
    uint64_t leaves = leaves_of(graph, condition);
    if (leaves == 0 || is_single(leaves)) {
        uint32_t leaf = leaves == 0 ? 0 : (uint32_t)__builtin_ctzll(leaves);
        return br_conjuncts_add(rewrite, &graph->leaf_conditions[leaf], condition, err);
    }
    br_graph_condition *grown =
        br_grow(rewrite->arena, graph->conditions, graph->condition_count, sizeof *grown);
    BR_NEED_NODE(grown, err);
    graph->conditions = grown;
    br_graph_condition *added = &grown[graph->condition_count++];
    *added = (br_graph_condition){.expr = condition, .leaves = leaves, .selectivity = 1};
    bool is_or = condition->kind == BR_EXPR_OPERATOR && condition->operator_ == BR_OP_OR;
    bool is_equal = condition->kind == BR_EXPR_OPERATOR && condition->arg_count == 2 &&
                    (condition->operator_ == BR_OP_EQ || condition->operator_ == BR_OP_IS);
    if (is_equal) {
        added->sides[0] = leaves_of(graph, condition->args[0]);
        added->sides[1] = leaves_of(graph, condition->args[1]);
        added->is_key = added->sides[0] != 0 && added->sides[1] != 0 &&
                        (added->sides[0] & added->sides[1]) == 0;
    }
    double implied_share = 1;
    for (uint32_t leaf = 0; is_or && leaf < graph->leaf_count; leaf++)
        if ((leaves >> leaf & 1) != 0)
            BR_TRY(add_implied(graph, condition, leaf, &implied_share, err));
    added->selectivity = implied_share;  // made whole when the facts of the leaves are known
    return BR_OK;
}

// What is left to do for a condition once its implied parts have been done at the leaves.
static void estimate_conditions(br_join_graph *graph)
{
    for (uint32_t i = 0; i < graph->condition_count; i++) {
        br_graph_condition *condition = &graph->conditions[i];
        double share = br_estimate_condition(graph->rewrite, condition->expr);
        double done = condition->selectivity;
        condition->selectivity = share < done && done > 0 ? share / done : 1;
    }
}

static void find_semi_leaves(br_join_graph *graph)
{
    for (uint32_t i = 0; i < graph->semi_count; i++) {
        br_graph_semi *semi = &graph->semis[i];
        const br_plan *join = semi->join;
        for (uint32_t k = 0; k < join->join.key_count; k++)
            semi->leaves |= leaves_of(graph, join->join.left_keys[k]);
        if (join->join.residual != NULL) semi->leaves |= leaves_of(graph, join->join.residual);
    }
}

// ---- semi joins ------------------------------------------------------------------------------

static br_status wrap_semi(br_join_graph *graph, const br_graph_semi *semi, br_plan **plan,
                           br_error *err)
{
    semi->join->left = *plan;
    BR_TRY(br_plan_refresh(graph->rewrite, semi->join, err));
    br_estimate_node(graph->rewrite, semi->join);
    br_join_choose_build(semi->join);
    *plan = semi->join;
    return BR_OK;
}

// Those that drop many rows of one leaf come before the joins, the others behind.
static br_status place_early_semis(br_join_graph *graph, br_error *err)
{
    uint32_t late = 0;
    for (uint32_t i = 0; i < graph->semi_count; i++) {
        br_graph_semi semi = graph->semis[i];
        BR_TRY(br_push_semi(graph->rewrite, semi.join, err));
        graph->semis[late++] = semi;
        if (!is_single(semi.leaves)) continue;
        br_plan **leaf = &graph->leaves[__builtin_ctzll(semi.leaves)];
        semi.join->left = *leaf;
        double rows = br_estimate_join_rows(graph->rewrite, semi.join);
        if (graph->leaf_count > 1 && rows > 0.4 * (*leaf)->rows) continue;
        BR_TRY(wrap_semi(graph, &semi, leaf, err));
        late--;
    }
    graph->semi_count = late;
    return BR_OK;
}

br_status br_join_graph_run(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                            br_error *err)
{
    br_join_graph *graph = BR_ALLOC(rewrite->arena, br_join_graph, 1);
    BR_NEED_NODE(graph, err);
    graph->rewrite = rewrite;
    graph->pool = *conditions;
    BR_TRY(gather(graph, *plan, BR_GRAPH_LEAVES_MAX, err));
    BR_TRY(br_conjuncts_factor(rewrite, &graph->pool, err));
    mark_leaves(graph);
    BR_TRY(br_graph_make_classes(graph, err));
    for (uint32_t i = 0; i < graph->pool.count; i++)
        BR_TRY(place_condition(graph, graph->pool.items[i], err));
    find_semi_leaves(graph);
    for (uint32_t i = 0; i < graph->leaf_count; i++)
        BR_TRY(br_push_down(rewrite, &graph->leaves[i], &graph->leaf_conditions[i], err));
    estimate_conditions(graph);
    BR_TRY(place_early_semis(graph, err));
    BR_TRY(br_join_order(graph, plan, err));
    for (uint32_t i = 0; i < graph->semi_count; i++)
        BR_TRY(wrap_semi(graph, &graph->semis[i], plan, err));
    return br_add_filter(rewrite, plan, &graph->failing, err);
}
