// insert.c - many rows into one table.
//
// A trigger costs as much as half of an insert even when its condition is false. Capture's does
// nothing for rows above the table's hi (docs/cdc.md), so where a table has no other triggers, and
// all keys are known to lie above hi, none are run. Both are looked at in the transaction that
// inserts, in which they cannot change. Afterwards hi is raised, so that these rows are read once.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "oltp/capture.h"
#include "oltp/handle.h"

enum { RAISE_ROWS_MIN = 1000 };  // reading fewer again costs less than writing one more page

// Keys beyond this are close to where SQLite goes over to choosing them at random.
static const int64_t KEY_MAX = INT64_MAX - (1 << 20);

struct br_oltp_inserter {
    br_oltp *oltp;
    br_arena *arena;
    const char *table;
    const char **columns;
    uint32_t column_count;
    br_oltp_statement *insert;

    // As of the schema `cookie`.
    bool is_looked_at;
    int64_t cookie;
    br_oltp_statement *bounds;  // hi, largest key, temporary triggers; NULL: triggers are to run
    br_oltp_statement *raise;   // hi to the largest key; with `bounds`
    bool *is_key;               // per column: it is the rowid
};

static br_status no_memory(const char *table, br_error *err)
{
    return br_fail(err, BR_NOMEM, "no memory to insert into '%s'", table);
}

static br_value table_name(const br_oltp_inserter *self)
{
    return br_value_text(br_text_make(self->table, (uint32_t)strlen(self->table)));
}

// ---- making one -----------------------------------------------------------------------------

static br_status add_column(br_oltp_inserter *self, const char *name, size_t size,
                            size_t *capacity, br_error *err)
{
    if (!br_heap_grow((void **)&self->columns, sizeof *self->columns, self->column_count,
                      capacity))
        return no_memory(self->table, err);
    const char *copy = br_arena_copy_text(self->arena, name, size);
    if (copy == NULL) return no_memory(self->table, err);
    self->columns[self->column_count++] = copy;
    return BR_OK;
}

static br_status read_columns(br_oltp_inserter *self, br_oltp_statement *names, br_error *err)
{
    br_value table = table_name(self);
    size_t capacity = 0;
    bool has_row = true;
    BR_TRY(br_oltp_bind(names, 1, &table, err));
    while (true) {
        BR_TRY(br_oltp_step(names, &has_row, err));
        if (!has_row) break;
        br_value name = br_oltp_column(names, 0);
        BR_TRY(add_column(self, name.text.data, name.text.size, &capacity, err));
    }
    if (self->column_count > 0) return BR_OK;
    return br_fail(err, BR_SQL, "no such table: %s", self->table);
}

static br_status take_all_columns(br_oltp_inserter *self, br_error *err)
{
    br_oltp_statement *names;
    BR_TRY(br_oltp_prepare(self->oltp,
                           "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0",
                           NULL, &names, err));
    br_status status = read_columns(self, names, err);
    br_oltp_finalize(names);
    return status;
}

static br_status prepare_insert(br_oltp_inserter *self, br_error *err)
{
    br_buffer sql = {0};
    const char *table = br_oltp_quote_name(self->arena, self->table);
    bool is_built = table != NULL && br_buffer_format(&sql, "INSERT OR ABORT INTO main.%s(", table);
    for (uint32_t i = 0; is_built && i < self->column_count; i++) {
        const char *name = br_oltp_quote_name(self->arena, self->columns[i]);
        is_built = name != NULL && br_buffer_format(&sql, "%s%s", i == 0 ? "" : ",", name);
    }
    is_built = is_built && br_buffer_format(&sql, ") VALUES(");
    for (uint32_t i = 0; is_built && i < self->column_count; i++)
        is_built = br_buffer_format(&sql, "%s", i == 0 ? "?" : ",?");
    is_built = is_built && br_buffer_format(&sql, ")");
    br_status status =
        is_built ? br_oltp_prepare(self->oltp, (const char *)sql.bytes, NULL, &self->insert, err)
                 : no_memory(self->table, err);
    br_buffer_release(&sql);
    if (err != NULL && status == BR_SQL) err->sql_offset = -1;  // not a text of the caller's
    return status;
}

static br_status fill(br_oltp_inserter *self, const char *table, const char *const *columns,
                      br_error *err)
{
    size_t capacity = 0;
    self->arena = br_arena_new(NULL);
    if (self->arena == NULL) return no_memory(table, err);
    self->table = br_arena_copy_text(self->arena, table, strlen(table));
    if (self->table == NULL) return no_memory(table, err);
    for (uint32_t i = 0; columns != NULL && columns[i] != NULL; i++)
        BR_TRY(add_column(self, columns[i], strlen(columns[i]), &capacity, err));
    if (columns == NULL) BR_TRY(take_all_columns(self, err));
    if (self->column_count == 0) return br_fail(err, BR_MISUSE, "no columns of '%s'", table);
    self->is_key = BR_ALLOC(self->arena, bool, self->column_count);
    if (self->is_key == NULL) return no_memory(table, err);
    return prepare_insert(self, err);
}

