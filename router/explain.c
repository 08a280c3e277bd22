// Which engine a statement would take, and why; with ANALYZE, what its run took.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "router/database.h"

static const char *engine_name(br_engine engine)
{
    return engine == BR_ENGINE_OLTP ? "oltp (SQLite)" : "olap (columnar)";
}

// The text that is explained, without EXPLAIN itself.
static const char *explained_sql(const br_statement *statement)
{
    bool is_explain = statement->ast.kind == BR_STATEMENT_EXPLAIN;
    return statement->sql + (is_explain ? statement->ast.query_offset : 0);
}

// ---- in SQLite ---------------------------------------------------------------------------------

// A run in SQLite tells its time and its rows, no more.
static br_status analyze_oltp(br_statement *statement, br_explanation *what, br_error *err)
{
    br_statement *query;
    br_outcome *outcome;
    BR_TRY(br_statement_new(statement->database, what->sql, &query, NULL, err));
    br_statement_set_engine(query, BR_ENGINE_OLTP);
    br_statement_set_timeout(query, statement->timeout_ms);
    br_status status = br_statement_run(query, &outcome, err);
    if (status == BR_OK) {
        what->was_run = true;
        what->run_ms = outcome->run_ms;
        what->row_count = outcome->result->row_count;
        br_outcome_free(outcome);
    }
    br_statement_free(query);
    return status;
}

// What the columnar engine does not run may also be wrong: SQLite tells.
static br_status check_oltp(br_statement *statement, const char *sql, br_error *err)
{
    br_database *database = statement->database;
    br_oltp_statement *prepared = NULL;
    br_lock_take(&database->writer_lock);
    br_status status = br_oltp_prepare(database->writer, sql, NULL, &prepared, err);
    br_oltp_finalize(prepared);
    br_lock_give(&database->writer_lock);
    return status;
}

static br_status explain_oltp(br_statement *statement, const br_explain_request *request,
                              br_explanation *what, br_buffer *out, br_error *err)
{
    bool is_query = statement->ast.kind != BR_STATEMENT_OTHER;
    what->engine = engine_name(BR_ENGINE_OLTP);
    if (is_query && statement->unsupported != NULL && statement->ast.is_extended)
        return br_fail(err, statement->refusal, "%s", statement->unsupported);
    if (is_query && statement->unsupported != NULL) BR_TRY(check_oltp(statement, what->sql, err));
    if (is_query && request->analyze) BR_TRY(analyze_oltp(statement, what, err));
    return br_explain(what, request->format, out, err);
}

// ---- columnar ----------------------------------------------------------------------------------

static br_status analyze_once(br_statement *statement, const br_snapshot *snapshot,
                              br_query_profile **profile_out, br_error *err)
{
    br_outcome *outcome = NULL;
    uint64_t deadline_ns =
        statement->timeout_ms == 0 ? 0 : br_clock_ns() + (uint64_t)statement->timeout_ms * 1000000;
    BR_TRY(br_query_profile_new(statement->query, statement->plan_arena, profile_out, err));
    br_olap_run run = {
        .snapshot = snapshot, .deadline_ns = deadline_ns, .profile = *profile_out};
    br_status status = br_run_olap(statement, &run, &outcome, err);
    br_outcome_free(outcome);
    return status;
}

// As a run does: planned again when an INTEGER turns out not to fit 64 bits.
static br_status analyze_olap(br_statement *statement, const br_snapshot *snapshot,
                              const br_schema_ref *schema, br_query_profile **profile_out,
                              br_error *err)
{
    br_status status = analyze_once(statement, snapshot, profile_out, err);
    if (status != BR_RETYPE) return status;
    statement->checked_arithmetic = true;
    br_statement_forget_plan(statement);
    BR_TRY(br_statement_plan(statement, snapshot, schema, err));
    if (statement->unsupported != NULL)
        return br_fail(err, BR_UNSUPPORTED, "%s", statement->unsupported);
    return analyze_once(statement, snapshot, profile_out, err);
}

