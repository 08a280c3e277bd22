// bridge.c - SQLite's scalar functions and number formatting, for batches of rows.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "oltp/handle.h"

enum {
    CALLS_MAX = 64,  // statements kept; a query seldom calls more than a few functions
    ROW_VALUES_MAX = 32,  // columns of a table-valued function that need no memory of their own
};

// A function called with a number of arguments, or an expression, prepared.
typedef struct prepared_call {
    char *function;  // on the heap
    bool is_expression;
    uint32_t argument_count;
    bool is_busy;  // its rows are being read
    br_oltp_statement *statement;
} prepared_call;

struct br_oltp_bridge {
    br_oltp *oltp;
    bool is_borrowed;  // the connection is somebody else's
    prepared_call calls[CALLS_MAX];
    uint32_t call_count;
    uint32_t next_victim;
};

br_status br_oltp_bridge_new(br_oltp_functions *functions, br_oltp_bridge **bridge_out,
                             br_error *err)
{
    br_oltp_bridge *bridge = br_heap_zalloc(sizeof *bridge);
    if (bridge == NULL) return br_fail(err, BR_NOMEM, "no memory for SQLite's functions");
    br_oltp_config config = {
        .path = ":memory:", .functions = functions, .create = true, .journal_as_is = true};
    br_status status = br_oltp_open(&config, &bridge->oltp, err);
    if (status != BR_OK) {
        br_oltp_bridge_free(bridge);
        return status;
    }
    *bridge_out = bridge;
    return BR_OK;
}

br_status br_oltp_bridge_over(br_oltp *oltp, br_oltp_bridge **bridge_out, br_error *err)
{
    br_oltp_bridge *bridge = br_heap_zalloc(sizeof *bridge);
    if (bridge == NULL) return br_fail(err, BR_NOMEM, "no memory to read '%s'", oltp->path);
    bridge->oltp = oltp;
    bridge->is_borrowed = true;
    *bridge_out = bridge;
    return BR_OK;
}

static void call_release(prepared_call *call)
{
    br_oltp_finalize(call->statement);
    br_heap_free(call->function);
}

br_status br_oltp_bridge_refresh(br_oltp_bridge *bridge, br_error *err)
{
    uint32_t seen = bridge->oltp->functions_seen;
    if (seen == br_oltp_functions_generation(bridge->oltp->functions)) return BR_OK;
    // What is prepared may call functions that are there no more.
    while (bridge->call_count > 0) call_release(&bridge->calls[--bridge->call_count]);
    return br_oltp_refresh(bridge->oltp, err);
}

void br_oltp_bridge_free(br_oltp_bridge *bridge)
{
    if (bridge == NULL) return;
    for (uint32_t i = 0; i < bridge->call_count; i++) call_release(&bridge->calls[i]);
    if (!bridge->is_borrowed) br_oltp_close(bridge->oltp);
    br_heap_free(bridge);
}

// ---- statements ------------------------------------------------------------------------------

