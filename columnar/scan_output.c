// scan_output.c - turning surviving rows into the vectors that were asked for.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "columnar/scan.h"

static br_status no_memory(uint32_t count, br_error *err)
{
    return br_fail(err, BR_NOMEM, "no memory for a vector of %u rows", count);
}

// ---- segments --------------------------------------------------------------------------------

// Brings a decoded vector to the class asked for; one of only NULLs stays what it is.
static br_status convert(br_scan *scan, uint32_t output, uint32_t count, br_error *err)
{
    br_vector *vector = &scan->vectors[output];
    br_class class_ = scan->request->columns[output].class_;
    bool is_time = vector->kind == BR_VECTOR_DATE || vector->kind == BR_VECTOR_DATETIME;
    // The text of dates must live until the next seek, unlike the vector.
    if (is_time && (class_ == BR_ANY || scan->request->no_times))
        BR_TRY(br_vector_flatten(vector, count, scan->arena, vector, err));
    if (vector->class_ == class_ || vector->class_ == BR_NULL) return BR_OK;
    if (class_ != BR_ANY)
        return br_fail(err, BR_MISUSE, "table '%s' column %u holds %s, not only %s",
                       scan->version->spec.name, scan->request->columns[output].column,
                       br_class_name(vector->class_), br_class_name(class_));
    return br_vector_to_any(vector, count, scan->batch_arena, vector, err);
}

static br_status emit_page(br_scan *scan, uint32_t output, br_scan_rows rows, br_error *err)
{
    const scan_page *page = &scan->pages[scan->output_pages[output]];
    br_assert(page->is_pinned);
    br_vector *vector = &scan->vectors[output];
    if (rows.positions == NULL) {
        BR_TRY(br_page_decode(page->want.page, rows.first, rows.count, scan->batch_arena, vector,
                              err));
    } else {
        BR_TRY(br_page_gather(page->want.page, rows.first, rows.positions, rows.count,
                              scan->batch_arena, vector, err));
    }
    return convert(scan, output, rows.count, err);
}

// ---- the delta -------------------------------------------------------------------------------

static br_status gather_validity(const br_column *column, br_scan_rows rows, br_arena *arena,
                                 const uint64_t **validity_out, br_error *err)
{
    uint64_t *bits = BR_ALLOC(arena, uint64_t, br_bitmap_words(rows.count));
    if (bits == NULL) return no_memory(rows.count, err);
    const uint8_t *classes = column->classes + rows.first;
    uint32_t valid = 0;
    for (uint32_t i = 0; i < rows.count; i++) {
        bool is_valid = classes[rows.positions[i]] != BR_NULL;
        bits[i >> 6] |= (uint64_t)is_valid << (i & 63);
        valid += is_valid;
    }
    *validity_out = valid == rows.count ? NULL : bits;
    return BR_OK;
}

static void gather_items(const br_column *column, br_scan_rows rows, br_class class_, void *items)
{
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = rows.first + rows.positions[i];
        uint64_t payload = column->payloads[row];
        if (class_ == BR_ANY) {
            ((br_value *)items)[i] = br_column_value(column, row);
        } else if (class_ == BR_INT || class_ == BR_REAL) {
            ((uint64_t *)items)[i] = payload;
        } else {
            ((br_text *)items)[i] =
                br_text_make((const void *)(uintptr_t)payload, column->sizes[row]);
        }
    }
}

static br_status gather_column(const br_column *column, br_scan_rows rows, br_class class_,
                               br_arena *arena, br_vector *out, br_error *err)
{
    size_t item_bytes = class_ == BR_ANY ? sizeof(br_value)
                        : class_ == BR_INT || class_ == BR_REAL ? sizeof(uint64_t)
                                                                : sizeof(br_text);
    br_vector vector = {.class_ = (uint8_t)class_, .kind = BR_VECTOR_FLAT};
    if (class_ != BR_ANY) BR_TRY(gather_validity(column, rows, arena, &vector.validity, err));
    void *items = br_arena_alloc(arena, rows.count * item_bytes, 64);
    if (items == NULL) return no_memory(rows.count, err);
    gather_items(column, rows, class_, items);
    vector.data = items;
    *out = vector;
    return BR_OK;
}

static br_status emit_column(br_scan *scan, uint32_t output, br_scan_rows rows, br_error *err)
{
    uint32_t index = scan->pages[scan->output_pages[output]].column;
    const br_column *column = br_delta_column(scan->version->delta, scan->chunk, index);
    unsigned mask = scan->version->delta_stats->stats[index].class_mask;
    br_class class_ = scan->request->columns[output].class_;
    br_vector *vector = &scan->vectors[output];
    if (br_class_of_mask(mask) == BR_NULL) {
        *vector = br_vector_null();
        return BR_OK;
    }
    if (class_ != BR_ANY && class_ != br_class_of_mask(mask))
        return br_fail(err, BR_MISUSE, "table '%s' column %u holds %s, not only %s",
                       scan->version->spec.name, scan->request->columns[output].column,
                       br_class_name(br_class_of_mask(mask)), br_class_name(class_));
    if (rows.positions == NULL)
        return br_column_slice(column, rows.first, rows.count, class_, scan->batch_arena, vector,
                               err);
    return gather_column(column, rows, class_, scan->batch_arena, vector, err);
}

br_status br_scan_emit(br_scan *scan, br_scan_rows rows, br_batch *batch_out, br_error *err)
{
    for (uint32_t i = 0; i < scan->request->column_count; i++) {
        if (scan->is_delta) BR_TRY(emit_column(scan, i, rows, err));
        else BR_TRY(emit_page(scan, i, rows, err));
    }
    scan->stats.rows_passed += rows.count;
    *batch_out = (br_batch){.row_count = rows.count,
                            .column_count = scan->request->column_count,
                            .columns = scan->vectors};
    return BR_OK;
}
