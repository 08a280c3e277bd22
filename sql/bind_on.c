// ON of outer joins: a condition that decides what matches, not which rows stay.
//
// Its subqueries become joins below the outer join: on the side whose columns they name, or, when
// they name columns of both, on the distinct pairs of those, which then join the side not kept.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "sql/unnest.h"

typedef struct outer_on {
    br_scope *scope;
    br_plan *join;         // the outer join; left is the side that is kept
    br_attach_list joins;  // of the condition's subqueries
    br_expr *condition;
} outer_on;

static bool joins_name(const outer_on *on, const br_plan *side, br_status *status, br_error *err)
{
    br_unnest_ids ids;
    *status = br_ids_init(on->scope->binder, &ids, err);
    if (*status != BR_OK) return false;
    for (uint32_t i = 0; i < side->column_count; i++) ids.has[side->columns[i].id] = 1;
    for (uint32_t i = 0; i < on->joins.count; i++) {
        if (br_plan_names(on->joins.joins[i], &ids)) return true;
    }
    return false;
}

// The joins on top of *plan.
static br_status attach_to(outer_on *on, br_plan **plan, br_error *err)
{
    br_plan *outside = on->scope->plan;
    on->scope->plan = *plan;
    br_status status = br_scope_attach(on->scope, &on->joins, err);
    *plan = on->scope->plan;
    on->scope->plan = outside;
    return status;
}

// ---- pairs -----------------------------------------------------------------------------------

// Parts of the condition that need no subquery and cannot fail: only pairs that pass them count.
static br_status plain_parts(const outer_on *on, br_expr **out, br_error *err)
{
    br_arena *arena = on->scope->binder->arena;
    const br_expr *condition = on->condition;
    br_unnest_ids added;
    BR_TRY(br_ids_init(on->scope->binder, &added, err));
    for (uint32_t i = 0; i < on->joins.count; i++) {
        const br_plan *join = on->joins.joins[i];
        for (uint32_t k = 0; k < join->column_count; k++) added.has[join->columns[k].id] = 1;
    }
    bool is_and = condition->kind == BR_EXPR_OPERATOR && condition->operator_ == BR_OP_AND;
    uint32_t count = is_and ? condition->arg_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        const br_expr *part = is_and ? condition->args[i] : condition;
        if (part->can_fail || br_expr_names(part, &added)) continue;
        br_expr *copy = br_expr_clone(arena, part);
        BR_NEED(copy, err);
        *out = br_expr_and(arena, *out, copy);
        BR_NEED(*out, err);
    }
    return BR_OK;
}

static br_status all_pairs(const outer_on *on, br_plan **out, br_error *err)
{
    br_binder *binder = on->scope->binder;
    br_expr *condition = NULL;
    *out = br_plan_join(binder, BR_JOIN_INNER, on->join->left, on->join->right);
    BR_NEED(*out, err);
    BR_TRY(plain_parts(on, &condition, err));
    if (condition != NULL) *out = br_plan_filter(binder, *out, condition);
    BR_NEED(*out, err);
    return BR_OK;
}

// The joins name the columns of the domain now.
static br_status rename_joins(outer_on *on, const br_domain *domain, const uint32_t *ids,
                              br_error *err)
{
    for (uint32_t i = 0; i < domain->count; i++) {
        if (domain->columns[i].id == 0) continue;
        br_expr *column = br_domain_column(domain, i, ids[i]);
        BR_NEED(column, err);
        for (uint32_t k = 0; k < on->joins.count; k++)
            BR_TRY(br_plan_substitute(on->scope->binder, on->joins.joins[k],
                                      domain->columns[i].id, column, err));
    }
    return BR_OK;
}

static br_status add_pair_key(br_binder *binder, br_plan *join, const br_domain *domain,
                              uint32_t index, uint32_t id, br_error *err)
{
    BR_TRY(br_join_add_keys(binder, join, 1, err));
    uint32_t key = join->join.key_count - 1;
    join->join.left_keys[key] = domain->values[index];
    join->join.right_keys[key] = br_domain_column(domain, index, id);
    BR_NEED(join->join.right_keys[key], err);
    join->join.null_safe[key] = true;
    return BR_OK;
}

