// heap.c - malloc with overflow checks, alignment and huge pages.
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/assert.h"

enum {
    CACHE_LINE_BYTES = 64,
    HUGE_PAGE_BYTES = 2 * 1024 * 1024,  // x86-64 and arm64 with 4 KiB pages
    PAGE_BYTES = 4096,                  // larger pages are not lent in part
    GROW_ITEMS_MIN = 8,
};

// malloc(0) may return NULL, which our callers would take for "no memory".
static size_t at_least_one(size_t size_bytes) { return size_bytes ? size_bytes : 1; }

void *br_heap_alloc(size_t size_bytes) { return malloc(at_least_one(size_bytes)); }

void *br_heap_zalloc(size_t size_bytes) { return calloc(1, at_least_one(size_bytes)); }

void *br_heap_array(size_t count, size_t size_bytes)
{
    size_t product;
    if (__builtin_mul_overflow(count, size_bytes, &product)) return NULL;
    return br_heap_zalloc(product);
}

void *br_heap_aligned(size_t size_bytes)
{
    size_t alignment = size_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : CACHE_LINE_BYTES;
    if (size_bytes > SIZE_MAX - CACHE_LINE_BYTES) return NULL;
    size_t rounded = (at_least_one(size_bytes) + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES *
                     CACHE_LINE_BYTES;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, rounded) != 0) return NULL;
    // Advice only: where huge pages are off, normal pages do.
    if (alignment == HUGE_PAGE_BYTES) {
        (void)madvise(memory, rounded / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE);
    }
    return memory;
}

void *br_heap_resize(void *memory, size_t size_bytes)
{
    return realloc(memory, at_least_one(size_bytes));
}

void br_heap_free(void *memory) { free(memory); }

char *br_heap_copy_text(const char *text)
{
    br_assert(text != NULL);
    size_t size_bytes = strlen(text) + 1;
    char *copy = br_heap_alloc(size_bytes);
    if (copy != NULL) memcpy(copy, text, size_bytes);
    return copy;
}

bool br_heap_grow(void **items, size_t item_bytes, size_t count, size_t *capacity)
{
    br_assert(count <= *capacity && item_bytes > 0);
    if (count < *capacity) return true;
    if (*capacity > SIZE_MAX / 2 / item_bytes) return false;
    size_t wanted = *capacity < GROW_ITEMS_MIN ? GROW_ITEMS_MIN : *capacity * 2;
    void *moved = realloc(*items, wanted * item_bytes);
    if (moved == NULL) return false;
    *items = moved;
    *capacity = wanted;
    return true;
}

void br_heap_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

void br_heap_lend(void *memory, size_t size_bytes, size_t kept_bytes)
{
    uintptr_t begin = (uintptr_t)memory + kept_bytes, end = (uintptr_t)memory + size_bytes;
    begin = (begin + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    end = end / PAGE_BYTES * PAGE_BYTES;
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_FREE);  // advice only
}

void *br_heap_reserve(size_t size_bytes)
{
    void *memory = mmap(NULL, at_least_one(size_bytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void br_heap_unreserve(void *memory, size_t size_bytes)
{
    if (memory != NULL) (void)munmap(memory, at_least_one(size_bytes));
}
