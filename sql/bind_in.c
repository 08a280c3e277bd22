// x IN (SELECT ...): SEMI, ANTI and MARK joins, and what makes the answer unknown.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/unnest.h"

// x IN table means x IN (SELECT * FROM table).
static br_status select_of_table(br_binder *binder, const br_ast *ast, const br_ast_select **out,
                                 br_error *err)
{
    br_ast_select *select = BR_ALLOC(binder->arena, br_ast_select, 1);
    br_ast_core *core = BR_ALLOC(binder->arena, br_ast_core, 1);
    br_ast_source *source = BR_ALLOC(binder->arena, br_ast_source, 1);
    br_ast_result *result = BR_ALLOC(binder->arena, br_ast_result, 1);
    br_ast *star = BR_ALLOC(binder->arena, br_ast, 1);
    BR_NEED(select, err);
    BR_NEED(core, err);
    BR_NEED(source, err);
    BR_NEED(result, err);
    BR_NEED(star, err);
    star->kind = BR_AST_STAR;
    star->offset = ast->offset;
    result->expression = star;
    source->kind = BR_AST_SOURCE_TABLE;
    source->schema = ast->schema;
    source->name = ast->name;
    source->offset = ast->offset;
    core->result_count = 1;
    core->results = result;
    core->from = source;
    select->core_count = 1;
    select->cores = core;
    *out = select;
    return BR_OK;
}

typedef struct in_operands {
    br_bound *left;    // one, or the elements of a row value
    uint32_t count;
    br_plan *right;
    bool escapes;
    bool nullable;     // NULL on either side: the answer may be unknown
} in_operands;

static bool is_nullable(br_type type)
{
    return (type.class_mask & BR_MASK_NULL) != 0;
}

static br_status bind_in_operands(br_scope *scope, const br_ast *ast, in_operands *in,
                                  br_error *err)
{
    const br_ast_select *select = ast->select;
    if (select == NULL) BR_TRY(select_of_table(scope->binder, ast, &select, err));
    BR_TRY(br_bind_row(scope, ast->args[0], &in->left, &in->count, err));
    BR_TRY(br_bind_select(scope->binder, scope, select, BR_NAMES_TABLE, &in->right, &in->escapes,
                          err));
    if (in->right->column_count != in->count)
        return br_fail_at(err, BR_SQL, ast->offset, "sub-select returns %u columns - expected %u",
                          in->right->column_count, in->count);
    for (uint32_t i = 0; i < in->count; i++)
        in->nullable = in->nullable || is_nullable(in->left[i].expr->type) ||
                       is_nullable(in->right->columns[i].type);
    return BR_OK;
}

static br_status make_keys(br_scope *scope, br_plan *join, uint32_t count, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    join->join.left_keys = BR_ALLOC(arena, br_expr *, count);
    join->join.right_keys = BR_ALLOC(arena, br_expr *, count);
    join->join.key_collations = BR_ALLOC(arena, br_collation, count);
    join->join.null_safe = BR_ALLOC(arena, bool, count);
    BR_NEED(join->join.left_keys, err);
    BR_NEED(join->join.right_keys, err);
    BR_NEED(join->join.key_collations, err);
    BR_NEED(join->join.null_safe, err);
    return BR_OK;
}

// When one side is a REAL column and the other has no affinity, SQLite stores both sides of IN as
// REAL: integers beyond 2^53 lose their last digits.
static br_expr *stored_as_real(br_arena *arena, br_expr *expr)
{
    const int64_t exact = 1ll << 53;
    const br_type *type = &expr->type;
    bool is_exact = type->has_range && type->int_min >= -exact && type->int_max <= exact;
    if ((type->class_mask & BR_MASK_TEXT) == 0 &&
        ((type->class_mask & BR_MASK_INT) == 0 || is_exact))
        return expr;
    br_expr *out = br_expr_new(arena, BR_EXPR_AFFINITY, 1);
    if (out == NULL) return NULL;
    out->args[0] = expr;
    out->affinity_to = BR_AFFINITY_REAL;
    out->type = br_type_affinity(expr->type, BR_AFFINITY_REAL);
    out->can_fail = expr->can_fail;
    out->affinity = expr->affinity;
    out->offset = expr->offset;
    return out;
}

