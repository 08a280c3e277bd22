// The general way: the distinct values of the outer columns, joined into the subquery.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/unnest.h"

static bool is_outer_column(const br_domain *domain, uint32_t index)
{
    return domain->values[index]->kind == BR_EXPR_COLUMN;
}

static bool has_all(const br_plan *plan, const br_domain *domain)
{
    for (uint32_t i = 0; i < domain->count; i++) {
        if (!is_outer_column(domain, i)) continue;
        if (br_plan_find(plan, domain->columns[i].id) == NULL) return false;
    }
    return true;
}

static bool is_adding_join(const br_plan *plan)
{
    return plan->kind == BR_PLAN_JOIN &&
           (plan->join.join == BR_JOIN_MARK || plan->join.join == BR_JOIN_SINGLE);
}

// A smaller plan that has every value of the outer columns: values too many do no harm, they find
// no row to join back to.
static const br_plan *domain_source(const br_plan *plan, const br_domain *domain)
{
    for (;;) {
        bool skips = plan->kind == BR_PLAN_SORT || is_adding_join(plan) ||
                     (plan->kind == BR_PLAN_JOIN && (plan->join.join == BR_JOIN_LEFT ||
                                                     plan->join.join == BR_JOIN_INNER)) ||
                     (plan->kind == BR_PLAN_FILTER && is_adding_join(plan->left));
        if (skips && has_all(plan->left, domain)) {
            plan = plan->left;
        } else if (skips && plan->kind == BR_PLAN_JOIN && plan->join.join == BR_JOIN_INNER &&
                   has_all(plan->right, domain)) {
            plan = plan->right;
        } else {
            return plan;
        }
    }
}

static br_status add_column(br_domain *domain, const br_plan_column *column, br_error *err)
{
    br_arena *arena = domain->binder->arena;
    br_expr *value = br_expr_column(arena, column);
    BR_NEED(value, err);
    domain->outer.has[column->id] = 1;
    domain->values[domain->count] = value;
    domain->columns[domain->count++] = *column;
    unsigned mask = column->type.class_mask;
    if ((mask & BR_MASK_INT) == 0 || (mask & BR_MASK_REAL) == 0) return BR_OK;
    br_expr *call = br_expr_new(arena, BR_EXPR_FUNCTION, 1);
    BR_NEED(call, err);
    call->function = BR_FN_TYPEOF;
    call->function_name = "typeof";
    call->args[0] = br_expr_column(arena, column);
    BR_NEED(call->args[0], err);
    call->type = br_type_of_mask(BR_MASK_TEXT);
    domain->values[domain->count] = call;
    domain->columns[domain->count++] = (br_plan_column){.name = "", .type = call->type};
    return BR_OK;
}

br_status br_domain_init(br_domain *domain, br_binder *binder, const br_plan *left, br_plan *right,
                         br_error *err)
{
    *domain = (br_domain){.binder = binder};
    br_unnest_ids one;
    BR_TRY(br_ids_init(binder, &domain->outer, err));
    BR_TRY(br_ids_init(binder, &one, err));
    size_t room = (size_t)left->column_count * 2;
    domain->columns = BR_ALLOC(binder->arena, br_plan_column, room);
    domain->values = BR_ALLOC(binder->arena, br_expr *, room);
    BR_NEED(domain->columns, err);
    BR_NEED(domain->values, err);
    for (uint32_t i = 0; i < left->column_count; i++) {
        const br_plan_column *column = &left->columns[i];
        one.has[column->id] = 1;
        if (br_plan_names(right, &one)) BR_TRY(add_column(domain, column, err));
        one.has[column->id] = 0;
    }
    domain->source = domain_source(left, domain);
    return BR_OK;
}

// A subquery that can fail is asked for no value that no left row needs.
static br_status restrict_domain(br_domain *domain, br_plan *join, br_error *err)
{
    if (!br_plan_can_fail(join->right)) return BR_OK;
    domain->source = join->left;
    if (join->join.guard == NULL) return BR_OK;
    domain->source = br_plan_filter(domain->binder, join->left, join->join.guard);
    BR_NEED(domain->source, err);
    return BR_OK;
}

static void map_columns(br_expr *expr, const uint32_t *map)
{
    if (expr->kind == BR_EXPR_COLUMN) expr->column_id = map[expr->column_id];
    for (uint32_t i = 0; i < expr->arg_count; i++) map_columns(expr->args[i], map);
}

