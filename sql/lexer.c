// SPDX-License-Identifier: Apache-2.0
#include "sql/lexer.h"

#include <stddef.h>
#include <string.h>

typedef struct keyword {
    const char *text;
    uint32_t size;
    br_token_kind kind;
} keyword;

#define WORD(text_, kind_) {text_, sizeof(text_) - 1, BR_TOKEN_##kind_}
#define NO_MORE {NULL, 0, BR_TOKEN_ID}

static const keyword words_a[] = {WORD("add", RESERVED), WORD("all", ALL),
                                  WORD("alter", RESERVED), WORD("analyze", ANALYZE),
                                  WORD("and", AND), WORD("as", AS), WORD("asc", ASC),
                                  WORD("autoincrement", RESERVED), NO_MORE};
static const keyword words_b[] = {WORD("between", BETWEEN), WORD("by", BY), NO_MORE};
static const keyword words_c[] = {WORD("case", CASE), WORD("cast", CAST), WORD("check", RESERVED),
                                  WORD("collate", COLLATE), WORD("commit", RESERVED),
                                  WORD("constraint", RESERVED), WORD("create", CREATE),
                                  WORD("cross", CROSS), WORD("current", CURRENT),
                                  WORD("current_date", CURRENT_DATE),
                                  WORD("current_time", CURRENT_TIME),
                                  WORD("current_timestamp", CURRENT_TIMESTAMP), NO_MORE};
static const keyword words_d[] = {WORD("default", RESERVED), WORD("deferrable", RESERVED),
                                  WORD("delete", DELETE), WORD("desc", DESC),
                                  WORD("distinct", DISTINCT), WORD("drop", RESERVED), NO_MORE};
static const keyword words_e[] = {WORD("else", ELSE), WORD("end", END_KEYWORD),
                                  WORD("escape", ESCAPE), WORD("except", EXCEPT),
                                  WORD("exclude", EXCLUDE), WORD("exists", EXISTS),
                                  WORD("explain", EXPLAIN), NO_MORE};
static const keyword words_f[] = {WORD("filter", FILTER), WORD("first", FIRST),
                                  WORD("following", FOLLOWING), WORD("foreign", RESERVED),
                                  WORD("from", FROM), WORD("full", FULL), NO_MORE};
static const keyword words_g[] = {WORD("glob", GLOB), WORD("group", GROUP),
                                  WORD("groups", GROUPS), NO_MORE};
static const keyword words_h[] = {WORD("having", HAVING), NO_MORE};
static const keyword words_i[] = {WORD("if", IF), WORD("in", IN), WORD("index", RESERVED),
                                  WORD("indexed", INDEXED), WORD("inner", INNER),
                                  WORD("insert", INSERT), WORD("intersect", INTERSECT),
                                  WORD("into", RESERVED), WORD("is", IS), WORD("isnull", ISNULL),
                                  NO_MORE};
static const keyword words_j[] = {WORD("join", JOIN), NO_MORE};
static const keyword words_l[] = {WORD("last", LAST), WORD("left", LEFT), WORD("like", LIKE),
                                  WORD("limit", LIMIT), NO_MORE};
static const keyword words_m[] = {WORD("match", MATCH), WORD("materialized", MATERIALIZED),
                                  NO_MORE};
static const keyword words_n[] = {WORD("natural", NATURAL), WORD("no", NO), WORD("not", NOT),
                                  WORD("nothing", RESERVED), WORD("notnull", NOTNULL),
                                  WORD("null", NULL), WORD("nulls", NULLS), NO_MORE};
static const keyword words_o[] = {WORD("offset", OFFSET), WORD("on", ON), WORD("or", OR),
                                  WORD("order", ORDER), WORD("others", OTHERS),
                                  WORD("outer", OUTER), WORD("over", OVER), NO_MORE};
static const keyword words_p[] = {WORD("partition", PARTITION), WORD("preceding", PRECEDING),
                                  WORD("primary", RESERVED), NO_MORE};
