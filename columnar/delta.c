// delta.c - appending rows in memory and finding them by key.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/delta.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/heap.h"

enum { INDEX_CAPACITY_MIN = 1024 };

br_status br_delta_new(uint32_t column_count, br_quota *quota, br_delta **delta_out, br_error *err)
{
    br_delta *delta = br_heap_zalloc(sizeof *delta);
    if (delta == NULL) return br_fail(err, BR_NOMEM, "no memory for a delta");
    atomic_init(&delta->refs, 1);
    delta->column_count = column_count;
    delta->quota = quota;
    delta->is_ascending = true;
    delta->live_key_max = INT64_MIN;
    delta->stats = br_heap_array(column_count, sizeof *delta->stats);
    if (delta->stats == NULL) {
        br_heap_free(delta);
        return br_fail(err, BR_NOMEM, "no memory for a delta");
    }
    for (uint32_t i = 0; i < column_count; i++) br_zone_stats_init(&delta->stats[i]);
    *delta_out = delta;
    return BR_OK;
}

br_delta *br_delta_acquire(br_delta *delta)
{
    // Relaxed: whoever acquires already holds a reference.
    if (delta != NULL) atomic_fetch_add_explicit(&delta->refs, 1, memory_order_relaxed);
    return delta;
}

static void chunk_free(br_delta_chunk *chunk, uint32_t column_count)
{
    if (chunk == NULL) return;
    for (uint32_t i = 0; i < column_count; i++) br_column_release(&chunk->columns[i]);
    br_heap_free(chunk);
}

static void index_release(br_delta *delta)
{
    br_delta_index *index = &delta->index;
    br_quota_give(delta->quota, index->capacity * (sizeof *index->keys + sizeof *index->rows));
    br_heap_free(index->keys);
    br_heap_free(index->rows);
    *index = (br_delta_index){0};
}

