// test_task_pool.c - every index runs once, workers are distinct, and errors do not depend on timing.
// SPDX-License-Identifier: Apache-2.0
#include "base/task_pool.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "tests/test.h"

static uint64_t seed = 1;
static br_error err;

enum { INDEXES_MAX = 1000 };

typedef struct job_record {
    _Atomic uint32_t runs[INDEXES_MAX];
    atomic_bool is_inside[BR_THREADS_MAX];
    uint64_t sums[BR_THREADS_MAX];  // one worker at a time: no atomics needed
    _Atomic uint32_t clashes;       // two tasks at once with the same worker number
    bool fails[INDEXES_MAX];
} job_record;

static br_status run_one(void *context, uint32_t worker, uint32_t index, br_error *error)
{
    job_record *work = context;
    if (atomic_exchange(&work->is_inside[worker], true)) work->clashes++;
    work->runs[index]++;
    work->sums[worker] += index;
    if (index % 64 == 0) br_sleep_ms(1);
    atomic_store(&work->is_inside[worker], false);
    if (work->fails[index]) return br_fail(error, BR_RUNTIME, "index %u failed", index);
    return BR_OK;
}

// Called by several threads at once, so it counts what is wrong instead of using CHECK.
static uint32_t job_faults(br_task_pool *pool, uint32_t workers_max, uint32_t count)
{
    br_error error;
    job_record *work = calloc(1, sizeof *work);
    MUST(br_task_pool_run(pool, workers_max, count, run_one, work, &error), error);
    uint64_t sum = 0;
    uint32_t workers = 0, faults = work->clashes;
    for (uint32_t i = 0; i < INDEXES_MAX; i++) faults += work->runs[i] != (i < count);
    for (uint32_t i = 0; i < BR_THREADS_MAX; i++) {
        sum += work->sums[i];
        workers += work->sums[i] > 0;
        faults += i >= br_task_pool_threads(pool) && work->sums[i] > 0;
    }
    faults += sum != (uint64_t)count * (count ? count - 1 : 0) / 2;
    faults += workers_max > 0 && workers > workers_max;
    free(work);
    return faults;
}

static void test_task_pool_runs_each_index_once(void)
{
    uint32_t threads[] = {1, 2, 5, 16};
    for (int i = 0; i < 4; i++) {
        br_task_pool *pool = NULL;
        MUST(br_task_pool_new(threads[i], &pool, &err), err);
        CHECK_INT(br_task_pool_threads(pool), threads[i]);
        uint32_t counts[] = {0, 1, 2, 3, 17, INDEXES_MAX};
        for (int j = 0; j < 6; j++) {
            for (uint32_t workers_max = 0; workers_max < 4; workers_max++)
                CHECK_INT(job_faults(pool, workers_max, counts[j]), 0);
        }
        br_task_pool_free(pool);
    }
    br_task_pool_free(NULL);
}

static void test_task_pool_default_is_one_per_cpu(void)
{
    br_task_pool *pool = NULL;
    MUST(br_task_pool_new(0, &pool, &err), err);
    CHECK(br_task_pool_threads(pool) >= 1);
    br_task_pool_free(pool);
    MUST(br_task_pool_new(100000, &pool, &err), err);
    CHECK_INT(br_task_pool_threads(pool), BR_THREADS_MAX);
    br_task_pool_free(pool);
}

static void test_task_pool_tells_the_lowest_failure(void)
{
    uint64_t random = seed;
    br_task_pool *pool = NULL;
    MUST(br_task_pool_new(6, &pool, &err), err);
    for (int round = 0; round < 300; round++) {
        job_record *work = calloc(1, sizeof *work);
        uint32_t lowest = INDEXES_MAX;
        for (int i = 0; i < 12; i++) {
            uint32_t index = (uint32_t)(test_random(&random) % INDEXES_MAX);
            work->fails[index] = true;
            if (index < lowest) lowest = index;
        }
        char expected[64];
        snprintf(expected, sizeof expected, "index %u failed", lowest);
        CHECK_INT(br_task_pool_run(pool, 0, INDEXES_MAX, run_one, work, &err), BR_RUNTIME);
        CHECK_TEXT(err.message, expected);
        for (uint32_t i = 0; i <= lowest; i++) CHECK_INT(work->runs[i], 1);
        CHECK_INT(br_task_pool_run(pool, 0, INDEXES_MAX, run_one, work, NULL), BR_RUNTIME);
        free(work);
    }
    br_task_pool_free(pool);
}

static void test_task_pool_stops_after_a_failure(void)
{
    br_task_pool *pool = NULL;
    MUST(br_task_pool_new(1, &pool, &err), err);
    job_record *work = calloc(1, sizeof *work);
    work->fails[5] = true;
    CHECK_INT(br_task_pool_run(pool, 0, 100, run_one, work, &err), BR_RUNTIME);
    CHECK_INT(work->runs[5], 1);
    CHECK_INT(work->runs[6], 0);
    free(work);
    br_task_pool_free(pool);
}

static _Atomic uint32_t faults_of_callers;

static void *call_often(void *argument)
{
    br_task_pool *pool = argument;
    for (uint32_t i = 0; i < 20; i++) faults_of_callers += job_faults(pool, i % 4, 50);
    return NULL;
}

static void test_task_pool_serves_several_callers(void)
{
    br_task_pool *pool = NULL;
    pthread_t callers[4];
    MUST(br_task_pool_new(4, &pool, &err), err);
    for (int i = 0; i < 4; i++) pthread_create(&callers[i], NULL, call_often, pool);
    for (int i = 0; i < 4; i++) pthread_join(callers[i], NULL);
    CHECK_INT(faults_of_callers, 0);
    br_task_pool_free(pool);
}

static br_status run_inner(void *context, uint32_t worker, uint32_t index, br_error *error)
{
    (void)worker, (void)index, (void)error;
    atomic_fetch_add((_Atomic uint32_t *)context, 1);
    return BR_OK;
}

typedef struct nested_job {
    br_task_pool *pool;
    _Atomic uint32_t count;
} nested_job;

static br_status run_outer(void *context, uint32_t worker, uint32_t index, br_error *error)
{
    nested_job *nested = context;
    (void)worker, (void)index;
    return br_task_pool_run(nested->pool, 0, 10, run_inner, &nested->count, error);
}

static void test_task_pool_job_inside_a_job(void)
{
    nested_job nested = {0};
    MUST(br_task_pool_new(3, &nested.pool, &err), err);
    MUST(br_task_pool_run(nested.pool, 0, 50, run_outer, &nested, &err), err);
    CHECK_INT(nested.count, 500);
    br_task_pool_free(nested.pool);
}

int main(int count, char **arguments)
{
    if (count > 1) seed = strtoull(arguments[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_task_pool_runs_each_index_once);
    RUN(test_task_pool_default_is_one_per_cpu);
    RUN(test_task_pool_tells_the_lowest_failure);
    RUN(test_task_pool_stops_after_a_failure);
    RUN(test_task_pool_serves_several_callers);
    RUN(test_task_pool_job_inside_a_job);
    return test_result();
}
