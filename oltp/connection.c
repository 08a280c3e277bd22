// connection.c - opening SQLite files, running text, and what SQLite's result codes mean here.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/thread.h"
#include "oltp/handle.h"

static br_status status_of_code(int code, br_oltp_moment moment)
{
    switch (code & 0xff) {
    case SQLITE_SCHEMA:  // what a wrong text gets when the schema has just changed
    case SQLITE_ERROR: return moment == BR_OLTP_PREPARING ? BR_SQL : BR_RUNTIME;
    case SQLITE_NOMEM: return BR_NOMEM;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_NOLFS: return BR_IO;
    case SQLITE_FULL: return BR_FULL;
    case SQLITE_CORRUPT: return BR_CORRUPT;
    case SQLITE_NOTADB: return BR_NOT_DATABASE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return BR_BUSY;
    case SQLITE_READONLY: return BR_READONLY;
    case SQLITE_INTERRUPT: return BR_INTERRUPTED;
    case SQLITE_MISUSE:
    case SQLITE_RANGE: return BR_MISUSE;
    default: return BR_RUNTIME;  // constraint, mismatch, too big, ...
    }
}

static int32_t text_offset(sqlite3 *handle)
{
#if SQLITE_VERSION_NUMBER >= 3038000
    return sqlite3_error_offset(handle);
#else
    (void)handle;
    return -1;
#endif
}

br_status br_oltp_fail(sqlite3 *handle, const char *path, int code, br_oltp_moment moment,
                       br_error *err)
{
    br_status status = status_of_code(code, moment);
    // A handle that could not be made, and codes that are not the handle's last, have no message.
    bool is_last = handle != NULL && (sqlite3_errcode(handle) & 0xff) == (code & 0xff);
    const char *message = is_last ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    if (status == BR_SQL) {
        int32_t offset = text_offset(handle);
        if (offset < 0) return br_fail(err, BR_SQL, "%s", message);
        return br_fail_at(err, BR_SQL, (uint32_t)offset, "%s", message);
    }
    if (status == BR_RUNTIME || status == BR_INTERRUPTED)
        return br_fail(err, status, "%s", message);
    return br_fail(err, status, "'%s': %s", path, message);
}

static br_status run_pragma(br_oltp *oltp, const char *sql, br_error *err)
{
    int code = sqlite3_exec(oltp->handle, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) return BR_OK;
    return br_oltp_fail(oltp->handle, oltp->path, code, BR_OLTP_RUNNING, err);
}

// The first read of the file: tells that it is a database, and in which encoding its texts are.
static br_status read_encoding(br_oltp *oltp, br_error *err)
{
    BR_TRY(run_pragma(oltp, "SELECT 1 FROM sqlite_master LIMIT 1", err));
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp, "PRAGMA encoding", NULL, &statement, err));
    bool has_row = false;
    br_status status = br_oltp_step(statement, &has_row, err);
    if (status == BR_OK && has_row) {
        const unsigned char *name = sqlite3_column_text(statement->handle, 0);
        oltp->is_utf8 = name != NULL && strcmp((const char *)name, "UTF-8") == 0;
    }
    br_oltp_finalize(statement);
    return status;
}

static br_status configure(br_oltp *oltp, const br_oltp_config *config, br_error *err)
{
    sqlite3_busy_timeout(oltp->handle, (int)(config->busy_timeout_ms & INT32_MAX));
    int code = br_oltp_add_functions(oltp->handle);
    if (code == SQLITE_OK) code = br_oltp_add_aggregates(oltp->handle);
    if (code == SQLITE_OK) code = br_oltp_add_date_functions(oltp->handle);
    if (code == SQLITE_OK) code = br_oltp_add_rows_table(oltp->handle);
    if (code == SQLITE_OK) code = br_oltp_add_series(oltp->handle);
    if (code == SQLITE_OK && oltp->functions != NULL && !config->is_writer)
        code = br_oltp_add_writer_counters(oltp);
    if (code != SQLITE_OK)
        return br_oltp_fail(oltp->handle, oltp->path, code, BR_OLTP_RUNNING, err);
    BR_TRY(br_oltp_refresh(oltp, err));
    BR_TRY(read_encoding(oltp, err));
    if (!config->journal_as_is && br_oltp_can_write(oltp)) {
        br_status status = run_pragma(oltp, "PRAGMA journal_mode=WAL", err);
        // Where no file can be made beside it, it stays in the mode it is in, and is only read.
        if (status != BR_OK && status != BR_READONLY) return status;
    }
    BR_TRY(run_pragma(oltp, "PRAGMA synchronous=NORMAL", err));
    return config->logs_own_changes ? br_own_changes_new(oltp, &oltp->own, err) : BR_OK;
}

br_status br_oltp_open(const br_oltp_config *config, br_oltp **oltp_out, br_error *err)
{
    br_assert(config->path != NULL);
    br_oltp *oltp = br_heap_zalloc(sizeof *oltp);
    if (oltp == NULL) return br_fail(err, BR_NOMEM, "no memory to open '%s'", config->path);
    oltp->path = br_heap_copy_text(config->path);
    if (oltp->path == NULL) {
        br_oltp_close(oltp);
        return br_fail(err, BR_NOMEM, "no memory to open '%s'", config->path);
    }
    oltp->functions = config->functions;
    // No mutex: one thread at a time uses a connection (interrupting needs none).
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= config->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (config->create && !config->read_only) flags |= SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(config->path, &oltp->handle, flags, NULL);
    br_status status = BR_OK;
    if (code != SQLITE_OK)
        status = br_oltp_fail(oltp->handle, config->path, code, BR_OLTP_RUNNING, err);
    if (status == BR_OK) status = configure(oltp, config, err);
    if (status != BR_OK) {
        br_oltp_close(oltp);
        return status;
    }
    *oltp_out = oltp;
    return BR_OK;
}

