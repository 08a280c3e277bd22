// page_cache.h - opened pages of segments, kept in memory up to a budget.
//
// Each page of each segment has a slot. A hot look-up is one atomic addition on the slot:
//
//     state = PAGE_LOADED | pins      a page is there; it stays while pins > 0
//     state = pins                    nothing there (pins of those who are about to find out)
//
// Missing pages are read in batches, verified by br_page_open outside of any lock, and installed
// under the cache's lock. When more than the budget is loaded, a clock hand passes over the loaded
// slots, sparing pinned and recently used ones.
//
// Invariants:
//   1. A slot is in the clock exactly when it is loaded.
//   2. A page is freed only by who moved its state from PAGE_LOADED to 0.
//
// Ownership: the cache owns the pages and idle loaders; slots live in their segments.
// Threads:   locked (`lock`; no I/O under it); pins are lock-free.
// Errors:    a failed pin leaves nothing pinned.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_PAGE_CACHE_H
#define BR_COLUMNAR_PAGE_CACHE_H

#include <stdatomic.h>

#include "base/io_ring.h"
#include "base/thread.h"
#include "format/format.h"

struct br_segment;

enum { BR_PAGE_LOADED = 1 << 30 };

typedef struct br_page_slot {
    _Atomic uint32_t state;
    _Atomic bool is_recent;  // relaxed: a hint
    uint32_t clock_index;    // guarded by the cache's lock
    br_page *page;           // valid while loaded and pinned
} br_page_slot;

typedef struct br_page_loader br_page_loader;

typedef struct br_page_cache {
    const br_format_kernels *kernels;
    br_quota *quota;
    br_io_mode io_mode;
    size_t limit_bytes;
    _Atomic uint32_t segment_count;  // that use it; release on leaving, acquire before the end
    br_lock lock;
    // Guarded by the lock:
    size_t used_bytes;
    br_page_slot **clock;
    size_t clock_count, clock_capacity, clock_hand;
    br_page_loader *idle;  // loaders nobody uses, linked
} br_page_cache;

typedef struct br_page_want {
    struct br_segment *segment;
    uint32_t column, chunk;
    br_page_slot *slot;   // out
    const br_page *page;  // out
} br_page_want;

typedef struct br_page_io {
    uint64_t pages_loaded, bytes_loaded;
} br_page_io;

void br_page_cache_init(br_page_cache *cache, const br_format_kernels *kernels, br_quota *quota,
                        br_io_mode io_mode, size_t limit_bytes);
void br_page_cache_release(br_page_cache *cache);  // all segments are gone

// Pins all the pages, reading those that are missing. `io` is added to.
BR_CHECKED br_status br_page_cache_pin(br_page_cache *cache, br_page_want *wants, uint32_t count,
                                       br_page_io *io, br_error *err);
void br_page_unpin(br_page_slot *slot);
// Takes the pages of a segment that nobody uses any more out of the cache.
void br_page_cache_forget(br_page_cache *cache, struct br_segment *segment);
// Lets go of all pages that are not pinned.
void br_page_cache_empty(br_page_cache *cache);

#endif
