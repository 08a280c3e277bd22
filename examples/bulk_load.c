// Loads many rows: a batch of statements, a batch of parameters, and an appender, with progress.
//
// All three are all or nothing per transaction, and what is loaded is in the next query's answer.
//
//     cc bulk_load.c $(pkg-config --cflags --libs braid) && ./a.out
//
// SPDX-License-Identifier: Apache-2.0
#include <braid.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 300000 };

static void check(braid_status status, const braid *db)
{
    if (status == BRAID_OK) return;
    fprintf(stderr, "%s: %s\n", braid_status_name(status), braid_error_message(db));
    exit(1);
}

static void expect(int is_true, const char *what)
{
    if (is_true) return;
    fprintf(stderr, "not as expected: %s\n", what);
    exit(1);
}

// Not 0 would stop the work, as Ctrl-C does in the program braid.
static int show_progress(void *context, const braid_progress *progress)
{
    int *calls = context;
    ++*calls;
    if (progress->is_done)
        printf("%s: %" PRIu64 " rows\n", progress->what, progress->rows_done);
    return 0;
}

static void run_statements(braid *db)
{
    const char *const schema[] = {
        "CREATE TABLE sensor(id INTEGER PRIMARY KEY, name TEXT UNIQUE)",
        "CREATE TABLE reading(sensor INTEGER, time INTEGER, value REAL, unit TEXT)",
    };
    check(braid_exec_batch(db, schema, 2, NULL), db);
    const char *const wrong[] = {"INSERT INTO sensor VALUES (1, 'north')",
                                 "INSERT INTO sensor VALUES (2, 'north')"};
    size_t failed;
    expect(braid_exec_batch(db, wrong, 2, &failed) == BRAID_RUNTIME, "two sensors of one name");
    printf("undone: %s\n", braid_error_message(db));
    expect(failed == 1, "the second statement to fail");
}

// A column of the chunk for each parameter; the arrays are the caller's.
static void run_rows(braid *db)
{
    const int64_t ids[] = {1, 2, 3};
    const braid_text names[] = {{.data = "north", .size = 5}, {.data = "south", .size = 5},
                                {.data = "west", .size = 4}};
    const braid_column columns[] = {{.type = BRAID_INTEGER, .as.integers = ids},
                                    {.type = BRAID_TEXT, .as.texts = names}};
    const braid_chunk rows = {.row_count = 3, .column_count = 2, .columns = columns};
    braid_statement *insert;
    check(braid_prepare(db, "INSERT INTO sensor VALUES (?, ?)", &insert, NULL), db);
    check(braid_run_batch(insert, &rows, NULL), db);
    braid_statement_close(insert);
}

// Every tenth reading has no value; `unit` is not given and gets its default.
static void append_readings(braid *db)
{
    const char *const columns[] = {"sensor", "time", "value", NULL};
    braid_appender *appender;
    check(braid_appender_open(db, "reading", columns, &appender), db);
    for (int64_t i = 0; i < ROW_COUNT; i++) {
        check(braid_append_int64(appender, i % 3 + 1), db);
        check(braid_append_int64(appender, 1700000000 + i), db);
        check(i % 10 == 9 ? braid_append_null(appender)
                          : braid_append_double(appender, (double)(i % 400) / 20),
              db);
    }
    check(braid_appender_close(appender), db);  // writes what is left
}

static void show_means(braid *db)
{
    braid_result *result;
    check(braid_query(db,
                      "SELECT name, count(value) AS n, avg(value) FROM reading"
                      " JOIN sensor ON sensor.id = sensor GROUP BY name ORDER BY name",
                      &result),
          db);
    expect(braid_row_count(result) == 3, "three sensors");
    int64_t count = 0;
    for (uint64_t row = 0; row < 3; row++) {
        braid_value name = braid_value_get(result, row, 0);
        count += braid_value_get(result, row, 1).as.integer;
        printf("%.*s  %.3f\n", (int)name.as.text.size, name.as.text.data,
               braid_value_get(result, row, 2).as.real);
    }
    expect(count == ROW_COUNT - ROW_COUNT / 10, "all values");
    braid_result_free(result);
}

int main(void)
{
    int calls = 0;
    braid *db;
    braid_config config;
    remove("bulk_load.db");
    braid_config_init(&config);
    config.create = 1;
    config.progress = show_progress;
    config.progress_context = &calls;
    check(braid_open("bulk_load.db", &config, &db), db);
    run_statements(db);
    run_rows(db);
    append_readings(db);
    show_means(db);
    check(braid_check(db, NULL), db);
    expect(calls > 0, "work to be told of");
    check(braid_close(db), NULL);
    return 0;
}
