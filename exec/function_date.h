// function_date.h - what CAST knows about strftime().
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_FUNCTION_DATE_H
#define BR_EXEC_FUNCTION_DATE_H

#include "exec/evaluate.h"

// CAST(node AS INTEGER) when the node is strftime() with one numeric conversion of canonical times:
// the number without its text. *done_out is false otherwise.
BR_CHECKED br_status br_strftime_as_int(br_frame *frame, const br_node *node, bool *done_out,
                                        br_vector *out, br_error *err);

#endif
