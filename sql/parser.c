// SPDX-License-Identifier: Apache-2.0
#include "sql/parser.h"

#include <string.h>

// ---- tokens ----------------------------------------------------------------------------------

void br_parser_init(br_parser *parser, const char *text, br_arena *arena, br_error *err)
{
    *parser = (br_parser){.lexer = {.text = text}, .arena = arena, .err = err};
    parser->token = br_lexer_next(&parser->lexer);
}

void br_parser_advance(br_parser *parser)
{
    parser->consumed_end = parser->token.offset + parser->token.size;
    parser->token = br_lexer_next(&parser->lexer);
}

bool br_parser_accept(br_parser *parser, br_token_kind kind)
{
    if (parser->token.kind != kind) return false;
    br_parser_advance(parser);
    return true;
}

br_status br_parser_expect(br_parser *parser, br_token_kind kind)
{
    if (parser->token.kind != kind) return br_parser_syntax_error(parser);
    br_parser_advance(parser);
    return BR_OK;
}

br_token_kind br_parser_peek(const br_parser *parser)
{
    br_lexer ahead = parser->lexer;
    return br_lexer_next(&ahead).kind;
}

bool br_parser_at_select(const br_parser *parser)
{
    br_token_kind kind = parser->token.kind;
    return kind == BR_TOKEN_SELECT || kind == BR_TOKEN_VALUES || kind == BR_TOKEN_WITH;
}

br_status br_parser_syntax_error(br_parser *parser)
{
    enum { SHOWN_MAX = 400 };
    br_token token = parser->token;
    const char *text = parser->lexer.text + token.offset;
    int shown = token.size < SHOWN_MAX ? (int)token.size : SHOWN_MAX;
    if (token.kind == BR_TOKEN_END)
        return br_fail_at(parser->err, BR_SQL, token.offset, "incomplete input");
    if (token.offset >= BR_SQL_TEXT_MAX)
        return br_fail_at(parser->err, BR_SQL, token.offset, "string or blob too big");
    if (token.kind == BR_TOKEN_ILLEGAL)
        return br_fail_at(parser->err, BR_SQL, token.offset, "unrecognized token: \"%.*s\"",
                          shown, text);
    return br_fail_at(parser->err, BR_SQL, token.offset, "near \"%.*s\": syntax error", shown,
                      text);
}

br_status br_parser_no_memory(br_parser *parser)
{
    return br_fail_at(parser->err, BR_NOMEM, parser->token.offset, "out of memory parsing SQL");
}

br_status br_parser_descend(br_parser *parser)
{
    if (++parser->depth > BR_PARSER_DEPTH_MAX)
        return br_fail_at(parser->err, BR_SQL, parser->token.offset, "parser stack overflow");
    return BR_OK;
}

// ---- lists, names, nodes ---------------------------------------------------------------------

br_status br_parser_grow(br_parser *parser, void **items, size_t item_bytes, uint32_t count)
{
    enum { FIRST_CAPACITY = 4 };
    bool is_full = count == 0 || (count >= FIRST_CAPACITY && (count & (count - 1)) == 0);
    if (!is_full) return BR_OK;
    size_t capacity = count == 0 ? FIRST_CAPACITY : (size_t)count * 2;
    void *grown = br_arena_array(parser->arena, capacity, item_bytes, _Alignof(void *));
    if (grown == NULL) return br_parser_no_memory(parser);
    if (count > 0) memcpy(grown, *items, count * item_bytes);
    *items = grown;
    return BR_OK;
}

br_status br_parser_push(br_parser *parser, br_ast_list *list, br_ast *item)
{
    void *items = list->items;
    BR_TRY(br_parser_grow(parser, &items, sizeof *list->items, list->count));
    list->items = items;
    list->items[list->count++] = item;
    return BR_OK;
}

br_status br_parser_name_text(br_parser *parser, br_token token, const char **name_out)
{
    const char *text = parser->lexer.text + token.offset;
    char delimiter = text[0] == '[' ? ']' : text[0];
    bool is_quoted = strchr("\"'`]", delimiter) != NULL;
    uint32_t size = is_quoted ? token.size - 2 : token.size;
    char *name = br_arena_copy_text(parser->arena, is_quoted ? text + 1 : text, size);
    if (name == NULL) return br_parser_no_memory(parser);
    if (is_quoted && delimiter != ']') {
        uint32_t written = 0;
        for (uint32_t i = 0; i < size; i++) {
            if (name[i] == delimiter) i++;  // the first of two
            name[written++] = name[i];
        }
        name[written] = 0;
    }
    *name_out = name;
    return BR_OK;
}

