// join_table.c - building the table of a join, and looking keys up in it.
// SPDX-License-Identifier: Apache-2.0
#include "exec/join_table.h"

#include <string.h>

#include "base/assert.h"

enum {
    TASK_ROWS = 65536,          // of hashing; a multiple of 64, so that bitmap words are not shared
    DIRECT_SPAN_MIN = 65536,    // spans up to here are worth an array for any number of rows
    DIRECT_SPAN_PER_ROW = 8,    // beyond, at least one key in eight must be there
    DIRECT_SPAN_MAX = 1 << 26,
    PREFETCH_ROWS = 24,
    BUILD_TASKS_MAX = 16,
};

static br_status no_memory(const br_join_table *table, br_error *err)
{
    return br_run_no_memory(table->run, "a join", err);
}

// ---- hashes and NULLs ------------------------------------------------------------------------

static br_status hash_range(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    br_join_table *table = context;
    uint32_t end = (index + 1) * TASK_ROWS;
    if (end > table->rows.row_count) end = table->rows.row_count;
    br_arena *scratch = br_memory_arena(table->run->scratch, worker);
    if (scratch == NULL) return no_memory(table, err);
    br_vector *keys = BR_ALLOC(scratch, br_vector, table->key_count);
    if (keys == NULL) return no_memory(table, err);
    br_hash_context hashing = {.run = table->run, .arena = scratch};
    for (uint32_t first = index * TASK_ROWS; first < end; first += BR_BATCH_ROWS) {
        uint32_t count = end - first < BR_BATCH_ROWS ? end - first : BR_BATCH_ROWS;
        for (uint32_t k = 0; k < table->key_count; k++) {
            keys[k] = br_vector_slice(&table->keys[k], first);
        }
        br_keys_nulls(keys, table->key_count, table->null_safe, count, table->nulls + first / 64);
        if (table->hashes != NULL)
            BR_TRY(br_keys_hash(&hashing, keys, table->collations, table->key_count, count,
                                table->hashes + first, err));
    }
    return BR_OK;
}

static br_status find_nulls(br_join_table *table, br_arena *arena, bool with_hashes,
                            br_error *err)
{
    uint32_t row_count = table->rows.row_count;
    table->nulls = BR_ALLOC(arena, uint64_t, br_bitmap_words(row_count) + 1);
    if (with_hashes) table->hashes = br_arena_alloc(arena, row_count * sizeof(uint64_t), 64);
    if (table->nulls == NULL || (with_hashes && table->hashes == NULL))
        return no_memory(table, err);
    BR_TRY(br_run_tasks(table->run, (row_count + TASK_ROWS - 1) / TASK_ROWS, hash_range, table,
                        err));
    if (br_bitmap_count(table->nulls, row_count) == 0) table->nulls = NULL;
    return BR_OK;
}

static inline bool is_in_table(const br_join_table *table, uint32_t row)
{
    return table->nulls == NULL || !br_bitmap_get(table->nulls, row);
}

// ---- buckets ---------------------------------------------------------------------------------

typedef struct bucket_job {
    br_join_table *table;
    uint32_t bucket_count;
    uint32_t task_count;
} bucket_job;

static inline uint32_t bucket_of_row(const br_join_table *table, uint32_t row)
{
    if (table->kind == BR_TABLE_DIRECT)
        return (uint32_t)((uint64_t)table->keys[0].i64[row] - (uint64_t)table->key_min);
    return (uint32_t)(table->hashes[row] >> table->bucket_shift);
}

// Each task owns a range of buckets and goes over all rows, so that tasks write to different
// places and the layout does not depend on how many there are.
static br_status count_buckets(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    bucket_job *job = context;
    br_join_table *table = job->table;
    uint64_t first = (uint64_t)job->bucket_count * index / job->task_count;
    uint64_t end = (uint64_t)job->bucket_count * (index + 1) / job->task_count;
    BR_TRY(br_run_poll(table->run, err));
    for (uint32_t row = 0; row < table->rows.row_count; row++) {
        if (!is_in_table(table, row)) continue;
        uint32_t bucket = bucket_of_row(table, row);
        if (bucket >= first && bucket < end) table->offsets[bucket + 1]++;
    }
    return BR_OK;
}

static br_status fill_buckets(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    bucket_job *job = context;
    br_join_table *table = job->table;
    uint64_t first = (uint64_t)job->bucket_count * index / job->task_count;
    uint64_t end = (uint64_t)job->bucket_count * (index + 1) / job->task_count;
    BR_TRY(br_run_poll(table->run, err));
    for (uint32_t row = 0; row < table->rows.row_count; row++) {
        if (!is_in_table(table, row)) continue;
        uint32_t bucket = bucket_of_row(table, row);
        if (bucket < first || bucket >= end) continue;
        uint32_t entry = table->offsets[bucket]++;  // shifted back by the caller
        table->entry_rows[entry] = row;
        if (table->entry_tags != NULL) table->entry_tags[entry] = (uint32_t)table->hashes[row];
    }
    return BR_OK;
}