static bool append_name(br_buffer *sql, const char *name)
{
    bool is_built = br_buffer_append(sql, "\"", 1);
    for (; is_built && *name != 0; name++)
        is_built = br_buffer_append(sql, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    return is_built && br_buffer_append(sql, "\"", 1);
}

static bool build_sql(const br_function_call *call, br_buffer *sql)
{
    if (call->is_expression) {
        bool is_built = br_buffer_format(sql, "SELECT %s", call->function);
        return is_built && br_buffer_append(sql, "", 1);
    }
    bool is_built = br_buffer_format(sql, "SELECT ") && append_name(sql, call->function) &&
                    br_buffer_append(sql, "(", 1);
    for (uint32_t i = 0; is_built && i < call->argument_count; i++)
        is_built = br_buffer_format(sql, "%s?%u", i == 0 ? "" : ",", i + 1);
    return is_built && br_buffer_append(sql, ")", 2);
}

static br_status prepare_call(br_oltp_bridge *bridge, const br_function_call *call,
                              br_oltp_statement **statement_out, br_error *err)
{
    br_buffer sql = {0};
    br_error problem;
    br_status status =
        build_sql(call, &sql)
            ? br_oltp_prepare(bridge->oltp, (const char *)sql.bytes, NULL, statement_out, &problem)
            : br_fail(&problem, BR_NOMEM, "no memory to call %s()", call->function);
    br_buffer_release(&sql);
    if (status == BR_OK) return BR_OK;
    // The text is ours: a place in it means nothing to the caller.
    return br_fail(err, status == BR_SQL ? BR_RUNTIME : status, "%s", problem.message);
}

// A place for one more, whose rows nobody reads; NULL: there is none.
static prepared_call *free_slot(br_oltp_bridge *bridge)
{
    if (bridge->call_count < CALLS_MAX) return &bridge->calls[bridge->call_count++];
    for (uint32_t i = 0; i < CALLS_MAX; i++) {
        prepared_call *slot = &bridge->calls[bridge->next_victim++ % CALLS_MAX];
        if (slot->is_busy) continue;
        call_release(slot);
        return slot;
    }
    return NULL;
}

static br_status find_call(br_oltp_bridge *bridge, const br_function_call *call,
                           prepared_call **call_out, br_error *err)
{
    for (uint32_t i = 0; i < bridge->call_count; i++) {
        prepared_call *known = &bridge->calls[i];
        if (!known->is_busy && known->argument_count == call->argument_count &&
            known->is_expression == call->is_expression &&
            strcmp(known->function, call->function) == 0) {
            *call_out = known;
            return BR_OK;
        }
    }
    br_oltp_statement *statement;
    BR_TRY(prepare_call(bridge, call, &statement, err));
    char *function = br_heap_copy_text(call->function);
    prepared_call *slot = function == NULL ? NULL : free_slot(bridge);
    if (slot == NULL) {
        br_oltp_finalize(statement);
        br_heap_free(function);
        return br_fail(err, BR_NOMEM, "no memory to call %s()", call->function);
    }
    *slot = (prepared_call){.function = function,
                            .is_expression = call->is_expression,
                            .argument_count = call->argument_count,
                            .statement = statement};
    *call_out = slot;
    return BR_OK;
}

static br_status copy_result(br_oltp_statement *statement, br_arena *arena, br_value *result_out,
                             br_error *err)
{
    br_value value = br_oltp_column(statement, 0);
    if (value.class_ == BR_TEXT || value.class_ == BR_BLOB) {
        void *bytes = br_arena_alloc(arena, value.text.size, 1);
        if (bytes == NULL)
            return br_fail(err, BR_NOMEM, "no memory for a text of %u bytes", value.text.size);
        if (value.text.size > 0) memcpy(bytes, value.text.data, value.text.size);
        value.text.data = bytes;
    }
    *result_out = value;
    return BR_OK;
}

// Arguments that are the same for all rows are bound once: values stay bound after a reset.
static br_status call_row(const br_function_call *call, br_oltp_statement *statement, uint32_t row,
                          br_arena *arena, br_value *result_out, br_error *err)
{
    for (uint32_t i = 0; i < call->argument_count; i++) {
        const br_vector *argument = &call->arguments[i];
        if (row > 0 && argument->kind == BR_VECTOR_CONST) continue;
        br_value value = br_vector_value(argument, row, arena);
        BR_TRY(br_oltp_bind(statement, i + 1, &value, err));
    }
    bool has_row = false;
    BR_TRY(br_oltp_step(statement, &has_row, err));
    if (!has_row) return br_fail(err, BR_INTERNAL, "%s() gave no row", call->function);
    return copy_result(statement, arena, result_out, err);
}

br_status br_oltp_bridge_call(br_oltp_bridge *bridge, const br_function_call *call,
                              br_arena *arena, br_value *results_out, br_error *err)
{
    prepared_call *prepared;
    BR_TRY(find_call(bridge, call, &prepared, err));
    br_oltp_statement *statement = prepared->statement;
    br_status status = BR_OK;
    for (uint32_t row = 0; status == BR_OK && row < call->row_count; row++) {
        status = call_row(call, statement, row, arena, &results_out[row], err);
        br_oltp_reset(statement);
    }
    if (status == BR_OK && br_arena_failed(arena))
        status = br_fail(err, BR_NOMEM, "no memory for the arguments of %s()", call->function);
    return status;
}

static br_status receive_rows(br_oltp_statement *statement, br_value *values, uint32_t count,
                              const br_row_receiver *receiver, br_error *err)
{
    bool wants_more = true;
    while (wants_more) {
        bool has_row = false;
        BR_TRY(br_oltp_step(statement, &has_row, err));
        if (!has_row) return BR_OK;
        for (uint32_t i = 0; i < count; i++) values[i] = br_oltp_column(statement, i);
        BR_TRY(receiver->receive(receiver->context, values, &wants_more, err));
    }
    return BR_OK;
}

static br_status read_rows(br_oltp_statement *statement, const br_row_receiver *receiver,
                           br_error *err)
{
    br_value few[ROW_VALUES_MAX];
    uint32_t count = br_oltp_column_count(statement);
    br_value *values = count <= ROW_VALUES_MAX ? few : br_heap_array(count, sizeof *values);
    if (values == NULL) return br_fail(err, BR_NOMEM, "no memory for a row of %u values", count);
    br_status status = receive_rows(statement, values, count, receiver, err);
    if (values != few) br_heap_free(values);
    return status;
}

br_status br_oltp_bridge_rows(br_oltp_bridge *bridge, const br_function_call *call, uint32_t row,
                              const br_row_receiver *receiver, br_error *err)
{
    prepared_call *prepared;
    br_assert(call->is_expression);
    BR_TRY(find_call(bridge, call, &prepared, err));
    br_oltp_statement *statement = prepared->statement;
    br_status status = BR_OK;
    prepared->is_busy = true;
    for (uint32_t i = 0; i < call->argument_count && status == BR_OK; i++) {
        br_value value = br_vector_value(&call->arguments[i], row, NULL);
        status = br_oltp_bind(statement, i + 1, &value, err);
    }
    if (status == BR_OK) status = read_rows(statement, receiver, err);
    br_oltp_reset(statement);
    prepared->is_busy = false;
    return status;
}

// ---- what functions there are ----------------------------------------------------------------

// Not deterministic for SQLite, since another connection may answer otherwise; but within a
// statement they are.
static bool is_steady(const char *function)
{
    static const char *const names[] = {
        "sqlite_version", "sqlite_source_id", "sqlite_compileoption_used",
        "sqlite_compileoption_get", "changes", "total_changes", "last_insert_rowid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(function, names[i]) == 0) return true;
    }
    return false;
}

// An entry for exactly this many arguments goes before one for any number, as in SQLite.
br_oltp_function_kind br_oltp_bridge_find(br_oltp_bridge *bridge, const char *function,
                                          uint32_t argument_count)
{
    sqlite3_stmt *statement = NULL;
    static const char sql[] = "SELECT type = 's', flags & ?3 FROM pragma_function_list"
                              " WHERE name = ?1 COLLATE NOCASE AND narg IN (?2, -1)"
                              " ORDER BY narg DESC, type <> 's', builtin LIMIT 1";
    br_oltp_function_kind kind = BR_OLTP_FUNCTION_NONE;
    if (sqlite3_prepare_v2(bridge->oltp->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_text(statement, 1, function, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_int64(statement, 2, argument_count) == SQLITE_OK &&
        sqlite3_bind_int(statement, 3, SQLITE_DETERMINISTIC) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0) != 0)
        kind = sqlite3_column_int(statement, 1) != 0 || is_steady(function)
                   ? BR_OLTP_FUNCTION_STEADY
                   : BR_OLTP_FUNCTION_VOLATILE;
    sqlite3_finalize(statement);
    if (kind == BR_OLTP_FUNCTION_NONE) return kind;
    br_function_call call = {.function = function, .argument_count = argument_count};
    prepared_call *ignored;
    return find_call(bridge, &call, &ignored, NULL) == BR_OK ? kind : BR_OLTP_FUNCTION_NONE;
}

uint32_t br_oltp_real_to_text(double value, char *text_out)
{
    br_assert(!isnan(value));
    // As sqlite3VdbeMemStringify does it: 15 digits, and always a point or an exponent.
    sqlite3_snprintf(40, text_out, "%!.15g", value);
    return (uint32_t)strlen(text_out);
}
