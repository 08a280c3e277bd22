// rows.c - collecting batches: rows of small batches are put together, bytes are copied.
// SPDX-License-Identifier: Apache-2.0
#include "exec/rows.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "exec/spill.h"

enum {
    // Copies of dictionary entries are shared between rows up to this size of a dictionary: the
    // table of copies must not cost more than the rows.
    SHARED_ENTRIES_MAX = 8192,
    WHOLE_ROWS_MIN = BR_BATCH_ROWS / 2,
    TRIM_BYTES_MIN = 1 << 20,  // less is not worth asking the C library for
};

// Rows of one column that are not stored yet.
typedef struct builder {
    uint8_t class_, kind;  // BR_NULL: only NULLs so far
    bool has_nulls;
    void *items;
    uint32_t item_capacity_bytes;  // per row
    uint64_t *validity;
    uint64_t dictionary_id;  // whose entries `copies` are; 0: none
    br_text *copies;         // data NULL: not copied yet
    uint32_t copy_capacity;
} builder;

struct br_collector {
    br_run *run;
    uint32_t worker;
    bool may_go;  // to disk
    br_arena *arena, *keep, *bytes, *index;
    br_arena_mark keep_mark, bytes_mark;  // what the collector found there
    br_kept_batch *in_memory;             // in no order
    uint32_t column_count;
    uint32_t open_rows;
    builder *builders;
    br_batch_list list;
};

static br_status no_memory(const br_collector *collector, br_error *err)
{
    bool is_result = collector->run->result != NULL && !collector->may_go;
    return br_run_no_memory(collector->run, is_result ? "the result" : "stored rows", err);
}

uint32_t br_item_bytes(uint8_t class_, uint8_t kind)
{
    if (br_is_time_kind(kind) || class_ == BR_INT || class_ == BR_REAL) return sizeof(int64_t);
    return class_ == BR_ANY ? sizeof(br_value) : sizeof(br_text);
}

br_status br_collector_new(br_run *run, br_arena *arena, const br_keep *keep, uint32_t worker,
                           uint32_t column_count, br_collector **collector_out, br_error *err)
{
    br_collector *collector = BR_ALLOC(arena, br_collector, 1);
    builder *builders = BR_ALLOC(arena, builder, column_count);
    br_arena *rows = br_memory_arena(keep->rows, worker);
    br_arena *bytes = br_memory_arena(keep->bytes, worker);
    br_arena *index = br_memory_arena(run->index, worker);
    if (collector == NULL || builders == NULL || rows == NULL || bytes == NULL || index == NULL)
        return br_run_no_memory(run, "stored rows", err);
    *collector = (br_collector){.run = run,
                                .worker = worker,
                                .may_go = keep->rows != run->result,
                                .arena = arena,
                                .keep = rows,
                                .bytes = bytes,
                                .index = index,
                                .keep_mark = br_arena_get_mark(rows),
                                .bytes_mark = br_arena_get_mark(bytes),
                                .column_count = column_count,
                                .builders = builders};
    *collector_out = collector;
    return BR_OK;
}

uint64_t br_collector_rows(const br_collector *collector)
{
    return collector->list.row_count + collector->open_rows;
}

static br_status make_room(br_collector *collector, builder *column, uint32_t item_bytes,
                           br_error *err)
{
    if (column->validity == NULL)
        column->validity = BR_ALLOC(collector->arena, uint64_t, BR_BATCH_ROWS / 64 + 1);
    if (column->item_capacity_bytes < item_bytes) {
        column->items = br_arena_alloc(collector->arena, (size_t)BR_BATCH_ROWS * item_bytes, 64);
        column->item_capacity_bytes = item_bytes;
    }
    if (column->validity == NULL || column->items == NULL)
        return no_memory(collector, err);
    return BR_OK;
}

static br_vector open_vector(const builder *column)
{
    return (br_vector){.class_ = column->class_,
                       .kind = column->kind,
                       .validity = column->has_nulls ? column->validity : NULL,
                       .data = column->items};
}

// Turns what is open into ANY, or dates into text.
static br_status convert_open(br_collector *collector, builder *column, uint8_t class_,
                              br_error *err)
{
    br_vector vector = open_vector(column), converted;
    if (class_ == BR_ANY) {
        BR_TRY(br_vector_to_any(&vector, collector->open_rows, collector->bytes, &converted, err));
    } else {
        BR_TRY(br_vector_flatten(&vector, collector->open_rows, collector->bytes, &converted, err));
    }
    uint32_t item_bytes = br_item_bytes(class_, BR_VECTOR_FLAT);
    BR_TRY(make_room(collector, column, item_bytes, err));
    memcpy(column->items, converted.data, (size_t)collector->open_rows * item_bytes);
    column->class_ = class_;
    column->kind = BR_VECTOR_FLAT;
    if (class_ == BR_ANY) column->has_nulls = false;  // the values say it
    return BR_OK;
}

