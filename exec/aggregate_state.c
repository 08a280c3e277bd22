// aggregate_state.c - updating and merging the states of aggregates.
// SPDX-License-Identifier: Apache-2.0
#include "exec/aggregate_best.h"

#include <string.h>

#include "base/assert.h"
#include "exec/kernels/kernels.h"
#include "exec/rows.h"

enum {
    // Partial sums per group, taken in turn by row: an addition need not wait for the one before.
    // Their number is fixed, so that sums are.
    LANES = 8,
    FEW_GROUPS_MAX = 16,  // so many sets of lanes stay in L1
};

uint32_t br_state_item_bytes(br_state_kind kind)
{
    switch (kind) {
    case BR_STATE_SUM_ANY: return sizeof(br_sum_any);
    case BR_STATE_BEST_TEXT: return sizeof(br_best_text);
    case BR_STATE_BEST_ANY:
    case BR_STATE_FIRST:
    case BR_STATE_LAST: return sizeof(br_value);
    case BR_STATE_ARG_BEST: return sizeof(br_arg_best);
    case BR_STATE_CONCAT: return sizeof(br_concat_list);
    case BR_STATE_MOMENTS: return sizeof(br_moments);
    case BR_STATE_NUMBERS: return sizeof(br_number_list);
    default: return sizeof(int64_t);
    }
}

bool br_state_has_flags(br_state_kind kind)
{
    return kind != BR_STATE_COUNT && kind != BR_STATE_SUM_REAL && kind != BR_STATE_SUM_ANY &&
           kind < BR_STATE_CONCAT;
}

void br_state_init(const br_state_spec *spec, br_state_array *array, uint32_t first,
                   uint32_t count)
{
    size_t item_bytes = br_state_item_bytes(spec->kind);
    memset(array->items + first * item_bytes, 0, count * item_bytes);
    if (br_state_has_flags(spec->kind)) memset(array->flags + first, 0, count);
}

static br_status no_memory(const br_run *run, br_error *err)
{
    return br_run_no_memory(run, "aggregation", err);
}

// ---- rows of a batch -------------------------------------------------------------------------

br_status br_state_argument(const br_state_rows *rows, uint32_t arg, br_argument *out,
                            br_error *err)
{
    out->vector = rows->vectors[arg];
    if (out->vector.kind != BR_VECTOR_CONST)
        BR_TRY(br_vector_flatten(&rows->vectors[arg], rows->row_count, rows->scratch,
                                 &out->vector, err));
    out->step = out->vector.kind == BR_VECTOR_CONST ? 0 : 1;
    return BR_OK;
}

static uint32_t count_valid(const br_vector *vector, uint32_t row_count)
{
    if (vector->class_ == BR_NULL) return 0;
    if (vector->class_ == BR_ANY) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < row_count; i++) count += !br_vector_is_null(vector, i);
        return count;
    }
    return vector->validity == NULL ? row_count : br_bitmap_count(vector->validity, row_count);
}

static void update_count(const br_state_spec *spec, br_state_array *array,
                         const br_state_rows *rows)
{
    int64_t *counts = (int64_t *)(void *)array->items;
    const br_vector *vector = spec->arg == BR_STATE_NO_ARG ? NULL : &rows->vectors[spec->arg];
    bool is_plain = vector == NULL || (vector->class_ != BR_ANY && vector->class_ != BR_NULL &&
                                       vector->validity == NULL);
    if (rows->groups == NULL) {
        counts[0] += vector == NULL ? rows->row_count : count_valid(vector, rows->row_count);
    } else if (is_plain && rows->group_count <= FEW_GROUPS_MAX) {
        uint32_t lanes[FEW_GROUPS_MAX * LANES] = {0};
        for (uint32_t i = 0; i < rows->row_count; i++)
            lanes[rows->groups[i] * LANES + i % LANES]++;
        for (uint32_t i = 0; i < rows->group_count * LANES; i++) counts[i / LANES] += lanes[i];
    } else if (is_plain) {
        for (uint32_t i = 0; i < rows->row_count; i++) counts[rows->groups[i]]++;
    } else {
        for (uint32_t i = 0; i < rows->row_count; i++) {
            counts[rows->groups[i]] += !br_vector_is_null(vector, i);
        }
    }
}

