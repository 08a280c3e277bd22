// pipeline.c - runs and pipelines: memory, workers, morsels.
// SPDX-License-Identifier: Apache-2.0
#include "exec/spill.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/thread.h"
#include "exec/profile.h"

enum { BATCHES_PER_MORSEL = 32 };  // 32 batches of 2048 rows: as many as a chunk has

// ---- memory ----------------------------------------------------------------------------------

br_status br_memory_new(br_run *run, br_memory **memory_out, br_error *err)
{
    br_memory *memory = br_heap_zalloc(sizeof *memory + run->worker_count * sizeof(br_arena *));
    if (memory == NULL) return br_run_no_memory(run, "a pipeline", err);
    memory->quota = run->env->quota;
    memory->worker_count = run->worker_count;
    memory->node = run->node;
    memory->next = run->memories;
    run->memories = memory;
    *memory_out = memory;
    return BR_OK;
}

void br_memory_free(br_run *run, br_memory *memory)
{
    if (memory == NULL) return;
    br_memory **link = &run->memories;
    while (*link != NULL && *link != memory) link = &(*link)->next;
    if (*link != NULL) *link = memory->next;
    run->planned_bytes -= memory->planned_bytes;
    br_node_figures *figures = br_run_figures(run, 0, memory->node);
    for (uint32_t i = 0; figures != NULL && i < memory->worker_count; i++) {
        if (memory->arenas[i] != NULL) figures->memory_bytes += br_arena_bytes(memory->arenas[i]);
    }
    for (uint32_t i = 0; i < memory->worker_count; i++) br_arena_free(memory->arenas[i]);
    br_heap_free(memory);
}

br_arena *br_memory_arena(br_memory *memory, uint32_t worker)
{
    br_assert(worker < memory->worker_count);
    if (memory->arenas[worker] == NULL) memory->arenas[worker] = br_arena_new(memory->quota);
    return memory->arenas[worker];
}

void br_memory_reset(br_memory *memory)
{
    for (uint32_t i = 0; i < memory->worker_count; i++) {
        br_arena_free(memory->arenas[i]);
        memory->arenas[i] = NULL;
    }
}

size_t br_memory_bytes(const br_memory *memory)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < memory->worker_count; i++) {
        if (memory->arenas[i] != NULL) bytes += br_arena_bytes(memory->arenas[i]);
    }
    return bytes;
}

br_status br_run_no_memory(const br_run *run, const char *what, br_error *err)
{
    const br_quota *quota = run->env->quota;
    if (quota == NULL || quota->limit_bytes == SIZE_MAX)
        return br_fail(err, BR_NOMEM, "out of memory for %s", what);
    return br_fail(err, BR_NOMEM, "query memory limit of %zu bytes reached by %s",
                   quota->limit_bytes, what);
}

br_status br_run_poll(const br_run *run, br_error *err)
{
    const br_exec_env *env = run->env;
    if (env->cancelled != NULL && atomic_load_explicit(env->cancelled, memory_order_relaxed))
        return br_fail(err, BR_INTERRUPTED, "interrupted");
    if (env->deadline_ns != 0 && br_clock_ns() > env->deadline_ns)
        return br_fail(err, BR_INTERRUPTED, "interrupted: the time limit is over");
    return BR_OK;
}

typedef struct measured_task {
    br_run *run;
    br_task task;
    void *context;
} measured_task;

static br_status run_measured(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    const measured_task *measured = context;
    br_profiler_begin(measured->run->profiler, worker);
    br_status status = measured->task(measured->context, worker, index, err);
    br_profiler_charge(measured->run->profiler, worker, measured->run->node);
    return status;
}

br_status br_run_tasks(br_run *run, uint32_t count, br_task task, void *context, br_error *err)
{
    if (count == 0) return BR_OK;
    if (run->profiler == NULL)
        return br_task_pool_run(run->env->pool, run->thread_count, count, task, context, err);
    measured_task measured = {.run = run, .task = task, .context = context};
    bool was_running = br_profiler_run(run, true);
    br_status status =
        br_task_pool_run(run->env->pool, run->thread_count, count, run_measured, &measured, err);
    br_profiler_run(run, was_running);
    return status;
}