// The first rows that are not NULL decide on the class.
static br_status adopt_class(br_collector *collector, builder *column, const br_vector *vector,
                             br_error *err)
{
    column->class_ = vector->class_;
    column->kind = br_is_time_kind(vector->kind) ? vector->kind : BR_VECTOR_FLAT;
    uint32_t item_bytes = br_item_bytes(column->class_, column->kind);
    BR_TRY(make_room(collector, column, item_bytes, err));
    memset(column->items, 0, (size_t)collector->open_rows * item_bytes);  // zeros: BR_NULL values
    if (collector->open_rows > 0 && column->class_ != BR_ANY) {
        memset(column->validity, 0, (BR_BATCH_ROWS / 64 + 1) * sizeof(uint64_t));
        column->has_nulls = true;
    }
    return BR_OK;
}

static void append_validity(builder *column, uint32_t at, const uint64_t *validity,
                            uint32_t count)
{
    if (!column->has_nulls) {
        if (validity == NULL) return;
        memset(column->validity, 0, (BR_BATCH_ROWS / 64 + 1) * sizeof(uint64_t));
        br_bitmap_append(column->validity, 0, NULL, at);
        column->has_nulls = true;
    }
    br_bitmap_append(column->validity, at, validity, count);
}

static void append_nulls(builder *column, uint32_t at, uint32_t count)
{
    if (column->class_ == BR_NULL) return;
    uint32_t item_bytes = br_item_bytes(column->class_, column->kind);
    memset((char *)column->items + (size_t)at * item_bytes, 0, (size_t)count * item_bytes);
    if (column->class_ == BR_ANY || column->has_nulls) return;  // bits are zero already
    memset(column->validity, 0, (BR_BATCH_ROWS / 64 + 1) * sizeof(uint64_t));
    br_bitmap_append(column->validity, 0, NULL, at);
    column->has_nulls = true;
}

// Copies the bytes behind texts[0..count-1] of valid rows and lets them point to the copies.
static br_status keep_bytes(br_collector *collector, br_text *texts, uint32_t count,
                            const uint64_t *validity, br_error *err)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (validity != NULL && !br_bitmap_get(validity, i)) texts[i] = br_text_make("", 0);
        total += texts[i].size;
    }
    char *bytes = br_arena_alloc(collector->bytes, total, 1);
    if (bytes == NULL) return no_memory(collector, err);
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i].size > 0) memcpy(bytes, texts[i].data, texts[i].size);
        texts[i].data = bytes;
        bytes += texts[i].size;
    }
    return BR_OK;
}

static br_status keep_value_bytes(br_collector *collector, br_value *values, uint32_t count,
                                  br_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].class_ != BR_TEXT && values[i].class_ != BR_BLOB) continue;
        char *bytes = br_arena_copy_text(collector->bytes, values[i].text.data,
                                         values[i].text.size);
        if (bytes == NULL) return no_memory(collector, err);
        values[i].text.data = bytes;
    }
    return BR_OK;
}

// Each entry of the dictionary that occurs is copied once.
static br_status append_shared(br_collector *collector, builder *column, const br_vector *vector,
                               uint32_t count, br_error *err)
{
    const br_dictionary *dictionary = vector->dictionary;
    if (column->dictionary_id != dictionary->id) {
        if (column->copy_capacity < dictionary->size) {
            column->copies = BR_ALLOC(collector->arena, br_text, dictionary->size);
            if (column->copies == NULL)
                return no_memory(collector, err);
            column->copy_capacity = dictionary->size;
        } else {
            memset(column->copies, 0, dictionary->size * sizeof(br_text));
        }
        column->dictionary_id = dictionary->id;
    }
    br_text *out = (br_text *)column->items + collector->open_rows;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = vector->codes[i];
        if (column->copies[code].data == NULL) {
            br_text text = dictionary->values.text[code];
            text.data = br_arena_copy_text(collector->bytes, text.data, text.size);
            if (text.data == NULL) return no_memory(collector, err);
            column->copies[code] = text;
        }
        out[i] = column->copies[code];
    }
    return BR_OK;
}

static bool is_text_class(uint8_t class_) { return class_ == BR_TEXT || class_ == BR_BLOB; }

