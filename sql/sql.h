// sql.h - SQL text -> checked plan. Knows names, types and statistics, not execution.
//
//     text --br_sql_parse--> statement --br_sql_plan--> br_query (a tree of br_plan nodes)
//
// A plan is made for one type summary: which storage classes each column holds in the snapshot
// (and each parameter in the binding). br_query_fits tells whether a later snapshot still fits it.
//
// Columns are named by ids, unique in the query: a node lists the columns it puts out, and an
// expression of BR_EXPR_COLUMN names one that its input puts out. (Positions are exec's business.)
//
// Ownership: a query lives in the arena it was planned in. Threads: immutable once planned.
// Errors: BR_SQL with the byte offset for what SQLite would refuse too; BR_UNSUPPORTED with the
//         reason for what only SQLite can run.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_SQL_H
#define BR_SQL_SQL_H

#include "base/arena.h"
#include "base/bytes.h"
#include "columnar/columnar.h"
#include "sql/profile.h"

// ---- types -----------------------------------------------------------------------------------

typedef enum br_affinity {  // none: an expression without one, compares as it is
    BR_AFFINITY_NONE, BR_AFFINITY_BLOB, BR_AFFINITY_TEXT, BR_AFFINITY_NUMERIC,
    BR_AFFINITY_INTEGER, BR_AFFINITY_REAL,
} br_affinity;

// What is known of an expression's values before running: a superset of the classes, and bounds of
// the INT values when has_range.
typedef struct br_type {
    uint8_t class_mask;
    bool has_range;
    int64_t int_min, int_max;
} br_type;

// ---- expressions -----------------------------------------------------------------------------

typedef struct br_expr br_expr;
typedef struct br_plan br_plan;

typedef enum br_expr_kind {
    BR_EXPR_CONST,      // value
    BR_EXPR_COLUMN,     // column_id
    BR_EXPR_PARAMETER,  // parameter: index from 0 into the bound values
    BR_EXPR_SUBQUERY,   // subquery: index of an uncorrelated scalar subquery, run once before
    BR_EXPR_OPERATOR,   // operator_ over args
    BR_EXPR_FUNCTION,   // function over args
    BR_EXPR_CASE,       // args: (condition, value) pairs, then the ELSE value (always there)
    BR_EXPR_CAST,       // args[0] as `affinity_to` with CAST's rules (NUMERIC..BLOB)
    BR_EXPR_AFFINITY,   // args[0] with `affinity_to` applied as before a comparison or on storing
} br_expr_kind;

typedef enum br_operator {
    BR_OP_ADD, BR_OP_SUB, BR_OP_MUL, BR_OP_DIV, BR_OP_MOD, BR_OP_NEGATE,
    BR_OP_BIT_AND, BR_OP_BIT_OR, BR_OP_SHIFT_LEFT, BR_OP_SHIFT_RIGHT, BR_OP_BIT_NOT,
    BR_OP_CONCAT,
    BR_OP_EQ, BR_OP_NE, BR_OP_LT, BR_OP_LE, BR_OP_GT, BR_OP_GE,  // NULL when an operand is
    BR_OP_IS, BR_OP_IS_NOT,            // never NULL
    BR_OP_AND, BR_OP_OR, BR_OP_NOT,    // three-valued; any number of args for AND and OR
    BR_OP_IS_NULL, BR_OP_NOT_NULL,
    BR_OP_IS_TRUE, BR_OP_IS_FALSE, BR_OP_IS_NOT_TRUE, BR_OP_IS_NOT_FALSE,
    BR_OP_BETWEEN,    // args[0] >= args[1] AND args[0] <= args[2], both with `collation`
    BR_OP_IN,         // args[0] IN (args[1..]): SQLite's three-valued rule, affinity applied before
    BR_OP_LIKE, BR_OP_GLOB,  // args: text, pattern [, escape]
    BR_OP_COUNT,
} br_operator;

