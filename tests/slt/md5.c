// SPDX-License-Identifier: Apache-2.0
#include "tests/slt/md5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t value, uint32_t bits)
{
    return value << bits | value >> (32 - bits);
}

// One 64-byte block, as RFC 1321 section 3.4 describes; T[i] is floor(2^32 * |sin(i + 1)|).
static void md5_block(md5 *self, const uint8_t *bytes)
{
    static const uint8_t shifts[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t words[16];
    memcpy(words, bytes, sizeof words);
    uint32_t a = self->state[0], b = self->state[1], c = self->state[2], d = self->state[3];
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t mix, word;
        switch (i / 16) {
        case 0:
            mix = (b & c) | (~b & d), word = i;
            break;
        case 1:
            mix = (d & b) | (~d & c), word = (5 * i + 1) % 16;
            break;
        case 2:
            mix = b ^ c ^ d, word = (3 * i + 5) % 16;
            break;
        default:
            mix = c ^ (b | ~d), word = 7 * i % 16;
            break;
        }
        uint32_t constant = (uint32_t)(4294967296.0 * fabs(sin(i + 1.0)));
        uint32_t sum = a + mix + constant + words[word];
        a = d, d = c, c = b;
        b += rotate(sum, shifts[i / 16][i % 4]);
    }
    self->state[0] += a, self->state[1] += b, self->state[2] += c, self->state[3] += d;
}

void md5_init(md5 *self)
{
    *self = (md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_add(md5 *self, const void *bytes, size_t size_bytes)
{
    const uint8_t *source = bytes;
    size_t used = self->size_bytes % 64;
    self->size_bytes += size_bytes;
    while (size_bytes > 0) {
        size_t part = size_bytes < 64 - used ? size_bytes : 64 - used;
        memcpy(self->block + used, source, part);
        source += part, size_bytes -= part, used += part;
        if (used < 64) return;
        md5_block(self, self->block);
        used = 0;
    }
}

void md5_finish(md5 *self, char hex_out[33])
{
    uint64_t size_bits = self->size_bytes * 8;
    md5_add(self, "\x80", 1);
    while (self->size_bytes % 64 != 56) md5_add(self, "", 1);
    md5_add(self, &size_bits, sizeof size_bits);
    for (uint32_t i = 0; i < 16; i++)
        snprintf(hex_out + i * 2, 3, "%02x", (unsigned)(self->state[i / 4] >> (i % 4 * 8) & 255));
}
