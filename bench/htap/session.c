// session.c - a connection, through the API of SQLite or of Braid.
// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "htap.h"

enum { BUSY_TIMEOUT_MS = 60000, STATEMENTS_MAX = 64, TEXT_COLUMNS = 4, TEXT_BYTES = 600 };

struct htap_statement {
    htap_session *session;
    sqlite3_stmt *sqlite;
    braid_statement *braid;
    braid_result *result;  // of the run, and its next row
    uint64_t row;
    char texts[TEXT_COLUMNS][TEXT_BYTES];  // of the row, ended by NUL
};

struct htap_session {
    sqlite3 *sqlite;
    braid *braid;
    htap_statement *statements[STATEMENTS_MAX];
    int statement_count;
};

htap_session *session_open(const char *path, bool through_braid)
{
    htap_session *self = calloc(1, sizeof *self);
    if (self == NULL) fail("no memory");
    if (through_braid) {
        braid_config config;
        braid_config_init(&config);
        config.threads = 1;
        config.busy_timeout_ms = BUSY_TIMEOUT_MS;
        if (braid_open(path, &config, &self->braid) != BRAID_OK)
            fail("%s: %s", path, braid_error_message(self->braid));
        return self;
    }
    int code = sqlite3_open_v2(path, &self->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                               NULL);
    if (code != SQLITE_OK) fail("%s: %s", path, sqlite3_errstr(code));
    sqlite3_busy_timeout(self->sqlite, BUSY_TIMEOUT_MS);
    session_run(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    return self;
}

void session_close(htap_session *session)
{
    for (int i = 0; i < session->statement_count; i++) {
        htap_statement *statement = session->statements[i];
        sqlite3_finalize(statement->sqlite);
        braid_result_free(statement->result);
        braid_statement_close(statement->braid);
        free(statement);
    }
    sqlite3_close(session->sqlite);
    braid_close(session->braid);
    free(session);
}

static void check_sqlite(htap_session *session, int code, const char *what)
{
    if (code != SQLITE_OK) fail("%s: %s", what, sqlite3_errmsg(session->sqlite));
}

static void check_braid(htap_session *session, braid_status status, const char *what)
{
    if (status != BRAID_OK) fail("%s: %s", what, braid_error_message(session->braid));
}

void session_run(htap_session *session, const char *sql)
{
    if (session->braid != NULL) check_braid(session, braid_exec(session->braid, sql), sql);
    else check_sqlite(session, sqlite3_exec(session->sqlite, sql, NULL, NULL, NULL), sql);
}

htap_statement *session_prepare(htap_session *session, const char *sql)
{
    htap_statement *self = calloc(1, sizeof *self);
    if (self == NULL || session->statement_count == STATEMENTS_MAX) fail("too many statements");
    session->statements[session->statement_count++] = self;
    self->session = session;
    if (session->braid != NULL)
        check_braid(session, braid_prepare(session->braid, sql, &self->braid, NULL), sql);
    else
        check_sqlite(session, sqlite3_prepare_v2(session->sqlite, sql, -1, &self->sqlite, NULL),
                     sql);
    return self;
}

void bind_int(htap_statement *statement, int index, int64_t value)
{
    if (statement->sqlite != NULL) sqlite3_bind_int64(statement->sqlite, index, value);
    else (void)braid_bind_int64(statement->braid, (uint32_t)index, value);
}

void bind_real(htap_statement *statement, int index, double value)
{
    if (statement->sqlite != NULL) sqlite3_bind_double(statement->sqlite, index, value);
    else (void)braid_bind_double(statement->braid, (uint32_t)index, value);
}

void bind_text(htap_statement *statement, int index, const char *text)
{
    if (statement->sqlite != NULL)
        sqlite3_bind_text(statement->sqlite, index, text, -1, SQLITE_TRANSIENT);
    else (void)braid_bind_text(statement->braid, (uint32_t)index, text, strlen(text));
}

static bool step_braid(htap_statement *self)
{
    if (self->result == NULL) {
        check_braid(self->session, braid_run(self->braid, &self->result), "statement");
        self->row = 0;
    } else {
        self->row++;
    }
    if (self->row < braid_row_count(self->result)) return true;
    braid_result_free(self->result);
    self->result = NULL;
    return false;
}

bool step(htap_statement *statement)
{
    if (statement->sqlite == NULL) return step_braid(statement);
    int code = sqlite3_step(statement->sqlite);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail("statement: %s", sqlite3_errmsg(statement->session->sqlite));
    sqlite3_reset(statement->sqlite);
    return false;
}

void finish(htap_statement *statement)
{
    if (statement->sqlite != NULL && sqlite3_stmt_busy(statement->sqlite) != 0) {
        sqlite3_reset(statement->sqlite);  // what wrote has no rows
    } else if (statement->result != NULL) {
        braid_result_free(statement->result);
        statement->result = NULL;
    } else {
        while (step(statement)) {
        }
    }
}

int64_t column_int(htap_statement *statement, int column)
{
    if (statement->sqlite != NULL) return sqlite3_column_int64(statement->sqlite, column);
    braid_value value = braid_value_get(statement->result, statement->row, (uint32_t)column);
    if (value.type == BRAID_REAL) return (int64_t)value.as.real;
    return value.type == BRAID_INTEGER ? value.as.integer : 0;
}

double column_real(htap_statement *statement, int column)
{
    if (statement->sqlite != NULL) return sqlite3_column_double(statement->sqlite, column);
    braid_value value = braid_value_get(statement->result, statement->row, (uint32_t)column);
    if (value.type == BRAID_INTEGER) return (double)value.as.integer;
    return value.type == BRAID_REAL ? value.as.real : 0;
}

const char *column_text(htap_statement *statement, int column)
{
    char *text = statement->texts[column % TEXT_COLUMNS];
    if (statement->sqlite != NULL) {
        const unsigned char *bytes = sqlite3_column_text(statement->sqlite, column);
        snprintf(text, TEXT_BYTES, "%s", bytes == NULL ? "" : (const char *)bytes);
        return text;
    }
    braid_value value = braid_value_get(statement->result, statement->row, (uint32_t)column);
    int size = value.type == BRAID_TEXT ? (int)value.as.text.size : 0;
    snprintf(text, TEXT_BYTES, "%.*s", size, size == 0 ? "" : value.as.text.data);
    return text;
}
