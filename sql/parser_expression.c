// Expressions by precedence climbing. SQLite's grammar is ambiguous and resolved by precedence, so
// the levels below and the places where NOT and AND stop are its %left and %right lines read
// closely: a NOT behind an operand binds as loosely as one before it, and the first AND behind
// BETWEEN is BETWEEN's.
// SPDX-License-Identifier: Apache-2.0
#include "sql/parser.h"

#include <string.h>
#include <strings.h>

typedef enum level {
    LEVEL_NONE, LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_EQUAL, LEVEL_COMPARE, LEVEL_BITS,
    LEVEL_SUM, LEVEL_PRODUCT, LEVEL_CONCAT, LEVEL_COLLATE,
} level;

typedef struct infix {
    uint8_t level;
    uint8_t operator_;  // NONE: it has a form of its own
} infix;

static const infix infixes[BR_TOKEN_COUNT] = {
    [BR_TOKEN_OR] = {LEVEL_OR, BR_AST_OP_OR},
    [BR_TOKEN_AND] = {LEVEL_AND, BR_AST_OP_AND},
    [BR_TOKEN_NOT] = {LEVEL_NOT, BR_AST_OP_NONE},
    [BR_TOKEN_IS] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_LIKE] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_GLOB] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_REGEXP] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_MATCH] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_BETWEEN] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_IN] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_ISNULL] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_NOTNULL] = {LEVEL_EQUAL, BR_AST_OP_NONE},
    [BR_TOKEN_EQ] = {LEVEL_EQUAL, BR_AST_OP_EQ},
    [BR_TOKEN_NE] = {LEVEL_EQUAL, BR_AST_OP_NE},
    [BR_TOKEN_LT] = {LEVEL_COMPARE, BR_AST_OP_LT},
    [BR_TOKEN_LE] = {LEVEL_COMPARE, BR_AST_OP_LE},
    [BR_TOKEN_GT] = {LEVEL_COMPARE, BR_AST_OP_GT},
    [BR_TOKEN_GE] = {LEVEL_COMPARE, BR_AST_OP_GE},
    [BR_TOKEN_AMPERSAND] = {LEVEL_BITS, BR_AST_OP_BIT_AND},
    [BR_TOKEN_BAR] = {LEVEL_BITS, BR_AST_OP_BIT_OR},
    [BR_TOKEN_SHIFT_LEFT] = {LEVEL_BITS, BR_AST_OP_SHIFT_LEFT},
    [BR_TOKEN_SHIFT_RIGHT] = {LEVEL_BITS, BR_AST_OP_SHIFT_RIGHT},
    [BR_TOKEN_PLUS] = {LEVEL_SUM, BR_AST_OP_ADD},
    [BR_TOKEN_MINUS] = {LEVEL_SUM, BR_AST_OP_SUB},
    [BR_TOKEN_STAR] = {LEVEL_PRODUCT, BR_AST_OP_MUL},
    [BR_TOKEN_SLASH] = {LEVEL_PRODUCT, BR_AST_OP_DIV},
    [BR_TOKEN_PERCENT] = {LEVEL_PRODUCT, BR_AST_OP_MOD},
    [BR_TOKEN_CONCAT] = {LEVEL_CONCAT, BR_AST_OP_CONCAT},
    [BR_TOKEN_ARROW] = {LEVEL_CONCAT, BR_AST_OP_JSON},
    [BR_TOKEN_ARROW_TEXT] = {LEVEL_CONCAT, BR_AST_OP_JSON_TEXT},
    [BR_TOKEN_COLLATE] = {LEVEL_COLLATE, BR_AST_OP_NONE},
};

static br_status parse_climb(br_parser *parser, level level_min, bool stops_at_and, br_ast **out);
static br_status parse_prefix(br_parser *parser, br_ast **out);
static br_status parse_special(br_parser *parser, br_ast *left, br_ast **out);

br_status br_parse_expression(br_parser *parser, br_ast **out)
{
    return parse_climb(parser, LEVEL_OR, false, out);
}

br_status br_parse_expressions(br_parser *parser, br_ast_list *list)
{
    do {
        br_ast *item;
        BR_TRY(br_parse_expression(parser, &item));
        BR_TRY(br_parser_push(parser, list, item));
    } while (br_parser_accept(parser, BR_TOKEN_COMMA));
    return BR_OK;
}

