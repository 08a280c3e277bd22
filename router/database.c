// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "router/database.h"

enum {
    BUSY_TIMEOUT_MS_DEFAULT = 5000,
    MEMORY_PERCENT_DEFAULT = 60,
    PAGE_CACHE_PERCENT = 50, // of the budget
    QUERY_PERCENT = 40,      // of the budget, for each query; the rest is for deltas
    CACHED_PART = 4,         // of the budget at most, for blocks that wait for the next query
};
static const size_t CACHED_BYTES_MAX = 512 << 20;

static br_io_mode io_mode_of(const char *name)
{
    if (name != NULL && strcmp(name, "uring") == 0) return BR_IO_URING;
    if (name != NULL && strcmp(name, "pread") == 0) return BR_IO_PREAD;
    return BR_IO_AUTO;
}

// May long work go on? An interrupt counts while something runs that it can be meant for.
static bool database_goes_on(void *context, const br_cdc_work *work)
{
    br_database *database = context;
    bool is_stopped = atomic_load_explicit(&database->running, memory_order_relaxed) > 0 &&
                      atomic_load_explicit(&database->cancelled, memory_order_relaxed);
    bool wants_more =
        database->go_on == NULL || database->go_on(database->go_on_context, work);
    return wants_more && !is_stopped;
}

// Opens the columnar side. Whatever keeps it from being there (a folder that cannot be made, a full
// disk) leaves a database that answers everything from SQLite and says why.
static br_status database_open_copy(br_database *database, const br_database_config *config,
                                    br_error *err)
{
    char folder[4096];
    int length = snprintf(folder, sizeof folder, "%s-braid", database->path);
    if (length < 0 || (size_t)length >= sizeof folder)
        return br_fail(err, BR_MISUSE, "'%s': path longer than %zu bytes", database->path,
                       sizeof folder);
    br_cdc_config cdc = {
        .path = database->path,
        .busy_timeout_ms = config->busy_timeout_ms,
        .read_only = config->read_only,
        .exclude = config->exclude,
        .functions = database->functions,
        .go_on = database_goes_on,
        .go_on_context = database,
        .store =
            {
                .folder = folder,
                .kernels = br_format_kernels_for(database->isa),
                .pool = database->pool,
                .quota = &database->quota,
                .page_cache_bytes = database->quota.limit_bytes / 100 * PAGE_CACHE_PERCENT,
                .io_mode = database->io_mode,
                .hook = config->hook,
            },
    };
    br_error problem;
    br_status status = br_cdc_open(&cdc, &database->cdc, &problem);
    if (status == BR_OK) return BR_OK;
    database->cdc = NULL;
    database->cdc_problem = br_heap_copy_text(problem.message);
    if (database->cdc_problem == NULL || status == BR_NOT_DATABASE || status == BR_BUSY ||
        status == BR_INTERRUPTED) {
        if (err != NULL) *err = problem;
        return status;
    }
    return BR_OK;
}

// Beside the copy, and else where SQLite would put temporary files.
static br_status set_spill_folders(br_database *database, br_error *err)
{
    char copy[4096];
    const char *folders[] = {copy, getenv("SQLITE_TMPDIR"), getenv("TMPDIR"), "/var/tmp", "/tmp"};
    static_assert(sizeof folders / sizeof *folders == BR_SPILL_FOLDERS_MAX, "one slot for each");
    int length = snprintf(copy, sizeof copy, "%s-braid", database->path);
    if (database->cdc == NULL || length < 0 || (size_t)length >= sizeof copy) folders[0] = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < BR_SPILL_FOLDERS_MAX; i++) {
        if (folders[i] == NULL) continue;
        database->spill_folders[count] = br_heap_copy_text(folders[i]);
        if (database->spill_folders[count++] == NULL)
            return br_fail(err, BR_NOMEM, "database '%s'", database->path);
    }
    return BR_OK;
}

