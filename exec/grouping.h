// grouping.h - groups with states, from many morsels to one list: what GROUP BY, DISTINCT and set
// operations have in common.
//
//     morsel -> groups of its own, with states -> block, cut into partitions by hash
//     blocks in morsel order -> one part per partition, merged by one task each
//
// Groups come out part by part, in order of first appearance within a part. How many partitions
// there are depends on row counts only, so the order is the same for any number of threads.
//
// A morsel whose rows are nearly all groups of their own stops looking for them: its rows become
// states directly and meet in the merge.
//
// When memory is short, a grouper writes its blocks to disk between morsels (or when it gives a
// block out), and parts go there as well; they come back one at a time.
//
// Ownership: blocks and parts live in the memory given, which is for one grouping.
// Threads: a br_grouper is for one worker; the grouping is changed between the phases only.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_GROUPING_H
#define BR_EXEC_GROUPING_H

#include "exec/aggregate_state.h"
#include "exec/groups.h"

typedef struct br_group_block br_group_block;

typedef struct br_group_part {  // final groups
    uint32_t count;
    bool is_on_disk;        // br_group_part_get fetches it (group_disk.h)
    br_spill_place place;
    br_vector *keys;
    br_state_array *arrays;
} br_group_part;

typedef struct br_grouping {
    br_run *run;
    br_memory *memory;        // of parts, and of the bytes of texts
    br_memory *block_memory;  // of blocks: from prepare to merge
    uint32_t key_count;
    const br_collation *collations;
    uint32_t state_count;
    const br_state_spec *specs;
    uint32_t partition_bits;
    uint32_t block_groups_max;
    uint32_t morsel_count;
    br_group_block **blocks;  // by morsel: a list
    _Atomic uint32_t flush_count;  // relaxed: numbers are given out; read when workers are done
    uint32_t part_count;
    br_group_part *parts;
} br_grouping;

typedef struct br_grouper br_grouper;  // a worker's

void br_grouping_init(br_grouping *grouping, br_run *run, br_memory *memory);
// Before the first morsel; `row_count` is about how many rows will come.
BR_CHECKED br_status br_grouping_prepare(br_grouping *grouping, uint64_t row_count,
                                         uint32_t morsel_count, br_error *err);
// Makes room for so many morsels more.
BR_CHECKED br_status br_grouping_extend(br_grouping *grouping, uint32_t morsel_count,
                                        br_error *err);

BR_CHECKED br_status br_grouper_new(br_grouping *grouping, br_arena *arena, uint32_t worker,
                                    br_grouper **grouper_out, br_error *err);
// `vectors` are what the state specs refer to; states with enabled[i] false are left alone (NULL:
// all are updated).
BR_CHECKED br_status br_grouper_add(br_grouper *grouper, const br_vector *keys,
                                    const br_vector *vectors, uint32_t row_count,
                                    const bool *enabled, br_error *err);
// Without keys: rows of which only so much is known.
typedef struct br_rows_summary {
    uint64_t row_count;
    const uint64_t *value_counts;  // by expression: not NULL
    const br_vector *bounds;       // by expression: its least and its greatest value
} br_rows_summary;
// Every state is a count, or the best of an expression whose bounds are there.
BR_CHECKED br_status br_grouper_add_summary(br_grouper *grouper, const br_rows_summary *summary,
                                            br_error *err);
BR_CHECKED br_status br_grouper_end_morsel(br_grouper *grouper, uint32_t morsel, br_error *err);

// Merges all blocks into parts.
BR_CHECKED br_status br_grouping_merge(br_grouping *grouping, br_error *err);

// ---- groups as a source ----------------------------------------------------------------------

typedef enum br_group_select {
    BR_SELECT_ALL,
    BR_SELECT_BOTH,  // counts in states 0 and 1 are both positive
    BR_SELECT_LEFT,  // the one in state 0 is, the other is not
} br_group_select;

typedef struct br_group_columns {
    uint32_t column_count;
    // Column i is key keys[i]; or, when that is BR_STATE_NO_ARG, the value of outputs[i]; or, when
    // that has no aggregate, constants[i].
    const uint32_t *keys;
    const br_aggregate_output *outputs;
    const br_vector *constants;
    br_group_select select;
} br_group_columns;

BR_CHECKED br_status br_source_of_groups(const br_grouping *grouping,
                                         const br_group_columns *columns, br_source **source_out,
                                         br_error *err);

#endif
