// What an application says of its tables: columns added and dropped, and what is to be mirrored.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "router/database.h"

// Ends the scope; what was committed is brought into the copy.
static br_status finish(br_write_scope *scope, br_status status, br_error *err)
{
    br_database *database = scope->database;
    BR_TRY(br_write_scope_end(scope, status, err));
    bool is_open = atomic_load_explicit(&database->in_transaction, memory_order_relaxed);
    return is_open || database->cdc == NULL ? BR_OK : br_database_sync(database, err);
}

// ---- columns -----------------------------------------------------------------------------------

// Whatever the parts of the text hold, it must be one statement.
static br_status prepare_alone(br_oltp *oltp, const char *sql, br_oltp_statement **statement_out,
                               br_error *err)
{
    const char *tail = NULL;
    br_oltp_statement *rest = NULL;
    BR_TRY(br_oltp_prepare(oltp, sql, &tail, statement_out, err));
    br_status status = br_oltp_prepare(oltp, tail, NULL, &rest, err);
    if (status == BR_OK && rest == NULL) return BR_OK;
    br_oltp_finalize(rest);
    br_oltp_finalize(*statement_out);
    return br_fail(err, BR_MISUSE, "more than one statement: %s", sql);
}

static br_status run_alone(br_oltp *oltp, const char *sql, br_error *err)
{
    br_oltp_statement *statement = NULL;
    bool has_row = false;
    if (sql == NULL) return br_fail(err, BR_NOMEM, "statement");
    BR_TRY(prepare_alone(oltp, sql, &statement, err));
    br_status status = br_oltp_step(statement, &has_row, err);
    br_oltp_finalize(statement);
    return status;
}

// SQLite drops no column that a trigger names: a history lets go of its table meanwhile.
static br_status drop_alone(br_oltp *oltp, const char *table, const char *sql, br_error *err)
{
    bool was_on, has_written;
    BR_TRY(br_history_release(oltp, table, &was_on, err));
    BR_TRY(run_alone(oltp, sql, err));
    return was_on ? br_history_follow(oltp, false, &has_written, err) : BR_OK;
}

// ALTER TABLE table WHAT column, where the column is given as SQL.
static br_status alter(br_database *database, const char *table, const char *what,
                       const char *column, br_error *err)
{
    br_write_scope scope;
    br_arena *arena = br_arena_new(NULL);
    const char *name = arena == NULL ? NULL : br_oltp_quote_name(arena, table);
    if (name == NULL || column == NULL) {
        br_arena_free(arena);
        return br_fail(err, BR_NOMEM, "statement");
    }
    br_status status = br_write_scope_begin(database, &scope, err);
    if (status == BR_OK) {
        const char *sql =
            br_arena_format(arena, "ALTER TABLE main.%s %s COLUMN %s", name, what, column);
        br_oltp *writer = database->writer;
        bool is_drop = strcmp(what, "DROP") == 0;
        status = is_drop ? drop_alone(writer, table, sql, err) : run_alone(writer, sql, err);
        status = finish(&scope, status, err);
    }
    br_arena_free(arena);
    return status;
}

br_status br_database_add_column(br_database *database, const char *table, const char *definition,
                                 br_error *err)
{
    return alter(database, table, "ADD", definition, err);
}

br_status br_database_drop_column(br_database *database, const char *table, const char *column,
                                  br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return br_fail(err, BR_NOMEM, "statement");
    br_status status = alter(database, table, "DROP", br_oltp_quote_name(arena, column), err);
    br_arena_free(arena);
    return status;
}

// ---- registrations -----------------------------------------------------------------------------

br_status br_database_register(br_database *database, const br_registration *registration,
                               br_error *err)
{
    br_write_scope scope;
    BR_TRY(br_write_scope_begin(database, &scope, err));
    return finish(&scope, br_registration_put(database->writer, registration, err), err);
}

br_status br_database_unregister(br_database *database, const char *pattern, br_error *err)
{
    br_write_scope scope;
    BR_TRY(br_write_scope_begin(database, &scope, err));
    return finish(&scope, br_registration_remove(database->writer, pattern, err), err);
}
