// Implements include/braid.h: check arguments, forward, translate, nothing else.
// SPDX-License-Identifier: Apache-2.0
#include "include/braid.h"

#include <string.h>

#include "base/assert.h"
#include "base/fork_guard.h"
#include "base/heap.h"
#include "router/api.h"
#include "router/result.h"
#include "router/router.h"

#define BRAID_VERSION_TEXT "0.1.0"

// What went wrong is told per thread: threads share a handle, and none shall read another's
// message, or half of one.
typedef struct thread_error {
    uint64_t thread;
    br_error error;
    struct thread_error *next;
} thread_error;

struct braid {
    br_database *database;          // NULL: opening failed, the handle only tells why
    const br_fork_guard *guard;
    braid_progress_handler progress;
    void *progress_context;
    thread_error opener;            // of the thread that opened the handle
    _Atomic(thread_error *) others; // newest first, until close: released by who adds, acquired
};

struct braid_statement {
    braid *db;
    br_statement *statement;
};

// Internal codes map one to one to public ones, but RETYPE, which never gets here.
static braid_status status_of(br_status status)
{
    switch (status) {
    case BR_OK:
        return BRAID_OK;
    case BR_NOMEM:
        return BRAID_NOMEM;
    case BR_IO:
        return BRAID_IO;
    case BR_FULL:
        return BRAID_FULL;
    case BR_CORRUPT:
        return BRAID_CORRUPT;
    case BR_MISUSE:
        return BRAID_MISUSE;
    case BR_SQL:
        return BRAID_SQL;
    case BR_RUNTIME:
        return BRAID_RUNTIME;
    case BR_BUSY:
        return BRAID_BUSY;
    case BR_READONLY:
        return BRAID_READONLY;
    case BR_NOT_DATABASE:
        return BRAID_NOT_DATABASE;
    case BR_INTERRUPTED:
        return BRAID_INTERRUPTED;
    case BR_UNSUPPORTED:
        return BRAID_UNSUPPORTED;
    case BR_RETYPE:
    case BR_INTERNAL:
        return BRAID_INTERNAL;
    }
    return BRAID_INTERNAL;
}

const char *braid_version(void)
{
    return BRAID_VERSION_TEXT;
}

const char *braid_status_name(braid_status status)
{
    static const char *const names[] = {
        "ok",
        "out of memory",
        "input/output error",
        "disk full",
        "corrupt data",
        "misuse",
        "sql error",
        "runtime error",
        "busy",
        "read-only",
        "not a database",
        "interrupted",
        "not supported",
        "internal error",
    };
    return (size_t)status < sizeof names / sizeof *names ? names[status] : "unknown status";
}

static void error_clear(br_error *error)
{
    error->status = BR_OK;
    error->sql_offset = -1;
    error->message[0] = '\0';
}

// The calling thread's own.
static br_error *error_of(const braid *shared)
{
    braid *db = (braid *)(uintptr_t)shared; // its list is not what callers mean by const
    uint64_t self = br_thread_self();
    if (db->opener.thread == self) return &db->opener.error;
    thread_error *newest = atomic_load_explicit(&db->others, memory_order_acquire);
    for (thread_error *other = newest; other != NULL; other = other->next) {
        if (other->thread == self) return &other->error;
    }
    thread_error *mine = br_heap_zalloc(sizeof *mine);
    if (mine == NULL) return &db->opener.error; // rather mixed up than untold
    mine->thread = self;
    error_clear(&mine->error);
    do {
        mine->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&db->others, &newest, mine,
                                                    memory_order_release, memory_order_relaxed));
    return &mine->error;
}

const char *braid_error_message(const braid *db)
{
    return db == NULL ? "no database handle" : error_of(db)->message;
}

int braid_error_offset(const braid *db)
{
    return db == NULL ? -1 : error_of(db)->sql_offset;
}

