// sort_runs.c - merging sorted runs.
// SPDX-License-Identifier: Apache-2.0
#include "exec/sort_runs.h"

#include <string.h>

#include "base/assert.h"

typedef struct cursor {  // in one run
    const br_sorted_run *sorted;
    uint32_t next_block;
    uint32_t row, row_count;  // equal: the run is over
    br_arena *arena;
    br_vector *columns;       // of the block
} cursor;

typedef struct merger {
    const br_merge *merge;
    uint32_t count;
    cursor *cursors;
    uint32_t *losers;   // 0: the winner; node n has the nodes 2n and 2n + 1 below it
    // The batch to put out: rows from `gathered` on still lie in the cursors' blocks.
    uint32_t row_count, gathered;
    uint32_t *from;     // cursor of each row
    uint32_t *rows;
    br_arena *arena;    // of the batch
    br_vector *columns;
} merger;

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "merging sorted rows", err);
}

br_status br_sorted_run_add(br_run *run, uint32_t worker, br_sorted_run *sorted,
                            const br_batch *batch, br_arena *index, br_error *err)
{
    if (sorted->block_count == sorted->block_capacity) {
        uint32_t capacity = sorted->block_capacity * 2 + 16;
        br_spill_place *blocks = BR_ALLOC(index, br_spill_place, capacity);
        if (blocks == NULL) return no_memory(run, err);
        if (sorted->block_count > 0)
            memcpy(blocks, sorted->blocks, sorted->block_count * sizeof *blocks);
        sorted->blocks = blocks;
        sorted->block_capacity = capacity;
    }
    return br_spill_write_batch(run, worker, batch, &sorted->blocks[sorted->block_count++], err);
}

// ---- blocks ----------------------------------------------------------------------------------

// All blocks of a column get the same class and kind; one of NULLs only becomes an array as well.
static br_status unify(const br_merge *merge, uint32_t column, uint32_t row_count,
                       br_arena *arena, br_vector *vector, br_error *err)
{
    uint8_t class_ = merge->classes[column], kind = merge->kinds[column];
    if (class_ == BR_NULL) return BR_OK;
    if (vector->class_ == BR_NULL) {
        size_t item_bytes = br_item_bytes(class_, kind);
        *vector = (br_vector){.class_ = class_, .kind = kind};
        vector->data = br_arena_zalloc(arena, row_count * item_bytes, 64);
        if (class_ != BR_ANY)
            vector->validity = BR_ALLOC(arena, uint64_t, br_bitmap_words(row_count));
        if (vector->data == NULL || (class_ != BR_ANY && vector->validity == NULL))
            return no_memory(merge->run, err);
        return BR_OK;
    }
    if (class_ == BR_ANY && vector->class_ != BR_ANY)
        return br_vector_to_any(vector, row_count, arena, vector, err);
    if (vector->kind != kind) return br_vector_flatten(vector, row_count, arena, vector, err);
    return BR_OK;
}

static br_status next_block(const br_merge *merge, cursor *at, br_error *err)
{
    br_batch batch;
    at->row = at->row_count = 0;
    if (at->next_block == at->sorted->block_count) return BR_OK;
    br_arena_reset(at->arena);
    BR_TRY(br_spill_read_batch(merge->run, 0, &at->sorted->blocks[at->next_block++], at->arena,
                               &batch, err));
    br_assert(batch.column_count == merge->column_count && batch.row_count > 0);
    for (uint32_t i = 0; i < batch.column_count; i++)
        BR_TRY(unify(merge, i, batch.row_count, at->arena, &batch.columns[i], err));
    at->columns = batch.columns;
    at->row_count = batch.row_count;
    return BR_OK;
}

// ---- the tree --------------------------------------------------------------------------------

// Does the row of cursor `left` come before that of `right`? Runs that are over come last.
static bool comes_first(const merger *self, uint32_t left, uint32_t right)
{
    const cursor *l = &self->cursors[left], *r = &self->cursors[right];
    if (l->row == l->row_count) return false;
    if (r->row == r->row_count) return true;
    const br_sort_spec *spec = self->merge->spec;
    for (uint32_t k = 0; k < spec->key_count; k++) {
        uint32_t column = br_sort_key_column(spec, k);
        if (self->merge->classes[column] == BR_NULL) continue;
        int order = br_sort_compare_places((br_sort_place){&l->columns[column], l->row},
                                           (br_sort_place){&r->columns[column], r->row},
                                           &spec->keys[k]);
        if (order != 0) return order < 0;
    }
    return left < right;
}

