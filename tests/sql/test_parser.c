// The tree of a text is checked by printing it: fully parenthesised SQL with nothing left out.
// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"
#include "sql/ast.h"
#include "tests/test.h"

static br_buffer printed;

static void print_select(const br_ast_select *select);
static void print(const br_ast *node);

static void put(const char *text)
{
    if (!br_buffer_append(&printed, text, strlen(text))) exit(1);
}

static void put_list(br_ast *const *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) put(", ");
        print(items[i]);
    }
}

static void print_value(const br_ast *node)
{
    const br_value *value = &node->value;
    bool ok = true;
    if (node->name != NULL) ok = br_buffer_format(&printed, "%s:", node->name);
    switch (value->class_) {
    case BR_NULL: put("NULL"); break;
    case BR_INT: ok = ok && br_buffer_format(&printed, "%" PRId64, value->i64); break;
    case BR_REAL: ok = ok && br_buffer_format(&printed, "%.17gR", value->f64); break;
    case BR_TEXT:
        ok = ok && br_buffer_format(&printed, "'%.*s'", (int)value->text.size, value->text.data);
        break;
    default:
        put("x'");
        for (uint32_t i = 0; i < value->text.size; i++)
            ok = ok && br_buffer_format(&printed, "%02x", (uint8_t)value->text.data[i]);
        put("'");
    }
    CHECK(ok);
}

static const char *operator_name(br_ast_operator operator_)
{
    static const char *const names[] = {
        "", "+", "-", "*", "/", "%", "||", "&", "|", "<<", ">>", "=", "<>", "<", "<=", ">", ">=",
        "IS", "IS NOT", "AND", "OR", "LIKE", "GLOB", "REGEXP", "MATCH", "->", "->>", "-", "+",
        "~", "NOT ",
    };
    return names[operator_];
}

static void print_order(const br_ast_order *terms, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(i > 0 ? ", " : " ORDER BY ");
        print(terms[i].expression);
        if (terms[i].descending) put(" DESC");
        if (terms[i].nulls != 0) put(terms[i].nulls < 0 ? " NULLS FIRST" : " NULLS LAST");
    }
}

static void print_bound(br_ast_bound bound, const br_ast *offset)
{
    static const char *const names[] = {"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW",
                                        "FOLLOWING", "UNBOUNDED FOLLOWING"};
    if (offset != NULL) {
        print(offset);
        put(" ");
    }
    put(names[bound]);
}

static void print_window(const br_ast_window *window)
{
    static const char *const units[] = {" RANGE", " ROWS", " GROUPS"};
    static const char *const excludes[] = {"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP",
                                           " EXCLUDE TIES"};
    if (window->is_reference) {
        put(window->name);
        return;
    }
    put("(");
    if (window->base_name != NULL) put(window->base_name);
    if (window->partition_count > 0) put(" PARTITION BY ");
    put_list(window->partition_by, window->partition_count);
    print_order(window->order_by, window->order_count);
    if (window->has_frame) {
        put(units[window->frame_unit]);
        put(" BETWEEN ");
        print_bound(window->start, window->start_offset);
        put(" AND ");
        print_bound(window->end, window->end_offset);
        put(excludes[window->exclude]);
    }
    put(")");
}

static void print_function(const br_ast *node)
{
    put(node->name);
    put(node->distinct ? "(DISTINCT " : "(");
    if (node->is_star) put("*");
    put_list(node->args, node->arg_count);
    print_order(node->order_by, node->order_count);
    put(")");
    if (node->filter != NULL) {
        put(" FILTER ");
        print(node->filter);
    }
    if (node->window != NULL) {
        put(" OVER ");
        print_window(node->window);
    }
}

static void print_in(const br_ast *node)
{
    put("(");
    print(node->args[0]);
    put(node->negated ? " NOT IN " : " IN ");
    if (node->select != NULL) print_select(node->select);
    if (node->schema != NULL) {
        put(node->schema);
        put(".");
    }
    if (node->name != NULL) put(node->name);
    if (node->name == NULL && node->select == NULL) {
        put("[");
        put_list(node->args + 1, node->arg_count - 1);
        put("]");
    }
    put(")");
}

