// compare_range.c - see the header.
// SPDX-License-Identifier: Apache-2.0
#include "exec/compare_range.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"

// The days of years 0000 to 9999, and what lies between their texts.
enum { DATE_FIRST = -719528, DATE_LAST = 2932896 };
static const int64_t seconds_per_day = 86400;

// Where a constant stands among ordered numbers: `below` is the last one before it, `above` the
// first one behind it; a number equal to it lies between them.
typedef struct int_place {
    int64_t below, above;
    bool has_below, has_above;  // false: there is none in int64
} int_place;

static int_place place_of_int(int64_t value)
{
    return (int_place){.below = value - (value != INT64_MIN),
                       .above = value + (value != INT64_MAX),
                       .has_below = value != INT64_MIN,
                       .has_above = value != INT64_MAX};
}

static int_place place_of_real(double value)
{
    if (value < -9223372036854775808.0) return (int_place){.above = INT64_MIN, .has_above = true};
    if (value >= 9223372036854775808.0) return (int_place){.below = INT64_MAX, .has_below = true};
    int64_t whole = (int64_t)floor(value);
    if ((double)whole == value) return place_of_int(whole);
    return (int_place){.below = whole, .above = whole + 1, .has_below = true, .has_above = true};
}

// The text of the number compared with the constant.
static int compare_time(uint8_t kind, int64_t number, br_text constant, br_collation collation)
{
    char bytes[20];
    uint32_t size = kind == BR_VECTOR_DATE ? 10 : 19;
    if (kind == BR_VECTOR_DATE) br_date_format(number, bytes);
    else br_datetime_format(number, bytes);
    return br_text_collate(br_text_make(bytes, size), constant, collation);
}

// Dates sort as their texts do; binary search for the first one not before the constant.
static int_place place_of_text(uint8_t kind, br_text constant, br_collation collation)
{
    int64_t unit = kind == BR_VECTOR_DATE ? 1 : seconds_per_day, number;
    bool is_exact = kind == BR_VECTOR_DATE
                        ? br_date_parse(constant.data, constant.size, &number)
                        : br_datetime_parse(constant.data, constant.size, &number);
    if (is_exact) return place_of_int(number);
    int64_t low = DATE_FIRST * unit, high = (DATE_LAST + 1) * unit;  // high: past the last
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (compare_time(kind, middle, constant, collation) < 0) low = middle + 1;
        else high = middle;
    }
    bool is_equal = low < (DATE_LAST + 1) * unit &&
                    compare_time(kind, low, constant, collation) == 0;
    return is_equal ? place_of_int(low)
                    : (int_place){.below = low - 1, .above = low, .has_below = true,
                                  .has_above = true};
}

// Nothing is below a constant that is less than every INT, and nothing above one that is more.
static bool is_int_range_empty(br_operator operator_, const int_place *place)
{
    bool is_before_all = place->has_above && place->above == INT64_MIN;
    bool is_behind_all = place->has_below && place->below == INT64_MAX;
    switch (operator_) {
    case BR_OP_LT: return !place->has_below;
    case BR_OP_LE: return is_before_all;
    case BR_OP_GT: return !place->has_above;
    case BR_OP_GE: return is_behind_all;
    default: return is_before_all || is_behind_all;
    }
}

static void int_range(br_operator operator_, const int_place *place, br_compare_range *range)
{
    range->int_low = 1;
    range->int_high = 0;
    if (is_int_range_empty(operator_, place)) return;
    // What does not fit is not used.
    int64_t at_least = place->has_below ? place->below + (place->below < INT64_MAX) : INT64_MIN;
    int64_t at_most = place->has_above ? place->above - (place->above > INT64_MIN) : INT64_MAX;
    bool is_low_open = operator_ == BR_OP_LT || operator_ == BR_OP_LE;
    bool is_high_open = operator_ == BR_OP_GT || operator_ == BR_OP_GE;
    range->int_low = operator_ == BR_OP_GT ? place->above : is_low_open ? INT64_MIN : at_least;
    range->int_high = operator_ == BR_OP_LT ? place->below : is_high_open ? INT64_MAX : at_most;
}