// Columns that the condition compares for equality are in D too: so its pairs find their rows again
// by more than what the subqueries name.
static br_status equal_parts(const outer_on *on, br_expr **out, br_error *err)
{
    br_expr *plain = NULL;
    BR_TRY(plain_parts(on, &plain, err));
    if (plain == NULL) return BR_OK;
    bool is_and = plain->kind == BR_EXPR_OPERATOR && plain->operator_ == BR_OP_AND;
    uint32_t count = is_and ? plain->arg_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        br_expr *part = is_and ? plain->args[i] : plain;
        bool is_equal = part->kind == BR_EXPR_OPERATOR && part->operator_ == BR_OP_EQ;
        if (!is_equal) continue;
        *out = br_expr_and(on->scope->binder->arena, *out, part);
        BR_NEED(*out, err);
    }
    return BR_OK;
}

// The joins, one on top of the other, and what else names columns that have to be in D.
static br_status chain_joins(outer_on *on, br_plan **out, br_error *err)
{
    br_expr *equal = NULL;
    br_plan *chain = NULL;
    for (uint32_t i = 0; i < on->joins.count; i++) {
        on->joins.joins[i]->left = chain;
        chain = on->joins.joins[i];
    }
    BR_TRY(equal_parts(on, &equal, err));
    if (equal != NULL) chain = br_plan_filter(on->scope->binder, chain, equal);
    BR_NEED(chain, err);
    *out = chain;
    return BR_OK;
}

// D, the distinct pairs, with the joins on top; the right side with D's pairs beside each row; and
// rows of the left side match only pairs of their own values.
static br_status join_pairs(outer_on *on, br_error *err)
{
    br_binder *binder = on->scope->binder;
    br_plan *join = on->join, *pairs, *domain_plan, *chain;
    br_domain domain;
    br_unnest_ids left;
    BR_TRY(br_ids_init(binder, &left, err));
    for (uint32_t i = 0; i < join->left->column_count; i++) left.has[join->left->columns[i].id] = 1;
    BR_TRY(all_pairs(on, &pairs, err));
    BR_TRY(chain_joins(on, &chain, err));
    BR_TRY(br_domain_init(&domain, binder, pairs, chain, err));
    for (uint32_t i = 0; i < on->joins.count; i++) on->joins.joins[i]->left = NULL;
    uint32_t *ids = BR_ALLOC(binder->arena, uint32_t, domain.count);
    BR_NEED(ids, err);
    BR_TRY(br_domain_make(&domain, &domain_plan, ids, err));
    BR_TRY(rename_joins(on, &domain, ids, err));
    BR_TRY(attach_to(on, &domain_plan, err));
    join->right = br_plan_join(binder, BR_JOIN_INNER, join->right, domain_plan);
    BR_NEED(join->right, err);
    for (uint32_t i = 0; i < domain.count; i++) {
        bool is_left = br_expr_names(domain.values[i], &left);
        BR_TRY(add_pair_key(binder, is_left ? join : join->right, &domain, i, ids[i], err));
    }
    return BR_OK;
}

br_status br_bind_outer_on(br_scope *scope, const br_ast *ast, br_plan *join, br_error *err)
{
    outer_on on = {.scope = scope, .join = join};
    br_bound bound;
    br_status status;
    br_attach_list *attach = scope->attach;
    scope->attach = &on.joins;
    status = br_bind_expression(scope, ast, &bound, err);
    scope->attach = attach;
    BR_TRY(status);
    join->join.residual = on.condition = bound.expr;
    if (on.joins.count == 0) return BR_OK;
    bool left = joins_name(&on, join->left, &status, err);
    BR_TRY(status);
    bool right = joins_name(&on, join->right, &status, err);
    BR_TRY(status);
    if (!right || !left) {
        BR_TRY(attach_to(&on, right ? &join->right : &join->left, err));
    } else if (join->join.join == BR_JOIN_FULL) {
        return br_fail(err, BR_UNSUPPORTED, "subquery over both sides of a FULL JOIN");
    } else {
        BR_TRY(join_pairs(&on, err));
    }
    if (!br_plan_join_columns(scope->binder, join))
        return br_fail(err, BR_NOMEM, "no memory for the plan");
    return BR_OK;
}
