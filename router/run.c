// One run of a statement on one engine, and the rows it leaves.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/heap.h"
#include "router/database.h"

br_status br_outcome_new(br_database *database, br_outcome **outcome_out, br_error *err)
{
    br_outcome *outcome = br_heap_zalloc(sizeof *outcome);
    br_arena *arena = br_arena_new(&database->quota);
    br_result *result = arena == NULL ? NULL : BR_ALLOC(arena, br_result, 1);
    if (outcome == NULL || result == NULL) {
        br_heap_free(outcome);
        br_arena_free(arena);
        return br_fail(err, BR_NOMEM, "result of a query");
    }
    result->arena = arena;
    outcome->result = result;
    outcome->reason = "";
    *outcome_out = outcome;
    return BR_OK;
}

void br_outcome_free(br_outcome *outcome)
{
    if (outcome == NULL) return;
    br_result_free(outcome->result);
    br_heap_free(outcome);
}

// ---- SQLite ------------------------------------------------------------------------------------

enum { FIRST_BATCH_ROWS = 16 }; // most results are small; each batch may be twice the one before

typedef struct collector {
    br_result *result;
    br_value **rows; // per column, row_capacity values of the batch being filled; or NULL
    uint32_t batch_capacity;
    uint32_t row_capacity; // of the batch being filled
    uint32_t row_count;    // in the batch being filled
} collector;

static br_status no_memory(br_error *err)
{
    return br_fail(err, BR_NOMEM, "rows of a result");
}

// A vector over `count` values: of their single class where they have one.
static br_status vector_narrow(br_arena *arena, const br_value *values, uint32_t count,
                               br_vector *out, br_error *err)
{
    unsigned mask = 0;
    for (uint32_t row = 0; row < count; row++) mask |= 1u << values[row].class_;
    br_class class_ = br_class_of_mask(mask);
    *out = (br_vector){.class_ = (uint8_t)class_, .kind = BR_VECTOR_FLAT, .any = values};
    if (class_ == BR_ANY) return BR_OK;
    if (class_ == BR_NULL) {
        *out = br_vector_null();
        return BR_OK;
    }
    bool is_text = class_ == BR_TEXT || class_ == BR_BLOB;
    int64_t *numbers = is_text ? NULL : BR_ALLOC(arena, int64_t, count);
    br_text *texts = is_text ? BR_ALLOC(arena, br_text, count) : NULL;
    uint64_t *validity = BR_ALLOC(arena, uint64_t, br_bitmap_words(count));
    if ((numbers == NULL && texts == NULL) || validity == NULL) return no_memory(err);
    for (uint32_t row = 0; row < count; row++) {
        if (values[row].class_ == BR_NULL) continue;
        br_bitmap_set(validity, row);
        if (is_text)
            texts[row] = values[row].text;
        else
            memcpy(&numbers[row], &values[row].i64, sizeof numbers[row]); // or the double's bits
    }
    out->data = is_text ? (const void *)texts : (const void *)numbers;
    out->validity = (mask & BR_MASK_NULL) != 0 ? validity : NULL;
    return BR_OK;
}

static br_status collector_flush(collector *self, br_error *err)
{
    br_result *result = self->result;
    if (self->row_count == 0) return BR_OK;
    if (result->batch_count == self->batch_capacity) {
        uint32_t capacity = self->batch_capacity == 0 ? 16 : self->batch_capacity * 2;
        br_batch *batches = BR_ALLOC(result->arena, br_batch, capacity);
        if (batches == NULL) return no_memory(err);
        if (result->batch_count > 0)
            memcpy(batches, result->batches, result->batch_count * sizeof *batches);
        result->batches = batches;
        self->batch_capacity = capacity;
    }
    br_batch *batch = &result->batches[result->batch_count];
    batch->row_count = self->row_count;
    batch->column_count = result->column_count;
    batch->columns = BR_ALLOC(result->arena, br_vector, result->column_count);
    if (batch->columns == NULL) return no_memory(err);
    for (uint32_t column = 0; column < result->column_count; column++) {
        BR_TRY(vector_narrow(result->arena, self->rows[column], self->row_count,
                             &batch->columns[column], err));
        self->rows[column] = NULL;
    }
    result->batch_count++;
    result->row_count += self->row_count;
    self->row_count = 0;
    if (self->row_capacity < BR_BATCH_ROWS) self->row_capacity *= 2;
    return BR_OK;
}

