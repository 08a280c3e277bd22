// group_dense.c - groups by position: keys that are dictionary codes or small numbers.
//
// Each key becomes a code from 0 (NULL) to width - 1; the codes together index a table of groups.
// What the codes mean is settled by the first batch of a morsel. A batch that does not fit (another
// dictionary, a number out of range) ends it: groups so far move on into the hash table.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/groups.h"
#include "exec/kernels/kernels.h"
#include "exec/rows.h"

enum { TABLE_SIZE_MAX = 65536 };  // of 4 bytes: a quarter MiB, in L2

typedef enum dense_mode {
    DENSE_UNSET,
    DENSE_DICT,   // code + 1
    DENSE_RANGE,  // number - least + 1
    DENSE_NULLS,  // only NULLs
} dense_mode;

typedef struct dense_key {
    dense_mode mode;
    uint8_t class_, kind;  // RANGE
    uint64_t dictionary_id;
    int64_t least;
    uint64_t width;        // codes, NULL's included
    uint32_t stride;
    bool has_hint;         // bounds of the morsel before: a good guess for this one
    int64_t hint_least, hint_most;
} dense_key;

struct br_dense {
    dense_key *keys;
    uint32_t *table;     // group + 1
    uint32_t used_size;  // entries that may not be zero
    bool is_off;         // for the rest of the morsel
};

br_status br_dense_new(br_groups *groups, br_error *err)
{
    br_dense *dense = BR_ALLOC(groups->arena, br_dense, 1);
    dense_key *keys = BR_ALLOC(groups->arena, dense_key, groups->key_count);
    if (dense == NULL || keys == NULL) return br_run_no_memory(groups->run, "grouping", err);
    dense->keys = keys;
    // Texts that differ may be one group under another collation.
    for (uint32_t k = 0; k < groups->key_count; k++) {
        if (groups->collations[k] != BR_COLLATION_BINARY) dense->is_off = true;
    }
    groups->dense = dense->is_off ? NULL : dense;
    return BR_OK;
}

void br_dense_reset(br_dense *dense)
{
    if (dense->used_size > 0) memset(dense->table, 0, dense->used_size * sizeof *dense->table);
    dense->used_size = 0;
    dense->is_off = false;
}

static bool has_numbers(const br_vector *vector)
{
    return (vector->class_ == BR_INT && vector->kind == BR_VECTOR_FLAT) ||
           br_is_time_kind(vector->kind);
}

