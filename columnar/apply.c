// apply.c - changes of the writer: drafts of versions, published all at once.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "columnar/table.h"

uint32_t br_store_table_count(const br_store *store) { return store->table_count; }

br_table *br_store_table_at(br_store *store, uint32_t index)
{
    br_assert(index < store->table_count);
    return store->tables[index];
}

br_table *br_store_find(br_store *store, uint32_t table_id)
{
    for (uint32_t i = 0; i < store->table_count; i++) {
        if (store->tables[i]->table_id == table_id) return store->tables[i];
    }
    return NULL;
}

const br_table_spec *br_table_get_spec(const br_table *table)
{
    return table->draft != NULL ? &table->draft->spec : &table->published->spec;
}

uint64_t br_table_rows(const br_table *table)
{
    return table->draft != NULL ? table->draft->live_rows : table->published->live_rows;
}

const br_table_view *br_table_published(const br_table *table) { return table->published; }

br_status br_apply_begin(br_store *store, br_apply **apply_out, br_error *err)
{
    if (store->apply != NULL) return br_fail(err, BR_MISUSE, "an apply is in progress");
    br_apply *apply = br_heap_zalloc(sizeof *apply);
    if (apply == NULL) return br_fail(err, BR_NOMEM, "no memory for an apply");
    apply->store = store;
    store->apply = apply;
    *apply_out = apply;
    return BR_OK;
}

static br_status unknown_table(uint32_t table_id, br_error *err)
{
    return br_fail(err, BR_MISUSE, "no table has the id %u", table_id);
}

br_status br_apply_draft(br_apply *apply, uint32_t table_id, br_version **draft_out, br_error *err)
{
    br_table *table = br_store_find(apply->store, table_id);
    if (table == NULL) return unknown_table(table_id, err);
    if (table->draft == NULL) BR_TRY(br_version_copy(table->published, &table->draft, err));
    *draft_out = table->draft;
    return BR_OK;
}

// ---- the set of tables -----------------------------------------------------------------------

// Remembers the list of tables, to go back to when the apply is abandoned.
static br_status keep_tables(br_apply *apply, br_error *err)
{
    br_store *store = apply->store;
    if (apply->tables_before != NULL) return BR_OK;
    br_table **copy = br_heap_array(store->table_count, sizeof *copy);
    if (copy == NULL) return br_fail(err, BR_NOMEM, "no memory for %u tables", store->table_count);
    if (store->table_count > 0) memcpy(copy, store->tables, store->table_count * sizeof *copy);
    apply->tables_before = copy;
    apply->table_count_before = store->table_count;
    return BR_OK;
}

static br_status spec_check(const br_store *store, const br_table_spec *spec, br_error *err)
{
    if (spec->name == NULL || spec->column_count > BR_COLUMNS_MAX)
        return br_fail(err, BR_MISUSE, "a table of %u columns, want %d at most",
                       spec->column_count, BR_COLUMNS_MAX);
    if (store->table_count == BR_TABLES_MAX)
        return br_fail(err, BR_MISUSE, "table '%s': there are %d tables already", spec->name,
                       BR_TABLES_MAX);
    return BR_OK;
}

br_status br_apply_add_table(br_apply *apply, const br_table_spec *spec, br_error *err)
{
    br_store *store = apply->store;
    BR_TRY(spec_check(store, spec, err));
    if (br_store_find(store, spec->table_id) != NULL)
        return br_fail(err, BR_MISUSE, "table '%s': id %u is taken", spec->name, spec->table_id);
    BR_TRY(keep_tables(apply, err));
    br_table *table = br_heap_zalloc(sizeof *table);
    if (table == NULL || !br_heap_grow((void **)&store->tables, sizeof *store->tables,
                                       store->table_count, &store->table_capacity)) {
        br_heap_free(table);
        return br_fail(err, BR_NOMEM, "no memory for table '%s'", spec->name);
    }
    br_status status = br_version_new(spec, &table->draft, err);
    if (status != BR_OK) {
        br_heap_free(table);
        return status;
    }
    table->table_id = spec->table_id;
    store->tables[store->table_count++] = table;
    return BR_OK;
}

static bool list_has(br_table *const *tables, uint32_t count, const br_table *table)
{
    for (uint32_t i = 0; i < count; i++) {
        if (tables[i] == table) return true;
    }
    return false;
}

