// `braid import`: a CSV file into a table.
//
// The file is read twice: first to the end, to find what is wrong with it and the types of its
// columns before anything is written; then into the table, in transactions of many rows.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "cli.h"
#include "import_batch.h"
#include "interrupt.h"
#include "progress.h"
#include "script.h"

enum { TRANSACTION_ROWS = 200000, LOOK_ROUND_ROWS = 4096 };

typedef struct import {
    braid *db;
    cli_import_table table;
    const char *path;  // of the CSV file
    char separator;
    bool has_header;
    bool was_created;  // the table, by us
    uint64_t committed_rows;
} import;

// The next record that is a row. A blank line is one only where there is a single column.
static cli_csv_outcome next_row(cli_csv *csv, const cli_import_table *table)
{
    for (;;) {
        cli_csv_outcome outcome = cli_csv_next(csv);
        if (outcome != CLI_CSV_RECORD || csv->field_count == table->column_count) return outcome;
        bool is_blank = csv->field_count == 1 && csv->fields[0].size == 0;
        if (is_blank) continue;
        fprintf(stderr, "braid: %s:%llu:1: %u field%s, expected %u\n", csv->path,
                (unsigned long long)csv->line, csv->field_count, csv->field_count == 1 ? "" : "s",
                table->column_count);
        return CLI_CSV_FAILED;
    }
}

static int failure_code(void)
{
    if (!cli_interrupt_pending()) return CLI_FAILED;
    fputs("braid: interrupted\n", stderr);
    return CLI_INTERRUPTED;
}

// Opens the file and reads what names the columns. `csv` is to be closed in any case.
static int read_header(const import *self, cli_csv *csv)
{
    if (!cli_csv_open(csv, self->path, self->separator)) return CLI_FAILED;
    cli_csv_outcome outcome = cli_csv_next(csv);
    if (outcome == CLI_CSV_RECORD) return CLI_OK;
    if (outcome == CLI_CSV_END)
        fprintf(stderr, "braid: %s: the file is empty; its first line names the columns\n",
                self->path);
    return failure_code();
}

// ---- first reading -----------------------------------------------------------------------------

static int check_rows(import *self, cli_csv *csv)
{
    cli_progress progress;
    cli_progress_begin(&progress, "checking");
    if (!self->has_header) cli_import_table_infer(&self->table, csv);
    cli_csv_outcome outcome = CLI_CSV_RECORD;
    for (uint64_t rows = 1; outcome == CLI_CSV_RECORD; rows++) {
        outcome = next_row(csv, &self->table);
        if (outcome == CLI_CSV_RECORD) cli_import_table_infer(&self->table, csv);
        if (rows % LOOK_ROUND_ROWS != 0) continue;
        cli_progress_show(&progress, NULL, cli_byte_source_progress(csv->source), rows);
        if (cli_interrupt_pending()) outcome = CLI_CSV_FAILED;
    }
    cli_progress_end(&progress);
    cli_import_table_settle(&self->table);
    return outcome == CLI_CSV_END ? CLI_OK : failure_code();
}

static int check_file(import *self)
{
    cli_csv csv = {0};
    int code = read_header(self, &csv);
    if (code == CLI_OK) code = cli_import_table_init(&self->table, &csv, self->has_header);
    if (code == CLI_OK && !cli_byte_source_can_repeat(csv.source)) {
        fprintf(stderr, "braid: '%s' is not a file; an import reads twice\n", self->path);
        code = CLI_FAILED;
    }
    if (code == CLI_OK) code = check_rows(self, &csv);
    if (code == CLI_FAILED) fputs("  nothing was imported\n", stderr);
    if (csv.source != NULL) cli_csv_close(&csv);
    return code;
}

// ---- second reading ----------------------------------------------------------------------------

static int run_sql(import *self, const char *sql)
{
    braid_status status = braid_exec(self->db, sql);
    return status == BRAID_OK ? CLI_OK : cli_report_failure(self->db, self->table.name, status);
}

static int insert_rows(import *self, cli_csv *csv, cli_import_batch *batch)
{
    cli_progress progress;
    cli_progress_begin(&progress, "importing");
    uint64_t rows = 0;
    int code = self->has_header ? CLI_OK : cli_import_batch_add(batch, csv);
    rows += !self->has_header;
    while (code == CLI_OK) {
        cli_csv_outcome outcome = next_row(csv, &self->table);
        if (outcome != CLI_CSV_RECORD) {
            code = outcome == CLI_CSV_END ? cli_import_batch_flush(batch) : failure_code();
            break;
        }
        code = cli_import_batch_add(batch, csv);
        rows++;
        if (rows % LOOK_ROUND_ROWS == 0) {
            cli_progress_show(&progress, NULL, cli_byte_source_progress(csv->source), rows);
            if (code == CLI_OK && cli_interrupt_pending()) code = failure_code();
        }
        if (code != CLI_OK || rows % TRANSACTION_ROWS != 0) continue;
        code = cli_import_batch_flush(batch);
        if (code == CLI_OK) code = run_sql(self, "COMMIT");
        if (code == CLI_OK) self->committed_rows = rows;
        if (code == CLI_OK) code = run_sql(self, "BEGIN IMMEDIATE");
    }
    cli_progress_end(&progress);
    if (code == CLI_OK) code = run_sql(self, "COMMIT");
    if (code == CLI_OK) self->committed_rows = rows;
    return code;
}

