// check.c - is the copy the same as SQLite, row by row?
//
// Both sides are summed up first: per table, the number of rows and the sum of their hashes, which
// does not depend on the order of rows. Only when these differ are rows compared one by one, to
// name the first difference. SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/heap.h"
#include "cdc/state.h"

typedef struct sum {
    uint64_t row_count;
    uint64_t hash;
} sum;

// One table on both sides.
typedef struct comparison {
    br_cdc *cdc;
    br_mirror *mirror;
    const br_table_view *view;
    br_value *values;       // of a row, the key last
    uint32_t column_count;  // with the key
    int64_t *keys;          // of the copy's rows
    size_t key_count, key_capacity;
} comparison;

static uint64_t hash_value(const br_value *value)
{
    uint64_t bits = 0;
    if (value->class_ == BR_INT || value->class_ == BR_REAL)
        memcpy(&bits, &value->i64, sizeof bits);
    else if (value->class_ != BR_NULL)
        bits = br_hash_bytes(value->text.data, value->text.size);
    return br_hash_u64(bits + value->class_ * 0x9e3779b97f4a7c15ull);
}

static void sum_row(sum *s, const br_value *values, uint32_t count)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) hash = br_hash_combine(hash, hash_value(&values[i]));
    s->hash += br_hash_u64(hash);
    s->row_count++;
}

static bool is_same(const br_value *left, const br_value *right)
{
    if (left->class_ != right->class_) return false;
    switch ((br_class)left->class_) {
    case BR_INT: return left->i64 == right->i64;
    case BR_REAL: return memcmp(&left->f64, &right->f64, sizeof left->f64) == 0;
    case BR_TEXT:
    case BR_BLOB: return br_text_equal(left->text, right->text);
    default: return true;
    }
}

// ---- SQLite's side --------------------------------------------------------------------------

static br_status begin_rows(const comparison *at, int64_t first, int64_t last, br_error *err)
{
    br_value low = br_value_int(first), high = br_value_int(last);
    if (at->mirror->key == NULL) return BR_OK;
    BR_TRY(br_oltp_bind(at->mirror->range, 1, &low, err));
    return br_oltp_bind(at->mirror->range, 2, &high, err);
}

// The values of the row the statement stands on. Rows without a key get 0 for it.
static void take_row(const comparison *at, br_value *values)
{
    uint32_t last = at->column_count - 1;
    for (uint32_t i = 0; i < last; i++) values[i] = br_oltp_column(at->mirror->range, i);
    values[last] =
        at->mirror->key == NULL ? br_value_int(0) : br_oltp_column(at->mirror->range, last);
}

static br_status sum_oltp(const comparison *at, sum *sum_out, br_error *err)
{
    bool has_row = true;
    br_status status = begin_rows(at, INT64_MIN, INT64_MAX, err);
    while (status == BR_OK) {
        status = br_oltp_step(at->mirror->range, &has_row, err);
        if (status != BR_OK || !has_row) break;
        take_row(at, at->values);
        sum_row(sum_out, at->values, at->column_count);
        status = br_cdc_work_advance(at->cdc, at->mirror->table->name, 1, err);
    }
    br_oltp_reset(at->mirror->range);
    return status;
}

// ---- the copy's side ------------------------------------------------------------------------

// Called with each row of the copy.
typedef br_status (*row_visitor)(comparison *at, const br_value *values, void *context,
                                 br_error *err);

typedef struct visit {
    comparison *at;
    row_visitor visitor;
    void *context;
    br_scan *scan;
    br_arena *arena;  // of DATE texts
} visit;

static br_status visit_batch(const visit *v, const br_batch *batch, br_error *err)
{
    br_value *values = v->at->values;
    uint32_t last = v->at->column_count - 1;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++)
            values[i] = br_vector_value(&batch->columns[i], row, v->arena);
        if (v->at->mirror->key == NULL) values[last] = br_value_int(0);
        BR_TRY(v->visitor(v->at, values, v->context, err));
    }
    return BR_OK;
}

static br_status visit_chunks(const visit *v, br_error *err)
{
    br_batch batch;
    for (uint32_t chunk = 0; chunk < br_table_view_chunks(v->at->view); chunk++) {
        BR_TRY(br_scan_seek(v->scan, chunk, err));
        do {
            br_arena_reset(v->arena);
            BR_TRY(br_scan_next(v->scan, &batch, err));
            BR_TRY(visit_batch(v, &batch, err));
            BR_TRY(br_cdc_work_advance(v->at->cdc, v->at->mirror->table->name, batch.row_count,
                                       err));
        } while (batch.row_count > 0);
    }
    return BR_OK;
}

