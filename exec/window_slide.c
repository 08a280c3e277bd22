// window_slide.c - functions over a partition on disk: what goes along with its frames.
//
// Ends of frames only move forward, so that a running sum at each of them is all that sums need,
// and rows are read once per end. Values are the same as those of window_sum.c, window_best.c and
// window_concat.c, bit for bit.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "exec/aggregate_best.h"
#include "exec/evaluate.h"
#include "exec/window.h"

enum {
    TEXT_BYTES_MAX = 1000000000,  // SQLite's SQLITE_MAX_LENGTH
    QUEUE_ROWS_MIN = 64,
};

typedef struct running_sum {  // of the rows before `row`
    uint32_t row;
    uint32_t count, real_count;
    uint32_t infinite[2];  // positive and negative ones, which are not added
    bool overflows;        // some sum on the way does not fit 64 bits
    br_int128 ints;
    double high, low;
} running_sum;

typedef struct best_queue {
    uint32_t *rows;  // head..tail-1: those that are better than all behind them
    uint32_t head, tail, capacity;
    uint32_t next;   // the next row to put in
} best_queue;

typedef struct joined_text {  // of the frame before
    bool has_text;
    uint32_t count;  // texts in it
    char *bytes;
    size_t size, capacity;
    uint32_t starts[BR_WINDOW_PIECES_MAX], ends[BR_WINDOW_PIECES_MAX];
} joined_text;

typedef struct br_window_slide {
    br_arena *arena;
    double scale;  // of sums of reals: less than 1 when they would not fit
    running_sum starts[BR_WINDOW_PIECES_MAX], ends[BR_WINDOW_PIECES_MAX];
    best_queue queues[BR_WINDOW_PIECES_MAX];
    joined_text joined;
} br_window_slide;

static bool is_included(const br_window_work *work, uint32_t row)
{
    const br_window_job *job = work->job;
    br_arena_mark mark = br_arena_get_mark(work->scratch);
    bool is_in = true;
    if (job->columns.filter != BR_WINDOW_NO_COLUMN) {
        br_value value = br_window_pages_value(job->pages, job->columns.filter, row,
                                               work->scratch);
        is_in = br_value_truth(&value) == 1;
    }
    if (is_in && job->arg_count > 0 && !br_window_is_json(job->call))
        is_in = br_window_argument(job, 0, row, work->scratch).class_ != BR_NULL;
    br_arena_rewind(work->scratch, mark);
    return is_in;
}

// ---- sums ------------------------------------------------------------------------------------

static void add_real(running_sum *sum, double value)
{
    if (isinf(value)) {
        sum->infinite[value < 0]++;
        return;
    }
    double high = sum->high + value, part = high - sum->high;
    sum->low += (sum->high - (high - part)) + (value - part);
    sum->high = high + sum->low;
    sum->low -= sum->high - high;
}

static void add_row(const br_window_work *work, running_sum *sum)
{
    const br_window_job *job = work->job;
    sum->count++;
    if (job->call->aggregate.kind <= BR_AGG_COUNT) return;
    br_arena_mark mark = br_arena_get_mark(work->scratch);
    br_value number = br_window_argument(job, 0, sum->row, work->scratch);
    number = br_sum_number(job->rows->run, number, work->scratch);
    br_arena_rewind(work->scratch, mark);
    if (number.class_ == BR_REAL) {
        sum->real_count++;
        add_real(sum, number.f64 * work->slide->scale);
        return;
    }
    sum->ints += number.i64;
    sum->overflows |= sum->ints != (int64_t)sum->ints;
    add_real(sum, (double)number.i64 * work->slide->scale);
}

static br_status advance(const br_window_work *work, running_sum *sum, uint32_t row, br_error *err)
{
    for (; sum->row < row; sum->row++) {
        if (sum->row % BR_BATCH_ROWS == 0) BR_TRY(br_run_poll(work->job->rows->run, err));
        if (is_included(work, sum->row)) add_row(work, sum);
    }
    return BR_OK;
}

