// rewrite.h - from the binder's plan to one that runs fast; what the rewriting files share.
//
//     br_optimize   columns renamed, LIMIT into SORT        (rewrite.c)
//       sharing     conditions of all uses of a CTE         (rewrite_narrow.c)
//       push-down   conditions to where their columns come from  (rewrite_push.c, rewrite_join.c,
//                   rewrite_agree.c)
//       join order  inner joins as a graph of leaves and conditions (join_graph.c, join_order.c)
//       limits      LIMIT and Top-N below joins and UNION ALL (rewrite_limit.c)
//       grouping    sort keys and sums that follow from others   (rewrite_group.c)
//       pruning     columns and joins that nobody reads     (prune.c)
//       statistics  counts and bounds that need no rows     (rewrite_statistics.c)
//     sharing       parts that occur twice                  (rewrite_share.c)
//       (which may put out more then)                      (rewrite_widen.c)
//       estimates   rows and cost                           (estimate.c, cost.c)
//
// What must stay true: the same rows come out (in any order where no SORT says one), and an
// expression that can fail is run on no row that it was not run on before. Conditions that can fail
// therefore stay where they are, above everything that they were above.
//
// The lists of columns of nodes are kept up only where it says so (br_plan_refresh); pruning makes
// them anew for the whole tree.
//
// Ownership: the arena. Threads: one. Errors: BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_REWRITE_H
#define BR_SQL_REWRITE_H

#include "sql/sql.h"

// Rewrites query->root, shared and subqueries in place; fills rows and cost.
BR_CHECKED br_status br_optimize(br_query *query, const br_sql_catalog *catalog, br_arena *arena,
                                 br_error *err);

// What min and max of a column are measured in.
typedef enum br_fact_scale { BR_SCALE_NUMBER, BR_SCALE_TEXT, BR_SCALE_DATE } br_fact_scale;

// What estimates know of a column, wherever in the plan it is.
typedef struct br_column_fact {
    double distinct;       // values where it comes from; 0: unknown
    double base_rows;      // rows where it comes from
    const br_plan *base;   // the node it comes from
    double min, max;       // when has_range
    // What the conditions of the scan leave of these, each by itself: for the number of groups.
    // (Joins account for conditions that both sides share in a way of their own.)
    double kept_distinct, kept_min, kept_max;
    br_fact_scale scale;
    bool has_range;
    bool has_mean;         // of values that spread as the normal distribution does
    double mean, deviation;
    bool is_unique;        // in its base
    uint8_t class_mask;
    double null_fraction;
    // The most frequent values, NULL: not known. common_count of them stand out, which take
    // common_share of the rows.
    const br_common_values *common;
    uint32_t common_count;
    double common_share;
} br_column_fact;

typedef struct br_conjuncts {  // conditions, ANDed
    br_expr **items;
    uint32_t count;
} br_conjuncts;

typedef struct br_rewrite {
    br_arena *arena;
    br_query *query;
    const br_sql_catalog *catalog;
    uint32_t id_count;       // column ids are below
    uint32_t id_capacity;    // the arrays by id have room for so many
    uint32_t *alias;         // id -> id that means the same; 0: itself
    br_column_fact *facts;   // by id
    br_expr **substitutes;   // by id, NULL outside br_expr_substitute
    uint32_t *owners;        // by id: stamp of the set it was last put into
    uint32_t stamp;
    bool **shared_wanted;    // prune.c: positions of query->shared that some use reads, or NULL
    bool samples;            // estimates decide something: may samples be taken?
} br_rewrite;

// The plan of an entry of run_order.
static inline br_plan **br_query_run(br_query *query, uint32_t entry)
{
    uint32_t step = query->run_order[entry], index = step & ~(uint32_t)BR_RUN_SUBQUERY;
    return (step & BR_RUN_SUBQUERY) != 0 ? &query->subqueries[index] : &query->shared[index];
}

// One allocation that may fail, as a statement.
#define BR_NEED_NODE(pointer, err)                                                      \
    do {                                                                                \
        if ((pointer) == NULL) return br_fail((err), BR_NOMEM, "no memory to optimise"); \
    } while (0)

