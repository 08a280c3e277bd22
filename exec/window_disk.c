// window_disk.c - window functions over more rows than there is memory for.
//
// The rows are sorted on disk. Whole partitions that fit together are a portion, which is evaluated
// as if it were all there is; a partition that is too large is one of its own, whose rows are read
// where its frames begin and end. A portion is a morsel.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/keys.h"
#include "exec/op_window.h"
#include "exec/spill.h"

enum {
    COPIES_PER_ROW = 3,  // what was read, columns of it, and what is on its way
    EXTRA_BYTES_PER_ROW = 48,
    PORTION_SHARES = 4,
};

typedef struct portion {
    uint32_t first, end;  // rows
} portion;

typedef struct window_disk {
    br_source base;
    br_window_node *node;
    br_batches rows;           // in order; all batches but the last are full
    br_window_marks partitions, groups;
    uint32_t rows_max;         // of a portion of several partitions
    uint32_t portion_count;
    portion *portions;
    br_memory *work;           // of the portions
} window_disk;

static br_status no_memory(const window_disk *self, br_error *err)
{
    return br_run_no_memory(self->node->run, "window functions", err);
}

// ---- where partitions and groups begin -------------------------------------------------------

typedef struct boundary_scan {
    window_disk *self;
    br_arena *arenas[2];  // of the batch and the one before
    br_batch batch, before;
    uint32_t first;       // row of the batch
    uint16_t left[BR_BATCH_ROWS];
    uint32_t right[BR_BATCH_ROWS];
    uint8_t is_equal[BR_BATCH_ROWS];
} boundary_scan;

static void mark_row(window_disk *self, uint32_t row, bool is_partition)
{
    br_bitmap_set(self->groups.bits, row);
    if (is_partition) br_bitmap_set(self->partitions.bits, row);
}

// Rows left[i] of the batch and right[i] of `other`: those that differ in the key begin something.
static br_status compare_rows(boundary_scan *scan, uint32_t key, const br_batch *other,
                              uint32_t count, br_arena *scratch, br_error *err)
{
    const br_window_node *node = scan->self->node;
    uint32_t column = node->key_columns[key];
    const br_vector *left = &scan->batch.columns[column], *right = &other->columns[column];
    bool differ;
    if (left->class_ == BR_NULL && right->class_ == BR_NULL) return BR_OK;
    memset(scan->is_equal, 1, count);
    const br_key_pairs pairs = {
        .count = count, .left = scan->left, .right = scan->right, .is_equal = scan->is_equal};
    BR_TRY(br_keys_compare(node->run, left, right, node->keys[key].collation, &pairs, scratch,
                           &differ, err));
    for (uint32_t i = 0; differ && i < count; i++) {
        if (!scan->is_equal[i])
            mark_row(scan->self, scan->first + scan->left[i],
                     key < node->plan->window.partition_count);
    }
    return BR_OK;
}

static br_status scan_batch(boundary_scan *scan, br_error *err)
{
    const br_window_node *node = scan->self->node;
    br_arena *scratch = br_memory_arena(node->run->scratch, 0);
    if (scratch == NULL) return no_memory(scan->self, err);
    br_arena_mark mark = br_arena_get_mark(scratch);
    for (uint32_t key = 0; key < node->key_count; key++) {
        scan->left[0] = 0;
        scan->right[0] = scan->before.row_count - 1;
        if (scan->first > 0) BR_TRY(compare_rows(scan, key, &scan->before, 1, scratch, err));
        for (uint32_t i = 1; i < scan->batch.row_count; i++) {
            scan->left[i - 1] = (uint16_t)i;
            scan->right[i - 1] = i - 1;
        }
        BR_TRY(compare_rows(scan, key, &scan->batch, scan->batch.row_count - 1, scratch, err));
        br_arena_rewind(scratch, mark);
    }
    return BR_OK;
}

static br_status scan_batches(boundary_scan *scan, br_error *err)
{
    window_disk *self = scan->self;
    const br_batches *rows = &self->rows;
    mark_row(self, 0, true);
    for (uint32_t i = 0; i < rows->batch_count; i++) {
        br_arena *arena = scan->arenas[i % 2];
        BR_TRY(br_run_poll(self->node->run, err));
        br_arena_reset(arena);
        BR_TRY(br_batches_get(self->node->run, 0, rows, i, arena, &scan->batch, err));
        br_assert(scan->batch.row_count == BR_BATCH_ROWS || i + 1 == rows->batch_count);
        BR_TRY(scan_batch(scan, err));
        scan->first += scan->batch.row_count;
        scan->before = scan->batch;
    }
    return BR_OK;
}

