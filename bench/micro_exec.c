// micro_exec.c - ns per value of the kernels of exec/, for every instruction set of this machine,
// and of window functions.
//
//     micro_exec [name]    only kernels whose name contains `name`, or `window`
//
// Inputs are one batch, so everything is in the first-level cache. A kernel written by hand should
// be at least 1.3 times as fast as what the compiler makes of the plain one for the same set.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "base/vector.h"
#include "exec/kernels/kernels.h"
#include "exec/window.h"

enum { ROWS = BR_BATCH_ROWS, ROUNDS = 3, TEXT_BYTES = 100 };

static int64_t left[ROWS], right[ROWS], out[ROWS + 8];
static double x[ROWS], y[ROWS], z[ROWS];
static uint32_t codes[ROWS];
static uint64_t bits[ROWS / 64], table[64], result[ROWS / 64];
static uint64_t texts[2 * ROWS];
static char text[ROWS * TEXT_BYTES];
static volatile uint64_t sink;

static void fill(void)
{
    uint64_t state = 88172645463325252ull;
    for (uint32_t i = 0; i < ROWS; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        left[i] = (int64_t)(state % 100000);
        right[i] = (int64_t)(state >> 40);
        x[i] = (double)left[i] / 100;
        y[i] = (double)right[i] + 0.25;
        codes[i] = (uint32_t)(state % 4096);
        texts[2 * i + 1] = state % 16;
        if (state % 3 == 0) bits[i / 64] |= 1ull << (i % 64);
    }
    for (uint32_t i = 0; i < 64; i++) table[i] = state * i;
    for (uint32_t i = 0; i < sizeof text; i++) text[i] = "etaoin shrdlu-/."[(i * 2654435761u) >> 28];
}

typedef void (*kernel_call)(const br_exec_kernels *kernels);
#define CALL(name, call)                                                                    \
    static void call_##name(const br_exec_kernels *kernels) { call; }

CALL(add_i64, kernels->add_i64(left, right, ROWS, out))
CALL(mul_i64, kernels->mul_i64(left, right, ROWS, out))
CALL(add_checked_i64, sink += kernels->add_checked_i64(left, right, ROWS, out))
CALL(mul_checked_i64, sink += kernels->mul_checked_i64(left, right, ROWS, out))
CALL(mul_f64, sink += kernels->mul_f64(x, y, ROWS, z))
CALL(div_f64, sink += kernels->div_f64(x, y, ROWS, z))
CALL(i64_to_f64, kernels->i64_to_f64(left, ROWS, z))
CALL(less_i64, kernels->less_i64(left, right, ROWS, result))
CALL(less_f64, kernels->less_f64(x, y, ROWS, result))
CALL(in_range_i64, kernels->in_range_i64(left, ROWS, 10, 50000, result))
CALL(in_range_f64, kernels->in_range_f64(x, ROWS, 1.0, 500.0, result))
CALL(equal_text_word, kernels->equal_text_word(texts, ROWS, 5, result))
CALL(in_bitmap_i64, kernels->in_bitmap_i64(left, ROWS, 0, 1023, table, result))
CALL(lookup_bits, kernels->lookup_bits(codes, ROWS, table, result))
CALL(expand_bits, kernels->expand_bits(bits, ROWS, out))
CALL(compact_u64, sink += kernels->compact_u64((uint64_t *)left, bits, ROWS, (uint64_t *)out))
CALL(compact_u32, sink += kernels->compact_u32(codes, bits, ROWS, (uint32_t *)out))
CALL(blend_u64, kernels->blend_u64((uint64_t *)left, (uint64_t *)right, bits, ROWS,
                                   (uint64_t *)out))
CALL(hash_i64, kernels->hash_i64(left, ROWS, (uint64_t *)out))
CALL(sum_i64, sink += (uint64_t)kernels->sum_i64(left, ROWS))
CALL(sum_f64, sink += (uint64_t)kernels->sum_f64(x, ROWS))
CALL(min_max_i64, kernels->min_max_i64(left, ROWS, &out[0], &out[1]))

