// sort.c - sorting by numbers that stand for keys, and what they leave tied.
// SPDX-License-Identifier: Apache-2.0
#include "exec/sort.h"

#include <string.h>

#include "base/assert.h"
#include "exec/sort_keys.h"

enum {
    BIG_ROWS_MIN = 32768,    // shorter ranges are sorted by one worker
    BIG_PART = 32,           // and those of less than this part of all rows
    DIGIT_BITS = 8, DIGIT_VALUES = 1 << DIGIT_BITS,
    DIGIT_BITS_MIN = 2,
    INSERTION_ROWS_MAX = 20, // up to so many, insertion is faster than digits
    TIED_ROWS_MAX = 32,      // so many tied rows are compared; of more, numbers are made again
    DEPTH_MAX = 32,          // so often; texts may begin alike for long
};

// ---- comparing -------------------------------------------------------------------------------

static bool is_text_flat(const br_vector *column)
{
    return (column->class_ == BR_TEXT || column->class_ == BR_BLOB) &&
           column->kind == BR_VECTOR_FLAT;
}

int br_sort_compare_places(br_sort_place left, br_sort_place right, const br_sort_key *key)
{
    const br_vector *l = left.column, *r = right.column;
    bool left_null = br_vector_is_null(l, left.row), right_null = br_vector_is_null(r, right.row);
    if (left_null || right_null) {
        if (left_null && right_null) return 0;
        return left_null != key->nulls_last ? -1 : 1;
    }
    int order;
    if (is_text_flat(l)) {
        br_collation collation = l->class_ == BR_BLOB ? BR_COLLATION_BINARY : key->collation;
        order = br_text_collate(l->text[left.row], r->text[right.row], collation);
    } else if (br_is_time_kind(l->kind) || l->class_ == BR_INT) {
        int64_t a = l->i64[left.row], b = r->i64[right.row];
        order = (a > b) - (a < b);
    } else {  // the same class and kind: no memory is needed
        br_value a = br_vector_value(l, left.row, NULL), b = br_vector_value(r, right.row, NULL);
        order = br_value_compare(&a, &b, key->collation);
    }
    return key->descending ? -order : order;
}

int br_sort_compare(const br_value *left, const br_value *right, const br_sort_key *key)
{
    bool left_null = left->class_ == BR_NULL, right_null = right->class_ == BR_NULL;
    if (left_null && right_null) return 0;
    if (left_null || right_null) return left_null != key->nulls_last ? -1 : 1;
    int order = br_value_compare(left, right, key->collation);
    return key->descending ? -order : order;
}

// ---- one worker ------------------------------------------------------------------------------

static int compare_rows(const br_sorter *self, uint32_t key, uint32_t left, uint32_t right)
{
    for (uint32_t k = key; k < self->columns->key_count; k++) {
        const br_vector *column = &self->columns->columns[k];
        if (column->class_ == BR_NULL) continue;
        int order = br_sort_compare_places((br_sort_place){column, left},
                                           (br_sort_place){column, right},
                                           &self->columns->keys[k]);
        if (order != 0) return order;
    }
    return 0;
}

// Stable merge sort by comparing rows.
static br_status sort_compared(const br_sorter *self, const br_sort_range *range, br_error *err)
{
    br_sort_entry *entries = self->entries, *spare = self->spare;
    uint32_t first = range->first, end = range->end;
    for (uint64_t width = 1; width < end - first; width *= 2) {
        BR_TRY(br_run_poll(self->run, err));
        for (uint64_t start = first; start < end; start += 2 * width) {
            uint64_t middle = start + width < end ? start + width : end;
            uint64_t stop = start + 2 * width < end ? start + 2 * width : end;
            uint64_t left = start, right = middle;
            for (uint64_t out = start; out < stop; out++) {
                bool take_left = left < middle &&
                                 (right >= stop || compare_rows(self, range->key, entries[left].row,
                                                                entries[right].row) <= 0);
                spare[out] = entries[take_left ? left++ : right++];
            }
        }
        memcpy(entries + first, spare + first, (end - first) * sizeof *entries);
    }
    return BR_OK;
}

static void insertion_sort(br_sort_entry *entries, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        br_sort_entry moving = entries[i];
        uint32_t at = i;
        for (; at > 0 && entries[at - 1].key > moving.key; at--) entries[at] = entries[at - 1];
        entries[at] = moving;
    }
}