br_status br_parser_name(br_parser *parser, const char **name_out)
{
    if (!br_token_is_name(parser->token.kind)) return br_parser_syntax_error(parser);
    BR_TRY(br_parser_name_text(parser, parser->token, name_out));
    br_parser_advance(parser);
    return BR_OK;
}

br_status br_parse_names(br_parser *parser, const char ***names_out, uint32_t *count_out)
{
    BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
    void *names = NULL;
    uint32_t count = 0;
    do {
        BR_TRY(br_parser_grow(parser, &names, sizeof(const char *), count));
        BR_TRY(br_parser_name(parser, (const char **)names + count));
        count++;
    } while (br_parser_accept(parser, BR_TOKEN_COMMA));
    *names_out = names;
    *count_out = count;
    return br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN);
}

br_status br_parser_node(br_parser *parser, br_ast_kind kind, uint32_t offset, br_ast **node_out)
{
    br_ast *node = BR_ALLOC(parser->arena, br_ast, 1);
    if (node == NULL) return br_parser_no_memory(parser);
    node->kind = kind;
    node->offset = offset;
    node->end = parser->consumed_end;
    node->height = 1;
    *node_out = node;
    return BR_OK;
}

br_status br_parser_finish(br_parser *parser, br_ast *node, br_ast_list args,
                           uint32_t extra_height)
{
    uint32_t height = extra_height;
    for (uint32_t i = 0; i < args.count; i++)
        if (args.items[i]->height > height) height = args.items[i]->height;
    node->args = args.items;
    node->arg_count = args.count;
    node->height = height + 1;
    node->end = parser->consumed_end;
    if (node->height > BR_AST_HEIGHT_MAX)  // invariant 2
        return br_fail_at(parser->err, BR_SQL, node->offset,
                          "Expression tree is too large (maximum depth %d)", BR_AST_HEIGHT_MAX);
    return BR_OK;
}

// ---- statements ------------------------------------------------------------------------------

// Moves to the semicolon that ends a statement of another kind. As in sqlite3_complete, a CREATE
// TRIGGER ends only with "; END ;".
static void statement_skip(br_parser *parser)
{
    br_parser_accept(parser, BR_TOKEN_EXPLAIN);
    bool is_trigger = br_parser_accept(parser, BR_TOKEN_CREATE);
    br_parser_accept(parser, BR_TOKEN_TEMP);
    is_trigger = is_trigger && parser->token.kind == BR_TOKEN_TRIGGER;
    uint32_t end_words = 0;  // 1 behind a semicolon, 2 behind its END
    for (; parser->token.kind != BR_TOKEN_END; br_parser_advance(parser)) {
        bool is_semicolon = parser->token.kind == BR_TOKEN_SEMICOLON;
        if (is_semicolon && (!is_trigger || end_words == 2)) return;
        if (is_semicolon)
            end_words = 1;
        else
            end_words = end_words == 1 && parser->token.kind == BR_TOKEN_END_KEYWORD ? 2 : 0;
    }
}

static void statement_finish(const br_parser *parser, br_statement_ast *out)
{
    out->size = parser->token.offset;
    out->tail = out->text + parser->token.offset + parser->token.size;
}

static bool at_data_change(const br_parser *parser)
{
    br_token_kind kind = parser->token.kind;
    return kind == BR_TOKEN_INSERT || kind == BR_TOKEN_UPDATE || kind == BR_TOKEN_DELETE ||
           kind == BR_TOKEN_REPLACE;
}

// Consumes EXPLAIN [ANALYZE] when a SELECT follows.
static void statement_explain(br_parser *parser, br_statement_ast *out)
{
    br_parser before = *parser;
    out->kind = BR_STATEMENT_SELECT;
    if (!br_parser_accept(parser, BR_TOKEN_EXPLAIN)) return;
    out->kind = BR_STATEMENT_EXPLAIN;
    out->analyze = br_parser_accept(parser, BR_TOKEN_ANALYZE);
    out->query_offset = parser->token.offset;
    if (!br_parser_at_select(parser)) *parser = before;
}

