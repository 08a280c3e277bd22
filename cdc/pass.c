// pass.c - one synchronisation: read at one commit point, apply, publish.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "cdc/state.h"

enum {
    // How often a pass begins anew because the schema changed, or because it found that it needs
    // more readers; each cause ends after one round unless somebody changes the schema meanwhile.
    ROUNDS_MAX = 12,
    // Tries to begin several read transactions with no commit in between.
    COMMIT_POINT_TRIES = 100,
};

static const uint64_t LOCK_RETRY_NS = 200000000;  // how often a follower asks for the lock

// ---- read transactions ----------------------------------------------------------------------

static br_status run(br_oltp_statement *statement, br_error *err)
{
    bool has_row;
    BR_TRY(br_oltp_step(statement, &has_row, err));
    br_oltp_reset(statement);
    return BR_OK;
}

static br_status begin_main(br_cdc *cdc, br_error *err)
{
    if (cdc->begin == NULL) BR_TRY(br_oltp_prepare(cdc->reader, "BEGIN", NULL, &cdc->begin, err));
    if (cdc->rollback == NULL)
        BR_TRY(br_oltp_prepare(cdc->reader, "ROLLBACK", NULL, &cdc->rollback, err));
    if (cdc->cookie_of == NULL)
        BR_TRY(
            br_oltp_prepare(cdc->reader, "PRAGMA main.schema_version", NULL, &cdc->cookie_of, err));
    return run(cdc->begin, err);
}

// The first read of a transaction is what fixes its commit point.
static br_status read_identity(br_pass *pass, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    bool has_row = false;
    BR_TRY(br_oltp_data_version(cdc->reader, &pass->data_version, err));
    BR_TRY(br_oltp_step(cdc->cookie_of, &has_row, err));
    pass->cookie = has_row ? br_oltp_column(cdc->cookie_of, 0).i64 : 0;
    br_oltp_reset(cdc->cookie_of);
    return BR_OK;
}

static br_status begin_other(br_oltp *reader, br_error *err)
{
    int64_t cookie;
    BR_TRY(br_oltp_exec(reader, "BEGIN", err));
    return br_oltp_query_int(reader, "PRAGMA main.schema_version", 0, &cookie, err);
}

static br_status end_other(br_oltp *reader)
{
    return br_oltp_in_transaction(reader) ? br_oltp_exec(reader, "ROLLBACK", NULL) : BR_OK;
}

// Begins all read transactions; they see the same commit point when `probe`, which has none open,
// sees no commit from before the first to after the last.
static br_status begin_all(br_pass *pass, br_oltp *probe, bool *is_same_out, br_error *err)
{
    int64_t before, after;
    BR_TRY(br_oltp_data_version(probe, &before, err));
    BR_TRY(begin_main(pass->cdc, err));
    BR_TRY(read_identity(pass, err));
    for (uint32_t i = 1; i < pass->reader_count; i++) BR_TRY(begin_other(pass->readers[i], err));
    BR_TRY(br_oltp_data_version(probe, &after, err));
    *is_same_out = before == after;
    return BR_OK;
}

static br_status end_all(br_pass *pass)
{
    br_cdc *cdc = pass->cdc;
    br_status status = BR_OK;
    if (br_oltp_in_transaction(cdc->reader)) status = run(cdc->rollback, NULL);
    for (uint32_t i = 1; i < pass->reader_count; i++) {
        br_status ended = end_other(pass->readers[i]);
        if (status == BR_OK) status = ended;
    }
    return status;
}

static br_status begin_together(br_pass *pass, br_error *err)
{
    br_oltp *probe = NULL;
    bool is_same = false;
    BR_TRY(br_oltp_pool_take(pass->cdc->readers, &probe, err));
    br_status status = begin_all(pass, probe, &is_same, err);
    for (int i = 1; status == BR_OK && !is_same && i < COMMIT_POINT_TRIES; i++) {
        status = end_all(pass);
        if (status == BR_OK) status = begin_all(pass, probe, &is_same, err);
    }
    br_oltp_pool_give(pass->cdc->readers, probe);
    if (status != BR_OK || is_same) return status;
    // Commits come too thick: the main reader does without the others.
    while (pass->reader_count > 1) {
        br_oltp *reader = pass->readers[--pass->reader_count];
        (void)end_other(reader);
        br_oltp_pool_give(pass->cdc->readers, reader);
    }
    return BR_OK;
}

