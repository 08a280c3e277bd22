// Writes fed by a SELECT: INSERT ... SELECT and CREATE TABLE ... AS SELECT.
//
// The columnar engine runs the SELECT on a snapshot. Then SQLite takes its write lock, under which
// nobody can commit: if the snapshot still is what a query would see now, its rows go to SQLite, as
// the table _braid_rows in the place of the SELECT; if not, all begins again.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "router/database.h"

enum { TRIES = 3 };  // against writers that commit while the SELECT runs

static bool append_span(br_buffer *out, const char *text, br_span span)
{
    return br_buffer_append(out, text + span.begin, span.end - span.begin);
}

static br_status no_memory(br_error *err)
{
    return br_fail(err, BR_NOMEM, "statement");
}

br_status br_write_find(br_statement *statement, br_error *err)
{
    br_write_ast *write = BR_ALLOC(statement->arena, br_write_ast, 1);
    if (write == NULL) return no_memory(err);
    br_status status = br_parse_write(statement->ast.text, statement->arena, write, err);
    if (status == BR_OK) statement->write = write;
    return status == BR_NOMEM ? status : BR_OK;  // what we cannot read is for SQLite alone
}

bool br_text_may_be_fed(const char *sql)
{
    if (strcasestr(sql, "select") == NULL) return false;
    br_arena *arena = br_arena_new(NULL);
    br_statement_ast first, rest;
    br_write_ast write;
    bool may_be = arena != NULL && br_parse(sql, arena, &first, NULL) == BR_OK &&
                  first.kind == BR_STATEMENT_OTHER &&
                  br_parse_write(sql, arena, &write, NULL) == BR_OK &&
                  br_parse(first.tail, arena, &rest, NULL) == BR_OK &&
                  rest.kind == BR_STATEMENT_EMPTY;
    br_arena_free(arena);
    return may_be;
}

// ---- the SELECT --------------------------------------------------------------------------------

static br_status make_feed(br_statement *statement, br_error *err)
{
    const br_write_ast *write = statement->write;
    br_buffer sql = {0};
    bool is_built = append_span(&sql, statement->ast.text, write->with) &&
                    append_span(&sql, statement->ast.text, write->select) &&
                    br_buffer_append(&sql, "", 1);
    br_status status = is_built ? br_statement_new(statement->database, (const char *)sql.bytes,
                                                   &statement->feed, NULL, err)
                                : no_memory(err);
    br_buffer_release(&sql);
    return status;
}

// BR_UNSUPPORTED: SQLite has to run it.
static br_status run_feed(br_statement *statement, uint64_t deadline_ns, br_outcome **outcome_out,
                          br_error *err)
{
    if (statement->feed == NULL) BR_TRY(make_feed(statement, err));
    br_statement *feed = statement->feed;
    uint32_t count = statement->ast.parameter_count;
    // Parameters behind the SELECT would get other numbers once it is replaced.
    bool is_fit = feed->ast.kind == BR_STATEMENT_SELECT && feed->ast.parameter_count == count &&
                  br_statement_rule(feed) == NULL &&
                  strcasestr(feed->sql, "last_insert_rowid") == NULL;  // it changes row by row
    if (!is_fit) return br_fail(err, BR_UNSUPPORTED, "SQLite has to run the whole statement");
    for (uint32_t i = 1; i <= count; i++)
        BR_TRY(br_statement_bind(feed, i, &statement->parameters[i - 1], err));
    feed->engine = statement->engine;
    feed->freshness = BR_FRESH_STRICT;
    BR_TRY(br_statement_run_olap(feed, deadline_ns, outcome_out, err));
    if ((*outcome_out)->result->column_count <= BR_OLTP_ROWS_COLUMNS_MAX) return BR_OK;
    br_outcome_free(*outcome_out);
    return br_fail(err, BR_UNSUPPORTED, "more than %d columns", BR_OLTP_ROWS_COLUMNS_MAX);
}