// Between two sums of the same rows.
static double real_difference(const br_window_slide *slide, const running_sum *start,
                              const running_sum *end)
{
    double to = end->high, from = -start->high;
    double sum = to + from, part = sum - to;
    double rest = (to - (sum - part)) + (from - part);
    return (sum + (rest + (end->low - start->low))) / slide->scale;
}

typedef struct frame_sum {
    uint32_t count, real_count, infinite[2];
    bool overflows;
    int64_t ints;
    double ints_as_real, reals;
} frame_sum;

static void add_piece(const br_window_work *work, uint32_t p, bool is_running, frame_sum *sum)
{
    const running_sum *start = &work->slide->starts[p], *end = &work->slide->ends[p];
    br_int128 ints = end->ints - start->ints;
    bool fits = ints == (int64_t)ints;
    sum->ints_as_real += fits ? (double)(int64_t)ints : (double)end->ints - (double)start->ints;
    br_int128 total = ints + sum->ints;
    sum->ints = (int64_t)total;
    // SQLite adds the rows of growing frames one by one.
    sum->overflows |= total != sum->ints || !fits || (is_running && end->overflows);
    sum->reals += real_difference(work->slide, start, end);
    sum->count += end->count - start->count;
    sum->real_count += end->real_count - start->real_count;
    for (uint32_t i = 0; i < 2; i++) sum->infinite[i] += end->infinite[i] - start->infinite[i];
}

static br_status sum_frame(const br_window_work *work, uint32_t i, frame_sum *sum, br_error *err)
{
    const br_window_frames *frames = work->frames;
    br_window_slide *slide = work->slide;
    bool is_running = frames->piece_count == 1 &&
                      work->job->call->frame.start == BR_FRAME_UNBOUNDED_PRECEDING;
    *sum = (frame_sum){0};
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        BR_TRY(advance(work, &slide->starts[p], frames->starts[p][i], err));
        BR_TRY(advance(work, &slide->ends[p], frames->ends[p][i], err));
        add_piece(work, p, is_running, sum);
    }
    if (frames->piece_count == 1) sum->real_count = slide->ends[0].real_count;
    if (sum->infinite[0] > 0) sum->reals += INFINITY;
    if (sum->infinite[1] > 0) sum->reals -= INFINITY;  // of both: not a number
    return BR_OK;
}

static br_status put_value(const frame_sum *sum, br_value *out, br_error *err)
{
    *out = br_value_null();
    if (sum->count == 0) return BR_OK;
    if (sum->real_count == 0 && sum->overflows)
        return br_fail(err, BR_RUNTIME, "integer overflow");
    if (sum->real_count == 0) *out = br_value_int(sum->ints);
    else if (sum->reals == sum->reals) *out = br_value_real(sum->reals);
    return BR_OK;
}

static br_status put_sum(const br_window_work *work, uint32_t item, const frame_sum *sum,
                         br_error *err)
{
    const br_window_job *job = work->job;
    const br_window_result *result = &job->result;
    br_aggregate_kind kind = job->call->aggregate.kind;
    bool is_valid = kind == BR_AGG_TOTAL || sum->count > 0;
    if (result->kind == BR_WINDOW_VALUES) return put_value(sum, &result->values[item], err);
    if (kind <= BR_AGG_COUNT) {
        result->ints[item] = sum->count;
        return BR_OK;
    }
    if (result->kind == BR_WINDOW_INTS) {
        if (sum->overflows) return br_fail(err, BR_RUNTIME, "integer overflow");
        result->ints[item] = sum->ints;
    } else {
        double value = job->args[0].class_ == BR_INT ? sum->ints_as_real : sum->reals;
        if (kind == BR_AGG_AVG) value /= sum->count > 0 ? sum->count : 1;
        result->reals[item] = value;
        is_valid &= value == value;
    }
    result->is_valid[item] = is_valid;
    return BR_OK;
}

