// Columns that nobody reads are not made.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"
#include "sql/rewrite.h"

typedef struct id_set {
    uint64_t *bits;
} id_set;

static bool set_has(id_set set, uint32_t id)
{
    return (set.bits[id >> 6] >> (id & 63) & 1) != 0;
}

static void set_add(id_set set, uint32_t id)
{
    set.bits[id >> 6] |= 1ull << (id & 63);
}

static br_status set_copy(br_rewrite *rewrite, const id_set *from, id_set *out, br_error *err)
{
    size_t words = rewrite->id_count / 64 + 1;
    out->bits = BR_ALLOC(rewrite->arena, uint64_t, words);
    BR_NEED_NODE(out->bits, err);
    if (from != NULL) memcpy(out->bits, from->bits, words * sizeof *out->bits);
    return BR_OK;
}

static br_status set_add_expression(void *context, br_expr **expr, br_error *err)
{
    const id_set *set = context;
    if ((*expr)->kind == BR_EXPR_COLUMN) set_add(*set, (*expr)->column_id);
    for (uint32_t i = 0; i < (*expr)->arg_count; i++)
        BR_TRY(set_add_expression(context, &(*expr)->args[i], err));
    return BR_OK;
}

static br_status prune(br_rewrite *rewrite, br_plan **plan, id_set needed, br_error *err);

// ---- leaves ----------------------------------------------------------------------------------

// Columns that parents read, then those that only the filters read; no others.
static br_status prune_scan(br_rewrite *rewrite, br_plan *scan, id_set needed, br_error *err)
{
    uint32_t count = scan->column_count, kept = 0;
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, count);
    uint32_t *table_columns = BR_ALLOC(rewrite->arena, uint32_t, count);
    id_set filtered;
    BR_NEED_NODE(columns, err);
    BR_NEED_NODE(table_columns, err);
    BR_TRY(set_copy(rewrite, NULL, &filtered, err));
    BR_TRY(br_plan_each_expr(scan, set_add_expression, &filtered, err));
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t id = scan->columns[i].id;
            bool is_output = set_has(needed, id);
            if (pass == 0 ? !is_output : is_output || !set_has(filtered, id)) continue;
            columns[kept] = scan->columns[i];
            table_columns[kept++] = scan->scan.table_columns[i];
        }
        if (pass == 0) scan->scan.output_count = kept;
    }
    scan->columns = columns;
    scan->scan.table_columns = table_columns;
    scan->column_count = kept;
    return BR_OK;
}

static void note_wanted(const br_rewrite *rewrite, const br_plan *shared, id_set needed)
{
    if (rewrite->shared_wanted == NULL) return;
    bool *wanted = rewrite->shared_wanted[shared->shared.index];
    for (uint32_t i = 0; i < shared->column_count; i++)
        wanted[i] = wanted[i] || set_has(needed, shared->columns[i].id);
}

// ---- inner nodes -----------------------------------------------------------------------------

// FILTER, SORT, LIMIT, WINDOW, APPLY: what parents read and what they read themselves.
static br_status prune_through(br_rewrite *rewrite, br_plan *plan, id_set needed, br_error *err)
{
    id_set inner;
    BR_TRY(set_copy(rewrite, &needed, &inner, err));
    BR_TRY(br_plan_each_expr(plan, set_add_expression, &inner, err));
    BR_TRY(prune(rewrite, &plan->left, inner, err));
    return br_plan_refresh(rewrite, plan, err);
}

// Columns of the function that nobody reads are not asked for.
static br_status prune_call(br_rewrite *rewrite, br_plan *plan, id_set needed, br_error *err)
{
    uint32_t count = plan->call.output_count, kept = 0;
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, count);
    uint32_t *outputs = BR_ALLOC(rewrite->arena, uint32_t, count);
    id_set inner;
    BR_NEED_NODE(columns, err);
    BR_NEED_NODE(outputs, err);
    BR_TRY(set_copy(rewrite, &needed, &inner, err));
    BR_TRY(br_plan_each_expr(plan, set_add_expression, &inner, err));
    const br_plan_column *added = plan->columns + plan->column_count - count;
    for (uint32_t i = 0; i < count; i++) {
        if (!set_has(inner, added[i].id)) continue;
        columns[kept] = added[i];
        outputs[kept++] = plan->call.outputs[i];
    }
    plan->columns = columns;
    plan->column_count = kept;
    plan->call.outputs = outputs;
    plan->call.output_count = kept;
    BR_TRY(prune(rewrite, &plan->left, inner, err));
    return br_plan_refresh(rewrite, plan, err);
}

