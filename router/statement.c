// Statements: parse once, bind, choose the engine for each run.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/hash.h"
#include "base/heap.h"
#include "router/database.h"

// ---- life --------------------------------------------------------------------------------------

// What is not a query is SQLite's from the start: it says where the statement ends, which
// parameters it has, and whether it is right.
static br_status statement_prepare(br_statement *statement, const char *sql, br_error *err)
{
    const char *tail = NULL;
    br_lock_take(&statement->database->writer_lock);
    br_status status =
        br_oltp_prepare(statement->database->writer, sql, &tail, &statement->prepared, err);
    br_lock_give(&statement->database->writer_lock);
    if (status != BR_OK) return status;
    br_oltp_statement *prepared = statement->prepared;
    uint32_t parameter_count = prepared == NULL ? 0 : br_oltp_parameter_count(prepared);
    statement->ast = (br_statement_ast){
        .kind = prepared == NULL ? BR_STATEMENT_EMPTY : BR_STATEMENT_OTHER,
        .text = sql,
        .size = (uint32_t)(tail - sql),
        .tail = tail,
        .parameter_count = parameter_count,
        .parameter_names = BR_ALLOC(statement->arena, const char *, parameter_count),
    };
    if (statement->ast.parameter_names == NULL) return br_fail(err, BR_NOMEM, "statement");
    statement->may_bind_session = br_text_may_bind_session(sql);
    if (prepared != NULL && !br_oltp_is_readonly(prepared)) BR_TRY(br_write_find(statement, err));
    for (uint32_t i = 1; i <= parameter_count; i++) {
        const char *name = br_oltp_parameter_name(prepared, i);
        if (name == NULL) continue;
        statement->ast.parameter_names[i - 1] =
            br_arena_copy_text(statement->arena, name, strlen(name));
    }
    return BR_OK;
}

static br_status statement_parse(br_statement *statement, const char *sql, br_error *err)
{
    br_error problem;
    br_status status = br_parse(sql, statement->arena, &statement->ast, &problem);
    if (status == BR_OK && statement->ast.kind != BR_STATEMENT_OTHER) return BR_OK;
    // SQLite has the last word on syntax.
    if (status == BR_OK || status == BR_SQL) return statement_prepare(statement, sql, err);
    if (err != NULL) *err = problem;
    return status;
}

static br_status statement_fill(br_statement *statement, const char *sql, br_error *err)
{
    statement->arena = br_arena_new(&statement->database->quota);
    if (statement->arena == NULL) return br_fail(err, BR_NOMEM, "statement");
    // The tree borrows from its text, so the text is copied before it is parsed.
    char *copy = br_arena_copy_text(statement->arena, sql, strlen(sql));
    if (copy == NULL) return br_fail(err, BR_NOMEM, "statement");
    statement->given_text = copy;
    BR_TRY(statement_parse(statement, copy, err));
    statement->is_summary = statement->ast.kind == BR_STATEMENT_SUMMARIZE;
    if (statement->is_summary) BR_TRY(br_summarize(statement, err));
    statement->sql = br_arena_copy_text(statement->arena, statement->ast.text, statement->ast.size);
    uint32_t count = statement->ast.parameter_count;
    statement->parameters = BR_ALLOC(statement->arena, br_value, count + 1);
    statement->parameter_masks = BR_ALLOC(statement->arena, uint8_t, count + 1);
    if (statement->sql == NULL || statement->parameters == NULL ||
        statement->parameter_masks == NULL)
        return br_fail(err, BR_NOMEM, "statement");
    memset(statement->parameter_masks, BR_MASK_NULL, count + 1);
    return BR_OK;
}

br_status br_statement_new(br_database *database, const char *sql, br_statement **statement_out,
                           const char **tail_out, br_error *err)
{
    br_statement *statement = br_heap_zalloc(sizeof *statement);
    if (statement == NULL) return br_fail(err, BR_NOMEM, "statement");
    statement->database = database;
    statement->freshness = database->freshness;
    br_status status = statement_fill(statement, sql, err);
    br_statement_set_engine(statement, database->engine);
    if (status != BR_OK) {
        br_statement_free(statement);
        return status;
    }
    if (tail_out != NULL) *tail_out = sql + (statement->ast.tail - statement->given_text);
    if (statement->ast.kind == BR_STATEMENT_EMPTY) {
        br_statement_free(statement);
        statement = NULL;
    }
    *statement_out = statement;
    return BR_OK;
}

