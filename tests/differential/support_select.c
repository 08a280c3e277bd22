// Random SELECTs. The grammar leaves out what SQLite itself leaves open: rows of a tie under LIMIT,
// bare columns but those beside min() or max() of a key, group_concat's order, and, where another
// query goes on with the values, which of several equal ones stands for a group and rounded sums.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "tests/differential/support_grammar.h"

// ---- aggregates --------------------------------------------------------------------------------

void aggregate_call(test_world *self, const query_scope *scope, bool is_exact,
                    query_column *column_out)
{
    static const char *const sums[] = {"sum", "sum", "total", "avg"};
    sql_text call = {0};
    uint32_t which = world_below(self, 6);
    const query_column *any = scope_pick_exact(self, scope, false);
    const query_column *number = scope_pick_exact(self, scope, true);
    const char *distinct = world_chance(self, 20) ? "DISTINCT " : "";
    *column_out = (query_column){.flavour = FLAVOUR_SMALL, .is_aggregate = true};
    if (which < 2 && any != NULL) {
        column_out->flavour = any->flavour;
        text_add(&call, "%s(%s%s)", which == 0 ? "min" : "max", distinct, any->name);
    } else if (which < 4 && number != NULL) {
        if (!is_exact && world_chance(self, 30)) {
            for (uint32_t i = 0; i < scope->count; i++) {
                if (scope->columns[i].flavour == FLAVOUR_DECIMAL) number = &scope->columns[i];
            }
        }
        if (number->flavour == FLAVOUR_DECIMAL) self->approximate = true;
        uint32_t sum = world_below(self, 4);
        text_add(&call, "%s(%s%s)", sums[sum], distinct, number->name);
        if (world_chance(self, 50)) column_out->flavour = FLAVOUR_REAL;
        if (sum == 3) column_out->flavour = FLAVOUR_DECIMAL; // whose sums are rounded
    } else if (which == 4 && number != NULL && !is_exact && world_chance(self, 30)) {
        static const char *const forms[] = {"median(%s)", "quantile(%s, 0.3)", "stddev_pop(%s)",
                                            "var_samp(%s)"};
        text_add(&call, forms[world_below(self, 4)], number->name);
        column_out->flavour = FLAVOUR_DECIMAL;
        self->approximate = true;
    } else if (which == 4 && any != NULL) {
        text_add(&call, "count(%s%s)", distinct, any->name);
    } else {
        text_add(&call, "count(*)");
    }
    if (world_chance(self, 10) && any != NULL)
        text_add(&call, " FILTER (WHERE %s IS NOT NULL)", any->name);
    // FILTER makes a long call; too long ones are left away.
    snprintf(column_out->name, sizeof column_out->name, "%s",
             call.size < sizeof column_out->name ? call.bytes : "count(*)");
    text_release(&call);
}

// ---- items -------------------------------------------------------------------------------------

// In the arms of a compound inside another query columns lose their affinity: SQLite pushes
// conditions into the arms, where it compares with the affinity of each.
static void item_begin(const query_shape *shape, sql_text *out)
{
    text_add(out, MARK_ITEM "%s", shape->is_arm ? "+" : "");
}

static void item_end(const query_shape *shape, uint32_t index, sql_text *out)
{
    if (shape->is_named) text_add(out, " AS d%u", index);
    text_add(out, MARK_CLOSE);
}

static void shape_set(query_shape *shape, uint32_t index, const query_column *column)
{
    query_column *made = &shape->columns[index];
    *made = (query_column){.flavour = column->flavour,
                           .is_collated = column->is_collated,
                           .is_rowid = column->is_rowid};
    snprintf(made->name, sizeof made->name, "d%u", index);
}

// Text that a collation may take for other text makes what is shown of it open.
static void duplicates_go(test_world *self, const query_shape *shape)
{
    if (!shape->is_exact) self->approximate = true;
}

static void item_expression(test_world *self, const query_scope *scope, query_shape *shape,
                            uint32_t index, int depth, sql_text *out)
{
    static const query_column unknown = {.flavour = FLAVOUR_MIXED, .is_collated = true};
    const query_column *column = scope_pick_exact(self, scope, false);
    item_begin(shape, out);
    if (shape->is_exact && column == NULL) {
        text_add(out, "%u", index);
        shape_set(shape, index, &(query_column){.flavour = FLAVOUR_SMALL});
    } else if (column != NULL && (shape->is_exact || world_chance(self, 50))) {
        text_add(out, "%s", column->name);
        shape_set(shape, index, column);
    } else {
        expression(self, scope, depth, out);
        shape_set(shape, index, &unknown);
    }
    item_end(shape, index, out);
}

