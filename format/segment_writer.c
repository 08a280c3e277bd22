// segment_writer.c - gathers pages per column in memory and writes them column-major.
//
// A segment holds at most BR_SEGMENT_CHUNKS_MAX chunks of encoded pages, tens of MiB, so keeping
// them until the end costs less than writing them twice. The layout is in segment.h.
// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "base/heap.h"
#include "format/segment.h"
#include "format/sketch.h"

enum { WRITE_BYTES = 4 * 1024 * 1024 };  // one write; large enough for any disk

struct br_segment_writer {
    br_file *file;
    char *path;
    const br_file_hook *hook;
    uint64_t segment_id;
    uint32_t column_count, chunk_count;
    bool is_finished;
    br_buffer *columns;      // the pages of each column
    br_page_entry *entries;  // [chunk * column_count + column]; offset counts from the column
    size_t entry_capacity;
    br_sketch *sketches;     // of each column; NULL: none yet, or a chunk came without
    uint64_t row_count;
    br_buffer staging;       // what is to be written next, at file offset written_bytes
    uint64_t written_bytes;
};

br_status br_segment_writer_open(const char *path, uint64_t segment_id, uint32_t column_count,
                                 const br_file_hook *hook, br_segment_writer **writer_out,
                                 br_error *err)
{
    if (column_count > BR_SEGMENT_COLUMNS_MAX)
        return br_fail(err, BR_MISUSE, "%s: columns: found %u, want at most %d", path,
                       column_count, BR_SEGMENT_COLUMNS_MAX);
    br_segment_writer *writer = br_heap_zalloc(sizeof *writer);
    if (writer == NULL) return br_fail(err, BR_NOMEM, "%s: no memory for a writer", path);
    writer->hook = hook;
    writer->segment_id = segment_id;
    writer->column_count = column_count;
    writer->path = br_heap_copy_text(path);
    writer->columns = br_heap_array(column_count, sizeof *writer->columns);
    br_status status = BR_OK;
    if (writer->path == NULL || writer->columns == NULL)
        status = br_fail(err, BR_NOMEM, "%s: no memory for a writer", path);
    if (status == BR_OK) status = br_file_open(path, BR_FILE_CREATE, hook, &writer->file, err);
    if (status != BR_OK) {
        br_segment_writer_close(writer);
        return status;
    }
    *writer_out = writer;
    return BR_OK;
}

void br_segment_writer_close(br_segment_writer *writer)
{
    if (writer == NULL) return;
    bool is_half_written = writer->file != NULL && !writer->is_finished;
    br_file_close(writer->file);
    if (is_half_written) {
        // Best effort: a file that no catalog names is removed at the next open anyway.
        br_status ignored = br_file_remove(writer->path, writer->hook, NULL);
        (void)ignored;
    }
    for (uint32_t column = 0; writer->columns != NULL && column < writer->column_count; column++)
        br_buffer_release(&writer->columns[column]);
    br_buffer_release(&writer->staging);
    br_heap_free(writer->columns);
    br_heap_free(writer->sketches);
    br_heap_free(writer->entries);
    br_heap_free(writer->path);
    br_heap_free(writer);
}

static br_status grow_entries(br_segment_writer *writer, br_error *err)
{
    size_t count = (size_t)(writer->chunk_count + 1) * writer->column_count;
    if (count <= writer->entry_capacity) return BR_OK;
    size_t capacity = count * 2;
    void *entries = br_heap_resize(writer->entries, capacity * sizeof *writer->entries);
    if (entries == NULL)
        return br_fail(err, BR_NOMEM, "%s: no memory for %zu page entries", writer->path, count);
    writer->entries = entries;
    writer->entry_capacity = capacity;
    return BR_OK;
}

static br_status add_page(br_segment_writer *writer, uint32_t column, const br_buffer *page,
                          const br_page_entry *entry, br_error *err)
{
    br_buffer *pages = &writer->columns[column];
    br_verify(page->size_bytes == entry->stored_bytes, err);
    if (!br_buffer_align(pages, BR_SEGMENT_PAGE_ALIGNMENT))
        return br_fail_nomem(err, page->size_bytes);
    br_page_entry *copy =
        &writer->entries[(size_t)writer->chunk_count * writer->column_count + column];
    *copy = *entry;
    copy->offset = pages->size_bytes;
    return br_append(pages, page->bytes, page->size_bytes, err);
}

