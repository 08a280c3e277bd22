// key_ranges.h - sets of keys as ranges, and the bytes that stand for one in a log.
//
// Packed: for each range, in ascending order, the distance of its first key from the last key of
// the range before (from 0 at the beginning), zigzag, and its length less one; both as varints of
// seven bits a byte, the lowest first.
//
// Ownership: a set owns its ranges. Threads: one thread. Errors: adding returns false when there is
// no memory; the set is then as it was.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_KEY_RANGES_H
#define BR_BASE_KEY_RANGES_H

#include "base/bytes.h"
#include "base/type.h"

typedef struct br_key_range {
    int64_t first, last;
} br_key_range;

typedef struct br_key_ranges {
    br_key_range *items;
    size_t count, capacity;
} br_key_ranges;

void br_key_ranges_release(br_key_ranges *ranges); // accepts a zeroed set
// Keys that follow each other up or down make one range.
bool br_key_ranges_add(br_key_ranges *ranges, int64_t key);
// Puts the ranges in order, joins those that touch, and drops what is above `last`.
void br_key_ranges_normalise(br_key_ranges *ranges, int64_t last);
// Appends packed ranges of a set in order, from *at on, until there are `limit_bytes`; *at is then
// where to go on.
bool br_key_ranges_pack(const br_key_ranges *ranges, size_t *at, size_t limit_bytes,
                        br_buffer *out);

typedef struct br_key_range_reader {
    const uint8_t *next, *end;
    int64_t previous;
    bool is_damaged; // the bytes are no packed ranges
} br_key_range_reader;

br_key_range_reader br_key_range_reader_make(br_text packed);
// False at the end, and where the bytes are damaged.
bool br_key_range_next(br_key_range_reader *reader, br_key_range *range_out);

#endif
