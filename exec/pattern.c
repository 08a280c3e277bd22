// pattern.c - matching LIKE and GLOB patterns, character by character as SQLite does.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

uint32_t br_utf8_read(const char **at_inout, const char *end)
{
    static const uint8_t payload[] = {0x1f, 0x1f, 0x1f, 0x1f, 0x0f, 0x0f, 0x07, 0x03};
    const char *at = *at_inout;
    if (at >= end) return 0;
    uint32_t c = (unsigned char)*at++;
    if (c >= 0xc0) {
        c = c >= 0xfc ? (c < 0xfe ? c & 1 : 0) : c & payload[(c >> 3) & 7];
        while (at < end && (*at & 0xc0) == 0x80) c = (c << 6) + (0x3fu & (unsigned char)*at++);
        if (c < 0x80 || (c & 0xfffff800) == 0xd800 || (c & 0xfffffffe) == 0xfffe) c = 0xfffd;
    }
    *at_inout = at;
    return c;
}

// MISS_ALL: no match even if the wildcard before skipped more.
typedef enum match_outcome { MATCH, MISS, MISS_ALL } match_outcome;

typedef struct match_cursor { // where matching stands; both texts end before any NUL
    const char *pattern, *pattern_end, *text, *text_end;
} match_cursor;

static match_outcome match(const br_pattern_style *style, match_cursor at);

static uint32_t fold(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool is_same(const br_pattern_style *style, uint32_t left, uint32_t right)
{
    return left == right || (style->folds_case && left < 0x80 && fold(left) == fold(right));
}

// Behind a wildcard: tries every place where character c, which the pattern wants next, occurs.
static match_outcome match_after_wildcard(const br_pattern_style *style, match_cursor at,
                                          uint32_t c)
{
    uint32_t found;
    while ((found = br_utf8_read(&at.text, at.text_end)) != 0) {
        // As SQLite does, an ASCII character is looked for among bytes, not characters.
        if (!is_same(style, c, found)) continue;
        match_outcome outcome = match(style, at);
        if (outcome != MISS) return outcome;
    }
    return MISS_ALL;
}

// Behind a wildcard followed by "[": tries every place.
static match_outcome match_set_after_wildcard(const br_pattern_style *style, match_cursor at)
{
    while (at.text < at.text_end) {
        match_outcome outcome = match(style, at);
        if (outcome != MISS) return outcome;
        br_utf8_read(&at.text, at.text_end);
    }
    return MISS_ALL;
}

static match_outcome match_wildcard(const br_pattern_style *style, match_cursor at)
{
    const char *before;
    uint32_t c;
    do {
        before = at.pattern;
        c = br_utf8_read(&at.pattern, at.pattern_end);
        if (c != 0 && c == style->matches_one && br_utf8_read(&at.text, at.text_end) == 0)
            return MISS_ALL;
    } while (c != 0 && (c == style->matches_all || c == style->matches_one));
    if (c == 0) return MATCH;
    if (!style->is_like && c == '[') {
        at.pattern = before;
        return match_set_after_wildcard(style, at);
    }
    if (style->is_like && c == style->escape) {
        c = br_utf8_read(&at.pattern, at.pattern_end);
        if (c == 0) return MISS_ALL;
    }
    return match_after_wildcard(style, at, c);
}

// The set behind a "[" of GLOB. False also when it has no end.
static bool match_set(match_cursor *at)
{
    uint32_t c = br_utf8_read(&at->text, at->text_end), previous = 0;
    if (c == 0) return false;
    bool is_seen = false, is_inverted = false;
    uint32_t p = br_utf8_read(&at->pattern, at->pattern_end);
    if (p == '^') {
        is_inverted = true;
        p = br_utf8_read(&at->pattern, at->pattern_end);
    }
    if (p == ']') {
        is_seen = c == ']';
        p = br_utf8_read(&at->pattern, at->pattern_end);
    }
    for (; p != 0 && p != ']'; p = br_utf8_read(&at->pattern, at->pattern_end)) {
        bool has_end = at->pattern < at->pattern_end && *at->pattern != ']';
        if (p == '-' && has_end && previous > 0) {
            p = br_utf8_read(&at->pattern, at->pattern_end);
            is_seen |= c >= previous && c <= p;
            previous = 0;
        } else {
            is_seen |= c == p;
            previous = p;
        }
    }
    return p != 0 && is_seen != is_inverted;
}

static match_outcome match(const br_pattern_style *style, match_cursor at)
{
    uint32_t c;
    while ((c = br_utf8_read(&at.pattern, at.pattern_end)) != 0) {
        bool is_escaped = false;
        if (c == style->matches_all) return match_wildcard(style, at);
        if (style->is_like && c == style->escape) {
            c = br_utf8_read(&at.pattern, at.pattern_end);
            if (c == 0) return MISS;
            is_escaped = true;
        } else if (!style->is_like && c == '[') {
            if (!match_set(&at)) return MISS;
            continue;
        }
        uint32_t found = br_utf8_read(&at.text, at.text_end);
        if (is_same(style, c, found)) continue;
        if (c == style->matches_one && !is_escaped && found != 0) continue;
        return MISS;
    }
    return at.text == at.text_end ? MATCH : MISS;
}

bool br_pattern_matches(const br_pattern_style *style, br_text pattern, br_text text)
{
    match_cursor at = {pattern.data, pattern.data + br_text_c_size(pattern), text.data,
                       text.data + br_text_c_size(text)};
    return match(style, at) == MATCH;
}
