// `braid query`: runs statements, prints results and times.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "cli.h"
#include "interrupt.h"
#include "script.h"

typedef struct query {
    braid *db;
    cli_settings settings;
    uint32_t statement_number;  // of the one running, from 1
    bool has_printed;
    double *ms;                 // per repetition
} query;

static void print_timing(const query *self, const braid_result *result)
{
    braid_result_info info = {.size = sizeof info};
    braid_result_get_info(result, &info);
    cli_text line = {0};
    cli_text_format(&line, "{\"statement\":%u,\"engine\":\"%s\",\"reason\":",
                    self->statement_number, cli_engine_name(info.engine));
    cli_text reason = {0};
    cli_text_add(&reason, info.reason == NULL ? "" : info.reason);
    cli_append_json_text(&line, reason.data, reason.size);
    cli_text_format(&line, ",\"rows\":%llu,\"ms\":[",
                    (unsigned long long)braid_row_count(result));
    for (uint32_t i = 0; i < self->settings.repeat; i++)
        cli_text_format(&line, "%s%.3f", i == 0 ? "" : ",", self->ms[i]);
    cli_text_format(&line, "],\"lag_ms\":%.6g}\n", info.lag_ms);
    cli_text_flush(&line, stderr);
    cli_text_release(&line);
    cli_text_release(&reason);
}

static void print_result(query *self, const braid_result *result)
{
    cli_format format = self->settings.format;
    bool is_for_people = format == CLI_FORMAT_TABLE || format == CLI_FORMAT_MARKDOWN;
    if (braid_column_count(result) > 0) {
        if (self->has_printed && is_for_people) putchar('\n');
        self->has_printed = true;
    }
    cli_print_result(result, format, stdout);
    fflush(stdout);
}

static int run_repeatedly(query *self, const cli_script *script, braid_statement *statement)
{
    braid_result *result = NULL;
    for (uint32_t i = 0; i < self->settings.repeat; i++) {
        braid_result_free(result);
        result = NULL;
        double began_ms = cli_clock_ms();
        braid_status status = braid_run(statement, &result);
        self->ms[i] = cli_clock_ms() - began_ms;
        if (status == BRAID_OK && cli_interrupt_pending()) status = BRAID_INTERRUPTED;
        if (status != BRAID_OK) {
            braid_result_free(result);
            return cli_report_error(self->db, script, status);
        }
    }
    print_result(self, result);
    if (self->settings.timing) print_timing(self, result);
    braid_result_free(result);
    return ferror(stdout) ? CLI_FAILED : CLI_OK;
}

static int query_step(void *context, const cli_script *script)
{
    query *self = context;
    braid_statement *statement;
    braid_status status = braid_prepare(self->db, script->statement.data, &statement, NULL);
    if (status != BRAID_OK) return cli_report_error(self->db, script, status);
    if (statement == NULL) return CLI_OK;
    self->statement_number++;
    int code = run_repeatedly(self, script, statement);
    braid_statement_close(statement);
    return code;
}

static int query_run(const cli_command *command, const cli_items *items)
{
    query self = {0};
    int code = cli_settings_take_all(&self.settings, command, items);
    if (code != CLI_OK) return code;
    const char *path = cli_positional(items, 0);
    code = cli_open(path, &self.settings.config, &self.db);
    if (code != CLI_OK) return code;
    self.ms = cli_allocate(self.settings.repeat * sizeof *self.ms);
    code = cli_run_scripts(items, query_step, &self);
    free(self.ms);
    return cli_close(self.db, path, code);
}

static const cli_option options[] = {
    CLI_OPTION_FILE,
    CLI_OPTION_ENGINE,
    CLI_OPTION_FRESHNESS,
    CLI_OPTION_FORMAT,
    {"repeat", 0, "N", "run each statement N times, print the rows of the last run"},
    {"timing", 0, NULL, "print engine, reason and times of each statement to stderr, as JSON"},
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTION_READ_ONLY,
    CLI_OPTIONS_END,
};

const cli_command cli_command_query = {
    .name = "query",
    .arguments = "PATH [SQL]...",
    .summary = "Run SQL and print its rows",
    .details = "Arguments and files run in the order given; each may hold several statements.\n"
               "Without any, SQL is read from stdin.\n",
    .positional_min = 1,
    .positional_max = UINT32_MAX,
    .options = options,
    .run = query_run,
};
