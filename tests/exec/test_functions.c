// test_functions.c - conversions, errors, laziness and typed paths that random expressions miss.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "base/cpu.h"
#include "support_expression.h"
#include "tests/test.h"

static uint64_t seed = 99;
static br_isa isa;

static br_text text_of(const char *bytes) { return br_text_make(bytes, (uint32_t)strlen(bytes)); }
static br_value text_value(const char *bytes) { return br_value_text(text_of(bytes)); }

// ---- one expression over constants -----------------------------------------------------------

static br_status evaluate(test_oracle *oracle, test_pair pair, br_value *out, br_error *err)
{
    return br_evaluate_constant(pair.expr, &oracle->env, oracle->arena, out, err);
}

static br_value call(test_oracle *oracle, br_function function, const char *name,
                     const br_value *values, uint32_t count)
{
    test_pair args[4];
    br_error err;
    br_value out;
    for (uint32_t i = 0; i < count; i++) args[i] = oracle_constant(oracle, values[i]);
    test_pair pair = oracle_function(oracle, function, name, args, count);
    MUST(evaluate(oracle, pair, &out, &err), err);
    oracle->constant_count = 0;
    return out;
}

static void expect_text(const br_value *value, const char *expected)
{
    CHECK_INT(value->class_, BR_TEXT);
    if (value->class_ != BR_TEXT) return;
    char copy[200];
    snprintf(copy, sizeof copy, "%.*s", (int)value->text.size, value->text.data);
    CHECK_TEXT(copy, expected);
}

static void test_regexp_functions(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    br_value args[4] = {text_value("b+"), text_value("abbc"), text_value("<\\0>"), text_value("g")};
    br_value out = call(&oracle, BR_FN_REGEXP, "regexp", args, 2);
    CHECK(out.class_ == BR_INT && out.i64 == 1);
    br_value replace[4] = {text_value("abbcb"), text_value("B"), text_value("-"), text_value("gi")};
    out = call(&oracle, BR_FN_REGEXP_REPLACE, "regexp_replace", replace, 4);
    expect_text(&out, "a--c-");
    out = call(&oracle, BR_FN_REGEXP_REPLACE, "regexp_replace", replace, 3);
    expect_text(&out, "abbcb");
    br_value extract[3] = {br_value_int(12345), text_value("2(.)4"), br_value_int(1)};
    out = call(&oracle, BR_FN_REGEXP_EXTRACT, "regexp_extract", extract, 3);
    expect_text(&out, "3");
    extract[1] = text_value("x");
    out = call(&oracle, BR_FN_REGEXP_EXTRACT, "regexp_extract", extract, 2);
    CHECK_INT(out.class_, BR_NULL);
    extract[1] = br_value_null();
    out = call(&oracle, BR_FN_REGEXP_EXTRACT, "regexp_extract", extract, 2);
    CHECK_INT(out.class_, BR_NULL);
    oracle_close(&oracle);
}

static void expect_error(test_oracle *oracle, test_pair pair, br_status status,
                         const char *message)
{
    br_value out;
    br_error err = {0};
    CHECK_INT(evaluate(oracle, pair, &out, &err), status);
    CHECK_TEXT(err.message, message);
    oracle->constant_count = 0;
}

static void test_errors_have_sqlites_words(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    test_pair least = oracle_constant(&oracle, br_value_int(INT64_MIN));
    expect_error(&oracle, oracle_function(&oracle, BR_FN_ABS, "abs", &least, 1), BR_RUNTIME,
                 "integer overflow");
    test_pair like[3] = {oracle_constant(&oracle, text_value("a")),
                         oracle_constant(&oracle, text_value("a")),
                         oracle_constant(&oracle, text_value("ab"))};
    expect_error(&oracle, oracle_operator(&oracle, BR_OP_LIKE, 0, like, 3), BR_RUNTIME,
                 "ESCAPE expression must be a single character");
    char *pattern = br_arena_zalloc(oracle.arena, 50002, 1);
    memset(pattern, '%', 50001);
    like[1] = oracle_constant(&oracle, text_value(pattern));
    expect_error(&oracle, oracle_operator(&oracle, BR_OP_LIKE, 0, like, 2), BR_RUNTIME,
                 "LIKE or GLOB pattern too complex");
    test_pair flags[4] = {like[0], like[0], like[0], oracle_constant(&oracle, text_value("x"))};
    expect_error(&oracle, oracle_function(&oracle, BR_FN_REGEXP_REPLACE, "regexp_replace", flags, 4),
                 BR_RUNTIME, "regexp_replace: unknown flag 'x', want g or i");
    oracle_close(&oracle);
}

