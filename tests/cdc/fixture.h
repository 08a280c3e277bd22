// fixture.h - a SQLite file that an application writes, and the captures that mirror it.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_CDC_FIXTURE_H
#define BR_TESTS_CDC_FIXTURE_H

#include "base/file.h"
#include "base/heap.h"
#include "base/thread.h"
#include "cdc/cdc.h"
#include "tests/test.h"

typedef struct fixture {
    char folder[64];
    char path[80];
    char store[96];
    br_task_pool *pool;
    br_quota quota;
    br_oltp *app;  // the application's connection
    bool logs_own_changes;  // it does, instead of the triggers
    br_cdc *cdc;   // NULL: closed
    br_error err;
} fixture;

static inline br_oltp *fixture_connect(fixture *f)
{
    br_oltp_config config = {.path = f->path,
                             .busy_timeout_ms = 1000,
                             .create = true,
                             .logs_own_changes = f->logs_own_changes};
    br_oltp *oltp = NULL;
    MUST(br_oltp_open(&config, &oltp, &f->err), f->err);
    return oltp;
}

static inline br_cdc_config fixture_config(fixture *f)
{
    return (br_cdc_config){
        .path = f->path,
        .busy_timeout_ms = 1000,
        .store = {.folder = f->store,
                  .kernels = br_format_kernels_for(BR_ISA_SCALAR),
                  .pool = f->pool,
                  .quota = &f->quota,
                  .page_cache_bytes = 64 << 20,
                  .io_mode = BR_IO_PREAD},
    };
}

static inline br_cdc *fixture_open_cdc(fixture *f)
{
    br_cdc_config config = fixture_config(f);
    br_cdc *cdc = NULL;
    MUST(br_cdc_open(&config, &cdc, &f->err), f->err);
    return cdc;
}

static inline void fixture_init(fixture *f)
{
    *f = (fixture){.folder = "/tmp/braid-cdc-XXXXXX"};
    if (mkdtemp(f->folder) == NULL) exit(1);
    snprintf(f->path, sizeof f->path, "%s/app.db", f->folder);
    snprintf(f->store, sizeof f->store, "%s-braid", f->path);
    br_quota_init(&f->quota, SIZE_MAX, NULL);
    MUST(br_task_pool_new(2, &f->pool, &f->err), f->err);
    f->app = fixture_connect(f);
}

static inline void fixture_release(fixture *f)
{
    br_cdc_close(f->cdc);
    br_oltp_close(f->app);
    br_task_pool_free(f->pool);
    MUST(br_folder_remove(f->folder, &f->err), f->err);
}

static inline void fixture_reopen(fixture *f)
{
    br_cdc_close(f->cdc);
    f->cdc = fixture_open_cdc(f);
}

static inline void fixture_exec(fixture *f, const char *sql)
{
    if (br_oltp_exec(f->app, sql, &f->err) == BR_OK) return;
    fprintf(stderr, "%s: %s\n", sql, f->err.message);
    exit(1);
}

static inline int64_t fixture_int(fixture *f, const char *sql)
{
    int64_t value = 0;
    MUST(br_oltp_query_int(f->app, sql, -999, &value, &f->err), f->err);
    return value;
}

static inline bool is_same_copy(br_cdc *cdc)
{
    br_error err;
    uint64_t rows;
    if (br_cdc_check(cdc, &rows, &err) == BR_OK) return true;
    fprintf(stderr, "check: %s\n", err.message);
    return false;
}

// Rows of a table in the published versions; -1: there is no such table.
static inline int64_t copy_rows(br_cdc *cdc, const char *table)
{
    br_snapshot *snapshot;
    const br_schema_ref *schema;
    br_cdc_snapshot(cdc, &snapshot, &schema);
    const br_table_view *view = br_snapshot_find(snapshot, table);
    int64_t rows = view == NULL ? -1 : (int64_t)br_table_view_rows(view);
    br_snapshot_drop(snapshot);
    br_cdc_schema_drop(schema);
    return rows;
}

static inline uint64_t rows_read(br_cdc *cdc)
{
    return br_cdc_get_status(cdc).rows_read;
}

#endif
