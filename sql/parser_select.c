// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "sql/parser.h"

enum { COMPOUND_MAX = 500, FROM_TERMS_MAX = 200 };  // SQLite's defaults

static void raise_height(uint32_t *height, const br_ast *expression)
{
    if (expression != NULL && expression->height > *height) *height = expression->height;
}

// ---- SELECT core -----------------------------------------------------------------------------

// table.* is next.
static bool at_table_star(const br_parser *parser)
{
    if (!br_token_is_name(parser->token.kind)) return false;
    br_lexer ahead = parser->lexer;
    return br_lexer_next(&ahead).kind == BR_TOKEN_DOT &&
           br_lexer_next(&ahead).kind == BR_TOKEN_STAR;
}

static bool begins_expression(br_token_kind kind)
{
    switch (kind) {
    case BR_TOKEN_CASE:
    case BR_TOKEN_EXISTS:
    case BR_TOKEN_NOT:
    case BR_TOKEN_NULL:
    case BR_TOKEN_STRING:
    case BR_TOKEN_BLOB:
    case BR_TOKEN_INTEGER:
    case BR_TOKEN_FLOAT:
    case BR_TOKEN_VARIABLE:
    case BR_TOKEN_LEFT_PAREN:
    case BR_TOKEN_PLUS:
    case BR_TOKEN_MINUS:
    case BR_TOKEN_TILDE: return true;
    default: return br_token_is_id(kind) && kind != BR_TOKEN_INDEXED;
    }
}

// QUALIFY is a name in SQLite. Where an alias may stand it is ours when an expression follows,
// which no alias has behind it (but NOT INDEXED).
static bool at_qualify(const br_parser *parser)
{
    const br_token *token = &parser->token;
    if (token->kind != BR_TOKEN_ID || token->size != strlen("qualify")) return false;
    if (strncasecmp(parser->lexer.text + token->offset, "qualify", token->size) != 0) return false;
    br_lexer ahead = parser->lexer;
    br_token_kind next = br_lexer_next(&ahead).kind;
    if (next == BR_TOKEN_NOT && br_lexer_next(&ahead).kind == BR_TOKEN_INDEXED) return false;
    return begins_expression(next);
}

