// Functions and collations of the application, on both engines.
// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <strings.h>

#include "tests/router/support.h"

enum { ROWS = 30000 };

static int64_t destroyed;

static void note_destroyed(void *context)
{
    (void)context;
    destroyed++;
}

// ---- the functions ---------------------------------------------------------------------------

// f(x): what it is given, doubled; fails for 13. Counts its calls without any protection.
static void twice(braid_call *call, uint32_t argument_count, const braid_value *arguments)
{
    int64_t *calls = braid_call_context(call);
    if (calls != NULL) ++*calls;
    CHECK_INT(argument_count, 1);
    braid_value value = arguments[0];
    char text[200];
    switch (value.type) {
    case BRAID_INTEGER:
        if (value.as.integer == 13) {
            braid_call_fail(call, "thirteen is not allowed");
            return;
        }
        value.as.integer *= 2;
        break;
    case BRAID_REAL: value.as.real *= 2; break;
    case BRAID_TEXT:
    case BRAID_BLOB:
        CHECK(value.as.text.size <= 100);
        memcpy(text, value.as.text.data, value.as.text.size);
        memcpy(text + value.as.text.size, value.as.text.data, value.as.text.size);
        value.as.text.data = text;
        value.as.text.size *= 2;
        break;
    default: return;  // NULL
    }
    braid_call_return(call, &value);
}

static void count_arguments(braid_call *call, uint32_t argument_count, const braid_value *arguments)
{
    (void)arguments;
    braid_value value = {.type = BRAID_INTEGER, .as.integer = argument_count};
    braid_call_return(call, &value);
}

// like(pattern, text) that means: begins with.
static void begins_with(braid_call *call, uint32_t argument_count, const braid_value *arguments)
{
    (void)argument_count;
    braid_text pattern = arguments[0].as.text, text = arguments[1].as.text;
    bool begins = arguments[0].type == BRAID_TEXT && arguments[1].type == BRAID_TEXT &&
                  pattern.size <= text.size && memcmp(pattern.data, text.data, pattern.size) == 0;
    braid_value value = {.type = BRAID_INTEGER, .as.integer = begins};
    braid_call_return(call, &value);
}

static int compare_backward(void *context, braid_text left, braid_text right)
{
    (void)context;
    uint32_t size = left.size < right.size ? left.size : right.size;
    int order = size == 0 ? 0 : strncasecmp(left.data, right.data, size);
    if (order == 0) order = (left.size > right.size) - (left.size < right.size);
    return -order;
}

// ---- helpers ---------------------------------------------------------------------------------

// All values of a query on one engine, as text: columns with '|', rows with ';'.
static const char *answer(braid *db, braid_engine engine, const char *sql)
{
    static char texts[2][4000];
    char *text = texts[engine == BRAID_ENGINE_OLAP];
    size_t size = 0;
    braid_statement *statement;
    braid_result *result = NULL;
    text[0] = 0;
    CHECK_INT(braid_prepare(db, sql, &statement, NULL), BRAID_OK);
    braid_statement_set_engine(statement, engine);
    if (braid_run(statement, &result) != BRAID_OK)
        snprintf(text, sizeof texts[0], "%s", braid_error_message(db));
    for (uint64_t row = 0; result != NULL && row < braid_row_count(result); row++) {
        for (uint32_t column = 0; column < braid_column_count(result); column++) {
            braid_value value = braid_value_get(result, row, column);
            size_t room = sizeof texts[0] - size;
            const char *end = column + 1 < braid_column_count(result) ? "|" : ";";
            int written = 0;
            switch (value.type) {
            case BRAID_INTEGER:
                written = snprintf(text + size, room, "%" PRId64 "%s", value.as.integer, end);
                break;
            case BRAID_REAL: written = snprintf(text + size, room, "%g%s", value.as.real, end); break;
            case BRAID_NULL: written = snprintf(text + size, room, "NULL%s", end); break;
            default:
                written = snprintf(text + size, room, "%.*s%s", (int)value.as.text.size,
                                   value.as.text.data, end);
            }
            size += (size_t)written;
        }
    }
    braid_result_free(result);
    braid_statement_close(statement);
    return text;
}

static void check_both(braid *db, const char *sql, const char *expected)
{
    CHECK_TEXT(answer(db, BRAID_ENGINE_OLTP, sql), expected);
    CHECK_TEXT(answer(db, BRAID_ENGINE_OLAP, sql), expected);
}

static braid *open_filled(const char *name)
{
    braid *db = support_open(name);
    CHECK_INT(braid_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT);"
                             "INSERT INTO t VALUES(1,'b'),(2,'a'),(3,NULL),(4,'B'),(5,'ab')"),
              BRAID_OK);
    return db;
}

// ---- tests -----------------------------------------------------------------------------------

