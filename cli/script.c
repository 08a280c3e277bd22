// SPDX-License-Identifier: Apache-2.0
#include "script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "interrupt.h"

// ---- where statements end ----------------------------------------------------------------------

// Behind the comment that begins at `sql`; `sql` itself when none does, or one without an end.
static const char *comment_end(const char *sql)
{
    if (sql[0] == '-' && sql[1] == '-') return sql + strcspn(sql, "\n");
    if (sql[0] != '/' || sql[1] != '*') return sql;
    const char *end = strstr(sql + 2, "*/");
    return end == NULL ? sql : end + 2;
}

// Behind the quoted text that begins at `sql`. Doubled quotes read as two texts side by side.
static const char *quoted_end(const char *sql)
{
    char quote = *sql == '[' ? ']' : *sql;
    const char *end = strchr(sql + 1, quote);
    return end == NULL ? sql + strlen(sql) : end + 1;
}

static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '$' || (byte & 0x80) != 0;
}

const char *cli_sql_skip_blank(const char *sql)
{
    for (;;) {
        const char *next = comment_end(sql + strspn(sql, " \t\r\n\f\v;"));
        if (next == sql) return sql;
        sql = next;
    }
}

// What has been read of a statement, as far as it matters for its end.
typedef struct statement_reader {
    bool at_head;     // so far only words that may stand before TRIGGER
    bool saw_create;
    bool in_trigger;  // ends at a semicolon behind END behind a semicolon, as in sqlite3_complete
    bool after_semicolon;
    bool after_end;
} statement_reader;

static bool word_is(const char *word, size_t size, const char *wanted)
{
    return strlen(wanted) == size && strncasecmp(word, wanted, size) == 0;
}

static void read_word(statement_reader *self, const char *word, size_t size)
{
    self->after_end = self->after_semicolon && word_is(word, size, "end");
    self->after_semicolon = false;
    if (!self->at_head) return;
    if (word_is(word, size, "create")) {
        self->saw_create = true;
    } else if (self->saw_create && word_is(word, size, "trigger")) {
        self->in_trigger = true;
        self->at_head = false;
    } else if (!word_is(word, size, "explain") && !word_is(word, size, "query") &&
               !word_is(word, size, "plan") && !word_is(word, size, "temp") &&
               !word_is(word, size, "temporary")) {
        self->at_head = false;
    }
}

static bool read_semicolon(statement_reader *self)
{
    bool ends = !self->in_trigger || self->after_end;
    self->after_semicolon = true;
    self->after_end = false;
    return ends;
}

const char *cli_sql_end(const char *sql, bool *is_complete_out)
{
    statement_reader self = {.at_head = true};
    while (*sql != '\0') {
        const char *behind_comment = comment_end(sql);
        if (behind_comment != sql) {
            sql = behind_comment;
        } else if (sql[0] == '/' && sql[1] == '*') {
            sql += strlen(sql);
        } else if (strchr(" \t\r\n\f\v", *sql) != NULL) {
            sql++;
        } else if (*sql == ';') {
            sql++;
            if (!read_semicolon(&self)) continue;
            *is_complete_out = true;
            return sql;
        } else if (is_word_byte(*sql)) {
            const char *word = sql;
            while (is_word_byte(*sql)) sql++;
            read_word(&self, word, (size_t)(sql - word));
        } else {
            self.at_head = self.after_semicolon = self.after_end = false;
            sql = strchr("'\"`[", *sql) != NULL ? quoted_end(sql) : sql + 1;
        }
    }
    *is_complete_out = false;
    return sql;
}

// ---- scripts -----------------------------------------------------------------------------------

void cli_script_init(cli_script *script, const char *name, const char *text)
{
    *script = (cli_script){.name = name, .text = text, .start = text, .next = text};
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) script->next += 3;  // byte order mark
}

bool cli_script_next(cli_script *script)
{
    bool is_complete;
    script->start = cli_sql_skip_blank(script->next);
    script->next = cli_sql_end(script->start, &is_complete);
    cli_text_reset(&script->statement);
    cli_text_append(&script->statement, script->start, (size_t)(script->next - script->start));
    return script->statement.size > 0;
}

void cli_script_release(cli_script *script)
{
    cli_text_release(&script->statement);
}

static int run_text(const char *name, const char *text, cli_script_step step, void *context)
{
    int code = CLI_OK;
    cli_script script;
    cli_script_init(&script, name, text);
    while (code == CLI_OK && cli_script_next(&script)) {
        code = cli_interrupt_pending() ? CLI_INTERRUPTED : step(context, &script);
    }
    cli_script_release(&script);
    return code;
}

static int run_file(const char *path, cli_script_step step, void *context)
{
    size_t size;
    char *text = cli_read_file(path, &size);
    if (text == NULL) return cli_interrupt_pending() ? CLI_INTERRUPTED : CLI_FAILED;
    const char *name = strcmp(path, "-") == 0 ? "stdin" : path;
    int code;
    if (strlen(text) == size) {
        code = run_text(name, text, step, context);
    } else {
        fprintf(stderr, "braid: %s: byte %zu is NUL; SQL is text\n", name, strlen(text));
        code = CLI_FAILED;
    }
    free(text);
    return code;
}

int cli_run_scripts(const cli_items *items, cli_script_step step, void *context)
{
    bool has_sql = items->positional_count > 1;
    bool is_first = true;
    int code = CLI_OK;
    for (uint32_t i = 0; i < items->count && code == CLI_OK; i++) {
        const cli_item *item = &items->items[i];
        if (item->name != NULL && strcmp(item->name, "file") == 0) {
            has_sql = true;
            code = run_file(item->value, step, context);
        } else if (item->name == NULL) {
            if (!is_first) code = run_text(NULL, item->value, step, context);
            is_first = false;
        }
    }
    if (has_sql) return code;
    if (isatty(STDIN_FILENO)) fputs("braid: SQL from the terminal; Ctrl-D ends it\n", stderr);
    return run_file("-", step, context);
}

