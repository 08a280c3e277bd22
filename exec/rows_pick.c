// rows_pick.c - stored rows as whole columns, and picking rows of them by number.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/rows.h"

typedef struct build_job {
    br_run *run;
    const br_batches *batches;
    const br_keep *keep;
    br_rows *rows;
} build_job;

// Class and kind that hold the column of every batch.
static void unify(const br_batches *batches, uint32_t column, br_vector *out, bool *has_nulls)
{
    unsigned mask = 0, kinds = 0;
    *has_nulls = false;
    for (uint32_t i = 0; i < batches->batch_count; i++) {
        const br_vector *vector = &batches->batches[i].columns[column];
        if (vector->class_ == BR_NULL || vector->validity != NULL) *has_nulls = true;
        if (vector->class_ == BR_NULL) continue;
        mask |= 1u << vector->class_;
        kinds |= 1u << vector->kind;
    }
    bool is_single = (mask & (mask - 1)) == 0;
    out->class_ = (uint8_t)(mask == 0 ? BR_NULL : is_single ? __builtin_ctz(mask) : BR_ANY);
    out->kind = BR_VECTOR_FLAT;
    if (mask == 0) out->kind = BR_VECTOR_CONST;
    else if (is_single && (kinds & (kinds - 1)) == 0) out->kind = (uint8_t)__builtin_ctz(kinds);
}

static void set_bits(uint64_t *bits, uint64_t at, const uint64_t *in, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bit = in == NULL || br_bitmap_get(in, i);
        bits[(at + i) >> 6] |= bit << ((at + i) & 63);
    }
}

static br_status copy_batch(const build_job *job, const br_vector *vector, uint32_t count,
                            const br_vector *to, br_arena *bytes, void *items, br_error *err)
{
    size_t item_bytes = br_item_bytes(to->class_, to->kind);
    br_vector from = *vector;
    if (vector->class_ == BR_NULL) {
        memset(items, 0, count * item_bytes);
        return BR_OK;
    }
    if (to->class_ == BR_ANY && vector->class_ != BR_ANY) {
        BR_TRY(br_vector_to_any(vector, count, bytes, &from, err));
    } else if (vector->kind != to->kind) {
        BR_TRY(br_vector_flatten(vector, count, bytes, &from, err));
    }
    memcpy(items, from.data, count * item_bytes);
    if (br_arena_failed(bytes)) return br_run_no_memory(job->run, "stored rows", err);
    return BR_OK;
}

static br_status build_column(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    build_job *job = context;
    br_vector *to = &job->rows->columns[index];
    br_arena *arena = br_memory_arena(job->keep->rows, worker);
    br_arena *bytes = br_memory_arena(job->keep->bytes, worker);
    bool has_nulls;
    *to = (br_vector){0};
    unify(job->batches, index, to, &has_nulls);
    if (to->class_ == BR_NULL) return BR_OK;
    size_t item_bytes = br_item_bytes(to->class_, to->kind);
    if (arena == NULL || bytes == NULL)
        return br_run_no_memory(job->run, "stored rows", err);
    char *items = br_arena_alloc(arena, job->rows->row_count * item_bytes, 64);
    uint64_t *bits = NULL;
    if (has_nulls && to->class_ != BR_ANY)
        bits = BR_ALLOC(arena, uint64_t, br_bitmap_words(job->rows->row_count));
    if (items == NULL || (bits == NULL && has_nulls && to->class_ != BR_ANY))
        return br_run_no_memory(job->run, "stored rows", err);
    uint64_t at = 0;
    for (uint32_t i = 0; i < job->batches->batch_count; i++) {
        const br_batch *batch = &job->batches->batches[i];
        const br_vector *vector = &batch->columns[index];
        BR_TRY(copy_batch(job, vector, batch->row_count, to, bytes, items + at * item_bytes, err));
        if (bits != NULL && vector->class_ != BR_NULL)
            set_bits(bits, at, vector->validity, batch->row_count);
        at += batch->row_count;
    }
    to->data = items;
    to->validity = bits;
    return BR_OK;
}

