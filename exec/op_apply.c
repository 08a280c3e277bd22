// op_apply.c - dependent joins: a plan run anew for each row of the left side.
//
// The left side is stored, with the arguments behind its columns. Then, row by row, the arguments
// become parameters and the applied plan runs in a run of its own, whose memory is given back after
// each row; its rows are kept beside the left row. Runs follow one another in the order of the left
// rows (each may use all workers), so the result does not depend on the number of threads.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/rows.h"
#include "exec/spill.h"

typedef struct apply_loop {
    br_run *run;
    br_run inner;             // of the applied plan
    const br_plan *plan;      // the APPLY node
    const br_plan *applied;
    uint32_t width;           // of the left side
    uint32_t applied_width;
    br_value *values;         // the left row, then the arguments
    br_vector *columns;       // the left row as CONST vectors, then columns of the applied plan
    br_collector *collector;
} apply_loop;

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "a correlated subquery", err);
}

static br_status store_left(br_run *run, const br_plan *plan, br_memory *memory,
                            br_batches *batches_out, br_error *err)
{
    br_pipeline *pipeline;
    br_stage *sink, *extend;
    uint32_t width = br_plan_width(plan->left), count = plan->apply.argument_count;
    const br_keep keep = {.rows = memory, .bytes = memory};
    BR_TRY(br_pipeline_new(run, &pipeline, err));
    BR_TRY(br_collect_new(pipeline, width + count, &keep, &sink, err));
    br_pipeline_set_sink(pipeline, sink);
    BR_TRY(br_extend_new(pipeline, plan->left, (const br_expr *const *)plan->apply.arguments,
                         count, sink, &extend, err));
    BR_TRY(br_produce(pipeline, plan->left, extend, err));
    BR_TRY(br_pipeline_run(pipeline, err));
    return br_collect_batches(sink, batches_out, err);
}

static br_status loop_init(apply_loop *loop, br_run *run, const br_plan *plan, br_memory *memory,
                           br_error *err)
{
    *loop = (apply_loop){.run = run, .plan = plan, .inner = *run};
    loop->applied = run->query->applied[plan->apply.index];
    loop->width = br_plan_width(plan->left);
    loop->applied_width = br_plan_width(loop->applied);
    br_assert(loop->width + loop->applied_width == plan->column_count);
    loop->values = BR_ALLOC(run->arena, br_value, loop->width + plan->apply.argument_count);
    loop->columns = BR_ALLOC(run->arena, br_vector, plan->column_count);
    if (loop->values == NULL || loop->columns == NULL) return no_memory(run, err);
    const br_keep keep = {.rows = memory, .bytes = memory};
    BR_TRY(br_collector_new(run, run->arena, &keep, 0, plan->column_count, &loop->collector, err));
    loop->inner.memories = NULL;
    loop->inner.arena = br_arena_new(run->env->quota);
    return loop->inner.arena == NULL ? no_memory(run, err) : BR_OK;
}

// All that a run has made goes, but for the arena itself and the workers' scratch.
static void inner_reset(apply_loop *loop)
{
    while (loop->inner.memories != NULL) br_memory_free(&loop->inner, loop->inner.memories);
    loop->inner.join_filters = NULL;
    br_arena_reset(loop->inner.arena);
}

static br_status load_row(apply_loop *loop, const br_batch *batch, uint32_t row, br_error *err)
{
    const br_plan *plan = loop->plan;
    uint32_t count = loop->width + plan->apply.argument_count;
    for (uint32_t i = 0; i < count; i++)
        loop->values[i] = br_vector_value(&batch->columns[i], row, loop->inner.arena);
    if (br_arena_failed(loop->inner.arena)) return no_memory(loop->run, err);
    for (uint32_t i = 0; i < loop->width; i++)
        loop->columns[i] = br_vector_const(&loop->values[i]);
    uint32_t first = plan->apply.first_parameter - loop->run->query->parameter_count;
    memcpy(loop->run->arguments + first, loop->values + loop->width,
           plan->apply.argument_count * sizeof *loop->values);
    return BR_OK;
}

static br_status keep_rows(apply_loop *loop, const br_batches *batches, br_error *err)
{
    br_batch out = {.column_count = loop->plan->column_count, .columns = loop->columns};
    for (uint32_t i = 0; i < batches->batch_count; i++) {
        br_batch batch;
        BR_TRY(br_batches_get(&loop->inner, 0, batches, i, loop->inner.arena, &batch, err));
        memcpy(loop->columns + loop->width, batch.columns,
               loop->applied_width * sizeof *loop->columns);
        out.row_count = batch.row_count;
        BR_TRY(br_collector_add(loop->collector, &out, err));
        BR_TRY(br_collector_relieve(loop->collector, err));
    }
    if (batches->row_count > 0 || !loop->plan->apply.keeps_unmatched) return BR_OK;
    for (uint32_t i = 0; i < loop->applied_width; i++)
        loop->columns[loop->width + i] = br_vector_null();
    out.row_count = 1;
    return br_collector_add(loop->collector, &out, err);
}

static br_status apply_row(apply_loop *loop, const br_batch *batch, uint32_t row, br_error *err)
{
    br_memory *memory;
    br_batches batches;
    BR_TRY(br_run_poll(loop->run, err));
    BR_TRY(load_row(loop, batch, row, err));
    BR_TRY(br_memory_new(&loop->inner, &loop->inner.index, err));
    BR_TRY(br_memory_new(&loop->inner, &memory, err));
    BR_TRY(br_materialise(&loop->inner, loop->applied, memory, &batches, err));
    return keep_rows(loop, &batches, err);
}

static br_status apply_batch(apply_loop *loop, const br_batch *batch, br_error *err)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        br_status status = apply_row(loop, batch, row, err);
        inner_reset(loop);
        BR_TRY(status);
    }
    return BR_OK;
}

// `arena` is for batches that are on disk.
static br_status apply_all(apply_loop *loop, const br_batches *left, br_arena *arena,
                           br_error *err)
{
    br_status status = BR_OK;
    br_arena_mark mark = br_arena_get_mark(arena);
    for (uint32_t i = 0; i < left->batch_count && status == BR_OK; i++) {
        br_batch batch;
        status = br_batches_get(loop->run, 0, left, i, arena, &batch, err);
        if (status == BR_OK) status = apply_batch(loop, &batch, err);
        br_arena_rewind(arena, mark);
    }
    br_arena_free(loop->inner.arena);
    return status;
}

br_status br_produce_apply(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                           br_error *err)
{
    br_run *run = pipeline->run;
    br_memory *left_memory, *memory;
    br_batches left, batches;
    br_batch_list list;
    br_source *source;
    apply_loop loop;
    BR_TRY(br_memory_new(run, &left_memory, err));
    BR_TRY(store_left(run, plan, left_memory, &left, err));
    BR_TRY(br_memory_new(run, &memory, err));
    BR_TRY(br_pipeline_adopt(pipeline, memory, err));
    BR_TRY(loop_init(&loop, run, plan, memory, err));
    BR_TRY(apply_all(&loop, &left, br_memory_arena(left_memory, 0), err));
    br_memory_free(run, left_memory);
    BR_TRY(br_collector_take(loop.collector, &list, err));
    BR_TRY(br_batches_join(run, &list, 1, plan->column_count, run->arena, &batches, err));
    BR_TRY(br_source_of_batches(run, &batches, &source, err));
    return br_pipeline_add_branch(pipeline, source, next, err);
}
