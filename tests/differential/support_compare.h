// support_compare.h - the same query on both engines must give the same rows.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SUPPORT_COMPARE_H
#define BR_TESTS_SUPPORT_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "braid.h"

typedef struct compare_tally {
    uint64_t queries, native, refused, interrupted, failed;
    bool verbose;
} compare_tally;

// Runs `sql` on the columnar engine and on SQLite and compares rows: as they come when `ordered`,
// as a multiset otherwise; value and storage class exactly, or, when `approximate`, numbers within
// 1e-12 (whatever their class) and text without regard to case. Prints what differs.
void compare_engines(braid *db, const char *sql, bool ordered, bool approximate,
                     compare_tally *tally);

#endif
