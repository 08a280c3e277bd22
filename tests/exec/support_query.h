// support_query.h - SQL against a small store and against SQLite, on the same rows.
//
// A world is made by SQL; world_load then mirrors all tables into a store (most rows as a segment,
// the rest as a delta). world_check runs a query in SQLite and, planned and executed, with one and
// with two threads and on each instruction set: rows must be the same as SQLite's, and identical,
// in the same order, between the runs.
//
// Ownership: everything belongs to the world. Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SUPPORT_QUERY_H
#define BR_TESTS_SUPPORT_QUERY_H

#include <sqlite3.h>

#include "exec/exec.h"

enum { WORLD_TABLES_MAX = 16, WORLD_POOLS = 2 };

typedef struct query_world {
    sqlite3 *sqlite;
    char folder[64];
    br_task_pool *pools[WORLD_POOLS];  // of 1 and of 2 threads
    br_quota quota;         // of the store
    br_quota query_quota;   // of runs and their results
    br_store *store;
    br_snapshot *snapshot;
    br_arena *arena;                   // of the tables
    uint32_t table_count;
    br_sql_table tables[WORLD_TABLES_MAX];
    size_t memory_limit;               // of a query; 0: none
    bool spills;                       // beyond the limit rows go to disk
    br_io_mode io_mode;                // how they are read
    const br_file_hook *hook;          // of the file they are in
    _Atomic bool *cancelled;           // of runs
    uint64_t deadline_ns;
    bool optimize;
} query_world;

void world_open(query_world *world);
void world_close(query_world *world);
void world_exec(query_world *world, const char *sql);  // in SQLite, before loading
void world_load(query_world *world);

// Plans and runs; the result is the caller's.
br_status world_run(query_world *world, const char *sql, uint32_t pool, br_isa isa,
                    br_result **result_out, br_error *err);
// Runs a plan made by hand.
br_status world_run_query(query_world *world, const br_query *query, uint32_t pool, br_isa isa,
                          br_result **result_out, br_error *err);
// Compares as described above; reports what differs and returns false.
bool world_check(query_world *world, const char *sql);
// The same for a plan made by hand: its rows are those of `sql` in SQLite.
bool world_check_plan(query_world *world, const br_query *query, const char *sql);
bool world_same_result(const br_result *left, const br_result *right);
br_value world_value(const br_result *result, uint64_t row, uint32_t column);

#endif
