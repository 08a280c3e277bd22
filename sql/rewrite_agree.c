// Conditions that cannot tell rows apart which a node takes for one.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"
#include "sql/rewrite.h"

// Equal values of the key may differ: 1 and 1.0, or texts under a collation.
static bool has_classes_of_numbers(const br_expr *key)
{
    return (key->type.class_mask & BR_MASK_REAL) != 0;
}

static bool has_collated_texts(const br_expr *key, br_collation collation)
{
    return (key->type.class_mask & BR_MASK_TEXT) != 0 && collation != BR_COLLATION_BINARY;
}

static bool find_key(const br_agreement *agreement, const br_expr *expr, uint32_t *index_out)
{
    for (uint32_t i = 0; i < agreement->count; i++) {
        if (!br_expr_equal(agreement->keys[i], expr) || br_expr_is_volatile(expr)) continue;
        *index_out = i;
        return true;
    }
    return false;
}

// Comparisons see nothing of how values differ that are equal under the same collation.
static bool is_comparison(br_operator operator_)
{
    return (operator_ >= BR_OP_EQ && operator_ <= BR_OP_IS_NOT) || operator_ == BR_OP_IS_NULL ||
           operator_ == BR_OP_NOT_NULL || operator_ == BR_OP_BETWEEN || operator_ == BR_OP_IN;
}

static bool agrees(const br_agreement *agreement, const br_expr *expr, bool *has_key);

static bool operand_agrees(const br_agreement *agreement, const br_expr *comparison,
                           const br_expr *operand, bool *has_key)
{
    uint32_t index;
    const br_expr *inner = operand;
    bool is_number = inner->kind == BR_EXPR_AFFINITY && inner->affinity_to >= BR_AFFINITY_NUMERIC;
    if (is_number) inner = inner->args[0];
    if (!find_key(agreement, inner, &index)) return agrees(agreement, operand, has_key);
    *has_key = true;
    br_collation collation = agreement->collations[index];
    if (!has_collated_texts(agreement->keys[index], collation)) return true;
    return !is_number && comparison->collation == collation;
}

static bool agrees(const br_agreement *agreement, const br_expr *expr, bool *has_key)
{
    uint32_t index;
    bool is_compared = expr->kind == BR_EXPR_OPERATOR && is_comparison(expr->operator_);
    if (find_key(agreement, expr, &index)) {
        *has_key = true;
        return !has_classes_of_numbers(agreement->keys[index]) &&
               !has_collated_texts(agreement->keys[index], agreement->collations[index]);
    }
    if (expr->kind == BR_EXPR_COLUMN) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        bool same = is_compared ? operand_agrees(agreement, expr, expr->args[i], has_key)
                                : agrees(agreement, expr->args[i], has_key);
        if (!same) return false;
    }
    return true;
}

bool br_condition_agrees(const br_agreement *agreement, const br_expr *condition)
{
    bool has_key = false;
    return agrees(agreement, condition, &has_key) && has_key;
}

br_status br_agreement_of_columns(br_rewrite *rewrite, const br_plan *plan, uint32_t count,
                                  br_agreement *out, br_error *err)
{
    out->count = count;
    out->keys = BR_ALLOC(rewrite->arena, br_expr *, count);
    br_collation *collations = BR_ALLOC(rewrite->arena, br_collation, count);
    BR_NEED_NODE(out->keys, err);
    BR_NEED_NODE(collations, err);
    for (uint32_t i = 0; i < count; i++) {
        out->keys[i] = br_expr_column(rewrite->arena, &plan->columns[i]);
        BR_NEED_NODE(out->keys[i], err);
        collations[i] = plan->columns[i].collation;
    }
    out->collations = collations;
    return BR_OK;
}
