// own_changes.c - noting changed keys, logging them, and when that may stand for the triggers.
// SPDX-License-Identifier: Apache-2.0
#define SQLITE_ENABLE_PREUPDATE_HOOK 1 // declares it; this library may have been built without
#include "oltp/own_changes.h"

#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/key_ranges.h"
#include "oltp/capture.h"
#include "oltp/handle.h"

#pragma weak sqlite3_preupdate_hook

enum {
    // More ranges than this of one table in one transaction: "all of it has changed" is logged.
    RANGES_MAX = 1 << 21,
    RECORD_BYTES_MAX = 1 << 16, // of a record's packed ranges
    // How often a statement is run again because the schema was another than the one looked at.
    TRIES_MAX = 10,
    // While triggers are on, how many changes outside of transactions pass between two looks.
    LOOK_CHANGES = 64,
};

typedef enum own_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_COOKIE,
    SQL_HI,
    SQL_LOG,
    SQL_FLAG,
    SQL_COUNT
} own_sql;

static const char *const own_texts[SQL_COUNT] = {
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "PRAGMA main.schema_version",
    "SELECT hi FROM main._braid_table WHERE table_id = ?1",
    "INSERT INTO main._braid_log(table_id, key) VALUES(?1, ?2)",
    "UPDATE main._braid_table SET hi = 1 WHERE table_id = ?1 AND hi = 0",
};

typedef struct own_table {
    char *name;
    uint32_t table_id;
    br_capture_kind kind;
    br_key_ranges ranges;
    bool is_changed;
    bool is_whole; // the ranges do not tell all
} own_table;

struct br_own_changes {
    br_oltp *oltp;
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL_COUNT];
    own_table *tables; // captured, under the schema of `cookie`
    size_t table_count, table_capacity;
    int64_t cookie;
    bool is_active;   // triggers are off
    bool must_look;   // something ran that may have changed what is_active depends on
    bool is_verified; // the transaction sees the schema of `cookie`
    bool is_pending;  // some table is_changed
    bool is_stepping; // a statement that changes rows runs
    bool is_noting;   // and its changes are to be noted
    bool has_savepoint;
    bool has_other; // the transaction ran what may have changed the schema
    uint32_t changes_since_look;
    const char *hot_name; // SQLite's text of the table that the last change was of
    own_table *hot;       // NULL: not captured
    int64_t changes;
    int64_t logged; // rows that we changed ourselves, or changed and took back
};

// ---- small statements -----------------------------------------------------------------------

static int own_prepare(br_own_changes *own, own_sql which, sqlite3_stmt **statement_out)
{
    sqlite3_stmt **slot = &own->statements[which];
    int code = SQLITE_OK;
    if (*slot == NULL)
        code = sqlite3_prepare_v3(own->handle, own_texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                  slot, NULL);
    *statement_out = *slot;
    return code;
}

// Runs a statement; *value_out (may be NULL) is what it returns, if it does.
static int own_run(br_own_changes *own, own_sql which, int64_t *value_out)
{
    sqlite3_stmt *statement;
    int code = own_prepare(own, which, &statement);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW && value_out != NULL) *value_out = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int own_run_for(br_own_changes *own, own_sql which, uint32_t table_id, int64_t *value_out)
{
    sqlite3_stmt *statement;
    int code = own_prepare(own, which, &statement);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(statement, 1, table_id);
    return code == SQLITE_OK ? own_run(own, which, value_out) : code;
}

static br_status fail(br_own_changes *own, int code, br_error *err)
{
    if (code == SQLITE_OK) return BR_OK;
    return br_oltp_fail(own->handle, br_oltp_path(own->oltp), code, BR_OLTP_RUNNING, err);
}

static bool in_transaction(const br_own_changes *own)
{
    return sqlite3_get_autocommit(own->handle) == 0;
}

// ---- noting ---------------------------------------------------------------------------------

static own_table *find_table(br_own_changes *own, const char *name)
{
    for (size_t i = 0; i < own->table_count; i++) {
        if (strcasecmp(own->tables[i].name, name) == 0) return &own->tables[i];
    }
    return NULL;
}

