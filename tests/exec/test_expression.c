// test_expression.c - random expressions over columns of every kind must give what SQLite gives.
//
// A table of random values (every class, every vector kind, extremes) is put into SQLite and into
// vectors; random expression trees are run by both. All instruction sets of this machine take part.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "base/cpu.h"
#include "support_expression.h"
#include "tests/test.h"

static uint64_t seed = 20240607;

// ---- random values ---------------------------------------------------------------------------

static const int64_t int_samples[] = {
    0, 1, -1, 2, 3, 5, 7, 10, 63, 64, 65, -64, 100, 255, 1000, -1000, 65536, 2147483647, 2147483648,
    -2147483648, 4294967296, 9007199254740991, 9007199254740992, 9007199254740993,
    -9007199254740993, 4611686018427387904, 9223372036854775807, -9223372036854775807,
    INT64_MIN, 9223372036854775296, 3037000500};
static const double real_samples[] = {
    0.0, -0.0, 0.5, -0.5, 1.0, 1.5, 2.5, -2.5, 0.1, 0.3, 3.14159265358979, 1e10, 1e15, 1e16, 1e17,
    -1e18, 9.223372036854775e18, 9223372036854775808.0, -9223372036854775808.0, 1e19, 1e100,
    1e300, 1.7976931348623157e308, 4.9e-324, 2.2250738585072014e-308, 123456.789, 0.045, 1.005,
    2.675, 9007199254740993.0, 4503599627370497.5, INFINITY, -INFINITY};
static const char *const text_samples[] = {
    "", " ", "a", "A", "abc", "ABC", "aBc", "abc ", "abc  ", " abc", "abd", "ab", "b", "%", "_",
    "a%b", "a_b", "x%%y", "0", "1", "-1", "+1", " 1 ", "1.0", "1.5", "-0", "0.0", "1e3", "1e",
    "1.e", ".5", ".", "-", "+.5e-2", "12abc", "1.5xyz", "1e400", "-1e400", "1e-400",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "99999999999999999999", "0x10", "1_000", "NaN", "inf", "true", "special requests",
    "the special and very special requests", "\xc3\xa4\xc3\xb6\xc3\xbc", "\xc3\x84", "a\xc3\xa4z",
    "\xe2\x82\xac uro", "\xf0\x9f\x98\x80", "\x80\x80", "a\x80\xbfz", "\xc3", "\xe2\x82", "[a-c]",
    "*", "?", "a*c", "[^a]", "2024-02-29", "2023-02-29", "1999-12-31 23:59:59", "1992-01-02",
    "12:34:56", "2024-02-30", "0000-01-01", "9999-12-31", "2024-01-01T00:00", "now's not",
    "123456789012345678901234567890", "0.1000000000000000055511151231257827", "4503599627370497.5",
    "1.7976931348623159e308", "  12  x", "\t5\n", "Zebra", "zebra", "ZEBRA  "};

enum { INT_SAMPLES = sizeof int_samples / sizeof *int_samples,
       REAL_SAMPLES = sizeof real_samples / sizeof *real_samples,
       TEXT_SAMPLES = sizeof text_samples / sizeof *text_samples };

static int64_t random_int(test_oracle *oracle)
{
    switch (oracle_random(oracle, 4)) {
    case 0: return int_samples[oracle_random(oracle, INT_SAMPLES)];
    case 1: return (int64_t)test_random(&oracle->random);
    case 2: return (int64_t)oracle_random(oracle, 100000) - 50000;
    default: return (int64_t)oracle_random(oracle, 12) - 4;
    }
}

static double random_real(test_oracle *oracle)
{
    switch (oracle_random(oracle, 4)) {
    case 0: return real_samples[oracle_random(oracle, REAL_SAMPLES)];
    case 1: return ((double)oracle_random(oracle, 2000000) - 1000000) / 100;
    case 2: return (double)oracle_random(oracle, 10);
    default: {
        union { uint64_t bits; double real; } any = {.bits = test_random(&oracle->random)};
        return isnan(any.real) ? 0.25 : any.real;
    }
    }
}

