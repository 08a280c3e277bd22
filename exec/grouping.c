// grouping.c - groups of one morsel, and cutting them into partitions.
// SPDX-License-Identifier: Apache-2.0
#include "exec/grouping.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "exec/evaluate.h"
#include "exec/group_disk.h"
#include "exec/rows.h"

enum {
    BLOCK_GROUPS_MIN = 4096,
    BLOCK_GROUPS_MAX = 65536,      // a block is given out when it comes near
    QUOTA_PART = 128,              // of the quota are for the block or part a worker is at
    GROUP_COPIES = 3,              // tables that grow, and the block made from them
    KEY_BYTES = 24,                // of a group, with its part of the hash table
    UNIQUE_CHECK_ROWS = 8192,      // rows after which a morsel may stop looking groups up
    UNIQUE_PERCENT = 90,
    FLUSH_BLOCKS_MAX = 64,         // written together
    ROWS_PER_PARTITION = 32768,    // a part of so many groups stays in L2 while it is merged
    PARTITION_ROWS_MIN = 128,
    PARTITION_BITS_MIN = 4,
    PARTITION_BITS_MAX = 9,
};

struct br_grouper {
    br_grouping *grouping;
    br_arena *arena, *keep, *block_arena, *scratch;
    br_groups groups;
    br_state_array *arrays;
    uint32_t capacity, initialised;  // states
    uint64_t row_count;              // of the block
    bool appends;                    // rows are groups of their own
    br_group_block *first, *last;    // of the morsel
    uint32_t worker;
    br_group_block *in_memory;       // since the last flush, the last one first
    br_arena_mark keep_mark, block_mark;  // what was there before
};

static br_status no_memory(const br_grouping *grouping, br_error *err)
{
    return br_run_no_memory(grouping->run, "grouping", err);
}

void br_grouping_init(br_grouping *grouping, br_run *run, br_memory *memory)
{
    *grouping = (br_grouping){.run = run, .memory = memory};
}

// How many groups with tables and copies a part of the quota has room for. Sizes that come from it
// make their mark on results (sums of REAL add up block by block, groups come out part by part), so
// they must not depend on how many threads there are, nor on what was free at the moment.
static uint32_t groups_in_quota(const br_grouping *grouping, uint32_t least, uint32_t most)
{
    const br_quota *quota = grouping->run->env->quota;
    if (quota == NULL || quota->limit_bytes == SIZE_MAX) return most;
    size_t group_bytes = KEY_BYTES + (size_t)grouping->key_count * sizeof(br_text);
    for (uint32_t i = 0; i < grouping->state_count; i++)
        group_bytes += br_state_item_bytes(grouping->specs[i].kind);
    size_t groups = quota->limit_bytes / QUOTA_PART / (group_bytes * GROUP_COPIES);
    if (groups < least) return least;
    return groups < most ? (uint32_t)groups : most;
}

br_status br_grouping_prepare(br_grouping *grouping, uint64_t row_count, uint32_t morsel_count,
                              br_error *err)
{
    uint32_t part_rows = groups_in_quota(grouping, PARTITION_ROWS_MIN, ROWS_PER_PARTITION);
    grouping->partition_bits = 0;
    if (row_count > ROWS_PER_PARTITION && grouping->key_count > 0) {
        grouping->partition_bits = PARTITION_BITS_MIN;
        while (grouping->partition_bits < PARTITION_BITS_MAX &&
               row_count >> grouping->partition_bits > part_rows)
            grouping->partition_bits++;
    }
    grouping->block_groups_max = groups_in_quota(grouping, BLOCK_GROUPS_MIN, BLOCK_GROUPS_MAX);
    BR_TRY(br_memory_new(grouping->run, &grouping->block_memory, err));
    grouping->blocks = NULL;
    grouping->morsel_count = 0;
    return br_grouping_extend(grouping, morsel_count, err);
}

br_status br_grouping_extend(br_grouping *grouping, uint32_t morsel_count, br_error *err)
{
    uint32_t before = grouping->morsel_count;
    br_group_block **blocks =
        BR_ALLOC(grouping->run->arena, br_group_block *, (size_t)before + morsel_count);
    if (blocks == NULL) return no_memory(grouping, err);
    for (uint32_t i = 0; i < before; i++) blocks[i] = grouping->blocks[i];
    grouping->blocks = blocks;
    grouping->morsel_count += morsel_count;
    return BR_OK;
}

