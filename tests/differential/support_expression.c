// Random expressions.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "tests/differential/support_grammar.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof *(array)))

bool query_has(const test_world *self, query_feature feature)
{
    return (self->features & (uint32_t)feature) != 0;
}

query_column *scope_add(query_scope *self, const char *alias, const char *name,
                        value_flavour flavour, bool is_collated)
{
    if (self->count == SCOPE_COLUMNS_MAX) return NULL;
    query_column *column = &self->columns[self->count++];
    *column = (query_column){.flavour = flavour, .is_collated = is_collated};
    snprintf(column->name, sizeof column->name, "%s%s%s", alias, alias[0] == '\0' ? "" : ".", name);
    return column;
}

const query_column *scope_pick(test_world *self, const query_scope *scope)
{
    const query_scope *here = scope;
    while (here->outer != NULL && (here->count == 0 || world_chance(self, 15))) here = here->outer;
    if (here->count == 0) return NULL;
    const query_column *column = &here->columns[world_below(self, here->count)];
    return here != scope && column->is_aggregate ? NULL : column;
}

const query_column *scope_pick_exact(test_world *self, const query_scope *scope, bool for_sum)
{
    if (scope->count == 0) return NULL;
    uint32_t start = world_below(self, scope->count);
    for (uint32_t i = 0; i < scope->count; i++) {
        const query_column *column = &scope->columns[(start + i) % scope->count];
        bool adds_up = column->flavour == FLAVOUR_SMALL || column->flavour == FLAVOUR_REAL;
        if (!column->is_collated && !column->is_aggregate && (adds_up || !for_sum)) return column;
    }
    return NULL;
}

// ---- literals ----------------------------------------------------------------------------------

static void literal(test_world *self, sql_text *out)
{
    static const char *const odd[] = {"0x1F",   "0x7fffffffffffffff",
                                      "x''",    "x'6162'",
                                      "1e308",  "-1e308",
                                      "5e-324", ".5e-3",
                                      "TRUE",   "FALSE",
                                      "NULL",   "''",
                                      "'a'",    "1e15",
                                      "-0.0",   "'1.0'",
                                      "65535",  "2147483648",
                                      "1.5e0",  "'\xc3\xa9'"};
    if (query_has(self, FEATURE_PARAMETER) && world_chance(self, 30))
        text_add(out, "?%u", 1 + world_below(self, WORLD_PARAMETERS));
    else if (world_chance(self, 25))
        text_add(out, "%s", odd[world_below(self, COUNT(odd))]);
    else
        world_value(self, (value_flavour)world_below(self, FLAVOUR_COUNT), out);
}

static void leaf(test_world *self, const query_scope *scope, sql_text *out)
{
    const query_column *column = world_chance(self, 80) ? scope_pick(self, scope) : NULL;
    if (column != NULL)
        text_add(out, "%s", column->name);
    else
        literal(self, out);
}

// ---- functions ---------------------------------------------------------------------------------

// A pattern of a call, itself in small letters: E is an expression, C a column or literal, N a small
// number.
static void pattern_fill(test_world *self, const query_scope *scope, int depth, const char *pattern,
                         sql_text *out)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == 'E')
            expression(self, scope, depth - 1, out);
        else if (*pattern == 'C')
            text_add(out, MARK_EXPRESSION), leaf(self, scope, out), text_add(out, MARK_CLOSE);
        else if (*pattern == 'N')
            text_add(out, "%d", (int)world_below(self, 7) - 2);
        else
            text_add(out, "%c", *pattern);
    }
}

static const char *const general_calls[] = {
    "abs(E)",       "typeof(E)",         "ifnull(E, E)", "nullif(E, E)", "min(E, E)",
    "max(E, E, C)", "coalesce(E, E, C)", "iif(E, E, E)", "round(E)",     "round(E, N)",
    "quote(C)",     "sign(E)",           "likely(E)",    "unlikely(E)",  "length(E)",
    "hex(C)",       "lower(C)",          "upper(C)",     "min(C, E, N)", "iif(C, E, null)"};
