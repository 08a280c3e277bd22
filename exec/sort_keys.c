// sort_keys.c - packing keys into numbers.
// SPDX-License-Identifier: Apache-2.0
#include "exec/sort_keys.h"

#include <string.h>

#include "base/bytes.h"

enum {
    CHARS_MAX = 16,     // of a text in one number
    AHEAD_ROWS = 12,    // texts are asked for so early: they lie anywhere
    BYTE_VALUES = 256,
};

// What one part of a range holds of a key.
typedef struct findings {
    bool has_nulls, has_values;
    bool is_inexact;       // some values are more than their bits
    uint64_t least, most;  // bits
    br_text sample;        // texts: one of them, and how many bytes all begin with
    uint32_t common_bytes;
    uint8_t is_used[BYTE_VALUES];  // which occur among the CHARS_MAX behind those
} findings;

typedef struct key_job {
    const br_sorter *sorter;
    const br_vector *column;
    const br_sort_key *key;
    br_collation collation;
    uint32_t first, end;   // entries
    uint32_t part_count;
    findings *parts;
    // Texts: bytes that the collation takes for the same have the same number; from `offset` on,
    // the bytes that occur have codes from 1 on, and what is behind the end has code 0.
    uint8_t folded[BYTE_VALUES];
    uint16_t codes[BYTE_VALUES];
    uint32_t known_bytes;  // that all begin with
    uint32_t offset, char_count, char_bits;
    // How bits become part of the number.
    uint64_t least, null_code, first_code;
    uint32_t shift, place;
    bool is_leading;
} key_job;

static uint32_t part_first(const key_job *job, uint32_t index)
{
    return job->first + index * (uint32_t)BR_SORT_PART_ROWS;
}

static uint32_t part_end(const key_job *job, uint32_t index)
{
    return index + 1 == job->part_count ? job->end : part_first(job, index + 1);
}

static br_status run_parts(const key_job *job, br_task task, br_error *err)
{
    if (job->part_count == 1) return task((void *)(uintptr_t)job, 0, 0, err);
    return br_run_tasks(job->sorter->run, job->part_count, task, (void *)(uintptr_t)job, err);
}

// ---- numbers that compare as values do -------------------------------------------------------

