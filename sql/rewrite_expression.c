// Conditions as lists, and what can be said of an expression without running it.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "sql/bind.h"
#include "sql/rewrite.h"

static bool is_operator(const br_expr *expr, br_operator operator_)
{
    return expr->kind == BR_EXPR_OPERATOR && expr->operator_ == operator_;
}

// ---- certain values --------------------------------------------------------------------------

bool br_expr_is_never(const br_expr *expr)
{
    if (expr->kind != BR_EXPR_CONST) return false;
    return expr->value.class_ == BR_NULL ||
           (expr->value.class_ == BR_INT && expr->value.i64 == 0);
}

bool br_expr_is_always(const br_expr *expr)
{
    return expr->kind == BR_EXPR_CONST && expr->value.class_ == BR_INT && expr->value.i64 != 0;
}

static bool is_value(const br_expr *expr)
{
    return expr->kind == BR_EXPR_CONST;
}

static br_status set_const(br_rewrite *rewrite, br_expr **expr, br_value value, br_error *err)
{
    uint32_t offset = (*expr)->offset;
    *expr = br_expr_const(rewrite->arena, value);
    BR_NEED_NODE(*expr, err);
    (*expr)->offset = offset;
    return BR_OK;
}

static br_status simplify_compare(br_rewrite *rewrite, br_expr **expr, br_error *err)
{
    const br_expr *self = *expr;
    if (!is_value(self->args[0]) || !is_value(self->args[1])) return BR_OK;
    const br_value *left = &self->args[0]->value, *right = &self->args[1]->value;
    if (left->class_ == BR_NULL || right->class_ == BR_NULL)
        return set_const(rewrite, expr, br_value_null(), err);
    int order = br_value_compare(left, right, self->collation);
    bool result = self->operator_ == BR_OP_EQ   ? order == 0
                  : self->operator_ == BR_OP_NE ? order != 0
                  : self->operator_ == BR_OP_LT ? order < 0
                  : self->operator_ == BR_OP_LE ? order <= 0
                  : self->operator_ == BR_OP_GT ? order > 0
                                                : order >= 0;
    return set_const(rewrite, expr, br_value_int(result), err);
}

static br_status simplify_arithmetic(br_rewrite *rewrite, br_expr **expr, br_error *err)
{
    const br_expr *self = *expr;
    int64_t result, operands[2] = {0};
    if (self->arg_count != 2) return BR_OK;
    for (uint32_t i = 0; i < 2; i++) {
        if (!is_value(self->args[i]) || self->args[i]->value.class_ != BR_INT) return BR_OK;
        operands[i] = self->args[i]->value.i64;
    }
    bool overflows =
        self->operator_ == BR_OP_ADD ? __builtin_add_overflow(operands[0], operands[1], &result)
        : self->operator_ == BR_OP_SUB
            ? __builtin_sub_overflow(operands[0], operands[1], &result)
            : __builtin_mul_overflow(operands[0], operands[1], &result);
    return overflows ? BR_OK : set_const(rewrite, expr, br_value_int(result), err);
}

// A column of rows that are never NULL, say.
static br_status simplify_null_test(br_rewrite *rewrite, br_expr **expr, br_error *err)
{
    const br_expr *operand = (*expr)->args[0];
    unsigned mask = operand->type.class_mask;
    bool wants_null = (*expr)->operator_ == BR_OP_IS_NULL;
    if (operand->can_fail || operand->assumes_no_overflow || mask == 0) return BR_OK;
    if ((mask & BR_MASK_NULL) == 0) return set_const(rewrite, expr, br_value_int(!wants_null), err);
    if (mask == BR_MASK_NULL) return set_const(rewrite, expr, br_value_int(wants_null), err);
    return BR_OK;
}

// One operand that decides: 0 for AND, 1 for OR.
static br_status simplify_logic(br_rewrite *rewrite, br_expr **expr, br_error *err)
{
    bool is_and = (*expr)->operator_ == BR_OP_AND;
    bool decides = false, can_fail = false;
    for (uint32_t i = 0; i < (*expr)->arg_count; i++) {
        const br_expr *arg = (*expr)->args[i];
        bool is_false = br_expr_is_never(arg) && arg->value.class_ == BR_INT;
        decides = decides || (is_and ? is_false : br_expr_is_always(arg));
        can_fail = can_fail || arg->can_fail;
    }
    if (!decides || can_fail) return BR_OK;
    return set_const(rewrite, expr, br_value_int(!is_and), err);
}

