// insert.c - many rows into one table.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "oltp/handle.h"

struct br_oltp_inserter {
    br_oltp *oltp;
    br_arena *arena;
    const char *table;
    const char **columns;
    uint32_t column_count;
    br_oltp_statement *insert;
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

void br_oltp_inserter_free(br_oltp_inserter *inserter)
{
    if (inserter == NULL) return;
    br_oltp_finalize(inserter->insert);
    br_heap_free(inserter->columns);
    br_arena_free(inserter->arena);
    br_heap_free(inserter);
}

uint32_t br_oltp_inserter_columns(const br_oltp_inserter *inserter)
{
    return inserter->column_count;
}

// ---- inserting ------------------------------------------------------------------------------

br_status br_oltp_insert(br_oltp_inserter *inserter, const br_column *columns, uint32_t *done_out,
                         br_error *err)
{
    bool has_row = false;
    br_assert(br_oltp_in_transaction(inserter->oltp));
    *done_out = 0;
    for (uint32_t row = 0; row < columns[0].row_count; row++) {
        for (uint32_t i = 0; i < inserter->column_count; i++) {
            br_value value = br_column_value(&columns[i], row);
            BR_TRY(br_oltp_bind(inserter->insert, i + 1, &value, err));
        }
        BR_TRY(br_oltp_step(inserter->insert, &has_row, err));
        br_oltp_reset(inserter->insert);
        ++*done_out;
    }
    return BR_OK;
}
