// Random predicates.
// SPDX-License-Identifier: Apache-2.0
#include "tests/differential/support_grammar.h"

static const char *const comparisons[] = {"=",
                                          "<",
                                          ">",
                                          "<=",
                                          ">=",
                                          "<>",
                                          "==",
                                          "!=",
                                          "IS",
                                          "IS NOT",
                                          "IS DISTINCT FROM",
                                          "IS NOT DISTINCT FROM"};

static const char *negation(test_world *self)
{
    return world_chance(self, 30) ? "NOT " : "";
}

// A column against values of its own kind: what most often lets some rows through.
static void column_predicate(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    static const char *const patterns[] = {"'%a%'",
                                           "'a%'",
                                           "'%st'",
                                           "'_b_'",
                                           "'%special%requests%'",
                                           "''",
                                           "'1996%'",
                                           "'%\\%%' ESCAPE '\\'",
                                           "'%'",
                                           "'A%'",
                                           "'x__'",
                                           "'%W%w%'",
                                           "'\xc3\xa4%'",
                                           "NULL"};
    static const char *const globs[] = {"'a*'",    "'*st'",       "'?b?'", "'[a-n]*'",
                                        "'[^a]*'", "'199[5-7]*'", "'*'"};
    const query_column *column = scope_pick(self, scope);
    if (column == NULL) {
        expression(self, scope, depth - 1, out);
        return;
    }
    uint32_t choice = world_below(self, 6);
    if (!self->has_like && (choice == 2 || choice == 3)) choice = 0;
    switch (choice) {
    case 0:
        text_add(out, "%s %sBETWEEN ", column->name, negation(self));
        world_value(self, column->flavour, out);
        text_add(out, " AND "), world_value(self, column->flavour, out);
        break;
    case 1:
        text_add(out, "%s %sIN (" MARK_LIST, column->name, negation(self));
        for (uint32_t i = 0, count = 1 + world_below(self, 12); i < count; i++) {
            text_add(out, MARK_ITEM);
            world_value(self, column->flavour, out);
            text_add(out, MARK_CLOSE);
        }
        text_add(out, MARK_CLOSE ")");
        break;
    case 2:
        text_add(out, "%s%s %sLIKE %s", column->is_rowid ? "+" : "", column->name, negation(self),
                 patterns[world_below(self, 14)]);
        break;
    case 3:
        text_add(out, "%s %sGLOB %s", column->name, negation(self), globs[world_below(self, 7)]);
        break;
    default:
        text_add(out, "%s %s ", column->name, comparisons[world_below(self, 12)]);
        world_value(self, column->flavour, out);
    }
}

static void general_predicate(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    static const char *const tests[] = {"IS NULL",      "IS NOT NULL",   "ISNULL",
                                        "NOTNULL",      "NOT NULL",      "IS TRUE",
                                        "IS NOT FALSE", "COLLATE NOCASE"};
    switch (world_below(self, 5)) {
    case 0:
        expression(self, scope, depth - 1, out);
        text_add(out, " %s", tests[world_below(self, 8)]);
        break;
    case 1:
        expression(self, scope, depth - 1, out);
        text_add(out, " %sBETWEEN ", negation(self)), expression(self, scope, depth - 1, out);
        text_add(out, " AND "), expression(self, scope, depth - 1, out);
        break;
    case 2:
        expression(self, scope, depth - 1, out);
        text_add(out, " %sIN (" MARK_LIST, negation(self));
        for (uint32_t i = 0, count = world_below(self, 4); i < count; i++) {
            text_add(out, MARK_ITEM), expression(self, scope, depth - 1, out);
            text_add(out, MARK_CLOSE);
        }
        text_add(out, MARK_CLOSE ")");
        break;
    default:
        expression(self, scope, depth - 1, out);
        text_add(out, " %s ", comparisons[world_below(self, 12)]);
        expression(self, scope, depth - 1, out);
        if (world_chance(self, 10)) text_add(out, MARK_OPTIONAL " COLLATE NOCASE" MARK_CLOSE);
    }
}

static void row_of(test_world *self, const query_scope *scope, uint32_t count, int depth,
                   sql_text *out)
{
    text_add(out, "(");
    for (uint32_t i = 0; i < count; i++) {
        text_add(out, "%s", i == 0 ? "" : ", ");
        expression(self, scope, depth, out);
    }
    text_add(out, ")");
}

static void row_predicate(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    uint32_t count = 2 + world_below(self, 2);
    row_of(self, scope, count, depth - 2, out);
    if (world_chance(self, 50) || !query_has(self, FEATURE_SUBQUERY)) {
        text_add(out, " %s ", comparisons[world_below(self, 12)]);
        sql_text query = {0};
        if (world_chance(self, 30) && query_has(self, FEATURE_SUBQUERY) &&
            limited_query(self, scope, count, depth - 1, &query))
            text_add(out, "(%s)", query.bytes);
        else
            row_of(self, scope, count, depth - 2, out);
        text_release(&query);
    } else {
        query_shape shape = {.column_count = count, .is_nested = true};
        text_add(out, " %sIN (", negation(self));
        query_body(self, scope, &shape, depth - 1, out);
        text_add(out, ")");
    }
}

static void subquery_predicate(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    query_shape shape = {.column_count = 1, .is_nested = true};
    const query_column *column = scope_pick(self, scope);
    bool exists = world_chance(self, 50) || column == NULL;
    if (exists)
        text_add(out, "%sEXISTS (", negation(self));
    else
        text_add(out, "%s %sIN (", column->name, negation(self));
    if (world_chance(self, 20) && limited_query(self, scope, 1, depth, out)) {
        text_add(out, ")");
        return;
    }
    from_clause from;
    from_init(self, scope, depth - 1, &from);
    const query_column *inner = scope_pick_exact(self, &from.scope, false);
    if (inner != NULL && world_chance(self, 70)) {
        text_add(out, "SELECT %s", inner->name);
        from_add(self, &from, depth - 1, out);
        if (exists && column != NULL && world_chance(self, 70)) {
            text_add(out, MARK_OPTIONAL " AND %s %s %s" MARK_CLOSE, inner->name,
                     world_chance(self, 70) ? "=" : comparisons[world_below(self, 8)],
                     column->name);
        }
    } else {
        query_body(self, scope, &shape, depth - 1, out);
    }
    text_add(out, ")");
    from_release(&from);
}

static void simple_predicate(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    uint32_t choice = world_below(self, 10);
    if (choice < 5 || depth <= 0)
        column_predicate(self, scope, depth, out);
    else if (choice < 7 && depth > 1 && query_has(self, FEATURE_SUBQUERY))
        subquery_predicate(self, scope, depth, out);
    else if (choice < 8 && depth > 1 && query_has(self, FEATURE_ROW_VALUE))
        row_predicate(self, scope, depth, out);
    else
        general_predicate(self, scope, depth, out);
}

void predicate(test_world *self, const query_scope *scope, int depth, sql_text *out)
{
    uint32_t choice = depth <= 0 ? 0 : world_below(self, 10);
    text_add(out, MARK_EXPRESSION "(");
    if (choice < 6) {
        simple_predicate(self, scope, depth, out);
    } else if (choice < 9) {
        predicate(self, scope, depth - 1, out);
        text_add(out, world_chance(self, 60) ? " AND " : " OR ");
        predicate(self, scope, depth - 1, out);
    } else {
        text_add(out, "NOT "), predicate(self, scope, depth - 1, out);
    }
    text_add(out, ")" MARK_CLOSE);
}
