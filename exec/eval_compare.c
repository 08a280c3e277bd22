// eval_compare.c - = <> < <= > >= IS, IS NOT.
//
// Two vectors are compared without regard to NULLs into bits, by the classes and kinds that come
// in; NULL rows are masked afterwards.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/compare_range.h"
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

// ---- whole vectors ---------------------------------------------------------------------------

typedef struct compare_task {
    br_frame *frame;
    br_operator operator_;  // EQ, NE, LT, LE, GT, GE
    br_collation collation;
    br_vector left, right;
} compare_task;

static void invert(uint64_t *bits, uint32_t row_count)
{
    for (uint32_t i = 0; i < br_bitmap_words(row_count); i++) bits[i] = ~bits[i];
    if (row_count % 64 != 0) bits[row_count / 64] &= (1ull << (row_count % 64)) - 1;
}

// left op right, as equal or less of these or the swapped operands, and perhaps inverted.
static void compare_i64(const br_exec_kernels *kernels, br_operator operator_, const int64_t *left,
                        const int64_t *right, uint32_t row_count, uint64_t *bits)
{
    switch (operator_) {
    case BR_OP_EQ:
    case BR_OP_NE: kernels->equal_i64(left, right, row_count, bits); break;
    case BR_OP_LT:
    case BR_OP_GE: kernels->less_i64(left, right, row_count, bits); break;
    default: kernels->less_i64(right, left, row_count, bits); break;
    }
    if (operator_ == BR_OP_NE || operator_ == BR_OP_GE || operator_ == BR_OP_LE)
        invert(bits, row_count);
}

static void compare_f64(const br_exec_kernels *kernels, br_operator operator_, const double *left,
                        const double *right, uint32_t row_count, uint64_t *bits)
{
    switch (operator_) {
    case BR_OP_EQ:
    case BR_OP_NE: kernels->equal_f64(left, right, row_count, bits); break;
    case BR_OP_LT:
    case BR_OP_GE: kernels->less_f64(left, right, row_count, bits); break;
    default: kernels->less_f64(right, left, row_count, bits); break;
    }
    if (operator_ == BR_OP_NE || operator_ == BR_OP_GE || operator_ == BR_OP_LE)
        invert(bits, row_count);
}

static br_status compare_int_real(const compare_task *comparison, uint64_t *bits, br_error *err)
{
    br_frame *frame = comparison->frame;
    const br_exec_kernels *kernels = frame->evaluator->kernels;
    bool is_left_int = comparison->left.class_ == BR_INT;
    const int64_t *ints = is_left_int ? comparison->left.i64 : comparison->right.i64;
    const double *reals = is_left_int ? comparison->right.f64 : comparison->left.f64;
    const int64_t exact_max = 9007199254740992;  // 2^53: up to here every integer is a double
    int64_t min, max;
    if (frame->row_count == 0) return BR_OK;
    kernels->min_max_i64(ints, frame->row_count, &min, &max);
    if (min >= -exact_max && max <= exact_max) {
        double *converted = br_arena_alloc(frame->arena, frame->row_count * sizeof(double), 64);
        if (converted == NULL) return br_evaluate_no_memory(err);
        kernels->i64_to_f64(ints, frame->row_count, converted);
        compare_f64(kernels, comparison->operator_, is_left_int ? converted : reals,
                    is_left_int ? reals : converted, frame->row_count, bits);
        return BR_OK;
    }
    for (uint32_t row = 0; row < frame->row_count; row++) {
        // Behind a NULL row there may be a NaN, which has no order.
        double real = reals[row] == reals[row] ? reals[row] : 0.0;
        int order = br_int_real_compare(ints[row], real);
        if (order_satisfies(is_left_int ? order : -order, comparison->operator_))
            br_bitmap_set(bits, row);
    }
    return BR_OK;
}

// Texts equal to a constant: size and first bytes decide most rows.
static void equal_text_constant(const br_exec_kernels *kernels, const br_text *texts,
                                br_text constant, uint32_t row_count, uint64_t *bits)
{
    uint64_t word;
    memcpy(&word, (const char *)&constant + offsetof(br_text, size), sizeof word);
    kernels->equal_text_word(texts, row_count, word, bits);
    if (constant.size <= 4) return;
    for (uint32_t i = 0; i < br_bitmap_words(row_count); i++) {
        for (uint64_t left = bits[i]; left != 0; left &= left - 1) {
            uint32_t row = i * 64 + (uint32_t)__builtin_ctzll(left);
            if (memcmp(texts[row].data + 4, constant.data + 4, constant.size - 4) != 0)
                bits[i] &= ~(left & (0 - left));
        }
    }
}

