// Result classes and ranges of expressions, and SQLite's affinity rules for type names.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"

// Aggregates count at most so many rows: far beyond what can be scanned, far below overflow.
static const int64_t count_max = (int64_t)1 << 56;

static const unsigned mask_number = BR_MASK_INT | BR_MASK_REAL;

br_type br_type_of_mask(unsigned mask)
{
    return (br_type){.class_mask = (uint8_t)mask};
}

br_type br_type_int(int64_t min, int64_t max, bool nullable)
{
    return (br_type){.class_mask = (uint8_t)(BR_MASK_INT | (nullable ? BR_MASK_NULL : 0)),
                     .has_range = true, .int_min = min, .int_max = max};
}

br_type br_type_union(br_type left, br_type right)
{
    br_type type = {.class_mask = left.class_mask | right.class_mask};
    bool left_int = (left.class_mask & BR_MASK_INT) != 0;
    bool right_int = (right.class_mask & BR_MASK_INT) != 0;
    if ((left_int && !left.has_range) || (right_int && !right.has_range)) return type;
    if (!left_int && !right_int) return type;
    type.has_range = true;
    type.int_min = !right_int || (left_int && left.int_min < right.int_min) ? left.int_min
                                                                           : right.int_min;
    type.int_max = !right_int || (left_int && left.int_max > right.int_max) ? left.int_max
                                                                           : right.int_max;
    return type;
}

br_type br_type_of_value(const br_value *value)
{
    if (value->class_ == BR_INT) return br_type_int(value->i64, value->i64, false);
    return br_type_of_mask(1u << value->class_);
}

static uint32_t fold(char c)
{
    return (uint32_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c);
}

#define WORD(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

// SQLite looks for these letters anywhere in the type name.
br_affinity br_affinity_of_type_name(const char *name)
{
    uint32_t last = 0;
    br_affinity affinity = BR_AFFINITY_NUMERIC;
    for (; name != NULL && *name != 0; name++) {
        last = last << 8 | fold(*name);
        if (last == WORD('c', 'h', 'a', 'r') || last == WORD('c', 'l', 'o', 'b') ||
            last == WORD('t', 'e', 'x', 't')) {
            affinity = BR_AFFINITY_TEXT;
        } else if (last == WORD('b', 'l', 'o', 'b') &&
                   (affinity == BR_AFFINITY_NUMERIC || affinity == BR_AFFINITY_REAL)) {
            affinity = BR_AFFINITY_BLOB;
        } else if ((last == WORD('r', 'e', 'a', 'l') || last == WORD('f', 'l', 'o', 'a') ||
                    last == WORD('d', 'o', 'u', 'b')) && affinity == BR_AFFINITY_NUMERIC) {
            affinity = BR_AFFINITY_REAL;
        } else if ((last & 0x00ffffff) == WORD(0, 'i', 'n', 't')) {
            return BR_AFFINITY_INTEGER;
        }
    }
    return affinity;
}

br_type br_type_cast(br_type from, br_affinity to)
{
    unsigned null = from.class_mask & BR_MASK_NULL;
    unsigned values = from.class_mask & ~(unsigned)BR_MASK_NULL;
    if (values == 0) return br_type_of_mask(null);
    bool is_int = values == BR_MASK_INT;
    switch (to) {
    case BR_AFFINITY_TEXT: return br_type_of_mask(null | BR_MASK_TEXT);
    case BR_AFFINITY_REAL: return br_type_of_mask(null | BR_MASK_REAL);
    case BR_AFFINITY_INTEGER: return is_int ? from : br_type_of_mask(null | BR_MASK_INT);
    case BR_AFFINITY_NUMERIC:
        return is_int ? from : br_type_of_mask(null | mask_number);
    case BR_AFFINITY_NONE:
    case BR_AFFINITY_BLOB: return br_type_of_mask(null | BR_MASK_BLOB);
    }
    return br_type_of_mask(BR_MASK_ALL);
}

br_type br_type_affinity(br_type from, br_affinity to)
{
    unsigned mask = from.class_mask;
    if (to == BR_AFFINITY_TEXT) {
        if ((mask & mask_number) != 0) mask = (mask & ~mask_number) | BR_MASK_TEXT;
        return br_type_of_mask(mask);
    }
    if (to == BR_AFFINITY_NONE || to == BR_AFFINITY_BLOB) return from;
    if (to == BR_AFFINITY_REAL) {
        if ((mask & (BR_MASK_INT | BR_MASK_TEXT)) != 0) mask |= BR_MASK_REAL;
        return br_type_of_mask(mask & ~(unsigned)BR_MASK_INT);
    }
    if ((mask & BR_MASK_TEXT) != 0) return br_type_of_mask(mask | mask_number);
    if (mask & BR_MASK_REAL) return br_type_of_mask(mask | BR_MASK_INT);
    return from;
}

// ---- arithmetic ------------------------------------------------------------------------------

__extension__ typedef __int128 wide;  // sums and products of two 64-bit integers are exact in it

typedef struct bounds {
    wide min, max;
} bounds;

