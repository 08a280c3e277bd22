// Join order: dynamic programming over connected sets of leaves for small graphs, greedy (the pair
// with the fewest rows first) for large ones; what no condition connects is crossed last.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "sql/bind.h"
#include "sql/join_graph.h"

typedef struct join_tree {
    uint64_t leaves;
    double rows, cost;
    struct join_tree *left, *right;  // NULL for a leaf
} join_tree;

typedef struct dp_entry {
    double rows, cost;
    uint32_t left;    // best split: this set and the rest; 0: a leaf
    bool is_made;
} dp_entry;

typedef struct orderer {
    br_join_graph *graph;
    uint64_t neighbours[BR_GRAPH_LEAVES_MAX];
} orderer;

// ---- estimates -------------------------------------------------------------------------------

static bool class_crosses(const br_graph_class *class_, uint64_t left, uint64_t right)
{
    return (class_->leaves & left) != 0 && (class_->leaves & right) != 0;
}

// Of a set, the leaf with a column in most of the classes that cross to the other set. Columns of
// one leaf are known to go together: (partkey, suppkey) of partsupp rather than those of part and
// of supplier.
static uint64_t leaf_with_most(const orderer *self, uint64_t leaves, uint64_t others)
{
    const br_join_graph *graph = self->graph;
    uint64_t best = 0;
    uint32_t best_count = 1;  // one class alone: any member will do
    for (uint64_t rest = leaves; rest != 0; rest &= rest - 1) {
        uint64_t leaf = rest & (~rest + 1);
        uint32_t count = 0;
        for (uint32_t i = 0; i < graph->class_count; i++)
            count += (graph->classes[i].leaves & leaf) != 0 &&
                     class_crosses(&graph->classes[i], leaf, others);
        if (count <= best_count) continue;
        best = leaf;
        best_count = count;
    }
    return best;
}

static const br_expr *member_in(const br_graph_class *class_, uint64_t leaves, uint64_t wanted)
{
    if ((class_->leaves & wanted) != 0) leaves = wanted;
    for (uint32_t i = 0; i < class_->member_count; i++)
        if ((leaves >> class_->members[i].leaf & 1) != 0) return class_->members[i].column;
    return NULL;
}

static bool is_within(uint64_t inner, uint64_t outer)
{
    return (inner & ~outer) == 0;
}

// Which side of the condition is on the left: 0 or 1, or -1 when it is no key between the two.
static int key_side(const br_graph_condition *condition, uint64_t left, uint64_t right)
{
    if (!condition->is_key) return -1;
    if (is_within(condition->sides[0], left) && is_within(condition->sides[1], right)) return 0;
    if (is_within(condition->sides[1], left) && is_within(condition->sides[0], right)) return 1;
    return -1;
}

static bool applies(const br_graph_condition *condition, uint64_t left, uint64_t right)
{
    return is_within(condition->leaves, left | right) && !is_within(condition->leaves, left) &&
           !is_within(condition->leaves, right);
}

static double join_rows(const orderer *self, uint64_t left, double left_rows, uint64_t right,
                        double right_rows)
{
    enum { PAIRS_MAX = 16 };
    const br_join_graph *graph = self->graph;
    br_key_pair pairs[PAIRS_MAX];
    uint32_t pair_count = 0;
    double selectivity = 1;
    uint64_t left_leaf = leaf_with_most(self, left, right);
    uint64_t right_leaf = leaf_with_most(self, right, left);
    for (uint32_t i = 0; i < graph->class_count; i++) {
        const br_graph_class *class_ = &graph->classes[i];
        bool crosses = class_crosses(class_, left, right);
        if (!crosses || class_->has_constant || pair_count == PAIRS_MAX) continue;
        selectivity /= class_->spread;  // both sides have been thinned out by the same values
        pairs[pair_count++] = (br_key_pair){member_in(class_, left, left_leaf),
                                            member_in(class_, right, right_leaf)};
    }
    for (uint32_t i = 0; i < graph->condition_count; i++) {
        const br_graph_condition *condition = &graph->conditions[i];
        if (!applies(condition, left, right)) continue;
        int side = key_side(condition, left, right);
        if (side < 0 || pair_count == PAIRS_MAX)
            selectivity *= condition->selectivity;
        else
            pairs[pair_count++] =
                (br_key_pair){condition->expr->args[side], condition->expr->args[1 - side]};
    }
    selectivity *= br_estimate_keys(graph->rewrite, pairs, pair_count, left_rows, right_rows);
    double rows = left_rows * right_rows * selectivity;
    return rows < 1 ? 1 : rows;
}