br_status br_oltp_inserter_new(br_oltp *oltp, const char *table, const char *const *columns,
                               br_oltp_inserter **inserter_out, br_error *err)
{
    br_oltp_inserter *self = br_heap_zalloc(sizeof *self);
    if (self == NULL) return no_memory(table, err);
    self->oltp = oltp;
    br_status status = fill(self, table, columns, err);
    if (status != BR_OK) {
        br_oltp_inserter_free(self);
        return status;
    }
    *inserter_out = self;
    return BR_OK;
}

static void forget_schema(br_oltp_inserter *self)
{
    br_oltp_finalize(self->bounds);
    br_oltp_finalize(self->raise);
    self->bounds = self->raise = NULL;
}

void br_oltp_inserter_free(br_oltp_inserter *inserter)
{
    if (inserter == NULL) return;
    forget_schema(inserter);
    br_oltp_finalize(inserter->insert);
    br_heap_free(inserter->columns);
    br_arena_free(inserter->arena);
    br_heap_free(inserter);
}

uint32_t br_oltp_inserter_columns(const br_oltp_inserter *inserter)
{
    return inserter->column_count;
}

// ---- do triggers have anything to do? -------------------------------------------------------

// How many triggers of main the table has.
static br_status count_triggers(const br_oltp_inserter *self, int64_t *count_out, br_error *err)
{
    br_oltp_statement *statement;
    bool has_row = false;
    br_value table = table_name(self);
    BR_TRY(br_oltp_prepare(self->oltp,
                           "SELECT count(*) FROM main.sqlite_master WHERE type = 'trigger'"
                           " AND tbl_name = ?1 COLLATE NOCASE",
                           NULL, &statement, err));
    br_status status = br_oltp_bind(statement, 1, &table, err);
    if (status == BR_OK) status = br_oltp_step(statement, &has_row, err);
    if (status == BR_OK) *count_out = br_oltp_column(statement, 0).i64;
    br_oltp_finalize(statement);
    return status;
}

static bool is_rowid_name(const br_schema_table *table, const char *name)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    if (table->rowid_column >= 0 &&
        sqlite3_stricmp(table->columns[table->rowid_column].name, name) == 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (sqlite3_stricmp(names[i], name) == 0) return true;  // a column, at worst
    }
    return false;
}

static br_status prepare_bounds(br_oltp_inserter *self, const br_capture_entry *entry,
                                br_arena *arena, br_error *err)
{
    const char *key = br_schema_key_name(entry->table, arena);
    const char *name = br_oltp_quote_name(arena, entry->table->name);
    if (key == NULL || name == NULL) return no_memory(self->table, err);
    const char *largest = br_arena_format(arena, "(SELECT max(%s) FROM main.%s)", key, name);
    if (largest == NULL) return no_memory(self->table, err);
    const char *bounds = br_arena_format(
        arena,
        "SELECT hi, %s, (SELECT count(*) FROM temp.sqlite_master WHERE type = 'trigger')"
        " FROM main._braid_table WHERE table_id = %u",
        largest, entry->table_id);
    const char *raise = br_arena_format(
        arena, "UPDATE main._braid_table SET hi = %s WHERE table_id = %u AND hi < %s", largest,
        entry->table_id, largest);
    if (bounds == NULL || raise == NULL) return no_memory(self->table, err);
    for (uint32_t i = 0; i < self->column_count; i++)
        self->is_key[i] = is_rowid_name(entry->table, self->columns[i]);
    BR_TRY(br_oltp_prepare(self->oltp, raise, NULL, &self->raise, err));
    return br_oltp_prepare(self->oltp, bounds, NULL, &self->bounds, err);
}

static br_status look_at_entry(br_oltp_inserter *self, const br_capture_entry *entry,
                               br_arena *arena, br_error *err)
{
    capture_triggers own;
    int64_t count;
    bool has_keys = br_capture_kind_of(entry->table) == BR_CAPTURE_KEYS;
    if (entry->state != BR_CAPTURE_INTACT || !has_keys) return BR_OK;
    BR_TRY(br_capture_triggers(entry->table, entry->table_id, arena, &own, err));
    BR_TRY(count_triggers(self, &count, err));
    return count == own.count ? prepare_bounds(self, entry, arena, err) : BR_OK;
}

