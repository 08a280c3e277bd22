// database.h - the insides of br_database and br_statement, shared by the files of router/.
//
// Locks, in the order in which they are taken:
//   1. writer_lock     the writer connection
//   2. cache_lock      the statement cache, the bridge list, the fallback counts and the names of
//                      temporary tables
// Capture and store have locks of their own and are called with none or only writer_lock held.
//
// Threads: see router.h.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_ROUTER_DATABASE_H
#define BR_ROUTER_DATABASE_H

#include "router/router.h"

enum {
    BR_STATEMENT_CACHE_SLOTS = 1024, // texts remembered; a power of two
    BR_RUNNING_MAX = 64,             // SQLite statements that an interrupt can reach at once
    BR_FALLBACK_REASONS_MAX = 64,
    BR_BRIDGES_MAX = 64, // idle bridges kept
};

typedef struct br_fallback {
    char *reason;
    uint64_t count;
} br_fallback;

struct br_database {
    char *path;
    br_oltp_functions *functions; // of the application, on all connections
    br_oltp *writer;
    br_oltp_pool *readers;
    br_task_pool *pool;
    br_cdc *cdc;       // NULL: no columnar copy, see cdc_problem
    char *cdc_problem; // why there is none
    br_quota quota;
    const br_file_hook *hook; // for tests; NULL
    bool (*go_on)(void *context, const br_cdc_work *work);  // NULL: nobody asks
    void *go_on_context;
    size_t query_bytes; // what a single query may take of it
    char *spill_folders[BR_SPILL_FOLDERS_MAX]; // where its rows go beyond that
    br_io_mode io_mode;                        // how files are read
    br_isa isa;
    bool plans_plainly;
    br_engine engine;
    int64_t freshness;
    bool read_only;
    // The writer has temporary tables, attached files or a changed dialect, which no other
    // connection sees: SQLite runs there. Alone: and the columnar engine runs nothing. Written
    // under writer_lock, read relaxed.
    _Atomic bool session_bound, session_alone;
    _Atomic uint32_t session_changes; // how often that was looked at; relaxed
    // A call left a transaction open on the writer: queries run inside it. Not so while a call is
    // running: other threads' queries neither wait for it nor see half of it. As session_bound.
    _Atomic bool in_transaction;

    br_lock writer_lock;
    br_lock cache_lock;
    br_statement *cache[BR_STATEMENT_CACHE_SLOTS]; // idle statements by hash of their text
    br_oltp_bridge *bridges[BR_BRIDGES_MAX];
    uint32_t bridge_count;
    br_buffer temporary_names; // of tables and views, each ended by a 0
    br_fallback fallbacks[BR_FALLBACK_REASONS_MAX];
    uint32_t fallback_count;

    _Atomic uint32_t running; // acq_rel: the first run clears `cancelled` before it starts
    _Atomic bool cancelled;   // relaxed: a flag polled by long loops, orders nothing
    _Atomic(br_oltp *) running_oltp[BR_RUNNING_MAX]; // release on entry, acquire in interrupt
};

typedef struct br_plan_collation br_plan_collation;  // collation.c

struct br_statement {
    br_database *database;
    char *sql; // this statement only
    uint64_t sql_hash;
    const char *cached_text; // the text it is found by in the cache; NULL: not for the cache
    const char *given_text;  // our copy of what was to be parsed; `ast` points into it
    br_arena *arena;         // the tree and the parameters' names
    br_statement_ast ast;
    bool is_summary; // SUMMARIZE: `ast` is that of the SELECT made of it

    // What SQLite runs on the writer connection, under writer_lock: compiled once and reset after
    // each run. What is not a query has it from the start, a query once it ran in a transaction.
    br_oltp_statement *prepared;
    bool may_bind_session; // and is to be looked at after each run
    br_write_ast *write;   // the SELECT that feeds it; NULL: none, or one for SQLite alone
    br_statement *feed;    // that SELECT, from the first run on

    br_value *parameters; // bytes of text and blobs on the heap, owned
    uint8_t *parameter_masks;
    br_engine engine;
    int64_t freshness;
    uint32_t timeout_ms;

