// history.c - the side tables of histories: _braid_temporal, _braid_clock, _braid_change_*.
// SPDX-License-Identifier: Apache-2.0
#include "oltp/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "oltp/capture.h"

static br_status no_memory(br_error *err)
{
    return br_fail(err, BR_NOMEM, "no memory for the history of a table");
}

// ---- reading ---------------------------------------------------------------------------------

static br_status copy_text(br_oltp_statement *statement, uint32_t column, br_arena *arena,
                           const char **text_out, br_error *err)
{
    br_value value = br_oltp_column(statement, column);
    bool is_text = value.class_ == BR_TEXT;
    *text_out = br_arena_copy_text(arena, is_text ? value.text.data : "",
                                   is_text ? value.text.size : 0);
    return *text_out == NULL ? no_memory(err) : BR_OK;
}

static const br_schema_table *find_changes(const br_schema *schema, uint32_t history_id)
{
    char name[40];
    snprintf(name, sizeof name, BR_CHANGE_TABLE "%" PRIu32, history_id);
    return br_schema_find(schema, name);
}

static br_status read_row(br_oltp_statement *statement, br_arena *arena, br_schema *schema,
                          br_error *err)
{
    if (schema->histories == NULL) {
        size_t count = (size_t)br_oltp_column(statement, 6).i64;
        schema->histories = BR_ALLOC(arena, br_schema_history, count);
        if (schema->histories == NULL) return no_memory(err);
    }
    br_schema_history *history = &schema->histories[schema->history_count];
    history->history_id = (uint32_t)br_oltp_column(statement, 0).i64;
    BR_TRY(copy_text(statement, 1, arena, &history->table_name, err));
    BR_TRY(copy_text(statement, 2, arena, &history->key, err));
    history->state = (br_history_state)br_oltp_column(statement, 3).i64;
    history->keep_us = br_oltp_column(statement, 4).i64;
    history->keep_versions = br_oltp_column(statement, 5).i64;
    history->changes = find_changes(schema, history->history_id);
    schema->history_count++;
    return BR_OK;
}

static br_status has_histories(br_oltp *oltp, bool *has_out, br_error *err)
{
    int64_t count;
    BR_TRY(br_oltp_query_int(oltp,
                             "SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name"
                             " IN ('_braid_temporal', '_braid_clock')",
                             0, &count, err));
    *has_out = count == 2;
    return BR_OK;
}

br_status br_history_read(br_oltp *oltp, br_arena *arena, br_schema *schema, br_error *err)
{
    bool has_any, has_row = true;
    BR_TRY(has_histories(oltp, &has_any, err));
    if (!has_any) return BR_OK;
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp,
                           "SELECT history_id, table_name, key, state, keep_us, keep_versions,"
                           " count(*) OVER () FROM main._braid_temporal ORDER BY history_id",
                           NULL, &statement, err));
    br_status status = BR_OK;
    while (status == BR_OK) {
        status = br_oltp_step(statement, &has_row, err);
        if (status != BR_OK || !has_row) break;
        status = read_row(statement, arena, schema, err);
    }
    br_oltp_finalize(statement);
    return status;
}

const br_schema_history *br_schema_find_history(const br_schema *schema, const char *table_name)
{
    for (uint32_t i = 0; i < schema->history_count; i++) {
        if (strcasecmp(schema->histories[i].table_name, table_name) == 0)
            return &schema->histories[i];
    }
    return NULL;
}

// ---- one history -----------------------------------------------------------------------------

// A history at work: `texts.table` is the table as it is now.
typedef struct work {
    br_oltp *oltp;
    br_arena *arena;
    br_schema_history *history;
    history_texts texts;
} work;

static br_status check_texts(const work *w, br_error *err)
{
    return w->texts.is_out_of_memory ? no_memory(err) : BR_OK;
}

static br_status work_begin(work *w, const br_schema *schema, br_error *err)
{
    const br_schema_table *table = br_schema_find(schema, w->history->table_name);
    w->texts = (history_texts){.arena = w->arena, .table = table,
                               .history_id = w->history->history_id};
    if (table == NULL) return BR_OK;
    w->texts.name = br_oltp_quote_name(w->arena, table->name);
    return w->texts.name == NULL ? no_memory(err) : BR_OK;
}

