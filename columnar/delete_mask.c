// delete_mask.c - copy-on-write bitmaps of dead rows.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/delete_mask.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/heap.h"

static br_mask *mask_acquire(br_mask *mask)
{
    // Relaxed: whoever acquires already holds a reference.
    if (mask != NULL) atomic_fetch_add_explicit(&mask->refs, 1, memory_order_relaxed);
    return mask;
}

static void mask_drop(br_mask *mask)
{
    // Release pairs with acquire of the last dropper: all uses happen before the free.
    if (mask == NULL || atomic_fetch_sub_explicit(&mask->refs, 1, memory_order_acq_rel) != 1)
        return;
    br_quota_give(mask->quota, sizeof *mask);
    br_heap_free(mask);
}

// A private copy of `mask`, or an empty one when it is NULL; without a holder being counted out.
static br_mask *mask_copy(const br_mask *mask, br_quota *quota)
{
    if (!br_quota_take(quota, sizeof(br_mask))) return NULL;
    br_mask *copy = br_heap_alloc(sizeof *copy);
    if (copy == NULL) {
        br_quota_give(quota, sizeof *copy);
        return NULL;
    }
    atomic_init(&copy->refs, 1);
    copy->quota = quota;
    copy->dead_count = mask == NULL ? 0 : mask->dead_count;
    if (mask == NULL) memset(copy->dead, 0, sizeof copy->dead);
    else memcpy(copy->dead, mask->dead, sizeof copy->dead);
    return copy;
}

br_mask_set *br_mask_set_acquire(br_mask_set *set)
{
    if (set != NULL) atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void br_mask_set_drop(br_mask_set *set)
{
    if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t i = 0; i < set->chunk_count; i++) mask_drop(set->masks[i]);
    br_heap_free(set);
}

// Acquire pairs with the release of the holder that dropped last before us.
static bool set_is_private(const br_mask_set *set)
{
    return atomic_load_explicit(&set->refs, memory_order_acquire) == 1;
}

// Makes *set private and at least `chunk_count` chunks long.
static bool set_own(br_mask_set **set, uint32_t chunk_count)
{
    br_mask_set *old = *set;
    if (old != NULL && old->chunk_count >= chunk_count && set_is_private(old)) return true;
    uint32_t copied = old == NULL ? 0 : old->chunk_count;
    if (chunk_count < copied) chunk_count = copied;
    br_mask_set *copy = br_heap_zalloc(sizeof *copy + chunk_count * sizeof(br_mask *));
    if (copy == NULL) return false;
    atomic_init(&copy->refs, 1);
    copy->chunk_count = chunk_count;
    for (uint32_t i = 0; i < copied; i++) copy->masks[i] = mask_acquire(old->masks[i]);
    copy->dead_count = br_mask_set_dead_count(old);
    br_mask_set_drop(old);
    *set = copy;
    return true;
}

static uint32_t count_dead(const uint64_t *dead, uint32_t first, uint32_t row_count)
{
    if (row_count == 1) return br_bitmap_get(dead, first);
    uint32_t count = 0;
    for (uint32_t row = first; row < first + row_count; row++) count += br_bitmap_get(dead, row);
    return count;
}

br_status br_mask_set_kill(br_mask_set **set, br_mask_range range, br_quota *quota,
                           uint32_t *killed_out, br_error *err)
{
    br_assert(range.chunk < range.chunk_count);
    br_assert(range.first + range.row_count <= BR_CHUNK_ROWS);
    const uint64_t *dead = br_mask_set_bits(*set, range.chunk);
    uint32_t dead_before = dead == NULL ? 0 : count_dead(dead, range.first, range.row_count);
    uint32_t killed = range.row_count - dead_before;
    *killed_out = killed;
    if (killed == 0) return BR_OK;
    if (!set_own(set, range.chunk_count))
        return br_fail(err, BR_NOMEM, "no memory for delete masks of %u chunks", range.chunk_count);
    br_mask *mask = (*set)->masks[range.chunk];
    if (mask == NULL || atomic_load_explicit(&mask->refs, memory_order_acquire) != 1) {
        br_mask *copy = mask_copy(mask, quota);
        if (copy == NULL) return br_fail(err, BR_NOMEM, "no memory for a delete mask");
        mask_drop(mask);
        (*set)->masks[range.chunk] = mask = copy;
    }
    for (uint32_t i = 0; i < range.row_count; i++) br_bitmap_set(mask->dead, range.first + i);
    mask->dead_count += killed;
    (*set)->dead_count += killed;
    return BR_OK;
}

