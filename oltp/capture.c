// capture.c - the tables of capture: _braid_meta, _braid_table, _braid_log, _braid_canary.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "oltp/capture.h"

enum {
    META_VERSION = 1,
    META_TABLES = 4,
    // Where the only row of _braid_canary lies. VACUUM numbers the rows of a table like it from 1.
    CANARY_ROWID = 1000,
};

// A trigger in its shape in the file, for comparing.
typedef struct trigger_row {
    uint32_t table_id;
    const char *name;
    const char *sql;
    const char *table;
} trigger_row;

br_status br_capture_install_meta(br_oltp *oltp, br_error *err)
{
    br_capture_meta meta;
    BR_TRY(br_capture_read_meta(oltp, &meta, err));
    if (meta.is_installed) return BR_OK;
    BR_TRY(br_capture_remove_all(oltp, err));
    BR_TRY(br_oltp_exec(oltp,
                        "CREATE TABLE _braid_meta(id INTEGER PRIMARY KEY CHECK (id = 1),"
                        " version INTEGER NOT NULL, lineage BLOB NOT NULL,"
                        " checkpoint_id BLOB NOT NULL, next_checkpoint_id BLOB NOT NULL,"
                        " next_table_id INTEGER NOT NULL);"
                        "CREATE TABLE _braid_table(table_id INTEGER PRIMARY KEY,"
                        " hi INTEGER NOT NULL, name TEXT NOT NULL);"
                        "CREATE TABLE _braid_log(seq INTEGER PRIMARY KEY, table_id INTEGER,"
                        " key INTEGER);"
                        "CREATE TABLE _braid_canary(note TEXT);",
                        err));
    BR_TRY(br_oltp_exec_format(oltp, err,
                               "INSERT INTO _braid_meta VALUES(1, %d, randomblob(16),"
                               " zeroblob(16), zeroblob(16), 1)",
                               META_VERSION));
    return br_oltp_exec_format(oltp, err,
                               "INSERT INTO _braid_canary(rowid, note)"
                               " VALUES(%d, 'a rowid that VACUUM would change')",
                               CANARY_ROWID);
}

static br_status copy_id(br_oltp_statement *statement, uint32_t column, uint8_t id_out[16],
                         br_error *err)
{
    br_value value = br_oltp_column(statement, column);
    if (value.class_ != BR_BLOB || value.text.size != 16)
        return br_fail(err, BR_CORRUPT, "_braid_meta: column %u is no id of 16 bytes", column);
    memcpy(id_out, value.text.data, 16);
    return BR_OK;
}

static br_status read_meta_row(br_oltp *oltp, br_capture_meta *meta, br_error *err)
{
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp,
                           "SELECT lineage, checkpoint_id, next_checkpoint_id, version"
                           " FROM main._braid_meta",
                           NULL, &statement, err));
    bool has_row = false;
    br_status status = br_oltp_step(statement, &has_row, err);
    if (status == BR_OK && has_row) {
        status = copy_id(statement, 0, meta->lineage, err);
        if (status == BR_OK) status = copy_id(statement, 1, meta->checkpoint_id, err);
        if (status == BR_OK) status = copy_id(statement, 2, meta->next_checkpoint_id, err);
        br_value version = br_oltp_column(statement, 3);
        meta->is_installed = version.class_ == BR_INT && version.i64 == META_VERSION;
    }
    br_oltp_finalize(statement);
    return status;
}

br_status br_capture_read_meta(br_oltp *oltp, br_capture_meta *meta_out, br_error *err)
{
    *meta_out = (br_capture_meta){0};
    int64_t table_count;
    BR_TRY(br_oltp_query_int(oltp,
                             "SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name"
                             " IN ('_braid_meta', '_braid_table', '_braid_log', '_braid_canary')",
                             0, &table_count, err));
    if (table_count != META_TABLES) return BR_OK;
    int64_t canary;
    BR_TRY(br_oltp_query_int(oltp, "SELECT rowid FROM main._braid_canary", 0, &canary, err));
    meta_out->rowids_moved = canary != CANARY_ROWID;
    return read_meta_row(oltp, meta_out, err);
}

// ---- entries --------------------------------------------------------------------------------

static br_status no_memory(br_error *err)
{
    return br_fail(err, BR_NOMEM, "no memory for the tables of capture");
}

