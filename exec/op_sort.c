// op_sort.c - ORDER BY, with LIMIT as Top-N.
// SPDX-License-Identifier: Apache-2.0
#include "exec/op_top.h"
#include "exec/rows.h"

typedef struct limits {
    uint64_t limit, offset;
} limits;

// ORDER BY over rows kept with their keys as the last columns. Frees their arrays.
static br_status order_rows(br_run *run, const br_plan *plan, const br_batches *batches,
                            const limits *limits_, const br_keep *input_keep,
                            br_batches *batches_out, br_error *err)
{
    br_memory *memory = input_keep->bytes;
    br_memory *work;
    br_rows rows;
    uint32_t *order, width = br_plan_width(plan->left);
    uint64_t limit = limits_->limit, offset = limits_->offset;
    BR_TRY(br_memory_new(run, &work, err));
    const br_keep keep = {.rows = work, .bytes = memory};
    BR_TRY(br_rows_build(run, batches, &keep, &rows, err));
    br_memory_free(run, input_keep->rows);
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

static br_status run_input(br_run *run, const br_plan *plan, br_pipeline *pipeline,
                           br_stage *sink, br_error *err)
{
    uint32_t key_count = plan->sort.key_count;
    br_stage *extend;
    const br_expr **expressions = BR_ALLOC(run->arena, const br_expr *, key_count);
    if (expressions == NULL) return br_run_no_memory(run, "sorting", err);
    for (uint32_t i = 0; i < key_count; i++) expressions[i] = plan->sort.keys[i].expression;
    br_pipeline_set_sink(pipeline, sink);
    BR_TRY(br_extend_new(pipeline, plan->left, expressions, key_count, sink, &extend, err));
    BR_TRY(br_produce(pipeline, plan->left, extend, err));
    return br_pipeline_run(pipeline, err);
}

// The rows that are to be sorted: with a LIMIT, those that may be among the first.
static br_status collect_input(br_run *run, const br_plan *plan, const limits *limits_,
                               const br_keep *keep, br_batches *batches_out, br_error *err)
{
    br_pipeline *pipeline;
    br_stage *sink;
    uint32_t width = br_plan_width(plan->left), key_count = plan->sort.key_count;
    BR_TRY(br_pipeline_new(run, &pipeline, err));
    bool is_top = key_count > 0 && limits_->limit <= BR_TOP_ROWS_MAX &&
                  limits_->offset <= BR_TOP_ROWS_MAX - limits_->limit;
    if (!is_top) {
        BR_TRY(br_collect_new(pipeline, width + key_count, keep, &sink, err));
        BR_TRY(run_input(run, plan, pipeline, sink, err));
        return br_collect_batches(sink, batches_out, err);
    }
    br_top_spec spec = {.width = width,
                        .key_count = key_count,
                        .keys = plan->sort.keys,
                        .row_count = limits_->limit + limits_->offset,
                        .keep = *keep};
    BR_TRY(br_top_new(pipeline, &spec, &sink, err));
    br_status status = run_input(run, plan, pipeline, sink, err);
    br_top_release(sink);
    BR_TRY(status);
    return br_top_batches(sink, batches_out, err);
}

br_status br_materialise_sort(br_run *run, const br_plan *plan, br_memory *memory,
                              br_batches *batches_out, br_error *err)
{
    br_memory *input;
    br_batches batches;
    limits limits_;
    BR_TRY(br_limit_evaluate(run, plan->sort.limit, plan->sort.offset, &limits_.limit,
                             &limits_.offset, err));
    *batches_out = (br_batches){.column_count = br_plan_width(plan->left)};
    if (limits_.limit == 0) return BR_OK;
    BR_TRY(br_memory_new(run, &input, err));
    const br_keep keep = {.rows = input, .bytes = memory};
    BR_TRY(collect_input(run, plan, &limits_, &keep, &batches, err));
    return order_rows(run, plan, &batches, &limits_, &keep, batches_out, err);
}