br_status br_expr_simplify(br_rewrite *rewrite, br_expr **expr, br_error *err)
{
    br_expr *self = *expr;
    for (uint32_t i = 0; i < self->arg_count; i++)
        BR_TRY(br_expr_simplify(rewrite, &self->args[i], err));
    if (self->kind != BR_EXPR_OPERATOR) return BR_OK;
    switch (self->operator_) {
    case BR_OP_EQ:
    case BR_OP_NE:
    case BR_OP_LT:
    case BR_OP_LE:
    case BR_OP_GT:
    case BR_OP_GE: return simplify_compare(rewrite, expr, err);
    case BR_OP_ADD:
    case BR_OP_SUB:
    case BR_OP_MUL: return simplify_arithmetic(rewrite, expr, err);
    case BR_OP_IS_NULL:
    case BR_OP_NOT_NULL: return simplify_null_test(rewrite, expr, err);
    case BR_OP_AND:
    case BR_OP_OR: return simplify_logic(rewrite, expr, err);
    default: return BR_OK;
    }
}

// ---- lists -----------------------------------------------------------------------------------

br_status br_conjuncts_add(br_rewrite *rewrite, br_conjuncts *list, br_expr *condition,
                           br_error *err)
{
    br_expr **items = br_grow(rewrite->arena, list->items, list->count, sizeof *items);
    BR_NEED_NODE(items, err);
    list->items = items;
    list->items[list->count++] = condition;
    return BR_OK;
}

// The comparison that is true where `operator_` is false; both are NULL together.
static bool operator_negate(br_operator operator_, br_operator *negated_out)
{
    switch (operator_) {
    case BR_OP_EQ: *negated_out = BR_OP_NE; return true;
    case BR_OP_NE: *negated_out = BR_OP_EQ; return true;
    case BR_OP_LT: *negated_out = BR_OP_GE; return true;
    case BR_OP_LE: *negated_out = BR_OP_GT; return true;
    case BR_OP_GT: *negated_out = BR_OP_LE; return true;
    case BR_OP_GE: *negated_out = BR_OP_LT; return true;
    case BR_OP_IS: *negated_out = BR_OP_IS_NOT; return true;
    case BR_OP_IS_NOT: *negated_out = BR_OP_IS; return true;
    case BR_OP_IS_NULL: *negated_out = BR_OP_NOT_NULL; return true;
    case BR_OP_NOT_NULL: *negated_out = BR_OP_IS_NULL; return true;
    default: return false;
    }
}

// Adds NOT operand.
static br_status split_not(br_rewrite *rewrite, br_conjuncts *list, br_expr *condition,
                           br_error *err)
{
    br_expr *operand = condition->args[0];
    br_operator negated;
    if (is_operator(operand, BR_OP_NOT))
        return br_conjuncts_split(rewrite, list, operand->args[0], err);
    if (is_operator(operand, BR_OP_OR) && !operand->can_fail) {
        for (uint32_t i = 0; i < operand->arg_count; i++) {
            br_expr *part = br_expr_operator(rewrite->arena, BR_OP_NOT, operand->args[i], NULL);
            BR_NEED_NODE(part, err);
            BR_TRY(split_not(rewrite, list, part, err));
        }
        return BR_OK;
    }
    if (operand->kind == BR_EXPR_OPERATOR && operator_negate(operand->operator_, &negated)) {
        br_expr *opposite = br_arena_copy(rewrite->arena, operand, sizeof *operand);
        BR_NEED_NODE(opposite, err);
        opposite->operator_ = negated;
        return br_conjuncts_add(rewrite, list, opposite, err);
    }
    return br_conjuncts_add(rewrite, list, condition, err);
}

br_status br_conjuncts_split(br_rewrite *rewrite, br_conjuncts *list, br_expr *condition,
                             br_error *err)
{
    if (is_operator(condition, BR_OP_AND)) {
        for (uint32_t i = 0; i < condition->arg_count; i++)
            BR_TRY(br_conjuncts_split(rewrite, list, condition->args[i], err));
        return BR_OK;
    }
    if (is_operator(condition, BR_OP_NOT)) return split_not(rewrite, list, condition, err);
    if (br_expr_is_always(condition)) return BR_OK;
    return br_conjuncts_add(rewrite, list, condition, err);
}

