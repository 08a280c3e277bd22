// line_editor.h - lines of the shell: with editing, history and completion on a terminal.
//
// On a terminal libedit does it, where the program was built with it; otherwise, and for input that
// is not a terminal, lines are just read. History is kept in ~/.braid_history.
//
// Ownership: the database is borrowed, for completion. Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_LINE_EDITOR_H
#define BRAID_CLI_LINE_EDITOR_H

#include <stdbool.h>

#include "braid.h"
#include "text.h"

typedef struct cli_line_editor cli_line_editor;

typedef enum cli_line_outcome {
    CLI_LINE_TEXT,         // a line, without its line feed
    CLI_LINE_END,          // of the input
    CLI_LINE_INTERRUPTED,  // Ctrl-C: the line is thrown away
} cli_line_outcome;

cli_line_editor *cli_line_editor_new(braid *db);
void cli_line_editor_free(cli_line_editor *editor);  // writes the history
bool cli_line_editor_is_terminal(const cli_line_editor *editor);
cli_line_outcome cli_line_editor_read(cli_line_editor *editor, const char *prompt,
                                      cli_text *line_out);

#endif