static void note_key(own_table *table, int64_t key)
{
    if (table->is_whole) return;
    if (table->ranges.count < RANGES_MAX && br_key_ranges_add(&table->ranges, key)) return;
    table->is_whole = true;
    br_key_ranges_release(&table->ranges);
}

static void note_change(void *context, sqlite3 *handle, int operation, const char *database,
                        const char *name, sqlite3_int64 before, sqlite3_int64 after)
{
    br_own_changes *own = context;
    (void)handle;
    if (!own->is_noting) return;
    if (name != own->hot_name) {
        own->hot_name = name;
        own->hot = strcmp(database, "main") == 0 ? find_table(own, name) : NULL;
    }
    own_table *table = own->hot;
    if (table == NULL) return;
    own->is_pending = table->is_changed = true;
    if (table->kind != BR_CAPTURE_KEYS) return;
    if (operation != SQLITE_INSERT) note_key(table, before);
    if (operation == SQLITE_INSERT || (operation == SQLITE_UPDATE && before != after))
        note_key(table, after);
}

static void forget_noted(br_own_changes *own)
{
    for (size_t i = 0; own->is_pending && i < own->table_count; i++) {
        own_table *table = &own->tables[i];
        table->ranges.count = 0;
        table->is_changed = table->is_whole = false;
    }
    own->is_pending = false;
}

// The schema looked at may be taken back with what changed it, and its number be another one's.
static void note_rollback(void *context)
{
    br_own_changes *own = context;
    forget_noted(own);
    own->must_look = own->must_look || own->has_other;
}

// ---- logging --------------------------------------------------------------------------------

static int log_record(br_own_changes *own, uint32_t table_id, const br_value *key)
{
    sqlite3_stmt *statement;
    int code = own_prepare(own, SQL_LOG, &statement);
    if (code != SQLITE_OK) return code;
    switch ((br_class)key->class_) {
    case BR_INT:
        code = sqlite3_bind_int64(statement, 2, key->i64);
        break;
    case BR_BLOB:
        code = sqlite3_bind_blob64(statement, 2, key->text.data, key->text.size, SQLITE_STATIC);
        break;
    default:
        code = sqlite3_bind_null(statement, 2);
        break;
    }
    if (code == SQLITE_OK) code = own_run_for(own, SQL_LOG, table_id, NULL);
    if (code == SQLITE_OK) own->logged++;
    return code;
}

// A single key is logged as the triggers do it.
static int log_ranges(br_own_changes *own, own_table *table, int64_t hi)
{
    br_key_ranges *ranges = &table->ranges;
    br_key_ranges_normalise(ranges, hi);
    if (ranges->count == 1 && ranges->items[0].first == ranges->items[0].last) {
        br_value key = br_value_int(ranges->items[0].first);
        return log_record(own, table->table_id, &key);
    }
    br_buffer packed = {0};
    int code = SQLITE_OK;
    for (size_t at = 0; code == SQLITE_OK && at < ranges->count;) {
        br_buffer_clear(&packed);
        bool is_packed = br_key_ranges_pack(ranges, &at, RECORD_BYTES_MAX, &packed);
        br_value key = br_value_blob(br_text_make(packed.bytes, (uint32_t)packed.size_bytes));
        code = is_packed ? log_record(own, table->table_id, &key) : SQLITE_NOMEM;
    }
    br_buffer_release(&packed);
    return code;
}

static int log_table(br_own_changes *own, own_table *table)
{
    int64_t hi = INT64_MIN;
    br_value whole = br_value_null();
    if (!table->is_changed) return SQLITE_OK;
    int code = own_run_for(own, SQL_HI, table->table_id, &hi);
    if (code != SQLITE_OK) return code;
    if (table->kind == BR_CAPTURE_KEYS)
        return table->is_whole ? log_record(own, table->table_id, &whole)
                               : log_ranges(own, table, hi);
    if (hi != 0) return SQLITE_OK; // the flag is up
    code = log_record(own, table->table_id, &whole);
    if (code == SQLITE_OK) code = own_run_for(own, SQL_FLAG, table->table_id, NULL);
    own->logged++;
    return code;
}

