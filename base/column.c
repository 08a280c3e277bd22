// column.c - arrays that never move, filled by one writer.
// SPDX-License-Identifier: Apache-2.0
#include "base/column.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

enum {
    // The quota is charged as pages are touched, a step of rows at a time.
    CHARGE_ROWS = 4096,
    ROW_BYTES = sizeof(uint8_t) + sizeof(uint64_t) + sizeof(uint32_t),
    CLASSES_BYTES = BR_CHUNK_ROWS * sizeof(uint8_t),
    PAYLOADS_BYTES = BR_CHUNK_ROWS * sizeof(uint64_t),
    SIZES_BYTES = BR_CHUNK_ROWS * sizeof(uint32_t),
};

br_status br_column_init(br_column *column, br_quota *quota, br_error *err)
{
    *column = (br_column){.quota = quota};
    column->payloads = br_heap_reserve(PAYLOADS_BYTES);
    column->sizes = br_heap_reserve(SIZES_BYTES);
    column->classes = br_heap_reserve(CLASSES_BYTES);
    column->texts = br_arena_new(quota);
    if (column->payloads != NULL && column->sizes != NULL && column->classes != NULL &&
        column->texts != NULL)
        return BR_OK;
    br_column_release(column);
    return br_fail(err, BR_NOMEM, "no memory for a column of %d rows", BR_CHUNK_ROWS);
}

void br_column_release(br_column *column)
{
    br_heap_unreserve(column->payloads, PAYLOADS_BYTES);
    br_heap_unreserve(column->sizes, SIZES_BYTES);
    br_heap_unreserve(column->classes, CLASSES_BYTES);
    br_arena_free(column->texts);
    br_quota_give(column->quota, (size_t)column->charged_rows * ROW_BYTES);
    *column = (br_column){0};
}

void br_column_reset(br_column *column)
{
    br_arena_reset(column->texts);
    column->row_count = 0;
    column->text_bytes = 0;
    atomic_store_explicit(&column->class_mask, 0, memory_order_relaxed);
}

static uint64_t bits_of_real(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// Makes row `row_count` ready to be filled.
static br_status open_row(br_column *column, br_error *err)
{
    if (column->row_count == BR_CHUNK_ROWS)
        return br_fail(err, BR_INTERNAL, "a column takes no more than %d rows", BR_CHUNK_ROWS);
    if (column->row_count < column->charged_rows) return BR_OK;
    if (!br_quota_take(column->quota, (size_t)CHARGE_ROWS * ROW_BYTES))
        return br_fail(err, BR_NOMEM, "memory quota used up by a column of %u rows",
                       column->row_count);
    column->charged_rows += CHARGE_ROWS;
    return BR_OK;
}

br_status br_column_append(br_column *column, const br_value *value, br_error *err)
{
    br_assert(value->class_ < BR_ANY);
    BR_TRY(open_row(column, err));
    uint64_t payload = 0;
    uint32_t size = 0;
    if (value->class_ == BR_INT) {
        payload = (uint64_t)value->i64;
    } else if (value->class_ == BR_REAL) {
        payload = bits_of_real(value->f64);
    } else if (value->class_ != BR_NULL) {
        size = value->text.size;
        char *bytes = br_arena_alloc(column->texts, size, 1);
        if (bytes == NULL) return br_fail(err, BR_NOMEM, "no memory for a text of %u bytes", size);
        if (size > 0) memcpy(bytes, value->text.data, size);
        payload = (uint64_t)(uintptr_t)bytes;
    }
    uint32_t row = column->row_count;
    column->payloads[row] = payload;
    column->sizes[row] = size;
    column->classes[row] = value->class_;
    uint8_t mask = atomic_load_explicit(&column->class_mask, memory_order_relaxed);
    uint8_t bit = (uint8_t)(1u << value->class_);
    if ((mask & bit) == 0)
        atomic_store_explicit(&column->class_mask, mask | bit, memory_order_relaxed);
    column->text_bytes += size;
    column->row_count = row + 1;
    return BR_OK;
}

static br_text text_at(const br_column *column, uint32_t row)
{
    return br_text_make((const void *)(uintptr_t)column->payloads[row], column->sizes[row]);
}

br_value br_column_value(const br_column *column, uint32_t row)
{
    br_value value = {.class_ = column->classes[row]};
    switch (value.class_) {
    case BR_INT: value.i64 = (int64_t)column->payloads[row]; break;
    case BR_REAL: memcpy(&value.f64, &column->payloads[row], sizeof value.f64); break;
    case BR_TEXT:
    case BR_BLOB: value.text = text_at(column, row); break;
    default: br_assert(value.class_ == BR_NULL); break;
    }
    return value;
}

// The bitmap of non-NULL rows, or NULL in *validity_out when all of them are.
static br_status build_validity(const br_column *column, uint32_t first, uint32_t count,
                                br_arena *arena, const uint64_t **validity_out, br_error *err)
{
    *validity_out = NULL;
    if ((atomic_load_explicit(&column->class_mask, memory_order_relaxed) & BR_MASK_NULL) == 0)
        return BR_OK;
    const uint8_t *classes = column->classes + first;
    if (memchr(classes, BR_NULL, count) == NULL) return BR_OK;
    uint64_t *bits = BR_ALLOC(arena, uint64_t, br_bitmap_words(count));
    if (bits == NULL) return br_fail(err, BR_NOMEM, "no memory for a bitmap of %u rows", count);
    for (uint32_t i = 0; i < count; i++) {
        bits[i >> 6] |= (uint64_t)(classes[i] != BR_NULL) << (i & 63);
    }
    *validity_out = bits;
    return BR_OK;
}

static br_status slice_texts(const br_column *column, uint32_t first, uint32_t count,
                             br_arena *arena, br_vector *out, br_error *err)
{
    br_text *texts = br_arena_alloc(arena, count * sizeof *texts, 64);
    if (texts == NULL) return br_fail(err, BR_NOMEM, "no memory for %u texts", count);
    for (uint32_t i = 0; i < count; i++) texts[i] = text_at(column, first + i);
    out->text = texts;
    return BR_OK;
}

static br_status slice_any(const br_column *column, uint32_t first, uint32_t count,
                           br_arena *arena, br_vector *out, br_error *err)
{
    br_value *values = br_arena_alloc(arena, count * sizeof *values, 64);
    if (values == NULL) return br_fail(err, BR_NOMEM, "no memory for %u values", count);
    for (uint32_t i = 0; i < count; i++) values[i] = br_column_value(column, first + i);
    out->any = values;
    return BR_OK;
}

br_status br_column_slice(const br_column *column, uint32_t first, uint32_t count, br_class class_,
                          br_arena *arena, br_vector *out, br_error *err)
{
    br_assert(first <= BR_CHUNK_ROWS && count <= BR_CHUNK_ROWS - first);
    if (class_ == BR_NULL) {
        *out = br_vector_null();
        return BR_OK;
    }
    br_vector slice = {.class_ = (uint8_t)class_, .kind = BR_VECTOR_FLAT};
    if (class_ == BR_ANY) {
        BR_TRY(slice_any(column, first, count, arena, &slice, err));
    } else {
        BR_TRY(build_validity(column, first, count, arena, &slice.validity, err));
        if (class_ == BR_INT || class_ == BR_REAL) slice.data = column->payloads + first;
        else BR_TRY(slice_texts(column, first, count, arena, &slice, err));
    }
    *out = slice;
    return BR_OK;
}
