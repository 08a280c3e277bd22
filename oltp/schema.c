// schema.c - what SQLite knows of tables, indexes and views, as plain structs.
//
// SQLite's own pragmas are asked rather than CREATE texts parsed. A table of a module that is not
// loaded cannot be described; it is listed without columns.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "oltp/handle.h"
#include "oltp/history.h"

typedef struct reader {
    br_oltp *oltp;
    br_arena *arena;
    br_error *err;
    sqlite3_stmt *columns;
    sqlite3_stmt *indexes;
    sqlite3_stmt *index_columns;
} reader;

static br_status no_memory(reader *r)
{
    return br_fail(r->err, BR_NOMEM, "no memory for the schema of '%s'", r->oltp->path);
}

static br_status prepare(reader *r, const char *sql, sqlite3_stmt **statement_out)
{
    int code = sqlite3_prepare_v2(r->oltp->handle, sql, -1, statement_out, NULL);
    if (code == SQLITE_OK) return BR_OK;
    return br_oltp_fail(r->oltp->handle, r->oltp->path, code, BR_OLTP_RUNNING, r->err);
}

static br_status step(reader *r, sqlite3_stmt *statement, bool *row_out)
{
    int code = sqlite3_step(statement);
    *row_out = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE) return BR_OK;
    return br_oltp_fail(r->oltp->handle, r->oltp->path, code, BR_OLTP_RUNNING, r->err);
}

static br_status bind_name(reader *r, sqlite3_stmt *statement, const char *name)
{
    sqlite3_reset(statement);
    int code = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) return BR_OK;
    return br_oltp_fail(r->oltp->handle, r->oltp->path, code, BR_OLTP_RUNNING, r->err);
}

// A text column copied into the arena; NULL for NULL.
static br_status copy_column(reader *r, sqlite3_stmt *statement, int column, const char **text_out)
{
    *text_out = NULL;
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) return BR_OK;
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    char *copy = text == NULL ? NULL : br_arena_copy_text(r->arena, text, size);
    if (copy == NULL) return no_memory(r);
    *text_out = copy;
    return BR_OK;
}

static bool contains(const char *text, const char *word)
{
    for (size_t size = strlen(word); *text != 0; text++) {
        if (sqlite3_strnicmp(text, word, (int)size) == 0) return true;
    }
    return false;
}

// The rules of "Determination Of Column Affinity", in their order.
br_oltp_affinity br_oltp_affinity_of(const char *declared_type)
{
    if (contains(declared_type, "INT")) return BR_OLTP_INTEGER;
    if (contains(declared_type, "CHAR") || contains(declared_type, "CLOB") ||
        contains(declared_type, "TEXT"))
        return BR_OLTP_TEXT;
    if (declared_type[0] == 0 || contains(declared_type, "BLOB")) return BR_OLTP_BLOB;
    if (contains(declared_type, "REAL") || contains(declared_type, "FLOA") ||
        contains(declared_type, "DOUB"))
        return BR_OLTP_REAL;
    return BR_OLTP_NUMERIC;
}

static br_status read_collation(reader *r, const char *table, br_schema_column *column)
{
    const char *collation = NULL;
    int code = sqlite3_table_column_metadata(r->oltp->handle, "main", table, column->name, NULL,
                                             &collation, NULL, NULL, NULL);
    if (code == SQLITE_NOMEM) return no_memory(r);
    if (code != SQLITE_OK || collation == NULL) collation = "BINARY";
    column->collation = br_arena_copy_text(r->arena, collation, strlen(collation));
    return column->collation == NULL ? no_memory(r) : BR_OK;
}

// pragma_table_xinfo: name, type, notnull, dflt_value, pk, hidden.
static br_status read_column(reader *r, const char *table, bool is_strict, br_schema_column *column)
{
    sqlite3_stmt *statement = r->columns;
    BR_TRY(copy_column(r, statement, 0, &column->name));
    BR_TRY(copy_column(r, statement, 1, &column->declared_type));
    BR_TRY(copy_column(r, statement, 3, &column->default_value));
    if (column->declared_type == NULL) column->declared_type = "";
    column->affinity = br_oltp_affinity_of(column->declared_type);
    // ANY means NUMERIC by the rules above, but nothing at all in a STRICT table.
    if (is_strict && sqlite3_stricmp(column->declared_type, "ANY") == 0)
        column->affinity = BR_OLTP_BLOB;
    column->not_null = sqlite3_column_int(statement, 2) != 0;
    column->key_position = (uint32_t)sqlite3_column_int(statement, 4);
    column->is_generated = sqlite3_column_int(statement, 5) >= 2;
    return read_collation(r, table, column);
}