static void update_sum_int(const br_argument *arg, br_state_array *array, const br_state_rows *rows)
{
    int64_t *sums = (int64_t *)(void *)array->items;
    const int64_t *values = arg->vector.i64;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        if (!br_argument_is_valid(arg, i)) continue;
        uint32_t group = br_state_group(rows, i);
        if (__builtin_add_overflow(sums[group], values[i * arg->step], &sums[group]))
            array->flags[group] = 1;
    }
}

// Values that cannot overflow, without NULLs.
static void update_sum_int_plain(const br_argument *arg, br_state_array *array,
                                 const br_state_rows *rows)
{
    int64_t *sums = (int64_t *)(void *)array->items;
    const int64_t *values = arg->vector.i64;
    if (rows->groups == NULL) {
        sums[0] += arg->step == 0 ? values[0] * (int64_t)rows->row_count
                                  : rows->run->kernels->sum_i64(values, rows->row_count);
    } else if (rows->group_count <= FEW_GROUPS_MAX) {
        int64_t lanes[FEW_GROUPS_MAX * LANES] = {0};
        for (uint32_t i = 0; i < rows->row_count; i++)
            lanes[rows->groups[i] * LANES + i % LANES] += values[i * arg->step];
        for (uint32_t i = 0; i < rows->group_count * LANES; i++) sums[i / LANES] += lanes[i];
    } else {
        for (uint32_t i = 0; i < rows->row_count; i++)
            sums[rows->groups[i]] += values[i * arg->step];
    }
}

static double join_lanes(const double *lanes)
{
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

static void sum_few_groups(const double *values, const br_state_rows *rows, double *sums)
{
    double lanes[FEW_GROUPS_MAX * LANES] = {0};
    for (uint32_t i = 0; i < rows->row_count; i++)
        lanes[rows->groups[i] * LANES + i % LANES] += values[i];
    for (uint32_t g = 0; g < rows->group_count; g++) sums[g] += join_lanes(lanes + g * LANES);
}

// Numbers of either class as doubles.
static br_status real_values(const br_argument *arg, const br_state_rows *rows,
                             const double **values_out, br_error *err)
{
    *values_out = arg->vector.f64;
    if (arg->vector.class_ == BR_REAL && arg->step == 1) return BR_OK;
    double *values = br_arena_alloc(rows->scratch, rows->row_count * sizeof *values, 64);
    if (values == NULL) return no_memory(rows->run, err);
    for (uint32_t i = 0; i < rows->row_count; i++) {
        values[i] = arg->vector.class_ == BR_REAL ? arg->vector.f64[i * arg->step]
                                                  : (double)arg->vector.i64[i * arg->step];
    }
    *values_out = values;
    return BR_OK;
}

static br_status update_sum_real(const br_argument *arg, br_state_array *array,
                                 const br_state_rows *rows, br_error *err)
{
    double *sums = (double *)(void *)array->items;
    const double *values;
    BR_TRY(real_values(arg, rows, &values, err));
    const uint64_t *validity = arg->vector.validity;
    if (rows->groups == NULL && validity == NULL) {
        sums[0] += rows->run->kernels->sum_f64(values, rows->row_count);
    } else if (validity == NULL && rows->group_count <= FEW_GROUPS_MAX) {
        sum_few_groups(values, rows, sums);
    } else if (validity == NULL) {
        for (uint32_t i = 0; i < rows->row_count; i++) sums[rows->groups[i]] += values[i];
    } else {
        for (uint32_t i = 0; i < rows->row_count; i++) {
            if (br_bitmap_get(validity, i)) sums[br_state_group(rows, i)] += values[i];
        }
    }
    return BR_OK;
}

br_value br_sum_number(const br_run *run, br_value value, br_arena *scratch)
{
    if (value.class_ == BR_BLOB) return br_value_real(br_value_to_real(&value));
    if (value.class_ != BR_TEXT) return value;
    br_value number =
        br_value_apply_affinity(value, BR_AFFINITY_NUMERIC, &run->env->bridge, scratch);
    bool is_whole = number.class_ == BR_INT;
    for (uint32_t i = 0; is_whole && i < value.text.size; i++) {
        char c = value.text.data[i];
        if (c == '.' || c == 'e' || c == 'E') is_whole = false;
    }
    return is_whole ? number : br_value_real(br_value_to_real(&value));
}

static void sum_any_add(br_sum_any *sum, const br_value *number)
{
    if (number->class_ == BR_REAL) {
        sum->real_sum += number->f64;
        sum->is_real = true;
        return;
    }
    sum->real_sum += (double)number->i64;
    if (!sum->is_real && __builtin_add_overflow(sum->int_sum, number->i64, &sum->int_sum))
        sum->is_real = sum->has_overflow = true;
}

static void update_sum_any(const br_argument *arg, br_state_array *array, const br_state_rows *rows)
{
    br_sum_any *sums = (br_sum_any *)(void *)array->items;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        br_value value = br_vector_value(&arg->vector, i, rows->scratch);
        if (value.class_ == BR_NULL) continue;
        value = br_sum_number(rows->run, value, rows->scratch);
        sum_any_add(&sums[br_state_group(rows, i)], &value);
    }
}

