// FOR SYSTEM_TIME behind the name of a table, and braid_changes().
// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "sql/parser.h"

static bool is_word(const br_lexer *lexer, br_token token, const char *word)
{
    return token.size == strlen(word) &&
           strncasecmp(lexer->text + token.offset, word, token.size) == 0;
}

// FOR is an alias to SQLite, behind which no name can stand.
bool br_parser_at_history(const br_parser *parser)
{
    if (!is_word(&parser->lexer, parser->token, "for")) return false;
    br_lexer ahead = parser->lexer;
    br_token next = br_lexer_next(&ahead);
    return is_word(&parser->lexer, next, "system_time");
}

static bool accept_word(br_parser *parser, const char *word)
{
    if (!is_word(&parser->lexer, parser->token, word)) return false;
    br_parser_advance(parser);
    return true;
}

static br_status note(br_parser *parser, br_ast_source *source, br_ast_history history)
{
    void *histories = parser->histories;
    BR_TRY(br_parser_grow(parser, &histories, sizeof(br_ast_source *), parser->history_count));
    parser->histories = histories;
    parser->histories[parser->history_count++] = source;
    source->history = history;
    source->history_end = parser->consumed_end;
    return BR_OK;
}

static br_status parse_times(br_parser *parser, br_ast_source *source, br_ast_history *history)
{
    if (accept_word(parser, "as")) {
        *history = BR_AST_HISTORY_AS_OF;
        if (!accept_word(parser, "of")) return br_parser_syntax_error(parser);
        return br_parse_expression(parser, &source->times[0]);
    }
    if (br_parser_accept(parser, BR_TOKEN_BETWEEN)) {
        *history = BR_AST_HISTORY_BETWEEN;
        BR_TRY(br_parse_before_and(parser, &source->times[0]));
        BR_TRY(br_parser_expect(parser, BR_TOKEN_AND));
        return br_parse_before_and(parser, &source->times[1]);
    }
    if (br_parser_accept(parser, BR_TOKEN_FROM)) {
        *history = BR_AST_HISTORY_FROM;
        BR_TRY(br_parse_expression(parser, &source->times[0]));
        if (!accept_word(parser, "to")) return br_parser_syntax_error(parser);
        return br_parse_expression(parser, &source->times[1]);
    }
    *history = BR_AST_HISTORY_ALL;
    return accept_word(parser, "all") ? BR_OK : br_parser_syntax_error(parser);
}

br_status br_parse_history(br_parser *parser, br_ast_source *source, uint32_t *height)
{
    br_ast_history history;
    br_parser_advance(parser);
    br_parser_advance(parser);
    BR_TRY(parse_times(parser, source, &history));
    for (uint32_t i = 0; i < 2; i++)
        if (source->times[i] != NULL && source->times[i]->height > *height)
            *height = source->times[i]->height;
    return note(parser, source, history);
}

br_status br_parse_changes(br_parser *parser, br_ast_source *source)
{
    if (source->schema != NULL || strcasecmp(source->name, "braid_changes") != 0) return BR_OK;
    const br_ast *table = source->arg_count > 0 ? source->args[0] : NULL;
    if (table == NULL || source->arg_count > 2 || table->kind != BR_AST_LITERAL ||
        table->value.class_ != BR_TEXT)
        return br_fail_at(parser->err, BR_SQL, source->offset,
                          "braid_changes() wants the name of a table as a text, and maybe a"
                          " number");
    source->kind = BR_AST_SOURCE_TABLE;
    source->name = br_arena_copy_text(parser->arena, table->value.text.data,
                                      table->value.text.size);
    if (source->name == NULL) return br_parser_no_memory(parser);
    if (source->arg_count == 2) source->times[0] = source->args[1];
    return note(parser, source, BR_AST_HISTORY_CHANGES);
}