// ---- building --------------------------------------------------------------------------------

br_status br_pipeline_new(br_run *run, br_pipeline **pipeline_out, br_error *err)
{
    br_pipeline *pipeline = BR_ALLOC(run->arena, br_pipeline, 1);
    if (pipeline == NULL) return br_run_no_memory(run, "a pipeline", err);
    pipeline->run = run;
    pipeline->last_branch = &pipeline->branches;
    *pipeline_out = pipeline;
    return BR_OK;
}

void *br_stage_new(br_pipeline *pipeline, const br_stage_kind *kind, br_stage *next,
                      size_t size_bytes)
{
    br_assert(size_bytes >= sizeof(br_stage));
    br_stage *op = br_arena_zalloc(pipeline->run->arena, size_bytes, 64);
    if (op == NULL) return NULL;
    op->kind = kind;
    op->next = next;
    op->slot = pipeline->slot_count++;
    op->node = pipeline->run->node;
    return op;
}

void br_pipeline_set_sink(br_pipeline *pipeline, br_stage *sink) { pipeline->sink = sink; }

br_status br_pipeline_add_branch(br_pipeline *pipeline, br_source *source, br_stage *first,
                                 br_error *err)
{
    br_branch *branch = BR_ALLOC(pipeline->run->arena, br_branch, 1);
    if (branch == NULL) return br_run_no_memory(pipeline->run, "a pipeline", err);
    *branch = (br_branch){.source = source, .first = first, .node = pipeline->run->node};
    *pipeline->last_branch = branch;
    pipeline->last_branch = &branch->next;
    return BR_OK;
}

void br_pipeline_before_branch(br_pipeline *pipeline,
                               br_status (*begin)(void *context, br_error *err), void *context)
{
    br_branch *branch = pipeline->branches;
    while (branch->next != NULL) branch = branch->next;
    branch->begin = begin;
    branch->context = context;
}

br_status br_pipeline_adopt(br_pipeline *pipeline, br_memory *memory, br_error *err)
{
    if (pipeline->input_count == pipeline->input_capacity) {
        uint32_t capacity = pipeline->input_capacity * 2 + 4;
        br_memory **inputs = BR_ALLOC(pipeline->run->arena, br_memory *, capacity);
        if (inputs == NULL) return br_run_no_memory(pipeline->run, "a pipeline", err);
        for (uint32_t i = 0; i < pipeline->input_count; i++) inputs[i] = pipeline->inputs[i];
        pipeline->inputs = inputs;
        pipeline->input_capacity = capacity;
    }
    pipeline->inputs[pipeline->input_count++] = memory;
    return BR_OK;
}

uint64_t br_pipeline_source_rows(const br_pipeline *pipeline)
{
    uint64_t row_count = 0;
    for (const br_branch *branch = pipeline->branches; branch != NULL; branch = branch->next) {
        row_count += branch->source->row_count;
    }
    return row_count;
}

// ---- running ---------------------------------------------------------------------------------

// A pipeline while it runs: workers come into being with their first morsel.
typedef struct running {
    br_pipeline *pipeline;
    const br_branch *branch;
    uint32_t first_morsel;  // number of the branch's first morsel
    br_memory *memory;      // of the workers
    br_worker **workers;
} running;

static br_status worker_new(running *running_, uint32_t index, br_error *err)
{
    br_pipeline *pipeline = running_->pipeline;
    br_run *run = pipeline->run;
    br_arena *arena = br_memory_arena(running_->memory, index);
    br_arena *scratch = br_memory_arena(run->scratch, index);
    if (arena == NULL || scratch == NULL) return br_run_no_memory(run, "a worker", err);
    br_worker *worker = BR_ALLOC(arena, br_worker, 1);
    void **states = BR_ALLOC(arena, void *, pipeline->slot_count);
    if (worker == NULL || states == NULL) return br_run_no_memory(run, "a worker", err);
    *worker = (br_worker){.run = run,
                          .pipeline = pipeline,
                          .index = index,
                          .arena = arena,
                          .scratch = scratch,
                          .states = states};
    running_->workers[index] = worker;
    return BR_OK;
}

