// keys.c - hashes that respect SQLite's equality, and comparing keys pair by pair.
// SPDX-License-Identifier: Apache-2.0
#include "exec/keys.h"

#include <string.h>

#include "base/assert.h"
#include "base/collator.h"
#include "base/hash.h"
#include "exec/kernels/kernels.h"
#include "exec/rows.h"

// What the number of a DATE, a DATETIME and NULL are mixed with.
#define DATE_SEED 0x8d2f4a1c6b3e5971ull
#define DATETIME_SEED 0x3c79ac492ba7b653ull
#define NULL_HASH 0x1c69b3f74ac4ae35ull
#define BLOB_SEED 0x589965cc75374cc3ull

static inline uint64_t hash_int(int64_t value) { return br_hash_u64((uint64_t)value); }

// A whole number hashes like the INT that it is equal to.
static inline uint64_t hash_real(double value)
{
    const double two_to_63 = 9223372036854775808.0;
    if (value >= -two_to_63 && value < two_to_63) {
        int64_t whole = (int64_t)value;
        if ((double)whole == value) return hash_int(whole);
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return br_hash_u64(bits);
}

static inline uint64_t hash_date(int64_t days) { return br_hash_u64((uint64_t)days ^ DATE_SEED); }

static inline uint64_t hash_datetime(int64_t seconds)
{
    return br_hash_u64((uint64_t)seconds ^ DATETIME_SEED);
}

// Text that is a date hashes like the DATE it would be in another vector, whatever the collation:
// none of SQLite's takes a date for another text.
static bool hash_time(br_text text, uint64_t *hash_out)
{
    int64_t number;
    if (text.size == 10 && text.data[4] == '-' && br_date_parse(text.data, 10, &number)) {
        *hash_out = hash_date(number);
        return true;
    }
    if (text.size == 19 && text.data[4] == '-' && br_datetime_parse(text.data, 19, &number)) {
        *hash_out = hash_datetime(number);
        return true;
    }
    return false;
}

// Letters folded, up to a NUL byte: behind it the collation looks at sizes only.
static uint64_t hash_nocase(br_text text)
{
    char folded[64];
    uint64_t hash = text.size;
    uint32_t count = 0;
    for (uint32_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == 0) break;
        folded[count++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        if (count < sizeof folded) continue;
        hash = br_hash_combine(hash, br_hash_bytes(folded, count));
        count = 0;
    }
    return br_hash_combine(hash, br_hash_bytes(folded, count));
}

static uint64_t hash_text(br_text text, br_collation collation)
{
    uint64_t hash;
    br_collator *collator = br_collation_collator(collation);
    if (collator != NULL) return br_collator_hash(collator, text);
    if (collation == BR_COLLATION_RTRIM) {
        while (text.size > 0 && text.data[text.size - 1] == ' ') text.size--;
    }
    if (hash_time(text, &hash)) return hash;
    return collation == BR_COLLATION_NOCASE ? hash_nocase(text)
                                            : br_hash_bytes(text.data, text.size);
}

static inline uint64_t hash_blob(br_text blob)
{
    return br_hash_bytes(blob.data, blob.size) ^ BLOB_SEED;
}

uint64_t br_value_hash(const br_value *value, br_collation collation)
{
    switch (value->class_) {
    case BR_INT: return hash_int(value->i64);
    case BR_REAL: return hash_real(value->f64);
    case BR_TEXT: return hash_text(value->text, collation);
    case BR_BLOB: return hash_blob(value->text);
    default: return NULL_HASH;
    }
}

// ---- vectors ---------------------------------------------------------------------------------

// Hashes of a FLAT array (NULL rows included, with whatever lies there).
static void hash_items(const br_run *run, const br_vector *vector, br_collation collation,
                       uint32_t count, uint64_t *out)
{
    switch (vector->class_) {
    case BR_INT: run->kernels->hash_i64(vector->i64, count, out); break;
    case BR_REAL:
        for (uint32_t i = 0; i < count; i++) out[i] = hash_real(vector->f64[i]);
        break;
    case BR_TEXT:
        for (uint32_t i = 0; i < count; i++) out[i] = hash_text(vector->text[i], collation);
        break;
    case BR_BLOB:
        for (uint32_t i = 0; i < count; i++) out[i] = hash_blob(vector->text[i]);
        break;
    default:
        for (uint32_t i = 0; i < count; i++) out[i] = br_value_hash(&vector->any[i], collation);
        break;
    }
}

// The text behind a NULL row is not to be looked at.
static void hash_valid_texts(const br_vector *vector, br_collation collation, uint32_t count,
                             uint64_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!br_bitmap_get(vector->validity, i)) continue;
        out[i] = vector->class_ == BR_TEXT ? hash_text(vector->text[i], collation)
                                           : hash_blob(vector->text[i]);
    }
}

