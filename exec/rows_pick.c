// rows_pick.c - stored rows as whole columns, and picking rows of them by number.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/rows.h"

enum {
    BATCHES_PER_TASK = 16,
    ROWS_PER_TASK = 16 * BR_BATCH_ROWS,
};

typedef struct build_job {
    br_run *run;
    const br_batches *batches;
    const br_keep *keep;
    br_rows *rows;
    uint32_t *firsts;  // rows of the batches
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

// Room for the column, of the class that holds it.
static br_status shape_column(const build_job *job, br_arena *arena, uint32_t index, br_error *err)
{
    br_vector *to = &job->rows->columns[index];
    bool has_nulls;
    *to = (br_vector){0};
    unify(job->batches, index, to, &has_nulls);
    if (to->class_ == BR_NULL) return BR_OK;
    size_t item_bytes = br_item_bytes(to->class_, to->kind);
    bool has_bits = has_nulls && to->class_ != BR_ANY;
    to->data = br_arena_alloc(arena, job->rows->row_count * item_bytes, 64);
    if (has_bits) to->validity = BR_ALLOC(arena, uint64_t, br_bitmap_words(job->rows->row_count));
    if (to->data == NULL || (has_bits && to->validity == NULL))
        return br_run_no_memory(job->run, "stored rows", err);
    return BR_OK;
}

// Copies the values of batches first..end-1.
static br_status copy_batches(const build_job *job, uint32_t worker, uint32_t first, uint32_t end,
                              br_error *err)
{
    br_arena *bytes = br_memory_arena(job->keep->bytes, worker);
    if (bytes == NULL) return br_run_no_memory(job->run, "stored rows", err);
    BR_TRY(br_run_poll(job->run, err));
    for (uint32_t i = first; i < end; i++) {
        const br_batch *batch = &job->batches->batches[i];
        for (uint32_t k = 0; k < job->rows->column_count; k++) {
            const br_vector *to = &job->rows->columns[k];
            if (to->class_ == BR_NULL) continue;
            // The array is ours: shape_column has made it.
            char *items = (char *)(uintptr_t)to->data +
                          (size_t)job->firsts[i] * br_item_bytes(to->class_, to->kind);
            BR_TRY(copy_batch(job, &batch->columns[k], batch->row_count, to, bytes, items, err));
        }
    }
    return BR_OK;
}

static br_status copy_task(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    const build_job *job = context;
    uint32_t first = index * BATCHES_PER_TASK, left = job->batches->batch_count - first;
    uint32_t count = left < BATCHES_PER_TASK ? left : BATCHES_PER_TASK;
    return copy_batches(job, worker, first, first + count, err);
}

// Batches may share words of a bitmap: one worker for each column.
static br_status copy_validity(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const build_job *job = context;
    uint64_t *bits = (uint64_t *)(uintptr_t)job->rows->columns[index].validity;
    for (uint32_t i = 0; bits != NULL && i < job->batches->batch_count; i++) {
        const br_batch *batch = &job->batches->batches[i];
        const br_vector *vector = &batch->columns[index];
        if (vector->class_ != BR_NULL)
            br_bitmap_append(bits, job->firsts[i], vector->validity, batch->row_count);
    }
    return br_run_poll(job->run, err);
}

static br_status make_rows(build_job *job, br_arena *arena, br_error *err)
{
    const br_batches *batches = job->batches;
    br_rows *rows = job->rows;
    if (batches->row_count >= BR_ROW_NONE)
        return br_fail(err, BR_UNSUPPORTED, "an operator would have to keep 2^32 rows");
    if (arena == NULL) return br_run_no_memory(job->run, "stored rows", err);
    *rows = (br_rows){.column_count = batches->column_count,
                      .row_count = (uint32_t)batches->row_count,
                      .columns = BR_ALLOC(arena, br_vector, batches->column_count)};
    job->firsts = BR_ALLOC(arena, uint32_t, batches->batch_count);
    if (rows->columns == NULL || job->firsts == NULL)
        return br_run_no_memory(job->run, "stored rows", err);
    for (uint32_t i = 1; i < batches->batch_count; i++)
        job->firsts[i] = job->firsts[i - 1] + batches->batches[i - 1].row_count;
    for (uint32_t k = 0; k < rows->column_count; k++) BR_TRY(shape_column(job, arena, k, err));
    return BR_OK;
}

br_status br_rows_build(br_run *run, const br_batches *batches, const br_keep *keep,
                        br_rows *rows_out, br_error *err)
{
    build_job job = {.run = run, .batches = batches, .keep = keep, .rows = rows_out};
    uint32_t task_count = (batches->batch_count + BATCHES_PER_TASK - 1) / BATCHES_PER_TASK;
    BR_TRY(make_rows(&job, br_memory_arena(keep->rows, 0), err));
    BR_TRY(br_run_tasks(run, task_count, copy_task, &job, err));
    return br_run_tasks(run, rows_out->column_count, copy_validity, &job, err);
}

br_status br_rows_build_alone(br_run *run, const br_batches *batches, const br_keep *keep,
                              uint32_t worker, br_rows *rows_out, br_error *err)
{
    build_job job = {.run = run, .batches = batches, .keep = keep, .rows = rows_out};
    BR_TRY(make_rows(&job, br_memory_arena(keep->rows, worker), err));
    BR_TRY(copy_batches(&job, worker, 0, batches->batch_count, err));
    for (uint32_t k = 0; k < rows_out->column_count; k++)
        BR_TRY(copy_validity(&job, worker, k, err));
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

// ---- whole columns ---------------------------------------------------------------------------

typedef struct pick_job {
    br_run *run;
    const br_rows *rows;
    const uint32_t *order;
    br_vector *columns;  // BR_NULL: nothing to do
} pick_job;

static void pick_bits(const uint64_t *in, const uint32_t *rows, uint32_t count, uint64_t *out)
{
    for (uint32_t i = 0; i < count; i++)
        out[i >> 6] |= (uint64_t)br_bitmap_get(in, rows[i]) << (i & 63);
}

// Tasks begin at multiples of 64 rows: they have no words of bitmaps in common.
static br_status pick_part(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const pick_job *job = context;
    uint32_t first = index * ROWS_PER_TASK, left = job->rows->row_count - first;
    uint32_t count = left < ROWS_PER_TASK ? left : ROWS_PER_TASK;
    BR_TRY(br_run_poll(job->run, err));
    for (uint32_t k = 0; k < job->rows->column_count; k++) {
        const br_vector *from = &job->rows->columns[k], *to = &job->columns[k];
        if (to->class_ == BR_NULL) continue;
        char *items = (char *)(uintptr_t)to->data;
        pick_items(from, job->order + first, count,
                   items + (size_t)first * br_item_bytes(to->class_, to->kind));
        if (to->validity != NULL)
            pick_bits(from->validity, job->order + first, count,
                      (uint64_t *)(uintptr_t)to->validity + first / 64);
    }
    return BR_OK;
}

br_status br_rows_pick(br_run *run, const br_rows *rows, const bool *is_wanted,
                       const uint32_t *order, br_memory *memory, br_vector *columns_out,
                       br_error *err)
{
    br_arena *arena = br_memory_arena(memory, 0);
    if (arena == NULL) return br_run_no_memory(run, "stored rows", err);
    for (uint32_t k = 0; k < rows->column_count; k++) {
        br_vector *to = &columns_out[k];
        const br_vector *from = &rows->columns[k];
        *to = br_vector_null();
        if (!is_wanted[k] || from->class_ == BR_NULL || rows->row_count == 0) continue;
        *to = (br_vector){.class_ = from->class_, .kind = from->kind};
        size_t item_bytes = br_item_bytes(to->class_, to->kind);
        to->data = br_arena_alloc(arena, rows->row_count * item_bytes, 64);
        if (from->validity != NULL)
            to->validity = BR_ALLOC(arena, uint64_t, br_bitmap_words(rows->row_count));
        if (to->data == NULL || (from->validity != NULL && to->validity == NULL))
            return br_run_no_memory(run, "stored rows", err);
    }
    pick_job job = {.run = run, .rows = rows, .order = order, .columns = columns_out};
    uint32_t task_count = rows->row_count / ROWS_PER_TASK + (rows->row_count % ROWS_PER_TASK > 0);
    return br_run_tasks(run, task_count, pick_part, &job, err);
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

// Copies the bytes of a column's texts, all into one place.
static br_status keep_texts(const br_run *run, br_vector *vector, uint32_t count, br_arena *arena,
                            br_error *err)
{
    br_text *texts = (br_text *)(uintptr_t)vector->text;  // br_column_pick has just made them
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (br_vector_is_null(vector, i)) texts[i] = br_text_make("", 0);
        total += texts[i].size;
    }
    char *bytes = br_arena_alloc(arena, total, 1);
    if (bytes == NULL) return br_run_no_memory(run, "sorted rows", err);
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i].size > 0) memcpy(bytes, texts[i].data, texts[i].size);
        texts[i].data = bytes;
        bytes += texts[i].size;
    }
    return BR_OK;
}

// The input's bytes go with the sort; the rows in order keep their own.
static br_status keep_picked_bytes(const br_run *run, br_vector *vector, uint32_t count,
                                   br_arena *arena, br_error *err)
{
    bool is_text = vector->class_ == BR_TEXT || vector->class_ == BR_BLOB;
    if (br_is_time_kind(vector->kind)) return BR_OK;
    if (is_text) return keep_texts(run, vector, count, arena, err);
    for (uint32_t i = 0; vector->class_ == BR_ANY && i < count; i++) {
        br_value *value = (br_value *)(uintptr_t)&vector->any[i];  // just made, too
        if (value->class_ != BR_TEXT && value->class_ != BR_BLOB) continue;
        value->text.data = br_arena_copy_text(arena, value->text.data, value->text.size);
        if (value->text.data == NULL) return br_run_no_memory(run, "sorted rows", err);
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
