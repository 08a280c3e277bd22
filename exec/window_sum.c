// window_sum.c - count, sum, total and avg over frames: differences of running sums.
//
// Running sums of integers are exact. Those of reals carry the rounding error along as a second
// double (Knuth's two-sum), so that a difference is as good as a sum of its own would be; infinite
// values are counted, not added.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "exec/aggregate_best.h"
#include "exec/window.h"

// Element k of a running sum is that of the first k rows of the partition.
typedef struct running_sums {
    const br_window_work *work;
    uint32_t row_count;
    uint32_t *counts;       // NULL: every row counts
    int64_t *ints;          // NULL: not needed, or they do not fit
    br_int128 *wide_ints;   // then
    uint32_t overflow_at;   // the first that does not fit
    double *high, *low;     // NULL: not needed
    double scale;           // of them: less than 1 when they would not fit
    uint32_t *reals;        // numbers that are not integers; NULL: none are, or all
    uint32_t *infinite[2];  // positive and negative ones; NULL: there are none
} running_sums;

static bool is_sum(const br_window_job *job) { return job->call->aggregate.kind == BR_AGG_SUM; }

// ---- making them -----------------------------------------------------------------------------

static br_status new_array(const running_sums *self, size_t item_bytes, void *array_out,
                           br_error *err)
{
    size_t size_bytes = ((size_t)self->row_count + 1) * item_bytes;
    void *array = br_arena_alloc(self->work->scratch, size_bytes, 16);
    if (array == NULL) return br_window_no_memory(self->work, err);
    *(void **)array_out = array;
    return BR_OK;
}

static br_status run_counts(running_sums *self, br_error *err)
{
    const uint64_t *included = self->work->job->included;
    uint32_t count = 0, first = self->work->first;
    if (included == NULL) return BR_OK;
    BR_TRY(new_array(self, sizeof *self->counts, &self->counts, err));
    for (uint32_t k = 0; k < self->row_count; k++) {
        self->counts[k] = count;
        count += br_bitmap_get(included, first + k);
    }
    self->counts[self->row_count] = count;
    return BR_OK;
}

static br_status run_wide_ints(running_sums *self, const int64_t *values, br_error *err)
{
    br_int128 sum = 0;
    BR_TRY(new_array(self, sizeof *self->wide_ints, &self->wide_ints, err));
    self->ints = NULL;
    self->overflow_at = UINT32_MAX;
    for (uint32_t k = 0; k <= self->row_count; k++) {
        self->wide_ints[k] = sum;
        if (self->overflow_at == UINT32_MAX && sum != (int64_t)sum) self->overflow_at = k;
        if (k < self->row_count && br_window_is_included(self->work->job, self->work->first + k))
            sum += values[k];
    }
    return BR_OK;
}

static br_status run_ints(running_sums *self, const int64_t *values, br_error *err)
{
    const uint64_t *included = self->work->job->included;
    bool overflows = false;
    int64_t sum = 0;
    BR_TRY(new_array(self, sizeof *self->ints, &self->ints, err));
    for (uint32_t k = 0; k < self->row_count; k++) {
        self->ints[k] = sum;
        bool is_included = included == NULL || br_bitmap_get(included, self->work->first + k);
        overflows |= __builtin_add_overflow(sum, is_included ? values[k] : 0, &sum);
    }
    self->ints[self->row_count] = sum;
    return overflows ? run_wide_ints(self, values, err) : BR_OK;
}

static br_status count_infinite(running_sums *self, const double *values, br_error *err)
{
    uint32_t counts[2] = {0, 0};
    for (uint32_t i = 0; i < 2; i++)
        BR_TRY(new_array(self, sizeof(uint32_t), &self->infinite[i], err));
    for (uint32_t k = 0; k <= self->row_count; k++) {
        for (uint32_t i = 0; i < 2; i++) self->infinite[i][k] = counts[i];
        if (k < self->row_count && br_window_is_included(self->work->job, self->work->first + k) &&
            isinf(values[k]))
            counts[values[k] < 0]++;
    }
    return BR_OK;
}

