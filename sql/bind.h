// bind.h - names, types and rules: what the bind_*.c files share on the way from tree to plan.
//
//     br_ast_select --br_bind_select--> br_plan, its columns carrying names, types and affinities
//
// A *scope* is one SELECT being bound: its FROM terms, its result list (for aliases) and the
// aggregates found so far. Names are looked up from the innermost scope outwards. A name found
// outside makes the scopes in between *escape*: their plans name columns of a plan around them. A
// subquery that does not escape becomes a slot of the query, run once before; one that does is
// attached as a *dependent join*: its right side names columns of its left side, until
// br_unnest has rewritten it.
//
// In an aggregate query, expressions are bound against the rows before aggregation and then
// *lifted*: group keys and bare columns are replaced by columns of the AGGREGATE node.
//
// Invariants:
//   1. Column ids are unique in the query, and those of the FROM clause of a scope lie in
//      [first_id, end_id).
//   2. An expression node has one parent: whoever needs it twice clones it.
//   3. `type` of an expression covers what comes out under the recorded assumptions.
//
// Ownership: the arena of the binder. Threads: one binder per thread.
// Errors: BR_SQL in SQLite's words, BR_UNSUPPORTED with the reason, BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_BIND_H
#define BR_SQL_BIND_H

#include "sql/sql.h"

enum {
    BR_BIND_DEPTH_MAX = 200,
    BR_BIND_COLUMNS_MAX = 2000,       // as in SQLite
    BR_BIND_INLINE_IDS_MAX = 20000,   // column ids of a query: from there on, CTEs run once
};

#define BR_NEED(pointer, err)                                                      \
    do {                                                                           \
        if ((pointer) == NULL) return br_fail((err), BR_NOMEM, "no memory for the plan"); \
    } while (0)

typedef struct br_scope br_scope;

// ---- tree helpers (bind_tree.c) --------------------------------------------------------------

// Case-insensitive for ASCII, as SQLite compares names.
bool br_name_equal(const char *left, const char *right);
// Room for one more item in an array that began as NULL and grew only this way; NULL: no memory.
void *br_grow(br_arena *arena, void *items, uint32_t count, size_t item_bytes);

br_expr *br_expr_new(br_arena *arena, br_expr_kind kind, uint32_t arg_count);
br_expr *br_expr_const(br_arena *arena, br_value value);
br_expr *br_expr_column(br_arena *arena, const br_plan_column *column);
br_expr *br_expr_operator(br_arena *arena, br_operator operator_, br_expr *left, br_expr *right);
br_expr *br_expr_clone(br_arena *arena, const br_expr *expr);
bool br_expr_equal(const br_expr *left, const br_expr *right);  // same value in every row
bool br_expr_is_constant(const br_expr *expr);                  // names no column, is not volatile
bool br_expr_is_volatile(const br_expr *expr);                  // or something in it
// Both may be NULL: nothing to add.
br_expr *br_expr_and(br_arena *arena, br_expr *left, br_expr *right);

// Calls `visit` for each expression that the node itself holds (not its inputs), by address, so
// that it can be replaced. Stops at the first status other than BR_OK.
typedef br_status (*br_expr_visit)(void *context, br_expr **expr, br_error *err);
BR_CHECKED br_status br_plan_each_expr(br_plan *plan, br_expr_visit visit, void *context,
                                       br_error *err);
// The same for the node and everything below it.
BR_CHECKED br_status br_plan_each_expr_deep(br_plan *plan, br_expr_visit visit, void *context,
                                            br_error *err);
bool br_plan_can_fail(br_plan *plan);  // some expression in it can
const br_plan_column *br_plan_find(const br_plan *plan, uint32_t column_id);  // NULL: not put out

// ---- binder ----------------------------------------------------------------------------------

typedef enum br_collation_source {
    BR_COLLATED_NOT,       // has none: the other side's counts
    BR_COLLATED_COLUMN,    // a column's own
    BR_COLLATED_EXPLICIT,  // COLLATE somewhere inside
} br_collation_source;

