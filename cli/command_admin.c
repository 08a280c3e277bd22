// The commands that look after the columnar copy: status, verify, checkpoint, compact, rebuild,
// detach.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "interrupt.h"
#include "script.h"
#include "status.h"
#include "text.h"

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

static int verify_step(braid *db, const cli_items *items, const cli_settings *settings)
{
    (void)items;
    (void)settings;
    uint64_t rows = 0;
    double began_ms = cli_clock_ms();
    braid_status status = braid_check(db, &rows);
    if (status != BRAID_OK) return cli_report_failure(db, "the copy is wrong", status);
    double seconds = (cli_clock_ms() - began_ms) / 1e3;
    cli_text text = {0};
    cli_text_add(&text, "ok: every checksum, and ");
    cli_text_add_count(&text, (double)rows);
    cli_text_format(&text, " rows equal on both sides, in %.1f s (", seconds);
    cli_text_add_count(&text, (double)rows / seconds);
    cli_text_add(&text, " rows/s)\n");
    cli_text_flush(&text, stdout);
    cli_text_release(&text);
    return CLI_OK;
}

static int verify_run(const cli_command *command, const cli_items *items)
{
    return admin_run(command, items, verify_step);
}

static int print_status(braid *db, const cli_settings *settings)
{
    bool as_json = settings->format == CLI_FORMAT_JSON;
    return report(db, "no status", cli_print_status(db, as_json, stdout));
}

// Seconds between two looks; 0: one look is enough; negative: not a number.
static double watch_seconds(const cli_items *items)
{
    double seconds = 0;
    for (uint32_t i = 0; i < items->count; i++) {
        const cli_item *item = &items->items[i];
        if (item->name == NULL || strcmp(item->name, "watch") != 0) continue;
        char *end = NULL;
        seconds = item->value == NULL ? 1 : strtod(item->value, &end);
        if ((end != NULL && *end != '\0') || !(seconds > 0 && seconds <= 86400)) return -1;
    }
    return seconds;
}

// Until Ctrl-C, which ends the sleep too.
static int watch(braid *db, const cli_settings *settings, double seconds)
{
    int code = CLI_OK;
    bool is_terminal = isatty(STDOUT_FILENO);
    while (code == CLI_OK && !cli_interrupt_pending()) {
        braid_status status = braid_sync(db);
        // The status itself tells why there is no copy.
        if (status != BRAID_OK && status != BRAID_UNSUPPORTED && status != BRAID_INTERRUPTED)
            code = cli_report_failure(db, "sync failed", status);
        if (is_terminal) fputs("\033[H\033[J", stdout);
        if (code == CLI_OK) code = print_status(db, settings);
        if (!is_terminal) putchar('\n');
        if (fflush(stdout) != 0) code = CLI_FAILED;
        struct timespec pause = {.tv_sec = (time_t)seconds,
                                 .tv_nsec = (long)((seconds - floor(seconds)) * 1e9)};
        if (code == CLI_OK && !cli_interrupt_pending()) nanosleep(&pause, NULL);
    }
    return code == CLI_OK ? CLI_INTERRUPTED : code;
}

static int status_step(braid *db, const cli_items *items, const cli_settings *settings)
{
    double seconds = watch_seconds(items);
    return seconds > 0 ? watch(db, settings, seconds) : print_status(db, settings);
}

static int status_run(const cli_command *command, const cli_items *items)
{
    cli_settings settings;
    int code = cli_settings_take_all(&settings, command, items);
    if (code != CLI_OK) return code;
    if (settings.format != CLI_FORMAT_TABLE && settings.format != CLI_FORMAT_JSON)
        return cli_usage_error(command, "--format '%s': expected table or json",
                               cli_format_name(settings.format));
    if (watch_seconds(items) < 0)
        return cli_usage_error(command, "--watch: expected seconds, above 0 and up to 86400");
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
    {"watch", 0, "[SECONDS]", "again and again, until Ctrl-C; every second by default"},
    CLI_OPTION_READ_ONLY,
    CLI_OPTIONS_END,
};

static const cli_option no_options[] = {CLI_OPTIONS_END};

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

const cli_command cli_command_verify = {
    .name = "verify",
    .arguments = "PATH",
    .summary = "Verify every checksum and compare both sides row by row",
    .details = "At one commit point, which readers and writers do not wait for.\n",
    .positional_min = 1,
    .positional_max = 1,
    .options = machine_options,
    .run = verify_run,
};

const cli_command cli_command_status = {
    .name = "status",
    .arguments = "PATH",
    .summary = "Tell what the columnar copy holds",
    .details = "With --watch it is brought up to date before each look.\n",
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
