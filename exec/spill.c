// spill.c - the temporary file of a run, and how rows look in it.
// SPDX-License-Identifier: Apache-2.0
#include "exec/spill.h"

#include <inttypes.h>
#include <lz4.h>
#include <string.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/io_ring.h"
#include "base/thread.h"
#include "exec/profile.h"

enum {
    TIGHT_PART = 4,           // tight: less than 1 / TIGHT_PART of the quota is left
    SHARE_PART = 16,          // shares of all workers together: 1 / SHARE_PART of the quota
    SHARE_BYTES_MIN = 64 * 1024,
    SHARE_BYTES_MAX = 64 * 1024 * 1024,
    BUFFER_BYTES_MIN = 16 * 1024,
    AHEAD_MAX = 16,           // blocks read at once: enough to keep a drive busy
    AHEAD_PART = 2,           // of a share, for bytes that wait
};

// Blocks of the file that a worker has read but not asked for yet.
typedef struct ahead {
    br_io_ring *ring;  // NULL: not yet
    br_arena *arena;   // of the bytes; NULL: not yet
    uint32_t count;
    uint64_t offsets[AHEAD_MAX];
    char *bytes[AHEAD_MAX];
} ahead;

struct br_spill {
    br_lock lock;
    br_file *file;  // the lock, until it is there
    _Atomic uint64_t end;  // relaxed: ranges are given out, their contents are their owner's
    uint32_t worker_count;
    ahead *aheads;         // by worker
};

br_status br_spill_new(br_run *run, br_error *err)
{
    const br_quota *quota = run->env->quota;
    bool is_limited = quota != NULL && quota->limit_bytes != SIZE_MAX;
    if (!is_limited || run->env->spill_folders[0] == NULL) return BR_OK;
    run->spill = br_heap_zalloc(sizeof *run->spill);
    if (run->spill == NULL) return br_run_no_memory(run, "a query", err);
    br_lock_init(&run->spill->lock);
    run->spill->aheads = br_heap_array(run->worker_count, sizeof(ahead));
    if (run->spill->aheads == NULL) return br_run_no_memory(run, "a query", err);
    run->spill->worker_count = run->worker_count;
    return BR_OK;
}

void br_spill_free(br_run *run)
{
    if (run->spill == NULL) return;
    for (uint32_t i = 0; i < run->spill->worker_count; i++) {
        br_io_ring_free(run->spill->aheads[i].ring);
        br_arena_free(run->spill->aheads[i].arena);
    }
    br_heap_free(run->spill->aheads);
    br_file_close(run->spill->file);
    br_lock_release(&run->spill->lock);
    br_heap_free(run->spill);
    run->spill = NULL;
}

uint64_t br_spill_bytes(const br_run *run)
{
    return run->spill == NULL ? 0 : atomic_load_explicit(&run->spill->end, memory_order_relaxed);
}

bool br_run_is_tight(const br_run *run)
{
    if (run->spill == NULL) return false;
    const br_quota *quota = run->env->quota;
    return br_quota_room(quota) < quota->limit_bytes / TIGHT_PART;
}

size_t br_run_share_bytes(const br_run *run)
{
    size_t share = run->env->quota->limit_bytes / SHARE_PART / run->thread_count;
    if (share < SHARE_BYTES_MIN) share = SHARE_BYTES_MIN;
    return share < SHARE_BYTES_MAX ? share : SHARE_BYTES_MAX;
}

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "rows on their way to or from disk", err);
}

// ---- putting ---------------------------------------------------------------------------------

static size_t round_up(size_t size_bytes) { return (size_bytes + 7) & ~(size_t)7; }

