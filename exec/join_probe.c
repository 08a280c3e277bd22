// join_probe.c - probing: batches of probe rows against the table of the build side.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/op_join.h"

typedef struct probe_state {
    br_evaluator *keys, *residual;
    br_hash_context hashing;
    uint32_t cursors[BR_BATCH_ROWS], ends[BR_BATCH_ROWS], tags[BR_BATCH_ROWS];
    uint8_t matched[BR_BATCH_ROWS];
    uint32_t first_row[BR_BATCH_ROWS];  // SINGLE
    // Pairs: candidates, then matches.
    uint32_t pair_count;
    uint16_t probe_rows[BR_BATCH_ROWS];
    uint32_t build_rows[BR_BATCH_ROWS];
    uint8_t is_equal[BR_BATCH_ROWS];
} probe_state;

static br_status no_memory(const br_worker *worker, br_error *err)
{
    return br_run_no_memory(worker->run, "a join", err);
}

static br_status probe_open(br_stage *base, br_worker *worker, void **state_out, br_error *err)
{
    br_join_stage *stage = (br_join_stage *)base;
    probe_state *state = BR_ALLOC(worker->arena, probe_state, 1);
    if (state == NULL) return no_memory(worker, err);
    if (stage->keys != NULL)
        BR_TRY(br_evaluator_new(stage->keys, worker->index, worker->arena, &state->keys, err));
    if (stage->residual != NULL)
        BR_TRY(br_evaluator_new(stage->residual, worker->index, worker->arena, &state->residual,
                                err));
    state->hashing = (br_hash_context){
        .run = worker->run,
        .arena = worker->arena,
        .caches = BR_ALLOC(worker->arena, br_hash_cache, stage->table.key_count)};
    if (state->hashing.caches == NULL) return no_memory(worker, err);
    *state_out = state;
    return BR_OK;
}

// ---- output ----------------------------------------------------------------------------------

typedef struct pair_output {
    const br_batch *batch;
    const uint16_t *probe_rows;  // NULL: all rows of the batch, in order
    const uint32_t *build_rows;  // NULL: no build row, NULLs
    bool has_none;               // BR_ROW_NONE occurs in build_rows
    uint32_t count;
} pair_output;

static br_status make_column(const br_join_stage *stage, br_worker *worker,
                             const br_join_column *column, const pair_output *pairs,
                             br_vector *out, br_error *err)
{
    if (column->side == BR_SIDE_PROBE) {
        *out = pairs->batch->columns[column->position];
        if (pairs->probe_rows == NULL) return BR_OK;
        return br_vector_gather(out, pairs->probe_rows, pairs->count, worker->scratch, out, err);
    }
    if (pairs->build_rows == NULL) {
        *out = br_vector_null();
        return BR_OK;
    }
    return br_column_pick(worker->run, &stage->table.rows.columns[column->position],
                          pairs->build_rows, pairs->count, pairs->has_none, worker->scratch, out,
                          err);
}

static br_status push_pairs(const br_join_stage *stage, br_worker *worker,
                            const pair_output *pairs, const br_vector *mark, br_error *err)
{
    if (pairs->count == 0) return BR_OK;
    br_vector *columns = BR_ALLOC(worker->scratch, br_vector, stage->column_count);
    if (columns == NULL) return no_memory(worker, err);
    for (uint32_t i = 0; i < stage->column_count; i++) {
        if (stage->columns[i].side == BR_SIDE_MARK) columns[i] = *mark;
        else BR_TRY(make_column(stage, worker, &stage->columns[i], pairs, &columns[i], err));
    }
    br_batch out = {
        .row_count = pairs->count, .column_count = stage->column_count, .columns = columns};
    return br_push(stage->base.next, worker, &out, err);
}

// ---- candidates ------------------------------------------------------------------------------