static br_status hash_dictionary(const br_hash_context *context, br_hash_cache *cache,
                                 const br_vector *vector, br_collation collation, br_error *err)
{
    const br_dictionary *dictionary = vector->dictionary;
    if (cache->dictionary_id == dictionary->id) return BR_OK;
    if (cache->capacity < dictionary->size) {
        cache->hashes = BR_ALLOC(context->arena, uint64_t, dictionary->size);
        if (cache->hashes == NULL) return br_run_no_memory(context->run, "hashing", err);
        cache->capacity = dictionary->size;
    }
    hash_items(context->run, &dictionary->values, collation, dictionary->size, cache->hashes);
    cache->dictionary_id = dictionary->id;
    return BR_OK;
}

static void hash_entries(const br_run *run, const br_vector *vector, br_collation collation,
                         uint32_t count, uint64_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        if (vector->validity != NULL && !br_bitmap_get(vector->validity, i)) continue;
        br_vector one = vector->dictionary->values;
        one.data = (const char *)one.data + vector->codes[i] *
                                                (size_t)br_item_bytes(one.class_, one.kind);
        hash_items(run, &one, collation, 1, &out[i]);
    }
}

static br_status hash_dict(const br_hash_context *context, uint32_t key, const br_vector *vector,
                           br_collation collation, uint32_t count, uint64_t *out, br_error *err)
{
    // A dictionary that is far bigger than the batches it serves is not worth hashing whole.
    if (context->caches == NULL || vector->dictionary->size == 0) {
        hash_entries(context->run, vector, collation, count, out);
        return BR_OK;
    }
    br_hash_cache *cache = &context->caches[key];
    BR_TRY(hash_dictionary(context, cache, vector, collation, err));
    for (uint32_t i = 0; i < count; i++) out[i] = cache->hashes[vector->codes[i]];
    return BR_OK;
}

static br_status hash_column(const br_hash_context *context, uint32_t key,
                             const br_vector *vector, br_collation collation, uint32_t count,
                             uint64_t *out, br_error *err)
{
    if (vector->class_ == BR_NULL) {
        for (uint32_t i = 0; i < count; i++) out[i] = NULL_HASH;
        return BR_OK;
    }
    if (vector->kind == BR_VECTOR_CONST) {
        hash_items(context->run, vector, collation, 1, out);
        for (uint32_t i = 1; i < count; i++) out[i] = out[0];
    } else if (vector->kind == BR_VECTOR_DICT) {
        BR_TRY(hash_dict(context, key, vector, collation, count, out, err));
    } else if (br_is_time_kind(vector->kind)) {
        bool is_date = vector->kind == BR_VECTOR_DATE;
        for (uint32_t i = 0; i < count; i++)
            out[i] = is_date ? hash_date(vector->i64[i]) : hash_datetime(vector->i64[i]);
    } else if (vector->validity != NULL &&
               (vector->class_ == BR_TEXT || vector->class_ == BR_BLOB)) {
        hash_valid_texts(vector, collation, count, out);
    } else {
        hash_items(context->run, vector, collation, count, out);
    }
    for (uint32_t i = 0; vector->validity != NULL && i < count; i++) {
        if (!br_bitmap_get(vector->validity, i)) out[i] = NULL_HASH;
    }
    return BR_OK;
}

br_status br_hash_check(const br_run *run, br_collation collation, br_error *err)
{
    br_collator *collator = br_collation_collator(collation);
    if (collator == NULL || !br_collator_failed(collator)) return BR_OK;
    return br_run_no_memory(run, "a collation's texts", err);
}

br_status br_keys_hash(const br_hash_context *context, const br_vector *keys,
                       const br_collation *collations, uint32_t key_count, uint32_t row_count,
                       uint64_t *hashes_out, br_error *err)
{
    br_assert(row_count <= BR_BATCH_ROWS);
    if (key_count == 0) memset(hashes_out, 0, row_count * sizeof *hashes_out);
    uint64_t more[BR_BATCH_ROWS];
    for (uint32_t k = 0; k < key_count; k++) {
        uint64_t *out = k == 0 ? hashes_out : more;
        BR_TRY(hash_column(context, k, &keys[k], collations[k], row_count, out, err));
        for (uint32_t i = 0; k > 0 && i < row_count; i++) {
            hashes_out[i] = br_hash_combine(hashes_out[i], more[i]);
        }
    }
    // br_hash_combine leaves the low bits weak; tables index with them.
    for (uint32_t i = 0; key_count > 1 && i < row_count; i++) {
        hashes_out[i] ^= hashes_out[i] >> 32;
    }
    for (uint32_t k = 0; k < key_count; k++)
        BR_TRY(br_hash_check(context->run, collations[k], err));
    return BR_OK;
}

bool br_keys_nulls(const br_vector *keys, uint32_t key_count, const bool *exempt,
                   uint32_t row_count, uint64_t *nulls_out)
{
    uint32_t words = br_bitmap_words(row_count);
    memset(nulls_out, 0, words * sizeof *nulls_out);
    for (uint32_t k = 0; k < key_count; k++) {
        if (exempt != NULL && exempt[k]) continue;
        if (keys[k].class_ == BR_NULL) {
            br_bitmap_fill(nulls_out, row_count);
        } else if (keys[k].class_ == BR_ANY) {
            for (uint32_t i = 0; i < row_count; i++) {
                if (br_vector_is_null(&keys[k], i)) br_bitmap_set(nulls_out, i);
            }
        } else if (keys[k].validity != NULL) {
            for (uint32_t i = 0; i < words; i++) nulls_out[i] |= ~keys[k].validity[i];
        }
    }
    return words > 0 && br_bitmap_count(nulls_out, row_count) > 0;
}