// Only columns, no two alike: the PROJECT below can give them in this order itself.
static bool takes_over(const br_plan *project)
{
    const br_plan *inner = project->left;
    if (inner->kind != BR_PLAN_PROJECT) return false;
    for (uint32_t i = 0; i < project->column_count; i++) {
        const br_expr *expr = project->project.expressions[i];
        if (expr->kind != BR_EXPR_COLUMN) return false;
        for (uint32_t k = 0; k < i; k++)
            if (project->project.expressions[k]->column_id == expr->column_id) return false;
    }
    return true;
}

static void take_over(br_plan *project)
{
    const br_plan *inner = project->left;
    for (uint32_t i = 0; i < project->column_count; i++) {
        uint32_t k = 0;
        while (inner->columns[k].id != project->project.expressions[i]->column_id) k++;
        project->project.expressions[i] = inner->project.expressions[k];
    }
    project->left = inner->left;
}

static br_status prune_project(br_rewrite *rewrite, br_plan **plan, id_set needed, br_error *err)
{
    br_plan *project = *plan;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < project->column_count; i++) {
        if (!set_has(needed, project->columns[i].id)) continue;
        project->columns[kept] = project->columns[i];
        project->project.expressions[kept++] = project->project.expressions[i];
    }
    project->column_count = kept;
    while (takes_over(project)) take_over(project);
    id_set inner;
    BR_TRY(set_copy(rewrite, NULL, &inner, err));
    BR_TRY(br_plan_each_expr(project, set_add_expression, &inner, err));
    BR_TRY(prune(rewrite, &project->left, inner, err));
    if (kept == 0) *plan = project->left;
    return BR_OK;
}

static br_status prune_aggregate(br_rewrite *rewrite, br_plan *plan, id_set needed, br_error *err)
{
    uint32_t key_count = plan->aggregate.key_count, kept = 0;
    for (uint32_t i = 0; i < plan->aggregate.aggregate_count; i++) {
        const br_plan_column *column = &plan->columns[key_count + i];
        // Without keys there has to be something that is computed for the one row.
        bool is_last_resort = key_count == 0 && kept == 0 &&
                              i + 1 == plan->aggregate.aggregate_count;
        if (!set_has(needed, column->id) && !is_last_resort) continue;
        plan->columns[key_count + kept] = *column;
        plan->aggregate.aggregates[kept++] = plan->aggregate.aggregates[i];
    }
    plan->aggregate.aggregate_count = kept;
    plan->column_count = key_count + kept;
    id_set inner;
    BR_TRY(set_copy(rewrite, NULL, &inner, err));
    BR_TRY(br_plan_each_expr(plan, set_add_expression, &inner, err));
    return prune(rewrite, &plan->left, inner, err);
}

// Calls that nobody reads go, and with the last of them the node.
// JOIN and WINDOW need not put out all that they read.
static void keep_needed(br_plan *plan, id_set needed)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        bool is_mark = plan->kind == BR_PLAN_JOIN && plan->join.join == BR_JOIN_MARK &&
                       i + 1 == plan->column_count;
        if (set_has(needed, plan->columns[i].id) || is_mark)
            plan->columns[kept++] = plan->columns[i];
    }
    plan->column_count = kept;
}

static br_status prune_window(br_rewrite *rewrite, br_plan **plan, id_set needed, br_error *err)
{
    br_plan *window = *plan;
    uint32_t count = window->window.call_count, kept = 0;
    br_plan_column *added = window->columns + window->column_count - count;
    for (uint32_t i = 0; i < count; i++) {
        if (!set_has(needed, added[i].id)) continue;
        added[kept] = added[i];
        window->window.calls[kept++] = window->window.calls[i];
    }
    window->column_count -= count - kept;
    window->window.call_count = kept;
    if (kept == 0) {
        *plan = window->left;
        return prune(rewrite, plan, needed, err);
    }
    BR_TRY(prune_through(rewrite, window, needed, err));
    keep_needed(window, needed);
    return BR_OK;
}