// Puts what was noted into the log. On failure it is still noted.
static int log_noted(br_own_changes *own)
{
    if (!own->is_pending) return SQLITE_OK;
    int64_t last_rowid = sqlite3_last_insert_rowid(own->handle);
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < own->table_count; i++)
        code = log_table(own, &own->tables[i]);
    sqlite3_set_last_insert_rowid(own->handle, last_rowid);
    if (code == SQLITE_OK) forget_noted(own);
    return code;
}

// ---- may the triggers be off? ---------------------------------------------------------------

static void forget_tables(br_own_changes *own)
{
    for (size_t i = 0; i < own->table_count; i++) {
        br_heap_free(own->tables[i].name);
        br_key_ranges_release(&own->tables[i].ranges);
    }
    own->table_count = 0;
    own->hot_name = NULL;
}

static void set_active(br_own_changes *own, bool is_active)
{
    if (own->is_active == is_active) return;
    int code =
        sqlite3_db_config(own->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, is_active ? 0 : 1, NULL);
    br_assert(code == SQLITE_OK);
    (void)code;
    own->is_active = is_active;
}

// Enters the table of a trigger; *is_ours_out is false for a trigger that is not one of capture's.
static int add_trigger(br_own_changes *own, const char *trigger, const char *table,
                       bool *is_ours_out)
{
    uint32_t table_id;
    br_capture_kind kind;
    *is_ours_out = br_capture_is_log_trigger(trigger, &table_id, &kind);
    if (!*is_ours_out) return SQLITE_OK;
    const own_table *known = find_table(own, table);
    if (known != NULL) {
        *is_ours_out = known->table_id == table_id;
        return SQLITE_OK;
    }
    if (!br_heap_grow((void **)&own->tables, sizeof *own->tables, own->table_count,
                      &own->table_capacity))
        return SQLITE_NOMEM;
    char *name = br_heap_copy_text(table);
    if (name == NULL) return SQLITE_NOMEM;
    own->tables[own->table_count++] = (own_table){.name = name, .table_id = table_id, .kind = kind};
    return SQLITE_OK;
}

// *is_clear_out is false when there is a trigger that is not one of capture's.
static int read_triggers(br_own_changes *own, bool *is_clear_out)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(
        own->handle, "SELECT name, tbl_name FROM main.sqlite_master WHERE type = 'trigger'", -1,
        &statement, NULL);
    if (code != SQLITE_OK) return code;
    while (*is_clear_out && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *trigger = (const char *)sqlite3_column_text(statement, 0);
        const char *table = (const char *)sqlite3_column_text(statement, 1);
        code = trigger == NULL || table == NULL ? SQLITE_NOMEM
                                                : add_trigger(own, trigger, table, is_clear_out);
        if (code != SQLITE_OK) break;
    }
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