static const char *copy_text(br_oltp_statement *statement, uint32_t column, br_arena *arena)
{
    br_value value = br_oltp_column(statement, column);
    if (value.class_ != BR_TEXT) return br_arena_copy_text(arena, "", 0);
    return br_arena_copy_text(arena, value.text.data, value.text.size);
}

static br_status read_triggers(br_oltp *oltp, br_arena *arena, trigger_row **rows_out,
                               uint32_t *count_out, br_error *err)
{
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp,
                           "SELECT name, sql, count(*) OVER (), tbl_name FROM main.sqlite_master"
                           " WHERE type = 'trigger' AND name GLOB '_braid_[0-9]*'",
                           NULL, &statement, err));
    trigger_row *rows = NULL;
    uint32_t count = 0;
    bool has_row = true;
    br_status status = BR_OK;
    while (status == BR_OK) {
        status = br_oltp_step(statement, &has_row, err);
        if (status != BR_OK || !has_row) break;
        if (rows == NULL)
            rows = BR_ALLOC(arena, trigger_row, (size_t)br_oltp_column(statement, 2).i64);
        if (rows == NULL) {
            status = no_memory(err);
            break;
        }
        rows[count].name = copy_text(statement, 0, arena);
        rows[count].sql = copy_text(statement, 1, arena);
        rows[count].table = copy_text(statement, 3, arena);
        if (rows[count].name == NULL || rows[count].sql == NULL || rows[count].table == NULL) {
            status = no_memory(err);
            break;
        }
        const char *suffix;
        rows[count].table_id = br_capture_trigger_id(rows[count].name, &suffix);
        count++;
    }
    br_oltp_finalize(statement);
    *rows_out = rows;
    *count_out = count;
    return status;
}

static bool has_trigger(const trigger_row *rows, uint32_t count, const char *sql)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(rows[i].sql, sql) == 0) return true;
    }
    return false;
}

// A table that was renamed takes its triggers along, and one that was dropped and made again has
// lost them: so the triggers tell which table it is, whatever its name.
static const br_schema_table *table_of(const trigger_row *rows, uint32_t count, uint32_t table_id,
                                       const br_schema *schema)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].table_id == table_id) return br_schema_find(schema, rows[i].table);
    }
    return NULL;
}

// Are the triggers in the file those that belong to the table, no more and no less?
static br_status check_entry(const trigger_row *rows, uint32_t count, br_arena *arena,
                             br_capture_entry *entry, br_error *err)
{
    uint32_t present = 0, found = 0;
    for (uint32_t i = 0; i < count; i++) present += rows[i].table_id == entry->table_id;
    if (entry->table == NULL) return BR_OK;
    capture_triggers triggers;
    BR_TRY(br_capture_triggers(entry->table, entry->table_id, arena, &triggers, err));
    while (found < triggers.count && has_trigger(rows, count, triggers.sql[found])) found++;
    if (found == triggers.count && present == found) entry->state = BR_CAPTURE_INTACT;
    else if (found >= triggers.base_count) entry->state = BR_CAPTURE_LOOSE;
    return BR_OK;
}

static br_status read_entry_rows(br_oltp *oltp, br_arena *arena, br_capture_entry **entries_out,
                                 uint32_t *count_out, br_error *err)
{
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp,
                           "SELECT table_id, hi, name, count(*) OVER () FROM main._braid_table",
                           NULL, &statement, err));
    br_capture_entry *entries = NULL;
    uint32_t count = 0;
    bool has_row = true;
    br_status status = BR_OK;
    while (status == BR_OK) {
        status = br_oltp_step(statement, &has_row, err);
        if (status != BR_OK || !has_row) break;
        if (entries == NULL)
            entries = BR_ALLOC(arena, br_capture_entry, (size_t)br_oltp_column(statement, 3).i64);
        const char *name = copy_text(statement, 2, arena);
        if (entries == NULL || name == NULL) {
            status = no_memory(err);
            break;
        }
        entries[count++] = (br_capture_entry){
            .table_id = (uint32_t)br_oltp_column(statement, 0).i64,
            .hi = br_oltp_column(statement, 1).i64,
            .name = name,
        };
    }
    br_oltp_finalize(statement);
    *entries_out = entries;
    *count_out = count;
    return status;
}

