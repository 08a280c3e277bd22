// progress.h - a line on the terminal that tells how far a long command is.
//
// Shown on stderr where that is a terminal, at most ten times a second, and not before the first
// fifth of a second is over. Threads: one thread at a time.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_PROGRESS_H
#define BRAID_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "braid.h"

typedef struct cli_progress {
    const char *what;
    double began_ms, shown_ms;
    bool is_shown;
} cli_progress;

void cli_progress_begin(cli_progress *progress, const char *what);
// `table` may be NULL. Fractions beyond 1 are 1; at or below 0 nobody knows.
void cli_progress_show(cli_progress *progress, const char *table, double fraction,
                       uint64_t row_count);
void cli_progress_end(cli_progress *progress);  // removes the line
// A braid_progress_handler, with a cli_progress as context; stops after Ctrl-C.
int cli_progress_handle(void *context, const braid_progress *told);

#endif
