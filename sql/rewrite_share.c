// What a statement computes twice is computed once: equal grouped, windowed or joined parts of its
// finished plans become one shared plan.
//
// Parts are equal when they read the same once their columns are numbered as they come into being.
// Of parts that are made of scans, filters and joins, which columns they put out does not matter:
// the shared one gives all that some use wants (rewrite_widen.c).
// What can fail or gives another value for each call is left alone, and what the join above would
// spare most of the work of.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "sql/bind.h"
#include "sql/rewrite.h"

enum { PARTS_MAX = 64 };

static const double keep_ns = 2000;     // to keep the rows, and so much for each column of each row
static const double keep_value_ns = 2;
static const double spared_factor = 4;  // so few rows on the build side spare most of the other one

typedef struct part {
    br_plan **slot;
    uint32_t last;      // parts up to this one are inside it
    uint32_t position;  // in the order of runs: that of the plan it is in
    uint64_t shape;     // equal parts have equal shapes
    bool by_id;         // what is above finds its columns, however many there are
    uint32_t column_count;  // before it was widened
    const br_plan_column *columns;
    uint32_t *ids;      // of these columns in the shared plan
    bool is_gone;
} part;

typedef struct sharing {
    br_rewrite *rewrite;
    uint32_t count;
    part parts[PARTS_MAX];
} sharing;

// ---- parts as text ---------------------------------------------------------------------------

typedef struct reading {
    br_rewrite *rewrite;
    br_buffer bytes;
    uint32_t *numbers;  // of columns by id, where owners has the stamp
    uint32_t stamp, next;
    bool is_open;       // columns of scans are numbered by their tables, lists of columns left out
    uint32_t scans;
    bool is_fit;        // may be shared
    bool failed;        // no memory
} reading;

static void put_bytes(reading *self, const void *bytes, size_t size)
{
    if (!br_buffer_append(&self->bytes, bytes, size)) self->failed = true;
}

static void put(reading *self, uint64_t value) { put_bytes(self, &value, sizeof value); }

static void put_text(reading *self, const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);
    put(self, size);
    if (size > 0) put_bytes(self, text, size);
}

static void put_column(reading *self, uint32_t id)
{
    if (self->rewrite->owners[id] != self->stamp) {
        self->rewrite->owners[id] = self->stamp;
        self->numbers[id] = self->next++;
    }
    put(self, self->numbers[id]);
}

static void put_value(reading *self, const br_value *value)
{
    put(self, value->class_);
    if (value->class_ == BR_INT || value->class_ == BR_REAL) {
        put(self, (uint64_t)value->i64);
    } else if (value->class_ != BR_NULL) {
        put(self, value->text.size);
        put_bytes(self, value->text.data, value->text.size);
    }
}

static void put_expr(reading *self, const br_expr *expr)
{
    if (expr->can_fail || expr->is_volatile) self->is_fit = false;
    put(self, (uint64_t)expr->kind << 32 | expr->arg_count);
    put(self, (uint64_t)expr->operator_ << 32 | (uint64_t)expr->function);
    put(self, (uint64_t)expr->affinity_to << 1 | (uint64_t)expr->assumes_no_overflow);
    put(self, expr->collation);
    put_text(self, expr->function_name);
    if (expr->kind == BR_EXPR_CONST) put_value(self, &expr->value);
    if (expr->kind == BR_EXPR_COLUMN) put_column(self, expr->column_id);
    if (expr->kind == BR_EXPR_PARAMETER) put(self, expr->parameter);
    if (expr->kind == BR_EXPR_SUBQUERY) put(self, expr->subquery);
    for (uint32_t i = 0; i < expr->arg_count; i++) put_expr(self, expr->args[i]);
}

static br_status put_visit(void *context, br_expr **expr, br_error *err)
{
    (void)err;
    put_expr(context, *expr);
    return BR_OK;
}

static void put_collations(reading *self, const br_collation *collations, uint32_t count)
{
    put(self, count);
    for (uint32_t i = 0; i < count; i++) put(self, collations == NULL ? 0 : collations[i]);
}