// ---- cores -------------------------------------------------------------------------------------

static void core_plain(test_world *self, const query_scope *outer, query_shape *shape, int depth,
                       sql_text *out)
{
    from_clause from;
    from_init(self, outer, depth, &from);
    bool distinct = world_chance(self, 15);
    if (distinct && (shape->is_nested || shape->is_compound)) shape->is_exact = true;
    if (distinct) duplicates_go(self, shape);
    text_add(out, "SELECT %s" MARK_LIST, distinct ? "DISTINCT " : "");
    for (uint32_t i = 0; i < shape->column_count; i++)
        item_expression(self, &from.scope, shape, i, depth, out);
    text_add(out, MARK_CLOSE);
    from_add(self, &from, depth, out);
    if (!distinct && from.scope.is_keyed && shape->is_nested && world_chance(self, 20)) {
        text_add(out, MARK_OPTIONAL " ORDER BY ");
        for (uint32_t i = 0; i < from.scope.key_count; i++)
            text_add(out, "%s%s%s", i == 0 ? "" : ", ", from.scope.keys[i],
                     world_chance(self, 30) ? " DESC" : "");
        text_add(out, " LIMIT %u", world_below(self, 20));
        if (world_chance(self, 30)) text_add(out, " OFFSET %u", world_below(self, 5));
        text_add(out, MARK_CLOSE);
        shape->is_closed = true;
    }
    from_release(&from);
}

// Keys of a group. Inside another query only columns as stored: of equal values either may show.
static void group_keys(test_world *self, const query_scope *scope, bool is_nested,
                       query_scope *group, sql_text *by)
{
    uint32_t count = world_below(self, 4);
    for (uint32_t i = 0; i < count; i++) {
        const query_column *column = scope_pick_exact(self, scope, false);
        sql_text key = {0};
        if (is_nested || world_chance(self, 75)) {
            if (column == NULL) break;
            text_add(&key, "%s", column->name);
        } else {
            static const char *const calls[] = {"length(%s)", "typeof(%s)", "%s IS NULL",
                                                "-%s",        "%s || 'x'",  "substr(%s, 1, 1)",
                                                "date(%s)"};
            const query_column *any = &scope->columns[world_below(self, scope->count)];
            if (scope->count == 0) break;
            char text[200];
            const char *form = calls[world_below(self, 7)], *at = form;
            size_t size = 0;
            for (; *at != '\0' && size < 190; at++) {
                if (at[0] == '%')
                    size += (size_t)snprintf(text + size, sizeof text - size, "%s", any->name),
                        at++;
                else
                    text[size++] = *at;
            }
            text[size] = '\0';
            text_add(&key, "%s", text);
            self->approximate = true;
            column = NULL;
        }
        if (key.size < sizeof group->columns[0].name) {
            scope_add(group, "", key.bytes, column == NULL ? FLAVOUR_MIXED : column->flavour,
                      column == NULL);
            text_add(by, "%s" MARK_ITEM "%s" MARK_CLOSE, group->count == 1 ? MARK_LIST : "",
                     key.bytes);
        }
        text_release(&key);
    }
    if (group->count > 0) text_add(by, MARK_CLOSE);
    for (uint32_t i = 0; i < group->count && i < SCOPE_KEYS_MAX; i++)
        snprintf(group->keys[group->key_count++], sizeof group->keys[0], "%s",
                 group->columns[i].name);
}

static void group_item(test_world *self, const query_scope *scope, const query_scope *group,
                       query_shape *shape, uint32_t index, int depth, sql_text *out)
{
    static const query_column unknown = {.flavour = FLAVOUR_MIXED, .is_collated = true};
    uint32_t choice = world_below(self, 10);
    item_begin(shape, out);
    bool has_keys = group->key_count > 0;
    if (choice < 3 && has_keys) {
        const query_column *key = &group->columns[world_below(self, group->key_count)];
        text_add(out, "%s", key->name);
        shape_set(shape, index, key);
    } else if (choice < 5 && !shape->is_exact && (has_keys || index > 0)) {
        expression(self, group, depth - 1, out);
        shape_set(shape, index, &unknown);
    } else if (choice < 6 && has_keys && query_has(self, FEATURE_WINDOW) && !shape->is_exact) {
        window_call(self, group, out);
        shape_set(shape, index, &unknown);
    } else {
        query_column call;
        aggregate_call(self, scope, shape->is_nested, &call);
        // SQLite does not find them beside window functions.
        bool may_be_outer = !shape->is_nested && !query_has(self, FEATURE_WINDOW);
        if (choice == 9 && may_be_outer && query_has(self, FEATURE_SUBQUERY))
            outer_aggregate(self, group, &call, depth, out);
        else
            text_add(out, "%s", call.name);
        shape_set(shape, index, &call);
        if (!shape->is_nested && shape->is_exact) self->approximate = true;
    }
    item_end(shape, index, out);
}

