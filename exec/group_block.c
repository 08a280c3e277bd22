// group_block.c - cutting groups into partitions, and merging partitions into parts.
// SPDX-License-Identifier: Apache-2.0
#include "exec/group_disk.h"

#include <string.h>

#include "base/assert.h"
#include "exec/rows.h"

enum {
    GROUPS_PER_PARTITION_MIN = 4,  // smaller blocks are cut only if the merge needs it
    SINGLE_PART_GROUPS = 16384,    // up to so many are merged by one task
};

static br_status no_memory(const br_grouping *grouping, br_error *err)
{
    return br_run_no_memory(grouping->run, "grouping", err);
}

// ---- cutting ---------------------------------------------------------------------------------

// Counting sort by the high bits of the hash: order[i] is the group at place i.
static void sort_by_partition(const uint64_t *hashes, uint32_t count, uint32_t bits,
                              uint32_t *offsets, uint32_t *order)
{
    uint32_t shift = 64 - bits, partition_count = 1u << bits;
    memset(offsets, 0, (partition_count + 1) * sizeof *offsets);
    for (uint32_t i = 0; i < count; i++) offsets[(hashes[i] >> shift) + 1]++;
    for (uint32_t p = 0; p < partition_count; p++) offsets[p + 1] += offsets[p];
    for (uint32_t i = 0; i < count; i++) order[offsets[hashes[i] >> shift]++] = i;
    memmove(offsets + 1, offsets, partition_count * sizeof *offsets);
    offsets[0] = 0;
}

static void copy_items(const char *items, size_t item_bytes, const uint32_t *order,
                       uint32_t count, char *out)
{
    if (count == 0) return;
    if (order == NULL) {
        memcpy(out, items, count * item_bytes);
    } else if (item_bytes == sizeof(uint64_t)) {
        const uint64_t *in = (const uint64_t *)(const void *)items;
        uint64_t *words = (uint64_t *)(void *)out;
        for (uint32_t i = 0; i < count; i++) words[i] = in[order[i]];
    } else {
        for (uint32_t i = 0; i < count; i++)
            memcpy(out + i * item_bytes, items + order[i] * item_bytes, item_bytes);
    }
}

static br_status copy_states(const br_grouping *grouping, const br_state_array *arrays,
                             const uint32_t *order, uint32_t count, br_arena *keep,
                             br_state_array **out, br_error *err)
{
    br_state_array *copies = BR_ALLOC(keep, br_state_array, grouping->state_count);
    if (copies == NULL) return no_memory(grouping, err);
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        br_state_kind kind = grouping->specs[i].kind;
        size_t item_bytes = br_state_item_bytes(kind);
        copies[i].items = br_arena_alloc(keep, count * item_bytes, 64);
        if (copies[i].items == NULL) return no_memory(grouping, err);
        copy_items(arrays[i].items, item_bytes, order, count, copies[i].items);
        if (!br_state_has_flags(kind)) continue;
        copies[i].flags = br_arena_alloc(keep, count, 64);
        if (copies[i].flags == NULL) return no_memory(grouping, err);
        for (uint32_t k = 0; k < count; k++)
            copies[i].flags[k] = arrays[i].flags[order != NULL ? order[k] : k];
    }
    *out = copies;
    return BR_OK;
}

static br_status copy_keys(const br_grouping *grouping, const br_vector *keys,
                           const uint32_t *order, uint32_t count, br_arena *keep,
                           br_vector **out, br_error *err)
{
    br_vector *copies = BR_ALLOC(keep, br_vector, grouping->key_count);
    if (copies == NULL) return no_memory(grouping, err);
    for (uint32_t k = 0; k < grouping->key_count; k++) {
        BR_TRY(br_column_pick(grouping->run, &keys[k], order, count, false, keep, &copies[k],
                              err));
    }
    *out = copies;
    return BR_OK;
}

// The block's contents, in the order given.
static br_status fill(const br_grouping *grouping, br_group_block *block, const uint64_t *hashes,
                      const br_vector *keys, const br_state_array *arrays,
                      const uint32_t *order, br_arena *keep, br_error *err)
{
    uint64_t *copies = br_arena_alloc(keep, block->count * sizeof *copies, 64);
    if (copies == NULL) return no_memory(grouping, err);
    for (uint32_t i = 0; i < block->count; i++) copies[i] = hashes[order[i]];
    block->hashes = copies;
    BR_TRY(copy_keys(grouping, keys, order, block->count, keep, &block->keys, err));
    return copy_states(grouping, arrays, order, block->count, keep, &block->arrays, err);
}

