// aggregate_finish.c - from states to the values of aggregates.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "exec/aggregate_best.h"

enum { DATETIME_BYTES = 19 };

static br_status no_memory(const br_finish_context *context, br_error *err)
{
    return br_run_no_memory(context->run, "aggregation", err);
}

static const void *items_of(const br_finish_context *context, uint32_t state)
{
    size_t item_bytes = br_state_item_bytes(context->specs[state].kind);
    return context->arrays[state].items + context->first * item_bytes;
}

// Counts of values that went in; NULL: every group has one.
static const int64_t *counts_of(const br_finish_context *context,
                                const br_aggregate_output *output)
{
    return output->count_state == BR_STATE_NO_ARG ? NULL : items_of(context, output->count_state);
}

static br_status validity_of_counts(const br_finish_context *context, const int64_t *counts,
                                    const uint64_t **validity_out, br_error *err)
{
    *validity_out = NULL;
    if (counts == NULL) return BR_OK;
    uint64_t *bits = BR_ALLOC(context->arena, uint64_t, br_bitmap_words(context->count));
    if (bits == NULL) return no_memory(context, err);
    bool has_nulls = false;
    for (uint32_t i = 0; i < context->count; i++) {
        if (counts[i] > 0) br_bitmap_set(bits, i);
        else has_nulls = true;
    }
    if (has_nulls) *validity_out = bits;
    return BR_OK;
}

static br_status finish_sum_int(const br_finish_context *context,
                                const br_aggregate_output *output, br_vector *out, br_error *err)
{
    const uint8_t *flags = context->arrays[output->state].flags + context->first;
    if (memchr(flags, 1, context->count) != NULL)
        return br_fail(err, BR_RUNTIME, "integer overflow");
    *out = (br_vector){.class_ = BR_INT, .data = items_of(context, output->state)};
    return validity_of_counts(context, counts_of(context, output), &out->validity, err);
}

// Sums as doubles, whichever state keeps them.
static double real_sum(const br_finish_context *context, uint32_t state, uint32_t i)
{
    const void *items = items_of(context, state);
    switch (context->specs[state].kind) {
    case BR_STATE_SUM_INT: return (double)((const int64_t *)items)[i];
    case BR_STATE_SUM_REAL: return ((const double *)items)[i];
    default: return ((const br_sum_any *)items)[i].real_sum;
    }
}

// SUM of reals, TOTAL, and AVG when `divide`. A sum that is no number (of both infinities) is NULL.
static br_status finish_real(const br_finish_context *context, const br_aggregate_output *output,
                             br_vector *out, br_error *err)
{
    const int64_t *counts = counts_of(context, output);
    bool is_total = output->aggregate->kind == BR_AGG_TOTAL;
    bool divide = output->aggregate->kind == BR_AGG_AVG;
    double *values = BR_ALLOC(context->arena, double, context->count);
    uint64_t *bits = BR_ALLOC(context->arena, uint64_t, br_bitmap_words(context->count));
    if (values == NULL || bits == NULL) return no_memory(context, err);
    bool has_nulls = false;
    for (uint32_t i = 0; i < context->count; i++) {
        double sum = real_sum(context, output->state, i);
        if (divide && counts[i] > 0) sum /= (double)counts[i];
        bool is_valid = (is_total || counts == NULL || counts[i] > 0) && sum == sum;
        values[i] = is_valid ? sum : 0;
        bits[i >> 6] |= (uint64_t)is_valid << (i & 63);
        has_nulls |= !is_valid;
    }
    *out = (br_vector){
        .class_ = BR_REAL, .validity = has_nulls ? bits : NULL, .f64 = values};
    return BR_OK;
}

static br_status finish_sum_any(const br_finish_context *context,
                                const br_aggregate_output *output, br_vector *out, br_error *err)
{
    const br_sum_any *sums = items_of(context, output->state);
    const int64_t *counts = counts_of(context, output);
    br_value *values = BR_ALLOC(context->arena, br_value, context->count);
    if (values == NULL) return no_memory(context, err);
    for (uint32_t i = 0; i < context->count; i++) {
        if (sums[i].has_overflow) return br_fail(err, BR_RUNTIME, "integer overflow");
        if (counts != NULL && counts[i] == 0) continue;
        values[i] = sums[i].is_real ? br_value_real(sums[i].real_sum)
                                    : br_value_int(sums[i].int_sum);
        if (sums[i].is_real && sums[i].real_sum != sums[i].real_sum) values[i] = br_value_null();
    }
    *out = (br_vector){.class_ = BR_ANY, .any = values};
    return BR_OK;
}

static br_status finish_best(const br_finish_context *context, const br_aggregate_output *output,
                             br_vector *out, br_error *err)
{
    const uint8_t *flags = context->arrays[output->state].flags + context->first;
    bool is_int = context->specs[output->state].kind == BR_STATE_BEST_INT;
    *out = (br_vector){.class_ = is_int ? BR_INT : BR_REAL,
                       .data = items_of(context, output->state)};
    if (memchr(flags, 0, context->count) == NULL) return BR_OK;
    uint64_t *bits = BR_ALLOC(context->arena, uint64_t, br_bitmap_words(context->count));
    if (bits == NULL) return no_memory(context, err);
    for (uint32_t i = 0; i < context->count; i++) {
        if (flags[i]) br_bitmap_set(bits, i);
    }
    out->validity = bits;
    return BR_OK;
}

