// support_expression.c - see the header.
// SPDX-License-Identifier: Apache-2.0
#include "support_expression.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "tests/test.h"

static void must(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "test support: %s\n", what);
    exit(1);
}

// ---- the bridge ------------------------------------------------------------------------------

static void bind_value(sqlite3_stmt *statement, int at, const br_value *value)
{
    int size = (int)value->text.size;
    switch (value->class_) {
    case BR_NULL: sqlite3_bind_null(statement, at); break;
    case BR_INT: sqlite3_bind_int64(statement, at, value->i64); break;
    case BR_REAL: sqlite3_bind_double(statement, at, value->f64); break;
    case BR_TEXT:
        sqlite3_bind_text(statement, at, value->text.data, size, SQLITE_TRANSIENT);
        break;
    default:
        if (size == 0) sqlite3_bind_zeroblob(statement, at, 0);
        else sqlite3_bind_blob(statement, at, value->text.data, size, SQLITE_TRANSIENT);
        break;
    }
}

static br_value read_value(sqlite3_stmt *statement, int column, br_arena *arena)
{
    int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_NULL) return br_value_null();
    if (type == SQLITE_INTEGER) return br_value_int(sqlite3_column_int64(statement, column));
    if (type == SQLITE_FLOAT) return br_value_real(sqlite3_column_double(statement, column));
    const void *bytes = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(statement, column)
                                            : sqlite3_column_blob(statement, column);
    uint32_t size = (uint32_t)sqlite3_column_bytes(statement, column);
    const char *copy = br_arena_copy_text(arena, size > 0 ? bytes : "", size);
    must(copy != NULL, "no memory");
    br_text text = br_text_make(copy, size);
    return type == SQLITE_TEXT ? br_value_text(text) : br_value_blob(text);
}

