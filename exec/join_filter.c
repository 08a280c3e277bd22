// join_filter.c - what the build side of a join tells a scan on its probe side.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "exec/kernels/kernels.h"
#include "exec/op_join.h"

enum {
    BITMAP_SPAN_MAX = 1 << 26,  // 8 MiB
    SELECTIVE_PERCENT = 70,     // of the probe column's distinct values
};

// The bits of keys that occur on the build side.
typedef struct key_bitmap {
    const br_exec_kernels *kernels;
    int64_t least;
    uint64_t span;
    uint64_t *bits;
} key_bitmap;

typedef struct scan_column {
    const br_plan *scan;  // NULL: the column does not come straight from a scan
    uint32_t position;
} scan_column;

static bool puts_out(const br_plan *plan, uint32_t column_id)
{
    for (uint32_t i = 0; i < br_plan_width(plan); i++) {
        if (plan->columns[i].id == column_id) return true;
    }
    return false;
}

// Follows a column down to the scan it comes from, through nodes that it does no harm to take rows
// away from: rows whose value is not among the build keys never pass the join above.
static scan_column find_scan(const br_plan *plan, uint32_t column_id)
{
    const scan_column none = {0};
    switch (plan->kind) {
    case BR_PLAN_SCAN:
        for (uint32_t i = 0; i < plan->column_count; i++) {
            if (plan->columns[i].id == column_id)
                return (scan_column){.scan = plan, .position = i};
        }
        return none;
    case BR_PLAN_FILTER: return find_scan(plan->left, column_id);
    case BR_PLAN_PROJECT:
    case BR_PLAN_AGGREGATE: {
        bool is_project = plan->kind == BR_PLAN_PROJECT;
        br_expr **inputs = is_project ? plan->project.expressions : plan->aggregate.keys;
        uint32_t count = is_project ? plan->column_count : plan->aggregate.key_count;
        for (uint32_t i = 0; i < count; i++) {
            if (plan->columns[i].id == column_id && inputs[i]->kind == BR_EXPR_COLUMN)
                return find_scan(plan->left, inputs[i]->column_id);
        }
        return none;
    }
    case BR_PLAN_JOIN:
        if (plan->join.join != BR_JOIN_FULL && puts_out(plan->left, column_id))
            return find_scan(plan->left, column_id);
        if (plan->join.join == BR_JOIN_INNER && puts_out(plan->right, column_id))
            return find_scan(plan->right, column_id);
        return none;
    default: return none;
    }
}

static br_status bitmap_select(void *context, uint32_t worker, const br_vector *values,
                               uint32_t row_count, uint64_t *selected_out, br_error *err)
{
    (void)worker;
    (void)err;
    const key_bitmap *keys = context;
    if (values->class_ == BR_INT && values->kind == BR_VECTOR_FLAT) {
        keys->kernels->in_bitmap_i64(values->i64, row_count, keys->least, keys->span, keys->bits,
                                     selected_out);
    } else {
        for (uint32_t i = 0; i < row_count; i++) {
            br_value value = br_vector_value(values, i, NULL);  // numbers need no memory
            if (value.class_ != BR_INT) continue;
            uint64_t offset = (uint64_t)value.i64 - (uint64_t)keys->least;
            if (offset <= keys->span && br_bitmap_get(keys->bits, (uint32_t)offset))
                br_bitmap_set(selected_out, i);
        }
    }
    for (uint32_t i = 0; values->validity != NULL && i < br_bitmap_words(row_count); i++)
        selected_out[i] &= values->validity[i];
    return BR_OK;
}

// Is a key between the bounds? Keys of a sorted column are often far from all of a zone.
static bool bitmap_may_pass(void *context, const br_zone_stats *stats)
{
    const key_bitmap *keys = context;
    if ((stats->class_mask & BR_MASK_INT) == 0) return false;
    uint64_t first = stats->int_min <= keys->least
                         ? 0
                         : (uint64_t)stats->int_min - (uint64_t)keys->least;
    if (first > keys->span || stats->int_max < keys->least) return false;
    uint64_t last = (uint64_t)stats->int_max - (uint64_t)keys->least;
    if (last > keys->span) last = keys->span;
    uint64_t word = keys->bits[first / 64] & (UINT64_MAX << (first & 63));
    for (uint64_t i = first / 64; i < last / 64; word = keys->bits[++i])
        if (word != 0) return true;
    return (word & (UINT64_MAX >> (63 - (last & 63)))) != 0;
}

static br_status add_filter(br_run *run, scan_column column, const br_filter *filter,
                            br_error *err)
{
    br_join_filter *join_filter = BR_ALLOC(run->arena, br_join_filter, 1);
    if (join_filter == NULL) return br_run_no_memory(run, "a join", err);
    *join_filter = (br_join_filter){.next = run->join_filters,
                                    .scan = column.scan,
                                    .column = column.position,
                                    .filter = *filter};
    run->join_filters = join_filter;
    return BR_OK;
}

