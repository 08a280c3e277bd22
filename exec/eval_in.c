// eval_in.c - x IN (list).
//
// A list of constants becomes a set when the program is compiled: a hash table of the values, and
// for INT besides it a bitmap when they lie close together. The set knows values of all classes;
// numbers that are equal (1 and 1.0) are one member, and so are texts that SQLite's NOCASE or RTRIM
// takes for the same. Under a collation of the application the list is searched from its start.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "exec/implementations.h"
#include "exec/keys.h"

enum { DENSE_SPAN_MAX = 1 << 16 };

typedef struct in_set {
    br_collation collation;
    bool has_null;
    uint32_t mask;           // slots of the table - 1
    br_value *table;         // open addressing; an empty slot is NULL
    unsigned class_mask;
    int64_t dense_first;     // when dense_bits: bit i for the INT dense_first + i
    uint64_t dense_span;
    uint64_t *dense_bits;
    uint64_t text_filter;    // one bit per hash of a TEXT member's size and first bytes; all bits
                             // under a collation, where equal texts differ in them
} in_set;

// SQLite's rule: an empty list is false even for NULL; a NULL on either side makes "not found"
// unknown.
br_status br_row_in(const br_row_context *context, const br_value *args, br_value *out,
                    br_error *err)
{
    (void)err;
    const br_node *node = context->node;
    bool is_unknown = args[0].class_ == BR_NULL && node->arg_count > 1;
    for (uint32_t i = 1; i < node->arg_count && !is_unknown; i++) {
        if (args[i].class_ == BR_NULL) continue;
        if (br_value_compare(&args[0], &args[i], node->collation) != 0) continue;
        *out = br_value_int(1);
        return BR_OK;
    }
    for (uint32_t i = 1; i < node->arg_count; i++) is_unknown |= args[i].class_ == BR_NULL;
    *out = is_unknown ? br_value_null() : br_value_int(0);
    return BR_OK;
}

// ---- the set ---------------------------------------------------------------------------------

static uint64_t hash_text(br_text text, uint8_t class_)
{
    uint64_t hash = (uint64_t)text.prefix << 32 | text.size;
    if (text.size > 4) hash ^= br_hash_bytes(text.data, text.size);
    return br_hash_u64(hash + class_);
}

// The INT that a number equals, if there is one.
static bool equal_int(const br_value *value, int64_t *out)
{
    if (value->class_ == BR_INT) *out = value->i64;
    else if (value->class_ == BR_REAL) *out = br_real_to_int(value->f64);
    else return false;
    return value->class_ == BR_INT || br_int_real_compare(*out, value->f64) == 0;
}

// Equal values have equal hashes: a REAL that is an INT has the hash of the INT.
static uint64_t hash_member(const in_set *set, const br_value *value)
{
    if (set->collation != BR_COLLATION_BINARY) return br_value_hash(value, set->collation);
    if (value->class_ == BR_TEXT || value->class_ == BR_BLOB)
        return hash_text(value->text, value->class_);
    int64_t whole;
    return br_hash_u64((uint64_t)(equal_int(value, &whole) ? whole : value->i64));
}

static unsigned text_filter_bit(br_text text)
{
    uint64_t word = (uint64_t)text.prefix << 32 | text.size;
    return (unsigned)(word * 0x9e3779b97f4a7c15ull >> 58);
}

static bool set_has(const in_set *set, const br_value *value)
{
    uint32_t at = (uint32_t)hash_member(set, value) & set->mask;
    for (; set->table[at].class_ != BR_NULL; at = (at + 1) & set->mask) {
        if (br_value_compare(&set->table[at], value, set->collation) == 0) return true;
    }
    return false;
}

static void set_add(in_set *set, const br_value *value)
{
    if (value->class_ == BR_NULL) {
        set->has_null = true;
        return;
    }
    set->class_mask |= 1u << value->class_;
    if (value->class_ == BR_TEXT) set->text_filter |= 1ull << text_filter_bit(value->text);
    uint32_t at = (uint32_t)hash_member(set, value) & set->mask;
    while (set->table[at].class_ != BR_NULL) at = (at + 1) & set->mask;
    set->table[at] = *value;
}

// A bitmap over the INT that are members, also as REAL, when they are close enough together.
static br_status set_make_dense(in_set *set, br_arena *arena, br_error *err)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (uint32_t i = 0; i <= set->mask; i++) {
        int64_t member;
        if (!equal_int(&set->table[i], &member)) continue;
        if (member < min) min = member;
        if (member > max) max = member;
    }
    if (min > max || (uint64_t)max - (uint64_t)min >= DENSE_SPAN_MAX) return BR_OK;
    set->dense_first = min;
    set->dense_span = (uint64_t)max - (uint64_t)min + 1;
    set->dense_bits = BR_ALLOC(arena, uint64_t, br_bitmap_words((uint32_t)set->dense_span));
    if (set->dense_bits == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 0; i <= set->mask; i++) {
        int64_t member;
        if (equal_int(&set->table[i], &member))
            br_bitmap_set(set->dense_bits, (uint32_t)((uint64_t)member - (uint64_t)min));
    }
    return BR_OK;
}

