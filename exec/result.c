// result.c - building vectors and conditions, and turning one into the other.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"

br_status br_evaluate_no_memory(br_error *err)
{
    return br_fail(err, BR_NOMEM, "no memory to evaluate an expression");
}

uint64_t *br_frame_bits(const br_frame *frame)
{
    return BR_ALLOC(frame->arena, uint64_t, br_bitmap_words(frame->row_count));
}

static br_status typed_of_values(const br_value *values, uint32_t row_count, br_class class_,
                                 const uint64_t *validity, br_arena *arena, br_vector *out,
                                 br_error *err)
{
    size_t item_bytes = class_ == BR_INT || class_ == BR_REAL ? sizeof(int64_t) : sizeof(br_text);
    void *items = br_arena_alloc(arena, row_count * item_bytes, 64);
    if (items == NULL) return br_evaluate_no_memory(err);
    int64_t *numbers = items;
    br_text *texts = items;
    for (uint32_t row = 0; row < row_count; row++) {
        bool is_null = values[row].class_ == BR_NULL;
        if (item_bytes == sizeof(int64_t)) numbers[row] = is_null ? 0 : values[row].i64;
        else texts[row] = is_null ? br_text_make("", 0) : values[row].text;
    }
    *out = (br_vector){.class_ = (uint8_t)class_, .validity = validity, .data = items};
    return BR_OK;
}

br_status br_vector_of_values(const br_value *values, uint32_t row_count, br_arena *arena,
                              br_vector *out, br_error *err)
{
    unsigned mask = 0;
    for (uint32_t row = 0; row < row_count; row++) mask |= 1u << values[row].class_;
    br_class class_ = br_class_of_mask(mask);
    if (class_ == BR_ANY) {
        *out = (br_vector){.class_ = BR_ANY, .any = values};
        return BR_OK;
    }
    if (class_ == BR_NULL) {
        *out = br_vector_null();
        return BR_OK;
    }
    uint64_t *validity = NULL;
    if (mask & BR_MASK_NULL) {
        validity = BR_ALLOC(arena, uint64_t, br_bitmap_words(row_count));
        if (validity == NULL) return br_evaluate_no_memory(err);
        for (uint32_t row = 0; row < row_count; row++) {
            validity[row >> 6] |= (uint64_t)(values[row].class_ != BR_NULL) << (row & 63);
        }
    }
    return typed_of_values(values, row_count, class_, validity, arena, out, err);
}

br_status br_vector_of_value(const br_value *value, br_arena *arena, br_vector *out, br_error *err)
{
    br_value *copy = BR_ALLOC(arena, br_value, 1);
    if (copy == NULL) return br_evaluate_no_memory(err);
    *copy = *value;
    *out = br_vector_const(copy);
    return BR_OK;
}

static br_status bits_inverted(const br_frame *frame, const uint64_t *bits,
                               const uint64_t **out, br_error *err)
{
    uint64_t *inverted = br_frame_bits(frame);
    if (inverted == NULL) return br_evaluate_no_memory(err);
    br_bitmap_fill(inverted, frame->row_count);
    for (uint32_t i = 0; i < br_bitmap_words(frame->row_count); i++) inverted[i] &= ~bits[i];
    *out = inverted;
    return BR_OK;
}

br_status br_vector_of_condition(br_frame *frame, const br_condition *condition, br_vector *out,
                                 br_error *err)
{
    int64_t *items = br_arena_alloc(frame->arena, frame->row_count * sizeof *items, 64);
    if (items == NULL) return br_evaluate_no_memory(err);
    const uint64_t *validity = NULL;
    if (condition->is_null != NULL)
        BR_TRY(bits_inverted(frame, condition->is_null, &validity, err));
    frame->evaluator->kernels->expand_bits(condition->is_true, frame->row_count, items);
    *out = (br_vector){.class_ = BR_INT, .validity = validity, .i64 = items};
    return BR_OK;
}

