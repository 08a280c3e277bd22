// read.c - what a pass reads of the side tables, and the rows that changed.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/key_ranges.h"
#include "cdc/state.h"

enum {
    // Keys this close together are read by one range scan: stepping over a row that did not change
    // costs about a tenth of looking a key up.
    KEY_GAP_MAX = 8,
    // More changed keys than this, and than half of the table: cheaper to read all of it again.
    RELOAD_KEYS_MIN = 65536,
    // More records of keys than this: the table is read again, whatever its size.
    KEYS_MAX = 1 << 24,
    // Tables with a wider range of keys are worth all threads.
    BIG_RANGE_MIN = 200000,
};

// ---- statements -----------------------------------------------------------------------------

static br_status prepare(br_oltp *oltp, const char *sql, br_oltp_statement **statement_out,
                         br_error *err)
{
    if (oltp == NULL || *statement_out != NULL) return BR_OK;
    return br_oltp_prepare(oltp, sql, NULL, statement_out, err);
}

br_status br_pass_prepare(br_cdc *cdc, br_error *err)
{
    BR_TRY(prepare(cdc->reader,
                   "SELECT seq, table_id, key FROM main._braid_log WHERE seq >= ?1 ORDER BY seq",
                   &cdc->log_since, err));
    BR_TRY(
        prepare(cdc->reader, "SELECT table_id, hi FROM main._braid_table", &cdc->table_rows, err));
    BR_TRY(prepare(cdc->writer, "BEGIN IMMEDIATE", &cdc->take, err));
    BR_TRY(prepare(cdc->writer, "COMMIT", &cdc->commit, err));
    BR_TRY(prepare(cdc->writer, "ROLLBACK", &cdc->undo, err));
    BR_TRY(prepare(cdc->writer,
                   "UPDATE main._braid_table SET hi = ?2 WHERE table_id = ?1 AND hi < ?2",
                   &cdc->raise, err));
    BR_TRY(prepare(cdc->writer, "UPDATE main._braid_table SET hi = 0 WHERE table_id = ?1",
                   &cdc->lower, err));
    return prepare(cdc->writer,
                   "INSERT INTO main._braid_log(table_id, key) SELECT table_id, NULL"
                   " FROM main._braid_table WHERE table_id = ?1 AND hi <> 0",
                   &cdc->log_dirty, err);
}

// ---- side tables ----------------------------------------------------------------------------

static br_status read_hi(br_cdc *cdc, bool *usable_out, br_error *err)
{
    bool has_row = true;
    br_status status = BR_OK;
    for (uint32_t i = 0; i < cdc->set.count; i++) cdc->set.items[i].must_reload = false;
    while (status == BR_OK && cdc->is_installed) {
        status = br_oltp_step(cdc->table_rows, &has_row, err);
        if (status != BR_OK || !has_row) break;
        br_mirror *mirror =
            br_mirror_find(&cdc->set, (uint32_t)br_oltp_column(cdc->table_rows, 0).i64);
        if (mirror == NULL || mirror->mode == BR_MIRROR_BLIND) continue;
        mirror->hi_now = br_oltp_column(cdc->table_rows, 1).i64;
        if (mirror->mode == BR_MIRROR_DIRTY) mirror->must_reload = mirror->hi_now != 0;
        // hi never falls: this is an older state of the file than we have read.
        else if (mirror->is_known && mirror->hi_now < mirror->hi)
            *usable_out = false;
    }
    if (cdc->is_installed) br_oltp_reset(cdc->table_rows);
    return status;
}

// Notes the keys first..last. Those above the published hi are read with the rows above it; so many
// that the table is read again need not be listed.
static br_status note_keys(br_mirror *mirror, int64_t first, int64_t last, br_error *err)
{
    if (last > mirror->hi) last = mirror->hi;
    if (first > last || mirror->must_reload) return BR_OK;
    uint64_t count = (uint64_t)last - (uint64_t)first + 1;
    mirror->must_reload = count > KEYS_MAX - mirror->key_count;
    for (uint64_t i = 0; !mirror->must_reload && i < count; i++)
        BR_TRY(br_mirror_add_key(mirror, first + (int64_t)i, err));
    return BR_OK;
}

static br_status note_ranges(br_mirror *mirror, br_text packed, br_error *err)
{
    br_key_range_reader reader = br_key_range_reader_make(packed);
    br_key_range range;
    while (br_key_range_next(&reader, &range))
        BR_TRY(note_keys(mirror, range.first, range.last, err));
    if (!reader.is_damaged) return BR_OK;
    return br_fail(err, BR_CORRUPT, "_braid_log: a record of table '%s' is no list of keys",
                   mirror->table->name);
}

