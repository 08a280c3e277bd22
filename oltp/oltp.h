// oltp.h - SQLite, wrapped: connections, statements as values, schema, capture triggers.
//
// With columnar/catalog.c the only code that knows sqlite3.h. Everything here is SQLite's own
// behaviour with our errors: a failure carries SQLite's message, and its offset for SQL errors.
//
// Ownership: what _open/_new makes, _close/_free ends. Text handed out lives until the next step or
// until the arena given is reset. Threads: a br_oltp is for one thread at a time; the pool of
// readers is locked.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_OLTP_OLTP_H
#define BR_OLTP_OLTP_H

#include "base/arena.h"
#include "base/batch.h"
#include "base/column.h"
#include "base/error.h"
#include "base/function_call.h"
#include "base/type.h"

// ---- connections ----------------------------------------------------------------------------

typedef struct br_oltp br_oltp;
typedef struct br_oltp_functions br_oltp_functions;

typedef struct br_oltp_config {
    const char *path;
    br_oltp_functions *functions;  // shared by the connections of a database; NULL: none
    bool is_writer;      // changes(), total_changes() and last_insert_rowid() are its own
    bool logs_own_changes;  // where it can, without the help of triggers (docs/cdc.md)
    uint32_t busy_timeout_ms;
    bool read_only;      // open for reading only
    bool create;         // make the file when it does not exist
    bool journal_as_is;  // do not switch to WAL
} br_oltp_config;

// Opens a connection: WAL, synchronous=NORMAL, busy timeout. A file that is not a database is
// BR_NOT_DATABASE, one locked beyond the timeout BR_BUSY.
BR_CHECKED br_status br_oltp_open(const br_oltp_config *config, br_oltp **oltp_out, br_error *err);
void br_oltp_close(br_oltp *oltp);
const char *br_oltp_path(const br_oltp *oltp);
void br_oltp_interrupt(br_oltp *oltp);          // from any thread
// Statements that run past this moment (br_clock_ns; 0: none) end with BR_INTERRUPTED.
void br_oltp_set_deadline(br_oltp *oltp, uint64_t deadline_ns);
struct sqlite3 *br_oltp_handle(br_oltp *oltp);  // for tests and for applications' own functions
void br_oltp_set_busy_timeout(br_oltp *oltp, uint32_t timeout_ms);
bool br_oltp_can_write(const br_oltp *oltp);  // false: opened for reading, or the file is protected
bool br_oltp_in_transaction(const br_oltp *oltp);
int64_t br_oltp_changes(const br_oltp *oltp);
int64_t br_oltp_last_rowid(const br_oltp *oltp);
const char *br_oltp_version(void);  // of the SQLite linked

// Runs every statement of the text, discarding rows.
BR_CHECKED br_status br_oltp_exec(br_oltp *oltp, const char *sql, br_error *err);
BR_CHECKED br_status br_oltp_exec_format(br_oltp *oltp, br_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));  // names are quoted with br_oltp_quote_name
// One integer answer of a one-row query; `fallback` when there is no row or it is NULL.
BR_CHECKED br_status br_oltp_query_int(br_oltp *oltp, const char *sql, int64_t fallback,
                                       int64_t *value_out, br_error *err);
// "name" with quotes doubled, in the arena.
const char *br_oltp_quote_name(br_arena *arena, const char *name);
// Changes when another connection has committed since (PRAGMA data_version), about 1 us.
BR_CHECKED br_status br_oltp_data_version(br_oltp *oltp, int64_t *version_out, br_error *err);

// ---- statements -----------------------------------------------------------------------------

typedef struct br_oltp_statement br_oltp_statement;

// Compiles the first statement of the text; *tail_out (may be NULL) points behind it. An empty text
// or only comments gives a NULL statement.
BR_CHECKED br_status br_oltp_prepare(br_oltp *oltp, const char *sql, const char **tail_out,
                                     br_oltp_statement **statement_out, br_error *err);
