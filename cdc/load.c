// load.c - reading whole tables, a chunk at a time, on as many threads as there are readers.
//
// A chunk is the next BR_CHUNK_ROWS rows by rowid. Where it ends is found by stepping over its
// rowids, one thread at a time, which costs a twentieth of reading the rows.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "base/heap.h"
#include "cdc/state.h"

enum {
    // Smaller tables go into the delta: a segment file of their own would cost an fsync.
    LOAD_ROWS_MIN = 16384,
};

// The columns of one chunk, the key last.
typedef struct chunk {
    br_column *columns;
    uint32_t column_count;  // with the key
    uint32_t row_count;
} chunk;

static void chunk_release(chunk *c)
{
    for (uint32_t i = 0; c->columns != NULL && i < c->column_count; i++)
        br_column_release(&c->columns[i]);
    br_heap_free(c->columns);
    *c = (chunk){0};
}

static br_status chunk_init(chunk *c, const br_cdc *cdc, const br_mirror *mirror, br_error *err)
{
    *c = (chunk){.column_count = mirror->table->column_count + 1};
    c->columns = br_heap_array(c->column_count, sizeof *c->columns);
    if (c->columns == NULL)
        return br_fail(err, BR_NOMEM, "no memory to read table '%s'", mirror->table->name);
    br_status status = BR_OK;
    for (uint32_t i = 0; i < c->column_count && status == BR_OK; i++)
        status = br_column_init(&c->columns[i], cdc->config.store.quota, err);
    if (status != BR_OK) chunk_release(c);
    return status;
}

// Reads the next rows of the statement; keys of tables without rowid count on from *number.
static br_status chunk_fill(chunk *c, br_oltp_statement *statement, bool has_key, int64_t *number,
                            br_error *err)
{
    for (uint32_t i = 0; i < c->column_count; i++) br_column_reset(&c->columns[i]);
    uint32_t read_count = has_key ? c->column_count : c->column_count - 1;
    BR_TRY(br_oltp_fill(statement, c->columns, read_count, BR_CHUNK_ROWS, &c->row_count, err));
    for (uint32_t i = 0; !has_key && i < c->row_count; i++) {
        br_value key = br_value_int(++*number);
        BR_TRY(br_column_append(&c->columns[read_count], &key, err));
    }
    return BR_OK;
}

// ---- one reader -----------------------------------------------------------------------------

static br_status append_chunk(br_pass *pass, const br_mirror *mirror, const chunk *c, br_error *err)
{
    uint32_t column_count = c->column_count - 1;
    br_value *values = br_heap_array(column_count, sizeof *values);
    if (values == NULL) return br_fail(err, BR_NOMEM, "no memory for a row");
    br_status status = BR_OK;
    for (uint32_t row = 0; row < c->row_count && status == BR_OK; row++) {
        for (uint32_t i = 0; i < column_count; i++)
            values[i] = br_column_value(&c->columns[i], row);
        int64_t key = br_column_value(&c->columns[column_count], row).i64;
        status = br_apply_append(pass->apply, mirror->table_id, key, values, err);
    }
    br_heap_free(values);
    return status;
}

static br_status bind_range(br_oltp_statement *statement, const br_mirror *mirror, int64_t first,
                            int64_t last, br_error *err)
{
    if (mirror->key == NULL) return BR_OK;
    br_value low = br_value_int(first), high = br_value_int(last);
    BR_TRY(br_oltp_bind(statement, 1, &low, err));
    return br_oltp_bind(statement, 2, &high, err);
}

// Puts the chunk where it belongs: small tables, and all of a follower's, into the delta.
static br_status place_chunk(br_pass *pass, const br_mirror *mirror, const chunk *c, br_load **load,
                             br_error *err)
{
    bool is_small = *load == NULL && c->row_count < LOAD_ROWS_MIN;
    if (is_small || !br_cdc_is_maintainer(pass->cdc)) return append_chunk(pass, mirror, c, err);
    if (*load == NULL) BR_TRY(br_load_begin(pass->apply, mirror->table_id, load, err));
    return br_load_add_chunk(*load, pass->chunks_loaded++, c->columns, err);
}

static br_status read_alone(br_pass *pass, br_mirror *mirror, chunk *c, br_load **load,
                            br_error *err)
{
    int64_t number = 0;
    uint32_t chunks_before = pass->chunks_loaded;
    pass->chunks_loaded = 0;  // counts the chunks of this load
    BR_TRY(bind_range(mirror->range, mirror, INT64_MIN, INT64_MAX, err));
    br_status status = BR_OK;
    do {
        status = chunk_fill(c, mirror->range, mirror->key != NULL, &number, err);
        if (status == BR_OK && c->row_count > 0) status = place_chunk(pass, mirror, c, load, err);
        pass->rows_read += c->row_count;
        if (status == BR_OK)
            status = br_cdc_work_advance(pass->cdc, mirror->table->name, c->row_count, err);
    } while (status == BR_OK && c->row_count == BR_CHUNK_ROWS);
    br_oltp_reset(mirror->range);
    pass->chunks_loaded += chunks_before;
    return status;
}