// A join that adds columns nobody reads to rows that it neither drops nor doubles.
static bool is_idle(br_rewrite *rewrite, const br_plan *join, id_set needed)
{
    br_join_kind kind = join->join.join;
    if (kind != BR_JOIN_LEFT && kind != BR_JOIN_SINGLE && kind != BR_JOIN_MARK) return false;
    if (join->join.residual != NULL && join->join.residual->can_fail) return false;
    uint32_t count = br_plan_output_count(join->right);
    if (kind == BR_JOIN_MARK) return !set_has(needed, join->columns[join->column_count - 1].id);
    for (uint32_t i = 0; i < count; i++)
        if (set_has(needed, join->right->columns[i].id)) return false;
    return kind == BR_JOIN_SINGLE || br_join_right_is_unique(rewrite, join);
}

static br_status prune_join(br_rewrite *rewrite, br_plan **plan, id_set needed, br_error *err)
{
    br_plan *join = *plan;
    if (is_idle(rewrite, join, needed)) {
        *plan = join->left;
        return prune(rewrite, plan, needed, err);
    }
    id_set inner;
    BR_TRY(set_copy(rewrite, &needed, &inner, err));
    BR_TRY(br_plan_each_expr(join, set_add_expression, &inner, err));
    BR_TRY(prune(rewrite, &join->left, inner, err));
    BR_TRY(prune(rewrite, &join->right, inner, err));
    BR_TRY(br_plan_refresh(rewrite, join, err));
    keep_needed(join, needed);
    return BR_OK;
}

// ---- positions -------------------------------------------------------------------------------

static bool has_columns(const br_plan *plan, const uint32_t *ids, uint32_t count)
{
    if (br_plan_output_count(plan) != count) return false;
    for (uint32_t i = 0; i < count; i++)
        if (plan->columns[i].id != ids[i]) return false;
    return true;
}

br_status br_project_columns(br_rewrite *rewrite, br_plan **plan, const uint32_t *ids,
                             uint32_t count, br_error *err)
{
    br_plan *project = BR_ALLOC(rewrite->arena, br_plan, 1);
    BR_NEED_NODE(project, err);
    project->kind = BR_PLAN_PROJECT;
    project->left = *plan;
    project->rows = (*plan)->rows;
    project->column_count = count;
    project->columns = BR_ALLOC(rewrite->arena, br_plan_column, count);
    project->project.expressions = BR_ALLOC(rewrite->arena, br_expr *, count);
    BR_NEED_NODE(project->columns, err);
    BR_NEED_NODE(project->project.expressions, err);
    for (uint32_t i = 0; i < count; i++) {
        const br_plan_column *column = br_plan_find(*plan, ids[i]);
        br_assert(column != NULL);
        project->columns[i] = *column;
        project->project.expressions[i] = br_expr_column(rewrite->arena, column);
        BR_NEED_NODE(project->project.expressions[i], err);
    }
    *plan = project;
    return BR_OK;
}

// A PROJECT that gives what it gets goes; the names of its columns stay where they matter.
static br_status drop_identity(br_rewrite *rewrite, br_plan **plan, bool keeps_names,
                               br_error *err)
{
    br_plan *project = *plan, *input = project->left;
    if (project->kind != BR_PLAN_PROJECT) return BR_OK;
    if (input->kind == BR_PLAN_SHARED || input->kind == BR_PLAN_WORKING) return BR_OK;
    if (br_plan_output_count(input) != project->column_count) return BR_OK;
    for (uint32_t i = 0; i < project->column_count; i++) {
        const br_expr *expr = project->project.expressions[i];
        if (expr->kind != BR_EXPR_COLUMN || expr->column_id != input->columns[i].id) return BR_OK;
    }
    *plan = input;
    if (!keeps_names) return BR_OK;
    // FILTER, SORT and LIMIT share the columns of their input, which keeps its own names.
    br_plan_column *columns =
        br_arena_copy(rewrite->arena, input->columns, input->column_count * sizeof *columns);
    BR_NEED_NODE(columns, err);
    for (uint32_t i = 0; i < project->column_count; i++) columns[i].name = project->columns[i].name;
    input->columns = columns;
    return BR_OK;
}

