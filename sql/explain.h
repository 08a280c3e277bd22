// explain.h - plans and expressions as text; what explain*.c share.
//
// Ownership: borrows the query; text goes to the caller's buffer. Threads: one. Errors: appending
// fails silently, `failed` tells in the end.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_EXPLAIN_H
#define BR_SQL_EXPLAIN_H

#include "sql/sql.h"

typedef struct br_explainer {
    br_buffer *out;
    const char **names;  // by column id; NULL: none
    uint32_t name_count;
    bool failed;
} br_explainer;

void br_explain_text(br_explainer *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// SQL-like: names where columns have some, #id elsewhere.
void br_explain_expr(br_explainer *self, const br_expr *expr);
void br_explain_column(br_explainer *self, uint32_t id);
void br_explain_list(br_explainer *self, br_expr *const *items, uint32_t count,
                     const char *separator);

#endif
