// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "sql/explain.h"

void br_explain_text(br_explainer *self, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0) return;
    size_t used = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    if (!br_buffer_append(self->out, text, used)) self->failed = true;
}

void br_explain_raw(br_explainer *self, const char *text, size_t size)
{
    if (size > 0 && !br_buffer_append(self->out, text, size)) self->failed = true;
}

size_t br_explain_character(const char *text, size_t size)
{
    unsigned char first = (unsigned char)text[0];
    size_t length = first < 0x80                    ? 1
                    : first >= 0xc2 && first < 0xe0 ? 2
                    : first >= 0xe0 && first < 0xf0 ? 3
                    : first >= 0xf0 && first < 0xf5 ? 4
                                                    : 0;
    if (length > size) return 0;
    for (size_t i = 1; i < length; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80) return 0;
    return length;
}

void br_explain_column(br_explainer *self, uint32_t id)
{
    const char *name = id < self->name_count ? self->names[id] : NULL;
    if (name != NULL)
        br_explain_text(self, "%s", name);
    else
        br_explain_text(self, "#%u", id);
}

void br_explain_list(br_explainer *self, br_expr *const *items, uint32_t count,
                     const char *separator)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) br_explain_text(self, "%s", separator);
        br_explain_expr(self, items[i]);
    }
}

static void explain_value(br_explainer *self, const br_value *value)
{
    enum { SHOWN_MAX = 60 };
    switch (value->class_) {
    case BR_NULL: br_explain_text(self, "NULL"); break;
    case BR_INT: br_explain_text(self, "%" PRId64, value->i64); break;
    case BR_REAL: br_explain_text(self, "%.15g", value->f64); break;
    case BR_TEXT: {
        uint32_t shown = value->text.size < SHOWN_MAX ? value->text.size : SHOWN_MAX;
        br_explain_text(self, "'%.*s%s'", (int)shown, value->text.data,
                        shown < value->text.size ? "..." : "");
        break;
    }
    default: br_explain_text(self, "x'...' (%u bytes)", value->text.size); break;
    }
}

static const char *const operator_words[BR_OP_COUNT] = {
    [BR_OP_ADD] = " + ", [BR_OP_SUB] = " - ", [BR_OP_MUL] = " * ", [BR_OP_DIV] = " / ",
    [BR_OP_MOD] = " % ", [BR_OP_NEGATE] = "-", [BR_OP_BIT_AND] = " & ", [BR_OP_BIT_OR] = " | ",
    [BR_OP_SHIFT_LEFT] = " << ", [BR_OP_SHIFT_RIGHT] = " >> ", [BR_OP_BIT_NOT] = "~",
    [BR_OP_CONCAT] = " || ", [BR_OP_EQ] = " = ", [BR_OP_NE] = " <> ", [BR_OP_LT] = " < ",
    [BR_OP_LE] = " <= ", [BR_OP_GT] = " > ", [BR_OP_GE] = " >= ", [BR_OP_IS] = " IS ",
    [BR_OP_IS_NOT] = " IS NOT ", [BR_OP_AND] = " AND ", [BR_OP_OR] = " OR ", [BR_OP_NOT] = "NOT ",
    [BR_OP_IS_NULL] = " IS NULL", [BR_OP_NOT_NULL] = " IS NOT NULL",
    [BR_OP_IS_TRUE] = " IS TRUE", [BR_OP_IS_FALSE] = " IS FALSE",
    [BR_OP_IS_NOT_TRUE] = " IS NOT TRUE", [BR_OP_IS_NOT_FALSE] = " IS NOT FALSE",
    [BR_OP_BETWEEN] = " BETWEEN ", [BR_OP_IN] = " IN (", [BR_OP_LIKE] = " LIKE ",
    [BR_OP_GLOB] = " GLOB ",
};

// An operand, in parentheses when it is an operator itself.
static void explain_operand(br_explainer *self, const br_expr *expr)
{
    bool is_operator = expr->kind == BR_EXPR_OPERATOR;
    if (is_operator) br_explain_text(self, "(");
    br_explain_expr(self, expr);
    if (is_operator) br_explain_text(self, ")");
}

static void explain_operator(br_explainer *self, const br_expr *expr)
{
    const char *word = operator_words[expr->operator_];
    bool is_prefix = expr->operator_ == BR_OP_NEGATE || expr->operator_ == BR_OP_BIT_NOT ||
                     expr->operator_ == BR_OP_NOT;
    if (is_prefix) br_explain_text(self, "%s", word);
    explain_operand(self, expr->args[0]);
    if (is_prefix) return;
    if (expr->operator_ == BR_OP_IN) {
        br_explain_text(self, "%s", word);
        br_explain_list(self, expr->args + 1, expr->arg_count - 1, ", ");
        br_explain_text(self, ")");
        return;
    }
    if (expr->arg_count == 1) br_explain_text(self, "%s", word);
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        bool is_second = i > 1 && expr->operator_ != BR_OP_AND && expr->operator_ != BR_OP_OR;
        const char *second = expr->operator_ == BR_OP_BETWEEN ? " AND " : " ESCAPE ";
        br_explain_text(self, "%s", is_second ? second : word);
        explain_operand(self, expr->args[i]);
    }
    bool compares = expr->operator_ >= BR_OP_EQ && expr->operator_ <= BR_OP_IS_NOT;
    if (!compares || expr->collation == BR_COLLATION_BINARY) return;
    br_explain_text(self, " COLLATE %s", br_collation_name(expr->collation));
}

static void explain_case(br_explainer *self, const br_expr *expr)
{
    br_explain_text(self, "CASE");
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        br_explain_text(self, " WHEN ");
        br_explain_expr(self, expr->args[i]);
        br_explain_text(self, " THEN ");
        br_explain_expr(self, expr->args[i + 1]);
    }
    br_explain_text(self, " ELSE ");
    br_explain_expr(self, expr->args[expr->arg_count - 1]);
    br_explain_text(self, " END");
}

static const char *affinity_name(br_affinity affinity)
{
    static const char *const names[] = {"none", "blob", "text", "numeric", "integer", "real"};
    return names[affinity];
}

void br_explain_expr(br_explainer *self, const br_expr *expr)
{
    switch (expr->kind) {
    case BR_EXPR_CONST: explain_value(self, &expr->value); break;
    case BR_EXPR_COLUMN: br_explain_column(self, expr->column_id); break;
    case BR_EXPR_PARAMETER: br_explain_text(self, "?%u", expr->parameter + 1); break;
    case BR_EXPR_SUBQUERY: br_explain_text(self, "subquery %u", expr->subquery); break;
    case BR_EXPR_OPERATOR: explain_operator(self, expr); break;
    case BR_EXPR_FUNCTION:
        br_explain_text(self, "%s(", expr->function_name);
        br_explain_list(self, expr->args, expr->arg_count, ", ");
        br_explain_text(self, ")");
        break;
    case BR_EXPR_CASE: explain_case(self, expr); break;
    case BR_EXPR_CAST:
    case BR_EXPR_AFFINITY:
        br_explain_text(self, expr->kind == BR_EXPR_CAST ? "CAST(" : "affinity(");
        br_explain_expr(self, expr->args[0]);
        br_explain_text(self, " AS %s)", affinity_name(expr->affinity_to));
        break;
    }
}