// How many low bits of the keys differ; 0 also when they are in order as they are.
static uint32_t differing_bits(const br_sort_entry *entries, uint32_t count)
{
    uint64_t differ = 0, unordered = 0;
    for (uint32_t i = 1; i < count; i++) {
        differ |= entries[i].key ^ entries[0].key;
        unordered |= entries[i].key < entries[i - 1].key;
    }
    return unordered ? 64 - (uint32_t)__builtin_clzll(differ) : 0;
}

// Most significant digit first, stable; digits are so wide that few entries share one.
static void radix_sort(br_sort_entry *entries, br_sort_entry *spare, uint32_t count)
{
    if (count <= INSERTION_ROWS_MAX) {
        insertion_sort(entries, count);
        return;
    }
    uint32_t top = differing_bits(entries, count);
    if (top == 0) return;
    uint32_t bits = 32 - (uint32_t)__builtin_clz(count) - DIGIT_BITS_MIN;
    if (bits > DIGIT_BITS) bits = DIGIT_BITS;
    if (bits > top) bits = top;
    uint32_t shift = top - bits, ends[DIGIT_VALUES + 1] = {0};
    uint64_t mask = (1ull << bits) - 1;
    for (uint32_t i = 0; i < count; i++) ends[(entries[i].key >> shift & mask) + 1]++;
    for (uint32_t v = 1; v <= mask; v++) ends[v] += ends[v - 1];
    for (uint32_t i = 0; i < count; i++) spare[ends[entries[i].key >> shift & mask]++] = entries[i];
    memcpy(entries, spare, count * sizeof *entries);
    for (uint32_t v = 0, first = 0; shift > 0 && v <= mask; first = ends[v++]) {
        if (ends[v] - first > 1) radix_sort(entries + first, spare + first, ends[v] - first);
    }
}

static br_status sort_ties(const br_sorter *self, const br_sort_range *range, uint32_t depth,
                           br_error *err);

static br_status sort_alone(const br_sorter *self, const br_sort_range *range, uint32_t depth,
                            br_error *err)
{
    br_sort_range tied = *range;
    uint32_t bits, count = range->end - range->first;
    BR_TRY(br_sort_pack(self, &tied, true, &bits, err));
    if (bits > 0) {
        radix_sort(self->entries + range->first, self->spare + range->first, count);
        return sort_ties(self, &tied, depth, err);
    }
    return tied.key < self->columns->key_count ? sort_compared(self, &tied, err) : BR_OK;
}

// Rows with equal numbers may differ by range->key and those behind it.
static br_status sort_ties(const br_sorter *self, const br_sort_range *range, uint32_t depth,
                           br_error *err)
{
    const br_sort_entry *entries = self->entries;
    if (range->key == self->columns->key_count) return BR_OK;
    for (uint32_t first = range->first, end; first < range->end; first = end) {
        end = first + 1;
        while (end < range->end && entries[end].key == entries[first].key) end++;
        const br_sort_range tied = {
            .first = first, .end = end, .key = range->key, .offset = range->offset};
        if (end - first == 1) continue;
        if (end - first <= TIED_ROWS_MAX || depth == DEPTH_MAX) {
            BR_TRY(sort_compared(self, &tied, err));
        } else {
            BR_TRY(sort_alone(self, &tied, depth + 1, err));
        }
    }
    return BR_OK;
}

// ---- all workers -----------------------------------------------------------------------------

// A range cut by the upper digit of its numbers. Where parts end does not depend on the workers.
typedef struct partition {
    const br_sorter *sorter;
    br_sort_range range;
    uint32_t shift, part_count;
    struct part {
        uint64_t differing;           // bits
        uint32_t places[DIGIT_VALUES];  // how many have each digit, then where the next one goes
    } *parts;
    uint32_t firsts[DIGIT_VALUES + 1];  // of the buckets
} partition;

static uint32_t part_first(const partition *self, uint32_t index)
{
    return self->range.first + index * (uint32_t)BR_SORT_PART_ROWS;
}

static uint32_t part_end(const partition *self, uint32_t index)
{
    return index + 1 == self->part_count ? self->range.end : part_first(self, index + 1);
}

static inline uint32_t digit_of(const partition *self, const br_sort_entry *entry)
{
    return entry->key >> self->shift & (DIGIT_VALUES - 1);
}

