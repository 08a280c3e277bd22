// page_cache.c - pinning, loading and evicting opened pages.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/page_cache.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/segment.h"

enum {
    LOAD_PAGES_MAX = 64,                 // reads of one batch
    LOAD_BYTES_MAX = 16 * 1024 * 1024,   // of one batch, unless a single page is larger
    LOAD_PART = 32,                      // nor more than this part of the cache
    PLACE_BYTES = 320,
};

// What one thread needs to read pages.
struct br_page_loader {
    br_page_loader *next;
    br_io_ring *ring;
    uint8_t *bytes;
    size_t capacity_bytes;
};

void br_page_cache_init(br_page_cache *cache, const br_format_kernels *kernels, br_quota *quota,
                        br_io_mode io_mode, size_t limit_bytes)
{
    *cache = (br_page_cache){.kernels = kernels,
                             .quota = quota,
                             .io_mode = io_mode,
                             .limit_bytes = limit_bytes};
    br_lock_init(&cache->lock);
}

static void loader_free(br_page_loader *loader)
{
    br_io_ring_free(loader->ring);
    br_heap_free(loader->bytes);
    br_heap_free(loader);
}

void br_page_cache_release(br_page_cache *cache)
{
    br_assert(cache->clock_count == 0);
    while (cache->idle != NULL) {
        br_page_loader *next = cache->idle->next;
        loader_free(cache->idle);
        cache->idle = next;
    }
    br_heap_free(cache->clock);
    br_lock_release(&cache->lock);
    *cache = (br_page_cache){0};
}

// ---- pins ------------------------------------------------------------------------------------

// Acquire pairs with the release of slot_install: who sees PAGE_LOADED sees the page.
static bool slot_try_pin(br_page_slot *slot)
{
    uint32_t before = atomic_fetch_add_explicit(&slot->state, 1, memory_order_acquire);
    if ((before & BR_PAGE_LOADED) == 0) {
        atomic_fetch_sub_explicit(&slot->state, 1, memory_order_relaxed);
        return false;
    }
    if (!atomic_load_explicit(&slot->is_recent, memory_order_relaxed))
        atomic_store_explicit(&slot->is_recent, true, memory_order_relaxed);
    return true;
}

void br_page_unpin(br_page_slot *slot)
{
    // Release pairs with the acquire of slot_evict_locked: all uses end before the page is freed.
    uint32_t before = atomic_fetch_sub_explicit(&slot->state, 1, memory_order_release);
    br_assert((before & ~(uint32_t)BR_PAGE_LOADED) != 0);
    (void)before;
}

// ---- eviction --------------------------------------------------------------------------------

static void clock_remove_locked(br_page_cache *cache, br_page_slot *slot)
{
    br_page_slot *last = cache->clock[--cache->clock_count];
    cache->clock[slot->clock_index] = last;
    last->clock_index = slot->clock_index;
}