// Every call on a handle begins here: forgets the last error, refuses a handle that did not open.
static br_status handle_begin(braid *db)
{
    br_error *error = error_of(db);
    if (db->database == NULL) return br_fail(error, BR_MISUSE, "the database did not open");
    if (!br_fork_guard_is_home(db->guard))
        return br_fail(error, BR_MISUSE, "the handle is of the process that has forked this one");
    error_clear(error);
    return BR_OK;
}

br_status br_api_begin(braid *db, br_error **err_out)
{
    *err_out = error_of(db);
    return handle_begin(db);
}

braid_status br_api_status(br_status status)
{
    return status_of(status);
}

braid *br_api_handle(const braid_statement *statement)
{
    return statement->db;
}

br_statement *br_api_statement(const braid_statement *statement)
{
    return statement->statement;
}

// ---- opening -----------------------------------------------------------------------------------

void braid_config_init(braid_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

static bool go_on(void *context, const br_cdc_work *work)
{
    const braid *db = context;
    braid_progress progress = {
        .what = work->what,
        .table = work->table,
        .rows_done = work->rows_done,
        .rows_total = work->rows_total,
        .is_done = work->is_done,
    };
    return db->progress(db->progress_context, &progress) == 0;
}

static br_database_config config_of(const char *path, const braid_config *config)
{
    return (br_database_config){
        .path = path,
        .create = config->create != 0,
        .read_only = config->read_only != 0,
        .threads = config->threads,
        .memory_bytes = config->memory_bytes,
        .busy_timeout_ms = config->busy_timeout_ms,
        .engine = (br_engine)config->engine,
        .freshness = config->freshness,
        .isa = config->isa,
        .io = config->io,
        .exclude = config->exclude,
        .sync_interval_ms = config->sync_interval_ms,
    };
}

braid_status braid_open(const char *path, const braid_config *given, braid **db_out)
{
    braid_config config;
    braid_config_init(&config);
    if (given != NULL) // an older caller's struct is shorter: the rest keeps its defaults
        memcpy(&config, given, given->size < sizeof config ? given->size : sizeof config);
    *db_out = NULL;
    braid *db = br_heap_zalloc(sizeof *db);
    if (db == NULL) return BRAID_NOMEM;
    db->opener.thread = br_thread_self();
    error_clear(&db->opener.error);
    *db_out = db;
    if (path == NULL) return status_of(br_fail(error_of(db), BR_MISUSE, "no path given"));
    br_database_config internal = config_of(path, &config);
    db->progress = config.progress;
    db->progress_context = config.progress_context;
    internal.go_on = config.progress == NULL ? NULL : go_on;
    internal.go_on_context = db;
    br_status status = br_fork_guard_new(&db->guard, error_of(db));
    if (status == BR_OK) status = br_database_open(&internal, &db->database, error_of(db));
    return status_of(status);
}

braid_status braid_close(braid *db)
{
    if (db == NULL) return BRAID_OK;
    // What a child would close belongs to its parent, which goes on using it.
    if (db->guard != NULL && !br_fork_guard_is_home(db->guard)) return BRAID_MISUSE;
    br_fork_guard_free(db->guard);
    br_status status = br_database_close(db->database, &db->opener.error);
    thread_error *other = atomic_load_explicit(&db->others, memory_order_acquire);
    while (other != NULL) {
        thread_error *next = other->next;
        br_heap_free(other);
        other = next;
    }
    br_heap_free(db);
    return status_of(status);
}

// ---- running SQL -------------------------------------------------------------------------------

braid_status braid_exec(braid *db, const char *sql)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_exec(db->database, sql, error_of(db));
    return status_of(status);
}

int64_t braid_changes(braid *db)
{
    return db->database == NULL ? 0 : br_database_changes(db->database);
}

int64_t braid_last_rowid(braid *db)
{
    return db->database == NULL ? 0 : br_database_last_rowid(db->database);
}

