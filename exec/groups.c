// groups.c - the hash table of group keys.
// SPDX-License-Identifier: Apache-2.0
#include "exec/groups.h"

#include <string.h>

#include "base/assert.h"
#include "exec/rows.h"

enum {
    CAPACITY_MIN = 256,      // groups
    SLOTS_MIN = 1024,
    SLOTS_PER_GROUP = 2,     // load of at most 1/2: probes are short, and slots are small
    PREFETCH_SLOTS = 65536,  // half a MiB: beyond, slots do not stay in L2
    PREFETCH_ROWS = 16,
};

static br_status no_memory(const br_groups *groups, br_error *err)
{
    return br_run_no_memory(groups->run, "grouping", err);
}

br_status br_groups_init(br_groups *groups, const br_run *run, br_arena *arena, br_arena *keep,
                         const br_collation *collations, uint32_t key_count, br_error *err)
{
    *groups = (br_groups){.run = run,
                          .arena = arena,
                          .keep = keep,
                          .key_count = key_count,
                          .is_ordered = true};
    groups->keys = BR_ALLOC(arena, br_key_column, key_count);
    groups->collations = BR_ALLOC(arena, br_collation, key_count);
    groups->hash_context = (br_hash_context){
        .run = run, .arena = arena, .caches = BR_ALLOC(arena, br_hash_cache, key_count)};
    if (groups->keys == NULL || groups->collations == NULL ||
        groups->hash_context.caches == NULL)
        return no_memory(groups, err);
    for (uint32_t i = 0; i < key_count; i++) {
        groups->keys[i].collation = groups->collations[i] = collations[i];
    }
    return BR_OK;
}

br_status br_groups_enable_dense(br_groups *groups, br_error *err)
{
    return groups->key_count == 0 ? BR_OK : br_dense_new(groups, err);
}

void br_groups_reset(br_groups *groups)
{
    for (uint32_t i = 0; i < groups->key_count; i++) {
        groups->keys[i].class_ = BR_NULL;
        groups->keys[i].kind = BR_VECTOR_FLAT;
        groups->keys[i].has_nulls = false;
    }
    if (groups->slotted_count > 0)
        memset(groups->slots, 0, groups->slot_count * sizeof *groups->slots);
    groups->count = groups->hashed_count = groups->slotted_count = 0;
    groups->is_ordered = true;
    if (groups->dense != NULL) br_dense_reset(groups->dense);
}

// ---- keys, column by column ------------------------------------------------------------------

static br_vector key_vector(const br_key_column *column)
{
    if (column->class_ == BR_NULL) return br_vector_null();
    return (br_vector){.class_ = column->class_,
                       .kind = column->kind,
                       .validity = column->has_nulls ? column->validity : NULL,
                       .data = column->items};
}

br_vector br_groups_key(const br_groups *groups, uint32_t key)
{
    return key_vector(&groups->keys[key]);
}

static br_status column_room(br_groups *groups, br_key_column *column, uint32_t item_bytes,
                             br_error *err)
{
    if (column->validity == NULL)
        column->validity = BR_ALLOC(groups->arena, uint64_t, groups->capacity / 64 + 1);
    if (column->item_capacity_bytes < item_bytes) {
        void *items = br_arena_alloc(groups->arena, (size_t)groups->capacity * item_bytes, 64);
        if (items != NULL && column->class_ != BR_NULL)
            memcpy(items, column->items,
                   (size_t)groups->count * br_item_bytes(column->class_, column->kind));
        column->items = items;
        column->item_capacity_bytes = item_bytes;
    }
    if (column->validity == NULL || column->items == NULL) return no_memory(groups, err);
    return BR_OK;
}

static br_status grow_column(br_groups *groups, br_key_column *column, uint32_t capacity,
                             br_error *err)
{
    if (column->items == NULL) return BR_OK;
    void *items =
        br_arena_alloc(groups->arena, (size_t)capacity * column->item_capacity_bytes, 64);
    uint64_t *validity = BR_ALLOC(groups->arena, uint64_t, capacity / 64 + 1);
    if (items == NULL || validity == NULL) return no_memory(groups, err);
    if (column->class_ != BR_NULL)
        memcpy(items, column->items,
               (size_t)groups->count * br_item_bytes(column->class_, column->kind));
    memcpy(validity, column->validity, (groups->capacity / 64 + 1) * sizeof *validity);
    column->items = items;
    column->validity = validity;
    return BR_OK;
}