static br_status append_items(br_collector *collector, builder *column, const br_vector *vector,
                              uint32_t count, br_error *err)
{
    uint32_t at = collector->open_rows;
    if (vector->kind == BR_VECTOR_DICT && is_text_class(vector->class_) &&
        vector->dictionary->size > 0 && vector->dictionary->size <= SHARED_ENTRIES_MAX)
        return append_shared(collector, column, vector, count, err);
    br_vector flat = *vector;
    br_arena_mark mark = br_arena_get_mark(collector->bytes);
    if (vector->kind != column->kind)
        BR_TRY(br_vector_flatten(vector, count, collector->bytes, &flat, err));
    uint32_t item_bytes = br_item_bytes(column->class_, column->kind);
    char *items = (char *)column->items + (size_t)at * item_bytes;
    memcpy(items, flat.data, (size_t)count * item_bytes);
    if (br_is_time_kind(vector->kind) && column->kind == BR_VECTOR_FLAT) return BR_OK;
    br_arena_rewind(collector->bytes, mark);  // only the bytes of dates had to stay
    if (column->class_ == BR_ANY)
        return keep_value_bytes(collector, (br_value *)(void *)items, count, err);
    if (is_text_class(column->class_) && column->kind == BR_VECTOR_FLAT)
        return keep_bytes(collector, (br_text *)(void *)items, count, flat.validity, err);
    return BR_OK;
}

static br_status append_column(br_collector *collector, builder *column, const br_vector *vector,
                               uint32_t count, br_error *err)
{
    uint32_t at = collector->open_rows;
    if (vector->class_ == BR_NULL) {
        append_nulls(column, at, count);
        return BR_OK;
    }
    if (column->class_ == BR_NULL) BR_TRY(adopt_class(collector, column, vector, err));
    br_vector any = *vector;
    if (column->class_ != vector->class_) {
        if (column->class_ != BR_ANY) BR_TRY(convert_open(collector, column, BR_ANY, err));
        BR_TRY(br_vector_to_any(vector, count, collector->bytes, &any, err));
    } else if (br_is_time_kind(column->kind) && column->kind != vector->kind) {
        BR_TRY(convert_open(collector, column, column->class_, err));
    }
    if (column->class_ != BR_ANY) append_validity(column, at, any.validity, count);
    return append_items(collector, column, &any, count, err);
}

// ---- storing ---------------------------------------------------------------------------------

static br_status store_column(br_collector *collector, builder *column, br_vector *out,
                              br_error *err)
{
    uint32_t count = collector->open_rows;
    if (column->class_ == BR_NULL) {
        *out = br_vector_null();
        return BR_OK;
    }
    size_t item_bytes = br_item_bytes(column->class_, column->kind);
    void *items = br_arena_alloc(collector->keep, count * item_bytes, 64);
    if (items == NULL) return no_memory(collector, err);
    memcpy(items, column->items, count * item_bytes);
    *out = (br_vector){.class_ = column->class_, .kind = column->kind, .data = items};
    if (column->has_nulls) {
        size_t word_bytes = br_bitmap_words(count) * sizeof(uint64_t);
        out->validity = br_arena_copy(collector->keep, column->validity, word_bytes);
        if (out->validity == NULL) return no_memory(collector, err);
    }
    column->class_ = BR_NULL;
    column->has_nulls = false;
    return BR_OK;
}

static br_status add_to_list(br_collector *collector, br_vector *columns, uint32_t row_count,
                             br_error *err)
{
    br_kept_batch *kept = BR_ALLOC(collector->index, br_kept_batch, 1);
    if (kept == NULL) return no_memory(collector, err);
    kept->next_in_memory = collector->in_memory;
    collector->in_memory = kept;
    kept->batch = (br_batch){.row_count = row_count,
                             .column_count = collector->column_count,
                             .columns = columns};
    br_batch_list_add(&collector->list, kept);
    return BR_OK;
}

static br_status store_open(br_collector *collector, br_error *err)
{
    if (collector->open_rows == 0) return BR_OK;
    br_vector *columns = BR_ALLOC(collector->keep, br_vector, collector->column_count);
    if (columns == NULL) return no_memory(collector, err);
    for (uint32_t i = 0; i < collector->column_count; i++) {
        BR_TRY(store_column(collector, &collector->builders[i], &columns[i], err));
    }
    BR_TRY(add_to_list(collector, columns, collector->open_rows, err));
    collector->open_rows = 0;
    return BR_OK;
}

