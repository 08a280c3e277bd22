// op_collect.c - sinks that keep rows: all of them, or the first ones for LIMIT.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "base/thread.h"
#include "exec/rows.h"
#include "exec/spill.h"

typedef struct collect_stage {
    br_stage base;
    br_run *run;
    br_keep keep;
    uint32_t column_count;
    uint32_t morsel_count;
    br_batch_list *lists;  // by morsel
    // LIMIT: the first `wanted` rows in morsel order. Morsels after them need not run.
    uint64_t wanted;  // UINT64_MAX: all
    br_lock lock;
    uint32_t prefix_morsels;  // so many are over, without a gap; the lock
    uint64_t prefix_rows;     // that they gave; the lock
    bool *is_over;            // by morsel; the lock
} collect_stage;

static br_status collect_prepare(br_stage *base, br_run *run, uint32_t morsel_count,
                                 br_error *err)
{
    collect_stage *op = (collect_stage *)base;
    op->morsel_count = morsel_count;
    op->lists = BR_ALLOC(run->arena, br_batch_list, morsel_count);
    op->is_over = BR_ALLOC(run->arena, bool, morsel_count);
    if (op->lists == NULL || op->is_over == NULL)
        return br_run_no_memory(run, "stored rows", err);
    return BR_OK;
}

static br_status collect_open(br_stage *base, br_worker *worker, void **state_out,
                              br_error *err)
{
    collect_stage *op = (collect_stage *)base;
    br_collector *collector = NULL;
    BR_TRY(br_collector_new(worker->run, worker->arena, &op->keep, worker->index,
                            op->column_count, &collector, err));
    *state_out = collector;
    return BR_OK;
}

static br_status collect_process(br_stage *base, br_worker *worker, const br_batch *batch,
                                 br_error *err)
{
    collect_stage *op = (collect_stage *)base;
    br_collector *collector = br_worker_state(worker, base);
    BR_TRY(br_collector_add(collector, batch, err));
    BR_TRY(br_collector_relieve(collector, err));
    if (br_collector_rows(collector) >= op->wanted) worker->is_morsel_done = true;
    return BR_OK;
}

static br_status collect_end_morsel(br_stage *base, br_worker *worker, br_error *err)
{
    collect_stage *op = (collect_stage *)base;
    br_collector *collector = br_worker_state(worker, base);
    BR_TRY(br_collector_take(collector, &op->lists[worker->morsel], err));
    BR_TRY(br_collector_relieve(collector, err));
    if (op->wanted == UINT64_MAX) return BR_OK;
    br_lock_take(&op->lock);
    op->is_over[worker->morsel] = true;
    while (op->prefix_morsels < op->morsel_count && op->is_over[op->prefix_morsels]) {
        op->prefix_rows += op->lists[op->prefix_morsels++].row_count;
    }
    br_lock_give(&op->lock);
    return BR_OK;
}

static bool collect_is_done(br_stage *base)
{
    collect_stage *op = (collect_stage *)base;
    if (op->wanted == UINT64_MAX) return false;
    br_lock_take(&op->lock);
    bool is_done = op->prefix_rows >= op->wanted;
    br_lock_give(&op->lock);
    return is_done;
}

static const br_stage_kind collect_kind = {
    .name = "collect",
    .open = collect_open,
    .process = collect_process,
    .end_morsel = collect_end_morsel,
    .prepare = collect_prepare,
    .is_done = collect_is_done,
};

br_status br_collect_new(br_pipeline *pipeline, uint32_t column_count, const br_keep *keep,
                         br_stage **sink_out, br_error *err)
{
    collect_stage *op = br_stage_new(pipeline, &collect_kind, NULL, sizeof *op);
    if (op == NULL) return br_run_no_memory(pipeline->run, "a plan", err);
    op->run = pipeline->run;
    op->keep = *keep;
    op->column_count = column_count;
    op->wanted = UINT64_MAX;
    *sink_out = &op->base;
    return BR_OK;
}

br_status br_collect_batches(br_stage *sink, br_batches *batches_out, br_error *err)
{
    collect_stage *op = (collect_stage *)sink;
    br_arena *arena = br_memory_arena(op->keep.rows, 0);
    if (arena == NULL) return br_run_no_memory(op->run, "stored rows", err);
    return br_batches_join(op->run, op->lists, op->morsel_count, op->column_count, arena,
                           batches_out, err);
}

// ---- LIMIT -----------------------------------------------------------------------------------

// Cuts the batches down to rows offset..offset+limit.
static br_status cut(br_run *run, br_batches *batches, uint64_t limit, uint64_t offset,
                     br_arena *arena, br_error *err)
{
    uint64_t at = 0, kept_rows = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < batches->batch_count; i++) {
        br_batch batch = batches->batches[i];
        uint64_t first = offset > at ? offset - at : 0;
        at += batch.row_count;
        if (first >= batch.row_count || kept_rows == limit) continue;
        uint64_t count = batch.row_count - first;
        if (count > limit - kept_rows) count = limit - kept_rows;
        if (first > 0) {
            BR_TRY(br_batches_get(run, 0, batches, i, arena, &batch, err));
            uint16_t *positions = BR_ALLOC(arena, uint16_t, count);
            if (positions == NULL) return br_run_no_memory(run, "LIMIT", err);
            for (uint32_t k = 0; k < count; k++) positions[k] = (uint16_t)(first + k);
            BR_TRY(br_batch_gather(&batch, positions, (uint32_t)count, arena, &batch, err));
        }
        batch.row_count = (uint32_t)count;
        kept_rows += count;
        if (batches->places != NULL) batches->places[kept] = batches->places[i];
        batches->batches[kept++] = batch;
    }
    batches->batch_count = kept;
    batches->row_count = kept_rows;
    return BR_OK;
}

br_status br_materialise_limit(br_run *run, const br_plan *plan, br_memory *memory,
                               br_batches *batches_out, br_error *err)
{
    uint64_t limit, offset;
    BR_TRY(br_limit_evaluate(run, plan->limit.limit, plan->limit.offset, &limit, &offset, err));
    if (plan->limit.is_partial) br_limit_make_partial(&limit, &offset);
    br_pipeline *pipeline;
    br_stage *sink;
    const br_keep keep = {.rows = memory, .bytes = memory};
    BR_TRY(br_pipeline_new(run, &pipeline, err));
    BR_TRY(br_collect_new(pipeline, br_plan_width(plan->left), &keep, &sink, err));
    collect_stage *op = (collect_stage *)sink;
    op->wanted = limit > UINT64_MAX - offset ? UINT64_MAX : limit + offset;
    br_pipeline_set_sink(pipeline, sink);
    if (limit == 0) {
        *batches_out = (br_batches){.column_count = plan->column_count};
        return BR_OK;
    }
    BR_TRY(br_produce(pipeline, plan->left, sink, err));
    br_lock_init(&op->lock);
    br_status status = br_pipeline_run(pipeline, err);
    br_lock_release(&op->lock);
    BR_TRY(status);
    BR_TRY(br_collect_batches(sink, batches_out, err));
    return cut(run, batches_out, limit, offset, br_memory_arena(memory, 0), err);
}
