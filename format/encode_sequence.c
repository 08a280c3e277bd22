// encode_sequence.c - first + row * step: dense keys, counters.
//
// Body: u64 first, u64 step; arithmetic modulo 2^64.
// SPDX-License-Identifier: Apache-2.0
#include "format/encoding.h"

enum { SEQUENCE_BYTES = 16 };

static br_status sequence_estimate(br_encoder *encoder, const br_values *values,
                                   const br_traits *traits, br_estimate *out, br_error *err)
{
    (void)encoder;
    (void)values;
    (void)err;
    if (traits->is_sequence)
        *out = (br_estimate){.size_bytes = SEQUENCE_BYTES, .is_final = true};
    return BR_OK;
}

static br_status sequence_encode(br_encoder *encoder, const br_values *values,
                                 const br_estimate *estimate, br_error *err)
{
    (void)estimate;
    uint8_t body[SEQUENCE_BYTES];
    uint64_t first = values->payloads[0];
    uint64_t step = values->row_count > 1 ? values->payloads[1] - first : 0;
    br_store_u64(body, first);
    br_store_u64(body + 8, step);
    return br_append(encoder->out, body, sizeof body, err);
}

static br_status sequence_open(br_opener *opener, br_node *node, br_error *err)
{
    const uint8_t *body;
    BR_TRY(br_opener_take(opener, SEQUENCE_BYTES, "sequence", &body, err));
    node->sequence.first = br_load_u64(body);
    node->sequence.step = br_load_u64(body + 8);
    return BR_OK;
}

static void sequence_integers(const br_node *node, uint32_t first, uint32_t count,
                              int64_t *values_out)
{
    uint64_t step = node->sequence.step, start = node->sequence.first + first * step;
    for (uint32_t i = 0; i < count; i++) values_out[i] = (int64_t)(start + i * step);
}

static void sequence_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                            uint32_t count, int64_t *values_out)
{
    uint64_t step = node->sequence.step, start = node->sequence.first + first * step;
    for (uint32_t i = 0; i < count; i++) values_out[i] = (int64_t)(start + positions[i] * step);
}

// The rows of an ascending sequence that lie in a range are one stretch; its ends are a division.
// Sequences that wrap around or descend are rare enough to be compared one by one.
static void sequence_range(const br_node *node, uint32_t first, uint32_t count, int64_t low,
                           int64_t high, uint64_t *bits_out)
{
    memset(bits_out, 0, br_vectors_of(count) * BR_VECTOR_WORDS * sizeof *bits_out);
    uint64_t step = node->sequence.step;
    int64_t start = (int64_t)(node->sequence.first + first * step), end;
    bool ascends = step > 0 && step <= INT64_MAX;
    int64_t length;
    if (low > high || count == 0) return;
    if (!ascends || __builtin_mul_overflow((int64_t)step, (int64_t)count - 1, &length) ||
        __builtin_add_overflow(start, length, &end)) {
        for (uint32_t i = 0; i < count; i++) {
            int64_t value = (int64_t)((uint64_t)start + i * step);
            bits_out[i >> 6] |= (uint64_t)(low <= value && value <= high) << (i & 63);
        }
        return;
    }
    if (end < low || start > high) return;
    uint64_t below = low > start ? ((uint64_t)low - (uint64_t)start + step - 1) / step : 0;
    uint64_t upto = high < end ? ((uint64_t)high - (uint64_t)start) / step + 1 : count;
    if (below < upto) br_bits_set(bits_out, (uint32_t)below, (uint32_t)upto);
}

static const br_integer_ops sequence_integer_ops = {
    .decode = sequence_integers,
    .gather = sequence_gather,
    .range = sequence_range,
};

const br_encoding_ops br_encode_sequence = {
    .name = "sequence",
    .class_mask = BR_MASK_INT,
    .estimate = sequence_estimate,
    .encode = sequence_encode,
    .open = sequence_open,
    .decode = br_integers_decode,
    .gather = br_integers_gather,
    .select = br_integers_select,
    .integers = &sequence_integer_ops,
};
