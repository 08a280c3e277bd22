// eval_case.c - CASE, iif(), coalesce(): values that are computed only for the rows that need them.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

// A branch that is cheap and cannot fail is computed for all rows, unless fewer than one in this
// many takes it.
enum { ROWS_TAKEN_FRACTION = 8, COST_WORTH_GATHERING = 6 };

// What the rows of one branch become.
typedef struct case_branch {
    uint64_t *rows;   // which rows take it
    br_vector values; // FLAT or CONST
    bool is_compact;  // values[i] belongs to the i-th of the rows, not to row i
} case_branch;

typedef struct case_choice { // the branches so far
    br_frame *frame;
    uint32_t branch_count;
    case_branch *branches;
    uint64_t *remaining; // rows that no branch has taken
    uint32_t words;
} case_choice;

static br_status choice_init(case_choice *choice, br_frame *frame, uint32_t branches_max,
                             br_error *err)
{
    choice->frame = frame;
    choice->branch_count = 0;
    choice->words = br_bitmap_words(frame->row_count);
    choice->branches = BR_ALLOC(frame->arena, case_branch, branches_max);
    choice->remaining = br_frame_bits(frame);
    if (choice->branches == NULL || choice->remaining == NULL) return br_evaluate_no_memory(err);
    br_bitmap_fill(choice->remaining, frame->row_count);
    return BR_OK;
}

// Clears the bits of the branch's rows whose value is NULL.
static void clear_nulls(const case_branch *branch, uint32_t words, uint64_t *bits)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i < words; i++) {
        for (uint64_t word = branch->rows[i]; word != 0; word &= word - 1, index++) {
            uint32_t row = i * 64 + (uint32_t)__builtin_ctzll(word);
            if (br_vector_is_null(&branch->values, branch->is_compact ? index : row))
                br_bitmap_clear(bits, row);
        }
    }
}

static uint32_t choice_remaining(const case_choice *choice)
{
    return br_bitmap_count(choice->remaining, choice->frame->row_count);
}

static bool wants_subset(const br_frame *frame, const br_node *node, uint32_t count)
{
    if (count == frame->row_count || frame->slots[node->index].has_vector) return false;
    if (node->can_fail) return true;
    return node->cost >= COST_WORTH_GATHERING && count < frame->row_count / ROWS_TAKEN_FRACTION;
}

// The rows take the value of `node`; they no longer remain. `rows` becomes the choice's.
static br_status choice_take(case_choice *choice, uint64_t *rows, const br_node *node,
                             br_error *err)
{
    br_frame *frame = choice->frame;
    uint32_t count = br_bitmap_count(rows, frame->row_count);
    if (count == 0) return BR_OK;
    case_branch *branch = &choice->branches[choice->branch_count++];
    branch->rows = rows;
    for (uint32_t i = 0; i < choice->words; i++) choice->remaining[i] &= ~rows[i];
    if (!wants_subset(frame, node, count)) return br_node_flat(frame, node, &branch->values, err);
    br_frame subset;
    branch->is_compact = true;
    BR_TRY(br_frame_init_subset(&subset, frame, rows, count, err));
    return br_node_flat(&subset, node, &branch->values, err);
}

// ---- putting the branches together -----------------------------------------------------------

// Rows that an earlier branch of coalesce() left NULL are valid again.
static void place_validity(const case_branch *branch, uint32_t words, uint64_t *validity)
{
    for (uint32_t i = 0; i < words; i++) validity[i] |= branch->rows[i];
    if (branch->values.class_ == BR_NULL || branch->values.validity != NULL)
        clear_nulls(branch, words, validity);
}

static void place_items(const case_branch *branch, uint32_t words, size_t item_bytes, char *items)
{
    const char *values = branch->values.data;
    bool is_constant = branch->values.kind == BR_VECTOR_CONST;
    uint32_t index = 0;
    for (uint32_t i = 0; i < words; i++) {
        for (uint64_t word = branch->rows[i]; word != 0; word &= word - 1, index++) {
            uint32_t row = i * 64 + (uint32_t)__builtin_ctzll(word);
            uint32_t from = is_constant ? 0 : branch->is_compact ? index : row;
            memcpy(items + row * item_bytes, values + from * item_bytes, item_bytes);
        }
    }
}

// Numbers without gathering, when the branch has its value in place: by bits, without a branch.
static void place_numbers(const case_choice *choice, const case_branch *branch, uint64_t *items)
{
    const br_frame *frame = choice->frame;
    const br_exec_kernels *kernels = frame->evaluator->kernels;
    if (branch->values.kind == BR_VECTOR_FLAT && !branch->is_compact) {
        kernels->blend_u64(branch->values.data, items, branch->rows, frame->row_count, items);
    } else if (branch->values.kind == BR_VECTOR_CONST) {
        kernels->fill_u64((uint64_t)branch->values.i64[0], branch->rows, frame->row_count, items);
    } else {
        place_items(branch, choice->words, sizeof *items, (char *)items);
    }
}

static br_status choice_typed(const case_choice *choice, br_class class_, bool has_nulls,
                              br_vector *out, br_error *err)
{
    const br_frame *frame = choice->frame;
    bool is_number = class_ == BR_INT || class_ == BR_REAL;
    size_t item_bytes = is_number ? sizeof(int64_t) : sizeof(br_text);
    void *items = br_arena_zalloc(frame->arena, frame->row_count * item_bytes, 64);
    uint64_t *validity = has_nulls ? br_frame_bits(frame) : NULL;
    if (items == NULL || (has_nulls && validity == NULL)) return br_evaluate_no_memory(err);
    if (has_nulls) br_bitmap_fill(validity, frame->row_count);
    for (uint32_t i = 0; i < choice->branch_count; i++) {
        const case_branch *branch = &choice->branches[i];
        bool is_null = branch->values.class_ == BR_NULL;
        if (has_nulls) place_validity(branch, choice->words, validity);
        if (is_null) continue;
        if (is_number)
            place_numbers(choice, branch, items);
        else
            place_items(branch, choice->words, item_bytes, items);
    }
    *out = (br_vector){.class_ = (uint8_t)class_, .validity = validity, .data = items};
    return BR_OK;
}

