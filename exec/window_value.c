// window_value.c - lag, lead, first_value, last_value, nth_value: which row the value comes from.
// SPDX-License-Identifier: Apache-2.0
#include "exec/evaluate.h"
#include "exec/window.h"

// ---- lag and lead ----------------------------------------------------------------------------

// Row `number` of the partition, from 1; SQLite's lag sees no further ahead than the next row.
static uint32_t pick_row(const br_window_work *work, uint32_t row, int64_t number)
{
    bool is_lag = work->job->call->function == BR_WINDOW_LAG;
    if (number < 1 || number > work->end - work->first) return BR_ROW_NONE;
    uint32_t picked = work->first + (uint32_t)number - 1;
    return is_lag && picked > row + 1 ? BR_ROW_NONE : picked;
}

// The row at a distance that may be any value: SQLite adds it to the number of the row.
static uint32_t pick_at_value(const br_window_work *work, uint32_t row, const br_value *offset)
{
    bool is_lag = work->job->call->function == BR_WINDOW_LAG;
    int64_t number = (int64_t)row - work->first + 1, target;
    br_value distance = br_value_to_number(offset);
    if (distance.class_ == BR_NULL) return BR_ROW_NONE;
    if (distance.class_ == BR_INT) {
        bool overflows = is_lag ? __builtin_sub_overflow(number, distance.i64, &target)
                                : __builtin_add_overflow(number, distance.i64, &target);
        return overflows ? BR_ROW_NONE : pick_row(work, row, target);
    }
    double at = is_lag ? (double)number - distance.f64 : (double)number + distance.f64;
    br_value whole = br_value_to_integral(br_value_real(at));
    return whole.class_ == BR_INT ? pick_row(work, row, whole.i64) : BR_ROW_NONE;
}

// All at the same distance, which is an ordinary one. out[0] is of the first row of the block.
static void pick_at_distance(const br_window_work *work, uint32_t distance, uint32_t *out)
{
    bool is_lag = work->job->call->function == BR_WINDOW_LAG;
    for (uint32_t row = work->block; row < work->block_end; row++) {
        bool is_inside = distance < (is_lag ? row - work->first + 1 : work->end - row);
        *out++ = !is_inside ? BR_ROW_NONE : is_lag ? row - distance : row + distance;
    }
}

static br_status pick_neighbours(const br_window_work *work, uint32_t *out, br_error *err)
{
    const br_window_job *job = work->job;
    if (job->arg_count < 2) {
        pick_at_distance(work, 1, out);
        return BR_OK;
    }
    br_value offset = br_window_argument(job, 1, work->block, work->scratch);
    bool is_constant = job->args[1].kind == BR_VECTOR_CONST;
    if (is_constant && offset.class_ == BR_INT && offset.i64 >= 0 && offset.i64 < BR_ROW_NONE) {
        pick_at_distance(work, (uint32_t)offset.i64, out);
        return BR_OK;
    }
    br_arena_mark mark = br_arena_get_mark(work->scratch);
    for (uint32_t row = work->block; row < work->block_end; row++) {
        offset = br_window_argument(job, 1, row, work->scratch);
        *out++ = pick_at_value(work, row, &offset);
        br_arena_rewind(work->scratch, mark);
    }
    return br_arena_failed(work->scratch) ? br_window_no_memory(work, err) : BR_OK;
}

// ---- rows of the frame -----------------------------------------------------------------------

static uint32_t pick_first(const br_window_frames *frames, uint32_t i)
{
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        if (frames->starts[p][i] < frames->ends[p][i]) return frames->starts[p][i];
    }
    return BR_ROW_NONE;
}

static uint32_t pick_last(const br_window_frames *frames, uint32_t i)
{
    for (uint32_t p = frames->piece_count; p-- > 0;) {
        if (frames->starts[p][i] < frames->ends[p][i]) return frames->ends[p][i] - 1;
    }
    return BR_ROW_NONE;
}

static uint32_t pick_nth(const br_window_frames *frames, uint32_t i, int64_t n)
{
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        uint32_t size = frames->ends[p][i] - frames->starts[p][i];
        if (n <= size) return frames->starts[p][i] + (uint32_t)n - 1;
        n -= size;
    }
    return BR_ROW_NONE;
}

static br_status pick_nths(const br_window_frames *frames, uint32_t *out, br_error *err)
{
    const br_window_work *work = frames->work;
    const br_exec_bridge *bridge = &work->job->rows->run->env->bridge;
    bool has_holes = frames->piece_count > 1;
    br_arena_mark mark = br_arena_get_mark(work->scratch);
    for (uint32_t i = 0; i < frames->count; i++) {
        uint32_t row = frames->first + i;
        // SQLite looks at the number when there is a row to count, or no EXCLUDE.
        if (has_holes && pick_first(frames, i) == BR_ROW_NONE) {
            out[i] = BR_ROW_NONE;
            continue;
        }
        br_value n = br_window_argument(work->job, 1, row, work->scratch);
        n = br_value_apply_affinity(n, BR_AFFINITY_NUMERIC, bridge, work->scratch);
        if (n.class_ != BR_INT || n.i64 <= 0)
            return br_fail(err, BR_RUNTIME,
                           "second argument to nth_value must be a positive integer");
        out[i] = pick_nth(frames, i, n.i64);
        br_arena_rewind(work->scratch, mark);
    }
    return BR_OK;
}

static br_status pick_from_frames(const br_window_work *work, uint32_t *out, br_error *err)
{
    br_window_function function = work->job->call->function;
    br_window_frames *frames = work->frames;
    if (frames == NULL) BR_TRY(br_window_frames_new(work, work->scratch, &frames, err));
    for (;; out += frames->count) {
        BR_TRY(br_window_frames_next(frames, err));
        if (frames->count == 0) return BR_OK;
        if (function == BR_WINDOW_NTH_VALUE) BR_TRY(pick_nths(frames, out, err));
        for (uint32_t i = 0; function == BR_WINDOW_FIRST_VALUE && i < frames->count; i++)
            out[i] = pick_first(frames, i);
        for (uint32_t i = 0; function == BR_WINDOW_LAST_VALUE && i < frames->count; i++)
            out[i] = pick_last(frames, i);
    }
}

br_status br_window_value(br_window_work *work, br_error *err)
{
    const br_window_job *job = work->job;
    uint32_t *out = job->result.picks + (work->block - job->result.base);
    if (job->call->function == BR_WINDOW_LAG || job->call->function == BR_WINDOW_LEAD)
        return pick_neighbours(work, out, err);
    return pick_from_frames(work, out, err);
}