static void parameter_release(br_value *parameter)
{
    if (parameter->class_ == BR_TEXT || parameter->class_ == BR_BLOB)
        br_heap_free((void *)(uintptr_t)parameter->text.data);
    *parameter = br_value_null();
}

void br_statement_free(br_statement *statement)
{
    if (statement == NULL) return;
    br_statement_forget_plan(statement);
    br_statement_free(statement->feed);
    if (statement->prepared != NULL) {
        br_lock_take(&statement->database->writer_lock);
        br_oltp_finalize(statement->prepared);
        br_lock_give(&statement->database->writer_lock);
    }
    for (uint32_t i = 0; statement->parameters != NULL && i < statement->ast.parameter_count; i++)
        parameter_release(&statement->parameters[i]);
    br_arena_free(statement->arena);
    br_heap_free(statement);
}

// ---- cache -------------------------------------------------------------------------------------

br_status br_statement_take(br_database *database, const char *sql, br_statement **statement_out,
                            br_error *err)
{
    size_t size = strlen(sql);
    uint64_t hash = br_hash_bytes(sql, size);
    br_statement **slot = &database->cache[hash & (BR_STATEMENT_CACHE_SLOTS - 1)];
    br_lock_take(&database->cache_lock);
    br_statement *statement = *slot;
    if (statement != NULL && statement->sql_hash == hash &&
        strcmp(statement->cached_text, sql) == 0)
        *slot = NULL;
    else
        statement = NULL;
    br_lock_give(&database->cache_lock);
    if (statement == NULL) {
        BR_TRY(br_statement_new(database, sql, &statement, NULL, err));
        if (statement != NULL) {
            statement->sql_hash = hash;
            statement->cached_text = br_arena_copy_text(statement->arena, sql, size);
        }
    }
    *statement_out = statement;
    return BR_OK;
}

void br_statement_give(br_statement *statement)
{
    if (statement == NULL) return;
    // A summary names the columns that there were.
    if (statement->cached_text == NULL || statement->ast.kind == BR_STATEMENT_OTHER ||
        statement->is_summary) {
        br_statement_free(statement);
        return;
    }
    br_database *database = statement->database;
    br_statement **slot = &database->cache[statement->sql_hash & (BR_STATEMENT_CACHE_SLOTS - 1)];
    br_lock_take(&database->cache_lock);
    br_statement *previous = *slot;
    *slot = statement;
    br_lock_give(&database->cache_lock);
    br_statement_free(previous);
}

// ---- parameters and options --------------------------------------------------------------------

uint32_t br_statement_parameters(const br_statement *statement)
{
    return statement->ast.parameter_count;
}

const char *br_statement_parameter_name(const br_statement *statement, uint32_t index)
{
    if (index == 0 || index > statement->ast.parameter_count) return NULL;
    return statement->ast.parameter_names[index - 1];
}

static br_status parameter_set(br_value *parameter, const br_value *value, br_error *err)
{
    br_value copy = *value;
    if (value->class_ == BR_TEXT || value->class_ == BR_BLOB) {
        bool has_bytes = parameter->class_ == BR_TEXT || parameter->class_ == BR_BLOB;
        // A statement that runs often mostly has the room from before.
        char *bytes = has_bytes && parameter->text.size >= value->text.size
                          ? (char *)(uintptr_t)parameter->text.data
                          : br_heap_alloc(value->text.size + 1u);
        if (bytes == NULL)
            return br_fail(err, BR_NOMEM, "parameter of %u bytes", value->text.size);
        memmove(bytes, value->text.data, value->text.size);
        bytes[value->text.size] = '\0';
        copy.text = br_text_make(bytes, value->text.size);
        if (has_bytes && bytes == parameter->text.data) *parameter = br_value_null();
    }
    parameter_release(parameter);
    *parameter = copy;
    return BR_OK;
}

br_status br_statement_bind(br_statement *statement, uint32_t index, const br_value *value,
                            br_error *err)
{
    if (index == 0 || index > statement->ast.parameter_count)
        return br_fail(err, BR_MISUSE, "parameter %u: the statement has 1 to %u", index,
                       statement->ast.parameter_count);
    BR_TRY(parameter_set(&statement->parameters[index - 1], value, err));
    uint8_t mask = (uint8_t)(1u << value->class_);
    if (statement->parameter_masks[index - 1] != mask) {
        statement->parameter_masks[index - 1] = mask;
        statement->plan_version = 0; // the plan may not fit this class
    }
    return BR_OK;
}