br_status br_domain_make(br_domain *domain, br_plan **out, uint32_t *ids_out, br_error *err)
{
    br_binder *binder = domain->binder;
    br_plan *source;
    uint32_t *map;
    BR_TRY(br_plan_clone(binder, domain->source, &source, &map, err));
    br_plan *plan = br_plan_new(binder, BR_PLAN_AGGREGATE, domain->count);
    BR_NEED(plan, err);
    plan->left = source;
    plan->aggregate.key_count = domain->count;
    plan->aggregate.keys = BR_ALLOC(binder->arena, br_expr *, domain->count);
    plan->aggregate.key_collations = BR_ALLOC(binder->arena, br_collation, domain->count);
    BR_NEED(plan->aggregate.keys, err);
    BR_NEED(plan->aggregate.key_collations, err);
    for (uint32_t i = 0; i < domain->count; i++) {
        plan->aggregate.keys[i] = br_expr_clone(binder->arena, domain->values[i]);
        BR_NEED(plan->aggregate.keys[i], err);
        map_columns(plan->aggregate.keys[i], map);
        plan->columns[i] = domain->columns[i];
        plan->columns[i].id = ids_out[i] = binder->next_id++;
    }
    *out = plan;
    return BR_OK;
}

// ---- rewriting expressions -------------------------------------------------------------------

typedef struct renaming {
    const br_domain *domain;
    const uint32_t *ids;
} renaming;

static br_status rename_visit(void *context, br_expr **expr, br_error *err)
{
    const renaming *rename = context;
    if ((*expr)->kind == BR_EXPR_COLUMN) {
        for (uint32_t i = 0; i < rename->domain->count; i++) {
            if (rename->domain->columns[i].id != (*expr)->column_id) continue;
            (*expr)->column_id = rename->ids[i];
            return BR_OK;
        }
        return BR_OK;
    }
    for (uint32_t i = 0; i < (*expr)->arg_count; i++)
        BR_TRY(rename_visit(context, &(*expr)->args[i], err));
    return BR_OK;
}

br_status br_domain_rename(br_domain *domain, br_plan *plan, const uint32_t *ids, br_error *err)
{
    renaming rename = {domain, ids};
    return br_plan_each_expr(plan, rename_visit, &rename, err);
}

static br_status rename_deep(br_domain *domain, br_plan *plan, const uint32_t *ids, br_error *err)
{
    renaming rename = {domain, ids};
    return br_plan_each_expr_deep(plan, rename_visit, &rename, err);
}

br_expr *br_domain_column(const br_domain *domain, uint32_t index, uint32_t id)
{
    br_plan_column column = domain->columns[index];
    column.id = id;
    return br_expr_column(domain->binder->arena, &column);
}

// ---- operators -------------------------------------------------------------------------------

static br_status push_project(br_domain *domain, br_plan *plan, uint32_t *ids, br_error *err)
{
    BR_TRY(br_domain_push(domain, &plan->left, ids, err));
    BR_TRY(br_domain_rename(domain, plan, ids, err));
    uint32_t first = plan->column_count;
    BR_TRY(br_project_extend(domain->binder, plan, domain->count, err));
    for (uint32_t i = 0; i < domain->count; i++) {
        plan->project.expressions[first + i] = br_domain_column(domain, i, ids[i]);
        BR_NEED(plan->project.expressions[first + i], err);
        plan->columns[first + i] = domain->columns[i];
        plan->columns[first + i].id = ids[i] = domain->binder->next_id++;
    }
    return BR_OK;
}

// D's columns as further keys.
static br_status add_domain_keys(br_domain *domain, br_plan *plan, uint32_t *ids, br_error *err)
{
    br_arena *arena = domain->binder->arena;
    uint32_t old = plan->aggregate.key_count, count = old + domain->count;
    br_plan_column *columns =
        BR_ALLOC(arena, br_plan_column, plan->column_count + domain->count);
    br_expr **keys = BR_ALLOC(arena, br_expr *, count);
    br_collation *collations = BR_ALLOC(arena, br_collation, count);
    BR_NEED(columns, err);
    BR_NEED(keys, err);
    BR_NEED(collations, err);
    for (uint32_t i = 0; i < old; i++) {
        columns[i] = plan->columns[i];
        keys[i] = plan->aggregate.keys[i];
        collations[i] = plan->aggregate.key_collations[i];
    }
    for (uint32_t i = 0; i < domain->count; i++) {
        keys[old + i] = br_domain_column(domain, i, ids[i]);
        BR_NEED(keys[old + i], err);
        columns[old + i] = domain->columns[i];
        columns[old + i].id = ids[i] = domain->binder->next_id++;
    }
    memcpy(columns + count, plan->columns + old, (plan->column_count - old) * sizeof *columns);
    plan->columns = columns;
    plan->column_count += domain->count;
    plan->aggregate.keys = keys;
    plan->aggregate.key_collations = collations;
    plan->aggregate.key_count = count;
    return BR_OK;
}

