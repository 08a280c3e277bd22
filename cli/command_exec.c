// `braid exec`: runs statements in SQLite, for what they change.
// SPDX-License-Identifier: Apache-2.0
#include "cli.h"
#include "script.h"

#include <string.h>

static int exec_step(void *context, const cli_script *script)
{
    braid *db = context;
    braid_status status = braid_exec(db, script->statement.data);
    return status == BRAID_OK ? CLI_OK : cli_report_error(db, script, status);
}

static int exec_atomically(braid *db, const cli_items *items)
{
    braid_status status = braid_exec(db, "BEGIN IMMEDIATE");
    if (status != BRAID_OK) return cli_report_failure(db, "cannot begin a transaction", status);
    int code = cli_run_scripts(items, exec_step, db);
    if (code == CLI_OK) {
        status = braid_exec(db, "COMMIT");
        if (status == BRAID_OK) return CLI_OK;
        code = cli_report_failure(db, "cannot commit", status);
    }
    (void)braid_exec(db, "ROLLBACK");  // it may have rolled back by itself
    return code;
}

static int exec_run(const cli_command *command, const cli_items *items)
{
    cli_settings settings;
    int code = cli_settings_take_all(&settings, command, items);
    if (code != CLI_OK) return code;
    settings.config.create = 1;
    const char *path = cli_positional(items, 0);
    braid *db;
    code = cli_open(path, &settings.config, &db);
    if (code != CLI_OK) return code;
    code = cli_has_option(items, "atomic") ? exec_atomically(db, items)
                                       : cli_run_scripts(items, exec_step, db);
    return cli_close(db, path, code);
}

static const cli_option options[] = {
    CLI_OPTION_FILE,
    {"atomic", 0, NULL, "all statements in one transaction: all of them or none"},
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTIONS_END,
};

const cli_command cli_command_exec = {
    .name = "exec",
    .arguments = "PATH [SQL]...",
    .summary = "Run SQL that changes the database",
    .details = "Statements run in SQLite, rows are not printed; the file is made if need be.\n"
               "Without SQL and files, SQL is read from stdin.\n",
    .positional_min = 1,
    .positional_max = UINT32_MAX,
    .options = options,
    .run = exec_run,
};
