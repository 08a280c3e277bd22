// registry.c - which implementation each operator and function has.
// SPDX-License-Identifier: Apache-2.0
#include "exec/implementations.h"

// Costs are rough nanoseconds per row of the typed case; only their order matters.
const br_implementation br_operator_implementations[BR_OP_COUNT] = {
    [BR_OP_ADD] = {.row = br_row_arithmetic, .vector = br_vector_arithmetic, .cost = 1},
    [BR_OP_SUB] = {.row = br_row_arithmetic, .vector = br_vector_arithmetic, .cost = 1},
    [BR_OP_MUL] = {.row = br_row_arithmetic, .vector = br_vector_arithmetic, .cost = 1},
    [BR_OP_DIV] = {.row = br_row_arithmetic, .vector = br_vector_arithmetic, .cost = 3},
    [BR_OP_MOD] = {.row = br_row_arithmetic, .vector = br_vector_arithmetic, .cost = 5},
    [BR_OP_NEGATE] = {.row = br_row_negate, .vector = br_vector_arithmetic, .cost = 1},
    [BR_OP_BIT_AND] = {.row = br_row_bits, .cost = 2},
    [BR_OP_BIT_OR] = {.row = br_row_bits, .cost = 2},
    [BR_OP_SHIFT_LEFT] = {.row = br_row_bits, .cost = 2},
    [BR_OP_SHIFT_RIGHT] = {.row = br_row_bits, .cost = 2},
    [BR_OP_BIT_NOT] = {.row = br_row_bit_not, .cost = 2},
    [BR_OP_CONCAT] = {.row = br_row_concat, .vector = br_vector_concat, .cost = 20},
    [BR_OP_EQ] = {.row = br_row_compare, .condition = br_condition_compare, .cost = 1},
    [BR_OP_NE] = {.row = br_row_compare, .condition = br_condition_compare, .cost = 1},
    [BR_OP_LT] = {.row = br_row_compare, .condition = br_condition_compare, .cost = 1},
    [BR_OP_LE] = {.row = br_row_compare, .condition = br_condition_compare, .cost = 1},
    [BR_OP_GT] = {.row = br_row_compare, .condition = br_condition_compare, .cost = 1},
    [BR_OP_GE] = {.row = br_row_compare, .condition = br_condition_compare, .cost = 1},
    [BR_OP_IS] = {.row = br_row_compare, .condition = br_condition_compare, .cost = 1},
    [BR_OP_IS_NOT] = {.row = br_row_compare, .condition = br_condition_compare, .cost = 1},
    [BR_OP_AND] = {.condition = br_condition_logic},
    [BR_OP_OR] = {.condition = br_condition_logic},
    [BR_OP_NOT] = {.condition = br_condition_not},
    [BR_OP_IS_NULL] = {.condition = br_condition_is_null},
    [BR_OP_NOT_NULL] = {.condition = br_condition_is_null},
    [BR_OP_IS_TRUE] = {.condition = br_condition_is_truth},
    [BR_OP_IS_FALSE] = {.condition = br_condition_is_truth},
    [BR_OP_IS_NOT_TRUE] = {.condition = br_condition_is_truth},
    [BR_OP_IS_NOT_FALSE] = {.condition = br_condition_is_truth},
    [BR_OP_BETWEEN] = {.row = br_row_between, .condition = br_condition_between, .cost = 2},
    [BR_OP_IN] = {.row = br_row_in, .condition = br_condition_in, .prepare = br_prepare_in,
                  .cost = 5},
    [BR_OP_LIKE] = {.row = br_row_like, .condition = br_condition_like,
                    .prepare = br_prepare_like, .cost = 30},
    [BR_OP_GLOB] = {.row = br_row_like, .condition = br_condition_like,
                    .prepare = br_prepare_like, .cost = 50},
};

