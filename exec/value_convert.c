// value_convert.c - between text and numbers, exactly as SQLite 3.40 does it.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// A number as written: sign, significant digits, power of ten.
typedef struct decimal {
    bool is_negative;
    int64_t significand;
    int exponent;
    int digit_count;
} decimal;

// Digits beyond this significand are dropped and only counted in the exponent.
static const int64_t significand_limit = (INT64_MAX - 9) / 10;

static const char *scan_whole_digits(const char *at, const char *end, decimal *number)
{
    while (at < end && is_digit(*at)) {
        number->significand = number->significand * 10 + (*at++ - '0');
        number->digit_count++;
        if (number->significand < significand_limit) continue;
        while (at < end && is_digit(*at)) {
            at++;
            number->exponent++;
        }
    }
    return at;
}

static const char *scan_fraction_digits(const char *at, const char *end, decimal *number)
{
    for (; at < end && is_digit(*at); at++) {
        if (number->significand >= significand_limit) continue;
        number->significand = number->significand * 10 + (*at - '0');
        number->exponent--;
        number->digit_count++;
    }
    return at;
}

// Behind the "e". *is_valid_out: there was a digit.
static const char *scan_exponent(const char *at, const char *end, int *exponent_out,
                                 bool *is_valid_out)
{
    int sign = 1, exponent = 0;
    *is_valid_out = false;
    *exponent_out = 0;
    if (at >= end) return at;
    if (*at == '-' || *at == '+') sign = *at++ == '-' ? -1 : 1;
    for (; at < end && is_digit(*at); at++) {
        exponent = exponent < 10000 ? exponent * 10 + (*at - '0') : 10000;
        *is_valid_out = true;
    }
    *exponent_out = sign * exponent;
    return at;
}

static long double power_of_ten(int exponent)
{
    long double power = 10.0L, result = 1.0L;
    for (;; power *= power) {
        if (exponent & 1) result *= power;
        exponent >>= 1;
        if (exponent == 0) return result;
    }
}

// The exponents for which a single scaling would overflow a long double of 64 bits.
static double scale_extreme(int64_t significand, int exponent, bool divides)
{
    if (exponent >= 342) {
        return divides ? 0.0 * (double)significand : (double)INFINITY * (double)significand;
    }
    long double scale = power_of_ten(exponent - 308);
    if (divides) return (double)((long double)significand / scale) / 1.0e+308;
    return (double)((long double)significand * scale) * 1.0e+308;
}

// significand * 10^exponent with SQLite's roundings: one in long double, one to double.
static double decimal_value(const decimal *number)
{
    int64_t significand = number->significand;
    if (significand == 0) return number->is_negative ? -0.0 : 0.0;
    bool divides = number->exponent < 0;
    int exponent = divides ? -number->exponent : number->exponent;
    for (; exponent > 0; exponent--) {
        if (divides) {
            if (significand % 10 != 0) break;
            significand /= 10;
        } else {
            if (significand >= INT64_MAX / 10) break;
            significand *= 10;
        }
    }
    if (number->is_negative) significand = -significand;
    if (exponent == 0) return (double)significand;
    if (exponent > 307) return scale_extreme(significand, exponent, divides);
    long double scale = power_of_ten(exponent);
    return (double)(divides ? (long double)significand / scale : (long double)significand * scale);
}

int br_text_to_real(br_text text, double *value_out)
{
    const char *at = text.data, *end = text.data + text.size;
    decimal number = {0};
    int shape = 1; // of an integer; one more for a point, one more for an exponent
    int exponent = 0;
    bool is_exponent_valid = true;
    *value_out = 0.0;
    if (text.size == 0) return 0;
    while (at < end && is_space(*at)) at++;
    if (at >= end) return 0;
    if (*at == '-' || *at == '+') number.is_negative = *at++ == '-';
    at = scan_whole_digits(at, end, &number);
    if (at < end && *at == '.') {
        shape++;
        at = scan_fraction_digits(at + 1, end, &number);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        shape++;
        at = scan_exponent(at + 1, end, &exponent, &is_exponent_valid);
    }
    while (at < end && is_space(*at)) at++;
    number.exponent += exponent;
    *value_out = decimal_value(&number);
    if (at == end && number.digit_count > 0 && is_exponent_valid) return shape;
    if (shape >= 2 && (shape == 3 || is_exponent_valid) && number.digit_count > 0) return -1;
    return 0;
}

static int compare_to_two_to_63(const char *digits)
{
    return memcmp(digits, "9223372036854775808", 19);
}

int br_text_to_int(br_text text, int64_t *value_out)
{
    const char *at = text.data, *end = text.data + text.size;
    bool is_negative = false;
    while (at < end && is_space(*at)) at++;
    if (at < end && (*at == '-' || *at == '+')) is_negative = *at++ == '-';
    const char *start = at;
    while (at < end && *at == '0') at++;
    const char *digits = at;
    uint64_t value = 0;
    while (at < end && is_digit(*at)) value = value * 10 + (uint64_t)(*at++ - '0');
    ptrdiff_t digit_count = at - digits;
    int rest = at == start ? -1 : 0;
    for (; rest == 0 && at < end; at++) {
        if (!is_space(*at)) rest = 1;
    }
    int order = digit_count < 19 ? -1 : digit_count > 19 ? 1 : compare_to_two_to_63(digits);
    if (order < 0) {
        *value_out = is_negative ? -(int64_t)value : (int64_t)value;
        return rest;
    }
    *value_out = is_negative ? INT64_MIN : INT64_MAX;
    if (order > 0) return 2;
    return is_negative ? rest : 3;
}

