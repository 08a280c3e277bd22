// kernels.h - the hot loops of the format, one table of them per instruction set.
//
// kernels_scalar.c is the specification: plain C. Every other table returns bit-identical results
// for every input; tests/format/test_kernels.c holds them to it.
//
// Packed vectors hold BR_VECTOR_ROWS values of `width` bits in FastLanes order, in the narrowest
// lane of 8, 16, 32 or 64 bits that holds the width (lane index 0..3): with S = 1024 / lane bits,
// value i lies in lane i % S at bit (i / S) * width of that lane, and word w of all S lanes is
// contiguous. So one row of S values is unpacked with one load, shift and mask over 1024 bits.
//
// Bitmaps written by kernels are whole words; bits past `count` are zero.
//
// Threads: tables are const.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_KERNELS_KERNELS_H
#define BR_FORMAT_KERNELS_KERNELS_H

#include "base/cpu.h"
#include "base/vector.h"

enum {
    BR_LANE_COUNT = 4,
    BR_VECTOR_WORDS = BR_VECTOR_ROWS / 64,
    BR_PACKED_BYTES_PER_BIT = BR_VECTOR_ROWS / 8,  // a packed vector takes width * this
    BR_TEXT_PADDING = 8,  // readable bytes after the last text, for `texts`
};

struct br_format_kernels {
    const char *isa;

    // Unpacks one vector into an array of lanes and adds `base` modulo the lane. `packed` and
    // `lanes_out` are 64-byte aligned. Entry 0 fills 8-bit lanes with the base.
    void (*unpack[65])(const void *packed, uint64_t base, void *lanes_out);

    // One vector of 8, 16 or 32-bit lanes to 64-bit values, `base` added.
    void (*widen[3])(const void *lanes, uint64_t base, uint64_t *values_out);
    // One vector of 8, 16 or 32-bit lanes to codes, `base` added.
    void (*widen_codes[3])(const void *lanes, uint32_t base, uint32_t *codes_out);

    // bits_out[i] = lanes[i] - low <= span, unsigned in the lane; BR_VECTOR_WORDS words.
    void (*range[BR_LANE_COUNT])(const void *lanes, uint64_t low, uint64_t span,
                                 uint64_t *bits_out);
    // bits_out[i] = bit lanes[i] + base of `passes`, which has `size` bits in whole words; one
    // vector of 8, 16 or 32-bit lanes.
    void (*test_codes[3])(const void *lanes, uint32_t base, const uint64_t *passes, uint32_t size,
                          uint64_t *bits_out);

    // values_out[i] = the packed value at positions[i], `base` added; by lane.
    void (*gather[BR_LANE_COUNT])(const void *packed, uint32_t width, uint64_t base,
                                  const uint16_t *positions, uint32_t count, uint64_t *values_out);

    // bits_out[i] = low <= values[i] <= high
    void (*range_i64)(const int64_t *values, uint32_t count, int64_t low, int64_t high,
                      uint64_t *bits_out);
    void (*range_f64)(const double *values, uint32_t count, double low, double high,
                      uint64_t *bits_out);

    // values_out[i] = (double)integers[i] * multiplier * scale, rounded after each multiplication.
    void (*alp)(const int64_t *integers, uint32_t count, double multiplier, double scale,
                double *values_out);

    // Text i is bytes[offsets[i]..offsets[i + 1]]. Up to BR_TEXT_PADDING bytes after it are read.
    void (*texts)(const char *bytes, const uint32_t *offsets, uint32_t count, br_text *texts_out);
};

extern const struct br_format_kernels br_format_kernels_scalar;
extern const struct br_format_kernels br_format_kernels_avx2;
extern const struct br_format_kernels br_format_kernels_avx512;

// Index of the narrowest lane that holds `width` bits, 0..3.
static inline uint32_t br_lane_of_width(uint32_t width)
{
    return width <= 8 ? 0 : width <= 16 ? 1 : width <= 32 ? 2 : 3;
}

#endif
