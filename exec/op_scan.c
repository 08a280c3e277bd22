// op_scan.c - the chunks of a table in the snapshot, as a source of batches.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/profile.h"
#include "exec/scan_filter.h"

typedef struct scan_source {
    br_source base;
    br_run *run;
    uint32_t node;
    const br_table_view *view;
    br_scan_request request;
    uint32_t output_count;  // columns that go on; the others are for the residual condition
    br_program *residual;   // NULL: none
} scan_source;

typedef struct scan_state {
    br_scan *scan;
    br_evaluator *residual;
    br_node_figures *figures;  // NULL: not analysed
} scan_state;

static br_status scan_open(br_source *base, br_worker *worker, void **state_out, br_error *err)
{
    scan_source *source = (scan_source *)base;
    scan_state *state = BR_ALLOC(worker->arena, scan_state, 1);
    if (state == NULL) return br_run_no_memory(worker->run, "a scan", err);
    if (source->residual != NULL)
        BR_TRY(br_evaluator_new(source->residual, worker->index, worker->arena, &state->residual,
                                err));
    BR_TRY(br_scan_open(source->view, &source->request, worker->index, worker->run->env->quota,
                        &state->scan, err));
    state->figures = br_run_figures(worker->run, worker->index, source->node);
    *state_out = state;
    return BR_OK;
}

static void count_reads(br_node_figures *figures, const br_scan *scan)
{
    br_scan_stats stats = br_scan_get_stats(scan);
    figures->rows_read += stats.rows_read;
    figures->zones_read += stats.zones_read;
    figures->zones_pruned += stats.zones_pruned;
    figures->pages_loaded += stats.pages_loaded;
    figures->bytes_loaded += stats.bytes_loaded;
}

static void scan_close(void *base)
{
    scan_state *state = base;
    if (state->figures != NULL) count_reads(state->figures, state->scan);
    br_scan_close(state->scan);
}

static br_status push_batch(const scan_source *source, br_worker *worker, br_batch *batch,
                            br_stage *first, br_error *err)
{
    scan_state *state = worker->source_state;
    batch->column_count = source->request.column_count;
    if (source->residual != NULL) {
        uint64_t selected[BR_BATCH_ROWS / 64];
        uint16_t positions[BR_BATCH_ROWS];
        uint32_t count;
        BR_TRY(br_evaluate_condition(state->residual, batch, worker->scratch, selected, &count,
                                     err));
        batch->column_count = source->output_count;
        if (count < batch->row_count) {
            br_bitmap_positions(selected, batch->row_count, positions);
            BR_TRY(br_batch_gather(batch, positions, count, worker->scratch, batch, err));
        }
    }
    batch->column_count = source->output_count;
    return br_push(first, worker, batch, err);
}

// Rows without columns, when only their number matters.
static br_status push_count(br_worker *worker, uint64_t row_count, br_stage *first,
                            br_error *err)
{
    while (row_count > 0 && !worker->is_morsel_done) {
        br_batch batch = {.row_count =
                              row_count < BR_BATCH_ROWS ? (uint32_t)row_count : BR_BATCH_ROWS};
        BR_TRY(br_push(first, worker, &batch, err));
        row_count -= batch.row_count;
    }
    return BR_OK;
}

static br_status scan_run_morsel(br_source *base, br_worker *worker, uint32_t morsel,
                                 br_stage *first, br_error *err)
{
    scan_source *source = (scan_source *)base;
    scan_state *state = worker->source_state;
    uint64_t row_count;
    if (source->request.column_count == 0 && source->request.bounds == NULL &&
        source->residual == NULL && br_scan_count(state->scan, morsel, &row_count))
        return push_count(worker, row_count, first, err);
    BR_TRY(br_scan_seek(state->scan, morsel, err));
    if (source->request.bounds != NULL) {
        br_scan_sum sum = br_scan_summary(state->scan);
        if (sum.row_count > 0) BR_TRY(first->kind->summarise(first, worker, &sum, err));
    }
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    while (!worker->is_morsel_done) {
        br_batch batch;
        BR_TRY(br_run_poll(worker->run, err));
        br_arena_rewind(worker->scratch, mark);
        BR_TRY(br_scan_next(state->scan, &batch, err));
        if (batch.row_count == 0) break;
        BR_TRY(push_batch(source, worker, &batch, first, err));
    }
    return BR_OK;
}

static const br_source_kind scan_kind = {
    .open = scan_open,
    .run_morsel = scan_run_morsel,
    .close = scan_close,
};

// ---- building --------------------------------------------------------------------------------

static const br_table_view *find_view(const br_snapshot *snapshot, uint32_t table_id)
{
    uint32_t count = br_snapshot_table_count(snapshot);
    for (uint32_t i = 0; i < count; i++) {
        const br_table_view *view = br_snapshot_table_at(snapshot, i);
        if (br_table_view_spec(view)->table_id == table_id) return view;
    }
    return NULL;
}