static br_status compare_part(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const partition *self = context;
    const br_sort_entry *entries = self->sorter->entries;
    uint64_t differing = 0;
    BR_TRY(br_run_poll(self->sorter->run, err));
    for (uint32_t i = part_first(self, index); i < part_end(self, index); i++)
        differing |= entries[i].key ^ entries[self->range.first].key;
    self->parts[index].differing = differing;
    return BR_OK;
}

static br_status count_part(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const partition *self = context;
    uint32_t *counts = self->parts[index].places;
    BR_TRY(br_run_poll(self->sorter->run, err));
    for (uint32_t i = part_first(self, index); i < part_end(self, index); i++)
        counts[digit_of(self, &self->sorter->entries[i])]++;
    return BR_OK;
}

static void place_parts(partition *self)
{
    uint32_t at = self->range.first;
    for (uint32_t v = 0; v < DIGIT_VALUES; v++) {
        self->firsts[v] = at;
        for (uint32_t part = 0; part < self->part_count; part++) {
            uint32_t count = self->parts[part].places[v];
            self->parts[part].places[v] = at;
            at += count;
        }
    }
    self->firsts[DIGIT_VALUES] = at;
}

static br_status scatter_part(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const partition *self = context;
    uint32_t *places = self->parts[index].places;
    const br_sort_entry *entries = self->sorter->entries;
    BR_TRY(br_run_poll(self->sorter->run, err));
    for (uint32_t i = part_first(self, index); i < part_end(self, index); i++)
        self->sorter->spare[places[digit_of(self, &entries[i])]++] = entries[i];
    return BR_OK;
}

static bool is_big(const br_sorter *self, const br_sort_range *range)
{
    return range->end - range->first > self->big_rows;
}

static br_sort_range bucket_range(const partition *self, uint32_t bucket)
{
    br_sort_range range = self->range;
    range.first = self->firsts[bucket];
    range.end = self->firsts[bucket + 1];
    return range;
}

static br_status sort_bucket(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const partition *self = context;
    const br_sorter *sorter = self->sorter;
    br_sort_range bucket = bucket_range(self, index);
    br_sort_entry *entries = sorter->entries + bucket.first, *spare = sorter->spare + bucket.first;
    uint32_t count = bucket.end - bucket.first;
    BR_TRY(br_run_poll(sorter->run, err));
    memcpy(entries, spare, count * sizeof *entries);
    if (is_big(sorter, &bucket)) return BR_OK;  // is cut in its turn
    radix_sort(entries, spare, count);
    return sort_ties(sorter, &bucket, 0, err);
}

// Sorts all but the buckets that are big themselves: they are added to `ranges`.
static br_status cut(partition *self, br_sort_range *ranges, uint32_t *range_count, br_error *err)
{
    br_run *run = self->sorter->run;
    BR_TRY(br_run_tasks(run, self->part_count, count_part, self, err));
    place_parts(self);
    BR_TRY(br_run_tasks(run, self->part_count, scatter_part, self, err));
    BR_TRY(br_run_tasks(run, DIGIT_VALUES, sort_bucket, self, err));
    for (uint32_t v = 0; v < DIGIT_VALUES; v++) {
        br_sort_range bucket = bucket_range(self, v);
        if (is_big(self->sorter, &bucket)) ranges[(*range_count)++] = bucket;
    }
    return BR_OK;
}

// How many low bits of the numbers differ.
static br_status find_top(const partition *self, uint32_t *top_out, br_error *err)
{
    uint64_t differing = 0;
    BR_TRY(br_run_tasks(self->sorter->run, self->part_count, compare_part,
                        (void *)(uintptr_t)self, err));
    for (uint32_t i = 0; i < self->part_count; i++) differing |= self->parts[i].differing;
    *top_out = differing == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(differing);
    return BR_OK;
}

static br_status sort_together(const br_sorter *self, const br_sort_range *range,
                               br_sort_range *ranges, uint32_t *range_count, br_error *err)
{
    partition all = {.sorter = self,
                     .range = *range,
                     .part_count = (range->end - range->first - 1) / BR_SORT_PART_ROWS + 1};
    uint32_t top = 64, bits = 64;
    if (!range->is_packed) BR_TRY(br_sort_pack(self, &all.range, false, &bits, err));
    bool is_tied = all.range.key < self->columns->key_count;
    if (bits == 0) return is_tied ? sort_compared(self, &all.range, err) : BR_OK;
    br_arena_mark mark = br_arena_get_mark(self->arena);
    all.parts = BR_ALLOC(self->arena, struct part, all.part_count);
    if (all.parts == NULL) return br_run_no_memory(self->run, "sorting", err);
    if (range->is_packed) BR_TRY(find_top(&all, &top, err));
    if (top > 0) {
        all.shift = top > DIGIT_BITS ? top - DIGIT_BITS : 0;
        BR_TRY(cut(&all, ranges, range_count, err));
    } else if (is_tied) {
        all.range.is_packed = false;  // equal numbers: they get others
        ranges[(*range_count)++] = all.range;
    }
    br_arena_rewind(self->arena, mark);
    return BR_OK;
}

