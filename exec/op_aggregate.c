// op_aggregate.c - GROUP BY and DISTINCT.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/aggregate_plan.h"
#include "exec/group_disk.h"
#include "exec/rows.h"

enum { ROWS_ESTIMATE_MAX = 1 << 30 };

typedef struct aggregate_stage {
    br_stage base;
    br_run *run;
    const br_plan *input;
    br_pipeline *pipeline;
    br_aggregate_plan plan;
    br_program *program;
    br_grouping grouping;
    br_grouping *distincts;  // one per set
    uint32_t *positions;     // by expression, its column of a scan that gives statistics; or NULL
} aggregate_stage;

typedef struct aggregate_worker {
    br_evaluator *evaluator;
    br_vector *vectors;
    br_vector *distinct_keys;
    br_grouper *grouper;
    br_grouper **distincts;
} aggregate_worker;

// About how many rows will come: joins may make more of them than the sources have.
static uint64_t input_rows(const aggregate_stage *stage)
{
    uint64_t row_count = br_pipeline_source_rows(stage->pipeline);
    double estimate = stage->input->rows;
    if (!(estimate > (double)row_count)) return row_count;
    return estimate < ROWS_ESTIMATE_MAX ? (uint64_t)estimate : ROWS_ESTIMATE_MAX;
}

static br_status aggregate_prepare(br_stage *base, br_run *run, uint32_t morsel_count,
                                   br_error *err)
{
    (void)run;
    aggregate_stage *stage = (aggregate_stage *)base;
    uint64_t row_count = input_rows(stage);
    BR_TRY(br_grouping_prepare(&stage->grouping, row_count, morsel_count, err));
    for (uint32_t i = 0; i < stage->plan.distinct_count; i++) {
        BR_TRY(br_grouping_prepare(&stage->distincts[i], row_count, morsel_count, err));
    }
    return BR_OK;
}

static br_status aggregate_open(br_stage *base, br_worker *worker, void **state_out,
                                br_error *err)
{
    aggregate_stage *stage = (aggregate_stage *)base;
    const br_aggregate_plan *plan = &stage->plan;
    aggregate_worker *state = BR_ALLOC(worker->arena, aggregate_worker, 1);
    if (state == NULL) return br_run_no_memory(worker->run, "aggregation", err);
    state->vectors = BR_ALLOC(worker->arena, br_vector, plan->expression_count);
    state->distinct_keys = BR_ALLOC(worker->arena, br_vector, plan->key_count + 1);
    state->distincts = BR_ALLOC(worker->arena, br_grouper *, plan->distinct_count);
    if (state->vectors == NULL || state->distinct_keys == NULL || state->distincts == NULL)
        return br_run_no_memory(worker->run, "aggregation", err);
    if (plan->expression_count > 0)
        BR_TRY(br_evaluator_new(stage->program, worker->index, worker->arena, &state->evaluator,
                                err));
    BR_TRY(br_grouper_new(&stage->grouping, worker->arena, worker->index, &state->grouper, err));
    for (uint32_t i = 0; i < plan->distinct_count; i++) {
        BR_TRY(br_grouper_new(&stage->distincts[i], worker->arena, worker->index,
                              &state->distincts[i], err));
    }
    *state_out = state;
    return BR_OK;
}

// Rows for which the set's FILTER holds and the value is not NULL.
static uint32_t select_distinct(const br_distinct_set *set, const br_vector *vectors,
                                uint32_t row_count, br_arena *scratch, uint16_t *positions)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        if (br_vector_is_null(&vectors[set->arg], i)) continue;
        if (set->filter != BR_STATE_NO_ARG) {
            br_value value = br_vector_value(&vectors[set->filter], i, scratch);
            if (br_value_truth(&value) != 1) continue;
        }
        positions[count++] = (uint16_t)i;
    }
    return count;
}

