// load.c - first mirroring: chunks encoded by many threads, written as segments group by group.
//
// A chunk is encoded on the thread that brings it and parked in its group, chunks with consecutive
// orders. Who completes a group writes its file, outside of the lock, while the
// others go on. Memory is bounded by encoded pages of groups begun.
//
// Lock: `lock` guards the groups; no I/O and no encoding under it.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/segment_build.h"
#include "columnar/table.h"

enum {
    // Chunks per segment: 2 M rows, to keep segments few. Wide tables take half, for all encoded
    // pages of a segment are in memory before it is written.
    LOAD_GROUP_CHUNKS = 32,
    LOAD_GROUP_CHUNKS_WIDE = 16,
    LOAD_WIDE_COLUMNS = 24,
    LOAD_GROUPS_MAX = 1 << 20,  // 2 * 10^12 rows; keeps a wild `order` from asking for memory
};

typedef struct load_group {
    br_encoded chunks[LOAD_GROUP_CHUNKS];  // chunk_count is 0 where none has come yet
    uint32_t count;
    br_segment *segment;  // once written
} load_group;

struct br_load {
    br_apply *apply;  // NULL: over, so the load can only be abandoned
    br_load *next;    // of the apply
    br_store *store;
    uint32_t table_id;
    uint32_t column_count;  // with the key
    uint32_t group_chunks;
    br_lock lock;
    // Guarded by the lock:
    load_group **groups;
    uint32_t group_count;
    size_t group_capacity;
    bool has_failed;
};

br_status br_load_begin(br_apply *apply, uint32_t table_id, br_load **load_out, br_error *err)
{
    br_version *draft = NULL;
    BR_TRY(br_apply_draft(apply, table_id, &draft, err));
    if (apply->store->config.read_only)
        return br_fail(err, BR_READONLY, "'%s' is open read-only: no load", apply->store->folder);
    if (draft->live_rows > 0)
        return br_fail(err, BR_MISUSE, "table '%s' has %" PRIu64 " rows, want an empty one",
                       draft->spec.name, draft->live_rows);
    br_load *load = br_heap_zalloc(sizeof *load);
    if (load == NULL) return br_fail(err, BR_NOMEM, "no memory for a load");
    load->apply = apply;
    load->store = apply->store;
    load->table_id = table_id;
    load->column_count = br_version_columns(draft);
    load->group_chunks = load->column_count < LOAD_WIDE_COLUMNS ? LOAD_GROUP_CHUNKS
                                                                : LOAD_GROUP_CHUNKS_WIDE;
    br_lock_init(&load->lock);
    load->next = apply->loads;
    apply->loads = load;
    *load_out = load;
    return BR_OK;
}

static void group_clear(load_group *group)
{
    for (uint32_t i = 0; i < LOAD_GROUP_CHUNKS; i++) br_encoded_release(&group->chunks[i]);
}

static void load_free(br_load *load)
{
    for (uint32_t i = 0; i < load->group_count; i++) {
        load_group *group = load->groups[i];
        if (group == NULL) continue;
        group_clear(group);
        br_segment_drop(group->segment);
        br_heap_free(group);
    }
    br_heap_free(load->groups);
    br_lock_release(&load->lock);
    if (load->apply != NULL) {
        br_load **link = &load->apply->loads;
        while (*link != load) link = &(*link)->next;
        *link = load->next;
    }
    br_heap_free(load);
}

void br_load_orphan(br_load *first)
{
    for (; first != NULL; first = first->next) first->apply = NULL;
}

void br_load_abandon(br_load *load)
{
    if (load != NULL) load_free(load);
}

// ---- chunks ----------------------------------------------------------------------------------

static br_status check_columns(const br_load *load, const br_column *columns, br_error *err)
{
    uint32_t row_count = columns[0].row_count;
    if (row_count == 0 || row_count > BR_CHUNK_ROWS)
        return br_fail(err, BR_MISUSE, "a chunk of %u rows, want 1 to %d", row_count,
                       BR_CHUNK_ROWS);
    for (uint32_t i = 1; i < load->column_count; i++) {
        if (columns[i].row_count != row_count)
            return br_fail(err, BR_MISUSE, "a chunk with columns of %u and of %u rows", row_count,
                           columns[i].row_count);
    }
    const br_column *keys = &columns[load->column_count - 1];
    const int64_t *values = (const int64_t *)(const void *)keys->payloads;
    bool is_sorted = true, is_int = true;
    for (uint32_t i = 1; i < row_count; i++) is_sorted &= values[i - 1] < values[i];
    for (uint32_t i = 0; i < row_count; i++) is_int &= keys->classes[i] == BR_INT;
    if (!is_sorted || !is_int)
        return br_fail(err, BR_MISUSE, "a chunk whose keys are not ascending integers");
    return BR_OK;
}

static br_status encode(const br_load *load, const br_column *columns, br_encoded *encoded,
                        br_error *err)
{
    BR_TRY(br_encoded_init(encoded, load->column_count, 1, err));
    br_status status = BR_OK;
    for (uint32_t i = 0; i < load->column_count && status == BR_OK; i++)
        status = br_encoded_page(encoded, i, &columns[i], BR_ENCODE_FAST, err);
    if (status != BR_OK) br_encoded_release(encoded);
    return status;
}

