// version.c - building and sharing versions of a table.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/version.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

// ---- texts -----------------------------------------------------------------------------------

static size_t text_bytes(const char *text) { return text == NULL ? 0 : strlen(text) + 1; }

static const char *text_put(char **at, const char *text)
{
    size_t size_bytes = text_bytes(text);
    if (size_bytes == 0) return NULL;
    char *copy = *at;
    memcpy(copy, text, size_bytes);
    *at += size_bytes;
    return copy;
}

static br_table_texts *texts_new(const br_table_spec *spec)
{
    size_t names_bytes = spec->column_count * sizeof(char *);
    size_t size_bytes = text_bytes(spec->name) + text_bytes(spec->definition);
    for (uint32_t i = 0; i < spec->column_count; i++)
        size_bytes += text_bytes(spec->column_names[i]);
    br_table_texts *texts = br_heap_alloc(sizeof *texts + names_bytes + size_bytes);
    if (texts == NULL) return NULL;
    const char **names = (const char **)(texts + 1);
    char *at = (char *)names + names_bytes;
    atomic_init(&texts->refs, 1);
    texts->spec = *spec;
    texts->spec.name = text_put(&at, spec->name);
    texts->spec.definition = text_put(&at, spec->definition);
    texts->spec.column_names = names;
    for (uint32_t i = 0; i < spec->column_count; i++)
        names[i] = text_put(&at, spec->column_names[i]);
    return texts;
}

static void texts_drop(br_table_texts *texts)
{
    // Release pairs with acquire of the last dropper; so in the drops below.
    if (texts != NULL && atomic_fetch_sub_explicit(&texts->refs, 1, memory_order_acq_rel) == 1)
        br_heap_free(texts);
}

// ---- statistics ------------------------------------------------------------------------------

static br_stats_set *stats_new(uint32_t column_count)
{
    br_stats_set *set = br_heap_alloc(sizeof *set + column_count * sizeof(br_zone_stats));
    if (set == NULL) return NULL;
    atomic_init(&set->refs, 1);
    set->column_count = column_count;
    set->common = NULL;
    return set;
}