// States of the operators of the branch that the worker has none for yet.
static br_status open_branch(const br_branch *branch, br_worker *worker, br_error *err)
{
    for (br_stage *op = branch->first; op != NULL; op = op->next) {
        if (worker->states[op->slot] == NULL && op->kind->open != NULL)
            BR_TRY(op->kind->open(op, worker, &worker->states[op->slot], err));
    }
    if (worker->source_state == NULL && branch->source->kind->open != NULL)
        BR_TRY(branch->source->kind->open(branch->source, worker, &worker->source_state, err));
    return BR_OK;
}

static br_status run_morsel(void *context, uint32_t index, uint32_t morsel, br_error *err)
{
    running *running_ = context;
    const br_branch *branch = running_->branch;
    br_stage *sink = running_->pipeline->sink;
    if (sink->kind->is_done != NULL && sink->kind->is_done(sink)) return BR_OK;
    BR_TRY(br_run_poll(running_->pipeline->run, err));
    if (running_->workers[index] == NULL) BR_TRY(worker_new(running_, index, err));
    br_worker *worker = running_->workers[index];
    BR_TRY(open_branch(branch, worker, err));
    worker->morsel = running_->first_morsel + morsel;
    worker->is_morsel_done = false;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    br_profiler *profiler = worker->run->profiler;
    BR_TRY(branch->source->kind->run_morsel(branch->source, worker, morsel, branch->first, err));
    if (profiler != NULL) br_profiler_charge(profiler, index, branch->node);
    for (br_stage *op = branch->first; op != NULL; op = op->next) {
        if (op->kind->end_morsel == NULL) continue;
        BR_TRY(op->kind->end_morsel(op, worker, err));
        if (profiler != NULL) br_profiler_charge(profiler, index, op->node);
    }
    br_arena_rewind(worker->scratch, mark);
    return BR_OK;
}

static void close_sources(running *running_)
{
    for (uint32_t i = 0; i < running_->pipeline->run->worker_count; i++) {
        br_worker *worker = running_->workers[i];
        if (worker == NULL || worker->source_state == NULL) continue;
        if (running_->branch->source->kind->close != NULL)
            running_->branch->source->kind->close(worker->source_state);
        worker->source_state = NULL;
    }
}

static void close_operators(running *running_)
{
    br_pipeline *pipeline = running_->pipeline;
    for (const br_branch *branch = pipeline->branches; branch != NULL; branch = branch->next) {
        for (br_stage *op = branch->first; op != NULL; op = op->next) {
            for (uint32_t i = 0; i < pipeline->run->worker_count; i++) {
                br_worker *worker = running_->workers[i];
                if (worker == NULL || worker->states[op->slot] == NULL) continue;
                if (op->kind->close != NULL) op->kind->close(worker->states[op->slot]);
                worker->states[op->slot] = NULL;
            }
        }
    }
}

static br_status run_branches(running *running_, br_error *err)
{
    br_pipeline *pipeline = running_->pipeline;
    br_stage *sink = pipeline->sink;
    uint64_t morsel_count = 0;
    for (const br_branch *branch = pipeline->branches; branch != NULL; branch = branch->next) {
        morsel_count += branch->source->morsel_count;
    }
    if (morsel_count > UINT32_MAX)
        return br_fail(err, BR_UNSUPPORTED, "a pipeline of more than 2^32 morsels");
    if (sink->kind->prepare != NULL)
        BR_TRY(sink->kind->prepare(sink, pipeline->run, (uint32_t)morsel_count, err));
    br_status status = BR_OK;
    for (const br_branch *branch = pipeline->branches; branch != NULL && status == BR_OK;
         branch = branch->next) {
        running_->branch = branch;
        if (branch->begin != NULL) status = branch->begin(branch->context, err);
        if (status == BR_OK)
            status = br_run_tasks(pipeline->run, branch->source->morsel_count, run_morsel,
                                  running_, err);
        close_sources(running_);
        running_->first_morsel += branch->source->morsel_count;
    }
    return status;
}

static void free_inputs(br_pipeline *pipeline)
{
    for (uint32_t i = 0; i < pipeline->input_count; i++)
        br_memory_free(pipeline->run, pipeline->inputs[i]);
    pipeline->input_count = 0;
}

