// pipeline.h - how a plan runs: source -> streaming operators -> sink, one morsel at a time.
//
//     branch: source (chunks of a table, stored batches) -> op -> op -> ... -> sink
//
// A pipeline has one sink and one branch or several (the sides of UNION ALL; the unmatched rows of
// a join). Branches run one after the other; the morsels of a branch run on all workers. Morsels
// are numbered over all branches of the pipeline: a sink keeps what it gathers per morsel number
// and merges in that order, so that results do not depend on the number of threads.
//
// br_produce makes operators top-down: each node is asked to push its rows into a consumer. What
// breaks a pipeline (aggregation, sort, window, the build side of a join) runs its input right
// there.
//
// Ownership: operators and programs live in the run's arena; rows that sinks keep live in a
//            br_memory, freed when the pipeline that reads them is done or else with the run.
// Threads:   the caller's thread builds pipelines; process/end_morsel run on workers, each with its
//            own state per operator.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_PIPELINE_H
#define BR_EXEC_PIPELINE_H

#include "base/arena.h"
#include "base/batch.h"
#include "exec/exec.h"
#include "exec/expression.h"

// ---- memory ----------------------------------------------------------------------------------

// One arena per worker, freed together.
typedef struct br_memory {
    struct br_memory *next;  // of the run
    br_quota *quota;
    uint32_t node;  // of the plan, that asked for it
    uint64_t planned_bytes;  // part of those of the run
    uint32_t worker_count;
    br_arena *arenas[];
} br_memory;

// ---- a run -----------------------------------------------------------------------------------

typedef struct br_spill br_spill;  // spill.h
typedef struct br_spill_place {     // what one write to the run's file left behind
    uint64_t offset, checksum;
    uint64_t raw_bytes;
    uint64_t stored_bytes;  // raw_bytes: not compressed
} br_spill_place;

// Rows stored as batches, which live as long as their memory. Those without columns are on disk:
// ask br_batches_get.
typedef struct br_batches {
    uint32_t column_count;
    uint32_t batch_count;
    uint64_t row_count;
    br_batch *batches;
    br_spill_place *places;  // NULL: all are in memory
} br_batches;

// What a join or a Top-N found out about one column of a scan below it.
typedef struct br_join_filter {
    struct br_join_filter *next;
    const br_plan *scan;
    uint32_t column;  // position in the scan's columns
    br_filter filter;
} br_join_filter;

typedef struct br_profiler br_profiler;  // profile.h

typedef struct br_run {
    const br_query *query;
    const br_exec_env *env;
    br_expr_env expr_env;
    const br_exec_kernels *kernels;
    uint32_t worker_count;
    uint32_t thread_count;    // of them are used at once: fewer when there is little memory
    br_arena *arena;          // the caller's thread only
    br_memory *scratch;       // per worker, rewound batch by batch
    br_memory *index;         // per worker: where kept batches are, on disk or not
    br_memory *result;        // what the root keeps, which must end up in memory; NULL: not yet
    br_spill *spill;          // NULL: rows stay in memory
    uint64_t planned_bytes;   // of tables that were allowed to be in memory, by rows they hold
    br_memory *memories;      // all that are not freed yet
    br_value *subqueries;
    br_error *subquery_errors;
    br_value *arguments;      // parameters that APPLY nodes set, behind those of the statement
    br_batches *shared;
    struct br_recursion **recursions;  // by index, those that run now
    br_join_filter *join_filters;
    uint64_t delta_rows;
    br_profiler *profiler;    // NULL: not analysed
    uint32_t node;            // being produced; only kept up when analysed
} br_run;

BR_CHECKED br_status br_memory_new(br_run *run, br_memory **memory_out, br_error *err);
void br_memory_free(br_run *run, br_memory *memory);
// The worker's arena, made at its first call; NULL when there is no memory.
br_arena *br_memory_arena(br_memory *memory, uint32_t worker);
void br_memory_reset(br_memory *memory);  // gives all of it back; it may be used again
size_t br_memory_bytes(const br_memory *memory);  // held by all its arenas
// Fails with BR_NOMEM, naming the limit when there is one.
br_status br_run_no_memory(const br_run *run, const char *what, br_error *err);
// BR_INTERRUPTED when the run was cancelled or is past its deadline.
BR_CHECKED br_status br_run_poll(const br_run *run, br_error *err);
// Runs `task` for indexes 0..count-1 on the run's workers.
BR_CHECKED br_status br_run_tasks(br_run *run, uint32_t count, br_task task, void *context,
                                  br_error *err);