static void print_case(const br_ast *node)
{
    uint32_t at = 0;
    put("CASE");
    if (node->has_base) {
        put(" ");
        print(node->args[at++]);
    }
    for (; at + 1 < node->arg_count; at += 2) {
        put(" WHEN ");
        print(node->args[at]);
        put(" THEN ");
        print(node->args[at + 1]);
    }
    if (node->has_else) {
        put(" ELSE ");
        print(node->args[at]);
    }
    put(" END");
}

static void print_name(const br_ast *node)
{
    if (node->schema != NULL) {
        put(node->schema);
        put(".");
    }
    if (node->table != NULL) {
        put(node->table);
        put(".");
    }
    put(node->kind == BR_AST_STAR ? "*" : node->name);
    if (node->quoted) put("?");
}

// Operands with words between them.
static void print_words(const br_ast *node, const char *first, const char *second)
{
    put("(");
    print(node->args[0]);
    put(node->negated ? " NOT " : " ");
    put(first);
    if (node->arg_count > 1) {
        put(" ");
        print(node->args[1]);
    }
    if (node->arg_count > 2) {
        put(second);
        print(node->args[2]);
    }
    put(")");
}

static void print(const br_ast *node)
{
    switch (node->kind) {
    case BR_AST_LITERAL: print_value(node); break;
    case BR_AST_NAME:
    case BR_AST_STAR: print_name(node); break;
    case BR_AST_PARAMETER: CHECK(br_buffer_format(&printed, "?%u", node->parameter)); break;
    case BR_AST_UNARY:
        put("(");
        put(operator_name(node->operator_));
        print(node->args[0]);
        put(")");
        break;
    case BR_AST_BINARY:
    case BR_AST_LIKE: print_words(node, operator_name(node->operator_), " ESCAPE "); break;
    case BR_AST_BETWEEN: print_words(node, "BETWEEN", " AND "); break;
    case BR_AST_IS_NULL: print_words(node, "NULL", ""); break;
    case BR_AST_COLLATE:
    case BR_AST_CAST:
        put("(");
        print(node->args[0]);
        put(node->kind == BR_AST_CAST ? " AS " : " COLLATE ");
        put(node->name);
        put(")");
        break;
    case BR_AST_IN: print_in(node); break;
    case BR_AST_CASE: print_case(node); break;
    case BR_AST_FUNCTION: print_function(node); break;
    case BR_AST_EXISTS: put("EXISTS "); print_select(node->select); break;
    case BR_AST_SUBQUERY: print_select(node->select); break;
    case BR_AST_ROW:
        put("ROW(");
        put_list(node->args, node->arg_count);
        put(")");
        break;
    default: put("?!"); break;
    }
}

static void print_source(const br_ast_source *source)
{
    static const char *const joins[] = {", ", " JOIN ", " CROSS JOIN ", " LEFT JOIN ",
                                        " RIGHT JOIN ", " FULL JOIN "};
    switch (source->kind) {
    case BR_AST_SOURCE_SELECT: print_select(source->select); break;
    case BR_AST_SOURCE_JOIN:
        put("{");
        print_source(source->left);
        put(source->natural ? " NATURAL" : "");
        put(joins[source->join]);
        print_source(source->right);
        if (source->on != NULL) {
            put(" ON ");
            print(source->on);
        }
        for (uint32_t i = 0; i < source->using_count; i++) {
            put(i > 0 ? "," : " USING ");
            put(source->using_columns[i]);
        }
        put("}");
        break;
    default:
        if (source->schema != NULL) {
            put(source->schema);
            put(".");
        }
        put(source->name);
        if (source->kind == BR_AST_SOURCE_FUNCTION) {
            put("(");
            put_list(source->args, source->arg_count);
            put(")");
        }
    }
    if (source->alias != NULL) {
        put(" AS ");
        put(source->alias);
    }
}

static void print_clause(const char *word, const br_ast *expression)
{
    if (expression == NULL) return;
    put(word);
    print(expression);
}

