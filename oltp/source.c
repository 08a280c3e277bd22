// source.c - what can stand in FROM and is not mirrored: virtual tables, sqlite_schema, pragma
// functions. SQLite is asked for its columns, and reads its rows.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "oltp/handle.h"

// Rows of a virtual table that was created, and of one that is there without.
enum { GUESS_CREATED = 1000, GUESS_OTHERS = 10 };

typedef struct finder {
    br_oltp *oltp;
    br_arena *arena;
    const char *name;
    br_oltp_source *source;
} finder;

static br_status no_memory(const finder *self, br_error *err)
{
    return br_fail(err, BR_NOMEM, "no memory for the columns of '%s'", self->name);
}

static br_status prepare(const finder *self, const char *sql, sqlite3_stmt **statement_out,
                         br_error *err)
{
    sqlite3 *handle = self->oltp->handle;
    int code = sqlite3_prepare_v2(handle, sql, -1, statement_out, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(*statement_out, 1, self->name, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) return BR_OK;
    return br_oltp_fail(handle, self->oltp->path, code, BR_OLTP_RUNNING, err);
}

static br_status step(const finder *self, sqlite3_stmt *statement, bool *row_out, br_error *err)
{
    int code = sqlite3_step(statement);
    *row_out = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE) return BR_OK;
    return br_oltp_fail(self->oltp->handle, self->oltp->path, code, BR_OLTP_RUNNING, err);
}

// What pragma_table_list does not have, but has columns, is there without having been created.
static br_status read_kind(finder *self, sqlite3_stmt *kind, bool *is_strict_out, br_error *err)
{
    bool has_row = false;
    BR_TRY(step(self, kind, &has_row, err));
    const char *type = has_row ? (const char *)sqlite3_column_text(kind, 0) : "virtual";
    if (type == NULL) return no_memory(self, err);
    *is_strict_out = has_row && sqlite3_column_int(kind, 1) != 0;
    self->source->is_virtual = strcmp(type, "virtual") == 0;
    self->source->is_created = has_row;
    self->source->rows = has_row ? GUESS_CREATED : GUESS_OTHERS;
    return BR_OK;
}

static br_status read_column(finder *self, sqlite3_stmt *columns, bool is_strict, br_error *err)
{
    br_oltp_source *source = self->source;
    const char *name = (const char *)sqlite3_column_text(columns, 0);
    const char *type = (const char *)sqlite3_column_text(columns, 1);
    const char *collation = NULL;
    if (name == NULL || type == NULL) return no_memory(self, err);
    bool is_any = is_strict && sqlite3_stricmp(type, "ANY") == 0;
    int code = sqlite3_table_column_metadata(self->oltp->handle, "main", self->name, name, NULL,
                                             &collation, NULL, NULL, NULL);
    if (code != SQLITE_OK || collation == NULL) collation = "BINARY";
    bool is_hidden = sqlite3_column_int(columns, 2) == 1;
    source->columns[source->column_count++] = (br_oltp_source_column){
        .name = br_arena_copy_text(self->arena, name, strlen(name)),
        .collation = br_arena_copy_text(self->arena, collation, strlen(collation)),
        .affinity = is_any ? BR_OLTP_BLOB : br_oltp_affinity_of(type),
        .is_hidden = is_hidden,
    };
    source->hidden_count += is_hidden;
    const br_oltp_source_column *column = &source->columns[source->column_count - 1];
    bool is_copied = column->name != NULL && column->collation != NULL;
    return is_copied ? BR_OK : no_memory(self, err);
}

// Those that are seen come first: hidden ones are the arguments.
static br_status read_columns(finder *self, sqlite3_stmt *columns, bool is_strict, br_error *err)
{
    bool has_row = true;
    while (has_row) {
        BR_TRY(step(self, columns, &has_row, err));
        if (!has_row) break;
        if (self->source->columns == NULL) {
            size_t count = (size_t)sqlite3_column_int64(columns, 3);
            self->source->columns = BR_ALLOC(self->arena, br_oltp_source_column, count);
            if (self->source->columns == NULL) return no_memory(self, err);
        }
        BR_TRY(read_column(self, columns, is_strict, err));
    }
    return BR_OK;
}

// Which name means the rowid; none, when there is no rowid or columns have all of its names.
static void find_rowid(finder *self)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    br_oltp_source *source = self->source;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool is_free = true;
        for (uint32_t k = 0; k < source->column_count; k++)
            is_free = is_free && sqlite3_stricmp(source->columns[k].name, names[i]) != 0;
        char *sql = sqlite3_mprintf("SELECT %s FROM main.\"%w\"", names[i], self->name);
        sqlite3_stmt *statement = NULL;
        bool is_known = is_free && sql != NULL &&
                        sqlite3_prepare_v2(self->oltp->handle, sql, -1, &statement, NULL) ==
                            SQLITE_OK;
        sqlite3_finalize(statement);
        sqlite3_free(sql);
        if (!is_known) continue;
        source->rowid_name = names[i];
        return;
    }
}

// Tables that grow at their end tell by their largest rowid how many rows they have, about.
static br_status estimate_rows(finder *self, br_error *err)
{
    const br_oltp_source *source = self->source;
    if (source->is_virtual || source->rowid_name == NULL) return BR_OK;
    char *sql = sqlite3_mprintf("SELECT max(%s) FROM main.%s", source->rowid_name, source->name);
    if (sql == NULL) return no_memory(self, err);
    int64_t largest;
    br_status status = br_oltp_query_int(self->oltp, sql, 0, &largest, err);
    sqlite3_free(sql);
    if (status == BR_OK) self->source->rows = largest < 0 ? GUESS_CREATED : (double)largest;
    return status;
}

br_status br_oltp_source_find(br_oltp *oltp, const char *name, br_arena *arena,
                              br_oltp_source *source_out, br_error *err)
{
    br_oltp_source source = {0};
    finder self = {.oltp = oltp, .arena = arena, .name = name, .source = &source};
    sqlite3_stmt *kind = NULL, *columns = NULL;
    int64_t ignored;
    bool is_strict = false;
    // Running anything makes the connection look whether the schema has changed.
    BR_TRY(br_oltp_query_int(oltp, "SELECT 1 FROM sqlite_master", 0, &ignored, err));
    br_status status = prepare(&self,
                               "SELECT type, strict FROM pragma_table_list("
                               " iif(?1 = 'sqlite_schema' COLLATE NOCASE, 'sqlite_master', ?1)) "
                               "WHERE schema = 'main'",
                               &kind, err);
    if (status == BR_OK) status = read_kind(&self, kind, &is_strict, err);
    if (status == BR_OK)
        status = prepare(&self,
                         "SELECT name, type, hidden, count(*) OVER () "
                         "FROM pragma_table_xinfo(?1, 'main') ORDER BY hidden = 1, cid",
                         &columns, err);
    if (status == BR_OK) status = read_columns(&self, columns, is_strict, err);
    sqlite3_finalize(kind);
    sqlite3_finalize(columns);
    if (status != BR_OK) return status;
    find_rowid(&self);
    source.name = br_oltp_quote_name(arena, name);
    if (source.name == NULL) return no_memory(&self, err);
    BR_TRY(estimate_rows(&self, err));
    *source_out = source;
    return BR_OK;
}