// Runs a statement whose parameters are texts; NULL ends nothing early: `count` of them.
static br_status run_with_texts(br_oltp *oltp, const char *sql, const char *const *values,
                                uint32_t count, br_error *err)
{
    br_oltp_statement *statement;
    bool has_row;
    BR_TRY(br_oltp_prepare(oltp, sql, NULL, &statement, err));
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < count; i++) {
        br_value value = br_value_text(br_text_make(values[i], (uint32_t)strlen(values[i])));
        status = br_oltp_bind(statement, i + 1, &value, err);
    }
    if (status == BR_OK) status = br_oltp_step(statement, &has_row, err);
    br_oltp_finalize(statement);
    return status;
}

static br_status set_state(work *w, br_history_state state, br_error *err)
{
    w->history->state = state;
    return br_oltp_exec_format(w->oltp, err,
                               "UPDATE main._braid_temporal SET state = %d WHERE history_id = %u",
                               (int)state, w->history->history_id);
}

// With other limits all changes are gone through again.
static br_status set_keep(work *w, int64_t keep_us, int64_t keep_versions, br_error *err)
{
    w->history->keep_us = keep_us;
    w->history->keep_versions = keep_versions;
    return br_oltp_exec_format(w->oltp, err,
                               "UPDATE main._braid_temporal SET keep_us = %" PRId64
                               ", keep_versions = %" PRId64 ", aged = 0, counted = 0"
                               " WHERE history_id = %u",
                               keep_us, keep_versions, w->history->history_id);
}

// Who forgets versions looks for those of a key.
static br_status fit_index(work *w, br_error *err)
{
    uint32_t id = w->history->history_id;
    if (w->history->keep_us == 0 && w->history->keep_versions == 0)
        return br_oltp_exec_format(w->oltp, err, "DROP INDEX IF EXISTS main._braid_changes_of_%u",
                                   id);
    return br_oltp_exec_format(w->oltp, err,
                               "CREATE INDEX IF NOT EXISTS main._braid_changes_of_%u ON "
                               BR_CHANGE_TABLE "%u(%s)",
                               id, id, w->history->key);
}

static const br_schema_column *find_column(const br_schema_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcasecmp(table->columns[i].name, name) == 0) return &table->columns[i];
    }
    return NULL;
}

static bool is_own_column(const char *name)
{
    return strncasecmp(name, "_braid_", 7) == 0;
}

static br_status check_table(const br_schema_table *table, br_error *err)
{
    const char *why = NULL;
    if (table->is_virtual || table->is_shadow)
        why = "it is a virtual table, or part of one";
    else if (table->has_rowid && table->rowid_column < 0 && table->rowid_name == NULL)
        why = "its columns hide the rowid";
    for (uint32_t i = 0; why == NULL && i < table->index_count; i++) {
        const br_schema_index *index = &table->indexes[i];
        // Through it REPLACE would delete rows that no trigger could tell.
        if (br_index_may_replace(index) && !br_index_is_plain(table, index))
            why = "it has a UNIQUE index over an expression or a generated column";
    }
    for (uint32_t i = 0; why == NULL && i < table->column_count; i++)
        if (is_own_column(table->columns[i].name)) why = "a column begins with _braid_";
    if (why == NULL) return BR_OK;
    return br_fail(err, BR_MISUSE, "table '%s' cannot be temporal: %s", table->name, why);
}

// ---- what differs becomes a change -----------------------------------------------------------

// The newest version of each row that lives, as a subquery.
static const char *living(work *w)
{
    uint32_t id = w->history->history_id;
    return br_arena_format(w->arena,
                           "(SELECT * FROM main." BR_CHANGE_TABLE "%u WHERE " BR_CHANGE_SEQ
                           " IN (SELECT max(" BR_CHANGE_SEQ ") FROM main." BR_CHANGE_TABLE
                           "%u GROUP BY %s) AND " BR_CHANGE_OPERATION " <> 'D')",
                           id, id, w->history->key);
}

