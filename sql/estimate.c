// How many rows, and what their columns are like: from the statistics of the columnar tables, with
// the usual assumptions (values spread evenly, columns independent of each other).
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "sql/bind.h"
#include "sql/rewrite.h"

// Guesses for what statistics say nothing about, as most planners make them.
static const double guess_range = 1.0 / 3, guess_like = 0.1, guess_prefix = 0.05;
static const double guess_condition = 0.25, guess_equal = 0.05;
static const double guess_steps = 20, guess_working = 100;  // of a recursion
static const double guess_call = 10;  // rows of a table-valued function
static const double guess_limit = 1000;

static double clamp(double value, double min, double max)
{
    return !(value > min) ? min : value > max ? max : value; // not a number: min
}

// ---- conditions ------------------------------------------------------------------------------

static const br_column_fact *fact_of(const br_rewrite *rewrite, const br_expr *expr)
{
    while (expr->kind == BR_EXPR_AFFINITY) expr = expr->args[0];
    return expr->kind == BR_EXPR_COLUMN ? &rewrite->facts[expr->column_id] : NULL;
}

static double equal_share(const br_rewrite *rewrite, const br_expr *column,
                          const br_expr *constant, br_collation collation)
{
    const br_column_fact *fact = fact_of(rewrite, column);
    br_known_number number;
    if (fact == NULL) {
        double distinct = br_estimate_distinct(rewrite, column, 1e18);
        return distinct > 0 && distinct < 1e17 ? 1 / distinct : guess_equal;
    }
    if (fact->has_range && br_number_of(constant, &number) &&
        number.scale == fact->scale &&
        (number.value < fact->min || number.value > fact->max + (number.scale == BR_SCALE_DATE)))
        return 0;
    double common = br_common_share(fact, constant, collation);
    if (common >= 0) return common;
    return fact->distinct > 0 ? (1 - fact->null_fraction) / fact->distinct : guess_equal;
}

static double below_share_normal(const br_column_fact *fact, double value)
{
    const double rare = 1e-3;  // tails are where the model is least to be trusted
    double share = 0.5 * erfc((fact->mean - value) / (fact->deviation * sqrt(2) + 1e-9));
    return clamp(share, rare, 1 - rare);
}

// The share of values below the constant.
static double below_share(const br_rewrite *rewrite, const br_expr *column,
                          const br_expr *constant)
{
    const br_column_fact *fact = fact_of(rewrite, column);
    br_known_number number;
    if (fact != NULL && fact->has_mean && br_number_of(constant, &number))
        return below_share_normal(fact, number.value);
    if (fact == NULL || !fact->has_range || !br_number_of(constant, &number)) return -1;
    if (number.scale != fact->scale) return -1;
    double max = fact->max + (fact->scale == BR_SCALE_DATE);  // a month has days
    if (max <= fact->min) return number.value > fact->min ? 1 : 0;
    return clamp((number.value - fact->min) / (max - fact->min), 0, 1);
}

static bool is_range(br_operator operator_)
{
    return operator_ >= BR_OP_LT && operator_ <= BR_OP_GE;
}

static double range_share(const br_rewrite *rewrite, const br_expr *condition)
{
    const br_expr *left = condition->args[0], *right = condition->args[1];
    bool upwards = condition->operator_ == BR_OP_GT || condition->operator_ == BR_OP_GE;
    if (br_expr_is_constant(left)) {
        const br_expr *swap = left;
        left = right;
        right = swap;
        upwards = !upwards;
    }
    if (!br_expr_is_constant(right)) return guess_range;
    double below = below_share(rewrite, left, right);
    if (below < 0) return guess_range;
    double share = upwards ? 1 - below : below;
    return clamp(share, 1e-6, 1);
}

static double between_share(const br_rewrite *rewrite, const br_expr *condition)
{
    double low = below_share(rewrite, condition->args[0], condition->args[1]);
    double high = below_share(rewrite, condition->args[0], condition->args[2]);
    if (low < 0 || high < 0) return guess_condition;
    const br_column_fact *fact = fact_of(rewrite, condition->args[0]);
    double one = fact->distinct > 0 ? 1 / fact->distinct : 1e-6;
    return clamp(high - low, one, 1);
}

