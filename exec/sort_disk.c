// sort_disk.c - sorting more rows than there is memory for: runs, and rounds of merges.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "base/heap.h"
#include "exec/sort_runs.h"

enum {
    BLOCK_BYTES = 32 * 1024,      // what one read should fetch
    BLOCK_ROWS_MIN = 16,
    CURSOR_BYTES = 24 * 1024,     // of a run in a merge, besides its block
    MERGE_PART = 3,               // a merge may take 1 / MERGE_PART of what is left
    FAN_IN_MIN = 2,
};

typedef struct chunk {  // consecutive batches, sorted at a time
    uint32_t first, count;
    br_sorted_run sorted;
    uint32_t *classes, *kinds;  // bits of what its columns are
} chunk;

typedef struct disk_sort {
    br_run *run;
    const br_sort_spec *spec;
    const br_batches *batches;
    uint32_t column_count, block_rows;
    uint32_t chunk_count;
    chunk *chunks;
    br_memory *work;
    br_arena *arena;
} disk_sort;

static br_status no_memory(const disk_sort *self, br_error *err)
{
    return br_run_no_memory(self->run, "sorting on disk", err);
}

// ---- runs ------------------------------------------------------------------------------------

static br_status cut_chunks(disk_sort *self, br_error *err)
{
    const br_batches *batches = self->batches;
    size_t share = br_run_share_bytes(self->run);
    uint64_t total = 0, bytes = 0;
    self->chunks = BR_ALLOC(self->arena, chunk, batches->batch_count);
    if (self->chunks == NULL) return no_memory(self, err);
    for (uint32_t i = 0; i < batches->batch_count; i++) {
        uint64_t size_bytes = batches->places[i].raw_bytes;
        bool is_new = self->chunk_count == 0 || bytes + size_bytes > share;
        if (is_new) {
            self->chunks[self->chunk_count++] = (chunk){.first = i};
            bytes = 0;
        }
        self->chunks[self->chunk_count - 1].count++;
        bytes += size_bytes;
        total += size_bytes;
    }
    uint64_t row_bytes = total / batches->row_count + 1;
    uint64_t rows = BLOCK_BYTES / row_bytes;
    self->block_rows = rows < BLOCK_ROWS_MIN ? BLOCK_ROWS_MIN
                       : rows > BR_BATCH_ROWS ? BR_BATCH_ROWS
                                              : (uint32_t)rows;
    return BR_OK;
}

static br_status load_chunk(const disk_sort *self, const chunk *at, uint32_t worker,
                            br_rows *rows_out, br_error *err)
{
    br_arena *arena = br_memory_arena(self->work, worker);
    br_batches batches = {.column_count = self->column_count, .batch_count = at->count};
    batches.batches = BR_ALLOC(arena, br_batch, at->count);
    if (batches.batches == NULL) return no_memory(self, err);
    for (uint32_t i = 0; i < at->count; i++) {
        BR_TRY(br_batches_get(self->run, worker, self->batches, at->first + i, arena,
                              &batches.batches[i], err));
        batches.row_count += batches.batches[i].row_count;
    }
    const br_keep keep = {.rows = self->work, .bytes = self->work};
    return br_rows_build_alone(self->run, &batches, &keep, worker, rows_out, err);
}

static br_status write_run(const disk_sort *self, chunk *at, uint32_t worker, const br_rows *rows,
                           const uint32_t *order, br_error *err)
{
    br_arena *arena = br_memory_arena(self->work, worker);
    br_arena *index = br_memory_arena(self->run->index, worker);
    br_vector *columns = BR_ALLOC(arena, br_vector, rows->column_count);
    if (index == NULL || columns == NULL) return no_memory(self, err);
    br_arena_mark mark = br_arena_get_mark(arena);
    for (uint32_t first = 0; first < rows->row_count; first += self->block_rows) {
        uint32_t left = rows->row_count - first;
        br_batch batch = {.row_count = left < self->block_rows ? left : self->block_rows,
                          .column_count = rows->column_count,
                          .columns = columns};
        BR_TRY(br_run_poll(self->run, err));
        for (uint32_t i = 0; i < rows->column_count; i++)
            BR_TRY(br_column_pick(self->run, &rows->columns[i], order + first, batch.row_count,
                                  false, arena, &columns[i], err));
        BR_TRY(br_sorted_run_add(self->run, worker, &at->sorted, &batch, index, err));
        br_arena_rewind(arena, mark);
    }
    return BR_OK;
}