static bool at_summarize(const br_parser *parser)
{
    static const char word[] = "summarize";
    return parser->token.kind == BR_TOKEN_ID && parser->token.size == sizeof word - 1 &&
           strncasecmp(parser->lexer.text + parser->token.offset, word, sizeof word - 1) == 0;
}

// Behind SUMMARIZE: a SELECT, or the name of a table or view.
static br_status statement_summarize(br_parser *parser, br_statement_ast *out)
{
    const char *ignored;
    br_parser_advance(parser);
    out->kind = BR_STATEMENT_SUMMARIZE;
    out->query_offset = parser->token.offset;
    if (br_parser_at_select(parser)) {
        BR_TRY(br_parse_select(parser, &out->select));
    } else {
        BR_TRY(br_parser_name(parser, &ignored));
        if (br_parser_accept(parser, BR_TOKEN_DOT)) BR_TRY(br_parser_name(parser, &ignored));
    }
    if (parser->token.kind != BR_TOKEN_SEMICOLON && parser->token.kind != BR_TOKEN_END)
        return br_parser_syntax_error(parser);
    statement_finish(parser, out);
    return BR_OK;
}

br_status br_parse(const char *text, br_arena *arena, br_statement_ast *out, br_error *err)
{
    br_parser parser;
    br_parser_init(&parser, text, arena, err);
    br_parser start = parser;
    br_statement_ast statement = {.kind = BR_STATEMENT_EMPTY, .text = text};
    if (at_summarize(&parser)) {
        BR_TRY(statement_summarize(&parser, &statement));
        *out = statement;
        return BR_OK;
    }
    bool is_empty =
        parser.token.kind == BR_TOKEN_END || parser.token.kind == BR_TOKEN_SEMICOLON;
    if (!is_empty) {
        statement_explain(&parser, &statement);
        br_ast_select *select = NULL;
        if (br_parser_at_select(&parser)) {
            select = BR_ALLOC(arena, br_ast_select, 1);
            if (select == NULL) return br_parser_no_memory(&parser);
            BR_TRY(br_parse_with(&parser, select));
        }
        if (select == NULL || at_data_change(&parser)) {
            parser = start;
            statement = (br_statement_ast){.kind = BR_STATEMENT_OTHER, .text = text};
            statement_skip(&parser);
        } else {
            BR_TRY(br_parse_select_body(&parser, select));
            if (parser.token.kind != BR_TOKEN_SEMICOLON && parser.token.kind != BR_TOKEN_END)
                return br_parser_syntax_error(&parser);
            statement.select = select;
            statement.parameter_count = parser.parameter_count;
            statement.parameter_names = parser.parameter_names;
            statement.is_extended = parser.is_extended;
            statement.history_count = parser.history_count;
            statement.histories = parser.histories;
        }
    }
    statement_finish(&parser, &statement);
    *out = statement;
    return BR_OK;
}

br_status br_parse_view(const char *text, br_arena *arena, br_ast_cte *out, br_error *err)
{
    br_parser parser;
    br_parser_init(&parser, text, arena, err);
    br_ast_cte view = {0};
    BR_TRY(br_parser_expect(&parser, BR_TOKEN_CREATE));
    br_parser_accept(&parser, BR_TOKEN_TEMP);
    BR_TRY(br_parser_expect(&parser, BR_TOKEN_VIEW));
    if (parser.token.kind == BR_TOKEN_IF && br_parser_peek(&parser) == BR_TOKEN_NOT) {
        br_parser_advance(&parser);
        br_parser_advance(&parser);
        BR_TRY(br_parser_expect(&parser, BR_TOKEN_EXISTS));
    }
    BR_TRY(br_parser_name(&parser, &view.name));
    if (br_parser_accept(&parser, BR_TOKEN_DOT)) BR_TRY(br_parser_name(&parser, &view.name));
    if (parser.token.kind == BR_TOKEN_LEFT_PAREN)
        BR_TRY(br_parse_names(&parser, &view.columns, &view.column_count));
    BR_TRY(br_parser_expect(&parser, BR_TOKEN_AS));
    BR_TRY(br_parse_select(&parser, &view.select));
    if (parser.token.kind != BR_TOKEN_SEMICOLON && parser.token.kind != BR_TOKEN_END)
        return br_parser_syntax_error(&parser);
    *out = view;
    return BR_OK;
}
