// The schema as the binder wants it: br_schema and a snapshot behind br_sql_catalog.
// SPDX-License-Identifier: Apache-2.0
#include <strings.h>

#include "router/database.h"

static br_affinity affinity_of(br_oltp_affinity affinity)
{
    switch (affinity) {
    case BR_OLTP_BLOB:
        return BR_AFFINITY_BLOB;
    case BR_OLTP_TEXT:
        return BR_AFFINITY_TEXT;
    case BR_OLTP_NUMERIC:
        return BR_AFFINITY_NUMERIC;
    case BR_OLTP_INTEGER:
        return BR_AFFINITY_INTEGER;
    case BR_OLTP_REAL:
        return BR_AFFINITY_REAL;
    }
    return BR_AFFINITY_BLOB;
}

static const br_sql_column *columns_make(br_arena *arena, const br_schema_table *table)
{
    br_sql_column *columns = BR_ALLOC(arena, br_sql_column, table->column_count);
    if (columns == NULL) return NULL;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const br_schema_column *source = &table->columns[i];
        columns[i] = (br_sql_column){
            .name = source->name,
            .affinity = affinity_of(source->affinity),
            .collation = source->collation,
            .declared_type = source->declared_type,
            .not_null = source->not_null,
            .is_rowid = (int32_t)i == table->rowid_column,
            .is_left_out = source->is_left_out,
        };
    }
    return columns;
}

// Column lists of the unique indexes that say something of every row: not partial, no expressions.
// The rowid column comes first when it has a name.
static uint32_t unique_keys_make(br_arena *arena, const br_schema_table *table,
                                 const int32_t ***keys_out)
{
    const int32_t **keys = BR_ALLOC(arena, const int32_t *, table->index_count + 1);
    if (keys == NULL) return 0;
    uint32_t count = 0;
    if (table->rowid_column >= 0) {
        int32_t *key = BR_ALLOC(arena, int32_t, 2);
        if (key == NULL) return 0;
        key[0] = table->rowid_column;
        key[1] = -1;
        keys[count++] = key;
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const br_schema_index *index = &table->indexes[i];
        if (!index->is_unique || index->is_partial || index->has_expression) continue;
        int32_t *key = BR_ALLOC(arena, int32_t, index->column_count + 1);
        if (key == NULL) return count;
        for (uint32_t k = 0; k < index->column_count; k++) key[k] = index->columns[k];
        key[index->column_count] = -1;
        keys[count++] = key;
    }
    *keys_out = keys;
    return count;
}

static const br_sql_table *catalog_find_table(void *context, const char *schema, const char *name)
{
    br_catalog_context *catalog = context;
    if (schema != NULL && strcasecmp(schema, "main") != 0) return NULL;
    const br_schema_table *table = br_schema_find(catalog->schema, name);
    if (table == NULL) return NULL;
    br_sql_table *found = BR_ALLOC(catalog->arena, br_sql_table, 1);
    if (found == NULL) return NULL;
    const int32_t **keys = NULL;
    uint32_t key_count = unique_keys_make(catalog->arena, table, &keys);
    *found = (br_sql_table){
        .name = table->name,
        .column_count = table->column_count,
        .columns = columns_make(catalog->arena, table),
        .has_rowid = table->has_rowid,
        .view = br_snapshot_find(catalog->snapshot, table->name),
        .unique_count = key_count,
        .unique_keys = (const int32_t *const *)keys,
    };
    return found->columns == NULL ? NULL : found;
}

static const char *catalog_find_view(void *context, const char *schema, const char *name)
{
    br_catalog_context *catalog = context;
    if (schema != NULL && strcasecmp(schema, "main") != 0) return NULL;
    const br_schema_view *view = br_schema_find_view(catalog->schema, name);
    return view == NULL ? NULL : view->sql;
}

static bool is_shown(const br_schema_table *changes, const char *name)
{
    if (strncasecmp(name, "_braid_", 7) == 0) return false;
    for (uint32_t i = 0; i < changes->column_count; i++)
        if (strcasecmp(changes->columns[i].name, name) == 0) return true;
    return false;
}

// The columns that the table has now, or had when it was dropped.
static br_status history_columns(br_arena *arena, const br_schema_table *changes,
                                 const br_schema_table *table, br_sql_history *history,
                                 br_error *err)
{
    const br_schema_table *from = table == NULL ? changes : table;
    history->columns = BR_ALLOC(arena, const char *, from->column_count);
    if (history->columns == NULL) return br_fail(err, BR_NOMEM, "plan of a query");
    for (uint32_t i = 0; i < from->column_count; i++) {
        const char *name = from->columns[i].name;
        if (!is_shown(changes, name)) continue;
        const char *quoted = br_oltp_quote_name(arena, name);
        if (quoted == NULL) return br_fail(err, BR_NOMEM, "plan of a query");
        history->columns[history->column_count++] = quoted;
    }
    return BR_OK;
}

static br_status catalog_find_history(void *context, const char *schema, const char *name,
                                      const br_sql_history **history_out, br_error *err)
{
    br_catalog_context *catalog = context;
    *history_out = NULL;
    if (schema != NULL && strcasecmp(schema, "main") != 0) return BR_OK;
    const br_schema_history *found = br_schema_find_history(catalog->schema, name);
    if (found == NULL || found->changes == NULL) return BR_OK;
    br_sql_history *history = BR_ALLOC(catalog->arena, br_sql_history, 1);
    if (history == NULL) return br_fail(err, BR_NOMEM, "plan of a query");
    history->changes = br_oltp_quote_name(catalog->arena, found->changes->name);
    history->key = found->key;
    if (history->changes == NULL) return br_fail(err, BR_NOMEM, "plan of a query");
    BR_TRY(history_columns(catalog->arena, found->changes, br_schema_find(catalog->schema, name),
                           history, err));
    *history_out = history;
    return BR_OK;
}

