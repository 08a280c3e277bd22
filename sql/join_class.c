// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"
#include "sql/join_graph.h"

static const unsigned mask_number = BR_MASK_INT | BR_MASK_REAL;

static bool mask_within(const br_expr *expr, unsigned mask)
{
    return (expr->type.class_mask & ~(mask | BR_MASK_NULL)) == 0;
}

// Equality that is transitive together with others of its kind.
static bool is_class_equality(const br_expr *condition)
{
    if (condition->kind != BR_EXPR_OPERATOR || condition->operator_ != BR_OP_EQ) return false;
    const br_expr *left = condition->args[0], *right = condition->args[1];
    if (left->kind != BR_EXPR_COLUMN || right->kind != BR_EXPR_COLUMN) return false;
    return (mask_within(left, mask_number) && mask_within(right, mask_number)) ||
           (mask_within(left, BR_MASK_TEXT) && mask_within(right, BR_MASK_TEXT));
}

static bool is_text_equality(const br_expr *condition)
{
    return !mask_within(condition->args[0], mask_number);
}

static bool same_kind(const br_expr *left, const br_expr *right)
{
    if (is_text_equality(left) != is_text_equality(right)) return false;
    return !is_text_equality(left) || left->collation == right->collation;
}

static uint32_t leaf_of(const br_join_graph *graph, const br_expr *column)
{
    return graph->rewrite->owners[column->column_id] - graph->stamp;
}

static br_graph_class *class_find(br_join_graph *graph, const br_expr *column,
                                  const br_expr *comparison)
{
    for (uint32_t i = 0; i < graph->class_count; i++) {
        br_graph_class *class_ = &graph->classes[i];
        if (!same_kind(class_->comparison, comparison)) continue;
        for (uint32_t k = 0; k < class_->member_count; k++)
            if (class_->members[k].column->column_id == column->column_id) return class_;
    }
    return NULL;
}

static br_status class_add(br_join_graph *graph, br_graph_class *class_, br_expr *column,
                           br_error *err)
{
    br_graph_member *members = br_grow(graph->rewrite->arena, class_->members,
                                       class_->member_count, sizeof *members);
    BR_NEED_NODE(members, err);
    uint32_t leaf = leaf_of(graph, column);
    members[class_->member_count++] = (br_graph_member){.column = column, .leaf = leaf};
    class_->members = members;
    class_->leaves |= 1ull << leaf;
    return BR_OK;
}

static br_status class_new(br_join_graph *graph, const br_expr *comparison,
                           br_graph_class **out, br_error *err)
{
    br_graph_class *classes =
        br_grow(graph->rewrite->arena, graph->classes, graph->class_count, sizeof *classes);
    BR_NEED_NODE(classes, err);
    graph->classes = classes;
    *out = &classes[graph->class_count++];
    **out = (br_graph_class){.comparison = comparison, .spread = 1};
    return BR_OK;
}

// Empties `from` into `into`.
static br_status class_merge(br_join_graph *graph, br_graph_class *into, br_graph_class *from,
                             br_error *err)
{
    for (uint32_t i = 0; i < from->member_count; i++)
        BR_TRY(class_add(graph, into, from->members[i].column, err));
    from->member_count = 0;
    from->leaves = 0;
    return BR_OK;
}

static br_status add_equality(br_join_graph *graph, const br_expr *condition, br_error *err)
{
    br_expr *left = condition->args[0], *right = condition->args[1];
    br_graph_class *left_class = class_find(graph, left, condition);
    br_graph_class *right_class = class_find(graph, right, condition);
    if (left_class == NULL && right_class == NULL) {
        BR_TRY(class_new(graph, condition, &left_class, err));
        BR_TRY(class_add(graph, left_class, left, err));
    }
    if (left_class == NULL) return class_add(graph, right_class, left, err);
    if (right_class == NULL) return class_add(graph, left_class, right, err);
    if (left_class == right_class) return BR_OK;  // follows from the others
    return class_merge(graph, left_class, right_class, err);
}

static br_status add_comparison(br_join_graph *graph, const br_expr *like, const br_expr *left,
                                const br_expr *right, br_error *err)
{
    br_arena *arena = graph->rewrite->arena;
    br_expr *left_copy = br_expr_clone(arena, left), *right_copy = br_expr_clone(arena, right);
    BR_NEED_NODE(left_copy, err);
    BR_NEED_NODE(right_copy, err);
    br_expr *equal = br_expr_operator(arena, BR_OP_EQ, left_copy, right_copy);
    BR_NEED_NODE(equal, err);
    equal->collation = like->collation;
    return br_conjuncts_add(graph->rewrite, &graph->pool, equal, err);
}

// Two members of one leaf are compared right there.
static br_status add_within_leaves(br_join_graph *graph, const br_graph_class *class_,
                                   br_error *err)
{
    for (uint32_t i = 1; i < class_->member_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (class_->members[k].leaf != class_->members[i].leaf) continue;
            BR_TRY(add_comparison(graph, class_->comparison, class_->members[k].column,
                                  class_->members[i].column, err));
            break;
        }
    }
    return BR_OK;
}

// column = constant, of the kind that classes are made of.
static bool is_constant_equality(const br_expr *condition, const br_expr **column_out,
                                 const br_expr **constant_out)
{
    if (condition->kind != BR_EXPR_OPERATOR || condition->operator_ != BR_OP_EQ) return false;
    uint32_t side = condition->args[0]->kind == BR_EXPR_COLUMN ? 0 : 1;
    const br_expr *column = condition->args[side], *constant = condition->args[1 - side];
    *column_out = column;
    *constant_out = constant;
    if (column->kind != BR_EXPR_COLUMN || br_expr_has_column(constant)) return false;
    return (mask_within(column, mask_number) && mask_within(constant, mask_number)) ||
           (mask_within(column, BR_MASK_TEXT) && mask_within(constant, BR_MASK_TEXT));
}