br_status br_groups_reserve(br_groups *groups, uint32_t row_count, br_error *err)
{
    if (groups->count > UINT32_MAX / 4 - row_count)
        return br_fail(err, BR_UNSUPPORTED, "more than 2^30 groups in one part");
    uint32_t wanted = groups->count + row_count;
    if (wanted <= groups->capacity) return BR_OK;
    uint32_t capacity = groups->capacity < CAPACITY_MIN ? CAPACITY_MIN : groups->capacity * 2;
    while (capacity < wanted) capacity *= 2;
    uint64_t *hashes = br_arena_alloc(groups->arena, capacity * sizeof *hashes, 64);
    if (hashes == NULL) return no_memory(groups, err);
    if (groups->hashed_count > 0)
        memcpy(hashes, groups->hashes, groups->hashed_count * sizeof *hashes);
    groups->hashes = hashes;
    for (uint32_t i = 0; i < groups->key_count; i++) {
        BR_TRY(grow_column(groups, &groups->keys[i], capacity, err));
    }
    groups->capacity = capacity;
    return BR_OK;
}

static void begin_nulls(const br_groups *groups, br_key_column *column)
{
    if (column->has_nulls) return;
    memset(column->validity, 0, (groups->capacity / 64 + 1) * sizeof(uint64_t));
    for (uint32_t i = 0; i < groups->count; i++) br_bitmap_set(column->validity, i);
    column->has_nulls = true;
}

// What is stored becomes ANY, or dates become text.
static br_status convert_column(br_groups *groups, br_key_column *column, uint8_t class_,
                                br_error *err)
{
    br_vector stored = key_vector(column), converted;
    if (class_ == BR_ANY) {
        BR_TRY(br_vector_to_any(&stored, groups->count, groups->keep, &converted, err));
    } else {
        BR_TRY(br_vector_flatten(&stored, groups->count, groups->keep, &converted, err));
    }
    uint32_t item_bytes = br_item_bytes(class_, BR_VECTOR_FLAT);
    BR_TRY(column_room(groups, column, item_bytes, err));
    memcpy(column->items, converted.data, (size_t)groups->count * item_bytes);
    column->class_ = class_;
    column->kind = BR_VECTOR_FLAT;
    if (class_ == BR_ANY) column->has_nulls = false;
    return BR_OK;
}

// Lets the column hold values of the vector; *vector is converted to what the column holds.
static br_status adapt_column(br_groups *groups, br_key_column *column, br_vector *vector,
                              uint32_t count, br_arena *scratch, br_error *err)
{
    if (column->class_ == BR_NULL) {
        column->kind = br_is_time_kind(vector->kind) ? vector->kind : BR_VECTOR_FLAT;
        BR_TRY(column_room(groups, column, br_item_bytes(vector->class_, column->kind), err));
        column->class_ = vector->class_;
        uint32_t item_bytes = br_item_bytes(column->class_, column->kind);
        memset(column->items, 0, (size_t)groups->count * item_bytes);
        if (groups->count > 0 && column->class_ != BR_ANY) {
            memset(column->validity, 0, (groups->capacity / 64 + 1) * sizeof(uint64_t));
            column->has_nulls = true;
        }
    }
    if (column->class_ != vector->class_) {
        if (column->class_ != BR_ANY) BR_TRY(convert_column(groups, column, BR_ANY, err));
        BR_TRY(br_vector_to_any(vector, count, scratch, vector, err));
    } else if (br_is_time_kind(column->kind) && column->kind != vector->kind) {
        BR_TRY(convert_column(groups, column, column->class_, err));
    }
    if (vector->kind != column->kind)
        BR_TRY(br_vector_flatten(vector, count, scratch, vector, err));
    return BR_OK;
}

static br_status keep_texts(br_groups *groups, br_text *texts, uint32_t count,
                            const uint64_t *validity, br_error *err)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (validity != NULL && !br_bitmap_get(validity, i)) texts[i] = br_text_make("", 0);
        total += texts[i].size;
    }
    char *bytes = br_arena_alloc(groups->keep, total, 1);
    if (bytes == NULL) return no_memory(groups, err);
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i].size > 0) memcpy(bytes, texts[i].data, texts[i].size);
        texts[i].data = bytes;
        bytes += texts[i].size;
    }
    return BR_OK;
}

