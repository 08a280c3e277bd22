// Random FROM clauses: tables, views, subqueries, common tables, table functions, and every join.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "tests/differential/support_grammar.h"

typedef struct source { // one table of a FROM clause
    char alias[12];
    uint32_t first;           // of its columns in the scope
    const world_table *table; // NULL for all else
} source;

static void scope_key(query_scope *scope, const char *alias, const char *name)
{
    if (scope->key_count == SCOPE_KEYS_MAX) {
        scope->is_keyed = false;
        return;
    }
    snprintf(scope->keys[scope->key_count++], sizeof scope->keys[0], "%s.%s", alias, name);
}

static void scope_add_column(query_scope *scope, const char *alias, const char *name,
                             const world_column *column)
{
    query_column *added = scope_add(scope, alias, name, column->flavour, column->is_collated);
    if (added != NULL) added->is_rowid = column->is_rowid;
}

static void source_table(test_world *self, source *made, query_scope *scope, sql_text *out)
{
    const world_table *table = &self->tables[world_below(self, self->table_count)];
    made->table = table;
    text_add(out, "%s AS %s", table->name, made->alias);
    for (uint32_t c = 0; c < table->column_count; c++)
        scope_add_column(scope, made->alias, table->columns[c].name, &table->columns[c]);
    if (table->key == KEY_WITHOUT_ROWID) {
        scope_key(scope, made->alias, table->columns[0].name);
        scope_key(scope, made->alias, table->columns[1].name);
        return;
    }
    scope_key(scope, made->alias, "rowid");
    static const world_column rowid = {.flavour = FLAVOUR_SMALL, .is_rowid = true};
    if (world_chance(self, 20)) scope_add_column(scope, made->alias, "rowid", &rowid);
}

static void source_named(const char *text, const world_name *name, source *made,
                         query_scope *scope, sql_text *out)
{
    text_add(out, "%s AS %s", text, made->alias);
    for (uint32_t c = 0; c < name->column_count; c++) {
        char column[16];
        snprintf(column, sizeof column, "d%u", c);
        scope_add_column(scope, made->alias, column, &name->columns[c]);
    }
    scope->is_keyed = false;
}

// Keeps a subquery that depends on nothing around it.
static void repeated_keep(test_world *self, const query_shape *shape, const sql_text *text)
{
    world_name *name = &self->repeated_columns;
    name->column_count = shape->column_count;
    for (uint32_t c = 0; c < shape->column_count; c++)
        name->columns[c] = (world_column){.flavour = shape->columns[c].flavour,
                                          .is_collated = shape->columns[c].is_collated,
                                          .is_rowid = shape->columns[c].is_rowid};
    text_clear(&self->repeated);
    text_add(&self->repeated, "%s", text->bytes);
}

static void source_repeated(test_world *self, source *made, query_scope *scope, sql_text *out)
{
    sql_text text = {0};
    text_add(&text, "(%s)", self->repeated.bytes);
    source_named(text.bytes, &self->repeated_columns, made, scope, out);
    text_release(&text);
}

static void source_derived(test_world *self, source *made, query_scope *scope, int depth,
                           sql_text *out)
{
    query_shape shape = {
        .column_count = 1 + world_below(self, 4), .is_nested = true, .is_named = true};
    sql_text text = {0};
    query_body(self, scope->outer, &shape, depth - 1, &text);
    text_add(out, "(%s) AS %s", text.bytes, made->alias);
    if (scope->outer == NULL) repeated_keep(self, &shape, &text);
    text_release(&text);
    for (uint32_t c = 0; c < shape.column_count; c++) {
        const query_column *column = &shape.columns[c];
        query_column *added =
            scope_add(scope, made->alias, column->name, column->flavour, column->is_collated);
        if (added != NULL) added->is_rowid = column->is_rowid;
    }
    scope->is_keyed = false;
}

