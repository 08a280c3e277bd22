// encode_rle.c - runs of equal values: one node of values, one of run ends.
//
// Body: u32 run_count, node of the values (run_count rows, same class), INT node of the run ends
// (the row after each run). Run values and ends are laid out when the page is opened: there are at
// most a quarter as many as rows.
// SPDX-License-Identifier: Apache-2.0
#include "format/encoding.h"

enum { ROWS_PER_RUN_MIN = 4 };  // below, the ends cost more than bits do

static uint32_t bits_of(uint64_t span)
{
    return span == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(span);
}

static br_status rle_estimate(br_encoder *encoder, const br_values *values,
                              const br_traits *traits, br_estimate *out, br_error *err)
{
    (void)encoder;
    (void)err;
    uint64_t runs = traits->run_count;
    if (runs < 2 || runs * ROWS_PER_RUN_MIN > values->row_count) return BR_OK;
    uint64_t value_bits = 64;
    if (values->class_ == BR_INT)
        value_bits = bits_of((uint64_t)traits->int_max - (uint64_t)traits->int_min);
    if (values->sizes != NULL) value_bits = traits->text_bytes * 8 / values->row_count + 16;
    // The ends of the 1,024 runs of a vector span 1,024 average runs.
    uint64_t end_bits = bits_of(values->row_count / runs) + 10;
    uint64_t vectors = br_vectors_of((uint32_t)runs);
    *out = (br_estimate){.size_bytes = runs * (value_bits + end_bits) / 8 + vectors * 64 + 64};
    return BR_OK;
}

// The first row of each run and its end.
static uint32_t find_runs(const br_values *values, uint32_t *firsts_out, int64_t *ends_out)
{
    uint32_t runs = 0;
    for (uint32_t row = 0; row < values->row_count; row++) {
        if (row > 0 && br_values_equal(values, row, row - 1)) continue;
        if (row > 0) ends_out[runs - 1] = row;
        firsts_out[runs++] = row;
    }
    ends_out[runs - 1] = values->row_count;
    return runs;
}

static br_status rle_encode(br_encoder *encoder, const br_values *values,
                            const br_estimate *estimate, br_error *err)
{
    (void)estimate;
    uint32_t *firsts = BR_ALLOC(encoder->arena, uint32_t, values->row_count);
    int64_t *ends = BR_ALLOC(encoder->arena, int64_t, values->row_count);
    uint64_t *payloads = BR_ALLOC(encoder->arena, uint64_t, values->row_count);
    uint32_t *sizes = BR_ALLOC(encoder->arena, uint32_t, values->row_count);
    if (firsts == NULL || ends == NULL || payloads == NULL || sizes == NULL)
        return br_fail_nomem(err, values->row_count * 24ull);
    uint32_t runs = find_runs(values, firsts, ends);
    for (uint32_t run = 0; run < runs; run++) {
        payloads[run] = values->payloads[firsts[run]];
        if (values->sizes != NULL) sizes[run] = values->sizes[firsts[run]];
    }
    br_values run_values = {.class_ = values->class_,
                            .row_count = runs,
                            .payloads = payloads,
                            .sizes = values->sizes != NULL ? sizes : NULL};
    uint8_t head[4];
    br_encoding encoding;
    br_store_u32(head, runs);
    BR_TRY(br_append(encoder->out, head, sizeof head, err));
    BR_TRY(br_node_encode(encoder, &run_values, &encoding, err));
    return br_node_encode_integers(encoder, ends, runs, err);
}

// Run ends must ascend strictly and stop at the last row: finding a run relies on it.
static br_status open_ends(br_opener *opener, br_node *node, br_error *err)
{
    br_rle *rle = &node->rle;
    const br_node *child;
    BR_TRY(br_node_open_child(opener, rle->run_count, BR_MASK_INT, &child, err));
    void *memory;
    BR_TRY(br_opener_alloc(opener, rle->run_count * sizeof(uint32_t), &memory, err));
    uint32_t *ends = memory;
    _Alignas(64) int64_t numbers[BR_VECTOR_ROWS];
    int64_t before = 0;
    for (uint32_t first = 0; first < rle->run_count; first += BR_VECTOR_ROWS) {
        uint32_t left = rle->run_count - first;
        uint32_t count = left < BR_VECTOR_ROWS ? left : BR_VECTOR_ROWS;
        child->ops->integers->decode(child, first, count, numbers);
        for (uint32_t i = 0; i < count; i++) {
            if (numbers[i] <= before || numbers[i] > node->row_count)
                return br_opener_corrupt(opener, err, "run end", (uint64_t)numbers[i],
                                         node->row_count);
            before = numbers[i];
            ends[first + i] = (uint32_t)before;
        }
    }
    if (before != node->row_count)
        return br_opener_corrupt(opener, err, "last run end", (uint64_t)before, node->row_count);
    rle->ends = ends;
    return BR_OK;
}

static br_status rle_open(br_opener *opener, br_node *node, br_error *err)
{
    br_rle *rle = &node->rle;
    const uint8_t *head;
    const br_node *child;
    BR_TRY(br_opener_take(opener, 4, "run count", &head, err));
    rle->run_count = br_load_u32(head);
    if (rle->run_count == 0 || rle->run_count > node->row_count)
        return br_opener_corrupt(opener, err, "run count", rle->run_count, node->row_count);
    BR_TRY(br_node_open_child(opener, rle->run_count, 1u << node->class_, &child, err));
    BR_TRY(child->ops->decode(child, 0, rle->run_count, opener->arena, &rle->values, err));
    if (rle->values.kind == BR_VECTOR_CONST)
        BR_TRY(br_vector_flatten(&rle->values, rle->run_count, opener->arena, &rle->values, err));
    return open_ends(opener, node, err);
}

