// op_recursive.c - WITH RECURSIVE: rows wait in a queue; one after the other is put out, and the
// step runs on it, whose rows wait too.
//
// Without ORDER BY the queue is first in, first out, and many rows may go through the step at once:
// their rows come in the same order as one by one. A step that streams (filters, projections, the
// probe side of joins) is made once and fed; its hash tables are built once. Any other is made anew
// for all rows that wait.
//
// A recursion is a source of one morsel, which runs on the caller's thread: whoever needs no more
// rows ends it, endless or not.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/recursion_rows.h"
#include "exec/rows.h"
#include "exec/spill.h"

enum {
    MORSEL_ROWS = 65536,  // of WORKING
    POLL_STEPS = 64,
    // The first rows are put out one by one: perhaps nobody wants more, and who knows how long the
    // next ones take.
    EAGER_ROWS = 64,
    DROP_ROWS_MIN = 8192,
};

typedef struct br_recursion {
    br_source base;
    br_run *run;
    const br_plan *plan;
    br_recursion_rows rows;
    br_pipeline *step;        // NULL: made anew each time
    uint64_t offset, end;     // rows put out, counted from the first
    uint64_t put_out;         // so many rows are past `offset` or were passed on
    uint64_t dropped;         // rows in front of row 0 that are gone
    uint32_t first, count;    // rows that WORKING gives now
    // ORDER BY
    uint32_t *order;          // rows in the order in which they came out
    uint32_t order_count, order_capacity;
    uint32_t *heap;           // rows that wait, the least first
    uint32_t heap_count, heap_capacity;
} br_recursion;

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "a recursion", err);
}

// ---- rows on which the step runs -------------------------------------------------------------

typedef struct working_source {
    br_source base;
    const br_recursion *recursion;
} working_source;

static br_status working_run_morsel(br_source *base, br_worker *worker, uint32_t morsel,
                                    br_stage *first, br_error *err)
{
    const br_recursion *recursion = ((working_source *)base)->recursion;
    uint32_t row = morsel * MORSEL_ROWS, end = row + MORSEL_ROWS;
    if (end > recursion->count) end = recursion->count;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    while (row < end && !worker->is_morsel_done) {
        uint32_t count = end - row < BR_BATCH_ROWS ? end - row : BR_BATCH_ROWS;
        br_batch batch;
        BR_TRY(br_run_poll(worker->run, err));
        BR_TRY(br_recursion_rows_slice(&recursion->rows, recursion->first + row, count,
                                       worker->scratch, &batch, err));
        BR_TRY(br_push(first, worker, &batch, err));
        br_arena_rewind(worker->scratch, mark);
        row += count;
    }
    return BR_OK;
}

static const br_source_kind working_kind = {.run_morsel = working_run_morsel};

br_status br_produce_working(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                             br_error *err)
{
    br_run *run = pipeline->run;
    const br_recursion *recursion = run->recursions[plan->working.index];
    working_source *source = BR_ALLOC(run->arena, working_source, 1);
    if (source == NULL) return no_memory(run, err);
    source->base = (br_source){.kind = &working_kind,
                               .morsel_count = (recursion->count + MORSEL_ROWS - 1) / MORSEL_ROWS,
                               .row_count = recursion->count};
    source->recursion = recursion;
    return br_pipeline_add_branch(pipeline, &source->base, next, err);
}

// ---- a step that streams ---------------------------------------------------------------------

typedef struct enqueue_stage {
    br_stage base;
    br_recursion *recursion;
} enqueue_stage;

static br_status enqueue_process(br_stage *base, br_worker *worker, const br_batch *batch,
                                 br_error *err)
{
    br_recursion *recursion = ((enqueue_stage *)base)->recursion;
    return br_recursion_rows_add(&recursion->rows, batch, worker->scratch, err);
}

static const br_stage_kind enqueue_kind = {.name = "enqueue", .process = enqueue_process};

bool br_plan_reads_working(const br_plan *plan)
{
    if (plan == NULL) return false;
    return plan->kind == BR_PLAN_WORKING || br_plan_reads_working(plan->left) ||
           br_plan_reads_working(plan->right);
}

static bool join_streams(const br_plan *join);

// Do its rows pass on at once, and come from nowhere but the rows that are fed?
static bool streams(const br_plan *plan)
{
    switch (plan->kind) {
    case BR_PLAN_WORKING: return true;
    case BR_PLAN_FILTER:
    case BR_PLAN_CALL:
    case BR_PLAN_PROJECT: return streams(plan->left);
    case BR_PLAN_JOIN: return join_streams(plan);
    case BR_PLAN_SET:
        return plan->set.set == BR_SET_UNION_ALL && streams(plan->left) && streams(plan->right);
    default: return false;
    }
}

