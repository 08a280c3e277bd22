// json_call.h - nested calls of JSON functions as one SQL expression.
//
// SQLite marks what its JSON functions return, and others of them take a marked text for JSON where
// they would take another for a string. Our values carry no mark. So a call that looks at marks
// goes over the bridge together with everything below it that makes some:
//
//     json_array(json(a), upper(b))   ->   "json_array"("json"(?1),?2)   of a and upper(b)
//
// Ownership: the arena given. Threads: any. Errors: BR_UNSUPPORTED for marks that come out of
// something that has no SQL text here.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_JSON_CALL_H
#define BR_EXEC_JSON_CALL_H

#include "sql/sql.h"

typedef struct br_json_call {
    const char *text;
    uint32_t leaf_count;
    br_expr **leaves;  // ?1, ?2, ...
    bool is_volatile;
} br_json_call;

// Does the call look at marks that its arguments have?
bool br_json_is_nested(const br_expr *expr);
BR_CHECKED br_status br_json_call_make(const br_expr *expr, br_arena *arena, br_json_call *out,
                                       br_error *err);

#endif