static br_status spread_constant(br_join_graph *graph, const br_expr *condition, br_error *err)
{
    const br_expr *column, *constant;
    if (!is_constant_equality(condition, &column, &constant)) return BR_OK;
    br_graph_class *class_ = class_find(graph, column, condition);
    if (class_ == NULL || class_->has_constant) return BR_OK;
    class_->has_constant = true;
    for (uint32_t i = 0; i < class_->member_count; i++) {
        const br_expr *member = class_->members[i].column;
        if (member->column_id == column->column_id) continue;
        BR_TRY(add_comparison(graph, condition, member, constant, err));
    }
    return BR_OK;
}

static bool is_bound(const br_expr *condition)
{
    if (condition->kind != BR_EXPR_OPERATOR || condition->can_fail) return false;
    br_operator operator_ = condition->operator_;
    return (operator_ >= BR_OP_LT && operator_ <= BR_OP_GE) || operator_ == BR_OP_BETWEEN ||
           operator_ == BR_OP_IN;
}

// The column of a condition on one column and constants; NULL for any other.
static const br_expr *only_column(const br_expr *condition)
{
    const br_expr *column = NULL;
    for (uint32_t i = 0; i < condition->arg_count; i++) {
        const br_expr *arg = condition->args[i];
        if (arg->kind == BR_EXPR_COLUMN && column == NULL) column = arg;
        else if (br_expr_has_column(arg)) return NULL;
    }
    for (uint32_t i = 0; column != NULL && i < condition->arg_count; i++) {
        unsigned kind = mask_within(column, mask_number) ? mask_number : BR_MASK_TEXT;
        if (!mask_within(condition->args[i], kind)) return NULL;
    }
    return column;
}

// The class whose members a condition bounds, and the one of them it names; NULL: none.
static br_graph_class *bounded_class(br_join_graph *graph, const br_expr *condition,
                                     const br_expr **column_out)
{
    const br_expr *column = is_bound(condition) ? only_column(condition) : NULL;
    *column_out = column;
    if (column == NULL) return NULL;
    br_expr like = {.kind = BR_EXPR_OPERATOR, .collation = condition->collation,
                    .args = (br_expr *[]){(br_expr *)(uintptr_t)column}};
    return class_find(graph, column, &like);
}

// The same condition about another column.
static br_status rename_column(br_join_graph *graph, const br_expr *condition,
                               const br_expr *column, const br_expr *member, br_expr **out,
                               br_error *err)
{
    br_expr **slot = &graph->rewrite->substitutes[column->column_id];
    *slot = (br_expr *)(uintptr_t)member;
    br_status status = br_expr_substitute(graph->rewrite, condition, out, err);
    *slot = NULL;
    return status;
}

// Did one of the first `count` conditions say the same of a member of the class?
static br_status was_spread(br_join_graph *graph, const br_graph_class *class_, uint32_t count,
                            const br_expr *condition, bool *was_out, br_error *err)
{
    const br_expr *column, *other_column;
    br_expr *renamed;
    *was_out = false;
    bounded_class(graph, condition, &column);
    for (uint32_t i = 0; i < count && !*was_out; i++) {
        const br_expr *other = graph->pool.items[i];
        if (bounded_class(graph, other, &other_column) != class_) continue;
        BR_TRY(rename_column(graph, other, other_column, column, &renamed, err));
        *was_out = br_expr_equal(renamed, condition);
    }
    return BR_OK;
}

// a = b AND a < 5: b < 5. What is there already is dropped again with what follows from others.
static br_status spread_bound(br_join_graph *graph, uint32_t index, br_error *err)
{
    const br_expr *column, *condition = graph->pool.items[index];
    bool was;
    br_graph_class *class_ = bounded_class(graph, condition, &column);
    if (class_ == NULL || class_->has_constant) return BR_OK;
    BR_TRY(was_spread(graph, class_, index, condition, &was, err));
    if (was) return BR_OK;
    double share = br_estimate_condition(graph->rewrite, condition);
    for (uint32_t i = 0; i < class_->member_count; i++) {
        br_expr *renamed;
        const br_expr *member = class_->members[i].column;
        if (member->column_id == column->column_id) continue;
        BR_TRY(rename_column(graph, condition, column, member, &renamed, err));
        BR_TRY(br_conjuncts_add(graph->rewrite, &graph->pool, renamed, err));
    }
    class_->spread *= share > 1e-3 ? share : 1e-3;
    return BR_OK;
}

br_status br_graph_make_classes(br_join_graph *graph, br_error *err)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < graph->pool.count; i++) {
        br_expr *condition = graph->pool.items[i];
        bool spans = is_class_equality(condition) &&
                     leaf_of(graph, condition->args[0]) != leaf_of(graph, condition->args[1]);
        if (spans)
            BR_TRY(add_equality(graph, condition, err));
        else
            graph->pool.items[kept++] = condition;
    }
    graph->pool.count = kept;
    for (uint32_t i = 0; i < graph->class_count; i++)
        BR_TRY(add_within_leaves(graph, &graph->classes[i], err));
    for (uint32_t i = 0; i < kept; i++)
        BR_TRY(spread_constant(graph, graph->pool.items[i], err));
    for (uint32_t i = 0; i < kept; i++)
        BR_TRY(spread_bound(graph, i, err));
    return BR_OK;
}