// The same among doubles: the last one before the constant, the last one not behind it, ...
typedef struct real_place {
    double below, at_most, at_least, above;
} real_place;

static real_place place_among_reals(const br_value *constant)
{
    double nearest = br_value_to_real(constant);
    int order = constant->class_ == BR_INT ? br_int_real_compare(constant->i64, nearest) : 0;
    double before = nextafter(nearest, -(double)INFINITY);
    double behind = nextafter(nearest, (double)INFINITY);
    return (real_place){.below = order > 0 ? nearest : before,
                        .at_most = order < 0 ? before : nearest,
                        .at_least = order > 0 ? behind : nearest,
                        .above = order < 0 ? nearest : behind};
}

static void real_range(br_operator operator_, const real_place *place, br_compare_range *range)
{
    range->real_low = -(double)INFINITY;
    range->real_high = (double)INFINITY;
    bool is_empty = false;
    switch (operator_) {
    case BR_OP_LT:
        range->real_high = place->below;
        is_empty = place->at_least < -DBL_MAX;
        break;
    case BR_OP_LE: range->real_high = place->at_most; break;
    case BR_OP_GT:
        range->real_low = place->above;
        is_empty = place->at_most > DBL_MAX;
        break;
    case BR_OP_GE: range->real_low = place->at_least; break;
    default:  // = and <>: empty when no double equals the constant
        range->real_low = place->at_least;
        range->real_high = place->at_most;
        break;
    }
    if (!is_empty) return;
    range->real_low = 1.0;
    range->real_high = 0.0;
}

bool br_compare_range_of(const br_vector *vector, br_operator operator_, const br_value *constant,
                         br_collation collation, br_compare_range *range_out)
{
    bool is_time = vector->kind == BR_VECTOR_DATE || vector->kind == BR_VECTOR_DATETIME;
    if (is_time && br_collation_collator(collation) != NULL) return false;
    bool is_number = vector->class_ == BR_INT || vector->class_ == BR_REAL;
    bool is_constant_number = constant->class_ == BR_INT || constant->class_ == BR_REAL;
    if (is_time ? constant->class_ != BR_TEXT : !is_number || !is_constant_number) return false;
    *range_out = (br_compare_range){.is_real = vector->class_ == BR_REAL,
                                    .is_negated = operator_ == BR_OP_NE};
    if (range_out->is_real) {
        real_place reals = place_among_reals(constant);
        real_range(operator_, &reals, range_out);
        return true;
    }
    int_place place = is_time ? place_of_text(vector->kind, constant->text, collation)
                      : constant->class_ == BR_INT ? place_of_int(constant->i64)
                                                   : place_of_real(constant->f64);
    int_range(operator_, &place, range_out);
    return true;
}

br_compare_range br_compare_range_intersect(const br_compare_range *left,
                                            const br_compare_range *right)
{
    br_assert(left->is_real == right->is_real && !left->is_negated && !right->is_negated);
    br_compare_range both = *left;
    if (right->int_low > both.int_low) both.int_low = right->int_low;
    if (right->int_high < both.int_high) both.int_high = right->int_high;
    if (right->real_low > both.real_low) both.real_low = right->real_low;
    if (right->real_high < both.real_high) both.real_high = right->real_high;
    return both;
}

void br_compare_range_apply(const br_compare_range *range, const br_exec_kernels *kernels,
                            const br_vector *vector, uint32_t row_count, uint64_t *bits)
{
    if (range->is_real)
        kernels->in_range_f64(vector->f64, row_count, range->real_low, range->real_high, bits);
    else kernels->in_range_i64(vector->i64, row_count, range->int_low, range->int_high, bits);
    if (!range->is_negated) return;
    for (uint32_t i = 0; i < br_bitmap_words(row_count); i++) bits[i] = ~bits[i];
    if (row_count % 64 != 0) bits[row_count / 64] &= (1ull << (row_count % 64)) - 1;
}