// ---- rows picked out -------------------------------------------------------------------------

static br_status update_first(const br_state_spec *spec, br_state_array *array,
                              const br_state_rows *rows, br_error *err)
{
    br_value *values = (br_value *)(void *)array->items;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        uint32_t group = br_state_group(rows, i);
        if (spec->kind == BR_STATE_FIRST && array->flags[group]) continue;
        values[group] = br_vector_value(&rows->vectors[spec->arg], i, rows->scratch);
        array->flags[group] = BR_FLAG_PRESENT;
        if (spec->kind == BR_STATE_LAST) array->flags[group] |= BR_FLAG_BORROWED;
        else BR_TRY(br_state_keep_value(rows, &values[group], err));
        if (spec->kind == BR_STATE_FIRST && rows->groups == NULL) break;
    }
    return spec->kind == BR_STATE_LAST ? br_state_keep_values(array, rows, err) : BR_OK;
}

static bool row_passes(const br_state_spec *spec, const br_state_rows *rows, uint32_t row)
{
    if (spec->filter == BR_STATE_NO_ARG) return true;
    br_value value = br_vector_value(&rows->vectors[spec->filter], row, rows->scratch);
    return br_value_truth(&value) == 1;
}

// As SQLite loads bare columns: with each new best, and with each row while all are NULL. Of rows
// that the filter leaves out only the first counts, as long as no other does.
static br_status update_arg_best(const br_state_spec *spec, br_state_array *array,
                                 const br_state_rows *rows, br_error *err)
{
    br_arg_best *states = (br_arg_best *)(void *)array->items;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        br_arg_best *state = &states[br_state_group(rows, i)];
        br_value order = br_vector_value(&rows->vectors[spec->second_arg], i, rows->scratch);
        bool passes = row_passes(spec, rows, i);
        if (!passes && state->has_value) continue;
        if (!passes) order = br_value_null();
        if (state->best.class_ != BR_NULL &&
            (order.class_ == BR_NULL || !br_state_is_better(spec, &order, &state->best)))
            continue;
        state->best = order;
        state->value = br_vector_value(&rows->vectors[spec->arg], i, rows->scratch);
        state->has_value = true;
        state->has_passed = passes;
        BR_TRY(br_state_keep_value(rows, &state->best, err));
        BR_TRY(br_state_keep_value(rows, &state->value, err));
    }
    return BR_OK;
}

