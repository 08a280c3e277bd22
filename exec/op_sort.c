// op_sort.c - ORDER BY, with LIMIT as Top-N.
// SPDX-License-Identifier: Apache-2.0
#include "exec/op_top.h"
#include "exec/rows.h"
#include "exec/spill.h"

// What sorting in memory takes besides the rows: their order, with the numbers that stand for keys.
enum { ORDER_BYTES_PER_ROW = 48 };

// Rows kept with their keys as the last columns: their arrays, and the bytes of their texts.
typedef struct sort_input {
    br_keep keep;
    br_batches batches;
} sort_input;

// Are there copies of the rows' arrays and bytes to be had, one after the other?
static bool fits(const br_run *run, const sort_input *input, uint64_t kept_rows)
{
    uint64_t rows = input->batches.row_count;
    if (input->batches.places != NULL) return false;
    if (run->spill == NULL || rows == 0) return true;
    uint64_t arrays = br_memory_bytes(input->keep.rows), bytes = br_memory_bytes(input->keep.bytes);
    uint64_t sorting = arrays + rows * ORDER_BYTES_PER_ROW;
    // The arrays that came in are gone when the rows are put in order.
    uint64_t output = (arrays + bytes) / rows * (kept_rows < rows ? kept_rows : rows);
    uint64_t wanted = output > arrays ? sorting + output - arrays : sorting;
    return wanted < br_quota_room(run->env->quota);
}

static br_status order_in_memory(br_run *run, const br_sort_spec *spec, const sort_input *input,
                                 br_memory *memory, br_batches *batches_out, br_error *err)
{
    br_memory *work;
    br_rows rows;
    uint32_t *order;
    uint64_t offset = spec->offset;
    BR_TRY(br_memory_new(run, &work, err));
    const br_keep keep = {.rows = work, .bytes = input->keep.bytes};
    BR_TRY(br_rows_build(run, &input->batches, &keep, &rows, err));
    br_memory_free(run, input->keep.rows);
    br_arena *arena = br_memory_arena(work, 0);
    if (arena == NULL) return br_run_no_memory(run, "sorting", err);
    br_sort_columns columns = {.key_count = spec->key_count,
                               .columns = rows.columns + spec->width,
                               .keys = spec->keys};
    BR_TRY(br_sort_rows(run, &columns, rows.row_count, arena, &order, err));
    uint64_t count = rows.row_count > offset ? rows.row_count - offset : 0;
    if (count > spec->limit) count = spec->limit;
    BR_TRY(br_rows_ordered(run, &rows, spec->width, order + (count > 0 ? offset : 0), count,
                           memory, batches_out, err));
    br_memory_free(run, work);
    br_memory_free(run, input->keep.bytes);
    return BR_OK;
}

static br_status order_on_disk(br_run *run, const br_sort_spec *spec, sort_input *input,
                               br_memory *memory, br_batches *batches_out, br_error *err)
{
    BR_TRY(br_batches_store(run, &input->batches, err));
    br_memory_free(run, input->keep.rows);
    br_memory_free(run, input->keep.bytes);
    return br_sort_on_disk(run, spec, &input->batches, memory, batches_out, err);
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

// The scan that a column comes straight from, when nothing above it but the sort could fail or
// would miss rows; NULL: there is none.
static const br_plan *find_scan(const br_plan *plan, uint32_t *column_id)
{
    if (plan->kind == BR_PLAN_SCAN) {
        for (uint32_t i = 0; i < plan->scan.filter_count; i++) {
            if (plan->scan.filters[i]->can_fail) return NULL;
        }
        return plan;
    }
    if (plan->kind == BR_PLAN_FILTER)
        return plan->filter.predicate->can_fail ? NULL : find_scan(plan->left, column_id);
    if (plan->kind != BR_PLAN_PROJECT) return NULL;
    const br_expr *source = NULL;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const br_expr *expression = plan->project.expressions[i];
        if (expression->can_fail) return NULL;
        if (plan->columns[i].id == *column_id) source = expression;
    }
    if (source == NULL || source->kind != BR_EXPR_COLUMN) return NULL;
    *column_id = source->column_id;
    return find_scan(plan->left, column_id);
}