// ---- its rows, in SQLite -----------------------------------------------------------------------

typedef struct result_source {
    br_batch_source base;
    const br_result *result;
    uint32_t next;
} result_source;

static br_status result_source_next(br_batch_source *base, br_batch *batch_out, br_error *err)
{
    (void)err;
    result_source *self = (result_source *)base;
    *batch_out = self->next < self->result->batch_count ? self->result->batches[self->next++]
                                                        : (br_batch){0};
    return BR_OK;
}

// With a WHERE: without one, SQLite takes the ON of an ON CONFLICT behind it for a join's.
static bool append_rows_select(br_buffer *out, uint32_t column_count, uint32_t parameter)
{
    bool is_built = true;
    for (uint32_t i = 0; is_built && i < column_count; i++)
        is_built = br_buffer_format(out, "%sc%u", i == 0 ? " SELECT " : ",", i);
    return is_built && br_buffer_format(out, " FROM _braid_rows(?%u) WHERE true ", parameter);
}

// The statement with _braid_rows in the place of its SELECT.
static bool append_fed_write(br_buffer *out, const br_statement *statement, uint32_t column_count)
{
    const br_write_ast *write = statement->write;
    const char *text = statement->ast.text;
    uint32_t parameter = statement->ast.parameter_count + 1;
    bool is_built;
    if (write->creates_table) {
        is_built = br_buffer_format(out, "INSERT INTO ") &&
                   append_span(out, text, write->target) &&
                   append_rows_select(out, column_count, parameter);
    } else {
        br_span head = {0, write->select.begin}, tail = {write->select.end, statement->ast.size};
        is_built = append_span(out, text, head) &&
                   append_rows_select(out, column_count, parameter) &&
                   append_span(out, text, tail);
    }
    return is_built && br_buffer_append(out, "", 1);
}

// The table without rows, which gets its columns' names and types from SQLite.
static bool append_create(br_buffer *out, const br_statement *statement)
{
    const br_write_ast *write = statement->write;
    br_span head = {0, write->select.begin};
    bool is_built = append_span(out, statement->ast.text, head);
    if (!write->takes_limit) is_built = is_built && br_buffer_format(out, "SELECT * FROM (");
    is_built = is_built && append_span(out, statement->ast.text, write->select);
    if (!write->takes_limit) is_built = is_built && br_buffer_format(out, ")");
    return is_built && br_buffer_format(out, " LIMIT 0") && br_buffer_append(out, "", 1);
}

static br_status bind_parameters(br_statement *statement, br_oltp_statement *prepared,
                                 br_error *err)
{
    uint32_t count = br_oltp_parameter_count(prepared);
    if (count > statement->ast.parameter_count) count = statement->ast.parameter_count;
    for (uint32_t i = 1; i <= count; i++)
        BR_TRY(br_oltp_bind(prepared, i, &statement->parameters[i - 1], err));
    return BR_OK;
}

// Runs `sql`, which may read `source`. `outcome_out` NULL: nobody wants what it returns.
static br_status run_text(br_statement *statement, const br_buffer *sql, result_source *source,
                          uint64_t deadline_ns, br_outcome **outcome_out, br_error *err)
{
    br_database *database = statement->database;
    br_oltp_statement *prepared;
    BR_TRY(br_oltp_prepare(database->writer, (const char *)sql->bytes, NULL, &prepared, err));
    br_status status = bind_parameters(statement, prepared, err);
    if (status == BR_OK && source != NULL)
        status = br_oltp_bind_batches(prepared, statement->ast.parameter_count + 1, &source->base,
                                      err);
    br_outcome *outcome = NULL;
    if (status == BR_OK) status = br_collect_rows(database, prepared, deadline_ns, &outcome, err);
    br_oltp_finalize(prepared);
    if (outcome_out != NULL)
        *outcome_out = outcome;
    else
        br_outcome_free(outcome);
    return status;
}