static br_stats_set *stats_acquire(br_stats_set *set)
{
    if (set != NULL) atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

static void stats_drop(br_stats_set *set)
{
    if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    br_heap_free(set->common);
    br_heap_free(set);
}

// The sketch of a column over all segments; false: a segment has none.
static bool sketch_of_segments(const br_version *version, uint32_t column, br_sketch *sketch)
{
    for (uint32_t i = 0; i < version->segment_count; i++) {
        const br_sketch *part = br_segment_sketch(version->segments[i].segment, column);
        if (part == NULL) return false;
        if (i == 0) *sketch = *part;
        else br_sketch_merge(sketch, part);
    }
    return version->segment_count > 0;
}

static void merge_segments(const br_version *version, uint32_t column,
                           const br_zone_stats **parts, br_stats_set *set)
{
    br_zone_stats *stats = &set->stats[column];
    br_sketch sketch;
    br_zone_stats_init(stats);
    for (uint32_t i = 0; i < version->segment_count; i++) {
        parts[i] = &version->segments[i].segment->stats[column];
        br_zone_stats_merge(stats, parts[i]);
    }
    bool is_known = sketch_of_segments(version, column, &sketch);
    stats->distinct_estimate =
        br_distinct_merge(parts, version->segment_count, is_known ? &sketch : NULL);
    if (is_known) set->common[column] = sketch.common;
}

// Statistics of all rows of the segments, or NULL when there is no memory.
static br_stats_set *stats_of_segments(const br_version *version)
{
    uint32_t column_count = br_version_columns(version);
    br_stats_set *set = stats_new(column_count);
    const br_zone_stats **parts = br_heap_array(version->segment_count, sizeof *parts);
    if (set != NULL) set->common = br_heap_array(column_count, sizeof *set->common);
    if (set == NULL || parts == NULL || set->common == NULL) {
        stats_drop(set);
        br_heap_free(parts);
        return NULL;
    }
    for (uint32_t column = 0; column < column_count; column++)
        merge_segments(version, column, parts, set);
    br_heap_free(parts);
    return set;
}

static uint32_t clip(uint64_t count) { return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count; }

// The delta keeps no sketches: without segments a guess from the range must do.
static uint32_t delta_distinct(const br_zone_stats *delta)
{
    if ((delta->class_mask & (unsigned)~BR_MASK_NULL) != BR_MASK_INT) return 0;
    uint64_t range = (uint64_t)delta->int_max - (uint64_t)delta->int_min;
    return range < delta->row_count ? (uint32_t)range + 1 : delta->row_count;
}

static void stats_finish(const br_version *version, br_stats_set *set, bool has_delta)
{
    for (uint32_t column = 0; column < set->column_count; column++) {
        br_zone_stats *stats = &set->stats[column];
        uint32_t distinct = version->segment_stats->stats[column].distinct_estimate;
        *stats = version->segment_stats->stats[column];
        if (has_delta) {
            const br_zone_stats *delta = &version->delta_stats->stats[column];
            uint32_t guess = delta_distinct(delta);
            br_zone_stats_merge(stats, delta);
            if (guess > distinct) distinct = guess;
        }
        stats->distinct_estimate = distinct;
    }
    set->stats[set->column_count - 1].distinct_estimate = clip(version->live_rows);
}

static br_status no_memory(const br_version *version, br_error *err)
{
    return br_fail(err, BR_NOMEM, "no memory for a version of table '%s'", version->spec.name);
}

br_status br_version_seal(br_version *draft, br_error *err)
{
    bool has_delta = draft->delta_rows > 0;
    if (!has_delta && draft->delta != NULL) br_version_clear_delta(draft);
    if (draft->segment_stats == NULL) draft->segment_stats = stats_of_segments(draft);
    if (draft->segment_stats == NULL) return no_memory(draft, err);
    if (has_delta && draft->delta_stats == NULL) {
        draft->delta_stats = stats_new(br_version_columns(draft));
        if (draft->delta_stats == NULL) return no_memory(draft, err);
        memcpy(draft->delta_stats->stats, draft->delta->stats,
               draft->delta_stats->column_count * sizeof(br_zone_stats));
    }
    if (draft->stats == NULL) {
        draft->stats = stats_new(br_version_columns(draft));
        if (draft->stats == NULL) return no_memory(draft, err);
        stats_finish(draft, draft->stats, has_delta);
    }
    return BR_OK;
}

// ---- life cycle ------------------------------------------------------------------------------

br_status br_version_new(const br_table_spec *spec, br_version **draft_out, br_error *err)
{
    br_version *draft = br_heap_zalloc(sizeof *draft);
    br_table_texts *texts = texts_new(spec);
    if (draft == NULL || texts == NULL) {
        br_heap_free(draft);
        texts_drop(texts);
        return br_fail(err, BR_NOMEM, "no memory for table '%s'", spec->name);
    }
    atomic_init(&draft->refs, 1);
    draft->texts = texts;
    draft->spec = texts->spec;
    *draft_out = draft;
    return BR_OK;
}

br_status br_version_copy(const br_version *version, br_version **draft_out, br_error *err)
{
    br_version *draft = br_heap_alloc(sizeof *draft);
    br_version_segment *segments = br_heap_alloc(version->segment_count * sizeof *segments);
    if (draft == NULL || segments == NULL) {
        br_heap_free(draft);
        br_heap_free(segments);
        return no_memory(version, err);
    }
    memcpy(draft, version, sizeof *draft);
    atomic_init(&draft->refs, 1);
    atomic_fetch_add_explicit(&draft->texts->refs, 1, memory_order_relaxed);
    draft->segments = segments;
    for (uint32_t i = 0; i < version->segment_count; i++) {
        segments[i] = version->segments[i];
        br_segment_acquire(segments[i].segment);
        br_mask_set_acquire(segments[i].masks);
    }
    br_delta_acquire(draft->delta);
    br_mask_set_acquire(draft->delta_masks);
    stats_acquire(draft->segment_stats);
    stats_acquire(draft->delta_stats);
    stats_acquire(draft->stats);
    *draft_out = draft;
    return BR_OK;
}

br_version *br_version_acquire(br_version *version)
{
    atomic_fetch_add_explicit(&version->refs, 1, memory_order_relaxed);
    return version;
}

static void segments_release(br_version_segment *segments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        br_mask_set_drop(segments[i].masks);
        br_segment_drop(segments[i].segment);
    }
    br_heap_free(segments);
}

