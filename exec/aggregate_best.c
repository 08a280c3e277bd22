// aggregate_best.c - MIN and MAX.
// SPDX-License-Identifier: Apache-2.0
#include "exec/aggregate_best.h"

#include <string.h>

#include "base/assert.h"
#include "exec/kernels/kernels.h"
#include "exec/rows.h"

enum { DATE_BYTES = 10, DATETIME_BYTES = 19 };

static int64_t best_of_all(const br_state_spec *spec, const int64_t *values,
                           const br_state_rows *rows)
{
    int64_t least, most;
    rows->run->kernels->min_max_i64(values, rows->row_count, &least, &most);
    return spec->is_max ? most : least;
}

static void update_int(const br_state_spec *spec, const br_argument *arg, br_state_array *array,
                       const br_state_rows *rows)
{
    int64_t *bests = (int64_t *)(void *)array->items;
    if (rows->groups == NULL && arg->vector.validity == NULL && arg->step == 1) {
        int64_t value = best_of_all(spec, arg->vector.i64, rows);
        bool is_better = spec->is_max ? value > bests[0] : value < bests[0];
        if (is_better || !array->flags[0]) bests[0] = value;
        array->flags[0] = BR_FLAG_PRESENT;
        return;
    }
    for (uint32_t i = 0; i < rows->row_count; i++) {
        if (!br_argument_is_valid(arg, i)) continue;
        uint32_t group = br_state_group(rows, i);
        int64_t value = arg->vector.i64[i * arg->step];
        bool is_better = spec->is_max ? value > bests[group] : value < bests[group];
        if (is_better || !array->flags[group]) bests[group] = value;
        array->flags[group] = BR_FLAG_PRESENT;
    }
}

static void update_real(const br_state_spec *spec, const br_argument *arg, br_state_array *array,
                        const br_state_rows *rows)
{
    double *bests = (double *)(void *)array->items;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        if (!br_argument_is_valid(arg, i)) continue;
        uint32_t group = br_state_group(rows, i);
        double value = arg->vector.f64[i * arg->step];
        bool is_better = spec->is_max ? value > bests[group] : value < bests[group];
        if (is_better || !array->flags[group]) bests[group] = value;
        array->flags[group] = BR_FLAG_PRESENT;
    }
}

// ---- values of any class ---------------------------------------------------------------------

br_status br_state_keep_value(const br_state_rows *rows, br_value *value, br_error *err)
{
    if (value->class_ != BR_TEXT && value->class_ != BR_BLOB) return BR_OK;
    char *bytes = br_arena_copy_text(rows->keep, value->text.data, value->text.size);
    if (bytes == NULL) return br_run_no_memory(rows->run, "aggregation", err);
    value->text.data = bytes;
    return BR_OK;
}

br_status br_state_keep_values(br_state_array *array, const br_state_rows *rows, br_error *err)
{
    br_value *values = (br_value *)(void *)array->items;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        uint32_t group = br_state_group(rows, i);
        if ((array->flags[group] & BR_FLAG_BORROWED) == 0) continue;
        array->flags[group] &= (uint8_t)~BR_FLAG_BORROWED;
        BR_TRY(br_state_keep_value(rows, &values[group], err));
        if (rows->groups == NULL) break;
    }
    return BR_OK;
}

bool br_state_is_better(const br_state_spec *spec, const br_value *value, const br_value *best)
{
    if (best->class_ == BR_NULL) return true;
    int order = br_value_compare(value, best, spec->collation);
    return spec->is_max ? order > 0 : order < 0;
}

static br_status update_any(const br_state_spec *spec, br_state_array *array,
                            const br_state_rows *rows, br_error *err)
{
    br_value *bests = (br_value *)(void *)array->items;
    bool has_borrowed = false;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        br_value value = br_vector_value(&rows->vectors[spec->arg], i, rows->scratch);
        uint32_t group = br_state_group(rows, i);
        if (value.class_ == BR_NULL || !br_state_is_better(spec, &value, &bests[group])) continue;
        bests[group] = value;
        array->flags[group] |= BR_FLAG_BORROWED;
        has_borrowed = true;
    }
    return has_borrowed ? br_state_keep_values(array, rows, err) : BR_OK;
}

// ---- texts -----------------------------------------------------------------------------------

br_text br_best_text_of(const br_best_text *best, uint8_t flag, char *bytes)
{
    switch (flag) {
    case BR_BEST_IS_DATE: br_date_format(best->number, bytes); break;
    case BR_BEST_IS_DATETIME: br_datetime_format(best->number, bytes); break;
    default: return best->text;
    }
    return br_text_make(bytes, flag == BR_BEST_IS_DATE ? DATE_BYTES : DATETIME_BYTES);
}

static bool text_is_better(const br_state_spec *spec, br_text text, const br_best_text *best,
                           uint8_t flag)
{
    char bytes[DATETIME_BYTES];
    if (flag == BR_BEST_NONE) return true;
    br_text other = br_best_text_of(best, flag & (uint8_t)~BR_BEST_BORROWED, bytes);
    int order = br_text_collate(text, other, spec->collation);
    return spec->is_max ? order > 0 : order < 0;
}

