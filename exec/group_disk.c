// group_disk.c - writing groups with their states, and reading them.
// SPDX-License-Identifier: Apache-2.0
#include "exec/group_disk.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "exec/rows.h"

static br_status no_memory(const br_grouping *grouping, br_error *err)
{
    return br_run_no_memory(grouping->run, "grouping on disk", err);
}

// ---- one piece -------------------------------------------------------------------------------

typedef struct groups_head {
    uint32_t count;
    uint32_t has_hashes;
} groups_head;

// Groups rows[0..count-1] of a block.
static br_status put_groups(const br_grouping *grouping, br_spill_buffer *buffer,
                            const br_group_block *block, const uint32_t *rows, uint32_t count,
                            br_error *err)
{
    groups_head *head = br_spill_put(buffer, sizeof *head);
    if (head == NULL) return no_memory(grouping, err);
    *head = (groups_head){.count = count, .has_hashes = block->hashes != NULL};
    if (count == 0) return BR_OK;
    if (block->hashes != NULL) {
        uint64_t *hashes = br_spill_put(buffer, count * sizeof *hashes);
        if (hashes == NULL) return no_memory(grouping, err);
        for (uint32_t i = 0; i < count; i++) hashes[i] = block->hashes[rows[i]];
    }
    for (uint32_t k = 0; k < grouping->key_count; k++) {
        br_vector key;
        BR_TRY(br_column_pick(grouping->run, &block->keys[k], rows, count, false, buffer->arena,
                              &key, err));
        if (!br_spill_put_vector(buffer, &key, count)) return no_memory(grouping, err);
    }
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        if (!br_state_put(buffer, &grouping->specs[i], &block->arrays[i], rows, count))
            return no_memory(grouping, err);
    }
    return BR_OK;
}

static br_status take_groups(const br_grouping *grouping, char **at, br_arena *arena,
                             br_group_block *out, br_error *err)
{
    const groups_head *head = br_spill_take(at, sizeof *head);
    *out = (br_group_block){.count = head->count};
    if (head->count == 0) return BR_OK;
    if (head->has_hashes) out->hashes = br_spill_take(at, head->count * sizeof *out->hashes);
    out->keys = BR_ALLOC(arena, br_vector, grouping->key_count);
    out->arrays = BR_ALLOC(arena, br_state_array, grouping->state_count);
    if (out->keys == NULL || out->arrays == NULL) return no_memory(grouping, err);
    for (uint32_t k = 0; k < grouping->key_count; k++)
        out->keys[k] = br_spill_take_vector(at, head->count);
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        if (!br_state_take(at, &grouping->specs[i], head->count, arena, &out->arrays[i]))
            return no_memory(grouping, err);
    }
    return BR_OK;
}

// ---- blocks ----------------------------------------------------------------------------------

// Numbers 0.. up to the largest block: all places in their order.
static br_status make_places(const br_grouping *grouping, br_group_block *const *blocks,
                             uint32_t count, br_arena *arena, const uint32_t **places_out,
                             br_error *err)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++) most = blocks[i]->count > most ? blocks[i]->count : most;
    uint32_t *places = BR_ALLOC(arena, uint32_t, most);
    if (places == NULL) return no_memory(grouping, err);
    for (uint32_t i = 0; i < most; i++) places[i] = i;
    *places_out = places;
    return BR_OK;
}

static br_status write_piece(br_grouping *grouping, uint32_t worker, br_group_flush *flush,
                             br_group_block *const *blocks, uint32_t partition,
                             const uint32_t *places, br_error *err)
{
    br_arena *scratch = br_memory_arena(grouping->run->scratch, worker);
    br_spill_buffer buffer = {.arena = scratch};
    uint64_t total = 0;
    BR_TRY(br_run_poll(grouping->run, err));
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (uint32_t i = 0; i < flush->block_count; i++) {
        const br_group_block *block = blocks[i];
        bool is_cut = flush->partition_count > 1;
        uint32_t first = is_cut ? block->offsets[partition] : 0;
        uint32_t end = is_cut ? block->offsets[partition + 1] : block->count;
        BR_TRY(put_groups(grouping, &buffer, block, places + first, end - first, err));
        total += end - first;
    }
    if (total > 0)
        BR_TRY(br_spill_write(grouping->run, worker, &buffer, &flush->pieces[partition], err));
    br_arena_rewind(scratch, mark);
    return BR_OK;
}

