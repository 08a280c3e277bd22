// script.h - SQL texts of several statements: where each ends, and where an error in it is.
//
// A statement ends at a semicolon outside of quotes, comments and trigger bodies. Each is handed to
// the library alone and begins with its first word, so that the library never looks at the rest of
// a long file, and offsets in error messages count from that word.
//
// Ownership: a script borrows its text, and owns the copy of the current statement. Threads: one
// thread. Errors: cli_report_error prints; functions that run return an exit code.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_SCRIPT_H
#define BRAID_CLI_SCRIPT_H

#include <stdbool.h>

#include "braid.h"
#include "options.h"
#include "text.h"

// Behind white space, comments and lone semicolons. A comment without an end is not skipped: more
// text may end it.
const char *cli_sql_skip_blank(const char *sql);
// Behind the semicolon that ends the statement `sql` begins with, or the end of the text, when
// *is_complete_out is false.
const char *cli_sql_end(const char *sql, bool *is_complete_out);

typedef struct cli_script {
    const char *name;     // of the file, for messages; NULL: from the command line
    uint32_t first_line;  // of the text in that file; 0 is 1
    const char *text;
    const char *start;    // of the current statement in `text`
    const char *next;     // behind it
    cli_text statement;   // the current statement, NUL-terminated
} cli_script;

void cli_script_init(cli_script *script, const char *name, const char *text);
bool cli_script_next(cli_script *script);  // false: no more statements
void cli_script_release(cli_script *script);

// Prints the last failure on the handle, which was about the script's current statement, with line,
// column, the line itself and a caret. Returns the exit code.
int cli_report_error(const braid *db, const cli_script *script, braid_status status);

// Runs `step` for each statement of each positional argument but the first and of each --file, in
// order, until one does not return CLI_OK; without any of them, of stdin.
typedef int (*cli_script_step)(void *context, const cli_script *script);
int cli_run_scripts(const cli_items *items, cli_script_step step, void *context);

// ---- handles -----------------------------------------------------------------------------------

// Opens or prints why not. The handle is NULL on failure. From here to cli_close Ctrl-C interrupts.
int cli_open(const char *path, const braid_config *config, braid **db_out);
// Closes; a failure is printed and becomes the exit code where that was CLI_OK.
int cli_close(braid *db, const char *path, int code);
// Prints "braid: WHAT: message of the handle" and returns the exit code.
int cli_report_failure(const braid *db, const char *what, braid_status status);

double cli_clock_ms(void);

#endif