braid_status braid_query(braid *db, const char *sql, braid_result **result_out)
{
    *result_out = NULL;
    br_statement *statement = NULL;
    br_outcome *outcome = NULL;
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_statement_take(db->database, sql, &statement, error_of(db));
    if (status == BR_OK && statement == NULL)
        status = br_fail(error_of(db), BR_MISUSE, "no statement in the text");
    if (status == BR_OK) status = br_statement_run(statement, &outcome, error_of(db));
    br_statement_give(statement);
    if (status == BR_OK) status = br_result_wrap(outcome, result_out, error_of(db));
    return status_of(status);
}

braid_status braid_prepare(braid *db, const char *sql, braid_statement **statement_out,
                           const char **tail_out)
{
    *statement_out = NULL;
    br_statement *statement = NULL;
    br_status status = handle_begin(db);
    if (status == BR_OK)
        status = br_statement_new(db->database, sql, &statement, tail_out, error_of(db));
    if (status != BR_OK || statement == NULL) return status_of(status);
    braid_statement *wrapped = br_heap_zalloc(sizeof *wrapped);
    if (wrapped == NULL) {
        br_statement_free(statement);
        return status_of(br_fail(error_of(db), BR_NOMEM, "statement"));
    }
    *wrapped = (braid_statement){.db = db, .statement = statement};
    *statement_out = wrapped;
    return BRAID_OK;
}

void braid_statement_close(braid_statement *statement)
{
    if (statement == NULL) return;
    br_statement_free(statement->statement);
    br_heap_free(statement);
}

// ---- functions of the application --------------------------------------------------------------

typedef struct application_code {  // what the application gave: the context of the definition
    braid_function function;
    braid_collation collation;
    void *context;
    braid_destructor destroy;
} application_code;

static void application_destroy(void *context)
{
    application_code *code = context;
    if (code->destroy != NULL) code->destroy(code->context);
    br_heap_free(code);
}

static void application_call(br_oltp_call *call, uint32_t argument_count, const br_value *arguments)
{
    const application_code *code = br_oltp_call_context(call);
    // The layouts are the same: see result.c.
    code->function((braid_call *)call, argument_count, (const braid_value *)arguments);
}

static int application_compare(void *context, br_text left, br_text right)
{
    const application_code *code = context;
    return code->collation(code->context, (braid_text){.data = left.data, .size = left.size},
                           (braid_text){.data = right.data, .size = right.size});
}

void *braid_call_context(const braid_call *call)
{
    const application_code *code = br_oltp_call_context((const br_oltp_call *)call);
    return code->context;
}

void braid_call_return(braid_call *call, const braid_value *value)
{
    const br_value *copied = (const br_value *)value;
    br_oltp_call_return((br_oltp_call *)call, copied);
}

void braid_call_fail(braid_call *call, const char *message)
{
    br_oltp_call_fail((br_oltp_call *)call, message);
}

static br_status define(braid *db, br_oltp_definition *definition, const application_code *given)
{
    br_status status = handle_begin(db);
    application_code *code = br_heap_alloc(sizeof *code);
    if (status == BR_OK && code == NULL) status = br_fail(error_of(db), BR_NOMEM, "function");
    if (status == BR_OK && definition->name == NULL)
        status = br_fail(error_of(db), BR_MISUSE, "a function or collation without a name");
    if (status != BR_OK) {
        if (given->destroy != NULL) given->destroy(given->context);
        br_heap_free(code);
        return status;
    }
    *code = *given;
    definition->context = code;
    definition->destroy = application_destroy;
    return br_database_define(db->database, definition, error_of(db));
}

braid_status braid_create_function(braid *db, const char *name, int32_t argument_count,
                                   uint32_t flags, void *context, braid_function function,
                                   braid_destructor destroy)
{
    br_oltp_definition definition = {
        .name = name,
        .argument_count = argument_count,
        .is_deterministic = (flags & BRAID_FUNCTION_DETERMINISTIC) != 0,
        .is_thread_safe = (flags & BRAID_FUNCTION_THREAD_SAFE) != 0,
        .function = function == NULL ? NULL : application_call,
    };
    application_code code = {.function = function, .context = context, .destroy = destroy};
    return status_of(define(db, &definition, &code));
}