static double join_cost(double left_rows, double right_rows, double rows)
{
    double build = left_rows < right_rows ? left_rows : right_rows;
    double probe = left_rows < right_rows ? right_rows : left_rows;
    return br_cost_join(probe, build, rows);
}

static void find_neighbours(orderer *self)
{
    const br_join_graph *graph = self->graph;
    for (uint32_t i = 0; i < graph->class_count; i++) {
        for (uint64_t rest = graph->classes[i].leaves; rest != 0; rest &= rest - 1) {
            uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
            self->neighbours[leaf] |= graph->classes[i].leaves & ~(1ull << leaf);
        }
    }
    for (uint32_t i = 0; i < graph->condition_count; i++) {
        const br_graph_condition *condition = &graph->conditions[i];
        bool is_edge = condition->is_key && __builtin_popcountll(condition->leaves) == 2;
        for (uint64_t rest = is_edge ? condition->leaves : 0; rest != 0; rest &= rest - 1) {
            uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
            self->neighbours[leaf] |= condition->leaves & ~(1ull << leaf);
        }
    }
}

static uint64_t neighbours_of(const orderer *self, uint64_t leaves)
{
    uint64_t found = 0;
    for (uint64_t rest = leaves; rest != 0; rest &= rest - 1)
        found |= self->neighbours[__builtin_ctzll(rest)];
    return found & ~leaves;
}

// ---- trees -----------------------------------------------------------------------------------

static br_status tree_leaf(orderer *self, uint32_t leaf, join_tree **out, br_error *err)
{
    double rows = self->graph->leaves[leaf]->rows;
    join_tree *tree = BR_ALLOC(self->graph->rewrite->arena, join_tree, 1);
    BR_NEED_NODE(tree, err);
    tree->leaves = 1ull << leaf;
    tree->rows = rows < 1 ? 1 : rows;
    *out = tree;
    return BR_OK;
}

static br_status tree_join(orderer *self, join_tree *left, join_tree *right, double rows,
                           join_tree **out, br_error *err)
{
    join_tree *tree = BR_ALLOC(self->graph->rewrite->arena, join_tree, 1);
    BR_NEED_NODE(tree, err);
    tree->leaves = left->leaves | right->leaves;
    tree->left = left;
    tree->right = right;
    tree->rows = rows;
    tree->cost = left->cost + right->cost + join_cost(left->rows, right->rows, rows);
    *out = tree;
    return BR_OK;
}

// ---- dynamic programming ---------------------------------------------------------------------

typedef struct dp {
    orderer *orderer;
    uint32_t count;
    uint32_t leaf_of[BR_GRAPH_DP_MAX];  // of the graph, by position in the component
    uint32_t *neighbours;               // by set of positions, as are entries
    dp_entry *entries;
} dp;

static uint64_t dp_leaves(const dp *self, uint32_t set)
{
    uint64_t leaves = 0;
    for (; set != 0; set &= set - 1) leaves |= 1ull << self->leaf_of[__builtin_ctz(set)];
    return leaves;
}

static void dp_try(dp *self, uint32_t set, uint32_t left)
{
    uint32_t right = set ^ left;
    const dp_entry *left_entry = &self->entries[left], *right_entry = &self->entries[right];
    bool is_possible = left_entry->is_made && right_entry->is_made &&
                       (self->neighbours[left] & right) != 0;
    if (!is_possible) return;
    dp_entry *entry = &self->entries[set];
    if (!entry->is_made)
        entry->rows = join_rows(self->orderer, dp_leaves(self, left), left_entry->rows,
                                dp_leaves(self, right), right_entry->rows);
    double cost = left_entry->cost + right_entry->cost +
                  join_cost(left_entry->rows, right_entry->rows, entry->rows);
    if (entry->is_made && cost >= entry->cost) return;
    entry->is_made = true;
    entry->cost = cost;
    entry->left = left;
}

static br_status dp_extract(dp *self, uint32_t set, join_tree **out, br_error *err)
{
    const dp_entry *entry = &self->entries[set];
    if (entry->left == 0)
        return tree_leaf(self->orderer, self->leaf_of[__builtin_ctz(set)], out, err);
    join_tree *left, *right;
    BR_TRY(dp_extract(self, entry->left, &left, err));
    BR_TRY(dp_extract(self, set ^ entry->left, &right, err));
    return tree_join(self->orderer, left, right, entry->rows, out, err);
}

