// options.h - command lines: tables of options, what was given, settings that commands share.
//
// A command describes its options in a table; cli_parse checks the arguments against it and gives
// them back as a list in the order of the command line, positional arguments among them, because
// for `query` that order is the order of execution. Help texts are made from the same tables.
//
// Ownership: items point into argv; the list is freed with cli_items_release. Threads: one thread.
// Errors: cli_parse and cli_settings_take print a message and return CLI_USAGE.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_OPTIONS_H
#define BRAID_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "braid.h"
#include "output.h"
#include "progress.h"

typedef struct cli_option {
    const char *name;   // without the dashes; NULL ends a table
    char letter;        // 0: none
    // How the value is called in the help; NULL: the option has none. In brackets: it may be left
    // out, and is a number, so that it can be told from the next argument.
    const char *value;
    const char *help;
} cli_option;

typedef struct cli_item {
    const char *name;   // of the option; NULL: positional
    const char *value;
} cli_item;

typedef struct cli_items {
    cli_item *items;
    uint32_t count;
    uint32_t positional_count;
    bool wants_help;
} cli_items;

typedef struct cli_command cli_command;
struct cli_command {
    const char *name;
    const char *arguments;      // as in "PATH [SQL]..."
    const char *summary;        // one line, for the list of commands
    const char *details;        // more lines for the help; ""
    uint32_t positional_min;
    uint32_t positional_max;    // UINT32_MAX: any number
    const cli_option *options;
    int (*run)(const cli_command *command, const cli_items *items);
};

// argv without the program's and the command's name.
int cli_parse(const cli_command *command, int argc, char **argv, cli_items *items_out);
void cli_items_release(cli_items *items);
const char *cli_positional(const cli_items *items, uint32_t index);  // NULL: not so many
bool cli_has_option(const cli_items *items, const char *name);
void cli_print_command_help(const cli_command *command, FILE *file);
// Prints the message and where to read more; returns CLI_USAGE.
int cli_usage_error(const cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// ---- settings ----------------------------------------------------------------------------------

// May not be moved once it was initialised: the configuration points to the progress.
typedef struct cli_settings {
    braid_config config;
    cli_progress progress;
    cli_format format;
    uint32_t repeat;
    bool timing;
} cli_settings;

// Rows for the tables of options, so that an option reads the same everywhere.
#define CLI_OPTION_ENGINE \
    {"engine", 0, "NAME", "auto (the default), olap (columnar or fail) or oltp (SQLite)"}
#define CLI_OPTION_FRESHNESS \
    {"freshness", 0, "HOW", "strict (the default), any, or the milliseconds of lag allowed"}
#define CLI_OPTION_FORMAT \
    {"format", 0, "NAME", "table (the default), csv, json, jsonl or markdown"}
#define CLI_OPTION_THREADS {"threads", 0, "N", "threads to use; default: one per CPU"}
#define CLI_OPTION_MEMORY \
    {"memory", 0, "BYTES", "budget, as in 500M or 2G; default: 60 % of the memory available"}
#define CLI_OPTION_READ_ONLY {"read-only", 0, NULL, "never write to the SQLite file"}
#define CLI_OPTION_FILE {"file", 'f', "FILE", "run the statements of FILE; may be repeated"}
#define CLI_OPTIONS_END {NULL, 0, NULL, NULL}

void cli_settings_init(cli_settings *settings);
// Stores the value of an option named above; other items are left alone. CLI_OK or CLI_USAGE.
int cli_settings_take(cli_settings *settings, const cli_command *command, const cli_item *item);
int cli_settings_take_all(cli_settings *settings, const cli_command *command,
                          const cli_items *items);
bool cli_parse_engine(const char *name, braid_engine *engine_out);
bool cli_parse_freshness(const char *text, int64_t *freshness_out);
const char *cli_engine_name(braid_engine engine);

#endif
