// eval_arithmetic_vector.c - + - * / % unary minus on whole vectors of INT and REAL.
//
// INT results that the plan has proven to fit are computed unchecked. Others are checked, and when
// a batch has one that does not fit, the row functions do the batch over, with SQLite's rule for
// each row. What else has no typed loop goes there too.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "exec/implementations.h"

typedef struct arithmetic {
    br_frame *frame;
    const br_node *node;
    const br_exec_kernels *kernels;
    br_operator operator_;
    br_vector left, right;  // FLAT or CONST, not both CONST, neither of class NULL
    const uint64_t *validity;
} arithmetic;

static br_status real_operand(const arithmetic *operands, const br_vector *vector, br_vector *out,
                              br_error *err)
{
    br_frame *frame = operands->frame;
    *out = *vector;
    if (vector->class_ == BR_REAL) return BR_OK;
    uint32_t count = vector->kind == BR_VECTOR_CONST ? 1 : frame->row_count;
    double *reals = br_arena_alloc(frame->arena, count * sizeof *reals, 64);
    if (reals == NULL) return br_evaluate_no_memory(err);
    operands->kernels->i64_to_f64(vector->i64, count, reals);
    out->class_ = BR_REAL;
    out->f64 = reals;
    return BR_OK;
}

static bool compute_real_const_left(const arithmetic *operands, double left, const double *right,
                                    double *out)
{
    const br_exec_kernels *kernels = operands->kernels;
    uint32_t count = operands->frame->row_count;
    bool has_null = false;
    switch (operands->operator_) {
    case BR_OP_ADD: return kernels->add_const_f64(right, left, count, out);
    case BR_OP_SUB: return kernels->const_sub_f64(left, right, count, out);
    case BR_OP_MUL: return kernels->mul_const_f64(right, left, count, out);
    default:
        for (uint32_t i = 0; i < count; i++) {
            out[i] = left / right[i];
            has_null |= right[i] == 0.0 || isnan(out[i]);
        }
        return has_null;
    }
}

// True when a row that is not NULL so far may have become it.
static bool compute_real(const arithmetic *operands, const br_vector *left, const br_vector *right,
                         double *out)
{
    const br_exec_kernels *kernels = operands->kernels;
    uint32_t count = operands->frame->row_count;
    if (left->kind == BR_VECTOR_CONST)
        return compute_real_const_left(operands, left->f64[0], right->f64, out);
    bool is_const = right->kind == BR_VECTOR_CONST;
    switch (operands->operator_) {
    case BR_OP_ADD:
        return is_const ? kernels->add_const_f64(left->f64, right->f64[0], count, out)
                        : kernels->add_f64(left->f64, right->f64, count, out);
    case BR_OP_SUB:
        return is_const ? kernels->sub_const_f64(left->f64, right->f64[0], count, out)
                        : kernels->sub_f64(left->f64, right->f64, count, out);
    case BR_OP_MUL:
        return is_const ? kernels->mul_const_f64(left->f64, right->f64[0], count, out)
                        : kernels->mul_f64(left->f64, right->f64, count, out);
    default:
        return is_const ? kernels->div_const_f64(left->f64, right->f64[0], count, out)
                        : kernels->div_f64(left->f64, right->f64, count, out);
    }
}

// Rows that were divided by zero or are no number become NULL.
static br_status null_real_rows(const arithmetic *operands, const br_vector *right,
                                const double *results, const uint64_t **validity_out,
                                br_error *err)
{
    uint32_t row_count = operands->frame->row_count;
    uint64_t *validity = br_frame_bits(operands->frame);
    if (validity == NULL) return br_evaluate_no_memory(err);
    br_bitmap_fill(validity, row_count);
    bool divides = operands->operator_ == BR_OP_DIV;
    for (uint32_t row = 0; row < row_count; row++) {
        double divisor = right->f64[right->kind == BR_VECTOR_CONST ? 0 : row];
        if (isnan(results[row]) || (divides && divisor == 0.0)) br_bitmap_clear(validity, row);
    }
    return br_frame_both_valid(operands->frame, validity, operands->validity, validity_out, err);
}

