// compact.c - merging small or much-deleted segments into new ones.
//
// The catalog may be behind the published versions, so compaction works on what is durable: it
// merges the rows that are live in the catalog's version and commits that under the same watermark.
// Rows that died since are then marked dead in the published version's masks of the new segment.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/checkpoint.h"
#include "columnar/segment_build.h"

enum {
    SMALL_CHUNKS = 8,     // below this a segment is worth merging
    SMALL_COUNT_MIN = 4, // small ones make work only together: each row is then rewritten rarely
    DEAD_SHARE = 4,       // above one dead row in this many a segment is rewritten
};

// One merge: segments of a table in the durable version, which the published one has too.
typedef struct merging {
    br_store *store;
    br_version *durable;    // borrowed from the durable snapshot
    br_version *published;  // borrowed from the current one, while the writer stands still
    br_version_segment inputs[BR_SEGMENT_CHUNKS_MAX];  // of the durable version, borrowed
    uint32_t input_count;
    uint32_t chunk_count;   // of all inputs
    br_key_row *rows;       // live in the durable version, by key
    size_t row_count;
    br_segment *output;     // NULL: no row is left
} merging;

// ---- picking ---------------------------------------------------------------------------------

// The same segment in another version, or NULL.
static const br_version_segment *same_segment(const br_version *version, const br_segment *segment)
{
    for (uint32_t i = 0; i < version->segment_count; i++) {
        if (version->segments[i].segment == segment) return &version->segments[i];
    }
    return NULL;
}

static bool is_much_dead(const br_version_segment *item)
{
    return br_mask_set_dead_count(item->masks) * DEAD_SHARE > item->segment->row_count;
}

static bool is_input(const merging *merge, const br_segment *segment)
{
    for (uint32_t i = 0; i < merge->input_count; i++) {
        if (merge->inputs[i].segment == segment) return true;
    }
    return false;
}

static void pick(merging *merge, bool wants_dead)
{
    const br_version *durable = merge->durable;
    for (uint32_t i = 0; i < durable->segment_count; i++) {
        const br_version_segment *item = &durable->segments[i];
        uint32_t chunks = item->segment->chunk_count;
        bool is_wanted = wants_dead ? is_much_dead(item) : chunks < SMALL_CHUNKS;
        if (!is_wanted || merge->chunk_count + chunks > BR_SEGMENT_CHUNKS_MAX) continue;
        if (is_input(merge, item->segment)) continue;
        if (same_segment(merge->published, item->segment) == NULL) continue;
        merge->inputs[merge->input_count++] = *item;
        merge->chunk_count += chunks;
    }
}

// False: the table needs no compaction.
static bool pick_inputs(merging *merge)
{
    pick(merge, true);
    uint32_t dead_count = merge->input_count;
    pick(merge, false);
    if (dead_count > 0 || merge->input_count >= SMALL_COUNT_MIN) return true;
    merge->input_count = 0;
    merge->chunk_count = 0;
    return false;
}

// ---- reading columns -------------------------------------------------------------------------

// The pages of one column of all inputs, decoded; one per worker.
typedef struct column_image {
    br_column *chunks;
    br_page_want *wants;
    br_arena *texts;  // of dates
    br_arena *scratch;
} column_image;

typedef struct reading {
    const merging *merge;
    column_image *images;  // per worker
} reading;

static void put_texts(const br_text *texts, uint32_t count, uint64_t *payloads, uint32_t *sizes)
{
    for (uint32_t i = 0; i < count; i++) {
        payloads[i] = (uint64_t)(uintptr_t)texts[i].data;
        sizes[i] = texts[i].size;
    }
}

// Texts of mixed values may have been made while decoding (dates), so they are copied.
static br_status put_value(br_column *column, uint32_t row, const br_value *value,
                           br_arena *texts, br_error *err)
{
    column->classes[row] = value->class_;
    if (value->class_ == BR_INT) column->payloads[row] = (uint64_t)value->i64;
    if (value->class_ == BR_REAL) memcpy(&column->payloads[row], &value->f64, 8);
    if (value->class_ != BR_TEXT && value->class_ != BR_BLOB) return BR_OK;
    const char *data = br_arena_copy_text(texts, value->text.data, value->text.size);
    if (data == NULL) return br_fail(err, BR_NOMEM, "no memory to merge segments");
    column->payloads[row] = (uint64_t)(uintptr_t)data;
    column->sizes[row] = value->text.size;
    return BR_OK;
}

// NULLs have neither payload nor size, whatever lies behind them in the vector.
static void put_nulls(br_column *column, const br_vector *vector, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count && vector->validity != NULL; i++) {
        if (br_bitmap_get(vector->validity, i)) continue;
        column->classes[first + i] = BR_NULL;
        column->payloads[first + i] = 0;
        column->sizes[first + i] = 0;
    }
}

