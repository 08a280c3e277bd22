// join_disk.c - cutting both sides of a join, and joining partition by partition.
// SPDX-License-Identifier: Apache-2.0
#include "exec/join_disk.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "exec/profile.h"
#include "exec/spill.h"

enum {
    TABLE_BYTES_PER_ROW = 32,   // hashes, buckets, entries
    PARTITION_BITS_MAX = 8,
    PARTITION_SHIFT = 20,       // bits of the hash that tables use little
    PARTITION_QUOTA_PART = 4,   // of the quota may one partition, or block of one, need
    RANGE_QUOTA_PART = 32,      // of the quota are cut by one task, the same for any threads
    RANGE_BYTES_MAX = 2 * 1024 * 1024,
    SMALL_QUOTA_PART = 1024,
};

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "a join", err);
}

br_status br_join_store(br_run *run, br_join_input *side, uint32_t key_count, br_error *err)
{
    br_pipeline *pipeline;
    br_stage *sink, *extend;
    uint32_t width = br_plan_width(side->plan), computed = 0;
    const br_expr **expressions = BR_ALLOC(run->arena, const br_expr *, key_count);
    side->key_columns = BR_ALLOC(run->arena, uint32_t, key_count);
    if (expressions == NULL || side->key_columns == NULL) return no_memory(run, err);
    for (uint32_t k = 0; k < key_count; k++) {
        const br_expr *key = side->keys[k];
        bool is_column = key->kind == BR_EXPR_COLUMN &&
                         br_layout_find(&side->layout, key->column_id, &side->key_columns[k]);
        if (is_column) continue;
        side->key_columns[k] = width + computed;
        expressions[computed++] = key;
    }
    BR_TRY(br_pipeline_new(run, &pipeline, err));
    BR_TRY(br_collect_new(pipeline, width + computed, &side->keep, &sink, err));
    br_pipeline_set_sink(pipeline, sink);
    BR_TRY(br_extend_new(pipeline, side->plan, expressions, computed, sink, &extend, err));
    BR_TRY(br_produce(pipeline, side->plan, extend, err));
    BR_TRY(br_pipeline_run(pipeline, err));
    return br_collect_batches(sink, &side->batches, err);
}

// ---- the decision ----------------------------------------------------------------------------

static uint64_t data_bytes(const br_batches *batches)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < batches->batch_count; i++) {
        const br_batch *batch = &batches->batches[i];
        bytes += batch->columns != NULL ? br_spill_batch_bytes(batch)
                                        : batches->places[i].raw_bytes;
    }
    return bytes;
}

// The batches, their rows as columns, and the table.
static uint64_t needed_bytes(const br_batches *batches)
{
    return 2 * data_bytes(batches) + batches->row_count * TABLE_BYTES_PER_ROW;
}

bool br_join_wants_disk(br_run *run, const br_plan *plan, const br_join_input *build,
                        br_memory *memory)
{
    if (run->spill == NULL) return false;
    size_t limit = run->env->quota->limit_bytes;
    uint64_t rows = build->batches.row_count;
    bool is_small = rows * (build->batches.column_count * sizeof(br_text) + TABLE_BYTES_PER_ROW) <
                    limit / SMALL_QUOTA_PART;
    if (is_small && build->batches.places == NULL) return false;
    uint64_t needed = needed_bytes(&build->batches);
    // A recursion pushes its rows through tables that stay.
    if (!br_plan_reads_working(plan) && run->planned_bytes + needed > limit / 2) return true;
    memory->planned_bytes += needed / 2;
    run->planned_bytes += needed / 2;
    return false;
}

// ---- cutting ---------------------------------------------------------------------------------

typedef struct cut_job {
    br_run *run;
    const br_join_stage *stage;
    const br_join_input *side;
    uint32_t part_count;
    uint32_t range_count;
    uint32_t *starts;      // batches starts[r]..starts[r + 1] are cut by task r
    br_batch_list *lists;  // by partition, then by range
    br_memory *work;
} cut_job;

static br_status find_ranges(cut_job *job, br_arena *arena, br_error *err)
{
    const br_batches *batches = &job->side->batches;
    size_t most = job->run->env->quota->limit_bytes / RANGE_QUOTA_PART, bytes = 0;
    if (most > RANGE_BYTES_MAX) most = RANGE_BYTES_MAX;
    job->starts = BR_ALLOC(arena, uint32_t, (size_t)batches->batch_count + 1);
    if (job->starts == NULL) return no_memory(job->run, err);
    for (uint32_t i = 0; i < batches->batch_count; i++) {
        bytes += batches->places[i].raw_bytes;
        if (i > 0 && bytes <= most) continue;
        job->starts[job->range_count++] = i;
        bytes = batches->places[i].raw_bytes;
    }
    job->starts[job->range_count] = batches->batch_count;
    job->lists = BR_ALLOC(arena, br_batch_list, (size_t)job->range_count * job->part_count);
    return job->lists == NULL ? no_memory(job->run, err) : BR_OK;
}