static br_status find_boundaries(window_disk *self, br_error *err)
{
    br_run *run = self->node->run;
    br_memory *memory;
    br_arena *arena = br_memory_arena(self->node->memory, 0);
    if (arena == NULL) return no_memory(self, err);
    BR_TRY(br_memory_new(run, &memory, err));
    br_arena *own = br_memory_arena(memory, 0);
    boundary_scan *scan = own == NULL ? NULL : BR_ALLOC(own, boundary_scan, 1);
    if (scan == NULL) return no_memory(self, err);
    scan->self = self;
    uint32_t row_count = (uint32_t)self->rows.row_count;
    BR_TRY(br_window_marks_init(&self->partitions, run, arena, row_count, err));
    BR_TRY(br_window_marks_init(&self->groups, run, arena, row_count, err));
    for (uint32_t i = 0; i < 2; i++) scan->arenas[i] = br_arena_new(run->env->quota);
    br_status status = scan->arenas[0] == NULL || scan->arenas[1] == NULL
                           ? no_memory(self, err)
                           : scan_batches(scan, err);
    for (uint32_t i = 0; i < 2; i++) br_arena_free(scan->arenas[i]);
    BR_TRY(status);
    br_window_marks_count(&self->partitions);
    br_window_marks_count(&self->groups);
    br_memory_free(run, memory);
    return BR_OK;
}

// ---- portions --------------------------------------------------------------------------------

// The first row behind `row` that begins a partition.
static uint32_t end_of_partition(const window_disk *self, uint32_t row)
{
    return br_window_marks_row(&self->partitions,
                               br_window_marks_rank(&self->partitions, row + 1));
}

static uint32_t cut_portions(const window_disk *self, portion *out)
{
    uint32_t count = 0, row_count = (uint32_t)self->rows.row_count;
    for (uint32_t first = 0, end; first < row_count; first = end) {
        end = end_of_partition(self, first);
        while (end < row_count) {
            uint32_t next = end_of_partition(self, end);
            if (next - first > self->rows_max) break;
            end = next;
        }
        if (out != NULL) out[count] = (portion){.first = first, .end = end};
        count++;
    }
    return count;
}

static br_status make_portions(window_disk *self, br_error *err)
{
    br_window_node *node = self->node;
    uint64_t raw_bytes = 0;
    for (uint32_t i = 0; i < self->rows.batch_count; i++)
        raw_bytes += self->rows.places[i].raw_bytes;
    uint64_t row_bytes = raw_bytes / self->rows.row_count * COPIES_PER_ROW +
                         (node->job_count + 1) * EXTRA_BYTES_PER_ROW;
    uint64_t rows = PORTION_SHARES * br_run_share_bytes(node->run) / row_bytes;
    self->rows_max = rows < BR_BATCH_ROWS / 2 ? BR_BATCH_ROWS / 2 : (uint32_t)rows;
    self->portion_count = cut_portions(self, NULL);
    self->portions = BR_ALLOC(br_memory_arena(node->memory, 0), portion, self->portion_count);
    if (self->portions == NULL) return no_memory(self, err);
    (void)cut_portions(self, self->portions);
    return BR_OK;
}

// ---- a portion of several partitions ---------------------------------------------------------

