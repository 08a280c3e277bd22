// Random SELECTs. The grammar leaves out what SQLite itself leaves open: bare columns of groups,
// group_concat's order, LIMIT without a total order.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "tests/differential/support_world.h"

typedef struct query_scope { // columns an expression may name
    uint32_t count;
    struct {
        char name[40];
        value_flavour flavour;
    } columns[WORLD_SCOPE_MAX];
} query_scope;

static void expression(test_world *self, const query_scope *scope, int depth, sql_text *out);
static void predicate(test_world *self, const query_scope *scope, int depth, sql_text *out);

static void scope_add(query_scope *self, const char *alias, const char *name, value_flavour flavour)
{
    if (self->count == WORLD_SCOPE_MAX) return;
    snprintf(self->columns[self->count].name, sizeof self->columns[0].name, "%s.%s", alias, name);
    self->columns[self->count++].flavour = flavour;
}

static uint32_t pick(test_world *self, const query_scope *scope)
{
    return world_below(self, scope->count);
}

// ---- expressions -------------------------------------------------------------------------------

static void function_call(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    static const char *const one[] = {"abs",     "length", "lower", "upper",     "typeof",
                                      "trim",    "date",   "hex",   "julianday", "sign",
                                      "unicode", "quote",  "ltrim"};
    static const char *const two[] = {"ifnull", "nullif", "min", "max", "instr", "substr", "round"};
    uint32_t choice = world_below(self, 10);
    if (choice < 5) {
        text_add(out, "%s(", one[world_below(self, 13)]);
        expression(self, scope, depth - 1, out);
    } else if (choice < 8) {
        uint32_t which = world_below(self, 7);
        text_add(out, "%s(", two[which]);
        expression(self, scope, depth - 1, out);
        if (which < 5)
            text_add(out, ", "), expression(self, scope, depth - 1, out);
        else
            text_add(out, ", %d", (int)world_below(self, 6) - (which == 5 ? 2 : 0));
    } else if (choice == 8) {
        text_add(out, "coalesce(");
        expression(self, scope, depth - 1, out);
        text_add(out, ", "), expression(self, scope, depth - 1, out);
        text_add(out, ", "), world_value(self, FLAVOUR_SMALL, out);
    } else {
        static const char *const formats[] = {"%Y", "%m", "%Y-%m", "%d", "%H", "%j", "%w"};
        text_add(out, "strftime('%s', %s", formats[world_below(self, 7)],
                 scope->columns[pick(self, scope)].name);
    }
    text_add(out, ")");
}

static void case_expression(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    text_add(out, "CASE WHEN ");
    predicate(self, scope, depth - 1, out);
    text_add(out, " THEN "), expression(self, scope, depth - 1, out);
    if (world_chance(self, 70)) text_add(out, " ELSE "), expression(self, scope, depth - 1, out);
    text_add(out, " END");
}

static void expression(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    static const char *const operators[] = {"+", "-", "*", "/", "%%", "||", "&", "|", "<<", ">>"};
    static const char *const types[] = {"INTEGER", "REAL", "TEXT", "NUMERIC", "BLOB"};
    uint32_t choice = depth <= 0 ? world_below(self, 6) : world_below(self, 12);
    if (choice < 5) {
        text_add(out, "%s", scope->columns[pick(self, scope)].name);
    } else if (choice < 6) {
        world_value(self, (value_flavour)world_below(self, FLAVOUR_COUNT), out);
    } else if (choice < 9) {
        text_add(out, "("), expression(self, scope, depth - 1, out);
        uint32_t which = world_below(self, world_chance(self, 70) ? 4 : 10);
        text_add(out, " ");
        text_add(out, operators[which], 0);
        text_add(out, " "), expression(self, scope, depth - 1, out), text_add(out, ")");
    } else if (choice < 10) {
        function_call(self, scope, depth, out);
    } else if (choice < 11) {
        case_expression(self, scope, depth, out);
    } else {
        text_add(out, "CAST("), expression(self, scope, depth - 1, out);
        text_add(out, " AS %s)", types[world_below(self, 5)]);
    }
}

static void subquery_predicate(test_world *self, const query_scope *scope, sql_text *out)
{
    const world_table *table = &self->tables[world_below(self, self->table_count)];
    const char *inner = table->columns[world_below(self, table->column_count)].name;
    const char *other = table->columns[world_below(self, table->column_count)].name;
    const char *outer = scope->columns[pick(self, scope)].name;
    static const char *const compare[] = {"=", "<", ">", "<>"};
    const char *negation = world_chance(self, 40) ? "NOT " : "";
    switch (world_below(self, 4)) {
    case 0:
        text_add(out, "%sEXISTS (SELECT 1 FROM %s AS s WHERE s.%s %s %s)", negation, table->name,
                 inner, compare[world_below(self, 4)], outer);
        break;
    case 1:
        text_add(out, "%s %sIN (SELECT s.%s FROM %s AS s", outer, negation, inner, table->name);
        if (world_chance(self, 50)) text_add(out, " WHERE s.%s IS NOT NULL", other);
        text_add(out, ")");
        break;
    case 2:
        text_add(out, "%s %s (SELECT %s(s.%s) FROM %s AS s WHERE s.%s = %s)", outer,
                 compare[world_below(self, 4)], world_chance(self, 50) ? "max" : "count", inner,
                 table->name, other, scope->columns[pick(self, scope)].name);
        break;
    default:
        text_add(out, "%s %s (SELECT min(s.%s) FROM %s AS s)", outer, compare[world_below(self, 4)],
                 inner, table->name);
    }
}

