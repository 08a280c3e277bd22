// micro_capture.c - what capture costs the application, and what syncs and first mirroring take.
//
//     micro_capture [rows] [folder] [threads]
//
// Prints one line per measurement. Capture is compared with plain SQLite on the same statements.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/thread.h"
#include "cdc/cdc.h"

enum { BATCH_ROWS = 300000, SINGLE_ROWS = 20000, SYNC_ROUNDS = 400, ROUNDS = 3 };

static br_error err;

static void must(br_status status)
{
    if (status == BR_OK) return;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

static double seconds_since(uint64_t start_ns)
{
    return (double)(br_clock_ns() - start_ns) / 1e9;
}

static br_oltp *make_file(const char *path)
{
    char name[600];
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        if (br_file_exists(name)) must(br_file_remove(name, NULL, &err));
    }
    snprintf(name, sizeof name, "%s-braid", path);
    if (br_file_exists(name)) must(br_folder_remove(name, &err));
    br_oltp *oltp = NULL;
    br_oltp_config config = {.path = path, .busy_timeout_ms = 1000, .create = true};
    must(br_oltp_open(&config, &oltp, &err));
    must(br_oltp_exec(oltp,
                      "CREATE TABLE t(id INTEGER PRIMARY KEY, number INT, price REAL, name TEXT,"
                      " day TEXT)",
                      &err));
    return oltp;
}

static void fill(br_oltp *oltp, uint64_t rows)
{
    must(br_oltp_exec_format(oltp, &err,
                             "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT %" PRIu64
                             ") INSERT INTO t SELECT i, i * 7919 %% 100003, i %% 10000 / 100.0,"
                             " 'name ' || (i * 31 %% 65537), date(i %% 5000 * 86400, 'unixepoch')"
                             " FROM r",
                             rows));
}

static br_cdc *open_copy(const char *path, br_task_pool *pool, br_quota *quota)
{
    char folder[600];
    snprintf(folder, sizeof folder, "%s-braid", path);
    br_cdc_config config = {.path = path,
                            .busy_timeout_ms = 1000,
                            .store = {.folder = folder,
                                      .kernels = br_format_kernels_for(br_isa_choose(NULL)),
                                      .pool = pool,
                                      .quota = quota,
                                      .page_cache_bytes = 1 << 30}};
    br_cdc *cdc = NULL;
    must(br_cdc_open(&config, &cdc, &err));
    return cdc;
}

// ---- capture
// ---------------------------------------------------------------------------------------

typedef struct rates {
    double batch_insert, single_insert, batch_update, single_update;
} rates;

static void run_rows(br_oltp_statement *statement, int64_t first, int64_t count)
{
    char name[32];
    bool has_row;
    for (int64_t i = first; i < first + count; i++) {
        int size = snprintf(name, sizeof name, "name %d", (int)(i * 31 % 65537));
        br_value values[] = {br_value_int(i), br_value_int(i * 7919 % 100003),
                             br_value_real((double)(i % 10000) / 100),
                             br_value_text(br_text_make(name, (uint32_t)size)),
                             br_value_text(br_text_make("2001-02-03", 10))};
        uint32_t count_wanted = br_oltp_parameter_count(statement);
        for (uint32_t p = 0; p < count_wanted; p++)
            must(br_oltp_bind(statement, p + 1, &values[p], &err));
        must(br_oltp_step(statement, &has_row, &err));
        br_oltp_reset(statement);
    }
}

static double rate_of(br_oltp *oltp, const char *sql, int64_t first, int64_t count, bool is_batch)
{
    br_oltp_statement *statement = NULL;
    must(br_oltp_prepare(oltp, sql, NULL, &statement, &err));
    uint64_t start = br_clock_ns();
    if (is_batch) must(br_oltp_exec(oltp, "BEGIN", &err));
    run_rows(statement, first, count);
    if (is_batch) must(br_oltp_exec(oltp, "COMMIT", &err));
    double seconds = seconds_since(start);
    br_oltp_finalize(statement);
    return (double)count / seconds;
}

static void keep_best(double *best, double rate)
{
    if (rate > *best) *best = rate;
}

typedef enum write_mode { PLAIN, CAPTURED, TEMPORAL } write_mode;

static void capture(const char *path, br_task_pool *pool, br_quota *quota, write_mode mode)
{
    br_history_options options = {0};
    if (mode == PLAIN) return;
    br_cdc *cdc = open_copy(path, pool, quota);
    if (mode == TEMPORAL) must(br_cdc_begin_history(cdc, "t", &options, &err));
    br_cdc_close(cdc);
}