static void core_grouped(test_world *self, const query_scope *outer, query_shape *shape, int depth,
                         sql_text *out)
{
    from_clause from;
    sql_text by = {0};
    query_scope group = {.outer = outer, .is_keyed = true};
    from_init(self, outer, depth, &from);
    group_keys(self, &from.scope, shape->is_nested, &group, &by);
    uint32_t key_count = group.count;
    for (uint32_t i = 0; i < 2; i++) {
        query_column call;
        aggregate_call(self, &from.scope, true, &call);
        group.columns[group.count++] = call;
    }
    text_add(out, "SELECT " MARK_LIST);
    for (uint32_t i = 0; i < shape->column_count; i++)
        group_item(self, &from.scope, &group, shape, i, depth, out);
    text_add(out, MARK_CLOSE);
    from_add(self, &from, depth, out);
    if (key_count > 0) text_add(out, " GROUP BY %s", by.bytes);
    if (world_chance(self, 25)) {
        text_add(out, MARK_OPTIONAL " HAVING "), predicate(self, &group, depth - 1, out);
        text_add(out, MARK_CLOSE);
    }
    text_release(&by);
    from_release(&from);
}

// Columns beside min() or max() of a key come from the row that has it.
static void core_bare(test_world *self, const query_scope *outer, query_shape *shape, int depth,
                      sql_text *out)
{
    from_clause from;
    do {
        from_init(self, outer, 0, &from);
        if (from.scope.is_keyed && from.scope.key_count == 1) break;
        from_release(&from);
    } while (world_chance(self, 90));
    if (from.text.size == 0 || !from.scope.is_keyed || from.scope.key_count != 1) {
        if (from.text.size > 0) from_release(&from);
        core_grouped(self, outer, shape, depth, out);
        return;
    }
    const char *best = world_chance(self, 50) ? "min" : "max";
    uint32_t place = world_below(self, shape->column_count);
    text_add(out, "SELECT " MARK_LIST);
    for (uint32_t i = 0; i < shape->column_count; i++) {
        if (i != place) {
            item_expression(self, &from.scope, shape, i, 0, out);
            continue;
        }
        item_begin(shape, out), text_add(out, "%s(%s)", best, from.scope.keys[0]);
        item_end(shape, i, out);
        shape_set(shape, i, &(query_column){.flavour = FLAVOUR_SMALL});
    }
    text_add(out, MARK_CLOSE);
    from_add(self, &from, 1, out);
    const query_column *key = scope_pick_exact(self, &from.scope, false);
    if (key != NULL && world_chance(self, 70)) text_add(out, " GROUP BY %s", key->name);
    from_release(&from);
}

static void core_window(test_world *self, const query_scope *outer, query_shape *shape, int depth,
                        sql_text *out)
{
    from_clause from;
    from_init(self, outer, depth, &from);
    text_add(out, "SELECT " MARK_LIST);
    for (uint32_t i = 0; i < shape->column_count; i++) {
        if (i > 0 && world_chance(self, 40)) {
            item_expression(self, &from.scope, shape, i, depth - 1, out);
            continue;
        }
        item_begin(shape, out), window_call(self, &from.scope, out);
        item_end(shape, i, out);
        shape_set(shape, i, &(query_column){.flavour = FLAVOUR_MIXED, .is_collated = true});
    }
    text_add(out, MARK_CLOSE);
    from_add(self, &from, depth, out);
    from_release(&from);
}

static void core_values(test_world *self, query_shape *shape, sql_text *out)
{
    text_add(out, "VALUES " MARK_LIST);
    for (uint32_t row = 0, rows = 1 + world_below(self, 4); row < rows; row++) {
        text_add(out, MARK_ITEM "(");
        for (uint32_t i = 0; i < shape->column_count; i++) {
            text_add(out, "%s", i == 0 ? "" : ", ");
            world_value(self, FLAVOUR_SMALL, out);
        }
        text_add(out, ")" MARK_CLOSE);
    }
    text_add(out, MARK_CLOSE);
    shape->is_closed = true;
    for (uint32_t i = 0; i < shape->column_count; i++)
        shape_set(shape, i, &(query_column){.flavour = FLAVOUR_SMALL});
}