void br_statement_set_engine(br_statement *statement, br_engine engine)
{
    // SQLite cannot run what its grammar has not.
    bool is_ours = statement->ast.is_extended && engine == BR_ENGINE_AUTO;
    statement->engine = is_ours ? BR_ENGINE_OLAP : engine;
}

void br_statement_set_freshness(br_statement *statement, int64_t freshness)
{
    statement->freshness =
        freshness == BR_FRESH_DEFAULT ? statement->database->freshness : freshness;
}

void br_statement_set_timeout(br_statement *statement, uint32_t timeout_ms)
{
    statement->timeout_ms = timeout_ms;
}

// ---- running -----------------------------------------------------------------------------------

static br_status database_refresh(br_database *database, int64_t freshness, br_error *err)
{
    if (freshness == BR_FRESH_ANY) return BR_OK;
    if (freshness == BR_FRESH_STRICT) return br_cdc_sync(database->cdc, err);
    return br_cdc_sync_within(database->cdc, (uint64_t)freshness, err);
}

static double database_lag_ms(br_database *database)
{
    br_cdc_status status = br_cdc_get_status(database->cdc);
    return (double)(br_clock_ns() - status.synced_at_ns) / 1e6;
}

const char *br_statement_rule(const br_statement *statement)
{
    br_database *database = statement->database;
    if (statement->ast.kind == BR_STATEMENT_OTHER) return "not a query";
    if (database->cdc == NULL) return "no columnar copy";
    if (atomic_load_explicit(&database->session_alone, memory_order_relaxed))
        return "the connection has a dialect of its own";
    if (atomic_load_explicit(&database->in_transaction, memory_order_relaxed))
        return "inside an open transaction";
    return NULL;
}

const char *br_statement_reason(const br_statement *statement)
{
    if (statement->engine == BR_ENGINE_AUTO) return statement->route_reason;
    return statement->ast.is_extended ? "SQLite has no such clause" : "forced";
}

static br_status statement_plan_native(br_statement *statement, const br_snapshot *snapshot,
                                       const br_schema_ref *schema, br_error *err)
{
    BR_TRY(br_statement_plan(statement, snapshot, schema, err));
    if (statement->unsupported == NULL) return BR_OK;
    if (!statement->ast.is_extended)
        return br_fail(err, BR_UNSUPPORTED, "%s", statement->unsupported);
    br_status status = br_fail(err, statement->refusal, "%s", statement->unsupported);
    if (err != NULL) err->sql_offset = statement->refusal_offset;
    return status;
}

static br_status plan_and_run(br_statement *statement, br_olap_run *run,
                              const br_schema_ref *schema, br_outcome **outcome_out, br_error *err)
{
    BR_TRY(statement_plan_native(statement, run->snapshot, schema, err));
    if (statement->engine == BR_ENGINE_AUTO && statement->route == BR_ENGINE_OLTP)
        return br_fail(err, BR_UNSUPPORTED, "%s", statement->route_reason);
    br_status status = br_run_olap(statement, run, outcome_out, err);
    if (status != BR_RETYPE) return status;
    // A sum or product left 64 bits: plan again with arithmetic that may turn to REAL.
    statement->checked_arithmetic = true;
    br_statement_forget_plan(statement);
    BR_TRY(statement_plan_native(statement, run->snapshot, schema, err));
    return br_run_olap(statement, run, outcome_out, err);
}

static br_status run_fresh(br_statement *statement, int64_t freshness, br_olap_run *run,
                           br_outcome **outcome_out, br_error *err)
{
    br_database *database = statement->database;
    BR_TRY(database_refresh(database, freshness, err));
    br_snapshot *snapshot;
    const br_schema_ref *schema;
    br_cdc_snapshot(database->cdc, &snapshot, &schema);
    run->snapshot = snapshot;
    br_status status = plan_and_run(statement, run, schema, outcome_out, err);
    if (status == BR_OK) {
        br_outcome *outcome = *outcome_out;
        outcome->seq = br_snapshot_watermark(snapshot).seq;
        outcome->version = br_snapshot_version(snapshot);
        const char *reason = br_statement_reason(statement);
        outcome->reason = br_arena_copy_text(outcome->result->arena, reason, strlen(reason));
        if (outcome->reason == NULL) outcome->reason = "";
        outcome->lag_ms = freshness == BR_FRESH_STRICT ? 0 : database_lag_ms(database);
    }
    br_snapshot_drop(snapshot);
    br_cdc_schema_drop(schema);
    return status;
}

enum { SOURCE_TRIES = 20 }; // against writers that commit between snapshot and read transaction