// Takes candidates from probe row *row on until there are as many as a batch holds. When one match
// decides, a row gives one candidate per round.
static bool next_candidates(const br_join_stage *stage, probe_state *state, uint32_t row_count,
                            uint32_t *row)
{
    const br_join_table *table = &stage->table;
    uint32_t count = 0, i = *row;
    for (; i < row_count && count < BR_BATCH_ROWS; i++) {
        if (stage->stops_at_first && state->matched[i]) continue;
        while (state->cursors[i] < state->ends[i] && count < BR_BATCH_ROWS) {
            uint32_t entry = state->cursors[i]++;
            if (table->entry_tags != NULL && table->entry_tags[entry] != state->tags[i]) continue;
            state->probe_rows[count] = (uint16_t)i;
            state->build_rows[count++] = br_join_entry_row(table, entry);
            if (stage->stops_at_first) break;
        }
        if (!stage->stops_at_first && state->cursors[i] < state->ends[i]) break;
    }
    *row = i;
    state->pair_count = count;
    return count > 0;
}

// The most frequent case: a unique key, so that each probe row has one candidate at most.
static bool unique_candidates(probe_state *state, uint32_t row_count, uint32_t *row)
{
    uint32_t count = 0;
    for (uint32_t i = 0; *row == 0 && i < row_count; i++) {
        state->probe_rows[count] = (uint16_t)i;
        state->build_rows[count] = state->cursors[i];
        count += state->cursors[i] < state->ends[i];
    }
    *row = row_count;
    state->pair_count = count;
    return count > 0;
}

static void keep_pairs(probe_state *state)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->pair_count; i++) {
        state->probe_rows[kept] = state->probe_rows[i];
        state->build_rows[kept] = state->build_rows[i];
        kept += state->is_equal[i];
    }
    state->pair_count = kept;
}

static br_status verify_keys(const br_join_stage *stage, br_worker *worker, probe_state *state,
                             const br_vector *keys, br_error *err)
{
    if (stage->table.kind != BR_TABLE_HASHED) return BR_OK;
    bool differ;
    memset(state->is_equal, 1, state->pair_count);
    br_key_pairs pairs = {.count = state->pair_count,
                          .left = state->probe_rows,
                          .right = state->build_rows,
                          .is_equal = state->is_equal};
    BR_TRY(br_join_table_verify(&stage->table, keys, &pairs, worker->scratch, &differ, err));
    if (differ) keep_pairs(state);
    return BR_OK;
}

static br_status apply_residual(const br_join_stage *stage, br_worker *worker, probe_state *state,
                                const br_batch *batch, br_error *err)
{
    if (stage->residual == NULL || state->pair_count == 0) return BR_OK;
    uint64_t selected[BR_BATCH_ROWS / 64];
    uint32_t count;
    pair_output pairs = {.batch = batch,
                         .probe_rows = state->probe_rows,
                         .build_rows = state->build_rows,
                         .count = state->pair_count};
    br_vector *columns = BR_ALLOC(worker->scratch, br_vector, stage->residual_count);
    if (columns == NULL) return no_memory(worker, err);
    for (uint32_t i = 0; i < stage->residual_count; i++) {
        BR_TRY(make_column(stage, worker, &stage->residual_columns[i], &pairs, &columns[i], err));
    }
    br_batch joined = {.row_count = state->pair_count,
                       .column_count = stage->residual_count,
                       .columns = columns};
    BR_TRY(br_evaluate_condition(state->residual, &joined, worker->scratch, selected, &count,
                                 err));
    if (count == state->pair_count) return BR_OK;
    for (uint32_t i = 0; i < state->pair_count; i++)
        state->is_equal[i] = br_bitmap_get(selected, i);
    keep_pairs(state);
    return BR_OK;
}

// ---- matches ---------------------------------------------------------------------------------

static void note_matches(const br_join_stage *stage, probe_state *state)
{
    for (uint32_t i = 0; i < state->pair_count; i++) {
        uint32_t row = state->probe_rows[i];
        if (stage->join == BR_JOIN_SINGLE && !state->matched[row])
            state->first_row[row] = state->build_rows[i];
        state->matched[row] = 1;
    }
    if (stage->table.matched == NULL) return;
    for (uint32_t i = 0; i < state->pair_count; i++) {
        atomic_store_explicit(&stage->table.matched[state->build_rows[i]], 1,
                              memory_order_relaxed);
    }
}

