// braid.h - Braid: analytic SQL over a SQLite file, from a columnar copy that is always fresh.
//
// An application opens its SQLite database with braid_open. Writes go to SQLite (braid_exec, or any
// other program that writes the file); queries are answered by the columnar engine where it is
// faster, and by SQLite otherwise, with the same answers. SQLite's file is the only truth: the copy
// in the folder PATH-braid can be removed at any time and is made anew.
//
// Conventions
//   1. Functions that can fail return a braid_status; BRAID_OK is 0. The message is kept in the
//      handle until the thread's next call on it: braid_error_message, braid_error_offset.
//   2. Objects are opaque. Who opens, prepares or runs closes: each *_close/_free accepts NULL.
//   3. Text is UTF-8 with an explicit size in bytes; results may contain NUL bytes.
//   4. A braid handle may be used from several threads, one call at a time per statement; queries of
//      different statements run at the same time. A result is for one thread at a time and stays
//      valid after its statement and until braid_result_free, but not after braid_close.
//   5. After fork a handle is the parent's: in the child its calls, braid_close too, are BRAID_MISUSE and
//      do nothing. A child of a process that has a database open must exec before it opens that
//      file itself, with Braid or with SQLite, whose locks it would mix up; and until it execs or
//      ends it keeps the maintainer's role from others if its parent dies.
//   6. Structs whose first field is `size` are set to sizeof by the caller, for growth.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_H
#define BRAID_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BRAID_API __attribute__((visibility("default")))
#else
#define BRAID_API
#endif

// ---- errors ----------------------------------------------------------------------------------

typedef enum braid_status {
    BRAID_OK = 0,
    BRAID_NOMEM = 1,         // out of memory, or over the memory budget
    BRAID_IO = 2,            // the operating system refused a read or write
    BRAID_FULL = 3,          // the disk is full
    BRAID_CORRUPT = 4,       // bytes on disk are not what was written
    BRAID_MISUSE = 5,        // the caller broke the documented contract
    BRAID_SQL = 6,           // the SQL text is wrong; braid_error_offset says where
    BRAID_RUNTIME = 7,       // the statement failed while running (constraint, overflow, ...)
    BRAID_BUSY = 8,          // a lock was held by somebody else for longer than the timeout
    BRAID_READONLY = 9,      // a write to what may only be read
    BRAID_NOT_DATABASE = 10, // the file is not a SQLite database
    BRAID_INTERRUPTED = 11,  // braid_interrupt or the timeout
    BRAID_UNSUPPORTED = 12,  // engine BRAID_ENGINE_OLAP was forced and cannot run the statement
    BRAID_INTERNAL = 13,     // a bug in Braid
} braid_status;

typedef struct braid braid;
typedef struct braid_statement braid_statement;
typedef struct braid_result braid_result;

BRAID_API const char *braid_version(void);
BRAID_API const char *braid_status_name(braid_status status);  // "ok", "out of memory", ...

// Message of the calling thread's last call on this handle, if it failed: lower case, no full stop;
// "" when it did not.
BRAID_API const char *braid_error_message(const braid *db);
// Byte offset of the place in the SQL text the last failure is about; -1 when not about text.
BRAID_API int braid_error_offset(const braid *db);

// ---- opening ---------------------------------------------------------------------------------

typedef enum braid_engine {
    BRAID_ENGINE_AUTO = 0,  // by rule, then by cost
    BRAID_ENGINE_OLAP = 1,  // columnar or BRAID_UNSUPPORTED with the reason
    BRAID_ENGINE_OLTP = 2,  // SQLite
} braid_engine;

// How fresh a query must be: BRAID_FRESH_STRICT (all commits before it began), a bound in
// milliseconds (1 and more), or BRAID_FRESH_ANY (whatever is published).
#define BRAID_FRESH_STRICT 0
#define BRAID_FRESH_ANY (-1)

