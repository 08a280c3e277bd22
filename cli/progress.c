// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "script.h"

void cli_progress_begin(cli_progress *progress, const char *what)
{
    double now_ms = cli_clock_ms();
    *progress = (cli_progress){.what = what, .began_ms = now_ms, .shown_ms = now_ms};
}

void cli_progress_show(cli_progress *progress, double fraction, uint64_t row_count)
{
    double now_ms = cli_clock_ms();
    if (now_ms - progress->shown_ms < 100 || !isatty(STDERR_FILENO)) return;
    progress->shown_ms = now_ms;
    progress->is_shown = true;
    double rows_per_second = (double)row_count / (now_ms - progress->began_ms) * 1e3;
    fprintf(stderr, "\r\033[K%s: ", progress->what);
    if (fraction > 0) fprintf(stderr, "%.0f %%, ", fraction * 100);
    fprintf(stderr, "%llu rows, %.0f rows/s", (unsigned long long)row_count, rows_per_second);
}

void cli_progress_end(cli_progress *progress)
{
    if (progress->is_shown) fputs("\r\033[K", stderr);
    progress->is_shown = false;
}