static br_status put_out_matches(const br_join_stage *stage, br_worker *worker,
                                 probe_state *state, const br_batch *batch, br_error *err)
{
    bool is_identity = state->pair_count == batch->row_count;
    for (uint32_t i = 0; is_identity && i < state->pair_count; i++)
        is_identity = state->probe_rows[i] == i;
    pair_output pairs = {.batch = batch,
                         .probe_rows = is_identity ? NULL : state->probe_rows,
                         .build_rows = state->build_rows,
                         .count = state->pair_count};
    return push_pairs(stage, worker, &pairs, NULL, err);
}

// Goes through all candidates of the batch, and puts matches out where that is what the join does.
static br_status match_batch(const br_join_stage *stage, br_worker *worker, probe_state *state,
                             const br_batch *batch, const br_vector *keys, br_error *err)
{
    bool is_unique = stage->table.kind == BR_TABLE_UNIQUE;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    uint32_t row = 0, round = 0;
    while (true) {
        bool has_more = is_unique ? unique_candidates(state, batch->row_count, &row)
                                  : next_candidates(stage, state, batch->row_count, &row);
        if (!has_more) {
            // Rows that are still without a match try their next candidates.
            if (!stage->stops_at_first || is_unique || round == 0) return BR_OK;
            row = round = 0;
            continue;
        }
        round++;
        BR_TRY(br_run_poll(worker->run, err));
        BR_TRY(verify_keys(stage, worker, state, keys, err));
        BR_TRY(apply_residual(stage, worker, state, batch, err));
        note_matches(stage, state);
        if (stage->puts_out_pairs) BR_TRY(put_out_matches(stage, worker, state, batch, err));
        br_arena_rewind(worker->scratch, mark);
        if (worker->is_morsel_done) return BR_OK;
    }
}

// ---- probe rows after their matches are known ------------------------------------------------

// Rows of the batch whose matched flag is `wanted`.
static br_status put_out_rows(const br_join_stage *stage, br_worker *worker, probe_state *state,
                              const br_batch *batch, uint8_t wanted, br_error *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        state->probe_rows[count] = (uint16_t)i;
        count += state->matched[i] == wanted;
    }
    pair_output pairs = {.batch = batch,
                         .probe_rows = count == batch->row_count ? NULL : state->probe_rows,
                         .count = count};
    return push_pairs(stage, worker, &pairs, NULL, err);
}

static br_status put_out_single(const br_join_stage *stage, br_worker *worker, probe_state *state,
                                const br_batch *batch, br_error *err)
{
    bool has_none = false;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        if (state->matched[i]) continue;
        state->first_row[i] = BR_ROW_NONE;
        has_none = true;
    }
    pair_output pairs = {.batch = batch,
                         .build_rows = state->first_row,
                         .has_none = has_none,
                         .count = batch->row_count};
    return push_pairs(stage, worker, &pairs, NULL, err);
}

// Does a build row make the answer for an unmatched probe row unknown? The first keys are those of
// IN: a NULL on either side is unknown, and the others must be equal. The rest of the keys
// correlate, and must all be equal.
static bool is_unknown_pair(const br_join_stage *stage, const br_vector *keys, uint32_t probe_row,
                            uint32_t build_row, br_arena *scratch)
{
    uint32_t mark_key_count = stage->plan->join.mark_key_count;
    bool has_null = false;
    for (uint32_t k = 0; k < stage->table.key_count; k++) {
        br_value left = br_vector_value(&keys[k], probe_row, scratch);
        br_value right = br_vector_value(&stage->table.keys[k], build_row, scratch);
        bool is_null = left.class_ == BR_NULL || right.class_ == BR_NULL;
        has_null = has_null || (is_null && k < mark_key_count);
        if (is_null && k < mark_key_count) continue;
        if (is_null && !stage->table.null_safe[k]) return false;
        if (br_value_compare(&left, &right, stage->table.collations[k]) != 0) return false;
    }
    return has_null;
}

