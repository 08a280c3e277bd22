// zone_map.c - statistics of sets of values, and what a filter can conclude from them.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "format/zone_map.h"

void br_zone_stats_init(br_zone_stats *stats)
{
    *stats = (br_zone_stats){.int_min = INT64_MAX,
                             .int_max = INT64_MIN,
                             .real_min = INFINITY,
                             .real_max = -INFINITY,
                             .text_min = UINT64_MAX};
}

// Counts of distinct values cannot be added: the larger is what is certain.
void br_zone_stats_merge(br_zone_stats *stats, const br_zone_stats *other)
{
    stats->class_mask |= other->class_mask;
    stats->row_count += other->row_count;
    stats->null_count += other->null_count;
    if (other->distinct_estimate > stats->distinct_estimate)
        stats->distinct_estimate = other->distinct_estimate;
    if (other->class_mask & BR_MASK_INT) {
        if (other->int_min < stats->int_min) stats->int_min = other->int_min;
        if (other->int_max > stats->int_max) stats->int_max = other->int_max;
    }
    if (other->class_mask & BR_MASK_REAL) {
        if (other->real_min < stats->real_min) stats->real_min = other->real_min;
        if (other->real_max > stats->real_max) stats->real_max = other->real_max;
    }
    if (other->class_mask & BR_MASK_TEXT) {
        if (other->text_min < stats->text_min) stats->text_min = other->text_min;
        if (other->text_max > stats->text_max) stats->text_max = other->text_max;
    }
}

uint64_t br_text_bound(br_text text)
{
    uint64_t bound = 0;
    if (text.size >= sizeof bound) {
        memcpy(&bound, text.data, sizeof bound);
        return __builtin_bswap64(bound);
    }
    for (uint32_t i = 0; i < text.size; i++)
        bound |= (uint64_t)(unsigned char)text.data[i] << (56 - 8 * i);
    return bound;
}

// ---- collecting ------------------------------------------------------------------------------