static const char *const text_calls[] = {"substr(C, N)",
                                         "substr(C, N, N)",
                                         "trim(C)",
                                         "ltrim(C, 'aw')",
                                         "rtrim(E)",
                                         "replace(C, 'a', C)",
                                         "instr(C, C)",
                                         "unicode(C)",
                                         "char(65 + N, 97)",
                                         "like('%a%', C)",
                                         "glob('*a*', C)",
                                         "printf('%d|%s', C, C)",
                                         "printf('%.3f', C)",
                                         "format('%5s', C)",
                                         "length(zeroblob(N))",
                                         "upper(substr(C, 1, N))",
                                         "trim(C, 'x ')",
                                         "instr(C, 'e')",
                                         "replace(E, C, 'z')",
                                         "hex(E)",
                                         "printf('%x %c', C, C)",
                                         "C regexp '^[a-n]+[0-9 ]*'",
                                         "regexp_replace(C, '([a-z])(.)', '\\2<\\1>')",
                                         "regexp_replace(C, '[aeiou]', C, 'gi')",
                                         "regexp_extract(C, '([0-9]+)-?([0-9]*)', 1 + (N > 0))",
                                         "regexp_extract(C, '\\w+$')"};
static const char *const date_calls[] = {"date(C)",
                                         "time(C)",
                                         "datetime(C)",
                                         "julianday(C)",
                                         "unixepoch(C)",
                                         "strftime('%Y', C)",
                                         "strftime('%m-%d %H:%M:%S', C)",
                                         "strftime('%j %w %W', C)",
                                         "strftime('%s', C)",
                                         "strftime('%J', C)",
                                         "strftime('%f', C)",
                                         "date(C, '+1 month')",
                                         "date(C, 'start of year')",
                                         "datetime(C, '-N days', 'start of month')",
                                         "date(C, 'weekday 0')",
                                         "date(C, '+N years')",
                                         "datetime(C, '12:30')",
                                         "date(C, 'unixepoch')",
                                         "datetime(C, 'auto')",
                                         "strftime('%Y-%m', C)",
                                         "julianday(C) - julianday(C)",
                                         "date_trunc('month', C)",
                                         "date_trunc('hour', C)"};
static const char *const json_calls[] = {"json_array(C, C)",
                                         "json_object('k', C, 'v', N)",
                                         "json_extract(json_array(C, E), '$[1]')",
                                         "json_extract(json_object('k', C), '$.k')",
                                         "json_type(json_array(C), '$[0]')",
                                         "json_array_length(json_array(C, N, C))",
                                         "json_quote(C)",
                                         "json_valid(C)",
                                         "json_object('k', C) ->> 'k'",
                                         "json_array(C, N) -> 0",
                                         "json_set('{\"a\":1}', '$.b', C)",
                                         "json_remove(json_array(C, C), '$[0]')",
                                         "json_patch('{\"a\":1}', json_object('b', C))",
                                         "json_insert('[1]', '$[#]', C)",
                                         "json_replace('{\"a\":[1,2]}', '$.a[0]', N)"};
static const char *const math_calls[] = {"sqrt(C)",   "floor(E)",    "ceil(E)", "trunc(C)",
                                         "pow(C, N)", "exp(N)",      "ln(C)",   "log(C)",
                                         "log10(C)",  "mod(C, N)",   "sin(C)",  "degrees(C)",
                                         "pi()",      "atan2(C, N)", "log2(E)", "acos(C)"};

void function_call(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    const char *pattern = general_calls[world_below(self, COUNT(general_calls))];
    uint32_t choice = world_below(self, 8);
    if (choice < 2 && query_has(self, FEATURE_TEXT))
        pattern = text_calls[world_below(self, COUNT(text_calls))];
    else if (choice == 2 && query_has(self, FEATURE_DATE))
        pattern = date_calls[world_below(self, COUNT(date_calls))];
    else if (choice == 3 && query_has(self, FEATURE_JSON))
        pattern = json_calls[world_below(self, COUNT(json_calls))];
    else if (choice == 4 && query_has(self, FEATURE_MATH))
        pattern = math_calls[world_below(self, COUNT(math_calls))];
    pattern_fill(self, scope, depth, pattern, out);
}

// ---- expressions -------------------------------------------------------------------------------

