// snapshot.c - sets of versions, and finding a table in them by name.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/snapshot.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/heap.h"

static uint64_t name_hash(const char *name)
{
    uint64_t hash = 0;
    for (const char *at = name; *at != 0; at++) {
        // SQLite folds ASCII letters only.
        char folded = *at >= 'A' && *at <= 'Z' ? (char)(*at + ('a' - 'A')) : *at;
        hash = br_hash_combine(hash, (uint8_t)folded);
    }
    return hash;
}

static bool name_equal(const char *left, const char *right)
{
    for (;; left++, right++) {
        char l = *left >= 'A' && *left <= 'Z' ? (char)(*left + ('a' - 'A')) : *left;
        char r = *right >= 'A' && *right <= 'Z' ? (char)(*right + ('a' - 'A')) : *right;
        if (l != r) return false;
        if (l == 0) return true;
    }
}

static br_name_index *names_new(br_version *const *tables, uint32_t table_count)
{
    uint32_t capacity = 8;
    while (capacity < table_count * 2) capacity *= 2;
    br_name_index *names = br_heap_zalloc(sizeof *names + capacity * sizeof names->slots[0]);
    if (names == NULL) return NULL;
    atomic_init(&names->refs, 1);
    names->capacity = capacity;
    for (uint32_t i = 0; i < table_count; i++) {
        uint32_t slot = (uint32_t)name_hash(tables[i]->spec.name) & (capacity - 1);
        while (names->slots[slot] != 0) slot = (slot + 1) & (capacity - 1);
        names->slots[slot] = i + 1;
    }
    return names;
}

br_status br_snapshot_new(br_version *const *tables, uint32_t table_count,
                          const br_snapshot *names_of, br_snapshot **snapshot_out, br_error *err)
{
    br_snapshot *snapshot = br_heap_zalloc(sizeof *snapshot + table_count * sizeof *tables);
    br_name_index *names = NULL;
    if (names_of != NULL) {
        br_assert(names_of->table_count == table_count);
        names = names_of->names;
        atomic_fetch_add_explicit(&names->refs, 1, memory_order_relaxed);
    } else {
        names = names_new(tables, table_count);
    }
    if (snapshot == NULL || names == NULL) {
        br_heap_free(snapshot);
        if (names_of == NULL) br_heap_free(names);
        else atomic_fetch_sub_explicit(&names_of->names->refs, 1, memory_order_relaxed);
        return br_fail(err, BR_NOMEM, "no memory for a snapshot of %u tables", table_count);
    }
    atomic_init(&snapshot->refs, 1);
    snapshot->names = names;
    snapshot->table_count = table_count;
    for (uint32_t i = 0; i < table_count; i++) snapshot->tables[i] = br_version_acquire(tables[i]);
    *snapshot_out = snapshot;
    return BR_OK;
}

br_snapshot *br_snapshot_share(br_snapshot *snapshot)
{
    // Relaxed: whoever shares already holds a reference.
    atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
    return snapshot;
}

void br_snapshot_drop(br_snapshot *snapshot)
{
    // Release pairs with acquire of the last dropper: all uses happen before the free.
    if (snapshot == NULL ||
        atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < snapshot->table_count; i++) br_version_drop(snapshot->tables[i]);
    if (atomic_fetch_sub_explicit(&snapshot->names->refs, 1, memory_order_acq_rel) == 1)
        br_heap_free(snapshot->names);
    br_heap_free(snapshot);
}

br_watermark br_snapshot_watermark(const br_snapshot *snapshot) { return snapshot->watermark; }

uint64_t br_snapshot_version(const br_snapshot *snapshot) { return snapshot->version; }

uint32_t br_snapshot_table_count(const br_snapshot *snapshot) { return snapshot->table_count; }

const br_table_view *br_snapshot_table_at(const br_snapshot *snapshot, uint32_t index)
{
    br_assert(index < snapshot->table_count);
    return snapshot->tables[index];
}

const br_table_view *br_snapshot_find(const br_snapshot *snapshot, const char *table_name)
{
    const br_name_index *names = snapshot->names;
    uint32_t slot = (uint32_t)name_hash(table_name) & (names->capacity - 1);
    for (; names->slots[slot] != 0; slot = (slot + 1) & (names->capacity - 1)) {
        const br_version *version = snapshot->tables[names->slots[slot] - 1];
        if (name_equal(version->spec.name, table_name)) return version;
    }
    return NULL;
}

br_version *br_snapshot_find_id(const br_snapshot *snapshot, uint32_t table_id)
{
    for (uint32_t i = 0; i < snapshot->table_count; i++) {
        if (snapshot->tables[i]->spec.table_id == table_id) return snapshot->tables[i];
    }
    return NULL;
}
