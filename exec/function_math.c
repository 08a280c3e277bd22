// function_math.c - ceil() floor() trunc() ln() log() exp() pow() sqrt() mod() pi() and the angles.
//
// The C library's functions, as in SQLite: of numbers and of texts that are numbers, NULL for
// everything else and where the result is not a number.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "exec/implementations.h"

#ifndef M_PI
#define M_PI 3.14159265358979323846
#define M_LN2 0.69314718055994530942
#define M_LN10 2.30258509299404568402
#endif

typedef double (*math_one)(double x);
typedef double (*math_two)(double x, double y);

typedef struct math_function {
    const char *name;
    math_one one;
    math_two two;
    bool keeps_int;    // ceil() and the like: of an integer, that integer
    bool is_positive;  // logarithms: NULL for 0 and less
} math_function;

static double degrees(double x) { return x * (180.0 / M_PI); }
static double radians(double x) { return x * (M_PI / 180.0); }
// SQLite's way, whose last bit is not always that of log10() and log2().
static double decimal_log(double x) { return log(x) / M_LN10; }
static double binary_log(double x) { return log(x) / M_LN2; }

static const math_function math_functions[] = {
    {"ceil", ceil, NULL, true, false},      {"ceiling", ceil, NULL, true, false},
    {"floor", floor, NULL, true, false},    {"trunc", trunc, NULL, true, false},
    {"ln", log, NULL, false, true},         {"log", decimal_log, NULL, false, true},
    {"log10", decimal_log, NULL, false, true}, {"log2", binary_log, NULL, false, true},
    {"exp", exp, NULL, false, false},       {"sqrt", sqrt, NULL, false, false},
    {"sin", sin, NULL, false, false},       {"cos", cos, NULL, false, false},
    {"tan", tan, NULL, false, false},       {"asin", asin, NULL, false, false},
    {"acos", acos, NULL, false, false},     {"atan", atan, NULL, false, false},
    {"sinh", sinh, NULL, false, false},     {"cosh", cosh, NULL, false, false},
    {"tanh", tanh, NULL, false, false},     {"asinh", asinh, NULL, false, false},
    {"acosh", acosh, NULL, false, false},   {"atanh", atanh, NULL, false, false},
    {"degrees", degrees, NULL, false, false}, {"radians", radians, NULL, false, false},
    {"pow", NULL, pow, false, false},       {"power", NULL, pow, false, false},
    {"atan2", NULL, atan2, false, false},   {"mod", NULL, fmod, false, false},
};

br_status br_prepare_math(br_node *node, br_arena *arena, br_error *err)
{
    (void)arena;
    for (size_t i = 0; i < sizeof math_functions / sizeof *math_functions; i++) {
        if (strcasecmp(node->function_name, math_functions[i].name) != 0) continue;
        node->detail = &math_functions[i];
        return BR_OK;
    }
    return br_fail(err, BR_INTERNAL, "function %s() is no mathematical one", node->function_name);
}

// ---- one row ---------------------------------------------------------------------------------

static br_value result_of(double real)
{
    return isnan(real) ? br_value_null() : br_value_real(real);
}

// The number that SQLite sees; false when it sees none.
static bool number_of(const br_value *value, br_value *number_out)
{
    *number_out = *value;
    if (value->class_ == BR_TEXT)
        *number_out = br_value_of_number_text(*value);
    return number_out->class_ == BR_INT || number_out->class_ == BR_REAL;
}

br_status br_row_math(const br_row_context *context, const br_value *args, br_value *out,
                      br_error *err)
{
    (void)err;
    const math_function *function = context->node->detail;
    br_value left, right;
    *out = br_value_null();
    if (!number_of(&args[0], &left)) return BR_OK;
    if (function->keeps_int && left.class_ == BR_INT) {
        *out = left;
        return BR_OK;
    }
    double x = br_value_to_real(&left);
    if (function->is_positive && x <= 0.0) return BR_OK;
    if (function->one != NULL) {
        *out = result_of(function->one(x));
        return BR_OK;
    }
    if (!number_of(&args[1], &right)) return BR_OK;
    *out = result_of(function->two(x, br_value_to_real(&right)));
    return BR_OK;
}

