// install.c - what the maintainer writes into the SQLite file: triggers, ids, hi.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "cdc/state.h"

enum { TAIL_ROWS_MIN = 8 };

bool br_cdc_is_mirrored(const br_cdc *cdc, const br_schema_table *table)
{
    bool is_foreign = table->is_virtual || table->is_shadow;
    return !is_foreign && table->column_count > 0 && table->column_count <= BR_COLUMNS_MAX &&
           !table->is_left_out && !br_cdc_is_excluded(cdc, table);
}

// An entry tells all changes of its table since it was made. That is not enough when the table's
// rows have got other rowids.
bool br_cdc_entry_is_usable(const br_cdc *cdc, const br_capture_entry *entry, bool rowids_moved)
{
    const br_schema_table *table = entry->table;
    if (entry->state == BR_CAPTURE_BROKEN || !br_cdc_is_mirrored(cdc, table)) return false;
    return !rowids_moved || !table->has_rowid || table->rowid_column >= 0;
}

typedef struct installer {
    br_cdc *cdc;
    br_arena *arena;
    br_schema schema;
    br_capture_meta meta;
    br_capture_entry *entries;
    uint32_t entry_count;
    bool has_written;
    bool has_remade;  // triggers of a table that stays
    int64_t cookie;   // of the schema, when done
    int64_t moved;    // of it by ourselves
} installer;

// Can SQLite read the table in this process at all?
static bool is_readable(installer *in, const br_schema_table *table)
{
    const char *name = br_oltp_quote_name(in->arena, table->name);
    char *sql = name == NULL ? NULL : br_arena_format(in->arena, "SELECT * FROM main.%s", name);
    br_oltp_statement *statement = NULL;
    if (sql == NULL || br_oltp_prepare(in->cdc->writer, sql, NULL, &statement, NULL) != BR_OK)
        return false;
    br_oltp_finalize(statement);
    return true;
}

// A table that refuses triggers is left as it was.
static br_status install_table(installer *in, const br_schema_table *table, br_error *err)
{
    br_oltp *writer = in->cdc->writer;
    uint32_t table_id;
    if (!is_readable(in, table)) return BR_OK;
    BR_TRY(br_oltp_exec(writer, "SAVEPOINT braid_table", err));
    br_status status = br_capture_new_id(writer, &table_id, err);
    if (status == BR_OK) status = br_capture_install(writer, table, table_id, err);
    if (status == BR_OK) {
        in->has_written = true;
        return br_oltp_exec(writer, "RELEASE braid_table", err);
    }
    if (status != BR_SQL && status != BR_RUNTIME) return status;
    return br_oltp_exec(writer, "ROLLBACK TO braid_table; RELEASE braid_table", err);
}

static bool has_usable_entry(const installer *in, const br_schema_table *table)
{
    for (uint32_t i = 0; i < in->entry_count; i++) {
        if (in->entries[i].table == table &&
            br_cdc_entry_is_usable(in->cdc, &in->entries[i], in->meta.rowids_moved))
            return true;
    }
    return false;
}

static br_status update_entry(installer *in, const br_capture_entry *entry, br_error *err)
{
    bool is_named = strcmp(entry->name, entry->table->name) == 0;
    if (entry->state == BR_CAPTURE_INTACT && is_named) return BR_OK;
    in->has_written = true;
    in->has_remade |= entry->state != BR_CAPTURE_INTACT;
    return br_capture_update(in->cdc->writer, entry, err);
}

static br_status install_tables(installer *in, br_error *err)
{
    br_cdc *cdc = in->cdc;
    BR_TRY(br_capture_read_meta(cdc->writer, &in->meta, err));
    if (!in->meta.is_installed) {
        BR_TRY(br_capture_install_meta(cdc->writer, err));
        in->has_written = true;
    }
    bool has_followed;
    BR_TRY(br_history_follow(cdc->writer, in->meta.rowids_moved, &has_followed, err));
    in->has_written = in->has_written || has_followed;
    BR_TRY(br_schema_read(cdc->writer, in->arena, &in->schema, err));
    BR_TRY(br_capture_read_entries(cdc->writer, &in->schema, in->arena, &in->entries,
                                   &in->entry_count, err));
    for (uint32_t i = 0; i < in->entry_count; i++) {
        const br_capture_entry *entry = &in->entries[i];
        if (br_cdc_entry_is_usable(cdc, entry, in->meta.rowids_moved)) {
            BR_TRY(update_entry(in, entry, err));
            continue;
        }
        BR_TRY(br_capture_uninstall(cdc->writer, entry->table_id, err));
        in->has_written = true;
    }
    for (uint32_t i = 0; i < in->schema.table_count; i++) {
        const br_schema_table *table = &in->schema.tables[i];
        if (!br_cdc_is_mirrored(cdc, table) || has_usable_entry(in, table)) continue;
        BR_TRY(install_table(in, table, err));
    }
    if (!in->meta.rowids_moved) return BR_OK;
    in->has_written = true;
    return br_capture_accept_moved_rowids(cdc->writer, err);
}

// Nothing is logged of a change of the schema, so a backup from before it could be restored without
// being noticed. This record would be missing then.
static br_status record_schema(installer *in, int64_t cookie, br_error *err)
{
    br_cdc *cdc = in->cdc;
    int64_t published = br_store_watermark(cdc->next_store).schema_cookie;
    if (published == 0 || published == cookie) return BR_OK;
    in->has_written = true;
    return br_capture_log_schema(cdc->writer, cookie, err);
}

