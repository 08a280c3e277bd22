// eval_text.c - || LIKE GLOB.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

enum { PATTERN_BYTES_MAX = 50000 }; // SQLite's default limit

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

static uint32_t escape_of(const br_value *value, const br_exec_bridge *bridge, br_arena *arena,
                          br_error *err)
{
    br_text text = br_value_to_text(value, bridge, arena);
    const char *at = text.data, *end = text.data + br_text_c_size(text);
    uint32_t character = at < end ? br_utf8_read(&at, end) : 0;
    if (character != 0 && at == end) return character;
    br_fail(err, BR_RUNTIME, "ESCAPE expression must be a single character");
    return 0;
}

br_status br_row_like(const br_row_context *context, const br_value *args, br_value *out,
                      br_error *err)
{
    const br_node *node = context->node;
    bool is_like = node->operator_ == BR_OP_LIKE;
    br_pattern_style style = {
        .matches_all = is_like ? '%' : '*', .matches_one = is_like ? '_' : '?', .is_like = is_like};
    // Whether blobs match anything depends on how SQLite was compiled.
    if (args[0].class_ == BR_BLOB || args[1].class_ == BR_BLOB) {
        br_value swapped[3] = {args[1], args[0]};
        if (node->arg_count > 2) swapped[2] = args[2];
        return br_bridge_call(context, is_like ? "like" : "glob", swapped, node->arg_count, out,
                              err);
    }
    *out = br_value_null();
    br_text pattern = br_value_to_text(&args[1], context->evaluator->bridge, context->arena);
    if (pattern.size > PATTERN_BYTES_MAX)
        return br_fail(err, BR_RUNTIME, "LIKE or GLOB pattern too complex");
    if (node->arg_count > 2) {
        if (args[2].class_ == BR_NULL) return BR_OK;
        style.escape = escape_of(&args[2], context->evaluator->bridge, context->arena, err);
        if (style.escape == 0) return BR_RUNTIME;
        if (style.escape == style.matches_all) style.matches_all = 0;
        if (style.escape == style.matches_one) style.matches_one = 0;
    }
    if (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL) return BR_OK;
    br_text text = br_value_to_text(&args[0], context->evaluator->bridge, context->arena);
    *out = br_value_int(br_pattern_matches(&style, pattern, text));
    return BR_OK;
}
