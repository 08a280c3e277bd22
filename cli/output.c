// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <string.h>

static const char *const format_names[] = {"table", "csv", "json", "jsonl", "markdown"};

bool cli_parse_format(const char *name, cli_format *format_out)
{
    for (int i = 0; i < 5; i++) {
        if (strcmp(name, format_names[i]) != 0) continue;
        *format_out = (cli_format)i;
        return true;
    }
    return false;
}

const char *cli_format_name(cli_format format)
{
    return format_names[format];
}

void cli_print_result(const braid_result *result, cli_format format, FILE *file)
{
    if (braid_column_count(result) == 0) return;
    switch (format) {
    case CLI_FORMAT_TABLE: cli_print_table(result, file); break;
    case CLI_FORMAT_CSV: cli_print_csv(result, file); break;
    case CLI_FORMAT_JSON: cli_print_json(result, file); break;
    case CLI_FORMAT_JSONL: cli_print_jsonl(result, file); break;
    case CLI_FORMAT_MARKDOWN: cli_print_markdown(result, file); break;
    }
}

// ---- values ------------------------------------------------------------------------------------

braid_value cli_column_value(const braid_column *column, uint32_t row)
{
    braid_value value = {.type = BRAID_NULL};
    if (column->type == BRAID_NULL) return value;
    if (column->type == BRAID_ANY) return column->as.values[row];
    if (column->validity != NULL && (column->validity[row / 64] >> (row % 64) & 1) == 0)
        return value;
    value.type = (uint8_t)column->type;
    if (column->type == BRAID_INTEGER) value.as.integer = column->as.integers[row];
    else if (column->type == BRAID_REAL) value.as.real = column->as.reals[row];
    else value.as.text = column->as.texts[row];
    return value;
}

void cli_append_hex(cli_text *text, braid_text blob)
{
    static const char digits[] = "0123456789ABCDEF";
    cli_text_reserve(text, (size_t)blob.size * 2);
    for (uint32_t i = 0; i < blob.size; i++) {
        unsigned char byte = (unsigned char)blob.data[i];
        cli_text_byte(text, digits[byte >> 4]);
        cli_text_byte(text, digits[byte & 15]);
    }
}

void cli_append_number(cli_text *text, const braid_value *value)
{
    char digits[CLI_NUMBER_MAX];
    size_t size = value->type == BRAID_INTEGER ? cli_integer_text(value->as.integer, digits)
                                               : cli_real_text(value->as.real, digits);
    cli_text_append(text, digits, size);
}
