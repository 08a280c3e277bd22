// footer.c - header, footer and tail of a segment file to bytes and back.
//
// Header, 64 bytes:  0 magic[8]  8 u32 version  12 u32 columns  16 u64 segment_id  24 zeros
//                    56 u64 checksum of bytes 0..55
// Footer:            header of 64 bytes: 0 u64 segment_id  8 u32 columns  12 u32 chunks
//                        16 u64 rows  24 u32 bytes of a page entry  28 u32 bytes of a zone entry
//                        32 u64 offset, 40 u64 bytes and 48 u64 checksum of the sketches
//                        56 zeros
//                    u32 rows[chunks], zeros up to a multiple of 8
//                    page entries [columns][chunks]
//                    zone entries [columns][chunks][8]
// Page entry, 96:    0 u64 offset  8 u64 raw_bytes  16 u64 checksum  24 u32 stored_bytes
//                    28 u32 rows  32 u8 encoding  33 u8 class_mask  34 u16 zero
//                    36 u32 null_count  40 u32 distinct_estimate  44 u32 zero
//                    48 i64 int_min  56 i64 int_max  64 f64 real_min  72 f64 real_max
//                    80 u64 text_min  88 u64 text_max
// Zone entry, 24:    0 u8 class_mask  1 u8 class of the bounds, 0: none  2 u16 zero
//                    4 u32 null_count  8 min[8]  16 max[8]
// Tail, 64 bytes:    0 u64 footer_offset  8 u64 footer_bytes  16 u64 checksum of the footer
//                    24 u64 file_bytes  32 u32 version  36 u32 zero  40 u64 segment_id
//                    48 u64 checksum of bytes 0..47  56 magic[8]
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "base/hash.h"
#include "base/heap.h"
#include "format/segment.h"

enum {
    FOOTER_HEADER_BYTES = 64,
    PAGE_ENTRY_BYTES = 96,
    ZONE_ENTRY_BYTES = 24,
    MAGIC_BYTES = 8,
    HEADER_CHECKED_BYTES = 56,
    TAIL_CHECKED_BYTES = 48,
};

br_status br_segment_corrupt(const char *path, br_error *err, const char *what, uint64_t found,
                             uint64_t want)
{
    return br_fail(err, BR_CORRUPT, "%s: %s: found %llu, want %llu", path, what,
                   (unsigned long long)found, (unsigned long long)want);
}

// ---- header and tail -------------------------------------------------------------------------

void br_segment_header_write(const br_segment_header *header,
                             uint8_t bytes_out[BR_SEGMENT_HEADER_BYTES])
{
    memset(bytes_out, 0, BR_SEGMENT_HEADER_BYTES);
    memcpy(bytes_out, BR_SEGMENT_MAGIC, MAGIC_BYTES);
    br_store_u32(bytes_out + 8, BR_SEGMENT_VERSION);
    br_store_u32(bytes_out + 12, header->column_count);
    br_store_u64(bytes_out + 16, header->segment_id);
    br_store_u64(bytes_out + HEADER_CHECKED_BYTES, br_checksum(bytes_out, HEADER_CHECKED_BYTES));
}

static br_status check_part(const uint8_t *magic, uint32_t version, uint64_t checksum,
                            uint64_t stored_checksum, const char *path, br_error *err)
{
    if (memcmp(magic, BR_SEGMENT_MAGIC, MAGIC_BYTES) != 0)
        return br_fail(err, BR_CORRUPT, "%s: magic: found %016llx, want '%s'", path,
                       (unsigned long long)br_load_u64(magic), BR_SEGMENT_MAGIC);
    if (checksum != stored_checksum)
        return br_fail(err, BR_CORRUPT, "%s: header checksum: found %016llx, want %016llx", path,
                       (unsigned long long)checksum, (unsigned long long)stored_checksum);
    if (version != BR_SEGMENT_VERSION)
        return br_segment_corrupt(path, err, "version", version, BR_SEGMENT_VERSION);
    return BR_OK;
}

