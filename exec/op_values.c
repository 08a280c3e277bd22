// op_values.c - rows written in the query itself.
// SPDX-License-Identifier: Apache-2.0
#include "exec/rows.h"

static br_status collect_row(br_run *run, const br_plan *plan, uint32_t row,
                             br_collector *collector, br_error *err)
{
    br_value *values = BR_ALLOC(run->arena, br_value, plan->column_count);
    br_vector *columns = BR_ALLOC(run->arena, br_vector, plan->column_count);
    if (values == NULL || columns == NULL) return br_run_no_memory(run, "VALUES", err);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        BR_TRY(br_evaluate_constant(plan->values.rows[row][i], &run->expr_env, run->arena,
                                    &values[i], err));
        columns[i] = br_vector_const(&values[i]);
    }
    br_batch batch = {.row_count = 1, .column_count = plan->column_count, .columns = columns};
    return br_collector_add(collector, &batch, err);
}

br_status br_produce_values(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                            br_error *err)
{
    br_run *run = pipeline->run;
    br_collector *collector;
    br_batch_list list;
    br_batches batches;
    br_source *source;
    br_memory *memory;
    BR_TRY(br_memory_new(run, &memory, err));
    BR_TRY(br_pipeline_adopt(pipeline, memory, err));
    const br_keep keep = {.rows = memory, .bytes = memory};
    BR_TRY(br_collector_new(run, run->arena, &keep, 0, plan->column_count, &collector, err));
    for (uint32_t row = 0; row < plan->values.row_count; row++) {
        BR_TRY(collect_row(run, plan, row, collector, err));
    }
    BR_TRY(br_collector_take(collector, &list, err));
    BR_TRY(br_batches_join(run, &list, 1, plan->column_count, run->arena, &batches, err));
    BR_TRY(br_source_of_batches(run, &batches, &source, err));
    return br_pipeline_add_branch(pipeline, source, next, err);
}