static void put_sort_keys(reading *self, const br_sort_key *keys, uint32_t count)
{
    put(self, count);
    for (uint32_t i = 0; i < count; i++) {
        put(self, (uint64_t)keys[i].descending | (uint64_t)keys[i].nulls_last << 1);
        put(self, keys[i].collation);
    }
}

static void put_aggregate(reading *self, const br_aggregate *aggregate)
{
    put(self, (uint64_t)aggregate->kind << 8 | (uint64_t)aggregate->distinct |
                  (uint64_t)aggregate->is_json << 1 | (uint64_t)(aggregate->filter != NULL) << 2);
    put(self, aggregate->collation);
    put(self, aggregate->arg_count);
    put_sort_keys(self, aggregate->order_by, aggregate->order_count);
}

// The rowid has the largest number of all.
static void number_by_table(reading *self, const br_plan *scan)
{
    uint32_t first = self->scans++ << 16;
    for (uint32_t i = 0; i < scan->column_count; i++) {
        uint32_t id = scan->columns[i].id;
        self->rewrite->owners[id] = self->stamp;
        self->numbers[id] = first | (scan->scan.table_columns[i] & 0xffff);
    }
}

static void put_scan(reading *self, const br_plan *plan)
{
    put(self, plan->scan.table_id);
    put(self, plan->scan.filter_count);
    if (self->is_open) {
        number_by_table(self, plan);
        return;
    }
    put(self, plan->scan.output_count);
    for (uint32_t i = 0; i < plan->column_count; i++) put(self, plan->scan.table_columns[i]);
}

static void put_join(reading *self, const br_plan *plan)
{
    put(self, (uint64_t)plan->join.join << 8 | (uint64_t)plan->join.build_left |
                  (uint64_t)(plan->join.residual != NULL) << 1);
    put(self, plan->join.mark_key_count);
    put_collations(self, plan->join.key_collations, plan->join.key_count);
    for (uint32_t i = 0; i < plan->join.key_count; i++) put(self, plan->join.null_safe[i]);
}

static void put_window(reading *self, const br_plan *plan)
{
    put_collations(self, plan->window.partition_collations, plan->window.partition_count);
    put_sort_keys(self, plan->window.order_by, plan->window.order_count);
    put(self, plan->window.call_count);
    for (uint32_t i = 0; i < plan->window.call_count; i++) {
        const br_window_call *call = &plan->window.calls[i];
        const br_window_frame *frame = &call->frame;
        put(self, (uint64_t)call->function << 32 | call->arg_count);
        put(self, (uint64_t)frame->unit << 24 | (uint64_t)frame->start << 16 |
                      (uint64_t)frame->end << 8 | (uint64_t)frame->exclude);
        put(self, (uint64_t)(frame->start_offset != NULL) << 1 | (frame->end_offset != NULL));
        put_aggregate(self, &call->aggregate);
    }
}

// What a node is, but for its expressions.
static void put_kind(reading *self, const br_plan *plan)
{
    put(self, (uint64_t)plan->kind << 32 | (self->is_open ? 0 : plan->column_count));
    switch (plan->kind) {
    case BR_PLAN_SCAN: put_scan(self, plan); break;
    case BR_PLAN_JOIN: put_join(self, plan); break;
    case BR_PLAN_WINDOW: put_window(self, plan); break;
    case BR_PLAN_VALUES: put(self, plan->values.row_count); break;
    case BR_PLAN_SHARED: put(self, plan->shared.index); break;
    case BR_PLAN_SET: put(self, plan->set.set); break;
    case BR_PLAN_FILTER:
    case BR_PLAN_PROJECT: break;
    case BR_PLAN_AGGREGATE:
        put_collations(self, plan->aggregate.key_collations, plan->aggregate.key_count);
        put(self, plan->aggregate.aggregate_count);
        for (uint32_t i = 0; i < plan->aggregate.aggregate_count; i++)
            put_aggregate(self, &plan->aggregate.aggregates[i]);
        break;
    case BR_PLAN_SORT:
        put_sort_keys(self, plan->sort.keys, plan->sort.key_count);
        put(self, (uint64_t)(plan->sort.limit != NULL) << 2 |
                      (uint64_t)(plan->sort.offset != NULL) << 1 | plan->sort.is_partial);
        break;
    case BR_PLAN_LIMIT:
        put(self, (uint64_t)(plan->limit.limit != NULL) << 2 |
                      (uint64_t)(plan->limit.offset != NULL) << 1 | plan->limit.is_partial);
        break;
    default: self->is_fit = false;
    }
}

