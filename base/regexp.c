// regexp.c - PCRE2, compiled to machine code where the system allows that.
// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/regexp.h"

#include <pcre2.h>
#include <string.h>

#include "base/bytes.h"
#include "base/heap.h"

enum {
    MATCH_STEPS_MAX = 10 * 1000 * 1000,  // PCRE2's own default; well under a second
    MATCH_HEAP_KIB_MAX = 64 * 1024,
    TEXT_BYTES_MAX = 1000000000,         // SQLite's default limit
};

struct br_regexp {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    bool is_compiled;  // to machine code
    uint32_t group_count;
    br_buffer buffer;  // of a replacement
};

static br_status fail_compile(br_text pattern, int code, size_t offset, br_error *err)
{
    PCRE2_UCHAR reason[200] = "";
    pcre2_get_error_message(code, reason, sizeof reason);
    return br_fail(err, BR_RUNTIME, "regular expression '%.*s': %s at offset %zu",
                   pattern.size < 100 ? (int)pattern.size : 100, pattern.data,
                   (const char *)reason, offset);
}

br_status br_regexp_new(br_text pattern, bool ignore_case, br_regexp **regexp_out, br_error *err)
{
    br_regexp *regexp = br_heap_zalloc(sizeof *regexp);
    if (regexp == NULL) return br_fail(err, BR_NOMEM, "no memory for a regular expression");
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | (ignore_case ? PCRE2_CASELESS : 0);
    int code = 0;
    size_t offset = 0;
    PCRE2_SPTR bytes = (PCRE2_SPTR)(pattern.size > 0 ? pattern.data : "");
    regexp->code = pcre2_compile(bytes, pattern.size, options, &code, &offset, NULL);
    if (regexp->code == NULL) {
        br_regexp_free(regexp);
        return fail_compile(pattern, code, offset, err);
    }
    regexp->match = pcre2_match_data_create_from_pattern(regexp->code, NULL);
    regexp->context = pcre2_match_context_create(NULL);
    if (regexp->match == NULL || regexp->context == NULL) {
        br_regexp_free(regexp);
        return br_fail(err, BR_NOMEM, "no memory for a regular expression");
    }
    pcre2_set_match_limit(regexp->context, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(regexp->context, MATCH_HEAP_KIB_MAX);
    regexp->is_compiled = pcre2_jit_compile(regexp->code, PCRE2_JIT_COMPLETE) == 0;
    pcre2_pattern_info(regexp->code, PCRE2_INFO_CAPTURECOUNT, &regexp->group_count);
    *regexp_out = regexp;
    return BR_OK;
}

void br_regexp_free(br_regexp *regexp)
{
    if (regexp == NULL) return;
    pcre2_match_context_free(regexp->context);
    pcre2_match_data_free(regexp->match);
    pcre2_code_free(regexp->code);
    br_buffer_release(&regexp->buffer);
    br_heap_free(regexp);
}

// The first match at or behind `from`; its groups are in the match data.
static br_status find(br_regexp *regexp, br_text text, size_t from, bool *found_out, br_error *err)
{
    PCRE2_SPTR bytes = (PCRE2_SPTR)(text.size > 0 ? text.data : "");
    int count = regexp->is_compiled
                    ? pcre2_jit_match(regexp->code, bytes, text.size, from, 0, regexp->match,
                                      regexp->context)
                    : pcre2_match(regexp->code, bytes, text.size, from, 0, regexp->match,
                                  regexp->context);
    *found_out = count > 0;
    if (count > 0 || count == PCRE2_ERROR_NOMATCH) return BR_OK;
    PCRE2_UCHAR reason[200] = "";
    pcre2_get_error_message(count, reason, sizeof reason);
    return br_fail(err, BR_RUNTIME, "regular expression: %s", (const char *)reason);
}

br_status br_regexp_matches(br_regexp *regexp, br_text text, bool *matches_out, br_error *err)
{
    return find(regexp, text, 0, matches_out, err);
}

// False when the group took no part in the last match.
static bool group_text(const br_regexp *regexp, br_text text, uint32_t group, br_text *out)
{
    const size_t *places = pcre2_get_ovector_pointer(regexp->match);
    if (group > regexp->group_count || places[2 * group] == PCRE2_UNSET) return false;
    size_t start = places[2 * group], end = places[2 * group + 1];
    if (end < start) return false;  // \K in a lookahead
    *out = br_text_make(text.data + start, (uint32_t)(end - start));
    return true;
}

br_status br_regexp_extract(br_regexp *regexp, br_text text, uint32_t group, bool *found_out,
                            br_text *out, br_error *err)
{
    BR_TRY(find(regexp, text, 0, found_out, err));
    *found_out = *found_out && group_text(regexp, text, group, out);
    return BR_OK;
}

static br_status append(br_buffer *buffer, const char *bytes, size_t size, br_error *err)
{
    if (buffer->size_bytes + size > TEXT_BYTES_MAX)
        return br_fail(err, BR_RUNTIME, "string or blob too big");
    if (size > 0 && !br_buffer_append(buffer, bytes, size))
        return br_fail(err, BR_NOMEM, "no memory for a replaced text");
    return BR_OK;
}

// The replacement of the last match.
static br_status append_replacement(const br_regexp *regexp, br_text text, br_text replacement,
                                    br_buffer *buffer, br_error *err)
{
    uint32_t from = 0;
    for (uint32_t i = 0; i < replacement.size; i++) {
        if (replacement.data[i] != '\\') continue;
        BR_TRY(append(buffer, replacement.data + from, i - from, err));
        char next = ++i < replacement.size ? replacement.data[i] : 0;
        br_text group;
        if (next == '\\') {
            BR_TRY(append(buffer, "\\", 1, err));
        } else if (next < '0' || next > '9' || (uint32_t)(next - '0') > regexp->group_count) {
            return br_fail(err, BR_RUNTIME, "replacement '%.*s': no group for the \\ at offset %u",
                           replacement.size < 100 ? (int)replacement.size : 100,
                           replacement.data, i - 1);
        } else if (group_text(regexp, text, (uint32_t)(next - '0'), &group)) {
            BR_TRY(append(buffer, group.data, group.size, err));
        }
        from = i + 1;
    }
    return append(buffer, replacement.data + from, replacement.size - from, err);
}

// Past one character, so that an empty match is not found again.
static size_t next_char(br_text text, size_t at)
{
    at++;
    while (at < text.size && ((unsigned char)text.data[at] & 0xc0) == 0x80) at++;
    return at;
}

// Replaces matches until there is none left; everything else is copied.
static br_status replace_into_buffer(br_regexp *regexp, br_text text, br_text replacement,
                                     bool replace_all, br_error *err)
{
    br_buffer *buffer = &regexp->buffer;
    size_t copied = 0;
    bool found = true;  // the first match is there already
    br_buffer_clear(buffer);
    while (found) {
        const size_t *places = pcre2_get_ovector_pointer(regexp->match);
        size_t start = places[0], end = places[1];
        if (start < copied || end < start) break;
        BR_TRY(append(buffer, text.data + copied, start - copied, err));
        BR_TRY(append_replacement(regexp, text, replacement, buffer, err));
        copied = end;
        size_t from = end > start ? end : next_char(text, end);
        if (!replace_all || from > text.size) break;
        BR_TRY(find(regexp, text, from, &found, err));
    }
    return append(buffer, text.data + copied, text.size - copied, err);
}

// A match of the whole text that is replaced by one of its groups needs no copy.
static bool replace_by_group(const br_regexp *regexp, br_text text, br_text replacement,
                             br_text *out)
{
    const size_t *places = pcre2_get_ovector_pointer(regexp->match);
    if (replacement.size != 2 || replacement.data[0] != '\\' || replacement.data[1] < '0' ||
        replacement.data[1] > '9' || places[0] != 0 || places[1] != text.size)
        return false;
    return group_text(regexp, text, (uint32_t)(replacement.data[1] - '0'), out);
}

br_status br_regexp_replace(br_regexp *regexp, br_text text, br_text replacement,
                            bool replace_all, br_arena *arena, br_text *out, br_error *err)
{
    bool found;
    BR_TRY(find(regexp, text, 0, &found, err));
    *out = text;
    if (!found || replace_by_group(regexp, text, replacement, out)) return BR_OK;
    BR_TRY(replace_into_buffer(regexp, text, replacement, replace_all, err));
    size_t size = regexp->buffer.size_bytes;
    const char *bytes =
        br_arena_copy_text(arena, size > 0 ? (const char *)regexp->buffer.bytes : "", size);
    if (bytes == NULL) return br_fail(err, BR_NOMEM, "no memory for a replaced text");
    *out = br_text_make(bytes, (uint32_t)size);
    return BR_OK;
}