static void call_find_bytes(const br_exec_kernels *kernels)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        sink += kernels->find_bytes(text + i * TEXT_BYTES, TEXT_BYTES, 0, "google", 6);
    }
}
static void call_find_bytes_nocase(const br_exec_kernels *kernels)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        sink += kernels->find_bytes_nocase(text + i * TEXT_BYTES, TEXT_BYTES, 0, "google", 6);
    }
}
static void call_count_chars(const br_exec_kernels *kernels)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        sink += kernels->count_chars(text + i * TEXT_BYTES, TEXT_BYTES);
    }
}

static const struct {
    const char *name;
    kernel_call call;
} kernel_calls[] = {
#define ENTRY(name) {#name, call_##name}
    ENTRY(add_i64), ENTRY(mul_i64), ENTRY(add_checked_i64), ENTRY(mul_checked_i64),
    ENTRY(mul_f64), ENTRY(div_f64), ENTRY(i64_to_f64), ENTRY(less_i64), ENTRY(less_f64),
    ENTRY(in_range_i64), ENTRY(in_range_f64), ENTRY(equal_text_word),
    ENTRY(in_bitmap_i64), ENTRY(lookup_bits),
    ENTRY(expand_bits), ENTRY(compact_u64), ENTRY(compact_u32), ENTRY(blend_u64),
    ENTRY(hash_i64), ENTRY(sum_i64), ENTRY(sum_f64), ENTRY(min_max_i64), ENTRY(find_bytes),
    ENTRY(find_bytes_nocase), ENTRY(count_chars)};

static double measure(kernel_call call, const br_exec_kernels *kernels)
{
    double best = 1e9;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t start = br_clock_ns();
        uint32_t calls = 0;
        do {
            call(kernels);
            calls++;
        } while (br_clock_ns() - start < 10000000);
        double ns = (double)(br_clock_ns() - start) / calls / ROWS;
        if (ns < best) best = ns;
    }
    return best;
}

// ---- window functions ------------------------------------------------------------------------

enum { WINDOW_ROWS = 1000000, WINDOW_PARTITIONS = 1000 };

// Two columns of rows in no order, and what a run of a query has.
typedef struct window_bench {
    br_exec_env env;
    br_run run;
    br_error err;
    int64_t *partitions, *values;
    br_window_rows rows;
} window_bench;

static void must(const window_bench *bench, br_status status)
{
    if (status == BR_OK) return;
    fprintf(stderr, "%s\n", bench->err.message);
    exit(1);
}

static void window_open(window_bench *bench)
{
    *bench = (window_bench){.env = {.isa = br_cpu_isa_best()}};
    br_run *run = &bench->run;
    must(bench, br_task_pool_new(1, &bench->env.pool, &bench->err));
    *run = (br_run){.env = &bench->env,
                    .kernels = br_exec_kernels_for(bench->env.isa),
                    .worker_count = 1,
                    .arena = br_arena_new(NULL)};
    must(bench, br_memory_new(run, &run->scratch, &bench->err));
    bench->partitions = BR_ALLOC(run->arena, int64_t, WINDOW_ROWS);
    bench->values = BR_ALLOC(run->arena, int64_t, WINDOW_ROWS);
    for (uint32_t i = 0; i < WINDOW_ROWS; i++) {
        uint32_t hash = i * 2654435761u;
        bench->partitions[i] = hash >> 7 & 0xffff;
        bench->partitions[i] %= WINDOW_PARTITIONS;
        bench->values[i] = hash >> 11;
    }
}

