// braid-slt [--engine olap|oltp|auto] [--verbose] FILE...
//
// Runs sqllogictest scripts (sqlite.org/sqllogictest) against Braid, each on a new database. Under
// `olap` every query is first forced onto the columnar engine; one it does not run natively counts
// as "fell back" and is still run and checked. Under `auto` the router chooses, and "fell back"
// counts what SQLite ran. The last line is the total; the exit status is 1 when anything failed.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <unistd.h>

#include "braid.h"
#include "tests/slt/md5.h"

enum { FAILURES_SHOWN_MAX = 20 };

typedef struct counts {
    uint64_t queries, olap, fell_back, failed;
} counts;

typedef struct script {
    const char *path;
    char *text, *at; // at: start of the next line
    uint32_t line;   // number of the line last read
    braid *db;
    braid_engine engine;
    bool verbose;
    uint64_t hash_threshold;
    counts counts;
} script;

typedef struct values { // rendered values, row by row
    char **items;
    size_t count, capacity, columns;
} values;

// ---- small things ------------------------------------------------------------------------------

static void *need(void *memory)
{
    if (memory != NULL) return memory;
    fprintf(stderr, "braid-slt: out of memory\n");
    exit(2);
}

static void values_add(values *self, const char *text)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity == 0 ? 256 : self->capacity * 2;
        self->items = need(realloc(self->items, self->capacity * sizeof *self->items));
    }
    self->items[self->count++] = need(strdup(text));
}

static void values_release(values *self)
{
    for (size_t i = 0; i < self->count; i++) free(self->items[i]);
    free(self->items);
    *self = (values){0};
}

static void script_fail(script *self, const char *what, const char *sql)
{
    self->counts.failed++;
    if (self->counts.failed <= FAILURES_SHOWN_MAX || self->verbose)
        printf("%s:%u: %s\n    %s\n", self->path, self->line, what, sql);
}

// The next line without its end, or NULL. Lines are cut in place.
static char *script_line(script *self)
{
    if (self->at == NULL || *self->at == '\0') return NULL;
    char *start = self->at, *end = strchr(start, '\n');
    self->at = end == NULL ? NULL : end + 1;
    if (end != NULL) *end = '\0';
    size_t length = strlen(start);
    if (length > 0 && start[length - 1] == '\r') start[length - 1] = '\0';
    self->line++;
    return start;
}

// ---- values as sqllogictest prints them --------------------------------------------------------

static double value_real(const braid_value *value)
{
    char number[64];
    if (value->type == BRAID_INTEGER) return (double)value->as.integer;
    if (value->type == BRAID_REAL) return value->as.real;
    size_t size = value->as.text.size < sizeof number - 1 ? value->as.text.size : sizeof number - 1;
    memcpy(number, value->as.text.data, size);
    number[size] = '\0';
    return strtod(number, NULL);
}

static int64_t value_integer(const braid_value *value)
{
    if (value->type == BRAID_INTEGER) return value->as.integer;
    double real = value_real(value);
    if (real >= 9223372036854775807.0) return INT64_MAX;
    if (real <= -9223372036854775808.0) return INT64_MIN;
    return (int64_t)real;
}

static void value_text(const braid_value *value, char *out, size_t size)
{
    if (value->type == BRAID_INTEGER) {
        snprintf(out, size, "%" PRId64, value->as.integer);
    } else if (value->type == BRAID_REAL) {
        sqlite3_snprintf((int)size, out, "%!.15g", value->as.real); // as CAST(real AS TEXT)
    } else {
        size_t length = value->as.text.size < size - 1 ? value->as.text.size : size - 1;
        for (size_t i = 0; i < length; i++) {
            char byte = value->as.text.data[i];
            out[i] = byte >= ' ' && byte <= '~' ? byte : '@';
        }
        out[length] = '\0';
        if (length == 0) snprintf(out, size, "(empty)");
    }
}

// Three digits behind the point, and no more than 16 that say something: the rest are zeros, as in
// the scripts.
static void real_render(double real, char *out, size_t size)
{
    char digits[40];
    snprintf(digits, sizeof digits, "%.15e", real);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < 16 || exponent > 300) {
        snprintf(out, size, "%.3f", real);
        return;
    }
    const char *sign = real < 0 ? "-" : "", *first = digits + (real < 0);
    snprintf(out, size, "%s%c%.15s%0*d.000", sign, first[0], first + 2, exponent - 15, 0);
}

static void value_render(const braid_value *value, char type, char *out, size_t size)
{
    if (value->type == BRAID_NULL)
        snprintf(out, size, "NULL");
    else if (type == 'I')
        snprintf(out, size, "%" PRId64, value_integer(value));
    else if (type == 'R')
        real_render(value_real(value), out, size);
    else
        value_text(value, out, size);
}

