// router.h - the front door: SQL in, engine chosen, rows out.
//
//     br_database    one open SQLite file: its writer, readers, capture, columnar store, caches
//     br_statement   one SQL statement: its tree, its plan for the data as they are, its route
//     br_outcome     the rows of one run, and how they came about
//
// A statement goes to SQLite when it writes, inside an open transaction of the handle (it must see
// its own uncommitted rows), when the columnar engine cannot run it, or when that is cheaper.
//
// Ownership: databases own caches and connections; statements and outcomes are the caller's and
// must go before the database. Threads: a database is locked (its own locks); a statement is for
// one thread at a time, different statements run at the same time. br_database_interrupt may be
// called from anywhere, signal handlers too. Errors: as everywhere; BR_RETYPE never leaves this
// folder. SPDX-License-Identifier: Apache-2.0
#ifndef BR_ROUTER_ROUTER_H
#define BR_ROUTER_ROUTER_H

#include <stdatomic.h>

#include "base/thread.h"
#include "cdc/cdc.h"
#include "columnar/columnar.h"
#include "exec/exec.h"
#include "oltp/oltp.h"
#include "sql/sql.h"

typedef enum br_engine { BR_ENGINE_AUTO, BR_ENGINE_OLAP, BR_ENGINE_OLTP } br_engine;

enum {
    BR_FRESH_STRICT = 0,
    BR_FRESH_ANY = -1,
    BR_FRESH_DEFAULT = -2,
};

typedef struct br_database_config {
    const char *path;
    bool create;
    bool read_only;
    uint32_t threads;
    uint64_t memory_bytes;
    uint32_t busy_timeout_ms;
    br_engine engine;
    int64_t freshness;
    const char *isa;
    const char *io;
    const char *const *exclude;
    const br_file_hook *hook; // for tests; NULL
    uint32_t sync_interval_ms; // 0: no thread
    // Told how far long work is; false ends it, as an interrupt does. NULL: nobody asks.
    bool (*go_on)(void *context, const br_cdc_work *work);
    void *go_on_context;
} br_database_config;

// ---- database --------------------------------------------------------------------------------

typedef struct br_database br_database;

BR_CHECKED br_status br_database_open(const br_database_config *config, br_database **database_out,
                                      br_error *err);
// Makes the copy durable; a failure to do so is reported, the database is closed all the same.
br_status br_database_close(br_database *database, br_error *err);
void br_database_interrupt(br_database *database);
// For tests: plans from now on have only the rewrites that correctness needs. To be called before
// the first statement.
void br_database_plan_plainly(br_database *database);
// For tests: what is behind a handle of include/braid.h.
struct braid;
br_database *br_database_of(struct braid *handle);

// Runs every statement of the text on the writer connection.
BR_CHECKED br_status br_database_exec(br_database *database, const char *sql, br_error *err);
int64_t br_database_changes(br_database *database);
int64_t br_database_last_rowid(br_database *database);

// Runs the texts in one transaction: all or nothing. *failed_out tells which failed; `count`: the
// commit.
BR_CHECKED br_status br_database_exec_batch(br_database *database, const char *const *statements,
                                            size_t count, size_t *failed_out, br_error *err);

// Makes a function or collation known to every connection. A failure calls its destructor.
BR_CHECKED br_status br_database_define(br_database *database, const br_oltp_definition *definition,
                                        br_error *err);

// Runs ALTER TABLE in SQLite and brings the copy up to date with it, unless a transaction is open.
BR_CHECKED br_status br_database_add_column(br_database *database, const char *table,
                                            const char *definition, br_error *err);
BR_CHECKED br_status br_database_drop_column(br_database *database, const char *table,
                                             const char *column, br_error *err);
// What is to be mirrored from now on, by every process; likewise.
BR_CHECKED br_status br_database_register(br_database *database,
                                          const br_registration *registration, br_error *err);
BR_CHECKED br_status br_database_unregister(br_database *database, const char *pattern,
                                            br_error *err);

BR_CHECKED br_status br_database_sync(br_database *database, br_error *err);
BR_CHECKED br_status br_database_checkpoint(br_database *database, br_error *err);
BR_CHECKED br_status br_database_compact(br_database *database, br_error *err);
BR_CHECKED br_status br_database_check(br_database *database, uint64_t *rows_out, br_error *err);
BR_CHECKED br_status br_database_rebuild(br_database *database, br_error *err);
BR_CHECKED br_status br_database_begin_history(br_database *database, const char *table,
                                               const br_history_options *options, br_error *err);