void br_oltp_finalize(br_oltp_statement *statement);
void br_oltp_reset(br_oltp_statement *statement);
uint32_t br_oltp_parameter_count(const br_oltp_statement *statement);
uint32_t br_oltp_parameter_index(const br_oltp_statement *statement, const char *name);  // 0: none
const char *br_oltp_parameter_name(const br_oltp_statement *statement, uint32_t index);
// Indexes count from 1, as SQLite's. The bytes must stay until the statement is reset or rebound.
BR_CHECKED br_status br_oltp_bind(br_oltp_statement *statement, uint32_t index,
                                  const br_value *value, br_error *err);
// What FROM _braid_rows(?index) gives: columns c0, c1, ... of batches with FLAT, CONST and ANY
// vectors. Borrowed until the statement is finalised; read once.
enum { BR_OLTP_ROWS_COLUMNS_MAX = 1999 };
BR_CHECKED br_status br_oltp_bind_batches(br_oltp_statement *statement, uint32_t index,
                                          br_batch_source *source, br_error *err);
BR_CHECKED br_status br_oltp_step(br_oltp_statement *statement, bool *row_out, br_error *err);
uint32_t br_oltp_column_count(const br_oltp_statement *statement);
const char *br_oltp_column_name(const br_oltp_statement *statement, uint32_t column);
// Text lives until the next step.
br_value br_oltp_column(br_oltp_statement *statement, uint32_t column);
// Steps up to row_limit times and appends the first column_count values of each row to the columns.
// Fewer rows than the limit: the statement is at its end.
BR_CHECKED br_status br_oltp_fill(br_oltp_statement *statement, br_column *columns,
                                  uint32_t column_count, uint32_t row_limit,
                                  uint32_t *row_count_out, br_error *err);
bool br_oltp_is_readonly(const br_oltp_statement *statement);
bool br_oltp_is_explain(const br_oltp_statement *statement);
// BEGIN, COMMIT, END, ROLLBACK, SAVEPOINT or RELEASE.
bool br_oltp_is_transaction_control(const br_oltp_statement *statement);

// ---- inserting many rows --------------------------------------------------------------------

// INSERTs into one table of main. A row that violates a constraint fails, whatever ON CONFLICT the
// table declares.
typedef struct br_oltp_inserter br_oltp_inserter;

// `columns` NULL: all that can be inserted, in order; else ended by NULL.
BR_CHECKED br_status br_oltp_inserter_new(br_oltp *oltp, const char *table,
                                          const char *const *columns,
                                          br_oltp_inserter **inserter_out, br_error *err);
void br_oltp_inserter_free(br_oltp_inserter *inserter);  // NULL is a no-op
uint32_t br_oltp_inserter_columns(const br_oltp_inserter *inserter);
// Inserts all rows of the columns; to be called inside a write transaction. *done_out: how many
// rows are in, also after a failure.
BR_CHECKED br_status br_oltp_insert(br_oltp_inserter *inserter, const br_column *columns,
                                    uint32_t *done_out, br_error *err);

// ---- functions of the application ------------------------------------------------------------

// What all connections of a database have in common beside SQLite's own functions: the functions
// and collations of the application, and what changes(), total_changes() and last_insert_rowid()
// say, which are the writer's counters on every connection. Threads: any.
typedef struct br_oltp_call br_oltp_call;  // one call of a function, of the thread that makes it
typedef void (*br_oltp_function_code)(br_oltp_call *call, uint32_t argument_count,
                                      const br_value *arguments);
typedef int (*br_oltp_collation_code)(void *context, br_text left, br_text right);

typedef struct br_oltp_definition {
    const char *name;
    int32_t argument_count;       // -1: any number; of a function
    bool is_deterministic;        // of a function
    bool is_thread_safe;          // false: calls are made one at a time
    bool is_like;                 // SQLite's own like(), which LIKE calls
    bool is_case_sensitive;       // with is_like
    br_oltp_function_code function;    // one of the two; both NULL: the name is taken back, as a
    br_oltp_collation_code collation;  // function
    void *context;
    void (*destroy)(void *context);  // called once, when nobody can call it any more; or NULL
} br_oltp_definition;

BR_CHECKED br_status br_oltp_functions_new(br_oltp_functions **functions_out, br_error *err);
void br_oltp_functions_free(br_oltp_functions *functions);  // after all connections
// Connections opened from now on have it; others after br_oltp_refresh. A failure calls `destroy`.
BR_CHECKED br_status br_oltp_functions_add(br_oltp_functions *functions,
                                           const br_oltp_definition *definition, br_error *err);
