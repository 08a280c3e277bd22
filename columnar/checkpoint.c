// checkpoint.c - making the published versions durable: deltas to segments, then the catalog.
//
// Order matters. Files are complete and fsynced before one catalog transaction names them; then the
// new versions are published, and only then do files go that no version needs any more.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/checkpoint.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/segment_build.h"

enum {
    // A checkpoint pays from 16 chunks on: a segment of a good size.
    WANTED_DELTA_ROWS = 16 * BR_CHUNK_ROWS,
    // Or when deltas take this much memory, or a quarter of what there is.
    WANTED_DELTA_BYTES = 256 * 1024 * 1024,
    ROW_BYTES = 13,  // of a column, see base/column.h
};

// ---- flushing a delta ------------------------------------------------------------------------

// The delta of a version as a source. The writer may be appending to its last chunk, so workers get
// that one as it was: arrays never move, and rows shown never change.
typedef struct delta_source {
    const br_version *version;
    br_column *last_chunks;  // per worker
} delta_source;

static void freeze_column(const br_column *column, uint32_t row_count, br_column *out)
{
    unsigned class_mask = 0;
    *out = (br_column){.classes = column->classes,
                       .payloads = column->payloads,
                       .sizes = column->sizes,
                       .row_count = row_count};
    for (uint32_t row = 0; row < row_count; row++) {
        class_mask |= 1u << column->classes[row];
        out->text_bytes += column->sizes[row];
    }
    atomic_init(&out->class_mask, (uint8_t)class_mask);
}

static br_status delta_open_column(void *context, uint32_t worker, uint32_t column,
                                   const br_column **chunks_out, br_error *err)
{
    const delta_source *at = context;
    const br_version *version = at->version;
    (void)err;
    for (uint32_t chunk = 0; chunk < br_delta_chunks(version->delta_rows); chunk++) {
        const br_column *values = br_delta_column(version->delta, chunk, column);
        uint32_t row_count = br_delta_chunk_rows(version->delta_rows, chunk);
        chunks_out[chunk] = values;
        if (row_count == BR_CHUNK_ROWS) continue;
        freeze_column(values, row_count, &at->last_chunks[worker]);
        chunks_out[chunk] = &at->last_chunks[worker];
    }
    return BR_OK;
}

static void delta_close_column(void *context, uint32_t worker)
{
    (void)context;
    (void)worker;
}

static size_t list_live_rows(const br_version *version, br_key_row *rows)
{
    size_t count = 0;
    for (uint32_t row = 0; row < version->delta_rows; row++) {
        if (br_mask_set_is_dead(version->delta_masks, row / BR_CHUNK_ROWS, row % BR_CHUNK_ROWS))
            continue;
        rows[count++] = (br_key_row){.key = br_delta_key(version->delta, row), .row = row};
    }
    return count;
}

// One table of a checkpoint.
typedef struct table_flush {
    br_version *from;  // as it was published when the checkpoint began
    br_version *to;    // the same rows without a delta: its segments, and `added_count` new ones
    br_key_row *rows;  // of the delta that lived then, by key: those of the new segments, in order
    size_t row_count;
    uint32_t added_count;
} table_flush;

enum { SEGMENT_ROWS_MAX = BR_SEGMENT_CHUNKS_MAX * BR_CHUNK_ROWS };

static br_status write_rows(br_store *store, table_flush *flush, br_version_segment *added,
                            br_error *err)
{
    delta_source at = {.version = flush->from};
    br_row_source source = {.column_count = br_version_columns(flush->from),
                            .chunk_count = br_delta_chunks(flush->from->delta_rows),
                            .context = &at,
                            .open_column = delta_open_column,
                            .close_column = delta_close_column};
    at.last_chunks =
        br_heap_array(br_task_pool_threads(store->config.pool), sizeof *at.last_chunks);
    if (at.last_chunks == NULL) return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    br_status status = BR_OK;
    for (size_t first = 0; first < flush->row_count && status == BR_OK;
         first += SEGMENT_ROWS_MAX) {
        size_t left = flush->row_count - first;
        br_build_rows part = {.rows = flush->rows + first,
                              .count = left < SEGMENT_ROWS_MAX ? left : SEGMENT_ROWS_MAX,
                              .effort = BR_ENCODE_FAST};
        status = br_segment_build(store, &source, part, &added[flush->added_count].segment, err);
        flush->added_count += status == BR_OK;
    }
    br_heap_free(at.last_chunks);
    return status;
}

static br_status sort_rows(table_flush *flush, br_error *err)
{
    uint32_t row_count = flush->from->delta_rows;
    flush->rows = br_heap_array((size_t)row_count * 2, sizeof *flush->rows);
    if (flush->rows == NULL)
        return br_fail(err, BR_NOMEM, "no memory to sort %u rows", row_count);
    flush->row_count = list_live_rows(flush->from, flush->rows);
    br_key_rows_sort(flush->rows, flush->rows + row_count, flush->row_count);
    return BR_OK;
}