br_status br_grouper_new(br_grouping *grouping, br_arena *arena, uint32_t worker,
                         br_grouper **grouper_out, br_error *err)
{
    br_grouper *grouper = BR_ALLOC(arena, br_grouper, 1);
    if (grouper == NULL) return no_memory(grouping, err);
    grouper->grouping = grouping;
    grouper->arena = arena;
    grouper->keep = br_memory_arena(grouping->memory, worker);
    grouper->block_arena = br_memory_arena(grouping->block_memory, worker);
    grouper->scratch = br_memory_arena(grouping->run->scratch, worker);
    grouper->arrays = BR_ALLOC(arena, br_state_array, grouping->state_count);
    if (grouper->keep == NULL || grouper->block_arena == NULL || grouper->scratch == NULL ||
        grouper->arrays == NULL)
        return no_memory(grouping, err);
    grouper->worker = worker;
    grouper->keep_mark = br_arena_get_mark(grouper->keep);
    grouper->block_mark = br_arena_get_mark(grouper->block_arena);
    BR_TRY(br_groups_init(&grouper->groups, grouping->run, arena, grouper->keep,
                          grouping->collations, grouping->key_count, err));
    BR_TRY(br_groups_enable_dense(&grouper->groups, err));
    *grouper_out = grouper;
    return BR_OK;
}

br_status br_state_arrays_fit(const br_grouping *grouping, br_state_array *arrays,
                              uint32_t *capacity, uint32_t used, uint32_t wanted,
                              br_arena *arena, br_error *err)
{
    if (wanted <= *capacity) return BR_OK;
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        br_state_kind kind = grouping->specs[i].kind;
        size_t item_bytes = br_state_item_bytes(kind);
        char *items = br_arena_alloc(arena, wanted * item_bytes, 64);
        uint8_t *flags = br_state_has_flags(kind) ? br_arena_alloc(arena, wanted, 64) : NULL;
        if (items == NULL || (flags == NULL && br_state_has_flags(kind)))
            return no_memory(grouping, err);
        if (used > 0) memcpy(items, arrays[i].items, used * item_bytes);
        if (used > 0 && flags != NULL) memcpy(flags, arrays[i].flags, used);
        arrays[i] = (br_state_array){.items = items, .flags = flags};
    }
    *capacity = wanted;
    return BR_OK;
}

// States for groups that are new.
static br_status init_states(br_grouper *grouper, uint32_t group_count, br_error *err)
{
    const br_grouping *grouping = grouper->grouping;
    uint32_t wanted = grouper->groups.capacity > 0 ? grouper->groups.capacity : 1;
    if (grouper->capacity < group_count)
        BR_TRY(br_state_arrays_fit(grouping, grouper->arrays, &grouper->capacity,
                                   grouper->initialised, wanted, grouper->arena, err));
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        br_state_init(&grouping->specs[i], &grouper->arrays[i], grouper->initialised,
                      group_count - grouper->initialised);
    }
    grouper->initialised = group_count;
    return BR_OK;
}

// ---- to disk ---------------------------------------------------------------------------------

static br_status flush_blocks(br_grouper *grouper, bool is_cut, br_error *err)
{
    br_arena *scratch = grouper->scratch;
    br_group_block *blocks[FLUSH_BLOCKS_MAX];
    uint32_t count = 0, groups = 0;
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (br_group_block *block = grouper->in_memory; block != NULL; block = block->next_in_memory) {
        if (block->flush == NULL && (block->offsets != NULL) == is_cut) {
            blocks[count++] = block;
            groups += block->count;
        }
        // Those that are not cut make one piece, which is not to be large.
        bool is_full = count == FLUSH_BLOCKS_MAX ||
                       (!is_cut && groups >= grouper->grouping->block_groups_max / 2);
        if (count == 0 || (!is_full && block->next_in_memory != NULL)) continue;
        BR_TRY(br_group_flush_write(grouper->grouping, grouper->worker, blocks, count, err));
        br_arena_rewind(scratch, mark);
        count = groups = 0;
    }
    return BR_OK;
}

