// op_join.c - joins: the build side is stored, the probe side streams past it.
// SPDX-License-Identifier: Apache-2.0
#include "exec/join_disk.h"

#include "base/assert.h"
#include "exec/profile.h"
#include "exec/scan_filter.h"
#include "exec/spill.h"

enum { EMIT_ROWS = 65536 };  // build rows per morsel

enum { PROBE, BUILD };

typedef struct join_sides {
    br_join_input side[2];
} join_sides;

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "a join", err);
}

// ---- build side ------------------------------------------------------------------------------

// Stores the build side and says whether it is too large for memory.
static br_status store_build(br_run *run, const br_plan *plan, br_join_input *build,
                             br_join_table *table, bool *on_disk_out, br_error *err)
{
    uint32_t key_count = plan->join.key_count;
    br_memory *memory = table->memory;
    br_collation *collations = BR_ALLOC(run->arena, br_collation, key_count);
    bool *null_safe = BR_ALLOC(run->arena, bool, key_count);
    if (collations == NULL || null_safe == NULL) return no_memory(run, err);
    for (uint32_t k = 0; k < key_count; k++) {
        if (plan->join.key_collations != NULL) collations[k] = plan->join.key_collations[k];
        if (plan->join.null_safe != NULL) null_safe[k] = plan->join.null_safe[k];
    }
    *table = (br_join_table){.run = run,
                             .memory = memory,
                             .key_count = key_count,
                             .collations = collations,
                             .null_safe = null_safe};
    build->keep.bytes = memory;
    BR_TRY(br_memory_new(run, &build->keep.rows, err));
    BR_TRY(br_join_store(run, build, key_count, err));
    *on_disk_out = br_join_wants_disk(run, plan, build, memory);
    return BR_OK;
}

static br_status build_table(br_run *run, br_join_input *build, br_join_table *table,
                             br_error *err)
{
    const br_keep keep = {.rows = table->memory, .bytes = table->memory};
    BR_TRY(br_batches_load(run, &build->batches, table->memory, err));
    BR_TRY(br_rows_build(run, &build->batches, &keep, &table->rows, err));
    br_memory_free(run, build->keep.rows);
    br_node_figures *figures = br_run_figures(run, 0, run->node);
    if (figures != NULL) figures->build_rows += table->rows.row_count;
    return br_join_table_build(table, build->key_columns, err);
}

// ---- the stage -------------------------------------------------------------------------------

static br_join_column locate(const join_sides *sides, uint32_t column_id)
{
    br_join_column column = {.side = BR_SIDE_MARK};
    if (br_layout_find(&sides->side[PROBE].layout, column_id, &column.position))
        column.side = BR_SIDE_PROBE;
    else if (br_layout_find(&sides->side[BUILD].layout, column_id, &column.position))
        column.side = BR_SIDE_BUILD;
    return column;
}

typedef struct id_list {
    uint32_t *ids;
    uint32_t count, capacity;
    bool has_overflow;
} id_list;

static void add_id(void *context, uint32_t column_id)
{
    id_list *list = context;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->ids[i] == column_id) return;
    }
    list->has_overflow |= list->count == list->capacity;
    if (!list->has_overflow) list->ids[list->count++] = column_id;
}

static br_status compile_residual(br_run *run, const join_sides *sides, br_join_stage *stage,
                                  br_error *err)
{
    const br_expr *residual = stage->plan->join.residual;
    if (residual == NULL) return BR_OK;
    id_list list = {.capacity = sides->side[PROBE].layout.column_count +
                                sides->side[BUILD].layout.column_count};
    list.ids = BR_ALLOC(run->arena, uint32_t, list.capacity);
    stage->residual_columns = BR_ALLOC(run->arena, br_join_column, list.capacity);
    if (list.ids == NULL || stage->residual_columns == NULL) return no_memory(run, err);
    br_expr_columns(residual, add_id, &list);
    if (list.has_overflow)
        return br_fail(err, BR_INTERNAL, "a join condition reads columns of neither side");
    for (uint32_t i = 0; i < list.count; i++) {
        stage->residual_columns[i] = locate(sides, list.ids[i]);
        if (stage->residual_columns[i].side == BR_SIDE_MARK)
            return br_fail(err, BR_INTERNAL, "a join condition reads column %u of neither side",
                           list.ids[i]);
    }
    stage->residual_count = list.count;
    br_layout layout = {.column_count = list.count, .column_ids = list.ids};
    return br_program_compile(&residual, 1, &layout, &run->expr_env, run->arena, &stage->residual,
                              err);
}

static bool has_null_key(const br_join_stage *stage, uint32_t row)
{
    for (uint32_t k = 0; k < stage->plan->join.mark_key_count; k++)
        if (br_vector_is_null(&stage->table.keys[k], row)) return true;
    return false;
}

