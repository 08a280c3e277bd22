// test_error.c - statuses and messages, with and without somewhere to put them.
// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include "base/assert.h"
#include "tests/test.h"

static void test_fail_fills_and_returns(void)
{
    br_error err;
    CHECK_INT(br_fail(&err, BR_CORRUPT, "page %d of '%s'", 7, "t"), BR_CORRUPT);
    CHECK_INT(err.status, BR_CORRUPT);
    CHECK_INT(err.sql_offset, -1);
    CHECK_TEXT(err.message, "page 7 of 't'");
}

static void test_fail_at_keeps_the_offset(void)
{
    br_error err;
    CHECK_INT(br_fail_at(&err, BR_SQL, 12, "no such column: %s", "x"), BR_SQL);
    CHECK_INT(err.sql_offset, 12);
    CHECK_TEXT(err.message, "no such column: x");
}

static void test_fail_without_error_returns_status(void)
{
    CHECK_INT(br_fail(NULL, BR_IO, "nobody reads this"), BR_IO);
    CHECK_INT(br_fail_at(NULL, BR_SQL, 1, "nor this"), BR_SQL);
}

static void test_fail_cuts_long_messages(void)
{
    br_error err;
    br_fail(&err, BR_IO, "%01000d", 5);
    CHECK_INT(strlen(err.message), BR_ERROR_MESSAGE_MAX - 1);
}

static br_status tried(int *steps, br_error *err)
{
    BR_TRY(BR_OK);
    ++*steps;
    BR_TRY(br_fail(err, BR_BUSY, "locked"));
    ++*steps;
    return BR_OK;
}

static void test_try_stops_at_the_failure(void)
{
    br_error err;
    int steps = 0;
    CHECK_INT(tried(&steps, &err), BR_BUSY);
    CHECK_INT(steps, 1);
}

static br_status verified(int value, br_error *err)
{
    br_verify(value == 1, err);
    return BR_OK;
}

static void test_verify_names_the_condition(void)
{
    br_error err;
    CHECK_INT(verified(1, &err), BR_OK);
    CHECK_INT(verified(2, &err), BR_INTERNAL);
    CHECK(strstr(err.message, "value == 1") != NULL);
    CHECK(strstr(err.message, "test_error.c") != NULL);
}

int main(void)
{
    RUN(test_fail_fills_and_returns);
    RUN(test_fail_at_keeps_the_offset);
    RUN(test_fail_without_error_returns_status);
    RUN(test_fail_cuts_long_messages);
    RUN(test_try_stops_at_the_failure);
    RUN(test_verify_names_the_condition);
    return test_result();
}