// A node over the list's first `count` items.
static br_status make_node(br_parser *parser, br_ast_kind kind, br_ast_operator operator_,
                           br_ast **items, uint32_t count, br_ast **out)
{
    br_ast_list args = {0};
    for (uint32_t i = 0; i < count; i++) BR_TRY(br_parser_push(parser, &args, items[i]));
    BR_TRY(br_parser_node(parser, kind, items[0]->offset, out));
    (*out)->operator_ = operator_;
    return br_parser_finish(parser, *out, args, 0);
}

// Operands and operators of at least `level_min`.
static br_status parse_climb(br_parser *parser, level level_min, bool stops_at_and, br_ast **out)
{
    br_ast *left;
    BR_TRY(parse_prefix(parser, &left));
    for (;;) {
        infix operator_ = infixes[parser->token.kind];
        if (operator_.level < level_min || operator_.level == LEVEL_NONE) break;
        if (stops_at_and && operator_.level == LEVEL_AND) break;
        if (operator_.operator_ == BR_AST_OP_NONE) {
            BR_TRY(parse_special(parser, left, &left));
            continue;
        }
        br_parser_advance(parser);
        br_ast *operands[2] = {left};
        BR_TRY(parse_climb(parser, operator_.level + 1, false, &operands[1]));
        BR_TRY(make_node(parser, BR_AST_BINARY, operator_.operator_, operands, 2, &left));
    }
    *out = left;
    return BR_OK;
}

// ---- behind an operand -----------------------------------------------------------------------

static br_status parse_is(br_parser *parser, br_ast *left, br_ast **out)
{
    bool negated = br_parser_accept(parser, BR_TOKEN_NOT);
    if (br_parser_accept(parser, BR_TOKEN_DISTINCT)) {
        BR_TRY(br_parser_expect(parser, BR_TOKEN_FROM));
        negated = !negated;
    }
    br_ast *operands[2] = {left};
    BR_TRY(parse_climb(parser, LEVEL_EQUAL + 1, false, &operands[1]));
    return make_node(parser, BR_AST_BINARY, negated ? BR_AST_OP_IS_NOT : BR_AST_OP_IS, operands,
                     2, out);
}

static br_status parse_like(br_parser *parser, br_ast *left, br_token_kind kind, br_ast **out)
{
    br_ast_operator operator_ = kind == BR_TOKEN_LIKE     ? BR_AST_OP_LIKE
                                : kind == BR_TOKEN_GLOB   ? BR_AST_OP_GLOB
                                : kind == BR_TOKEN_REGEXP ? BR_AST_OP_REGEXP
                                                          : BR_AST_OP_MATCH;
    br_ast *operands[3] = {left};
    uint32_t count = 2;
    BR_TRY(parse_climb(parser, LEVEL_EQUAL + 1, false, &operands[1]));
    if (br_parser_accept(parser, BR_TOKEN_ESCAPE)) {
        BR_TRY(parse_climb(parser, LEVEL_EQUAL + 1, false, &operands[2]));
        count = 3;
    }
    return make_node(parser, BR_AST_LIKE, operator_, operands, count, out);
}

br_status br_parse_before_and(br_parser *parser, br_ast **out)
{
    return parse_climb(parser, LEVEL_OR, true, out);
}

static br_status parse_between(br_parser *parser, br_ast *left, br_ast **out)
{
    br_ast *operands[3] = {left};
    BR_TRY(br_parse_before_and(parser, &operands[1]));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_AND));
    BR_TRY(parse_climb(parser, LEVEL_EQUAL + 1, false, &operands[2]));
    return make_node(parser, BR_AST_BETWEEN, BR_AST_OP_NONE, operands, 3, out);
}

// name(arguments): a table-valued function, as SELECT * FROM name(arguments).
static br_status parse_in_function(br_parser *parser, br_ast *in)
{
    br_ast_select *select = BR_ALLOC(parser->arena, br_ast_select, 1);
    br_ast_core *core = BR_ALLOC(parser->arena, br_ast_core, 1);
    br_ast_source *source = BR_ALLOC(parser->arena, br_ast_source, 1);
    br_ast_result *result = BR_ALLOC(parser->arena, br_ast_result, 1);
    if (select == NULL || core == NULL || source == NULL || result == NULL)
        return br_parser_no_memory(parser);
    br_ast_list args = {0};
    if (parser->token.kind != BR_TOKEN_RIGHT_PAREN) BR_TRY(br_parse_expressions(parser, &args));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    BR_TRY(br_parser_node(parser, BR_AST_STAR, in->offset, &result->expression));
    *source = (br_ast_source){.kind = BR_AST_SOURCE_FUNCTION, .offset = in->offset,
                              .schema = in->schema, .name = in->name,
                              .arg_count = args.count, .args = args.items};
    *core = (br_ast_core){.result_count = 1, .results = result, .from = source,
                          .offset = in->offset};
    *select = (br_ast_select){.core_count = 1, .cores = core, .offset = in->offset, .height = 2};
    for (uint32_t i = 0; i < args.count; i++)
        if (args.items[i]->height >= select->height) select->height = args.items[i]->height + 1;
    in->select = select;
    in->schema = in->name = NULL;
    return BR_OK;
}

