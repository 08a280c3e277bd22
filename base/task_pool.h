// task_pool.h - the threads of a database.
//
// br_task_pool_run hands out task indexes 0..count-1, in order, from one atomic counter to the
// caller's thread and the pool's; it returns when all are done. A short job (count 1, or a pool of
// one thread) runs on the caller alone and wakes nobody. Several callers may run jobs at once.
//
// Threads: locked (the pool's own lock). Errors: the failure of the lowest failing index is
// reported, whatever the timing; after a failure no further index is handed out.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_TASK_POOL_H
#define BR_BASE_TASK_POOL_H

#include <stdint.h>

#include "base/error.h"

enum { BR_THREADS_MAX = 256 };

typedef struct br_task_pool br_task_pool;

// `worker` is 0..thread_count-1, distinct for tasks of one job that run at the same time.
typedef br_status (*br_task)(void *context, uint32_t worker, uint32_t index, br_error *err);

// `thread_count` counts the caller: 1 makes no thread. 0 means one per CPU available.
BR_CHECKED br_status br_task_pool_new(uint32_t thread_count, br_task_pool **pool_out,
                                      br_error *err);
void br_task_pool_free(br_task_pool *pool);  // NULL is a no-op; no job may be running
uint32_t br_task_pool_threads(const br_task_pool *pool);

// At most `workers_max` threads take part (0: all).
BR_CHECKED br_status br_task_pool_run(br_task_pool *pool, uint32_t workers_max, uint32_t count,
                                      br_task task, void *context, br_error *err);

#endif