// How far long work is: making the copy, bringing it up to date, checking, compacting.
typedef struct braid_progress {
    const char *what;     // "mirroring", "verifying", "compacting"
    const char *table;    // NULL: none in particular
    uint64_t rows_done;   // read, of both sides when verifying
    uint64_t rows_total;  // an estimate; 0: unknown
    int is_done;          // the last call about this work
} braid_progress;
// Called every few thousand rows, by one thread at a time, but not always the one that made the call;
// may not use the handle, but for braid_interrupt. Not 0 stops the work, which then fails with
// BRAID_INTERRUPTED: also braid_open, which braid_interrupt cannot reach.
typedef int (*braid_progress_handler)(void *context, const braid_progress *progress);

typedef struct braid_config {
    size_t size;                // sizeof(braid_config)
    int create;                 // make the SQLite file when it does not exist
    int read_only;              // never write to the SQLite file
    uint32_t threads;           // 0: one per CPU
    uint64_t memory_bytes;      // budget for caches and queries; 0: 60 % of the memory available
    uint32_t busy_timeout_ms;   // 0: 5000
    braid_engine engine;        // default for queries
    int64_t freshness;          // default for queries
    const char *isa;            // NULL: the best; "scalar", "avx2", "avx512" (BRAID_ISA also sets it)
    const char *io;             // NULL: the best; "uring", "pread" (BRAID_IO also sets it)
    const char *const *exclude; // tables to leave to SQLite, ended by NULL; may be NULL
    braid_progress_handler progress;  // NULL: nobody wants to know
    void *progress_context;
    uint32_t sync_interval_ms;  // not 0: as braid_background_start, from the start
} braid_config;

// Sets every field to its default.
BRAID_API void braid_config_init(braid_config *config);

// Opens a SQLite file and brings its columnar copy up to date (the first time: makes it). `config`
// may be NULL. On failure *db_out is a handle that only tells the error, and is closed as usual
// (NULL when there is no memory even for that).
BRAID_API braid_status braid_open(const char *path, const braid_config *config, braid **db_out);
// Waits for nothing: statements must be closed and results freed before. Makes the copy durable.
BRAID_API braid_status braid_close(braid *db);

// ---- running SQL -----------------------------------------------------------------------------

// Runs all statements of the text in SQLite, discarding rows: writes, DDL, pragmas, transactions.
BRAID_API braid_status braid_exec(braid *db, const char *sql);
BRAID_API int64_t braid_changes(braid *db);       // rows changed by the last write
BRAID_API int64_t braid_last_rowid(braid *db);

// Prepares and runs one statement.
BRAID_API braid_status braid_query(braid *db, const char *sql, braid_result **result_out);

// Prepares the first statement of `sql`. *tail_out (may be NULL) points behind it; *statement_out is
// NULL, with BRAID_OK, when there is nothing but white space and comments.
BRAID_API braid_status braid_prepare(braid *db, const char *sql, braid_statement **statement_out,
                                     const char **tail_out);
BRAID_API void braid_statement_close(braid_statement *statement);

// Parameters count from 1. Values stay bound from run to run; text and blobs are copied.
BRAID_API uint32_t braid_parameter_count(const braid_statement *statement);
BRAID_API const char *braid_parameter_name(const braid_statement *statement, uint32_t index);
BRAID_API uint32_t braid_parameter_index(const braid_statement *statement, const char *name);
BRAID_API braid_status braid_bind_null(braid_statement *statement, uint32_t index);
BRAID_API braid_status braid_bind_int64(braid_statement *statement, uint32_t index, int64_t value);
BRAID_API braid_status braid_bind_double(braid_statement *statement, uint32_t index, double value);
BRAID_API braid_status braid_bind_text(braid_statement *statement, uint32_t index, const char *text,
                                       size_t size_bytes);
BRAID_API braid_status braid_bind_blob(braid_statement *statement, uint32_t index, const void *blob,
                                       size_t size_bytes);

// Per statement; -2 for the freshness means the handle's default.
BRAID_API void braid_statement_set_engine(braid_statement *statement, braid_engine engine);
BRAID_API void braid_statement_set_freshness(braid_statement *statement, int64_t freshness);
BRAID_API void braid_statement_set_timeout(braid_statement *statement, uint32_t timeout_ms);