// Temporary triggers fire for main's tables, and those of an attached file for its own.
static int is_alone(br_own_changes *own, bool *is_alone_out)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(own->handle,
                                  "SELECT 1 FROM sqlite_temp_master WHERE type = 'trigger'"
                                  " UNION ALL SELECT 1 FROM pragma_database_list WHERE seq > 1",
                                  -1, &statement, NULL);
    if (code != SQLITE_OK) return code;
    code = sqlite3_step(statement);
    *is_alone_out = code == SQLITE_DONE;
    sqlite3_finalize(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

// Learns the schema as it is now. The cookie is read first: if the schema changes before the
// triggers are read, the next comparison finds that.
static int look(br_own_changes *own)
{
    bool is_clear = true;
    int64_t cookie = -1;
    int code = log_noted(own); // as long as we know whose keys they are
    if (code != SQLITE_OK) return code;
    forget_tables(own);
    own->cookie = -1;
    own->changes_since_look = 0;
    code = own_run(own, SQL_COOKIE, &cookie);
    if (code == SQLITE_OK) code = is_alone(own, &is_clear);
    if (code == SQLITE_OK && is_clear) code = read_triggers(own, &is_clear);
    if (code == SQLITE_OK) own->cookie = cookie;
    own->must_look = code != SQLITE_OK;
    set_active(own, code == SQLITE_OK && is_clear && own->table_count > 0);
    return code;
}

// Compares the schema with the one looked at, and looks again when it is another one.
static int verify(br_own_changes *own, bool *is_same_out)
{
    int64_t cookie = -1;
    int code = own->must_look ? SQLITE_OK : own_run(own, SQL_COOKIE, &cookie);
    if (code != SQLITE_OK) return code;
    *is_same_out = !own->must_look && cookie == own->cookie;
    if (!*is_same_out) code = look(own);
    own->is_verified = code == SQLITE_OK;
    return code;
}

// ---- statements -----------------------------------------------------------------------------

// The first word of a statement, behind white space, comments and semicolons.
static const char *first_word(const char *sql)
{
    static const char mark[] = "\xef\xbb\xbf"; // of the byte order: white space to SQLite
    while (*sql != 0) {
        if (strchr(" \t\n\f\r;", *sql) != NULL) {
            sql++;
        } else if (strncmp(sql, mark, sizeof mark - 1) == 0) {
            sql += sizeof mark - 1;
        } else if (sql[0] == '-' && sql[1] == '-') {
            sql += strcspn(sql, "\n");
        } else if (sql[0] == '/' && sql[1] == '*') {
            const char *end = strstr(sql + 2, "*/");
            sql = end == NULL ? sql + strlen(sql) : end + 2;
        } else {
            return sql;
        }
    }
    return sql;
}

br_own_kind br_own_kind_of(sqlite3_stmt *statement)
{
    static const struct {
        const char *word;
        br_own_kind kind;
    } words[] = {
        {"INSERT", BR_OWN_CHANGE},     {"UPDATE", BR_OWN_CHANGE},   {"DELETE", BR_OWN_CHANGE},
        {"REPLACE", BR_OWN_CHANGE},    {"WITH", BR_OWN_CHANGE},     {"SELECT", BR_OWN_QUERY},
        {"VALUES", BR_OWN_QUERY},      {"BEGIN", BR_OWN_CONTROL},   {"COMMIT", BR_OWN_CONTROL},
        {"END", BR_OWN_CONTROL},       {"RELEASE", BR_OWN_CONTROL}, {"SAVEPOINT", BR_OWN_SAVEPOINT},
        {"ROLLBACK", BR_OWN_ROLLBACK},
    };
    const char *sql = sqlite3_sql(statement);
    const char *word = first_word(sql == NULL ? "" : sql);
    br_own_kind kind = BR_OWN_OTHER;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strncasecmp(word, words[i].word, strlen(words[i].word)) == 0) kind = words[i].kind;
    }
    bool is_query = sqlite3_stmt_isexplain(statement) != 0 ||
                    (kind == BR_OWN_CHANGE && sqlite3_stmt_readonly(statement) != 0);
    return is_query ? BR_OWN_QUERY : kind;
}

// Before what may change the schema or the connection. It runs with triggers on: DROP TABLE may
// delete rows of other tables (ON DELETE CASCADE). What it does in a transaction could not be done
// again (PRAGMA defer_foreign_keys), so a statement after it must not need to be undone.
static void begin_other(br_own_changes *own, const br_oltp_statement *statement)
{
    own->must_look = true;
    if (!in_transaction(own) && sqlite3_stmt_readonly(statement->handle) != 0) return;
    (void)br_own_suspend(own);
    own->has_other = true;
}

// Whatever is no change of rows. What was noted is logged before a transaction can end; ROLLBACK
// forgets it, and ROLLBACK TO leaves too much noted, which does no harm.
static br_status step_other(br_own_changes *own, br_oltp_statement *statement, bool *row_out,
                            br_error *err)
{
    br_own_kind kind = statement->own_kind;
    if (kind != BR_OWN_QUERY && kind != BR_OWN_ROLLBACK) BR_TRY(fail(own, log_noted(own), err));
    if (kind != BR_OWN_QUERY) own->is_verified = false;
    if (kind == BR_OWN_OTHER) begin_other(own, statement);
    if (kind == BR_OWN_ROLLBACK && own->has_other) own->must_look = true;
    br_status status = br_oltp_step_plainly(statement, row_out, err);
    if (kind == BR_OWN_SAVEPOINT) own->has_savepoint = true;
    if (!in_transaction(own)) own->has_savepoint = own->has_other = false;
    return status;
}

