// The program braid: finds the command and hands it its arguments.
// SPDX-License-Identifier: Apache-2.0
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const cli_command *const commands[] = {
    &cli_command_query,      &cli_command_exec,    &cli_command_shell,   &cli_command_import,
    &cli_command_explain,    &cli_command_status,  &cli_command_sync,    &cli_command_verify,
    &cli_command_checkpoint, &cli_command_compact, &cli_command_rebuild, &cli_command_register,
    &cli_command_detach,     &cli_command_temporal,
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const cli_command *command_find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    }
    return NULL;
}

static void print_help(FILE *file)
{
    fputs("usage: braid COMMAND PATH [arguments]\n\n"
          "Analytic SQL over a SQLite file, from a columnar copy that is always fresh.\n"
          "PATH is the SQLite file; the copy is kept in the folder PATH-braid.\n\n"
          "commands:\n",
          file);
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n  braid COMMAND --help  tells more about a command\n"
          "  braid --version       prints the version\n\n"
          "exit code: 0 done, 1 the statement or the database failed, 2 wrong usage,\n"
          "130 interrupted\n",
          file);
}

static int run_command(const cli_command *command, int argc, char **argv)
{
    cli_items items = {0};
    int code = cli_parse(command, argc, argv, &items);
    if (code != CLI_OK) return code;
    if (items.wants_help) cli_print_command_help(command, stdout);
    else code = command->run(command, &items);
    cli_items_release(&items);
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    fputs("braid: the output could not be written\n", stderr);
    return code == CLI_OK ? CLI_FAILED : code;
}

static int print_help_about(const char *name)
{
    const cli_command *command = name == NULL ? NULL : command_find(name);
    if (command != NULL) cli_print_command_help(command, stdout);
    else print_help(stdout);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    // How wide characters are; numbers stay as SQL writes them. Text of a database is UTF-8.
    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name == NULL) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return print_help_about(argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("braid %s\n", braid_version());
        return CLI_OK;
    }
    const cli_command *command = command_find(name);
    if (command != NULL) return run_command(command, argc - 2, argv + 2);
    fprintf(stderr, "braid: unknown command '%s'; 'braid --help' lists them\n", name);
    return CLI_USAGE;
}