// Appends a vector to a column whose arrays are all zero beyond row_count.
static br_status put_vector(br_column *column, const br_vector *vector, uint32_t count,
                            column_image *image, br_error *err)
{
    br_vector flat;
    uint32_t first = column->row_count;
    bool is_time = vector->kind == BR_VECTOR_DATE || vector->kind == BR_VECTOR_DATETIME;
    BR_TRY(br_vector_flatten(vector, count, is_time ? image->texts : image->scratch, &flat, err));
    if (flat.class_ == BR_ANY) {
        for (uint32_t i = 0; i < count; i++)
            BR_TRY(put_value(column, first + i, &flat.any[i], image->texts, err));
    } else if (flat.class_ != BR_NULL) {
        memset(column->classes + first, flat.class_, count);
        if (flat.class_ == BR_INT || flat.class_ == BR_REAL)
            memcpy(column->payloads + first, flat.data, count * sizeof(uint64_t));
        else put_texts(flat.text, count, column->payloads + first, column->sizes + first);
        put_nulls(column, &flat, first, count);
    }
    column->row_count += count;
    return BR_OK;
}

static br_status decode_page(column_image *image, const br_page *page, br_column *column,
                             br_error *err)
{
    uint32_t row_count = br_page_rows(page);
    BR_TRY(br_column_init(column, NULL, err));
    while (column->row_count < row_count) {
        uint32_t first = column->row_count, count = row_count - first;
        if (count > BR_BATCH_ROWS) count = BR_BATCH_ROWS;
        br_vector vector;
        br_arena_reset(image->scratch);
        BR_TRY(br_page_decode(page, first, count, image->scratch, &vector, err));
        BR_TRY(put_vector(column, &vector, count, image, err));
    }
    unsigned mask = 0;
    for (uint32_t row = 0; row < row_count; row++) {
        mask |= 1u << column->classes[row];
        column->text_bytes += column->sizes[row];
    }
    atomic_store_explicit(&column->class_mask, (uint8_t)mask, memory_order_relaxed);
    return BR_OK;
}

static br_status image_open(column_image *image, uint32_t chunk_count, br_error *err)
{
    image->chunks = br_heap_array(chunk_count, sizeof *image->chunks);
    image->wants = br_heap_array(chunk_count, sizeof *image->wants);
    image->texts = br_arena_new(NULL);
    image->scratch = br_arena_new(NULL);
    if (image->chunks != NULL && image->wants != NULL && image->texts != NULL &&
        image->scratch != NULL)
        return BR_OK;
    return br_fail(err, BR_NOMEM, "no memory to merge segments");
}

static br_status merge_open_column(void *context, uint32_t worker, uint32_t column,
                                   const br_column **chunks_out, br_error *err)
{
    const reading *at = context;
    const merging *merge = at->merge;
    column_image *image = &at->images[worker];
    BR_TRY(image_open(image, merge->chunk_count, err));
    uint32_t index = 0;
    for (uint32_t i = 0; i < merge->input_count; i++) {
        br_segment *segment = merge->inputs[i].segment;
        for (uint32_t chunk = 0; chunk < segment->chunk_count; chunk++, index++) {
            br_page_io ignored = {0};
            br_page_want *want = &image->wants[index];
            *want = (br_page_want){.segment = segment, .column = column, .chunk = chunk};
            // Pinned until close_column: text is borrowed from the page.
            BR_TRY(br_page_cache_pin(segment->cache, want, 1, &ignored, err));
            BR_TRY(decode_page(image, want->page, &image->chunks[index], err));
            chunks_out[index] = &image->chunks[index];
        }
    }
    br_assert(index == merge->chunk_count);
    return BR_OK;
}

static void merge_close_column(void *context, uint32_t worker)
{
    const reading *at = context;
    column_image *image = &at->images[worker];
    for (uint32_t i = 0; i < at->merge->chunk_count; i++) {
        if (image->chunks != NULL) br_column_release(&image->chunks[i]);
        if (image->wants != NULL && image->wants[i].page != NULL)
            br_page_unpin(image->wants[i].slot);
    }
    br_arena_free(image->texts);
    br_arena_free(image->scratch);
    br_heap_free(image->chunks);
    br_heap_free(image->wants);
    *image = (column_image){0};
}

// ---- merging ---------------------------------------------------------------------------------

