// eval_cast.c - CAST and the application of affinities.
//
// A vector whose class is what is wanted already is passed on, in whatever kind it is.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/function_date.h"
#include "exec/implementations.h"

static br_status row_cast(const br_row_context *context, const br_value *args, br_value *out,
                          br_error *err)
{
    (void)err;
    *out = br_value_cast(args[0], context->node->affinity_to, context->evaluator->bridge,
                         context->arena);
    return BR_OK;
}

// As before a comparison: a REAL stays one even if an INT equals it.
static br_status row_affinity(const br_row_context *context, const br_value *args, br_value *out,
                              br_error *err)
{
    (void)err;
    *out = args[0];
    if (args[0].class_ == BR_REAL && context->node->affinity_to != BR_AFFINITY_TEXT) return BR_OK;
    *out = br_value_apply_affinity(args[0], context->node->affinity_to,
                                   context->evaluator->bridge, context->arena);
    return BR_OK;
}

static br_status ints_as_reals(br_frame *frame, const br_vector *ints, br_vector *out,
                               br_error *err)
{
    double *reals = br_arena_alloc(frame->arena, frame->row_count * sizeof *reals, 64);
    if (reals == NULL) return br_evaluate_no_memory(err);
    frame->evaluator->kernels->i64_to_f64(ints->i64, frame->row_count, reals);
    *out = (br_vector){.class_ = BR_REAL, .validity = ints->validity, .f64 = reals};
    return BR_OK;
}

// REAL or TEXT as INT; what is behind NULL rows does not matter.
static br_status values_as_ints(br_frame *frame, const br_vector *vector, br_vector *out,
                                br_error *err)
{
    int64_t *ints = br_arena_zalloc(frame->arena, frame->row_count * sizeof *ints, 64);
    if (ints == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        if (br_vector_is_null(vector, row)) continue;
        if (vector->class_ == BR_REAL) ints[row] = br_real_to_int(vector->f64[row]);
        else br_text_to_int(vector->text[row], &ints[row]);
    }
    *out = (br_vector){.class_ = BR_INT, .validity = vector->validity, .i64 = ints};
    return BR_OK;
}

static br_status texts_as_reals(br_frame *frame, const br_vector *vector, br_vector *out,
                                br_error *err)
{
    double *reals = br_arena_zalloc(frame->arena, frame->row_count * sizeof *reals, 64);
    if (reals == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        if (!br_vector_is_null(vector, row)) br_text_to_real(vector->text[row], &reals[row]);
    }
    *out = (br_vector){.class_ = BR_REAL, .validity = vector->validity, .f64 = reals};
    return BR_OK;
}

static bool cast_is_identity(uint8_t class_, br_affinity to)
{
    switch (to) {
    case BR_AFFINITY_TEXT: return class_ == BR_TEXT;
    case BR_AFFINITY_BLOB: return class_ == BR_BLOB;
    case BR_AFFINITY_INTEGER: return class_ == BR_INT;
    case BR_AFFINITY_REAL: return class_ == BR_REAL;
    default: return class_ == BR_INT || class_ == BR_REAL;
    }
}

static br_status vector_cast(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    br_affinity to = node->affinity_to;
    bool done = false;
    if (to == BR_AFFINITY_INTEGER)
        BR_TRY(br_strftime_as_int(frame, node->args[0], &done, out, err));
    if (done) return BR_OK;
    br_vector vector;
    BR_TRY(br_node_vector(frame, node->args[0], &vector, err));
    if (vector.class_ == BR_NULL || cast_is_identity(vector.class_, to)) {
        *out = vector;
        return BR_OK;
    }
    BR_TRY(br_node_flat(frame, node->args[0], &vector, err));
    bool is_flat = vector.kind == BR_VECTOR_FLAT;
    if (is_flat && to == BR_AFFINITY_REAL && vector.class_ == BR_INT)
        return ints_as_reals(frame, &vector, out, err);
    if (is_flat && to == BR_AFFINITY_REAL && vector.class_ == BR_TEXT)
        return texts_as_reals(frame, &vector, out, err);
    if (is_flat && to == BR_AFFINITY_INTEGER && vector.class_ != BR_ANY)
        return values_as_ints(frame, &vector, out, err);
    return br_node_rows(frame, node, out, err);
}

static bool affinity_is_identity(uint8_t class_, br_affinity to)
{
    switch (to) {
    case BR_AFFINITY_TEXT: return class_ == BR_TEXT || class_ == BR_BLOB;
    case BR_AFFINITY_NUMERIC:
    case BR_AFFINITY_INTEGER: return class_ == BR_INT || class_ == BR_REAL || class_ == BR_BLOB;
    case BR_AFFINITY_REAL: return class_ == BR_REAL || class_ == BR_BLOB;
    default: return true;
    }
}

static br_status vector_affinity(br_frame *frame, const br_node *node, br_vector *out,
                                 br_error *err)
{
    br_vector vector;
    BR_TRY(br_node_vector(frame, node->args[0], &vector, err));
    if (vector.class_ == BR_NULL || affinity_is_identity(vector.class_, node->affinity_to)) {
        *out = vector;
        return BR_OK;
    }
    return br_node_rows(frame, node, out, err);
}

const br_implementation br_cast_implementation = {
    .row = row_cast, .vector = vector_cast, .cost = 10};
const br_implementation br_affinity_implementation = {
    .row = row_affinity, .vector = vector_affinity, .cost = 2};
