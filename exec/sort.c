// sort.c - packing keys, radix sort, and ties.
// SPDX-License-Identifier: Apache-2.0
#include "exec/sort.h"

#include <string.h>

#include "base/assert.h"

typedef struct entry {
    uint64_t key;
    uint32_t row;
} entry;

typedef struct sorter {
    const br_run *run;
    const br_sort_columns *columns;
    uint32_t row_count;
    br_arena *arena;
    entry *entries, *spare;
    uint32_t bits_left;  // of the packed key
    uint32_t tie_key;    // the first key that the packed ones do not decide
} sorter;

static br_status no_memory(const sorter *self, br_error *err)
{
    return br_run_no_memory(self->run, "sorting", err);
}

// ---- numbers that compare as values do -------------------------------------------------------

static uint64_t real_bits(double value)
{
    uint64_t bits;
    if (value == 0) value = 0;  // -0.0 is equal to 0.0
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

// The first 8 bytes as the collation sees them.
static uint64_t text_bits(br_text text, br_collation collation)
{
    uint64_t bits = 0;
    uint32_t size = text.size;
    while (collation == BR_COLLATION_RTRIM && size > 0 && text.data[size - 1] == ' ') size--;
    for (uint32_t i = 0; i < 8; i++) {
        unsigned char c = i < size ? (unsigned char)text.data[i] : 0;
        if (collation == BR_COLLATION_NOCASE) {
            if (c == 0) return i == 0 ? 0 : bits << (64 - 8 * i);
            if (c >= 'A' && c <= 'Z') c = (unsigned char)(c + 32);
        }
        bits = bits << 8 | c;
    }
    return bits;
}

static uint64_t value_bits(const br_value *value, br_collation collation)
{
    switch (value->class_) {
    case BR_INT: return real_bits((double)value->i64) >> 2;
    case BR_REAL: return real_bits(value->f64) >> 2;
    case BR_TEXT: return 1ull << 62 | text_bits(value->text, collation) >> 2;
    case BR_BLOB: return 2ull << 62 | text_bits(value->text, BR_COLLATION_BINARY) >> 2;
    default: return 0;
    }
}

static bool is_text_flat(const br_vector *column)
{
    return (column->class_ == BR_TEXT || column->class_ == BR_BLOB) &&
           column->kind == BR_VECTOR_FLAT;
}

// Texts of up to 7 bytes fit with their sizes, which decide between equal bytes.
static bool all_short(const br_vector *column, uint32_t row_count)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        if (!br_vector_is_null(column, i) && column->text[i].size > longest)
            longest = column->text[i].size;
    }
    return longest <= 7;
}

// Fills `out` with numbers of all rows (of NULL rows with anything) and says whether they tell
// everything that a comparison would.
static bool fill_bits(const br_vector *column, br_collation collation, uint32_t row_count,
                      uint64_t *out)
{
    if (is_text_flat(column)) {
        if (column->class_ == BR_BLOB) collation = BR_COLLATION_BINARY;
        bool is_short = collation == BR_COLLATION_BINARY && all_short(column, row_count);
        for (uint32_t i = 0; i < row_count; i++) {
            if (br_vector_is_null(column, i)) continue;
            out[i] = text_bits(column->text[i], collation);
            if (is_short) out[i] |= column->text[i].size;
        }
        return is_short;
    }
    if (column->class_ == BR_ANY) {
        for (uint32_t i = 0; i < row_count; i++) out[i] = value_bits(&column->any[i], collation);
        return false;
    }
    if (column->class_ == BR_REAL) {
        for (uint32_t i = 0; i < row_count; i++) out[i] = real_bits(column->f64[i]);
    } else {
        for (uint32_t i = 0; i < row_count; i++) out[i] = (uint64_t)column->i64[i] ^ 1ull << 63;
    }
    return true;
}

static uint32_t bit_width(uint64_t value)
{
    return value == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(value);
}

// Appends a key to the packed ones; false when it did not fit whole and ties remain.
static bool pack_key(sorter *self, uint32_t k, uint64_t *bits)
{
    const br_vector *column = &self->columns->columns[k];
    const br_sort_key *key = &self->columns->keys[k];
    if (column->class_ == BR_NULL) return true;
    if (self->bits_left < 2) return false;
    bool is_exact = fill_bits(column, key->collation, self->row_count, bits);
    uint64_t least = UINT64_MAX, most = 0;
    bool has_nulls = false;
    for (uint32_t i = 0; i < self->row_count; i++) {
        if (br_vector_is_null(column, i)) {
            has_nulls = true;
            continue;
        }
        if (key->descending) bits[i] = ~bits[i];
        if (bits[i] < least) least = bits[i];
        if (bits[i] > most) most = bits[i];
    }
    if (least > most) return true;  // only NULLs
    // One number more for NULL; when there is none left, low bits go.
    uint32_t shift = 0;
    uint64_t span = most - least;
    while (bit_width((span >> shift) + has_nulls) > self->bits_left ||
           (has_nulls && span >> shift == UINT64_MAX))
        shift++;
    uint32_t width = bit_width((span >> shift) + has_nulls);
    uint64_t first = has_nulls && !key->nulls_last;
    uint64_t null_code = key->nulls_last ? (span >> shift) + 1 : 0;
    self->bits_left -= width;
    for (uint32_t i = 0; i < self->row_count; i++) {
        uint64_t code = br_vector_is_null(column, i) ? null_code
                                                     : ((bits[i] - least) >> shift) + first;
        self->entries[i].key |= width == 0 ? 0 : code << self->bits_left;
    }
    return is_exact && shift == 0;
}

