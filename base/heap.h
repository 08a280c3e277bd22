// heap.h - the only door to malloc.
//
// Everything outside base/ allocates here or in an arena. Sizes that are products are computed by
// br_heap_array, which fails on overflow instead of wrapping.
//
// Threads: any. Errors: NULL when there is no memory; the caller says what it was for.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_HEAP_H
#define BR_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

void *br_heap_alloc(size_t size_bytes);
void *br_heap_zalloc(size_t size_bytes);
void *br_heap_array(size_t count, size_t size_bytes);  // zeroed
// 64-byte aligned, not zeroed; big ones ask for huge pages. Freed with br_heap_free.
void *br_heap_aligned(size_t size_bytes);
void *br_heap_resize(void *memory, size_t size_bytes);  // on NULL the old block is still valid
void br_heap_free(void *memory);                        // NULL is a no-op
char *br_heap_copy_text(const char *text);

// Makes room for one element more in a growing array: doubles `*capacity` when `count` has reached
// it. Returns false, leaving everything as it was, when there is no memory.
bool br_heap_grow(void **items, size_t item_bytes, size_t count, size_t *capacity);

// Gives memory that was freed back to the operating system, where the C library knows how.
void br_heap_trim(void);

// The block is not in use: the operating system may take its pages when it is short of memory. The
// first `kept_bytes` keep what is in them, all others may then be zeros.
void br_heap_lend(void *memory, size_t size_bytes, size_t kept_bytes);

// Zeroed pages that cost no memory until they are touched, for arrays that must never move. Given
// back with the same size.
void *br_heap_reserve(size_t size_bytes);
void br_heap_unreserve(void *memory, size_t size_bytes);  // NULL is a no-op

#endif
