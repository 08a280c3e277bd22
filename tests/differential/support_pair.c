// Random pairs of queries that must give the same rows.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "tests/differential/support_grammar.h"

enum { KEYS_MAX = 3 };

// ---- without SQLite ----------------------------------------------------------------------------

// `test` has its first letter, ' ' or N for NOT, before the condition and the rest behind it.
static void where_add(const from_clause *from, const char *condition, const char *test,
                      sql_text *out)
{
    bool has_filter = from->filter.size > 0;
    text_add(out, " FROM %s WHERE %s%s%s(%s)%s", from->text.bytes,
             has_filter ? from->filter.bytes : "", has_filter ? " AND " : "",
             test[0] == 'N' ? "NOT " : "", condition, test + 1);
}

static void partition_pair(test_world *self, sql_text *whole, sql_text *parts)
{
    static const char *const tests[] = {" ", "N", "  IS NULL"};
    from_clause from;
    sql_text items = {0}, condition = {0}, marked = {0};
    from_init(self, NULL, 2, &from);
    for (uint32_t i = 0, count = 1 + world_below(self, 3); i < count; i++) {
        text_add(&items, "%s", i == 0 ? "" : ", ");
        expression(self, &from.scope, 2, &items);
    }
    predicate(self, &from.scope, 2, &condition);
    text_add(&marked, "SELECT %s", items.bytes);
    where_add(&from, "1", " ", &marked);
    query_render(marked.bytes, true, whole);
    text_clear(&marked);
    for (uint32_t i = 0; i < 3; i++) {
        text_add(&marked, "%sSELECT %s", i == 0 ? "" : " UNION ALL ", items.bytes);
        where_add(&from, condition.bytes, tests[i], &marked);
    }
    query_render(marked.bytes, true, parts);
    text_release(&items);
    text_release(&condition);
    text_release(&marked);
    from_release(&from);
}

static void count_pair(test_world *self, sql_text *optimized, sql_text *plain)
{
    from_clause from;
    sql_text condition = {0}, marked = {0};
    from_init(self, NULL, 2, &from);
    predicate(self, &from.scope, 3, &condition);
    text_add(&marked, "SELECT count(*)");
    where_add(&from, condition.bytes, " ", &marked);
    query_render(marked.bytes, true, optimized);
    text_clear(&marked);
    text_add(&marked, "SELECT coalesce(sum(v), 0) FROM (SELECT (%s) IS TRUE AS v", condition.bytes);
    where_add(&from, "1", " ", &marked);
    text_add(&marked, ")");
    query_render(marked.bytes, true, plain);
    text_release(&condition);
    text_release(&marked);
    from_release(&from);
}

// ---- what SQLite has no words for --------------------------------------------------------------

static void where_some(test_world *self, const from_clause *from, sql_text *out)
{
    sql_text condition = {0};
    predicate(self, &from->scope, 1, &condition);
    where_add(from, condition.bytes, " ", out);
    text_release(&condition);
}

// QUALIFY is a condition on a column of a subquery.
static void qualify_pair(test_world *self, sql_text *ours, sql_text *plain)
{
    static const char *const tests[] = {"%s > 2",           "%s <= 3",   "%s IS NOT NULL",
                                        "%s IN (1, 2, 'a')", "%s <> 1.5", "NOT coalesce(%s, 0)"};
    from_clause from;
    sql_text call = {0}, rest = {0}, items = {0}, marked = {0};
    from_init(self, NULL, 2, &from);
    window_call(self, &from.scope, &call);
    where_some(self, &from, &rest);
    uint32_t count = 1 + world_below(self, 2);
    for (uint32_t i = 0; i < count; i++) {
        expression(self, &from.scope, 1, &items);
        text_add(&items, " AS d%u, ", i);
    }
    const char *test = tests[world_below(self, 6)], *hole = strstr(test, "%s");
    bool by_alias = world_chance(self, 50);
    text_add(&marked, "SELECT %s%s AS w%s QUALIFY %.*s%s%s", items.bytes, call.bytes, rest.bytes,
             (int)(hole - test), test, by_alias ? "w" : call.bytes, hole + 2);
    query_render(marked.bytes, true, ours);
    text_clear(&marked);
    text_add(&marked, "SELECT * FROM (SELECT %s%s AS w%s) WHERE %.*sw%s", items.bytes, call.bytes,
             rest.bytes, (int)(hole - test), test, hole + 2);
    query_render(marked.bytes, true, plain);
    text_release(&call);
    text_release(&rest);
    text_release(&items);
    text_release(&marked);
    from_release(&from);
}

typedef struct grouping_sets {
    const char *keys[KEYS_MAX];
    uint32_t key_count;
    uint32_t sets[1 << KEYS_MAX]; // bits of the keys in each
    uint32_t set_count;
} grouping_sets;

// No two names of one column: of a rowid, or of what USING joins.
static uint32_t different_keys(test_world *self, const query_scope *scope, grouping_sets *out)
{
    for (uint32_t tries = 0; tries < 2 * KEYS_MAX && out->key_count < KEYS_MAX; tries++) {
        const query_column *column = scope_pick_exact(self, scope, false);
        bool is_new = column != NULL && !column->is_rowid && strchr(column->name, '.') != NULL;
        for (uint32_t i = 0; is_new && i < out->key_count; i++)
            is_new = strcmp(out->keys[i], column->name) != 0;
        if (is_new) out->keys[out->key_count++] = column->name;
    }
    return out->key_count;
}

static void set_add(const grouping_sets *sets, uint32_t set, sql_text *out)
{
    const char *comma = "";
    text_add(out, "(");
    for (uint32_t i = 0; i < sets->key_count; i++) {
        if ((set >> i & 1) == 0 || sets->keys[i] == NULL) continue;
        text_add(out, "%s%s", comma, sets->keys[i]);
        comma = ", ";
    }
    text_add(out, ")");
}