// As kernels do, for conditions that are function calls.
#define SET_BITS_WHERE(condition)                                                           \
    for (uint32_t row = 0; row < row_count; row++) {                                        \
        bits[row >> 6] |= (uint64_t)(condition) << (row & 63);                              \
    }

static void compare_texts(const compare_task *comparison, uint64_t *bits)
{
    uint32_t row_count = comparison->frame->row_count;
    br_operator operator_ = comparison->operator_;
    br_collation collation = comparison->collation;
    const br_text *left = comparison->left.text, *right = comparison->right.text;
    uint32_t step = comparison->right.kind == BR_VECTOR_CONST ? 0 : 1;
    bool is_equality = operator_ == BR_OP_EQ || operator_ == BR_OP_NE;
    if (collation != BR_COLLATION_BINARY) {
        SET_BITS_WHERE(order_satisfies(br_text_collate(left[row], right[row * step], collation),
                                       operator_))
    } else if (is_equality && step == 0) {
        equal_text_constant(comparison->frame->evaluator->kernels, left, right[0], row_count, bits);
        if (operator_ == BR_OP_NE) invert(bits, row_count);
    } else if (is_equality) {
        SET_BITS_WHERE(br_text_equal(left[row], right[row]))
        if (operator_ == BR_OP_NE) invert(bits, row_count);
    } else {
        SET_BITS_WHERE(order_satisfies(br_text_compare(left[row], right[row * step]), operator_))
    }
}

static void compare_values(const compare_task *comparison, uint64_t *bits)
{
    br_arena *arena = comparison->frame->arena;
    for (uint32_t row = 0; row < comparison->frame->row_count; row++) {
        br_value left = br_vector_value(&comparison->left, row, arena);
        br_value right = br_vector_value(&comparison->right, row, arena);
        int order = br_value_compare(&left, &right, comparison->collation);
        if (order_satisfies(order, comparison->operator_)) br_bitmap_set(bits, row);
    }
}

static bool is_time(const br_vector *vector)
{
    return vector->kind == BR_VECTOR_DATE || vector->kind == BR_VECTOR_DATETIME;
}

// A constant to the right, if there is one.
static void normalize(compare_task *comparison)
{
    static const br_operator swapped[] = {[BR_OP_EQ] = BR_OP_EQ, [BR_OP_NE] = BR_OP_NE,
                                          [BR_OP_LT] = BR_OP_GT, [BR_OP_LE] = BR_OP_GE,
                                          [BR_OP_GT] = BR_OP_LT, [BR_OP_GE] = BR_OP_LE};
    if (comparison->left.kind != BR_VECTOR_CONST || comparison->right.kind == BR_VECTOR_CONST)
        return;
    br_vector left = comparison->left;
    comparison->left = comparison->right;
    comparison->right = left;
    comparison->operator_ = swapped[comparison->operator_];
}

static br_status flatten_operand(const compare_task *comparison, br_vector *vector, br_error *err)
{
    if (vector->kind == BR_VECTOR_CONST) return BR_OK;
    br_frame *frame = comparison->frame;
    return br_vector_flatten(vector, frame->row_count, frame->arena, vector, err);
}

// Two vectors that are not constant.
static br_status compare_vectors(compare_task *comparison, uint64_t *bits, br_error *err)
{
    const br_exec_kernels *kernels = comparison->frame->evaluator->kernels;
    uint32_t row_count = comparison->frame->row_count;
    br_vector *left = &comparison->left, *right = &comparison->right;
    bool is_own = br_collation_collator(comparison->collation) == NULL;
    if (is_own && is_time(left) && left->kind == right->kind) {
        compare_i64(kernels, comparison->operator_, left->i64, right->i64, row_count, bits);
        return BR_OK;
    }
    BR_TRY(flatten_operand(comparison, left, err));
    BR_TRY(flatten_operand(comparison, right, err));
    uint8_t left_class = left->class_, right_class = right->class_;
    bool is_number = (left_class == BR_INT || left_class == BR_REAL) &&
                     (right_class == BR_INT || right_class == BR_REAL);
    if (is_number && left_class != right_class) return compare_int_real(comparison, bits, err);
    if (left_class == BR_INT && is_number)
        compare_i64(kernels, comparison->operator_, left->i64, right->i64, row_count, bits);
    else if (is_number)
        compare_f64(kernels, comparison->operator_, left->f64, right->f64, row_count, bits);
    else if (left_class == BR_TEXT && right_class == BR_TEXT) compare_texts(comparison, bits);
    else compare_values(comparison, bits);
    return BR_OK;
}