static br_status database_open_parts(br_database *database, const br_database_config *config,
                                     br_error *err)
{
    database->path = br_heap_copy_text(config->path);
    if (database->path == NULL) return br_fail(err, BR_NOMEM, "database '%s'", config->path);
    BR_TRY(br_oltp_functions_new(&database->functions, err));
    br_oltp_config oltp = {
        .path = database->path,
        .functions = database->functions,
        .is_writer = true,
        .logs_own_changes = true,
        .busy_timeout_ms = config->busy_timeout_ms,
        .read_only = config->read_only,
        .create = config->create,
    };
    BR_TRY(br_oltp_open(&oltp, &database->writer, err));
    oltp.create = false;
    oltp.read_only = true;
    BR_TRY(br_oltp_pool_new(&oltp, &database->readers, err));
    BR_TRY(br_task_pool_new(config->threads, &database->pool, err));
    BR_TRY(database_open_copy(database, config, err));
    if (config->sync_interval_ms > 0 && database->cdc != NULL)
        BR_TRY(br_cdc_background_start(database->cdc, config->sync_interval_ms, err));
    database->hook = config->hook;
    return set_spill_folders(database, err);
}

br_status br_database_open(const br_database_config *given, br_database **database_out,
                           br_error *err)
{
    br_database_config config = *given;
    if (config.busy_timeout_ms == 0) config.busy_timeout_ms = BUSY_TIMEOUT_MS_DEFAULT;
    if (config.memory_bytes == 0)
        config.memory_bytes = br_memory_available_bytes() / 100 * MEMORY_PERCENT_DEFAULT;
    if (config.isa == NULL) config.isa = getenv("BRAID_ISA");
    if (config.io == NULL) config.io = getenv("BRAID_IO");

    br_database *database = br_heap_zalloc(sizeof *database);
    if (database == NULL) return br_fail(err, BR_NOMEM, "database '%s'", config.path);
    br_lock_init(&database->writer_lock);
    br_lock_init(&database->cache_lock);
    br_quota_init(&database->quota, config.memory_bytes, NULL);
    size_t cached_bytes = database->quota.limit_bytes / CACHED_PART;
    database->quota.cache =
        br_block_cache_new(cached_bytes < CACHED_BYTES_MAX ? cached_bytes : CACHED_BYTES_MAX);
    database->query_bytes = database->quota.limit_bytes / 100 * QUERY_PERCENT;
    database->isa = br_isa_choose(config.isa);
    database->io_mode = io_mode_of(config.io);
    database->engine = config.engine;
    database->freshness = config.freshness;
    database->go_on = config.go_on;
    database->go_on_context = config.go_on_context;
    database->read_only = config.read_only;

    br_status status = database_open_parts(database, &config, err);
    if (status != BR_OK) {
        br_error ignored; // the first failure is the one to report
        (void)br_database_close(database, &ignored);
        return status;
    }
    *database_out = database;
    return BR_OK;
}

br_status br_database_close(br_database *database, br_error *err)
{
    if (database == NULL) return BR_OK;
    br_status status = BR_OK;
    for (uint32_t slot = 0; slot < BR_STATEMENT_CACHE_SLOTS; slot++)
        br_statement_free(database->cache[slot]);
    for (uint32_t i = 0; i < database->bridge_count; i++) br_oltp_bridge_free(database->bridges[i]);
    for (uint32_t i = 0; i < database->fallback_count; i++)
        br_heap_free(database->fallbacks[i].reason);
    if (database->cdc != NULL && !database->read_only)
        status = br_cdc_checkpoint(database->cdc, err);
    br_cdc_close(database->cdc);
    br_oltp_pool_free(database->readers);
    br_oltp_close(database->writer);
    br_oltp_functions_free(database->functions);
    br_task_pool_free(database->pool);
    br_block_cache_free(database->quota.cache);
    br_lock_release(&database->cache_lock);
    br_lock_release(&database->writer_lock);
    for (uint32_t i = 0; i < BR_SPILL_FOLDERS_MAX; i++) br_heap_free(database->spill_folders[i]);
    br_buffer_release(&database->temporary_names);
    br_heap_free(database->cdc_problem);
    br_heap_free(database->path);
    br_heap_free(database);
    return status;
}