static br_status make_buckets(br_join_table *table, br_arena *arena, uint32_t bucket_count,
                              br_error *err)
{
    uint32_t row_count = table->rows.row_count;
    bucket_job job = {.table = table, .bucket_count = bucket_count, .task_count = 1};
    if (row_count > TASK_ROWS && table->run->worker_count > 1)
        job.task_count = table->run->worker_count < BUILD_TASKS_MAX ? table->run->worker_count
                                                                    : BUILD_TASKS_MAX;
    table->offsets = BR_ALLOC(arena, uint32_t, (size_t)bucket_count + 2);
    table->entry_rows = br_arena_alloc(arena, row_count * sizeof(uint32_t), 64);
    if (table->kind == BR_TABLE_HASHED)
        table->entry_tags = br_arena_alloc(arena, row_count * sizeof(uint32_t), 64);
    if (table->offsets == NULL || table->entry_rows == NULL ||
        (table->kind == BR_TABLE_HASHED && table->entry_tags == NULL))
        return no_memory(table, err);
    BR_TRY(br_run_tasks(table->run, job.task_count, count_buckets, &job, err));
    for (uint32_t i = 0; i < bucket_count; i++) table->offsets[i + 1] += table->offsets[i];
    BR_TRY(br_run_tasks(table->run, job.task_count, fill_buckets, &job, err));
    memmove(table->offsets + 1, table->offsets, (size_t)bucket_count * sizeof *table->offsets);
    table->offsets[0] = 0;
    return BR_OK;
}

// ---- direct tables ---------------------------------------------------------------------------

static void find_bounds(br_join_table *table)
{
    const br_vector *key = &table->keys[0];
    table->key_min = INT64_MAX;
    table->key_max = INT64_MIN;
    for (uint32_t row = 0; row < table->rows.row_count; row++) {
        if (!is_in_table(table, row)) continue;
        if (key->i64[row] < table->key_min) table->key_min = key->i64[row];
        if (key->i64[row] > table->key_max) table->key_max = key->i64[row];
    }
    table->has_range = table->key_min <= table->key_max;
}

static bool wants_direct(const br_join_table *table)
{
    if (!table->has_range) return false;
    uint64_t span = (uint64_t)table->key_max - (uint64_t)table->key_min;
    return span < DIRECT_SPAN_MIN ||
           (span < DIRECT_SPAN_MAX && span / DIRECT_SPAN_PER_ROW < table->rows.row_count);
}

// heads, as long as no key comes twice.
static br_status try_unique(br_join_table *table, br_arena *arena, uint32_t span, br_error *err)
{
    br_arena_mark mark = br_arena_get_mark(arena);
    uint32_t *heads = BR_ALLOC(arena, uint32_t, (size_t)span);
    if (heads == NULL) return no_memory(table, err);
    for (uint32_t row = 0; row < table->rows.row_count; row++) {
        if (!is_in_table(table, row)) continue;
        uint32_t bucket = bucket_of_row(table, row);
        if (heads[bucket] != 0) {
            br_arena_rewind(arena, mark);
            return BR_OK;
        }
        heads[bucket] = row + 1;
    }
    table->heads = heads;
    table->kind = BR_TABLE_UNIQUE;
    return BR_OK;
}

br_status br_join_table_build(br_join_table *table, const uint32_t *key_columns, br_error *err)
{
    br_arena *arena = br_memory_arena(table->memory, 0);
    if (arena == NULL) return no_memory(table, err);
    table->keys = BR_ALLOC(arena, br_vector, table->key_count);
    if (table->keys == NULL) return no_memory(table, err);
    for (uint32_t k = 0; k < table->key_count; k++)
        table->keys[k] = table->rows.columns[key_columns[k]];
    table->kind = BR_TABLE_ALL;
    if (table->key_count == 0 || table->rows.row_count == 0) return BR_OK;
    bool is_int = table->key_count == 1 && !table->null_safe[0] &&
                  table->keys[0].class_ == BR_INT && table->keys[0].kind == BR_VECTOR_FLAT;
    BR_TRY(find_nulls(table, arena, !is_int, err));
    if (is_int) find_bounds(table);
    if (is_int && wants_direct(table)) {
        uint32_t span = (uint32_t)((uint64_t)table->key_max - (uint64_t)table->key_min) + 1;
        table->kind = BR_TABLE_DIRECT;
        BR_TRY(try_unique(table, arena, span, err));
        return table->kind == BR_TABLE_UNIQUE ? BR_OK : make_buckets(table, arena, span, err);
    }
    table->kind = BR_TABLE_HASHED;
    if (is_int) {
        uint64_t *nulls = table->nulls;
        BR_TRY(find_nulls(table, arena, true, err));
        table->nulls = nulls;
    }
    uint32_t bits = 1;
    while (bits < 31 && 1u << bits < table->rows.row_count) bits++;
    table->bucket_shift = 64 - bits;
    return make_buckets(table, arena, 1u << bits, err);
}