static br_status update_concat(const br_state_spec *spec, br_state_array *array,
                               const br_state_rows *rows, br_error *err)
{
    br_concat_list *lists = (br_concat_list *)(void *)array->items;
    size_t item_bytes = sizeof(br_concat_item) + spec->order_count * sizeof(br_value);
    for (uint32_t i = 0; i < rows->row_count; i++) {
        br_value value = br_vector_value(&rows->vectors[spec->arg], i, rows->scratch);
        if (value.class_ == BR_NULL && !spec->keeps_nulls) continue;
        br_concat_item *item = br_arena_zalloc(rows->keep, item_bytes, 16);
        if (item == NULL) return no_memory(rows->run, err);
        item->value = value;
        item->separator = br_value_text(br_text_make(",", 1));
        BR_TRY(br_state_keep_value(rows, &item->value, err));
        if (spec->second_arg != BR_STATE_NO_ARG) {
            item->separator = br_vector_value(&rows->vectors[spec->second_arg], i, rows->scratch);
            BR_TRY(br_state_keep_value(rows, &item->separator, err));
        }
        for (uint32_t k = 0; k < spec->order_count; k++) {
            item->order[k] =
                br_vector_value(&rows->vectors[spec->first_order + k], i, rows->scratch);
            BR_TRY(br_state_keep_value(rows, &item->order[k], err));
        }
        br_concat_list *list = &lists[br_state_group(rows, i)];
        if (list->last == NULL) list->first = item;
        else list->last->next = item;
        list->last = item;
        list->count++;
    }
    return BR_OK;
}

// ---- dispatch --------------------------------------------------------------------------------

// Keeps only the rows that the aggregate's FILTER lets pass.
static br_status filter_rows(const br_state_spec *spec, const br_state_rows *rows,
                             br_state_rows *kept, br_error *err)
{
    uint16_t *positions = BR_ALLOC(rows->scratch, uint16_t, rows->row_count);
    uint32_t *groups = BR_ALLOC(rows->scratch, uint32_t, rows->row_count);
    uint32_t last = spec->filter;
    for (uint32_t k = 0; k < spec->order_count; k++) {
        if (spec->first_order + k > last) last = spec->first_order + k;
    }
    const uint32_t args[] = {spec->arg, spec->second_arg};
    for (uint32_t k = 0; k < 2; k++) {
        if (args[k] != BR_STATE_NO_ARG && args[k] > last) last = args[k];
    }
    br_vector *vectors = BR_ALLOC(rows->scratch, br_vector, last + 1);
    if (positions == NULL || groups == NULL || vectors == NULL) return no_memory(rows->run, err);
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        br_value value = br_vector_value(&rows->vectors[spec->filter], i, rows->scratch);
        if (br_value_truth(&value) != 1) continue;
        if (rows->groups != NULL) groups[count] = rows->groups[i];
        positions[count++] = (uint16_t)i;
    }
    for (uint32_t k = 0; k < spec->order_count + 2; k++) {
        uint32_t arg = k < 2 ? args[k] : spec->first_order + k - 2;
        if (arg != BR_STATE_NO_ARG)
            BR_TRY(br_vector_gather(&rows->vectors[arg], positions, count, rows->scratch,
                                    &vectors[arg], err));
    }
    *kept = *rows;
    kept->groups = rows->groups != NULL ? groups : NULL;
    kept->row_count = count;
    kept->vectors = vectors;
    return BR_OK;
}

static br_status update_plain(const br_state_spec *spec, br_state_array *array,
                              const br_state_rows *rows, br_error *err)
{
    br_argument arg;
    BR_TRY(br_state_argument(rows, spec->arg, &arg, err));
    if (arg.vector.class_ == BR_NULL) return BR_OK;
    switch (spec->kind) {
    case BR_STATE_SUM_INT:
        if (spec->is_checked || arg.vector.validity != NULL) update_sum_int(&arg, array, rows);
        else update_sum_int_plain(&arg, array, rows);
        return BR_OK;
    case BR_STATE_SUM_REAL: return update_sum_real(&arg, array, rows, err);
    default: update_sum_any(&arg, array, rows); return BR_OK;
    }
}

