// exec.c - one run: what is computed once before, the plan itself, and its result.
// SPDX-License-Identifier: Apache-2.0
#include "exec/exec.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "exec/kernels/kernels.h"
#include "exec/pipeline.h"
#include "exec/profile.h"
#include "exec/rows.h"
#include "exec/spill.h"

enum { THREAD_BYTES_MIN = 16 * 1024 * 1024 };  // below, more threads only get in each other's way

static uint32_t thread_count(const br_exec_env *env)
{
    uint32_t count = br_task_pool_threads(env->pool);
    if (env->threads != 0 && env->threads < count) count = env->threads;
    size_t affordable = env->quota == NULL ? count : env->quota->limit_bytes / THREAD_BYTES_MIN;
    if (affordable < count) count = affordable > 0 ? (uint32_t)affordable : 1;
    return count;
}

// An environment whose parameters have room for what APPLY nodes set.
static br_status add_arguments(br_run *run, br_error *err)
{
    const br_query *query = run->query;
    if (query->argument_count == 0) return BR_OK;
    size_t count = (size_t)query->parameter_count + query->argument_count;
    br_value *parameters = BR_ALLOC(run->arena, br_value, count);
    br_exec_env *env = br_arena_copy(run->arena, run->env, sizeof *env);
    if (parameters == NULL || env == NULL) return br_run_no_memory(run, "a query", err);
    if (query->parameter_count > 0)
        memcpy(parameters, env->parameters, query->parameter_count * sizeof *parameters);
    env->parameters = parameters;
    run->arguments = parameters + query->parameter_count;
    run->env = env;
    return BR_OK;
}

static br_status run_init(br_run *run, const br_query *query, const br_exec_env *env,
                          br_error *err)
{
    *run = (br_run){.query = query, .env = env};
    run->kernels = br_exec_kernels_for(env->isa);
    run->worker_count = br_task_pool_threads(env->pool);
    run->thread_count = thread_count(env);
    run->arena = br_arena_new(env->quota);
    if (run->arena == NULL) return br_run_no_memory(run, "a query", err);
    run->subqueries = BR_ALLOC(run->arena, br_value, query->subquery_count);
    run->subquery_errors = BR_ALLOC(run->arena, br_error, query->subquery_count);
    run->shared = BR_ALLOC(run->arena, br_batches, query->shared_count);
    run->recursions = BR_ALLOC(run->arena, struct br_recursion *, query->recursion_count);
    if (run->subqueries == NULL || run->subquery_errors == NULL || run->shared == NULL ||
        run->recursions == NULL)
        return br_run_no_memory(run, "a query", err);
    BR_TRY(br_profiler_start(run, err));
    BR_TRY(add_arguments(run, err));
    run->expr_env = (br_expr_env){.exec = run->env, .subqueries = run->subqueries,
                                  .subquery_errors = run->subquery_errors,
                                  .no_times = query->has_collator};
    BR_TRY(br_memory_new(run, &run->scratch, err));
    BR_TRY(br_memory_new(run, &run->index, err));
    return br_spill_new(run, err);
}

static void run_release(br_run *run)
{
    while (run->memories != NULL) br_memory_free(run, run->memories);
    br_profiler_finish(run);
    br_arena_free(run->arena);
    br_spill_free(run);
}

static br_status copy_value(br_run *run, br_value *value, br_error *err)
{
    if (value->class_ != BR_TEXT && value->class_ != BR_BLOB) return BR_OK;
    char *bytes = br_arena_copy_text(run->arena, value->text.data, value->text.size);
    if (bytes == NULL) return br_run_no_memory(run, "a subquery", err);
    value->text.data = bytes;
    return BR_OK;
}

// The first column of the first row; NULL when there is none.
static br_status compute_subquery(br_run *run, uint32_t index, br_error *err)
{
    br_memory *memory;
    br_batches batches;
    BR_TRY(br_memory_new(run, &memory, err));
    BR_TRY(br_materialise(run, run->query->subqueries[index], memory, &batches, err));
    br_value *value = &run->subqueries[index];
    *value = br_value_null();
    if (batches.row_count > 0) {
        br_batch first;
        br_arena *arena = br_memory_arena(memory, 0);
        if (arena == NULL) return br_run_no_memory(run, "a subquery", err);
        BR_TRY(br_batches_get(run, 0, &batches, 0, arena, &first, err));
        *value = br_vector_value(&first.columns[0], 0, run->arena);
        if (br_arena_failed(run->arena)) return br_run_no_memory(run, "a subquery", err);
        BR_TRY(copy_value(run, value, err));
    }
    br_memory_free(run, memory);
    return BR_OK;
}