static void test_constants_may_be_parameters_and_subqueries(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    br_value parameters[] = {br_value_int(40), br_value_int(1)}, subqueries[] = {br_value_real(2.5)};
    oracle.exec.parameters = parameters;
    oracle.env.subqueries = subqueries;
    br_expr parameter = {.kind = BR_EXPR_PARAMETER, .parameter = 0};
    br_expr subquery = {.kind = BR_EXPR_SUBQUERY, .subquery = 0};
    br_expr *args[] = {&parameter, &subquery};
    br_expr sum = {.kind = BR_EXPR_OPERATOR, .operator_ = BR_OP_ADD, .arg_count = 2, .args = args,
                   .type = {.class_mask = BR_MASK_ALL}};
    br_error err;
    br_value out;
    MUST(br_evaluate_constant(&sum, &oracle.env, oracle.arena, &out, &err), err);
    CHECK(out.class_ == BR_REAL && out.f64 == 42.5);
    oracle_close(&oracle);
}

// ---- conversions -----------------------------------------------------------------------------

static const char *random_number_text(test_oracle *oracle)
{
    char text[120];
    size_t size = 0;
    static const char *const starts[] = {"", "", "", "-", "+", " ", "\t-", "--", "."};
    static const char *const ends[] = {"", "", "", " ", "x", "e5", "E-3", "e", ".", "e+", " 1"};
    size += (size_t)sprintf(text, "%s", starts[oracle_random(oracle, 9)]);
    uint32_t digits = oracle_random(oracle, oracle_random(oracle, 4) == 0 ? 45 : 20);
    for (uint32_t i = 0; i < digits; i++) {
        uint32_t kind = oracle_random(oracle, 14);
        text[size++] = (char)(kind < 10 ? '0' + kind : kind == 10 ? '0' : kind == 11 ? '9' : '5');
    }
    if (oracle_random(oracle, 2) == 0) {
        text[size++] = '.';
        digits = oracle_random(oracle, 20);
        for (uint32_t i = 0; i < digits; i++) text[size++] = (char)('0' + oracle_random(oracle, 10));
    }
    if (oracle_random(oracle, 2) == 0)
        size += (size_t)sprintf(text + size, "e%d", (int)oracle_random(oracle, 700) - 350);
    size += (size_t)sprintf(text + size, "%s", ends[oracle_random(oracle, 11)]);
    return br_arena_copy_text(oracle->arena, text, size);
}

static void check_conversions(test_oracle *oracle, sqlite3_stmt *statement, const char *text)
{
    br_value value = text_value(text);
    sqlite3_bind_text(statement, 1, text, -1, SQLITE_TRANSIENT);
    sqlite3_step(statement);
    br_exec_bridge bridge = oracle_bridge(oracle);
    static const br_affinity casts[] = {BR_AFFINITY_REAL, BR_AFFINITY_INTEGER,
                                        BR_AFFINITY_NUMERIC};
    for (int i = 0; i < 3; i++) {
        br_value ours = br_value_cast(value, casts[i], &bridge, oracle->arena);
        br_value theirs = br_value_null();
        if (sqlite3_column_type(statement, i) == SQLITE_INTEGER)
            theirs = br_value_int(sqlite3_column_int64(statement, i));
        else theirs = br_value_real(sqlite3_column_double(statement, i));
        bool same = oracle_same_value(&ours, &theirs);
        char left[100], right[100];
        oracle_print_value(&ours, left, sizeof left);
        oracle_print_value(&theirs, right, sizeof right);
        if (!same) fprintf(stderr, "'%s' cast %d: %s, SQLite %s\n", text, i, left, right);
        CHECK(same);
    }
    br_value plus = br_value_to_int(&value) != 0 ? br_value_int(1) : br_value_int(0);
    CHECK_INT(plus.i64, sqlite3_column_int(statement, 3));
    CHECK_INT(br_value_truth(&value), sqlite3_column_int(statement, 4));
    sqlite3_reset(statement);
}