// ---- operators -------------------------------------------------------------------------------

typedef struct br_stage br_stage;
typedef struct br_source br_source;
typedef struct br_pipeline br_pipeline;

// One worker in one pipeline.
typedef struct br_worker {
    br_run *run;
    br_pipeline *pipeline;
    uint32_t index;
    uint32_t morsel;     // number within the pipeline
    bool is_morsel_done; // a sink needs no more rows of this morsel
    br_arena *arena;     // lives as long as the pipeline
    br_arena *scratch;   // a source rewinds it before each batch
    void **states;       // by operator slot
    void *source_state;
} br_worker;

typedef struct br_stage_kind {
    const char *name;
    // Makes a worker's state; NULL: there is none.
    br_status (*open)(br_stage *op, br_worker *worker, void **state_out, br_error *err);
    br_status (*process)(br_stage *op, br_worker *worker, const br_batch *batch, br_error *err);
    // The morsel is over; NULL: nothing to do. The pipeline calls it for each operator in order.
    br_status (*end_morsel)(br_stage *op, br_worker *worker, br_error *err);
    // Sinks: all morsels are known now, before the first runs. NULL: nothing to do.
    br_status (*prepare)(br_stage *op, br_run *run, uint32_t morsel_count, br_error *err);
    // Sinks: takes in rows of a scan of which only statistics are known (br_scan_summary).
    br_status (*summarise)(br_stage *op, br_worker *worker, const br_scan_sum *sum, br_error *err);
    // Sinks: does it need no more morsels? NULL: it always does.
    bool (*is_done)(br_stage *op);
    void (*close)(void *state);  // NULL: nothing to do
} br_stage_kind;

// Extended by each operator: its first member.
struct br_stage {
    const br_stage_kind *kind;
    br_stage *next;  // NULL: a sink
    uint32_t slot;      // of its state in the workers
    uint32_t node;      // of the plan
};

static inline void *br_worker_state(const br_worker *worker, const br_stage *op)
{
    return worker->states[op->slot];
}

static inline br_status br_push(br_stage *op, br_worker *worker, const br_batch *batch,
                                br_error *err)
{
    return batch->row_count == 0 ? BR_OK : op->kind->process(op, worker, batch, err);
}

// ---- sources ---------------------------------------------------------------------------------

typedef struct br_source_kind {
    br_status (*open)(br_source *source, br_worker *worker, void **state_out, br_error *err);
    // Pushes the rows of one morsel (numbered within the source) into `first`.
    br_status (*run_morsel)(br_source *source, br_worker *worker, uint32_t morsel,
                            br_stage *first, br_error *err);
    void (*close)(void *state);  // NULL: nothing to do
} br_source_kind;

struct br_source {
    const br_source_kind *kind;
    uint32_t morsel_count;
    uint64_t row_count;  // about so many rows, the same for every run on the same data
};

// ---- pipelines -------------------------------------------------------------------------------

typedef struct br_branch {
    struct br_branch *next;
    br_source *source;
    br_stage *first;
    uint32_t node;  // of the plan
    br_status (*begin)(void *context, br_error *err);  // before its first morsel; NULL: nothing
    void *context;
} br_branch;

struct br_pipeline {
    br_run *run;
    br_stage *sink;
    uint32_t slot_count;
    br_branch *branches, **last_branch;
    uint32_t input_count, input_capacity;
    br_memory **inputs;  // freed when the pipeline has run
};

BR_CHECKED br_status br_pipeline_new(br_run *run, br_pipeline **pipeline_out, br_error *err);
// An operator of `size_bytes` (its struct), zeroed; NULL when there is no memory.
void *br_stage_new(br_pipeline *pipeline, const br_stage_kind *kind, br_stage *next,
                      size_t size_bytes);
void br_pipeline_set_sink(br_pipeline *pipeline, br_stage *sink);
BR_CHECKED br_status br_pipeline_add_branch(br_pipeline *pipeline, br_source *source,
                                            br_stage *first, br_error *err);
// Of the branch added last: `begin` runs on the caller's thread when all branches before are over.
void br_pipeline_before_branch(br_pipeline *pipeline,
                               br_status (*begin)(void *context, br_error *err), void *context);