// Columns that a node hands to its parent: a scan's filter columns are not among them.
static inline uint32_t br_plan_output_count(const br_plan *plan)
{
    return plan->kind == BR_PLAN_SCAN ? plan->scan.output_count : plan->column_count;
}

// ---- expressions (rewrite_expression.c) ------------------------------------------------------

BR_CHECKED br_status br_conjuncts_add(br_rewrite *rewrite, br_conjuncts *list, br_expr *condition,
                                      br_error *err);
// Adds the parts of a condition that are ANDed, with NOT pushed inwards. True constants vanish.
BR_CHECKED br_status br_conjuncts_split(br_rewrite *rewrite, br_conjuncts *list,
                                        br_expr *condition, br_error *err);
// One condition; NULL for an empty list. *expr_out shares the items.
BR_CHECKED br_status br_conjuncts_join(br_rewrite *rewrite, const br_conjuncts *list,
                                       br_expr **expr_out, br_error *err);
// The same of conditions that are ORed.
BR_CHECKED br_status br_conjuncts_either(br_rewrite *rewrite, const br_conjuncts *list,
                                         br_expr **expr_out, br_error *err);
// OR of ANDs: conditions that all branches have are taken out of the OR.
BR_CHECKED br_status br_conjuncts_factor(br_rewrite *rewrite, br_conjuncts *list, br_error *err);

// rewrite_range.c: drops conditions that follow from others of the list; adds one that is never
// true when two contradict each other.
BR_CHECKED br_status br_conjuncts_tighten(br_rewrite *rewrite, br_conjuncts *list, br_error *err);

// Sets of columns: putting a node's outputs into a set takes one stamp.
uint32_t br_mark_outputs(br_rewrite *rewrite, const br_plan *plan);
// Bits of the sets stamp, stamp + 1, ... (at most 64) that the expression's columns are in;
// *outside_out (may be NULL) is set when a column is in none of them.
uint64_t br_expr_sets(const br_rewrite *rewrite, const br_expr *expr, uint32_t stamp,
                      uint32_t set_count, bool *outside_out);
bool br_expr_has_column(const br_expr *expr);
// A call that is too dear to be made twice.
bool br_expr_is_heavy(const br_expr *expr);
// Is a filter with this condition sure to drop a row whose columns in set `stamp` are NULL?
bool br_expr_rejects_nulls(const br_rewrite *rewrite, const br_expr *expr, uint32_t stamp);
// A copy with each column replaced that has a substitute.
BR_CHECKED br_status br_expr_substitute(br_rewrite *rewrite, const br_expr *expr, br_expr **out,
                                        br_error *err);
// Folds what is certain: operators over constants whose result SQLite could only compute the same.
BR_CHECKED br_status br_expr_simplify(br_rewrite *rewrite, br_expr **expr, br_error *err);
// False or NULL whatever the row.
bool br_expr_is_never(const br_expr *expr);
bool br_expr_is_always(const br_expr *expr);

// ---- shapes (rewrite.c) ----------------------------------------------------------------------

// Top-N over PROJECT: what is put out is computed for the N rows only.
BR_CHECKED br_status br_defer_project(br_rewrite *rewrite, br_plan **plan, br_error *err);

// ---- plans -----------------------------------------------------------------------------------

// A column id that is not used yet, 0 when there is none left; are there so many?
uint32_t br_rewrite_new_id(br_rewrite *rewrite);
bool br_rewrite_has_ids(const br_rewrite *rewrite, uint32_t count);

// rewrite_push.c: makes *plan give only rows for which all conditions are true, and does the same
// for every condition inside it. No condition can fail. Estimates are filled in.
BR_CHECKED br_status br_push_down(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                                  br_error *err);
// A table of no rows with the node's columns.
BR_CHECKED br_status br_make_empty(br_rewrite *rewrite, br_plan **plan, br_error *err);
// Puts a FILTER on top of *plan; nothing when the list is empty. Estimates it.
BR_CHECKED br_status br_add_filter(br_rewrite *rewrite, br_plan **plan,
                                   const br_conjuncts *conditions, br_error *err);