static br_text random_text(test_oracle *oracle)
{
    const char *text = text_samples[oracle_random(oracle, TEXT_SAMPLES)];
    uint32_t choice = oracle_random(oracle, 10);
    if (choice == 0) text = br_arena_format(oracle->arena, "%lld", (long long)random_int(oracle));
    if (choice == 1) text = br_arena_format(oracle->arena, "%.*e", (int)oracle_random(oracle, 20),
                                            random_real(oracle));
    if (choice == 2) text = br_arena_format(oracle->arena, "%s%s", text,
                                            text_samples[oracle_random(oracle, TEXT_SAMPLES)]);
    if (choice == 3) return br_text_make("ab\0cd", 5);
    return br_text_make(text, (uint32_t)strlen(text));
}

static br_value random_value(test_oracle *oracle, unsigned mask)
{
    for (;;) {
        br_class class_ = (br_class)oracle_random(oracle, 5);
        if ((mask & 1u << class_) == 0) continue;
        switch (class_) {
        case BR_NULL: return br_value_null();
        case BR_INT: return br_value_int(random_int(oracle));
        case BR_REAL: return br_value_real(random_real(oracle));
        case BR_TEXT: return br_value_text(random_text(oracle));
        default: return br_value_blob(random_text(oracle));
        }
    }
}

// ---- random columns --------------------------------------------------------------------------

// A vector of class TEXT, INT, ... or ANY; one value in ten is NULL when with_nulls.
static br_vector random_vector(test_oracle *oracle, br_class class_, bool with_nulls, uint32_t rows)
{
    unsigned mask = class_ == BR_ANY ? BR_MASK_ALL : 1u << class_;
    size_t item = class_ == BR_ANY ? sizeof(br_value) : sizeof(br_text);
    char *items = br_arena_zalloc(oracle->arena, (rows + 1) * item, 64);
    uint64_t *validity = BR_ALLOC(oracle->arena, uint64_t, br_bitmap_words(rows));
    for (uint32_t row = 0; row < rows; row++) {
        br_value value = random_value(oracle, mask);
        if (class_ == BR_ANY) ((br_value *)(void *)items)[row] = value;
        else if (class_ == BR_INT || class_ == BR_REAL) ((int64_t *)(void *)items)[row] = value.i64;
        else ((br_text *)(void *)items)[row] = value.text;
        if (!with_nulls || oracle_random(oracle, 10) > 0) br_bitmap_set(validity, row);
    }
    bool has_validity = class_ != BR_ANY && with_nulls;
    return (br_vector){.class_ = (uint8_t)class_, .validity = has_validity ? validity : NULL,
                       .data = items};
}

static br_vector random_time_vector(test_oracle *oracle, br_vector_kind kind, uint32_t rows)
{
    int64_t *numbers = BR_ALLOC(oracle->arena, int64_t, rows + 1);
    uint64_t *validity = BR_ALLOC(oracle->arena, uint64_t, br_bitmap_words(rows));
    for (uint32_t row = 0; row < rows; row++) {
        int64_t days = oracle_random(oracle, 3) == 0
                           ? (int64_t)oracle_random(oracle, 3652425 - 1) - 719528
                           : (int64_t)oracle_random(oracle, 5000) + 8000;
        numbers[row] = kind == BR_VECTOR_DATE ? days
                                              : days * 86400 + oracle_random(oracle, 86400);
        if (oracle_random(oracle, 20) > 0) br_bitmap_set(validity, row);
    }
    return (br_vector){.class_ = BR_TEXT, .kind = (uint8_t)kind, .validity = validity,
                       .i64 = numbers};
}

static br_vector random_dictionary_vector(test_oracle *oracle, br_class class_, uint32_t size,
                                          bool with_nulls, uint32_t rows)
{
    static uint64_t next_id = 1;
    br_dictionary *dictionary = BR_ALLOC(oracle->arena, br_dictionary, 1);
    dictionary->id = next_id++;
    dictionary->size = size;
    dictionary->values = random_vector(oracle, class_, false, size);
    uint32_t *codes = BR_ALLOC(oracle->arena, uint32_t, rows + 1);
    uint64_t *validity = BR_ALLOC(oracle->arena, uint64_t, br_bitmap_words(rows));
    for (uint32_t row = 0; row < rows; row++) {
        codes[row] = oracle_random(oracle, size);
        if (oracle_random(oracle, 10) > 0) br_bitmap_set(validity, row);
    }
    return (br_vector){.class_ = (uint8_t)class_, .kind = BR_VECTOR_DICT,
                       .validity = with_nulls ? validity : NULL, .codes = codes,
                       .dictionary = dictionary};
}