static br_status look_at_schema(br_oltp_inserter *self, br_arena *arena, br_error *err)
{
    br_schema schema;
    br_capture_meta meta;
    br_capture_entry *entries = NULL;
    uint32_t count = 0;
    BR_TRY(br_capture_read_meta(self->oltp, &meta, err));
    if (!meta.is_installed) return BR_OK;
    BR_TRY(br_schema_read(self->oltp, arena, &schema, err));
    BR_TRY(br_capture_read_entries(self->oltp, &schema, arena, &entries, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        const br_schema_table *table = entries[i].table;
        if (table != NULL && sqlite3_stricmp(table->name, self->table) == 0)
            return look_at_entry(self, &entries[i], arena, err);
    }
    return BR_OK;
}

static br_status refresh(br_oltp_inserter *self, br_error *err)
{
    int64_t cookie;
    BR_TRY(br_oltp_query_int(self->oltp, "PRAGMA main.schema_version", 0, &cookie, err));
    if (self->is_looked_at && cookie == self->cookie) return BR_OK;
    forget_schema(self);
    br_arena *arena = br_arena_new(NULL);
    if (arena == NULL) return no_memory(self->table, err);
    br_status status = look_at_schema(self, arena, err);
    br_arena_free(arena);
    self->cookie = cookie;
    self->is_looked_at = status == BR_OK;
    return status;
}

// Are all keys of the rows above hi, those that SQLite will choose too?
static bool are_above(const br_oltp_inserter *self, const br_column *columns, int64_t hi,
                      bool are_chosen_above)
{
    bool has_chosen = true;
    for (uint32_t i = 0; i < self->column_count; i++) {
        const br_column *column = &columns[i];
        if (!self->is_key[i]) continue;
        has_chosen = false;
        for (uint32_t row = 0; row < column->row_count; row++) {
            int64_t key = (int64_t)column->payloads[row];
            if (column->classes[row] == BR_NULL) has_chosen = true;
            else if (column->classes[row] != BR_INT || key <= hi || key > KEY_MAX) return false;
        }
        if (has_chosen && !are_chosen_above) return false;
    }
    return !has_chosen || are_chosen_above;
}

static br_status need_no_triggers(br_oltp_inserter *self, const br_column *columns,
                                  bool *is_so_out, br_error *err)
{
    bool has_row = false;
    *is_so_out = false;
    BR_TRY(refresh(self, err));
    if (self->bounds == NULL) return BR_OK;
    BR_TRY(br_oltp_step(self->bounds, &has_row, err));
    if (has_row && br_oltp_column(self->bounds, 2).i64 == 0) {
        int64_t hi = br_oltp_column(self->bounds, 0).i64;
        br_value largest = br_oltp_column(self->bounds, 1);
        // SQLite's next key is one more than the largest; 1 in an empty table.
        int64_t before_next = largest.class_ == BR_INT ? largest.i64 : 0;
        *is_so_out = are_above(self, columns, hi, before_next >= hi && before_next <= KEY_MAX);
    }
    br_oltp_reset(self->bounds);
    return BR_OK;
}

static br_status set_triggers(br_oltp *oltp, bool are_on, br_error *err)
{
    int code =
        sqlite3_db_config(oltp->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, (int)are_on, (int *)NULL);
    if (code == SQLITE_OK) return BR_OK;
    return br_oltp_fail(oltp->handle, oltp->path, code, BR_OLTP_RUNNING, err);
}

// ---- inserting ------------------------------------------------------------------------------

static br_status insert_rows(br_oltp_inserter *self, const br_column *columns, uint32_t *done,
                             br_error *err)
{
    bool has_row = false;
    for (uint32_t row = 0; row < columns[0].row_count; row++) {
        for (uint32_t i = 0; i < self->column_count; i++) {
            br_value value = br_column_value(&columns[i], row);
            BR_TRY(br_oltp_bind(self->insert, i + 1, &value, err));
        }
        BR_TRY(br_oltp_step(self->insert, &has_row, err));
        br_oltp_reset(self->insert);
        ++*done;
    }
    return BR_OK;
}

static br_status raise_hi(br_oltp_inserter *self, br_error *err)
{
    bool has_row;
    BR_TRY(br_oltp_step(self->raise, &has_row, err));
    br_oltp_reset(self->raise);
    return BR_OK;
}

br_status br_oltp_insert(br_oltp_inserter *inserter, const br_column *columns, uint32_t *done_out,
                         br_error *err)
{
    bool are_off = false;
    br_assert(br_oltp_in_transaction(inserter->oltp));
    *done_out = 0;
    BR_TRY(need_no_triggers(inserter, columns, &are_off, err));
    if (are_off) BR_TRY(set_triggers(inserter->oltp, false, err));
    br_status status = insert_rows(inserter, columns, done_out, err);
    if (!are_off) return status;
    if (status == BR_OK && *done_out >= RAISE_ROWS_MIN) status = raise_hi(inserter, err);
    br_status restored = set_triggers(inserter->oltp, true, status == BR_OK ? err : NULL);
    return status == BR_OK ? restored : status;
}
