// op_call.c - table-valued functions: each row of the input is put out beside each row that the
// function gives for its arguments. generate_series is computed here, SQLite runs the others, and
// reads those of its tables that only it can read.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "exec/evaluate.h"
#include "exec/pipeline.h"

static const int64_t series_stop_default = 0xffffffff;  // as SQLite's series.c has it

typedef struct call_stage {
    br_stage base;
    const br_plan *plan;
    uint32_t width;        // of the input
    br_program *arguments; // NULL: none
    const char *sql;       // behind SELECT, when SQLite runs the function
    br_program *residual;  // over what is put out; NULL: none
} call_stage;

// Rows that wait to be pushed, of one batch of the input.
typedef struct call_state {
    br_evaluator *evaluator, *residual;
    uint16_t positions[BR_BATCH_ROWS];  // of the input's row
    br_value **values;                  // per output, BR_BATCH_ROWS each; SQLite's functions
    int64_t **numbers;                  // the same for generate_series
    uint32_t count;
    bool is_matched[BR_BATCH_ROWS];     // keeps_unmatched, by the input's row
} call_state;

// What pushing needs.
typedef struct call_run {
    const call_stage *stage;
    call_state *state;
    br_worker *worker;
    const br_batch *input;
    uint32_t row;          // of the input, for which rows come now
    br_arena_mark mark;    // of scratch, before what rows that wait have there
} call_run;

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "a table-valued function", err);
}

static br_status call_open(br_stage *base, br_worker *worker, void **state_out, br_error *err)
{
    const call_stage *stage = (const call_stage *)base;
    uint32_t count = stage->plan->call.output_count;
    call_state *state = BR_ALLOC(worker->arena, call_state, 1);
    if (state == NULL) return no_memory(worker->run, err);
    state->values = BR_ALLOC(worker->arena, br_value *, count);
    state->numbers = BR_ALLOC(worker->arena, int64_t *, count);
    if (state->values == NULL || state->numbers == NULL) return no_memory(worker->run, err);
    bool is_series = stage->sql == NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (is_series) state->numbers[i] = BR_ALLOC(worker->arena, int64_t, BR_BATCH_ROWS);
        else state->values[i] = BR_ALLOC(worker->arena, br_value, BR_BATCH_ROWS);
        if (state->numbers[i] == NULL && state->values[i] == NULL)
            return no_memory(worker->run, err);
    }
    if (stage->arguments != NULL)
        BR_TRY(br_evaluator_new(stage->arguments, worker->index, worker->arena, &state->evaluator,
                                err));
    if (stage->residual != NULL)
        BR_TRY(br_evaluator_new(stage->residual, worker->index, worker->arena, &state->residual,
                                err));
    *state_out = state;
    return BR_OK;
}

// ---- putting out -----------------------------------------------------------------------------

static br_status output_vector(const call_run *run, uint32_t index, br_vector *out, br_error *err)
{
    const call_state *state = run->state;
    if (run->stage->sql != NULL)
        return br_vector_of_values(state->values[index], state->count, run->worker->scratch, out,
                                   err);
    *out = (br_vector){
        .class_ = BR_INT, .kind = BR_VECTOR_FLAT, .i64 = state->numbers[index]};
    return BR_OK;
}

// Rows of the input beside what the function gave, or NULLs when `outputs` is not wanted.
static br_status make_batch(const call_run *run, const uint16_t *positions, uint32_t count,
                            bool has_outputs, br_batch *out, br_error *err)
{
    const call_stage *stage = run->stage;
    br_arena *scratch = run->worker->scratch;
    uint32_t outputs = stage->plan->call.output_count;
    br_vector *columns = BR_ALLOC(scratch, br_vector, stage->width + outputs);
    if (columns == NULL) return no_memory(run->worker->run, err);
    for (uint32_t i = 0; i < stage->width; i++)
        BR_TRY(br_vector_gather(&run->input->columns[i], positions, count, scratch, &columns[i],
                                err));
    for (uint32_t i = 0; i < outputs; i++) {
        columns[stage->width + i] = br_vector_null();
        if (has_outputs) BR_TRY(output_vector(run, i, &columns[stage->width + i], err));
    }
    *out = (br_batch){
        .row_count = count, .column_count = stage->width + outputs, .columns = columns};
    return BR_OK;
}