static void put_plan(reading *self, br_plan *plan)
{
    br_error ignored;
    if (plan->left != NULL) put_plan(self, plan->left);
    if (plan->right != NULL) put_plan(self, plan->right);
    put_kind(self, plan);
    for (uint32_t i = 0; i < plan->column_count && !self->is_open; i++) {
        put_column(self, plan->columns[i].id);
        put(self, (uint64_t)plan->columns[i].collation);
    }
    if (br_plan_each_expr(plan, put_visit, self, &ignored) != BR_OK) self->failed = true;
}

static br_status read_part(br_rewrite *rewrite, const part *from, reading *out, br_error *err)
{
    *out = (reading){.rewrite = rewrite, .stamp = ++rewrite->stamp, .is_fit = true,
                     .is_open = br_part_is_open(*from->slot)};
    out->numbers = BR_ALLOC(rewrite->arena, uint32_t, rewrite->id_capacity);
    BR_NEED_NODE(out->numbers, err);
    put_plan(out, *from->slot);
    if (out->failed) br_buffer_release(&out->bytes);
    return out->failed ? br_fail(err, BR_NOMEM, "no memory to optimise") : BR_OK;
}

static br_status compare_parts(br_rewrite *rewrite, const part *left, const part *right,
                               bool *equal_out, br_error *err)
{
    reading first, second;
    BR_TRY(read_part(rewrite, left, &first, err));
    br_status status = read_part(rewrite, right, &second, err);
    if (status == BR_OK) {
        *equal_out = first.is_fit && second.is_fit &&
                     first.bytes.size_bytes == second.bytes.size_bytes &&
                     memcmp(first.bytes.bytes, second.bytes.bytes, first.bytes.size_bytes) == 0;
        br_buffer_release(&second.bytes);
    }
    br_buffer_release(&first.bytes);
    return status;
}

// ---- finding them ----------------------------------------------------------------------------

static uint64_t mix(uint64_t shape, uint64_t value)
{
    return (shape ^ value) * UINT64_C(0x9E3779B97F4A7C15) + (shape >> 29);
}

static uint64_t shape_of(const br_plan *plan)
{
    bool is_listed = plan->kind != BR_PLAN_SCAN && plan->kind != BR_PLAN_FILTER &&
                     plan->kind != BR_PLAN_JOIN;
    uint64_t shape = mix((uint64_t)plan->kind, is_listed ? plan->column_count : 0);
    if (plan->kind == BR_PLAN_SCAN)
        shape = mix(mix(shape, plan->scan.table_id), plan->scan.filter_count);
    if (plan->left != NULL) shape = mix(shape, shape_of(plan->left));
    if (plan->right != NULL) shape = mix(shape, shape_of(plan->right) + 1);
    return shape;
}

static bool is_candidate(br_rewrite *rewrite, const br_plan *plan)
{
    bool is_kind = plan->kind == BR_PLAN_AGGREGATE || plan->kind == BR_PLAN_WINDOW ||
                   plan->kind == BR_PLAN_JOIN ||
                   (plan->kind == BR_PLAN_SET && plan->set.set != BR_SET_UNION_ALL);
    if (!is_kind) return false;
    double keep = keep_ns + plan->rows * keep_value_ns * plan->column_count;
    return br_cost_plan(rewrite, plan) > keep * (plan->kind == BR_PLAN_JOIN ? 4 : 1);
}

// Does the join's build side spare most of the work on this side?
static bool is_spared(const br_plan *parent, const br_plan *plan)
{
    if (parent->kind != BR_PLAN_JOIN || parent->join.key_count == 0) return false;
    const br_plan *build = parent->join.build_left ? parent->left : parent->right;
    br_join_kind kind = parent->join.join;
    bool drops = kind == BR_JOIN_INNER || kind == BR_JOIN_SEMI || parent->join.build_left;
    return drops && build != plan && build->rows * spared_factor < plan->rows;
}