static bool join_streams(const br_plan *join)
{
    br_join_kind kind = join->join.join;
    bool build_left = join->join.build_left && kind != BR_JOIN_MARK && kind != BR_JOIN_SINGLE;
    if (kind == BR_JOIN_FULL || (build_left && kind != BR_JOIN_INNER)) return false;
    const br_plan *probe = build_left ? join->right : join->left;
    const br_plan *build = build_left ? join->left : join->right;
    return streams(probe) && !br_plan_reads_working(build);
}

static br_status make_step(br_recursion *recursion, br_error *err)
{
    br_run *run = recursion->run;
    if (!streams(recursion->plan->right)) return BR_OK;
    BR_TRY(br_pipeline_new(run, &recursion->step, err));
    enqueue_stage *sink =
        br_stage_new(recursion->step, &enqueue_kind, NULL, sizeof *sink);
    if (sink == NULL) return no_memory(run, err);
    sink->recursion = recursion;
    br_pipeline_set_sink(recursion->step, &sink->base);
    return br_produce(recursion->step, recursion->plan->right, &sink->base, err);
}

static br_status step_feed(br_recursion *recursion, br_feed *feed, uint32_t first, uint32_t count,
                           br_arena *scratch, br_error *err)
{
    br_batch batch;
    br_arena_mark mark = br_arena_get_mark(scratch);
    BR_TRY(br_recursion_rows_slice(&recursion->rows, first, count, scratch, &batch, err));
    BR_TRY(br_feed_push(feed, &batch, err));
    br_arena_rewind(scratch, mark);
    return BR_OK;
}

// ---- any other step --------------------------------------------------------------------------

static br_status add_batches(br_recursion *recursion, const br_batches *batches,
                             br_arena *scratch, br_error *err)
{
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (uint32_t i = 0; i < batches->batch_count; i++) {
        br_batch batch;
        BR_TRY(br_batches_get(recursion->run, 0, batches, i, scratch, &batch, err));
        BR_TRY(br_recursion_rows_add(&recursion->rows, &batch, scratch, err));
        br_arena_rewind(scratch, mark);
    }
    return BR_OK;
}

static br_status step_anew(br_recursion *recursion, uint32_t first, uint32_t count,
                           br_arena *scratch, br_error *err)
{
    br_run *run = recursion->run;
    br_memory *memory, *index = run->index;
    br_batches batches;
    br_recursion **current = &run->recursions[recursion->plan->recursive.index];
    br_recursion *outer = *current;
    br_join_filter *join_filters = run->join_filters;
    br_arena_mark mark = br_arena_get_mark(run->arena);
    recursion->first = first;
    recursion->count = count;
    *current = recursion;
    BR_TRY(br_memory_new(run, &run->index, err));
    BR_TRY(br_memory_new(run, &memory, err));
    BR_TRY(br_materialise(run, recursion->plan->right, memory, &batches, err));
    BR_TRY(add_batches(recursion, &batches, scratch, err));
    br_memory_free(run, memory);
    br_memory_free(run, run->index);
    run->index = index;
    *current = outer;
    run->join_filters = join_filters;
    br_arena_rewind(run->arena, mark);
    return BR_OK;
}

static br_status step(br_recursion *recursion, br_feed *feed, uint32_t first, uint32_t count,
                      br_arena *scratch, br_error *err)
{
    if (feed != NULL) return step_feed(recursion, feed, first, count, scratch, err);
    return step_anew(recursion, first, count, scratch, err);
}

// ---- putting out -----------------------------------------------------------------------------

static uint64_t least(uint64_t left, uint64_t right) { return left < right ? left : right; }

// Passes the rows on that are known by now: `known` counts from the first of all.
static br_status put_out(br_recursion *recursion, br_worker *worker, uint64_t known,
                         br_stage *first, br_error *err)
{
    br_arena *scratch = worker->scratch;
    uint64_t end = least(known, recursion->end);
    br_arena_mark mark = br_arena_get_mark(scratch);
    while (recursion->put_out < end && !worker->is_morsel_done) {
        uint32_t count = (uint32_t)least(end - recursion->put_out, BR_BATCH_ROWS);
        uint32_t at = (uint32_t)(recursion->put_out - recursion->dropped);
        br_batch batch;
        if (recursion->order != NULL)
            BR_TRY(br_recursion_rows_pick(&recursion->rows, recursion->order + at, count, scratch,
                                          &batch, err));
        else
            BR_TRY(br_recursion_rows_slice(&recursion->rows, at, count, scratch, &batch, err));
        BR_TRY(br_push(first, worker, &batch, err));
        br_arena_rewind(scratch, mark);
        recursion->put_out += count;
    }
    return BR_OK;
}