static br_status visit_copy(comparison *at, row_visitor visitor, void *context, br_error *err)
{
    visit v = {.at = at, .visitor = visitor, .context = context, .arena = br_arena_new(NULL)};
    br_scan_column *columns = br_heap_array(at->column_count, sizeof *columns);
    br_status status =
        columns == NULL || v.arena == NULL
            ? br_fail(err, BR_NOMEM, "no memory to check table '%s'", at->mirror->table->name)
            : BR_OK;
    for (uint32_t i = 0; columns != NULL && i < at->column_count; i++)
        columns[i] = (br_scan_column){.column = i, .class_ = BR_ANY};
    if (columns != NULL) columns[at->column_count - 1].column = BR_SCAN_KEY;
    br_scan_request request = {.columns = columns, .column_count = at->column_count};
    if (status == BR_OK)
        status = br_scan_open(at->view, &request, 0, at->cdc->config.store.quota, &v.scan, err);
    if (status == BR_OK) status = visit_chunks(&v, err);
    br_scan_close(v.scan);
    br_arena_free(v.arena);
    br_heap_free(columns);
    return status;
}

static br_status sum_visitor(comparison *at, const br_value *values, void *context, br_error *err)
{
    (void)err;
    sum_row(context, values, at->column_count);
    return BR_OK;
}

// ---- naming the difference ------------------------------------------------------------------

static void describe(const br_value *value, char *text_out, size_t size)
{
    const char *name = br_class_name((br_class)value->class_);
    switch ((br_class)value->class_) {
    case BR_INT: snprintf(text_out, size, "%s %" PRId64, name, value->i64); break;
    case BR_REAL: snprintf(text_out, size, "%s %.17g", name, value->f64); break;
    case BR_TEXT:
    case BR_BLOB:
        snprintf(text_out, size, "%s of %u bytes '%.*s'", name, value->text.size,
                 value->text.size > 40 ? 40 : (int)value->text.size, value->text.data);
        break;
    default: snprintf(text_out, size, "%s", name); break;
    }
}

static br_status report_value(const comparison *at, int64_t row, uint32_t column,
                              const br_value *copy, const br_value *truth, br_error *err)
{
    char is[100], want[100];
    describe(copy, is, sizeof is);
    describe(truth, want, sizeof want);
    return br_fail(err, BR_CORRUPT, "table '%s': %s %" PRId64 ": column '%s' is %s, want %s",
                   at->mirror->table->name, at->mirror->key == NULL ? "row" : "rowid", row,
                   at->mirror->table->columns[column].name, is, want);
}

static br_status compare_row(const comparison *at, int64_t row, const br_value *copy, br_error *err)
{
    for (uint32_t i = 0; i + 1 < at->column_count; i++) {
        br_value truth = br_oltp_column(at->mirror->range, i);
        if (!is_same(&copy[i], &truth)) return report_value(at, row, i, &copy[i], &truth, err);
    }
    return BR_OK;
}

// Each row of the copy with SQLite's row of that key; of tables without keys, with the next row.
static br_status compare_visitor(comparison *at, const br_value *values, void *context,
                                 br_error *err)
{
    int64_t *row_number = context;
    bool has_row = false, has_key = at->mirror->key != NULL;
    int64_t key = has_key ? values[at->column_count - 1].i64 : ++*row_number;
    if (has_key) BR_TRY(begin_rows(at, key, key, err));
    BR_TRY(br_oltp_step(at->mirror->range, &has_row, err));
    br_status status = BR_OK;
    if (!has_row) {
        status = br_fail(err, BR_CORRUPT, "table '%s': %s %" PRId64 " is in the copy only",
                         at->mirror->table->name, has_key ? "rowid" : "row", key);
    } else {
        status = compare_row(at, key, values, err);
    }
    if (has_key) br_oltp_reset(at->mirror->range);
    if (status != BR_OK || !has_key) return status;
    if (!br_heap_grow((void **)&at->keys, sizeof *at->keys, at->key_count, &at->key_capacity))
        return br_fail(err, BR_NOMEM, "no memory for %zu keys", at->key_count + 1);
    at->keys[at->key_count++] = key;
    return BR_OK;
}

static int compare_keys(const void *left, const void *right)
{
    int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;
    return (l > r) - (l < r);
}

