// eval_dictionary.c - expressions over one DICT column, computed once per dictionary entry.
//
// A dictionary may have more entries than the rows that are left of its chunk. So a node is
// computed row by row until as many rows have been seen as there are entries; then the entries are
// computed once and kept until the next dictionary comes.
//
// An entry may fail although no row has it. Then rows are computed one by one, and fail or not.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"

enum { TEXT_BLOCK_BYTES = 65536 };

// Bytes of results, kept in blocks that the next dictionary uses again.
typedef struct text_block {
    struct text_block *next;
    uint32_t used_bytes, capacity_bytes;
    char *bytes;
} text_block;

struct br_dictionary_result {
    uint64_t dictionary_id;  // 0: none yet
    uint64_t rows_seen;
    bool failed;
    uint32_t capacity;       // entries that the arrays have room for, one for NULL rows included
    uint32_t generation;     // makes the ids of derived dictionaries differ
    text_block *blocks, *current_block;

    bool has_values;
    br_value *values;        // per entry; [size] is the result for NULL rows
    void *items;             // typed copy of them
    bool has_null_entries;
    br_class class_;
    br_dictionary derived;

    bool has_condition;
    uint64_t *is_true, *is_null;  // per entry; bit [size] is the result for NULL rows
    bool is_ever_null;
};

// ---- the state of a node ---------------------------------------------------------------------

static br_status result_reserve(br_dictionary_result *result, uint32_t size, br_arena *arena,
                                br_error *err)
{
    if (size + 1 <= result->capacity) return BR_OK;
    uint32_t capacity = result->capacity * 2 > size + 64 ? result->capacity * 2 : size + 64;
    result->values = br_arena_alloc(arena, capacity * sizeof *result->values, 64);
    result->items = br_arena_alloc(arena, capacity * sizeof(br_text), 64);
    result->is_true = BR_ALLOC(arena, uint64_t, br_bitmap_words(capacity) + 1);
    result->is_null = BR_ALLOC(arena, uint64_t, br_bitmap_words(capacity) + 1);
    if (result->values == NULL || result->items == NULL || result->is_true == NULL ||
        result->is_null == NULL)
        return br_evaluate_no_memory(err);
    result->capacity = capacity;
    return BR_OK;
}

static void result_reset(br_dictionary_result *result, uint64_t dictionary_id)
{
    result->dictionary_id = dictionary_id;
    result->rows_seen = 0;
    result->failed = result->has_values = result->has_condition = false;
    result->current_block = result->blocks;
    if (result->blocks != NULL) result->blocks->used_bytes = 0;
}

// The state when the node is worth computing per entry; *result_out is NULL when it is not.
static br_status find_result(br_frame *frame, const br_node *node, br_vector *column_out,
                             br_dictionary_result **result_out, br_error *err)
{
    br_evaluator *evaluator = frame->evaluator;
    *result_out = NULL;
    if (node->single_column >= BR_NODE_COLUMN_MANY || node->kind == BR_EXPR_COLUMN) return BR_OK;
    BR_TRY(br_node_vector(frame, evaluator->program->columns[node->single_column], column_out,
                          err));
    if (column_out->kind != BR_VECTOR_DICT || column_out->dictionary->size == 0) return BR_OK;
    br_dictionary_result *result = evaluator->dictionary_results[node->index];
    if (result == NULL) {
        result = BR_ALLOC(evaluator->arena, br_dictionary_result, 1);
        if (result == NULL) return br_evaluate_no_memory(err);
        evaluator->dictionary_results[node->index] = result;
    }
    if (result->dictionary_id != column_out->dictionary->id)
        result_reset(result, column_out->dictionary->id);
    result->rows_seen += frame->row_count;
    if (!result->failed && result->rows_seen >= column_out->dictionary->size) *result_out = result;
    return BR_OK;
}

// ---- computing the entries -------------------------------------------------------------------

// A frame over some entries, or over one NULL row.
static br_status entries_frame(br_frame *entries, br_frame *frame, const br_node *node,
                               const br_vector *values, uint32_t count, br_error *err)
{
    br_vector *columns =
        BR_ALLOC(frame->arena, br_vector, frame->evaluator->program->column_count);
    if (columns == NULL) return br_evaluate_no_memory(err);
    columns[node->single_column] = *values;
    return br_frame_init(entries, frame->evaluator, columns, count, frame->arena, err);
}