// SQLite runs a subquery when a row first needs it: until then a failure is none.
static br_status run_subquery(br_run *run, uint32_t index, br_error *err)
{
    br_error failure = {0};
    br_status status = compute_subquery(run, index, &failure);
    if (status == BR_RUNTIME) {
        run->subquery_errors[index] = failure;
        return BR_OK;
    }
    if (status != BR_OK && err != NULL) *err = failure;
    return status;
}

static br_status run_shared(br_run *run, uint32_t index, br_error *err)
{
    br_memory *memory;
    BR_TRY(br_memory_new(run, &memory, err));
    return br_materialise(run, run->query->shared[index], memory, &run->shared[index], err);
}

static br_status run_before(br_run *run, br_error *err)
{
    for (uint32_t i = 0; i < run->query->run_count; i++) {
        uint32_t step = run->query->run_order[i];
        uint32_t index = step & ~(uint32_t)BR_RUN_SUBQUERY;
        if (step & BR_RUN_SUBQUERY) BR_TRY(run_subquery(run, index, err));
        else BR_TRY(run_shared(run, index, err));
    }
    return BR_OK;
}

// ---- the result ------------------------------------------------------------------------------

// Callers see FLAT, CONST and ANY vectors only.
static br_status flatten_times(const br_batches *batches, br_arena *arena, br_error *err)
{
    for (uint32_t i = 0; i < batches->batch_count; i++) {
        br_batch *batch = &batches->batches[i];
        for (uint32_t k = 0; k < batch->column_count; k++) {
            if (br_is_time_kind(batch->columns[k].kind))
                BR_TRY(br_vector_flatten(&batch->columns[k], batch->row_count, arena,
                                         &batch->columns[k], err));
        }
    }
    return BR_OK;
}

// Hands the arenas of `memory` over to the result.
static void take_arenas(br_memory *memory, br_result *result)
{
    for (uint32_t i = 0; i < memory->worker_count; i++) {
        if (memory->arenas[i] == NULL) continue;
        result->arenas[result->arena_count++] = memory->arenas[i];
        memory->arenas[i] = NULL;
    }
}

static br_status make_result(br_run *run, br_memory *memory, const br_batches *batches,
                             br_result **result_out, br_error *err)
{
    br_arena *arena = br_memory_arena(memory, 0);
    if (arena == NULL) return br_run_no_memory(run, "the result", err);
    BR_TRY(flatten_times(batches, arena, err));
    const br_plan *root = run->query->root;
    uint32_t column_count = br_plan_width(root);
    br_result *result = BR_ALLOC(arena, br_result, 1);
    const char **names = BR_ALLOC(arena, const char *, column_count);
    br_arena **arenas = BR_ALLOC(arena, br_arena *, run->worker_count);
    if (result == NULL || names == NULL || arenas == NULL)
        return br_run_no_memory(run, "the result", err);
    for (uint32_t i = 0; i < column_count; i++) {
        const char *name = root->columns[i].name != NULL ? root->columns[i].name : "";
        names[i] = br_arena_copy_text(arena, name, strlen(name));
        if (names[i] == NULL) return br_run_no_memory(run, "the result", err);
    }
    *result = (br_result){.column_count = column_count,
                          .column_names = names,
                          .row_count = batches->row_count,
                          .batch_count = batches->batch_count,
                          .batches = batches->batches,
                          .arena = arena,
                          .arenas = arenas,
                          .delta_rows = run->delta_rows,
                          .spilled_bytes = br_spill_bytes(run)};
    take_arenas(memory, result);
    *result_out = result;
    return BR_OK;
}

static br_status run_root(br_run *run, br_result **result_out, br_error *err)
{
    br_memory *memory;
    br_batches batches;
    BR_TRY(br_memory_new(run, &memory, err));
    run->result = memory;
    BR_TRY(br_materialise(run, run->query->root, memory, &batches, err));
    return make_result(run, memory, &batches, result_out, err);
}

br_status br_exec_run(const br_query *query, const br_exec_env *env, br_result **result_out,
                      br_error *err)
{
    br_run run;
    br_status status = run_init(&run, query, env, err);
    if (status == BR_OK) status = run_before(&run, err);
    if (status == BR_OK) status = run_root(&run, result_out, err);
    run_release(&run);
    return status;
}

br_status br_exec_sample(const br_plan *scan, const br_expr *condition, const br_exec_env *env,
                         br_sample *sample_out, br_error *err)
{
    br_run run;
    const br_query query = {0};
    br_status status = run_init(&run, &query, env, err);
    if (status == BR_OK) status = br_sample_run(&run, scan, condition, sample_out, err);
    run_release(&run);
    return status;
}

void br_result_free(br_result *result)
{
    if (result == NULL) return;
    br_arena *own = result->arena;  // holds the result itself: goes last
    for (uint32_t i = 0; i < result->arena_count; i++) {
        if (result->arenas[i] != own) br_arena_free(result->arenas[i]);
    }
    br_arena_free(own);
}