// Leaf i is node count + i.
static br_status build_tree(merger *self, br_arena *arena, br_error *err)
{
    uint32_t *winners = BR_ALLOC(arena, uint32_t, (size_t)2 * self->count);
    if (winners == NULL) return no_memory(self->merge->run, err);
    for (uint32_t i = 0; i < self->count; i++) winners[self->count + i] = i;
    for (uint32_t node = self->count - 1; node > 0; node--) {
        uint32_t left = winners[2 * node], right = winners[2 * node + 1];
        bool is_left = comes_first(self, left, right);
        winners[node] = is_left ? left : right;
        self->losers[node] = is_left ? right : left;
    }
    self->losers[0] = winners[1];
    return BR_OK;
}

// The winner has moved on: it plays again on its way up.
static void replay(merger *self)
{
    uint32_t winner = self->losers[0];
    for (uint32_t node = (self->count + winner) / 2; node > 0; node /= 2) {
        if (!comes_first(self, self->losers[node], winner)) continue;
        uint32_t loser = winner;
        winner = self->losers[node];
        self->losers[node] = loser;
    }
    self->losers[0] = winner;
}

// ---- putting out -----------------------------------------------------------------------------

static br_status begin_batch(merger *self, br_error *err)
{
    const br_merge *merge = self->merge;
    br_arena_reset(self->arena);
    self->row_count = self->gathered = 0;
    self->columns = BR_ALLOC(self->arena, br_vector, merge->output_count);
    if (self->columns == NULL) return no_memory(merge->run, err);
    for (uint32_t i = 0; i < merge->output_count; i++) {
        br_vector *column = &self->columns[i];
        *column = br_vector_null();
        if (merge->classes[i] == BR_NULL) continue;
        *column = (br_vector){.class_ = merge->classes[i], .kind = merge->kinds[i]};
        size_t item_bytes = br_item_bytes(column->class_, column->kind);
        column->data = br_arena_alloc(self->arena, merge->batch_rows * item_bytes, 64);
        if (column->class_ != BR_ANY)
            column->validity = BR_ALLOC(self->arena, uint64_t, br_bitmap_words(merge->batch_rows));
        if (column->data == NULL || (column->class_ != BR_ANY && column->validity == NULL))
            return no_memory(merge->run, err);
    }
    return BR_OK;
}

static bool keep_text(merger *self, br_text *text)
{
    if (text->size == 0) return true;
    char *bytes = br_arena_alloc(self->arena, text->size, 1);
    if (bytes == NULL) return false;
    memcpy(bytes, text->data, text->size);
    text->data = bytes;
    return true;
}

// Copies one value of a column; the arrays of the batch are its own.
static bool gather_one(merger *self, const br_vector *from, uint32_t from_row, br_vector *to,
                       uint32_t row)
{
    bool is_text = to->class_ == BR_TEXT || to->class_ == BR_BLOB;
    if (to->class_ == BR_ANY) {
        br_value *value = (br_value *)(uintptr_t)&to->any[row];
        *value = from->any[from_row];
        return (value->class_ != BR_TEXT && value->class_ != BR_BLOB) ||
               keep_text(self, &value->text);
    }
    bool is_valid = from->validity == NULL || br_bitmap_get(from->validity, from_row);
    if (is_valid) br_bitmap_set((uint64_t *)(uintptr_t)to->validity, row);
    if (is_text && !br_is_time_kind(to->kind)) {
        br_text *text = (br_text *)(uintptr_t)&to->text[row];
        *text = is_valid ? from->text[from_row] : br_text_make("", 0);
        return keep_text(self, text);
    }
    *(int64_t *)(uintptr_t)&to->i64[row] = from->i64[from_row];
    return true;
}