static br_vector slice_of(const br_vector *values, uint32_t first)
{
    br_vector slice = *values;
    bool is_number = values->class_ == BR_INT || values->class_ == BR_REAL;
    if (is_number) slice.i64 += first;
    else slice.text += first;
    return slice;
}

// Text that a result shares with its entry lives as long as the dictionary; other text is copied.
static br_status keep_text(br_dictionary_result *result, br_arena *arena, const br_vector *entries,
                           uint32_t entry, br_value *value, br_error *err)
{
    uint32_t size = value->text.size;
    if (entries != NULL && (entries->class_ == BR_TEXT || entries->class_ == BR_BLOB)) {
        br_text own = entries->text[entry];
        if (value->text.data >= own.data && value->text.data + size <= own.data + own.size)
            return BR_OK;
    }
    text_block *block = result->current_block;
    while (block != NULL && block->capacity_bytes - block->used_bytes < size) {
        block = block->next;
        if (block != NULL) block->used_bytes = 0;
    }
    if (block == NULL) {
        block = BR_ALLOC(arena, text_block, 1);
        if (block == NULL) return br_evaluate_no_memory(err);
        block->capacity_bytes = size > TEXT_BLOCK_BYTES ? size : TEXT_BLOCK_BYTES;
        block->bytes = br_arena_alloc(arena, block->capacity_bytes, 1);
        if (block->bytes == NULL) return br_evaluate_no_memory(err);
        block->next = NULL;
        text_block **last = &result->blocks;
        while (*last != NULL) last = &(*last)->next;
        *last = block;
    }
    result->current_block = block;
    char *copy = block->bytes + block->used_bytes;
    if (size > 0) memcpy(copy, value->text.data, size);
    block->used_bytes += size;
    value->text = br_text_make(copy, size);
    return BR_OK;
}

// What was computed for some entries has been copied; the evaluator's own memory stays.
static void scratch_give_back(const br_frame *frame, br_arena_mark mark)
{
    if (frame->arena != frame->evaluator->arena) br_arena_rewind(frame->arena, mark);
}

static br_status compute_values_of(br_frame *frame, const br_node *node, const br_vector *entries,
                                   uint32_t first, uint32_t count, br_dictionary_result *result,
                                   br_error *err)
{
    br_arena_mark mark = br_arena_get_mark(frame->arena);
    br_frame subframe;
    br_vector vector;
    BR_TRY(entries_frame(&subframe, frame, node, entries, count, err));
    BR_TRY(br_node_vector(&subframe, node, &vector, err));
    bool has_bytes = entries->class_ != BR_NULL;
    for (uint32_t i = 0; i < count; i++) {
        br_value *value = &result->values[first + i];
        *value = br_vector_value(&vector, i, frame->arena);
        if (value->class_ == BR_TEXT || value->class_ == BR_BLOB)
            BR_TRY(keep_text(result, frame->evaluator->arena, has_bytes ? entries : NULL, i, value,
                             err));
    }
    if (br_arena_failed(frame->arena)) return br_evaluate_no_memory(err);
    scratch_give_back(frame, mark);
    return BR_OK;
}

// The typed copy of the values, when they and the result for NULL rows are of one class.
static void derive_dictionary(br_dictionary_result *result, const br_dictionary *dictionary)
{
    unsigned mask = 0;
    result->has_null_entries = false;
    for (uint32_t i = 0; i <= dictionary->size; i++) mask |= 1u << result->values[i].class_;
    result->class_ = br_class_of_mask(mask);
    if (result->class_ == BR_ANY || result->class_ == BR_NULL) return;
    bool is_number = result->class_ == BR_INT || result->class_ == BR_REAL;
    for (uint32_t i = 0; i <= dictionary->size; i++) {
        const br_value *value = &result->values[i];
        bool is_null = value->class_ == BR_NULL;
        result->has_null_entries |= is_null && i < dictionary->size;
        if (is_number) ((int64_t *)result->items)[i] = is_null ? 0 : value->i64;
        else ((br_text *)result->items)[i] = is_null ? br_text_make("", 0) : value->text;
    }
    bool has_null_result = result->values[dictionary->size].class_ == BR_NULL;
    // Unique while the evaluator lives: its own address, and which dictionary this is.
    result->derived.id = 1ull << 63 | ((uint64_t)(uintptr_t)result >> 4) << 19 |
                         (result->generation++ & 0x7ffff);
    result->derived.size = dictionary->size + !has_null_result;
    result->derived.values =
        (br_vector){.class_ = (uint8_t)result->class_, .data = result->items};
}

