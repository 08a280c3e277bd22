// eval_compare.c - = <> < <= > >= IS, IS NOT, BETWEEN.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

static bool order_satisfies(int order, br_operator operator_)
{
    switch (operator_) {
    case BR_OP_EQ:
    case BR_OP_IS: return order == 0;
    case BR_OP_NE:
    case BR_OP_IS_NOT: return order != 0;
    case BR_OP_LT: return order < 0;
    case BR_OP_LE: return order <= 0;
    case BR_OP_GT: return order > 0;
    default: return order >= 0;
    }
}

br_status br_row_compare(const br_row_context *context, const br_value *args, br_value *out,
                         br_error *err)
{
    (void)err;
    br_operator operator_ = context->node->operator_;
    bool is_null_safe = operator_ == BR_OP_IS || operator_ == BR_OP_IS_NOT;
    *out = br_value_null();
    if (!is_null_safe && (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL)) return BR_OK;
    int order = br_value_compare(&args[0], &args[1], context->node->collation);
    *out = br_value_int(order_satisfies(order, operator_));
    return BR_OK;
}

// NULL unless one of the two comparisons is false.
br_status br_row_between(const br_row_context *context, const br_value *args, br_value *out,
                         br_error *err)
{
    (void)err;
    bool is_unknown = args[0].class_ == BR_NULL;
    for (uint32_t i = 1; i <= 2; i++) {
        if (args[0].class_ == BR_NULL || args[i].class_ == BR_NULL) {
            is_unknown = true;
            continue;
        }
        int order = br_value_compare(&args[0], &args[i], context->node->collation);
        if (order_satisfies(order, i == 1 ? BR_OP_GE : BR_OP_LE)) continue;
        *out = br_value_int(0);
        return BR_OK;
    }
    *out = is_unknown ? br_value_null() : br_value_int(1);
    return BR_OK;
}