// ---- comparing -------------------------------------------------------------------------------

static inline uint32_t left_row(const br_key_pairs *pairs, uint32_t i)
{
    return pairs->left != NULL ? pairs->left[i] : i;
}

static bool compare_words(const br_vector *left, const br_vector *right,
                          const br_key_pairs *pairs)
{
    uint32_t differ = 0;
    for (uint32_t i = 0; i < pairs->count; i++) {
        uint32_t row = left_row(pairs, i);
        uint8_t is_equal = left->i64[row] == right->i64[pairs->right[i]];
        pairs->is_equal[i] &= is_equal;
        differ |= !is_equal;
    }
    return differ;
}

static bool compare_reals(const br_vector *left, const br_vector *right,
                          const br_key_pairs *pairs)
{
    uint32_t differ = 0;
    for (uint32_t i = 0; i < pairs->count; i++) {
        uint32_t row = left_row(pairs, i);
        uint8_t is_equal = left->f64[row] == right->f64[pairs->right[i]];
        pairs->is_equal[i] &= is_equal;
        differ |= !is_equal;
    }
    return differ;
}

static inline bool is_valid(const br_vector *vector, uint32_t row)
{
    return vector->validity == NULL || br_bitmap_get(vector->validity, row);
}

// The same for columns with NULLs.
static bool compare_words_nulls(const br_vector *left, const br_vector *right,
                                const br_key_pairs *pairs)
{
    uint32_t differ = 0;
    for (uint32_t i = 0; i < pairs->count; i++) {
        uint32_t l = left_row(pairs, i), r = pairs->right[i];
        bool left_valid = is_valid(left, l), right_valid = is_valid(right, r);
        uint8_t is_equal =
            left_valid == right_valid && (!left_valid || left->i64[l] == right->i64[r]);
        pairs->is_equal[i] &= is_equal;
        differ |= !is_equal;
    }
    return differ;
}

static bool compare_texts(const br_vector *left, const br_vector *right,
                          const br_key_pairs *pairs)
{
    uint32_t differ = 0;
    const br_text *entries =
        left->kind == BR_VECTOR_DICT ? left->dictionary->values.text : left->text;
    for (uint32_t i = 0; i < pairs->count; i++) {
        uint32_t l = left_row(pairs, i), r = pairs->right[i];
        bool left_valid = is_valid(left, l);
        uint8_t is_equal = left_valid == is_valid(right, r);
        if (left->kind == BR_VECTOR_DICT) l = left->codes[l];
        if (left_valid && is_equal) is_equal = br_text_equal(entries[l], right->text[r]);
        pairs->is_equal[i] &= is_equal;
        differ |= !is_equal;
    }
    return differ;
}

static bool compare_any(const br_vector *left, const br_vector *right, br_collation collation,
                        const br_key_pairs *pairs, br_arena *scratch)
{
    bool differ = false;
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (uint32_t i = 0; i < pairs->count; i++) {
        if (!pairs->is_equal[i]) continue;
        br_value l = br_vector_value(left, left_row(pairs, i), scratch);
        br_value r = br_vector_value(right, pairs->right[i], scratch);
        pairs->is_equal[i] = br_value_compare(&l, &r, collation) == 0;
        differ |= !pairs->is_equal[i];
        br_arena_rewind(scratch, mark);
    }
    return differ;
}

br_status br_keys_compare(const br_run *run, const br_vector *left, const br_vector *right,
                          br_collation collation, const br_key_pairs *pairs, br_arena *scratch,
                          bool *differ_out, br_error *err)
{
    bool is_same = left->class_ == right->class_ && left->class_ != BR_ANY &&
                   left->class_ != BR_NULL;
    bool is_text = left->class_ == BR_TEXT || left->class_ == BR_BLOB;
    bool has_nulls = left->validity != NULL || right->validity != NULL;
    bool is_word = left->class_ == BR_INT || br_is_time_kind(left->kind);
    if (is_same && is_word && left->kind == right->kind) {
        *differ_out = has_nulls ? compare_words_nulls(left, right, pairs)
                                : compare_words(left, right, pairs);
    } else if (is_same && left->class_ == BR_REAL && !has_nulls && left->kind == right->kind) {
        *differ_out = compare_reals(left, right, pairs);
    } else if (is_same && is_text && right->kind == BR_VECTOR_FLAT &&
               (left->kind == BR_VECTOR_FLAT ||
                (left->kind == BR_VECTOR_DICT && left->dictionary->size > 0)) &&
               (left->class_ == BR_BLOB || collation == BR_COLLATION_BINARY)) {
        *differ_out = compare_texts(left, right, pairs);
    } else {
        *differ_out = compare_any(left, right, collation, pairs, scratch);
    }
    if (br_arena_failed(scratch)) return br_run_no_memory(run, "comparing keys", err);
    return BR_OK;
}
