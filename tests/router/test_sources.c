// Tables that only SQLite can read (virtual tables, sqlite_schema, pragma functions) in queries that
// the columnar engine runs: the same rows as in SQLite, and at one commit point with the others.
// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <stdatomic.h>

#include "tests/router/support.h"

enum { TEXT_BYTES = 1 << 20, LINES_MAX = 4096 };

static braid *db;

static const char script[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE NOT NULL DEFAULT 'x', b REAL,"
    "  \"we ird\"\"col\" BLOB);"
    "CREATE INDEX ta ON t(a); CREATE INDEX tb ON t(b DESC, a);"
    "CREATE TABLE u(k TEXT PRIMARY KEY, v INT REFERENCES t(id)) WITHOUT ROWID;"
    "CREATE VIEW w AS SELECT id, a FROM t;"
    "INSERT INTO t VALUES(1,'one',1.5,x'00'),(2,'Two',NULL,NULL),(3,'three',3.0,'txt');"
    "INSERT INTO u VALUES('t',1),('u',2),('ft',3),('nope',NULL);"
    "CREATE VIRTUAL TABLE ft USING fts5(title, body);"
    "INSERT INTO ft(rowid,title,body) VALUES(1,'one','hello world'),(2,'TWO','big world'),"
    "  (5,NULL,'hello hello');"
    "CREATE VIRTUAL TABLE rt USING rtree(id, minx, maxx, +note TEXT);"
    "INSERT INTO rt VALUES(1,0.1,1.5,'n1'),(2,2,3,NULL),(3,-1,10,7);"
    "CREATE VIRTUAL TABLE f4 USING fts4(txt);"
    "INSERT INTO f4 VALUES('alpha beta'),('beta gamma');";

// ---- the same rows -----------------------------------------------------------------------------

static int compare_lines(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void append_value(char **end, braid_value value)
{
    size_t room = 1000;
    int size = 0;
    switch (value.type) {
    case BRAID_INTEGER:
        size = snprintf(*end, room, "%lld ", (long long)value.as.integer);
        break;
    case BRAID_REAL: size = snprintf(*end, room, "%.15g! ", value.as.real); break;
    case BRAID_TEXT:
    case BRAID_BLOB:
        size = snprintf(*end, room, "%c'%.*s' ", value.type == BRAID_TEXT ? 't' : 'b',
                        value.as.text.size > 900 ? 900 : (int)value.as.text.size,
                        value.as.text.data);
        break;
    default: size = snprintf(*end, room, "NULL ");
    }
    *end += size;
}

// The rows as sorted lines, or the error.
static void rows_on(braid_engine engine, const char *sql, char *text)
{
    static char unsorted[TEXT_BYTES];
    static char *lines[LINES_MAX];
    braid_result *result = NULL;
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, engine);
    int code = braid_run(statement, &result);
    braid_statement_close(statement);
    if (code != BRAID_OK) {
        snprintf(text, TEXT_BYTES, "error: %s", braid_error_message(db));
        return;
    }
    CHECK_INT(support_info(result).engine, engine);
    char *end = unsorted;
    uint64_t count = braid_row_count(result);
    CHECK(count <= LINES_MAX);
    for (uint64_t row = 0; row < count; row++) {
        lines[row] = end;
        for (uint32_t column = 0; column < braid_column_count(result); column++)
            append_value(&end, braid_value_get(result, row, column));
        *end++ = 0;
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    for (uint64_t row = 0; row < count; row++)
        text += sprintf(text, "%s\n", lines[row]);
    *text = 0;
    braid_result_free(result);
}

static void check_same(const char *sql)
{
    static char olap[TEXT_BYTES], oltp[TEXT_BYTES];
    rows_on(BRAID_ENGINE_OLAP, sql, olap);
    rows_on(BRAID_ENGINE_OLTP, sql, oltp);
    if (strcmp(olap, oltp) == 0) return;
    fprintf(stderr, "%s\ncolumnar:\n%.2000s\nSQLite:\n%.2000s\n", sql, olap, oltp);
    CHECK(!"the engines agree");
}

static void check_all(const char *const *queries)
{
    for (; *queries != NULL; queries++) check_same(*queries);
}

static void test_pragma_functions(void)
{
    static const char *const queries[] = {
        "SELECT *, arg, schema FROM pragma_table_info('t')",
        "SELECT *, arg, schema FROM pragma_table_xinfo('t', 'main')",
        "SELECT * FROM main.pragma_table_info(NULL)",
        "SELECT * FROM pragma_table_info",
        "SELECT count(*) > 0 FROM pragma_function_list",
        "SELECT * FROM pragma_compile_options",
        "SELECT name FROM pragma_database_list",
        "SELECT u.k, count(c.cid) FROM u LEFT JOIN pragma_table_info(u.k) c GROUP BY u.k",
        "SELECT u.k, c.name FROM u LEFT JOIN pragma_table_info(u.k) c ON c.pk > 0",
        "SELECT (SELECT count(*) FROM pragma_table_info(u.k)) FROM u",
        "SELECT i.name, x.name, l.dflt_value FROM pragma_index_list('t') i,"
        "  pragma_index_info(i.name) x, pragma_table_info('t') l WHERE l.name = x.name",
        "SELECT t.a, f.\"table\", f.\"to\" FROM t, pragma_foreign_key_list('u') f WHERE t.id < 3",
        "SELECT a.name, b.name FROM pragma_table_info('t') a, pragma_table_info('t') b"
        "  WHERE a.cid < b.cid",
        "SELECT group_concat(name), typeof(cid), max(\"notnull\") FROM pragma_table_info('w')",
        "SELECT * FROM pragma_table_info('t') WHERE type = 'text' COLLATE NOCASE",
        NULL};
    check_all(queries);
}

static void test_schema_table(void)
{
    static const char *const queries[] = {
        "SELECT rowid, * FROM sqlite_schema",
        "SELECT count(*) FROM main.sqlite_master",
        "SELECT sqlite_master.name, main.sqlite_master.rootpage + 1 FROM sqlite_master",
        "SELECT typeof(rootpage), rootpage = '2', name = 'T' FROM sqlite_schema",
        "SELECT m.name, c.name, c.type, c.pk FROM sqlite_schema m, pragma_table_info(m.name) c"
        "  WHERE m.type = 'table'",
        "SELECT k FROM u WHERE EXISTS (SELECT 1 FROM sqlite_schema s WHERE s.name = u.k)",
        "SELECT k FROM u WHERE k NOT IN (SELECT name FROM sqlite_schema)",
        "WITH c AS (SELECT name n FROM sqlite_schema) SELECT a.n FROM c a JOIN c b ON a.n = b.n",
        "SELECT upper(type), count(*), max(rowid) FROM sqlite_schema GROUP BY 1",
        "SELECT count(*) FROM _braid_table",
        "SELECT s.name FROM sqlite_schema s RIGHT JOIN u ON s.name = u.k",
        NULL};
    check_all(queries);
}

static void test_virtual_tables(void)
{
    static const char *const queries[] = {
        "SELECT * FROM ft", "SELECT rowid, title FROM ft WHERE title = 'one'",
        "SELECT t.a, ft.body FROM t JOIN ft ON ft.rowid = t.id",
        "SELECT t.a, ft.body FROM t JOIN ft ON t.a = ft.title",
        "SELECT t.a, ft.body FROM t JOIN ft ON ft.title = t.a",
        "SELECT * FROM ft FULL JOIN t ON t.a = ft.title",
        "SELECT * FROM ft('hello')", "SELECT * FROM ft('he*') f JOIN t ON t.id = f.rowid",
        "SELECT rowid, typeof(minx), * FROM rt",
        "SELECT * FROM rt, t WHERE t.id = rt.id AND minx < 1 AND typeof(note) = 'integer'",
        "SELECT note FROM rt WHERE minx > -2 AND maxx <= '3'", "SELECT docid, txt FROM f4",
        "SELECT * FROM ft_content", "SELECT k, v FROM ft_config",
        "SELECT sum(length(body)), count(title), min(title) FROM ft",
        "SELECT name, sum(pgsize) FROM dbstat GROUP BY name", NULL};
    check_all(queries);
}

// Arguments that conditions give, and those that name tables behind the function.
static void test_arguments_in_conditions(void)
{
    static const char *const queries[] = {
        "SELECT value FROM generate_series WHERE 1 = start AND stop = 10 AND step = 3 AND value > 2",
        "SELECT value, start FROM generate_series(1) g WHERE g.stop = '3'",
        "SELECT value, json, root FROM json_each WHERE json = '{\"a\":[5,6]}' AND root = '$.a'",
        "SELECT t.id, j.value FROM t JOIN json_each j ON j.json = '[' || t.id || ']'",
        "SELECT t.id, j.value FROM t LEFT JOIN json_each j"
        "  ON j.json = '[' || t.id || ']' AND j.value > 1",
        "SELECT t.id, j.value FROM json_each j, t WHERE j.json = '[' || t.id || ']'",
        "SELECT * FROM json_each('[' || t.id || ']') j, t",
        "SELECT * FROM json_each('[' || t.id || ']') j JOIN t ON t.id = j.value",
        "SELECT j.id, a FROM json_each('[' || t.id || ']') j JOIN t USING(id)",
        "SELECT a.value, b.value FROM json_each(b.value) a, json_each('[' || t.id || ']') b, t",
        "SELECT a.value, b.value FROM json_each(b.value) a, json_each(a.value) b, t",
        "SELECT a.name, b.name FROM pragma_table_info(b.name) a, sqlite_schema b",
        "SELECT name FROM pragma_table_info WHERE arg = 't' AND schema = 'main'",
        "SELECT name FROM pragma_table_info WHERE arg = 't' AND arg = 'u'",
        "SELECT name FROM pragma_table_info('t') WHERE arg IN ('t')",
        "SELECT m.name, c.name, c.arg FROM sqlite_master m JOIN pragma_table_info c"
        "  ON c.arg = m.name WHERE m.type = 'table'",
        "SELECT u.k, c.name FROM u LEFT JOIN pragma_table_info c ON c.arg = u.k",
        "SELECT (SELECT group_concat(name) FROM pragma_table_info WHERE arg = u.k) FROM u",
        "SELECT a.cid FROM pragma_table_info a, pragma_table_info b WHERE arg = 't'",
        "SELECT name, pageno FROM dbstat WHERE aggregate = 1 AND name = 't'",
        "SELECT value FROM generate_series WHERE stop = 10", NULL};
    check_all(queries);
}

// Comparisons with constants are left to SQLite as well, which says the same of them.
static void test_conditions_on_columns(void)
{
    static const char *const queries[] = {
        "SELECT * FROM ft WHERE rowid = 5", "SELECT rowid FROM ft WHERE rowid > '1' AND 5 > rowid",
        "SELECT * FROM ft WHERE ft.title = 'TWO' OR rowid = 1",
        "SELECT body FROM ft WHERE title = 'two' COLLATE NOCASE",
        "SELECT body FROM t JOIN ft USING(title)", "SELECT title FROM ft WHERE title = NULL",
        "SELECT a.x FROM (SELECT a AS title, id AS x FROM t) a JOIN ft USING(title)"
        "  WHERE title = 'two'",
        "WITH c(rowid) AS (SELECT 2) SELECT ft.rowid FROM c, ft WHERE rowid = 2",
        "SELECT t.id, f.rowid FROM t LEFT JOIN ft f ON f.rowid = 2 WHERE f.rowid IS NULL",
        "SELECT t.id, f.rowid FROM t LEFT JOIN ft f ON f.rowid = t.id WHERE f.rowid = 2",
        "SELECT t.id, f.rowid FROM ft f LEFT JOIN t ON f.rowid = 2 WHERE f.rowid >= 2",
        "SELECT t.id, f.rowid FROM ft f RIGHT JOIN t ON f.rowid = t.id WHERE t.id <> 2",
        "SELECT * FROM rt WHERE id = 2 OR minx <= 0", "SELECT * FROM rt WHERE minx < 'a'",
        "SELECT * FROM rt WHERE maxx >= 1.5 AND minx <= 2 AND note = 7",
        "SELECT * FROM ft_content WHERE id = 2", "SELECT * FROM dbstat WHERE name = 't'",
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name >= 'u' AND rootpage < '9'",
        NULL};
    check_all(queries);
}

static void test_full_text(void)
{
    static const char *const queries[] = {
        "SELECT rowid, rank FROM ft WHERE ft MATCH 'hello'",
        "SELECT rowid, rank FROM ft WHERE ft = 'hello' AND rank = 'bm25(10.0, 5.0)'",
        "SELECT rowid FROM ft WHERE body MATCH 'hello' AND title MATCH 'one'",
        "SELECT t.a, ft.rowid FROM ft, t WHERE ft MATCH t.a",
        "SELECT t.a, ft.rowid FROM t LEFT JOIN ft ON ft MATCH t.a",
        "SELECT t.*, ft.rank FROM ft JOIN t ON t.id = ft.rowid WHERE ft MATCH 'hello OR big'",
        "SELECT (SELECT count(*) FROM ft WHERE ft MATCH t.a) FROM t",
        "SELECT id FROM t WHERE id IN (SELECT rowid FROM ft WHERE ft MATCH 'world')",
        "SELECT max(rank) < 0 FROM ft WHERE ft MATCH 'hello' GROUP BY title",
        "SELECT count(*) FROM f4 WHERE txt MATCH NULL", "SELECT rowid FROM ft x WHERE ft MATCH 5",
        "SELECT rowid FROM ft WHERE ft MATCH 'hello AND ('", NULL};
    check_all(queries);
}

// What a virtual table alone understands.
static void test_searches(void)
{
    static char text[TEXT_BYTES];
    static const char *const queries[][2] = {
        {"SELECT bm25(ft) < 0 FROM ft WHERE ft MATCH 'big'", "1 \n"},
        {"SELECT snippet(ft, 1, '[', ']', '', 5) FROM ft WHERE ft MATCH 'big'",
         "t'[big] world' \n"},
        {"SELECT rowid FROM ft WHERE ft MATCH 'big' OR ft MATCH 'nobody'", "2 \n"},
        {"SELECT count(*) FROM pragma_table_info WHERE arg = 'u' OR arg = 'w'", "4 \n"},
        {"SELECT * FROM t LEFT JOIN pragma_table_info p ON true WHERE p.arg = 'none'", ""},
        {"SELECT * FROM json_each('[' || t.id || ']') j CROSS JOIN t", ""},
        {"SELECT hex(matchinfo(f4, 'n')) FROM f4 WHERE txt MATCH 'gamma'", "t'02000000' \n"},
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        rows_on(BRAID_ENGINE_OLAP, queries[i][0], text);
        CHECK(strncmp(text, "error", 5) == 0);
        rows_on(BRAID_ENGINE_OLTP, queries[i][0], text);
        CHECK(strcmp(text, queries[i][1]) == 0);
        braid_result *result = support_query(db, queries[i][0]);
        CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLTP);
        braid_result_free(result);
    }
}

static void test_wrong_sources(void)
{
    static const char *const queries[] = {
        "SELECT * FROM pragma_table_info('t', 'main', 'x')", "SELECT * FROM pragma_nothing",
        "SELECT * FROM t('x')", "SELECT * FROM sqlite_schema('x')",
        "SELECT * FROM pragma_table_info('t', 'nope')", "SELECT rowid FROM ft_config",
        "SELECT nowhere FROM sqlite_schema", "SELECT * FROM sqlite_sequence", NULL};
    check_all(queries);
}

// A row of a table-valued function may be used to call the same function again, also when there
// are so many that they come in several batches.
static void test_nested_calls(void)
{
    check_same("WITH d(j) AS (SELECT '[' || group_concat('[' || value || ']') || ']' FROM"
               "  generate_series(1, 5000)) SELECT count(*), sum(b.value), max(b.value) FROM d,"
               "  json_each(d.j) a, json_each(a.value) b");
    check_same("SELECT count(*) FROM sqlite_schema a, pragma_table_info(a.name) b,"
               "  sqlite_schema c, pragma_table_info(c.name) d");
}

// ---- one commit point --------------------------------------------------------------------------

enum { COMMITS = 400 };

static _Atomic bool is_writing;

// Each commit adds one row to the mirrored table and one to the virtual one.
static void *write_both(void *context)
{
    sqlite3 *other = support_sqlite(context, "PRAGMA synchronous = OFF");
    sqlite3_busy_timeout(other, 10000);
    for (int i = 0; i < COMMITS; i++) {
        CHECK_INT(sqlite3_exec(other,
                               "BEGIN IMMEDIATE; INSERT INTO m(x) VALUES(1);"
                               "INSERT INTO v(x) VALUES('a'); COMMIT",
                               NULL, NULL, NULL),
                  SQLITE_OK);
        usleep(500);
    }
    sqlite3_close(other);
    atomic_store(&is_writing, false);
    return NULL;
}

static void test_one_commit_point(void)
{
    braid *shared = support_open("commits.db");
    support_exec(shared, "CREATE TABLE m(id INTEGER PRIMARY KEY, x INT);"
                         "CREATE VIRTUAL TABLE v USING fts5(x)");
    braid_statement *statement = support_prepare(
        shared, "SELECT (SELECT count(*) FROM m) - (SELECT count(*) FROM v)");
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    braid_statement_set_freshness(statement, BRAID_FRESH_ANY);
    pthread_t writer;
    uint32_t answers = 0;
    atomic_store(&is_writing, true);
    CHECK_INT(pthread_create(&writer, NULL, write_both, "commits.db"), 0);
    while (atomic_load(&is_writing) || answers == 0) {
        braid_result *result = NULL;
        // Too many commits meanwhile: that is said, not answered wrongly.
        if (braid_run(statement, &result) != BRAID_OK) continue;
        CHECK_INT(braid_value_get(result, 0, 0).as.integer, 0);
        answers++;
        braid_result_free(result);
    }
    CHECK_INT(pthread_join(writer, NULL), 0);
    braid_statement_close(statement);
    CHECK_INT(braid_close(shared), BRAID_OK);
}

// A plan is made anew when a virtual table has other columns.
static void test_changed_source(void)
{
    check_same("SELECT * FROM f4 JOIN t ON t.id = f4.rowid");
    support_exec(db, "DROP TABLE f4; CREATE VIRTUAL TABLE f4 USING fts4(one, two);"
                     "INSERT INTO f4 VALUES('a', 'b')");
    check_same("SELECT * FROM f4 JOIN t ON t.id = f4.rowid");
    support_exec(db, "DROP TABLE f4; CREATE TABLE f4(one); INSERT INTO f4 VALUES(7)");
    check_same("SELECT * FROM f4 JOIN t ON t.id = f4.rowid");
}

static void test_source_timeout(void)
{
    static const char sql[] =
        "SELECT count(*) FROM generate_series(1, 100000000) g, pragma_table_info('t') i,"
        " pragma_table_info(iif(g.value > 0, i.name, 't')) k";
    braid_result *result = NULL;
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    braid_statement_set_timeout(statement, 50);
    CHECK_INT(braid_run(statement, &result), BRAID_INTERRUPTED);
    braid_statement_close(statement);
    check_same("SELECT count(*) FROM sqlite_schema");
}

int main(void)
{
    support_begin();
    db = support_open("sources.db");
    support_exec(db, script);
    RUN(test_pragma_functions);
    RUN(test_schema_table);
    RUN(test_virtual_tables);
    RUN(test_arguments_in_conditions);
    RUN(test_conditions_on_columns);
    RUN(test_full_text);
    RUN(test_searches);
    RUN(test_wrong_sources);
    RUN(test_nested_calls);
    RUN(test_one_commit_point);
    RUN(test_changed_source);
    RUN(test_source_timeout);
    CHECK_INT(braid_close(db), BRAID_OK);
    return support_end();
}
