// SPDX-License-Identifier: Apache-2.0
#include "completion.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const keywords[] = {
    "ALL", "ALTER", "ANALYZE", "AND", "AS", "ASC", "ATTACH", "BEGIN", "BETWEEN", "BY", "CASE",
    "CAST", "COLLATE", "COMMIT", "CREATE", "CROSS", "CURRENT_DATE", "CURRENT_TIMESTAMP", "DEFAULT",
    "DELETE", "DESC", "DISTINCT", "DROP", "ELSE", "END", "EXCEPT", "EXISTS", "EXPLAIN", "FILTER",
    "FIRST", "FOLLOWING", "FOREIGN", "FROM", "FULL", "GLOB", "GROUP", "HAVING", "IN", "INDEX",
    "INNER", "INSERT", "INTERSECT", "INTO", "IS", "ISNULL", "JOIN", "KEY", "LAST", "LEFT", "LIKE",
    "LIMIT", "MATERIALIZED", "NATURAL", "NOT", "NOTNULL", "NULL", "NULLS", "OFFSET", "ON", "OR",
    "ORDER", "OUTER", "OVER", "PARTITION", "PRAGMA", "PRECEDING", "PRIMARY", "RANGE", "RECURSIVE",
    "REFERENCES", "REGEXP", "REPLACE", "RETURNING", "RIGHT", "ROLLBACK", "ROWS", "SAVEPOINT",
    "SELECT", "SET", "TABLE", "TEMPORARY", "THEN", "TRANSACTION", "TRIGGER", "UNBOUNDED", "UNION",
    "UNIQUE", "UPDATE", "USING", "VACUUM", "VALUES", "VIEW", "WHEN", "WHERE", "WINDOW", "WITH",
    "WITHOUT", "abs", "avg", "coalesce", "count", "date", "datetime", "dense_rank", "first_value",
    "group_concat", "ifnull", "iif", "instr", "json_extract", "julianday", "lag", "last_value",
    "lead", "length", "lower", "ltrim", "max", "min", "nullif", "printf", "rank", "round",
    "row_number", "rtrim", "strftime", "substr", "sum", "total", "trim", "typeof", "unixepoch",
    "upper", NULL,
};

static const char *const commands[] = {
    ".engine", ".explain", ".freshness", ".help", ".mode", ".quit", ".read", ".schema", ".status",
    ".sync", ".tables", ".timer", NULL,
};

static const char table_names[] =
    "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') "
    "AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_braid_*' ORDER BY name";
static const char column_names[] =
    "SELECT DISTINCT p.name FROM sqlite_schema AS s, pragma_table_info(s.name) AS p "
    "WHERE s.type IN ('table', 'view') AND s.name NOT GLOB 'sqlite_*' "
    "AND s.name NOT GLOB '_braid_*' AND (?1 IS NULL OR lower(s.name) = lower(?1)) ORDER BY p.name";

// ---- candidates --------------------------------------------------------------------------------

typedef struct word {
    const char *bytes;  // behind the last dot
    size_t size;
} word;

static void add_candidate(cli_completion *completion, const char *text, size_t size)
{
    for (uint32_t i = 0; i < completion->candidate_count; i++) {
        const char *other = completion->candidates[i];
        if (strlen(other) == size && strncasecmp(other, text, size) == 0) return;
    }
    if (completion->candidate_count < CLI_CANDIDATES_MAX)
        completion->candidates[completion->candidate_count++] = cli_copy_text(text, size);
}

// Keywords follow the case in which the word was begun.
static void add_words(cli_completion *completion, const word *typed, const char *const *words)
{
    bool is_lower = typed->size > 0 && typed->bytes[0] >= 'a' && typed->bytes[0] <= 'z';
    for (; *words != NULL; words++) {
        char cased[32];
        size_t size = strlen(*words);
        if (strncasecmp(*words, typed->bytes, typed->size) != 0) continue;
        for (size_t i = 0; i <= size; i++) {
            char byte = (*words)[i];
            bool is_upper = byte >= 'A' && byte <= 'Z';
            cased[i] = is_lower && is_upper ? (char)(byte | 0x20) : byte;
        }
        add_candidate(completion, cased, size);
    }
}

