// SPDX-License-Identifier: Apache-2.0
#include "tests/differential/support_shrink.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>

#include "tests/differential/support_grammar.h"
#include "tests/differential/support_round.h"

enum { TRIES_MAX = 1500, UNITS_MAX = 20000 };

typedef struct shrinking {
    char *marked; // the smallest query so far
    compare_query how;
    uint32_t tries;
    char kind; // of the difference
    sql_text sql;
    char message[800];
    char **units; // statements that make the database
    size_t unit_count;
} shrinking;

static char *need_text(const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy == NULL) exit(2);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

// Other values, another number of rows, or an error.
static char message_kind(const char *message)
{
    return message[0] >= '0' && message[0] <= '9' ? '0' : message[0];
}

static bool differs(shrinking *self, braid *db, const char *marked)
{
    char message[sizeof self->message];
    query_render(marked, true, &self->sql);
    compare_query query = self->how;
    query.sql = self->sql.bytes;
    self->tries++;
    if (compare_engines(db, &query, message, sizeof message) != COMPARE_DIFFERENT) return false;
    if (self->kind == 0) self->kind = message_kind(message);
    if (message_kind(message) != self->kind) return false; // another difference
    memcpy(self->message, message, sizeof message);
    return true;
}

// ---- the query ---------------------------------------------------------------------------------

static bool opens(char byte)
{
    return byte >= MARK_EXPRESSION[0] && byte <= MARK_ITEM[0];
}

// Behind the mark that closes the node opened at `start`.
static size_t node_end(const char *marked, size_t start)
{
    size_t at = start;
    int depth = 0;
    do {
        if (opens(marked[at])) depth++;
        if (marked[at] == MARK_CLOSE[0]) depth--;
        at++;
    } while (depth > 0 && marked[at] != '\0');
    return at;
}

// Takes over the text with [start, end) replaced, if the engines still differ.
static bool try_replace(shrinking *self, braid *db, size_t start, size_t end, const char *with,
                        size_t with_size)
{
    size_t size = strlen(self->marked);
    if (with_size >= end - start || self->tries >= TRIES_MAX) return false;
    char *text = malloc(size + 1);
    if (text == NULL) exit(2);
    memcpy(text, self->marked, start);
    memcpy(text + start, with, with_size);
    memcpy(text + start + with_size, self->marked + end, size - end + 1);
    bool taken = differs(self, db, text);
    if (taken) {
        free(self->marked);
        self->marked = text;
    } else {
        free(text);
    }
    return taken;
}

static bool try_inner(shrinking *self, braid *db, size_t start, size_t end)
{
    char kind = self->marked[start];
    for (size_t at = start + 1; at < end; at++) {
        if (self->marked[at] != kind) continue;
        size_t inner_end = node_end(self->marked, at);
        char *inner = need_text(self->marked + at, inner_end - at);
        bool taken = try_replace(self, db, start, end, inner, inner_end - at);
        free(inner);
        if (taken) return true;
    }
    return false;
}

// ORDER BY of a query whose order is at stake stays.
static bool node_try(shrinking *self, braid *db, size_t start)
{
    static const char *const simple[] = {MARK_EXPRESSION "NULL" MARK_CLOSE,
                                         MARK_EXPRESSION "1" MARK_CLOSE,
                                         MARK_EXPRESSION "0" MARK_CLOSE};
    const char *node = self->marked + start;
    size_t end = node_end(self->marked, start);
    char kind = *node;
    if (kind == MARK_OPTIONAL[0] && self->how.ordered && strncmp(node + 1, " ORDER BY ", 10) == 0)
        return false;
    if (kind == MARK_OPTIONAL[0] || kind == MARK_ITEM[0])
        return try_replace(self, db, start, end, "", 0);
    for (size_t i = 0; kind == MARK_EXPRESSION[0] && i < 3; i++) {
        if (try_replace(self, db, start, end, simple[i], strlen(simple[i]))) return true;
    }
    return (kind == MARK_EXPRESSION[0] || kind == MARK_QUERY[0]) && try_inner(self, db, start, end);
}

static void shrink_text(shrinking *self, braid *db)
{
    for (bool changed = true; changed && self->tries < TRIES_MAX;) {
        changed = false;
        for (size_t at = 0; at < strlen(self->marked) && self->tries < TRIES_MAX; at++) {
            while (opens(self->marked[at]) && node_try(self, db, at)) changed = true;
        }
    }
}

// ---- the database ------------------------------------------------------------------------------

static void unit_add(shrinking *self, const sql_text *sql)
{
    if (self->unit_count == UNITS_MAX) return;
    self->units[self->unit_count++] = need_text(sql->bytes, sql->size);
}

