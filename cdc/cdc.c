// cdc.c - opening and closing a capture, and what readers take from it.
// SPDX-License-Identifier: Apache-2.0
#include "cdc/cdc.h"

#include <string.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "cdc/state.h"

// ---- schema references ----------------------------------------------------------------------

br_status br_schema_ref_new(br_schema_ref **ref_out, br_error *err)
{
    br_schema_ref *ref = br_heap_zalloc(sizeof *ref);
    if (ref != NULL) ref->arena = br_arena_new(NULL);
    if (ref == NULL || ref->arena == NULL) {
        br_heap_free(ref);
        return br_fail(err, BR_NOMEM, "no memory for a schema");
    }
    atomic_init(&ref->refs, 1);
    *ref_out = ref;
    return BR_OK;
}

void br_schema_ref_share(br_schema_ref *ref)
{
    // Relaxed: whoever shares already holds a reference.
    atomic_fetch_add_explicit(&ref->refs, 1, memory_order_relaxed);
}

void br_cdc_schema_retain(const br_schema_ref *ref)
{
    br_schema_ref_share((br_schema_ref *)ref);
}

void br_cdc_schema_drop(const br_schema_ref *shared)
{
    br_schema_ref *ref = (br_schema_ref *)shared;  // only the count is not const
    // Release pairs with acquire of the last dropper: all uses happen before the free.
    if (ref == NULL || atomic_fetch_sub_explicit(&ref->refs, 1, memory_order_acq_rel) != 1) return;
    br_arena_free(ref->arena);
    br_heap_free(ref);
}

const br_schema *br_schema_ref_get(const br_schema_ref *ref)
{
    return &ref->schema;
}

const br_schema_ref *br_cdc_schema_acquire(br_cdc *cdc)
{
    br_lock_take(&cdc->publish_lock);
    br_schema_ref *ref = cdc->schema;
    br_schema_ref_share(ref);
    br_lock_give(&cdc->publish_lock);
    return ref;
}

void br_cdc_snapshot(br_cdc *cdc, br_snapshot **snapshot_out, const br_schema_ref **schema_out)
{
    br_lock_take(&cdc->publish_lock);
    *snapshot_out = br_snapshot_acquire(cdc->store);
    br_schema_ref_share(cdc->schema);
    *schema_out = cdc->schema;
    br_lock_give(&cdc->publish_lock);
}

br_cdc_status br_cdc_get_status(br_cdc *cdc)
{
    br_lock_take(&cdc->publish_lock);
    br_cdc_status status = cdc->status;
    br_lock_give(&cdc->publish_lock);
    return status;
}

// ---- opening --------------------------------------------------------------------------------

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_same_name(const char *left, const char *right)
{
    while (*left != 0 && fold(*left) == fold(*right)) {
        left++;
        right++;
    }
    return fold(*left) == fold(*right);
}

bool br_cdc_is_excluded(const br_cdc *cdc, const br_schema_table *table)
{
    for (char **name = cdc->exclude; name != NULL && *name != NULL; name++) {
        if (is_same_name(*name, table->name)) return true;
    }
    return false;
}

static char *join(const char *left, const char *right)
{
    size_t left_bytes = strlen(left), right_bytes = strlen(right);
    char *text = br_heap_alloc(left_bytes + right_bytes + 1);
    if (text == NULL) return NULL;
    memcpy(text, left, left_bytes);
    memcpy(text + left_bytes, right, right_bytes + 1);
    return text;
}

static bool copy_exclude(br_cdc *cdc, const char *const *exclude)
{
    size_t count = 0;
    while (exclude != NULL && exclude[count] != NULL) count++;
    cdc->exclude = br_heap_array(count + 1, sizeof *cdc->exclude);
    for (size_t i = 0; cdc->exclude != NULL && i < count; i++) {
        cdc->exclude[i] = br_heap_copy_text(exclude[i]);
        if (cdc->exclude[i] == NULL) return false;
    }
    return cdc->exclude != NULL;
}

static br_status copy_config(br_cdc *cdc, const br_cdc_config *config, br_error *err)
{
    uint8_t bytes[4];
    br_random_bytes(bytes, sizeof bytes);
    // Blind tables of another process, or of an earlier one, hardly have the same ids.
    cdc->next_blind_id = br_load_u32(bytes) | 1u << 31;
    cdc->config = *config;
    cdc->path = br_heap_copy_text(config->path);
    cdc->folder = br_heap_copy_text(config->store.folder);
    cdc->wal_path = join(config->path, "-wal");
    cdc->lock_path = join(config->store.folder, "/lock");
    cdc->no_folder = join(config->store.folder, "/none");
    if (cdc->path == NULL || cdc->folder == NULL || cdc->wal_path == NULL ||
        cdc->lock_path == NULL || cdc->no_folder == NULL || !copy_exclude(cdc, config->exclude))
        return br_fail(err, BR_NOMEM, "no memory to open '%s'", config->path);
    cdc->config.path = cdc->path;
    cdc->config.store.folder = cdc->folder;
    return BR_OK;
}

