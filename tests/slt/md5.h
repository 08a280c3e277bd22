// md5.h - MD5 (RFC 1321), only because sqllogictest scripts give long results as MD5 sums.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_MD5_H
#define BR_TESTS_MD5_H

#include <stddef.h>
#include <stdint.h>

typedef struct md5 {
    uint32_t state[4];
    uint64_t size_bytes;
    uint8_t block[64];
} md5;

void md5_init(md5 *self);
void md5_add(md5 *self, const void *bytes, size_t size_bytes);
void md5_finish(md5 *self, char hex_out[33]);

#endif