static void print_core(const br_ast_core *core)
{
    put(core->is_values ? "VALUES" : core->distinct ? "SELECT DISTINCT " : "SELECT ");
    for (uint32_t i = 0; i < core->row_count; i++) {
        put(i > 0 ? ", [" : " [");
        put_list(core->rows[i], core->result_count);
        put("]");
    }
    for (uint32_t i = 0; !core->is_values && i < core->result_count; i++) {
        if (i > 0) put(", ");
        print(core->results[i].expression);
        if (core->results[i].alias != NULL) {
            put(" AS ");
            put(core->results[i].alias);
        }
    }
    if (core->from != NULL) {
        put(" FROM ");
        print_source(core->from);
    }
    print_clause(" WHERE ", core->where);
    if (core->group_count > 0) put(" GROUP BY ");
    put_list(core->group_by, core->group_count);
    print_clause(" HAVING ", core->having);
    for (uint32_t i = 0; i < core->window_count; i++) {
        put(i > 0 ? ", " : " WINDOW ");
        put(core->windows[i]->name);
        put(" AS ");
        print_window(core->windows[i]);
    }
    print_clause(" QUALIFY ", core->qualify);
}

static void print_select(const br_ast_select *select)
{
    static const char *const compounds[] = {" UNION ALL ", " UNION ", " INTERSECT ", " EXCEPT "};
    put("(");
    for (uint32_t i = 0; i < select->cte_count; i++) {
        const br_ast_cte *cte = &select->ctes[i];
        put(i > 0 ? ", " : select->recursive ? "WITH RECURSIVE " : "WITH ");
        put(cte->name);
        for (uint32_t column = 0; column < cte->column_count; column++) {
            put(column > 0 ? "," : ":");
            put(cte->columns[column]);
        }
        put(cte->materialized > 0 ? " MATERIALIZED " : cte->materialized < 0 ? " NOT M " : " ");
        print_select(cte->select);
        if (i + 1 == select->cte_count) put(" ");
    }
    for (uint32_t i = 0; i < select->core_count; i++) {
        if (i > 0) put(compounds[select->compounds[i - 1]]);
        print_core(&select->cores[i]);
    }
    print_order(select->order_by, select->order_count);
    print_clause(" LIMIT ", select->limit);
    print_clause(" OFFSET ", select->offset_expression);
    put(")");
}

static const char *tree_of(const char *text, br_arena *arena)
{
    br_error err = {0};
    br_statement_ast statement = {0};
    br_buffer_clear(&printed);
    if (br_parse(text, arena, &statement, &err) != BR_OK)
        return br_arena_format(arena, "error at %d: %s", err.sql_offset, err.message);
    if (statement.select == NULL) return "no select";
    print_select(statement.select);
    put("");
    CHECK(br_buffer_append(&printed, "", 1));
    const char *tree = br_arena_copy_text(arena, (char *)printed.bytes, printed.size_bytes);
    return tree;
}

typedef struct text_case {
    const char *text, *tree;
} text_case;

static void check_cases(const text_case *cases, size_t count)
{
    br_arena *arena = br_arena_new(NULL);
    for (size_t i = 0; i < count; i++) CHECK_TEXT(tree_of(cases[i].text, arena), cases[i].tree);
    br_arena_free(arena);
}

#define CHECK_CASES(cases) check_cases((cases), sizeof(cases) / sizeof(cases)[0])