br_status br_statement_run_olap(br_statement *statement, uint64_t deadline_ns,
                                br_outcome **outcome_out, br_error *err)
{
    br_olap_run run = {.deadline_ns = deadline_ns};
    // From here on an interrupt is meant for it, also while the copy is brought up to date.
    uint32_t slot = br_running_begin(statement->database, NULL);
    br_status status = run_fresh(statement, statement->freshness, &run, outcome_out, err);
    // What SQLite reads is as fresh as can be, so the snapshot has to be too.
    for (uint32_t i = 0; run.is_stale && i < SOURCE_TRIES; i++) {
        run.is_stale = false;
        status = run_fresh(statement, BR_FRESH_STRICT, &run, outcome_out, err);
    }
    br_running_end(statement->database, slot);
    return status;
}

// Failures of the columnar side that SQLite can make good for.
static bool failure_falls_back(br_status status)
{
    return status == BR_UNSUPPORTED || status == BR_CORRUPT || status == BR_IO ||
           status == BR_FULL || status == BR_INTERNAL || status == BR_RETYPE;
}

// What the columnar engine does not run may also be wrong: SQLite tells.
static br_status statement_ask_sqlite(br_statement *statement, br_error *err)
{
    br_oltp_pool *readers = statement->database->readers;
    br_oltp *reader;
    // What only the writer connection sees is none of a reader's business.
    if (atomic_load_explicit(&statement->database->session_bound, memory_order_relaxed))
        return BR_OK;
    br_oltp_statement *prepared = NULL;
    int64_t ignored;
    BR_TRY(br_oltp_pool_take(readers, &reader, err));
    // Running anything makes the reader look whether the schema has changed; compiling does not.
    br_status status =
        br_oltp_query_int(reader, "SELECT 1 FROM sqlite_master", 0, &ignored, err);
    if (status == BR_OK) status = br_oltp_prepare(reader, statement->sql, NULL, &prepared, err);
    br_oltp_finalize(prepared);
    br_oltp_pool_give(readers, reader);
    return status;
}

static br_status statement_run_other(br_statement *statement, uint64_t deadline_ns,
                                     br_outcome **outcome_out, br_error *err)
{
    bool is_done = false;
    if (statement->write != NULL)
        BR_TRY(br_write_run(statement, deadline_ns, outcome_out, &is_done, err));
    if (is_done) return BR_OK;
    return br_run_oltp(statement, deadline_ns, "not a query", outcome_out, err);
}

static br_status statement_run(br_statement *statement, br_outcome **outcome_out, br_error *err)
{
    uint64_t deadline_ns =
        statement->timeout_ms == 0 ? 0 : br_clock_ns() + (uint64_t)statement->timeout_ms * 1000000;
    if (statement->engine == BR_ENGINE_OLTP)
        return br_run_oltp(statement, deadline_ns, "forced", outcome_out, err);
    if (statement->ast.kind == BR_STATEMENT_EXPLAIN)
        return br_run_explain(statement, outcome_out, err);

    br_error problem;
    const char *rule = br_statement_rule(statement);
    bool is_query = statement->ast.kind != BR_STATEMENT_OTHER;
    if (!is_query) return statement_run_other(statement, deadline_ns, outcome_out, err);
    br_status status = rule == NULL
                           ? br_statement_run_olap(statement, deadline_ns, outcome_out, &problem)
                           : br_fail(&problem, BR_UNSUPPORTED, "%s", rule);
    if (status == BR_OK) return BR_OK;
    if (!failure_falls_back(status) || statement->engine == BR_ENGINE_OLAP) {
        bool may_be_wrong = status == BR_UNSUPPORTED && rule == NULL &&
                            !statement->ast.is_extended && statement->ast.history_count == 0;
        if (may_be_wrong) BR_TRY(statement_ask_sqlite(statement, err));
        if (status == BR_RETYPE) problem.status = status = BR_INTERNAL;
        if (err != NULL) *err = problem;
        return status;
    }
    if (!(statement->query != NULL && statement->route == BR_ENGINE_OLTP))
        br_database_note_fallback(statement->database, problem.message);
    return br_run_oltp(statement, deadline_ns, problem.message, outcome_out, err);
}

br_status br_statement_run(br_statement *statement, br_outcome **outcome_out, br_error *err)
{
    if (outcome_out != NULL || statement->ast.kind == BR_STATEMENT_OTHER)
        return statement_run(statement, outcome_out, err);
    br_outcome *unwanted = NULL;
    BR_TRY(statement_run(statement, &unwanted, err));
    br_outcome_free(unwanted);
    return BR_OK;
}
