// SPDX-License-Identifier: Apache-2.0
#include "sql/rewrite.h"

#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

// ---- column ids ------------------------------------------------------------------------------

static br_status note_id(void *context, br_expr **expr, br_error *err)
{
    uint32_t *id_count = context;
    if ((*expr)->kind == BR_EXPR_COLUMN && (*expr)->column_id >= *id_count)
        *id_count = (*expr)->column_id + 1;
    for (uint32_t i = 0; i < (*expr)->arg_count; i++)
        BR_TRY(note_id(context, &(*expr)->args[i], err));
    return BR_OK;
}

static br_status count_ids(br_plan *plan, uint32_t *id_count, br_error *err)
{
    for (uint32_t i = 0; i < plan->column_count; i++)
        if (plan->columns[i].id >= *id_count) *id_count = plan->columns[i].id + 1;
    BR_TRY(br_plan_each_expr(plan, note_id, id_count, err));
    if (plan->left != NULL) BR_TRY(count_ids(plan->left, id_count, err));
    return plan->right == NULL ? BR_OK : count_ids(plan->right, id_count, err);
}

static uint32_t resolve(const br_rewrite *rewrite, uint32_t id)
{
    while (rewrite->alias[id] != 0) id = rewrite->alias[id];
    return id;
}

static br_status resolve_columns(br_rewrite *rewrite, br_expr *expr, br_error *err)
{
    if (expr->kind == BR_EXPR_COLUMN) expr->column_id = resolve(rewrite, expr->column_id);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        BR_TRY(resolve_columns(rewrite, expr->args[i], err));
    return BR_OK;
}

static br_status resolve_expression(void *context, br_expr **expr, br_error *err)
{
    return resolve_columns(context, *expr, err);
}

static br_status simplify_expression(void *context, br_expr **expr, br_error *err)
{
    return br_expr_simplify(context, expr, err);
}

uint32_t br_rewrite_new_id(br_rewrite *rewrite)
{
    return br_rewrite_has_ids(rewrite, 1) ? rewrite->id_count++ : 0;
}

bool br_rewrite_has_ids(const br_rewrite *rewrite, uint32_t count)
{
    return rewrite->id_capacity - rewrite->id_count >= count;
}

// ---- shapes ----------------------------------------------------------------------------------

// Where the order of columns counts a PROJECT fixes it; it stays at the top.
static br_status pin(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *input = *plan;
    if (input->kind == BR_PLAN_PROJECT) return BR_OK;
    uint32_t count = br_plan_output_count(input);
    br_plan *project = BR_ALLOC(rewrite->arena, br_plan, 1);
    BR_NEED_NODE(project, err);
    project->kind = BR_PLAN_PROJECT;
    project->left = input;
    project->column_count = count;
    project->columns =
        br_arena_copy(rewrite->arena, input->columns, count * sizeof *project->columns);
    project->project.expressions = BR_ALLOC(rewrite->arena, br_expr *, count);
    BR_NEED_NODE(project->columns, err);
    BR_NEED_NODE(project->project.expressions, err);
    for (uint32_t i = 0; i < count; i++) {
        project->project.expressions[i] = br_expr_column(rewrite->arena, &input->columns[i]);
        BR_NEED_NODE(project->project.expressions[i], err);
    }
    *plan = project;
    return BR_OK;
}

static bool is_renaming(const br_plan *project)
{
    for (uint32_t i = 0; i < project->column_count; i++)
        if (project->project.expressions[i]->kind != BR_EXPR_COLUMN) return false;
    return true;
}

// A PROJECT that only renames goes: its columns are other names of what is below.
static void drop_renaming(br_rewrite *rewrite, br_plan **plan)
{
    br_plan *project = *plan;
    for (uint32_t i = 0; i < project->column_count; i++) {
        uint32_t id = project->columns[i].id;
        uint32_t target = resolve(rewrite, project->project.expressions[i]->column_id);
        if (target != id) rewrite->alias[id] = target;
    }
    *plan = project->left;
}

static void set_substitutes(br_rewrite *rewrite, const br_plan *project, bool is_set)
{
    for (uint32_t i = 0; i < project->column_count; i++)
        rewrite->substitutes[project->columns[i].id] =
            is_set ? project->project.expressions[i] : NULL;
}