static void test_parser_follows_precedence(void)
{
    static const text_case cases[] = {
        {"SELECT a OR b AND NOT c = d < e", "(SELECT (a OR (b AND (NOT (c = (d < e))))))"},
        {"SELECT 1 = NOT 2 = 3 AND 4", "(SELECT ((1 = (NOT (2 = 3))) AND 4))"},
        {"SELECT a < b BETWEEN c AND d", "(SELECT ((a < b) BETWEEN c AND d))"},
        {"SELECT a BETWEEN b = c AND d AND e", "(SELECT ((a BETWEEN (b = c) AND d) AND e))"},
        {"SELECT a BETWEEN 1 AND 2 AND 3", "(SELECT ((a BETWEEN 1 AND 2) AND 3))"},
        {"SELECT a & b | c << d + e * f || g",
         "(SELECT (((a & b) | c) << (d + (e * (f || g)))))"},
        {"SELECT -a || ~b COLLATE nocase", "(SELECT ((-a) || ((~b) COLLATE nocase)))"},
        {"SELECT a - b - c, a->b->>c", "(SELECT ((a - b) - c), ((a -> b) ->> c))"},
        {"SELECT a = b NOT LIKE c", "(SELECT ((a = b) NOT LIKE c))"},
        {"SELECT NOT a NOT IN (1) NOT NULL", "(SELECT (NOT ((a NOT IN [1]) NOT NULL)))"},
        {"SELECT a = b ISNULL, a + b NOTNULL", "(SELECT ((a = b) NULL), ((a + b) NOT NULL))"},
        {"SELECT a LIKE b < c ESCAPE d || e, a NOT GLOB b",
         "(SELECT (a LIKE (b < c) ESCAPE (d || e)), (a NOT GLOB b))"},
        {"SELECT a IS NOT b, a IS DISTINCT FROM b, a IS NOT DISTINCT FROM b, a IS NULL",
         "(SELECT (a IS NOT b), (a IS NOT b), (a IS b), (a IS NULL))"},
        {"SELECT a == b, a != b, a <> b", "(SELECT (a = b), (a <> b), (a <> b))"},
        {"SELECT - - 1 + + 2", "(SELECT ((-(-1)) + (+2)))"},
        {"SELECT NOT EXISTS (SELECT 1)", "(SELECT (NOT EXISTS (SELECT 1)))"},
    };
    CHECK_CASES(cases);
}

static void test_parser_reads_literals(void)
{
    static const text_case cases[] = {
        {"SELECT 1, 1.5, .5, 5., 1e5, 'it''s', x'00Ff', NULL",
         "(SELECT 1, 1.5R, 0.5R, 5R, 100000R, 'it's', x'00ff', NULL)"},
        {"SELECT 9223372036854775807, 9223372036854775808, -9223372036854775808",
         "(SELECT 9223372036854775807, 9.2233720368547758e+18R, -9223372036854775808)"},
        {"SELECT -(009223372036854775808), -9223372036854775809",
         "(SELECT -9223372036854775808, (-9.2233720368547758e+18R))"},
        {"SELECT 0x10, 0xFFFFFFFFFFFFFFFF", "(SELECT 16, -1)"},
        {"SELECT TRUE, false, \"true\", a.true", "(SELECT TRUE:1, false:0, true?, a.true)"},
        {"SELECT current_date, CURRENT_TIME, current_timestamp",
         "(SELECT date('now'), time('now'), datetime('now'))"},
        {"SELECT ?, ?5, :a, ?, :a, @a, $a::b(c)", "(SELECT ?1, ?5, ?6, ?7, ?6, ?8, ?9)"},
    };
    CHECK_CASES(cases);
}

