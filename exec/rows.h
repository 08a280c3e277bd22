// rows.h - rows that operators keep: collected batch by batch, and as whole columns.
//
//     br_collector   copies batches into kept memory; small ones are put together
//     br_rows        contiguous columns, for picking rows by number (sort, joins)
//
// Kept vectors are FLAT, or CONST of class BR_NULL, or DATE / DATETIME; their bytes are copied.
// A column whose class differs from batch to batch stays so in br_batches and is BR_ANY in br_rows.
//
// Ownership: kept rows live in the arena or memory given. Threads: a collector is for one worker;
//            br_rows are immutable.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_ROWS_H
#define BR_EXEC_ROWS_H

#include "exec/pipeline.h"

typedef struct br_kept_batch {
    struct br_kept_batch *next;
    struct br_kept_batch *next_in_memory;  // of the collector
    br_batch batch;        // without columns: on disk
    br_spill_place place;  // where
} br_kept_batch;

typedef struct br_batch_list {
    br_kept_batch *first, *last;
    uint32_t batch_count;
    uint64_t row_count;
} br_batch_list;

static inline void br_batch_list_add(br_batch_list *list, br_kept_batch *kept)
{
    if (list->last == NULL) list->first = kept;
    else list->last->next = kept;
    list->last = kept;
    list->batch_count++;
    list->row_count += kept->batch.row_count;
}

typedef struct br_collector br_collector;

// Kept rows lie in two places, which may be one: their arrays, which whoever rearranges the rows
// can let go, and the bytes of TEXT and BLOB, which the rearranged rows still point to.
struct br_keep {
    br_memory *rows, *bytes;
};

// `arena` holds the collector itself.
BR_CHECKED br_status br_collector_new(br_run *run, br_arena *arena, const br_keep *keep,
                                      uint32_t worker, uint32_t column_count,
                                      br_collector **collector_out, br_error *err);
// The first column_count columns of the batch.
BR_CHECKED br_status br_collector_add(br_collector *collector, const br_batch *batch,
                                      br_error *err);
uint64_t br_collector_rows(const br_collector *collector);  // since the last take
// What was added since the last take; the collector is empty then.
BR_CHECKED br_status br_collector_take(br_collector *collector, br_batch_list *list_out,
                                       br_error *err);
// Between batches: writes what was kept so far to disk when the run is short of memory, lists that
// were taken included. Nobody but the collectors of one worker may use `keep`, nor look into the
// lists before br_batches_join.
BR_CHECKED br_status br_collector_relieve(br_collector *collector, br_error *err);
// Lists one behind the other.
BR_CHECKED br_status br_batches_join(const br_run *run, const br_batch_list *lists,
                                     uint32_t list_count, uint32_t column_count, br_arena *arena,
                                     br_batches *batches_out, br_error *err);

typedef struct br_rows {
    uint32_t column_count;
    uint32_t row_count;
    br_vector *columns;  // FLAT, DATE, DATETIME, or CONST of class BR_NULL; row_count long
} br_rows;

static const uint32_t BR_ROW_NONE = UINT32_MAX;

BR_CHECKED br_status br_rows_build(br_run *run, const br_batches *batches, const br_keep *keep,
                                   br_rows *rows_out, br_error *err);
// The same by one worker alone, in its arenas.
BR_CHECKED br_status br_rows_build_alone(br_run *run, const br_batches *batches,
                                         const br_keep *keep, uint32_t worker, br_rows *rows_out,
                                         br_error *err);
// out[i] = column[rows[i]]; NULL for BR_ROW_NONE, which occurs only when `has_none`.
BR_CHECKED br_status br_column_pick(const br_run *run, const br_vector *column,
                                    const uint32_t *rows, uint32_t count, bool has_none,
                                    br_arena *arena, br_vector *out, br_error *err);
// columns_out[k][i] = rows->columns[k][order[i]] for all rows, of the columns that are wanted.
BR_CHECKED br_status br_rows_pick(br_run *run, const br_rows *rows, const bool *is_wanted,
                                  const uint32_t *order, br_memory *memory,
                                  br_vector *columns_out, br_error *err);
// Rows first..first+count without copying; `first` is a multiple of 64.
br_vector br_vector_slice(const br_vector *vector, uint32_t first);
// rows[order[0..count-1]] as batches.
BR_CHECKED br_status br_rows_ordered(br_run *run, const br_rows *rows, uint32_t column_count,
                                     const uint32_t *order, uint64_t count, br_memory *memory,
                                     br_batches *batches_out, br_error *err);
uint32_t br_item_bytes(uint8_t class_, uint8_t kind);  // of one row of a FLAT or DATE vector
// Rows of NULL vectors become the text they stand for.
static inline bool br_is_time_kind(uint8_t kind)
{
    return kind == BR_VECTOR_DATE || kind == BR_VECTOR_DATETIME;
}

#endif
