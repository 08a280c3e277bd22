// window_rank.c - row_number, rank, dense_rank, percent_rank, cume_dist, ntile.
// SPDX-License-Identifier: Apache-2.0
#include "exec/window.h"

static void row_numbers(const br_window_work *work, int64_t *out)
{
    int64_t number = 1;
    for (uint32_t row = work->first; row < work->end; row++) out[row] = number++;
}

// Fills the rows of one group.
static void fill_ints(int64_t *out, uint32_t first, uint32_t end, int64_t value)
{
    for (uint32_t row = first; row < end; row++) out[row] = value;
}

static void fill_reals(double *out, uint32_t first, uint32_t end, double value)
{
    for (uint32_t row = first; row < end; row++) out[row] = value;
}

static void ranks(const br_window_work *work, int64_t *out)
{
    const uint32_t *group_rows = work->job->rows->group_rows;
    bool is_dense = work->job->call->function == BR_WINDOW_DENSE_RANK;
    for (uint32_t group = work->first_group; group < work->end_group; group++) {
        uint32_t before = is_dense ? group - work->first_group : group_rows[group] - work->first;
        fill_ints(out, group_rows[group], group_rows[group + 1], (int64_t)before + 1);
    }
}

// percent_rank: rows before the group, of the others. cume_dist: rows up to its end, of all.
static void fractions(const br_window_work *work, double *out)
{
    const uint32_t *group_rows = work->job->rows->group_rows;
    uint32_t row_count = work->end - work->first;
    bool is_rank = work->job->call->function == BR_WINDOW_PERCENT_RANK;
    double divisor = is_rank && row_count > 1 ? row_count - 1 : row_count;
    for (uint32_t group = work->first_group; group < work->end_group; group++) {
        uint32_t rows = (is_rank ? group_rows[group] : group_rows[group + 1]) - work->first;
        fill_reals(out, group_rows[group], group_rows[group + 1], rows / divisor);
    }
}

// The first row of the partition says how many tiles there are.
static br_status tiles(const br_window_work *work, int64_t *out, br_error *err)
{
    br_value argument = br_window_argument(work->job, 0, work->first, work->scratch);
    int64_t tile_count = br_value_to_int(&argument);
    if (tile_count <= 0)
        return br_fail(err, BR_RUNTIME, "argument of ntile must be a positive integer");
    int64_t row_count = work->end - work->first;
    if (tile_count > row_count) tile_count = row_count;
    int64_t size = row_count / tile_count, larger = row_count % tile_count;
    uint32_t row = work->first;
    for (int64_t tile = 0; tile < tile_count; tile++) {
        uint32_t end = row + (uint32_t)(size + (tile < larger));
        fill_ints(out, row, end, tile + 1);
        row = end;
    }
    return BR_OK;
}

br_status br_window_rank(br_window_work *work, br_error *err)
{
    const br_window_result *result = &work->job->result;
    switch (work->job->call->function) {
    case BR_WINDOW_ROW_NUMBER: row_numbers(work, result->ints); return BR_OK;
    case BR_WINDOW_NTILE: return tiles(work, result->ints, err);
    case BR_WINDOW_PERCENT_RANK:
    case BR_WINDOW_CUME_DIST: fractions(work, result->reals); return BR_OK;
    default: ranks(work, result->ints); return BR_OK;
    }
}