void br_oltp_close(br_oltp *oltp)
{
    if (oltp == NULL) return;
    sqlite3_finalize(oltp->data_version);
    br_own_changes_free(oltp->own);
    sqlite3_close_v2(oltp->handle);
    br_heap_free(oltp->path);
    br_heap_free(oltp);
}

const char *br_oltp_path(const br_oltp *oltp)
{
    return oltp->path;
}

void br_oltp_interrupt(br_oltp *oltp)
{
    sqlite3_interrupt(oltp->handle);
}

// How many steps of SQLite's virtual machine pass between two looks at the clock: about 0.1 ms.
enum { DEADLINE_STEPS = 10000 };

static int deadline_passed(void *context)
{
    const br_oltp *oltp = context;
    return br_clock_ns() > oltp->deadline_ns;
}

void br_oltp_set_deadline(br_oltp *oltp, uint64_t deadline_ns)
{
    oltp->deadline_ns = deadline_ns;
    sqlite3_progress_handler(oltp->handle, DEADLINE_STEPS,
                             deadline_ns == 0 ? NULL : deadline_passed, oltp);
}

struct sqlite3 *br_oltp_handle(br_oltp *oltp)
{
    return oltp->handle;
}

void br_oltp_set_busy_timeout(br_oltp *oltp, uint32_t timeout_ms)
{
    sqlite3_busy_timeout(oltp->handle, (int)(timeout_ms & INT32_MAX));
}

bool br_oltp_can_write(const br_oltp *oltp)
{
    return sqlite3_db_readonly(oltp->handle, "main") == 0;
}

bool br_oltp_in_transaction(const br_oltp *oltp)
{
    return sqlite3_get_autocommit(oltp->handle) == 0;
}

int64_t br_oltp_changes(const br_oltp *oltp)
{
    return oltp->own != NULL ? br_own_changes_count(oltp->own) : sqlite3_changes64(oltp->handle);
}

int64_t br_oltp_last_rowid(const br_oltp *oltp)
{
    return sqlite3_last_insert_rowid(oltp->handle);
}

const char *br_oltp_version(void)
{
    return sqlite3_libversion();
}

// Runs one statement to its end.
static br_status exec_statement(br_oltp_statement *statement, br_error *err)
{
    bool has_row = true;
    br_status status = BR_OK;
    while (status == BR_OK && has_row) status = br_oltp_step(statement, &has_row, err);
    return status;
}

br_status br_oltp_exec(br_oltp *oltp, const char *sql, br_error *err)
{
    const char *next = sql;
    while (*next != 0) {
        const char *tail = next;
        br_oltp_statement *statement;
        br_status status = br_oltp_prepare(oltp, next, &tail, &statement, err);
        if (status == BR_OK && statement != NULL) {
            status = exec_statement(statement, err);
            br_oltp_finalize(statement);
        }
        if (status != BR_OK) {
            // The offset counts from the start of the whole text.
            if (err != NULL && err->sql_offset >= 0) err->sql_offset += (int32_t)(next - sql);
            return status;
        }
        next = tail;
    }
    return BR_OK;
}

br_status br_oltp_exec_format(br_oltp *oltp, br_error *err, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *sql = size < 0 ? NULL : br_heap_alloc((size_t)size + 1);
    if (sql != NULL) vsnprintf(sql, (size_t)size + 1, format, again);
    va_end(again);
    if (sql == NULL) return br_fail(err, BR_NOMEM, "no memory for a SQL text");
    br_status status = br_oltp_exec(oltp, sql, err);
    br_heap_free(sql);
    return status;
}

br_status br_oltp_query_int(br_oltp *oltp, const char *sql, int64_t fallback, int64_t *value_out,
                            br_error *err)
{
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp, sql, NULL, &statement, err));
    if (statement == NULL) return br_fail(err, BR_MISUSE, "an empty text has no answer");
    bool has_row = false;
    br_status status = br_oltp_step(statement, &has_row, err);
    if (status == BR_OK) {
        bool is_null = !has_row || sqlite3_column_type(statement->handle, 0) == SQLITE_NULL;
        *value_out = is_null ? fallback : sqlite3_column_int64(statement->handle, 0);
    }
    br_oltp_finalize(statement);
    return status;
}

const char *br_oltp_quote_name(br_arena *arena, const char *name)
{
    size_t quotes = 0, size = strlen(name);
    for (size_t i = 0; i < size; i++) quotes += name[i] == '"';
    char *text = br_arena_alloc(arena, size + quotes + 3, 1);
    if (text == NULL) return NULL;
    char *end = text;
    *end++ = '"';
    for (size_t i = 0; i < size; i++) {
        if (name[i] == '"') *end++ = '"';
        *end++ = name[i];
    }
    *end++ = '"';
    *end = 0;
    return text;
}

br_status br_oltp_data_version(br_oltp *oltp, int64_t *version_out, br_error *err)
{
    int code = SQLITE_OK;
    if (oltp->data_version == NULL)
        code = sqlite3_prepare_v3(oltp->handle, "PRAGMA main.data_version", -1,
                                  SQLITE_PREPARE_PERSISTENT, &oltp->data_version, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(oltp->data_version);
    if (code == SQLITE_ROW) {
        *version_out = sqlite3_column_int64(oltp->data_version, 0);
        sqlite3_reset(oltp->data_version);
        return BR_OK;
    }
    br_status status = br_oltp_fail(oltp->handle, oltp->path, code, BR_OLTP_RUNNING, err);
    sqlite3_reset(oltp->data_version);
    return status;
}
