// Which engine a statement would take, and why.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "router/database.h"

static const char *engine_name(br_engine engine)
{
    return engine == BR_ENGINE_OLTP ? "oltp (SQLite)" : "olap (columnar)";
}

// What the columnar engine does not run may also be wrong: SQLite tells.
static br_status explain_oltp(br_statement *statement, br_buffer *out, br_error *err)
{
    br_database *database = statement->database;
    br_oltp_statement *prepared = NULL;
    br_lock_take(&database->writer_lock);
    br_status status = br_oltp_prepare(database->writer, statement->sql, NULL, &prepared, err);
    br_oltp_finalize(prepared);
    br_lock_give(&database->writer_lock);
    if (status != BR_OK) return status;
    bool ok = br_buffer_format(out, "engine: %s\nreason: %s\n", engine_name(BR_ENGINE_OLTP),
                               statement->unsupported);
    return ok ? BR_OK : br_fail(err, BR_NOMEM, "explain text");
}

static br_status explain_plan(br_statement *statement, const br_snapshot *snapshot,
                              const br_schema_ref *schema, br_buffer *out, br_error *err)
{
    BR_TRY(br_statement_plan(statement, snapshot, schema, err));
    if (statement->unsupported != NULL) return explain_oltp(statement, out, err);
    bool forced = statement->engine != BR_ENGINE_AUTO;
    bool ok = br_buffer_format(out,
                               "engine: %s\nreason: %s\ncost: columnar %.3f ms, SQLite %.3f ms\n"
                               "freshness: seq %llu\n",
                               engine_name(forced ? statement->engine : statement->route),
                               forced ? "forced" : statement->route_reason,
                               statement->cost_olap_ns / 1e6, statement->cost_oltp_ns / 1e6,
                               (unsigned long long)br_snapshot_watermark(snapshot).seq);
    if (!ok) return br_fail(err, BR_NOMEM, "explain text");
    return br_query_explain(statement->query, out, err);
}

br_status br_statement_explain(br_statement *statement, br_buffer *out, br_error *err)
{
    br_database *database = statement->database;
    if (statement->ast.kind == BR_STATEMENT_OTHER || database->cdc == NULL) {
        const char *reason = database->cdc == NULL ? database->cdc_problem : "not a query";
        bool ok =
            br_buffer_format(out, "engine: %s\nreason: %s\n", engine_name(BR_ENGINE_OLTP), reason);
        return ok ? BR_OK : br_fail(err, BR_NOMEM, "explain text");
    }
    BR_TRY(br_cdc_sync(database->cdc, err));
    br_snapshot *snapshot;
    const br_schema_ref *schema;
    br_cdc_snapshot(database->cdc, &snapshot, &schema);
    br_status status = explain_plan(statement, snapshot, schema, out, err);
    br_snapshot_drop(snapshot);
    br_cdc_schema_drop(schema);
    return status;
}

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
    br_status status = br_statement_explain(statement, &text, err);
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
