// Opens a SQLite database with Braid, writes with SQL, and asks an analytic question.
//
//     cc open_and_query.c $(pkg-config --cflags --libs braid) && ./a.out
//
// SPDX-License-Identifier: Apache-2.0
#include <braid.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The message of a failure is in the handle. A program of its own would do better than to exit.
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

int main(void)
{
    // An ordinary SQLite file. Any other program may write to it too; Braid sees that.
    remove("sales.db");
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    braid *db;
    check(braid_open("sales.db", &config, &db), db);

    // Writes are SQLite's: transactions, constraints and triggers as always.
    check(braid_exec(db, "CREATE TABLE sales(id INTEGER PRIMARY KEY, city TEXT, amount REAL);"
                         "INSERT INTO sales(city, amount) VALUES ('Oslo', 12.5), ('Rome', 7.25),"
                         "  ('Oslo', 30.0), ('Lima', NULL), ('Rome', 1.5)"),
          db);

    // A query sees every commit before it.
    braid_result *result;
    check(braid_query(db, "SELECT city, count(*) AS sales, sum(amount) AS total FROM sales "
                          "GROUP BY city ORDER BY city",
                      &result),
          db);

    for (uint64_t row = 0; row < braid_row_count(result); row++) {
        braid_value city = braid_value_get(result, row, 0);  // text has a size and no NUL
        braid_value sales = braid_value_get(result, row, 1);
        braid_value total = braid_value_get(result, row, 2);
        printf("%-6.*s %" PRId64 " sales", (int)city.as.text.size, city.as.text.data,
               sales.as.integer);
        if (total.type == BRAID_REAL) printf(", %.2f", total.as.real);  // else it is NULL
        printf("\n");
    }

    // Which engine answered, and why.
    braid_result_info info = {.size = sizeof info};
    braid_result_get_info(result, &info);
    printf("answered by %s: %s\n",
           info.engine == BRAID_ENGINE_OLAP ? "the columnar copy" : "SQLite", info.reason);

    braid_value oslo = braid_value_get(result, 1, 2);
    expect(braid_row_count(result) == 3, "three cities");
    expect(strcmp(braid_column_name(result, 2), "total") == 0, "the name of the last column");
    expect(braid_value_get(result, 0, 2).type == BRAID_NULL, "Lima's total is NULL");
    expect(oslo.type == BRAID_REAL && oslo.as.real == 42.5, "Oslo's total");

    // Results go before their handle.
    braid_result_free(result);
    check(braid_close(db), NULL);
    return 0;
}
