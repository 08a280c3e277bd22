// support_world.h - a random database and random SQL over it.
//
// A world knows its tables well enough to make statements that mostly run and mostly match rows:
// values come from small pools per flavour, so that joins and look-ups find partners.
//
// Everything depends on the seed alone. Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SUPPORT_WORLD_H
#define BR_TESTS_SUPPORT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORLD_TABLES_MAX = 4, WORLD_COLUMNS_MAX = 7, WORLD_NAMES_MAX = 4, WORLD_PARAMETERS = 5 };

typedef enum value_flavour {
    FLAVOUR_SMALL,
    FLAVOUR_BIG,
    FLAVOUR_REAL,
    FLAVOUR_DECIMAL,
    FLAVOUR_WORD,
    FLAVOUR_DATE,
    FLAVOUR_DATETIME,
    FLAVOUR_DIGITS,
    FLAVOUR_BLOB,
    FLAVOUR_MIXED,
    FLAVOUR_COUNT,
} value_flavour;

typedef struct world_column {
    char name[24];
    value_flavour flavour;
    bool is_collated; // by something else than BINARY
    bool is_rowid;
} world_column;

typedef enum world_key {
    KEY_NONE,
    KEY_ROWID,
    KEY_COMPOSITE,
    KEY_TEXT,
    KEY_WITHOUT_ROWID,
    KEY_UNIQUE,
    KEY_COUNT
} world_key;

typedef struct world_table {
    char name[24];
    world_key key;
    uint32_t column_count;
    uint32_t stored_count; // those before may be given values; one behind is generated
    world_column columns[WORLD_COLUMNS_MAX];
} world_table;

typedef struct world_name { // a view or a common table; its columns are called d0, d1...
    char name[16];
    uint32_t column_count;
    world_column columns[WORLD_COLUMNS_MAX];
} world_name;

typedef struct sql_text { // growing SQL text
    char *bytes;
    size_t size, capacity;
} sql_text;

typedef struct test_world {
    uint64_t random;
    uint32_t table_count, view_count;
    world_table tables[WORLD_TABLES_MAX];
    world_name views[WORLD_NAMES_MAX];
    uint32_t depth_max, features_allowed;
    // The query last made, or being made.
    uint32_t features; // what it may use: query_feature
    uint32_t next_alias, cte_count;
    world_name ctes[WORLD_NAMES_MAX];
    sql_text repeated; // a subquery in FROM that may stand there again, with the columns below
    world_name repeated_columns;
    bool has_like;
    bool is_large;    // tables of many rows: no joins, no subqueries over them
    bool approximate; // it may show any of several equal values, or REAL sums
    bool ordered;     // its rows come in one order only
} test_world;

void text_add(sql_text *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_clear(sql_text *self);
void text_release(sql_text *self);

uint32_t world_below(test_world *self, uint32_t limit); // 0..limit-1
bool world_chance(test_world *self, uint32_t percent);
uint64_t world_word(test_world *self); // 64 random bits

void world_init(test_world *self, uint64_t seed); // depth and features are the caller's
void world_create(test_world *self, sql_text *out);                       // CREATE TABLE statements
void world_value(test_world *self, value_flavour flavour, sql_text *out); // one literal
void world_insert(test_world *self, uint32_t table, uint32_t rows, sql_text *out);
// Makes a table without keys of its own grow to `rows` rows, by joining it with itself.
void world_grow(test_world *self, uint32_t table, uint32_t rows, sql_text *out);
void world_change(test_world *self, sql_text *out); // any statement that changes rows
void world_view(test_world *self, sql_text *out);   // CREATE VIEW, with marks
void world_query(test_world *self, sql_text *out);  // a SELECT with marks; sets the two flags

typedef enum world_pair_kind {
    PAIR_PARTITION, // a query, and its three parts by a predicate that holds, does not, or is NULL
                    // (Rigger & Su, "Finding Bugs in Database Systems via Query Partitioning",
                    // OOPSLA 2020)
    PAIR_COUNT,     // the count of the rows that a predicate lets through, and the sum of its
                    // values (Rigger & Su, "Detecting Optimization Bugs in Database Engines via
                    // Non-Optimizing Reference Engine Construction", FSE 2020)
    PAIR_QUALIFY,   // from here on: a query that SQLite 3.40 has no words for, and what it means
    PAIR_GROUPING,
    PAIR_ORDERED,
    PAIR_KINDS
} world_pair_kind;

// Two queries, without marks, that must give the same rows.
void world_pair(test_world *self, world_pair_kind kind, sql_text *left, sql_text *right);

// The values of ?1 to ?5 as literals.
extern const char *const world_parameters[WORLD_PARAMETERS];
// Plain SQL of text with marks (support_grammar.h); replaces what `out` holds. Parameters stay, or
// become literals.
void query_render(const char *marked, bool with_literals, sql_text *out);

#endif