static br_status make_order(const br_grouping *grouping, br_group_block *block,
                            const uint64_t *hashes, bool cut, br_arena *keep, br_arena *scratch,
                            uint32_t **order_out, br_error *err)
{
    uint32_t *order = BR_ALLOC(scratch, uint32_t, block->count);
    if (order == NULL) return no_memory(grouping, err);
    *order_out = order;
    if (!cut) {
        for (uint32_t i = 0; i < block->count; i++) order[i] = i;
        return BR_OK;
    }
    block->offsets = BR_ALLOC(keep, uint32_t, (1u << grouping->partition_bits) + 1);
    if (block->offsets == NULL) return no_memory(grouping, err);
    sort_by_partition(hashes, block->count, grouping->partition_bits, block->offsets, order);
    return BR_OK;
}

br_status br_group_block_make(const br_grouping *grouping, br_groups *groups,
                              const br_state_array *arrays, br_arena *keep, br_arena *scratch,
                              br_group_block *block, br_error *err)
{
    br_vector *keys = BR_ALLOC(scratch, br_vector, grouping->key_count);
    uint32_t *order;
    if (keys == NULL) return no_memory(grouping, err);
    block->count = groups->count;
    if (grouping->key_count == 0)
        return copy_states(grouping, arrays, NULL, block->count, keep, &block->arrays, err);
    BR_TRY(br_groups_hash_all(groups, err));
    for (uint32_t k = 0; k < grouping->key_count; k++) keys[k] = br_groups_key(groups, k);
    bool cut = grouping->partition_bits > 0 &&
               block->count >> grouping->partition_bits >= GROUPS_PER_PARTITION_MIN;
    BR_TRY(make_order(grouping, block, groups->hashes, cut, keep, scratch, &order, err));
    return fill(grouping, block, groups->hashes, keys, arrays, order, keep, err);
}

br_status br_group_block_cut(const br_grouping *grouping, br_group_block *block, br_arena *keep,
                             br_arena *scratch, br_error *err)
{
    uint32_t *order;
    if (block->offsets != NULL) return BR_OK;
    BR_TRY(make_order(grouping, block, block->hashes, true, keep, scratch, &order, err));
    return fill(grouping, block, block->hashes, block->keys, block->arrays, order, keep, err);
}

// ---- merging ---------------------------------------------------------------------------------

typedef struct merge_job {
    br_grouping *grouping;
    br_memory *work;  // tables grow here, part after part in the same memory
    bool is_on_disk;  // something is
    br_group_flush **flushes;
} merge_job;

typedef struct merger {
    br_grouping *grouping;
    br_group_block ***pieces;  // by flush and partition of it; NULL: nothing is on disk
    br_arena *work, *keep, *scratch;
    br_groups groups;
    br_state_array *arrays;
    uint32_t capacity, initialised;
} merger;

// Groups first..first+count of a block as vectors.
static br_status slice_keys(const merger *self, const br_group_block *block, uint32_t first,
                            uint32_t count, br_vector *keys, br_error *err)
{
    for (uint32_t k = 0; k < self->grouping->key_count; k++) {
        keys[k] = block->keys[k];
        if (keys[k].class_ == BR_NULL) continue;
        size_t item_bytes = br_item_bytes(keys[k].class_, keys[k].kind);
        keys[k].data = (const char *)keys[k].data + first * item_bytes;
        if (keys[k].validity == NULL) continue;
        uint64_t *bits = BR_ALLOC(self->scratch, uint64_t, br_bitmap_words(count));
        if (bits == NULL) return no_memory(self->grouping, err);
        br_bitmap_slice(block->keys[k].validity, first, count, bits);
        keys[k].validity = bits;
    }
    return BR_OK;
}

static br_status merge_rows(merger *self, const br_group_block *block, uint32_t first,
                            uint32_t count, br_error *err)
{
    br_grouping *grouping = self->grouping;
    br_groups *groups = &self->groups;
    uint32_t found[BR_BATCH_ROWS];
    br_vector *keys = BR_ALLOC(self->scratch, br_vector, grouping->key_count);
    if (keys == NULL) return no_memory(grouping, err);
    if (grouping->key_count == 0) {
        br_assert(count == 1);
        groups->count = 1;
        found[0] = 0;
    } else {
        BR_TRY(slice_keys(self, block, first, count, keys, err));
        BR_TRY(br_groups_find(groups, keys, count, block->hashes + first, self->scratch, found,
                              err));
    }
    uint32_t wanted = groups->capacity > 0 ? groups->capacity : 1;
    BR_TRY(br_state_arrays_fit(grouping, self->arrays, &self->capacity, self->initialised, wanted,
                               self->work, err));
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        br_state_init(&grouping->specs[i], &self->arrays[i], self->initialised,
                      groups->count - self->initialised);
        br_state_merge(&grouping->specs[i], &self->arrays[i], found, &block->arrays[i], first,
                       count);
    }
    self->initialised = groups->count;
    return BR_OK;
}

