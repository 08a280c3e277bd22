// Every scalar function over random arguments of every class: both engines must agree, in value,
// storage class and error text.
//
//     differential_test_random_functions [SEED [CALLS]]
//
// Arguments are columns (of any class, or of one) and constants that suit the function: formats,
// modifiers, paths. A call that fails for some row is tried again for single rows.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>

#include "tests/differential/support_compare.h"
#include "tests/test.h"

enum { ROWS = 250, SINGLE_ROWS = 6 };

static uint64_t state;
static braid *db;
static compare_tally tally;
static uint64_t failed;

static uint32_t below(uint32_t limit) { return (uint32_t)(test_random(&state) % limit); }

// ---- arguments -------------------------------------------------------------------------------

#define PICK(...)                                                           \
    ((const char *const[]){__VA_ARGS__})[below((uint32_t)(                  \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)))]

static const char *random_value(void)  // as SQL
{
    switch (below(6)) {
    case 0: return PICK("NULL", "NULL", "x''", "x'00'", "x'c3a4'", "x'3132'");
    case 1:
        return PICK("0", "1", "-1", "2", "3", "10", "255", "-42", "1000000007", "2147483648",
                    "9223372036854775807", "-9223372036854775808", "1700000000", "-210866803200");
    case 2:
        return PICK("0.0", "-0.0", "0.5", "1.5", "-2.5", "1e300", "-1e-300", "9.3e18", "1e999",
                    "2459000.5", "1e15", "0.1", "4.35", "123456.789", "-1e999");
    case 3:
        return PICK("''", "' '", "'a'", "'Hello World'", "'12'", "' 12.5 '", "'1e3'", "'0x10'",
                    "'häß'", "'日本'", "'abcabc'", "'%d'", "'-7'", "'9223372036854775808'", "'inf'");
    case 4:
        return PICK("'2020-02-29'", "'2021-12-31 23:59:59'", "'2000-01-01T12:00:00.123'",
                    "'12:34'", "'1969-07-20 20:17:40'", "'2024-01-31'", "'0000-01-01'",
                    "'9999-12-31'", "'2023-06-15 10:30:00+02:00'", "'2451545.25'", "'2023-02-30'",
                    "'2022-13-01'", "'-4713-11-24 12:00:00'");
    default:
        return PICK("'{}'", "'[]'", "'[1,2,3]'", "'{\"a\":1,\"b\":[1,{\"c\":\"x\"}]}'", "'null'",
                    "'\"text\"'", "'{\"a\":null,\"a\":2}'", "' [ 1.5 , true ] '", "'{bad'",
                    "'{\"a\":\"q\\\"uo\\u00e4\",\"big\":12345678901234567890}'", "'1'", "'-1.5e2'",
                    "'{\"a b\":{\"\":0},\"c\":-0}'", "'[[[[1]]]]'", "'[1,]'", "'tru'", "'\"a\\x\"'");
    }
}

static const char *random_constant(char kind)
{
    switch (kind) {
    case 'm':
        return PICK("'+1 day'", "'-40 days'", "'+3 months'", "'-1 year'", "'start of month'",
                    "'start of year'", "'start of day'", "'weekday 0'", "'weekday 3'",
                    "'unixepoch'", "'auto'", "'julianday'", "'+1.5 hours'", "'-90 minutes'",
                    "'+100 seconds'", "'utc'", "'nonsense'", "'+12:30'", "'weekday 7'", "NULL",
                    "'+11 months'", "'+0 days'", "' +1 day'", "'START OF MONTH'", "'-0.5 month'");
    case 'f':
        return PICK("'%Y'", "'%m'", "'%Y-%m'", "'%Y-%m-%d'", "'%H:%M:%S'", "'%f'", "'%j %w %W'",
                    "'%s'", "'%J'", "'%%'", "'%x'", "''", "'%Y-%m-01'", "'%d.%m.%Y %H'", "'a%'");
    case 'p':
        return PICK("'%d'", "'%5d|%-5d'", "'%s'", "'%.2f'", "'%e %g'", "'%x %X %o'", "'%q %Q %w'",
                    "'%c'", "'%%'", "'%,d'", "'%!.3s'", "'%05.1f'", "'%*d'", "''", "'%z'");
    case 'P':
        return PICK("'$'", "'$.a'", "'$.b[1].c'", "'$[0]'", "'$[#-1]'", "'$.\"a b\"'", "'$.b'",
                    "'a'", "'$['", "'$.x'", "'$[1]'", "'$.big'", "0", "-1", "1", "'$.b[#]'", "''");
    case 'z': return PICK("0", "1", "2", "-1", "3", "-3", "100", "NULL", "1.5", "'2'");
    case 'u':
        return PICK("'year'", "'quarter'", "'month'", "'week'", "'day'", "'hour'", "'minute'",
                    "'second'", "'Month'", "'eon'", "NULL", "'decade'", "'century'");
    default: return random_value();
    }
}