static br_status evaluate_real(const arithmetic *operands, br_vector *out, br_error *err)
{
    br_frame *frame = operands->frame;
    br_vector left, right;
    BR_TRY(real_operand(operands, &operands->left, &left, err));
    BR_TRY(real_operand(operands, &operands->right, &right, err));
    double *results = br_arena_alloc(frame->arena, frame->row_count * sizeof *results, 64);
    if (results == NULL) return br_evaluate_no_memory(err);
    const uint64_t *validity = operands->validity;
    if (compute_real(operands, &left, &right, results))
        BR_TRY(null_real_rows(operands, &right, results, &validity, err));
    *out = (br_vector){.class_ = BR_REAL, .validity = validity, .f64 = results};
    return BR_OK;
}

static void compute_int_unchecked(const arithmetic *operands, int64_t *out)
{
    const br_exec_kernels *kernels = operands->kernels;
    const int64_t *left = operands->left.i64, *right = operands->right.i64;
    uint32_t count = operands->frame->row_count;
    bool left_const = operands->left.kind == BR_VECTOR_CONST;
    bool right_const = operands->right.kind == BR_VECTOR_CONST;
    switch (operands->operator_) {
    case BR_OP_ADD:
        if (left_const) kernels->add_const_i64(right, left[0], count, out);
        else if (right_const) kernels->add_const_i64(left, right[0], count, out);
        else kernels->add_i64(left, right, count, out);
        break;
    case BR_OP_SUB:
        if (left_const) kernels->const_sub_i64(left[0], right, count, out);
        else if (right_const)
            kernels->add_const_i64(left, (int64_t)(0 - (uint64_t)right[0]), count, out);
        else kernels->sub_i64(left, right, count, out);
        break;
    default:
        if (left_const) kernels->mul_const_i64(right, left[0], count, out);
        else if (right_const) kernels->mul_const_i64(left, right[0], count, out);
        else kernels->mul_i64(left, right, count, out);
        break;
    }
}

static br_status compute_int_checked(const arithmetic *operands, int64_t *out, bool *overflow_out,
                                     br_error *err)
{
    const br_exec_kernels *kernels = operands->kernels;
    br_frame *frame = operands->frame;
    br_vector left, right;
    BR_TRY(br_vector_flatten(&operands->left, frame->row_count, frame->arena, &left, err));
    BR_TRY(br_vector_flatten(&operands->right, frame->row_count, frame->arena, &right, err));
    switch (operands->operator_) {
    case BR_OP_ADD:
        *overflow_out = kernels->add_checked_i64(left.i64, right.i64, frame->row_count, out);
        break;
    case BR_OP_SUB:
        *overflow_out = kernels->sub_checked_i64(left.i64, right.i64, frame->row_count, out);
        break;
    default:
        *overflow_out = kernels->mul_checked_i64(left.i64, right.i64, frame->row_count, out);
        break;
    }
    return BR_OK;
}

static br_status evaluate_int(const arithmetic *operands, br_vector *out, br_error *err)
{
    br_frame *frame = operands->frame;
    const br_node *node = operands->node;
    int64_t *results = br_arena_alloc(frame->arena, frame->row_count * sizeof *results, 64);
    if (results == NULL) return br_evaluate_no_memory(err);
    bool is_proven = (node->type.class_mask & BR_MASK_REAL) == 0 && !node->assumes_no_overflow;
    if (is_proven) {
        compute_int_unchecked(operands, results);
    } else {
        bool overflow;
        BR_TRY(compute_int_checked(operands, results, &overflow, err));
        if (overflow) return br_node_rows(frame, node, out, err);
    }
    *out = (br_vector){.class_ = BR_INT, .validity = operands->validity, .i64 = results};
    return BR_OK;
}