static br_status merge_groups(merger *self, const br_group_block *block, uint32_t at,
                              uint32_t end, br_error *err)
{
    while (at < end) {
        uint32_t count = end - at < BR_BATCH_ROWS ? end - at : BR_BATCH_ROWS;
        br_arena_mark mark = br_arena_get_mark(self->scratch);
        BR_TRY(merge_rows(self, block, at, count, err));
        br_arena_rewind(self->scratch, mark);
        at += count;
    }
    return BR_OK;
}

static br_status merge_block(merger *self, const br_group_block *block, uint32_t partition,
                             br_error *err)
{
    bool is_whole = self->grouping->part_count == 1;
    if (block->flush == NULL) {
        uint32_t at = is_whole ? 0 : block->offsets[partition];
        uint32_t end = is_whole ? block->count : block->offsets[partition + 1];
        return merge_groups(self, block, at, end, err);
    }
    // The partitions of a cut block follow one another, as they do in memory.
    uint32_t count = is_whole ? block->flush->partition_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        const br_group_block *piece = self->pieces[block->flush->number][i];
        if (piece == NULL) continue;
        piece += block->flush_index;
        BR_TRY(merge_groups(self, piece, 0, piece->count, err));
    }
    return BR_OK;
}

// What is on disk of one partition, or of all when there is one part only.
static br_status load_pieces(merger *self, const merge_job *job, uint32_t worker,
                             uint32_t partition, br_error *err)
{
    br_grouping *grouping = self->grouping;
    uint32_t count = atomic_load_explicit(&grouping->flush_count, memory_order_relaxed);
    bool is_whole = grouping->part_count == 1;
    // Texts of final groups that stay in memory are not copied again.
    br_arena *arena = is_whole ? self->keep : self->work;
    self->pieces = BR_ALLOC(arena, br_group_block **, count);
    if (self->pieces == NULL) return no_memory(grouping, err);
    for (uint32_t f = 0; f < count; f++) {
        const br_group_flush *flush = job->flushes[f];
        if (flush == NULL) continue;  // its blocks were written again
        uint32_t piece_count = is_whole ? flush->partition_count : 1;
        self->pieces[f] = BR_ALLOC(arena, br_group_block *, piece_count);
        if (self->pieces[f] == NULL) return no_memory(grouping, err);
        for (uint32_t i = 0; i < piece_count; i++)
            BR_TRY(br_group_flush_read(grouping, worker, flush, is_whole ? i : partition, arena,
                                       &self->pieces[f][i], err));
    }
    return BR_OK;
}

// Groups that are complete, in arrays of just the right size.
static br_status keep_part(const merger *self, br_group_part *part, br_error *err)
{
    const br_grouping *grouping = self->grouping;
    part->count = self->groups.count;
    part->keys = BR_ALLOC(self->keep, br_vector, grouping->key_count);
    if (part->keys == NULL) return no_memory(grouping, err);
    for (uint32_t k = 0; k < grouping->key_count; k++) {
        br_vector key = br_groups_key(&self->groups, k);
        part->keys[k] = key;
        if (key.class_ == BR_NULL) continue;
        size_t item_bytes = br_item_bytes(key.class_, key.kind);
        part->keys[k].data = br_arena_copy(self->keep, key.data, part->count * item_bytes);
        if (key.validity != NULL)
            part->keys[k].validity =
                br_arena_copy(self->keep, key.validity,
                              br_bitmap_words(part->count) * sizeof(uint64_t));
        if (br_arena_failed(self->keep)) return no_memory(grouping, err);
    }
    return copy_states(grouping, self->arrays, NULL, part->count, self->keep, &part->arrays, err);
}

static br_status merge_blocks(merger *self, uint32_t partition, br_error *err)
{
    const br_grouping *grouping = self->grouping;
    for (uint32_t i = 0; i < grouping->morsel_count; i++) {
        for (const br_group_block *block = grouping->blocks[i]; block != NULL;
             block = block->next) {
            BR_TRY(merge_block(self, block, partition, err));
        }
    }
    if (grouping->key_count > 0 || self->groups.count > 0) return BR_OK;
    // No keys and no rows: one group all the same.
    self->groups.count = 1;
    BR_TRY(br_state_arrays_fit(grouping, self->arrays, &self->capacity, 0, 1, self->work, err));
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        br_state_init(&grouping->specs[i], &self->arrays[i], 0, 1);
    }
    return BR_OK;
}

