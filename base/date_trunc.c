// SPDX-License-Identifier: Apache-2.0
#include "base/date_trunc.h"

#include <string.h>
#include <strings.h>

#include "base/vector.h"

static const int64_t seconds_per_day = 86400;
static const int64_t days_min = -719528;  // 0000-01-01

static const char *const unit_names[] = {"year", "quarter", "month",  "week",
                                         "day",  "hour",    "minute", "second"};

br_status br_date_unit_parse(br_text name, br_date_unit *unit_out, br_error *err)
{
    for (uint32_t i = 0; i < sizeof unit_names / sizeof *unit_names; i++) {
        if (strlen(unit_names[i]) != name.size ||
            strncasecmp(unit_names[i], name.data, name.size) != 0)
            continue;
        *unit_out = (br_date_unit)i;
        return BR_OK;
    }
    return br_fail(err, BR_RUNTIME,
                   "date_trunc: unknown unit '%.*s', want year, quarter, month, week, day, hour, "
                   "minute or second",
                   name.size < 40 ? (int)name.size : 40, name.data);
}

static int64_t floor_to(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

int64_t br_date_trunc_days(br_date_unit unit, int64_t days)
{
    int32_t year;
    uint32_t month, day;
    if (unit >= BR_DATE_DAY) return days;
    if (unit == BR_DATE_WEEK) return floor_to(days + 3, 7) - 3;  // 1970-01-01 was a Thursday
    br_days_to_civil(days, &year, &month, &day);
    if (unit == BR_DATE_YEAR) month = 1;
    if (unit == BR_DATE_QUARTER) month = (month - 1) / 3 * 3 + 1;
    return br_days_from_civil(year, month, 1);
}

int64_t br_date_trunc_seconds(br_date_unit unit, int64_t seconds)
{
    switch (unit) {
    case BR_DATE_SECOND: return seconds;
    case BR_DATE_MINUTE: return floor_to(seconds, 60);
    case BR_DATE_HOUR: return floor_to(seconds, 3600);
    default: break;
    }
    int64_t days = floor_to(seconds, seconds_per_day) / seconds_per_day;
    return br_date_trunc_days(unit, days) * seconds_per_day;
}

// Of a text with a time of day, in any of its forms.
static bool parse_time(br_text time, int64_t *seconds_out)
{
    char canonical[] = "0000-00-00 00:00:00";
    uint32_t size = time.size;
    if (size > 20 && time.data[19] == '.') {
        for (uint32_t i = 20; i < size; i++) {
            if (time.data[i] < '0' || time.data[i] > '9') return false;
        }
        size = 19;
    }
    if ((size != 16 && size != 19) || (time.data[10] != ' ' && time.data[10] != 'T')) return false;
    memcpy(canonical, time.data, size);
    canonical[10] = ' ';
    return br_datetime_parse(canonical, 19, seconds_out);
}

bool br_date_trunc(br_date_unit unit, br_text time, char *text_out, uint32_t *size_out)
{
    int64_t days, seconds;
    if (time.size == 10 && br_date_parse(time.data, 10, &days)) {
        days = br_date_trunc_days(unit, days);
        if (days < days_min) return false;
        br_date_format(days, text_out);
        *size_out = 10;
        return true;
    }
    if (!parse_time(time, &seconds)) return false;
    seconds = br_date_trunc_seconds(unit, seconds);
    if (seconds < days_min * seconds_per_day) return false;
    br_datetime_format(seconds, text_out);
    *size_out = 19;
    return true;
}
