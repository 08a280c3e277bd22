// validity.c - which rows of a page are NULL, in the shortest of four forms.
//
// Stored as u8 form, 3 zero bytes, u32 count, then
//     NONE      nothing: no row is NULL
//     BITMAP    `count` = words of 64 bits: 1 for a value
//     NULLS     `count` u16 rows that are NULL, ascending
//     VALUES    `count` u16 rows that are not NULL, ascending
//     TOGGLES   `count` u16 rows where NULL turns to value or back, ascending; before: value
// SPDX-License-Identifier: Apache-2.0
#include "format/encoding.h"

typedef enum validity_form {
    VALIDITY_NONE,
    VALIDITY_BITMAP,
    VALIDITY_NULLS,
    VALIDITY_VALUES,
    VALIDITY_TOGGLES,
    VALIDITY_FORM_COUNT,
} validity_form;

enum { VALIDITY_HEADER_BYTES = 8 };

static uint32_t count_toggles(const uint64_t *validity, uint32_t row_count)
{
    bool before = true;
    uint32_t toggles = 0;
    for (uint32_t row = 0; row < row_count; row++) {
        bool now = br_bitmap_get(validity, row);
        toggles += now != before;
        before = now;
    }
    return toggles;
}

static validity_form pick_form(const uint64_t *validity, uint32_t row_count, uint32_t *count_out)
{
    uint32_t words = br_bitmap_words(row_count);
    uint32_t counts[VALIDITY_FORM_COUNT] = {[VALIDITY_BITMAP] = words};
    counts[VALIDITY_VALUES] = br_bitmap_count(validity, row_count);
    counts[VALIDITY_NULLS] = row_count - counts[VALIDITY_VALUES];
    counts[VALIDITY_TOGGLES] = count_toggles(validity, row_count);
    validity_form best = VALIDITY_BITMAP;
    size_t best_bytes = words * sizeof(uint64_t);
    for (validity_form form = VALIDITY_NULLS; form < VALIDITY_FORM_COUNT; form++) {
        size_t bytes = counts[form] * sizeof(uint16_t);
        if (bytes >= best_bytes) continue;
        best = form;
        best_bytes = bytes;
    }
    if (counts[VALIDITY_NULLS] == 0) best = VALIDITY_NONE;
    *count_out = counts[best];
    return best;
}

static bool is_listed(validity_form form, bool is_valid, bool before)
{
    if (form == VALIDITY_TOGGLES) return is_valid != before;
    return is_valid == (form == VALIDITY_VALUES);
}

br_status br_validity_append(br_encoder *encoder, const uint64_t *validity, uint32_t row_count,
                             br_error *err)
{
    uint32_t count = 0;
    validity_form form = VALIDITY_NONE;
    if (validity != NULL) form = pick_form(validity, row_count, &count);
    uint8_t header[VALIDITY_HEADER_BYTES] = {(uint8_t)form};
    br_store_u32(header + 4, count);
    BR_TRY(br_append(encoder->out, header, sizeof header, err));
    if (form == VALIDITY_NONE) return BR_OK;
    if (form == VALIDITY_BITMAP)
        return br_append(encoder->out, validity, count * sizeof(uint64_t), err);

    uint16_t *rows = br_arena_alloc(encoder->arena, ((size_t)count + 1) * sizeof *rows, 2);
    if (rows == NULL) return br_fail_nomem(err, count * sizeof *rows);
    uint32_t listed = 0;
    bool before = true;
    for (uint32_t row = 0; row < row_count; row++) {
        bool is_valid = br_bitmap_get(validity, row);
        rows[listed] = (uint16_t)row;
        listed += is_listed(form, is_valid, before);
        before = is_valid;
    }
    br_assert(listed == count);
    return br_append(encoder->out, rows, count * sizeof *rows, err);
}

static void clear_rows(uint64_t *bits, uint32_t first, uint32_t end)
{
    for (uint32_t row = first; row < end; row++) br_bitmap_clear(bits, row);
}

// Turns a list of rows, already known to ascend, into bits.
static void apply_rows(validity_form form, const uint8_t *list, uint32_t count, uint32_t row_count,
                       uint64_t *bits)
{
    if (form != VALIDITY_VALUES) br_bitmap_fill(bits, row_count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = br_load_u16(list + 2 * i);
        if (form == VALIDITY_VALUES) {
            br_bitmap_set(bits, row);
        } else if (form == VALIDITY_NULLS) {
            br_bitmap_clear(bits, row);
        } else if (i % 2 == 0) {
            clear_rows(bits, row, i + 1 < count ? br_load_u16(list + 2 * i + 2) : row_count);
        }
    }
}

br_status br_validity_open(br_opener *opener, uint32_t row_count, const uint64_t **validity_out,
                           br_error *err)
{
    const uint8_t *header, *list;
    BR_TRY(br_opener_take(opener, VALIDITY_HEADER_BYTES, "validity", &header, err));
    uint32_t form = header[0], count = br_load_u32(header + 4), words = br_bitmap_words(row_count);
    if (form >= VALIDITY_FORM_COUNT)
        return br_opener_corrupt(opener, err, "validity form", form, VALIDITY_FORM_COUNT - 1);
    *validity_out = NULL;
    if (form == VALIDITY_NONE) return BR_OK;
    uint32_t count_max = form == VALIDITY_BITMAP ? words : row_count;
    if (count > count_max || (form == VALIDITY_BITMAP && count != words))
        return br_opener_corrupt(opener, err, "validity count", count, count_max);

    size_t padded_bytes = (size_t)br_vectors_of(row_count) * BR_VECTOR_WORDS * sizeof(uint64_t);
    void *memory;
    BR_TRY(br_opener_alloc(opener, padded_bytes, &memory, err));
    memset(memory, 0, padded_bytes);
    *validity_out = memory;
    size_t item_bytes = form == VALIDITY_BITMAP ? sizeof(uint64_t) : sizeof(uint16_t);
    BR_TRY(br_opener_take(opener, count * item_bytes, "validity", &list, err));
    if (form == VALIDITY_BITMAP) {
        memcpy(memory, list, count * item_bytes);
        return BR_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = br_load_u16(list + 2 * i);
        if (row >= row_count || (i > 0 && row <= br_load_u16(list + 2 * i - 2)))
            return br_opener_corrupt(opener, err, "validity row", row, row_count);
    }
    apply_rows((validity_form)form, list, count, row_count, memory);
    return BR_OK;
}
