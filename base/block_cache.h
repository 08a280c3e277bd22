// block_cache.h - blocks of memory that arenas gave back, kept for the next ones.
//
// A query gives all its memory back at its end. What goes to the operating system has its pages
// cleared by the kernel when the next query touches them: a quarter of the time of a large GROUP
// BY and most of that of a small one. So blocks wait here, up to a limit; the system may take the
// pages of large ones when it is short of memory (MADV_FREE).
//
// Ownership: a block belongs to the cache until it is taken. What blocks are charged to is the
//            caller's matter (arena.c). Threads: locked (its own lock).
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_BLOCK_CACHE_H
#define BR_BASE_BLOCK_CACHE_H

#include <stdbool.h>
#include <stddef.h>

enum { BR_CACHED_BLOCK_BYTES_MIN = 16 * 1024 };  // smaller ones are malloc's

typedef struct br_block_cache br_block_cache;

br_block_cache *br_block_cache_new(size_t limit_bytes);  // NULL when there is no memory
void br_block_cache_free(br_block_cache *cache);         // with all blocks; NULL is a no-op
// Keeps a block of br_heap_aligned; false: it is too small, or there is no room for it.
bool br_block_cache_put(br_block_cache *cache, void *block, size_t size_bytes);
// The smallest block of wanted_bytes at least and not of much more; NULL when there is none.
void *br_block_cache_take(br_block_cache *cache, size_t wanted_bytes, size_t *size_bytes_out);
// Frees blocks until wanted_bytes are free, or all are; returns how many bytes that were.
size_t br_block_cache_drain(br_block_cache *cache, size_t wanted_bytes);
size_t br_block_cache_bytes(br_block_cache *cache);

#endif