static void test_parser_reads_expressions(void)
{
    static const text_case cases[] = {
        {"SELECT \"a\", [b c], `d`, e.\"f\", main.t.c, 't'.x",
         "(SELECT a?, b c, d, e.f, main.t.c, t.x)"},
        {"SELECT CASE a WHEN 1 THEN 2 ELSE 3 END, CASE WHEN a THEN end END",
         "(SELECT CASE a WHEN 1 THEN 2 ELSE 3 END, CASE WHEN a THEN end END)"},
        {"SELECT CAST(a AS INTEGER), CAST(b AS long varchar ( 10, -2 )), CAST(c AS)",
         "(SELECT (a AS INTEGER), (b AS long varchar ( 10, -2 )), (c AS ))"},
        {"SELECT a IN (), a IN (1, 2), a NOT IN (SELECT 1), a IN t, a IN m.t",
         "(SELECT (a IN []), (a IN [1, 2]), (a NOT IN (SELECT 1)), (a IN t), (a IN m.t))"},
        {"SELECT a IN f(1)", "(SELECT (a IN (SELECT * FROM f(1))))"},
        {"SELECT (1, 2) = (3, 4), (SELECT 5)", "(SELECT (ROW(1, 2) = ROW(3, 4)), (SELECT 5))"},
        {"SELECT count(*), count(DISTINCT a), sum(ALL a), f(), group_concat(a, b ORDER BY c DESC)",
         "(SELECT count(*), count(DISTINCT a), sum(a), f(), group_concat(a, b ORDER BY c DESC))"},
        {"SELECT sum(a) FILTER (WHERE b) OVER w, max(a) OVER (PARTITION BY b, c ORDER BY d)",
         "(SELECT sum(a) FILTER b OVER w, max(a) OVER ( PARTITION BY b, c ORDER BY d))"},
        {"SELECT sum(a) OVER (w ROWS 2 PRECEDING), sum(a) OVER (GROUPS BETWEEN 1 FOLLOWING AND"
         " UNBOUNDED FOLLOWING EXCLUDE TIES) FROM t WINDOW w AS (ORDER BY x), v AS (w)",
         "(SELECT sum(a) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), sum(a) OVER ( GROUPS"
         " BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING EXCLUDE TIES) FROM t WINDOW w AS ("
         " ORDER BY x), v AS (w))"},
        {"SELECT like(a, b), replace(a), if, key, match, rows FROM row",
         "(SELECT like(a, b), replace(a), if, key, match, rows FROM row)"},
        {"SELECT over, filter, window, over(1) over FROM t",
         "(SELECT over, filter, window, over(1) AS over FROM t)"},
        {"SELECT a QUALIFY FROM t qualify WHERE qualify.a GROUP BY qualify",
         "(SELECT a AS QUALIFY FROM t AS qualify WHERE qualify.a GROUP BY qualify)"},
        {"SELECT a FROM t qualify (a) = 1", "(SELECT a FROM t QUALIFY (a = 1))"},
        {"SELECT a FROM t WHERE b WINDOW w AS () QUALIFY NOT rank() OVER w UNION SELECT 1 QUALIFY x",
         "(SELECT a FROM t WHERE b WINDOW w AS () QUALIFY (NOT rank() OVER w) UNION SELECT 1"
         " QUALIFY x)"},
        {"SELECT 1 FROM a qualify JOIN b qualify NOT INDEXED",
         "(SELECT 1 FROM {a AS qualify JOIN b AS qualify})"},
    };
    CHECK_CASES(cases);
}

static void test_parser_reads_selects(void)
{
    static const text_case cases[] = {
        {"SELECT DISTINCT a b, t.*, * FROM t AS u WHERE a GROUP BY a, b HAVING c ORDER BY a DESC"
         " NULLS LAST, b ASC NULLS FIRST LIMIT 1, 2",
         "(SELECT DISTINCT a AS b, t.*, * FROM t AS u WHERE a GROUP BY a, b HAVING c ORDER BY"
         " a DESC NULLS LAST, b NULLS FIRST LIMIT 2 OFFSET 1)"},
        {"SELECT a offset, b \"x y\", c AS 'd' FROM t limit 1 offset 2",
         "(SELECT a AS offset, b AS x y, c AS d FROM t LIMIT 1 OFFSET 2)"},
        {"SELECT 1 UNION SELECT 2 UNION ALL VALUES (3, 4), (5, 6) EXCEPT SELECT 7 INTERSECT"
         " SELECT 8 ORDER BY 1",
         "(SELECT 1 UNION SELECT 2 UNION ALL VALUES [3, 4], [5, 6] EXCEPT SELECT 7 INTERSECT"
         " SELECT 8 ORDER BY 1)"},
        {"WITH RECURSIVE a(x, y) AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT 2)"
         " SELECT * FROM a",
         "(WITH RECURSIVE a:x,y MATERIALIZED (SELECT 1), b NOT M (SELECT 2) SELECT * FROM a)"},
        {"SELECT * FROM a, b JOIN c ON d LEFT OUTER JOIN e USING (f, g) NATURAL JOIN h",
         "(SELECT * FROM {{{{a, b} JOIN c ON d} LEFT JOIN e USING f,g} NATURAL JOIN h})"},
        {"SELECT * FROM a RIGHT JOIN b ON 1 FULL OUTER JOIN c ON 2 CROSS JOIN d, e ON 3",
         "(SELECT * FROM {{{{a RIGHT JOIN b ON 1} FULL JOIN c ON 2} CROSS JOIN d} JOIN e ON 3})"},
        {"SELECT * FROM (a, b) AS x JOIN (SELECT 1) y, (c) z, main.d INDEXED BY e NOT INDEXED",
         "error at 72: near \"NOT\": syntax error"},
        {"SELECT * FROM (a, b) AS x JOIN (SELECT 1) y, ((c)) z, f(1, 2) g, m.d INDEXED BY e",
         "(SELECT * FROM {{{{{a, b} AS x JOIN (SELECT 1) AS y}, c AS z}, f(1, 2) AS g}, m.d})"},
        {"VALUES (1), (2);", "(VALUES [1], [2])"},
    };
    CHECK_CASES(cases);
}