static br_status parse_in(br_parser *parser, br_ast *left, br_ast **out)
{
    br_ast_list args = {0};
    BR_TRY(br_parser_node(parser, BR_AST_IN, left->offset, out));
    br_ast *in = *out;
    BR_TRY(br_parser_push(parser, &args, left));
    if (!br_parser_accept(parser, BR_TOKEN_LEFT_PAREN)) {
        BR_TRY(br_parser_name(parser, &in->name));
        if (br_parser_accept(parser, BR_TOKEN_DOT)) {
            in->schema = in->name;
            BR_TRY(br_parser_name(parser, &in->name));
        }
        if (br_parser_accept(parser, BR_TOKEN_LEFT_PAREN)) BR_TRY(parse_in_function(parser, in));
        return br_parser_finish(parser, in, args, in->select != NULL ? in->select->height : 0);
    }
    if (br_parser_at_select(parser))
        BR_TRY(br_parse_select(parser, &in->select));
    else if (parser->token.kind != BR_TOKEN_RIGHT_PAREN)
        BR_TRY(br_parse_expressions(parser, &args));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    return br_parser_finish(parser, in, args, in->select != NULL ? in->select->height : 0);
}

static br_status parse_collate(br_parser *parser, br_ast *left, br_ast **out)
{
    br_token token = parser->token;
    const char *name;
    bool is_name = (br_token_is_id(token.kind) && token.kind != BR_TOKEN_INDEXED) ||
                   token.kind == BR_TOKEN_STRING;
    if (!is_name) return br_parser_syntax_error(parser);
    BR_TRY(br_parser_name(parser, &name));
    BR_TRY(make_node(parser, BR_AST_COLLATE, BR_AST_OP_NONE, &left, 1, out));
    (*out)->name = name;
    return BR_OK;
}

// IS, [NOT] IN, LIKE, BETWEEN, NULL, ISNULL, COLLATE behind `left`.
static br_status parse_special(br_parser *parser, br_ast *left, br_ast **out)
{
    bool negated = br_parser_accept(parser, BR_TOKEN_NOT);
    br_token_kind kind = parser->token.kind;
    bool may_be_negated = kind == BR_TOKEN_IN || kind == BR_TOKEN_BETWEEN ||
                          kind == BR_TOKEN_NULL || kind == BR_TOKEN_LIKE ||
                          kind == BR_TOKEN_GLOB || kind == BR_TOKEN_REGEXP ||
                          kind == BR_TOKEN_MATCH;
    if (negated && !may_be_negated) return br_parser_syntax_error(parser);
    br_parser_advance(parser);
    BR_TRY(br_parser_descend(parser));  // x IN (x IN (...)), x BETWEEN x BETWEEN ...
    switch (kind) {
    case BR_TOKEN_IS: BR_TRY(parse_is(parser, left, out)); break;
    case BR_TOKEN_COLLATE: BR_TRY(parse_collate(parser, left, out)); break;
    case BR_TOKEN_IN: BR_TRY(parse_in(parser, left, out)); break;
    case BR_TOKEN_BETWEEN: BR_TRY(parse_between(parser, left, out)); break;
    case BR_TOKEN_ISNULL:
    case BR_TOKEN_NOTNULL:
    case BR_TOKEN_NULL:
        BR_TRY(make_node(parser, BR_AST_IS_NULL, BR_AST_OP_NONE, &left, 1, out));
        negated = kind != BR_TOKEN_ISNULL;
        break;
    default: BR_TRY(parse_like(parser, left, kind, out)); break;
    }
    parser->depth--;
    (*out)->negated = negated;
    return BR_OK;
}

// ---- functions -------------------------------------------------------------------------------