static void add_columns(test_oracle *oracle, uint32_t rows)
{
    br_vector vectors[] = {
        random_vector(oracle, BR_INT, false, rows), random_vector(oracle, BR_INT, true, rows),
        random_vector(oracle, BR_REAL, false, rows), random_vector(oracle, BR_REAL, true, rows),
        random_vector(oracle, BR_TEXT, false, rows), random_vector(oracle, BR_TEXT, true, rows),
        random_vector(oracle, BR_BLOB, true, rows), random_vector(oracle, BR_ANY, true, rows),
        random_time_vector(oracle, BR_VECTOR_DATE, rows),
        random_time_vector(oracle, BR_VECTOR_DATE, rows),
        random_time_vector(oracle, BR_VECTOR_DATETIME, rows),
        random_dictionary_vector(oracle, BR_TEXT, 1 + oracle_random(oracle, 40), true, rows),
        random_dictionary_vector(oracle, BR_TEXT, 300, false, rows),
        random_dictionary_vector(oracle, BR_INT, 5, true, rows),
        random_dictionary_vector(oracle, BR_REAL, 20, false, rows),
        br_vector_null(),
        random_time_vector(oracle, BR_VECTOR_DATETIME, rows),  // made texts below
    };
    br_error err;
    br_vector *texts = &vectors[16];
    MUST(br_vector_flatten(texts, rows, oracle->arena, texts, &err), err);
    for (uint32_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        oracle_add_column(oracle, &vectors[i], rows);
    }
}

// ---- random expressions ----------------------------------------------------------------------

static test_pair random_pair(test_oracle *oracle, uint32_t depth);

static test_pair random_leaf(test_oracle *oracle)
{
    if (oracle_random(oracle, 3) > 0 || oracle->constant_count > 150)
        return oracle_column(oracle, oracle_random(oracle, oracle->layout.column_count));
    return oracle_constant(oracle, random_value(oracle, BR_MASK_ALL));
}

static test_pair random_pattern(test_oracle *oracle, uint32_t depth)
{
    static const char *const patterns[] = {
        "%", "", "a%", "%a", "%b%", "%special%requests%", "%special%special%", "_", "__", "a_c",
        "%a_c%", "abc", "ABC", "%ABC", "abc%", "%\xc3\xa4%", "%.%", "%e%e%", "1%", "%1", "%1%2%",
        "%%", "%_%", "_%", "%a%b%c", "a%c", "x!%%y", "!_", "%!%%", "[a-c]*", "*a*", "*[a-c]",
        "?b*", "[^a]*", "a*[", "*"};
    if (oracle_random(oracle, 6) == 0) return random_pair(oracle, depth);
    const char *text = patterns[oracle_random(oracle, sizeof patterns / sizeof *patterns)];
    return oracle_constant(oracle, br_value_text(br_text_make(text, (uint32_t)strlen(text))));
}

static test_pair random_like(test_oracle *oracle, uint32_t depth)
{
    test_pair args[3] = {random_pair(oracle, depth), random_pattern(oracle, depth)};
    bool is_like = oracle_random(oracle, 3) > 0;
    uint32_t count = is_like && oracle_random(oracle, 4) == 0 ? 3 : 2;
    const char *escapes[] = {"!", "%", "_", "\xc3\xa4"};
    const char *escape = escapes[oracle_random(oracle, 4)];
    if (count == 3)
        args[2] = oracle_constant(oracle,
                                  br_value_text(br_text_make(escape, (uint32_t)strlen(escape))));
    return oracle_operator(oracle, is_like ? BR_OP_LIKE : BR_OP_GLOB, 0, args, count);
}

