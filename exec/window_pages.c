// window_pages.c - sorted rows on disk: reading them where they are needed, and where groups begin.
// SPDX-License-Identifier: Apache-2.0
#include "exec/spill.h"
#include "exec/window.h"

enum {
    // Frames of three pieces have six ends that move; with the current row there is one to spare.
    PAGES_MAX = 8,
    PAGES_MIN = 3,
};

typedef struct page {
    uint32_t index;  // of the batch
    uint64_t used;   // when; 0: there is none
    br_arena *arena;
    br_batch batch;
} page;

struct br_window_pages {
    br_run *run;
    uint32_t worker;
    const br_batches *batches;
    uint64_t clock;
    uint32_t page_count;
    page *last;
    br_status status;
    br_error error;
    page pages[PAGES_MAX];
};

br_status br_window_pages_new(br_run *run, uint32_t worker, const br_batches *batches,
                              br_arena *arena, br_window_pages **pages_out, br_error *err)
{
    br_window_pages *self = BR_ALLOC(arena, br_window_pages, 1);
    if (self == NULL) return br_run_no_memory(run, "window functions", err);
    self->run = run;
    self->worker = worker;
    self->batches = batches;
    size_t page_bytes = batches->places[0].raw_bytes + 1;
    size_t count = br_run_share_bytes(run) / page_bytes;
    self->page_count = count < PAGES_MIN ? PAGES_MIN : count > PAGES_MAX ? PAGES_MAX
                                                                         : (uint32_t)count;
    for (uint32_t i = 0; i < self->page_count; i++) {
        self->pages[i].arena = br_arena_new(run->env->quota);
        if (self->pages[i].arena != NULL) continue;
        br_window_pages_free(self);
        return br_run_no_memory(run, "window functions", err);
    }
    self->last = &self->pages[0];
    *pages_out = self;
    return BR_OK;
}

void br_window_pages_free(br_window_pages *pages)
{
    for (uint32_t i = 0; pages != NULL && i < pages->page_count; i++) {
        br_arena_free(pages->pages[i].arena);
        pages->pages[i].arena = NULL;
    }
}

br_status br_window_pages_status(const br_window_pages *pages, br_error *err)
{
    if (pages->status == BR_OK) return BR_OK;
    return br_fail(err, pages->status, "%s", pages->error.message);
}

// The page takes the place of the one that was not used for longest.
static bool read_page(br_window_pages *self, uint32_t index)
{
    page *oldest = &self->pages[0];
    for (uint32_t i = 0; i < self->page_count; i++) {
        page *at = &self->pages[i];
        if (at->used > 0 && at->index == index) {
            self->last = at;
            return true;
        }
        if (at->used < oldest->used) oldest = at;
    }
    if (self->status != BR_OK) return false;
    oldest->used = 0;
    br_arena_reset(oldest->arena);
    self->status = br_spill_read_batch(self->run, self->worker, &self->batches->places[index],
                                       oldest->arena, &oldest->batch, &self->error);
    if (self->status != BR_OK) return false;
    oldest->index = index;
    self->last = oldest;
    return true;
}

const br_batch *br_window_pages_batch(br_window_pages *pages, uint32_t row)
{
    uint32_t index = row / BR_BATCH_ROWS;
    bool is_last = pages->last->used > 0 && pages->last->index == index;
    if (!is_last && !read_page(pages, index)) return NULL;
    pages->last->used = ++pages->clock;
    return &pages->last->batch;
}

br_value br_window_pages_value(br_window_pages *pages, uint32_t column, uint32_t row,
                               br_arena *arena)
{
    const br_batch *batch = br_window_pages_batch(pages, row);
    if (batch == NULL) return br_value_null();
    return br_vector_value(&batch->columns[column], row % BR_BATCH_ROWS, arena);
}

// ---- marks -----------------------------------------------------------------------------------

br_status br_window_marks_init(br_window_marks *marks, const br_run *run, br_arena *arena,
                               uint32_t row_count, br_error *err)
{
    uint32_t words = br_bitmap_words(row_count);
    marks->row_count = row_count;
    marks->bits = BR_ALLOC(arena, uint64_t, words);
    marks->before = BR_ALLOC(arena, uint32_t, words / BR_WINDOW_MARK_WORDS + 2);
    if (marks->bits == NULL || marks->before == NULL)
        return br_run_no_memory(run, "window functions", err);
    return BR_OK;
}

void br_window_marks_count(br_window_marks *marks)
{
    uint32_t words = br_bitmap_words(marks->row_count), count = 0;
    for (uint32_t i = 0; i < words; i++) {
        if (i % BR_WINDOW_MARK_WORDS == 0) marks->before[i / BR_WINDOW_MARK_WORDS] = count;
        count += (uint32_t)__builtin_popcountll(marks->bits[i]);
    }
    marks->before[(words + BR_WINDOW_MARK_WORDS - 1) / BR_WINDOW_MARK_WORDS] = count;
}

uint32_t br_window_marks_rank(const br_window_marks *marks, uint32_t row)
{
    uint32_t word = row / 64, block = word / BR_WINDOW_MARK_WORDS;
    uint32_t count = marks->before[block];
    for (uint32_t i = block * BR_WINDOW_MARK_WORDS; i < word; i++)
        count += (uint32_t)__builtin_popcountll(marks->bits[i]);
    if (row % 64 != 0)
        count += (uint32_t)__builtin_popcountll(marks->bits[word] << (64 - row % 64));
    return count;
}

// The last block with no more than `index` marks before it.
static uint32_t find_block(const br_window_marks *marks, uint32_t index)
{
    uint32_t low = 0, high = br_bitmap_words(marks->row_count) / BR_WINDOW_MARK_WORDS;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (marks->before[middle] <= index) low = middle;
        else high = middle - 1;
    }
    return low;
}

uint32_t br_window_marks_row(const br_window_marks *marks, uint32_t index)
{
    uint32_t block = find_block(marks, index), words = br_bitmap_words(marks->row_count);
    uint32_t left = index - marks->before[block];
    for (uint32_t i = block * BR_WINDOW_MARK_WORDS; i < words; i++) {
        uint64_t word = marks->bits[i];
        uint32_t count = (uint32_t)__builtin_popcountll(word);
        if (left >= count) {
            left -= count;
            continue;
        }
        for (; left > 0; left--) word &= word - 1;
        return i * 64 + (uint32_t)__builtin_ctzll(word);
    }
    return marks->row_count;  // behind the last
}
