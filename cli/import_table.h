// import_table.h - the table an import goes to: which columns it has or gets, what goes where.
//
// Ownership: names are copied and freed with cli_import_table_release. Threads: one thread. Errors:
// are printed; functions return an exit code.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_IMPORT_TABLE_H
#define BRAID_CLI_IMPORT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "braid.h"
#include "csv_reader.h"

enum { CLI_IMPORT_COLUMNS_MAX = 2000 };  // SQLite's own default limit

typedef enum cli_column_kind {
    CLI_COLUMN_EMPTY,    // nothing seen yet but NULL
    CLI_COLUMN_INTEGER,
    CLI_COLUMN_REAL,
    CLI_COLUMN_NUMERIC,  // of an existing table: numbers as numbers, the rest is SQLite's affair
    CLI_COLUMN_TEXT,
} cli_column_kind;

typedef struct cli_import_column {
    char *name;
    cli_column_kind kind;
} cli_import_column;

// Columns in the order of the file's fields.
typedef struct cli_import_table {
    const char *name;
    const char *null_text;  // a field without quotes that reads so is NULL, as an empty one is
    uint32_t column_count;
    cli_import_column *columns;
} cli_import_table;

// Names from the first record, or c1, c2, ... as many as it has fields.
int cli_import_table_init(cli_import_table *table, const cli_csv *csv, bool has_header);
void cli_import_table_release(cli_import_table *table);

// Looks at a record, to infer the kinds of columns.
void cli_import_table_infer(cli_import_table *table, const cli_csv *csv);
// Ends inferring: what had no values is TEXT.
void cli_import_table_settle(cli_import_table *table);
// Whether a field means NULL in this column.
bool cli_import_is_null(const cli_import_table *table, const cli_import_column *column,
                        const cli_csv_field *field);

// Finds the table in the database: matches the columns by name, or by position where the file has
// no header, and takes over their kinds. *exists_out false: it is still to be created.
int cli_import_table_match(cli_import_table *table, braid *db, const cli_csv *csv, bool has_header,
                           bool *exists_out);
int cli_import_table_create(const cli_import_table *table, braid *db);

#endif