static br_status make_rows(br_run *run, const br_batches *batches, br_arena *arena,
                           br_rows *rows_out, br_error *err)
{
    if (batches->row_count >= BR_ROW_NONE)
        return br_fail(err, BR_UNSUPPORTED, "an operator would have to keep 2^32 rows");
    if (arena == NULL) return br_run_no_memory(run, "stored rows", err);
    *rows_out = (br_rows){.column_count = batches->column_count,
                          .row_count = (uint32_t)batches->row_count,
                          .columns = BR_ALLOC(arena, br_vector, batches->column_count)};
    return rows_out->columns == NULL ? br_run_no_memory(run, "stored rows", err) : BR_OK;
}

br_status br_rows_build(br_run *run, const br_batches *batches, const br_keep *keep,
                        br_rows *rows_out, br_error *err)
{
    BR_TRY(make_rows(run, batches, br_memory_arena(keep->rows, 0), rows_out, err));
    build_job job = {.run = run, .batches = batches, .keep = keep, .rows = rows_out};
    return br_run_tasks(run, rows_out->column_count, build_column, &job, err);
}

br_status br_rows_build_alone(br_run *run, const br_batches *batches, const br_keep *keep,
                              uint32_t worker, br_rows *rows_out, br_error *err)
{
    BR_TRY(make_rows(run, batches, br_memory_arena(keep->rows, worker), rows_out, err));
    build_job job = {.run = run, .batches = batches, .keep = keep, .rows = rows_out};
    for (uint32_t i = 0; i < rows_out->column_count; i++) {
        BR_TRY(build_column(&job, worker, i, err));
    }
    return BR_OK;
}

br_vector br_vector_slice(const br_vector *vector, uint32_t first)
{
    br_assert(first % 64 == 0);
    br_vector slice = *vector;
    if (vector->kind == BR_VECTOR_CONST) return slice;
    size_t item_bytes = vector->kind == BR_VECTOR_DICT
                            ? sizeof(uint32_t)
                            : br_item_bytes(vector->class_, vector->kind);
    slice.data = (const char *)vector->data + first * item_bytes;
    if (vector->validity != NULL) slice.validity = vector->validity + first / 64;
    return slice;
}

// ---- picking ---------------------------------------------------------------------------------

static void pick_words(const uint64_t *items, const uint32_t *rows, uint32_t count, uint64_t *out)
{
    for (uint32_t i = 0; i < count; i++) out[i] = items[rows[i]];
}

static void pick_items(const br_vector *column, const uint32_t *rows, uint32_t count, void *out)
{
    switch (br_item_bytes(column->class_, column->kind)) {
    case sizeof(uint64_t): pick_words(column->data, rows, count, out); break;
    case sizeof(br_text): {
        br_text *texts = out;
        for (uint32_t i = 0; i < count; i++) texts[i] = column->text[rows[i]];
        break;
    }
    default: {
        br_value *values = out;
        for (uint32_t i = 0; i < count; i++) values[i] = column->any[rows[i]];
        break;
    }
    }
}

// Rows that may be missing: row 0 stands in for them; the validity says so.
static br_status pick_validity(const br_run *run, const br_vector *column, const uint32_t *rows,
                               uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    uint64_t *bits = BR_ALLOC(arena, uint64_t, br_bitmap_words(count));
    if (bits == NULL) return br_run_no_memory(run, "a batch", err);
    for (uint32_t i = 0; i < count; i++) {
        bool is_valid = rows[i] != BR_ROW_NONE &&
                        (column->validity == NULL || br_bitmap_get(column->validity, rows[i]));
        bits[i >> 6] |= (uint64_t)is_valid << (i & 63);
    }
    out->validity = bits;
    return BR_OK;
}

static br_status pick_some(const br_run *run, const br_vector *column, const uint32_t *rows,
                           uint32_t count, br_arena *arena, void *items, br_error *err)
{
    uint32_t *present = BR_ALLOC(arena, uint32_t, count);
    if (present == NULL) return br_run_no_memory(run, "a batch", err);
    uint32_t some = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == BR_ROW_NONE) continue;
        present[i] = rows[i];
        some++;
    }
    uint32_t item_bytes = br_item_bytes(column->class_, column->kind);
    if (some > 0) pick_items(column, present, count, items);
    else memset(items, 0, (size_t)count * item_bytes);
    if (column->class_ != BR_ANY) return BR_OK;
    br_value *values = items;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == BR_ROW_NONE) values[i] = br_value_null();
    }
    return BR_OK;
}

