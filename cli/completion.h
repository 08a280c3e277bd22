// completion.h - what the word before the cursor may become: keywords, tables, columns, commands.
//
// Ownership: a completion owns its texts until cli_completion_release. Threads: one thread. Errors:
// a database that cannot be asked has no names; nothing is printed.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_COMPLETION_H
#define BRAID_CLI_COMPLETION_H

#include <stddef.h>
#include <stdint.h>

#include "braid.h"
#include "text.h"

enum { CLI_CANDIDATES_MAX = 200 };  // more help nobody

typedef struct cli_completion {
    size_t word_size;     // bytes before the cursor that `replacement` takes the place of
    uint32_t candidate_count;
    char *candidates[CLI_CANDIDATES_MAX];
    cli_text replacement; // what all candidates begin with; a blank behind it if there is one only
} cli_completion;

void cli_complete(braid *db, const char *line, size_t cursor, cli_completion *completion_out);
void cli_completion_release(cli_completion *completion);

#endif
