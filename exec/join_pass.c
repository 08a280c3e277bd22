// join_pass.c - probe rows that pass the blocks of a build side one after the other.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/op_join.h"
#include "exec/spill.h"

enum { BATCHES_PER_MORSEL = 32 };

br_status br_join_passes_init(br_join_passes *passes, const br_join_stage *stage,
                              const br_batches *probe, br_memory *memory, br_error *err)
{
    br_arena *arena = br_memory_arena(memory, 0);
    size_t words = (size_t)probe->batch_count * (BR_BATCH_ROWS / 64);
    *passes = (br_join_passes){0};
    if (arena == NULL) return br_run_no_memory(stage->table.run, "a join", err);
    passes->matched = BR_ALLOC(arena, uint64_t, words);
    passes->unknown = passes->matched;  // nobody asks
    if (stage->join == BR_JOIN_MARK) passes->unknown = BR_ALLOC(arena, uint64_t, words);
    if (passes->matched == NULL || passes->unknown == NULL)
        return br_run_no_memory(stage->table.run, "a join", err);
    return BR_OK;
}

uint64_t *br_join_pass_bits(uint64_t *bits, const br_batch *batch)
{
    const br_vector *numbers = &batch->columns[batch->column_count - 1];
    return bits + numbers->i64[0] * (BR_BATCH_ROWS / 64);
}

typedef struct pass_source {
    br_source base;
    const br_batches *probe;
} pass_source;

// The number is that of the batch, and the same in all of its rows.
static br_status push_numbered(br_worker *worker, const br_batches *probe, uint32_t index,
                               br_stage *first, br_error *err)
{
    br_batch batch;
    br_arena *scratch = worker->scratch;
    BR_TRY(br_batches_get(worker->run, worker->index, probe, index, scratch, &batch, err));
    br_vector *columns = BR_ALLOC(scratch, br_vector, batch.column_count + 1);
    br_value *number = BR_ALLOC(scratch, br_value, 1);
    if (columns == NULL || number == NULL) return br_run_no_memory(worker->run, "a join", err);
    for (uint32_t i = 0; i < batch.column_count; i++) columns[i] = batch.columns[i];
    *number = br_value_int(index);
    columns[batch.column_count++] = br_vector_const(number);
    batch.columns = columns;
    return br_push(first, worker, &batch, err);
}

static br_status pass_run_morsel(br_source *base, br_worker *worker, uint32_t morsel,
                                 br_stage *first, br_error *err)
{
    const br_batches *probe = ((pass_source *)base)->probe;
    uint32_t end = (morsel + 1) * BATCHES_PER_MORSEL;
    if (end > probe->batch_count) end = probe->batch_count;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    for (uint32_t i = morsel * BATCHES_PER_MORSEL; i < end && !worker->is_morsel_done; i++) {
        BR_TRY(br_run_poll(worker->run, err));
        br_arena_rewind(worker->scratch, mark);
        BR_TRY(push_numbered(worker, probe, i, first, err));
    }
    return BR_OK;
}

static const br_source_kind pass_kind = {.run_morsel = pass_run_morsel};

br_status br_join_pass_source(br_run *run, const br_batches *probe, br_source **source_out,
                              br_error *err)
{
    pass_source *source = BR_ALLOC(run->arena, pass_source, 1);
    if (source == NULL) return br_run_no_memory(run, "a join", err);
    source->base = (br_source){
        .kind = &pass_kind,
        .morsel_count = (probe->batch_count + BATCHES_PER_MORSEL - 1) / BATCHES_PER_MORSEL,
        .row_count = probe->row_count};
    source->probe = probe;
    *source_out = &source->base;
    return BR_OK;
}