// What ends it is made first, so that nothing can be missing then.
static int begin_transaction(br_own_changes *own, br_oltp_statement *statement)
{
    sqlite3_stmt *ends;
    int code = own_prepare(own, SQL_COMMIT, &ends);
    if (code == SQLITE_OK) code = own_prepare(own, SQL_ROLLBACK, &ends);
    if (code == SQLITE_OK) code = own_run(own, SQL_BEGIN, NULL);
    statement->has_begun = code == SQLITE_OK;
    return code;
}

// Sees to it that the triggers are off if they may be, and to a transaction.
static int begin_change(br_own_changes *own, br_oltp_statement *statement)
{
    int code = SQLITE_OK;
    bool is_same;
    own->hot_name = NULL;
    if (in_transaction(own)) {
        // Reading the schema would fix the commit point of a transaction that has read nothing.
        bool has_read = sqlite3_txn_state(own->handle, "main") != SQLITE_TXN_NONE;
        if (!own->is_verified && has_read) return verify(own, &is_same);
        bool is_clear = true;
        if (own->is_active && own->must_look) code = is_alone(own, &is_clear);
        // A savepoint could not be made again if the statement had to be undone.
        if (!is_clear || (!own->is_verified && own->has_savepoint)) (void)br_own_suspend(own);
        return code;
    }
    own->is_verified = own->has_savepoint = own->has_other = false;
    if (!own->is_active && own->changes_since_look++ >= LOOK_CHANGES) own->must_look = true;
    if (own->must_look) (void)look(own);  // after a failure triggers are on
    return own->is_active ? begin_transaction(own, statement) : SQLITE_OK;
}

// Takes back what ran under a schema that nobody had looked at. The transaction had done nothing
// before, or it would have been looked at; it begins anew.
static int undo(br_own_changes *own, br_oltp_statement *statement)
{
    bool must_begin = !statement->has_begun;
    statement->has_begun = false;
    sqlite3_reset(statement->handle);
    own->logged += sqlite3_total_changes64(own->handle) - statement->total_before;
    int code = own_run(own, SQL_ROLLBACK, NULL);
    forget_noted(own);
    if (code == SQLITE_OK) code = look(own);
    return must_begin && code == SQLITE_OK ? own_run(own, SQL_BEGIN, NULL) : code;
}

// Did the statement run with triggers off under another schema than the one looked at? Then it is
// undone.
static int check_schema(br_own_changes *own, br_oltp_statement *statement, bool *is_undone_out)
{
    bool is_same;
    *is_undone_out = false;
    if (own->is_verified || !in_transaction(own)) return SQLITE_OK;
    if (!own->is_active) {
        (void)verify(own, &is_same);  // triggers were on, and stay on after a failure
        return SQLITE_OK;
    }
    int64_t cookie = -1;
    int code = own->must_look ? SQLITE_OK : own_run(own, SQL_COOKIE, &cookie);
    own->is_verified = code == SQLITE_OK && !own->must_look && cookie == own->cookie;
    if (own->is_verified) return SQLITE_OK;
    *is_undone_out = true;
    int undone = undo(own, statement);
    return code != SQLITE_OK ? code : undone;
}

// Ends the transaction that a statement got, as SQLite would have without it: a statement that
// failed has undone what it is not to keep.
static br_status end_transaction(br_own_changes *own, br_oltp_statement *statement,
                                 br_status status, br_error *err)
{
    statement->has_begun = false;
    if (!in_transaction(own)) {
        forget_noted(own);
        return status;
    }
    int code = log_noted(own);
    if (code == SQLITE_OK) code = own_run(own, SQL_COMMIT, NULL);
    if (code == SQLITE_OK) return status;
    if (status == BR_OK) status = fail(own, code, err);
    own->logged += own->changes;
    own->changes = 0;
    (void)own_run(own, SQL_ROLLBACK, NULL); // there is nothing else to do
    forget_noted(own);
    return status;
}

static br_status end_change(br_own_changes *own, br_oltp_statement *statement, br_status status,
                            bool has_row, br_error *err)
{
    if (status == BR_OK && has_row) return BR_OK;
    own->changes = sqlite3_changes64(own->handle);
    return statement->has_begun ? end_transaction(own, statement, status, err) : status;
}

static br_status step_noting(br_own_changes *own, br_oltp_statement *statement, bool *row_out,
                             br_error *err)
{
    bool was_stepping = own->is_stepping, was_noting = own->is_noting;
    own->is_stepping = true;
    own->is_noting = own->is_active;
    br_status status = br_oltp_step_plainly(statement, row_out, err);
    own->is_stepping = was_stepping;
    own->is_noting = was_noting;
    return status;
}

