// Dependent joins made ordinary ones.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"

typedef struct dependence {
    const br_plan *left;
    bool found;
} dependence;

static bool names_column_of(const br_expr *expr, const br_plan *plan)
{
    if (expr->kind == BR_EXPR_COLUMN) return br_plan_find(plan, expr->column_id) != NULL;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (names_column_of(expr->args[i], plan)) return true;
    }
    return false;
}

static br_status check_visit(void *context, br_expr **expr, br_error *err)
{
    (void)err;
    dependence *check = context;
    check->found = check->found || names_column_of(*expr, check->left);
    return BR_OK;
}

br_status br_unnest(br_binder *binder, br_plan **root, br_error *err)
{
    br_plan *plan = *root;
    if (plan->kind == BR_PLAN_JOIN) {
        dependence check = {.left = plan->left};
        BR_TRY(br_plan_each_expr_deep(plan->right, check_visit, &check, err));
        if (check.found) return br_fail(err, BR_UNSUPPORTED, "correlated subquery");
    }
    if (plan->left != NULL) BR_TRY(br_unnest(binder, &plan->left, err));
    if (plan->right != NULL) BR_TRY(br_unnest(binder, &plan->right, err));
    return BR_OK;
}
