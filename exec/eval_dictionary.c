// eval_dictionary.c - expressions over one DICT column, computed once per dictionary entry.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/evaluate.h"

br_status br_dictionary_vector(br_frame *frame, const br_node *node, bool *done_out,
                               br_vector *out, br_error *err)
{
    (void)frame; (void)node; (void)out; (void)err;
    *done_out = false;
    return BR_OK;
}

br_status br_dictionary_condition(br_frame *frame, const br_node *node, bool *done_out,
                                  br_condition *out, br_error *err)
{
    (void)frame; (void)node; (void)out; (void)err;
    *done_out = false;
    return BR_OK;
}
