// catalog.c - the catalog in SQLite; the only file of this folder that includes sqlite3.h.
// SPDX-License-Identifier: Apache-2.0
#include "columnar/catalog.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

enum {
    CATALOG_VERSION = 2,
    BUSY_MS = 5000,  // readers of other processes hold no lock for long
};

typedef enum statement_id {
    BEGIN_READ,
    BEGIN_WRITE,
    COMMIT,
    ROLLBACK,
    READ_WATERMARK,
    READ_TABLES,
    READ_COLUMNS,
    READ_SEGMENTS,
    READ_MASKS,
    PUT_WATERMARK,
    PUT_TABLE,
    MOVE_TABLE,
    DROP_TABLE,
    PUT_COLUMN,
    DROP_COLUMNS,
    PUT_SEGMENT,
    DROP_SEGMENT,
    PUT_MASK,
    DROP_MASKS,
    STATEMENT_COUNT,
} statement_id;

static const char *const statement_texts[STATEMENT_COUNT] = {
    [BEGIN_READ] = "BEGIN",
    [BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [READ_WATERMARK] = "SELECT seq, schema_cookie, lineage, checkpoint_id, next_segment_id"
                       " FROM watermark",
    [READ_TABLES] = "SELECT table_id, name, definition, key_kind, column_count, hi"
                    " FROM \"table\" ORDER BY position",
    [READ_COLUMNS] = "SELECT name FROM \"column\" WHERE table_id = ?1 ORDER BY position",
    [READ_SEGMENTS] = "SELECT segment_id, segment.table_id, layout FROM segment JOIN \"table\" AS t"
                      " USING (table_id) ORDER BY t.position, segment.position",
    [READ_MASKS] = "SELECT segment_id, chunk, dead_count, bytes FROM mask"
                   " ORDER BY segment_id, chunk",
    [PUT_WATERMARK] = "INSERT OR REPLACE INTO watermark VALUES (1, ?1, ?2, ?3, ?4, ?5)",
    [PUT_TABLE] = "INSERT OR REPLACE INTO \"table\" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [MOVE_TABLE] = "UPDATE \"table\" SET position = ?2, hi = ?3 WHERE table_id = ?1",
    [DROP_TABLE] = "DELETE FROM \"table\" WHERE table_id = ?1",
    [PUT_COLUMN] = "INSERT INTO \"column\" VALUES (?1, ?2, ?3)",
    [DROP_COLUMNS] = "DELETE FROM \"column\" WHERE table_id = ?1",
    [PUT_SEGMENT] = "INSERT OR REPLACE INTO segment VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [DROP_SEGMENT] = "DELETE FROM segment WHERE segment_id = ?1",
    [PUT_MASK] = "INSERT OR REPLACE INTO mask VALUES (?1, ?2, ?3, ?4)",
    [DROP_MASKS] = "DELETE FROM mask WHERE segment_id = ?1",
};

static const char schema_text[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE watermark(id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL,"
    " schema_cookie INTEGER NOT NULL, lineage BLOB NOT NULL, checkpoint_id BLOB NOT NULL,"
    " next_segment_id INTEGER NOT NULL);"
    "CREATE TABLE \"table\"(table_id INTEGER PRIMARY KEY, position INTEGER NOT NULL,"
    " name TEXT NOT NULL, definition TEXT NOT NULL, key_kind INTEGER NOT NULL,"
    " column_count INTEGER NOT NULL, hi INTEGER NOT NULL);"
    "CREATE TABLE \"column\"(table_id INTEGER, position INTEGER, name TEXT NOT NULL,"
    " PRIMARY KEY (table_id, position)) WITHOUT ROWID;"
    "CREATE TABLE segment(segment_id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL,"
    " position INTEGER NOT NULL, row_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL,"
    " layout BLOB);"
    "CREATE TABLE mask(segment_id INTEGER, chunk INTEGER, dead_count INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, PRIMARY KEY (segment_id, chunk)) WITHOUT ROWID;"
    "PRAGMA user_version = 2;"
    "COMMIT";

// Version 1 had no layouts: a table that was altered was read again.
static const char upgrade_text[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE segment ADD COLUMN layout BLOB;"
    "PRAGMA user_version = 2;"
    "COMMIT";

struct br_catalog {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    const br_file_hook *hook;
    char *path;
};

// ---- running statements ----------------------------------------------------------------------

static br_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM: return BR_NOMEM;
    case SQLITE_FULL: return BR_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return BR_BUSY;
    case SQLITE_READONLY: return BR_READONLY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return BR_IO;
    // A missing table or column, or a broken constraint: not the file that we wrote.
    default: return BR_CORRUPT;
    }
}

static br_status catalog_fail(const br_catalog *catalog, int code, br_error *err)
{
    const char *text = catalog->database != NULL ? sqlite3_errmsg(catalog->database)
                                                 : sqlite3_errstr(code);
    return br_fail(err, status_of(code), "%s: %s", catalog->path, text);
}

static br_status catalog_ask(const br_catalog *catalog, const char *operation, br_error *err)
{
    if (catalog->hook == NULL || catalog->hook->before == NULL) return BR_OK;
    int code = catalog->hook->before(catalog->hook->context, operation, catalog->path);
    if (code == 0) return BR_OK;
    return br_fail(err, BR_IO, "%s: cannot %s: %s", catalog->path, operation, strerror(code));
}

static br_status statement_get(br_catalog *catalog, statement_id id, sqlite3_stmt **out,
                               br_error *err)
{
    sqlite3_stmt **statement = &catalog->statements[id];
    if (*statement == NULL) {
        int code = sqlite3_prepare_v3(catalog->database, statement_texts[id], -1,
                                      SQLITE_PREPARE_PERSISTENT, statement, NULL);
        if (code != SQLITE_OK) return catalog_fail(catalog, code, err);
    }
    *out = *statement;
    return BR_OK;
}

static int value_bind(sqlite3_stmt *statement, int index, const br_value *value)
{
    switch (value->class_) {
    case BR_INT: return sqlite3_bind_int64(statement, index, value->i64);
    case BR_TEXT:
        return sqlite3_bind_text64(statement, index, value->text.data, value->text.size,
                                   SQLITE_STATIC, SQLITE_UTF8);
    case BR_BLOB:
        return sqlite3_bind_blob64(statement, index, value->text.data, value->text.size,
                                   SQLITE_STATIC);
    default: return sqlite3_bind_null(statement, index);
    }
}

// Runs a statement that gives no rows.
static br_status catalog_run(br_catalog *catalog, statement_id id, const br_value *values,
                             int value_count, br_error *err)
{
    sqlite3_stmt *statement = NULL;
    BR_TRY(statement_get(catalog, id, &statement, err));
    int code = SQLITE_OK;
    for (int i = 0; i < value_count && code == SQLITE_OK; i++)
        code = value_bind(statement, i + 1, &values[i]);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    br_status status = BR_OK;
    if (code != SQLITE_DONE && code != SQLITE_ROW) status = catalog_fail(catalog, code, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

static br_value text_of(const char *text)
{
    return br_value_text(br_text_make(text, (uint32_t)strlen(text)));
}

static br_value number_of(uint64_t number) { return br_value_int((int64_t)number); }

// ---- opening ---------------------------------------------------------------------------------

static br_status catalog_exec(br_catalog *catalog, const char *sql, br_error *err)
{
    int code = sqlite3_exec(catalog->database, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? BR_OK : catalog_fail(catalog, code, err);
}

static br_status catalog_version(br_catalog *catalog, int *version_out, br_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(catalog->database, "PRAGMA user_version", -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    br_status status = BR_OK;
    if (code == SQLITE_ROW) *version_out = sqlite3_column_int(statement, 0);
    else status = catalog_fail(catalog, code, err);
    sqlite3_finalize(statement);
    return status;
}

static br_status catalog_prepare(br_catalog *catalog, const char *folder, bool read_only,
                                 br_error *err)
{
    BR_TRY(catalog_ask(catalog, "open the catalog", err));
    int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    flags |= SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(catalog->path, &catalog->database, flags, NULL);
    if (code != SQLITE_OK) return catalog_fail(catalog, code, err);
    sqlite3_busy_timeout(catalog->database, BUSY_MS);
    if (!read_only) BR_TRY(catalog_exec(catalog, "PRAGMA journal_mode = WAL", err));
    BR_TRY(catalog_exec(catalog, "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF", err));
    int version = 0;
    BR_TRY(catalog_version(catalog, &version, err));
    if (version == 0 && !read_only) {  // new, or a crash came between creation and schema
        BR_TRY(catalog_exec(catalog, schema_text, err));
        BR_TRY(br_folder_sync(folder, catalog->hook, err));
    } else if (version == 1 && !read_only) {
        BR_TRY(catalog_exec(catalog, upgrade_text, err));
    } else if (version != CATALOG_VERSION) {
        return br_fail(err, BR_CORRUPT, "%s: version %d, want %d", catalog->path, version,
                       CATALOG_VERSION);
    }
    return BR_OK;
}

static char *catalog_path(const char *folder)
{
    size_t path_bytes = strlen(folder) + sizeof "/catalog.db";
    char *path = br_heap_alloc(path_bytes);
    if (path != NULL) snprintf(path, path_bytes, "%s/catalog.db", folder);
    return path;
}

bool br_catalog_exists(const char *folder)
{
    char *path = catalog_path(folder);
    bool exists = path == NULL || br_file_exists(path);  // opening it then tells what is wrong
    br_heap_free(path);
    return exists;
}

br_status br_catalog_open(const char *folder, bool read_only, const br_file_hook *hook,
                          br_catalog **catalog_out, br_error *err)
{
    br_catalog *catalog = br_heap_zalloc(sizeof *catalog);
    if (catalog == NULL) return br_fail(err, BR_NOMEM, "no memory for the catalog");
    catalog->hook = hook;
    catalog->path = catalog_path(folder);
    br_status status = catalog->path != NULL
                           ? catalog_prepare(catalog, folder, read_only, err)
                           : br_fail(err, BR_NOMEM, "no memory for the catalog");
    if (status != BR_OK) {
        br_catalog_close(catalog);
        return status;
    }
    *catalog_out = catalog;
    return BR_OK;
}

void br_catalog_close(br_catalog *catalog)
{
    if (catalog == NULL) return;
    for (int i = 0; i < STATEMENT_COUNT; i++) sqlite3_finalize(catalog->statements[i]);
    sqlite3_close(catalog->database);
    br_heap_free(catalog->path);
    br_heap_free(catalog);
}

const char *br_catalog_path(const br_catalog *catalog) { return catalog->path; }

// ---- reading ---------------------------------------------------------------------------------

// Calls `take` for each row of a query.
typedef br_status (*row_taker)(br_catalog *catalog, sqlite3_stmt *row, void *context,
                               br_error *err);

static br_status catalog_query(br_catalog *catalog, statement_id id, row_taker take,
                               void *context, br_error *err)
{
    sqlite3_stmt *statement = NULL;
    BR_TRY(statement_get(catalog, id, &statement, err));
    br_status status = BR_OK;
    int code = SQLITE_ROW;
    while (status == BR_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        status = take(catalog, statement, context, err);
    if (status == BR_OK && code != SQLITE_DONE) status = catalog_fail(catalog, code, err);
    sqlite3_reset(statement);
    return status;
}

typedef struct reading {
    br_arena *arena;
    br_catalog_state *state;
    size_t table_capacity, segment_capacity, mask_capacity;
} reading;

static br_status bad_value(const br_catalog *catalog, const char *what, int64_t found,
                           br_error *err)
{
    return br_fail(err, BR_CORRUPT, "%s: %s is %" PRId64, catalog->path, what, found);
}

// An integer column within 0..max.
static br_status get_number(const br_catalog *catalog, sqlite3_stmt *row, int column, int64_t max,
                            uint64_t *number_out, br_error *err)
{
    int64_t number = sqlite3_column_int64(row, column);
    if (sqlite3_column_type(row, column) != SQLITE_INTEGER || number < 0 || number > max)
        return bad_value(catalog, sqlite3_column_name(row, column), number, err);
    *number_out = (uint64_t)number;
    return BR_OK;
}

static br_status get_text(const br_catalog *catalog, sqlite3_stmt *row, int column,
                          br_arena *arena, const char **text_out, br_error *err)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    if (text == NULL)
        return br_fail(err, BR_CORRUPT, "%s: a %s that is no text", catalog->path,
                       sqlite3_column_name(row, column));
    *text_out = br_arena_copy_text(arena, text, (size_t)sqlite3_column_bytes(row, column));
    return *text_out != NULL ? BR_OK : br_fail(err, BR_NOMEM, "no memory for the catalog");
}

static br_status get_id(const br_catalog *catalog, sqlite3_stmt *row, int column,
                        uint8_t id_out[16], br_error *err)
{
    const void *bytes = sqlite3_column_blob(row, column);
    if (bytes == NULL || sqlite3_column_bytes(row, column) != 16)
        return bad_value(catalog, "the size of an id", sqlite3_column_bytes(row, column), err);
    memcpy(id_out, bytes, 16);
    return BR_OK;
}

// Makes room for one item more in an array that lives in the arena.
static br_status array_grow(br_arena *arena, void **items, size_t item_bytes, uint32_t count,
                            size_t *capacity, br_error *err)
{
    if (count < *capacity) return BR_OK;
    size_t larger = *capacity == 0 ? 64 : *capacity * 2;
    void *moved = br_arena_array(arena, larger, item_bytes, 16);
    if (moved == NULL) return br_fail(err, BR_NOMEM, "no memory for the catalog");
    if (count > 0) memcpy(moved, *items, count * item_bytes);
    *items = moved;
    *capacity = larger;
    return BR_OK;
}

static br_status take_watermark(br_catalog *catalog, sqlite3_stmt *row, void *context,
                                br_error *err)
{
    reading *at = context;
    br_watermark *watermark = &at->state->watermark;
    watermark->seq = (uint64_t)sqlite3_column_int64(row, 0);
    watermark->schema_cookie = sqlite3_column_int64(row, 1);
    BR_TRY(get_id(catalog, row, 2, watermark->lineage, err));
    BR_TRY(get_id(catalog, row, 3, watermark->checkpoint_id, err));
    return get_number(catalog, row, 4, INT64_MAX, &at->state->next_segment_id, err);
}

static br_status take_table(br_catalog *catalog, sqlite3_stmt *row, void *context, br_error *err)
{
    reading *at = context;
    br_catalog_state *state = at->state;
    uint64_t table_id = 0, key_kind = 0, column_count = 0;
    BR_TRY(array_grow(at->arena, (void **)&state->tables, sizeof *state->tables,
                      state->table_count, &at->table_capacity, err));
    br_table_spec spec = {.hi = sqlite3_column_int64(row, 5)};
    BR_TRY(get_number(catalog, row, 0, UINT32_MAX, &table_id, err));
    BR_TRY(get_text(catalog, row, 1, at->arena, &spec.name, err));
    BR_TRY(get_text(catalog, row, 2, at->arena, &spec.definition, err));
    BR_TRY(get_number(catalog, row, 3, BR_KEY_NONE, &key_kind, err));
    BR_TRY(get_number(catalog, row, 4, BR_COLUMNS_MAX, &column_count, err));
    spec.table_id = (uint32_t)table_id;
    spec.key_kind = (br_key_kind)key_kind;
    spec.column_count = (uint32_t)column_count;
    if (state->table_count == BR_TABLES_MAX)
        return bad_value(catalog, "the number of tables", state->table_count + 1ll, err);
    state->tables[state->table_count++] = spec;
    return BR_OK;
}

static br_status take_segment(br_catalog *catalog, sqlite3_stmt *row, void *context, br_error *err)
{
    reading *at = context;
    br_catalog_state *state = at->state;
    uint64_t segment_id = 0, table_id = 0;
    BR_TRY(array_grow(at->arena, (void **)&state->segments, sizeof *state->segments,
                      state->segment_count, &at->segment_capacity, err));
    BR_TRY(get_number(catalog, row, 0, INT64_MAX, &segment_id, err));
    BR_TRY(get_number(catalog, row, 1, UINT32_MAX, &table_id, err));
    br_catalog_segment segment = {.segment_id = segment_id, .table_id = (uint32_t)table_id};
    if (sqlite3_column_type(row, 2) != SQLITE_NULL) {
        const void *bytes = sqlite3_column_blob(row, 2);
        segment.layout_bytes = (uint32_t)sqlite3_column_bytes(row, 2);
        segment.layout = br_arena_copy(at->arena, bytes == NULL ? "" : bytes, segment.layout_bytes);
        if (segment.layout == NULL) return br_fail(err, BR_NOMEM, "no memory for the catalog");
    }
    state->segments[state->segment_count++] = segment;
    return BR_OK;
}

static br_status take_mask(br_catalog *catalog, sqlite3_stmt *row, void *context, br_error *err)
{
    reading *at = context;
    br_catalog_state *state = at->state;
    uint64_t chunk = 0, dead_count = 0;
    br_catalog_mask mask = {0};
    BR_TRY(array_grow(at->arena, (void **)&state->masks, sizeof *state->masks, state->mask_count,
                      &at->mask_capacity, err));
    BR_TRY(get_number(catalog, row, 0, INT64_MAX, &mask.segment_id, err));
    BR_TRY(get_number(catalog, row, 1, UINT32_MAX, &chunk, err));
    BR_TRY(get_number(catalog, row, 2, BR_CHUNK_ROWS, &dead_count, err));
    const void *bytes = sqlite3_column_blob(row, 3);
    mask.chunk = (uint32_t)chunk;
    mask.dead_count = (uint32_t)dead_count;
    mask.size_bytes = (uint32_t)sqlite3_column_bytes(row, 3);
    if (bytes == NULL || mask.size_bytes > BR_MASK_BLOB_BYTES)
        return bad_value(catalog, "the size of a mask", mask.size_bytes, err);
    mask.bytes = br_arena_copy(at->arena, bytes, mask.size_bytes);
    if (mask.bytes == NULL) return br_fail(err, BR_NOMEM, "no memory for the catalog");
    state->masks[state->mask_count++] = mask;
    return BR_OK;
}

static br_status read_columns(br_catalog *catalog, br_arena *arena, br_table_spec *spec,
                              br_error *err)
{
    sqlite3_stmt *row = NULL;
    BR_TRY(statement_get(catalog, READ_COLUMNS, &row, err));
    const char **names = BR_ALLOC(arena, const char *, spec->column_count);
    if (names == NULL) return br_fail(err, BR_NOMEM, "no memory for the catalog");
    sqlite3_bind_int64(row, 1, spec->table_id);
    uint32_t count = 0;
    br_status status = BR_OK;
    int code = SQLITE_ROW;
    while (status == BR_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        if (count < spec->column_count)
            status = get_text(catalog, row, 0, arena, &names[count], err);
        count++;
    }
    if (status == BR_OK && code != SQLITE_DONE) status = catalog_fail(catalog, code, err);
    sqlite3_reset(row);
    BR_TRY(status);
    if (count != spec->column_count)
        return br_fail(err, BR_CORRUPT, "%s: table '%s' has %u columns, want %u", catalog->path,
                       spec->name, count, spec->column_count);
    spec->column_names = names;
    return BR_OK;
}

static br_status read_all(br_catalog *catalog, reading *at, br_error *err)
{
    BR_TRY(catalog_query(catalog, READ_WATERMARK, take_watermark, at, err));
    BR_TRY(catalog_query(catalog, READ_TABLES, take_table, at, err));
    BR_TRY(catalog_query(catalog, READ_SEGMENTS, take_segment, at, err));
    BR_TRY(catalog_query(catalog, READ_MASKS, take_mask, at, err));
    for (uint32_t i = 0; i < at->state->table_count; i++)
        BR_TRY(read_columns(catalog, at->arena, &at->state->tables[i], err));
    return BR_OK;
}

br_status br_catalog_read(br_catalog *catalog, br_arena *arena, br_catalog_state *state_out,
                          br_error *err)
{
    br_catalog_state state = {.next_segment_id = 1};
    reading at = {.arena = arena, .state = &state};
    BR_TRY(catalog_run(catalog, BEGIN_READ, NULL, 0, err));
    br_status status = read_all(catalog, &at, err);
    br_status ended = catalog_run(catalog, COMMIT, NULL, 0, status == BR_OK ? err : NULL);
    if (status == BR_OK) status = ended;
    if (status == BR_OK) *state_out = state;
    return status;
}

// ---- committing ------------------------------------------------------------------------------

static br_status drop_segment(br_catalog *catalog, const br_segment *segment, br_error *err)
{
    br_value id = number_of(segment->segment_id);
    BR_TRY(catalog_run(catalog, DROP_MASKS, &id, 1, err));
    return catalog_run(catalog, DROP_SEGMENT, &id, 1, err);
}

static br_status drop_table(br_catalog *catalog, const br_version *table, br_error *err)
{
    br_value id = number_of(table->spec.table_id);
    for (uint32_t i = 0; i < table->segment_count; i++)
        BR_TRY(drop_segment(catalog, table->segments[i].segment, err));
    BR_TRY(catalog_run(catalog, DROP_COLUMNS, &id, 1, err));
    return catalog_run(catalog, DROP_TABLE, &id, 1, err);
}

static br_status put_table(br_catalog *catalog, const br_table_spec *spec, uint32_t position,
                           br_error *err)
{
    br_value id = number_of(spec->table_id);
    BR_TRY(catalog_run(catalog, DROP_COLUMNS, &id, 1, err));
    br_value values[] = {id, number_of(position), text_of(spec->name),
                         text_of(spec->definition == NULL ? "" : spec->definition),
                         number_of((uint64_t)spec->key_kind), number_of(spec->column_count),
                         br_value_int(spec->hi)};
    BR_TRY(catalog_run(catalog, PUT_TABLE, values, 7, err));
    for (uint32_t i = 0; i < spec->column_count; i++) {
        br_value column[] = {id, number_of(i), text_of(spec->column_names[i])};
        BR_TRY(catalog_run(catalog, PUT_COLUMN, column, 3, err));
    }
    return BR_OK;
}

// Writes the masks that are not those of `before`. Dead rows never come back: none is removed.
static br_status put_masks(br_catalog *catalog, const br_segment *segment,
                           const br_mask_set *before, const br_mask_set *after, br_error *err)
{
    if (before == after || after == NULL) return BR_OK;
    uint8_t bytes[BR_MASK_BLOB_BYTES];
    for (uint32_t chunk = 0; chunk < after->chunk_count; chunk++) {
        const br_mask *mask = after->masks[chunk];
        bool is_known = before != NULL && chunk < before->chunk_count &&
                        before->masks[chunk] == mask;
        if (mask == NULL || is_known) continue;
        uint32_t size_bytes = br_mask_store(mask, bytes);
        br_value values[] = {number_of(segment->segment_id), number_of(chunk),
                             number_of(mask->dead_count),
                             br_value_blob(br_text_make(bytes, size_bytes))};
        BR_TRY(catalog_run(catalog, PUT_MASK, values, 4, err));
    }
    return BR_OK;
}

// Index of the segment of the same file in a version, or segment_count.
static uint32_t find_segment(const br_version *version, const br_segment *segment)
{
    uint32_t index = 0;
    while (index < version->segment_count &&
           version->segments[index].segment->segment_id != segment->segment_id)
        index++;
    return index;
}

static br_status put_segment(br_catalog *catalog, const br_segment *segment, uint32_t table_id,
                             uint32_t position, br_error *err)
{
    br_buffer layout = {0};
    br_status status = BR_OK;
    if (segment->layout != NULL) status = br_segment_layout_store(segment->layout, &layout, err);
    br_value values[] = {number_of(segment->segment_id), number_of(table_id), number_of(position),
                         number_of(segment->row_count), number_of(segment->stored_bytes),
                         br_value_null()};
    if (segment->layout != NULL)
        values[5] = br_value_blob(br_text_make((char *)layout.bytes, (uint32_t)layout.size_bytes));
    if (status == BR_OK) status = catalog_run(catalog, PUT_SEGMENT, values, 6, err);
    br_buffer_release(&layout);
    return status;
}

static br_status put_segments(br_catalog *catalog, const br_version *before,
                              const br_version *after, br_error *err)
{
    for (uint32_t i = 0; before != NULL && i < before->segment_count; i++) {
        const br_segment *segment = before->segments[i].segment;
        if (find_segment(after, segment) == after->segment_count)
            BR_TRY(drop_segment(catalog, segment, err));
    }
    for (uint32_t i = 0; i < after->segment_count; i++) {
        const br_version_segment *item = &after->segments[i];
        const br_segment *segment = item->segment;
        uint32_t old = before == NULL ? 0 : find_segment(before, segment);
        bool is_known = before != NULL && old < before->segment_count;
        bool is_same = is_known && old == i && before->segments[old].segment == segment;
        if (!is_same) BR_TRY(put_segment(catalog, segment, after->spec.table_id, i, err));
        BR_TRY(put_masks(catalog, segment, is_known ? before->segments[old].masks : NULL,
                         item->masks, err));
    }
    return BR_OK;
}

static br_status put_version(br_catalog *catalog, const br_snapshot *before,
                             const br_version *after, uint32_t position, br_error *err)
{
    br_version *old = before == NULL ? NULL : br_snapshot_find_id(before, after->spec.table_id);
    bool is_moved = old != NULL &&
                    (position >= before->table_count || before->tables[position] != old ||
                     old->spec.hi != after->spec.hi);
    if (old == NULL || old->texts != after->texts) {  // new, or altered
        BR_TRY(put_table(catalog, &after->spec, position, err));
    } else if (is_moved) {
        br_value values[] = {number_of(after->spec.table_id), number_of(position),
                             br_value_int(after->spec.hi)};
        BR_TRY(catalog_run(catalog, MOVE_TABLE, values, 3, err));
    }
    return old == after ? BR_OK : put_segments(catalog, old, after, err);
}

static br_status put_watermark(br_catalog *catalog, const br_watermark *watermark,
                               uint64_t next_segment_id, br_error *err)
{
    br_value values[] = {number_of(watermark->seq), br_value_int(watermark->schema_cookie),
                         br_value_blob(br_text_make(watermark->lineage, 16)),
                         br_value_blob(br_text_make(watermark->checkpoint_id, 16)),
                         number_of(next_segment_id)};
    return catalog_run(catalog, PUT_WATERMARK, values, 5, err);
}

static br_status write_change(br_catalog *catalog, br_catalog_change change, br_error *err)
{
    const br_snapshot *before = change.before, *after = change.after;
    for (uint32_t i = 0; before != NULL && i < before->table_count; i++) {
        if (br_snapshot_find_id(after, before->tables[i]->spec.table_id) == NULL)
            BR_TRY(drop_table(catalog, before->tables[i], err));
    }
    for (uint32_t i = 0; i < after->table_count; i++)
        BR_TRY(put_version(catalog, before, after->tables[i], i, err));
    return put_watermark(catalog, &after->watermark, change.next_segment_id, err);
}

br_status br_catalog_commit(br_catalog *catalog, br_catalog_change change, bool *maybe_out,
                            br_error *err)
{
    *maybe_out = false;
    BR_TRY(catalog_ask(catalog, "begin a commit of the catalog", err));
    BR_TRY(catalog_run(catalog, BEGIN_WRITE, NULL, 0, err));
    br_status status = write_change(catalog, change, err);
    if (status == BR_OK) status = catalog_ask(catalog, "commit the catalog", err);
    if (status == BR_OK) {
        status = catalog_run(catalog, COMMIT, NULL, 0, err);
        *maybe_out = status != BR_OK;
    }
    // A failed statement may have ended the transaction already.
    if (status != BR_OK && sqlite3_get_autocommit(catalog->database) == 0)
        (void)!catalog_run(catalog, ROLLBACK, NULL, 0, NULL);
    return status;
}