br_status br_state_update(const br_state_spec *spec, br_state_array *array,
                          const br_state_rows *all_rows, br_error *err)
{
    br_state_rows kept;
    const br_state_rows *rows = all_rows;
    if (spec->filter != BR_STATE_NO_ARG && spec->kind != BR_STATE_ARG_BEST) {
        BR_TRY(filter_rows(spec, all_rows, &kept, err));
        rows = &kept;
        if (kept.row_count == 0) return BR_OK;
    }
    br_status status = BR_OK;
    switch (spec->kind) {
    case BR_STATE_COUNT: update_count(spec, array, rows); break;
    case BR_STATE_FIRST:
    case BR_STATE_LAST: status = update_first(spec, array, rows, err); break;
    case BR_STATE_ARG_BEST: status = update_arg_best(spec, array, rows, err); break;
    case BR_STATE_BEST_INT:
    case BR_STATE_BEST_REAL:
    case BR_STATE_BEST_TEXT:
    case BR_STATE_BEST_ANY: status = br_best_update(spec, array, rows, err); break;
    case BR_STATE_CONCAT: status = update_concat(spec, array, rows, err); break;
    case BR_STATE_MOMENTS:
    case BR_STATE_NUMBERS: status = br_statistics_update(spec, array, rows, err); break;
    default: status = update_plain(spec, array, rows, err); break;
    }
    BR_TRY(status);
    return br_arena_failed(rows->scratch) ? no_memory(rows->run, err) : BR_OK;
}

// ---- merging ---------------------------------------------------------------------------------

static void merge_sum_any(br_sum_any *sum, const br_sum_any *from)
{
    sum->real_sum += from->real_sum;
    if (sum->is_real) return;  // an overflow after a real is none
    if (__builtin_add_overflow(sum->int_sum, from->int_sum, &sum->int_sum) || from->has_overflow)
        sum->is_real = sum->has_overflow = true;
    sum->is_real |= from->is_real;
}

static void merge_concat(br_concat_list *list, const br_concat_list *from)
{
    if (from->first == NULL) return;
    if (list->last == NULL) list->first = from->first;
    else list->last->next = from->first;
    list->last = from->last;
    list->count += from->count;
}

static void merge_one(const br_state_spec *spec, void *item, uint8_t *flag, const void *from,
                      uint8_t from_flag)
{
    switch (spec->kind) {
    case BR_STATE_SUM_INT:
        if (__builtin_add_overflow(*(int64_t *)item, *(const int64_t *)from, (int64_t *)item))
            *flag = 1;
        *flag |= from_flag;
        break;
    case BR_STATE_SUM_ANY: merge_sum_any(item, from); break;
    case BR_STATE_FIRST:
    case BR_STATE_LAST:
        if (from_flag && (!*flag || spec->kind == BR_STATE_LAST))
            *(br_value *)item = *(const br_value *)from;
        *flag |= from_flag;
        break;
    case BR_STATE_ARG_BEST: {
        const br_arg_best *state = from;
        br_arg_best *best = item;
        bool is_new = state->best.class_ == BR_NULL
                          ? best->best.class_ == BR_NULL &&
                                (!best->has_value || state->has_passed)
                          : br_state_is_better(spec, &state->best, &best->best);
        if (state->has_value && is_new) *best = *state;
        break;
    }
    case BR_STATE_MOMENTS: br_moments_merge(item, from); break;
    case BR_STATE_NUMBERS: br_numbers_merge(item, from); break;
    default: merge_concat(item, from); break;
    }
}

void br_state_merge(const br_state_spec *spec, br_state_array *array, const uint32_t *groups,
                         const br_state_array *from, uint32_t first, uint32_t count)
{
    size_t item_bytes = br_state_item_bytes(spec->kind);
    const char *items = from->items + first * item_bytes;
    if (spec->kind >= BR_STATE_BEST_INT && spec->kind <= BR_STATE_BEST_ANY) {
        br_best_merge(spec, array, groups, from, first, count);
    } else if (spec->kind == BR_STATE_COUNT) {
        int64_t *counts = (int64_t *)(void *)array->items;
        const int64_t *more = (const int64_t *)(const void *)items;
        for (uint32_t i = 0; i < count; i++) counts[groups[i]] += more[i];
    } else if (spec->kind == BR_STATE_SUM_REAL) {
        double *sums = (double *)(void *)array->items;
        const double *more = (const double *)(const void *)items;
        for (uint32_t i = 0; i < count; i++) sums[groups[i]] += more[i];
    } else {
        uint8_t no_flag = 0;
        bool has_flags = br_state_has_flags(spec->kind);
        for (uint32_t i = 0; i < count; i++) {
            merge_one(spec, array->items + groups[i] * item_bytes,
                      has_flags ? &array->flags[groups[i]] : &no_flag, items + i * item_bytes,
                      has_flags ? from->flags[first + i] : 0);
        }
    }
}
