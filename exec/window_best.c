// window_best.c - min and max over frames: monotonic queues.
//
// A queue holds those rows of a piece that are better than all behind them; its head is the best.
// Each row of the partition is put in and taken out at most once per piece.
// SPDX-License-Identifier: Apache-2.0
#include "exec/window.h"

typedef struct best_queue {
    uint32_t *rows;  // head..tail-1; room for all rows of the partition
    uint32_t head, tail;
    uint32_t next;   // the next row to put in
} best_queue;

typedef struct best {
    const br_window_work *work;
    const br_vector *argument;
    bool is_max;
    br_collation collation;
    best_queue queues[BR_WINDOW_PIECES_MAX];
} best;

typedef bool (*better_function)(const best *self, uint32_t row, uint32_t than);

static inline bool int_is_better(const best *self, uint32_t row, uint32_t than)
{
    const int64_t *values = self->argument->i64;
    return self->is_max ? values[row] > values[than] : values[row] < values[than];
}

static inline bool real_is_better(const best *self, uint32_t row, uint32_t than)
{
    const double *values = self->argument->f64;
    return self->is_max ? values[row] > values[than] : values[row] < values[than];
}

static bool value_is_better(const best *self, uint32_t row, uint32_t than)
{
    br_arena_mark mark = br_arena_get_mark(self->work->scratch);
    br_value left = br_vector_value(self->argument, row, self->work->scratch);
    br_value right = br_vector_value(self->argument, than, self->work->scratch);
    int order = br_value_compare(&left, &right, self->collation);
    br_arena_rewind(self->work->scratch, mark);
    return self->is_max ? order > 0 : order < 0;
}

// The best rows of piece p of all frames; of equal rows the first, which is also that of a piece
// before this one.
static inline __attribute__((always_inline)) void slide(best *self, const br_window_frames *frames,
                                                        uint32_t p, better_function is_better,
                                                        uint32_t *out)
{
    best_queue *queue = &self->queues[p];
    const br_window_job *job = self->work->job;
    for (uint32_t i = 0; i < frames->count; i++) {
        for (; queue->next < frames->ends[p][i]; queue->next++) {
            if (!br_window_is_included(job, queue->next)) continue;
            while (queue->tail > queue->head &&
                   is_better(self, queue->next, queue->rows[queue->tail - 1]))
                queue->tail--;
            queue->rows[queue->tail++] = queue->next;
        }
        while (queue->head < queue->tail && queue->rows[queue->head] < frames->starts[p][i])
            queue->head++;
        uint32_t found = queue->head == queue->tail ? BR_ROW_NONE : queue->rows[queue->head];
        if (p == 0 || out[i] == BR_ROW_NONE) out[i] = found;
        else if (found != BR_ROW_NONE && is_better(self, found, out[i])) out[i] = found;
    }
}

static void slide_piece(best *self, const br_window_frames *frames, uint32_t p, uint32_t *out)
{
    const br_vector *argument = self->argument;
    if (argument->class_ == BR_INT || br_is_time_kind(argument->kind))
        slide(self, frames, p, int_is_better, out);
    else if (argument->class_ == BR_REAL) slide(self, frames, p, real_is_better, out);
    else slide(self, frames, p, value_is_better, out);
}

br_status br_window_best(br_window_work *work, br_error *err)
{
    const br_aggregate *aggregate = &work->job->call->aggregate;
    br_window_frames *frames;
    best self = {.work = work,
                 .argument = &work->job->args[0],
                 .is_max = aggregate->kind == BR_AGG_MAX,
                 .collation = aggregate->collation};
    uint32_t *out = work->job->result.picks;
    BR_TRY(br_window_frames_new(work, work->scratch, &frames, err));
    for (;;) {
        BR_TRY(br_window_frames_next(frames, err));
        if (frames->count == 0) return BR_OK;
        for (uint32_t p = 0; p < frames->piece_count; p++) {
            best_queue *queue = &self.queues[p];
            if (queue->rows == NULL) {
                size_t size_bytes = (size_t)(work->end - work->first) * sizeof(uint32_t);
                queue->rows = br_arena_alloc(work->scratch, size_bytes, _Alignof(uint32_t));
                if (queue->rows == NULL) return br_window_no_memory(work, err);
                queue->next = work->first;
            }
            slide_piece(&self, frames, p, out + frames->first);
        }
        if (br_arena_failed(work->scratch)) return br_window_no_memory(work, err);
    }
}
