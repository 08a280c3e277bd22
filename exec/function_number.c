// function_number.c - abs() round() sign() min() max() nullif() typeof().
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

br_status br_row_abs(const br_row_context *context, const br_value *args, br_value *out,
                     br_error *err)
{
    (void)context;
    *out = args[0];
    switch (args[0].class_) {
    case BR_NULL: return BR_OK;
    case BR_INT:
        if (args[0].i64 == INT64_MIN) return br_fail(err, BR_RUNTIME, "integer overflow");
        if (args[0].i64 < 0) out->i64 = -args[0].i64;
        return BR_OK;
    default: {
        double real = br_value_to_real(&args[0]);
        *out = br_value_real(real < 0 ? -real : real);
        return BR_OK;
    }
    }
}

// Rounding to n > 0 digits, when SQLite's printf and our arithmetic cannot disagree: the scaled
// value is far from a tie, and both ways of dividing back give the same double.
static bool round_surely(double value, int digits, double *out)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    if (digits >= (int)(sizeof powers / sizeof *powers)) return false;
    double scaled = fabs(value) * powers[digits];
    if (!(scaled < 1e14)) return false;
    double whole = floor(scaled), fraction = scaled - whole;
    if (fabs(fraction - 0.5) < 1e-1 * (scaled < 1e10 ? 1e-3 : 1.0)) return false;
    if (fraction > 0.5) whole += 1.0;
    double quotient = whole / powers[digits];
    if (quotient != (double)((long double)whole / (long double)powers[digits])) return false;
    *out = signbit(value) ? -quotient : quotient;
    return true;
}

br_status br_row_round(const br_row_context *context, const br_value *args, br_value *out,
                       br_error *err)
{
    const br_node *node = context->node;
    int digits = 0;
    *out = br_value_null();
    if (node->arg_count == 2) {
        if (args[1].class_ == BR_NULL) return BR_OK;
        digits = (int32_t)br_value_to_int(&args[1]);
        digits = digits > 30 ? 30 : digits < 0 ? 0 : digits;
    }
    if (args[0].class_ == BR_NULL) return BR_OK;
    double value = br_value_to_real(&args[0]);
    if (value < -4503599627370496.0 || value > 4503599627370496.0) {
        *out = br_value_real(value);
    } else if (digits == 0) {
        *out = br_value_real((double)(int64_t)(value + (value < 0 ? -0.5 : 0.5)));
    } else if (value != 0.0 && round_surely(value, digits, &value)) {
        *out = br_value_real(value);
    } else {
        return br_bridge_call(context, "round", args, node->arg_count, out, err);
    }
    return BR_OK;
}

br_status br_row_sign(const br_row_context *context, const br_value *args, br_value *out,
                      br_error *err)
{
    (void)context;
    (void)err;
    br_value number = args[0];
    if (number.class_ == BR_TEXT)
        number = br_value_apply_affinity(number, BR_AFFINITY_NUMERIC, NULL, NULL);
    *out = br_value_null();
    if (number.class_ != BR_INT && number.class_ != BR_REAL) return BR_OK;
    double real = br_value_to_real(&number);
    *out = br_value_int((real > 0.0) - (real < 0.0));
    return BR_OK;
}

// Of equal values min() takes the last and max() the first, as SQLite does.
br_status br_row_min_max(const br_row_context *context, const br_value *args, br_value *out,
                         br_error *err)
{
    (void)err;
    const br_node *node = context->node;
    const br_value *best = &args[0];
    *out = br_value_null();
    for (uint32_t i = 0; i < node->arg_count; i++) {
        if (args[i].class_ == BR_NULL) return BR_OK;
        int order = br_value_compare(best, &args[i], node->collation);
        if (node->function == BR_FN_MIN ? order >= 0 : order < 0) best = &args[i];
    }
    *out = *best;
    return BR_OK;
}

br_status br_row_nullif(const br_row_context *context, const br_value *args, br_value *out,
                        br_error *err)
{
    (void)err;
    bool is_equal = br_value_compare(&args[0], &args[1], context->node->collation) == 0;
    *out = is_equal ? br_value_null() : args[0];
    return BR_OK;
}

br_status br_row_typeof(const br_row_context *context, const br_value *args, br_value *out,
                        br_error *err)
{
    (void)context;
    (void)err;
    const char *name = br_class_name(args[0].class_);
    *out = br_value_text(br_text_make(name, (uint32_t)strlen(name)));
    return BR_OK;
}

br_status br_row_likely(const br_row_context *context, const br_value *args, br_value *out,
                        br_error *err)
{
    (void)context;
    (void)err;
    *out = args[0];
    return BR_OK;
}
