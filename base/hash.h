// hash.h - hashing of keys and checksums of pages.
//
// br_hash_u64 and checksums (XXH3, 64 bit, seed 0) are part of the file format; other hashes live
// in memory only and may change between versions.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_HASH_H
#define BR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

// Finaliser of MurmurHash3 (Appleby): every input bit moves every output bit.
static inline uint64_t br_hash_u64(uint64_t key)
{
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccdull;
    key ^= key >> 33;
    key *= 0xc4ceb9fe1a85ec53ull;
    return key ^ key >> 33;
}
static inline uint64_t br_hash_combine(uint64_t left, uint64_t right)
{
    uint64_t mixed = left ^ (right + 0x9e3779b97f4a7c15ull + (left << 6) + (left >> 2));
    return mixed * 0x9fb21c651e98df25ull;
}
uint64_t br_hash_bytes(const void *bytes, size_t size_bytes);
uint64_t br_checksum(const void *bytes, size_t size_bytes);

#endif
