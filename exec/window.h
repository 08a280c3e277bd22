// window.h - window functions over rows that lie in their order.
//
//     op_window.c         gathers the rows, has calls evaluated, puts out rows and results
//     window_partition.c  sorts them; where partitions and groups of peers begin
//     window_frame.c      which rows belong to the frame of each row
//     window_rank.c, window_value.c, window_sum.c, window_best.c, window_concat.c
//                         the functions, for one partition at a time
//     window_result.c     their results as vectors
//     window_disk.c       more rows than memory: portions of partitions, one at a time
//     window_pages.c      a partition that is larger than that: its rows, read where needed,
//     window_slide.c      and sums, bests and texts that go along with the frames
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

#include "base/assert.h"
#include "base/bytes.h"
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
    const uint32_t *group_rows;        // first rows of groups of peers; behind the last, row_count;
                                       // NULL: `groups` knows them
    const struct br_window_marks *groups;
} br_window_rows;

// Rows that begin something, of rows on disk: a bit for each, and how many there are before each
// word of BR_WINDOW_MARK_WORDS words.
enum { BR_WINDOW_MARK_WORDS = 32 };
typedef struct br_window_marks {
    uint32_t row_count;
    uint64_t *bits;
    uint32_t *before;
} br_window_marks;

BR_CHECKED br_status br_window_marks_init(br_window_marks *marks, const br_run *run,
                                          br_arena *arena, uint32_t row_count, br_error *err);
void br_window_marks_count(br_window_marks *marks);  // once all bits are set
uint32_t br_window_marks_rank(const br_window_marks *marks, uint32_t row);  // of those before row
uint32_t br_window_marks_row(const br_window_marks *marks, uint32_t index);

static inline uint32_t br_window_group_row(const br_window_rows *rows, uint32_t group)
{
    return rows->group_rows != NULL ? rows->group_rows[group]
                                    : br_window_marks_row(rows->groups, group);
}

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
    uint32_t base;      // the row that item 0 is of
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

// Sorted rows on disk, read a batch at a time and kept for a while. One worker's.
typedef struct br_window_pages br_window_pages;

BR_CHECKED br_status br_window_pages_new(br_run *run, uint32_t worker, const br_batches *batches,
                                         br_arena *arena, br_window_pages **pages_out,
                                         br_error *err);
void br_window_pages_free(br_window_pages *pages);  // NULL is a no-op
// The value, whose bytes stay until the next but one is asked for. NULL after a failure.
br_value br_window_pages_value(br_window_pages *pages, uint32_t column, uint32_t row,
                               br_arena *arena);
// The batch with the row. NULL after a failure.
const br_batch *br_window_pages_batch(br_window_pages *pages, uint32_t row);
// The first failure.
BR_CHECKED br_status br_window_pages_status(const br_window_pages *pages, br_error *err);

static const uint32_t BR_WINDOW_NO_COLUMN = UINT32_MAX;

// Which stored columns a call reads; BR_WINDOW_NO_COLUMN: none, or it is a constant of the job.
typedef struct br_window_columns {
    uint32_t args[3], filter, range;
} br_window_columns;

typedef struct br_window_job {
    const br_window_rows *rows;
    const br_window_call *call;
    br_window_columns columns;
    br_window_pages *pages;     // NULL: args, included and range_key have all rows; else they only
                                // tell what columns are like, and values come from there
    uint32_t arg_count;
    br_vector args[3];          // of all rows, in their order; or CONST
    const uint64_t *included;   // AGGREGATE: rows that it takes in, by FILTER and not being NULL;
                                // NULL: all
    br_vector range_key;        // RANGE with offsets: the values of the one ORDER BY term
    const br_sort_key *sort_key;
    br_value start_offset, end_offset;  // INT, or REAL for RANGE; checked
    br_window_result result;
} br_window_job;

// One partition and one call. Results are made for some of its rows at a time, in order: for all of
// them, unless they are on disk.
typedef struct br_window_work {
    const br_window_job *job;
    uint32_t first, end;              // rows
    uint32_t first_group, end_group;
    uint32_t block, block_end;        // the rows whose results are wanted now
    br_arena *scratch;  // rewound after each partition, or block
    br_arena *keep;     // lives as long as the result
    struct br_window_frames *frames;  // on disk: they go on from block to block; NULL: the
                                      // function has its own
    struct br_window_slide *slide;    // on disk: what goes along with them
} br_window_work;

// Evaluates constant offsets, with SQLite's complaints.
BR_CHECKED br_status br_window_offsets(br_window_job *job, br_error *err);
// Makes room for results of row_count rows from `base` on.
BR_CHECKED br_status br_window_result_new(br_window_job *job, uint32_t base, uint32_t row_count,
                                          br_arena *arena, br_error *err);
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

// Calls of a partition on disk, for one block after the other of at most BR_BATCH_ROWS rows; what
// is kept between blocks lies in `arena`. What `keep` got for a block must outlive the next one.
BR_CHECKED br_status br_window_slide_new(br_window_work *work, br_arena *arena, br_error *err);
BR_CHECKED br_status br_window_slide_block(br_window_work *work, br_error *err);

// One of the aggregates that give JSON: they take in NULLs.
static inline bool br_window_is_json(const br_window_call *call)
{
    return call->function == BR_WINDOW_AGGREGATE && (call->aggregate.kind == BR_AGG_JSON_ARRAY ||
                                                     call->aggregate.kind == BR_AGG_JSON_OBJECT);
}
static inline const char *br_window_brackets(const br_window_call *call)
{
    return call->aggregate.kind == BR_AGG_JSON_OBJECT ? "{}" : "[]";
}
// Puts what the row adds to them into `out`; *is_blob_out: nothing, JSON cannot hold it.
BR_CHECKED br_status br_window_put_json(const br_window_work *work, uint32_t row, br_buffer *out,
                                        bool *is_blob_out, br_error *err);

// Value of an argument, which may be CONST.
static inline br_value br_window_argument(const br_window_job *job, uint32_t arg, uint32_t row,
                                          br_arena *arena)
{
    if (job->pages != NULL && job->columns.args[arg] != BR_WINDOW_NO_COLUMN)
        return br_window_pages_value(job->pages, job->columns.args[arg], row, arena);
    return br_vector_value(&job->args[arg], row, arena);
}

static inline bool br_window_is_included(const br_window_job *job, uint32_t row)
{
    br_assert(job->pages == NULL);
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

BR_CHECKED br_status br_window_frames_new(const br_window_work *work, br_arena *arena,
                                          br_window_frames **frames_out, br_error *err);
// The next rows of the block; a count of 0 when there are none left. Polls for interrupts.
BR_CHECKED br_status br_window_frames_next(br_window_frames *frames, br_error *err);

#endif