static bool is_plain_name(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char byte = name[i];
        bool is_letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        bool is_digit = byte >= '0' && byte <= '9';
        if (!is_letter && byte != '_' && (byte & 0x80) == 0 && !(is_digit && i > 0)) return false;
    }
    return size > 0;
}

static void add_name(cli_completion *completion, const word *typed, const braid_value *name)
{
    const char *data = name->as.text.data;
    size_t size = name->as.text.size;
    if (size < typed->size || strncasecmp(data, typed->bytes, typed->size) != 0) return;
    if (is_plain_name(data, size)) {
        add_candidate(completion, data, size);
        return;
    }
    char *copy = cli_copy_text(data, size);
    cli_text quoted = {0};
    cli_text_add_name(&quoted, copy);
    add_candidate(completion, quoted.data, quoted.size);
    cli_text_release(&quoted);
    free(copy);
}

// Adds the names that a query gives; `table` is bound to its parameter.
static void add_names(cli_completion *completion, const word *typed, braid *db, const char *sql,
                      const char *table)
{
    braid_statement *statement = NULL;
    braid_result *result = NULL;
    if (braid_prepare(db, sql, &statement, NULL) != BRAID_OK) return;
    braid_statement_set_engine(statement, BRAID_ENGINE_OLTP);
    braid_status status = BRAID_OK;
    if (table != NULL) status = braid_bind_text(statement, 1, table, strlen(table));
    if (status == BRAID_OK) status = braid_run(statement, &result);
    for (uint64_t row = 0; status == BRAID_OK && row < braid_row_count(result); row++) {
        braid_value name = braid_value_get(result, row, 0);
        if (name.type == BRAID_TEXT) add_name(completion, typed, &name);
    }
    braid_result_free(result);
    braid_statement_close(statement);
}

// Behind "table." come its columns; behind an alias, which is not looked up, those of all tables.
static void add_columns_behind_dot(cli_completion *completion, const word *typed, braid *db,
                                   const char *qualifier, size_t size)
{
    char *table = cli_copy_text(qualifier, size);
    add_names(completion, typed, db, column_names, table);
    if (completion->candidate_count == 0) add_names(completion, typed, db, column_names, NULL);
    free(table);
}

// ---- words -------------------------------------------------------------------------------------

static bool is_word_byte(char byte)
{
    return is_plain_name(&byte, 1) || (byte >= '0' && byte <= '9') || byte == '.';
}

static void make_replacement(cli_completion *completion)
{
    if (completion->candidate_count == 0) return;
    const char *first = completion->candidates[0];
    size_t common = strlen(first);
    for (uint32_t i = 1; i < completion->candidate_count; i++) {
        size_t same = 0;
        while (same < common && (first[same] | 0x20) == (completion->candidates[i][same] | 0x20))
            same++;
        common = same;
    }
    cli_text_append(&completion->replacement, first, common);
    if (completion->candidate_count == 1) cli_text_byte(&completion->replacement, ' ');
}

void cli_complete(braid *db, const char *line, size_t cursor, cli_completion *completion_out)
{
    cli_completion *completion = completion_out;
    *completion = (cli_completion){0};
    size_t start = cursor, dot = cursor;
    while (start > 0 && is_word_byte(line[start - 1])) start--;
    while (dot > start && line[dot - 1] != '.') dot--;
    bool is_command = start < cursor && line[start] == '.' && strspn(line, " ") == start;
    word typed = {.bytes = line + start, .size = cursor - start};
    if (is_command) {
        add_words(completion, &typed, commands);
    } else if (dot > start) {
        typed = (word){.bytes = line + dot, .size = cursor - dot};
        add_columns_behind_dot(completion, &typed, db, line + start, dot - 1 - start);
    } else {
        add_names(completion, &typed, db, table_names, NULL);
        if (line[strspn(line, " ")] != '.') {
            add_names(completion, &typed, db, column_names, NULL);
            add_words(completion, &typed, keywords);
        }
    }
    completion->word_size = typed.size;
    make_replacement(completion);
}

void cli_completion_release(cli_completion *completion)
{
    for (uint32_t i = 0; i < completion->candidate_count; i++) free(completion->candidates[i]);
    cli_text_release(&completion->replacement);
    *completion = (cli_completion){0};
}