static br_status compute_values(br_frame *frame, const br_node *node,
                                const br_dictionary *dictionary, br_dictionary_result *result,
                                br_error *err)
{
    BR_TRY(result_reserve(result, dictionary->size, frame->evaluator->arena, err));
    for (uint32_t first = 0; first < dictionary->size; first += BR_BATCH_ROWS) {
        uint32_t left = dictionary->size - first;
        br_vector slice = slice_of(&dictionary->values, first);
        BR_TRY(compute_values_of(frame, node, &slice, first,
                                 left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS, result, err));
    }
    br_vector null = br_vector_null();
    BR_TRY(compute_values_of(frame, node, &null, dictionary->size, 1, result, err));
    derive_dictionary(result, dictionary);
    result->has_values = true;
    return BR_OK;
}

static br_status compute_condition_of(br_frame *frame, const br_node *node,
                                      const br_vector *entries, uint32_t first, uint32_t count,
                                      br_dictionary_result *result, br_error *err)
{
    br_arena_mark mark = br_arena_get_mark(frame->arena);
    br_frame subframe;
    br_condition condition;
    BR_TRY(entries_frame(&subframe, frame, node, entries, count, err));
    BR_TRY(br_node_condition(&subframe, node, &condition, err));
    result->is_ever_null |= condition.is_null != NULL;
    for (uint32_t i = 0; i < count; i++) {
        bool is_null = condition.is_null != NULL && br_bitmap_get(condition.is_null, i);
        if (br_bitmap_get(condition.is_true, i)) br_bitmap_set(result->is_true, first + i);
        if (is_null) br_bitmap_set(result->is_null, first + i);
    }
    scratch_give_back(frame, mark);
    return BR_OK;
}

static br_status compute_condition(br_frame *frame, const br_node *node,
                                   const br_dictionary *dictionary, br_dictionary_result *result,
                                   br_error *err)
{
    BR_TRY(result_reserve(result, dictionary->size, frame->evaluator->arena, err));
    size_t bytes = (br_bitmap_words(dictionary->size + 1)) * sizeof(uint64_t);
    memset(result->is_true, 0, bytes);
    memset(result->is_null, 0, bytes);
    result->is_ever_null = false;
    for (uint32_t first = 0; first < dictionary->size; first += BR_BATCH_ROWS) {
        uint32_t left = dictionary->size - first;
        br_vector slice = slice_of(&dictionary->values, first);
        BR_TRY(compute_condition_of(frame, node, &slice, first,
                                    left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS, result, err));
    }
    br_vector null = br_vector_null();
    BR_TRY(compute_condition_of(frame, node, &null, dictionary->size, 1, result, err));
    result->has_condition = true;
    return BR_OK;
}

// An error other than of memory only means: not per entry.
static br_status tolerate(br_status status, br_dictionary_result *result, br_error *err)
{
    if (status == BR_OK) return BR_OK;
    result->failed = true;
    return status == BR_NOMEM ? br_evaluate_no_memory(err) : BR_OK;
}

// ---- results for rows ------------------------------------------------------------------------

static br_status rows_as_values(const br_frame *frame, const br_vector *column,
                                const br_dictionary_result *result, br_vector *out, br_error *err)
{
    br_value *values = BR_ALLOC(frame->arena, br_value, frame->row_count);
    if (values == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        bool is_null = br_vector_is_null(column, row);
        values[row] = result->values[is_null ? column->dictionary->size : column->codes[row]];
    }
    *out = (br_vector){.class_ = BR_ANY, .any = values};
    return BR_OK;
}

