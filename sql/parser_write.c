// The SELECT that feeds a write: where it stands in the text of the statement. SQLite has compiled
// that text before, so this only has to find its way, not to check it.
// SPDX-License-Identifier: Apache-2.0
#include "sql/parser.h"

// Moves to the SELECT or WITH of an INSERT; false: it has VALUES or defaults.
static bool find_insert_select(br_parser *parser)
{
    uint32_t depth = 0;  // the list of columns is in parentheses
    for (; parser->token.kind != BR_TOKEN_END; br_parser_advance(parser)) {
        br_token_kind kind = parser->token.kind;
        if (kind == BR_TOKEN_LEFT_PAREN) depth++;
        if (kind == BR_TOKEN_RIGHT_PAREN) depth--;
        if (depth > 0) continue;
        if (kind == BR_TOKEN_SEMICOLON || kind == BR_TOKEN_VALUES) return false;
        if (kind == BR_TOKEN_SELECT || kind == BR_TOKEN_WITH) return true;
    }
    return false;
}

// CREATE TABLE name AS SELECT. IF NOT EXISTS and TEMP are left to SQLite.
static bool find_table_select(br_parser *parser, br_write_ast *out)
{
    if (!br_parser_accept(parser, BR_TOKEN_RESERVED)) return false;  // TABLE
    out->target.begin = parser->token.offset;
    if (!br_token_is_name(parser->token.kind)) return false;
    br_parser_advance(parser);
    if (br_parser_accept(parser, BR_TOKEN_DOT)) {
        if (!br_token_is_name(parser->token.kind)) return false;
        br_parser_advance(parser);
    }
    out->target.end = parser->consumed_end;
    return br_parser_accept(parser, BR_TOKEN_AS) && br_parser_at_select(parser);
}

static bool has_values(const br_ast_select *select)
{
    for (uint32_t i = 0; i < select->core_count; i++) {
        if (select->cores[i].is_values) return true;
    }
    return false;
}

br_status br_parse_write(const char *text, br_arena *arena, br_write_ast *out, br_error *err)
{
    br_parser parser;
    br_parser_init(&parser, text, arena, err);
    br_ast_select *with = BR_ALLOC(arena, br_ast_select, 1), *select;
    if (with == NULL) return br_parser_no_memory(&parser);
    *out = (br_write_ast){0};
    out->with.begin = parser.token.offset;
    BR_TRY(br_parse_with(&parser, with));
    out->with.end = with->cte_count > 0 ? parser.token.offset : out->with.begin;
    out->creates_table = with->cte_count == 0 && br_parser_accept(&parser, BR_TOKEN_CREATE);
    bool is_insert =
        parser.token.kind == BR_TOKEN_INSERT || parser.token.kind == BR_TOKEN_REPLACE;
    bool is_found = out->creates_table ? find_table_select(&parser, out)
                                       : is_insert && find_insert_select(&parser);
    if (!is_found) return br_fail(err, BR_UNSUPPORTED, "no SELECT feeds this statement");
    out->select.begin = parser.token.offset;
    BR_TRY(br_parse_select(&parser, &select));
    out->select.end = parser.consumed_end;
    out->takes_limit = select->limit == NULL && !has_values(select);
    return BR_OK;
}
