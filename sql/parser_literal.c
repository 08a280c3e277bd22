// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/number.h"
#include "sql/parser.h"

// What only the literal 9223372036854775808 is: a real that a minus sign turns into an integer.
static bool is_int_min_digits(const char *digits, uint32_t size)
{
    while (size > 0 && *digits == '0') {
        digits++;
        size--;
    }
    return size == 19 && memcmp(digits, "9223372036854775808", 19) == 0;
}

static br_status literal_number(br_parser *parser, const char *text, br_ast *literal)
{
    uint32_t size = parser->token.size;
    bool is_hex = size > 2 && text[0] == '0' && (text[1] | 0x20) == 'x';
    int64_t value;
    if (is_hex) {
        if (!br_int_parse_hex(text, size, &value))
            return br_fail_at(parser->err, BR_SQL, parser->token.offset,
                              "hex literal too big: %.*s", (int)(size < 400 ? size : 400), text);
        literal->value = br_value_int(value);
    } else if (parser->token.kind == BR_TOKEN_INTEGER && br_int_parse_digits(text, size, &value)) {
        literal->value = br_value_int(value);
    } else {
        literal->value = br_value_real(br_real_parse(text, size));
        if (is_int_min_digits(text, size)) parser->int_min = literal;
    }
    return BR_OK;
}

static uint8_t hex_digit(char byte)
{
    return (uint8_t)(byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
}

static br_status literal_blob(br_parser *parser, const char *text, br_ast *literal)
{
    uint32_t size = (parser->token.size - 3) / 2;
    uint8_t *bytes = br_arena_alloc(parser->arena, size, 1);
    if (bytes == NULL) return br_parser_no_memory(parser);
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(hex_digit(text[2 + 2 * i]) << 4 | hex_digit(text[3 + 2 * i]));
    literal->value = br_value_blob(br_text_make(bytes, size));
    return BR_OK;
}

br_status br_parse_literal(br_parser *parser, br_ast **out)
{
    br_token token = parser->token;
    const char *text = parser->lexer.text + token.offset;
    BR_TRY(br_parser_node(parser, BR_AST_LITERAL, token.offset, out));
    br_ast *literal = *out;
    literal->end = token.offset + token.size;
    if (token.kind == BR_TOKEN_STRING) {
        const char *value;
        BR_TRY(br_parser_name_text(parser, token, &value));
        literal->value = br_value_text(br_text_make(value, (uint32_t)strlen(value)));
    } else if (token.kind == BR_TOKEN_BLOB) {
        BR_TRY(literal_blob(parser, text, literal));
    } else if (token.kind != BR_TOKEN_NULL) {
        BR_TRY(literal_number(parser, text, literal));
    }
    br_parser_advance(parser);
    return BR_OK;
}

static br_status parameter_reserve(br_parser *parser, uint32_t count)
{
    if (count <= parser->parameter_capacity) return BR_OK;
    uint32_t capacity = count < 8 ? 8 : count * 2;
    const char **names = BR_ALLOC(parser->arena, const char *, capacity);
    if (names == NULL) return br_parser_no_memory(parser);
    if (parser->parameter_count > 0)
        memcpy(names, parser->parameter_names, parser->parameter_count * sizeof *names);
    parser->parameter_names = names;
    parser->parameter_capacity = capacity;
    return BR_OK;
}

// The parameter's index: a new one for "?" and a new name, N for ?N.
static br_status parameter_index(br_parser *parser, const char *name, uint32_t *index_out)
{
    uint32_t index = parser->parameter_count + 1;
    if (name[0] == '?' && name[1] != 0) {
        int64_t number;
        bool fits = br_int_parse_digits(name + 1, (uint32_t)strlen(name + 1), &number);
        if (!fits || number < 1 || number > BR_PARSER_PARAMETERS_MAX)
            return br_fail_at(parser->err, BR_SQL, parser->token.offset,
                              "variable number must be between ?1 and ?%d",
                              BR_PARSER_PARAMETERS_MAX);
        index = (uint32_t)number;
    } else if (name[0] != '?') {
        for (uint32_t i = 0; i < parser->parameter_count; i++) {
            const char *known = parser->parameter_names[i];
            if (known != NULL && strcmp(known, name) == 0) index = i + 1;
        }
    }
    if (index > BR_PARSER_PARAMETERS_MAX)
        return br_fail_at(parser->err, BR_SQL, parser->token.offset, "too many SQL variables");
    *index_out = index;
    return BR_OK;
}

br_status br_parse_parameter(br_parser *parser, br_ast **out)
{
    br_token token = parser->token;
    const char *text = parser->lexer.text + token.offset;
    // #1 names a register of SQLite's virtual machine: not for users.
    if (text[0] == '#' && text[1] >= '0' && text[1] <= '9') return br_parser_syntax_error(parser);
    const char *name = br_arena_copy_text(parser->arena, text, token.size);
    if (name == NULL) return br_parser_no_memory(parser);
    uint32_t index = 0;
    BR_TRY(parameter_index(parser, name, &index));
    BR_TRY(parameter_reserve(parser, index));
    if (index > parser->parameter_count) parser->parameter_count = index;
    if (token.size > 1) parser->parameter_names[index - 1] = name;
    BR_TRY(br_parser_node(parser, BR_AST_PARAMETER, token.offset, out));
    (*out)->parameter = index;
    (*out)->end = token.offset + token.size;
    br_parser_advance(parser);
    return BR_OK;
}
