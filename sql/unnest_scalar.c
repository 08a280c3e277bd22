// (SELECT aggregate ...) as a LEFT join with the aggregate, grouped by what correlates it.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/unnest.h"

typedef struct scalar {
    br_binder *binder;
    br_plan *join;
    br_plan *aggregate;
    br_expr *value;      // of the subquery, over the aggregate's and the left side's columns
    br_expr *condition;  // HAVING; NULL: none
} scalar;

static bool lets_one_row_pass(const br_plan *plan)
{
    if (plan->kind == BR_PLAN_SORT) return plan->sort.limit == NULL && plan->sort.offset == NULL;
    if (plan->kind != BR_PLAN_LIMIT || plan->limit.offset != NULL) return false;
    const br_expr *limit = plan->limit.limit;
    return limit != NULL && limit->kind == BR_EXPR_CONST && limit->value.class_ == BR_INT &&
           limit->value.i64 > 0;
}

static br_status replace_columns(scalar *s, br_expr **expr, const br_plan *project, br_error *err)
{
    if (*expr == NULL) return BR_OK;
    if ((*expr)->kind == BR_EXPR_COLUMN) {
        for (uint32_t i = 0; i < project->column_count; i++) {
            if (project->columns[i].id != (*expr)->column_id) continue;
            *expr = br_expr_clone(s->binder->arena, project->project.expressions[i]);
            BR_NEED(*expr, err);
            return BR_OK;
        }
        return BR_OK;
    }
    for (uint32_t i = 0; i < (*expr)->arg_count; i++)
        BR_TRY(replace_columns(s, &(*expr)->args[i], project, err));
    return BR_OK;
}

// Goes down to an AGGREGATE without keys, composing what stands above it. s->aggregate stays NULL
// when there is another operator between.
static br_status find_aggregate(scalar *s, br_error *err)
{
    br_plan *plan = s->join->right;
    s->value = br_expr_column(s->binder->arena, &plan->columns[0]);
    BR_NEED(s->value, err);
    while (lets_one_row_pass(plan)) plan = plan->left;
    for (; plan->kind == BR_PLAN_PROJECT || plan->kind == BR_PLAN_FILTER; plan = plan->left) {
        if (plan->kind == BR_PLAN_PROJECT) {
            BR_TRY(replace_columns(s, &s->value, plan, err));
            BR_TRY(replace_columns(s, &s->condition, plan, err));
            continue;
        }
        br_expr *part = br_expr_clone(s->binder->arena, plan->filter.predicate);
        BR_NEED(part, err);
        s->condition = br_expr_and(s->binder->arena, s->condition, part);
        BR_NEED(s->condition, err);
    }
    bool found = plan->kind == BR_PLAN_AGGREGATE && plan->aggregate.key_count == 0;
    if (found) s->aggregate = plan;
    return BR_OK;
}

// ---- keys ------------------------------------------------------------------------------------

typedef struct equal_pair {
    br_expr *outer, *inner;
    br_collation collation;
} equal_pair;

static bool as_pair(br_expr *part, const br_unnest_ids *produced, equal_pair *out)
{
    if (part->kind != BR_EXPR_OPERATOR || part->operator_ != BR_OP_EQ) return false;
    bool left_outer = br_expr_names_other(part->args[0], produced);
    out->outer = part->args[left_outer ? 0 : 1];
    out->inner = part->args[left_outer ? 1 : 0];
    out->collation = part->collation;
    bool mixed = br_expr_names(out->outer, produced) || br_expr_names_other(out->inner, produced);
    return !mixed && !br_expr_is_constant(out->inner);
}

// Are all correlated conditions below the aggregate `outer = inner`, to be pulled up?
static bool all_pairs(br_plan *plan, const br_unnest_ids *produced)
{
    if (plan->kind == BR_PLAN_FILTER) {
        br_expr *predicate = plan->filter.predicate;
        bool is_and = predicate->kind == BR_EXPR_OPERATOR && predicate->operator_ == BR_OP_AND;
        uint32_t count = is_and ? predicate->arg_count : 1;
        for (uint32_t i = 0; i < count; i++) {
            br_expr *part = is_and ? predicate->args[i] : predicate;
            equal_pair pair;
            if (!br_expr_names_other(part, produced)) continue;
            if (!as_pair(part, produced, &pair)) return false;
        }
    }
    if (plan->left != NULL && !all_pairs(plan->left, produced)) return false;
    return plan->right == NULL || all_pairs(plan->right, produced);
}