static void test_text_converts_as_sqlite_does(void)
{
    test_oracle oracle;
    sqlite3_stmt *statement;
    oracle_open(&oracle, seed, isa);
    sqlite3_prepare_v2(oracle.sqlite,
                       "SELECT CAST(?1 AS REAL), CAST(?1 AS INTEGER), CAST(?1 AS NUMERIC), "
                       "CAST(?1 AS INTEGER) <> 0, CASE WHEN ?1 THEN 1 ELSE 0 END",
                       -1, &statement, NULL);
    for (uint32_t i = 0; i < 60000; i++) {
        br_arena_mark mark = br_arena_get_mark(oracle.arena);
        check_conversions(&oracle, statement, random_number_text(&oracle));
        br_arena_rewind(oracle.arena, mark);
    }
    sqlite3_finalize(statement);
    oracle_close(&oracle);
}

// Storing into columns of each affinity shows what SQLite's affinities do.
static void test_affinity_applies_as_storing_does(void)
{
    static const char *const texts[] = {
        "1", " 1 ", "1.0", "1.5", "1e3", "abc", "", "12x", "9223372036854775807",
        "9223372036854775808", "1e400", "-0", "-0.0", "0x1", "4503599627370497.0",
        "9007199254740993", "1e18", "123456789012345678901234567890"};
    static const double reals[] = {1.0, 1.5, -0.0, 1e18, 9.2e18, 1e19, 0.1, 4503599627370497.0,
                                   INFINITY, -9223372036854775808.0};
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    sqlite3_exec(oracle.sqlite, "CREATE TABLE a(k INTEGER PRIMARY KEY, n NUMERIC, i INTEGER, "
                 "r REAL, t TEXT, b BLOB)", NULL, NULL, NULL);
    br_exec_bridge bridge = oracle_bridge(&oracle);
    static const br_affinity affinities[] = {BR_AFFINITY_NUMERIC, BR_AFFINITY_INTEGER,
                                             BR_AFFINITY_REAL, BR_AFFINITY_TEXT,
                                             BR_AFFINITY_BLOB};
    for (uint32_t i = 0; i < 28; i++) {
        br_value value = i < 18 ? text_value(texts[i]) : br_value_real(reals[i - 18]);
        sqlite3_stmt *statement;
        sqlite3_prepare_v2(oracle.sqlite,
                           "INSERT OR REPLACE INTO a VALUES(1, ?1, ?1, ?1, ?1, ?1)", -1,
                           &statement, NULL);
        if (i < 18) sqlite3_bind_text(statement, 1, texts[i], -1, SQLITE_STATIC);
        else sqlite3_bind_double(statement, 1, value.f64);
        CHECK_INT(sqlite3_step(statement), SQLITE_DONE);
        sqlite3_finalize(statement);
        sqlite3_prepare_v2(oracle.sqlite, "SELECT n, i, r, t, b FROM a", -1, &statement, NULL);
        CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
        for (int k = 0; k < 5; k++) {
            br_value ours = br_value_apply_affinity(value, affinities[k], &bridge, oracle.arena);
            static const int types[] = {SQLITE_NULL, SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT};
            CHECK_INT(types[ours.class_], sqlite3_column_type(statement, k));
            if (ours.class_ == BR_INT) CHECK_INT(ours.i64, sqlite3_column_int64(statement, k));
            if (ours.class_ == BR_REAL) CHECK(ours.f64 == sqlite3_column_double(statement, k));
        }
        sqlite3_finalize(statement);
    }
    oracle_close(&oracle);
}

static void test_round_agrees_with_sqlite(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    enum { ROWS = 2000 };
    double *values = BR_ALLOC(oracle.arena, double, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
        double whole = (double)oracle_random(&oracle, 2000000) - 1000000;
        values[i] = whole / (i % 3 == 0 ? 1000 : i % 3 == 1 ? 7 : 100) *
                    (i % 11 == 0 ? 1e9 : i % 13 == 0 ? 1e-9 : 1.0);
    }
    br_vector vector = {.class_ = BR_REAL, .f64 = values};
    oracle_add_column(&oracle, &vector, ROWS);
    oracle_load(&oracle);
    for (int digits = 0; digits < 17; digits++) {
        test_pair args[2] = {oracle_column(&oracle, 0),
                             oracle_constant(&oracle, br_value_int(digits))};
        test_pair pair = oracle_function(&oracle, BR_FN_ROUND, "round", args, 2);
        CHECK(oracle_agrees(&oracle, &pair));
    }
    oracle_close(&oracle);
}