// Values are the same when their bytes and classes are, whatever the column's collation.
static const char *differs(work *w)
{
    const char *text = "";
    for (uint32_t i = 0; text != NULL && i < w->texts.table->column_count; i++) {
        const char *name = br_oltp_quote_name(w->arena, w->texts.table->columns[i].name);
        if (name == NULL) return NULL;
        text = br_arena_format(w->arena,
                               "%s OR l.%s IS NOT t.%s COLLATE BINARY"
                               " OR typeof(l.%s) <> typeof(t.%s)",
                               text, name, name, name, name);
    }
    return text;
}

static br_status write_gone(work *w, br_error *err)
{
    const char *lives = living(w), *images = history_image_list(&w->texts, "");
    const char *last = history_image_list(&w->texts, "l.");
    history_side row = {.prefix = "t."}, image = {.prefix = "l.", .is_image = true};
    const char *equal = history_key_equal(&w->texts, row, image);
    BR_TRY(check_texts(w, err));
    if (lives == NULL) return no_memory(err);
    return br_oltp_exec_format(
        w->oltp, err,
        "INSERT INTO main." BR_CHANGE_TABLE "%u(" BR_CHANGE_AT ", " BR_CHANGE_OPERATION
        ", %s) SELECT (SELECT last FROM main._braid_clock), 'D', %s FROM %s l"
        " WHERE NOT EXISTS (SELECT 1 FROM main.%s t WHERE %s)",
        w->history->history_id, images, last, lives, w->texts.name, equal);
}

static br_status write_different(work *w, br_error *err)
{
    const char *lives = living(w), *different = differs(w);
    const char *images = history_image_list(&w->texts, "");
    const char *rows = history_table_list(&w->texts, "t.");
    history_side row = {.prefix = "t."}, image = {.prefix = "l.", .is_image = true};
    const char *equal = history_key_equal(&w->texts, row, image);
    BR_TRY(check_texts(w, err));
    if (lives == NULL || different == NULL) return no_memory(err);
    return br_oltp_exec_format(
        w->oltp, err,
        "INSERT INTO main." BR_CHANGE_TABLE "%u(" BR_CHANGE_AT ", " BR_CHANGE_OPERATION
        ", %s) SELECT (SELECT last FROM main._braid_clock),"
        " CASE WHEN l." BR_CHANGE_SEQ " IS NULL THEN 'I' ELSE 'U' END, %s"
        " FROM main.%s t LEFT JOIN %s l ON %s WHERE l." BR_CHANGE_SEQ " IS NULL%s",
        w->history->history_id, images, rows, w->texts.name, lives, equal, different);
}

// All at one moment: this is when it was noticed.
static br_status write_differences(work *w, br_error *err)
{
    BR_TRY(br_oltp_exec(w->oltp, HISTORY_TICK, err));
    BR_TRY(write_gone(w, err));
    return write_different(w, err);
}

// The table is not there any more: every row that lived ends.
static br_status write_end(work *w, br_error *err)
{
    const br_schema_table *changes = w->history->changes;
    const char *lives = living(w), *list = "";
    for (uint32_t i = 3; list != NULL && i < changes->column_count; i++) {
        const char *name = br_oltp_quote_name(w->arena, changes->columns[i].name);
        if (name == NULL) return no_memory(err);
        list = br_arena_format(w->arena, "%s, %s", list, name);
    }
    if (lives == NULL || list == NULL) return no_memory(err);
    BR_TRY(br_oltp_exec(w->oltp, HISTORY_TICK, err));
    return br_oltp_exec_format(
        w->oltp, err,
        "INSERT INTO main." BR_CHANGE_TABLE "%u(" BR_CHANGE_AT ", " BR_CHANGE_OPERATION
        "%s) SELECT (SELECT last FROM main._braid_clock), 'D'%s FROM %s",
        w->history->history_id, list, list, lives);
}

// ---- change tables and triggers --------------------------------------------------------------