static br_status load_range(const cut_job *job, uint32_t worker, uint32_t range,
                            br_rows *rows_out, br_error *err)
{
    br_arena *work = br_memory_arena(job->work, worker);
    uint32_t first = job->starts[range], count = job->starts[range + 1] - first;
    br_batches batches = {.column_count = job->side->batches.column_count, .batch_count = count};
    batches.batches = BR_ALLOC(work, br_batch, count);
    if (batches.batches == NULL) return no_memory(job->run, err);
    for (uint32_t i = 0; i < count; i++) {
        BR_TRY(br_batches_get(job->run, worker, &job->side->batches, first + i, work,
                              &batches.batches[i], err));
        batches.row_count += batches.batches[i].row_count;
    }
    const br_keep keep = {.rows = job->work, .bytes = job->work};
    return br_rows_build_alone(job->run, &batches, &keep, worker, rows_out, err);
}

// order[offsets[p]..offsets[p + 1]]: the rows of partition p, in order.
static br_status sort_rows(const cut_job *job, const br_rows *rows, br_arena *work,
                           uint32_t *offsets, uint32_t **order_out, br_error *err)
{
    const br_join_table *table = &job->stage->table;
    uint32_t row_count = rows->row_count, mask = job->part_count - 1;
    uint64_t *hashes = br_arena_alloc(work, (row_count + BR_BATCH_ROWS) * sizeof *hashes, 64);
    uint32_t *order = BR_ALLOC(work, uint32_t, row_count);
    br_vector *keys = BR_ALLOC(work, br_vector, table->key_count);
    br_hash_context hashing = {.run = job->run, .arena = work};
    if (hashes == NULL || order == NULL || keys == NULL) return no_memory(job->run, err);
    for (uint32_t first = 0; first < row_count; first += BR_BATCH_ROWS) {
        uint32_t count = row_count - first < BR_BATCH_ROWS ? row_count - first : BR_BATCH_ROWS;
        for (uint32_t k = 0; k < table->key_count; k++)
            keys[k] = br_vector_slice(&rows->columns[job->side->key_columns[k]], first);
        BR_TRY(br_keys_hash(&hashing, keys, table->collations, table->key_count, count,
                            hashes + first, err));
    }
    memset(offsets, 0, (job->part_count + 1) * sizeof *offsets);
    for (uint32_t i = 0; i < row_count; i++) offsets[(hashes[i] >> PARTITION_SHIFT & mask) + 1]++;
    for (uint32_t p = 0; p < job->part_count; p++) offsets[p + 1] += offsets[p];
    for (uint32_t i = 0; i < row_count; i++)
        order[offsets[hashes[i] >> PARTITION_SHIFT & mask]++] = i;
    memmove(offsets + 1, offsets, job->part_count * sizeof *offsets);
    offsets[0] = 0;
    *order_out = order;
    return BR_OK;
}

static br_status write_rows(const cut_job *job, uint32_t worker, const br_rows *rows,
                            const uint32_t *order, uint32_t count, br_batch_list *list,
                            br_error *err)
{
    br_arena *work = br_memory_arena(job->work, worker);
    br_arena *index = br_memory_arena(job->run->index, worker);
    if (index == NULL) return no_memory(job->run, err);
    br_arena_mark mark = br_arena_get_mark(work);
    for (uint32_t first = 0; first < count; first += BR_BATCH_ROWS) {
        uint32_t left = count - first;
        br_kept_batch *kept = BR_ALLOC(index, br_kept_batch, 1);
        br_batch batch = {.row_count = left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS,
                          .column_count = rows->column_count,
                          .columns = BR_ALLOC(work, br_vector, rows->column_count)};
        if (kept == NULL || batch.columns == NULL) return no_memory(job->run, err);
        for (uint32_t i = 0; i < rows->column_count; i++)
            BR_TRY(br_column_pick(job->run, &rows->columns[i], order + first, batch.row_count,
                                  false, work, &batch.columns[i], err));
        BR_TRY(br_spill_write_batch(job->run, worker, &batch, &kept->place, err));
        kept->batch = (br_batch){.row_count = batch.row_count,
                                 .column_count = batch.column_count};
        br_batch_list_add(list, kept);
        br_arena_rewind(work, mark);
    }
    return BR_OK;
}