// PARTITION BY partitions ORDER BY values
static double window_sort(window_bench *bench)
{
    br_memory *memory;
    br_vector columns[] = {{.class_ = BR_INT, .i64 = bench->partitions},
                           {.class_ = BR_INT, .i64 = bench->values}};
    br_sort_key keys[2] = {0};
    const br_sort_columns sort = {.key_count = 2, .columns = columns, .keys = keys};
    must(bench, br_memory_new(&bench->run, &memory, &bench->err));
    uint64_t start = br_clock_ns();
    must(bench, br_window_rows_make(&bench->run, &sort, 1, WINDOW_ROWS, memory, &bench->rows,
                                    &bench->err));
    return (double)(br_clock_ns() - start) / WINDOW_ROWS;
}

static double window_evaluate(window_bench *bench, const br_window_call *call)
{
    br_arena *arena = br_memory_arena(bench->run.scratch, 0);
    br_arena_mark mark = br_arena_get_mark(arena);
    br_window_job job = {.rows = &bench->rows, .call = call, .arg_count = 1};
    job.args[0] = (br_vector){.class_ = BR_INT, .i64 = bench->values};
    job.start_offset = br_value_int(50);
    must(bench, br_window_result_new(&job, arena, &bench->err));
    double best = 1e9;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t start = br_clock_ns();
        for (uint32_t i = 0; i < bench->rows.partition_count; i++) {
            br_arena_mark inner = br_arena_get_mark(arena);
            br_window_work work = {.job = &job,
                                   .first = bench->rows.partition_rows[i],
                                   .end = bench->rows.partition_rows[i + 1],
                                   .first_group = bench->rows.partition_groups[i],
                                   .end_group = bench->rows.partition_groups[i + 1],
                                   .scratch = arena,
                                   .keep = arena};
            must(bench, br_window_evaluate(&work, &bench->err));
            br_arena_rewind(arena, inner);
        }
        double ns = (double)(br_clock_ns() - start) / WINDOW_ROWS;
        if (ns < best) best = ns;
    }
    br_arena_rewind(arena, mark);
    return best;
}

// ns per row with one thread: 1 M rows in 1,000 partitions.
static void measure_windows(void)
{
    window_bench bench;
    const br_window_call number = {.function = BR_WINDOW_ROW_NUMBER};
    const br_window_frame running = {.unit = BR_FRAME_ROWS, .end = BR_FRAME_CURRENT_ROW};
    const br_window_frame sliding = {
        .unit = BR_FRAME_ROWS, .start = BR_FRAME_PRECEDING, .end = BR_FRAME_CURRENT_ROW};
    const br_window_call calls[] = {
        {.aggregate.kind = BR_AGG_SUM, .frame = running},
        {.aggregate.kind = BR_AGG_SUM, .frame = sliding},
        {.aggregate.kind = BR_AGG_MAX, .frame = sliding},
    };
    window_open(&bench);
    printf("%-20s  %8.3f\n", "window_sort", window_sort(&bench));
    printf("%-20s  %8.3f\n", "window_row_number", window_evaluate(&bench, &number));
    printf("%-20s  %8.3f\n", "window_running_sum", window_evaluate(&bench, &calls[0]));
    printf("%-20s  %8.3f\n", "window_sliding_sum", window_evaluate(&bench, &calls[1]));
    printf("%-20s  %8.3f\n", "window_sliding_max", window_evaluate(&bench, &calls[2]));
    while (bench.run.memories != NULL) br_memory_free(&bench.run, bench.run.memories);
    br_arena_free(bench.run.arena);
    br_task_pool_free(bench.env.pool);
}

int main(int argc, char **argv)
{
    fill();
    for (size_t i = 0; i < sizeof kernel_calls / sizeof *kernel_calls; i++) {
        if (argc > 1 && strstr(kernel_calls[i].name, argv[1]) == NULL) continue;
        printf("%-20s", kernel_calls[i].name);
        for (br_isa isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
            printf("  %s %8.3f", br_isa_name(isa),
                   measure(kernel_calls[i].call, br_exec_kernels_for(isa)));
        }
        printf("\n");
    }
    if (argc < 2 || strstr("window", argv[1]) != NULL) measure_windows();
    return 0;
}