// False when a running sum did not fit. Sets *infinite_out when there are infinite values.
static bool add_reals(running_sums *self, const double *values, bool *infinite_out)
{
    const uint64_t *included = self->work->job->included;
    double high = 0, low = 0;
    *infinite_out = false;
    for (uint32_t k = 0; k < self->row_count; k++) {
        self->high[k] = high;
        self->low[k] = low;
        double value = values[k] * self->scale;
        if (included != NULL && !br_bitmap_get(included, self->work->first + k)) continue;
        if (isinf(value)) {
            *infinite_out = true;
            continue;
        }
        double sum = high + value, part = sum - high;
        low += (high - (sum - part)) + (value - part);
        high = sum + low;
        low -= high - sum;
    }
    self->high[self->row_count] = high;
    self->low[self->row_count] = low;
    return isfinite(high) && isfinite(low);
}

static br_status run_reals(running_sums *self, const double *values, br_error *err)
{
    bool has_infinite;
    BR_TRY(new_array(self, sizeof *self->high, &self->high, err));
    BR_TRY(new_array(self, sizeof *self->low, &self->low, err));
    self->scale = 1;
    if (!add_reals(self, values, &has_infinite)) {
        self->scale = 0x1p-64;  // room for 2^32 rows and more
        (void)add_reals(self, values, &has_infinite);
    }
    return has_infinite ? count_infinite(self, values, err) : BR_OK;
}

static br_status run_ints_as_reals(running_sums *self, const int64_t *ints, br_error *err)
{
    double *values;
    BR_TRY(new_array(self, sizeof *values, &values, err));
    for (uint32_t k = 0; k < self->row_count; k++) values[k] = (double)ints[k];
    return run_reals(self, values, err);
}

// Values of any class, or texts, as the numbers that SQLite takes them for.
static br_status run_values(running_sums *self, br_error *err)
{
    const br_window_work *work = self->work;
    const br_window_job *job = work->job;
    int64_t *ints;
    double *values;
    uint32_t real_count = 0;
    BR_TRY(new_array(self, sizeof *ints, &ints, err));
    BR_TRY(new_array(self, sizeof *values, &values, err));
    BR_TRY(new_array(self, sizeof *self->reals, &self->reals, err));
    br_arena_mark mark = br_arena_get_mark(work->scratch);
    for (uint32_t k = 0; k < self->row_count; k++) {
        self->reals[k] = real_count;
        ints[k] = 0;
        values[k] = 0;
        if (!br_window_is_included(job, work->first + k)) continue;
        br_value number = br_window_argument(job, 0, work->first + k, work->scratch);
        number = br_sum_number(job->rows->run, number, work->scratch);
        br_arena_rewind(work->scratch, mark);
        real_count += number.class_ == BR_REAL;
        if (number.class_ == BR_REAL) values[k] = number.f64;
        else values[k] = (double)(ints[k] = number.i64);
    }
    self->reals[self->row_count] = real_count;
    if (br_arena_failed(work->scratch)) return br_window_no_memory(work, err);
    if (is_sum(job)) BR_TRY(run_ints(self, ints, err));
    return run_reals(self, values, err);
}

static br_status run_sums(running_sums *self, br_error *err)
{
    const br_window_job *job = self->work->job;
    const br_vector *argument = &job->args[0];
    BR_TRY(run_counts(self, err));
    if (job->call->aggregate.kind <= BR_AGG_COUNT || argument->class_ == BR_NULL) return BR_OK;
    if (argument->class_ == BR_REAL) return run_reals(self, argument->f64 + self->work->first, err);
    if (argument->class_ != BR_INT) return run_values(self, err);
    const int64_t *values = argument->i64 + self->work->first;
    BR_TRY(run_ints(self, values, err));
    // A mean or total needs no exact integers where they do not fit.
    return self->ints == NULL && !is_sum(job) ? run_ints_as_reals(self, values, err) : BR_OK;
}

// ---- differences -----------------------------------------------------------------------------

// Of counts `running`, or of rows when it is NULL.
static void count_differences(const running_sums *self, const br_window_frames *frames,
                              const uint32_t *running, uint32_t *out)
{
    uint32_t first = self->work->first;
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        const uint32_t *starts = frames->starts[p], *ends = frames->ends[p];
        for (uint32_t i = 0; i < frames->count; i++) {
            uint32_t count = ends[i] - starts[i];
            if (running != NULL) count = running[ends[i] - first] - running[starts[i] - first];
            out[i] = p == 0 ? count : out[i] + count;
        }
    }
}