static br_status sort_chunk(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    disk_sort *self = context;
    chunk *at = &self->chunks[index];
    br_rows rows;
    uint32_t *order;
    br_arena *arena = br_memory_arena(self->work, worker);
    if (arena == NULL) return no_memory(self, err);
    BR_TRY(load_chunk(self, at, worker, &rows, err));
    for (uint32_t i = 0; i < self->column_count; i++) {
        at->classes[i] = 1u << rows.columns[i].class_;
        at->kinds[i] = 1u << rows.columns[i].kind;
    }
    br_vector *keys = BR_ALLOC(arena, br_vector, self->spec->key_count);
    if (keys == NULL) return no_memory(self, err);
    for (uint32_t k = 0; k < self->spec->key_count; k++)
        keys[k] = rows.columns[br_sort_key_column(self->spec, k)];
    br_sort_columns columns = {
        .key_count = self->spec->key_count, .columns = keys, .keys = self->spec->keys};
    BR_TRY(br_sort_rows_alone(self->run, &columns, rows.row_count, arena, &order, err));
    BR_TRY(write_run(self, at, worker, &rows, order, err));
    br_arena_reset(arena);
    return BR_OK;
}

static br_status make_runs(disk_sort *self, br_error *err)
{
    uint32_t columns = self->column_count;
    BR_TRY(cut_chunks(self, err));
    for (uint32_t i = 0; i < self->chunk_count; i++) {
        self->chunks[i].classes = BR_ALLOC(self->arena, uint32_t, columns);
        self->chunks[i].kinds = BR_ALLOC(self->arena, uint32_t, columns);
        if (self->chunks[i].classes == NULL || self->chunks[i].kinds == NULL)
            return no_memory(self, err);
    }
    BR_TRY(br_memory_new(self->run, &self->work, err));
    BR_TRY(br_run_tasks(self->run, self->chunk_count, sort_chunk, self, err));
    br_memory_free(self->run, self->work);
    br_heap_trim();
    return BR_OK;
}

// ---- merges ----------------------------------------------------------------------------------

// Class and kind that hold a column of every run.
static br_status unify_columns(const disk_sort *self, br_merge *merge, br_error *err)
{
    uint8_t *classes = BR_ALLOC(self->arena, uint8_t, self->column_count);
    uint8_t *kinds = BR_ALLOC(self->arena, uint8_t, self->column_count);
    if (classes == NULL || kinds == NULL) return no_memory(self, err);
    for (uint32_t i = 0; i < self->column_count; i++) {
        unsigned mask = 0, kind_mask = 0;
        for (uint32_t k = 0; k < self->chunk_count; k++) {
            if (self->chunks[k].classes[i] == 1u << BR_NULL) continue;
            mask |= self->chunks[k].classes[i];
            kind_mask |= self->chunks[k].kinds[i];
        }
        bool is_single = (mask & (mask - 1)) == 0;
        bool is_one_kind = is_single && (kind_mask & (kind_mask - 1)) == 0;
        classes[i] = (uint8_t)(mask == 0 ? BR_NULL : is_single ? __builtin_ctz(mask) : BR_ANY);
        kinds[i] = (uint8_t)(mask != 0 && is_one_kind ? __builtin_ctz(kind_mask) : BR_VECTOR_FLAT);
    }
    merge->classes = classes;
    merge->kinds = kinds;
    return BR_OK;
}

typedef struct run_output {
    const disk_sort *self;
    br_sorted_run *sorted;
    br_arena *index;
} run_output;