br_status br_group_flush_write(br_grouping *grouping, uint32_t worker,
                               br_group_block *const *blocks, uint32_t count, br_error *err)
{
    br_arena *index = br_memory_arena(grouping->run->index, worker);
    br_arena *scratch = br_memory_arena(grouping->run->scratch, worker);
    const uint32_t *places;
    if (index == NULL || scratch == NULL) return no_memory(grouping, err);
    br_group_flush *flush = BR_ALLOC(index, br_group_flush, 1);
    if (flush == NULL) return no_memory(grouping, err);
    flush->block_count = count;
    flush->blocks = BR_ALLOC(index, br_group_block *, count);
    if (flush->blocks == NULL) return no_memory(grouping, err);
    flush->partition_count = blocks[0]->offsets != NULL ? 1u << grouping->partition_bits : 1;
    flush->pieces = BR_ALLOC(index, br_spill_place, flush->partition_count);
    if (flush->pieces == NULL) return no_memory(grouping, err);
    br_arena_mark mark = br_arena_get_mark(scratch);
    BR_TRY(make_places(grouping, blocks, count, scratch, &places, err));
    for (uint32_t p = 0; p < flush->partition_count; p++)
        BR_TRY(write_piece(grouping, worker, flush, blocks, p, places, err));
    br_arena_rewind(scratch, mark);
    flush->number = atomic_fetch_add_explicit(&grouping->flush_count, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        br_group_block *block = blocks[i];
        flush->blocks[i] = block;
        block->flush = flush;
        block->flush_index = i;
        block->offsets = NULL;
        block->hashes = NULL;
        block->keys = NULL;
        block->arrays = NULL;
    }
    return BR_OK;
}

br_status br_group_flush_read(const br_grouping *grouping, uint32_t worker,
                              const br_group_flush *flush, uint32_t partition, br_arena *arena,
                              br_group_block **blocks_out, br_error *err)
{
    const br_spill_place *piece = &flush->pieces[partition];
    char *at;
    *blocks_out = NULL;
    if (piece->stored_bytes == 0) return BR_OK;
    BR_TRY(br_spill_read(grouping->run, worker, piece, arena, &at, err));
    br_group_block *blocks = BR_ALLOC(arena, br_group_block, flush->block_count);
    if (blocks == NULL) return no_memory(grouping, err);
    for (uint32_t i = 0; i < flush->block_count; i++)
        BR_TRY(take_groups(grouping, &at, arena, &blocks[i], err));
    *blocks_out = blocks;
    return BR_OK;
}

// ---- everything ------------------------------------------------------------------------------

enum { TASK_MORSELS = 8 };

typedef struct flush_job {
    br_grouping *grouping;
    br_memory *work;
    uint32_t whole_count;  // flushes of blocks that are not cut
    br_group_flush **whole;
    uint32_t task_count;   // task i cuts flushes starts[i]..starts[i + 1]
    uint32_t *starts;
} flush_job;

// Blocks that are in memory still, of a few morsels.
static br_status flush_morsels(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    flush_job *job = context;
    br_grouping *grouping = job->grouping;
    br_arena *work = br_memory_arena(job->work, worker);
    br_arena *scratch = br_memory_arena(grouping->run->scratch, worker);
    if (work == NULL || scratch == NULL) return no_memory(grouping, err);
    br_arena_mark mark = br_arena_get_mark(work);
    uint32_t first = index * TASK_MORSELS, count = 0, at = 0;
    uint32_t end = first + TASK_MORSELS;
    if (end > grouping->morsel_count) end = grouping->morsel_count;
    for (uint32_t i = first; i < end; i++) {
        for (br_group_block *block = grouping->blocks[i]; block != NULL; block = block->next) {
            if (block->flush != NULL) continue;
            BR_TRY(br_group_block_cut(grouping, block, work, scratch, err));
            count++;
        }
    }
    br_group_block **blocks = BR_ALLOC(work, br_group_block *, count);
    if (blocks == NULL) return no_memory(grouping, err);
    for (uint32_t i = first; i < end; i++) {
        for (br_group_block *block = grouping->blocks[i]; block != NULL; block = block->next) {
            if (block->flush == NULL) blocks[at++] = block;
        }
    }
    if (count > 0) BR_TRY(br_group_flush_write(grouping, worker, blocks, count, err));
    br_arena_rewind(work, mark);
    return BR_OK;
}

// Reads the blocks of a flush behind one another and cuts them.
static br_status cut_flush(flush_job *job, uint32_t worker, const br_group_flush *flush,
                           br_group_block **cut, br_error *err)
{
    br_grouping *grouping = job->grouping;
    br_arena *work = br_memory_arena(job->work, worker);
    br_arena *scratch = br_memory_arena(grouping->run->scratch, worker);
    br_group_block *blocks;
    BR_TRY(br_group_flush_read(grouping, worker, flush, 0, work, &blocks, err));
    br_assert(blocks != NULL);
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (uint32_t i = 0; i < flush->block_count; i++) {
        cut[i] = &blocks[i];
        BR_TRY(br_group_block_cut(grouping, cut[i], work, scratch, err));
        br_arena_rewind(scratch, mark);
    }
    return BR_OK;
}