// All rows of the copy are right, so some are missing, or there twice.
static br_status find_missing(comparison *at, br_error *err)
{
    if (at->key_count > 0) qsort(at->keys, at->key_count, sizeof *at->keys, compare_keys);
    for (size_t i = 1; i < at->key_count; i++) {
        if (at->keys[i] == at->keys[i - 1])
            return br_fail(err, BR_CORRUPT, "table '%s': rowid %" PRId64 " is in the copy twice",
                           at->mirror->table->name, at->keys[i]);
    }
    bool has_row = true;
    BR_TRY(begin_rows(at, INT64_MIN, INT64_MAX, err));
    for (size_t i = 0; has_row; i++) {
        BR_TRY(br_oltp_step(at->mirror->range, &has_row, err));
        if (!has_row) break;
        int64_t key = br_oltp_column(at->mirror->range, at->column_count - 1).i64;
        if (i < at->key_count && at->keys[i] == key) continue;
        br_oltp_reset(at->mirror->range);
        return br_fail(err, BR_CORRUPT, "table '%s': rowid %" PRId64 " is missing in the copy",
                       at->mirror->table->name, key);
    }
    return BR_OK;
}

static br_status find_difference(comparison *at, const sum *copy, const sum *truth, br_error *err)
{
    int64_t row_number = 0;
    br_status status = visit_copy(at, compare_visitor, &row_number, err);
    br_oltp_reset(at->mirror->range);
    if (status == BR_OK && at->mirror->key != NULL) status = find_missing(at, err);
    br_oltp_reset(at->mirror->range);
    br_heap_free(at->keys);
    if (status != BR_OK) return status;
    return br_fail(err, BR_CORRUPT, "table '%s': %" PRIu64 " rows, want %" PRIu64,
                   at->mirror->table->name, copy->row_count, truth->row_count);
}

// ---- check ----------------------------------------------------------------------------------

static br_status check_mirror(br_cdc *cdc, br_mirror *mirror, const br_snapshot *snapshot,
                              uint64_t *rows, br_error *err)
{
    comparison at = {.cdc = cdc, .mirror = mirror};
    at.view = br_snapshot_find(snapshot, mirror->table->name);
    if (at.view == NULL)
        return br_fail(err, BR_CORRUPT, "table '%s' is missing in the copy", mirror->table->name);
    BR_TRY(br_table_view_verify(at.view, err));
    at.column_count = mirror->table->column_count + 1;
    at.values = br_heap_array(at.column_count, sizeof *at.values);
    if (at.values == NULL) return br_fail(err, BR_NOMEM, "no memory for a row");
    sum copy = {0}, truth = {0};
    br_status status = visit_copy(&at, sum_visitor, &copy, err);
    if (status == BR_OK) status = sum_oltp(&at, &truth, err);
    bool is_equal = copy.row_count == truth.row_count && copy.hash == truth.hash;
    if (status == BR_OK && !is_equal) status = find_difference(&at, &copy, &truth, err);
    br_heap_free(at.values);
    *rows += truth.row_count;
    return status;
}

static br_status check_all(br_pass *pass, uint64_t *rows, br_error *err)
{
    br_cdc *cdc = pass->cdc;
    BR_TRY(br_store_check(cdc->store, err));
    br_snapshot *snapshot = br_snapshot_acquire(cdc->store);
    br_status status = BR_OK;
    uint64_t expected = 0;
    for (uint32_t i = 0; i < br_snapshot_table_count(snapshot); i++)
        expected += br_table_view_rows(br_snapshot_table_at(snapshot, i));
    br_cdc_work_begin(cdc, "verifying", 2 * expected);  // once on each side
    for (uint32_t i = 0; i < cdc->set.count && status == BR_OK; i++)
        status = check_mirror(cdc, &cdc->set.items[i], snapshot, rows, err);
    br_cdc_work_end(cdc);
    br_snapshot_drop(snapshot);
    return status;
}

br_status br_cdc_check(br_cdc *cdc, uint64_t *rows_out, br_error *err)
{
    uint64_t rows = 0;
    br_lock_take(&cdc->sync_lock);
    br_pass pass = {.cdc = cdc};
    br_status status = br_pass_run(&pass, false, err);
    if (status == BR_OK) status = check_all(&pass, &rows, err);
    br_pass_end(&pass);
    br_lock_give(&cdc->sync_lock);
    *rows_out = rows;
    return status;
}
