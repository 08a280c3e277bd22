// op_sort.c - ORDER BY, with LIMIT as Top-N.
// SPDX-License-Identifier: Apache-2.0
#include "exec/rows.h"
#include "exec/sort.h"

typedef struct limits {
    uint64_t limit, offset;
} limits;

// ORDER BY over rows kept with their keys as the last columns.
static br_status order_rows(br_run *run, const br_plan *plan, const br_batches *batches,
                            const limits *limits_, br_memory *memory, br_batches *batches_out,
                            br_error *err)
{
    br_memory *work;
    br_rows rows;
    uint32_t *order, width = br_plan_width(plan->left);
    uint64_t limit = limits_->limit, offset = limits_->offset;
    BR_TRY(br_memory_new(run, &work, err));
    BR_TRY(br_rows_build(run, batches, work, &rows, err));
    br_arena *arena = br_memory_arena(work, 0);
    if (arena == NULL) return br_run_no_memory(run, "sorting", err);
    br_sort_columns columns = {.key_count = plan->sort.key_count,
                               .columns = rows.columns + width,
                               .keys = plan->sort.keys};
    BR_TRY(br_sort_rows(run, &columns, rows.row_count, arena, &order, err));
    uint64_t count = rows.row_count > offset ? rows.row_count - offset : 0;
    if (count > limit) count = limit;
    BR_TRY(br_rows_ordered(run, &rows, width, order + (count > 0 ? offset : 0), count, memory,
                           batches_out, err));
    br_memory_free(run, work);
    return BR_OK;
}

br_status br_materialise_sort(br_run *run, const br_plan *plan, br_memory *memory,
                              br_batches *batches_out, br_error *err)
{
    br_pipeline *pipeline;
    br_stage *sink, *extend;
    br_batches batches;
    limits limits_;
    uint32_t width = br_plan_width(plan->left), key_count = plan->sort.key_count;
    BR_TRY(br_limit_evaluate(run, plan->sort.limit, plan->sort.offset, &limits_.limit,
                             &limits_.offset, err));
    *batches_out = (br_batches){.column_count = width};
    if (limits_.limit == 0) return BR_OK;
    const br_expr **expressions = BR_ALLOC(run->arena, const br_expr *, key_count);
    if (expressions == NULL) return br_run_no_memory(run, "sorting", err);
    for (uint32_t i = 0; i < key_count; i++) expressions[i] = plan->sort.keys[i].expression;
    BR_TRY(br_pipeline_new(run, &pipeline, err));
    BR_TRY(br_collect_new(pipeline, width + key_count, memory, &sink, err));
    br_pipeline_set_sink(pipeline, sink);
    BR_TRY(br_extend_new(pipeline, plan->left, expressions, key_count, sink, &extend, err));
    BR_TRY(br_produce(pipeline, plan->left, extend, err));
    BR_TRY(br_pipeline_run(pipeline, err));
    BR_TRY(br_collect_batches(sink, &batches, err));
    return order_rows(run, plan, &batches, &limits_, memory, batches_out, err);
}