// ---- functions ---------------------------------------------------------------------------------

br_status br_database_define(br_database *database, const br_oltp_definition *definition,
                             br_error *err)
{
    BR_TRY(br_oltp_functions_add(database->functions, definition, err));
    // The others look when they are next used.
    br_lock_take(&database->writer_lock);
    br_status status = br_oltp_refresh(database->writer, err);
    br_lock_give(&database->writer_lock);
    return status;
}

// ---- interrupts --------------------------------------------------------------------------------

// Only stores to atomics and sqlite3_interrupt: callable from a signal handler.
void br_database_plan_plainly(br_database *database)
{
    database->plans_plainly = true;
}

void br_database_interrupt(br_database *database)
{
    atomic_store_explicit(&database->cancelled, true, memory_order_relaxed);
    for (uint32_t slot = 0; slot < BR_RUNNING_MAX; slot++) {
        // Pairs with the release in br_running_begin: the connection is complete when seen here.
        br_oltp *oltp = atomic_load_explicit(&database->running_oltp[slot], memory_order_acquire);
        if (oltp != NULL) br_oltp_interrupt(oltp);
    }
}

uint32_t br_running_begin(br_database *database, br_oltp *oltp)
{
    // As SQLite does: an interrupt stays in force until nothing runs any more.
    if (atomic_fetch_add_explicit(&database->running, 1, memory_order_acq_rel) == 0)
        atomic_store_explicit(&database->cancelled, false, memory_order_relaxed);
    if (oltp == NULL) return BR_RUNNING_MAX;
    for (uint32_t slot = 0; slot < BR_RUNNING_MAX; slot++) {
        br_oltp *expected = NULL;
        // Pairs with the acquire in br_database_interrupt.
        if (atomic_compare_exchange_strong_explicit(&database->running_oltp[slot], &expected, oltp,
                                                    memory_order_release, memory_order_relaxed))
            return slot;
    }
    return BR_RUNNING_MAX; // more than interrupts can reach: it runs to its end
}

void br_running_end(br_database *database, uint32_t slot)
{
    if (slot < BR_RUNNING_MAX)
        atomic_store_explicit(&database->running_oltp[slot], NULL, memory_order_release);
    atomic_fetch_sub_explicit(&database->running, 1, memory_order_acq_rel);
}

// ---- writes ------------------------------------------------------------------------------------

void br_writer_note_transaction(br_database *database)
{
    atomic_store_explicit(&database->in_transaction, br_oltp_in_transaction(database->writer),
                          memory_order_relaxed);
    br_oltp_functions_note_writer(database->functions, database->writer);
}

br_status br_writer_exec(br_database *database, const char *sql, br_error *err)
{
    br_lock_take(&database->writer_lock);
    uint32_t slot = br_running_begin(database, database->writer);
    br_status status = br_oltp_exec(database->writer, sql, err);
    if (br_text_may_bind_session(sql)) br_writer_note_session(database, sql);
    br_writer_note_transaction(database);
    br_running_end(database, slot);
    br_lock_give(&database->writer_lock);
    return status;
}

br_status br_database_exec(br_database *database, const char *sql, br_error *err)
{
    if (!br_text_may_be_fed(sql)) return br_writer_exec(database, sql, err);
    br_statement *statement;
    BR_TRY(br_statement_new(database, sql, &statement, NULL, err));
    br_status status = br_statement_run(statement, NULL, err);
    br_statement_free(statement);
    return status;
}

int64_t br_database_changes(br_database *database)
{
    br_lock_take(&database->writer_lock);
    int64_t changes = br_oltp_changes(database->writer);
    br_lock_give(&database->writer_lock);
    return changes;
}

int64_t br_database_last_rowid(br_database *database)
{
    br_lock_take(&database->writer_lock);
    int64_t rowid = br_oltp_last_rowid(database->writer);
    br_lock_give(&database->writer_lock);
    return rowid;
}

// ---- the copy ----------------------------------------------------------------------------------