static br_status add_sketches(br_segment_writer *writer, const br_sketch *sketches, br_error *err)
{
    if (writer->chunk_count == 0 && sketches != NULL) {
        writer->sketches = br_heap_array(writer->column_count, sizeof *writer->sketches);
        if (writer->sketches == NULL)
            return br_fail(err, BR_NOMEM, "%s: no memory for %u sketches", writer->path,
                           writer->column_count);
    }
    if (sketches == NULL) {
        br_heap_free(writer->sketches);
        writer->sketches = NULL;
    }
    for (uint32_t column = 0; writer->sketches != NULL && column < writer->column_count; column++)
        br_sketch_merge(&writer->sketches[column], &sketches[column]);
    return BR_OK;
}

br_status br_segment_writer_add_chunk(br_segment_writer *writer, const br_buffer *pages,
                                      const br_page_entry *entries, const br_sketch *sketches,
                                      br_error *err)
{
    br_assert(!writer->is_finished);
    if (writer->chunk_count == BR_SEGMENT_CHUNKS_MAX)
        return br_fail(err, BR_MISUSE, "%s: a segment holds at most %d chunks", writer->path,
                       BR_SEGMENT_CHUNKS_MAX);
    BR_TRY(grow_entries(writer, err));
    uint32_t row_count = writer->column_count > 0 ? entries[0].row_count : 0;
    for (uint32_t column = 0; column < writer->column_count; column++) {
        br_verify(entries[column].row_count == row_count, err);
        br_verify(row_count > 0 && row_count <= BR_CHUNK_ROWS, err);
        BR_TRY(add_page(writer, column, &pages[column], &entries[column], err));
    }
    BR_TRY(add_sketches(writer, sketches, err));
    writer->chunk_count++;
    writer->row_count += row_count;
    return BR_OK;
}

// ---- writing ---------------------------------------------------------------------------------

static br_status flush(br_segment_writer *writer, br_error *err)
{
    br_buffer *staging = &writer->staging;
    if (staging->size_bytes == 0) return BR_OK;
    BR_TRY(br_file_write(writer->file, writer->written_bytes, staging->bytes, staging->size_bytes,
                         err));
    writer->written_bytes += staging->size_bytes;
    br_buffer_clear(staging);
    return BR_OK;
}

static uint64_t position(const br_segment_writer *writer)
{
    return writer->written_bytes + writer->staging.size_bytes;
}

static br_status put(br_segment_writer *writer, const void *bytes, size_t size_bytes,
                     br_error *err)
{
    BR_TRY(br_append(&writer->staging, bytes, size_bytes, err));
    return writer->staging.size_bytes >= WRITE_BYTES ? flush(writer, err) : BR_OK;
}

static br_status put_alignment(br_segment_writer *writer, uint64_t alignment, br_error *err)
{
    size_t padding = (size_t)(-position(writer) & (alignment - 1));
    if (!br_buffer_append_zeros(&writer->staging, padding)) return br_fail_nomem(err, padding);
    return BR_OK;
}

// The footer of all that was added; entries turn column-major here.
static br_status footer_make(br_segment_writer *writer, br_segment_footer *footer, br_error *err)
{
    uint32_t chunks = writer->chunk_count;
    *footer = (br_segment_footer){.segment_id = writer->segment_id,
                                  .row_count = writer->row_count,
                                  .column_count = writer->column_count,
                                  .chunk_count = chunks};
    footer->chunk_rows = br_heap_array(chunks, sizeof *footer->chunk_rows);
    footer->entries =
        br_heap_array((size_t)chunks * writer->column_count, sizeof *footer->entries);
    if (footer->chunk_rows == NULL || footer->entries == NULL)
        return br_fail(err, BR_NOMEM, "%s: no memory for the footer", writer->path);
    for (uint32_t chunk = 0; chunk < chunks; chunk++) {
        for (uint32_t column = 0; column < writer->column_count; column++) {
            const br_page_entry *entry =
                &writer->entries[(size_t)chunk * writer->column_count + column];
            footer->entries[(size_t)column * chunks + chunk] = *entry;
            footer->chunk_rows[chunk] = entry->row_count;
        }
    }
    return BR_OK;
}

