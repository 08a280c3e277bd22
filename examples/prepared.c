// Prepared statements: writes many rows in one transaction, then reads a large result column-wise.
//
// Reading chunk by chunk needs no call per value: a chunk gives each column as an array, and a
// bitmap that tells which rows are NULL.
//
//     cc prepared.c $(pkg-config --cflags --libs braid) && ./a.out
//
// SPDX-License-Identifier: Apache-2.0
#include <braid.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 20000 };

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

// Every hundredth reading has no value.
static void write_readings(braid *db)
{
    static const char *const sensors[] = {"north", "south", "west"};
    braid_statement *insert;
    check(braid_exec(db, "CREATE TABLE reading(time INTEGER, sensor TEXT, value REAL)"), db);
    check(braid_prepare(db, "INSERT INTO reading VALUES (:time, :sensor, :value)", &insert, NULL),
          db);
    uint32_t value = braid_parameter_index(insert, ":value");  // parameters count from 1
    expect(value == 3, "the parameter's number");
    check(braid_exec(db, "BEGIN"), db);
    for (int i = 0; i < ROW_COUNT; i++) {
        const char *sensor = sensors[i % 3];
        check(braid_bind_int64(insert, 1, 1000 + i), db);
        check(braid_bind_text(insert, 2, sensor, strlen(sensor)), db);
        if (i % 100 == 0) check(braid_bind_null(insert, value), db);
        else check(braid_bind_double(insert, value, i * 0.5), db);
        check(braid_run(insert, NULL), db);  // nobody wants its rows: it has none
    }
    check(braid_exec(db, "COMMIT"), db);
    braid_statement_close(insert);
}

static int is_value(const braid_column *column, uint32_t row)
{
    return column->validity == NULL || (column->validity[row / 64] >> (row % 64) & 1) != 0;
}

// Adds up a REAL column of a result, as fast as memory allows.
static double add_up(const braid_result *result, uint32_t column_index, uint64_t *values_out)
{
    double sum = 0;
    uint64_t values = 0;
    for (uint32_t index = 0; index < braid_chunk_count(result); index++) {
        braid_chunk chunk;
        braid_chunk_get(result, index, &chunk);
        const braid_column *column = &chunk.columns[column_index];
        if (column->type == BRAID_NULL) continue;  // only NULLs in this chunk
        expect(column->type == BRAID_REAL, "the column's type");
        for (uint32_t row = 0; row < chunk.row_count; row++) {
            if (!is_value(column, row)) continue;
            sum += column->as.reals[row];
            values++;
        }
    }
    *values_out = values;
    return sum;
}

int main(void)
{
    remove("readings.db");
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    braid *db;
    check(braid_open("readings.db", &config, &db), db);
    write_readings(db);

    // The statement is planned once and run with other values as often as wanted.
    braid_statement *select;
    check(braid_prepare(db, "SELECT time, value FROM reading WHERE sensor = ?1 AND time >= ?2",
                        &select, NULL),
          db);
    check(braid_bind_text(select, 1, "south", 5), db);
    for (int64_t since = 1000; since <= 15000; since += 7000) {
        braid_result *result;
        uint64_t values;
        check(braid_bind_int64(select, 2, since), db);
        check(braid_run(select, &result), db);
        double sum = add_up(result, 1, &values);
        printf("south since %5" PRId64 ": %5" PRIu64 " rows in %u chunks, %5" PRIu64
               " values, sum %.1f\n",
               since, braid_row_count(result), braid_chunk_count(result), values, sum);

        double expected_sum = 0;
        uint64_t expected_rows = 0, expected_values = 0;
        for (int i = 0; i < ROW_COUNT; i++) {
            if (i % 3 != 1 || 1000 + i < since) continue;
            expected_rows++;
            if (i % 100 == 0) continue;
            expected_values++;
            expected_sum += i * 0.5;
        }
        expect(braid_row_count(result) == expected_rows, "the number of rows");
        expect(values == expected_values, "the number of values");
        expect(sum == expected_sum, "the sum");  // halves: exact in any order
        braid_result_free(result);
    }
    braid_statement_close(select);
    check(braid_close(db), NULL);
    return 0;
}