static br_status keep_values(br_groups *groups, br_value *values, uint32_t count, br_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].class_ != BR_TEXT && values[i].class_ != BR_BLOB) continue;
        char *bytes =
            br_arena_copy_text(groups->keep, values[i].text.data, values[i].text.size);
        if (bytes == NULL) return no_memory(groups, err);
        values[i].text.data = bytes;
    }
    return BR_OK;
}

static void add_null_keys(br_groups *groups, br_key_column *column, uint32_t count)
{
    if (column->class_ == BR_NULL) return;
    uint32_t item_bytes = br_item_bytes(column->class_, column->kind);
    memset((char *)column->items + (size_t)groups->count * item_bytes, 0,
           (size_t)count * item_bytes);
    if (column->class_ != BR_ANY) begin_nulls(groups, column);
}

static br_status add_key(br_groups *groups, br_key_column *column, br_vector vector,
                         uint32_t count, br_arena *scratch, br_error *err)
{
    if (vector.class_ == BR_NULL) {
        add_null_keys(groups, column, count);
        return BR_OK;
    }
    BR_TRY(adapt_column(groups, column, &vector, count, scratch, err));
    uint32_t item_bytes = br_item_bytes(column->class_, column->kind);
    void *items = (char *)column->items + (size_t)groups->count * item_bytes;
    memcpy(items, vector.data, (size_t)count * item_bytes);
    if (vector.validity != NULL) begin_nulls(groups, column);
    for (uint32_t i = 0; column->has_nulls && i < count; i++) {
        if (vector.validity == NULL || br_bitmap_get(vector.validity, i))
            br_bitmap_set(column->validity, groups->count + i);
    }
    if (column->class_ == BR_ANY) return keep_values(groups, items, count, err);
    if (item_bytes != sizeof(br_text)) return BR_OK;
    return keep_texts(groups, items, count, vector.validity, err);
}

br_status br_groups_add_keys(br_groups *groups, const br_vector *keys, const uint16_t *positions,
                             uint32_t count, br_arena *scratch, br_error *err)
{
    br_assert(groups->count + count <= groups->capacity);
    for (uint32_t k = 0; k < groups->key_count; k++) {
        br_vector vector = keys[k];
        if (positions != NULL)
            BR_TRY(br_vector_gather(&keys[k], positions, count, scratch, &vector, err));
        BR_TRY(add_key(groups, &groups->keys[k], vector, count, scratch, err));
    }
    groups->count += count;
    if (br_arena_failed(scratch) || br_arena_failed(groups->keep))
        return no_memory(groups, err);
    return BR_OK;
}

// ---- the table -------------------------------------------------------------------------------

static const uint64_t TAG_BITS = 0xffffffff00000000ull;

static void insert_slot(br_groups *groups, uint32_t group)
{
    uint64_t hash = groups->hashes[group];
    uint32_t mask = groups->slot_count - 1, at = (uint32_t)hash & mask;
    while (groups->slots[at] != 0) at = (at + 1) & mask;
    groups->slots[at] = (hash & TAG_BITS) | (group + 1);
}

// Room in the table for row_count groups more, and all groups in it.
static br_status prepare_slots(br_groups *groups, uint32_t row_count, br_error *err)
{
    uint64_t wanted = ((uint64_t)groups->count + row_count) * SLOTS_PER_GROUP;
    if (wanted > groups->slot_count) {
        uint32_t slot_count = groups->slot_count < SLOTS_MIN ? SLOTS_MIN : groups->slot_count;
        while (slot_count < wanted) slot_count *= 2;
        groups->slots = BR_ALLOC(groups->arena, uint64_t, slot_count);
        if (groups->slots == NULL) return no_memory(groups, err);
        groups->slot_count = slot_count;
        groups->slotted_count = 0;
    }
    if (groups->slotted_count == groups->count) return BR_OK;
    BR_TRY(br_groups_hash_all(groups, err));
    for (uint32_t i = groups->slotted_count; i < groups->count; i++) insert_slot(groups, i);
    groups->slotted_count = groups->count;
    return BR_OK;
}

br_status br_groups_hash_all(br_groups *groups, br_error *err)
{
    br_vector keys[32];
    br_vector *slices = keys;
    if (groups->key_count > 32) {
        slices = BR_ALLOC(groups->arena, br_vector, groups->key_count);
        if (slices == NULL) return no_memory(groups, err);
    }
    while (groups->hashed_count < groups->count) {
        uint32_t first = groups->hashed_count & ~63u;  // slices begin at whole words
        uint32_t left = groups->count - first;
        uint32_t count = left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS;
        for (uint32_t k = 0; k < groups->key_count; k++) {
            br_vector key = br_groups_key(groups, k);
            slices[k] = br_vector_slice(&key, first);
        }
        BR_TRY(br_keys_hash(&groups->hash_context, slices, groups->collations,
                            groups->key_count, count, groups->hashes + first, err));
        groups->hashed_count = first + count;
    }
    return BR_OK;
}