uint32_t br_mask_store(const br_mask *mask, uint8_t *bytes_out)
{
    if (mask->dead_count >= BR_MASK_LIST_MAX) {
        memcpy(bytes_out, mask->dead, BR_MASK_BLOB_BYTES);
        return BR_MASK_BLOB_BYTES;
    }
    uint16_t positions[BR_MASK_LIST_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < BR_MASK_WORDS; i++) {
        for (uint64_t word = mask->dead[i]; word != 0; word &= word - 1) {
            br_assert(count < BR_MASK_LIST_MAX);
            positions[count++] = (uint16_t)(i * 64 + (uint32_t)__builtin_ctzll(word));
        }
    }
    memcpy(bytes_out, positions, count * sizeof positions[0]);
    return count * (uint32_t)sizeof positions[0];
}

// Undoes br_mask_store; the bytes come from disk and may be anything.
static bool mask_parse(br_mask *mask, br_mask_stored stored)
{
    if (stored.dead_count == 0 || stored.dead_count > stored.row_count) return false;
    if (stored.dead_count >= BR_MASK_LIST_MAX) {
        if (stored.size_bytes != BR_MASK_BLOB_BYTES) return false;
        memcpy(mask->dead, stored.bytes, BR_MASK_BLOB_BYTES);
        for (uint32_t row = stored.row_count; row < BR_CHUNK_ROWS; row++) {
            if (br_bitmap_get(mask->dead, row)) return false;
        }
    } else {
        if (stored.size_bytes != stored.dead_count * 2) return false;
        for (uint32_t i = 0; i < stored.dead_count; i++) {
            uint32_t row = br_load_u16(stored.bytes + (size_t)i * 2);
            if (row >= stored.row_count) return false;
            br_bitmap_set(mask->dead, row);
        }
    }
    mask->dead_count = stored.dead_count;
    return br_bitmap_count(mask->dead, BR_CHUNK_ROWS) == stored.dead_count;
}

br_status br_mask_set_load(br_mask_set **set, uint32_t chunk_count, uint32_t chunk,
                           br_mask_stored stored, br_quota *quota, bool *valid_out, br_error *err)
{
    br_assert(chunk < chunk_count);
    if (!set_own(set, chunk_count))
        return br_fail(err, BR_NOMEM, "no memory for delete masks of %u chunks", chunk_count);
    br_assert((*set)->masks[chunk] == NULL);
    br_mask *mask = mask_copy(NULL, quota);
    if (mask == NULL) return br_fail(err, BR_NOMEM, "no memory for a delete mask");
    *valid_out = mask_parse(mask, stored);
    if (!*valid_out) {
        mask_drop(mask);
        return BR_OK;
    }
    (*set)->masks[chunk] = mask;
    (*set)->dead_count += mask->dead_count;
    return BR_OK;
}

const char *br_mask_set_check(const br_mask_set *set)
{
    if (set == NULL) return NULL;
    uint64_t dead_count = 0;
    for (uint32_t i = 0; i < set->chunk_count; i++) {
        const br_mask *mask = set->masks[i];
        if (mask == NULL) continue;
        if (mask->dead_count == 0) return "a delete mask without dead rows";
        if (mask->dead_count != br_bitmap_count(mask->dead, BR_CHUNK_ROWS))
            return "a delete mask whose count is not its number of ones";
        dead_count += mask->dead_count;
    }
    return dead_count == set->dead_count ? NULL : "a mask set whose count is not that of its masks";
}
