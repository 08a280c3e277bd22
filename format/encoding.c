// encoding.c - which encoding, and why; nodes inside nodes.
//
// Every candidate for the class estimates its size from the traits (or by doing the cheap half of
// its work). The smallest wins, weighed by what decoding costs: an encoding that decodes slower
// than plain bit-packing must save that much more. Candidates come cheapest first; one that cannot
// be beaten (a constant, a sequence, dates) ends the search.
// SPDX-License-Identifier: Apache-2.0
#include "format/encoding.h"

static const br_encoding_ops *const encodings[BR_ENCODING_COUNT] = {
    [BR_ENCODING_CONSTANT] = &br_encode_constant, [BR_ENCODING_SEQUENCE] = &br_encode_sequence,
    [BR_ENCODING_BITPACK] = &br_encode_bitpack,   [BR_ENCODING_RLE] = &br_encode_rle,
    [BR_ENCODING_DICT] = &br_encode_dict,         [BR_ENCODING_DATE] = &br_encode_date,
    [BR_ENCODING_DATETIME] = &br_encode_datetime, [BR_ENCODING_ALP] = &br_encode_alp,
    [BR_ENCODING_RAW] = &br_encode_raw,           [BR_ENCODING_MIXED] = &br_encode_mixed,
};

// A candidate and its weight in percent of its size.
typedef struct candidate {
    br_encoding encoding;
    uint32_t weight;
} candidate;

enum { CANDIDATES_MAX = 6 };

// RLE above 100: decoding it is a copy per run and a search per call. A dictionary of numbers: one
// load more per value, and most encoding time. Text as it is needs a br_text per row and rules out
// work on codes, so a dictionary may be larger.
static const candidate integer_candidates[CANDIDATES_MAX] = {
    {BR_ENCODING_CONSTANT, 100}, {BR_ENCODING_SEQUENCE, 100}, {BR_ENCODING_BITPACK, 100},
    {BR_ENCODING_RLE, 140},      {BR_ENCODING_RAW, 100},      {BR_ENCODING_DICT, 150},
};
// Integers made from something else: searching a range must not cost a look at a dictionary.
static const candidate inner_candidates[CANDIDATES_MAX] = {
    {BR_ENCODING_CONSTANT, 100}, {BR_ENCODING_SEQUENCE, 100}, {BR_ENCODING_BITPACK, 100},
    {BR_ENCODING_RLE, 140},      {BR_ENCODING_RAW, 100},
};
static const candidate real_candidates[CANDIDATES_MAX] = {
    {BR_ENCODING_CONSTANT, 100}, {BR_ENCODING_RLE, 140},  {BR_ENCODING_ALP, 100},
    {BR_ENCODING_RAW, 100},      {BR_ENCODING_DICT, 150},
};
static const candidate text_candidates[CANDIDATES_MAX] = {
    {BR_ENCODING_CONSTANT, 100}, {BR_ENCODING_DATE, 100}, {BR_ENCODING_DATETIME, 100},
    {BR_ENCODING_DICT, 100},     {BR_ENCODING_RLE, 140},  {BR_ENCODING_RAW, 120},
};

const br_encoding_ops *br_encoding_ops_of(br_encoding encoding)
{
    br_assert(encoding < BR_ENCODING_COUNT);
    return encodings[encoding];
}

const char *br_encoding_name(br_encoding encoding)
{
    return (unsigned)encoding < BR_ENCODING_COUNT ? encodings[encoding]->name : "unknown";
}

static const candidate *candidates_of(br_class class_)
{
    if (class_ == BR_INT) return integer_candidates;
    return class_ == BR_REAL ? real_candidates : text_candidates;
}

// Which candidate of a list is best. An unused end of a list has weight 0.
static br_status choose(br_encoder *encoder, const br_values *values, const candidate *list,
                        br_encoding *encoding_out, br_estimate *estimate_out, br_error *err)
{
    br_traits traits;
    uint64_t best_weight = BR_SIZE_IMPOSSIBLE;
    br_values_traits(values, &traits);
    for (uint32_t i = 0; i < CANDIDATES_MAX && list[i].weight > 0; i++) {
        br_estimate estimate = {.size_bytes = BR_SIZE_IMPOSSIBLE};
        const br_encoding_ops *ops = encodings[list[i].encoding];
        BR_TRY(ops->estimate(encoder, values, &traits, &estimate, err));
        if (estimate.size_bytes == BR_SIZE_IMPOSSIBLE) continue;
        uint64_t weight = estimate.size_bytes * list[i].weight;
        if (weight >= best_weight) continue;
        best_weight = weight;
        *encoding_out = list[i].encoding;
        *estimate_out = estimate;
        if (estimate.is_final) break;
    }
    br_verify(best_weight != BR_SIZE_IMPOSSIBLE, err);  // RAW and BITPACK take everything
    return BR_OK;
}