br_status br_frame_nulls(const br_frame *frame, const br_vector *vector,
                         const uint64_t **nulls_out, br_error *err)
{
    *nulls_out = NULL;
    bool is_any = vector->class_ == BR_ANY && vector->kind != BR_VECTOR_CONST;
    if (vector->class_ != BR_NULL && !is_any && vector->validity == NULL) return BR_OK;
    if (vector->validity != NULL) return bits_inverted(frame, vector->validity, nulls_out, err);
    uint64_t *nulls = br_frame_bits(frame);
    if (nulls == NULL) return br_evaluate_no_memory(err);
    if (vector->class_ == BR_NULL) {
        br_bitmap_fill(nulls, frame->row_count);
    } else {
        for (uint32_t row = 0; row < frame->row_count; row++) {
            nulls[row >> 6] |= (uint64_t)(vector->any[row].class_ == BR_NULL) << (row & 63);
        }
    }
    *nulls_out = nulls;
    return BR_OK;
}

br_status br_condition_constant(const br_frame *frame, int truth, br_condition *out, br_error *err)
{
    uint64_t *is_true = br_frame_bits(frame), *is_null = NULL;
    if (is_true == NULL) return br_evaluate_no_memory(err);
    if (truth > 0) br_bitmap_fill(is_true, frame->row_count);
    if (truth < 0) {
        is_null = br_frame_bits(frame);
        if (is_null == NULL) return br_evaluate_no_memory(err);
        br_bitmap_fill(is_null, frame->row_count);
    }
    *out = (br_condition){.is_true = is_true, .is_null = is_null};
    return BR_OK;
}

br_status br_frame_both_valid(const br_frame *frame, const uint64_t *left, const uint64_t *right,
                              const uint64_t **out, br_error *err)
{
    if (left == NULL || right == NULL) {
        *out = left != NULL ? left : right;
        return BR_OK;
    }
    uint64_t *both = br_frame_bits(frame);
    if (both == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 0; i < br_bitmap_words(frame->row_count); i++) both[i] = left[i] & right[i];
    *out = both;
    return BR_OK;
}

// Sets the bits of rows that are true; NULL rows may get either.
static br_status mark_true(br_frame *frame, const br_vector *vector, uint64_t *is_true,
                           br_error *err)
{
    const br_exec_kernels *kernels = frame->evaluator->kernels;
    uint32_t row_count = frame->row_count;
    br_vector flat;
    if (vector->class_ == BR_INT || vector->class_ == BR_REAL) {
        BR_TRY(br_vector_flatten(vector, row_count, frame->arena, &flat, err));
        if (vector->class_ == BR_INT) kernels->in_range_i64(flat.i64, row_count, 0, 0, is_true);
        else kernels->in_range_f64(flat.f64, row_count, 0.0, 0.0, is_true);
        for (uint32_t i = 0; i < br_bitmap_words(row_count); i++) is_true[i] = ~is_true[i];
        return BR_OK;
    }
    for (uint32_t row = 0; row < row_count; row++) {
        br_value value = br_vector_value(vector, row, frame->arena);
        if (br_value_truth(&value) == 1) br_bitmap_set(is_true, row);
    }
    return BR_OK;
}

br_status br_condition_of_vector(br_frame *frame, const br_vector *vector, br_condition *out,
                                 br_error *err)
{
    if (vector->kind == BR_VECTOR_CONST) {
        br_value value = br_vector_value(vector, 0, frame->arena);
        return br_condition_constant(frame, br_value_truth(&value), out, err);
    }
    const uint64_t *is_null;
    BR_TRY(br_frame_nulls(frame, vector, &is_null, err));
    uint64_t *is_true = br_frame_bits(frame), *rows = br_frame_bits(frame);
    if (is_true == NULL || rows == NULL) return br_evaluate_no_memory(err);
    BR_TRY(mark_true(frame, vector, is_true, err));
    br_bitmap_fill(rows, frame->row_count);
    for (uint32_t i = 0; i < br_bitmap_words(frame->row_count); i++) {
        is_true[i] &= rows[i] & ~(is_null != NULL ? is_null[i] : 0);
    }
    *out = (br_condition){.is_true = is_true, .is_null = is_null};
    return BR_OK;
}
