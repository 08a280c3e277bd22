// encode_raw.c - values as they are.
//
// Body of INT and REAL: a block of 8 bytes per value. Body of TEXT and BLOB: an INT node of the
// sizes in bytes, a block of all bytes one after the other (NULL rows have size 0). zstd is undone
// and offsets are summed up when the page is opened.
// SPDX-License-Identifier: Apache-2.0
#include "format/encoding.h"

static br_status raw_estimate(br_encoder *encoder, const br_values *values,
                              const br_traits *traits, br_estimate *out, br_error *err)
{
    (void)encoder;
    (void)err;
    uint64_t rows = values->row_count;
    uint64_t size_bytes = values->sizes == NULL ? rows * sizeof(uint64_t)
                                                : traits->text_bytes + rows;
    *out = (br_estimate){.size_bytes = size_bytes + 16};
    return BR_OK;
}

static uint32_t size_at(const br_values *values, uint32_t row)
{
    bool is_null = values->validity != NULL && !br_bitmap_get(values->validity, row);
    return is_null ? 0 : values->sizes[row];
}

static br_status encode_texts(br_encoder *encoder, const br_values *values, br_error *err)
{
    int64_t *sizes = br_arena_alloc(encoder->arena, values->row_count * sizeof *sizes, 64);
    if (sizes == NULL) return br_fail_nomem(err, values->row_count * sizeof *sizes);
    uint64_t total_bytes = 0;
    for (uint32_t row = 0; row < values->row_count; row++) {
        sizes[row] = size_at(values, row);
        total_bytes += (uint64_t)sizes[row];
    }
    BR_TRY(br_node_encode_integers(encoder, sizes, values->row_count, err));
    char *bytes = br_arena_alloc(encoder->arena, total_bytes, 1);
    if (bytes == NULL) return br_fail_nomem(err, total_bytes);
    char *end = bytes;
    for (uint32_t row = 0; row < values->row_count; row++) {
        size_t size = (size_t)sizes[row];
        if (size > 0) memcpy(end, (const void *)(uintptr_t)values->payloads[row], size);
        end += size;
    }
    return br_block_append(encoder, bytes, total_bytes, err);
}

static br_status raw_encode(br_encoder *encoder, const br_values *values,
                            const br_estimate *estimate, br_error *err)
{
    (void)estimate;
    if (values->sizes != NULL) return encode_texts(encoder, values, err);
    return br_block_append(encoder, values->payloads, values->row_count * sizeof(uint64_t), err);
}

// ---- opening and reading ---------------------------------------------------------------------

// Sums up the sizes; each sum must stay below the limit of a page.
static br_status open_offsets(br_opener *opener, const br_node *sizes, uint32_t *offsets,
                              br_error *err)
{
    _Alignas(64) int64_t values[BR_VECTOR_ROWS];
    uint64_t total_bytes = 0;
    offsets[0] = 0;
    for (uint32_t first = 0; first < sizes->row_count; first += BR_VECTOR_ROWS) {
        uint32_t left = sizes->row_count - first;
        uint32_t count = left < BR_VECTOR_ROWS ? left : BR_VECTOR_ROWS;
        sizes->ops->integers->decode(sizes, first, count, values);
        for (uint32_t i = 0; i < count; i++) {
            if (values[i] < 0 || values[i] > INT32_MAX ||
                total_bytes + (uint64_t)values[i] > INT32_MAX)
                return br_opener_corrupt(opener, err, "size of a text", (uint64_t)values[i],
                                         INT32_MAX);
            total_bytes += (uint64_t)values[i];
            offsets[first + i + 1] = (uint32_t)total_bytes;
        }
    }
    return BR_OK;
}

static br_status raw_open(br_opener *opener, br_node *node, br_error *err)
{
    const uint8_t *bytes;
    uint32_t size_bytes;
    if (node->class_ == BR_INT || node->class_ == BR_REAL) {
        uint32_t want_bytes = node->row_count * (uint32_t)sizeof(uint64_t);
        BR_TRY(br_block_take(opener, want_bytes, "raw values", &bytes, &size_bytes, err));
        if (size_bytes != want_bytes)
            return br_opener_corrupt(opener, err, "raw values", size_bytes, want_bytes);
        node->raw.numbers = bytes;
        return BR_OK;
    }
    const br_node *sizes;
    void *offsets;
    BR_TRY(br_node_open_child(opener, node->row_count, BR_MASK_INT, &sizes, err));
    BR_TRY(br_opener_alloc(opener, (node->row_count + 1ull) * sizeof(uint32_t), &offsets, err));
    BR_TRY(open_offsets(opener, sizes, offsets, err));
    node->raw.offsets = offsets;
    uint32_t want_bytes = node->raw.offsets[node->row_count];
    BR_TRY(br_block_take(opener, want_bytes, "text bytes", &bytes, &size_bytes, err));
    if (size_bytes != want_bytes)
        return br_opener_corrupt(opener, err, "text bytes", size_bytes, want_bytes);
    node->raw.bytes = (const char *)bytes;
    return BR_OK;
}

static const int64_t *integers_of(const br_node *node) { return node->raw.numbers; }
static const double *reals_of(const br_node *node) { return node->raw.numbers; }

