// encode_dict.c - values as codes into the page's distinct values.
//
// Body: u32 entry_count, RAW node of the entries, BITPACK node of the codes. Entries are sorted at
// compaction and when there are few, otherwise in order of appearance; nothing relies on it, but
// sorted entries compress better and make range predicates a range of codes. TEXT and BLOB decode
// to DICT vectors; INT and REAL to flat ones, since numbers are worked on as they are.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "base/hash.h"
#include "base/thread.h"
#include "format/sketch.h"

enum {
    SORT_ALWAYS_MAX = 1024,   // sorting so few costs nothing against hashing the rows
    EARLY_LOOK_ROWS = 4096,   // flush gives up here when three of four values are new
    CODE_BITS_MAX = 16,
    SHORT_BITS = 24,
};

typedef struct dict_plan {
    uint32_t size;
    uint32_t limit;         // more entries: not worth it
    uint64_t entry_bytes;
    uint32_t *codes;        // per row
    uint32_t *first_rows;   // per entry
    uint32_t *hashes;       // per entry
    uint32_t *slots;        // entry + 1, 0: free
    uint32_t slot_mask;
} dict_plan;

static br_status plan_new(br_encoder *encoder, uint32_t row_count, dict_plan **plan_out,
                          br_error *err)
{
    dict_plan *plan = BR_ALLOC(encoder->arena, dict_plan, 1);
    uint32_t slots = 64;
    while (slots < row_count) slots *= 2;  // entries are at most half as many: half full
    if (plan == NULL) return br_fail_nomem(err, sizeof *plan);
    *plan = (dict_plan){.limit = row_count / 2, .slot_mask = slots - 1};
    plan->codes = br_arena_alloc(encoder->arena, row_count * sizeof(uint32_t), 64);
    plan->first_rows = br_arena_alloc(encoder->arena, row_count * sizeof(uint32_t), 4);
    plan->hashes = br_arena_alloc(encoder->arena, row_count * sizeof(uint32_t), 4);
    plan->slots = BR_ALLOC(encoder->arena, uint32_t, slots);
    if (plan->codes == NULL || plan->first_rows == NULL || plan->hashes == NULL ||
        plan->slots == NULL)
        return br_fail_nomem(err, slots * sizeof(uint32_t));
    *plan_out = plan;
    return BR_OK;
}

// The entry of the row's value, added when it is new.
static uint32_t find_or_add(dict_plan *plan, const br_values *values, uint32_t row)
{
    uint32_t hash = (uint32_t)br_values_hash(values, row);
    for (uint32_t slot = hash & plan->slot_mask;; slot = (slot + 1) & plan->slot_mask) {
        uint32_t entry = plan->slots[slot];
        if (entry == 0) {
            plan->slots[slot] = plan->size + 1;
            plan->hashes[plan->size] = hash;
            plan->first_rows[plan->size] = row;
            plan->entry_bytes += values->sizes != NULL ? values->sizes[row] + 2ull : 8;
            return plan->size++;
        }
        entry--;
        if (plan->hashes[entry] == hash && br_values_equal(values, plan->first_rows[entry], row))
            return entry;
    }
}

// Gives every row a code; false when there are too many different values.
static bool assign_codes(br_encoder *encoder, dict_plan *plan, const br_values *values)
{
    uint32_t row_count = values->row_count;
    for (uint32_t row = 0; row < row_count; row++) {
        if (row > 0 && br_values_equal(values, row, row - 1)) {
            plan->codes[row] = plan->codes[row - 1];
            continue;
        }
        plan->codes[row] = find_or_add(plan, values, row);
        bool is_early_look = row == EARLY_LOOK_ROWS && encoder->effort == BR_ENCODE_FAST;
        bool is_hopeless = is_early_look && plan->size > EARLY_LOOK_ROWS / 4 * 3;
        if (plan->size <= plan->limit && !is_hopeless) continue;
        return false;
    }
    encoder->distinct_estimate = plan->size;
    return true;
}

static uint32_t code_width(uint32_t size)
{
    return size <= 1 ? 0 : 32 - (uint32_t)__builtin_clz(size - 1);
}

// Small integers and numbers in runs: other encodings are hardly larger, and quicker.
static bool is_short(const br_values *values, const br_traits *traits)
{
    if (values->sizes != NULL) return false;
    if (traits->run_count <= values->row_count / 4) return true;
    if (values->class_ != BR_INT) return false;
    return (uint64_t)traits->int_max - (uint64_t)traits->int_min < 1ull << SHORT_BITS;
}