static br_status parse_call_arguments(br_parser *parser, br_ast *call, br_ast_list *args)
{
    if (br_parser_accept(parser, BR_TOKEN_STAR)) {
        call->is_star = true;
        return br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN);
    }
    call->distinct = br_parser_accept(parser, BR_TOKEN_DISTINCT);
    if (!call->distinct) br_parser_accept(parser, BR_TOKEN_ALL);
    if (parser->token.kind != BR_TOKEN_RIGHT_PAREN) BR_TRY(br_parse_expressions(parser, args));
    if (args->count > BR_PARSER_ARGUMENTS_MAX)
        return br_fail_at(parser->err, BR_SQL, call->offset, "too many arguments on function %s",
                          call->name);
    if (args->count > 0 && br_parser_accept(parser, BR_TOKEN_ORDER)) {
        BR_TRY(br_parser_expect(parser, BR_TOKEN_BY));
        BR_TRY(br_parse_order(parser, &call->order_by, &call->order_count));
        parser->is_extended = true;  // SQLite's has it from 3.44 on
    }
    return br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN);
}

// FILTER (WHERE condition), OVER name, OVER (window)
static br_status parse_call_suffix(br_parser *parser, br_ast *call)
{
    if (br_parser_accept(parser, BR_TOKEN_FILTER)) {
        BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
        BR_TRY(br_parser_expect(parser, BR_TOKEN_WHERE));
        BR_TRY(br_parse_expression(parser, &call->filter));
        BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    }
    if (!br_parser_accept(parser, BR_TOKEN_OVER)) return BR_OK;
    if (parser->token.kind == BR_TOKEN_LEFT_PAREN) return br_parse_window(parser, &call->window);
    call->window = BR_ALLOC(parser->arena, br_ast_window, 1);
    if (call->window == NULL) return br_parser_no_memory(parser);
    call->window->is_reference = true;
    return br_parser_name(parser, &call->window->name);
}

static uint32_t max_height(uint32_t left, uint32_t right)
{
    return left > right ? left : right;
}

static br_status parse_call(br_parser *parser, br_token name, br_ast **out)
{
    br_ast_list args = {0};
    BR_TRY(br_parser_descend(parser));
    BR_TRY(br_parser_node(parser, BR_AST_FUNCTION, name.offset, out));
    br_ast *call = *out;
    BR_TRY(br_parser_name_text(parser, name, &call->name));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
    BR_TRY(parse_call_arguments(parser, call, &args));
    BR_TRY(parse_call_suffix(parser, call));
    parser->depth--;
    uint32_t height = br_ast_order_height(call->order_by, call->order_count);
    if (call->filter != NULL) height = max_height(height, call->filter->height);
    if (call->window != NULL) height = max_height(height, br_ast_window_height(call->window));
    return br_parser_finish(parser, call, args, height);
}

// ---- operands --------------------------------------------------------------------------------

static bool is_truth_word(const char *name)
{
    return strcasecmp(name, "true") == 0 || strcasecmp(name, "false") == 0;
}

static br_status parse_name(br_parser *parser, br_ast **out)
{
    br_token first = parser->token;
    br_parser_advance(parser);
    if (parser->token.kind == BR_TOKEN_LEFT_PAREN && br_token_is_id(first.kind))
        return parse_call(parser, first, out);

    const char *parts[3];
    uint32_t count = 1;
    BR_TRY(br_parser_name_text(parser, first, &parts[0]));
    while (count < 3 && br_parser_accept(parser, BR_TOKEN_DOT))
        BR_TRY(br_parser_name(parser, &parts[count++]));
    BR_TRY(br_parser_node(parser, BR_AST_NAME, first.offset, out));
    br_ast *name = *out;
    char delimiter = parser->lexer.text[first.offset];
    name->name = parts[count - 1];
    name->table = count > 1 ? parts[count - 2] : NULL;
    name->schema = count > 2 ? parts[0] : NULL;
    name->quoted = count == 1 && delimiter == '"';
    if (count == 1 && first.size == strlen(name->name) && is_truth_word(name->name)) {
        name->kind = BR_AST_LITERAL;
        name->value = br_value_int(strcasecmp(name->name, "true") == 0);
    }
    return BR_OK;
}