// Over constants, or over a column of what stands before it.
static void source_function(test_world *self, source *made, query_scope *scope, sql_text *out)
{
    static const struct {
        const char *call, *columns[3];
    } calls[] = {
        {"json_each('[1,2,\"a\",null,4.5,7]')", {"key", "type", "atom"}},
        {"json_each('{\"a\":1,\"b\":[1,2],\"c\":\"ab\"}')", {"key", "type", "atom"}},
        {"json_tree('{\"a\":[1,{\"b\":2}]}')", {"key", "type", "atom"}},
        {"pragma_table_info('t0')", {"name", "cid", "type"}},
        {"generate_series(-2, 9, 3)", {"value", "value", "value"}},
        {"json_each(json_array(%s, 2, 'x'))", {"key", "type", "atom"}},
        {"generate_series(1, abs(unicode(%s)) %% 6)", {"value", "value", "value"}},
    };
    uint32_t which = world_below(self, scope->count > 0 ? 7 : 5);
    const query_column *argument = which < 5 ? NULL : scope_pick_exact(self, scope, false);
    if (argument == NULL) which %= 5;
    text_add(out, calls[which].call, argument == NULL ? "" : argument->name);
    text_add(out, " AS %s", made->alias);
    for (uint32_t i = 0; i < 3; i++)
        scope_add(scope, made->alias, calls[which].columns[i],
                  which == 4 || which == 6 || i == 1 ? FLAVOUR_SMALL : FLAVOUR_WORD, false);
    scope->is_keyed = false;
}

static source source_add(test_world *self, query_scope *scope, int depth, sql_text *out)
{
    source made = {.first = scope->count};
    snprintf(made.alias, sizeof made.alias, "x%u", self->next_alias++);
    uint32_t choice = world_below(self, 20);
    const world_name *cte =
        self->cte_count == 0 ? NULL : &self->ctes[world_below(self, self->cte_count)];
    const world_name *view =
        self->view_count == 0 ? NULL : &self->views[world_below(self, self->view_count)];
    if (choice < 4 && self->repeated.size > 0 && world_chance(self, 30))
        source_repeated(self, &made, scope, out);
    else if (choice < 4 && depth > 0 && query_has(self, FEATURE_DERIVED))
        source_derived(self, &made, scope, depth, out);
    else if (choice < 8 && cte != NULL)
        source_named(cte->name, cte, &made, scope, out);
    else if (choice == 8 && view != NULL)
        source_named(view->name, view, &made, scope, out);
    else if (choice == 9 && query_has(self, FEATURE_TABLE_FUNCTION))
        source_function(self, &made, scope, out);
    else
        source_table(self, &made, scope, out);
    return made;
}

// ---- joins -------------------------------------------------------------------------------------

// A column before `end` of the flavour if there is one.
static const query_column *partner_of(test_world *self, const query_scope *scope, uint32_t end,
                                      value_flavour flavour)
{
    uint32_t start = world_below(self, end);
    for (uint32_t i = 0; i < end; i++) {
        const query_column *column = &scope->columns[(start + i) % end];
        if (column->flavour == flavour) return column;
    }
    return &scope->columns[start];
}

// Of a collated column of any flavour; it may be RTRIM, which SQLite's indexes are wrong about
// (docs/testing.md).
static bool may_be_rtrim(const query_column *column)
{
    return column->is_collated && column->flavour == FLAVOUR_MIXED;
}

static void join_condition(test_world *self, const query_scope *scope, const source *right,
                           sql_text *out)
{
    static const char *const operators[] = {"<", ">", "<>", "IS", ">="};
    uint32_t count = scope->count - right->first;
    if (count == 0 || right->first == 0) {
        text_add(out, "1");
        return;
    }
    const query_column *column = &scope->columns[right->first + world_below(self, count)];
    const query_column *partner = partner_of(self, scope, right->first, column->flavour);
    const char *plus = may_be_rtrim(column) || may_be_rtrim(partner) ? "+" : "";
    const char *operator_ = world_chance(self, 80) ? "=" : operators[world_below(self, 5)];
    text_add(out, "%s%s %s %s%s", plus, column->name, operator_, plus, partner->name);
    if (world_chance(self, 25)) {
        text_add(out, MARK_OPTIONAL " AND "), predicate(self, scope, 1, out);
        text_add(out, MARK_CLOSE);
    }
}

