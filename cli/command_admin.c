// The commands that look after the columnar copy: sync, status, check, checkpoint, compact,
// rebuild, detach.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "script.h"
#include "status.h"

typedef int (*admin_step)(braid *db, const cli_items *items, const cli_settings *settings);

// Opens the database of the first argument, does the step, closes.
static int admin_run(const cli_command *command, const cli_items *items, admin_step step)
{
    cli_settings settings;
    int code = cli_settings_take_all(&settings, command, items);
    if (code != CLI_OK) return code;
    const char *path = cli_positional(items, 0);
    braid *db;
    code = cli_open(path, &settings.config, &db);
    if (code != CLI_OK) return code;
    code = step(db, items, &settings);
    return cli_close(db, path, code);
}

static int report(const braid *db, const char *what, braid_status status)
{
    return status == BRAID_OK ? CLI_OK : cli_report_failure(db, what, status);
}

static int sync_step(braid *db, const cli_items *items, const cli_settings *settings)
{
    (void)items;
    (void)settings;
    return report(db, "sync failed", braid_sync(db));
}

static int sync_run(const cli_command *command, const cli_items *items)
{
    return admin_run(command, items, sync_step);
}

static int checkpoint_step(braid *db, const cli_items *items, const cli_settings *settings)
{
    (void)items;
    (void)settings;
    return report(db, "checkpoint failed", braid_checkpoint(db));
}

static int checkpoint_run(const cli_command *command, const cli_items *items)
{
    return admin_run(command, items, checkpoint_step);
}

static int compact_step(braid *db, const cli_items *items, const cli_settings *settings)
{
    (void)items;
    (void)settings;
    return report(db, "compaction failed", braid_compact(db));
}

static int compact_run(const cli_command *command, const cli_items *items)
{
    return admin_run(command, items, compact_step);
}

static int rebuild_step(braid *db, const cli_items *items, const cli_settings *settings)
{
    (void)items;
    (void)settings;
    return report(db, "rebuild failed", braid_rebuild(db));
}

static int rebuild_run(const cli_command *command, const cli_items *items)
{
    return admin_run(command, items, rebuild_step);
}

static int check_step(braid *db, const cli_items *items, const cli_settings *settings)
{
    (void)items;
    (void)settings;
    uint64_t rows = 0;
    braid_status status = braid_check(db, &rows);
    if (status != BRAID_OK) return cli_report_failure(db, "check failed", status);
    printf("ok: every checksum, and %llu rows equal on both sides\n", (unsigned long long)rows);
    return CLI_OK;
}

static int check_run(const cli_command *command, const cli_items *items)
{
    return admin_run(command, items, check_step);
}

static int status_step(braid *db, const cli_items *items, const cli_settings *settings)
{
    (void)items;
    return report(db, "no status",
                  cli_print_status(db, settings->format == CLI_FORMAT_JSON, stdout));
}

static int status_run(const cli_command *command, const cli_items *items)
{
    cli_settings settings;
    int code = cli_settings_take_all(&settings, command, items);
    if (code != CLI_OK) return code;
    if (settings.format != CLI_FORMAT_TABLE && settings.format != CLI_FORMAT_JSON)
        return cli_usage_error(command, "--format '%s': expected table or json",
                               cli_format_name(settings.format));
    return admin_run(command, items, status_step);
}

static int detach_run(const cli_command *command, const cli_items *items)
{
    (void)command;
    const char *path = cli_positional(items, 0);
    struct stat found;
    if (stat(path, &found) != 0) {
        fprintf(stderr, "braid: cannot detach '%s': %s\n", path, strerror(errno));
        return CLI_FAILED;
    }
    char message[512] = "";
    braid_status status = braid_detach(path, message, sizeof message);
    if (status == BRAID_OK) return CLI_OK;
    fprintf(stderr, "braid: cannot detach '%s': %s\n", path,
            message[0] != '\0' ? message : braid_status_name(status));
    return CLI_FAILED;
}

// ---- tables ------------------------------------------------------------------------------------

static const cli_option machine_options[] = {
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTIONS_END,
};

static const cli_option status_options[] = {
    {"format", 0, "NAME", "table (the default) or json"},
    CLI_OPTION_READ_ONLY,
    CLI_OPTIONS_END,
};

static const cli_option no_options[] = {CLI_OPTIONS_END};

const cli_command cli_command_sync = {
    .name = "sync",
    .arguments = "PATH",
    .summary = "Bring the columnar copy up to date",
    .details = "Queries do this by themselves; afterwards they have less to do.\n",
    .positional_min = 1,
    .positional_max = 1,
    .options = machine_options,
    .run = sync_run,
};

const cli_command cli_command_checkpoint = {
    .name = "checkpoint",
    .arguments = "PATH",
    .summary = "Make the columnar copy durable and prune the change log",
    .details = "",
    .positional_min = 1,
    .positional_max = 1,
    .options = machine_options,
    .run = checkpoint_run,
};

const cli_command cli_command_compact = {
    .name = "compact",
    .arguments = "PATH",
    .summary = "Merge and re-encode what is stored until nothing is left to do",
    .details = "",
    .positional_min = 1,
    .positional_max = 1,
    .options = machine_options,
    .run = compact_run,
};

const cli_command cli_command_rebuild = {
    .name = "rebuild",
    .arguments = "PATH",
    .summary = "Throw the columnar copy away and make it anew",
    .details = "The SQLite file is the only truth: nothing can be lost.\n",
    .positional_min = 1,
    .positional_max = 1,
    .options = machine_options,
    .run = rebuild_run,
};

const cli_command cli_command_check = {
    .name = "check",
    .arguments = "PATH",
    .summary = "Verify every checksum and compare both sides row by row",
    .details = "",
    .positional_min = 1,
    .positional_max = 1,
    .options = machine_options,
    .run = check_run,
};

const cli_command cli_command_status = {
    .name = "status",
    .arguments = "PATH",
    .summary = "Tell what the columnar copy holds",
    .details = "",
    .positional_min = 1,
    .positional_max = 1,
    .options = status_options,
    .run = status_run,
};

const cli_command cli_command_detach = {
    .name = "detach",
    .arguments = "PATH",
    .summary = "Remove everything Braid added to the file, and the copy",
    .details = "Triggers, the tables _braid_* and the folder PATH-braid go; your data stay as\n"
               "they are. Nobody may have the database open meanwhile.\n",
    .positional_min = 1,
    .positional_max = 1,
    .options = no_options,
    .run = detach_run,
};
