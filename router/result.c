// SPDX-License-Identifier: Apache-2.0
#include "router/result.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/heap.h"

// A braid_value and a braid_text are our own in public clothes: chunks are handed out in place.
static_assert(sizeof(braid_text) == sizeof(br_text), "same layout");
static_assert(offsetof(braid_text, size) == offsetof(br_text, size), "same layout");
static_assert(sizeof(braid_value) == sizeof(br_value), "same layout");
static_assert(offsetof(braid_value, as) == offsetof(br_value, i64), "same layout");
static_assert((int)BRAID_NULL == (int)BR_NULL && (int)BRAID_INTEGER == (int)BR_INT &&
                  (int)BRAID_REAL == (int)BR_REAL && (int)BRAID_TEXT == (int)BR_TEXT &&
                  (int)BRAID_BLOB == (int)BR_BLOB && (int)BRAID_ANY == (int)BR_ANY,
              "same numbers");

// CONST vectors become arrays: the public promise is one element per row.
static br_status column_make(br_arena *arena, const br_vector *vector, uint32_t row_count,
                             braid_column *column_out, br_error *err)
{
    br_vector flat;
    if (vector->class_ == BR_NULL) {
        *column_out = (braid_column){.type = BRAID_NULL};
        return BR_OK;
    }
    BR_TRY(br_vector_flatten(vector, row_count, arena, &flat, err));
    *column_out = (braid_column){.type = (braid_type)flat.class_, .validity = flat.validity};
    column_out->as.integers = flat.i64;
    return BR_OK;
}

static br_status result_fill(braid_result *wrapped, br_error *err)
{
    br_result *result = wrapped->outcome->result;
    br_arena *arena = result->arena;
    wrapped->chunks = BR_ALLOC(arena, braid_chunk, result->batch_count);
    wrapped->chunk_first_rows = BR_ALLOC(arena, uint64_t, result->batch_count + 1u);
    if (wrapped->chunks == NULL || wrapped->chunk_first_rows == NULL)
        return br_fail(err, BR_NOMEM, "result of %u chunks", result->batch_count);
    uint64_t first_row = 0;
    for (uint32_t i = 0; i < result->batch_count; i++) {
        const br_batch *batch = &result->batches[i];
        braid_column *columns = BR_ALLOC(arena, braid_column, result->column_count);
        if (columns == NULL) return br_fail(err, BR_NOMEM, "chunk of a result");
        for (uint32_t column = 0; column < result->column_count; column++)
            BR_TRY(column_make(arena, &batch->columns[column], batch->row_count, &columns[column],
                               err));
        wrapped->chunks[i] = (braid_chunk){.row_count = batch->row_count,
                                           .column_count = result->column_count,
                                           .columns = columns};
        wrapped->chunk_first_rows[i] = first_row;
        first_row += batch->row_count;
    }
    wrapped->chunk_first_rows[result->batch_count] = first_row;
    return BR_OK;
}

br_status br_result_wrap(br_outcome *outcome, braid_result **result_out, br_error *err)
{
    braid_result *wrapped = br_heap_zalloc(sizeof *wrapped);
    if (wrapped == NULL) {
        br_outcome_free(outcome);
        return br_fail(err, BR_NOMEM, "result");
    }
    wrapped->outcome = outcome;
    br_status status = result_fill(wrapped, err);
    if (status != BR_OK) {
        braid_result_free(wrapped);
        return status;
    }
    *result_out = wrapped;
    return BR_OK;
}

void braid_result_free(braid_result *result)
{
    if (result == NULL) return;
    br_outcome_free(result->outcome);
    br_heap_free(result);
}

uint32_t braid_column_count(const braid_result *result)
{
    return result->outcome->result->column_count;
}

const char *braid_column_name(const braid_result *result, uint32_t column)
{
    if (column >= braid_column_count(result)) return NULL;
    return result->outcome->result->column_names[column];
}

uint64_t braid_row_count(const braid_result *result)
{
    return result->outcome->result->row_count;
}

void braid_result_get_info(const braid_result *result, braid_result_info *info)
{
    const br_outcome *outcome = result->outcome;
    braid_result_info full = {
        .size = info->size,
        .engine = (braid_engine)outcome->engine,
        .reason = outcome->reason,
        .seq = outcome->seq,
        .lag_ms = outcome->lag_ms,
        .delta_rows = outcome->result->delta_rows,
        .run_ms = outcome->run_ms,
    };
    memcpy(info, &full, info->size < sizeof full ? info->size : sizeof full);
}

uint32_t braid_chunk_count(const braid_result *result)
{
    return result->outcome->result->batch_count;
}

void braid_chunk_get(const braid_result *result, uint32_t index, braid_chunk *chunk_out)
{
    if (index < braid_chunk_count(result))
        *chunk_out = result->chunks[index];
    else
        *chunk_out = (braid_chunk){0};
}

// The chunk that holds the row, by binary search: chunks may have any number of rows.
static uint32_t chunk_of_row(const braid_result *result, uint64_t row)
{
    uint32_t low = 0, high = braid_chunk_count(result);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (result->chunk_first_rows[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

braid_value braid_value_get(const braid_result *result, uint64_t row, uint32_t column)
{
    braid_value value = {.type = BRAID_NULL};
    if (row >= braid_row_count(result) || column >= braid_column_count(result)) return value;
    uint32_t chunk = chunk_of_row(result, row);
    const braid_column *source = &result->chunks[chunk].columns[column];
    uint64_t index = row - result->chunk_first_rows[chunk];
    if (source->type == BRAID_ANY) return source->as.values[index];
    if (source->type == BRAID_NULL) return value;
    if (source->validity != NULL && (source->validity[index / 64] >> (index % 64) & 1) == 0)
        return value;
    value.type = (uint8_t)source->type;
    if (source->type == BRAID_INTEGER)
        value.as.integer = source->as.integers[index];
    else if (source->type == BRAID_REAL)
        value.as.real = source->as.reals[index];
    else
        value.as.text = source->as.texts[index];
    return value;
}
