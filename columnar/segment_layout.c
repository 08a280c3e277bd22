// segment_layout.c - making, storing and checking layouts.
//
//     u32 columns; per column: u32 column of the file, or ABSENT, u8 class, u32 size, the value
//
// INT and REAL are 8 bytes, NULL none. SPDX-License-Identifier: Apache-2.0
#include "columnar/segment_layout.h"

#include "base/assert.h"
#include "base/heap.h"

enum { LAYOUT_COLUMNS_MAX = 32768, NUMBER_BYTES = 8, VALUE_HEAD_BYTES = 5 };

bool br_reshape_is_identity(const br_reshape *reshape, uint32_t column_count_before)
{
    if (reshape->column_count != column_count_before) return false;
    for (uint32_t i = 0; i < reshape->column_count; i++) {
        if (reshape->from[i] != i) return false;
    }
    return true;
}

static bool has_bytes(const br_value *value)
{
    return value->class_ == BR_TEXT || value->class_ == BR_BLOB;
}

// A layout with room for so many bytes of values behind its columns.
static br_segment_layout *layout_new(uint32_t column_count, size_t text_bytes, br_error *err)
{
    size_t columns_bytes = column_count * sizeof(br_segment_layout_column);
    br_segment_layout *layout = br_heap_zalloc(sizeof *layout + columns_bytes + text_bytes);
    if (layout != NULL) layout->column_count = column_count;
    else (void)!br_fail(err, BR_NOMEM, "no memory for a layout of %u columns", column_count);
    return layout;
}

// Puts a column with a copy of its value; *at is where bytes go.
static void put_column(br_segment_layout *layout, uint32_t index,
                       const br_segment_layout_column *column, char **at)
{
    br_segment_layout_column *out = &layout->columns[index];
    *out = *column;
    if (column->column != BR_COLUMN_ABSENT || !has_bytes(&column->value)) return;
    uint32_t size = column->value.text.size;
    if (size > 0) memcpy(*at, column->value.text.data, size);
    out->value.text = br_text_make(*at, size);
    *at += size;
}

static br_segment_layout_column column_after(const br_segment_layout *before,
                                             const br_reshape *reshape, uint32_t index)
{
    uint32_t from = reshape->from[index];
    if (from == BR_COLUMN_ABSENT)
        return (br_segment_layout_column){.column = from, .value = reshape->values[index]};
    return before != NULL ? before->columns[from] : (br_segment_layout_column){.column = from};
}

br_status br_segment_layout_reshape(const br_segment_layout *before, const br_reshape *reshape,
                                    br_segment_layout **layout_out, br_error *err)
{
    size_t text_bytes = 0;
    for (uint32_t i = 0; i < reshape->column_count; i++) {
        br_segment_layout_column column = column_after(before, reshape, i);
        bool is_absent = column.column == BR_COLUMN_ABSENT;
        if (is_absent && has_bytes(&column.value)) text_bytes += column.value.text.size;
    }
    br_segment_layout *layout = layout_new(reshape->column_count, text_bytes, err);
    if (layout == NULL) return BR_NOMEM;
    char *at = (char *)&layout->columns[layout->column_count];
    for (uint32_t i = 0; i < reshape->column_count; i++) {
        br_segment_layout_column column = column_after(before, reshape, i);
        put_column(layout, i, &column, &at);
    }
    *layout_out = layout;
    return BR_OK;
}

void br_segment_layout_free(br_segment_layout *layout) { br_heap_free(layout); }

bool br_segment_layout_is_plain(const br_segment_layout *layout, uint32_t file_columns)
{
    if (layout->column_count != file_columns) return false;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        if (layout->columns[i].column != i) return false;
    }
    return true;
}

// ---- on disk ---------------------------------------------------------------------------------