static void test_functions_answer_on_both_engines(void)
{
    braid *db = open_filled("answers");
    check_both(db, "SELECT twice(1)", "no such function: twice");
    CHECK_INT(braid_create_function(db, "Twice", 1, BRAID_FUNCTION_DETERMINISTIC, NULL, twice, NULL),
              BRAID_OK);
    check_both(db, "SELECT twice(id), TWICE(s), twice(1.5), twice(x'41') FROM t WHERE id IN (1, 3)",
               "2|bb|3|AA;6|NULL|3|AA;");
    check_both(db, "SELECT sum(twice(id)) FROM t WHERE twice(s) = 'aa'", "4;");
    check_both(db, "SELECT twice(1, 2)", "wrong number of arguments to function twice()");
    CHECK_INT(braid_create_function(db, "many", -1, 0, NULL, count_arguments, NULL), BRAID_OK);
    check_both(db, "SELECT many(), many(id), many(id, s, 3) FROM t WHERE id = 1", "0|1|3;");
    CHECK_INT(braid_exec(db, "CREATE TABLE u AS SELECT twice(s) AS d FROM t"), BRAID_OK);
    check_both(db, "SELECT d FROM u ORDER BY d", "NULL;BB;aa;abab;bb;");
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_errors_of_functions_reach_the_caller(void)
{
    braid *db = open_filled("errors");
    CHECK_INT(braid_create_function(db, "twice", 1, 0, NULL, twice, NULL), BRAID_OK);
    check_both(db, "SELECT twice(id + 10) FROM t", "thirteen is not allowed");
    check_both(db, "SELECT CASE WHEN id <> 3 THEN twice(id + 10) END FROM t WHERE id < 5",
               "22;24;NULL;28;");
    CHECK_INT(braid_exec(db, "UPDATE t SET s = twice(13)"), BRAID_RUNTIME);
    CHECK_TEXT(braid_error_message(db), "thirteen is not allowed");
    CHECK_INT(braid_create_function(db, "f", 128, 0, NULL, twice, NULL), BRAID_MISUSE);
    CHECK_INT(braid_create_function(db, NULL, 1, 0, NULL, twice, NULL), BRAID_MISUSE);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// Without a lock around the calls, the counter would miss some.
static void test_calls_wait_for_each_other(void)
{
    braid *db = support_open("serial");
    int64_t calls = 0;
    CHECK_INT(braid_exec(db, "CREATE TABLE n(x INTEGER PRIMARY KEY)"), BRAID_OK);
    char sql[200];
    snprintf(sql, sizeof sql, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "
             "WHERE i < %d) INSERT INTO n SELECT i + 100 FROM c", ROWS);
    CHECK_INT(braid_exec(db, sql), BRAID_OK);
    CHECK_INT(braid_create_function(db, "twice", 1, 0, &calls, twice, NULL), BRAID_OK);
    check_both(db, "SELECT count(*) FROM n WHERE twice(x) > 0", "30000;");
    CHECK_INT(calls, 2 * ROWS);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_functions_are_replaced_and_taken_back(void)
{
    braid *db = open_filled("replaced");
    braid_statement *statement;
    braid_result *result;
    check_both(db, "SELECT count(*) FROM t WHERE s LIKE 'B%'", "2;");
    destroyed = 0;
    CHECK_INT(braid_create_function(db, "like", 2, BRAID_FUNCTION_DETERMINISTIC, NULL, begins_with,
                                    note_destroyed), BRAID_OK);
    CHECK_INT(braid_prepare(db, "SELECT count(*) FROM t WHERE s LIKE 'B'", &statement, NULL),
              BRAID_OK);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    CHECK_INT(braid_run(statement, &result), BRAID_OK);
    CHECK_INT(braid_value_get(result, 0, 0).as.integer, 1);
    braid_result_free(result);
    check_both(db, "SELECT count(*) FROM t WHERE s LIKE 'b'", "1;");
    check_both(db, "SELECT count(*) FROM t WHERE s LIKE 'b' ESCAPE '!'", "2;");
    check_both(db, "SELECT like('a', s) FROM t WHERE id IN (4, 5)", "0;1;");
    CHECK_INT(braid_create_function(db, "like", 2, 0, NULL, NULL, NULL), BRAID_OK);
    CHECK_INT(braid_run(statement, NULL), BRAID_SQL);
    braid_statement_close(statement);
    check_both(db, "SELECT s LIKE 'b' FROM t", "wrong number of arguments to function LIKE()");
    check_both(db, "SELECT count(*) FROM t WHERE s LIKE 'b' ESCAPE '!'", "2;");
    CHECK_INT(braid_create_function(db, "f", 1, 0, NULL, twice, note_destroyed), BRAID_OK);
    CHECK_INT(braid_create_function(db, "f", -2, 0, NULL, twice, note_destroyed), BRAID_MISUSE);
    CHECK(destroyed == 1 || destroyed == 2);  // connections that were not used keep the first
    check_both(db, "SELECT f(1)", "2;");
    CHECK_INT(braid_close(db), BRAID_OK);
    CHECK_INT(destroyed, 3);
}

static void test_case_sensitive_like_is_for_both_engines(void)
{
    braid *db = open_filled("like");
    const char *sql = "SELECT group_concat(id) FROM t WHERE s LIKE 'b%'";
    const char *escaped = "SELECT sum(s LIKE '%B' ESCAPE '!'), sum(like('_B%', s)), sum(s GLOB 'b') "
                          "FROM t";
    check_both(db, sql, "1,4;");
    check_both(db, escaped, "3|1|1;");
    CHECK_INT(braid_exec(db, "PRAGMA case_sensitive_like = ON"), BRAID_OK);
    check_both(db, sql, "1;");
    check_both(db, escaped, "1|0|1;");
    check_both(db, "SELECT sum(CAST(s AS BLOB) LIKE 'B') FROM t", "0;");
    braid_result_free(support_query(db, "PRAGMA case_sensitive_like = 0"));
    check_both(db, sql, "1,4;");
    check_both(db, escaped, "3|1|1;");
    support_exec(db, "PRAGMA case_sensitive_like(1)");
    support_exec(db, "SELECT 'case_sensitive_like'");
    check_both(db, sql, "1;");
    // The application's own like() hides it.
    CHECK_INT(braid_create_function(db, "like", 2, 0, NULL, begins_with, NULL), BRAID_OK);
    check_both(db, "SELECT group_concat(id) FROM t WHERE s LIKE 'a'", "2,5;");
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_collations_order_and_compare(void)
{
    braid *db = open_filled("collation");
    CHECK_INT(braid_create_collation(db, "nocase", 0, NULL, compare_backward, note_destroyed),
              BRAID_MISUSE);
    destroyed = 0;
    CHECK_INT(braid_create_collation(db, "back", 0, NULL, compare_backward, note_destroyed),
              BRAID_OK);
    static const struct {
        const char *sql, *expected;
    } cases[] = {
        {"SELECT s FROM t WHERE s IS NOT NULL ORDER BY s COLLATE back, id", "b;B;ab;a;"},
        {"SELECT lower(s), count(*) FROM t GROUP BY s COLLATE back "
         "ORDER BY s COLLATE back", "NULL|1;b|2;ab|1;a|1;"},
        {"SELECT count(*) FROM (SELECT DISTINCT s COLLATE back FROM t)", "4;"},
        {"SELECT count(*) FROM t WHERE s = 'AB' COLLATE back", "1;"},
        {"SELECT max(s COLLATE back) FROM t", "a;"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_both(db, cases[i].sql, cases[i].expected);
    }
    CHECK_INT(braid_exec(db, "CREATE TABLE c(k TEXT COLLATE back PRIMARY KEY, v) WITHOUT ROWID;"
                             "INSERT INTO c VALUES('x', 1), ('Y', 2); DELETE FROM c WHERE k = 'y'"),
              BRAID_OK);
    CHECK_TEXT(answer(db, BRAID_ENGINE_AUTO, "SELECT sum(v) FROM c"), "1;");
    CHECK_INT(braid_close(db), BRAID_OK);
    CHECK_INT(destroyed, 1);
}

static void test_counters_are_those_of_the_handle(void)
{
    braid *db = open_filled("counters");
    const char *sql = "SELECT changes(), total_changes() >= 5, last_insert_rowid() FROM t LIMIT 1";
    check_both(db, sql, "5|1|5;");
    CHECK_INT(braid_exec(db, "INSERT INTO t VALUES(77, 'x'); UPDATE t SET s = 'y' WHERE id > 2"),
              BRAID_OK);
    check_both(db, sql, "4|1|77;");
    CHECK_INT(braid_exec(db, "INSERT INTO t SELECT id + 100, s FROM t"), BRAID_OK);
    check_both(db, sql, "6|1|177;");
    CHECK_INT(braid_exec(db, "BEGIN; DELETE FROM t WHERE id > 100"), BRAID_OK);
    CHECK_TEXT(answer(db, BRAID_ENGINE_AUTO, sql), "6|1|177;");
    CHECK_INT(braid_exec(db, "COMMIT"), BRAID_OK);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_functions_answer_on_both_engines);
    RUN(test_errors_of_functions_reach_the_caller);
    RUN(test_calls_wait_for_each_other);
    RUN(test_functions_are_replaced_and_taken_back);
    RUN(test_case_sensitive_like_is_for_both_engines);
    RUN(test_collations_order_and_compare);
    RUN(test_counters_are_those_of_the_handle);
    return support_end();
}
