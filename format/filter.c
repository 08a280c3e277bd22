// filter.c - what a filter means for numbers, for dates, for one value, for any vector.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "format/encoding.h"

static const br_integer_range no_integer = {.low = 1, .high = 0};
static const br_integer_range every_integer = {.low = INT64_MIN, .high = INT64_MAX};

// SQLite orders classes: numbers, then TEXT, then BLOB.
static int class_rank(uint8_t class_)
{
    return class_ == BR_BLOB ? 2 : class_ == BR_TEXT;
}

static bool passes_order(br_compare compare, int order)
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

// The range for a constant of which `floor` is the largest integer that is not greater.
static br_integer_range range_of_floor(br_compare compare, int64_t floor, bool is_exact)
{
    br_integer_range range = every_integer;
    switch (compare) {
    case BR_EQ:
    case BR_NE:
        range = is_exact ? (br_integer_range){.low = floor, .high = floor} : no_integer;
        range.is_negated = compare == BR_NE;
        return range;
    case BR_LT:
        if (is_exact && floor == INT64_MIN) return no_integer;
        range.high = is_exact ? floor - 1 : floor;
        return range;
    case BR_LE: range.high = floor; return range;
    case BR_GE:
        if (is_exact) {
            range.low = floor;
            return range;
        }
        break;  // not exact: the same as greater
    default: break;
    }
    if (floor == INT64_MAX) return no_integer;
    range.low = floor + 1;
    return range;
}

static br_integer_range every_or_no_integer(br_compare compare, int order)
{
    return passes_order(compare, order) ? every_integer : no_integer;
}

br_integer_range br_filter_integers(const br_filter *filter)
{
    const double two_to_63 = 9223372036854775808.0;
    if (filter->kind == BR_FILTER_RANGE)
        return (br_integer_range){.low = filter->int_min, .high = filter->int_max};
    const br_value *constant = &filter->value;
    if (constant->class_ == BR_INT) return range_of_floor(filter->compare, constant->i64, true);
    if (constant->class_ != BR_REAL) return every_or_no_integer(filter->compare, -1);
    if (constant->f64 >= two_to_63) return every_or_no_integer(filter->compare, -1);
    if (constant->f64 < -two_to_63) return every_or_no_integer(filter->compare, 1);
    double down = floor(constant->f64);
    return range_of_floor(filter->compare, (int64_t)down, down == constant->f64);
}

// The largest double that is not greater than an integer.
static double double_below(int64_t integer, bool *is_exact_out)
{
    double nearest = (double)integer;
    int order = br_int_real_compare(integer, nearest);
    *is_exact_out = order == 0;
    return order >= 0 ? nearest : nextafter(nearest, -INFINITY);
}

br_real_range br_filter_reals(const br_filter *filter)
{
    br_real_range every = {.low = -INFINITY, .high = INFINITY};
    br_real_range none = {.low = 1, .high = 0};
    if (filter->kind == BR_FILTER_RANGE) return none;
    const br_value *constant = &filter->value;
    bool is_exact = true;
    double down = 0;
    if (constant->class_ == BR_REAL) down = constant->f64;
    else if (constant->class_ == BR_INT) down = double_below(constant->i64, &is_exact);
    else return passes_order(filter->compare, -1) ? every : none;

    switch (filter->compare) {
    case BR_EQ:
    case BR_NE: {
        br_real_range range = is_exact ? (br_real_range){.low = down, .high = down} : none;
        range.is_negated = filter->compare == BR_NE;
        return range;
    }
    case BR_LT:
        if (is_exact && down == -INFINITY) return none;
        every.high = is_exact ? nextafter(down, -INFINITY) : down;
        return every;
    case BR_LE: every.high = down; return every;
    case BR_GT:
        if (down == INFINITY) return none;
        every.low = nextafter(down, INFINITY);
        return every;
    default: every.low = is_exact ? down : nextafter(down, INFINITY); return every;
    }
}

static int compare_number_text(br_vector_kind kind, int64_t number, br_text text)
{
    char bytes[BR_DATETIME_TEXT_BYTES];
    uint32_t size = kind == BR_VECTOR_DATE ? BR_DATE_TEXT_BYTES : BR_DATETIME_TEXT_BYTES;
    if (kind == BR_VECTOR_DATE) br_date_format(number, bytes);
    else br_datetime_format(number, bytes);
    return br_text_compare(br_text_make(bytes, size), text);
}