    br_arena *plan_arena;             // of `query` or of `unsupported`
    br_query *query;                  // NULL: none, or unsupported
    const char *unsupported;          // why the columnar engine does not run it; NULL: it does
    br_status refusal;                // with that: BR_SQL or BR_UNSUPPORTED
    int32_t refusal_offset;           // where in the text; -1: nowhere
    br_plan_collation *collations;    // of the application, that the plan compares with
    const br_schema_ref *plan_schema; // the schema it was planned under, held
    uint32_t plan_functions;          // how many functions were defined when it was planned
    uint32_t plan_session;            // session_changes then
    uint64_t plan_version;            // the snapshot version it was last seen to fit
    bool checked_arithmetic;          // a run ended with BR_RETYPE
    br_engine route;                  // by cost, for this plan
    double cost_olap_ns, cost_oltp_ns;
    const char *route_reason; // in plan_arena
};

// Fails with the reason when there is no columnar copy.
BR_CHECKED br_status br_copy_required(const br_database *database, br_error *err);

// ---- run.c: one run on one engine ------------------------------------------------------------

BR_CHECKED br_status br_run_oltp(br_statement *statement, uint64_t deadline_ns, const char *reason,
                                 br_outcome **outcome_out, br_error *err);
typedef struct br_olap_run {
    const br_snapshot *snapshot;
    uint64_t deadline_ns;
    br_query_profile *profile;  // NULL: not analysed
    bool is_stale;  // out, with BR_UNSUPPORTED: the query reads tables of SQLite too, which are not
                    // at the snapshot's commit point any more
} br_olap_run;

BR_CHECKED br_status br_run_olap(br_statement *statement, br_olap_run *run,
                                 br_outcome **outcome_out, br_error *err);
// Collects the rows of a prepared SQLite statement into an outcome.
BR_CHECKED br_status br_collect_rows(br_database *database, br_oltp_statement *prepared,
                                     uint64_t deadline_ns, br_outcome **outcome_out, br_error *err);
// A new outcome without rows; its arena is charged to the database's quota.
BR_CHECKED br_status br_outcome_new(br_database *database, br_outcome **outcome_out, br_error *err);
// Runs statements on the writer connection, under its lock; notices what makes a session bound.
BR_CHECKED br_status br_writer_exec(br_database *database, const char *sql, br_error *err);
// To be called after whatever ran on the writer, before its lock is given.
void br_writer_note_transaction(br_database *database);
// Marks the start of something an interrupt may stop; `oltp` may be NULL. Returns the slot to end.
uint32_t br_running_begin(br_database *database, br_oltp *oltp);
void br_running_end(br_database *database, uint32_t slot);

// ---- batch.c: several writes as one ------------------------------------------------------------

// Writes on the writer connection, under its lock, that happen all or not at all: a transaction, or
// a part of the one that is open.
typedef struct br_write_scope {
    br_database *database;
    bool is_nested;
    uint32_t slot;  // of br_running_begin
} br_write_scope;

// On success the lock is held until the scope ends.
BR_CHECKED br_status br_write_scope_begin(br_database *database, br_write_scope *scope_out,
                                          br_error *err);
// Keeps what was written if `status` is BR_OK, undoes it otherwise; returns `status`, or why it
// could not be kept.
BR_CHECKED br_status br_write_scope_end(br_write_scope *scope, br_status status, br_error *err);
// Puts "WHAT INDEX: " in front of the message of a failure.
void br_error_blame(br_error *err, const char *what, uint64_t index);

// ---- session.c: what only the writer connection sees -------------------------------------------

// Could the text make or end something that only the connection it runs on sees?
bool br_text_may_bind_session(const char *sql);
// Looks what there is, after `sql`, such a text, has run on the writer.
void br_writer_note_session(br_database *database, const char *sql);
// Is there a temporary table or view of that name?
bool br_session_hides(br_database *database, const char *name);

// ---- statement.c -----------------------------------------------------------------------------

// Rules that need no plan. NULL: the columnar engine may run it.
const char *br_statement_rule(const br_statement *statement);
// Why the engine that runs it does.
const char *br_statement_reason(const br_statement *statement);
// Runs on the columnar engine. BR_UNSUPPORTED, with the reason as message, leaves it to SQLite.
BR_CHECKED br_status br_statement_run_olap(br_statement *statement, uint64_t deadline_ns,
                                           br_outcome **outcome_out, br_error *err);