// Keeps the rows of the batch that are matches.
static br_status keep_matches(call_run *run, br_batch *batch, br_error *err)
{
    call_state *state = run->state;
    uint64_t selected[BR_BATCH_ROWS / 64];
    uint16_t positions[BR_BATCH_ROWS];
    uint32_t count;
    if (state->residual != NULL) {
        BR_TRY(br_evaluate_condition(state->residual, batch, run->worker->scratch, selected,
                                     &count, err));
        br_bitmap_positions(selected, batch->row_count, positions);
        for (uint32_t i = 0; i < count; i++)
            state->is_matched[state->positions[positions[i]]] = true;
        return br_batch_gather(batch, positions, count, run->worker->scratch, batch, err);
    }
    for (uint32_t i = 0; i < batch->row_count; i++) state->is_matched[state->positions[i]] = true;
    return BR_OK;
}

static br_status flush(call_run *run, br_error *err)
{
    call_state *state = run->state;
    br_worker *worker = run->worker;
    br_batch batch;
    if (state->count == 0) return BR_OK;
    BR_TRY(make_batch(run, state->positions, state->count, true, &batch, err));
    if (run->stage->plan->call.keeps_unmatched) BR_TRY(keep_matches(run, &batch, err));
    BR_TRY(br_push(run->stage->base.next, worker, &batch, err));
    state->count = 0;
    br_arena_rewind(worker->scratch, run->mark);
    return br_run_poll(worker->run, err);
}

static br_status push_unmatched(call_run *run, br_error *err)
{
    uint16_t positions[BR_BATCH_ROWS];
    uint32_t count = 0;
    br_batch batch;
    for (uint32_t row = 0; row < run->input->row_count; row++) {
        positions[count] = (uint16_t)row;
        count += !run->state->is_matched[row];
    }
    if (count == 0) return BR_OK;
    BR_TRY(make_batch(run, positions, count, false, &batch, err));
    return br_push(run->stage->base.next, run->worker, &batch, err);
}

// ---- generate_series -------------------------------------------------------------------------

typedef struct series {
    int64_t first, last, step;  // step > 0
    uint64_t count;
    bool is_descending;
} series;

// As series.c of SQLite 3.40: a negative step goes down from the last value to the first.
static series make_series(const br_value *arguments, uint32_t count)
{
    series self = {.last = series_stop_default, .step = 1};
    for (uint32_t i = 0; i < count; i++)
        if (arguments[i].class_ == BR_NULL) return self;
    self.first = br_value_to_int(&arguments[0]);
    if (count > 1) self.last = br_value_to_int(&arguments[1]);
    int64_t step = count > 2 ? br_value_to_int(&arguments[2]) : 1;
    self.is_descending = step < 0;
    self.step = step == 0 ? 1 : step > 0 ? step : step == INT64_MIN ? INT64_MAX : -step;
    if (self.last >= self.first)
        self.count = ((uint64_t)self.last - (uint64_t)self.first) / (uint64_t)self.step + 1;
    return self;
}

static int64_t series_number(const series *self, uint32_t column, uint64_t index)
{
    uint64_t at = self->is_descending ? self->count - 1 - index : index;
    switch (column) {
    case 0: return (int64_t)((uint64_t)self->first + at * (uint64_t)self->step);
    case 1: return self->first;
    case 2: return self->last;
    case 3: return self->step;
    default: return (int64_t)(index + 1);
    }
}

static br_status push_series(call_run *run, const series *self, br_error *err)
{
    const br_plan *plan = run->stage->plan;
    call_state *state = run->state;
    for (uint64_t index = 0; index < self->count && !run->worker->is_morsel_done;) {
        if (state->count == BR_BATCH_ROWS) BR_TRY(flush(run, err));
        uint64_t left = self->count - index;
        uint32_t room = BR_BATCH_ROWS - state->count, first = state->count;
        uint32_t count = left < room ? (uint32_t)left : room;
        for (uint32_t i = 0; i < count; i++) state->positions[first + i] = (uint16_t)run->row;
        for (uint32_t k = 0; k < plan->call.output_count; k++)
            for (uint32_t i = 0; i < count; i++)
                state->numbers[k][first + i] =
                    series_number(self, plan->call.outputs[k], index + i);
        state->count += count;
        index += count;
    }
    return BR_OK;
}

