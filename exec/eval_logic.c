// eval_logic.c - AND OR NOT, IS NULL, IS TRUE: three-valued logic on bitmaps.
//
// AND goes on, and OR likewise, only with the rows that are not decided yet: always when an operand
// can fail (SQLite would not run it on the others), and otherwise when so few rows are left that
// gathering them pays.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

// Gathering the rows left for an operand must spare more than it costs: measured per column and
// row, gathering costs about what a comparison does.
enum { COST_WORTH_GATHERING = 6, ROWS_LEFT_FRACTION = 4 };

typedef struct logic_state {
    br_frame *frame;
    uint32_t words;
    uint64_t *is_true, *is_null; // of the operands so far
    uint64_t *undecided;
    bool has_nulls;
    bool is_and, drops_nulls;
} logic_state;

static br_status logic_init(logic_state *state, br_frame *frame, bool is_and, bool drops_nulls,
                            br_error *err)
{
    *state = (logic_state){
        .frame = frame,
        .words = br_bitmap_words(frame->row_count),
        .is_true = br_frame_bits(frame),
        .is_null = br_frame_bits(frame),
        .undecided = br_frame_bits(frame),
        .is_and = is_and,
        .drops_nulls = drops_nulls,
    };
    if (state->is_true == NULL || state->is_null == NULL || state->undecided == NULL)
        return br_evaluate_no_memory(err);
    br_bitmap_fill(state->undecided, frame->row_count);
    if (is_and) br_bitmap_fill(state->is_true, frame->row_count);
    return BR_OK;
}

// Bit i of `bits` goes to the place of the i-th one of `selected`.
static void scatter_bits(const uint64_t *bits, const uint64_t *selected, uint32_t words,
                         uint64_t *out)
{
    uint32_t index = 0;
    memset(out, 0, words * sizeof *out);
    for (uint32_t i = 0; i < words; i++) {
        for (uint64_t word = selected[i]; word != 0; word &= word - 1, index++) {
            if (br_bitmap_get(bits, index)) out[i] |= word & (0 - word);
        }
    }
}

br_status br_node_condition_on(br_frame *frame, const br_node *node, const uint64_t *selected,
                               uint32_t count, br_condition *out, br_error *err)
{
    br_frame subset;
    br_condition condition;
    uint32_t words = br_bitmap_words(frame->row_count);
    uint64_t *is_true = br_frame_bits(frame), *is_null = NULL;
    if (is_true == NULL) return br_evaluate_no_memory(err);
    BR_TRY(br_frame_init_subset(&subset, frame, selected, count, err));
    BR_TRY(br_node_condition(&subset, node, &condition, err));
    scatter_bits(condition.is_true, selected, words, is_true);
    if (condition.is_null != NULL) {
        is_null = br_frame_bits(frame);
        if (is_null == NULL) return br_evaluate_no_memory(err);
        scatter_bits(condition.is_null, selected, words, is_null);
    }
    *out = (br_condition){.is_true = is_true, .is_null = is_null};
    return BR_OK;
}

static br_status evaluate_operand(logic_state *state, const br_node *node, uint32_t undecided,
                                  br_condition *out, br_error *err)
{
    br_frame *frame = state->frame;
    bool is_sparse =
        undecided < frame->row_count / ROWS_LEFT_FRACTION && node->cost >= COST_WORTH_GATHERING;
    bool is_partial = undecided < frame->row_count && (node->can_fail || is_sparse);
    if (!is_partial || frame->slots[node->index].has_condition)
        return br_node_condition(frame, node, out, err);
    return br_node_condition_on(frame, node, state->undecided, undecided, out, err);
}

// What the operand says counts only for undecided rows.
static void combine(logic_state *state, const br_condition *operand)
{
    state->has_nulls |= operand->is_null != NULL;
    for (uint32_t i = 0; i < state->words; i++) {
        uint64_t t = operand->is_true[i], n = operand->is_null != NULL ? operand->is_null[i] : 0;
        uint64_t undecided = state->undecided[i];
        if (state->is_and) {
            uint64_t is_null = (state->is_null[i] & (t | n)) | (state->is_true[i] & n);
            state->is_true[i] &= t;
            state->is_null[i] = is_null & undecided;
            state->undecided[i] = state->is_true[i] | (state->drops_nulls ? 0 : state->is_null[i]);
        } else {
            state->is_true[i] |= t & undecided;
            state->is_null[i] = (state->is_null[i] | (n & undecided)) & ~state->is_true[i];
            state->undecided[i] = undecided & ~state->is_true[i];
        }
    }
}