static br_status load_alone(br_pass *pass, br_mirror *mirror, br_error *err)
{
    chunk c;
    br_load *load = NULL;
    BR_TRY(chunk_init(&c, pass->cdc, mirror, err));
    br_status status = read_alone(pass, mirror, &c, &load, err);
    chunk_release(&c);
    if (status == BR_OK && load != NULL) return br_load_finish(load, err);
    br_load_abandon(load);
    return status;
}

// ---- all readers ----------------------------------------------------------------------------

typedef struct loader {
    br_pass *pass;
    const br_mirror *mirror;
    br_load *load;
    br_lock lock;  // guards what follows
    int64_t next_key;
    uint32_t next_order;
    bool is_done;
    uint64_t rows_read;
} loader;

typedef struct piece {
    int64_t first, last;
    uint32_t order;
} piece;

// Finds where the piece that begins at next_key ends.
static br_status cut_piece(loader *at, br_oltp_statement *next, piece *piece_out, br_error *err)
{
    br_value first = br_value_int(at->next_key), count = br_value_int(BR_CHUNK_ROWS);
    bool has_row = false;
    BR_TRY(br_oltp_bind(next, 1, &first, err));
    BR_TRY(br_oltp_bind(next, 2, &count, err));
    BR_TRY(br_oltp_step(next, &has_row, err));
    *piece_out = (piece){.first = at->next_key, .last = INT64_MAX, .order = at->next_order++};
    if (has_row) {
        at->next_key = br_oltp_column(next, 0).i64;
        piece_out->last = at->next_key - 1;
    } else {
        at->is_done = true;
    }
    br_oltp_reset(next);
    return BR_OK;
}

static br_status load_piece(loader *at, const piece *p, br_oltp_statement *range, chunk *c,
                            br_error *err)
{
    BR_TRY(bind_range(range, at->mirror, p->first, p->last, err));
    br_status status = chunk_fill(c, range, true, NULL, err);
    br_oltp_reset(range);
    if (status != BR_OK) return status;
    br_assert(c->row_count > 0);
    return br_load_add_chunk(at->load, p->order, c->columns, err);
}

// Takes pieces until there are none. The lock is held while a piece is cut: the next one begins
// where it ends.
static br_status load_pieces(loader *at, br_oltp_statement *range, br_oltp_statement *next,
                             chunk *c, br_error *err)
{
    while (true) {
        piece p;
        br_lock_take(&at->lock);
        at->rows_read += c->row_count;
        bool is_done = at->is_done;
        br_status status =
            br_cdc_work_advance(at->pass->cdc, at->mirror->table->name, c->row_count, err);
        if (!is_done && status == BR_OK) status = cut_piece(at, next, &p, err);
        if (status != BR_OK) at->is_done = true;
        br_lock_give(&at->lock);
        if (is_done || status != BR_OK) return status;
        BR_TRY(load_piece(at, &p, range, c, err));
    }
}

static br_status load_task(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    loader *at = context;
    (void)worker;
    br_oltp *reader = at->pass->readers[index];
    br_oltp_statement *range = NULL, *next = NULL;
    chunk c;
    BR_TRY(chunk_init(&c, at->pass->cdc, at->mirror, err));
    br_status status = br_oltp_prepare(reader, at->mirror->select_range, NULL, &range, err);
    if (status == BR_OK)
        status = br_oltp_prepare(reader, at->mirror->select_next, NULL, &next, err);
    if (status == BR_OK) status = load_pieces(at, range, next, &c, err);
    br_oltp_finalize(range);
    br_oltp_finalize(next);
    chunk_release(&c);
    return status;
}

static br_status find_first(const br_pass *pass, const br_mirror *mirror, int64_t *first_out,
                            br_error *err)
{
    br_oltp_statement *next = NULL;
    bool has_row = false;
    br_value from = br_value_int(INT64_MIN), skip = br_value_int(0);
    BR_TRY(br_oltp_prepare(pass->cdc->reader, mirror->select_next, NULL, &next, err));
    br_status status = br_oltp_bind(next, 1, &from, err);
    if (status == BR_OK) status = br_oltp_bind(next, 2, &skip, err);
    if (status == BR_OK) status = br_oltp_step(next, &has_row, err);
    if (status == BR_OK && has_row) *first_out = br_oltp_column(next, 0).i64;
    br_oltp_finalize(next);
    return status;
}

static br_status load_together(br_pass *pass, br_mirror *mirror, br_error *err)
{
    loader at = {.pass = pass, .mirror = mirror};
    BR_TRY(find_first(pass, mirror, &at.next_key, err));
    BR_TRY(br_load_begin(pass->apply, mirror->table_id, &at.load, err));
    br_lock_init(&at.lock);
    br_status status =
        br_task_pool_run(pass->cdc->config.store.pool, 0, pass->reader_count, load_task, &at, err);
    br_lock_release(&at.lock);
    pass->rows_read += at.rows_read;
    pass->chunks_loaded += at.next_order;
    if (status == BR_OK) return br_load_finish(at.load, err);
    br_load_abandon(at.load);
    return status;
}

br_status br_pass_load(br_pass *pass, br_mirror *mirror, br_error *err)
{
    if (mirror->key != NULL && !mirror->has_rows) return BR_OK;
    if (pass->reader_count > 1 && br_mirror_is_big(mirror)) return load_together(pass, mirror, err);
    return load_alone(pass, mirror, err);
}
