// produce.c - plan nodes to operators: the dispatch, and what all operators share.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/pipeline.h"
#include "exec/profile.h"
#include "exec/rows.h"

static br_status produce_batches(br_pipeline *pipeline, const br_batches *batches,
                                 br_stage *next, br_error *err)
{
    br_source *source;
    BR_TRY(br_source_of_batches(pipeline->run, batches, &source, err));
    return br_pipeline_add_branch(pipeline, source, next, err);
}

// Sorts and limits end a pipeline; their rows begin the next one.
static br_status produce_materialised(br_pipeline *pipeline, const br_plan *plan,
                                      br_stage *next, br_error *err)
{
    br_memory *memory;
    br_batches batches;
    BR_TRY(br_memory_new(pipeline->run, &memory, err));
    BR_TRY(br_materialise(pipeline->run, plan, memory, &batches, err));
    BR_TRY(br_pipeline_adopt(pipeline, memory, err));
    return produce_batches(pipeline, &batches, next, err);
}

static br_status produce_node(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                              br_error *err)
{
    switch (plan->kind) {
    case BR_PLAN_SCAN: return br_produce_scan(pipeline, plan, next, err);
    case BR_PLAN_VALUES: return br_produce_values(pipeline, plan, next, err);
    case BR_PLAN_SHARED:
        return produce_batches(pipeline, &pipeline->run->shared[plan->shared.index], next, err);
    case BR_PLAN_FILTER: return br_produce_filter(pipeline, plan, next, err);
    case BR_PLAN_PROJECT: return br_produce_project(pipeline, plan, next, err);
    case BR_PLAN_AGGREGATE: return br_produce_aggregate(pipeline, plan, next, err);
    case BR_PLAN_JOIN: return br_produce_join(pipeline, plan, next, err);
    case BR_PLAN_SORT:
    case BR_PLAN_LIMIT: return produce_materialised(pipeline, plan, next, err);
    case BR_PLAN_SET: return br_produce_set(pipeline, plan, next, err);
    case BR_PLAN_WINDOW: return br_produce_window(pipeline, plan, next, err);
    case BR_PLAN_APPLY: return br_produce_apply(pipeline, plan, next, err);
    case BR_PLAN_CALL: return br_produce_call(pipeline, plan, next, err);
    case BR_PLAN_RECURSIVE: return br_produce_recursive(pipeline, plan, next, err);
    case BR_PLAN_WORKING: return br_produce_working(pipeline, plan, next, err);
    }
    return br_fail(err, BR_INTERNAL, "unknown plan node %d", (int)plan->kind);
}

// Sorts and limits are counted where they are materialised.
static bool is_metered(const br_plan *plan)
{
    return plan->kind != BR_PLAN_SORT && plan->kind != BR_PLAN_LIMIT;
}

br_status br_produce(br_pipeline *pipeline, const br_plan *plan, br_stage *next, br_error *err)
{
    br_run *run = pipeline->run;
    if (run->profiler == NULL) return produce_node(pipeline, plan, next, err);
    uint32_t before = br_profiler_enter(run, plan);
    br_status status = BR_OK;
    if (is_metered(plan)) status = br_profiler_meter(pipeline, before, next, &next, err);
    if (status == BR_OK) status = produce_node(pipeline, plan, next, err);
    br_profiler_leave(run, before);
    return status;
}

static br_status materialise_node(br_run *run, const br_plan *plan, br_memory *memory,
                                  br_batches *batches_out, br_error *err)
{
    if (plan->kind == BR_PLAN_SORT)
        return br_materialise_sort(run, plan, memory, batches_out, err);
    if (plan->kind == BR_PLAN_LIMIT)
        return br_materialise_limit(run, plan, memory, batches_out, err);
    br_pipeline *pipeline;
    br_stage *sink;
    const br_keep keep = {.rows = memory, .bytes = memory};
    BR_TRY(br_pipeline_new(run, &pipeline, err));
    BR_TRY(br_collect_new(pipeline, br_plan_width(plan), &keep, &sink, err));
    br_pipeline_set_sink(pipeline, sink);
    BR_TRY(br_produce(pipeline, plan, sink, err));
    BR_TRY(br_pipeline_run(pipeline, err));
    return br_collect_batches(sink, batches_out, err);
}