static br_status evaluate_logic(br_frame *frame, const br_node *node, bool drops_nulls,
                                br_condition *out, br_error *err)
{
    logic_state state;
    bool is_and = node->operator_ == BR_OP_AND;
    BR_TRY(logic_init(&state, frame, is_and, drops_nulls && is_and, err));
    for (uint32_t i = 0; i < node->arg_count; i++) {
        br_condition operand;
        uint32_t undecided =
            i == 0 ? frame->row_count : br_bitmap_count(state.undecided, frame->row_count);
        if (undecided == 0 && i > 0) break;
        BR_TRY(evaluate_operand(&state, node->args[i], undecided, &operand, err));
        combine(&state, &operand);
    }
    *out =
        (br_condition){.is_true = state.is_true, .is_null = state.has_nulls ? state.is_null : NULL};
    return BR_OK;
}

br_status br_condition_logic(br_frame *frame, const br_node *node, br_condition *out, br_error *err)
{
    return evaluate_logic(frame, node, false, out, err);
}

br_status br_node_filter(br_frame *frame, const br_node *node, br_condition *out, br_error *err)
{
    bool is_and = node->kind == BR_EXPR_OPERATOR && node->operator_ == BR_OP_AND;
    // Over one column the condition may be known per dictionary entry already.
    if (!is_and || node->single_column != BR_NODE_COLUMN_MANY)
        return br_node_condition(frame, node, out, err);
    return evaluate_logic(frame, node, true, out, err);
}

br_status br_condition_not(br_frame *frame, const br_node *node, br_condition *out, br_error *err)
{
    br_condition operand;
    BR_TRY(br_node_condition(frame, node->args[0], &operand, err));
    uint64_t *is_true = br_frame_bits(frame);
    if (is_true == NULL) return br_evaluate_no_memory(err);
    br_bitmap_fill(is_true, frame->row_count);
    for (uint32_t i = 0; i < br_bitmap_words(frame->row_count); i++) {
        is_true[i] &= ~(operand.is_true[i] | (operand.is_null != NULL ? operand.is_null[i] : 0));
    }
    *out = (br_condition){.is_true = is_true, .is_null = operand.is_null};
    return BR_OK;
}

br_status br_condition_is_null(br_frame *frame, const br_node *node, br_condition *out,
                               br_error *err)
{
    br_vector vector;
    const uint64_t *is_null;
    BR_TRY(br_node_vector(frame, node->args[0], &vector, err));
    BR_TRY(br_frame_nulls(frame, &vector, &is_null, err));
    uint64_t *is_true = br_frame_bits(frame);
    if (is_true == NULL) return br_evaluate_no_memory(err);
    bool wants_null = node->operator_ == BR_OP_IS_NULL;
    if (!wants_null) br_bitmap_fill(is_true, frame->row_count);
    for (uint32_t i = 0; is_null != NULL && i < br_bitmap_words(frame->row_count); i++) {
        is_true[i] ^= is_null[i];
    }
    *out = (br_condition){.is_true = is_true};
    return BR_OK;
}

br_status br_condition_is_truth(br_frame *frame, const br_node *node, br_condition *out,
                                br_error *err)
{
    br_condition operand;
    BR_TRY(br_node_condition(frame, node->args[0], &operand, err));
    br_operator operator_ = node->operator_;
    bool wants_true = operator_ == BR_OP_IS_TRUE || operator_ == BR_OP_IS_NOT_TRUE;
    bool is_negated = operator_ == BR_OP_IS_NOT_TRUE || operator_ == BR_OP_IS_NOT_FALSE;
    uint64_t *bits = br_frame_bits(frame), *rows = br_frame_bits(frame);
    if (bits == NULL || rows == NULL) return br_evaluate_no_memory(err);
    br_bitmap_fill(rows, frame->row_count);
    for (uint32_t i = 0; i < br_bitmap_words(frame->row_count); i++) {
        uint64_t is_null = operand.is_null != NULL ? operand.is_null[i] : 0;
        bits[i] = wants_true ? operand.is_true[i] : ~(operand.is_true[i] | is_null);
        bits[i] = rows[i] & (is_negated ? ~bits[i] : bits[i]);
    }
    *out = (br_condition){.is_true = bits};
    return BR_OK;
}