// What an aggregate is for no rows, where that is not NULL.
static br_status value_or_default(br_domain *domain, const br_plan_column *column,
                                  br_aggregate_kind kind, br_expr **out, br_error *err)
{
    br_arena *arena = domain->binder->arena;
    br_value empty = br_aggregate_empty(kind);
    *out = br_expr_column(arena, column);
    BR_NEED(*out, err);
    (*out)->type.class_mask |= BR_MASK_NULL;
    if (empty.class_ == BR_NULL) return BR_OK;
    br_expr *call = br_expr_new(arena, BR_EXPR_FUNCTION, 2);
    BR_NEED(call, err);
    call->function = BR_FN_COALESCE;
    call->function_name = "coalesce";
    call->args[0] = *out;
    call->args[1] = br_expr_const(arena, empty);
    BR_NEED(call->args[1], err);
    call->type = br_function_type(BR_FN_COALESCE, "coalesce", call->args, 2);
    *out = call;
    return BR_OK;
}

// D with the groups that there are.
static br_status join_groups(br_domain *domain, br_plan *grouped, const uint32_t *group_ids,
                             uint32_t *ids_out, br_plan **out, br_error *err)
{
    br_plan *all;
    BR_TRY(br_domain_make(domain, &all, ids_out, err));
    br_plan *join = br_plan_join(domain->binder, BR_JOIN_LEFT, all, grouped);
    BR_NEED(join, err);
    BR_TRY(br_join_add_keys(domain->binder, join, domain->count, err));
    for (uint32_t i = 0; i < domain->count; i++) {
        join->join.left_keys[i] = br_domain_column(domain, i, ids_out[i]);
        join->join.right_keys[i] = br_domain_column(domain, i, group_ids[i]);
        BR_NEED(join->join.left_keys[i], err);
        BR_NEED(join->join.right_keys[i], err);
        join->join.null_safe[i] = true;
    }
    *out = join;
    return BR_OK;
}

// A value of D without rows still has its row of aggregates.
static br_status restore_empty(br_domain *domain, br_plan **plan, uint32_t *ids, br_error *err)
{
    br_binder *binder = domain->binder;
    br_plan *grouped = *plan;
    uint32_t aggregates = grouped->aggregate.aggregate_count;
    uint32_t *all_ids = BR_ALLOC(binder->arena, uint32_t, domain->count);
    br_plan *project = br_plan_new(binder, BR_PLAN_PROJECT, 0);
    BR_NEED(all_ids, err);
    BR_NEED(project, err);
    BR_TRY(br_project_extend(binder, project, aggregates + domain->count, err));
    for (uint32_t i = 0; i < aggregates; i++) {
        br_plan_column *column = &grouped->columns[domain->count + i];
        project->columns[i] = *column;  // keeps the id that others name
        column->id = binder->next_id++;
        BR_TRY(value_or_default(domain, column, grouped->aggregate.aggregates[i].kind,
                                &project->project.expressions[i], err));
        project->columns[i].type = project->project.expressions[i]->type;
    }
    BR_TRY(join_groups(domain, grouped, ids, all_ids, &project->left, err));
    for (uint32_t i = 0; i < domain->count; i++) {
        project->project.expressions[aggregates + i] = br_domain_column(domain, i, all_ids[i]);
        BR_NEED(project->project.expressions[aggregates + i], err);
        project->columns[aggregates + i] = domain->columns[i];
        project->columns[aggregates + i].id = ids[i] = binder->next_id++;
    }
    *plan = project;
    return BR_OK;
}

static br_status push_aggregate(br_domain *domain, br_plan **plan, uint32_t *ids, br_error *err)
{
    br_plan *aggregate = *plan;
    bool is_scalar = aggregate->aggregate.key_count == 0;
    BR_TRY(br_domain_push(domain, &aggregate->left, ids, err));
    BR_TRY(br_domain_rename(domain, aggregate, ids, err));
    BR_TRY(add_domain_keys(domain, aggregate, ids, err));
    return is_scalar ? restore_empty(domain, plan, ids, err) : BR_OK;
}