// Runs the statement to its end. The result is complete and in memory: one that is larger than a
// query may take (40 % of the budget) fails with BRAID_NOMEM. A statement without rows
// (a write) gives a result with no columns. `result_out` may be NULL.
BRAID_API braid_status braid_run(braid_statement *statement, braid_result **result_out);

// Stops everything running on the handle; callable from any thread and from signal handlers.
BRAID_API void braid_interrupt(braid *db);

// The plan of a statement as text: engine, why, costs, freshness, operator tree. Freed with
// braid_free. A text that begins with EXPLAIN ANALYZE is run, and each operator tells what it took.
BRAID_API braid_status braid_explain(braid *db, const char *sql, char **text_out);

typedef enum braid_explain_format {
    BRAID_EXPLAIN_TEXT = 0,
    BRAID_EXPLAIN_JSON = 1,  // one object
    BRAID_EXPLAIN_HTML = 2,  // a page that needs no other file
} braid_explain_format;

// The same in a format, and run when `analyze` is not 0.
BRAID_API braid_status braid_explain_as(braid *db, const char *sql, braid_explain_format format,
                                        int analyze, char **text_out);
BRAID_API void braid_free(void *memory);

// ---- results ---------------------------------------------------------------------------------

typedef enum braid_type {  // as sqlite3_column_type, but ANY
    BRAID_NULL = 0, BRAID_INTEGER = 1, BRAID_REAL = 2, BRAID_TEXT = 3, BRAID_BLOB = 4,
    BRAID_ANY = 5,  // only of a column of a chunk: each value has its own type
} braid_type;

typedef struct braid_text {  // TEXT or BLOB; not NUL-terminated
    const char *data;
    uint32_t size;
    uint32_t reserved;
} braid_text;

typedef struct braid_value {
    uint8_t type;  // braid_type
    union {
        int64_t integer;
        double real;
        braid_text text;
    } as;
} braid_value;

// A column of a chunk: `type` of all non-NULL values, and one array of row_count values.
typedef struct braid_column {
    braid_type type;           // BRAID_NULL: every row is NULL, no array
    const uint64_t *validity;  // bit row%64 of word row/64 is 1 for a value; NULL: no NULLs
    union {
        const int64_t *integers;
        const double *reals;
        const braid_text *texts;   // TEXT and BLOB
        const braid_value *values; // ANY; NULLs have type BRAID_NULL, validity is NULL
    } as;
} braid_column;

typedef struct braid_chunk {
    uint32_t row_count;
    uint32_t column_count;
    const braid_column *columns;
} braid_chunk;

typedef struct braid_result_info {
    size_t size;            // sizeof(braid_result_info)
    braid_engine engine;    // that ran it: OLAP or OLTP
    const char *reason;     // why this engine
    uint64_t seq;           // commit point seen: everything up to this seq was in, see
                            // braid_commit_seq. Of a run by SQLite, which sees all that is committed,
                            // it is what the copy held, less than was seen, and 0 inside an
                            // open transaction of the handle
    double lag_ms;          // age of what was seen when the run began; 0: everything committed
    uint64_t delta_rows;    // rows that came from the delta; 0 of a run by SQLite
    double run_ms;          // execution, result materialised
} braid_result_info;

BRAID_API void braid_result_free(braid_result *result);
BRAID_API uint32_t braid_column_count(const braid_result *result);
BRAID_API const char *braid_column_name(const braid_result *result, uint32_t column);
BRAID_API uint64_t braid_row_count(const braid_result *result);
BRAID_API void braid_result_get_info(const braid_result *result, braid_result_info *info);

// All rows, chunk by chunk. `index` counts from 0 to braid_chunk_count; O(1).
BRAID_API uint32_t braid_chunk_count(const braid_result *result);
BRAID_API void braid_chunk_get(const braid_result *result, uint32_t index, braid_chunk *chunk_out);
// One value; convenient, and fast enough for small results.
BRAID_API braid_value braid_value_get(const braid_result *result, uint64_t row, uint32_t column);

