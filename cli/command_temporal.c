// The command temporal: a table that keeps every version of its rows.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "script.h"

typedef struct temporal_request {
    braid_temporal_options options;
    bool is_off, purges;
} temporal_request;

static const struct {
    const char *unit;
    int64_t us;
} age_units[] = {
    {"s", 1000000}, {"m", 60 * 1000000ll}, {"h", 3600 * 1000000ll}, {"d", 86400 * 1000000ll},
};

static bool parse_count(const char *text, const char **rest_out, int64_t *count_out)
{
    char *rest;
    errno = 0;
    long long count = strtoll(text, &rest, 10);
    if (rest == text || errno != 0 || count < 0) return false;
    *rest_out = rest;
    *count_out = count;
    return true;
}

// 90s, 15m, 12h, 30d.
static bool parse_age(const char *text, int64_t *us_out)
{
    const char *unit;
    int64_t count;
    if (!parse_count(text, &unit, &count)) return false;
    for (size_t i = 0; i < sizeof age_units / sizeof *age_units; i++) {
        if (strcmp(unit, age_units[i].unit) != 0) continue;
        return !__builtin_mul_overflow(count, age_units[i].us, us_out);
    }
    return false;
}

static int take_options(const cli_command *command, const cli_items *items,
                        temporal_request *request)
{
    for (uint32_t i = 0; i < items->count; i++) {
        const cli_item *item = &items->items[i];
        const char *rest = "";
        if (item->name == NULL) continue;
        if (strcmp(item->name, "off") == 0) request->is_off = true;
        if (strcmp(item->name, "purge") == 0) request->purges = true;
        if (strcmp(item->name, "keep-age") == 0 &&
            !parse_age(item->value, &request->options.keep_us))
            return cli_usage_error(command, "--keep-age '%s': expected as in 90s, 15m, 12h or 30d",
                                   item->value);
        if (strcmp(item->name, "keep-versions") == 0 &&
            (!parse_count(item->value, &rest, &request->options.keep_versions) || rest[0] != 0))
            return cli_usage_error(command, "--keep-versions '%s': expected a number", item->value);
    }
    bool has_keep = request->options.keep_us != 0 || request->options.keep_versions != 0;
    if (request->purges && !request->is_off)
        return cli_usage_error(command, "--purge goes with --off");
    if (request->is_off && has_keep)
        return cli_usage_error(command, "--off keeps what is known as it is");
    return CLI_OK;
}

static int temporal_run(const cli_command *command, const cli_items *items)
{
    temporal_request request = {.options = {.size = sizeof(braid_temporal_options)}};
    cli_settings settings;
    int code = cli_settings_take_all(&settings, command, items);
    if (code == CLI_OK) code = take_options(command, items, &request);
    if (code != CLI_OK) return code;
    const char *path = cli_positional(items, 0), *table = cli_positional(items, 1);
    braid *db;
    code = cli_open(path, &settings.config, &db);
    if (code != CLI_OK) return code;
    braid_status status = request.is_off ? braid_unregister_temporal(db, table, !request.purges)
                                         : braid_register_temporal(db, table, &request.options);
    if (status != BRAID_OK) code = cli_report_failure(db, "temporal failed", status);
    return cli_close(db, path, code);
}

static const cli_option temporal_options[] = {
    {"keep-age", 0, "AGE", "forget versions that ended so long ago, as in 12h or 30d"},
    {"keep-versions", 0, "N", "forget all but the newest N versions of each row"},
    {"off", 0, NULL, "write no changes down any more; what is known stays"},
    {"purge", 0, NULL, "with --off: remove what is known too"},
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTIONS_END,
};

const cli_command cli_command_temporal = {
    .name = "temporal",
    .arguments = "PATH TABLE",
    .summary = "Keep every version of a table's rows",
    .details = "Queries read them with FROM t FOR SYSTEM_TIME AS OF '2030-01-31 12:00', and the\n"
               "changes in order with FROM braid_changes('t').\n",
    .positional_min = 2,
    .positional_max = 2,
    .options = temporal_options,
    .run = temporal_run,
};
