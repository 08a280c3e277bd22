// ast.h - what the parser makes of SQL text: names unresolved, nothing checked but grammar.
//
// One tree per statement. Only SELECT (with everything SQLite's grammar allows in it) has a full
// tree; other statements are classified by their first words and left to SQLite. Every node knows
// its byte offset in the text.
//
// Ownership: the arena given to br_parse. Lists are arrays with a count. Threads: immutable.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_AST_H
#define BR_SQL_AST_H

#include "base/arena.h"
#include "base/error.h"
#include "base/type.h"

typedef struct br_ast br_ast;
typedef struct br_ast_select br_ast_select;
typedef struct br_ast_source br_ast_source;
typedef struct br_ast_window br_ast_window;

// SQLite's SQLITE_MAX_EXPR_DEPTH: recursion over a tree needs no check of its own.
enum { BR_AST_HEIGHT_MAX = 1000 };

typedef enum br_ast_kind {
    BR_AST_LITERAL,    // value; NULL, number, 'text', x'blob', TRUE/FALSE as integers (with `name`
                       // as written, NULL for every other literal: a column may have that name),
                       // CURRENT_DATE/TIME/TIMESTAMP become FUNCTIONs date/time/datetime('now')
    BR_AST_NAME,       // column: [schema.][table.]name; a "quoted" one may turn out to be a string
    BR_AST_STAR,       // * or table.* (select list, count(*))
    BR_AST_PARAMETER,  // ? ?N :a @a $a; index from 1
    BR_AST_UNARY,      // operator: - + ~ NOT
    BR_AST_BINARY,     // all two-operand operators, also IS, IS NOT ([NOT] DISTINCT FROM), -> ->>
    BR_AST_BETWEEN,    // args[0] BETWEEN args[1] AND args[2]; negated
    BR_AST_IN,         // args[0] IN (args[1..]) or `select` or table [schema.]name; negated
    BR_AST_LIKE,       // args[0] LIKE|GLOB|REGEXP|MATCH args[1] [ESCAPE args[2]]; negated
    BR_AST_IS_NULL,    // args[0] ISNULL / NOTNULL / NOT NULL; negated for the latter
    BR_AST_CASE,       // args: base when has_base, WHEN and THEN pairs, ELSE when has_else
    BR_AST_CAST,       // args[0] AS type_name
    BR_AST_COLLATE,    // args[0] COLLATE name
    BR_AST_FUNCTION,   // name(args), distinct, order_by, filter, window
    BR_AST_EXISTS,     // EXISTS (subquery); negation is a UNARY NOT around it
    BR_AST_SUBQUERY,   // (SELECT ...) as a value or row value
    BR_AST_ROW,        // (a, b, ...) with two or more args
    BR_AST_GROUPING_SETS,  // a term of GROUP BY: args, a ROW (maybe empty) for a list
    BR_AST_RAISE,      // RAISE(...): only legal in triggers, an error here
} br_ast_kind;

typedef enum br_ast_operator {
    BR_AST_OP_NONE, BR_AST_OP_ADD, BR_AST_OP_SUB, BR_AST_OP_MUL, BR_AST_OP_DIV, BR_AST_OP_MOD,
    BR_AST_OP_CONCAT, BR_AST_OP_BIT_AND, BR_AST_OP_BIT_OR, BR_AST_OP_SHIFT_LEFT,
    BR_AST_OP_SHIFT_RIGHT, BR_AST_OP_EQ, BR_AST_OP_NE, BR_AST_OP_LT, BR_AST_OP_LE, BR_AST_OP_GT,
    BR_AST_OP_GE, BR_AST_OP_IS, BR_AST_OP_IS_NOT, BR_AST_OP_AND, BR_AST_OP_OR, BR_AST_OP_LIKE,
    BR_AST_OP_GLOB, BR_AST_OP_REGEXP, BR_AST_OP_MATCH, BR_AST_OP_JSON, BR_AST_OP_JSON_TEXT,
    BR_AST_OP_MINUS, BR_AST_OP_PLUS, BR_AST_OP_BIT_NOT, BR_AST_OP_NOT,
} br_ast_operator;

