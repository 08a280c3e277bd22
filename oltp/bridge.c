// bridge.c - SQLite's scalar functions and number formatting, called one at a time.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "oltp/handle.h"

enum {
    CALLS_MAX = 64,  // statements kept; a query seldom calls more than a few functions
    NAME_MAX_BYTES = 128,
};

// A call of one function with a number of arguments, prepared.
typedef struct call {
    char name[NAME_MAX_BYTES];
    uint32_t argument_count;
    br_oltp_statement *statement;
} call;

struct br_oltp_bridge {
    br_oltp *oltp;
    call calls[CALLS_MAX];
    uint32_t call_count;
    uint32_t next_victim;
};

br_status br_oltp_bridge_new(br_oltp_bridge **bridge_out, br_error *err)
{
    br_oltp_bridge *bridge = br_heap_zalloc(sizeof *bridge);
    if (bridge == NULL) return br_fail(err, BR_NOMEM, "no memory for SQLite's functions");
    br_oltp_config config = {.path = ":memory:", .create = true, .journal_as_is = true};
    br_status status = br_oltp_open(&config, &bridge->oltp, err);
    if (status != BR_OK) {
        br_oltp_bridge_free(bridge);
        return status;
    }
    *bridge_out = bridge;
    return BR_OK;
}

void br_oltp_bridge_free(br_oltp_bridge *bridge)
{
    if (bridge == NULL) return;
    for (uint32_t i = 0; i < bridge->call_count; i++) br_oltp_finalize(bridge->calls[i].statement);
    br_oltp_close(bridge->oltp);
    br_heap_free(bridge);
}

static br_status prepare_call(br_oltp_bridge *bridge, const char *function, uint32_t argument_count,
                              br_oltp_statement **statement_out, br_error *err)
{
    br_buffer sql = {0};
    bool is_built = br_buffer_format(&sql, "SELECT \"%s\"(", function);
    for (uint32_t i = 0; is_built && i < argument_count; i++)
        is_built = br_buffer_format(&sql, "%s?%u", i == 0 ? "" : ",", i + 1);
    is_built = is_built && br_buffer_append(&sql, ")", 2);
    br_status status =
        is_built ? br_oltp_prepare(bridge->oltp, (const char *)sql.bytes, NULL, statement_out, err)
                 : br_fail(err, BR_NOMEM, "no memory to call %s()", function);
    br_buffer_release(&sql);
    // The text is ours: a place in it means nothing to the caller.
    if (status == BR_SQL)
        return br_fail(err, BR_RUNTIME, "cannot call %s() with %u arguments", function,
                       argument_count);
    return status;
}

static br_status find_call(br_oltp_bridge *bridge, const char *function, uint32_t argument_count,
                           br_oltp_statement **statement_out, br_error *err)
{
    for (uint32_t i = 0; i < bridge->call_count; i++) {
        call *known = &bridge->calls[i];
        if (known->argument_count == argument_count && strcmp(known->name, function) == 0) {
            *statement_out = known->statement;
            return BR_OK;
        }
    }
    if (strlen(function) >= NAME_MAX_BYTES || strchr(function, '"') != NULL)
        return br_fail(err, BR_MISUSE, "'%s' is no name of a function", function);
    BR_TRY(prepare_call(bridge, function, argument_count, statement_out, err));
    call *slot = &bridge->calls[bridge->call_count];
    if (bridge->call_count < CALLS_MAX) {
        bridge->call_count++;
    } else {
        slot = &bridge->calls[bridge->next_victim++ % CALLS_MAX];
        br_oltp_finalize(slot->statement);
    }
    snprintf(slot->name, sizeof slot->name, "%s", function);
    slot->argument_count = argument_count;
    slot->statement = *statement_out;
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

br_status br_oltp_bridge_call(br_oltp_bridge *bridge, const char *function,
                              const br_value *arguments, uint32_t argument_count, br_arena *arena,
                              br_value *result_out, br_error *err)
{
    br_oltp_statement *statement = NULL;
    BR_TRY(find_call(bridge, function, argument_count, &statement, err));
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < argument_count; i++)
        status = br_oltp_bind(statement, i + 1, &arguments[i], err);
    bool has_row = false;
    if (status == BR_OK) status = br_oltp_step(statement, &has_row, err);
    if (status == BR_OK && !has_row)
        status = br_fail(err, BR_INTERNAL, "%s() gave no row", function);
    if (status == BR_OK) status = copy_result(statement, arena, result_out, err);
    br_oltp_reset(statement);
    return status;
}

// An entry for exactly this many arguments goes before one for any number, as in SQLite.
static bool is_deterministic(br_oltp_bridge *bridge, const char *function, uint32_t argument_count)
{
    sqlite3_stmt *statement = NULL;
    static const char sql[] = "SELECT type = 's' AND flags & ?3 FROM pragma_function_list"
                              " WHERE name = lower(?1) AND narg IN (?2, -1)"
                              " ORDER BY narg DESC, type <> 's' LIMIT 1";
    bool is_found = false;
    if (sqlite3_prepare_v2(bridge->oltp->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_text(statement, 1, function, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_int64(statement, 2, argument_count) == SQLITE_OK &&
        sqlite3_bind_int(statement, 3, SQLITE_DETERMINISTIC) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        is_found = sqlite3_column_int(statement, 0) != 0;
    sqlite3_finalize(statement);
    return is_found;
}

bool br_oltp_bridge_has(br_oltp_bridge *bridge, const char *function, uint32_t argument_count)
{
    br_oltp_statement *statement;
    return is_deterministic(bridge, function, argument_count) &&
           find_call(bridge, function, argument_count, &statement, NULL) == BR_OK;
}

uint32_t br_oltp_real_to_text(double value, char *text_out)
{
    br_assert(!isnan(value));
    // As sqlite3VdbeMemStringify does it: 15 digits, and always a point or an exponent.
    sqlite3_snprintf(40, text_out, "%!.15g", value);
    return (uint32_t)strlen(text_out);
}