// Rows first..end of the order, as columns.
static br_status load_rows(const window_disk *self, const portion *at, uint32_t worker,
                           br_rows *rows_out, br_error *err)
{
    br_run *run = self->node->run;
    br_arena *arena = br_memory_arena(self->work, worker);
    uint32_t first = at->first / BR_BATCH_ROWS;
    uint32_t count = (at->end - 1) / BR_BATCH_ROWS - first + 1;
    br_batches batches = {.column_count = self->rows.column_count, .batch_count = count};
    batches.batches = BR_ALLOC(arena, br_batch, count);
    uint16_t *positions = BR_ALLOC(arena, uint16_t, BR_BATCH_ROWS);
    if (batches.batches == NULL || positions == NULL) return no_memory(self, err);
    for (uint32_t i = 0; i < count; i++) {
        br_batch *batch = &batches.batches[i];
        BR_TRY(br_batches_get(run, worker, &self->rows, first + i, arena, batch, err));
        uint32_t skipped = i == 0 ? at->first % BR_BATCH_ROWS : 0;
        uint32_t left = at->end - (first + i) * BR_BATCH_ROWS;
        uint32_t end = left < batch->row_count ? left : batch->row_count;
        for (uint32_t k = skipped; k < end; k++) positions[k - skipped] = (uint16_t)k;
        if (skipped > 0)
            BR_TRY(br_batch_gather(batch, positions, end - skipped, arena, batch, err));
        batch->row_count = end - skipped;
        batches.row_count += batch->row_count;
    }
    const br_keep keep = {.rows = self->work, .bytes = self->work};
    return br_rows_build_alone(run, &batches, &keep, worker, rows_out, err);
}

static br_status list_groups(const window_disk *self, const portion *at, br_arena *arena,
                             br_window_rows *out, br_error *err)
{
    const br_window_marks *marks[2] = {&self->partitions, &self->groups};
    uint32_t counts[2];
    for (uint32_t i = 0; i < 2; i++)
        counts[i] = br_window_marks_rank(marks[i], at->end) -
                    br_window_marks_rank(marks[i], at->first);
    uint32_t *partitions = BR_ALLOC(arena, uint32_t, counts[0] + 1);
    uint32_t *firsts = BR_ALLOC(arena, uint32_t, counts[0] + 1);
    uint32_t *groups = BR_ALLOC(arena, uint32_t, counts[1] + 1);
    if (partitions == NULL || firsts == NULL || groups == NULL) return no_memory(self, err);
    uint32_t partition = 0, group = 0, row_count = at->end - at->first;
    for (uint32_t row = 0; row < row_count; row++) {
        if (!br_bitmap_get(self->groups.bits, at->first + row)) continue;
        if (br_bitmap_get(self->partitions.bits, at->first + row)) {
            firsts[partition] = group;
            partitions[partition++] = row;
        }
        groups[group++] = row;
    }
    partitions[partition] = groups[group] = row_count;
    firsts[partition] = group;
    *out = (br_window_rows){.run = self->node->run,
                            .row_count = row_count,
                            .partition_count = partition,
                            .partition_rows = partitions,
                            .partition_groups = firsts,
                            .group_count = group,
                            .group_rows = groups};
    return BR_OK;
}

// A copy of the node for one portion.
static br_status copy_node(const window_disk *self, br_arena *arena, br_window_node **node_out,
                           br_error *err)
{
    br_window_node *node = br_arena_copy(arena, self->node, sizeof *node);
    if (node == NULL) return no_memory(self, err);
    node->memory = self->work;
    node->jobs = br_arena_copy(arena, self->node->jobs, node->job_count * sizeof *node->jobs);
    node->is_sorted = BR_ALLOC(arena, bool, self->rows.column_count);
    node->tasks = BR_ALLOC(arena, uint32_t, 2);
    if (node->jobs == NULL || node->is_sorted == NULL || node->tasks == NULL)
        return no_memory(self, err);
    for (uint32_t i = 0; i < node->job_count; i++) node->jobs[i].rows = &node->rows;
    *node_out = node;
    return BR_OK;
}

static br_status run_portion(const window_disk *self, br_worker *worker, const portion *at,
                             br_stage *next, br_error *err)
{
    br_arena *arena = br_memory_arena(self->work, worker->index);
    br_window_node *node;
    BR_TRY(copy_node(self, arena, &node, err));
    BR_TRY(load_rows(self, at, worker->index, &node->input, err));
    BR_TRY(list_groups(self, at, arena, &node->rows, err));
    node->sorted = node->input.columns;
    memset(node->is_sorted, true, self->rows.column_count * sizeof(bool));
    node->task_count = 1;
    node->tasks[1] = node->rows.partition_count;
    for (uint32_t i = 0; i < node->job_count; i++) {
        BR_TRY(br_window_prepare(node, i, worker->index, err));
        BR_TRY(br_window_run_task(node, i, worker->index, err));
    }
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    for (uint32_t first = 0; first < node->rows.row_count && !worker->is_morsel_done;) {
        BR_TRY(br_run_poll(worker->run, err));
        br_arena_rewind(worker->scratch, mark);
        BR_TRY(br_window_push(node, worker, first, next, err));
        first += BR_BATCH_ROWS;
    }
    return BR_OK;
}

