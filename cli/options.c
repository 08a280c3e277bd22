// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "text.h"

int cli_usage_error(const cli_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "braid %s: ", command->name);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nusage: braid %s %s; 'braid %s --help' tells more\n", command->name,
            command->arguments, command->name);
    return CLI_USAGE;
}

static void print_option(const cli_option *option, FILE *file)
{
    char left[64];
    char letter[8] = "";
    if (option->letter != 0) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name,
             option->value == NULL ? "" : " ", option->value == NULL ? "" : option->value);
    fprintf(file, "  %-20s  %s\n", left, option->help);
}

void cli_print_command_help(const cli_command *command, FILE *file)
{
    static const cli_option help = {"help", 'h', NULL, "print this help"};
    fprintf(file, "usage: braid %s [options] %s\n\n%s.\n%s\noptions:\n", command->name,
            command->arguments, command->summary, command->details);
    for (const cli_option *option = command->options; option->name != NULL; option++)
        print_option(option, file);
    print_option(&help, file);
}

// ---- parsing -----------------------------------------------------------------------------------

static const cli_option *option_find(const cli_command *command, const char *name, size_t size)
{
    for (const cli_option *option = command->options; option->name != NULL; option++) {
        if (strlen(option->name) == size && memcmp(option->name, name, size) == 0) return option;
    }
    return NULL;
}

static const cli_option *option_find_letter(const cli_command *command, char letter)
{
    for (const cli_option *option = command->options; option->name != NULL; option++) {
        if (option->letter == letter) return option;
    }
    return NULL;
}

// A lone "-" is stdin, and SQL may begin with a comment: "-- totals\nSELECT ...".
static bool looks_like_option(const char *argument)
{
    if (argument[0] != '-' || argument[1] == '\0') return false;
    return !(argument[1] == '-' && argument[2] != '\0' && strchr(" \t\r\n", argument[2]) != NULL);
}

// Reads the option at argv[*index], and its value, which may be the next argument.
static int parse_option(const cli_command *command, int argc, char **argv, int *index,
                        cli_item *item_out)
{
    const char *argument = argv[*index];
    const char *value = NULL;
    const cli_option *option;
    if (argument[1] == '-') {
        size_t size = strcspn(argument + 2, "=");
        option = option_find(command, argument + 2, size);
        if (argument[2 + size] == '=') value = argument + 2 + size + 1;
    } else {
        option = option_find_letter(command, argument[1]);
        if (argument[2] != '\0') value = argument + 2;
    }
    if (option == NULL) return cli_usage_error(command, "unknown option '%s'", argument);
    if (option->value == NULL && value != NULL)
        return cli_usage_error(command, "option --%s takes no value", option->name);
    bool is_optional = option->value != NULL && option->value[0] == '[';
    bool has_next = *index + 1 < argc;
    if (is_optional && value == NULL && has_next && strchr("0123456789.", argv[*index + 1][0]))
        value = argv[++*index];
    if (option->value != NULL && value == NULL && !is_optional) {
        if (!has_next)
            return cli_usage_error(command, "option --%s needs a value: %s", option->name,
                                   option->value);
        value = argv[++*index];
    }
    *item_out = (cli_item){.name = option->name, .value = value};
    return CLI_OK;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static int check_positionals(const cli_command *command, const cli_items *items)
{
    if (items->positional_count < command->positional_min)
        return cli_usage_error(command, "too few arguments");
    if (items->positional_count > command->positional_max) {
        return cli_usage_error(command, "unexpected argument '%s'",
                               cli_positional(items, command->positional_max));
    }
    return CLI_OK;
}

int cli_parse(const cli_command *command, int argc, char **argv, cli_items *items_out)
{
    cli_items items = {.items = cli_allocate(((size_t)argc + 1) * sizeof *items.items)};
    bool options_ended = false;
    int code = CLI_OK;
    for (int i = 0; i < argc && code == CLI_OK; i++) {
        cli_item *item = &items.items[items.count];
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && is_help(argv[i])) {
            items.wants_help = true;
        } else if (!options_ended && looks_like_option(argv[i])) {
            code = parse_option(command, argc, argv, &i, item);
            items.count++;
        } else {
            *item = (cli_item){.value = argv[i]};
            items.count++;
            items.positional_count++;
        }
    }
    if (code == CLI_OK && !items.wants_help) code = check_positionals(command, &items);
    if (code != CLI_OK) cli_items_release(&items);
    else *items_out = items;
    return code;
}

void cli_items_release(cli_items *items)
{
    free(items->items);
    *items = (cli_items){0};
}

const char *cli_positional(const cli_items *items, uint32_t index)
{
    for (uint32_t i = 0; i < items->count; i++) {
        if (items->items[i].name == NULL && index-- == 0) return items->items[i].value;
    }
    return NULL;
}

