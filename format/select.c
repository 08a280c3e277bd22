// select.c - filters on pages, on packed values, entries and runs where the encoding can.
// SPDX-License-Identifier: Apache-2.0
#include "format/page.h"

enum {
    BATCH_WORDS = BR_BATCH_ROWS / 64,
    // A predicate on values that must be decoded looks at single rows when fewer than one in this
    // many is still selected.
    SPARSE_SHARE = 8,
};

// Rows begin.. of a vector whose kind is FLAT, DICT or DATE; the result has no validity.
static br_vector vector_from(const br_vector *vector, uint32_t begin)
{
    br_vector rest = *vector;
    rest.validity = NULL;
    if (vector->kind == BR_VECTOR_CONST) return rest;
    if (vector->kind == BR_VECTOR_DICT) rest.codes += begin;
    else if (vector->class_ == BR_REAL) rest.f64 += begin;
    else if (vector->kind == BR_VECTOR_FLAT && vector->class_ >= BR_TEXT) rest.text += begin;
    else rest.i64 += begin;
    return rest;
}

br_status br_select_entries(const br_selection *selection, const br_format_kernels *kernels,
                            const br_vector *entries, uint32_t entry_count,
                            const uint64_t **passes_out, br_error *err)
{
    br_select_cache *cache = selection->cache;
    if (cache->page != selection->page) {
        uint32_t words = br_bitmap_words(entry_count);
        uint64_t *passes = BR_ALLOC(selection->arena, uint64_t, words);
        if (passes == NULL) return br_fail_nomem(err, words * sizeof *passes);
        for (uint32_t begin = 0; begin < entry_count; begin += BR_BATCH_ROWS) {
            uint32_t left = entry_count - begin;
            uint32_t count = left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS;
            br_vector batch = vector_from(entries, begin);
            BR_TRY(br_filter_vector(selection, kernels, &batch, count, passes + begin / 64, err));
        }
        // Words hold ones past the end where a range was negated.
        if (entry_count % 64 != 0) passes[words - 1] &= ~0ull >> (64 - entry_count % 64);
        cache->entry_passes = passes;
        cache->page = selection->page;
    }
    *passes_out = cache->entry_passes;
    return BR_OK;
}

// A predicate over decoded rows: all of the batch, or only those still selected when they are few.
static br_status select_decoded(const br_page *page, const br_selection *selection,
                                const uint64_t *selected, uint64_t *bits_out, br_error *err)
{
    uint32_t count = selection->count, wanted = br_bitmap_count(selected, count);
    const br_format_kernels *kernels = page->root.kernels;
    br_vector vector;
    if (wanted * SPARSE_SHARE > count) {
        BR_TRY(br_page_decode(page, selection->first, count, selection->arena, &vector, err));
        return br_filter_vector(selection, kernels, &vector, count, bits_out, err);
    }
    uint16_t positions[BR_BATCH_ROWS];
    uint64_t passes[BATCH_WORDS];
    br_bitmap_positions(selected, count, positions);
    BR_TRY(br_page_gather(page, selection->first, positions, wanted, selection->arena, &vector,
                          err));
    BR_TRY(br_filter_vector(selection, kernels, &vector, wanted, passes, err));
    memset(bits_out, 0, br_bitmap_words(count) * sizeof *bits_out);
    for (uint32_t i = 0; i < wanted; i++)
        if (br_bitmap_get(passes, i)) br_bitmap_set(bits_out, positions[i]);
    return BR_OK;
}

// NULLs never pass but where the predicate says so.
static void and_passes(const br_page *page, const br_selection *selection, const uint64_t *bits,
                       uint64_t *selected)
{
    const br_filter *filter = selection->filter;
    bool nulls_pass = filter->kind == BR_FILTER_PREDICATE && filter->null_result;
    const uint64_t *validity =
        page->validity != NULL ? page->validity + selection->first / 64 : NULL;
    for (uint32_t word = 0; word < br_bitmap_words(selection->count); word++) {
        uint64_t passes = bits[word];
        if (validity != NULL)
            passes = (passes & validity[word]) | (nulls_pass ? ~validity[word] : 0);
        selected[word] &= passes;
    }
}

static bool is_zero(const uint64_t *bits, uint32_t words)
{
    uint64_t any = 0;
    for (uint32_t word = 0; word < words; word++) any |= bits[word];
    return any == 0;
}

static br_status select_batch(const br_page *page, const br_selection *selection,
                              uint64_t *selected, br_error *err)
{
    const br_node *root = &page->root;
    uint64_t bits[BATCH_WORDS];
    bool is_done = false;
    if (is_zero(selected, br_bitmap_words(selection->count))) return BR_OK;
    BR_TRY(root->ops->select(root, selection, bits, &is_done, err));
    if (!is_done) {
        br_arena_mark mark = br_arena_get_mark(selection->arena);
        BR_TRY(select_decoded(page, selection, selected, bits, err));
        br_arena_rewind(selection->arena, mark);
    }
    and_passes(page, selection, bits, selected);
    return BR_OK;
}

// IS NULL and NOT NULL look at nothing but the validity.
static void select_nulls(const br_page *page, bool wants_null, uint32_t first, uint32_t count,
                         uint64_t *selected)
{
    bool all_null = page->root.class_ == BR_NULL;
    const uint64_t *validity = page->validity != NULL ? page->validity + first / 64 : NULL;
    for (uint32_t word = 0; word < br_bitmap_words(count); word++) {
        uint64_t nulls = all_null ? ~0ull : validity != NULL ? ~validity[word] : 0;
        selected[word] &= wants_null ? nulls : ~nulls;
    }
}

br_status br_page_select(const br_page *page, const br_filter *filter, uint32_t worker,
                         uint32_t first, uint32_t count, br_select_cache *cache, br_arena *arena,
                         uint64_t *selected, br_error *err)
{
    br_assert(first % BR_VECTOR_ROWS == 0);
    br_assert(first <= page->root.row_count && count <= page->root.row_count - first);
    if (filter->kind == BR_FILTER_IS_NULL || filter->kind == BR_FILTER_NOT_NULL) {
        select_nulls(page, filter->kind == BR_FILTER_IS_NULL, first, count, selected);
        return BR_OK;
    }
    for (uint32_t begin = 0; begin < count; begin += BR_BATCH_ROWS) {
        br_selection selection = {.filter = filter,
                                  .worker = worker,
                                  .first = first + begin,
                                  .count = count - begin < BR_BATCH_ROWS ? count - begin
                                                                         : BR_BATCH_ROWS,
                                  .page = page,
                                  .cache = cache,
                                  .arena = arena};
        BR_TRY(select_batch(page, &selection, selected + begin / 64, err));
    }
    return BR_OK;
}
