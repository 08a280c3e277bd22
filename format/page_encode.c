// page_encode.c - one column of one chunk to bytes.
//
// Layout of a page: validity (validity.c), root node. A node is a header of 8 bytes (encoding.h)
// and the body its encoding describes (encode_*.c). All integers are little-endian; nothing is
// aligned, since opening a page copies what must be.
// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "format/sketch.h"
#include "format/zone_map.h"

typedef struct page_plan {
    uint32_t class_counts[BR_ANY];
    br_class main_class;       // the most frequent one but NULL; BR_NULL: all NULL
    bool is_mixed;
    uint64_t *validity;        // NULL: no row is NULL
    br_values values;          // of the main class, filled up
    br_exceptions exceptions;  // rows of other classes
} page_plan;

static void collect_stats(const br_column *column, page_plan *plan, br_page_entry *entry)
{
    br_zone_stats_init(&entry->stats);
    for (uint32_t zone = 0; zone < BR_ZONES_PER_CHUNK; zone++) {
        uint32_t first = zone * BR_ZONE_ROWS;
        br_zone_stats_init(&entry->zones[zone]);
        if (first >= column->row_count) continue;
        uint32_t left = column->row_count - first;
        uint32_t count = left < BR_ZONE_ROWS ? left : BR_ZONE_ROWS;
        br_zone_stats_collect(column, first, count, plan->class_counts, &entry->zones[zone]);
        br_zone_stats_merge(&entry->stats, &entry->zones[zone]);
    }
    const uint32_t *counts = plan->class_counts;
    uint32_t classes = 0;
    for (uint32_t class_ = BR_INT; class_ < BR_ANY; class_++) {
        if (counts[class_] == 0) continue;
        if (classes++ == 0 || counts[class_] > counts[plan->main_class])
            plan->main_class = (br_class)class_;
    }
    plan->is_mixed = classes > 1;
}

// A bitmap of the rows whose class is (or is not) `class_`.
static br_status class_bitmap(const br_column *column, br_class class_, bool is_wanted,
                              br_arena *arena, uint64_t **bits_out, br_error *err)
{
    uint32_t words = br_bitmap_words(column->row_count);
    uint64_t *bits = BR_ALLOC(arena, uint64_t, words);
    if (bits == NULL) return br_fail_nomem(err, words * sizeof *bits);
    for (uint32_t row = 0; row < column->row_count; row++) {
        bool is_class = column->classes[row] == class_;
        bits[row >> 6] |= (uint64_t)(is_class == is_wanted) << (row & 63);
    }
    *bits_out = bits;
    return BR_OK;
}

// Gives the rows that have no value of the main class that of the row before (at the start: of the
// first that has one): repetitions cost every encoding little.
static br_status fill_values(const br_column *column, br_arena *arena, br_values *values,
                             br_error *err)
{
    uint32_t row_count = column->row_count, first = 0;
    uint64_t *payloads = br_arena_alloc(arena, row_count * sizeof *payloads, 64);
    uint32_t *sizes = br_arena_alloc(arena, row_count * sizeof *sizes, 64);
    if (payloads == NULL || sizes == NULL) return br_fail_nomem(err, row_count * 12ull);
    while (column->classes[first] != values->class_) first++;
    uint64_t payload = column->payloads[first];
    uint32_t size = column->sizes[first];
    for (uint32_t row = 0; row < row_count; row++) {
        bool is_main = column->classes[row] == values->class_;
        payload = is_main ? column->payloads[row] : payload;
        size = is_main ? column->sizes[row] : size;
        payloads[row] = payload;
        sizes[row] = size;
    }
    values->payloads = payloads;
    if (values->sizes != NULL) values->sizes = sizes;
    return BR_OK;
}

static br_status collect_exceptions(const br_column *column, br_arena *arena, page_plan *plan,
                                    br_error *err)
{
    uint32_t count = column->row_count - plan->class_counts[BR_NULL] -
                     plan->class_counts[plan->main_class];
    uint16_t *rows = BR_ALLOC(arena, uint16_t, count);
    br_value *values = BR_ALLOC(arena, br_value, count);
    if (rows == NULL || values == NULL) return br_fail_nomem(err, count * sizeof *values);
    uint32_t found = 0;
    for (uint32_t row = 0; row < column->row_count; row++) {
        uint8_t class_ = column->classes[row];
        if (class_ == BR_NULL || class_ == plan->main_class) continue;
        rows[found] = (uint16_t)row;
        values[found++] = br_column_value(column, row);
    }
    br_assert(found == count);
    plan->exceptions = (br_exceptions){.count = count, .rows = rows, .values = values};
    return BR_OK;
}

static br_status plan_values(const br_column *column, br_arena *arena, page_plan *plan,
                             br_error *err)
{
    bool has_sizes = plan->main_class == BR_TEXT || plan->main_class == BR_BLOB;
    plan->values = (br_values){.class_ = plan->main_class,
                               .row_count = column->row_count,
                               .payloads = column->payloads,
                               .sizes = has_sizes ? column->sizes : NULL};
    if (plan->class_counts[BR_NULL] > 0) {
        BR_TRY(class_bitmap(column, BR_NULL, false, arena, &plan->validity, err));
        plan->values.validity = plan->validity;
    }
    if (plan->class_counts[plan->main_class] == column->row_count) return BR_OK;
    if (plan->is_mixed) {
        uint64_t *is_main;
        BR_TRY(class_bitmap(column, plan->main_class, true, arena, &is_main, err));
        plan->values.validity = is_main;
        BR_TRY(collect_exceptions(column, arena, plan, err));
    }
    return fill_values(column, arena, &plan->values, err);
}