static br_status call_series(call_run *run, const br_vector *arguments, br_error *err)
{
    br_value values[3];
    uint32_t count = run->stage->plan->call.argument_count;
    br_assert(count >= 1 && count <= 3);
    for (uint32_t i = 0; i < count; i++)
        values[i] = br_vector_value(&arguments[i], run->row, NULL);
    series self = make_series(values, count);
    return push_series(run, &self, err);
}

// ---- functions of SQLite ---------------------------------------------------------------------

static br_status receive(void *context, const br_value *values, bool *wants_more_out,
                         br_error *err)
{
    call_run *run = context;
    call_state *state = run->state;
    if (state->count == BR_BATCH_ROWS) BR_TRY(flush(run, err));
    for (uint32_t i = 0; i < run->stage->plan->call.output_count; i++) {
        br_value value = values[i];
        if (value.class_ == BR_TEXT || value.class_ == BR_BLOB) {
            value.text.data =
                br_arena_copy_text(run->worker->scratch, value.text.data, value.text.size);
            if (value.text.data == NULL) return no_memory(run->worker->run, err);
        }
        state->values[i][state->count] = value;
    }
    state->positions[state->count++] = (uint16_t)run->row;
    *wants_more_out = !run->worker->is_morsel_done;
    return BR_OK;
}

static br_status call_sqlite(call_run *run, const br_vector *arguments, br_error *err)
{
    const br_exec_bridge *bridge = &run->worker->run->env->bridge;
    const br_function_call call = {.function = run->stage->sql,
                                   .is_expression = true,
                                   .argument_count = run->stage->plan->call.argument_count,
                                   .arguments = arguments,
                                   .row_count = run->input->row_count};
    const br_table_function *function = run->stage->plan->call.function;
    bool is_source = function->kind == BR_TABLE_FUNCTION_SOURCE;
    if ((is_source ? bridge->read : bridge->rows) == NULL)
        return br_fail(err, BR_UNSUPPORTED, "table-valued function %s() is not native",
                       function->name);
    const br_row_receiver receiver = {.receive = receive, .context = run};
    return (is_source ? bridge->read : bridge->rows)(bridge->context, run->worker->index, &call,
                                                     run->row, &receiver, err);
}

static br_status call_process(br_stage *base, br_worker *worker, const br_batch *batch,
                              br_error *err)
{
    const call_stage *stage = (const call_stage *)base;
    call_run run = {.stage = stage,
                    .state = br_worker_state(worker, base),
                    .worker = worker,
                    .input = batch};
    br_vector *arguments =
        BR_ALLOC(worker->scratch, br_vector, stage->plan->call.argument_count);
    if (arguments == NULL) return no_memory(worker->run, err);
    if (stage->arguments != NULL)
        BR_TRY(br_evaluate(run.state->evaluator, batch, worker->scratch, arguments, err));
    for (uint32_t i = 0; i < stage->plan->call.argument_count; i++)
        BR_TRY(br_vector_flatten(&arguments[i], batch->row_count, worker->scratch, &arguments[i],
                                 err));
    run.mark = br_arena_get_mark(worker->scratch);
    run.state->count = 0;
    memset(run.state->is_matched, 0, batch->row_count);
    for (; run.row < batch->row_count && !worker->is_morsel_done; run.row++) {
        if (stage->sql == NULL) BR_TRY(call_series(&run, arguments, err));
        else BR_TRY(call_sqlite(&run, arguments, err));
    }
    BR_TRY(flush(&run, err));
    return stage->plan->call.keeps_unmatched ? push_unmatched(&run, err) : BR_OK;
}

static const br_stage_kind call_kind = {
    .name = "call",
    .open = call_open,
    .process = call_process,
};