// Frees the page of the slot unless somebody has it pinned.
static bool slot_evict_locked(br_page_cache *cache, br_page_slot *slot)
{
    uint32_t expected = BR_PAGE_LOADED;
    if (!atomic_compare_exchange_strong_explicit(&slot->state, &expected, 0, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    br_page *page = slot->page;
    slot->page = NULL;
    cache->used_bytes -= br_page_bytes(page);
    clock_remove_locked(cache, slot);
    br_page_free(page);
    return true;
}

// Two rounds at most: one to take the marks of recent use away, one to evict.
static void evict_locked(br_page_cache *cache, size_t limit_bytes)
{
    for (size_t steps = cache->clock_count * 2;
         steps > 0 && cache->used_bytes > limit_bytes && cache->clock_count > 0; steps--) {
        if (cache->clock_hand >= cache->clock_count) cache->clock_hand = 0;
        br_page_slot *slot = cache->clock[cache->clock_hand];
        if (atomic_load_explicit(&slot->is_recent, memory_order_relaxed)) {
            atomic_store_explicit(&slot->is_recent, false, memory_order_relaxed);
            cache->clock_hand++;
        } else if (!slot_evict_locked(cache, slot)) {
            cache->clock_hand++;
        }
    }
}

void br_page_cache_empty(br_page_cache *cache)
{
    br_lock_take(&cache->lock);
    evict_locked(cache, 0);
    br_lock_give(&cache->lock);
}

void br_page_cache_forget(br_page_cache *cache, br_segment *segment)
{
    size_t slot_count = (size_t)segment->column_count * segment->chunk_count;
    br_lock_take(&cache->lock);
    for (size_t i = 0; i < slot_count; i++) {
        br_page_slot *slot = &segment->slots[i];
        if ((atomic_load_explicit(&slot->state, memory_order_relaxed) & BR_PAGE_LOADED) == 0)
            continue;
        bool evicted = slot_evict_locked(cache, slot);
        br_assert(evicted);
        (void)evicted;
    }
    br_lock_give(&cache->lock);
}

// ---- loading ---------------------------------------------------------------------------------

static br_status loader_take(br_page_cache *cache, br_page_loader **loader_out, br_error *err)
{
    br_lock_take(&cache->lock);
    br_page_loader *loader = cache->idle;
    if (loader != NULL) cache->idle = loader->next;
    br_lock_give(&cache->lock);
    if (loader == NULL) {
        loader = br_heap_zalloc(sizeof *loader);
        if (loader == NULL) return br_fail(err, BR_NOMEM, "no memory to read pages");
        br_status status = br_io_ring_new(cache->io_mode, &loader->ring, err);
        if (status != BR_OK) {
            loader_free(loader);
            return status;
        }
    }
    *loader_out = loader;
    return BR_OK;
}

static void loader_give(br_page_cache *cache, br_page_loader *loader)
{
    br_lock_take(&cache->lock);
    loader->next = cache->idle;
    cache->idle = loader;
    br_lock_give(&cache->lock);
}

static br_status loader_reserve(br_page_loader *loader, size_t size_bytes, br_error *err)
{
    if (size_bytes <= loader->capacity_bytes) return BR_OK;
    br_heap_free(loader->bytes);
    loader->capacity_bytes = 0;
    loader->bytes = br_heap_aligned(size_bytes);
    if (loader->bytes == NULL)
        return br_fail(err, BR_NOMEM, "no memory to read %zu bytes of pages", size_bytes);
    loader->capacity_bytes = size_bytes;
    return BR_OK;
}

static const br_page_entry *want_entry(const br_page_want *want)
{
    return br_segment_entry(want->segment, want->column, want->chunk);
}

static br_status page_open_once(br_page_cache *cache, const br_page_want *want,
                                const uint8_t *bytes, br_page **page_out, br_error *err)
{
    const br_page_entry *entry = want_entry(want);
    char place[PLACE_BYTES];
    snprintf(place, sizeof place, "%s: page at offset %" PRIu64, want->segment->path,
             entry->offset);
    return br_page_open(bytes, entry->stored_bytes, entry, cache->kernels, place, cache->quota,
                        page_out, err);
}

// Makes the page that was read usable and pins it; somebody else may have been faster.
static br_status slot_install(br_page_cache *cache, br_page_want *want, const uint8_t *bytes,
                              br_error *err)
{
    br_page *page = NULL;
    br_status status = page_open_once(cache, want, bytes, &page, err);
    if (status == BR_NOMEM) {
        // The quota is shared with the deltas; what is only cached makes room.
        br_page_cache_empty(cache);
        status = page_open_once(cache, want, bytes, &page, err);
    }
    if (status != BR_OK) return status;

    br_page_slot *slot = br_segment_slot(want->segment, want->column, want->chunk);
    br_lock_take(&cache->lock);
    bool is_new = (atomic_load_explicit(&slot->state, memory_order_relaxed) & BR_PAGE_LOADED) == 0;
    bool has_room = !is_new || br_heap_grow((void **)&cache->clock, sizeof *cache->clock,
                                            cache->clock_count, &cache->clock_capacity);
    if (is_new && has_room) {
        slot->page = page;
        slot->clock_index = (uint32_t)cache->clock_count;
        cache->clock[cache->clock_count++] = slot;
        cache->used_bytes += br_page_bytes(page);
        // Not recent until used again: what one large scan reads goes before what many use.
        atomic_store_explicit(&slot->is_recent, false, memory_order_relaxed);
        atomic_fetch_add_explicit(&slot->state, BR_PAGE_LOADED + 1u, memory_order_release);
        page = NULL;
        if (cache->used_bytes > cache->limit_bytes) evict_locked(cache, cache->limit_bytes);
    } else if (!is_new) {
        // Loaded stays loaded under the lock, so this cannot miss.
        atomic_fetch_add_explicit(&slot->state, 1, memory_order_acquire);
    }
    br_lock_give(&cache->lock);
    if (page != NULL) br_page_free(page);
    if (!has_room) return br_fail(err, BR_NOMEM, "no memory for the page cache");
    want->slot = slot;
    want->page = slot->page;
    return BR_OK;
}

// Reads and installs wants[0..count-1], all missing.
static br_status load_batch(br_page_cache *cache, br_page_loader *loader, br_page_want **wants,
                            uint32_t count, br_error *err)
{
    br_io_read reads[LOAD_PAGES_MAX];
    size_t total_bytes = 0;
    for (uint32_t i = 0; i < count; i++) total_bytes += want_entry(wants[i])->stored_bytes;
    BR_TRY(loader_reserve(loader, total_bytes, err));
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        const br_page_entry *entry = want_entry(wants[i]);
        reads[i] = (br_io_read){.file = br_segment_reader_file(wants[i]->segment->reader),
                                .offset = entry->offset,
                                .bytes = loader->bytes + at,
                                .size_bytes = entry->stored_bytes};
        at += entry->stored_bytes;
    }
    BR_TRY(br_io_ring_read(loader->ring, reads, count, err));
    for (uint32_t i = 0; i < count; i++)
        BR_TRY(slot_install(cache, wants[i], reads[i].bytes, err));
    return BR_OK;
}

static br_status load_missing(br_page_cache *cache, br_page_want *wants, uint32_t count,
                              br_page_io *io, br_error *err)
{
    br_page_loader *loader = NULL;
    BR_TRY(loader_take(cache, &loader, err));
    br_page_want *batch[LOAD_PAGES_MAX];
    uint32_t batch_count = 0;
    size_t batch_bytes = 0, most_bytes = cache->limit_bytes / LOAD_PART;
    if (most_bytes > LOAD_BYTES_MAX) most_bytes = LOAD_BYTES_MAX;
    br_status status = BR_OK;
    for (uint32_t i = 0; i <= count && status == BR_OK; i++) {
        bool is_end = i == count;
        if (!is_end && wants[i].page != NULL) continue;
        size_t size_bytes = is_end ? 0 : want_entry(&wants[i])->stored_bytes;
        bool is_full = batch_count == LOAD_PAGES_MAX || batch_bytes + size_bytes > most_bytes;
        if (batch_count > 0 && (is_end || is_full)) {
            status = load_batch(cache, loader, batch, batch_count, err);
            io->pages_loaded += batch_count;
            io->bytes_loaded += batch_bytes;
            batch_count = 0;
            batch_bytes = 0;
        }
        if (is_end) break;
        batch[batch_count++] = &wants[i];
        batch_bytes += size_bytes;
    }
    loader_give(cache, loader);
    return status;
}

br_status br_page_cache_pin(br_page_cache *cache, br_page_want *wants, uint32_t count,
                            br_page_io *io, br_error *err)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < count; i++) {
        br_page_slot *slot = br_segment_slot(wants[i].segment, wants[i].column, wants[i].chunk);
        bool is_pinned = slot_try_pin(slot);
        wants[i].slot = is_pinned ? slot : NULL;
        wants[i].page = is_pinned ? slot->page : NULL;
        missing += !is_pinned;
    }
    if (missing == 0) return BR_OK;
    br_status status = load_missing(cache, wants, count, io, err);
    if (status == BR_OK) return BR_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (wants[i].page != NULL) br_page_unpin(wants[i].slot);
        wants[i].slot = NULL;
        wants[i].page = NULL;
    }
    return status;
}