static void add_integers(const int64_t *values, uint32_t count, br_zone_stats *stats)
{
    int64_t low = values[0], high = values[0];
    for (uint32_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    if (low < stats->int_min) stats->int_min = low;
    if (high > stats->int_max) stats->int_max = high;
}

static void add_real(double value, br_zone_stats *stats)
{
    stats->real_min = value < stats->real_min ? value : stats->real_min;
    stats->real_max = value > stats->real_max ? value : stats->real_max;
}

static void add_text(const br_column *column, uint32_t row, br_zone_stats *stats)
{
    br_text text = {.data = (const char *)(uintptr_t)column->payloads[row],
                    .size = column->sizes[row]};
    uint64_t bound = br_text_bound(text);
    stats->text_min = bound < stats->text_min ? bound : stats->text_min;
    stats->text_max = bound > stats->text_max ? bound : stats->text_max;
}

static void add_any(const br_column *column, uint32_t row, br_zone_stats *stats)
{
    switch (column->classes[row]) {
    case BR_INT: add_integers((const int64_t *)&column->payloads[row], 1, stats); break;
    case BR_REAL: add_real(br_real_of_bits(column->payloads[row]), stats); break;
    case BR_TEXT: add_text(column, row, stats); break;
    default: break;
    }
}

void br_zone_stats_collect(const br_column *column, uint32_t first, uint32_t count,
                           uint32_t class_counts[BR_ANY], br_zone_stats *stats_out)
{
    br_zone_stats_init(stats_out);
    stats_out->row_count = count;
    const uint8_t *classes = column->classes + first;
    uint32_t counts[BR_ANY] = {0};
    for (uint32_t class_ = BR_NULL; class_ < BR_ANY; class_++) {
        for (uint32_t i = 0; i < count; i++) counts[class_] += classes[i] == class_;
        if (counts[class_] > 0) stats_out->class_mask |= (uint8_t)(1u << class_);
        class_counts[class_] += counts[class_];
    }
    stats_out->null_count = counts[BR_NULL];
    if (stats_out->class_mask == BR_MASK_INT) {
        add_integers((const int64_t *)column->payloads + first, count, stats_out);
    } else {
        for (uint32_t i = 0; i < count; i++) add_any(column, first + i, stats_out);
    }
}

// ---- pruning ---------------------------------------------------------------------------------

static br_prune both(br_prune left, br_prune right)
{
    return left == right ? left : BR_PRUNE_SOME;
}

static br_prune prune_of(bool any_passes, bool all_pass)
{
    if (!any_passes) return BR_PRUNE_NONE;
    return all_pass ? BR_PRUNE_ALL : BR_PRUNE_SOME;
}

static br_prune negate(br_prune prune, bool is_negated)
{
    if (!is_negated || prune == BR_PRUNE_SOME) return prune;
    return prune == BR_PRUNE_ALL ? BR_PRUNE_NONE : BR_PRUNE_ALL;
}

static br_prune prune_integers(const br_filter *filter, const br_zone_stats *stats)
{
    br_integer_range range = br_filter_integers(filter);
    bool any = range.low <= range.high && range.low <= stats->int_max &&
               stats->int_min <= range.high;
    bool all = range.low <= stats->int_min && stats->int_max <= range.high;
    return negate(prune_of(any, all), range.is_negated);
}

static br_prune prune_reals(const br_filter *filter, const br_zone_stats *stats)
{
    br_real_range range = br_filter_reals(filter);
    bool any = range.low <= range.high && range.low <= stats->real_max &&
               stats->real_min <= range.high;
    bool all = range.low <= stats->real_min && stats->real_max <= range.high;
    return negate(prune_of(any, all), range.is_negated);
}

// Bounds are first bytes, so only different first bytes tell: text with a smaller bound is smaller.
static br_prune prune_texts(const br_filter *filter, const br_zone_stats *stats)
{
    uint64_t constant = br_text_bound(filter->value.text);
    bool all_less = stats->text_max < constant, all_greater = stats->text_min > constant;
    switch (filter->compare) {
    case BR_EQ: return all_less || all_greater ? BR_PRUNE_NONE : BR_PRUNE_SOME;
    case BR_NE: return all_less || all_greater ? BR_PRUNE_ALL : BR_PRUNE_SOME;
    case BR_LT:
    case BR_LE: return all_greater ? BR_PRUNE_NONE : all_less ? BR_PRUNE_ALL : BR_PRUNE_SOME;
    default: return all_less ? BR_PRUNE_NONE : all_greater ? BR_PRUNE_ALL : BR_PRUNE_SOME;
    }
}

// A class other than that of the constant passes as a whole, or not at all.
static br_prune prune_other_class(const br_filter *filter, uint8_t class_)
{
    br_value any_of_class = {.class_ = class_};
    return br_filter_value(filter, &any_of_class) ? BR_PRUNE_ALL : BR_PRUNE_NONE;
}

static br_prune prune_class(const br_filter *filter, const br_zone_stats *stats, uint8_t class_)
{
    bool is_range = filter->kind == BR_FILTER_RANGE;
    switch (class_) {
    case BR_NULL: return BR_PRUNE_NONE;
    case BR_INT: return prune_integers(filter, stats);
    case BR_REAL: return prune_reals(filter, stats);
    case BR_TEXT:
        if (is_range || filter->value.class_ != BR_TEXT) break;
        return prune_texts(filter, stats);
    default:
        if (!is_range && filter->value.class_ == BR_BLOB) return BR_PRUNE_SOME;
        break;
    }
    return prune_other_class(filter, class_);
}

br_prune br_filter_prune(const br_filter *filter, const br_zone_stats *stats)
{
    if (stats->row_count == 0) return BR_PRUNE_NONE;
    bool some_null = stats->null_count > 0, all_null = stats->null_count == stats->row_count;
    if (filter->kind == BR_FILTER_IS_NULL) return prune_of(some_null, all_null);
    if (filter->kind == BR_FILTER_NOT_NULL) return prune_of(!all_null, !some_null);
    if (filter->kind == BR_FILTER_PREDICATE) {
        bool may_pass = all_null || filter->may_pass == NULL ||
                        (filter->null_result && some_null) ||
                        filter->may_pass(filter->context, stats);
        if (!may_pass) return BR_PRUNE_NONE;
        if (!all_null) return BR_PRUNE_SOME;
        return filter->null_result ? BR_PRUNE_ALL : BR_PRUNE_NONE;
    }
    br_prune result = BR_PRUNE_SOME;
    bool is_first = true;
    for (uint8_t class_ = BR_NULL; class_ < BR_ANY; class_++) {
        if ((stats->class_mask & 1u << class_) == 0) continue;
        br_prune prune = prune_class(filter, stats, class_);
        result = is_first ? prune : both(result, prune);
        is_first = false;
    }
    return result;
}