typedef struct br_cte {  // one WITH definition
    const br_ast_cte *ast;
    struct br_cte_list *list;  // where it is defined: what its body sees
    bool is_busy;              // being bound: a reference now is recursive
    br_plan *first_use;        // NULL: not used yet
    uint32_t shared;           // index + 1 once it is shared
    uint32_t run_position;     // where in run_order it has to run
    bool has_subqueries;       // which run before it
    uint32_t first_step;       // recursive: the first arm that reads the CTE itself; 0: none
    const br_plan *working;    // recursive: what a reference in a step gets; NULL: none is legal
    const br_ast_source *step; // FROM of the arm being bound, NULL between
} br_cte;

typedef struct br_cte_list {
    struct br_cte_list *outer;
    uint32_t count;
    br_cte *items;
} br_cte_list;

typedef struct br_outer_aggregate {  // that belongs to another query than the one it stands in
    struct br_outer_aggregate *next;
    const char *text;                // of the statement or view
    uint32_t offset, owner;          // of the call, and of the first result of its query
} br_outer_aggregate;

typedef struct br_binder {
    br_arena *arena;
    const br_sql_catalog *catalog;
    const br_plan_options *options;
    br_query *query;
    const char *text;      // of the statement, or of the view being bound
    br_cte_list *ctes;     // visible now
    br_cte *body;          // recursive, its body is bound next; NULL otherwise
    br_cte *all_ctes[64];  // those used, for moving run positions
    uint32_t all_cte_count;
    uint32_t next_id;
    uint32_t depth;        // of SELECTs
    bool has_dependent;    // some subquery names outer columns
    const br_collation_source *sources;  // of the result columns of the SELECT bound last; or NULL
    br_outer_aggregate *outer_aggregates;
    bool is_stale;         // one was added: the statement has to be bound anew
    const br_scope *from_outer;  // around the FROM clause being bound
    uint32_t view_depth;
    const char *views[16]; // being bound: the guard against circular definitions
} br_binder;

// ---- expressions -----------------------------------------------------------------------------

typedef struct br_bound {  // a bound expression, with what comparisons need to know of it
    br_expr *expr;
    br_collation collation;
    br_collation_source source;
} br_bound;

typedef struct br_scope_column {
    const char *name;
    br_plan_column column;
    br_type base_type;     // in the table: a LEFT JOIN adds NULL only to `column`
    bool has_collation;    // rowids have none
    bool is_hidden;
    bool is_unset;         // an argument of a table of SQLite's that was not given
    bool is_left_out;      // the copy does not have its values
    bool is_search;        // of a virtual table: means the search, not a value
    const char *unknown_collation;  // of another name than the three we know
    bool is_noted;         // its type is among the query's assumptions
    uint32_t table_column; // of the view, or BR_SCAN_KEY
} br_scope_column;

typedef struct br_scope_item {  // one term of FROM
    const char *schema;         // NULL: a subquery
    const char *name;           // alias, or the table's name
    const br_sql_table *table;  // NULL: a subquery, view or CTE, or a CALL
    bool is_call;               // of a CALL
    bool is_cte;                // which has no rowid, unlike views and subqueries
    uint32_t column_count;
    br_scope_column *columns;
    br_scope_column *rowid;     // NULL: none
    br_ast_join join;           // with what stands before it
    bool is_using;
    uint32_t using_count;
    const char **using_columns;
} br_scope_item;

typedef struct br_result_item {  // of the expanded result list
    const br_ast *ast;           // NULL: `item` and `column` of the FROM clause, from a star
    br_scope_column *column;
    br_scope_item *item;
    const char *alias;           // NULL: none
} br_result_item;

// Dependent joins waiting for their left side, in order.
typedef struct br_attach_list {
    br_plan **joins;
    uint32_t count;
} br_attach_list;

typedef struct br_bound_aggregate {
    br_aggregate aggregate;
    br_plan_column column;
    bool is_bare;            // BR_AGG_FIRST and its kin, made by lifting
} br_bound_aggregate;