static br_status add_distinct_rows(const aggregate_stage *stage, aggregate_worker *state,
                                   uint32_t index, uint32_t row_count, br_arena *scratch,
                                   br_error *err)
{
    const br_distinct_set *set = &stage->plan.distincts[index];
    uint32_t key_count = stage->plan.key_count;
    uint16_t positions[BR_BATCH_ROWS];
    uint32_t count = select_distinct(set, state->vectors, row_count, scratch, positions);
    if (count == 0) return BR_OK;
    for (uint32_t k = 0; k <= key_count; k++) {
        const br_vector *vector = &state->vectors[k < key_count ? k : set->arg];
        state->distinct_keys[k] = *vector;
        if (count < row_count)
            BR_TRY(br_vector_gather(vector, positions, count, scratch, &state->distinct_keys[k],
                                    err));
    }
    return br_grouper_add(state->distincts[index], state->distinct_keys, NULL, count, NULL, err);
}

static br_status aggregate_process(br_stage *base, br_worker *worker, const br_batch *batch,
                                   br_error *err)
{
    aggregate_stage *stage = (aggregate_stage *)base;
    aggregate_worker *state = br_worker_state(worker, base);
    if (state->evaluator != NULL)
        BR_TRY(br_evaluate(state->evaluator, batch, worker->scratch, state->vectors, err));
    BR_TRY(br_grouper_add(state->grouper, state->vectors, state->vectors, batch->row_count,
                          stage->plan.from_rows, err));
    for (uint32_t i = 0; i < stage->plan.distinct_count; i++) {
        BR_TRY(add_distinct_rows(stage, state, i, batch->row_count, worker->scratch, err));
    }
    return BR_OK;
}

static br_vector bounds_of(const br_zone_stats *stats, br_arena *arena)
{
    unsigned mask = stats->class_mask & ~(unsigned)BR_MASK_NULL;
    if (mask != BR_MASK_INT && mask != BR_MASK_REAL) return br_vector_null();
    int64_t *items = BR_ALLOC(arena, int64_t, 2);
    br_vector vector = {.class_ = mask == BR_MASK_INT ? BR_INT : BR_REAL,
                        .kind = BR_VECTOR_FLAT,
                        .data = items};
    if (items == NULL) return vector;
    if (mask == BR_MASK_INT) {
        items[0] = stats->int_min;
        items[1] = stats->int_max;
    } else {
        memcpy(&items[0], &stats->real_min, sizeof stats->real_min);
        memcpy(&items[1], &stats->real_max, sizeof stats->real_max);
    }
    return vector;
}

// Counts and bounds of rows that are not read.
static br_status aggregate_summarise(br_stage *base, br_worker *worker, const br_scan_sum *sum,
                                     br_error *err)
{
    aggregate_stage *stage = (aggregate_stage *)base;
    aggregate_worker *state = br_worker_state(worker, base);
    uint32_t count = stage->plan.expression_count;
    br_vector *bounds = BR_ALLOC(worker->scratch, br_vector, count);
    uint64_t *value_counts = BR_ALLOC(worker->scratch, uint64_t, count);
    if (bounds == NULL || value_counts == NULL)
        return br_run_no_memory(worker->run, "aggregation", err);
    for (uint32_t i = 0; i < count; i++) {
        const br_zone_stats *stats = &sum->columns[stage->positions[i]];
        bounds[i] = bounds_of(stats, worker->scratch);
        value_counts[i] = sum->row_count - stats->null_count;
    }
    if (br_arena_failed(worker->scratch))
        return br_run_no_memory(worker->run, "aggregation", err);
    const br_rows_summary summary = {
        .row_count = sum->row_count, .value_counts = value_counts, .bounds = bounds};
    return br_grouper_add_summary(state->grouper, &summary, err);
}

static br_status aggregate_end_morsel(br_stage *base, br_worker *worker, br_error *err)
{
    aggregate_stage *stage = (aggregate_stage *)base;
    aggregate_worker *state = br_worker_state(worker, base);
    BR_TRY(br_grouper_end_morsel(state->grouper, worker->morsel, err));
    for (uint32_t i = 0; i < stage->plan.distinct_count; i++) {
        BR_TRY(br_grouper_end_morsel(state->distincts[i], worker->morsel, err));
    }
    return BR_OK;
}

static const br_stage_kind aggregate_kind = {
    .name = "aggregate",
    .open = aggregate_open,
    .process = aggregate_process,
    .end_morsel = aggregate_end_morsel,
    .summarise = aggregate_summarise,
    .prepare = aggregate_prepare,
};

// ---- DISTINCT, second step -------------------------------------------------------------------

