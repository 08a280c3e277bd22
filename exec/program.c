// program.c - compiling br_expr trees: resolving columns, folding constants, sharing equal parts.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "exec/evaluate.h"
#include "exec/json_call.h"

typedef struct compile_state {
    br_program *program;
    const br_layout *layout;
    br_arena *arena;
    br_evaluator evaluator; // for folding
    const br_node **table;  // interned nodes, open addressing
    uint32_t table_size;    // a power of two
} compile_state;

static br_status compile(compile_state *compiler, const br_expr *expr, const br_node **node_out,
                         br_error *err);

uint32_t br_program_count(const br_program *program)
{
    return program->count;
}

// ---- equality of nodes -----------------------------------------------------------------------

static uint64_t hash_value(const br_value *value)
{
    if (value->class_ == BR_TEXT || value->class_ == BR_BLOB)
        return br_hash_bytes(value->text.data, value->text.size) + value->class_;
    return br_hash_u64((uint64_t)value->i64) + value->class_;
}

static uint64_t hash_node(const br_node *node)
{
    uint64_t hash = (uint64_t)node->kind << 32 | (uint64_t)node->operator_ << 16 |
                    (uint64_t)node->function << 8 | (uint64_t)node->affinity_to;
    hash = br_hash_combine(hash, (uint64_t)node->collation << 32 | node->position);
    if (node->kind == BR_EXPR_CONST) hash = br_hash_combine(hash, hash_value(&node->value));
    for (uint32_t i = 0; i < node->arg_count; i++) {
        hash = br_hash_combine(hash, node->args[i]->hash);
    }
    return hash;
}

// Bit for bit: 0.0 and -0.0 differ, and so do 1 and 1.0.
static bool is_same_value(const br_value *left, const br_value *right)
{
    if (left->class_ != right->class_) return false;
    if (left->class_ == BR_NULL) return true;
    if (left->class_ == BR_TEXT || left->class_ == BR_BLOB)
        return br_text_equal(left->text, right->text);
    return left->i64 == right->i64;
}

static bool is_same_node(const br_node *left, const br_node *right)
{
    if (left->hash != right->hash || left->kind != right->kind ||
        left->operator_ != right->operator_ || left->function != right->function ||
        left->affinity_to != right->affinity_to || left->collation != right->collation ||
        left->position != right->position || left->arg_count != right->arg_count ||
        left->assumes_no_overflow != right->assumes_no_overflow)
        return false;
    if (left->kind == BR_EXPR_CONST) return is_same_value(&left->value, &right->value);
    if (left->function_name != right->function_name &&
        (left->function_name == NULL || right->function_name == NULL ||
         strcmp(left->function_name, right->function_name) != 0))
        return false;
    return left->arg_count == 0 ||
           memcmp(left->args, right->args, left->arg_count * sizeof *left->args) == 0;
}

static br_status table_grow(compile_state *compiler, br_error *err)
{
    uint32_t size = compiler->table_size == 0 ? 64 : compiler->table_size * 2;
    const br_node **table = BR_ALLOC(compiler->arena, const br_node *, size);
    if (table == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 0; i < compiler->table_size; i++) {
        const br_node *node = compiler->table[i];
        if (node == NULL) continue;
        uint32_t at = (uint32_t)node->hash & (size - 1);
        while (table[at] != NULL) at = (at + 1) & (size - 1);
        table[at] = node;
    }
    compiler->table = table;
    compiler->table_size = size;
    return BR_OK;
}

// Where an equal node is, or where it should go.
static const br_node **table_find(compile_state *compiler, const br_node *node)
{
    uint32_t at = (uint32_t)node->hash & (compiler->table_size - 1);
    while (compiler->table[at] != NULL && !is_same_node(compiler->table[at], node)) {
        at = (at + 1) & (compiler->table_size - 1);
    }
    return &compiler->table[at];
}

// ---- making nodes ----------------------------------------------------------------------------

static const br_implementation *implementation_of(const br_node *node)
{
    switch (node->kind) {
    case BR_EXPR_OPERATOR:
        return &br_operator_implementations[node->operator_];
    case BR_EXPR_FUNCTION:
        return &br_function_implementations[node->function];
    case BR_EXPR_CASE:
        return &br_case_implementation;
    case BR_EXPR_CAST:
        return &br_cast_implementation;
    case BR_EXPR_AFFINITY:
        return &br_affinity_implementation;
    case BR_EXPR_SUBQUERY:
        return &br_failed_subquery_implementation;
    default:
        return NULL;
    }
}