static br_status dict_estimate(br_encoder *encoder, const br_values *values,
                               const br_traits *traits, br_estimate *out, br_error *err)
{
    if (values->row_count < 4 || is_short(values, traits)) return BR_OK;
    dict_plan *plan = NULL;
    BR_TRY(plan_new(encoder, values->row_count, &plan, err));
    if (!assign_codes(encoder, plan, values)) return BR_OK;
    uint64_t codes_bytes = (uint64_t)br_vectors_of(values->row_count) * BR_PACKED_BYTES_PER_BIT *
                           code_width(plan->size);
    *out = (br_estimate){.size_bytes = plan->entry_bytes + codes_bytes + 64, .plan = plan};
    return BR_OK;
}

typedef struct sort_item {
    br_value value;
    uint32_t entry;
} sort_item;

// -0.0 and 0.0 are two entries and equal: the first to appear comes first.
static int compare_items(const void *left, const void *right)
{
    const sort_item *a = left, *b = right;
    int order = br_value_compare(&a->value, &b->value, BR_COLLATION_BINARY);
    return order != 0 ? order : (a->entry > b->entry) - (a->entry < b->entry);
}

static br_value value_of(const br_values *values, uint32_t row)
{
    if (values->class_ == BR_INT) return br_value_int((int64_t)values->payloads[row]);
    if (values->class_ == BR_REAL) return br_value_real(br_real_of_bits(values->payloads[row]));
    return (br_value){.class_ = (uint8_t)values->class_, .text = br_values_text(values, row)};
}

// The entries in the order they are stored in, and the stored code of each planned one.
static br_status order_entries(br_encoder *encoder, const dict_plan *plan,
                               const br_values *values, sort_item **items_out,
                               uint32_t **stored_codes_out, br_error *err)
{
    sort_item *items = BR_ALLOC(encoder->arena, sort_item, plan->size);
    uint32_t *stored_codes = BR_ALLOC(encoder->arena, uint32_t, plan->size);
    if (items == NULL || stored_codes == NULL)
        return br_fail_nomem(err, plan->size * sizeof *items);
    for (uint32_t entry = 0; entry < plan->size; entry++) {
        items[entry].value = value_of(values, plan->first_rows[entry]);
        items[entry].entry = entry;
    }
    if (encoder->effort == BR_ENCODE_SMALL || plan->size <= SORT_ALWAYS_MAX)
        qsort(items, plan->size, sizeof *items, compare_items);
    for (uint32_t code = 0; code < plan->size; code++) stored_codes[items[code].entry] = code;
    *items_out = items;
    *stored_codes_out = stored_codes;
    return BR_OK;
}

static br_status encode_entries(br_encoder *encoder, const dict_plan *plan,
                                const br_values *values, const sort_item *items, br_error *err)
{
    uint32_t count = plan->size;
    uint64_t *payloads = BR_ALLOC(encoder->arena, uint64_t, count);
    uint32_t *sizes = BR_ALLOC(encoder->arena, uint32_t, count);
    if (payloads == NULL || sizes == NULL) return br_fail_nomem(err, count * 12ull);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = plan->first_rows[items[i].entry];
        payloads[i] = values->payloads[row];
        if (values->sizes != NULL) sizes[i] = values->sizes[row];
    }
    br_values entries = {.class_ = values->class_,
                         .row_count = count,
                         .payloads = payloads,
                         .sizes = values->sizes != NULL ? sizes : NULL};
    br_estimate unused = {0};
    return br_node_encode_as(encoder, &entries, BR_ENCODING_RAW, &unused, err);
}

static br_status encode_codes(br_encoder *encoder, const dict_plan *plan,
                              const uint32_t *stored_codes, uint32_t row_count, br_error *err)
{
    uint64_t *codes = br_arena_alloc(encoder->arena, row_count * sizeof *codes, 64);
    if (codes == NULL) return br_fail_nomem(err, row_count * sizeof *codes);
    for (uint32_t row = 0; row < row_count; row++) codes[row] = stored_codes[plan->codes[row]];
    br_values values = {.class_ = BR_INT, .row_count = row_count, .payloads = codes};
    br_estimate estimate;
    BR_TRY(br_encode_bitpack.estimate(encoder, &values, NULL, &estimate, err));
    return br_node_encode_as(encoder, &values, BR_ENCODING_BITPACK, &estimate, err);
}

// Spares a pass over the rows.
static void sketch_entries(br_encoder *encoder, const dict_plan *plan, const br_values *values)
{
    for (uint32_t entry = 0; encoder->sketch != NULL && entry < plan->size; entry++) {
        uint32_t row = plan->first_rows[entry];
        uint32_t size = values->sizes == NULL ? 0 : values->sizes[row];
        uint64_t hash = br_payload_hash(values->class_, values->payloads[row], size);
        br_sketch_add(encoder->sketch, hash);
    }
    encoder->sketch = NULL;
}

