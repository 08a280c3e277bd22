// arena.h - region memory: many small allocations, freed all at once.
//
// A bump allocator over growing blocks, charged against a quota. Inside a query nobody calls free:
// scratch memory is given back with a mark and a rewind, the rest when the arena is freed.
//
//     mark = br_arena_get_mark(arena); ... br_arena_rewind(arena, mark);
//
// Rewinding keeps the blocks for the next round, so a per-batch rewind costs nothing. Large blocks
// of an arena that is freed wait in a cache (block_cache.h) when its quota has one.
// ASan builds (-DBR_ARENA_ASAN) compile a twin that does one malloc per allocation.
//
// Ownership: the arena owns what it hands out. Threads: one thread per arena; a quota is shared by
// the arenas of all threads of a query (its counter is atomic).
// Errors: NULL when the quota is used up or malloc fails; use BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_ARENA_H
#define BR_BASE_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/block_cache.h"

// How much memory a query (or the whole database, its parent) may take. Blocks that arenas give
// back stay charged to a quota with a cache, which lets them go before anything else is refused.
typedef struct br_quota {
    _Atomic size_t used_bytes;  // relaxed: a counter, orders nothing
    _Atomic size_t peak_bytes;  // relaxed
    size_t limit_bytes;         // SIZE_MAX: no limit
    struct br_quota *parent;    // also charged; may be NULL
    br_block_cache *cache;      // of blocks given back; NULL: none. Whoever sets it frees it
} br_quota;

void br_quota_init(br_quota *quota, size_t limit_bytes, br_quota *parent);
bool br_quota_take(br_quota *quota, size_t size_bytes);  // false: over the limit, nothing taken
void br_quota_give(br_quota *quota, size_t size_bytes);
// What can still be taken: the least of the quota and those above it.
size_t br_quota_room(const br_quota *quota);

typedef struct br_arena br_arena;
typedef struct br_arena_mark {
    void *block;
    size_t used_bytes;
} br_arena_mark;

br_arena *br_arena_new(br_quota *quota);  // quota may be NULL; NULL when there is no memory
void br_arena_free(br_arena *arena);      // NULL is a no-op

// `alignment` is a power of two up to 64. A size of 0 gives a valid pointer.
void *br_arena_alloc(br_arena *arena, size_t size_bytes, size_t alignment);
void *br_arena_zalloc(br_arena *arena, size_t size_bytes, size_t alignment);
void *br_arena_copy(br_arena *arena, const void *bytes, size_t size_bytes);  // alignment 16
char *br_arena_copy_text(br_arena *arena, const char *text, size_t size_bytes);  // adds a NUL
char *br_arena_format(br_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// An array of `count` zeroed elements; NULL also when the multiplication overflows.
void *br_arena_array(br_arena *arena, size_t count, size_t item_bytes, size_t alignment);

// Has `function(context)` called when the arena is freed or reset (not when it is rewound), the
// last one first: for what an arena's objects hold outside of it. False when there is no memory.
bool br_arena_on_free(br_arena *arena, void (*function)(void *context), void *context);

br_arena_mark br_arena_get_mark(const br_arena *arena);
void br_arena_rewind(br_arena *arena, br_arena_mark mark);
void br_arena_trim(br_arena *arena);   // gives back what is kept from before a rewind
void br_arena_reset(br_arena *arena);  // empty, but keeps its largest block
size_t br_arena_bytes(const br_arena *arena);  // held, and charged to the quota
// True when an allocation has failed since the arena was made or reset. Lets code that cannot
// report a failure where it happens (br_vector_value) have it noticed by its caller.
bool br_arena_failed(const br_arena *arena);

#define BR_ALLOC(arena, type, count) \
    ((type *)br_arena_array((arena), (count), sizeof(type), _Alignof(type)))

#endif