// Big ranges are cut until none is left: each cut leaves rows in two parts at least.
static br_status sort_big(const br_sorter *self, br_error *err)
{
    // Ranges that wait have no rows in common.
    br_sort_range *ranges =
        BR_ALLOC(self->arena, br_sort_range, self->row_count / self->big_rows + 1);
    if (ranges == NULL) return br_run_no_memory(self->run, "sorting", err);
    ranges[0] = (br_sort_range){.end = self->row_count};
    for (uint32_t count = 1; count > 0;) {
        br_sort_range range = ranges[--count];
        BR_TRY(sort_together(self, &range, ranges, &count, err));
    }
    return BR_OK;
}

static br_status begin_part(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const br_sorter *self = context;
    uint32_t first = index * (uint32_t)BR_SORT_PART_ROWS, left = self->row_count - first;
    uint32_t end = first + (left < BR_SORT_PART_ROWS ? left : BR_SORT_PART_ROWS);
    for (uint32_t i = first; i < end; i++) self->entries[i] = (br_sort_entry){.row = i};
    return br_run_poll(self->run, err);
}

static br_status end_part(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const br_sorter *self = context;
    uint32_t first = index * (uint32_t)BR_SORT_PART_ROWS, left = self->row_count - first;
    uint32_t end = first + (left < BR_SORT_PART_ROWS ? left : BR_SORT_PART_ROWS);
    for (uint32_t i = first; i < end; i++) self->order[i] = self->entries[i].row;
    return br_run_poll(self->run, err);
}

static br_status run_parts(br_sorter *self, bool is_alone, br_task task, br_error *err)
{
    uint32_t count = self->row_count == 0 ? 0 : (self->row_count - 1) / BR_SORT_PART_ROWS + 1;
    if (!is_alone) return br_run_tasks(self->run, count, task, self, err);
    for (uint32_t i = 0; i < count; i++) BR_TRY(task(self, 0, i, err));
    return BR_OK;
}

static br_status sort_rows(br_sorter *self, bool is_alone, uint32_t **order_out, br_error *err)
{
    size_t row_count = self->row_count;
    self->order = br_arena_alloc(self->arena, row_count * sizeof *self->order, 64);
    br_arena_mark mark = br_arena_get_mark(self->arena);
    self->entries = br_arena_alloc(self->arena, row_count * sizeof *self->entries, 64);
    self->spare = br_arena_alloc(self->arena, row_count * sizeof *self->spare, 64);
    if (self->order == NULL || self->entries == NULL || self->spare == NULL)
        return br_run_no_memory(self->run, "sorting", err);
    const br_sort_range all = {.end = self->row_count};
    self->big_rows = self->row_count / BIG_PART;
    if (self->big_rows < BIG_ROWS_MIN) self->big_rows = BIG_ROWS_MIN;
    is_alone |= !is_big(self, &all);
    BR_TRY(run_parts(self, is_alone, begin_part, err));
    BR_TRY(is_alone ? sort_alone(self, &all, 0, err) : sort_big(self, err));
    BR_TRY(run_parts(self, is_alone, end_part, err));
    br_arena_rewind(self->arena, mark);
    *order_out = self->order;
    return BR_OK;
}

br_status br_sort_rows(br_run *run, const br_sort_columns *columns, uint32_t row_count,
                       br_arena *arena, uint32_t **order_out, br_error *err)
{
    br_sorter self = {.run = run, .columns = columns, .row_count = row_count, .arena = arena};
    return sort_rows(&self, false, order_out, err);
}

br_status br_sort_rows_alone(br_run *run, const br_sort_columns *columns, uint32_t row_count,
                             br_arena *arena, uint32_t **order_out, br_error *err)
{
    br_sorter self = {.run = run, .columns = columns, .row_count = row_count, .arena = arena};
    return sort_rows(&self, true, order_out, err);
}
