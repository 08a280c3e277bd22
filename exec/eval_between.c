// eval_between.c - x BETWEEN low AND high: NULL unless one of the two comparisons is false.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/compare_range.h"
#include "exec/implementations.h"

static br_status row_between(const br_node *node, const br_value *args, br_value *out)
{
    bool is_unknown = args[0].class_ == BR_NULL;
    for (uint32_t i = 1; i <= 2; i++) {
        if (args[0].class_ == BR_NULL || args[i].class_ == BR_NULL) {
            is_unknown = true;
            continue;
        }
        int order = br_value_compare(&args[0], &args[i], node->collation);
        if (i == 1 ? order >= 0 : order <= 0) continue;
        *out = br_value_int(0);
        return BR_OK;
    }
    *out = is_unknown ? br_value_null() : br_value_int(1);
    return BR_OK;
}

br_status br_row_between(const br_row_context *context, const br_value *args, br_value *out,
                         br_error *err)
{
    (void)err;
    return row_between(context->node, args, out);
}

// Between two constants: one pass over the numbers, when the vector has them.
static br_status between_constants(br_frame *frame, const br_node *node, const br_vector *vector,
                                   bool *done_out, br_condition *out, br_error *err)
{
    br_compare_range low, high;
    *done_out = false;
    if (vector->kind == BR_VECTOR_CONST || vector->kind == BR_VECTOR_DICT) return BR_OK;
    if (!br_compare_range_of(vector, BR_OP_GE, &node->args[1]->value, node->collation, &low) ||
        !br_compare_range_of(vector, BR_OP_LE, &node->args[2]->value, node->collation, &high))
        return BR_OK;
    br_compare_range range = br_compare_range_intersect(&low, &high);
    const uint64_t *nulls;
    uint64_t *bits = br_frame_bits(frame);
    if (bits == NULL) return br_evaluate_no_memory(err);
    BR_TRY(br_frame_nulls(frame, vector, &nulls, err));
    br_compare_range_apply(&range, frame->evaluator->kernels, vector, frame->row_count, bits);
    for (uint32_t i = 0; nulls != NULL && i < br_bitmap_words(frame->row_count); i++) {
        bits[i] &= ~nulls[i];
    }
    *out = (br_condition){.is_true = bits, .is_null = nulls};
    *done_out = true;
    return BR_OK;
}

br_status br_condition_between(br_frame *frame, const br_node *node, br_condition *out,
                               br_error *err)
{
    bool done = false;
    br_vector vector;
    if (node->args[1]->kind == BR_EXPR_CONST && node->args[2]->kind == BR_EXPR_CONST) {
        BR_TRY(br_node_vector(frame, node->args[0], &vector, err));
        BR_TRY(between_constants(frame, node, &vector, &done, out, err));
        if (done) return BR_OK;
    }
    br_condition low, high;
    BR_TRY(br_compare_nodes(frame, node, BR_OP_GE, 1, &low, err));
    BR_TRY(br_compare_nodes(frame, node, BR_OP_LE, 2, &high, err));
    uint64_t *is_true = br_frame_bits(frame), *is_null = br_frame_bits(frame);
    if (is_true == NULL || is_null == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 0; i < br_bitmap_words(frame->row_count); i++) {
        uint64_t low_null = low.is_null != NULL ? low.is_null[i] : 0;
        uint64_t high_null = high.is_null != NULL ? high.is_null[i] : 0;
        is_true[i] = low.is_true[i] & high.is_true[i];
        is_null[i] = (low_null & (high.is_true[i] | high_null)) | (low.is_true[i] & high_null);
    }
    bool has_nulls = low.is_null != NULL || high.is_null != NULL;
    *out = (br_condition){.is_true = is_true, .is_null = has_nulls ? is_null : NULL};
    return BR_OK;
}
