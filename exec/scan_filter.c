// scan_filter.c - splits the filters of a scan by who evaluates them.
// SPDX-License-Identifier: Apache-2.0
#include "exec/scan_filter.h"

#include "base/assert.h"
#include "exec/rows.h"

// A condition on one column, as columnar/ calls it.
typedef struct predicate {
    br_run *run;
    br_memory *memory;
    br_program *program;
    br_evaluator **evaluators;  // by worker
} predicate;

void br_expr_columns(const br_expr *expression, void (*found)(void *context, uint32_t column_id),
                     void *context)
{
    if (expression == NULL) return;
    if (expression->kind == BR_EXPR_COLUMN) found(context, expression->column_id);
    for (uint32_t i = 0; i < expression->arg_count; i++) {
        br_expr_columns(expression->args[i], found, context);
    }
}

typedef struct column_use {
    uint32_t count;  // distinct columns, 2 standing for more than one
    uint32_t column_id;
} column_use;

static void note_column(void *context, uint32_t column_id)
{
    column_use *use = context;
    if (use->count == 1 && use->column_id != column_id) use->count = 2;
    if (use->count == 0) *use = (column_use){.count = 1, .column_id = column_id};
}

static column_use use_of(const br_expr *expression)
{
    column_use use = {0};
    br_expr_columns(expression, note_column, &use);
    return use;
}

static bool is_constant(const br_expr *expression) { return use_of(expression).count == 0; }

// ---- predicates ------------------------------------------------------------------------------

static br_status predicate_evaluator(predicate *self, uint32_t worker, br_evaluator **out,
                                     br_error *err)
{
    if (self->evaluators[worker] == NULL) {
        br_arena *arena = br_memory_arena(self->memory, worker);
        if (arena == NULL) return br_run_no_memory(self->run, "a filter", err);
        BR_TRY(br_evaluator_new(self->program, worker, arena, &self->evaluators[worker], err));
    }
    *out = self->evaluators[worker];
    return BR_OK;
}

static br_status predicate_select(void *context, uint32_t worker, const br_vector *values,
                                  uint32_t row_count, uint64_t *selected_out, br_error *err)
{
    predicate *self = context;
    br_evaluator *evaluator = NULL;
    BR_TRY(predicate_evaluator(self, worker, &evaluator, err));
    br_arena *scratch = br_memory_arena(self->run->scratch, worker);
    if (scratch == NULL) return br_run_no_memory(self->run, "a filter", err);
    br_arena_mark mark = br_arena_get_mark(scratch);
    // A dictionary may have more entries than a batch has rows.
    for (uint32_t first = 0; first < row_count; first += BR_BATCH_ROWS) {
        br_vector slice = br_vector_slice(values, first);
        uint32_t left = row_count - first, count;
        br_batch batch = {.row_count = left < BR_BATCH_ROWS ? left : BR_BATCH_ROWS,
                          .column_count = 1,
                          .columns = &slice};
        BR_TRY(br_evaluate_condition(evaluator, &batch, scratch, selected_out + first / 64,
                                     &count, err));
        br_arena_rewind(scratch, mark);
    }
    return BR_OK;
}

static br_status make_predicate(br_run *run, const br_expr *expression, br_memory *memory,
                                uint32_t column_id, br_filter *filter_out, br_error *err)
{
    predicate *self = BR_ALLOC(run->arena, predicate, 1);
    uint32_t *ids = BR_ALLOC(run->arena, uint32_t, 1);
    br_evaluator **evaluators = BR_ALLOC(run->arena, br_evaluator *, run->worker_count);
    if (self == NULL || ids == NULL || evaluators == NULL)
        return br_run_no_memory(run, "a filter", err);
    ids[0] = column_id;
    br_layout layout = {.column_count = 1, .column_ids = ids};
    *self = (predicate){.run = run, .memory = memory, .evaluators = evaluators};
    BR_TRY(br_program_compile(&expression, 1, &layout, &run->expr_env, run->arena,
                              &self->program, err));
    uint64_t null_passes[1] = {0};
    br_vector null_vector = br_vector_null();
    BR_TRY(predicate_select(self, 0, &null_vector, 1, null_passes, err));
    *filter_out = (br_filter){.kind = BR_FILTER_PREDICATE,
                              .null_result = null_passes[0] & 1,
                              .select = predicate_select,
                              .context = self};
    return BR_OK;
}