static br_status put_run(void *context, const br_batch *batch, br_error *err)
{
    run_output *output = context;
    return br_sorted_run_add(output->self->run, 0, output->sorted, batch, output->index, err);
}

static uint32_t fan_in(const disk_sort *self)
{
    size_t left = br_quota_room(self->run->env->quota) / MERGE_PART;
    size_t runs = left / (CURSOR_BYTES + 2 * BLOCK_BYTES);
    return runs < FAN_IN_MIN ? FAN_IN_MIN : runs > UINT16_MAX ? UINT16_MAX : (uint32_t)runs;
}

// Merges neighbours until one merge can take all runs.
static br_status reduce_runs(const disk_sort *self, const br_merge *shape, br_sorted_run *runs,
                             uint32_t *count, uint32_t fan_in_, br_error *err)
{
    run_output output = {.self = self, .index = br_memory_arena(self->run->index, 0)};
    if (output.index == NULL) return no_memory(self, err);
    br_merge merge = *shape;
    merge.output_count = self->column_count;
    merge.batch_rows = self->block_rows;
    merge.limit = UINT64_MAX;
    merge.put = put_run;
    merge.context = &output;
    while (*count > fan_in_) {
        uint32_t merged = 0;
        for (uint32_t first = 0; first < *count; first += fan_in_) {
            br_sorted_run sorted = {0};
            uint32_t left = *count - first;
            output.sorted = &sorted;
            BR_TRY(br_merge_runs(&merge, runs + first, left < fan_in_ ? left : fan_in_, err));
            runs[merged++] = sorted;
        }
        *count = merged;
    }
    return BR_OK;
}

static br_status put_rows(void *context, const br_batch *batch, br_error *err)
{
    br_collector *collector = context;
    BR_TRY(br_collector_add(collector, batch, err));
    return br_collector_relieve(collector, err);
}

static br_status merge_chunks(const disk_sort *self, br_memory *memory, br_batches *batches_out,
                              br_error *err)
{
    br_run *run = self->run;
    br_batch_list list;
    br_collector *collector;
    uint32_t count = self->chunk_count;
    br_merge merge = {.run = run, .spec = self->spec, .column_count = self->column_count};
    br_sorted_run *runs = BR_ALLOC(self->arena, br_sorted_run, count);
    br_arena *arena = br_memory_arena(memory, 0);
    if (runs == NULL || arena == NULL) return no_memory(self, err);
    for (uint32_t i = 0; i < count; i++) runs[i] = self->chunks[i].sorted;
    BR_TRY(unify_columns(self, &merge, err));
    BR_TRY(reduce_runs(self, &merge, runs, &count, fan_in(self), err));
    const br_keep keep = {.rows = memory, .bytes = memory};
    BR_TRY(br_collector_new(run, self->arena, &keep, 0, self->spec->width, &collector, err));
    merge.output_count = self->spec->width;
    merge.batch_rows = BR_BATCH_ROWS;
    merge.offset = self->spec->offset;
    merge.limit = self->spec->limit;
    merge.put = put_rows;
    merge.context = collector;
    BR_TRY(br_merge_runs(&merge, runs, count, err));
    BR_TRY(br_collector_take(collector, &list, err));
    return br_batches_join(run, &list, 1, self->spec->width, arena, batches_out, err);
}

br_status br_sort_on_disk(br_run *run, const br_sort_spec *spec, const br_batches *batches,
                          br_memory *memory, br_batches *batches_out, br_error *err)
{
    br_memory *own;
    disk_sort self = {.run = run,
                      .spec = spec,
                      .batches = batches,
                      .column_count = batches->column_count};
    br_assert(batches->batch_count > 0 && batches->places != NULL);
    BR_TRY(br_memory_new(run, &own, err));
    self.arena = br_memory_arena(own, 0);
    if (self.arena == NULL) return no_memory(&self, err);
    BR_TRY(make_runs(&self, err));
    BR_TRY(merge_chunks(&self, memory, batches_out, err));
    br_memory_free(run, own);
    return BR_OK;
}
