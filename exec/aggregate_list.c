// aggregate_list.c - aggregates that put out all their values: group_concat, json_group_array and
// json_group_object.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/hash.h"
#include "exec/aggregate_state.h"
#include "exec/json_text.h"
#include "exec/keys.h"
#include "exec/sort.h"

enum { TEXT_BYTES_MAX = 1000000000 };  // SQLite's limit

static br_status no_memory(const br_finish_context *context, br_error *err)
{
    return br_run_no_memory(context->run, "aggregation", err);
}

// ---- the values in their order ---------------------------------------------------------------

static int compare_items(const br_aggregate *aggregate, const br_concat_item *left,
                         const br_concat_item *right)
{
    for (uint32_t k = 0; k < aggregate->order_count; k++) {
        const br_sort_key *key = &aggregate->order_by[k];
        int order = br_sort_compare(&left->order[k], &right->order[k], key);
        if (order != 0) return order;
    }
    return 0;
}

// Stable: bottom-up merge sort, `spare` has room for as many.
static void sort_items(const br_aggregate *aggregate, br_concat_item **items,
                       br_concat_item **spare, uint64_t count)
{
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t start = 0; start < count; start += 2 * width) {
            uint64_t middle = start + width < count ? start + width : count;
            uint64_t end = start + 2 * width < count ? start + 2 * width : count;
            uint64_t left = start, right = middle;
            for (uint64_t out = start; out < end; out++) {
                bool take_left =
                    left < middle && (right >= end ||
                                      compare_items(aggregate, items[left], items[right]) <= 0);
                spare[out] = take_left ? items[left++] : items[right++];
            }
        }
        memcpy(items, spare, count * sizeof *items);
    }
}

// Keeps the first of equal values: an open-addressing set of item numbers.
static br_status remove_duplicates(const br_finish_context *context, const br_aggregate *aggregate,
                                   br_concat_item **items, uint64_t *count, br_error *err)
{
    uint64_t slot_count = 16, kept = 0;
    while (slot_count < 2 * *count) slot_count *= 2;
    uint64_t *slots = BR_ALLOC(context->arena, uint64_t, slot_count);
    if (slots == NULL) return no_memory(context, err);
    for (uint64_t i = 0; i < *count; i++) {
        const br_value *value = &items[i]->value;
        uint64_t at = br_value_hash(value, aggregate->collation) & (slot_count - 1);
        while (slots[at] != 0 && br_value_compare(&items[slots[at] - 1]->value, value,
                                                  aggregate->collation) != 0)
            at = (at + 1) & (slot_count - 1);
        if (slots[at] != 0) continue;
        items[kept] = items[i];
        slots[at] = ++kept;
    }
    *count = kept;
    return br_hash_check(context->run, aggregate->collation, err);
}

static br_status ordered_items(const br_finish_context *context, const br_aggregate *aggregate,
                               const br_concat_list *list, br_concat_item ***items_out,
                               uint64_t *count_out, br_error *err)
{
    uint64_t count = list->count, at = 0;
    br_concat_item **items = BR_ALLOC(context->arena, br_concat_item *, 2 * count);
    if (items == NULL) return no_memory(context, err);
    for (br_concat_item *item = list->first; at < count; item = item->next) items[at++] = item;
    if (aggregate->order_count > 0) sort_items(aggregate, items, items + count, count);
    if (aggregate->distinct) BR_TRY(remove_duplicates(context, aggregate, items, &count, err));
    *items_out = items;
    *count_out = count;
    return BR_OK;
}

// ---- group_concat ----------------------------------------------------------------------------

static bool append_text(const br_finish_context *context, br_buffer *out, const br_value *value)
{
    char number[BR_NUMBER_TEXT_MAX];
    br_text text = br_plain_text(&context->run->env->bridge, value, number);
    return br_buffer_append(out, text.data, text.size);
}

static bool concat_items(const br_finish_context *context, br_concat_item *const *items,
                         uint64_t count, br_buffer *out)
{
    bool is_built = true;
    for (uint64_t i = 0; is_built && i < count && out->size_bytes <= TEXT_BYTES_MAX; i++) {
        is_built = (i == 0 || append_text(context, out, &items[i]->separator)) &&
                   append_text(context, out, &items[i]->value);
    }
    return is_built;
}

// ---- JSON ------------------------------------------------------------------------------------

static br_status check_json(br_concat_item *const *items, uint64_t count, bool is_object,
                            br_error *err)
{
    for (uint64_t i = 0; i < count; i++)
        BR_TRY(br_json_check_value(is_object ? &items[i]->separator : &items[i]->value, err));
    return BR_OK;
}

static bool json_items(const br_finish_context *context, const br_aggregate *aggregate,
                       br_concat_item *const *items, uint64_t count, br_buffer *out)
{
    const br_exec_bridge *bridge = &context->run->env->bridge;
    bool is_object = aggregate->kind == BR_AGG_JSON_OBJECT;
    bool is_built = br_buffer_append(out, is_object ? "{" : "[", 1);
    for (uint64_t i = 0; is_built && i < count && out->size_bytes <= TEXT_BYTES_MAX; i++) {
        const br_value *value = is_object ? &items[i]->separator : &items[i]->value;
        is_built = (i == 0 || br_buffer_append(out, ",", 1)) &&
                   (!is_object || br_json_put_key(out, bridge, &items[i]->value)) &&
                   br_json_put(out, bridge, value, aggregate->is_json);
    }
    return is_built && br_buffer_append(out, is_object ? "}" : "]", 1);
}

br_status br_list_finish(const br_finish_context *context, const br_aggregate_output *output,
                         const br_concat_list *list, br_value *out, br_error *err)
{
    const br_aggregate *aggregate = output->aggregate;
    br_concat_item **items;
    uint64_t count;
    bool is_concat = aggregate->kind == BR_AGG_GROUP_CONCAT;
    *out = br_value_null();
    if (list->count == 0 && is_concat) return BR_OK;
    BR_TRY(ordered_items(context, aggregate, list, &items, &count, err));
    if (!is_concat)
        BR_TRY(check_json(items, count, aggregate->kind == BR_AGG_JSON_OBJECT, err));
    br_buffer text = {0};
    bool is_built = is_concat ? concat_items(context, items, count, &text)
                              : json_items(context, aggregate, items, count, &text);
    br_status status = BR_OK;
    if (is_built && text.size_bytes > TEXT_BYTES_MAX)
        status = br_fail(err, BR_RUNTIME, "string or blob too big");
    char *bytes = NULL;
    if (is_built && status == BR_OK)
        bytes = br_arena_copy_text(context->arena, (const char *)text.bytes, text.size_bytes);
    if (status == BR_OK && bytes == NULL) status = no_memory(context, err);
    if (status == BR_OK) *out = br_value_text(br_text_make(bytes, (uint32_t)text.size_bytes));
    br_buffer_release(&text);
    return status;
}