// Columns of a node that come from its inputs.
BR_CHECKED br_status br_plan_refresh(br_rewrite *rewrite, br_plan *plan, br_error *err);

// rewrite_agree.c: what rows have in common that a node takes for one (a group, a partition, equal
// rows of a compound): the values of keys, up to their collations, and 1 and 1.0 are the same.
typedef struct br_agreement {
    br_expr **keys;
    const br_collation *collations;
    uint32_t count;
} br_agreement;
// The first `count` columns of a plan, with their collations.
BR_CHECKED br_status br_agreement_of_columns(br_rewrite *rewrite, const br_plan *plan,
                                             uint32_t count, br_agreement *out, br_error *err);
// Is the condition one on the keys, and the same for all such rows?
bool br_condition_agrees(const br_agreement *agreement, const br_expr *condition);

// rewrite_join.c
BR_CHECKED br_status br_push_join(br_rewrite *rewrite, br_plan **plan, br_conjuncts *conditions,
                                  br_error *err);
// A SEMI or ANTI join whose left side is done: pushes into its right side, extracts keys.
BR_CHECKED br_status br_push_semi(br_rewrite *rewrite, br_plan *join, br_error *err);
// Moves `left = right` conditions from `conditions` into the keys of `join`. The right side's
// columns are the set `stamp`, all others are the left side's.
BR_CHECKED br_status br_join_take_keys(br_rewrite *rewrite, br_plan *join,
                                       br_conjuncts *conditions, uint32_t stamp, br_error *err);
BR_CHECKED br_status br_join_add_key(br_rewrite *rewrite, br_plan *join, br_expr *left,
                                     br_expr *right, const br_expr *comparison, br_error *err);
// A LEFT or SINGLE join becomes INNER when some condition drops its rows without a match anyway.
BR_CHECKED br_status br_join_make_inner(br_rewrite *rewrite, br_plan *join,
                                        const br_conjuncts *conditions, br_error *err);
// Is there at most one row for each value of the columns in set `stamp`? May put columns of the
// plan into the set, and into others.
bool br_plan_is_unique(br_rewrite *rewrite, const br_plan *plan, uint32_t stamp);
// Has every left row at most one match?
bool br_join_right_is_unique(br_rewrite *rewrite, const br_plan *join);
void br_join_choose_build(br_plan *join);
// Below *plan, joins of which one side reads the rows of a recursion build the other one, which
// stays the same from step to step.
void br_join_probe_working(br_plan *plan);

// join_graph.c: a tree of inner joins on top of *plan, as a graph that is joined anew.
BR_CHECKED br_status br_join_graph_run(br_rewrite *rewrite, br_plan **plan,
                                       br_conjuncts *conditions, br_error *err);

// rewrite_limit.c: brings LIMIT and Top-N down to where their rows come from. For plans whose
// conditions are where they belong.
BR_CHECKED br_status br_push_limits(br_rewrite *rewrite, br_plan **plan, br_error *err);

// rewrite_group.c: fewer keys to sort by, fewer sums, no DISTINCT where all rows differ. For plans
// whose conditions are where they belong.
BR_CHECKED br_status br_reduce_groups(br_rewrite *rewrite, br_plan **plan, br_error *err);

// rewrite_statistics.c: marks scans below counts, min() and max() that statistics may answer. For
// plans that are done.
BR_CHECKED br_status br_mark_bounds(br_rewrite *rewrite, br_plan *plan, br_error *err);

// rewrite_share.c: what finished plans of the query have in common is made a shared plan.
BR_CHECKED br_status br_share_plans(br_rewrite *rewrite, br_error *err);