static double like_share(const br_expr *condition)
{
    const br_expr *pattern = condition->args[1];
    if (pattern->kind != BR_EXPR_CONST || pattern->value.class_ != BR_TEXT) return guess_like;
    br_text text = pattern->value.text;
    char any = condition->operator_ == BR_OP_GLOB ? '*' : '%';
    return text.size > 0 && text.data[0] != any ? guess_prefix : guess_like;
}

static double equality_share(const br_rewrite *rewrite, const br_expr *condition)
{
    const br_expr *left = condition->args[0], *right = condition->args[1];
    br_collation collation = condition->collation;
    if (br_expr_is_constant(right)) return equal_share(rewrite, left, right, collation);
    if (br_expr_is_constant(left)) return equal_share(rewrite, right, left, collation);
    double distinct = br_estimate_distinct(rewrite, left, 1e18);
    double other = br_estimate_distinct(rewrite, right, 1e18);
    if (other > distinct) distinct = other;
    return distinct > 0 && distinct < 1e17 ? 1 / distinct : guess_equal;
}

static double null_share(const br_rewrite *rewrite, const br_expr *operand)
{
    const br_column_fact *fact = fact_of(rewrite, operand);
    return fact != NULL && fact->base_rows > 0 ? fact->null_fraction : 0.1;
}

static double or_share(const br_rewrite *rewrite, const br_expr *condition)
{
    double none = 1;
    for (uint32_t i = 0; i < condition->arg_count; i++)
        none *= 1 - br_estimate_condition(rewrite, condition->args[i]);
    return 1 - none;
}

static double operator_share(const br_rewrite *rewrite, const br_expr *condition)
{
    switch (condition->operator_) {
    case BR_OP_EQ:
    case BR_OP_IS: return equality_share(rewrite, condition);
    case BR_OP_NE:
    case BR_OP_IS_NOT: return 1 - equality_share(rewrite, condition);
    case BR_OP_LT:
    case BR_OP_LE:
    case BR_OP_GT:
    case BR_OP_GE: return range_share(rewrite, condition);
    case BR_OP_BETWEEN: return between_share(rewrite, condition);
    case BR_OP_IN: {
        double share = 0;
        for (uint32_t i = 1; i < condition->arg_count; i++)
            share += equal_share(rewrite, condition->args[0], condition->args[i],
                                 condition->collation);
        return share;
    }
    case BR_OP_LIKE:
    case BR_OP_GLOB: return like_share(condition);
    case BR_OP_IS_NULL: return null_share(rewrite, condition->args[0]);
    case BR_OP_NOT_NULL: return 1 - null_share(rewrite, condition->args[0]);
    case BR_OP_NOT: return 1 - br_estimate_condition(rewrite, condition->args[0]);
    case BR_OP_OR: return or_share(rewrite, condition);
    case BR_OP_AND: {
        br_conjuncts parts = {.items = condition->args, .count = condition->arg_count};
        return br_estimate_conjuncts(rewrite, &parts);
    }
    default: return guess_condition;
    }
}

double br_estimate_condition(const br_rewrite *rewrite, const br_expr *condition)
{
    if (br_expr_is_never(condition)) return 0;
    if (br_expr_is_always(condition)) return 1;
    if (condition->kind != BR_EXPR_OPERATOR) return guess_condition;
    return clamp(operator_share(rewrite, condition), 0, 1);
}

// Bounds from both sides of one column cut a range out of it.
typedef struct column_range {
    uint32_t column_id;
    double share;
} column_range;

enum { RANGES_MAX = 16 };

typedef struct ranges {
    column_range items[RANGES_MAX];
    uint32_t count;
    double share;  // of the conditions that are no bounds
} ranges;

static column_range *ranges_find(ranges *list, const br_expr *condition)
{
    if (condition->kind != BR_EXPR_OPERATOR || !is_range(condition->operator_)) return NULL;
    const br_expr *column = condition->args[0];
    if (column->kind != BR_EXPR_COLUMN) column = condition->args[1];
    if (column->kind != BR_EXPR_COLUMN) return NULL;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].column_id == column->column_id) return &list->items[i];
    if (list->count == RANGES_MAX) return NULL;
    list->items[list->count] = (column_range){.column_id = column->column_id, .share = 1};
    return &list->items[list->count++];
}

