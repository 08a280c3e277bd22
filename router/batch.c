// batch.c - several writes as one: all or nothing.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "router/database.h"

// ---- scopes ------------------------------------------------------------------------------------

br_status br_write_scope_begin(br_database *database, br_write_scope *scope_out, br_error *err)
{
    br_lock_take(&database->writer_lock);
    br_oltp *writer = database->writer;
    bool is_nested = br_oltp_in_transaction(writer);
    br_status status =
        br_oltp_exec(writer, is_nested ? "SAVEPOINT _braid_batch" : "BEGIN IMMEDIATE", err);
    if (status != BR_OK) {
        br_lock_give(&database->writer_lock);
        return status;
    }
    *scope_out = (br_write_scope){
        .database = database,
        .is_nested = is_nested,
        .slot = br_running_begin(database, writer),
    };
    return BR_OK;
}

br_status br_write_scope_end(br_write_scope *scope, br_status status, br_error *err)
{
    static const char *const keep[] = {"COMMIT", "RELEASE _braid_batch"};
    static const char *const undo[] = {"ROLLBACK",
                                       "ROLLBACK TO _braid_batch; RELEASE _braid_batch"};
    br_database *database = scope->database;
    br_oltp *writer = database->writer;
    br_running_end(database, scope->slot);
    if (status == BR_OK) status = br_oltp_exec(writer, keep[scope->is_nested], err);
    // What failed may have ended the transaction itself.
    if (status != BR_OK && br_oltp_in_transaction(writer)) {
        br_status ignored = br_oltp_exec(writer, undo[scope->is_nested], NULL);
        (void)ignored;  // there is nothing else to do
    }
    br_writer_note_transaction(database);
    br_lock_give(&database->writer_lock);
    return status;
}

void br_error_blame(br_error *err, const char *what, uint64_t index)
{
    if (err == NULL) return;
    br_error cause = *err;
    br_status status = br_fail(err, cause.status, "%s %" PRIu64 ": %s", what, index, cause.message);
    (void)status;
    err->sql_offset = cause.sql_offset;
}

static br_status check_interrupt(const br_database *database, br_error *err)
{
    if (!atomic_load_explicit(&database->cancelled, memory_order_relaxed)) return BR_OK;
    return br_fail(err, BR_INTERRUPTED, "interrupted");
}

// ---- statements --------------------------------------------------------------------------------

static br_status step_to_end(br_oltp_statement *prepared, br_error *err)
{
    bool has_row = true;
    while (has_row) BR_TRY(br_oltp_step(prepared, &has_row, err));
    return BR_OK;
}

static br_status run_prepared(br_oltp_statement *prepared, br_error *err)
{
    if (br_oltp_is_transaction_control(prepared))
        return br_fail(err, BR_MISUSE, "a batch is one transaction and cannot hold another");
    return step_to_end(prepared, err);
}

// Runs every statement of the text.
static br_status run_text(br_database *database, const char *sql, br_error *err)
{
    const char *next = sql;
    while (*next != '\0') {
        const char *tail = next;
        br_oltp_statement *prepared = NULL;
        BR_TRY(check_interrupt(database, err));
        br_status status = br_oltp_prepare(database->writer, next, &tail, &prepared, err);
        if (status == BR_OK && prepared != NULL) status = run_prepared(prepared, err);
        br_oltp_finalize(prepared);
        if (status != BR_OK) {
            if (err != NULL && err->sql_offset >= 0) err->sql_offset += (int32_t)(next - sql);
            return status;
        }
        next = tail;
    }
    return BR_OK;
}

br_status br_database_exec_batch(br_database *database, const char *const *statements,
                                 size_t count, size_t *failed_out, br_error *err)
{
    br_write_scope scope;
    br_status status = BR_OK;
    size_t at = 0;
    *failed_out = 0;
    BR_TRY(br_write_scope_begin(database, &scope, err));
    while (at < count && status == BR_OK) {
        status = run_text(database, statements[at], err);
        if (br_text_may_bind_session(statements[at]))
            br_writer_note_session(database, statements[at]);
        if (status == BR_OK) at++;
    }
    *failed_out = at;
    if (status != BR_OK) br_error_blame(err, "statement", at);
    return br_write_scope_end(&scope, status, err);
}

// ---- rows --------------------------------------------------------------------------------------

static br_status run_row(br_oltp_statement *prepared, const br_rows *rows, uint32_t row,
                         br_error *err)
{
    for (uint32_t i = 0; i < rows->column_count; i++) {
        br_value value = br_vector_value(&rows->columns[i], row, NULL);
        BR_TRY(br_oltp_bind(prepared, i + 1, &value, err));
    }
    br_status status = step_to_end(prepared, err);
    br_oltp_reset(prepared);
    return status;
}

static br_status check_batch(const br_statement *statement, const br_rows *rows, br_error *err)
{
    if (statement->prepared == NULL || br_oltp_is_readonly(statement->prepared) ||
        br_oltp_is_transaction_control(statement->prepared))
        return br_fail(err, BR_MISUSE, "only a statement that writes can run in a batch");
    if (statement->ast.parameter_count != rows->column_count)
        return br_fail(err, BR_MISUSE, "%u columns for %u parameters", rows->column_count,
                       statement->ast.parameter_count);
    return BR_OK;
}

br_status br_statement_run_batch(br_statement *statement, const br_rows *rows, size_t *failed_out,
                                 br_error *err)
{
    br_database *database = statement->database;
    br_write_scope scope;
    br_status status = BR_OK;
    uint32_t row = 0;
    *failed_out = 0;
    BR_TRY(check_batch(statement, rows, err));
    BR_TRY(br_write_scope_begin(database, &scope, err));
    while (row < rows->row_count && status == BR_OK) {
        status = check_interrupt(database, err);
        if (status == BR_OK) status = run_row(statement->prepared, rows, row, err);
        if (status == BR_OK) row++;
    }
    *failed_out = row;
    if (status != BR_OK) br_error_blame(err, "row", row);
    if (statement->may_bind_session) br_writer_note_session(database, statement->sql);
    return br_write_scope_end(&scope, status, err);
}
