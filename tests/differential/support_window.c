// Random window functions, all of whose values are determined: where rows of equal rank would be
// told apart, the keys of the tables end the order.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "tests/differential/support_grammar.h"

// What is called; true when its value depends on the order among peers.
static bool window_function(test_world *self, const query_scope *scope, bool is_total,
                            sql_text *out)
{
    static const char *const ranks[] = {"rank()", "dense_rank()", "percent_rank()", "cume_dist()"};
    static const char *const aggregates[] = {"sum", "avg", "total", "count", "min", "max"};
    const query_column *any = scope_pick_exact(self, scope, false);
    const query_column *number = scope_pick_exact(self, scope, true);
    uint32_t choice = world_below(self, is_total ? 14 : 7);
    if (any == NULL || choice < 2) {
        text_add(out, "%s", ranks[world_below(self, 4)]);
    } else if (choice < 7 || choice == 13) {
        uint32_t which = world_below(self, 6);
        if (number == NULL && which < 3) which += 3;
        if (choice == 13)
            text_add(out, "group_concat('_' || %s%s)", any->name,
                     world_chance(self, 50) ? ", ';'" : "");
        else
            text_add(out, "%s(%s)", aggregates[which], which < 3 ? number->name : any->name);
        if (world_chance(self, 20)) {
            text_add(out, MARK_OPTIONAL " FILTER (WHERE ");
            predicate(self, scope, 0, out), text_add(out, ")" MARK_CLOSE);
        }
        return choice == 13;
    } else if (choice < 8) {
        text_add(out, "row_number()");
    } else if (choice < 9) {
        text_add(out, "ntile(%u)", 1 + world_below(self, 5));
    } else if (choice < 11) {
        text_add(out, "%s(%s", world_chance(self, 50) ? "lag" : "lead", any->name);
        uint32_t arguments = world_below(self, 3);
        if (arguments > 0) text_add(out, ", %u", world_below(self, 4));
        if (arguments > 1) text_add(out, ", "), expression(self, scope, 0, out);
        text_add(out, ")");
    } else if (choice < 12) {
        text_add(out, "%s(%s)", world_chance(self, 50) ? "first_value" : "last_value", any->name);
    } else {
        text_add(out, "nth_value(%s, %u)", any->name, 1 + world_below(self, 4));
    }
    return true;
}

// ROWS tells peers apart; GROUPS and RANGE do not.
static void frame(test_world *self, bool may_rows, bool may_offset_range, sql_text *out)
{
    static const char *const excludes[] = {
        "", "", " EXCLUDE NO OTHERS", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"};
    static const char *const ends[] = {"CURRENT ROW", "UNBOUNDED FOLLOWING"};
    static const char *const units[] = {"RANGE", "GROUPS", "ROWS"};
    uint32_t unit = world_below(self, may_rows ? 3 : 2);
    bool may_offset = unit != 0 || may_offset_range;
    text_add(out, MARK_OPTIONAL " %s ", units[unit]);
    uint32_t choice = world_below(self, 5);
    if (choice == 0) {
        text_add(out, "UNBOUNDED PRECEDING");
    } else if (choice == 1 && may_offset) {
        text_add(out, "BETWEEN %u FOLLOWING AND %u FOLLOWING", world_below(self, 3),
                 world_below(self, 5));
    } else if (choice == 2 && may_offset) {
        text_add(out, "BETWEEN %u PRECEDING AND %u PRECEDING", world_below(self, 5),
                 world_below(self, 3));
    } else {
        text_add(out, "BETWEEN ");
        if (may_offset && world_chance(self, 60))
            text_add(out, "%u PRECEDING", world_below(self, 4));
        else
            text_add(out, world_chance(self, 60) ? "UNBOUNDED PRECEDING" : "CURRENT ROW");
        if (may_offset && world_chance(self, 50))
            text_add(out, " AND %u FOLLOWING", world_below(self, 4));
        else
            text_add(out, " AND %s", ends[world_below(self, 2)]);
    }
    text_add(out, "%s" MARK_CLOSE, excludes[world_below(self, 6)]);
}

static void window_order(test_world *self, const query_scope *scope, bool is_total, uint32_t terms,
                         sql_text *out)
{
    if (terms == 0 && !is_total) return;
    text_add(out, " ORDER BY ");
    for (uint32_t i = 0; i < terms; i++) {
        text_add(out, "%s", i == 0 ? "" : ", ");
        expression(self, scope, world_chance(self, 70) ? 0 : 1, out);
        text_add(out, "%s%s", world_chance(self, 30) ? " DESC" : "",
                 world_chance(self, 15) ? " NULLS LAST" : "");
    }
    for (uint32_t i = 0; is_total && i < scope->key_count; i++)
        text_add(out, "%s%s", i == 0 && terms == 0 ? "" : ", ", scope->keys[i]);
}

void window_call(test_world *self, const query_scope *scope, sql_text *out)
{
    query_scope alone = *scope; // windows do not look out of their query
    alone.outer = NULL;
    bool is_total = scope->is_keyed && scope->key_count > 0 && world_chance(self, 60);
    text_add(out, MARK_EXPRESSION);
    bool is_ordered = window_function(self, &alone, is_total, out);
    text_add(out, " OVER (");
    if (world_chance(self, 60)) {
        text_add(out, MARK_OPTIONAL "PARTITION BY ");
        expression(self, &alone, world_chance(self, 70) ? 0 : 1, out);
        text_add(out, MARK_CLOSE);
    }
    uint32_t terms = world_below(self, 3);
    is_total = is_total && (is_ordered || world_chance(self, 50));
    window_order(self, &alone, is_total, terms, out);
    bool one_term = is_total ? terms == 0 && alone.key_count == 1 : terms == 1;
    if ((terms > 0 || is_total) && world_chance(self, 50)) frame(self, is_total, one_term, out);
    text_add(out, ")" MARK_CLOSE);
}