static void ranges_add(const br_rewrite *rewrite, ranges *list, const br_expr *condition)
{
    double share = br_estimate_condition(rewrite, condition);
    column_range *range = ranges_find(list, condition);
    if (range == NULL)
        list->share *= share;
    else
        range->share = range->share < 1 ? clamp(range->share + share - 1, 1e-6, 1) : share;
}

static double ranges_share(const ranges *list)
{
    double share = list->share;
    for (uint32_t i = 0; i < list->count; i++) share *= list->items[i].share;
    return share;
}

double br_estimate_conjuncts(const br_rewrite *rewrite, const br_conjuncts *conditions)
{
    ranges list = {.share = 1};
    for (uint32_t i = 0; i < conditions->count; i++)
        ranges_add(rewrite, &list, conditions->items[i]);
    return ranges_share(&list);
}

// ---- distinct values -------------------------------------------------------------------------

static bool is_number(const br_expr *expr, int64_t number)
{
    return expr->kind == BR_EXPR_CONST && expr->value.class_ == BR_INT &&
           expr->value.i64 == number;
}

// Of a part of a date: years and months, by the range of the column; 0: it is something else.
static double distinct_of_dates(const br_rewrite *rewrite, const br_expr *expr)
{
    const br_expr *column = NULL;
    bool is_year = false, is_month = false;
    if (expr->kind != BR_EXPR_FUNCTION || expr->arg_count < 2) return 0;
    if (expr->function == BR_FN_STRFTIME && expr->args[0]->value.class_ == BR_TEXT) {
        br_text format = expr->args[0]->value.text;
        is_year = br_text_equal(format, br_text_make("%Y", 2));
        is_month = br_text_equal(format, br_text_make("%Y-%m", 5));
        column = expr->args[1];
    } else if (expr->function == BR_FN_SUBSTR && expr->arg_count == 3) {
        bool is_prefix = is_number(expr->args[1], 1);
        is_year = is_prefix && is_number(expr->args[2], 4);
        is_month = is_prefix && is_number(expr->args[2], 7);
        column = expr->args[0];
    }
    const br_column_fact *fact = column == NULL ? NULL : fact_of(rewrite, column);
    if (fact == NULL || !fact->has_range || fact->scale != BR_SCALE_DATE) return 0;
    if (is_month) return fact->kept_max - fact->kept_min + 1;
    return is_year ? floor((fact->kept_max - 1) / 12) - floor((fact->kept_min - 1) / 12) + 1 : 0;
}

// With `is_kept`, of those that the conditions of scans leave.
static double distinct_of(const br_rewrite *rewrite, const br_expr *expr, double rows,
                          bool is_kept)
{
    if (expr->kind == BR_EXPR_COLUMN) {
        const br_column_fact *fact = &rewrite->facts[expr->column_id];
        double distinct = is_kept && fact->kept_distinct > 0 ? fact->kept_distinct : fact->distinct;
        return distinct > 0 && distinct < rows ? distinct : rows;
    }
    bool is_truth = expr->kind == BR_EXPR_OPERATOR && expr->operator_ >= BR_OP_EQ;
    if (is_truth) return 2;
    double dates = distinct_of_dates(rewrite, expr);
    if (dates > 0) return clamp(dates, 1, rows);
    if (expr->kind == BR_EXPR_CASE) return clamp(expr->arg_count, 1, rows);
    double distinct = 1;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!br_expr_is_constant(expr->args[i]))
            distinct *= distinct_of(rewrite, expr->args[i], rows, is_kept);
    // Functions are mostly asked for something coarser than their argument: a year, a prefix.
    if (expr->kind == BR_EXPR_FUNCTION && distinct > 10)
        distinct = distinct > 100 ? sqrt(distinct) : 10;
    return clamp(distinct, 1, rows);
}

double br_estimate_distinct(const br_rewrite *rewrite, const br_expr *expr, double rows)
{
    return distinct_of(rewrite, expr, rows, false);
}