// [AS] alias; without AS a join keyword is none.
static br_status parse_alias(br_parser *parser, const char **alias_out)
{
    br_token_kind kind = parser->token.kind;
    bool is_alias = (br_token_is_id(kind) && kind != BR_TOKEN_INDEXED) || kind == BR_TOKEN_STRING;
    is_alias = is_alias && !at_qualify(parser);
    if (!br_parser_accept(parser, BR_TOKEN_AS) && !is_alias) return BR_OK;
    return br_parser_name(parser, alias_out);
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static br_status parse_result(br_parser *parser, br_ast_result *result)
{
    uint32_t offset = parser->token.offset;
    bool has_table = at_table_star(parser);
    if (has_table || parser->token.kind == BR_TOKEN_STAR) {
        BR_TRY(br_parser_node(parser, BR_AST_STAR, offset, &result->expression));
        if (has_table) {
            BR_TRY(br_parser_name(parser, &result->expression->table));
            br_parser_advance(parser);
        }
        br_parser_advance(parser);
        result->expression->end = parser->consumed_end;
        return BR_OK;
    }
    BR_TRY(br_parse_expression(parser, &result->expression));
    // SQLite names the column by everything up to the next token, comments included.
    uint32_t end = parser->token.offset;
    while (end > offset && is_space(parser->lexer.text[end - 1])) end--;
    result->expression->end = end;
    return parse_alias(parser, &result->alias);
}

static br_status parse_results(br_parser *parser, br_ast_core *core, uint32_t *height)
{
    void *results = NULL;
    uint32_t count = 0;
    do {
        BR_TRY(br_parser_grow(parser, &results, sizeof(br_ast_result), count));
        br_ast_result *result = (br_ast_result *)results + count++;
        BR_TRY(parse_result(parser, result));
        raise_height(height, result->expression);
    } while (br_parser_accept(parser, BR_TOKEN_COMMA));
    core->results = results;
    core->result_count = count;
    return BR_OK;
}

// WINDOW name AS (definition), ...
static br_status parse_windows(br_parser *parser, br_ast_core *core, uint32_t *height)
{
    void *windows = NULL;
    uint32_t count = 0;
    do {
        const char *name;
        br_ast_window *window;
        BR_TRY(br_parser_grow(parser, &windows, sizeof(br_ast_window *), count));
        BR_TRY(br_parser_name(parser, &name));
        BR_TRY(br_parser_expect(parser, BR_TOKEN_AS));
        BR_TRY(br_parse_window(parser, &window));
        window->name = name;
        ((br_ast_window **)windows)[count++] = window;
        uint32_t window_height = br_ast_window_height(window);
        if (window_height > *height) *height = window_height;
    } while (br_parser_accept(parser, BR_TOKEN_COMMA));
    core->windows = windows;
    core->window_count = count;
    return BR_OK;
}

// A clause that is a keyword and an expression.
static br_status parse_clause(br_parser *parser, br_token_kind keyword, br_ast **out,
                              uint32_t *height)
{
    if (!br_parser_accept(parser, keyword)) return BR_OK;
    BR_TRY(br_parse_expression(parser, out));
    raise_height(height, *out);
    return BR_OK;
}

// Behind SELECT, without ORDER BY and LIMIT.
static br_status parse_group_term(br_parser *parser, br_ast_list *terms);

static bool at_word(const br_parser *parser, const char *word)
{
    size_t size = strlen(word);
    return parser->token.kind == BR_TOKEN_ID && parser->token.size == size &&
           strncasecmp(parser->lexer.text + parser->token.offset, word, size) == 0;
}

// GROUPING SETS ( term, (list), (), ... )
static br_status parse_grouping_sets(br_parser *parser, br_ast_list *terms)
{
    br_ast *sets;
    br_ast_list args = {0};
    BR_TRY(br_parser_node(parser, BR_AST_GROUPING_SETS, parser->token.offset, &sets));
    br_parser_advance(parser);
    br_parser_advance(parser);
    BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
    do {
        if (parser->token.kind == BR_TOKEN_LEFT_PAREN &&
            br_parser_peek(parser) == BR_TOKEN_RIGHT_PAREN) {
            br_ast *empty;
            BR_TRY(br_parser_node(parser, BR_AST_ROW, parser->token.offset, &empty));
            br_parser_advance(parser);
            br_parser_advance(parser);
            BR_TRY(br_parser_push(parser, &args, empty));
        } else {
            BR_TRY(parse_group_term(parser, &args));
        }
    } while (br_parser_accept(parser, BR_TOKEN_COMMA));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    BR_TRY(br_parser_finish(parser, sets, args, 0));
    parser->is_extended = true;
    return br_parser_push(parser, terms, sets);
}

static br_status parse_group_term(br_parser *parser, br_ast_list *terms)
{
    br_ast *term;
    if (at_word(parser, "grouping") && br_parser_peek(parser) == BR_TOKEN_ID)
        return parse_grouping_sets(parser, terms);
    BR_TRY(br_parse_expression(parser, &term));
    if (br_is_grouping_term(term)) parser->is_extended = true;
    return br_parser_push(parser, terms, term);
}

static br_status parse_core(br_parser *parser, br_ast_core *core, uint32_t *height)
{
    core->distinct = br_parser_accept(parser, BR_TOKEN_DISTINCT);
    if (!core->distinct) br_parser_accept(parser, BR_TOKEN_ALL);
    BR_TRY(parse_results(parser, core, height));
    if (br_parser_accept(parser, BR_TOKEN_FROM)) {
        uint32_t from_height = 0;
        BR_TRY(br_parse_from(parser, &core->from, &from_height));
        if (from_height > *height) *height = from_height;
    }
    BR_TRY(parse_clause(parser, BR_TOKEN_WHERE, &core->where, height));
    if (br_parser_accept(parser, BR_TOKEN_GROUP)) {
        br_ast_list terms = {0};
        BR_TRY(br_parser_expect(parser, BR_TOKEN_BY));
        do {
            BR_TRY(parse_group_term(parser, &terms));
        } while (br_parser_accept(parser, BR_TOKEN_COMMA));
        core->group_by = terms.items;
        core->group_count = terms.count;
        for (uint32_t i = 0; i < terms.count; i++) raise_height(height, terms.items[i]);
    }
    BR_TRY(parse_clause(parser, BR_TOKEN_HAVING, &core->having, height));
    if (br_parser_accept(parser, BR_TOKEN_WINDOW)) BR_TRY(parse_windows(parser, core, height));
    if (!at_qualify(parser)) return BR_OK;
    parser->is_extended = true;
    br_parser_advance(parser);
    BR_TRY(br_parse_expression(parser, &core->qualify));
    raise_height(height, core->qualify);
    return BR_OK;
}

// Behind VALUES: (expressions), ...
static br_status parse_values(br_parser *parser, br_ast_core *core, uint32_t *height)
{
    void *rows = NULL;
    core->is_values = true;
    do {
        br_ast_list row = {0};
        uint32_t offset = parser->token.offset;
        BR_TRY(br_parser_grow(parser, &rows, sizeof(br_ast **), core->row_count));
        BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
        BR_TRY(br_parse_expressions(parser, &row));
        BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
        if (core->row_count > 0 && row.count != core->result_count)
            return br_fail_at(parser->err, BR_SQL, offset,
                              "all VALUES must have the same number of terms");
        for (uint32_t i = 0; i < row.count; i++) raise_height(height, row.items[i]);
        core->result_count = row.count;
        ((br_ast ***)rows)[core->row_count++] = row.items;
    } while (br_parser_accept(parser, BR_TOKEN_COMMA));
    core->rows = rows;
    return BR_OK;
}

// ---- SELECT ----------------------------------------------------------------------------------

static br_status parse_order_and_limit(br_parser *parser, br_ast_select *select, uint32_t *height)
{
    if (br_parser_accept(parser, BR_TOKEN_ORDER)) {
        BR_TRY(br_parser_expect(parser, BR_TOKEN_BY));
        BR_TRY(br_parse_select_order(parser, select));
        for (uint32_t i = 0; i < select->order_count; i++)
            raise_height(height, select->order_by[i].expression);
    }
    if (!br_parser_accept(parser, BR_TOKEN_LIMIT)) return BR_OK;
    BR_TRY(br_parse_expression(parser, &select->limit));
    raise_height(height, select->limit);
    if (br_parser_accept(parser, BR_TOKEN_COMMA)) {
        select->offset_expression = select->limit;
        BR_TRY(br_parse_expression(parser, &select->limit));
        raise_height(height, select->limit);
    } else {
        BR_TRY(parse_clause(parser, BR_TOKEN_OFFSET, &select->offset_expression, height));
    }
    raise_height(height, select->offset_expression);
    return BR_OK;
}

static const char *const compound_names[] = {
    [BR_AST_UNION_ALL] = "UNION ALL",
    [BR_AST_UNION] = "UNION",
    [BR_AST_INTERSECT] = "INTERSECT",
    [BR_AST_EXCEPT] = "EXCEPT",
};

// Consumes an operator between cores; false when there is none.
static bool accept_compound(br_parser *parser, br_ast_compound *out)
{
    if (br_parser_accept(parser, BR_TOKEN_UNION))
        *out = br_parser_accept(parser, BR_TOKEN_ALL) ? BR_AST_UNION_ALL : BR_AST_UNION;
    else if (br_parser_accept(parser, BR_TOKEN_INTERSECT))
        *out = BR_AST_INTERSECT;
    else if (br_parser_accept(parser, BR_TOKEN_EXCEPT))
        *out = BR_AST_EXCEPT;
    else
        return false;
    return true;
}

static br_status parse_one_core(br_parser *parser, br_ast_select *select, br_ast_core *core,
                                uint32_t *height)
{
    core->offset = parser->token.offset;
    if (br_parser_accept(parser, BR_TOKEN_VALUES)) return parse_values(parser, core, height);
    BR_TRY(br_parser_expect(parser, BR_TOKEN_SELECT));
    BR_TRY(parse_core(parser, core, height));
    return parse_order_and_limit(parser, select, height);
}

br_status br_parse_select_body(br_parser *parser, br_ast_select *select)
{
    BR_TRY(br_parser_descend(parser));
    void *cores = NULL, *compounds = NULL;
    uint32_t height = select->height, count = 0;
    select->offset = parser->token.offset;
    for (;;) {
        BR_TRY(br_parser_grow(parser, &cores, sizeof(br_ast_core), count));
        BR_TRY(parse_one_core(parser, select, (br_ast_core *)cores + count++, &height));
        br_ast_compound compound;
        uint32_t offset = parser->token.offset;
        if (!accept_compound(parser, &compound)) break;
        if (select->order_count > 0 || select->limit != NULL)
            return br_fail_at(parser->err, BR_SQL, offset,
                              "%s clause should come before %s not after",
                              select->order_count > 0 ? "ORDER BY" : "LIMIT",
                              compound_names[compound]);
        if (count >= COMPOUND_MAX)
            return br_fail_at(parser->err, BR_SQL, offset, "too many terms in compound SELECT");
        BR_TRY(br_parser_grow(parser, &compounds, sizeof(br_ast_compound), count - 1));
        ((br_ast_compound *)compounds)[count - 1] = compound;
    }
    select->cores = cores;
    select->core_count = count;
    select->compounds = compounds;
    select->height = height + 1;
    parser->depth--;
    return BR_OK;
}

static br_status parse_cte(br_parser *parser, br_ast_cte *cte)
{
    BR_TRY(br_parser_name(parser, &cte->name));
    if (parser->token.kind == BR_TOKEN_LEFT_PAREN)
        BR_TRY(br_parse_names(parser, &cte->columns, &cte->column_count));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_AS));
    if (br_parser_accept(parser, BR_TOKEN_MATERIALIZED)) {
        cte->materialized = 1;
    } else if (br_parser_accept(parser, BR_TOKEN_NOT)) {
        BR_TRY(br_parser_expect(parser, BR_TOKEN_MATERIALIZED));
        cte->materialized = -1;
    }
    BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
    if (!br_parser_at_select(parser)) return br_parser_syntax_error(parser);
    BR_TRY(br_parse_select(parser, &cte->select));
    return br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN);
}