// Distinct values of the column as the table's statistics have it; 0: unknown.
static uint64_t distinct_of(const br_run *run, scan_column column)
{
    uint32_t count = br_snapshot_table_count(run->env->snapshot);
    for (uint32_t i = 0; i < count; i++) {
        const br_table_view *view = br_snapshot_table_at(run->env->snapshot, i);
        const br_table_spec *spec = br_table_view_spec(view);
        if (spec->table_id != column.scan->scan.table_id) continue;
        uint32_t table_column = column.scan->scan.table_columns[column.position];
        if (table_column == BR_SCAN_KEY) return br_table_view_rows(view);
        const br_zone_stats *stats = br_table_view_stats(view, table_column);
        return stats == NULL ? 0 : stats->distinct_estimate;
    }
    return 0;
}

// What the build rows hold of one key.
typedef struct key_range {
    const br_vector *keys;
    int64_t least, most;
} key_range;

static inline bool is_present(const br_join_table *table, uint32_t row)
{
    return table->nulls == NULL || !br_bitmap_get(table->nulls, row);
}

static bool find_range(const br_join_table *table, uint32_t key, key_range *range)
{
    *range = (key_range){.keys = &table->keys[key], .least = INT64_MAX, .most = INT64_MIN};
    if (range->keys->class_ != BR_INT || range->keys->kind != BR_VECTOR_FLAT) return false;
    for (uint32_t row = 0; row < table->rows.row_count; row++) {
        if (!is_present(table, row)) continue;
        int64_t value = range->keys->i64[row];
        if (value < range->least) range->least = value;
        if (value > range->most) range->most = value;
    }
    return range->least <= range->most;
}

static br_status add_bitmap(br_run *run, const br_join_table *table, const key_range *range,
                            scan_column column, br_error *err)
{
    uint64_t span = (uint64_t)range->most - (uint64_t)range->least, present = 0;
    if (span >= BITMAP_SPAN_MAX) return BR_OK;
    br_arena *arena = br_memory_arena(table->memory, 0);
    key_bitmap *keys = BR_ALLOC(arena, key_bitmap, 1);
    uint64_t *bits = BR_ALLOC(arena, uint64_t, span / 64 + 1);
    if (keys == NULL || bits == NULL) return br_run_no_memory(run, "a join", err);
    for (uint32_t row = 0; row < table->rows.row_count; row++) {
        if (is_present(table, row))
            br_bitmap_set(bits,
                          (uint32_t)((uint64_t)range->keys->i64[row] - (uint64_t)range->least));
    }
    for (uint64_t i = 0; i <= span / 64; i++) present += (uint64_t)__builtin_popcountll(bits[i]);
    uint64_t distinct = distinct_of(run, column);
    if (distinct > 0 && present >= distinct * SELECTIVE_PERCENT / 100) return BR_OK;
    *keys = (key_bitmap){
        .kernels = run->kernels, .least = range->least, .span = span, .bits = bits};
    br_filter filter = {
        .kind = BR_FILTER_PREDICATE, .select = bitmap_select, .may_pass = bitmap_may_pass,
        .context = keys};
    return add_filter(run, column, &filter, err);
}

static br_status push_key(br_run *run, const br_join_stage *stage, uint32_t k,
                          const br_plan *probe, br_error *err)
{
    const br_plan *plan = stage->plan;
    const br_expr *key =
        stage->build_left ? plan->join.right_keys[k] : plan->join.left_keys[k];
    key_range range;
    if (stage->table.null_safe[k] || key->kind != BR_EXPR_COLUMN ||
        (key->type.class_mask & ~(BR_MASK_INT | BR_MASK_NULL)) != 0)
        return BR_OK;
    scan_column column = find_scan(probe, key->column_id);
    if (column.scan == NULL) return BR_OK;
    unsigned mask = column.scan->columns[column.position].type.class_mask;
    if ((mask & ~(unsigned)(BR_MASK_INT | BR_MASK_NULL)) != 0) return BR_OK;
    if (!find_range(&stage->table, k, &range)) return BR_OK;
    br_filter filter = {
        .kind = BR_FILTER_RANGE, .int_min = range.least, .int_max = range.most};
    BR_TRY(add_filter(run, column, &filter, err));
    return add_bitmap(run, &stage->table, &range, column, err);
}

br_status br_join_push_filters(br_run *run, const br_join_stage *stage, const br_plan *probe,
                               br_error *err)
{
    bool drops_unmatched = stage->join == BR_JOIN_INNER || stage->join == BR_JOIN_SEMI ||
                           (stage->build_left && stage->join != BR_JOIN_FULL);
    if (!drops_unmatched || stage->table.rows.row_count == 0) return BR_OK;
    for (uint32_t k = 0; k < stage->table.key_count; k++) {
        BR_TRY(push_key(run, stage, k, probe, err));
    }
    return BR_OK;
}