static br_status explain_plan(br_statement *statement, const br_snapshot *snapshot,
                              const br_schema_ref *schema, const br_explain_request *request,
                              br_buffer *out, br_error *err)
{
    br_explanation what = {.sql = explained_sql(statement)};
    br_query_profile *profile = NULL;
    BR_TRY(br_statement_plan(statement, snapshot, schema, err));
    if (statement->unsupported != NULL) {
        what.reason = statement->unsupported;
        return explain_oltp(statement, request, &what, out, err);
    }
    bool forced = statement->engine != BR_ENGINE_AUTO;
    if (request->analyze) BR_TRY(analyze_olap(statement, snapshot, schema, &profile, err));
    what.engine = engine_name(forced ? statement->engine : statement->route);
    what.reason = br_statement_reason(statement);
    what.query = statement->query;
    what.cost_olap_ns = statement->cost_olap_ns;
    what.cost_oltp_ns = statement->cost_oltp_ns;
    what.seq = br_snapshot_watermark(snapshot).seq;
    what.profile = profile;
    return br_explain(&what, request->format, out, err);
}

br_status br_statement_explain(br_statement *statement, const br_explain_request *asked,
                               br_buffer *out, br_error *err)
{
    br_database *database = statement->database;
    br_explain_request request = *asked;
    request.analyze = request.analyze || statement->ast.analyze;
    if (statement->ast.kind == BR_STATEMENT_OTHER || database->cdc == NULL) {
        br_explanation what = {.sql = explained_sql(statement), .reason = "not a query"};
        if (database->cdc == NULL) what.reason = database->cdc_problem;
        return explain_oltp(statement, &request, &what, out, err);
    }
    BR_TRY(br_cdc_sync(database->cdc, err));
    br_snapshot *snapshot;
    const br_schema_ref *schema;
    br_cdc_snapshot(database->cdc, &snapshot, &schema);
    br_status status = explain_plan(statement, snapshot, schema, &request, out, err);
    br_snapshot_drop(snapshot);
    br_cdc_schema_drop(schema);
    return status;
}

// ---- as a statement ----------------------------------------------------------------------------

static br_status explain_rows(br_result *result, const br_buffer *text, br_error *err)
{
    const char *bytes = br_arena_copy(result->arena, text->bytes, text->size_bytes);
    uint32_t line_count = 0;
    for (size_t i = 0; bytes != NULL && i < text->size_bytes; i++) line_count += bytes[i] == '\n';
    br_text *lines = BR_ALLOC(result->arena, br_text, line_count);
    br_batch *batches = BR_ALLOC(result->arena, br_batch, line_count / BR_BATCH_ROWS + 1);
    br_vector *vectors = BR_ALLOC(result->arena, br_vector, line_count / BR_BATCH_ROWS + 1);
    const char **names = BR_ALLOC(result->arena, const char *, 1);
    if (bytes == NULL || lines == NULL || batches == NULL || vectors == NULL || names == NULL)
        return br_fail(err, BR_NOMEM, "explain text");
    uint32_t line = 0;
    for (const char *start = bytes, *at = bytes; line < line_count; at++) {
        if (*at != '\n') continue;
        lines[line++] = br_text_make(start, (uint32_t)(at - start));
        start = at + 1;
    }
    for (uint32_t first = 0; first < line_count; first += BR_BATCH_ROWS) {
        uint32_t rest = line_count - first;
        vectors[result->batch_count] =
            (br_vector){.class_ = BR_TEXT, .kind = BR_VECTOR_FLAT, .text = lines + first};
        batches[result->batch_count] = (br_batch){
            .row_count = rest < BR_BATCH_ROWS ? rest : BR_BATCH_ROWS,
            .column_count = 1,
            .columns = &vectors[result->batch_count],
        };
        result->batch_count++;
    }
    names[0] = "plan";
    result->column_names = names;
    result->column_count = 1;
    result->batches = batches;
    result->row_count = line_count;
    return BR_OK;
}

// EXPLAIN as a statement: the same text, one row per line.
br_status br_run_explain(br_statement *statement, br_outcome **outcome_out, br_error *err)
{
    br_buffer text = {0};
    br_outcome *outcome = NULL;
    br_status status = br_statement_explain(statement, &(br_explain_request){0}, &text, err);
    if (status == BR_OK) status = br_outcome_new(statement->database, &outcome, err);
    if (status == BR_OK) status = explain_rows(outcome->result, &text, err);
    br_buffer_release(&text);
    if (status != BR_OK) {
        br_outcome_free(outcome);
        return status;
    }
    outcome->engine = BR_ENGINE_OLAP;
    outcome->reason = "explain";
    *outcome_out = outcome;
    return BR_OK;
}
