// ORDER BY terms and window definitions.
// SPDX-License-Identifier: Apache-2.0
#include "sql/parser.h"

static br_status parse_order_all(br_parser *parser, br_ast **out)
{
    BR_TRY(br_parser_node(parser, BR_AST_LITERAL, parser->token.offset, out));
    (*out)->value = br_value_int(1);
    parser->is_extended = true;
    br_parser_advance(parser);
    return BR_OK;
}

static br_status parse_order_term(br_parser *parser, br_ast_order *term, bool may_be_all)
{
    if (may_be_all && parser->token.kind == BR_TOKEN_ALL)
        BR_TRY(parse_order_all(parser, &term->expression));
    else
        BR_TRY(br_parse_expression(parser, &term->expression));
    term->descending = br_parser_accept(parser, BR_TOKEN_DESC);
    if (!term->descending) br_parser_accept(parser, BR_TOKEN_ASC);
    if (!br_parser_accept(parser, BR_TOKEN_NULLS)) return BR_OK;
    if (br_parser_accept(parser, BR_TOKEN_FIRST)) {
        term->nulls = -1;
        return BR_OK;
    }
    term->nulls = 1;
    return br_parser_expect(parser, BR_TOKEN_LAST);
}

static br_status parse_order_terms(br_parser *parser, bool may_be_all, br_ast_order **terms_out,
                                   uint32_t *count_out)
{
    void *terms = NULL;
    uint32_t count = 0;
    do {
        BR_TRY(br_parser_grow(parser, &terms, sizeof(br_ast_order), count));
        BR_TRY(parse_order_term(parser, (br_ast_order *)terms + count++, may_be_all));
    } while (!may_be_all && br_parser_accept(parser, BR_TOKEN_COMMA));
    *terms_out = terms;
    *count_out = count;
    return BR_OK;
}

br_status br_parse_order(br_parser *parser, br_ast_order **terms_out, uint32_t *count_out)
{
    return parse_order_terms(parser, false, terms_out, count_out);
}

br_status br_parse_select_order(br_parser *parser, br_ast_select *select)
{
    select->order_all = parser->token.kind == BR_TOKEN_ALL;
    return parse_order_terms(parser, select->order_all, &select->order_by, &select->order_count);
}

uint32_t br_ast_order_height(const br_ast_order *terms, uint32_t count)
{
    uint32_t height = 0;
    for (uint32_t i = 0; i < count; i++)
        if (terms[i].expression->height > height) height = terms[i].expression->height;
    return height;
}

uint32_t br_ast_window_height(const br_ast_window *window)
{
    uint32_t height = br_ast_order_height(window->order_by, window->order_count);
    for (uint32_t i = 0; i < window->partition_count; i++)
        if (window->partition_by[i]->height > height) height = window->partition_by[i]->height;
    const br_ast *offsets[2] = {window->start_offset, window->end_offset};
    for (uint32_t i = 0; i < 2; i++)
        if (offsets[i] != NULL && offsets[i]->height > height) height = offsets[i]->height;
    return height;
}

// UNBOUNDED PRECEDING (a start) or FOLLOWING (an end), CURRENT ROW, n PRECEDING, n FOLLOWING.
static br_status parse_bound(br_parser *parser, bool is_end, br_ast_bound *bound_out,
                             br_ast **offset_out)
{
    if (br_parser_accept(parser, BR_TOKEN_UNBOUNDED)) {
        *bound_out = is_end ? BR_AST_UNBOUNDED_FOLLOWING : BR_AST_UNBOUNDED_PRECEDING;
        return br_parser_expect(parser, is_end ? BR_TOKEN_FOLLOWING : BR_TOKEN_PRECEDING);
    }
    if (br_parser_accept(parser, BR_TOKEN_CURRENT)) {
        *bound_out = BR_AST_CURRENT_ROW;
        return br_parser_expect(parser, BR_TOKEN_ROW);
    }
    BR_TRY(br_parse_expression(parser, offset_out));
    *bound_out = BR_AST_PRECEDING;
    if (br_parser_accept(parser, BR_TOKEN_PRECEDING)) return BR_OK;
    *bound_out = BR_AST_FOLLOWING;
    return br_parser_expect(parser, BR_TOKEN_FOLLOWING);
}