// Groups of rows that agree in all keys; keys from one table have no more than its rows, as few as
// conditions and joins below `input` leave of them.
static double group_count(const br_rewrite *rewrite, br_expr *const *keys, uint32_t count,
                          const br_plan *input)
{
    double rows = input->rows;
    enum { BASES_MAX = 16 };
    const br_plan *bases[BASES_MAX];
    double shares[BASES_MAX], groups = 1;
    uint32_t base_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const br_column_fact *fact = fact_of(rewrite, keys[i]);
        double distinct = distinct_of(rewrite, keys[i], rows, true);
        if (fact == NULL || fact->base == NULL || fact->base_rows <= 0) {
            groups *= distinct;
            continue;
        }
        uint32_t k = 0;
        while (k < base_count && bases[k] != fact->base) k++;
        if (k == base_count && base_count < BASES_MAX) {
            bases[base_count] = fact->base;
            shares[base_count++] = 1;
        }
        if (k == BASES_MAX) continue;
        shares[k] = clamp(shares[k] * distinct, 1, fact->base_rows);
    }
    for (uint32_t k = 0; k < base_count; k++)
        groups *= clamp(shares[k], 1, fmax(br_fewest_rows(input, bases[k]), 1));
    return clamp(groups, rows < 1 ? rows : 1, rows < 1 ? 1 : rows);
}

// ---- facts -----------------------------------------------------------------------------------

const br_sql_table *br_scan_table(const br_rewrite *rewrite, const br_plan *scan)
{
    const br_sql_catalog *catalog = rewrite->catalog;
    if (catalog == NULL || scan->scan.table_name == NULL) return NULL;
    const br_sql_table *table =
        catalog->find_table(catalog->context, NULL, scan->scan.table_name);
    // A table of the same name in another schema is not the one that is scanned.
    bool is_other = table != NULL && table->view != NULL &&
                    br_table_view_spec(table->view)->table_id != scan->scan.table_id;
    return is_other ? NULL : table;
}

double br_scan_table_rows(const br_rewrite *rewrite, const br_plan *scan)
{
    const br_sql_table *table = br_scan_table(rewrite, scan);
    if (table == NULL || table->view == NULL) return 1000;
    return (double)br_table_view_rows(table->view);
}

static bool column_is_unique(const br_sql_table *table, uint32_t column)
{
    if (column == BR_SCAN_KEY) return true;
    if (column < table->column_count && table->columns[column].is_rowid) return true;
    for (uint32_t i = 0; i < table->unique_count; i++) {
        const int32_t *key = table->unique_keys[i];
        if (key[0] == (int32_t)column && key[1] < 0) return true;
    }
    return false;
}

static void fact_set_range(br_column_fact *fact, const br_zone_stats *stats)
{
    unsigned mask = stats->class_mask & ~(unsigned)BR_MASK_NULL;
    bool has_int = (mask & BR_MASK_INT) != 0, has_real = (mask & BR_MASK_REAL) != 0;
    if (mask == BR_MASK_TEXT) {
        br_known_number min = br_number_of_bound(stats->text_min);
        br_known_number max = br_number_of_bound(stats->text_max);
        if (min.scale != max.scale) return;
        fact->scale = min.scale;
        fact->min = min.value;
        fact->max = max.value;
    } else if (mask != 0 && (mask & ~(unsigned)(BR_MASK_INT | BR_MASK_REAL)) == 0) {
        fact->min = has_int ? (double)stats->int_min : stats->real_min;
        fact->max = has_int ? (double)stats->int_max : stats->real_max;
        if (has_real && stats->real_min < fact->min) fact->min = stats->real_min;
        if (has_real && stats->real_max > fact->max) fact->max = stats->real_max;
    } else {
        return;
    }
    fact->has_range = isfinite(fact->max - fact->min);
    if (mask == BR_MASK_INT && fact->max - fact->min + 1 < fact->distinct)
        fact->distinct = fact->max - fact->min + 1;
}