static const keyword words_q[] = {WORD("query", QUERY), NO_MORE};
static const keyword words_r[] = {WORD("raise", RAISE), WORD("range", RANGE),
                                  WORD("recursive", RECURSIVE), WORD("references", RESERVED),
                                  WORD("regexp", REGEXP), WORD("replace", REPLACE),
                                  WORD("returning", RESERVED), WORD("right", RIGHT),
                                  WORD("row", ROW), WORD("rows", ROWS), NO_MORE};
static const keyword words_s[] = {WORD("select", SELECT), WORD("set", RESERVED), NO_MORE};
static const keyword words_t[] = {WORD("table", RESERVED), WORD("temp", TEMP),
                                  WORD("temporary", TEMP), WORD("then", THEN), WORD("ties", TIES),
                                  WORD("to", RESERVED), WORD("transaction", RESERVED),
                                  WORD("trigger", TRIGGER), NO_MORE};
static const keyword words_u[] = {WORD("unbounded", UNBOUNDED), WORD("union", UNION),
                                  WORD("unique", RESERVED), WORD("update", UPDATE),
                                  WORD("using", USING), NO_MORE};
static const keyword words_v[] = {WORD("values", VALUES), WORD("view", VIEW), NO_MORE};
static const keyword words_w[] = {WORD("when", WHEN), WORD("where", WHERE),
                                  WORD("window", WINDOW), WORD("with", WITH), NO_MORE};
static const keyword words_none[] = {NO_MORE};

