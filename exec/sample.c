// Conditions run on a sample of a table, for estimates: they tell what no statistics can (LIKE,
// values that are frequent, columns that go together), as in HyPer (Leis et al. 2018).
//
// The sample is the first rows of some chunks, more of each where there are few chunks: the same
// rows every time.
// SPDX-License-Identifier: Apache-2.0
#include "exec/scan_filter.h"

enum { SAMPLE_BATCHES = 6 };

typedef struct sampler {
    br_run *run;
    const br_table_view *view;
    br_scan_request request;
    br_program *program;
    br_scan *scan;
    br_evaluator *evaluator;
    br_sample *sample;
} sampler;

typedef struct column_marks {
    const br_plan *plan;
    bool *is_used;
} column_marks;

static void mark_column(void *context, uint32_t column_id)
{
    column_marks *marks = context;
    for (uint32_t i = 0; i < marks->plan->column_count; i++)
        if (marks->plan->columns[i].id == column_id) marks->is_used[i] = true;
}

// The columns that the condition reads, and the condition over them.
static br_status compile(sampler *self, const br_plan *plan, const br_expr *condition,
                         br_error *err)
{
    br_run *run = self->run;
    uint32_t count = 0;
    br_scan_column *columns = BR_ALLOC(run->arena, br_scan_column, plan->column_count);
    uint32_t *ids = BR_ALLOC(run->arena, uint32_t, plan->column_count);
    column_marks marks = {.plan = plan,
                          .is_used = BR_ALLOC(run->arena, bool, plan->column_count)};
    if (columns == NULL || ids == NULL || marks.is_used == NULL)
        return br_run_no_memory(run, "a sample", err);
    br_expr_columns(condition, mark_column, &marks);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        if (!marks.is_used[i]) continue;
        br_class class_ = br_class_of_mask(plan->columns[i].type.class_mask);
        ids[count] = plan->columns[i].id;
        columns[count++] = (br_scan_column){.column = plan->scan.table_columns[i],
                                            .class_ = class_ == BR_NULL ? BR_ANY : class_};
    }
    self->request = (br_scan_request){.columns = columns, .column_count = count};
    br_layout layout = {.column_count = count, .column_ids = ids};
    return br_program_compile(&condition, 1, &layout, &run->expr_env, run->arena, &self->program,
                              err);
}

static br_status sample_batch(sampler *self, br_arena *scratch, br_error *err)
{
    uint64_t selected[BR_BATCH_ROWS / 64];
    uint32_t passed;
    br_batch batch;
    br_arena_mark mark = br_arena_get_mark(scratch);
    BR_TRY(br_scan_next(self->scan, &batch, err));
    if (batch.row_count == 0) return BR_OK;
    BR_TRY(br_evaluate_condition(self->evaluator, &batch, scratch, selected, &passed, err));
    self->sample->row_count += batch.row_count;
    self->sample->passed_count += passed;
    br_arena_rewind(scratch, mark);
    return BR_OK;
}

static br_status sample_chunks(sampler *self, br_error *err)
{
    uint32_t chunks = br_table_view_chunks(self->view);
    uint32_t picks = chunks < SAMPLE_BATCHES ? chunks : SAMPLE_BATCHES;
    if (picks == 0) return BR_OK;
    br_arena *scratch = br_memory_arena(self->run->scratch, 0);
    if (scratch == NULL) return br_run_no_memory(self->run, "a sample", err);
    BR_TRY(br_evaluator_new(self->program, 0, self->run->arena, &self->evaluator, err));
    BR_TRY(br_scan_open(self->view, &self->request, 0, self->run->env->quota, &self->scan, err));
    br_status status = BR_OK;
    for (uint32_t i = 0; i < SAMPLE_BATCHES && status == BR_OK; i++) {
        uint32_t pick = i * picks / SAMPLE_BATCHES;
        bool is_new = i == 0 || pick != (i - 1) * picks / SAMPLE_BATCHES;
        if (is_new)
            status = br_scan_seek(self->scan, (uint32_t)((uint64_t)pick * chunks / picks), err);
        if (status == BR_OK) status = sample_batch(self, scratch, err);
    }
    br_scan_close(self->scan);
    return status;
}

static const br_table_view *find_view(const br_snapshot *snapshot, uint32_t table_id)
{
    uint32_t count = br_snapshot_table_count(snapshot);
    for (uint32_t i = 0; i < count; i++) {
        const br_table_view *view = br_snapshot_table_at(snapshot, i);
        if (br_table_view_spec(view)->table_id == table_id) return view;
    }
    return NULL;
}

br_status br_sample_run(br_run *run, const br_plan *scan, const br_expr *condition,
                        br_sample *sample_out, br_error *err)
{
    sampler self = {.run = run, .sample = sample_out};
    *sample_out = (br_sample){0};
    self.view = find_view(run->env->snapshot, scan->scan.table_id);
    if (self.view == NULL) return BR_OK;
    BR_TRY(compile(&self, scan, condition, err));
    return sample_chunks(&self, err);
}