typedef struct br_ast_order {  // one ORDER BY term
    br_ast *expression;
    bool descending;
    int8_t nulls;  // 0 default, -1 NULLS FIRST, 1 NULLS LAST
} br_ast_order;

struct br_ast {
    br_ast_kind kind;
    br_ast_operator operator_;
    uint32_t offset;       // first byte in the SQL text, parentheses around it included
    uint32_t end;          // one past the last byte: column names are the text between
    uint32_t height;       // of the tree, subqueries included; at most BR_AST_HEIGHT_MAX
    bool negated;
    bool distinct;         // FUNCTION
    bool is_star;          // FUNCTION: count(*)
    bool quoted;           // NAME written with double quotes
    bool has_base, has_else;  // CASE
    br_value value;        // LITERAL
    const char *schema, *table, *name;  // NAME, STAR (table), FUNCTION, COLLATE, CAST type, IN
    uint32_t parameter;    // PARAMETER: index from 1
    uint32_t arg_count;
    br_ast **args;
    br_ast_select *select; // SUBQUERY, EXISTS, IN
    uint32_t order_count;  // FUNCTION: ORDER BY inside an aggregate
    br_ast_order *order_by;
    br_ast *filter;        // FUNCTION: FILTER (WHERE ...)
    br_ast_window *window; // FUNCTION: OVER
};

typedef enum br_ast_bound { BR_AST_UNBOUNDED_PRECEDING, BR_AST_PRECEDING, BR_AST_CURRENT_ROW,
                            BR_AST_FOLLOWING, BR_AST_UNBOUNDED_FOLLOWING } br_ast_bound;

struct br_ast_window {
    const char *name;      // of the definition (WINDOW w AS) or of the reference (OVER w)
    const char *base_name; // (base PARTITION BY ...)
    bool is_reference;     // OVER w
    uint32_t partition_count;
    br_ast **partition_by;
    uint32_t order_count;
    br_ast_order *order_by;
    bool has_frame;
    int frame_unit;        // 0 RANGE, 1 ROWS, 2 GROUPS
    br_ast_bound start, end;
    br_ast *start_offset, *end_offset;
    bool has_exclude;      // EXCLUDE is written out
    int exclude;           // 0 NO OTHERS, 1 CURRENT ROW, 2 GROUP, 3 TIES
};

typedef enum br_ast_join { BR_AST_JOIN_COMMA, BR_AST_JOIN_INNER, BR_AST_JOIN_CROSS,
                           BR_AST_JOIN_LEFT, BR_AST_JOIN_RIGHT, BR_AST_JOIN_FULL } br_ast_join;

typedef enum br_ast_source_kind { BR_AST_SOURCE_TABLE, BR_AST_SOURCE_FUNCTION,
                                  BR_AST_SOURCE_SELECT, BR_AST_SOURCE_JOIN } br_ast_source_kind;

typedef enum br_ast_history {
    BR_AST_HISTORY_NONE,
    BR_AST_HISTORY_AS_OF,    // FOR SYSTEM_TIME AS OF times[0]
    BR_AST_HISTORY_BETWEEN,  // BETWEEN times[0] AND times[1]
    BR_AST_HISTORY_FROM,     // FROM times[0] TO times[1]
    BR_AST_HISTORY_ALL,
    BR_AST_HISTORY_CHANGES,  // braid_changes('name' [, times[0]])
} br_ast_history;

struct br_ast_source {
    br_ast_source_kind kind;
    uint32_t offset;
    br_ast_history history;  // of TABLE
    br_ast *times[2];
    uint32_t history_end;    // one past the last byte that `history` stands for
    const char *schema, *name, *alias;  // a JOIN in parentheses may have an alias
    const char *index_name;  // INDEXED BY; NULL: none
    uint32_t arg_count;    // FUNCTION: table-valued function arguments
    br_ast **args;
    br_ast_select *select;
    br_ast_source *left, *right;  // JOIN
    br_ast_join join;
    bool natural;
    br_ast *on;
    uint32_t using_count;
    const char **using_columns;
};

typedef struct br_ast_result {  // one entry of the select list
    br_ast *expression;
    const char *alias;  // NULL: none
} br_ast_result;

