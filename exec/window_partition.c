// window_partition.c - the order of rows, and where partitions and peers begin.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "exec/keys.h"
#include "exec/window.h"

enum { ROWS_PER_TASK = 16 * BR_BATCH_ROWS };

enum { BEGINS_NOTHING = 0, BEGINS_GROUP = 1, BEGINS_PARTITION = 2 };

typedef struct boundary_job {
    br_run *run;
    const br_sort_columns *keys;
    uint32_t partition_keys;
    const uint32_t *order;
    uint32_t row_count;
    uint8_t *begins;  // per row
} boundary_job;

static void begin(const boundary_job *job, uint32_t row, uint8_t what)
{
    if (job->begins[row] < what) job->begins[row] = what;
}

// Rows first..first+count-1 whose number is not that of the row before begin `what`.
static void note_other_words(const boundary_job *job, const br_vector *column, uint8_t what,
                             uint32_t first, uint32_t count)
{
    int64_t before = column->i64[job->order[first - 1]];
    for (uint32_t i = 0; i < count; i++) {
        int64_t word = column->i64[job->order[first + i]];
        if (word != before) begin(job, first + i, what);
        before = word;
    }
}

// The same for a key of any kind; first > 0.
static br_status note_differences(const boundary_job *job, uint32_t key, uint32_t first,
                                  uint32_t count, br_arena *scratch, br_error *err)
{
    const br_vector *column = &job->keys->columns[key];
    uint8_t what = key < job->partition_keys ? BEGINS_PARTITION : BEGINS_GROUP;
    uint8_t is_equal[BR_BATCH_ROWS];
    br_vector picked;
    bool differ;
    if (column->class_ == BR_NULL) return BR_OK;
    bool is_word = column->class_ == BR_INT || br_is_time_kind(column->kind);
    if (is_word && column->validity == NULL) {
        note_other_words(job, column, what, first, count);
        return BR_OK;
    }
    memset(is_equal, 1, count);
    BR_TRY(br_column_pick(job->run, column, job->order + first, count, false, scratch, &picked,
                          err));
    const br_key_pairs pairs = {
        .count = count, .right = job->order + first - 1, .is_equal = is_equal};
    BR_TRY(br_keys_compare(job->run, &picked, column, job->keys->keys[key].collation, &pairs,
                           scratch, &differ, err));
    for (uint32_t i = 0; differ && i < count; i++) {
        if (!is_equal[i]) begin(job, first + i, what);
    }
    return BR_OK;
}

static br_status find_boundaries(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    const boundary_job *job = context;
    br_arena *scratch = br_memory_arena(job->run->scratch, worker);
    if (scratch == NULL) return br_run_no_memory(job->run, "window functions", err);
    BR_TRY(br_run_poll(job->run, err));
    br_arena_mark mark = br_arena_get_mark(scratch);
    uint32_t first = index * ROWS_PER_TASK + 1;  // row 0 has none before it
    uint32_t end = job->row_count - first > ROWS_PER_TASK ? first + ROWS_PER_TASK : job->row_count;
    for (uint32_t count; first < end; first += count) {
        count = end - first < BR_BATCH_ROWS ? end - first : BR_BATCH_ROWS;
        for (uint32_t key = 0; key < job->keys->key_count; key++) {
            BR_TRY(note_differences(job, key, first, count, scratch, err));
        }
        br_arena_rewind(scratch, mark);
    }
    return BR_OK;
}

static br_status list_boundaries(br_run *run, const uint8_t *begins, br_arena *arena,
                                 br_window_rows *out, br_error *err)
{
    uint32_t partition_count = 0, group_count = 0;
    for (uint32_t row = 0; row < out->row_count; row++) {
        group_count += begins[row] != BEGINS_NOTHING;
        partition_count += begins[row] == BEGINS_PARTITION;
    }
    uint32_t *partitions = BR_ALLOC(arena, uint32_t, partition_count + 1);
    uint32_t *firsts = BR_ALLOC(arena, uint32_t, partition_count + 1);
    uint32_t *groups = BR_ALLOC(arena, uint32_t, group_count + 1);
    if (partitions == NULL || firsts == NULL || groups == NULL)
        return br_run_no_memory(run, "window functions", err);
    uint32_t partition = 0, group = 0;
    for (uint32_t row = 0; row < out->row_count; row++) {
        if (begins[row] == BEGINS_NOTHING) continue;
        if (begins[row] == BEGINS_PARTITION) {
            firsts[partition] = group;
            partitions[partition++] = row;
        }
        groups[group++] = row;
    }
    partitions[partition_count] = groups[group_count] = out->row_count;
    firsts[partition_count] = group_count;
    out->partition_count = partition_count;
    out->partition_rows = partitions;
    out->partition_groups = firsts;
    out->group_count = group_count;
    out->group_rows = groups;
    return BR_OK;
}

br_status br_window_rows_make(br_run *run, const br_sort_columns *keys, uint32_t partition_keys,
                              uint32_t row_count, br_memory *memory, br_window_rows *out,
                              br_error *err)
{
    uint32_t *order;
    br_arena *arena = br_memory_arena(memory, 0);
    if (arena == NULL) return br_run_no_memory(run, "window functions", err);
    BR_TRY(br_sort_rows(run, keys, row_count, arena, &order, err));
    *out = (br_window_rows){.run = run, .row_count = row_count, .order = order};
    br_arena *scratch = br_memory_arena(run->scratch, 0);
    if (scratch == NULL) return br_run_no_memory(run, "window functions", err);
    br_memory *work;
    BR_TRY(br_memory_new(run, &work, err));
    br_arena *bytes = br_memory_arena(work, 0);
    boundary_job job = {.run = run,
                        .keys = keys,
                        .partition_keys = partition_keys,
                        .order = order,
                        .row_count = row_count,
                        .begins = bytes == NULL ? NULL : BR_ALLOC(bytes, uint8_t, row_count)};
    if (job.begins == NULL) return br_run_no_memory(run, "window functions", err);
    if (row_count > 0) job.begins[0] = BEGINS_PARTITION;
    uint32_t task_count = row_count < 2 ? 0 : (row_count - 2) / ROWS_PER_TASK + 1;
    BR_TRY(br_run_tasks(run, task_count, find_boundaries, &job, err));
    BR_TRY(list_boundaries(run, job.begins, arena, out, err));
    br_memory_free(run, work);
    return BR_OK;
}