// Prunes a plan whose columns count by position to those at the first `count` positions that
// `wanted` has (NULL: all), in their order.
static br_status prune_positions(br_rewrite *rewrite, br_plan **plan, const bool *wanted,
                                 uint32_t count, br_error *err)
{
    uint32_t *ids = BR_ALLOC(rewrite->arena, uint32_t, count), id_count = 0;
    id_set needed;
    BR_NEED_NODE(ids, err);
    BR_TRY(set_copy(rewrite, NULL, &needed, err));
    for (uint32_t i = 0; i < count; i++) {
        if (wanted != NULL && !wanted[i]) continue;
        ids[id_count++] = (*plan)->columns[i].id;
        set_add(needed, (*plan)->columns[i].id);
    }
    BR_TRY(prune(rewrite, plan, needed, err));
    if (!has_columns(*plan, ids, id_count))
        BR_TRY(br_project_columns(rewrite, plan, ids, id_count, err));
    return drop_identity(rewrite, plan, wanted == NULL, err);
}

// Only UNION ALL may do without columns: the others compare whole rows.
static br_status prune_set(br_rewrite *rewrite, br_plan *set, id_set needed, br_error *err)
{
    uint32_t count = set->column_count, kept = 0;
    bool *wanted = BR_ALLOC(rewrite->arena, bool, count);
    BR_NEED_NODE(wanted, err);
    for (uint32_t i = 0; i < count; i++) {
        wanted[i] = set->set.set != BR_SET_UNION_ALL || set_has(needed, set->columns[i].id);
        kept += wanted[i];
    }
    if (kept == 0) wanted[0] = true;
    BR_TRY(prune_positions(rewrite, &set->left, wanted, count, err));
    BR_TRY(prune_positions(rewrite, &set->right, wanted, count, err));
    kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (wanted[i]) set->columns[kept++] = set->columns[i];
    set->column_count = kept;
    return BR_OK;
}

// The step may read what nobody else does.
static br_status prune_recursive(br_rewrite *rewrite, br_plan *plan, br_error *err)
{
    BR_TRY(prune_positions(rewrite, &plan->left, NULL, plan->column_count, err));
    return prune_positions(rewrite, &plan->right, NULL, plan->column_count, err);
}

// ---- all -------------------------------------------------------------------------------------

static br_status prune(br_rewrite *rewrite, br_plan **plan, id_set needed, br_error *err)
{
    switch ((*plan)->kind) {
    case BR_PLAN_SCAN: return prune_scan(rewrite, *plan, needed, err);
    case BR_PLAN_SHARED: note_wanted(rewrite, *plan, needed); return BR_OK;
    case BR_PLAN_VALUES:
    case BR_PLAN_WORKING: return BR_OK;
    case BR_PLAN_FILTER:
    case BR_PLAN_SORT:
    case BR_PLAN_LIMIT:
    case BR_PLAN_APPLY: return prune_through(rewrite, *plan, needed, err);
    case BR_PLAN_PROJECT: return prune_project(rewrite, plan, needed, err);
    case BR_PLAN_AGGREGATE: return prune_aggregate(rewrite, *plan, needed, err);
    case BR_PLAN_JOIN: return prune_join(rewrite, plan, needed, err);
    case BR_PLAN_SET: return prune_set(rewrite, *plan, needed, err);
    case BR_PLAN_WINDOW: return prune_window(rewrite, plan, needed, err);
    case BR_PLAN_CALL: return prune_call(rewrite, *plan, needed, err);
    case BR_PLAN_RECURSIVE: return prune_recursive(rewrite, *plan, err);
    }
    return BR_OK;
}

br_status br_prune_columns(br_rewrite *rewrite, br_plan **plan, uint32_t column_count,
                           br_error *err)
{
    return prune_positions(rewrite, plan, NULL, column_count, err);
}