// Begins anew with numbers that fit, when the sums so far do not.
static bool must_scale(br_window_slide *slide, uint32_t first)
{
    bool fit = true;
    for (uint32_t p = 0; p < BR_WINDOW_PIECES_MAX; p++)
        fit = fit && isfinite(slide->starts[p].high) && isfinite(slide->starts[p].low) &&
              isfinite(slide->ends[p].high) && isfinite(slide->ends[p].low);
    if (fit || slide->scale < 1) return false;
    slide->scale = 0x1p-64;  // room for 2^32 rows and more
    for (uint32_t p = 0; p < BR_WINDOW_PIECES_MAX; p++)
        slide->starts[p] = slide->ends[p] = (running_sum){.row = first};
    return true;
}

static br_status slide_sums(const br_window_work *work, uint32_t at, br_error *err)
{
    for (uint32_t i = 0; i < work->frames->count; i++) {
        frame_sum sum;
        BR_TRY(sum_frame(work, i, &sum, err));
        if (must_scale(work->slide, work->first)) BR_TRY(sum_frame(work, i, &sum, err));
        BR_TRY(put_sum(work, at + i, &sum, err));
    }
    return BR_OK;
}

// ---- min and max -----------------------------------------------------------------------------

static bool is_better(const br_window_work *work, uint32_t row, uint32_t than)
{
    const br_aggregate *aggregate = &work->job->call->aggregate;
    br_arena_mark mark = br_arena_get_mark(work->scratch);
    br_value left = br_window_argument(work->job, 0, row, work->scratch);
    br_value right = br_window_argument(work->job, 0, than, work->scratch);
    int order = br_value_compare(&left, &right, aggregate->collation);
    br_arena_rewind(work->scratch, mark);
    return aggregate->kind == BR_AGG_MAX ? order > 0 : order < 0;
}

static br_status enqueue(const br_window_work *work, best_queue *queue, uint32_t row,
                         br_error *err)
{
    if (queue->tail == queue->capacity) {
        uint32_t count = queue->tail - queue->head;
        uint32_t capacity = 2 * count < QUEUE_ROWS_MIN ? QUEUE_ROWS_MIN : 2 * count;
        uint32_t *rows = queue->rows;
        if (capacity > queue->capacity) rows = BR_ALLOC(work->slide->arena, uint32_t, capacity);
        else capacity = queue->capacity;
        if (rows == NULL) return br_window_no_memory(work, err);
        if (count > 0) memmove(rows, queue->rows + queue->head, count * sizeof *rows);
        *queue = (best_queue){.rows = rows, .tail = count, .capacity = capacity,
                              .next = queue->next};
    }
    queue->rows[queue->tail++] = row;
    return BR_OK;
}

static br_status slide_queue(const br_window_work *work, uint32_t p, uint32_t i, uint32_t *best,
                             br_error *err)
{
    best_queue *queue = &work->slide->queues[p];
    uint32_t start = work->frames->starts[p][i], end = work->frames->ends[p][i];
    bool is_fixed = p == 0 && work->job->call->frame.start == BR_FRAME_UNBOUNDED_PRECEDING;
    for (; queue->next < end; queue->next++) {
        uint32_t row = queue->next;
        if (row % BR_BATCH_ROWS == 0) BR_TRY(br_run_poll(work->job->rows->run, err));
        if (!is_included(work, row)) continue;
        while (queue->tail > queue->head && is_better(work, row, queue->rows[queue->tail - 1]))
            queue->tail--;
        // What starts with the partition loses no row: only the best counts.
        if (!is_fixed || queue->tail == queue->head) BR_TRY(enqueue(work, queue, row, err));
    }
    while (queue->head < queue->tail && queue->rows[queue->head] < start) queue->head++;
    uint32_t found = queue->head == queue->tail ? BR_ROW_NONE : queue->rows[queue->head];
    if (*best == BR_ROW_NONE) *best = found;
    else if (found != BR_ROW_NONE && is_better(work, found, *best)) *best = found;
    return BR_OK;
}