static br_status write_rows(br_statement *statement, const br_result *rows, uint64_t deadline_ns,
                            br_outcome **outcome_out, br_error *err)
{
    br_buffer create = {0}, insert = {0};
    result_source source = {.base = {.next = result_source_next}, .result = rows};
    bool is_built = append_fed_write(&insert, statement, rows->column_count) &&
                    (!statement->write->creates_table || append_create(&create, statement));
    br_status status = is_built ? BR_OK : no_memory(err);
    if (status == BR_OK && create.bytes != NULL)
        status = run_text(statement, &create, NULL, deadline_ns, NULL, err);
    if (status == BR_OK)
        status = run_text(statement, &insert, &source, deadline_ns, outcome_out, err);
    br_buffer_release(&create);
    br_buffer_release(&insert);
    return status;
}

// Ends the transaction as SQLite would have done without one. A failed INSERT has taken back what
// it is not to keep (OR FAIL keeps rows, OR ROLLBACK has ended everything).
static br_status end_transaction(br_statement *statement, br_status status, br_error *err)
{
    br_oltp *writer = statement->database->writer;
    if (!br_oltp_in_transaction(writer)) return status;
    if (status == BR_OK) {
        status = br_oltp_exec(writer, "COMMIT", err);
        if (status == BR_OK) return BR_OK;
    } else if (!statement->write->creates_table && br_oltp_exec(writer, "COMMIT", NULL) == BR_OK) {
        return status;
    }
    br_status ignored = br_oltp_exec(writer, "ROLLBACK", NULL);
    (void)ignored;  // there is nothing else to do
    return status;
}

// *is_current_out is false, and nothing was written, when the rows are of an older commit point.
static br_status write_if_current(br_statement *statement, const br_outcome *rows,
                                  uint64_t deadline_ns, br_outcome **outcome_out,
                                  bool *is_current_out, br_error *err)
{
    br_database *database = statement->database;
    *is_current_out = false;
    if (br_oltp_in_transaction(database->writer)) return BR_OK;
    BR_TRY(br_oltp_exec(database->writer, "BEGIN IMMEDIATE", err));
    if (!br_cdc_is_current(database->cdc, rows->version))
        return br_oltp_exec(database->writer, "ROLLBACK", err);
    *is_current_out = true;
    uint32_t slot = br_running_begin(database, database->writer);
    if (deadline_ns != 0) br_oltp_set_deadline(database->writer, deadline_ns);
    br_status status = write_rows(statement, rows->result, deadline_ns, outcome_out, err);
    if (deadline_ns != 0) br_oltp_set_deadline(database->writer, 0);
    br_running_end(database, slot);
    return end_transaction(statement, status, err);
}

br_status br_write_run(br_statement *statement, uint64_t deadline_ns, br_outcome **outcome_out,
                       bool *is_done_out, br_error *err)
{
    br_database *database = statement->database;
    *is_done_out = false;
    if (statement->engine == BR_ENGINE_OLTP) return BR_OK;
    for (uint32_t i = 0; i < TRIES && !*is_done_out; i++) {
        br_outcome *rows, *outcome = NULL;
        br_status status = run_feed(statement, deadline_ns, &rows, err);
        if (status == BR_INTERRUPTED) return status;
        if (status != BR_OK) return BR_OK;  // SQLite runs it, or says what is wrong
        br_lock_take(&database->writer_lock);
        status = write_if_current(statement, rows, deadline_ns, &outcome, is_done_out, err);
        br_writer_note_transaction(database);
        br_lock_give(&database->writer_lock);
        if (outcome != NULL) {
            outcome->engine = BR_ENGINE_OLAP;
            outcome->reason = "its SELECT is columnar";
            outcome->seq = rows->seq;
            outcome->run_ms = rows->run_ms;
        }
        br_outcome_free(rows);
        if (status != BR_OK || outcome_out == NULL)
            br_outcome_free(outcome);
        else if (*is_done_out)
            *outcome_out = outcome;
        if (status != BR_OK) return status;
    }
    return BR_OK;
}