// Element `index` as a key; `columns` are those of the right side, or of a copy of it.
static br_status add_key(br_scope *scope, const in_operands *in, uint32_t index,
                         const br_plan_column *columns, br_plan *join, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    const br_plan_column *last = br_value_column(in->right, index);
    uint32_t key = join->join.key_count++;
    br_expr *left = br_expr_clone(arena, in->left[index].expr);
    br_expr *right = br_expr_column(arena, &columns[index]);
    BR_NEED(left, err);
    BR_NEED(right, err);
    br_bound right_bound = {right, last->collation, BR_COLLATED_COLUMN};
    br_affinity affinity = br_compare_affinity(last->affinity, left->affinity);
    join->join.key_collations[key] = br_bound_collation(&in->left[index], &right_bound);
    BR_TRY(br_compare_prepare(scope, &left, &right, affinity, err));
    if (affinity == BR_AFFINITY_REAL) {
        left = stored_as_real(arena, left);
        BR_NEED(left, err);
        right = stored_as_real(arena, right);
        BR_NEED(right, err);
    }
    join->join.left_keys[key] = left;
    join->join.right_keys[key] = right;
    return BR_OK;
}

static br_status add_keys(br_scope *scope, const in_operands *in, br_plan *join, br_error *err)
{
    BR_TRY(make_keys(scope, join, in->count, err));
    for (uint32_t i = 0; i < in->count; i++)
        BR_TRY(add_key(scope, in, i, in->right->columns, join, err));
    return BR_OK;
}

static br_status new_mark(br_scope *scope, br_plan *right, bool nullable, br_plan **join_out,
                          br_expr **out, br_error *err)
{
    BR_TRY(br_join_new(scope, BR_JOIN_MARK, right, 1, join_out, err));
    (*join_out)->columns[0] = (br_plan_column){
        .id = scope->binder->next_id++, .name = "", .type = br_type_int(0, 1, nullable)};
    *out = br_expr_column(scope->binder->arena, &(*join_out)->columns[0]);
    BR_NEED(*out, err);
    return BR_OK;
}

// ---- unknown answers -------------------------------------------------------------------------

// The answer is unknown when no row is equal, but one would be if NULLs were other values. For each
// element a row of the right side has an equal value, or NULL, or the left side has NULL: for every
// such combination (but all equal) a MARK join tells whether there is a row of it. All of them have
// plain keys, where one join would have to go through the rows of each group.
typedef enum element_state {
    ELEMENT_EQUAL, ELEMENT_RIGHT_NULL, ELEMENT_LEFT_NULL, ELEMENT_STATES,
} element_state;

typedef struct in_cases {
    br_scope *scope;
    in_operands *in;
    br_attach_list *list;
    uint32_t shared;      // of the right side, when it does not escape
    element_state *states;
    br_expr *unknown;     // OR of the combinations so far
} in_cases;

// The right side, or its rows once more.
static br_status next_right(in_cases *cases, br_plan **out, br_error *err)
{
    br_binder *binder = cases->scope->binder;
    uint32_t *map;
    if (!cases->in->escapes)
        return br_plan_shared(binder, cases->in->right, cases->shared, out, err);
    return br_plan_clone(binder, cases->in->right, out, &map, err);
}

// The next combination; false after the last one.
static bool next_states(in_cases *cases)
{
    const in_operands *in = cases->in;
    for (uint32_t i = 0; i < in->count; i++) {
        while (++cases->states[i] < ELEMENT_STATES) {
            bool is_left = cases->states[i] == ELEMENT_LEFT_NULL;
            br_type type = is_left ? in->left[i].expr->type : in->right->columns[i].type;
            if (is_nullable(type)) return true;
        }
        cases->states[i] = ELEMENT_EQUAL;
    }
    return false;
}

static br_status add_null_test(br_arena *arena, br_expr *expr, br_expr **condition, br_error *err)
{
    BR_NEED(expr, err);
    expr = br_expr_operator(arena, BR_OP_IS_NULL, expr, NULL);
    BR_NEED(expr, err);
    *condition = br_expr_and(arena, *condition, expr);
    BR_NEED(*condition, err);
    return BR_OK;
}

