// Every function that the system's SQLite has, with every count of arguments that it takes, on both
// engines: the same values of the same classes, or the same message, and never a fallback.
//
// Arguments are the rows of a table: values of every class and shape, then random ones of them. Each
// row is asked for alone, since one failure ends a query; the rows that do not fail are then asked
// for together, which is how functions run on vectors.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

enum { ARGUMENTS_MAX = 4, ROWS = 150, FUNCTIONS_MAX = 400, NAME_BYTES = 64 };

// What cannot give the same answer twice, or belongs to a table or a program.
static const struct {
    const char *name, *why;
} skipped[] = {
    {"random", "random"},
    {"randomblob", "random"},
    {"load_extension", "loads a program"},
    {"sqlite_log", "writes to the log of the process"},
    {"quantile", "its second argument has to be constant"},
    {"likelihood", "its second argument has to be written out"},
    {"current_date", "a keyword, not a call"},
    {"current_time", "a keyword, not a call"},
    {"current_timestamp", "a keyword, not a call"},
    {"match", "of a virtual table"},
    {"matchinfo", "of a virtual table"},
    {"offsets", "of a virtual table"},
    {"optimize", "of a virtual table"},
    {"snippet", "of a virtual table"},
    {"highlight", "of a virtual table"},
    {"bm25", "of a virtual table"},
    {"fts3_tokenizer", "gives addresses"},
    {"fts5", "gives addresses"},
    {"rtreecheck", "of a virtual table"},
};

static const char *const values[] = {
    "NULL", "0", "1", "-1", "2", "5", "-17", "9223372036854775807", "-9223372036854775808", "0.0",
    "1.5", "-2.25", "1e18", "1e300", "-1e-5", "0.5", "''", "'a'", "'abc'", "'ABC def'", "'  x '",
    "'12'", "'-3.5e2x'", "'\xc3\xa4\xe2\x82\xac'", "'%Y-%m-%d %H'", "'%d %s %5.2f'", "'a%'", "'_b'",
    "'2024-02-29'", "'2023-12-31 23:59:58'", "'12:34'", "'+1 month'", "'start of year'",
    "'unixepoch'", "'now?'", "'{\"a\":[1,{\"b\":null}],\"c\":\"d\"}'", "'[1,[2],\"x\"]'", "'$.a'",
    "'$.a[1]'", "'$[0]'", "'a'", "'{'", "x''", "x'00ff'", "x'6162'", "0.1", "'month'", "'x' || char(0)",
};

typedef struct function {
    char name[NAME_BYTES];
    char type;  // 's', 'a', 'w'
    int32_t argument_count;
} function;

static braid *open_filled(void)
{
    char sql[600];
    uint64_t state = 20240607;
    braid *db = support_open("walk");
    support_exec(db, "CREATE TABLE args(id INTEGER PRIMARY KEY, g, a, b, c, d, fits AS ("
                     "typeof(a) <> 'blob' AND typeof(b) <> 'blob' AND "
                     "(typeof(a) IN ('null', 'text') OR a BETWEEN -1e15 AND 1e15)));"
                     "CREATE TABLE failed(id); BEGIN");
    uint32_t count = sizeof values / sizeof *values;
    for (uint32_t id = 0; id < ROWS; id++) {
        const char *row[ARGUMENTS_MAX];
        for (uint32_t i = 0; i < ARGUMENTS_MAX; i++) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            row[i] = values[i == 0 && id < count ? id : (state >> 33) % count];
        }
        snprintf(sql, sizeof sql, "INSERT INTO args VALUES(%u, %u, %s, %s, %s, %s)", id, id % 7,
                 row[0], row[1], row[2], row[3]);
        support_exec(db, sql);
    }
    support_exec(db, "COMMIT");
    return db;
}

static const char *reason_to_skip(const char *name)
{
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        if (strcmp(skipped[i].name, name) == 0) return skipped[i].why;
    return NULL;
}

static uint32_t list_functions(braid *db, function *out)
{
    uint32_t count = 0;
    braid_result *result = support_query(
        db, "SELECT DISTINCT name, type, narg FROM pragma_function_list ORDER BY 1, 2, 3");
    for (uint64_t row = 0; row < braid_row_count(result) && count < FUNCTIONS_MAX; row++) {
        braid_text name = braid_value_get(result, row, 0).as.text;
        function *added = &out[count];
        if (name.size >= NAME_BYTES) continue;
        memcpy(added->name, name.data, name.size);
        added->name[name.size] = '\0';
        added->type = braid_value_get(result, row, 1).as.text.data[0];
        added->argument_count = (int32_t)braid_value_get(result, row, 2).as.integer;
        if (reason_to_skip(added->name) == NULL) count++;
    }
    braid_result_free(result);
    return count;
}

