// reshape.c - a segment file as a table sees it that was altered after the file was written.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/segment.h"

// ---- constants -------------------------------------------------------------------------------

// The page of one constant in chunks of so many rows. Nearly all chunks are full, so a constant
// has one page or two.
typedef struct constant_page {
    uint32_t row_count;
    br_page *page;
    br_page_entry entry;
} constant_page;

typedef struct constant {
    br_page_slot *slots;
    br_page_entry *entries;
    constant_page *pages;
    uint32_t page_count;
    size_t page_capacity;
} constant;

struct br_constant_pages {
    uint32_t count;
    constant items[];
};

static void constants_free(br_constant_pages *constants)
{
    for (uint32_t i = 0; constants != NULL && i < constants->count; i++) {
        constant *item = &constants->items[i];
        for (uint32_t p = 0; p < item->page_count; p++) br_page_free(item->pages[p].page);
        br_heap_free(item->pages);
        br_heap_free(item->slots);
        br_heap_free(item->entries);
    }
    br_heap_free(constants);
}

// All rows share the bytes of a text.
static void fill_column(br_column *column, const br_value *value, uint32_t row_count)
{
    bool is_text = value->class_ == BR_TEXT || value->class_ == BR_BLOB;
    uint64_t payload = 0;
    if (is_text) payload = (uint64_t)(uintptr_t)value->text.data;
    else if (value->class_ != BR_NULL) memcpy(&payload, &value->i64, sizeof payload);
    memset(column->classes, value->class_, row_count);
    for (uint32_t row = 0; row < row_count; row++) {
        column->payloads[row] = payload;
        column->sizes[row] = is_text ? value->text.size : 0;
    }
    column->row_count = row_count;
    column->text_bytes = is_text ? (uint64_t)value->text.size * row_count : 0;
    atomic_store_explicit(&column->class_mask, (uint8_t)(1u << value->class_),
                          memory_order_relaxed);
}

static br_status page_make(const br_segment *segment, const br_value *value, constant_page *out,
                           br_error *err)
{
    br_column column;
    br_buffer bytes = {0};
    BR_TRY(br_column_init(&column, NULL, err));
    fill_column(&column, value, out->row_count);
    br_status status = br_page_encode(&column, BR_ENCODE_FAST, &bytes, &out->entry, NULL, err);
    if (status == BR_OK)
        status = br_page_open(bytes.bytes, out->entry.stored_bytes, &out->entry,
                              segment->cache->kernels, segment->path, NULL, &out->page, err);
    out->entry.stored_bytes = 0;
    br_buffer_release(&bytes);
    br_column_release(&column);
    return status;
}

static br_status page_for(const br_segment *segment, constant *item, const br_value *value,
                          uint32_t row_count, const constant_page **page_out, br_error *err)
{
    for (uint32_t i = 0; i < item->page_count; i++) {
        *page_out = &item->pages[i];
        if (item->pages[i].row_count == row_count) return BR_OK;
    }
    if (!br_heap_grow((void **)&item->pages, sizeof *item->pages, item->page_count,
                      &item->page_capacity))
        return br_fail(err, BR_NOMEM, "no memory for a constant of '%s'", segment->path);
    constant_page *page = &item->pages[item->page_count];
    *page = (constant_page){.row_count = row_count};
    BR_TRY(page_make(segment, value, page, err));
    item->page_count++;
    *page_out = page;
    return BR_OK;
}

static br_status constant_make(br_segment *segment, constant *item, uint32_t column, br_error *err)
{
    item->slots = br_heap_array(segment->chunk_count, sizeof *item->slots);
    item->entries = br_heap_array(segment->chunk_count, sizeof *item->entries);
    if (item->slots == NULL || item->entries == NULL)
        return br_fail(err, BR_NOMEM, "no memory for a constant of '%s'", segment->path);
    for (uint32_t chunk = 0; chunk < segment->chunk_count; chunk++) {
        const constant_page *page = NULL;
        BR_TRY(page_for(segment, item, &segment->layout->columns[column].value,
                        br_segment_chunk_rows(segment, chunk), &page, err));
        item->entries[chunk] = page->entry;
        item->slots[chunk].page = page->page;
        // Loaded for good: the cache does not know of it.
        atomic_init(&item->slots[chunk].state, BR_PAGE_LOADED);
    }
    segment->columns[column] = (br_segment_column){
        .slots = item->slots, .entries = item->entries, .is_constant = true};
    return BR_OK;
}

static uint32_t count_absent(const br_segment_layout *layout)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < layout->column_count; i++)
        count += layout->columns[i].column == BR_COLUMN_ABSENT;
    return count;
}

// ---- segments --------------------------------------------------------------------------------

static br_status fill_columns(br_segment *segment, br_error *err)
{
    const br_segment_layout *layout = segment->layout;
    const br_segment *file = segment->file;
    uint32_t key = segment->column_count - 1, absent = count_absent(layout);
    segment->columns = br_heap_array(segment->column_count, sizeof *segment->columns);
    segment->constants =
        br_heap_zalloc(sizeof *segment->constants + absent * sizeof(constant));
    if (segment->columns == NULL || segment->constants == NULL)
        return br_fail(err, BR_NOMEM, "no memory for the columns of '%s'", segment->path);
    for (uint32_t i = 0; i < key; i++) {
        uint32_t column = layout->columns[i].column;
        if (column != BR_COLUMN_ABSENT) {
            br_assert(column < file->column_count - 1);
            segment->columns[i] = file->columns[column];
            continue;
        }
        constant *item = &segment->constants->items[segment->constants->count++];
        BR_TRY(constant_make(segment, item, i, err));
    }
    segment->columns[key] = file->columns[file->column_count - 1];
    return br_segment_merge_stats(segment, err);
}

void br_segment_free_reshaped(br_segment *segment)
{
    br_segment *file = segment->file;
    constants_free(segment->constants);
    br_segment_layout_free(segment->layout);
    br_heap_free(segment->columns);
    br_heap_free(segment->stats);
    br_heap_free(segment);
    br_segment_drop(file);
}

br_status br_segment_new_reshaped(br_segment *file, br_segment_layout *layout,
                                  br_segment **segment_out, br_error *err)
{
    br_assert(file->file == NULL);
    br_segment *segment = br_heap_zalloc(sizeof *segment);
    if (segment == NULL) {
        br_segment_layout_free(layout);
        return br_fail(err, BR_NOMEM, "no memory for a segment");
    }
    atomic_init(&segment->refs, 1);
    segment->file = br_segment_acquire(file);
    segment->layout = layout;
    segment->segment_id = file->segment_id;
    segment->column_count = layout->column_count + 1;
    segment->chunk_count = file->chunk_count;
    segment->row_count = file->row_count;
    segment->stored_bytes = file->stored_bytes;
    segment->reader = file->reader;
    segment->cache = file->cache;
    segment->path = file->path;
    br_status status = fill_columns(segment, err);
    if (status == BR_OK) *segment_out = segment;
    else br_segment_free_reshaped(segment);
    return status;
}

br_status br_segment_reshape(br_segment *segment, const br_reshape *reshape,
                             br_segment **segment_out, br_error *err)
{
    br_segment *file = br_segment_of_file(segment);
    br_segment_layout *layout = NULL;
    BR_TRY(br_segment_layout_reshape(segment->layout, reshape, &layout, err));
    if (!br_segment_layout_is_plain(layout, file->column_count - 1))
        return br_segment_new_reshaped(file, layout, segment_out, err);
    br_segment_layout_free(layout);
    *segment_out = br_segment_acquire(file);
    return BR_OK;
}
