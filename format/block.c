// block.c - bytes that are compressed with zstd where that pays.
// SPDX-License-Identifier: Apache-2.0
#include <zstd.h>

#include "format/encoding.h"

enum {
    BLOCK_HEADER_BYTES = 8,
    SAVING_PERCENT_MIN = 12,   // below, undoing it costs more than it saves (research, 8.3)
    BLOCK_BYTES_MIN = 64,      // a zstd frame has about 12 bytes of its own
    // A zstd block of 128 KiB takes at least 4 bytes, so no honest frame expands further than this.
    EXPANSION_MAX = 128 * 1024,
};

// Compresses behind the header at `start` of the buffer; 0 when that saves too little.
static br_status block_compress(br_encoder *encoder, const void *bytes, size_t size_bytes,
                                size_t *compressed_bytes_out, br_error *err)
{
    br_buffer *out = encoder->out;
    size_t bound = ZSTD_compressBound(size_bytes);
    *compressed_bytes_out = 0;
    if (!br_buffer_reserve(out, bound)) return br_fail_nomem(err, bound);
    int level = encoder->effort == BR_ENCODE_SMALL ? 3 : 1;
    size_t got = ZSTD_compress(out->bytes + out->size_bytes, bound, bytes, size_bytes, level);
    if (ZSTD_isError(got))
        return br_fail(err, BR_NOMEM, "zstd: %s", ZSTD_getErrorName(got));
    if (got <= size_bytes / 100 * (100 - SAVING_PERCENT_MIN)) *compressed_bytes_out = got;
    return BR_OK;
}

br_status br_block_append(br_encoder *encoder, const void *bytes, size_t size_bytes, br_error *err)
{
    if (size_bytes > UINT32_MAX / 2)
        return br_fail(err, BR_UNSUPPORTED, "page of %zu bytes is over the limit of 2 GiB",
                       size_bytes);
    uint8_t header[BLOCK_HEADER_BYTES];
    size_t start = encoder->out->size_bytes, compressed_bytes = 0;
    br_store_u32(header, (uint32_t)size_bytes);
    br_store_u32(header + 4, (uint32_t)size_bytes);
    BR_TRY(br_append(encoder->out, header, sizeof header, err));
    if (size_bytes >= BLOCK_BYTES_MIN)
        BR_TRY(block_compress(encoder, bytes, size_bytes, &compressed_bytes, err));
    if (compressed_bytes == 0) return br_append(encoder->out, bytes, size_bytes, err);
    br_store_u32(encoder->out->bytes + start + 4, (uint32_t)compressed_bytes);
    encoder->out->size_bytes += compressed_bytes;
    return BR_OK;
}

br_status br_block_take(br_opener *opener, uint64_t size_max, const char *what,
                        const uint8_t **bytes_out, uint32_t *size_bytes_out, br_error *err)
{
    const uint8_t *header, *stored;
    BR_TRY(br_opener_take(opener, BLOCK_HEADER_BYTES, what, &header, err));
    uint32_t raw_bytes = br_load_u32(header), stored_bytes = br_load_u32(header + 4);
    if (raw_bytes > size_max) return br_opener_corrupt(opener, err, what, raw_bytes, size_max);
    if (stored_bytes > raw_bytes || raw_bytes / EXPANSION_MAX > stored_bytes)
        return br_opener_corrupt(opener, err, what, stored_bytes, raw_bytes);
    BR_TRY(br_opener_take(opener, stored_bytes, what, &stored, err));

    void *memory;
    BR_TRY(br_opener_alloc(opener, (size_t)raw_bytes + BR_TEXT_PADDING, &memory, err));
    if (stored_bytes == raw_bytes) {
        memcpy(memory, stored, raw_bytes);
    } else {
        size_t got = ZSTD_decompress(memory, raw_bytes, stored, stored_bytes);
        if (ZSTD_isError(got))
            return br_fail(err, BR_CORRUPT, "%s: %s: zstd: %s", opener->place, what,
                           ZSTD_getErrorName(got));
        if (got != raw_bytes) return br_opener_corrupt(opener, err, what, got, raw_bytes);
    }
    memset((uint8_t *)memory + raw_bytes, 0, BR_TEXT_PADDING);
    *bytes_out = memory;
    *size_bytes_out = raw_bytes;
    return BR_OK;
}