static br_column_fact scan_fact(const br_plan *scan, uint32_t position,
                                const br_sql_table *table, double rows)
{
    br_column_fact fact = {.base = scan, .base_rows = rows,
                           .class_mask = scan->columns[position].type.class_mask};
    if (table == NULL) return fact;
    uint32_t column = scan->scan.table_columns[position];
    fact.is_unique = column_is_unique(table, column);
    uint32_t stats_column = column == BR_SCAN_KEY ? table->column_count : column;
    const br_zone_stats *stats =
        table->view == NULL ? NULL : br_table_view_stats(table->view, stats_column);
    fact.distinct = fact.is_unique ? rows : rows / 10;
    if (stats == NULL) return fact;
    fact.class_mask = (uint8_t)(stats->class_mask & ~(unsigned)BR_MASK_NULL);
    if (stats->row_count > 0)
        fact.null_fraction = (double)stats->null_count / (double)stats->row_count;
    if (!fact.is_unique && stats->distinct_estimate > 0)
        fact.distinct = (double)stats->distinct_estimate;
    fact_set_range(&fact, stats);
    fact.distinct = clamp(fact.distinct, 1, rows > 1 ? rows : 1);
    if (table->view != NULL && !fact.is_unique)
        br_fact_set_common(&fact, br_table_view_common(table->view, stats_column));
    fact.kept_distinct = fact.distinct;
    fact.kept_min = fact.min;
    fact.kept_max = fact.max;
    return fact;
}

// What was counted on a sample, and the other conditions as statistics have them.
static double sampled_share(const br_rewrite *rewrite, const br_plan *scan)
{
    ranges list = {.share = scan->scan.sampled_share};
    for (uint32_t i = 0; i < scan->scan.filter_count; i++)
        if (!br_estimate_is_vague(rewrite, scan->scan.filters[i]))
            ranges_add(rewrite, &list, scan->scan.filters[i]);
    return ranges_share(&list);
}

// What a filter leaves of the values of its column.
static void narrow_fact(const br_rewrite *rewrite, const br_expr *filter)
{
    if (filter->kind != BR_EXPR_OPERATOR || filter->arg_count < 2) return;
    bool is_swapped = filter->arg_count == 2 && filter->args[0]->kind != BR_EXPR_COLUMN;
    const br_expr *column = filter->args[is_swapped];
    br_operator operator_ = filter->operator_;
    if (column->kind != BR_EXPR_COLUMN) return;
    for (uint32_t i = 0; i < filter->arg_count; i++)
        if (i != is_swapped && !br_expr_is_constant(filter->args[i])) return;
    br_column_fact *fact = &rewrite->facts[column->column_id];
    double distinct = fact->kept_distinct, most = distinct;
    if (operator_ == BR_OP_EQ || operator_ == BR_OP_IS) most = 1;
    if (operator_ == BR_OP_IN) most = filter->arg_count - 1;
    if (is_range(operator_) || operator_ == BR_OP_BETWEEN)
        most = fmax(distinct * br_estimate_condition(rewrite, filter), 1);
    fact->kept_distinct = fmin(distinct, most);
    // Of which of them are left nothing is known.
    br_fact_set_common(fact, NULL);
    if (!is_range(operator_) && operator_ != BR_OP_BETWEEN) return;
    bool is_lower = operator_ == BR_OP_GT || operator_ == BR_OP_GE;
    br_known_number number;
    for (uint32_t i = 0; i < filter->arg_count; i++) {
        bool is_min = operator_ == BR_OP_BETWEEN ? i == 1 : is_lower != is_swapped;
        if (i == is_swapped || !fact->has_range || !br_number_of(filter->args[i], &number) ||
            number.scale != fact->scale)
            continue;
        if (is_min) fact->kept_min = fmin(fmax(fact->kept_min, number.value), fact->kept_max);
        else fact->kept_max = fmax(fmin(fact->kept_max, number.value), fact->kept_min);
    }
}

static void estimate_scan(br_rewrite *rewrite, br_plan *scan)
{
    const br_sql_table *table = br_scan_table(rewrite, scan);
    double rows = br_scan_table_rows(rewrite, scan);
    for (uint32_t i = 0; i < scan->column_count; i++)
        rewrite->facts[scan->columns[i].id] = scan_fact(scan, i, table, rows);
    br_conjuncts filters = {.items = scan->scan.filters, .count = scan->scan.filter_count};
    scan->rows = rows * (scan->scan.sampled_share > 0 ? sampled_share(rewrite, scan)
                                                      : br_estimate_conjuncts(rewrite, &filters));
    for (uint32_t i = 0; i < filters.count; i++) narrow_fact(rewrite, filters.items[i]);
}