// The version with these segments and no delta.
static br_status flushed_version(const table_flush *flush, const br_version_segment *items,
                                 br_version **draft_out, br_error *err)
{
    br_version *draft = NULL;
    BR_TRY(br_version_copy(flush->from, &draft, err));
    br_status status = br_version_set_segments(
        draft, items, flush->from->segment_count + flush->added_count, err);
    if (status == BR_OK) {
        br_version_clear_delta(draft);
        status = br_version_seal(draft, err);
    }
    if (status != BR_OK) {
        br_version_drop(draft);
        return status;
    }
    br_assert(draft->live_rows == flush->from->live_rows);
    *draft_out = draft;
    return BR_OK;
}

static br_status flush_table(br_store *store, table_flush *flush, br_error *err)
{
    const br_version *from = flush->from;
    uint32_t kept = from->segment_count;
    BR_TRY(sort_rows(flush, err));
    br_version_segment *items =
        br_heap_array((size_t)kept + from->delta_rows / SEGMENT_ROWS_MAX + 1, sizeof *items);
    if (items == NULL) return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    for (uint32_t i = 0; i < kept; i++) items[i] = from->segments[i];
    br_status status = write_rows(store, flush, items + kept, err);
    if (status == BR_OK) status = flushed_version(flush, items, &flush->to, err);
    for (uint32_t i = 0; i < flush->added_count; i++) br_segment_drop(items[kept + i].segment);
    br_heap_free(items);
    return status;
}

// ---- what was published meanwhile ------------------------------------------------------------

// Masks of the new segments: their rows that have died since, which `now` tells of its delta.
static br_status late_deaths(const table_flush *flush, const br_version *now, br_quota *quota,
                             br_version_segment *added, br_error *err)
{
    if (now->delta_masks == flush->from->delta_masks) return BR_OK;
    for (size_t i = 0; i < flush->row_count; i++) {
        uint32_t row = flush->rows[i].row, killed = 0;
        if (!br_mask_set_is_dead(now->delta_masks, row / BR_CHUNK_ROWS, row % BR_CHUNK_ROWS))
            continue;
        br_version_segment *item = &added[i / SEGMENT_ROWS_MAX];
        br_mask_range range = {item->segment->chunk_count,
                               (uint32_t)(i % SEGMENT_ROWS_MAX / BR_CHUNK_ROWS),
                               (uint32_t)(i % BR_CHUNK_ROWS), 1};
        BR_TRY(br_mask_set_kill(&item->masks, range, quota, &killed, err));
    }
    return BR_OK;
}

// Appends to the draft the rows that `now` has in its delta and `from` had not.
static br_status append_later_rows(const table_flush *flush, const br_version *now,
                                   br_version *draft, br_quota *quota, br_error *err)
{
    uint32_t column_count = now->spec.column_count;
    br_value *values = br_heap_array(column_count, sizeof *values);
    if (values == NULL) return br_fail(err, BR_NOMEM, "no memory for a row");
    br_status status = BR_OK;
    for (uint32_t row = flush->from->delta_rows; row < now->delta_rows && status == BR_OK; row++) {
        uint32_t chunk = row / BR_CHUNK_ROWS, at = row % BR_CHUNK_ROWS;
        if (br_mask_set_is_dead(now->delta_masks, chunk, at)) continue;
        for (uint32_t i = 0; i < column_count; i++)
            values[i] = br_column_value(br_delta_column(now->delta, chunk, i), at);
        status = br_version_open_delta(draft, quota, err);
        if (status == BR_OK)
            status = br_delta_append(draft->delta, br_delta_key(now->delta, row), values, err);
        if (status == BR_OK) draft->delta_rows = draft->delta->row_count;
    }
    br_heap_free(values);
    br_version_count_live(draft);
    return status;
}

static br_status fill_rebased(const table_flush *flush, const br_version *now,
                              const br_version_segment *items, br_version *draft, br_quota *quota,
                              br_error *err)
{
    BR_TRY(br_version_set_segments(draft, items, now->segment_count + flush->added_count, err));
    br_version_clear_delta(draft);
    BR_TRY(append_later_rows(flush, now, draft, quota, err));
    return br_version_seal(draft, err);
}