// Grows with every addition.
uint32_t br_oltp_functions_generation(const br_oltp_functions *functions);
// Is this a function of the application, of that many arguments or of any number? One that was
// taken back still hides SQLite's.
bool br_oltp_functions_has(br_oltp_functions *functions, const char *name,
                           uint32_t argument_count);
// After PRAGMA case_sensitive_like, which br_oltp_functions_note_like tells of.
bool br_oltp_functions_like_is_case_sensitive(br_oltp_functions *functions);
// To be called when that pragma may have run on the writer. False: it cannot be told what LIKE is.
BR_CHECKED br_status br_oltp_functions_note_like(br_oltp_functions *functions, br_oltp *writer,
                                                 bool *is_told_out, br_error *err);
// The collation of that name, held: texts are compared with br_oltp_collate, until it is dropped.
// NULL: there is none.
void *br_oltp_collation_take(br_oltp_functions *functions, const char *name);
void br_oltp_collation_drop(void *held);  // NULL is a no-op
int br_oltp_collate(void *held, br_text left, br_text right);
// To be called after something ran on the writer.
void br_oltp_functions_note_writer(br_oltp_functions *functions, const br_oltp *writer);
// Adds to the connection what has been defined since it was opened; no statement may be running.
BR_CHECKED br_status br_oltp_refresh(br_oltp *oltp, br_error *err);

void *br_oltp_call_context(const br_oltp_call *call);
void br_oltp_call_return(br_oltp_call *call, const br_value *value);  // copied; none: NULL
void br_oltp_call_fail(br_oltp_call *call, const char *message);

// ---- readers --------------------------------------------------------------------------------

typedef struct br_oltp_pool br_oltp_pool;  // connections for reading, made as needed

BR_CHECKED br_status br_oltp_pool_new(const br_oltp_config *config, br_oltp_pool **pool_out,
                                      br_error *err);
void br_oltp_pool_free(br_oltp_pool *pool);
BR_CHECKED br_status br_oltp_pool_take(br_oltp_pool *pool, br_oltp **oltp_out, br_error *err);
void br_oltp_pool_give(br_oltp_pool *pool, br_oltp *oltp);
void br_oltp_pool_interrupt(br_oltp_pool *pool);  // every reader in use

// ---- schema ---------------------------------------------------------------------------------

typedef enum br_oltp_affinity {  // SQLite's type affinities
    BR_OLTP_BLOB,
    BR_OLTP_TEXT,
    BR_OLTP_NUMERIC,
    BR_OLTP_INTEGER,
    BR_OLTP_REAL
} br_oltp_affinity;

typedef struct br_schema_column {
    const char *name;
    const char *declared_type;  // "" when none
    const char *default_value;  // text of the DEFAULT expression; NULL when none
    const char *collation;      // "BINARY", "NOCASE", ...
    br_oltp_affinity affinity;
    bool not_null;
    bool is_generated;
    uint32_t key_position;  // 1.. in the PRIMARY KEY, 0 when not part of it
    bool is_left_out;       // registered as one not to mirror
} br_schema_column;

typedef struct br_schema_index {
    const char *name;
    bool is_unique;
    bool is_partial;
    bool has_expression;
    uint32_t column_count;
    const char *condition;          // of a partial index, the text behind WHERE; NULL when none
    const int32_t *columns;         // index into table columns; -1 rowid, -2 expression
    const char *const *collations;  // per column
} br_schema_index;

typedef struct br_schema_table {
    const char *name;
    const char *sql;        // CREATE TABLE text
    uint32_t column_count;  // hidden columns of virtual tables left out
    uint32_t index_count;
    br_schema_column *columns;
    br_schema_index *indexes;
    bool has_rowid;
    bool is_virtual;
    bool is_shadow;
    bool is_left_out;        // registered as one not to mirror
    int32_t rowid_column;    // the INTEGER PRIMARY KEY that is the rowid; -1: none
    const char *rowid_name;  // "rowid", "_rowid_" or "oid": what means the rowid; NULL: none does
    bool is_changes;         // a _braid_change_* table: only inserted into, and nobody's but ours
} br_schema_table;