static void core(test_world *self, const query_scope *outer, query_shape *shape, int depth,
                 sql_text *out)
{
    uint32_t choice = world_below(self, 20);
    text_add(out, MARK_QUERY);
    if (choice < 6)
        core_grouped(self, outer, shape, depth, out);
    else if (choice < 8)
        core_bare(self, outer, shape, depth, out);
    else if (choice < 12 && query_has(self, FEATURE_WINDOW) && !shape->is_exact)
        core_window(self, outer, shape, depth, out);
    else if (choice == 12 && !shape->is_named)
        core_values(self, shape, out);
    else
        core_plain(self, outer, shape, depth, out);
    text_add(out, MARK_CLOSE);
}

// ---- compounds and WITH ------------------------------------------------------------------------

static void compound(test_world *self, const query_scope *outer, query_shape *shape, int depth,
                     sql_text *out)
{
    static const char *const operators[] = {" UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT "};
    bool all_only = world_chance(self, 40);
    shape->is_exact = shape->is_arm = shape->is_nested;
    shape->is_compound = true;
    if (!all_only) self->approximate = true;
    text_add(out, MARK_QUERY);
    for (uint32_t i = 0, arms = 2 + world_below(self, 2); i < arms; i++) {
        query_shape arm = *shape;
        sql_text text = {0};
        core(self, outer, &arm, depth - 1, &text);
        if (i > 0) text_add(out, "%s", operators[all_only ? 0 : world_below(self, 4)]);
        // LIMIT belongs to a whole compound; one arm with it is a query of its own.
        text_add(out, "%s%s%s", arm.is_closed ? "SELECT * FROM (" : "", text.bytes,
                 arm.is_closed ? ")" : "");
        text_release(&text);
        for (uint32_t c = 0; c < shape->column_count; c++) {
            bool differs = i > 0 && shape->columns[c].flavour != arm.columns[c].flavour;
            if (i == 0) shape->columns[c] = arm.columns[c];
            if (differs) shape->columns[c].flavour = FLAVOUR_MIXED;
            shape->columns[c].is_collated |= arm.columns[c].is_collated;
            shape->columns[c].is_rowid |= arm.columns[c].is_rowid;
        }
    }
    text_add(out, MARK_CLOSE);
}

void query_body(test_world *self, const query_scope *outer, query_shape *shape, int depth,
                sql_text *out)
{
    if (depth > 0 && query_has(self, FEATURE_COMPOUND) && world_chance(self, 20))
        compound(self, outer, shape, depth, out);
    else
        core(self, outer, shape, depth, out);
}

static void recursive_body(test_world *self, world_name *name, sql_text *out)
{
    static const char *const steps[] = {"d1 + d0", "d1 * 2", "d1 || d0", "-d1", "d0 % 3"};
    const world_table *table = &self->tables[world_below(self, self->table_count)];
    const world_column *from = &table->columns[world_below(self, table->column_count)];
    const world_column *to = &table->columns[world_below(self, table->column_count)];
    if (world_chance(self, 60) || from->is_collated || to->is_collated)
        text_add(out, "SELECT 1, %d UNION%s SELECT d0 + 1, %s FROM %s WHERE d0 < %u",
                 (int)world_below(self, 9) - 2, world_chance(self, 50) ? " ALL" : "",
                 steps[world_below(self, 5)], name->name, 2 + world_below(self, 8));
    else
        text_add(out,
                 "SELECT 0, +%s FROM %s UNION SELECT d0 + 1, t.%s FROM %s AS r JOIN %s AS t"
                 " ON t.%s = r.d1 WHERE d0 < 2",
                 from->name, table->name, to->name, name->name, table->name, from->name);
    name->column_count = 2;
    name->columns[0] = (world_column){.flavour = FLAVOUR_SMALL};
    name->columns[1] = (world_column){.flavour = FLAVOUR_MIXED, .is_collated = true};
}

static void name_set(world_name *name, const query_shape *shape)
{
    name->column_count = shape->column_count;
    for (uint32_t c = 0; c < shape->column_count; c++)
        name->columns[c] = (world_column){.flavour = shape->columns[c].flavour,
                                          .is_collated = shape->columns[c].is_collated,
                                          .is_rowid = shape->columns[c].is_rowid};
}