br_status br_join_table_track(br_join_table *table, br_error *err)
{
    br_arena *arena = br_memory_arena(table->memory, 0);
    if (arena == NULL) return no_memory(table, err);
    table->matched = br_arena_zalloc(arena, (size_t)table->rows.row_count + 1, 64);
    return table->matched == NULL ? no_memory(table, err) : BR_OK;
}

// ---- looking up ------------------------------------------------------------------------------

static void find_entries(const br_join_table *table, const br_join_probe *probe,
                         const uint64_t *buckets)
{
    const uint64_t none = UINT64_MAX;
    for (uint32_t i = 0; i < probe->row_count; i++) {
        if (i + PREFETCH_ROWS < probe->row_count && buckets[i + PREFETCH_ROWS] != none)
            __builtin_prefetch(&table->offsets[buckets[i + PREFETCH_ROWS]]);
        bool is_none = buckets[i] == none ||
                       (probe->nulls != NULL && br_bitmap_get(probe->nulls, i));
        probe->cursors[i] = is_none ? 0 : table->offsets[buckets[i]];
        probe->ends[i] = is_none ? 0 : table->offsets[buckets[i] + 1];
    }
}

// Keys as integers; UINT64_MAX for those that no integer in the table's range is equal to.
static void direct_buckets(const br_join_table *table, const br_join_probe *probe,
                           br_arena *scratch, uint64_t *buckets)
{
    const br_vector *key = &probe->keys[0];
    uint64_t least = (uint64_t)table->key_min, span = (uint64_t)table->key_max - least;
    if (key->class_ == BR_INT && key->kind == BR_VECTOR_FLAT) {
        for (uint32_t i = 0; i < probe->row_count; i++) {
            uint64_t bucket = (uint64_t)key->i64[i] - least;
            buckets[i] = bucket <= span ? bucket : UINT64_MAX;
        }
        return;
    }
    for (uint32_t i = 0; i < probe->row_count; i++) {
        br_value value = br_vector_value(key, i, scratch);
        buckets[i] = UINT64_MAX;
        if (value.class_ == BR_REAL && value.f64 >= -9223372036854775808.0 &&
            value.f64 < 9223372036854775808.0 &&
            br_int_real_compare((int64_t)value.f64, value.f64) == 0)
            value = br_value_int((int64_t)value.f64);
        if (value.class_ == BR_INT && (uint64_t)value.i64 - least <= span)
            buckets[i] = (uint64_t)value.i64 - least;
    }
}

br_status br_join_table_look(const br_join_table *table, const br_hash_context *context,
                             const br_join_probe *probe, br_arena *scratch, br_error *err)
{
    uint64_t buckets[BR_BATCH_ROWS];
    if (table->kind == BR_TABLE_ALL) {
        for (uint32_t i = 0; i < probe->row_count; i++) {
            probe->cursors[i] = 0;
            probe->ends[i] = table->rows.row_count;
        }
        return BR_OK;
    }
    if (table->kind == BR_TABLE_HASHED) {
        BR_TRY(br_keys_hash(context, probe->keys, table->collations, table->key_count,
                            probe->row_count, buckets, err));
        for (uint32_t i = 0; i < probe->row_count; i++) {
            probe->tags[i] = (uint32_t)buckets[i];
            buckets[i] >>= table->bucket_shift;
        }
        find_entries(table, probe, buckets);
        return BR_OK;
    }
    direct_buckets(table, probe, scratch, buckets);
    if (table->kind == BR_TABLE_DIRECT) {
        find_entries(table, probe, buckets);
        return BR_OK;
    }
    // UNIQUE: the "entry" is the row itself.
    for (uint32_t i = 0; i < probe->row_count; i++) {
        if (i + PREFETCH_ROWS < probe->row_count && buckets[i + PREFETCH_ROWS] != UINT64_MAX)
            __builtin_prefetch(&table->heads[buckets[i + PREFETCH_ROWS]]);
        bool is_none = buckets[i] == UINT64_MAX ||
                       (probe->nulls != NULL && br_bitmap_get(probe->nulls, i));
        uint32_t head = is_none ? 0 : table->heads[buckets[i]];
        probe->ends[i] = head;
        probe->cursors[i] = head == 0 ? 0 : head - 1;
    }
    return BR_OK;
}

br_status br_join_table_verify(const br_join_table *table, const br_vector *probe_keys,
                               const br_key_pairs *pairs, br_arena *scratch, bool *differ_out,
                               br_error *err)
{
    *differ_out = false;
    if (table->kind != BR_TABLE_HASHED) return BR_OK;
    for (uint32_t k = 0; k < table->key_count; k++) {
        bool differs;
        BR_TRY(br_keys_compare(table->run, &probe_keys[k], &table->keys[k], table->collations[k],
                               pairs, scratch, &differs, err));
        *differ_out |= differs;
    }
    return BR_OK;
}