static const char *random_column(char kind)
{
    switch (kind) {
    case 'd': return PICK("d", "dt", "d", "dt", "a", "b");
    case 'j': return PICK("j", "j", "a");
    case 'n': return PICK("i", "r", "i", "r", "a", "b");
    case 't': return PICK("s", "s", "a", "c");
    default: return PICK("a", "b", "c", "i", "r", "s", "d", "j");
    }
}

static const char *random_argument(char kind)
{
    static const char constants[] = "mfpPzu";
    bool is_constant = strchr(constants, kind) != NULL ? below(20) > 0 : below(5) == 0;
    if (is_constant) return random_constant(kind);
    return random_column(kind);
}

// ---- calls -----------------------------------------------------------------------------------

static const struct {
    const char *name, *kinds;  // the last kind goes on
    uint32_t least, most;
} functions[] = {
    {"abs", "n", 1, 1}, {"round", "nz", 1, 2}, {"sign", "n", 1, 1}, {"coalesce", "a", 2, 4},
    {"ifnull", "a", 2, 2}, {"nullif", "a", 2, 2}, {"iif", "a", 3, 3}, {"length", "a", 1, 1},
    {"lower", "t", 1, 1}, {"upper", "t", 1, 1}, {"substr", "tzz", 2, 3}, {"trim", "tt", 1, 2},
    {"ltrim", "tt", 1, 2}, {"rtrim", "tt", 1, 2}, {"replace", "ttt", 3, 3}, {"instr", "aa", 2, 2},
    {"min", "a", 2, 3}, {"max", "a", 2, 3}, {"typeof", "a", 1, 1}, {"hex", "a", 1, 1},
    {"unicode", "t", 1, 1}, {"quote", "a", 1, 1}, {"char", "z", 0, 3}, {"zeroblob", "z", 1, 1},
    {"printf", "pa", 0, 4}, {"format", "pa", 1, 4}, {"like", "tt", 2, 2}, {"glob", "tt", 2, 2},
    {"like", "ttt", 3, 3}, {"soundex", "t", 1, 1}, {"likely", "a", 1, 1},
    {"date", "dm", 1, 3}, {"time", "dm", 1, 3}, {"datetime", "dm", 1, 3},
    {"julianday", "dm", 1, 3}, {"unixepoch", "dm", 1, 3}, {"strftime", "fdm", 2, 4},
    {"date_trunc", "ud", 2, 2},
    {"acos", "n", 1, 1}, {"acosh", "n", 1, 1}, {"asin", "n", 1, 1}, {"asinh", "n", 1, 1},
    {"atan", "n", 1, 1}, {"atan2", "n", 2, 2}, {"atanh", "n", 1, 1}, {"ceil", "n", 1, 1},
    {"ceiling", "n", 1, 1}, {"cos", "n", 1, 1}, {"cosh", "n", 1, 1}, {"degrees", "n", 1, 1},
    {"exp", "n", 1, 1}, {"floor", "n", 1, 1}, {"ln", "n", 1, 1}, {"log", "n", 1, 2},
    {"log10", "n", 1, 1}, {"log2", "n", 1, 1}, {"mod", "n", 2, 2}, {"pi", "n", 0, 0},
    {"pow", "n", 2, 2}, {"power", "n", 2, 2}, {"radians", "n", 1, 1}, {"sin", "n", 1, 1},
    {"sinh", "n", 1, 1}, {"sqrt", "n", 1, 1}, {"tan", "n", 1, 1}, {"tanh", "n", 1, 1},
    {"trunc", "n", 1, 1}, {"json", "j", 1, 1}, {"json_array", "a", 0, 3},
    {"json_array_length", "jP", 1, 2}, {"json_extract", "jP", 1, 3}, {"json_insert", "jPa", 1, 3},
    {"json_object", "tata", 2, 2}, {"json_patch", "jj", 2, 2}, {"json_quote", "a", 1, 1},
    {"json_remove", "jP", 1, 3}, {"json_replace", "jPa", 3, 3}, {"json_set", "jPa", 3, 3},
    {"json_type", "jP", 1, 2}, {"json_valid", "j", 1, 1},
};

static const char *const operators[] = {"->", "->>", "LIKE", "GLOB", "||", "REGEXP"};

