// encode_constant.c - one value for every row, or nothing but NULL.
//
// Body: nothing (NULL); 8 bytes (INT, REAL); u32 size and the bytes (TEXT, BLOB).
// SPDX-License-Identifier: Apache-2.0
#include "format/encoding.h"

static br_status constant_estimate(br_encoder *encoder, const br_values *values,
                                   const br_traits *traits, br_estimate *out, br_error *err)
{
    (void)encoder;
    (void)err;
    if (traits->run_count > 1) return BR_OK;
    uint32_t text_bytes = values->sizes != NULL ? values->sizes[0] : 0;
    *out = (br_estimate){.size_bytes = 8ull + text_bytes, .is_final = true};
    return BR_OK;
}

static br_status constant_encode(br_encoder *encoder, const br_values *values,
                                 const br_estimate *estimate, br_error *err)
{
    (void)estimate;
    uint8_t head[8];
    if (values->class_ == BR_INT || values->class_ == BR_REAL) {
        br_store_u64(head, values->payloads[0]);
        return br_append(encoder->out, head, 8, err);
    }
    br_store_u32(head, values->sizes[0]);
    BR_TRY(br_append(encoder->out, head, 4, err));
    return br_append(encoder->out, (const void *)(uintptr_t)values->payloads[0], values->sizes[0],
                     err);
}

static br_status constant_open(br_opener *opener, br_node *node, br_error *err)
{
    const uint8_t *head;
    node->constant = br_value_null();
    if (node->class_ == BR_NULL) return BR_OK;
    if (node->class_ == BR_INT || node->class_ == BR_REAL) {
        BR_TRY(br_opener_take(opener, 8, "constant", &head, err));
        uint64_t bits = br_load_u64(head);
        node->constant = node->class_ == BR_INT ? br_value_int((int64_t)bits)
                                                : br_value_real(br_real_of_bits(bits));
        return BR_OK;
    }
    void *copy;
    BR_TRY(br_opener_take(opener, 4, "constant", &head, err));
    uint32_t size = br_load_u32(head);
    BR_TRY(br_opener_copy(opener, size, "constant", &copy, err));
    node->constant =
        (br_value){.class_ = node->class_, .text = br_text_make(copy, size)};
    return BR_OK;
}

static br_status constant_decode(const br_node *node, uint32_t first, uint32_t count,
                                 br_arena *arena, br_vector *out, br_error *err)
{
    (void)first;
    (void)count;
    (void)arena;
    (void)err;
    *out = node->class_ == BR_NULL ? br_vector_null() : br_vector_const(&node->constant);
    return BR_OK;
}

static br_status constant_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                                 uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    (void)positions;
    return constant_decode(node, first, count, arena, out, err);
}

static br_status constant_select(const br_node *node, const br_selection *selection,
                                 uint64_t *bits_out, bool *done_out, br_error *err)
{
    uint64_t passes = 0;
    if (selection->filter->kind != BR_FILTER_PREDICATE) {
        passes = br_filter_value(selection->filter, &node->constant);
    } else if (node->class_ == BR_NULL) {
        passes = selection->filter->null_result;
    } else {
        br_vector vector = br_vector_const(&node->constant);
        BR_TRY(br_filter_vector(selection, node->kernels, &vector, 1, &passes, err));
    }
    memset(bits_out, passes & 1 ? 0xff : 0, br_bitmap_words(selection->count) * sizeof *bits_out);
    *done_out = true;
    return BR_OK;
}

static void constant_integers(const br_node *node, uint32_t first, uint32_t count,
                              int64_t *values_out)
{
    (void)first;
    for (uint32_t i = 0; i < count; i++) values_out[i] = node->constant.i64;
}

static void constant_gather_integers(const br_node *node, uint32_t first,
                                     const uint16_t *positions, uint32_t count,
                                     int64_t *values_out)
{
    (void)positions;
    constant_integers(node, first, count, values_out);
}

static void constant_range(const br_node *node, uint32_t first, uint32_t count, int64_t low,
                           int64_t high, uint64_t *bits_out)
{
    (void)first;
    bool passes = low <= node->constant.i64 && node->constant.i64 <= high;
    memset(bits_out, passes ? 0xff : 0, br_vectors_of(count) * BR_VECTOR_WORDS * sizeof *bits_out);
}

static const br_integer_ops constant_integer_ops = {
    .decode = constant_integers,
    .gather = constant_gather_integers,
    .range = constant_range,
};

const br_encoding_ops br_encode_constant = {
    .name = "constant",
    .class_mask = BR_MASK_ALL,
    .estimate = constant_estimate,
    .encode = constant_encode,
    .open = constant_open,
    .decode = constant_decode,
    .gather = constant_gather,
    .select = constant_select,
    .integers = &constant_integer_ops,
};
