// eval_text.c - || and calls of SQLite's own functions.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

br_status br_text_too_big(br_error *err)
{
    return br_fail(err, BR_RUNTIME, "string or blob too big");
}

br_status br_row_concat(const br_row_context *context, const br_value *args, br_value *out,
                        br_error *err)
{
    *out = br_value_null();
    if (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL) return BR_OK;
    br_text left = br_value_to_text(&args[0], context->evaluator->bridge, context->arena);
    br_text right = br_value_to_text(&args[1], context->evaluator->bridge, context->arena);
    uint64_t size = (uint64_t)left.size + right.size;
    if (size > BR_TEXT_BYTES_MAX) return br_text_too_big(err);
    char *bytes = br_arena_alloc(context->arena, size, 1);
    if (bytes == NULL) return br_evaluate_no_memory(err);
    if (left.size > 0) memcpy(bytes, left.data, left.size);
    if (right.size > 0) memcpy(bytes + left.size, right.data, right.size);
    *out = br_value_text(br_text_make(bytes, (uint32_t)size));
    return BR_OK;
}

// One call of SQLite's own function, for what is not worth doing here.
br_status br_bridge_call(const br_row_context *context, const char *function, const br_value *args,
                         uint32_t arg_count, br_value *out, br_error *err)
{
    const br_exec_bridge *bridge = context->evaluator->bridge;
    return bridge->call(bridge->context, context->evaluator->worker, function, args, arg_count,
                        context->arena, out, err);
}