br_status br_join_find_null_rows(br_run *run, br_join_stage *stage, br_error *err)
{
    stage->null_row_count = 0;
    if (stage->join != BR_JOIN_MARK || stage->plan->join.mark_key_count == 0 ||
        stage->table.nulls == NULL)
        return BR_OK;
    uint32_t row_count = stage->table.rows.row_count, count = 0;
    for (uint32_t row = 0; row < row_count; row++) count += has_null_key(stage, row);
    br_arena *arena = br_memory_arena(stage->table.memory, 0);
    stage->null_rows = arena == NULL ? NULL : BR_ALLOC(arena, uint32_t, count);
    if (stage->null_rows == NULL) return no_memory(run, err);
    for (uint32_t row = 0; row < row_count; row++) {
        if (has_null_key(stage, row)) stage->null_rows[stage->null_row_count++] = row;
    }
    return BR_OK;
}

static br_status compile_stage(br_run *run, const join_sides *sides, br_join_stage *stage,
                               br_error *err)
{
    const br_plan *plan = stage->plan;
    bool build_left = stage->build_left;
    stage->keeps_unmatched =
        stage->join == BR_JOIN_FULL || (stage->join == BR_JOIN_LEFT && !build_left);
    stage->puts_out_pairs = stage->join == BR_JOIN_INNER || stage->join == BR_JOIN_LEFT ||
                            stage->join == BR_JOIN_FULL;
    stage->stops_at_first = !stage->puts_out_pairs && !build_left;
    stage->column_count = plan->column_count;
    stage->columns = BR_ALLOC(run->arena, br_join_column, plan->column_count);
    if (stage->columns == NULL) return no_memory(run, err);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        stage->columns[i] = locate(sides, plan->columns[i].id);
        if (stage->columns[i].side == BR_SIDE_MARK && stage->join != BR_JOIN_MARK)
            return br_fail(err, BR_INTERNAL, "a join puts out column %u of neither side",
                           plan->columns[i].id);
    }
    if (plan->join.key_count > 0)
        BR_TRY(br_program_compile((const br_expr *const *)sides->side[PROBE].keys,
                                  plan->join.key_count, &sides->side[PROBE].layout,
                                  &run->expr_env, run->arena, &stage->keys, err));
    return compile_residual(run, sides, stage, err);
}

// ---- build rows that come last ---------------------------------------------------------------

typedef struct rest_source {
    br_source base;
    const br_join_stage *stage;
    uint8_t wanted;  // matched flag
} rest_source;

static br_status push_rest(const rest_source *source, br_worker *worker, const uint32_t *rows,
                           uint32_t count, br_stage *first, br_error *err)
{
    const br_join_stage *stage = source->stage;
    br_vector *columns = BR_ALLOC(worker->scratch, br_vector, stage->column_count);
    if (columns == NULL) return no_memory(worker->run, err);
    for (uint32_t i = 0; i < stage->column_count; i++) {
        columns[i] = br_vector_null();
        if (stage->columns[i].side == BR_SIDE_BUILD)
            BR_TRY(br_column_pick(worker->run,
                                  &stage->table.rows.columns[stage->columns[i].position], rows,
                                  count, false, worker->scratch, &columns[i], err));
    }
    br_batch batch = {
        .row_count = count, .column_count = stage->column_count, .columns = columns};
    return br_push(first, worker, &batch, err);
}

static br_status rest_run_morsel(br_source *base, br_worker *worker, uint32_t morsel,
                                 br_stage *first, br_error *err)
{
    const rest_source *source = (const rest_source *)base;
    const br_join_table *table = &source->stage->table;
    uint32_t rows[BR_BATCH_ROWS];
    uint64_t row = (uint64_t)morsel * EMIT_ROWS, end = row + EMIT_ROWS;
    if (end > table->rows.row_count) end = table->rows.row_count;
    br_arena_mark mark = br_arena_get_mark(worker->scratch);
    while (row < end && !worker->is_morsel_done) {
        uint32_t count = 0;
        BR_TRY(br_run_poll(worker->run, err));
        br_arena_rewind(worker->scratch, mark);
        for (; row < end && count < BR_BATCH_ROWS; row++) {
            rows[count] = (uint32_t)row;
            count += atomic_load_explicit(&table->matched[row], memory_order_relaxed) ==
                     source->wanted;
        }
        BR_TRY(push_rest(source, worker, rows, count, first, err));
    }
    return BR_OK;
}

static const br_source_kind rest_kind = {.run_morsel = rest_run_morsel};

br_status br_join_add_rest(br_pipeline *pipeline, const br_join_stage *stage, uint8_t wanted,
                           uint32_t row_count, br_stage *next, br_error *err)
{
    br_run *run = pipeline->run;
    rest_source *source = BR_ALLOC(run->arena, rest_source, 1);
    if (source == NULL) return no_memory(run, err);
    *source = (rest_source){
        .base = {.kind = &rest_kind,
                 .morsel_count = (uint32_t)(((uint64_t)row_count + EMIT_ROWS - 1) / EMIT_ROWS),
                 .row_count = row_count},
        .stage = stage,
        .wanted = wanted};
    return br_pipeline_add_branch(pipeline, &source->base, next, err);
}