static bounds bounds_of(const br_type *type)
{
    if (type->has_range) return (bounds){type->int_min, type->int_max};
    return (bounds){INT64_MIN, INT64_MAX};
}

static void bounds_widen(bounds *out, wide value)
{
    if (value < out->min) out->min = value;
    if (value > out->max) out->max = value;
}

static bounds bounds_multiply(bounds left, bounds right)
{
    bounds out = {left.min * right.min, left.min * right.min};
    bounds_widen(&out, left.min * right.max);
    bounds_widen(&out, left.max * right.min);
    bounds_widen(&out, left.max * right.max);
    return out;
}

// Truncated division: the divisors nearest to zero on both sides give the extremes.
static bounds bounds_divide(bounds left, bounds right)
{
    wide divisors[4] = {right.min, right.max, -1, 1};
    bounds out = {0, 0};
    for (int i = 0; i < 4; i++) {
        if (divisors[i] == 0 || divisors[i] < right.min || divisors[i] > right.max) continue;
        bounds_widen(&out, left.min / divisors[i]);
        bounds_widen(&out, left.max / divisors[i]);
    }
    return out;
}

static bounds bounds_modulo(bounds left, bounds right)
{
    wide magnitude = right.max > -right.min ? right.max : -right.min;
    bounds out = {left.min < 0 ? 1 - magnitude : 0, left.max > 0 ? magnitude - 1 : 0};
    if (out.min < left.min && left.min < 0) out.min = left.min;
    if (out.max > left.max && left.max > 0) out.max = left.max;
    if (out.min > 0) out.min = 0;
    if (out.max < 0) out.max = 0;
    return out;
}

static bounds bounds_of_operator(const br_expr *expr)
{
    bounds left = bounds_of(&expr->args[0]->type);
    bounds right = expr->arg_count > 1 ? bounds_of(&expr->args[1]->type) : left;
    switch (expr->operator_) {
    case BR_OP_ADD: return (bounds){left.min + right.min, left.max + right.max};
    case BR_OP_SUB: return (bounds){left.min - right.max, left.max - right.min};
    case BR_OP_MUL: return bounds_multiply(left, right);
    case BR_OP_DIV: return bounds_divide(left, right);
    case BR_OP_MOD: return bounds_modulo(left, right);
    default: return (bounds){-left.max, -left.min};  // NEGATE
    }
}

static br_type type_clamped(bounds range, unsigned mask)
{
    br_type type = {.class_mask = (uint8_t)mask, .has_range = true};
    type.int_min = range.min < INT64_MIN ? INT64_MIN : (int64_t)range.min;
    type.int_max = range.max > INT64_MAX ? INT64_MAX : (int64_t)range.max;
    if (range.min > INT64_MAX) type.int_min = INT64_MAX;
    if (range.max < INT64_MIN) type.int_max = INT64_MIN;
    return type;
}

static bool may_be_zero(const br_type *type)
{
    bounds range = bounds_of(type);
    return range.min <= 0 && range.max >= 0;
}

static void type_int_arithmetic(br_expr *expr, unsigned null, bool checked_arithmetic)
{
    bool divides = expr->operator_ == BR_OP_DIV || expr->operator_ == BR_OP_MOD;
    if (divides && may_be_zero(&expr->args[1]->type)) null = BR_MASK_NULL;
    bounds range = bounds_of_operator(expr);
    bool fits = range.min >= INT64_MIN && range.max <= INT64_MAX;
    expr->type = type_clamped(range, null | BR_MASK_INT);
    if (fits) return;
    if (checked_arithmetic)
        expr->type.class_mask |= BR_MASK_REAL;
    else
        expr->assumes_no_overflow = true;
}

static void type_arithmetic(br_expr *expr, bool checked_arithmetic)
{
    unsigned left = expr->args[0]->type.class_mask;
    unsigned right = expr->arg_count > 1 ? expr->args[1]->type.class_mask : BR_MASK_INT;
    unsigned null = (left | right) & BR_MASK_NULL;
    left &= ~(unsigned)BR_MASK_NULL;
    right &= ~(unsigned)BR_MASK_NULL;
    if (left == 0 || right == 0) {
        expr->type = br_type_of_mask(BR_MASK_NULL);
    } else if (left == BR_MASK_INT && right == BR_MASK_INT) {
        type_int_arithmetic(expr, null, checked_arithmetic);
    } else if (left == BR_MASK_REAL || right == BR_MASK_REAL) {
        expr->type = br_type_of_mask(BR_MASK_REAL | BR_MASK_NULL);  // NULL: not a number
    } else {
        expr->type = br_type_of_mask(mask_number | BR_MASK_NULL);
    }
}

static br_type type_bits(const br_expr *expr, unsigned null)
{
    br_type type = br_type_of_mask(BR_MASK_INT | null);
    const br_type *left = &expr->args[0]->type;
    const br_type *right = expr->arg_count > 1 ? &expr->args[1]->type : left;
    bool left_natural = left->class_mask == BR_MASK_INT && left->has_range && left->int_min >= 0;
    bool right_natural =
        right->class_mask == BR_MASK_INT && right->has_range && right->int_min >= 0;
    if (expr->operator_ != BR_OP_BIT_AND || (!left_natural && !right_natural)) return type;
    int64_t max = left_natural ? left->int_max : right->int_max;
    if (right_natural && right->int_max < max) max = right->int_max;
    return br_type_int(0, max, null != 0);
}