br_status br_parse_with(br_parser *parser, br_ast_select *select)
{
    if (!br_parser_accept(parser, BR_TOKEN_WITH)) return BR_OK;
    select->recursive = br_parser_accept(parser, BR_TOKEN_RECURSIVE);
    void *ctes = NULL;
    do {
        BR_TRY(br_parser_grow(parser, &ctes, sizeof(br_ast_cte), select->cte_count));
        br_ast_cte *cte = (br_ast_cte *)ctes + select->cte_count++;
        BR_TRY(parse_cte(parser, cte));
        if (cte->select->height > select->height) select->height = cte->select->height;
    } while (br_parser_accept(parser, BR_TOKEN_COMMA));
    select->ctes = ctes;
    return BR_OK;
}

br_status br_parse_select(br_parser *parser, br_ast_select **out)
{
    *out = BR_ALLOC(parser->arena, br_ast_select, 1);
    if (*out == NULL) return br_parser_no_memory(parser);
    BR_TRY(br_parser_descend(parser));
    BR_TRY(br_parse_with(parser, *out));
    BR_TRY(br_parse_select_body(parser, *out));
    parser->depth--;
    return BR_OK;
}

// ---- FROM ------------------------------------------------------------------------------------

enum { JOIN_NATURAL = 1, JOIN_LEFT = 2, JOIN_RIGHT = 4, JOIN_OUTER = 8, JOIN_INNER = 16,
       JOIN_CROSS = 32 };