static br_status encode_root(br_encoder *encoder, const page_plan *plan, uint32_t row_count,
                             br_encoding *encoding_out, br_error *err)
{
    BR_TRY(br_validity_append(encoder, plan->validity, row_count, err));
    if (plan->main_class == BR_NULL) {
        uint8_t header[BR_NODE_HEADER_BYTES];
        *encoding_out = BR_ENCODING_CONSTANT;
        br_node_header_append(header, BR_ENCODING_CONSTANT, BR_NULL, row_count);
        return br_append(encoder->out, header, sizeof header, err);
    }
    if (!plan->is_mixed) return br_node_encode(encoder, &plan->values, encoding_out, err);
    br_estimate exceptions = {.plan = &plan->exceptions};
    *encoding_out = BR_ENCODING_MIXED;
    return br_node_encode_as(encoder, &plan->values, BR_ENCODING_MIXED, &exceptions, err);
}

static uint32_t distinct_of(const br_encoder *encoder, const page_plan *plan, br_encoding encoding)
{
    if (plan->main_class == BR_NULL) return 0;
    if (encoding == BR_ENCODING_CONSTANT) return 1;
    if (encoding == BR_ENCODING_SEQUENCE) return plan->values.row_count;
    uint32_t distinct = encoder->distinct_estimate;
    if (distinct == 0) distinct = br_values_distinct(&plan->values, NULL);
    return distinct + br_exceptions_distinct(&plan->exceptions);
}

// What the encodings have not added to the sketch on the way. A page whose values are (nearly) all
// different has no common ones.
static br_status fill_sketch(const br_column *column, br_encoder *encoder, const page_plan *plan,
                             br_sketch *sketch, br_error *err)
{
    sketch->common.row_count = column->row_count;
    if (plan->main_class == BR_NULL) return BR_OK;
    if (encoder->sketch != NULL) {
        uint32_t distinct = br_values_distinct(&plan->values, sketch);
        if (encoder->distinct_estimate == 0) encoder->distinct_estimate = distinct;
    }
    for (uint32_t i = 0; i < plan->exceptions.count; i++)
        br_sketch_add(sketch, br_sketch_hash(&plan->exceptions.values[i]));
    if (encoder->distinct_estimate >= column->row_count * 0.98) return BR_OK;
    return br_sketch_sample(sketch, column, encoder->arena, err);
}

static uint64_t raw_bytes_of(const br_column *column, const page_plan *plan)
{
    uint64_t numbers = (uint64_t)plan->class_counts[BR_INT] + plan->class_counts[BR_REAL];
    uint64_t raw_bytes = numbers * sizeof(uint64_t);
    if (plan->class_counts[BR_TEXT] + plan->class_counts[BR_BLOB] == 0) return raw_bytes;
    for (uint32_t row = 0; row < column->row_count; row++) raw_bytes += column->sizes[row];
    return raw_bytes;
}

static br_status encode_page(const br_column *column, br_encoder *encoder,
                             br_page_entry *entry_out, br_sketch *sketch_out, br_error *err)
{
    page_plan plan = {0};
    br_sketch sketch = {0};
    if (sketch_out != NULL) encoder->sketch = &sketch;
    encoder->page_values = &plan.values;
    br_encoding encoding;
    br_page_entry entry = {.row_count = column->row_count};
    size_t start = encoder->out->size_bytes;
    collect_stats(column, &plan, &entry);
    if (plan.main_class != BR_NULL) BR_TRY(plan_values(column, encoder->arena, &plan, err));
    BR_TRY(encode_root(encoder, &plan, column->row_count, &encoding, err));
    size_t stored_bytes = encoder->out->size_bytes - start;
    if (stored_bytes > UINT32_MAX)
        return br_fail(err, BR_UNSUPPORTED, "page of %zu bytes is over the limit of 4 GiB",
                       stored_bytes);
    entry.stored_bytes = (uint32_t)stored_bytes;
    entry.raw_bytes = raw_bytes_of(column, &plan);
    entry.encoding = (uint8_t)encoding;
    entry.checksum = br_checksum(encoder->out->bytes + start, stored_bytes);
    if (sketch_out != NULL) BR_TRY(fill_sketch(column, encoder, &plan, &sketch, err));
    entry.stats.distinct_estimate = distinct_of(encoder, &plan, encoding);
    *entry_out = entry;
    if (sketch_out != NULL) *sketch_out = sketch;
    return BR_OK;
}

br_status br_page_encode(const br_column *column, br_encode_effort effort, br_buffer *out,
                         br_page_entry *entry_out, br_sketch *sketch_out, br_error *err)
{
    if (column->row_count == 0 || column->row_count > BR_CHUNK_ROWS)
        return br_fail(err, BR_MISUSE, "page of %u rows, want 1 to %u", column->row_count,
                       (unsigned)BR_CHUNK_ROWS);
    br_encoder encoder = {.effort = effort, .arena = br_arena_new(NULL), .out = out};
    if (encoder.arena == NULL) return br_fail_nomem(err, 0);
    size_t start = out->size_bytes;
    br_status status = encode_page(column, &encoder, entry_out, sketch_out, err);
    if (status != BR_OK) out->size_bytes = start;
    br_arena_free(encoder.arena);
    return status;
}