// Scalar functions run natively; every other one of SQLite's goes through the bridge.
typedef enum br_function {
    BR_FN_BRIDGE,  // function_name, called through br_exec_env.bridge
    BR_FN_ABS, BR_FN_ROUND, BR_FN_COALESCE, BR_FN_NULLIF, BR_FN_IIF, BR_FN_LENGTH, BR_FN_LOWER,
    BR_FN_UPPER, BR_FN_SUBSTR, BR_FN_TRIM, BR_FN_LTRIM, BR_FN_RTRIM, BR_FN_REPLACE, BR_FN_INSTR,
    BR_FN_MIN, BR_FN_MAX, BR_FN_TYPEOF, BR_FN_DATE, BR_FN_TIME, BR_FN_DATETIME, BR_FN_JULIANDAY,
    BR_FN_UNIXEPOCH, BR_FN_STRFTIME, BR_FN_HEX, BR_FN_UNICODE, BR_FN_SIGN, BR_FN_LIKELY,
    BR_FN_MATH,      // function_name tells which: of one or two numbers
    BR_FN_LOG_BASE, BR_FN_PI, BR_FN_DATE_TRUNC,
    BR_FN_JSON_EXTRACT,  // function_name: json_extract, -> or ->>
    BR_FN_REGEXP, BR_FN_REGEXP_REPLACE, BR_FN_REGEXP_EXTRACT,
    BR_FN_COUNT,
} br_function;

// SQLite marks texts that its JSON functions have made, for the JSON function they go to next. Our
// values carry no mark: who needs it, asks the expression.
typedef enum br_json_kind {
    BR_JSON_NOT,     // never marked
    BR_JSON_MAYBE,   // some values may be, or nobody knows
    BR_JSON_ALWAYS,  // every text is: an aggregate of JSON
} br_json_kind;

struct br_expr {
    br_expr_kind kind;
    br_operator operator_;
    br_function function;
    const char *function_name;  // FUNCTION: as SQLite knows it
    br_affinity affinity_to;    // CAST, AFFINITY
    br_collation collation;     // comparisons, BETWEEN, IN, min/max(), NULLIF: the one to use;
                                // LIKE: NOCASE unless case matters
    uint32_t column_id, parameter, subquery;
    br_value value;             // CONST
    uint32_t arg_count;
    br_expr **args;
    br_type type;               // a superset of what comes out, unless assumes_no_overflow
    bool assumes_no_overflow;   // INT arithmetic typed INT although it might overflow: the kernel
                                // checks, and an overflow is BR_RETYPE
    bool is_volatile;           // FUNCTION: every call may give another value
    bool can_fail;              // may raise an error for some values: never run on rows that SQLite
                                // would not run it on (CASE branches, AND/OR operands)
    br_json_kind json;          // COLUMN, SUBQUERY: see br_expr_json
    br_affinity affinity;       // of the expression, as SQLite's rules see it
    uint32_t offset;            // in the SQL text
};

// ---- plans -----------------------------------------------------------------------------------

typedef struct br_plan_column {  // something a node puts out
    uint32_t id;
    const char *name;
    br_type type;
    br_json_kind json;
    br_affinity affinity;
    br_collation collation;
} br_plan_column;

typedef struct br_sort_key {
    br_expr *expression;
    bool descending;
    bool nulls_last;
    br_collation collation;
} br_sort_key;

typedef enum br_aggregate_kind {
    BR_AGG_COUNT_STAR, BR_AGG_COUNT, BR_AGG_SUM, BR_AGG_TOTAL, BR_AGG_AVG, BR_AGG_MIN, BR_AGG_MAX,
    BR_AGG_GROUP_CONCAT,  // args: value [, separator]
    BR_AGG_JSON_ARRAY,    // json_group_array(value)
    BR_AGG_JSON_OBJECT,   // json_group_object(key, value)
    BR_AGG_QUANTILE,      // args: value, fraction; median() has 0.5
    BR_AGG_STDDEV_SAMP, BR_AGG_STDDEV_POP, BR_AGG_VAR_SAMP, BR_AGG_VAR_POP,
    BR_AGG_FIRST,         // a bare column: its value in the first row of the group
    BR_AGG_ARG_MIN, BR_AGG_ARG_MAX,  // a bare column beside one min()/max(): args value, ordering
    BR_AGG_COUNT_,
} br_aggregate_kind;

typedef struct br_aggregate {
    br_aggregate_kind kind;
    bool distinct;          // over args[0], with `collation`
    bool is_json;           // JSON_ARRAY, JSON_OBJECT: the value is JSON text already
    br_collation collation;
    uint32_t arg_count;
    br_expr *args[2];
    br_expr *filter;        // FILTER (WHERE ...), NULL: none
    uint32_t order_count;   // ORDER BY inside
    br_sort_key *order_by;
} br_aggregate;

