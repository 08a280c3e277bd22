// segment.c - opening, sharing and removing segment files.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/segment.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

enum { ID_DIGITS = 16, NAME_BYTES = ID_DIGITS + 4 };

char *br_segment_path(const char *folder, uint64_t segment_id)
{
    size_t size_bytes = strlen(folder) + 1 + NAME_BYTES + 1;
    char *path = br_heap_alloc(size_bytes);
    if (path != NULL) snprintf(path, size_bytes, "%s/%016" PRIx64 ".brd", folder, segment_id);
    return path;
}

bool br_segment_parse_name(const char *name, uint64_t *segment_id_out)
{
    if (strlen(name) != NAME_BYTES || strcmp(name + ID_DIGITS, ".brd") != 0) return false;
    uint64_t segment_id = 0;
    for (uint32_t i = 0; i < ID_DIGITS; i++) {
        char digit = name[i];
        uint32_t value;
        if (digit >= '0' && digit <= '9') value = (uint32_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f') value = (uint32_t)(digit - 'a') + 10;
        else return false;
        segment_id = segment_id << 4 | value;
    }
    *segment_id_out = segment_id;
    return true;
}

// ---- statistics ------------------------------------------------------------------------------

typedef struct bounds {
    double min, max;
} bounds;

// How much of the narrower range lies in the other one, 0 to 1.
static double share_of_overlap(bounds left, bounds right)
{
    double low = left.min > right.min ? left.min : right.min;
    double high = left.max < right.max ? left.max : right.max;
    double width = left.max - left.min;
    if (right.max - right.min < width) width = right.max - right.min;
    if (low > high) return 0;
    return width > 0 ? (high - low) / width : 1;
}

static double ranges_overlap(const br_zone_stats *left, const br_zone_stats *right)
{
    unsigned mask = left->class_mask & right->class_mask;
    double share = (mask & BR_MASK_BLOB) != 0, other = 0;
    if (mask & BR_MASK_INT)
        other = share_of_overlap((bounds){(double)left->int_min, (double)left->int_max},
                                 (bounds){(double)right->int_min, (double)right->int_max});
    if (other > share) share = other;
    if (mask & BR_MASK_REAL)
        other = share_of_overlap((bounds){left->real_min, left->real_max},
                                 (bounds){right->real_min, right->real_max});
    if (other > share) share = other;
    if (mask & BR_MASK_TEXT)
        other = share_of_overlap((bounds){(double)left->text_min, (double)left->text_max},
                                 (bounds){(double)right->text_min, (double)right->text_max});
    return other > share ? other : share;
}

// How many distinct values there are if samples of `row_count` rows show `distinct` of them: the D
// that solves distinct = D * (1 - exp(-row_count / D)), by bisection.
static double distinct_of_samples(double distinct, double row_count)
{
    if (distinct >= row_count * 0.999) return HUGE_VAL;
    double low = distinct, high = distinct;
    while (high * (1 - exp(-row_count / high)) < distinct) high *= 2;
    for (int step = 0; step < 30; step++) {
        double middle = (low + high) / 2;
        if (middle * (1 - exp(-row_count / middle)) < distinct) low = middle;
        else high = middle;
    }
    return high;
}

// Without a sketch: parts have no value in common where their ranges do not overlap (in a sorted
// column neighbours share one value at most); where they do they are taken for samples of the same
// set.
uint32_t br_distinct_merge(const br_zone_stats *const *parts, uint32_t part_count,
                           const br_sketch *sketch)
{
    double sum = 0, largest = 0, row_count = 0;
    double overlaps = 0;
    for (uint32_t i = 0; i < part_count; i++) {
        double distinct = parts[i]->distinct_estimate;
        sum += distinct;
        if (distinct > largest) largest = distinct;
        row_count += parts[i]->row_count;
        if (i > 0) overlaps += ranges_overlap(parts[i - 1], parts[i]);
    }
    double estimate = sum;
    if (part_count > 1 && sketch != NULL) {
        // Counts of single pages are nearer to the truth than sketches are, and bound the union.
        estimate = fmin(fmax(br_sketch_distinct(sketch), largest), sum);
    } else if (part_count > 1 && overlaps > 0 && sum > 0) {
        double shared = distinct_of_samples(sum / part_count, row_count / part_count);
        if (shared > sum) shared = sum;
        if (shared < largest) shared = largest;
        double overlap = overlaps / (part_count - 1);
        estimate = overlap * shared + (1 - overlap) * sum;
    }
    if (estimate > row_count) estimate = row_count;
    return estimate >= (double)UINT32_MAX ? UINT32_MAX : (uint32_t)estimate;
}

br_status br_segment_merge_stats(br_segment *segment, br_error *err)
{
    segment->stats = br_heap_array(segment->column_count, sizeof *segment->stats);
    const br_zone_stats **parts = br_heap_array(segment->chunk_count, sizeof *parts);
    if (segment->stats == NULL || parts == NULL) {
        br_heap_free(parts);
        return br_fail(err, BR_NOMEM, "no memory for statistics of '%s'", segment->path);
    }
    for (uint32_t column = 0; column < segment->column_count; column++) {
        br_zone_stats *stats = &segment->stats[column];
        br_zone_stats_init(stats);
        for (uint32_t chunk = 0; chunk < segment->chunk_count; chunk++) {
            const br_page_entry *entry = br_segment_entry(segment, column, chunk);
            br_zone_stats_merge(stats, &entry->stats);
            parts[chunk] = &entry->stats;
            segment->raw_bytes += entry->raw_bytes;
        }
        stats->distinct_estimate =
            br_distinct_merge(parts, segment->chunk_count, br_segment_sketch(segment, column));
    }
    br_heap_free(parts);
    const br_zone_stats *key = &segment->stats[segment->column_count - 1];
    segment->key_min = key->int_min;
    segment->key_max = key->int_max;
    return BR_OK;
}

// ---- life cycle ------------------------------------------------------------------------------

// The footer is verified by format/; here is what only columnar/ demands of it.
static br_status segment_check(const br_segment *segment, br_error *err)
{
    uint64_t found_id = br_segment_reader_id(segment->reader);
    if (found_id != segment->segment_id)
        return br_fail(err, BR_CORRUPT, "%s: segment id %" PRIu64 ", want %" PRIu64, segment->path,
                       found_id, segment->segment_id);
    const br_page_entry *before = NULL;
    for (uint32_t chunk = 0; chunk < segment->chunk_count; chunk++) {
        const br_page_entry *entry =
            br_segment_entry(segment, segment->column_count - 1, chunk);
        uint32_t row_count = br_segment_chunk_rows(segment, chunk);
        if (row_count == 0 || row_count > BR_CHUNK_ROWS)
            return br_fail(err, BR_CORRUPT, "%s: chunk %u has %u rows", segment->path, chunk,
                           row_count);
        if (entry->stats.class_mask != BR_MASK_INT)
            return br_fail(err, BR_CORRUPT, "%s: chunk %u: keys of classes %x, want integers",
                           segment->path, chunk, entry->stats.class_mask);
        if (before != NULL && entry->stats.int_min <= before->stats.int_max)
            return br_fail(err, BR_CORRUPT, "%s: chunk %u: keys from %" PRId64
                           ", want more than %" PRId64, segment->path, chunk,
                           entry->stats.int_min, before->stats.int_max);
        before = entry;
    }
    return BR_OK;
}

static const br_sketch *sketch_of(const br_segment_reader *reader, uint32_t column)
{
    const br_sketch *sketch = br_segment_reader_sketch(reader, column);
    return sketch == NULL || sketch->common.row_count == 0 ? NULL : sketch;
}

static br_status make_columns(br_segment *segment, br_error *err)
{
    size_t slot_count = (size_t)segment->column_count * segment->chunk_count;
    segment->slots = br_heap_array(slot_count, sizeof *segment->slots);
    segment->columns = br_heap_array(segment->column_count, sizeof *segment->columns);
    if (segment->slots == NULL || segment->columns == NULL)
        return br_fail(err, BR_NOMEM, "no memory for the pages of '%s'", segment->path);
    for (uint32_t i = 0; i < segment->column_count; i++) {
        segment->columns[i].slots = &segment->slots[(size_t)i * segment->chunk_count];
        segment->columns[i].entries = br_segment_reader_entry(segment->reader, i, 0);
        segment->columns[i].sketch = sketch_of(segment->reader, i);
    }
    return BR_OK;
}

static br_status segment_fill(br_segment *segment, br_error *err)
{
    BR_TRY(br_segment_reader_open(segment->path, segment->hook, &segment->reader, err));
    segment->column_count = br_segment_reader_columns(segment->reader);
    segment->chunk_count = br_segment_reader_chunks(segment->reader);
    segment->row_count = br_segment_reader_rows(segment->reader);
    segment->stored_bytes = br_segment_reader_bytes(segment->reader);
    if (segment->chunk_count == 0 || segment->column_count == 0)
        return br_fail(err, BR_CORRUPT, "%s: %u chunks of %u columns", segment->path,
                       segment->chunk_count, segment->column_count);
    BR_TRY(make_columns(segment, err));
    BR_TRY(segment_check(segment, err));
    return br_segment_merge_stats(segment, err);
}

static void segment_free(br_segment *segment)
{
    br_page_cache *cache = segment->cache;
    if (segment->slots != NULL) br_page_cache_forget(segment->cache, segment);
    if (segment->reader != NULL) br_segment_reader_close(segment->reader);
    br_heap_free(segment->slots);
    br_heap_free(segment->columns);
    br_heap_free(segment->stats);
    br_heap_free(segment->path);
    br_heap_free(segment);
    // Release pairs with the acquire of br_store_is_deserted: nothing uses the cache after this.
    atomic_fetch_sub_explicit(&cache->segment_count, 1, memory_order_release);
}

br_status br_segment_open(const br_segment_source *source, bool is_named,
                          br_segment **segment_out, br_error *err)
{
    br_segment *segment = br_heap_zalloc(sizeof *segment);
    if (segment == NULL) return br_fail(err, BR_NOMEM, "no memory for a segment");
    atomic_init(&segment->refs, 1);
    atomic_init(&segment->is_named, is_named);
    segment->keep_file = source->keep_file;
    segment->segment_id = source->segment_id;
    segment->cache = source->cache;
    // Relaxed: whoever opens is the writer.
    atomic_fetch_add_explicit(&source->cache->segment_count, 1, memory_order_relaxed);
    segment->hook = source->hook;
    segment->path = br_segment_path(source->folder, source->segment_id);
    br_status status = segment->path != NULL
                           ? segment_fill(segment, err)
                           : br_fail(err, BR_NOMEM, "no memory for a segment's path");
    if (status != BR_OK) {
        segment_free(segment);
        return status;
    }
    *segment_out = segment;
    return BR_OK;
}

br_segment *br_segment_acquire(br_segment *segment)
{
    // Relaxed: whoever acquires already holds a reference.
    atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
    return segment;
}

void br_segment_drop(br_segment *segment)
{
    // Release pairs with acquire of the last dropper: all uses happen before the removal.
    if (segment == NULL ||
        atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (segment->file != NULL) {
        br_segment_free_reshaped(segment);
        return;
    }
    // Acquire pairs with the writer's release store after its commit.
    bool is_named = atomic_load_explicit(&segment->is_named, memory_order_acquire);
    if (!is_named && !segment->keep_file) {
        br_error ignored;  // a file that stays is removed by the next open
        (void)!br_file_remove(segment->path, segment->hook, &ignored);
    }
    segment_free(segment);
}

uint32_t br_segment_find_chunk(const br_segment *segment, int64_t key)
{
    uint32_t low = 0, high = segment->chunk_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const br_page_entry *entry =
            br_segment_entry(segment, segment->column_count - 1, middle);
        if (entry->stats.int_max < key) low = middle + 1;
        else high = middle;
    }
    return low;
}
