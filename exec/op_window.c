// op_window.c - window functions: the rows are kept, sorted, and put out again with the results.
// SPDX-License-Identifier: Apache-2.0
#include "exec/op_window.h"

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/scan_filter.h"
#include "exec/spill.h"

enum {
    TASK_ROWS_MIN = 16 * BR_BATCH_ROWS,  // partitions are handed out in portions of so many rows
    BATCHES_PER_MORSEL = 32,
    SORT_BYTES_PER_ROW = 56,  // order, numbers that stand for keys, where groups begin
    RESULT_BYTES_PER_ROW = 24,
};
static br_status no_memory(const br_window_node *node, br_error *err)
{
    return br_run_no_memory(node->run, "window functions", err);
}

// ---- which columns are stored ----------------------------------------------------------------

static uint32_t stored_column(br_window_node *node, const br_expr *expression)
{
    uint32_t position;
    if (expression->kind == BR_EXPR_COLUMN &&
        br_layout_find(&node->layout, expression->column_id, &position))
        return position;
    for (uint32_t i = 0; i < node->extra_count; i++) {
        if (node->extras[i] == expression) return node->width + i;
    }
    node->extras[node->extra_count] = expression;
    return node->width + node->extra_count++;
}

static void note_column(void *context, uint32_t column_id)
{
    (void)column_id;
    *(bool *)context = true;
}

// Arguments but the first are as a rule constants; they need no column.
static br_status constant_argument(br_window_node *node, const br_expr *expression, br_vector *out,
                                   bool *done_out, br_error *err)
{
    bool has_column = false;
    br_expr_columns(expression, note_column, &has_column);
    *done_out = !has_column && !expression->can_fail;
    if (!*done_out) return BR_OK;
    br_value *value = BR_ALLOC(node->run->arena, br_value, 1);
    if (value == NULL) return no_memory(node, err);
    BR_TRY(br_evaluate_constant(expression, &node->run->expr_env, node->run->arena, value, err));
    *out = br_vector_const(value);
    return BR_OK;
}

static bool has_range_offset(const br_window_frame *frame)
{
    return frame->unit == BR_FRAME_RANGE &&
           (frame->start == BR_FRAME_PRECEDING || frame->start == BR_FRAME_FOLLOWING ||
            frame->end == BR_FRAME_PRECEDING || frame->end == BR_FRAME_FOLLOWING);
}

// Functions that are not about frames may have any.
static bool has_frame(const br_window_call *call)
{
    return call->function == BR_WINDOW_AGGREGATE || call->function >= BR_WINDOW_FIRST_VALUE;
}

static uint32_t range_column(const br_window_node *node, const br_window_call *call)
{
    bool has_key = has_frame(call) && has_range_offset(&call->frame);
    return has_key ? node->key_columns[node->plan->window.partition_count] : BR_WINDOW_NO_COLUMN;
}

static br_status declare_call(br_window_node *node, uint32_t index, br_error *err)
{
    const br_window_call *call = &node->plan->window.calls[index];
    br_window_job *job = &node->jobs[index];
    br_window_columns *columns = &job->columns;
    bool is_aggregate = call->function == BR_WINDOW_AGGREGATE;
    const br_expr *filter = is_aggregate ? call->aggregate.filter : NULL;
    job->rows = &node->rows;
    job->call = call;
    if (node->plan->window.order_count > 0)
        job->sort_key = &node->keys[node->plan->window.partition_count];
    job->arg_count = is_aggregate ? call->aggregate.arg_count : call->arg_count;
    columns->range = range_column(node, call);
    columns->filter = filter == NULL ? BR_WINDOW_NO_COLUMN : stored_column(node, filter);
    for (uint32_t i = 0; i < job->arg_count; i++) {
        const br_expr *arg = is_aggregate ? call->aggregate.args[i] : call->args[i];
        bool is_done = false;
        columns->args[i] = BR_WINDOW_NO_COLUMN;
        if (i > 0) BR_TRY(constant_argument(node, arg, &job->args[i], &is_done, err));
        if (!is_done) columns->args[i] = stored_column(node, arg);
    }
    return BR_OK;
}

