// Aligned tables need the width of every column before the first row can be printed: the rows are
// made twice, which costs time, not memory.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

typedef struct table_column {
    size_t width;
    bool is_numeric;  // no text and no blob: aligned to the right, its header too
} table_column;

typedef struct table {
    const braid_result *result;
    table_column *columns;
    uint32_t column_count;
    bool is_markdown;
    cli_text cell;  // scratch
    cli_text out;
} table;

// Bytes that would break the line or move the cursor are shown as escapes.
static void append_shown(table *self, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\n') cli_text_add(&self->cell, self->is_markdown ? "<br>" : "\\n");
        else if (byte == '\t') cli_text_add(&self->cell, "\\t");
        else if (byte == '\r') cli_text_add(&self->cell, "\\r");
        else if (byte < 0x20 || byte == 0x7f) cli_text_format(&self->cell, "\\x%02x", byte);
        else if (byte == '|' && self->is_markdown) cli_text_add(&self->cell, "\\|");
        else cli_text_byte(&self->cell, (char)byte);
    }
}

static void make_cell(table *self, const braid_value *value)
{
    cli_text_reset(&self->cell);
    switch (value->type) {
    case BRAID_INTEGER: cli_append_number(&self->cell, value); break;
    case BRAID_REAL:
        if (isinf(value->as.real)) cli_text_add(&self->cell, value->as.real < 0 ? "-Inf" : "Inf");
        else cli_append_number(&self->cell, value);
        break;
    case BRAID_TEXT: append_shown(self, value->as.text.data, value->as.text.size); break;
    case BRAID_BLOB:
        cli_text_add(&self->cell, "x'");
        cli_append_hex(&self->cell, value->as.text);
        cli_text_byte(&self->cell, '\'');
        break;
    default: cli_text_add(&self->cell, "NULL"); break;
    }
}

static void make_header_cell(table *self, uint32_t column)
{
    const char *name = braid_column_name(self->result, column);
    cli_text_reset(&self->cell);
    append_shown(self, name, strlen(name));
}

static size_t cell_width(const table *self)
{
    return self->cell.size == 0 ? 0 : cli_text_width(self->cell.data, self->cell.size);
}

static void measure_column(table *self, uint32_t column)
{
    table_column *measured = &self->columns[column];
    make_header_cell(self, column);
    *measured = (table_column){.width = cell_width(self), .is_numeric = true};
    for (uint32_t index = 0; index < braid_chunk_count(self->result); index++) {
        braid_chunk chunk;
        braid_chunk_get(self->result, index, &chunk);
        for (uint32_t row = 0; row < chunk.row_count; row++) {
            braid_value value = cli_column_value(&chunk.columns[column], row);
            if (value.type == BRAID_TEXT || value.type == BRAID_BLOB) measured->is_numeric = false;
            make_cell(self, &value);
            size_t width = cell_width(self);
            if (width > measured->width) measured->width = width;
        }
    }
    if (measured->width < 3) measured->width = 3;  // what markdown's rule needs
}

// Appends the scratch cell, padded, and what stands between cells.
static void append_cell(table *self, uint32_t column, bool to_right)
{
    size_t padding = self->columns[column].width - cell_width(self);
    bool is_last = column + 1 == self->column_count;
    cli_text_add(&self->out, column == 0 && self->is_markdown ? "| " : " ");
    if (to_right) cli_text_repeat(&self->out, ' ', padding);
    cli_text_append(&self->out, self->cell.data, self->cell.size);
    if (!to_right && !(is_last && !self->is_markdown)) cli_text_repeat(&self->out, ' ', padding);
    if (!is_last) cli_text_add(&self->out, " |");
    else cli_text_add(&self->out, self->is_markdown ? " |\n" : "\n");
}

static void append_header(table *self)
{
    for (uint32_t column = 0; column < self->column_count; column++) {
        make_header_cell(self, column);
        append_cell(self, column, self->columns[column].is_numeric);
    }
    for (uint32_t column = 0; column < self->column_count; column++) {
        const table_column *measured = &self->columns[column];
        if (self->is_markdown) {
            cli_text_add(&self->out, column == 0 ? "| " : " ");
            cli_text_repeat(&self->out, '-', measured->width - 1);
            cli_text_add(&self->out, measured->is_numeric ? ": |" : "- |");
        } else {
            if (column > 0) cli_text_byte(&self->out, '+');
            cli_text_repeat(&self->out, '-', measured->width + 2);
        }
    }
    cli_text_byte(&self->out, '\n');
}

static void append_rows(table *self, FILE *file)
{
    for (uint32_t index = 0; index < braid_chunk_count(self->result); index++) {
        braid_chunk chunk;
        braid_chunk_get(self->result, index, &chunk);
        for (uint32_t row = 0; row < chunk.row_count; row++) {
            for (uint32_t column = 0; column < self->column_count; column++) {
                braid_value value = cli_column_value(&chunk.columns[column], row);
                make_cell(self, &value);
                append_cell(self, column,
                            value.type == BRAID_INTEGER || value.type == BRAID_REAL ||
                                self->columns[column].is_numeric);
            }
            if (self->out.size > CLI_OUTPUT_FLUSH_BYTES) cli_text_flush(&self->out, file);
        }
    }
}

static void print_aligned(const braid_result *result, bool is_markdown, FILE *file)
{
    uint32_t column_count = braid_column_count(result);
    table self = {.result = result, .column_count = column_count, .is_markdown = is_markdown};
    self.columns = cli_allocate(column_count * sizeof *self.columns);
    for (uint32_t column = 0; column < column_count; column++) measure_column(&self, column);
    append_header(&self);
    append_rows(&self, file);
    unsigned long long row_count = braid_row_count(result);
    if (!is_markdown)
        cli_text_format(&self.out, "(%llu row%s)\n", row_count, row_count == 1 ? "" : "s");
    cli_text_flush(&self.out, file);
    cli_text_release(&self.cell);
    cli_text_release(&self.out);
    free(self.columns);
}

void cli_print_table(const braid_result *result, FILE *file)
{
    print_aligned(result, false, file);
}

void cli_print_markdown(const braid_result *result, FILE *file)
{
    print_aligned(result, true, file);
}
