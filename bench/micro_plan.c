// micro_plan.c - CPU time to plan queries, and to run a prepared statement again.
//
//     micro_plan DATABASE QUERY.sql...    a file with one SELECT each; two lines at the end tell what
//                                         a run of the smallest statement takes
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "router/database.h"

enum { ROUNDS = 1000, TEXT_MAX = 100000 };

static void must(br_status status, const char *what, const br_error *err)
{
    if (status == BR_OK) return;
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

static void read_text(const char *path, char *text)
{
    FILE *file = fopen(path, "r");
    size_t size = file == NULL ? 0 : fread(text, 1, TEXT_MAX - 1, file);
    if (file == NULL || size == 0) exit(1);
    text[size] = 0;
    fclose(file);
}

// Samples included, which are taken on this thread: the database has one.
static void measure_plan(br_database *database, const char *path)
{
    static char text[TEXT_MAX];
    br_error err;
    br_statement *statement;
    br_snapshot *snapshot;
    const br_schema_ref *schema;
    uint64_t best_ns = UINT64_MAX, all_ns = 0;
    read_text(path, text);
    must(br_statement_new(database, text, &statement, NULL, &err), path, &err);
    br_cdc_snapshot(database->cdc, &snapshot, &schema);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t start_ns = br_clock_thread_ns();
        must(br_statement_plan(statement, snapshot, schema, &err), path, &err);
        uint64_t ns = br_clock_thread_ns() - start_ns;
        if (ns < best_ns) best_ns = ns;
        all_ns += ns;
        br_statement_forget_plan(statement);
    }
    const char *name = strrchr(path, '/');
    printf("%-12s plan %8.1f us  best %8.1f us\n", name == NULL ? path : name + 1,
           (double)all_ns / 1e3 / ROUNDS, (double)best_ns / 1e3);
    br_snapshot_drop(snapshot);
    br_cdc_schema_drop(schema);
    br_statement_free(statement);
}

static void measure_run(br_database *database, int64_t freshness, const char *name)
{
    br_error err;
    br_statement *statement;
    uint64_t all_ns = 0;
    must(br_statement_new(database, "SELECT 1", &statement, NULL, &err), name, &err);
    br_statement_set_engine(statement, BR_ENGINE_OLAP);
    br_statement_set_freshness(statement, freshness);
    for (uint32_t i = 0; i <= ROUNDS; i++) {
        br_outcome *outcome;
        uint64_t start_ns = br_clock_thread_ns();
        must(br_statement_run(statement, &outcome, &err), name, &err);
        if (i > 0) all_ns += br_clock_thread_ns() - start_ns;
        br_outcome_free(outcome);
    }
    printf("%-12s run  %8.1f us\n", name, (double)all_ns / 1e3 / ROUNDS);
    br_statement_free(statement);
}

int main(int argument_count, char **arguments)
{
    br_error err;
    br_database *database;
    if (argument_count < 3) {
        printf("micro_plan DATABASE QUERY.sql...: without them there is nothing to plan\n");
        return 0;
    }
    br_database_config config = {
        .path = arguments[1], .threads = 1, .freshness = BR_FRESH_STRICT};
    must(br_database_open(&config, &database, &err), arguments[1], &err);
    must(br_database_sync(database, &err), arguments[1], &err);
    for (int i = 2; i < argument_count; i++) measure_plan(database, arguments[i]);
    measure_run(database, BR_FRESH_STRICT, "strict");
    measure_run(database, BR_FRESH_ANY, "any");
    must(br_database_close(database, &err), arguments[1], &err);
    return 0;
}