// Columns may have been renamed, while there were triggers, which SQLite keeps in order then, but
// not dropped: the n-th column of ours is the n-th of the table.
static br_status follow_renames(work *w, br_error *err)
{
    const br_schema_table *table = w->texts.table, *changes = w->history->changes;
    uint32_t at = 0;
    for (uint32_t i = 0; i < changes->column_count && at < table->column_count; i++) {
        const char *before = changes->columns[i].name, *now = table->columns[at].name;
        if (is_own_column(before)) continue;
        at++;
        if (strcmp(before, now) == 0 || find_column(table, before) != NULL ||
            find_column(changes, now) != NULL)
            continue;
        const char *old_name = br_oltp_quote_name(w->arena, before);
        const char *new_name = br_oltp_quote_name(w->arena, now);
        if (old_name == NULL || new_name == NULL) return no_memory(err);
        BR_TRY(br_oltp_exec_format(w->oltp, err,
                                   "ALTER TABLE main." BR_CHANGE_TABLE "%u RENAME COLUMN %s TO %s",
                                   w->history->history_id, old_name, new_name));
        changes->columns[i].name = now;
    }
    return BR_OK;
}

// What was written before a column was added has its default, as the rows in the table have.
static br_status add_columns(work *w, bool is_renamed, br_error *err)
{
    const br_schema_table *table = w->texts.table, *changes = w->history->changes;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const br_schema_column *column = &table->columns[i];
        if (find_column(changes, column->name) != NULL) continue;
        const char *text = history_image_column(&w->texts, column);
        bool has_default = is_renamed && column->default_value != NULL && !column->is_generated;
        BR_TRY(check_texts(w, err));
        BR_TRY(br_oltp_exec_format(w->oltp, err,
                                   "ALTER TABLE main." BR_CHANGE_TABLE "%u ADD COLUMN %s%s%s",
                                   w->history->history_id, text, has_default ? " DEFAULT " : "",
                                   has_default ? column->default_value : ""));
    }
    return BR_OK;
}

static br_status create_changes(work *w, br_error *err)
{
    const char *columns = history_image_columns(&w->texts);
    BR_TRY(check_texts(w, err));
    return br_oltp_exec_format(w->oltp, err,
                               "CREATE TABLE main." BR_CHANGE_TABLE "%u(" BR_CHANGE_SEQ
                               " INTEGER PRIMARY KEY, " BR_CHANGE_AT " INTEGER, "
                               BR_CHANGE_OPERATION " TEXT, %s)",
                               w->history->history_id, columns);
}