static br_status join_with(br_rewrite *rewrite, br_operator operator_, const br_conjuncts *list,
                           br_expr **expr_out, br_error *err)
{
    *expr_out = list->count > 0 ? list->items[0] : NULL;
    if (list->count < 2) return BR_OK;
    br_expr *expr = br_expr_operator(rewrite->arena, operator_, list->items[0], list->items[1]);
    BR_NEED_NODE(expr, err);
    expr->args = list->items;
    expr->arg_count = list->count;
    for (uint32_t i = 2; i < list->count; i++) {
        expr->type.class_mask |= list->items[i]->type.class_mask & BR_MASK_NULL;
        expr->can_fail = expr->can_fail || list->items[i]->can_fail;
    }
    *expr_out = expr;
    return BR_OK;
}

br_status br_conjuncts_join(br_rewrite *rewrite, const br_conjuncts *list, br_expr **expr_out,
                            br_error *err)
{
    return join_with(rewrite, BR_OP_AND, list, expr_out, err);
}

br_status br_conjuncts_either(br_rewrite *rewrite, const br_conjuncts *list, br_expr **expr_out,
                              br_error *err)
{
    return join_with(rewrite, BR_OP_OR, list, expr_out, err);
}

// ---- OR of ANDs ------------------------------------------------------------------------------

enum { FACTOR_BRANCHES_MAX = 64 };

static int32_t conjuncts_find(const br_conjuncts *list, const br_expr *condition)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (br_expr_equal(list->items[i], condition)) return (int32_t)i;
    return -1;
}

static void conjuncts_remove(br_conjuncts *list, uint32_t index)
{
    for (uint32_t i = index + 1; i < list->count; i++) list->items[i - 1] = list->items[i];
    list->count--;
}

// Moves what all branches have to `list`.
static br_status factor_common(br_rewrite *rewrite, br_conjuncts *branches, uint32_t count,
                               br_conjuncts *list, bool *changed_out, br_error *err)
{
    for (uint32_t i = 0; i < branches[0].count;) {
        br_expr *condition = branches[0].items[i];
        bool is_common = true;
        for (uint32_t k = 1; k < count && is_common; k++)
            is_common = conjuncts_find(&branches[k], condition) >= 0;
        if (!is_common) {
            i++;
            continue;
        }
        for (uint32_t k = 0; k < count; k++)
            conjuncts_remove(&branches[k], (uint32_t)conjuncts_find(&branches[k], condition));
        BR_TRY(br_conjuncts_add(rewrite, list, condition, err));
        *changed_out = true;
    }
    return BR_OK;
}

static br_status factor_or(br_rewrite *rewrite, br_expr *condition, br_conjuncts *list,
                           br_error *err)
{
    uint32_t count = condition->arg_count;
    bool changed = false;
    br_conjuncts branches[FACTOR_BRANCHES_MAX] = {0};
    for (uint32_t i = 0; i < count; i++)
        BR_TRY(br_conjuncts_split(rewrite, &branches[i], condition->args[i], err));
    BR_TRY(factor_common(rewrite, branches, count, list, &changed, err));
    if (!changed) return br_conjuncts_add(rewrite, list, condition, err);
    br_conjuncts parts = {0};
    for (uint32_t i = 0; i < count; i++) {
        br_expr *part;
        if (branches[i].count == 0) return BR_OK;  // true already where the common part is
        BR_TRY(br_conjuncts_join(rewrite, &branches[i], &part, err));
        BR_TRY(br_conjuncts_add(rewrite, &parts, part, err));
    }
    br_expr *rest;
    BR_TRY(join_with(rewrite, BR_OP_OR, &parts, &rest, err));
    return br_conjuncts_add(rewrite, list, rest, err);
}

br_status br_conjuncts_factor(br_rewrite *rewrite, br_conjuncts *list, br_error *err)
{
    br_conjuncts factored = {0};
    for (uint32_t i = 0; i < list->count; i++) {
        br_expr *condition = list->items[i];
        bool is_candidate = is_operator(condition, BR_OP_OR) && !condition->can_fail &&
                            condition->arg_count <= FACTOR_BRANCHES_MAX;
        if (is_candidate)
            BR_TRY(factor_or(rewrite, condition, &factored, err));
        else
            BR_TRY(br_conjuncts_add(rewrite, &factored, condition, err));
    }
    *list = factored;
    return BR_OK;
}

// ---- columns ---------------------------------------------------------------------------------

uint32_t br_mark_outputs(br_rewrite *rewrite, const br_plan *plan)
{
    uint32_t stamp = ++rewrite->stamp, count = br_plan_output_count(plan);
    for (uint32_t i = 0; i < count; i++) rewrite->owners[plan->columns[i].id] = stamp;
    return stamp;
}