// Between blocks: writes those kept so far when the run is short of memory. What cannot be cut into
// partitions has to be merged as a whole, and stays.
static br_status relieve(br_grouper *grouper, br_error *err)
{
    const br_grouping *grouping = grouper->grouping;
    br_run *run = grouping->run;
    if (grouping->partition_bits == 0 || !br_run_is_tight(run)) return BR_OK;
    size_t held = br_arena_bytes(grouper->keep) + br_arena_bytes(grouper->block_arena);
    if (held < br_run_share_bytes(run)) return BR_OK;
    BR_TRY(flush_blocks(grouper, true, err));
    BR_TRY(flush_blocks(grouper, false, err));
    grouper->in_memory = NULL;
    br_arena_rewind(grouper->keep, grouper->keep_mark);
    br_arena_trim(grouper->keep);
    br_arena_rewind(grouper->block_arena, grouper->block_mark);
    br_arena_trim(grouper->block_arena);
    br_heap_trim();
    return BR_OK;
}

// Gives the groups so far out as a block.
static br_status emit(br_grouper *grouper, br_error *err)
{
    br_grouping *grouping = grouper->grouping;
    br_group_block *block;
    if (grouper->groups.count == 0) return BR_OK;
    br_arena *index = br_memory_arena(grouping->run->index, grouper->worker);
    block = index == NULL ? NULL : BR_ALLOC(index, br_group_block, 1);
    if (block == NULL) return no_memory(grouping, err);
    BR_TRY(br_group_block_make(grouping, &grouper->groups, grouper->arrays,
                               grouper->block_arena, grouper->scratch, block, err));
    block->next_in_memory = grouper->in_memory;
    grouper->in_memory = block;
    if (grouper->last == NULL) grouper->first = block;
    else grouper->last->next = block;
    grouper->last = block;
    br_groups_reset(&grouper->groups);
    grouper->initialised = 0;
    grouper->row_count = 0;
    return relieve(grouper, err);
}

br_status br_grouper_add(br_grouper *grouper, const br_vector *keys, const br_vector *vectors,
                         uint32_t row_count, const bool *enabled, br_error *err)
{
    br_grouping *grouping = grouper->grouping;
    uint32_t groups[BR_BATCH_ROWS];
    if (grouping->key_count == 0) {
        grouper->groups.count = 1;
    } else if (grouper->appends) {
        BR_TRY(br_groups_append(&grouper->groups, keys, row_count, grouper->scratch, groups, err));
    } else {
        BR_TRY(br_groups_find(&grouper->groups, keys, row_count, NULL, grouper->scratch, groups,
                              err));
    }
    BR_TRY(init_states(grouper, grouper->groups.count, err));
    br_state_rows rows = {.run = grouping->run,
                          .groups = grouping->key_count == 0 ? NULL : groups,
                          .group_count = grouper->groups.count,
                          .row_count = row_count,
                          .vectors = vectors,
                          .keep = grouper->keep,
                          .scratch = grouper->scratch};
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        if (enabled == NULL || enabled[i])
            BR_TRY(br_state_update(&grouping->specs[i], &grouper->arrays[i], &rows, err));
    }
    grouper->row_count += row_count;
    if (!grouper->appends && grouper->row_count >= UNIQUE_CHECK_ROWS)
        grouper->appends =
            grouper->groups.count > grouper->row_count * UNIQUE_PERCENT / 100;
    if (grouper->groups.count > grouping->block_groups_max - BR_BATCH_ROWS)
        return emit(grouper, err);
    return BR_OK;
}

br_status br_grouper_add_summary(br_grouper *grouper, const br_rows_summary *summary,
                                 br_error *err)
{
    br_grouping *grouping = grouper->grouping;
    br_assert(grouping->key_count == 0);
    grouper->groups.count = 1;
    BR_TRY(init_states(grouper, 1, err));
    br_state_rows bounds = {.run = grouping->run,
                            .group_count = 1,
                            .row_count = 2,
                            .vectors = summary->bounds,
                            .keep = grouper->keep,
                            .scratch = grouper->scratch};
    for (uint32_t i = 0; i < grouping->state_count; i++) {
        const br_state_spec *spec = &grouping->specs[i];
        if (spec->kind == BR_STATE_COUNT)
            *(int64_t *)(void *)grouper->arrays[i].items +=
                (int64_t)(spec->arg == BR_STATE_NO_ARG ? summary->row_count
                                                       : summary->value_counts[spec->arg]);
        else
            BR_TRY(br_state_update(spec, &grouper->arrays[i], &bounds, err));
    }
    return BR_OK;
}

br_status br_grouper_end_morsel(br_grouper *grouper, uint32_t morsel, br_error *err)
{
    BR_TRY(emit(grouper, err));
    grouper->grouping->blocks[morsel] = grouper->first;
    grouper->first = grouper->last = NULL;
    grouper->appends = false;
    return BR_OK;
}

