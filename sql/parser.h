// parser.h - recursive descent over SQLite's grammar; what the parser_*.c files share.
//
// One token of lookahead, as SQLite's LALR parser has: where a token fits no rule, both report the
// same one. A keyword is taken for a name only where the grammar has no other use for it.
//
// Invariants: 1. `depth` bounds every recursion that is not bounded by the grammar itself.
//             2. A node's height is 1 + its highest child's and at most BR_AST_HEIGHT_MAX.
//
// Ownership: nodes, names and lists live in the arena. Threads: one.
// Errors: the first one ends the parse; it is in *err, with its offset.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_PARSER_H
#define BR_SQL_PARSER_H

#include "sql/ast.h"
#include "sql/lexer.h"

// Nested parentheses, functions, prefix operators, SELECTs: SQLite's parser stack overflows at 100.
enum { BR_PARSER_DEPTH_MAX = 120 };
// The largest that builds of SQLite use; SQLite itself refuses what is too much for its build.
enum { BR_PARSER_PARAMETERS_MAX = 250000, BR_PARSER_ARGUMENTS_MAX = 127 };

typedef struct br_parser {
    br_lexer lexer;
    br_token token;         // not yet consumed
    uint32_t consumed_end;  // one past the last consumed token
    uint32_t depth;
    uint32_t parameter_count, parameter_capacity;
    const char **parameter_names;
    bool is_extended;       // something SQLite's grammar has not was there
    uint32_t history_count;
    br_ast_source **histories;  // seen so far
    const br_ast *int_min;  // the last literal 9223372036854775808: an integer behind a minus
    br_arena *arena;
    br_error *err;
} br_parser;

typedef struct br_ast_list {  // grows by br_parser_push
    br_ast **items;
    uint32_t count;
} br_ast_list;

void br_parser_init(br_parser *parser, const char *text, br_arena *arena, br_error *err);

void br_parser_advance(br_parser *parser);
bool br_parser_accept(br_parser *parser, br_token_kind kind);  // consumes it when it is next
BR_CHECKED br_status br_parser_expect(br_parser *parser, br_token_kind kind);
// The kind of the token behind the next one.
br_token_kind br_parser_peek(const br_parser *parser);
// The next token fits no rule here.
BR_CHECKED br_status br_parser_syntax_error(br_parser *parser);
BR_CHECKED br_status br_parser_no_memory(br_parser *parser);
// Counts one more level of recursion; the caller takes it back from `depth`.
BR_CHECKED br_status br_parser_descend(br_parser *parser);

// Makes room for one more item in an array that began as NULL and grew only this way.
BR_CHECKED br_status br_parser_grow(br_parser *parser, void **items, size_t item_bytes,
                                    uint32_t count);
BR_CHECKED br_status br_parser_push(br_parser *parser, br_ast_list *list, br_ast *item);

// The name a token stands for, without quotes.
BR_CHECKED br_status br_parser_name_text(br_parser *parser, br_token token, const char **name_out);
// Consumes a name: an identifier, a 'string', or a join keyword.
BR_CHECKED br_status br_parser_name(br_parser *parser, const char **name_out);
// "(" has been seen: the SELECT or expression list begins with a SELECT.
bool br_parser_at_select(const br_parser *parser);

// A node from `offset` on; its end is where the parser is once br_parser_finish was called.
BR_CHECKED br_status br_parser_node(br_parser *parser, br_ast_kind kind, uint32_t offset,
                                    br_ast **node_out);
// Sets end, arguments and height (of the arguments and `extra_height`).
BR_CHECKED br_status br_parser_finish(br_parser *parser, br_ast *node, br_ast_list args,
                                      uint32_t extra_height);

BR_CHECKED br_status br_parse_expression(br_parser *parser, br_ast **out);
// That ends in front of an AND: the first operand of BETWEEN.
BR_CHECKED br_status br_parse_before_and(br_parser *parser, br_ast **out);
// Adds one or more, separated by commas.
BR_CHECKED br_status br_parse_expressions(br_parser *parser, br_ast_list *list);
BR_CHECKED br_status br_parse_literal(br_parser *parser, br_ast **out);
BR_CHECKED br_status br_parse_parameter(br_parser *parser, br_ast **out);
BR_CHECKED br_status br_parse_order(br_parser *parser, br_ast_order **terms_out,
                                    uint32_t *count_out);  // behind ORDER BY
// Also ORDER BY ALL.
BR_CHECKED br_status br_parse_select_order(br_parser *parser, br_ast_select *select);
BR_CHECKED br_status br_parse_window(br_parser *parser, br_ast_window **out);  // "(" to ")"
uint32_t br_ast_order_height(const br_ast_order *terms, uint32_t count);
uint32_t br_ast_window_height(const br_ast_window *window);

// WITH: name (columns) AS (SELECT), ...
BR_CHECKED br_status br_parse_with(br_parser *parser, br_ast_select *select);
// What follows WITH, up to LIMIT.
BR_CHECKED br_status br_parse_select_body(br_parser *parser, br_ast_select *select);
BR_CHECKED br_status br_parse_select(br_parser *parser, br_ast_select **out);
BR_CHECKED br_status br_parse_from(br_parser *parser, br_ast_source **out, uint32_t *height_out);
// FOR SYSTEM_TIME ... is next.
bool br_parser_at_history(const br_parser *parser);
// Behind the name of a table.
BR_CHECKED br_status br_parse_history(br_parser *parser, br_ast_source *source, uint32_t *height);
// Makes a history of braid_changes('name' [, number]); leaves other functions alone.
BR_CHECKED br_status br_parse_changes(br_parser *parser, br_ast_source *source);
// (name, name, ...)
BR_CHECKED br_status br_parse_names(br_parser *parser, const char ***names_out,
                                    uint32_t *count_out);

// ROLLUP(...), CUBE(...), GROUPING SETS(...): bind_grouping.c.
bool br_is_grouping_term(const br_ast *ast);

#endif
