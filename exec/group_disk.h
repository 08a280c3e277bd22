// group_disk.h - blocks of groups that wait on disk for the merge.
//
// Blocks are written several at a time (a flush). A flush of blocks that were cut is one piece of
// bytes per partition, which holds that partition's groups of each block; one of small blocks that
// were not cut is a single piece. The merge of a partition reads its piece of each flush, and so
// meets the groups of each block in the order in which they would have been in memory.
//
// Ownership: flushes live in the run's index. Threads: workers flush at the same time; blocks are
//            looked at by others only when all have.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_GROUP_DISK_H
#define BR_EXEC_GROUP_DISK_H

#include "exec/group_block.h"
#include "exec/spill.h"

struct br_group_flush {
    uint32_t number;           // of the grouping, from 0
    uint32_t block_count;
    br_group_block **blocks;
    uint32_t partition_count;  // 1: blocks that are not cut
    br_spill_place *pieces;    // per partition; stored_bytes 0: empty
};

// Writes the blocks, which are all cut or all not cut; their contents may go then.
BR_CHECKED br_status br_group_flush_write(br_grouping *grouping, uint32_t worker,
                                          br_group_block *const *blocks, uint32_t count,
                                          br_error *err);
// The groups of each of its blocks in one piece; NULL when it is empty.
BR_CHECKED br_status br_group_flush_read(const br_grouping *grouping, uint32_t worker,
                                         const br_group_flush *flush, uint32_t partition,
                                         br_arena *arena, br_group_block **blocks_out,
                                         br_error *err);

// Before the merge of a grouping of which something went to disk, or is to go: everything follows,
// cut into partitions. `flushes_out` has them by number.
BR_CHECKED br_status br_group_flush_all(br_grouping *grouping, br_error *err);
BR_CHECKED br_status br_group_flushes(br_grouping *grouping, br_arena *arena,
                                      br_group_flush ***flushes_out, br_error *err);

// A part goes to disk and comes back.
BR_CHECKED br_status br_group_part_write(br_grouping *grouping, uint32_t worker,
                                         br_group_block *groups, br_group_part *part,
                                         br_error *err);
BR_CHECKED br_status br_group_part_get(const br_grouping *grouping, uint32_t worker,
                                       uint32_t index, br_arena *arena, br_group_part *part_out,
                                       br_error *err);

// aggregate_disk.c: states rows[0..count-1]; false when there is no memory.
bool br_state_put(br_spill_buffer *buffer, const br_state_spec *spec, const br_state_array *array,
                  const uint32_t *rows, uint32_t count);
bool br_state_take(char **at, const br_state_spec *spec, uint32_t count, br_arena *arena,
                   br_state_array *out);

#endif