static bool store_value(const br_value *value, br_buffer *out)
{
    bool is_text = has_bytes(value), is_null = value->class_ == BR_NULL;
    uint8_t head[VALUE_HEAD_BYTES] = {value->class_};
    br_store_u32(head + 1, is_text ? value->text.size : is_null ? 0 : NUMBER_BYTES);
    if (!br_buffer_append(out, head, sizeof head)) return false;
    if (is_text) return br_buffer_append(out, value->text.data, value->text.size);
    return is_null || br_buffer_append(out, &value->i64, NUMBER_BYTES);  // or the real's bits
}

static bool store_column(const br_segment_layout_column *column, br_buffer *out)
{
    uint8_t number[4];
    br_store_u32(number, column->column);
    if (!br_buffer_append(out, number, sizeof number)) return false;
    return column->column != BR_COLUMN_ABSENT || store_value(&column->value, out);
}

br_status br_segment_layout_store(const br_segment_layout *layout, br_buffer *out, br_error *err)
{
    uint8_t count[4];
    br_store_u32(count, layout->column_count);
    bool is_stored = br_buffer_append(out, count, sizeof count);
    for (uint32_t i = 0; i < layout->column_count && is_stored; i++)
        is_stored = store_column(&layout->columns[i], out);
    return is_stored ? BR_OK : br_fail(err, BR_NOMEM, "no memory for a layout");
}

// What is left of the bytes of a layout.
typedef struct reading {
    const uint8_t *bytes;
    size_t left;
} reading;

static const uint8_t *take(reading *at, size_t size_bytes)
{
    if (at->left < size_bytes) return NULL;
    const uint8_t *bytes = at->bytes;
    at->bytes += size_bytes;
    at->left -= size_bytes;
    return bytes;
}

// Its bytes are borrowed.
static bool load_value(reading *at, br_value *value_out)
{
    const uint8_t *head = take(at, VALUE_HEAD_BYTES);
    if (head == NULL || head[0] > BR_BLOB) return false;
    uint32_t size = br_load_u32(head + 1);
    const uint8_t *bytes = take(at, size);
    if (bytes == NULL) return false;
    *value_out = (br_value){.class_ = head[0]};
    if (has_bytes(value_out)) {
        value_out->text = br_text_make((const char *)bytes, size);
        return true;
    }
    if (value_out->class_ == BR_NULL) return size == 0;
    if (size != NUMBER_BYTES) return false;
    memcpy(&value_out->i64, bytes, NUMBER_BYTES);
    // SQLite has no NaN: it would break every comparison.
    return value_out->class_ == BR_INT || value_out->f64 == value_out->f64;
}

static bool load_column(reading *at, uint32_t file_columns, br_segment_layout_column *column_out)
{
    const uint8_t *number = take(at, 4);
    if (number == NULL) return false;
    *column_out = (br_segment_layout_column){.column = br_load_u32(number)};
    if (column_out->column == BR_COLUMN_ABSENT) return load_value(at, &column_out->value);
    return column_out->column < file_columns;
}

br_status br_segment_layout_load(const uint8_t *bytes, size_t size_bytes, uint32_t file_columns,
                                 br_segment_layout **layout_out, br_error *err)
{
    *layout_out = NULL;
    reading at = {bytes, size_bytes};
    const uint8_t *count = take(&at, 4);
    if (count == NULL || br_load_u32(count) > LAYOUT_COLUMNS_MAX) return BR_OK;
    br_segment_layout *layout = layout_new(br_load_u32(count), size_bytes, err);
    if (layout == NULL) return BR_NOMEM;
    char *text = (char *)&layout->columns[layout->column_count];
    bool is_good = true;
    for (uint32_t i = 0; i < layout->column_count && is_good; i++) {
        br_segment_layout_column column;
        is_good = load_column(&at, file_columns, &column);
        if (is_good) put_column(layout, i, &column, &text);
    }
    if (is_good && at.left == 0) *layout_out = layout;
    else br_segment_layout_free(layout);
    return BR_OK;
}
