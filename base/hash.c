// hash.c - XXH3, inlined from the system's header so that short keys cost no call into a library.
// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t br_hash_bytes(const void *bytes, size_t size_bytes)
{
    return XXH3_64bits(bytes, size_bytes);
}

uint64_t br_checksum(const void *bytes, size_t size_bytes)
{
    return XXH3_64bits(bytes, size_bytes);
}