// Bounds of the rows that are not NULL; false when all are.
static bool bounds_of(const br_run *run, const br_vector *vector, uint32_t row_count,
                      int64_t *least, int64_t *most)
{
    if (vector->validity == NULL) {
        run->kernels->min_max_i64(vector->i64, row_count, least, most);
        return true;
    }
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (uint32_t i = 0; i < row_count; i++) {
        if (!br_bitmap_get(vector->validity, i)) continue;
        int64_t value = vector->i64[i];
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    *least = low;
    *most = high;
    return low <= high;
}

// ---- what codes mean -------------------------------------------------------------------------

static bool set_range(const br_run *run, dense_key *key, const br_vector *vector,
                      uint32_t row_count)
{
    int64_t least, most;
    if (!bounds_of(run, vector, row_count, &least, &most)) return false;
    if (key->has_hint && key->hint_least < least) least = key->hint_least;
    if (key->has_hint && key->hint_most > most) most = key->hint_most;
    uint64_t span = (uint64_t)most - (uint64_t)least;
    if (span >= TABLE_SIZE_MAX / 2) {
        key->has_hint = false;  // the next morsel may be narrower than all of them together
        return false;
    }
    // The batches to come are likely to be a little wider.
    int64_t margin = (int64_t)(span / 2 + 8);
    if (least > INT64_MIN + margin) least -= margin;
    key->mode = DENSE_RANGE;
    key->class_ = vector->class_;
    key->kind = vector->kind;
    key->least = least;
    key->width = span + 2 * (uint64_t)margin + 2;
    return true;
}

static bool set_key(const br_run *run, dense_key *key, const br_vector *vector,
                    uint32_t row_count)
{
    if (vector->class_ == BR_NULL) {
        key->mode = DENSE_NULLS;
        key->width = 1;
    } else if (vector->kind == BR_VECTOR_DICT) {
        key->mode = DENSE_DICT;
        key->dictionary_id = vector->dictionary->id;
        key->width = (uint64_t)vector->dictionary->size + 1;
    } else {
        return has_numbers(vector) && set_range(run, key, vector, row_count);
    }
    return true;
}

static br_status set_up(br_groups *groups, const br_vector *keys, uint32_t row_count,
                        br_error *err)
{
    br_dense *dense = groups->dense;
    uint64_t size = 1;
    for (uint32_t k = 0; k < groups->key_count; k++) {
        dense_key *key = &dense->keys[k];
        if (!set_key(groups->run, key, &keys[k], row_count) || key->width * size > TABLE_SIZE_MAX) {
            dense->is_off = true;
            return BR_OK;
        }
        key->stride = (uint32_t)size;
        size *= key->width;
    }
    if (dense->table == NULL) dense->table = BR_ALLOC(groups->arena, uint32_t, TABLE_SIZE_MAX);
    if (dense->table == NULL) return br_run_no_memory(groups->run, "grouping", err);
    dense->used_size = (uint32_t)size;
    return BR_OK;
}

// ---- codes -----------------------------------------------------------------------------------

static void remember_bounds(dense_key *key, int64_t least, int64_t most)
{
    if (!key->has_hint || least < key->hint_least) key->hint_least = least;
    if (!key->has_hint || most > key->hint_most) key->hint_most = most;
    key->has_hint = true;
}

static void add_dict_codes(const dense_key *key, const br_vector *vector, uint32_t row_count,
                           uint32_t *codes)
{
    uint32_t stride = key->stride;
    if (vector->validity == NULL) {
        for (uint32_t i = 0; i < row_count; i++) codes[i] += (vector->codes[i] + 1) * stride;
        return;
    }
    for (uint32_t i = 0; i < row_count; i++) {
        uint32_t is_valid = br_bitmap_get(vector->validity, i);
        codes[i] += (vector->codes[i] + 1) * is_valid * stride;
    }
}

static bool add_range_codes(const br_run *run, dense_key *key, const br_vector *vector,
                            uint32_t row_count, uint32_t *codes)
{
    int64_t least, most;
    if (!bounds_of(run, vector, row_count, &least, &most)) return true;  // NULLs
    remember_bounds(key, least, most);
    if (least < key->least || (uint64_t)most - (uint64_t)key->least + 1 >= key->width)
        return false;
    uint32_t stride = key->stride;
    uint64_t base = (uint64_t)key->least - 1;
    if (vector->validity == NULL) {
        for (uint32_t i = 0; i < row_count; i++)
            codes[i] += (uint32_t)((uint64_t)vector->i64[i] - base) * stride;
        return true;
    }
    for (uint32_t i = 0; i < row_count; i++) {
        if (br_bitmap_get(vector->validity, i))
            codes[i] += (uint32_t)((uint64_t)vector->i64[i] - base) * stride;
    }
    return true;
}

static bool add_codes(const br_run *run, dense_key *key, const br_vector *vector,
                      uint32_t row_count, uint32_t *codes)
{
    if (vector->class_ == BR_NULL) return true;
    if (key->mode == DENSE_DICT && vector->kind == BR_VECTOR_DICT &&
        vector->dictionary->id == key->dictionary_id) {
        add_dict_codes(key, vector, row_count, codes);
        return true;
    }
    return key->mode == DENSE_RANGE && has_numbers(vector) && vector->class_ == key->class_ &&
           vector->kind == key->kind && add_range_codes(run, key, vector, row_count, codes);
}

br_status br_dense_find(br_groups *groups, const br_vector *keys, uint32_t row_count,
                        br_arena *scratch, uint32_t *groups_out, bool *done_out, br_error *err)
{
    br_dense *dense = groups->dense;
    *done_out = false;
    if (dense->used_size == 0 && groups->count > 0) dense->is_off = true;  // begun without it
    if (dense->is_off) return BR_OK;
    if (dense->used_size == 0) BR_TRY(set_up(groups, keys, row_count, err));
    if (dense->is_off) return BR_OK;
    uint32_t codes[BR_BATCH_ROWS];
    uint16_t new_rows[BR_BATCH_ROWS];
    memset(codes, 0, row_count * sizeof *codes);
    for (uint32_t k = 0; k < groups->key_count; k++) {
        if (add_codes(groups->run, &dense->keys[k], &keys[k], row_count, codes)) continue;
        dense->is_off = true;
        return BR_OK;
    }
    uint32_t new_count = 0, group_count = groups->count;
    for (uint32_t i = 0; i < row_count; i++) {
        uint32_t *entry = &dense->table[codes[i]];
        if (*entry == 0) {
            *entry = ++group_count;
            new_rows[new_count++] = (uint16_t)i;
        }
        groups_out[i] = *entry - 1;
    }
    if (new_count > 0) BR_TRY(br_groups_add_keys(groups, keys, new_rows, new_count, scratch, err));
    *done_out = true;
    return BR_OK;
}
