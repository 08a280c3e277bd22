// csv_reader.h - records of a CSV file, as RFC 4180 says: quotes, doubled quotes, lines inside.
//
// Lines end with LF or CRLF; a byte order mark is skipped. A quote in the middle of a field that
// does not begin with one is an ordinary byte.
//
// Ownership: the fields of a record are in the reader's buffer until the next call. Threads: one
// thread. Errors: are printed with file, line and column; the reader is then at its end.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_CSV_READER_H
#define BRAID_CLI_CSV_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "byte_source.h"

typedef struct cli_csv_field {
    char *data;
    uint32_t size;
    bool is_quoted;
    bool has_doubled_quotes;  // only while reading
} cli_csv_field;

typedef enum cli_csv_outcome {
    CLI_CSV_RECORD,
    CLI_CSV_END,
    CLI_CSV_FAILED,
} cli_csv_outcome;

typedef struct cli_csv {
    const char *path;
    char separator;
    uint64_t line;  // of the current record, from 1
    uint32_t field_count;
    cli_csv_field *fields;

    // The rest is the reader's own.
    cli_byte_source *source;
    char *buffer;
    size_t capacity, start, end;  // the record begins at `start`; bytes up to `end` are there
    bool at_end;                  // of the file: no bytes follow `end`
    uint64_t next_line;
    uint32_t field_capacity;
} cli_csv;

bool cli_csv_open(cli_csv *csv, const char *path, char separator);
void cli_csv_close(cli_csv *csv);
cli_csv_outcome cli_csv_next(cli_csv *csv);

#endif
