// progress.h - a line on the terminal that tells how far a long command is.
//
// Shown on stderr where that is a terminal, at most ten times a second.
// Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_PROGRESS_H
#define BRAID_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_progress {
    const char *what;
    double began_ms, shown_ms;
    bool is_shown;
} cli_progress;

void cli_progress_begin(cli_progress *progress, const char *what);
void cli_progress_show(cli_progress *progress, double fraction, uint64_t row_count);
void cli_progress_end(cli_progress *progress);  // removes the line

#endif