// The distinct (keys, value) of one set go into the states, each part as a morsel behind the rows.
typedef struct distinct_feed {
    aggregate_stage *stage;
    const br_distinct_set *set;
    const br_grouping *from;
    uint32_t first_morsel;
    br_memory *memory;
    br_grouper **groupers;  // by worker, made with its first part
    br_vector **vectors;
} distinct_feed;

static br_status open_feed(distinct_feed *feed, uint32_t worker, br_error *err)
{
    aggregate_stage *stage = feed->stage;
    if (feed->groupers[worker] != NULL) return BR_OK;
    br_arena *arena = br_memory_arena(feed->memory, worker);
    if (arena == NULL) return br_run_no_memory(stage->run, "DISTINCT", err);
    feed->vectors[worker] = BR_ALLOC(arena, br_vector, stage->plan.expression_count);
    if (feed->vectors[worker] == NULL) return br_run_no_memory(stage->run, "DISTINCT", err);
    return br_grouper_new(&stage->grouping, arena, worker, &feed->groupers[worker], err);
}

static br_status feed_part(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    distinct_feed *feed = context;
    aggregate_stage *stage = feed->stage;
    uint32_t key_count = stage->plan.key_count;
    br_group_part fetched;
    const br_group_part *part = &fetched;
    br_arena *scratch = br_memory_arena(stage->run->scratch, worker);
    if (scratch == NULL) return br_run_no_memory(stage->run, "DISTINCT", err);
    BR_TRY(open_feed(feed, worker, err));
    br_grouper *grouper = feed->groupers[worker];
    br_vector *vectors = feed->vectors[worker];
    br_arena_mark outer_mark = br_arena_get_mark(scratch);
    BR_TRY(br_group_part_get(feed->from, worker, index, scratch, &fetched, err));
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (uint32_t first = 0; first < part->count; first += BR_BATCH_ROWS) {
        BR_TRY(br_run_poll(stage->run, err));
        uint32_t left = part->count - first;
        for (uint32_t k = 0; k <= key_count; k++) {
            vectors[k < key_count ? k : feed->set->arg] = br_vector_slice(&part->keys[k], first);
        }
        BR_TRY(br_grouper_add(grouper, vectors, vectors,
                              left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS, feed->set->enabled,
                              err));
        br_arena_rewind(scratch, mark);
    }
    BR_TRY(br_grouper_end_morsel(grouper, feed->first_morsel + index, err));
    br_arena_rewind(scratch, outer_mark);
    return BR_OK;
}

static br_status feed_distinct(aggregate_stage *stage, uint32_t index, br_error *err)
{
    distinct_feed feed = {.stage = stage,
                          .set = &stage->plan.distincts[index],
                          .from = &stage->distincts[index],
                          .first_morsel = stage->grouping.morsel_count};
    BR_TRY(br_grouping_merge(&stage->distincts[index], err));
    BR_TRY(br_grouping_extend(&stage->grouping, feed.from->part_count, err));
    BR_TRY(br_memory_new(stage->run, &feed.memory, err));
    feed.groupers = BR_ALLOC(stage->run->arena, br_grouper *, stage->run->worker_count);
    feed.vectors = BR_ALLOC(stage->run->arena, br_vector *, stage->run->worker_count);
    if (feed.groupers == NULL || feed.vectors == NULL)
        return br_run_no_memory(stage->run, "DISTINCT", err);
    br_status status = br_run_tasks(stage->run, feed.from->part_count, feed_part, &feed, err);
    br_memory_free(stage->run, feed.memory);
    br_memory_free(stage->run, feed.from->memory);
    return status;
}

// ---- building --------------------------------------------------------------------------------

// Where the scan below, which may give statistics instead of rows, has the expressions' columns.
static br_status find_columns(aggregate_stage *stage, const br_plan *scan, const br_layout *layout,
                              br_error *err)
{
    uint32_t count = stage->plan.expression_count;
    if (scan->kind != BR_PLAN_SCAN || scan->scan.bounds == NULL) return BR_OK;
    stage->positions = BR_ALLOC(stage->run->arena, uint32_t, count);
    if (stage->positions == NULL) return br_run_no_memory(stage->run, "a plan", err);
    for (uint32_t i = 0; i < count; i++) {
        const br_expr *expression = stage->plan.expressions[i];
        br_assert(expression->kind == BR_EXPR_COLUMN);
        if (!br_layout_find(layout, expression->column_id, &stage->positions[i]))
            return br_fail(err, BR_INTERNAL, "an aggregate of a column that is not scanned");
    }
    return BR_OK;
}