bool cli_has_option(const cli_items *items, const char *name)
{
    for (uint32_t i = 0; i < items->count; i++) {
        if (items->items[i].name != NULL && strcmp(items->items[i].name, name) == 0) return true;
    }
    return false;
}

// ---- settings ----------------------------------------------------------------------------------

void cli_settings_init(cli_settings *settings)
{
    *settings = (cli_settings){.format = CLI_FORMAT_TABLE, .repeat = 1};
    braid_config_init(&settings->config);
    settings->config.progress = cli_progress_handle;
    settings->config.progress_context = &settings->progress;
}

static const char *const engine_names[] = {"auto", "olap", "oltp"};

const char *cli_engine_name(braid_engine engine)
{
    return engine_names[engine];
}

bool cli_parse_engine(const char *name, braid_engine *engine_out)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, engine_names[i]) != 0) continue;
        *engine_out = (braid_engine)i;
        return true;
    }
    return false;
}

// A whole number of at most `max`, with an optional K, M, G or T where `units` allows it.
static bool parse_number(const char *text, uint64_t max, bool units, uint64_t *number_out)
{
    if (text[0] < '0' || text[0] > '9') return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0) return false;
    const char *letters = "KMGT";
    const char *letter = units && *end != '\0' ? strchr(letters, *end & ~0x20) : NULL;
    if (letter != NULL) {
        unsigned shift = 10 * (unsigned)(letter - letters + 1);
        if (number > UINT64_MAX >> shift) return false;
        number <<= shift;
        end++;
        if (strcasecmp(end, "b") == 0 || strcasecmp(end, "ib") == 0) end += strlen(end);
    }
    *number_out = number;
    return *end == '\0' && number <= max;
}

bool cli_parse_freshness(const char *text, int64_t *freshness_out)
{
    uint64_t milliseconds;
    if (strcmp(text, "strict") == 0) {
        *freshness_out = BRAID_FRESH_STRICT;
    } else if (strcmp(text, "any") == 0) {
        *freshness_out = BRAID_FRESH_ANY;
    } else if (parse_number(text, INT64_MAX, false, &milliseconds)) {
        *freshness_out = (int64_t)milliseconds;  // no lag at all is strict, and both are 0
    } else {
        return false;
    }
    return true;
}

static int take_number(const cli_command *command, const cli_item *item, uint64_t max,
                       uint64_t *number_out)
{
    bool units = strcmp(item->name, "memory") == 0;
    if (parse_number(item->value, max, units, number_out) && *number_out > 0) return CLI_OK;
    return cli_usage_error(command, "--%s '%s': expected a number from 1 to %llu%s", item->name,
                           item->value, (unsigned long long)max,
                           units ? ", with K, M, G or T behind it if you like" : "");
}

static int take_numeric(cli_settings *settings, const cli_command *command, const cli_item *item)
{
    uint64_t number = 0;
    bool is_memory = strcmp(item->name, "memory") == 0;
    int code = take_number(command, item, is_memory ? INT64_MAX : 1000000, &number);
    if (code != CLI_OK) return code;
    if (is_memory) settings->config.memory_bytes = number;
    else if (strcmp(item->name, "threads") == 0) settings->config.threads = (uint32_t)number;
    else settings->repeat = (uint32_t)number;
    return CLI_OK;
}

int cli_settings_take(cli_settings *settings, const cli_command *command, const cli_item *item)
{
    const char *name = item->name;
    if (name == NULL) return CLI_OK;
    if (strcmp(name, "engine") == 0) {
        if (!cli_parse_engine(item->value, &settings->config.engine))
            return cli_usage_error(command, "--engine '%s': expected auto, olap or oltp",
                                   item->value);
    } else if (strcmp(name, "freshness") == 0) {
        if (!cli_parse_freshness(item->value, &settings->config.freshness))
            return cli_usage_error(command,
                                   "--freshness '%s': expected strict, any or milliseconds",
                                   item->value);
    } else if (strcmp(name, "format") == 0) {
        if (!cli_parse_format(item->value, &settings->format))
            return cli_usage_error(command,
                                   "--format '%s': expected table, csv, json, jsonl or markdown",
                                   item->value);
    } else if (strcmp(name, "threads") == 0 || strcmp(name, "memory") == 0 ||
               strcmp(name, "repeat") == 0) {
        return take_numeric(settings, command, item);
    } else if (strcmp(name, "read-only") == 0) {
        settings->config.read_only = 1;
    } else if (strcmp(name, "timing") == 0) {
        settings->timing = true;
    }
    return CLI_OK;
}

int cli_settings_take_all(cli_settings *settings, const cli_command *command,
                          const cli_items *items)
{
    int code = CLI_OK;
    cli_settings_init(settings);
    for (uint32_t i = 0; i < items->count && code == CLI_OK; i++)
        code = cli_settings_take(settings, command, &items->items[i]);
    return code;
}
