// eval_arithmetic.c - + - * / % unary minus, bit operators: SQLite's rules for one row.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

// False when the result does not fit, or there is none (division by zero).
static bool int_arithmetic(br_operator operator_, int64_t left, int64_t right, br_value *out)
{
    int64_t result = 0;
    bool fits = true;
    switch (operator_) {
    case BR_OP_ADD: fits = !__builtin_add_overflow(left, right, &result); break;
    case BR_OP_SUB: fits = !__builtin_sub_overflow(left, right, &result); break;
    case BR_OP_MUL: fits = !__builtin_mul_overflow(left, right, &result); break;
    case BR_OP_DIV:
        fits = left != INT64_MIN || right != -1;
        if (fits) result = left / right;
        break;
    default: result = right == -1 ? 0 : left % right; break;
    }
    *out = br_value_int(result);
    return fits;
}

static br_value real_arithmetic(br_operator operator_, const br_value *left, const br_value *right)
{
    double l = br_value_to_real(left), r = br_value_to_real(right), result;
    int64_t divisor;
    switch (operator_) {
    case BR_OP_ADD: result = l + r; break;
    case BR_OP_SUB: result = l - r; break;
    case BR_OP_MUL: result = l * r; break;
    case BR_OP_DIV:
        if (r == 0.0) return br_value_null();
        result = l / r;
        break;
    default:
        divisor = br_value_to_int(right);
        if (divisor == 0) return br_value_null();
        result = divisor == -1 ? 0.0 : (double)(br_value_to_int(left) % divisor);
        break;
    }
    return isnan(result) ? br_value_null() : br_value_real(result);
}

br_status br_arithmetic_value(const br_node *node, br_operator operator_, const br_value *left,
                              const br_value *right, br_value *out, br_error *err)
{
    *out = br_value_null();
    if (left->class_ == BR_NULL || right->class_ == BR_NULL) return BR_OK;
    br_value l = br_value_to_number(left), r = br_value_to_number(right);
    if (l.class_ == BR_INT && r.class_ == BR_INT) {
        bool divides = operator_ == BR_OP_DIV || operator_ == BR_OP_MOD;
        if (divides && r.i64 == 0) return BR_OK;
        if (int_arithmetic(operator_, l.i64, r.i64, out)) return BR_OK;
        if (node->assumes_no_overflow)
            return br_fail(err, BR_RETYPE, "integer overflow in arithmetic on %lld and %lld",
                           (long long)l.i64, (long long)r.i64);
    }
    *out = real_arithmetic(operator_, left, right);
    return BR_OK;
}

br_status br_row_arithmetic(const br_row_context *context, const br_value *args, br_value *out,
                            br_error *err)
{
    return br_arithmetic_value(context->node, context->node->operator_, &args[0], &args[1], out,
                               err);
}

// SQLite computes -x as 0 - x: -0.0 never comes of it.
br_status br_row_negate(const br_row_context *context, const br_value *args, br_value *out,
                        br_error *err)
{
    br_value zero = br_value_int(0);
    return br_arithmetic_value(context->node, BR_OP_SUB, &zero, &args[0], out, err);
}

static int64_t shift(int64_t value, int64_t distance, bool is_left)
{
    if (distance < 0) {
        is_left = !is_left;
        distance = distance > -64 ? -distance : 64;
    }
    if (distance >= 64) return is_left || value >= 0 ? 0 : -1;
    if (is_left) return (int64_t)((uint64_t)value << distance);
    return value >> distance;
}

br_status br_row_bits(const br_row_context *context, const br_value *args, br_value *out,
                      br_error *err)
{
    (void)err;
    *out = br_value_null();
    if (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL) return BR_OK;
    int64_t left = br_value_to_int(&args[0]), right = br_value_to_int(&args[1]);
    switch (context->node->operator_) {
    case BR_OP_BIT_AND: *out = br_value_int(left & right); break;
    case BR_OP_BIT_OR: *out = br_value_int(left | right); break;
    case BR_OP_SHIFT_LEFT: *out = br_value_int(shift(left, right, true)); break;
    default: *out = br_value_int(shift(left, right, false)); break;
    }
    return BR_OK;
}

br_status br_row_bit_not(const br_row_context *context, const br_value *args, br_value *out,
                         br_error *err)
{
    (void)context;
    (void)err;
    bool is_null = args[0].class_ == BR_NULL;
    *out = is_null ? br_value_null() : br_value_int(~br_value_to_int(&args[0]));
    return BR_OK;
}