enum { COLUMNS_MAX = 32767 };  // SQLite's own upper bound

static br_status read_columns(reader *r, br_schema_table *table, uint32_t count_hint,
                              bool is_strict)
{
    if (count_hint > COLUMNS_MAX) count_hint = COLUMNS_MAX;
    table->columns = BR_ALLOC(r->arena, br_schema_column, count_hint);
    if (table->columns == NULL) return no_memory(r);
    BR_TRY(bind_name(r, r->columns, table->name));
    bool has_row = true;
    while (table->column_count < count_hint) {
        BR_TRY(step(r, r->columns, &has_row));
        if (!has_row) break;
        if (sqlite3_column_int(r->columns, 5) == 1) continue;  // hidden, of a virtual table
        br_schema_column *column = &table->columns[table->column_count];
        BR_TRY(read_column(r, table->name, is_strict, column));
        table->column_count++;
    }
    sqlite3_reset(r->columns);
    return BR_OK;
}

// pragma_index_xinfo: cid, coll, key; only key columns make a row unique.
static br_status read_index_columns(reader *r, br_schema_index *index)
{
    BR_TRY(bind_name(r, r->index_columns, index->name));
    int32_t *columns = NULL;
    const char **collations = NULL;
    uint32_t count = 0, capacity = 0;
    bool has_row = true;
    while (true) {
        BR_TRY(step(r, r->index_columns, &has_row));
        if (!has_row) break;
        if (count == capacity) {
            uint32_t wanted = capacity == 0 ? 4 : capacity * 2;
            int32_t *more = BR_ALLOC(r->arena, int32_t, wanted);
            const char **texts = BR_ALLOC(r->arena, const char *, wanted);
            if (more == NULL || texts == NULL) return no_memory(r);
            if (count > 0) memcpy(more, columns, count * sizeof *more);
            if (count > 0) memcpy(texts, collations, count * sizeof *texts);
            columns = more;
            collations = texts;
            capacity = wanted;
        }
        columns[count] = sqlite3_column_int(r->index_columns, 0);
        if (columns[count] == -2) index->has_expression = true;
        BR_TRY(copy_column(r, r->index_columns, 1, &collations[count]));
        count++;
    }
    sqlite3_reset(r->index_columns);
    index->columns = columns;
    index->collations = collations;
    index->column_count = count;
    return BR_OK;
}

// Skips one quoted piece or comment that begins at `text`, or one byte of anything else.
static const char *skip_token(const char *text)
{
    char end = text[0] == '[' ? ']' : text[0];
    if (text[0] == '\'' || text[0] == '"' || text[0] == '`' || text[0] == '[') {
        // A doubled quote reads as two pieces side by side, which comes to the same.
        const char *close = strchr(text + 1, end);
        return close == NULL ? text + strlen(text) : close + 1;
    }
    if (text[0] == '-' && text[1] == '-') {
        const char *close = strchr(text, '\n');
        return close == NULL ? text + strlen(text) : close + 1;
    }
    if (text[0] == '/' && text[1] == '*') {
        const char *close = strstr(text + 2, "*/");
        return close == NULL ? text + strlen(text) : close + 2;
    }
    return text + 1;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

// The text behind WHERE of a CREATE INDEX: the keyword outside of parentheses.
static const char *condition_of(const char *sql)
{
    int depth = 0;
    bool after_name = false;
    while (*sql != 0) {
        if (depth == 0 && !after_name && sqlite3_strnicmp(sql, "WHERE", 5) == 0 &&
            !is_name_byte(sql[5]))
            return sql + 5;
        depth += *sql == '(' ? 1 : *sql == ')' ? -1 : 0;
        after_name = is_name_byte(*sql);
        sql = skip_token(sql);
    }
    return NULL;
}

// pragma_index_list: name, unique, origin, partial, and the CREATE INDEX text.
static br_status read_indexes(reader *r, br_schema_table *table, bool *has_key_index_out)
{
    uint32_t capacity = 0;
    bool has_row = true;
    BR_TRY(bind_name(r, r->indexes, table->name));
    while (true) {
        BR_TRY(step(r, r->indexes, &has_row));
        if (!has_row) break;
        if (table->index_count == capacity) {
            capacity = capacity == 0 ? 4 : capacity * 2;
            br_schema_index *more = BR_ALLOC(r->arena, br_schema_index, capacity);
            if (more == NULL) return no_memory(r);
            if (table->index_count > 0)
                memcpy(more, table->indexes, table->index_count * sizeof *more);
            table->indexes = more;
        }
        br_schema_index *index = &table->indexes[table->index_count];
        const char *sql;
        BR_TRY(copy_column(r, r->indexes, 0, &index->name));
        BR_TRY(copy_column(r, r->indexes, 4, &sql));
        index->is_unique = sqlite3_column_int(r->indexes, 1) != 0;
        index->is_partial = sqlite3_column_int(r->indexes, 3) != 0;
        if (index->is_partial && sql != NULL) index->condition = condition_of(sql);
        const char *origin = (const char *)sqlite3_column_text(r->indexes, 2);
        if (origin != NULL && strcmp(origin, "pk") == 0) *has_key_index_out = true;
        BR_TRY(read_index_columns(r, index));
        table->index_count++;
    }
    sqlite3_reset(r->indexes);
    return BR_OK;
}

static int32_t find_column(const br_schema_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (sqlite3_stricmp(table->columns[i].name, name) == 0) return (int32_t)i;
    }
    return -1;
}

