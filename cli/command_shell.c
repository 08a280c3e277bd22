// `braid shell`: statements and dot-commands, from a terminal or a pipe.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "line_editor.h"
#include "script.h"
#include "status.h"

typedef struct shell {
    braid *db;
    const char *path;
    cli_settings settings;
    cli_line_editor *editor;
    cli_text pending;      // text of statements not complete yet
    uint32_t first_line;   // of `pending` in the input
    cli_text last;         // the last statement that was run, for .explain
    bool is_timed;
    bool is_done;
    int code;              // CLI_FAILED once something failed
} shell;

// At a prompt nothing ends the shell; what is read from a pipe goes on after a failure, but not
// after Ctrl-C.
static void note(shell *self, int code)
{
    if (code != CLI_OK) self->code = code;
    if (code == CLI_INTERRUPTED && !cli_line_editor_is_terminal(self->editor)) self->is_done = true;
    cli_interrupt_clear();
}

// ---- statements --------------------------------------------------------------------------------

static void print_time(const braid_result *result, double ms)
{
    braid_result_info info = {.size = sizeof info};
    braid_result_get_info(result, &info);
    const char *reason = info.reason == NULL ? "" : info.reason;
    printf("%.1f ms, %s%s%s%s\n", ms, cli_engine_name(info.engine), reason[0] == '\0' ? "" : " (",
           reason, reason[0] == '\0' ? "" : ")");
}

static int run_prepared(shell *self, const cli_script *script, braid_statement *statement)
{
    braid_result *result = NULL;
    braid_statement_set_engine(statement, self->settings.config.engine);
    braid_statement_set_freshness(statement, self->settings.config.freshness);
    double began_ms = cli_clock_ms();
    braid_status status = braid_run(statement, &result);
    double ms = cli_clock_ms() - began_ms;
    if (status != BRAID_OK) return cli_report_error(self->db, script, status);
    cli_print_result(result, self->settings.format, stdout);
    if (self->is_timed) print_time(result, ms);
    fflush(stdout);
    braid_result_free(result);
    return CLI_OK;
}

static int shell_step(void *context, const cli_script *script)
{
    shell *self = context;
    braid_statement *statement;
    braid_status status = braid_prepare(self->db, script->statement.data, &statement, NULL);
    if (status != BRAID_OK) return cli_report_error(self->db, script, status);
    if (statement == NULL) return CLI_OK;
    cli_text_reset(&self->last);
    cli_text_append(&self->last, script->statement.data, script->statement.size);
    int code = run_prepared(self, script, statement);
    braid_statement_close(statement);
    return code;
}

static void drop_pending(shell *self, size_t size)
{
    for (size_t i = 0; i < size; i++) self->first_line += self->pending.data[i] == '\n';
    memmove(self->pending.data, self->pending.data + size, self->pending.size - size + 1);
    self->pending.size -= size;
}

// Runs what is complete of the pending text; with `at_end` all of it.
static void run_pending(shell *self, bool at_end)
{
    bool is_terminal = cli_line_editor_is_terminal(self->editor);
    cli_script script;
    cli_script_init(&script, is_terminal ? NULL : "stdin", self->pending.data);
    script.first_line = is_terminal ? 0 : self->first_line;
    while (!self->is_done) {
        bool is_complete;
        const char *start = cli_sql_skip_blank(script.next);
        cli_sql_end(start, &is_complete);
        script.next = start;
        if ((!is_complete && !at_end) || !cli_script_next(&script)) break;
        note(self, shell_step(self, &script));
    }
    drop_pending(self, (size_t)(script.next - script.text));
    cli_script_release(&script);
}

// ---- dot-commands ------------------------------------------------------------------------------

static int complain(const char *command, const char *expected)
{
    fprintf(stderr, "braid: %s: expected %s\n", command, expected);
    return CLI_FAILED;
}

// Rows of one text column, one per line, with `end` behind each.
static int print_texts(shell *self, const char *sql, const char *parameter, const char *end)
{
    braid_statement *statement;
    braid_result *result = NULL;
    braid_status status = braid_prepare(self->db, sql, &statement, NULL);
    if (status != BRAID_OK) return cli_report_failure(self->db, "schema", status);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLTP);
    if (parameter != NULL)
        status = braid_bind_text(statement, 1, parameter, strlen(parameter));
    if (status == BRAID_OK) status = braid_run(statement, &result);
    braid_statement_close(statement);
    if (status != BRAID_OK) return cli_report_failure(self->db, "schema", status);
    for (uint64_t row = 0; row < braid_row_count(result); row++) {
        braid_value value = braid_value_get(result, row, 0);
        if (value.type == BRAID_TEXT)
            printf("%.*s%s\n", (int)value.as.text.size, value.as.text.data, end);
    }
    bool is_missing = parameter != NULL && braid_row_count(result) == 0;
    braid_result_free(result);
    if (!is_missing) return CLI_OK;
    fprintf(stderr, "braid: no table or view '%s'; .tables lists them\n", parameter);
    return CLI_FAILED;
}

