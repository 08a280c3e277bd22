// lexer.h - SQL text -> tokens, as SQLite's tokenizer cuts them.
//
// Tokens are made one at a time and hold no copies: kind, offset and size. White space and comments
// are skipped. What cannot be a token is one of kind ILLEGAL, which fits no rule of the grammar, so
// that the parser reports it where SQLite would.
//
// SQLite lets most of its keywords through as names where the grammar has no other use for them;
// those that a SELECT uses lie behind BR_TOKEN_ID, the others simply are IDs. WINDOW, OVER and
// FILTER are keywords only in certain company: the lexer calls them so only there.
//
// Ownership: borrows the text, which ends with a NUL. Threads: one. Errors: none.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_LEXER_H
#define BR_SQL_LEXER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum br_token_kind {
    BR_TOKEN_END, BR_TOKEN_ILLEGAL,
    BR_TOKEN_ID,  // also "quoted", [quoted] and `quoted` ones; keywords usable as names follow
    BR_TOKEN_ANALYZE, BR_TOKEN_ASC, BR_TOKEN_BY, BR_TOKEN_CAST, BR_TOKEN_CURRENT,
    BR_TOKEN_CURRENT_DATE, BR_TOKEN_CURRENT_TIME, BR_TOKEN_CURRENT_TIMESTAMP, BR_TOKEN_DESC,
    BR_TOKEN_END_KEYWORD, BR_TOKEN_EXCLUDE, BR_TOKEN_EXPLAIN, BR_TOKEN_FIRST,
    BR_TOKEN_FOLLOWING, BR_TOKEN_GLOB, BR_TOKEN_GROUPS, BR_TOKEN_IF, BR_TOKEN_LAST,
    BR_TOKEN_LIKE, BR_TOKEN_MATCH, BR_TOKEN_MATERIALIZED, BR_TOKEN_NO, BR_TOKEN_NULLS,
    BR_TOKEN_OFFSET, BR_TOKEN_OTHERS, BR_TOKEN_PARTITION, BR_TOKEN_PRECEDING, BR_TOKEN_QUERY,
    BR_TOKEN_RAISE, BR_TOKEN_RANGE, BR_TOKEN_RECURSIVE, BR_TOKEN_REGEXP, BR_TOKEN_REPLACE,
    BR_TOKEN_ROW, BR_TOKEN_ROWS, BR_TOKEN_TEMP, BR_TOKEN_TIES, BR_TOKEN_TRIGGER,
    BR_TOKEN_UNBOUNDED, BR_TOKEN_VIEW, BR_TOKEN_WITH,
    // Names too, but not aliases without AS.
    BR_TOKEN_CROSS, BR_TOKEN_FULL, BR_TOKEN_INNER, BR_TOKEN_LEFT, BR_TOKEN_NATURAL,
    BR_TOKEN_OUTER, BR_TOKEN_RIGHT,
    BR_TOKEN_ALL, BR_TOKEN_AND, BR_TOKEN_AS, BR_TOKEN_BETWEEN, BR_TOKEN_CASE, BR_TOKEN_COLLATE,
    BR_TOKEN_CREATE, BR_TOKEN_DELETE, BR_TOKEN_DISTINCT, BR_TOKEN_ELSE, BR_TOKEN_ESCAPE,
    BR_TOKEN_EXCEPT, BR_TOKEN_EXISTS, BR_TOKEN_FILTER, BR_TOKEN_FROM, BR_TOKEN_GROUP,
    BR_TOKEN_HAVING, BR_TOKEN_IN, BR_TOKEN_INDEXED, BR_TOKEN_INSERT, BR_TOKEN_INTERSECT,
    BR_TOKEN_IS, BR_TOKEN_ISNULL, BR_TOKEN_JOIN, BR_TOKEN_LIMIT, BR_TOKEN_NOT, BR_TOKEN_NOTNULL,
    BR_TOKEN_NULL, BR_TOKEN_ON, BR_TOKEN_OR, BR_TOKEN_ORDER, BR_TOKEN_OVER, BR_TOKEN_SELECT,
    BR_TOKEN_THEN, BR_TOKEN_UNION, BR_TOKEN_UPDATE, BR_TOKEN_USING, BR_TOKEN_VALUES,
    BR_TOKEN_WHEN, BR_TOKEN_WHERE, BR_TOKEN_WINDOW,
    BR_TOKEN_RESERVED,  // a keyword that no SELECT uses and no name may be
    BR_TOKEN_STRING, BR_TOKEN_BLOB, BR_TOKEN_INTEGER, BR_TOKEN_FLOAT, BR_TOKEN_VARIABLE,
    BR_TOKEN_SEMICOLON, BR_TOKEN_LEFT_PAREN, BR_TOKEN_RIGHT_PAREN, BR_TOKEN_COMMA, BR_TOKEN_DOT,
    BR_TOKEN_PLUS, BR_TOKEN_MINUS, BR_TOKEN_STAR, BR_TOKEN_SLASH, BR_TOKEN_PERCENT,
    BR_TOKEN_AMPERSAND, BR_TOKEN_BAR, BR_TOKEN_CONCAT, BR_TOKEN_TILDE, BR_TOKEN_SHIFT_LEFT,
    BR_TOKEN_SHIFT_RIGHT, BR_TOKEN_EQ, BR_TOKEN_NE, BR_TOKEN_LT, BR_TOKEN_LE, BR_TOKEN_GT,
    BR_TOKEN_GE, BR_TOKEN_ARROW, BR_TOKEN_ARROW_TEXT,
    BR_TOKEN_COUNT,
    BR_TOKEN_SOFT_LAST = BR_TOKEN_WITH,
    BR_TOKEN_JOIN_LAST = BR_TOKEN_RIGHT,
} br_token_kind;

// SQLite's SQLITE_MAX_SQL_LENGTH: offsets fit in 32 bits with room to spare.
enum { BR_SQL_TEXT_MAX = 1000000000 };

typedef struct br_token {
    br_token_kind kind;
    uint32_t offset, size;
} br_token;

typedef struct br_lexer {
    const char *text;
    uint32_t at;             // where the next token is looked for
    br_token_kind previous;  // kind of the token before: OVER and FILTER follow a ')'
} br_lexer;

// At the end of the text gives END, again and again; a text beyond BR_SQL_TEXT_MAX ends ILLEGAL.
br_token br_lexer_next(br_lexer *lexer);

static inline bool br_token_is_id(br_token_kind kind)
{
    return (kind >= BR_TOKEN_ID && kind <= BR_TOKEN_SOFT_LAST) || kind == BR_TOKEN_INDEXED;
}
static inline bool br_token_is_join(br_token_kind kind)
{
    return kind > BR_TOKEN_SOFT_LAST && kind <= BR_TOKEN_JOIN_LAST;
}
static inline bool br_token_is_name(br_token_kind kind)
{
    return br_token_is_id(kind) || kind == BR_TOKEN_STRING || br_token_is_join(kind);
}

#endif
