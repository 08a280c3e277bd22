// Conditions and joins: which side they go to, which become keys, which outer joins are none.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"
#include "sql/rewrite.h"

// ---- columns ---------------------------------------------------------------------------------

static br_status refresh_join(br_rewrite *rewrite, br_plan *join, br_error *err)
{
    br_join_kind kind = join->join.join;
    uint32_t left = br_plan_output_count(join->left), right = br_plan_output_count(join->right);
    br_plan_column mark = {0};
    if (kind == BR_JOIN_MARK) mark = join->columns[join->column_count - 1];
    uint32_t added = kind == BR_JOIN_SEMI || kind == BR_JOIN_ANTI ? 0
                     : kind == BR_JOIN_MARK                      ? 1
                                                                 : right;
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, left + added);
    BR_NEED_NODE(columns, err);
    memcpy(columns, join->left->columns, left * sizeof *columns);
    if (kind == BR_JOIN_MARK)
        columns[left] = mark;
    else
        memcpy(columns + left, join->right->columns, added * sizeof *columns);
    bool nulls_right =
        kind == BR_JOIN_LEFT || kind == BR_JOIN_FULL || kind == BR_JOIN_SINGLE;
    for (uint32_t i = 0; i < left && kind == BR_JOIN_FULL; i++)
        columns[i].type.class_mask |= BR_MASK_NULL;
    for (uint32_t i = left; i < left + added && nulls_right; i++)
        columns[i].type.class_mask |= BR_MASK_NULL;
    join->columns = columns;
    join->column_count = left + added;
    return BR_OK;
}

static br_status refresh_window(br_rewrite *rewrite, br_plan *window, br_error *err)
{
    uint32_t calls = window->window.call_count, left = br_plan_output_count(window->left);
    const br_plan_column *added = window->columns + window->column_count - calls;
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, left + calls);
    BR_NEED_NODE(columns, err);
    memcpy(columns, window->left->columns, left * sizeof *columns);
    memcpy(columns + left, added, calls * sizeof *columns);
    window->columns = columns;
    window->column_count = left + calls;
    return BR_OK;
}

// What an applied plan or a function gives stays; it is behind the columns of the left side.
static br_status refresh_apply(br_rewrite *rewrite, br_plan *apply, uint32_t added, br_error *err)
{
    uint32_t left = br_plan_output_count(apply->left);
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, left + added);
    BR_NEED_NODE(columns, err);
    memcpy(columns, apply->left->columns, left * sizeof *columns);
    memcpy(columns + left, apply->columns + apply->column_count - added, added * sizeof *columns);
    apply->columns = columns;
    apply->column_count = left + added;
    return BR_OK;
}

br_status br_plan_refresh(br_rewrite *rewrite, br_plan *plan, br_error *err)
{
    switch (plan->kind) {
    case BR_PLAN_APPLY:
        return refresh_apply(rewrite, plan,
                             br_plan_output_count(rewrite->query->applied[plan->apply.index]), err);
    case BR_PLAN_CALL: return refresh_apply(rewrite, plan, plan->call.output_count, err);
    case BR_PLAN_JOIN: return refresh_join(rewrite, plan, err);
    case BR_PLAN_WINDOW: return refresh_window(rewrite, plan, err);
    case BR_PLAN_FILTER:
    case BR_PLAN_SORT:
    case BR_PLAN_LIMIT:
        plan->column_count = br_plan_output_count(plan->left);
        plan->columns = plan->left->columns;
        return BR_OK;
    default: return BR_OK;
    }
}

// ---- keys ------------------------------------------------------------------------------------