// ---- building --------------------------------------------------------------------------------

// Names of files' columns are quoted, but for the rowid, which is none.
static bool format_output(const br_table_function *function, uint32_t output, br_buffer *sql)
{
    const char *name = function->columns[output].name;
    if (function->kind != BR_TABLE_FUNCTION_SOURCE || output == function->column_count)
        return br_buffer_format(sql, "%s", name);
    bool is_built = br_buffer_append(sql, "\"", 1);
    for (; is_built && *name != 0; name++)
        is_built = br_buffer_append(sql, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    return is_built && br_buffer_append(sql, "\"", 1);
}

// main.table WHERE column = ?1 AND column MATCH ?2
static bool format_source(const br_plan *plan, br_buffer *sql)
{
    const br_table_function *function = plan->call.function;
    bool is_built = br_buffer_format(sql, "main.%s", function->quoted_name);
    for (uint32_t i = 0; i < plan->call.argument_count && is_built; i++) {
        const br_call_constraint *constraint = &plan->call.constraints[i];
        is_built = br_buffer_format(sql, i == 0 ? " WHERE " : " AND ") &&
                   format_output(function, constraint->column, sql) &&
                   br_buffer_format(sql, " %s ?%u", constraint->operator_, i + 1);
    }
    return is_built && br_buffer_append(sql, "", 1);
}

// function(?1, ?2)
static bool format_function(const br_plan *plan, br_buffer *sql)
{
    bool is_built = br_buffer_format(sql, "%s(", plan->call.function->name);
    for (uint32_t i = 0; i < plan->call.argument_count && is_built; i++)
        is_built = br_buffer_format(sql, "%s?%u", i > 0 ? ", " : "", i + 1);
    return is_built && br_buffer_append(sql, ")", 2);
}

// column, column FROM ...
static bool format_call(const br_plan *plan, br_buffer *sql)
{
    const br_table_function *function = plan->call.function;
    bool is_source = function->kind == BR_TABLE_FUNCTION_SOURCE;
    bool is_built = true;
    for (uint32_t i = 0; i < plan->call.output_count && is_built; i++)
        is_built = (i == 0 || br_buffer_append(sql, ", ", 2)) &&
                   format_output(function, plan->call.outputs[i], sql);
    if (plan->call.output_count == 0) is_built = br_buffer_format(sql, "NULL");
    if (!is_built || !br_buffer_append(sql, " FROM ", 6)) return false;
    return is_source ? format_source(plan, sql) : format_function(plan, sql);
}

static br_status make_sql(br_run *run, const br_plan *plan, const char **sql_out, br_error *err)
{
    br_buffer sql = {0};
    bool is_built = format_call(plan, &sql);
    if (is_built)
        *sql_out = br_arena_copy_text(run->arena, (const char *)sql.bytes, sql.size_bytes);
    br_buffer_release(&sql);
    return is_built && *sql_out != NULL ? BR_OK : no_memory(run, err);
}

br_status br_produce_call(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                          br_error *err)
{
    br_run *run = pipeline->run;
    br_layout layout;
    call_stage *stage = br_stage_new(pipeline, &call_kind, next, sizeof *stage);
    if (stage == NULL) return no_memory(run, err);
    stage->plan = plan;
    stage->width = br_plan_width(plan->left);
    BR_TRY(br_layout_of_plan(run, plan->left, &layout, err));
    if (plan->call.argument_count > 0)
        BR_TRY(br_program_compile((const br_expr *const *)plan->call.arguments,
                                  plan->call.argument_count, &layout, &run->expr_env, run->arena,
                                  &stage->arguments, err));
    const br_expr *residual = plan->call.residual;
    BR_TRY(br_layout_of_plan(run, plan, &layout, err));
    if (residual != NULL)
        BR_TRY(br_program_compile(&residual, 1, &layout, &run->expr_env, run->arena,
                                  &stage->residual, err));
    if (plan->call.function->kind != BR_TABLE_FUNCTION_SERIES)
        BR_TRY(make_sql(run, plan, &stage->sql, err));
    return br_produce(pipeline, plan->left, &stage->base, err);
}
