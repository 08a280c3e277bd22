// regexp.h - regular expressions: the only door to PCRE2.
//
// Perl's syntax over UTF-8; bytes that are not UTF-8 match nothing but do no harm. A match that
// needs too many steps is an error instead of a hang.
//
// Ownership: a regexp is on the heap. Texts handed out borrow from the text given, or lie in the
// arena given. Threads: one thread per regexp (it holds the state of a match).
// Errors: BR_RUNTIME for a bad pattern or replacement, a match that is given up, or a result that
//         is longer than SQLite allows a text to be.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_REGEXP_H
#define BR_BASE_REGEXP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/type.h"

typedef struct br_regexp br_regexp;

BR_CHECKED br_status br_regexp_new(br_text pattern, bool ignore_case, br_regexp **regexp_out,
                                   br_error *err);
void br_regexp_free(br_regexp *regexp);  // NULL is a no-op

// Does it match anywhere in the text?
BR_CHECKED br_status br_regexp_matches(br_regexp *regexp, br_text text, bool *matches_out,
                                       br_error *err);
// What the group (0: all of it) of the first match holds. *found_out is false when there is no
// match or the group took no part in it.
BR_CHECKED br_status br_regexp_extract(br_regexp *regexp, br_text text, uint32_t group,
                                       bool *found_out, br_text *out, br_error *err);
// The text with its first match, or all of them, replaced. \0 to \9 in the replacement stand for
// groups, \\ for a backslash.
BR_CHECKED br_status br_regexp_replace(br_regexp *regexp, br_text text, br_text replacement,
                                       bool replace_all, br_arena *arena, br_text *out,
                                       br_error *err);

#endif