br_status br_copy_required(const br_database *database, br_error *err)
{
    if (database->cdc != NULL) return BR_OK;
    return br_fail(err, BR_UNSUPPORTED, "'%s' has no columnar copy: %s", database->path,
                   database->cdc_problem);
}

typedef br_status (*copy_work)(br_database *database, void *context, br_error *err);

// Does the work so that an interrupt can stop it.
static br_status copy_run(br_database *database, copy_work work, void *context, br_error *err)
{
    BR_TRY(br_copy_required(database, err));
    uint32_t slot = br_running_begin(database, NULL);
    br_status status = work(database, context, err);
    br_running_end(database, slot);
    return status;
}

static br_status copy_sync(br_database *database, void *context, br_error *err)
{
    (void)context;
    return br_cdc_sync(database->cdc, err);
}

br_status br_database_sync(br_database *database, br_error *err)
{
    return copy_run(database, copy_sync, NULL, err);
}

static br_status copy_checkpoint(br_database *database, void *context, br_error *err)
{
    BR_TRY(copy_sync(database, context, err));
    return br_cdc_checkpoint(database->cdc, err);
}

br_status br_database_checkpoint(br_database *database, br_error *err)
{
    return copy_run(database, copy_checkpoint, NULL, err);
}

static br_status copy_compact(br_database *database, void *context, br_error *err)
{
    BR_TRY(copy_checkpoint(database, context, err));
    br_cdc_work work = {.what = "compacting"};
    br_status status = BR_OK;
    for (bool did_work = true; did_work && status == BR_OK;) {
        if (!database_goes_on(database, &work))
            status = br_fail(err, BR_INTERRUPTED, "interrupted");
        if (status == BR_OK) status = br_cdc_compact(database->cdc, &did_work, err);
    }
    work.is_done = true;
    (void)database_goes_on(database, &work);
    return status;
}

br_status br_database_compact(br_database *database, br_error *err)
{
    return copy_run(database, copy_compact, NULL, err);
}

static br_status copy_check(br_database *database, void *rows_out, br_error *err)
{
    return br_cdc_check(database->cdc, rows_out, err);
}

br_status br_database_check(br_database *database, uint64_t *rows_out, br_error *err)
{
    return copy_run(database, copy_check, rows_out, err);
}

static br_status copy_rebuild(br_database *database, void *context, br_error *err)
{
    (void)context;
    return br_cdc_rebuild(database->cdc, err);
}

br_status br_database_rebuild(br_database *database, br_error *err)
{
    return copy_run(database, copy_rebuild, NULL, err);
}

// A history begins and ends in a transaction of its own, which an open one would keep waiting.
static br_status check_alone(br_database *database, br_error *err)
{
    BR_TRY(br_copy_required(database, err));
    if (!atomic_load_explicit(&database->in_transaction, memory_order_relaxed)) return BR_OK;
    return br_fail(err, BR_MISUSE, "a history cannot begin or end inside an open transaction");
}

br_status br_database_begin_history(br_database *database, const char *table,
                                    const br_history_options *options, br_error *err)
{
    BR_TRY(check_alone(database, err));
    return br_cdc_begin_history(database->cdc, table, options, err);
}

br_status br_database_end_history(br_database *database, const char *table, bool keeps_history,
                                  br_error *err)
{
    BR_TRY(check_alone(database, err));
    return br_cdc_end_history(database->cdc, table, keeps_history, err);
}

void br_database_note_fallback(br_database *database, const char *reason)
{
    br_lock_take(&database->cache_lock);
    uint32_t i = 0;
    while (i < database->fallback_count && strcmp(database->fallbacks[i].reason, reason) != 0) i++;
    if (i < database->fallback_count) {
        database->fallbacks[i].count++;
    } else if (i < BR_FALLBACK_REASONS_MAX) {
        char *copy = br_heap_copy_text(reason);
        if (copy != NULL) {
            database->fallbacks[i] = (br_fallback){.reason = copy, .count = 1};
            database->fallback_count++;
        }
    }
    br_lock_give(&database->cache_lock);
}