// `now` with the new segments in the place of the delta rows that they hold.
static br_status rebase(const br_store *store, const table_flush *flush, const br_version *now,
                        br_version **draft_out, br_error *err)
{
    uint32_t kept = now->segment_count, count = kept + flush->added_count;
    br_quota *quota = store->config.quota;
    br_version_segment *items = br_heap_array(count, sizeof *items);
    if (items == NULL) return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    for (uint32_t i = 0; i < kept; i++) items[i] = now->segments[i];
    for (uint32_t i = kept; i < count; i++)
        items[i].segment = flush->to->segments[flush->from->segment_count + i - kept].segment;
    br_version *draft = NULL;
    br_status status = late_deaths(flush, now, quota, items + kept, err);
    if (status == BR_OK) status = br_version_copy(now, &draft, err);
    if (status == BR_OK) status = fill_rebased(flush, now, items, draft, quota, err);
    for (uint32_t i = kept; i < count; i++) br_mask_set_drop(items[i].masks);
    br_heap_free(items);
    if (status != BR_OK) {
        br_version_drop(draft);
        return status;
    }
    br_assert(draft->live_rows == now->live_rows);
    *draft_out = draft;
    return BR_OK;
}

static br_status successor_of(const br_store *store, const table_flush *flush, br_version *now,
                              br_version **next_out, br_error *err)
{
    br_version *next = now;
    if (flush != NULL && now == flush->from)
        next = flush->to;
    else if (flush != NULL && flush->added_count > 0 && now->delta == flush->from->delta)
        return rebase(store, flush, now, next_out, err);
    // Otherwise its delta is another one: it was read anew, or altered.
    *next_out = br_version_acquire(next);
    return BR_OK;
}

// ---- committing ------------------------------------------------------------------------------

struct br_checkpoint {
    br_store *store;
    br_snapshot *snapshot;  // what becomes durable
    table_flush *tables;    // as many as the snapshot has
};

br_status br_store_check_idle(const br_store *store, const char *what, br_error *err)
{
    if (store->config.read_only)
        return br_fail(err, BR_READONLY, "'%s' is open read-only: no %s", store->folder, what);
    if (store->apply != NULL) return br_fail(err, BR_MISUSE, "%s during an apply", what);
    return BR_OK;
}

br_status br_store_commit(br_store *store, br_snapshot *durable, br_error *err)
{
    br_catalog_change change = {
        .before = store->durable,
        .after = durable,
        .next_segment_id = atomic_load_explicit(&store->next_segment_id, memory_order_relaxed),
    };
    bool maybe = false;
    br_status status = br_catalog_commit(store->catalog, change, &maybe, err);
    if (status == BR_OK) {
        br_store_mark_named(store->durable, durable);
        br_snapshot_drop(store->durable);
        store->durable = br_snapshot_share(durable);
    } else if (maybe) {
        // After a crash the catalog may name either state: the files of both must stay.
        br_store_mark_named(NULL, durable);
    }
    return status;
}

br_status br_checkpoint_begin(br_store *store, br_checkpoint **checkpoint_out, br_error *err)
{
    BR_TRY(br_store_check_idle(store, "checkpoint", err));
    br_checkpoint *checkpoint = br_heap_zalloc(sizeof *checkpoint);
    if (checkpoint == NULL) return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    checkpoint->store = store;
    checkpoint->snapshot = br_snapshot_acquire(store);
    checkpoint->tables =
        br_heap_array(checkpoint->snapshot->table_count, sizeof *checkpoint->tables);
    if (checkpoint->tables == NULL) {
        br_checkpoint_abandon(checkpoint);
        return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    }
    for (uint32_t i = 0; i < checkpoint->snapshot->table_count; i++)
        checkpoint->tables[i].from = checkpoint->snapshot->tables[i];  // the snapshot holds it
    *checkpoint_out = checkpoint;
    return BR_OK;
}

void br_checkpoint_abandon(br_checkpoint *checkpoint)
{
    if (checkpoint == NULL) return;
    for (uint32_t i = 0; checkpoint->tables != NULL && i < checkpoint->snapshot->table_count; i++) {
        br_version_drop(checkpoint->tables[i].to);
        br_heap_free(checkpoint->tables[i].rows);
    }
    br_heap_free(checkpoint->tables);
    br_snapshot_drop(checkpoint->snapshot);
    br_heap_free(checkpoint);
}

br_status br_checkpoint_write(br_checkpoint *checkpoint, br_error *err)
{
    for (uint32_t i = 0; i < checkpoint->snapshot->table_count; i++) {
        table_flush *flush = &checkpoint->tables[i];
        if (flush->from->delta_rows == 0) flush->to = br_version_acquire(flush->from);
        else BR_TRY(flush_table(checkpoint->store, flush, err));
    }
    return BR_OK;
}

static const table_flush *find_flush(const br_checkpoint *checkpoint, uint32_t table_id)
{
    for (uint32_t i = 0; i < checkpoint->snapshot->table_count; i++) {
        if (checkpoint->tables[i].from->spec.table_id == table_id) return &checkpoint->tables[i];
    }
    return NULL;
}

