// SPDX-License-Identifier: Apache-2.0
#include "base/fork_guard.h"

#include <stddef.h>
#include <sys/mman.h>

struct br_fork_guard {
    bool is_home;
};

br_status br_fork_guard_new(const br_fork_guard **guard_out, br_error *err)
{
    br_fork_guard *guard =
        mmap(NULL, sizeof *guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard == MAP_FAILED) return br_fail(err, BR_NOMEM, "no memory for a page");
    (void)madvise(guard, sizeof *guard, MADV_WIPEONFORK);
    guard->is_home = true;
    *guard_out = guard;
    return BR_OK;
}

void br_fork_guard_free(const br_fork_guard *guard)
{
    if (guard != NULL) (void)munmap((void *)guard, sizeof *guard);
}

bool br_fork_guard_is_home(const br_fork_guard *guard)
{
    return guard->is_home;
}