// Lists the live rows of the inputs, sorted by key.
static br_status list_rows(merging *merge, br_row_source *source, br_error *err)
{
    size_t capacity = 0;
    for (uint32_t i = 0; i < merge->input_count; i++)
        capacity += (size_t)merge->inputs[i].segment->row_count;
    const br_column *keys[BR_SEGMENT_CHUNKS_MAX];
    merge->rows = br_heap_array(capacity * 2, sizeof *merge->rows);
    if (merge->rows == NULL) return br_fail(err, BR_NOMEM, "no memory to merge %zu rows", capacity);
    br_status status =
        source->open_column(source->context, 0, source->column_count - 1, keys, err);
    uint32_t index = 0;
    for (uint32_t i = 0; i < merge->input_count && status == BR_OK; i++) {
        const br_version_segment *input = &merge->inputs[i];
        for (uint32_t chunk = 0; chunk < input->segment->chunk_count; chunk++, index++) {
            for (uint32_t row = 0; row < keys[index]->row_count; row++) {
                if (br_mask_set_is_dead(input->masks, chunk, row)) continue;
                merge->rows[merge->row_count++] = (br_key_row){
                    .key = (int64_t)keys[index]->payloads[row], .row = index << 16 | row};
            }
        }
    }
    source->close_column(source->context, 0);
    if (status == BR_OK)
        br_key_rows_sort(merge->rows, merge->rows + capacity, merge->row_count);
    return status;
}

static br_status write_output(merging *merge, br_error *err)
{
    reading at = {.merge = merge};
    br_row_source source = {.column_count = br_version_columns(merge->durable),
                            .chunk_count = merge->chunk_count,
                            .context = &at,
                            .open_column = merge_open_column,
                            .close_column = merge_close_column};
    at.images = br_heap_array(br_task_pool_threads(merge->store->config.pool), sizeof *at.images);
    if (at.images == NULL) return br_fail(err, BR_NOMEM, "no memory to merge segments");
    br_status status = list_rows(merge, &source, err);
    br_build_rows rows = {
        .rows = merge->rows, .count = merge->row_count, .effort = BR_ENCODE_SMALL};
    if (status == BR_OK && rows.count > 0)
        status = br_segment_build(merge->store, &source, rows, &merge->output, err);
    br_heap_free(at.images);
    return status;
}

// Masks of the output in the published version: the rows that died since the durable one.
static br_status late_deaths(const merging *merge, br_mask_set **masks_out, br_error *err)
{
    const br_mask_set *masks[BR_SEGMENT_CHUNKS_MAX];
    uint32_t chunks[BR_SEGMENT_CHUNKS_MAX];
    uint32_t index = 0;
    for (uint32_t i = 0; i < merge->input_count; i++) {
        const br_version_segment *now =
            same_segment(merge->published, merge->inputs[i].segment);
        for (uint32_t chunk = 0; chunk < now->segment->chunk_count; chunk++, index++) {
            masks[index] = now->masks == merge->inputs[i].masks ? NULL : now->masks;
            chunks[index] = chunk;
        }
    }
    for (size_t i = 0; i < merge->row_count; i++) {
        uint32_t from = merge->rows[i].row >> 16, killed = 0;
        if (!br_mask_set_is_dead(masks[from], chunks[from], merge->rows[i].row & 0xffff)) continue;
        br_mask_range range = {merge->output->chunk_count, (uint32_t)(i / BR_CHUNK_ROWS),
                               (uint32_t)(i % BR_CHUNK_ROWS), 1};
        BR_TRY(br_mask_set_kill(masks_out, range, merge->store->config.quota, &killed, err));
    }
    return BR_OK;
}

// A copy of `version` with the output, under `masks`, in the place of the first input.
static br_status replace_inputs(const merging *merge, const br_version *version,
                                br_mask_set *masks, br_version **draft_out, br_error *err)
{
    br_version_segment *items = br_heap_array(version->segment_count, sizeof *items);
    if (items == NULL) return br_fail(err, BR_NOMEM, "no memory to merge segments");
    uint32_t count = 0;
    bool is_placed = merge->output == NULL;
    for (uint32_t i = 0; i < version->segment_count; i++) {
        if (!is_input(merge, version->segments[i].segment)) {
            items[count++] = version->segments[i];
        } else if (!is_placed) {
            items[count++] = (br_version_segment){.segment = merge->output, .masks = masks};
            is_placed = true;
        }
    }
    br_version *draft = NULL;
    br_status status = br_version_copy(version, &draft, err);
    if (status == BR_OK) status = br_version_set_segments(draft, items, count, err);
    if (status == BR_OK) status = br_version_seal(draft, err);
    br_heap_free(items);
    if (status != BR_OK) {
        br_version_drop(draft);
        return status;
    }
    br_assert(draft->live_rows == version->live_rows);
    *draft_out = draft;
    return BR_OK;
}