br_status br_join_add_key(br_rewrite *rewrite, br_plan *join, br_expr *left, br_expr *right,
                          const br_expr *comparison, br_error *err)
{
    br_arena *arena = rewrite->arena;
    uint32_t count = join->join.key_count;
    br_expr **lefts = BR_ALLOC(arena, br_expr *, count + 1);
    br_expr **rights = BR_ALLOC(arena, br_expr *, count + 1);
    br_collation *collations = BR_ALLOC(arena, br_collation, count + 1);
    bool *null_safe = BR_ALLOC(arena, bool, count + 1);
    BR_NEED_NODE(lefts, err);
    BR_NEED_NODE(rights, err);
    BR_NEED_NODE(collations, err);
    BR_NEED_NODE(null_safe, err);
    if (count > 0) {
        memcpy(lefts, join->join.left_keys, count * sizeof *lefts);
        memcpy(rights, join->join.right_keys, count * sizeof *rights);
        memcpy(collations, join->join.key_collations, count * sizeof *collations);
        memcpy(null_safe, join->join.null_safe, count * sizeof *null_safe);
    }
    lefts[count] = left;
    rights[count] = right;
    collations[count] = comparison->collation;
    null_safe[count] = comparison->operator_ == BR_OP_IS;
    join->join.left_keys = lefts;
    join->join.right_keys = rights;
    join->join.key_collations = collations;
    join->join.null_safe = null_safe;
    join->join.key_count = count + 1;
    return BR_OK;
}

static bool is_equality(const br_expr *condition)
{
    return condition->kind == BR_EXPR_OPERATOR && condition->arg_count == 2 &&
           (condition->operator_ == BR_OP_EQ || condition->operator_ == BR_OP_IS) &&
           !condition->can_fail;
}

br_status br_join_take_keys(br_rewrite *rewrite, br_plan *join, br_conjuncts *conditions,
                            uint32_t stamp, br_error *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < conditions->count; i++) {
        br_expr *condition = conditions->items[i];
        conditions->items[kept++] = condition;
        if (!is_equality(condition)) continue;
        bool outside[2] = {false, false}, inside[2];
        for (uint32_t k = 0; k < 2; k++)
            inside[k] =
                br_expr_sets(rewrite, condition->args[k], stamp, 1, &outside[k]) != 0;
        for (uint32_t k = 0; k < 2; k++) {
            bool fits = outside[k] && !inside[k] && inside[1 - k] && !outside[1 - k];
            if (!fits) continue;
            BR_TRY(br_join_add_key(rewrite, join, condition->args[k], condition->args[1 - k],
                                   condition, err));
            kept--;
            break;
        }
    }
    conditions->count = kept;
    return BR_OK;
}

// ---- uniqueness ------------------------------------------------------------------------------

static bool columns_in_set(const br_rewrite *rewrite, const br_plan *scan, const int32_t *key,
                           uint32_t stamp)
{
    for (; *key >= 0; key++) {
        bool found = false;
        for (uint32_t i = 0; i < scan->column_count && !found; i++)
            found = scan->scan.table_columns[i] == (uint32_t)*key &&
                    rewrite->owners[scan->columns[i].id] == stamp;
        if (!found) return false;
    }
    return true;
}

static bool scan_is_unique(const br_rewrite *rewrite, const br_plan *scan, uint32_t stamp)
{
    const br_sql_table *table = br_scan_table(rewrite, scan);
    for (uint32_t i = 0; i < scan->column_count; i++) {
        uint32_t column = scan->scan.table_columns[i];
        if (rewrite->owners[scan->columns[i].id] != stamp) continue;
        if (column == BR_SCAN_KEY) return true;
        if (table != NULL && column < table->column_count && table->columns[column].is_rowid)
            return true;
    }
    for (uint32_t i = 0; table != NULL && i < table->unique_count; i++)
        if (columns_in_set(rewrite, scan, table->unique_keys[i], stamp)) return true;
    return false;
}

// Rows of a join differ when those of the left side do and have one match at most, or when those of
// both sides do.
static bool join_is_unique(br_rewrite *rewrite, const br_plan *join, uint32_t stamp)
{
    br_join_kind kind = join->join.join;
    if (!br_plan_is_unique(rewrite, join->left, stamp)) return false;
    if (kind == BR_JOIN_FULL) return false;
    if (kind != BR_JOIN_INNER && kind != BR_JOIN_LEFT) return true;
    return br_plan_is_unique(rewrite, join->right, stamp) ||
           br_join_right_is_unique(rewrite, join);
}

