// evaluate.h - inside of compiled expressions: nodes, frames, and how they are computed.
//
//     node    one distinct (sub)expression of a program: what it computes and with which functions
//     frame   one set of rows on which nodes are computed; remembers what it has computed already
//
// A node is computed as a vector or as a condition (bitmaps of "true" and "NULL"), whichever its
// user asks for. It has up to three implementations; the generic ones are made from `row`:
//
//     row        one row of values: the specification, and the only one for rare cases
//     vector     a whole frame as a vector
//     condition  a whole frame as a condition (comparisons, logic)
//
// Rows on which a node must not run (CASE branches, AND operands that can fail) are left out by
// running it in a sub-frame, whose rows are some of its parent's.
//
// Invariants:
//   1. args of a node come before it in the program.
//   2. br_condition bitmaps are zero past the end, and is_true & is_null is empty.
//   3. A vector's class never exceeds what the node's type promises.
//
// Ownership: results live in the frame's arena. Threads: one thread per frame; nodes immutable.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_EVALUATE_H
#define BR_EXEC_EVALUATE_H

#include "exec/expression.h"
#include "exec/kernels/kernels.h"

typedef struct br_node br_node;
typedef struct br_frame br_frame;

typedef struct br_condition {
    const uint64_t *is_true;
    const uint64_t *is_null;  // NULL: no row is NULL
} br_condition;

// What a row function may use besides its arguments.
typedef struct br_row_context {
    const br_node *node;
    br_evaluator *evaluator;
    br_arena *arena;
} br_row_context;

typedef br_status (*br_row_function)(const br_row_context *context, const br_value *args,
                                     br_value *out, br_error *err);
typedef br_status (*br_vector_function)(br_frame *frame, const br_node *node, br_vector *out,
                                        br_error *err);
typedef br_status (*br_condition_function)(br_frame *frame, const br_node *node,
                                           br_condition *out, br_error *err);
// Makes node->detail from constant arguments; runs once, when the program is compiled.
typedef br_status (*br_prepare_function)(br_node *node, br_arena *arena, br_error *err);

// The implementations of one operator or function. Those not there are NULL.
typedef struct br_implementation {
    br_row_function row;
    br_vector_function vector;
    br_condition_function condition;
    br_prepare_function prepare;
    uint32_t cost;  // rough ns per row, to order the operands of AND
} br_implementation;

enum { BR_NODE_COLUMN_NONE = INT32_MAX, BR_NODE_COLUMN_MANY = INT32_MAX - 1 };

struct br_node {
    uint32_t index;  // in the program
    br_expr_kind kind;  // CONST, COLUMN, OPERATOR, FUNCTION, CASE, CAST or AFFINITY
    br_operator operator_;
    br_function function;
    const char *function_name;
    bool is_expression;      // BRIDGE: function_name is a SQL expression over ?1, ?2, ...
    bool is_volatile;        // it or something below it gives another value for each call
    br_affinity affinity_to;
    br_collation collation;
    br_type type;
    bool assumes_no_overflow;
    bool can_fail;           // it or something below it
    uint32_t position;       // COLUMN: in the input batch
    uint32_t single_column;  // position of the only column it depends on, or NONE, or MANY
    br_value value;          // CONST
    br_vector constant;      // CONST: over `value`
    uint32_t arg_count;
    const br_node **args;
    uint32_t cost;           // of it and all below it
    uint64_t hash;
    const br_implementation *implementation;
    const void *detail;
};

struct br_program {
    uint32_t count;        // expressions
    const br_node **roots;
    uint32_t node_count;
    uint32_t column_count; // of the layout
    const br_node **columns;  // per position of the layout; NULL: not used
    br_expr_env env;
};

typedef struct br_dictionary_result br_dictionary_result;  // eval_dictionary.c
typedef struct br_regexp_cache br_regexp_cache;            // function_regexp.c

struct br_evaluator {
    const br_program *program;
    uint32_t worker;
    br_arena *arena;
    const br_exec_bridge *bridge;
    const br_exec_kernels *kernels;
    br_dictionary_result **dictionary_results;  // per node, made when first needed
    br_regexp_cache *regexps;  // made when first needed
};

typedef struct br_slot {
    bool has_vector, has_flat, has_condition;
    br_vector vector, flat;
    br_condition condition;
} br_slot;

struct br_frame {
    br_evaluator *evaluator;
    br_arena *arena;
    uint32_t row_count;
    const br_vector *columns;   // of the batch; NULL in a sub-frame
    br_slot *slots;             // per node
    br_frame *parent;           // sub-frame: row i is row positions[i] of the parent
    const uint16_t *positions;
};

// ---- computing nodes (expression.c) ----------------------------------------------------------

// Errors of allocation name no size: a query that fails for memory says so once.
br_status br_evaluate_no_memory(br_error *err);

BR_CHECKED br_status br_frame_init(br_frame *frame, br_evaluator *evaluator,
                                   const br_vector *columns, uint32_t row_count, br_arena *arena,
                                   br_error *err);