// Vectors come in the class that the plan was made for; data that does not fit it any more means
// that the plan is out of date.
static br_status add_column(scan_source *source, br_scan_column *columns, const br_plan *plan,
                            uint32_t position, br_error *err)
{
    const br_table_spec *spec = br_table_view_spec(source->view);
    uint32_t column = plan->scan.table_columns[position];
    unsigned mask = plan->columns[position].type.class_mask;
    if (column != BR_SCAN_KEY && column >= spec->column_count)
        return br_fail(err, BR_INTERNAL, "table '%s' has no column %u", spec->name, column);
    uint32_t stats_column = column == BR_SCAN_KEY ? spec->column_count : column;
    const br_zone_stats *stats = br_table_view_stats(source->view, stats_column);
    if (stats != NULL && (stats->class_mask & ~mask & ~(unsigned)BR_MASK_NULL) != 0)
        return br_fail(err, BR_RETYPE, "table '%s' column %u holds classes %#x, planned for %#x",
                       spec->name, column, stats->class_mask, mask);
    br_class class_ = br_class_of_mask(mask);
    // A column planned as all NULL still has to be handed out in some class.
    columns[source->request.column_count++] =
        (br_scan_column){.column = column, .class_ = class_ == BR_NULL ? BR_ANY : class_};
    return BR_OK;
}

typedef struct column_marks {
    const br_plan *plan;
    bool *is_used;
} column_marks;

static void mark_column(void *context, uint32_t column_id)
{
    column_marks *marks = context;
    for (uint32_t i = 0; i < marks->plan->column_count; i++) {
        if (marks->plan->columns[i].id == column_id) marks->is_used[i] = true;
    }
}

// Output columns first, then those that only the residual condition reads.
static br_status request_columns(scan_source *source, const br_plan *plan,
                                 const br_expr *residual, uint32_t *ids, br_error *err)
{
    br_run *run = source->run;
    br_scan_column *columns = BR_ALLOC(run->arena, br_scan_column, plan->column_count);
    column_marks marks = {.plan = plan,
                          .is_used = BR_ALLOC(run->arena, bool, plan->column_count)};
    if (columns == NULL || marks.is_used == NULL) return br_run_no_memory(run, "a scan", err);
    br_expr_columns(residual, mark_column, &marks);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        if (i >= source->output_count && !marks.is_used[i]) continue;
        ids[source->request.column_count] = plan->columns[i].id;
        BR_TRY(add_column(source, columns, plan, i, err));
    }
    source->request.columns = columns;
    return BR_OK;
}

br_status br_produce_scan(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                          br_error *err)
{
    br_run *run = pipeline->run;
    br_memory *memory;
    br_scan_filters filters;
    scan_source *source = BR_ALLOC(run->arena, scan_source, 1);
    uint32_t *ids = BR_ALLOC(run->arena, uint32_t, plan->column_count);
    if (source == NULL || ids == NULL) return br_run_no_memory(run, "a scan", err);
    const br_table_view *view = find_view(run->env->snapshot, plan->scan.table_id);
    if (view == NULL)
        return br_fail(err, BR_RETYPE, "table '%s' is not in the snapshot", plan->scan.table_name);
    BR_TRY(br_memory_new(run, &memory, err));
    BR_TRY(br_pipeline_adopt(pipeline, memory, err));
    BR_TRY(br_scan_filters_make(run, plan, memory, &filters, err));
    *source = (scan_source){.base = {.kind = &scan_kind,
                                     .morsel_count = br_table_view_chunks(view),
                                     .row_count = br_table_view_rows(view)},
                            .run = run,
                            .node = run->node,
                            .view = view,
                            .output_count = plan->scan.output_count};
    if (filters.is_never) source->base.morsel_count = 0;
    BR_TRY(request_columns(source, plan, filters.residual, ids, err));
    source->request.filters = filters.filters;
    source->request.filter_count = filters.filter_count;
    source->request.no_times = run->expr_env.no_times;
    if (filters.residual == NULL) source->request.bounds = plan->scan.bounds;
    if (filters.residual != NULL) {
        br_layout layout = {.column_count = source->request.column_count, .column_ids = ids};
        BR_TRY(br_program_compile(&filters.residual, 1, &layout, &run->expr_env, run->arena,
                                  &source->residual, err));
    }
    run->delta_rows += br_table_view_delta_rows(view);
    br_node_figures *figures = br_run_figures(run, 0, run->node);
    if (figures != NULL) figures->delta_rows += br_table_view_delta_rows(view);
    return br_pipeline_add_branch(pipeline, &source->base, next, err);
}
