// function_date_trunc.c - date_trunc(unit, time): see base/date_trunc.h.
//
// Times that are numbers (DATE and DATETIME vectors) stay numbers.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "base/date_trunc.h"
#include "exec/implementations.h"

br_status br_prepare_date_trunc(br_node *node, br_arena *arena, br_error *err)
{
    const br_node *name = node->args[0];
    if (name->kind != BR_EXPR_CONST || name->value.class_ != BR_TEXT) return BR_OK;
    br_date_unit *unit = BR_ALLOC(arena, br_date_unit, 1);
    if (unit == NULL) return br_evaluate_no_memory(err);
    // A wrong unit fails for the first row that has a time, as in SQLite.
    if (br_date_unit_parse(name->value.text, unit, NULL) == BR_OK) node->detail = unit;
    return BR_OK;
}

br_status br_row_date_trunc(const br_row_context *context, const br_value *args, br_value *out,
                            br_error *err)
{
    const br_exec_bridge *bridge = context->evaluator->bridge;
    const br_date_unit *known = context->node->detail;
    br_date_unit unit;
    uint32_t size;
    *out = br_value_null();
    if (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL) return BR_OK;
    if (known != NULL) unit = *known;
    else BR_TRY(br_date_unit_parse(br_value_to_text(&args[0], bridge, context->arena), &unit, err));
    char *bytes = br_arena_alloc(context->arena, BR_DATE_TRUNC_BYTES, 1);
    if (bytes == NULL) return br_evaluate_no_memory(err);
    br_text time = br_value_to_text(&args[1], bridge, context->arena);
    if (br_date_trunc(unit, time, bytes, &size)) *out = br_value_text(br_text_make(bytes, size));
    return BR_OK;
}

br_status br_vector_date_trunc(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    const br_date_unit *unit = node->detail;
    br_vector times;
    BR_TRY(br_node_vector(frame, node->args[1], &times, err));
    bool is_date = times.kind == BR_VECTOR_DATE;
    // A week may begin before the year 0000, where there are no texts of times.
    if (unit == NULL || *unit == BR_DATE_WEEK || (!is_date && times.kind != BR_VECTOR_DATETIME))
        return br_node_rows(frame, node, out, err);
    int64_t *numbers = br_arena_alloc(frame->arena, frame->row_count * sizeof *numbers, 64);
    if (numbers == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        bool is_null = times.validity != NULL && !br_bitmap_get(times.validity, row);
        int64_t number = is_null ? 0 : times.i64[row];
        numbers[row] = is_date ? br_date_trunc_days(*unit, number)
                               : br_date_trunc_seconds(*unit, number);
    }
    *out = (br_vector){
        .class_ = BR_TEXT, .kind = times.kind, .validity = times.validity, .i64 = numbers};
    return BR_OK;
}
