// groups.h - from keys to group numbers: 0, 1, 2, ... in order of first appearance.
//
// Keys of groups lie column-wise. Finding is done a batch at a time: hash all rows, look the hashes
// up in a table of (32 hash bits, group), add what is not there, then compare the keys column by
// column. That two different keys share position and 32 bits is rare; those rows go one by one.
//
//     slots[hash & mask] = high 32 bits of the hash | group + 1      0: empty, linear probing
//
// Keys that are dictionary codes or small numbers need no hash: while all keys of a morsel are of
// that kind, a table indexed by them gives the group directly (group_dense.c). Nor does a single
// key whose values ascend: each is that of the row before or that of a new group.
//
// Ownership: tables live in `arena` and are reused after a reset; bytes of keys lie in `keep`.
// Threads: one worker.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_GROUPS_H
#define BR_EXEC_GROUPS_H

#include "exec/keys.h"

// Class and kind are those of what came so far: BR_NULL at first, BR_ANY when they differ.
typedef struct br_key_column {
    uint8_t class_, kind;
    br_collation collation;
    bool has_nulls;
    uint32_t item_capacity_bytes;  // of `items`, per group
    void *items;
    uint64_t *validity;  // meaningful when has_nulls, zero past the groups
} br_key_column;

typedef struct br_dense br_dense;

typedef struct br_groups {
    const br_run *run;
    br_arena *arena, *keep;
    uint32_t key_count;
    br_key_column *keys;
    br_collation *collations;
    br_hash_context hash_context;
    uint32_t count, capacity;
    uint64_t *hashes;       // of groups below hashed_count
    uint32_t hashed_count;
    uint64_t *slots;        // groups below slotted_count are in it
    uint32_t slot_count;    // a power of two, 0: none yet
    uint32_t slotted_count;
    br_dense *dense;        // NULL: do not try
    bool is_ordered;        // all groups so far were found by their order
} br_groups;

BR_CHECKED br_status br_groups_init(br_groups *groups, const br_run *run, br_arena *arena,
                                    br_arena *keep, const br_collation *collations,
                                    uint32_t key_count, br_error *err);
BR_CHECKED br_status br_groups_enable_dense(br_groups *groups, br_error *err);
void br_groups_reset(br_groups *groups);  // no groups, memory kept

// groups_out[row] of a batch. `hashes` are those of the keys, or NULL to have them computed.
BR_CHECKED br_status br_groups_find(br_groups *groups, const br_vector *keys, uint32_t row_count,
                                    const uint64_t *hashes, br_arena *scratch,
                                    uint32_t *groups_out, br_error *err);
// Adds every row as a group of its own without looking; they are not found later.
BR_CHECKED br_status br_groups_append(br_groups *groups, const br_vector *keys,
                                      uint32_t row_count, br_arena *scratch,
                                      uint32_t *groups_out, br_error *err);
// Makes `hashes` complete.
BR_CHECKED br_status br_groups_hash_all(br_groups *groups, br_error *err);
br_vector br_groups_key(const br_groups *groups, uint32_t key);  // of all groups

// Room for row_count groups more.
BR_CHECKED br_status br_groups_reserve(br_groups *groups, uint32_t row_count, br_error *err);
// Adds rows positions[0..count-1] as groups; their hashes are not set.
BR_CHECKED br_status br_groups_add_keys(br_groups *groups, const br_vector *keys,
                                        const uint16_t *positions, uint32_t count,
                                        br_arena *scratch, br_error *err);

// group_dense.c: finds the groups of a batch when all keys are codes or small numbers, and says in
// *done_out whether it could.
BR_CHECKED br_status br_dense_new(br_groups *groups, br_error *err);
void br_dense_reset(br_dense *dense);
BR_CHECKED br_status br_dense_find(br_groups *groups, const br_vector *keys, uint32_t row_count,
                                   br_arena *scratch, uint32_t *groups_out, bool *done_out,
                                   br_error *err);

#endif