static bool has_null_key(const br_join_stage *stage, const br_vector *keys, uint32_t row)
{
    for (uint32_t k = 0; k < stage->plan->join.mark_key_count; k++)
        if (br_vector_is_null(&keys[k], row)) return true;
    return false;
}

typedef struct probe_batch {
    probe_state *state;
    const br_batch *batch;
    const br_vector *keys;
} probe_batch;

static br_status find_unknown(const br_join_stage *stage, br_worker *worker,
                              const probe_batch *probed, uint32_t row, bool *unknown_out,
                              br_error *err)
{
    probe_state *state = probed->state;
    bool is_null = has_null_key(stage, probed->keys, row);
    uint32_t count = is_null ? stage->table.rows.row_count : stage->null_row_count;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    *unknown_out = false;
    for (uint32_t next = 0; next < count && !*unknown_out;) {
        BR_TRY(br_run_poll(worker->run, err));
        state->pair_count = 0;
        for (; next < count && state->pair_count < BR_BATCH_ROWS; next++) {
            uint32_t build_row = is_null ? next : stage->null_rows[next];
            if (!is_unknown_pair(stage, probed->keys, row, build_row, worker->scratch)) continue;
            state->probe_rows[state->pair_count] = (uint16_t)row;
            state->build_rows[state->pair_count++] = build_row;
            if (stage->residual == NULL) break;
        }
        BR_TRY(apply_residual(stage, worker, state, probed->batch, err));
        *unknown_out = state->pair_count > 0;
        br_arena_rewind(worker->scratch, mark);
    }
    return BR_OK;
}

static br_status put_out_mark(const br_join_stage *stage, br_worker *worker,
                              const probe_state *state, const br_batch *batch,
                              const uint64_t *unknown, br_error *err)
{
    int64_t *marks = BR_ALLOC(worker->scratch, int64_t, batch->row_count);
    uint64_t *validity = BR_ALLOC(worker->scratch, uint64_t, br_bitmap_words(batch->row_count));
    if (marks == NULL || validity == NULL) return no_memory(worker, err);
    bool has_nulls = false;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        bool is_unknown = !state->matched[i] && br_bitmap_get(unknown, i);
        marks[i] = state->matched[i];
        validity[i >> 6] |= (uint64_t)!is_unknown << (i & 63);
        has_nulls |= is_unknown;
    }
    br_vector mark = {.class_ = BR_INT, .validity = has_nulls ? validity : NULL, .i64 = marks};
    pair_output pairs = {.batch = batch, .count = batch->row_count};
    return push_pairs(stage, worker, &pairs, &mark, err);
}

// Sets the bits of rows that the table leaves unknown.
static br_status find_unknowns(const br_join_stage *stage, br_worker *worker,
                               const probe_batch *probed, uint64_t *unknown, br_error *err)
{
    if (stage->join != BR_JOIN_MARK || stage->plan->join.mark_key_count == 0) return BR_OK;
    for (uint32_t i = 0; i < probed->batch->row_count; i++) {
        bool is_unknown;
        if (probed->state->matched[i] || br_bitmap_get(unknown, i)) continue;
        BR_TRY(find_unknown(stage, worker, probed, i, &is_unknown, err));
        if (is_unknown) br_bitmap_set(unknown, i);
    }
    return BR_OK;
}

bool br_join_finishes_probe(const br_join_stage *stage)
{
    if (stage->keeps_unmatched) return true;
    return !stage->build_left && (stage->join == BR_JOIN_SEMI || stage->join == BR_JOIN_ANTI ||
                                  stage->join == BR_JOIN_SINGLE || stage->join == BR_JOIN_MARK);
}