// The result as an Arrow C stream (arrow.apache.org/docs/format/CStreamInterface.html). INTEGER is
// int64, REAL float64, TEXT utf8, BLOB binary; a column with several types is a dense union of those.
// The stream takes the result over: do not free it. `stream` is a struct ArrowArrayStream.
struct ArrowArrayStream;
BRAID_API braid_status braid_result_export_arrow(braid *db, braid_result *result,
                                                 struct ArrowArrayStream *stream);

// ---- many statements, many rows --------------------------------------------------------------

// Runs `count` texts in one transaction, discarding rows: all or nothing. Inside an open transaction
// of the handle they are all or nothing of it. BEGIN, COMMIT, SAVEPOINT and their kin in a text are
// BRAID_MISUSE. After a failure *failed_out (may be NULL) is the index, from 0, of the text that
// failed, or `count` when it was the commit; the message names it too.
BRAID_API braid_status braid_exec_batch(braid *db, const char *const *statements, size_t count,
                                        size_t *failed_out);
// Runs a prepared INSERT, UPDATE, DELETE or other write once per row of the chunk, whose column i is
// parameter i + 1: in one transaction, as above, with the index of the row. The chunk may have any
// number of rows and is only read; what braid_bind_* bound to the statement stays.
BRAID_API braid_status braid_run_batch(braid_statement *statement, const braid_chunk *rows,
                                       size_t *failed_out);

// An appender loads many rows into one table: as fast as SQLite takes them, and the columnar copy is
// up to date when they are flushed. Rows are kept until there are 65,536 (or 16 MiB of texts), then
// written in one transaction, or as a part of the handle's open one; so are those that a flush finds.
// A row that violates a constraint fails, whatever ON CONFLICT the table declares; the failure
// undoes that transaction, the message names the row, counted from 0 since the appender was opened,
// and the appender goes on without these rows. braid_changes and braid_last_rowid are not for them.
//
// Threads: one; the handle may be used by others meanwhile. Close appenders before their handle.
typedef struct braid_appender braid_appender;

// `columns`, ended by NULL, are those to be given, the others get their defaults; NULL: all columns
// of the table but generated ones, in its order.
BRAID_API braid_status braid_appender_open(braid *db, const char *table,
                                           const char *const *columns,
                                           braid_appender **appender_out);
// The next value, column by column; the last column ends the row. Bytes are copied.
BRAID_API braid_status braid_append_null(braid_appender *appender);
BRAID_API braid_status braid_append_int64(braid_appender *appender, int64_t value);
BRAID_API braid_status braid_append_double(braid_appender *appender, double value);
BRAID_API braid_status braid_append_text(braid_appender *appender, const char *text,
                                         size_t size_bytes);
BRAID_API braid_status braid_append_blob(braid_appender *appender, const void *blob,
                                         size_t size_bytes);
// Whole rows: as many columns as the appender has, and any number of rows.
BRAID_API braid_status braid_append_chunk(braid_appender *appender, const braid_chunk *rows);
// Writes what has been appended, and brings the copy up to date with it.
BRAID_API braid_status braid_appender_flush(braid_appender *appender);
BRAID_API uint64_t braid_appender_row_count(const braid_appender *appender);  // written so far
// Flushes; the appender is gone whatever is returned. A row that was begun is BRAID_MISUSE.
BRAID_API braid_status braid_appender_close(braid_appender *appender);

// ---- functions and collations of the application ---------------------------------------------

// A function of the application can be called in every statement on the handle, on either engine,
// for many rows at once and from several threads. It is given the arguments of one call, which live
// until it returns, and answers with one braid_call_return or braid_call_fail (neither: NULL).
typedef struct braid_call braid_call;
typedef void (*braid_function)(braid_call *call, uint32_t argument_count,
                               const braid_value *arguments);
// The order of two texts: negative, 0 or positive. It must be total and never change.
typedef int (*braid_collation)(void *context, braid_text left, braid_text right);
typedef void (*braid_destructor)(void *context);

