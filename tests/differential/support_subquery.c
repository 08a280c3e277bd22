// Random subqueries whose first rows count, and aggregates that belong to the query around them.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "tests/differential/support_grammar.h"

enum { TRIES = 4 };

bool limited_query(test_world *self, const query_scope *outer, uint32_t column_count, int depth,
                   sql_text *out)
{
    from_clause from;
    bool is_keyed = false;
    for (uint32_t i = 0; i < TRIES && !is_keyed; i++) {
        if (i > 0) from_release(&from);
        from_init(self, outer, depth - 1, &from);
        is_keyed = from.scope.is_keyed && scope_pick_exact(self, &from.scope, false) != NULL;
    }
    if (is_keyed) {
        text_add(out, "SELECT ");
        for (uint32_t i = 0; i < column_count; i++)
            text_add(out, "%s%s AS x%u", i == 0 ? "" : ", ",
                     scope_pick_exact(self, &from.scope, false)->name, i);
        from_add(self, &from, depth - 1, out);
        text_add(out, " ORDER BY ");
        const query_column *first = scope_pick_exact(self, &from.scope, false);
        if (world_chance(self, 60))
            text_add(out, MARK_OPTIONAL "%s%s, " MARK_CLOSE, first->name,
                     world_chance(self, 40) ? " DESC" : "");
        for (uint32_t i = 0; i < from.scope.key_count; i++)
            text_add(out, "%s%s", i == 0 ? "" : ", ", from.scope.keys[i]);
        text_add(out, " LIMIT %u", 1 + world_below(self, 4));
        if (world_chance(self, 40))
            text_add(out, MARK_OPTIONAL " OFFSET %u" MARK_CLOSE, world_below(self, 3));
    }
    from_release(&from);
    return is_keyed;
}

bool limited_scalar(test_world *self, const query_scope *outer, int depth, sql_text *out)
{
    static const char *const calls[] = {"max(x0)", "min(x0)", "count(x0)", "count(*)",
                                        "count(DISTINCT x0)"};
    sql_text query = {0};
    bool done = limited_query(self, outer, 1, depth, &query);
    if (done)
        text_add(out, "(SELECT %s FROM (%s) AS few)", calls[world_below(self, 5)], query.bytes);
    text_release(&query);
    return done;
}

void outer_aggregate(test_world *self, const query_scope *scope, const query_column *call,
                     int depth, sql_text *out)
{
    // SQLite takes `key IS NOT NULL` for true before it asks whose columns FILTER names.
    bool is_open = strstr(call->name, "FILTER") != NULL;
    text_add(out, is_open ? "%s" : "(SELECT %s", call->name);
    if (is_open) return;
    if (world_chance(self, 50)) {
        from_clause from;
        from_init(self, scope, depth - 1, &from);
        text_add(out, MARK_OPTIONAL);
        from_add(self, &from, depth - 1, out);
        text_add(out, MARK_CLOSE);
        from_release(&from);
    }
    text_add(out, ")");
}