typedef struct br_schema_view {
    const char *name;
    const char *sql;  // CREATE VIEW text
} br_schema_view;

typedef enum br_history_state {
    BR_HISTORY_OFF,   // kept, but not written any more
    BR_HISTORY_ON,
    BR_HISTORY_GONE,  // the table was dropped: goes on when there is one of that name again
} br_history_state;

// The history of a temporal table: a row of _braid_temporal (docs/history.md).
typedef struct br_schema_history {
    uint32_t history_id;
    const char *table_name;
    const char *key;  // the columns of `changes` that tell rows apart, as SQL: "a", "b"
    br_history_state state;
    int64_t keep_us, keep_versions;  // 0: for ever
    const br_schema_table *changes;  // NULL: somebody has dropped it
} br_schema_history;

typedef struct br_schema {
    int64_t cookie;        // PRAGMA schema_version
    uint32_t table_count;  // user tables: no sqlite_*, no _braid_* but _braid_change_*
    br_schema_table *tables;
    uint32_t history_count;
    br_schema_history *histories;
    uint32_t view_count;
    br_schema_view *views;
} br_schema;

// Reads main's schema, all in `arena`.
BR_CHECKED br_status br_schema_read(br_oltp *oltp, br_arena *arena, br_schema *schema_out,
                                    br_error *err);
const br_schema_table *br_schema_find(const br_schema *schema, const char *name);
const br_schema_view *br_schema_find_view(const br_schema *schema, const char *name);
const br_schema_history *br_schema_find_history(const br_schema *schema, const char *table_name);

// The table that a CREATE TABLE text of another time describes, in the arena. *is_known_out is
// false when this SQLite makes no table of it.
BR_CHECKED br_status br_schema_parse(br_oltp_functions *functions, const char *sql,
                                     br_arena *arena, br_schema_table *table_out,
                                     bool *is_known_out, br_error *err);
// What rows that are there before the column is added have in it. *is_known_out is false when that
// is no constant.
BR_CHECKED br_status br_schema_default(const br_schema_column *column, br_arena *arena,
                                       br_value *value_out, bool *is_known_out, br_error *err);

// What is to be mirrored, kept in the file so that every process goes by it: names of tables match
// a pattern of GLOB, whatever their case, and the last registration that fits decides.
typedef struct br_registration {
    const char *pattern;
    bool is_excluded;            // left to SQLite
    const char *const *columns;  // to be mirrored, ended by NULL; NULL: all. The rowid always is
} br_registration;
// What writes is meant to be called inside a write transaction. A registration takes the place of
// one with the same pattern. A column that no table of the pattern has is BR_MISUSE.
BR_CHECKED br_status br_registration_put(br_oltp *oltp, const br_registration *registration,
                                         br_error *err);
// No registration of that pattern: BR_MISUSE.
BR_CHECKED br_status br_registration_remove(br_oltp *oltp, const char *pattern, br_error *err);
BR_CHECKED br_status br_registration_remove_all(br_oltp *oltp, br_error *err);

// What can stand in FROM without being mirrored: a virtual table, sqlite_schema, a pragma function.
typedef struct br_oltp_source_column {
    const char *name, *collation;
    br_oltp_affinity affinity;
    bool is_hidden;  // an argument, when it is called like a function
} br_oltp_source_column;

typedef struct br_oltp_source {
    const char *name;         // quoted
    const char *rowid_name;   // what means the rowid; NULL: nothing does
    uint32_t column_count;    // hidden ones come last; 0: there is no such thing
    uint32_t hidden_count;
    br_oltp_source_column *columns;
    bool is_virtual;          // takes arguments
    bool is_created;          // false: there without CREATE, as pragma functions are
    double rows;              // an estimate
} br_oltp_source;

// Of that name in main, all in `arena`.
BR_CHECKED br_status br_oltp_source_find(br_oltp *oltp, const char *name, br_arena *arena,
                                         br_oltp_source *source_out, br_error *err);

// ---- capture --------------------------------------------------------------------------------