void br_node_header_append(uint8_t header_out[BR_NODE_HEADER_BYTES], br_encoding encoding,
                           br_class class_, uint32_t row_count)
{
    header_out[0] = (uint8_t)encoding;
    header_out[1] = (uint8_t)class_;
    br_store_u16(header_out + 2, 0);
    br_store_u32(header_out + 4, row_count);
}

br_status br_node_encode_as(br_encoder *encoder, const br_values *values, br_encoding encoding,
                            const br_estimate *estimate, br_error *err)
{
    br_verify(encoder->depth < BR_NODE_DEPTH_MAX, err);  // the reader would refuse the page
    uint8_t header[BR_NODE_HEADER_BYTES];
    br_class class_ = encoding == BR_ENCODING_MIXED ? BR_ANY : values->class_;
    br_node_header_append(header, encoding, class_, values->row_count);
    BR_TRY(br_append(encoder->out, header, sizeof header, err));
    encoder->depth++;
    br_status status = encodings[encoding]->encode(encoder, values, estimate, err);
    encoder->depth--;
    return status;
}

br_status br_node_encode(br_encoder *encoder, const br_values *values, br_encoding *encoding_out,
                         br_error *err)
{
    br_estimate estimate;
    const candidate *list = candidates_of(values->class_);
    BR_TRY(choose(encoder, values, list, encoding_out, &estimate, err));
    return br_node_encode_as(encoder, values, *encoding_out, &estimate, err);
}

static br_values values_of_integers(const int64_t *integers, uint32_t row_count)
{
    return (br_values){
        .class_ = BR_INT, .row_count = row_count, .payloads = (const uint64_t *)integers};
}

br_status br_node_encode_integers(br_encoder *encoder, const int64_t *integers, uint32_t row_count,
                                  br_error *err)
{
    br_values values = values_of_integers(integers, row_count);
    br_encoding encoding;
    br_estimate estimate;
    BR_TRY(choose(encoder, &values, inner_candidates, &encoding, &estimate, err));
    return br_node_encode_as(encoder, &values, encoding, &estimate, err);
}

br_status br_integers_estimate(br_encoder *encoder, const int64_t *integers, uint32_t row_count,
                               uint64_t *size_bytes_out, br_error *err)
{
    br_values values = values_of_integers(integers, row_count);
    br_encoding encoding;
    br_estimate estimate;
    BR_TRY(choose(encoder, &values, inner_candidates, &encoding, &estimate, err));
    *size_bytes_out = estimate.size_bytes;
    return BR_OK;
}

// ---- opening ---------------------------------------------------------------------------------

br_status br_opener_corrupt(const br_opener *opener, br_error *err, const char *what,
                            uint64_t found, uint64_t want)
{
    return br_fail(err, BR_CORRUPT, "%s: %s: found %llu, want %llu", opener->place, what,
                   (unsigned long long)found, (unsigned long long)want);
}

br_status br_opener_take(br_opener *opener, size_t size_bytes, const char *what,
                         const uint8_t **bytes_out, br_error *err)
{
    if (size_bytes > opener->left_bytes)
        return br_fail(err, BR_CORRUPT, "%s: %s: found %zu bytes, want %zu", opener->place, what,
                       opener->left_bytes, size_bytes);
    *bytes_out = opener->bytes;
    opener->bytes += size_bytes;
    opener->left_bytes -= size_bytes;
    return BR_OK;
}

br_status br_opener_alloc(br_opener *opener, size_t size_bytes, void **memory_out, br_error *err)
{
    void *memory = br_arena_alloc(opener->arena, size_bytes, 64);
    if (memory == NULL) return br_fail_nomem(err, size_bytes);
    *memory_out = memory;
    return BR_OK;
}

br_status br_opener_copy(br_opener *opener, size_t size_bytes, const char *what, void **copy_out,
                         br_error *err)
{
    const uint8_t *bytes;
    BR_TRY(br_opener_take(opener, size_bytes, what, &bytes, err));
    BR_TRY(br_opener_alloc(opener, size_bytes, copy_out, err));
    if (size_bytes > 0) memcpy(*copy_out, bytes, size_bytes);
    return BR_OK;
}

br_status br_node_open(br_opener *opener, uint32_t row_count, unsigned class_mask, br_node *node,
                       br_error *err)
{
    const uint8_t *header;
    BR_TRY(br_opener_take(opener, BR_NODE_HEADER_BYTES, "node header", &header, err));
    uint8_t encoding = header[0], class_ = header[1];
    uint32_t rows = br_load_u32(header + 4);
    if (encoding >= BR_ENCODING_COUNT)
        return br_opener_corrupt(opener, err, "encoding", encoding, BR_ENCODING_COUNT - 1);
    if (class_ > BR_ANY || (class_mask & 1u << class_) == 0 ||
        (encodings[encoding]->class_mask & 1u << class_) == 0)
        return br_fail(err, BR_CORRUPT, "%s: %s of class %u, want a class of mask %#x",
                       opener->place, encodings[encoding]->name, class_,
                       class_mask & encodings[encoding]->class_mask);
    if (rows != row_count) return br_opener_corrupt(opener, err, "rows", rows, row_count);
    if (opener->depth >= BR_NODE_DEPTH_MAX)
        return br_opener_corrupt(opener, err, "nesting", opener->depth, BR_NODE_DEPTH_MAX - 1);
    *node = (br_node){.ops = encodings[encoding],
                      .kernels = opener->kernels,
                      .encoding = encoding,
                      .class_ = class_,
                      .row_count = rows};
    opener->depth++;
    BR_TRY(node->ops->open(opener, node, err));
    opener->depth--;
    return BR_OK;
}