static void test_parser_words_errors_as_sqlite(void)
{
    static const text_case cases[] = {
        {"SELECT", "error at 6: incomplete input"},
        {"SELECT ;", "error at 7: near \";\": syntax error"},
        {"SELECT 1 1", "error at 9: near \"1\": syntax error"},
        {"SELECT a FROM WHERE b", "error at 14: near \"WHERE\": syntax error"},
        {"SELECT 'abc", "error at 7: unrecognized token: \"'abc\""},
        {"SELECT 1abc", "error at 7: unrecognized token: \"1abc\""},
        {"SELECT a BETWEEN b OR c AND d", "error at 29: incomplete input"},
        {"SELECT cast FROM t", "error at 12: near \"FROM\": syntax error"},
        {"SELECT left(1)", "error at 11: near \"(\": syntax error"},
        {"SELECT a NOT b", "error at 13: near \"b\": syntax error"},
        {"SELECT #1", "error at 7: near \"#1\": syntax error"},
        {"SELECT ?0", "error at 7: variable number must be between ?1 and ?250000"},
        {"SELECT 0x11111111111111111", "error at 7: hex literal too big: 0x11111111111111111"},
        {"SELECT 1 ORDER BY 1 UNION SELECT 2",
         "error at 20: ORDER BY clause should come before UNION not after"},
        {"SELECT 1 LIMIT 1 UNION ALL SELECT 2",
         "error at 17: LIMIT clause should come before UNION ALL not after"},
        {"VALUES (1), (2, 3)", "error at 12: all VALUES must have the same number of terms"},
        {"VALUES (1) LIMIT 1", "error at 11: near \"LIMIT\": syntax error"},
        {"SELECT * FROM a ON 1", "error at 16: a JOIN clause is required before ON"},
        {"SELECT * FROM a OUTER JOIN b", "error at 16: unknown join type: OUTER"},
        {"SELECT * FROM a LEFT INNER JOIN b", "error at 16: unknown join type: LEFT INNER"},
        {"SELECT * FROM a NATURAL JOIN b ON 1",
         "error at 31: a NATURAL join may not have an ON or USING clause"},
        {"SELECT sum(a) OVER (ROWS BETWEEN CURRENT ROW AND 1 PRECEDING)",
         "error at 20: unsupported frame specification"},
        {"SELECT RAISE(IGNORE)", "error at 7: RAISE() may only be used within a trigger-program"},
    };
    CHECK_CASES(cases);
}

static char *repeat(const char *head, const char *part, uint32_t count, const char *tail)
{
    size_t part_size = strlen(part);
    char *text = calloc(strlen(head) + part_size * count + strlen(tail) + 1, 1);
    if (text == NULL) exit(1);
    strcpy(text, head);
    char *at = text + strlen(head);
    for (uint32_t i = 0; i < count; i++, at += part_size) memcpy(at, part, part_size);
    strcpy(at, tail);
    return text;
}

static void check_repeated(const char *head, const char *part, uint32_t count, const char *tail,
                           const char *message)
{
    br_arena *arena = br_arena_new(NULL);
    char *text = repeat(head, part, count, tail);
    br_statement_ast statement;
    br_error err = {0};
    br_status status = br_parse(text, arena, &statement, &err);
    CHECK_INT(status, message == NULL ? BR_OK : BR_SQL);
    CHECK_TEXT(err.message, message == NULL ? "" : message);
    free(text);
    br_arena_free(arena);
}