br_status br_column_pick(const br_run *run, const br_vector *column, const uint32_t *rows,
                         uint32_t count, bool has_none, br_arena *arena, br_vector *out,
                         br_error *err)
{
    if (column->class_ == BR_NULL || count == 0) {
        *out = br_vector_null();
        return BR_OK;
    }
    br_vector result = {.class_ = column->class_, .kind = column->kind};
    uint32_t item_bytes = br_item_bytes(column->class_, column->kind);
    void *items = br_arena_alloc(arena, (size_t)count * item_bytes, 64);
    if (items == NULL) return br_run_no_memory(run, "a batch", err);
    if (has_none) BR_TRY(pick_some(run, column, rows, count, arena, items, err));
    else pick_items(column, rows, count, items);
    result.data = items;
    if (column->class_ != BR_ANY && (has_none || column->validity != NULL))
        BR_TRY(pick_validity(run, column, rows, count, arena, &result, err));
    *out = result;
    return BR_OK;
}

// ---- rows in a given order -------------------------------------------------------------------

typedef struct order_job {
    br_run *run;
    const br_rows *rows;
    uint32_t column_count;
    const uint32_t *order;
    uint64_t count;
    br_memory *memory;
    br_batch *batches;
} order_job;

// The input's bytes go with the sort; the rows in order keep their own.
static br_status keep_picked_bytes(const br_run *run, br_vector *vector, uint32_t count,
                                   br_arena *arena, br_error *err)
{
    bool is_text = vector->class_ == BR_TEXT || vector->class_ == BR_BLOB;
    if (!is_text && vector->class_ != BR_ANY) return BR_OK;
    if (br_is_time_kind(vector->kind)) return BR_OK;
    uint32_t size = vector->kind == BR_VECTOR_CONST ? 1 : count;
    for (uint32_t i = 0; i < size; i++) {
        // The arrays are this batch's own: br_column_pick has just made them.
        br_value *value = is_text ? NULL : (br_value *)(uintptr_t)&vector->any[i];
        if (value != NULL && value->class_ != BR_TEXT && value->class_ != BR_BLOB) continue;
        br_text *text = value != NULL ? &value->text : (br_text *)(uintptr_t)&vector->text[i];
        if (is_text && br_vector_is_null(vector, i)) continue;
        const char *bytes = br_arena_copy_text(arena, text->data, text->size);
        if (bytes == NULL) return br_run_no_memory(run, "sorted rows", err);
        text->data = bytes;
    }
    return BR_OK;
}

static br_status order_batch(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    order_job *job = context;
    br_arena *arena = br_memory_arena(job->memory, worker);
    if (arena == NULL) return br_run_no_memory(job->run, "sorted rows", err);
    uint64_t first = (uint64_t)index * BR_BATCH_ROWS;
    uint64_t left = job->count - first;
    br_batch batch = {.row_count = left < BR_BATCH_ROWS ? (uint32_t)left : BR_BATCH_ROWS,
                      .column_count = job->column_count};
    batch.columns = BR_ALLOC(arena, br_vector, job->column_count);
    if (batch.columns == NULL) return br_run_no_memory(job->run, "sorted rows", err);
    for (uint32_t i = 0; i < job->column_count; i++) {
        BR_TRY(br_column_pick(job->run, &job->rows->columns[i], job->order + first,
                              batch.row_count, false, arena, &batch.columns[i], err));
        BR_TRY(keep_picked_bytes(job->run, &batch.columns[i], batch.row_count, arena, err));
    }
    job->batches[index] = batch;
    return BR_OK;
}

br_status br_rows_ordered(br_run *run, const br_rows *rows, uint32_t column_count,
                          const uint32_t *order, uint64_t count, br_memory *memory,
                          br_batches *batches_out, br_error *err)
{
    br_arena *arena = br_memory_arena(memory, 0);
    uint32_t batch_count = (uint32_t)((count + BR_BATCH_ROWS - 1) / BR_BATCH_ROWS);
    if (arena == NULL) return br_run_no_memory(run, "sorted rows", err);
    order_job job = {.run = run,
                     .rows = rows,
                     .column_count = column_count,
                     .order = order,
                     .count = count,
                     .memory = memory,
                     .batches = BR_ALLOC(arena, br_batch, batch_count)};
    if (job.batches == NULL) return br_run_no_memory(run, "sorted rows", err);
    BR_TRY(br_run_tasks(run, batch_count, order_batch, &job, err));
    *batches_out = (br_batches){.column_count = column_count,
                                .batch_count = batch_count,
                                .row_count = count,
                                .batches = job.batches};
    return BR_OK;
}