enum {
    BRAID_FUNCTION_DETERMINISTIC = 1,  // the same arguments always give the same value: calls may
                                       // be spared, and indexes may use it
    BRAID_FUNCTION_THREAD_SAFE = 2,    // may be called by several threads at once; without it,
                                       // calls wait for each other
};

// Adds or replaces the function `name` for `argument_count` arguments (-1: any number), also one of
// SQLite's own scalar functions; like(), glob() and regexp() are what the operators call. `function`
// NULL takes it back (which does not bring back SQLite's own). `destroy` (may be NULL) is called once with `context`: when the function has
// been replaced and nothing uses it any more, at the latest when the handle is closed, and at once
// when this call fails. Statements that run meanwhile see the old function. A function may use the
// handle for queries, unless it is not thread-safe and the query calls it again.
BRAID_API braid_status braid_create_function(braid *db, const char *name, int32_t argument_count,
                                             uint32_t flags, void *context,
                                             braid_function function, braid_destructor destroy);
// Adds or replaces a collation, with BRAID_FUNCTION_THREAD_SAFE or 0 as flags. Both engines compare
// with it, several threads at once if the flag allows. BINARY, NOCASE and RTRIM cannot be replaced.
BRAID_API braid_status braid_create_collation(braid *db, const char *name, uint32_t flags,
                                              void *context, braid_collation compare,
                                              braid_destructor destroy);

// To be used inside a function only.
BRAID_API void *braid_call_context(const braid_call *call);
BRAID_API void braid_call_return(braid_call *call, const braid_value *value);  // copied
// The statement fails with BRAID_RUNTIME and this message.
BRAID_API void braid_call_fail(braid_call *call, const char *message);

// ---- the columnar copy -----------------------------------------------------------------------

// Brings the copy up to everything committed before the call.
BRAID_API braid_status braid_sync(braid *db);
// ALTER TABLE by any program is noticed by the next query and costs no reading of rows, as a rule.
// These say it explicitly: they run it in SQLite and bring the copy up to date in one call. Inside an
// open transaction of the handle the copy follows after its COMMIT. `column_definition` is what
// stands behind ADD COLUMN, as in "price REAL DEFAULT 0"; more than one statement is BRAID_MISUSE.
BRAID_API braid_status braid_add_column(braid *db, const char *table,
                                        const char *column_definition);
BRAID_API braid_status braid_drop_column(braid *db, const char *table, const char *column);

// What of a table is mirrored. A query that needs more is run by SQLite.
typedef struct braid_registration {
    size_t size;                 // sizeof(braid_registration)
    int exclude;                 // not 0: nothing, all its queries are SQLite's
    const char *const *columns;  // ended by NULL; NULL: all. The rowid always is
} braid_registration;

// Registers all tables whose names match the pattern (as GLOB does, but for the case of letters),
// now and in future; of several patterns that match the one registered last decides. Kept in the
// SQLite file (table _braid_registration), so it holds for every process. `registration` may be
// NULL: all columns. A pattern registered again takes its place; a column that none of its tables has
// is BRAID_MISUSE. Tables that no pattern matches are mirrored as a whole.
BRAID_API braid_status braid_register_table(braid *db, const char *pattern,
                                            const braid_registration *registration);
// Takes a registration back; BRAID_MISUSE when there is none of exactly this pattern.
BRAID_API braid_status braid_unregister_table(braid *db, const char *pattern);

// A seq is a place in the order of commits: the number of a record in the log of capture. What holds
// a seq holds everything committed before that record, also rows that needed no record. seqs of one
// file can be compared over all handles and processes; a file restored from a backup has others.
//
// Writes a record and tells its seq, which is thus beyond all that was committed before the call, by
// this handle or anybody. Waits for SQLite's write lock up to the busy timeout; BRAID_MISUSE inside
// an open transaction of the handle. (Other programs say INSERT INTO _braid_log(table_id) VALUES(0)
// RETURNING seq, as the last statement of the transaction in question.)
BRAID_API braid_status braid_commit_seq(braid *db, uint64_t *seq_out);
// Returns when the published copy holds `seq`, so that queries of any freshness see it; syncs if
// nobody else does. BRAID_BUSY when it does not after timeout_ms: it is not committed yet.
BRAID_API braid_status braid_wait(braid *db, uint64_t seq, uint32_t timeout_ms);