// The group of a chunk, made when it is the first of it; NULL when there is no memory.
static load_group *group_get_locked(br_load *load, uint32_t index)
{
    while (load->group_count <= index) {
        if (!br_heap_grow((void **)&load->groups, sizeof *load->groups, load->group_count,
                          &load->group_capacity))
            return NULL;
        load->groups[load->group_count++] = NULL;
    }
    if (load->groups[index] == NULL) load->groups[index] = br_heap_zalloc(sizeof(load_group));
    return load->groups[index];
}

// Parks a chunk; *group_out is its group when that is complete now. Takes the pages over.
static br_status park(br_load *load, uint32_t order, br_encoded *encoded, load_group **group_out,
                      br_error *err)
{
    uint32_t slot = order % load->group_chunks;
    br_lock_take(&load->lock);
    load_group *group = group_get_locked(load, order / load->group_chunks);
    // The chunks of a complete group belong to who writes it.
    bool is_twice = group != NULL && (group->count == load->group_chunks ||
                                      group->chunks[slot].chunk_count != 0);
    if (group != NULL && !is_twice) {
        group->chunks[slot] = *encoded;
        *encoded = (br_encoded){0};
        if (++group->count == load->group_chunks) *group_out = group;
    }
    br_lock_give(&load->lock);
    if (group == NULL) return br_fail(err, BR_NOMEM, "no memory for a load");
    if (is_twice) return br_fail(err, BR_MISUSE, "chunk %u of a load came twice", order);
    return BR_OK;
}

// Keys must ascend from chunk to chunk.
static br_status check_order(const br_encoded *before, const br_encoded *after, br_error *err)
{
    uint32_t key = before->column_count - 1;
    int64_t max = before->entries[key].stats.int_max, min = after->entries[key].stats.int_min;
    if (max < min) return BR_OK;
    return br_fail(err, BR_MISUSE, "chunks of a load out of order: key %" PRId64 " before %" PRId64,
                   max, min);
}

// Nobody else touches a complete group, so this needs no lock.
static br_status group_write(br_load *load, load_group *group, br_error *err)
{
    for (uint32_t i = 1; i < group->count; i++)
        BR_TRY(check_order(&group->chunks[i - 1], &group->chunks[i], err));
    return br_segment_write(load->store, group->chunks, group->count, &group->segment, err);
}

static br_status add_chunk(br_load *load, uint32_t order, const br_column *columns, br_error *err)
{
    if (order / load->group_chunks >= LOAD_GROUPS_MAX)
        return br_fail(err, BR_MISUSE, "chunk %u of a load, want less than %u", order,
                       LOAD_GROUPS_MAX * load->group_chunks);
    BR_TRY(check_columns(load, columns, err));
    br_encoded encoded = {0};
    load_group *complete = NULL;
    BR_TRY(encode(load, columns, &encoded, err));
    br_status status = park(load, order, &encoded, &complete, err);
    br_encoded_release(&encoded);
    if (status == BR_OK && complete != NULL) status = group_write(load, complete, err);
    return status;
}

br_status br_load_add_chunk(br_load *load, uint32_t order, const br_column *columns, br_error *err)
{
    br_status status = add_chunk(load, order, columns, err);
    if (status == BR_OK) return BR_OK;
    br_lock_take(&load->lock);
    load->has_failed = true;
    br_lock_give(&load->lock);
    return status;
}

// ---- the end ---------------------------------------------------------------------------------

// All groups but the last are written; the last may hold any number of chunks from the first on.
static br_status finish_groups(br_load *load, br_error *err)
{
    for (uint32_t i = 0; i < load->group_count; i++) {
        load_group *group = load->groups[i];
        bool is_last = i + 1 == load->group_count;
        uint32_t count = group == NULL ? 0 : group->count;
        for (uint32_t c = 0; group != NULL && group->segment == NULL && c < count; c++) {
            if (group->chunks[c].chunk_count == 0) count = 0;
        }
        if (count == 0 || (!is_last && group->segment == NULL))
            return br_fail(err, BR_MISUSE, "a load lacks chunks between %u and %u",
                           i * load->group_chunks, (i + 1) * load->group_chunks);
        if (group->segment == NULL) BR_TRY(group_write(load, group, err));
        const br_segment *before = i == 0 ? NULL : load->groups[i - 1]->segment;
        if (before != NULL && before->key_max >= group->segment->key_min)
            return br_fail(err, BR_MISUSE,
                           "chunks of a load out of order: key %" PRId64 " before %" PRId64,
                           before->key_max, group->segment->key_min);
    }
    return BR_OK;
}

static br_status finish(br_load *load, br_error *err)
{
    if (load->apply == NULL) return br_fail(err, BR_MISUSE, "the apply of a load is over");
    if (load->has_failed) return br_fail(err, BR_MISUSE, "a chunk of the load has failed");
    BR_TRY(finish_groups(load, err));
    br_version *draft = NULL;
    BR_TRY(br_apply_draft(load->apply, load->table_id, &draft, err));
    if (draft->live_rows > 0)
        return br_fail(err, BR_MISUSE, "table '%s' was changed during a load", draft->spec.name);
    br_version_segment *items = br_heap_array(load->group_count, sizeof *items);
    if (items == NULL) return br_fail(err, BR_NOMEM, "no memory for a load");
    for (uint32_t i = 0; i < load->group_count; i++) items[i].segment = load->groups[i]->segment;
    // Dead rows that are left from before go with their segments and delta.
    br_version_clear(draft);
    br_status status = br_version_set_segments(draft, items, load->group_count, err);
    br_heap_free(items);
    return status;
}

br_status br_load_finish(br_load *load, br_error *err)
{
    br_status status = finish(load, err);
    load_free(load);
    return status;
}
