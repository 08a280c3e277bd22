// eval_in.c - x IN (list).
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

// SQLite's rule: an empty list is false even for NULL; a NULL on either side makes "not found"
// unknown.
br_status br_row_in(const br_row_context *context, const br_value *args, br_value *out,
                    br_error *err)
{
    (void)err;
    const br_node *node = context->node;
    bool is_unknown = args[0].class_ == BR_NULL && node->arg_count > 1;
    for (uint32_t i = 1; i < node->arg_count && !is_unknown; i++) {
        if (args[i].class_ == BR_NULL) continue;
        if (br_value_compare(&args[0], &args[i], node->collation) != 0) continue;
        *out = br_value_int(1);
        return BR_OK;
    }
    for (uint32_t i = 1; i < node->arg_count; i++) is_unknown |= args[i].class_ == BR_NULL;
    *out = is_unknown ? br_value_null() : br_value_int(0);
    return BR_OK;
}