static void test_parser_bounds_depth_and_counts(void)
{
    static const char too_high[] = "Expression tree is too large (maximum depth 1000)";
    static const char overflow[] = "parser stack overflow";
    check_repeated("SELECT 1", "+1", 999, "", NULL);
    check_repeated("SELECT 1", "+1", 1000, "", too_high);
    check_repeated("SELECT 1", " AND 1", 100000, "", too_high);
    check_repeated("SELECT ", "(", 90, "1", "incomplete input");
    check_repeated("SELECT ", "(", 1000000, "1", overflow);
    check_repeated("SELECT ", "- ", 90, "1", NULL);
    check_repeated("SELECT ", "- ", 1000000, "1", overflow);
    check_repeated("SELECT ", "NOT ", 1000000, "1", overflow);
    check_repeated("SELECT ", "f(", 1000000, "1", overflow);
    check_repeated("SELECT ", "CASE ", 1000000, "1", overflow);
    check_repeated("SELECT ", "a IN (SELECT ", 1000000, "1", overflow);
    check_repeated("SELECT ", "a IN (", 1000000, "1", overflow);
    check_repeated("SELECT ", "a BETWEEN ", 1000000, "1", overflow);
    check_repeated("SELECT ", "a COLLATE b = ", 900, "1", NULL);
    check_repeated("", "SELECT * FROM (", 1000000, "1", overflow);
    check_repeated("SELECT * FROM ", "(", 1000000, "1", overflow);
    check_repeated("SELECT * FROM a", ",a", 199, "", NULL);
    check_repeated("SELECT * FROM a", ",a", 200, "", "too many FROM clause terms, max: 200");
    check_repeated("SELECT 1", " UNION SELECT 1", 499, "", NULL);
    check_repeated("SELECT 1", " UNION SELECT 1", 500, "", "too many terms in compound SELECT");
    check_repeated("SELECT f(1", ",1", 126, ")", NULL);
    check_repeated("SELECT f(1", ",1", 127, ")", "too many arguments on function f");
    check_repeated("VALUES (1)", ",(1)", 100000, "", NULL);
    check_repeated("SELECT 1 IN (1", ",1", 100000, ")", NULL);
}

static void check_statement(const char *text, br_statement_kind kind, uint32_t size,
                            const char *tail)
{
    br_arena *arena = br_arena_new(NULL);
    br_statement_ast statement;
    br_error err = {0};
    MUST(br_parse(text, arena, &statement, &err), err);
    CHECK_INT(statement.kind, kind);
    CHECK_INT(statement.size, size);
    CHECK_TEXT(statement.tail, tail);
    CHECK((statement.select != NULL) ==
          (kind == BR_STATEMENT_SELECT || kind == BR_STATEMENT_EXPLAIN));
    br_arena_free(arena);
}

static void test_parser_finds_where_statements_end(void)
{
    check_statement("", BR_STATEMENT_EMPTY, 0, "");
    check_statement("  -- only a comment", BR_STATEMENT_EMPTY, 19, "");
    check_statement("; SELECT 1", BR_STATEMENT_EMPTY, 0, " SELECT 1");
    check_statement("SELECT ';' -- ;\n; rest", BR_STATEMENT_SELECT, 16, " rest");
    check_statement("WITH a AS (SELECT 1) SELECT 2;", BR_STATEMENT_SELECT, 29, "");
    check_statement("WITH a AS (SELECT 1) DELETE FROM t; x", BR_STATEMENT_OTHER, 34, " x");
    check_statement("WITH a AS (SELECT 1) REPLACE INTO t VALUES (1)", BR_STATEMENT_OTHER, 46, "");
    check_statement("EXPLAIN SELECT 1", BR_STATEMENT_EXPLAIN, 16, "");
    check_statement("EXPLAIN ANALYZE VALUES (1);", BR_STATEMENT_EXPLAIN, 26, "");
    check_statement("EXPLAIN QUERY PLAN SELECT 1;x", BR_STATEMENT_OTHER, 27, "x");
    check_statement("EXPLAIN DELETE FROM t", BR_STATEMENT_OTHER, 21, "");
    check_statement("INSERT INTO t VALUES ('a;b', \";\");x", BR_STATEMENT_OTHER, 33, "x");
    check_statement("UPDATE t SET a = 'open; x", BR_STATEMENT_OTHER, 25, "");
    check_statement("CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; UPDATE t SET end = 1;"
                    " END; x", BR_STATEMENT_OTHER, 81, " x");
    check_statement("CREATE TABLE t(a); END;", BR_STATEMENT_OTHER, 17, " END;");
    check_statement("BEGIN; x", BR_STATEMENT_OTHER, 5, " x");
}