static br_status parse_exclude(br_parser *parser, br_ast_window *window)
{
    if (!br_parser_accept(parser, BR_TOKEN_EXCLUDE)) return BR_OK;
    window->has_exclude = true;
    if (br_parser_accept(parser, BR_TOKEN_NO)) return br_parser_expect(parser, BR_TOKEN_OTHERS);
    if (br_parser_accept(parser, BR_TOKEN_CURRENT)) {
        window->exclude = 1;
        return br_parser_expect(parser, BR_TOKEN_ROW);
    }
    window->exclude = 2;
    if (br_parser_accept(parser, BR_TOKEN_GROUP)) return BR_OK;
    window->exclude = 3;
    return br_parser_expect(parser, BR_TOKEN_TIES);
}

static br_status parse_frame(br_parser *parser, br_ast_window *window)
{
    window->end = BR_AST_CURRENT_ROW;
    window->start = BR_AST_UNBOUNDED_PRECEDING;
    uint32_t offset = parser->token.offset;
    switch (parser->token.kind) {
    case BR_TOKEN_RANGE: window->frame_unit = 0; break;
    case BR_TOKEN_ROWS: window->frame_unit = 1; break;
    case BR_TOKEN_GROUPS: window->frame_unit = 2; break;
    default: return BR_OK;
    }
    br_parser_advance(parser);
    window->has_frame = true;
    bool has_end = br_parser_accept(parser, BR_TOKEN_BETWEEN);
    BR_TRY(parse_bound(parser, false, &window->start, &window->start_offset));
    if (has_end) {
        BR_TRY(br_parser_expect(parser, BR_TOKEN_AND));
        BR_TRY(parse_bound(parser, true, &window->end, &window->end_offset));
    }
    BR_TRY(parse_exclude(parser, window));
    bool is_backward =
        (window->start == BR_AST_CURRENT_ROW && window->end == BR_AST_PRECEDING) ||
        (window->start == BR_AST_FOLLOWING &&
         (window->end == BR_AST_PRECEDING || window->end == BR_AST_CURRENT_ROW));
    if (is_backward)
        return br_fail_at(parser->err, BR_SQL, offset, "unsupported frame specification");
    return BR_OK;
}

static bool at_window_clause(const br_parser *parser)
{
    switch (parser->token.kind) {
    case BR_TOKEN_PARTITION:
    case BR_TOKEN_ORDER:
    case BR_TOKEN_RANGE:
    case BR_TOKEN_ROWS:
    case BR_TOKEN_GROUPS:
    case BR_TOKEN_RIGHT_PAREN: return true;
    default: return false;
    }
}

br_status br_parse_window(br_parser *parser, br_ast_window **out)
{
    br_ast_window *window = BR_ALLOC(parser->arena, br_ast_window, 1);
    if (window == NULL) return br_parser_no_memory(parser);
    *out = window;
    BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
    if (!at_window_clause(parser)) BR_TRY(br_parser_name(parser, &window->base_name));
    if (br_parser_accept(parser, BR_TOKEN_PARTITION)) {
        br_ast_list terms = {0};
        BR_TRY(br_parser_expect(parser, BR_TOKEN_BY));
        BR_TRY(br_parse_expressions(parser, &terms));
        window->partition_by = terms.items;
        window->partition_count = terms.count;
    }
    if (br_parser_accept(parser, BR_TOKEN_ORDER)) {
        BR_TRY(br_parser_expect(parser, BR_TOKEN_BY));
        BR_TRY(br_parse_order(parser, &window->order_by, &window->order_count));
    }
    BR_TRY(parse_frame(parser, window));
    return br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN);
}