static br_column_fact expression_fact(const br_rewrite *rewrite, const br_plan *plan,
                                      const br_expr *expr, double rows)
{
    if (expr->kind == BR_EXPR_COLUMN) return rewrite->facts[expr->column_id];
    return (br_column_fact){.base = plan, .base_rows = rows, .class_mask = expr->type.class_mask,
                            .distinct = br_estimate_distinct(rewrite, expr, rows)};
}

// Mean and square mean of values that are spread evenly between their bounds.
static bool moments_of(const br_rewrite *rewrite, const br_aggregate *aggregate, double *mean,
                       double *square)
{
    *mean = *square = 1;  // count(*) adds ones
    if (aggregate->kind == BR_AGG_COUNT_STAR || aggregate->kind == BR_AGG_COUNT) return true;
    const br_column_fact *fact = fact_of(rewrite, aggregate->args[0]);
    if (fact == NULL || !fact->has_range || fact->scale != BR_SCALE_NUMBER) return false;
    double width = fact->max - fact->min;
    *mean = (fact->min + fact->max) / 2;
    *square = *mean * *mean + width * width / 12;
    return true;
}

// HAVING sum(x) > c: the sum over a group whose size is random has, as a compound Poisson variable
// of n values, mean n * E(x) and variance n * E(x^2); near to normal where n is not small.
static void fact_set_moments(const br_rewrite *rewrite, const br_plan *plan,
                             const br_aggregate *aggregate, br_column_fact *fact)
{
    double mean, square, size = plan->left->rows / (plan->rows > 1 ? plan->rows : 1);
    bool is_sum = aggregate->kind == BR_AGG_SUM || aggregate->kind == BR_AGG_TOTAL ||
                  aggregate->kind == BR_AGG_COUNT || aggregate->kind == BR_AGG_COUNT_STAR;
    if (!is_sum || aggregate->distinct || aggregate->filter != NULL || size <= 1) return;
    if (!moments_of(rewrite, aggregate, &mean, &square)) return;
    fact->has_mean = true;
    fact->mean = size * mean;
    fact->deviation = sqrt(size * square);
    // Nearly all whole numbers lie within three deviations.
    if ((fact->class_mask & ~(unsigned)BR_MASK_NULL) == BR_MASK_INT)
        fact->distinct = 1 + 6 * fact->deviation;
}

static void estimate_aggregate(br_rewrite *rewrite, br_plan *plan)
{
    uint32_t key_count = plan->aggregate.key_count;
    plan->rows = key_count == 0
                     ? 1
                     : group_count(rewrite, plan->aggregate.keys, key_count, plan->left);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const br_aggregate *aggregate =
            i < key_count ? NULL : &plan->aggregate.aggregates[i - key_count];
        const br_expr *key = aggregate == NULL                   ? plan->aggregate.keys[i]
                             : aggregate->kind == BR_AGG_FIRST ? aggregate->args[0]
                                                               : NULL;
        br_column_fact fact = {.class_mask = plan->columns[i].type.class_mask};
        if (key != NULL) fact = expression_fact(rewrite, plan, key, plan->rows);
        else fact_set_moments(rewrite, plan, aggregate, &fact);
        if (fact.distinct > plan->rows || fact.distinct <= 0) fact.distinct = plan->rows;
        br_fact_set_common(&fact, NULL);
        fact.base = plan;
        fact.base_rows = plan->rows;
        fact.is_unique = key_count == 1 && i == 0;
        rewrite->facts[plan->columns[i].id] = fact;
    }
}

static void estimate_set(br_rewrite *rewrite, br_plan *plan)
{
    double left = plan->left->rows, right = plan->right->rows;
    switch (plan->set.set) {
    case BR_SET_UNION_ALL: plan->rows = left + right; break;
    case BR_SET_UNION: plan->rows = 0.7 * (left + right); break;
    case BR_SET_INTERSECT: plan->rows = 0.5 * (left < right ? left : right); break;
    case BR_SET_EXCEPT: plan->rows = 0.5 * left; break;
    }
    for (uint32_t i = 0; i < plan->column_count; i++) {
        br_column_fact fact = rewrite->facts[plan->left->columns[i].id];
        double other = rewrite->facts[plan->right->columns[i].id].distinct;
        fact.distinct = clamp(fact.distinct > other ? fact.distinct : other, 1, plan->rows + 1);
        fact.has_range = fact.is_unique = false;
        fact.kept_distinct = 0;
        br_fact_set_common(&fact, NULL);
        fact.base = plan;
        fact.base_rows = plan->rows;
        rewrite->facts[plan->columns[i].id] = fact;
    }
}