static br_status note_record(br_cdc *cdc, uint32_t table_id, br_value key, br_error *err)
{
    br_mirror *mirror = br_mirror_find(&cdc->set, table_id);
    if (mirror == NULL || mirror->mode == BR_MIRROR_BLIND) return BR_OK;
    if (mirror->mode == BR_MIRROR_KEYS && key.class_ == BR_INT)
        return note_keys(mirror, key.i64, key.i64, err);
    if (mirror->mode == BR_MIRROR_KEYS && key.class_ == BR_BLOB)
        return note_ranges(mirror, key.text, err);
    mirror->must_reload = true;
    return BR_OK;
}

// What a record says, as a number, to be known again.
static int64_t mark_of(br_value key)
{
    if (key.class_ == BR_INT) return key.i64;
    return key.class_ == BR_BLOB ? (int64_t)br_hash_bytes(key.text.data, key.text.size) : 0;
}

// Is the record with the watermark's number still what it was? Another one means another history.
static bool is_last_record(const br_cdc *cdc, int64_t seq, uint32_t table_id, br_value key)
{
    if (cdc->last_seq != (uint64_t)seq || seq == 0) return true;
    return table_id == cdc->last_table_id && mark_of(key) == cdc->last_key;
}

// Reads the log from the watermark on. The record at the watermark is the newest one that pruning
// leaves, so either it or its successor comes first, or records are missing.
static br_status read_log(br_pass *pass, uint64_t watermark, bool *usable_out, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    br_value from = br_value_int((int64_t)watermark);
    BR_TRY(br_oltp_bind(cdc->log_since, 1, &from, err));
    uint64_t previous = watermark;
    bool has_row = true, is_first = true;
    br_status status = BR_OK;
    while (status == BR_OK) {
        status = br_oltp_step(cdc->log_since, &has_row, err);
        if (status != BR_OK || !has_row) break;
        int64_t seq = br_oltp_column(cdc->log_since, 0).i64;
        uint32_t table_id = (uint32_t)br_oltp_column(cdc->log_since, 1).i64;
        br_value key = br_oltp_column(cdc->log_since, 2);
        bool is_seen = (uint64_t)seq == watermark;
        if (is_seen && !is_last_record(cdc, seq, table_id, key)) *usable_out = false;
        if (!is_seen && (uint64_t)seq != previous + 1) *usable_out = false;
        if (!is_seen) status = note_record(cdc, table_id, key, err);
        previous = (uint64_t)seq;
        is_first = false;
        cdc->last_seq = previous;
        cdc->last_table_id = table_id;
        cdc->last_key = mark_of(key);
    }
    br_oltp_reset(cdc->log_since);
    if (is_first && watermark > 0) *usable_out = false;  // the log ends before the watermark
    pass->seq = previous;
    return status;
}

// A copy without anything in it begins at the end of the log.
static br_status skip_log(br_pass *pass, br_error *err)
{
    int64_t seq;
    BR_TRY(
        br_oltp_query_int(pass->cdc->reader, "SELECT max(seq) FROM main._braid_log", 0, &seq, err));
    pass->seq = (uint64_t)seq;
    pass->cdc->last_seq = 0;
    return BR_OK;
}

static uint64_t range_above(const br_mirror *mirror, int64_t key)
{
    if (!mirror->has_rows || mirror->max_key_now <= key) return 0;
    return (uint64_t)mirror->max_key_now - (uint64_t)key;
}

bool br_mirror_is_big(const br_mirror *mirror)
{
    // Rowids count from 1 in nearly all tables; if not, only the threads are wasted.
    int64_t first = mirror->max_key_now > 0 ? 0 : INT64_MIN;
    return mirror->must_reload && mirror->key != NULL &&
           range_above(mirror, first) >= BIG_RANGE_MIN;
}

uint64_t br_pass_expected_rows(const br_pass *pass)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < pass->cdc->set.count; i++) {
        const br_mirror *mirror = &pass->cdc->set.items[i];
        if (mirror->key == NULL) continue;
        if (!mirror->must_reload) rows += mirror->key_count + range_above(mirror, mirror->hi);
        else rows += range_above(mirror, mirror->max_key_now > 0 ? 0 : INT64_MIN);
    }
    return rows;
}

static int compare_keys(const void *left, const void *right)
{
    int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;
    return (l > r) - (l < r);
}