static void test_parser_names_columns_and_parameters(void)
{
    br_arena *arena = br_arena_new(NULL);
    br_error err = {0};
    br_statement_ast statement;
    const char *text = "SELECT  (a + 1) /* x */ , f( b )AS c, ?3, :n, :n";
    MUST(br_parse(text, arena, &statement, &err), err);
    const br_ast_core *core = &statement.select->cores[0];
    CHECK_INT(core->results[0].expression->offset, 8);
    CHECK_INT(core->results[0].expression->end, 23);
    CHECK_INT(core->results[1].expression->offset, 26);
    CHECK_INT(core->results[1].expression->end, 32);
    CHECK_INT(core->results[1].expression->args[0]->offset, 29);
    CHECK_INT(statement.parameter_count, 4);
    CHECK(statement.parameter_names[0] == NULL);
    CHECK_TEXT(statement.parameter_names[2], "?3");
    CHECK_TEXT(statement.parameter_names[3], ":n");
    br_arena_free(arena);
}

static void test_parser_reads_views(void)
{
    br_arena *arena = br_arena_new(NULL);
    br_error err = {0};
    br_ast_cte view;
    const char *text = "create temp VIEW if not exists m.\"v w\"(a, b) AS SELECT 1, 2";
    MUST(br_parse_view(text, arena, &view, &err), err);
    CHECK_TEXT(view.name, "v w");
    CHECK_INT(view.column_count, 2);
    CHECK_TEXT(view.columns[1], "b");
    CHECK_INT(view.select->cores[0].result_count, 2);
    MUST(br_parse_view("CREATE VIEW if AS SELECT 1", arena, &view, &err), err);
    CHECK_TEXT(view.name, "if");
    CHECK_INT(br_parse_view("CREATE TABLE t(a)", arena, &view, &err), BR_SQL);
    CHECK_TEXT(err.message, "near \"TABLE\": syntax error");
    CHECK_INT(br_parse_view("CREATE VIEW v AS SELECT 1 2", arena, &view, &err), BR_SQL);
    br_arena_free(arena);
}

static void test_parser_reports_no_memory(void)
{
    br_error err = {0};
    const char *text = "WITH a(b) AS (SELECT 1) SELECT CASE a WHEN x'00' THEN sum(b) OVER"
                       " (ORDER BY c) END, ?, 'x' FROM a JOIN (SELECT 2) USING (b) WHERE a IN (VALUES (1))";
    char *long_text = repeat(text, " OR a IN (1, 2, 3)", 300, "");
    for (size_t limit = 0;; limit += 4096) {
        br_quota quota;
        br_quota_init(&quota, limit, NULL);
        br_arena *arena = br_arena_new(&quota);
        br_statement_ast statement;
        br_status status = arena == NULL ? BR_NOMEM : br_parse(long_text, arena, &statement, &err);
        br_arena_free(arena);
        if (status == BR_OK) break;
        CHECK_INT(status, BR_NOMEM);
        if (limit > 64 << 20) exit(1);
    }
    free(long_text);
}

int main(void)
{
    RUN(test_parser_follows_precedence);
    RUN(test_parser_reads_literals);
    RUN(test_parser_reads_expressions);
    RUN(test_parser_reads_selects);
    RUN(test_parser_words_errors_as_sqlite);
    RUN(test_parser_bounds_depth_and_counts);
    RUN(test_parser_finds_where_statements_end);
    RUN(test_parser_names_columns_and_parameters);
    RUN(test_parser_reads_views);
    RUN(test_parser_reports_no_memory);
    br_buffer_release(&printed);
    return test_result();
}