// D goes to the left side, or to the right one of an inner join when only that is correlated. A
// right side that is correlated too stays so, but with the left side: that join is next.
static br_status push_join(br_domain *domain, br_plan *join, uint32_t *ids, br_error *err)
{
    bool left = br_plan_names(join->left, &domain->outer);
    bool right = br_plan_names(join->right, &domain->outer);
    bool to_right = join->join.join == BR_JOIN_INNER && right && !left;
    BR_TRY(br_domain_push(domain, to_right ? &join->right : &join->left, ids, err));
    if (right && !to_right) BR_TRY(rename_deep(domain, join->right, ids, err));
    BR_TRY(br_domain_rename(domain, join, ids, err));
    return br_refresh_node(domain->binder, join, err);
}

// The side's columns in order, then D's: sets match columns by position.
static br_status push_set_side(br_domain *domain, br_plan **side, br_error *err)
{
    br_binder *binder = domain->binder;
    uint32_t count = (*side)->column_count;
    const br_plan_column *columns = (*side)->columns;
    uint32_t *ids = BR_ALLOC(binder->arena, uint32_t, domain->count);
    BR_NEED(ids, err);
    BR_TRY(br_domain_push(domain, side, ids, err));
    br_plan *project = br_plan_new(binder, BR_PLAN_PROJECT, 0);
    BR_NEED(project, err);
    BR_TRY(br_project_extend(binder, project, count + domain->count, err));
    for (uint32_t i = 0; i < project->column_count; i++) {
        bool own = i < count;
        project->columns[i] = own ? columns[i] : domain->columns[i - count];
        project->columns[i].id = binder->next_id++;
        project->project.expressions[i] = own ? br_expr_column(binder->arena, &columns[i])
                                              : br_domain_column(domain, i - count, ids[i - count]);
        BR_NEED(project->project.expressions[i], err);
    }
    project->left = *side;
    *side = project;
    return BR_OK;
}

static br_status push_set(br_domain *domain, br_plan *set, uint32_t *ids, br_error *err)
{
    BR_TRY(push_set_side(domain, &set->left, err));
    BR_TRY(push_set_side(domain, &set->right, err));
    uint32_t count = set->column_count;
    br_plan_column *columns = BR_ALLOC(domain->binder->arena, br_plan_column,
                                       count + domain->count);
    BR_NEED(columns, err);
    memcpy(columns, set->columns, count * sizeof *columns);
    for (uint32_t i = 0; i < domain->count; i++) {
        columns[count + i] = domain->columns[i];
        columns[count + i].collation = BR_COLLATION_BINARY;
        columns[count + i].id = ids[i] = domain->binder->next_id++;
    }
    set->columns = columns;
    set->column_count = count + domain->count;
    return BR_OK;
}

// One row of expressions over outer columns is a projection of D.
static br_status push_row(br_domain *domain, br_plan *values, uint32_t *ids, br_error *err)
{
    br_expr **row = values->values.rows[0];
    br_plan *all;
    BR_TRY(br_domain_make(domain, &all, ids, err));
    values->kind = BR_PLAN_PROJECT;
    values->left = all;
    values->project.expressions = row;
    BR_TRY(br_domain_rename(domain, values, ids, err));
    uint32_t first = values->column_count;
    BR_TRY(br_project_extend(domain->binder, values, domain->count, err));
    for (uint32_t i = 0; i < domain->count; i++) {
        values->project.expressions[first + i] = br_domain_column(domain, i, ids[i]);
        BR_NEED(values->project.expressions[first + i], err);
        values->columns[first + i] = domain->columns[i];
        values->columns[first + i].id = ids[i] = domain->binder->next_id++;
    }
    return BR_OK;
}

// Several rows are a UNION ALL of single ones.
static br_status push_values(br_domain *domain, br_plan **plan, uint32_t *ids, br_error *err)
{
    br_binder *binder = domain->binder;
    br_plan *values = *plan, *set = NULL;
    uint32_t count = values->column_count;
    if (values->values.row_count == 1) return push_row(domain, values, ids, err);
    for (uint32_t row = 0; row < values->values.row_count; row++) {
        br_plan *single = br_plan_over(binder, BR_PLAN_VALUES, values);
        BR_NEED(single, err);
        single->left = NULL;
        single->values.row_count = 1;
        single->values.rows = &values->values.rows[row];
        for (uint32_t i = 0; i < count; i++) single->columns[i].id = binder->next_id++;
        set = set == NULL ? single : br_plan_union_all(binder, set, single);
        BR_NEED(set, err);
    }
    memcpy(set->columns, values->columns, count * sizeof *set->columns);  // the ids others name
    *plan = set;
    return br_domain_push(domain, plan, ids, err);
}