// Looks the hashes up. Rows whose hash is new become groups, numbered on from groups->count;
// their positions go to new_rows.
static uint32_t probe(br_groups *groups, const uint64_t *hashes, uint32_t row_count,
                      uint32_t *groups_out, uint16_t *new_rows)
{
    uint64_t *slots = groups->slots;
    uint32_t mask = groups->slot_count - 1, new_count = 0, group_count = groups->count;
    bool is_big = groups->slot_count > PREFETCH_SLOTS;
    for (uint32_t i = 0; i < row_count; i++) {
        if (is_big && i + PREFETCH_ROWS < row_count)
            __builtin_prefetch(&slots[(uint32_t)hashes[i + PREFETCH_ROWS] & mask]);
        uint64_t hash = hashes[i];
        uint32_t at = (uint32_t)hash & mask;
        uint64_t slot = slots[at];
        while (slot != 0 && ((slot ^ hash) & TAG_BITS) != 0) {
            at = (at + 1) & mask;
            slot = slots[at];
        }
        if (slot == 0) {
            groups->hashes[group_count] = hash;
            slot = slots[at] = (hash & TAG_BITS) | ++group_count;
            new_rows[new_count++] = (uint16_t)i;
        }
        groups_out[i] = (uint32_t)slot - 1;
    }
    return new_count;
}

static bool group_equals(const br_groups *groups, const br_vector *keys, uint32_t row,
                         uint32_t group, br_arena *scratch)
{
    for (uint32_t k = 0; k < groups->key_count; k++) {
        br_vector stored = br_groups_key(groups, k);
        br_value left = br_vector_value(&keys[k], row, scratch);
        br_value right = br_vector_value(&stored, group, scratch);
        if (br_value_compare(&left, &right, groups->collations[k]) != 0) return false;
    }
    return true;
}

// One row whose hash led to a group with another key: goes on from there.
static br_status find_one(br_groups *groups, const br_vector *keys, uint16_t row, uint64_t hash,
                          br_arena *scratch, uint32_t *group_out, br_error *err)
{
    uint32_t mask = groups->slot_count - 1, at = (uint32_t)hash & mask;
    for (; groups->slots[at] != 0; at = (at + 1) & mask) {
        uint64_t slot = groups->slots[at];
        *group_out = (uint32_t)slot - 1;
        if (((slot ^ hash) & TAG_BITS) == 0 && group_equals(groups, keys, row, *group_out, scratch))
            return BR_OK;
    }
    *group_out = groups->count;
    groups->hashes[groups->count] = hash;
    groups->slots[at] = (hash & TAG_BITS) | (groups->count + 1);
    BR_TRY(br_groups_add_keys(groups, keys, &row, 1, scratch, err));
    groups->hashed_count = groups->slotted_count = groups->count;
    return BR_OK;
}

// Compares the keys of all rows with those of their groups.
static br_status verify(br_groups *groups, const br_vector *keys, uint32_t row_count,
                        const uint64_t *hashes, br_arena *scratch, uint32_t *groups_out,
                        br_error *err)
{
    uint8_t is_equal[BR_BATCH_ROWS];
    bool any_differs = false;
    memset(is_equal, 1, row_count);
    br_key_pairs pairs = {.count = row_count, .right = groups_out, .is_equal = is_equal};
    for (uint32_t k = 0; k < groups->key_count; k++) {
        bool differs;
        br_vector stored = br_groups_key(groups, k);
        BR_TRY(br_keys_compare(groups->run, &keys[k], &stored, groups->collations[k], &pairs,
                               scratch, &differs, err));
        any_differs |= differs;
    }
    for (uint32_t i = 0; any_differs && i < row_count; i++) {
        if (is_equal[i]) continue;
        BR_TRY(br_groups_reserve(groups, 1, err));
        BR_TRY(prepare_slots(groups, 1, err));
        BR_TRY(find_one(groups, keys, (uint16_t)i, hashes[i], scratch, &groups_out[i], err));
    }
    return BR_OK;
}