typedef enum br_window_function {
    BR_WINDOW_AGGREGATE,  // `aggregate` over the frame
    BR_WINDOW_ROW_NUMBER, BR_WINDOW_RANK, BR_WINDOW_DENSE_RANK, BR_WINDOW_PERCENT_RANK,
    BR_WINDOW_CUME_DIST, BR_WINDOW_NTILE, BR_WINDOW_LAG, BR_WINDOW_LEAD, BR_WINDOW_FIRST_VALUE,
    BR_WINDOW_LAST_VALUE, BR_WINDOW_NTH_VALUE,
} br_window_function;

typedef enum br_frame_unit { BR_FRAME_RANGE, BR_FRAME_ROWS, BR_FRAME_GROUPS } br_frame_unit;

typedef enum br_frame_bound {
    BR_FRAME_UNBOUNDED_PRECEDING, BR_FRAME_PRECEDING, BR_FRAME_CURRENT_ROW, BR_FRAME_FOLLOWING,
    BR_FRAME_UNBOUNDED_FOLLOWING,
} br_frame_bound;

typedef enum br_frame_exclude {
    BR_EXCLUDE_NO_OTHERS, BR_EXCLUDE_CURRENT_ROW, BR_EXCLUDE_GROUP, BR_EXCLUDE_TIES,
} br_frame_exclude;

typedef struct br_window_frame {
    br_frame_unit unit;
    br_frame_bound start, end;
    br_expr *start_offset, *end_offset;  // for PRECEDING and FOLLOWING: constant per run; exec
    br_frame_exclude exclude;            // checks them and fails with SQLite's wording
} br_window_frame;

typedef struct br_window_call {
    br_window_function function;
    br_aggregate aggregate;  // AGGREGATE: kind, args, filter (never distinct: SQLite refuses that)
    uint32_t arg_count;      // the others: ntile(n), lag/lead(value, offset, default),
    br_expr *args[3];        // first_value/last_value(value), nth_value(value, n)
    br_window_frame frame;
} br_window_call;

typedef enum br_join_kind {
    BR_JOIN_INNER,  // also cross: no keys, no residual
    BR_JOIN_LEFT,
    BR_JOIN_FULL,   // RIGHT is LEFT with the sides swapped
    BR_JOIN_SEMI,   // left rows with a match; puts out left columns only
    BR_JOIN_ANTI,   // left rows without a match (NOT EXISTS)
    BR_JOIN_MARK,   // left rows + one column: 1 match, 0 none, or NULL as for IN (mark_key_count)
    BR_JOIN_SINGLE, // left rows + right columns of the first match, NULLs when none
} br_join_kind;

typedef enum br_set_kind {
    BR_SET_UNION_ALL, BR_SET_UNION, BR_SET_INTERSECT, BR_SET_EXCEPT,
} br_set_kind;

typedef enum br_table_function_kind {
    BR_TABLE_FUNCTION_SQLITE,  // SQLite runs it
    BR_TABLE_FUNCTION_SERIES,  // generate_series
    BR_TABLE_FUNCTION_SOURCE,  // rows of the file that SQLite reads, at the snapshot's commit point
} br_table_function_kind;

typedef struct br_table_function_column {
    const char *name;
    uint8_t class_mask;
    bool is_hidden;
    br_affinity affinity;  // NONE: as BLOB
    const char *collation; // NULL: BINARY
} br_table_function_column;

typedef struct br_table_function {
    const char *name;
    br_table_function_kind kind;
    uint32_t argument_min, argument_max;
    uint32_t column_count;  // the last argument_max are the arguments; columns[column_count] is the
    const br_table_function_column *columns;  // rowid; its name is NULL when there is none
    const char *quoted_name;  // SOURCE: for SQL
    double rows;              // SOURCE: an estimate, without arguments
} br_table_function;

typedef struct br_call_constraint {  // column operator argument
    uint32_t column;
    const char *operator_;  // "=", "MATCH", "<", ...
} br_call_constraint;

