// WITH RECURSIVE. The last arms of the body, all joined by UNION or all by UNION ALL, are the steps
// when each reads the CTE in its own FROM clause, once; those before them make the first rows.
//
// What classes the columns hold depends on the steps, and the plan of a step on what classes it is
// given: the steps are bound anew with more classes until no others come out.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

// ---- which arms recurse ----------------------------------------------------------------------

static uint32_t count_references(const br_ast_source *source, const char *name)
{
    if (source == NULL) return 0;
    if (source->kind == BR_AST_SOURCE_JOIN)
        return count_references(source->left, name) + count_references(source->right, name);
    return source->kind == BR_AST_SOURCE_TABLE && source->schema == NULL &&
           br_name_equal(source->name, name);
}

uint32_t br_cte_first_step(const br_ast_cte *cte)
{
    const br_ast_select *select = cte->select;
    uint32_t first = select->core_count;
    if (first < 2) return 0;
    br_ast_compound last = select->compounds[first - 2];
    if (last != BR_AST_UNION_ALL && last != BR_AST_UNION) return 0;
    while (first > 1 && select->compounds[first - 2] == last &&
           count_references(select->cores[first - 1].from, cte->name) > 0)
        first--;
    return first < select->core_count ? first : 0;
}

static bool is_in_from(const br_ast_source *from, const br_ast_source *source)
{
    if (from == NULL || from == source) return from == source;
    return from->kind == BR_AST_SOURCE_JOIN &&
           (is_in_from(from->left, source) || is_in_from(from->right, source));
}

br_status br_bind_working(br_binder *binder, br_cte *cte, const br_ast_source *source,
                          br_plan **plan_out, br_error *err)
{
    const char *name = cte->ast->name;
    if (cte->working == NULL)
        return br_fail_at(err, BR_SQL, source->offset, "circular reference: %s", name);
    if (!is_in_from(cte->step, source))
        return br_fail_at(err, BR_SQL, source->offset, "multiple recursive references: %s", name);
    const br_plan *working = cte->working;
    br_plan *plan = br_plan_new(binder, BR_PLAN_WORKING, working->column_count);
    BR_NEED(plan, err);
    plan->working.index = working->working.index;
    memcpy(plan->columns, working->columns, working->column_count * sizeof *plan->columns);
    for (uint32_t i = 0; i < plan->column_count; i++) plan->columns[i].id = binder->next_id++;
    *plan_out = plan;
    return BR_OK;
}

// ---- trying again ----------------------------------------------------------------------------

typedef struct bind_state {  // of the query, before a step was bound
    uint32_t subquery_count, all_cte_count;
} bind_state;

// Forgets what binding the steps has added to the query. Shared plans stay: others may use them.
static void restore(br_binder *binder, const bind_state *state)
{
    br_query *query = binder->query;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < query->run_count; i++) {
        uint32_t entry = query->run_order[i], index = entry & ~(uint32_t)BR_RUN_SUBQUERY;
        bool is_subquery = (entry & BR_RUN_SUBQUERY) != 0;
        if (!is_subquery || index < state->subquery_count) query->run_order[kept++] = entry;
    }
    query->run_count = kept;
    query->subquery_count = state->subquery_count;
    for (uint32_t i = state->all_cte_count; i < binder->all_cte_count; i++) {
        binder->all_ctes[i]->first_use = NULL;
        binder->all_ctes[i]->shared = 0;
    }
    binder->all_cte_count = state->all_cte_count;
}

// ---- the steps -------------------------------------------------------------------------------

static bool reads_working(const br_plan *plan)
{
    if (plan == NULL) return false;
    return plan->kind == BR_PLAN_WORKING || reads_working(plan->left) ||
           reads_working(plan->right);
}

// Is what comes out for several rows at once not what comes out for each of them alone?
static bool needs_single_rows(const br_plan *plan, bool is_union)
{
    if (plan == NULL || !reads_working(plan)) return false;
    if (plan->kind == BR_PLAN_JOIN && plan->join.join == BR_JOIN_FULL) return true;
    if (plan->kind == BR_PLAN_JOIN && plan->join.join == BR_JOIN_LEFT &&
        reads_working(plan->right))
        return true;
    if (plan->kind == BR_PLAN_AGGREGATE && !is_union) return true;  // DISTINCT
    return needs_single_rows(plan->left, is_union) || needs_single_rows(plan->right, is_union);
}

static br_status check_step(const br_scope *scope, br_error *err)
{
    if (scope->is_aggregate)
        return br_fail(err, BR_SQL, "recursive aggregate queries not supported");
    if (scope->window_count > 0)
        return br_fail(err, BR_SQL, "cannot use window functions in recursive queries");
    return BR_OK;
}

static br_status bind_steps(br_binder *binder, br_scope *outer, br_cte *cte, br_arms *arms,
                            br_error *err)
{
    const br_ast_select *select = cte->ast->select;
    br_status status = BR_OK;
    for (uint32_t i = cte->first_step; i < arms->count && status == BR_OK; i++) {
        cte->step = select->cores[i].from;
        status = br_arm_bind(binder, outer, select, BR_NAMES_TABLE, i, arms, err);
        cte->step = NULL;
        if (status == BR_OK) status = check_step(&arms->scopes[i], err);
    }
    return status;
}

