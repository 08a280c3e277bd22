// thread.c - pthreads behind names of our own.
// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"

// These calls fail only when misused, which only a test build needs to notice.
static void expect_zero(int result)
{
    br_assert(result == 0);
    (void)result;
}

void br_lock_init(br_lock *lock) { expect_zero(pthread_mutex_init(&lock->mutex, NULL)); }

void br_lock_release(br_lock *lock) { expect_zero(pthread_mutex_destroy(&lock->mutex)); }

void br_lock_take(br_lock *lock) { expect_zero(pthread_mutex_lock(&lock->mutex)); }

bool br_lock_try(br_lock *lock) { return pthread_mutex_trylock(&lock->mutex) == 0; }

void br_lock_give(br_lock *lock) { expect_zero(pthread_mutex_unlock(&lock->mutex)); }

void br_condition_init(br_condition *condition)
{
    pthread_condattr_t attributes;
    expect_zero(pthread_condattr_init(&attributes));
    // Timeouts must not depend on somebody setting the clock.
    expect_zero(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    expect_zero(pthread_cond_init(&condition->condition, &attributes));
    pthread_condattr_destroy(&attributes);
}

void br_condition_release(br_condition *condition)
{
    expect_zero(pthread_cond_destroy(&condition->condition));
}

bool br_condition_wait(br_condition *condition, br_lock *lock, int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        expect_zero(pthread_cond_wait(&condition->condition, &lock->mutex));
        return true;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(&condition->condition, &lock->mutex, &until) == 0;
}

void br_condition_wake_one(br_condition *condition)
{
    expect_zero(pthread_cond_signal(&condition->condition));
}

void br_condition_wake_all(br_condition *condition)
{
    expect_zero(pthread_cond_broadcast(&condition->condition));
}

static void *thread_main(void *argument)
{
    br_thread *thread = argument;
    thread->run(thread->context);
    return NULL;
}

br_status br_thread_start(br_thread *thread, void (*run)(void *context), void *context,
                          br_error *err)
{
    *thread = (br_thread){.run = run, .context = context};
    // The host's signals are handled by the host's threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&thread->thread, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0) return BR_OK;
    char text[128];
    return br_fail(err, BR_NOMEM, "cannot start a thread: %s",
                   strerror_r(code, text, sizeof text));
}

void br_thread_join(br_thread *thread) { expect_zero(pthread_join(thread->thread, NULL)); }

uint64_t br_thread_self(void) { return (uint64_t)pthread_self(); }

static uint64_t clock_read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t br_clock_ns(void) { return clock_read_ns(CLOCK_MONOTONIC); }

uint64_t br_clock_thread_ns(void) { return clock_read_ns(CLOCK_THREAD_CPUTIME_ID); }

uint64_t br_clock_wall_us(void) { return clock_read_ns(CLOCK_REALTIME) / 1000; }

void br_sleep_ms(uint32_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void br_random_bytes(void *bytes_out, uint32_t size_bytes)
{
    uint8_t *bytes = bytes_out;
    for (uint32_t done = 0; done < size_bytes;) {
        ssize_t got = getrandom(bytes + done, size_bytes - done, 0);
        if (got > 0) done += (uint32_t)got;
    }
}