static bool catalog_has_index(void *context, const char *table, const char *name,
                              bool *is_partial_out)
{
    const br_catalog_context *catalog = context;
    const br_schema_table *found = br_schema_find(catalog->schema, table);
    for (uint32_t i = 0; found != NULL && i < found->index_count; i++) {
        if (strcasecmp(found->indexes[i].name, name) != 0) continue;
        *is_partial_out = found->indexes[i].is_partial;
        return true;
    }
    return false;
}

static bool catalog_is_elsewhere(void *context, const char *name)
{
    br_catalog_context *catalog = context;
    return br_session_hides(catalog->database, name);
}

static br_status source_make(br_arena *arena, const char *name, const br_oltp_source *source,
                             const br_table_function **function_out, br_error *err)
{
    br_table_function *function = BR_ALLOC(arena, br_table_function, 1);
    br_table_function_column *columns =
        BR_ALLOC(arena, br_table_function_column, source->column_count + 1);
    if (function == NULL || columns == NULL) return br_fail(err, BR_NOMEM, "plan of a query");
    for (uint32_t i = 0; i < source->column_count; i++) {
        const br_oltp_source_column *from = &source->columns[i];
        columns[i] = (br_table_function_column){.name = from->name,
                                                .class_mask = BR_MASK_ALL,
                                                .is_hidden = from->is_hidden,
                                                .affinity = affinity_of(from->affinity),
                                                .collation = from->collation};
    }
    columns[source->column_count] = (br_table_function_column){
        .name = source->rowid_name, .class_mask = BR_MASK_INT, .is_hidden = true};
    *function = (br_table_function){.name = name,
                                    .kind = BR_TABLE_FUNCTION_SOURCE,
                                    .argument_max = source->hidden_count,
                                    .column_count = source->column_count,
                                    .columns = columns,
                                    .quoted_name = source->name,
                                    .rows = source->rows};
    *function_out = function;
    return BR_OK;
}

// What SQLite cannot describe is not found: it has the last word on what is wrong.
static br_status catalog_find_source(void *context, const char *name,
                                     const br_table_function **function_out,
                                     bool *is_function_out, br_error *err)
{
    br_catalog_context *catalog = context;
    br_database *database = catalog->database;
    br_oltp *reader;
    br_oltp_source source = {0};
    br_error problem;
    *function_out = NULL;
    BR_TRY(br_oltp_pool_take(database->readers, &reader, err));
    br_status status = br_oltp_source_find(reader, name, catalog->arena, &source, &problem);
    br_oltp_pool_give(database->readers, reader);
    *is_function_out = source.is_virtual;
    if (status == BR_NOMEM) return br_fail(err, BR_NOMEM, "%s", problem.message);
    if (status != BR_OK || source.column_count == 0) return BR_OK;
    bool is_bound = atomic_load_explicit(&database->session_bound, memory_order_relaxed);
    if (is_bound && !source.is_created)
        return br_fail(err, BR_UNSUPPORTED,
                       "%s, beside temporary tables or attached files", name);
    return source_make(catalog->arena, name, &source, function_out, err);
}

static bool catalog_is_redefined(void *context, const char *name, uint32_t argument_count)
{
    br_catalog_context *catalog = context;
    return br_oltp_functions_has(catalog->database->functions, name, argument_count);
}

static bool catalog_find_function(void *context, const char *name, uint32_t argument_count,
                                  bool *is_volatile_out)
{
    br_catalog_context *catalog = context;
    br_oltp_bridge *bridge;
    br_error ignored; // without a bridge the function is unknown here, and SQLite decides
    if (br_bridge_take(catalog->database, &bridge, &ignored) != BR_OK) return false;
    br_oltp_function_kind kind = br_oltp_bridge_find(bridge, name, argument_count);
    br_bridge_give(catalog->database, bridge);
    *is_volatile_out = kind == BR_OLTP_FUNCTION_VOLATILE;
    return kind != BR_OLTP_FUNCTION_NONE;
}

static br_status catalog_find_collation(void *context, const char *name, br_collator **out,
                                        br_error *err)
{
    br_catalog_context *catalog = context;
    return br_plan_collation_find(catalog->statement, name, out, err);
}

// No sample is no failure: statistics must do.
static bool catalog_sample(void *context, const br_plan *scan, const br_expr *condition,
                           uint64_t *row_count_out, uint64_t *passed_count_out)
{
    br_catalog_context *catalog = context;
    br_error ignored;
    br_sample sample;
    const br_exec_env env = {.snapshot = catalog->snapshot,
                             .pool = catalog->database->pool,
                             .isa = catalog->database->isa,
                             .quota = &catalog->database->quota};
    if (br_exec_sample(scan, condition, &env, &sample, &ignored) != BR_OK) return false;
    *row_count_out = sample.row_count;
    *passed_count_out = sample.passed_count;
    return true;
}

br_sql_catalog br_catalog_make(br_catalog_context *context)
{
    return (br_sql_catalog){
        .find_table = catalog_find_table,
        .find_view = catalog_find_view,
        .find_history = catalog_find_history,
        .has_index = catalog_has_index,
        .is_elsewhere = catalog_is_elsewhere,
        .find_source = catalog_find_source,
        .find_function = catalog_find_function,
        .is_redefined = catalog_is_redefined,
        .find_collation = catalog_find_collation,
        .sample = catalog_sample,
        .context = context,
    };
}