// ---- errors ------------------------------------------------------------------------------------

typedef struct text_place {
    uint32_t line, column;  // from 1; columns in characters
    const char *line_start;
    size_t line_size;
} text_place;

static text_place find_place(const char *text, const char *at)
{
    text_place place = {.line = 1, .column = 1, .line_start = text};
    for (const char *byte = text; byte < at; byte++) {
        if (*byte != '\n') continue;
        place.line++;
        place.line_start = byte + 1;
    }
    for (const char *byte = place.line_start; byte < at; byte++)
        place.column += (*byte & 0xc0) != 0x80;
    place.line_size = strcspn(place.line_start, "\r\n");
    return place;
}

// The line, and below it a caret. Of a very long line only what is around the place.
static void print_line(const text_place *place, const char *at)
{
    enum { BEFORE_MAX = 100, AFTER_MAX = 100 };
    size_t before = (size_t)(at - place->line_start);
    size_t after = before < place->line_size ? place->line_size - before : 0;
    size_t skipped = before > BEFORE_MAX ? before - BEFORE_MAX : 0;
    while (skipped > 0 && (place->line_start[skipped] & 0xc0) == 0x80) skipped--;
    if (after > AFTER_MAX) after = AFTER_MAX;
    const char *shown = place->line_start + skipped;
    fprintf(stderr, "  %.*s\n  ", (int)(before - skipped + after), shown);
    for (const char *byte = shown; byte < at;) {
        size_t size;
        (void)cli_code_point(byte, (size_t)(at - byte), &size);
        size_t width = cli_text_width(byte, size);
        if (*byte == '\t') fputc('\t', stderr);
        else fprintf(stderr, "%*s", (int)width, "");
        byte += size;
    }
    fputs("^\n", stderr);
}

static void print_hint(braid_status status)
{
    if (status == BRAID_UNSUPPORTED)
        fputs("  the columnar engine was forced; with --engine auto SQLite answers\n", stderr);
    else if (status == BRAID_BUSY)
        fputs("  another program is writing to the database; try again when it is done\n", stderr);
    else if (status == BRAID_NOMEM)
        fputs("  --memory sets the budget\n", stderr);
    else if (status == BRAID_CORRUPT)
        fputs("  'braid verify' tells more; 'braid rebuild' makes the columnar copy anew\n",
              stderr);
}

int cli_report_error(const braid *db, const cli_script *script, braid_status status)
{
    if (status == BRAID_INTERRUPTED) {
        fputs("braid: interrupted\n", stderr);
        return CLI_INTERRUPTED;
    }
    int offset = braid_error_offset(db);
    bool has_place = offset >= 0 && (size_t)offset <= script->statement.size;
    const char *at = script->start + (has_place ? offset : 0);
    text_place place = find_place(script->text, at);
    if (script->first_line > 0) place.line += script->first_line - 1;
    cli_text where = {0};
    if (script->name != NULL) {
        cli_text_format(&where, "%s:%u", script->name, place.line);
        if (has_place) cli_text_format(&where, ":%u", place.column);
    } else {
        cli_text_format(&where, "line %u", place.line);
        if (has_place) cli_text_format(&where, ", column %u", place.column);
    }
    fprintf(stderr, "braid: %s: %s\n", where.data, braid_error_message(db));
    cli_text_release(&where);
    if (has_place) print_line(&place, at);
    print_hint(status);
    return CLI_FAILED;
}

int cli_report_failure(const braid *db, const char *what, braid_status status)
{
    if (status == BRAID_INTERRUPTED) {
        fputs("braid: interrupted\n", stderr);
        return CLI_INTERRUPTED;
    }
    const char *message = braid_error_message(db);
    fprintf(stderr, "braid: %s: %s\n", what,
            message[0] != '\0' ? message : braid_status_name(status));
    print_hint(status);
    return CLI_FAILED;
}

// ---- handles -----------------------------------------------------------------------------------

int cli_open(const char *path, const braid_config *config, braid **db_out)
{
    struct stat found = {0};
    *db_out = NULL;
    if (stat(path, &found) != 0 && !(config->create && errno == ENOENT)) {
        bool is_missing = errno == ENOENT;
        fprintf(stderr, "braid: cannot open '%s': %s\n", path, strerror(errno));
        if (is_missing) fputs("  'braid exec' and 'braid import' make new databases\n", stderr);
        return CLI_FAILED;
    }
    braid *db;
    cli_interrupt_install(NULL, false);  // the first copy of a large file takes a while
    braid_status status = braid_open(path, config, &db);
    if (status == BRAID_OK) {
        cli_interrupt_set_handle(db);
        *db_out = db;
        return CLI_OK;
    }
    cli_text what = {0};
    cli_text_format(&what, "cannot open '%s'", path);
    int code = cli_report_failure(db, what.data, status);
    cli_text_release(&what);
    cli_interrupt_remove();
    braid_close(db);
    return code;
}

int cli_close(braid *db, const char *path, int code)
{
    cli_interrupt_remove();
    braid_status status = braid_close(db);
    if (status == BRAID_OK || code != CLI_OK) return code;
    fprintf(stderr, "braid: the columnar copy of '%s' could not be made durable: %s\n", path,
            braid_status_name(status));
    return CLI_FAILED;
}

double cli_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}