// Writes ROLLUP, CUBE or GROUPING SETS, and what it stands for.
static void sets_make(test_world *self, grouping_sets *sets, sql_text *out)
{
    static const char *const words[] = {"ROLLUP", "CUBE"};
    uint32_t kind = world_below(self, 3), all = (1u << sets->key_count) - 1;
    if (kind == 2) {
        text_add(out, "GROUPING SETS (");
        sets->set_count = 1 + world_below(self, 4);
        for (uint32_t i = 0; i < sets->set_count; i++) {
            sets->sets[i] = i == 0 ? all : world_below(self, all + 1);
            text_add(out, "%s", i == 0 ? "" : ", "), set_add(sets, sets->sets[i], out);
        }
        text_add(out, ")");
        return;
    }
    text_add(out, "%s ", words[kind]), set_add(sets, all, out);
    if (kind == 0) // (a, b), (a), ()
        for (uint32_t left = sets->key_count + 1; left-- > 0;)
            sets->sets[sets->set_count++] = (1u << left) - 1;
    else
        for (uint32_t set = 0; set <= all; set++) sets->sets[sets->set_count++] = set;
}

static void one_set_add(const grouping_sets *sets, uint32_t set, const char *calls,
                        const char *rest, sql_text *out)
{
    text_add(out, "SELECT ");
    for (uint32_t i = 0; i < sets->key_count; i++)
        text_add(out, "%s, %u, ", set >> i & 1 ? sets->keys[i] : "NULL", ~set >> i & 1);
    text_add(out, "%s%s", calls, rest);
    for (uint32_t i = 0, first = 1; i < sets->key_count; i++) {
        if ((set >> i & 1) == 0) continue;
        text_add(out, "%s%s", first ? " GROUP BY " : ", ", sets->keys[i]);
        first = 0;
    }
}

// Sets of groups are a UNION ALL of one GROUP BY for each.
static void grouping_pair(test_world *self, sql_text *ours, sql_text *plain)
{
    from_clause from = {0};
    grouping_sets sets = {0};
    query_column calls[2];
    sql_text rest = {0}, group = {0}, both = {0}, marked = {0};
    do {
        if (from.text.size > 0) from_release(&from);
        from_init(self, NULL, 1, &from);
    } while (different_keys(self, &from.scope, &sets) == 0);
    for (uint32_t i = 0; i < 2; i++) aggregate_call(self, &from.scope, true, &calls[i]);
    text_add(&both, "%s, %s", calls[0].name, calls[1].name);
    where_some(self, &from, &rest);
    sets_make(self, &sets, &group);
    text_add(&marked, "SELECT ");
    for (uint32_t i = 0; i < sets.key_count; i++)
        text_add(&marked, "%s, GROUPING(%s), ", sets.keys[i], sets.keys[i]);
    text_add(&marked, "%s%s GROUP BY %s", both.bytes, rest.bytes, group.bytes);
    query_render(marked.bytes, true, ours);
    text_clear(&marked);
    for (uint32_t i = 0; i < sets.set_count; i++) {
        text_add(&marked, "%s", i == 0 ? "" : " UNION ALL ");
        one_set_add(&sets, sets.sets[i], both.bytes, rest.bytes, &marked);
    }
    query_render(marked.bytes, true, plain);
    text_release(&rest);
    text_release(&group);
    text_release(&both);
    text_release(&marked);
    from_release(&from);
}

// ORDER BY inside an aggregate is that of a subquery.
static void ordered_pair(test_world *self, sql_text *ours, sql_text *plain)
{
    static const char *const calls[] = {"group_concat(%s, '|'", "json_group_array(quote(%s)",
                                        "group_concat('<' || %s"};
    from_clause from = {0};
    sql_text rest = {0}, order = {0}, marked = {0};
    do {
        if (from.text.size > 0) from_release(&from);
        from_init(self, NULL, 1, &from);
    } while (!from.scope.is_keyed || scope_pick_exact(self, &from.scope, false) == NULL);
    const char *value = scope_pick_exact(self, &from.scope, false)->name;
    const char *by = scope_pick_exact(self, &from.scope, false)->name;
    const char *call = calls[world_below(self, 3)], *hole = strstr(call, "%s");
    where_some(self, &from, &rest);
    text_add(&order, " ORDER BY %s%s", by, world_chance(self, 40) ? " DESC" : "");
    for (uint32_t i = 0; i < from.scope.key_count; i++)
        text_add(&order, ", %s%s", from.scope.keys[i], world_chance(self, 30) ? " DESC" : "");
    text_add(&marked, "SELECT %.*s%s%s%s)%s", (int)(hole - call), call, value, hole + 2,
             order.bytes, rest.bytes);
    query_render(marked.bytes, true, ours);
    text_clear(&marked);
    text_add(&marked, "SELECT %.*sv%s) FROM (SELECT %s AS v%s%s)", (int)(hole - call), call,
             hole + 2, value, rest.bytes, order.bytes);
    query_render(marked.bytes, true, plain);
    text_release(&rest);
    text_release(&order);
    text_release(&marked);
    from_release(&from);
}

void world_pair(test_world *self, world_pair_kind kind, sql_text *left, sql_text *right)
{
    static void (*const makers[])(test_world *, sql_text *, sql_text *) = {
        [PAIR_PARTITION] = partition_pair, [PAIR_COUNT] = count_pair,
        [PAIR_QUALIFY] = qualify_pair,     [PAIR_GROUPING] = grouping_pair,
        [PAIR_ORDERED] = ordered_pair,
    };
    query_begin(self);
    makers[kind](self, left, right);
}
