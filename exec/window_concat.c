// window_concat.c - group_concat, json_group_array and json_group_object over frames.
//
// The texts of a partition are written once, one behind the other with their separators; what a
// frame without holes gives is a part of that. Only frames with holes, and JSON with its brackets,
// have bytes of their own.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "exec/evaluate.h"
#include "exec/json_text.h"
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
    const char *brackets;  // of JSON; NULL: group_concat
    uint32_t *blobs;     // of JSON: so far, which it cannot hold
    br_buffer json;      // one value
} joined_text;

static br_status append_value(joined_text *self, uint32_t row, br_error *err);

static br_status join_init(joined_text *self, br_error *err)
{
    size_t count = (size_t)self->row_count + 1;
    self->counts = BR_ALLOC(self->work->scratch, uint32_t, count);
    self->ends = BR_ALLOC(self->work->scratch, size_t, count);
    self->separators = BR_ALLOC(self->work->scratch, size_t, count);
    self->starts = BR_ALLOC(self->work->scratch, size_t, count);
    bool is_json = self->brackets != NULL;
    self->blobs = BR_ALLOC(self->work->scratch, uint32_t, is_json ? count : 1);
    bool is_made = self->counts != NULL && self->ends != NULL && self->separators != NULL &&
                   self->starts != NULL && self->blobs != NULL;
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
    if (job->arg_count > 1 && self->brackets == NULL) {
        br_value value = br_window_argument(job, 1, row, scratch);
        separator = br_value_to_text(&value, bridge, scratch);
    }
    self->separators[k] = self->size;
    BR_TRY(append(self, separator, err));
    self->starts[k] = self->size;
    BR_TRY(append_value(self, row, err));
    br_arena_rewind(scratch, mark);
    return BR_OK;
}

br_status br_window_put_json(const br_window_work *work, uint32_t row, br_buffer *out,
                             bool *is_blob_out, br_error *err)
{
    const br_window_job *job = work->job;
    const br_exec_bridge *bridge = &job->rows->run->env->bridge;
    br_value first = br_window_argument(job, 0, row, work->scratch), value = first;
    bool is_object = job->call->aggregate.kind == BR_AGG_JSON_OBJECT;
    if (is_object) value = br_window_argument(job, 1, row, work->scratch);
    *is_blob_out = value.class_ == BR_BLOB;
    if (*is_blob_out) return BR_OK;
    bool is_built = (!is_object || br_json_put_key(out, bridge, &first)) &&
                    br_json_put(out, bridge, &value, job->call->aggregate.is_json);
    return is_built ? BR_OK : br_window_no_memory(work, err);
}

static br_status append_json(joined_text *self, uint32_t row, br_error *err)
{
    bool is_blob;
    br_buffer_clear(&self->json);
    BR_TRY(br_window_put_json(self->work, row, &self->json, &is_blob, err));
    self->blobs[row - self->work->first + 1] = is_blob;  // added up once all rows are there
    return append(self, br_text_make(self->json.bytes, (uint32_t)self->json.size_bytes), err);
}

static br_status append_value(joined_text *self, uint32_t row, br_error *err)
{
    if (self->brackets != NULL) return append_json(self, row, err);
    const br_exec_bridge *bridge = &self->work->job->rows->run->env->bridge;
    br_value value = br_window_argument(self->work->job, 0, row, self->work->scratch);
    return append(self, br_value_to_text(&value, bridge, self->work->scratch), err);
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
        if (self->brackets != NULL) self->blobs[k + 1] += self->blobs[k];
    }
    self->separators[count] = self->starts[count] = self->size;
    for (uint32_t k = count; k-- > 0;) {
        if (self->counts[k + 1] != self->counts[k]) continue;
        self->separators[k] = self->separators[k + 1];
        self->starts[k] = self->starts[k + 1];
    }
    return br_arena_failed(work->scratch) ? br_window_no_memory(work, err) : BR_OK;
}

typedef struct text_parts {  // of a frame
    size_t from[BR_WINDOW_PIECES_MAX], sizes[BR_WINDOW_PIECES_MAX], size;
    uint32_t texts, blobs;
} text_parts;

static void find_parts(const joined_text *self, const br_window_frames *frames, uint32_t i,
                       text_parts *parts)
{
    uint32_t first = self->work->first;
    *parts = (text_parts){0};
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        uint32_t start = frames->starts[p][i] - first, end = frames->ends[p][i] - first;
        uint32_t count = self->counts[end] - self->counts[start];
        parts->from[p] = parts->texts == 0 ? self->starts[start] : self->separators[start];
        parts->sizes[p] = count == 0 ? 0 : self->ends[end] - parts->from[p];
        parts->size += parts->sizes[p];
        parts->texts += count;
        if (self->brackets != NULL) parts->blobs += self->blobs[end] - self->blobs[start];
    }
}

// The parts of a frame, put together.
static br_status join_pieces(const joined_text *self, const br_window_frames *frames, uint32_t i,
                             br_text *out, br_error *err)
{
    text_parts parts;
    bool is_json = self->brackets != NULL;
    find_parts(self, frames, i, &parts);
    *out = br_text_make("", 0);
    self->work->job->result.is_valid[frames->first + i] = is_json || parts.texts > 0;
    if (parts.blobs > 0) return br_fail(err, BR_RUNTIME, "JSON cannot hold BLOB values");
    size_t size = parts.size + (is_json ? 2 : 0);
    if (size == 0) return BR_OK;
    if (size > TEXT_BYTES_MAX) return br_fail(err, BR_RUNTIME, "string or blob too big");
    char *bytes = br_arena_alloc(self->work->keep, size, 1);
    if (bytes == NULL) return br_window_no_memory(self->work, err);
    size_t at = 0;
    if (is_json) bytes[at++] = self->brackets[0];
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        if (parts.sizes[p] > 0) memcpy(bytes + at, self->bytes + parts.from[p], parts.sizes[p]);
        at += parts.sizes[p];
    }
    if (is_json) bytes[at] = self->brackets[1];
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

static br_status concat_frames(joined_text *self, br_error *err)
{
    br_window_frames *frames;
    BR_TRY(join_init(self, err));
    BR_TRY(join_rows(self, err));
    BR_TRY(br_window_frames_new(self->work, self->work->scratch, &frames, err));
    for (;;) {
        BR_TRY(br_window_frames_next(frames, err));
        if (frames->count == 0) return BR_OK;
        bool is_part = frames->piece_count == 1 && self->brackets == NULL;
        for (uint32_t i = 0; i < frames->count; i++) {
            br_text *out = &self->work->job->result.texts[frames->first + i];
            if (is_part) BR_TRY(take_part(self, frames, i, out, err));
            else BR_TRY(join_pieces(self, frames, i, out, err));
        }
    }
}

br_status br_window_concat(br_window_work *work, br_error *err)
{
    const br_window_call *call = work->job->call;
    joined_text self = {.work = work, .row_count = work->end - work->first};
    if (br_window_is_json(call)) self.brackets = br_window_brackets(call);
    br_status status = concat_frames(&self, err);
    br_buffer_release(&self.json);
    return status;
}
