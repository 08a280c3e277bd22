// profile.h - measuring a run for EXPLAIN ANALYZE: rows, CPU time and memory of each plan node.
//
// A run that is analysed has a profiler; others have none, and nothing of this happens. Each worker
// has a clock that runs for one node at a time: br_produce puts a *meter* between a node and its
// consumer, which counts rows and switches the clock there and back. What is done outside of
// morsels counts for the node being produced (run->node). CPU time, not wall time: workers may wait
// for a core.
//
// Ownership: the run's arena. Threads: figures are per worker, added up at the end. Errors:
// BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_PROFILE_H
#define BR_EXEC_PROFILE_H

#include "exec/pipeline.h"

// With env->profile: begins to measure. Without: does nothing.
BR_CHECKED br_status br_profiler_start(br_run *run, br_error *err);
// Adds everything up into env->profile.
void br_profiler_finish(br_run *run);

// The node of `plan` begins to be produced; returns the one that was before, for br_profiler_leave.
uint32_t br_profiler_enter(br_run *run, const br_plan *plan);
void br_profiler_leave(br_run *run, uint32_t before);
// Puts a meter before `next`, which belongs to the node `consumer`.
BR_CHECKED br_status br_profiler_meter(br_pipeline *pipeline, uint32_t consumer, br_stage *next,
                                       br_stage **meter_out, br_error *err);

// A worker's clock: starts for a task, and charges the time since it was last looked at.
void br_profiler_begin(br_profiler *profiler, uint32_t worker);
void br_profiler_charge(br_profiler *profiler, uint32_t worker, uint32_t node);
// The same for the caller's thread between tasks.
void br_profiler_begin_serial(br_run *run);
void br_profiler_charge_serial(br_run *run);
// Around tasks, when only the workers' clocks run; returns what it was (a recursion runs tasks
// within a task).
bool br_profiler_run(br_run *run, bool is_running);

// Where a worker counts what a node did; NULL when the run is not analysed. The caller's thread,
// outside of tasks, may use any worker's.
br_node_figures *br_run_figures(const br_run *run, uint32_t worker, uint32_t node);

#endif