// Several flushes of whole blocks become one of blocks that are cut: a piece of each partition has
// to be worth a read.
static br_status cut_flushes(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    flush_job *job = context;
    br_grouping *grouping = job->grouping;
    br_arena *work = br_memory_arena(job->work, worker);
    br_arena *scratch = br_memory_arena(grouping->run->scratch, worker);
    uint32_t first = job->starts[index], end = job->starts[index + 1], count = 0, at = 0;
    if (work == NULL || scratch == NULL) return no_memory(grouping, err);
    br_arena_mark mark = br_arena_get_mark(work);
    for (uint32_t f = first; f < end; f++) count += job->whole[f]->block_count;
    br_group_block **cut = BR_ALLOC(work, br_group_block *, count);
    if (cut == NULL) return no_memory(grouping, err);
    for (uint32_t f = first; f < end; f++) {
        BR_TRY(cut_flush(job, worker, job->whole[f], cut + at, err));
        at += job->whole[f]->block_count;
    }
    BR_TRY(br_group_flush_write(grouping, worker, cut, count, err));
    at = 0;
    for (uint32_t f = first; f < end; f++) {
        for (uint32_t i = 0; i < job->whole[f]->block_count; i++, at++) {
            job->whole[f]->blocks[i]->flush = cut[at]->flush;
            job->whole[f]->blocks[i]->flush_index = cut[at]->flush_index;
        }
    }
    br_arena_rewind(work, mark);
    return BR_OK;
}

static uint32_t groups_of(const br_group_flush *flush)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < flush->block_count; i++) count += flush->blocks[i]->count;
    return count;
}

// Which flushes of whole blocks there are, and which of them are cut together.
static br_status find_whole(flush_job *job, br_arena *arena, br_error *err)
{
    br_grouping *grouping = job->grouping;
    uint32_t count = atomic_load_explicit(&grouping->flush_count, memory_order_relaxed);
    uint32_t groups = 0, most = 2 * grouping->block_groups_max;
    BR_TRY(br_group_flushes(grouping, arena, &job->whole, err));
    job->starts = BR_ALLOC(arena, uint32_t, (size_t)count + 1);
    if (job->starts == NULL) return no_memory(grouping, err);
    for (uint32_t i = 0; i < count; i++) {
        br_group_flush *flush = job->whole[i];
        if (flush == NULL || flush->partition_count > 1) continue;
        groups += groups_of(flush);
        if (job->task_count == 0 || groups > most) {
            job->starts[job->task_count++] = job->whole_count;
            groups = groups_of(flush);
        }
        job->whole[job->whole_count++] = flush;
    }
    job->starts[job->task_count] = job->whole_count;
    return BR_OK;
}

br_status br_group_flushes(br_grouping *grouping, br_arena *arena, br_group_flush ***flushes_out,
                           br_error *err)
{
    uint32_t count = atomic_load_explicit(&grouping->flush_count, memory_order_relaxed);
    br_group_flush **flushes = BR_ALLOC(arena, br_group_flush *, count);
    if (flushes == NULL) return no_memory(grouping, err);
    for (uint32_t i = 0; i < grouping->morsel_count; i++) {
        for (br_group_block *block = grouping->blocks[i]; block != NULL; block = block->next) {
            if (block->flush != NULL) flushes[block->flush->number] = block->flush;
        }
    }
    *flushes_out = flushes;
    return BR_OK;
}

br_status br_group_flush_all(br_grouping *grouping, br_error *err)
{
    br_run *run = grouping->run;
    flush_job job = {.grouping = grouping};
    BR_TRY(br_memory_new(run, &job.work, err));
    br_arena *arena = br_memory_arena(job.work, 0);
    if (arena == NULL) return no_memory(grouping, err);
    BR_TRY(find_whole(&job, arena, err));
    BR_TRY(br_run_tasks(run, (grouping->morsel_count + TASK_MORSELS - 1) / TASK_MORSELS,
                        flush_morsels, &job, err));
    br_memory_reset(grouping->block_memory);
    br_memory_reset(grouping->memory);
    BR_TRY(br_run_tasks(run, job.task_count, cut_flushes, &job, err));
    br_memory_free(run, job.work);
    br_heap_trim();
    return BR_OK;
}

// ---- parts -----------------------------------------------------------------------------------

br_status br_group_part_write(br_grouping *grouping, uint32_t worker,
                              br_group_block *groups, br_group_part *part, br_error *err)
{
    br_arena *scratch = br_memory_arena(grouping->run->scratch, worker);
    const uint32_t *places;
    br_arena_mark mark = br_arena_get_mark(scratch);
    part->count = groups->count;
    part->is_on_disk = true;
    BR_TRY(make_places(grouping, &groups, 1, scratch, &places, err));
    br_spill_buffer buffer = {.arena = scratch};
    BR_TRY(put_groups(grouping, &buffer, groups, places, groups->count, err));
    BR_TRY(br_spill_write(grouping->run, worker, &buffer, &part->place, err));
    br_arena_rewind(scratch, mark);
    return BR_OK;
}

br_status br_group_part_get(const br_grouping *grouping, uint32_t worker, uint32_t index,
                            br_arena *arena, br_group_part *part_out, br_error *err)
{
    char *at;
    br_group_block groups;
    *part_out = grouping->parts[index];
    if (!part_out->is_on_disk) return BR_OK;
    BR_TRY(br_spill_read(grouping->run, worker, &part_out->place, arena, &at, err));
    BR_TRY(take_groups(grouping, &at, arena, &groups, err));
    part_out->keys = groups.keys;
    part_out->arrays = groups.arrays;
    return BR_OK;
}