static br_status cut_range(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    cut_job *job = context;
    br_arena *work = br_memory_arena(job->work, worker);
    uint32_t offsets[(1 << PARTITION_BITS_MAX) + 1], *order;
    br_rows rows;
    BR_TRY(br_run_poll(job->run, err));
    if (work == NULL) return no_memory(job->run, err);
    br_arena_mark mark = br_arena_get_mark(work);
    BR_TRY(load_range(job, worker, index, &rows, err));
    BR_TRY(sort_rows(job, &rows, work, offsets, &order, err));
    for (uint32_t p = 0; p < job->part_count; p++) {
        br_batch_list *list = &job->lists[(size_t)p * job->range_count + index];
        BR_TRY(write_rows(job, worker, &rows, order + offsets[p], offsets[p + 1] - offsets[p],
                          list, err));
    }
    br_arena_rewind(work, mark);
    return BR_OK;
}

// Stores a side in partitions; what it kept in memory goes.
static br_status cut_side(br_run *run, const br_join_stage *stage, br_join_input *side,
                          uint32_t part_count, br_batches *parts, br_error *err)
{
    cut_job job = {.run = run, .stage = stage, .side = side, .part_count = part_count};
    br_arena *index = br_memory_arena(run->index, 0);
    BR_TRY(br_batches_store(run, &side->batches, err));
    br_memory_reset(side->keep.rows);
    br_memory_reset(side->keep.bytes);
    BR_TRY(br_memory_new(run, &job.work, err));
    br_arena *arena = br_memory_arena(job.work, 0);
    if (index == NULL || arena == NULL) return no_memory(run, err);
    BR_TRY(find_ranges(&job, arena, err));
    BR_TRY(br_run_tasks(run, job.range_count, cut_range, &job, err));
    for (uint32_t p = 0; p < part_count; p++)
        BR_TRY(br_batches_join(run, job.lists + (size_t)p * job.range_count, job.range_count,
                               side->batches.column_count, index, &parts[p], err));
    br_memory_free(run, job.work);
    br_heap_trim();
    return BR_OK;
}

// ---- joining ---------------------------------------------------------------------------------

typedef struct disk_join {
    br_run *run;
    br_join_stage *stage;
    const uint32_t *key_columns;  // of the build side
    br_memory *memory;            // of the table
    br_batches *build, *probe;    // partitions
    br_memory *bits;              // of `passes`
    br_join_passes passes;
} disk_join;

// Consecutive batches of a partition of the build side that fit the memory together.
typedef struct disk_block {
    disk_join *join;
    uint32_t part;
    uint32_t first, count;  // batches
    bool is_whole;          // the only block of its partition
} disk_block;

static br_status build_block(disk_join *join, br_batches *batches, br_error *err)
{
    br_run *run = join->run;
    br_join_table *table = &join->stage->table;
    br_memory_reset(join->memory);
    *table = (br_join_table){.run = run,
                             .memory = join->memory,
                             .key_count = table->key_count,
                             .collations = table->collations,
                             .null_safe = table->null_safe};
    // Arrays of texts point into what was read: it stays beside the rows.
    BR_TRY(br_batches_load(run, batches, join->memory, err));
    const br_keep keep = {.rows = join->memory, .bytes = join->memory};
    BR_TRY(br_rows_build(run, batches, &keep, &table->rows, err));
    BR_TRY(br_join_table_build(table, join->key_columns, err));
    BR_TRY(br_join_find_null_rows(run, join->stage, err));
    br_node_figures *figures = br_run_figures(run, 0, run->node);
    if (figures != NULL) figures->build_rows += table->rows.row_count;
    return br_join_tracks(join->stage) ? br_join_table_track(table, err) : BR_OK;
}

// Before the rows of a partition are probed: the table of a block takes the place of the last one.
static br_status begin_block(void *context, br_error *err)
{
    const disk_block *block = context;
    disk_join *join = block->join;
    const br_batches *part = &join->build[block->part];
    br_batches batches = {.column_count = part->column_count, .batch_count = block->count};
    batches.batches = part->batches + block->first;
    if (part->places != NULL) batches.places = part->places + block->first;
    for (uint32_t i = 0; i < block->count; i++) batches.row_count += batches.batches[i].row_count;
    if (!block->is_whole && block->first == 0) {
        br_memory_reset(join->bits);
        BR_TRY(br_join_passes_init(&join->passes, join->stage, &join->probe[block->part],
                                   join->bits, err));
    }
    join->stage->passes = block->is_whole ? NULL : &join->passes;
    return build_block(join, &batches, err);
}

// All blocks of a partition are through: its probe rows come out by what is known of them.
static br_status begin_last_pass(void *context, br_error *err)
{
    (void)err;
    const disk_block *block = context;
    block->join->passes.is_last = true;
    return BR_OK;
}

static uint64_t block_bytes_max(const br_run *run)
{
    return run->env->quota->limit_bytes / PARTITION_QUOTA_PART;
}

static uint32_t choose_parts(const br_run *run, const br_batches *build)
{
    uint64_t needed = needed_bytes(build);
    uint32_t bits = 1;
    while (bits < PARTITION_BITS_MAX && needed >> bits > block_bytes_max(run)) bits++;
    return 1u << bits;
}

