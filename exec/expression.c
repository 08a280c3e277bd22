// expression.c - computing the nodes of a program on frames of rows.
// SPDX-License-Identifier: Apache-2.0
#include "exec/expression.h"

#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"

// ---- frames ----------------------------------------------------------------------------------

br_status br_frame_init(br_frame *frame, br_evaluator *evaluator, const br_vector *columns,
                        uint32_t row_count, br_arena *arena, br_error *err)
{
    *frame = (br_frame){
        .evaluator = evaluator, .arena = arena, .row_count = row_count, .columns = columns};
    frame->slots = BR_ALLOC(arena, br_slot, evaluator->program->node_count);
    return frame->slots != NULL ? BR_OK : br_evaluate_no_memory(err);
}

br_status br_frame_init_subset(br_frame *frame, br_frame *parent, const uint64_t *selected,
                               uint32_t count, br_error *err)
{
    BR_TRY(br_frame_init(frame, parent->evaluator, NULL, count, parent->arena, err));
    // br_bitmap_positions may write one position past the last.
    uint16_t *positions = BR_ALLOC(parent->arena, uint16_t, parent->row_count + 64);
    if (positions == NULL) return br_evaluate_no_memory(err);
    uint32_t written = br_bitmap_positions(selected, parent->row_count, positions);
    br_assert(written == count);
    (void)written;
    frame->parent = parent;
    frame->positions = positions;
    return BR_OK;
}

// ---- nodes -----------------------------------------------------------------------------------

static br_status compute_vector(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    const br_implementation *implementation = node->implementation;
    if (implementation->vector != NULL) return implementation->vector(frame, node, out, err);
    if (implementation->condition != NULL) {
        br_condition condition;
        BR_TRY(br_node_condition(frame, node, &condition, err));
        return br_vector_of_condition(frame, &condition, out, err);
    }
    return br_node_rows(frame, node, out, err);
}

static br_status column_vector(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    if (frame->parent == NULL) {
        *out = frame->columns[node->position];
        return BR_OK;
    }
    br_vector above;
    BR_TRY(br_node_vector(frame->parent, node, &above, err));
    return br_vector_gather(&above, frame->positions, frame->row_count, frame->arena, out, err);
}

static br_status fill_vector(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    if (node->kind == BR_EXPR_COLUMN) return column_vector(frame, node, out, err);
    if (frame->parent != NULL && frame->parent->slots[node->index].has_vector) {
        return br_vector_gather(&frame->parent->slots[node->index].vector, frame->positions,
                                frame->row_count, frame->arena, out, err);
    }
    bool done = false;
    BR_TRY(br_dictionary_vector(frame, node, &done, out, err));
    return done ? BR_OK : compute_vector(frame, node, out, err);
}

br_status br_node_vector(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    if (node->kind == BR_EXPR_CONST) {
        *out = node->constant;
        return BR_OK;
    }
    br_slot *slot = &frame->slots[node->index];
    if (!slot->has_vector) {
        BR_TRY(fill_vector(frame, node, &slot->vector, err));
        slot->has_vector = true;
    }
    *out = slot->vector;
    return BR_OK;
}

br_status br_node_flat(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    BR_TRY(br_node_vector(frame, node, out, err));
    if (out->kind == BR_VECTOR_FLAT || out->kind == BR_VECTOR_CONST) return BR_OK;
    br_slot *slot = &frame->slots[node->index];
    if (!slot->has_flat) {
        BR_TRY(br_vector_flatten(out, frame->row_count, frame->arena, &slot->flat, err));
        slot->has_flat = true;
    }
    *out = slot->flat;
    return BR_OK;
}

static br_status fill_condition(br_frame *frame, const br_node *node, br_condition *out,
                                br_error *err)
{
    bool done = false;
    BR_TRY(br_dictionary_condition(frame, node, &done, out, err));
    if (done) return BR_OK;
    const br_implementation *implementation = node->implementation;
    if (implementation != NULL && implementation->condition != NULL)
        return implementation->condition(frame, node, out, err);
    br_vector vector;
    BR_TRY(br_node_vector(frame, node, &vector, err));
    return br_condition_of_vector(frame, &vector, out, err);
}

br_status br_node_condition(br_frame *frame, const br_node *node, br_condition *out, br_error *err)
{
    br_slot *slot = &frame->slots[node->index];
    if (!slot->has_condition) {
        BR_TRY(fill_condition(frame, node, &slot->condition, err));
        slot->has_condition = true;
    }
    *out = slot->condition;
    return BR_OK;
}

// Arguments of one row at a time.
typedef struct row_reader {
    uint32_t count;
    br_vector *vectors;
    br_value *values;
    bool all_constant;
} row_reader;