static void collect(sharing *self, br_plan **slot, const br_plan *parent, uint32_t position,
                    bool spared)
{
    br_plan *plan = *slot;
    uint32_t index = self->count;
    bool is_part = !spared && index < PARTS_MAX && is_candidate(self->rewrite, plan);
    if (is_part)
        self->parts[self->count++] =
            (part){.slot = slot, .position = position, .shape = shape_of(plan),
                   .by_id = parent != NULL && (parent->kind == BR_PLAN_JOIN ||
                                               parent->kind == BR_PLAN_PROJECT ||
                                               parent->kind == BR_PLAN_AGGREGATE)};
    if (plan->left != NULL)
        collect(self, &plan->left, plan, position, spared || is_spared(plan, plan->left));
    if (plan->right != NULL)
        collect(self, &plan->right, plan, position, spared || is_spared(plan, plan->right));
    if (is_part) self->parts[index].last = self->count - 1;
}

// ---- sharing them ----------------------------------------------------------------------------

// What takes a part's place.
static br_status reference(br_rewrite *rewrite, const part *from, uint32_t index,
                           br_error *err)
{
    const br_plan *plan = *from->slot, *shared = rewrite->query->shared[index];
    br_plan *node = BR_ALLOC(rewrite->arena, br_plan, 1);
    br_plan_column *columns = BR_ALLOC(rewrite->arena, br_plan_column, shared->column_count);
    uint32_t *outputs = BR_ALLOC(rewrite->arena, uint32_t, from->column_count);
    BR_NEED_NODE(node, err);
    BR_NEED_NODE(columns, err);
    BR_NEED_NODE(outputs, err);
    for (uint32_t i = 0; i < shared->column_count; i++) {
        columns[i] = shared->columns[i];
        uint32_t k = 0;
        while (k < from->column_count && from->ids[k] != shared->columns[i].id) k++;
        if (k < from->column_count) columns[i] = from->columns[k];
        else columns[i].id = br_rewrite_new_id(rewrite);
    }
    for (uint32_t k = 0; k < from->column_count; k++) outputs[k] = from->columns[k].id;
    *node = (br_plan){.kind = BR_PLAN_SHARED,
                      .column_count = shared->column_count,
                      .columns = columns,
                      .rows = plan->rows,
                      .shared = {.index = index}};
    *from->slot = node;
    bool is_same = shared->column_count == from->column_count;
    for (uint32_t k = 0; k < from->column_count && is_same; k++)
        is_same = columns[k].id == outputs[k];
    if (is_same || from->by_id) return BR_OK;
    return br_project_columns(rewrite, from->slot, outputs, from->column_count, err);
}

// Room for all that may become shared: slots point into the list.
static br_status make_room(br_rewrite *rewrite, br_error *err)
{
    br_query *query = rewrite->query;
    br_plan **shared = BR_ALLOC(rewrite->arena, br_plan *, query->shared_count + PARTS_MAX);
    uint32_t *order = BR_ALLOC(rewrite->arena, uint32_t, query->run_count + PARTS_MAX);
    BR_NEED_NODE(shared, err);
    BR_NEED_NODE(order, err);
    for (uint32_t i = 0; i < query->shared_count; i++) shared[i] = query->shared[i];
    for (uint32_t i = 0; i < query->run_count; i++) order[i] = query->run_order[i];
    query->shared = shared;
    query->run_order = order;
    return BR_OK;
}

// Has the part run right before the plan that it is in; returns its index.
static uint32_t add_run(sharing *self, part *moved)
{
    br_query *query = self->rewrite->query;
    uint32_t position = moved->position, index = query->shared_count++;
    memmove(query->run_order + position + 1, query->run_order + position,
            (query->run_count++ - position) * sizeof *query->run_order);
    query->run_order[position] = index;
    query->shared[index] = *moved->slot;
    for (uint32_t i = 0; i < self->count; i++)
        if (self->parts[i].position >= position) self->parts[i].position++;
    for (part *inside = moved; inside <= &self->parts[moved->last]; inside++)
        inside->position = position;
    return index;
}

static void drop_inside(sharing *self, uint32_t index)
{
    for (uint32_t i = index; i <= self->parts[index].last; i++) self->parts[i].is_gone = true;
}

