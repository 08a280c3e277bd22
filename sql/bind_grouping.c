// Grouping sets, which SQLite's grammar has not: GROUP BY ROLLUP(a, b), CUBE(a, b), and GROUPING
// SETS((a, b), a, ()), alone or beside other keys. Each set gets an AGGREGATE node, over what
// bind_grouping_share.c gives it; UNION ALL joins them, with NULL for the keys that a set lacks.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"
#include "sql/unnest.h"

enum {
    KEYS_MAX = 64,   // a set is a word of bits
    SETS_MAX = 1024,
    CUBE_KEYS_MAX = 10,
};

typedef struct set_list {  // bits of keys
    uint64_t *items;
    uint32_t count;
} set_list;

typedef struct expansion {
    br_binder *binder;
    br_ast **keys;
    uint32_t key_count;
} expansion;

static bool is_call(const br_ast *ast, const char *name)
{
    return ast->kind == BR_AST_FUNCTION && ast->window == NULL && br_name_equal(ast->name, name);
}

bool br_is_grouping_term(const br_ast *ast)
{
    return is_call(ast, "rollup") || is_call(ast, "cube") || ast->kind == BR_AST_GROUPING_SETS;
}

bool br_has_grouping_sets(const br_ast_core *core)
{
    for (uint32_t i = 0; core != NULL && i < core->group_count; i++) {
        if (br_is_grouping_term(core->group_by[i])) return true;
    }
    return false;
}

// ---- terms to sets ---------------------------------------------------------------------------

static br_status add_set(expansion *self, set_list *list, uint64_t set, br_error *err)
{
    if (list->count >= SETS_MAX)
        return br_fail(err, BR_SQL, "more than %d grouping sets", SETS_MAX);
    uint64_t *grown = br_grow(self->binder->arena, list->items, list->count, sizeof *grown);
    BR_NEED(grown, err);
    list->items = grown;
    list->items[list->count++] = set;
    return BR_OK;
}

// The bits of a key, or of all keys of a row.
static br_status set_of(expansion *self, br_ast *ast, uint64_t *set_out, br_error *err)
{
    uint64_t part;
    *set_out = 0;
    if (ast->kind == BR_AST_ROW) {
        for (uint32_t i = 0; i < ast->arg_count; i++) {
            BR_TRY(set_of(self, ast->args[i], &part, err));
            *set_out |= part;
        }
        return BR_OK;
    }
    if (self->key_count >= KEYS_MAX)
        return br_fail_at(err, BR_SQL, ast->offset, "more than %d keys in grouping sets", KEYS_MAX);
    br_ast **grown = br_grow(self->binder->arena, self->keys, self->key_count, sizeof *grown);
    BR_NEED(grown, err);
    self->keys = grown;
    self->keys[self->key_count] = ast;
    *set_out = 1ull << self->key_count++;
    return BR_OK;
}

// From all parts down to none: the first of them, the first but one, ...
static br_status add_rollup(expansion *self, const br_ast *ast, set_list *list, br_error *err)
{
    uint64_t sets[KEYS_MAX + 1] = {0};
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        uint64_t part;
        BR_TRY(set_of(self, ast->args[i], &part, err));
        sets[i + 1] = sets[i] | part;
    }
    for (uint32_t i = ast->arg_count + 1; i-- > 0;) BR_TRY(add_set(self, list, sets[i], err));
    return BR_OK;
}

static br_status add_cube(expansion *self, const br_ast *ast, set_list *list, br_error *err)
{
    uint64_t parts[CUBE_KEYS_MAX];
    if (ast->arg_count > CUBE_KEYS_MAX)
        return br_fail_at(err, BR_SQL, ast->offset, "more than %d keys in CUBE", CUBE_KEYS_MAX);
    for (uint32_t i = 0; i < ast->arg_count; i++)
        BR_TRY(set_of(self, ast->args[i], &parts[i], err));
    for (uint32_t choice = 1u << ast->arg_count; choice-- > 0;) {
        uint64_t set = 0;
        for (uint32_t i = 0; i < ast->arg_count; i++)
            if (choice >> (ast->arg_count - 1 - i) & 1) set |= parts[i];
        BR_TRY(add_set(self, list, set, err));
    }
    return BR_OK;
}

static br_status add_term(expansion *self, br_ast *ast, set_list *list, br_error *err)
{
    uint64_t set;
    if (is_call(ast, "rollup")) return add_rollup(self, ast, list, err);
    if (is_call(ast, "cube")) return add_cube(self, ast, list, err);
    if (ast->kind == BR_AST_GROUPING_SETS) {
        for (uint32_t i = 0; i < ast->arg_count; i++)
            BR_TRY(add_term(self, ast->args[i], list, err));
        return BR_OK;
    }
    BR_TRY(set_of(self, ast, &set, err));
    return add_set(self, list, set, err);
}

br_status br_expand_grouping(br_scope *scope, const br_ast_core *core, br_ast ***keys_out,
                             uint32_t *count_out, br_error *err)
{
    expansion self = {.binder = scope->binder};
    set_list sets = {0};
    BR_TRY(add_set(&self, &sets, 0, err));
    for (uint32_t i = 0; i < core->group_count; i++) {
        set_list term = {0}, product = {0};
        BR_TRY(add_term(&self, core->group_by[i], &term, err));
        for (uint32_t a = 0; a < sets.count; a++)
            for (uint32_t b = 0; b < term.count; b++)
                BR_TRY(add_set(&self, &product, sets.items[a] | term.items[b], err));
        sets = product;
    }
    scope->grouping_sets = sets.items;
    scope->grouping_set_count = sets.count;
    *keys_out = self.keys;
    *count_out = self.key_count;
    return BR_OK;
}