// What a node inherits from its arguments.
static void node_summarize(br_node *node)
{
    node->single_column = node->kind == BR_EXPR_COLUMN ? node->position : BR_NODE_COLUMN_NONE;
    node->cost = node->implementation != NULL ? node->implementation->cost : 0;
    for (uint32_t i = 0; i < node->arg_count; i++) {
        const br_node *arg = node->args[i];
        node->cost += arg->cost;
        node->can_fail |= arg->can_fail;
        node->is_volatile |= arg->is_volatile;
        if (arg->single_column == BR_NODE_COLUMN_NONE) continue;
        if (node->single_column == BR_NODE_COLUMN_NONE)
            node->single_column = arg->single_column;
        else if (node->single_column != arg->single_column)
            node->single_column = BR_NODE_COLUMN_MANY;
    }
    // Not one value per dictionary entry.
    if (node->is_volatile) node->single_column = BR_NODE_COLUMN_MANY;
}

// Gives the node its place in the program, or finds an equal one that has one.
static br_status intern(compile_state *compiler, br_node *node, const br_node **node_out,
                        br_error *err)
{
    if (compiler->program->node_count * 2 >= compiler->table_size)
        BR_TRY(table_grow(compiler, err));
    node->hash = hash_node(node);
    const br_node **place = table_find(compiler, node);
    const br_node *unshared = NULL;
    if (node->is_volatile) place = &unshared;
    if (*place == NULL) {
        node->implementation = implementation_of(node);
        node_summarize(node);
        if (node->kind == BR_EXPR_CONST) node->constant = br_vector_const(&node->value);
        if (node->implementation != NULL && node->implementation->prepare != NULL)
            BR_TRY(node->implementation->prepare(node, compiler->arena, err));
        node->index = compiler->program->node_count++;
        *place = node;
    }
    *node_out = *place;
    return BR_OK;
}

static br_status intern_constant(compile_state *compiler, const br_value *value,
                                 const br_node **node_out, br_error *err)
{
    br_node *node = BR_ALLOC(compiler->arena, br_node, 1);
    if (node == NULL) return br_evaluate_no_memory(err);
    node->kind = BR_EXPR_CONST;
    node->value = *value;
    node->type.class_mask = (uint8_t)(1u << value->class_);
    node->type.has_range = value->class_ == BR_INT;
    if (node->type.has_range) node->type.int_min = node->type.int_max = value->i64;
    return intern(compiler, node, node_out, err);
}

static bool is_foldable(const br_node *node)
{
    if (node->kind == BR_EXPR_COLUMN || node->kind == BR_EXPR_CONST || node->is_volatile)
        return false;
    for (uint32_t i = 0; i < node->arg_count; i++) {
        if (node->args[i]->kind != BR_EXPR_CONST) return false;
    }
    return true;
}

// Replaces a constant node by its value. One that fails stays: SQLite reports the error only when
// a row needs it.
static br_status fold(compile_state *compiler, const br_node **node_inout, br_error *err)
{
    br_frame frame;
    br_vector result;
    br_error ignored = {0};
    BR_TRY(br_frame_init(&frame, &compiler->evaluator, NULL, 1, compiler->arena, err));
    br_status status = br_node_vector(&frame, *node_inout, &result, &ignored);
    if (status == BR_NOMEM) return br_evaluate_no_memory(err);
    if (status != BR_OK) return BR_OK;
    br_value value = br_vector_value(&result, 0, compiler->arena);
    return intern_constant(compiler, &value, node_inout, err);
}

static br_status compile_column(compile_state *compiler, const br_expr *expr,
                                const br_node **node_out, br_error *err)
{
    const br_layout *layout = compiler->layout;
    uint32_t position = 0;
    while (position < layout->column_count && layout->column_ids[position] != expr->column_id) {
        position++;
    }
    if (position == layout->column_count)
        return br_fail(err, BR_INTERNAL, "column %u of an expression is not in its input",
                       expr->column_id);
    br_node *node = BR_ALLOC(compiler->arena, br_node, 1);
    if (node == NULL) return br_evaluate_no_memory(err);
    node->kind = BR_EXPR_COLUMN;
    node->position = position;
    node->type = expr->type;
    BR_TRY(intern(compiler, node, node_out, err));
    compiler->program->columns[position] = *node_out;
    return BR_OK;
}

static br_status compile_args(compile_state *compiler, br_expr *const *args, uint32_t count,
                              br_node *node, br_error *err)
{
    node->args = BR_ALLOC(compiler->arena, const br_node *, count);
    if (node->args == NULL) return br_evaluate_no_memory(err);
    node->arg_count = count;
    for (uint32_t i = 0; i < count; i++) {
        BR_TRY(compile(compiler, args[i], &node->args[i], err));
    }
    return BR_OK;
}

// A call that looks at the marks of its arguments becomes one expression with all below that mark.
static br_status compile_json_call(compile_state *compiler, const br_expr *expr, br_node *node,
                                   br_error *err)
{
    br_json_call call;
    BR_TRY(br_json_call_make(expr, compiler->arena, &call, err));
    node->function_name = call.text;
    node->is_expression = true;
    node->is_volatile = call.is_volatile;
    return compile_args(compiler, call.leaves, call.leaf_count, node, err);
}