static br_status row_reader_init(row_reader *reader, br_frame *frame, const br_node *node,
                                 br_error *err)
{
    *reader = (row_reader){.count = node->arg_count, .all_constant = !node->is_volatile};
    reader->vectors = BR_ALLOC(frame->arena, br_vector, node->arg_count);
    reader->values = BR_ALLOC(frame->arena, br_value, node->arg_count);
    if (reader->vectors == NULL || reader->values == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 0; i < node->arg_count; i++) {
        BR_TRY(br_node_vector(frame, node->args[i], &reader->vectors[i], err));
        if (reader->vectors[i].kind != BR_VECTOR_CONST) reader->all_constant = false;
    }
    return BR_OK;
}

static const br_value *row_reader_read(row_reader *reader, uint32_t row, br_arena *arena)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        reader->values[i] = br_vector_value(&reader->vectors[i], row, arena);
    }
    return reader->values;
}

br_status br_node_rows(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    row_reader reader;
    BR_TRY(row_reader_init(&reader, frame, node, err));
    br_row_context context = {node, frame->evaluator, frame->arena};
    uint32_t row_count = reader.all_constant && frame->row_count > 0 ? 1 : frame->row_count;
    br_value *values = BR_ALLOC(frame->arena, br_value, row_count);
    if (values == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < row_count; row++) {
        const br_value *args = row_reader_read(&reader, row, frame->arena);
        BR_TRY(node->implementation->row(&context, args, &values[row], err));
    }
    if (br_arena_failed(frame->arena)) return br_evaluate_no_memory(err);
    if (reader.all_constant && row_count == 1)
        return br_vector_of_value(&values[0], frame->arena, out, err);
    return br_vector_of_values(values, row_count, frame->arena, out, err);
}

// ---- the public face -------------------------------------------------------------------------

br_status br_evaluator_new(const br_program *program, uint32_t worker, br_arena *arena,
                           br_evaluator **evaluator_out, br_error *err)
{
    br_evaluator *evaluator = BR_ALLOC(arena, br_evaluator, 1);
    if (evaluator == NULL) return br_evaluate_no_memory(err);
    *evaluator = (br_evaluator){
        .program = program,
        .worker = worker,
        .arena = arena,
        .bridge = &program->env.exec->bridge,
        .kernels = br_exec_kernels_for(program->env.exec->isa),
    };
    evaluator->dictionary_results = BR_ALLOC(arena, br_dictionary_result *, program->node_count);
    if (evaluator->dictionary_results == NULL) return br_evaluate_no_memory(err);
    *evaluator_out = evaluator;
    return BR_OK;
}

br_status br_evaluate(br_evaluator *evaluator, const br_batch *batch, br_arena *arena,
                      br_vector *results_out, br_error *err)
{
    br_frame frame;
    BR_TRY(br_frame_init(&frame, evaluator, batch->columns, batch->row_count, arena, err));
    for (uint32_t i = 0; i < evaluator->program->count; i++) {
        br_vector *result = &results_out[i];
        BR_TRY(br_node_vector(&frame, evaluator->program->roots[i], result, err));
        if (evaluator->program->env.no_times &&
            (result->kind == BR_VECTOR_DATE || result->kind == BR_VECTOR_DATETIME))
            BR_TRY(br_vector_flatten(result, batch->row_count, arena, result, err));
    }
    return BR_OK;
}

br_status br_evaluate_condition(br_evaluator *evaluator, const br_batch *batch, br_arena *arena,
                                uint64_t *selected_out, uint32_t *count_out, br_error *err)
{
    br_frame frame;
    br_condition condition;
    br_assert(evaluator->program->count >= 1);
    BR_TRY(br_frame_init(&frame, evaluator, batch->columns, batch->row_count, arena, err));
    BR_TRY(br_node_filter(&frame, evaluator->program->roots[0], &condition, err));
    memcpy(selected_out, condition.is_true,
           br_bitmap_words(batch->row_count) * sizeof *selected_out);
    *count_out = br_bitmap_count(selected_out, batch->row_count);
    return BR_OK;
}

br_status br_evaluate_constant(const br_expr *expression, const br_expr_env *env, br_arena *arena,
                               br_value *value_out, br_error *err)
{
    br_layout layout = {0};
    br_program *program;
    br_evaluator *evaluator;
    br_vector result;
    br_batch row = {.row_count = 1};
    BR_TRY(br_program_compile(&expression, 1, &layout, env, arena, &program, err));
    BR_TRY(br_evaluator_new(program, 0, arena, &evaluator, err));
    BR_TRY(br_evaluate(evaluator, &row, arena, &result, err));
    br_value value = br_vector_value(&result, 0, arena);
    if (value.class_ == BR_TEXT || value.class_ == BR_BLOB) {
        const char *bytes = br_arena_copy_text(arena, value.text.data, value.text.size);
        if (bytes == NULL) return br_evaluate_no_memory(err);
        value.text = br_text_make(bytes, value.text.size);
    }
    *value_out = value;
    return BR_OK;
}