static br_status declare_outputs(br_window_node *node, br_error *err)
{
    const br_plan *plan = node->plan;
    node->output_count = br_plan_width(plan) - plan->window.call_count;
    node->outputs = BR_ALLOC(node->run->arena, uint32_t, node->output_count);
    if (node->outputs == NULL) return no_memory(node, err);
    for (uint32_t i = 0; i < node->output_count; i++) {
        if (!br_layout_find(&node->layout, plan->columns[i].id, &node->outputs[i]))
            return br_fail(err, BR_INTERNAL, "window: column %u is not in the input",
                           plan->columns[i].id);
    }
    return BR_OK;
}

static br_status declare(br_window_node *node, br_error *err)
{
    const br_plan *plan = node->plan;
    br_arena *arena = node->run->arena;
    uint32_t partition_count = plan->window.partition_count, count = plan->window.call_count;
    node->key_count = partition_count + plan->window.order_count;
    node->width = br_plan_width(plan->left);
    node->extras = BR_ALLOC(arena, const br_expr *, node->key_count + 4 * count);
    node->key_columns = BR_ALLOC(arena, uint32_t, node->key_count);
    node->keys = BR_ALLOC(arena, br_sort_key, node->key_count);
    node->job_count = count;
    node->jobs = BR_ALLOC(arena, br_window_job, count);
    if (node->extras == NULL || node->key_columns == NULL || node->keys == NULL ||
        node->jobs == NULL)
        return no_memory(node, err);
    BR_TRY(br_layout_of_plan(node->run, plan->left, &node->layout, err));
    for (uint32_t i = 0; i < node->key_count; i++) {
        if (i < partition_count) {
            node->keys[i].expression = plan->window.partitions[i];
            node->keys[i].collation = plan->window.partition_collations[i];
        } else {
            node->keys[i] = plan->window.order_by[i - partition_count];
        }
        node->key_columns[i] = stored_column(node, node->keys[i].expression);
    }
    for (uint32_t i = 0; i < count; i++) BR_TRY(declare_call(node, i, err));
    return declare_outputs(node, err);
}

// ---- keeping and sorting ---------------------------------------------------------------------

static br_status store_input(br_window_node *node, br_keep *keep, br_batches *batches_out,
                             br_error *err)
{
    br_run *run = node->run;
    br_pipeline *pipeline;
    br_stage *sink, *extend;
    uint32_t column_count = node->width + node->extra_count;
    BR_TRY(br_memory_new(run, &keep->rows, err));
    BR_TRY(br_memory_new(run, &keep->bytes, err));
    BR_TRY(br_pipeline_new(run, &pipeline, err));
    BR_TRY(br_collect_new(pipeline, column_count, keep, &sink, err));
    br_pipeline_set_sink(pipeline, sink);
    BR_TRY(br_extend_new(pipeline, node->plan->left, node->extras, node->extra_count, sink,
                         &extend, err));
    BR_TRY(br_produce(pipeline, node->plan->left, extend, err));
    BR_TRY(br_pipeline_run(pipeline, err));
    return br_collect_batches(sink, batches_out, err);
}

// Is there room for the rows as columns, in their order, with results and what sorting takes?
static bool fits(const br_window_node *node, const br_keep *keep, const br_batches *batches)
{
    br_run *run = node->run;
    if (batches->places != NULL) return false;
    if (run->spill == NULL || batches->row_count == 0) return true;
    uint64_t row_bytes = SORT_BYTES_PER_ROW + node->job_count * RESULT_BYTES_PER_ROW;
    uint64_t wanted = 2 * br_memory_bytes(keep->rows) + batches->row_count * row_bytes;
    return wanted < br_quota_room(run->env->quota);
}

