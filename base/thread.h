// thread.h - locks, conditions, clocks: with task_pool the only users of pthreads.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_THREAD_H
#define BR_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct br_lock {
    pthread_mutex_t mutex;
} br_lock;

typedef struct br_condition {
    pthread_cond_t condition;
} br_condition;

void br_lock_init(br_lock *lock);
void br_lock_release(br_lock *lock);  // end of life
void br_lock_take(br_lock *lock);
bool br_lock_try(br_lock *lock);
void br_lock_give(br_lock *lock);

void br_condition_init(br_condition *condition);
void br_condition_release(br_condition *condition);
// Waits with the lock given back; false after timeout_ms (negative: no limit).
bool br_condition_wait(br_condition *condition, br_lock *lock, int64_t timeout_ms);
void br_condition_wake_one(br_condition *condition);
void br_condition_wake_all(br_condition *condition);

// The struct must stay where it is until it is joined.
typedef struct br_thread {
    pthread_t thread;
    void (*run)(void *context);
    void *context;
} br_thread;

// The new thread blocks all signals: they are the host's.
BR_CHECKED br_status br_thread_start(br_thread *thread, void (*run)(void *context), void *context,
                                     br_error *err);
void br_thread_join(br_thread *thread);
uint64_t br_thread_self(void);  // tells the calling thread from all others that run now

uint64_t br_clock_ns(void);       // monotonic
uint64_t br_clock_thread_ns(void);  // CPU time of the calling thread
uint64_t br_clock_wall_us(void);  // since 1970
void br_sleep_ms(uint32_t ms);
void br_random_bytes(void *bytes_out, uint32_t size_bytes);  // from the operating system

#endif
