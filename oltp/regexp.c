// The functions that Braid adds to SQL, for statements that run in SQLite: regexp (behind X REGEXP
// Y), regexp_replace and regexp_extract. Same rules as the columnar engine's: any NULL argument
// gives NULL, everything else is taken as text.
//
// SQLite keeps a compiled pattern for as long as the pattern argument is a constant.
// SPDX-License-Identifier: Apache-2.0
#include "base/regexp.h"

#include "oltp/handle.h"

enum { GROUP_MAX = 65535 };

static void pattern_free(void *regexp)
{
    br_regexp_free(regexp);
}

static void result_fail(sqlite3_context *context, const br_error *err)
{
    if (err->status == BR_NOMEM)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_error(context, err->message, -1);
}

static br_text text_argument(sqlite3_value *value)
{
    const unsigned char *bytes = sqlite3_value_text(value);
    return br_text_make(bytes == NULL ? (const void *)"" : bytes,
                        (uint32_t)sqlite3_value_bytes(value));
}

static bool any_null(sqlite3_value **arguments, int count)
{
    for (int i = 0; i < count; i++) {
        if (sqlite3_value_type(arguments[i]) == SQLITE_NULL) return true;
    }
    return false;
}

// The pattern of argument `index`, compiled now or in an earlier call. SQLite owns it, unless
// *owned_out says that the caller has to free it: always when the case is ignored, since what
// SQLite keeps belongs to the pattern's text alone.
static br_regexp *pattern_of(sqlite3_context *context, sqlite3_value **arguments, int index,
                             bool ignore_case, bool *owned_out)
{
    br_regexp *regexp = ignore_case ? NULL : sqlite3_get_auxdata(context, index);
    *owned_out = ignore_case;
    if (regexp != NULL) return regexp;
    br_error err;
    if (br_regexp_new(text_argument(arguments[index]), ignore_case, &regexp, &err) != BR_OK) {
        result_fail(context, &err);
        return NULL;
    }
    if (ignore_case) return regexp;
    sqlite3_set_auxdata(context, index, regexp, pattern_free);
    // SQLite may free what it is given at once when it has no memory, or no constant to keep it by.
    if (sqlite3_get_auxdata(context, index) == regexp) return regexp;
    *owned_out = true;
    regexp = NULL;
    if (br_regexp_new(text_argument(arguments[index]), ignore_case, &regexp, &err) != BR_OK)
        result_fail(context, &err);
    return regexp;
}

static void regexp_matches(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    bool owned, matches;
    br_error err;
    if (any_null(arguments, count)) return;
    br_regexp *regexp = pattern_of(context, arguments, 0, false, &owned);
    if (regexp == NULL) return;
    if (br_regexp_matches(regexp, text_argument(arguments[1]), &matches, &err) == BR_OK)
        sqlite3_result_int(context, matches);
    else
        result_fail(context, &err);
    if (owned) br_regexp_free(regexp);
}

static void regexp_extract(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    bool owned, found;
    br_error err;
    br_text result;
    if (any_null(arguments, count)) return;
    int64_t group = count > 2 ? sqlite3_value_int64(arguments[2]) : 0;
    if (group < 0 || group > GROUP_MAX) {
        (void)br_fail(&err, BR_RUNTIME, "regexp_extract: no group %lld", (long long)group);
        result_fail(context, &err);
        return;
    }
    br_regexp *regexp = pattern_of(context, arguments, 1, false, &owned);
    if (regexp == NULL) return;
    br_status status = br_regexp_extract(regexp, text_argument(arguments[0]), (uint32_t)group,
                                         &found, &result, &err);
    if (status != BR_OK)
        result_fail(context, &err);
    else if (found)
        sqlite3_result_text(context, result.data, (int)result.size, SQLITE_TRANSIENT);
    if (owned) br_regexp_free(regexp);
}

static bool parse_flags(sqlite3_context *context, br_text flags, bool *all_out, bool *ignore_out)
{
    for (uint32_t i = 0; i < flags.size; i++) {
        if (flags.data[i] == 'g') {
            *all_out = true;
        } else if (flags.data[i] == 'i') {
            *ignore_out = true;
        } else {
            br_error err;
            (void)br_fail(&err, BR_RUNTIME, "regexp_replace: unknown flag '%c', want g or i",
                          flags.data[i]);
            result_fail(context, &err);
            return false;
        }
    }
    return true;
}

static void regexp_replace(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    bool owned, all = false, ignore_case = false;
    br_error err;
    br_text result;
    if (any_null(arguments, count)) return;
    if (count > 3 && !parse_flags(context, text_argument(arguments[3]), &all, &ignore_case)) return;
    br_regexp *regexp = pattern_of(context, arguments, 1, ignore_case, &owned);
    if (regexp == NULL) return;
    br_arena *arena = br_arena_new(NULL);
    br_status status =
        arena == NULL ? br_fail(&err, BR_NOMEM, "regexp_replace")
                      : br_regexp_replace(regexp, text_argument(arguments[0]),
                                          text_argument(arguments[2]), all, arena, &result, &err);
    if (status != BR_OK)
        result_fail(context, &err);
    else
        sqlite3_result_text(context, result.data, (int)result.size, SQLITE_TRANSIENT);
    br_arena_free(arena);
    if (owned) br_regexp_free(regexp);
}

int br_oltp_add_functions(sqlite3 *handle)
{
    static const struct {
        const char *name;
        int arguments;
        void (*call)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"regexp", 2, regexp_matches},         {"regexp_extract", 2, regexp_extract},
        {"regexp_extract", 3, regexp_extract}, {"regexp_replace", 3, regexp_replace},
        {"regexp_replace", 4, regexp_replace},
    };
    int code = SQLITE_OK;
    for (size_t i = 0; i < sizeof functions / sizeof *functions && code == SQLITE_OK; i++) {
        code = sqlite3_create_function_v2(handle, functions[i].name, functions[i].arguments,
                                          SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                          NULL, functions[i].call, NULL, NULL, NULL);
    }
    return code;
}