static void case_expression(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    bool simple = world_chance(self, 30);
    text_add(out, "CASE ");
    if (simple) expression(self, scope, depth - 1, out);
    for (uint32_t i = 0, count = 1 + world_below(self, 2); i < count; i++) {
        text_add(out, " WHEN ");
        if (simple)
            expression(self, scope, depth - 1, out);
        else
            predicate(self, scope, depth - 1, out);
        text_add(out, " THEN "), expression(self, scope, depth - 1, out);
    }
    if (world_chance(self, 70)) {
        text_add(out, MARK_OPTIONAL " ELSE "), expression(self, scope, depth - 1, out);
        text_add(out, MARK_CLOSE);
    }
    text_add(out, " END");
}

// One row, one column, the same in both engines: an aggregate, or the first row by key.
static void scalar_subquery(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    from_clause from;
    if (world_chance(self, 20) && limited_scalar(self, scope, depth, out)) return;
    from_init(self, scope, depth - 1, &from);
    text_add(out, "(SELECT ");
    if (from.scope.is_keyed && world_chance(self, 40)) {
        expression(self, &from.scope, depth - 2, out);
        from_add(self, &from, depth - 1, out);
        text_add(out, " ORDER BY ");
        if (world_chance(self, 60)) {
            text_add(out, MARK_OPTIONAL "coalesce("); // a number alone would be a column's place
            expression(self, &from.scope, 1, out);
            text_add(out, ", NULL)%s, " MARK_CLOSE, world_chance(self, 40) ? " DESC" : "");
        }
        for (uint32_t i = 0; i < from.scope.key_count; i++)
            text_add(out, "%s%s", i == 0 ? "" : ", ", from.scope.keys[i]);
        text_add(out, " LIMIT 1");
        if (world_chance(self, 15)) text_add(out, MARK_OPTIONAL " OFFSET 1" MARK_CLOSE);
    } else {
        query_column call;
        aggregate_call(self, &from.scope, true, &call);
        text_add(out, "%s", call.name);
        from_add(self, &from, depth - 1, out);
    }
    text_add(out, ")");
    from_release(&from);
}

static void binary_expression(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    static const char *const operators[] = {"+", "-", "*", "/", "%", "||", "&", "|", "<<", ">>"};
    text_add(out, "(");
    expression(self, scope, depth - 1, out);
    text_add(out, " %s ", operators[world_below(self, world_chance(self, 70) ? 4 : 10)]);
    expression(self, scope, depth - 1, out);
    text_add(out, ")");
}

static void nested_expression(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    static const char *const types[] = {"INTEGER", "REAL", "TEXT", "NUMERIC", "BLOB", "VARCHAR(9)"};
    static const char *const unary[] = {"- ", "+", "~", "NOT "};
    static const char *const collations[] = {"NOCASE", "BINARY"}; // RTRIM: see docs/testing.md
    uint32_t choice = world_below(self, 14);
    if (choice < 4) {
        binary_expression(self, scope, depth, out);
    } else if (choice < 7) {
        function_call(self, scope, depth, out);
    } else if (choice < 8) {
        case_expression(self, scope, depth, out);
    } else if (choice < 9) {
        text_add(out, "CAST("), expression(self, scope, depth - 1, out);
        text_add(out, " AS %s)", types[world_below(self, COUNT(types))]);
    } else if (choice < 10) {
        text_add(out, "(%s", unary[world_below(self, COUNT(unary))]);
        expression(self, scope, depth - 1, out), text_add(out, ")");
    } else if (choice < 11) {
        text_add(out, "("), predicate(self, scope, depth - 1, out), text_add(out, ")");
    } else if (choice < 12 && query_has(self, FEATURE_SUBQUERY)) {
        scalar_subquery(self, scope, depth, out);
    } else if (choice < 13) {
        text_add(out, "("), expression(self, scope, depth - 1, out);
        text_add(out, " COLLATE %s)", collations[world_below(self, COUNT(collations))]);
    } else {
        leaf(self, scope, out);
    }
}

void expression(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    text_add(out, MARK_EXPRESSION);
    if (depth <= 0 || world_chance(self, 35))
        leaf(self, scope, out);
    else
        nested_expression(self, scope, depth, out);
    text_add(out, MARK_CLOSE);
}