br_status br_capture_read_entries(br_oltp *oltp, const br_schema *schema, br_arena *arena,
                                  br_capture_entry **entries_out, uint32_t *count_out,
                                  br_error *err)
{
    trigger_row *rows;
    br_capture_entry *entries;
    uint32_t row_count, count;
    BR_TRY(read_triggers(oltp, arena, &rows, &row_count, err));
    BR_TRY(read_entry_rows(oltp, arena, &entries, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        entries[i].table = table_of(rows, row_count, entries[i].table_id, schema);
        BR_TRY(check_entry(rows, row_count, arena, &entries[i], err));
    }
    *entries_out = entries;
    *count_out = count;
    return BR_OK;
}

// ---- changes --------------------------------------------------------------------------------

br_status br_capture_new_id(br_oltp *oltp, uint32_t *table_id_out, br_error *err)
{
    int64_t id;
    BR_TRY(br_oltp_query_int(oltp, "SELECT next_table_id FROM main._braid_meta", 0, &id, err));
    if (id < 1 || id >= UINT32_MAX)
        return br_fail(err, BR_CORRUPT, "_braid_meta: next_table_id is %" PRId64, id);
    BR_TRY(
        br_oltp_exec(oltp, "UPDATE main._braid_meta SET next_table_id = next_table_id + 1", err));
    *table_id_out = (uint32_t)id;
    return BR_OK;
}

static br_status enter_table(br_oltp *oltp, const br_schema_table *table, uint32_t table_id,
                             br_arena *arena, br_error *err)
{
    int64_t hi = 0;
    if (br_capture_kind_of(table) == BR_CAPTURE_KEYS) {
        const char *key = br_schema_key_name(table, arena);
        const char *name = br_oltp_quote_name(arena, table->name);
        if (key == NULL || name == NULL) return no_memory(err);
        char *sql = br_arena_format(arena, "SELECT max(%s) FROM main.%s", key, name);
        if (sql == NULL) return no_memory(err);
        BR_TRY(br_oltp_query_int(oltp, sql, INT64_MIN, &hi, err));
    }
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp, "INSERT OR REPLACE INTO main._braid_table VALUES(?1, ?2, ?3)",
                           NULL, &statement, err));
    br_value values[] = {br_value_int(table_id), br_value_int(hi),
                         br_value_text(br_text_make(table->name, (uint32_t)strlen(table->name)))};
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < 3; i++)
        status = br_oltp_bind(statement, i + 1, &values[i], err);
    bool has_row;
    if (status == BR_OK) status = br_oltp_step(statement, &has_row, err);
    br_oltp_finalize(statement);
    return status;
}

static br_status drop_triggers(br_oltp *oltp, const trigger_row *rows, uint32_t count,
                               uint32_t table_id, br_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].table_id != table_id) continue;
        BR_TRY(br_oltp_exec_format(oltp, err, "DROP TRIGGER main.\"%s\"", rows[i].name));
    }
    return BR_OK;
}

static br_status make_triggers(br_oltp *oltp, const br_schema_table *table, uint32_t table_id,
                               br_arena *arena, br_error *err)
{
    trigger_row *rows;
    uint32_t count;
    capture_triggers triggers;
    BR_TRY(read_triggers(oltp, arena, &rows, &count, err));
    BR_TRY(drop_triggers(oltp, rows, count, table_id, err));
    BR_TRY(br_capture_triggers(table, table_id, arena, &triggers, err));
    for (uint32_t i = 0; i < triggers.count; i++) BR_TRY(br_oltp_exec(oltp, triggers.sql[i], err));
    return BR_OK;
}

br_status br_capture_install(br_oltp *oltp, const br_schema_table *table, uint32_t table_id,
                             br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    br_status status = make_triggers(oltp, table, table_id, arena, err);
    if (status == BR_OK) status = enter_table(oltp, table, table_id, arena, err);
    br_arena_free(arena);
    return status;
}