// ---- classification --------------------------------------------------------------------------

typedef struct filter_maker {
    br_run *run;
    br_memory *memory;
    br_scan_filters *out;
    uint32_t column;  // the table's
} filter_maker;

static void add_filter(filter_maker *maker, br_filter filter)
{
    maker->out->filters[maker->out->filter_count++] =
        (br_scan_filter){.column = maker->column, .filter = filter};
}

static bool compare_of(br_operator operator_, bool is_swapped, br_compare *compare_out)
{
    switch (operator_) {
    case BR_OP_EQ: *compare_out = BR_EQ; return true;
    case BR_OP_NE: *compare_out = BR_NE; return true;
    case BR_OP_LT: *compare_out = is_swapped ? BR_GT : BR_LT; return true;
    case BR_OP_LE: *compare_out = is_swapped ? BR_GE : BR_LE; return true;
    case BR_OP_GT: *compare_out = is_swapped ? BR_LT : BR_GT; return true;
    case BR_OP_GE: *compare_out = is_swapped ? BR_LE : BR_GE; return true;
    default: return false;
    }
}

// `column compare constant`; false: the collation does not allow it. NULL lets no row pass.
static br_status add_compare(filter_maker *maker, br_compare compare, const br_expr *constant,
                             br_collation collation, bool *done_out, br_error *err)
{
    br_value value;
    BR_TRY(br_evaluate_constant(constant, &maker->run->expr_env, maker->run->arena, &value, err));
    *done_out = value.class_ != BR_TEXT || collation == BR_COLLATION_BINARY;
    if (!*done_out) return BR_OK;
    if (value.class_ == BR_NULL) maker->out->is_never = true;
    else add_filter(maker, (br_filter){
                               .kind = BR_FILTER_COMPARE, .compare = compare, .value = value});
    return BR_OK;
}

static br_status add_is(filter_maker *maker, const br_expr *filter, bool *done_out, br_error *err)
{
    br_value value;
    BR_TRY(br_evaluate_constant(filter->args[1], &maker->run->expr_env, maker->run->arena, &value,
                                err));
    if (value.class_ == BR_NULL) {
        bool is_null = filter->operator_ == BR_OP_IS;
        add_filter(maker,
                   (br_filter){.kind = is_null ? BR_FILTER_IS_NULL : BR_FILTER_NOT_NULL});
        *done_out = true;
    } else if (filter->operator_ == BR_OP_IS) {
        BR_TRY(add_compare(maker, BR_EQ, filter->args[1], filter->collation, done_out, err));
    }
    return BR_OK;
}

// Tries the forms that need no evaluation. *done_out stays false when it is none of them.
static br_status add_simple(filter_maker *maker, const br_expr *filter, bool *done_out,
                            br_error *err)
{
    *done_out = false;
    if (filter->kind != BR_EXPR_OPERATOR || filter->arg_count == 0) return BR_OK;
    br_operator operator_ = filter->operator_;
    bool is_column = filter->args[0]->kind == BR_EXPR_COLUMN;
    if (is_column && (operator_ == BR_OP_IS_NULL || operator_ == BR_OP_NOT_NULL)) {
        add_filter(maker, (br_filter){.kind = operator_ == BR_OP_IS_NULL ? BR_FILTER_IS_NULL
                                                                         : BR_FILTER_NOT_NULL});
        *done_out = true;
        return BR_OK;
    }
    br_compare compare;
    if (filter->arg_count == 2 && compare_of(operator_, !is_column, &compare)) {
        const br_expr *column = filter->args[is_column ? 0 : 1];
        const br_expr *constant = filter->args[is_column ? 1 : 0];
        if (column->kind != BR_EXPR_COLUMN || !is_constant(constant)) return BR_OK;
        return add_compare(maker, compare, constant, filter->collation, done_out, err);
    }
    if (filter->arg_count == 2 && is_column && is_constant(filter->args[1]) &&
        (operator_ == BR_OP_IS || operator_ == BR_OP_IS_NOT))
        return add_is(maker, filter, done_out, err);
    if (operator_ == BR_OP_BETWEEN && is_column && is_constant(filter->args[1]) &&
        is_constant(filter->args[2])) {
        uint32_t count_before = maker->out->filter_count;
        BR_TRY(add_compare(maker, BR_GE, filter->args[1], filter->collation, done_out, err));
        if (*done_out)
            BR_TRY(add_compare(maker, BR_LE, filter->args[2], filter->collation, done_out, err));
        if (!*done_out) maker->out->filter_count = count_before;
    }
    return BR_OK;
}

