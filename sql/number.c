// SPDX-License-Identifier: Apache-2.0
#include "sql/number.h"

#include <math.h>
#include <stddef.h>

// Significands stop growing here, so that one more digit still fits.
static const int64_t SIGNIFICAND_MAX = (INT64_MAX - 9) / 10;

typedef struct decimal {  // significand * 10^exponent
    int64_t significand;
    int32_t exponent;
    bool is_negative;
} decimal;

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// Reads an optional exponent at *at; nothing when no digits follow.
static int32_t exponent_parse(const char *at, const char *end)
{
    if (at == end || (*at != 'e' && *at != 'E')) return 0;
    at++;
    bool is_negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    int32_t exponent = 0;
    for (; at < end && is_digit(*at); at++)
        exponent = exponent < 10000 ? exponent * 10 + (*at - '0') : 10000;
    return is_negative ? -exponent : exponent;
}

static decimal decimal_parse(const char *at, const char *end)
{
    decimal number = {0};
    while (at < end && is_space(*at)) at++;
    if (at < end && (*at == '-' || *at == '+')) number.is_negative = *at++ == '-';
    for (; at < end && is_digit(*at); at++) {
        if (number.significand < SIGNIFICAND_MAX)
            number.significand = number.significand * 10 + (*at - '0');
        else
            number.exponent++;
    }
    if (at < end && *at == '.') {
        for (at++; at < end && is_digit(*at); at++) {
            if (number.significand >= SIGNIFICAND_MAX) continue;
            number.significand = number.significand * 10 + (*at - '0');
            number.exponent--;
        }
    }
    number.exponent += exponent_parse(at, end);
    return number;
}

static long double power_of_ten(int32_t exponent)
{
    long double factor = 10.0L, power = 1.0L;
    for (;;) {
        if (exponent & 1) power *= factor;
        exponent >>= 1;
        if (exponent == 0) return power;
        factor *= factor;
    }
}

static double scale_up(int64_t significand, int32_t exponent)
{
    if (exponent >= 342) return (double)INFINITY * (double)significand;
    if (exponent <= 307) return (double)((long double)significand * power_of_ten(exponent));
    return (double)((long double)significand * power_of_ten(exponent - 308)) * 1.0e+308;
}

static double scale_down(int64_t significand, int32_t exponent)
{
    if (exponent >= 342) return 0.0 * (double)significand;
    if (exponent <= 307) return (double)((long double)significand / power_of_ten(exponent));
    return (double)((long double)significand / power_of_ten(exponent - 308)) / 1.0e+308;
}

double br_real_parse(const char *text, uint32_t size)
{
    decimal number = decimal_parse(text, text + size);
    if (number.significand == 0) return number.is_negative ? -0.0 : 0.0;
    // Fewer powers of ten to multiply by: more exact results.
    while (number.exponent > 0 && number.significand < INT64_MAX / 10) {
        number.significand *= 10;
        number.exponent--;
    }
    while (number.exponent < 0 && number.significand % 10 == 0) {
        number.significand /= 10;
        number.exponent++;
    }
    int64_t significand = number.is_negative ? -number.significand : number.significand;
    if (number.exponent == 0) return (double)significand;
    if (number.exponent > 0) return scale_up(significand, number.exponent);
    return scale_down(significand, -number.exponent);
}

bool br_int_parse_digits(const char *text, uint32_t size, int64_t *value_out)
{
    int64_t value = 0;
    for (uint32_t i = 0; i < size; i++) {
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, text[i] - '0', &value)) return false;
    }
    *value_out = value;
    return true;
}

bool br_int_parse_hex(const char *text, uint32_t size, int64_t *value_out)
{
    uint64_t value = 0;
    for (uint32_t i = 2; i < size; i++) {
        if (value >> 60 != 0) return false;
        uint64_t digit = is_digit(text[i]) ? (uint64_t)(text[i] - '0')
                                           : (uint64_t)((text[i] | 0x20) - 'a' + 10);
        value = value << 4 | digit;
    }
    *value_out = (int64_t)value;
    return true;
}