static br_status dp_begin(dp *self, uint64_t component, br_error *err)
{
    br_arena *arena = self->orderer->graph->rewrite->arena;
    size_t sets = (size_t)1 << __builtin_popcountll(component);
    self->neighbours = BR_ALLOC(arena, uint32_t, sets);
    self->entries = BR_ALLOC(arena, dp_entry, sets);
    BR_NEED_NODE(self->neighbours, err);
    BR_NEED_NODE(self->entries, err);
    for (uint64_t rest = component; rest != 0; rest &= rest - 1)
        self->leaf_of[self->count++] = (uint32_t)__builtin_ctzll(rest);
    for (uint32_t i = 0; i < self->count; i++) {
        uint64_t near = self->orderer->neighbours[self->leaf_of[i]];
        for (uint32_t k = 0; k < self->count; k++)
            self->neighbours[1u << i] |= (uint32_t)(near >> self->leaf_of[k] & 1) << k;
        double rows = self->orderer->graph->leaves[self->leaf_of[i]]->rows;
        self->entries[1u << i] = (dp_entry){.rows = rows < 1 ? 1 : rows, .is_made = true};
    }
    return BR_OK;
}

static br_status order_small(orderer *self, uint64_t component, join_tree **out, br_error *err)
{
    dp table = {.orderer = self};
    BR_TRY(dp_begin(&table, component, err));
    uint32_t all = (1u << table.count) - 1;
    for (uint32_t set = 1; set <= all; set++) {
        uint32_t first = set & (~set + 1), others = set ^ first;
        if (others == 0) continue;
        table.neighbours[set] = table.neighbours[others] | table.neighbours[first];
        // Each split once: the part with the first leaf is the left one.
        for (uint32_t right = others; right != 0; right = (right - 1) & others)
            dp_try(&table, set, set ^ right);
    }
    br_assert(table.entries[all].is_made);
    return dp_extract(&table, all, out, err);
}

// ---- greedy ----------------------------------------------------------------------------------

typedef struct greedy {
    orderer *orderer;
    uint32_t count, count_max;
    join_tree *trees[BR_GRAPH_LEAVES_MAX];
    double *rows;  // of each pair; -1: not connected
} greedy;

static double *pair_rows(const greedy *self, uint32_t left, uint32_t right)
{
    return &self->rows[left * self->count_max + right];
}

static void greedy_estimate(greedy *self, uint32_t index, bool crosses)
{
    const join_tree *tree = self->trees[index];
    uint64_t near = neighbours_of(self->orderer, tree->leaves);
    for (uint32_t i = 0; i < self->count; i++) {
        const join_tree *other = self->trees[i];
        double rows = -1;
        if (i != index && (crosses || (near & other->leaves) != 0))
            rows = join_rows(self->orderer, tree->leaves, tree->rows, other->leaves, other->rows);
        *pair_rows(self, index, i) = *pair_rows(self, i, index) = rows;
    }
}

static void greedy_remove(greedy *self, uint32_t index)
{
    uint32_t last = --self->count;
    self->trees[index] = self->trees[last];
    for (uint32_t i = 0; i < self->count; i++) {
        *pair_rows(self, index, i) = *pair_rows(self, last, i);
        *pair_rows(self, i, index) = *pair_rows(self, i, last);
    }
    *pair_rows(self, index, index) = -1;
}

// The pair with the fewest rows, then the fewest to read.
static void greedy_best(const greedy *self, uint32_t *left_out, uint32_t *right_out)
{
    double best = -1, best_inputs = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        for (uint32_t k = i + 1; k < self->count; k++) {
            double rows = *pair_rows(self, i, k);
            double inputs = self->trees[i]->rows + self->trees[k]->rows;
            bool is_better = best < 0 || rows < best || (rows <= best && inputs < best_inputs);
            if (rows < 0 || !is_better) continue;
            best = rows;
            best_inputs = inputs;
            *left_out = i;
            *right_out = k;
        }
    }
    br_assert(best >= 0);
}

// Joins the best pair until one tree is left.
static br_status greedy_run(greedy *self, bool crosses, join_tree **out, br_error *err)
{
    self->count_max = self->count;
    self->rows = BR_ALLOC(self->orderer->graph->rewrite->arena, double,
                          (size_t)self->count * self->count);
    BR_NEED_NODE(self->rows, err);
    for (uint32_t i = 0; i < self->count; i++) greedy_estimate(self, i, crosses);
    while (self->count > 1) {
        uint32_t left = 0, right = 0;
        greedy_best(self, &left, &right);
        double rows = *pair_rows(self, left, right);
        BR_TRY(tree_join(self->orderer, self->trees[left], self->trees[right], rows,
                         &self->trees[left], err));
        greedy_remove(self, right);
        greedy_estimate(self, left, crosses);
    }
    *out = self->trees[0];
    return BR_OK;
}

