// support_allocation.c - what the linker puts between Braid and malloc in tests/fault.
// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/support_allocation.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

static _Atomic uint64_t count;
static _Atomic uint64_t failing;  // 0: none
static _Atomic int failing_mode;
static atomic_bool has_failed;

void fail_allocation(uint64_t n, fail_mode mode)
{
    count = 0;
    has_failed = false;
    failing_mode = (int)mode;
    failing = n;
}

void fail_no_allocation(void)
{
    failing = 0;
    count = 0;
}

bool allocation_has_failed(void) { return has_failed; }

uint64_t allocation_count(void) { return count; }

static bool must_fail(void)
{
    uint64_t number = atomic_fetch_add(&count, 1) + 1, chosen = failing;
    if (chosen == 0 || number < chosen) return false;
    if (number > chosen && failing_mode == FAIL_ONCE) return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

// The names are the linker's.
void *__real_malloc(size_t size);
void *__real_calloc(size_t items, size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t items, size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);

void *__wrap_malloc(size_t size) { return must_fail() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t items, size_t size)
{
    return must_fail() ? NULL : __real_calloc(items, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return must_fail() ? NULL : __real_realloc(memory, size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    return must_fail() ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    return must_fail() ? MAP_FAILED : __real_mmap(at, size, protection, flags, file, offset);
}