br_status br_segment_header_read(const uint8_t bytes[BR_SEGMENT_HEADER_BYTES], const char *path,
                                 br_segment_header *header_out, br_error *err)
{
    BR_TRY(check_part(bytes, br_load_u32(bytes + 8), br_checksum(bytes, HEADER_CHECKED_BYTES),
                      br_load_u64(bytes + HEADER_CHECKED_BYTES), path, err));
    *header_out = (br_segment_header){.segment_id = br_load_u64(bytes + 16),
                                      .column_count = br_load_u32(bytes + 12)};
    return BR_OK;
}

void br_segment_tail_write(const br_segment_tail *tail, uint8_t bytes_out[BR_SEGMENT_TAIL_BYTES])
{
    memset(bytes_out, 0, BR_SEGMENT_TAIL_BYTES);
    br_store_u64(bytes_out, tail->footer_offset);
    br_store_u64(bytes_out + 8, tail->footer_bytes);
    br_store_u64(bytes_out + 16, tail->footer_checksum);
    br_store_u64(bytes_out + 24, tail->file_bytes);
    br_store_u32(bytes_out + 32, BR_SEGMENT_VERSION);
    br_store_u64(bytes_out + 40, tail->segment_id);
    br_store_u64(bytes_out + TAIL_CHECKED_BYTES, br_checksum(bytes_out, TAIL_CHECKED_BYTES));
    memcpy(bytes_out + 56, BR_SEGMENT_MAGIC, MAGIC_BYTES);
}

br_status br_segment_tail_read(const uint8_t bytes[BR_SEGMENT_TAIL_BYTES], uint64_t file_bytes,
                               const char *path, br_segment_tail *tail_out, br_error *err)
{
    BR_TRY(check_part(bytes + 56, br_load_u32(bytes + 32), br_checksum(bytes, TAIL_CHECKED_BYTES),
                      br_load_u64(bytes + TAIL_CHECKED_BYTES), path, err));
    br_segment_tail tail = {.footer_offset = br_load_u64(bytes),
                            .footer_bytes = br_load_u64(bytes + 8),
                            .footer_checksum = br_load_u64(bytes + 16),
                            .file_bytes = br_load_u64(bytes + 24),
                            .segment_id = br_load_u64(bytes + 40)};
    if (tail.file_bytes != file_bytes)
        return br_segment_corrupt(path, err, "file bytes", file_bytes, tail.file_bytes);
    uint64_t end = file_bytes - BR_SEGMENT_TAIL_BYTES;
    if (tail.footer_offset < BR_SEGMENT_HEADER_BYTES || tail.footer_offset > end ||
        tail.footer_offset % BR_SEGMENT_PAGE_ALIGNMENT != 0)
        return br_segment_corrupt(path, err, "footer offset", tail.footer_offset, end);
    if (tail.footer_bytes != end - tail.footer_offset)
        return br_segment_corrupt(path, err, "footer bytes", tail.footer_bytes,
                                  end - tail.footer_offset);
    *tail_out = tail;
    return BR_OK;
}

// ---- writing the footer ----------------------------------------------------------------------

static void write_entry(const br_page_entry *entry, uint8_t *out)
{
    memset(out, 0, PAGE_ENTRY_BYTES);
    br_store_u64(out, entry->offset);
    br_store_u64(out + 8, entry->raw_bytes);
    br_store_u64(out + 16, entry->checksum);
    br_store_u32(out + 24, entry->stored_bytes);
    br_store_u32(out + 28, entry->row_count);
    out[32] = entry->encoding;
    out[33] = entry->stats.class_mask;
    br_store_u32(out + 36, entry->stats.null_count);
    br_store_u32(out + 40, entry->stats.distinct_estimate);
    br_store_u64(out + 48, (uint64_t)entry->stats.int_min);
    br_store_u64(out + 56, (uint64_t)entry->stats.int_max);
    br_store_u64(out + 64, br_bits_of_real(entry->stats.real_min));
    br_store_u64(out + 72, br_bits_of_real(entry->stats.real_max));
    br_store_u64(out + 80, entry->stats.text_min);
    br_store_u64(out + 88, entry->stats.text_max);
}