struct br_scope {
    br_binder *binder;
    br_scope *outer;
    br_plan *plan;             // of what is bound so far
    uint32_t item_count;
    br_scope_item **items;
    uint32_t first_id, end_id; // invariant 1
    bool has_right_join;       // RIGHT or FULL somewhere in FROM
    bool has_inner_using;      // USING inside a join in parentheses: SQLite reorders what * means
    uint32_t result_count;
    br_result_item *results;
    br_collation_source *sources;  // where each result's collation comes from, once bound
    bool aliases_visible;
    bool aggregates_allowed;
    bool windows_allowed;      // in the result list and ORDER BY, not inside functions there
    bool in_aggregate;         // binding arguments of an aggregate function
    bool in_order;             // binding ORDER BY: SQLite words a misuse there differently
    bool is_aggregate;
    bool nulls_when_empty;     // aggregate without GROUP BY: bare columns of no row are NULL
    bool is_from;              // binding ON: unknown names may come later in FROM
    const br_ast *call_where, *call_on;  // conditions that may give the call that is bound next
    uint32_t constraint_count;           // its arguments; NULL: none. Those that did, which are
    const br_ast **constraints;          // true from then on
    uint32_t late_call_count;  // calls that wait for tables behind them
    const struct br_table_call **late_calls;
    br_expr *late_condition;   // of USING, over columns of theirs
    bool is_optional;          // binding a side of a join that may be missing from a row
    uint32_t late_count;       // ON conditions of inner joins that name tables behind them
    const br_ast **late_on;
    bool escapes;
    const br_ast *conjunct;    // of WHERE or ON, being bound
    uint32_t own_references;   // names found in this scope so far
    br_attach_list *attach;    // where dependent joins go; NULL: not possible here
    br_attach_list *attach_below;  // the same for arguments of aggregates
    uint32_t aggregate_count;
    br_bound_aggregate *aggregates;
    uint32_t grouping_set_count;  // 0: the keys are one set
    uint64_t *grouping_sets;   // bits of keys
    uint32_t key_count;        // GROUP BY
    br_expr **keys;
    br_plan_column *key_columns;
    const br_ast_core *core;   // the SELECT, with its WINDOW clause; NULL: none
    uint32_t window_count;
    br_plan **windows;         // WINDOW nodes, with calls and their columns but no input yet
};

// bind_expression.c
BR_CHECKED br_status br_bind_expression(br_scope *scope, const br_ast *ast, br_bound *out,
                                        br_error *err);
// The text between the node's first and last byte, trimmed.
const char *br_bind_span(const br_binder *binder, const br_ast *ast);
bool br_ast_is_keyword(const br_binder *binder, const br_ast *ast, const char *keyword);

// bind_name.c
BR_CHECKED br_status br_bind_name(br_scope *scope, const br_ast *ast, br_bound *out,
                                  br_error *err);
// The value of a column of `owner`, seen from `scope` in it or inside a subquery of it.
BR_CHECKED br_status br_bind_column(br_scope *owner, br_scope_column *column, br_bound *out,
                                    br_error *err);
BR_CHECKED br_status br_bind_result(br_scope *scope, const br_result_item *item, br_bound *out,
                                    br_error *err);
// How many columns of this scope alone the name fits (2: ambiguous); coalesced ones count once.
BR_CHECKED br_status br_scope_find(br_scope *scope, const br_ast *name, br_bound *out,
                                   uint32_t *matches_out, br_error *err);

// bind_compare.c
br_collation br_bound_collation(const br_bound *left, const br_bound *right);
br_affinity br_compare_affinity(br_affinity left, br_affinity right);
// `expr` with `affinity` applied, or itself when that changes nothing; NULL: no memory.
br_expr *br_apply_affinity(br_arena *arena, br_expr *expr, br_affinity affinity);
// A row value, a subquery of several columns, or the one item of any other expression.
BR_CHECKED br_status br_bind_row(br_scope *scope, const br_ast *ast, br_bound **items_out,
                                 uint32_t *count_out, br_error *err);
// May values of each side be numbers and some be texts, where TEXT affinity makes numbers text only
// beside a text? br_bind_compare decides value by value.
bool br_compare_is_mixed(const br_expr *left, const br_expr *right, br_affinity affinity);
// Applies the comparison affinity to both sides, in place.
BR_CHECKED br_status br_compare_prepare(br_scope *scope, br_expr **left, br_expr **right,
                                        br_affinity affinity, br_error *err);