static br_status slide_bests(const br_window_work *work, uint32_t at, br_error *err)
{
    for (uint32_t i = 0; i < work->frames->count; i++) {
        uint32_t *best = &work->job->result.picks[at + i];
        *best = BR_ROW_NONE;
        for (uint32_t p = 0; p < work->frames->piece_count; p++)
            BR_TRY(slide_queue(work, p, i, best, err));
    }
    return BR_OK;
}

// ---- group_concat and JSON --------------------------------------------------------------------

// Moves the text to where there is room for more; what was put out stays where it is.
static br_status make_room(const br_window_work *work, size_t added, br_error *err)
{
    joined_text *joined = &work->slide->joined;
    size_t capacity = 2 * (joined->size + added) + 64;
    char *bytes = br_arena_alloc(work->keep, capacity, 1);
    if (bytes == NULL) return br_window_no_memory(work, err);
    if (joined->size > 0) memcpy(bytes, joined->bytes, joined->size);
    joined->bytes = bytes;
    joined->capacity = capacity;
    return BR_OK;
}

static br_status append(const br_window_work *work, br_text text, br_error *err)
{
    joined_text *joined = &work->slide->joined;
    size_t wanted = joined->size + text.size;
    if (wanted > TEXT_BYTES_MAX) return br_fail(err, BR_RUNTIME, "string or blob too big");
    if (wanted > joined->capacity) BR_TRY(make_room(work, text.size, err));
    if (text.size > 0) memcpy(joined->bytes + joined->size, text.data, text.size);
    joined->size = wanted;
    return BR_OK;
}

static br_status append_json(const br_window_work *work, uint32_t row, br_error *err)
{
    br_buffer json = {0};
    bool is_blob;
    br_status status = br_window_put_json(work, row, &json, &is_blob, err);
    if (status == BR_OK && is_blob)
        status = br_fail(err, BR_RUNTIME, "JSON cannot hold BLOB values");
    if (status == BR_OK)
        status = append(work, br_text_make(json.bytes, (uint32_t)json.size_bytes), err);
    br_buffer_release(&json);
    return status;
}

static br_status append_row(const br_window_work *work, uint32_t row, br_error *err)
{
    const br_window_job *job = work->job;
    const br_exec_bridge *bridge = &job->rows->run->env->bridge;
    br_arena_mark mark = br_arena_get_mark(work->scratch);
    br_text separator = br_text_make(",", 1);
    if (work->slide->joined.count++ > 0) {
        if (job->arg_count > 1 && !br_window_is_json(job->call)) {
            br_value value = br_window_argument(job, 1, row, work->scratch);
            separator = br_value_to_text(&value, bridge, work->scratch);
        }
        BR_TRY(append(work, separator, err));
    }
    if (br_window_is_json(job->call)) {
        BR_TRY(append_json(work, row, err));
    } else {
        br_value value = br_window_argument(job, 0, row, work->scratch);
        BR_TRY(append(work, br_value_to_text(&value, bridge, work->scratch), err));
    }
    br_arena_rewind(work->scratch, mark);
    return BR_OK;
}

static br_status append_rows(const br_window_work *work, uint32_t first, uint32_t end,
                             br_error *err)
{
    for (uint32_t row = first; row < end; row++) {
        if (row % BR_BATCH_ROWS == 0) BR_TRY(br_run_poll(work->job->rows->run, err));
        if (is_included(work, row)) BR_TRY(append_row(work, row, err));
    }
    return BR_OK;
}

// A frame that only grew at its end keeps its text; another is put together anew.
static br_status join_frame(const br_window_work *work, uint32_t i, br_error *err)
{
    const br_window_frames *frames = work->frames;
    joined_text *joined = &work->slide->joined;
    uint32_t last = frames->piece_count - 1;
    bool grows = joined->has_text && joined->ends[last] <= frames->ends[last][i];
    for (uint32_t p = 0; grows && p <= last; p++)
        grows = joined->starts[p] == frames->starts[p][i] &&
                (p == last || joined->ends[p] == frames->ends[p][i]);
    if (grows) {
        BR_TRY(append_rows(work, joined->ends[last], frames->ends[last][i], err));
        joined->ends[last] = frames->ends[last][i];
        return BR_OK;
    }
    *joined = (joined_text){.has_text = true};
    for (uint32_t p = 0; p <= last; p++) {
        joined->starts[p] = frames->starts[p][i];
        joined->ends[p] = frames->ends[p][i];
        BR_TRY(append_rows(work, joined->starts[p], joined->ends[p], err));
    }
    return BR_OK;
}