static br_status bridge_call(void *context, uint32_t worker, const br_function_call *call,
                             br_arena *arena, br_value *results_out, br_error *err)
{
    test_oracle *oracle = context;
    char sql[1000];
    (void)worker;
    int length = snprintf(sql, sizeof sql, call->is_expression ? "SELECT %s" : "SELECT \"%s\"(",
                          call->function);
    for (uint32_t i = 0; i < call->argument_count && !call->is_expression; i++) {
        length += snprintf(sql + length, sizeof sql - (size_t)length, "%s?", i > 0 ? "," : "");
    }
    if (!call->is_expression) snprintf(sql + length, sizeof sql - (size_t)length, ")");
    sqlite3_stmt *statement = NULL;
    must(sqlite3_prepare_v2(oracle->sqlite, sql, -1, &statement, NULL) == SQLITE_OK, sql);
    br_status status = BR_OK;
    for (uint32_t row = 0; row < call->row_count && status == BR_OK; row++) {
        for (uint32_t i = 0; i < call->argument_count; i++) {
            br_value value = br_vector_value(&call->arguments[i], row, arena);
            bind_value(statement, (int)i + 1, &value);
        }
        if (sqlite3_step(statement) == SQLITE_ROW) results_out[row] = read_value(statement, 0, arena);
        else status = br_fail(err, BR_RUNTIME, "%s", sqlite3_errmsg(oracle->sqlite));
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return status;
}

static uint32_t real_to_text(double value, char *text_out)
{
    sqlite3_snprintf(40, text_out, "%!.15g", value);
    return (uint32_t)strlen(text_out);
}

br_exec_bridge oracle_bridge(test_oracle *oracle)
{
    return (br_exec_bridge){
        .call = bridge_call, .real_to_text = real_to_text, .context = oracle};
}

// ---- the table -------------------------------------------------------------------------------

void oracle_open(test_oracle *oracle, uint64_t seed, br_isa isa)
{
    memset(oracle, 0, sizeof *oracle);
    oracle->random = seed * 2 + 1;
    must(sqlite3_open(":memory:", &oracle->sqlite) == SQLITE_OK, "open");
    oracle->arena = br_arena_new(NULL);
    oracle->scratch = br_arena_new(NULL);
    must(oracle->arena != NULL && oracle->scratch != NULL, "no memory");
    oracle->exec.isa = isa;
    oracle->exec.bridge = oracle_bridge(oracle);
    oracle->env.exec = &oracle->exec;
    oracle->layout.column_ids = oracle->column_ids;
    oracle->batch.columns = BR_ALLOC(oracle->arena, br_vector, 64);
    must(oracle->batch.columns != NULL, "no memory");
}

void oracle_close(test_oracle *oracle)
{
    sqlite3_close(oracle->sqlite);
    br_arena_free(oracle->arena);
    br_arena_free(oracle->scratch);
}

uint32_t oracle_random(test_oracle *oracle, uint32_t below)
{
    return (uint32_t)(test_random(&oracle->random) >> 33) % below;
}

static void note_type(br_type *type, const br_value *value)
{
    type->class_mask |= (uint8_t)(1u << value->class_);
    if (value->class_ != BR_INT) return;
    if (!type->has_range || value->i64 < type->int_min) type->int_min = value->i64;
    if (!type->has_range || value->i64 > type->int_max) type->int_max = value->i64;
    type->has_range = true;
}

void oracle_add_column(test_oracle *oracle, const br_vector *vector, uint32_t row_count)
{
    uint32_t column = oracle->layout.column_count++;
    oracle->column_ids[column] = 100 + column;
    oracle->batch.columns[column] = *vector;
    oracle->batch.column_count = column + 1;
    oracle->batch.row_count = row_count;
    for (uint32_t row = 0; row < row_count; row++) {
        br_value value = br_vector_value(vector, row, oracle->arena);
        note_type(&oracle->types[column], &value);
    }
}

static void run(test_oracle *oracle, const char *sql)
{
    char *message = NULL;
    sqlite3_exec(oracle->sqlite, sql, NULL, NULL, &message);
    must(message == NULL, sql);
}

void oracle_load(test_oracle *oracle)
{
    char sql[2000] = "CREATE TABLE t(", insert[2000] = "INSERT INTO t VALUES (";
    for (uint32_t i = 0; i < oracle->layout.column_count; i++) {
        char name[40];
        snprintf(name, sizeof name, "%sc%u", i > 0 ? "," : "", i);
        strcat(sql, name);
        strcat(insert, i > 0 ? ",?" : "?");
    }
    strcat(sql, ")");
    strcat(insert, ")");
    run(oracle, sql);
    run(oracle, "BEGIN");
    sqlite3_stmt *statement = NULL;
    must(sqlite3_prepare_v2(oracle->sqlite, insert, -1, &statement, NULL) == SQLITE_OK, insert);
    for (uint32_t row = 0; row < oracle->batch.row_count; row++) {
        for (uint32_t i = 0; i < oracle->layout.column_count; i++) {
            br_value value = br_vector_value(&oracle->batch.columns[i], row, oracle->arena);
            bind_value(statement, (int)i + 1, &value);
        }
        must(sqlite3_step(statement) == SQLITE_DONE, "insert");
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    run(oracle, "COMMIT");
}

// ---- building expressions --------------------------------------------------------------------

static br_expr *new_expr(test_oracle *oracle, br_expr_kind kind, const test_pair *args, uint32_t count)
{
    br_expr *expr = BR_ALLOC(oracle->arena, br_expr, 1);
    must(expr != NULL, "no memory");
    expr->kind = kind;
    expr->type.class_mask = BR_MASK_ALL;
    expr->arg_count = count;
    expr->args = BR_ALLOC(oracle->arena, br_expr *, count);
    must(expr->args != NULL, "no memory");
    for (uint32_t i = 0; i < count; i++) expr->args[i] = args[i].expr;
    return expr;
}

test_pair oracle_constant(test_oracle *oracle, br_value value)
{
    br_expr *expr = new_expr(oracle, BR_EXPR_CONST, NULL, 0);
    expr->value = value;
    must(oracle->constant_count < ORACLE_CONSTANTS_MAX, "too many constants");
    oracle->constants[oracle->constant_count++] = value;
    return (test_pair){expr, br_arena_format(oracle->arena, "?%u", oracle->constant_count)};
}

test_pair oracle_column(test_oracle *oracle, uint32_t column)
{
    br_expr *expr = new_expr(oracle, BR_EXPR_COLUMN, NULL, 0);
    expr->column_id = oracle->column_ids[column];
    expr->type = oracle->types[column];
    return (test_pair){expr, br_arena_format(oracle->arena, "c%u", column)};
}

static const char *join(test_oracle *oracle, const test_pair *args, uint32_t first, uint32_t count,
                        const char *separator)
{
    const char *sql = "";
    for (uint32_t i = first; i < count; i++) {
        sql = br_arena_format(oracle->arena, "%s%s%s", sql, i > first ? separator : "", args[i].sql);
    }
    return sql;
}

static const char *operator_sql(test_oracle *oracle, br_operator operator_, const test_pair *args,
                                uint32_t count, const char *collate)
{
    static const char *const infix[BR_OP_COUNT] = {
        [BR_OP_ADD] = "+", [BR_OP_SUB] = "-", [BR_OP_MUL] = "*", [BR_OP_DIV] = "/",
        [BR_OP_MOD] = "%", [BR_OP_BIT_AND] = "&", [BR_OP_BIT_OR] = "|",
        [BR_OP_SHIFT_LEFT] = "<<", [BR_OP_SHIFT_RIGHT] = ">>", [BR_OP_CONCAT] = "||",
        [BR_OP_EQ] = "=", [BR_OP_NE] = "<>", [BR_OP_LT] = "<", [BR_OP_LE] = "<=",
        [BR_OP_GT] = ">", [BR_OP_GE] = ">=", [BR_OP_IS] = "IS", [BR_OP_IS_NOT] = "IS NOT",
        [BR_OP_AND] = "AND", [BR_OP_OR] = "OR", [BR_OP_LIKE] = "LIKE", [BR_OP_GLOB] = "GLOB"};
    static const char *const prefix[BR_OP_COUNT] = {
        [BR_OP_NEGATE] = "-", [BR_OP_BIT_NOT] = "~", [BR_OP_NOT] = "NOT"};
    static const char *const suffix[BR_OP_COUNT] = {
        [BR_OP_IS_NULL] = "IS NULL", [BR_OP_NOT_NULL] = "IS NOT NULL",
        [BR_OP_IS_TRUE] = "IS TRUE", [BR_OP_IS_FALSE] = "IS FALSE",
        [BR_OP_IS_NOT_TRUE] = "IS NOT TRUE", [BR_OP_IS_NOT_FALSE] = "IS NOT FALSE"};
    br_arena *arena = oracle->arena;
    if (prefix[operator_] != NULL)
        return br_arena_format(arena, "(%s (%s))", prefix[operator_], args[0].sql);
    if (suffix[operator_] != NULL)
        return br_arena_format(arena, "((%s) %s)", args[0].sql, suffix[operator_]);
    if (operator_ == BR_OP_BETWEEN)
        return br_arena_format(arena, "(%s%s BETWEEN %s AND %s)", args[0].sql, collate, args[1].sql,
                               args[2].sql);
    if (operator_ == BR_OP_IN)
        return br_arena_format(arena, "(%s%s IN (%s))", args[0].sql, collate,
                               join(oracle, args, 1, count, ","));
    if (operator_ == BR_OP_LIKE && count == 3)
        return br_arena_format(arena, "(%s LIKE %s ESCAPE %s)", args[0].sql, args[1].sql,
                               args[2].sql);
    const char *separator = br_arena_format(arena, "%s %s ", collate, infix[operator_]);
    return br_arena_format(arena, "(%s)", join(oracle, args, 0, count, separator));
}

test_pair oracle_operator(test_oracle *oracle, br_operator operator_, br_collation collation,
                     const test_pair *args, uint32_t count)
{
    // Always one of its own: SQLite would take one from deep inside an operand.
    static const char *const collates[] = {" COLLATE BINARY", " COLLATE NOCASE", " COLLATE RTRIM"};
    bool compares = (operator_ >= BR_OP_EQ && operator_ <= BR_OP_IS_NOT) ||
                    operator_ == BR_OP_BETWEEN || operator_ == BR_OP_IN;
    br_expr *expr = new_expr(oracle, BR_EXPR_OPERATOR, args, count);
    expr->operator_ = operator_;
    expr->collation = operator_ == BR_OP_LIKE ? BR_COLLATION_NOCASE : collation;
    return (test_pair){expr, operator_sql(oracle, operator_, args, count,
                                     compares ? collates[collation] : "")};
}

test_pair oracle_function(test_oracle *oracle, br_function function, const char *name, const test_pair *args,
                     uint32_t count)
{
    br_expr *expr = new_expr(oracle, BR_EXPR_FUNCTION, args, count);
    expr->function = function;
    expr->function_name = name;
    expr->can_fail = function == BR_FN_ABS;
    bool compares = function == BR_FN_MIN || function == BR_FN_MAX || function == BR_FN_NULLIF;
    const char *sql = br_arena_format(oracle->arena, "%s(%s%s", name, count > 0 ? args[0].sql : "",
                                      compares ? " COLLATE BINARY" : "");
    if (count > 1)
        sql = br_arena_format(oracle->arena, "%s, %s", sql, join(oracle, args, 1, count, ", "));
    return (test_pair){expr, br_arena_format(oracle->arena, "%s)", sql)};
}

test_pair oracle_case(test_oracle *oracle, const test_pair *args, uint32_t count)
{
    br_expr *expr = new_expr(oracle, BR_EXPR_CASE, args, count);
    const char *sql = "(CASE";
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        sql = br_arena_format(oracle->arena, "%s WHEN %s THEN %s", sql, args[i].sql,
                              args[i + 1].sql);
    }
    return (test_pair){expr, br_arena_format(oracle->arena, "%s ELSE %s END)", sql,
                                        args[count - 1].sql)};
}

test_pair oracle_cast(test_oracle *oracle, br_affinity affinity, test_pair arg)
{
    static const char *const types[] = {"", "BLOB", "TEXT", "NUMERIC", "INTEGER", "REAL"};
    br_expr *expr = new_expr(oracle, BR_EXPR_CAST, &arg, 1);
    expr->affinity_to = affinity;
    // The + keeps a comparison around it from applying the cast's affinity to the other side.
    return (test_pair){expr, br_arena_format(oracle->arena, "(+CAST(%s AS %s))", arg.sql,
                                        types[affinity])};
}

// ---- comparing -------------------------------------------------------------------------------

void oracle_print_value(const br_value *value, char *text_out, size_t size)
{
    switch (value->class_) {
    case BR_NULL: snprintf(text_out, size, "NULL"); break;
    case BR_INT: snprintf(text_out, size, "%" PRId64, value->i64); break;
    case BR_REAL: snprintf(text_out, size, "%.17g (real)", value->f64); break;
    default: {
        size_t length = (size_t)snprintf(text_out, size, "%s '", br_class_name(value->class_));
        for (uint32_t i = 0; i < value->text.size && length + 8 < size; i++) {
            unsigned char c = (unsigned char)value->text.data[i];
            bool is_plain = c >= 32 && c < 127 && c != '\\';
            length += (size_t)snprintf(text_out + length, size - length, is_plain ? "%c" : "\\x%02x",
                                       c);
        }
        snprintf(text_out + length, size - length, "'");
    }
    }
}

bool oracle_same_value(const br_value *left, const br_value *right)
{
    if (left->class_ != right->class_) return false;
    if (left->class_ == BR_NULL) return true;
    if (left->class_ == BR_TEXT || left->class_ == BR_BLOB)
        return left->text.size == right->text.size && left->text.prefix == right->text.prefix &&
               (left->text.size == 0 ||
                memcmp(left->text.data, right->text.data, left->text.size) == 0);
    return left->i64 == right->i64;  // REAL bit for bit
}

static void print_row(test_oracle *oracle, const test_pair *pair, uint32_t row)
{
    char text[500];
    fprintf(stderr, "  %s\n  row %u of %u:", pair->sql, row, oracle->batch.row_count);
    for (uint32_t i = 0; i < oracle->layout.column_count; i++) {
        br_value value = br_vector_value(&oracle->batch.columns[i], row, oracle->arena);
        oracle_print_value(&value, text, sizeof text);
        char name[20];
        snprintf(name, sizeof name, "c%u", i);
        if (strstr(pair->sql, name) != NULL) fprintf(stderr, " %s=%s", name, text);
    }
    for (uint32_t i = 0; i < oracle->constant_count; i++) {
        oracle_print_value(&oracle->constants[i], text, sizeof text);
        fprintf(stderr, " ?%u=%s", i + 1, text);
    }
    fprintf(stderr, "\n");
}

static bool differs(test_oracle *oracle, const test_pair *pair, uint32_t row, const br_value *ours,
                    const br_value *theirs)
{
    char left[500], right[500];
    oracle_print_value(ours, left, sizeof left);
    oracle_print_value(theirs, right, sizeof right);
    fprintf(stderr, "differs: %s, SQLite %s\n", left, right);
    print_row(oracle, pair, row);
    return false;
}

typedef struct outcome {
    br_status status;
    br_error err;
    br_vector vector;
    uint64_t selected[BR_CHUNK_ROWS / 64];
    uint32_t selected_count;
} outcome;

static void run_ours(test_oracle *oracle, const test_pair *pair, outcome *ours)
{
    br_program *program;
    br_evaluator *evaluator, *filter;
    const br_expr *expr = pair->expr;
    br_error *err = &ours->err;
    MUST(br_program_compile(&expr, 1, &oracle->layout, &oracle->env, oracle->arena, &program, err),
         *err);
    MUST(br_evaluator_new(program, 0, oracle->arena, &evaluator, err), *err);
    MUST(br_evaluator_new(program, 0, oracle->arena, &filter, err), *err);
    br_arena_reset(oracle->scratch);
    ours->status = br_evaluate(evaluator, &oracle->batch, oracle->scratch, &ours->vector, err);
    if (ours->status != BR_OK) return;
    ours->status = br_evaluate_condition(filter, &oracle->batch, oracle->scratch, ours->selected,
                                         &ours->selected_count, err);
}

static bool rows_agree(test_oracle *oracle, const test_pair *pair, const outcome *ours,
                       sqlite3_stmt *statement)
{
    uint32_t row_count = oracle->batch.row_count, row = 0, selected = 0;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        br_value theirs = read_value(statement, 0, oracle->arena);
        if (ours->status == BR_OK) {
            br_value value = br_vector_value(&ours->vector, row, oracle->arena);
            if (!oracle_same_value(&value, &theirs))
                return differs(oracle, pair, row, &value, &theirs);
            br_value truth = read_value(statement, 1, oracle->arena);
            br_value bit = br_value_int(br_bitmap_get(ours->selected, row));
            if (bit.i64 != truth.i64) return differs(oracle, pair, row, &bit, &truth);
            selected += bit.i64 != 0;
        }
        row++;
    }
    if (rc != SQLITE_DONE) {
        if (ours->status == BR_OK) fprintf(stderr, "no error: %s\n", pair->sql);
        if (ours->status == BR_OK) fprintf(stderr, "  %s\n", sqlite3_errmsg(oracle->sqlite));
        return ours->status == BR_RUNTIME &&
               strcmp(ours->err.message, sqlite3_errmsg(oracle->sqlite)) == 0;
    }
    if (ours->status != BR_OK) {
        fprintf(stderr, "only we fail: %s\n  %s\n", ours->err.message, pair->sql);
        return false;
    }
    return row == row_count && selected == ours->selected_count;
}

bool oracle_agrees(test_oracle *oracle, const test_pair *pair)
{
    static outcome ours;  // too big for the stack
    sqlite3_stmt *statement = NULL;
    const char *sql = br_arena_format(
        oracle->arena, "SELECT %s, CASE WHEN %s THEN 1 ELSE 0 END FROM t ORDER BY rowid", pair->sql,
        pair->sql);
    if (sqlite3_prepare_v2(oracle->sqlite, sql, -1, &statement, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sqlite3_errmsg(oracle->sqlite), sql);
        return false;
    }
    for (uint32_t i = 0; i < oracle->constant_count; i++) {
        bind_value(statement, (int)i + 1, &oracle->constants[i]);
    }
    memset(&ours, 0, sizeof ours);
    run_ours(oracle, pair, &ours);
    bool agrees = rows_agree(oracle, pair, &ours, statement);
    sqlite3_finalize(statement);
    oracle->constant_count = 0;
    return agrees;
}