// The snapshot of the versions given, which are as many as `like` has and called the same.
static br_status snapshot_like(const br_snapshot *like, br_version *const *versions,
                               const uint8_t checkpoint_id[16], br_snapshot **out, br_error *err)
{
    BR_TRY(br_snapshot_new(versions, like->table_count, like, out, err));
    (*out)->watermark = like->watermark;
    memcpy((*out)->watermark.checkpoint_id, checkpoint_id, 16);
    return BR_OK;
}

static br_status make_durable(const br_checkpoint *checkpoint, const uint8_t checkpoint_id[16],
                              br_snapshot **out, br_error *err)
{
    uint32_t count = checkpoint->snapshot->table_count;
    br_version **versions = br_heap_array(count, sizeof *versions);
    if (versions == NULL) return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    for (uint32_t i = 0; i < count; i++) versions[i] = checkpoint->tables[i].to;
    br_status status = snapshot_like(checkpoint->snapshot, versions, checkpoint_id, out, err);
    br_heap_free(versions);
    return status;
}

static br_status make_current(const br_checkpoint *checkpoint, const uint8_t checkpoint_id[16],
                              br_snapshot **out, br_error *err)
{
    const br_snapshot *current = checkpoint->store->current;
    br_version **versions = br_heap_array(current->table_count, sizeof *versions);
    if (versions == NULL) return br_fail(err, BR_NOMEM, "no memory for a checkpoint");
    br_status status = BR_OK;
    for (uint32_t i = 0; i < current->table_count && status == BR_OK; i++) {
        br_version *now = current->tables[i];
        status = successor_of(checkpoint->store, find_flush(checkpoint, now->spec.table_id), now,
                              &versions[i], err);
    }
    if (status == BR_OK) status = snapshot_like(current, versions, checkpoint_id, out, err);
    for (uint32_t i = 0; i < current->table_count; i++) br_version_drop(versions[i]);
    br_heap_free(versions);
    return status;
}

br_status br_checkpoint_commit(br_checkpoint *checkpoint, const uint8_t checkpoint_id[16],
                               br_error *err)
{
    br_store *store = checkpoint->store;
    br_snapshot *durable = NULL, *current = NULL;
    br_status status = br_store_check_idle(store, "checkpoint", err);
    if (status == BR_OK) status = make_durable(checkpoint, checkpoint_id, &durable, err);
    if (status == BR_OK && store->current == checkpoint->snapshot)
        current = br_snapshot_share(durable);
    else if (status == BR_OK)
        status = make_current(checkpoint, checkpoint_id, &current, err);
    if (status == BR_OK) status = br_store_commit(store, durable, err);
    if (status == BR_OK) br_store_install(store, current);
    else br_snapshot_drop(current);
    br_snapshot_drop(durable);
    br_checkpoint_abandon(checkpoint);
    return status;
}

br_status br_store_checkpoint(br_store *store, const uint8_t checkpoint_id[16], br_error *err)
{
    br_checkpoint *checkpoint = NULL;
    BR_TRY(br_checkpoint_begin(store, &checkpoint, err));
    br_status status = br_checkpoint_write(checkpoint, err);
    if (status == BR_OK) return br_checkpoint_commit(checkpoint, checkpoint_id, err);
    br_checkpoint_abandon(checkpoint);
    return status;
}

br_watermark br_store_durable_watermark(const br_store *store)
{
    return store->durable->watermark;
}

static uint64_t delta_bytes(const br_version *version)
{
    uint64_t bytes = (uint64_t)version->delta_rows * br_version_columns(version) * ROW_BYTES;
    for (uint32_t c = 0; c < version->spec.column_count; c++) {
        for (uint32_t chunk = 0; chunk < br_delta_chunks(version->delta_rows); chunk++)
            bytes += br_delta_column(version->delta, chunk, c)->text_bytes;
    }
    return bytes;
}

uint64_t br_store_delta_bytes(const br_store *store)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < store->current->table_count; i++) {
        const br_version *version = store->current->tables[i];
        if (version->delta_rows > 0) bytes += delta_bytes(version);
    }
    return bytes;
}

bool br_store_wants_checkpoint(const br_store *store)
{
    uint64_t rows = 0, bytes = br_store_delta_bytes(store);
    for (uint32_t i = 0; i < store->current->table_count; i++)
        rows += store->current->tables[i]->delta_rows;
    size_t limit_bytes = store->config.quota == NULL ? SIZE_MAX : store->config.quota->limit_bytes;
    return rows >= WANTED_DELTA_ROWS || bytes >= WANTED_DELTA_BYTES || bytes >= limit_bytes / 4;
}