uint64_t br_expr_sets(const br_rewrite *rewrite, const br_expr *expr, uint32_t stamp,
                      uint32_t set_count, bool *outside_out)
{
    br_assert(set_count <= 64);
    if (expr->kind == BR_EXPR_COLUMN) {
        uint32_t set = rewrite->owners[expr->column_id] - stamp;
        if (set < set_count) return 1ull << set;
        if (outside_out != NULL) *outside_out = true;
        return 0;
    }
    uint64_t sets = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        sets |= br_expr_sets(rewrite, expr->args[i], stamp, set_count, outside_out);
    return sets;
}

bool br_expr_has_column(const br_expr *expr)
{
    return !br_expr_is_constant(expr);
}

bool br_expr_is_heavy(const br_expr *expr)
{
    bool is_call = expr->kind == BR_EXPR_FUNCTION;
    if (is_call && (expr->function == BR_FN_BRIDGE || expr->function >= BR_FN_REGEXP)) return true;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (br_expr_is_heavy(expr->args[i])) return true;
    return false;
}

// LIKE and GLOB of a blob may be 0, whatever the other operand is: NULL too.
static bool may_be_blob_match(const br_expr *expr)
{
    if (expr->operator_ != BR_OP_LIKE && expr->operator_ != BR_OP_GLOB) return false;
    return ((expr->args[0]->type.class_mask | expr->args[1]->type.class_mask) & BR_MASK_BLOB) != 0;
}

// NULL for sure when the columns of the set are.
static bool becomes_null(const br_rewrite *rewrite, const br_expr *expr, uint32_t stamp)
{
    if (expr->kind == BR_EXPR_COLUMN) return rewrite->owners[expr->column_id] == stamp;
    if (expr->kind == BR_EXPR_CONST) return expr->value.class_ == BR_NULL;
    if (expr->kind == BR_EXPR_CAST || expr->kind == BR_EXPR_AFFINITY)
        return becomes_null(rewrite, expr->args[0], stamp);
    if (expr->kind != BR_EXPR_OPERATOR) return false;
    if (expr->operator_ == BR_OP_BETWEEN || expr->operator_ == BR_OP_NOT)
        return becomes_null(rewrite, expr->args[0], stamp);
    bool is_strict = expr->operator_ <= BR_OP_GE || expr->operator_ == BR_OP_LIKE ||
                     expr->operator_ == BR_OP_GLOB;
    if (!is_strict || may_be_blob_match(expr)) return false;
    for (uint32_t i = 0; i < expr->arg_count && i < 2; i++)
        if (becomes_null(rewrite, expr->args[i], stamp)) return true;
    return false;
}

bool br_expr_rejects_nulls(const br_rewrite *rewrite, const br_expr *expr, uint32_t stamp)
{
    if (becomes_null(rewrite, expr, stamp)) return true;
    if (expr->kind != BR_EXPR_OPERATOR) return false;
    switch (expr->operator_) {
    case BR_OP_AND:
        for (uint32_t i = 0; i < expr->arg_count; i++)
            if (br_expr_rejects_nulls(rewrite, expr->args[i], stamp)) return true;
        return false;
    case BR_OP_OR:
        for (uint32_t i = 0; i < expr->arg_count; i++)
            if (!br_expr_rejects_nulls(rewrite, expr->args[i], stamp)) return false;
        return true;
    case BR_OP_NOT_NULL:
    case BR_OP_IN:  // NULL IN (...) is NULL, or 0 when the list is empty
        return becomes_null(rewrite, expr->args[0], stamp);
    case BR_OP_IS_TRUE: return br_expr_rejects_nulls(rewrite, expr->args[0], stamp);
    default: return false;
    }
}

br_status br_expr_substitute(br_rewrite *rewrite, const br_expr *expr, br_expr **out,
                             br_error *err)
{
    if (expr->kind == BR_EXPR_COLUMN && rewrite->substitutes[expr->column_id] != NULL) {
        *out = br_expr_clone(rewrite->arena, rewrite->substitutes[expr->column_id]);
        BR_NEED_NODE(*out, err);
        return BR_OK;
    }
    br_expr *copy = br_arena_copy(rewrite->arena, expr, sizeof *expr);
    BR_NEED_NODE(copy, err);
    *out = copy;
    if (expr->arg_count == 0) return BR_OK;
    copy->args = BR_ALLOC(rewrite->arena, br_expr *, expr->arg_count);
    BR_NEED_NODE(copy->args, err);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        BR_TRY(br_expr_substitute(rewrite, expr->args[i], &copy->args[i], err));
        copy->can_fail = copy->can_fail || copy->args[i]->can_fail;
    }
    return BR_OK;
}