typedef enum br_plan_kind {
    BR_PLAN_SCAN, BR_PLAN_VALUES, BR_PLAN_SHARED, BR_PLAN_FILTER, BR_PLAN_PROJECT,
    BR_PLAN_AGGREGATE, BR_PLAN_JOIN, BR_PLAN_SORT, BR_PLAN_LIMIT, BR_PLAN_SET, BR_PLAN_WINDOW,
    BR_PLAN_APPLY,
    BR_PLAN_RECURSIVE, BR_PLAN_WORKING, BR_PLAN_CALL,
} br_plan_kind;

struct br_plan {
    br_plan_kind kind;
    br_plan *left, *right;     // inputs; one-input nodes use left
    uint32_t column_count;     // what it puts out, in order
    br_plan_column *columns;
    double rows;               // estimate
    union {
        struct {               // SCAN: columns[i] is the table's column table_columns[i]
            uint32_t table_id;
            const char *table_name;
            uint32_t *table_columns;  // or BR_SCAN_KEY
            uint32_t filter_count;    // ANDed; each over columns of this scan only. Filter columns
            br_expr **filters;        // that nobody else needs are still in `columns`, behind the
            uint32_t output_count;    // first output_count, which are what parents use
            double sampled_share;     // of rows that meet the conditions that were counted on a
                                      // sample; 0: none were
            bool *bounds;             // not NULL: the AGGREGATE above only counts rows and values,
                                      // and wants min() or max() of the output columns with `true`
        } scan;
        struct {               // VALUES: rows x column_count expressions; also the row of SELECT 1
            uint32_t row_count;
            br_expr ***rows;
        } values;
        struct {               // SHARED: the rows of query->shared[index], computed once;
            uint32_t index;    // columns[i] is its i-th column
        } shared;
        struct {
            br_expr *predicate;
        } filter;
        struct {               // PROJECT: columns[i] = expressions[i]
            br_expr **expressions;
        } project;
        struct {               // AGGREGATE: columns = keys, then aggregates.
            uint32_t key_count;   // none: always one row
            br_expr **keys;
            br_collation *key_collations;
            uint32_t aggregate_count;
            br_aggregate *aggregates;
        } aggregate;
        struct {               // JOIN: build side is right, or left when build_left
            br_join_kind join;
            uint32_t key_count;
            br_expr **left_keys, **right_keys;  // equal pairs, affinity applied
            br_collation *key_collations;
            bool *null_safe;   // per key: IS instead of =
            br_expr *residual; // further condition of a match, over both sides; may be NULL
            bool build_left;
            uint32_t mark_key_count;  // MARK: the first so many keys are those of IN, where a
                               // NULL on either side makes the answer unknown; 0: never NULL
            br_expr *guard;    // the binder's: a subquery that can fail is asked for the left rows
                               // that need it only; NULL: all. Gone once it is unnested
        } join;                // INNER/LEFT/FULL/SINGLE put out left, then right columns, or some
        struct {
            uint32_t key_count;
            br_sort_key *keys;
            br_expr *limit, *offset;  // Top-N; NULL: none. Constant per run, SQLite's LIMIT rules
            bool is_partial;          // a node above skips: the rows of `offset` come out too
        } sort;
        struct {
            br_expr *limit, *offset;
            bool is_partial;   // as in sort
        } limit;
        struct {               // SET: column i of both sides together; compares like DISTINCT does
            br_set_kind set;
        } set;
        struct {               // WINDOW: puts out the columns of left, or some, then one per call.
            uint32_t partition_count;       // Rows of a partition are those with equal partitions;
            br_expr **partitions;           // order among peers is that of the input. Calls with
            br_collation *partition_collations;  // another PARTITION BY or ORDER BY are in a node
            uint32_t order_count;                // of their own
            br_sort_key *order_by;
            uint32_t call_count;
            br_window_call *calls;
        } window;
        struct {               // APPLY (dependent join): query->applied[index] is run anew for each
            uint32_t index;    // row of left, and names its arguments as the parameters
            uint32_t argument_count;  // first_parameter, first_parameter + 1, ... Puts out the
            br_expr **arguments;      // left row beside each row of the run: left's columns, then
            uint32_t first_parameter; // those of applied[index] by position. One run per row: feed
            bool keeps_unmatched;     // it distinct rows. keeps_unmatched: NULLs beside a left row
        } apply;                      // whose run has no rows, as in LEFT JOIN
        struct {               // RECURSIVE: the rows of left wait; one after the other is put out
            uint32_t index;    // and right run on it, whose rows wait too. Which recursion it is
            bool distinct;     // UNION: a row that was there before does not wait again; compared
                               // with the collations of `columns`
            bool by_row;       // right may see one row at a time only, not many at once
            uint32_t key_count;  // the least comes first, of equal ones the oldest; 0: the oldest
            uint32_t *key_columns;  // positions
            br_sort_key *keys;      // their expressions are NULL
            br_expr *limit, *offset;
        } recursive;
        struct {               // WORKING: inside right of a RECURSIVE of that index, the rows on
            uint32_t index;    // which it runs; columns[i] is its i-th column
        } working;
        struct {               // CALL: function is called with the arguments of each row of left.
            const br_table_function *function;  // Puts out the left row beside each row of the
            uint32_t argument_count;  // function: left's columns, then columns outputs[i] of it
            br_expr **arguments;
            br_call_constraint *constraints;  // SOURCE: which columns the arguments are for
            uint32_t output_count;
            uint32_t *outputs;
            bool is_lateral;          // arguments named columns beside it in FROM
            bool keeps_unmatched;     // LEFT JOIN: NULLs beside a left row without a match
            br_expr *residual;        // keeps_unmatched: what a match has to fulfil; may be NULL
        } call;
    };
};

