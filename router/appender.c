// appender.c - rows on their way into SQLite, many per transaction.
//
// Rows are collected in columns. A full set goes into SQLite in one transaction; while the next one
// is collected and written, a thread of the appender's own brings the columnar copy up to date.
// SPDX-License-Identifier: Apache-2.0
#include "base/column.h"
#include "base/heap.h"
#include "router/database.h"

enum {
    ROWS_MAX = BR_CHUNK_ROWS,  // of a transaction
    TEXT_BYTES_MAX = 16 << 20,
};

struct br_appender {
    br_database *database;
    br_oltp_inserter *inserter;  // on the writer, under its lock
    br_column *columns;
    uint32_t column_count;
    uint32_t next_column;  // of the row that has begun
    uint64_t text_bytes;
    uint64_t rows_before;  // given before those in `columns`
    uint64_t rows_written;
    bool is_synced;
    br_thread syncer;
    bool has_syncer;
    _Atomic bool is_syncing;  // release by the syncer at its end, acquire by us: it can be joined
};

static br_status appender_fill(br_appender *self, const char *table, const char *const *columns,
                               br_error *err)
{
    br_database *database = self->database;
    br_lock_take(&database->writer_lock);
    br_status status = br_oltp_inserter_new(database->writer, table, columns, &self->inserter, err);
    br_lock_give(&database->writer_lock);
    if (status != BR_OK) return status;
    uint32_t count = br_oltp_inserter_columns(self->inserter);
    self->columns = br_heap_array(count, sizeof *self->columns);
    if (self->columns == NULL) return br_fail(err, BR_NOMEM, "appender of %u columns", count);
    for (; self->column_count < count; self->column_count++)
        BR_TRY(br_column_init(&self->columns[self->column_count], &database->quota, err));
    return BR_OK;
}

br_status br_appender_open(br_database *database, const char *table, const char *const *columns,
                           br_appender **appender_out, br_error *err)
{
    br_appender *self = br_heap_zalloc(sizeof *self);
    if (self == NULL) return br_fail(err, BR_NOMEM, "appender");
    self->database = database;
    self->is_synced = true;
    br_status status = appender_fill(self, table, columns, err);
    if (status != BR_OK) {
        br_appender_free(self);
        return status;
    }
    *appender_out = self;
    return BR_OK;
}

// ---- keeping the copy fresh meanwhile ----------------------------------------------------------

static void syncer_run(void *context)
{
    br_appender *self = context;
    br_status ignored = br_cdc_sync(self->database->cdc, NULL);  // the flush's own one will tell
    (void)ignored;
    atomic_store_explicit(&self->is_syncing, false, memory_order_release);
}

static void syncer_join(br_appender *self)
{
    if (self->has_syncer) br_thread_join(&self->syncer);
    self->has_syncer = false;
}

// Unless the last one is still at it.
static void syncer_start(br_appender *self)
{
    if (self->database->cdc == NULL ||
        atomic_load_explicit(&self->is_syncing, memory_order_acquire))
        return;
    syncer_join(self);
    atomic_store_explicit(&self->is_syncing, true, memory_order_relaxed);
    self->has_syncer = br_thread_start(&self->syncer, syncer_run, self, NULL) == BR_OK;
    if (!self->has_syncer) atomic_store_explicit(&self->is_syncing, false, memory_order_relaxed);
}

void br_appender_free(br_appender *appender)
{
    if (appender == NULL) return;
    syncer_join(appender);
    for (uint32_t i = 0; i < appender->column_count; i++) br_column_release(&appender->columns[i]);
    br_heap_free(appender->columns);
    br_lock_take(&appender->database->writer_lock);
    br_oltp_inserter_free(appender->inserter);
    br_lock_give(&appender->database->writer_lock);
    br_heap_free(appender);
}

uint64_t br_appender_row_count(const br_appender *appender)
{
    return appender->rows_written;
}

// ---- writing -----------------------------------------------------------------------------------

static br_status write_rows(br_appender *self, br_error *err)
{
    br_write_scope scope;
    uint32_t row_count = self->columns[0].row_count, done = 0;
    if (row_count == 0) return BR_OK;
    br_status status = br_write_scope_begin(self->database, &scope, err);
    if (status == BR_OK) {
        status = br_oltp_insert(self->inserter, self->columns, &done, err);
        if (status != BR_OK) br_error_blame(err, "row", self->rows_before + done);
        status = br_write_scope_end(&scope, status, err);
    }
    for (uint32_t i = 0; i < self->column_count; i++) br_column_reset(&self->columns[i]);
    self->text_bytes = 0;
    self->rows_before += row_count;
    if (status != BR_OK) return status;
    self->rows_written += row_count;
    self->is_synced = false;
    return BR_OK;
}

static br_status check_whole_rows(const br_appender *self, br_error *err)
{
    if (self->next_column == 0) return BR_OK;
    return br_fail(err, BR_MISUSE, "row of %u values, want %u", self->next_column,
                   self->column_count);
}

br_status br_appender_flush(br_appender *appender, br_error *err)
{
    br_database *database = appender->database;
    BR_TRY(check_whole_rows(appender, err));
    BR_TRY(write_rows(appender, err));
    // Rows of an open transaction are nobody else's yet.
    if (appender->is_synced || database->cdc == NULL ||
        atomic_load_explicit(&database->in_transaction, memory_order_relaxed))
        return BR_OK;
    syncer_join(appender);
    BR_TRY(br_database_sync(database, err));
    appender->is_synced = true;
    return BR_OK;
}

// ---- collecting --------------------------------------------------------------------------------

br_status br_appender_add(br_appender *appender, const br_value *value, br_error *err)
{
    BR_TRY(br_column_append(&appender->columns[appender->next_column], value, err));
    if (value->class_ == BR_TEXT || value->class_ == BR_BLOB)
        appender->text_bytes += value->text.size;
    if (++appender->next_column < appender->column_count) return BR_OK;
    appender->next_column = 0;
    if (appender->columns[0].row_count < ROWS_MAX && appender->text_bytes < TEXT_BYTES_MAX)
        return BR_OK;
    BR_TRY(write_rows(appender, err));
    if (!atomic_load_explicit(&appender->database->in_transaction, memory_order_relaxed))
        syncer_start(appender);
    return BR_OK;
}

br_status br_appender_add_rows(br_appender *appender, const br_rows *rows, br_error *err)
{
    BR_TRY(check_whole_rows(appender, err));
    if (rows->column_count != appender->column_count)
        return br_fail(err, BR_MISUSE, "chunk of %u columns, want %u", rows->column_count,
                       appender->column_count);
    for (uint32_t row = 0; row < rows->row_count; row++) {
        for (uint32_t i = 0; i < rows->column_count; i++) {
            br_value value = br_vector_value(&rows->columns[i], row, NULL);
            BR_TRY(br_appender_add(appender, &value, err));
        }
    }
    return BR_OK;
}