br_status br_defer_project(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *sort = *plan, *project = sort->left;
    bool is_top = sort->kind == BR_PLAN_SORT && sort->sort.limit != NULL;
    if (!is_top || project->kind != BR_PLAN_PROJECT) return BR_OK;
    // What was sorted by has to come out: another call would give another value.
    for (uint32_t i = 0; i < project->column_count; i++)
        if (br_expr_is_volatile(project->project.expressions[i])) return BR_OK;
    // Keys may still name what a PROJECT that is gone put out.
    for (uint32_t i = 0; i < sort->sort.key_count; i++)
        BR_TRY(resolve_columns(rewrite, sort->sort.keys[i].expression, err));
    set_substitutes(rewrite, project, true);
    for (uint32_t i = 0; i < sort->sort.key_count; i++)
        BR_TRY(br_expr_substitute(rewrite, sort->sort.keys[i].expression,
                                  &sort->sort.keys[i].expression, err));
    set_substitutes(rewrite, project, false);
    sort->left = project->left;
    project->left = sort;
    *plan = project;
    return BR_OK;
}

// LIMIT over SORT, perhaps with PROJECTs between them, is a Top-N.
static br_status merge_limit(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    br_plan *limit = *plan, **slot = plan;
    br_plan *sort = limit->left;
    while (sort->kind == BR_PLAN_PROJECT) sort = sort->left;
    if (sort->kind != BR_PLAN_SORT || sort->sort.limit != NULL || sort->sort.offset != NULL)
        return BR_OK;
    sort->sort.limit = limit->limit.limit;
    sort->sort.offset = limit->limit.offset;
    *plan = limit->left;
    while (*slot != sort) slot = &(*slot)->left;
    return br_defer_project(rewrite, slot, err);
}

// Which of equal rows there are is all the same to a SEMI, ANTI or MARK join.
static void drop_distinct(br_rewrite *rewrite, br_plan **plan)
{
    br_plan *aggregate = *plan;
    if (aggregate->kind != BR_PLAN_AGGREGATE || aggregate->aggregate.aggregate_count > 0 ||
        aggregate->aggregate.key_count == 0)
        return;
    for (uint32_t i = 0; i < aggregate->aggregate.key_count; i++) {
        if (aggregate->aggregate.keys[i]->kind != BR_EXPR_COLUMN ||
            aggregate->aggregate.key_collations[i] != BR_COLLATION_BINARY)
            return;
    }
    for (uint32_t i = 0; i < aggregate->aggregate.key_count; i++)
        rewrite->alias[aggregate->columns[i].id] =
            resolve(rewrite, aggregate->aggregate.keys[i]->column_id);
    *plan = aggregate->left;
}

static br_status reshape(br_rewrite *rewrite, br_plan **plan, bool is_pinned, br_error *err)
{
    br_plan *self = *plan;
    bool is_set = self->kind == BR_PLAN_SET || self->kind == BR_PLAN_RECURSIVE;
    if (is_set) {
        BR_TRY(pin(rewrite, &self->left, err));
        BR_TRY(pin(rewrite, &self->right, err));
    }
    if (self->left != NULL) BR_TRY(reshape(rewrite, &self->left, is_set, err));
    if (self->right != NULL) BR_TRY(reshape(rewrite, &self->right, is_set, err));
    if (self->kind == BR_PLAN_PROJECT && !is_pinned && is_renaming(self))
        drop_renaming(rewrite, plan);
    if (self->kind == BR_PLAN_LIMIT) return merge_limit(rewrite, plan, err);
    if (self->kind == BR_PLAN_SORT) return br_defer_project(rewrite, plan, err);
    if (self->kind == BR_PLAN_JOIN) {
        br_join_kind kind = self->join.join;
        if (kind == BR_JOIN_SEMI || kind == BR_JOIN_ANTI || kind == BR_JOIN_MARK)
            drop_distinct(rewrite, &self->right);
    }
    return BR_OK;
}

// Columns and first estimates, from below.
static br_status refresh_all(br_rewrite *rewrite, br_plan *plan, br_error *err)
{
    if (plan->left != NULL) BR_TRY(refresh_all(rewrite, plan->left, err));
    if (plan->right != NULL) BR_TRY(refresh_all(rewrite, plan->right, err));
    BR_TRY(br_plan_refresh(rewrite, plan, err));
    br_estimate_node(rewrite, plan);
    return BR_OK;
}

