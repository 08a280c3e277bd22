// encode_bitpack.c - frame of reference per vector, FastLanes order, the narrowest lane.
//
// Body: u8 width[vectors], u64 base[vectors], then per vector width * 128 bytes. Value i of a
// vector is base + its `width` bits, modulo 2^64. The last vector is filled up with its base.
// SPDX-License-Identifier: Apache-2.0
#include "format/encoding.h"

enum {
    VECTOR_HEADER_BYTES = 9,
    // More positions than this in one vector: unpacking it all costs less (about 0.3 cycles a value
    // against 4 for a single one).
    GATHER_MAX = 64,
};

typedef struct packing {
    uint8_t widths[BR_CHUNK_VECTORS];
    uint64_t bases[BR_CHUNK_VECTORS];
} packing;

static uint32_t rows_of_vector(uint32_t row_count, uint32_t vector)
{
    uint32_t left = row_count - vector * BR_VECTOR_ROWS;
    return left < BR_VECTOR_ROWS ? left : BR_VECTOR_ROWS;
}

static br_status bitpack_estimate(br_encoder *encoder, const br_values *values,
                                  const br_traits *traits, br_estimate *out, br_error *err)
{
    (void)traits;
    packing *plan = BR_ALLOC(encoder->arena, packing, 1);
    if (plan == NULL) return br_fail_nomem(err, sizeof *plan);
    const int64_t *integers = (const int64_t *)values->payloads;
    uint64_t size_bytes = 0;
    for (uint32_t v = 0; v < br_vectors_of(values->row_count); v++) {
        const int64_t *vector = integers + v * BR_VECTOR_ROWS;
        uint32_t rows = rows_of_vector(values->row_count, v);
        int64_t low = vector[0], high = vector[0];
        for (uint32_t i = 1; i < rows; i++) {
            low = vector[i] < low ? vector[i] : low;
            high = vector[i] > high ? vector[i] : high;
        }
        uint64_t span = (uint64_t)high - (uint64_t)low;
        uint32_t width = span == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(span);
        plan->bases[v] = (uint64_t)low;
        plan->widths[v] = (uint8_t)width;
        size_bytes += VECTOR_HEADER_BYTES + width * BR_PACKED_BYTES_PER_BIT;
    }
    *out = (br_estimate){.size_bytes = size_bytes, .plan = plan};
    return BR_OK;
}

