// window.h - window functions over rows that lie in their order.
//
//     op_window.c         gathers the rows, has calls evaluated, puts out rows and results
//     window_partition.c  sorts them; where partitions and groups of peers begin
//     window_frame.c      which rows belong to the frame of each row
//     window_rank.c, window_value.c, window_sum.c, window_best.c, window_concat.c
//                         the functions, for one partition at a time
//     window_result.c     their results as vectors
//
// A frame is up to three pieces, ranges of rows: EXCLUDE cuts holes. The starts and ends of a piece
// never move back from one row of a partition to the next, so every function costs amortised
// constant time per row: sums are differences of running sums, MIN and MAX keep a monotonic queue,
// group_concat puts out parts of one text. (Leis et al., "Efficient Processing of Window Functions
// in Analytical SQL Queries", VLDB 2015, use segment trees, which serve any frames.)
//
// Ownership: what jobs refer to lives in the memory of the node. Threads: rows and jobs are
//            immutable while workers run; results of different partitions are disjoint.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_WINDOW_H
#define BR_EXEC_WINDOW_H

#include "exec/rows.h"
#include "exec/sort.h"

// ---- rows ------------------------------------------------------------------------------------

typedef struct br_window_rows {
    br_run *run;
    uint32_t row_count;
    const uint32_t *order;  // row i is row order[i] of the input
    uint32_t partition_count;
    const uint32_t *partition_rows;    // first rows of partitions; behind the last, row_count
    const uint32_t *partition_groups;  // their first groups; behind the last, group_count
    uint32_t group_count;
    const uint32_t *group_rows;        // first rows of groups of peers; behind the last, row_count
} br_window_rows;

// Sorts `input` by the keys, of which the first partition_keys are those of PARTITION BY. All that
// `out` refers to lies in `memory`.
BR_CHECKED br_status br_window_rows_make(br_run *run, const br_sort_columns *keys,
                                         uint32_t partition_keys, uint32_t row_count,
                                         br_memory *memory, br_window_rows *out, br_error *err);

// ---- calls -----------------------------------------------------------------------------------

typedef enum br_window_result_kind {
    BR_WINDOW_INTS, BR_WINDOW_REALS, BR_WINDOW_TEXTS,
    BR_WINDOW_VALUES,  // of any class
    BR_WINDOW_PICKS,   // numbers of rows: the value is that of args[0] there; BR_ROW_NONE: NULL, or
                       // for lag and lead that of args[2]
} br_window_result_kind;

typedef struct br_window_result {
    br_window_result_kind kind;
    uint8_t *is_valid;  // per row, for INTS, REALS and TEXTS; NULL: all are
    union {
        void *items;
        int64_t *ints;
        double *reals;
        br_text *texts;
        br_value *values;
        uint32_t *picks;
    };
} br_window_result;

typedef struct br_window_job {
    const br_window_rows *rows;
    const br_window_call *call;
    uint32_t arg_count;
    br_vector args[3];          // of all rows, in their order; or CONST
    const uint64_t *included;   // AGGREGATE: rows that it takes in, by FILTER and not being NULL;
                                // NULL: all
    br_vector range_key;        // RANGE with offsets: the values of the one ORDER BY term
    const br_sort_key *sort_key;
    br_value start_offset, end_offset;  // INT, or REAL for RANGE; checked
    br_window_result result;
} br_window_job;

// One partition and one call.
typedef struct br_window_work {
    const br_window_job *job;
    uint32_t first, end;              // rows
    uint32_t first_group, end_group;
    br_arena *scratch;  // rewound after each partition
    br_arena *keep;     // lives as long as the result
} br_window_work;

// Evaluates constant offsets, with SQLite's complaints.
BR_CHECKED br_status br_window_offsets(br_window_job *job, br_error *err);
// Makes room for the result.
BR_CHECKED br_status br_window_result_new(br_window_job *job, br_arena *arena, br_error *err);
BR_CHECKED br_status br_window_evaluate(br_window_work *work, br_error *err);
// Results of rows first..first+count-1; at most BR_BATCH_ROWS.
BR_CHECKED br_status br_window_vector(const br_window_job *job, uint32_t first, uint32_t count,
                                      br_arena *arena, br_vector *out, br_error *err);
br_status br_window_no_memory(const br_window_work *work, br_error *err);

br_status br_window_rank(br_window_work *work, br_error *err);   // row_number ... ntile
br_status br_window_value(br_window_work *work, br_error *err);  // lag ... nth_value
br_status br_window_sum(br_window_work *work, br_error *err);    // count, sum, total, avg
br_status br_window_best(br_window_work *work, br_error *err);   // min, max
br_status br_window_concat(br_window_work *work, br_error *err);

// Value of an argument, which may be CONST.
static inline br_value br_window_argument(const br_window_job *job, uint32_t arg, uint32_t row,
                                          br_arena *arena)
{
    return br_vector_value(&job->args[arg], row, arena);
}

static inline bool br_window_is_included(const br_window_job *job, uint32_t row)
{
    return job->included == NULL || br_bitmap_get(job->included, row);
}

// ---- frames ----------------------------------------------------------------------------------

enum { BR_WINDOW_PIECES_MAX = 3 };

// The frames of up to BR_BATCH_ROWS rows at a time, first to last row of a partition.
typedef struct br_window_frames {
    uint32_t first, count;  // rows
    uint32_t piece_count;
    // Piece p of row first + i: rows starts[p][i] .. ends[p][i] - 1; start <= end. Pieces follow
    // each other, empty ones too.
    uint32_t starts[BR_WINDOW_PIECES_MAX][BR_BATCH_ROWS];
    uint32_t ends[BR_WINDOW_PIECES_MAX][BR_BATCH_ROWS];
    const br_window_work *work;
    uint32_t groups[BR_BATCH_ROWS];     // of the rows
    uint32_t group;                     // of the last row so far
    uint32_t range_low, range_high;     // RANGE with offsets: the rows that are not NULL
    uint32_t range_start, range_end;    // and how far bounds have come
    uint32_t range_group_start, range_group_end;  // the groups they are for
} br_window_frames;

BR_CHECKED br_status br_window_frames_new(const br_window_work *work,
                                          br_window_frames **frames_out, br_error *err);
// The next rows; a count of 0 when there are none left. Polls for interrupts.
BR_CHECKED br_status br_window_frames_next(br_window_frames *frames, br_error *err);

#endif