bool br_plan_is_unique(br_rewrite *rewrite, const br_plan *plan, uint32_t stamp)
{
    switch (plan->kind) {
    case BR_PLAN_SCAN: return scan_is_unique(rewrite, plan, stamp);
    case BR_PLAN_AGGREGATE:
        for (uint32_t i = 0; i < plan->aggregate.key_count; i++)
            if (rewrite->owners[plan->columns[i].id] != stamp) return false;
        return true;
    case BR_PLAN_PROJECT:
        for (uint32_t i = 0; i < plan->column_count; i++) {
            const br_expr *expr = plan->project.expressions[i];
            if (expr->kind == BR_EXPR_COLUMN && rewrite->owners[plan->columns[i].id] == stamp)
                rewrite->owners[expr->column_id] = stamp;
        }
        return br_plan_is_unique(rewrite, plan->left, stamp);
    case BR_PLAN_FILTER:
    case BR_PLAN_SORT:
    case BR_PLAN_WINDOW:
    case BR_PLAN_LIMIT: return br_plan_is_unique(rewrite, plan->left, stamp);
    case BR_PLAN_JOIN: return join_is_unique(rewrite, plan, stamp);
    case BR_PLAN_VALUES: return plan->values.row_count <= 1;
    default: return false;
    }
}

bool br_join_right_is_unique(br_rewrite *rewrite, const br_plan *join)
{
    uint32_t stamp = ++rewrite->stamp;
    for (uint32_t i = 0; i < join->join.key_count; i++) {
        const br_expr *key = join->join.right_keys[i];
        bool is_plain = key->kind == BR_EXPR_COLUMN && !join->join.null_safe[i] &&
                        join->join.key_collations[i] == BR_COLLATION_BINARY;
        // Groups have one NULL at most, and so IS will do where the right side is grouped.
        bool is_group = key->kind == BR_EXPR_COLUMN && join->right->kind == BR_PLAN_AGGREGATE &&
                        join->join.key_collations[i] == BR_COLLATION_BINARY;
        if (is_plain || is_group) rewrite->owners[key->column_id] = stamp;
    }
    return br_plan_is_unique(rewrite, join->right, stamp);
}

// ---- sides -----------------------------------------------------------------------------------

static bool is_outer(br_join_kind kind)
{
    return kind == BR_JOIN_LEFT || kind == BR_JOIN_SINGLE;
}

static br_status extract_keys(br_rewrite *rewrite, br_plan *join, br_error *err)
{
    br_conjuncts parts = {0};
    if (join->join.residual == NULL) return BR_OK;
    uint32_t stamp = br_mark_outputs(rewrite, join->right);
    BR_TRY(br_conjuncts_split(rewrite, &parts, join->join.residual, err));
    BR_TRY(br_join_take_keys(rewrite, join, &parts, stamp, err));
    return br_conjuncts_join(rewrite, &parts, &join->join.residual, err);
}

br_status br_join_make_inner(br_rewrite *rewrite, br_plan *join, const br_conjuncts *conditions,
                             br_error *err)
{
    bool rejects = false;
    if (!is_outer(join->join.join)) return BR_OK;
    uint32_t stamp = br_mark_outputs(rewrite, join->right);
    for (uint32_t i = 0; i < conditions->count && !rejects; i++)
        rejects = br_expr_rejects_nulls(rewrite, conditions->items[i], stamp);
    if (!rejects) return BR_OK;
    if (join->join.join == BR_JOIN_SINGLE) {
        BR_TRY(extract_keys(rewrite, join, err));
        if (!br_join_right_is_unique(rewrite, join)) return BR_OK;
    }
    join->join.join = BR_JOIN_INNER;
    return BR_OK;
}

// The side with clearly fewer rows is built. Building costs more than probing, and filters made
// from the built side spare rows of the other one.
void br_join_choose_build(br_plan *join)
{
    br_join_kind kind = join->join.join;
    bool may = kind == BR_JOIN_SEMI || kind == BR_JOIN_ANTI || kind == BR_JOIN_LEFT;
    join->join.build_left =
        may && join->join.key_count > 0 && join->left->rows * 2 < join->right->rows;
}

static bool reads_working(const br_plan *plan)
{
    if (plan == NULL) return false;
    return plan->kind == BR_PLAN_WORKING || reads_working(plan->left) ||
           reads_working(plan->right);
}