// A snapshot like `from`, with one version replaced.
static br_status replace_version(const br_snapshot *from, const br_version *old, br_version *new,
                                 br_snapshot **snapshot_out, br_error *err)
{
    br_version **versions = br_heap_array(from->table_count, sizeof *versions);
    if (versions == NULL) return br_fail(err, BR_NOMEM, "no memory to merge segments");
    for (uint32_t i = 0; i < from->table_count; i++)
        versions[i] = from->tables[i] == old ? new : from->tables[i];
    br_status status = br_snapshot_new(versions, from->table_count, from, snapshot_out, err);
    br_heap_free(versions);
    if (status == BR_OK) (*snapshot_out)->watermark = from->watermark;
    return status;
}

// The two snapshots that take over.
typedef struct successors {
    br_version *durable_version, *current_version;
    br_mask_set *masks;
    br_snapshot *durable, *current;
} successors;

static br_status make_successors(const merging *merge, successors *next, br_error *err)
{
    br_store *store = merge->store;
    BR_TRY(late_deaths(merge, &next->masks, err));
    BR_TRY(replace_inputs(merge, merge->durable, NULL, &next->durable_version, err));
    if (merge->published == merge->durable)
        next->current_version = br_version_acquire(next->durable_version);
    else BR_TRY(replace_inputs(merge, merge->published, next->masks, &next->current_version, err));
    BR_TRY(replace_version(store->durable, merge->durable, next->durable_version, &next->durable,
                           err));
    return replace_version(store->current, merge->published, next->current_version,
                           &next->current, err);
}

// ---- steps -----------------------------------------------------------------------------------

struct br_compaction {
    merging merge;
    br_snapshot *durable;  // of which merge.durable is a table
};

void br_compaction_abandon(br_compaction *compaction)
{
    if (compaction == NULL) return;
    br_segment_drop(compaction->merge.output);
    br_heap_free(compaction->merge.rows);
    br_snapshot_drop(compaction->durable);
    br_heap_free(compaction);
}

// What is published of the table now; NULL when its segments cannot be replaced: it was read anew,
// or altered, and both have the same columns again after the next checkpoint.
static br_version *find_published(const merging *merge)
{
    br_version *published =
        br_snapshot_find_id(merge->store->current, merge->durable->spec.table_id);
    if (published == NULL || published->texts != merge->durable->texts) return NULL;
    for (uint32_t i = 0; i < merge->input_count; i++) {
        if (same_segment(published, merge->inputs[i].segment) == NULL) return NULL;
    }
    return published;
}

static bool pick_table(merging *merge)
{
    const br_snapshot *durable = merge->store->durable;
    for (uint32_t i = 0; i < durable->table_count; i++) {
        merge->durable = durable->tables[i];
        merge->published = find_published(merge);
        if (merge->published != NULL && pick_inputs(merge)) return true;
    }
    return false;
}

br_status br_compaction_begin(br_store *store, br_compaction **compaction_out, br_error *err)
{
    *compaction_out = NULL;
    BR_TRY(br_store_check_idle(store, "compaction", err));
    br_compaction *compaction = br_heap_zalloc(sizeof *compaction);
    if (compaction == NULL) return br_fail(err, BR_NOMEM, "no memory to merge segments");
    compaction->merge.store = store;
    compaction->durable = br_snapshot_share(store->durable);
    if (pick_table(&compaction->merge)) *compaction_out = compaction;
    else br_compaction_abandon(compaction);
    return BR_OK;
}

br_status br_compaction_write(br_compaction *compaction, br_error *err)
{
    return write_output(&compaction->merge, err);
}

static br_status replace(merging *merge, br_error *err)
{
    successors next = {0};
    br_status status = make_successors(merge, &next, err);
    if (status == BR_OK) status = br_store_commit(merge->store, next.durable, err);
    if (status == BR_OK) {
        br_store_install(merge->store, next.current);
        next.current = NULL;
    }
    br_snapshot_drop(next.current);
    br_snapshot_drop(next.durable);
    br_version_drop(next.durable_version);
    br_version_drop(next.current_version);
    br_mask_set_drop(next.masks);
    return status;
}

br_status br_compaction_commit(br_compaction *compaction, bool *did_work_out, br_error *err)
{
    merging *merge = &compaction->merge;
    br_status status = br_store_check_idle(merge->store, "compaction", err);
    merge->published = find_published(merge);
    bool is_possible = status == BR_OK && merge->published != NULL;
    if (is_possible) status = replace(merge, err);
    *did_work_out = is_possible && status == BR_OK;
    br_compaction_abandon(compaction);
    return status;
}

br_status br_store_compact(br_store *store, bool *did_work_out, br_error *err)
{
    br_compaction *compaction = NULL;
    *did_work_out = false;
    BR_TRY(br_compaction_begin(store, &compaction, err));
    if (compaction == NULL) return BR_OK;
    br_status status = br_compaction_write(compaction, err);
    if (status == BR_OK) return br_compaction_commit(compaction, did_work_out, err);
    br_compaction_abandon(compaction);
    return status;
}