br_status br_apply_drop_table(br_apply *apply, uint32_t table_id, br_error *err)
{
    br_store *store = apply->store;
    br_table *table = br_store_find(store, table_id);
    if (table == NULL) return unknown_table(table_id, err);
    BR_TRY(keep_tables(apply, err));
    uint32_t index = 0;
    while (store->tables[index] != table) index++;
    store->table_count--;
    memmove(&store->tables[index], &store->tables[index + 1],
            (store->table_count - index) * sizeof *store->tables);
    if (list_has(apply->tables_before, apply->table_count_before, table)) return BR_OK;
    br_version_drop(table->draft);  // added by the same apply
    br_heap_free(table);
    return BR_OK;
}

br_status br_apply_set_hi(br_apply *apply, uint32_t table_id, int64_t hi, br_error *err)
{
    br_version *draft = NULL;
    BR_TRY(br_apply_draft(apply, table_id, &draft, err));
    draft->spec.hi = hi;
    return BR_OK;
}

br_status br_apply_reshape(br_apply *apply, const br_table_spec *spec, const br_reshape *reshape,
                           br_error *err)
{
    br_version *draft = NULL;
    br_table *table = br_store_find(apply->store, spec->table_id);
    if (table != NULL && table->draft != NULL)
        return br_fail(err, BR_MISUSE, "table '%s' is altered after other changes", spec->name);
    BR_TRY(spec_check(apply->store, spec, err));
    BR_TRY(br_apply_draft(apply, spec->table_id, &draft, err));
    apply->has_renamed = true;
    return br_version_reshape(draft, spec, reshape, apply->store->config.quota, err);
}

// ---- rows ------------------------------------------------------------------------------------

// A delta that readers see goes back to what they see of it.
static void take_back_appended(const br_table *table)
{
    const br_version *published = table->published;
    if (published == NULL || published->delta == NULL || table->draft->delta != published->delta)
        return;
    br_delta_truncate(published->delta, published->delta_rows, published->delta_stats->stats);
}

br_status br_apply_truncate(br_apply *apply, uint32_t table_id, br_error *err)
{
    br_version *draft = NULL;
    BR_TRY(br_apply_draft(apply, table_id, &draft, err));
    take_back_appended(br_store_find(apply->store, table_id));
    br_version_clear(draft);
    return BR_OK;
}

static br_status keyed_draft(br_apply *apply, uint32_t table_id, br_version **draft_out,
                             br_error *err)
{
    BR_TRY(br_apply_draft(apply, table_id, draft_out, err));
    if ((*draft_out)->spec.key_kind == BR_KEY_ROWID) return BR_OK;
    return br_fail(err, BR_MISUSE, "table '%s' has no keys to delete by", (*draft_out)->spec.name);
}

// The quota is shared with the page cache: when it is used up, what is only cached makes room. Rows
// killed by the first attempt are simply dead in the second.
static br_status kill_keys(br_apply *apply, br_version *draft, const int64_t *keys,
                           size_t key_count, br_error *err)
{
    br_store *store = apply->store;
    br_status status = br_version_kill_keys(draft, store->config.quota, keys, key_count, err);
    if (status != BR_NOMEM) return status;
    br_page_cache_empty(&store->cache);
    return br_version_kill_keys(draft, store->config.quota, keys, key_count, err);
}

br_status br_apply_delete(br_apply *apply, uint32_t table_id, int64_t key, br_error *err)
{
    br_version *draft = NULL;
    BR_TRY(keyed_draft(apply, table_id, &draft, err));
    return kill_keys(apply, draft, &key, 1, err);
}

static int key_compare(const void *left, const void *right)
{
    int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;
    return (l > r) - (l < r);
}

br_status br_apply_delete_keys(br_apply *apply, uint32_t table_id, const int64_t *keys,
                               size_t key_count, br_error *err)
{
    br_version *draft = NULL;
    BR_TRY(keyed_draft(apply, table_id, &draft, err));
    bool is_sorted = true;
    for (size_t i = 1; i < key_count && is_sorted; i++) is_sorted = keys[i - 1] <= keys[i];
    if (is_sorted) return kill_keys(apply, draft, keys, key_count, err);
    int64_t *sorted = br_heap_array(key_count, sizeof *sorted);
    if (sorted == NULL) return br_fail(err, BR_NOMEM, "no memory for %zu keys", key_count);
    memcpy(sorted, keys, key_count * sizeof *sorted);
    qsort(sorted, key_count, sizeof *sorted, key_compare);
    br_status status = kill_keys(apply, draft, sorted, key_count, err);
    br_heap_free(sorted);
    return status;
}

