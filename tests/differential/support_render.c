// Text with marks as plain SQL.
// SPDX-License-Identifier: Apache-2.0
#include "tests/differential/support_grammar.h"

const char *const world_parameters[WORLD_PARAMETERS] = {"5", "'a'", "2.5", "NULL", "x'0012'"};

void query_render(const char *marked, bool with_literals, sql_text *out)
{
    bool first = true; // of the list that is open innermost and has no item yet
    text_clear(out);
    for (const char *at = marked; *at != '\0'; at++) {
        if (*at == MARK_LIST[0]) {
            first = true;
        } else if (*at == MARK_ITEM[0]) {
            text_add(out, "%s", first ? "" : ", ");
            first = false;
        } else if (with_literals && *at == '?' && at[1] >= '1' && at[1] < '1' + WORLD_PARAMETERS) {
            text_add(out, "%s", world_parameters[*++at - '1']);
        } else if ((unsigned char)*at >= ' ' || *at == '\n') {
            text_add(out, "%c", *at);
        } else {
            first = false; // behind a nested list, its own goes on
        }
    }
}