static br_status find_hashed(br_groups *groups, const br_vector *keys, uint32_t row_count,
                             const uint64_t *hashes, br_arena *scratch, uint32_t *groups_out,
                             br_error *err)
{
    uint64_t computed[BR_BATCH_ROWS];
    uint16_t new_rows[BR_BATCH_ROWS];
    BR_TRY(prepare_slots(groups, row_count, err));
    if (hashes == NULL) {
        BR_TRY(br_keys_hash(&groups->hash_context, keys, groups->collations, groups->key_count,
                            row_count, computed, err));
        hashes = computed;
    }
    uint32_t new_count = probe(groups, hashes, row_count, groups_out, new_rows);
    if (new_count > 0) {
        const uint16_t *positions = new_count == row_count ? NULL : new_rows;
        BR_TRY(br_groups_add_keys(groups, keys, positions, new_count, scratch, err));
        groups->hashed_count = groups->slotted_count = groups->count;
    }
    if (new_count == row_count) return BR_OK;
    return verify(groups, keys, row_count, hashes, scratch, groups_out, err);
}

// Groups of a batch whose keys do not descend, nor from the batches before; false when they do.
static bool number_ordered(const br_groups *groups, const int64_t *keys, uint32_t row_count,
                           uint32_t *groups_out, uint16_t *new_rows, uint32_t *new_count)
{
    uint32_t next = groups->count, count = 0;
    const int64_t *stored = groups->count > 0 ? groups->keys[0].items : NULL;
    int64_t last = stored != NULL ? stored[groups->count - 1] : keys[0];
    if (stored == NULL) {
        new_rows[count++] = 0;
        next++;
    }
    for (uint32_t i = 0; i < row_count; i++) {
        if (keys[i] < last) return false;
        new_rows[count] = (uint16_t)i;
        count += keys[i] != last;
        next += keys[i] != last;
        last = keys[i];
        groups_out[i] = next - 1;
    }
    *new_count = count;
    return true;
}

static br_status find_ordered(br_groups *groups, const br_vector *keys, uint32_t row_count,
                              br_arena *scratch, uint32_t *groups_out, bool *done_out,
                              br_error *err)
{
    uint16_t new_rows[BR_BATCH_ROWS + 1];
    uint32_t new_count;
    const br_key_column *stored = &groups->keys[0];
    *done_out = groups->key_count == 1 && keys[0].class_ == BR_INT &&
                keys[0].kind == BR_VECTOR_FLAT && keys[0].validity == NULL &&
                (groups->count == 0 || (stored->class_ == BR_INT && !stored->has_nulls)) &&
                number_ordered(groups, keys[0].i64, row_count, groups_out, new_rows, &new_count);
    groups->is_ordered = *done_out;
    if (!*done_out || new_count == 0) return BR_OK;
    return br_groups_add_keys(groups, keys, new_rows, new_count, scratch, err);
}

br_status br_groups_find(br_groups *groups, const br_vector *keys, uint32_t row_count,
                         const uint64_t *hashes, br_arena *scratch, uint32_t *groups_out,
                         br_error *err)
{
    BR_TRY(br_groups_reserve(groups, row_count, err));
    if (groups->is_ordered && hashes == NULL) {
        bool is_done;
        BR_TRY(find_ordered(groups, keys, row_count, scratch, groups_out, &is_done, err));
        if (is_done) return BR_OK;
    }
    if (groups->dense != NULL && hashes == NULL) {
        bool is_done;
        BR_TRY(br_dense_find(groups, keys, row_count, scratch, groups_out, &is_done, err));
        if (is_done) return BR_OK;
    }
    return find_hashed(groups, keys, row_count, hashes, scratch, groups_out, err);
}

br_status br_groups_append(br_groups *groups, const br_vector *keys, uint32_t row_count,
                           br_arena *scratch, uint32_t *groups_out, br_error *err)
{
    BR_TRY(br_groups_reserve(groups, row_count, err));
    for (uint32_t i = 0; i < row_count; i++) groups_out[i] = groups->count + i;
    BR_TRY(br_groups_hash_all(groups, err));
    BR_TRY(br_keys_hash(&groups->hash_context, keys, groups->collations, groups->key_count,
                        row_count, groups->hashes + groups->count, err));
    BR_TRY(br_groups_add_keys(groups, keys, NULL, row_count, scratch, err));
    groups->hashed_count = groups->count;
    return BR_OK;
}
