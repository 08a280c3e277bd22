// rows.c - batches as a table that statements can read: FROM _braid_rows(?), with the batches bound
// to the parameter. Its columns are c0, c1, ... without affinity, so that values come as they are.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "oltp/handle.h"

static const char pointer_type[] = "braid_batches";

typedef struct rows_cursor {
    sqlite3_vtab_cursor base;
    br_batch_source *source;  // NULL: no rows
    br_batch batch;
    uint32_t row;  // of the batch
    sqlite3_int64 rowid;
} rows_cursor;

static int table_connect(sqlite3 *handle, void *context, int argument_count,
                         const char *const *arguments, sqlite3_vtab **table_out, char **message_out)
{
    (void)context, (void)argument_count, (void)arguments, (void)message_out;
    br_buffer sql = {0};
    bool is_built = br_buffer_format(&sql, "CREATE TABLE x(");
    for (uint32_t i = 0; is_built && i < BR_OLTP_ROWS_COLUMNS_MAX; i++)
        is_built = br_buffer_format(&sql, "c%u,", i);
    is_built = is_built && br_buffer_format(&sql, "source HIDDEN)") &&
               br_buffer_append(&sql, "", 1);
    int code = is_built ? sqlite3_declare_vtab(handle, (const char *)sql.bytes) : SQLITE_NOMEM;
    br_buffer_release(&sql);
    if (code != SQLITE_OK) return code;
    *table_out = br_heap_zalloc(sizeof **table_out);
    return *table_out == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *table)
{
    br_heap_free(table);
    return SQLITE_OK;
}

// The only plan: the batches are given as argument.
static int table_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != BR_OLTP_ROWS_COLUMNS_MAX ||
            info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ || !info->aConstraint[i].usable)
            continue;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        return SQLITE_OK;
    }
    return SQLITE_CONSTRAINT;
}

static int cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor_out)
{
    (void)table;
    rows_cursor *cursor = br_heap_zalloc(sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    *cursor_out = &cursor->base;
    return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *cursor)
{
    br_heap_free(cursor);
    return SQLITE_OK;
}

static int cursor_fill(rows_cursor *cursor)
{
    br_error err;
    cursor->row = 0;
    br_status status = cursor->source->next(cursor->source, &cursor->batch, &err);
    if (status == BR_OK) return SQLITE_OK;
    sqlite3_free(cursor->base.pVtab->zErrMsg);
    cursor->base.pVtab->zErrMsg = sqlite3_mprintf("%s", err.message);
    return status == BR_NOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text,
                         int argument_count, sqlite3_value **arguments)
{
    (void)plan, (void)plan_text;
    rows_cursor *cursor = (rows_cursor *)base;
    cursor->batch.row_count = cursor->row = 0;
    cursor->source =
        argument_count > 0 ? sqlite3_value_pointer(arguments[0], pointer_type) : NULL;
    return cursor->source == NULL ? SQLITE_OK : cursor_fill(cursor);
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
    rows_cursor *cursor = (rows_cursor *)base;
    cursor->rowid++;
    if (++cursor->row < cursor->batch.row_count) return SQLITE_OK;
    return cursor_fill(cursor);
}

static int cursor_is_at_end(sqlite3_vtab_cursor *base)
{
    const rows_cursor *cursor = (const rows_cursor *)base;
    return cursor->row >= cursor->batch.row_count;
}

static void result_set(sqlite3_context *context, const br_value *value)
{
    switch ((br_class)value->class_) {
    case BR_INT: sqlite3_result_int64(context, value->i64); break;
    case BR_REAL: sqlite3_result_double(context, value->f64); break;
    case BR_TEXT:
        sqlite3_result_text64(context, value->text.data, value->text.size, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
        break;
    case BR_BLOB:
        sqlite3_result_blob64(context, value->text.data, value->text.size, SQLITE_TRANSIENT);
        break;
    case BR_NULL:
    case BR_ANY: sqlite3_result_null(context); break;
    }
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const rows_cursor *cursor = (const rows_cursor *)base;
    if ((uint32_t)column >= cursor->batch.column_count) return SQLITE_OK;  // NULL
    br_value value = br_vector_value(&cursor->batch.columns[column], cursor->row, NULL);
    result_set(context, &value);
    return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid_out)
{
    *rowid_out = ((const rows_cursor *)base)->rowid;
    return SQLITE_OK;
}

int br_oltp_add_rows_table(sqlite3 *handle)
{
    static const sqlite3_module module = {
        .xConnect = table_connect,  // and no xCreate: it is there without being created
        .xBestIndex = table_best_index,
        .xDisconnect = table_disconnect,
        .xOpen = cursor_open,
        .xClose = cursor_close,
        .xFilter = cursor_filter,
        .xNext = cursor_next,
        .xEof = cursor_is_at_end,
        .xColumn = cursor_column,
        .xRowid = cursor_rowid,
    };
    return sqlite3_create_module_v2(handle, "_braid_rows", &module, NULL, NULL);
}

br_status br_oltp_bind_batches(br_oltp_statement *statement, uint32_t index,
                               br_batch_source *source, br_error *err)
{
    int code = sqlite3_bind_pointer(statement->handle, (int)index, source, pointer_type, NULL);
    if (code == SQLITE_OK) return BR_OK;
    return br_oltp_fail(statement->oltp->handle, statement->oltp->path, code, BR_OLTP_RUNNING, err);
}