static br_status make_stage(br_pipeline *pipeline, const br_plan *plan, br_memory *memory,
                            aggregate_stage **stage_out, br_error *err)
{
    br_run *run = pipeline->run;
    br_layout layout;
    aggregate_stage *stage = br_stage_new(pipeline, &aggregate_kind, NULL, sizeof *stage);
    if (stage == NULL) return br_run_no_memory(run, "a plan", err);
    stage->run = run;
    stage->input = plan->left;
    stage->pipeline = pipeline;
    BR_TRY(br_aggregate_plan_make(run, plan, &stage->plan, err));
    BR_TRY(br_layout_of_plan(run, plan->left, &layout, err));
    BR_TRY(find_columns(stage, plan->left, &layout, err));
    if (stage->plan.expression_count > 0)
        BR_TRY(br_program_compile(stage->plan.expressions, stage->plan.expression_count, &layout,
                                  &run->expr_env, run->arena, &stage->program, err));
    br_grouping_init(&stage->grouping, run, memory);
    stage->grouping.key_count = stage->plan.key_count;
    stage->grouping.collations = stage->plan.key_collations;
    stage->grouping.state_count = stage->plan.state_count;
    stage->grouping.specs = stage->plan.states;
    stage->distincts = BR_ALLOC(run->arena, br_grouping, stage->plan.distinct_count);
    if (stage->distincts == NULL) return br_run_no_memory(run, "a plan", err);
    for (uint32_t i = 0; i < stage->plan.distinct_count; i++) {
        br_memory *own;  // of a grouping alone: it may go to disk
        BR_TRY(br_memory_new(run, &own, err));
        br_grouping_init(&stage->distincts[i], run, own);
        stage->distincts[i].key_count = stage->plan.key_count + 1;
        stage->distincts[i].collations = stage->plan.distincts[i].collations;
    }
    br_pipeline_set_sink(pipeline, &stage->base);
    *stage_out = stage;
    return BR_OK;
}

static br_status add_source(br_pipeline *pipeline, aggregate_stage *stage, const br_plan *plan,
                            br_stage *next, br_error *err)
{
    br_run *run = pipeline->run;
    uint32_t count = plan->column_count, key_count = plan->aggregate.key_count;
    uint32_t *keys = BR_ALLOC(run->arena, uint32_t, count);
    br_aggregate_output *outputs = BR_ALLOC(run->arena, br_aggregate_output, count);
    br_source *source;
    if (keys == NULL || outputs == NULL) return br_run_no_memory(run, "a plan", err);
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = i < key_count ? stage->plan.key_of[i] : BR_STATE_NO_ARG;
        if (i >= key_count) outputs[i] = stage->plan.outputs[i - key_count];
    }
    br_group_columns columns = {.column_count = count,
                                .keys = keys,
                                .outputs = outputs,
                                .constants = stage->plan.constants};
    BR_TRY(br_source_of_groups(&stage->grouping, &columns, &source, err));
    return br_pipeline_add_branch(pipeline, source, next, err);
}

br_status br_produce_aggregate(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                               br_error *err)
{
    br_run *run = pipeline->run;
    br_pipeline *input;
    br_memory *memory;
    aggregate_stage *stage = NULL;
    BR_TRY(br_memory_new(run, &memory, err));
    BR_TRY(br_pipeline_adopt(pipeline, memory, err));
    BR_TRY(br_pipeline_new(run, &input, err));
    BR_TRY(make_stage(input, plan, memory, &stage, err));
    BR_TRY(br_produce(input, plan->left, &stage->base, err));
    BR_TRY(br_pipeline_run(input, err));
    for (uint32_t i = 0; i < stage->plan.distinct_count; i++) {
        BR_TRY(feed_distinct(stage, i, err));
    }
    BR_TRY(br_grouping_merge(&stage->grouping, err));
    return add_source(pipeline, stage, plan, next, err);
}