// ---- shared plans ----------------------------------------------------------------------------

static br_status wanted_init(br_rewrite *rewrite, br_error *err)
{
    const br_query *query = rewrite->query;
    rewrite->shared_wanted = BR_ALLOC(rewrite->arena, bool *, query->shared_count);
    BR_NEED_NODE(rewrite->shared_wanted, err);
    for (uint32_t i = 0; i < query->shared_count; i++) {
        rewrite->shared_wanted[i] =
            BR_ALLOC(rewrite->arena, bool, query->shared[i]->column_count);
        BR_NEED_NODE(rewrite->shared_wanted[i], err);
    }
    return BR_OK;
}

static uint32_t count_wanted(const bool *wanted, uint32_t count)
{
    uint32_t result = 0;
    for (uint32_t i = 0; i < count; i++) result += wanted[i];
    return result;
}

static br_status prune_shared(br_rewrite *rewrite, uint32_t index, br_error *err)
{
    br_plan **plan = &rewrite->query->shared[index];
    uint32_t count = br_plan_output_count(*plan);
    bool *wanted = rewrite->shared_wanted[index];
    if (count_wanted(wanted, count) == 0) wanted[0] = true;  // the number of rows counts
    const br_plan_column *before = br_arena_copy(rewrite->arena, (*plan)->columns,
                                                 (*plan)->column_count * sizeof *before);
    BR_NEED_NODE(before, err);
    BR_TRY(prune_positions(rewrite, plan, wanted, count, err));
    br_plan_column *columns = br_arena_copy(rewrite->arena, (*plan)->columns,
                                            (*plan)->column_count * sizeof *columns);
    BR_NEED_NODE(columns, err);
    for (uint32_t i = 0, k = 0; i < count; i++)
        if (wanted[i]) columns[k++].name = before[i].name;
    (*plan)->columns = columns;
    return BR_OK;
}

// References put out what is left.
static br_status shrink_references(br_rewrite *rewrite, br_plan *plan, br_error *err)
{
    if (plan->left != NULL) BR_TRY(shrink_references(rewrite, plan->left, err));
    if (plan->right != NULL) BR_TRY(shrink_references(rewrite, plan->right, err));
    if (plan->kind != BR_PLAN_SHARED) return BR_OK;
    const bool *wanted = rewrite->shared_wanted[plan->shared.index];
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, plan->column_count);
    BR_NEED_NODE(columns, err);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < plan->column_count; i++)
        if (wanted[i]) columns[kept++] = plan->columns[i];
    plan->columns = columns;
    plan->column_count = kept;
    return BR_OK;
}

// Whoever uses a shared plan runs after it, so its uses are known when its turn comes.
br_status br_prune_query(br_rewrite *rewrite, br_error *err)
{
    br_query *query = rewrite->query;
    BR_TRY(wanted_init(rewrite, err));
    BR_TRY(prune_positions(rewrite, &query->root, NULL, br_plan_output_count(query->root), err));
    for (uint32_t i = query->applied_count; i > 0; i--) {
        br_plan **plan = &query->applied[i - 1];
        BR_TRY(prune_positions(rewrite, plan, NULL, br_plan_output_count(*plan), err));
    }
    for (uint32_t i = query->run_count; i > 0; i--) {
        uint32_t entry = query->run_order[i - 1], index = entry & ~(uint32_t)BR_RUN_SUBQUERY;
        if ((entry & BR_RUN_SUBQUERY) == 0) BR_TRY(prune_shared(rewrite, index, err));
        else BR_TRY(prune_positions(rewrite, &query->subqueries[index], NULL, 1, err));
    }
    BR_TRY(shrink_references(rewrite, query->root, err));
    for (uint32_t i = 0; i < query->applied_count; i++)
        BR_TRY(shrink_references(rewrite, query->applied[i], err));
    for (uint32_t i = 0; i < query->subquery_count; i++)
        BR_TRY(shrink_references(rewrite, query->subqueries[i], err));
    for (uint32_t i = 0; i < query->shared_count; i++)
        BR_TRY(shrink_references(rewrite, query->shared[i], err));
    rewrite->shared_wanted = NULL;
    return BR_OK;
}
