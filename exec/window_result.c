// window_result.c - dispatch of calls, room for their results, and results as vectors.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "exec/evaluate.h"
#include "exec/window.h"

br_status br_window_no_memory(const br_window_work *work, br_error *err)
{
    return br_run_no_memory(work->job->rows->run, "window functions", err);
}

br_status br_window_evaluate(br_window_work *work, br_error *err)
{
    const br_window_call *call = work->job->call;
    if (call->function != BR_WINDOW_AGGREGATE)
        return call->function <= BR_WINDOW_NTILE ? br_window_rank(work, err)
                                                 : br_window_value(work, err);
    switch (call->aggregate.kind) {
    case BR_AGG_COUNT_STAR:
    case BR_AGG_COUNT:
    case BR_AGG_SUM:
    case BR_AGG_TOTAL:
    case BR_AGG_AVG: return br_window_sum(work, err);
    case BR_AGG_MIN:
    case BR_AGG_MAX: return br_window_best(work, err);
    case BR_AGG_GROUP_CONCAT:
    case BR_AGG_JSON_ARRAY:
    case BR_AGG_JSON_OBJECT: return br_window_concat(work, err);
    default: return br_fail(err, BR_INTERNAL, "aggregate %d over a window",
                            (int)call->aggregate.kind);
    }
}

// ---- room ------------------------------------------------------------------------------------

static br_window_result_kind aggregate_result(const br_window_job *job)
{
    switch (job->call->aggregate.kind) {
    case BR_AGG_COUNT_STAR:
    case BR_AGG_COUNT: return BR_WINDOW_INTS;
    case BR_AGG_MIN:
    case BR_AGG_MAX: return BR_WINDOW_PICKS;
    case BR_AGG_GROUP_CONCAT:
    case BR_AGG_JSON_ARRAY:
    case BR_AGG_JSON_OBJECT: return BR_WINDOW_TEXTS;
    case BR_AGG_SUM:
        if (job->args[0].class_ == BR_INT) return BR_WINDOW_INTS;
        return job->args[0].class_ == BR_REAL || job->args[0].class_ == BR_NULL ? BR_WINDOW_REALS
                                                                               : BR_WINDOW_VALUES;
    default: return BR_WINDOW_REALS;
    }
}

static br_window_result_kind result_kind(const br_window_job *job)
{
    switch (job->call->function) {
    case BR_WINDOW_AGGREGATE: return aggregate_result(job);
    case BR_WINDOW_PERCENT_RANK:
    case BR_WINDOW_CUME_DIST: return BR_WINDOW_REALS;
    case BR_WINDOW_ROW_NUMBER:
    case BR_WINDOW_RANK:
    case BR_WINDOW_DENSE_RANK:
    case BR_WINDOW_NTILE: return BR_WINDOW_INTS;
    default: return BR_WINDOW_PICKS;
    }
}

static uint32_t result_item_bytes(br_window_result_kind kind)
{
    switch (kind) {
    case BR_WINDOW_TEXTS: return sizeof(br_text);
    case BR_WINDOW_VALUES: return sizeof(br_value);
    case BR_WINDOW_PICKS: return sizeof(uint32_t);
    default: return sizeof(int64_t);
    }
}

br_status br_window_result_new(br_window_job *job, uint32_t base, uint32_t row_count,
                               br_arena *arena, br_error *err)
{
    br_window_result *result = &job->result;
    bool is_count = job->call->aggregate.kind <= BR_AGG_COUNT;
    bool is_nullable = job->call->function == BR_WINDOW_AGGREGATE && !is_count;
    result->kind = result_kind(job);
    result->base = base;
    result->items = br_arena_alloc(arena, (size_t)row_count * result_item_bytes(result->kind), 64);
    result->is_valid = NULL;
    if (is_nullable && result->kind <= BR_WINDOW_TEXTS)
        result->is_valid = br_arena_alloc(arena, row_count, 1);
    if (result->items == NULL || (is_nullable && result->kind <= BR_WINDOW_TEXTS &&
                                  result->is_valid == NULL))
        return br_run_no_memory(job->rows->run, "window functions", err);
    return BR_OK;
}

// ---- vectors ---------------------------------------------------------------------------------

