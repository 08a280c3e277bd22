// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "interrupt.h"
#include "script.h"
#include "text.h"

enum { BAR_COLUMNS = 24 };
static const double FIRST_MS = 200, EVERY_MS = 100;

void cli_progress_begin(cli_progress *progress, const char *what)
{
    double now_ms = cli_clock_ms();
    *progress = (cli_progress){
        .what = what, .began_ms = now_ms, .shown_ms = now_ms + FIRST_MS - EVERY_MS};
}

static void append_time(cli_text *out, double seconds)
{
    if (seconds < 100) cli_text_format(out, "%.0f s", seconds);
    else if (seconds < 6000) cli_text_format(out, "%.0f min", seconds / 60);
    else cli_text_format(out, "%.1f h", seconds / 3600);
}

static void append_bar(cli_text *out, double fraction, double seconds)
{
    int filled = (int)(fraction * BAR_COLUMNS);
    cli_text_add(out, "[");
    for (int i = 0; i < BAR_COLUMNS; i++) cli_text_byte(out, i < filled ? '#' : '-');
    cli_text_format(out, "] %.0f %%, ", fraction * 100);
    append_time(out, seconds / fraction - seconds);
    cli_text_add(out, " left, ");
}

void cli_progress_show(cli_progress *progress, const char *table, double fraction,
                       uint64_t row_count)
{
    double now_ms = cli_clock_ms();
    if (now_ms - progress->shown_ms < EVERY_MS || !isatty(STDERR_FILENO)) return;
    progress->shown_ms = now_ms;
    progress->is_shown = true;
    double seconds = (now_ms - progress->began_ms) / 1e3;
    cli_text line = {0};
    cli_text_format(&line, "\r\033[K%s", progress->what);
    if (table != NULL) cli_text_format(&line, " %s", table);
    cli_text_add(&line, ": ");
    if (fraction > 0) append_bar(&line, fraction < 1 ? fraction : 1, seconds);
    cli_text_add_count(&line, (double)row_count);
    cli_text_add(&line, " rows, ");
    cli_text_add_count(&line, (double)row_count / seconds);
    cli_text_add(&line, " rows/s");
    cli_text_flush(&line, stderr);
    cli_text_release(&line);
}

void cli_progress_end(cli_progress *progress)
{
    if (progress->is_shown) fputs("\r\033[K", stderr);
    progress->is_shown = false;
}

int cli_progress_handle(void *context, const braid_progress *told)
{
    cli_progress *progress = context;
    if (told->is_done) {
        cli_progress_end(progress);
        progress->what = NULL;
        return 0;
    }
    if (progress->what == NULL || strcmp(progress->what, told->what) != 0)
        cli_progress_begin(progress, told->what);
    double total = (double)told->rows_total;
    cli_progress_show(progress, told->table, total > 0 ? (double)told->rows_done / total : 0,
                      told->rows_done);
    return cli_interrupt_pending();
}