// ---- summarize.c -----------------------------------------------------------------------------

// Puts the SELECT that it stands for in the place of a SUMMARIZE.
BR_CHECKED br_status br_summarize(br_statement *statement, br_error *err);

// ---- write.c ---------------------------------------------------------------------------------

// Remembers the SELECT that feeds a write, when there is one.
BR_CHECKED br_status br_write_find(br_statement *statement, br_error *err);
// Runs a write whose SELECT is the columnar engine's: its rows go to SQLite in one transaction.
// *is_done_out is false when SQLite has to run the statement as a whole.
BR_CHECKED br_status br_write_run(br_statement *statement, uint64_t deadline_ns,
                                  br_outcome **outcome_out, bool *is_done_out, br_error *err);
// Is the text one statement that br_write_run may be for?
bool br_text_may_be_fed(const char *sql);

// ---- explain.c -------------------------------------------------------------------------------

BR_CHECKED br_status br_run_explain(br_statement *statement, br_outcome **outcome_out,
                                    br_error *err);

// ---- plan.c: the plan of a statement for the data as they are --------------------------------

// Makes statement->query fit the snapshot, or sets statement->unsupported.
BR_CHECKED br_status br_statement_plan(br_statement *statement, const br_snapshot *snapshot,
                                       const br_schema_ref *schema, br_error *err);
void br_statement_forget_plan(br_statement *statement);
void br_database_note_fallback(br_database *database, const char *reason);

// ---- catalog.c: the schema as the binder wants it --------------------------------------------

typedef struct br_catalog_context {
    br_arena *arena;
    br_database *database;
    br_statement *statement;
    const br_schema *schema;
    const br_snapshot *snapshot;
} br_catalog_context;

br_sql_catalog br_catalog_make(br_catalog_context *context);

// ---- collation.c -----------------------------------------------------------------------------

// The application's collation of that name, which lives as long as the statement's plan; *out is
// NULL when there is none.
BR_CHECKED br_status br_plan_collation_find(br_statement *statement, const char *name,
                                            br_collator **out, br_error *err);
// Gives back what a run has gathered.
void br_plan_collations_forget(br_statement *statement);

// ---- cost.c ----------------------------------------------------------------------------------

// What SQLite would need for the query, in ns: scans and look-ups through its indexes.
double br_cost_oltp(const br_query *query, const br_snapshot *snapshot, const br_schema *schema);

// ---- source.c: tables that SQLite reads for a columnar run -------------------------------------

typedef struct br_source_set {
    br_database *database;
    br_oltp *reader; // in a read transaction at the snapshot's commit point; NULL: none is needed
    br_oltp_bridge *bridge;
    br_lock lock; // of reader and bridge
    // 1 + the worker that holds the lock; relaxed: only that worker finds itself in it.
    _Atomic uint32_t owner;
} br_source_set;

// Fails with run->is_stale when the file has changed since the snapshot, or that cannot be told at
// once. To be closed whatever it returns.
BR_CHECKED br_status br_source_set_open(br_source_set *set, br_database *database,
                                        br_olap_run *run, br_error *err);
void br_source_set_close(br_source_set *set);
BR_CHECKED br_status br_source_set_read(br_source_set *set, uint32_t worker,
                                        const br_function_call *call, uint32_t row,
                                        const br_row_receiver *receiver, br_error *err);

// ---- bridge.c --------------------------------------------------------------------------------

typedef struct br_bridge_set { // the bridges of one run, one per worker, made when first used
    br_database *database;
    br_source_set *sources; // borrowed
    br_oltp_bridge *workers[BR_THREADS_MAX];
} br_bridge_set;

br_exec_bridge br_bridge_set_open(br_bridge_set *set, br_database *database,
                                  br_source_set *sources);
void br_bridge_set_close(br_bridge_set *set);
BR_CHECKED br_status br_bridge_take(br_database *database, br_oltp_bridge **bridge_out,
                                    br_error *err);
void br_bridge_give(br_database *database, br_oltp_bridge *bridge);

#endif