BR_CHECKED br_status br_bind_compare(br_scope *scope, br_operator operator_, br_bound left,
                                     br_bound right, br_bound *out, br_error *err);
BR_CHECKED br_status br_bind_compare_ast(br_scope *scope, const br_ast *ast, br_operator operator_,
                                         br_bound *out, br_error *err);
BR_CHECKED br_status br_bind_between(br_scope *scope, const br_ast *ast, br_bound *out,
                                     br_error *err);
BR_CHECKED br_status br_bind_in_list(br_scope *scope, const br_ast *ast, br_bound *out,
                                     br_error *err);
BR_CHECKED br_status br_bind_case(br_scope *scope, const br_ast *ast, br_bound *out,
                                  br_error *err);
BR_CHECKED br_status br_parse_collation(br_binder *binder, const char *name, br_collation *out,
                                        br_error *err);

// bind_function.c
BR_CHECKED br_status br_bind_function(br_scope *scope, const br_ast *ast, br_bound *out,
                                      br_error *err);
// A call of a known function over bound arguments.
BR_CHECKED br_status br_bind_call(br_scope *scope, const br_ast *ast, const char *name,
                                  br_bound *args, uint32_t arg_count, br_bound *out,
                                  br_error *err);
// Does the application have a function of that name? Then it goes before SQLite's.
bool br_is_redefined(const br_binder *binder, const char *name, uint32_t arg_count);
// The type and the like of a LIKE or GLOB whose arguments are there.
void br_like_finish(const br_scope *scope, br_expr *expr);
// Does the expression call an aggregate function (not inside subqueries)?
bool br_ast_has_aggregate(const br_scope *scope, const br_ast *ast);
BR_CHECKED br_status br_aggregate_check_count(const br_ast *ast, br_aggregate_kind kind,
                                              br_error *err);

// bind_grouping.c
bool br_has_grouping_sets(const br_ast_core *core);
// The keys of all terms, and scope->grouping_sets.
BR_CHECKED br_status br_expand_grouping(br_scope *scope, const br_ast_core *core,
                                        br_ast ***keys_out, uint32_t *count_out, br_error *err);
// Once the keys are bound.
void br_settle_grouping(br_scope *scope);
// Makes scope->plan, an AGGREGATE node over all keys, one per set.
BR_CHECKED br_status br_bind_grouping_sets(br_scope *scope, br_error *err);
BR_CHECKED br_status br_bind_grouping_mark(br_scope *scope, const br_ast *ast, br_bound *out,
                                           br_error *err);
// GROUPING(key), which looks like an aggregate until then.
bool br_is_grouping_mark(const br_bound_aggregate *item);

// bind_grouping_share.c
typedef struct br_grouping_parts {  // of an aggregate: columns of the finest groups
    uint32_t value;
    uint32_t count;  // AVG: value is a total
} br_grouping_parts;

typedef struct br_grouping_source {
    br_plan *whole;            // an AGGREGATE with all keys: cloned for a set, with fewer
    const br_plan *fine;       // the groups of fine_set, with the columns of whole, as a shared
    uint32_t fine_index;       // plan; NULL: none
    uint64_t fine_set;
    br_grouping_parts *parts;  // per aggregate; NULL: they are the columns behind the keys
} br_grouping_source;

// What the scope's plan, an AGGREGATE, has to be grouped from for each set.
BR_CHECKED br_status br_share_grouping(br_scope *scope, br_grouping_source *source, br_error *err);
// An aggregate in `columns`, which are those of source->whole.
BR_CHECKED br_status br_grouping_value(br_scope *scope, const br_grouping_source *source,
                                       uint32_t aggregate, const br_plan_column *columns,
                                       br_expr **out, br_error *err);

// json.c
br_json_kind br_function_json(const char *name);  // of what the function returns
// For a function that looks at marks: lets values of json_each() tell their own, and refuses what
// may or may not be marked.
BR_CHECKED br_status br_json_settle(br_scope *scope, const br_ast *ast, const char *name,
                                    br_bound *args, uint32_t arg_count, br_error *err);
