// Equality, from what is known of single values: the most frequent ones, by their hashes.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "sql/rewrite.h"

// A value stands out that is so many times more frequent than the average one; of few values all.
static const double stands_out = 1.5;
// What chance makes of samples of evenly spread values hardly goes beyond so many deviations.
static const double deviations = 3;
static const double rows_per_sample = 64;  // in a full chunk; all rows of a page of 1,024

static bool is_even(const br_common_values *common, double distinct)
{
    double rows = (double)common->row_count;
    double stride = fmin(fmax(rows / BR_VECTOR_ROWS, 1), rows_per_sample);
    double expected = rows / stride / distinct;
    double hits = common->count == 0 ? 0 : (double)common->items[0].rows / stride;
    return hits < expected + deviations * sqrt(expected);
}

void br_fact_set_common(br_column_fact *fact, const br_common_values *common)
{
    fact->common = NULL;
    fact->common_count = 0;
    fact->common_share = 0;
    if (common == NULL || common->row_count == 0 || fact->distinct <= 0) return;
    fact->common = common;
    if (is_even(common, fact->distinct)) return;
    double rows = (double)common->row_count, covered = 0;
    double least = fact->distinct <= BR_COMMON_MAX ? 0 : stands_out * rows / fact->distinct;
    uint32_t count = 0;
    while (count < common->count && (double)common->items[count].rows > least)
        covered += (double)common->items[count++].rows;
    fact->common_count = count;
    fact->common_share = fmin(covered / rows, 1 - fact->null_fraction);
}

static double rest_share(const br_column_fact *fact)
{
    return fmax(1 - fact->null_fraction - fact->common_share, 0);
}

static double rest_distinct(const br_column_fact *fact)
{
    return fmax(fact->distinct - fact->common_count, 1);
}

// Of a value that stands out; 0: it does not.
static double listed_share(const br_column_fact *fact, uint64_t hash)
{
    for (uint32_t i = 0; i < fact->common_count; i++)
        if (fact->common->items[i].hash == hash)
            return (double)fact->common->items[i].rows / (double)fact->common->row_count;
    return 0;
}

double br_common_share(const br_column_fact *fact, const br_expr *constant, br_collation collation)
{
    bool is_known = fact != NULL && fact->common != NULL && constant->kind == BR_EXPR_CONST &&
                    collation == BR_COLLATION_BINARY;
    if (!is_known) return -1;
    if (constant->value.class_ == BR_NULL) return 0;
    double share = listed_share(fact, br_sketch_hash(&constant->value));
    if (share > 0) return fmin(share, 1);
    // Samples miss what is rare, and the newest rows are not among them.
    double least = 0.5 / fmax((double)fact->common->row_count, 1);
    return fmax(rest_share(fact) / rest_distinct(fact), least);
}

double br_common_pairs(const br_column_fact *left, const br_column_fact *right)
{
    if (left == NULL || right == NULL || (left->common == NULL && right->common == NULL)) return -1;
    double both = 0, left_only = left->common_share, right_only = right->common_share;
    for (uint32_t i = 0; i < left->common_count; i++) {
        const br_common_value *item = &left->common->items[i];
        double share = (double)item->rows / (double)left->common->row_count;
        double other = listed_share(right, item->hash);
        if (other == 0) continue;
        both += share * other;
        left_only -= share;
        right_only -= other;
    }
    // A value that stands out on one side only is like any other on the other side; the side with
    // fewer values has none that the other lacks.
    double left_rest = rest_share(left), right_rest = rest_share(right);
    double pairs = fmax(left_only, 0) * right_rest + fmax(right_only, 0) * left_rest +
                   left_rest * right_rest;
    return both + pairs / fmax(rest_distinct(left), rest_distinct(right));
}