static int do_tables(shell *self, const char *argument)
{
    (void)argument;
    return print_texts(self,
                       "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') "
                       "AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_braid_*' ORDER BY name",
                       NULL, "");
}

static int do_schema(shell *self, const char *argument)
{
    return print_texts(self,
                       "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL "
                       "AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_braid_*' "
                       "AND (?1 IS NULL OR lower(tbl_name) = lower(?1)) ORDER BY tbl_name, rowid",
                       argument[0] == '\0' ? NULL : argument, ";");
}

static int do_mode(shell *self, const char *argument)
{
    if (argument[0] == '\0') printf("%s\n", cli_format_name(self->settings.format));
    else if (!cli_parse_format(argument, &self->settings.format))
        return complain(".mode", "table, csv, json, jsonl or markdown");
    return CLI_OK;
}

static int do_timer(shell *self, const char *argument)
{
    bool is_on = strcmp(argument, "on") == 0;
    if (!is_on && strcmp(argument, "off") != 0) return complain(".timer", "on or off");
    self->is_timed = is_on;
    return CLI_OK;
}

static int do_engine(shell *self, const char *argument)
{
    if (argument[0] == '\0') printf("%s\n", cli_engine_name(self->settings.config.engine));
    else if (!cli_parse_engine(argument, &self->settings.config.engine))
        return complain(".engine", "auto, olap or oltp");
    return CLI_OK;
}

static int do_freshness(shell *self, const char *argument)
{
    if (!cli_parse_freshness(argument, &self->settings.config.freshness))
        return complain(".freshness", "strict, any or milliseconds");
    return CLI_OK;
}

static int do_explain(shell *self, const char *argument)
{
    cli_script script;
    char *text;
    const char *sql = argument[0] == '\0' && self->last.data != NULL ? self->last.data : argument;
    cli_script_init(&script, NULL, sql);
    int code = CLI_OK;
    if (!cli_script_next(&script)) {
        code = complain(".explain", "a statement, here or before");
    } else {
        braid_status status = braid_explain(self->db, script.statement.data, &text);
        if (status != BRAID_OK) code = cli_report_error(self->db, &script, status);
        else fputs(text, stdout);
        if (status == BRAID_OK) braid_free(text);
    }
    cli_script_release(&script);
    return code;
}

static int do_status(shell *self, const char *argument)
{
    (void)argument;
    bool as_json = self->settings.format == CLI_FORMAT_JSON;
    braid_status status = cli_print_status(self->db, as_json, stdout);
    return status == BRAID_OK ? CLI_OK : cli_report_failure(self->db, ".status", status);
}

static int do_sync(shell *self, const char *argument)
{
    (void)argument;
    braid_status status = braid_sync(self->db);
    return status == BRAID_OK ? CLI_OK : cli_report_failure(self->db, ".sync", status);
}

static int do_read(shell *self, const char *argument)
{
    if (argument[0] == '\0') return complain(".read", "a file");
    size_t size;
    char *text = cli_read_file(argument, &size);
    if (text == NULL) return CLI_FAILED;
    cli_script script;
    int code = CLI_OK;
    cli_script_init(&script, argument, text);
    while (code == CLI_OK && cli_script_next(&script)) code = shell_step(self, &script);
    cli_script_release(&script);
    free(text);
    return code;
}

static int do_quit(shell *self, const char *argument)
{
    (void)argument;
    self->is_done = true;
    return CLI_OK;
}

static int do_help(shell *self, const char *argument);

typedef struct dot_command {
    const char *name, *arguments, *help;
    int (*run)(shell *self, const char *argument);
} dot_command;

static const dot_command dot_commands[] = {
    {".engine", "[NAME]", "auto, olap (columnar or fail), oltp (SQLite)", do_engine},
    {".explain", "[SQL]", "the plan of this statement, or of the last one", do_explain},
    {".freshness", "HOW", "strict, any, or milliseconds of lag allowed", do_freshness},
    {".help", "", "this list", do_help},
    {".mode", "[FORMAT]", "table, csv, json, jsonl or markdown", do_mode},
    {".quit", "", "leave; Ctrl-D does too", do_quit},
    {".read", "FILE", "run the statements of a file", do_read},
    {".schema", "[TABLE]", "the statements that made the tables", do_schema},
    {".status", "", "what the columnar copy holds", do_status},
    {".sync", "", "bring the columnar copy up to date", do_sync},
    {".tables", "", "tables and views", do_tables},
    {".timer", "on|off", "time and engine of each statement", do_timer},
};