// Dates where all are, texts otherwise.
static br_status finish_texts(const br_finish_context *context, const br_aggregate_output *output,
                              br_vector *out, br_error *err)
{
    const br_best_text *bests = items_of(context, output->state);
    const uint8_t *flags = context->arrays[output->state].flags + context->first;
    uint32_t count = context->count, present = 0;
    bool seen[4] = {false};
    br_text *texts = BR_ALLOC(context->arena, br_text, count);
    int64_t *numbers = BR_ALLOC(context->arena, int64_t, count);
    uint64_t *bits = BR_ALLOC(context->arena, uint64_t, br_bitmap_words(count));
    char *bytes = br_arena_alloc(context->arena, (size_t)count * DATETIME_BYTES, 1);
    if (texts == NULL || numbers == NULL || bits == NULL || bytes == NULL)
        return no_memory(context, err);
    for (uint32_t i = 0; i < count; i++) {
        seen[flags[i]] = true;
        texts[i] = br_text_make("", 0);
        if (flags[i] == BR_BEST_NONE) continue;
        br_bitmap_set(bits, i);
        present++;
        numbers[i] = bests[i].number;
    }
    bool is_date = seen[BR_BEST_IS_DATE], is_datetime = seen[BR_BEST_IS_DATETIME];
    bool is_text = seen[BR_BEST_IS_TEXT] || is_date == is_datetime;
    for (uint32_t i = 0; is_text && i < count; i++) {
        if (flags[i] != BR_BEST_NONE)
            texts[i] = br_best_text_of(&bests[i], flags[i], bytes + (size_t)i * DATETIME_BYTES);
    }
    *out = (br_vector){.class_ = BR_TEXT, .validity = present < count ? bits : NULL};
    if (is_text) {
        out->text = texts;
    } else {
        out->kind = is_date ? BR_VECTOR_DATE : BR_VECTOR_DATETIME;
        out->i64 = numbers;
    }
    return BR_OK;
}

// Values of any class; a vector of one class where they have but one.
static br_status finish_values(const br_finish_context *context, br_value *values, br_vector *out,
                               br_error *err)
{
    uint32_t count = context->count;
    unsigned mask = 0;
    for (uint32_t i = 0; i < count; i++) mask |= 1u << values[i].class_;
    br_class class_ = br_class_of_mask(mask);
    *out = class_ == BR_NULL ? br_vector_null() : (br_vector){.class_ = BR_ANY, .any = values};
    if (class_ == BR_ANY || class_ == BR_NULL) return BR_OK;
    bool is_text = class_ == BR_TEXT || class_ == BR_BLOB;
    br_text *texts = is_text ? BR_ALLOC(context->arena, br_text, count) : NULL;
    int64_t *numbers = is_text ? NULL : BR_ALLOC(context->arena, int64_t, count);
    uint64_t *bits = BR_ALLOC(context->arena, uint64_t, br_bitmap_words(count));
    if (bits == NULL || (texts == NULL && numbers == NULL)) return no_memory(context, err);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].class_ == BR_NULL) {
            if (is_text) texts[i] = br_text_make("", 0);
            continue;
        }
        br_bitmap_set(bits, i);
        if (is_text) texts[i] = values[i].text;
        else numbers[i] = values[i].i64;  // the bits of a double, too
    }
    *out = (br_vector){.class_ = (uint8_t)class_,
                       .validity = mask & BR_MASK_NULL ? bits : NULL,
                       .data = is_text ? (const void *)texts : (const void *)numbers};
    return BR_OK;
}

static br_status collect_values(const br_finish_context *context,
                                const br_aggregate_output *output, br_value *values, br_error *err)
{
    const br_state_spec *spec = &context->specs[output->state];
    const void *items = items_of(context, output->state);
    for (uint32_t i = 0; i < context->count; i++) {
        switch (spec->kind) {
        case BR_STATE_ARG_BEST: values[i] = ((const br_arg_best *)items)[i].value; break;
        case BR_STATE_CONCAT: {
            const br_concat_list *list = &((const br_concat_list *)items)[i];
            BR_TRY(br_list_finish(context, output, list, &values[i], err));
            break;
        }
        default: values[i] = ((const br_value *)items)[i]; break;
        }
    }
    return BR_OK;
}

br_status br_aggregate_finish(const br_finish_context *context, const br_aggregate_output *output,
                              br_vector *out, br_error *err)
{
    const br_state_spec *spec = &context->specs[output->state];
    br_aggregate_kind kind = output->aggregate->kind;
    if (kind == BR_AGG_AVG || kind == BR_AGG_TOTAL)
        return finish_real(context, output, out, err);
    switch (spec->kind) {
    case BR_STATE_COUNT:
        *out = (br_vector){.class_ = BR_INT, .data = items_of(context, output->state)};
        return BR_OK;
    case BR_STATE_SUM_INT: return finish_sum_int(context, output, out, err);
    case BR_STATE_SUM_REAL: return finish_real(context, output, out, err);
    case BR_STATE_SUM_ANY: return finish_sum_any(context, output, out, err);
    case BR_STATE_BEST_INT:
    case BR_STATE_BEST_REAL: return finish_best(context, output, out, err);
    case BR_STATE_BEST_TEXT: return finish_texts(context, output, out, err);
    case BR_STATE_MOMENTS:
    case BR_STATE_NUMBERS: return br_statistics_finish(context, output, out, err);
    default: break;
    }
    br_value *values = BR_ALLOC(context->arena, br_value, context->count);
    if (values == NULL) return no_memory(context, err);
    BR_TRY(collect_values(context, output, values, err));
    return finish_values(context, values, out, err);
}