static void result_render(const braid_result *result, const char *types, values *out)
{
    static char text[1 << 16];
    out->columns = braid_column_count(result);
    for (uint64_t row = 0; row < braid_row_count(result); row++) {
        for (uint32_t column = 0; column < out->columns; column++) {
            braid_value value = braid_value_get(result, row, column);
            value_render(&value, column < strlen(types) ? types[column] : 'T', text, sizeof text);
            values_add(out, text);
        }
    }
}

// ---- sorting and comparing ---------------------------------------------------------------------

static int compare_value(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static int compare_row(const void *left, const void *right, void *columns)
{
    for (size_t i = 0; i < *(size_t *)columns; i++) {
        int order = strcmp(((char *const *)left)[i], ((char *const *)right)[i]);
        if (order != 0) return order;
    }
    return 0;
}

static void values_sort(values *self, const char *mode)
{
    if (self->count == 0) return;
    if (strcmp(mode, "valuesort") == 0)
        qsort(self->items, self->count, sizeof *self->items, compare_value);
    else if (strcmp(mode, "rowsort") == 0)
        qsort_r(self->items, self->count / self->columns, self->columns * sizeof *self->items,
                compare_row, &self->columns);
}

static void values_hash(const values *self, char hex_out[33])
{
    md5 sum;
    md5_init(&sum);
    for (size_t i = 0; i < self->count; i++) {
        md5_add(&sum, self->items[i], strlen(self->items[i]));
        md5_add(&sum, "\n", 1);
    }
    md5_finish(&sum, hex_out);
}

static void check_values(script *self, const values *actual, const values *expected,
                         const char *sql)
{
    char message[512], hex[33], hex_want[64];
    size_t count;
    if (expected->count == 1 &&
        sscanf(expected->items[0], "%zu values hashing to %63s", &count, hex_want) == 2) {
        values_hash(actual, hex);
        if (actual->count == count && strcmp(hex, hex_want) == 0) return;
        snprintf(message, sizeof message, "%zu values hashing to %s, expected %zu hashing to %s",
                 actual->count, hex, count, hex_want);
        script_fail(self, message, sql);
        return;
    }
    for (size_t i = 0; i < actual->count && i < expected->count; i++) {
        if (strcmp(actual->items[i], expected->items[i]) == 0) continue;
        snprintf(message, sizeof message, "value %zu is '%.100s', expected '%.100s'", i + 1,
                 actual->items[i], expected->items[i]);
        script_fail(self, message, sql);
        return;
    }
    if (actual->count != expected->count) {
        snprintf(message, sizeof message, "%zu values, expected %zu", actual->count,
                 expected->count);
        script_fail(self, message, sql);
    }
}

// ---- records -----------------------------------------------------------------------------------

static braid_status query_run(script *self, const char *sql, braid_engine engine,
                              braid_result **result_out)
{
    braid_statement *statement = NULL;
    braid_status status = braid_prepare(self->db, sql, &statement, NULL);
    if (status == BRAID_OK && statement != NULL) {
        braid_statement_set_engine(statement, engine);
        status = braid_run(statement, result_out);
    }
    braid_statement_close(statement);
    return status;
}

static void run_query(script *self, char *types, const char *mode, const char *sql,
                      const values *expected)
{
    braid_result *result = NULL;
    self->counts.queries++;
    braid_status status = query_run(self, sql, self->engine, &result);
    if (status == BRAID_UNSUPPORTED || (status == BRAID_SQL && self->engine == BRAID_ENGINE_OLAP)) {
        if (self->verbose)
            printf("%s:%u: not native: %s\n    %s\n", self->path, self->line,
                   braid_error_message(self->db), sql);
        status = query_run(self, sql, BRAID_ENGINE_OLTP, &result);
    }
    if (status == BRAID_RUNTIME && expected->count == 0) { // the scripts' way to expect an error
        self->counts.olap++;
        return;
    }
    if (status != BRAID_OK || result == NULL) {
        char message[700];
        snprintf(message, sizeof message, "%s: %s", braid_status_name(status),
                 braid_error_message(self->db));
        script_fail(self, message, sql);
        return;
    }
    braid_result_info info = {.size = sizeof info};
    braid_result_get_info(result, &info);
    if (info.engine == BRAID_ENGINE_OLAP)
        self->counts.olap++;
    else
        self->counts.fell_back++;
    values actual = {0};
    result_render(result, types, &actual);
    values_sort(&actual, mode);
    if (braid_column_count(result) != strlen(types))
        script_fail(self, "wrong column count", sql);
    else
        check_values(self, &actual, expected, sql);
    values_release(&actual);
    braid_result_free(result);
}

static void run_statement(script *self, bool expect_ok, const char *sql)
{
    braid_status status = braid_exec(self->db, sql);
    if ((status == BRAID_OK) == expect_ok) return;
    script_fail(self, expect_ok ? braid_error_message(self->db) : "succeeded, expected an error",
                sql);
}

// SQL of a record: its lines up to an empty one or "----", which *expects_out tells.
static char *script_sql(script *self, bool *expects_out)
{
    char *sql = need(calloc(1, 1));
    size_t size = 0;
    *expects_out = false;
    for (char *line; (line = script_line(self)) != NULL && *line != '\0';) {
        if (strcmp(line, "----") == 0) {
            *expects_out = true;
            break;
        }
        size_t length = strlen(line);
        sql = need(realloc(sql, size + length + 2));
        memcpy(sql + size, line, length);
        size += length;
        sql[size++] = '\n';
        sql[size] = '\0';
    }
    return sql;
}

static void record_query(script *self, char *header, bool skipped)
{
    char types[2100] = "", mode[32] = "nosort";
    sscanf(header, "query %2099s %31s", types, mode);
    bool expects;
    char *sql = script_sql(self, &expects);
    values expected = {0};
    for (char *line; expects && (line = script_line(self)) != NULL && *line != '\0';)
        values_add(&expected, line);
    if (!skipped) run_query(self, types, mode, sql, &expected);
    values_release(&expected);
    free(sql);
}

static void script_records(script *self)
{
    bool skipped = false;
    for (char *line; (line = script_line(self)) != NULL;) {
        char word[64] = "", argument[64] = "";
        sscanf(line, "%63s %63s", word, argument);
        if (strcmp(word, "skipif") == 0) {
            skipped = skipped || strcmp(argument, "sqlite") == 0;
            continue;
        }
        if (strcmp(word, "onlyif") == 0) {
            skipped = skipped || strcmp(argument, "sqlite") != 0;
            continue;
        }
        if (strcmp(word, "statement") == 0) {
            bool expects;
            char *sql = script_sql(self, &expects);
            if (!skipped) run_statement(self, strcmp(argument, "ok") == 0, sql);
            free(sql);
        } else if (strcmp(word, "query") == 0) {
            record_query(self, line, skipped);
        } else if (strcmp(word, "halt") == 0 && !skipped) {
            return;
        }
        if (word[0] != '\0' && word[0] != '#') skipped = false;
    }
}

// ---- files -------------------------------------------------------------------------------------

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = need(malloc((size_t)size + 1));
    size_t read = fread(text, 1, (size_t)size, file);
    text[read] = '\0';
    fclose(file);
    return text;
}

