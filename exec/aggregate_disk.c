// aggregate_disk.c - states on their way to disk and back.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/group_disk.h"

// ---- putting ---------------------------------------------------------------------------------

static bool put_items(br_spill_buffer *buffer, const char *items, size_t item_bytes,
                      const uint32_t *rows, uint32_t count)
{
    char *out = br_spill_put(buffer, count * item_bytes);
    if (out == NULL) return false;
    for (uint32_t i = 0; i < count; i++)
        memcpy(out + i * item_bytes, items + rows[i] * item_bytes, item_bytes);
    return true;
}

// `step` values behind one another per state, the states themselves at `stride`.
typedef struct value_places {
    const char *items;
    size_t stride;
    uint32_t step;
} value_places;

static bool put_values(br_spill_buffer *buffer, value_places places, const uint32_t *rows,
                       uint32_t count)
{
    size_t total = (size_t)count * places.step;
    br_value *values = BR_ALLOC(buffer->arena, br_value, total);
    if (values == NULL) return false;
    for (uint32_t i = 0; i < count; i++)
        memcpy(values + (size_t)i * places.step, places.items + rows[i] * places.stride,
               places.step * sizeof *values);
    return br_spill_put_values(buffer, values, (uint32_t)total);
}

static bool put_texts(br_spill_buffer *buffer, const br_state_array *array, const uint32_t *rows,
                      uint32_t count)
{
    const br_best_text *items = (const br_best_text *)(const void *)array->items;
    br_text *texts = BR_ALLOC(buffer->arena, br_text, count);
    int64_t *numbers = br_spill_put(buffer, count * sizeof *numbers);
    if (texts == NULL || numbers == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        const br_best_text *item = &items[rows[i]];
        numbers[i] = item->number;
        texts[i] = array->flags[rows[i]] == BR_BEST_IS_TEXT ? item->text : br_text_make("", 0);
    }
    return br_spill_put_texts(buffer, texts, NULL, count);
}

static bool put_list(br_spill_buffer *buffer, const br_state_spec *spec,
                     const br_concat_list *list)
{
    uint32_t width = 2 + spec->order_count;
    uint64_t *count = br_spill_put(buffer, sizeof *count);
    if (count == NULL || list->count > UINT32_MAX / width) return false;
    *count = list->count;
    br_value *values = BR_ALLOC(buffer->arena, br_value, list->count * width), *value = values;
    if (values == NULL) return false;
    for (const br_concat_item *item = list->first; item != NULL; item = item->next) {
        *value++ = item->value;
        *value++ = item->separator;
        for (uint32_t k = 0; k < spec->order_count; k++) *value++ = item->order[k];
    }
    return br_spill_put_values(buffer, values, (uint32_t)(list->count * width));
}

static bool put_numbers(br_spill_buffer *buffer, const br_number_list *list)
{
    uint64_t *count = br_spill_put(buffer, sizeof *count);
    if (count == NULL) return false;
    *count = list->count;
    double *numbers = br_spill_put(buffer, list->count * sizeof *numbers);
    if (numbers == NULL) return false;
    br_numbers_copy(list, numbers);
    return true;
}

bool br_state_put(br_spill_buffer *buffer, const br_state_spec *spec, const br_state_array *array,
                  const uint32_t *rows, uint32_t count)
{
    if (br_state_has_flags(spec->kind)) {
        uint8_t *flags = br_spill_put(buffer, count);
        if (flags == NULL) return false;
        for (uint32_t i = 0; i < count; i++) flags[i] = array->flags[rows[i]];
    }
    switch (spec->kind) {
    case BR_STATE_BEST_ANY:
    case BR_STATE_FIRST:
    case BR_STATE_LAST:
        return put_values(buffer, (value_places){array->items, sizeof(br_value), 1}, rows, count);
    case BR_STATE_ARG_BEST: {
        size_t item_bytes = sizeof(br_arg_best);
        // value and best lie side by side; has_value goes with the items, pointers and all.
        return put_items(buffer, array->items, item_bytes, rows, count) &&
               put_values(buffer, (value_places){array->items, item_bytes, 2}, rows, count);
    }
    case BR_STATE_BEST_TEXT: return put_texts(buffer, array, rows, count);
    case BR_STATE_CONCAT: {
        const br_concat_list *lists = (const br_concat_list *)(const void *)array->items;
        for (uint32_t i = 0; i < count; i++) {
            if (!put_list(buffer, spec, &lists[rows[i]])) return false;
        }
        return true;
    }
    case BR_STATE_NUMBERS: {
        const br_number_list *lists = (const br_number_list *)(const void *)array->items;
        for (uint32_t i = 0; i < count; i++) {
            if (!put_numbers(buffer, &lists[rows[i]])) return false;
        }
        return true;
    }
    default:  // kinds without pointers
        return put_items(buffer, array->items, br_state_item_bytes(spec->kind), rows, count);
    }
}