br_status br_materialise(br_run *run, const br_plan *plan, br_memory *memory,
                         br_batches *batches_out, br_error *err)
{
    uint32_t before = br_profiler_enter(run, plan);
    br_status status = materialise_node(run, plan, memory, batches_out, err);
    br_node_figures *figures = br_run_figures(run, 0, run->node);
    if (status == BR_OK && figures != NULL && !is_metered(plan)) {
        figures->rows += batches_out->row_count;
        figures->batches += batches_out->batch_count;
    }
    br_profiler_leave(run, before);
    return status;
}

// ---- shared helpers --------------------------------------------------------------------------

uint32_t br_plan_width(const br_plan *plan)
{
    return plan->kind == BR_PLAN_SCAN ? plan->scan.output_count : plan->column_count;
}

br_status br_layout_of_plan(br_run *run, const br_plan *plan, br_layout *layout_out, br_error *err)
{
    uint32_t column_count = br_plan_width(plan);
    uint32_t *ids = BR_ALLOC(run->arena, uint32_t, column_count);
    if (ids == NULL) return br_run_no_memory(run, "a plan", err);
    for (uint32_t i = 0; i < column_count; i++) ids[i] = plan->columns[i].id;
    *layout_out = (br_layout){.column_count = column_count, .column_ids = ids};
    return BR_OK;
}

bool br_layout_find(const br_layout *layout, uint32_t column_id, uint32_t *position_out)
{
    for (uint32_t i = 0; i < layout->column_count; i++) {
        if (layout->column_ids[i] != column_id) continue;
        *position_out = i;
        return true;
    }
    return false;
}

// As SQLite's OP_MustBeInt: a number without fraction, or text of one.
static br_status evaluate_count(br_run *run, const br_expr *expression, int64_t *count_out,
                                br_error *err)
{
    br_value value;
    BR_TRY(br_evaluate_constant(expression, &run->expr_env, run->arena, &value, err));
    value = br_value_apply_affinity(value, BR_AFFINITY_NUMERIC, &run->env->bridge, run->arena);
    if (value.class_ == BR_REAL && br_int_real_compare((int64_t)INT64_MAX, value.f64) > 0 &&
        br_int_real_compare((int64_t)value.f64, value.f64) == 0)
        value = br_value_int((int64_t)value.f64);
    if (value.class_ != BR_INT) return br_fail(err, BR_RUNTIME, "datatype mismatch");
    *count_out = value.i64;
    return BR_OK;
}

br_status br_limit_evaluate(br_run *run, const br_expr *limit, const br_expr *offset,
                            uint64_t *limit_out, uint64_t *offset_out, br_error *err)
{
    int64_t count;
    *limit_out = UINT64_MAX;
    *offset_out = 0;
    if (limit != NULL) {
        BR_TRY(evaluate_count(run, limit, &count, err));
        if (count >= 0) *limit_out = (uint64_t)count;
    }
    if (offset != NULL && *limit_out != 0) {
        BR_TRY(evaluate_count(run, offset, &count, err));
        if (count > 0) *offset_out = (uint64_t)count;
    }
    return BR_OK;
}

void br_limit_make_partial(uint64_t *limit, uint64_t *offset)
{
    if (*limit > 0) *limit = *limit > UINT64_MAX - *offset ? UINT64_MAX : *limit + *offset;
    *offset = 0;
}

br_status br_batch_gather(const br_batch *batch, const uint16_t *positions, uint32_t count,
                          br_arena *arena, br_batch *out, br_error *err)
{
    br_vector *columns = BR_ALLOC(arena, br_vector, batch->column_count);
    if (columns == NULL) return br_fail(err, BR_NOMEM, "no memory for a batch of %u rows", count);
    for (uint32_t i = 0; i < batch->column_count; i++) {
        BR_TRY(br_vector_gather(&batch->columns[i], positions, count, arena, &columns[i], err));
    }
    *out = (br_batch){
        .row_count = count, .column_count = batch->column_count, .columns = columns};
    return BR_OK;
}
