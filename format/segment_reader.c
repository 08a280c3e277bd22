// segment_reader.c - opens a segment file: tail, footer, header, in two reads for most files.
//
// The layout is described with the writer (segment.h, footer.c).
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "base/hash.h"
#include "format/segment.h"
#include "format/sketch.h"

enum { TAIL_READ_BYTES = 64 * 1024 };  // holds the footer of some 200 pages

struct br_segment_reader {
    br_file *file;
    uint64_t size_bytes;
    br_segment_footer footer;
    br_sketch *sketches;  // by column; NULL: none
    bool has_damage;      // there should be some
};

enum { SKETCH_BYTES_MAX = 2048 };  // of one column

// The last bytes of the file, from `first` on.
typedef struct file_end {
    uint8_t *bytes;
    uint64_t first;
} file_end;

static br_status read_end(br_segment_reader *reader, uint64_t first, file_end *end, br_error *err)
{
    br_heap_free(end->bytes);
    size_t size_bytes = (size_t)(reader->size_bytes - first);
    end->first = first;
    end->bytes = br_heap_alloc(size_bytes);
    if (end->bytes == NULL)
        return br_fail(err, BR_NOMEM, "%s: no memory for %zu bytes of footer",
                       br_file_path(reader->file), size_bytes);
    return br_file_read(reader->file, first, end->bytes, size_bytes, err);
}

// True when these are the bytes that were written, and they make sense for the file.
static bool sketches_fit(const br_segment_footer *footer, const uint8_t *bytes,
                         br_sketch *sketches)
{
    const br_segment_extra *place = &footer->sketches;
    bool fits = br_checksum(bytes, place->size_bytes) == place->checksum &&
                br_sketches_read(bytes, place->size_bytes, sketches, footer->column_count);
    for (uint32_t i = 0; i < footer->column_count && fits; i++)
        fits = sketches[i].common.row_count == 0 ||
               sketches[i].common.row_count == footer->row_count;
    return fits;
}

// Damage here costs better plans and nothing else: there are no sketches then.
static br_status read_sketches(br_segment_reader *reader, uint64_t block_end, file_end *end,
                               br_error *err)
{
    const br_segment_footer *footer = &reader->footer;
    const br_segment_extra *place = &footer->sketches;
    if (place->size_bytes == 0) return BR_OK;
    bool is_there = place->size_bytes <= (uint64_t)SKETCH_BYTES_MAX * footer->column_count &&
                    place->offset < block_end && place->size_bytes <= block_end - place->offset &&
                    block_end - place->offset - place->size_bytes < BR_SEGMENT_PAGE_ALIGNMENT;
    reader->has_damage = true;
    if (!is_there) return BR_OK;
    if (place->offset < end->first) BR_TRY(read_end(reader, place->offset, end, err));
    br_sketch *sketches = br_heap_array(footer->column_count, sizeof *sketches);
    if (sketches == NULL)
        return br_fail(err, BR_NOMEM, "%s: no memory for %u sketches", br_file_path(reader->file),
                       footer->column_count);
    reader->has_damage =
        !sketches_fit(footer, end->bytes + (place->offset - end->first), sketches);
    if (reader->has_damage) br_heap_free(sketches);
    else reader->sketches = sketches;
    return BR_OK;
}

static br_status read_footer(br_segment_reader *reader, file_end *end, br_error *err)
{
    const char *path = br_file_path(reader->file);
    br_segment_tail tail;
    bool is_short = reader->size_bytes < TAIL_READ_BYTES;
    BR_TRY(read_end(reader, is_short ? 0 : reader->size_bytes - TAIL_READ_BYTES, end, err));
    const uint8_t *bytes = end->bytes + (reader->size_bytes - BR_SEGMENT_TAIL_BYTES - end->first);
    BR_TRY(br_segment_tail_read(bytes, reader->size_bytes, path, &tail, err));
    if (tail.footer_offset < end->first) BR_TRY(read_end(reader, tail.footer_offset, end, err));
    bytes = end->bytes + (tail.footer_offset - end->first);
    BR_TRY(br_segment_footer_read(bytes, &tail, path, &reader->footer, err));
    return read_sketches(reader, tail.footer_offset, end, err);
}