// ---- a partition that is too large -----------------------------------------------------------

typedef struct large_partition {
    const window_disk *self;
    const portion *at;
    br_worker *worker;
    br_window_node *node;
    br_window_work *works;  // by job
    br_window_pages *pages;
    br_arena *keeps[2];     // what results of this block and of the one before point to
} large_partition;

// What columns are like: all batches have them alike.
static br_status describe_columns(large_partition *large, br_error *err)
{
    br_window_node *node = large->node;
    const br_batch *batch = br_window_pages_batch(large->pages, large->at->first);
    if (batch == NULL) return br_window_pages_status(large->pages, err);
    for (uint32_t i = 0; i < node->job_count; i++) {
        br_window_job *job = &node->jobs[i];
        const br_window_columns *columns = &job->columns;
        job->pages = large->pages;
        for (uint32_t k = 0; k < job->arg_count; k++) {
            if (columns->args[k] == BR_WINDOW_NO_COLUMN) continue;
            const br_vector *column = &batch->columns[columns->args[k]];
            job->args[k] = (br_vector){.class_ = column->class_, .kind = column->kind};
        }
        if (columns->range == BR_WINDOW_NO_COLUMN) continue;
        const br_vector *column = &batch->columns[columns->range];
        job->range_key = (br_vector){.class_ = column->class_, .kind = column->kind};
    }
    return BR_OK;
}

static br_status begin_large(large_partition *large, br_arena *arena, br_error *err)
{
    const window_disk *self = large->self;
    br_window_node *node = large->node;
    node->rows = (br_window_rows){.run = node->run,
                                  .row_count = (uint32_t)self->rows.row_count,
                                  .groups = &self->groups};
    BR_TRY(describe_columns(large, err));
    large->works = BR_ALLOC(arena, br_window_work, node->job_count);
    if (large->works == NULL) return no_memory(self, err);
    for (uint32_t i = 0; i < node->job_count; i++) {
        large->works[i] = (br_window_work){
            .job = &node->jobs[i],
            .first = large->at->first,
            .end = large->at->end,
            .first_group = br_window_marks_rank(&self->groups, large->at->first),
            .end_group = br_window_marks_rank(&self->groups, large->at->end),
            .scratch = large->worker->scratch};
        BR_TRY(br_window_result_new(&node->jobs[i], 0, BR_BATCH_ROWS, arena, err));
        BR_TRY(br_window_slide_new(&large->works[i], arena, err));
    }
    return BR_OK;
}

// Column k of the stored rows for the block, which lies in one batch.
static br_status stored_column(const large_partition *large, uint32_t k, uint32_t block,
                               uint32_t count, br_vector *out, br_error *err)
{
    const br_batch *batch = br_window_pages_batch(large->pages, block);
    if (batch == NULL) return br_window_pages_status(large->pages, err);
    *out = batch->columns[k];
    uint32_t first = block % BR_BATCH_ROWS, rows[BR_BATCH_ROWS];
    if (first == 0 || out->class_ == BR_NULL) return BR_OK;
    for (uint32_t i = 0; i < count; i++) rows[i] = first + i;
    return br_column_pick(large->node->run, &batch->columns[k], rows, count, false,
                          large->worker->scratch, out, err);
}

static br_status push_block(large_partition *large, uint32_t block, uint32_t block_end,
                            br_stage *next, br_error *err)
{
    br_window_node *node = large->node;
    br_arena *scratch = large->worker->scratch;
    br_batch batch = {.row_count = block_end - block,
                      .column_count = node->output_count + node->job_count};
    batch.columns = BR_ALLOC(scratch, br_vector, batch.column_count);
    if (batch.columns == NULL) return no_memory(large->self, err);
    for (uint32_t i = 0; i < node->job_count; i++) {
        br_window_work *work = &large->works[i];
        node->jobs[i].result.base = work->block = block;
        work->block_end = block_end;
        work->keep = large->keeps[0];
        BR_TRY(br_window_slide_block(work, err));
        BR_TRY(br_window_vector(&node->jobs[i], block, batch.row_count, scratch,
                                &batch.columns[node->output_count + i], err));
    }
    BR_TRY(br_window_pages_status(large->pages, err));
    for (uint32_t i = 0; i < node->output_count; i++)
        BR_TRY(stored_column(large, node->outputs[i], block, batch.row_count, &batch.columns[i],
                             err));
    return br_push(next, large->worker, &batch, err);
}