static br_status reshape_all(br_rewrite *rewrite, br_plan **plan, br_error *err)
{
    BR_TRY(pin(rewrite, plan, err));
    BR_TRY(reshape(rewrite, plan, true, err));
    BR_TRY(br_plan_each_expr_deep(*plan, resolve_expression, rewrite, err));
    return refresh_all(rewrite, *plan, err);
}

static bool has_join(const br_plan *plan)
{
    if (plan == NULL) return false;
    return plan->kind == BR_PLAN_JOIN || has_join(plan->left) || has_join(plan->right);
}

static br_status optimize_plan(br_rewrite *rewrite, br_plan **plan, uint32_t column_count,
                               br_error *err)
{
    br_conjuncts none = {0};
    rewrite->samples = has_join(*plan);
    BR_TRY(reshape_all(rewrite, plan, err));
    BR_TRY(br_plan_each_expr_deep(*plan, simplify_expression, rewrite, err));
    // What computed columns nobody reads leave behind often only renames.
    BR_TRY(br_prune_columns(rewrite, plan, column_count, err));
    BR_TRY(reshape_all(rewrite, plan, err));
    BR_TRY(br_push_down(rewrite, plan, &none, err));
    BR_TRY(br_push_limits(rewrite, plan, err));
    BR_TRY(br_reduce_groups(rewrite, plan, err));
    BR_TRY(br_prune_columns(rewrite, plan, column_count, err));
    return br_mark_bounds(rewrite, *plan, err);
}

static br_status rewrite_init(br_rewrite *rewrite, br_error *err)
{
    br_query *query = rewrite->query;
    BR_TRY(count_ids(query->root, &rewrite->id_count, err));
    for (uint32_t i = 0; i < query->shared_count; i++)
        BR_TRY(count_ids(query->shared[i], &rewrite->id_count, err));
    for (uint32_t i = 0; i < query->subquery_count; i++)
        BR_TRY(count_ids(query->subqueries[i], &rewrite->id_count, err));
    for (uint32_t i = 0; i < query->applied_count; i++)
        BR_TRY(count_ids(query->applied[i], &rewrite->id_count, err));
    enum { SPARE_IDS = 512 };  // for columns that rewriting adds
    uint32_t count = rewrite->id_count + SPARE_IDS;
    rewrite->id_capacity = count;
    rewrite->alias = BR_ALLOC(rewrite->arena, uint32_t, count);
    rewrite->facts = BR_ALLOC(rewrite->arena, br_column_fact, count);
    rewrite->substitutes = BR_ALLOC(rewrite->arena, br_expr *, count);
    rewrite->owners = BR_ALLOC(rewrite->arena, uint32_t, count);
    BR_NEED_NODE(rewrite->alias, err);
    BR_NEED_NODE(rewrite->facts, err);
    BR_NEED_NODE(rewrite->substitutes, err);
    BR_NEED_NODE(rewrite->owners, err);
    return BR_OK;
}

br_status br_optimize(br_query *query, const br_sql_catalog *catalog, br_arena *arena,
                      br_error *err)
{
    br_rewrite rewrite = {.arena = arena, .query = query, .catalog = catalog, .id_count = 1};
    BR_TRY(rewrite_init(&rewrite, err));
    if (query->shared_count > 0) {
        BR_TRY(br_prune_query(&rewrite, err));
        BR_TRY(br_narrow_shared(&rewrite, err));
    }
    for (uint32_t i = 0; i < query->applied_count; i++)
        BR_TRY(optimize_plan(&rewrite, &query->applied[i],
                             br_plan_output_count(query->applied[i]), err));
    for (uint32_t i = 0; i < query->run_count; i++) {
        br_plan **plan = br_query_run(query, i);
        bool is_subquery = (query->run_order[i] & BR_RUN_SUBQUERY) != 0;
        uint32_t columns = is_subquery ? 1 : br_plan_output_count(*plan);
        BR_TRY(optimize_plan(&rewrite, plan, columns, err));
    }
    BR_TRY(optimize_plan(&rewrite, &query->root, br_plan_output_count(query->root), err));
    BR_TRY(br_share_plans(&rewrite, err));
    query->cost = br_cost_plan(&rewrite, query->root);
    for (uint32_t i = 0; i < query->run_count; i++)
        query->cost += br_cost_plan(&rewrite, *br_query_run(query, i));
    return BR_OK;
}
