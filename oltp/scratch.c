// scratch.c - asking SQLite about tables that are not in the file, in a database in memory.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "oltp/handle.h"

static br_status scratch_open(br_oltp_functions *functions, br_oltp **scratch_out, br_error *err)
{
    br_oltp_config config = {
        .path = ":memory:", .functions = functions, .create = true, .journal_as_is = true};
    return br_oltp_open(&config, scratch_out, err);
}

// What SQLite refuses is an answer; anything else is a failure.
static br_status refused(br_status status)
{
    return status == BR_SQL || status == BR_RUNTIME ? BR_OK : status;
}

br_status br_schema_parse(br_oltp_functions *functions, const char *sql, br_arena *arena,
                          br_schema_table *table_out, bool *is_known_out, br_error *err)
{
    br_oltp *scratch = NULL;
    br_schema schema = {0};
    *is_known_out = false;
    BR_TRY(scratch_open(functions, &scratch, err));
    br_status status = br_oltp_exec(scratch, sql, err);
    if (status == BR_OK) status = br_schema_read(scratch, arena, &schema, err);
    br_oltp_close(scratch);
    if (status != BR_OK) return refused(status);
    *is_known_out = schema.table_count == 1;
    if (*is_known_out) *table_out = schema.tables[0];
    return BR_OK;
}

// ---- defaults -------------------------------------------------------------------------------

static br_status copy_value(br_arena *arena, br_value value, br_value *value_out, br_error *err)
{
    *value_out = value;
    if (value.class_ != BR_TEXT && value.class_ != BR_BLOB) return BR_OK;
    char *copy = br_arena_copy_text(arena, value.text.data, value.text.size);
    if (copy == NULL) return br_fail(err, BR_NOMEM, "no memory for the default of a column");
    value_out->text = br_text_make(copy, value.text.size);
    return BR_OK;
}

static br_status read_value(br_oltp *scratch, br_arena *arena, br_value *value_out, br_error *err)
{
    br_oltp_statement *statement = NULL;
    bool has_row = false;
    BR_TRY(br_oltp_prepare(scratch, "SELECT added FROM d", NULL, &statement, err));
    br_status status = br_oltp_step(statement, &has_row, err);
    if (status == BR_OK) {
        br_assert(has_row);
        status = copy_value(arena, br_oltp_column(statement, 0), value_out, err);
    }
    br_oltp_finalize(statement);
    return status;
}

// A row is older than the column, so SQLite applies affinities and literals as in the real table.
static br_status ask_default(const br_schema_column *column, const char *format, br_arena *arena,
                             br_value *value_out, br_error *err)
{
    static const char *const types[] = {
        [BR_OLTP_BLOB] = "BLOB",       [BR_OLTP_TEXT] = "TEXT", [BR_OLTP_NUMERIC] = "NUMERIC",
        [BR_OLTP_INTEGER] = "INTEGER", [BR_OLTP_REAL] = "REAL",
    };
    br_oltp *scratch = NULL;
    BR_TRY(scratch_open(NULL, &scratch, err));
    br_status status = br_oltp_exec(scratch, "CREATE TABLE d(x); INSERT INTO d VALUES(1)", err);
    const char *text = br_arena_format(arena, format, types[column->affinity],
                                       column->default_value);
    if (status == BR_OK && text == NULL)
        status = br_fail(err, BR_NOMEM, "no memory for the default of a column");
    if (status == BR_OK) status = br_oltp_exec(scratch, text, err);
    if (status == BR_OK) status = read_value(scratch, arena, value_out, err);
    br_oltp_close(scratch);
    return status;
}

br_status br_schema_default(const br_schema_column *column, br_arena *arena, br_value *value_out,
                            bool *is_known_out, br_error *err)
{
    *value_out = br_value_null();
    *is_known_out = !column->is_generated;
    if (column->default_value == NULL || column->is_generated) return BR_OK;
    // As it stands a bare word is a text; in parentheses it would be a column.
    br_status status = ask_default(column, "ALTER TABLE d ADD COLUMN added %s DEFAULT %s", arena,
                                   value_out, err);
    if (status == BR_SQL || status == BR_RUNTIME)
        status = ask_default(column, "ALTER TABLE d ADD COLUMN added %s DEFAULT (%s)", arena,
                             value_out, err);
    *is_known_out = status == BR_OK;
    return refused(status);
}