static br_status parse_current_time(br_parser *parser, br_ast **out)
{
    br_token_kind kind = parser->token.kind;
    br_ast *now;
    br_ast_list args = {0};
    br_parser_advance(parser);
    uint32_t offset = parser->consumed_end;
    BR_TRY(br_parser_node(parser, BR_AST_LITERAL, offset, &now));
    now->value = br_value_text(br_text_make("now", 3));
    BR_TRY(br_parser_push(parser, &args, now));
    BR_TRY(br_parser_node(parser, BR_AST_FUNCTION, offset, out));
    (*out)->name = kind == BR_TOKEN_CURRENT_DATE   ? "date"
                   : kind == BR_TOKEN_CURRENT_TIME ? "time"
                                                   : "datetime";
    return br_parser_finish(parser, *out, args, 0);
}

// ( expression ), ( SELECT ), or a row value. Offsets include the parentheses.
static br_status parse_parenthesised(br_parser *parser, br_ast **out)
{
    uint32_t offset = parser->token.offset;
    br_ast_list items = {0};
    br_parser_advance(parser);
    if (br_parser_at_select(parser)) {
        br_ast_select *select;
        BR_TRY(br_parse_select(parser, &select));
        BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
        BR_TRY(br_parser_node(parser, BR_AST_SUBQUERY, offset, out));
        (*out)->select = select;
        return br_parser_finish(parser, *out, items, select->height);
    }
    BR_TRY(br_parse_expressions(parser, &items));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    if (items.count > 1) {
        BR_TRY(br_parser_node(parser, BR_AST_ROW, offset, out));
        return br_parser_finish(parser, *out, items, 0);
    }
    *out = items.items[0];
    (*out)->offset = offset;
    (*out)->end = parser->consumed_end;
    return BR_OK;
}

static br_status parse_exists(br_parser *parser, br_ast **out)
{
    uint32_t offset = parser->token.offset;
    br_parser_advance(parser);
    BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
    br_ast_select *select;
    if (!br_parser_at_select(parser)) return br_parser_syntax_error(parser);
    BR_TRY(br_parse_select(parser, &select));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    BR_TRY(br_parser_node(parser, BR_AST_EXISTS, offset, out));
    (*out)->select = select;
    return br_parser_finish(parser, *out, (br_ast_list){0}, select->height);
}

static br_status parse_case(br_parser *parser, br_ast **out)
{
    uint32_t offset = parser->token.offset;
    br_ast_list args = {0};
    br_ast *item;
    br_parser_advance(parser);
    bool has_base = parser->token.kind != BR_TOKEN_WHEN;
    if (has_base) {
        BR_TRY(br_parse_expression(parser, &item));
        BR_TRY(br_parser_push(parser, &args, item));
    }
    do {
        BR_TRY(br_parser_expect(parser, BR_TOKEN_WHEN));
        BR_TRY(br_parse_expression(parser, &item));
        BR_TRY(br_parser_push(parser, &args, item));
        BR_TRY(br_parser_expect(parser, BR_TOKEN_THEN));
        BR_TRY(br_parse_expression(parser, &item));
        BR_TRY(br_parser_push(parser, &args, item));
    } while (parser->token.kind == BR_TOKEN_WHEN);
    bool has_else = br_parser_accept(parser, BR_TOKEN_ELSE);
    if (has_else) {
        BR_TRY(br_parse_expression(parser, &item));
        BR_TRY(br_parser_push(parser, &args, item));
    }
    BR_TRY(br_parser_expect(parser, BR_TOKEN_END_KEYWORD));
    BR_TRY(br_parser_node(parser, BR_AST_CASE, offset, out));
    (*out)->has_base = has_base;
    (*out)->has_else = has_else;
    return br_parser_finish(parser, *out, args, 0);
}

// A type: names, then perhaps (n) or (n, m). Kept as its text.
static br_status parse_type_name(br_parser *parser, const char **name_out)
{
    uint32_t start = parser->token.offset, end = start;
    while ((br_token_is_id(parser->token.kind) && parser->token.kind != BR_TOKEN_INDEXED) ||
           parser->token.kind == BR_TOKEN_STRING) {
        br_parser_advance(parser);
        end = parser->consumed_end;
    }
    if (end > start && br_parser_accept(parser, BR_TOKEN_LEFT_PAREN)) {
        for (uint32_t i = 0; i < 2; i++) {
            if (!br_parser_accept(parser, BR_TOKEN_PLUS)) br_parser_accept(parser, BR_TOKEN_MINUS);
            if (!br_parser_accept(parser, BR_TOKEN_INTEGER))
                BR_TRY(br_parser_expect(parser, BR_TOKEN_FLOAT));
            if (i == 1 || !br_parser_accept(parser, BR_TOKEN_COMMA)) break;
        }
        BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
        end = parser->consumed_end;
    }
    *name_out = br_arena_copy_text(parser->arena, parser->lexer.text + start, end - start);
    return *name_out != NULL ? BR_OK : br_parser_no_memory(parser);
}