// The tables and triggers capture needs in the SQLite file (docs/cdc.md). All idempotent; what
// writes is meant to be called inside a write transaction.
typedef enum br_capture_kind {
    BR_CAPTURE_KEYS,   // rowid table: keys at or below hi are logged
    BR_CAPTURE_DIRTY,  // any change logs "table changed": the whole table is read again
} br_capture_kind;

// What _braid_meta says. A copy that was made durable under `checkpoint_id` or under
// `next_checkpoint_id` is one of this file as it was at or before now.
typedef struct br_capture_meta {
    bool is_installed;
    bool rowids_moved;  // a VACUUM has renumbered tables without INTEGER PRIMARY KEY
    uint8_t lineage[16];
    uint8_t checkpoint_id[16];
    uint8_t next_checkpoint_id[16];
} br_capture_meta;

// The triggers of an entry, compared with those that an install would make.
typedef enum br_capture_state {
    BR_CAPTURE_BROKEN,  // changes may be missing in the log
    BR_CAPTURE_LOOSE,   // all are logged, but rows that REPLACE deletes silently may not be
    BR_CAPTURE_INTACT,
} br_capture_state;

// One row of _braid_table. KEYS: rows at or below hi are logged. DIRTY: hi is 1 when "changed" has
// been logged and nothing more will be until somebody sets it to 0.
typedef struct br_capture_entry {
    uint32_t table_id;
    const char *name;  // when it was entered; ALTER TABLE may have given it another one
    int64_t hi;
    const br_schema_table *table;  // that has its triggers; NULL: there is none any more
    br_capture_state state;
} br_capture_entry;

BR_CHECKED br_status br_capture_install_meta(br_oltp *oltp, br_error *err);
BR_CHECKED br_status br_capture_read_meta(br_oltp *oltp, br_capture_meta *meta_out, br_error *err);
BR_CHECKED br_status br_capture_read_entries(br_oltp *oltp, const br_schema *schema,
                                             br_arena *arena, br_capture_entry **entries_out,
                                             uint32_t *count_out, br_error *err);
br_capture_kind br_capture_kind_of(const br_schema_table *table);
// The name of the table's key in SQL, quoted; NULL when nothing names it. In the arena.
const char *br_schema_key_name(const br_schema_table *table, br_arena *arena);

BR_CHECKED br_status br_capture_new_id(br_oltp *oltp, uint32_t *table_id_out, br_error *err);
// Makes the triggers and enters the table, with hi = its largest rowid.
BR_CHECKED br_status br_capture_install(br_oltp *oltp, const br_schema_table *table,
                                        uint32_t table_id, br_error *err);
// Brings name and triggers of an entry that is not broken up to date; its hi stays.
BR_CHECKED br_status br_capture_update(br_oltp *oltp, const br_capture_entry *entry, br_error *err);
// Notes in the log that the schema was changed, for no table.
BR_CHECKED br_status br_capture_log_schema(br_oltp *oltp, int64_t cookie, br_error *err);
BR_CHECKED br_status br_capture_uninstall(br_oltp *oltp, uint32_t table_id, br_error *err);
// After tables with moved rowids have been entered under new ids.
BR_CHECKED br_status br_capture_accept_moved_rowids(br_oltp *oltp, br_error *err);
BR_CHECKED br_status br_capture_set_checkpoints(br_oltp *oltp, const uint8_t durable[16],
                                                const uint8_t next[16], br_error *err);
// Deletes up to row_limit of the oldest log records at or below seq, never the newest of all.
BR_CHECKED br_status br_capture_prune(br_oltp *oltp, uint64_t seq, uint32_t row_limit,
                                      bool *is_done_out, br_error *err);
// A record of no table: its seq is beyond everything committed before it. In a transaction.
BR_CHECKED br_status br_capture_mark(br_oltp *oltp, uint64_t *seq_out, br_error *err);
BR_CHECKED br_status br_capture_remove_all(br_oltp *oltp, br_error *err);  // triggers and tables

// ---- history --------------------------------------------------------------------------------

