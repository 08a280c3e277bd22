// SPDX-License-Identifier: Apache-2.0
#include "status.h"

#include <string.h>

#include "json_reader.h"
#include "text.h"

static void append_bytes(cli_text *out, double bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    int unit = 0;
    while (bytes >= 1000 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    cli_text_format(out, unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

enum { STATUS_COLUMNS = 7 };

static const char *const headings[STATUS_COLUMNS] = {
    "table", "rows", "in memory", "segments", "raw", "stored", "ratio",
};

static void make_row(const char *table, cli_text cells[STATUS_COLUMNS])
{
    double raw = cli_json_number(cli_json_member(table, "raw_bytes"));
    double stored = cli_json_number(cli_json_member(table, "stored_bytes"));
    for (int i = 0; i < STATUS_COLUMNS; i++) cli_text_reset(&cells[i]);
    cli_json_string(cli_json_member(table, "name"), &cells[0]);
    cli_text_add_count(&cells[1], cli_json_number(cli_json_member(table, "rows")));
    cli_text_add_count(&cells[2], cli_json_number(cli_json_member(table, "delta_rows")));
    cli_text_add_count(&cells[3], cli_json_number(cli_json_member(table, "segments")));
    append_bytes(&cells[4], raw);
    append_bytes(&cells[5], stored);
    if (stored > 0) cli_text_format(&cells[6], "%.1fx", raw / stored);
    else cli_text_add(&cells[6], "-");
}

static void append_table_row(cli_text *out, const cli_text cells[STATUS_COLUMNS],
                             const size_t widths[STATUS_COLUMNS])
{
    for (int i = 0; i < STATUS_COLUMNS; i++) {
        size_t padding = widths[i] - cli_text_width(cells[i].data, cells[i].size);
        cli_text_add(out, "  ");
        if (i > 0) cli_text_repeat(out, ' ', padding);
        cli_text_append(out, cells[i].data, cells[i].size);
        if (i == 0) cli_text_repeat(out, ' ', padding);
    }
    cli_text_byte(out, '\n');
}

static void append_tables(cli_text *out, const char *tables)
{
    cli_text cells[STATUS_COLUMNS] = {{0}};
    size_t widths[STATUS_COLUMNS];
    for (int i = 0; i < STATUS_COLUMNS; i++) widths[i] = strlen(headings[i]);
    for (const char *table = cli_json_first(tables); table != NULL; table = cli_json_next(table)) {
        make_row(table, cells);
        for (int i = 0; i < STATUS_COLUMNS; i++) {
            size_t width = cli_text_width(cells[i].data, cells[i].size);
            if (width > widths[i]) widths[i] = width;
        }
    }
    for (int i = 0; i < STATUS_COLUMNS; i++) {
        cli_text_reset(&cells[i]);
        cli_text_add(&cells[i], headings[i]);
    }
    cli_text_byte(out, '\n');
    append_table_row(out, cells, widths);
    for (const char *table = cli_json_first(tables); table != NULL; table = cli_json_next(table)) {
        make_row(table, cells);
        append_table_row(out, cells, widths);
    }
    for (int i = 0; i < STATUS_COLUMNS; i++) cli_text_release(&cells[i]);
}

static void append_copy(cli_text *out, const char *json)
{
    const char *problem = cli_json_member(json, "problem");
    cli_text_add(out, "copy      ");
    if (problem != NULL && *problem == '"') {
        cli_text_add(out, "none, SQLite answers everything: ");
        cli_json_string(problem, out);
        cli_text_byte(out, '\n');
        return;
    }
    cli_text_add(out, "commit point ");
    cli_text_add_count(out, cli_json_number(cli_json_member(json, "seq")));
    double lag_ms = cli_json_number(cli_json_member(json, "lag_ms"));
    cli_text_format(out, ", looked at %.1f ms ago", lag_ms);
    if (!cli_json_true(cli_json_member(json, "maintainer")))
        cli_text_add(out, ", maintained by another process");
    cli_text_byte(out, '\n');
}

static void append_fallbacks(cli_text *out, const char *fallbacks)
{
    const char *fallback = cli_json_first(fallbacks);
    if (fallback == NULL) return;
    cli_text_add(out, "\nqueries left to SQLite, by reason\n");
    for (; fallback != NULL; fallback = cli_json_next(fallback)) {
        cli_text_format(out, "  %6.0f  ", cli_json_number(cli_json_member(fallback, "count")));
        cli_json_string(cli_json_member(fallback, "reason"), out);
        cli_text_byte(out, '\n');
    }
}

static void append_status(cli_text *out, const char *json)
{
    cli_text_add(out, "database  ");
    cli_json_string(cli_json_member(json, "path"), out);
    cli_text_byte(out, '\n');
    append_copy(out, json);
    cli_text_format(out, "machine   %.0f threads, ",
                    cli_json_number(cli_json_member(json, "threads")));
    cli_json_string(cli_json_member(json, "isa"), out);
    cli_text_add(out, " kernels, ");
    append_bytes(out, cli_json_number(cli_json_member(json, "memory_bytes")));
    cli_text_add(out, " of memory in use\n");
    const char *tables = cli_json_member(json, "tables");
    if (tables != NULL) append_tables(out, tables);
    append_fallbacks(out, cli_json_member(json, "fallbacks"));
}

braid_status cli_print_status(braid *db, bool as_json, FILE *file)
{
    char *json;
    braid_status status = braid_status_json(db, &json);
    if (status != BRAID_OK) return status;
    cli_text out = {0};
    if (as_json) cli_json_indent(json, &out);
    else append_status(&out, json);
    braid_free(json);
    cli_text_flush(&out, file);
    cli_text_release(&out);
    return BRAID_OK;
}