int64_t br_real_to_int(double value)
{
    if (value <= -9223372036854775808.0) return INT64_MIN;
    if (value >= 9223372036854775808.0) return INT64_MAX;
    return (int64_t)value;
}

double br_value_to_real(const br_value *value)
{
    double real = 0.0;
    switch (value->class_) {
    case BR_INT:
        return (double)value->i64;
    case BR_REAL:
        return value->f64;
    case BR_TEXT:
    case BR_BLOB:
        br_text_to_real(value->text, &real);
        return real;
    default:
        return 0.0;
    }
}

int64_t br_value_to_int(const br_value *value)
{
    int64_t integer = 0;
    switch (value->class_) {
    case BR_INT:
        return value->i64;
    case BR_REAL:
        return br_real_to_int(value->f64);
    case BR_TEXT:
    case BR_BLOB:
        br_text_to_int(value->text, &integer);
        return integer;
    default:
        return 0;
    }
}

int br_value_truth(const br_value *value)
{
    if (value->class_ == BR_NULL) return -1;
    return value->class_ == BR_INT ? value->i64 != 0 : br_value_to_real(value) != 0.0;
}

br_value br_value_to_number(const br_value *value)
{
    if (value->class_ != BR_TEXT && value->class_ != BR_BLOB) return *value;
    double real;
    int64_t integer;
    int shape = br_text_to_real(value->text, &real);
    if ((shape == 0 && br_text_to_int(value->text, &integer) <= 1) ||
        (shape == 1 && br_text_to_int(value->text, &integer) == 0))
        return br_value_int(integer);
    return br_value_real(real);
}

uint32_t br_int_format(int64_t value, char *text_out)
{
    char reversed[24];
    uint32_t count = 0, size = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do reversed[count++] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0) text_out[size++] = '-';
    while (count > 0) text_out[size++] = reversed[--count];
    return size;
}

br_text br_value_to_text(const br_value *value, const br_exec_bridge *bridge, br_arena *arena)
{
    if (value->class_ == BR_TEXT || value->class_ == BR_BLOB) return value->text;
    if (value->class_ == BR_NULL) return br_text_make("", 0);
    char *text = br_arena_alloc(arena, 40, 1);
    if (text == NULL) return br_text_make("", 0);
    if (value->class_ == BR_REAL) return br_text_make(text, bridge->real_to_text(value->f64, text));
    return br_text_make(text, br_int_format(value->i64, text));
}

// SQLite's test of "this double is that integer" when it converts text: only within 51 bits, where
// no other integer could be meant.
static bool real_is_small_int(double real, int64_t *integer_out)
{
    const int64_t bound = 2251799813685248;
    *integer_out = br_real_to_int(real);
    return real == 0.0 ||
           (real == (double)*integer_out && *integer_out >= -bound && *integer_out < bound);
}

br_value br_value_to_integral(br_value value)
{
    if (value.class_ != BR_REAL) return value;
    int64_t integer = br_real_to_int(value.f64);
    if (value.f64 != (double)integer || integer == INT64_MIN || integer == INT64_MAX) return value;
    return br_value_int(integer);
}

// Text that is a number from end to end becomes it; other text stays.
br_value br_value_of_number_text(br_value value)
{
    double real;
    int64_t integer;
    int shape = br_text_to_real(value.text, &real);
    if (shape <= 0) return value;
    if (shape == 1 &&
        (real_is_small_int(real, &integer) || br_text_to_int(value.text, &integer) == 0))
        return br_value_int(integer);
    return br_value_real(real);
}

static br_value apply_numeric(br_value value)
{
    return br_value_to_integral(br_value_of_number_text(value));
}

br_value br_value_apply_affinity(br_value value, br_affinity affinity, const br_exec_bridge *bridge,
                                 br_arena *arena)
{
    switch (affinity) {
    case BR_AFFINITY_TEXT:
        if (value.class_ != BR_INT && value.class_ != BR_REAL) return value;
        return br_value_text(br_value_to_text(&value, bridge, arena));
    case BR_AFFINITY_NUMERIC:
    case BR_AFFINITY_INTEGER:
        return value.class_ == BR_TEXT ? apply_numeric(value) : br_value_to_integral(value);
    case BR_AFFINITY_REAL:
        if (value.class_ == BR_TEXT) value = apply_numeric(value);
        return value.class_ == BR_INT ? br_value_real((double)value.i64) : value;
    default:
        return value;
    }
}

static br_value cast_numeric(br_value value)
{
    double real;
    int64_t integer;
    if (value.class_ != BR_TEXT && value.class_ != BR_BLOB) return value;
    int shape = br_text_to_real(value.text, &real);
    if ((shape == 0 || shape == 1) && br_text_to_int(value.text, &integer) <= 1)
        return br_value_int(integer);
    return real_is_small_int(real, &integer) ? br_value_int(integer) : br_value_real(real);
}

br_value br_value_cast(br_value value, br_affinity to, const br_exec_bridge *bridge,
                       br_arena *arena)
{
    if (value.class_ == BR_NULL) return value;
    switch (to) {
    case BR_AFFINITY_BLOB:
        return br_value_blob(br_value_to_text(&value, bridge, arena));
    case BR_AFFINITY_TEXT:
        return br_value_text(br_value_to_text(&value, bridge, arena));
    case BR_AFFINITY_NUMERIC:
        return cast_numeric(value);
    case BR_AFFINITY_INTEGER:
        return br_value_int(br_value_to_int(&value));
    case BR_AFFINITY_REAL:
        return br_value_real(br_value_to_real(&value));
    default:
        return value;
    }
}
