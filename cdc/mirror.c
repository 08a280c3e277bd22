// mirror.c - which tables are mirrored, and the statements that read them.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "cdc/state.h"

static br_status no_memory(const br_schema_table *table, br_error *err)
{
    return br_fail(err, BR_NOMEM, "no memory to mirror table '%s'", table->name);
}

// ---- texts ----------------------------------------------------------------------------------

// "c1", "c2", ..., key: columns in order, the key last. NULL stands for what is left out, so that
// columns have the same numbers everywhere.
static const char *select_list(br_arena *arena, const br_schema_table *table, const char *key)
{
    br_buffer list = {0};
    bool is_built = true;
    for (uint32_t i = 0; i < table->column_count && is_built; i++) {
        bool is_left_out = table->columns[i].is_left_out;
        const char *name =
            is_left_out ? "NULL" : br_oltp_quote_name(arena, table->columns[i].name);
        is_built = name != NULL && br_buffer_format(&list, "%s%s", i == 0 ? "" : ", ", name);
    }
    if (is_built && key != NULL)
        is_built = br_buffer_format(&list, "%s%s", list.size_bytes == 0 ? "" : ", ", key);
    const char *text =
        is_built ? br_arena_copy_text(arena, (const char *)list.bytes, list.size_bytes) : NULL;
    br_buffer_release(&list);
    return text;
}

// A copy without some columns is another copy: a comment behind the CREATE text tells them.
static const char *make_definition(br_arena *arena, const br_schema_table *table)
{
    const char *text = table->sql;
    for (uint32_t i = 0; i < table->column_count && text != NULL; i++) {
        if (!table->columns[i].is_left_out) continue;
        const char *between = text == table->sql ? BR_MIRROR_LEFT_OUT : ",";
        text = br_arena_format(arena, "%s%s %u", text, between, i);
    }
    return text;
}

// NOT INDEXED: rows in the order of the table itself, whatever covering indexes there are.
static br_status make_texts(br_mirror *mirror, br_arena *arena, br_error *err)
{
    const br_schema_table *table = mirror->table;
    mirror->key = br_schema_key_name(table, arena);
    mirror->definition = make_definition(arena, table);
    const char *name = br_oltp_quote_name(arena, table->name);
    const char *list = name == NULL ? NULL : select_list(arena, table, mirror->key);
    if (list == NULL || mirror->definition == NULL) return no_memory(table, err);
    if (mirror->key == NULL) {
        mirror->select_range =
            br_arena_format(arena, "SELECT %s FROM main.%s NOT INDEXED", list, name);
        return mirror->select_range == NULL ? no_memory(table, err) : BR_OK;
    }
    const char *key = mirror->key;
    mirror->select_range =
        br_arena_format(arena,
                        "SELECT %s FROM main.%s NOT INDEXED WHERE %s BETWEEN ?1 AND ?2"
                        " ORDER BY %s",
                        list, name, key, key);
    mirror->select_max = br_arena_format(arena, "(SELECT max(%s) FROM main.%s)", key, name);
    mirror->select_next =
        br_arena_format(arena,
                        "SELECT %s FROM main.%s NOT INDEXED WHERE %s >= ?1 ORDER BY %s"
                        " LIMIT 1 OFFSET ?2",
                        key, name, key, key);
    bool is_complete =
        mirror->select_range != NULL && mirror->select_max != NULL && mirror->select_next != NULL;
    return is_complete ? BR_OK : no_memory(table, err);
}

// ---- mirrors --------------------------------------------------------------------------------

static void mirror_release(br_mirror *mirror)
{
    br_oltp_finalize(mirror->range);
    br_heap_free(mirror->keys);
    *mirror = (br_mirror){0};
}

void br_mirror_set_release(br_mirror_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) mirror_release(&set->items[i]);
    for (uint32_t i = 0; i < set->max_key_count; i++) br_oltp_finalize(set->max_keys[i]);
    br_heap_free(set->max_keys);
    br_heap_free(set->items);
    br_cdc_schema_drop(set->schema);
    *set = (br_mirror_set){0};
}

static int compare_mirrors(const void *left, const void *right)
{
    uint32_t l = ((const br_mirror *)left)->table_id, r = ((const br_mirror *)right)->table_id;
    return (l > r) - (l < r);
}

br_mirror *br_mirror_find(const br_mirror_set *set, uint32_t table_id)
{
    br_mirror wanted = {.table_id = table_id};
    if (set->count == 0) return NULL;
    return bsearch(&wanted, set->items, set->count, sizeof *set->items, compare_mirrors);
}

void br_mirror_clear_keys(br_mirror_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) set->items[i].key_count = 0;
}