const br_implementation br_function_implementations[BR_FN_COUNT] = {
    [BR_FN_BRIDGE] = {.vector = br_vector_bridge, .cost = 300},
    [BR_FN_ABS] = {.row = br_row_abs, .cost = 5},
    [BR_FN_ROUND] = {.row = br_row_round, .cost = 20},
    [BR_FN_COALESCE] = {.vector = br_vector_coalesce, .cost = 3},
    [BR_FN_NULLIF] = {.row = br_row_nullif, .cost = 10},
    [BR_FN_IIF] = {.vector = br_vector_case, .cost = 3},
    [BR_FN_LENGTH] = {.row = br_row_length, .vector = br_vector_length, .cost = 8},
    [BR_FN_LOWER] = {.row = br_row_change_case, .cost = 30},
    [BR_FN_UPPER] = {.row = br_row_change_case, .cost = 30},
    [BR_FN_SUBSTR] = {.row = br_row_substr, .vector = br_vector_substr, .cost = 10},
    [BR_FN_TRIM] = {.row = br_row_trim, .cost = 15},
    [BR_FN_LTRIM] = {.row = br_row_trim, .cost = 15},
    [BR_FN_RTRIM] = {.row = br_row_trim, .cost = 15},
    [BR_FN_REPLACE] = {.row = br_row_replace, .cost = 40},
    [BR_FN_INSTR] = {.row = br_row_instr, .cost = 40},
    [BR_FN_MIN] = {.row = br_row_min_max, .cost = 10},
    [BR_FN_MAX] = {.row = br_row_min_max, .cost = 10},
    [BR_FN_TYPEOF] = {.row = br_row_typeof, .cost = 5},
    [BR_FN_DATE] = {.row = br_row_time, .vector = br_vector_time,
                     .prepare = br_prepare_time, .cost = 20},
    [BR_FN_TIME] = {.row = br_row_time, .vector = br_vector_time,
                     .prepare = br_prepare_time, .cost = 20},
    [BR_FN_DATETIME] = {.row = br_row_time, .vector = br_vector_time,
                     .prepare = br_prepare_time, .cost = 20},
    [BR_FN_JULIANDAY] = {.row = br_row_time, .vector = br_vector_time,
                     .prepare = br_prepare_time, .cost = 20},
    [BR_FN_UNIXEPOCH] = {.row = br_row_time, .vector = br_vector_time,
                     .prepare = br_prepare_time, .cost = 20},
    [BR_FN_STRFTIME] = {.row = br_row_time, .vector = br_vector_time,
                        .prepare = br_prepare_time, .cost = 20},
    [BR_FN_HEX] = {.row = br_row_hex, .cost = 30},
    [BR_FN_UNICODE] = {.row = br_row_unicode, .cost = 8},
    [BR_FN_SIGN] = {.row = br_row_sign, .cost = 5},
    [BR_FN_LIKELY] = {.row = br_row_likely, .cost = 1},
    [BR_FN_REGEXP] = {.row = br_row_regexp, .condition = br_condition_regexp, .cost = 150},
    [BR_FN_REGEXP_REPLACE] = {.row = br_row_regexp, .vector = br_vector_regexp_replace,
                              .cost = 200},
    [BR_FN_MATH] = {.row = br_row_math, .vector = br_vector_math, .prepare = br_prepare_math,
                    .cost = 15},
    [BR_FN_LOG_BASE] = {.row = br_row_log_base, .cost = 30},
    [BR_FN_PI] = {.row = br_row_pi, .cost = 1},
    [BR_FN_DATE_TRUNC] = {.row = br_row_date_trunc, .vector = br_vector_date_trunc,
                          .prepare = br_prepare_date_trunc, .cost = 25},
    [BR_FN_JSON_EXTRACT] = {.row = br_row_json, .prepare = br_prepare_json, .cost = 120},
    [BR_FN_REGEXP_EXTRACT] = {.row = br_row_regexp, .cost = 200},
};

const br_implementation br_case_implementation = {.vector = br_vector_case, .cost = 3};

// A subquery that could not be computed; node->detail is why.
static br_status fail_subquery(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    const br_error *failure = node->detail;
    *out = br_vector_null();
    if (frame->row_count == 0) return BR_OK;
    return br_fail(err, failure->status, "%s", failure->message);
}

const br_implementation br_failed_subquery_implementation = {.vector = fail_subquery};