static const struct {
    const char *word;
    uint32_t flags;
} join_words[] = {
    {"natural", JOIN_NATURAL},          {"left", JOIN_LEFT | JOIN_OUTER},
    {"right", JOIN_RIGHT | JOIN_OUTER}, {"full", JOIN_LEFT | JOIN_RIGHT | JOIN_OUTER},
    {"outer", JOIN_OUTER},              {"inner", JOIN_INNER},
    {"cross", JOIN_INNER | JOIN_CROSS},
};

static uint32_t join_word_flags(const char *word)
{
    for (uint32_t i = 0; i < sizeof join_words / sizeof join_words[0]; i++)
        if (strcasecmp(join_words[i].word, word) == 0) return join_words[i].flags;
    return 0;
}

// One to three words and JOIN: in any order that makes sense together, as in SQLite.
static br_status parse_join_words(br_parser *parser, br_ast_source *join)
{
    uint32_t flags = 0, start = parser->token.offset;
    bool is_known = true;
    for (uint32_t i = 0; i < 3 && parser->token.kind != BR_TOKEN_JOIN; i++) {
        const char *word;
        BR_TRY(br_parser_name(parser, &word));
        is_known = is_known && join_word_flags(word) != 0;
        flags |= join_word_flags(word);
    }
    uint32_t size = parser->consumed_end - start;
    BR_TRY(br_parser_expect(parser, BR_TOKEN_JOIN));
    bool is_outer = (flags & JOIN_OUTER) != 0;
    if (!is_known || (is_outer && (flags & JOIN_INNER) != 0) ||
        (is_outer && (flags & (JOIN_LEFT | JOIN_RIGHT)) == 0))
        return br_fail_at(parser->err, BR_SQL, start, "unknown join type: %.*s",
                          (int)(size < 100 ? size : 100), parser->lexer.text + start);
    bool is_left = (flags & JOIN_LEFT) != 0, is_right = (flags & JOIN_RIGHT) != 0;
    join->natural = (flags & JOIN_NATURAL) != 0;
    join->join = is_left && is_right            ? BR_AST_JOIN_FULL
                 : is_left                      ? BR_AST_JOIN_LEFT
                 : is_right                     ? BR_AST_JOIN_RIGHT
                 : (flags & JOIN_CROSS) != 0 ? BR_AST_JOIN_CROSS
                                                : BR_AST_JOIN_INNER;
    return BR_OK;
}

