// bytes.c - the growing byte buffer.
// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/heap.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "loads and stores copy bytes as they are");

enum { CAPACITY_BYTES_MIN = 64 };

void br_buffer_release(br_buffer *buffer)
{
    br_heap_free(buffer->bytes);
    *buffer = (br_buffer){0};
}

void br_buffer_clear(br_buffer *buffer) { buffer->size_bytes = 0; }

bool br_buffer_reserve(br_buffer *buffer, size_t extra_bytes)
{
    if (extra_bytes <= buffer->capacity_bytes - buffer->size_bytes) return true;
    if (extra_bytes > SIZE_MAX / 2 - buffer->size_bytes) return false;
    size_t wanted = buffer->size_bytes + extra_bytes;
    if (wanted < buffer->capacity_bytes * 2) wanted = buffer->capacity_bytes * 2;
    if (wanted < CAPACITY_BYTES_MIN) wanted = CAPACITY_BYTES_MIN;
    uint8_t *moved = br_heap_resize(buffer->bytes, wanted);
    if (moved == NULL) return false;
    buffer->bytes = moved;
    buffer->capacity_bytes = wanted;
    return true;
}

bool br_buffer_append(br_buffer *buffer, const void *bytes, size_t size_bytes)
{
    if (!br_buffer_reserve(buffer, size_bytes)) return false;
    if (size_bytes > 0) memcpy(buffer->bytes + buffer->size_bytes, bytes, size_bytes);
    buffer->size_bytes += size_bytes;
    return true;
}

bool br_buffer_append_zeros(br_buffer *buffer, size_t size_bytes)
{
    if (!br_buffer_reserve(buffer, size_bytes)) return false;
    if (size_bytes > 0) memset(buffer->bytes + buffer->size_bytes, 0, size_bytes);
    buffer->size_bytes += size_bytes;
    return true;
}

bool br_buffer_align(br_buffer *buffer, size_t alignment)
{
    br_assert(alignment > 0);
    size_t past = buffer->size_bytes % alignment;
    return past == 0 || br_buffer_append_zeros(buffer, alignment - past);
}

bool br_buffer_format(br_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !br_buffer_reserve(buffer, (size_t)length + 1)) return false;
    va_start(arguments, format);
    vsnprintf((char *)buffer->bytes + buffer->size_bytes, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size_bytes += (size_t)length;  // the NUL behind it is not part of the buffer
    return true;
}