static br_status dict_encode(br_encoder *encoder, const br_values *values,
                             const br_estimate *estimate, br_error *err)
{
    const dict_plan *plan = estimate->plan;
    sort_item *items = NULL;
    uint32_t *stored_codes = NULL;
    BR_TRY(order_entries(encoder, plan, values, &items, &stored_codes, err));
    uint8_t head[4];
    br_store_u32(head, plan->size);
    BR_TRY(br_append(encoder->out, head, sizeof head, err));
    BR_TRY(encode_entries(encoder, plan, values, items, err));
    if (values == encoder->page_values) sketch_entries(encoder, plan, values);
    return encode_codes(encoder, plan, stored_codes, values->row_count, err);
}

// ---- opening and reading ---------------------------------------------------------------------

// Every code, also those that fill up the last vector, must name an entry.
static br_status check_codes(br_opener *opener, const br_node *codes, uint32_t size, br_error *err)
{
    _Alignas(64) uint32_t values[BR_VECTOR_ROWS];
    for (uint32_t v = 0; v < br_vectors_of(codes->row_count); v++) {
        uint64_t base = codes->bitpack.bases[v];
        uint32_t width = codes->bitpack.widths[v];
        if (width > CODE_BITS_MAX)
            return br_opener_corrupt(opener, err, "code width", width, CODE_BITS_MAX);
        if (base >= size) return br_opener_corrupt(opener, err, "code", base, size);
        if (br_bitpack_vector_max(codes, v) < size) continue;
        br_bitpack_codes(codes, v * BR_VECTOR_ROWS, BR_VECTOR_ROWS, values);
        uint32_t largest = 0;
        for (uint32_t i = 0; i < BR_VECTOR_ROWS; i++)
            largest = values[i] > largest ? values[i] : largest;
        if (largest >= size) return br_opener_corrupt(opener, err, "code", largest, size);
    }
    return BR_OK;
}

static br_status dict_open(br_opener *opener, br_node *node, br_error *err)
{
    const uint8_t *head;
    const br_node *entries, *codes;
    br_dictionary *dictionary = &node->dict.dictionary;
    BR_TRY(br_opener_take(opener, 4, "dictionary size", &head, err));
    uint32_t size = br_load_u32(head);
    if (size == 0 || size > node->row_count)
        return br_opener_corrupt(opener, err, "dictionary size", size, node->row_count);
    BR_TRY(br_node_open_child(opener, size, 1u << node->class_, &entries, err));
    if (entries->encoding != BR_ENCODING_RAW)
        return br_opener_corrupt(opener, err, "dictionary encoding", entries->encoding,
                                 BR_ENCODING_RAW);
    BR_TRY(br_node_open_child(opener, node->row_count, BR_MASK_INT, &codes, err));
    if (codes->encoding != BR_ENCODING_BITPACK)
        return br_opener_corrupt(opener, err, "code encoding", codes->encoding,
                                 BR_ENCODING_BITPACK);
    BR_TRY(check_codes(opener, codes, size, err));
    BR_TRY(entries->ops->decode(entries, 0, size, opener->arena, &dictionary->values, err));
    dictionary->size = size;
    // Two dictionaries never live at one address at one time, so place and time name one.
    dictionary->id = br_hash_combine((uint64_t)(uintptr_t)node, br_clock_ns());
    node->dict.codes = codes;
    return BR_OK;
}

static bool has_numbers(const br_node *node)
{
    return node->class_ == BR_INT || node->class_ == BR_REAL;
}

// A FLAT vector of numbers from their codes.
static br_status flat_numbers(const br_node *node, const uint32_t *codes, uint32_t count,
                              br_arena *arena, br_vector *out, br_error *err)
{
    br_vector vector = {.class_ = node->class_,
                        .kind = BR_VECTOR_DICT,
                        .codes = codes,
                        .dictionary = &node->dict.dictionary};
    return br_vector_flatten(&vector, count, arena, out, err);
}

static br_status dict_decode(const br_node *node, uint32_t first, uint32_t count, br_arena *arena,
                             br_vector *out, br_error *err)
{
    size_t size_bytes = (size_t)br_vectors_of(count) * BR_VECTOR_ROWS * sizeof(uint32_t);
    uint32_t *codes = br_arena_alloc(arena, size_bytes, 64);
    if (codes == NULL) return br_fail_nomem(err, size_bytes);
    br_bitpack_codes(node->dict.codes, first, count, codes);
    if (has_numbers(node)) return flat_numbers(node, codes, count, arena, out, err);
    *out = (br_vector){.class_ = node->class_,
                       .kind = BR_VECTOR_DICT,
                       .codes = codes,
                       .dictionary = &node->dict.dictionary};
    return BR_OK;
}

