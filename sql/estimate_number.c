// Values of constants and bounds as numbers, to measure ranges with.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "sql/rewrite.h"

// Texts that begin with YYYY-MM- as months (days are parts of one); others by their first 8 bytes.
br_known_number br_number_of_bound(uint64_t bound)
{
    uint64_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = bound >> (56 - 8 * i) & 255;
    bool is_date = bytes[4] == '-' && bytes[7] == '-';
    for (int i = 0; i < 7; i++) {
        bool is_digit = bytes[i] >= '0' && bytes[i] <= '9';
        is_date = is_date && (i == 4 || is_digit);
    }
    if (!is_date) return (br_known_number){.value = (double)bound, .scale = BR_SCALE_TEXT};
    uint64_t year = (bytes[0] - '0') * 1000 + (bytes[1] - '0') * 100 + (bytes[2] - '0') * 10 +
                    (bytes[3] - '0');
    uint64_t month = (bytes[5] - '0') * 10 + (bytes[6] - '0');
    return (br_known_number){.value = (double)(year * 12 + month), .scale = BR_SCALE_DATE};
}

static br_known_number number_of_constant_text(br_text text)
{
    br_known_number number = br_number_of_bound(br_text_bound(text));
    if (number.scale == BR_SCALE_DATE && text.size >= 10)
        number.value += ((text.data[8] - '0') * 10 + (text.data[9] - '0') - 1) / 31.0;
    return number;
}

static bool number_of_operator(const br_expr *expr, br_known_number *out)
{
    br_known_number left = {0}, right = {0};
    if (expr->arg_count == 0 || !br_number_of(expr->args[0], &left)) return false;
    if (expr->arg_count > 1 && !br_number_of(expr->args[1], &right)) return false;
    out->scale = BR_SCALE_NUMBER;
    switch (expr->operator_) {
    case BR_OP_ADD: out->value = left.value + right.value; return true;
    case BR_OP_SUB: out->value = left.value - right.value; return true;
    case BR_OP_MUL: out->value = left.value * right.value; return true;
    case BR_OP_NEGATE: out->value = -left.value; return true;
    default: return false;
    }
}

// About how many months a modifier moves a date: '+14 days', '-1 year'. Others hardly matter.
static double months_of_modifier(const br_expr *modifier)
{
    static const struct {
        char unit[8];
        double months;
    } units[] = {{" day", 1 / 30.44}, {" month", 1}, {" year", 12}};
    char text[32] = {0}, *end;
    if (modifier->kind != BR_EXPR_CONST || modifier->value.class_ != BR_TEXT) return 0;
    if (modifier->value.text.size >= sizeof text) return 0;
    memcpy(text, modifier->value.text.data, modifier->value.text.size);
    double count = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strncmp(end, units[i].unit, strlen(units[i].unit)) == 0) return count * units[i].months;
    return 0;
}

static bool number_of_date(const br_expr *call, br_known_number *out)
{
    if (!br_number_of(call->args[0], out)) return false;
    for (uint32_t i = 1; i < call->arg_count && out->scale == BR_SCALE_DATE; i++)
        out->value += months_of_modifier(call->args[i]);
    return true;
}

// About which value a constant expression has.
bool br_number_of(const br_expr *expr, br_known_number *out)
{
    bool is_date = expr->kind == BR_EXPR_FUNCTION && expr->arg_count > 0 &&
                   (expr->function == BR_FN_DATE || expr->function == BR_FN_DATETIME);
    if (is_date) return number_of_date(expr, out);
    if (expr->kind == BR_EXPR_AFFINITY || expr->kind == BR_EXPR_CAST)
        return br_number_of(expr->args[0], out);
    if (expr->kind == BR_EXPR_OPERATOR) return number_of_operator(expr, out);
    if (expr->kind != BR_EXPR_CONST) return false;
    out->scale = BR_SCALE_NUMBER;
    switch (expr->value.class_) {
    case BR_INT: out->value = (double)expr->value.i64; return true;
    case BR_REAL: out->value = expr->value.f64; return true;
    case BR_TEXT: *out = number_of_constant_text(expr->value.text); return true;
    default: return false;
    }
}