void *br_spill_put(br_spill_buffer *buffer, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 4) return NULL;
    size_t wanted = buffer->used_bytes + round_up(size_bytes);
    if (wanted > buffer->capacity_bytes) {
        size_t capacity = buffer->capacity_bytes * 2;
        if (capacity < BUFFER_BYTES_MIN) capacity = BUFFER_BYTES_MIN;
        if (capacity < wanted) capacity = wanted;
        char *bytes = br_arena_alloc(buffer->arena, capacity, 64);
        if (bytes == NULL) return NULL;
        if (buffer->used_bytes > 0) memcpy(bytes, buffer->bytes, buffer->used_bytes);
        buffer->bytes = bytes;
        buffer->capacity_bytes = capacity;
    }
    char *part = buffer->bytes + buffer->used_bytes;
    if (size_bytes % 8 != 0) memset(part + round_up(size_bytes) - 8, 0, 8);
    buffer->used_bytes = wanted;
    return part;
}

static bool put_bytes(br_spill_buffer *buffer, const void *bytes, size_t size_bytes)
{
    void *part = br_spill_put(buffer, size_bytes);
    if (part != NULL && size_bytes > 0) memcpy(part, bytes, size_bytes);
    return part != NULL;
}

static bool is_text_class(uint8_t class_) { return class_ == BR_TEXT || class_ == BR_BLOB; }

bool br_spill_put_texts(br_spill_buffer *buffer, const br_text *texts, const uint64_t *validity,
                        uint32_t count)
{
    size_t total = 0;
    br_text *copies = br_spill_put(buffer, count * sizeof *copies);
    if (copies == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        bool is_valid = validity == NULL || br_bitmap_get(validity, i);
        copies[i] = is_valid ? texts[i] : br_text_make("", 0);
        copies[i].data = NULL;
        total += copies[i].size;
    }
    size_t sizes_at = (size_t)((char *)copies - buffer->bytes);
    char *bytes = br_spill_put(buffer, total);
    if (bytes == NULL) return false;
    copies = (br_text *)(void *)(buffer->bytes + sizes_at);  // the buffer may have moved
    for (uint32_t i = 0; i < count; i++) {
        if (copies[i].size > 0) memcpy(bytes, texts[i].data, copies[i].size);
        bytes += copies[i].size;
    }
    return true;
}

bool br_spill_put_values(br_spill_buffer *buffer, const br_value *values, uint32_t count)
{
    size_t total = 0;
    br_value *copies = br_spill_put(buffer, count * sizeof *copies);
    if (copies == NULL) return false;
    memset(copies, 0, count * sizeof *copies);
    for (uint32_t i = 0; i < count; i++) {
        copies[i].class_ = values[i].class_;
        if (is_text_class(values[i].class_)) {
            copies[i].text = values[i].text;
            copies[i].text.data = NULL;
            total += values[i].text.size;
        } else {
            copies[i].i64 = values[i].i64;
        }
    }
    char *bytes = br_spill_put(buffer, total);
    if (bytes == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_text_class(values[i].class_) || values[i].text.size == 0) continue;
        memcpy(bytes, values[i].text.data, values[i].text.size);
        bytes += values[i].text.size;
    }
    return true;
}

typedef struct vector_head {
    uint8_t class_, kind;
    bool has_validity;
    uint8_t unused[5];
} vector_head;

bool br_spill_put_vector(br_spill_buffer *buffer, const br_vector *vector, uint32_t row_count)
{
    br_assert(vector->class_ == BR_NULL || vector->kind == BR_VECTOR_FLAT ||
              vector->kind == BR_VECTOR_DATE || vector->kind == BR_VECTOR_DATETIME);
    vector_head head = {.class_ = vector->class_,
                        .kind = vector->kind,
                        .has_validity = vector->validity != NULL};
    if (!put_bytes(buffer, &head, sizeof head)) return false;
    if (vector->class_ == BR_NULL) return true;
    size_t word_bytes = br_bitmap_words(row_count) * sizeof(uint64_t);
    if (head.has_validity && !put_bytes(buffer, vector->validity, word_bytes)) return false;
    if (vector->class_ == BR_ANY) return br_spill_put_values(buffer, vector->any, row_count);
    if (is_text_class(vector->class_) && vector->kind == BR_VECTOR_FLAT)
        return br_spill_put_texts(buffer, vector->text, vector->validity, row_count);
    return put_bytes(buffer, vector->i64, row_count * sizeof(int64_t));
}