// ---- overflow --------------------------------------------------------------------------------

static void test_int_arithmetic_keeps_the_plans_promises(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    int64_t values[] = {1, INT64_MAX - 1, 5, -7, 0, INT64_MIN + 3, 9, 10};
    br_vector vector = {.class_ = BR_INT, .i64 = values};
    oracle_add_column(&oracle, &vector, 8);
    oracle_load(&oracle);
    test_pair args[2] = {oracle_column(&oracle, 0), oracle_constant(&oracle, br_value_int(1))};
    test_pair pair = oracle_operator(&oracle, BR_OP_ADD, 0, args, 2);
    pair.expr->type = (br_type){.class_mask = BR_MASK_INT, .has_range = true,
                                .int_min = INT64_MIN + 4, .int_max = INT64_MAX};
    CHECK(oracle_agrees(&oracle, &pair));  // proven: 1 more still fits
    for (int64_t more = 1; more <= 2; more++) {
        args[1] = oracle_constant(&oracle, br_value_int(more));
        pair = oracle_operator(&oracle, BR_OP_ADD, 0, args, 2);
        pair.expr->type = (br_type){.class_mask = BR_MASK_INT};
        pair.expr->assumes_no_overflow = true;
        br_program *program;
        br_evaluator *evaluator;
        br_vector out;
        br_error err = {0};
        const br_expr *expr = pair.expr;
        MUST(br_program_compile(&expr, 1, &oracle.layout, &oracle.env, oracle.arena, &program,
                                &err), err);
        CHECK_INT(br_program_count(program), 1);
        MUST(br_evaluator_new(program, 0, oracle.arena, &evaluator, &err), err);
        br_status status = br_evaluate(evaluator, &oracle.batch, oracle.scratch, &out, &err);
        CHECK_INT(status, more == 1 ? BR_OK : BR_RETYPE);
        if (status == BR_OK) CHECK_INT(out.i64[1], INT64_MAX);
    }
    oracle.constant_count = 0;
    oracle_close(&oracle);
}

// ---- laziness --------------------------------------------------------------------------------

static void test_what_can_fail_runs_only_where_it_must(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    int64_t values[] = {1, INT64_MIN, -5, 7};
    br_vector vector = {.class_ = BR_INT, .i64 = values};
    oracle_add_column(&oracle, &vector, 4);
    oracle_load(&oracle);
    for (int round = 0; round < 3; round++) {
        test_pair column = oracle_column(&oracle, 0);
        test_pair bounds[2] = {column, oracle_constant(&oracle, br_value_int(-100))};
        test_pair is_small = oracle_operator(&oracle, BR_OP_LT, 0, bounds, 2);
        test_pair is_big = oracle_operator(&oracle, BR_OP_GE, 0, bounds, 2);
        test_pair absolute = oracle_function(&oracle, BR_FN_ABS, "abs", &column, 1);
        test_pair choice[3] = {is_small, oracle_constant(&oracle, br_value_int(0)), absolute};
        test_pair both[2] = {is_big, absolute};
        test_pair list[2] = {oracle_constant(&oracle, br_value_int(3)), absolute};
        test_pair pair = round == 0   ? oracle_case(&oracle, choice, 3)
                         : round == 1 ? oracle_operator(&oracle, BR_OP_AND, 0, both, 2)
                                      : oracle_function(&oracle, BR_FN_COALESCE, "coalesce", list, 2);
        if (round == 1) pair.sql = "(c0 >= -100 AND CASE WHEN c0 >= -100 THEN abs(c0) END)";
        CHECK(oracle_agrees(&oracle, &pair));
        oracle.constant_count = 0;
    }
    test_pair column = oracle_column(&oracle, 0);
    test_pair absolute = oracle_function(&oracle, BR_FN_ABS, "abs", &column, 1);
    CHECK(oracle_agrees(&oracle, &absolute));  // both fail
    oracle_close(&oracle);
}

// ---- dictionaries ----------------------------------------------------------------------------