// A zone of one class has its bounds; one with several has none, which prunes nothing.
static uint8_t bounds_class_of(uint8_t class_mask)
{
    unsigned mask = class_mask & (BR_MASK_INT | BR_MASK_REAL | BR_MASK_TEXT);
    if (mask == BR_MASK_INT) return BR_INT;
    if (mask == BR_MASK_REAL) return BR_REAL;
    return mask == BR_MASK_TEXT ? BR_TEXT : 0;
}

static void write_zone(const br_zone_stats *zone, uint8_t *out)
{
    memset(out, 0, ZONE_ENTRY_BYTES);
    out[0] = zone->class_mask;
    out[1] = bounds_class_of(zone->class_mask);
    br_store_u32(out + 4, zone->null_count);
    if (out[1] == BR_INT) {
        br_store_u64(out + 8, (uint64_t)zone->int_min);
        br_store_u64(out + 16, (uint64_t)zone->int_max);
    } else if (out[1] == BR_REAL) {
        br_store_u64(out + 8, br_bits_of_real(zone->real_min));
        br_store_u64(out + 16, br_bits_of_real(zone->real_max));
    } else if (out[1] == BR_TEXT) {
        br_store_u64(out + 8, zone->text_min);
        br_store_u64(out + 16, zone->text_max);
    }
}

br_status br_segment_footer_append(const br_segment_footer *footer, br_buffer *out, br_error *err)
{
    uint8_t bytes[PAGE_ENTRY_BYTES] = {0};
    br_store_u64(bytes, footer->segment_id);
    br_store_u32(bytes + 8, footer->column_count);
    br_store_u32(bytes + 12, footer->chunk_count);
    br_store_u64(bytes + 16, footer->row_count);
    br_store_u32(bytes + 24, PAGE_ENTRY_BYTES);
    br_store_u32(bytes + 28, ZONE_ENTRY_BYTES);
    br_store_u64(bytes + 32, footer->sketches.offset);
    br_store_u64(bytes + 40, footer->sketches.size_bytes);
    br_store_u64(bytes + 48, footer->sketches.checksum);
    BR_TRY(br_append(out, bytes, FOOTER_HEADER_BYTES, err));
    size_t rows_bytes = footer->chunk_count * sizeof(uint32_t);
    BR_TRY(br_append(out, footer->chunk_rows, rows_bytes, err));
    if (!br_buffer_append_zeros(out, rows_bytes % 8)) return br_fail_nomem(err, 8);
    uint32_t pages = footer->column_count * footer->chunk_count;
    for (uint32_t page = 0; page < pages; page++) {
        write_entry(&footer->entries[page], bytes);
        BR_TRY(br_append(out, bytes, PAGE_ENTRY_BYTES, err));
    }
    for (uint32_t zone = 0; zone < pages * BR_ZONES_PER_CHUNK; zone++) {
        const br_page_entry *entry = &footer->entries[zone / BR_ZONES_PER_CHUNK];
        write_zone(&entry->zones[zone % BR_ZONES_PER_CHUNK], bytes);
        BR_TRY(br_append(out, bytes, ZONE_ENTRY_BYTES, err));
    }
    return BR_OK;
}

// ---- reading the footer ----------------------------------------------------------------------

// Where the parts of a footer lie in its bytes.
typedef struct footer_parts {
    const char *path;
    const uint8_t *chunk_rows, *entries, *zones;
    uint64_t pages_end;  // file offset that no page goes past
} footer_parts;