static br_status write_part(merger *self, uint32_t worker, br_group_part *part, br_error *err)
{
    br_grouping *grouping = self->grouping;
    br_group_block groups = {.count = self->groups.count, .arrays = self->arrays};
    groups.keys = BR_ALLOC(self->work, br_vector, grouping->key_count);
    if (groups.keys == NULL) return no_memory(grouping, err);
    for (uint32_t k = 0; k < grouping->key_count; k++)
        groups.keys[k] = br_groups_key(&self->groups, k);
    return br_group_part_write(grouping, worker, &groups, part, err);
}

static br_status merge_part(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    const merge_job *job = context;
    br_grouping *grouping = job->grouping;
    bool goes_to_disk = job->is_on_disk && grouping->part_count > 1;
    merger self = {.grouping = grouping,
                   .work = br_memory_arena(job->work, worker),
                   .scratch = br_memory_arena(grouping->run->scratch, worker)};
    self.keep = goes_to_disk ? self.work : br_memory_arena(grouping->memory, worker);
    BR_TRY(br_run_poll(grouping->run, err));
    if (self.work == NULL || self.keep == NULL || self.scratch == NULL)
        return no_memory(grouping, err);
    br_arena_mark mark = br_arena_get_mark(self.work);
    if (job->is_on_disk) BR_TRY(load_pieces(&self, job, worker, index, err));
    self.arrays = BR_ALLOC(self.work, br_state_array, grouping->state_count);
    if (self.arrays == NULL) return no_memory(grouping, err);
    BR_TRY(br_groups_init(&self.groups, grouping->run, self.work, self.keep,
                          grouping->collations, grouping->key_count, err));
    BR_TRY(merge_blocks(&self, index, err));
    if (goes_to_disk) BR_TRY(write_part(&self, worker, &grouping->parts[index], err));
    else BR_TRY(keep_part(&self, &grouping->parts[index], err));
    br_arena_rewind(self.work, mark);
    return BR_OK;
}

static br_status cut_morsel(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    br_grouping *grouping = context;
    br_arena *keep = br_memory_arena(grouping->block_memory, worker);
    br_arena *scratch = br_memory_arena(grouping->run->scratch, worker);
    if (keep == NULL || scratch == NULL) return no_memory(grouping, err);
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (br_group_block *block = grouping->blocks[index]; block != NULL; block = block->next) {
        BR_TRY(br_group_block_cut(grouping, block, keep, scratch, err));
        br_arena_rewind(scratch, mark);
    }
    return BR_OK;
}

// Is something there already, or would cutting and merging in memory take more than there is?
static bool wants_disk(const br_grouping *grouping)
{
    const br_run *run = grouping->run;
    if (atomic_load_explicit(&grouping->flush_count, memory_order_relaxed) > 0) return true;
    if (run->spill == NULL || grouping->part_count == 1) return false;
    size_t held = br_memory_bytes(grouping->block_memory) + br_memory_bytes(grouping->memory);
    return held > br_quota_room(run->env->quota) / 2;
}

br_status br_grouping_merge(br_grouping *grouping, br_error *err)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < grouping->morsel_count; i++) {
        for (const br_group_block *block = grouping->blocks[i]; block != NULL;
             block = block->next) {
            total += block->count;
        }
    }
    grouping->part_count = 1;
    if (total > SINGLE_PART_GROUPS && grouping->partition_bits > 0)
        grouping->part_count = 1u << grouping->partition_bits;
    grouping->parts = BR_ALLOC(grouping->run->arena, br_group_part, grouping->part_count);
    if (grouping->parts == NULL) return no_memory(grouping, err);
    merge_job job = {.grouping = grouping, .is_on_disk = wants_disk(grouping)};
    BR_TRY(br_memory_new(grouping->run, &job.work, err));
    if (job.is_on_disk && grouping->part_count > 1) {
        BR_TRY(br_group_flush_all(grouping, err));
    } else if (grouping->part_count > 1) {
        BR_TRY(br_run_tasks(grouping->run, grouping->morsel_count, cut_morsel, grouping, err));
    }
    if (job.is_on_disk)
        BR_TRY(br_group_flushes(grouping, grouping->run->arena, &job.flushes, err));
    BR_TRY(br_run_tasks(grouping->run, grouping->part_count, merge_part, &job, err));
    br_memory_free(grouping->run, job.work);
    br_memory_free(grouping->run, grouping->block_memory);
    grouping->block_memory = NULL;
    return BR_OK;
}
