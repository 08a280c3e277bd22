// op_top.c - Top-N.
// SPDX-License-Identifier: Apache-2.0
#include "exec/op_top.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/thread.h"
#include "exec/kernels/kernels.h"

enum {
    PRUNE_FACTOR = 4,         // rows kept, in N, before those behind the N-th go
    PRUNE_ROWS_MIN = 4096,
    BOUND_TEXT_MAX = 64,      // longer texts make no bound
};

// The keys of an N-th row, as values whose bytes are the bound's own.
typedef struct bound_key {
    br_value value;
    uint8_t kind;  // of the column it is from
    int64_t word;  // that the column holds: of INT, DATE and DATETIME
    char text[BOUND_TEXT_MAX];
} bound_key;

typedef struct bound {
    bool is_set;
    bound_key *keys;
} bound;

typedef struct top_stage {
    br_stage base;
    br_run *run;
    br_top_spec spec;
    uint32_t morsel_count;
    br_batch_list *lists;  // by morsel
    br_lock lock;
    bound best;            // the lock
} top_stage;

typedef struct top_worker {
    br_collector *collector;
    bound best;
} top_worker;

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "sorting", err);
}

static br_status top_prepare(br_stage *base, br_run *run, uint32_t morsel_count, br_error *err)
{
    top_stage *stage = (top_stage *)base;
    stage->morsel_count = morsel_count;
    stage->lists = BR_ALLOC(run->arena, br_batch_list, morsel_count);
    return stage->lists == NULL ? no_memory(run, err) : BR_OK;
}

static br_status top_open(br_stage *base, br_worker *worker, void **state_out, br_error *err)
{
    top_stage *stage = (top_stage *)base;
    top_worker *state = BR_ALLOC(worker->arena, top_worker, 1);
    if (state == NULL) return no_memory(worker->run, err);
    state->best.keys = BR_ALLOC(worker->arena, bound_key, stage->spec.key_count);
    if (state->best.keys == NULL) return no_memory(worker->run, err);
    BR_TRY(br_collector_new(worker->run, worker->arena, &stage->spec.keep, worker->index,
                            stage->spec.width + stage->spec.key_count, &state->collector, err));
    *state_out = state;
    return BR_OK;
}

// ---- bounds ----------------------------------------------------------------------------------

static bool has_bytes(const br_value *value)
{
    return value->class_ == BR_TEXT || value->class_ == BR_BLOB;
}

static void set_key(bound_key *key, const br_value *value, uint8_t kind, int64_t word)
{
    key->value = *value;
    key->kind = kind;
    key->word = word;
    if (!has_bytes(value)) return;
    if (value->text.size > 0) memcpy(key->text, value->text.data, value->text.size);
    key->value.text.data = key->text;
}

static void copy_bound(const top_stage *stage, bound *to, const bound *from)
{
    to->is_set = from->is_set;
    for (uint32_t k = 0; from->is_set && k < stage->spec.key_count; k++) {
        const bound_key *key = &from->keys[k];
        set_key(&to->keys[k], &key->value, key->kind, key->word);
    }
}

static bool is_better(const top_stage *stage, const bound *left, const bound *right)
{
    if (!left->is_set || !right->is_set) return left->is_set;
    for (uint32_t k = 0; k < stage->spec.key_count; k++) {
        int order = br_sort_compare(&left->keys[k].value, &right->keys[k].value,
                                    &stage->spec.keys[k]);
        if (order != 0) return order < 0;
    }
    return false;
}

// Lets the others know of a bound and takes over theirs when it is better.
static void share_bound(top_stage *stage, bound *mine)
{
    br_lock_take(&stage->lock);
    if (is_better(stage, mine, &stage->best)) copy_bound(stage, &stage->best, mine);
    else if (is_better(stage, &stage->best, mine)) copy_bound(stage, mine, &stage->best);
    br_lock_give(&stage->lock);
}

// Of a row that N rows, itself one of them, do not come after. When a better bound was known, the
// others know it too and give it back.
static void note_bound(top_stage *stage, top_worker *state, const br_rows *rows, uint32_t row,
                       br_arena *scratch)
{
    state->best.is_set = false;
    for (uint32_t k = 0; k < stage->spec.key_count; k++) {
        const br_vector *column = &rows->columns[stage->spec.width + k];
        br_value value = br_vector_value(column, row, scratch);
        bool is_long = has_bytes(&value) && value.text.size > BOUND_TEXT_MAX;
        // A column of mixed classes may meet one of INT.
        int64_t word = value.class_ == BR_INT            ? value.i64
                       : br_is_time_kind(column->kind) ? column->i64[row]
                                                         : 0;
        if (!is_long) set_key(&state->best.keys[k], &value, column->kind, word);
        state->best.is_set = !is_long;
        if (is_long) break;
    }
    share_bound(stage, &state->best);
}