static br_status build_rows(br_window_node *node, const br_keep *keep, const br_batches *batches,
                            br_error *err)
{
    const br_keep whole = {.rows = node->memory, .bytes = keep->bytes};
    BR_TRY(br_rows_build(node->run, batches, &whole, &node->input, err));
    br_memory_free(node->run, keep->rows);
    return BR_OK;
}

static br_status sort_input(br_window_node *node, br_error *err)
{
    br_vector *columns = BR_ALLOC(node->run->arena, br_vector, node->key_count);
    if (columns == NULL) return no_memory(node, err);
    for (uint32_t i = 0; i < node->key_count; i++)
        columns[i] = node->input.columns[node->key_columns[i]];
    const br_sort_columns keys = {
        .key_count = node->key_count, .columns = columns, .keys = node->keys};
    return br_window_rows_make(node->run, &keys, node->plan->window.partition_count,
                               node->input.row_count, node->memory, &node->rows, err);
}

static br_status sort_columns(br_window_node *node, br_error *err)
{
    br_arena *arena = node->run->arena;
    uint32_t column_count = node->width + node->extra_count;
    node->sorted = BR_ALLOC(arena, br_vector, column_count);
    node->is_sorted = BR_ALLOC(arena, bool, column_count);
    if (node->sorted == NULL || node->is_sorted == NULL) return no_memory(node, err);
    for (uint32_t i = 0; i < node->job_count; i++) {
        const br_window_job *job = &node->jobs[i];
        const br_window_columns *columns = &job->columns;
        if (columns->filter != BR_WINDOW_NO_COLUMN) node->is_sorted[columns->filter] = true;
        if (columns->range != BR_WINDOW_NO_COLUMN) node->is_sorted[columns->range] = true;
        for (uint32_t k = 0; k < job->arg_count; k++) {
            if (columns->args[k] != BR_WINDOW_NO_COLUMN) node->is_sorted[columns->args[k]] = true;
        }
    }
    return br_rows_pick(node->run, &node->input, node->is_sorted, node->rows.order, node->memory,
                        node->sorted, err);
}

// ---- evaluating ------------------------------------------------------------------------------

static void and_filter(const br_vector *filter, uint32_t row_count, br_arena *scratch,
                       uint64_t *bits)
{
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (uint32_t row = 0; row < row_count; row++) {
        br_value value = br_vector_value(filter, row, scratch);
        if (br_value_truth(&value) != 1) br_bitmap_clear(bits, row);
        br_arena_rewind(scratch, mark);
    }
}

static void and_not_null(const br_vector *vector, uint32_t row_count, uint64_t *bits)
{
    bool has_bits = vector->class_ != BR_NULL && vector->class_ != BR_ANY;
    uint32_t words = has_bits && vector->validity != NULL ? br_bitmap_words(row_count) : 0;
    for (uint32_t i = 0; i < words; i++) bits[i] &= vector->validity[i];
    for (uint32_t row = 0; !has_bits && row < row_count; row++) {
        if (br_vector_is_null(vector, row)) br_bitmap_clear(bits, row);
    }
}

// Which rows an aggregate takes in.
static br_status find_included(br_window_node *node, br_window_job *job, uint32_t filter,
                               uint32_t worker, br_error *err)
{
    uint32_t row_count = node->rows.row_count;
    bool has_arg = job->arg_count > 0 && !br_window_is_json(job->call);
    const br_vector *arg = has_arg ? &job->args[0] : NULL;
    bool has_nulls = arg != NULL && (arg->class_ == BR_NULL || arg->class_ == BR_ANY ||
                                     arg->validity != NULL);
    if (!has_nulls && filter == BR_WINDOW_NO_COLUMN) return BR_OK;
    br_arena *arena = br_memory_arena(node->memory, worker);
    br_arena *scratch = br_memory_arena(node->run->scratch, worker);
    if (arena == NULL || scratch == NULL) return no_memory(node, err);
    uint64_t *bits = BR_ALLOC(arena, uint64_t, br_bitmap_words(row_count));
    if (bits == NULL) return no_memory(node, err);
    br_bitmap_fill(bits, row_count);
    if (has_nulls) and_not_null(arg, row_count, bits);
    if (filter != BR_WINDOW_NO_COLUMN) and_filter(&node->sorted[filter], row_count, scratch, bits);
    job->included = bits;
    return br_arena_failed(scratch) ? no_memory(node, err) : BR_OK;
}