typedef struct br_ast_core {  // SELECT ... or VALUES ...
    bool distinct;
    bool is_values;
    uint32_t row_count;    // VALUES
    br_ast ***rows;        // row_count arrays of result_count expressions
    uint32_t result_count;
    br_ast_result *results;
    br_ast_source *from;   // NULL: none
    br_ast *where;
    uint32_t group_count;
    br_ast **group_by;
    br_ast *having;
    uint32_t window_count;
    br_ast_window **windows;
    br_ast *qualify;       // a condition on rows with their window functions; SQLite has no such
    uint32_t offset;
} br_ast_core;

typedef enum br_ast_compound { BR_AST_UNION_ALL, BR_AST_UNION, BR_AST_INTERSECT,
                               BR_AST_EXCEPT } br_ast_compound;

typedef struct br_ast_cte {
    const char *name;
    uint32_t column_count;
    const char **columns;
    br_ast_select *select;
    int materialized;      // 0 no hint, 1 MATERIALIZED, -1 NOT MATERIALIZED
} br_ast_cte;

struct br_ast_select {
    bool recursive;
    uint32_t cte_count;
    br_ast_cte *ctes;
    uint32_t core_count;       // 1, or more for a compound
    br_ast_core *cores;
    br_ast_compound *compounds;  // core_count - 1 operators between them, left-associative
    uint32_t order_count;
    br_ast_order *order_by;
    bool order_all;            // ORDER BY ALL: one term, a literal 1 in the place of each column
    br_ast *limit, *offset_expression;
    uint32_t offset;
    uint32_t height;           // 1 + that of the highest expression or nested SELECT in it
};

typedef enum br_statement_kind {
    BR_STATEMENT_EMPTY,   // only white space and comments
    BR_STATEMENT_SELECT,  // SELECT, VALUES, WITH ... SELECT
    BR_STATEMENT_EXPLAIN, // EXPLAIN [ANALYZE] SELECT: ours; EXPLAIN QUERY PLAN is OTHER
    BR_STATEMENT_SUMMARIZE,  // SUMMARIZE table, SUMMARIZE SELECT ...: ours
    BR_STATEMENT_OTHER,   // everything else: SQLite's
} br_statement_kind;

typedef struct br_statement_ast {
    br_statement_kind kind;
    bool analyze;             // EXPLAIN ANALYZE
    br_ast_select *select;    // SELECT and EXPLAIN
    const char *text;         // as given: offsets count from here
    uint32_t size;            // up to its semicolon or the end
    const char *tail;         // behind its semicolon
    uint32_t query_offset;    // EXPLAIN, SUMMARIZE: of what that is for
    uint32_t parameter_count; // highest index
    const char **parameter_names;  // parameter_names[i-1] or NULL
    bool is_extended;         // has what SQLite's grammar has not, or only of late
    uint32_t history_count;   // sources with a history, in the order of the text
    br_ast_source **histories;
} br_statement_ast;

// Parses the first statement of `text`. A syntax error in a SELECT is BR_SQL with the offset and
// SQLite's wording (near "x": syntax error).
BR_CHECKED br_status br_parse(const char *text, br_arena *arena, br_statement_ast *out,
                              br_error *err);

typedef struct br_span {  // bytes begin..end-1 of a text
    uint32_t begin, end;
} br_span;

// [WITH ...] INSERT INTO ... SELECT ..., or CREATE TABLE target AS SELECT ...
typedef struct br_write_ast {
    bool creates_table;
    bool takes_limit;  // LIMIT may be written behind the SELECT
    br_span with;      // in front of INSERT; empty when there is none
    br_span target;    // CREATE TABLE: the name
    br_span select;
} br_write_ast;

// Finds the SELECT that feeds a write, in a text that SQLite has accepted. BR_UNSUPPORTED: there is
// none, or it is one that only SQLite can do (TEMP, IF NOT EXISTS).
BR_CHECKED br_status br_parse_write(const char *text, br_arena *arena, br_write_ast *out,
                                    br_error *err);
// The SELECT of a CREATE VIEW text, and its column list when there is one.
BR_CHECKED br_status br_parse_view(const char *text, br_arena *arena, br_ast_cte *out,
                                   br_error *err);

#endif