static void simple_predicate(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    static const char *const compare[] = {"=", "<", ">", "<=", ">=", "<>", "IS", "IS NOT"};
    static const char *const patterns[] = {"'%a%'",
                                           "'a%'",
                                           "'%st'",
                                           "'_b_'",
                                           "'%special%requests%'",
                                           "''",
                                           "'1996%'",
                                           "'%\\%%' ESCAPE '\\'"};
    uint32_t column = pick(self, scope);
    const char *name = scope->columns[column].name;
    value_flavour flavour = scope->columns[column].flavour;
    switch (world_below(self, 9)) {
    case 0:
    case 1:
    case 2:
        text_add(out, "%s %s ", name, compare[world_below(self, 8)]);
        world_value(self, flavour, out);
        break;
    case 3:
        text_add(out, "%s %sBETWEEN ", name, world_chance(self, 25) ? "NOT " : "");
        world_value(self, flavour, out);
        text_add(out, " AND "), world_value(self, flavour, out);
        break;
    case 4:
        text_add(out, "%s %sIN (", name, world_chance(self, 30) ? "NOT " : "");
        for (uint32_t i = 0, count = 1 + world_below(self, 12); i < count; i++) {
            text_add(out, "%s", i == 0 ? "" : ", ");
            world_value(self, flavour, out);
        }
        text_add(out, ")");
        break;
    case 5:
        text_add(out, "%s %sLIKE %s", name, world_chance(self, 30) ? "NOT " : "",
                 patterns[world_below(self, 8)]);
        break;
    case 6:
        text_add(out, "%s IS %sNULL", name, world_chance(self, 50) ? "NOT " : "");
        break;
    default:
        expression(self, scope, depth - 1, out);
        text_add(out, " %s ", compare[world_below(self, 6)]);
        expression(self, scope, depth - 1, out);
    }
}

static void predicate(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    uint32_t choice = depth <= 0 ? 0 : world_below(self, 10);
    if (choice < 6) {
        simple_predicate(self, scope, depth, out);
    } else if (choice < 9) {
        text_add(out, "("), predicate(self, scope, depth - 1, out);
        text_add(out, world_chance(self, 60) ? " AND " : " OR ");
        predicate(self, scope, depth - 1, out), text_add(out, ")");
    } else {
        text_add(out, "NOT ("), predicate(self, scope, depth - 1, out), text_add(out, ")");
    }
}

// ---- sources -----------------------------------------------------------------------------------

// A column of `scope` from `first` on, of the flavour if there is one.
static const char *column_like(test_world *self, const query_scope *scope, uint32_t first,
                               uint32_t end, value_flavour flavour)
{
    for (uint32_t i = first; i < end; i++) {
        if (scope->columns[i].flavour == flavour) return scope->columns[i].name;
    }
    return scope->columns[first + world_below(self, end - first)].name;
}

static void source(test_world *self, uint32_t index, query_scope *scope, sql_text *out)
{
    char alias[8];
    snprintf(alias, sizeof alias, "x%u", index);
    const world_table *table = &self->tables[world_below(self, self->table_count)];
    if (world_chance(self, 8)) {
        text_add(out, "v0 AS %s", alias);
        scope_add(scope, alias, "a", self->tables[0].columns[0].flavour);
        scope_add(scope, alias, "b", self->tables[0].columns[1].flavour);
        return;
    }
    if (world_chance(self, 12)) {
        text_add(out, "(SELECT %s AS k, count(*) AS n FROM %s GROUP BY 1) AS %s",
                 table->columns[1].name, table->name, alias);
        self->approximate = true;
        scope_add(scope, alias, "k", table->columns[1].flavour);
        scope_add(scope, alias, "n", FLAVOUR_SMALL);
        return;
    }
    text_add(out, "%s AS %s", table->name, alias);
    for (uint32_t c = 0; c < table->column_count; c++)
        scope_add(scope, alias, table->columns[c].name, table->columns[c].flavour);
}

static void sources(test_world *self, query_scope *scope, sql_text *out)
{
    uint32_t count = world_chance(self, 55) ? 1 : 2 + world_below(self, 2);
    source(self, 0, scope, out);
    for (uint32_t i = 1; i < count; i++) {
        uint32_t first = scope->count;
        text_add(out, world_chance(self, 30) ? " LEFT JOIN " : " JOIN ");
        source(self, i, scope, out);
        uint32_t partner = first + world_below(self, scope->count - first);
        text_add(out, " ON %s = %s", scope->columns[partner].name,
                 column_like(self, scope, 0, first, scope->columns[partner].flavour));
        if (world_chance(self, 25)) text_add(out, " AND "), simple_predicate(self, scope, 1, out);
    }
}

