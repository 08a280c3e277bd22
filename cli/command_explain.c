// braid explain: which engine, why and how; with --analyze, what it took.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "cli.h"
#include "script.h"

typedef struct explainer {
    cli_settings settings;
    braid_explain_format format;
    int analyze;
} explainer;

static int take_format(explainer *self, const cli_command *command, const char *name)
{
    static const char *const names[] = {"text", "json", "html"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        self->format = (braid_explain_format)i;
        return CLI_OK;
    }
    return cli_usage_error(command, "--format '%s': expected text, json or html", name);
}

static int take_item(explainer *self, const cli_command *command, const cli_item *item)
{
    if (item->name != NULL && strcmp(item->name, "format") == 0)
        return take_format(self, command, item->value);
    if (item->name != NULL && strcmp(item->name, "analyze") == 0) self->analyze = 1;
    return cli_settings_take(&self->settings, command, item);
}

static int explain_all(const explainer *self, braid *db, const char *sql)
{
    cli_script script;
    int code = CLI_OK;
    cli_script_init(&script, NULL, sql);
    for (uint32_t count = 0; code == CLI_OK && cli_script_next(&script); count++) {
        char *text;
        braid_status status =
            braid_explain_as(db, script.statement.data, self->format, self->analyze, &text);
        if (status != BRAID_OK) {
            code = cli_report_error(db, &script, status);
        } else {
            bool is_text = self->format == BRAID_EXPLAIN_TEXT;
            printf("%s%s", is_text && count > 0 ? "\n" : "", text);
            braid_free(text);
        }
    }
    cli_script_release(&script);
    return code;
}

static int explain_run(const cli_command *command, const cli_items *items)
{
    explainer self = {0};
    int code = CLI_OK;
    cli_settings_init(&self.settings);
    for (uint32_t i = 0; i < items->count && code == CLI_OK; i++)
        code = take_item(&self, command, &items->items[i]);
    if (code != CLI_OK) return code;
    const char *path = cli_positional(items, 0);
    braid *db;
    code = cli_open(path, &self.settings.config, &db);
    if (code != CLI_OK) return code;
    return cli_close(db, path, explain_all(&self, db, cli_positional(items, 1)));
}

static const cli_option explain_options[] = {
    {"analyze", 0, NULL, "run it too, and tell what each operator took"},
    {"format", 0, "NAME", "text (the default), json or html"},
    CLI_OPTION_ENGINE,
    CLI_OPTION_FRESHNESS,
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTION_READ_ONLY,
    CLI_OPTIONS_END,
};

const cli_command cli_command_explain = {
    .name = "explain",
    .arguments = "PATH SQL",
    .summary = "Tell which engine would run a statement, why, and how",
    .details = "With --analyze queries are run; statements that change data never are.\n",
    .positional_min = 2,
    .positional_max = 2,
    .options = explain_options,
    .run = explain_run,
};
