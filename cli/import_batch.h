// import_batch.h - rows on their way into a table, many per INSERT.
//
// One statement with parameters for many rows costs a fraction of as many statements with one row.
// When it fails, which it then does as a whole, its rows are tried one by one, so that the message
// names the line that is to blame.
//
// Ownership: a batch copies the fields. Threads: one thread. Errors: are printed; functions return
// an exit code.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_IMPORT_BATCH_H
#define BRAID_CLI_IMPORT_BATCH_H

#include "import_table.h"
#include "text.h"

typedef struct cli_import_cell {
    uint8_t type;  // braid_type
    uint32_t size;
    union {
        int64_t integer;
        double real;
        size_t offset;  // of text, in `texts`
    } as;
} cli_import_cell;

typedef struct cli_import_batch {
    const cli_import_table *table;
    const char *path;                 // of the file, for messages
    braid *db;
    braid_statement *many, *one;
    uint32_t row_count, rows_max;
    cli_import_cell *cells;           // row after row
    uint64_t *lines;                  // per row
    cli_text texts;
} cli_import_batch;

int cli_import_batch_init(cli_import_batch *batch, const cli_import_table *table, braid *db,
                          const char *path);
void cli_import_batch_release(cli_import_batch *batch);
int cli_import_batch_add(cli_import_batch *batch, const cli_csv *csv);  // flushes when full
int cli_import_batch_flush(cli_import_batch *batch);

#endif
