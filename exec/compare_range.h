// compare_range.h - "vector op constant" as a range of the vector's numbers.
//
// INT, DATE and DATETIME vectors are arrays of int64 and REAL ones of double; a comparison with a
// constant of any class that has an order with them keeps exactly the numbers of one range (or, for
// <>, all but them).
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_COMPARE_RANGE_H
#define BR_EXEC_COMPARE_RANGE_H

#include "exec/evaluate.h"

typedef struct br_compare_range {
    bool is_real;
    bool is_negated;
    int64_t int_low, int_high;    // empty when low > high
    double real_low, real_high;
} br_compare_range;

// False when there is no such range (TEXT vectors, constants of another rank).
bool br_compare_range_of(const br_vector *vector, br_operator operator_, const br_value *constant,
                         br_collation collation, br_compare_range *range_out);
// What both keep; neither may be negated, and both are of the same kind of number.
br_compare_range br_compare_range_intersect(const br_compare_range *left,
                                            const br_compare_range *right);
// Sets the bits of rows in the range, NULL rows included as their numbers are.
void br_compare_range_apply(const br_compare_range *range, const br_exec_kernels *kernels,
                            const br_vector *vector, uint32_t row_count, uint64_t *bits);

#endif