// Room for `count` more keys in front of the aggregates; the new key columns are to be filled.
static br_status add_group_keys(scalar *s, uint32_t count, br_error *err)
{
    br_arena *arena = s->binder->arena;
    br_plan *plan = s->aggregate;
    uint32_t aggregates = plan->aggregate.aggregate_count;
    br_plan_column *columns = BR_ALLOC(arena, br_plan_column, count + aggregates);
    BR_NEED(columns, err);
    memcpy(columns + count, plan->columns, aggregates * sizeof *columns);
    plan->columns = columns;
    plan->column_count = count + aggregates;
    plan->aggregate.key_count = count;
    plan->aggregate.keys = BR_ALLOC(arena, br_expr *, count);
    plan->aggregate.key_collations = BR_ALLOC(arena, br_collation, count);
    BR_NEED(plan->aggregate.keys, err);
    BR_NEED(plan->aggregate.key_collations, err);
    return BR_OK;
}

static br_status set_key(scalar *s, uint32_t index, const equal_pair *pair, bool null_safe,
                         br_error *err)
{
    br_plan *plan = s->aggregate, *join = s->join;
    plan->aggregate.keys[index] = pair->inner;
    plan->aggregate.key_collations[index] = pair->collation;
    plan->columns[index] = (br_plan_column){.id = s->binder->next_id++, .name = "",
                                            .type = pair->inner->type,
                                            .collation = pair->collation};
    join->join.left_keys[index] = pair->outer;
    join->join.right_keys[index] = br_expr_column(s->binder->arena, &plan->columns[index]);
    BR_NEED(join->join.right_keys[index], err);
    join->join.key_collations[index] = pair->collation;
    join->join.null_safe[index] = null_safe;
    return BR_OK;
}

static br_status keys_from_pairs(scalar *s, const br_unnest_ids *produced, br_error *err)
{
    br_expr *condition = NULL;
    BR_TRY(br_pull(s->binder, &s->aggregate->left, produced, &condition, err));
    bool is_and = condition->kind == BR_EXPR_OPERATOR && condition->operator_ == BR_OP_AND;
    uint32_t count = is_and ? condition->arg_count : 1;
    br_unnest_ids inner;  // pulling may have added columns
    BR_TRY(br_ids_init(s->binder, &inner, err));
    br_ids_add_produced(&inner, s->aggregate->left);
    BR_TRY(add_group_keys(s, count, err));
    BR_TRY(br_join_add_keys(s->binder, s->join, count, err));
    for (uint32_t i = 0; i < count; i++) {
        equal_pair pair = {0};
        bool is_pair = as_pair(is_and ? condition->args[i] : condition, &inner, &pair);
        br_verify(is_pair, err);
        BR_TRY(set_key(s, i, &pair, false, err));
    }
    return BR_OK;
}

// The aggregate's own expressions, whose outer columns become D's.
static br_status rename_outer(scalar *s, const br_domain *domain, uint32_t index, uint32_t id,
                              br_error *err)
{
    br_plan shallow = *s->aggregate;
    shallow.left = NULL;
    br_plan_column column = domain->columns[index];
    column.id = id;
    br_expr *replacement = br_expr_column(s->binder->arena, &column);
    BR_NEED(replacement, err);
    return br_plan_substitute(s->binder, &shallow, domain->columns[index].id, replacement, err);
}

static br_status keys_from_domain(scalar *s, br_error *err)
{
    br_domain domain;
    br_arena *arena = s->binder->arena;
    BR_TRY(br_domain_init(&domain, s->binder, s->join->left, s->aggregate, err));
    uint32_t *ids = BR_ALLOC(arena, uint32_t, domain.count);
    BR_NEED(ids, err);
    BR_TRY(br_domain_push(&domain, &s->aggregate->left, ids, err));
    for (uint32_t i = 0; i < domain.count; i++) {
        if (domain.columns[i].id != 0) BR_TRY(rename_outer(s, &domain, i, ids[i], err));
    }
    BR_TRY(add_group_keys(s, domain.count, err));
    BR_TRY(br_join_add_keys(s->binder, s->join, domain.count, err));
    for (uint32_t i = 0; i < domain.count; i++) {
        br_plan_column column = domain.columns[i];
        column.id = ids[i];
        equal_pair pair = {.collation = BR_COLLATION_BINARY};
        pair.outer = br_expr_clone(arena, domain.values[i]);
        pair.inner = br_expr_column(arena, &column);
        BR_NEED(pair.outer, err);
        BR_NEED(pair.inner, err);
        BR_TRY(set_key(s, i, &pair, true, err));
    }
    return BR_OK;
}

