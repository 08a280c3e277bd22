// output.h - results as text: table, csv, json, jsonl, markdown.
//
// csv, json and jsonl are for programs and lose nothing but the type of a blob, which is written as
// its hexadecimal digits, as hex() gives them; table and markdown are for people.
//   csv       a header, then rows, ended by LF; fields are quoted as RFC 4180 says and only where
//             needed; NULL is empty, empty text is ""
//   json      an array of objects, jsonl one object per line; columns of one name are all there
//   table     aligned columns, then the number of rows; bytes that move the cursor are escaped
//   markdown  a pipe table
//
// Ownership: a result stays the caller's. Threads: one thread. Errors: of writing are found by the
// caller through ferror(file).
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_OUTPUT_H
#define BRAID_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "braid.h"
#include "text.h"

typedef enum cli_format {
    CLI_FORMAT_TABLE,
    CLI_FORMAT_CSV,
    CLI_FORMAT_JSON,
    CLI_FORMAT_JSONL,
    CLI_FORMAT_MARKDOWN,
} cli_format;

bool cli_parse_format(const char *name, cli_format *format_out);
const char *cli_format_name(cli_format format);

// A result without columns (of a write) prints nothing.
void cli_print_result(const braid_result *result, cli_format format, FILE *file);

// ---- for output_*.c ----------------------------------------------------------------------------

void cli_print_table(const braid_result *result, FILE *file);
void cli_print_markdown(const braid_result *result, FILE *file);
void cli_print_csv(const braid_result *result, FILE *file);
void cli_print_json(const braid_result *result, FILE *file);
void cli_print_jsonl(const braid_result *result, FILE *file);

enum { CLI_OUTPUT_FLUSH_BYTES = 1 << 16 };

braid_value cli_column_value(const braid_column *column, uint32_t row);
void cli_append_hex(cli_text *text, braid_text blob);
void cli_append_number(cli_text *text, const braid_value *value);  // INTEGER or REAL
void cli_append_json_text(cli_text *text, const char *bytes, size_t size);

#endif
