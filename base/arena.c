// arena.c - quotas, the bump allocator, and its one-malloc-per-allocation twin for ASan.
// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

void br_quota_init(br_quota *quota, size_t limit_bytes, br_quota *parent)
{
    atomic_init(&quota->used_bytes, 0);
    atomic_init(&quota->peak_bytes, 0);
    quota->limit_bytes = limit_bytes;
    quota->parent = parent;
    quota->cache = NULL;
}

static bool try_here(br_quota *quota, size_t size_bytes)
{
    size_t used = atomic_load_explicit(&quota->used_bytes, memory_order_relaxed);
    do {
        if (used > quota->limit_bytes || size_bytes > quota->limit_bytes - used) return false;
    } while (!atomic_compare_exchange_weak_explicit(&quota->used_bytes, &used, used + size_bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    used += size_bytes;
    size_t peak = atomic_load_explicit(&quota->peak_bytes, memory_order_relaxed);
    while (peak < used &&
           !atomic_compare_exchange_weak_explicit(&quota->peak_bytes, &peak, used,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
    return true;
}

static void give_here(br_quota *quota, size_t size_bytes)
{
    size_t before =
        atomic_fetch_sub_explicit(&quota->used_bytes, size_bytes, memory_order_relaxed);
    br_assert(before >= size_bytes);
    (void)before;
}

// What the cache holds makes way for what is wanted.
static bool take_here(br_quota *quota, size_t size_bytes)
{
    while (!try_here(quota, size_bytes)) {
        size_t drained = quota->cache == NULL ? 0 : br_block_cache_drain(quota->cache, size_bytes);
        if (drained == 0) return false;
        give_here(quota, drained);
    }
    return true;
}

// From `quota` up to but not `end`, which may be NULL.
static bool take_below(br_quota *quota, const br_quota *end, size_t size_bytes)
{
    for (br_quota *level = quota; level != end; level = level->parent) {
        if (take_here(level, size_bytes)) continue;
        for (br_quota *taken = quota; taken != level; taken = taken->parent) {
            give_here(taken, size_bytes);
        }
        return false;
    }
    return true;
}

static void give_below(br_quota *quota, const br_quota *end, size_t size_bytes)
{
    for (br_quota *level = quota; level != end; level = level->parent) {
        give_here(level, size_bytes);
    }
}

bool br_quota_take(br_quota *quota, size_t size_bytes)
{
    return take_below(quota, NULL, size_bytes);
}

void br_quota_give(br_quota *quota, size_t size_bytes) { give_below(quota, NULL, size_bytes); }

size_t br_quota_room(const br_quota *quota)
{
    size_t room = SIZE_MAX;
    for (; quota != NULL; quota = quota->parent) {
        if (quota->limit_bytes == SIZE_MAX) continue;
        size_t used = atomic_load_explicit(&quota->used_bytes, memory_order_relaxed);
        size_t cached = quota->cache == NULL ? 0 : br_block_cache_bytes(quota->cache);
        used = used > cached ? used - cached : 0;
        size_t here = used < quota->limit_bytes ? quota->limit_bytes - used : 0;
        if (here < room) room = here;
    }
    return room;
}

// What br_arena_on_free was asked to call. On the heap: rewinding must not touch it.
typedef struct arena_hook {
    struct arena_hook *next;
    void (*function)(void *context);
    void *context;
} arena_hook;

static void run_hooks(arena_hook **hooks)
{
    while (*hooks != NULL) {
        arena_hook *hook = *hooks;
        *hooks = hook->next;
        hook->function(hook->context);
        br_heap_free(hook);
    }
}

#ifndef BR_ARENA_ASAN

enum {
    ALIGNMENT_MAX = 64,
    BLOCK_BYTES_MIN = 8 * 1024,     // a small query stays in one block
    BLOCK_BYTES_MAX = 4 * 1024 * 1024,  // doubling ends here: two huge pages; larger requests
                                        // get a block of their own
    QUOTA_STEPS = 256,  // blocks are no larger than this part of the quota
};

// A block and its bytes. Blocks after the current one are empty, kept from before a rewind.
typedef struct arena_block {
    _Alignas(ALIGNMENT_MAX) struct arena_block *next;
    size_t capacity_bytes;
    _Alignas(ALIGNMENT_MAX) uint8_t bytes[];
} arena_block;

struct br_arena {
    br_quota *quota;
    arena_block *first;
    arena_block *current;  // NULL: nothing allocated yet, or everything rewound
    size_t used_bytes;     // in the current block
    size_t held_bytes;
    size_t next_block_bytes;
    bool failed;
    arena_hook *hooks;
};

br_arena *br_arena_new(br_quota *quota)
{
    br_arena *arena = br_heap_zalloc(sizeof *arena);
    if (arena == NULL) return NULL;
    arena->quota = quota;
    arena->next_block_bytes = BLOCK_BYTES_MIN;
    return arena;
}

static br_quota *find_cache(br_quota *quota)
{
    while (quota != NULL && quota->cache == NULL) quota = quota->parent;
    return quota;
}

static void block_free(br_arena *arena, arena_block *block)
{
    size_t size_bytes = sizeof *block + block->capacity_bytes;
    br_quota *keeper = find_cache(arena->quota);
    arena->held_bytes -= size_bytes;
    if (keeper != NULL && br_block_cache_put(keeper->cache, block, size_bytes)) {
        give_below(arena->quota, keeper, size_bytes);  // the keeper's share stays
        return;
    }
    br_quota_give(arena->quota, size_bytes);
    br_heap_free(block);
}

void br_arena_free(br_arena *arena)
{
    if (arena == NULL) return;
    run_hooks(&arena->hooks);
    for (arena_block *block = arena->first; block != NULL;) {
        arena_block *next = block->next;
        block_free(arena, block);
        block = next;
    }
    br_heap_free(arena);
}

// Arenas that share a small quota take small steps: what one reserves in advance, others lack.
static size_t block_bytes(const br_arena *arena)
{
    size_t size_bytes = arena->next_block_bytes;
    if (arena->quota == NULL) return size_bytes;
    size_t step = arena->quota->limit_bytes / QUOTA_STEPS;
    if (step < BLOCK_BYTES_MIN) step = BLOCK_BYTES_MIN;
    return size_bytes < step ? size_bytes : step;
}

// A block that waits in the cache, which is charged to the keeper already.
static arena_block *block_again(const br_arena *arena, size_t wanted_bytes, size_t *size_bytes_out)
{
    br_quota *keeper = find_cache(arena->quota);
    if (keeper == NULL) return NULL;
    arena_block *block = br_block_cache_take(keeper->cache, wanted_bytes, size_bytes_out);
    if (block == NULL || take_below(arena->quota, keeper, *size_bytes_out)) return block;
    give_below(keeper, NULL, *size_bytes_out);
    br_heap_free(block);
    return NULL;
}

// A block with room for `wanted_bytes`, growing geometrically so that the number of blocks stays
// logarithmic. Near the quota it asks for no more than it must.
static arena_block *block_new(br_arena *arena, size_t wanted_bytes)
{
    size_t size_bytes = block_bytes(arena);
    if (wanted_bytes > SIZE_MAX / 2) return NULL;
    size_t needed_bytes = wanted_bytes + sizeof(arena_block);
    if (size_bytes < needed_bytes) size_bytes = needed_bytes;
    arena_block *block = block_again(arena, size_bytes, &size_bytes);
    if (block == NULL && !br_quota_take(arena->quota, size_bytes)) {
        size_bytes = needed_bytes;
        if (!br_quota_take(arena->quota, size_bytes)) return NULL;
    }
    if (block == NULL) block = br_heap_aligned(size_bytes);
    if (block == NULL) {
        br_quota_give(arena->quota, size_bytes);
        return NULL;
    }
    block->capacity_bytes = size_bytes - sizeof *block;
    arena->held_bytes += size_bytes;
    if (arena->next_block_bytes < BLOCK_BYTES_MAX) arena->next_block_bytes *= 2;
    return block;
}

// Makes the block after the current one current; one that is too small is replaced, so that kept
// blocks adapt to what the arena is used for.
static bool next_block(br_arena *arena, size_t wanted_bytes)
{
    arena_block **link = arena->current != NULL ? &arena->current->next : &arena->first;
    arena_block *kept = *link;
    if (kept != NULL && kept->capacity_bytes < wanted_bytes) {
        *link = kept->next;
        block_free(arena, kept);
        kept = NULL;
    }
    if (kept == NULL) {
        kept = block_new(arena, wanted_bytes);
        if (kept == NULL) return false;
        kept->next = *link;
        *link = kept;
    }
    arena->current = kept;
    arena->used_bytes = 0;
    return true;
}

void *br_arena_alloc(br_arena *arena, size_t size_bytes, size_t alignment)
{
    br_assert(alignment > 0 && alignment <= ALIGNMENT_MAX && (alignment & (alignment - 1)) == 0);
    size_t start = (arena->used_bytes + alignment - 1) & ~(alignment - 1);
    bool fits = arena->current != NULL && start <= arena->current->capacity_bytes &&
                size_bytes <= arena->current->capacity_bytes - start;
    if (!fits) {
        if (!next_block(arena, size_bytes)) {
            arena->failed = true;
            return NULL;
        }
        start = 0;
    }
    arena->used_bytes = start + size_bytes;
    return arena->current->bytes + start;
}

br_arena_mark br_arena_get_mark(const br_arena *arena)
{
    return (br_arena_mark){.block = arena->current, .used_bytes = arena->used_bytes};
}

void br_arena_rewind(br_arena *arena, br_arena_mark mark)
{
    br_assert(mark.block != arena->current || mark.used_bytes <= arena->used_bytes);
    arena->current = mark.block;
    arena->used_bytes = mark.used_bytes;
}

void br_arena_trim(br_arena *arena)
{
    arena_block **link = arena->current != NULL ? &arena->current->next : &arena->first;
    for (arena_block *block = *link; block != NULL;) {
        arena_block *next = block->next;
        block_free(arena, block);
        block = next;
    }
    *link = NULL;
}

void br_arena_reset(br_arena *arena)
{
    run_hooks(&arena->hooks);
    arena_block *largest = arena->first;
    for (arena_block *block = arena->first; block != NULL; block = block->next) {
        if (block->capacity_bytes > largest->capacity_bytes) largest = block;
    }
    for (arena_block *block = arena->first; block != NULL;) {
        arena_block *next = block->next;
        if (block != largest) block_free(arena, block);
        block = next;
    }
    if (largest != NULL) largest->next = NULL;
    arena->first = largest;
    arena->current = NULL;
    arena->used_bytes = 0;
    arena->failed = false;
}

#else  // the twin: ASan sees every allocation's bounds and every use after a rewind

typedef struct twin_item {
    void *memory;
    size_t size_bytes;
} twin_item;

struct br_arena {
    br_quota *quota;
    twin_item *items;
    size_t count;
    size_t capacity;
    size_t held_bytes;
    bool failed;
    arena_hook *hooks;
};

br_arena *br_arena_new(br_quota *quota)
{
    br_arena *arena = br_heap_zalloc(sizeof *arena);
    if (arena != NULL) arena->quota = quota;
    return arena;
}

static void free_down_to(br_arena *arena, size_t count)
{
    br_assert(count <= arena->count);
    while (arena->count > count) {
        twin_item item = arena->items[--arena->count];
        br_quota_give(arena->quota, item.size_bytes);
        arena->held_bytes -= item.size_bytes;
        br_heap_free(item.memory);
    }
}

void br_arena_free(br_arena *arena)
{
    if (arena == NULL) return;
    run_hooks(&arena->hooks);
    free_down_to(arena, 0);
    br_heap_free(arena->items);
    br_heap_free(arena);
}

static void *twin_alloc(br_arena *arena, size_t size_bytes, size_t alignment)
{
    void *items = arena->items, *memory = NULL;
    if (!br_heap_grow(&items, sizeof *arena->items, arena->count, &arena->capacity)) return NULL;
    arena->items = items;
    if (!br_quota_take(arena->quota, size_bytes)) return NULL;
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    if (posix_memalign(&memory, alignment, size_bytes ? size_bytes : 1) != 0) {
        br_quota_give(arena->quota, size_bytes);
        return NULL;
    }
    arena->items[arena->count++] = (twin_item){.memory = memory, .size_bytes = size_bytes};
    arena->held_bytes += size_bytes;
    return memory;
}

void *br_arena_alloc(br_arena *arena, size_t size_bytes, size_t alignment)
{
    br_assert(alignment > 0 && alignment <= 64 && (alignment & (alignment - 1)) == 0);
    void *memory = size_bytes > SIZE_MAX / 2 ? NULL : twin_alloc(arena, size_bytes, alignment);
    if (memory == NULL) arena->failed = true;
    return memory;
}

br_arena_mark br_arena_get_mark(const br_arena *arena)
{
    return (br_arena_mark){.block = NULL, .used_bytes = arena->count};
}

void br_arena_rewind(br_arena *arena, br_arena_mark mark) { free_down_to(arena, mark.used_bytes); }

void br_arena_trim(br_arena *arena) { (void)arena; }

void br_arena_reset(br_arena *arena)
{
    run_hooks(&arena->hooks);
    free_down_to(arena, 0);
    arena->failed = false;
}

#endif

bool br_arena_on_free(br_arena *arena, void (*function)(void *context), void *context)
{
    arena_hook *hook = br_heap_alloc(sizeof *hook);
    if (hook == NULL) return false;
    *hook = (arena_hook){.next = arena->hooks, .function = function, .context = context};
    arena->hooks = hook;
    return true;
}

size_t br_arena_bytes(const br_arena *arena) { return arena->held_bytes; }

bool br_arena_failed(const br_arena *arena) { return arena->failed; }

void *br_arena_zalloc(br_arena *arena, size_t size_bytes, size_t alignment)
{
    void *memory = br_arena_alloc(arena, size_bytes, alignment);
    if (memory != NULL) memset(memory, 0, size_bytes);
    return memory;
}

void *br_arena_copy(br_arena *arena, const void *bytes, size_t size_bytes)
{
    void *copy = br_arena_alloc(arena, size_bytes, 16);
    if (copy != NULL && size_bytes > 0) memcpy(copy, bytes, size_bytes);
    return copy;
}

char *br_arena_copy_text(br_arena *arena, const char *text, size_t size_bytes)
{
    if (size_bytes == SIZE_MAX) return NULL;
    char *copy = br_arena_alloc(arena, size_bytes + 1, 1);
    if (copy == NULL) return NULL;
    if (size_bytes > 0) memcpy(copy, text, size_bytes);
    copy[size_bytes] = 0;
    return copy;
}

char *br_arena_format(br_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) return NULL;
    char *text = br_arena_alloc(arena, (size_t)length + 1, 1);
    if (text == NULL) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void *br_arena_array(br_arena *arena, size_t count, size_t item_bytes, size_t alignment)
{
    size_t size_bytes;
    if (__builtin_mul_overflow(count, item_bytes, &size_bytes)) return NULL;
    return br_arena_zalloc(arena, size_bytes, alignment);
}
