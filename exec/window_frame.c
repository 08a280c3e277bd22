// window_frame.c - ROWS, RANGE and GROUPS frames with EXCLUDE.
//
// Bounds of RANGE with an offset are found as SQLite finds them: by adding the offset to the values
// of the rows that might be left behind, or to that of the current row, in the direction of the
// order; texts and blobs stay as they are, and NULLs are a group of their own.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/window.h"

static const int64_t offset_max = 1ll << 33;  // more than there can be rows or groups

// ---- offsets ---------------------------------------------------------------------------------

static br_status check_offset(const br_window_job *job, const br_expr *expression,
                              const char *which, br_value *out, br_error *err)
{
    br_run *run = job->rows->run;
    bool is_range = job->call->frame.unit == BR_FRAME_RANGE;
    BR_TRY(br_evaluate_constant(expression, &run->expr_env, run->arena, out, err));
    if (is_range) {
        if (out->class_ == BR_TEXT)
            *out = br_value_apply_affinity(*out, BR_AFFINITY_NUMERIC, &run->env->bridge,
                                           run->arena);
        if ((out->class_ == BR_INT && out->i64 >= 0) || (out->class_ == BR_REAL && out->f64 >= 0))
            return BR_OK;
        return br_fail(err, BR_RUNTIME, "frame %s offset must be a non-negative number", which);
    }
    *out = br_value_apply_affinity(*out, BR_AFFINITY_NUMERIC, &run->env->bridge, run->arena);
    if (out->class_ != BR_INT || out->i64 < 0)
        return br_fail(err, BR_RUNTIME, "frame %s offset must be a non-negative integer", which);
    if (out->i64 > offset_max) out->i64 = offset_max;
    return BR_OK;
}

static bool has_offset(br_frame_bound bound)
{
    return bound == BR_FRAME_PRECEDING || bound == BR_FRAME_FOLLOWING;
}

br_status br_window_offsets(br_window_job *job, br_error *err)
{
    const br_window_frame *frame = &job->call->frame;
    if (has_offset(frame->start))
        BR_TRY(check_offset(job, frame->start_offset, "starting", &job->start_offset, err));
    if (has_offset(frame->end))
        BR_TRY(check_offset(job, frame->end_offset, "ending", &job->end_offset, err));
    return BR_OK;
}

// ---- RANGE with offsets ----------------------------------------------------------------------

static br_value range_value(const br_window_job *job, uint32_t row, br_arena *scratch)
{
    return job->pages == NULL
               ? br_vector_value(&job->range_key, row, scratch)
               : br_window_pages_value(job->pages, job->columns.range, row, scratch);
}

// Of a key that is INT.
static int64_t range_int(const br_window_job *job, uint32_t row)
{
    return job->pages == NULL ? job->range_key.i64[row] : range_value(job, row, NULL).i64;
}

static double range_real(const br_window_job *job, uint32_t row)
{
    return job->pages == NULL ? job->range_key.f64[row] : range_value(job, row, NULL).f64;
}

static bool range_is_null(const br_window_job *job, uint32_t row, br_arena *scratch)
{
    return job->pages == NULL ? br_vector_is_null(&job->range_key, row)
                              : range_value(job, row, scratch).class_ == BR_NULL;
}

static br_value shift_value(br_value value, const br_value *offset, bool descending)
{
    if (value.class_ != BR_INT && value.class_ != BR_REAL) return value;
    if (value.class_ == BR_INT && offset->class_ == BR_INT) {
        int64_t sum;
        if (!(descending ? __builtin_sub_overflow(value.i64, offset->i64, &sum)
                         : __builtin_add_overflow(value.i64, offset->i64, &sum)))
            return br_value_int(sum);
    }
    double left = value.class_ == BR_INT ? (double)value.i64 : value.f64;
    double right = offset->class_ == BR_INT ? (double)offset->i64 : offset->f64;
    double sum = descending ? left - right : left + right;
    return sum == sum ? br_value_real(sum) : br_value_null();
}