typedef struct br_query_table {  // an assumption the plan rests on
    uint32_t table_id;
    uint32_t column;             // or BR_SCAN_KEY
    br_type type;
} br_query_table;

typedef struct br_query br_query;
struct br_query {
    br_plan *root;               // its columns are the result's, with their names
    uint32_t subquery_count;     // uncorrelated scalar subqueries, in an order that can run:
    br_plan **subqueries;        // first column of the first row, NULL when there is none
    uint32_t shared_count;       // CTEs used more than once, in an order in which they can run;
    br_plan **shared;            // they run before `subqueries` that use them: see run_order
    uint32_t run_count;          // run_order[i]: k: shared[k]; BR_RUN_SUBQUERY | k: subqueries[k]
    uint32_t *run_order;
    uint32_t applied_count;      // plans that APPLY nodes run; each applies only plans before it
    br_plan **applied;
    uint32_t parameter_count;    // of the statement
    uint32_t argument_count;     // parameters behind them, which APPLY nodes set
    bool reads_sources;          // has CALL nodes of SQLite's own tables: see br_exec_bridge.read
    bool has_collator;           // compares with a collation of the application: texts in full
    uint32_t recursion_count;    // RECURSIVE nodes have indexes below
    uint32_t assumption_count;
    br_query_table *assumptions;
    uint8_t *parameter_masks;    // classes the parameters had, parameter_count of them
    double cost;                 // estimated ns of one thread
};

enum { BR_RUN_SUBQUERY = 1u << 30 };

// ---- the catalog the binder sees -------------------------------------------------------------

typedef struct br_sql_column {
    const char *name;
    br_affinity affinity;
    const char *collation;
    const char *declared_type;
    bool not_null;
    bool is_rowid;     // the INTEGER PRIMARY KEY
    bool is_hidden;
    bool is_left_out;  // the view does not have its values
} br_sql_column;

typedef struct br_sql_table {
    const char *name;
    uint32_t column_count;
    const br_sql_column *columns;
    bool has_rowid;        // rowid, _rowid_, oid name the key unless a column does
    const br_table_view *view;  // NULL: not mirrored
    uint32_t unique_count;      // unique keys, as column lists ended by -1: for cardinality
    const int32_t *const *unique_keys;
} br_sql_table;

// Filled by the router. Lookups are case-insensitive; NULL or false: no such thing.
// The history of a temporal table: every text is SQL, names quoted.
typedef struct br_sql_history {
    const char *changes;  // the change table
    const char *key;      // its columns that tell rows apart, with commas
    uint32_t column_count;
    const char **columns;  // of the table
} br_sql_history;

