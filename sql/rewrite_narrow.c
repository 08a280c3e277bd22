// A shared plan gives only rows that some use wants: when every use has conditions on a column
// (this one wants 2001, that one 2002), one of them has to be true inside already, from where it
// moves on to the scans. For plans as the binder made them.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"
#include "sql/rewrite.h"

typedef struct condition_list {  // what must be true of the rows that a node puts out
    const struct condition_list *outer;
    br_conjuncts own;
} condition_list;

typedef struct column_uses {
    uint32_t count;             // of uses with conditions on the column
    br_conjuncts alternatives;  // what they are, over the column of the shared plan
} column_uses;

typedef struct shared_uses {
    uint32_t count;
    column_uses *columns;
} shared_uses;

typedef struct narrowing {
    br_rewrite *rewrite;
    shared_uses *uses;  // per shared plan
} narrowing;

// ---- one use ---------------------------------------------------------------------------------

// Is it of that column, constants and parameters alone, and always the same of the same value?
static bool is_about(const br_expr *expr, uint32_t id)
{
    if (expr->kind == BR_EXPR_COLUMN) return expr->column_id == id;
    if (expr->kind == BR_EXPR_SUBQUERY || expr->is_volatile || expr->can_fail) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!is_about(expr->args[i], id)) return false;
    return true;
}

static void rename(br_expr *expr, uint32_t id)
{
    if (expr->kind == BR_EXPR_COLUMN) expr->column_id = id;
    for (uint32_t i = 0; i < expr->arg_count; i++) rename(expr->args[i], id);
}

static br_status note_column(narrowing *self, const br_plan *use, uint32_t position,
                             const condition_list *conditions, br_error *err)
{
    br_arena *arena = self->rewrite->arena;
    const br_plan *shared = self->rewrite->query->shared[use->shared.index];
    column_uses *uses = &self->uses[use->shared.index].columns[position];
    br_conjuncts own = {0};
    br_expr *both;
    for (; conditions != NULL; conditions = conditions->outer) {
        for (uint32_t i = 0; i < conditions->own.count; i++) {
            const br_expr *condition = conditions->own.items[i];
            if (!br_expr_has_column(condition)) continue;
            if (!is_about(condition, use->columns[position].id)) continue;
            br_expr *renamed = br_expr_clone(arena, condition);
            BR_NEED_NODE(renamed, err);
            rename(renamed, shared->columns[position].id);
            BR_TRY(br_conjuncts_add(self->rewrite, &own, renamed, err));
        }
    }
    if (own.count == 0) return BR_OK;
    uses->count++;
    BR_TRY(br_conjuncts_join(self->rewrite, &own, &both, err));
    for (uint32_t i = 0; i < uses->alternatives.count; i++)
        if (br_expr_equal(uses->alternatives.items[i], both)) return BR_OK;
    return br_conjuncts_add(self->rewrite, &uses->alternatives, both, err);
}

static br_status note_use(narrowing *self, const br_plan *use, const condition_list *conditions,
                          br_error *err)
{
    self->uses[use->shared.index].count++;
    for (uint32_t i = 0; conditions != NULL && i < use->column_count; i++)
        BR_TRY(note_column(self, use, i, conditions, err));
    return BR_OK;
}

// ---- all uses --------------------------------------------------------------------------------

static br_status walk(narrowing *self, const br_plan *plan, const condition_list *conditions,
                      br_error *err);

// What is above a join is about the rows of a side unless it replaces them by NULLs.
static br_status walk_join(narrowing *self, const br_plan *join, const condition_list *conditions,
                           br_error *err)
{
    condition_list list = {.outer = conditions};
    br_join_kind kind = join->join.join;
    bool is_inner = kind == BR_JOIN_INNER;
    if (is_inner && join->join.residual != NULL)
        BR_TRY(br_conjuncts_split(self->rewrite, &list.own, join->join.residual, err));
    BR_TRY(walk(self, join->left, kind == BR_JOIN_FULL ? NULL : &list, err));
    return walk(self, join->right, is_inner ? &list : NULL, err);
}

static br_status walk(narrowing *self, const br_plan *plan, const condition_list *conditions,
                      br_error *err)
{
    condition_list list = {.outer = conditions};
    switch (plan->kind) {
    case BR_PLAN_SHARED: return note_use(self, plan, conditions, err);
    case BR_PLAN_JOIN: return walk_join(self, plan, conditions, err);
    case BR_PLAN_FILTER:
        BR_TRY(br_conjuncts_split(self->rewrite, &list.own, plan->filter.predicate, err));
        return walk(self, plan->left, &list, err);
    default: break;
    }
    if (plan->left != NULL) BR_TRY(walk(self, plan->left, NULL, err));
    return plan->right == NULL ? BR_OK : walk(self, plan->right, NULL, err);
}

static br_status walk_all(narrowing *self, br_error *err)
{
    br_query *query = self->rewrite->query;
    BR_TRY(walk(self, query->root, NULL, err));
    for (uint32_t i = 0; i < query->applied_count; i++)
        BR_TRY(walk(self, query->applied[i], NULL, err));
    for (uint32_t i = 0; i < query->run_count; i++)
        BR_TRY(walk(self, *br_query_run(query, i), NULL, err));
    return BR_OK;
}

static br_status narrow(narrowing *self, uint32_t index, br_error *err)
{
    br_plan **plan = &self->rewrite->query->shared[index];
    const shared_uses *uses = &self->uses[index];
    br_conjuncts conditions = {0};
    for (uint32_t i = 0; i < br_plan_output_count(*plan); i++) {
        br_expr *any;
        const column_uses *column = &uses->columns[i];
        if (column->count == 0 || column->count < uses->count) continue;
        BR_TRY(br_conjuncts_either(self->rewrite, &column->alternatives, &any, err));
        BR_TRY(br_conjuncts_add(self->rewrite, &conditions, any, err));
    }
    return br_add_filter(self->rewrite, plan, &conditions, err);
}

br_status br_narrow_shared(br_rewrite *rewrite, br_error *err)
{
    br_query *query = rewrite->query;
    narrowing self = {.rewrite = rewrite};
    self.uses = BR_ALLOC(rewrite->arena, shared_uses, query->shared_count);
    BR_NEED_NODE(self.uses, err);
    for (uint32_t i = 0; i < query->shared_count; i++) {
        self.uses[i].columns = BR_ALLOC(rewrite->arena, column_uses,
                                        br_plan_output_count(query->shared[i]));
        BR_NEED_NODE(self.uses[i].columns, err);
    }
    BR_TRY(walk_all(&self, err));
    for (uint32_t i = 0; i < query->shared_count; i++) BR_TRY(narrow(&self, i, err));
    return BR_OK;
}
