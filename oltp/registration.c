// registration.c - which tables and columns are to be mirrored: the table _braid_registration.
//
//     position     the order in which they were made; the last one that fits a table decides
//     pattern      of GLOB
//     excluded     1: left to SQLite
//     column_name  one row per column to be mirrored; NULL: all of them
//
// The table exists once something has been registered. Every change moves the schema cookie, so all
// processes look again. SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "oltp/handle.h"

#define FITS(pattern) "lower(m.name) GLOB lower(" pattern ")"

// ---- reading --------------------------------------------------------------------------------

static br_schema_column *find_column(const br_schema_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (sqlite3_stricmp(table->columns[i].name, name) == 0) return &table->columns[i];
    }
    return NULL;
}

static void leave_out_columns(br_schema_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        table->columns[i].is_left_out = (int32_t)i != table->rowid_column;
}

// name, excluded, column, is this the first row of the table?
static void apply_row(br_schema *schema, sqlite3_stmt *row)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    const char *column_name = (const char *)sqlite3_column_text(row, 2);
    br_schema_table *table = name == NULL ? NULL : (br_schema_table *)br_schema_find(schema, name);
    if (table == NULL || table->is_changes) return;
    table->is_left_out = sqlite3_column_int(row, 1) != 0;
    if (column_name == NULL) return;
    if (sqlite3_column_int(row, 3) != 0) leave_out_columns(table);
    br_schema_column *column = find_column(table, column_name);
    if (column != NULL) column->is_left_out = false;
}

static br_status apply_rows(br_oltp *oltp, br_schema *schema, br_error *err)
{
    br_oltp_statement *rows = NULL;
    BR_TRY(br_oltp_prepare(oltp,
                           "SELECT m.name, r.excluded, r.column_name,"
                           " row_number() OVER (PARTITION BY m.name ORDER BY r.rowid) = 1"
                           " FROM main.sqlite_master m, main._braid_registration r"
                           " WHERE m.type = 'table' AND r.position = (SELECT max(position)"
                           " FROM main._braid_registration s WHERE " FITS("s.pattern") ")"
                           " ORDER BY m.name, r.rowid",
                           NULL, &rows, err));
    bool has_row = true;
    br_status status = BR_OK;
    while (status == BR_OK) {
        status = br_oltp_step(rows, &has_row, err);
        if (status != BR_OK || !has_row) break;
        apply_row(schema, rows->handle);
    }
    br_oltp_finalize(rows);
    return status;
}

static br_status is_there(br_oltp *oltp, bool *is_there_out, br_error *err)
{
    int64_t count = 0;
    BR_TRY(br_oltp_query_int(oltp,
                             "SELECT count(*) FROM main.sqlite_master WHERE type = 'table'"
                             " AND name = '_braid_registration'",
                             0, &count, err));
    *is_there_out = count > 0;
    return BR_OK;
}

br_status br_registration_apply(br_oltp *oltp, br_schema *schema, br_error *err)
{
    bool is_made = false;
    BR_TRY(is_there(oltp, &is_made, err));
    return is_made ? apply_rows(oltp, schema, err) : BR_OK;
}

// ---- writing --------------------------------------------------------------------------------

static br_status run(br_oltp *oltp, const char *sql, const br_value *values, uint32_t count,
                     br_error *err)
{
    br_oltp_statement *statement = NULL;
    bool has_row;
    BR_TRY(br_oltp_prepare(oltp, sql, NULL, &statement, err));
    br_status status = BR_OK;
    for (uint32_t i = 0; i < count && status == BR_OK; i++)
        status = br_oltp_bind(statement, i + 1, &values[i], err);
    if (status == BR_OK) status = br_oltp_step(statement, &has_row, err);
    br_oltp_finalize(statement);
    return status;
}

static br_value text_of(const char *text)
{
    return br_value_text(br_text_make(text, (uint32_t)strlen(text)));
}

