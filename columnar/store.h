// store.h - the inside of br_store: what the writer works on and what readers take.
//
// Lock: `lock` guards `current` and nothing else; it is held for a reference count, never for I/O
// or allocation.
//
// Threads: everything else is the writer's, but for next_segment_id and the page cache.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_STORE_H
#define BR_COLUMNAR_STORE_H

#include "base/thread.h"
#include "columnar/catalog.h"
#include "columnar/snapshot.h"

struct br_table {
    uint32_t table_id;
    br_version *published;  // borrowed from store->current; NULL: added by the apply in progress
    br_version *draft;      // of the apply in progress; NULL: untouched
};

struct br_store {
    br_store_config config;
    char *folder;
    br_page_cache cache;
    br_catalog *catalog;  // NULL: read only
    _Atomic uint64_t next_segment_id;
    br_table **tables;
    uint32_t table_count;
    size_t table_capacity;
    br_apply *apply;       // in progress, or NULL
    br_snapshot *durable;  // what the catalog says
    uint64_t version;      // of `current`
    br_lock lock;
    br_snapshot *current;  // guarded by lock; written by the writer only
};

// Makes `snapshot` what readers get and the tables' published versions; takes the reference over.
// The snapshot's tables are those of store->tables, in order.
void br_store_install(br_store *store, br_snapshot *snapshot);
// A segment with an id of its own, not yet written.
br_segment_source br_store_new_segment(br_store *store);
// Sets is_named of the segments that only one of the snapshots has.
void br_store_mark_named(const br_snapshot *before, const br_snapshot *after);

#endif