// The order of row `moved`, shifted by the offset, and row `fixed`.
static int compare_shifted(const br_window_job *job, const br_value *offset, uint32_t moved,
                           uint32_t fixed, br_arena *scratch)
{
    const br_vector *key = &job->range_key;
    bool descending = job->sort_key->descending;
    if (key->class_ == BR_INT && offset->class_ == BR_INT) {
        int64_t left = range_int(job, moved), right = range_int(job, fixed);
        bool overflows = descending ? __builtin_sub_overflow(left, offset->i64, &left)
                                    : __builtin_add_overflow(left, offset->i64, &left);
        int order = (left > right) - (left < right);
        if (!overflows) return descending ? -order : order;
    }
    if (key->class_ == BR_REAL) {
        double shift = offset->class_ == BR_INT ? (double)offset->i64 : offset->f64;
        double left = range_real(job, moved), right = range_real(job, fixed);
        left = descending ? shift - left : left + shift;
        right = descending ? -right : right;
        if (left == left) return (left > right) - (left < right);
    }
    br_arena_mark mark = br_arena_get_mark(scratch);
    br_value left = shift_value(range_value(job, moved, scratch), offset, descending);
    br_value right = range_value(job, fixed, scratch);
    int order = br_sort_compare(&left, &right, job->sort_key);
    br_arena_rewind(scratch, mark);
    return order;
}

// The first row from `at` on that the bound of `row` does not leave behind; the bound of a frame's
// end leaves its equals behind, too.
static uint32_t seek_range(const br_window_frames *frames, bool is_end, uint32_t row, uint32_t at)
{
    const br_window_work *work = frames->work;
    const br_window_job *job = work->job;
    br_frame_bound bound = is_end ? job->call->frame.end : job->call->frame.start;
    const br_value *offset = is_end ? &job->end_offset : &job->start_offset;
    if (row < frames->range_low || row >= frames->range_high) {  // NULL
        bool is_first = row < frames->range_low;
        if (is_end) return is_first ? frames->range_low : work->end;
        return is_first ? work->first : frames->range_high;
    }
    if (at < frames->range_low) at = frames->range_low;
    for (; at < frames->range_high; at++) {
        int order = bound == BR_FRAME_PRECEDING
                        ? compare_shifted(job, offset, at, row, work->scratch)
                        : -compare_shifted(job, offset, row, at, work->scratch);
        if (order > 0 || (order == 0 && !is_end)) break;
    }
    return at;
}

static void range_bounds(br_window_frames *frames, bool is_end, uint32_t *out)
{
    uint32_t *at = is_end ? &frames->range_end : &frames->range_start;
    uint32_t *group = is_end ? &frames->range_group_end : &frames->range_group_start;
    for (uint32_t i = 0; i < frames->count; i++) {
        if (frames->groups[i] != *group) {  // peers have the same bounds
            *group = frames->groups[i];
            *at = seek_range(frames, is_end, frames->first + i, *at);
        }
        out[i] = *at;
    }
}

// ---- other bounds ----------------------------------------------------------------------------

static void fill_groups(br_window_frames *frames)
{
    const br_window_frame *frame = &frames->work->job->call->frame;
    const br_window_rows *rows = frames->work->job->rows;
    if (frame->unit == BR_FRAME_ROWS && frame->exclude <= BR_EXCLUDE_CURRENT_ROW) return;
    for (uint32_t i = 0; i < frames->count; i++) {
        if (frames->first + i >= br_window_group_row(rows, frames->group + 1)) frames->group++;
        frames->groups[i] = frames->group;
    }
}

static inline uint32_t clamp(int64_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : (uint32_t)value;
}

// Bounds that lie `distance` rows or groups from the first row behind the current row's start (or
// from its end, for the end of a frame).
static void distant_bounds(br_window_frames *frames, bool is_end, int64_t distance, uint32_t *out)
{
    const br_window_work *work = frames->work;
    distance += is_end;
    if (work->job->call->frame.unit == BR_FRAME_ROWS) {
        int64_t from = (int64_t)frames->first + distance;
        for (uint32_t i = 0; i < frames->count; i++)
            out[i] = clamp(from + i, work->first, work->end);
        return;
    }
    for (uint32_t i = 0; i < frames->count; i++) {
        uint32_t group = clamp(frames->groups[i] + distance, work->first_group, work->end_group);
        out[i] = br_window_group_row(work->job->rows, group);
    }
}