// The run that row lies in.
static uint32_t find_run(const br_rle *rle, uint32_t row)
{
    uint32_t low = 0, high = rle->run_count - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (rle->ends[middle] <= row) low = middle + 1;
        else high = middle;
    }
    return low;
}

// Writes items of 4, 8 or 16 bytes, each as often as its run is long within first..first+count.
#define DEFINE_EXPAND(name, type)                                                         \
    static void name(const br_rle *rle, uint32_t first, uint32_t count, type *out)        \
    {                                                                                     \
        const type *values = rle->values.data;                                            \
        uint32_t row = first, end = first + count;                                        \
        for (uint32_t run = find_run(rle, first); row < end; run++) {                     \
            uint32_t run_end = rle->ends[run] < end ? rle->ends[run] : end;               \
            for (; row < run_end; row++) out[row - first] = values[run];                  \
        }                                                                                 \
    }
DEFINE_EXPAND(expand_codes, uint32_t)
DEFINE_EXPAND(expand_integers, int64_t)
DEFINE_EXPAND(expand_reals, double)
DEFINE_EXPAND(expand_texts, br_text)

static br_status rle_decode(const br_node *node, uint32_t first, uint32_t count, br_arena *arena,
                            br_vector *out, br_error *err)
{
    const br_rle *rle = &node->rle;
    *out = rle->values;
    bool is_flat_text = rle->values.kind == BR_VECTOR_FLAT && rle->values.class_ >= BR_TEXT;
    size_t size_bytes = (size_t)count * (is_flat_text ? sizeof(br_text) : sizeof(int64_t));
    void *items = br_arena_alloc(arena, size_bytes, 64);
    if (items == NULL) return br_fail_nomem(err, size_bytes);
    if (rle->values.kind == BR_VECTOR_DICT) expand_codes(rle, first, count, items);
    else if (is_flat_text) expand_texts(rle, first, count, items);
    else if (rle->values.class_ == BR_REAL) expand_reals(rle, first, count, items);
    else expand_integers(rle, first, count, items);
    out->data = items;
    return BR_OK;
}

static void rle_integers(const br_node *node, uint32_t first, uint32_t count, int64_t *values_out)
{
    expand_integers(&node->rle, first, count, values_out);
}

static void rle_gather_integers(const br_node *node, uint32_t first, const uint16_t *positions,
                                uint32_t count, int64_t *values_out)
{
    const br_rle *rle = &node->rle;
    if (count == 0) return;
    uint32_t run = find_run(rle, first + positions[0]);
    for (uint32_t i = 0; i < count; i++) {
        while (rle->ends[run] <= first + positions[i]) run++;
        values_out[i] = rle->values.i64[run];
    }
}

static br_status rle_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                            uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    const br_rle *rle = &node->rle;
    uint16_t *runs = br_arena_alloc(arena, count * sizeof *runs, 2);
    if (runs == NULL) return br_fail_nomem(err, count * sizeof *runs);
    uint32_t run = count > 0 ? find_run(rle, first + positions[0]) : 0;
    for (uint32_t i = 0; i < count; i++) {
        while (rle->ends[run] <= first + positions[i]) run++;
        runs[i] = (uint16_t)run;
    }
    return br_vector_gather(&rle->values, runs, count, arena, out, err);
}

// Turns one bit per run into one bit per row.
static void expand_bits(const br_rle *rle, const uint64_t *passes, uint32_t first, uint32_t count,
                        uint64_t *bits_out)
{
    memset(bits_out, 0, br_bitmap_words(count) * sizeof *bits_out);
    uint32_t row = first, end = first + count;
    for (uint32_t run = find_run(rle, first); row < end; run++) {
        uint32_t run_end = rle->ends[run] < end ? rle->ends[run] : end;
        if (br_bitmap_get(passes, run)) br_bits_set(bits_out, row - first, run_end - first);
        row = run_end;
    }
}

static void rle_range(const br_node *node, uint32_t first, uint32_t count, int64_t low,
                      int64_t high, uint64_t *bits_out)
{
    const br_rle *rle = &node->rle;
    memset(bits_out, 0, br_vectors_of(count) * BR_VECTOR_WORDS * sizeof *bits_out);
    uint32_t row = first, end = first + count;
    for (uint32_t run = find_run(rle, first); row < end; run++) {
        uint32_t run_end = rle->ends[run] < end ? rle->ends[run] : end;
        bool passes = low <= rle->values.i64[run] && rle->values.i64[run] <= high;
        if (passes) br_bits_set(bits_out, row - first, run_end - first);
        row = run_end;
    }
}

static br_status rle_select(const br_node *node, const br_selection *selection,
                            uint64_t *bits_out, bool *done_out, br_error *err)
{
    const uint64_t *passes;
    BR_TRY(br_select_entries(selection, node->kernels, &node->rle.values, node->rle.run_count,
                             &passes, err));
    expand_bits(&node->rle, passes, selection->first, selection->count, bits_out);
    *done_out = true;
    return BR_OK;
}

static const br_integer_ops rle_integer_ops = {
    .decode = rle_integers,
    .gather = rle_gather_integers,
    .range = rle_range,
};

const br_encoding_ops br_encode_rle = {
    .name = "rle",
    .class_mask = BR_MASK_INT | BR_MASK_REAL | BR_MASK_TEXT | BR_MASK_BLOB,
    .estimate = rle_estimate,
    .encode = rle_encode,
    .open = rle_open,
    .decode = rle_decode,
    .gather = rle_gather,
    .select = rle_select,
    .integers = &rle_integer_ops,
};
