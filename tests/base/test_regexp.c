// test_regexp.c - matching, extracting and replacing; errors; what an arena frees with itself.
// SPDX-License-Identifier: Apache-2.0
#include "base/regexp.h"
#include "tests/test.h"

static br_error err;

static br_text text_of(const char *bytes) { return br_text_make(bytes, (uint32_t)strlen(bytes)); }

static br_regexp *regexp_of(const char *pattern)
{
    br_regexp *regexp = NULL;
    MUST(br_regexp_new(text_of(pattern), false, &regexp, &err), err);
    return regexp;
}

static bool matches(const char *pattern, const char *text)
{
    br_regexp *regexp = regexp_of(pattern);
    bool result = false;
    MUST(br_regexp_matches(regexp, text_of(text), &result, &err), err);
    br_regexp_free(regexp);
    return result;
}

static void expect_replaced(const char *pattern, const char *text, const char *replacement,
                            bool all, const char *expected)
{
    br_arena *arena = br_arena_new(NULL);
    br_regexp *regexp = regexp_of(pattern);
    br_text out;
    MUST(br_regexp_replace(regexp, text_of(text), text_of(replacement), all, arena, &out, &err),
         err);
    CHECK_TEXT(br_arena_copy_text(arena, out.data, out.size), expected);
    br_regexp_free(regexp);
    br_arena_free(arena);
}

static void test_regexp_matches_anywhere(void)
{
    CHECK(matches("b+c", "aabbcc"));
    CHECK(!matches("^b", "aabbcc"));
    CHECK(matches("", ""));
    CHECK(matches("^.$", "\xc3\xa4"));
    CHECK(!matches("^.$", "\xc3"));
    CHECK(matches("x", "\xff\xfex\x80"));
}

static void test_regexp_replaces_first_or_all(void)
{
    expect_replaced("a", "banana", "<\\0>", false, "b<a>nana");
    expect_replaced("a", "banana", "<\\0>", true, "b<a>n<a>n<a>");
    expect_replaced("x", "banana", "y", true, "banana");
    expect_replaced("x*", "ba", "-", true, "-b-a-");
    expect_replaced("x*", "\xc3\xa4", "-", true, "-\xc3\xa4-");
    expect_replaced("(n)(a)?", "banan", "[\\2\\1\\\\]", true, "ba[an\\][n\\]");
    expect_replaced("^https?://(?:www\\.)?([^/]+)/.*$", "https://www.example.org/a/b", "\\1", false,
                    "example.org");
    expect_replaced("^https?://(?:www\\.)?([^/]+)/.*$", "ftp://example.org/", "\\1", false,
                    "ftp://example.org/");
}

static void test_regexp_extracts_groups(void)
{
    br_regexp *regexp = regexp_of("(\\d+)-(\\d+)?");
    br_text out;
    bool found;
    MUST(br_regexp_extract(regexp, text_of("ab 12-34"), 2, &found, &out, &err), err);
    CHECK(found && br_text_equal(out, text_of("34")));
    MUST(br_regexp_extract(regexp, text_of("ab 12-"), 2, &found, &out, &err), err);
    CHECK(!found);
    MUST(br_regexp_extract(regexp, text_of("ab 12-34"), 7, &found, &out, &err), err);
    CHECK(!found);
    MUST(br_regexp_extract(regexp, text_of(""), 0, &found, &out, &err), err);
    CHECK(!found);
    br_regexp_free(regexp);
}

static void test_regexp_reports_errors(void)
{
    br_regexp *regexp = NULL;
    br_arena *arena = br_arena_new(NULL);
    br_text out;
    CHECK_INT(br_regexp_new(text_of("a(b"), false, &regexp, &err), BR_RUNTIME);
    CHECK(strstr(err.message, "regular expression 'a(b'") != NULL);
    CHECK(strstr(err.message, "offset 3") != NULL);
    regexp = regexp_of("b");
    CHECK_INT(br_regexp_replace(regexp, text_of("abc"), text_of("\\1"), false, arena, &out, &err),
              BR_RUNTIME);
    CHECK_TEXT(err.message, "replacement '\\1': no group for the \\ at offset 0");
    br_regexp_free(regexp);
    // Exponential without a limit.
    bool result;
    regexp = regexp_of("^(a+)+$");
    CHECK_INT(br_regexp_matches(regexp, text_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
                                &result, &err), BR_RUNTIME);
    br_regexp_free(regexp);
    br_arena_free(arena);
}

static void note_free(void *context)
{
    int *order = context;
    *order = *order * 10 + 1;
}

static void note_other(void *context)
{
    int *order = context;
    *order = *order * 10 + 2;
}

static void test_arena_calls_back_when_freed_or_reset(void)
{
    int order = 0;
    br_arena *arena = br_arena_new(NULL);
    br_arena_mark mark = br_arena_get_mark(arena);
    CHECK(br_arena_on_free(arena, note_free, &order));
    CHECK(br_arena_on_free(arena, note_other, &order));
    br_arena_rewind(arena, mark);
    CHECK_INT(order, 0);
    br_arena_reset(arena);
    CHECK_INT(order, 21);
    CHECK(br_arena_on_free(arena, note_free, &order));
    br_arena_free(arena);
    CHECK_INT(order, 211);
}

int main(void)
{
    RUN(test_regexp_matches_anywhere);
    RUN(test_regexp_replaces_first_or_all);
    RUN(test_regexp_extracts_groups);
    RUN(test_regexp_reports_errors);
    RUN(test_arena_calls_back_when_freed_or_reset);
    return test_result();
}
