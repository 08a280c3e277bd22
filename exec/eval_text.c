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

// The text of one side in a row, for TEXT and INT; numbers are printed into `digits`.
static br_text side_text(const br_vector *vector, uint32_t row, char *digits)
{
    uint32_t index = vector->kind == BR_VECTOR_CONST ? 0 : row;
    if (vector->class_ == BR_TEXT) return vector->text[index];
    return br_text_make(digits, br_int_format(vector->i64[index], digits));
}

static bool is_text_or_int(const br_vector *vector)
{
    return vector->class_ == BR_TEXT || vector->class_ == BR_INT;
}

// left || right for rows that are not NULL; the others get empty text.
static br_status concat_rows(br_frame *frame, const br_vector *left, const br_vector *right,
                             br_vector *out, br_error *err)
{
    const uint64_t *validity;
    BR_TRY(br_frame_both_valid(frame, left->validity, right->validity, &validity, err));
    br_text *texts = br_arena_alloc(frame->arena, frame->row_count * sizeof *texts, 64);
    if (texts == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        char digits[2][24];
        texts[row] = br_text_make("", 0);
        if (validity != NULL && !br_bitmap_get(validity, row)) continue;
        br_text first = side_text(left, row, digits[0]), second = side_text(right, row, digits[1]);
        uint64_t size = (uint64_t)first.size + second.size;
        if (size > BR_TEXT_BYTES_MAX) return br_text_too_big(err);
        char *bytes = br_arena_alloc(frame->arena, size, 1);
        if (bytes == NULL) return br_evaluate_no_memory(err);
        if (first.size > 0) memcpy(bytes, first.data, first.size);
        if (second.size > 0) memcpy(bytes + first.size, second.data, second.size);
        texts[row] = br_text_make(bytes, (uint32_t)size);
    }
    *out = (br_vector){.class_ = BR_TEXT, .validity = validity, .text = texts};
    return BR_OK;
}

br_status br_vector_concat(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    br_vector left, right;
    BR_TRY(br_node_flat(frame, node->args[0], &left, err));
    BR_TRY(br_node_flat(frame, node->args[1], &right, err));
    bool is_const = left.kind == BR_VECTOR_CONST && right.kind == BR_VECTOR_CONST;
    if (is_const || !is_text_or_int(&left) || !is_text_or_int(&right))
        return br_node_rows(frame, node, out, err);
    return concat_rows(frame, &left, &right, out, err);
}

// One call of SQLite's own function, for what is not worth doing here.
br_status br_bridge_call(const br_row_context *context, const char *function, const br_value *args,
                         uint32_t arg_count, br_value *out, br_error *err)
{
    const br_exec_bridge *bridge = context->evaluator->bridge;
    br_vector vectors[BR_BRIDGE_ARGUMENTS_MAX];
    if (arg_count > BR_BRIDGE_ARGUMENTS_MAX)
        return br_fail(err, BR_UNSUPPORTED, "function %s() of %u arguments", function, arg_count);
    for (uint32_t i = 0; i < arg_count; i++) vectors[i] = br_vector_const(&args[i]);
    br_function_call call = {
        .function = function,
        .argument_count = arg_count,
        .arguments = vectors,
        .row_count = 1,
    };
    return bridge->call(bridge->context, context->evaluator->worker, &call, context->arena, out,
                        err);
}

// A whole batch goes over at once.
br_status br_vector_bridge(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    const br_exec_bridge *bridge = frame->evaluator->bridge;
    br_vector *arguments = BR_ALLOC(frame->arena, br_vector, node->arg_count);
    if (arguments == NULL) return br_evaluate_no_memory(err);
    bool is_constant = !node->is_volatile;
    for (uint32_t i = 0; i < node->arg_count; i++) {
        BR_TRY(br_node_vector(frame, node->args[i], &arguments[i], err));
        is_constant = is_constant && arguments[i].kind == BR_VECTOR_CONST;
    }
    br_function_call call = {
        .function = node->function_name,
        .is_expression = node->is_expression,
        .argument_count = node->arg_count,
        .arguments = arguments,
        .row_count = is_constant && frame->row_count > 0 ? 1 : frame->row_count,
    };
    br_value *values = BR_ALLOC(frame->arena, br_value, call.row_count);
    if (values == NULL) return br_evaluate_no_memory(err);
    BR_TRY(bridge->call(bridge->context, frame->evaluator->worker, &call, frame->arena, values,
                        err));
    if (is_constant && call.row_count == 1)
        return br_vector_of_value(&values[0], frame->arena, out, err);
    return br_vector_of_values(values, call.row_count, frame->arena, out, err);
}
