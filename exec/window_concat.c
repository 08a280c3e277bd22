// window_concat.c - group_concat over frames.
//
// The texts of a partition are written once, one behind the other with their separators; what a
// frame without holes gives is a part of that. Only frames with holes have bytes of their own.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "exec/evaluate.h"
#include "exec/window.h"

enum { TEXT_BYTES_MAX = 1000000000 };  // SQLite's SQLITE_MAX_LENGTH

// Element k is about the first k rows of the partition.
typedef struct joined_text {
    const br_window_work *work;
    uint32_t row_count;
    char *bytes;
    size_t size, capacity;
    uint32_t *counts;    // texts so far
    size_t *ends;        // of the last text so far
    size_t *separators;  // where the separator of the first text from row k on begins,
    size_t *starts;      // and where that text does
} joined_text;

static br_status join_init(joined_text *self, br_error *err)
{
    size_t count = (size_t)self->row_count + 1;
    self->counts = BR_ALLOC(self->work->scratch, uint32_t, count);
    self->ends = BR_ALLOC(self->work->scratch, size_t, count);
    self->separators = BR_ALLOC(self->work->scratch, size_t, count);
    self->starts = BR_ALLOC(self->work->scratch, size_t, count);
    bool is_made = self->counts != NULL && self->ends != NULL && self->separators != NULL &&
                   self->starts != NULL;
    return is_made ? BR_OK : br_window_no_memory(self->work, err);
}

static br_status append(joined_text *self, br_text text, br_error *err)
{
    if (self->capacity - self->size < text.size) {
        size_t capacity = 2 * self->capacity + text.size + 64;
        char *bytes = br_arena_alloc(self->work->keep, capacity, 1);
        if (bytes == NULL) return br_window_no_memory(self->work, err);
        if (self->size > 0) memcpy(bytes, self->bytes, self->size);
        self->bytes = bytes;
        self->capacity = capacity;
    }
    if (text.size > 0) memcpy(self->bytes + self->size, text.data, text.size);
    self->size += text.size;
    return BR_OK;
}

static br_status append_row(joined_text *self, uint32_t row, br_error *err)
{
    const br_window_job *job = self->work->job;
    const br_exec_bridge *bridge = &job->rows->run->env->bridge;
    br_arena *scratch = self->work->scratch;
    br_arena_mark mark = br_arena_get_mark(scratch);
    br_text separator = br_text_make(",", 1);
    uint32_t k = row - self->work->first;
    if (job->arg_count > 1) {
        br_value value = br_window_argument(job, 1, row, scratch);
        separator = br_value_to_text(&value, bridge, scratch);
    }
    self->separators[k] = self->size;
    BR_TRY(append(self, separator, err));
    self->starts[k] = self->size;
    br_value value = br_window_argument(job, 0, row, scratch);
    BR_TRY(append(self, br_value_to_text(&value, bridge, scratch), err));
    br_arena_rewind(scratch, mark);
    return BR_OK;
}

// Writes the texts, then lets rows without one point to the next that has.
static br_status join_rows(joined_text *self, br_error *err)
{
    const br_window_work *work = self->work;
    uint32_t count = self->row_count;
    for (uint32_t k = 0; k < count; k++) {
        bool is_included = br_window_is_included(work->job, work->first + k);
        if (is_included) BR_TRY(append_row(self, work->first + k, err));
        self->counts[k + 1] = self->counts[k] + is_included;
        self->ends[k + 1] = self->size;
    }
    self->separators[count] = self->starts[count] = self->size;
    for (uint32_t k = count; k-- > 0;) {
        if (self->counts[k + 1] != self->counts[k]) continue;
        self->separators[k] = self->separators[k + 1];
        self->starts[k] = self->starts[k + 1];
    }
    return br_arena_failed(work->scratch) ? br_window_no_memory(work, err) : BR_OK;
}

// The parts of a frame with holes, put together.
static br_status join_pieces(const joined_text *self, const br_window_frames *frames, uint32_t i,
                             br_text *out, br_error *err)
{
    uint32_t first = self->work->first, texts = 0;
    size_t from[BR_WINDOW_PIECES_MAX], sizes[BR_WINDOW_PIECES_MAX], size = 0;
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        uint32_t start = frames->starts[p][i] - first, end = frames->ends[p][i] - first;
        uint32_t count = self->counts[end] - self->counts[start];
        from[p] = texts == 0 ? self->starts[start] : self->separators[start];
        sizes[p] = count == 0 ? 0 : self->ends[end] - from[p];
        size += sizes[p];
        texts += count;
    }
    *out = br_text_make("", 0);
    self->work->job->result.is_valid[frames->first + i] = texts > 0;
    if (size == 0) return BR_OK;
    if (size > TEXT_BYTES_MAX) return br_fail(err, BR_RUNTIME, "string or blob too big");
    char *bytes = br_arena_alloc(self->work->keep, size, 1);
    if (bytes == NULL) return br_window_no_memory(self->work, err);
    size_t at = 0;
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        if (sizes[p] > 0) memcpy(bytes + at, self->bytes + from[p], sizes[p]);
        at += sizes[p];
    }
    *out = br_text_make(bytes, (uint32_t)size);
    return BR_OK;
}

static br_status take_part(const joined_text *self, const br_window_frames *frames, uint32_t i,
                           br_text *out, br_error *err)
{
    uint32_t start = frames->starts[0][i] - self->work->first;
    uint32_t end = frames->ends[0][i] - self->work->first;
    bool is_valid = self->counts[end] > self->counts[start];
    size_t size = is_valid ? self->ends[end] - self->starts[start] : 0;
    if (size > TEXT_BYTES_MAX) return br_fail(err, BR_RUNTIME, "string or blob too big");
    // SQLite gives NULL for no bytes, except when it looks at each frame anew.
    self->work->job->result.is_valid[frames->first + i] = size > 0;
    *out = size > 0 ? br_text_make(self->bytes + self->starts[start], (uint32_t)size)
                    : br_text_make("", 0);
    return BR_OK;
}

br_status br_window_concat(br_window_work *work, br_error *err)
{
    joined_text self = {.work = work, .row_count = work->end - work->first};
    br_window_frames *frames;
    BR_TRY(join_init(&self, err));
    BR_TRY(join_rows(&self, err));
    BR_TRY(br_window_frames_new(work, work->scratch, &frames, err));
    for (;;) {
        BR_TRY(br_window_frames_next(frames, err));
        if (frames->count == 0) return BR_OK;
        for (uint32_t i = 0; i < frames->count; i++) {
            br_text *out = &work->job->result.texts[frames->first + i];
            if (frames->piece_count == 1) BR_TRY(take_part(&self, frames, i, out, err));
            else BR_TRY(join_pieces(&self, frames, i, out, err));
        }
    }
}
