// SQLite's functions and number formatting through the bridge.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "oltp/oltp.h"
#include "tests/test.h"

static br_oltp_bridge *bridge;
static br_arena *arena;
static br_error err;

static br_value text(const char *bytes)
{
    return br_value_text(br_text_make(bytes, (uint32_t)strlen(bytes)));
}

static void test_calls_give_sqlite_answers(void)
{
    br_value result, arguments[3] = {text("hello"), br_value_int(2), br_value_int(3)};
    MUST(br_oltp_bridge_call(bridge, "substr", arguments, 3, arena, &result, &err), err);
    CHECK_INT(result.class_, BR_TEXT);
    CHECK(result.text.size == 3 && memcmp(result.text.data, "ell", 3) == 0);
    for (int i = 0; i < 200; i++) {
        arguments[0] = br_value_int(i);
        MUST(br_oltp_bridge_call(bridge, "abs", arguments, 1, arena, &result, &err), err);
        CHECK_INT(result.i64, i);
    }
    arguments[0] = br_value_null();
    MUST(br_oltp_bridge_call(bridge, "abs", arguments, 1, arena, &result, &err), err);
    CHECK_INT(result.class_, BR_NULL);
    MUST(br_oltp_bridge_call(bridge, "sqlite_version", NULL, 0, arena, &result, &err), err);
    CHECK(result.text.size == strlen(br_oltp_version()));
}

static void test_calls_report_errors(void)
{
    br_value result, argument = br_value_int(INT64_MIN);
    CHECK_INT(br_oltp_bridge_call(bridge, "abs", &argument, 1, arena, &result, &err), BR_RUNTIME);
    CHECK_TEXT(err.message, "integer overflow");
    CHECK_INT(br_oltp_bridge_call(bridge, "nope", &argument, 1, arena, &result, &err), BR_RUNTIME);
    CHECK_INT(br_oltp_bridge_call(bridge, "a\"b", &argument, 1, arena, &result, &err), BR_MISUSE);
    argument = br_value_int(-4);
    MUST(br_oltp_bridge_call(bridge, "abs", &argument, 1, arena, &result, &err), err);
    CHECK_INT(result.i64, 4);
}

static void test_has_knows_deterministic_scalars(void)
{
    CHECK(br_oltp_bridge_has(bridge, "lower", 1));
    CHECK(br_oltp_bridge_has(bridge, "LOWER", 1));
    CHECK(br_oltp_bridge_has(bridge, "strftime", 3));
    CHECK(br_oltp_bridge_has(bridge, "max", 2));
    CHECK(br_oltp_bridge_has(bridge, "like", 2));
    CHECK(!br_oltp_bridge_has(bridge, "max", 1));
    CHECK(!br_oltp_bridge_has(bridge, "sum", 1));
    CHECK(!br_oltp_bridge_has(bridge, "random", 0));
    CHECK(!br_oltp_bridge_has(bridge, "lower", 2));
    CHECK(!br_oltp_bridge_has(bridge, "row_number", 0));
    CHECK(!br_oltp_bridge_has(bridge, "nope", 1));
}

static uint64_t seed = 42;

static double random_real(void)
{
    uint64_t bits = test_random(&seed);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (bits % 3 == 0) value = (double)(int64_t)(bits % 2000000) / 100.0;
    return isnan(value) ? 0.5 : value;
}

// Against what the linked SQLite makes of CAST.
static void test_real_to_text_is_what_cast_gives(void)
{
    br_oltp_config config = {.path = ":memory:", .create = true, .journal_as_is = true};
    br_oltp *oltp = NULL;
    MUST(br_oltp_open(&config, &oltp, &err), err);
    br_oltp_statement *statement = NULL;
    MUST(br_oltp_prepare(oltp, "SELECT CAST(?1 AS TEXT)", NULL, &statement, &err), err);
    double special[] = {0.0, -0.0, 1.0, -1.5, 1e15, 1e16, 1e100, INFINITY, -INFINITY, 5e-324, 0.1};
    for (size_t i = 0; i < 20000; i++) {
        double value = i < sizeof special / sizeof special[0] ? special[i] : random_real();
        br_value bound = br_value_real(value);
        bool has_row;
        MUST(br_oltp_bind(statement, 1, &bound, &err), err);
        MUST(br_oltp_step(statement, &has_row, &err), err);
        br_text expected = br_oltp_column(statement, 0).text;
        char actual[40];
        uint32_t size = br_oltp_real_to_text(value, actual);
        CHECK(size == expected.size && memcmp(actual, expected.data, size) == 0);
        br_oltp_reset(statement);
    }
    br_oltp_finalize(statement);
    br_oltp_close(oltp);
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1) seed = strtoull(arguments[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    arena = br_arena_new(NULL);
    MUST(br_oltp_bridge_new(&bridge, &err), err);
    RUN(test_calls_give_sqlite_answers);
    RUN(test_calls_report_errors);
    RUN(test_has_knows_deterministic_scalars);
    RUN(test_real_to_text_is_what_cast_gives);
    br_oltp_bridge_free(bridge);
    br_arena_free(arena);
    return test_result();
}
