// block_cache.c - lists of blocks by their size.
// SPDX-License-Identifier: Apache-2.0
#include "base/block_cache.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/thread.h"

enum {
    LISTS = 32,      // list n: of 2^n times the least size and more; the last: all others
    WASTE_PART = 4,  // a block may be larger than wanted by this part
    LOOKS_MAX = 16,  // at blocks of a list
    LENT_BYTES_MIN = 1 << 20,  // of smaller blocks the system gets nothing: asking costs too much
};

typedef struct cached_block {  // in the block itself
    struct cached_block *next;
    size_t size_bytes;
} cached_block;

struct br_block_cache {
    size_t limit_bytes;
    br_lock lock;
    _Atomic size_t held_bytes;  // relaxed: changed under the lock, read without it as a hint
    cached_block *lists[LISTS];
};

br_block_cache *br_block_cache_new(size_t limit_bytes)
{
    br_block_cache *cache = br_heap_zalloc(sizeof *cache);
    if (cache == NULL) return NULL;
    cache->limit_bytes = limit_bytes;
    br_lock_init(&cache->lock);
    return cache;
}

void br_block_cache_free(br_block_cache *cache)
{
    if (cache == NULL) return;
    (void)br_block_cache_drain(cache, SIZE_MAX);
    br_lock_release(&cache->lock);
    br_heap_free(cache);
}

size_t br_block_cache_bytes(br_block_cache *cache)
{
    return atomic_load_explicit(&cache->held_bytes, memory_order_relaxed);
}

static uint32_t list_of(size_t size_bytes)
{
    uint32_t list = 63 - (uint32_t)__builtin_clzll(size_bytes / BR_CACHED_BLOCK_BYTES_MIN);
    return list < LISTS ? list : LISTS - 1;
}

static void add_bytes(br_block_cache *cache, size_t size_bytes)
{
    size_t held = br_block_cache_bytes(cache) + size_bytes;  // may wrap: taking away
    atomic_store_explicit(&cache->held_bytes, held, memory_order_relaxed);
}

bool br_block_cache_put(br_block_cache *cache, void *memory, size_t size_bytes)
{
    if (size_bytes < BR_CACHED_BLOCK_BYTES_MIN || size_bytes > cache->limit_bytes) return false;
    cached_block *block = memory;
    br_lock_take(&cache->lock);
    bool has_room = br_block_cache_bytes(cache) <= cache->limit_bytes - size_bytes;
    if (has_room) {
        cached_block **list = &cache->lists[list_of(size_bytes)];
        *block = (cached_block){.next = *list, .size_bytes = size_bytes};
        *list = block;
        add_bytes(cache, size_bytes);
        if (size_bytes >= LENT_BYTES_MIN) br_heap_lend(memory, size_bytes, sizeof *block);
    }
    br_lock_give(&cache->lock);
    return has_room;
}

void *br_block_cache_take(br_block_cache *cache, size_t wanted_bytes, size_t *size_bytes_out)
{
    if (wanted_bytes < BR_CACHED_BLOCK_BYTES_MIN || br_block_cache_bytes(cache) < wanted_bytes)
        return NULL;
    size_t most = wanted_bytes + wanted_bytes / WASTE_PART;
    cached_block **best = NULL;
    br_lock_take(&cache->lock);
    for (uint32_t list = list_of(wanted_bytes); list <= list_of(most); list++) {
        cached_block **at = &cache->lists[list];
        for (uint32_t i = 0; *at != NULL && i < LOOKS_MAX; at = &(*at)->next, i++) {
            size_t size_bytes = (*at)->size_bytes;
            if (size_bytes < wanted_bytes || size_bytes > most) continue;
            if (best == NULL || size_bytes < (*best)->size_bytes) best = at;
            if (size_bytes == wanted_bytes) break;
        }
    }
    cached_block *block = best == NULL ? NULL : *best;
    if (block != NULL) {
        *best = block->next;
        *size_bytes_out = block->size_bytes;
        add_bytes(cache, 0 - block->size_bytes);
    }
    br_lock_give(&cache->lock);
    return block;
}

size_t br_block_cache_drain(br_block_cache *cache, size_t wanted_bytes)
{
    size_t drained = 0;
    br_lock_take(&cache->lock);
    for (uint32_t list = LISTS; list > 0 && drained < wanted_bytes; list--) {
        cached_block **first = &cache->lists[list - 1];
        while (*first != NULL && drained < wanted_bytes) {
            cached_block *block = *first;
            *first = block->next;
            drained += block->size_bytes;
            add_bytes(cache, 0 - block->size_bytes);
            br_heap_free(block);
        }
    }
    br_lock_give(&cache->lock);
    return drained;
}