// ---- taking ----------------------------------------------------------------------------------

void *br_spill_take(char **at, size_t size_bytes)
{
    char *part = *at;
    *at += round_up(size_bytes);
    return part;
}

br_text *br_spill_take_texts(char **at, uint32_t count)
{
    size_t total = 0;
    br_text *texts = br_spill_take(at, count * sizeof *texts);
    for (uint32_t i = 0; i < count; i++) {
        texts[i].data = *at + total;
        total += texts[i].size;
    }
    (void)br_spill_take(at, total);
    return texts;
}

br_value *br_spill_take_values(char **at, uint32_t count)
{
    size_t total = 0;
    br_value *values = br_spill_take(at, count * sizeof *values);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_text_class(values[i].class_)) continue;
        values[i].text.data = *at + total;
        total += values[i].text.size;
    }
    (void)br_spill_take(at, total);
    return values;
}

br_vector br_spill_take_vector(char **at, uint32_t row_count)
{
    const vector_head *head = br_spill_take(at, sizeof *head);
    if (head->class_ == BR_NULL) return br_vector_null();
    br_vector vector = {.class_ = head->class_, .kind = head->kind};
    if (head->has_validity)
        vector.validity = br_spill_take(at, br_bitmap_words(row_count) * sizeof(uint64_t));
    if (head->class_ == BR_ANY) vector.any = br_spill_take_values(at, row_count);
    else if (is_text_class(head->class_) && head->kind == BR_VECTOR_FLAT)
        vector.text = br_spill_take_texts(at, row_count);
    else vector.i64 = br_spill_take(at, row_count * sizeof(int64_t));
    return vector;
}

// ---- the file --------------------------------------------------------------------------------

// The first folder that takes a file; a folder that cannot is no reason to give up, a full disk is.
static br_status open_file(br_run *run, br_error *err)
{
    br_spill *spill = run->spill;
    br_status status = BR_OK;
    br_lock_take(&spill->lock);
    for (uint32_t i = 0; spill->file == NULL && i < BR_SPILL_FOLDERS_MAX; i++) {
        const char *folder = run->env->spill_folders[i];
        if (folder == NULL) break;
        status = br_file_open_temporary(folder, run->env->hook, &spill->file, err);
        if (status == BR_FULL || status == BR_NOMEM) break;
    }
    if (spill->file != NULL) status = BR_OK;
    br_lock_give(&spill->lock);
    return status;
}

br_status br_spill_write(br_run *run, uint32_t worker, const br_spill_buffer *buffer,
                         br_spill_place *place_out, br_error *err)
{
    br_spill *spill = run->spill;
    br_arena *scratch = br_memory_arena(run->scratch, worker);
    if (scratch == NULL) return no_memory(run, err);
    BR_TRY(open_file(run, err));
    br_arena_mark mark = br_arena_get_mark(scratch);
    const char *stored = buffer->bytes;
    size_t size_bytes = buffer->used_bytes;
    if (size_bytes <= LZ4_MAX_INPUT_SIZE) {
        // Not smaller is not worth it: no room for more than the raw bytes.
        char *packed = br_arena_alloc(scratch, size_bytes, 64);
        if (packed == NULL) return no_memory(run, err);
        int packed_bytes = LZ4_compress_default(buffer->bytes, packed, (int)size_bytes,
                                                (int)size_bytes - 1);
        if (packed_bytes > 0) {
            stored = packed;
            size_bytes = (size_t)packed_bytes;
        }
    }
    *place_out = (br_spill_place){
        .offset = atomic_fetch_add_explicit(&spill->end, size_bytes, memory_order_relaxed),
        .checksum = br_checksum(stored, size_bytes),
        .raw_bytes = buffer->used_bytes,
        .stored_bytes = size_bytes};
    br_node_figures *figures = br_run_figures(run, worker, run->node);
    if (figures != NULL) figures->spilled_bytes += size_bytes;
    br_status status = br_file_write(spill->file, place_out->offset, stored, size_bytes, err);
    br_arena_rewind(scratch, mark);
    return status;
}