typedef struct br_sql_catalog {
    const br_sql_table *(*find_table)(void *context, const char *schema, const char *name);
    const char *(*find_view)(void *context, const char *schema, const char *name);  // CREATE VIEW
    // *history_out is NULL when the table has none. NULL: no table has.
    br_status (*find_history)(void *context, const char *schema, const char *name,
                              const br_sql_history **history_out, br_error *err);
    // Has the table an index of that name? NULL: nobody knows.
    bool (*has_index)(void *context, const char *table, const char *name, bool *is_partial_out);
    // Does the name, without a schema, mean something outside of main? NULL: never.
    bool (*is_elsewhere)(void *context, const char *name);
    // What of that name, in main, SQLite can read and nobody else: virtual tables, sqlite_schema,
    // pragma functions. *function_out is NULL when there is no such thing; *is_function_out: it may
    // have arguments. NULL: nothing is found.
    br_status (*find_source)(void *context, const char *name,
                             const br_table_function **function_out, bool *is_function_out,
                             br_error *err);
    // Does SQLite have this scalar function, with so many arguments? Asked for names that the
    // binder does not know, and for those of which is_redefined is true.
    bool (*find_function)(void *context, const char *name, uint32_t argument_count,
                          bool *is_volatile_out);
    // Does the application have a function of that name? Then it goes before SQLite's.
    bool (*is_redefined)(void *context, const char *name, uint32_t argument_count);
    // The application's collation of that name, which lives as long as the plan; *out NULL: none.
    br_status (*find_collation)(void *context, const char *name, br_collator **out, br_error *err);
    // Runs a condition over the columns of a SCAN node on a sample of its table: for how many of
    // how many rows is it true? False: not known. NULL: there are no samples.
    bool (*sample)(void *context, const br_plan *scan, const br_expr *condition,
                   uint64_t *row_count_out, uint64_t *passed_count_out);
    void *context;
} br_sql_catalog;

typedef struct br_plan_options {
    const uint8_t *parameter_masks;  // per parameter, from the bound values
    uint32_t parameter_count;
    bool checked_arithmetic;  // no INT speculation: after a BR_RETYPE
    bool like_is_case_sensitive;  // PRAGMA case_sensitive_like
    bool optimize;            // false: only what correctness needs (for tests)
} br_plan_options;

// ---- entry points ----------------------------------------------------------------------------

#include "sql/ast.h"

// Binds, rewrites and optimises a SELECT.
BR_CHECKED br_status br_sql_plan(const br_statement_ast *statement, const br_sql_catalog *catalog,
                                 const br_plan_options *options, br_arena *arena,
                                 br_query **query_out, br_error *err);
// The statement's text for SQLite, with a subquery in the place of each history. In the arena.
BR_CHECKED br_status br_history_expand(const br_statement_ast *statement,
                                       const br_sql_catalog *catalog, br_arena *arena,
                                       const char **text_out, br_error *err);
// Do the classes and ranges the plan assumed still hold?
bool br_query_fits(const br_query *query, const br_snapshot *snapshot,
                   const uint8_t *parameter_masks, uint32_t parameter_count);
// The plan as an indented tree with estimates.
BR_CHECKED br_status br_query_explain(const br_query *query, br_buffer *out, br_error *err);

typedef enum br_explain_format {
    BR_EXPLAIN_TEXT, BR_EXPLAIN_JSON, BR_EXPLAIN_HTML,
} br_explain_format;

typedef struct br_explanation {  // of one statement
    const char *sql;
    const char *engine, *reason;
    const br_query *query;             // NULL: only SQLite runs it
    double cost_olap_ns, cost_oltp_ns; // with a query, as is seq
    uint64_t seq;
    const br_query_profile *profile;   // NULL: not analysed
    bool was_run;                      // analysed in SQLite, which tells only:
    double run_ms;
    uint64_t row_count;
} br_explanation;

// Appends all of it: text as the head and br_query_explain's tree; JSON one object; HTML a page
// that needs nothing else.
BR_CHECKED br_status br_explain(const br_explanation *what, br_explain_format format,
                                br_buffer *out, br_error *err);

// Are the values of the expression marked as JSON?
br_json_kind br_expr_json(const br_expr *expr);
// Does the function look at the mark of its arguments?
bool br_function_takes_json(const char *name);

// The function and construct tables behind docs/sql.md.
typedef struct br_function_info {
    const char *name;
    int32_t arguments_min, arguments_max;  // -1: any number
    br_function function;
} br_function_info;
const br_function_info *br_function_list(uint32_t *count_out);

#endif
