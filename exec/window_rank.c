// window_rank.c - row_number, rank, dense_rank, percent_rank, cume_dist, ntile.
// SPDX-License-Identifier: Apache-2.0
#include "exec/window.h"

// Functions put out[0] for the first row of the block.
static void row_numbers(const br_window_work *work, int64_t *out)
{
    int64_t number = work->block - work->first + 1;
    for (uint32_t row = work->block; row < work->block_end; row++) *out++ = number++;
}

static void fill_ints(int64_t *out, uint32_t count, int64_t value)
{
    for (uint32_t i = 0; i < count; i++) out[i] = value;
}

static void fill_reals(double *out, uint32_t count, double value)
{
    for (uint32_t i = 0; i < count; i++) out[i] = value;
}

static uint32_t group_of_block(const br_window_work *work)
{
    return work->block == work->first
               ? work->first_group
               : br_window_marks_rank(work->job->rows->groups, work->block + 1) - 1;
}

// Rows from `row` on that are of the group and of the block.
static uint32_t rows_of_group(const br_window_work *work, uint32_t group, uint32_t row)
{
    uint32_t end = br_window_group_row(work->job->rows, group + 1);
    return (end < work->block_end ? end : work->block_end) - row;
}

static void ranks(const br_window_work *work, int64_t *out)
{
    bool is_dense = work->job->call->function == BR_WINDOW_DENSE_RANK;
    uint32_t group = group_of_block(work), row = work->block;
    for (uint32_t count; row < work->block_end; row += count, out += count, group++) {
        uint32_t before = is_dense ? group - work->first_group
                                   : br_window_group_row(work->job->rows, group) - work->first;
        count = rows_of_group(work, group, row);
        fill_ints(out, count, (int64_t)before + 1);
    }
}

// percent_rank: rows before the group, of the others. cume_dist: rows up to its end, of all.
static void fractions(const br_window_work *work, double *out)
{
    uint32_t row_count = work->end - work->first;
    bool is_rank = work->job->call->function == BR_WINDOW_PERCENT_RANK;
    double divisor = is_rank && row_count > 1 ? row_count - 1 : row_count;
    uint32_t group = group_of_block(work), row = work->block;
    for (uint32_t count; row < work->block_end; row += count, out += count, group++) {
        uint32_t end = br_window_group_row(work->job->rows, is_rank ? group : group + 1);
        count = rows_of_group(work, group, row);
        fill_reals(out, count, (end - work->first) / divisor);
    }
}

// The first row of the partition says how many tiles there are; the larger ones come first.
static br_status tiles(const br_window_work *work, int64_t *out, br_error *err)
{
    br_value argument = br_window_argument(work->job, 0, work->first, work->scratch);
    int64_t tile_count = br_value_to_int(&argument);
    if (tile_count <= 0)
        return br_fail(err, BR_RUNTIME, "argument of ntile must be a positive integer");
    int64_t row_count = work->end - work->first;
    if (tile_count > row_count) tile_count = row_count;
    int64_t size = row_count / tile_count, larger = row_count % tile_count;
    int64_t larger_rows = larger * (size + 1);
    int64_t at = work->block - work->first, end = work->block_end - work->first;
    for (int64_t tile_end; at < end; at = tile_end) {
        bool is_larger = at < larger_rows;
        int64_t tile = is_larger ? at / (size + 1) : larger + (at - larger_rows) / size;
        tile_end = is_larger ? (tile + 1) * (size + 1)
                             : larger_rows + (tile + 1 - larger) * size;
        if (tile_end > end) tile_end = end;
        fill_ints(out, (uint32_t)(tile_end - at), tile + 1);
        out += tile_end - at;
    }
    return BR_OK;
}

br_status br_window_rank(br_window_work *work, br_error *err)
{
    const br_window_result *result = &work->job->result;
    uint32_t at = work->block - result->base;
    switch (work->job->call->function) {
    case BR_WINDOW_ROW_NUMBER: row_numbers(work, result->ints + at); return BR_OK;
    case BR_WINDOW_NTILE: return tiles(work, result->ints + at, err);
    case BR_WINDOW_PERCENT_RANK:
    case BR_WINDOW_CUME_DIST: fractions(work, result->reals + at); return BR_OK;
    default: ranks(work, result->ints + at); return BR_OK;
    }
}