// Adds the classes that come out of the steps; false: all were there before.
static bool widen(br_plan *working, const br_arms *arms, uint32_t first, bool to_all)
{
    bool is_wider = false;
    for (uint32_t k = 0; k < working->column_count; k++) {
        uint8_t *mask = &working->columns[k].type.class_mask, wider = *mask;
        for (uint32_t i = first; i < arms->count; i++)
            wider |= arms->plans[i]->columns[k].type.class_mask;
        if (wider == *mask) continue;
        is_wider = true;
        *mask = to_all ? BR_MASK_ALL : wider;
    }
    return is_wider;
}

static br_status bind_until_stable(br_binder *binder, br_scope *outer, br_cte *cte, br_arms *arms,
                                   br_plan *working, br_error *err)
{
    const bind_state state = {.subquery_count = binder->query->subquery_count,
                              .all_cte_count = binder->all_cte_count};
    for (uint32_t attempt = 0;; attempt++) {
        BR_TRY(bind_steps(binder, outer, cte, arms, err));
        if (!widen(working, arms, cte->first_step, attempt > 0)) return BR_OK;
        restore(binder, &state);
    }
}

// ---- the node --------------------------------------------------------------------------------

// Columns as the steps see them: those of the first rows, which may hold any number of their class.
static br_status make_working(br_binder *binder, const br_cte *cte, const br_plan *initial,
                              br_plan **out, br_error *err)
{
    const br_ast_cte *ast = cte->ast;
    if (ast->column_count != 0 && ast->column_count != initial->column_count)
        return br_fail(err, BR_SQL, "table %s has %u values for %u columns", ast->name,
                       initial->column_count, ast->column_count);
    br_plan *working = br_plan_new(binder, BR_PLAN_WORKING, initial->column_count);
    BR_NEED(working, err);
    working->working.index = binder->query->recursion_count++;
    for (uint32_t i = 0; i < working->column_count; i++) {
        working->columns[i] = initial->columns[i];
        working->columns[i].type = br_type_of_mask(initial->columns[i].type.class_mask);
        working->columns[i].collation = br_outward_collation(binder->query, initial, i);
        if (ast->column_count > 0) working->columns[i].name = ast->columns[i];
    }
    *out = working;
    return BR_OK;
}

static br_status make_node(br_binder *binder, const br_cte *cte, br_arms *arms, br_plan *initial,
                           br_plan **plan_out, br_error *err)
{
    const br_ast_select *select = cte->ast->select;
    bool is_union = select->compounds[arms->count - 2] == BR_AST_UNION;
    br_plan *plan = br_plan_over(binder, BR_PLAN_RECURSIVE, initial);
    BR_NEED(plan, err);
    BR_TRY(br_arms_append(binder, arms, cte->first_step, &plan->right, err));
    plan->recursive.index = cte->working->working.index;
    plan->recursive.distinct = is_union;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        plan->columns[i].id = binder->next_id++;
        plan->columns[i].type = cte->working->columns[i].type;
        plan->columns[i].name = cte->working->columns[i].name;
        plan->columns[i].collation = br_arms_collation(arms, 0, arms->count - 1, i);
    }
    BR_TRY(br_bind_limit(binder, select, &plan->recursive.limit, &plan->recursive.offset, err));
    BR_TRY(br_expand_order_all(binder, &select, plan->column_count, err));
    bool is_limited = plan->recursive.limit != NULL;
    plan->recursive.by_row = select->order_count > 0 ||
                             (is_limited && arms->count - cte->first_step > 1) ||
                             needs_single_rows(plan->right, is_union);
    if (select->order_count > 0)
        BR_TRY(br_arms_order(binder, select, arms, plan, &plan->recursive.keys,
                             &plan->recursive.key_columns, err));
    plan->recursive.key_count = select->order_count;
    // UNION compares by what SQLite finds when it makes several steps one compound: theirs alone.
    uint32_t first = arms->count - cte->first_step > 1 ? cte->first_step : 0;
    for (uint32_t i = 0; i < plan->column_count; i++)
        plan->columns[i].collation = br_arms_collation(arms, first, arms->count - 1, i);
    *plan_out = plan;
    return BR_OK;
}

static br_status check_references(const br_cte *cte, br_error *err)
{
    const br_ast_select *select = cte->ast->select;
    for (uint32_t i = cte->first_step; i < select->core_count; i++) {
        if (count_references(select->cores[i].from, cte->ast->name) > 1)
            return br_fail(err, BR_SQL, "multiple references to recursive table: %s",
                           cte->ast->name);
    }
    return BR_OK;
}

br_status br_bind_recursive(br_binder *binder, br_scope *outer, br_cte *cte, br_plan **plan_out,
                            bool *escapes_out, br_error *err)
{
    const br_ast_select *select = cte->ast->select;
    br_arms arms;
    br_plan *initial, *working;
    BR_TRY(check_references(cte, err));
    BR_TRY(br_arms_init(binder, select->core_count, &arms, err));
    for (uint32_t i = 0; i < cte->first_step; i++)
        BR_TRY(br_arm_bind(binder, outer, select, BR_NAMES_TABLE, i, &arms, err));
    BR_TRY(br_arms_combine(binder, select, &arms, cte->first_step, &initial, err));
    BR_TRY(make_working(binder, cte, initial, &working, err));
    cte->working = working;
    br_status status = bind_until_stable(binder, outer, cte, &arms, working, err);
    if (status == BR_OK) status = make_node(binder, cte, &arms, initial, plan_out, err);
    cte->working = NULL;
    BR_TRY(status);
    for (uint32_t i = 0; i < arms.count; i++)
        *escapes_out = *escapes_out || arms.scopes[i].escapes;
    return BR_OK;
}