// Does the column hold numbers that compare with the bound's as the values do?
static bool holds_words(const br_vector *key, const bound_key *bound_)
{
    bool is_word = key->class_ == BR_INT || br_is_time_kind(key->kind);
    return is_word && key->validity == NULL && key->kind == bound_->kind &&
           key->kind != BR_VECTOR_CONST && key->kind != BR_VECTOR_DICT &&
           key->class_ == bound_->value.class_;
}

static bool holds_reals(const br_vector *key, const bound_key *bound_)
{
    return key->class_ == BR_REAL && key->kind == BR_VECTOR_FLAT && key->validity == NULL &&
           bound_->value.class_ == BR_REAL;
}

// -1: the row comes before the bound by this key, 1: behind it, 0: neither.
static void compare_numbers(const br_vector *key, const bound_key *bound_, bool descending,
                            const uint16_t *rows, uint32_t count, int8_t *orders)
{
    int8_t sign = descending ? -1 : 1;
    bool is_real = key->class_ == BR_REAL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = rows[i];
        int order = is_real
                        ? (key->f64[row] > bound_->value.f64) - (key->f64[row] < bound_->value.f64)
                        : (key->i64[row] > bound_->word) - (key->i64[row] < bound_->word);
        orders[i] = (int8_t)(order * sign);
    }
}

static void compare_key(const top_stage *stage, const bound *best, uint32_t k,
                        const br_vector *key, const uint16_t *rows, uint32_t count,
                        br_arena *scratch, int8_t *orders)
{
    const br_sort_key *sort_key = &stage->spec.keys[k];
    if (holds_words(key, &best->keys[k]) || holds_reals(key, &best->keys[k])) {
        compare_numbers(key, &best->keys[k], sort_key->descending, rows, count, orders);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        br_value value = br_vector_value(key, rows[i], scratch);
        int order = br_sort_compare(&value, &best->keys[k].value, sort_key);
        orders[i] = (int8_t)((order > 0) - (order < 0));
    }
}

static bool holds_texts(const br_vector *key, const bound_key *bound_, br_collation collation)
{
    return key->class_ == BR_TEXT && key->kind == BR_VECTOR_FLAT && key->validity == NULL &&
           bound_->value.class_ == BR_TEXT && collation == BR_COLLATION_BINARY;
}

static void find_texts(const br_vector *key, br_text limit, bool descending, uint32_t row_count,
                       uint64_t *bits)
{
    memset(bits, 0, br_bitmap_words(row_count) * sizeof *bits);
    for (uint32_t i = 0; i < row_count; i++) {
        int order = br_text_compare(key->text[i], limit);
        bits[i >> 6] |= (uint64_t)(descending ? order >= 0 : order <= 0) << (i & 63);
    }
}

// Rows that the first key alone does not put behind the bound: for numbers a matter of nanoseconds,
// and as a rule there are few. False for other keys.
static bool find_within(const top_stage *stage, const bound_key *first, const br_vector *key,
                        uint32_t row_count, uint64_t *bits)
{
    const br_exec_kernels *kernels = stage->run->kernels;
    bool descending = stage->spec.keys[0].descending;
    if (holds_words(key, first)) {
        kernels->in_range_i64(key->i64, row_count, descending ? first->word : INT64_MIN,
                              descending ? INT64_MAX : first->word, bits);
    } else if (holds_reals(key, first)) {
        double value = first->value.f64;
        kernels->in_range_f64(key->f64, row_count, descending ? value : -INFINITY,
                              descending ? INFINITY : value, bits);
    } else if (holds_texts(key, first, stage->spec.keys[0].collation)) {
        find_texts(key, first->value.text, descending, row_count, bits);
    } else {
        return false;
    }
    return true;
}