static br_status read_counts(const uint8_t *bytes, const br_segment_tail *tail,
                             br_segment_footer *footer, footer_parts *parts, br_error *err)
{
    const char *path = parts->path;
    if (tail->footer_bytes < FOOTER_HEADER_BYTES)
        return br_segment_corrupt(path, err, "footer bytes", tail->footer_bytes,
                                  FOOTER_HEADER_BYTES);
    footer->segment_id = br_load_u64(bytes);
    footer->column_count = br_load_u32(bytes + 8);
    footer->chunk_count = br_load_u32(bytes + 12);
    footer->row_count = br_load_u64(bytes + 16);
    footer->sketches = (br_segment_extra){.offset = br_load_u64(bytes + 32),
                                          .size_bytes = br_load_u64(bytes + 40),
                                          .checksum = br_load_u64(bytes + 48)};
    if (footer->segment_id != tail->segment_id)
        return br_segment_corrupt(path, err, "segment id", footer->segment_id, tail->segment_id);
    if (footer->column_count > BR_SEGMENT_COLUMNS_MAX)
        return br_segment_corrupt(path, err, "columns", footer->column_count,
                                  BR_SEGMENT_COLUMNS_MAX);
    if (footer->chunk_count > BR_SEGMENT_CHUNKS_MAX)
        return br_segment_corrupt(path, err, "chunks", footer->chunk_count, BR_SEGMENT_CHUNKS_MAX);
    if (br_load_u32(bytes + 24) != PAGE_ENTRY_BYTES)
        return br_segment_corrupt(path, err, "page entry bytes", br_load_u32(bytes + 24),
                                  PAGE_ENTRY_BYTES);
    if (br_load_u32(bytes + 28) != ZONE_ENTRY_BYTES)
        return br_segment_corrupt(path, err, "zone entry bytes", br_load_u32(bytes + 28),
                                  ZONE_ENTRY_BYTES);
    uint64_t pages = (uint64_t)footer->column_count * footer->chunk_count;
    uint64_t rows_bytes = (footer->chunk_count * sizeof(uint32_t) + 7) / 8 * 8;
    uint64_t want_bytes = FOOTER_HEADER_BYTES + rows_bytes + pages * PAGE_ENTRY_BYTES +
                          pages * BR_ZONES_PER_CHUNK * ZONE_ENTRY_BYTES;
    if (tail->footer_bytes != want_bytes)
        return br_segment_corrupt(path, err, "footer bytes", tail->footer_bytes, want_bytes);
    parts->chunk_rows = bytes + FOOTER_HEADER_BYTES;
    parts->entries = parts->chunk_rows + rows_bytes;
    parts->zones = parts->entries + pages * PAGE_ENTRY_BYTES;
    return BR_OK;
}

static br_status read_chunk_rows(const footer_parts *parts, br_segment_footer *footer,
                                 br_error *err)
{
    uint64_t total = 0;
    for (uint32_t chunk = 0; chunk < footer->chunk_count; chunk++) {
        uint32_t rows = br_load_u32(parts->chunk_rows + chunk * sizeof(uint32_t));
        if (rows == 0 || rows > BR_CHUNK_ROWS)
            return br_segment_corrupt(parts->path, err, "rows of a chunk", rows, BR_CHUNK_ROWS);
        footer->chunk_rows[chunk] = rows;
        total += rows;
    }
    if (total != footer->row_count)
        return br_segment_corrupt(parts->path, err, "rows", footer->row_count, total);
    return BR_OK;
}