// By first letter.
static const keyword *const words[26] = {
    words_a, words_b, words_c, words_d, words_e, words_f, words_g, words_h, words_i, words_j,
    words_none, words_l, words_m, words_n, words_o, words_p, words_q, words_r, words_s, words_t,
    words_u, words_v, words_w, words_none, words_none, words_none,
};

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex_digit(char byte)
{
    return is_digit(byte) || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

static bool is_letter(char byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static bool is_name_byte(char byte)
{
    return is_letter(byte) || is_digit(byte) || byte == '_' || byte == '$' || (byte & 0x80) != 0;
}

static br_token_kind keyword_find(const char *text, uint32_t size)
{
    if (!is_letter(text[0])) return BR_TOKEN_ID;
    for (const keyword *word = words[(text[0] | 0x20) - 'a']; word->text != NULL; word++) {
        if (word->size != size) continue;
        uint32_t i = 1;
        while (i < size && (is_letter(text[i]) ? text[i] | 0x20 : text[i]) == word->text[i]) i++;
        if (i == size) return word->kind;
    }
    return BR_TOKEN_ID;
}

// Each of the following cuts one token from the start of `text` and returns its size.

// 'text', "name", `name`: a doubled delimiter stands for itself.
static uint32_t cut_quoted(const char *text, br_token_kind *kind_out)
{
    char delimiter = text[0];
    uint32_t i = 1;
    for (; text[i] != 0; i++) {
        if (text[i] != delimiter) continue;
        if (text[i + 1] != delimiter) break;
        i++;
    }
    *kind_out = text[i] == 0 ? BR_TOKEN_ILLEGAL : delimiter == '\'' ? BR_TOKEN_STRING : BR_TOKEN_ID;
    return text[i] == 0 ? i : i + 1;
}

static uint32_t cut_bracketed(const char *text, br_token_kind *kind_out)
{
    uint32_t i = 1;
    while (text[i] != 0 && text[i] != ']') i++;
    *kind_out = text[i] == 0 ? BR_TOKEN_ILLEGAL : BR_TOKEN_ID;
    return text[i] == 0 ? i : i + 1;
}

static uint32_t cut_number(const char *text, br_token_kind *kind_out)
{
    *kind_out = BR_TOKEN_INTEGER;
    uint32_t i = 0;
    if (text[0] == '0' && (text[1] | 0x20) == 'x' && is_hex_digit(text[2])) {
        for (i = 3; is_hex_digit(text[i]); i++) continue;
        return i;
    }
    while (is_digit(text[i])) i++;
    if (text[i] == '.') {
        for (i++; is_digit(text[i]); i++) continue;
        *kind_out = BR_TOKEN_FLOAT;
    }
    if ((text[i] | 0x20) == 'e') {
        uint32_t digits = i + 1;
        if (text[digits] == '+' || text[digits] == '-') digits++;
        if (is_digit(text[digits])) {
            for (i = digits; is_digit(text[i]); i++) continue;
            *kind_out = BR_TOKEN_FLOAT;
        }
    }
    for (; is_name_byte(text[i]); i++) *kind_out = BR_TOKEN_ILLEGAL;
    return i;
}

// x'0F': an even number of hexadecimal digits.
static uint32_t cut_blob(const char *text, br_token_kind *kind_out)
{
    uint32_t i = 2;
    while (is_hex_digit(text[i])) i++;
    *kind_out = BR_TOKEN_BLOB;
    if (text[i] != '\'' || i % 2 != 0) {
        *kind_out = BR_TOKEN_ILLEGAL;
        while (text[i] != 0 && text[i] != '\'') i++;
    }
    return text[i] == 0 ? i : i + 1;
}

// ? ?12 :name @name $name $name::part(suffix)
static uint32_t cut_variable(const char *text, br_token_kind *kind_out)
{
    *kind_out = BR_TOKEN_VARIABLE;
    uint32_t i = 1, name_size = 0;
    if (text[0] == '?') {
        while (is_digit(text[i])) i++;
        return i;
    }
    for (;; i++) {
        if (is_name_byte(text[i])) {
            name_size++;
        } else if (text[i] == '(' && name_size > 0) {
            for (i++; text[i] != 0 && text[i] != ')' && !is_space(text[i]); i++) continue;
            if (text[i] != ')') *kind_out = BR_TOKEN_ILLEGAL;
            if (text[i] == ')') i++;
            break;
        } else if (text[i] == ':' && text[i + 1] == ':') {
            i++;
        } else {
            break;
        }
    }
    if (name_size == 0) *kind_out = BR_TOKEN_ILLEGAL;
    return i;
}

static uint32_t cut_name(const char *text, br_token_kind *kind_out)
{
    if ((text[0] | 0x20) == 'x' && text[1] == '\'') return cut_blob(text, kind_out);
    uint32_t i = 1;
    while (is_name_byte(text[i])) i++;
    *kind_out = keyword_find(text, i);
    return i;
}

static uint32_t cut_two(br_token_kind *kind_out, br_token_kind kind)
{
    *kind_out = kind;
    return 2;
}

// Operators that may be one byte or two.
static uint32_t cut_operator(const char *text, br_token_kind *kind_out)
{
    char next = text[1];
    switch (text[0]) {
    case '=':
        *kind_out = BR_TOKEN_EQ;
        return next == '=' ? 2 : 1;
    case '<':
        if (next == '=') return cut_two(kind_out, BR_TOKEN_LE);
        if (next == '>') return cut_two(kind_out, BR_TOKEN_NE);
        if (next == '<') return cut_two(kind_out, BR_TOKEN_SHIFT_LEFT);
        *kind_out = BR_TOKEN_LT;
        return 1;
    case '>':
        if (next == '=') return cut_two(kind_out, BR_TOKEN_GE);
        if (next == '>') return cut_two(kind_out, BR_TOKEN_SHIFT_RIGHT);
        *kind_out = BR_TOKEN_GT;
        return 1;
    case '!':
        if (next == '=') return cut_two(kind_out, BR_TOKEN_NE);
        return 1;
    case '|':
        if (next == '|') return cut_two(kind_out, BR_TOKEN_CONCAT);
        *kind_out = BR_TOKEN_BAR;
        return 1;
    case '-':
        *kind_out = BR_TOKEN_MINUS;
        if (next != '>') return 1;
        *kind_out = text[2] == '>' ? BR_TOKEN_ARROW_TEXT : BR_TOKEN_ARROW;
        return text[2] == '>' ? 3 : 2;
    default: return 1;
    }
}

static const uint8_t single_bytes[128] = {
    [';'] = BR_TOKEN_SEMICOLON, ['('] = BR_TOKEN_LEFT_PAREN, [')'] = BR_TOKEN_RIGHT_PAREN,
    [','] = BR_TOKEN_COMMA,     ['.'] = BR_TOKEN_DOT,        ['+'] = BR_TOKEN_PLUS,
    ['*'] = BR_TOKEN_STAR,      ['/'] = BR_TOKEN_SLASH,      ['%'] = BR_TOKEN_PERCENT,
    ['&'] = BR_TOKEN_AMPERSAND, ['~'] = BR_TOKEN_TILDE,
};

static uint32_t cut_token(const char *text, br_token_kind *kind_out)
{
    char first = text[0];
    *kind_out = BR_TOKEN_ILLEGAL;
    if (is_letter(first) || first == '_' || (first & 0x80) != 0) return cut_name(text, kind_out);
    if (is_digit(first) || (first == '.' && is_digit(text[1]))) return cut_number(text, kind_out);
    switch (first) {
    case '\'':
    case '"':
    case '`': return cut_quoted(text, kind_out);
    case '[': return cut_bracketed(text, kind_out);
    case '?':
    case ':':
    case '@':
    case '#':
    case '$': return cut_variable(text, kind_out);
    case '=':
    case '<':
    case '>':
    case '!':
    case '|':
    case '-': return cut_operator(text, kind_out);
    default: break;
    }
    if (single_bytes[(uint8_t)first] != 0) *kind_out = (br_token_kind)single_bytes[(uint8_t)first];
    return 1;
}

// A comment that never ends runs to the end of the text, as in SQLite.
static const char *skip_space(const char *at)
{
    for (;;) {
        if (is_space(*at) && *at != '\v') {
            for (at++; is_space(*at); at++) continue;
        } else if (at[0] == '-' && at[1] == '-') {
            while (*at != 0 && *at != '\n') at++;
        } else if (at[0] == '/' && at[1] == '*' && at[2] != 0) {
            for (at += 3; *at != 0 && (at[-1] != '*' || *at != '/'); at++) continue;
            if (*at != 0) at++;
        } else if (memcmp(at, "\xef\xbb\xbf", strnlen(at, 3)) == 0 && *at != 0 && at[1] != 0 &&
                   at[2] != 0) {
            at += 3;  // a byte order mark
        } else {
            return at;
        }
    }
}

static br_token lexer_cut(br_lexer *lexer)
{
    const char *start = skip_space(lexer->text + lexer->at);
    size_t offset = (size_t)(start - lexer->text);
    br_token token = {.kind = BR_TOKEN_END, .offset = (uint32_t)offset};
    if (offset >= BR_SQL_TEXT_MAX) {
        token.kind = BR_TOKEN_ILLEGAL;
        return token;
    }
    if (*start != 0) token.size = cut_token(start, &token.kind);
    lexer->at = token.offset + token.size;
    return token;
}

// The kind of the token behind, with every word that may be a name as ID.
static br_token_kind lexer_peek_name(br_lexer *ahead)
{
    br_token_kind kind = lexer_cut(ahead).kind;
    bool contextual = kind == BR_TOKEN_WINDOW || kind == BR_TOKEN_OVER;
    bool is_name = br_token_is_name(kind) && kind != BR_TOKEN_INDEXED;
    return is_name || contextual ? BR_TOKEN_ID : kind;
}

// WINDOW only before "name AS", OVER only between ")" and "(" or a name, FILTER only between ")"
// and "(". Elsewhere they are names.
static br_token_kind lexer_resolve(const br_lexer *lexer, br_token_kind kind)
{
    br_lexer ahead = *lexer;
    if (kind == BR_TOKEN_WINDOW) {
        if (lexer_peek_name(&ahead) != BR_TOKEN_ID) return BR_TOKEN_ID;
        return lexer_cut(&ahead).kind == BR_TOKEN_AS ? BR_TOKEN_WINDOW : BR_TOKEN_ID;
    }
    if (lexer->previous != BR_TOKEN_RIGHT_PAREN) return BR_TOKEN_ID;
    br_token_kind next = lexer_peek_name(&ahead);
    if (next == BR_TOKEN_LEFT_PAREN) return kind;
    return kind == BR_TOKEN_OVER && next == BR_TOKEN_ID ? kind : BR_TOKEN_ID;
}

br_token br_lexer_next(br_lexer *lexer)
{
    br_token token = lexer_cut(lexer);
    if (token.kind == BR_TOKEN_WINDOW || token.kind == BR_TOKEN_OVER ||
        token.kind == BR_TOKEN_FILTER)
        token.kind = lexer_resolve(lexer, token.kind);
    lexer->previous = token.kind;
    return token;
}