// A file that may not be written is followed, not maintained.
static br_status open_writer(br_cdc *cdc, br_error *err)
{
    br_oltp_config config = {.path = cdc->path,
                             .functions = cdc->config.functions,
                             .busy_timeout_ms = cdc->config.busy_timeout_ms};
    if (cdc->config.read_only) return BR_OK;
    br_status status = br_oltp_open(&config, &cdc->writer, err);
    if (status == BR_READONLY) return BR_OK;
    if (status != BR_OK) return status;
    if (!br_oltp_can_write(cdc->writer)) {
        br_oltp_close(cdc->writer);
        cdc->writer = NULL;
        return BR_OK;
    }
    // A pass must not pay for SQLite's own checkpoints: the application's commits do those.
    return br_oltp_exec(cdc->writer, "PRAGMA wal_autocheckpoint = 0", err);
}

static br_status open_connections(br_cdc *cdc, br_error *err)
{
    BR_TRY(open_writer(cdc, err));
    br_oltp_config config = {.path = cdc->path,
                             .functions = cdc->config.functions,
                             .busy_timeout_ms = cdc->config.busy_timeout_ms,
                             .read_only = true,
                             .journal_as_is = true};
    BR_TRY(br_oltp_open(&config, &cdc->reader, err));
    return br_oltp_pool_new(&config, &cdc->readers, err);
}

static br_status sync_once(br_cdc *cdc, bool force, bool *is_due_out, br_error *err)
{
    br_lock_take(&cdc->sync_lock);
    br_status status = br_cdc_sync_locked(cdc, force, err);
    *is_due_out = cdc->is_due && !cdc->has_background;
    br_lock_give(&cdc->sync_lock);
    return status;
}

// Deltas that leave no memory for a pass go to disk, or a follower begins with those of the folder.
static bool make_room(br_cdc *cdc)
{
    br_lock_take(&cdc->sync_lock);
    bool has_deltas = cdc->store != NULL && br_store_delta_bytes(cdc->store) > 0;
    bool is_follower = !br_cdc_is_maintainer(cdc);
    br_status status = has_deltas && is_follower ? br_cdc_open_store(cdc, NULL) : BR_OK;
    br_lock_give(&cdc->sync_lock);
    if (has_deltas && !is_follower) status = br_cdc_checkpoint(cdc, NULL);
    return has_deltas && status == BR_OK;
}

static br_status sync(br_cdc *cdc, bool force, br_error *err)
{
    bool is_due;
    br_status status = sync_once(cdc, force, &is_due, err);
    if (status == BR_NOMEM && make_room(cdc)) status = sync_once(cdc, force, &is_due, err);
    if (status != BR_OK || !is_due) return status;
    // What fails leaves the copy as it is, in memory; a later one may do better.
    br_status ignored = br_cdc_maintain(cdc, NULL);
    (void)ignored;
    return BR_OK;
}

static br_status open_all(br_cdc *cdc, const br_cdc_config *config, br_error *err)
{
    BR_TRY(copy_config(cdc, config, err));
    BR_TRY(open_connections(cdc, err));
    // Without a folder to lock there is a copy in memory.
    br_status status = br_cdc_try_lock(cdc, err);
    if (status == BR_NOMEM) return status;
    cdc->lock_tried_ns = br_clock_ns();
    BR_TRY(br_cdc_open_store(cdc, err));
    return sync(cdc, true, err);
}

static void close_statements(br_cdc *cdc)
{
    br_oltp_statement *all[] = {cdc->begin,      cdc->rollback, cdc->cookie_of, cdc->log_since,
                                cdc->table_rows, cdc->take,     cdc->commit,    cdc->undo,
                                cdc->raise,      cdc->lower,    cdc->log_dirty};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) br_oltp_finalize(all[i]);
}

static void close_stores(br_cdc *cdc)
{
    if (cdc->next_store != cdc->store) br_store_close(cdc->next_store);
    br_store_close(cdc->store);
    while (cdc->retired != NULL) {
        br_retired *retired = cdc->retired;
        cdc->retired = retired->next;
        br_store_close(retired->store);
        br_heap_free(retired);
    }
}

// Accepts a half-opened capture.
static void release(br_cdc *cdc)
{
    br_mirror_set_release(&cdc->set);
    br_cdc_schema_drop(cdc->schema);
    close_statements(cdc);
    close_stores(cdc);
    br_oltp_pool_free(cdc->readers);
    br_oltp_close(cdc->reader);
    br_oltp_close(cdc->writer);
    br_oltp_close(cdc->keeper);
    br_file_close(cdc->lock_file);
    for (char **name = cdc->exclude; name != NULL && *name != NULL; name++) br_heap_free(*name);
    br_heap_free(cdc->exclude);
    br_heap_free(cdc->path);
    br_heap_free(cdc->folder);
    br_heap_free(cdc->wal_path);
    br_heap_free(cdc->lock_path);
    br_heap_free(cdc->no_folder);
    br_background_release(&cdc->background);
    br_lock_release(&cdc->publish_lock);
    br_lock_release(&cdc->sync_lock);
    br_lock_release(&cdc->folder_lock);
    br_heap_free(cdc);
}