// Bits of the rows that satisfy the comparison, as if no row were NULL. Neither side is of class
// NULL. `bits` are zero before.
static br_status compare_bits(compare_task *comparison, uint64_t *bits, br_error *err)
{
    br_frame *frame = comparison->frame;
    normalize(comparison);
    if (comparison->right.kind != BR_VECTOR_CONST) return compare_vectors(comparison, bits, err);
    br_value constant = br_vector_value(&comparison->right, 0, frame->arena);
    br_compare_range range;
    bool is_const = comparison->left.kind == BR_VECTOR_CONST;
    if (!is_const) {
        if (comparison->left.kind == BR_VECTOR_DICT)
            BR_TRY(flatten_operand(comparison, &comparison->left, err));
        if (br_compare_range_of(&comparison->left, comparison->operator_, &constant,
                                comparison->collation, &range)) {
            br_compare_range_apply(&range, frame->evaluator->kernels, &comparison->left,
                                   frame->row_count, bits);
            return BR_OK;
        }
        BR_TRY(flatten_operand(comparison, &comparison->left, err));
    }
    if (!is_const && comparison->left.class_ == BR_TEXT && constant.class_ == BR_TEXT)
        compare_texts(comparison, bits);
    else compare_values(comparison, bits);
    return BR_OK;
}

// Both sides' NULL rows; NULL pointers when there are none.
typedef struct null_rows {
    const uint64_t *left, *right;
} null_rows;

static br_status merge_nulls(const br_frame *frame, const null_rows *nulls, const uint64_t **out,
                             br_error *err)
{
    *out = nulls->left != NULL ? nulls->left : nulls->right;
    if (nulls->left == NULL || nulls->right == NULL) return BR_OK;
    uint64_t *either = br_frame_bits(frame);
    if (either == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 0; i < br_bitmap_words(frame->row_count); i++) {
        either[i] = nulls->left[i] | nulls->right[i];
    }
    *out = either;
    return BR_OK;
}

// `bits` are of rows that are equal where neither is NULL; IS also counts two NULLs as equal.
static void finish_is(const br_frame *frame, const null_rows *nulls, const uint64_t *either,
                      bool is_negated, uint64_t *bits)
{
    for (uint32_t i = 0; either != NULL && i < br_bitmap_words(frame->row_count); i++) {
        uint64_t both = nulls->left != NULL && nulls->right != NULL
                            ? nulls->left[i] & nulls->right[i] : 0;
        bits[i] = (bits[i] & ~either[i]) | both;
    }
    if (is_negated) invert(bits, frame->row_count);
}

typedef struct compare_result {  // of a comparison: the bits, and which rows are NULL where
    uint64_t *bits;
    null_rows nulls;
    const uint64_t *either;
} compare_result;

static br_status compare_arguments(br_frame *frame, const br_node *node, br_operator operator_,
                                   uint32_t right_index, compare_result *out, br_error *err)
{
    compare_task comparison = {
        .frame = frame, .operator_ = operator_, .collation = node->collation};
    BR_TRY(br_node_vector(frame, node->args[0], &comparison.left, err));
    BR_TRY(br_node_vector(frame, node->args[right_index], &comparison.right, err));
    BR_TRY(br_frame_nulls(frame, &comparison.left, &out->nulls.left, err));
    BR_TRY(br_frame_nulls(frame, &comparison.right, &out->nulls.right, err));
    BR_TRY(merge_nulls(frame, &out->nulls, &out->either, err));
    out->bits = br_frame_bits(frame);
    if (out->bits == NULL) return br_evaluate_no_memory(err);
    if (comparison.left.class_ != BR_NULL && comparison.right.class_ != BR_NULL)
        BR_TRY(compare_bits(&comparison, out->bits, err));
    return br_arena_failed(frame->arena) ? br_evaluate_no_memory(err) : BR_OK;
}

br_status br_compare_nodes(br_frame *frame, const br_node *node, br_operator operator_,
                           uint32_t right_index, br_condition *out, br_error *err)
{
    compare_result compared;
    BR_TRY(compare_arguments(frame, node, operator_, right_index, &compared, err));
    for (uint32_t i = 0; compared.either != NULL && i < br_bitmap_words(frame->row_count); i++) {
        compared.bits[i] &= ~compared.either[i];
    }
    *out = (br_condition){.is_true = compared.bits, .is_null = compared.either};
    return BR_OK;
}

br_status br_condition_compare(br_frame *frame, const br_node *node, br_condition *out,
                               br_error *err)
{
    br_operator operator_ = node->operator_;
    if (operator_ != BR_OP_IS && operator_ != BR_OP_IS_NOT)
        return br_compare_nodes(frame, node, operator_, 1, out, err);
    compare_result compared;
    BR_TRY(compare_arguments(frame, node, BR_OP_EQ, 1, &compared, err));
    finish_is(frame, &compared.nulls, compared.either, operator_ == BR_OP_IS_NOT, compared.bits);
    *out = (br_condition){.is_true = compared.bits};
    return BR_OK;
}