// ---- taking ----------------------------------------------------------------------------------

static bool take_texts(char **at, uint32_t count, br_arena *arena, br_state_array *out)
{
    const int64_t *numbers = br_spill_take(at, count * sizeof *numbers);
    const br_text *texts = br_spill_take_texts(at, count);
    br_best_text *items = BR_ALLOC(arena, br_best_text, count);
    if (items == NULL) return false;
    for (uint32_t i = 0; i < count; i++)
        items[i] = (br_best_text){.text = texts[i], .number = numbers[i]};
    out->items = (char *)items;
    return true;
}

static void take_arg_best(char **at, uint32_t count, br_state_array *out)
{
    br_arg_best *items = br_spill_take(at, count * sizeof *items);
    const br_value *values = br_spill_take_values(at, 2 * count);
    for (uint32_t i = 0; i < count; i++) {
        items[i].value = values[2 * i];
        items[i].best = values[2 * i + 1];
    }
    out->items = (char *)items;
}

static bool take_list(char **at, const br_state_spec *spec, br_arena *arena,
                      br_concat_list *list)
{
    uint32_t width = 2 + spec->order_count;
    uint64_t count = *(const uint64_t *)br_spill_take(at, sizeof count);
    const br_value *values = br_spill_take_values(at, (uint32_t)(count * width));
    *list = (br_concat_list){.count = count};
    for (uint64_t i = 0; i < count; i++, values += width) {
        size_t size_bytes = sizeof(br_concat_item) + spec->order_count * sizeof(br_value);
        br_concat_item *item = br_arena_zalloc(arena, size_bytes, 16);
        if (item == NULL) return false;
        item->value = values[0];
        item->separator = values[1];
        for (uint32_t k = 0; k < spec->order_count; k++) item->order[k] = values[2 + k];
        if (list->last == NULL) list->first = item;
        else list->last->next = item;
        list->last = item;
    }
    return true;
}

bool br_state_take(char **at, const br_state_spec *spec, uint32_t count, br_arena *arena,
                   br_state_array *out)
{
    *out = (br_state_array){0};
    if (br_state_has_flags(spec->kind)) out->flags = br_spill_take(at, count);
    switch (spec->kind) {
    case BR_STATE_BEST_ANY:
    case BR_STATE_FIRST:
    case BR_STATE_LAST: out->items = (char *)br_spill_take_values(at, count); return true;
    case BR_STATE_ARG_BEST: take_arg_best(at, count, out); return true;
    case BR_STATE_BEST_TEXT: return take_texts(at, count, arena, out);
    case BR_STATE_CONCAT: {
        br_concat_list *lists = BR_ALLOC(arena, br_concat_list, count);
        if (lists == NULL) return false;
        out->items = (char *)lists;
        for (uint32_t i = 0; i < count; i++) {
            if (!take_list(at, spec, arena, &lists[i])) return false;
        }
        return true;
    }
    case BR_STATE_NUMBERS: {
        br_number_list *lists = BR_ALLOC(arena, br_number_list, count);
        if (lists == NULL) return false;
        out->items = (char *)lists;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t size = *(const uint64_t *)br_spill_take(at, sizeof size);
            const double *numbers = br_spill_take(at, size * sizeof *numbers);
            if (!br_numbers_make(&lists[i], numbers, size, arena)) return false;
        }
        return true;
    }
    default:
        out->items = br_spill_take(at, count * br_state_item_bytes(spec->kind));
        return true;
    }
}
