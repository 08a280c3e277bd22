// test_thread.c - locks, conditions with timeouts, clocks, random bytes.
// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <signal.h>

#include "tests/test.h"

typedef struct shared_state {
    br_lock lock;
    br_condition changed;
    int64_t count;
    bool is_ready;
} shared_state;

static br_error err;

static void init(shared_state *shared)
{
    memset(shared, 0, sizeof *shared);
    br_lock_init(&shared->lock);
    br_condition_init(&shared->changed);
}

static void release(shared_state *shared)
{
    br_condition_release(&shared->changed);
    br_lock_release(&shared->lock);
}

static void add(void *context)
{
    shared_state *shared = context;
    for (int i = 0; i < 10000; i++) {
        br_lock_take(&shared->lock);
        shared->count++;
        br_lock_give(&shared->lock);
    }
}

static void test_lock_excludes(void)
{
    shared_state shared;
    br_thread threads[4];
    init(&shared);
    for (int i = 0; i < 4; i++) MUST(br_thread_start(&threads[i], add, &shared, &err), err);
    for (int i = 0; i < 4; i++) br_thread_join(&threads[i]);
    CHECK_INT(shared.count, 40000);
    release(&shared);
}

static void try_lock(void *context)
{
    shared_state *shared = context;
    shared->is_ready = br_lock_try(&shared->lock);
    if (shared->is_ready) br_lock_give(&shared->lock);
}

static bool try_from_another_thread(shared_state *shared)
{
    br_thread thread;
    MUST(br_thread_start(&thread, try_lock, shared, &err), err);
    br_thread_join(&thread);
    return shared->is_ready;
}

static void test_lock_try(void)
{
    shared_state shared;
    init(&shared);
    br_lock_take(&shared.lock);
    CHECK(!try_from_another_thread(&shared));
    br_lock_give(&shared.lock);
    CHECK(try_from_another_thread(&shared));
    release(&shared);
}

static void wake(void *context)
{
    shared_state *shared = context;
    br_sleep_ms(5);
    br_lock_take(&shared->lock);
    shared->is_ready = true;
    br_condition_wake_all(&shared->changed);
    br_lock_give(&shared->lock);
}

static void test_condition_wakes(void)
{
    shared_state shared;
    br_thread thread;
    init(&shared);
    MUST(br_thread_start(&thread, wake, &shared, &err), err);
    br_lock_take(&shared.lock);
    while (!shared.is_ready) CHECK(br_condition_wait(&shared.changed, &shared.lock, 60000));
    br_lock_give(&shared.lock);
    br_thread_join(&thread);
    release(&shared);
}

static void test_condition_times_out(void)
{
    shared_state shared;
    init(&shared);
    br_lock_take(&shared.lock);
    uint64_t start = br_clock_ns();
    bool is_woken = true;
    while (is_woken) is_woken = br_condition_wait(&shared.changed, &shared.lock, 20);
    uint64_t taken = br_clock_ns() - start;
    CHECK(taken >= 20000000);
    CHECK(!br_condition_wait(&shared.changed, &shared.lock, 0));
    br_lock_give(&shared.lock);
    release(&shared);
}

static void read_mask(void *context)
{
    sigset_t *mask = context;
    pthread_sigmask(SIG_SETMASK, NULL, mask);
}

static void test_threads_leave_signals_to_the_host(void)
{
    sigset_t mask, own;
    br_thread thread;
    sigemptyset(&mask);
    MUST(br_thread_start(&thread, read_mask, &mask, &err), err);
    br_thread_join(&thread);
    CHECK(sigismember(&mask, SIGINT) == 1);
    CHECK(sigismember(&mask, SIGALRM) == 1);
    pthread_sigmask(SIG_SETMASK, NULL, &own);
    CHECK(sigismember(&own, SIGINT) == 0);
}

static void test_clocks_and_random(void)
{
    uint64_t start = br_clock_ns();
    br_sleep_ms(2);
    CHECK(br_clock_ns() - start >= 2000000);
    CHECK(br_clock_wall_us() > 1600000000ull * 1000000);
    uint64_t words[100] = {0};
    br_random_bytes(words, sizeof words);
    for (int i = 1; i < 100; i++) CHECK(words[i] != words[i - 1]);
}

int main(void)
{
    RUN(test_lock_excludes);
    RUN(test_lock_try);
    RUN(test_condition_wakes);
    RUN(test_condition_times_out);
    RUN(test_threads_leave_signals_to_the_host);
    RUN(test_clocks_and_random);
    return test_result();
}
