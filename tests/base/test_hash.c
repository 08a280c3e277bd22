// test_hash.c - checksums that files depend on, and the spread of key hashes.
// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include "tests/test.h"

// XXH3's published values: what is on disk must stay readable.
static void test_checksum_is_xxh3(void)
{
    CHECK(br_checksum("", 0) == 0x2d06800538d394c2ull);
    char zeros[1] = {0};
    CHECK(br_checksum(zeros, 1) == 0xc44bdff4074eecdbull);
    CHECK(br_checksum("abc", 3) == br_checksum("abcd", 3));
    CHECK(br_checksum("abc", 3) != br_checksum("abd", 3));
}

static void test_checksum_sees_every_bit(void)
{
    uint8_t bytes[1000];
    for (uint32_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 31);
    uint64_t intact = br_checksum(bytes, sizeof bytes);
    for (uint32_t bit = 0; bit < 8000; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(br_checksum(bytes, sizeof bytes) != intact);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

// Dense keys must not share low or high bits: hash tables use either.
static void test_hash_u64_spreads_dense_keys(void)
{
    uint32_t low[256] = {0}, high[256] = {0};
    for (uint64_t key = 0; key < 65536; key++) {
        uint64_t hash = br_hash_u64(key);
        low[hash & 255]++;
        high[hash >> 56]++;
    }
    for (int i = 0; i < 256; i++) {
        CHECK(low[i] > 150 && low[i] < 360);
        CHECK(high[i] > 150 && high[i] < 360);
    }
}

static void test_hash_combine_depends_on_order(void)
{
    CHECK(br_hash_combine(1, 2) != br_hash_combine(2, 1));
    CHECK(br_hash_combine(0, 0) != br_hash_combine(0, 1));
    CHECK(br_hash_bytes("ab", 2) == br_hash_bytes("abc", 2));
    CHECK(br_hash_bytes("ab", 2) != br_hash_bytes("ba", 2));
}

int main(void)
{
    RUN(test_checksum_is_xxh3);
    RUN(test_checksum_sees_every_bit);
    RUN(test_hash_u64_spreads_dense_keys);
    RUN(test_hash_combine_depends_on_order);
    return test_result();
}