br_status br_node_open_child(br_opener *opener, uint32_t row_count, unsigned class_mask,
                             const br_node **node_out, br_error *err)
{
    br_node *node = br_arena_alloc(opener->arena, sizeof *node, _Alignof(br_node));
    if (node == NULL) return br_fail_nomem(err, sizeof *node);
    BR_TRY(br_node_open(opener, row_count, class_mask, node, err));
    *node_out = node;
    return BR_OK;
}

// Vectors whose base and width alone prove the bounds are not decoded.
static bool is_vector_within(const br_node *node, uint32_t vector, int64_t low, int64_t high)
{
    if (node->encoding != BR_ENCODING_BITPACK) return false;
    int64_t base = (int64_t)node->bitpack.bases[vector];
    uint32_t width = node->bitpack.widths[vector];
    if (base < low || base > high || width == 64) return false;
    return (1ull << width) - 1 <= (uint64_t)high - (uint64_t)base;
}

br_status br_node_check_range(br_opener *opener, const br_node *node, int64_t low, int64_t high,
                              const char *what, br_error *err)
{
    br_assert(node->ops->integers != NULL);
    _Alignas(64) int64_t values[BR_VECTOR_ROWS];
    for (uint32_t first = 0; first < node->row_count; first += BR_VECTOR_ROWS) {
        if (is_vector_within(node, first / BR_VECTOR_ROWS, low, high)) continue;
        uint32_t left = node->row_count - first;
        uint32_t count = left < BR_VECTOR_ROWS ? left : BR_VECTOR_ROWS;
        node->ops->integers->decode(node, first, count, values);
        int64_t smallest = values[0], largest = values[0];
        for (uint32_t i = 1; i < count; i++) {
            smallest = values[i] < smallest ? values[i] : smallest;
            largest = values[i] > largest ? values[i] : largest;
        }
        if (smallest < low || largest > high)
            return br_fail(err, BR_CORRUPT, "%s: %s: found %lld..%lld, want %lld..%lld",
                           opener->place, what, (long long)smallest, (long long)largest,
                           (long long)low, (long long)high);
    }
    return BR_OK;
}

// ---- helpers ---------------------------------------------------------------------------------

br_status br_append(br_buffer *out, const void *bytes, size_t size_bytes, br_error *err)
{
    if (size_bytes == 0 || br_buffer_append(out, bytes, size_bytes)) return BR_OK;
    return br_fail_nomem(err, size_bytes);
}

br_status br_fail_nomem(br_error *err, size_t size_bytes)
{
    return br_fail(err, BR_NOMEM, "no memory for %zu bytes of a page", size_bytes);
}

br_status br_integers_decode(const br_node *node, uint32_t first, uint32_t count, br_arena *arena,
                             br_vector *out, br_error *err)
{
    size_t size_bytes = (size_t)br_vectors_of(count) * BR_VECTOR_ROWS * sizeof(int64_t);
    int64_t *values = br_arena_alloc(arena, size_bytes, 64);
    if (values == NULL) return br_fail_nomem(err, size_bytes);
    node->ops->integers->decode(node, first, count, values);
    *out = (br_vector){.class_ = BR_INT, .kind = BR_VECTOR_FLAT, .i64 = values};
    return BR_OK;
}

br_status br_integers_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                             uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    int64_t *values = br_arena_alloc(arena, count * sizeof *values, 64);
    if (values == NULL) return br_fail_nomem(err, count * sizeof *values);
    node->ops->integers->gather(node, first, positions, count, values);
    *out = (br_vector){.class_ = BR_INT, .kind = BR_VECTOR_FLAT, .i64 = values};
    return BR_OK;
}

br_status br_integers_select(const br_node *node, const br_selection *selection,
                             uint64_t *bits_out, bool *done_out, br_error *err)
{
    (void)err;
    *done_out = selection->filter->kind != BR_FILTER_PREDICATE;
    if (!*done_out) return BR_OK;
    br_integer_range range = br_filter_integers(selection->filter);
    node->ops->integers->range(node, selection->first, selection->count, range.low, range.high,
                               bits_out);
    if (range.is_negated) br_bits_negate(bits_out, selection->count);
    return BR_OK;
}
