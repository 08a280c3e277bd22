// Bounds of one column: of those that conditions set, the narrowest say it all, and bounds that
// leave nothing between them are never met.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"
#include "sql/rewrite.h"

static const unsigned mask_number = BR_MASK_INT | BR_MASK_REAL;

// column (op) constant, the constant on the right. BETWEEN is two of them.
typedef struct bound {
    const br_expr *column;
    const br_value *value;
    br_collation collation;
    bool is_lower, is_upper;  // both: equality
    bool is_strict;
} bound;

// Constants and column of one kind, so that the order is one and the same for all.
static bool is_ordered(const br_expr *column, const br_expr *constant)
{
    if (column->kind != BR_EXPR_COLUMN || constant->kind != BR_EXPR_CONST) return false;
    unsigned mask = column->type.class_mask & ~(unsigned)BR_MASK_NULL;
    unsigned other = 1u << constant->value.class_;
    return ((mask | other) & ~mask_number) == 0 || (mask | other) == BR_MASK_TEXT;
}

static bool bound_of_compare(const br_expr *condition, bound *out)
{
    const br_expr *left = condition->args[0], *right = condition->args[1];
    br_operator operator_ = condition->operator_;
    bool is_swapped = left->kind == BR_EXPR_CONST;
    const br_expr *column = is_swapped ? right : left, *constant = is_swapped ? left : right;
    if (!is_ordered(column, constant)) return false;
    bool is_less = operator_ == BR_OP_LT || operator_ == BR_OP_LE;
    *out = (bound){.column = column,
                   .value = &constant->value,
                   .collation = condition->collation,
                   .is_lower = operator_ == BR_OP_EQ || is_less == is_swapped,
                   .is_upper = operator_ == BR_OP_EQ || is_less != is_swapped,
                   .is_strict = operator_ == BR_OP_LT || operator_ == BR_OP_GT};
    return true;
}

// The bounds that a condition sets; their number.
static uint32_t bounds_of(const br_expr *condition, bound out[2])
{
    if (condition->kind != BR_EXPR_OPERATOR || condition->can_fail) return 0;
    br_operator operator_ = condition->operator_;
    if (operator_ == BR_OP_BETWEEN) {
        const br_expr *column = condition->args[0];
        for (uint32_t i = 0; i < 2; i++) {
            if (!is_ordered(column, condition->args[i + 1])) return 0;
            out[i] = (bound){.column = column,
                             .value = &condition->args[i + 1]->value,
                             .collation = condition->collation,
                             .is_lower = i == 0,
                             .is_upper = i == 1};
        }
        return 2;
    }
    bool is_compare = operator_ == BR_OP_EQ || (operator_ >= BR_OP_LT && operator_ <= BR_OP_GE);
    return is_compare && bound_of_compare(condition, out) ? 1 : 0;
}

static bool same_column(const bound *left, const bound *right)
{
    return left->column->column_id == right->column->column_id &&
           left->collation == right->collation;
}

static bool contradicts(const bound *lower, const bound *upper)
{
    if (!lower->is_lower || !upper->is_upper || !same_column(lower, upper)) return false;
    int order = br_value_compare(lower->value, upper->value, lower->collation);
    return order > 0 || (order == 0 && (lower->is_strict || upper->is_strict));
}

// Is whatever meets `narrow` within `wide` too?
static bool implies(const bound *narrow, const bound *wide)
{
    if (!same_column(narrow, wide)) return false;
    int order = br_value_compare(narrow->value, wide->value, wide->collation);
    bool touches = order == 0 && (!wide->is_strict || narrow->is_strict);
    if (wide->is_lower && !(narrow->is_lower && (order > 0 || touches))) return false;
    return !wide->is_upper || (narrow->is_upper && (order < 0 || touches));
}

static bool conditions_contradict(const br_expr *left, const br_expr *right)
{
    bound lefts[2], rights[2];
    uint32_t left_count = bounds_of(left, lefts), right_count = bounds_of(right, rights);
    for (uint32_t i = 0; i < left_count; i++)
        for (uint32_t k = 0; k < right_count; k++)
            if (contradicts(&lefts[i], &rights[k]) || contradicts(&rights[k], &lefts[i]))
                return true;
    return false;
}

// All bounds of `wide` follow from one of `narrow`.
static bool condition_implies(const br_expr *narrow, const br_expr *wide)
{
    bound narrows[2], wides[2];
    uint32_t narrow_count = bounds_of(narrow, narrows), wide_count = bounds_of(wide, wides);
    for (uint32_t k = 0; k < wide_count; k++) {
        bool follows = false;
        for (uint32_t i = 0; i < narrow_count && !follows; i++)
            follows = implies(&narrows[i], &wides[k]);
        if (!follows) return false;
    }
    return wide_count > 0;
}

static bool is_idle(const br_conjuncts *list, const bool *is_dropped, uint32_t index)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (i == index || is_dropped[i]) continue;
        const br_expr *other = list->items[i], *self = list->items[index];
        if (condition_implies(other, self)) return true;
        if (i < index && !self->can_fail && br_expr_equal(other, self)) return true;
    }
    return false;
}

br_status br_conjuncts_tighten(br_rewrite *rewrite, br_conjuncts *list, br_error *err)
{
    enum { CONDITIONS_MAX = 64 };  // the work is quadratic
    bool is_dropped[CONDITIONS_MAX] = {false};
    bool is_never = false;
    if (list->count < 2 || list->count > CONDITIONS_MAX) return BR_OK;
    for (uint32_t i = 0; i < list->count && !is_never; i++)
        for (uint32_t k = 0; k < i && !is_never; k++)
            is_never = conditions_contradict(list->items[i], list->items[k]);
    if (is_never) {
        br_expr *never = br_expr_const(rewrite->arena, br_value_int(0));
        BR_NEED_NODE(never, err);
        return br_conjuncts_add(rewrite, list, never, err);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) is_dropped[i] = is_idle(list, is_dropped, i);
    for (uint32_t i = 0; i < list->count; i++)
        if (!is_dropped[i]) list->items[kept++] = list->items[i];
    list->count = kept;
    return BR_OK;
}