// Lets the scan read no more of rows that the sink would turn away.
static br_status push_bound(br_run *run, const br_plan *plan, br_stage *sink, br_error *err)
{
    const br_expr *first = plan->sort.keys[0].expression;
    for (uint32_t i = 0; i < plan->sort.key_count; i++) {
        if (plan->sort.keys[i].expression->can_fail) return BR_OK;
    }
    if (first->kind != BR_EXPR_COLUMN) return BR_OK;
    uint32_t column_id = first->column_id;
    const br_plan *scan = find_scan(plan->left, &column_id);
    if (scan != NULL && br_plan_width(scan) == 1) return BR_OK;  // there is nothing else to read
    for (uint32_t i = 0; scan != NULL && i < scan->column_count; i++) {
        unsigned mask = scan->columns[i].type.class_mask;
        if (scan->columns[i].id != column_id || (mask & BR_MASK_NULL) != 0) continue;
        br_join_filter *filter = BR_ALLOC(run->arena, br_join_filter, 1);
        if (filter == NULL) return br_run_no_memory(run, "sorting", err);
        *filter = (br_join_filter){
            .next = run->join_filters, .scan = scan, .column = i, .filter = br_top_filter(sink)};
        run->join_filters = filter;
    }
    return BR_OK;
}

// The rows that are to be sorted: with a LIMIT, those that may be among the first.
static br_status collect_input(br_run *run, const br_plan *plan, const br_sort_spec *spec_,
                               sort_input *input, br_error *err)
{
    br_pipeline *pipeline;
    br_stage *sink;
    uint32_t width = spec_->width, key_count = spec_->key_count;
    BR_TRY(br_memory_new(run, &input->keep.rows, err));
    BR_TRY(br_memory_new(run, &input->keep.bytes, err));
    BR_TRY(br_pipeline_new(run, &pipeline, err));
    bool is_top = key_count > 0 && spec_->limit <= BR_TOP_ROWS_MAX &&
                  spec_->offset <= BR_TOP_ROWS_MAX - spec_->limit;
    if (!is_top) {
        BR_TRY(br_collect_new(pipeline, width + key_count, &input->keep, &sink, err));
        BR_TRY(run_input(run, plan, pipeline, sink, err));
        return br_collect_batches(sink, &input->batches, err);
    }
    br_top_spec spec = {.width = width,
                        .key_count = key_count,
                        .keys = plan->sort.keys,
                        .row_count = spec_->limit + spec_->offset,
                        .keep = input->keep};
    BR_TRY(br_top_new(pipeline, &spec, &sink, err));
    br_join_filter *others = run->join_filters;
    br_status status = push_bound(run, plan, sink, err);
    if (status == BR_OK) status = run_input(run, plan, pipeline, sink, err);
    run->join_filters = others;
    br_top_release(sink);
    BR_TRY(status);
    return br_top_batches(sink, &input->batches, err);
}

br_status br_materialise_sort(br_run *run, const br_plan *plan, br_memory *memory,
                              br_batches *batches_out, br_error *err)
{
    sort_input input;
    br_sort_spec spec = {.width = br_plan_width(plan->left),
                         .key_count = plan->sort.key_count,
                         .keys = plan->sort.keys};
    BR_TRY(br_limit_evaluate(run, plan->sort.limit, plan->sort.offset, &spec.limit, &spec.offset,
                             err));
    if (plan->sort.is_partial) br_limit_make_partial(&spec.limit, &spec.offset);
    *batches_out = (br_batches){.column_count = spec.width};
    if (spec.limit == 0) return BR_OK;
    BR_TRY(collect_input(run, plan, &spec, &input, err));
    return fits(run, &input, spec.limit)
               ? order_in_memory(run, &spec, &input, memory, batches_out, err)
               : order_on_disk(run, &spec, &input, memory, batches_out, err);
}