static void fill_bounds(br_window_frames *frames, bool is_end, uint32_t *out)
{
    const br_window_job *job = frames->work->job;
    br_frame_bound bound = is_end ? job->call->frame.end : job->call->frame.start;
    const br_value *offset = is_end ? &job->end_offset : &job->start_offset;
    if (bound == BR_FRAME_UNBOUNDED_PRECEDING || bound == BR_FRAME_UNBOUNDED_FOLLOWING) {
        bool is_first = bound == BR_FRAME_UNBOUNDED_PRECEDING;
        uint32_t row = is_first ? frames->work->first : frames->work->end;
        for (uint32_t i = 0; i < frames->count; i++) out[i] = row;
    } else if (bound == BR_FRAME_CURRENT_ROW) {
        distant_bounds(frames, is_end, 0, out);
    } else if (job->call->frame.unit == BR_FRAME_RANGE) {
        range_bounds(frames, is_end, out);
    } else {
        distant_bounds(frames, is_end,
                       bound == BR_FRAME_PRECEDING ? -offset->i64 : offset->i64, out);
    }
}

// ---- EXCLUDE ---------------------------------------------------------------------------------

// Cuts the frames in piece 0 at the hole; with TIES, the current row is a piece in it.
static void cut_holes(br_window_frames *frames, br_frame_exclude exclude)
{
    const br_window_rows *rows = frames->work->job->rows;
    uint32_t last = exclude == BR_EXCLUDE_TIES ? 2 : 1;
    frames->piece_count = last + 1;
    for (uint32_t i = 0; i < frames->count; i++) {
        uint32_t row = frames->first + i, start = frames->starts[0][i], end = frames->ends[0][i];
        uint32_t hole = row, hole_end = row + 1;
        if (exclude != BR_EXCLUDE_CURRENT_ROW) {
            hole = br_window_group_row(rows, frames->groups[i]);
            hole_end = br_window_group_row(rows, frames->groups[i] + 1);
        }
        frames->ends[0][i] = clamp(hole, start, end);
        frames->starts[last][i] = clamp(hole_end, start, end);
        frames->ends[last][i] = end;
        if (exclude != BR_EXCLUDE_TIES) continue;
        frames->starts[1][i] = clamp(row, start, end);
        frames->ends[1][i] = clamp((int64_t)row + 1, start, end);
    }
}

// ---- blocks ----------------------------------------------------------------------------------

br_status br_window_frames_new(const br_window_work *work, br_arena *arena,
                               br_window_frames **frames_out, br_error *err)
{
    const br_window_job *job = work->job;
    br_window_frames *frames = br_arena_alloc(arena, sizeof *frames, 64);
    if (frames == NULL) return br_window_no_memory(work, err);
    frames->work = work;
    frames->first = work->first;
    frames->count = 0;
    frames->group = work->first_group;
    frames->range_start = frames->range_end = work->first;
    frames->range_group_start = frames->range_group_end = UINT32_MAX;
    frames->range_low = work->first;
    frames->range_high = work->end;
    const br_window_frame *frame = &job->call->frame;
    if (frame->unit == BR_FRAME_RANGE && (has_offset(frame->start) || has_offset(frame->end))) {
        uint32_t low = work->first, high = work->end;
        while (low < high && range_is_null(job, low, work->scratch)) low++;
        while (high > low && range_is_null(job, high - 1, work->scratch)) high--;
        frames->range_low = low;
        frames->range_high = high;
    }
    *frames_out = frames;
    return BR_OK;
}

br_status br_window_frames_next(br_window_frames *frames, br_error *err)
{
    const br_window_work *work = frames->work;
    BR_TRY(br_run_poll(work->job->rows->run, err));
    frames->first += frames->count;
    uint32_t left = work->block_end - frames->first;
    frames->count = left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS;
    frames->piece_count = 1;
    fill_groups(frames);
    fill_bounds(frames, false, frames->starts[0]);
    fill_bounds(frames, true, frames->ends[0]);
    for (uint32_t i = 0; i < frames->count; i++) {
        if (frames->ends[0][i] < frames->starts[0][i]) frames->ends[0][i] = frames->starts[0][i];
    }
    br_frame_exclude exclude = work->job->call->frame.exclude;
    if (exclude != BR_EXCLUDE_NO_OTHERS) cut_holes(frames, exclude);
    if (br_arena_failed(work->scratch)) return br_window_no_memory(work, err);
    return BR_OK;
}
