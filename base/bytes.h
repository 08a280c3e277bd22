// bytes.h - little-endian loads and stores, and a growing byte buffer.
//
// Errors: appending returns false when there is no memory; the buffer is then as it was.
// Ownership: the buffer owns its bytes. Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_BYTES_H
#define BR_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// The file format is little-endian and so is every machine we build for (asserted in bytes.c).
static inline uint16_t br_load_u16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t br_load_u32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t br_load_u64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void br_store_u16(void *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void br_store_u32(void *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void br_store_u64(void *p, uint64_t v) { memcpy(p, &v, 8); }

typedef struct br_buffer {
    uint8_t *bytes;
    size_t size_bytes;
    size_t capacity_bytes;
} br_buffer;

void br_buffer_release(br_buffer *buffer);  // accepts a zeroed buffer
void br_buffer_clear(br_buffer *buffer);
bool br_buffer_reserve(br_buffer *buffer, size_t extra_bytes);
bool br_buffer_append(br_buffer *buffer, const void *bytes, size_t size_bytes);
bool br_buffer_append_zeros(br_buffer *buffer, size_t size_bytes);
bool br_buffer_align(br_buffer *buffer, size_t alignment);  // pads with zeros
bool br_buffer_format(br_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