// The order of canonical texts is the order of their numbers, so any text has a place among them.
br_integer_range br_filter_dates(const br_filter *filter, br_vector_kind kind)
{
    if (filter->kind == BR_FILTER_RANGE) return no_integer;
    const br_value *constant = &filter->value;
    if (constant->class_ != BR_TEXT)
        return every_or_no_integer(filter->compare, constant->class_ == BR_BLOB ? -1 : 1);
    int64_t number, low, high;
    if (br_time_parse(kind, constant->text, &number))
        return range_of_floor(filter->compare, number, true);
    br_time_bounds(kind, &low, &high);
    high++;
    while (low < high) {  // the first number whose text is greater
        int64_t middle = low + (high - low) / 2;
        if (compare_number_text(kind, middle, constant->text) > 0) high = middle;
        else low = middle + 1;
    }
    return range_of_floor(filter->compare, low - 1, false);
}

bool br_filter_value(const br_filter *filter, const br_value *value)
{
    switch (filter->kind) {
    case BR_FILTER_NOT_NULL: return value->class_ != BR_NULL;
    case BR_FILTER_IS_NULL: return value->class_ == BR_NULL;
    case BR_FILTER_RANGE:
        return value->class_ == BR_INT && filter->int_min <= value->i64 &&
               value->i64 <= filter->int_max;
    default: break;
    }
    br_assert(filter->kind == BR_FILTER_COMPARE);
    if (value->class_ == BR_NULL) return false;
    int order = class_rank(value->class_) - class_rank(filter->value.class_);
    if (order == 0) order = br_value_compare(value, &filter->value, BR_COLLATION_BINARY);
    return passes_order(filter->compare, order);
}

// ---- vectors ---------------------------------------------------------------------------------

void br_bits_negate(uint64_t *bits, uint32_t count)
{
    for (uint32_t word = 0; word < br_bitmap_words(count); word++) bits[word] = ~bits[word];
}

void br_bits_set(uint64_t *bits, uint32_t begin, uint32_t end)
{
    for (uint32_t word = begin / 64; word * 64 < end; word++) {
        uint32_t low = word * 64 < begin ? begin - word * 64 : 0;
        uint32_t high = end - word * 64 < 64 ? end - word * 64 : 64;
        if (low < high) bits[word] |= (~0ull >> (64 - (high - low))) << low;
    }
}

// The value of a row that is not NULL, of a vector that has no dates.
static br_value value_at(const br_vector *vector, uint32_t row)
{
    if (vector->kind == BR_VECTOR_CONST) row = 0;
    const br_vector *values = vector;
    if (vector->kind == BR_VECTOR_DICT) {
        row = vector->codes[row];
        values = &vector->dictionary->values;
    }
    switch (vector->class_) {
    case BR_NULL: return br_value_null();
    case BR_INT: return br_value_int(values->i64[row]);
    case BR_REAL: return br_value_real(values->f64[row]);
    case BR_ANY: return values->any[row];
    default: return (br_value){.class_ = vector->class_, .text = values->text[row]};
    }
}

static void filter_rows(const br_filter *filter, const br_vector *vector, uint32_t count,
                        uint64_t *bits_out)
{
    memset(bits_out, 0, br_bitmap_words(count) * sizeof *bits_out);
    for (uint32_t row = 0; row < count; row++) {
        br_value value = value_at(vector, row);
        bits_out[row >> 6] |= (uint64_t)br_filter_value(filter, &value) << (row & 63);
    }
}

br_status br_filter_vector(const br_selection *selection, const br_format_kernels *kernels,
                           const br_vector *vector, uint32_t count, uint64_t *bits_out,
                           br_error *err)
{
    const br_filter *filter = selection->filter;
    bool is_flat = vector->kind == BR_VECTOR_FLAT;
    bool is_date = vector->kind == BR_VECTOR_DATE || vector->kind == BR_VECTOR_DATETIME;
    if (filter->kind == BR_FILTER_PREDICATE) {
        memset(bits_out, 0, br_bitmap_words(count) * sizeof *bits_out);
        return filter->select(filter->context, selection->worker, vector, count, bits_out, err);
    }
    if (is_date || (is_flat && vector->class_ == BR_INT)) {
        br_integer_range range = is_date ? br_filter_dates(filter, (br_vector_kind)vector->kind)
                                         : br_filter_integers(filter);
        kernels->range_i64(vector->i64, count, range.low, range.high, bits_out);
        if (range.is_negated) br_bits_negate(bits_out, count);
    } else if (is_flat && vector->class_ == BR_REAL) {
        br_real_range range = br_filter_reals(filter);
        kernels->range_f64(vector->f64, count, range.low, range.high, bits_out);
        if (range.is_negated) br_bits_negate(bits_out, count);
    } else {
        filter_rows(filter, vector, count, bits_out);
    }
    return BR_OK;
}