static br_status take_readers(br_pass *pass, uint32_t count, br_error *err)
{
    pass->readers = br_heap_array(count, sizeof *pass->readers);
    if (pass->readers == NULL) return br_fail(err, BR_NOMEM, "no memory for %u readers", count);
    pass->readers[0] = pass->cdc->reader;
    pass->reader_count = 1;
    while (pass->reader_count < count) {
        BR_TRY(br_oltp_pool_take(pass->cdc->readers, &pass->readers[pass->reader_count], err));
        pass->reader_count++;
    }
    return BR_OK;
}

br_status br_pass_begin(br_pass *pass, uint32_t count, br_error *err)
{
    br_assert(pass->reader_count == 0);
    br_status status = take_readers(pass, count, err);
    if (status == BR_OK && count > 1) status = begin_together(pass, err);
    if (status == BR_OK && count == 1) {
        status = begin_main(pass->cdc, err);
        if (status == BR_OK) status = read_identity(pass, err);
    }
    if (status != BR_OK) br_pass_end(pass);
    return status;
}

void br_pass_end(br_pass *pass)
{
    if (pass->readers == NULL) return;
    (void)end_all(pass);  // a read transaction has nothing to lose
    for (uint32_t i = 1; i < pass->reader_count; i++)
        br_oltp_pool_give(pass->cdc->readers, pass->readers[i]);
    br_heap_free(pass->readers);
    pass->readers = NULL;
    pass->reader_count = 0;
}

// ---- what is to be done ---------------------------------------------------------------------

static uint32_t count_blind(const br_cdc *cdc)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < cdc->set.count; i++)
        count += cdc->set.items[i].mode == BR_MIRROR_BLIND;
    return count;
}

// Somebody held the write lock, or changed the schema meanwhile: look again with the next sync.
static bool must_install_again(const br_pass *pass)
{
    const br_cdc *cdc = pass->cdc;
    if (!br_cdc_is_maintainer(cdc)) return false;
    if (cdc->installed_cookie != pass->cookie) return true;
    for (uint32_t i = 0; i < cdc->set.count; i++) {
        if (cdc->set.items[i].mode == BR_MIRROR_BLIND || cdc->set.items[i].is_loose) return true;
    }
    return false;
}

// The copy in the store cannot be brought up to date. A follower finds a newer one in the folder,
// as a rule; otherwise all tables are read again.
static br_status start_over(br_pass *pass, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    cdc->is_set_valid = false;
    if (!br_cdc_is_maintainer(cdc) && !pass->has_reopened) {
        pass->has_reopened = true;
        return br_cdc_open_store(cdc, err);
    }
    cdc->must_reload_all = true;
    return BR_OK;
}

// Makes the set that of the pass's schema. *again_out: the transaction has to begin anew.
static br_status refresh_set(br_pass *pass, bool wait, bool *again_out, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    bool is_done;
    *again_out = false;
    if (cdc->is_set_valid && pass->cookie == cdc->cookie) return BR_OK;
    if (br_cdc_is_maintainer(cdc) && !pass->has_installed) {
        pass->has_installed = *again_out = true;
        br_pass_end(pass);  // what is installed must be in the transaction
        return br_cdc_install(cdc, wait, &is_done, err);
    }
    bool was_reloading = cdc->must_reload_all;
    BR_TRY(br_mirror_set_build(pass, err));
    bool is_hopeless = !cdc->is_installed || br_cdc_is_maintainer(cdc) || pass->has_reopened;
    if (!cdc->must_reload_all || was_reloading || is_hopeless) return BR_OK;
    *again_out = true;
    br_pass_end(pass);
    return start_over(pass, err);
}

static bool wants_readers(const br_pass *pass)
{
    const br_cdc *cdc = pass->cdc;
    if (!br_cdc_is_maintainer(cdc) || br_task_pool_threads(cdc->config.store.pool) < 2)
        return false;
    for (uint32_t i = 0; i < cdc->set.count; i++) {
        if (br_mirror_is_big(&cdc->set.items[i])) return true;
    }
    return false;
}

