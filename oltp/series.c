// series.c - generate_series(start [, stop [, step]]) for SQLite, which has it in its shell only.
// It answers as ext/misc/series.c of SQLite 3.40 does: stop is 4294967295 when not given, a step of
// 0 is 1, and a negative one goes down from stop to start.
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "oltp/handle.h"

enum { COLUMN_VALUE, COLUMN_START, COLUMN_STOP, COLUMN_STEP, COLUMN_COUNT };

static const sqlite3_int64 stop_default = 0xffffffff;

typedef struct series_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_int64 start, stop, step;  // step > 0
    sqlite3_uint64 index, count;      // rows put out, and rows in all
    int is_descending;
} series_cursor;

static int series_connect(sqlite3 *handle, void *context, int argument_count,
                          const char *const *arguments, sqlite3_vtab **table_out,
                          char **message_out)
{
    (void)context, (void)argument_count, (void)arguments, (void)message_out;
    int code = sqlite3_declare_vtab(
        handle, "CREATE TABLE x(value, start HIDDEN, stop HIDDEN, step HIDDEN)");
    if (code != SQLITE_OK) return code;
    sqlite3_vtab_config(handle, SQLITE_VTAB_INNOCUOUS);
    *table_out = br_heap_zalloc(sizeof **table_out);
    return *table_out == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static int series_disconnect(sqlite3_vtab *table)
{
    br_heap_free(table);
    return SQLITE_OK;
}

// Arguments are given to series_filter in the order start, stop, step; bits of idxNum say which.
static int series_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    int used[COLUMN_COUNT] = {-1, -1, -1, -1}, unusable = 0, argument_count = 0;
    bool has_start = false;
    for (int i = 0; i < info->nConstraint; i++) {
        int column = info->aConstraint[i].iColumn;
        bool is_argument = column >= COLUMN_START && column <= COLUMN_STEP;
        if (!is_argument || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        has_start = has_start || column == COLUMN_START;
        if (info->aConstraint[i].usable) used[column] = i;
        else unusable |= 1 << column;
    }
    for (int column = COLUMN_START; column <= COLUMN_STEP; column++) {
        if (used[column] < 0) continue;
        unusable &= ~(1 << column);
        info->idxNum |= 1 << column;
        info->aConstraintUsage[used[column]].argvIndex = ++argument_count;
        info->aConstraintUsage[used[column]].omit = 1;
    }
    if (!has_start) {
        sqlite3_free(table->zErrMsg);
        table->zErrMsg =
            sqlite3_mprintf("first argument to \"generate_series()\" missing or unusable");
        return SQLITE_ERROR;
    }
    if (unusable != 0) return SQLITE_CONSTRAINT;
    bool has_end = used[COLUMN_STOP] >= 0;
    info->estimatedCost = has_end ? 2.0 - (used[COLUMN_STEP] >= 0) : 2147483647.0;
    info->estimatedRows = has_end ? 1000 : 2147483647;
    return SQLITE_OK;
}

static int series_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor_out)
{
    (void)table;
    series_cursor *cursor = br_heap_zalloc(sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    *cursor_out = &cursor->base;
    return SQLITE_OK;
}

static int series_close(sqlite3_vtab_cursor *cursor)
{
    br_heap_free(cursor);
    return SQLITE_OK;
}

static int series_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text,
                         int argument_count, sqlite3_value **arguments)
{
    (void)plan_text;
    series_cursor *cursor = (series_cursor *)base;
    int next = 0;
    bool has_null = false;
    for (int i = 0; i < argument_count; i++)
        has_null = has_null || sqlite3_value_type(arguments[i]) == SQLITE_NULL;
    cursor->start = 0;
    cursor->stop = stop_default;
    sqlite3_int64 step = 1;
    if (plan & 1 << COLUMN_START) cursor->start = sqlite3_value_int64(arguments[next++]);
    if (plan & 1 << COLUMN_STOP) cursor->stop = sqlite3_value_int64(arguments[next++]);
    if (plan & 1 << COLUMN_STEP) step = sqlite3_value_int64(arguments[next++]);
    cursor->is_descending = step < 0;
    cursor->step = step == 0 ? 1 : step > 0 ? step : step == INT64_MIN ? INT64_MAX : -step;
    cursor->index = cursor->count = 0;
    if (!has_null && cursor->stop >= cursor->start)
        cursor->count = ((sqlite3_uint64)cursor->stop - (sqlite3_uint64)cursor->start) /
                            (sqlite3_uint64)cursor->step + 1;
    return SQLITE_OK;
}

static int series_next(sqlite3_vtab_cursor *base)
{
    ((series_cursor *)base)->index++;
    return SQLITE_OK;
}

static int series_is_at_end(sqlite3_vtab_cursor *base)
{
    const series_cursor *cursor = (const series_cursor *)base;
    return cursor->index >= cursor->count;
}

static int series_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const series_cursor *cursor = (const series_cursor *)base;
    sqlite3_uint64 at =
        cursor->is_descending ? cursor->count - 1 - cursor->index : cursor->index;
    sqlite3_int64 value = (sqlite3_int64)((sqlite3_uint64)cursor->start +
                                          at * (sqlite3_uint64)cursor->step);
    switch (column) {
    case COLUMN_START: value = cursor->start; break;
    case COLUMN_STOP: value = cursor->stop; break;
    case COLUMN_STEP: value = cursor->step; break;
    default: break;
    }
    sqlite3_result_int64(context, value);
    return SQLITE_OK;
}

static int series_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid_out)
{
    *rowid_out = (sqlite3_int64)((const series_cursor *)base)->index + 1;
    return SQLITE_OK;
}

int br_oltp_add_series(sqlite3 *handle)
{
    static const sqlite3_module module = {
        .xConnect = series_connect,  // and no xCreate: it is there without being created
        .xBestIndex = series_best_index,
        .xDisconnect = series_disconnect,
        .xOpen = series_open,
        .xClose = series_close,
        .xFilter = series_filter,
        .xNext = series_next,
        .xEof = series_is_at_end,
        .xColumn = series_column,
        .xRowid = series_rowid,
    };
    return sqlite3_create_module_v2(handle, "generate_series", &module, NULL, NULL);
}