// The joined values in brackets.
static br_status put_brackets(const br_window_work *work, br_text *out, br_error *err)
{
    const joined_text *joined = &work->slide->joined;
    const char *brackets = br_window_brackets(work->job->call);
    char *bytes = br_arena_alloc(work->keep, joined->size + 2, 1);
    if (bytes == NULL) return br_window_no_memory(work, err);
    bytes[0] = brackets[0];
    if (joined->size > 0) memcpy(bytes + 1, joined->bytes, joined->size);
    bytes[joined->size + 1] = brackets[1];
    *out = br_text_make(bytes, (uint32_t)joined->size + 2);
    return BR_OK;
}

static br_status slide_json(const br_window_work *work, uint32_t at, br_error *err)
{
    const br_window_result *result = &work->job->result;
    if (work->slide->joined.has_text) BR_TRY(make_room(work, 0, err));
    for (uint32_t i = 0; i < work->frames->count; i++) {
        BR_TRY(join_frame(work, i, err));
        BR_TRY(put_brackets(work, &result->texts[at + i], err));
        result->is_valid[at + i] = true;
    }
    return BR_OK;
}

static br_status slide_texts(const br_window_work *work, uint32_t at, br_error *err)
{
    const br_window_result *result = &work->job->result;
    joined_text *joined = &work->slide->joined;
    if (joined->has_text) BR_TRY(make_room(work, 0, err));  // from the memory of another block
    for (uint32_t i = 0; i < work->frames->count; i++) {
        BR_TRY(join_frame(work, i, err));
        result->texts[at + i] =
            br_text_make(joined->size > 0 ? joined->bytes : "", (uint32_t)joined->size);
        // SQLite gives NULL for no bytes, except when it looks at each frame anew.
        result->is_valid[at + i] =
            work->frames->piece_count == 1 ? joined->size > 0 : joined->count > 0;
    }
    return BR_OK;
}

// ---- blocks ----------------------------------------------------------------------------------

br_status br_window_slide_new(br_window_work *work, br_arena *arena, br_error *err)
{
    br_window_slide *slide = BR_ALLOC(arena, br_window_slide, 1);
    if (slide == NULL) return br_window_no_memory(work, err);
    slide->arena = arena;
    slide->scale = 1;
    for (uint32_t p = 0; p < BR_WINDOW_PIECES_MAX; p++) {
        slide->starts[p].row = slide->ends[p].row = work->first;
        slide->queues[p].next = work->first;
    }
    work->slide = slide;
    return br_window_frames_new(work, arena, &work->frames, err);
}

static br_status slide_aggregate(br_window_work *work, br_error *err)
{
    uint32_t at = work->block - work->job->result.base;
    BR_TRY(br_window_frames_next(work->frames, err));
    switch (work->job->call->aggregate.kind) {
    case BR_AGG_MIN:
    case BR_AGG_MAX: return slide_bests(work, at, err);
    case BR_AGG_GROUP_CONCAT: return slide_texts(work, at, err);
    case BR_AGG_JSON_ARRAY:
    case BR_AGG_JSON_OBJECT: return slide_json(work, at, err);
    default: return slide_sums(work, at, err);
    }
}

br_status br_window_slide_block(br_window_work *work, br_error *err)
{
    bool is_aggregate = work->job->call->function == BR_WINDOW_AGGREGATE;
    BR_TRY(is_aggregate ? slide_aggregate(work, err) : br_window_evaluate(work, err));
    BR_TRY(br_window_pages_status(work->job->pages, err));
    return br_arena_failed(work->scratch) ? br_window_no_memory(work, err) : BR_OK;
}
