// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "output.h"

static bool needs_quotes(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == ',' || bytes[i] == '"' || bytes[i] == '\n' || bytes[i] == '\r') return true;
    }
    return size == 0;  // empty without quotes is NULL
}

static void append_text(cli_text *out, const char *bytes, size_t size)
{
    if (!needs_quotes(bytes, size)) {
        cli_text_append(out, bytes, size);
        return;
    }
    cli_text_byte(out, '"');
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '"') cli_text_byte(out, '"');
        cli_text_byte(out, bytes[i]);
    }
    cli_text_byte(out, '"');
}

static void append_value(cli_text *out, const braid_value *value)
{
    switch (value->type) {
    case BRAID_INTEGER:
    case BRAID_REAL: cli_append_number(out, value); break;
    case BRAID_TEXT: append_text(out, value->as.text.data, value->as.text.size); break;
    case BRAID_BLOB:
        if (value->as.text.size == 0) cli_text_add(out, "\"\"");
        cli_append_hex(out, value->as.text);
        break;
    default: break;
    }
}

void cli_print_csv(const braid_result *result, FILE *file)
{
    cli_text out = {0};
    uint32_t column_count = braid_column_count(result);
    for (uint32_t column = 0; column < column_count; column++) {
        const char *name = braid_column_name(result, column);
        if (column > 0) cli_text_byte(&out, ',');
        append_text(&out, name, strlen(name));
    }
    cli_text_byte(&out, '\n');
    for (uint32_t index = 0; index < braid_chunk_count(result); index++) {
        braid_chunk chunk;
        braid_chunk_get(result, index, &chunk);
        for (uint32_t row = 0; row < chunk.row_count; row++) {
            for (uint32_t column = 0; column < column_count; column++) {
                braid_value value = cli_column_value(&chunk.columns[column], row);
                if (column > 0) cli_text_byte(&out, ',');
                append_value(&out, &value);
            }
            cli_text_byte(&out, '\n');
            if (out.size > CLI_OUTPUT_FLUSH_BYTES) cli_text_flush(&out, file);
        }
    }
    cli_text_flush(&out, file);
    cli_text_release(&out);
}