static br_status finish_batch(const br_join_stage *stage, br_worker *worker, probe_state *state,
                              const br_batch *batch, const uint64_t *unknown, br_error *err)
{
    if (!br_join_finishes_probe(stage)) return BR_OK;  // the rest is the build side's
    switch (stage->join) {
    case BR_JOIN_SEMI: return put_out_rows(stage, worker, state, batch, 1, err);
    case BR_JOIN_SINGLE:
        if (stage->passes == NULL) return put_out_single(stage, worker, state, batch, err);
        return put_out_rows(stage, worker, state, batch, 0, err);
    case BR_JOIN_MARK: return put_out_mark(stage, worker, state, batch, unknown, err);
    default: return put_out_rows(stage, worker, state, batch, 0, err);
    }
}

// The candidates of a batch in the table, and what becomes of them.
static br_status probe_table(const br_join_stage *stage, br_worker *worker, probe_state *state,
                             const br_batch *batch, uint64_t *unknown, br_error *err)
{
    const br_join_table *table = &stage->table;
    uint64_t nulls[BR_BATCH_ROWS / 64];
    br_vector *keys = BR_ALLOC(worker->scratch, br_vector, table->key_count);
    if (keys == NULL) return no_memory(worker, err);
    if (state->keys != NULL)
        BR_TRY(br_evaluate(state->keys, batch, worker->scratch, keys, err));
    bool has_nulls =
        br_keys_nulls(keys, table->key_count, table->null_safe, batch->row_count, nulls);
    br_join_probe probe = {.row_count = batch->row_count,
                           .keys = keys,
                           .nulls = has_nulls ? nulls : NULL,
                           .cursors = state->cursors,
                           .ends = state->ends,
                           .tags = state->tags};
    BR_TRY(br_join_table_look(table, &state->hashing, &probe, worker->scratch, err));
    BR_TRY(match_batch(stage, worker, state, batch, keys, err));
    const probe_batch probed = {.state = state, .batch = batch, .keys = keys};
    return find_unknowns(stage, worker, &probed, unknown, err);
}

// SINGLE: rows whose first match is in this block.
static br_status put_out_found(const br_join_stage *stage, br_worker *worker, probe_state *state,
                               const br_batch *batch, const uint64_t *before, br_error *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        state->probe_rows[count] = (uint16_t)i;
        state->build_rows[count] = state->first_row[i];
        count += state->matched[i] && !br_bitmap_get(before, i);
    }
    pair_output pairs = {.batch = batch,
                         .probe_rows = state->probe_rows,
                         .build_rows = state->build_rows,
                         .count = count};
    return push_pairs(stage, worker, &pairs, NULL, err);
}

// One of several passes of the probe rows.
static br_status pass_process(const br_join_stage *stage, br_worker *worker, probe_state *state,
                              const br_batch *batch, br_error *err)
{
    const br_join_passes *passes = stage->passes;
    uint64_t *matched = br_join_pass_bits(passes->matched, batch);
    uint64_t *unknown = br_join_pass_bits(passes->unknown, batch);
    for (uint32_t i = 0; i < batch->row_count; i++) state->matched[i] = br_bitmap_get(matched, i);
    if (passes->is_last) return finish_batch(stage, worker, state, batch, unknown, err);
    BR_TRY(probe_table(stage, worker, state, batch, unknown, err));
    if (stage->join == BR_JOIN_SINGLE)
        BR_TRY(put_out_found(stage, worker, state, batch, matched, err));
    for (uint32_t i = 0; i < batch->row_count; i++)
        if (state->matched[i]) br_bitmap_set(matched, i);
    return BR_OK;
}

static br_status probe_process(br_stage *base, br_worker *worker, const br_batch *batch,
                               br_error *err)
{
    br_join_stage *stage = (br_join_stage *)base;
    probe_state *state = br_worker_state(worker, base);
    if (stage->passes != NULL) return pass_process(stage, worker, state, batch, err);
    uint64_t unknown[BR_BATCH_ROWS / 64] = {0};
    memset(state->matched, 0, batch->row_count);
    BR_TRY(probe_table(stage, worker, state, batch, unknown, err));
    return finish_batch(stage, worker, state, batch, unknown, err);
}

const br_stage_kind br_join_probe_kind = {
    .name = "join",
    .open = probe_open,
    .process = probe_process,
};
