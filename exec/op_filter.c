// op_filter.c - keeps the rows for which a condition is true, compacted.
// SPDX-License-Identifier: Apache-2.0
#include "exec/pipeline.h"

typedef struct filter_stage {
    br_stage base;
    br_program *program;
} filter_stage;

static br_status filter_open(br_stage *op, br_worker *worker, void **state_out, br_error *err)
{
    br_evaluator *evaluator;
    BR_TRY(br_evaluator_new(((filter_stage *)op)->program, worker->index, worker->arena,
                            &evaluator, err));
    *state_out = evaluator;
    return BR_OK;
}

static br_status filter_process(br_stage *op, br_worker *worker, const br_batch *batch,
                                br_error *err)
{
    uint64_t selected[BR_BATCH_ROWS / 64];
    uint16_t positions[BR_BATCH_ROWS];
    uint32_t count;
    BR_TRY(br_evaluate_condition(br_worker_state(worker, op), batch, worker->scratch, selected,
                                 &count, err));
    if (count == 0) return BR_OK;
    if (count == batch->row_count) return br_push(op->next, worker, batch, err);
    br_bitmap_positions(selected, batch->row_count, positions);
    br_batch kept;
    BR_TRY(br_batch_gather(batch, positions, count, worker->scratch, &kept, err));
    return br_push(op->next, worker, &kept, err);
}

static const br_stage_kind filter_kind = {
    .name = "filter",
    .open = filter_open,
    .process = filter_process,
};

br_status br_produce_filter(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                            br_error *err)
{
    br_run *run = pipeline->run;
    br_layout layout;
    const br_expr *predicate = plan->filter.predicate;
    filter_stage *op = br_stage_new(pipeline, &filter_kind, next, sizeof *op);
    if (op == NULL) return br_run_no_memory(run, "a plan", err);
    BR_TRY(br_layout_of_plan(run, plan->left, &layout, err));
    BR_TRY(br_program_compile(&predicate, 1, &layout, &run->expr_env, run->arena, &op->program,
                              err));
    return br_produce(pipeline, plan->left, &op->base, err);
}
