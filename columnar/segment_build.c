// segment_build.c - gathering rows in key order, encoding them and writing the file.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/segment_build.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

// ---- order -----------------------------------------------------------------------------------

// End of the ascending run that begins at `first`.
static size_t run_end(const br_key_row *rows, size_t first, size_t count)
{
    size_t end = first + 1;
    while (end < count && rows[end - 1].key <= rows[end].key) end++;
    return end;
}

static void merge_runs(const br_key_row *left, size_t left_count, const br_key_row *right,
                       size_t right_count, br_key_row *out)
{
    size_t l = 0, r = 0;
    while (l < left_count && r < right_count) {
        bool takes_left = left[l].key <= right[r].key;
        *out++ = takes_left ? left[l] : right[r];
        l += takes_left;
        r += !takes_left;
    }
    memcpy(out, left + l, (left_count - l) * sizeof *out);
    memcpy(out + (left_count - l), right + r, (right_count - r) * sizeof *out);
}

// One pass over all runs, merging neighbours into `out`; returns how many runs are left.
static size_t merge_pass(const br_key_row *rows, size_t count, br_key_row *out)
{
    size_t runs = 0;
    for (size_t first = 0; first < count; runs++) {
        size_t middle = run_end(rows, first, count);
        size_t end = middle < count ? run_end(rows, middle, count) : middle;
        merge_runs(rows + first, middle - first, rows + middle, end - middle, out + first);
        first = end;
    }
    return runs;
}

void br_key_rows_sort(br_key_row *rows, br_key_row *scratch, size_t count)
{
    br_key_row *from = rows, *to = scratch;
    if (count == 0 || run_end(rows, 0, count) == count) return;
    for (size_t runs = 2; runs > 1;) {
        runs = merge_pass(from, count, to);
        br_key_row *swap = from;
        from = to;
        to = swap;
    }
    if (from != rows) memcpy(rows, from, count * sizeof *rows);
}

// ---- encoded pages ---------------------------------------------------------------------------

br_status br_encoded_init(br_encoded *encoded, uint32_t column_count, uint32_t chunk_count,
                          br_error *err)
{
    size_t page_count = (size_t)column_count * chunk_count;
    *encoded = (br_encoded){.column_count = column_count, .chunk_count = chunk_count};
    encoded->pages = br_heap_array(page_count, sizeof *encoded->pages);
    encoded->entries = br_heap_array(page_count, sizeof *encoded->entries);
    encoded->sketches = br_heap_array(page_count, sizeof *encoded->sketches);
    if (encoded->pages != NULL && encoded->entries != NULL && encoded->sketches != NULL)
        return BR_OK;
    br_encoded_release(encoded);
    return br_fail(err, BR_NOMEM, "no memory for %zu pages", page_count);
}

void br_encoded_release(br_encoded *encoded)
{
    size_t page_count = (size_t)encoded->column_count * encoded->chunk_count;
    for (size_t i = 0; i < page_count && encoded->pages != NULL; i++)
        br_buffer_release(&encoded->pages[i]);
    br_heap_free(encoded->pages);
    br_heap_free(encoded->entries);
    br_heap_free(encoded->sketches);
    *encoded = (br_encoded){0};
}

br_status br_encoded_page(br_encoded *encoded, size_t page, const br_column *values,
                          br_encode_effort effort, br_error *err)
{
    bool is_key = page % encoded->column_count == encoded->column_count - 1;
    return br_page_encode(values, effort, &encoded->pages[page], &encoded->entries[page],
                          is_key ? NULL : &encoded->sketches[page], err);
}

// ---- files -----------------------------------------------------------------------------------

static br_status write_chunks(br_segment_writer *writer, br_encoded *parts, uint32_t part_count,
                              br_error *err)
{
    for (uint32_t p = 0; p < part_count; p++) {
        br_encoded *part = &parts[p];
        for (uint32_t chunk = 0; chunk < part->chunk_count; chunk++) {
            size_t first = (size_t)chunk * part->column_count;
            BR_TRY(br_segment_writer_add_chunk(writer, part->pages + first, part->entries + first,
                                               part->sketches + first, err));
        }
        br_encoded_release(part);
    }
    uint64_t size_bytes;
    return br_segment_writer_finish(writer, &size_bytes, err);
}

static br_status write_file(const br_segment_source *source, const char *path,
                            br_encoded *parts, uint32_t part_count, br_error *err)
{
    br_segment_writer *writer = NULL;
    BR_TRY(br_segment_writer_open(path, source->segment_id, parts[0].column_count, source->hook,
                                  &writer, err));
    br_status status = write_chunks(writer, parts, part_count, err);
    br_segment_writer_close(writer);
    return status;
}

