// op_set.c - UNION, UNION ALL, INTERSECT, EXCEPT.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/grouping.h"

// Rows of both sides become groups; two counts say from which side they came. When equal values
// look different (1 and 1.0, texts under a collation) the last one is shown, as SQLite does: of
// both sides for UNION, of the left side for the others.
typedef struct set_sink {
    br_stage base;
    br_pipeline *pipeline;
    br_grouping grouping;
} set_sink;

// The left or the right side's door to the sink.
typedef struct side_stage {
    br_stage base;
    bool *enabled;
} side_stage;

static br_status side_process(br_stage *base, br_worker *worker, const br_batch *batch,
                              br_error *err)
{
    side_stage *stage = (side_stage *)base;
    return br_grouper_add(br_worker_state(worker, base->next), batch->columns, batch->columns,
                          batch->row_count, stage->enabled, err);
}

static const br_stage_kind side_kind = {.name = "side", .process = side_process};

static br_status sink_prepare(br_stage *base, br_run *run, uint32_t morsel_count, br_error *err)
{
    (void)run;
    set_sink *sink = (set_sink *)base;
    return br_grouping_prepare(&sink->grouping, br_pipeline_source_rows(sink->pipeline),
                               morsel_count, err);
}

static br_status sink_open(br_stage *base, br_worker *worker, void **state_out, br_error *err)
{
    set_sink *sink = (set_sink *)base;
    br_grouper *grouper = NULL;
    BR_TRY(br_grouper_new(&sink->grouping, worker->arena, worker->index, &grouper, err));
    *state_out = grouper;
    return BR_OK;
}

static br_status sink_end_morsel(br_stage *base, br_worker *worker, br_error *err)
{
    return br_grouper_end_morsel(br_worker_state(worker, base), worker->morsel, err);
}

static const br_stage_kind sink_kind = {
    .name = "set",
    .open = sink_open,
    .end_morsel = sink_end_morsel,
    .prepare = sink_prepare,
};

// Can equal values look different?
static bool shows_last(const br_plan *plan, uint32_t column)
{
    unsigned mask =
        plan->left->columns[column].type.class_mask | plan->right->columns[column].type.class_mask;
    bool has_collation = plan->columns[column].collation != BR_COLLATION_BINARY;
    return (mask & BR_MASK_REAL) != 0 || ((mask & BR_MASK_TEXT) != 0 && has_collation);
}

// States: a count per side, but for UNION; the last value of columns that need it.
static br_status make_states(br_run *run, const br_plan *plan, set_sink *sink,
                             br_group_columns *columns_out, br_error *err)
{
    uint32_t count = plan->column_count;
    br_collation *collations = BR_ALLOC(run->arena, br_collation, count);
    br_state_spec *specs = BR_ALLOC(run->arena, br_state_spec, count + 2);
    uint32_t *keys = BR_ALLOC(run->arena, uint32_t, count);
    br_aggregate_output *outputs = BR_ALLOC(run->arena, br_aggregate_output, count);
    br_aggregate *last = BR_ALLOC(run->arena, br_aggregate, 1);
    if (collations == NULL || specs == NULL || keys == NULL || outputs == NULL || last == NULL)
        return br_run_no_memory(run, "a plan", err);
    uint32_t state_count = plan->set.set == BR_SET_UNION ? 0 : 2;
    const br_state_spec plain = {.kind = BR_STATE_COUNT,
                                 .arg = BR_STATE_NO_ARG,
                                 .second_arg = BR_STATE_NO_ARG,
                                 .filter = BR_STATE_NO_ARG};
    for (uint32_t i = 0; i < state_count; i++) specs[i] = plain;
    last->kind = BR_AGG_FIRST;
    for (uint32_t i = 0; i < count; i++) {
        collations[i] = plan->columns[i].collation;
        keys[i] = i;
        if (!shows_last(plan, i)) continue;
        keys[i] = BR_STATE_NO_ARG;
        outputs[i] = (br_aggregate_output){
            .aggregate = last, .state = state_count, .count_state = BR_STATE_NO_ARG};
        specs[state_count] = plain;
        specs[state_count].kind = BR_STATE_LAST;
        specs[state_count++].arg = i;
    }
    sink->grouping.key_count = count;
    sink->grouping.collations = collations;
    sink->grouping.state_count = state_count;
    sink->grouping.specs = specs;
    *columns_out = (br_group_columns){.column_count = count, .keys = keys, .outputs = outputs};
    if (plan->set.set == BR_SET_INTERSECT) columns_out->select = BR_SELECT_BOTH;
    if (plan->set.set == BR_SET_EXCEPT) columns_out->select = BR_SELECT_LEFT;
    return BR_OK;
}

static br_status produce_side(br_pipeline *pipeline, const br_plan *plan, bool is_right,
                              set_sink *sink, br_error *err)
{
    br_run *run = pipeline->run;
    bool is_union = plan->set.set == BR_SET_UNION;
    bool *enabled = BR_ALLOC(run->arena, bool, sink->grouping.state_count);
    side_stage *side = br_stage_new(pipeline, &side_kind, &sink->base, sizeof *side);
    if (side == NULL || enabled == NULL) return br_run_no_memory(run, "a plan", err);
    for (uint32_t i = 0; i < sink->grouping.state_count; i++) {
        enabled[i] = is_union || (is_right ? i == 1 : i != 1);
    }
    side->enabled = enabled;
    return br_produce(pipeline, is_right ? plan->right : plan->left, &side->base, err);
}

static br_status produce_grouped(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                                 br_error *err)
{
    br_run *run = pipeline->run;
    br_pipeline *input;
    br_memory *memory;
    br_group_columns columns;
    br_source *source;
    BR_TRY(br_memory_new(run, &memory, err));
    BR_TRY(br_pipeline_adopt(pipeline, memory, err));
    BR_TRY(br_pipeline_new(run, &input, err));
    set_sink *sink = br_stage_new(input, &sink_kind, NULL, sizeof *sink);
    if (sink == NULL) return br_run_no_memory(run, "a plan", err);
    sink->pipeline = input;
    br_grouping_init(&sink->grouping, run, memory);
    BR_TRY(make_states(run, plan, sink, &columns, err));
    br_pipeline_set_sink(input, &sink->base);
    BR_TRY(produce_side(input, plan, false, sink, err));
    BR_TRY(produce_side(input, plan, true, sink, err));
    BR_TRY(br_pipeline_run(input, err));
    BR_TRY(br_grouping_merge(&sink->grouping, err));
    BR_TRY(br_source_of_groups(&sink->grouping, &columns, &source, err));
    return br_pipeline_add_branch(pipeline, source, next, err);
}

br_status br_produce_set(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                         br_error *err)
{
    if (plan->set.set != BR_SET_UNION_ALL) return produce_grouped(pipeline, plan, next, err);
    BR_TRY(br_produce(pipeline, plan->left, next, err));
    return br_produce(pipeline, plan->right, next, err);
}
