// function_call.h - a call of functions that somebody else implements, for all rows of a batch.
//
// exec/ makes these calls and oltp/ answers them with SQLite's own functions; the router joins the
// two, since neither knows the other.
//
// Ownership: everything is borrowed for the duration of the call.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_FUNCTION_CALL_H
#define BR_BASE_FUNCTION_CALL_H

#include "base/vector.h"

typedef struct br_function_call {
    const char *function;        // a name; with is_expression a SQL expression over ?1, ?2, ...
    bool is_expression;
    uint32_t argument_count;
    const br_vector *arguments;  // of row_count rows
    uint32_t row_count;
} br_function_call;

// Takes the rows of a table-valued function, one by one; values are borrowed for the call.
typedef struct br_row_receiver {
    br_status (*receive)(void *context, const br_value *values, bool *wants_more_out,
                         br_error *err);
    void *context;
} br_row_receiver;

#endif