static br_status order_large(orderer *self, uint64_t component, join_tree **out, br_error *err)
{
    greedy *state = BR_ALLOC(self->graph->rewrite->arena, greedy, 1);
    BR_NEED_NODE(state, err);
    state->orderer = self;
    for (uint64_t rest = component; rest != 0; rest &= rest - 1) {
        join_tree **tree = &state->trees[state->count++];
        BR_TRY(tree_leaf(self, (uint32_t)__builtin_ctzll(rest), tree, err));
    }
    return greedy_run(state, false, out, err);
}

// ---- components ------------------------------------------------------------------------------

static uint64_t component_of(const orderer *self, uint32_t leaf)
{
    uint64_t component = 1ull << leaf;
    for (uint64_t more = component; more != 0; component |= more)
        more = neighbours_of(self, component);
    return component;
}

// Components are crossed as in greedy: conditions that are no edges may still thin them out.
static br_status order_all(orderer *self, join_tree **out, br_error *err)
{
    greedy *components = BR_ALLOC(self->graph->rewrite->arena, greedy, 1);
    BR_NEED_NODE(components, err);
    components->orderer = self;
    uint64_t done = 0;
    for (uint32_t leaf = 0; leaf < self->graph->leaf_count; leaf++) {
        if ((done >> leaf & 1) != 0) continue;
        uint64_t component = component_of(self, leaf);
        done |= component;
        join_tree **tree = &components->trees[components->count++];
        if (__builtin_popcountll(component) <= BR_GRAPH_DP_MAX)
            BR_TRY(order_small(self, component, tree, err));
        else
            BR_TRY(order_large(self, component, tree, err));
    }
    return greedy_run(components, true, out, err);
}

// ---- plans -----------------------------------------------------------------------------------

static br_status add_conditions(orderer *self, br_plan *join, uint64_t left, uint64_t right,
                                br_error *err)
{
    br_join_graph *graph = self->graph;
    br_conjuncts residual = {0};
    for (uint32_t i = 0; i < graph->class_count; i++) {
        const br_graph_class *class_ = &graph->classes[i];
        if (!class_crosses(class_, left, right)) continue;
        br_expr *keys[2] = {
            br_expr_clone(graph->rewrite->arena, member_in(class_, left, 0)),
            br_expr_clone(graph->rewrite->arena, member_in(class_, right, 0)),
        };
        BR_NEED_NODE(keys[0], err);
        BR_NEED_NODE(keys[1], err);
        BR_TRY(br_join_add_key(graph->rewrite, join, keys[0], keys[1], class_->comparison, err));
    }
    for (uint32_t i = 0; i < graph->condition_count; i++) {
        const br_graph_condition *condition = &graph->conditions[i];
        if (!applies(condition, left, right)) continue;
        int side = key_side(condition, left, right);
        br_expr *expr = condition->expr;
        if (side < 0)
            BR_TRY(br_conjuncts_add(graph->rewrite, &residual, expr, err));
        else
            BR_TRY(br_join_add_key(graph->rewrite, join, expr->args[side], expr->args[1 - side],
                                   expr, err));
    }
    return br_conjuncts_join(graph->rewrite, &residual, &join->join.residual, err);
}

static br_status build(orderer *self, const join_tree *tree, br_plan **out, br_error *err)
{
    br_rewrite *rewrite = self->graph->rewrite;
    if (tree->left == NULL) {
        *out = self->graph->leaves[__builtin_ctzll(tree->leaves)];
        return BR_OK;
    }
    // The smaller side is built.
    const join_tree *probe = tree->left, *built = tree->right;
    if (probe->rows < built->rows) {
        probe = tree->right;
        built = tree->left;
    }
    br_plan *join = BR_ALLOC(rewrite->arena, br_plan, 1);
    BR_NEED_NODE(join, err);
    join->kind = BR_PLAN_JOIN;
    join->join.join = BR_JOIN_INNER;
    BR_TRY(build(self, probe, &join->left, err));
    BR_TRY(build(self, built, &join->right, err));
    BR_TRY(add_conditions(self, join, probe->leaves, built->leaves, err));
    BR_TRY(br_plan_refresh(rewrite, join, err));
    join->rows = tree->rows;
    *out = join;
    return BR_OK;
}

br_status br_join_order(br_join_graph *graph, br_plan **plan_out, br_error *err)
{
    if (graph->leaf_count == 1) {
        *plan_out = graph->leaves[0];
        return BR_OK;
    }
    orderer *self = BR_ALLOC(graph->rewrite->arena, orderer, 1);
    BR_NEED_NODE(self, err);
    self->graph = graph;
    find_neighbours(self);
    join_tree *tree;
    BR_TRY(order_all(self, &tree, err));
    return build(self, tree, plan_out, err);
}