static test_pair random_in(test_oracle *oracle, uint32_t depth)
{
    test_pair args[30];
    uint32_t count = 2 + oracle_random(oracle, oracle_random(oracle, 3) == 0 ? 20 : 4);
    unsigned mask = oracle_random(oracle, 2) == 0
                        ? BR_MASK_ALL : 1u << (1 + oracle_random(oracle, 4));
    if (oracle->constant_count > 100) count = 2;
    args[0] = random_pair(oracle, depth);
    for (uint32_t i = 1; i < count; i++) {
        args[i] = oracle_random(oracle, 15) == 0 ? random_pair(oracle, depth)
                                                 : oracle_constant(oracle, random_value(oracle, mask));
    }
    br_collation collation = oracle_random(oracle, 3) > 0 ? 0 : oracle_random(oracle, 3);
    return oracle_operator(oracle, BR_OP_IN, collation, args, count);
}

typedef struct function_sample {
    br_function function;
    const char *name;
    uint32_t arguments_min, arguments_max;
} function_sample;

static const function_sample functions[] = {
    {BR_FN_ROUND, "round", 1, 1}, {BR_FN_ROUND, "round", 2, 2}, {BR_FN_COALESCE, "coalesce", 2, 4},
    {BR_FN_COALESCE, "ifnull", 2, 2}, {BR_FN_NULLIF, "nullif", 2, 2}, {BR_FN_IIF, "iif", 3, 3},
    {BR_FN_LENGTH, "length", 1, 1}, {BR_FN_LOWER, "lower", 1, 1}, {BR_FN_UPPER, "upper", 1, 1},
    {BR_FN_SUBSTR, "substr", 2, 3}, {BR_FN_SUBSTR, "substr", 2, 3}, {BR_FN_TRIM, "trim", 1, 2},
    {BR_FN_LTRIM, "ltrim", 1, 2}, {BR_FN_RTRIM, "rtrim", 1, 2}, {BR_FN_REPLACE, "replace", 3, 3},
    {BR_FN_INSTR, "instr", 2, 2}, {BR_FN_MIN, "min", 2, 4}, {BR_FN_MAX, "max", 2, 4},
    {BR_FN_TYPEOF, "typeof", 1, 1}, {BR_FN_DATE, "date", 1, 2}, {BR_FN_TIME, "time", 1, 1},
    {BR_FN_DATETIME, "datetime", 1, 1}, {BR_FN_JULIANDAY, "julianday", 1, 1},
    {BR_FN_UNIXEPOCH, "unixepoch", 1, 1}, {BR_FN_STRFTIME, "strftime", 2, 2},
    {BR_FN_HEX, "hex", 1, 1}, {BR_FN_UNICODE, "unicode", 1, 1}, {BR_FN_SIGN, "sign", 1, 1},
    {BR_FN_LIKELY, "likely", 1, 1}, {BR_FN_BRIDGE, "quote", 1, 1},
    {BR_FN_BRIDGE, "printf", 1, 3}, {BR_FN_BRIDGE, "char", 0, 2}};

static test_pair random_format(test_oracle *oracle)
{
    static const char *const formats[] = {
        "%Y", "%m", "%d", "%H", "%M", "%S", "%j", "%w", "%s", "%f", "%J", "%W", "%Y-%m", "%%",
        "%Y-%m-%d %H:%M:00", "%", "x", "%Q", "%d.%m.%Y", "", "%H%M", "\xc3\xa4%Y",
        "%Y-%m-%d", "%Y-%m-01", "%Y-01-01", "%Y-%m-%d %H:00:00", "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d 00:00:00", "%Y-%m-01 00:00:00", "%Y-01-01 00:00:00"};
    const char *text = formats[oracle_random(oracle, sizeof formats / sizeof *formats)];
    return oracle_constant(oracle, br_value_text(br_text_make(text, (uint32_t)strlen(text))));
}

