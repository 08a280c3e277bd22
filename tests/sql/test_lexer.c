// SPDX-License-Identifier: Apache-2.0
#include "sql/lexer.h"

#include <math.h>

#include "sql/number.h"
#include "tests/test.h"

// The kinds of the text's tokens and where they lie, as "kind:offset+size ...".
static const char *tokens_of(const char *text, char *out, size_t capacity)
{
    br_lexer lexer = {.text = text};
    size_t used = 0;
    out[0] = 0;
    for (;;) {
        br_token token = br_lexer_next(&lexer);
        if (token.kind == BR_TOKEN_END) return out;
        int written = snprintf(out + used, capacity - used, "%s%d:%u+%u", used > 0 ? " " : "",
                               (int)token.kind, token.offset, token.size);
        used += (size_t)written;
    }
}

static br_token_kind kind_of(const char *text)
{
    br_lexer lexer = {.text = text};
    return br_lexer_next(&lexer).kind;
}

static uint32_t size_of(const char *text)
{
    br_lexer lexer = {.text = text};
    return br_lexer_next(&lexer).size;
}

static void test_lexer_cuts_operators(void)
{
    static const struct {
        const char *text;
        br_token_kind kind;
    } cases[] = {
        {"=", BR_TOKEN_EQ},           {"==", BR_TOKEN_EQ},          {"<>", BR_TOKEN_NE},
        {"!=", BR_TOKEN_NE},          {"<", BR_TOKEN_LT},           {"<=", BR_TOKEN_LE},
        {"<<", BR_TOKEN_SHIFT_LEFT},  {">", BR_TOKEN_GT},           {">=", BR_TOKEN_GE},
        {">>", BR_TOKEN_SHIFT_RIGHT}, {"|", BR_TOKEN_BAR},          {"||", BR_TOKEN_CONCAT},
        {"&", BR_TOKEN_AMPERSAND},    {"~", BR_TOKEN_TILDE},        {"->", BR_TOKEN_ARROW},
        {"->>", BR_TOKEN_ARROW_TEXT}, {"-", BR_TOKEN_MINUS},        {"+", BR_TOKEN_PLUS},
        {"*", BR_TOKEN_STAR},         {"/", BR_TOKEN_SLASH},        {"%", BR_TOKEN_PERCENT},
        {"(", BR_TOKEN_LEFT_PAREN},   {")", BR_TOKEN_RIGHT_PAREN},  {",", BR_TOKEN_COMMA},
        {".", BR_TOKEN_DOT},          {";", BR_TOKEN_SEMICOLON},    {"!", BR_TOKEN_ILLEGAL},
        {"^", BR_TOKEN_ILLEGAL},      {"\\", BR_TOKEN_ILLEGAL},     {"{", BR_TOKEN_ILLEGAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_INT(kind_of(cases[i].text), cases[i].kind);
        CHECK_INT(size_of(cases[i].text), strlen(cases[i].text));
    }
}

static void test_lexer_cuts_literals_and_names(void)
{
    static const struct {
        const char *text;
        br_token_kind kind;
        uint32_t size;
    } cases[] = {
        {"123 ", BR_TOKEN_INTEGER, 3},   {"1.5e-3x", BR_TOKEN_ILLEGAL, 7},
        {"1.5e-3,", BR_TOKEN_FLOAT, 6},  {".5", BR_TOKEN_FLOAT, 2},
        {"5.", BR_TOKEN_FLOAT, 2},       {"1e5", BR_TOKEN_FLOAT, 3},
        {"1e", BR_TOKEN_ILLEGAL, 2},     {"0x1Fg", BR_TOKEN_INTEGER, 4},
        {"0xg", BR_TOKEN_ILLEGAL, 3},    {"1abc", BR_TOKEN_ILLEGAL, 4},
        {"'it''s'", BR_TOKEN_STRING, 7}, {"'open", BR_TOKEN_ILLEGAL, 5},
        {"\"a\"\"b\"", BR_TOKEN_ID, 6},  {"`a`", BR_TOKEN_ID, 3},
        {"[a b]", BR_TOKEN_ID, 5},       {"[a", BR_TOKEN_ILLEGAL, 2},
        {"x'0aF0'", BR_TOKEN_BLOB, 7},   {"X''", BR_TOKEN_BLOB, 3},
        {"x'0'", BR_TOKEN_ILLEGAL, 4},   {"x'0g'", BR_TOKEN_ILLEGAL, 5},
        {"xyz", BR_TOKEN_ID, 3},         {"_a$1", BR_TOKEN_ID, 4},
        {"\xc3\xa4", BR_TOKEN_ID, 2},    {"?", BR_TOKEN_VARIABLE, 1},
        {"?12a", BR_TOKEN_VARIABLE, 3},  {":a1", BR_TOKEN_VARIABLE, 3},
        {"@b", BR_TOKEN_VARIABLE, 2},    {"$a::b(c)d", BR_TOKEN_VARIABLE, 8},
        {"$a(b c)", BR_TOKEN_ILLEGAL, 4}, {"@", BR_TOKEN_ILLEGAL, 1},
        {"#", BR_TOKEN_ILLEGAL, 1},      {":", BR_TOKEN_ILLEGAL, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_INT(kind_of(cases[i].text), cases[i].kind);
        CHECK_INT(size_of(cases[i].text), cases[i].size);
    }
}

static void test_lexer_knows_keywords(void)
{
    CHECK_INT(kind_of("SeLeCt"), BR_TOKEN_SELECT);
    CHECK_INT(kind_of("current_timestamp"), BR_TOKEN_CURRENT_TIMESTAMP);
    CHECK_INT(kind_of("TEMPORARY"), BR_TOKEN_TEMP);
    CHECK_INT(kind_of("selects"), BR_TOKEN_ID);
    CHECK_INT(kind_of("selec"), BR_TOKEN_ID);
    CHECK_INT(kind_of("key"), BR_TOKEN_ID);
    CHECK_INT(kind_of("commit"), BR_TOKEN_RESERVED);
    CHECK(br_token_is_id(BR_TOKEN_WITH) && br_token_is_id(BR_TOKEN_INDEXED));
    CHECK(!br_token_is_id(BR_TOKEN_LEFT) && br_token_is_name(BR_TOKEN_LEFT));
    CHECK(!br_token_is_name(BR_TOKEN_SELECT) && br_token_is_name(BR_TOKEN_STRING));
}

static void test_lexer_skips_space_and_comments(void)
{
    char out[200], expected[200];
    snprintf(expected, sizeof expected, "%d:4+1 %d:25+1", BR_TOKEN_ID, BR_TOKEN_ID);
    CHECK_TEXT(tokens_of(" \t\n\fa--b\n/* ; ' *//**/ \r\nc/* open", out, sizeof out), expected);
    snprintf(expected, sizeof expected, "%d:3+1 %d:5+1", BR_TOKEN_ID, BR_TOKEN_SLASH);
    CHECK_TEXT(tokens_of("\xef\xbb\xbf" "a /", out, sizeof out), expected);
    CHECK_TEXT(tokens_of("-- nothing", out, sizeof out), "");
}

// WINDOW, OVER and FILTER are names unless the tokens around them say otherwise.
static void test_lexer_resolves_contextual_keywords(void)
{
    static const struct {
        const char *text;
        uint32_t skipped;  // tokens before the one in question
        br_token_kind kind;
    } cases[] = {
        {"window w as", 0, BR_TOKEN_WINDOW}, {"window w", 0, BR_TOKEN_ID},
        {"window as", 0, BR_TOKEN_ID},       {") over (", 1, BR_TOKEN_OVER},
        {") over w", 1, BR_TOKEN_OVER},      {") over ,", 1, BR_TOKEN_ID},
        {"x over (", 1, BR_TOKEN_ID},        {") filter (", 1, BR_TOKEN_FILTER},
        {") filter w", 1, BR_TOKEN_ID},      {"x filter (", 1, BR_TOKEN_ID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_lexer lexer = {.text = cases[i].text};
        for (uint32_t skip = 0; skip < cases[i].skipped; skip++) br_lexer_next(&lexer);
        CHECK_INT(br_lexer_next(&lexer).kind, cases[i].kind);
    }
}

static void check_real(const char *text, double expected)
{
    double actual = br_real_parse(text, (uint32_t)strlen(text));
    CHECK(memcmp(&actual, &expected, sizeof actual) == 0);
}

static void test_number_reads_as_sqlite_does(void)
{
    check_real("0.1", 0.1);
    check_real("1e5", 1e5);
    check_real("123456789012345678901234567890", 123456789012345678901234567890.0);
    check_real("-0.0", -0.0);
    check_real("9007199254740993", 9007199254740992.0);
    check_real("1e400", (double)INFINITY);
    check_real("1e-400", 0.0);
    check_real("2.5e-310", 2.5e-310);
    check_real("  12abc", 12.0);
    check_real("", 0.0);
    int64_t value = 0;
    CHECK(br_int_parse_digits("9223372036854775807", 19, &value) && value == INT64_MAX);
    CHECK(!br_int_parse_digits("9223372036854775808", 19, &value));
    CHECK(br_int_parse_hex("0x00ffffffffffffffff", 20, &value) && value == -1);
    CHECK(!br_int_parse_hex("0x1ffffffffffffffff", 19, &value));
}

int main(void)
{
    RUN(test_lexer_cuts_operators);
    RUN(test_lexer_cuts_literals_and_names);
    RUN(test_lexer_knows_keywords);
    RUN(test_lexer_skips_space_and_comments);
    RUN(test_lexer_resolves_contextual_keywords);
    RUN(test_number_reads_as_sqlite_does);
    return test_result();
}
