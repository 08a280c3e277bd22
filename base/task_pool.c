// task_pool.c - threads that wait for jobs, and callers that work along on their own.
//
// A job lives on its caller's stack and is listed in the pool while indexes are left. A thread that
// joins a job is counted in `helpers`; the caller takes the job off the list and waits until nobody
// is left in it before it returns.
// SPDX-License-Identifier: Apache-2.0
#include "base/task_pool.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/cpu.h"
#include "base/heap.h"
#include "base/thread.h"

typedef struct pool_job {
    struct pool_job *next;
    br_task task;
    void *context;
    uint32_t count;
    uint32_t helpers_max;
    uint32_t helpers;             // inside now; the pool's lock
    _Atomic uint64_t next_index;  // relaxed: the lock orders what tasks did before the caller
    atomic_bool has_failed;       // relaxed: a late look only hands out one index more
    br_status status;  // of the lowest failing index; the pool's lock, like the rest
    uint32_t failed_index;
    br_error error;
    br_condition done;
} pool_job;

typedef struct pool_thread {
    br_thread thread;
    br_task_pool *pool;
    uint32_t worker;
} pool_thread;

struct br_task_pool {
    uint32_t thread_count;  // with the caller
    uint32_t started;       // threads to join
    br_lock lock;
    br_condition work;
    pool_job *jobs;  // the lock
    bool is_ending;  // the lock
    pool_thread threads[];
};

// Keeps the failure of the lowest index. Indexes are handed out in order and never skipped, so all
// below the lowest failing one have run: which failure is told does not depend on timing.
static void note_failure(br_task_pool *pool, pool_job *job, uint32_t index, br_status status,
                         const br_error *error)
{
    atomic_store_explicit(&job->has_failed, true, memory_order_relaxed);
    br_lock_take(&pool->lock);
    if (job->status == BR_OK || index < job->failed_index) {
        job->status = status;
        job->failed_index = index;
        job->error = *error;
    }
    br_lock_give(&pool->lock);
}

static void work_on(br_task_pool *pool, pool_job *job, uint32_t worker)
{
    br_error error;
    while (!atomic_load_explicit(&job->has_failed, memory_order_relaxed)) {
        uint64_t index = atomic_fetch_add_explicit(&job->next_index, 1, memory_order_relaxed);
        if (index >= job->count) return;
        error.message[0] = 0;
        error.sql_offset = -1;
        br_status status = job->task(job->context, worker, (uint32_t)index, &error);
        if (status != BR_OK) note_failure(pool, job, (uint32_t)index, status, &error);
    }
}

static bool wants_help(const pool_job *job)
{
    return job->helpers < job->helpers_max &&
           atomic_load_explicit(&job->next_index, memory_order_relaxed) < job->count &&
           !atomic_load_explicit(&job->has_failed, memory_order_relaxed);
}

static pool_job *find_job(const br_task_pool *pool)
{
    pool_job *found = pool->jobs;
    while (found != NULL && !wants_help(found)) found = found->next;
    return found;
}

static void thread_main(void *context)
{
    pool_thread *self = context;
    br_task_pool *pool = self->pool;
    br_lock_take(&pool->lock);
    while (!pool->is_ending) {
        pool_job *job = find_job(pool);
        if (job == NULL) {
            br_condition_wait(&pool->work, &pool->lock, -1);
            continue;
        }
        job->helpers++;
        br_lock_give(&pool->lock);
        work_on(pool, job, self->worker);
        br_lock_take(&pool->lock);
        if (--job->helpers == 0) br_condition_wake_one(&job->done);
    }
    br_lock_give(&pool->lock);
}

br_status br_task_pool_new(uint32_t thread_count, br_task_pool **pool_out, br_error *err)
{
    if (thread_count == 0) thread_count = br_cpu_count();
    if (thread_count > BR_THREADS_MAX) thread_count = BR_THREADS_MAX;
    br_task_pool *pool = br_heap_zalloc(sizeof *pool + thread_count * sizeof(pool_thread));
    if (pool == NULL)
        return br_fail(err, BR_NOMEM, "no memory for a pool of %u threads", thread_count);
    pool->thread_count = thread_count;
    br_lock_init(&pool->lock);
    br_condition_init(&pool->work);
    for (; pool->started + 1 < thread_count; pool->started++) {
        pool_thread *thread = &pool->threads[pool->started];
        *thread = (pool_thread){.pool = pool, .worker = pool->started + 1};
        br_status status = br_thread_start(&thread->thread, thread_main, thread, err);
        if (status != BR_OK) {
            br_task_pool_free(pool);
            return status;
        }
    }
    *pool_out = pool;
    return BR_OK;
}

void br_task_pool_free(br_task_pool *pool)
{
    if (pool == NULL) return;
    br_lock_take(&pool->lock);
    br_assert(pool->jobs == NULL);
    pool->is_ending = true;
    br_condition_wake_all(&pool->work);
    br_lock_give(&pool->lock);
    for (uint32_t i = 0; i < pool->started; i++) br_thread_join(&pool->threads[i].thread);
    br_condition_release(&pool->work);
    br_lock_release(&pool->lock);
    br_heap_free(pool);
}

uint32_t br_task_pool_threads(const br_task_pool *pool) { return pool->thread_count; }

static void list_job(br_task_pool *pool, pool_job *job)
{
    br_lock_take(&pool->lock);
    job->next = pool->jobs;
    pool->jobs = job;
    for (uint32_t i = 0; i < job->helpers_max; i++) br_condition_wake_one(&pool->work);
    br_lock_give(&pool->lock);
}

// Takes the job off the list, so that nobody joins any more, and waits for those inside.
static void end_job(br_task_pool *pool, pool_job *ending)
{
    br_lock_take(&pool->lock);
    pool_job **link = &pool->jobs;
    while (*link != ending) link = &(*link)->next;
    *link = ending->next;
    while (ending->helpers > 0) br_condition_wait(&ending->done, &pool->lock, -1);
    br_lock_give(&pool->lock);
}

static uint32_t least(uint32_t left, uint32_t right) { return left < right ? left : right; }

static br_status run_alone(uint32_t count, br_task task, void *context, br_error *err)
{
    for (uint32_t i = 0; i < count; i++) BR_TRY(task(context, 0, i, err));
    return BR_OK;
}

br_status br_task_pool_run(br_task_pool *pool, uint32_t workers_max, uint32_t count, br_task task,
                           void *context, br_error *err)
{
    uint32_t workers = least(pool->thread_count, count);
    if (workers_max > 0) workers = least(workers, workers_max);
    if (workers <= 1) return run_alone(count, task, context, err);
    pool_job job = {
        .task = task, .context = context, .count = count, .helpers_max = workers - 1};
    br_condition_init(&job.done);
    list_job(pool, &job);
    work_on(pool, &job, 0);
    end_job(pool, &job);
    br_condition_release(&job.done);
    if (job.status != BR_OK && err != NULL) *err = job.error;
    return job.status;
}