static br_status array_vector(const br_window_job *job, uint32_t first, uint32_t count,
                              br_arena *arena, br_vector *out, br_error *err)
{
    static const uint8_t classes[] = {[BR_WINDOW_INTS] = BR_INT,
                                      [BR_WINDOW_REALS] = BR_REAL,
                                      [BR_WINDOW_TEXTS] = BR_TEXT};
    const br_window_result *result = &job->result;
    size_t offset = (size_t)(first - result->base) * result_item_bytes(result->kind);
    *out = (br_vector){.class_ = classes[result->kind],
                       .data = (const char *)result->items + offset};
    if (result->is_valid == NULL) return BR_OK;
    const uint8_t *is_valid = result->is_valid + (first - result->base);
    if (memchr(is_valid, 0, count) == NULL) return BR_OK;
    if (memchr(is_valid, 1, count) == NULL) {
        *out = br_vector_null();
        return BR_OK;
    }
    uint64_t *bits = BR_ALLOC(arena, uint64_t, br_bitmap_words(count));
    if (bits == NULL) return br_run_no_memory(job->rows->run, "window functions", err);
    for (uint32_t i = 0; i < count; i++) bits[i >> 6] |= (uint64_t)is_valid[i] << (i & 63);
    out->validity = bits;
    return BR_OK;
}

static bool has_none(const uint32_t *picks, uint32_t count)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++) most = picks[i] > most ? picks[i] : most;
    return count > 0 && most == BR_ROW_NONE;
}

// Rows on disk; or lag and lead with a default that may be of another class.
static br_status values_or_default(const br_window_job *job, uint32_t first, uint32_t count,
                                   br_arena *arena, br_vector *out, br_error *err)
{
    br_value *values = BR_ALLOC(arena, br_value, count);
    const uint32_t *picks = job->result.picks + (first - job->result.base);
    bool has_default = job->arg_count > 2 && job->call->function != BR_WINDOW_AGGREGATE;
    if (values == NULL) return br_run_no_memory(job->rows->run, "window functions", err);
    for (uint32_t i = 0; i < count; i++) {
        if (picks[i] != BR_ROW_NONE) values[i] = br_window_argument(job, 0, picks[i], arena);
        else if (has_default) values[i] = br_window_argument(job, 2, first + i, arena);
        else values[i] = br_value_null();
        bool is_text = values[i].class_ == BR_TEXT || values[i].class_ == BR_BLOB;
        if (job->pages != NULL && is_text)
            values[i].text.data = br_arena_copy_text(arena, values[i].text.data,
                                                     values[i].text.size);
    }
    if (br_arena_failed(arena))
        return br_run_no_memory(job->rows->run, "window functions", err);
    return br_vector_of_values(values, count, arena, out, err);
}

// A constant default of the argument's own class is put where the picked vector, which nobody else
// has seen yet, has its gaps.
static void fill_gaps(const br_window_job *job, const uint32_t *picks, uint32_t count,
                      br_vector *vector)
{
    int64_t *items = (int64_t *)(uintptr_t)vector->i64;
    uint64_t *bits = (uint64_t *)(uintptr_t)vector->validity;
    for (uint32_t i = 0; i < count; i++) {
        if (picks[i] != BR_ROW_NONE) continue;
        items[i] = job->args[2].i64[0];  // the bits of a double, too
        br_bitmap_set(bits, i);
    }
}

static br_status pick_vector(const br_window_job *job, uint32_t first, uint32_t count,
                             br_arena *arena, br_vector *out, br_error *err)
{
    const uint32_t *picks = job->result.picks + (first - job->result.base);
    const br_vector *argument = &job->args[0], *other = &job->args[2];
    if (job->pages != NULL) return values_or_default(job, first, count, arena, out, err);
    bool has_gaps = has_none(picks, count);
    bool has_default = has_gaps && job->arg_count > 2 && other->class_ != BR_NULL;
    bool is_plain = has_default && other->kind == BR_VECTOR_CONST &&
                    argument->class_ == other->class_ && argument->kind == BR_VECTOR_FLAT &&
                    (argument->class_ == BR_INT || argument->class_ == BR_REAL);
    if (has_default && !is_plain) return values_or_default(job, first, count, arena, out, err);
    BR_TRY(br_column_pick(job->rows->run, argument, picks, count, has_gaps, arena, out, err));
    if (is_plain) fill_gaps(job, picks, count, out);
    return BR_OK;
}

br_status br_window_vector(const br_window_job *job, uint32_t first, uint32_t count,
                           br_arena *arena, br_vector *out, br_error *err)
{
    switch (job->result.kind) {
    case BR_WINDOW_PICKS: return pick_vector(job, first, count, arena, out, err);
    case BR_WINDOW_VALUES:
        return br_vector_of_values(job->result.values + (first - job->result.base), count, arena,
                                   out, err);
    default: return array_vector(job, first, count, arena, out, err);
    }
}
