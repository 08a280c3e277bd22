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

static br_status call(const char *function, const br_value *arguments, uint32_t count,
                      br_value *result_out)
{
    br_vector vectors[4];
    for (uint32_t i = 0; i < count; i++) vectors[i] = br_vector_const(&arguments[i]);
    br_function_call one = {
        .function = function, .argument_count = count, .arguments = vectors, .row_count = 1};
    return br_oltp_bridge_call(bridge, &one, arena, result_out, &err);
}

static void test_calls_give_sqlite_answers(void)
{
    br_value result, arguments[3] = {text("hello"), br_value_int(2), br_value_int(3)};
    MUST(call("substr", arguments, 3, &result), err);
    CHECK_INT(result.class_, BR_TEXT);
    CHECK(result.text.size == 3 && memcmp(result.text.data, "ell", 3) == 0);
    for (int i = 0; i < 200; i++) {
        arguments[0] = br_value_int(i);
        MUST(call("abs", arguments, 1, &result), err);
        CHECK_INT(result.i64, i);
    }
    arguments[0] = br_value_null();
    MUST(call("abs", arguments, 1, &result), err);
    CHECK_INT(result.class_, BR_NULL);
    MUST(call("sqlite_version", NULL, 0, &result), err);
    CHECK(result.text.size == strlen(br_oltp_version()));
}

static void test_batches_give_a_value_per_row(void)
{
    int64_t numbers[100];
    br_value results[100], suffix = text("x");
    for (int i = 0; i < 100; i++) numbers[i] = i;
    br_vector arguments[2] = {{.class_ = BR_INT, .i64 = numbers}, br_vector_const(&suffix)};
    br_function_call batch = {.function = "?1 || upper(?2)",
                              .is_expression = true,
                              .argument_count = 2,
                              .arguments = arguments,
                              .row_count = 100};
    MUST(br_oltp_bridge_call(bridge, &batch, arena, results, &err), err);
    for (int i = 0; i < 100; i++) {
        char expected[8];
        int size = snprintf(expected, sizeof expected, "%dX", i);
        CHECK(results[i].class_ == BR_TEXT && results[i].text.size == (uint32_t)size &&
              memcmp(results[i].text.data, expected, (size_t)size) == 0);
    }
    br_function_call random = {.function = "random", .row_count = 3};
    MUST(br_oltp_bridge_call(bridge, &random, arena, results, &err), err);
    CHECK(results[0].i64 != results[1].i64 || results[1].i64 != results[2].i64);
}

static void test_calls_report_errors(void)
{
    br_value result, argument = br_value_int(INT64_MIN);
    CHECK_INT(call("abs", &argument, 1, &result), BR_RUNTIME);
    CHECK_TEXT(err.message, "integer overflow");
    CHECK_INT(call("nope", &argument, 1, &result), BR_RUNTIME);
    CHECK_TEXT(err.message, "no such function: nope");
    CHECK_INT(call("a\"b", &argument, 1, &result), BR_RUNTIME);
    CHECK_TEXT(err.message, "no such function: a\"b");
    argument = br_value_int(-4);
    MUST(call("abs", &argument, 1, &result), err);
    CHECK_INT(result.i64, 4);
}

static void test_find_tells_the_kind(void)
{
    static const struct {
        const char *name;
        uint32_t arguments;
        br_oltp_function_kind kind;
    } cases[] = {
        {"lower", 1, BR_OLTP_FUNCTION_STEADY},   {"LOWER", 1, BR_OLTP_FUNCTION_STEADY},
        {"strftime", 3, BR_OLTP_FUNCTION_STEADY}, {"max", 2, BR_OLTP_FUNCTION_STEADY},
        {"changes", 0, BR_OLTP_FUNCTION_STEADY}, {"sqlite_version", 0, BR_OLTP_FUNCTION_STEADY},
        {"random", 0, BR_OLTP_FUNCTION_VOLATILE}, {"randomblob", 1, BR_OLTP_FUNCTION_VOLATILE},
        {"max", 1, BR_OLTP_FUNCTION_NONE},       {"sum", 1, BR_OLTP_FUNCTION_NONE},
        {"lower", 2, BR_OLTP_FUNCTION_NONE},     {"row_number", 0, BR_OLTP_FUNCTION_NONE},
        {"nope", 1, BR_OLTP_FUNCTION_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_INT(br_oltp_bridge_find(bridge, cases[i].name, cases[i].arguments), cases[i].kind);
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
    MUST(br_oltp_bridge_new(NULL, &bridge, &err), err);
    RUN(test_calls_give_sqlite_answers);
    RUN(test_batches_give_a_value_per_row);
    RUN(test_calls_report_errors);
    RUN(test_find_tells_the_kind);
    RUN(test_real_to_text_is_what_cast_gives);
    br_oltp_bridge_free(bridge);
    br_arena_free(arena);
    return test_result();
}
