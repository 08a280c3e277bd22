// support_grammar.h - inside the generator of random SELECTs: scopes, marks, and who calls whom.
//
// Generated text carries marks: bytes below ' ' that bracket its nodes, so that support_shrink.c
// can take a failing query apart without a parser. query_render makes plain SQL of it.
//
// Which constructs a query may use is drawn per query (Groce et al., "Swarm Testing", ISSTA 2012):
// leaving features out makes room for long chains of the others.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SUPPORT_GRAMMAR_H
#define BR_TESTS_SUPPORT_GRAMMAR_H

#include "tests/differential/support_world.h"

enum { SCOPE_COLUMNS_MAX = 40, SCOPE_KEYS_MAX = 4, SHAPE_COLUMNS_MAX = 6 };

// Marks. All but MARK_ITEM open a node that MARK_CLOSE ends.
#define MARK_EXPRESSION "\1" // may become another expression
#define MARK_QUERY "\2"      // may become another query
#define MARK_OPTIONAL "\3"   // may go
#define MARK_LIST "\4"       // of items; one at least stays
#define MARK_ITEM "\5"       // may go; shown as a comma, but for the first one of a list
#define MARK_CLOSE "\6"

typedef enum query_feature {
    FEATURE_SUBQUERY = 1,
    FEATURE_DERIVED = 2,
    FEATURE_CTE = 4,
    FEATURE_COMPOUND = 8,
    FEATURE_WINDOW = 16,
    FEATURE_OUTER_JOIN = 32,
    FEATURE_DATE = 64,
    FEATURE_JSON = 128,
    FEATURE_MATH = 256,
    FEATURE_TEXT = 512,
    FEATURE_ROW_VALUE = 1024,
    FEATURE_PARAMETER = 2048,
    FEATURE_RECURSIVE = 4096,
    FEATURE_TABLE_FUNCTION = 8192,
} query_feature;

typedef struct query_column {
    char name[100]; // as expressions write it; of an aggregate, the call
    value_flavour flavour;
    bool is_collated;  // equal values may look different
    bool is_aggregate; // not to be named inside a subquery
    bool is_rowid;     // no LIKE with it: docs/testing.md
} query_column;

typedef struct query_scope { // what an expression may name
    const struct query_scope *outer;
    uint32_t count, key_count;
    bool is_keyed; // the keys tell all rows apart
    query_column columns[SCOPE_COLUMNS_MAX];
    char keys[SCOPE_KEYS_MAX][100];
} query_scope;

typedef struct query_shape { // what a query in a query must look like, and then looks like
    uint32_t column_count;
    bool is_nested;              // values must be exactly SQLite's: no open choice, no rounding
    bool is_named;               // columns get the names d0, d1...
    bool is_exact;               // columns as they are stored: for duplicates to be taken out
    bool is_arm;                 // of a compound inside another query
    bool is_closed, is_compound; // what was made: takes no ORDER BY; is a compound
    query_column columns[SHAPE_COLUMNS_MAX];
} query_shape;

typedef struct from_clause {
    query_scope scope;
    sql_text text;
    sql_text filter; // what belongs into WHERE; may be empty
} from_clause;

bool query_has(const test_world *self, query_feature feature);
// What it adds, for what else is to be said of it; NULL when the scope is full.
query_column *scope_add(query_scope *self, const char *alias, const char *name,
                        value_flavour flavour, bool is_collated);
// A column of this scope or one around it; NULL when there is none.
const query_column *scope_pick(test_world *self, const query_scope *scope);
// A column of this scope alone that adds up without rounding, or that always looks the same.
const query_column *scope_pick_exact(test_world *self, const query_scope *scope, bool for_sum);

// support_expression.c, support_predicate.c
void expression(test_world *self, const query_scope *scope, int depth, sql_text *out);
void predicate(test_world *self, const query_scope *scope, int depth, sql_text *out);
void function_call(test_world *self, const query_scope *scope, int depth, sql_text *out);

// support_from.c
void from_init(test_world *self, const query_scope *outer, int depth, from_clause *from);
void from_release(from_clause *from);
// FROM and WHERE of a query.
void from_add(test_world *self, const from_clause *from, int depth, sql_text *out);

// support_select.c
void query_begin(test_world *self); // draws features, forgets the last query
void query_body(test_world *self, const query_scope *outer, query_shape *shape, int depth,
                sql_text *out);
// "WITH ...", whose tables the query may use from now on.
void query_with(test_world *self, sql_text *out);
// An aggregate call over columns of the scope: exact, or whose sums may be rounded.
void aggregate_call(test_world *self, const query_scope *scope, bool is_exact,
                    query_column *column_out);

// support_subquery.c
// The first rows of a query by key; false: none was found, and nothing written.
bool limited_query(test_world *self, const query_scope *outer, uint32_t column_count, int depth,
                   sql_text *out);
// A value that such rows have; false as above.
bool limited_scalar(test_world *self, const query_scope *outer, int depth, sql_text *out);
// An aggregate of the query around it, in a subquery, whose own rows come from `scope`.
void outer_aggregate(test_world *self, const query_scope *scope, const query_column *call,
                     int depth, sql_text *out);

// support_window.c
void window_call(test_world *self, const query_scope *scope, sql_text *out);

#endif