static void estimate_shared(br_rewrite *rewrite, br_plan *plan)
{
    const br_plan *shared = rewrite->query->shared[plan->shared.index];
    plan->rows = shared->rows;
    for (uint32_t i = 0; i < plan->column_count && i < shared->column_count; i++) {
        br_column_fact fact = rewrite->facts[shared->columns[i].id];
        fact.base = plan;
        fact.base_rows = plan->rows;
        rewrite->facts[plan->columns[i].id] = fact;
    }
}

static void estimate_apply(br_rewrite *rewrite, br_plan *plan)
{
    const br_plan *applied = rewrite->query->applied[plan->apply.index];
    uint32_t added = br_plan_output_count(applied), first = plan->column_count - added;
    plan->rows = plan->left->rows * (applied->rows > 1 ? applied->rows : 1);
    for (uint32_t i = 0; i < added; i++) {
        br_column_fact fact = rewrite->facts[applied->columns[i].id];
        fact.is_unique = fact.has_range = false;
        br_fact_set_common(&fact, NULL);
        fact.base = plan;
        fact.base_rows = plan->rows;
        rewrite->facts[plan->columns[first + i].id] = fact;
    }
}

static double limited_rows(const br_expr *limit, double rows)
{
    if (limit == NULL) return rows;
    if (limit->kind != BR_EXPR_CONST || limit->value.class_ != BR_INT)
        return fmin(rows, guess_limit);
    if (limit->value.i64 < 0) return rows;
    return (double)limit->value.i64 < rows ? (double)limit->value.i64 : rows;
}

// Of LIMIT and OFFSET in a node, which may put out the rows to be skipped too.
static double first_rows(const br_expr *limit, const br_expr *offset, bool is_partial, double rows)
{
    double count = limited_rows(limit, rows);
    if (!is_partial || offset == NULL || limit == NULL) return count;
    return count + limited_rows(offset, rows - count);
}

static void set_rows(br_rewrite *rewrite, br_plan *plan, double rows)
{
    plan->rows = rows;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        rewrite->facts[plan->columns[i].id] =
            (br_column_fact){.base = plan, .base_rows = plan->rows, .distinct = plan->rows,
                             .class_mask = plan->columns[i].type.class_mask};
    }
}

static void estimate_project(br_rewrite *rewrite, br_plan *plan)
{
    plan->rows = plan->left->rows;
    for (uint32_t i = 0; i < plan->column_count; i++)
        rewrite->facts[plan->columns[i].id] =
            expression_fact(rewrite, plan, plan->project.expressions[i], plan->rows);
}

// Ranks count from 1 to the rows of a partition; what has a whole partition for its frame is the
// same in all of it.
static br_column_fact call_fact(const br_plan *plan, const br_window_call *call, double groups)
{
    double rows = plan->rows > 1 ? plan->rows : 1, each = clamp(rows / groups, 1, rows);
    br_column_fact fact = {.base = plan, .base_rows = rows, .distinct = rows};
    bool counts = call->function >= BR_WINDOW_ROW_NUMBER && call->function <= BR_WINDOW_NTILE;
    if (counts) fact.distinct = each;
    if (call->function == BR_WINDOW_NTILE && call->args[0]->kind == BR_EXPR_CONST &&
        call->args[0]->value.class_ == BR_INT)
        fact.distinct = clamp((double)call->args[0]->value.i64, 1, each);
    if (call->function == BR_WINDOW_AGGREGATE && plan->window.order_count == 0)
        fact.distinct = groups;
    bool has_range = counts && call->function != BR_WINDOW_PERCENT_RANK &&
                     call->function != BR_WINDOW_CUME_DIST;
    if (!has_range) return fact;
    fact.has_range = true;
    fact.scale = BR_SCALE_NUMBER;
    fact.min = 1;
    fact.max = fact.distinct;
    return fact;
}