static br_status push_large(large_partition *large, br_stage *next, br_error *err)
{
    const br_worker *worker = large->worker;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    uint32_t end = large->at->end;
    for (uint32_t block = large->at->first, block_end; block < end && !worker->is_morsel_done;
         block = block_end) {
        block_end = (block / BR_BATCH_ROWS + 1) * BR_BATCH_ROWS;
        if (block_end > end) block_end = end;
        br_arena *keep = large->keeps[1];
        large->keeps[1] = large->keeps[0];
        large->keeps[0] = keep;
        br_arena_reset(keep);
        br_arena_rewind(worker->scratch, mark);
        BR_TRY(push_block(large, block, block_end, next, err));
    }
    return BR_OK;
}

static br_status run_large(const window_disk *self, br_worker *worker, const portion *at,
                           br_stage *next, br_error *err)
{
    br_run *run = self->node->run;
    br_arena *arena = br_memory_arena(self->work, worker->index);
    large_partition large = {.self = self, .at = at, .worker = worker};
    BR_TRY(copy_node(self, arena, &large.node, err));
    BR_TRY(br_window_pages_new(run, worker->index, &self->rows, arena, &large.pages, err));
    for (uint32_t i = 0; i < 2; i++) large.keeps[i] = br_arena_new(run->env->quota);
    br_status status = large.keeps[0] == NULL || large.keeps[1] == NULL
                           ? no_memory(self, err)
                           : begin_large(&large, arena, err);
    if (status == BR_OK) status = push_large(&large, next, err);
    for (uint32_t i = 0; i < 2; i++) br_arena_free(large.keeps[i]);
    br_window_pages_free(large.pages);
    return status;
}

// ---- the source ------------------------------------------------------------------------------

static br_status run_morsel(br_source *base, br_worker *worker, uint32_t morsel, br_stage *first,
                            br_error *err)
{
    const window_disk *self = (const window_disk *)base;
    const portion *at = &self->portions[morsel];
    br_arena *arena = br_memory_arena(self->work, worker->index);
    if (arena == NULL) return no_memory(self, err);
    BR_TRY(br_run_poll(worker->run, err));
    br_status status = at->end - at->first > self->rows_max
                           ? run_large(self, worker, at, first, err)
                           : run_portion(self, worker, at, first, err);
    br_arena_reset(arena);
    return status;
}

static const br_source_kind disk_kind = {.run_morsel = run_morsel};

br_status br_window_on_disk(br_pipeline *pipeline, br_window_node *node, const br_batches *input,
                            br_stage *next, br_error *err)
{
    br_run *run = node->run;
    window_disk *self = BR_ALLOC(run->arena, window_disk, 1);
    br_memory *sorted;
    if (self == NULL || input->row_count >= BR_ROW_NONE)
        return br_run_no_memory(run, "window functions", err);
    self->node = node;
    BR_TRY(br_memory_new(run, &self->work, err));
    BR_TRY(br_pipeline_adopt(pipeline, self->work, err));
    BR_TRY(br_memory_new(run, &sorted, err));
    const br_sort_spec spec = {.width = input->column_count,
                               .key_count = node->key_count,
                               .keys = node->keys,
                               .key_columns = node->key_columns,
                               .limit = UINT64_MAX};
    BR_TRY(br_sort_on_disk(run, &spec, input, sorted, &self->rows, err));
    BR_TRY(br_batches_store(run, &self->rows, err));
    br_memory_free(run, sorted);
    BR_TRY(find_boundaries(self, err));
    BR_TRY(make_portions(self, err));
    self->base = (br_source){.kind = &disk_kind,
                             .morsel_count = self->portion_count,
                             .row_count = input->row_count};
    return br_pipeline_add_branch(pipeline, &self->base, next, err);
}
