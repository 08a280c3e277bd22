// date_trunc(unit, time), for statements that run in SQLite; the same code as the columnar
// engine's. NULL for a NULL argument and for what is no time. And braid_time(time), the time of a
// history as microseconds.
// SPDX-License-Identifier: Apache-2.0
#include "base/date_trunc.h"

#include <strings.h>

#include "base/vector.h"

#include "oltp/handle.h"

static br_text text_argument(sqlite3_value *value)
{
    const unsigned char *bytes = sqlite3_value_text(value);
    return br_text_make(bytes == NULL ? (const void *)"" : bytes,
                        (uint32_t)sqlite3_value_bytes(value));
}

static void date_trunc(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    br_date_unit unit;
    br_error err;
    char text[BR_DATE_TRUNC_BYTES];
    uint32_t size;
    (void)count;
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL ||
        sqlite3_value_type(arguments[1]) == SQLITE_NULL)
        return;
    if (br_date_unit_parse(text_argument(arguments[0]), &unit, &err) != BR_OK) {
        sqlite3_result_error(context, err.message, -1);
        return;
    }
    if (br_date_trunc(unit, text_argument(arguments[1]), text, &size))
        sqlite3_result_text(context, text, (int)size, SQLITE_TRANSIENT);
}

// ---- times of a history ----------------------------------------------------------------------

enum { DAY_SECONDS = 86400, DATE_BYTES = 10 };

typedef struct time_reader {
    const char *at, *end;
} time_reader;

static bool accept(time_reader *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

// `digits` digits, at most `max`.
static bool read_number(time_reader *r, uint32_t digits, int64_t max, int64_t *value_out)
{
    int64_t value = 0;
    for (uint32_t i = 0; i < digits; i++, r->at++) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9') return false;
        value = value * 10 + (*r->at - '0');
    }
    *value_out = value;
    return value <= max;
}

// Behind a point: what is finer than a microsecond is left out.
static bool read_fraction(time_reader *r, int64_t *us_out)
{
    int64_t us = 0, unit = 100000;
    const char *first = r->at;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, unit /= 10)
        us += (*r->at - '0') * unit;
    *us_out = us;
    return r->at > first;
}

// HH:MM, HH:MM:SS or HH:MM:SS.SSS.
static bool read_clock(time_reader *r, int64_t *us_out)
{
    int64_t hours, minutes, seconds = 0, us = 0;
    if (!read_number(r, 2, 24, &hours) || !accept(r, ':') || !read_number(r, 2, 59, &minutes))
        return false;
    if (accept(r, ':')) {
        if (!read_number(r, 2, 59, &seconds)) return false;
        if (accept(r, '.') && !read_fraction(r, &us)) return false;
    }
    *us_out = ((hours * 60 + minutes) * 60 + seconds) * 1000000 + us;
    return true;
}

// Nothing, Z, or how far the clock is ahead of UTC.
static bool read_zone(time_reader *r, int64_t *us_out)
{
    int64_t hours, minutes;
    *us_out = 0;
    while (accept(r, ' ')) {
    }
    if (r->at == r->end) return true;
    if (accept(r, 'Z') || accept(r, 'z')) return r->at == r->end;
    int64_t sign = accept(r, '-') ? -1 : accept(r, '+') ? 1 : 0;
    if (sign == 0 || !read_number(r, 2, 14, &hours) || !accept(r, ':') ||
        !read_number(r, 2, 59, &minutes))
        return false;
    *us_out = sign * (hours * 60 + minutes) * 60 * 1000000;
    return r->at == r->end;
}

static bool parse_time(br_text text, int64_t *us_out)
{
    time_reader r = {.at = text.data, .end = (const char *)text.data + text.size};
    int64_t days, clock = 0, zone = 0;
    // Everything that has been committed, whatever the clocks say.
    if (text.size == 3 && strncasecmp(text.data, "now", 3) == 0) {
        *us_out = INT64_MAX;
        return true;
    }
    if (text.size < DATE_BYTES || !br_date_parse(text.data, DATE_BYTES, &days)) return false;
    r.at += DATE_BYTES;
    if (r.at < r.end) {
        if (!accept(&r, ' ') && !accept(&r, 'T')) return false;
        if (!read_clock(&r, &clock) || !read_zone(&r, &zone)) return false;
    }
    *us_out = days * DAY_SECONDS * 1000000 + clock - zone;
    return true;
}

static void history_time(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    int64_t us;
    (void)count;
    int type = sqlite3_value_type(arguments[0]);
    if (type == SQLITE_NULL) return;
    if (type == SQLITE_INTEGER) {
        sqlite3_result_int64(context, sqlite3_value_int64(arguments[0]));
    } else if (type == SQLITE_TEXT && parse_time(text_argument(arguments[0]), &us)) {
        sqlite3_result_int64(context, us);
    } else {
        char *message = sqlite3_mprintf("'%.60s' is no time of a history: expected YYYY-MM-DD"
                                        " HH:MM:SS.SSSSSS in UTC, or microseconds since 1970",
                                        sqlite3_value_text(arguments[0]));
        if (message == NULL)
            sqlite3_result_error_nomem(context);
        else
            sqlite3_result_error(context, message, -1);
        sqlite3_free(message);
    }
}

int br_oltp_add_date_functions(sqlite3 *handle)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int code = sqlite3_create_function_v2(handle, "braid_time", 1, flags, NULL, history_time, NULL,
                                          NULL, NULL);
    if (code != SQLITE_OK) return code;
    return sqlite3_create_function_v2(handle, "date_trunc", 2,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      date_trunc, NULL, NULL, NULL);
}