static br_status parse_cast(br_parser *parser, br_ast **out)
{
    uint32_t offset = parser->token.offset;
    br_ast *operand;
    const char *type_name;
    br_parser_advance(parser);
    BR_TRY(br_parser_expect(parser, BR_TOKEN_LEFT_PAREN));
    BR_TRY(br_parse_expression(parser, &operand));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_AS));
    BR_TRY(parse_type_name(parser, &type_name));
    BR_TRY(br_parser_expect(parser, BR_TOKEN_RIGHT_PAREN));
    BR_TRY(make_node(parser, BR_AST_CAST, BR_AST_OP_NONE, &operand, 1, out));
    (*out)->offset = offset;
    (*out)->name = type_name;
    return BR_OK;
}

// NOT, -, +, ~ before an operand.
static br_status parse_unary(br_parser *parser, br_ast **out)
{
    br_token token = parser->token;
    br_ast *operand;
    br_parser_advance(parser);
    if (token.kind == BR_TOKEN_NOT)
        BR_TRY(parse_climb(parser, LEVEL_NOT, false, &operand));
    else
        BR_TRY(parse_prefix(parser, &operand));
    // 9223372036854775808 is a real number, but its negation is an integer.
    if (token.kind == BR_TOKEN_MINUS && operand == parser->int_min) {
        operand->value = br_value_int(INT64_MIN);
        parser->int_min = NULL;
        operand->offset = token.offset;
        *out = operand;
        return BR_OK;
    }
    br_ast_operator operator_ = token.kind == BR_TOKEN_NOT     ? BR_AST_OP_NOT
                                : token.kind == BR_TOKEN_MINUS ? BR_AST_OP_MINUS
                                : token.kind == BR_TOKEN_PLUS  ? BR_AST_OP_PLUS
                                                               : BR_AST_OP_BIT_NOT;
    BR_TRY(make_node(parser, BR_AST_UNARY, operator_, &operand, 1, out));
    (*out)->offset = token.offset;
    return BR_OK;
}

static br_status parse_operand(br_parser *parser, br_ast **out)
{
    switch (parser->token.kind) {
    case BR_TOKEN_NOT:
    case BR_TOKEN_MINUS:
    case BR_TOKEN_PLUS:
    case BR_TOKEN_TILDE: return parse_unary(parser, out);
    case BR_TOKEN_LEFT_PAREN: return parse_parenthesised(parser, out);
    case BR_TOKEN_EXISTS: return parse_exists(parser, out);
    case BR_TOKEN_CASE: return parse_case(parser, out);
    case BR_TOKEN_CAST: return parse_cast(parser, out);
    default: return br_parser_syntax_error(parser);
    }
}

static br_status parse_prefix(br_parser *parser, br_ast **out)
{
    switch (parser->token.kind) {
    case BR_TOKEN_NULL:
    case BR_TOKEN_INTEGER:
    case BR_TOKEN_FLOAT:
    case BR_TOKEN_BLOB: return br_parse_literal(parser, out);
    case BR_TOKEN_STRING:
        if (br_parser_peek(parser) != BR_TOKEN_DOT) return br_parse_literal(parser, out);
        return parse_name(parser, out);
    case BR_TOKEN_VARIABLE: return br_parse_parameter(parser, out);
    case BR_TOKEN_CURRENT_DATE:
    case BR_TOKEN_CURRENT_TIME:
    case BR_TOKEN_CURRENT_TIMESTAMP: return parse_current_time(parser, out);
    case BR_TOKEN_RAISE:
        return br_fail_at(parser->err, BR_SQL, parser->token.offset,
                          "RAISE() may only be used within a trigger-program");
    default: break;
    }
    bool is_name = br_token_is_name(parser->token.kind) && parser->token.kind != BR_TOKEN_CAST;
    if (is_name) return parse_name(parser, out);
    BR_TRY(br_parser_descend(parser));
    BR_TRY(parse_operand(parser, out));
    parser->depth--;
    return BR_OK;
}