// Which column is the rowid, and by which name else it can be asked for. A PRIMARY KEY of type
// INTEGER is not the rowid when it has an index of its own (INTEGER PRIMARY KEY DESC).
static void find_rowid(br_schema_table *table, bool has_key_index)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    table->rowid_column = -1;
    if (!table->has_rowid) return;
    uint32_t key_columns = 0;
    int32_t key_column = -1;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].key_position == 0) continue;
        key_columns++;
        key_column = (int32_t)i;
    }
    if (key_columns == 1 && !has_key_index &&
        sqlite3_stricmp(table->columns[key_column].declared_type, "INTEGER") == 0)
        table->rowid_column = key_column;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (find_column(table, names[i]) >= 0) continue;
        table->rowid_name = names[i];
        return;
    }
}

// A virtual table whose module is missing, or refuses, keeps zero columns.
static br_status read_virtual(reader *r, br_schema_table *table, uint32_t count_hint)
{
    br_status status = read_columns(r, table, count_hint, false);
    if (status == BR_NOMEM || status == BR_INTERRUPTED || status == BR_BUSY) return status;
    sqlite3_reset(r->columns);
    return BR_OK;
}

// tables: name, sql, type, ncol, wr, strict.
static br_status read_table(reader *r, sqlite3_stmt *tables, br_schema_table *table)
{
    BR_TRY(copy_column(r, tables, 0, &table->name));
    BR_TRY(copy_column(r, tables, 1, &table->sql));
    const char *type = (const char *)sqlite3_column_text(tables, 2);
    if (type == NULL) return no_memory(r);
    table->is_virtual = strcmp(type, "virtual") == 0;
    table->is_shadow = strcmp(type, "shadow") == 0;
    table->is_changes = strncmp(table->name, BR_CHANGE_TABLE, strlen(BR_CHANGE_TABLE)) == 0;
    table->has_rowid = !table->is_virtual && sqlite3_column_int(tables, 4) == 0;
    table->rowid_column = -1;
    uint32_t column_count = (uint32_t)sqlite3_column_int(tables, 3);
    bool is_strict = sqlite3_column_int(tables, 5) != 0;
    if (table->is_virtual) return read_virtual(r, table, column_count);
    bool has_key_index = false;
    BR_TRY(read_columns(r, table, column_count, is_strict));
    BR_TRY(read_indexes(r, table, &has_key_index));
    find_rowid(table, has_key_index);
    return BR_OK;
}

// Change tables are mirrored as the user's tables are; br_schema_table.is_changes tells them.
#define USER_NAMES                                                                               \
    "substr(m.name, 1, 7) <> 'sqlite_' COLLATE NOCASE AND (substr(m.name, 1, 7) <> '_braid_' OR" \
    " m.name GLOB '" BR_CHANGE_TABLE "[0-9]*')"

