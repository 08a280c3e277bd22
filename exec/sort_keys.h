// sort_keys.h - keys of rows as numbers that compare as they do.
//
// A range of rows gets as many leading keys as fit into one 64-bit number per row. What fits is
// found out from the range itself: numbers count from its least one, texts begin behind what all of
// its texts begin with. So rows that are still tied get numbers that tell them apart once they are
// a range of their own.
//
// Ownership: everything is the sorter's, who lends it. Threads: br_sort_pack runs on the caller's
//            thread, its passes over long ranges on all workers unless `is_alone`.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_SORT_KEYS_H
#define BR_EXEC_SORT_KEYS_H

#include "exec/sort.h"

typedef struct br_sort_entry {
    uint64_t key;
    uint32_t row;
} br_sort_entry;

typedef struct br_sorter {
    br_run *run;
    const br_sort_columns *columns;
    uint32_t row_count;
    br_arena *arena;         // for lists of parts; the caller's thread only
    uint32_t *order;
    br_sort_entry *entries;
    br_sort_entry *spare;    // of the same size, free to whoever works on the same rows
    uint32_t big_rows;       // ranges of more are worth all workers
} br_sorter;

// Entries whose rows are equal by all keys before `key`, or when they are packed, those with equal
// numbers are.
typedef struct br_sort_range {
    uint32_t first, end;
    uint32_t key;
    uint32_t offset;  // `key` being a text: how many bytes are known to be equal
    bool is_packed;
} br_sort_range;

enum { BR_SORT_PART_ROWS = 65536 };

// Writes the numbers of the range's entries and lets `range` be what is known of rows with equal
// numbers. With *bits_out, how many upper bits of the numbers are in use, being 0, all are equal
// and the numbers were not written.
BR_CHECKED br_status br_sort_pack(const br_sorter *sorter, br_sort_range *range, bool is_alone,
                                  uint32_t *bits_out, br_error *err);

#endif