static rates measure_writes(const char *path, br_task_pool *pool, br_quota *quota, write_mode mode)
{
    rates best = {0};
    for (int round = 0; round < ROUNDS; round++) {
        br_oltp *oltp = make_file(path);
        capture(path, pool, quota, mode);
        static const char insert[] = "INSERT INTO t VALUES(?1, ?2, ?3, ?4, ?5)";
        keep_best(&best.batch_insert, rate_of(oltp, insert, 1, BATCH_ROWS, true));
        keep_best(&best.single_insert, rate_of(oltp, insert, BATCH_ROWS + 1, SINGLE_ROWS, false));
        capture(path, pool, quota, mode);
        static const char update[] = "UPDATE t SET number = ?2 WHERE id = ?1";
        keep_best(&best.batch_update, rate_of(oltp, update, 1, BATCH_ROWS, true));
        keep_best(&best.single_update, rate_of(oltp, update, 1, SINGLE_ROWS, false));
        br_oltp_close(oltp);
    }
    return best;
}

static void compare(const char *what, double plain, double captured, double temporal)
{
    printf("%-14s %9.0f rows/s plain, %9.0f captured: %.2f, %9.0f temporal: %.2f\n", what, plain,
           captured, captured / plain, temporal, temporal / plain);
}

// ---- syncs
// -----------------------------------------------------------------------------------------

static int compare_doubles(const void *left, const void *right)
{
    double l = *(const double *)left, r = *(const double *)right;
    return (l > r) - (l < r);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static void measure_syncs(br_oltp *oltp, br_cdc *cdc, const char *what, const char *sql)
{
    static double times[SYNC_ROUNDS];
    for (int i = 0; i < SYNC_ROUNDS; i++) {
        must(br_oltp_exec(oltp, sql, &err));
        uint64_t start = br_clock_ns();
        must(br_cdc_sync(cdc, &err));
        times[i] = (double)(br_clock_ns() - start) / 1e3;
    }
    printf("sync, %-22s median %.1f us, p99 %.1f us\n", what, median(times, SYNC_ROUNDS),
           times[SYNC_ROUNDS * 99 / 100]);
}

static void measure_idle(br_cdc *cdc)
{
    enum { CALLS = 100000 };
    uint64_t start = br_clock_ns();
    for (int i = 0; i < CALLS; i++) must(br_cdc_sync(cdc, &err));
    printf("sync, %-22s %.2f us\n", "nothing new", seconds_since(start) / CALLS * 1e6);
}

int main(int argument_count, char **arguments)
{
    uint64_t rows = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 5000000;
    const char *folder = argument_count > 2 ? arguments[2] : "/tmp";
    uint32_t threads = argument_count > 3 ? (uint32_t)strtoul(arguments[3], NULL, 10) : 0;
    char path[500];
    snprintf(path, sizeof path, "%s/micro_capture.db", folder);
    br_task_pool *pool = NULL;
    br_quota quota;
    br_quota_init(&quota, SIZE_MAX, NULL);
    must(br_task_pool_new(threads, &pool, &err));

    rates plain = measure_writes(path, pool, &quota, PLAIN);
    rates captured = measure_writes(path, pool, &quota, CAPTURED);
    rates temporal = measure_writes(path, pool, &quota, TEMPORAL);
    compare("batch insert", plain.batch_insert, captured.batch_insert, temporal.batch_insert);
    compare("single insert", plain.single_insert, captured.single_insert, temporal.single_insert);
    compare("batch update", plain.batch_update, captured.batch_update, temporal.batch_update);
    compare("single update", plain.single_update, captured.single_update, temporal.single_update);

    br_oltp *oltp = make_file(path);
    fill(oltp, rows);
    must(br_oltp_exec(oltp, "PRAGMA wal_checkpoint(TRUNCATE)", &err));
    uint64_t start = br_clock_ns();
    br_cdc *cdc = open_copy(path, pool, &quota);
    double seconds = seconds_since(start);
    printf("first mirroring: %" PRIu64 " rows in %.2f s, %.2f M rows/s on %u threads\n", rows,
           seconds, (double)rows / seconds / 1e6, br_task_pool_threads(pool));
    measure_idle(cdc);
    measure_syncs(oltp, cdc, "1 row inserted", "INSERT INTO t(number) VALUES(1)");
    measure_syncs(oltp, cdc, "10 rows inserted",
                  "INSERT INTO t(number) VALUES(1),(2),(3),(4),(5),(6),(7),(8),(9),(10)");
    measure_syncs(oltp, cdc, "10 rows updated",
                  "UPDATE t SET price = price + 1 WHERE id IN (10, 20000, 40000, 60000, 80000,"
                  " 100000, 120000, 140000, 160000, 180000)");
    br_cdc_close(cdc);
    br_oltp_close(oltp);
    br_task_pool_free(pool);
    return 0;
}