// One evaluator sees batch after batch, with dictionaries that change; an entry that no row uses
// would fail.
static void check_dictionary_batches(test_oracle *oracle, const test_pair *pair, uint32_t size,
                                     const char *expected)
{
    br_program *program;
    br_evaluator *evaluator;
    br_error err = {0};
    const br_expr *expr = pair->expr;
    MUST(br_program_compile(&expr, 1, &oracle->layout, &oracle->env, oracle->arena, &program,
                            &err), err);
    MUST(br_evaluator_new(program, 0, oracle->arena, &evaluator, &err), err);
    for (uint64_t round = 0; round < 12; round++) {
        br_arena_reset(oracle->scratch);
        int64_t *entries = BR_ALLOC(oracle->scratch, int64_t, size);
        uint32_t *codes = BR_ALLOC(oracle->scratch, uint32_t, BR_BATCH_ROWS);
        uint64_t validity[BR_BATCH_ROWS / 64];
        for (uint32_t i = 0; i < size; i++) entries[i] = (int64_t)i - 10;
        entries[size - 1] = INT64_MIN;
        for (uint32_t i = 0; i < BR_BATCH_ROWS; i++) codes[i] = (i * 7 + (uint32_t)round) % (size - 1);
        memset(validity, 0xf7, sizeof validity);
        br_dictionary dictionary = {.id = 1000 + round / 4 * 7, .size = size,
                                    .values = {.class_ = BR_INT, .i64 = entries}};
        br_vector column = {.class_ = BR_INT, .kind = BR_VECTOR_DICT, .codes = codes,
                            .validity = round % 2 ? validity : NULL, .dictionary = &dictionary};
        br_batch batch = {.row_count = BR_BATCH_ROWS, .column_count = 1, .columns = &column};
        br_vector out;
        MUST(br_evaluate(evaluator, &batch, oracle->scratch, &out, &err), err);
        for (uint32_t row = 0; row < BR_BATCH_ROWS; row += 13) {
            br_value value = br_vector_value(&out, row, oracle->scratch);
            bool is_null = round % 2 && !br_bitmap_get(validity, row);
            char text[60];
            snprintf(text, sizeof text, expected,
                     (long long)llabs((long long)(codes[row]) - 10));
            if (is_null) CHECK_INT(value.class_, BR_NULL);
            else expect_text(&value, text);
        }
    }
}

static void test_dictionary_entries_are_computed_once_per_dictionary(void)
{
    static const uint32_t sizes[] = {5, 2048, 2049, 5000};
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    br_vector any = br_vector_null();
    oracle_add_column(&oracle, &any, 1);
    for (uint32_t i = 0; i < 4; i++) {
        test_pair column = oracle_column(&oracle, 0);
        column.expr->type.class_mask = BR_MASK_ALL;
        test_pair parts[2] = {oracle_function(&oracle, BR_FN_ABS, "abs", &column, 1),
                              oracle_constant(&oracle, text_value(" units of something"))};
        test_pair joined = oracle_operator(&oracle, BR_OP_CONCAT, 0, parts, 2);
        check_dictionary_batches(&oracle, &joined, sizes[i], "%lld units of something");
        oracle.constant_count = 0;
    }
    oracle_close(&oracle);
}

static void test_conditions_take_whole_chunks(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    int64_t *values = BR_ALLOC(oracle.arena, int64_t, BR_CHUNK_ROWS);
    for (uint32_t i = 0; i < BR_CHUNK_ROWS; i++) values[i] = (int64_t)(i * 2654435761u % 1000);
    br_vector vector = {.class_ = BR_INT, .i64 = values};
    oracle_add_column(&oracle, &vector, BR_CHUNK_ROWS);
    oracle_load(&oracle);
    test_pair column = oracle_column(&oracle, 0);
    test_pair range[3] = {column, oracle_constant(&oracle, br_value_int(10)),
                          oracle_constant(&oracle, br_value_real(99.5))};
    test_pair digits[2] = {oracle_function(&oracle, BR_FN_LENGTH, "length", &column, 1),
                           oracle_constant(&oracle, br_value_int(2))};
    test_pair parts[3] = {oracle_operator(&oracle, BR_OP_EQ, 0, digits, 2),
                          oracle_operator(&oracle, BR_OP_BETWEEN, 0, range, 3),
                          oracle_operator(&oracle, BR_OP_LIKE, 0,
                                          (test_pair[]){column, oracle_constant(
                                              &oracle, text_value("%7"))}, 2)};
    test_pair all = oracle_operator(&oracle, BR_OP_AND, 0, parts, 3);
    CHECK(oracle_agrees(&oracle, &all));
    oracle_close(&oracle);
}