static bool same_value(braid_value left, braid_value right)
{
    if (left.type != right.type) return false;
    if (left.type == BRAID_NULL) return true;
    if (left.type == BRAID_INTEGER) return left.as.integer == right.as.integer;
    if (left.type == BRAID_REAL)
        return left.as.real == right.as.real ||
               fabs(left.as.real - right.as.real) <= 1e-12 * fabs(right.as.real);
    return left.as.text.size == right.as.text.size &&
           memcmp(left.as.text.data, right.as.text.data, left.as.text.size) == 0;
}

static bool same_rows(const braid_result *left, const braid_result *right)
{
    if (braid_row_count(left) != braid_row_count(right)) return false;
    for (uint64_t row = 0; row < braid_row_count(left); row++)
        if (!same_value(braid_value_get(left, row, 0), braid_value_get(right, row, 0)))
            return false;
    return true;
}

// Runs the statement on both engines; true when neither fails.
static bool check_run(braid *db, braid_statement *statement, const char *sql, uint32_t id)
{
    braid_result *results[2] = {NULL, NULL};
    char messages[2][200] = {"", ""};
    for (uint32_t i = 0; i < 2; i++) {
        braid_statement_set_engine(statement, i == 0 ? BRAID_ENGINE_OLTP : BRAID_ENGINE_OLAP);
        if (braid_run(statement, &results[i]) != BRAID_OK)
            snprintf(messages[i], sizeof messages[i], "%s", braid_error_message(db));
    }
    bool is_same = strcmp(messages[0], messages[1]) == 0 &&
                   (results[0] == NULL || same_rows(results[0], results[1]));
    if (!is_same)
        fprintf(stderr, "%s with ?1 = %u: '%s', not '%s'\n", sql, id, messages[1], messages[0]);
    CHECK(is_same);
    bool is_done = results[0] != NULL;
    braid_result_free(results[0]);
    braid_result_free(results[1]);
    return is_done;
}

static void put_call(const function *called, uint32_t argument_count, char *out, size_t size)
{
    static const char *const arguments[] = {"", "a", "a, b", "a, b, c", "a, b, c, d"};
    bool is_operator = called->name[0] == '-';
    if (is_operator) snprintf(out, size, "(a %.64s b)", called->name);
    else snprintf(out, size, "%.64s(%s)", called->name, arguments[argument_count]);
}

static void check_scalar(braid *db, const char *call)
{
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT %s FROM args WHERE id = ?1", call);
    braid_statement *statement = NULL;
    support_exec(db, "DELETE FROM failed");
    CHECK_INT(braid_prepare(db, sql, &statement, NULL), BRAID_OK);
    for (uint32_t id = 0; id < ROWS; id++) {
        char insert[100];
        CHECK_INT(braid_bind_int64(statement, 1, id), BRAID_OK);
        if (check_run(db, statement, sql, id)) continue;
        snprintf(insert, sizeof insert, "INSERT INTO failed VALUES(%u)", id);
        support_exec(db, insert);
    }
    braid_statement_close(statement);
    snprintf(sql, sizeof sql, "SELECT %s FROM args WHERE id NOT IN (SELECT id FROM failed) ORDER BY id", call);
    statement = support_prepare(db, sql);
    check_run(db, statement, sql, 0);
    braid_statement_close(statement);
}

static void check_query(braid *db, const char *call, const char *rest)
{
    char sql[600];
    snprintf(sql, sizeof sql, "SELECT %.200s%.300s", call, rest);
    braid_statement *statement = support_prepare(db, sql);
    check_run(db, statement, sql, 0);
    braid_statement_close(statement);
}

static void check_function(braid *db, const function *called)
{
    // No blobs, which JSON cannot hold, and no numbers whose sums forget others.
    static const char plain[] = " FROM args WHERE fits GROUP BY g ORDER BY g";
    static const char window[] = " OVER (PARTITION BY g ORDER BY id) FROM args WHERE fits ORDER BY id";
    char call[200];
    uint32_t first = called->argument_count < 0 ? 0 : (uint32_t)called->argument_count;
    uint32_t last = called->argument_count < 0 ? ARGUMENTS_MAX : first;
    for (uint32_t count = first; count <= last; count++) {
        put_call(called, count, call, sizeof call);
        if (called->type == 's') check_scalar(db, call);
        if (called->type != 's') {
            check_query(db, call, plain);
            check_query(db, call, " FROM args");
        }
        if (called->type == 'w') check_query(db, call, window);
    }
}

static void test_functions_of_sqlite_are_native(void)
{
    static function functions[FUNCTIONS_MAX];
    braid *db = open_filled();
    uint32_t count = list_functions(db, functions);
    CHECK(count > 100 && count < FUNCTIONS_MAX);
    for (uint32_t i = 0; i < count; i++) check_function(db, &functions[i]);
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_functions_of_sqlite_are_native);
    return support_end();
}