static bool wide_differences(const running_sums *self, const br_window_frames *frames, uint32_t p,
                             int64_t *out, uint8_t *overflows)
{
    uint32_t first = self->work->first, any = 0;
    bool is_running = frames->piece_count == 1 &&
                      self->work->job->call->frame.start == BR_FRAME_UNBOUNDED_PRECEDING;
    for (uint32_t i = 0; i < frames->count; i++) {
        uint32_t start = frames->starts[p][i] - first, end = frames->ends[p][i] - first;
        br_int128 sum = self->wide_ints[end] - self->wide_ints[start];
        if (p > 0) sum += out[i];
        out[i] = (int64_t)sum;
        // SQLite adds the rows of growing frames one by one.
        overflows[i] |= sum != out[i] || (is_running && end >= self->overflow_at);
        any |= overflows[i];
    }
    return any;
}

// Sets overflows[i] of sums that do not fit; true when there is one.
static bool int_differences(const running_sums *self, const br_window_frames *frames, int64_t *out,
                            uint8_t *overflows)
{
    uint32_t first = self->work->first;
    bool any = false;
    memset(overflows, 0, frames->count);
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        if (self->ints == NULL) {
            any |= wide_differences(self, frames, p, out, overflows);
            continue;
        }
        for (uint32_t i = 0; i < frames->count; i++) {
            int64_t start = self->ints[frames->starts[p][i] - first], sum;
            bool flag = __builtin_sub_overflow(self->ints[frames->ends[p][i] - first], start, &sum);
            flag |= __builtin_add_overflow(sum, p == 0 ? 0 : out[i], &out[i]);
            overflows[i] |= flag;
            any |= flag;
        }
    }
    return any;
}

// Integers that fit one by one, as doubles.
static void int_differences_as_reals(const running_sums *self, const br_window_frames *frames,
                                     double *out)
{
    uint32_t first = self->work->first;
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        for (uint32_t i = 0; i < frames->count; i++) {
            int64_t start = self->ints[frames->starts[p][i] - first], sum;
            int64_t end = self->ints[frames->ends[p][i] - first];
            bool overflows = __builtin_sub_overflow(end, start, &sum);
            double piece = overflows ? (double)end - (double)start : (double)sum;
            out[i] = p == 0 ? piece : out[i] + piece;
        }
    }
}

static void add_infinite(const running_sums *self, const br_window_frames *frames, double *out)
{
    uint32_t counts[2][BR_BATCH_ROWS];
    for (uint32_t i = 0; i < 2; i++)
        count_differences(self, frames, self->infinite[i], counts[i]);
    for (uint32_t i = 0; i < frames->count; i++) {
        if (counts[0][i] > 0) out[i] += INFINITY;
        if (counts[1][i] > 0) out[i] -= INFINITY;  // of both: not a number
    }
}

static void real_differences(const running_sums *self, const br_window_frames *frames, double *out)
{
    uint32_t first = self->work->first;
    for (uint32_t p = 0; p < frames->piece_count; p++) {
        for (uint32_t i = 0; i < frames->count; i++) {
            uint32_t start = frames->starts[p][i] - first, end = frames->ends[p][i] - first;
            double to = self->high[end], from = -self->high[start];
            double sum = to + from, part = sum - to;
            double rest = (to - (sum - part)) + (from - part);
            sum = (sum + (rest + (self->low[end] - self->low[start]))) / self->scale;
            out[i] = p == 0 ? sum : out[i] + sum;
        }
    }
    if (self->infinite[0] != NULL) add_infinite(self, frames, out);
}

// ---- results ---------------------------------------------------------------------------------

static void put_counts(const br_window_result *result, uint32_t first, const uint32_t *counts,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) result->ints[first + i] = counts[i];
}

static br_status put_ints(const running_sums *self, const br_window_frames *frames, br_error *err)
{
    uint8_t overflows[BR_BATCH_ROWS];
    if (int_differences(self, frames, self->work->job->result.ints + frames->first, overflows))
        return br_fail(err, BR_RUNTIME, "integer overflow");
    return BR_OK;
}

