// Pull-up: correlated conditions of FILTERs, moved into the join that makes them correlated.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/unnest.h"

// Correlation counts as found where an expression names a column the right side does not put out.
typedef struct free_check {
    const br_unnest_ids *produced;
    bool found;
} free_check;

static br_status free_visit(void *context, br_expr **expr, br_error *err)
{
    (void)err;
    free_check *check = context;
    check->found = check->found || br_expr_names_other(*expr, check->produced);
    return BR_OK;
}

static bool is_free(br_plan *plan, const br_unnest_ids *produced, bool deep)
{
    free_check check = {.produced = produced};
    br_error ignored;
    br_status status = deep ? br_plan_each_expr_deep(plan, free_visit, &check, &ignored)
                            : br_plan_each_expr(plan, free_visit, &check, &ignored);
    return status == BR_OK && check.found;
}

bool br_pull_is_possible(br_binder *binder, br_plan *plan, const br_unnest_ids *produced)
{
    if (!is_free(plan, produced, true)) return true;
    switch (plan->kind) {
    case BR_PLAN_FILTER: return br_pull_is_possible(binder, plan->left, produced);
    case BR_PLAN_SORT:
        if (plan->sort.limit != NULL || plan->sort.offset != NULL) return false;
        return !is_free(plan, produced, false) && br_pull_is_possible(binder, plan->left, produced);
    case BR_PLAN_PROJECT:
        return !is_free(plan, produced, false) && br_pull_is_possible(binder, plan->left, produced);
    case BR_PLAN_JOIN:
        if (is_free(plan, produced, false) || plan->join.join == BR_JOIN_FULL) return false;
        if (!br_pull_is_possible(binder, plan->left, produced)) return false;
        if (plan->join.join != BR_JOIN_INNER) return !is_free(plan->right, produced, true);
        return br_pull_is_possible(binder, plan->right, produced);
    case BR_PLAN_SCAN:
    case BR_PLAN_VALUES:
    case BR_PLAN_SHARED:
    case BR_PLAN_AGGREGATE:
    case BR_PLAN_LIMIT:
    case BR_PLAN_WINDOW:
    case BR_PLAN_SET:
    case BR_PLAN_APPLY:
    case BR_PLAN_RECURSIVE:
    case BR_PLAN_WORKING:
    case BR_PLAN_CALL: break;
    }
    return false;
}

static br_status add(br_binder *binder, br_expr **condition, br_expr *part, br_error *err)
{
    *condition = br_expr_and(binder->arena, *condition, part);
    BR_NEED(*condition, err);
    return BR_OK;
}

static br_status pull_filter(br_binder *binder, br_plan **plan, const br_unnest_ids *produced,
                             br_expr **condition, br_error *err)
{
    br_plan *filter = *plan;
    br_expr *predicate = filter->filter.predicate, *kept = NULL;
    bool is_and = predicate->kind == BR_EXPR_OPERATOR && predicate->operator_ == BR_OP_AND;
    uint32_t count = is_and ? predicate->arg_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        br_expr *part = is_and ? predicate->args[i] : predicate;
        bool goes = br_expr_names_other(part, produced);
        BR_TRY(add(binder, goes ? condition : &kept, part, err));
    }
    BR_TRY(br_pull(binder, &filter->left, produced, condition, err));
    filter->filter.predicate = kept;
    if (kept == NULL) {
        *plan = filter->left;
        return BR_OK;
    }
    return br_refresh_node(binder, filter, err);
}

typedef struct pass_through {  // columns of the input that a condition needs above a PROJECT
    br_binder *binder;
    br_plan *project;
} pass_through;

// The PROJECT's column that is the input's column `id`, added when there is none.
static br_status passed_column(pass_through *pass, const br_plan_column *column, br_expr **out,
                               br_error *err)
{
    br_plan *project = pass->project;
    for (uint32_t i = 0; i < project->column_count; i++) {
        const br_expr *expr = project->project.expressions[i];
        if (expr->kind != BR_EXPR_COLUMN || expr->column_id != column->id) continue;
        (*out)->column_id = project->columns[i].id;
        return BR_OK;
    }
    BR_TRY(br_project_extend(pass->binder, project, 1, err));
    br_plan_column *added = &project->columns[project->column_count - 1];
    *added = *column;
    added->id = pass->binder->next_id++;
    br_expr *expr = br_expr_column(pass->binder->arena, column);
    BR_NEED(expr, err);
    project->project.expressions[project->column_count - 1] = expr;
    (*out)->column_id = added->id;
    return BR_OK;
}

static br_status pass_expr(pass_through *pass, br_expr **expr, br_error *err)
{
    if ((*expr)->kind == BR_EXPR_COLUMN) {
        const br_plan_column *column = br_plan_find(pass->project->left, (*expr)->column_id);
        return column == NULL ? BR_OK : passed_column(pass, column, expr, err);
    }
    for (uint32_t i = 0; i < (*expr)->arg_count; i++)
        BR_TRY(pass_expr(pass, &(*expr)->args[i], err));
    return BR_OK;
}

static br_status pull_project(br_binder *binder, br_plan *project, const br_unnest_ids *produced,
                              br_expr **condition, br_error *err)
{
    br_expr *below = NULL;
    BR_TRY(br_pull(binder, &project->left, produced, &below, err));
    if (below == NULL) return BR_OK;
    pass_through pass = {binder, project};
    BR_TRY(pass_expr(&pass, &below, err));
    return add(binder, condition, below, err);
}

br_status br_pull(br_binder *binder, br_plan **plan, const br_unnest_ids *produced,
                  br_expr **condition, br_error *err)
{
    br_plan *node = *plan;
    if (!is_free(node, produced, true)) return BR_OK;
    if (node->kind == BR_PLAN_FILTER) return pull_filter(binder, plan, produced, condition, err);
    if (node->kind == BR_PLAN_PROJECT) return pull_project(binder, node, produced, condition, err);
    br_assert(node->kind == BR_PLAN_JOIN || node->kind == BR_PLAN_SORT);
    BR_TRY(br_pull(binder, &node->left, produced, condition, err));
    bool both = node->kind == BR_PLAN_JOIN && node->join.join == BR_JOIN_INNER;
    if (both) BR_TRY(br_pull(binder, &node->right, produced, condition, err));
    return br_refresh_node(binder, node, err);
}