static void estimate_window(br_rewrite *rewrite, br_plan *plan)
{
    plan->rows = plan->left->rows;
    uint32_t keys = plan->window.partition_count, calls = plan->window.call_count;
    double groups =
        keys == 0 ? 1 : group_count(rewrite, plan->window.partitions, keys, plan->left);
    for (uint32_t i = 0; i < calls; i++) {
        const br_plan_column *column = &plan->columns[plan->column_count - calls + i];
        br_column_fact fact = call_fact(plan, &plan->window.calls[i], groups);
        fact.class_mask = column->type.class_mask;
        rewrite->facts[column->id] = fact;
    }
}

static double argument_of(const br_plan *call, uint32_t index, double fallback)
{
    if (index >= call->call.argument_count) return fallback;
    const br_expr *argument = call->call.arguments[index];
    if (argument->kind != BR_EXPR_CONST) return fallback;
    if (argument->value.class_ == BR_REAL) return argument->value.f64;
    return argument->value.class_ == BR_INT ? (double)argument->value.i64 : fallback;
}

// Is it asked for equal values, or for what matches?
static bool is_searched(const br_plan *call)
{
    for (uint32_t i = 0; i < call->call.argument_count; i++) {
        char first = call->call.constraints[i].operator_[0];
        if (first != '<' && first != '>') return true;
    }
    return false;
}

static void estimate_call(br_rewrite *rewrite, br_plan *plan)
{
    const br_table_function *function = plan->call.function;
    double rows = guess_call;
    if (function->kind == BR_TABLE_FUNCTION_SOURCE && !is_searched(plan)) rows = function->rows;
    if (function->kind == BR_TABLE_FUNCTION_SERIES) {
        double first = argument_of(plan, 0, 1), step = argument_of(plan, 2, 1);
        double last = argument_of(plan, 1, first + guess_call);
        rows = clamp((last - first) / fmax(fabs(step), 1) + 1, 0, 4294967296.0);
    }
    plan->rows = plan->left->rows * rows;
    for (uint32_t i = plan->column_count - plan->call.output_count; i < plan->column_count; i++)
        rewrite->facts[plan->columns[i].id] =
            (br_column_fact){.base = plan, .base_rows = plan->rows, .distinct = plan->rows,
                             .class_mask = plan->columns[i].type.class_mask};
}

// Nobody knows how often the step runs.
static void estimate_recursive(br_rewrite *rewrite, br_plan *plan)
{
    const br_expr *limit = plan->recursive.limit;
    double rows = plan->left->rows + guess_steps * plan->right->rows;
    set_rows(rewrite, plan, limited_rows(limit, rows));
}

void br_estimate_node(br_rewrite *rewrite, br_plan *plan)
{
    switch (plan->kind) {
    case BR_PLAN_SCAN: estimate_scan(rewrite, plan); break;
    case BR_PLAN_VALUES: set_rows(rewrite, plan, plan->values.row_count); break;
    case BR_PLAN_SHARED: estimate_shared(rewrite, plan); break;
    case BR_PLAN_FILTER:
        plan->rows =
            plan->left->rows * br_estimate_condition(rewrite, plan->filter.predicate);
        break;
    case BR_PLAN_PROJECT: estimate_project(rewrite, plan); break;
    case BR_PLAN_AGGREGATE: estimate_aggregate(rewrite, plan); break;
    case BR_PLAN_JOIN: br_estimate_join(rewrite, plan); break;
    case BR_PLAN_SORT:
        plan->rows = first_rows(plan->sort.limit, plan->sort.offset, plan->sort.is_partial,
                                plan->left->rows);
        break;
    case BR_PLAN_LIMIT:
        plan->rows = first_rows(plan->limit.limit, plan->limit.offset, plan->limit.is_partial,
                                plan->left->rows);
        break;
    case BR_PLAN_SET: estimate_set(rewrite, plan); break;
    case BR_PLAN_WINDOW: estimate_window(rewrite, plan); break;
    case BR_PLAN_APPLY: estimate_apply(rewrite, plan); break;
    case BR_PLAN_CALL: estimate_call(rewrite, plan); break;
    case BR_PLAN_RECURSIVE: estimate_recursive(rewrite, plan); break;
    case BR_PLAN_WORKING: set_rows(rewrite, plan, guess_working); break;
    }
}
