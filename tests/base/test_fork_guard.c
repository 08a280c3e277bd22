// SPDX-License-Identifier: Apache-2.0
#include "base/fork_guard.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

static void test_children_are_not_at_home(void)
{
    br_error err;
    const br_fork_guard *guard = NULL;
    int status = 0;
    MUST(br_fork_guard_new(&guard, &err), err);
    CHECK(br_fork_guard_is_home(guard));
    pid_t child = fork();
    if (child == 0) _exit(br_fork_guard_is_home(guard) ? 1 : 0);
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(br_fork_guard_is_home(guard));
    br_fork_guard_free(guard);
    br_fork_guard_free(NULL);
}

int main(void)
{
    RUN(test_children_are_not_at_home);
    return test_result();
}
