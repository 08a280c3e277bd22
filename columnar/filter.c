// filter.c - evaluating a filter row by row.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/filter.h"

#include "base/assert.h"
#include "base/batch.h"

// order < 0, 0, > 0 as in br_value_compare.
static bool order_passes(br_compare compare, int order)
{
    switch (compare) {
    case BR_EQ: return order == 0;
    case BR_NE: return order != 0;
    case BR_LT: return order < 0;
    case BR_LE: return order <= 0;
    case BR_GT: return order > 0;
    default: return order >= 0;
    }
}

static void clear_nulls(const br_vector *vector, uint32_t row_count, uint64_t *passes)
{
    if (vector->validity == NULL) return;
    for (uint32_t i = 0; i < br_bitmap_words(row_count); i++) passes[i] &= vector->validity[i];
}

// Every comparison of numbers of one type is lo <= value <= hi, or its opposite for BR_NE.
static void ints_between(const int64_t *values, uint32_t row_count, int64_t low, int64_t high,
                         uint64_t *passes)
{
    for (uint32_t i = 0; i < row_count; i++)
        passes[i >> 6] |= (uint64_t)(values[i] >= low && values[i] <= high) << (i & 63);
}

static void flip(uint64_t *passes, uint32_t row_count)
{
    for (uint32_t i = 0; i < br_bitmap_words(row_count); i++) passes[i] = ~passes[i];
    if (row_count % 64) passes[row_count / 64] &= (1ull << row_count % 64) - 1;
}

static void compare_ints(const br_filter *filter, const int64_t *values, uint32_t row_count,
                         uint64_t *passes)
{
    int64_t bound = filter->value.i64, low = INT64_MIN, high = INT64_MAX;
    bool is_opposite = false;
    switch (filter->compare) {
    case BR_EQ: low = high = bound; break;
    case BR_NE: low = high = bound; is_opposite = true; break;
    case BR_LE: high = bound; break;
    case BR_GT: high = bound; is_opposite = true; break;
    case BR_GE: low = bound; break;
    case BR_LT: low = bound; is_opposite = true; break;
    }
    ints_between(values, row_count, low, high, passes);
    if (is_opposite) flip(passes, row_count);
}

static void compare_reals(const br_filter *filter, const double *values, uint32_t row_count,
                          uint64_t *passes)
{
    double bound = filter->value.f64;
    for (uint32_t i = 0; i < row_count; i++) {
        int order = (values[i] > bound) - (values[i] < bound);
        passes[i >> 6] |= (uint64_t)order_passes(filter->compare, order) << (i & 63);
    }
}

static void compare_texts(const br_filter *filter, const br_text *values, const br_vector *vector,
                          uint32_t row_count, uint64_t *passes)
{
    for (uint32_t i = 0; i < row_count; i++) {
        if (br_vector_is_null(vector, i)) continue;  // its text is unspecified
        int order = br_text_compare(values[i], filter->value.text);
        if (order_passes(filter->compare, order)) br_bitmap_set(passes, i);
    }
}

static bool value_passes(const br_filter *filter, const br_value *value)
{
    if (value->class_ == BR_NULL) return false;
    return order_passes(filter->compare,
                        br_value_compare(value, &filter->value, BR_COLLATION_BINARY));
}

static void compare_any(const br_filter *filter, const br_vector *vector, uint32_t row_count,
                        br_arena *arena, uint64_t *passes)
{
    for (uint32_t i = 0; i < row_count; i++) {
        br_value value = br_vector_value(vector, i, arena);
        if (value_passes(filter, &value)) br_bitmap_set(passes, i);
    }
}

static br_status filter_compare(const br_filter *filter, const br_vector *vector,
                                uint32_t row_count, br_arena *arena, uint64_t *passes,
                                br_error *err)
{
    br_vector flat;
    if (vector->kind == BR_VECTOR_DATE || vector->kind == BR_VECTOR_DATETIME) {
        BR_TRY(br_vector_flatten(vector, row_count, arena, &flat, err));
        vector = &flat;
    }
    bool is_plain = vector->kind == BR_VECTOR_FLAT && vector->class_ == filter->value.class_;
    if (is_plain && vector->class_ == BR_INT)
        compare_ints(filter, vector->i64, row_count, passes);
    else if (is_plain && vector->class_ == BR_REAL)
        compare_reals(filter, vector->f64, row_count, passes);
    else if (is_plain && (vector->class_ == BR_TEXT || vector->class_ == BR_BLOB))
        compare_texts(filter, vector->text, vector, row_count, passes);
    else compare_any(filter, vector, row_count, arena, passes);
    return BR_OK;
}

static void filter_range(const br_filter *filter, const br_vector *vector, uint32_t row_count,
                         br_arena *arena, uint64_t *passes)
{
    if (vector->kind == BR_VECTOR_FLAT && vector->class_ == BR_INT) {
        ints_between(vector->i64, row_count, filter->int_min, filter->int_max, passes);
        return;
    }
    if (vector->class_ != BR_INT && vector->class_ != BR_ANY) return;
    for (uint32_t i = 0; i < row_count; i++) {
        br_value value = br_vector_value(vector, i, arena);
        if (value.class_ == BR_INT && value.i64 >= filter->int_min && value.i64 <= filter->int_max)
            br_bitmap_set(passes, i);
    }
}

static void filter_null(const br_vector *vector, uint32_t row_count, bool is_null, uint64_t *passes)
{
    for (uint32_t i = 0; i < row_count; i++) {
        if (br_vector_is_null(vector, i) == is_null) br_bitmap_set(passes, i);
    }
}

br_status br_vector_filter(const br_filter *filter, uint32_t worker, const br_vector *vector,
                           uint32_t row_count, br_arena *arena, uint64_t *passes, br_error *err)
{
    br_assert(row_count <= BR_BATCH_ROWS);
    switch (filter->kind) {
    case BR_FILTER_PREDICATE:
        return filter->select(filter->context, worker, vector, row_count, passes, err);
    case BR_FILTER_IS_NULL: filter_null(vector, row_count, true, passes); return BR_OK;
    case BR_FILTER_NOT_NULL: filter_null(vector, row_count, false, passes); return BR_OK;
    case BR_FILTER_RANGE: filter_range(filter, vector, row_count, arena, passes); break;
    case BR_FILTER_COMPARE:
        BR_TRY(filter_compare(filter, vector, row_count, arena, passes, err));
        break;
    }
    clear_nulls(vector, row_count, passes);
    return BR_OK;
}