static br_status collector_add(collector *self, br_oltp_statement *prepared, br_error *err)
{
    br_arena *arena = self->result->arena;
    for (uint32_t column = 0; column < self->result->column_count; column++) {
        if (self->rows[column] == NULL)
            self->rows[column] = BR_ALLOC(arena, br_value, self->row_capacity);
        if (self->rows[column] == NULL) return no_memory(err);
        br_value value = br_oltp_column(prepared, column);
        if (value.class_ == BR_TEXT || value.class_ == BR_BLOB) {
            const char *bytes = br_arena_copy(arena, value.text.data, value.text.size);
            if (bytes == NULL) return no_memory(err);
            value.text.data = bytes;
        }
        self->rows[column][self->row_count] = value;
    }
    if (++self->row_count < self->row_capacity) return BR_OK;
    return collector_flush(self, err);
}

static br_status collector_begin(collector *self, br_oltp_statement *prepared, br_error *err)
{
    br_result *result = self->result;
    uint32_t count = br_oltp_column_count(prepared);
    result->column_count = count;
    result->column_names = BR_ALLOC(result->arena, const char *, count);
    self->rows = BR_ALLOC(result->arena, br_value *, count);
    if (result->column_names == NULL || self->rows == NULL) return no_memory(err);
    for (uint32_t column = 0; column < count; column++) {
        const char *name = br_oltp_column_name(prepared, column);
        result->column_names[column] = br_arena_copy_text(result->arena, name, strlen(name));
        if (result->column_names[column] == NULL) return no_memory(err);
    }
    return BR_OK;
}

static br_status collector_run(collector *self, br_database *database, br_oltp_statement *prepared,
                               uint64_t deadline_ns, br_error *err)
{
    bool has_row = false;
    BR_TRY(br_oltp_step(prepared, &has_row, err));
    // Only now: the first step compiles the statement anew when the schema has changed.
    bool has_columns = br_oltp_column_count(prepared) > 0;
    if (has_columns) BR_TRY(collector_begin(self, prepared, err));
    while (has_row) {
        if (has_columns) BR_TRY(collector_add(self, prepared, err));
        if (atomic_load_explicit(&database->cancelled, memory_order_relaxed))
            return br_fail(err, BR_INTERRUPTED, "interrupted");
        if (deadline_ns != 0 && br_clock_ns() > deadline_ns)
            return br_fail(err, BR_INTERRUPTED, "timeout");
        BR_TRY(br_oltp_step(prepared, &has_row, err));
    }
    return collector_flush(self, err);
}

br_status br_collect_rows(br_database *database, br_oltp_statement *prepared, uint64_t deadline_ns,
                          br_outcome **outcome_out, br_error *err)
{
    br_outcome *outcome;
    BR_TRY(br_outcome_new(database, &outcome, err));
    collector self = {.result = outcome->result, .row_capacity = FIRST_BATCH_ROWS};
    br_status status = collector_run(&self, database, prepared, deadline_ns, err);
    if (status != BR_OK) {
        br_outcome_free(outcome);
        return status;
    }
    *outcome_out = outcome;
    return BR_OK;
}

// For callers who want no rows: nothing is built.
static br_status skip_rows(br_database *database, br_oltp_statement *prepared, br_error *err)
{
    bool has_row = true;
    while (has_row) {
        BR_TRY(br_oltp_step(prepared, &has_row, err));
        if (has_row && atomic_load_explicit(&database->cancelled, memory_order_relaxed))
            return br_fail(err, BR_INTERRUPTED, "interrupted");
    }
    return BR_OK;
}

static br_status run_prepared(br_statement *statement, br_oltp *oltp, br_oltp_statement *prepared,
                              uint64_t deadline_ns, br_outcome **outcome_out, br_error *err)
{
    br_database *database = statement->database;
    uint32_t count = br_oltp_parameter_count(prepared);
    for (uint32_t i = 1; i <= count; i++) {
        if (i <= statement->ast.parameter_count)
            BR_TRY(br_oltp_bind(prepared, i, &statement->parameters[i - 1], err));
    }
    uint32_t slot = br_running_begin(database, oltp);
    if (deadline_ns != 0) br_oltp_set_deadline(oltp, deadline_ns);
    br_status status = outcome_out == NULL
                           ? skip_rows(database, prepared, err)
                           : br_collect_rows(database, prepared, deadline_ns, outcome_out, err);
    if (deadline_ns != 0) br_oltp_set_deadline(oltp, 0);
    br_running_end(database, slot);
    return status;
}