void br_type_operator(br_expr *expr, bool checked_arithmetic)
{
    unsigned null = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        null |= expr->args[i]->type.class_mask & BR_MASK_NULL;
        expr->can_fail = expr->can_fail || expr->args[i]->can_fail;
    }
    switch (expr->operator_) {
    case BR_OP_ADD:
    case BR_OP_SUB:
    case BR_OP_MUL:
    case BR_OP_DIV:
    case BR_OP_MOD:
    case BR_OP_NEGATE: type_arithmetic(expr, checked_arithmetic); break;
    case BR_OP_BIT_AND:
    case BR_OP_BIT_OR:
    case BR_OP_SHIFT_LEFT:
    case BR_OP_SHIFT_RIGHT:
    case BR_OP_BIT_NOT: expr->type = type_bits(expr, null); break;
    case BR_OP_CONCAT: expr->type = br_type_of_mask(BR_MASK_TEXT | null); break;
    default: expr->type = br_type_int(0, 1, null != 0); break;
    }
}

// ---- aggregates ------------------------------------------------------------------------------

static unsigned sum_mask(unsigned values)
{
    if (values == BR_MASK_INT || values == 0) return BR_MASK_INT;
    return values == BR_MASK_REAL ? BR_MASK_REAL : mask_number;
}

br_type br_type_aggregate(const br_aggregate *aggregate, bool has_keys)
{
    br_type arg = br_type_of_mask(BR_MASK_NULL);
    if (aggregate->arg_count > 0) arg = aggregate->args[0]->type;
    unsigned values = arg.class_mask & ~(unsigned)BR_MASK_NULL;
    unsigned null = arg.class_mask & BR_MASK_NULL;
    if (!has_keys || aggregate->filter != NULL) null = BR_MASK_NULL;
    switch (aggregate->kind) {
    case BR_AGG_COUNT_STAR:
    case BR_AGG_COUNT: return br_type_int(0, count_max, false);
    case BR_AGG_SUM:  // a sum of reals may be not a number, which is NULL
        if (values != BR_MASK_INT) null = BR_MASK_NULL;
        return br_type_of_mask(sum_mask(values) | null);
    case BR_AGG_TOTAL:
        null = values == BR_MASK_INT ? 0 : BR_MASK_NULL;
        return br_type_of_mask(BR_MASK_REAL | null);
    case BR_AGG_AVG: return br_type_of_mask(BR_MASK_REAL | BR_MASK_NULL);
    case BR_AGG_GROUP_CONCAT: return br_type_of_mask(BR_MASK_TEXT | null);
    case BR_AGG_JSON_ARRAY:
    case BR_AGG_JSON_OBJECT: return br_type_of_mask(BR_MASK_TEXT);
    case BR_AGG_QUANTILE:
    case BR_AGG_STDDEV_SAMP:
    case BR_AGG_STDDEV_POP:
    case BR_AGG_VAR_SAMP:
    case BR_AGG_VAR_POP: return br_type_of_mask(BR_MASK_REAL | BR_MASK_NULL);
    default: break;  // MIN, MAX, FIRST, ARG_MIN, ARG_MAX: the argument's
    }
    arg.class_mask = (uint8_t)(arg.class_mask | null);
    return arg;
}

// Is the row itself always in its frame?
static bool frame_has_row(const br_window_frame *frame)
{
    return frame->start <= BR_FRAME_CURRENT_ROW && frame->end >= BR_FRAME_CURRENT_ROW &&
           frame->exclude == BR_EXCLUDE_NO_OTHERS;
}

br_type br_type_window(const br_window_call *call)
{
    br_type type = br_type_of_mask(BR_MASK_NULL);
    switch (call->function) {
    case BR_WINDOW_AGGREGATE:
        return br_type_aggregate(&call->aggregate, frame_has_row(&call->frame));
    case BR_WINDOW_ROW_NUMBER:
    case BR_WINDOW_RANK:
    case BR_WINDOW_DENSE_RANK:
    case BR_WINDOW_NTILE: return br_type_int(1, count_max, false);
    case BR_WINDOW_PERCENT_RANK:
    case BR_WINDOW_CUME_DIST: return br_type_of_mask(BR_MASK_REAL);
    case BR_WINDOW_LAG:
    case BR_WINDOW_LEAD:
        if (call->arg_count == 3) type = call->args[2]->type;
        return br_type_union(call->args[0]->type, type);
    case BR_WINDOW_FIRST_VALUE:
    case BR_WINDOW_LAST_VALUE:
    case BR_WINDOW_NTH_VALUE: break;
    }
    bool is_sure = call->function != BR_WINDOW_NTH_VALUE && frame_has_row(&call->frame);
    return is_sure ? call->args[0]->type : br_type_union(call->args[0]->type, type);
}