// One branch among others of another class.
static void place_values(const case_branch *branch, uint32_t words, br_arena *arena,
                         br_value *values)
{
    bool is_constant = branch->values.kind == BR_VECTOR_CONST;
    bool is_number = branch->values.class_ == BR_INT || branch->values.class_ == BR_REAL;
    br_value constant = is_constant ? br_vector_value(&branch->values, 0, arena) : br_value_null();
    uint32_t index = 0;
    for (uint32_t i = 0; i < words; i++) {
        for (uint64_t word = branch->rows[i]; word != 0; word &= word - 1, index++) {
            uint32_t row = i * 64 + (uint32_t)__builtin_ctzll(word);
            uint32_t from = branch->is_compact ? index : row;
            if (is_constant) {
                values[row] = constant;
            } else if (is_number && branch->values.validity == NULL) {
                values[row].class_ = branch->values.class_;
                values[row].i64 = branch->values.i64[from];
            } else {
                values[row] = br_vector_value(&branch->values, from, arena);
            }
        }
    }
}

static br_status choice_any(const case_choice *choice, br_vector *out, br_error *err)
{
    br_arena *arena = choice->frame->arena;
    br_value *values = BR_ALLOC(arena, br_value, choice->frame->row_count);
    if (values == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 0; i < choice->branch_count; i++) {
        place_values(&choice->branches[i], choice->words, arena, values);
    }
    *out = (br_vector){.class_ = BR_ANY, .any = values};
    return BR_OK;
}

static br_status choice_finish(const case_choice *choice, br_vector *out, br_error *err)
{
    unsigned mask = 0;
    bool has_nulls = false;
    for (uint32_t i = 0; i < choice->branch_count; i++) {
        const br_vector *values = &choice->branches[i].values;
        mask |= values->class_ == BR_ANY ? BR_MASK_ALL : 1u << values->class_;
        has_nulls |= values->class_ == BR_NULL || values->validity != NULL;
    }
    br_class class_ = br_class_of_mask(mask);
    if (class_ == BR_NULL) {
        *out = br_vector_null();
        return BR_OK;
    }
    if (class_ == BR_ANY) return choice_any(choice, out, err);
    return choice_typed(choice, class_, has_nulls, out, err);
}

// ---- CASE, iif() and coalesce() --------------------------------------------------------------

br_status br_vector_case(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    case_choice choice;
    BR_TRY(choice_init(&choice, frame, node->arg_count / 2 + 1, err));
    uint32_t remaining = frame->row_count;
    for (uint32_t i = 0; i + 1 < node->arg_count && remaining > 0; i += 2) {
        br_condition condition;
        if (wants_subset(frame, node->args[i], remaining)) {
            BR_TRY(br_node_condition_on(frame, node->args[i], choice.remaining, remaining,
                                        &condition, err));
        } else {
            BR_TRY(br_node_condition(frame, node->args[i], &condition, err));
        }
        uint64_t *rows = br_frame_bits(frame);
        if (rows == NULL) return br_evaluate_no_memory(err);
        for (uint32_t k = 0; k < choice.words; k++) {
            rows[k] = condition.is_true[k] & choice.remaining[k];
        }
        BR_TRY(choice_take(&choice, rows, node->args[i + 1], err));
        remaining = choice_remaining(&choice);
    }
    uint64_t *rest = br_frame_bits(frame);
    if (rest == NULL) return br_evaluate_no_memory(err);
    memcpy(rest, choice.remaining, choice.words * sizeof *rest);
    BR_TRY(choice_take(&choice, rest, node->args[node->arg_count - 1], err));
    return choice_finish(&choice, out, err);
}

// The rows of the last branch whose value is NULL remain for the next argument.
static br_status keep_nulls(case_choice *choice, br_error *err)
{
    const case_branch *last = &choice->branches[choice->branch_count - 1];
    bool has_nulls = last->values.class_ == BR_NULL || last->values.class_ == BR_ANY ||
                     last->values.validity != NULL;
    if (!has_nulls) return BR_OK;
    uint64_t *valid = br_frame_bits(choice->frame);
    if (valid == NULL) return br_evaluate_no_memory(err);
    memcpy(valid, last->rows, choice->words * sizeof *valid);
    clear_nulls(last, choice->words, valid);
    for (uint32_t i = 0; i < choice->words; i++) choice->remaining[i] = last->rows[i] & ~valid[i];
    return BR_OK;
}

// The first argument that is not NULL. Each is computed for the rows where all before were NULL.
br_status br_vector_coalesce(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    case_choice choice;
    BR_TRY(choice_init(&choice, frame, node->arg_count, err));
    for (uint32_t i = 0; i < node->arg_count; i++) {
        if (choice_remaining(&choice) == 0) break;
        uint64_t *rows = br_frame_bits(frame);
        if (rows == NULL) return br_evaluate_no_memory(err);
        memcpy(rows, choice.remaining, choice.words * sizeof *rows);
        BR_TRY(choice_take(&choice, rows, node->args[i], err));
        BR_TRY(keep_nulls(&choice, err));
    }
    return choice_finish(&choice, out, err);
}