enum { DOT_COMMAND_COUNT = sizeof dot_commands / sizeof *dot_commands };

static int do_help(shell *self, const char *argument)
{
    (void)self;
    (void)argument;
    for (int i = 0; i < DOT_COMMAND_COUNT; i++) {
        printf("%-11s %-9s %s\n", dot_commands[i].name, dot_commands[i].arguments,
               dot_commands[i].help);
    }
    puts("Everything else is SQL and ends with a semicolon. Tab completes, Ctrl-C interrupts.");
    return CLI_OK;
}

static int run_dot_command(shell *self, char *line)
{
    size_t end = strlen(line);
    while (end > 0 && strchr(" \t\r", line[end - 1]) != NULL) line[--end] = '\0';
    size_t size = strcspn(line, " \t");
    const char *argument = line + size + strspn(line + size, " \t");
    if (size == 5 && memcmp(line, ".exit", size) == 0) return do_quit(self, argument);
    for (int i = 0; i < DOT_COMMAND_COUNT; i++) {
        const dot_command *command = &dot_commands[i];
        if (strlen(command->name) == size && memcmp(command->name, line, size) == 0)
            return command->run(self, argument);
    }
    fprintf(stderr, "braid: unknown command '%.*s'; .help lists them\n", (int)size, line);
    return CLI_FAILED;
}

// ---- the loop ----------------------------------------------------------------------------------

static bool is_blank(const cli_text *text)
{
    return text->size == 0 || *cli_sql_skip_blank(text->data) == '\0';
}

static void take_line(shell *self, cli_text *line)
{
    size_t indent = line->size == 0 ? 0 : strspn(line->data, " \t");
    if (is_blank(&self->pending) && line->size > 0 && line->data[indent] == '.') {
        self->first_line++;
        note(self, run_dot_command(self, line->data + indent));
        fflush(stdout);
        return;
    }
    cli_text_append(&self->pending, line->data == NULL ? "" : line->data, line->size);
    cli_text_byte(&self->pending, '\n');
    run_pending(self, false);
}

static void run_shell(shell *self)
{
    cli_text line = {0};
    bool is_terminal = cli_line_editor_is_terminal(self->editor);
    if (is_terminal)
        printf("Braid %s, %s; .help tells more\n", braid_version(), self->path);
    while (!self->is_done) {
        const char *prompt = is_blank(&self->pending) ? "braid> " : "  ...> ";
        cli_line_outcome outcome = cli_line_editor_read(self->editor, prompt, &line);
        if (outcome == CLI_LINE_END) break;
        if (outcome == CLI_LINE_TEXT) {
            take_line(self, &line);
        } else if (is_terminal) {
            cli_text_reset(&self->pending);
            cli_interrupt_clear();
        } else {
            self->code = CLI_INTERRUPTED;
            break;
        }
    }
    if (!is_blank(&self->pending) && !self->is_done && !is_terminal) run_pending(self, true);
    else if (is_terminal && !self->is_done) putchar('\n');
    cli_text_release(&line);
}

static int shell_run(const cli_command *command, const cli_items *items)
{
    shell self = {.first_line = 1};
    int code = cli_settings_take_all(&self.settings, command, items);
    if (code != CLI_OK) return code;
    self.settings.config.create = !self.settings.config.read_only;
    self.path = cli_positional(items, 0);
    code = cli_open(self.path, &self.settings.config, &self.db);
    if (code != CLI_OK) return code;
    self.editor = cli_line_editor_new(self.db);
    bool is_terminal = cli_line_editor_is_terminal(self.editor);
    cli_interrupt_install(self.db, is_terminal);
    run_shell(&self);
    cli_line_editor_free(self.editor);
    cli_text_release(&self.pending);
    cli_text_release(&self.last);
    return cli_close(self.db, self.path, is_terminal ? CLI_OK : self.code);
}

static const cli_option options[] = {
    CLI_OPTION_ENGINE,
    CLI_OPTION_FRESHNESS,
    CLI_OPTION_FORMAT,
    CLI_OPTION_THREADS,
    CLI_OPTION_MEMORY,
    CLI_OPTION_READ_ONLY,
    CLI_OPTIONS_END,
};

const cli_command cli_command_shell = {
    .name = "shell",
    .arguments = "PATH",
    .summary = "Ask interactively",
    .details = "On a terminal with line editing, history and completion; also reads from a\n"
               "pipe, then the exit code tells whether every statement succeeded. .help lists\n"
               "commands.\n",
    .positional_min = 1,
    .positional_max = 1,
    .options = options,
    .run = shell_run,
};