// ---- reading ---------------------------------------------------------------------------------

static const char *find_ahead(const ahead *self, uint64_t offset)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->offsets[i] == offset) return self->bytes[i];
    }
    return NULL;
}

// Reads the blocks of the batches from `index` on that are not in memory.
static br_status read_ahead(br_run *run, uint32_t worker, const br_batches *batches,
                            uint32_t index, br_error *err)
{
    ahead *self = &run->spill->aheads[worker];
    br_io_read reads[AHEAD_MAX];
    uint32_t count = 0;
    size_t left = br_run_share_bytes(run) / AHEAD_PART;
    self->count = 0;
    if (self->arena == NULL) self->arena = br_arena_new(run->env->quota);
    if (self->arena == NULL) return no_memory(run, err);
    br_arena_reset(self->arena);
    for (; index < batches->batch_count && count < AHEAD_MAX; index++) {
        const br_spill_place *place = &batches->places[index];
        if (batches->batches[index].columns != NULL) continue;
        if (place->stored_bytes > left) break;
        left -= place->stored_bytes;
        self->offsets[count] = place->offset;
        self->bytes[count] = br_arena_alloc(self->arena, place->stored_bytes, 64);
        if (self->bytes[count] == NULL) return no_memory(run, err);
        reads[count] = (br_io_read){.file = run->spill->file,
                                    .offset = place->offset,
                                    .bytes = self->bytes[count],
                                    .size_bytes = (uint32_t)place->stored_bytes};
        count++;
    }
    if (count < 2) return BR_OK;  // nothing to wait for at the same time
    if (self->ring == NULL) BR_TRY(br_io_ring_new(run->env->io_mode, &self->ring, err));
    BR_TRY(br_io_ring_read(self->ring, reads, count, err));
    self->count = count;
    return BR_OK;
}

static br_status check_stored(const br_run *run, const br_spill_place *place, const char *stored,
                              br_error *err)
{
    uint64_t checksum = br_checksum(stored, place->stored_bytes);
    if (checksum == place->checksum) return BR_OK;
    return br_fail(err, BR_CORRUPT,
                   "%s: rows at offset %" PRIu64 ": checksum %" PRIx64 ", want %" PRIx64,
                   br_file_path(run->spill->file), place->offset, checksum, place->checksum);
}

// What is stored: it was read ahead, or is read to where there is room for it.
static br_status read_stored(const br_run *run, uint32_t worker, const br_spill_place *place,
                             char *room, const char **stored_out, br_error *err)
{
    *stored_out = find_ahead(&run->spill->aheads[worker], place->offset);
    if (*stored_out == NULL) {
        BR_TRY(br_file_read(run->spill->file, place->offset, room, place->stored_bytes, err));
        *stored_out = room;
    }
    return check_stored(run, place, *stored_out, err);
}

static br_status unpack(const br_run *run, const br_spill_place *place, const char *stored,
                        char *bytes, br_error *err)
{
    int size_bytes = LZ4_decompress_safe(stored, bytes, (int)place->stored_bytes,
                                         (int)place->raw_bytes);
    if (size_bytes >= 0 && (uint64_t)size_bytes == place->raw_bytes) return BR_OK;
    return br_fail(err, BR_CORRUPT, "%s: rows at offset %" PRIu64 ": want %" PRIu64 " bytes",
                   br_file_path(run->spill->file), place->offset, place->raw_bytes);
}