static br_status check_header(br_segment_reader *reader, br_error *err)
{
    const char *path = br_file_path(reader->file);
    uint8_t bytes[BR_SEGMENT_HEADER_BYTES];
    br_segment_header header;
    BR_TRY(br_file_read(reader->file, 0, bytes, sizeof bytes, err));
    BR_TRY(br_segment_header_read(bytes, path, &header, err));
    if (header.segment_id != reader->footer.segment_id)
        return br_segment_corrupt(path, err, "segment id of header", header.segment_id,
                                  reader->footer.segment_id);
    if (header.column_count != reader->footer.column_count)
        return br_segment_corrupt(path, err, "columns of header", header.column_count,
                                  reader->footer.column_count);
    return BR_OK;
}

static br_status reader_open(br_segment_reader *reader, const char *path,
                             const br_file_hook *hook, br_error *err)
{
    BR_TRY(br_file_open(path, BR_FILE_READ, hook, &reader->file, err));
    BR_TRY(br_file_size(reader->file, &reader->size_bytes, err));
    uint64_t size_min = BR_SEGMENT_HEADER_BYTES + BR_SEGMENT_TAIL_BYTES;
    if (reader->size_bytes < size_min)
        return br_segment_corrupt(path, err, "file bytes", reader->size_bytes, size_min);
    file_end end = {0};
    br_status status = read_footer(reader, &end, err);
    br_heap_free(end.bytes);
    BR_TRY(status);
    return check_header(reader, err);
}

br_status br_segment_reader_open(const char *path, const br_file_hook *hook,
                                 br_segment_reader **reader_out, br_error *err)
{
    br_segment_reader *reader = br_heap_zalloc(sizeof *reader);
    if (reader == NULL) return br_fail(err, BR_NOMEM, "%s: no memory for a reader", path);
    br_status status = reader_open(reader, path, hook, err);
    if (status != BR_OK) {
        br_segment_reader_close(reader);
        return status;
    }
    *reader_out = reader;
    return BR_OK;
}

void br_segment_reader_close(br_segment_reader *reader)
{
    if (reader == NULL) return;
    br_segment_footer_release(&reader->footer);
    br_heap_free(reader->sketches);
    br_file_close(reader->file);
    br_heap_free(reader);
}

uint64_t br_segment_reader_id(const br_segment_reader *reader)
{
    return reader->footer.segment_id;
}

uint64_t br_segment_reader_bytes(const br_segment_reader *reader) { return reader->size_bytes; }

uint64_t br_segment_reader_rows(const br_segment_reader *reader)
{
    return reader->footer.row_count;
}

uint32_t br_segment_reader_chunks(const br_segment_reader *reader)
{
    return reader->footer.chunk_count;
}

uint32_t br_segment_reader_columns(const br_segment_reader *reader)
{
    return reader->footer.column_count;
}

uint32_t br_segment_reader_chunk_rows(const br_segment_reader *reader, uint32_t chunk)
{
    br_assert(chunk < reader->footer.chunk_count);
    return reader->footer.chunk_rows[chunk];
}

const br_page_entry *br_segment_reader_entry(const br_segment_reader *reader, uint32_t column,
                                             uint32_t chunk)
{
    br_assert(column < reader->footer.column_count && chunk < reader->footer.chunk_count);
    return &reader->footer.entries[(size_t)column * reader->footer.chunk_count + chunk];
}

const br_sketch *br_segment_reader_sketch(const br_segment_reader *reader, uint32_t column)
{
    br_assert(column < reader->footer.column_count);
    return reader->sketches == NULL ? NULL : &reader->sketches[column];
}

br_status br_segment_reader_check_sketches(const br_segment_reader *reader, br_error *err)
{
    if (!reader->has_damage) return BR_OK;
    return br_fail(err, BR_CORRUPT, "%s: sketches of %u columns at offset %llu are damaged",
                   br_file_path(reader->file), reader->footer.column_count,
                   (unsigned long long)reader->footer.sketches.offset);
}

br_file *br_segment_reader_file(const br_segment_reader *reader) { return reader->file; }