static int insert_file(import *self)
{
    cli_csv csv = {0};
    cli_import_batch batch = {0};
    int code = read_header(self, &csv);
    if (code == CLI_OK) code = run_sql(self, "BEGIN IMMEDIATE");
    if (code == CLI_OK && self->was_created) code = cli_import_table_create(&self->table, self->db);
    if (code == CLI_OK) code = cli_import_batch_init(&batch, &self->table, self->db, self->path);
    if (code == CLI_OK) code = insert_rows(self, &csv, &batch);
    cli_import_batch_release(&batch);
    if (csv.source != NULL) cli_csv_close(&csv);
    if (code == CLI_OK) return code;
    (void)braid_exec(self->db, "ROLLBACK");  // the failure is the one to report
    if (self->committed_rows == 0) fputs("  nothing was imported\n", stderr);
    else fprintf(stderr, "  the first %llu rows were imported\n",
                 (unsigned long long)self->committed_rows);
    return code;
}

static int import_into(import *self)
{
    bool exists = false;
    cli_csv header = {.path = self->path};
    double began_ms = cli_clock_ms();
    int code = cli_import_table_match(&self->table, self->db, &header, self->has_header, &exists);
    self->was_created = !exists;
    if (code == CLI_OK) code = insert_file(self);
    if (code != CLI_OK) return code;
    braid_status status = braid_sync(self->db);
    if (status != BRAID_OK) {
        code = cli_report_failure(self->db, "columnar copy", status);
        fprintf(stderr, "  all %llu rows were imported; the copy follows with the next query\n",
                (unsigned long long)self->committed_rows);
        return code;
    }
    double seconds = (cli_clock_ms() - began_ms) / 1e3;
    printf("%llu rows into %s table %s in %.1f s\n", (unsigned long long)self->committed_rows,
           exists ? "the" : "a new", self->table.name, seconds);
    return CLI_OK;
}

// ---- the command -------------------------------------------------------------------------------

static int take_options(import *self, const cli_command *command, const cli_items *items)
{
    for (uint32_t i = 0; i < items->count; i++) {
        const cli_item *item = &items->items[i];
        if (item->name == NULL) continue;
        if (strcmp(item->name, "no-header") == 0) {
            self->has_header = false;
        } else if (strcmp(item->name, "null") == 0) {
            self->table.null_text = item->value;
        } else if (strcmp(item->name, "separator") == 0) {
            const char *value = item->value;
            if (strcmp(value, "tab") == 0 || strcmp(value, "\\t") == 0) value = "\t";
            if (strlen(value) != 1 || strchr("\"\r\n", value[0]) != NULL)
                return cli_usage_error(command, "--separator '%s': expected one character, or tab",
                                       item->value);
            self->separator = value[0];
        }
    }
    return CLI_OK;
}

static int import_run(const cli_command *command, const cli_items *items)
{
    cli_settings settings;
    import self = {.separator = ',', .has_header = true};
    int code = cli_settings_take_all(&settings, command, items);
    if (code == CLI_OK) code = take_options(&self, command, items);
    if (code != CLI_OK) return code;
    const char *path = cli_positional(items, 0);
    self.table.name = cli_positional(items, 1);
    self.path = cli_positional(items, 2);
    code = check_file(&self);
    settings.config.create = 1;
    if (code == CLI_OK) code = cli_open(path, &settings.config, &self.db);
    if (code == CLI_OK) {
        code = import_into(&self);
        code = cli_close(self.db, path, code);
    }
    cli_import_table_release(&self.table);
    return code;
}

static const cli_option options[] = {
    {"separator", 's', "C", "the character between fields, or tab; default: a comma"},
    {"no-header", 0, NULL, "the first line is a row; columns of a new table are c1, c2, ..."},
    {"null", 0, "TEXT", "fields of this text are NULL, as empty ones are"},
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTIONS_END,
};

const cli_command cli_command_import = {
    .name = "import",
    .arguments = "PATH TABLE FILE.csv[.zst]",
    .summary = "Read a CSV file into a table",
    .details = "A table that does not exist is made, with the types that fit all the values of\n"
               "the file: INTEGER, REAL or TEXT. Into one that exists, fields go by the names of\n"
               "the first line. An empty field is NULL, \"\" is empty text. The database is made\n"
               "if need be.\n",
    .positional_min = 3,
    .positional_max = 3,
    .options = options,
    .run = import_run,
};