br_status br_mirror_add_key(br_mirror *mirror, int64_t key, br_error *err)
{
    if (!br_heap_grow((void **)&mirror->keys, sizeof *mirror->keys, mirror->key_count,
                      &mirror->key_capacity))
        return br_fail(err, BR_NOMEM, "no memory for %zu changed keys of table '%s'",
                       mirror->key_count + 1, mirror->table->name);
    mirror->keys[mirror->key_count++] = key;
    return BR_OK;
}

// A mirror of the old set that reads the same rows lends its statements.
static void adopt_statements(br_mirror *mirror, br_mirror_set *before)
{
    br_mirror *old = br_mirror_find(before, mirror->table_id);
    if (old == NULL || strcmp(old->select_range, mirror->select_range) != 0) return;
    mirror->range = old->range;
    old->range = NULL;
}

// *is_readable_out is false when SQLite itself cannot read the table in this process: a generated
// column of a function, or an order of a collation, that only the application knows.
static br_status mirror_prepare(br_cdc *cdc, br_mirror *mirror, bool *is_readable_out,
                                br_error *err)
{
    br_status status = BR_OK;
    if (mirror->range == NULL)
        status = br_oltp_prepare(cdc->reader, mirror->select_range, NULL, &mirror->range, err);
    *is_readable_out = status == BR_OK;
    return status == BR_SQL || status == BR_RUNTIME ? BR_OK : status;
}

// What the store says of it.
static br_status compare_with_store(br_cdc *cdc, const br_mirror_set *set, br_mirror *mirror,
                                    br_error *err)
{
    br_table *table = br_store_find(cdc->next_store, mirror->table_id);
    int64_t cookie_before = br_store_watermark(cdc->next_store).schema_cookie;
    mirror->is_known = table != NULL && !cdc->must_reload_all;
    mirror->has_tail = true;
    mirror->hi = table == NULL ? INT64_MIN : br_table_get_spec(table)->hi;
    mirror->moved = set->cookie - cookie_before - cdc->own_moves;
    return br_alter_compare(cdc, mirror, set->schema->arena, err);
}

static const br_capture_entry *find_entry(const br_cdc *cdc, const br_schema_table *table,
                                          bool rowids_moved)
{
    for (uint32_t i = 0; i < cdc->entry_count; i++) {
        const br_capture_entry *entry = &cdc->entries[i];
        if (entry->table == table && br_cdc_entry_is_usable(cdc, entry, rowids_moved)) return entry;
    }
    return NULL;
}

static br_status add_mirror(br_cdc *cdc, br_mirror_set *set, const br_schema_table *table,
                            bool rowids_moved, br_error *err)
{
    const br_capture_entry *entry = find_entry(cdc, table, rowids_moved);
    br_mirror mirror = {.table = table, .mode = BR_MIRROR_BLIND};
    if (entry != NULL) {
        bool has_keys = br_capture_kind_of(table) == BR_CAPTURE_KEYS;
        mirror.mode = has_keys ? BR_MIRROR_KEYS : BR_MIRROR_DIRTY;
        mirror.is_loose = entry->state != BR_CAPTURE_INTACT;
    }
    mirror.table_id = entry != NULL ? entry->table_id : cdc->next_blind_id--;
    BR_TRY(make_texts(&mirror, set->schema->arena, err));
    adopt_statements(&mirror, &cdc->set);
    bool is_readable = false;
    br_status status = mirror_prepare(cdc, &mirror, &is_readable, err);
    if (status == BR_OK && is_readable) status = compare_with_store(cdc, set, &mirror, err);
    if (status != BR_OK || !is_readable) {
        mirror_release(&mirror);
        return status;
    }
    set->items[set->count++] = mirror;
    return BR_OK;
}

static br_status fill_set(br_cdc *cdc, br_mirror_set *set, bool rowids_moved, br_error *err)
{
    const br_schema *schema = &set->schema->schema;
    set->items = br_heap_array(schema->table_count, sizeof *set->items);
    if (set->items == NULL)
        return br_fail(err, BR_NOMEM, "no memory for %u tables", schema->table_count);
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const br_schema_table *table = &schema->tables[i];
        if (br_cdc_is_mirrored(cdc, table)) BR_TRY(add_mirror(cdc, set, table, rowids_moved, err));
    }
    if (set->count > 0) qsort(set->items, set->count, sizeof *set->items, compare_mirrors);
    return BR_OK;
}

// ---- largest keys ---------------------------------------------------------------------------

static br_mirror *next_keyed(const br_mirror_set *set, uint32_t *at)
{
    while (*at < set->count && set->items[*at].key == NULL) ++*at;
    return *at < set->count ? &set->items[(*at)++] : NULL;
}