static br_status put_name(br_oltp *oltp, const char *name, uint32_t table_id, br_error *err)
{
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp, "UPDATE main._braid_table SET name = ?2 WHERE table_id = ?1", NULL,
                           &statement, err));
    br_value id = br_value_int(table_id);
    br_value text = br_value_text(br_text_make(name, (uint32_t)strlen(name)));
    bool has_row;
    br_status status = br_oltp_bind(statement, 1, &id, err);
    if (status == BR_OK) status = br_oltp_bind(statement, 2, &text, err);
    if (status == BR_OK) status = br_oltp_step(statement, &has_row, err);
    br_oltp_finalize(statement);
    return status;
}

br_status br_capture_update(br_oltp *oltp, const br_capture_entry *entry, br_error *err)
{
    const br_schema_table *table = entry->table;
    if (strcmp(entry->name, table->name) != 0)
        BR_TRY(put_name(oltp, table->name, entry->table_id, err));
    if (entry->state == BR_CAPTURE_INTACT) return BR_OK;
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    br_status status = make_triggers(oltp, table, entry->table_id, arena, err);
    br_arena_free(arena);
    return status;
}

br_status br_capture_log_schema(br_oltp *oltp, int64_t cookie, br_error *err)
{
    return br_oltp_exec_format(oltp, err,
                               "INSERT INTO main._braid_log(table_id, key) VALUES(0, %" PRId64 ")",
                               cookie);
}

br_status br_capture_uninstall(br_oltp *oltp, uint32_t table_id, br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    trigger_row *rows;
    uint32_t count;
    br_status status = read_triggers(oltp, arena, &rows, &count, err);
    if (status == BR_OK) status = drop_triggers(oltp, rows, count, table_id, err);
    if (status == BR_OK)
        status = br_oltp_exec_format(oltp, err, "DELETE FROM main._braid_table WHERE table_id = %u",
                                     table_id);
    br_arena_free(arena);
    return status;
}

br_status br_capture_accept_moved_rowids(br_oltp *oltp, br_error *err)
{
    return br_oltp_exec_format(oltp, err, "UPDATE main._braid_canary SET rowid = %d", CANARY_ROWID);
}

br_status br_capture_set_checkpoints(br_oltp *oltp, const uint8_t durable[16],
                                     const uint8_t next[16], br_error *err)
{
    br_oltp_statement *statement;
    BR_TRY(br_oltp_prepare(oltp,
                           "UPDATE main._braid_meta SET checkpoint_id = ?1,"
                           " next_checkpoint_id = ?2",
                           NULL, &statement, err));
    br_value first = br_value_blob(br_text_make(durable, 16));
    br_value second = br_value_blob(br_text_make(next, 16));
    br_status status = br_oltp_bind(statement, 1, &first, err);
    if (status == BR_OK) status = br_oltp_bind(statement, 2, &second, err);
    bool has_row;
    if (status == BR_OK) status = br_oltp_step(statement, &has_row, err);
    br_oltp_finalize(statement);
    return status;
}

br_status br_capture_prune(br_oltp *oltp, uint64_t seq, uint32_t row_limit, bool *is_done_out,
                           br_error *err)
{
    // The newest record stays: the next one gets its number plus one, so no number is used twice.
    // One bound: of several SQLite takes the first and looks at each record below it.
    BR_TRY(br_oltp_exec_format(oltp, err,
                               "DELETE FROM main._braid_log WHERE seq < min(%" PRIu64
                               ", (SELECT max(seq) FROM main._braid_log),"
                               " (SELECT min(seq) FROM main._braid_log) + %u)",
                               seq + 1, row_limit));
    *is_done_out = br_oltp_changes(oltp) < row_limit;
    return BR_OK;
}

br_status br_capture_remove_all(br_oltp *oltp, br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(err);
    trigger_row *rows;
    uint32_t count;
    br_status status = read_triggers(oltp, arena, &rows, &count, err);
    for (uint32_t i = 0; status == BR_OK && i < count; i++)
        status = br_oltp_exec_format(oltp, err, "DROP TRIGGER main.\"%s\"", rows[i].name);
    br_arena_free(arena);
    if (status != BR_OK) return status;
    return br_oltp_exec(oltp,
                        "DROP TABLE IF EXISTS main._braid_log;"
                        "DROP TABLE IF EXISTS main._braid_table;"
                        "DROP TABLE IF EXISTS main._braid_meta;"
                        "DROP TABLE IF EXISTS main._braid_canary;",
                        err);
}