braid_status braid_create_collation(braid *db, const char *name, uint32_t flags, void *context,
                                    braid_collation compare, braid_destructor destroy)
{
    br_oltp_definition definition = {
        .name = name,
        .is_thread_safe = (flags & BRAID_FUNCTION_THREAD_SAFE) != 0,
        .collation = application_compare,
    };
    application_code code = {.collation = compare, .context = context, .destroy = destroy};
    return status_of(define(db, &definition, &code));
}

// ---- parameters --------------------------------------------------------------------------------

uint32_t braid_parameter_count(const braid_statement *statement)
{
    return br_statement_parameters(statement->statement);
}

const char *braid_parameter_name(const braid_statement *statement, uint32_t index)
{
    return br_statement_parameter_name(statement->statement, index);
}

uint32_t braid_parameter_index(const braid_statement *statement, const char *name)
{
    for (uint32_t index = 1; index <= braid_parameter_count(statement); index++) {
        const char *other = braid_parameter_name(statement, index);
        if (other != NULL && strcmp(other, name) == 0) return index;
    }
    return 0;
}

static braid_status bind_value(braid_statement *statement, uint32_t index, br_value value)
{
    braid *db = statement->db;
    return status_of(br_statement_bind(statement->statement, index, &value, error_of(db)));
}

braid_status braid_bind_null(braid_statement *statement, uint32_t index)
{
    return bind_value(statement, index, br_value_null());
}

braid_status braid_bind_int64(braid_statement *statement, uint32_t index, int64_t value)
{
    return bind_value(statement, index, br_value_int(value));
}

braid_status braid_bind_double(braid_statement *statement, uint32_t index, double value)
{
    // SQLite has no NaN: it stores NULL.
    return bind_value(statement, index, value != value ? br_value_null() : br_value_real(value));
}

static braid_status bind_bytes(braid_statement *statement, uint32_t index, const void *bytes,
                               size_t size_bytes, bool is_text)
{
    if (bytes == NULL) return bind_value(statement, index, br_value_null());
    if (size_bytes > INT32_MAX) {
        return status_of(br_fail(error_of(statement->db), BR_MISUSE,
                                 "parameter %u: %zu bytes, the most is %d", index, size_bytes,
                                 INT32_MAX));
    }
    br_text text = br_text_make(bytes, (uint32_t)size_bytes);
    return bind_value(statement, index, is_text ? br_value_text(text) : br_value_blob(text));
}

braid_status braid_bind_text(braid_statement *statement, uint32_t index, const char *text,
                             size_t size_bytes)
{
    return bind_bytes(statement, index, text, size_bytes, true);
}

braid_status braid_bind_blob(braid_statement *statement, uint32_t index, const void *blob,
                             size_t size_bytes)
{
    return bind_bytes(statement, index, blob, size_bytes, false);
}

void braid_statement_set_engine(braid_statement *statement, braid_engine engine)
{
    br_statement_set_engine(statement->statement, (br_engine)engine);
}

void braid_statement_set_freshness(braid_statement *statement, int64_t freshness)
{
    br_statement_set_freshness(statement->statement, freshness);
}

void braid_statement_set_timeout(braid_statement *statement, uint32_t timeout_ms)
{
    br_statement_set_timeout(statement->statement, timeout_ms);
}

braid_status braid_run(braid_statement *statement, braid_result **result_out)
{
    braid *db = statement->db;
    br_outcome *outcome = NULL;
    if (result_out != NULL) *result_out = NULL;
    br_status status = handle_begin(db);
    if (status == BR_OK)
        status = br_statement_run(statement->statement, result_out == NULL ? NULL : &outcome,
                                  error_of(db));
    if (status != BR_OK || result_out == NULL) return status_of(status);
    return status_of(br_result_wrap(outcome, result_out, error_of(db)));
}