static void where(test_world *self, const query_scope *scope, sql_text *out)
{
    if (world_chance(self, 25)) return;
    text_add(out, " WHERE ");
    predicate(self, scope, 2, out);
    if (world_chance(self, 20)) text_add(out, " AND "), subquery_predicate(self, scope, out);
}

// ---- queries -----------------------------------------------------------------------------------

// The columns whose sums do not depend on the order of their rows by more than rounding: numbers of
// very different size cancel out.
static query_scope scope_tame(const query_scope *scope)
{
    query_scope tame = {0};
    for (uint32_t i = 0; i < scope->count; i++) {
        value_flavour flavour = scope->columns[i].flavour;
        if (flavour != FLAVOUR_BIG && flavour != FLAVOUR_DIGITS && flavour != FLAVOUR_MIXED)
            tame.columns[tame.count++] = scope->columns[i];
    }
    return tame;
}

static void aggregate(test_world *self, const query_scope *scope, sql_text *out)
{
    static const char *const names[] = {"count", "min", "max", "sum", "avg", "total"};
    uint32_t which = world_below(self, 6);
    query_scope tame = scope_tame(scope);
    const query_scope *allowed = which < 3 ? scope : &tame;
    if (allowed->count == 0 || world_chance(self, 25)) {
        text_add(out, "count(*)");
    } else {
        text_add(out, "%s(%s", names[which], world_chance(self, 20) ? "DISTINCT " : "");
        if (which >= 3 || world_chance(self, 70))
            text_add(out, "%s", allowed->columns[pick(self, allowed)].name);
        else
            expression(self, allowed, 1, out);
        text_add(out, ")");
    }
    if (world_chance(self, 12)) {
        text_add(out, " FILTER (WHERE "), simple_predicate(self, scope, 0, out), text_add(out, ")");
    }
}

static uint32_t grouped(test_world *self, sql_text *out)
{
    query_scope scope = {0};
    sql_text from = {0};
    sources(self, &scope, &from);
    uint32_t key_count = world_below(self, 3), aggregate_count = 1 + world_below(self, 3);
    uint32_t keys[3];
    text_add(out, "SELECT ");
    for (uint32_t i = 0; i < key_count; i++) {
        keys[i] = pick(self, &scope);
        text_add(out, "%s, ", scope.columns[keys[i]].name);
    }
    for (uint32_t i = 0; i < aggregate_count; i++) {
        text_add(out, "%s", i == 0 ? "" : ", ");
        aggregate(self, &scope, out);
    }
    text_add(out, " FROM %s", from.bytes);
    where(self, &scope, out);
    for (uint32_t i = 0; i < key_count; i++)
        text_add(out, "%s%s", i == 0 ? " GROUP BY " : ", ", scope.columns[keys[i]].name);
    if (key_count > 0 && world_chance(self, 25))
        text_add(out, " HAVING count(*) > %u", world_below(self, 4));
    text_release(&from);
    self->approximate = true;
    return key_count + aggregate_count;
}

static uint32_t plain(test_world *self, uint32_t column_count, sql_text *out)
{
    query_scope scope = {0};
    sql_text from = {0};
    sources(self, &scope, &from);
    bool distinct = world_chance(self, 15);
    self->approximate = self->approximate || distinct;
    text_add(out, "SELECT %s", distinct ? "DISTINCT " : "");
    for (uint32_t i = 0; i < column_count; i++) {
        text_add(out, "%s", i == 0 ? "" : ", ");
        expression(self, &scope, 2, out);
    }
    text_add(out, " FROM %s", from.bytes);
    where(self, &scope, out);
    text_release(&from);
    return column_count;
}

void world_query(test_world *self, sql_text *out)
{
    static const char *const compounds[] = {" UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT "};
    self->approximate = self->ordered = false;
    uint32_t column_count;
    if (world_chance(self, 12)) {
        column_count = plain(self, 1 + world_below(self, 3), out);
        text_add(out, "%s", compounds[world_below(self, 4)]);
        plain(self, column_count, out);
        self->approximate = true;
    } else if (world_chance(self, 45)) {
        column_count = grouped(self, out);
    } else {
        column_count = plain(self, 1 + world_below(self, 5), out);
    }
    if (!world_chance(self, 40)) return;
    for (uint32_t i = 0; i < column_count; i++)
        text_add(out, "%s%u%s", i == 0 ? " ORDER BY " : ", ", i + 1,
                 world_chance(self, 30) ? " DESC" : "");
    self->ordered = !self->approximate;
    if (!self->approximate && world_chance(self, 50)) {
        text_add(out, " LIMIT %u", world_below(self, 30));
        self->approximate = true; // which of 0, 0.0 and -0.0 makes it into the limit is open
        self->ordered = false;
        if (world_chance(self, 30)) text_add(out, " OFFSET %u", world_below(self, 10));
    }
}
