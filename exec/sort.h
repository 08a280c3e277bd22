// sort.h - the order of stored rows.
//
// As many leading keys as fit are packed into one 64-bit number per row that compares as they do
// (sort_keys.h). All workers cut the rows by the upper digit of the number; the parts are sorted by
// the digits below, one worker each. A part that is still big is cut again; many rows with equal
// numbers start over with numbers of their own, and few are compared. Every step keeps rows that
// are equal in the order in which they were, so the order is the same for any number of workers.
// NULLs come where nulls_last says, whatever the direction.
//
// Ownership: the order lies in the arena given. Threads: one caller; br_sort_rows uses all workers,
//            br_sort_rows_alone only the calling one.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_SORT_H
#define BR_EXEC_SORT_H

#include "exec/rows.h"

typedef struct br_sort_columns {
    uint32_t key_count;
    const br_vector *columns;  // one per key, row_count long; FLAT, DATE, DATETIME or NULL
    const br_sort_key *keys;   // their expressions are not looked at
} br_sort_columns;

// SQLite's order of two values under a key, with its direction and place for NULLs.
int br_sort_compare(const br_value *left, const br_value *right, const br_sort_key *key);

// A row of a column; the two compared are of the same class and kind.
typedef struct br_sort_place {
    const br_vector *column;
    uint32_t row;
} br_sort_place;

int br_sort_compare_places(br_sort_place left, br_sort_place right, const br_sort_key *key);

// order_out[0..row_count-1]: row numbers, stable.
BR_CHECKED br_status br_sort_rows(br_run *run, const br_sort_columns *columns, uint32_t row_count,
                                  br_arena *arena, uint32_t **order_out, br_error *err);
BR_CHECKED br_status br_sort_rows_alone(br_run *run, const br_sort_columns *columns,
                                        uint32_t row_count, br_arena *arena, uint32_t **order_out,
                                        br_error *err);

// ---- on disk ---------------------------------------------------------------------------------

typedef struct br_sort_spec {
    uint32_t width;      // columns of the rows that are put out, the first
    uint32_t key_count;
    const br_sort_key *keys;
    const uint32_t *key_columns;  // where they are; NULL: behind the columns put out
    uint64_t offset, limit;
} br_sort_spec;

static inline uint32_t br_sort_key_column(const br_sort_spec *spec, uint32_t key)
{
    return spec->key_columns == NULL ? spec->width + key : spec->key_columns[key];
}

// Rows offset..offset+limit of the order, kept in `memory` as far as there is room. All batches are
// on disk. Sorts as much as fits at a time (runs) and merges the runs.
BR_CHECKED br_status br_sort_on_disk(br_run *run, const br_sort_spec *spec,
                                     const br_batches *batches, br_memory *memory,
                                     br_batches *batches_out, br_error *err);

#endif