// The same for the value of a JSON aggregate, and whether it is JSON already.
BR_CHECKED br_status br_json_aggregate(br_scope *scope, const br_ast *ast,
                                       br_aggregate *aggregate, br_error *err);

// functions.c
const br_function_info *br_function_find(const char *name);
br_type br_function_type(br_function function, const char *name, br_expr *const *args,
                         uint32_t arg_count);
bool br_function_can_fail(br_function function, br_expr *const *args, uint32_t arg_count);
// An aggregate function by name, BR_AGG_COUNT_: none (min and max with one argument).
br_aggregate_kind br_aggregate_find(const char *name, uint32_t arg_count);
typedef struct br_window_info {
    const char *name;
    br_window_function function;
    uint32_t arguments_min, arguments_max;
} br_window_info;
const br_window_info *br_window_find(const char *name);  // NULL: none of that name
// Why SQLite alone can run it; NULL: no reason.

// bind_type.c
br_type br_type_of_mask(unsigned mask);
br_type br_type_int(int64_t min, int64_t max, bool nullable);
br_type br_type_union(br_type left, br_type right);
br_type br_type_of_value(const br_value *value);
br_affinity br_affinity_of_type_name(const char *name);
br_type br_type_cast(br_type from, br_affinity to);
br_type br_type_affinity(br_type from, br_affinity to);
// Sets type and assumes_no_overflow of an arithmetic, bit or concat operator from its arguments.
void br_type_operator(br_expr *expr, bool checked_arithmetic);
br_type br_type_aggregate(const br_aggregate *aggregate, bool has_keys);
br_type br_type_window(const br_window_call *call);

// bind_subquery.c
BR_CHECKED br_status br_bind_scalar_subquery(br_scope *scope, const br_ast *ast, br_bound *out,
                                             br_error *err);
// The same for one that may have several columns: *items_out is as long as *count_out.
BR_CHECKED br_status br_bind_row_subquery(br_scope *scope, const br_ast *ast,
                                          br_bound **items_out, uint32_t *count_out,
                                          br_error *err);
BR_CHECKED br_status br_bind_exists(br_scope *scope, const br_ast *ast, br_bound *out,
                                    br_error *err);
// A join that waits for its left side, and adds columns to it: the caller fills them.
BR_CHECKED br_status br_join_new(br_scope *scope, br_join_kind kind, br_plan *right,
                                 uint32_t added, br_plan **out, br_error *err);
BR_CHECKED br_status br_attach_join(br_scope *scope, br_attach_list *list, br_plan *join,
                                    br_error *err);
// The column that a subquery is as a value: it has the affinity that counts.
const br_plan_column *br_value_column(const br_plan *plan, uint32_t index);
// Binds a condition over scope->plan and puts FILTER, SEMI, ANTI and what else it needs on top.
BR_CHECKED br_status br_bind_condition(br_scope *scope, const br_ast *ast, br_attach_list *joins,
                                       br_expr **filter_out, br_error *err);
BR_CHECKED br_status br_bind_where(br_scope *scope, const br_ast *ast, br_error *err);
// A value that is computed once, before everything else: `plan` has one column.
BR_CHECKED br_status br_bind_slot(br_scope *scope, br_plan *plan, br_expr **out, br_error *err);
// An operand that SQLite computes for some rows only: where the first `before` of `conditions`
// (`step` apart) are not true, and `condition` is (NULL: whatever). Subqueries that were attached
// since the list was `first_join` long, and can fail, are asked for these rows alone.
typedef struct br_branch_guard {
    br_operator passed;           // what the conditions before must be: IS_NOT_TRUE or IS_NULL
    br_expr *const *conditions;
    uint32_t step, before;
    const br_expr *condition;
} br_branch_guard;

static inline uint32_t br_scope_join_count(const br_scope *scope)
{
    return scope->attach == NULL ? 0 : scope->attach->count;
}

BR_CHECKED br_status br_scope_guard(br_scope *scope, uint32_t first_join,
                                    const br_branch_guard *guard, br_error *err);