static br_status rows_validity(const br_frame *frame, const br_vector *column,
                               const br_dictionary_result *result, const uint64_t **out,
                               br_error *err)
{
    bool keeps_nulls = result->derived.size == column->dictionary->size;
    *out = keeps_nulls ? column->validity : NULL;
    if (!result->has_null_entries) return BR_OK;
    uint64_t *validity = br_frame_bits(frame);
    if (validity == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        bool is_null = br_vector_is_null(column, row);
        uint32_t entry = is_null ? column->dictionary->size : column->codes[row];
        if (result->values[entry].class_ != BR_NULL) br_bitmap_set(validity, row);
    }
    *out = validity;
    return BR_OK;
}

// NULL rows get the code of their result, when that is not NULL.
static br_status rows_codes(const br_frame *frame, const br_vector *column,
                            const br_dictionary_result *result, const uint32_t **out,
                            br_error *err)
{
    *out = column->codes;
    if (column->validity == NULL || result->derived.size == column->dictionary->size)
        return BR_OK;
    uint32_t *codes = br_arena_alloc(frame->arena, frame->row_count * sizeof *codes, 64);
    if (codes == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        bool is_null = !br_bitmap_get(column->validity, row);
        codes[row] = is_null ? column->dictionary->size : column->codes[row];
    }
    *out = codes;
    return BR_OK;
}

br_status br_dictionary_vector(br_frame *frame, const br_node *node, bool *done_out,
                               br_vector *out, br_error *err)
{
    br_vector column;
    br_dictionary_result *result;
    br_error ignored = {0};
    *done_out = false;
    BR_TRY(find_result(frame, node, &column, &result, err));
    if (result == NULL) return BR_OK;
    if (!result->has_values) {
        br_status status = compute_values(frame, node, column.dictionary, result, &ignored);
        BR_TRY(tolerate(status, result, err));
        if (result->failed) return BR_OK;
    }
    *done_out = true;
    if (result->class_ == BR_ANY) return rows_as_values(frame, &column, result, out, err);
    *out = br_vector_null();
    if (result->class_ == BR_NULL) return BR_OK;
    br_vector vector = {.class_ = (uint8_t)result->class_, .kind = BR_VECTOR_DICT,
                        .dictionary = &result->derived};
    BR_TRY(rows_validity(frame, &column, result, &vector.validity, err));
    BR_TRY(rows_codes(frame, &column, result, &vector.codes, err));
    *out = vector;
    return BR_OK;
}

// Looks rows up among the entries' bits.
static br_status rows_bits(const br_frame *frame, const br_vector *column, const uint64_t *table,
                           uint64_t **out, br_error *err)
{
    uint64_t *bits = br_frame_bits(frame);
    if (bits == NULL) return br_evaluate_no_memory(err);
    frame->evaluator->kernels->lookup_bits(column->codes, frame->row_count, table, bits);
    *out = bits;
    if (column->validity == NULL) return BR_OK;
    uint64_t null_bits = br_bitmap_get(table, column->dictionary->size) ? UINT64_MAX : 0;
    uint32_t words = br_bitmap_words(frame->row_count);
    for (uint32_t i = 0; i < words; i++) {
        bits[i] = (bits[i] & column->validity[i]) | (null_bits & ~column->validity[i]);
    }
    if (frame->row_count % 64 != 0) bits[words - 1] &= (1ull << (frame->row_count % 64)) - 1;
    return BR_OK;
}

br_status br_dictionary_condition(br_frame *frame, const br_node *node, bool *done_out,
                                  br_condition *out, br_error *err)
{
    br_vector column;
    br_dictionary_result *result;
    br_error ignored = {0};
    *done_out = false;
    BR_TRY(find_result(frame, node, &column, &result, err));
    if (result == NULL) return BR_OK;
    if (!result->has_condition) {
        br_status status = compute_condition(frame, node, column.dictionary, result, &ignored);
        BR_TRY(tolerate(status, result, err));
        if (result->failed) return BR_OK;
    }
    uint64_t *is_true, *is_null = NULL;
    BR_TRY(rows_bits(frame, &column, result->is_true, &is_true, err));
    if (result->is_ever_null) BR_TRY(rows_bits(frame, &column, result->is_null, &is_null, err));
    *out = (br_condition){.is_true = is_true, .is_null = is_null};
    *done_out = true;
    return BR_OK;
}