static br_status add_pass(br_pipeline *pipeline, const disk_block *block,
                          br_status (*begin)(void *context, br_error *err), br_error *err)
{
    br_run *run = pipeline->run;
    br_source *source;
    const br_batches *probe = &block->join->probe[block->part];
    disk_block *copy = br_arena_copy(run->arena, block, sizeof *copy);
    if (copy == NULL) return no_memory(run, err);
    BR_TRY(block->is_whole ? br_source_of_batches(run, probe, &source, err)
                           : br_join_pass_source(run, probe, &source, err));
    BR_TRY(br_pipeline_add_branch(pipeline, source, &block->join->stage->base, err));
    br_pipeline_before_branch(pipeline, begin, copy);
    return BR_OK;
}

// Takes batches from block->first on, and says how many rows they have.
static uint32_t fill_block(const br_run *run, const br_batches *part, disk_block *block)
{
    uint64_t bytes = 0, rows = 0;
    block->count = 0;
    for (uint32_t i = block->first; i < part->batch_count; i++) {
        bytes += 2 * part->places[i].raw_bytes +
                 (uint64_t)part->batches[i].row_count * TABLE_BYTES_PER_ROW;
        if (block->count > 0 && bytes > block_bytes_max(run)) break;
        rows += part->batches[i].row_count;
        block->count++;
    }
    return (uint32_t)rows;
}

// A partition that cutting has not made small enough, or that cannot be cut, is joined block by
// block.
static br_status add_part(br_pipeline *pipeline, disk_join *join, uint32_t index,
                          int rest_wanted, br_stage *next, br_error *err)
{
    const br_batches *part = &join->build[index];
    disk_block block = {.join = join, .part = index};
    do {
        uint32_t row_count = fill_block(pipeline->run, part, &block);
        block.is_whole = block.count == part->batch_count;
        BR_TRY(add_pass(pipeline, &block, begin_block, err));
        if (rest_wanted >= 0)
            BR_TRY(br_join_add_rest(pipeline, join->stage, (uint8_t)rest_wanted, row_count, next,
                                    err));
        block.first += block.count;
    } while (block.first < part->batch_count);
    if (block.is_whole || !br_join_finishes_probe(join->stage)) return BR_OK;
    return add_pass(pipeline, &block, begin_last_pass, err);
}

static br_status store_probe(br_run *run, const br_join_stage *stage, br_join_input *probe,
                             br_error *err)
{
    BR_TRY(br_memory_new(run, &probe->keep.rows, err));
    probe->keep.bytes = probe->keep.rows;
    return br_join_store(run, probe, stage->table.key_count, err);
}

// The side as its only partition.
static br_status keep_side(br_run *run, br_join_input *side, br_batches *part, br_error *err)
{
    BR_TRY(br_batches_store(run, &side->batches, err));
    br_memory_reset(side->keep.rows);
    br_memory_reset(side->keep.bytes);
    *part = side->batches;
    return BR_OK;
}

br_status br_join_on_disk(br_pipeline *pipeline, br_join_stage *stage, br_join_input sides[2],
                          int rest_wanted, br_stage *next, br_error *err)
{
    br_run *run = pipeline->run;
    br_join_input *probe = &sides[0], *build = &sides[1];
    // Without keys there is nothing to cut by, and NOT IN asks about NULLs of all rows.
    bool is_cut = stage->table.key_count > 0 &&
                  !(stage->join == BR_JOIN_MARK && stage->plan->join.mark_key_count > 0);
    uint32_t part_count = is_cut ? choose_parts(run, &build->batches) : 1;
    disk_join *join = BR_ALLOC(run->arena, disk_join, 1);
    br_batches *parts = BR_ALLOC(run->arena, br_batches, (size_t)2 * part_count);
    if (join == NULL || parts == NULL) return no_memory(run, err);
    *join = (disk_join){.run = run,
                        .stage = stage,
                        .key_columns = build->key_columns,
                        .memory = stage->table.memory,
                        .build = parts,
                        .probe = parts + part_count};
    BR_TRY(br_memory_new(run, &join->bits, err));
    BR_TRY(br_pipeline_adopt(pipeline, join->bits, err));
    BR_TRY(is_cut ? cut_side(run, stage, build, part_count, join->build, err)
                  : keep_side(run, build, join->build, err));
    BR_TRY(store_probe(run, stage, probe, err));
    BR_TRY(is_cut ? cut_side(run, stage, probe, part_count, join->probe, err)
                  : keep_side(run, probe, join->probe, err));
    br_memory_free(run, probe->keep.rows);
    for (uint32_t p = 0; p < part_count; p++)
        BR_TRY(add_part(pipeline, join, p, rest_wanted, next, err));
    return BR_OK;
}