static br_status cross_with_domain(br_domain *domain, br_plan **plan, uint32_t *ids, br_error *err)
{
    br_plan *all;
    BR_TRY(br_domain_make(domain, &all, ids, err));
    *plan = br_plan_join(domain->binder, BR_JOIN_INNER, all, *plan);
    BR_NEED(*plan, err);
    return BR_OK;
}

// Each value of D has the windows of its own rows: D's columns are further partitions.
static br_status push_window(br_domain *domain, br_plan *plan, uint32_t *ids, br_error *err)
{
    br_arena *arena = domain->binder->arena;
    BR_TRY(br_domain_push(domain, &plan->left, ids, err));
    BR_TRY(br_domain_rename(domain, plan, ids, err));
    uint32_t old = plan->window.partition_count, count = old + domain->count;
    br_expr **partitions = BR_ALLOC(arena, br_expr *, count);
    br_collation *collations = BR_ALLOC(arena, br_collation, count);
    BR_NEED(partitions, err);
    BR_NEED(collations, err);
    for (uint32_t i = 0; i < old; i++) {
        partitions[i] = plan->window.partitions[i];
        collations[i] = plan->window.partition_collations[i];
    }
    for (uint32_t i = 0; i < domain->count; i++) {
        partitions[old + i] = br_domain_column(domain, i, ids[i]);
        BR_NEED(partitions[old + i], err);
        collations[old + i] = BR_COLLATION_BINARY;
    }
    plan->window.partitions = partitions;
    plan->window.partition_collations = collations;
    plan->window.partition_count = count;
    return br_refresh_node(domain->binder, plan, err);
}

static br_status push_limit(br_domain *domain, br_plan **plan, uint32_t *ids, br_error *err)
{
    bool done;
    BR_TRY(br_domain_limit(domain, plan, ids, &done, err));
    return done ? BR_OK : br_domain_apply(domain, plan, ids, err);
}

br_status br_domain_push(br_domain *domain, br_plan **plan, uint32_t *ids_out, br_error *err)
{
    br_plan *node = *plan;
    if (!br_plan_names(node, &domain->outer)) return cross_with_domain(domain, plan, ids_out, err);
    switch (node->kind) {
    case BR_PLAN_PROJECT: return push_project(domain, node, ids_out, err);
    case BR_PLAN_AGGREGATE: return push_aggregate(domain, plan, ids_out, err);
    case BR_PLAN_JOIN:
        if (node->join.join == BR_JOIN_FULL) break;
        return push_join(domain, node, ids_out, err);
    case BR_PLAN_SET: return push_set(domain, node, ids_out, err);
    case BR_PLAN_VALUES: return push_values(domain, plan, ids_out, err);
    case BR_PLAN_WINDOW: return push_window(domain, node, ids_out, err);
    case BR_PLAN_SORT:
        if (node->sort.limit != NULL || node->sort.offset != NULL)
            return push_limit(domain, plan, ids_out, err);
        // fall through
    case BR_PLAN_FILTER:
    case BR_PLAN_CALL:
        BR_TRY(br_domain_push(domain, &node->left, ids_out, err));
        BR_TRY(br_domain_rename(domain, node, ids_out, err));
        return br_refresh_node(domain->binder, node, err);
    case BR_PLAN_LIMIT: return push_limit(domain, plan, ids_out, err);
    case BR_PLAN_SCAN:
    case BR_PLAN_SHARED:
    case BR_PLAN_APPLY:
    case BR_PLAN_RECURSIVE:
    case BR_PLAN_WORKING: break;
    }
    return br_domain_apply(domain, plan, ids_out, err);
}

br_status br_unnest_domain(br_binder *binder, br_plan *join, br_error *err)
{
    br_domain domain;
    br_assert(join->join.join != BR_JOIN_FULL);  // the sides of a FULL JOIN do not see each other
    BR_TRY(br_domain_init(&domain, binder, join->left, join->right, err));
    BR_TRY(restrict_domain(&domain, join, err));
    uint32_t *ids = BR_ALLOC(binder->arena, uint32_t, domain.count);
    BR_NEED(ids, err);
    BR_TRY(br_domain_push(&domain, &join->right, ids, err));
    uint32_t first = join->join.key_count;
    BR_TRY(br_join_add_keys(binder, join, domain.count, err));
    for (uint32_t i = 0; i < domain.count; i++) {
        join->join.left_keys[first + i] = br_expr_clone(binder->arena, domain.values[i]);
        join->join.right_keys[first + i] = br_domain_column(&domain, i, ids[i]);
        BR_NEED(join->join.left_keys[first + i], err);
        BR_NEED(join->join.right_keys[first + i], err);
        join->join.null_safe[first + i] = true;
    }
    return br_refresh_node(binder, join, err);
}