BR_CHECKED br_status br_scope_attach(br_scope *scope, br_attach_list *list, br_error *err);

// bind_aggregate.c
BR_CHECKED br_status br_bind_aggregate(br_scope *scope, const br_ast *ast, br_aggregate_kind kind,
                                       br_bound *out, br_error *err);
// Arguments and FILTER; *first_out is the first argument.
BR_CHECKED br_status br_bind_arguments(br_scope *scope, const br_ast *ast, br_aggregate *aggregate,
                                       br_bound *first_out, br_error *err);
// What it is of no rows.
br_value br_aggregate_empty(br_aggregate_kind kind);
void br_aggregate_simplify(br_aggregate *aggregate);
bool br_aggregate_equal(const br_aggregate *left, const br_aggregate *right);
// Replaces what belongs below the AGGREGATE node by its columns.
BR_CHECKED br_status br_lift(br_scope *scope, br_expr **expr, br_error *err);
BR_CHECKED br_status br_lift_node(br_scope *scope, br_plan *plan, br_error *err);
BR_CHECKED br_status br_lift_joins(br_scope *scope, br_attach_list *list, br_error *err);
BR_CHECKED br_status br_bind_aggregate_node(br_scope *scope, br_error *err);

// bind_window.c
// Are the bases in the WINDOW clause right? Nobody need use them.
BR_CHECKED br_status br_check_windows(const br_ast_core *core, br_error *err);
// A call with OVER: a column of one of the scope's windows.
BR_CHECKED br_status br_bind_window(br_scope *scope, const br_ast *ast, br_bound *out,
                                    br_error *err);
bool br_window_has_aggregate(const br_scope *scope, const br_ast_window *window);
bool br_ast_has_window(const br_ast *ast);  // not inside subqueries
// Puts the scope's windows on top of its plan.
BR_CHECKED br_status br_scope_add_windows(br_scope *scope, br_error *err);

// bind_in.c
BR_CHECKED br_status br_bind_in_subquery(br_scope *scope, const br_ast *ast, br_bound *out,
                                         br_error *err);
// As a condition that rows must pass: see br_bind_condition.
BR_CHECKED br_status br_bind_condition_in(br_scope *scope, const br_ast *ast, bool negated,
                                          br_attach_list *joins, br_expr **filter_out,
                                          br_error *err);

// bind_outer.c
const br_outer_aggregate *br_outer_aggregate_find(const br_binder *binder, const br_ast *ast);
bool br_is_owner(const br_ast_core *core, const br_outer_aggregate *noted);
// Is an aggregate that stands in a subquery one of this query?
bool br_owns_aggregate(const br_binder *binder, const br_ast_core *core);
// own_references of the scope and those around it.
BR_CHECKED br_status br_scope_count_references(const br_scope *scope, uint32_t **counts_out,
                                               br_error *err);
// `counts` were taken before the arguments of `ast` were bound in `scope`. Fails, with
// binder->is_stale, when it belongs to a query further out.
BR_CHECKED br_status br_note_outer_aggregate(br_scope *scope, const br_ast *ast,
                                             const uint32_t *counts, br_error *err);
BR_CHECKED br_status br_bind_outer_aggregate(br_scope *scope, const br_ast *ast,
                                             br_aggregate_kind kind,
                                             const br_outer_aggregate *noted, br_bound *out,
                                             br_error *err);

// bind_from.c
BR_CHECKED br_status br_bind_from(br_scope *scope, const br_ast_source *source, br_error *err);

// Names the expression, subqueries apart, what is not there yet?
bool br_names_later(const br_scope *scope, const br_ast *ast);

// bind_constraint.c: conditions that are arguments of a call.
bool br_is_constraint(const br_scope *scope, const br_ast *ast);
BR_CHECKED br_status br_bind_constraint(const br_scope *scope, const br_ast *ast, br_bound *out,
                                        br_error *err);

// bind_on.c: the ON condition of an outer join, whose sides are bound.
BR_CHECKED br_status br_bind_outer_on(br_scope *scope, const br_ast *ast, br_plan *join,
                                      br_error *err);