br_database *br_database_of(braid *db)
{
    return db->database;
}

void braid_interrupt(braid *db)
{
    if (db->database != NULL) br_database_interrupt(db->database);
}

// ---- texts -------------------------------------------------------------------------------------

// Hands a buffer to the caller as a NUL-terminated text.
static br_status text_hand_out(br_buffer *buffer, br_status status, char **text_out, br_error *err)
{
    if (status == BR_OK && !br_buffer_append(buffer, "", 1))
        status = br_fail(err, BR_NOMEM, "text of %zu bytes", buffer->size_bytes);
    if (status != BR_OK) {
        br_buffer_release(buffer);
        return status;
    }
    *text_out = (char *)buffer->bytes;
    return BR_OK;
}

braid_status braid_explain(braid *db, const char *sql, char **text_out)
{
    return braid_explain_as(db, sql, BRAID_EXPLAIN_TEXT, 0, text_out);
}

braid_status braid_explain_as(braid *db, const char *sql, braid_explain_format format, int analyze,
                              char **text_out)
{
    *text_out = NULL;
    br_explain_request request = {.format = (br_explain_format)format, .analyze = analyze != 0};
    br_statement *statement = NULL;
    br_buffer buffer = {0};
    br_status status = handle_begin(db);
    if (status == BR_OK)
        status = br_statement_new(db->database, sql, &statement, NULL, error_of(db));
    if (status == BR_OK && statement == NULL)
        status = br_fail(error_of(db), BR_MISUSE, "no statement in the text");
    if (status == BR_OK && (unsigned)format > BRAID_EXPLAIN_HTML)
        status = br_fail(error_of(db), BR_MISUSE, "explain format %d", (int)format);
    if (status == BR_OK) status = br_statement_explain(statement, &request, &buffer, error_of(db));
    br_statement_free(statement);
    return status_of(text_hand_out(&buffer, status, text_out, error_of(db)));
}

braid_status braid_status_json(braid *db, char **json_out)
{
    *json_out = NULL;
    br_buffer buffer = {0};
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_status(db->database, &buffer, error_of(db));
    return status_of(text_hand_out(&buffer, status, json_out, error_of(db)));
}

void braid_free(void *memory)
{
    br_heap_free(memory);
}

// ---- the columnar copy -------------------------------------------------------------------------

braid_status braid_sync(braid *db)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_sync(db->database, error_of(db));
    return status_of(status);
}

braid_status braid_add_column(braid *db, const char *table, const char *column_definition)
{
    br_status status = handle_begin(db);
    if (status == BR_OK)
        status = br_database_add_column(db->database, table, column_definition, error_of(db));
    return status_of(status);
}

braid_status braid_drop_column(braid *db, const char *table, const char *column)
{
    br_status status = handle_begin(db);
    if (status == BR_OK)
        status = br_database_drop_column(db->database, table, column, error_of(db));
    return status_of(status);
}

braid_status braid_register_table(braid *db, const char *pattern,
                                  const braid_registration *registration)
{
    br_status status = handle_begin(db);
    br_registration given = {.pattern = pattern};
    if (registration != NULL && registration->size >= sizeof *registration) {
        given.is_excluded = registration->exclude != 0;
        given.columns = registration->columns;
    }
    if (status == BR_OK) status = br_database_register(db->database, &given, error_of(db));
    return status_of(status);
}

braid_status braid_unregister_table(braid *db, const char *pattern)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_unregister(db->database, pattern, error_of(db));
    return status_of(status);
}

braid_status braid_commit_seq(braid *db, uint64_t *seq_out)
{
    *seq_out = 0;
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_commit_seq(db->database, seq_out, error_of(db));
    return status_of(status);
}