// The text that SQLite is given: histories written out, for the schema as it is.
static br_status expand(br_statement *statement, br_arena *arena, const char **text_out,
                        br_error *err)
{
    br_database *database = statement->database;
    if (database->cdc == NULL)
        return br_fail(err, BR_UNSUPPORTED, "histories need the columnar copy");
    // Who cannot bring the copy up to date knows the schema that there was.
    br_status synced = br_cdc_sync(database->cdc, err);
    if (synced == BR_NOMEM) return synced;
    const br_schema_ref *schema = br_cdc_schema_acquire(database->cdc);
    br_catalog_context context = {
        .arena = arena,
        .database = database,
        .statement = statement,
        .schema = br_schema_ref_get(schema),
    };
    br_sql_catalog catalog = br_catalog_make(&context);
    br_status status = br_history_expand(&statement->ast, &catalog, arena, text_out, err);
    br_cdc_schema_drop(schema);
    return status;
}

static br_status prepare_on(br_statement *statement, br_oltp *oltp, const char *text,
                            br_oltp_statement **prepared_out, br_error *err)
{
    int64_t ignored;
    if (text == statement->sql) return br_oltp_prepare(oltp, text, NULL, prepared_out, err);
    // Running anything makes the connection look whether the schema has changed.
    BR_TRY(br_oltp_query_int(oltp, "SELECT 1 FROM sqlite_master", 0, &ignored, err));
    br_status status = br_oltp_prepare(oltp, text, NULL, prepared_out, err);
    // An offset into that text means nothing to who wrote the statement.
    if (status != BR_OK && err != NULL) err->sql_offset = -1;
    return status;
}

static br_status run_on(br_statement *statement, br_oltp *oltp, const char *text,
                        uint64_t deadline_ns, br_outcome **outcome_out, br_error *err)
{
    // The text of one that reads histories is made anew for each run.
    bool is_kept = oltp == statement->database->writer && text == statement->sql;
    br_oltp_statement *prepared = is_kept ? statement->prepared : NULL;
    if (prepared == NULL) BR_TRY(prepare_on(statement, oltp, text, &prepared, err));
    if (prepared == NULL)
        return outcome_out == NULL ? BR_OK
                                   : br_outcome_new(statement->database, outcome_out, err);
    if (is_kept) statement->prepared = prepared;
    br_status status =
        run_prepared(statement, oltp, prepared, deadline_ns, outcome_out, err);
    if (is_kept) br_oltp_reset(prepared);
    else br_oltp_finalize(prepared);
    return status;
}

static br_status run_text(br_statement *statement, const char *text, uint64_t deadline_ns,
                          const char *reason, br_outcome **outcome_out, br_error *err)
{
    br_database *database = statement->database;
    bool on_writer = statement->ast.kind == BR_STATEMENT_OTHER ||
                     atomic_load_explicit(&database->session_bound, memory_order_relaxed) ||
                     atomic_load_explicit(&database->in_transaction, memory_order_relaxed);
    br_oltp *reader = NULL;
    br_status status;
    uint64_t began_ns = outcome_out == NULL ? 0 : br_clock_ns();
    // Before the run: what the copy holds is committed, so SQLite shows it, but to a transaction
    // that may have begun before.
    bool tells_seq = outcome_out != NULL && database->cdc != NULL && !on_writer;
    uint64_t seq = tells_seq ? br_cdc_get_status(database->cdc).seq : 0;
    if (on_writer) {
        br_lock_take(&database->writer_lock);
        status = run_on(statement, database->writer, text, deadline_ns, outcome_out, err);
        if (statement->may_bind_session) br_writer_note_session(database, statement->sql);
        br_writer_note_transaction(database);
        br_lock_give(&database->writer_lock);
    } else {
        BR_TRY(br_oltp_pool_take(database->readers, &reader, err));
        status = run_on(statement, reader, text, deadline_ns, outcome_out, err);
        br_oltp_pool_give(database->readers, reader);
    }
    if (status != BR_OK || outcome_out == NULL) return status;
    br_outcome *outcome = *outcome_out;
    outcome->engine = BR_ENGINE_OLTP;
    outcome->seq = seq;
    outcome->run_ms = (double)(br_clock_ns() - began_ns) / 1e6;
    outcome->reason = reason;
    if (statement->ast.kind == BR_STATEMENT_OTHER) return BR_OK; // it is one of a few literals
    outcome->reason = br_arena_copy_text(outcome->result->arena, reason, strlen(reason));
    if (outcome->reason == NULL) outcome->reason = "";
    return BR_OK;
}