// Prepares the statement of the next group of mirrors, from *at on.
static br_status prepare_group(br_cdc *cdc, br_mirror_set *set, uint32_t *at, br_error *err)
{
    br_buffer sql = {0};
    bool is_built = true;
    uint32_t count = 0;
    br_mirror *mirror;
    while (is_built && count < BR_MIRROR_MAX_GROUP && (mirror = next_keyed(set, at)) != NULL)
        is_built =
            br_buffer_format(&sql, "%s%s", count++ == 0 ? "SELECT " : ", ", mirror->select_max);
    br_status status = BR_OK;
    if (!is_built) status = br_fail(err, BR_NOMEM, "no memory for the largest keys");
    br_oltp_statement **slot = &set->max_keys[set->max_key_count];
    if (status == BR_OK && count > 0) {
        // br_buffer_format puts a NUL behind the text.
        status = br_oltp_prepare(cdc->reader, (const char *)sql.bytes, NULL, slot, err);
        if (status == BR_OK) set->max_key_count++;
    }
    br_buffer_release(&sql);
    return status;
}

static br_status prepare_max_keys(br_cdc *cdc, br_mirror_set *set, br_error *err)
{
    set->max_keys =
        br_heap_array(set->count / BR_MIRROR_MAX_GROUP + 1, sizeof(br_oltp_statement *));
    if (set->max_keys == NULL) return br_fail(err, BR_NOMEM, "no memory for the largest keys");
    for (uint32_t at = 0; at < set->count;) BR_TRY(prepare_group(cdc, set, &at, err));
    return BR_OK;
}

br_status br_mirror_read_max_keys(br_mirror_set *set, br_error *err)
{
    uint32_t at = 0;
    for (uint32_t group = 0; group < set->max_key_count; group++) {
        br_oltp_statement *statement = set->max_keys[group];
        bool has_row = false;
        BR_TRY(br_oltp_step(statement, &has_row, err));
        for (uint32_t i = 0; i < br_oltp_column_count(statement); i++) {
            br_mirror *mirror = next_keyed(set, &at);
            br_value value = br_oltp_column(statement, i);
            mirror->has_rows = value.class_ == BR_INT;
            mirror->max_key_now = mirror->has_rows ? value.i64 : INT64_MIN;
        }
        br_oltp_reset(statement);
    }
    return BR_OK;
}

// ---- sets -----------------------------------------------------------------------------------

// Is the copy in the store one of this file, at or before its present state?
static bool is_copy_of(const br_cdc *cdc, const br_capture_meta *meta)
{
    static const uint8_t none[16] = {0};
    if (!meta->is_installed || memcmp(cdc->lineage, meta->lineage, 16) != 0) return false;
    // Nothing durable yet: what is in memory was read from this very file.
    if (memcmp(cdc->checkpoint_id, none, 16) == 0) return cdc->store == cdc->next_store;
    return memcmp(cdc->checkpoint_id, meta->checkpoint_id, 16) == 0 ||
           memcmp(cdc->checkpoint_id, meta->next_checkpoint_id, 16) == 0;
}

static br_status read_schema(br_pass *pass, br_mirror_set *set, bool *rowids_moved_out,
                             br_error *err)
{
    br_cdc *cdc = pass->cdc;
    br_capture_meta meta;
    br_arena *arena = set->schema->arena;
    BR_TRY(br_schema_read(cdc->reader, arena, &set->schema->schema, err));
    BR_TRY(br_capture_read_meta(cdc->reader, &meta, err));
    cdc->entries = NULL;
    cdc->entry_count = 0;
    cdc->is_installed = meta.is_installed;
    if (meta.is_installed)
        BR_TRY(br_capture_read_entries(cdc->reader, &set->schema->schema, arena, &cdc->entries,
                                       &cdc->entry_count, err));
    if (!is_copy_of(cdc, &meta)) {
        cdc->must_reload_all = true;
        memcpy(cdc->lineage, meta.lineage, 16);
    }
    *rowids_moved_out = meta.rowids_moved;
    return BR_OK;
}

br_status br_mirror_set_build(br_pass *pass, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    br_mirror_set set = {.cookie = pass->cookie};
    bool rowids_moved = false;
    cdc->is_set_valid = false;
    BR_TRY(br_schema_ref_new(&set.schema, err));
    br_status status = read_schema(pass, &set, &rowids_moved, err);
    if (status == BR_OK) status = fill_set(cdc, &set, rowids_moved, err);
    if (status == BR_OK) status = prepare_max_keys(cdc, &set, err);
    if (status != BR_OK) {
        br_mirror_set_release(&set);
        return status;
    }
    br_mirror_set_release(&cdc->set);
    cdc->set = set;
    cdc->cookie = pass->cookie;
    cdc->is_set_valid = true;
    return BR_OK;
}