static uint32_t select_by_first(const top_stage *stage, const bound *best, const br_vector *key,
                                uint32_t row_count, uint16_t *positions)
{
    uint64_t bits[BR_BATCH_ROWS / 64];
    if (find_within(stage, &best->keys[0], key, row_count, bits))
        return br_bitmap_positions(bits, row_count, positions);
    for (uint32_t i = 0; i < row_count; i++) positions[i] = (uint16_t)i;
    return row_count;
}

// Positions of rows that are not behind the bound, in order.
static uint32_t select_rows(const top_stage *stage, const bound *best, const br_batch *batch,
                            br_arena *scratch, uint16_t *positions)
{
    uint16_t tied[BR_BATCH_ROWS];
    int8_t orders[BR_BATCH_ROWS];
    uint64_t kept[BR_BATCH_ROWS / 64] = {0};
    uint32_t count = select_by_first(stage, best, &batch->columns[stage->spec.width],
                                     batch->row_count, tied);
    for (uint32_t k = 0; k < stage->spec.key_count && count > 0; k++) {
        uint32_t still_tied = 0;
        compare_key(stage, best, k, &batch->columns[stage->spec.width + k], tied, count, scratch,
                    orders);
        for (uint32_t i = 0; i < count; i++) {
            kept[tied[i] >> 6] |= (uint64_t)(orders[i] < 0) << (tied[i] & 63);
            tied[still_tied] = tied[i];
            still_tied += orders[i] == 0;
        }
        count = still_tied;
    }
    for (uint32_t i = 0; i < count; i++) br_bitmap_set(kept, tied[i]);
    return br_bitmap_positions(kept, batch->row_count, positions);
}

// ---- the bound as a filter of the scan -------------------------------------------------------

static bool get_first(top_stage *stage, bound_key *first_out)
{
    br_lock_take(&stage->lock);
    bool is_set = stage->best.is_set;
    if (is_set) *first_out = stage->best.keys[0];
    br_lock_give(&stage->lock);
    if (is_set && has_bytes(&first_out->value)) first_out->value.text.data = first_out->text;
    return is_set;
}

// The bound only ever gets better: a row that passes now but not later does no harm.
static br_status bound_select(void *context, uint32_t worker, const br_vector *values,
                              uint32_t row_count, uint64_t *selected_out, br_error *err)
{
    (void)worker;
    (void)err;
    bound_key first;
    if (!get_first(context, &first) ||
        !find_within(context, &first, values, row_count, selected_out))
        br_bitmap_fill(selected_out, row_count);
    return BR_OK;
}

static bool bound_may_pass(void *context, const br_zone_stats *stats)
{
    const top_stage *stage = context;
    bool descending = stage->spec.keys[0].descending;
    bound_key first;
    if (!get_first(context, &first)) return true;
    if (first.value.class_ == BR_INT && stats->class_mask == BR_MASK_INT)
        return descending ? stats->int_max >= first.word : stats->int_min <= first.word;
    if (first.value.class_ == BR_REAL && stats->class_mask == BR_MASK_REAL)
        return descending ? stats->real_max >= first.value.f64 : stats->real_min <= first.value.f64;
    return true;
}

br_filter br_top_filter(br_stage *sink)
{
    return (br_filter){.kind = BR_FILTER_PREDICATE,
                       .select = bound_select,
                       .may_pass = bound_may_pass,
                       .context = sink};
}

// ---- rows ------------------------------------------------------------------------------------

// Puts rows order[0..count-1] back into the collector, and notes the bound when there are N.
static br_status put_back(top_stage *stage, br_worker *worker, top_worker *state,
                          const br_rows *rows, const uint32_t *order, uint32_t count,
                          br_error *err)
{
    if (count == stage->spec.row_count && count > 0)
        note_bound(stage, state, rows, order[count - 1], worker->scratch);
    br_vector *columns = BR_ALLOC(worker->scratch, br_vector, rows->column_count);
    if (columns == NULL) return no_memory(worker->run, err);
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    for (uint32_t first = 0; first < count; first += BR_BATCH_ROWS) {
        br_batch batch = {
            .row_count = count - first < BR_BATCH_ROWS ? count - first : BR_BATCH_ROWS,
            .column_count = rows->column_count,
            .columns = columns};
        for (uint32_t i = 0; i < rows->column_count; i++) {
            BR_TRY(br_column_pick(worker->run, &rows->columns[i], order + first, batch.row_count,
                                  false, worker->scratch, &columns[i], err));
        }
        BR_TRY(br_collector_add(state->collector, &batch, err));
        br_arena_rewind(worker->scratch, mark);
    }
    return BR_OK;
}

