// aggregate_statistics.c - standard deviations, variances and quantiles of groups.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "exec/aggregate_best.h"

enum {
    CHUNK_NUMBERS_MIN = 4,
    CHUNK_NUMBERS_MAX = 4096,
};

struct br_number_chunk {
    br_number_chunk *next;
    uint32_t count, capacity;
    double numbers[];
};

// ---- rows ------------------------------------------------------------------------------------

static br_status add_number(const br_state_rows *rows, br_number_list *list, double number,
                            br_error *err)
{
    br_number_chunk *chunk = list->last;
    if (chunk == NULL || chunk->count == chunk->capacity) {
        uint32_t capacity = chunk == NULL ? CHUNK_NUMBERS_MIN : chunk->capacity * 2;
        if (capacity > CHUNK_NUMBERS_MAX) capacity = CHUNK_NUMBERS_MAX;
        chunk = br_arena_alloc(rows->keep, sizeof *chunk + capacity * sizeof(double), 16);
        if (chunk == NULL) return br_run_no_memory(rows->run, "aggregation", err);
        chunk->next = NULL;
        chunk->count = 0;
        chunk->capacity = capacity;
        if (list->last == NULL) list->first = chunk;
        else list->last->next = chunk;
        list->last = chunk;
    }
    chunk->numbers[chunk->count++] = number;
    list->count++;
    return BR_OK;
}

br_status br_statistics_update(const br_state_spec *spec, br_state_array *array,
                               const br_state_rows *rows, br_error *err)
{
    br_argument arg;
    BR_TRY(br_state_argument(rows, spec->arg, &arg, err));
    for (uint32_t i = 0; i < rows->row_count; i++) {
        br_value value = br_vector_value(&arg.vector, i, rows->scratch);
        if (value.class_ == BR_NULL) continue;
        double number = br_value_to_real(&value);
        uint32_t group = br_state_group(rows, i);
        if (spec->kind == BR_STATE_MOMENTS)
            br_moments_add((br_moments *)(void *)array->items + group, number);
        else
            BR_TRY(add_number(rows, (br_number_list *)(void *)array->items + group, number, err));
    }
    return BR_OK;
}

void br_numbers_copy(const br_number_list *list, double *out)
{
    uint64_t count = 0;
    for (const br_number_chunk *chunk = list->first; count < list->count; chunk = chunk->next) {
        memcpy(out + count, chunk->numbers, chunk->count * sizeof *out);
        count += chunk->count;
    }
}

bool br_numbers_make(br_number_list *list, const double *numbers, uint64_t count,
                     br_arena *arena)
{
    *list = (br_number_list){.count = count};
    for (uint64_t done = 0; done < count;) {
        uint64_t left = count - done;
        uint32_t size = left < CHUNK_NUMBERS_MAX ? (uint32_t)left : CHUNK_NUMBERS_MAX;
        br_number_chunk *chunk =
            br_arena_alloc(arena, sizeof *chunk + size * sizeof(double), 16);
        if (chunk == NULL) return false;
        chunk->next = NULL;
        chunk->count = chunk->capacity = size;
        memcpy(chunk->numbers, numbers + done, size * sizeof(double));
        if (list->last == NULL) list->first = chunk;
        else list->last->next = chunk;
        list->last = chunk;
        done += size;
    }
    return true;
}

void br_numbers_merge(br_number_list *list, const br_number_list *from)
{
    if (from->first == NULL) return;
    if (list->last == NULL) list->first = from->first;
    else list->last->next = from->first;
    list->last = from->last;
    list->count += from->count;
}

// ---- results ---------------------------------------------------------------------------------

// False: NULL.
static bool deviation(br_aggregate_kind kind, const br_moments *moments, double *out)
{
    bool is_sample = kind == BR_AGG_STDDEV_SAMP || kind == BR_AGG_VAR_SAMP;
    bool is_root = kind == BR_AGG_STDDEV_SAMP || kind == BR_AGG_STDDEV_POP;
    if (!br_moments_variance(moments, is_sample, out)) return false;
    if (is_root) *out = sqrt(*out);
    return !isnan(*out);
}

static br_status quantile(const br_finish_context *context, const br_number_list *list,
                          double fraction, double *out, br_error *err)
{
    br_arena_mark mark = br_arena_get_mark(context->arena);
    double *numbers = br_arena_alloc(context->arena, list->count * sizeof *numbers, 64);
    if (numbers == NULL) return br_run_no_memory(context->run, "aggregation", err);
    size_t count = 0;
    for (const br_number_chunk *chunk = list->first; count < list->count; chunk = chunk->next) {
        memcpy(numbers + count, chunk->numbers, chunk->count * sizeof *numbers);
        count += chunk->count;
    }
    *out = br_quantile(numbers, count, fraction);
    br_arena_rewind(context->arena, mark);
    return BR_OK;
}

static br_status quantile_fraction(const br_finish_context *context, const br_aggregate *aggregate,
                                   double *out, br_error *err)
{
    br_value value;
    BR_TRY(br_evaluate_constant(aggregate->args[1], &context->run->expr_env, context->arena,
                                &value, err));
    *out = br_value_to_real(&value);
    if (value.class_ == BR_NULL || !(*out >= 0 && *out <= 1))
        return br_fail(err, BR_RUNTIME, "quantile: the fraction must be between 0 and 1");
    return BR_OK;
}

br_status br_statistics_finish(const br_finish_context *context, const br_aggregate_output *output,
                               br_vector *out, br_error *err)
{
    const br_aggregate *aggregate = output->aggregate;
    const char *items = context->arrays[output->state].items;
    double *values = BR_ALLOC(context->arena, double, context->count), fraction = 0;
    uint64_t *bits = BR_ALLOC(context->arena, uint64_t, br_bitmap_words(context->count));
    if (values == NULL || bits == NULL)
        return br_run_no_memory(context->run, "aggregation", err);
    bool is_quantile = aggregate->kind == BR_AGG_QUANTILE, has_nulls = false;
    if (is_quantile) BR_TRY(quantile_fraction(context, aggregate, &fraction, err));
    for (uint32_t i = 0; i < context->count; i++) {
        uint32_t group = context->first + i;
        bool is_valid;
        values[i] = 0;
        if (is_quantile) {
            const br_number_list *list = (const br_number_list *)(const void *)items + group;
            is_valid = list->count > 0;
            if (is_valid) BR_TRY(quantile(context, list, fraction, &values[i], err));
        } else {
            const br_moments *moments = (const br_moments *)(const void *)items + group;
            is_valid = deviation(aggregate->kind, moments, &values[i]);
        }
        if (is_valid) br_bitmap_set(bits, i);
        has_nulls |= !is_valid;
    }
    *out = (br_vector){.class_ = BR_REAL, .validity = has_nulls ? bits : NULL, .f64 = values};
    return BR_OK;
}