void br_version_drop(br_version *version)
{
    if (version == NULL || atomic_fetch_sub_explicit(&version->refs, 1, memory_order_acq_rel) != 1)
        return;
    segments_release(version->segments, version->segment_count);
    br_delta_drop(version->delta);
    br_mask_set_drop(version->delta_masks);
    stats_drop(version->segment_stats);
    stats_drop(version->delta_stats);
    stats_drop(version->stats);
    texts_drop(version->texts);
    br_heap_free(version);
}

const br_version_segment *br_version_find_chunk(const br_version *version, uint32_t chunk)
{
    br_assert(chunk < version->segment_chunks);
    uint32_t low = 0, high = version->segment_count - 1;
    while (low < high) {  // the last segment that begins at or before the chunk
        uint32_t middle = low + (high - low + 1) / 2;
        if (version->segments[middle].first_chunk <= chunk) low = middle;
        else high = middle - 1;
    }
    return &version->segments[low];
}

// ---- drafts ----------------------------------------------------------------------------------

static void stats_forget(br_stats_set **set)
{
    stats_drop(*set);
    *set = NULL;
}

br_status br_version_set_segments(br_version *draft, const br_version_segment *items,
                                  uint32_t count, br_error *err)
{
    br_version_segment *segments = br_heap_alloc(count * sizeof *segments);
    if (segments == NULL) return no_memory(draft, err);
    uint32_t chunks = 0;
    for (uint32_t i = 0; i < count; i++) {
        segments[i] = items[i];
        segments[i].first_chunk = chunks;
        chunks += items[i].segment->chunk_count;
        br_segment_acquire(items[i].segment);
        br_mask_set_acquire(items[i].masks);
    }
    segments_release(draft->segments, draft->segment_count);
    draft->segments = segments;
    draft->segment_count = count;
    draft->segment_chunks = chunks;
    stats_forget(&draft->segment_stats);
    stats_forget(&draft->stats);
    br_version_count_live(draft);
    return BR_OK;
}

void br_version_clear_delta(br_version *draft)
{
    br_delta_drop(draft->delta);
    br_mask_set_drop(draft->delta_masks);
    draft->delta = NULL;
    draft->delta_masks = NULL;
    draft->delta_rows = 0;
    stats_forget(&draft->delta_stats);
    stats_forget(&draft->stats);
    br_version_count_live(draft);
}

void br_version_clear(br_version *draft)
{
    segments_release(draft->segments, draft->segment_count);
    draft->segments = NULL;
    draft->segment_count = draft->segment_chunks = 0;
    stats_forget(&draft->segment_stats);
    br_version_clear_delta(draft);
}

br_status br_version_open_delta(br_version *draft, br_quota *quota, br_error *err)
{
    if (draft->delta == NULL)
        BR_TRY(br_delta_new(br_version_columns(draft), quota, &draft->delta, err));
    // Appending widens them.
    stats_forget(&draft->delta_stats);
    stats_forget(&draft->stats);
    return BR_OK;
}

// A delta with the same rows, dead ones too: masks go by position.
static br_status delta_reshape(const br_version *draft, const br_reshape *reshape, br_quota *quota,
                               br_delta **delta_out, br_error *err)
{
    br_delta *delta = NULL;
    br_value *values = br_heap_array(reshape->column_count, sizeof *values);
    br_status status = values == NULL
                           ? no_memory(draft, err)
                           : br_delta_new(reshape->column_count + 1, quota, &delta, err);
    for (uint32_t row = 0; row < draft->delta_rows && status == BR_OK; row++) {
        for (uint32_t i = 0; i < reshape->column_count; i++) {
            uint32_t from = reshape->from[i], chunk = row / BR_CHUNK_ROWS;
            values[i] = from == BR_COLUMN_ABSENT
                            ? reshape->values[i]
                            : br_column_value(br_delta_column(draft->delta, chunk, from),
                                              row % BR_CHUNK_ROWS);
        }
        status = br_delta_append(delta, br_delta_key(draft->delta, row), values, err);
    }
    br_heap_free(values);
    if (status == BR_OK) *delta_out = delta;
    else br_delta_drop(delta);
    return status;
}