// ---- kinds -----------------------------------------------------------------------------------

static void test_dates_stay_numbers(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    int64_t seconds[] = {0, 86399, 86400 * 365, -1};
    br_vector vector = {.class_ = BR_TEXT, .kind = BR_VECTOR_DATETIME, .i64 = seconds};
    oracle_add_column(&oracle, &vector, 4);
    oracle_load(&oracle);
    test_pair column = oracle_column(&oracle, 0);
    test_pair format[2] = {oracle_constant(&oracle, text_value("%Y-%m-%d %H:%M:00")), column};
    test_pair minute = oracle_function(&oracle, BR_FN_STRFTIME, "strftime", format, 2);
    format[0] = oracle_constant(&oracle, text_value("%Y"));
    test_pair year = oracle_cast(&oracle, BR_AFFINITY_INTEGER,
                                 oracle_function(&oracle, BR_FN_STRFTIME, "strftime", format, 2));
    test_pair date = oracle_function(&oracle, BR_FN_DATE, "date", &column, 1);
    const br_expr *exprs[] = {minute.expr, year.expr, date.expr};
    br_program *program;
    br_evaluator *evaluator;
    br_vector out[3];
    br_error err = {0};
    MUST(br_program_compile(exprs, 3, &oracle.layout, &oracle.env, oracle.arena, &program, &err),
         err);
    MUST(br_evaluator_new(program, 0, oracle.arena, &evaluator, &err), err);
    MUST(br_evaluate(evaluator, &oracle.batch, oracle.scratch, out, &err), err);
    CHECK_INT(out[0].kind, BR_VECTOR_DATETIME);
    CHECK_INT(out[0].i64[1], 86340);
    CHECK_INT(out[0].i64[3], -60);
    CHECK_INT(out[1].class_, BR_INT);
    CHECK_INT(out[1].i64[2], 1971);
    CHECK_INT(out[1].i64[3], 1969);
    CHECK_INT(out[2].kind, BR_VECTOR_DATE);
    CHECK_INT(out[2].i64[3], -1);
    oracle_close(&oracle);
}

// Affinities before a comparison: BR_EXPR_AFFINITY passes on what has the class already.
static void test_affinity_nodes_convert_only_text(void)
{
    test_oracle oracle;
    oracle_open(&oracle, seed, isa);
    br_value values[] = {text_value("5"), text_value("5.0"), br_value_real(5.0), br_value_int(5),
                         text_value("x"), br_value_null()};
    static const uint8_t numeric[] = {BR_INT, BR_INT, BR_REAL, BR_INT, BR_TEXT, BR_NULL};
    static const uint8_t text[] = {BR_TEXT, BR_TEXT, BR_TEXT, BR_TEXT, BR_TEXT, BR_NULL};
    for (uint32_t i = 0; i < 6; i++) {
        br_expr constant = {.kind = BR_EXPR_CONST, .value = values[i]};
        br_expr *args[] = {&constant};
        br_expr expr = {.kind = BR_EXPR_AFFINITY, .affinity_to = BR_AFFINITY_NUMERIC,
                        .arg_count = 1, .args = args, .type = {.class_mask = BR_MASK_ALL}};
        br_error err;
        br_value out;
        MUST(br_evaluate_constant(&expr, &oracle.env, oracle.arena, &out, &err), err);
        CHECK_INT(out.class_, numeric[i]);
        expr.affinity_to = BR_AFFINITY_TEXT;
        MUST(br_evaluate_constant(&expr, &oracle.env, oracle.arena, &out, &err), err);
        CHECK_INT(out.class_, text[i]);
    }
    oracle_close(&oracle);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_text_converts_as_sqlite_does);
    RUN(test_affinity_applies_as_storing_does);
    for (isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
        RUN(test_regexp_functions);
        RUN(test_errors_have_sqlites_words);
        RUN(test_constants_may_be_parameters_and_subqueries);
        RUN(test_round_agrees_with_sqlite);
        RUN(test_int_arithmetic_keeps_the_plans_promises);
        RUN(test_what_can_fail_runs_only_where_it_must);
        RUN(test_dictionary_entries_are_computed_once_per_dictionary);
        RUN(test_conditions_take_whole_chunks);
        RUN(test_dates_stay_numbers);
        RUN(test_affinity_nodes_convert_only_text);
    }
    return test_result();
}