br_status br_apply_delete_above(br_apply *apply, uint32_t table_id, int64_t key, br_error *err)
{
    br_version *draft = NULL;
    BR_TRY(keyed_draft(apply, table_id, &draft, err));
    return br_version_kill_above(draft, apply->store->config.quota, key, err);
}

// The number of the next row of a table without keys.
static int64_t next_number(const br_version *draft)
{
    if (draft->delta_rows > 0) return draft->delta->stats[draft->spec.column_count].int_max + 1;
    if (draft->segment_count == 0) return 1;
    return draft->segments[draft->segment_count - 1].segment->key_max + 1;
}

br_status br_apply_append(br_apply *apply, uint32_t table_id, int64_t key, const br_value *values,
                          br_error *err)
{
    br_version *draft = NULL;
    BR_TRY(br_apply_draft(apply, table_id, &draft, err));
    BR_TRY(br_version_open_delta(draft, apply->store->config.quota, err));
    if (draft->spec.key_kind == BR_KEY_NONE) key = next_number(draft);
    br_status status = br_delta_append(draft->delta, key, values, err);
    if (status == BR_NOMEM) {
        br_page_cache_empty(&apply->store->cache);
        status = br_delta_append(draft->delta, key, values, err);
    }
    BR_TRY(status);
    draft->delta_rows = draft->delta->row_count;
    draft->live_rows++;
    return BR_OK;
}

// ---- the end ---------------------------------------------------------------------------------

static void drop_draft(br_table *table)
{
    if (table->draft == NULL) return;
    take_back_appended(table);
    br_version_drop(table->draft);
    table->draft = NULL;
}

// Frees the tables that are in the store's list but were not before, or the other way round.
static void free_tables(br_table **from, uint32_t count, br_table **others, uint32_t other_count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list_has(others, other_count, from[i])) continue;
        drop_draft(from[i]);
        br_heap_free(from[i]);
    }
}

void br_apply_abandon(br_apply *apply)
{
    if (apply == NULL) return;
    br_store *store = apply->store;
    br_load_orphan(apply->loads);
    if (apply->tables_before != NULL) {
        free_tables(store->tables, store->table_count, apply->tables_before,
                    apply->table_count_before);
        // The list only grows in capacity, so the old one fits.
        memcpy(store->tables, apply->tables_before,
               apply->table_count_before * sizeof *store->tables);
        store->table_count = apply->table_count_before;
        br_heap_free(apply->tables_before);
    }
    for (uint32_t i = 0; i < store->table_count; i++) drop_draft(store->tables[i]);
    store->apply = NULL;
    br_heap_free(apply);
}

static br_status make_snapshot(br_apply *apply, const br_watermark *watermark,
                               br_snapshot **snapshot_out, br_error *err)
{
    br_store *store = apply->store;
    if (apply->loads != NULL) return br_fail(err, BR_MISUSE, "publish before a load is finished");
    br_version **versions = br_heap_array(store->table_count, sizeof *versions);
    if (versions == NULL) return br_fail(err, BR_NOMEM, "no memory to publish");
    br_status status = BR_OK;
    for (uint32_t i = 0; i < store->table_count && status == BR_OK; i++) {
        br_table *table = store->tables[i];
        versions[i] = table->draft != NULL ? table->draft : table->published;
        if (table->draft != NULL) status = br_version_seal(table->draft, err);
    }
    bool has_names = apply->tables_before == NULL && !apply->has_renamed;
    const br_snapshot *names_of = has_names ? store->current : NULL;
    if (status == BR_OK)
        status = br_snapshot_new(versions, store->table_count, names_of, snapshot_out, err);
    br_heap_free(versions);
    if (status == BR_OK) (*snapshot_out)->watermark = *watermark;
    return status;
}

br_status br_apply_publish(br_apply *apply, const br_watermark *watermark, br_error *err)
{
    br_store *store = apply->store;
    br_snapshot *snapshot = NULL;
    br_status status = make_snapshot(apply, watermark, &snapshot, err);
    if (status != BR_OK) {
        br_apply_abandon(apply);
        return status;
    }
    if (apply->tables_before != NULL) {
        // Dropped tables leave with their drafts; a delta they share is freed by the last version.
        free_tables(apply->tables_before, apply->table_count_before, store->tables,
                    store->table_count);
        br_heap_free(apply->tables_before);
    }
    for (uint32_t i = 0; i < store->table_count; i++) {
        br_version_drop(store->tables[i]->draft);  // the snapshot holds it now
        store->tables[i]->draft = NULL;
    }
    store->apply = NULL;
    br_heap_free(apply);
    br_store_install(store, snapshot);
    return BR_OK;
}
