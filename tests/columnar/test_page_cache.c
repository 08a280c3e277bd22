// test_page_cache.c - pins, budgets and damage, from one thread and from several.
// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"
#include "columnar/store.h"
#include "tests/columnar/model.h"

enum { ROWS = 100000, THREADS = 3 };

static uint64_t seed_given = 17;

typedef struct world {
    fixture base;
    model table;
    br_segment *segment;  // borrowed from the store
    _Atomic uint64_t loads;
} world;

static void world_open(world *all, size_t page_cache_bytes, br_io_mode mode)
{
    br_error err;
    all->table = model_new(1, ROWS);
    fixture_init(&all->base);
    all->base.config.page_cache_bytes = page_cache_bytes;
    all->base.config.io_mode = mode;
    fixture_open(&all->base);
    model_create(all->base.store, &all->table, "t", ROWS);
    MUST(br_store_checkpoint(all->base.store, (const uint8_t[16]){0}, &err), err);
    all->segment = all->base.store->current->tables[0]->segments[0].segment;
}

static void world_close(world *all)
{
    model_free(&all->table);
    fixture_release(&all->base);
}

static void want_all(const world *all, br_page_want *wants, uint32_t chunk)
{
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++)
        wants[c] = (br_page_want){.segment = all->segment, .column = c, .chunk = chunk};
}

static void test_page_cache_reads_each_page_once(void)
{
    static const br_io_mode modes[] = {BR_IO_AUTO, BR_IO_PREAD};
    for (int m = 0; m < 2; m++) {
        world all = {0};
        br_error err;
        br_page_want wants[MODEL_COLUMNS + 1];
        br_page_io io = {0};
        world_open(&all, SIZE_MAX, modes[m]);
        br_page_cache *cache = &all.base.store->cache;
        for (int round = 0; round < 3; round++) {
            want_all(&all, wants, 1);
            MUST(br_page_cache_pin(cache, wants, MODEL_COLUMNS + 1, &io, &err), err);
            for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) {
                CHECK_INT(br_page_rows(wants[c].page), ROWS - BR_CHUNK_ROWS);
                br_page_unpin(wants[c].slot);
            }
        }
        CHECK_INT(io.pages_loaded, MODEL_COLUMNS + 1);
        CHECK(io.bytes_loaded > 0 && cache->used_bytes > 0);
        br_page_cache_empty(cache);
        CHECK_INT(cache->used_bytes, 0);
        CHECK_INT(cache->clock_count, 0);
        world_close(&all);
    }
}

static void test_page_cache_keeps_pinned_pages_beyond_its_budget(void)
{
    world all = {0};
    br_error err;
    br_page_want wants[2][MODEL_COLUMNS + 1];
    br_page_io io = {0};
    world_open(&all, 1, BR_IO_AUTO);
    br_page_cache *cache = &all.base.store->cache;
    for (uint32_t chunk = 0; chunk < 2; chunk++) {
        want_all(&all, wants[chunk], chunk);
        MUST(br_page_cache_pin(cache, wants[chunk], MODEL_COLUMNS + 1, &io, &err), err);
    }
    CHECK_INT(cache->clock_count, 2 * (MODEL_COLUMNS + 1));
    br_page_cache_empty(cache);
    CHECK_INT(cache->clock_count, 2 * (MODEL_COLUMNS + 1));
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) {
        CHECK_INT(br_page_rows(wants[0][c].page), BR_CHUNK_ROWS);
        br_page_unpin(wants[0][c].slot);
    }
    br_page_cache_empty(cache);
    CHECK_INT(cache->clock_count, MODEL_COLUMNS + 1);
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) br_page_unpin(wants[1][c].slot);
    world_close(&all);
}

static void test_page_cache_refuses_damaged_pages(void)
{
    world all = {0};
    br_error err;
    br_page_want wants[MODEL_COLUMNS + 1];
    br_page_io io = {0};
    world_open(&all, SIZE_MAX, BR_IO_AUTO);
    br_page_cache *cache = &all.base.store->cache;
    const br_page_entry *entry = br_segment_entry(all.segment, 3, 0);
    FILE *file = fopen(all.segment->path, "r+");
    fseek(file, (long)(entry->offset + entry->stored_bytes / 2), SEEK_SET);
    fputs("damage", file);
    fclose(file);
    want_all(&all, wants, 0);
    CHECK_INT(br_page_cache_pin(cache, wants, MODEL_COLUMNS + 1, &io, &err), BR_CORRUPT);
    CHECK(strstr(err.message, all.segment->path) != NULL);
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) CHECK(wants[c].page == NULL);
    br_page_cache_empty(cache);
    CHECK_INT(cache->clock_count, 0);  // nothing stayed pinned
    br_snapshot *snapshot = br_snapshot_acquire(all.base.store);
    CHECK_INT(br_table_view_verify(br_snapshot_find(snapshot, "t"), &err), BR_CORRUPT);
    br_snapshot_drop(snapshot);
    world_close(&all);
}

// Pins random pages and looks at them while others evict what they can.
static void pin_many(void *context)
{
    world *all = context;
    br_error err;
    uint64_t random = seed_given + atomic_fetch_add(&all->loads, 1) * 7919;
    br_page_io io = {0};
    for (int i = 0; i < 3000; i++) {
        br_page_want want = {.segment = all->segment,
                             .column = (uint32_t)(test_random(&random) % (MODEL_COLUMNS + 1)),
                             .chunk = (uint32_t)(test_random(&random) % 2)};
        MUST(br_page_cache_pin(&all->base.store->cache, &want, 1, &io, &err), err);
        uint32_t rows = want.chunk == 0 ? BR_CHUNK_ROWS : ROWS - BR_CHUNK_ROWS;
        if (br_page_rows(want.page) != rows) exit(1);
        br_page_unpin(want.slot);
    }
    atomic_fetch_add(&all->loads, io.pages_loaded);
}

static void test_page_cache_serves_threads_that_evict_each_other(void)
{
    world all = {0};
    br_error err;
    br_thread threads[THREADS];
    world_open(&all, 700 * 1000, BR_IO_AUTO);
    for (int i = 0; i < THREADS; i++)
        MUST(br_thread_start(&threads[i], pin_many, &all, &err), err);
    for (int i = 0; i < THREADS; i++) br_thread_join(&threads[i]);
    CHECK(atomic_load(&all.loads) > 2 * (MODEL_COLUMNS + 1) + THREADS);  // some came again
    CHECK(all.base.store->cache.used_bytes <= 700 * 1000);
    world_close(&all);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed_given = strtoull(argv[1], NULL, 0);
    printf("seed %" PRIu64 "\n", seed_given);
    RUN(test_page_cache_reads_each_page_once);
    RUN(test_page_cache_keeps_pinned_pages_beyond_its_budget);
    RUN(test_page_cache_refuses_damaged_pages);
    RUN(test_page_cache_serves_threads_that_evict_each_other);
    return test_result();
}
