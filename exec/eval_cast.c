// eval_cast.c - CAST and the application of affinities.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

static br_status row_cast(const br_row_context *context, const br_value *args, br_value *out,
                          br_error *err)
{
    (void)err;
    *out = br_value_cast(args[0], context->node->affinity_to, context->evaluator->bridge,
                         context->arena);
    return BR_OK;
}

static br_status row_affinity(const br_row_context *context, const br_value *args, br_value *out,
                              br_error *err)
{
    (void)err;
    *out = br_value_apply_affinity(args[0], context->node->affinity_to,
                                   context->evaluator->bridge, context->arena);
    return BR_OK;
}

const br_implementation br_cast_implementation = {.row = row_cast, .cost = 10};
const br_implementation br_affinity_implementation = {.row = row_affinity, .cost = 10};
