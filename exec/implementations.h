// implementations.h - what registry.c puts into its tables, and what implementations share.
//
// br_row_*, br_vector_* and br_condition_* are of the types in evaluate.h.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_IMPLEMENTATIONS_H
#define BR_EXEC_IMPLEMENTATIONS_H

#include "exec/evaluate.h"

#define BR_DECLARE_ROW(name)                                                                \
    BR_CHECKED br_status name(const br_row_context *context, const br_value *args,          \
                              br_value *out, br_error *err)
#define BR_DECLARE_VECTOR(name)                                                             \
    BR_CHECKED br_status name(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
#define BR_DECLARE_CONDITION(name)                                                          \
    BR_CHECKED br_status name(br_frame *frame, const br_node *node, br_condition *out,      \
                              br_error *err)

BR_CHECKED br_status br_prepare_like(br_node *node, br_arena *arena, br_error *err);
BR_CHECKED br_status br_prepare_time(br_node *node, br_arena *arena, br_error *err);
BR_CHECKED br_status br_prepare_math(br_node *node, br_arena *arena, br_error *err);
BR_CHECKED br_status br_prepare_json(br_node *node, br_arena *arena, br_error *err);
BR_CHECKED br_status br_prepare_date_trunc(br_node *node, br_arena *arena, br_error *err);
BR_CHECKED br_status br_prepare_in(br_node *node, br_arena *arena, br_error *err);

BR_DECLARE_ROW(br_row_arithmetic);
BR_DECLARE_ROW(br_row_negate);
BR_DECLARE_ROW(br_row_bits);
BR_DECLARE_ROW(br_row_bit_not);
BR_DECLARE_ROW(br_row_compare);
BR_DECLARE_ROW(br_row_between);
BR_DECLARE_ROW(br_row_in);
BR_DECLARE_ROW(br_row_concat);
BR_DECLARE_ROW(br_row_like);

BR_DECLARE_CONDITION(br_condition_compare);
BR_DECLARE_CONDITION(br_condition_between);
BR_DECLARE_CONDITION(br_condition_in);
BR_DECLARE_CONDITION(br_condition_like);
BR_DECLARE_CONDITION(br_condition_logic);
BR_DECLARE_CONDITION(br_condition_not);
BR_DECLARE_CONDITION(br_condition_is_null);
BR_DECLARE_CONDITION(br_condition_is_truth);

BR_DECLARE_VECTOR(br_vector_arithmetic);
BR_DECLARE_VECTOR(br_vector_concat);
BR_DECLARE_VECTOR(br_vector_case);
BR_DECLARE_VECTOR(br_vector_coalesce);

BR_DECLARE_VECTOR(br_vector_bridge);
BR_DECLARE_VECTOR(br_vector_time);
BR_DECLARE_VECTOR(br_vector_math);
BR_DECLARE_VECTOR(br_vector_length);
BR_DECLARE_VECTOR(br_vector_substr);
BR_DECLARE_VECTOR(br_vector_regexp_replace);
BR_DECLARE_CONDITION(br_condition_regexp);

BR_DECLARE_ROW(br_row_time);
BR_DECLARE_ROW(br_row_regexp);
BR_DECLARE_ROW(br_row_abs);
BR_DECLARE_ROW(br_row_round);
BR_DECLARE_ROW(br_row_sign);
BR_DECLARE_ROW(br_row_min_max);
BR_DECLARE_ROW(br_row_nullif);
BR_DECLARE_ROW(br_row_typeof);
BR_DECLARE_ROW(br_row_likely);
BR_DECLARE_ROW(br_row_date_trunc);
BR_DECLARE_VECTOR(br_vector_date_trunc);
BR_DECLARE_ROW(br_row_math);
BR_DECLARE_ROW(br_row_json);
BR_DECLARE_ROW(br_row_log_base);
BR_DECLARE_ROW(br_row_pi);
BR_DECLARE_ROW(br_row_length);
BR_DECLARE_ROW(br_row_change_case);
BR_DECLARE_ROW(br_row_substr);
BR_DECLARE_ROW(br_row_trim);
BR_DECLARE_ROW(br_row_replace);
BR_DECLARE_ROW(br_row_instr);
BR_DECLARE_ROW(br_row_hex);
BR_DECLARE_ROW(br_row_unicode);

// ---- shared ----------------------------------------------------------------------------------

// One operation + - * / % on two values, under the node's overflow rule.
BR_CHECKED br_status br_arithmetic_value(const br_node *node, br_operator operator_,
                                         const br_value *left, const br_value *right,
                                         br_value *out, br_error *err);

// The node as a condition on some rows only; false for the others.
BR_CHECKED br_status br_node_condition_on(br_frame *frame, const br_node *node,
                                          const uint64_t *selected, uint32_t count,
                                          br_condition *out, br_error *err);

// args[0] compared with args[right_index], under the node's collation. Not for IS and IS NOT.
BR_CHECKED br_status br_compare_nodes(br_frame *frame, const br_node *node, br_operator operator_,
                                      uint32_t right_index, br_condition *out, br_error *err);

enum { BR_BRIDGE_ARGUMENTS_MAX = 127 };  // SQLITE_MAX_FUNCTION_ARG
BR_CHECKED br_status br_bridge_call(const br_row_context *context, const char *function,
                                    const br_value *args, uint32_t arg_count, br_value *out,
                                    br_error *err);

enum { BR_TEXT_BYTES_MAX = 1000000000 };  // SQLite's default limit of a string or blob
BR_CHECKED br_status br_text_too_big(br_error *err);

// One character as SQLite decodes it, 0 at the end; bad sequences give 0xfffd.
uint32_t br_utf8_read(const char **at_inout, const char *end);

typedef struct br_pattern_style {
    uint32_t matches_all, matches_one, escape;  // characters; 0: none
    bool is_like;      // there are no [sets]
    bool folds_case;   // ASCII case does not matter
} br_pattern_style;
bool br_pattern_matches(const br_pattern_style *style, br_text pattern, br_text text);

#endif
