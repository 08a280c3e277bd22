// expression.h - compiled expressions: br_expr trees evaluated a batch at a time.
//
//     br_program     immutable: expressions resolved against an input layout, constants folded,
//                    common subexpressions shared. Made once per operator.
//     br_evaluator   one worker's state: result caches per dictionary, scratch.
//
// Semantics are SQLite's, value for value. The generic implementation works on br_value and is the
// specification; typed kernels cover INT, REAL, TEXT and encoded kinds, chosen at compile time from
// expression types and checked at run time against the vectors that arrive (whose class may be
// narrower than promised: BR_NULL instead of INT, INT instead of ANY).
//
// An expression over one DICT column is computed once per dictionary entry and stays DICT.
//
// Ownership: programs live in the arena given. Vectors handed out live until the batch arena is
// rewound or the input batch goes. Threads: programs immutable; an evaluator is for one worker.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_EXPRESSION_H
#define BR_EXEC_EXPRESSION_H

#include "exec/exec.h"

// Where a column id is found in the input batch.
typedef struct br_layout {
    uint32_t column_count;
    const uint32_t *column_ids;  // column_ids[position]
} br_layout;

// What a running query gives to its expressions.
typedef struct br_expr_env {
    const br_exec_env *exec;
    const br_value *subqueries;  // results of uncorrelated scalar subqueries, by index
    const br_error *subquery_errors;  // BR_OK, or why there is none; NULL: all are there
    bool no_times;  // results are never DATE or DATETIME
} br_expr_env;

typedef struct br_program br_program;
typedef struct br_evaluator br_evaluator;

BR_CHECKED br_status br_program_compile(const br_expr *const *expressions, uint32_t count,
                                        const br_layout *layout, const br_expr_env *env,
                                        br_arena *arena, br_program **program_out, br_error *err);
uint32_t br_program_count(const br_program *program);

BR_CHECKED br_status br_evaluator_new(const br_program *program, uint32_t worker, br_arena *arena,
                                      br_evaluator **evaluator_out, br_error *err);

// Results of all expressions for the batch, in any vector kind (FLAT, CONST, DICT, DATE, ...).
BR_CHECKED br_status br_evaluate(br_evaluator *evaluator, const br_batch *batch, br_arena *arena,
                                 br_vector *results_out, br_error *err);
// The first expression as a condition: sets the bits of rows for which it is true (not NULL, not
// 0; text counts as its numeric prefix). Returns how many through *count_out.
BR_CHECKED br_status br_evaluate_condition(br_evaluator *evaluator, const br_batch *batch,
                                           br_arena *arena, uint64_t *selected_out,
                                           uint32_t *count_out, br_error *err);
// A constant expression (no columns), e.g. a LIMIT. Text is copied into `arena`.
BR_CHECKED br_status br_evaluate_constant(const br_expr *expression, const br_expr_env *env,
                                          br_arena *arena, br_value *value_out, br_error *err);

// SQLite's conversions, used by operators too.
br_value br_value_apply_affinity(br_value value, br_affinity affinity, const br_exec_bridge *bridge,
                                 br_arena *arena);
br_value br_value_cast(br_value value, br_affinity to, const br_exec_bridge *bridge,
                       br_arena *arena);
double br_value_to_real(const br_value *value);   // as sqlite3_value_double
int64_t br_value_to_int(const br_value *value);   // as sqlite3_value_int64
int br_value_truth(const br_value *value);        // 1 true, 0 false, -1 NULL

#endif
