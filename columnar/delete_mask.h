// delete_mask.h - which rows of a segment or delta are dead.
//
//     mask set              one segment's masks; NULL: every row lives
//       mask                one chunk's bitmap, 8 KiB; NULL: every row of the chunk lives
//
// Both levels are counted references and copied on write: killing a row in a set that somebody else
// also holds replaces the set, and the one mask touched, by private copies.
//
// Invariants, asserted by br_mask_set_check:
//   1. A mask's dead_count is its number of ones and never 0; a set's is the sum over its masks.
//   2. What has more than one holder never changes.
//
// Ownership: a set holds a reference to each of its masks. Masks are charged to the quota given.
// Threads:   shared ones are immutable; counters are atomic.
// Errors:    a failed kill leaves *set as it was.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_DELETE_MASK_H
#define BR_COLUMNAR_DELETE_MASK_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/vector.h"

enum { BR_MASK_WORDS = BR_CHUNK_ROWS / 64 };

typedef struct br_mask {
    _Atomic uint32_t refs;
    uint32_t dead_count;
    br_quota *quota;
    uint64_t dead[BR_MASK_WORDS];  // 1: the row is dead
} br_mask;

typedef struct br_mask_set {
    _Atomic uint32_t refs;
    uint32_t chunk_count;
    uint64_t dead_count;
    br_mask *masks[];
} br_mask_set;

br_mask_set *br_mask_set_acquire(br_mask_set *set);  // NULL gives NULL
void br_mask_set_drop(br_mask_set *set);             // NULL is a no-op

// Rows of a chunk, and of a segment of `chunk_count` chunks, to kill.
typedef struct br_mask_range {
    uint32_t chunk_count;  // the set grows to this many chunks
    uint32_t chunk;
    uint32_t first;
    uint32_t row_count;
} br_mask_range;

// Kills the rows of the range that still live; *killed_out tells how many did.
BR_CHECKED br_status br_mask_set_kill(br_mask_set **set, br_mask_range range, br_quota *quota,
                                      uint32_t *killed_out, br_error *err);
// Bits of a chunk, or NULL when all its rows live. The set may be NULL.
static inline const uint64_t *br_mask_set_bits(const br_mask_set *set, uint32_t chunk)
{
    if (set == 0 || chunk >= set->chunk_count || set->masks[chunk] == 0) return 0;
    return set->masks[chunk]->dead;
}
static inline bool br_mask_set_is_dead(const br_mask_set *set, uint32_t chunk, uint32_t row)
{
    const uint64_t *dead = br_mask_set_bits(set, chunk);
    return dead != 0 && br_bitmap_get(dead, row);
}
static inline uint64_t br_mask_set_dead_count(const br_mask_set *set)
{
    return set == 0 ? 0 : set->dead_count;
}

// How masks lie in the catalog: below BR_MASK_LIST_MAX dead rows as ascending uint16 positions, the
// whole bitmap otherwise. `bytes_out` has room for BR_MASK_BLOB_BYTES.
enum { BR_MASK_BLOB_BYTES = BR_MASK_WORDS * 8, BR_MASK_LIST_MAX = BR_MASK_BLOB_BYTES / 2 };
uint32_t br_mask_store(const br_mask *mask, uint8_t *bytes_out);
// Adds a stored mask to a set under construction. False: the bytes are not a mask of a chunk of
// `row_count` rows, of which `dead_count` are dead.
typedef struct br_mask_stored {
    const uint8_t *bytes;
    uint32_t size_bytes;
    uint32_t dead_count;
    uint32_t row_count;
} br_mask_stored;
BR_CHECKED br_status br_mask_set_load(br_mask_set **set, uint32_t chunk_count, uint32_t chunk,
                                      br_mask_stored stored, br_quota *quota, bool *valid_out,
                                      br_error *err);

// Tells what is wrong, or NULL.
const char *br_mask_set_check(const br_mask_set *set);

#endif
