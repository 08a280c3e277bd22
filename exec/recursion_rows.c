// SPDX-License-Identifier: Apache-2.0
#include "exec/recursion_rows.h"

#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/rows.h"
#include "exec/sort.h"

static br_status no_memory(const br_recursion_rows *rows, br_error *err)
{
    return br_run_no_memory(rows->run, "a recursion", err);
}

static br_status groups_begin(br_recursion_rows *rows, br_error *err)
{
    BR_TRY(br_memory_new(rows->run, &rows->memory, err));
    br_arena *arena = br_memory_arena(rows->memory, 0);
    if (arena == NULL) return no_memory(rows, err);
    return br_groups_init(&rows->groups, rows->run, arena, arena, rows->collations,
                          rows->plan->column_count, err);
}

br_status br_recursion_rows_init(br_recursion_rows *rows, br_run *run, const br_plan *plan,
                                 br_error *err)
{
    *rows = (br_recursion_rows){.run = run, .plan = plan};
    rows->collations = BR_ALLOC(run->arena, br_collation, plan->column_count);
    rows->numbers = BR_ALLOC(run->arena, uint32_t, BR_BATCH_ROWS);
    if (rows->collations == NULL || rows->numbers == NULL) return no_memory(rows, err);
    for (uint32_t i = 0; i < plan->column_count; i++)
        rows->collations[i] = plan->columns[i].collation;
    return groups_begin(rows, err);
}

void br_recursion_rows_release(br_recursion_rows *rows)
{
    br_memory_free(rows->run, rows->memory);
    rows->memory = NULL;
}

br_status br_recursion_rows_add(br_recursion_rows *rows, const br_batch *batch, br_arena *scratch,
                                br_error *err)
{
    if (rows->plan->recursive.distinct)
        return br_groups_find(&rows->groups, batch->columns, batch->row_count, NULL, scratch,
                              rows->numbers, err);
    BR_TRY(br_groups_reserve(&rows->groups, batch->row_count, err));
    return br_groups_add_keys(&rows->groups, batch->columns, NULL, batch->row_count, scratch, err);
}

// ---- reading ---------------------------------------------------------------------------------

static br_status slice_validity(const br_recursion_rows *rows, uint32_t first, uint32_t count,
                                br_arena *scratch, br_vector *vector, br_error *err)
{
    if (vector->validity == NULL) return BR_OK;
    if (first % 64 == 0) {
        vector->validity += first / 64;
        return BR_OK;
    }
    uint64_t *bits = BR_ALLOC(scratch, uint64_t, br_bitmap_words(count));
    if (bits == NULL) return no_memory(rows, err);
    for (uint32_t i = 0; i < count; i++)
        if (br_bitmap_get(vector->validity, first + i)) br_bitmap_set(bits, i);
    vector->validity = bits;
    return BR_OK;
}

static br_status batch_new(const br_recursion_rows *rows, uint32_t count, br_arena *scratch,
                           br_vector **columns_out, br_batch *out, br_error *err)
{
    uint32_t column_count = rows->plan->column_count;
    br_assert(count <= BR_BATCH_ROWS);
    *columns_out = BR_ALLOC(scratch, br_vector, column_count);
    if (*columns_out == NULL) return no_memory(rows, err);
    *out = (br_batch){
        .row_count = count, .column_count = column_count, .columns = *columns_out};
    return BR_OK;
}

// A column that holds values of several classes may here have values of one, which is what whoever
// reads it may have been promised.
static br_status narrow(br_vector *vector, uint32_t count, br_arena *scratch, br_error *err)
{
    if (vector->class_ != BR_ANY) return BR_OK;
    return br_vector_of_values(vector->any, count, scratch, vector, err);
}

br_status br_recursion_rows_slice(const br_recursion_rows *rows, uint32_t first, uint32_t count,
                                  br_arena *scratch, br_batch *out, br_error *err)
{
    br_vector *columns;
    BR_TRY(batch_new(rows, count, scratch, &columns, out, err));
    for (uint32_t i = 0; i < out->column_count; i++) {
        br_vector *column = &columns[i];
        *column = br_groups_key(&rows->groups, i);
        if (column->class_ == BR_NULL) continue;
        size_t item_bytes = br_item_bytes(column->class_, column->kind);
        column->data = (const char *)column->data + first * item_bytes;
        BR_TRY(slice_validity(rows, first, count, scratch, column, err));
        BR_TRY(narrow(column, count, scratch, err));
    }
    return BR_OK;
}

br_status br_recursion_rows_pick(const br_recursion_rows *rows, const uint32_t *numbers,
                                 uint32_t count, br_arena *scratch, br_batch *out, br_error *err)
{
    br_vector *columns;
    BR_TRY(batch_new(rows, count, scratch, &columns, out, err));
    for (uint32_t i = 0; i < out->column_count; i++) {
        br_vector all = br_groups_key(&rows->groups, i);
        BR_TRY(br_column_pick(rows->run, &all, numbers, count, false, scratch, &columns[i], err));
        BR_TRY(narrow(&columns[i], count, scratch, err));
    }
    return BR_OK;
}

int br_recursion_rows_compare(const br_recursion_rows *rows, uint32_t left, uint32_t right,
                              br_arena *scratch)
{
    const br_plan *plan = rows->plan;
    int order = 0;
    for (uint32_t i = 0; i < plan->recursive.key_count && order == 0; i++) {
        br_vector column = br_groups_key(&rows->groups, plan->recursive.key_columns[i]);
        br_value left_value = br_vector_value(&column, left, scratch);
        br_value right_value = br_vector_value(&column, right, scratch);
        order = br_sort_compare(&left_value, &right_value, &plan->recursive.keys[i]);
    }
    return order;
}

// ---- dropping --------------------------------------------------------------------------------

br_status br_recursion_rows_drop(br_recursion_rows *rows, uint32_t first, br_arena *scratch,
                                 br_error *err)
{
    br_assert(!rows->plan->recursive.distinct);
    br_recursion_rows old = *rows;
    br_arena_mark mark = br_arena_get_mark(scratch);
    BR_TRY(groups_begin(rows, err));
    while (first < old.groups.count) {
        uint32_t left = old.groups.count - first;
        uint32_t count = left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS;
        br_batch batch;
        BR_TRY(br_recursion_rows_slice(&old, first, count, scratch, &batch, err));
        BR_TRY(br_recursion_rows_add(rows, &batch, scratch, err));
        br_arena_rewind(scratch, mark);
        first += count;
    }
    br_recursion_rows_release(&old);
    return BR_OK;
}