// INDEXED BY name, NOT INDEXED: hints to SQLite's planner.
static br_status parse_index_hint(br_parser *parser, br_ast_source *source)
{
    if (br_parser_accept(parser, BR_TOKEN_NOT)) return br_parser_expect(parser, BR_TOKEN_INDEXED);
    if (!br_parser_accept(parser, BR_TOKEN_INDEXED)) return BR_OK;
    BR_TRY(br_parser_expect(parser, BR_TOKEN_BY));
    return br_parser_name(parser, &source->index_name);
}

static br_status parse_table(br_parser *parser, br_ast_source *source, uint32_t *height)
{
    br_ast_list args = {0};
    source->kind = BR_AST_SOURCE_TABLE;
    BR_TRY(br_parser_name(parser, &source->name));
    if (br_parser_accept(parser, BR_TOKEN_DOT)) {
        source->schema = source->name;
        BR_TRY(br_parser_name(parser, &source->name));
    }
    if (br_parser_at_history(parser)) {
        BR_TRY(br_parse_history(parser, source, height));
        return parse_alias(parser, &source->alias);
    }
    if (!br_parser_accept(parser, BR_TOKEN_LEFT_PAREN)) {
        BR_TRY(parse_alias(parser, &source->alias));
        return parse_index_hint(parser, source);
    }
    source->kind = BR_AST_SOURCE_FUNCTION;
    if (parser->token.kind != BR_TOKEN_RIGHT_PAREN) BR_TRY(br_parse_expressions(parser, &args));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    source->args = args.items;
    source->arg_count = args.count;
    for (uint32_t i = 0; i < args.count; i++) raise_height(height, args.items[i]);
    BR_TRY(br_parse_changes(parser, source));
    return parse_alias(parser, &source->alias);
}

