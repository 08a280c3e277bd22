// micro_sort.c - ns per row of sorting rows in memory, with one thread and with all.
//
//     micro_sort [name]    only cases whose name contains `name`
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "exec/sort.h"

enum { ROWS = 2000000, ROUNDS = 3, TEXT_BYTES = 24, KEYS_MAX = 3 };

typedef struct sort_bench {
    br_exec_env env;
    br_run run;
    br_error err;
    br_arena *arena;
} sort_bench;

static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void must(const sort_bench *bench, br_status status)
{
    if (status == BR_OK) return;
    fprintf(stderr, "%s\n", bench->err.message);
    exit(1);
}

static br_vector make_ints(br_arena *arena, uint64_t distinct)
{
    int64_t *items = BR_ALLOC(arena, int64_t, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) items[i] = (int64_t)(next_random() % distinct);
    return (br_vector){.class_ = BR_INT, .i64 = items};
}

static br_vector make_reals(br_arena *arena)
{
    double *items = BR_ALLOC(arena, double, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) items[i] = (double)(int64_t)next_random() / 1000;
    return (br_vector){.class_ = BR_REAL, .f64 = items};
}

// Texts that begin alike, followed by the digits of one of so many numbers.
static br_vector make_texts(br_arena *arena, const char *begin, uint64_t distinct)
{
    br_text *items = BR_ALLOC(arena, br_text, ROWS);
    char *bytes = br_arena_alloc(arena, (size_t)ROWS * TEXT_BYTES, 1);
    for (uint32_t i = 0; i < ROWS; i++, bytes += TEXT_BYTES) {
        int size = snprintf(bytes, TEXT_BYTES, "%s%llu", begin,
                            (unsigned long long)(next_random() % distinct));
        items[i] = br_text_make(bytes, (uint32_t)size);
    }
    return (br_vector){.class_ = BR_TEXT, .text = items};
}

typedef struct sort_case {
    const char *name;
    uint32_t key_count;
    br_vector keys[KEYS_MAX];
} sort_case;

static double measure(sort_bench *bench, const sort_case *at, uint32_t threads)
{
    br_sort_key keys[KEYS_MAX] = {0};
    const br_sort_columns columns = {.key_count = at->key_count, .columns = at->keys, .keys = keys};
    double best = 1e9;
    bench->run.thread_count = threads;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t *order;
        uint64_t start = br_clock_ns();
        must(bench, br_sort_rows(&bench->run, &columns, ROWS, bench->arena, &order, &bench->err));
        double ns = (double)(br_clock_ns() - start) / ROWS;
        if (ns < best) best = ns;
        br_arena_reset(bench->arena);
    }
    return best;
}

int main(int argc, char **argv)
{
    sort_bench bench = {.env = {.isa = br_cpu_isa_best()}};
    must(&bench, br_task_pool_new(0, &bench.env.pool, &bench.err));
    uint32_t threads = br_task_pool_threads(bench.env.pool);
    bench.run = (br_run){.env = &bench.env, .worker_count = threads, .arena = br_arena_new(NULL)};
    bench.arena = br_arena_new(NULL);
    br_arena *arena = bench.run.arena;
    const br_vector few = make_ints(arena, 100), names = make_texts(arena, "name ", 1000);
    const sort_case cases[] = {
        {"small integers", 1, {make_ints(arena, 100000)}},
        {"any integers", 1, {make_ints(arena, INT64_MAX)}},
        {"reals", 1, {make_reals(arena)}},
        {"names, few", 1, {names}},
        {"texts", 1, {make_texts(arena, "", UINT64_MAX)}},
        {"addresses", 1, {make_texts(arena, "http://www.", 10000000)}},
        {"integer, text", 2, {few, make_texts(arena, "c", 1000000)}},
        {"text, integer, real", 3, {names, few, make_reals(arena)}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc > 1 && strstr(cases[i].name, argv[1]) == NULL) continue;
        double one = measure(&bench, &cases[i], 1), all = measure(&bench, &cases[i], threads);
        printf("%-20s  1 thread %8.2f  %u threads %8.2f  %5.2fx\n", cases[i].name, one, threads,
               all, one / all);
    }
    br_arena_free(bench.arena);
    br_arena_free(bench.run.arena);
    br_task_pool_free(bench.env.pool);
    return 0;
}