// A batch that is nearly full is stored as it is: columns are built right where they stay.
static br_status store_whole(br_collector *collector, const br_batch *batch, br_error *err)
{
    br_vector *columns = BR_ALLOC(collector->keep, br_vector, collector->column_count);
    if (columns == NULL) return no_memory(collector, err);
    for (uint32_t i = 0; i < collector->column_count; i++) {
        builder whole = collector->builders[i];
        const br_vector *vector = &batch->columns[i];
        uint8_t kind = br_is_time_kind(vector->kind) ? vector->kind : BR_VECTOR_FLAT;
        uint32_t item_bytes = br_item_bytes(vector->class_, kind);
        columns[i] = br_vector_null();
        if (vector->class_ == BR_NULL) continue;
        whole.items = br_arena_alloc(collector->keep, (size_t)batch->row_count * item_bytes, 64);
        if (whole.items == NULL) return no_memory(collector, err);
        whole.item_capacity_bytes = item_bytes;
        BR_TRY(append_column(collector, &whole, vector, batch->row_count, err));
        columns[i] = open_vector(&whole);
        size_t word_bytes = br_bitmap_words(batch->row_count) * sizeof(uint64_t);
        if (columns[i].validity != NULL)
            columns[i].validity = br_arena_copy(collector->keep, whole.validity, word_bytes);
        // What the builder learned for the batches to come.
        collector->builders[i].validity = whole.validity;
        collector->builders[i].dictionary_id = whole.dictionary_id;
        collector->builders[i].copies = whole.copies;
        collector->builders[i].copy_capacity = whole.copy_capacity;
    }
    return add_to_list(collector, columns, batch->row_count, err);
}

br_status br_collector_add(br_collector *collector, const br_batch *batch, br_error *err)
{
    br_assert(batch->column_count >= collector->column_count);
    br_assert(batch->row_count <= BR_BATCH_ROWS);
    if (collector->open_rows + batch->row_count > BR_BATCH_ROWS)
        BR_TRY(store_open(collector, err));
    if (collector->open_rows == 0 && batch->row_count >= WHOLE_ROWS_MIN) {
        BR_TRY(store_whole(collector, batch, err));
    } else {
        for (uint32_t i = 0; i < collector->column_count; i++) {
            BR_TRY(append_column(collector, &collector->builders[i], &batch->columns[i],
                                 batch->row_count, err));
        }
        collector->open_rows += batch->row_count;
    }
    if (br_arena_failed(collector->keep) || br_arena_failed(collector->bytes))
        return no_memory(collector, err);
    return BR_OK;
}

br_status br_collector_take(br_collector *collector, br_batch_list *list_out, br_error *err)
{
    BR_TRY(store_open(collector, err));
    *list_out = collector->list;
    collector->list = (br_batch_list){0};
    return BR_OK;
}

// ---- to disk ---------------------------------------------------------------------------------

br_status br_collector_relieve(br_collector *collector, br_error *err)
{
    br_run *run = collector->run;
    // Rows that are open point to bytes that would go.
    if (!collector->may_go || !br_run_is_tight(run) || collector->in_memory == NULL ||
        collector->open_rows > 0)
        return BR_OK;
    bool is_shared = collector->keep == collector->bytes;
    size_t held = br_arena_bytes(collector->keep) +
                  (is_shared ? 0 : br_arena_bytes(collector->bytes));
    if (held < br_run_share_bytes(run)) return BR_OK;
    for (br_kept_batch *kept = collector->in_memory; kept != NULL; kept = kept->next_in_memory) {
        BR_TRY(br_run_poll(run, err));
        BR_TRY(br_spill_write_batch(run, collector->worker, &kept->batch, &kept->place, err));
        kept->batch.columns = NULL;
    }
    collector->in_memory = NULL;
    for (uint32_t i = 0; i < collector->column_count; i++)
        collector->builders[i].dictionary_id = 0;  // the copies of its entries go as well
    br_arena_rewind(collector->keep, collector->keep_mark);
    br_arena_trim(collector->keep);
    if (!is_shared) {
        br_arena_rewind(collector->bytes, collector->bytes_mark);
        br_arena_trim(collector->bytes);
    }
    if (held >= TRIM_BYTES_MIN) br_heap_trim();
    return BR_OK;
}

br_status br_batches_join(const br_run *run, const br_batch_list *lists, uint32_t list_count,
                          uint32_t column_count, br_arena *arena, br_batches *batches_out,
                          br_error *err)
{
    br_batches all = {.column_count = column_count};
    for (uint32_t i = 0; i < list_count; i++) {
        all.batch_count += lists[i].batch_count;
        all.row_count += lists[i].row_count;
    }
    all.batches = BR_ALLOC(arena, br_batch, all.batch_count);
    if (all.batches == NULL) return br_run_no_memory(run, "stored rows", err);
    uint32_t at = 0;
    for (uint32_t i = 0; i < list_count; i++) {
        for (const br_kept_batch *kept = lists[i].first; kept != NULL; kept = kept->next, at++) {
            all.batches[at] = kept->batch;
            if (kept->batch.columns != NULL) continue;
            if (all.places == NULL) all.places = BR_ALLOC(arena, br_spill_place, all.batch_count);
            if (all.places == NULL) return br_run_no_memory(run, "stored rows", err);
            all.places[at] = kept->place;
        }
    }
    *batches_out = all;
    return BR_OK;
}