// Lets rows behind the N-th go.
static br_status prune(top_stage *stage, br_worker *worker, top_worker *state, br_error *err)
{
    br_batch_list list;
    br_batches batches;
    br_rows rows;
    uint32_t *order;
    br_arena *scratch = worker->scratch;
    br_arena_mark mark = br_arena_get_mark(scratch);
    BR_TRY(br_collector_take(state->collector, &list, err));
    uint32_t column_count = stage->spec.width + stage->spec.key_count;
    BR_TRY(br_batches_join(worker->run, &list, 1, column_count, scratch, &batches, err));
    const br_keep keep = {.rows = worker->run->scratch, .bytes = worker->run->scratch};
    BR_TRY(br_rows_build_alone(worker->run, &batches, &keep, worker->index, &rows, err));
    br_sort_columns columns = {.key_count = stage->spec.key_count,
                               .columns = rows.columns + stage->spec.width,
                               .keys = stage->spec.keys};
    BR_TRY(br_sort_rows_alone(worker->run, &columns, rows.row_count, scratch, &order, err));
    uint32_t count = rows.row_count;
    if (count > stage->spec.row_count) count = (uint32_t)stage->spec.row_count;
    // Rows with equal keys stay in the order they came in.
    BR_TRY(put_back(stage, worker, state, &rows, order, count, err));
    br_arena_rewind(scratch, mark);
    return BR_OK;
}

static br_status top_process(br_stage *base, br_worker *worker, const br_batch *batch,
                             br_error *err)
{
    top_stage *stage = (top_stage *)base;
    top_worker *state = br_worker_state(worker, base);
    br_batch kept = *batch;
    if (state->best.is_set) {
        uint16_t positions[BR_BATCH_ROWS];
        uint32_t count =
            select_rows(stage, &state->best, batch, worker->scratch, positions);
        if (count == 0) return BR_OK;
        if (count < batch->row_count)
            BR_TRY(br_batch_gather(batch, positions, count, worker->scratch, &kept, err));
    }
    BR_TRY(br_collector_add(state->collector, &kept, err));
    uint64_t rows = br_collector_rows(state->collector);
    if (rows < PRUNE_ROWS_MIN || rows < PRUNE_FACTOR * stage->spec.row_count) return BR_OK;
    return prune(stage, worker, state, err);
}

static br_status top_end_morsel(br_stage *base, br_worker *worker, br_error *err)
{
    top_stage *stage = (top_stage *)base;
    top_worker *state = br_worker_state(worker, base);
    if (br_collector_rows(state->collector) > stage->spec.row_count)
        BR_TRY(prune(stage, worker, state, err));
    BR_TRY(br_collector_take(state->collector, &stage->lists[worker->morsel], err));
    BR_TRY(br_collector_relieve(state->collector, err));
    share_bound(stage, &state->best);
    return BR_OK;
}

static const br_stage_kind top_kind = {
    .name = "top",
    .open = top_open,
    .process = top_process,
    .end_morsel = top_end_morsel,
    .prepare = top_prepare,
};

br_status br_top_new(br_pipeline *pipeline, const br_top_spec *spec, br_stage **sink_out,
                     br_error *err)
{
    br_assert(spec->key_count > 0 && spec->row_count <= BR_TOP_ROWS_MAX);
    top_stage *stage = br_stage_new(pipeline, &top_kind, NULL, sizeof *stage);
    if (stage == NULL) return no_memory(pipeline->run, err);
    stage->best.keys = BR_ALLOC(pipeline->run->arena, bound_key, spec->key_count);
    if (stage->best.keys == NULL) return no_memory(pipeline->run, err);
    stage->run = pipeline->run;
    stage->spec = *spec;
    br_lock_init(&stage->lock);
    *sink_out = &stage->base;
    return BR_OK;
}

void br_top_release(br_stage *sink) { br_lock_release(&((top_stage *)sink)->lock); }

br_status br_top_batches(br_stage *sink, br_batches *batches_out, br_error *err)
{
    top_stage *stage = (top_stage *)sink;
    br_arena *arena = br_memory_arena(stage->spec.keep.rows, 0);
    if (arena == NULL) return no_memory(stage->run, err);
    return br_batches_join(stage->run, stage->lists, stage->morsel_count,
                           stage->spec.width + stage->spec.key_count, arena, batches_out, err);
}