// ---- what comes out for no rows --------------------------------------------------------------

static br_status default_of(scalar *s, uint32_t index, br_value value, br_error *err)
{
    br_plan_column *column =
        &s->aggregate->columns[s->aggregate->aggregate.key_count + index];
    br_expr *coalesce = br_expr_new(s->binder->arena, BR_EXPR_FUNCTION, 2);
    BR_NEED(coalesce, err);
    coalesce->function = BR_FN_COALESCE;
    coalesce->function_name = "coalesce";
    coalesce->args[0] = br_expr_column(s->binder->arena, column);
    coalesce->args[1] = br_expr_const(s->binder->arena, value);
    BR_NEED(coalesce->args[0], err);
    BR_NEED(coalesce->args[1], err);
    coalesce->args[0]->type.class_mask |= BR_MASK_NULL;
    coalesce->type = br_function_type(BR_FN_COALESCE, "coalesce", coalesce->args, 2);
    br_plan holder = {.kind = BR_PLAN_PROJECT, .column_count = s->condition == NULL ? 1 : 2};
    br_expr *expressions[2] = {s->value, s->condition};
    holder.project.expressions = expressions;
    BR_TRY(br_plan_substitute(s->binder, &holder, column->id, coalesce, err));
    s->value = expressions[0];
    s->condition = expressions[1];
    return BR_OK;
}

static br_status fill_defaults(scalar *s, br_error *err)
{
    for (uint32_t i = 0; i < s->aggregate->aggregate.aggregate_count; i++) {
        br_value empty = br_aggregate_empty(s->aggregate->aggregate.aggregates[i].kind);
        if (empty.class_ != BR_NULL) BR_TRY(default_of(s, i, empty, err));
    }
    if (s->condition == NULL) return BR_OK;
    br_expr *choice = br_expr_new(s->binder->arena, BR_EXPR_CASE, 3);
    BR_NEED(choice, err);
    choice->args[0] = s->condition;
    choice->args[1] = s->value;
    choice->args[2] = br_expr_const(s->binder->arena, br_value_null());
    BR_NEED(choice->args[2], err);
    choice->type = br_type_union(s->value->type, choice->args[2]->type);
    choice->can_fail = s->condition->can_fail || s->value->can_fail;
    s->value = choice;
    return BR_OK;
}

// A row value takes several columns of the subquery.
static bool wants_one_column(const br_plan *join)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < join->column_count; i++)
        count += br_plan_find(join->right, join->columns[i].id) != NULL;
    return count == 1;
}

br_status br_unnest_scalar(br_binder *binder, br_plan *root, br_plan *join, bool *done_out,
                           br_error *err)
{
    scalar s = {.binder = binder, .join = join};
    *done_out = false;
    if (join->join.join != BR_JOIN_SINGLE || join->join.key_count > 0) return BR_OK;
    if (!wants_one_column(join)) return BR_OK;
    BR_TRY(find_aggregate(&s, err));
    if (s.aggregate == NULL) return BR_OK;
    uint32_t value_id = join->right->columns[0].id;
    br_unnest_ids produced;
    BR_TRY(br_ids_init(binder, &produced, err));
    br_ids_add_produced(&produced, s.aggregate->left);
    br_plan shallow = *s.aggregate;
    shallow.left = NULL;
    bool pairs = br_pull_is_possible(binder, s.aggregate->left, &produced) &&
                 all_pairs(s.aggregate->left, &produced);
    br_unnest_ids left;
    BR_TRY(br_ids_init(binder, &left, err));
    br_ids_add_produced(&left, join->left);
    pairs = pairs && !br_plan_names(&shallow, &left) && br_plan_names(s.aggregate->left, &left);
    BR_TRY(fill_defaults(&s, err));
    if (!pairs && !br_plan_names(s.aggregate, &left)) {
        // Correlated only above the aggregate: a row for every left row.
        join->join.join = BR_JOIN_LEFT;
    } else {
        join->join.join = BR_JOIN_LEFT;
        BR_TRY(pairs ? keys_from_pairs(&s, &produced, err) : keys_from_domain(&s, err));
    }
    join->right = s.aggregate;
    BR_TRY(br_plan_substitute(binder, root, value_id, s.value, err));
    *done_out = true;
    return br_refresh(binder, root, err);
}