// Copies the rows noted so far: a block is about to go, or the batch is full.
static br_status gather(merger *self, br_error *err)
{
    for (uint32_t i = 0; i < self->merge->output_count; i++) {
        br_vector *to = &self->columns[i];
        if (to->class_ == BR_NULL) continue;
        for (uint32_t row = self->gathered; row < self->row_count; row++) {
            const br_vector *from = &self->cursors[self->from[row]].columns[i];
            if (!gather_one(self, from, self->rows[row], to, row))
                return no_memory(self->merge->run, err);
        }
    }
    self->gathered = self->row_count;
    return BR_OK;
}

static br_status put_batch(merger *self, br_error *err)
{
    const br_merge *merge = self->merge;
    if (self->row_count == 0) return BR_OK;
    BR_TRY(gather(self, err));
    for (uint32_t i = 0; i < merge->output_count; i++) {
        br_vector *column = &self->columns[i];
        if (column->validity != NULL &&
            br_bitmap_count(column->validity, self->row_count) == self->row_count)
            column->validity = NULL;
    }
    br_batch batch = {.row_count = self->row_count,
                      .column_count = merge->output_count,
                      .columns = self->columns};
    BR_TRY(br_run_poll(merge->run, err));
    BR_TRY(merge->put(merge->context, &batch, err));
    return begin_batch(self, err);
}

static br_status merge_all(merger *self, br_error *err)
{
    const br_merge *merge = self->merge;
    uint64_t at = 0, end = merge->limit > UINT64_MAX - merge->offset
                               ? UINT64_MAX
                               : merge->offset + merge->limit;
    for (; at < end; at++) {
        cursor *winner = &self->cursors[self->losers[0]];
        if (winner->row == winner->row_count) break;  // all runs are over
        if (at >= merge->offset) {
            self->from[self->row_count] = self->losers[0];
            self->rows[self->row_count++] = winner->row;
        }
        bool is_full = self->row_count == merge->batch_rows;
        bool has_next = winner->next_block < winner->sorted->block_count;
        if (++winner->row == winner->row_count && has_next) {
            BR_TRY(gather(self, err));
            BR_TRY(next_block(merge, winner, err));
        }
        if (is_full) BR_TRY(put_batch(self, err));
        replay(self);
    }
    return put_batch(self, err);
}

static br_status merger_init(merger *self, const br_sorted_run *runs, br_memory *memory,
                             br_error *err)
{
    const br_merge *merge = self->merge;
    br_arena *arena = br_memory_arena(memory, 0);
    if (arena == NULL) return no_memory(merge->run, err);
    self->cursors = BR_ALLOC(arena, cursor, self->count);
    self->losers = BR_ALLOC(arena, uint32_t, self->count);
    self->from = BR_ALLOC(arena, uint32_t, merge->batch_rows);
    self->rows = BR_ALLOC(arena, uint32_t, merge->batch_rows);
    if (self->cursors == NULL || self->losers == NULL || self->from == NULL || self->rows == NULL)
        return no_memory(merge->run, err);
    for (uint32_t i = 0; i < self->count; i++) {
        self->cursors[i] = (cursor){.sorted = &runs[i]};
        self->cursors[i].arena = br_arena_new(merge->run->env->quota);
        if (self->cursors[i].arena == NULL) return no_memory(merge->run, err);
        BR_TRY(next_block(merge, &self->cursors[i], err));
    }
    self->arena = br_arena_new(merge->run->env->quota);
    if (self->arena == NULL) return no_memory(merge->run, err);
    BR_TRY(begin_batch(self, err));
    return build_tree(self, arena, err);
}

br_status br_merge_runs(const br_merge *merge, const br_sorted_run *runs, uint32_t count,
                        br_error *err)
{
    br_memory *memory;
    merger self = {.merge = merge, .count = count};
    br_assert(count > 0 && merge->batch_rows <= BR_BATCH_ROWS);
    BR_TRY(br_memory_new(merge->run, &memory, err));
    br_status status = merger_init(&self, runs, memory, err);
    if (status == BR_OK) status = merge_all(&self, err);
    for (uint32_t i = 0; i < count && self.cursors != NULL; i++)
        br_arena_free(self.cursors[i].arena);
    br_arena_free(self.arena);
    br_memory_free(merge->run, memory);
    return status;
}