void query_with(test_world *self, sql_text *out)
{
    static const char *const hints[] = {"", "", "MATERIALIZED ", "NOT MATERIALIZED "};
    uint32_t count = 1 + world_below(self, 2);
    bool recursive = query_has(self, FEATURE_RECURSIVE);
    text_add(out, "WITH %s" MARK_LIST, recursive ? "RECURSIVE " : "");
    for (uint32_t i = 0; i < count && self->cte_count < WORLD_NAMES_MAX; i++) {
        world_name name = {0};
        snprintf(name.name, sizeof name.name, "w%u", self->next_alias++);
        text_add(out, MARK_ITEM);
        if (recursive && world_chance(self, 60)) {
            text_add(out, "%s(d0, d1) AS (", name.name);
            recursive_body(self, &name, out);
        } else {
            query_shape shape = {
                .column_count = 1 + world_below(self, 3), .is_nested = true, .is_named = true};
            text_add(out, "%s AS %s(", name.name, hints[world_below(self, 4)]);
            query_body(self, NULL, &shape, 1, out);
            name_set(&name, &shape);
        }
        text_add(out, ")" MARK_CLOSE);
        self->ctes[self->cte_count++] = name;
    }
    text_add(out, MARK_CLOSE " ");
}

void world_view(test_world *self, sql_text *out)
{
    world_name name = {0};
    query_shape shape = {
        .column_count = 1 + world_below(self, 4), .is_nested = true, .is_named = true};
    if (self->view_count == WORLD_NAMES_MAX) return;
    self->features = FEATURE_COMPOUND | FEATURE_OUTER_JOIN | FEATURE_TEXT | FEATURE_DATE;
    self->features &= self->features_allowed;
    snprintf(name.name, sizeof name.name, "v%u", self->view_count);
    shape.is_named = world_chance(self, 50); // else the view itself names its columns
    text_add(out, "CREATE VIEW %s", name.name);
    for (uint32_t i = 0; !shape.is_named && i < shape.column_count; i++)
        text_add(out, "%sd%u%s", i == 0 ? "(" : ", ", i, i + 1 == shape.column_count ? ")" : "");
    text_add(out, " AS ");
    query_body(self, NULL, &shape, 1, out);
    name_set(&name, &shape);
    self->views[self->view_count++] = name;
}

// ---- whole queries -----------------------------------------------------------------------------

// Every column in the end, so that there is one order only, but for values that are equal. SQLite
// 3.40 does not find the columns of some compounds that are ordered with a collation.
static void order_by(test_world *self, const query_shape *shape, sql_text *out)
{
    static const char *const collations[] = {"NOCASE", "RTRIM", "BINARY"};
    text_add(out, MARK_OPTIONAL " ORDER BY ");
    if (!shape->is_compound && world_chance(self, 20))
        text_add(out, "%u COLLATE %s%s, ", 1 + world_below(self, shape->column_count),
                 collations[world_below(self, 3)], world_chance(self, 50) ? " DESC" : "");
    for (uint32_t i = 0; i < shape->column_count; i++) {
        static const char *const nulls[] = {"", "", "", "", " NULLS FIRST", " NULLS LAST"};
        text_add(out, "%s%u%s%s", i == 0 ? "" : ", ", i + 1, world_chance(self, 30) ? " DESC" : "",
                 nulls[world_below(self, 6)]);
    }
    self->ordered = !self->approximate;
}

void query_begin(test_world *self)
{
    self->approximate = self->ordered = false;
    self->features = (uint32_t)(world_word(self) & world_word(self)) |
                     (uint32_t)(world_chance(self, 20) ? world_word(self) : 0);
    self->features &= self->features_allowed;
    if (self->is_large) self->features &= ~(uint32_t)(FEATURE_SUBQUERY | FEATURE_RECURSIVE);
    self->next_alias = self->cte_count = 0;
    text_clear(&self->repeated);
}

void world_query(test_world *self, sql_text *out)
{
    int depth = 1 + (int)world_below(self, self->depth_max);
    query_shape shape = {.column_count = 1 + world_below(self, 4)};
    query_begin(self);
    if (query_has(self, FEATURE_CTE)) query_with(self, out);
    query_body(self, NULL, &shape, depth, out);
    if (shape.is_closed || !world_chance(self, 45)) return;
    order_by(self, &shape, out);
    if (!self->approximate && world_chance(self, 50)) {
        text_add(out, MARK_OPTIONAL " LIMIT %u", world_below(self, 30));
        if (world_chance(self, 30)) text_add(out, " OFFSET %u", world_below(self, 10));
        text_add(out, MARK_CLOSE);
        self->approximate = true; // which of 0, 0.0 and -0.0 makes it into the limit is open
        self->ordered = false;
    }
    text_add(out, MARK_CLOSE);
}