static test_pair random_function(test_oracle *oracle, uint32_t depth)
{
    const function_sample *sample =
        &functions[oracle_random(oracle, sizeof functions / sizeof *functions)];
    test_pair args[4];
    uint32_t count = sample->arguments_min +
                     oracle_random(oracle, sample->arguments_max - sample->arguments_min + 1);
    for (uint32_t i = 0; i < count; i++) args[i] = random_pair(oracle, depth);
    if (sample->function == BR_FN_STRFTIME && oracle_random(oracle, 10) > 0)
        args[0] = random_format(oracle);
    static const uint32_t time_columns[] = {8, 9, 10, 16};
    if (sample->function >= BR_FN_DATE && sample->function <= BR_FN_STRFTIME &&
        oracle_random(oracle, 2) == 0)
        args[sample->function == BR_FN_STRFTIME] =
            oracle_column(oracle, time_columns[oracle_random(oracle, 4)]);
    if ((sample->function == BR_FN_SUBSTR || sample->function == BR_FN_ROUND) &&
        oracle_random(oracle, 2) == 0) {
        for (uint32_t i = 1; i < count; i++) {
            args[i] = oracle_constant(oracle,
                                      br_value_int((int64_t)oracle_random(oracle, 10) - 3));
        }
    }
    return oracle_function(oracle, sample->function, sample->name, args, count);
}

static test_pair random_operator(test_oracle *oracle, uint32_t depth)
{
    br_operator operator_ = oracle_random(oracle, BR_OP_BETWEEN + 1);
    test_pair args[4];
    uint32_t count = 2;
    if (operator_ == BR_OP_NEGATE || operator_ == BR_OP_BIT_NOT || operator_ == BR_OP_NOT ||
        (operator_ >= BR_OP_IS_NULL && operator_ <= BR_OP_IS_NOT_FALSE))
        count = 1;
    if (operator_ == BR_OP_BETWEEN) count = 3;
    if (operator_ == BR_OP_AND || operator_ == BR_OP_OR) count = 2 + oracle_random(oracle, 3);
    for (uint32_t i = 0; i < count; i++) args[i] = random_pair(oracle, depth);
    br_collation collation = oracle_random(oracle, 3) > 0 ? 0 : oracle_random(oracle, 3);
    return oracle_operator(oracle, operator_, collation, args, count);
}

static test_pair random_pair(test_oracle *oracle, uint32_t depth)
{
    if (depth == 0 || oracle_random(oracle, 8) == 0) return random_leaf(oracle);
    switch (oracle_random(oracle, 12)) {
    case 0: return random_like(oracle, depth - 1);
    case 1: return random_in(oracle, depth - 1);
    case 2:
    case 3: return random_function(oracle, depth - 1);
    case 4: {
        test_pair args[5];
        uint32_t count = 3 + 2 * oracle_random(oracle, 2);
        for (uint32_t i = 0; i < count; i++) args[i] = random_pair(oracle, depth - 1);
        return oracle_case(oracle, args, count);
    }
    case 5:
        return oracle_cast(oracle, BR_AFFINITY_BLOB + oracle_random(oracle, 5),
                           random_pair(oracle, depth - 1));
    default: return random_operator(oracle, depth - 1);
    }
}

static void check_random(br_isa isa, uint64_t table_seed, uint32_t rows, uint32_t expressions)
{
    test_oracle oracle;
    oracle_open(&oracle, table_seed, isa);
    add_columns(&oracle, rows);
    oracle_load(&oracle);
    for (uint32_t i = 0; i < expressions; i++) {
        br_arena_mark mark = br_arena_get_mark(oracle.arena);
        test_pair pair = random_pair(&oracle, 1 + oracle_random(&oracle, 3));
        bool agrees = oracle_agrees(&oracle, &pair);
        if (!agrees)
            fprintf(stderr, "isa %s, table seed %" PRIu64 ", rows %u, expression %u\n",
                    br_isa_name(isa), table_seed, rows, i);
        CHECK(agrees);
        br_arena_rewind(oracle.arena, mark);
    }
    oracle_close(&oracle);
}

static void test_random_expressions_agree_with_sqlite(void)
{
    static const uint32_t row_counts[] = {1, 7, 64, 65, 200, 130};
    for (br_isa isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
        for (uint32_t i = 0; i < 6; i++) {
            check_random(isa, seed + isa * 100 + i, row_counts[i], 500);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_random_expressions_agree_with_sqlite);
    return test_result();
}
