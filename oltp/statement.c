// statement.c - statements as values in and out.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "base/heap.h"
#include "oltp/handle.h"

br_status br_oltp_prepare(br_oltp *oltp, const char *sql, const char **tail_out,
                          br_oltp_statement **statement_out, br_error *err)
{
    br_oltp_statement *statement = br_heap_zalloc(sizeof *statement);
    if (statement == NULL) return br_fail(err, BR_NOMEM, "no memory for a statement");
    statement->oltp = oltp;
    const char *tail = sql;
    int code = sqlite3_prepare_v2(oltp->handle, sql, -1, &statement->handle, &tail);
    if (code != SQLITE_OK && oltp->own != NULL && br_own_suspend(oltp->own))
        code = sqlite3_prepare_v2(oltp->handle, sql, -1, &statement->handle, &tail);
    if (code != SQLITE_OK) {
        br_heap_free(statement);
        return br_oltp_fail(oltp->handle, oltp->path, code, BR_OLTP_PREPARING, err);
    }
    if (tail_out != NULL) *tail_out = tail;
    if (statement->handle == NULL) {
        br_heap_free(statement);
        statement = NULL;
    }
    if (statement != NULL && oltp->own != NULL)
        statement->own_kind = br_own_kind_of(statement->handle);
    *statement_out = statement;
    return BR_OK;
}

void br_oltp_finalize(br_oltp_statement *statement)
{
    if (statement == NULL) return;
    br_oltp_reset(statement);
    sqlite3_finalize(statement->handle);
    br_heap_free(statement);
}

void br_oltp_reset(br_oltp_statement *statement)
{
    br_own_changes *own = statement->oltp->own;
    bool is_abandoned = own != NULL && statement->own_kind == BR_OWN_CHANGE &&
                        sqlite3_stmt_busy(statement->handle) != 0;
    sqlite3_reset(statement->handle);
    if (is_abandoned) br_own_abandon(own, statement);
}

uint32_t br_oltp_parameter_count(const br_oltp_statement *statement)
{
    return (uint32_t)sqlite3_bind_parameter_count(statement->handle);
}

uint32_t br_oltp_parameter_index(const br_oltp_statement *statement, const char *name)
{
    return (uint32_t)sqlite3_bind_parameter_index(statement->handle, name);
}

const char *br_oltp_parameter_name(const br_oltp_statement *statement, uint32_t index)
{
    return sqlite3_bind_parameter_name(statement->handle, (int)index);
}

br_status br_oltp_bind(br_oltp_statement *statement, uint32_t index, const br_value *value,
                       br_error *err)
{
    sqlite3_stmt *handle = statement->handle;
    bool has_bytes = value->class_ == BR_TEXT || value->class_ == BR_BLOB;
    // SQLite takes an empty text without an address for NULL.
    br_text text = has_bytes && value->text.size > 0 ? value->text : br_text_make("", 0);
    int code = SQLITE_MISUSE;
    switch ((br_class)value->class_) {
    case BR_NULL: code = sqlite3_bind_null(handle, (int)index); break;
    case BR_INT: code = sqlite3_bind_int64(handle, (int)index, value->i64); break;
    case BR_REAL: code = sqlite3_bind_double(handle, (int)index, value->f64); break;
    case BR_TEXT:
        code = sqlite3_bind_text64(handle, (int)index, text.data, text.size, SQLITE_STATIC,
                                   SQLITE_UTF8);
        break;
    case BR_BLOB:
        code = sqlite3_bind_blob64(handle, (int)index, text.data, text.size, SQLITE_STATIC);
        break;
    case BR_ANY: break;
    }
    if (code == SQLITE_OK) return BR_OK;
    return br_oltp_fail(statement->oltp->handle, statement->oltp->path, code, BR_OLTP_RUNNING, err);
}

br_status br_oltp_step_plainly(br_oltp_statement *statement, bool *row_out, br_error *err)
{
    int code = sqlite3_step(statement->handle);
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        *row_out = code == SQLITE_ROW;
        return BR_OK;
    }
    br_status status =
        br_oltp_fail(statement->oltp->handle, statement->oltp->path, code, BR_OLTP_RUNNING, err);
    sqlite3_reset(statement->handle);
    return status;
}

br_status br_oltp_step(br_oltp_statement *statement, bool *row_out, br_error *err)
{
    br_own_changes *own = statement->oltp->own;
    if (own != NULL) return br_own_step(own, statement, row_out, err);
    return br_oltp_step_plainly(statement, row_out, err);
}

uint32_t br_oltp_column_count(const br_oltp_statement *statement)
{
    return (uint32_t)sqlite3_column_count(statement->handle);
}

const char *br_oltp_column_name(const br_oltp_statement *statement, uint32_t column)
{
    return sqlite3_column_name(statement->handle, (int)column);
}

// The bytes as they lie in the file; asking a UTF-8 file for text would only add a NUL to them.
static br_text value_bytes(sqlite3_value *value, bool is_text, bool is_utf8)
{
    const void *bytes =
        is_text && !is_utf8 ? (const void *)sqlite3_value_text(value) : sqlite3_value_blob(value);
    uint32_t size = (uint32_t)sqlite3_value_bytes(value);
    if (bytes == NULL) return br_text_make("", 0);
    return br_text_make(bytes, size);
}

// One look-up of the column instead of one per sqlite3_column_ function. SQLite calls such a value
// unprotected, which matters only when other threads use the connection: none does.
br_value br_oltp_column(br_oltp_statement *statement, uint32_t column)
{
    sqlite3_value *value = sqlite3_column_value(statement->handle, (int)column);
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: return br_value_int(sqlite3_value_int64(value));
    case SQLITE_FLOAT: return br_value_real(sqlite3_value_double(value));
    case SQLITE_TEXT: return br_value_text(value_bytes(value, true, statement->oltp->is_utf8));
    case SQLITE_BLOB: return br_value_blob(value_bytes(value, false, statement->oltp->is_utf8));
    default: return br_value_null();
    }
}

br_status br_oltp_fill(br_oltp_statement *statement, br_column *columns, uint32_t column_count,
                       uint32_t row_limit, uint32_t *row_count_out, br_error *err)
{
    br_assert(column_count <= br_oltp_column_count(statement));
    uint32_t row_count = 0;
    bool has_row = true;
    while (row_count < row_limit) {
        BR_TRY(br_oltp_step(statement, &has_row, err));
        if (!has_row) break;
        for (uint32_t i = 0; i < column_count; i++) {
            br_value value = br_oltp_column(statement, i);
            BR_TRY(br_column_append(&columns[i], &value, err));
        }
        row_count++;
    }
    *row_count_out = row_count;
    return BR_OK;
}

bool br_oltp_is_readonly(const br_oltp_statement *statement)
{
    return sqlite3_stmt_readonly(statement->handle) != 0;
}

bool br_oltp_is_explain(const br_oltp_statement *statement)
{
    return sqlite3_stmt_isexplain(statement->handle) != 0;
}

bool br_oltp_is_transaction_control(const br_oltp_statement *statement)
{
    br_own_kind kind = br_own_kind_of(statement->handle);
    return kind == BR_OWN_CONTROL || kind == BR_OWN_SAVEPOINT || kind == BR_OWN_ROLLBACK;
}