braid_status braid_wait(braid *db, uint64_t seq, uint32_t timeout_ms)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_wait(db->database, seq, timeout_ms, error_of(db));
    return status_of(status);
}

braid_status braid_background_start(braid *db, uint32_t interval_ms)
{
    br_status status = handle_begin(db);
    if (status == BR_OK)
        status = br_database_background_start(db->database, interval_ms, error_of(db));
    return status_of(status);
}

braid_status braid_background_stop(braid *db)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) br_database_background_stop(db->database);
    return status_of(status);
}

braid_status braid_get_sync_info(braid *db, braid_sync_info *info)
{
    br_sync_info now;
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_sync_info(db->database, &now, error_of(db));
    if (status != BR_OK) return status_of(status);
    braid_sync_info full = {
        .size = info->size,
        .is_maintainer = now.copy.is_maintainer,
        .seq = now.copy.seq,
        .lag_changes = now.lag_changes,
        .lag_ms = now.lag_ms,
        .sync_count = now.copy.sync_count,
        .checkpoint_count = now.copy.checkpoint_count,
        .write_lock_count = now.copy.hold_count,
        .write_lock_long_count = now.copy.long_hold_count,
        .write_lock_ms_max = (double)now.copy.hold_ns_max / 1e6,
        .is_background = now.background.is_running,
        .interval_ms = now.background.interval_ms,
        .backoff_ms = now.background.backoff_ms,
        .failure_count = now.background.failure_count,
    };
    memcpy(full.error, now.background.message, sizeof full.error);
    memcpy(info, &full, info->size < sizeof full ? info->size : sizeof full);
    return BRAID_OK;
}

braid_status braid_checkpoint(braid *db)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_checkpoint(db->database, error_of(db));
    return status_of(status);
}

braid_status braid_compact(braid *db)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_compact(db->database, error_of(db));
    return status_of(status);
}

braid_status braid_check(braid *db, uint64_t *rows_out)
{
    uint64_t rows = 0;
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_check(db->database, &rows, error_of(db));
    if (rows_out != NULL) *rows_out = rows;
    return status_of(status);
}

braid_status braid_rebuild(braid *db)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_database_rebuild(db->database, error_of(db));
    return status_of(status);
}

braid_status braid_detach(const char *path, char *message_out, size_t message_size)
{
    br_error error = {.message = ""};
    br_status status = br_cdc_detach(path, 0, &error);
    if (message_out != NULL && message_size > 0) {
        size_t size = strnlen(error.message, message_size - 1);
        memcpy(message_out, error.message, size);
        message_out[size] = '\0';
    }
    return status_of(status);
}

// ---- temporal tables ---------------------------------------------------------------------------

braid_status braid_register_temporal(braid *db, const char *table,
                                     const braid_temporal_options *options)
{
    br_history_options history = {0};
    br_status status = handle_begin(db);
    if (status == BR_OK && options != NULL) {
        bool is_whole = options->size >= sizeof *options;
        if (!is_whole || options->keep_us < 0 || options->keep_versions < 0)
            status = br_fail(error_of(db), BR_MISUSE, "options of a temporal table");
        else
            history = (br_history_options){.keep_us = options->keep_us,
                                           .keep_versions = options->keep_versions};
    }
    if (status == BR_OK)
        status = br_database_begin_history(db->database, table, &history, error_of(db));
    return status_of(status);
}

braid_status braid_unregister_temporal(braid *db, const char *table, int keep_history)
{
    br_status status = handle_begin(db);
    if (status == BR_OK)
        status = br_database_end_history(db->database, table, keep_history != 0, error_of(db));
    return status_of(status);
}

braid_status braid_result_export_arrow(braid *db, braid_result *result,
                                       struct ArrowArrayStream *stream)
{
    br_status status = handle_begin(db);
    if (status == BR_OK) status = br_result_to_arrow(result, stream, error_of(db));
    return status_of(status);
}