// Does the pass have to begin anew, after raising hi or with more readers? Ends the transaction
// then.
static bool wants_other_round(br_pass *pass, uint32_t *reader_count)
{
    br_cdc *cdc = pass->cdc;
    if (!pass->has_raised && br_cdc_wants_raise(cdc)) {
        pass->has_raised = true;
        br_pass_end(pass);  // what is raised must be in the transaction
        br_cdc_raise(cdc);
        return true;
    }
    if (*reader_count > 1 || !wants_readers(pass)) return false;
    br_pass_end(pass);
    *reader_count = br_task_pool_threads(cdc->config.store.pool);
    return true;
}

// Opens the pass: a read transaction, the set of its schema, and what has changed.
static br_status open_pass(br_pass *pass, bool wait, br_error *err)
{
    uint32_t reader_count = 1;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool is_again = false, is_usable = true;
        pass->began_ns = br_clock_ns();
        BR_TRY(br_pass_begin(pass, reader_count, err));
        BR_TRY(refresh_set(pass, wait, &is_again, err));
        if (is_again) continue;
        BR_TRY(br_pass_read_changes(pass, &is_usable, err));
        if (!is_usable) {
            br_pass_end(pass);
            BR_TRY(start_over(pass, err));
        } else if (!wants_other_round(pass, &reader_count)) {
            return BR_OK;
        }
    }
    return br_fail(err, BR_BUSY, "'%s': its schema keeps changing", pass->cdc->path);
}

// ---- applying and publishing ----------------------------------------------------------------

static br_status drop_tables(br_pass *pass, br_error *err)
{
    br_store *store = pass->cdc->next_store;
    for (uint32_t i = br_store_table_count(store); i-- > 0;) {
        uint32_t table_id = br_table_get_spec(br_store_table_at(store, i))->table_id;
        if (br_mirror_find(&pass->cdc->set, table_id) != NULL) continue;
        BR_TRY(br_apply_drop_table(pass->apply, table_id, err));
        pass->has_changes = true;
    }
    return BR_OK;
}

static br_status apply_all(br_pass *pass, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    BR_TRY(br_apply_begin(cdc->next_store, &pass->apply, err));
    BR_TRY(drop_tables(pass, err));
    br_cdc_work_begin(cdc, "mirroring", br_pass_expected_rows(pass));
    br_status status = BR_OK;
    for (uint32_t i = 0; i < cdc->set.count && status == BR_OK; i++)
        status = br_pass_apply_mirror(pass, &cdc->set.items[i], err);
    br_cdc_work_end(cdc);
    return status;
}

static void note_published(br_pass *pass)
{
    br_cdc *cdc = pass->cdc;
    for (uint32_t i = 0; i < cdc->set.count; i++) {
        br_mirror *mirror = &cdc->set.items[i];
        mirror->is_known = true;
        mirror->is_altered = false;
        mirror->unproven_column = -1;
        mirror->must_count = mirror->is_loose;
        mirror->max_key = mirror->max_key_now;
        if (mirror->mode != BR_MIRROR_KEYS) continue;
        mirror->hi = mirror->hi_now;
        mirror->has_tail = mirror->has_rows && mirror->max_key_now > mirror->hi;
    }
    if (cdc->must_reload_all) memset(cdc->checkpoint_id, 0, sizeof cdc->checkpoint_id);
    cdc->must_reload_all = false;
    cdc->own_moves = 0;
    cdc->has_remade = false;
    if (must_install_again(pass)) cdc->is_set_valid = false;
}

// Swaps what readers get: versions, schema and, after a change of roles, the store.
static br_status publish(br_pass *pass, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    static const uint8_t none[16] = {0};
    br_watermark watermark = {.seq = pass->seq, .schema_cookie = pass->cookie};
    memcpy(watermark.lineage, cdc->lineage, 16);
    memcpy(watermark.checkpoint_id, cdc->must_reload_all ? none : cdc->checkpoint_id, 16);
    br_apply *apply = pass->apply;
    pass->apply = NULL;
    br_lock_take(&cdc->publish_lock);
    br_status status = br_apply_publish(apply, &watermark, err);
    if (status != BR_OK) {
        br_lock_give(&cdc->publish_lock);
        return status;
    }
    br_store *store_before = cdc->store == cdc->next_store ? NULL : cdc->store;
    br_schema_ref *schema_before = cdc->schema;
    cdc->store = cdc->next_store;
    cdc->schema = cdc->set.schema;
    br_schema_ref_share(cdc->schema);
    cdc->status.seq = pass->seq;
    br_lock_give(&cdc->publish_lock);
    br_cdc_schema_drop(schema_before);
    if (store_before != NULL) br_cdc_retire(cdc, store_before);
    return BR_OK;
}