static uint64_t real_bits(double value)
{
    uint64_t bits;
    if (value == 0) value = 0;  // -0.0 is equal to 0.0
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

// What the collation looks at: RTRIM at no spaces at the end, NOCASE at nothing behind a NUL (but
// the size); of what the application compares bytes tell nothing.
static br_text collated_part(br_text text, br_collation collation)
{
    if (br_collation_collator(collation) != NULL) text.size = 0;
    if (collation == BR_COLLATION_NOCASE) {
        const char *nul = text.size == 0 ? NULL : memchr(text.data, 0, text.size);
        if (nul != NULL) text.size = (uint32_t)(nul - text.data);
    }
    while (collation == BR_COLLATION_RTRIM && text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

static uint8_t fold_byte(uint8_t byte, br_collation collation)
{
    bool is_upper = collation == BR_COLLATION_NOCASE && byte >= 'A' && byte <= 'Z';
    return is_upper ? (uint8_t)(byte + 32) : byte;
}

// The first eight bytes.
static uint64_t prefix_bits(br_text text, br_collation collation)
{
    uint64_t bits = 0;
    text = collated_part(text, collation);
    for (uint32_t i = 0; i < 8 && i < text.size; i++)
        bits |= (uint64_t)fold_byte((uint8_t)text.data[i], collation) << (56 - 8 * i);
    return bits;
}

static uint64_t value_bits(const br_value *value, br_collation collation)
{
    switch (value->class_) {
    case BR_INT: return real_bits((double)value->i64) >> 2;
    case BR_REAL: return real_bits(value->f64) >> 2;
    case BR_TEXT: return 1ull << 62 | prefix_bits(value->text, collation) >> 2;
    case BR_BLOB: return 2ull << 62 | prefix_bits(value->text, BR_COLLATION_BINARY) >> 2;
    default: return 0;
    }
}

static bool is_text(const br_vector *column)
{
    return (column->class_ == BR_TEXT || column->class_ == BR_BLOB) &&
           column->kind == BR_VECTOR_FLAT;
}

// The codes of as many characters as fit.
static inline uint64_t text_bits(const key_job *job, br_text text, bool *inexact)
{
    uint32_t all = text.size;
    if (job->collation != BR_COLLATION_BINARY) text = collated_part(text, job->collation);
    uint32_t left = text.size - job->offset;
    uint32_t count = left < job->char_count ? left : job->char_count;
    const uint8_t *bytes = (const uint8_t *)text.data + job->offset;
    uint64_t bits = 0;
    for (uint32_t i = 0; i < count; i++) bits = bits << job->char_bits | job->codes[bytes[i]];
    for (uint32_t i = count; i < job->char_count; i++) bits <<= job->char_bits;
    *inexact |= left > job->char_count ||
                (job->collation != BR_COLLATION_RTRIM && all > text.size);
    return bits;
}

// The bits of the row's value, which is not NULL; *inexact turns true when a comparison knows more.
static inline uint64_t row_bits(const key_job *job, uint8_t class_, uint32_t row, bool *inexact)
{
    const br_vector *column = job->column;
    switch (class_) {
    case BR_INT: return (uint64_t)column->i64[row] ^ 1ull << 63;
    case BR_REAL: return real_bits(column->f64[row]);
    case BR_TEXT: return text_bits(job, column->text[row], inexact);
    default:
        *inexact = true;
        return value_bits(&column->any[row], job->collation);
    }
}

// ---- passes over the parts -------------------------------------------------------------------

// How many bytes two texts begin with that are the same, `most` at most: eight at a time where the
// collation looks at all of them. The first known_bytes are the same.
static uint32_t common_bytes(const key_job *job, br_text left, br_text right, uint32_t most)
{
    const uint8_t *l = (const uint8_t *)left.data, *r = (const uint8_t *)right.data;
    uint32_t end = left.size < right.size ? left.size : right.size, at = job->known_bytes;
    if (most > end) most = end;
    bool is_plain = job->collation != BR_COLLATION_NOCASE;
    for (; is_plain && at < most && end - at >= 8; at += 8) {
        uint64_t differing = br_load_u64(l + at) ^ br_load_u64(r + at);
        if (differing == 0) continue;
        at += (uint32_t)__builtin_ctzll(differing) / 8;
        break;
    }
    while (at < most && job->folded[l[at]] == job->folded[r[at]]) at++;
    return at < most ? at : most;
}

static void note_bytes(br_text text, uint32_t from, uint8_t *is_used)
{
    const uint8_t *bytes = (const uint8_t *)text.data + from;
    uint32_t left = text.size - from;
    if (left >= CHARS_MAX) {
        for (uint32_t i = 0; i < CHARS_MAX; i++) is_used[bytes[i]] = 1;
    } else {
        for (uint32_t i = 0; i < left; i++) is_used[bytes[i]] = 1;
    }
}

static void ask_for_text(const key_job *job, uint32_t at, uint32_t end)
{
    const br_sort_entry *entries = job->sorter->entries;
    const br_text *texts = job->column->text;
    if (at + 2 * AHEAD_ROWS < end) __builtin_prefetch(&texts[entries[at + 2 * AHEAD_ROWS].row]);
    if (at + AHEAD_ROWS >= end) return;
    uintptr_t data = (uintptr_t)texts[entries[at + AHEAD_ROWS].row].data;  // of NULL: NULL
    __builtin_prefetch((const void *)(data + job->known_bytes));
}

// How many bytes all texts of a part begin with, and which occur behind.
static br_status find_common(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const key_job *job = context;
    findings *out = &job->parts[index];
    const br_sort_entry *entries = job->sorter->entries;
    uint32_t common = UINT32_MAX, end = part_end(job, index);
    BR_TRY(br_run_poll(job->sorter->run, err));
    *out = (findings){0};
    for (uint32_t i = part_first(job, index); i < end; i++) {
        uint32_t row = entries[i].row;
        ask_for_text(job, i, end);
        if (br_vector_is_null(job->column, row)) continue;
        br_text text = collated_part(job->column->text[row], job->collation);
        if (!out->has_values) out->sample = text;
        out->has_values = true;
        common = common_bytes(job, text, out->sample, common);
        note_bytes(text, common, out->is_used);
    }
    // Texts whose bytes were noted from further on have the sample's before.
    if (out->has_values) note_bytes(out->sample, common, out->is_used);
    out->common_bytes = common;
    return BR_OK;
}

// Notes the bits of a part in `spare`.
static inline findings find_bits_of(const key_job *job, uint8_t class_, bool may_be_null,
                                    uint32_t first, uint32_t end)
{
    const br_sort_entry *entries = job->sorter->entries;
    br_sort_entry *bits_out = job->sorter->spare;
    uint64_t flip = job->key->descending ? UINT64_MAX : 0, least = UINT64_MAX, most = 0;
    bool has_nulls = false, is_inexact = false, has_values = false;
    for (uint32_t i = first; i < end; i++) {
        uint32_t row = entries[i].row;
        if (may_be_null && br_vector_is_null(job->column, row)) {
            has_nulls = true;
            continue;
        }
        uint64_t bits = row_bits(job, class_, row, &is_inexact) ^ flip;
        if (bits < least) least = bits;
        if (bits > most) most = bits;
        has_values = true;
        bits_out[i].key = bits;
    }
    return (findings){.has_nulls = has_nulls,
                      .has_values = has_values,
                      .is_inexact = is_inexact,
                      .least = least,
                      .most = most};
}

static br_status find_bits(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const key_job *job = context;
    const br_vector *column = job->column;
    uint32_t first = part_first(job, index), end = part_end(job, index);
    bool is_plain = column->validity == NULL && column->class_ != BR_ANY;
    uint8_t class_ = br_is_time_kind(column->kind) ? BR_INT : column->class_;
    if (class_ == BR_BLOB) class_ = BR_TEXT;
    BR_TRY(br_run_poll(job->sorter->run, err));
    // One loop for each of the frequent kinds.
    findings *out = &job->parts[index];
    if (is_plain && class_ == BR_INT) *out = find_bits_of(job, BR_INT, false, first, end);
    else if (is_plain && class_ == BR_REAL) *out = find_bits_of(job, BR_REAL, false, first, end);
    else if (is_plain) *out = find_bits_of(job, BR_TEXT, false, first, end);
    else *out = find_bits_of(job, class_, true, first, end);
    return BR_OK;
}

static br_status place_codes(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)worker;
    const key_job *job = context;
    br_sort_entry *entries = job->sorter->entries;
    const br_sort_entry *bits = job->sorter->spare;
    BR_TRY(br_run_poll(job->sorter->run, err));
    for (uint32_t i = part_first(job, index); i < part_end(job, index); i++) {
        bool is_null = br_vector_is_null(job->column, entries[i].row);
        uint64_t code = is_null ? job->null_code
                                : ((bits[i].key - job->least) >> job->shift) + job->first_code;
        entries[i].key = (job->is_leading ? 0 : entries[i].key) | code << job->place;
    }
    return BR_OK;
}

// ---- one key ---------------------------------------------------------------------------------

static uint32_t bit_width(uint64_t value)
{
    return value == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(value);
}

// Gives codes to the bytes that occur.
static void make_codes(key_job *job, const uint8_t *is_used)
{
    bool is_folded[BYTE_VALUES] = {false};
    uint16_t count = 0;
    for (uint32_t i = 0; i < BYTE_VALUES; i++) is_folded[job->folded[i]] |= is_used[i];
    for (uint32_t i = 0; i < BYTE_VALUES; i++) {
        if (is_folded[i]) job->codes[i] = ++count;
    }
    for (uint32_t i = 0; i < BYTE_VALUES; i++) job->codes[i] = job->codes[job->folded[i]];
    job->char_bits = bit_width(count);
    job->char_count = count == 0 ? 0 : 64 / job->char_bits;
    if (job->char_count > CHARS_MAX) job->char_count = CHARS_MAX;
}

static br_status prepare_texts(key_job *job, br_error *err)
{
    const findings *all = NULL;
    uint8_t is_used[BYTE_VALUES] = {0};
    for (uint32_t i = 0; i < BYTE_VALUES; i++)
        job->folded[i] = fold_byte((uint8_t)i, job->collation);
    BR_TRY(run_parts(job, find_common, err));
    job->offset = 0;
    for (uint32_t i = 0; i < job->part_count; i++) {
        const findings *part = &job->parts[i];
        if (!part->has_values) continue;
        uint32_t common = all == NULL ? part->common_bytes : job->offset;
        if (part->common_bytes < common) common = part->common_bytes;
        if (all != NULL) common = common_bytes(job, all->sample, part->sample, common);
        job->offset = common;
        all = part;
    }
    for (uint32_t i = 0; all != NULL && i < job->part_count; i++) {
        const findings *part = &job->parts[i];
        for (uint32_t v = 0; v < BYTE_VALUES; v++) is_used[v] |= part->is_used[v];
        if (part->has_values) note_bytes(part->sample, job->offset, is_used);
    }
    make_codes(job, is_used);
    return BR_OK;
}

// Takes up to *bits_left bits of the number; *whole_out: equal bits mean equal values.
static br_status pack_key(key_job *job, uint32_t *bits_left, bool *whole_out, br_error *err)
{
    findings all = {.least = UINT64_MAX};
    if (is_text(job->column)) BR_TRY(prepare_texts(job, err));
    BR_TRY(run_parts(job, find_bits, err));
    for (uint32_t i = 0; i < job->part_count; i++) {
        const findings *part = &job->parts[i];
        all.has_nulls |= part->has_nulls;
        all.has_values |= part->has_values;
        all.is_inexact |= part->is_inexact;
        if (part->least < all.least) all.least = part->least;
        if (part->most > all.most) all.most = part->most;
    }
    *whole_out = true;
    if (!all.has_values) return BR_OK;
    // One number more for NULL; when there is none left, low bits go.
    uint32_t shift = 0;
    uint64_t span = all.most - all.least;
    while (bit_width((span >> shift) + all.has_nulls) > *bits_left ||
           (all.has_nulls && span >> shift == UINT64_MAX))
        shift++;
    uint32_t width = bit_width((span >> shift) + all.has_nulls);
    *whole_out = !all.is_inexact && shift == 0;
    job->shift = shift;
    if (width == 0) return BR_OK;
    job->least = all.least;
    job->first_code = all.has_nulls && !job->key->nulls_last;
    job->null_code = job->key->nulls_last ? (span >> shift) + 1 : 0;
    job->is_leading = *bits_left == 64;
    *bits_left -= width;
    job->place = *bits_left;
    return run_parts(job, place_codes, err);
}

br_status br_sort_pack(const br_sorter *sorter, br_sort_range *range, bool is_alone,
                       uint32_t *bits_out, br_error *err)
{
    findings one;
    key_job job = {.sorter = sorter, .first = range->first, .end = range->end, .part_count = 1,
                   .parts = &one};
    br_arena_mark mark = {0};
    if (!is_alone) {
        mark = br_arena_get_mark(sorter->arena);
        job.part_count = (range->end - range->first - 1) / BR_SORT_PART_ROWS + 1;
        job.parts = BR_ALLOC(sorter->arena, findings, job.part_count);
        if (job.parts == NULL) return br_run_no_memory(sorter->run, "sorting", err);
    }
    uint32_t bits_left = 64;
    for (bool is_whole; range->key < sorter->columns->key_count; range->key++, range->offset = 0) {
        job.column = &sorter->columns->columns[range->key];
        job.key = &sorter->columns->keys[range->key];
        job.collation =
            job.column->class_ == BR_BLOB ? BR_COLLATION_BINARY : job.key->collation;
        if (job.column->class_ == BR_NULL) continue;
        if (bits_left < 2) break;
        job.known_bytes = range->offset;
        BR_TRY(pack_key(&job, &bits_left, &is_whole, err));
        if (is_whole) continue;
        if (is_text(job.column))
            range->offset = job.offset + (job.shift == 0 ? job.char_count : 0);
        break;
    }
    if (!is_alone) br_arena_rewind(sorter->arena, mark);
    range->is_packed = bits_left < 64;
    *bits_out = 64 - bits_left;
    return BR_OK;
}