br_status br_segment_write(br_store *store, br_encoded *parts, uint32_t part_count,
                           br_segment **segment_out, br_error *err)
{
    br_segment_source source = br_store_new_segment(store);
    char *path = br_segment_path(source.folder, source.segment_id);
    if (path == NULL) return br_fail(err, BR_NOMEM, "no memory for a segment's path");
    br_status status = write_file(&source, path, parts, part_count, err);
    if (status == BR_OK) {
        status = br_segment_open(&source, false, segment_out, err);
        br_error ignored;  // what is left here goes with the next open
        if (status != BR_OK) (void)!br_file_remove(path, source.hook, &ignored);
    }
    br_heap_free(path);
    return status;
}

// ---- building --------------------------------------------------------------------------------

typedef struct building {
    const br_row_source *source;
    br_build_rows rows;
    br_encoded encoded;
} building;

// The rows first..first+count of the order, when they are a source chunk as it lies.
static const br_column *chunk_as_is(const building *at, const br_column **chunks, uint64_t first,
                                    uint32_t count)
{
    const br_key_row *rows = at->rows.rows + first;
    const br_column *chunk = chunks[rows[0].row >> 16];
    if ((rows[0].row & 0xffff) != 0 || chunk->row_count != count) return NULL;
    for (uint32_t i = 1; i < count; i++) {
        if (rows[i].row != rows[0].row + i) return NULL;
    }
    return chunk;
}

// Copies rows into `out`; text is borrowed from the source.
static void gather_rows(const building *at, const br_column **chunks, uint64_t first,
                        uint32_t count, br_column *out)
{
    const br_key_row *rows = at->rows.rows + first;
    unsigned class_mask = 0;
    uint64_t text_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const br_column *chunk = chunks[rows[i].row >> 16];
        uint32_t row = rows[i].row & 0xffff;
        out->classes[i] = chunk->classes[row];
        out->payloads[i] = chunk->payloads[row];
        out->sizes[i] = chunk->sizes[row];
        class_mask |= 1u << chunk->classes[row];
        text_bytes += chunk->sizes[row];
    }
    out->row_count = count;
    out->text_bytes = text_bytes;
    atomic_store_explicit(&out->class_mask, (uint8_t)class_mask, memory_order_relaxed);
}

static br_status encode_chunk(building *at, uint32_t column, uint32_t chunk,
                              const br_column **chunks, br_column *scratch, br_error *err)
{
    uint64_t first = (uint64_t)chunk * BR_CHUNK_ROWS, left = at->rows.count - first;
    uint32_t count = left < BR_CHUNK_ROWS ? (uint32_t)left : BR_CHUNK_ROWS;
    const br_column *values = chunk_as_is(at, chunks, first, count);
    if (values == NULL) {
        gather_rows(at, chunks, first, count, scratch);
        values = scratch;
    }
    size_t page = (size_t)chunk * at->encoded.column_count + column;
    return br_encoded_page(&at->encoded, page, values, at->rows.effort, err);
}

static br_status encode_column_with(building *at, uint32_t column, const br_column **chunks,
                                    br_error *err)
{
    br_column scratch;
    BR_TRY(br_column_init(&scratch, NULL, err));
    br_status status = BR_OK;
    for (uint32_t chunk = 0; chunk < at->encoded.chunk_count && status == BR_OK; chunk++)
        status = encode_chunk(at, column, chunk, chunks, &scratch, err);
    br_column_release(&scratch);
    return status;
}

static br_status encode_column(void *context, uint32_t worker, uint32_t column, br_error *err)
{
    building *at = context;
    const br_row_source *source = at->source;
    const br_column **chunks = br_heap_array(source->chunk_count, sizeof *chunks);
    if (chunks == NULL) return br_fail(err, BR_NOMEM, "no memory to write a segment");
    br_status status = source->open_column(source->context, worker, column, chunks, err);
    if (status == BR_OK) status = encode_column_with(at, column, chunks, err);
    source->close_column(source->context, worker);
    br_heap_free(chunks);
    return status;
}

br_status br_segment_build(br_store *store, const br_row_source *source, br_build_rows rows,
                           br_segment **segment_out, br_error *err)
{
    br_assert(rows.count > 0 && rows.count <= (uint64_t)BR_SEGMENT_CHUNKS_MAX * BR_CHUNK_ROWS);
    // A duplicate or unsorted key on disk would be found by no later check.
    for (uint64_t i = 1; i < rows.count; i++)
        br_verify(rows.rows[i - 1].key < rows.rows[i].key, err);
    building at = {.source = source, .rows = rows};
    uint32_t chunk_count = (uint32_t)((rows.count + BR_CHUNK_ROWS - 1) / BR_CHUNK_ROWS);
    BR_TRY(br_encoded_init(&at.encoded, source->column_count, chunk_count, err));
    br_status status =
        br_task_pool_run(store->config.pool, 0, source->column_count, encode_column, &at, err);
    if (status == BR_OK) status = br_segment_write(store, &at.encoded, 1, segment_out, err);
    br_encoded_release(&at.encoded);
    return status;
}