static br_status drop_triggers(work *w, br_error *err)
{
    static const char *const names[] = {"insert", "update", "move", "delete", "replace_insert",
                                        "replace_update"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        BR_TRY(br_oltp_exec_format(w->oltp, err, "DROP TRIGGER IF EXISTS main._braid_history_%u_%s",
                                   w->history->history_id, names[i]));
    return br_oltp_exec_format(w->oltp, err, "DROP TABLE IF EXISTS main._braid_replaced_%u",
                               w->history->history_id);
}

static br_status create_triggers(work *w, br_error *err)
{
    history_triggers triggers;
    BR_TRY(drop_triggers(w, err));
    if (history_has_replace(w->texts.table)) {
        const char *columns = history_image_columns(&w->texts);
        BR_TRY(check_texts(w, err));
        BR_TRY(br_oltp_exec_format(
            w->oltp, err,
            "CREATE TABLE main._braid_replaced_%u(_braid_n INTEGER PRIMARY KEY, %s)",
            w->history->history_id, columns));
    }
    history_make_triggers(&w->texts, &triggers);
    BR_TRY(check_texts(w, err));
    for (uint32_t i = 0; i < triggers.count; i++)
        BR_TRY(br_oltp_exec(w->oltp, triggers.sql[i], err));
    return BR_OK;
}

static br_status insert_history(work *w, const char *table_name, br_error *err)
{
    const char *const values[] = {table_name};
    BR_TRY(run_with_texts(w->oltp,
                          "INSERT INTO main._braid_temporal(table_name, key, state, keep_us,"
                          " keep_versions, aged, counted) VALUES(?1, '', 0, 0, 0, 0, 0)",
                          values, 1, err));
    w->history->history_id = w->texts.history_id = (uint32_t)br_oltp_last_rowid(w->oltp);
    w->history->changes = NULL;
    return BR_OK;
}

// The table has become another one: its rows are told apart by other columns. What is known stays,
// under a name of its own, and a new history begins.
static br_status begin_anew(work *w, br_error *err)
{
    br_schema_history *history = w->history;
    char sql[200];
    if (history->state != BR_HISTORY_GONE) BR_TRY(write_end(w, err));
    snprintf(sql, sizeof sql,
             "UPDATE main._braid_temporal SET table_name = table_name || ' before %u', state = %d"
             " WHERE history_id = %u",
             history->history_id + 1, (int)BR_HISTORY_OFF, history->history_id);
    BR_TRY(br_oltp_exec(w->oltp, sql, err));
    BR_TRY(insert_history(w, w->texts.table->name, err));
    BR_TRY(set_keep(w, history->keep_us, history->keep_versions, err));
    return create_changes(w, err);
}

// A new change table, or one that fits the table again. `had_triggers` until now: then its columns
// can only have been renamed or added to. Otherwise it may be another table, with another key.
static br_status install_changes(work *w, bool had_triggers, br_error *err)
{
    const char *key = history_key(&w->texts);
    BR_TRY(check_texts(w, err));
    if (w->history->changes == NULL) return create_changes(w, err);
    if (!had_triggers && strcmp(w->history->key, key) != 0) return begin_anew(w, err);
    if (had_triggers) BR_TRY(follow_renames(w, err));
    return add_columns(w, had_triggers, err);
}

// Everything the table needs, and what it has missed.
static br_status install(work *w, bool had_triggers, br_error *err)
{
    br_schema_history *history = w->history;
    BR_TRY(check_table(w->texts.table, err));
    BR_TRY(install_changes(w, had_triggers, err));
    history->key = history_key(&w->texts);
    BR_TRY(check_texts(w, err));
    char sql[100];
    snprintf(sql, sizeof sql,
             "UPDATE main._braid_temporal SET table_name = ?1, key = ?2 WHERE history_id = %u",
             history->history_id);
    const char *const values[] = {w->texts.table->name, history->key};
    BR_TRY(run_with_texts(w->oltp, sql, values, 2, err));
    BR_TRY(set_state(w, BR_HISTORY_ON, err));
    BR_TRY(fit_index(w, err));
    BR_TRY(create_triggers(w, err));
    return write_differences(w, err);
}

// ---- following the schema --------------------------------------------------------------------

// Where SQLite has the triggers now: "" when they are gone. A trigger of somebody else that came
// later would run earlier, and its own changes of the row be written down before the row's.
static br_status read_place(work *w, const char **table_out, bool *is_last_out, br_error *err)
{
    br_oltp_statement *statement;
    char *sql = br_arena_format(
        w->arena,
        "SELECT a.tbl_name, NOT EXISTS (SELECT 1 FROM main.sqlite_master b WHERE"
        " b.type = 'trigger' AND b.tbl_name = a.tbl_name AND b.rowid > a.rowid"
        " AND b.name NOT GLOB '_braid_*') FROM main.sqlite_master a"
        " WHERE a.type = 'trigger' AND a.name = '_braid_history_%u_insert'",
        w->history->history_id);
    if (sql == NULL) return no_memory(err);
    *table_out = "";
    *is_last_out = false;
    BR_TRY(br_oltp_prepare(w->oltp, sql, NULL, &statement, err));
    bool has_row = false;
    br_status status = br_oltp_step(statement, &has_row, err);
    if (status == BR_OK && has_row) {
        *is_last_out = br_oltp_column(statement, 1).i64 != 0;
        status = copy_text(statement, 0, w->arena, table_out, err);
    }
    br_oltp_finalize(statement);
    return status;
}

static br_status is_trigger_there(work *w, const char *sql, bool *is_there_out, br_error *err)
{
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(w->oltp,
                           "SELECT 1 FROM main.sqlite_master WHERE type = 'trigger' AND sql = ?1",
                           NULL, &statement, err));
    br_value value = br_value_text(br_text_make(sql, (uint32_t)strlen(sql)));
    br_status status = br_oltp_bind(statement, 1, &value, err);
    if (status == BR_OK) status = br_oltp_step(statement, is_there_out, err);
    br_oltp_finalize(statement);
    return status;
}

