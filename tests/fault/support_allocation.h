// support_allocation.h - makes allocations of Braid fail, and counts them.
//
// Programs in tests/fault are linked with --wrap, so that calls of malloc and its like in Braid's
// own objects come here first; those of SQLite and the C library do not. The usual loop:
//
//     for (uint64_t n = 1;; n++) {
//         fail_allocation(n, FAIL_ONCE);
//         status = work();
//         if (!allocation_has_failed()) break;      // ran through without reaching the n-th
//         CHECK(status == BR_OK || status == BR_NOMEM);
//     }
//     fail_no_allocation();
//
// Threads: any.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_FAULT_SUPPORT_ALLOCATION_H
#define BR_TESTS_FAULT_SUPPORT_ALLOCATION_H

#include <stdbool.h>
#include <stdint.h>

typedef enum fail_mode { FAIL_ONCE, FAIL_FROM_THERE_ON } fail_mode;

void fail_allocation(uint64_t n, fail_mode mode);  // the n-th from now; the first is 1
void fail_no_allocation(void);
bool allocation_has_failed(void);   // since the last fail_allocation
uint64_t allocation_count(void);    // since the last fail_allocation or fail_no_allocation

#endif