br_status br_spill_read(br_run *run, uint32_t worker, const br_spill_place *place,
                        br_arena *arena, char **bytes_out, br_error *err)
{
    br_arena *scratch = br_memory_arena(run->scratch, worker);
    if (scratch == NULL) return no_memory(run, err);
    bool is_packed = place->stored_bytes < place->raw_bytes;
    char *bytes = br_arena_alloc(arena, place->raw_bytes, 64), *room = bytes;
    br_arena_mark mark = br_arena_get_mark(scratch);
    if (is_packed) room = br_arena_alloc(scratch, place->stored_bytes, 64);
    if (bytes == NULL || room == NULL) return no_memory(run, err);
    const char *stored;
    br_status status = read_stored(run, worker, place, room, &stored, err);
    if (status == BR_OK && is_packed) status = unpack(run, place, stored, bytes, err);
    if (status == BR_OK && !is_packed && stored != bytes) memcpy(bytes, stored, place->raw_bytes);
    br_arena_rewind(scratch, mark);
    *bytes_out = bytes;
    return status;
}

// ---- batches ---------------------------------------------------------------------------------

typedef struct batch_head {
    uint32_t row_count, column_count;
} batch_head;

static size_t vector_bytes(const br_vector *vector, uint32_t row_count)
{
    size_t size_bytes = sizeof(vector_head), text_bytes = 0;
    if (vector->class_ == BR_NULL) return size_bytes;
    if (vector->validity != NULL) size_bytes += br_bitmap_words(row_count) * sizeof(uint64_t);
    if (vector->class_ == BR_ANY) {
        for (uint32_t i = 0; i < row_count; i++) {
            const br_value *value = &vector->any[i];
            if (is_text_class(value->class_)) text_bytes += value->text.size;
        }
        return size_bytes + row_count * sizeof(br_value) + round_up(text_bytes);
    }
    if (!is_text_class(vector->class_) || vector->kind != BR_VECTOR_FLAT)
        return size_bytes + row_count * sizeof(int64_t);
    for (uint32_t i = 0; i < row_count; i++) {
        bool is_valid = vector->validity == NULL || br_bitmap_get(vector->validity, i);
        if (is_valid) text_bytes += vector->text[i].size;
    }
    return size_bytes + row_count * sizeof(br_text) + round_up(text_bytes);
}

size_t br_spill_batch_bytes(const br_batch *batch)
{
    size_t size_bytes = sizeof(batch_head);
    for (uint32_t i = 0; i < batch->column_count; i++)
        size_bytes += vector_bytes(&batch->columns[i], batch->row_count);
    return size_bytes;
}

// Room for the whole batch at once: growing would take twice as much.
static bool reserve(br_spill_buffer *buffer, const br_batch *batch)
{
    buffer->capacity_bytes = br_spill_batch_bytes(batch);
    buffer->bytes = br_arena_alloc(buffer->arena, buffer->capacity_bytes, 64);
    return buffer->bytes != NULL;
}

br_status br_spill_write_batch(br_run *run, uint32_t worker, const br_batch *batch,
                               br_spill_place *place_out, br_error *err)
{
    br_arena *scratch = br_memory_arena(run->scratch, worker);
    if (scratch == NULL) return no_memory(run, err);
    br_arena_mark mark = br_arena_get_mark(scratch);
    br_spill_buffer buffer = {.arena = scratch};
    batch_head head = {.row_count = batch->row_count, .column_count = batch->column_count};
    bool has_room = reserve(&buffer, batch) && put_bytes(&buffer, &head, sizeof head);
    for (uint32_t i = 0; i < batch->column_count && has_room; i++)
        has_room = br_spill_put_vector(&buffer, &batch->columns[i], batch->row_count);
    if (!has_room) return no_memory(run, err);
    br_assert(buffer.used_bytes == br_spill_batch_bytes(batch));
    BR_TRY(br_spill_write(run, worker, &buffer, place_out, err));
    br_arena_rewind(scratch, mark);
    return BR_OK;
}