static br_status check_column(br_oltp *oltp, const char *pattern, const char *column, br_error *err)
{
    br_oltp_statement *statement = NULL;
    BR_TRY(br_oltp_prepare(oltp,
                           "SELECT 1 FROM main.sqlite_master m, pragma_table_xinfo(m.name) c"
                           " WHERE m.type = 'table' AND " FITS("?1")
                           " AND c.name = ?2 COLLATE NOCASE",
                           NULL, &statement, err));
    br_value values[] = {text_of(pattern), text_of(column)};
    bool has_row = false;
    br_status status = br_oltp_bind(statement, 1, &values[0], err);
    if (status == BR_OK) status = br_oltp_bind(statement, 2, &values[1], err);
    if (status == BR_OK) status = br_oltp_step(statement, &has_row, err);
    br_oltp_finalize(statement);
    if (status != BR_OK || has_row) return status;
    return br_fail(err, BR_MISUSE, "no table like '%s' has a column '%s'", pattern, column);
}

static br_status put_row(br_oltp *oltp, const br_registration *registration, int64_t position,
                         const char *column, br_error *err)
{
    br_value values[] = {br_value_int(position), text_of(registration->pattern),
                         br_value_int(registration->is_excluded),
                         column == NULL ? br_value_null() : text_of(column)};
    if (column != NULL) BR_TRY(check_column(oltp, registration->pattern, column, err));
    return run(oltp, "INSERT INTO main._braid_registration VALUES(?1, ?2, ?3, ?4)", values, 4, err);
}

static br_status delete_rows(br_oltp *oltp, const char *pattern, br_error *err)
{
    br_value value = text_of(pattern);
    return run(oltp, "DELETE FROM main._braid_registration WHERE pattern = ?1", &value, 1, err);
}

static br_status put_rows(br_oltp *oltp, const br_registration *registration, br_error *err)
{
    BR_TRY(br_oltp_exec(oltp,
                        "CREATE TABLE IF NOT EXISTS main._braid_registration(position INTEGER,"
                        " pattern TEXT, excluded INTEGER, column_name TEXT)",
                        err));
    BR_TRY(delete_rows(oltp, registration->pattern, err));
    int64_t position;
    BR_TRY(br_oltp_query_int(oltp, "SELECT max(position) + 1 FROM main._braid_registration", 1,
                             &position, err));
    const char *const *column = registration->columns;
    if (registration->is_excluded || column == NULL)
        return put_row(oltp, registration, position, NULL, err);
    for (; *column != NULL; column++) BR_TRY(put_row(oltp, registration, position, *column, err));
    return BR_OK;
}

static br_status remove_rows(br_oltp *oltp, const char *pattern, br_error *err)
{
    bool is_made = false;
    BR_TRY(is_there(oltp, &is_made, err));
    if (is_made) BR_TRY(delete_rows(oltp, pattern, err));
    if (is_made && br_oltp_changes(oltp) > 0) return BR_OK;
    return br_fail(err, BR_MISUSE, "nothing is registered for '%s'", pattern);
}

// As if the schema had been changed: which tables there are has, for us.
static br_status move_cookie(br_oltp *oltp, br_error *err)
{
    int64_t cookie = 0;
    BR_TRY(br_oltp_query_int(oltp, "PRAGMA main.schema_version", 0, &cookie, err));
    return br_oltp_exec_format(oltp, err, "PRAGMA main.schema_version = %u", (uint32_t)cookie + 1);
}

br_status br_registration_put(br_oltp *oltp, const br_registration *registration, br_error *err)
{
    BR_TRY(put_rows(oltp, registration, err));
    return move_cookie(oltp, err);
}

br_status br_registration_remove(br_oltp *oltp, const char *pattern, br_error *err)
{
    BR_TRY(remove_rows(oltp, pattern, err));
    return move_cookie(oltp, err);
}

br_status br_registration_remove_all(br_oltp *oltp, br_error *err)
{
    return br_oltp_exec(oltp, "DROP TABLE IF EXISTS main._braid_registration", err);
}
