// SUMMARIZE table and SUMMARIZE SELECT ...: a row of figures per column. Becomes a SELECT that both
// engines run: one pass over the rows computes all figures, the rest turns them into rows.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/bytes.h"
#include "router/database.h"

static br_status no_memory(br_error *err)
{
    return br_fail(err, BR_NOMEM, "statement");
}

// 'text' with quotes doubled.
static bool append_literal(br_buffer *out, const char *text)
{
    bool is_built = br_buffer_append(out, "'", 1);
    for (; is_built && *text != '\0'; text++)
        is_built = br_buffer_append(out, text, *text == '\'' ? 0 : 1) &&
                   (*text != '\'' || br_buffer_append(out, "''", 2));
    return is_built && br_buffer_append(out, "'", 1);
}

// What there is to know of column number `i`, named `quoted`.
static bool append_figures(br_buffer *out, const char *quoted, uint32_t i)
{
    const char *q = quoted;
    return br_buffer_format(out,
                            "%sgroup_concat(DISTINCT typeof(%s)) AS c%u_0, min(%s) AS c%u_1,"
                            " max(%s) AS c%u_2, approx_count_distinct(%s) AS c%u_3,"
                            " count(%s) AS c%u_4",
                            i == 0 ? "" : ", ", q, i, q, i, q, i, q, i, q, i) &&
           br_buffer_format(out,
                            ", avg(%s) FILTER (WHERE typeof(%s) IN ('integer', 'real')) AS c%u_5,"
                            " stddev(%s) FILTER (WHERE typeof(%s) IN ('integer', 'real')) AS c%u_6",
                            q, q, i, q, q, i) &&
           br_buffer_format(out,
                            ", quantile(%s, 0.25) FILTER (WHERE typeof(%s) IN ('integer', 'real'))"
                            " AS c%u_7, quantile(%s, 0.5) FILTER (WHERE typeof(%s) IN"
                            " ('integer', 'real')) AS c%u_8",
                            q, q, i, q, q, i) &&
           br_buffer_format(out,
                            ", quantile(%s, 0.75) FILTER (WHERE typeof(%s) IN ('integer', 'real'))"
                            " AS c%u_9",
                            q, q, i);
}

static bool append_row(br_buffer *out, const char *name, uint32_t i)
{
    return br_buffer_format(out, "%s SELECT ", i == 0 ? "" : " UNION ALL") &&
           append_literal(out, name) &&
           br_buffer_format(out,
                            " AS column_name, c%u_0 AS column_type, c%u_1 AS min, c%u_2 AS max,"
                            " c%u_3 AS approx_unique, c%u_5 AS avg, c%u_6 AS std, c%u_7 AS q25,"
                            " c%u_8 AS q50, c%u_9 AS q75, row_count AS count,"
                            " round(100.0 * (row_count - c%u_4) / row_count, 2) AS null_percentage"
                            " FROM _figures",
                            i, i, i, i, i, i, i, i, i, i);
}

static bool append_text(br_buffer *out, br_oltp_statement *columns, const char *source,
                        br_arena *arena)
{
    uint32_t count = br_oltp_column_count(columns);
    bool is_built = br_buffer_format(out, "WITH _figures AS MATERIALIZED (SELECT ");
    for (uint32_t i = 0; is_built && i < count; i++) {
        const char *quoted = br_oltp_quote_name(arena, br_oltp_column_name(columns, i));
        is_built = quoted != NULL && append_figures(out, quoted, i);
    }
    is_built = is_built && br_buffer_format(out, ", count(*) AS row_count FROM (%s))", source);
    for (uint32_t i = 0; is_built && i < count; i++)
        is_built = append_row(out, br_oltp_column_name(columns, i), i);
    return is_built && br_buffer_append(out, "", 1);
}

// SQLite tells which columns there are.
static br_status expand(br_statement *statement, const char *source, br_buffer *out, br_error *err)
{
    br_oltp_pool *readers = statement->database->readers;
    br_oltp *reader;
    br_oltp_statement *columns = NULL;
    int64_t ignored;
    BR_TRY(br_oltp_pool_take(readers, &reader, err));
    // Running anything makes the reader look whether the schema has changed; compiling does not.
    br_status status = br_oltp_query_int(reader, "SELECT 1 FROM sqlite_master", 0, &ignored, err);
    if (status == BR_OK) status = br_oltp_prepare(reader, source, NULL, &columns, err);
    if (status == BR_OK && !append_text(out, columns, source, statement->arena))
        status = no_memory(err);
    br_oltp_finalize(columns);
    br_oltp_pool_give(readers, reader);
    return status;
}

br_status br_summarize(br_statement *statement, br_error *err)
{
    br_statement_ast given = statement->ast;
    const char *what = given.text + given.query_offset;
    const char *source = br_arena_format(statement->arena, "%s%.*s",
                                         given.select == NULL ? "SELECT * FROM " : "",
                                         (int)(given.size - given.query_offset), what);
    br_buffer sql = {0};
    if (source == NULL) return no_memory(err);
    br_status status = expand(statement, source, &sql, err);
    char *text = NULL;
    if (status == BR_OK)
        text = br_arena_copy_text(statement->arena, (const char *)sql.bytes, sql.size_bytes - 1);
    br_buffer_release(&sql);
    BR_TRY(status);
    if (text == NULL) return no_memory(err);
    BR_TRY(br_parse(text, statement->arena, &statement->ast, err));
    statement->ast.tail = given.tail;
    return BR_OK;
}
