// key_ranges.c - collecting, ordering, packing and unpacking ranges of keys.
// SPDX-License-Identifier: Apache-2.0
#include "base/key_ranges.h"

#include <stdlib.h>

#include "base/heap.h"

enum { VARINT_BYTES_MAX = 10 };

void br_key_ranges_release(br_key_ranges *ranges)
{
    br_heap_free(ranges->items);
    *ranges = (br_key_ranges){0};
}

bool br_key_ranges_add(br_key_ranges *ranges, int64_t key)
{
    if (ranges->count > 0) {
        br_key_range *last = &ranges->items[ranges->count - 1];
        if (key >= last->first && key <= last->last) return true;
        if (last->last < key && last->last + 1 == key) {
            last->last = key;
            return true;
        }
        if (last->first > key && last->first - 1 == key) {
            last->first = key;
            return true;
        }
    }
    if (!br_heap_grow((void **)&ranges->items, sizeof *ranges->items, ranges->count,
                      &ranges->capacity))
        return false;
    ranges->items[ranges->count++] = (br_key_range){key, key};
    return true;
}

static int compare_ranges(const void *left, const void *right)
{
    int64_t l = ((const br_key_range *)left)->first, r = ((const br_key_range *)right)->first;
    return (l > r) - (l < r);
}

void br_key_ranges_normalise(br_key_ranges *ranges, int64_t last)
{
    if (ranges->count > 1)
        qsort(ranges->items, ranges->count, sizeof *ranges->items, compare_ranges);
    size_t kept = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        br_key_range range = ranges->items[i];
        if (range.first > last) break;
        if (range.last > last) range.last = last;
        br_key_range *before = kept == 0 ? NULL : &ranges->items[kept - 1];
        bool touches =
            before != NULL && (range.first <= before->last || range.first - 1 == before->last);
        if (!touches)
            ranges->items[kept++] = range;
        else if (range.last > before->last)
            before->last = range.last;
    }
    ranges->count = kept;
}

// ---- packing --------------------------------------------------------------------------------

static bool append_varint(br_buffer *out, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = (uint8_t)(value | 0x80);
    bytes[size++] = (uint8_t)value;
    return br_buffer_append(out, bytes, size);
}

bool br_key_ranges_pack(const br_key_ranges *ranges, size_t *at, size_t limit_bytes, br_buffer *out)
{
    uint64_t previous = 0;
    while (*at < ranges->count && out->size_bytes + 2 * VARINT_BYTES_MAX <= limit_bytes) {
        br_key_range range = ranges->items[*at];
        uint64_t distance = (uint64_t)range.first - previous;
        uint64_t zigzag = distance << 1 ^ ((int64_t)distance < 0 ? UINT64_MAX : 0);
        if (!append_varint(out, zigzag) ||
            !append_varint(out, (uint64_t)range.last - (uint64_t)range.first))
            return false;
        previous = (uint64_t)range.last;
        ++*at;
    }
    return true;
}

br_key_range_reader br_key_range_reader_make(br_text packed)
{
    const uint8_t *bytes = (const uint8_t *)packed.data;
    return (br_key_range_reader){.next = bytes, .end = bytes + packed.size};
}

static bool read_varint(br_key_range_reader *reader, uint64_t *value_out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && reader->next < reader->end; shift += 7) {
        uint8_t byte = *reader->next++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value_out = value;
            return true;
        }
    }
    return false;
}

bool br_key_range_next(br_key_range_reader *reader, br_key_range *range_out)
{
    if (reader->is_damaged || reader->next == reader->end) return false;
    uint64_t zigzag, extra;
    reader->is_damaged = !read_varint(reader, &zigzag) || !read_varint(reader, &extra);
    if (reader->is_damaged) return false;
    uint64_t distance = zigzag >> 1 ^ ((zigzag & 1) != 0 ? UINT64_MAX : 0);
    int64_t first = (int64_t)((uint64_t)reader->previous + distance);
    // What is below INT64_MAX from here on.
    reader->is_damaged = extra > (uint64_t)INT64_MAX - (uint64_t)first;
    if (reader->is_damaged) return false;
    *range_out = (br_key_range){first, (int64_t)((uint64_t)first + extra)};
    reader->previous = range_out->last;
    return true;
}