// bind_table.c
// The collation of a column of a subquery in FROM: of a compound, its first arm's.
br_collation br_outward_collation(const br_query *query, const br_plan *plan, uint32_t column);
// Refuses a name that means something outside of main.
BR_CHECKED br_status br_check_place(const br_binder *binder, const br_ast_source *source,
                                    br_error *err);
BR_CHECKED br_status br_bind_table(br_scope *scope, const br_ast_source *source, br_plan **plan_out,
                                   br_scope_item **item_out, br_error *err);

// A plan that is run once, before what is bound from now on; *index_out is its place among the
// query's shared plans.
BR_CHECKED br_status br_plan_share(br_binder *binder, br_plan *plan, uint32_t *index_out,
                                   br_error *err);
// The same of a plan inside another one: the node becomes one that puts out the shared rows.
BR_CHECKED br_status br_plan_share_in_place(br_binder *binder, br_plan *place, br_error *err);
// A node that puts out the rows of the shared plan `plan`.
BR_CHECKED br_status br_plan_shared(br_binder *binder, const br_plan *plan, uint32_t index,
                                    br_plan **out, br_error *err);

// bind_select.c
typedef enum br_name_style {
    BR_NAMES_RESULT,  // as sqlite3_column_name gives them
    BR_NAMES_TABLE,   // of a subquery: unique, columns as written
    BR_NAMES_VIEW,    // unique, columns as declared
} br_name_style;

// Binds a whole SELECT inside `outer` (NULL: none). *escapes_out: it names outer columns.
BR_CHECKED br_status br_bind_select(br_binder *binder, br_scope *outer, const br_ast_select *select,
                                    br_name_style style, br_plan **plan_out, bool *escapes_out,
                                    br_error *err);
// The same with what the caller needs to know of a subquery's shape.
BR_CHECKED br_status br_bind_core(br_scope *scope, const br_ast_core *core,
                                  const br_ast_select *select, br_name_style style,
                                  br_plan **plan_out, br_error *err);

// bind_order.c
typedef struct br_order_term {  // of ORDER BY, resolved
    br_bound bound;             // column < 0
    int32_t column;             // of the result list, or -1
    br_collation collation;
    bool has_collation;         // COLLATE around an alias or ordinal
    bool descending, nulls_last;
} br_order_term;

// The result column that `ast` means as an alias or ordinal, -1 when it is an expression.
BR_CHECKED br_status br_order_match(br_scope *scope, const br_ast *ast, const char *clause,
                                    uint32_t term, int32_t *column_out, br_error *err);
// ORDER BY ALL becomes the ordinals of all columns.
BR_CHECKED br_status br_expand_order_all(br_binder *binder, const br_ast_select **select,
                                         uint32_t column_count, br_error *err);
BR_CHECKED br_status br_bind_order(br_scope *scope, const br_ast_select *select,
                                   br_order_term **terms_out, br_error *err);
BR_CHECKED br_status br_bind_limit(br_binder *binder, const br_ast_select *select,
                                   br_expr **limit_out, br_expr **offset_out, br_error *err);
const br_ast *br_ast_skip_collate(const br_ast *ast);

// bind_compound.c
typedef struct br_arms {  // of a compound SELECT
    uint32_t count;
    br_scope *scopes;
    br_plan **plans;
} br_arms;

BR_CHECKED br_status br_arms_init(br_binder *binder, uint32_t count, br_arms *arms, br_error *err);
// The arm of that index, which has to be as wide as the first one.
BR_CHECKED br_status br_arm_bind(br_binder *binder, br_scope *outer, const br_ast_select *select,
                                 br_name_style style, uint32_t index, br_arms *arms,
                                 br_error *err);
// Arms 0..end-1 as the operators between them say: names and affinities are those of the first.
BR_CHECKED br_status br_arms_combine(br_binder *binder, const br_ast_select *select,
                                     const br_arms *arms, uint32_t end, br_plan **plan_out,
                                     br_error *err);
// Arms from `first` on, one behind the other.
BR_CHECKED br_status br_arms_append(br_binder *binder, const br_arms *arms, uint32_t first,
                                    br_plan **plan_out, br_error *err);
