// Aggregates of an outer query: one whose arguments name only columns of queries around the one
// where it stands belongs to the innermost of those, as in SELECT (SELECT sum(t.a)) FROM t.
//
// Whose an aggregate is shows only once its arguments are bound; but whether a query is an
// aggregate one has to be known before. So what is found is noted, and the statement is bound anew.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"

// A query is known by the place of its first result in the text.
static uint32_t core_offset(const br_ast_core *core)
{
    return core->is_values ? core->rows[0][0]->offset : core->results[0].expression->offset;
}

const br_outer_aggregate *br_outer_aggregate_find(const br_binder *binder, const br_ast *ast)
{
    for (const br_outer_aggregate *known = binder->outer_aggregates; known != NULL;
         known = known->next) {
        if (known->offset == ast->offset && strcmp(known->text, binder->text) == 0) return known;
    }
    return NULL;
}

bool br_is_owner(const br_ast_core *core, const br_outer_aggregate *noted)
{
    return noted->owner == core_offset(core);
}

bool br_owns_aggregate(const br_binder *binder, const br_ast_core *core)
{
    for (const br_outer_aggregate *known = binder->outer_aggregates; known != NULL;
         known = known->next) {
        if (br_is_owner(core, known) && strcmp(known->text, binder->text) == 0)
            return true;
    }
    return false;
}

br_status br_scope_count_references(const br_scope *scope, uint32_t **counts_out, br_error *err)
{
    uint32_t depth = 0;
    for (const br_scope *outer = scope; outer != NULL; outer = outer->outer) depth++;
    uint32_t *counts = BR_ALLOC(scope->binder->arena, uint32_t, depth);
    BR_NEED(counts, err);
    depth = 0;
    for (const br_scope *outer = scope; outer != NULL; outer = outer->outer)
        counts[depth++] = outer->own_references;
    *counts_out = counts;
    return BR_OK;
}

// Out of a subquery in FROM no aggregate can reach.
static bool is_behind_from(const br_scope *owner)
{
    for (const br_scope *scope = owner->binder->from_outer; scope != NULL; scope = scope->outer) {
        if (scope == owner) return true;
    }
    return false;
}

static br_status check_owner(const br_scope *owner, const br_ast *ast, br_error *err)
{
    if (owner->aggregates_allowed && !owner->in_aggregate && !is_behind_from(owner)) return BR_OK;
    return br_fail_at(err, BR_SQL, ast->offset, "misuse of aggregate: %s()", ast->name);
}

br_status br_note_outer_aggregate(br_scope *scope, const br_ast *ast, const uint32_t *counts,
                                  br_error *err)
{
    br_binder *binder = scope->binder;
    br_scope *owner = scope;
    while (owner != NULL && owner->own_references == *counts) {
        owner = owner->outer;
        counts++;
    }
    if (owner == NULL || owner == scope) return BR_OK;  // its own
    BR_TRY(check_owner(owner, ast, err));
    br_outer_aggregate *noted = BR_ALLOC(binder->arena, br_outer_aggregate, 1);
    BR_NEED(noted, err);
    *noted = (br_outer_aggregate){.next = binder->outer_aggregates, .text = binder->text,
                                  .offset = ast->offset, .owner = core_offset(owner->core)};
    binder->outer_aggregates = noted;
    binder->is_stale = true;
    return br_fail(err, BR_INTERNAL, "aggregate %s() belongs to an outer query", ast->name);
}

br_status br_bind_outer_aggregate(br_scope *scope, const br_ast *ast, br_aggregate_kind kind,
                                  const br_outer_aggregate *noted, br_bound *out, br_error *err)
{
    br_scope *owner = scope->outer;
    while (owner != NULL && (owner->core == NULL || !br_is_owner(owner->core, noted)))
        owner = owner->outer;
    if (owner == NULL)
        return br_fail(err, BR_INTERNAL, "aggregate %s() has lost its query", ast->name);
    BR_TRY(check_owner(owner, ast, err));
    BR_TRY(br_bind_aggregate(owner, ast, kind, out, err));
    for (br_scope *inner = scope; inner != owner; inner = inner->outer) inner->escapes = true;
    return BR_OK;
}