static br_status segments_reshape(br_version *draft, const br_reshape *reshape, br_error *err)
{
    br_version_segment *items = br_heap_array(draft->segment_count, sizeof *items);
    if (items == NULL) return no_memory(draft, err);
    br_status status = BR_OK;
    uint32_t count = 0;
    while (count < draft->segment_count && status == BR_OK) {
        items[count] = draft->segments[count];
        items[count].segment = NULL;
        status = br_segment_reshape(draft->segments[count].segment, reshape,
                                    &items[count].segment, err);
        count++;
    }
    if (status == BR_OK) status = br_version_set_segments(draft, items, count, err);
    for (uint32_t i = 0; i < count; i++) br_segment_drop(items[i].segment);
    br_heap_free(items);
    return status;
}

static br_status rows_reshape(br_version *draft, const br_reshape *reshape, br_quota *quota,
                              br_error *err)
{
    br_delta *delta = NULL;
    if (draft->delta != NULL) BR_TRY(delta_reshape(draft, reshape, quota, &delta, err));
    br_status status = segments_reshape(draft, reshape, err);
    if (status != BR_OK) {
        br_delta_drop(delta);
        return status;
    }
    br_delta_drop(draft->delta);
    draft->delta = delta;
    stats_forget(&draft->delta_stats);
    return BR_OK;
}

br_status br_version_reshape(br_version *draft, const br_table_spec *spec,
                             const br_reshape *reshape, br_quota *quota, br_error *err)
{
    br_assert(reshape->column_count == spec->column_count);
    br_table_texts *texts = texts_new(spec);
    if (texts == NULL) return no_memory(draft, err);
    br_status status = BR_OK;
    if (!br_reshape_is_identity(reshape, draft->spec.column_count))
        status = rows_reshape(draft, reshape, quota, err);
    if (status != BR_OK) {
        texts_drop(texts);
        return status;
    }
    int64_t hi = draft->spec.hi;
    br_key_kind key_kind = draft->spec.key_kind;
    texts_drop(draft->texts);
    draft->texts = texts;
    draft->spec = texts->spec;
    draft->spec.hi = hi;
    draft->spec.key_kind = key_kind;
    stats_forget(&draft->stats);
    return BR_OK;
}

void br_version_count_live(br_version *draft)
{
    uint64_t live = draft->delta_rows - br_mask_set_dead_count(draft->delta_masks);
    for (uint32_t i = 0; i < draft->segment_count; i++) {
        const br_version_segment *item = &draft->segments[i];
        live += item->segment->row_count - br_mask_set_dead_count(item->masks);
    }
    draft->live_rows = live;
}

// ---- checks ----------------------------------------------------------------------------------

static br_status masks_check(const br_version *version, const br_mask_set *masks,
                             uint64_t row_count, br_error *err)
{
    const char *wrong = br_mask_set_check(masks);
    if (wrong == NULL && br_mask_set_dead_count(masks) > row_count)
        wrong = "a mask set with more dead rows than there are rows";
    if (wrong == NULL) return BR_OK;
    return br_fail(err, BR_INTERNAL, "table '%s': %s", version->spec.name, wrong);
}

br_status br_version_check(const br_version *version, br_error *err)
{
    uint64_t row_count = version->delta_rows;
    uint64_t dead_count = br_mask_set_dead_count(version->delta_masks);
    uint32_t chunks = 0;
    for (uint32_t i = 0; i < version->segment_count; i++) {
        const br_version_segment *item = &version->segments[i];
        br_verify(item->first_chunk == chunks, err);
        br_verify(item->segment->column_count == br_version_columns(version), err);
        BR_TRY(masks_check(version, item->masks, item->segment->row_count, err));
        chunks += item->segment->chunk_count;
        row_count += item->segment->row_count;
        dead_count += br_mask_set_dead_count(item->masks);
    }
    br_verify(chunks == version->segment_chunks, err);
    br_verify(version->live_rows == row_count - dead_count, err);
    br_verify((version->delta_rows > 0) == (version->delta != NULL), err);
    BR_TRY(masks_check(version, version->delta_masks, version->delta_rows, err));
    br_verify(version->stats != NULL, err);
    br_verify((version->delta_rows > 0) == (version->delta_stats != NULL), err);
    return BR_OK;
}