// The rows of `parent` that `selected` has a bit for, count of them.
BR_CHECKED br_status br_frame_init_subset(br_frame *frame, br_frame *parent,
                                          const uint64_t *selected, uint32_t count, br_error *err);

BR_CHECKED br_status br_node_vector(br_frame *frame, const br_node *node, br_vector *out,
                                    br_error *err);
// The same as FLAT or CONST.
BR_CHECKED br_status br_node_flat(br_frame *frame, const br_node *node, br_vector *out,
                                  br_error *err);
BR_CHECKED br_status br_node_condition(br_frame *frame, const br_node *node, br_condition *out,
                                       br_error *err);
// As a filter: only is_true counts, and operands of AND may be skipped on rows that are NULL.
BR_CHECKED br_status br_node_filter(br_frame *frame, const br_node *node, br_condition *out,
                                    br_error *err);
// The generic implementation: node->implementation->row for each row.
BR_CHECKED br_status br_node_rows(br_frame *frame, const br_node *node, br_vector *out,
                                  br_error *err);

// ---- building results (result.c) -------------------------------------------------------------

// The narrowest vector of these values: typed when there is one class beside NULL.
BR_CHECKED br_status br_vector_of_values(const br_value *values, uint32_t row_count,
                                         br_arena *arena, br_vector *out, br_error *err);
// A CONST vector over a copy of the value (its bytes are borrowed).
BR_CHECKED br_status br_vector_of_value(const br_value *value, br_arena *arena, br_vector *out,
                                        br_error *err);
BR_CHECKED br_status br_vector_of_condition(br_frame *frame, const br_condition *condition,
                                            br_vector *out, br_error *err);
// Truth of a vector's values (NULL stays NULL).
BR_CHECKED br_status br_condition_of_vector(br_frame *frame, const br_vector *vector,
                                            br_condition *out, br_error *err);
// Zeroed bits for the rows of a frame.
uint64_t *br_frame_bits(const br_frame *frame);
// The NULL rows of a vector as bits, zero past the end; NULL pointer when there are none.
BR_CHECKED br_status br_frame_nulls(const br_frame *frame, const br_vector *vector,
                                    const uint64_t **nulls_out, br_error *err);
// Every row has the same truth: 1, 0 or -1 (NULL).
BR_CHECKED br_status br_condition_constant(const br_frame *frame, int truth, br_condition *out,
                                           br_error *err);
// Validity of a row-wise result: valid where both are. Either may be NULL.
BR_CHECKED br_status br_frame_both_valid(const br_frame *frame, const uint64_t *left,
                                         const uint64_t *right, const uint64_t **out,
                                         br_error *err);

// ---- implementations -------------------------------------------------------------------------

extern const br_implementation br_operator_implementations[BR_OP_COUNT];    // registry.c
extern const br_implementation br_function_implementations[BR_FN_COUNT];
extern const br_implementation br_case_implementation, br_cast_implementation,
    br_affinity_implementation, br_failed_subquery_implementation;

// What eval_dictionary.c did with a node over a DICT column.
BR_CHECKED br_status br_dictionary_vector(br_frame *frame, const br_node *node, bool *done_out,
                                          br_vector *out, br_error *err);
BR_CHECKED br_status br_dictionary_condition(br_frame *frame, const br_node *node,
                                             bool *done_out, br_condition *out, br_error *err);

// ---- values (value_*.c) ----------------------------------------------------------------------

// As sqlite3AtoF and sqlite3Atoi64 of SQLite 3.40, also their results: for reals 0 or less unless
// the whole text is a number (1: integer, 2 and more: with point or exponent), for integers 0 when
// the whole text is one that fits, 1 with something behind it, 2 and more when out of range.
int br_text_to_real(br_text text, double *value_out);
int br_text_to_int(br_text text, int64_t *value_out);
// The INT or REAL that arithmetic sees; NULL stays NULL.
br_value br_value_to_number(const br_value *value);
// The bytes that sqlite3_value_text gives. Numbers are printed into `arena`; of a NULL: no bytes.
br_text br_value_to_text(const br_value *value, const br_exec_bridge *bridge, br_arena *arena);
uint32_t br_int_format(int64_t value, char *text_out);  // at most 20 bytes; returns how many
// As sqlite3_value_numeric_type: TEXT that is a number from end to end becomes it, 1e3 a REAL.
br_value br_value_of_number_text(br_value value);
br_value br_value_to_integral(br_value value);  // REAL that equals an INT becomes it
int64_t br_real_to_int(double value);           // clamped
// Text bytes up to the first NUL: what SQLite's C string functions see.
static inline uint32_t br_text_c_size(br_text text)
{
    const char *nul = text.size > 0 ? __builtin_memchr(text.data, 0, text.size) : 0;
    return nul != 0 ? (uint32_t)(nul - text.data) : text.size;
}

#endif