// rewrite_widen.c: parts made of scans, filters and joins, which can give any column of their
// tables. A column is told by the scan of its table (counted from the left) and its place in the
// table.
typedef struct br_part_column {
    uint32_t scan, table_column;
    br_plan_column column;
} br_part_column;
bool br_part_is_open(const br_plan *plan);
// The column that a part puts out with this id; false: it is none of a table.
bool br_part_find(const br_plan *part, uint32_t id, br_part_column *out);
// Has the part put the column out, under the id given; 0: its joins do not let it through.
BR_CHECKED br_status br_part_widen(br_rewrite *rewrite, br_plan *part,
                                   const br_part_column *wanted, uint32_t *id_out, br_error *err);

// prune.c: only columns that somebody reads. The first `column_count` that *plan puts out stay, in
// their order.
BR_CHECKED br_status br_prune_columns(br_rewrite *rewrite, br_plan **plan,
                                      uint32_t column_count, br_error *err);

// A PROJECT of the columns with these ids on top of *plan.
BR_CHECKED br_status br_project_columns(br_rewrite *rewrite, br_plan **plan, const uint32_t *ids,
                                        uint32_t count, br_error *err);

// The same for all plans of the query as the binder made them: shared ones keep what some use
// reads.
BR_CHECKED br_status br_prune_query(br_rewrite *rewrite, br_error *err);

// rewrite_narrow.c: conditions that every use of a shared plan has are applied in it.
BR_CHECKED br_status br_narrow_shared(br_rewrite *rewrite, br_error *err);

// estimate.c: selectivities, facts and rows, given those of the inputs.
double br_estimate_condition(const br_rewrite *rewrite, const br_expr *condition);
double br_estimate_conjuncts(const br_rewrite *rewrite, const br_conjuncts *conditions);
// Different values that the expression takes where its columns come from.
double br_estimate_distinct(const br_rewrite *rewrite, const br_expr *expr, double rows);
void br_estimate_node(br_rewrite *rewrite, br_plan *plan);
// The table of a scan as the catalog knows it, NULL when it does not.
const br_sql_table *br_scan_table(const br_rewrite *rewrite, const br_plan *scan);
double br_scan_table_rows(const br_rewrite *rewrite, const br_plan *scan);

// estimate_number.c: about which value a constant expression has; false: it is no number or text.
typedef struct br_known_number {
    double value;
    br_fact_scale scale;
} br_known_number;
bool br_number_of(const br_expr *expr, br_known_number *out);
// Of a text by its first 8 bytes (br_text_bound).
br_known_number br_number_of_bound(uint64_t bound);

// estimate_common.c: what the most frequent values of columns tell.
void br_fact_set_common(br_column_fact *fact, const br_common_values *common);
// The share of rows that are equal to the constant; below 0: not known.
double br_common_share(const br_column_fact *fact, const br_expr *constant,
                       br_collation collation);
// The share of the pairs of rows that are equal in two columns; below 0: not known.
double br_common_pairs(const br_column_fact *left, const br_column_fact *right);

// estimate_sample.c: counts the filters of a scan that statistics say little of on a sample; keeps
// the result in the node.
BR_CHECKED br_status br_estimate_sample(br_rewrite *rewrite, br_plan *scan, br_error *err);
bool br_estimate_is_vague(const br_rewrite *rewrite, const br_expr *condition);

// estimate_join.c
typedef struct br_key_pair {
    const br_expr *left, *right;
} br_key_pair;
// The share of the pairs of rows that agree in all keys.
double br_estimate_keys(const br_rewrite *rewrite, const br_key_pair *pairs, uint32_t count,
                        double left_rows, double right_rows);
// The fewest rows that there are anywhere between `base` and `plan` above it; INFINITY: base is not
// below.
double br_fewest_rows(const br_plan *plan, const br_plan *base);
double br_estimate_join_rows(const br_rewrite *rewrite, const br_plan *join);
// Fills its rows, and how many NULLs it adds to columns.
void br_estimate_join(br_rewrite *rewrite, br_plan *join);

// cost.c: nanoseconds of one thread.
double br_cost_join(double probe_rows, double build_rows, double output_rows);
double br_cost_plan(const br_rewrite *rewrite, const br_plan *plan);

#endif
