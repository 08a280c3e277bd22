// assert.h - assertion tiers.
//
// br_assert       preconditions and invariants; compiled in with -DBR_ASSERT (debug, sanitizer and
//                 test builds), nothing otherwise: a release library never aborts its host.
// br_assert_slow  O(n) checks; compiled in with -DBR_ASSERT_SLOW.
// br_verify       always on; an O(1) guard where damage would reach the disk. Returns BR_INTERNAL.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_ASSERT_H
#define BR_BASE_ASSERT_H

#include "base/error.h"

_Noreturn void br_assert_failed(const char *condition, const char *file, int line);

#ifdef BR_ASSERT
#define br_assert(c) ((c) ? (void)0 : br_assert_failed(#c, __FILE__, __LINE__))
#else
#define br_assert(c) ((void)0)
#endif

#ifdef BR_ASSERT_SLOW
#define br_assert_slow(c) br_assert(c)
#else
#define br_assert_slow(c) ((void)0)
#endif

#define br_verify(c, err)                                                                     \
    do {                                                                                      \
        if (!(c)) return br_fail((err), BR_INTERNAL, "invariant broken: %s (%s:%d)", #c,      \
                                 __FILE__, __LINE__);                                         \
    } while (0)

#endif