// / and % of INT by a constant other than 0 and -1, which have rules of their own.
static br_status divide_by_constant(const arithmetic *operands, br_vector *out, br_error *err)
{
    br_frame *frame = operands->frame;
    int64_t divisor = operands->right.i64[0];
    int64_t *results = br_arena_alloc(frame->arena, frame->row_count * sizeof *results, 64);
    if (results == NULL) return br_evaluate_no_memory(err);
    const int64_t *values = operands->left.i64;
    if (operands->operator_ == BR_OP_DIV) {
        for (uint32_t i = 0; i < frame->row_count; i++) results[i] = values[i] / divisor;
    } else {
        for (uint32_t i = 0; i < frame->row_count; i++) results[i] = values[i] % divisor;
    }
    *out = (br_vector){.class_ = BR_INT, .validity = operands->validity, .i64 = results};
    return BR_OK;
}

static br_status evaluate_int_division(const arithmetic *operands, br_vector *out, br_error *err)
{
    br_frame *frame = operands->frame;
    if (operands->right.kind == BR_VECTOR_CONST && (uint64_t)operands->right.i64[0] + 1 > 1)
        return divide_by_constant(operands, out, err);
    int64_t *results = br_arena_alloc(frame->arena, frame->row_count * sizeof *results, 64);
    uint64_t *validity = br_frame_bits(frame);
    if (results == NULL || validity == NULL) return br_evaluate_no_memory(err);
    bool is_left_const = operands->left.kind == BR_VECTOR_CONST;
    bool is_right_const = operands->right.kind == BR_VECTOR_CONST;
    for (uint32_t row = 0; row < frame->row_count; row++) {
        int64_t dividend = operands->left.i64[is_left_const ? 0 : row];
        int64_t divisor = operands->right.i64[is_right_const ? 0 : row];
        results[row] = 0;
        if (divisor == 0) continue;
        br_bitmap_set(validity, row);
        if (operands->operator_ == BR_OP_MOD) {
            results[row] = divisor == -1 ? 0 : dividend % divisor;
        } else if (divisor == -1 && dividend == INT64_MIN) {
            return br_node_rows(frame, operands->node, out, err);  // may be a NULL row, or REAL
        } else {
            results[row] = dividend / divisor;
        }
    }
    const uint64_t *both;
    BR_TRY(br_frame_both_valid(frame, validity, operands->validity, &both, err));
    *out = (br_vector){.class_ = BR_INT, .validity = both, .i64 = results};
    return BR_OK;
}

static const int64_t zero_item[1] = {0};

static br_status operands_init(arithmetic *operands, br_frame *frame, const br_node *node,
                               br_error *err)
{
    *operands = (arithmetic){.frame = frame, .node = node,
                                  .kernels = frame->evaluator->kernels,
                                  .operator_ = node->operator_};
    if (node->operator_ == BR_OP_NEGATE) {  // 0 - x
        operands->operator_ = BR_OP_SUB;
        operands->left =
            (br_vector){.class_ = BR_INT, .kind = BR_VECTOR_CONST, .i64 = zero_item};
        return br_node_flat(frame, node->args[0], &operands->right, err);
    }
    BR_TRY(br_node_flat(frame, node->args[0], &operands->left, err));
    return br_node_flat(frame, node->args[1], &operands->right, err);
}

br_status br_vector_arithmetic(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    arithmetic operands;
    BR_TRY(operands_init(&operands, frame, node, err));
    uint8_t left = operands.left.class_, right = operands.right.class_;
    bool is_const =
        operands.left.kind == BR_VECTOR_CONST && operands.right.kind == BR_VECTOR_CONST;
    bool is_int = left == BR_INT && right == BR_INT;
    bool is_number = (left == BR_INT || left == BR_REAL) && (right == BR_INT || right == BR_REAL);
    bool is_real_modulo = operands.operator_ == BR_OP_MOD && !is_int;
    if (left == BR_NULL || right == BR_NULL) {
        *out = br_vector_null();
        return BR_OK;
    }
    if (is_const || !is_number || is_real_modulo) return br_node_rows(frame, node, out, err);
    BR_TRY(br_frame_both_valid(frame, operands.left.validity, operands.right.validity,
                               &operands.validity, err));
    if (!is_int) return evaluate_real(&operands, out, err);
    if (operands.operator_ == BR_OP_DIV || operands.operator_ == BR_OP_MOD)
        return evaluate_int_division(&operands, out, err);
    return evaluate_int(&operands, out, err);
}