static br_status check_stats(const br_zone_stats *stats, const char *path, br_error *err)
{
    if (stats->class_mask == 0 || stats->class_mask > BR_MASK_ALL)
        return br_segment_corrupt(path, err, "class mask", stats->class_mask, BR_MASK_ALL);
    if (stats->null_count > stats->row_count)
        return br_segment_corrupt(path, err, "nulls", stats->null_count, stats->row_count);
    bool has_null = (stats->class_mask & BR_MASK_NULL) != 0;
    bool all_null = stats->class_mask == BR_MASK_NULL;
    if (has_null != (stats->null_count > 0) || all_null != (stats->null_count == stats->row_count))
        return br_segment_corrupt(path, err, "nulls against class mask", stats->null_count,
                                  stats->class_mask);
    bool is_ordered = (!(stats->class_mask & BR_MASK_INT) || stats->int_min <= stats->int_max) &&
                      (!(stats->class_mask & BR_MASK_REAL) || stats->real_min <= stats->real_max) &&
                      (!(stats->class_mask & BR_MASK_TEXT) || stats->text_min <= stats->text_max);
    if (!is_ordered) return br_segment_corrupt(path, err, "order of bounds", 1, 0);
    return BR_OK;
}

static void read_entry(const uint8_t *bytes, br_page_entry *entry)
{
    entry->offset = br_load_u64(bytes);
    entry->raw_bytes = br_load_u64(bytes + 8);
    entry->checksum = br_load_u64(bytes + 16);
    entry->stored_bytes = br_load_u32(bytes + 24);
    entry->row_count = br_load_u32(bytes + 28);
    entry->encoding = bytes[32];
    entry->stats = (br_zone_stats){.class_mask = bytes[33],
                                   .row_count = entry->row_count,
                                   .null_count = br_load_u32(bytes + 36),
                                   .distinct_estimate = br_load_u32(bytes + 40),
                                   .int_min = (int64_t)br_load_u64(bytes + 48),
                                   .int_max = (int64_t)br_load_u64(bytes + 56),
                                   .real_min = br_real_of_bits(br_load_u64(bytes + 64)),
                                   .real_max = br_real_of_bits(br_load_u64(bytes + 72)),
                                   .text_min = br_load_u64(bytes + 80),
                                   .text_max = br_load_u64(bytes + 88)};
}

static void read_zone(const uint8_t *bytes, uint32_t row_count, br_zone_stats *zone)
{
    br_zone_stats_init(zone);
    zone->class_mask = bytes[0];
    zone->row_count = row_count;
    zone->null_count = br_load_u32(bytes + 4);
    if (bytes[1] == BR_INT) {
        zone->int_min = (int64_t)br_load_u64(bytes + 8);
        zone->int_max = (int64_t)br_load_u64(bytes + 16);
    } else if (bytes[1] == BR_REAL) {
        zone->real_min = br_real_of_bits(br_load_u64(bytes + 8));
        zone->real_max = br_real_of_bits(br_load_u64(bytes + 16));
    } else if (bytes[1] == BR_TEXT) {
        zone->text_min = br_load_u64(bytes + 8);
        zone->text_max = br_load_u64(bytes + 16);
    } else {
        zone->int_min = INT64_MIN;
        zone->int_max = INT64_MAX;
        zone->real_min = -INFINITY;
        zone->real_max = INFINITY;
        zone->text_min = 0;
        zone->text_max = UINT64_MAX;
    }
}

static br_status read_zones(const uint8_t *bytes, br_page_entry *entry, const char *path,
                            br_error *err)
{
    static const uint8_t no_zone[ZONE_ENTRY_BYTES] = {0};
    uint32_t nulls = 0, mask = 0;
    for (uint32_t i = 0; i < BR_ZONES_PER_CHUNK; i++) {
        br_zone_stats *zone = &entry->zones[i];
        uint32_t first = i * BR_ZONE_ROWS;
        const uint8_t *stored = bytes + i * ZONE_ENTRY_BYTES;
        br_zone_stats_init(zone);
        if (first >= entry->row_count) {
            if (memcmp(stored, no_zone, ZONE_ENTRY_BYTES) != 0)
                return br_segment_corrupt(path, err, "zone past the end", i, 0);
            continue;
        }
        uint32_t left = entry->row_count - first;
        if (stored[1] != bounds_class_of(stored[0]))
            return br_segment_corrupt(path, err, "class of zone bounds", stored[1],
                                      bounds_class_of(stored[0]));
        read_zone(stored, left < BR_ZONE_ROWS ? left : BR_ZONE_ROWS, zone);
        BR_TRY(check_stats(zone, path, err));
        nulls += zone->null_count;
        mask |= zone->class_mask;
    }
    if (nulls != entry->stats.null_count)
        return br_segment_corrupt(path, err, "nulls of zones", nulls, entry->stats.null_count);
    if (mask != entry->stats.class_mask)
        return br_segment_corrupt(path, err, "classes of zones", mask, entry->stats.class_mask);
    return BR_OK;
}