// Starts a thread that syncs every interval_ms (1 and more), and makes the checkpoints and does the
// compaction that queries would do otherwise. It holds SQLite's write lock for about 1 ms at most,
// and no read transaction between its rounds. After failures it tries more and more rarely, up to
// every 5 s, until one succeeds. Starting again changes the interval. Stopping waits for its end, as
// braid_close does.
BRAID_API braid_status braid_background_start(braid *db, uint32_t interval_ms);
BRAID_API braid_status braid_background_stop(braid *db);

typedef struct braid_sync_info {
    size_t size;            // sizeof(braid_sync_info)
    int is_maintainer;      // this handle writes the folder; others follow
    uint64_t seq;           // that the published copy holds
    uint64_t lag_changes;   // committed and not in it: new rows, and changes of old ones, about;
                            // 0: nothing was committed since
    double lag_ms;          // since the last sync began
    uint64_t sync_count, checkpoint_count;
    uint64_t write_lock_count, write_lock_long_count;  // how often Braid itself held SQLite's write
    double write_lock_ms_max;                          // lock; for more than 2 ms; the longest
    int is_background;      // the thread runs, and the rest is about it
    uint32_t interval_ms;
    uint32_t backoff_ms;    // it waits so long because of failures; 0: the last round was good
    uint64_t failure_count; // in a row
    char error[256];        // of the last failure; "": there was none
} braid_sync_info;
BRAID_API braid_status braid_get_sync_info(braid *db, braid_sync_info *info);

// Makes the copy durable and prunes the change log.
BRAID_API braid_status braid_checkpoint(braid *db);
// Merges and re-encodes segments until nothing is left to do.
BRAID_API braid_status braid_compact(braid *db);
// Verifies every checksum and compares both sides row by row. *rows_out (may be NULL): compared.
BRAID_API braid_status braid_check(braid *db, uint64_t *rows_out);
// Throws the copy away and makes it anew.
BRAID_API braid_status braid_rebuild(braid *db);
// Removes everything Braid added: triggers and tables in the file, and the folder. The database
// must not be open. The message of a failure goes to `message_out` (may be NULL).
BRAID_API braid_status braid_detach(const char *path, char *message_out, size_t message_size);

// ---- temporal tables -------------------------------------------------------------------------

// A temporal table keeps every version of its rows, whichever program writes it (docs/history.md).
// Queries read them with SELECT ... FROM t FOR SYSTEM_TIME ..., and with braid_changes('t').
typedef struct braid_temporal_options {
    size_t size;            // sizeof(braid_temporal_options)
    int64_t keep_us;        // forget versions that ended so many microseconds ago; 0: never
    int64_t keep_versions;  // forget all but the newest so many of each row; 0: keep all
} braid_temporal_options;

// From now on the table is temporal; its present rows begin now. Called again it changes how long
// versions are kept. After braid_unregister_temporal with `keep_history` it goes on with what is
// known, and what has changed meanwhile counts as changed now. `options` may be NULL. Fails with
// BRAID_MISUSE for a table that cannot be temporal, saying why, and inside an open transaction.
BRAID_API braid_status braid_register_temporal(braid *db, const char *table,
                                               const braid_temporal_options *options);
// Changes are not written down any more. What is known stays and can be queried, or is removed.
BRAID_API braid_status braid_unregister_temporal(braid *db, const char *table, int keep_history);

// ---- status ----------------------------------------------------------------------------------

// What the copy holds, as JSON: tables, rows, segments, bytes raw and stored, deltas, watermark,
// lag, fallbacks by reason. Freed with braid_free.
BRAID_API braid_status braid_status_json(braid *db, char **json_out);

#ifdef __cplusplus
}
#endif

#endif