void br_delta_drop(br_delta *delta)
{
    // Release pairs with acquire of the last dropper: all uses happen before the free.
    if (delta == NULL || atomic_fetch_sub_explicit(&delta->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < BR_DELTA_CHUNKS_MAX && delta->chunks[i] != NULL; i++)
        chunk_free(delta->chunks[i], delta->column_count);
    index_release(delta);
    br_heap_free(delta->stats);
    br_heap_free(delta);
}

// ---- appending -------------------------------------------------------------------------------

static br_status chunk_new(br_delta *delta, br_delta_chunk **chunk_out, br_error *err)
{
    br_delta_chunk *chunk =
        br_heap_zalloc(sizeof *chunk + delta->column_count * sizeof(br_column));
    if (chunk == NULL) return br_fail(err, BR_NOMEM, "no memory for a delta");
    chunk->key_max = INT64_MIN;
    for (uint32_t i = 0; i < delta->column_count; i++) {
        br_status status = br_column_init(&chunk->columns[i], delta->quota, err);
        if (status == BR_OK) continue;
        chunk_free(chunk, delta->column_count);
        return status;
    }
    *chunk_out = chunk;
    return BR_OK;
}

static void stats_add_text(br_zone_stats *stats, br_text text, bool is_first)
{
    uint64_t bound = br_text_bound(text);
    if (is_first || bound < stats->text_min) stats->text_min = bound;
    if (is_first || bound > stats->text_max) stats->text_max = bound;
}

static void stats_add(br_zone_stats *stats, const br_value *value)
{
    bool is_first = (stats->class_mask >> value->class_ & 1) == 0;
    stats->class_mask |= (uint8_t)(1u << value->class_);
    stats->row_count++;
    switch (value->class_) {
    case BR_NULL: stats->null_count++; break;
    case BR_INT:
        if (is_first || value->i64 < stats->int_min) stats->int_min = value->i64;
        if (is_first || value->i64 > stats->int_max) stats->int_max = value->i64;
        break;
    case BR_REAL:
        if (is_first || value->f64 < stats->real_min) stats->real_min = value->f64;
        if (is_first || value->f64 > stats->real_max) stats->real_max = value->f64;
        break;
    case BR_TEXT: stats_add_text(stats, value->text, is_first); break;
    default: break;
    }
}

// Takes the last row of a column back, whatever its arena keeps.
static void column_pop(br_column *column)
{
    br_assert(column->row_count > 0);
    column->text_bytes -= column->sizes[--column->row_count];
}

br_status br_delta_append(br_delta *delta, int64_t key, const br_value *values, br_error *err)
{
    uint32_t chunk_index = delta->row_count / BR_CHUNK_ROWS;
    if (chunk_index == BR_DELTA_CHUNKS_MAX)
        return br_fail(err, BR_NOMEM, "a delta of %u rows is full until the next checkpoint",
                       delta->row_count);
    br_delta_chunk *chunk = delta->chunks[chunk_index];
    if (chunk == NULL) {
        BR_TRY(chunk_new(delta, &chunk, err));
        delta->chunks[chunk_index] = chunk;
    }
    br_value key_value = br_value_int(key);
    uint32_t key_column = delta->column_count - 1;
    for (uint32_t i = 0; i <= key_column; i++) {
        const br_value *value = i == key_column ? &key_value : &values[i];
        br_status status = br_column_append(&chunk->columns[i], value, err);
        if (status == BR_OK) continue;
        while (i > 0) column_pop(&chunk->columns[--i]);
        return status;
    }
    bool is_first = delta->row_count == 0;
    if (!is_first && key <= delta->stats[key_column].int_max) delta->is_ascending = false;
    for (uint32_t i = 0; i < key_column; i++) stats_add(&delta->stats[i], &values[i]);
    stats_add(&delta->stats[key_column], &key_value);
    if (key > delta->live_key_max) delta->live_key_max = key;
    if (key > chunk->key_max) chunk->key_max = key;
    delta->row_count++;
    return BR_OK;
}

void br_delta_truncate(br_delta *delta, uint32_t row_count, const br_zone_stats *stats)
{
    br_assert(row_count <= delta->row_count);
    for (uint32_t chunk = row_count / BR_CHUNK_ROWS; chunk < br_delta_chunks(delta->row_count);
         chunk++) {
        uint32_t keep = chunk == row_count / BR_CHUNK_ROWS ? row_count % BR_CHUNK_ROWS : 0;
        for (uint32_t i = 0; i < delta->column_count; i++) {
            br_column *column = &delta->chunks[chunk]->columns[i];
            while (column->row_count > keep) column_pop(column);
        }
    }
    delta->row_count = row_count;
    memcpy(delta->stats, stats, delta->column_count * sizeof *stats);
    // Deletes are taken back with the appends: only the bound of all keys is safe again.
    delta->live_key_max = row_count == 0 ? INT64_MIN : stats[delta->column_count - 1].int_max;
    index_release(delta);
}

uint64_t br_delta_column_bytes(const br_delta *delta, uint32_t column, uint32_t row_count)
{
    uint64_t total = 0;
    for (uint32_t chunk = 0; chunk < br_delta_chunks(row_count); chunk++) {
        const br_column *values = br_delta_column(delta, chunk, column);
        uint32_t rows = br_delta_chunk_rows(row_count, chunk);
        for (uint32_t row = 0; row < rows; row++) {
            uint8_t class_ = values->classes[row];
            bool is_number = class_ == BR_INT || class_ == BR_REAL;
            total += is_number ? sizeof(int64_t) : values->sizes[row];
        }
    }
    return total;
}

// ---- finding ---------------------------------------------------------------------------------

// The slot of a key, or the empty one where it belongs.
static size_t index_slot(const br_delta_index *index, int64_t key)
{
    size_t slot = br_hash_u64((uint64_t)key) & (index->capacity - 1);
    while (index->rows[slot] != 0 && index->keys[slot] != key)
        slot = (slot + 1) & (index->capacity - 1);
    return slot;
}

static void index_put(br_delta_index *index, int64_t key, uint32_t row)
{
    size_t slot = index_slot(index, key);
    index->used += index->rows[slot] == 0;
    index->keys[slot] = key;
    index->rows[slot] = row + 1;
}

// Makes room for `row_count` keys at a load of a half at most.
static br_status index_reserve(br_delta *delta, uint32_t row_count, br_error *err)
{
    br_delta_index *index = &delta->index;
    size_t capacity = index->capacity == 0 ? INDEX_CAPACITY_MIN : index->capacity;
    while (capacity < (size_t)row_count * 2) capacity *= 2;
    if (capacity == index->capacity) return BR_OK;
    br_delta_index larger = {.capacity = capacity, .row_count = index->row_count};
    size_t size_bytes = capacity * (sizeof *larger.keys + sizeof *larger.rows);
    if (!br_quota_take(delta->quota, size_bytes))
        return br_fail(err, BR_NOMEM, "no memory for an index of %u rows", row_count);
    larger.keys = br_heap_array(capacity, sizeof *larger.keys);
    larger.rows = br_heap_array(capacity, sizeof *larger.rows);
    if (larger.keys == NULL || larger.rows == NULL) {
        br_heap_free(larger.keys);
        br_heap_free(larger.rows);
        br_quota_give(delta->quota, size_bytes);
        return br_fail(err, BR_NOMEM, "no memory for an index of %u rows", row_count);
    }
    for (size_t i = 0; i < index->capacity; i++) {
        if (index->rows[i] != 0) index_put(&larger, index->keys[i], index->rows[i] - 1);
    }
    index_release(delta);
    *index = larger;
    return BR_OK;
}

static br_status index_catch_up(br_delta *delta, br_error *err)
{
    br_delta_index *index = &delta->index;
    uint32_t missing = delta->row_count - index->row_count;
    if (missing == 0) return BR_OK;
    BR_TRY(index_reserve(delta, index->used + missing, err));
    for (uint32_t row = index->row_count; row < delta->row_count; row++)
        index_put(index, br_delta_key(delta, row), row);
    index->row_count = delta->row_count;
    return BR_OK;
}

static bool find_ascending(const br_delta *delta, int64_t key, uint32_t *row_out)
{
    uint32_t low = 0, high = delta->row_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (br_delta_key(delta, middle) < key) low = middle + 1;
        else high = middle;
    }
    *row_out = low;
    return low < delta->row_count && br_delta_key(delta, low) == key;
}

br_status br_delta_find(br_delta *delta, int64_t key, uint32_t *row_out, bool *found_out,
                        br_error *err)
{
    const br_zone_stats *keys = &delta->stats[delta->column_count - 1];
    *found_out = false;
    if (delta->row_count == 0 || key < keys->int_min || key > keys->int_max) return BR_OK;
    if (delta->is_ascending) {
        *found_out = find_ascending(delta, key, row_out);
        return BR_OK;
    }
    BR_TRY(index_catch_up(delta, err));
    size_t slot = index_slot(&delta->index, key);
    if (delta->index.rows[slot] == 0) return BR_OK;
    *row_out = delta->index.rows[slot] - 1;
    *found_out = true;
    return BR_OK;
}
