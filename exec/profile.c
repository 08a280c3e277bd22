// SPDX-License-Identifier: Apache-2.0
#include "exec/profile.h"

#include "base/thread.h"

typedef struct clock_of_worker {
    _Alignas(64) uint64_t last_ns;  // a cache line each
    br_node_figures *figures;       // by node; one more for what belongs to none
} clock_of_worker;

struct br_profiler {
    uint32_t node_count;
    uint64_t began_ns;
    bool is_running;          // tasks: the caller's thread is one of the workers
    clock_of_worker *clocks;  // by worker, then the caller's thread outside of tasks
};

static clock_of_worker *serial_clock(const br_run *run)
{
    return &run->profiler->clocks[run->worker_count];
}

br_status br_profiler_start(br_run *run, br_error *err)
{
    run->node = BR_NODE_NONE;
    if (run->env->profile == NULL) return BR_OK;
    uint32_t node_count = run->env->profile->node_count;
    br_profiler *profiler = BR_ALLOC(run->arena, br_profiler, 1);
    clock_of_worker *clocks = BR_ALLOC(run->arena, clock_of_worker, run->worker_count + 1);
    if (profiler == NULL || clocks == NULL) return br_run_no_memory(run, "a profile", err);
    for (uint32_t i = 0; i <= run->worker_count; i++) {
        clocks[i].figures = BR_ALLOC(run->arena, br_node_figures, node_count + 1);
        if (clocks[i].figures == NULL) return br_run_no_memory(run, "a profile", err);
    }
    *profiler = (br_profiler){
        .node_count = node_count, .began_ns = br_clock_ns(), .clocks = clocks};
    run->profiler = profiler;
    br_profiler_begin_serial(run);
    return BR_OK;
}

void br_profiler_finish(br_run *run)
{
    br_profiler *profiler = run->profiler;
    br_query_profile *profile = run->env->profile;
    if (profiler == NULL) return;
    br_profiler_charge_serial(run);
    for (uint32_t i = 0; i <= run->worker_count; i++) {
        for (uint32_t node = 0; node < profiler->node_count; node++)
            br_node_figures_add(&profile->figures[node], &profiler->clocks[i].figures[node]);
    }
    profile->wall_ns = br_clock_ns() - profiler->began_ns;
    profile->threads = run->thread_count;
}

// ---- clocks ----------------------------------------------------------------------------------

static void clock_charge(const br_profiler *profiler, clock_of_worker *clock, uint32_t node)
{
    uint64_t now_ns = br_clock_thread_ns();
    clock->figures[node < profiler->node_count ? node : profiler->node_count].cpu_ns +=
        now_ns - clock->last_ns;
    clock->last_ns = now_ns;
}

void br_profiler_begin(br_profiler *profiler, uint32_t worker)
{
    profiler->clocks[worker].last_ns = br_clock_thread_ns();
}

void br_profiler_charge(br_profiler *profiler, uint32_t worker, uint32_t node)
{
    clock_charge(profiler, &profiler->clocks[worker], node);
}

void br_profiler_begin_serial(br_run *run)
{
    if (run->profiler != NULL && !run->profiler->is_running)
        serial_clock(run)->last_ns = br_clock_thread_ns();
}

void br_profiler_charge_serial(br_run *run)
{
    if (run->profiler != NULL && !run->profiler->is_running)
        clock_charge(run->profiler, serial_clock(run), run->node);
}

bool br_profiler_run(br_run *run, bool is_running)
{
    bool before = run->profiler->is_running;
    if (is_running) br_profiler_charge_serial(run);
    run->profiler->is_running = is_running;
    br_profiler_begin_serial(run);
    return before;
}

br_node_figures *br_run_figures(const br_run *run, uint32_t worker, uint32_t node)
{
    br_profiler *profiler = run->profiler;
    if (profiler == NULL) return NULL;
    return &profiler->clocks[worker].figures[node < profiler->node_count ? node
                                                                         : profiler->node_count];
}

// ---- nodes -----------------------------------------------------------------------------------

uint32_t br_profiler_enter(br_run *run, const br_plan *plan)
{
    uint32_t before = run->node;
    if (run->profiler == NULL) return before;
    br_profiler_charge_serial(run);
    run->node = br_query_profile_find(run->env->profile, plan);
    return before;
}

void br_profiler_leave(br_run *run, uint32_t before)
{
    br_profiler_charge_serial(run);
    run->node = before;
}

typedef struct meter_stage {
    br_stage base;      // base.node: whose rows they are
    uint32_t consumer;
} meter_stage;

static br_status meter_process(br_stage *base, br_worker *worker, const br_batch *batch,
                               br_error *err)
{
    br_profiler *profiler = worker->run->profiler;
    br_node_figures *figures = br_run_figures(worker->run, worker->index, base->node);
    figures->rows += batch->row_count;
    figures->batches++;
    br_profiler_charge(profiler, worker->index, base->node);
    br_status status = br_push(base->next, worker, batch, err);
    br_profiler_charge(profiler, worker->index, ((meter_stage *)base)->consumer);
    return status;
}

static br_status meter_summarise(br_stage *base, br_worker *worker, const br_scan_sum *sum,
                                 br_error *err)
{
    br_run_figures(worker->run, worker->index, base->node)->rows += sum->row_count;
    return base->next->kind->summarise(base->next, worker, sum, err);
}

static const br_stage_kind meter_kind = {
    .name = "meter", .process = meter_process, .summarise = meter_summarise};

br_status br_profiler_meter(br_pipeline *pipeline, uint32_t consumer, br_stage *next,
                            br_stage **meter_out, br_error *err)
{
    meter_stage *meter = br_stage_new(pipeline, &meter_kind, next, sizeof *meter);
    if (meter == NULL) return br_run_no_memory(pipeline->run, "a profile", err);
    meter->consumer = consumer;
    *meter_out = &meter->base;
    return BR_OK;
}
