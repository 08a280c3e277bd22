// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "sql/rewrite.h"

enum { KEYS_MAX = 16 };  // further keys are taken to follow from these

typedef struct side_keys {
    const br_plan *bases[KEYS_MAX];
    double distincts[KEYS_MAX], limits[KEYS_MAX];
    uint32_t base_count, key_count;
    double distinct_max;  // of one key
    double not_null;
} side_keys;

static const br_column_fact *key_fact(const br_rewrite *rewrite, const br_expr *key)
{
    while (key->kind == BR_EXPR_AFFINITY) key = key->args[0];
    return key->kind == BR_EXPR_COLUMN ? &rewrite->facts[key->column_id] : NULL;
}

static void side_add(const br_rewrite *rewrite, side_keys *side, const br_expr *key, double rows)
{
    const br_expr *inner = key;
    while (inner->kind == BR_EXPR_AFFINITY) inner = inner->args[0];
    const br_column_fact *fact = key_fact(rewrite, inner);
    if (side->base_count == KEYS_MAX) return;
    double distinct = br_estimate_distinct(rewrite, inner, rows > 1 ? rows : 1);
    const br_plan *base = NULL;
    double limit = 1e18;
    if (fact != NULL && fact->base != NULL) {
        base = fact->base;
        limit = fact->base_rows > 1 ? fact->base_rows : 1;
        if (fact->distinct > 0) distinct = fact->distinct;
        side->not_null *= 1 - fact->null_fraction;
    }
    side->key_count++;
    if (distinct > side->distinct_max) side->distinct_max = distinct;
    for (uint32_t i = 0; i < side->base_count; i++) {
        if (base == NULL || side->bases[i] != base) continue;
        side->distincts[i] *= distinct;
        return;
    }
    side->bases[side->base_count] = base;
    side->limits[side->base_count] = limit;
    side->distincts[side->base_count++] = distinct;
}

// Different combinations of the keys where they come from.
static double side_distinct(const side_keys *side)
{
    double distinct = 1;
    for (uint32_t i = 0; i < side->base_count; i++)
        distinct *= side->distincts[i] < side->limits[i] ? side->distincts[i] : side->limits[i];
    return distinct;
}

static double common_pairs(const br_rewrite *rewrite, const br_key_pair *pair)
{
    const br_column_fact *left = key_fact(rewrite, pair->left);
    const br_column_fact *right = key_fact(rewrite, pair->right);
    bool is_known = left != NULL && right != NULL && left->distinct > 0 && right->distinct > 0;
    return is_known ? br_common_pairs(left, right) : -1;
}

double br_estimate_keys(const br_rewrite *rewrite, const br_key_pair *pairs, uint32_t count,
                        double left_rows, double right_rows)
{
    side_keys left = {.not_null = 1}, right = {.not_null = 1};
    for (uint32_t i = 0; i < count; i++) {
        side_add(rewrite, &left, pairs[i].left, left_rows);
        side_add(rewrite, &right, pairs[i].right, right_rows);
    }
    double common = count == 1 ? common_pairs(rewrite, pairs) : -1;
    if (common >= 0) return common;
    double distinct = side_distinct(&left), other = side_distinct(&right);
    // Several keys of one relation have fewer values together than the product says, so that the
    // side with fewer is nearer to the truth (a foreign key of two columns has as many as what it
    // refers to). Keys of several relations are taken to be independent.
    bool is_composite = left.key_count > 1 && left.base_count == 1 && right.base_count == 1;
    if (is_composite ? other < distinct : other > distinct) distinct = other;
    double single = left.distinct_max > right.distinct_max ? left.distinct_max : right.distinct_max;
    if (distinct < single) distinct = single;
    return left.not_null * right.not_null / (distinct > 1 ? distinct : 1);
}

// The share of left rows that have a match, when keys on both sides come from one set of values.
static double matching_share(const br_rewrite *rewrite, const br_plan *join)
{
    side_keys left = {.not_null = 1}, right = {.not_null = 1};
    if (join->join.key_count == 0) return 0.5;
    for (uint32_t i = 0; i < join->join.key_count; i++) {
        side_add(rewrite, &left, join->join.left_keys[i], join->left->rows);
        side_add(rewrite, &right, join->join.right_keys[i], join->right->rows);
    }
    double all = side_distinct(&left), there = side_distinct(&right);
    if (there > all) all = there;
    if (join->right->rows < there) there = join->right->rows;
    double share = left.not_null * there / (all > 1 ? all : 1);
    return share < 1 ? share : 1;
}

static double inner_rows(const br_rewrite *rewrite, const br_plan *join)
{
    br_key_pair pairs[KEYS_MAX];
    uint32_t count = join->join.key_count < KEYS_MAX ? join->join.key_count : KEYS_MAX;
    for (uint32_t i = 0; i < count; i++)
        pairs[i] = (br_key_pair){join->join.left_keys[i], join->join.right_keys[i]};
    double left = join->left->rows, right = join->right->rows;
    double rows = left * right * br_estimate_keys(rewrite, pairs, count, left, right);
    if (join->join.residual != NULL) rows *= br_estimate_condition(rewrite, join->join.residual);
    return rows;
}

double br_estimate_join_rows(const br_rewrite *rewrite, const br_plan *join)
{
    double left = join->left->rows, right = join->right->rows, rows;
    switch (join->join.join) {
    case BR_JOIN_INNER: return inner_rows(rewrite, join);
    case BR_JOIN_LEFT:
        rows = inner_rows(rewrite, join);
        return rows > left ? rows : left;
    case BR_JOIN_FULL:
        rows = inner_rows(rewrite, join);
        if (rows < left) rows = left;
        return rows > right ? rows : right;
    case BR_JOIN_SEMI: return left * matching_share(rewrite, join);
    case BR_JOIN_ANTI:
        rows = left * (1 - matching_share(rewrite, join));
        if (join->join.residual != NULL && rows < 0.5 * left) rows = 0.5 * left;
        return rows > 0.05 * left ? rows : 0.05 * left;
    case BR_JOIN_MARK:
    case BR_JOIN_SINGLE: return left;
    }
    return left;
}

// Columns of the right side are NULL beside left rows without a match.
void br_estimate_join(br_rewrite *rewrite, br_plan *join)
{
    br_join_kind kind = join->join.join;
    join->rows = br_estimate_join_rows(rewrite, join);
    if (kind != BR_JOIN_LEFT && kind != BR_JOIN_FULL) return;
    double unmatched = 1 - matching_share(rewrite, join);
    for (uint32_t i = 0; i < br_plan_output_count(join->right); i++) {
        br_column_fact *fact = &rewrite->facts[join->right->columns[i].id];
        if (fact->null_fraction < unmatched) fact->null_fraction = unmatched;
    }
}

double br_fewest_rows(const br_plan *plan, const br_plan *base)
{
    if (plan == base) return plan->rows;
    double rows = INFINITY;
    if (plan->left != NULL) rows = br_fewest_rows(plan->left, base);
    if (plan->right != NULL && rows == INFINITY) rows = br_fewest_rows(plan->right, base);
    return rows != INFINITY && plan->rows < rows ? plan->rows : rows;
}