br_status br_pipeline_run(br_pipeline *pipeline, br_error *err)
{
    br_run *run = pipeline->run;
    running running_ = {.pipeline = pipeline};
    running_.workers = BR_ALLOC(run->arena, br_worker *, run->worker_count);
    if (running_.workers == NULL) return br_run_no_memory(run, "a pipeline", err);
    BR_TRY(br_memory_new(run, &running_.memory, err));
    br_status status = run_branches(&running_, err);
    close_operators(&running_);
    br_memory_free(run, running_.memory);
    free_inputs(pipeline);
    return status;
}

// ---- feeding ---------------------------------------------------------------------------------

struct br_feed {
    running running;
    br_worker *worker;
};

br_status br_feed_open(br_pipeline *pipeline, br_feed **feed_out, br_error *err)
{
    br_run *run = pipeline->run;
    br_feed *feed = BR_ALLOC(run->arena, br_feed, 1);
    br_worker **workers = BR_ALLOC(run->arena, br_worker *, run->worker_count);
    if (feed == NULL || workers == NULL) return br_run_no_memory(run, "a pipeline", err);
    feed->running = (running){.pipeline = pipeline, .workers = workers};
    BR_TRY(br_memory_new(run, &feed->running.memory, err));
    BR_TRY(worker_new(&feed->running, 0, err));
    feed->worker = workers[0];
    br_status status = BR_OK;
    for (const br_branch *branch = pipeline->branches; branch != NULL && status == BR_OK;
         branch = branch->next) {
        status = open_branch(branch, feed->worker, err);
    }
    if (status != BR_OK) {
        close_operators(&feed->running);
        return status;
    }
    *feed_out = feed;
    return BR_OK;
}

br_status br_feed_push(br_feed *feed, const br_batch *batch, br_error *err)
{
    br_arena *scratch = feed->worker->scratch;
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (const br_branch *branch = feed->running.pipeline->branches; branch != NULL;
         branch = branch->next) {
        BR_TRY(br_push(branch->first, feed->worker, batch, err));
        br_arena_rewind(scratch, mark);
    }
    return BR_OK;
}

void br_feed_close(br_feed *feed)
{
    if (feed == NULL) return;
    br_pipeline *pipeline = feed->running.pipeline;
    close_operators(&feed->running);
    br_memory_free(pipeline->run, feed->running.memory);
    free_inputs(pipeline);
}

// ---- stored batches as a source --------------------------------------------------------------

typedef struct batches_source {
    br_source base;
    const br_batches *batches;
} batches_source;

static br_status batches_run_morsel(br_source *base, br_worker *worker, uint32_t morsel,
                                    br_stage *first, br_error *err)
{
    const br_batches *batches = ((batches_source *)base)->batches;
    uint32_t end = (morsel + 1) * BATCHES_PER_MORSEL;
    if (end > batches->batch_count) end = batches->batch_count;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    for (uint32_t i = morsel * BATCHES_PER_MORSEL; i < end && !worker->is_morsel_done; i++) {
        BR_TRY(br_run_poll(worker->run, err));
        br_arena_rewind(worker->scratch, mark);
        br_batch batch;
        BR_TRY(br_batches_get(worker->run, worker->index, batches, i, worker->scratch, &batch,
                              err));
        BR_TRY(br_push(first, worker, &batch, err));
    }
    return BR_OK;
}

static const br_source_kind batches_kind = {.run_morsel = batches_run_morsel};

br_status br_source_of_batches(br_run *run, const br_batches *batches, br_source **source_out,
                               br_error *err)
{
    batches_source *source = BR_ALLOC(run->arena, batches_source, 1);
    br_batches *copy = BR_ALLOC(run->arena, br_batches, 1);
    if (source == NULL || copy == NULL) return br_run_no_memory(run, "a pipeline", err);
    *copy = *batches;
    source->base = (br_source){.kind = &batches_kind,
                               .morsel_count = (batches->batch_count + BATCHES_PER_MORSEL - 1) /
                                               BATCHES_PER_MORSEL,
                               .row_count = batches->row_count};
    source->batches = copy;
    *source_out = &source->base;
    return BR_OK;
}