// The cheapest operands first, so that they spare rows the dear ones; but never one that can fail
// before one that stood in front of it.
static void sort_operands(br_node *node)
{
    for (uint32_t i = 1; i < node->arg_count; i++) {
        const br_node *arg = node->args[i];
        uint32_t at = i;
        for (; at > 0 && !arg->can_fail && node->args[at - 1]->cost > arg->cost; at--) {
            node->args[at] = node->args[at - 1];
        }
        node->args[at] = arg;
    }
}

static br_status compile_operation(compile_state *compiler, const br_expr *expr,
                                   const br_node **node_out, br_error *err)
{
    br_node *node = BR_ALLOC(compiler->arena, br_node, 1);
    if (node == NULL) return br_evaluate_no_memory(err);
    *node = (br_node){
        .kind = expr->kind,
        .collation = expr->collation,
        .type = expr->type,
        .assumes_no_overflow = expr->assumes_no_overflow,
        .can_fail = expr->can_fail,
    };
    switch (expr->kind) {
    case BR_EXPR_OPERATOR:
        node->operator_ = expr->operator_;
        break;
    case BR_EXPR_FUNCTION:
        node->function = expr->function;
        node->function_name = expr->function_name;
        node->is_volatile = expr->is_volatile;
        break;
    case BR_EXPR_CAST:
    case BR_EXPR_AFFINITY:
        node->affinity_to = expr->affinity_to;
        break;
    default:
        break;
    }
    bool is_nested = br_json_is_nested(expr);
    BR_TRY(is_nested ? compile_json_call(compiler, expr, node, err)
                     : compile_args(compiler, expr->args, expr->arg_count, node, err));
    if (expr->kind == BR_EXPR_OPERATOR &&
        (expr->operator_ == BR_OP_AND || expr->operator_ == BR_OP_OR))
        sort_operands(node);
    BR_TRY(intern(compiler, node, node_out, err));
    return is_foldable(*node_out) ? fold(compiler, node_out, err) : BR_OK;
}

// A subquery that has failed is an error only for rows that need it.
static br_status compile_subquery(compile_state *compiler, const br_expr *expr,
                                  const br_node **node_out, br_error *err)
{
    const br_expr_env *env = &compiler->program->env;
    const br_error *errors = env->subquery_errors;
    if (errors == NULL || errors[expr->subquery].status == BR_OK)
        return intern_constant(compiler, &env->subqueries[expr->subquery], node_out, err);
    br_node *node = BR_ALLOC(compiler->arena, br_node, 1);
    if (node == NULL) return br_evaluate_no_memory(err);
    node->kind = BR_EXPR_SUBQUERY;
    node->type = expr->type;
    node->can_fail = node->is_volatile = true;  // neither folded nor shared
    node->detail = &errors[expr->subquery];
    return intern(compiler, node, node_out, err);
}

static br_status compile(compile_state *compiler, const br_expr *expr, const br_node **node_out,
                         br_error *err)
{
    const br_expr_env *env = &compiler->program->env;
    switch (expr->kind) {
    case BR_EXPR_CONST:
        return intern_constant(compiler, &expr->value, node_out, err);
    case BR_EXPR_PARAMETER:
        return intern_constant(compiler, &env->exec->parameters[expr->parameter], node_out, err);
    case BR_EXPR_SUBQUERY:
        return compile_subquery(compiler, expr, node_out, err);
    case BR_EXPR_COLUMN:
        return compile_column(compiler, expr, node_out, err);
    default:
        return compile_operation(compiler, expr, node_out, err);
    }
}

br_status br_program_compile(const br_expr *const *expressions, uint32_t count,
                             const br_layout *layout, const br_expr_env *env, br_arena *arena,
                             br_program **program_out, br_error *err)
{
    br_program *program = BR_ALLOC(arena, br_program, 1);
    if (program == NULL) return br_evaluate_no_memory(err);
    *program = (br_program){.count = count, .column_count = layout->column_count, .env = *env};
    program->roots = BR_ALLOC(arena, const br_node *, count);
    program->columns = BR_ALLOC(arena, const br_node *, layout->column_count);
    if (program->roots == NULL || program->columns == NULL) return br_evaluate_no_memory(err);
    compile_state compiler = {.program = program, .layout = layout, .arena = arena};
    compiler.evaluator = (br_evaluator){
        .program = program,
        .arena = arena,
        .bridge = &env->exec->bridge,
        .kernels = br_exec_kernels_for(env->exec->isa),
    };
    for (uint32_t i = 0; i < count; i++) {
        BR_TRY(compile(&compiler, expressions[i], &program->roots[i], err));
    }
    *program_out = program;
    return BR_OK;
}
