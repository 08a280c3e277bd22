// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "output.h"

// JSON text is UTF-8: a byte that is not becomes U+FFFD.
void cli_append_json_text(cli_text *text, const char *bytes, size_t size)
{
    cli_text_byte(text, '"');
    for (size_t at = 0; at < size;) {
        size_t length;
        uint32_t code = cli_code_point(bytes + at, size - at, &length);
        if (code == '"' || code == '\\') cli_text_format(text, "\\%c", (int)code);
        else if (code == '\n') cli_text_add(text, "\\n");
        else if (code == '\t') cli_text_add(text, "\\t");
        else if (code == '\r') cli_text_add(text, "\\r");
        else if (code < 0x20) cli_text_format(text, "\\u%04x", (unsigned)code);
        else if (code == 0xfffd) cli_text_add(text, "\xef\xbf\xbd");
        else cli_text_append(text, bytes + at, length);
        at += length;
    }
    cli_text_byte(text, '"');
}

static void append_value(cli_text *out, const braid_value *value)
{
    switch (value->type) {
    case BRAID_INTEGER:
    case BRAID_REAL: cli_append_number(out, value); break;
    case BRAID_TEXT: cli_append_json_text(out, value->as.text.data, value->as.text.size); break;
    case BRAID_BLOB:
        cli_text_byte(out, '"');
        cli_append_hex(out, value->as.text);
        cli_text_byte(out, '"');
        break;
    default: cli_text_add(out, "null"); break;
    }
}

typedef struct json_style {
    const char *begin, *between, *end;
} json_style;

// "name": of every column, made once.
static cli_text *make_keys(const braid_result *result, uint32_t column_count)
{
    cli_text *keys = cli_allocate(column_count * sizeof *keys);
    for (uint32_t column = 0; column < column_count; column++) {
        const char *name = braid_column_name(result, column);
        cli_text_byte(&keys[column], column == 0 ? '{' : ',');
        cli_append_json_text(&keys[column], name, strlen(name));
        cli_text_byte(&keys[column], ':');
    }
    return keys;
}

static void print_objects(const braid_result *result, const json_style *style, FILE *file)
{
    cli_text out = {0};
    uint32_t column_count = braid_column_count(result);
    cli_text *keys = make_keys(result, column_count);
    cli_text_add(&out, style->begin);
    for (uint32_t index = 0; index < braid_chunk_count(result); index++) {
        braid_chunk chunk;
        braid_chunk_get(result, index, &chunk);
        for (uint32_t row = 0; row < chunk.row_count; row++) {
            if (index > 0 || row > 0) cli_text_add(&out, style->between);
            for (uint32_t column = 0; column < column_count; column++) {
                braid_value value = cli_column_value(&chunk.columns[column], row);
                cli_text_append(&out, keys[column].data, keys[column].size);
                append_value(&out, &value);
            }
            cli_text_byte(&out, '}');
            if (out.size > CLI_OUTPUT_FLUSH_BYTES) cli_text_flush(&out, file);
        }
    }
    if (braid_row_count(result) > 0 || style->begin[0] != '\0') cli_text_add(&out, style->end);
    cli_text_flush(&out, file);
    cli_text_release(&out);
    for (uint32_t column = 0; column < column_count; column++) cli_text_release(&keys[column]);
    free(keys);
}

void cli_print_json(const braid_result *result, FILE *file)
{
    print_objects(result, &(json_style){.begin = "[", .between = ",\n", .end = "]\n"}, file);
}

void cli_print_jsonl(const braid_result *result, FILE *file)
{
    print_objects(result, &(json_style){.begin = "", .between = "\n", .end = "\n"}, file);
}