static bool is_as_published(const br_pass *pass)
{
    const br_cdc *cdc = pass->cdc;
    br_watermark watermark = br_store_watermark(cdc->next_store);
    return !pass->has_changes && cdc->store == cdc->next_store && !cdc->must_reload_all &&
           watermark.seq == pass->seq && watermark.schema_cookie == pass->cookie &&
           cdc->schema == cdc->set.schema;
}

static br_status finish_pass(br_pass *pass, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    if (is_as_published(pass)) {
        br_apply_abandon(pass->apply);
        pass->apply = NULL;
    } else {
        BR_TRY(publish(pass, err));
    }
    note_published(pass);
    cdc->data_version = pass->data_version;
    cdc->is_fresh = true;
    br_lock_take(&cdc->publish_lock);
    cdc->status.sync_count++;
    cdc->status.rows_read += pass->rows_read;
    cdc->status.synced_at_ns = pass->began_ns;
    cdc->status.is_maintainer = br_cdc_is_maintainer(cdc);
    cdc->status.table_count = cdc->set.count;
    cdc->status.blind_count = count_blind(cdc);
    br_lock_give(&cdc->publish_lock);
    return BR_OK;
}

br_status br_pass_run(br_pass *pass, bool wait, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    cdc->is_fresh = false;
    br_status status = open_pass(pass, wait, err);
    if (status == BR_OK) status = apply_all(pass, err);
    if (status == BR_OK) status = finish_pass(pass, err);
    if (status == BR_OK) return BR_OK;
    br_apply_abandon(pass->apply);
    pass->apply = NULL;
    br_pass_end(pass);
    // What the mirrors say may be half of this pass and half of the last: look again.
    cdc->is_set_valid = false;
    return status;
}

static br_status run_and_end(br_cdc *cdc, bool wait, br_error *err)
{
    br_pass pass = {.cdc = cdc};
    BR_TRY(br_pass_run(&pass, wait, err));
    br_pass_end(&pass);
    cdc->has_loaded = cdc->has_loaded || pass.chunks_loaded > 0;
    cdc->is_due = cdc->has_loaded || br_cdc_wants_checkpoint(cdc) || br_cdc_wants_reopening(cdc);
    return BR_OK;
}

// A follower becomes the maintainer when there is none any more.
static br_status take_over(br_cdc *cdc, br_error *err)
{
    if (br_cdc_is_maintainer(cdc) || cdc->writer == NULL || cdc->next_store == NULL) return BR_OK;
    uint64_t now = br_clock_ns();
    if (now - cdc->lock_tried_ns < LOCK_RETRY_NS) return BR_OK;
    cdc->lock_tried_ns = now;
    if (br_cdc_try_lock(cdc, NULL) != BR_OK || !br_cdc_is_maintainer(cdc)) return BR_OK;
    cdc->is_fresh = false;
    return br_cdc_open_store(cdc, err);
}

br_status br_cdc_sync_locked(br_cdc *cdc, bool force, br_error *err)
{
    BR_TRY(take_over(cdc, err));
    if (cdc->is_fresh && !force) {
        int64_t version;
        uint64_t now = br_clock_ns();
        BR_TRY(br_oltp_data_version(cdc->reader, &version, err));
        if (version == cdc->data_version) {
            br_lock_take(&cdc->publish_lock);
            cdc->status.synced_at_ns = now;
            br_lock_give(&cdc->publish_lock);
            return BR_OK;
        }
    }
    BR_TRY(br_oltp_refresh(cdc->reader, err));
    if (cdc->writer != NULL) BR_TRY(br_oltp_refresh(cdc->writer, err));
    br_status status = run_and_end(cdc, force, err);
    if (status != BR_CORRUPT || cdc->must_reload_all) return status;
    // A damaged segment: its rows are all in SQLite. Damage there shows again, and is reported.
    cdc->must_reload_all = true;
    return run_and_end(cdc, force, err);
}
