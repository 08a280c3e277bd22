// op_project.c - computes the columns of a SELECT list.
// SPDX-License-Identifier: Apache-2.0
#include "exec/pipeline.h"

typedef struct project_stage {
    br_stage base;
    uint32_t column_count;
    br_program *program;
} project_stage;

static br_status project_open(br_stage *op, br_worker *worker, void **state_out, br_error *err)
{
    br_evaluator *evaluator;
    BR_TRY(br_evaluator_new(((project_stage *)op)->program, worker->index, worker->arena,
                            &evaluator, err));
    *state_out = evaluator;
    return BR_OK;
}

static br_status project_process(br_stage *base, br_worker *worker, const br_batch *batch,
                                 br_error *err)
{
    project_stage *op = (project_stage *)base;
    br_vector *columns = BR_ALLOC(worker->scratch, br_vector, op->column_count);
    if (columns == NULL) return br_run_no_memory(worker->run, "a batch", err);
    BR_TRY(br_evaluate(br_worker_state(worker, base), batch, worker->scratch, columns, err));
    br_batch out = {
        .row_count = batch->row_count, .column_count = op->column_count, .columns = columns};
    return br_push(base->next, worker, &out, err);
}

static const br_stage_kind project_kind = {
    .name = "project",
    .open = project_open,
    .process = project_process,
};

// ---- columns behind those of the input -------------------------------------------------------

typedef struct extend_stage {
    br_stage base;
    uint32_t width;  // of the input
    uint32_t count;  // expressions
    br_program *program;
} extend_stage;

static br_status extend_open(br_stage *base, br_worker *worker, void **state_out, br_error *err)
{
    extend_stage *stage = (extend_stage *)base;
    br_evaluator *evaluator = NULL;
    if (stage->count > 0)
        BR_TRY(br_evaluator_new(stage->program, worker->index, worker->arena, &evaluator, err));
    *state_out = evaluator;
    return BR_OK;
}

static br_status extend_process(br_stage *base, br_worker *worker, const br_batch *batch,
                                br_error *err)
{
    extend_stage *stage = (extend_stage *)base;
    br_vector *columns = BR_ALLOC(worker->scratch, br_vector, stage->width + stage->count);
    if (columns == NULL) return br_run_no_memory(worker->run, "a batch", err);
    for (uint32_t i = 0; i < stage->width; i++) columns[i] = batch->columns[i];
    if (stage->count > 0)
        BR_TRY(br_evaluate(br_worker_state(worker, base), batch, worker->scratch,
                           columns + stage->width, err));
    br_batch out = {.row_count = batch->row_count,
                    .column_count = stage->width + stage->count,
                    .columns = columns};
    return br_push(base->next, worker, &out, err);
}

static const br_stage_kind extend_kind = {
    .name = "extend",
    .open = extend_open,
    .process = extend_process,
};

br_status br_extend_new(br_pipeline *pipeline, const br_plan *input,
                        const br_expr *const *expressions, uint32_t count, br_stage *next,
                        br_stage **stage_out, br_error *err)
{
    br_run *run = pipeline->run;
    br_layout layout;
    extend_stage *stage = br_stage_new(pipeline, &extend_kind, next, sizeof *stage);
    if (stage == NULL) return br_run_no_memory(run, "a plan", err);
    stage->width = br_plan_width(input);
    stage->count = count;
    BR_TRY(br_layout_of_plan(run, input, &layout, err));
    if (count > 0)
        BR_TRY(br_program_compile(expressions, count, &layout, &run->expr_env, run->arena,
                                  &stage->program, err));
    *stage_out = &stage->base;
    return BR_OK;
}

// ---- projection ------------------------------------------------------------------------------

br_status br_produce_project(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                             br_error *err)
{
    br_run *run = pipeline->run;
    br_layout layout;
    project_stage *op = br_stage_new(pipeline, &project_kind, next, sizeof *op);
    if (op == NULL) return br_run_no_memory(run, "a plan", err);
    op->column_count = plan->column_count;
    BR_TRY(br_layout_of_plan(run, plan->left, &layout, err));
    BR_TRY(br_program_compile((const br_expr *const *)plan->project.expressions,
                              plan->column_count, &layout, &run->expr_env, run->arena,
                              &op->program, err));
    return br_produce(pipeline, plan->left, &op->base, err);
}