// A table, a table-valued function, (SELECT), or a join in parentheses; without its ON or USING.
static br_status parse_source(br_parser *parser, br_ast_source **out, uint32_t *height)
{
    br_ast_source *source = BR_ALLOC(parser->arena, br_ast_source, 1);
    if (source == NULL) return br_parser_no_memory(parser);
    *out = source;
    source->offset = parser->token.offset;
    if (!br_parser_accept(parser, BR_TOKEN_LEFT_PAREN)) return parse_table(parser, source, height);

    BR_TRY(br_parser_descend(parser));
    const char *alias = NULL;
    uint32_t inner_height = 0;
    if (br_parser_at_select(parser)) {
        source->kind = BR_AST_SOURCE_SELECT;
        BR_TRY(br_parse_select(parser, &source->select));
        inner_height = source->select->height;
    } else {
        BR_TRY(br_parse_from(parser, out, &inner_height));
    }
    BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    BR_TRY(parse_alias(parser, &alias));
    if (alias != NULL) (*out)->alias = alias;
    if (inner_height > *height) *height = inner_height;
    parser->depth--;
    return BR_OK;
}

static br_status parse_on_using(br_parser *parser, br_ast_source *join, uint32_t *height)
{
    uint32_t offset = parser->token.offset;
    if (br_parser_accept(parser, BR_TOKEN_ON)) {
        BR_TRY(br_parse_expression(parser, &join->on));
        raise_height(height, join->on);
    } else if (br_parser_accept(parser, BR_TOKEN_USING)) {
        BR_TRY(br_parse_names(parser, &join->using_columns, &join->using_count));
    } else {
        return BR_OK;
    }
    if (join->natural)
        return br_fail_at(parser->err, BR_SQL, offset,
                          "a NATURAL join may not have an ON or USING clause");
    if (join->join == BR_AST_JOIN_COMMA) join->join = BR_AST_JOIN_INNER;
    return BR_OK;
}

br_status br_parse_from(br_parser *parser, br_ast_source **out, uint32_t *height_out)
{
    br_ast_source *left;
    BR_TRY(parse_source(parser, &left, height_out));
    if (parser->token.kind == BR_TOKEN_ON || parser->token.kind == BR_TOKEN_USING)
        return br_fail_at(parser->err, BR_SQL, parser->token.offset,
                          "a JOIN clause is required before %s",
                          parser->token.kind == BR_TOKEN_ON ? "ON" : "USING");
    for (uint32_t terms = 1;; terms++) {
        bool is_comma = parser->token.kind == BR_TOKEN_COMMA;
        bool is_join =
            parser->token.kind == BR_TOKEN_JOIN || br_token_is_join(parser->token.kind);
        if (!is_comma && !is_join) break;
        if (terms >= FROM_TERMS_MAX)
            return br_fail_at(parser->err, BR_SQL, parser->token.offset,
                              "too many FROM clause terms, max: %d", FROM_TERMS_MAX);
        br_ast_source *join = BR_ALLOC(parser->arena, br_ast_source, 1);
        if (join == NULL) return br_parser_no_memory(parser);
        *join = (br_ast_source){.kind = BR_AST_SOURCE_JOIN, .offset = left->offset, .left = left,
                                .join = is_comma ? BR_AST_JOIN_COMMA : BR_AST_JOIN_INNER};
        if (is_comma)
            br_parser_advance(parser);
        else
            BR_TRY(parse_join_words(parser, join));
        BR_TRY(parse_source(parser, &join->right, height_out));
        BR_TRY(parse_on_using(parser, join, height_out));
        left = join;
    }
    *out = left;
    return BR_OK;
}