// ---- building --------------------------------------------------------------------------------

static br_status make_sides(br_run *run, const br_plan *plan, bool build_left, join_sides *sides,
                            br_error *err)
{
    br_join_input left = {.plan = plan->left, .keys = plan->join.left_keys};
    br_join_input right = {.plan = plan->right, .keys = plan->join.right_keys};
    sides->side[PROBE] = build_left ? right : left;
    sides->side[BUILD] = build_left ? left : right;
    for (uint32_t i = 0; i < 2; i++)
        BR_TRY(br_layout_of_plan(run, sides->side[i].plan, &sides->side[i].layout, err));
    return BR_OK;
}

bool br_join_tracks(const br_join_stage *stage)
{
    return stage->join == BR_JOIN_FULL || (stage->build_left && stage->join != BR_JOIN_INNER);
}

// Which build rows come last, by their matched flag; -1: none.
static int rest_wanted(const br_join_stage *stage)
{
    if (!br_join_tracks(stage)) return -1;
    return stage->join == BR_JOIN_SEMI;
}

// SEMI and ANTI that build on the left: probing only marks; the build rows are the result.
static bool only_marks(const br_join_stage *stage)
{
    return stage->build_left && (stage->join == BR_JOIN_SEMI || stage->join == BR_JOIN_ANTI);
}

static br_status make_stage(br_pipeline *pipeline, const br_join_stage *like, br_stage *next,
                            const join_sides *sides, br_join_stage **stage_out, br_error *err)
{
    br_join_stage *stage = br_stage_new(pipeline, &br_join_probe_kind, next, sizeof *stage);
    if (stage == NULL) return no_memory(pipeline->run, err);
    stage->plan = like->plan;
    stage->join = like->join;
    stage->build_left = like->build_left;
    stage->table = like->table;
    *stage_out = stage;
    return compile_stage(pipeline->run, sides, stage, err);
}

static br_status join_in_memory(br_pipeline *pipeline, const br_join_stage *like,
                                join_sides *sides, br_stage *next, br_error *err)
{
    br_run *run = pipeline->run;
    br_join_stage *stage;
    br_pipeline *probe = pipeline;
    br_join_kind join = like->join;
    const br_plan *probe_plan = sides->side[PROBE].plan;
    if (only_marks(like)) BR_TRY(br_pipeline_new(run, &probe, err));
    BR_TRY(make_stage(probe, like, only_marks(like) ? NULL : next, sides, &stage, err));
    BR_TRY(build_table(run, &sides->side[BUILD], &stage->table, err));
    BR_TRY(br_join_find_null_rows(run, stage, err));
    if (br_join_tracks(stage)) BR_TRY(br_join_table_track(&stage->table, err));
    BR_TRY(br_join_push_filters(run, stage, probe_plan, err));
    // Nothing to find: an inner join then has no rows, and its probe side need not run.
    uint32_t row_count = stage->table.rows.row_count;
    bool is_needed = row_count > 0 || !(join == BR_JOIN_INNER || join == BR_JOIN_SEMI ||
                                        (join == BR_JOIN_LEFT && like->build_left) ||
                                        only_marks(stage));
    if (is_needed) BR_TRY(br_produce(probe, probe_plan, &stage->base, err));
    if (only_marks(stage)) {
        br_pipeline_set_sink(probe, &stage->base);
        BR_TRY(br_pipeline_run(probe, err));
    }
    if (rest_wanted(stage) < 0) return BR_OK;
    return br_join_add_rest(pipeline, stage, (uint8_t)rest_wanted(stage), row_count, next, err);
}

br_status br_produce_join(br_pipeline *pipeline, const br_plan *plan, br_stage *next,
                          br_error *err)
{
    br_run *run = pipeline->run;
    br_join_kind join = plan->join.join;
    br_join_stage like = {.plan = plan, .join = join}, *stage;
    join_sides sides;
    bool is_on_disk;
    like.build_left = plan->join.build_left && join != BR_JOIN_MARK && join != BR_JOIN_SINGLE;
    BR_TRY(br_memory_new(run, &like.table.memory, err));
    BR_TRY(br_pipeline_adopt(pipeline, like.table.memory, err));
    BR_TRY(make_sides(run, plan, like.build_left, &sides, err));
    BR_TRY(store_build(run, plan, &sides.side[BUILD], &like.table, &is_on_disk, err));
    if (!is_on_disk) return join_in_memory(pipeline, &like, &sides, next, err);
    BR_TRY(make_stage(pipeline, &like, next, &sides, &stage, err));
    return br_join_on_disk(pipeline, stage, sides.side, rest_wanted(stage), next, err);
}