br_status br_cdc_open(const br_cdc_config *config, br_cdc **cdc_out, br_error *err)
{
    br_cdc *cdc = br_heap_zalloc(sizeof *cdc);
    if (cdc == NULL) return br_fail(err, BR_NOMEM, "no memory to open '%s'", config->path);
    br_lock_init(&cdc->folder_lock);
    br_lock_init(&cdc->sync_lock);
    br_lock_init(&cdc->publish_lock);
    br_background_init(&cdc->background);
    br_status status = open_all(cdc, config, err);
    if (status != BR_OK) {
        release(cdc);
        return status;
    }
    *cdc_out = cdc;
    return BR_OK;
}

void br_cdc_close(br_cdc *cdc)
{
    if (cdc == NULL) return;
    br_cdc_background_stop(cdc);
    br_status ignored = br_cdc_checkpoint(cdc, NULL);
    (void)ignored;  // what is not durable is read again at the next open
    release(cdc);
}

// ---- keeping fresh --------------------------------------------------------------------------

br_status br_cdc_sync(br_cdc *cdc, br_error *err)
{
    return sync(cdc, false, err);
}

br_status br_cdc_sync_within(br_cdc *cdc, uint64_t max_lag_ms, br_error *err)
{
    uint64_t synced_at_ns = br_cdc_get_status(cdc).synced_at_ns;
    if ((br_clock_ns() - synced_at_ns) / 1000000 < max_lag_ms) return BR_OK;
    return br_cdc_sync(cdc, err);
}

bool br_cdc_is_current(br_cdc *cdc, uint64_t snapshot_version)
{
    // A pass that holds the lock may be waiting for the caller's write transaction to end.
    if (!br_lock_try(&cdc->sync_lock)) return false;
    int64_t version;
    bool is_current = cdc->is_fresh &&
                      br_oltp_data_version(cdc->reader, &version, NULL) == BR_OK &&
                      version == cdc->data_version;
    if (is_current) {
        br_snapshot *snapshot;
        const br_schema_ref *schema;
        br_cdc_snapshot(cdc, &snapshot, &schema);
        is_current = br_snapshot_version(snapshot) == snapshot_version;
        br_snapshot_drop(snapshot);
        br_cdc_schema_drop(schema);
    }
    br_lock_give(&cdc->sync_lock);
    return is_current;
}

br_status br_cdc_rebuild(br_cdc *cdc, br_error *err)
{
    br_lock_take(&cdc->sync_lock);
    cdc->must_reload_all = true;
    cdc->is_set_valid = false;
    br_status status = br_cdc_sync_locked(cdc, true, err);
    br_lock_give(&cdc->sync_lock);
    return status == BR_OK ? br_cdc_checkpoint(cdc, err) : status;
}

// ---- detaching ------------------------------------------------------------------------------

static br_status lock_folder(const char *folder, br_file **lock_out, br_error *err)
{
    if (!br_file_exists(folder)) return BR_OK;
    char *path = join(folder, "/lock");
    if (path == NULL) return br_fail(err, BR_NOMEM, "no memory to detach '%s'", folder);
    bool is_locked = false;
    br_status status = br_file_open(path, BR_FILE_READ_WRITE, NULL, lock_out, err);
    if (status == BR_OK) status = br_file_try_lock(*lock_out, &is_locked, err);
    if (status == BR_OK && !is_locked)
        status = br_fail(err, BR_BUSY, "'%s' is in use by another process", folder);
    br_heap_free(path);
    return status;
}

static br_status remove_capture(const char *path, uint32_t busy_timeout_ms, br_error *err)
{
    br_oltp *oltp = NULL;
    br_oltp_config config = {
        .path = path, .busy_timeout_ms = busy_timeout_ms, .journal_as_is = true};
    BR_TRY(br_oltp_open(&config, &oltp, err));
    br_status status = br_oltp_exec(oltp, "BEGIN IMMEDIATE", err);
    if (status == BR_OK) status = br_history_remove_all(oltp, err);
    if (status == BR_OK) status = br_capture_remove_all(oltp, err);
    if (status == BR_OK) status = br_registration_remove_all(oltp, err);
    if (status == BR_OK) status = br_oltp_exec(oltp, "COMMIT", err);
    br_oltp_close(oltp);  // undoes what was not committed
    return status;
}

br_status br_cdc_detach(const char *path, uint32_t busy_timeout_ms, br_error *err)
{
    char *folder = join(path, "-braid");
    if (folder == NULL) return br_fail(err, BR_NOMEM, "no memory to detach '%s'", path);
    br_file *lock = NULL;
    br_status status = lock_folder(folder, &lock, err);
    if (status == BR_OK) status = remove_capture(path, busy_timeout_ms, err);
    if (status == BR_OK && br_file_exists(folder)) status = br_folder_remove(folder, err);
    br_file_close(lock);
    br_heap_free(folder);
    return status;
}