// Dates compare as their numbers; text is made only where they meet other texts.
static void update_times(const br_state_spec *spec, br_state_array *array,
                         const br_state_rows *rows)
{
    const br_vector *vector = &rows->vectors[spec->arg];
    br_best_text *bests = (br_best_text *)(void *)array->items;
    uint8_t own = vector->kind == BR_VECTOR_DATE ? BR_BEST_IS_DATE : BR_BEST_IS_DATETIME;
    char bytes[DATETIME_BYTES];
    // The best of a batch is enough when there is one group.
    int64_t batch_best = 0;
    bool is_single = rows->groups == NULL && vector->validity == NULL;
    if (is_single) batch_best = best_of_all(spec, vector->i64, rows);
    for (uint32_t i = 0; i < (is_single ? 1 : rows->row_count); i++) {
        if (vector->validity != NULL && !br_bitmap_get(vector->validity, i)) continue;
        uint32_t group = br_state_group(rows, i);
        br_best_text value = {.number = is_single ? batch_best : vector->i64[i]};
        uint8_t flag = array->flags[group];
        bool is_better = flag == BR_BEST_NONE;
        if (flag == own) {
            is_better = spec->is_max ? value.number > bests[group].number
                                     : value.number < bests[group].number;
        } else if (flag != BR_BEST_NONE) {
            is_better = text_is_better(spec, br_best_text_of(&value, own, bytes), &bests[group],
                                       flag);
        }
        if (!is_better) continue;
        bests[group].number = value.number;
        array->flags[group] = own;
    }
}

static br_status keep_texts(br_state_array *array, const br_state_rows *rows, br_error *err)
{
    br_best_text *bests = (br_best_text *)(void *)array->items;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        uint32_t group = br_state_group(rows, i);
        if ((array->flags[group] & BR_BEST_BORROWED) == 0) continue;
        array->flags[group] = BR_BEST_IS_TEXT;
        br_text *text = &bests[group].text;
        text->data = br_arena_copy_text(rows->keep, text->data, text->size);
        if (text->data == NULL) return br_run_no_memory(rows->run, "aggregation", err);
        if (rows->groups == NULL) break;
    }
    return BR_OK;
}

static br_status update_texts(const br_state_spec *spec, const br_argument *arg,
                              br_state_array *array, const br_state_rows *rows, br_error *err)
{
    br_best_text *bests = (br_best_text *)(void *)array->items;
    bool has_borrowed = false;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        if (!br_argument_is_valid(arg, i)) continue;
        uint32_t group = br_state_group(rows, i);
        br_text text = arg->vector.text[i * arg->step];
        if (!text_is_better(spec, text, &bests[group], array->flags[group])) continue;
        bests[group].text = text;
        array->flags[group] = BR_BEST_IS_TEXT | BR_BEST_BORROWED;
        has_borrowed = true;
    }
    return has_borrowed ? keep_texts(array, rows, err) : BR_OK;
}

// ---- dispatch --------------------------------------------------------------------------------

br_status br_best_update(const br_state_spec *spec, br_state_array *array,
                         const br_state_rows *rows, br_error *err)
{
    br_argument arg;
    const br_vector *vector = &rows->vectors[spec->arg];
    if (vector->class_ == BR_NULL) return BR_OK;
    if (spec->kind == BR_STATE_BEST_ANY) return update_any(spec, array, rows, err);
    if (br_is_time_kind(vector->kind)) {
        update_times(spec, array, rows);
        return BR_OK;
    }
    BR_TRY(br_state_argument(rows, spec->arg, &arg, err));
    if (spec->kind == BR_STATE_BEST_TEXT) return update_texts(spec, &arg, array, rows, err);
    if (spec->kind == BR_STATE_BEST_INT) update_int(spec, &arg, array, rows);
    else update_real(spec, &arg, array, rows);
    return BR_OK;
}

static bool state_is_better(const br_state_spec *spec, const void *item, uint8_t flag,
                            const void *from, uint8_t from_flag)
{
    char bytes[DATETIME_BYTES];
    switch (spec->kind) {
    case BR_STATE_BEST_INT: {
        int64_t value = *(const int64_t *)from, best = *(const int64_t *)item;
        return from_flag && (!flag || (spec->is_max ? value > best : value < best));
    }
    case BR_STATE_BEST_REAL: {
        double value = *(const double *)from, best = *(const double *)item;
        return from_flag && (!flag || (spec->is_max ? value > best : value < best));
    }
    case BR_STATE_BEST_TEXT:
        return from_flag != BR_BEST_NONE &&
               text_is_better(spec, br_best_text_of(from, from_flag, bytes), item, flag);
    default: {
        const br_value *value = from;
        return value->class_ != BR_NULL && br_state_is_better(spec, value, item);
    }
    }
}

void br_best_merge(const br_state_spec *spec, br_state_array *array, const uint32_t *groups,
                   const br_state_array *from, uint32_t first, uint32_t count)
{
    size_t item_bytes = br_state_item_bytes(spec->kind);
    for (uint32_t i = 0; i < count; i++) {
        char *item = array->items + groups[i] * item_bytes;
        const char *other = from->items + (first + i) * item_bytes;
        uint8_t *flag = &array->flags[groups[i]], other_flag = from->flags[first + i];
        if (!state_is_better(spec, item, *flag, other, other_flag)) continue;
        memcpy(item, other, item_bytes);
        *flag = other_flag;
    }
}
