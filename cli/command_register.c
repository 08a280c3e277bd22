// braid register: what of which tables is mirrored.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "script.h"

// Names cut from the values of --columns, ended by NULL.
typedef struct name_list {
    char **names;
    uint32_t count;
} name_list;

static void name_list_release(name_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) free(list->names[i]);
    free(list->names);
    *list = (name_list){0};
}

static bool name_add(name_list *list, const char *name, size_t size)
{
    char **names = realloc(list->names, (list->count + 2) * sizeof *names);
    if (names == NULL) return false;
    list->names = names;
    names[list->count] = strndup(name, size);
    if (names[list->count] == NULL) return false;
    names[++list->count] = NULL;
    return true;
}

// Adds the parts between commas; empty ones name nothing.
static bool names_cut(name_list *list, const char *text)
{
    while (true) {
        size_t size = strcspn(text, ",");
        if (size > 0 && !name_add(list, text, size)) return false;
        if (text[size] == 0) return true;
        text += size + 1;
    }
}

static bool names_take(name_list *list, const cli_items *items)
{
    for (uint32_t i = 0; i < items->count; i++) {
        const cli_item *item = &items->items[i];
        if (item->name == NULL || strcmp(item->name, "columns") != 0) continue;
        if (!names_cut(list, item->value)) return false;
    }
    return true;
}

static braid_status register_pattern(braid *db, const cli_items *items, const name_list *columns)
{
    const char *pattern = cli_positional(items, 1);
    if (cli_has_option(items, "remove")) return braid_unregister_table(db, pattern);
    braid_registration registration = {
        .size = sizeof registration,
        .exclude = cli_has_option(items, "exclude"),
        .columns = (const char *const *)columns->names,
    };
    return braid_register_table(db, pattern, &registration);
}

static int run_with(const cli_command *command, const cli_items *items, const name_list *columns)
{
    bool has_columns = cli_has_option(items, "columns");
    int choices = has_columns + cli_has_option(items, "exclude") + cli_has_option(items, "remove");
    if (choices > 1)
        return cli_usage_error(command, "give one of --columns, --exclude and --remove");
    if (has_columns && columns->count == 0)
        return cli_usage_error(command, "--columns: expected names, as in a,b");
    cli_settings settings;
    int code = cli_settings_take_all(&settings, command, items);
    if (code != CLI_OK) return code;
    const char *path = cli_positional(items, 0);
    braid *db;
    code = cli_open(path, &settings.config, &db);
    if (code != CLI_OK) return code;
    braid_status status = register_pattern(db, items, columns);
    if (status != BRAID_OK) code = cli_report_failure(db, "cannot register", status);
    return cli_close(db, path, code);
}

static int register_run(const cli_command *command, const cli_items *items)
{
    name_list columns = {0};
    int code = CLI_FAILED;
    if (names_take(&columns, items)) code = run_with(command, items, &columns);
    else fputs("braid: out of memory\n", stderr);
    name_list_release(&columns);
    return code;
}

static const cli_option register_options[] = {
    {"columns", 0, "A,B,...", "mirror these columns only; may be repeated"},
    {"exclude", 0, NULL, "mirror nothing of the tables: SQLite runs all their queries"},
    {"remove", 0, NULL, "forget what was registered for the pattern"},
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTIONS_END,
};

const cli_command cli_command_register = {
    .name = "register",
    .arguments = "PATH PATTERN",
    .summary = "Choose which tables and columns are mirrored",
    .details = "PATTERN is the name of a table, or has * ? [...] as GLOB; case does not matter.\n"
               "The pattern registered last decides. It is kept in the SQLite file.\n",
    .positional_min = 2,
    .positional_max = 2,
    .options = register_options,
    .run = register_run,
};