// One combination: the mark of its join, for left rows with NULLs where it wants them.
static br_status add_case(in_cases *cases, br_error *err)
{
    br_scope *scope = cases->scope;
    br_arena *arena = scope->binder->arena;
    const in_operands *in = cases->in;
    br_plan *right, *join;
    br_expr *mark, *right_nulls = NULL, *condition = NULL;
    BR_TRY(next_right(cases, &right, err));
    const br_plan_column *columns = right->columns;
    for (uint32_t i = 0; i < in->count; i++) {
        if (cases->states[i] == ELEMENT_RIGHT_NULL)
            BR_TRY(add_null_test(arena, br_expr_column(arena, &columns[i]), &right_nulls, err));
        if (cases->states[i] == ELEMENT_LEFT_NULL)
            BR_TRY(add_null_test(arena, br_expr_clone(arena, in->left[i].expr), &condition, err));
    }
    if (right_nulls != NULL) right = br_plan_filter(scope->binder, right, right_nulls);
    BR_NEED(right, err);
    BR_TRY(new_mark(scope, right, false, &join, &mark, err));
    BR_TRY(make_keys(scope, join, in->count, err));
    for (uint32_t i = 0; i < in->count; i++) {
        if (cases->states[i] == ELEMENT_EQUAL)
            BR_TRY(add_key(scope, in, i, columns, join, err));
    }
    BR_TRY(br_attach_join(scope, cases->list, join, err));
    condition = br_expr_and(arena, condition, mark);
    BR_NEED(condition, err);
    cases->unknown = cases->unknown == NULL
                         ? condition
                         : br_expr_operator(arena, BR_OP_OR, cases->unknown, condition);
    BR_NEED(cases->unknown, err);
    return BR_OK;
}

// CASE WHEN equal THEN 1 WHEN unknown THEN NULL ELSE 0 END
static br_status in_by_cases(br_scope *scope, in_operands *in, br_attach_list *list,
                             br_expr **out, br_error *err)
{
    br_binder *binder = scope->binder;
    br_arena *arena = binder->arena;
    in_cases cases = {.scope = scope, .in = in, .list = list};
    br_plan *right, *join;
    br_expr *equal;
    cases.states = BR_ALLOC(arena, element_state, in->count);
    BR_NEED(cases.states, err);
    if (!in->escapes) BR_TRY(br_plan_share(binder, in->right, &cases.shared, err));
    BR_TRY(next_right(&cases, &right, err));
    BR_TRY(new_mark(scope, right, false, &join, &equal, err));
    BR_TRY(make_keys(scope, join, in->count, err));
    for (uint32_t i = 0; i < in->count; i++)
        BR_TRY(add_key(scope, in, i, right->columns, join, err));
    BR_TRY(br_attach_join(scope, list, join, err));
    while (next_states(&cases)) BR_TRY(add_case(&cases, err));
    br_expr *choice = br_expr_new(arena, BR_EXPR_CASE, 5);
    BR_NEED(choice, err);
    choice->args[0] = equal;
    choice->args[1] = br_expr_const(arena, br_value_int(1));
    choice->args[2] = cases.unknown;
    choice->args[3] = br_expr_const(arena, br_value_null());
    choice->args[4] = br_expr_const(arena, br_value_int(0));
    BR_NEED(choice->args[1], err);
    BR_NEED(choice->args[3], err);
    BR_NEED(choice->args[4], err);
    choice->type = br_type_int(0, 1, true);
    choice->can_fail = cases.unknown->can_fail;
    *out = choice;
    return BR_OK;
}

// The answer as a column of a MARK join, or made of several.
static br_status in_as_mark(br_scope *scope, in_operands *in, br_attach_list *list, br_expr **out,
                            br_error *err)
{
    br_plan *join;
    if (in->nullable && (in->count > 1 || in->escapes))
        return in_by_cases(scope, in, list, out, err);
    BR_TRY(new_mark(scope, in->right, in->nullable, &join, out, err));
    BR_TRY(add_keys(scope, in, join, err));
    join->join.mark_key_count = in->nullable ? in->count : 0;
    return br_attach_join(scope, list, join, err);
}

static br_status negate(br_scope *scope, bool negated, br_expr **expr, br_error *err)
{
    if (!negated) return BR_OK;
    *expr = br_expr_operator(scope->binder->arena, BR_OP_NOT, *expr, NULL);
    BR_NEED(*expr, err);
    return BR_OK;
}

br_status br_bind_in_subquery(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    in_operands in = {0};
    BR_TRY(bind_in_operands(scope, ast, &in, err));
    BR_TRY(in_as_mark(scope, &in, scope->attach, &out->expr, err));
    return negate(scope, ast->negated, &out->expr, err);
}

br_status br_bind_condition_in(br_scope *scope, const br_ast *ast, bool negated,
                               br_attach_list *joins, br_expr **filter_out, br_error *err)
{
    in_operands in = {0};
    br_plan *join;
    BR_TRY(bind_in_operands(scope, ast, &in, err));
    if (negated && in.nullable) {
        BR_TRY(in_as_mark(scope, &in, joins, filter_out, err));
        return negate(scope, true, filter_out, err);
    }
    BR_TRY(br_join_new(scope, negated ? BR_JOIN_ANTI : BR_JOIN_SEMI, in.right, 0, &join, err));
    BR_TRY(add_keys(scope, &in, join, err));
    return br_attach_join(scope, joins, join, err);
}