// log(base, x). As in SQLite, only the base has to look like a number.
br_status br_row_log_base(const br_row_context *context, const br_value *args, br_value *out,
                          br_error *err)
{
    (void)context;
    (void)err;
    br_value number;
    *out = br_value_null();
    if (!number_of(&args[0], &number)) return BR_OK;
    double base = br_value_to_real(&number);
    if (base <= 0.0) return BR_OK;
    base = log(base);
    double x = br_value_to_real(&args[1]);
    if (base <= 0.0 || x <= 0.0) return BR_OK;
    *out = result_of(log(x) / base);
    return BR_OK;
}

// ---- whole vectors ---------------------------------------------------------------------------

typedef struct real_rows {  // numbers as reals, one per row, or one for all
    const br_vector *vector;
    bool is_const;
} real_rows;

static bool read_reals(const br_vector *vector, real_rows *out)
{
    *out = (real_rows){vector, vector->kind == BR_VECTOR_CONST};
    return vector->class_ == BR_REAL || vector->class_ == BR_INT;
}

static double real_at(const real_rows *reals, uint32_t row)
{
    uint32_t index = reals->is_const ? 0 : row;
    return reals->vector->class_ == BR_REAL ? reals->vector->f64[index]
                                            : (double)reals->vector->i64[index];
}

// Results that are not numbers become NULL.
static br_status reals_vector(br_frame *frame, const uint64_t *validity, const double *reals,
                              br_vector *out, br_error *err)
{
    uint64_t *valid = NULL;
    for (uint32_t row = 0; row < frame->row_count; row++) {
        if (!isnan(reals[row])) continue;
        if (valid == NULL) {
            valid = br_frame_bits(frame);
            if (valid == NULL) return br_evaluate_no_memory(err);
            for (uint32_t i = 0; i < frame->row_count; i++) {
                if (validity == NULL || br_bitmap_get(validity, i)) br_bitmap_set(valid, i);
            }
        }
        br_bitmap_clear(valid, row);
    }
    *out = (br_vector){
        .class_ = BR_REAL, .validity = valid != NULL ? valid : validity, .f64 = reals};
    return BR_OK;
}

static void compute_one(const math_function *function, const real_rows *rows, uint32_t count,
                        double *out)
{
    for (uint32_t row = 0; row < count; row++) {
        double x = real_at(rows, row);
        out[row] = function->is_positive && x <= 0.0 ? (double)NAN : function->one(x);
    }
}

br_status br_vector_math(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    const math_function *function = node->detail;
    br_vector left, right = {0};
    real_rows xs, ys = {0};
    const uint64_t *validity;
    BR_TRY(br_node_flat(frame, node->args[0], &left, err));
    if (node->arg_count > 1) BR_TRY(br_node_flat(frame, node->args[1], &right, err));
    bool is_typed = read_reals(&left, &xs) && (node->arg_count < 2 || read_reals(&right, &ys));
    bool is_const = xs.is_const && (node->arg_count < 2 || ys.is_const);
    if (!is_typed || is_const) return br_node_rows(frame, node, out, err);
    if (function->keeps_int && left.class_ == BR_INT) {
        *out = left;
        return BR_OK;
    }
    double *reals = br_arena_zalloc(frame->arena, frame->row_count * sizeof *reals, 64);
    if (reals == NULL) return br_evaluate_no_memory(err);
    BR_TRY(br_frame_both_valid(frame, left.validity, right.validity, &validity, err));
    if (function->one != NULL) {
        compute_one(function, &xs, frame->row_count, reals);
    } else {
        for (uint32_t row = 0; row < frame->row_count; row++)
            reals[row] = function->two(real_at(&xs, row), real_at(&ys, row));
    }
    return reals_vector(frame, validity, reals, out, err);
}

br_status br_row_pi(const br_row_context *context, const br_value *args, br_value *out,
                    br_error *err)
{
    (void)context;
    (void)args;
    (void)err;
    *out = br_value_real(M_PI);
    return BR_OK;
}