// The same table again, joined by columns of the same name.
static void join_by_name(test_world *self, from_clause *from, const source *left, const char *join)
{
    source made = {.first = from->scope.count, .table = left->table};
    const world_table *table = left->table;
    snprintf(made.alias, sizeof made.alias, "x%u", self->next_alias++);
    bool natural = world_chance(self, 30);
    text_add(&from->text, " %s%s %s AS %s", natural ? "NATURAL " : "", join, table->name,
             made.alias);
    uint32_t common = world_below(self, table->column_count);
    if (!natural) text_add(&from->text, " USING (%s)", table->columns[common].name);
    for (uint32_t c = 0; c < table->column_count; c++) {
        bool joined = natural || c == common;
        // Of two equal values of a collated column either may stand for both.
        if (joined && table->columns[c].is_collated) continue;
        scope_add_column(&from->scope, joined ? "" : made.alias, table->columns[c].name,
                         &table->columns[c]);
    }
    if (table->key == KEY_WITHOUT_ROWID) {
        scope_key(&from->scope, made.alias, table->columns[0].name);
        scope_key(&from->scope, made.alias, table->columns[1].name);
    } else {
        scope_key(&from->scope, made.alias, "rowid");
    }
}

static const char *join_kind(test_world *self)
{
    static const char *const inner[] = {"JOIN", "INNER JOIN", "CROSS JOIN", ","};
    static const char *const outer[] = {"LEFT JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN",
                                        "FULL JOIN"};
    bool is_outer = query_has(self, FEATURE_OUTER_JOIN) && world_chance(self, 60);
    return is_outer ? outer[world_below(self, 5)]
                    : inner[world_chance(self, 70) ? 0 : 1 + world_below(self, 3)];
}

static void join_add(test_world *self, from_clause *from, bool is_first, int depth)
{
    const char *join = join_kind(self);
    // Behind a join whose condition is never true, SQLite 3.40 loses the rows of a FULL JOIN.
    if (!is_first && (join[0] == 'R' || join[0] == 'F')) join = "LEFT JOIN";
    bool is_comma = strcmp(join, ",") == 0, has_like = self->has_like;
    text_add(&from->text, MARK_OPTIONAL "%s%s ", is_comma ? "" : " ", join);
    source made = source_add(self, &from->scope, depth, &from->text);
    if (is_comma) {
        text_add(&from->filter, "%s", from->filter.size == 0 ? "" : " AND ");
        join_condition(self, &from->scope, &made, &from->filter);
    } else {
        // SQLite 3.40 loses rows of a RIGHT JOIN when an index helps with LIKE.
        self->has_like = has_like && join[0] != 'R' && join[0] != 'F';
        text_add(&from->text, " ON ");
        join_condition(self, &from->scope, &made, &from->text);
        self->has_like = has_like;
    }
    text_add(&from->text, MARK_CLOSE);
}

void from_init(test_world *self, const query_scope *outer, int depth, from_clause *from)
{
    *from = (from_clause){.scope = {.outer = outer, .is_keyed = true}};
    bool is_single = depth <= 0 || self->is_large || world_chance(self, 55);
    uint32_t joins = is_single ? 0 : 1 + world_below(self, 2);
    source first = source_add(self, &from->scope, depth, &from->text);
    if (joins > 0 && first.table != NULL && world_chance(self, 15)) {
        const char *join = join_kind(self);
        join_by_name(self, from, &first, strcmp(join, ",") == 0 ? "JOIN" : join);
        return;
    }
    for (uint32_t i = 0; i < joins; i++) join_add(self, from, i == 0, depth);
}

void from_release(from_clause *from)
{
    text_release(&from->text);
    text_release(&from->filter);
}

void from_add(test_world *self, const from_clause *from, int depth, sql_text *out)
{
    text_add(out, " FROM %s", from->text.bytes);
    if (from->filter.size > 0) {
        text_add(out, " WHERE %s", from->filter.bytes);
        if (world_chance(self, 50)) {
            text_add(out, MARK_OPTIONAL " AND ");
            predicate(self, &from->scope, depth, out), text_add(out, MARK_CLOSE);
        }
    } else if (world_chance(self, 70)) {
        text_add(out, " WHERE "), predicate(self, &from->scope, depth, out);
    } else {
        text_add(out, " WHERE 1");
    }
}