br_status br_run_oltp(br_statement *statement, uint64_t deadline_ns, const char *reason,
                      br_outcome **outcome_out, br_error *err)
{
    if (statement->ast.history_count == 0)
        return run_text(statement, statement->sql, deadline_ns, reason, outcome_out, err);
    const char *text = NULL;
    br_arena *arena = br_arena_new(&statement->database->quota);
    if (arena == NULL) return br_fail(err, BR_NOMEM, "statement");
    br_status status = expand(statement, arena, &text, err);
    if (status == BR_OK) status = run_text(statement, text, deadline_ns, reason, outcome_out, err);
    br_arena_free(arena);
    return status;
}

// ---- columnar ----------------------------------------------------------------------------------

enum { NOW_BYTES = 32 };

// The time of day in UTC, to the millisecond: SQLite's date functions count no finer.
static br_text now_text(char *bytes)
{
    uint64_t now_us = br_clock_wall_us();
    br_datetime_format((int64_t)(now_us / 1000000), bytes);
    uint32_t milliseconds = (uint32_t)(now_us / 1000 % 1000);
    bytes[19] = '.';
    for (uint32_t i = 3; i > 0; i--, milliseconds /= 10)
        bytes[19 + i] = (char)('0' + milliseconds % 10);
    return br_text_make(bytes, 23);
}

static br_status run_query(br_statement *statement, const br_olap_run *run,
                           br_source_set *sources, br_outcome *outcome, br_error *err)
{
    br_database *database = statement->database;
    br_bridge_set bridges;
    char now[NOW_BYTES];
    br_exec_env env = {
        .snapshot = run->snapshot,
        .pool = database->pool,
        .isa = database->isa,
        .quota = &outcome->quota,
        .hook = database->hook,
        .parameters = statement->parameters,
        .now = now_text(now),
        .cancelled = &database->cancelled,
        .deadline_ns = run->deadline_ns,
        .bridge = br_bridge_set_open(&bridges, database, sources),
        .io_mode = database->io_mode,
        .profile = run->profile,
    };
    for (uint32_t i = 0; i < BR_SPILL_FOLDERS_MAX; i++)
        env.spill_folders[i] = database->spill_folders[i];
    uint32_t slot = br_running_begin(database, sources->reader);
    br_status status = br_exec_run(statement->query, &env, &outcome->result, err);
    br_running_end(database, slot);
    br_bridge_set_close(&bridges);
    return status;
}

static br_status run_with_sources(br_statement *statement, br_olap_run *run,
                                  br_outcome *outcome, br_error *err)
{
    br_source_set sources = {0};
    if (!statement->query->reads_sources) return run_query(statement, run, &sources, outcome, err);
    br_status status = br_source_set_open(&sources, statement->database, run, err);
    if (status == BR_OK) status = run_query(statement, run, &sources, outcome, err);
    br_source_set_close(&sources);
    return status;
}

br_status br_run_olap(br_statement *statement, br_olap_run *run, br_outcome **outcome_out,
                      br_error *err)
{
    br_database *database = statement->database;
    br_outcome *outcome = br_heap_zalloc(sizeof *outcome);
    if (outcome == NULL) return br_fail(err, BR_NOMEM, "result of a query");
    br_quota_init(&outcome->quota, database->query_bytes, &database->quota);
    uint64_t began_ns = br_clock_ns();
    br_status status = run_with_sources(statement, run, outcome, err);
    br_plan_collations_forget(statement);
    if (run->profile != NULL)
        run->profile->peak_bytes =
            atomic_load_explicit(&outcome->quota.peak_bytes, memory_order_relaxed);
    if (status != BR_OK) {
        br_outcome_free(outcome);
        return status;
    }
    outcome->engine = BR_ENGINE_OLAP;
    outcome->reason = "";
    outcome->run_ms = (double)(br_clock_ns() - began_ns) / 1e6;
    *outcome_out = outcome;
    return BR_OK;
}