static void sort_keys(br_mirror *mirror)
{
    if (mirror->key_count == 0) return;
    qsort(mirror->keys, mirror->key_count, sizeof *mirror->keys, compare_keys);
    size_t kept = 1;
    for (size_t i = 1; i < mirror->key_count; i++) {
        if (mirror->keys[i] != mirror->keys[kept - 1]) mirror->keys[kept++] = mirror->keys[i];
    }
    mirror->key_count = kept;
}

// Are there `count` rows above hi? Keys may be far apart, so their range alone does not tell.
static br_status has_tail_of(const br_cdc *cdc, const br_mirror *mirror, uint64_t count,
                             bool *has_out, br_error *err)
{
    *has_out = count <= range_above(mirror, mirror->hi);
    if (!*has_out || count == 0) return BR_OK;
    br_oltp_statement *next = NULL;
    br_value first = br_value_int(mirror->hi + 1), skip = br_value_int((int64_t)count - 1);
    BR_TRY(br_oltp_prepare(cdc->reader, mirror->select_next, NULL, &next, err));
    br_status status = br_oltp_bind(next, 1, &first, err);
    if (status == BR_OK) status = br_oltp_bind(next, 2, &skip, err);
    if (status == BR_OK) status = br_oltp_step(next, has_out, err);
    br_oltp_finalize(next);
    return status;
}

// Reading a table again on all threads beats following its changes when most of it has changed.
static br_status decide_reload(const br_cdc *cdc, br_mirror *mirror, br_error *err)
{
    if (!mirror->is_known || mirror->mode == BR_MIRROR_BLIND) mirror->must_reload = true;
    if (mirror->must_reload || !br_cdc_is_maintainer(cdc)) return BR_OK;
    if (mirror->key_count + range_above(mirror, mirror->hi) < RELOAD_KEYS_MIN) return BR_OK;
    uint64_t many = br_table_rows(br_store_find(cdc->next_store, mirror->table_id)) / 2 + 1;
    if (many < RELOAD_KEYS_MIN) many = RELOAD_KEYS_MIN;
    uint64_t needed = mirror->key_count < many ? many - mirror->key_count : 0;
    return has_tail_of(cdc, mirror, needed, &mirror->must_reload, err);
}

br_status br_pass_read_changes(br_pass *pass, bool *usable_out, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    *usable_out = true;
    br_mirror_clear_keys(&cdc->set);
    if (cdc->is_installed) BR_TRY(br_pass_prepare(cdc, err));
    BR_TRY(read_hi(cdc, usable_out, err));
    pass->seq = 0;
    if (cdc->is_installed && cdc->must_reload_all)
        BR_TRY(skip_log(pass, err));
    else if (cdc->is_installed)
        BR_TRY(read_log(pass, br_store_watermark(cdc->next_store).seq, usable_out, err));
    BR_TRY(br_mirror_read_max_keys(&cdc->set, err));
    for (uint32_t i = 0; i < cdc->set.count; i++) {
        br_mirror *mirror = &cdc->set.items[i];
        sort_keys(mirror);
        BR_TRY(decide_reload(cdc, mirror, err));
        BR_TRY(br_alter_prove(cdc, mirror, err));
    }
    return BR_OK;
}

// ---- rows -----------------------------------------------------------------------------------

static br_status append_row(br_pass *pass, br_mirror *mirror, br_value *values, br_error *err)
{
    uint32_t column_count = mirror->table->column_count;
    for (uint32_t i = 0; i < column_count; i++) values[i] = br_oltp_column(mirror->range, i);
    int64_t key = mirror->key == NULL ? 0 : br_oltp_column(mirror->range, column_count).i64;
    pass->rows_read++;
    BR_TRY(br_cdc_work_advance(pass->cdc, mirror->table->name, 1, err));
    return br_apply_append(pass->apply, mirror->table_id, key, values, err);
}

// Appends the rows of the range whose keys are listed; all of them when `keys` is NULL.
static br_status append_range(br_pass *pass, br_mirror *mirror, int64_t first, int64_t last,
                              const int64_t *keys, br_error *err)
{
    uint32_t column_count = mirror->table->column_count;
    br_value low = br_value_int(first), high = br_value_int(last);
    BR_TRY(br_oltp_bind(mirror->range, 1, &low, err));
    BR_TRY(br_oltp_bind(mirror->range, 2, &high, err));
    br_value *values = br_heap_array(column_count, sizeof *values);
    if (values == NULL) return br_fail(err, BR_NOMEM, "no memory for a row");
    bool has_row = true;
    br_status status = BR_OK;
    while (status == BR_OK) {
        status = br_oltp_step(mirror->range, &has_row, err);
        if (status != BR_OK || !has_row) break;
        if (keys != NULL) {
            int64_t key = br_oltp_column(mirror->range, column_count).i64;
            while (*keys < key) keys++;  // the last key of the list is at or above every row
            if (*keys > key) continue;
        }
        status = append_row(pass, mirror, values, err);
    }
    br_oltp_reset(mirror->range);
    br_heap_free(values);
    return status;
}

