// FOR SYSTEM_TIME and braid_changes(): histories as queries over change tables.
//
// A change table has a row for each change, in order: what the row became (or was, before a
// delete). A version is valid from its change to the next of the same key, so nothing has to be
// rewritten when it ends. The state at a time is the last change of each key up to then, unless
// that is a delete: the largest number per key, which needs two narrow columns, and the rows of
// these numbers.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "sql/bind.h"

// Microseconds as 'YYYY-MM-DD HH:MM:SS.ffffff'.
#define TIME_TEXT(time)                                         \
    "datetime(" time " / 1000000, 'unixepoch') || '.' || substr" \
    "('00000' || (" time " % 1000000), -6)"

typedef struct history_text {
    br_buffer buffer;
    const char *statement;  // the text that has the times
    const br_ast_source *source;
    const br_sql_history *history;
    const br_ast *where;  // of the query around it; NULL: none, or not known
    br_error *err;
} history_text;

static br_status no_memory(const history_text *text)
{
    return br_fail(text->err, BR_NOMEM, "no memory for the history of a table");
}

static br_status append(history_text *text, const char *sql)
{
    return br_buffer_append(&text->buffer, sql, strlen(sql)) ? BR_OK : no_memory(text);
}

static br_status append_span(history_text *text, uint32_t begin, uint32_t end)
{
    return br_buffer_append(&text->buffer, text->statement + begin, end - begin) ? BR_OK
                                                                                 : no_memory(text);
}

// ---- times -----------------------------------------------------------------------------------

// The text of an expression, its parameters by number. *at is how far it has been written.
static br_status append_expression(history_text *text, const br_ast *ast, uint32_t *at)
{
    bool has_columns = ast->kind == BR_AST_NAME && !ast->quoted;
    if (has_columns || ast->select != NULL)
        return br_fail_at(text->err, BR_SQL, ast->offset,
                          "a time of a history can have neither columns nor subqueries");
    if (ast->kind == BR_AST_PARAMETER) {
        BR_TRY(append_span(text, *at, ast->offset));
        if (!br_buffer_format(&text->buffer, "?%u", ast->parameter)) return no_memory(text);
        *at = ast->end;
    }
    for (uint32_t i = 0; i < ast->arg_count; i++)
        BR_TRY(append_expression(text, ast->args[i], at));
    return BR_OK;
}

static br_status append_time(history_text *text, uint32_t which)
{
    const br_ast *ast = text->source->times[which];
    uint32_t at = ast->offset;
    BR_TRY(append(text, "braid_time("));
    BR_TRY(append_expression(text, ast, &at));
    BR_TRY(append_span(text, at, ast->end));
    return append(text, ")");
}

// ---- queries ---------------------------------------------------------------------------------

static br_status append_columns(history_text *text)
{
    for (uint32_t i = 0; i < text->history->column_count; i++) {
        if (!br_buffer_format(&text->buffer, "%s%s", i == 0 ? "" : ", ", text->history->columns[i]))
            return no_memory(text);
    }
    return BR_OK;
}

static br_status append_versions(history_text *text)
{
    BR_TRY(append(text, "SELECT "));
    BR_TRY(append_columns(text));
    return append(text, ", " TIME_TEXT("_braid_at") " AS _braid_valid_from, "
                        TIME_TEXT("_braid_until") " AS _braid_valid_to,"
                        " _braid_operation AS _braid_operation FROM ");
}

static bool names_key(const history_text *text, const br_ast *ast)
{
    char quoted[200];
    if (ast->kind != BR_AST_NAME) return false;
    if (ast->table != NULL && !br_name_equal(ast->table, br_source_name(text->source)))
        return false;
    int size = snprintf(quoted, sizeof quoted, "\"%s\"", ast->name);
    return size < (int)sizeof quoted && strcasestr(text->history->key, quoted) != NULL;
}

// Does the condition choose a few keys?
static bool chooses_keys(const history_text *text, const br_ast *where)
{
    if (where == NULL) return false;
    bool is_binary = where->kind == BR_AST_BINARY;
    if (is_binary && where->operator_ == BR_AST_OP_AND)
        return chooses_keys(text, where->args[0]) || chooses_keys(text, where->args[1]);
    if (is_binary && where->operator_ == BR_AST_OP_EQ)
        return names_key(text, where->args[0]) || names_key(text, where->args[1]);
    bool is_range = where->kind == BR_AST_IN || where->kind == BR_AST_BETWEEN;
    return is_range && !where->negated && names_key(text, where->args[0]);
}

// A join by key and number is dearer than one by number, but takes what is asked of the keys to
// both sides. _braid_until is only worked out where somebody reads it.
static br_status append_as_of(history_text *text)
{
    const br_sql_history *history = text->history;
    BR_TRY(append_versions(text));
    if (!br_buffer_format(&text->buffer,
                          "%s LEFT JOIN (SELECT %s, min(_braid_at) AS _braid_until FROM %s"
                          " WHERE _braid_at > ",
                          history->changes, history->key, history->changes))
        return no_memory(text);
    BR_TRY(append_time(text, 0));
    bool by_key = chooses_keys(text, text->where);
    const char *key = by_key ? history->key : "", *comma = by_key ? ", " : "";
    if (!br_buffer_format(&text->buffer,
                          " GROUP BY %s) USING (%s) WHERE (%s%s_braid_seq) IN"
                          " (SELECT %s%smax(_braid_seq) FROM %s WHERE _braid_at <= ",
                          history->key, history->key, key, comma, key, comma, history->changes))
        return no_memory(text);
    BR_TRY(append_time(text, 0));
    if (!br_buffer_format(&text->buffer, " GROUP BY %s) AND _braid_operation <> 'D'", history->key))
        return no_memory(text);
    return BR_OK;
}

