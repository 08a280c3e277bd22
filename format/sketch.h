// sketch.h - how sketches of columns are made and stored; private to format/.
//
// On disk (docs/format.md, section 1) a sketch is u32 registers, u32 common values, u64 rows, the
// registers, the common values. A block of them that is damaged is as good as none.
//
// Threads: one. Errors: BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_SKETCH_H
#define BR_FORMAT_SKETCH_H

#include "base/hash.h"
#include "format/encoding.h"

enum { BR_SKETCH_RANK_MAX = 64 - BR_SKETCH_BITS + 1 };

// Stored in files: see docs/format.md. Zero must not hash to zero, whose rank would be the largest.
static inline uint64_t br_hash_integer(uint64_t integer)
{
    return br_hash_u64(integer ^ 0x9e3779b97f4a7c15ull);
}

static inline uint64_t br_hash_real(double value)
{
    const double limit = 9223372036854775808.0;
    bool is_integer = value >= -limit && value < limit && (double)(int64_t)value == value;
    if (is_integer) return br_hash_integer((uint64_t)(int64_t)value);
    return br_hash_integer(~br_bits_of_real(value));
}

// Of a value as a br_column holds it.
static inline uint64_t br_payload_hash(br_class class_, uint64_t payload, uint32_t size)
{
    switch (class_) {
    case BR_INT: return br_hash_integer(payload);
    case BR_REAL: return br_hash_real(br_real_of_bits(payload));
    case BR_TEXT: return br_checksum((const void *)(uintptr_t)payload, size);
    case BR_BLOB: return ~br_checksum((const void *)(uintptr_t)payload, size);
    default: return 0;
    }
}

// Counts a value by its hash. The high bits choose a register, which keeps the largest rank: one
// more than the number of zeros that the other bits end in.
static inline void br_sketch_add(br_sketch *sketch, uint64_t hash)
{
    uint8_t *slot = &sketch->registers[hash >> (64 - BR_SKETCH_BITS)];
    uint8_t rank = (uint8_t)(1 + __builtin_ctzll(hash | 1ull << (64 - BR_SKETCH_BITS)));
    if (rank > *slot) *slot = rank;
}

// Finds the common values of a page on a sample of its rows.
BR_CHECKED br_status br_sketch_sample(br_sketch *sketch, const br_column *column, br_arena *arena,
                                      br_error *err);

BR_CHECKED br_status br_sketch_append(const br_sketch *sketch, br_buffer *out, br_error *err);
// Reads `count` sketches, which must fill the bytes; false: not what br_sketch_append writes.
bool br_sketches_read(const uint8_t *bytes, size_t size_bytes, br_sketch *sketches_out,
                      uint32_t count);

#endif
