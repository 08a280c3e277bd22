// view.c - what a version tells its readers.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/version.h"

const br_table_spec *br_table_view_spec(const br_table_view *view) { return &view->spec; }

uint64_t br_table_view_rows(const br_table_view *view) { return view->live_rows; }

uint64_t br_table_view_delta_rows(const br_table_view *view)
{
    return view->delta_rows - br_mask_set_dead_count(view->delta_masks);
}

uint32_t br_table_view_chunks(const br_table_view *view)
{
    return view->segment_chunks + br_delta_chunks(view->delta_rows);
}

uint32_t br_table_view_chunk_rows(const br_table_view *view, uint32_t chunk)
{
    br_assert(chunk < br_table_view_chunks(view));
    if (chunk >= view->segment_chunks)
        return br_delta_chunk_rows(view->delta_rows, chunk - view->segment_chunks);
    const br_version_segment *item = br_version_find_chunk(view, chunk);
    return br_segment_chunk_rows(item->segment, chunk - item->first_chunk);
}

uint32_t br_table_view_segments(const br_table_view *view) { return view->segment_count; }

const br_zone_stats *br_table_view_stats(const br_table_view *view, uint32_t column)
{
    br_assert(column <= view->spec.column_count);
    return &view->stats->stats[column];
}

const br_common_values *br_table_view_common(const br_table_view *view, uint32_t column)
{
    br_assert(column <= view->spec.column_count);
    return &view->segment_stats->common[column];
}

static uint64_t delta_bytes(const br_table_view *view, uint32_t column)
{
    return view->delta_rows == 0 ? 0
                                 : br_delta_column_bytes(view->delta, column, view->delta_rows);
}

uint64_t br_table_view_raw_bytes(const br_table_view *view)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < view->segment_count; i++)
        total += view->segments[i].segment->raw_bytes;
    for (uint32_t column = 0; column < br_version_columns(view); column++)
        total += delta_bytes(view, column);
    return total;
}

uint64_t br_table_view_stored_bytes(const br_table_view *view)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < view->segment_count; i++)
        total += view->segments[i].segment->stored_bytes;
    return total;
}

uint64_t br_table_view_column_bytes(const br_table_view *view, uint32_t column)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < view->segment_count; i++) {
        const br_segment *segment = view->segments[i].segment;
        for (uint32_t chunk = 0; chunk < segment->chunk_count; chunk++)
            total += br_segment_entry(segment, column, chunk)->stored_bytes;
    }
    return total;
}

br_status br_table_view_encodings(const br_table_view *view, uint32_t column, br_arena *arena,
                                  const char **text_out, br_error *err)
{
    uint32_t counts[BR_ENCODING_COUNT] = {0};
    for (uint32_t i = 0; i < view->segment_count; i++) {
        const br_segment *segment = view->segments[i].segment;
        for (uint32_t chunk = 0; chunk < segment->chunk_count; chunk++)
            counts[br_segment_entry(segment, column, chunk)->encoding]++;
    }
    const char *text = "";
    for (uint32_t i = 0; i < BR_ENCODING_COUNT && text != NULL; i++) {
        if (counts[i] == 0) continue;
        text = br_arena_format(arena, "%s%s%s %u", text, *text == 0 ? "" : ", ",
                               br_encoding_name((br_encoding)i), counts[i]);
    }
    if (text == NULL) return br_fail(err, BR_NOMEM, "no memory to list encodings");
    *text_out = text;
    return BR_OK;
}

// ---- verifying -------------------------------------------------------------------------------

static br_status verify_page(const br_segment *segment, uint32_t column, uint32_t chunk,
                             br_buffer *bytes, br_error *err)
{
    const br_page_entry *entry = br_segment_entry(segment, column, chunk);
    if (segment->columns[column].is_constant) return BR_OK;
    br_buffer_clear(bytes);
    if (!br_buffer_reserve(bytes, entry->stored_bytes))
        return br_fail(err, BR_NOMEM, "no memory for a page of %u bytes", entry->stored_bytes);
    BR_TRY(br_file_read(br_segment_reader_file(segment->reader), entry->offset, bytes->bytes,
                        entry->stored_bytes, err));
    char place[320];
    snprintf(place, sizeof place, "%s: page at offset %" PRIu64, segment->path, entry->offset);
    br_page *page = NULL;
    BR_TRY(br_page_open(bytes->bytes, entry->stored_bytes, entry, segment->cache->kernels, place,
                        segment->cache->quota, &page, err));
    br_page_free(page);
    return BR_OK;
}

br_status br_table_view_verify(const br_table_view *view, br_error *err)
{
    br_buffer bytes = {0};
    br_status status = BR_OK;
    for (uint32_t i = 0; i < view->segment_count; i++) {
        const br_segment *segment = view->segments[i].segment;
        uint32_t page_count = segment->column_count * segment->chunk_count;
        if (status == BR_OK) status = br_segment_reader_check_sketches(segment->reader, err);
        for (uint32_t page = 0; page < page_count && status == BR_OK; page++)
            status = verify_page(segment, page / segment->chunk_count, page % segment->chunk_count,
                                 &bytes, err);
    }
    br_buffer_release(&bytes);
    return status;
}
