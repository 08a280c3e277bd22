// SPDX-License-Identifier: Apache-2.0
#include "base/date_trunc.h"

#include "base/vector.h"
#include "tests/test.h"

static br_text text_of(const char *bytes) { return br_text_make(bytes, (uint32_t)strlen(bytes)); }

static void check(const char *unit_name, const char *time, const char *expected)
{
    br_date_unit unit;
    br_error err;
    char text[BR_DATE_TRUNC_BYTES + 1] = {0};
    uint32_t size = 0;
    MUST(br_date_unit_parse(text_of(unit_name), &unit, &err), err);
    bool is_time = br_date_trunc(unit, text_of(time), text, &size);
    CHECK_TEXT(is_time ? text : "none", expected);
    if (is_time) CHECK_INT(size, strlen(expected));
}

static void test_date_trunc_cuts_dates(void)
{
    check("year", "2024-08-15", "2024-01-01");
    check("Quarter", "2024-08-15", "2024-07-01");
    check("quarter", "2024-03-31", "2024-01-01");
    check("month", "2024-02-29", "2024-02-01");
    check("WEEK", "2024-08-15", "2024-08-12");
    check("week", "2024-08-12", "2024-08-12");
    check("week", "1969-12-31", "1969-12-29");
    check("day", "2024-08-15", "2024-08-15");
    check("hour", "2024-08-15", "2024-08-15");
}

static void test_date_trunc_cuts_times(void)
{
    check("second", "2024-08-15 10:20:30.999", "2024-08-15 10:20:30");
    check("minute", "2024-08-15T10:20:30", "2024-08-15 10:20:00");
    check("hour", "1969-12-31 23:59:59", "1969-12-31 23:00:00");
    check("day", "2024-08-15 10:20", "2024-08-15 00:00:00");
    check("week", "2024-08-18 23:59:59", "2024-08-12 00:00:00");
    check("year", "2024-08-15 10:20:30", "2024-01-01 00:00:00");
}

static void test_date_trunc_knows_no_other_times(void)
{
    static const char *const texts[] = {"", "now", "2024", "2024-02-30", "2024-08-15 25:00:00",
                                        "2024-08-15 10:20:30.", "2024-08-15 10:20:30.1x",
                                        "2024-08-15x10:20:30", "10:20:30", "2024-08-15 10:20:3"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check("day", texts[i], "none");
    check("week", "0000-01-01", "none");  // a Saturday
    check("year", "0000-01-01", "0000-01-01");
}

static void test_date_trunc_names_the_unknown_unit(void)
{
    br_date_unit unit;
    br_error err = {0};
    CHECK_INT(br_date_unit_parse(text_of("eon"), &unit, &err), BR_RUNTIME);
    CHECK_TEXT(err.message, "date_trunc: unknown unit 'eon', want year, quarter, month, week, day, "
                            "hour, minute or second");
}

// A unit's start is never after the time, and is its own start.
static void test_date_trunc_is_idempotent(void)
{
    uint64_t seed = 7;
    for (uint32_t i = 0; i < 20000; i++) {
        int64_t seconds = (int64_t)(test_random(&seed) % 300000000000u) - 62000000000;
        br_date_unit unit = (br_date_unit)(i % 8);
        int64_t start = br_date_trunc_seconds(unit, seconds);
        CHECK(start <= seconds);
        CHECK_INT(br_date_trunc_seconds(unit, start), start);
    }
}

int main(void)
{
    RUN(test_date_trunc_cuts_dates);
    RUN(test_date_trunc_cuts_times);
    RUN(test_date_trunc_knows_no_other_times);
    RUN(test_date_trunc_names_the_unknown_unit);
    RUN(test_date_trunc_is_idempotent);
    return test_result();
}