static br_status are_triggers_right(work *w, bool *is_right_out, br_error *err)
{
    history_triggers triggers;
    history_make_triggers(&w->texts, &triggers);
    BR_TRY(check_texts(w, err));
    *is_right_out = true;
    for (uint32_t i = 0; *is_right_out && i < triggers.count; i++)
        BR_TRY(is_trigger_there(w, triggers.sql[i], is_right_out, err));
    return BR_OK;
}

static br_status end_history(work *w, bool *has_written, br_error *err)
{
    if (w->history->state == BR_HISTORY_GONE) return BR_OK;
    *has_written = true;
    BR_TRY(write_end(w, err));
    return set_state(w, BR_HISTORY_GONE, err);
}

static br_status follow_one(work *w, const br_schema *schema, bool rowids_moved,
                            bool *has_written, br_error *err)
{
    const char *place, *name = w->history->table_name;
    bool is_last, is_right = false;
    BR_TRY(read_place(w, &place, &is_last, err));
    if (place[0] != 0) w->history->table_name = place;
    BR_TRY(work_begin(w, schema, err));
    const br_schema_table *table = w->texts.table;
    if (table == NULL) return end_history(w, has_written, err);
    if (check_table(table, NULL) != BR_OK) return BR_OK;
    if (is_last && strcmp(place, name) == 0) BR_TRY(are_triggers_right(w, &is_right, err));
    bool has_moved = rowids_moved && table->has_rowid && table->rowid_column < 0;
    if (is_right && !has_moved) return BR_OK;
    *has_written = true;
    return install(w, place[0] != 0, err);
}

// A history that cannot follow is left as it was; the database goes on.
static br_status follow_or_leave(work *w, const br_schema *schema, bool rowids_moved,
                                 bool *has_written, br_error *err)
{
    bool has_tried = false;
    if (w->history->state == BR_HISTORY_OFF || w->history->changes == NULL) return BR_OK;
    BR_TRY(br_oltp_exec(w->oltp, "SAVEPOINT braid_history", err));
    br_status status = follow_one(w, schema, rowids_moved, &has_tried, err);
    if (status == BR_OK) {
        *has_written = *has_written || has_tried;
        return br_oltp_exec(w->oltp, "RELEASE braid_history", err);
    }
    if (status != BR_SQL && status != BR_RUNTIME) return status;
    return br_oltp_exec(w->oltp, "ROLLBACK TO braid_history; RELEASE braid_history", err);
}

br_status br_history_follow(br_oltp *oltp, bool rowids_moved, bool *has_written_out, br_error *err)
{
    bool has_any;
    *has_written_out = false;
    BR_TRY(has_histories(oltp, &has_any, err));
    if (!has_any) return BR_OK;
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    br_schema schema;
    br_status status = br_schema_read(oltp, arena, &schema, err);
    for (uint32_t i = 0; status == BR_OK && i < schema.history_count; i++) {
        work w = {.oltp = oltp, .arena = arena, .history = &schema.histories[i]};
        status = follow_or_leave(&w, &schema, rowids_moved, has_written_out, err);
    }
    br_arena_free(arena);
    return status;
}

// ---- registration ----------------------------------------------------------------------------

static br_status create_side_tables(br_oltp *oltp, br_error *err)
{
    return br_oltp_exec(oltp,
                        "CREATE TABLE IF NOT EXISTS main._braid_temporal("
                        "history_id INTEGER PRIMARY KEY, table_name TEXT NOT NULL,"
                        " key TEXT NOT NULL, state INTEGER NOT NULL, keep_us INTEGER NOT NULL,"
                        " keep_versions INTEGER NOT NULL, aged INTEGER NOT NULL,"
                        " counted INTEGER NOT NULL);"
                        "CREATE TABLE IF NOT EXISTS main._braid_clock("
                        "id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL);"
                        "INSERT OR IGNORE INTO main._braid_clock VALUES(1, 0);",
                        err);
}