static void database_remove(const char *folder)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "braid-slt: %s stays\n", folder);
}

static counts script_run(const char *path, braid_engine engine, bool verbose)
{
    script self = {.path = path, .engine = engine, .verbose = verbose};
    char folder[] = "/tmp/braid-slt-XXXXXX", database[64];
    self.text = self.at = file_read(path);
    if (self.text == NULL || mkdtemp(folder) == NULL) {
        printf("%s: cannot be read\n", path);
        free(self.text);
        return (counts){.failed = 1};
    }
    snprintf(database, sizeof database, "%s/test.db", folder);
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    if (braid_open(database, &config, &self.db) == BRAID_OK)
        script_records(&self);
    else
        script_fail(&self, braid_error_message(self.db), "open");
    braid_close(self.db);
    database_remove(folder);
    free(self.text);
    printf("%s: %" PRIu64 " queries: %" PRIu64 " olap, %" PRIu64 " fell back, %" PRIu64 " failed\n",
           path, self.counts.queries, self.counts.olap, self.counts.fell_back, self.counts.failed);
    return self.counts;
}

int main(int argument_count, char **arguments)
{
    braid_engine engine = BRAID_ENGINE_AUTO;
    bool verbose = false;
    counts total = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argument_count; i++) {
        if (strcmp(arguments[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(arguments[i], "--engine") == 0 && i + 1 < argument_count) {
            const char *name = arguments[++i];
            if (strcmp(name, "olap") == 0)
                engine = BRAID_ENGINE_OLAP;
            else if (strcmp(name, "oltp") == 0)
                engine = BRAID_ENGINE_OLTP;
            else if (strcmp(name, "auto") == 0)
                engine = BRAID_ENGINE_AUTO;
            else
                return fprintf(stderr, "braid-slt: engine '%s': olap, oltp or auto\n", name), 2;
        } else if (arguments[i][0] == '-') {
            return fprintf(stderr,
                           "usage: braid-slt [--engine olap|oltp|auto] [--verbose] FILE...\n"),
                   2;
        } else {
            counts one = script_run(arguments[i], engine, verbose);
            total.queries += one.queries, total.olap += one.olap;
            total.fell_back += one.fell_back, total.failed += one.failed;
        }
    }
    printf("%" PRIu64 " queries: %" PRIu64 " olap, %" PRIu64 " fell back, %" PRIu64 " failed\n",
           total.queries, total.olap, total.fell_back, total.failed);
    return total.failed != 0;
}