// SUM of reals, TOTAL and AVG.
static void put_reals(const running_sums *self, const br_window_frames *frames,
                      const uint32_t *counts)
{
    const br_window_job *job = self->work->job;
    double *out = job->result.reals + frames->first;
    if (self->high != NULL) real_differences(self, frames, out);
    else int_differences_as_reals(self, frames, out);
    for (uint32_t i = 0; job->call->aggregate.kind == BR_AGG_AVG && i < frames->count; i++)
        out[i] /= counts[i] > 0 ? counts[i] : 1;
}

// A sum is REAL once SQLite has met something in the partition that is not an integer, even if that
// has left the frame again; with EXCLUDE it looks at each frame anew.
static br_status put_values(const running_sums *self, const br_window_frames *frames,
                            const uint32_t *counts, br_error *err)
{
    const br_window_work *work = self->work;
    uint32_t real_counts[BR_BATCH_ROWS];
    double reals[BR_BATCH_ROWS];
    int64_t ints[BR_BATCH_ROWS];
    uint8_t overflows[BR_BATCH_ROWS];
    count_differences(self, frames, self->reals, real_counts);
    real_differences(self, frames, reals);
    (void)int_differences(self, frames, ints, overflows);
    for (uint32_t i = 0; i < frames->count; i++) {
        if (frames->piece_count == 1)
            real_counts[i] = self->reals[frames->ends[0][i] - work->first];
        br_value *out = &work->job->result.values[frames->first + i];
        *out = br_value_null();
        if (counts[i] == 0) continue;
        if (real_counts[i] == 0 && overflows[i])
            return br_fail(err, BR_RUNTIME, "integer overflow");
        if (real_counts[i] == 0) *out = br_value_int(ints[i]);
        else if (reals[i] == reals[i]) *out = br_value_real(reals[i]);
    }
    return BR_OK;
}

static void put_validity(const br_window_job *job, const br_window_frames *frames,
                         const uint32_t *counts)
{
    const br_window_result *result = &job->result;
    if (result->is_valid == NULL) return;
    bool is_total = job->call->aggregate.kind == BR_AGG_TOTAL;
    for (uint32_t i = 0; i < frames->count; i++) {
        bool is_valid = is_total || counts[i] > 0;
        if (result->kind == BR_WINDOW_REALS) {
            double value = result->reals[frames->first + i];
            is_valid &= value == value;
        }
        result->is_valid[frames->first + i] = is_valid;
    }
}

// The argument is NULL everywhere.
static void put_nothing(const br_window_job *job, const br_window_frames *frames)
{
    bool is_total = job->call->aggregate.kind == BR_AGG_TOTAL;
    for (uint32_t i = 0; i < frames->count; i++) {
        job->result.reals[frames->first + i] = 0;
        job->result.is_valid[frames->first + i] = is_total;
    }
}

static br_status put_results(const running_sums *self, const br_window_frames *frames,
                             br_error *err)
{
    const br_window_job *job = self->work->job;
    uint32_t counts[BR_BATCH_ROWS];
    if (job->call->aggregate.kind > BR_AGG_COUNT && job->args[0].class_ == BR_NULL) {
        put_nothing(job, frames);
        return BR_OK;
    }
    count_differences(self, frames, self->counts, counts);
    if (job->call->aggregate.kind <= BR_AGG_COUNT) {
        put_counts(&job->result, frames->first, counts, frames->count);
        return BR_OK;
    }
    if (job->result.kind == BR_WINDOW_VALUES) return put_values(self, frames, counts, err);
    if (job->result.kind == BR_WINDOW_INTS) BR_TRY(put_ints(self, frames, err));
    else put_reals(self, frames, counts);
    put_validity(job, frames, counts);
    return BR_OK;
}

br_status br_window_sum(br_window_work *work, br_error *err)
{
    running_sums self = {.work = work, .row_count = work->end - work->first};
    br_window_frames *frames;
    BR_TRY(run_sums(&self, err));
    BR_TRY(br_window_frames_new(work, work->scratch, &frames, err));
    for (;;) {
        BR_TRY(br_window_frames_next(frames, err));
        if (frames->count == 0) return BR_OK;
        BR_TRY(put_results(&self, frames, err));
    }
}