static br_status read_tables(reader *r, br_schema *schema)
{
    sqlite3_stmt *tables = NULL;
    br_status status =
        prepare(r,
                "SELECT m.name, m.sql, l.type, l.ncol, l.wr, l.strict, count(*) OVER ()"
                " FROM main.sqlite_master m, pragma_table_list(m.name) l"
                " WHERE l.schema = 'main' AND m.type = 'table' AND " USER_NAMES " ORDER BY m.rowid",
                &tables);
    bool has_row = true;
    while (status == BR_OK) {
        status = step(r, tables, &has_row);
        if (status != BR_OK || !has_row) break;
        if (schema->tables == NULL) {
            schema->tables =
                BR_ALLOC(r->arena, br_schema_table, (size_t)sqlite3_column_int64(tables, 6));
            if (schema->tables == NULL) status = no_memory(r);
        }
        if (status == BR_OK) status = read_table(r, tables, &schema->tables[schema->table_count]);
        if (status == BR_OK) schema->table_count++;
    }
    sqlite3_finalize(tables);
    return status;
}

static br_status read_views(reader *r, br_schema *schema)
{
    sqlite3_stmt *views = NULL;
    br_status status = prepare(r,
                               "SELECT m.name, m.sql, count(*) OVER () FROM main.sqlite_master m"
                               " WHERE m.type = 'view' ORDER BY m.rowid",
                               &views);
    bool has_row = true;
    while (status == BR_OK) {
        status = step(r, views, &has_row);
        if (status != BR_OK || !has_row) break;
        if (schema->views == NULL) {
            schema->views =
                BR_ALLOC(r->arena, br_schema_view, (size_t)sqlite3_column_int64(views, 2));
            if (schema->views == NULL) status = no_memory(r);
        }
        br_schema_view *view = &schema->views[schema->view_count];
        if (status == BR_OK) status = copy_column(r, views, 0, &view->name);
        if (status == BR_OK) status = copy_column(r, views, 1, &view->sql);
        if (status == BR_OK) schema->view_count++;
    }
    sqlite3_finalize(views);
    return status;
}

static br_status read_all(reader *r, br_schema *schema)
{
    BR_TRY(prepare(r,
                   "SELECT name, type, \"notnull\", dflt_value, pk, hidden"
                   " FROM pragma_table_xinfo(?1, 'main')",
                   &r->columns));
    BR_TRY(prepare(r,
                   "SELECT name, \"unique\", origin, partial, CASE WHEN partial THEN (SELECT m.sql"
                   " FROM main.sqlite_master m WHERE m.type = 'index' AND m.name = i.name) END"
                   " FROM pragma_index_list(?1, 'main') i",
                   &r->indexes));
    BR_TRY(prepare(r,
                   "SELECT cid, coll FROM pragma_index_xinfo(?1, 'main') WHERE \"key\" = 1"
                   " ORDER BY seqno",
                   &r->index_columns));
    BR_TRY(br_oltp_query_int(r->oltp, "PRAGMA main.schema_version", 0, &schema->cookie, r->err));
    BR_TRY(read_tables(r, schema));
    BR_TRY(br_history_read(r->oltp, r->arena, schema, r->err));
    BR_TRY(br_registration_apply(r->oltp, schema, r->err));
    return read_views(r, schema);
}

br_status br_schema_read(br_oltp *oltp, br_arena *arena, br_schema *schema_out, br_error *err)
{
    reader r = {.oltp = oltp, .arena = arena, .err = err};
    br_schema schema = {0};
    // All of it from one commit point.
    bool is_alone = !br_oltp_in_transaction(oltp);
    if (is_alone) BR_TRY(br_oltp_exec(oltp, "BEGIN", err));
    br_status status = read_all(&r, &schema);
    sqlite3_finalize(r.columns);
    sqlite3_finalize(r.indexes);
    sqlite3_finalize(r.index_columns);
    if (is_alone) {
        br_status end = br_oltp_exec(oltp, "ROLLBACK", status == BR_OK ? err : NULL);
        if (status == BR_OK) status = end;
    }
    if (status == BR_OK) *schema_out = schema;
    return status;
}

const br_schema_table *br_schema_find(const br_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (sqlite3_stricmp(schema->tables[i].name, name) == 0) return &schema->tables[i];
    }
    return NULL;
}

const br_schema_view *br_schema_find_view(const br_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->view_count; i++) {
        if (sqlite3_stricmp(schema->views[i].name, name) == 0) return &schema->views[i];
    }
    return NULL;
}