static br_status raw_decode(const br_node *node, uint32_t first, uint32_t count, br_arena *arena,
                            br_vector *out, br_error *err)
{
    *out = (br_vector){.class_ = node->class_, .kind = BR_VECTOR_FLAT};
    if (node->class_ == BR_INT) {
        out->i64 = integers_of(node) + first;
    } else if (node->class_ == BR_REAL) {
        out->f64 = reals_of(node) + first;
    } else {
        br_text *texts = br_arena_alloc(arena, count * sizeof *texts, 64);
        if (texts == NULL) return br_fail_nomem(err, count * sizeof *texts);
        node->kernels->texts(node->raw.bytes, node->raw.offsets + first, count, texts);
        out->text = texts;
    }
    return BR_OK;
}

static void raw_gather_integers(const br_node *node, uint32_t first, const uint16_t *positions,
                                uint32_t count, int64_t *values_out)
{
    const int64_t *values = integers_of(node) + first;
    for (uint32_t i = 0; i < count; i++) values_out[i] = values[positions[i]];
}

static br_text text_at(const br_node *node, uint32_t row)
{
    const uint32_t *offsets = node->raw.offsets + row;
    return br_text_make(node->raw.bytes + offsets[0], offsets[1] - offsets[0]);
}

static br_status raw_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                            uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    if (node->class_ == BR_INT)
        return br_integers_gather(node, first, positions, count, arena, out, err);
    *out = (br_vector){.class_ = node->class_, .kind = BR_VECTOR_FLAT};
    if (node->class_ == BR_REAL) {
        const double *values = reals_of(node) + first;
        double *picked = br_arena_alloc(arena, count * sizeof *picked, 64);
        if (picked == NULL) return br_fail_nomem(err, count * sizeof *picked);
        for (uint32_t i = 0; i < count; i++) picked[i] = values[positions[i]];
        out->f64 = picked;
        return BR_OK;
    }
    br_text *texts = br_arena_alloc(arena, count * sizeof *texts, 64);
    if (texts == NULL) return br_fail_nomem(err, count * sizeof *texts);
    for (uint32_t i = 0; i < count; i++) texts[i] = text_at(node, first + positions[i]);
    out->text = texts;
    return BR_OK;
}

// Equality of texts looks at the sizes first; most rows differ there or in the first bytes.
static void select_texts(const br_node *node, const br_selection *selection, uint64_t *bits_out)
{
    const br_filter *filter = selection->filter;
    bool is_same_class = filter->kind == BR_FILTER_COMPARE && filter->value.class_ == node->class_;
    bool is_equality = filter->compare == BR_EQ || filter->compare == BR_NE;
    memset(bits_out, 0, br_bitmap_words(selection->count) * sizeof *bits_out);
    for (uint32_t i = 0; i < selection->count; i++) {
        br_text text = text_at(node, selection->first + i);
        bool passes;
        if (is_same_class && is_equality) {
            passes = (text.size == filter->value.text.size &&
                      text.prefix == filter->value.text.prefix &&
                      memcmp(text.data, filter->value.text.data, text.size) == 0) ==
                     (filter->compare == BR_EQ);
        } else {
            br_value value = {.class_ = node->class_, .text = text};
            passes = br_filter_value(filter, &value);
        }
        bits_out[i >> 6] |= (uint64_t)passes << (i & 63);
    }
}

static br_status raw_select(const br_node *node, const br_selection *selection,
                            uint64_t *bits_out, bool *done_out, br_error *err)
{
    (void)err;
    *done_out = selection->filter->kind != BR_FILTER_PREDICATE;
    if (!*done_out) return BR_OK;
    if (node->class_ == BR_INT) return br_integers_select(node, selection, bits_out, done_out, err);
    if (node->class_ != BR_REAL) {
        select_texts(node, selection, bits_out);
        return BR_OK;
    }
    br_real_range range = br_filter_reals(selection->filter);
    node->kernels->range_f64(reals_of(node) + selection->first, selection->count, range.low,
                             range.high, bits_out);
    if (range.is_negated) br_bits_negate(bits_out, selection->count);
    return BR_OK;
}

static void raw_integers(const br_node *node, uint32_t first, uint32_t count, int64_t *values_out)
{
    memcpy(values_out, integers_of(node) + first, count * sizeof *values_out);
}

static void raw_range(const br_node *node, uint32_t first, uint32_t count, int64_t low,
                      int64_t high, uint64_t *bits_out)
{
    node->kernels->range_i64(integers_of(node) + first, count, low, high, bits_out);
}

static const br_integer_ops raw_integer_ops = {
    .decode = raw_integers,
    .gather = raw_gather_integers,
    .range = raw_range,
};

const br_encoding_ops br_encode_raw = {
    .name = "raw",
    .class_mask = BR_MASK_INT | BR_MASK_REAL | BR_MASK_TEXT | BR_MASK_BLOB,
    .estimate = raw_estimate,
    .encode = raw_encode,
    .open = raw_open,
    .decode = raw_decode,
    .gather = raw_gather,
    .select = raw_select,
    .integers = &raw_integer_ops,
};