// Writes the columns and moves the offsets of their entries to where they came to lie.
static br_status put_columns(br_segment_writer *writer, br_segment_footer *footer, br_error *err)
{
    for (uint32_t column = 0; column < writer->column_count; column++) {
        const br_buffer *pages = &writer->columns[column];
        bool is_small = pages->size_bytes < BR_SEGMENT_COLUMN_ALIGNMENT;
        BR_TRY(put_alignment(
            writer, is_small ? BR_SEGMENT_PAGE_ALIGNMENT : BR_SEGMENT_COLUMN_ALIGNMENT, err));
        uint64_t start = position(writer);
        for (uint32_t chunk = 0; chunk < footer->chunk_count; chunk++)
            footer->entries[(size_t)column * footer->chunk_count + chunk].offset += start;
        BR_TRY(put(writer, pages->bytes, pages->size_bytes, err));
    }
    return put_alignment(writer, BR_SEGMENT_PAGE_ALIGNMENT, err);
}

static br_status put_sketches(br_segment_writer *writer, br_segment_footer *footer,
                              br_buffer *bytes, br_error *err)
{
    if (writer->sketches == NULL) return BR_OK;
    for (uint32_t column = 0; column < writer->column_count; column++)
        BR_TRY(br_sketch_append(&writer->sketches[column], bytes, err));
    footer->sketches = (br_segment_extra){.offset = position(writer),
                                          .size_bytes = bytes->size_bytes,
                                          .checksum = br_checksum(bytes->bytes, bytes->size_bytes)};
    BR_TRY(put(writer, bytes->bytes, bytes->size_bytes, err));
    br_buffer_clear(bytes);
    return put_alignment(writer, BR_SEGMENT_PAGE_ALIGNMENT, err);
}

static br_status put_end(br_segment_writer *writer, const br_segment_footer *footer,
                         br_buffer *bytes, br_error *err)
{
    BR_TRY(br_segment_footer_append(footer, bytes, err));
    br_segment_tail tail = {.footer_offset = position(writer),
                            .footer_bytes = bytes->size_bytes,
                            .footer_checksum = br_checksum(bytes->bytes, bytes->size_bytes),
                            .segment_id = writer->segment_id};
    tail.file_bytes = tail.footer_offset + tail.footer_bytes + BR_SEGMENT_TAIL_BYTES;
    uint8_t tail_bytes[BR_SEGMENT_TAIL_BYTES];
    br_segment_tail_write(&tail, tail_bytes);
    BR_TRY(put(writer, bytes->bytes, bytes->size_bytes, err));
    BR_TRY(put(writer, tail_bytes, sizeof tail_bytes, err));
    return flush(writer, err);
}

static br_status put_all(br_segment_writer *writer, br_segment_footer *footer,
                         br_buffer *scratch, br_error *err)
{
    uint8_t header_bytes[BR_SEGMENT_HEADER_BYTES];
    br_segment_header header = {.segment_id = writer->segment_id,
                                .column_count = writer->column_count};
    br_segment_header_write(&header, header_bytes);
    BR_TRY(put(writer, header_bytes, sizeof header_bytes, err));
    BR_TRY(footer_make(writer, footer, err));
    BR_TRY(put_columns(writer, footer, err));
    BR_TRY(put_sketches(writer, footer, scratch, err));
    return put_end(writer, footer, scratch, err);
}

static br_status sync_folder(const br_segment_writer *writer, br_error *err)
{
    const char *slash = strrchr(writer->path, '/');
    if (slash == NULL) return br_folder_sync(".", writer->hook, err);
    if (slash == writer->path) return br_folder_sync("/", writer->hook, err);
    size_t size = (size_t)(slash - writer->path);
    char *folder = br_heap_alloc(size + 1);
    if (folder == NULL) return br_fail(err, BR_NOMEM, "%s: no memory", writer->path);
    memcpy(folder, writer->path, size);
    folder[size] = 0;
    br_status status = br_folder_sync(folder, writer->hook, err);
    br_heap_free(folder);
    return status;
}

br_status br_segment_writer_finish(br_segment_writer *writer, uint64_t *size_bytes_out,
                                   br_error *err)
{
    br_segment_footer footer = {0};
    br_buffer scratch = {0};
    br_assert(!writer->is_finished);
    br_status status = put_all(writer, &footer, &scratch, err);
    br_segment_footer_release(&footer);
    br_buffer_release(&scratch);
    BR_TRY(status);
    BR_TRY(br_file_sync(writer->file, err));
    BR_TRY(sync_folder(writer, err));
    writer->is_finished = true;
    *size_bytes_out = writer->written_bytes;
    return BR_OK;
}