// The pipeline frees `memory` once it has run.
BR_CHECKED br_status br_pipeline_adopt(br_pipeline *pipeline, br_memory *memory, br_error *err);
uint64_t br_pipeline_source_rows(const br_pipeline *pipeline);
BR_CHECKED br_status br_pipeline_run(br_pipeline *pipeline, br_error *err);

// A pipeline that one worker, of the caller's thread, keeps open: batches are pushed into all of
// its branches, whose sources are not asked. Its stages pass on at once what they get.
typedef struct br_feed br_feed;
BR_CHECKED br_status br_feed_open(br_pipeline *pipeline, br_feed **feed_out, br_error *err);
BR_CHECKED br_status br_feed_push(br_feed *feed, const br_batch *batch, br_error *err);
void br_feed_close(br_feed *feed);  // NULL is a no-op

// Batches as a source: runs of 32 are a morsel.
BR_CHECKED br_status br_source_of_batches(br_run *run, const br_batches *batches,
                                          br_source **source_out, br_error *err);

// ---- plans -----------------------------------------------------------------------------------

// Adds what is needed to `pipeline` to push the node's rows into `next`.
BR_CHECKED br_status br_produce(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                                br_error *err);
// Runs a node and keeps its rows in `memory`.
BR_CHECKED br_status br_sample_run(br_run *run, const br_plan *scan, const br_expr *condition,
                                   br_sample *sample_out, br_error *err);  // sample.c
BR_CHECKED br_status br_materialise(br_run *run, const br_plan *plan, br_memory *memory,
                                    br_batches *batches_out, br_error *err);

// One per plan kind; op_<kind>.c.
br_status br_produce_scan(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                          br_error *err);
br_status br_produce_values(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                            br_error *err);
br_status br_produce_filter(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                            br_error *err);
br_status br_produce_project(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                             br_error *err);
br_status br_produce_aggregate(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                               br_error *err);
br_status br_produce_join(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                          br_error *err);
br_status br_produce_set(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                         br_error *err);
br_status br_produce_apply(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                           br_error *err);
br_status br_produce_call(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                          br_error *err);
br_status br_produce_recursive(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                               br_error *err);
br_status br_produce_working(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                             br_error *err);
br_status br_produce_window(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                            br_error *err);
br_status br_materialise_sort(br_run *run, const br_plan *plan, br_memory *memory,
                              br_batches *batches_out, br_error *err);
br_status br_materialise_limit(br_run *run, const br_plan *plan, br_memory *memory,
                               br_batches *batches_out, br_error *err);

// ---- what operators share --------------------------------------------------------------------

bool br_plan_reads_working(const br_plan *plan);  // the rows of a recursion's step
// Columns in a node's batches: a scan keeps those to itself that only its filters read.
uint32_t br_plan_width(const br_plan *plan);
// Where a node's column ids lie in its batches.
BR_CHECKED br_status br_layout_of_plan(br_run *run, const br_plan *plan, br_layout *layout_out,
                                       br_error *err);
bool br_layout_find(const br_layout *layout, uint32_t column_id, uint32_t *position_out);
// LIMIT and OFFSET by SQLite's rules: no limit is UINT64_MAX, no offset 0.
BR_CHECKED br_status br_limit_evaluate(br_run *run, const br_expr *limit, const br_expr *offset,
                                       uint64_t *limit_out, uint64_t *offset_out, br_error *err);
// Makes the rows to be skipped part of those that come out.
void br_limit_make_partial(uint64_t *limit, uint64_t *offset);
// All columns of the batch at the positions given.
BR_CHECKED br_status br_batch_gather(const br_batch *batch, const uint16_t *positions,
                                     uint32_t count, br_arena *arena, br_batch *out,
                                     br_error *err);
// A stage that adds the values of expressions behind the columns of the input.
BR_CHECKED br_status br_extend_new(br_pipeline *pipeline, const br_plan *input,
                                   const br_expr *const *expressions, uint32_t count,
                                   br_stage *next, br_stage **stage_out, br_error *err);
// A sink that keeps its rows (rows.h): br_collect_batches gives them, in morsel order.
typedef struct br_keep br_keep;
BR_CHECKED br_status br_collect_new(br_pipeline *pipeline, uint32_t column_count,
                                    const br_keep *keep, br_stage **sink_out, br_error *err);
BR_CHECKED br_status br_collect_batches(br_stage *sink, br_batches *batches_out,
                                        br_error *err);

#endif
