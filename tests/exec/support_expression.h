// support_expression.h - expressions built by hand, and SQLite as their oracle.
//
// An oracle holds a table t(c0, c1, ...) without affinities, in SQLite and as a br_batch of the same
// rows. Each expression is built twice at once: as a br_expr and as SQL text, its constants as bound
// parameters.
//
// Ownership: everything lives in the oracle's arena. Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SUPPORT_EXPRESSION_H
#define BR_TESTS_SUPPORT_EXPRESSION_H

#include <sqlite3.h>

#include "base/bytes.h"
#include "exec/expression.h"

enum { ORACLE_CONSTANTS_MAX = 200, ORACLE_TEXT_MAX = 20000 };

typedef struct test_oracle {
    sqlite3 *sqlite;
    br_arena *arena;
    br_arena *scratch;          // of one evaluation
    br_exec_env exec;
    br_expr_env env;
    uint64_t random;
    br_batch batch;
    uint32_t column_ids[64];
    br_layout layout;
    br_type types[64];          // of the columns
    uint32_t constant_count;    // of the expression being built
    br_value constants[ORACLE_CONSTANTS_MAX];
} test_oracle;

typedef struct test_pair {  // one expression in both forms
    br_expr *expr;
    const char *sql;
} test_pair;

void oracle_open(test_oracle *oracle, uint64_t seed, br_isa isa);
void oracle_close(test_oracle *oracle);
uint32_t oracle_random(test_oracle *oracle, uint32_t below);

// Adds a column; `values` are row_count values, the vector holds the same.
void oracle_add_column(test_oracle *oracle, const br_vector *vector, uint32_t row_count);
// Puts the columns into SQLite.
void oracle_load(test_oracle *oracle);

test_pair oracle_constant(test_oracle *oracle, br_value value);
test_pair oracle_column(test_oracle *oracle, uint32_t column);
test_pair oracle_operator(test_oracle *oracle, br_operator operator_, br_collation collation,
                     const test_pair *args, uint32_t count);
test_pair oracle_function(test_oracle *oracle, br_function function, const char *name, const test_pair *args,
                     uint32_t count);
test_pair oracle_case(test_oracle *oracle, const test_pair *args, uint32_t count);
test_pair oracle_cast(test_oracle *oracle, br_affinity affinity, test_pair arg);

// Runs both; prints what differs and returns false. The result of both may be an error.
bool oracle_agrees(test_oracle *oracle, const test_pair *pair);

br_exec_bridge oracle_bridge(test_oracle *oracle);
void oracle_print_value(const br_value *value, char *text_out, size_t size);
bool oracle_same_value(const br_value *left, const br_value *right);

#endif