br_status br_window_prepare(br_window_node *node, uint32_t index, uint32_t worker, br_error *err)
{
    br_window_job *job = &node->jobs[index];
    const br_window_columns *columns = &job->columns;
    for (uint32_t i = 0; i < job->arg_count; i++) {
        if (columns->args[i] != BR_WINDOW_NO_COLUMN) job->args[i] = node->sorted[columns->args[i]];
    }
    if (columns->range != BR_WINDOW_NO_COLUMN) job->range_key = node->sorted[columns->range];
    if (job->call->function == BR_WINDOW_AGGREGATE)
        BR_TRY(find_included(node, job, columns->filter, worker, err));
    br_arena *arena = br_memory_arena(node->memory, worker);
    if (arena == NULL) return no_memory(node, err);
    return br_window_result_new(job, 0, node->rows.row_count, arena, err);
}

static br_status prepare_job(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    return br_window_prepare(context, index, worker, err);
}

static br_status make_tasks(br_window_node *node, br_error *err)
{
    const br_window_rows *rows = &node->rows;
    uint32_t count = 0, first_row = 0;
    node->tasks = BR_ALLOC(node->run->arena, uint32_t, rows->row_count / TASK_ROWS_MIN + 2);
    if (node->tasks == NULL) return no_memory(node, err);
    for (uint32_t i = 0; i < rows->partition_count; i++) {
        uint32_t end_row = rows->partition_rows[i + 1];
        if (end_row - first_row < TASK_ROWS_MIN && i + 1 < rows->partition_count) continue;
        node->tasks[++count] = i + 1;
        first_row = end_row;
    }
    node->task_count = count;
    return BR_OK;
}

br_status br_window_run_task(br_window_node *node, uint32_t index, uint32_t worker, br_error *err)
{
    const br_window_rows *rows = &node->rows;
    uint32_t task = index % node->task_count;
    br_window_work work = {.job = &node->jobs[index / node->task_count],
                           .scratch = br_memory_arena(node->run->scratch, worker),
                           .keep = br_memory_arena(node->memory, worker)};
    if (work.scratch == NULL || work.keep == NULL) return no_memory(node, err);
    BR_TRY(br_run_poll(node->run, err));
    br_arena_mark mark = br_arena_get_mark(work.scratch);
    for (uint32_t i = node->tasks[task]; i < node->tasks[task + 1]; i++) {
        work.first = work.block = rows->partition_rows[i];
        work.end = work.block_end = rows->partition_rows[i + 1];
        work.first_group = rows->partition_groups[i];
        work.end_group = rows->partition_groups[i + 1];
        BR_TRY(br_window_evaluate(&work, err));
        br_arena_rewind(work.scratch, mark);
    }
    return BR_OK;
}

static br_status run_task(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    return br_window_run_task(context, index, worker, err);
}

static br_status evaluate_calls(br_window_node *node, br_error *err)
{
    if (node->rows.row_count == 0) return BR_OK;
    BR_TRY(br_run_tasks(node->run, node->job_count, prepare_job, node, err));
    BR_TRY(make_tasks(node, err));
    return br_run_tasks(node->run, node->job_count * node->task_count, run_task, node, err);
}

// ---- putting out -----------------------------------------------------------------------------

typedef struct window_source {
    br_source base;
    const br_window_node *node;
} window_source;

