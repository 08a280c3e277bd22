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
    const br_query_profile *profile;  // NULL: not analysed
    br_buffer detail;  // the text of one node, before it is escaped
    bool failed;
} br_explainer;

void br_explain_text(br_explainer *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));  // pieces of up to 500 bytes
void br_explain_raw(br_explainer *self, const char *text, size_t size);
// Bytes of the UTF-8 character at `text`; 0 when there is none.
size_t br_explain_character(const char *text, size_t size);
// SQL-like: names where columns have some, #id elsewhere.
void br_explain_expr(br_explainer *self, const br_expr *expr);
void br_explain_column(br_explainer *self, uint32_t id);
void br_explain_list(br_explainer *self, br_expr *const *items, uint32_t count,
                     const char *separator);

// ---- nodes -----------------------------------------------------------------------------------

void br_explain_node(br_explainer *self, const br_plan *plan);  // one line without its end
const char *br_explain_operator(const br_plan *plan);           // "scan", "join", ...

// ---- figures ---------------------------------------------------------------------------------

static const double BR_EXPLAIN_OFF_MAX = 10;  // estimates that are off by more are pointed out

const br_node_figures *br_explain_measured(const br_explainer *self, const br_plan *plan);
uint64_t br_explain_total_ns(const br_query_profile *profile);
double br_explain_share(const br_explainer *self, const br_node_figures *figures);
// How many times too high or too low the estimate was; at least 1.
double br_explain_off(const br_plan *plan, const br_node_figures *figures);
void br_explain_bytes(br_explainer *self, uint64_t bytes);
// Estimated rows, or what was measured.
void br_explain_figures(br_explainer *self, const br_plan *plan);
// Of these, what only some nodes have, each after "; ".
void br_explain_extras(br_explainer *self, const br_plan *plan, const br_node_figures *figures);

// ---- formats ---------------------------------------------------------------------------------

void br_explain_json(br_explainer *self, const br_explanation *what);  // explain_json.c
void br_explain_html(br_explainer *self, const br_explanation *what);  // explain_html.c

#endif