static void value_add(const braid_value *value, sql_text *out)
{
    const char *bytes = value->as.text.data;
    switch (value->type) {
    case BRAID_NULL:
        text_add(out, "NULL");
        break;
    case BRAID_INTEGER:
        text_add(out, "%" PRId64, value->as.integer);
        break;
    case BRAID_REAL: {
        char digits[40];
        snprintf(digits, sizeof digits, "%.17g", value->as.real);
        bool is_plain = strpbrk(digits, ".einf") == NULL;
        text_add(out, "%s%s",
                 isinf(value->as.real) ? (value->as.real < 0 ? "-9e999" : "9e999") : digits,
                 is_plain ? ".0" : "");
        break;
    }
    case BRAID_TEXT:
        text_add(out, "'");
        for (uint32_t i = 0; i < value->as.text.size; i++)
            text_add(out, bytes[i] == '\'' ? "''" : "%c", bytes[i]);
        text_add(out, "'");
        break;
    default:
        text_add(out, "x'");
        for (uint32_t i = 0; i < value->as.text.size; i++)
            text_add(out, "%02x", (unsigned char)bytes[i]);
        text_add(out, "'");
    }
}

static braid_result *rows_of(braid *db, const char *sql)
{
    braid_statement *statement = NULL;
    braid_result *result = NULL;
    if (braid_prepare(db, sql, &statement, NULL) == BRAID_OK) {
        braid_statement_set_engine(statement, BRAID_ENGINE_OLTP);
        (void)braid_run(statement, &result);
    }
    braid_statement_close(statement);
    return result;
}

// Those that may be given values.
static void columns_of_table(braid *db, const char *name, sql_text *out)
{
    sql_text sql = {0};
    text_add(&sql, "SELECT name FROM pragma_table_xinfo('%s') WHERE hidden = 0", name);
    braid_result *names = rows_of(db, sql.bytes);
    for (uint64_t row = 0; names != NULL && row < braid_row_count(names); row++) {
        braid_value column = braid_value_get(names, row, 0);
        text_add(out, "%s\"%.*s\"", row == 0 ? "" : ", ", (int)column.as.text.size,
                 column.as.text.data);
    }
    braid_result_free(names);
    text_release(&sql);
}

static void units_of_table(shrinking *self, braid *db, const char *name)
{
    sql_text sql = {0}, columns = {0};
    columns_of_table(db, name, &columns);
    text_add(&sql, "SELECT %s FROM \"%s\"", columns.bytes, name);
    braid_result *result = rows_of(db, sql.bytes);
    for (uint64_t row = 0; result != NULL && row < braid_row_count(result); row++) {
        text_clear(&sql);
        text_add(&sql, "INSERT INTO %s(%s) VALUES (", name, columns.bytes);
        for (uint32_t column = 0; column < braid_column_count(result); column++) {
            braid_value value = braid_value_get(result, row, column);
            text_add(&sql, "%s", column == 0 ? "" : ", ");
            value_add(&value, &sql);
        }
        text_add(&sql, ")");
        unit_add(self, &sql);
    }
    braid_result_free(result);
    text_release(&sql);
    text_release(&columns);
}

// Tables, views and rows of the database as statements.
static void units_of_database(shrinking *self, braid *db)
{
    sql_text sql = {0};
    braid_result *schema =
        rows_of(db, "SELECT name, type, sql FROM sqlite_schema WHERE sql IS NOT NULL AND "
                    "type IN ('table', 'view') AND name NOT LIKE '\\_%' ESCAPE '\\' AND "
                    "name NOT LIKE 'sqlite%'");
    for (uint64_t row = 0; schema != NULL && row < braid_row_count(schema); row++) {
        braid_value text = braid_value_get(schema, row, 2);
        text_clear(&sql);
        text_add(&sql, "%.*s", (int)text.as.text.size, text.as.text.data);
        unit_add(self, &sql);
    }
    for (uint64_t row = 0; schema != NULL && row < braid_row_count(schema); row++) {
        braid_value name = braid_value_get(schema, row, 0), type = braid_value_get(schema, row, 1);
        char copy[64];
        snprintf(copy, sizeof copy, "%.*s", (int)name.as.text.size, name.as.text.data);
        if (type.as.text.data[0] == 't') units_of_table(self, db, copy);
    }
    braid_result_free(schema);
    text_release(&sql);
}

static braid *database_make(char *const *units, size_t unit_count, char *folder)
{
    char path[80];
    braid_config config;
    braid *db = NULL;
    braid_config_init(&config);
    config.create = 1;
    config.threads = 1;
    round_folder_make(folder);
    snprintf(path, sizeof path, "%s/small.db", folder);
    if (braid_open(path, &config, &db) != BRAID_OK) exit(2);
    (void)braid_exec(db, "BEGIN");
    for (size_t i = 0; i < unit_count; i++) (void)braid_exec(db, units[i]);
    (void)braid_exec(db, "COMMIT");
    return db;
}