// The collation of the first of the arms first..last that has one.
br_collation br_arms_collation(const br_arms *arms, uint32_t first, uint32_t last,
                               uint32_t column);
// ORDER BY over `plan`: keys without their expressions, and the positions of the columns.
BR_CHECKED br_status br_arms_order(br_binder *binder, const br_ast_select *select, br_arms *arms,
                                   const br_plan *plan, br_sort_key **keys_out,
                                   uint32_t **columns_out, br_error *err);
BR_CHECKED br_status br_bind_compound(br_binder *binder, br_scope *outer,
                                      const br_ast_select *select, br_name_style style,
                                      br_plan **plan_out, bool *escapes_out, br_error *err);

// bind_history.c: the name that FROM gives it; and the query that a history stands for, inside one
// with a condition (NULL: none).
const char *br_source_name(const br_ast_source *source);
BR_CHECKED br_status br_history_query(const br_binder *binder, const br_ast_source *source,
                                      const br_ast *where, const char **text_out, br_error *err);

// bind_table_function.c: a call, or a name without arguments that is none of a mirrored table:
// *plan_out is NULL when SQLite has no such table either.
BR_CHECKED br_status br_bind_table_function(br_scope *scope, const br_ast_source *source,
                                            br_plan **plan_out, br_scope_item **item_out,
                                            br_error *err);
// Joins the calls that waited with scope->plan.
BR_CHECKED br_status br_bind_late_calls(br_scope *scope, br_error *err);
// Joins a lateral CALL, in place, with the rows that its arguments come from.
BR_CHECKED br_status br_call_join(br_binder *binder, br_plan *left, br_plan *call, br_error *err);

// table_functions.c: NULL: there is none of that name that runs natively.
const br_table_function *br_table_function_find(const char *name);

// bind_recursive.c
// The first arm that reads the CTE itself, 0: none does where SQLite allows it.
uint32_t br_cte_first_step(const br_ast_cte *cte);
// The body of a CTE that br_cte_first_step found to be recursive.
BR_CHECKED br_status br_bind_recursive(br_binder *binder, br_scope *outer, br_cte *cte,
                                       br_plan **plan_out, bool *escapes_out, br_error *err);
// What the name of a CTE means inside its own body.
BR_CHECKED br_status br_bind_working(br_binder *binder, br_cte *cte, const br_ast_source *source,
                                     br_plan **plan_out, br_error *err);

// bind_plan.c: nodes with their columns filled in; NULL: no memory
br_plan *br_plan_new(br_binder *binder, br_plan_kind kind, uint32_t column_count);
br_plan *br_plan_over(br_binder *binder, br_plan_kind kind, br_plan *input);  // same columns
br_plan *br_plan_filter(br_binder *binder, br_plan *input, br_expr *predicate);
br_plan *br_plan_limit(br_binder *binder, br_plan *input, br_expr *limit, br_expr *offset);
br_plan *br_plan_one_row(br_binder *binder);
br_plan *br_plan_union_all(br_binder *binder, br_plan *left, br_plan *right);  // columns as left's
br_plan *br_plan_distinct(br_binder *binder, br_plan *input);
br_plan *br_plan_join(br_binder *binder, br_join_kind kind, br_plan *left, br_plan *right);
// Sets what the join puts out from its sides; `mark` and others keep what they add.
bool br_plan_join_columns(br_binder *binder, br_plan *join);
// The same for a WINDOW, which keeps its last call_count columns; false: no memory.
bool br_plan_window_columns(br_binder *binder, br_plan *window);
// Sets what the CALL puts out from its left side, before what the function gives.
bool br_plan_call_columns(br_binder *binder, br_plan *call);
br_plan_column br_column_of(br_binder *binder, const char *name, const br_bound *bound);

// unnest_tree.c: gives everything that the plan puts out new ids, in place.
BR_CHECKED br_status br_plan_rename(br_binder *binder, br_plan *plan, br_error *err);

// rewrite_unnest.c: makes every dependent join an ordinary one.
BR_CHECKED br_status br_unnest(br_binder *binder, br_plan **root, br_error *err);

#endif
