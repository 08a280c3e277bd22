// cli.h - the commands of the program braid, and what they have in common.
//
// The program uses nothing but include/braid.h, like any other client of the library. main.c finds
// the command, options.c checks its arguments against the command's own table, the command does the
// work and returns the exit code. Messages go to stderr and begin with "braid: ".
//
// Threads: one thread; interrupt.c has the only signal handler.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_CLI_H
#define BRAID_CLI_CLI_H

#include "options.h"

enum {
    CLI_OK = 0,
    CLI_FAILED = 1,         // the statement or the database failed
    CLI_USAGE = 2,          // the command line makes no sense
    CLI_INTERRUPTED = 130,  // Ctrl-C, as shells count it
};

extern const cli_command cli_command_query;
extern const cli_command cli_command_exec;
extern const cli_command cli_command_shell;
extern const cli_command cli_command_import;
extern const cli_command cli_command_sync;
extern const cli_command cli_command_status;
extern const cli_command cli_command_explain;
extern const cli_command cli_command_verify;
extern const cli_command cli_command_rebuild;
extern const cli_command cli_command_detach;
extern const cli_command cli_command_temporal;
extern const cli_command cli_command_checkpoint;
extern const cli_command cli_command_compact;
extern const cli_command cli_command_register;

#endif
