// fork_guard.h - is this still the process that made it?
//
// A page that the kernel empties in the child of a fork: asking costs one load.
//
// Threads: immutable. Errors: where the kernel cannot do that (before Linux 4.14), every process
// is taken for the one that made it.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_FORK_GUARD_H
#define BR_BASE_FORK_GUARD_H

#include <stdbool.h>

#include "base/error.h"

typedef struct br_fork_guard br_fork_guard;

BR_CHECKED br_status br_fork_guard_new(const br_fork_guard **guard_out, br_error *err);
void br_fork_guard_free(const br_fork_guard *guard);  // NULL is a no-op
bool br_fork_guard_is_home(const br_fork_guard *guard);

#endif