// Encoding is bound by reading the values, so the row loop keeps its shifts in variables.
#define DEFINE_PACK(bits, lanes)                                                          \
    static void pack_##bits(const uint64_t *deltas, uint32_t width, void *packed_out)     \
    {                                                                                     \
        uint##bits##_t *words = packed_out;                                               \
        memset(words, 0, (size_t)width * BR_PACKED_BYTES_PER_BIT);                        \
        for (uint32_t row = 0; row < bits; row++) {                                       \
            const uint64_t *in = deltas + row * lanes;                                    \
            uint32_t shift = row * width % bits;                                          \
            uint##bits##_t *low = words + row * width / bits * lanes;                     \
            for (uint32_t lane = 0; lane < lanes; lane++)                                 \
                low[lane] = (uint##bits##_t)(low[lane] | (uint##bits##_t)(in[lane] << shift)); \
            if (shift + width <= bits) continue;                                          \
            for (uint32_t lane = 0; lane < lanes; lane++)                                 \
                low[lanes + lane] = (uint##bits##_t)(in[lane] >> (bits - shift));         \
        }                                                                                 \
    }
DEFINE_PACK(8, 128)
DEFINE_PACK(16, 64)
DEFINE_PACK(32, 32)
DEFINE_PACK(64, 16)

static void pack_vector(const uint64_t *values, uint32_t rows, uint64_t base, uint32_t width,
                        void *packed_out)
{
    uint64_t deltas[BR_VECTOR_ROWS];
    for (uint32_t i = 0; i < rows; i++) deltas[i] = values[i] - base;
    memset(deltas + rows, 0, (BR_VECTOR_ROWS - rows) * sizeof *deltas);
    switch (br_lane_of_width(width)) {
    case 0: pack_8(deltas, width, packed_out); break;
    case 1: pack_16(deltas, width, packed_out); break;
    case 2: pack_32(deltas, width, packed_out); break;
    default: pack_64(deltas, width, packed_out); break;
    }
}

static br_status bitpack_encode(br_encoder *encoder, const br_values *values,
                                const br_estimate *estimate, br_error *err)
{
    const packing *plan = estimate->plan;
    uint32_t vectors = br_vectors_of(values->row_count);
    BR_TRY(br_append(encoder->out, plan->widths, vectors, err));
    BR_TRY(br_append(encoder->out, plan->bases, vectors * sizeof(uint64_t), err));
    _Alignas(64) uint8_t packed[BR_VECTOR_ROWS * sizeof(uint64_t)];
    for (uint32_t v = 0; v < vectors; v++) {
        uint32_t width = plan->widths[v];
        if (width == 0) continue;
        pack_vector(values->payloads + v * BR_VECTOR_ROWS, rows_of_vector(values->row_count, v),
                    plan->bases[v], width, packed);
        BR_TRY(br_append(encoder->out, packed, (size_t)width * BR_PACKED_BYTES_PER_BIT, err));
    }
    return BR_OK;
}

static br_status bitpack_open(br_opener *opener, br_node *node, br_error *err)
{
    uint32_t vectors = br_vectors_of(node->row_count), size_bytes = 0;
    void *widths, *bases, *bytes, *memory;
    BR_TRY(br_opener_copy(opener, vectors, "bitpack widths", &widths, err));
    BR_TRY(br_opener_copy(opener, vectors * sizeof(uint64_t), "bitpack bases", &bases, err));
    BR_TRY(br_opener_alloc(opener, vectors * sizeof(uint32_t), &memory, err));
    uint32_t *offsets = memory;
    node->bitpack = (br_bitpack){.widths = widths, .bases = bases, .offsets = offsets};
    for (uint32_t v = 0; v < vectors; v++) {
        uint32_t width = node->bitpack.widths[v];
        if (width > 64) return br_opener_corrupt(opener, err, "bitpack width", width, 64);
        offsets[v] = size_bytes;
        size_bytes += width * BR_PACKED_BYTES_PER_BIT;
    }
    BR_TRY(br_opener_copy(opener, size_bytes, "bitpack values", &bytes, err));
    node->bitpack.bytes = bytes;
    return BR_OK;
}

// ---- integers --------------------------------------------------------------------------------

static void unpack_vector(const br_node *node, uint32_t vector, uint64_t *values_out)
{
    const br_bitpack *packed = &node->bitpack;
    const void *bytes = packed->bytes + packed->offsets[vector];
    uint64_t base = packed->bases[vector];
    uint32_t width = packed->widths[vector], lane = br_lane_of_width(width);
    if (width == 0) {
        for (uint32_t i = 0; i < BR_VECTOR_ROWS; i++) values_out[i] = base;
    } else if (lane == BR_LANE_COUNT - 1) {
        node->kernels->unpack[width](bytes, base, values_out);
    } else {
        _Alignas(64) uint32_t lanes[BR_VECTOR_ROWS];
        node->kernels->unpack[width](bytes, 0, lanes);
        node->kernels->widen[lane](lanes, base, values_out);
    }
}

static void bitpack_integers(const br_node *node, uint32_t first, uint32_t count,
                             int64_t *values_out)
{
    br_assert(first % BR_VECTOR_ROWS == 0 && (uintptr_t)values_out % 64 == 0);
    for (uint32_t v = 0; v < br_vectors_of(count); v++) {
        unpack_vector(node, first / BR_VECTOR_ROWS + v,
                      (uint64_t *)values_out + v * BR_VECTOR_ROWS);
    }
}

// Positions of one vector, counted from its first row.
static void gather_vector(const br_node *node, uint32_t vector, const uint16_t *positions,
                          uint32_t count, uint64_t *values_out)
{
    const br_bitpack *packed = &node->bitpack;
    uint32_t width = packed->widths[vector];
    if (width == 0) {
        for (uint32_t i = 0; i < count; i++) values_out[i] = packed->bases[vector];
    } else if (count <= GATHER_MAX) {
        node->kernels->gather[br_lane_of_width(width)](packed->bytes + packed->offsets[vector],
                                                       width, packed->bases[vector], positions,
                                                       count, values_out);
    } else {
        _Alignas(64) uint64_t values[BR_VECTOR_ROWS];
        unpack_vector(node, vector, values);
        for (uint32_t i = 0; i < count; i++) values_out[i] = values[positions[i]];
    }
}

static void bitpack_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                           uint32_t count, int64_t *values_out)
{
    uint16_t local[BR_VECTOR_ROWS];
    for (uint32_t begin = 0; begin < count;) {
        uint32_t vector = positions[begin] / BR_VECTOR_ROWS, rows = 0;
        while (begin + rows < count && rows < BR_VECTOR_ROWS &&
               positions[begin + rows] / BR_VECTOR_ROWS == vector) {
            local[rows] = positions[begin + rows] % BR_VECTOR_ROWS;
            rows++;
        }
        gather_vector(node, first / BR_VECTOR_ROWS + vector, local, rows,
                      (uint64_t *)values_out + begin);
        begin += rows;
    }
}

// One vector. The range is moved to the base of the vector and stays in its lane.
static void range_vector(const br_node *node, uint32_t vector, int64_t low, int64_t high,
                         uint64_t *bits_out)
{
    const br_bitpack *packed = &node->bitpack;
    int64_t base = (int64_t)packed->bases[vector];
    uint32_t width = packed->widths[vector], lane = br_lane_of_width(width);
    uint64_t delta_max = width == 0 ? 0 : ~0ull >> (64 - width);
    uint64_t from = low <= base ? 0 : (uint64_t)low - (uint64_t)base;
    bool is_empty = low > high || high < base || from > delta_max;
    uint64_t upto = is_empty ? 0 : (uint64_t)high - (uint64_t)base;
    if (is_empty || (from == 0 && upto >= delta_max)) {
        memset(bits_out, is_empty ? 0 : 0xff, BR_VECTOR_WORDS * sizeof *bits_out);
        return;
    }
    if (upto > delta_max) upto = delta_max;
    _Alignas(64) uint64_t lanes[BR_VECTOR_ROWS];
    node->kernels->unpack[width](packed->bytes + packed->offsets[vector], 0, lanes);
    node->kernels->range[lane](lanes, from, upto - from, bits_out);
}

static void bitpack_range(const br_node *node, uint32_t first, uint32_t count, int64_t low,
                          int64_t high, uint64_t *bits_out)
{
    for (uint32_t v = 0; v < br_vectors_of(count); v++) {
        range_vector(node, first / BR_VECTOR_ROWS + v, low, high, bits_out + v * BR_VECTOR_WORDS);
    }
}

// ---- codes -----------------------------------------------------------------------------------

uint64_t br_bitpack_vector_max(const br_node *node, uint32_t vector)
{
    uint64_t base = node->bitpack.bases[vector], most;
    uint32_t width = node->bitpack.widths[vector];
    uint64_t delta_max = width == 0 ? 0 : ~0ull >> (64 - width);
    return __builtin_add_overflow(base, delta_max, &most) ? UINT64_MAX : most;
}

void br_bitpack_codes(const br_node *node, uint32_t first, uint32_t count, uint32_t *codes_out)
{
    br_assert(first % BR_VECTOR_ROWS == 0);
    _Alignas(64) uint32_t lanes[BR_VECTOR_ROWS];
    for (uint32_t v = 0; v < br_vectors_of(count); v++) {
        uint32_t vector = first / BR_VECTOR_ROWS + v;
        uint32_t width = node->bitpack.widths[vector];
        br_assert(width <= 32);
        node->kernels->unpack[width](node->bitpack.bytes + node->bitpack.offsets[vector], 0, lanes);
        node->kernels->widen_codes[br_lane_of_width(width)](
            lanes, (uint32_t)node->bitpack.bases[vector], codes_out + v * BR_VECTOR_ROWS);
    }
}

void br_bitpack_test_codes(const br_node *node, uint32_t first, uint32_t count,
                           const uint64_t *passes, uint32_t size, uint64_t *bits_out)
{
    _Alignas(64) uint32_t lanes[BR_VECTOR_ROWS];
    for (uint32_t v = 0; v < br_vectors_of(count); v++) {
        uint32_t vector = first / BR_VECTOR_ROWS + v;
        uint32_t width = node->bitpack.widths[vector];
        node->kernels->unpack[width](node->bitpack.bytes + node->bitpack.offsets[vector], 0, lanes);
        node->kernels->test_codes[br_lane_of_width(width)](
            lanes, (uint32_t)node->bitpack.bases[vector], passes, size,
            bits_out + v * BR_VECTOR_WORDS);
    }
}

static const br_integer_ops bitpack_integer_ops = {
    .decode = bitpack_integers,
    .gather = bitpack_gather,
    .range = bitpack_range,
};

const br_encoding_ops br_encode_bitpack = {
    .name = "bitpack",
    .class_mask = BR_MASK_INT,
    .estimate = bitpack_estimate,
    .encode = bitpack_encode,
    .open = bitpack_open,
    .decode = br_integers_decode,
    .gather = br_integers_gather,
    .select = br_integers_select,
    .integers = &bitpack_integer_ops,
};