// A key written twice is one key; in what a set lacks, NULL.
void br_settle_grouping(br_scope *scope)
{
    for (uint32_t i = 0; i < scope->key_count; i++) {
        uint32_t first = 0;
        scope->key_columns[i].type.class_mask |= BR_MASK_NULL;
        while (!br_expr_equal(scope->keys[first], scope->keys[i])) first++;
        for (uint32_t s = 0; first < i && s < scope->grouping_set_count; s++) {
            uint64_t *set = &scope->grouping_sets[s];
            if (*set >> i & 1) *set = (*set & ~(1ull << i)) | 1ull << first;
        }
    }
}

// ---- GROUPING(key) ---------------------------------------------------------------------------

bool br_is_grouping_mark(const br_bound_aggregate *item)
{
    return !item->is_bare && item->aggregate.kind == BR_AGG_FIRST;
}

// 1 where the set lacks the key.
static br_status grouping_mark(const br_scope *scope, const br_expr *key, uint64_t set,
                               br_value *out, br_error *err)
{
    for (uint32_t i = 0; i < scope->key_count; i++) {
        if (!br_expr_equal(scope->keys[i], key)) continue;
        *out = br_value_int(!(set >> i & 1));
        return BR_OK;
    }
    return br_fail(err, BR_SQL, "GROUPING() of what is not in GROUP BY");
}

// ---- plans -----------------------------------------------------------------------------------

// Takes the keys that the set lacks away from the node.
static void shrink(br_plan *plan, uint64_t set)
{
    uint32_t kept = 0, key_count = plan->aggregate.key_count;
    for (uint32_t i = 0; i < key_count; i++) {
        if (!(set >> i & 1)) continue;
        plan->aggregate.keys[kept] = plan->aggregate.keys[i];
        plan->aggregate.key_collations[kept] = plan->aggregate.key_collations[i];
        plan->columns[kept++] = plan->columns[i];
    }
    memmove(plan->columns + kept, plan->columns + key_count,
            (plan->column_count - key_count) * sizeof *plan->columns);
    plan->column_count -= key_count - kept;
    plan->aggregate.key_count = kept;
}

// What column i of the query's groups is in those of one set, which are in `columns`.
static br_status branch_value(br_scope *scope, const br_grouping_source *source, uint32_t i,
                              uint64_t set, const br_plan_column *columns, br_expr **out,
                              br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_value constant = br_value_null();
    bool is_constant = i < scope->key_count && !(set >> i & 1);
    if (i >= scope->key_count) {
        const br_bound_aggregate *item = &scope->aggregates[i - scope->key_count];
        if (!br_is_grouping_mark(item))
            return br_grouping_value(scope, source, i - scope->key_count, columns, out, err);
        BR_TRY(grouping_mark(scope, item->aggregate.args[0], set, &constant, err));
        is_constant = true;
    }
    *out = is_constant ? br_expr_const(arena, constant) : br_expr_column(arena, &columns[i]);
    BR_NEED(*out, err);
    return BR_OK;
}

static br_status make_groups(br_scope *scope, const br_grouping_source *source, uint64_t set,
                             br_plan **out, br_error *err)
{
    uint32_t *map;
    if (source->fine != NULL && set == source->fine_set)
        return br_plan_shared(scope->binder, source->fine, source->fine_index, out, err);
    return br_plan_clone(scope->binder, source->whole, out, &map, err);
}

static br_status make_branch(br_scope *scope, const br_grouping_source *source, uint64_t set,
                             br_plan **out, br_error *err)
{
    br_binder *binder = scope->binder;
    const br_plan *whole = scope->plan;
    br_plan *groups, *project = br_plan_new(binder, BR_PLAN_PROJECT, whole->column_count);
    BR_NEED(project, err);
    BR_TRY(make_groups(scope, source, set, &groups, err));
    project->project.expressions = BR_ALLOC(binder->arena, br_expr *, whole->column_count);
    BR_NEED(project->project.expressions, err);
    for (uint32_t i = 0; i < whole->column_count; i++) {
        br_expr **value = &project->project.expressions[i];
        BR_TRY(branch_value(scope, source, i, set, groups->columns, value, err));
        project->columns[i] = whole->columns[i];
        project->columns[i].id = binder->next_id++;
        project->columns[i].type = (*value)->type;
    }
    if (groups->kind == BR_PLAN_AGGREGATE) shrink(groups, set);
    project->left = groups;
    *out = project;
    return BR_OK;
}

br_status br_bind_grouping_sets(br_scope *scope, br_error *err)
{
    br_plan *whole = scope->plan, *all = NULL;
    br_grouping_source source;
    BR_TRY(br_share_grouping(scope, &source, err));
    for (uint32_t s = 0; s < scope->grouping_set_count; s++) {
        br_plan *branch;
        BR_TRY(make_branch(scope, &source, scope->grouping_sets[s], &branch, err));
        all = all == NULL ? branch : br_plan_union_all(scope->binder, all, branch);
        BR_NEED(all, err);
    }
    for (uint32_t i = 0; i < whole->column_count; i++) all->columns[i].id = whole->columns[i].id;
    scope->plan = all;
    return BR_OK;
}