// ---- ties ------------------------------------------------------------------------------------

// The two are of the same class and kind.
static inline int compare_places(br_sort_place left, br_sort_place right, const br_sort_key *key,
                                 br_arena *arena)
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
    } else {
        br_value a = br_vector_value(l, left.row, arena), b = br_vector_value(r, right.row, arena);
        order = br_value_compare(&a, &b, key->collation);
    }
    return key->descending ? -order : order;
}

int br_sort_compare_places(br_sort_place left, br_sort_place right, const br_sort_key *key)
{
    return compare_places(left, right, key, NULL);  // the same class and kind: no memory needed
}

int br_sort_compare(const br_value *left, const br_value *right, const br_sort_key *key)
{
    bool left_null = left->class_ == BR_NULL, right_null = right->class_ == BR_NULL;
    if (left_null && right_null) return 0;
    if (left_null || right_null) return left_null != key->nulls_last ? -1 : 1;
    int order = br_value_compare(left, right, key->collation);
    return key->descending ? -order : order;
}

static int compare_rows(const sorter *self, uint32_t left, uint32_t right)
{
    for (uint32_t k = self->tie_key; k < self->columns->key_count; k++) {
        const br_vector *column = &self->columns->columns[k];
        if (column->class_ == BR_NULL) continue;
        int order = compare_places((br_sort_place){column, left}, (br_sort_place){column, right},
                                   &self->columns->keys[k], self->arena);
        if (order != 0) return order;
    }
    return 0;
}

// Stable merge sort of entries first..end by the keys that are not packed.
static br_status sort_ties(sorter *self, uint32_t first, uint32_t end, br_error *err)
{
    entry *entries = self->entries, *spare = self->spare;
    for (uint64_t width = 1; width < end - first; width *= 2) {
        BR_TRY(br_run_poll(self->run, err));
        for (uint64_t start = first; start < end; start += 2 * width) {
            uint64_t middle = start + width < end ? start + width : end;
            uint64_t stop = start + 2 * width < end ? start + 2 * width : end;
            uint64_t left = start, right = middle;
            for (uint64_t out = start; out < stop; out++) {
                bool take_left =
                    left < middle &&
                    (right >= stop ||
                     compare_rows(self, entries[left].row, entries[right].row) <= 0);
                spare[out] = entries[take_left ? left++ : right++];
            }
        }
        memcpy(entries + first, spare + first, (end - first) * sizeof *entries);
    }
    return BR_OK;
}

// ---- radix sort ------------------------------------------------------------------------------

enum { DIGIT_BITS = 8, DIGITS = 64 / DIGIT_BITS, DIGIT_VALUES = 1 << DIGIT_BITS };

// Least digit first; digits that are the same in all rows are skipped.
static void radix_sort(sorter *self)
{
    uint32_t counts[DIGITS][DIGIT_VALUES];
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < self->row_count; i++) {
        uint64_t key = self->entries[i].key;
        for (uint32_t d = 0; d < DIGITS; d++) counts[d][key >> (d * DIGIT_BITS) & 255]++;
    }
    for (uint32_t d = 0; d < DIGITS; d++) {
        uint32_t shift = d * DIGIT_BITS, at = 0;
        if (counts[d][self->entries[0].key >> shift & 255] == self->row_count) continue;
        for (uint32_t v = 0; v < DIGIT_VALUES; v++) {
            uint32_t count = counts[d][v];
            counts[d][v] = at;
            at += count;
        }
        for (uint32_t i = 0; i < self->row_count; i++)
            self->spare[counts[d][self->entries[i].key >> shift & 255]++] = self->entries[i];
        entry *swapped = self->entries;
        self->entries = self->spare;
        self->spare = swapped;
    }
}

br_status br_sort_rows(const br_run *run, const br_sort_columns *columns, uint32_t row_count,
                       br_arena *arena, uint32_t **order_out, br_error *err)
{
    sorter self = {.run = run, .columns = columns, .row_count = row_count, .arena = arena,
                   .bits_left = 64};
    uint32_t *order = BR_ALLOC(arena, uint32_t, row_count);
    if (order == NULL) return no_memory(&self, err);
    *order_out = order;
    if (row_count == 0) return BR_OK;
    br_arena_mark mark = br_arena_get_mark(arena);
    self.entries = BR_ALLOC(arena, entry, row_count);
    self.spare = br_arena_alloc(arena, row_count * sizeof(entry), 64);
    uint64_t *bits = br_arena_alloc(arena, row_count * sizeof *bits, 64);
    if (self.entries == NULL || self.spare == NULL || bits == NULL) return no_memory(&self, err);
    for (uint32_t i = 0; i < row_count; i++) self.entries[i].row = i;
    while (self.tie_key < columns->key_count && pack_key(&self, self.tie_key, bits))
        self.tie_key++;
    BR_TRY(br_run_poll(run, err));
    radix_sort(&self);
    if (self.tie_key < columns->key_count) {
        for (uint32_t first = 0, end; first < row_count; first = end) {
            end = first + 1;
            while (end < row_count && self.entries[end].key == self.entries[first].key) end++;
            if (end - first > 1) BR_TRY(sort_ties(&self, first, end, err));
        }
    }
    for (uint32_t i = 0; i < row_count; i++) order[i] = self.entries[i].row;
    br_arena_rewind(arena, mark);
    return BR_OK;
}
