// SPDX-License-Identifier: Apache-2.0
#include "csv_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum {
    BUFFER_BYTES_FIRST = 1 << 20,
    RECORD_BYTES_MAX = 1 << 30,
};

typedef enum parse_outcome { PARSE_RECORD, PARSE_NEED_BYTES, PARSE_FAILED } parse_outcome;

bool cli_csv_open(cli_csv *csv, const char *path, char separator)
{
    *csv = (cli_csv){.path = path, .separator = separator, .next_line = 1};
    csv->source = cli_byte_source_open(path);
    if (csv->source == NULL) return false;
    csv->capacity = BUFFER_BYTES_FIRST;
    csv->buffer = cli_reallocate(NULL, csv->capacity);
    return true;
}

void cli_csv_close(cli_csv *csv)
{
    cli_byte_source_close(csv->source);
    free(csv->buffer);
    free(csv->fields);
    *csv = (cli_csv){0};
}

// Makes room behind `end` and reads there. The unfinished record moves to the front.
static bool csv_fill(cli_csv *csv)
{
    if (csv->start > 0) {
        memmove(csv->buffer, csv->buffer + csv->start, csv->end - csv->start);
        csv->end -= csv->start;
        csv->start = 0;
    }
    if (csv->end == csv->capacity) {
        if (csv->capacity >= RECORD_BYTES_MAX) {
            fprintf(stderr, "braid: %s:%llu: a record of more than %d bytes; is a quote missing?\n",
                    csv->path, (unsigned long long)csv->next_line, RECORD_BYTES_MAX);
            return false;
        }
        csv->capacity *= 2;
        csv->buffer = cli_reallocate(csv->buffer, csv->capacity);
    }
    ptrdiff_t count = cli_byte_source_read(csv->source, csv->buffer + csv->end,
                                           csv->capacity - csv->end);
    if (count < 0) return false;
    csv->at_end = count == 0;
    csv->end += (size_t)count;
    return true;
}

static parse_outcome csv_fail(const cli_csv *csv, const char *at, const char *message)
{
    unsigned long long line = csv->next_line;
    unsigned column = 1;
    for (const char *byte = csv->buffer + csv->start; byte < at; byte++) {
        column += (*byte & 0xc0) != 0x80;
        if (*byte != '\n') continue;
        line++;
        column = 1;
    }
    fprintf(stderr, "braid: %s:%llu:%u: %s\n", csv->path, line, column, message);
    return PARSE_FAILED;
}

static cli_csv_field *csv_add_field(cli_csv *csv)
{
    if (csv->field_count == csv->field_capacity) {
        csv->field_capacity = csv->field_capacity == 0 ? 64 : csv->field_capacity * 2;
        csv->fields = cli_reallocate(csv->fields, csv->field_capacity * sizeof *csv->fields);
    }
    cli_csv_field *field = &csv->fields[csv->field_count++];
    *field = (cli_csv_field){0};
    return field;
}

// Reads from the opening quote at *at_io to behind the closing one.
static parse_outcome parse_quoted(cli_csv *csv, cli_csv_field *field, char **at_io)
{
    char *opening = *at_io, *end = csv->buffer + csv->end;
    field->data = opening + 1;
    field->is_quoted = true;
    for (char *from = opening + 1;;) {
        char *quote = from == end ? NULL : memchr(from, '"', (size_t)(end - from));
        if (quote == NULL || (quote + 1 == end && !csv->at_end)) {
            return csv->at_end ? csv_fail(csv, opening, "this quote is never closed")
                               : PARSE_NEED_BYTES;
        }
        if (quote + 1 == end || quote[1] != '"') {
            field->size = (uint32_t)(quote - field->data);
            *at_io = quote + 1;
            return PARSE_RECORD;
        }
        field->has_doubled_quotes = true;
        from = quote + 2;
    }
}

static void parse_plain(cli_csv *csv, cli_csv_field *field, char **at_io)
{
    char *at = *at_io, *end = csv->buffer + csv->end;
    char separator = csv->separator;
    field->data = at;
    while (at < end && *at != separator && *at != '\n') at++;
    field->size = (uint32_t)(at - field->data);
    bool ends_line = at == end || *at == '\n';
    if (ends_line && field->size > 0 && at[-1] == '\r') field->size--;
    *at_io = at;
}

// Reads the record at `start`. Nothing is changed in the buffer: with more bytes it is read again.
static parse_outcome parse_record(cli_csv *csv, char **behind_out)
{
    char *at = csv->buffer + csv->start, *end = csv->buffer + csv->end;
    csv->field_count = 0;
    for (;;) {
        cli_csv_field *field = csv_add_field(csv);
        if (at < end && *at == '"') {
            parse_outcome outcome = parse_quoted(csv, field, &at);
            if (outcome != PARSE_RECORD) return outcome;
            if (at < end && *at == '\r') {
                if (at + 1 == end && !csv->at_end) return PARSE_NEED_BYTES;
                if (at + 1 == end || at[1] == '\n') at++;
            }
        } else {
            parse_plain(csv, field, &at);
        }
        if (at == end) {
            *behind_out = end;
            return csv->at_end ? PARSE_RECORD : PARSE_NEED_BYTES;
        }
        if (*at == '\n') {
            *behind_out = at + 1;
            return PARSE_RECORD;
        }
        if (*at != csv->separator)
            return csv_fail(csv, at, "expected a separator behind the closing quote");
        at++;
    }
}

static void field_halve_quotes(cli_csv_field *field)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < field->size; i++) {
        field->data[size++] = field->data[i];
        if (field->data[i] == '"') i++;
    }
    field->size = size;
}

static uint64_t count_lines(const char *from, const char *to)
{
    uint64_t lines = 0;
    while (from < to && (from = memchr(from, '\n', (size_t)(to - from))) != NULL) {
        lines++;
        from++;
    }
    return lines;
}

static void record_finish(cli_csv *csv, const char *behind)
{
    bool spans_lines = false;
    for (uint32_t i = 0; i < csv->field_count; i++) spans_lines |= csv->fields[i].is_quoted;
    csv->line = csv->next_line;
    csv->next_line += spans_lines ? count_lines(csv->buffer + csv->start, behind) : 1;
    csv->start = (size_t)(behind - csv->buffer);
    for (uint32_t i = 0; i < csv->field_count; i++) {
        if (csv->fields[i].has_doubled_quotes) field_halve_quotes(&csv->fields[i]);
    }
}

static void skip_byte_order_mark(cli_csv *csv)
{
    if (csv->end - csv->start >= 3 && memcmp(csv->buffer + csv->start, "\xef\xbb\xbf", 3) == 0)
        csv->start += 3;
}

cli_csv_outcome cli_csv_next(cli_csv *csv)
{
    if (csv->next_line == 1 && csv->end == 0) {
        if (!csv_fill(csv)) return CLI_CSV_FAILED;
        skip_byte_order_mark(csv);
    }
    for (;;) {
        if (csv->start == csv->end && csv->at_end) return CLI_CSV_END;
        char *behind = NULL;
        parse_outcome outcome = csv->start == csv->end ? PARSE_NEED_BYTES
                                                       : parse_record(csv, &behind);
        if (outcome == PARSE_RECORD) {
            record_finish(csv, behind);
            return CLI_CSV_RECORD;
        }
        if (outcome == PARSE_FAILED || !csv_fill(csv)) return CLI_CSV_FAILED;
    }
}
