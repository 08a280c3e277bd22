// SPDX-License-Identifier: Apache-2.0
#include "import_table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "field_value.h"
#include "script.h"
#include "text.h"

int cli_import_table_init(cli_import_table *table, const cli_csv *csv, bool has_header)
{
    if (csv->field_count > CLI_IMPORT_COLUMNS_MAX) {
        fprintf(stderr, "braid: %s:%llu: %u fields; a table has at most %d columns\n", csv->path,
                (unsigned long long)csv->line, csv->field_count, CLI_IMPORT_COLUMNS_MAX);
        return CLI_FAILED;
    }
    table->column_count = csv->field_count;
    table->columns = cli_allocate(csv->field_count * sizeof *table->columns);
    for (uint32_t i = 0; i < csv->field_count; i++) {
        const cli_csv_field *field = &csv->fields[i];
        cli_text name = {0};
        if (has_header && field->size > 0) cli_text_append(&name, field->data, field->size);
        else cli_text_format(&name, "c%u", i + 1);
        table->columns[i].name = name.data;
    }
    return CLI_OK;
}

void cli_import_table_release(cli_import_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) free(table->columns[i].name);
    free(table->columns);
    *table = (cli_import_table){0};
}

// ---- kinds -------------------------------------------------------------------------------------

// An empty field in quotes is empty text, but where a column holds numbers it is NULL: programs
// that quote everything write it for both.
bool cli_import_is_null(const cli_import_table *table, const cli_import_column *column,
                        const cli_csv_field *field)
{
    if (field->size == 0) return !field->is_quoted || column->kind != CLI_COLUMN_TEXT;
    return table->null_text != NULL && !field->is_quoted &&
           strlen(table->null_text) == field->size &&
           memcmp(table->null_text, field->data, field->size) == 0;
}

void cli_import_table_infer(cli_import_table *table, const cli_csv *csv)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        cli_import_column *column = &table->columns[i];
        const cli_csv_field *field = &csv->fields[i];
        int64_t integer;
        double real;
        if (column->kind == CLI_COLUMN_TEXT || cli_import_is_null(table, column, field)) continue;
        if (cli_field_integer(field->data, field->size, &integer)) {
            if (column->kind == CLI_COLUMN_EMPTY) column->kind = CLI_COLUMN_INTEGER;
        } else if (cli_field_real(field->data, field->size, &real)) {
            column->kind = CLI_COLUMN_REAL;
        } else {
            column->kind = CLI_COLUMN_TEXT;
        }
    }
}

void cli_import_table_settle(cli_import_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].kind == CLI_COLUMN_EMPTY) table->columns[i].kind = CLI_COLUMN_TEXT;
    }
}

// By SQLite's rules of affinity, as far as they matter here.
static cli_column_kind kind_of_declared(const char *type)
{
    if (strcasestr(type, "int") != NULL) return CLI_COLUMN_NUMERIC;
    if (strcasestr(type, "char") != NULL || strcasestr(type, "clob") != NULL ||
        strcasestr(type, "text") != NULL)
        return CLI_COLUMN_TEXT;
    if (strcasestr(type, "blob") != NULL || type[0] == '\0') return CLI_COLUMN_TEXT;
    return CLI_COLUMN_NUMERIC;
}

// ---- existing tables ---------------------------------------------------------------------------

// Names and declared types of the table's columns; no rows: no such table.
static int query_columns(braid *db, const char *table_name, braid_result **result_out)
{
    static const char sql[] = "SELECT name, type FROM pragma_table_info(?1)";
    braid_statement *statement;
    braid_status status = braid_prepare(db, sql, &statement, NULL);
    if (status == BRAID_OK) {
        braid_statement_set_engine(statement, BRAID_ENGINE_OLTP);
        status = braid_bind_text(statement, 1, table_name, strlen(table_name));
        if (status == BRAID_OK) status = braid_run(statement, result_out);
        braid_statement_close(statement);
    }
    return status == BRAID_OK ? CLI_OK : cli_report_failure(db, table_name, status);
}

static char *text_at(const braid_result *result, uint64_t row, uint32_t column)
{
    braid_value value = braid_value_get(result, row, column);
    if (value.type != BRAID_TEXT) return cli_copy_text("", 0);
    return cli_copy_text(value.as.text.data, value.as.text.size);
}

static int match_by_name(cli_import_table *table, const cli_csv *csv, const braid_result *result)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        cli_import_column *column = &table->columns[i];
        bool is_found = false;
        for (uint64_t row = 0; row < braid_row_count(result) && !is_found; row++) {
            char *name = text_at(result, row, 0), *type = text_at(result, row, 1);
            is_found = strcasecmp(name, column->name) == 0;
            if (is_found) column->kind = kind_of_declared(type);
            free(name);
            free(type);
        }
        if (is_found) continue;
        fprintf(stderr,
                "braid: %s:1: field %u: table '%s' has no column '%s'\n"
                "  the first line names the columns; --no-header takes it as a row\n",
                csv->path, i + 1, table->name, column->name);
        return CLI_FAILED;
    }
    return CLI_OK;
}

static int match_by_position(cli_import_table *table, const cli_csv *csv,
                             const braid_result *result)
{
    unsigned long long count = braid_row_count(result);
    if (count != table->column_count) {
        fprintf(stderr, "braid: %s:1: %u fields, but table '%s' has %llu columns\n", csv->path,
                table->column_count, table->name, count);
        return CLI_FAILED;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        char *type = text_at(result, i, 1);
        free(table->columns[i].name);
        table->columns[i].name = text_at(result, i, 0);
        table->columns[i].kind = kind_of_declared(type);
        free(type);
    }
    return CLI_OK;
}

int cli_import_table_match(cli_import_table *table, braid *db, const cli_csv *csv, bool has_header,
                           bool *exists_out)
{
    braid_result *result;
    int code = query_columns(db, table->name, &result);
    if (code != CLI_OK) return code;
    *exists_out = braid_row_count(result) > 0;
    if (*exists_out)
        code = has_header ? match_by_name(table, csv, result)
                          : match_by_position(table, csv, result);
    braid_result_free(result);
    return code;
}

int cli_import_table_create(const cli_import_table *table, braid *db)
{
    cli_text sql = {0};
    cli_text_add(&sql, "CREATE TABLE ");
    cli_text_add_name(&sql, table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const cli_import_column *column = &table->columns[i];
        cli_text_add(&sql, i == 0 ? "(" : ", ");
        cli_text_add_name(&sql, column->name);
        cli_text_add(&sql, column->kind == CLI_COLUMN_INTEGER ? " INTEGER"
                           : column->kind == CLI_COLUMN_REAL  ? " REAL"
                                                              : " TEXT");
    }
    cli_text_add(&sql, ")");
    braid_status status = braid_exec(db, sql.data);
    cli_text_release(&sql);
    if (status == BRAID_OK) return CLI_OK;
    cli_text what = {0};
    cli_text_format(&what, "cannot create table '%s'", table->name);
    int code = cli_report_failure(db, what.data, status);
    cli_text_release(&what);
    return code;
}
