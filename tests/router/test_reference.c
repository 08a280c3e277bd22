// docs/sql_reference.md says what the code does: it is written by this program, from the tables of
// functions and from examples that it runs on both engines.
//
//     router_test_reference             does the page say the same?
//     router_test_reference FILE        writes it
//
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"
#include "tests/router/reference_examples.h"
#include "tests/router/support.h"

enum { PAGE_BYTES = 100000, NAMES_MAX = 400, NAME_BYTES = 64 };

typedef enum place {
    VECTORIZED, BRIDGED, AGGREGATE, WINDOW_ONLY, PLACE_COUNT,
} place;

typedef struct named {
    char name[NAME_BYTES];
    bool is_ours;  // SQLite has none of that name
    place place;
} named;

static char page[PAGE_BYTES];
static size_t page_size;

static void put(const char *text)
{
    size_t size = strlen(text);
    if (page_size + size >= PAGE_BYTES) exit(2);
    memcpy(page + page_size, text, size + 1);
    page_size += size;
}

// ---- functions -------------------------------------------------------------------------------

// Those that make sense for a virtual table alone, and those that are none of SQL's.
static bool is_left_out(const char *name)
{
    static const char *const names[] = {
        "bm25", "fts3_tokenizer", "fts5", "fts5_source_id", "highlight", "load_extension", "match",
        "matchinfo", "offsets", "optimize", "rtreecheck", "rtreedepth", "rtreenode", "snippet",
        "sqlite_log", "current_date", "current_time", "current_timestamp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static place place_of(const char *name)
{
    const br_function_info *info = br_function_find(name);
    if (br_window_find(name) != NULL) return WINDOW_ONLY;
    if (info != NULL && info->function != BR_FN_BRIDGE) return VECTORIZED;
    if (strcmp(name, "like") == 0 || strcmp(name, "glob") == 0) return VECTORIZED;  // operators
    return br_aggregate_find(name, 1) != BR_AGG_COUNT_ ? AGGREGATE : BRIDGED;
}

static bool sqlite_has(sqlite3 *plain, const char *name)
{
    sqlite3_stmt *statement = NULL;
    const char *sql = "SELECT 1 FROM pragma_function_list WHERE name = ?1";
    if (sqlite3_prepare_v2(plain, sql, -1, &statement, NULL) != SQLITE_OK) exit(2);
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    bool has = sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    return has;
}

static uint32_t list_names(braid *db, named *out)
{
    uint32_t count = 0;
    sqlite3 *plain;
    if (sqlite3_open(":memory:", &plain) != SQLITE_OK) exit(2);
    braid_result *result =
        support_query(db, "SELECT DISTINCT name FROM pragma_function_list ORDER BY 1");
    for (uint64_t row = 0; row < braid_row_count(result) && count < NAMES_MAX; row++) {
        braid_text name = braid_value_get(result, row, 0).as.text;
        named *added = &out[count];
        snprintf(added->name, sizeof added->name, "%.*s", (int)name.size, name.data);
        if (is_left_out(added->name)) continue;
        added->is_ours = !sqlite_has(plain, added->name);
        added->place = place_of(added->name);
        count++;
    }
    braid_result_free(result);
    sqlite3_close(plain);
    return count;
}

static void put_functions(braid *db)
{
    static const char *const titles[PLACE_COUNT] = {
        [VECTORIZED] = "Scalar functions that run on vectors",
        [BRIDGED] = "Scalar functions that call SQLite's own implementation, value by value",
        [AGGREGATE] = "Aggregates (max() and min() of one argument too)",
        [WINDOW_ONLY] = "Window functions"};
    static named names[NAMES_MAX];
    uint32_t count = list_names(db, names);
    put("## Functions\nAll of them run on the columnar engine. Those marked * are Braid's own, in both "
        "engines.\n\n");
    for (uint32_t p = 0; p < PLACE_COUNT; p++) {
        put("- ");
        put(titles[p]);
        put(":");
        for (uint32_t i = 0; i < count; i++) {
            if ((uint32_t)names[i].place != p) continue;
            put(" `");
            put(names[i].name);
            put(names[i].is_ours ? "`*" : "`");
        }
        put("\n");
    }
}

// ---- constructs ------------------------------------------------------------------------------

static bool same_value(braid_value left, braid_value right)
{
    if (left.type != right.type) return false;
    if (left.type == BRAID_NULL) return true;
    if (left.type == BRAID_INTEGER) return left.as.integer == right.as.integer;
    if (left.type == BRAID_REAL) return left.as.real == right.as.real;
    return left.as.text.size == right.as.text.size &&
           memcmp(left.as.text.data, right.as.text.data, left.as.text.size) == 0;
}

static bool same_rows(const braid_result *left, const braid_result *right)
{
    uint32_t columns = braid_column_count(left);
    if (braid_row_count(left) != braid_row_count(right) || columns != braid_column_count(right))
        return false;
    for (uint64_t row = 0; row < braid_row_count(left); row++)
        for (uint32_t i = 0; i < columns; i++)
            if (!same_value(braid_value_get(left, row, i), braid_value_get(right, row, i)))
                return false;
    return true;
}

static braid_result *run_on(braid *db, const char *sql, braid_engine engine)
{
    braid_result *result = NULL;
    braid_statement *statement = NULL;
    if (braid_prepare(db, sql, &statement, NULL) == BRAID_OK) {
        braid_statement_set_engine(statement, engine);
        if (braid_run(statement, &result) != BRAID_OK) result = NULL;
    }
    braid_statement_close(statement);
    return result;
}

// Where the example runs, as a cell of the table.
static void put_engine(braid *db, const char *sql)
{
    braid_result *columnar = run_on(db, sql, BRAID_ENGINE_OLAP);
    if (columnar == NULL) {
        put("SQLite: ");
        put(braid_error_message(db));
    }
    braid_result *oracle = run_on(db, sql, BRAID_ENGINE_OLTP);
    if (columnar != NULL) put(oracle != NULL ? "columnar" : "columnar alone");
    if (columnar == NULL && oracle == NULL) fprintf(stderr, "no engine runs %s\n", sql);
    bool is_same = columnar == NULL || oracle == NULL || same_rows(columnar, oracle);
    if (!is_same) fprintf(stderr, "the engines differ: %s\n", sql);
    CHECK(is_same && (columnar != NULL || oracle != NULL));
    braid_result_free(columnar);
    braid_result_free(oracle);
}

static void put_code(const char *sql)
{
    char letter[3] = "";
    put("`");
    for (; *sql != '\0'; sql++) {
        snprintf(letter, sizeof letter, "%s%c", *sql == '|' ? "\\" : "", *sql);
        put(letter);
    }
    put("`");
}

static void put_constructs(braid *db)
{
    put("\n## Constructs\nEvery example is run on both engines whenever the tests run; \"columnar\" "
        "stands where both gave the same rows.\n");
    for (size_t i = 0; i < sizeof reference_examples / sizeof *reference_examples; i++) {
        const reference_example *example = &reference_examples[i];
        if (example->sql == NULL) {
            put("\n### ");
            put(example->construct);
            put("\n| construct | example | runs |\n|---|---|---|\n");
            continue;
        }
        put("| ");
        put(example->construct);
        put(" | ");
        put_code(example->sql);
        put(" | ");
        put_engine(db, example->sql);
        put(" |\n");
    }
}

// ---- the page --------------------------------------------------------------------------------

static void make_page(void)
{
    braid *db = support_open("reference");
    support_exec(db, reference_tables);
    CHECK_INT(braid_register_temporal(db, "k", NULL), BRAID_OK);
    support_exec(db, "UPDATE k SET y = 3 WHERE x = 'q'");
    put("# SQL reference\nWhere functions and constructs run. This page is written by "
        "`build-test/router_test_reference docs/sql_reference.md`, with SQLite 3.40, and a test "
        "compares it. [sql.md](sql.md) says more.\n\n");
    put_functions(db);
    put_constructs(db);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_page_says_what_the_code_does(void)
{
    static char committed[PAGE_BYTES];
    char path[4096];
    const char *slash = strstr(__FILE__, "tests/router");
    snprintf(path, sizeof path, "%.*sdocs/sql_reference.md", (int)(slash - __FILE__), __FILE__);
    make_page();
    // Another version of SQLite has other functions.
    if (sqlite3_libversion_number() / 1000 != 3040) return;
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    if (file == NULL) return;
    size_t size = fread(committed, 1, sizeof committed - 1, file);
    fclose(file);
    CHECK(size == page_size && memcmp(committed, page, size) == 0);
}

static void write_page(const char *path)
{
    make_page();
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(page, 1, page_size, file) != page_size || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1) {  // as the caller's user, who may write there
        if (mkdtemp(support_folder) == NULL) return 2;
        write_page(arguments[1]);
        return support_end();
    }
    support_begin();
    RUN(test_page_says_what_the_code_does);
    return support_end();
}
