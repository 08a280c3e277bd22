// Conditions that statistics say little of, counted on a sample of the table.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"
#include "sql/rewrite.h"

// Below, planning would take as long as the scan; fewer hits say little more than chance does.
static const double sample_rows_min = 50000, sample_hits_min = 8;

// Can it be run before the query is, and is that cheap?
static bool can_sample(const br_expr *expr)
{
    if (expr->kind == BR_EXPR_PARAMETER || expr->kind == BR_EXPR_SUBQUERY || expr->can_fail)
        return false;
    bool is_call = expr->kind == BR_EXPR_FUNCTION;
    if (is_call && (expr->function == BR_FN_BRIDGE || br_expr_is_heavy(expr))) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!can_sample(expr->args[i])) return false;
    return true;
}

static const br_column_fact *column_fact(const br_rewrite *rewrite, const br_expr *expr)
{
    return expr->kind == BR_EXPR_COLUMN ? &rewrite->facts[expr->column_id] : NULL;
}

// Ranges follow from bounds better than from a sample whose rows are neighbours.
bool br_estimate_is_vague(const br_rewrite *rewrite, const br_expr *condition)
{
    if (!can_sample(condition)) return false;
    if (condition->kind != BR_EXPR_OPERATOR) return true;
    const br_column_fact *left = column_fact(rewrite, condition->args[0]);
    const br_column_fact *right =
        condition->arg_count > 1 ? column_fact(rewrite, condition->args[1]) : NULL;
    switch (condition->operator_) {
    case BR_OP_LT:
    case BR_OP_LE:
    case BR_OP_GT:
    case BR_OP_GE: {
        const br_column_fact *fact = left != NULL ? left : right;
        return fact == NULL || !fact->has_range || (left != NULL && right != NULL);
    }
    case BR_OP_BETWEEN: return left == NULL || !left->has_range;
    case BR_OP_EQ:
    case BR_OP_IN: {
        const br_column_fact *fact = left != NULL ? left : right;
        return fact == NULL || (left != NULL && right != NULL) || !fact->is_unique;
    }
    case BR_OP_IS_NULL:
    case BR_OP_NOT_NULL: return left == NULL;
    default: return true;
    }
}

// Do the common values tell enough? Of one condition only: they know nothing of what goes together.
static bool is_told(const br_rewrite *rewrite, const br_expr *condition)
{
    bool is_equality = condition->kind == BR_EXPR_OPERATOR &&
                       (condition->operator_ == BR_OP_EQ || condition->operator_ == BR_OP_IN);
    const br_column_fact *fact = is_equality ? column_fact(rewrite, condition->args[0]) : NULL;
    for (uint32_t i = 1; fact != NULL && i < condition->arg_count; i++)
        if (br_common_share(fact, condition->args[i], condition->collation) < 0) fact = NULL;
    return fact != NULL;
}

static br_status take_vague(br_rewrite *rewrite, const br_plan *scan, br_conjuncts *vague,
                            br_error *err)
{
    for (uint32_t i = 0; i < scan->scan.filter_count; i++)
        if (br_estimate_is_vague(rewrite, scan->scan.filters[i]))
            BR_TRY(br_conjuncts_add(rewrite, vague, scan->scan.filters[i], err));
    return BR_OK;
}

br_status br_estimate_sample(br_rewrite *rewrite, br_plan *scan, br_error *err)
{
    const br_sql_catalog *catalog = rewrite->catalog;
    br_conjuncts vague = {0};
    br_expr *condition;
    uint64_t row_count, passed_count;
    scan->scan.sampled_share = 0;
    if (!rewrite->samples || catalog->sample == NULL) return BR_OK;
    if (br_scan_table_rows(rewrite, scan) < sample_rows_min) return BR_OK;
    BR_TRY(take_vague(rewrite, scan, &vague, err));
    if (vague.count == 0 || (vague.count == 1 && is_told(rewrite, vague.items[0]))) return BR_OK;
    BR_TRY(br_conjuncts_join(rewrite, &vague, &condition, err));
    bool is_known =
        catalog->sample(catalog->context, scan, condition, &row_count, &passed_count);
    if (!is_known || row_count == 0) return BR_OK;
    double share = (double)passed_count / (double)row_count;
    if ((double)passed_count < sample_hits_min) {
        double most = sample_hits_min / (double)row_count;
        double guess = br_estimate_conjuncts(rewrite, &vague);
        share = guess < most ? guess : most;
    }
    scan->scan.sampled_share = share > 1e-9 ? share : 1e-9;
    return BR_OK;
}
