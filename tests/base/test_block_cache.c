// test_block_cache.c - blocks that wait, and arenas that get them again.
// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"
#include "base/heap.h"
#include "base/task_pool.h"
#include "tests/test.h"

enum { MIB = 1 << 20 };

static void test_cache_gives_the_smallest_that_fits(void)
{
    static const size_t sizes[] = {2 * MIB, MIB, MIB + MIB / 8, 8 * MIB};
    br_block_cache *cache = br_block_cache_new(64 * MIB);
    size_t size_bytes = 0;
    for (size_t i = 0; i < 4; i++)
        CHECK(br_block_cache_put(cache, br_heap_aligned(sizes[i]), sizes[i]));
    CHECK_INT(br_block_cache_bytes(cache), 12 * MIB + MIB / 8);
    void *block = br_block_cache_take(cache, MIB - 100, &size_bytes);
    CHECK_INT(size_bytes, MIB);
    br_heap_free(block);
    block = br_block_cache_take(cache, MIB - 100, &size_bytes);
    CHECK_INT(size_bytes, MIB + MIB / 8);
    br_heap_free(block);
    CHECK(br_block_cache_take(cache, MIB - 100, &size_bytes) == NULL);  // others are far too large
    CHECK(br_block_cache_take(cache, 9 * MIB, &size_bytes) == NULL);
    CHECK_INT(br_block_cache_bytes(cache), 10 * MIB);
    br_block_cache_free(cache);
}

static void test_cache_has_a_limit(void)
{
    br_block_cache *cache = br_block_cache_new(2 * MIB);
    void *small = br_heap_aligned(1000), *one = br_heap_aligned(MIB);
    void *two = br_heap_aligned(2 * MIB);
    CHECK(!br_block_cache_put(cache, small, 1000));
    CHECK(br_block_cache_put(cache, one, MIB));
    CHECK(!br_block_cache_put(cache, two, 2 * MIB));
    CHECK_INT(br_block_cache_drain(cache, 1), MIB);
    CHECK_INT(br_block_cache_drain(cache, 1), 0);
    CHECK(br_block_cache_put(cache, two, 2 * MIB));
    br_heap_free(small);
    br_block_cache_free(cache);
}

// What the cache holds stays charged, and makes way for what is wanted.
static void test_cached_blocks_are_within_the_budget(void)
{
    br_quota database, query;
    br_quota_init(&database, 16 * MIB, NULL);
    database.cache = br_block_cache_new(8 * MIB);
    br_quota_init(&query, 12 * MIB, &database);
    for (uint32_t round = 0; round < 3; round++) {
        br_arena *arena = br_arena_new(&query);
        CHECK(br_arena_alloc(arena, 6 * MIB, 64) != NULL);
        CHECK(atomic_load(&query.used_bytes) >= 6 * MIB);
        CHECK(atomic_load(&database.used_bytes) >= atomic_load(&query.used_bytes));
        CHECK(br_arena_alloc(arena, 7 * MIB, 64) == NULL);
        br_arena_free(arena);
        CHECK_INT(atomic_load(&query.used_bytes), 0);
        CHECK_INT(atomic_load(&database.used_bytes), br_block_cache_bytes(database.cache));
        CHECK_INT(br_quota_room(&query), 12 * MIB);
    }
    CHECK(br_quota_take(&database, 15 * MIB));
    CHECK_INT(br_block_cache_bytes(database.cache), 0);
    CHECK_INT(atomic_load(&database.used_bytes), 15 * MIB);
    CHECK_INT(atomic_load(&database.peak_bytes), 15 * MIB);
    CHECK(!br_quota_take(&database, 2 * MIB));
    br_quota_give(&database, 15 * MIB);
    br_block_cache_free(database.cache);
}

static br_status use_blocks(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    br_arena *arena = br_arena_new(context);
    size_t size_bytes = (size_t)(1 + index % 3) * MIB;
    unsigned char *bytes = arena == NULL ? NULL : br_arena_alloc(arena, size_bytes, 64);
    if (bytes == NULL) {
        br_arena_free(arena);
        return br_fail(err, BR_NOMEM, "blocks");
    }
    memset(bytes, (int)index, size_bytes);
    bool is_whole = bytes[0] == (unsigned char)index && bytes[size_bytes - 1] == bytes[0];
    br_arena_free(arena);
    return is_whole ? BR_OK : br_fail(err, BR_INTERNAL, "a block was used twice");
}

static void test_cache_serves_threads(void)
{
    br_error err;
    br_task_pool *pool;
    br_quota database;
    br_quota_init(&database, 16 * MIB, NULL);
    database.cache = br_block_cache_new(4 * MIB);
    MUST(br_task_pool_new(4, &pool, &err), err);
    MUST(br_task_pool_run(pool, 0, 200, use_blocks, &database, &err), err);
    CHECK_INT(atomic_load(&database.used_bytes), br_block_cache_bytes(database.cache));
    br_task_pool_free(pool);
    br_block_cache_free(database.cache);
}

int main(void)
{
    RUN(test_cache_gives_the_smallest_that_fits);
    RUN(test_cache_has_a_limit);
    RUN(test_cached_blocks_are_within_the_budget);
    RUN(test_cache_serves_threads);
    return test_result();
}