br_status br_prepare_in(br_node *node, br_arena *arena, br_error *err)
{
    if (br_collation_collator(node->collation) != NULL) return BR_OK;
    for (uint32_t i = 1; i < node->arg_count; i++) {
        if (node->args[i]->kind != BR_EXPR_CONST) return BR_OK;
    }
    in_set *set = BR_ALLOC(arena, in_set, 1);
    if (set == NULL) return br_evaluate_no_memory(err);
    uint32_t slots = 4;
    while (slots < node->arg_count * 2) slots *= 2;
    set->mask = slots - 1;
    set->collation = node->collation;
    if (set->collation != BR_COLLATION_BINARY) set->text_filter = UINT64_MAX;
    set->table = BR_ALLOC(arena, br_value, slots);
    if (set->table == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 1; i < node->arg_count; i++) {
        bool is_new = node->args[i]->value.class_ == BR_NULL ||
                      !set_has(set, &node->args[i]->value);
        if (is_new) set_add(set, &node->args[i]->value);
    }
    BR_TRY(set_make_dense(set, arena, err));
    node->detail = set;
    return BR_OK;
}

// ---- probing ---------------------------------------------------------------------------------

static void probe_ints(const in_set *set, const int64_t *values, uint32_t row_count,
                       uint64_t *bits)
{
    for (uint32_t row = 0; row < row_count; row++) {
        bool is_member;
        if (set->dense_bits != NULL) {
            uint64_t place = (uint64_t)values[row] - (uint64_t)set->dense_first;
            uint32_t bit = place < set->dense_span ? (uint32_t)place : 0;
            is_member = place < set->dense_span && br_bitmap_get(set->dense_bits, bit);
        } else {
            br_value value = br_value_int(values[row]);
            is_member = set_has(set, &value);
        }
        bits[row >> 6] |= (uint64_t)is_member << (row & 63);
    }
}

static void probe_texts(const in_set *set, const br_text *texts, uint32_t row_count,
                        uint64_t *bits)
{
    for (uint32_t row = 0; row < row_count; row++) {
        if ((set->text_filter >> text_filter_bit(texts[row]) & 1) == 0) continue;
        br_value value = br_value_text(texts[row]);
        if (set_has(set, &value)) br_bitmap_set(bits, row);
    }
}

static void probe_values(const in_set *set, const br_vector *vector, br_arena *arena,
                         uint32_t row_count, uint64_t *bits)
{
    for (uint32_t row = 0; row < row_count; row++) {
        br_value value = br_vector_value(vector, row, arena);
        bool is_possible = (set->class_mask & 1u << value.class_) != 0 ||
                           value.class_ == BR_INT || value.class_ == BR_REAL;
        if (is_possible && set_has(set, &value)) br_bitmap_set(bits, row);
    }
}

static br_status condition_in_set(br_frame *frame, const in_set *set, const br_vector *vector,
                                  br_condition *out, br_error *err)
{
    uint32_t words = br_bitmap_words(frame->row_count);
    const uint64_t *nulls;
    BR_TRY(br_frame_nulls(frame, vector, &nulls, err));
    uint64_t *bits = br_frame_bits(frame), *is_null = NULL;
    if (bits == NULL) return br_evaluate_no_memory(err);
    if (vector->class_ == BR_INT) probe_ints(set, vector->i64, frame->row_count, bits);
    else if (vector->class_ == BR_TEXT) probe_texts(set, vector->text, frame->row_count, bits);
    else probe_values(set, vector, frame->arena, frame->row_count, bits);
    for (uint32_t i = 0; nulls != NULL && i < words; i++) bits[i] &= ~nulls[i];
    if (set->has_null) {  // who is not a member is unknown
        is_null = br_frame_bits(frame);
        if (is_null == NULL) return br_evaluate_no_memory(err);
        br_bitmap_fill(is_null, frame->row_count);
        for (uint32_t i = 0; i < words; i++) is_null[i] &= ~bits[i];
    }
    *out = (br_condition){.is_true = bits, .is_null = is_null != NULL ? is_null : nulls};
    return BR_OK;
}

br_status br_condition_in(br_frame *frame, const br_node *node, br_condition *out, br_error *err)
{
    const in_set *set = node->detail;
    br_vector vector;
    if (set != NULL) {
        BR_TRY(br_node_flat(frame, node->args[0], &vector, err));
        if (node->arg_count > 1 && vector.kind != BR_VECTOR_CONST)
            return condition_in_set(frame, set, &vector, out, err);
    }
    br_vector rows;
    BR_TRY(br_node_rows(frame, node, &rows, err));
    return br_condition_of_vector(frame, &rows, out, err);
}