static void database_remove(braid *db, const char *folder)
{
    braid_close(db);
    round_folder_remove(folder);
}

static bool units_differ(shrinking *self, char *const *units, size_t unit_count)
{
    char folder[64];
    braid *db = database_make(units, unit_count, folder);
    bool result = differs(self, db, self->marked);
    database_remove(db, folder);
    return result;
}

static void shrink_units(shrinking *self)
{
    char **without = malloc((self->unit_count + 1) * sizeof *without);
    if (without == NULL) exit(2);
    for (size_t step = (self->unit_count + 1) / 2; step > 0;
         step = step == 1 ? 0 : (step + 1) / 2) {
        for (size_t at = 0; at < self->unit_count && self->tries < TRIES_MAX;) {
            size_t taken = self->unit_count - at < step ? self->unit_count - at : step;
            memcpy(without, self->units, at * sizeof *without);
            memcpy(without + at, self->units + at + taken,
                   (self->unit_count - at - taken) * sizeof *without);
            if (!units_differ(self, without, self->unit_count - taken)) {
                at += step;
                continue;
            }
            for (size_t i = at; i < at + taken; i++) free(self->units[i]);
            self->unit_count -= taken;
            memcpy(self->units, without, self->unit_count * sizeof *without);
        }
    }
    free(without);
}

// ---- the script --------------------------------------------------------------------------------

static void expected_add(const braid_value *value, sql_text *out)
{
    char digits[40];
    if (value->type == BRAID_NULL) {
        text_add(out, "NULL");
    } else if (value->type == BRAID_INTEGER) {
        text_add(out, "%" PRId64, value->as.integer);
    } else if (value->type == BRAID_REAL) {
        text_add(out, "%s", sqlite3_snprintf(sizeof digits, digits, "%!.15g", value->as.real));
    } else {
        for (uint32_t i = 0; i < value->as.text.size; i++) {
            char byte = value->as.text.data[i];
            text_add(out, "%c", byte >= ' ' && byte <= '~' ? byte : '@');
        }
        if (value->as.text.size == 0) text_add(out, "(empty)");
    }
    text_add(out, "\n");
}

static void script_write(shrinking *self, sql_text *out)
{
    char folder[64];
    braid *db = database_make(self->units, self->unit_count, folder);
    (void)differs(self, db, self->marked);
    text_add(out, "# %s\n", self->message);
    for (size_t i = 0; i < self->unit_count; i++)
        text_add(out, "statement ok\n%s\n\n", self->units[i]);
    braid_result *result = rows_of(db, self->sql.bytes);
    text_add(out, "query ");
    uint32_t columns = result == NULL ? 1 : braid_column_count(result);
    for (uint32_t i = 0; i < columns; i++) text_add(out, "T");
    text_add(out, " %s\n%s\n----\n", self->how.ordered ? "nosort" : "rowsort", self->sql.bytes);
    for (uint64_t row = 0; result != NULL && row < braid_row_count(result); row++) {
        for (uint32_t column = 0; column < columns; column++) {
            braid_value value = braid_value_get(result, row, column);
            expected_add(&value, out);
        }
    }
    braid_result_free(result);
    database_remove(db, folder);
}

void shrink_query(braid *db, const char *marked, const compare_query *how, const char *path)
{
    shrinking self = {.marked = need_text(marked, strlen(marked)), .how = *how};
    sql_text script = {0};
    self.units = malloc(UNITS_MAX * sizeof *self.units);
    if (self.units == NULL) exit(2);
    self.how.ordered = false;
    self.how.ordered = how->ordered && !differs(&self, db, marked);
    if (self.how.ordered) self.kind = 'r';
    shrink_text(&self, db);
    units_of_database(&self, db);
    if (units_differ(&self, self.units, self.unit_count)) {
        char folder[64];
        self.tries = 0;
        shrink_units(&self);
        braid *small = database_make(self.units, self.unit_count, folder);
        self.tries = 0;
        shrink_text(&self, small);
        database_remove(small, folder);
        shrink_units(&self);
        script_write(&self, &script);
        FILE *file = fopen(path, "w");
        if (file != NULL) fputs(script.bytes, file), fclose(file);
        printf("---- %s\n%s----\n", path, script.bytes);
    } else {
        (void)differs(&self, db, self.marked);
        printf("smaller: %s\n    %s\n", self.message, self.sql.bytes);
    }
    for (size_t i = 0; i < self.unit_count; i++) free(self.units[i]);
    free(self.units);
    free(self.marked);
    text_release(&self.sql);
    text_release(&script);
}
