// Dependent joins made ordinary ones: which way for which.
// SPDX-License-Identifier: Apache-2.0
#include "sql/unnest.h"

static bool is_dependent(br_binder *binder, br_plan *join, br_status *status, br_error *err)
{
    br_unnest_ids left;
    *status = br_ids_init(binder, &left, err);
    if (*status != BR_OK) return false;
    for (uint32_t i = 0; i < join->left->column_count; i++) left.has[join->left->columns[i].id] = 1;
    return br_plan_names(join->right, &left);
}

static bool is_positive(const br_expr *limit)
{
    return limit != NULL && limit->kind == BR_EXPR_CONST && limit->value.class_ == BR_INT &&
           limit->value.i64 > 0;
}

// A limit of the right side that what is asked does not see: SINGLE takes the first row anyway.
static void drop_limit(br_plan *join)
{
    br_plan **slot = &join->right;
    if (join->join.join != BR_JOIN_SINGLE) return;
    while ((*slot)->kind == BR_PLAN_PROJECT) slot = &(*slot)->left;
    br_plan *node = *slot;
    if (node->kind == BR_PLAN_LIMIT) {
        if (is_positive(node->limit.limit) && node->limit.offset == NULL) *slot = node->left;
    } else if (node->kind == BR_PLAN_SORT) {
        if (is_positive(node->sort.limit) && node->sort.offset == NULL) node->sort.limit = NULL;
    }
}

// Whether a row is there once or often: no matter for SEMI, ANTI and MARK.
static void drop_distinct(br_plan *join)
{
    br_plan *right = join->right;
    br_join_kind kind = join->join.join;
    if (kind != BR_JOIN_SEMI && kind != BR_JOIN_ANTI && kind != BR_JOIN_MARK) return;
    if (right->kind != BR_PLAN_AGGREGATE || right->aggregate.key_count == 0) return;
    if (right->aggregate.aggregate_count > 0) return;
    br_expr **keys = right->aggregate.keys;
    right->kind = BR_PLAN_PROJECT;
    right->project.expressions = keys;
}

// Innermost first: what is pulled out of a nested subquery may be pulled on.
static br_status pull_all(br_binder *binder, br_plan *plan, br_error *err)
{
    if (plan->left != NULL) BR_TRY(pull_all(binder, plan->left, err));
    if (plan->right != NULL) BR_TRY(pull_all(binder, plan->right, err));
    br_status status = BR_OK;
    if (plan->kind != BR_PLAN_JOIN || plan->join.join == BR_JOIN_FULL) return BR_OK;
    bool dependent = is_dependent(binder, plan, &status, err);
    BR_TRY(status);
    // What can fail stays where it is: pulled up, or with other keys, it would run on other rows.
    if (!dependent || br_plan_can_fail(plan->right)) return BR_OK;
    drop_limit(plan);
    drop_distinct(plan);
    br_unnest_ids produced;
    BR_TRY(br_ids_init(binder, &produced, err));
    br_ids_add_produced(&produced, plan->right);
    if (!br_pull_is_possible(binder, plan->right, &produced)) return BR_OK;
    BR_TRY(br_pull(binder, &plan->right, &produced, &plan->join.residual, err));
    return br_refresh_node(binder, plan, err);
}

// Outermost first: the left side of a join is closed before its right side is joined with it.
static br_status unnest_node(br_binder *binder, br_plan *root, br_plan *plan, br_error *err)
{
    br_status status = BR_OK;
    if (plan->left != NULL) BR_TRY(unnest_node(binder, root, plan->left, err));
    if (plan->kind == BR_PLAN_JOIN && is_dependent(binder, plan, &status, err)) {
        bool done = false;
        if (!br_plan_can_fail(plan->right))
            BR_TRY(br_unnest_scalar(binder, root, plan, &done, err));
        if (!done) BR_TRY(br_unnest_domain(binder, plan, err));
    }
    BR_TRY(status);
    if (plan->kind == BR_PLAN_JOIN) plan->join.guard = NULL;
    return plan->right == NULL ? BR_OK : unnest_node(binder, root, plan->right, err);
}

br_status br_unnest(br_binder *binder, br_plan **root, br_error *err)
{
    BR_TRY(pull_all(binder, *root, err));
    BR_TRY(br_refresh(binder, *root, err));
    BR_TRY(unnest_node(binder, *root, *root, err));
    return br_refresh(binder, *root, err);
}
