// SPDX-License-Identifier: Apache-2.0
#include "import_batch.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "field_value.h"
#include "script.h"

enum {
    ROWS_MAX = 250,
    PARAMETERS_MAX = 32000,  // SQLite's default limit is 32766
};

static int prepare_insert(cli_import_batch *batch, uint32_t row_count,
                          braid_statement **statement_out)
{
    const cli_import_table *table = batch->table;
    cli_text sql = {0};
    cli_text_add(&sql, "INSERT INTO ");
    cli_text_add_name(&sql, table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        cli_text_add(&sql, i == 0 ? "(" : ",");
        cli_text_add_name(&sql, table->columns[i].name);
    }
    cli_text_add(&sql, ") VALUES ");
    for (uint32_t row = 0; row < row_count; row++) {
        cli_text_add(&sql, row == 0 ? "(" : ",(");
        for (uint32_t i = 0; i < table->column_count; i++) cli_text_add(&sql, i == 0 ? "?" : ",?");
        cli_text_byte(&sql, ')');
    }
    braid_status status = braid_prepare(batch->db, sql.data, statement_out, NULL);
    cli_text_release(&sql);
    return status == BRAID_OK ? CLI_OK : cli_report_failure(batch->db, table->name, status);
}

int cli_import_batch_init(cli_import_batch *batch, const cli_import_table *table, braid *db,
                          const char *path)
{
    uint32_t rows_max = PARAMETERS_MAX / table->column_count;
    if (rows_max > ROWS_MAX) rows_max = ROWS_MAX;
    *batch = (cli_import_batch){.table = table, .path = path, .db = db, .rows_max = rows_max};
    size_t cell_count = (size_t)rows_max * table->column_count;
    batch->cells = cli_allocate(cell_count * sizeof *batch->cells);
    batch->lines = cli_allocate(rows_max * sizeof *batch->lines);
    int code = prepare_insert(batch, 1, &batch->one);
    if (code == CLI_OK) code = prepare_insert(batch, rows_max, &batch->many);
    return code;
}

void cli_import_batch_release(cli_import_batch *batch)
{
    braid_statement_close(batch->many);
    braid_statement_close(batch->one);
    free(batch->cells);
    free(batch->lines);
    cli_text_release(&batch->texts);
    *batch = (cli_import_batch){0};
}

static cli_import_cell make_cell(cli_import_batch *batch, const cli_import_column *column,
                                 const cli_csv_field *field)
{
    cli_import_cell cell = {.type = BRAID_NULL};
    if (cli_import_is_null(batch->table, column, field)) return cell;
    bool wants_number = column->kind != CLI_COLUMN_TEXT;
    if (wants_number && cli_field_integer(field->data, field->size, &cell.as.integer)) {
        cell.type = BRAID_INTEGER;
    } else if (wants_number && cli_field_real(field->data, field->size, &cell.as.real)) {
        cell.type = BRAID_REAL;
    } else {
        cell.type = BRAID_TEXT;
        cell.size = field->size;
        cell.as.offset = batch->texts.size;
        cli_text_append(&batch->texts, field->data, field->size);
    }
    return cell;
}

int cli_import_batch_add(cli_import_batch *batch, const cli_csv *csv)
{
    uint32_t column_count = batch->table->column_count;
    cli_import_cell *cells = batch->cells + (size_t)batch->row_count * column_count;
    for (uint32_t i = 0; i < column_count; i++)
        cells[i] = make_cell(batch, &batch->table->columns[i], &csv->fields[i]);
    batch->lines[batch->row_count++] = csv->line;
    return batch->row_count < batch->rows_max ? CLI_OK : cli_import_batch_flush(batch);
}

static braid_status bind_cell(const cli_import_batch *batch, braid_statement *statement,
                              uint32_t parameter, const cli_import_cell *cell)
{
    switch (cell->type) {
    case BRAID_INTEGER: return braid_bind_int64(statement, parameter, cell->as.integer);
    case BRAID_REAL: return braid_bind_double(statement, parameter, cell->as.real);
    case BRAID_TEXT:
        return braid_bind_text(statement, parameter, batch->texts.data + cell->as.offset,
                               cell->size);
    default: return braid_bind_null(statement, parameter);
    }
}

static braid_status insert_rows(cli_import_batch *batch, braid_statement *statement, uint32_t row,
                                uint32_t row_count)
{
    uint32_t parameter_count = row_count * batch->table->column_count;
    const cli_import_cell *cells = batch->cells + (size_t)row * batch->table->column_count;
    for (uint32_t i = 0; i < parameter_count; i++) {
        braid_status status = bind_cell(batch, statement, i + 1, &cells[i]);
        if (status != BRAID_OK) return status;
    }
    return braid_run(statement, NULL);
}

static int insert_one_by_one(cli_import_batch *batch)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        braid_status status = insert_rows(batch, batch->one, row, 1);
        if (status == BRAID_OK) continue;
        cli_text what = {0};
        cli_text_format(&what, "%s:%llu", batch->path, (unsigned long long)batch->lines[row]);
        int code = cli_report_failure(batch->db, what.data, status);
        cli_text_release(&what);
        return code;
    }
    return CLI_OK;
}

// Finds the row to blame. Some failures end the whole transaction (an interrupt, a full disk, ON
// CONFLICT ROLLBACK): no row may then go in on its own, outside of one.
static int find_culprit(cli_import_batch *batch, braid_status status)
{
    if (status != BRAID_RUNTIME) return cli_report_failure(batch->db, batch->path, status);
    bool was_rolled_back = braid_exec(batch->db, "BEGIN") == BRAID_OK;
    int code = insert_one_by_one(batch);
    if (code != CLI_OK || !was_rolled_back) return code;
    fprintf(stderr, "braid: %s: the transaction was rolled back\n", batch->path);
    return CLI_FAILED;
}

int cli_import_batch_flush(cli_import_batch *batch)
{
    int code = CLI_OK;
    if (batch->row_count == batch->rows_max) {
        braid_status status = insert_rows(batch, batch->many, 0, batch->row_count);
        if (status != BRAID_OK) code = find_culprit(batch, status);
    } else {
        code = insert_one_by_one(batch);
    }
    batch->row_count = 0;
    cli_text_reset(&batch->texts);
    return code;
}