static br_status register_table(br_oltp *oltp, const char *name, const br_history_options *options,
                                br_arena *arena, br_error *err)
{
    br_schema schema;
    BR_TRY(create_side_tables(oltp, err));
    BR_TRY(br_schema_read(oltp, arena, &schema, err));
    const br_schema_table *table = br_schema_find(&schema, name);
    if (table == NULL || table->is_changes)
        return br_fail(err, BR_MISUSE, "no such table: %s", name);
    br_schema_history history = {.table_name = table->name};
    const br_schema_history *before = br_schema_find_history(&schema, table->name);
    work w = {.oltp = oltp, .arena = arena, .history = &history};
    if (before != NULL)
        history = *before;
    else
        BR_TRY(insert_history(&w, table->name, err));
    BR_TRY(set_keep(&w, options->keep_us, options->keep_versions, err));
    if (before != NULL && before->state == BR_HISTORY_ON) return fit_index(&w, err);
    BR_TRY(work_begin(&w, &schema, err));
    return install(&w, false, err);
}

br_status br_history_register(br_oltp *oltp, const char *table, const br_history_options *options,
                              br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    br_status status = register_table(oltp, table, options, arena, err);
    br_arena_free(arena);
    return status;
}

static br_status remove_history(work *w, br_error *err)
{
    uint32_t id = w->history->history_id;
    BR_TRY(br_oltp_exec_format(w->oltp, err, "DROP TABLE IF EXISTS main." BR_CHANGE_TABLE "%u",
                               id));
    return br_oltp_exec_format(w->oltp, err,
                               "DELETE FROM main._braid_temporal WHERE history_id = %u", id);
}

static br_status unregister(br_oltp *oltp, const char *name, bool keeps_history, br_arena *arena,
                            br_error *err)
{
    br_schema schema;
    BR_TRY(br_schema_read(oltp, arena, &schema, err));
    const br_schema_history *found = br_schema_find_history(&schema, name);
    if (found == NULL) return br_fail(err, BR_MISUSE, "table '%s' has no history", name);
    br_schema_history history = *found;
    work w = {.oltp = oltp, .arena = arena, .history = &history};
    BR_TRY(drop_triggers(&w, err));
    return keeps_history ? set_state(&w, BR_HISTORY_OFF, err) : remove_history(&w, err);
}

br_status br_history_unregister(br_oltp *oltp, const char *table, bool keeps_history, br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    br_status status = unregister(oltp, table, keeps_history, arena, err);
    br_arena_free(arena);
    return status;
}

static br_status release(br_oltp *oltp, const char *name, bool *was_on, br_arena *arena,
                         br_error *err)
{
    br_schema schema;
    BR_TRY(br_schema_read(oltp, arena, &schema, err));
    const br_schema_history *found = br_schema_find_history(&schema, name);
    *was_on = found != NULL && found->state == BR_HISTORY_ON;
    if (!*was_on) return BR_OK;
    br_schema_history history = *found;
    work w = {.oltp = oltp, .arena = arena, .history = &history};
    return drop_triggers(&w, err);
}

br_status br_history_release(br_oltp *oltp, const char *table, bool *was_on_out, br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    br_status status = release(oltp, table, was_on_out, arena, err);
    br_arena_free(arena);
    return status;
}

static br_status remove_all(br_oltp *oltp, br_arena *arena, br_error *err)
{
    br_schema schema;
    BR_TRY(br_schema_read(oltp, arena, &schema, err));
    for (uint32_t i = 0; i < schema.history_count; i++) {
        work w = {.oltp = oltp, .arena = arena, .history = &schema.histories[i]};
        BR_TRY(drop_triggers(&w, err));
        BR_TRY(remove_history(&w, err));
    }
    return br_oltp_exec(oltp,
                        "DROP TABLE IF EXISTS main._braid_temporal;"
                        "DROP TABLE IF EXISTS main._braid_clock;",
                        err);
}

br_status br_history_remove_all(br_oltp *oltp, br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    br_status status = remove_all(oltp, arena, err);
    br_arena_free(arena);
    return status;
}