void br_join_probe_working(br_plan *plan)
{
    if (plan->left != NULL) br_join_probe_working(plan->left);
    if (plan->right != NULL) br_join_probe_working(plan->right);
    if (plan->kind != BR_PLAN_JOIN) return;
    bool left = reads_working(plan->left), right = reads_working(plan->right);
    if (left && !right) plan->join.build_left = false;
    if (right && !left && plan->join.join == BR_JOIN_INNER) plan->join.build_left = true;
}

// Splits the residual: what only concerns the right side goes there, equalities become keys, the
// rest stays. Parts that can fail stay in the residual.
static br_status split_residual(br_rewrite *rewrite, br_plan *join, br_conjuncts *right,
                                br_error *err)
{
    br_conjuncts parts = {0}, kept = {0};
    uint32_t stamp = br_mark_outputs(rewrite, join->right);
    if (join->join.residual == NULL) return BR_OK;
    BR_TRY(br_conjuncts_split(rewrite, &parts, join->join.residual, err));
    BR_TRY(br_conjuncts_factor(rewrite, &parts, err));
    for (uint32_t i = 0; i < parts.count; i++) {
        bool outside = false;
        br_expr *part = parts.items[i];
        bool inside = br_expr_sets(rewrite, part, stamp, 1, &outside) != 0;
        bool moves = !outside && !part->can_fail && (inside || br_expr_is_never(part));
        BR_TRY(br_conjuncts_add(rewrite, moves ? right : &kept, part, err));
    }
    BR_TRY(br_join_take_keys(rewrite, join, &kept, stamp, err));
    return br_conjuncts_join(rewrite, &kept, &join->join.residual, err);
}

br_status br_push_semi(br_rewrite *rewrite, br_plan *join, br_error *err)
{
    br_conjuncts right = {0};
    BR_TRY(split_residual(rewrite, join, &right, err));
    return br_push_down(rewrite, &join->right, &right, err);
}

// Conditions on columns of the left side alone, or on none, go there; others stay above.
static br_status split_left(br_rewrite *rewrite, const br_plan *join,
                            const br_conjuncts *conditions, br_conjuncts *left,
                            br_conjuncts *kept, br_error *err)
{
    uint32_t stamp = br_mark_outputs(rewrite, join->left);
    for (uint32_t i = 0; i < conditions->count; i++) {
        bool outside = false;
        br_expr_sets(rewrite, conditions->items[i], stamp, 1, &outside);
        BR_TRY(br_conjuncts_add(rewrite, outside ? kept : left, conditions->items[i], err));
    }
    return BR_OK;
}

// LEFT, SINGLE and MARK keep every left row, FULL also every right one.
static br_status push_outer(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                            br_error *err)
{
    br_plan *join = *plan;
    br_conjuncts left = {0}, right = {0}, kept = {0};
    if (join->join.join == BR_JOIN_FULL) {
        BR_TRY(extract_keys(rewrite, join, err));
        kept = *conditions;
    } else {
        if (join->join.join != BR_JOIN_MARK || join->join.mark_key_count == 0)
            BR_TRY(split_residual(rewrite, join, &right, err));
        BR_TRY(split_left(rewrite, join, conditions, &left, &kept, err));
    }
    BR_TRY(br_push_down(rewrite, &join->left, &left, err));
    BR_TRY(br_push_down(rewrite, &join->right, &right, err));
    BR_TRY(br_plan_refresh(rewrite, join, err));
    br_estimate_node(rewrite, join);
    br_join_choose_build(join);
    return br_add_filter(rewrite, plan, &kept, err);
}

br_status br_push_join(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                       br_error *err)
{
    br_plan *join = *plan;
    BR_TRY(br_join_make_inner(rewrite, join, conditions, err));
    br_join_kind kind = join->join.join;
    if (kind == BR_JOIN_INNER || kind == BR_JOIN_SEMI || kind == BR_JOIN_ANTI)
        return br_join_graph_run(rewrite, plan, conditions, err);
    return push_outer(rewrite, plan, conditions, err);
}