static bool is_time_to_put_out(const br_recursion *recursion, uint64_t known)
{
    if (known <= recursion->put_out) return false;
    return known <= recursion->offset + EAGER_ROWS || known - recursion->put_out >= BR_BATCH_ROWS;
}

// ---- first in, first out ---------------------------------------------------------------------

static br_status drop_done(br_recursion *recursion, uint32_t *done, br_arena *scratch,
                           br_error *err)
{
    uint64_t put_out = recursion->put_out - least(recursion->put_out, recursion->dropped);
    uint32_t first = (uint32_t)least(*done, put_out);
    bool is_worth = first >= DROP_ROWS_MIN &&
                    first >= br_recursion_rows_count(&recursion->rows) / 2;
    if (recursion->plan->recursive.distinct || !is_worth) return BR_OK;
    BR_TRY(br_recursion_rows_drop(&recursion->rows, first, scratch, err));
    recursion->dropped += first;
    *done -= first;
    return BR_OK;
}

static br_status run_in_turn(br_recursion *recursion, br_feed *feed, br_worker *worker,
                             br_stage *first, br_error *err)
{
    uint32_t done = 0, waiting = br_recursion_rows_count(&recursion->rows);
    uint32_t at_once = feed != NULL ? BR_BATCH_ROWS : UINT32_MAX;
    if (recursion->plan->recursive.by_row) at_once = 1;
    for (uint32_t i = 0; waiting > 0; i++) {
        uint64_t known = recursion->dropped + br_recursion_rows_count(&recursion->rows);
        if (i % POLL_STEPS == 0 || feed == NULL) BR_TRY(br_run_poll(recursion->run, err));
        if (is_time_to_put_out(recursion, known))
            BR_TRY(put_out(recursion, worker, known, first, err));
        if (known >= recursion->end || worker->is_morsel_done) break;
        uint32_t count = (uint32_t)least(waiting, at_once);
        BR_TRY(step(recursion, feed, done, count, worker->scratch, err));
        done += count;
        BR_TRY(drop_done(recursion, &done, worker->scratch, err));
        waiting = br_recursion_rows_count(&recursion->rows) - done;
    }
    uint64_t known = recursion->dropped + br_recursion_rows_count(&recursion->rows);
    return put_out(recursion, worker, known, first, err);
}

// ---- in the order of ORDER BY ----------------------------------------------------------------

static br_status grow(const br_run *run, uint32_t **items, uint32_t count, uint32_t *capacity,
                      br_arena *arena, br_error *err)
{
    if (count < *capacity) return BR_OK;
    uint32_t wider = *capacity * 2 + 256;
    uint32_t *grown = BR_ALLOC(arena, uint32_t, wider);
    if (grown == NULL) return no_memory(run, err);
    if (count > 0) memcpy(grown, *items, count * sizeof *grown);
    *items = grown;
    *capacity = wider;
    return BR_OK;
}

// Of equal rows the one that came first, which has the lower number.
static bool comes_before(const br_recursion *recursion, uint32_t left, uint32_t right,
                         br_arena *scratch)
{
    br_arena_mark mark = br_arena_get_mark(scratch);
    int order = br_recursion_rows_compare(&recursion->rows, left, right, scratch);
    br_arena_rewind(scratch, mark);
    return order != 0 ? order < 0 : left < right;
}

static br_status heap_push(br_recursion *recursion, uint32_t row, br_arena *scratch,
                           br_error *err)
{
    br_arena *arena = br_memory_arena(recursion->rows.memory, 0);
    BR_TRY(grow(recursion->run, &recursion->heap, recursion->heap_count,
                &recursion->heap_capacity, arena, err));
    uint32_t *heap = recursion->heap, at = recursion->heap_count++;
    while (at > 0 && comes_before(recursion, row, heap[(at - 1) / 2], scratch)) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = row;
    return BR_OK;
}

