// LIMIT of a subquery, for each value of the domain: rows are numbered within their value of D, and
// those numbers are filtered.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "sql/unnest.h"

typedef struct row_range {  // of row numbers, from 1
    int64_t after, last;    // last INT64_MAX: no end
} row_range;

static bool is_integer(const br_expr *expr)
{
    return expr->kind == BR_EXPR_CONST && expr->value.class_ == BR_INT;
}

// Only integers written out: others may have to fail, which is for APPLY.
static bool known_range(const br_expr *limit, const br_expr *offset, row_range *out)
{
    *out = (row_range){.last = INT64_MAX};
    if (offset != NULL && !is_integer(offset)) return false;
    if (limit != NULL && !is_integer(limit)) return false;
    if (offset != NULL && offset->value.i64 > 0) out->after = offset->value.i64;
    bool has_end = limit != NULL && limit->value.i64 >= 0;
    if (has_end && limit->value.i64 < INT64_MAX - out->after)
        out->last = out->after + limit->value.i64;
    return true;
}

static br_status number_rows(br_domain *domain, br_plan *input, const uint32_t *ids,
                             br_plan **out, br_error *err)
{
    br_arena *arena = domain->binder->arena;
    br_plan *window = br_plan_new(domain->binder, BR_PLAN_WINDOW, 1);
    BR_NEED(window, err);
    window->left = input;
    window->window.partition_count = domain->count;
    window->window.partitions = BR_ALLOC(arena, br_expr *, domain->count);
    window->window.partition_collations = BR_ALLOC(arena, br_collation, domain->count);
    window->window.call_count = 1;
    window->window.calls = BR_ALLOC(arena, br_window_call, 1);
    BR_NEED(window->window.partitions, err);
    BR_NEED(window->window.partition_collations, err);
    BR_NEED(window->window.calls, err);
    for (uint32_t i = 0; i < domain->count; i++) {
        window->window.partitions[i] = br_domain_column(domain, i, ids[i]);
        BR_NEED(window->window.partitions[i], err);
    }
    window->window.calls[0].function = BR_WINDOW_ROW_NUMBER;
    window->columns[0] = (br_plan_column){.id = domain->binder->next_id++, .name = "",
                                          .type = br_type_int(1, INT64_MAX, false),
                                          .affinity = BR_AFFINITY_NONE};
    *out = window;
    return br_refresh_node(domain->binder, window, err);
}

static br_status add_bound(br_arena *arena, br_operator operator_, const br_plan_column *number,
                           int64_t bound, br_expr **condition, br_error *err)
{
    br_expr *left = br_expr_column(arena, number);
    br_expr *right = br_expr_const(arena, br_value_int(bound));
    BR_NEED(left, err);
    BR_NEED(right, err);
    br_expr *part = br_expr_operator(arena, operator_, left, right);
    BR_NEED(part, err);
    *condition = br_expr_and(arena, *condition, part);
    BR_NEED(*condition, err);
    return BR_OK;
}

static br_status filter_numbers(br_domain *domain, const row_range *range, br_plan **plan,
                                br_error *err)
{
    br_arena *arena = domain->binder->arena;
    const br_plan_column *number = &(*plan)->columns[(*plan)->column_count - 1];
    br_expr *condition = NULL;
    if (range->after > 0)
        BR_TRY(add_bound(arena, BR_OP_GT, number, range->after, &condition, err));
    if (range->last < INT64_MAX)
        BR_TRY(add_bound(arena, BR_OP_LE, number, range->last, &condition, err));
    if (condition == NULL) return BR_OK;
    *plan = br_plan_filter(domain->binder, *plan, condition);
    BR_NEED(*plan, err);
    return BR_OK;
}

br_status br_domain_limit(br_domain *domain, br_plan **plan, uint32_t *ids_out, bool *done_out,
                          br_error *err)
{
    br_plan *node = *plan, *numbered;
    bool is_sort = node->kind == BR_PLAN_SORT;
    row_range range;
    *done_out = known_range(is_sort ? node->sort.limit : node->limit.limit,
                            is_sort ? node->sort.offset : node->limit.offset, &range);
    if (!*done_out) return BR_OK;
    BR_TRY(br_domain_push(domain, &node->left, ids_out, err));
    BR_TRY(br_domain_rename(domain, node, ids_out, err));
    BR_TRY(number_rows(domain, node->left, ids_out, &numbered, err));
    if (is_sort) {
        numbered->window.order_count = node->sort.key_count;
        numbered->window.order_by = br_arena_copy(domain->binder->arena, node->sort.keys,
                                                  node->sort.key_count * sizeof *node->sort.keys);
        BR_NEED(numbered->window.order_by, err);
        for (uint32_t i = 0; i < node->sort.key_count; i++) {
            br_expr **key = &numbered->window.order_by[i].expression;
            *key = br_expr_clone(domain->binder->arena, *key);
            BR_NEED(*key, err);
        }
    }
    BR_TRY(filter_numbers(domain, &range, &numbered, err));
    *plan = numbered;
    if (!is_sort) return BR_OK;
    node->left = numbered;  // the order may still count: for what takes the first row
    node->sort.limit = node->sort.offset = NULL;
    *plan = node;
    return br_refresh_node(domain->binder, node, err);
}