BR_CHECKED br_status br_database_end_history(br_database *database, const char *table,
                                             bool keeps_history, br_error *err);
// A seq that is beyond everything committed before the call.
BR_CHECKED br_status br_database_commit_seq(br_database *database, uint64_t *seq_out,
                                            br_error *err);
// Until the published versions hold `seq`: BR_BUSY when they do not after timeout_ms.
BR_CHECKED br_status br_database_wait(br_database *database, uint64_t seq, uint32_t timeout_ms,
                                      br_error *err);
BR_CHECKED br_status br_database_background_start(br_database *database, uint32_t interval_ms,
                                                  br_error *err);
void br_database_background_stop(br_database *database);
typedef struct br_sync_info {
    br_cdc_status copy;
    br_background_status background;
    uint64_t lag_changes;
    double lag_ms;
} br_sync_info;
BR_CHECKED br_status br_database_sync_info(br_database *database, br_sync_info *info_out,
                                           br_error *err);
// JSON text appended to `out`.
BR_CHECKED br_status br_database_status(br_database *database, br_buffer *out, br_error *err);

// ---- statements ------------------------------------------------------------------------------

typedef struct br_statement br_statement;
typedef struct br_outcome br_outcome;

// The first statement of `sql`; NULL when there is none. *tail_out may be NULL.
BR_CHECKED br_status br_statement_new(br_database *database, const char *sql,
                                      br_statement **statement_out, const char **tail_out,
                                      br_error *err);
void br_statement_free(br_statement *statement);
// A statement for exactly this text from the database's cache, or a new one; give it back after
// its run. This is what makes asking the same text again cheap.
BR_CHECKED br_status br_statement_take(br_database *database, const char *sql,
                                       br_statement **statement_out, br_error *err);
void br_statement_give(br_statement *statement);

uint32_t br_statement_parameters(const br_statement *statement);
const char *br_statement_parameter_name(const br_statement *statement, uint32_t index); // from 1
BR_CHECKED br_status br_statement_bind(br_statement *statement, uint32_t index,
                                       const br_value *value, br_error *err);
void br_statement_set_engine(br_statement *statement, br_engine engine);
void br_statement_set_freshness(br_statement *statement, int64_t freshness);
void br_statement_set_timeout(br_statement *statement, uint32_t timeout_ms);

// `outcome_out` may be NULL: nobody wants the rows.
BR_CHECKED br_status br_statement_run(br_statement *statement, br_outcome **outcome_out,
                                      br_error *err);
// Rows from outside.
typedef struct br_rows {
    uint32_t row_count, column_count;  // any number of rows
    const br_vector *columns;          // FLAT
} br_rows;

// Runs a write once per row, in one transaction, column i as parameter i + 1. *failed_out tells
// which row failed; row_count: the commit.
BR_CHECKED br_status br_statement_run_batch(br_statement *statement, const br_rows *rows,
                                            size_t *failed_out, br_error *err);

typedef struct br_explain_request {
    br_explain_format format;
    bool analyze;  // run it too; EXPLAIN ANALYZE as the statement's text says so by itself
} br_explain_request;

// Engine, reason, costs, freshness and operator tree, appended to `out`.
BR_CHECKED br_status br_statement_explain(br_statement *statement,
                                          const br_explain_request *request, br_buffer *out,
                                          br_error *err);

struct br_outcome {
    br_result *result; // rows
    br_quota quota;    // of the query and of its rows, when the columnar engine ran it
    br_engine engine;
    const char *reason; // in result->arena
    uint64_t seq;
    uint64_t version;  // of the snapshot the columnar engine read
    double lag_ms;
    double run_ms;
};
void br_outcome_free(br_outcome *outcome);

// ---- appenders -------------------------------------------------------------------------------

typedef struct br_appender br_appender;

// `columns` NULL: all; else ended by NULL. Threads: one.
BR_CHECKED br_status br_appender_open(br_database *database, const char *table,
                                      const char *const *columns, br_appender **appender_out,
                                      br_error *err);
BR_CHECKED br_status br_appender_add(br_appender *appender, const br_value *value, br_error *err);
BR_CHECKED br_status br_appender_add_rows(br_appender *appender, const br_rows *rows,
                                          br_error *err);
BR_CHECKED br_status br_appender_flush(br_appender *appender, br_error *err);
uint64_t br_appender_row_count(const br_appender *appender);
void br_appender_free(br_appender *appender);  // what is not flushed is lost

#endif
