// SPDX-License-Identifier: Apache-2.0
#include "field_value.h"

#include <stdlib.h>
#include <string.h>

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

bool cli_field_integer(const char *field, size_t size, int64_t *value_out)
{
    bool is_negative = size > 0 && field[0] == '-';
    size_t at = is_negative;
    size_t digits = size - at;
    if (digits == 0 || digits > 19) return false;
    if (field[at] == '0' && (digits > 1 || is_negative)) return false;
    uint64_t number = 0;
    for (; at < size; at++) {
        if (!is_digit(field[at])) return false;
        number = number * 10 + (uint64_t)(field[at] - '0');  // 19 digits fit in 64 bits unsigned
    }
    if (number > (uint64_t)INT64_MAX + is_negative) return false;
    *value_out = (int64_t)(is_negative ? 0 - number : number);
    return true;
}

typedef struct decimal {
    uint64_t digits;       // without the point
    uint32_t digit_count;  // significant ones; above 19 `digits` is not of use
    uint32_t scale;        // digits behind the point
    bool has_point, has_exponent, is_negative;
} decimal;

static void decimal_add(decimal *self, char digit)
{
    if (self->digit_count > 0 || digit != '0') self->digit_count++;
    if (self->digit_count <= 19) self->digits = self->digits * 10 + (uint64_t)(digit - '0');
    self->scale += self->has_point;
}

// -?(digits without leading zeros)?(.digits)?(e[+-]?digits)?, with a point or an exponent.
static bool decimal_read(const char *field, size_t size, decimal *out)
{
    decimal self = {.is_negative = size > 0 && field[0] == '-'};
    size_t at = self.is_negative;
    size_t first = at;
    while (at < size && is_digit(field[at])) decimal_add(&self, field[at++]);
    if (at - first > 1 && field[first] == '0') return false;
    size_t whole_digits = at - first;
    if (at < size && field[at] == '.') {
        self.has_point = true;
        at++;
        while (at < size && is_digit(field[at])) decimal_add(&self, field[at++]);
        if (self.scale == 0) return false;
    }
    if (whole_digits + self.scale == 0) return false;
    if (at < size && (field[at] == 'e' || field[at] == 'E')) {
        self.has_exponent = true;
        at++;
        if (at < size && (field[at] == '+' || field[at] == '-')) at++;
        if (at == size) return false;
        while (at < size && is_digit(field[at])) at++;
    }
    *out = self;
    return at == size && (self.has_point || self.has_exponent);
}

bool cli_field_real(const char *field, size_t size, double *value_out)
{
    // Up to 15 digits and a power of ten up to 22 are both exact, so their quotient is the nearest.
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    enum { TEXT_MAX = 400 };  // longer numbers are text
    decimal parsed;
    if (size >= TEXT_MAX || !decimal_read(field, size, &parsed)) return false;
    if (!parsed.has_exponent && parsed.digit_count <= 15 && parsed.scale <= 22) {
        double value = (double)parsed.digits / powers[parsed.scale];
        *value_out = parsed.is_negative ? -value : value;
        return true;
    }
    char text[TEXT_MAX];
    memcpy(text, field, size);
    text[size] = '\0';
    *value_out = strtod(text, NULL);
    return true;
}