// A change table has a row for each change of its table, in order: these columns, then those of the
// table, as they are after an insert or update and were before a delete (docs/history.md).
#define BR_CHANGE_SEQ "_braid_seq"              // INTEGER PRIMARY KEY
#define BR_CHANGE_AT "_braid_at"                // microseconds since 1970; never falls
#define BR_CHANGE_OPERATION "_braid_operation"  // 'I', 'U', 'D'
#define BR_CHANGE_KEY "_braid_key"              // the rowid, where no column is that

typedef struct br_history_options {
    int64_t keep_us, keep_versions;  // 0: for ever
} br_history_options;

// What writes is meant to be called inside a write transaction. Begins a history, or goes on with
// one that was switched off: what differs by then is a change of this moment.
BR_CHECKED br_status br_history_register(br_oltp *oltp, const char *table,
                                         const br_history_options *options, br_error *err);
// No history of that name: BR_MISUSE.
BR_CHECKED br_status br_history_unregister(br_oltp *oltp, const char *table, bool keeps_history,
                                           br_error *err);
// Takes the triggers of a table's history away, for what they are in the way of; *was_on_out: there
// were some. br_history_follow puts them back, and has to in the same transaction.
BR_CHECKED br_status br_history_release(br_oltp *oltp, const char *table, bool *was_on_out,
                                        br_error *err);
// Makes triggers and change tables fit what has become of their tables.
BR_CHECKED br_status br_history_follow(br_oltp *oltp, bool rowids_moved, bool *has_written_out,
                                       br_error *err);
BR_CHECKED br_status br_history_remove_all(br_oltp *oltp, br_error *err);
// How long it is to be kept may have changed without the schema. *has_any_out: not for ever.
BR_CHECKED br_status br_history_read_limits(br_oltp *oltp, br_schema_history *history,
                                            bool *has_any_out, br_error *err);
// Forgets some of what nobody has to keep at `now_us`: a few ms of work. *is_done_out: there is no
// more.
BR_CHECKED br_status br_history_purge(br_oltp *oltp, const br_schema_history *history,
                                      int64_t now_us, bool *is_done_out, br_error *err);

// ---- SQLite's own functions for exec/ -------------------------------------------------------

// Calls any scalar function SQLite knows, and its number formatting, so that answers are its own.
typedef struct br_oltp_bridge br_oltp_bridge;  // a private in-memory connection; one thread

typedef enum br_oltp_function_kind {
    BR_OLTP_FUNCTION_NONE,      // no such scalar function, or not with so many arguments
    BR_OLTP_FUNCTION_STEADY,    // the same arguments give the same value throughout a statement
    BR_OLTP_FUNCTION_VOLATILE,  // every call may give another value
} br_oltp_function_kind;

// `functions` may be NULL; it must outlive the bridge.
BR_CHECKED br_status br_oltp_bridge_new(br_oltp_functions *functions, br_oltp_bridge **bridge_out,
                                        br_error *err);
void br_oltp_bridge_free(br_oltp_bridge *bridge);
BR_CHECKED br_status br_oltp_bridge_refresh(br_oltp_bridge *bridge, br_error *err);
// One value per row of the call. Text and blobs are copied into `arena`. A SQL error of a function
// is BR_RUNTIME.
BR_CHECKED br_status br_oltp_bridge_call(br_oltp_bridge *bridge, const br_function_call *call,
                                         br_arena *arena, br_value *results_out, br_error *err);
// A bridge to the file of a connection, which it borrows, instead: for br_oltp_bridge_rows.
BR_CHECKED br_status br_oltp_bridge_over(br_oltp *oltp, br_oltp_bridge **bridge_out, br_error *err);
// All rows of SELECT call->function, an expression, with row `row` of the arguments, which are FLAT
// or CONST. The receiver may ask for rows again.
BR_CHECKED br_status br_oltp_bridge_rows(br_oltp_bridge *bridge, const br_function_call *call,
                                         uint32_t row, const br_row_receiver *receiver,
                                         br_error *err);
// What CAST(real AS TEXT) gives; the buffer has room for 40 bytes; returns the length.
uint32_t br_oltp_real_to_text(double value, char *text_out);
br_oltp_function_kind br_oltp_bridge_find(br_oltp_bridge *bridge, const char *function,
                                          uint32_t argument_count);

#endif