br_status br_own_step(br_own_changes *own, br_oltp_statement *statement, bool *row_out,
                      br_error *err)
{
    *row_out = false;
    if (statement->own_kind != BR_OWN_CHANGE) return step_other(own, statement, row_out, err);
    if (sqlite3_stmt_busy(statement->handle) != 0) {
        br_status status = step_noting(own, statement, row_out, err);
        return end_change(own, statement, status, *row_out, err);
    }
    for (int i = 0; i < TRIES_MAX; i++) {
        bool is_undone;
        BR_TRY(fail(own, begin_change(own, statement), err));
        statement->total_before = sqlite3_total_changes64(own->handle);
        br_status status = step_noting(own, statement, row_out, err);
        BR_TRY(fail(own, check_schema(own, statement, &is_undone), err));
        if (!is_undone) return end_change(own, statement, status, *row_out, err);
    }
    return br_fail(err, BR_BUSY, "'%s': its schema keeps changing", br_oltp_path(own->oltp));
}

bool br_own_suspend(br_own_changes *own)
{
    if (!own->is_active) return false;
    set_active(own, false);
    own->must_look = true;
    return true;
}

void br_own_abandon(br_own_changes *own, br_oltp_statement *statement)
{
    own->changes = sqlite3_changes64(own->handle);
    if (!statement->has_begun) return;
    br_status ignored = end_transaction(own, statement, BR_OK, NULL);
    (void)ignored; // as with SQLite, whoever resets early does not learn
}

// ---- counters -------------------------------------------------------------------------------

int64_t br_own_changes_count(const br_own_changes *own)
{
    return own->changes;
}

int64_t br_own_total_changes(const br_own_changes *own)
{
    return sqlite3_total_changes64(own->handle) - own->logged;
}

static void changes_function(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    (void)count;
    (void)arguments;
    const br_own_changes *own = sqlite3_user_data(context);
    // In a trigger of the application it is what the statements of the trigger have changed.
    bool is_ours = own->is_active || !own->is_stepping;
    sqlite3_result_int64(context, is_ours ? own->changes : sqlite3_changes64(own->handle));
}

static void total_changes_function(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    (void)count;
    (void)arguments;
    sqlite3_result_int64(context, br_own_total_changes(sqlite3_user_data(context)));
}

static int add_counters(br_own_changes *own)
{
    const int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS;
    int code = sqlite3_create_function_v2(own->handle, "changes", 0, flags, own, changes_function,
                                          NULL, NULL, NULL);
    if (code != SQLITE_OK) return code;
    return sqlite3_create_function_v2(own->handle, "total_changes", 0, flags, own,
                                      total_changes_function, NULL, NULL, NULL);
}

// ---- making ---------------------------------------------------------------------------------

br_status br_own_changes_new(br_oltp *oltp, br_own_changes **own_out, br_error *err)
{
    *own_out = NULL;
    if (sqlite3_preupdate_hook == NULL) return BR_OK;
    br_own_changes *own = br_heap_zalloc(sizeof *own);
    if (own == NULL) return br_fail(err, BR_NOMEM, "no memory to open '%s'", br_oltp_path(oltp));
    own->oltp = oltp;
    own->handle = oltp->handle;
    own->must_look = true;
    own->cookie = -1;
    int code = add_counters(own);
    if (code != SQLITE_OK) {
        br_status status = fail(own, code, err);
        br_heap_free(own);
        return status;
    }
    sqlite3_preupdate_hook(own->handle, note_change, own);
    sqlite3_rollback_hook(own->handle, note_rollback, own);
    *own_out = own;
    return BR_OK;
}

void br_own_changes_free(br_own_changes *own)
{
    if (own == NULL) return;
    sqlite3_preupdate_hook(own->handle, NULL, NULL);
    sqlite3_rollback_hook(own->handle, NULL, NULL);
    for (int i = 0; i < SQL_COUNT; i++) sqlite3_finalize(own->statements[i]);
    forget_tables(own);
    br_heap_free(own->tables);
    br_heap_free(own);
}
