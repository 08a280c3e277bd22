// Parts of plans that are made to put out more columns of their tables: for equal parts whose uses
// read different columns.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "sql/bind.h"
#include "sql/rewrite.h"

bool br_part_is_open(const br_plan *plan)
{
    switch (plan->kind) {
    case BR_PLAN_SCAN: return plan->scan.bounds == NULL;
    case BR_PLAN_FILTER: return br_part_is_open(plan->left);
    case BR_PLAN_JOIN:
        return plan->join.join != BR_JOIN_MARK && br_part_is_open(plan->left) &&
               br_part_is_open(plan->right);
    default: return false;
    }
}

static bool find_in_scan(const br_plan *scan, uint32_t id, br_part_column *out)
{
    for (uint32_t i = 0; i < scan->scan.output_count; i++) {
        if (scan->columns[i].id != id) continue;
        out->table_column = scan->scan.table_columns[i];
        out->column = scan->columns[i];
        return true;
    }
    out->scan++;
    return false;
}

static bool find_column(const br_plan *plan, uint32_t id, br_part_column *out)
{
    if (plan->kind == BR_PLAN_SCAN) return find_in_scan(plan, id, out);
    return find_column(plan->left, id, out) ||
           (plan->right != NULL && find_column(plan->right, id, out));
}

bool br_part_find(const br_plan *part, uint32_t id, br_part_column *out)
{
    *out = (br_part_column){0};
    return find_column(part, id, out);
}

// ---- widening --------------------------------------------------------------------------------

// Puts a column at `position` of a list of `count`.
static br_status insert_column(br_rewrite *rewrite, br_plan *plan, uint32_t position,
                               const br_plan_column *column, br_error *err)
{
    uint32_t count = plan->column_count;
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, count + 1);
    BR_NEED_NODE(columns, err);
    memcpy(columns, plan->columns, position * sizeof *columns);
    columns[position] = *column;
    memcpy(columns + position + 1, plan->columns + position, (count - position) * sizeof *columns);
    plan->columns = columns;
    plan->column_count = count + 1;
    return BR_OK;
}

// Puts out a column of the table, which may be there for the filters only; *out is its place.
static br_status widen_scan(br_rewrite *rewrite, br_plan *scan, const br_part_column *wanted,
                            br_plan_column *out, br_error *err)
{
    uint32_t count = scan->column_count, outputs = scan->scan.output_count, at = 0;
    const uint32_t *before = scan->scan.table_columns;
    while (at < count && before[at] != wanted->table_column) at++;
    if (at < count) *out = scan->columns[at];
    if (at < outputs) return BR_OK;
    uint32_t *table_columns = BR_ALLOC(rewrite->arena, uint32_t, count + 1);
    BR_NEED_NODE(table_columns, err);
    if (at == count) {
        *out = wanted->column;
        out->id = br_rewrite_new_id(rewrite);
        BR_TRY(insert_column(rewrite, scan, outputs, out, err));
    } else {  // from behind the outputs to their end
        br_plan_column *columns =
            br_arena_copy(rewrite->arena, scan->columns, count * sizeof *columns);
        BR_NEED_NODE(columns, err);
        memmove(columns + outputs + 1, columns + outputs, (at - outputs) * sizeof *columns);
        columns[outputs] = *out;
        scan->columns = columns;
    }
    memcpy(table_columns, before, outputs * sizeof *before);
    table_columns[outputs] = wanted->table_column;
    memcpy(table_columns + outputs + 1, before + outputs, (at - outputs) * sizeof *before);
    if (at < count)
        memcpy(table_columns + at + 1, before + at + 1, (count - at - 1) * sizeof *before);
    scan->scan.table_columns = table_columns;
    scan->scan.output_count++;
    return BR_OK;
}

// Where outer joins add rows, a column of theirs may be NULL.
static void add_nulls(const br_plan *join, bool is_right, br_plan_column *column)
{
    br_join_kind kind = join->join.join;
    bool may_lack = kind == BR_JOIN_FULL ||
                    (is_right && (kind == BR_JOIN_LEFT || kind == BR_JOIN_SINGLE));
    if (may_lack) column->type.class_mask |= BR_MASK_NULL;
}

// *scan counts the scans before those of the plan; out->id stays 0 when the column is in none.
static br_status widen(br_rewrite *rewrite, br_plan *plan, const br_part_column *wanted,
                       uint32_t *scan, br_plan_column *out, br_error *err)
{
    if (plan->kind == BR_PLAN_SCAN)
        return (*scan)++ == wanted->scan ? widen_scan(rewrite, plan, wanted, out, err) : BR_OK;
    BR_TRY(widen(rewrite, plan->left, wanted, scan, out, err));
    bool is_right = out->id == 0 && plan->right != NULL;
    if (is_right) BR_TRY(widen(rewrite, plan->right, wanted, scan, out, err));
    if (out->id == 0) return BR_OK;
    if (plan->kind == BR_PLAN_FILTER) return br_plan_refresh(rewrite, plan, err);
    add_nulls(plan, is_right, out);
    if (br_plan_find(plan, out->id) != NULL) return BR_OK;
    return insert_column(rewrite, plan, plan->column_count, out, err);
}

br_status br_part_widen(br_rewrite *rewrite, br_plan *part, const br_part_column *wanted,
                        uint32_t *id_out, br_error *err)
{
    uint32_t scan = 0;
    br_plan_column column = {0};
    BR_TRY(widen(rewrite, part, wanted, &scan, &column, err));
    *id_out = column.id;
    return BR_OK;
}