static void note_columns(part *self)
{
    self->column_count = (*self->slot)->column_count;
    self->columns = (*self->slot)->columns;
}

// Which columns of their tables an open part puts out; false: two are the same one.
static bool find_columns(const part *self, br_part_column *out)
{
    for (uint32_t k = 0; k < self->column_count; k++) {
        if (!br_part_find(*self->slot, self->columns[k].id, &out[k])) return false;
        for (uint32_t i = 0; i < k; i++)
            if (out[i].scan == out[k].scan && out[i].table_column == out[k].table_column)
                return false;
    }
    return true;
}

// Which columns of the first part are those of an equal one; widens the first as far as needed.
// false: it cannot have them all.
static br_status match_columns(br_rewrite *rewrite, const part *first, part *other, bool *fits_out,
                               br_error *err)
{
    uint32_t count = other->column_count;
    br_part_column *columns = BR_ALLOC(rewrite->arena, br_part_column, count);
    other->ids = BR_ALLOC(rewrite->arena, uint32_t, count);
    BR_NEED_NODE(columns, err);
    BR_NEED_NODE(other->ids, err);
    *fits_out = true;
    if (!br_part_is_open(*first->slot)) {
        for (uint32_t k = 0; k < count; k++) other->ids[k] = first->columns[k].id;
        return BR_OK;
    }
    // Each column may need an id in the shared plan, and one more in every other use.
    *fits_out = br_rewrite_has_ids(rewrite, PARTS_MAX / 4 * (count + 1)) &&
                find_columns(other, columns);
    for (uint32_t k = 0; k < count && *fits_out; k++) {
        BR_TRY(br_part_widen(rewrite, *first->slot, &columns[k], &other->ids[k], err));
        br_assert(other->ids[k] != 0);
    }
    return BR_OK;
}

static br_status match_part(sharing *self, uint32_t first, uint32_t index, bool *equal_out,
                            br_error *err)
{
    const part *moved = &self->parts[first];
    part *other = &self->parts[index];
    *equal_out = false;
    if (other->is_gone || other->shape != moved->shape) return BR_OK;
    BR_TRY(compare_parts(self->rewrite, moved, other, equal_out, err));
    note_columns(other);
    return *equal_out ? match_columns(self->rewrite, moved, other, equal_out, err) : BR_OK;
}

// The first of equal parts moves; what is inside it may still be equal to something else. Parts
// come in the order of runs: nobody needs it earlier.
static br_status share_part(sharing *self, uint32_t first, br_error *err)
{
    part *moved = &self->parts[first];
    uint32_t equals[PARTS_MAX], count = 0;
    note_columns(moved);
    for (uint32_t i = moved->last + 1; i < self->count; i++) {
        bool equal;
        BR_TRY(match_part(self, first, i, &equal, err));
        if (!equal) continue;
        equals[count++] = i;
        drop_inside(self, i);
    }
    if (count == 0) return BR_OK;
    moved->ids = BR_ALLOC(self->rewrite->arena, uint32_t, moved->column_count);
    BR_NEED_NODE(moved->ids, err);
    for (uint32_t k = 0; k < moved->column_count; k++) moved->ids[k] = moved->columns[k].id;
    uint32_t index = add_run(self, moved);
    for (uint32_t i = 0; i < count; i++)
        BR_TRY(reference(self->rewrite, &self->parts[equals[i]], index, err));
    return reference(self->rewrite, moved, index, err);
}

br_status br_share_plans(br_rewrite *rewrite, br_error *err)
{
    br_query *query = rewrite->query;
    sharing *self = BR_ALLOC(rewrite->arena, sharing, 1);
    BR_NEED_NODE(self, err);
    self->rewrite = rewrite;
    BR_TRY(make_room(rewrite, err));
    for (uint32_t i = 0; i < query->run_count; i++)
        collect(self, br_query_run(query, i), NULL, i, false);
    collect(self, &query->root, NULL, query->run_count, false);
    for (uint32_t i = 0; i < self->count; i++)
        if (!self->parts[i].is_gone) BR_TRY(share_part(self, i, err));
    return BR_OK;
}
