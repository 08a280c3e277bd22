// exec.h - vectorized query execution. Knows plans and batches, not SQL text.
//
// br_exec_run compiles a br_query into pipelines (source -> streaming operators -> sink), runs them
// morsel by morsel on the task pool, and materialises the result. Per-morsel partial results merge
// in morsel order, so the answer does not depend on the number of threads.
//
// Ownership: the result owns its memory (charged to the env's quota); env and query are borrowed
// during the run. Threads: one run per call; many runs may go on at once.
// Errors: BR_RETYPE when data broke an assumption (plan again with checked_arithmetic);
//         BR_RUNTIME with SQLite's wording for what SQLite reports too; BR_NOMEM over the quota
//         where even keeping rows on disk does not help; BR_FULL, BR_IO of the file they are in;
//         BR_INTERRUPTED; BR_UNSUPPORTED for a plan that only SQLite can run.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_EXEC_H
#define BR_EXEC_EXEC_H

#include <stdatomic.h>

#include "base/batch.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/function_call.h"
#include "base/io_ring.h"
#include "base/task_pool.h"
#include "columnar/columnar.h"
#include "sql/sql.h"

// Calls SQLite's own function implementations; the router fills it with oltp's bridge.
typedef struct br_exec_bridge {
    // One value per row of the call; their bytes in `arena`.
    br_status (*call)(void *context, uint32_t worker, const br_function_call *call,
                      br_arena *arena, br_value *results_out, br_error *err);
    // The rows of SELECT call->function (an expression) with row `row` of the arguments, until the
    // receiver wants no more.
    br_status (*rows)(void *context, uint32_t worker, const br_function_call *call, uint32_t row,
                      const br_row_receiver *receiver, br_error *err);
    // As `rows`, from the database file as it was at the snapshot's commit point. NULL: there is no
    // file, and no query that reads_sources.
    br_status (*read)(void *context, uint32_t worker, const br_function_call *call, uint32_t row,
                      const br_row_receiver *receiver, br_error *err);
    // CAST(real AS TEXT); room for 40 bytes; returns the length.
    uint32_t (*real_to_text)(double value, char *text_out);
    void *context;
} br_exec_bridge;

typedef struct br_exec_kernels br_exec_kernels;  // exec/kernels/kernels.h

enum { BR_SPILL_FOLDERS_MAX = 5 };

typedef struct br_exec_env {
    const br_snapshot *snapshot;
    br_task_pool *pool;
    uint32_t threads;                 // at most so many workers; 0: all of the pool
    br_isa isa;
    br_quota *quota;                  // of the query; its parent is the database's
    // Where rows go that the quota has no room for, the first that takes a file; none: nowhere.
    const char *spill_folders[BR_SPILL_FOLDERS_MAX];
    const br_file_hook *hook;         // of that file; NULL: none
    br_io_mode io_mode;               // how it is read
    const br_value *parameters;       // query->parameter_count values
    br_text now;                      // what date functions take for 'now', as a time value
    _Atomic bool *cancelled;          // polled once per batch (relaxed: a flag, orders nothing)
    uint64_t deadline_ns;             // br_clock_ns; 0: none
    br_exec_bridge bridge;
    br_query_profile *profile;        // filled when not NULL: EXPLAIN ANALYZE
} br_exec_env;

// Rows of a query, materialised: FLAT, CONST or ANY vectors in batches of up to BR_BATCH_ROWS.
typedef struct br_result {
    uint32_t column_count;
    const char **column_names;
    uint64_t row_count;
    uint32_t batch_count;
    br_batch *batches;
    br_arena *arena;       // the result itself
    uint32_t arena_count;  // all that it owns: `arena` and those of the workers, with the batches
    br_arena **arenas;     // and the bytes of TEXT and BLOB; charged to the env's quota, which must
                           // outlive the result
    uint64_t delta_rows;   // how many of the rows scanned came from deltas
    uint64_t spilled_bytes;  // written to disk for want of memory
} br_result;

BR_CHECKED br_status br_exec_run(const br_query *query, const br_exec_env *env,
                                 br_result **result_out, br_error *err);
typedef struct br_sample {
    uint64_t row_count, passed_count;  // rows looked at, and for how many the condition is true
} br_sample;

// Runs a condition over the columns of a SCAN node on a sample of its table, for estimates. It has
// no parameters or subqueries.
BR_CHECKED br_status br_exec_sample(const br_plan *scan, const br_expr *condition,
                                    const br_exec_env *env, br_sample *sample_out, br_error *err);
void br_result_free(br_result *result);  // NULL is a no-op

#endif