// What is installed moves the schema cookie, too.
static br_status install_and_count(installer *in, br_error *err)
{
    static const char *const cookie = "PRAGMA main.schema_version";
    int64_t before;
    BR_TRY(br_oltp_query_int(in->cdc->writer, cookie, 0, &before, err));
    BR_TRY(install_tables(in, err));
    BR_TRY(br_oltp_query_int(in->cdc->writer, cookie, 0, &in->cookie, err));
    in->moved = in->cookie - before;
    return record_schema(in, in->cookie, err);
}

static br_status install(br_cdc *cdc, br_error *err)
{
    installer in = {.cdc = cdc, .arena = br_arena_new(NULL)};
    br_status status = in.arena == NULL ? br_fail(err, BR_NOMEM, "no memory for the schema")
                                        : install_and_count(&in, err);
    br_arena_free(in.arena);
    if (status == BR_OK && in.has_written) status = br_oltp_exec(cdc->writer, "COMMIT", err);
    if (status == BR_OK) {
        cdc->own_moves += in.moved;
        cdc->installed_cookie = in.cookie;
        cdc->has_remade |= in.has_remade;
    }
    // After a failed COMMIT there may be no transaction left to undo.
    if (br_oltp_in_transaction(cdc->writer)) {
        br_status undone = br_oltp_exec(cdc->writer, "ROLLBACK", status == BR_OK ? err : NULL);
        if (status == BR_OK) status = undone;
    }
    return status;
}

br_status br_cdc_install(br_cdc *cdc, bool wait, bool *done_out, br_error *err)
{
    br_assert(br_cdc_is_maintainer(cdc));
    *done_out = false;
    br_oltp_set_busy_timeout(cdc->writer, wait ? cdc->config.busy_timeout_ms : 0);
    br_status status = br_oltp_exec(cdc->writer, "BEGIN IMMEDIATE", err);
    if (status == BR_OK) status = install(cdc, err);
    br_oltp_set_busy_timeout(cdc->writer, 0);
    // Somebody is writing, or nobody can: until it works, tables not captured are read as a whole.
    if (status == BR_BUSY || status == BR_READONLY || status == BR_FULL || status == BR_IO)
        return BR_OK;
    *done_out = status == BR_OK;
    return status;
}

// ---- hi -------------------------------------------------------------------------------------

static bool run(br_oltp_statement *statement)
{
    bool has_row;
    br_status status = br_oltp_step(statement, &has_row, NULL);
    br_oltp_reset(statement);
    return status == BR_OK;
}

static bool run_on(br_oltp_statement *statement, const br_mirror *mirror, const int64_t *hi)
{
    br_value id = br_value_int(mirror->table_id);
    if (br_oltp_bind(statement, 1, &id, NULL) != BR_OK) return false;
    br_value key = br_value_int(hi == NULL ? 0 : *hi);
    if (hi != NULL && br_oltp_bind(statement, 2, &key, NULL) != BR_OK) return false;
    return run(statement);
}

// A dirty flag that stands hides the next change, so it is lowered before the table is read. Copies
// that were read while it stood must be told that they may be old: the log gets one record more.
static bool raise_one(br_cdc *cdc, const br_mirror *mirror)
{
    if (mirror->mode == BR_MIRROR_KEYS) return run_on(cdc->raise, mirror, &mirror->max_key_now);
    return run_on(cdc->log_dirty, mirror, NULL) && run_on(cdc->lower, mirror, NULL);
}

static bool is_raisable(const br_mirror *mirror)
{
    if (mirror->mode == BR_MIRROR_DIRTY) return mirror->hi_now != 0;
    return mirror->mode == BR_MIRROR_KEYS && mirror->has_rows &&
           mirror->max_key_now > mirror->hi_now;
}

// Reading some rows again costs less than a commit, after which every connection of the file has to
// fill its page cache anew.
bool br_cdc_wants_raise(const br_cdc *cdc)
{
    if (!br_cdc_is_maintainer(cdc)) return false;
    uint64_t limit = TAIL_ROWS_MIN + cdc->set.count;
    for (uint32_t i = 0; i < cdc->set.count; i++) {
        const br_mirror *mirror = &cdc->set.items[i];
        if (!is_raisable(mirror)) continue;
        if (mirror->mode == BR_MIRROR_DIRTY) return true;
        if ((uint64_t)mirror->max_key_now - (uint64_t)mirror->hi_now > limit) return true;
    }
    return false;
}

// Failing is harmless: rows above hi are read again by the next pass, that is all.
void br_cdc_raise(br_cdc *cdc)
{
    bool has_lock = false, is_good = true;
    uint64_t began_ns = 0;
    br_assert(br_cdc_is_maintainer(cdc) && cdc->is_set_valid);
    for (uint32_t i = 0; i < cdc->set.count && is_good; i++) {
        const br_mirror *mirror = &cdc->set.items[i];
        if (!is_raisable(mirror)) continue;
        if (!has_lock && !run(cdc->take)) return;
        if (!has_lock) began_ns = br_clock_ns();
        has_lock = true;
        is_good = raise_one(cdc, mirror);
    }
    if (has_lock && (!is_good || !run(cdc->commit))) {
        if (br_oltp_in_transaction(cdc->writer)) (void)run(cdc->undo);
    }
    if (has_lock) br_cdc_note_hold(cdc, began_ns);
}