br_status br_window_push(const br_window_node *node, br_worker *worker, uint32_t first,
                         br_stage *next, br_error *err)
{
    uint32_t call_count = node->job_count, left = node->rows.row_count - first;
    br_batch batch = {.row_count = left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS,
                      .column_count = node->output_count + call_count};
    batch.columns = BR_ALLOC(worker->scratch, br_vector, batch.column_count);
    if (batch.columns == NULL) return no_memory(node, err);
    for (uint32_t i = 0; i < node->output_count; i++) {
        uint32_t k = node->outputs[i];
        if (node->is_sorted[k]) batch.columns[i] = br_vector_slice(&node->sorted[k], first);
        else BR_TRY(br_column_pick(node->run, &node->input.columns[k], node->rows.order + first,
                                   batch.row_count, false, worker->scratch, &batch.columns[i],
                                   err));
    }
    for (uint32_t i = 0; i < call_count; i++) {
        BR_TRY(br_window_vector(&node->jobs[i], first, batch.row_count, worker->scratch,
                                &batch.columns[node->output_count + i], err));
    }
    return br_push(next, worker, &batch, err);
}

static br_status source_run_morsel(br_source *base, br_worker *worker, uint32_t morsel,
                                   br_stage *first_stage, br_error *err)
{
    const br_window_node *node = ((window_source *)base)->node;
    uint64_t first = (uint64_t)morsel * BATCHES_PER_MORSEL * BR_BATCH_ROWS;
    uint64_t end = first + BATCHES_PER_MORSEL * BR_BATCH_ROWS;
    if (end > node->rows.row_count) end = node->rows.row_count;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    for (; first < end && !worker->is_morsel_done; first += BR_BATCH_ROWS) {
        BR_TRY(br_run_poll(worker->run, err));
        br_arena_rewind(worker->scratch, mark);
        BR_TRY(br_window_push(node, worker, (uint32_t)first, first_stage, err));
    }
    return BR_OK;
}

static const br_source_kind source_kind = {.run_morsel = source_run_morsel};

static br_status add_source(br_pipeline *pipeline, const br_window_node *node, br_stage *next,
                            br_error *err)
{
    window_source *source = BR_ALLOC(node->run->arena, window_source, 1);
    if (source == NULL) return no_memory(node, err);
    uint64_t rows_per_morsel = BATCHES_PER_MORSEL * BR_BATCH_ROWS;
    uint64_t row_count = node->rows.row_count;
    source->base = (br_source){
        .kind = &source_kind,
        .morsel_count = (uint32_t)((row_count + rows_per_morsel - 1) / rows_per_morsel),
        .row_count = row_count};
    source->node = node;
    return br_pipeline_add_branch(pipeline, &source->base, next, err);
}

static br_status check_offsets(br_window_node *node, const br_batches *input, br_error *err)
{
    if (input->row_count == 0) return BR_OK;  // SQLite does not even look at offsets
    for (uint32_t i = 0; i < node->job_count; i++) {
        if (has_frame(node->jobs[i].call)) BR_TRY(br_window_offsets(&node->jobs[i], err));
    }
    return BR_OK;
}

br_status br_produce_window(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                            br_error *err)
{
    br_run *run = pipeline->run;
    br_keep keep;
    br_batches input;
    br_window_node *node = BR_ALLOC(run->arena, br_window_node, 1);
    if (node == NULL) return br_run_no_memory(run, "window functions", err);
    node->run = node->rows.run = run;
    node->plan = plan;
    BR_TRY(br_memory_new(run, &node->memory, err));
    BR_TRY(br_pipeline_adopt(pipeline, node->memory, err));
    BR_TRY(declare(node, err));
    BR_TRY(store_input(node, &keep, &input, err));
    BR_TRY(check_offsets(node, &input, err));
    if (!fits(node, &keep, &input)) {
        BR_TRY(br_batches_store(run, &input, err));
        br_memory_free(run, keep.rows);
        br_memory_free(run, keep.bytes);
        return br_window_on_disk(pipeline, node, &input, next, err);
    }
    BR_TRY(br_pipeline_adopt(pipeline, keep.bytes, err));
    BR_TRY(build_rows(node, &keep, &input, err));
    BR_TRY(sort_input(node, err));
    BR_TRY(sort_columns(node, err));
    BR_TRY(evaluate_calls(node, err));
    return add_source(pipeline, node, next, err);
}
