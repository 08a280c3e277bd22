// group_block.h - the groups of a morsel as they wait for the merge.
//
// A block's keys, hashes and states lie partition by partition: partition p (the high bits of the
// hash) is offsets[p]..offsets[p+1]. Small blocks stay in one piece until the merge knows whether
// it needs partitions.
//
// Ownership: the block memory of the grouping; the blocks themselves, the run's index.
// Threads: immutable once made, but for br_group_block_cut and going to disk.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_GROUP_BLOCK_H
#define BR_EXEC_GROUP_BLOCK_H

#include "exec/grouping.h"

typedef struct br_group_flush br_group_flush;  // group_disk.h

struct br_group_block {
    br_group_block *next;            // of the morsel
    br_group_block *next_in_memory;  // of the grouper
    br_group_flush *flush;           // on disk: with which others; NULL: in memory
    uint32_t flush_index;            // which of them
    uint32_t count;
    uint32_t *offsets;  // NULL: not cut
    uint64_t *hashes;   // NULL without keys
    br_vector *keys;    // of all groups
    br_state_array *arrays;
};

// Fills *block, which is zeroed.
BR_CHECKED br_status br_group_block_make(const br_grouping *grouping, br_groups *groups,
                                         const br_state_array *arrays, br_arena *keep,
                                         br_arena *scratch, br_group_block *block,
                                         br_error *err);
// Cuts a block that is not cut yet.
BR_CHECKED br_status br_group_block_cut(const br_grouping *grouping, br_group_block *block,
                                        br_arena *keep, br_arena *scratch, br_error *err);

// Room for `wanted` states in each array, the first `used` of them kept.
BR_CHECKED br_status br_state_arrays_fit(const br_grouping *grouping, br_state_array *arrays,
                                         uint32_t *capacity, uint32_t used, uint32_t wanted,
                                         br_arena *arena, br_error *err);

#endif