// Pages lie in the order of their entries and do not overlap.
static br_status check_place(const br_page_entry *entry, uint64_t before_end,
                             const footer_parts *parts, br_error *err)
{
    if (entry->encoding >= BR_ENCODING_COUNT)
        return br_segment_corrupt(parts->path, err, "encoding", entry->encoding,
                                  BR_ENCODING_COUNT - 1);
    if (entry->offset % BR_SEGMENT_PAGE_ALIGNMENT != 0 || entry->offset < before_end)
        return br_segment_corrupt(parts->path, err, "page offset", entry->offset, before_end);
    if (entry->offset > parts->pages_end || entry->stored_bytes > parts->pages_end - entry->offset)
        return br_segment_corrupt(parts->path, err, "page end",
                                  entry->offset + entry->stored_bytes, parts->pages_end);
    return BR_OK;
}

static br_status read_entries(const footer_parts *parts, br_segment_footer *footer, br_error *err)
{
    uint64_t before_end = BR_SEGMENT_HEADER_BYTES;
    uint32_t pages = footer->column_count * footer->chunk_count;
    for (uint32_t page = 0; page < pages; page++) {
        br_page_entry *entry = &footer->entries[page];
        read_entry(parts->entries + (size_t)page * PAGE_ENTRY_BYTES, entry);
        uint32_t rows = footer->chunk_rows[page % footer->chunk_count];
        if (entry->row_count != rows)
            return br_segment_corrupt(parts->path, err, "rows of a page", entry->row_count, rows);
        BR_TRY(check_place(entry, before_end, parts, err));
        BR_TRY(check_stats(&entry->stats, parts->path, err));
        size_t zone_bytes = (size_t)BR_ZONES_PER_CHUNK * ZONE_ENTRY_BYTES;
        BR_TRY(read_zones(parts->zones + page * zone_bytes, entry, parts->path, err));
        before_end = entry->offset + entry->stored_bytes;
    }
    return BR_OK;
}

br_status br_segment_footer_read(const uint8_t *bytes, const br_segment_tail *tail,
                                 const char *path, br_segment_footer *footer_out, br_error *err)
{
    uint64_t checksum = br_checksum(bytes, tail->footer_bytes);
    if (checksum != tail->footer_checksum)
        return br_fail(err, BR_CORRUPT, "%s: footer checksum: found %016llx, want %016llx", path,
                       (unsigned long long)checksum, (unsigned long long)tail->footer_checksum);
    footer_parts parts = {.path = path, .pages_end = tail->footer_offset};
    BR_TRY(read_counts(bytes, tail, footer_out, &parts, err));
    size_t pages = (size_t)footer_out->column_count * footer_out->chunk_count;
    footer_out->chunk_rows = br_heap_array(footer_out->chunk_count, sizeof(uint32_t));
    footer_out->entries = br_heap_array(pages, sizeof(br_page_entry));
    if (footer_out->chunk_rows == NULL || footer_out->entries == NULL)
        return br_fail(err, BR_NOMEM, "%s: no memory for %zu page entries", path, pages);
    BR_TRY(read_chunk_rows(&parts, footer_out, err));
    return read_entries(&parts, footer_out, err);
}

void br_segment_footer_release(br_segment_footer *footer)
{
    br_heap_free(footer->chunk_rows);
    br_heap_free(footer->entries);
    *footer = (br_segment_footer){0};
}
