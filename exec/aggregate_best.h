// aggregate_best.h - inside of the states: MIN and MAX, and what the other states share with them.
//
// Ownership and threads: as aggregate_state.h.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_AGGREGATE_BEST_H
#define BR_EXEC_AGGREGATE_BEST_H

#include "exec/aggregate_state.h"

enum { BR_FLAG_PRESENT = 1, BR_FLAG_BORROWED = 2 };  // of states that hold values

typedef struct br_argument {  // made plain: FLAT or CONST
    br_vector vector;
    uint32_t step;  // 0 when constant
} br_argument;

BR_CHECKED br_status br_state_argument(const br_state_rows *rows, uint32_t arg, br_argument *out,
                                       br_error *err);

static inline uint32_t br_state_group(const br_state_rows *rows, uint32_t row)
{
    return rows->groups != NULL ? rows->groups[row] : 0;
}

static inline bool br_argument_is_valid(const br_argument *argument, uint32_t row)
{
    return argument->vector.validity == NULL || br_bitmap_get(argument->vector.validity, row);
}

// Copies the value's bytes into `keep`.
BR_CHECKED br_status br_state_keep_value(const br_state_rows *rows, br_value *value,
                                         br_error *err);
// The same for all states (br_value) that a batch left with BR_FLAG_BORROWED: the bytes of a new
// value are copied once per batch, not each time it changes.
BR_CHECKED br_status br_state_keep_values(br_state_array *array, const br_state_rows *rows,
                                          br_error *err);
// The number that sum() takes a value for: of a text, an integer only when the text is one.
br_value br_sum_number(const br_run *run, br_value value, br_arena *scratch);
// Does a value that is not NULL replace the best so far?
bool br_state_is_better(const br_state_spec *spec, const br_value *value, const br_value *best);

BR_CHECKED br_status br_best_update(const br_state_spec *spec, br_state_array *array,
                                    const br_state_rows *rows, br_error *err);
void br_best_merge(const br_state_spec *spec, br_state_array *array, const uint32_t *groups,
                   const br_state_array *from, uint32_t first, uint32_t count);
// The text of a state whose flag is not BR_BEST_NONE; `bytes` has room for 19.
br_text br_best_text_of(const br_best_text *best, uint8_t flag, char *bytes);

#endif