br_status br_spill_read_batch(br_run *run, uint32_t worker, const br_spill_place *place,
                              br_arena *arena, br_batch *batch_out, br_error *err)
{
    char *at;
    BR_TRY(br_spill_read(run, worker, place, arena, &at, err));
    const batch_head *head = br_spill_take(&at, sizeof *head);
    br_batch batch = {.row_count = head->row_count, .column_count = head->column_count};
    batch.columns = BR_ALLOC(arena, br_vector, head->column_count);
    if (batch.columns == NULL) return no_memory(run, err);
    for (uint32_t i = 0; i < batch.column_count; i++)
        batch.columns[i] = br_spill_take_vector(&at, batch.row_count);
    *batch_out = batch;
    return BR_OK;
}

br_status br_batches_get(br_run *run, uint32_t worker, const br_batches *batches,
                         uint32_t index, br_arena *arena, br_batch *batch_out, br_error *err)
{
    *batch_out = batches->batches[index];
    if (batches->places == NULL || batch_out->columns != NULL) return BR_OK;
    // What follows may be a part of it: LIMIT has cut it.
    uint32_t row_count = batch_out->row_count;
    if (find_ahead(&run->spill->aheads[worker], batches->places[index].offset) == NULL)
        BR_TRY(read_ahead(run, worker, batches, index, err));
    BR_TRY(br_spill_read_batch(run, worker, &batches->places[index], arena, batch_out, err));
    br_assert(row_count <= batch_out->row_count);
    batch_out->row_count = row_count;
    return BR_OK;
}

typedef struct store_job {
    br_run *run;
    br_batches *batches;
} store_job;

static br_status store_batch(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    store_job *job = context;
    br_batch *batch = &job->batches->batches[index];
    if (batch->columns == NULL) return BR_OK;
    BR_TRY(br_run_poll(job->run, err));
    BR_TRY(br_spill_write_batch(job->run, worker, batch, &job->batches->places[index], err));
    batch->columns = NULL;
    return BR_OK;
}

br_status br_batches_store(br_run *run, br_batches *batches, br_error *err)
{
    uint32_t count = batches->batch_count;
    br_arena *index = br_memory_arena(run->index, 0);
    br_batch *copies = index == NULL ? NULL : BR_ALLOC(index, br_batch, count);
    br_spill_place *places = index == NULL ? NULL : BR_ALLOC(index, br_spill_place, count);
    if (copies == NULL || places == NULL) return no_memory(run, err);
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = batches->batches[i];
        if (batches->places != NULL) places[i] = batches->places[i];
    }
    batches->batches = copies;
    batches->places = places;
    store_job job = {.run = run, .batches = batches};
    return br_run_tasks(run, count, store_batch, &job, err);
}

typedef struct load_job {
    br_run *run;
    br_batches *batches;
    br_batch *loaded;
    br_memory *memory;
} load_job;

static br_status load_batch(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    load_job *job = context;
    br_arena *arena = br_memory_arena(job->memory, worker);
    if (arena == NULL) return no_memory(job->run, err);
    return br_batches_get(job->run, worker, job->batches, index, arena, &job->loaded[index], err);
}

br_status br_batches_load(br_run *run, br_batches *batches, br_memory *memory, br_error *err)
{
    if (batches->places == NULL) return BR_OK;
    br_arena *arena = br_memory_arena(memory, 0);
    if (arena == NULL) return no_memory(run, err);
    load_job job = {.run = run, .batches = batches, .memory = memory};
    job.loaded = BR_ALLOC(arena, br_batch, batches->batch_count);
    if (job.loaded == NULL) return no_memory(run, err);
    BR_TRY(br_run_tasks(run, batches->batch_count, load_batch, &job, err));
    batches->batches = job.loaded;
    batches->places = NULL;
    return BR_OK;
}
