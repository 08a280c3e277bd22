// The command sync: one database, several, or all of a folder.
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "script.h"
#include "text.h"

static const char copy_suffix[] = "-braid";

// Names of databases, sorted.
typedef struct name_list {
    char **names;
    size_t count;
} name_list;

static int sync_one(const cli_settings *settings, const char *path)
{
    braid *db;
    int code = cli_open(path, &settings->config, &db);
    if (code != CLI_OK) return code;
    braid_status status = braid_sync(db);
    if (status != BRAID_OK) code = cli_report_failure(db, path, status);
    return cli_close(db, path, code);
}

static bool is_folder(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

// Adds FOLDER/NAME for an entry NAME-braid when both are there.
static void add_database(name_list *list, const char *folder, const char *entry)
{
    size_t size = strlen(entry), suffix_size = sizeof copy_suffix - 1;
    struct stat found;
    if (size <= suffix_size || strcmp(entry + size - suffix_size, copy_suffix) != 0) return;
    cli_text copy = {0}, path = {0};
    cli_text_format(&copy, "%s/%s", folder, entry);
    cli_text_append(&path, copy.data, copy.size - suffix_size);
    if (is_folder(copy.data) && stat(path.data, &found) == 0 && S_ISREG(found.st_mode)) {
        list->names = cli_reallocate(list->names, (list->count + 1) * sizeof *list->names);
        list->names[list->count++] = cli_copy_text(path.data, path.size);
    }
    cli_text_release(&copy);
    cli_text_release(&path);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

// The worse of two codes; an interrupt is worst.
static int worse(int left, int right)
{
    return left > right ? left : right;
}

static int sync_folder(const cli_settings *settings, const char *folder)
{
    name_list list = {0};
    int code = CLI_OK;
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        fprintf(stderr, "braid: cannot read '%s': %s\n", folder, strerror(errno));
        return CLI_FAILED;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        add_database(&list, folder, entry->d_name);
    closedir(directory);
    if (list.count > 0) qsort(list.names, list.count, sizeof *list.names, compare_names);
    for (size_t i = 0; i < list.count; i++) {
        if (code != CLI_INTERRUPTED) code = worse(code, sync_one(settings, list.names[i]));
        free(list.names[i]);
    }
    free(list.names);
    return code;
}

static int sync_run(const cli_command *command, const cli_items *items)
{
    cli_settings settings;
    int code = cli_settings_take_all(&settings, command, items);
    bool all = cli_has_option(items, "all");
    for (uint32_t i = 0; i < items->positional_count && code <= CLI_FAILED; i++) {
        const char *path = cli_positional(items, i);
        code = worse(code, all && is_folder(path) ? sync_folder(&settings, path)
                                                  : sync_one(&settings, path));
    }
    return code;
}

static const cli_option options[] = {
    {"all", 0, NULL, "a PATH that is a folder means every database in it that has a copy"},
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTIONS_END,
};

const cli_command cli_command_sync = {
    .name = "sync",
    .arguments = "PATH...",
    .summary = "Bring columnar copies up to date",
    .details = "Queries do this by themselves; afterwards they have less to do. One database that\n"
               "fails does not keep the others from being synchronised.\n",
    .positional_min = 1,
    .positional_max = UINT32_MAX,
    .options = options,
    .run = sync_run,
};