static br_status apply_keys(br_pass *pass, br_mirror *mirror, br_error *err)
{
    const int64_t *keys = mirror->keys;
    size_t count = mirror->key_count;
    if (count == 0) return BR_OK;
    pass->has_changes = true;
    BR_TRY(br_apply_delete_keys(pass->apply, mirror->table_id, keys, count, err));
    for (size_t first = 0; first < count;) {
        size_t last = first;
        while (last + 1 < count && (uint64_t)keys[last + 1] - (uint64_t)keys[last] <= KEY_GAP_MAX)
            last++;
        BR_TRY(append_range(pass, mirror, keys[first], keys[last], keys + first, err));
        first = last + 1;
    }
    return BR_OK;
}

// Rows above hi are not logged: what the store has of them is replaced.
static br_status apply_tail(br_pass *pass, br_mirror *mirror, br_error *err)
{
    bool has_rows = range_above(mirror, mirror->hi) > 0;
    if (!has_rows && !mirror->has_tail) return BR_OK;
    pass->has_changes = true;
    if (mirror->has_tail)
        BR_TRY(br_apply_delete_above(pass->apply, mirror->table_id, mirror->hi, err));
    if (!has_rows) return BR_OK;
    return append_range(pass, mirror, mirror->hi + 1, INT64_MAX, NULL, err);
}

// Adds the table to the store, or takes its alteration over.
static br_status put_table(br_pass *pass, const br_mirror *mirror, bool is_new, br_error *err)
{
    const br_schema_table *table = mirror->table;
    const char **names = br_heap_array(table->column_count, sizeof *names);
    if (names == NULL) return br_fail(err, BR_NOMEM, "no memory for table '%s'", table->name);
    for (uint32_t i = 0; i < table->column_count; i++) names[i] = table->columns[i].name;
    br_reshape reshape = {table->column_count, mirror->from, mirror->added};
    br_table_spec spec = {
        .table_id = mirror->table_id,
        .name = table->name,
        .definition = mirror->definition,
        .key_kind = mirror->key == NULL ? BR_KEY_NONE : BR_KEY_ROWID,
        .column_count = table->column_count,
        .column_names = names,
        .hi = INT64_MIN,
    };
    br_status status = is_new ? br_apply_add_table(pass->apply, &spec, err)
                              : br_apply_reshape(pass->apply, &spec, &reshape, err);
    br_heap_free(names);
    return status;
}

static br_status apply_reload(br_pass *pass, br_mirror *mirror, br_error *err)
{
    pass->has_changes = true;
    br_table *copy = br_store_find(pass->cdc->next_store, mirror->table_id);
    if (copy != NULL && br_alter_is_same(br_table_get_spec(copy), mirror)) {
        BR_TRY(br_apply_truncate(pass->apply, mirror->table_id, err));
        return br_pass_load(pass, mirror, err);
    }
    if (copy != NULL) BR_TRY(br_apply_drop_table(pass->apply, mirror->table_id, err));
    BR_TRY(put_table(pass, mirror, true, err));
    return br_pass_load(pass, mirror, err);
}

static br_status apply_changes(br_pass *pass, br_mirror *mirror, br_error *err)
{
    if (mirror->is_altered) {
        pass->has_changes = true;
        BR_TRY(put_table(pass, mirror, false, err));
    }
    if (mirror->mode != BR_MIRROR_KEYS) return BR_OK;
    BR_TRY(apply_keys(pass, mirror, err));
    BR_TRY(apply_tail(pass, mirror, err));
    if (mirror->must_count) {
        bool has_all = false;
        BR_TRY(br_alter_has_all_rows(pass, mirror, &has_all, err));
        mirror->must_reload = !has_all;
    }
    return BR_OK;
}

br_status br_pass_apply_mirror(br_pass *pass, br_mirror *mirror, br_error *err)
{
    if (!mirror->must_reload) BR_TRY(apply_changes(pass, mirror, err));
    if (mirror->must_reload) BR_TRY(apply_reload(pass, mirror, err));
    if (mirror->mode != BR_MIRROR_KEYS) return BR_OK;
    if (!mirror->must_reload && mirror->hi_now == mirror->hi) return BR_OK;
    pass->has_changes = true;
    return br_apply_set_hi(pass->apply, mirror->table_id, mirror->hi_now, err);
}