static br_status dict_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                             uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    int64_t *wide = br_arena_alloc(arena, count * sizeof *wide, 64);
    uint32_t *codes = br_arena_alloc(arena, count * sizeof *codes, 64);
    if (wide == NULL || codes == NULL) return br_fail_nomem(err, count * sizeof *wide);
    br_encode_bitpack.integers->gather(node->dict.codes, first, positions, count, wide);
    for (uint32_t i = 0; i < count; i++) codes[i] = (uint32_t)wide[i];
    if (has_numbers(node)) return flat_numbers(node, codes, count, arena, out, err);
    *out = (br_vector){.class_ = node->class_,
                       .kind = BR_VECTOR_DICT,
                       .codes = codes,
                       .dictionary = &node->dict.dictionary};
    return BR_OK;
}

// The first and the last bit that is set; there is one.
static void stretch_of(const uint64_t *bits, uint32_t size, uint32_t *first_out,
                       uint32_t *last_out)
{
    uint32_t low = 0, high = br_bitmap_words(size) - 1;
    while (bits[low] == 0) low++;
    while (bits[high] == 0) high--;
    *first_out = low * 64 + (uint32_t)__builtin_ctzll(bits[low]);
    *last_out = high * 64 + 63 - (uint32_t)__builtin_clzll(bits[high]);
}

// When the passing codes are one stretch (an equality; a range over sorted entries) the packed
// codes are compared; otherwise each is looked up in the bits.
static br_status dict_select(const br_node *node, const br_selection *selection,
                             uint64_t *bits_out, bool *done_out, br_error *err)
{
    const uint64_t *passes;
    uint32_t size = node->dict.dictionary.size;
    BR_TRY(br_select_entries(selection, node->kernels, &node->dict.dictionary.values, size,
                             &passes, err));
    *done_out = true;
    uint32_t count = br_bitmap_count(passes, size), first = 0, last = 0;
    if (count > 0) stretch_of(passes, size, &first, &last);
    if (count == 0) {
        memset(bits_out, 0, br_bitmap_words(selection->count) * sizeof *bits_out);
    } else if (last - first + 1 == count) {
        br_encode_bitpack.integers->range(node->dict.codes, selection->first, selection->count,
                                          first, last, bits_out);
    } else {
        br_bitpack_test_codes(node->dict.codes, selection->first, selection->count, passes,
                              size, bits_out);
    }
    return BR_OK;
}

// ---- integers --------------------------------------------------------------------------------

static void dict_integers(const br_node *node, uint32_t first, uint32_t count, int64_t *values_out)
{
    _Alignas(64) uint32_t codes[BR_VECTOR_ROWS];
    const int64_t *entries = node->dict.dictionary.values.i64;
    for (uint32_t begin = 0; begin < count; begin += BR_VECTOR_ROWS) {
        uint32_t rows = count - begin < BR_VECTOR_ROWS ? count - begin : BR_VECTOR_ROWS;
        br_bitpack_codes(node->dict.codes, first + begin, rows, codes);
        for (uint32_t i = 0; i < rows; i++) values_out[begin + i] = entries[codes[i]];
    }
}

static void dict_gather_integers(const br_node *node, uint32_t first, const uint16_t *positions,
                                 uint32_t count, int64_t *values_out)
{
    const int64_t *entries = node->dict.dictionary.values.i64;
    br_encode_bitpack.integers->gather(node->dict.codes, first, positions, count, values_out);
    for (uint32_t i = 0; i < count; i++) values_out[i] = entries[values_out[i]];
}

static void dict_range(const br_node *node, uint32_t first, uint32_t count, int64_t low,
                       int64_t high, uint64_t *bits_out)
{
    _Alignas(64) int64_t values[BR_VECTOR_ROWS];
    for (uint32_t begin = 0; begin < count; begin += BR_VECTOR_ROWS) {
        uint32_t rows = count - begin < BR_VECTOR_ROWS ? count - begin : BR_VECTOR_ROWS;
        dict_integers(node, first + begin, rows, values);
        node->kernels->range_i64(values, rows, low, high, bits_out + begin / 64);
    }
}

static const br_integer_ops dict_integer_ops = {
    .decode = dict_integers,
    .gather = dict_gather_integers,
    .range = dict_range,
};

const br_encoding_ops br_encode_dict = {
    .name = "dict",
    .class_mask = BR_MASK_INT | BR_MASK_REAL | BR_MASK_TEXT | BR_MASK_BLOB,
    .estimate = dict_estimate,
    .encode = dict_encode,
    .open = dict_open,
    .decode = dict_decode,
    .gather = dict_gather,
    .select = dict_select,
    .integers = &dict_integer_ops,
};