// A delete is a version of no length, which is valid at no time but in a range around it.
static br_status append_all(history_text *text)
{
    const br_sql_history *history = text->history;
    BR_TRY(append_versions(text));
    if (!br_buffer_format(&text->buffer,
                          "(SELECT *, CASE _braid_operation WHEN 'D' THEN _braid_at ELSE"
                          " lead(_braid_at) OVER (PARTITION BY %s ORDER BY _braid_seq) END"
                          " AS _braid_until FROM %s)",
                          history->key, history->changes))
        return no_memory(text);
    return BR_OK;
}

static br_status append_range(history_text *text, const char *end_compare)
{
    BR_TRY(append_all(text));
    BR_TRY(append(text, " WHERE _braid_at "));
    BR_TRY(append(text, end_compare));
    BR_TRY(append_time(text, 1));
    BR_TRY(append(text, " AND (_braid_until > "));
    BR_TRY(append_time(text, 0));
    return append(text, " OR _braid_until IS NULL)");
}

static br_status append_changes(history_text *text)
{
    BR_TRY(append(text, "SELECT _braid_seq AS seq, " TIME_TEXT("_braid_at") " AS at,"
                        " _braid_operation AS operation, "));
    BR_TRY(append_columns(text));
    if (!br_buffer_format(&text->buffer, " FROM %s", text->history->changes))
        return no_memory(text);
    const br_ast *from = text->source->times[0];
    if (from != NULL) {
        uint32_t at = from->offset;
        BR_TRY(append(text, " WHERE _braid_seq >= "));
        BR_TRY(append_expression(text, from, &at));
        BR_TRY(append_span(text, at, from->end));
    }
    return append(text, " ORDER BY _braid_seq");
}

static br_status append_history(history_text *text, const br_sql_catalog *catalog)
{
    const br_ast_source *source = text->source;
    text->history = NULL;
    if (catalog->find_history != NULL)
        BR_TRY(catalog->find_history(catalog->context, source->schema, source->name,
                                     &text->history, text->err));
    if (text->history == NULL)
        return br_fail_at(text->err, BR_SQL, source->offset, "table '%s' has no history",
                          source->name);
    switch (source->history) {
    case BR_AST_HISTORY_AS_OF: return append_as_of(text);
    case BR_AST_HISTORY_BETWEEN: return append_range(text, "<= ");
    case BR_AST_HISTORY_FROM: return append_range(text, "< ");
    case BR_AST_HISTORY_CHANGES: return append_changes(text);
    case BR_AST_HISTORY_ALL:
    case BR_AST_HISTORY_NONE: break;
    }
    return append_all(text);
}

static br_status hand_out(history_text *text, br_status status, br_arena *arena,
                          const char **text_out)
{
    const char *copy = NULL;
    if (status == BR_OK)
        copy = br_arena_copy_text(arena, (const char *)text->buffer.bytes, text->buffer.size_bytes);
    br_buffer_release(&text->buffer);
    if (status == BR_OK && copy == NULL) status = no_memory(text);
    *text_out = copy;
    return status;
}

const char *br_source_name(const br_ast_source *source)
{
    if (source->alias != NULL) return source->alias;
    if (source->history == BR_AST_HISTORY_CHANGES) return "braid_changes";
    return source->name != NULL ? source->name : "";
}

// ---- in the binder, and for SQLite -----------------------------------------------------------

br_status br_history_query(const br_binder *binder, const br_ast_source *source,
                           const br_ast *where, const char **text_out, br_error *err)
{
    history_text text = {
        .statement = binder->text, .source = source, .where = where, .err = err};
    br_status status = append_history(&text, binder->catalog);
    return hand_out(&text, status, binder->arena, text_out);
}

static br_status append_name(history_text *text, const char *name)
{
    BR_TRY(append(text, " AS \""));
    for (; *name != 0; name++) {
        const char letter[] = {*name, *name == '"' ? '"' : 0, 0};
        BR_TRY(append(text, letter));
    }
    return append(text, "\"");
}

static br_status append_source(history_text *text, const br_sql_catalog *catalog)
{
    const br_ast_source *source = text->source;
    BR_TRY(append(text, "("));
    BR_TRY(append_history(text, catalog));
    BR_TRY(append(text, ")"));
    // An alias that is written stands behind it.
    return source->alias != NULL ? BR_OK : append_name(text, br_source_name(source));
}

br_status br_history_expand(const br_statement_ast *statement, const br_sql_catalog *catalog,
                            br_arena *arena, const char **text_out, br_error *err)
{
    history_text text = {.statement = statement->text, .err = err};
    uint32_t at = 0;
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < statement->history_count; i++) {
        text.source = statement->histories[i];
        status = append_span(&text, at, text.source->offset);
        if (status == BR_OK) status = append_source(&text, catalog);
        at = text.source->history_end;
    }
    if (status == BR_OK) status = append_span(&text, at, statement->size);
    return hand_out(&text, status, arena, text_out);
}