// ---- groups as a source ----------------------------------------------------------------------

typedef struct groups_source {
    br_source base;
    const br_grouping *grouping;
    br_group_columns columns;
} groups_source;

static br_status make_columns(const groups_source *source, const br_group_part *part,
                              uint32_t first, uint32_t count, br_arena *arena,
                              br_vector *columns, br_error *err)
{
    br_finish_context context = {.run = source->grouping->run,
                                 .specs = source->grouping->specs,
                                 .arrays = part->arrays,
                                 .arena = arena,
                                 .first = first,
                                 .count = count};
    for (uint32_t i = 0; i < source->columns.column_count; i++) {
        uint32_t key = source->columns.keys[i];
        if (key != BR_STATE_NO_ARG) {
            columns[i] = br_vector_slice(&part->keys[key], first);
        } else if (source->columns.outputs[i].aggregate == NULL) {
            columns[i] = source->columns.constants[i];
        } else {
            BR_TRY(br_aggregate_finish(&context, &source->columns.outputs[i], &columns[i], err));
        }
    }
    return BR_OK;
}

static uint32_t select_groups(const groups_source *source, const br_group_part *part,
                              uint32_t first, uint32_t count, uint16_t *positions)
{
    const int64_t *left = (const int64_t *)(const void *)part->arrays[0].items + first;
    const int64_t *right = (const int64_t *)(const void *)part->arrays[1].items + first;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        positions[kept] = (uint16_t)i;
        kept += left[i] > 0 && (right[i] > 0) == (source->columns.select == BR_SELECT_BOTH);
    }
    return kept;
}

// The groups that are left may be of fewer classes than those of both sides together, and whoever
// comes next counts on that.
static br_status narrow(br_batch *batch, br_arena *arena, br_error *err)
{
    for (uint32_t i = 0; i < batch->column_count; i++) {
        br_vector *column = &batch->columns[i];
        if (column->class_ == BR_ANY)
            BR_TRY(br_vector_of_values(column->any, batch->row_count, arena, column, err));
    }
    return BR_OK;
}

static br_status groups_run_morsel(br_source *base, br_worker *worker, uint32_t morsel,
                                   br_stage *next, br_error *err)
{
    const groups_source *source = (const groups_source *)base;
    br_group_part fetched;
    const br_group_part *part = &fetched;
    BR_TRY(br_group_part_get(source->grouping, worker->index, morsel, worker->scratch, &fetched,
                             err));
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    for (uint32_t first = 0; first < part->count && !worker->is_morsel_done;
         first += BR_BATCH_ROWS) {
        BR_TRY(br_run_poll(worker->run, err));
        br_arena_rewind(worker->scratch, mark);
        uint32_t left = part->count - first;
        br_batch batch = {.row_count = left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS,
                          .column_count = source->columns.column_count};
        batch.columns = BR_ALLOC(worker->scratch, br_vector, batch.column_count);
        if (batch.columns == NULL) return no_memory(source->grouping, err);
        BR_TRY(make_columns(source, part, first, batch.row_count, worker->scratch, batch.columns,
                            err));
        if (source->columns.select != BR_SELECT_ALL) {
            uint16_t positions[BR_BATCH_ROWS];
            uint32_t kept = select_groups(source, part, first, batch.row_count, positions);
            BR_TRY(br_batch_gather(&batch, positions, kept, worker->scratch, &batch, err));
            BR_TRY(narrow(&batch, worker->scratch, err));
        }
        BR_TRY(br_push(next, worker, &batch, err));
    }
    return BR_OK;
}

static const br_source_kind groups_kind = {.run_morsel = groups_run_morsel};

br_status br_source_of_groups(const br_grouping *grouping, const br_group_columns *columns,
                              br_source **source_out, br_error *err)
{
    groups_source *source = BR_ALLOC(grouping->run->arena, groups_source, 1);
    if (source == NULL) return no_memory(grouping, err);
    *source = (groups_source){.base = {.kind = &groups_kind,
                                       .morsel_count = grouping->part_count},
                              .grouping = grouping,
                              .columns = *columns};
    for (uint32_t i = 0; i < grouping->part_count; i++) {
        source->base.row_count += grouping->parts[i].count;
    }
    *source_out = &source->base;
    return BR_OK;
}