static bool find_column(const br_plan *scan, uint32_t column_id, uint32_t *position_out)
{
    for (uint32_t i = 0; i < scan->column_count; i++) {
        if (scan->columns[i].id != column_id) continue;
        *position_out = i;
        return true;
    }
    return false;
}

// The residual conditions as one: AND keeps those that can fail from rows that others refuse.
static br_status join_residual(br_run *run, br_expr **residual, uint32_t count,
                               br_scan_filters *out, br_error *err)
{
    if (count <= 1) {
        out->residual = count == 0 ? NULL : residual[0];
        return BR_OK;
    }
    br_expr *both = BR_ALLOC(run->arena, br_expr, 1);
    if (both == NULL) return br_run_no_memory(run, "a filter", err);
    *both = (br_expr){.kind = BR_EXPR_OPERATOR,
                      .operator_ = BR_OP_AND,
                      .arg_count = count,
                      .args = residual,
                      .type = {.class_mask = BR_MASK_INT | BR_MASK_NULL,
                               .has_range = true,
                               .int_min = 0,
                               .int_max = 1}};
    for (uint32_t i = 0; i < count; i++) both->can_fail |= residual[i]->can_fail;
    out->residual = both;
    return BR_OK;
}

br_status br_scan_filters_make(br_run *run, const br_plan *scan, br_memory *memory,
                               br_scan_filters *filters_out, br_error *err)
{
    uint32_t count = scan->scan.filter_count, residual_count = 0;
    for (const br_join_filter *join = run->join_filters; join != NULL; join = join->next) {
        count += join->scan == scan;
    }
    *filters_out = (br_scan_filters){0};
    filters_out->filters = BR_ALLOC(run->arena, br_scan_filter, 2 * count);  // BETWEEN makes two
    br_expr **residual = BR_ALLOC(run->arena, br_expr *, count);
    if (filters_out->filters == NULL || residual == NULL)
        return br_run_no_memory(run, "a filter", err);
    for (uint32_t i = 0; i < scan->scan.filter_count; i++) {
        br_expr *filter = scan->scan.filters[i];
        column_use use = use_of(filter);
        uint32_t position = 0;
        filter_maker maker = {.run = run, .memory = memory, .out = filters_out};
        if (use.count != 1 || filter->can_fail ||
            !find_column(scan, use.column_id, &position)) {
            residual[residual_count++] = filter;
            continue;
        }
        maker.column = scan->scan.table_columns[position];
        bool is_done;
        BR_TRY(add_simple(&maker, filter, &is_done, err));
        if (is_done) continue;
        br_filter made;
        BR_TRY(make_predicate(run, filter, memory, use.column_id, &made, err));
        add_filter(&maker, made);
    }
    for (const br_join_filter *join = run->join_filters; join != NULL; join = join->next) {
        if (join->scan != scan) continue;
        filters_out->filters[filters_out->filter_count++] = (br_scan_filter){
            .column = scan->scan.table_columns[join->column], .filter = join->filter};
    }
    return join_residual(run, residual, residual_count, filters_out, err);
}