static void append(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(text);
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

static void append_call(char *text, size_t size)
{
    uint32_t count = sizeof functions / sizeof *functions;
    uint32_t chosen = below(count + 6);
    if (chosen >= count) {
        const char *word = operators[chosen - count];
        bool is_json = word[0] == '-';
        append(text, size, "(%s %s %s)", random_argument(is_json ? 'j' : 't'), word,
               random_argument(is_json ? 'P' : 't'));
        return;
    }
    uint32_t span = functions[chosen].most - functions[chosen].least + 1;
    uint32_t arguments = functions[chosen].least + below(span);
    const char *kinds = functions[chosen].kinds;
    append(text, size, "%s(", functions[chosen].name);
    for (uint32_t i = 0; i < arguments; i++) {
        char kind = kinds[i < strlen(kinds) ? i : strlen(kinds) - 1];
        append(text, size, "%s", i > 0 ? ", " : "");
        // A call within the call, now and then: JSON that is marked, dates of dates.
        if (below(12) == 0 && strlen(text) < 300 && strchr("ajdtn", kind) != NULL)
            append_call(text, size);
        else
            append(text, size, "%s", random_argument(kind));
    }
    append(text, size, ")");
}

// ---- comparing -------------------------------------------------------------------------------

static braid_status run_on(braid_engine engine, const char *sql, char *message, size_t size)
{
    braid_statement *statement = NULL;
    message[0] = 0;
    braid_status status = braid_prepare(db, sql, &statement, NULL);
    if (status == BRAID_OK) {
        braid_statement_set_engine(statement, engine);
        status = braid_run(statement, NULL);
    }
    snprintf(message, size, "%s", braid_error_message(db));
    braid_statement_close(statement);
    return status;
}

static void compare(const char *sql, bool ordered)
{
    char message[700];
    compare_query query = {.sql = sql, .ordered = ordered};
    compare_outcome outcome = compare_engines(db, &query, message, sizeof message);
    tally_add(&tally, outcome, message);
    if (outcome != COMPARE_DIFFERENT) return;
    failed++;
    printf("DIFFERENT: %s\n    %s\n", message, sql);
}

// For one row, errors can be compared too.
static void compare_row(const char *call)
{
    char sql[2000], theirs[300], ours[300];
    snprintf(sql, sizeof sql, "SELECT %s FROM t WHERE id = %u", call, 1 + below(ROWS));
    compare(sql, true);
    braid_status oltp = run_on(BRAID_ENGINE_OLTP, sql, theirs, sizeof theirs);
    braid_status olap = run_on(BRAID_ENGINE_OLAP, sql, ours, sizeof ours);
    if (oltp == BRAID_OK || olap == BRAID_OK || olap == BRAID_UNSUPPORTED) return;
    if (strcmp(theirs, ours) == 0) return;
    printf("DIFFERENT: '%s', SQLite says '%s'\n    %s\n", ours, theirs, sql);
    failed++;
}

static void fill(void)
{
    char sql[3000];
    CHECK_INT(braid_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c, i INT, r REAL, s TEXT, "
                             "d TEXT, dt TEXT, j TEXT)"), BRAID_OK);
    for (uint32_t row = 1; row <= ROWS; row++) {
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%u", row);
        for (uint32_t i = 0; i < 3; i++) append(sql, sizeof sql, ", %s", random_value());
        append(sql, sizeof sql, ", %d, %d / 8.0, 'word %u', date('2000-01-01', '+%u days')",
               (int)below(2001) - 1000, (int)below(2000001) - 1000000, below(50), below(9000));
        append(sql, sizeof sql, ", datetime('1999-12-31', '+%u seconds')", below(500000000));
        append(sql, sizeof sql, ", json_object('a', %d, 'b', json_array(%d, json_object('c', "
               "'x%u'))))", (int)below(9), (int)below(100), below(9));
        CHECK_INT(braid_exec(db, sql), BRAID_OK);
    }
}

int main(int argument_count, char **arguments)
{
    uint64_t seed = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 20260;
    uint32_t calls = argument_count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 1000;
    char folder[] = "/tmp/braid-functions-XXXXXX", path[100], command[100];
    printf("seed %" PRIu64 "\n", seed);
    state = seed * 2 + 1;
    if (mkdtemp(folder) == NULL) return 2;
    snprintf(path, sizeof path, "%s/db", folder);
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    config.threads = 2;
    CHECK_INT(braid_open(path, &config, &db), BRAID_OK);
    fill();
    for (uint32_t i = 0; i < calls; i++) {
        char call[1500] = "", sql[2000], ignored[300];
        append_call(call, sizeof call);
        snprintf(sql, sizeof sql, "SELECT id, %s FROM t", call);
        if (run_on(BRAID_ENGINE_OLTP, sql, ignored, sizeof ignored) == BRAID_OK) {
            compare(sql, false);
            continue;
        }
        for (uint32_t k = 0; k < SINGLE_ROWS; k++) compare_row(call);
    }
    tally_print(&tally);
    CHECK_INT(failed, 0);
    CHECK_INT(tally.outcomes[COMPARE_REFUSED], 0);
    CHECK_INT(braid_close(db), BRAID_OK);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 ? 2 : test_result();
}