static uint32_t heap_pop(br_recursion *recursion, br_arena *scratch)
{
    uint32_t *heap = recursion->heap, least_row = heap[0];
    uint32_t count = --recursion->heap_count, row = heap[count], at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && comes_before(recursion, heap[child + 1], heap[child], scratch))
            child++;
        if (!comes_before(recursion, heap[child], row, scratch)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = row;
    return least_row;
}

static br_status push_new(br_recursion *recursion, uint32_t first, br_arena *scratch,
                          br_error *err)
{
    uint32_t end = br_recursion_rows_count(&recursion->rows);
    for (uint32_t row = first; row < end; row++)
        BR_TRY(heap_push(recursion, row, scratch, err));
    return BR_OK;
}

static br_status run_in_order(br_recursion *recursion, br_feed *feed, br_worker *worker,
                              br_stage *first, br_error *err)
{
    br_arena *arena = br_memory_arena(recursion->rows.memory, 0);
    BR_TRY(push_new(recursion, 0, worker->scratch, err));
    for (uint32_t i = 0; recursion->heap_count > 0; i++) {
        if (i % POLL_STEPS == 0 || feed == NULL) BR_TRY(br_run_poll(recursion->run, err));
        BR_TRY(grow(recursion->run, &recursion->order, recursion->order_count,
                    &recursion->order_capacity, arena, err));
        uint32_t row = heap_pop(recursion, worker->scratch);
        uint32_t known = br_recursion_rows_count(&recursion->rows);
        recursion->order[recursion->order_count++] = row;
        if (is_time_to_put_out(recursion, recursion->order_count))
            BR_TRY(put_out(recursion, worker, recursion->order_count, first, err));
        if (recursion->order_count >= recursion->end || worker->is_morsel_done) break;
        BR_TRY(step(recursion, feed, row, 1, worker->scratch, err));
        BR_TRY(push_new(recursion, known, worker->scratch, err));
    }
    return put_out(recursion, worker, recursion->order_count, first, err);
}

// ---- the whole -------------------------------------------------------------------------------

static br_status recursion_run_morsel(br_source *base, br_worker *worker, uint32_t morsel,
                                      br_stage *first, br_error *err)
{
    (void)morsel;
    br_recursion *recursion = (br_recursion *)base;
    br_feed *feed = NULL;
    if (recursion->step != NULL) BR_TRY(br_feed_open(recursion->step, &feed, err));
    br_status status = recursion->plan->recursive.key_count > 0
                           ? run_in_order(recursion, feed, worker, first, err)
                           : run_in_turn(recursion, feed, worker, first, err);
    br_feed_close(feed);
    br_recursion_rows_release(&recursion->rows);
    return status;
}

static const br_source_kind recursion_kind = {.run_morsel = recursion_run_morsel};

static br_status run_initial(br_recursion *recursion, br_error *err)
{
    br_run *run = recursion->run;
    br_memory *memory;
    br_batches batches;
    br_arena *scratch = br_memory_arena(run->scratch, 0);
    if (scratch == NULL) return no_memory(run, err);
    BR_TRY(br_memory_new(run, &memory, err));
    BR_TRY(br_materialise(run, recursion->plan->left, memory, &batches, err));
    BR_TRY(add_batches(recursion, &batches, scratch, err));
    br_memory_free(run, memory);
    return BR_OK;
}

br_status br_produce_recursive(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                               br_error *err)
{
    br_run *run = pipeline->run;
    uint64_t limit, offset;
    br_recursion *recursion = BR_ALLOC(run->arena, br_recursion, 1);
    if (recursion == NULL) return no_memory(run, err);
    BR_TRY(br_limit_evaluate(run, plan->recursive.limit, plan->recursive.offset, &limit, &offset,
                             err));
    *recursion = (br_recursion){.run = run,
                                .plan = plan,
                                .offset = offset,
                                .end = limit > UINT64_MAX - offset ? UINT64_MAX : limit + offset,
                                .put_out = offset};
    recursion->base = (br_source){.kind = &recursion_kind, .morsel_count = limit > 0};
    if (limit == 0) return br_pipeline_add_branch(pipeline, &recursion->base, next, err);
    BR_TRY(br_recursion_rows_init(&recursion->rows, run, plan, err));
    BR_TRY(run_initial(recursion, err));
    recursion->base.row_count = br_recursion_rows_count(&recursion->rows);
    br_recursion **current = &run->recursions[plan->recursive.index];
    br_recursion *outer = *current;
    *current = recursion;
    BR_TRY(make_step(recursion, err));
    *current = outer;
    return br_pipeline_add_branch(pipeline, &recursion->base, next, err);
}
