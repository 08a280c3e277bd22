// Window functions: definitions and their bases, calls, and the WINDOW nodes that calls share.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "sql/bind.h"

// ---- definitions -----------------------------------------------------------------------------

typedef struct window_terms {  // a window with what it takes over from its base
    uint32_t partition_count;
    br_ast **partition_by;
    uint32_t order_count;
    const br_ast_order *order_by;
    const br_ast_window *frame;
} window_terms;

// Among the first `count` definitions; of several with the name the last one counts.
static br_status find_definition(const br_ast_core *core, uint32_t count, const char *name,
                                 uint32_t *index_out, br_error *err)
{
    for (uint32_t i = count; i-- > 0;) {
        if (!br_name_equal(core->windows[i]->name, name)) continue;
        *index_out = i;
        return BR_OK;
    }
    return br_fail(err, BR_SQL, "no such window: %s", name);
}

static const char *overridden(const br_ast_window *window, const br_ast_window *base,
                              const window_terms *terms)
{
    if (window->partition_count > 0) return "PARTITION clause";
    if (base->order_count > 0 && terms->order_count > 0) return "ORDER BY clause";
    return base->has_frame ? "frame specification" : NULL;
}

// A window sees the definitions before it. Those are in order among themselves (see
// br_check_windows), and so what is wrong here is wrong between the window and its own base. SQLite
// does not look at a base of the first definition, before which there is none.
static br_status resolve(const br_ast_core *core, const br_ast_window *window, uint32_t visible,
                         window_terms *out, br_error *err)
{
    *out = (window_terms){window->partition_count, window->partition_by, window->order_count,
                          window->order_by, window};
    const br_ast_window *at = window;
    while (at->base_name != NULL && (core->window_count == 0 || at != core->windows[0])) {
        BR_TRY(find_definition(core, visible, at->base_name, &visible, err));
        const br_ast_window *base = core->windows[visible];
        const char *clause = overridden(at, base, out);
        if (clause != NULL)
            return br_fail(err, BR_SQL, "cannot override %s of window: %s", clause,
                           window->base_name);
        out->partition_count = base->partition_count;
        out->partition_by = base->partition_by;
        if (base->order_count > 0) {
            out->order_count = base->order_count;
            out->order_by = base->order_by;
        }
        at = base;
    }
    return BR_OK;
}

// OVER name, or OVER (...).
static br_status resolve_call(const br_ast_core *core, const br_ast_window *window,
                              window_terms *out, br_error *err)
{
    uint32_t index = core->window_count;
    if (!window->is_reference) return resolve(core, window, index, out, err);
    BR_TRY(find_definition(core, index, window->name, &index, err));
    return resolve(core, core->windows[index], index, out, err);
}

br_status br_check_windows(const br_ast_core *core, br_error *err)
{
    window_terms ignored;
    for (uint32_t i = 0; i < core->window_count; i++)
        BR_TRY(resolve(core, core->windows[i], i, &ignored, err));
    return BR_OK;
}

bool br_window_has_aggregate(const br_scope *scope, const br_ast_window *window)
{
    window_terms terms;
    br_error ignored;
    if (scope->core == NULL) return false;
    if (resolve_call(scope->core, window, &terms, &ignored) != BR_OK) return false;
    for (uint32_t i = 0; i < terms.partition_count; i++)
        if (br_ast_has_aggregate(scope, terms.partition_by[i])) return true;
    for (uint32_t i = 0; i < terms.order_count; i++)
        if (br_ast_has_aggregate(scope, terms.order_by[i].expression)) return true;
    return false;
}

bool br_ast_has_window(const br_ast *ast)
{
    if (ast == NULL) return false;
    if (ast->kind == BR_AST_FUNCTION && ast->window != NULL) return true;
    for (uint32_t i = 0; i < ast->arg_count; i++)
        if (br_ast_has_window(ast->args[i])) return true;
    return false;
}

// ---- frames ----------------------------------------------------------------------------------

// As SQLite sees it while parsing: anything that it only knows by name is none.
static bool is_constant(const br_ast *ast)
{
    switch (ast->kind) {
    case BR_AST_NAME:
    case BR_AST_FUNCTION:
    case BR_AST_LIKE:
    case BR_AST_EXISTS:
    case BR_AST_SUBQUERY: return false;
    default: break;
    }
    bool is_call = ast->operator_ == BR_AST_OP_JSON || ast->operator_ == BR_AST_OP_JSON_TEXT;
    if (is_call || ast->select != NULL) return false;
    for (uint32_t i = 0; i < ast->arg_count; i++)
        if (!is_constant(ast->args[i])) return false;
    return true;
}

// What is not constant is NULL, which no frame accepts.
static br_status bind_offset(br_scope *scope, const br_ast *ast, br_expr **out, br_error *err)
{
    br_scope nothing = {.binder = scope->binder};
    br_bound bound;
    if (ast == NULL) return BR_OK;
    if (is_constant(ast)) {
        BR_TRY(br_bind_expression(&nothing, ast, &bound, err));
        *out = bound.expr;
        return BR_OK;
    }
    *out = br_expr_const(scope->binder->arena, br_value_null());
    BR_NEED(*out, err);
    return BR_OK;
}

static bool has_offset(const br_ast_window *window)
{
    return window->start_offset != NULL || window->end_offset != NULL;
}

static br_status bind_frame(br_scope *scope, const br_ast_window *window, br_window_frame *frame,
                            br_error *err)
{
    _Static_assert((int)BR_FRAME_UNBOUNDED_FOLLOWING == (int)BR_AST_UNBOUNDED_FOLLOWING,
                   "the parser numbers everything about frames as plans do");
    frame->unit = (br_frame_unit)window->frame_unit;
    frame->start = (br_frame_bound)window->start;
    frame->end = (br_frame_bound)window->end;
    frame->exclude = (br_frame_exclude)window->exclude;
    BR_TRY(bind_offset(scope, window->start_offset, &frame->start_offset, err));
    return bind_offset(scope, window->end_offset, &frame->end_offset, err);
}

// ---- calls -----------------------------------------------------------------------------------

static bool optional_equal(const br_expr *left, const br_expr *right)
{
    if (left == NULL || right == NULL) return left == right;
    return br_expr_equal(left, right);
}

static bool frame_equal(const br_window_frame *left, const br_window_frame *right)
{
    return left->unit == right->unit && left->start == right->start && left->end == right->end &&
           left->exclude == right->exclude &&
           optional_equal(left->start_offset, right->start_offset) &&
           optional_equal(left->end_offset, right->end_offset);
}

static bool call_equal(const br_window_call *left, const br_window_call *right)
{
    bool same = left->function == right->function && left->arg_count == right->arg_count &&
                frame_equal(&left->frame, &right->frame) &&
                br_aggregate_equal(&left->aggregate, &right->aggregate);
    for (uint32_t i = 0; same && i < left->arg_count; i++)
        same = br_expr_equal(left->args[i], right->args[i]);
    return same;
}

// SQLite runs these over frames of its own, whatever the window says.
static bool ignores_frame(br_window_function function)
{
    return function >= BR_WINDOW_ROW_NUMBER && function <= BR_WINDOW_LEAD;
}

// SQLite forgets the FILTER of min() and max() over frames whose start moves. With an EXCLUDE, even
// NO OTHERS, it goes through each frame anew and does not.
static void forget_filter(const br_ast_window *window, br_window_call *call)
{
    br_aggregate_kind kind = call->aggregate.kind;
    bool moves = call->frame.start != BR_FRAME_UNBOUNDED_PRECEDING && !window->has_exclude;
    if (moves && (kind == BR_AGG_MIN || kind == BR_AGG_MAX)) call->aggregate.filter = NULL;
}

static bool is_json(const br_window_call *call)
{
    return call->function == BR_WINDOW_AGGREGATE && (call->aggregate.kind == BR_AGG_JSON_ARRAY ||
                                                     call->aggregate.kind == BR_AGG_JSON_OBJECT);
}

static br_status bind_call(br_scope *scope, const br_ast *ast, const window_terms *terms,
                           br_window_call *call, br_bound *out, br_error *err)
{
    br_bound arg;
    call->frame.end = BR_FRAME_CURRENT_ROW;
    if (!ignores_frame(call->function))
        BR_TRY(bind_frame(scope, terms->frame, &call->frame, err));
    if (call->function == BR_WINDOW_AGGREGATE) {
        BR_TRY(br_bind_arguments(scope, ast, &call->aggregate, &arg, err));
        if (arg.source == BR_COLLATED_EXPLICIT) *out = arg;
        if (is_json(call)) return br_json_aggregate(scope, ast, &call->aggregate, err);
        br_aggregate_simplify(&call->aggregate);
        forget_filter(terms->frame, call);
        return BR_OK;
    }
    call->arg_count = ast->arg_count;
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        BR_TRY(br_bind_expression(scope, ast->args[i], &arg, err));
        call->args[i] = arg.expr;
        if (arg.source == BR_COLLATED_EXPLICIT && out->source == BR_COLLATED_NOT) *out = arg;
    }
    return BR_OK;
}

// ---- windows ---------------------------------------------------------------------------------

static br_collation key_collation(const br_bound *key)
{
    return key->source == BR_COLLATED_NOT ? BR_COLLATION_BINARY : key->collation;
}

// A key that is the same in every row divides and orders nothing.
static bool is_idle(const br_expr *key)
{
    return br_expr_is_constant(key) && !key->can_fail;
}

static br_status bind_partitions(br_scope *scope, const window_terms *terms, br_plan *window,
                                 br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_bound key;
    window->window.partitions = BR_ALLOC(arena, br_expr *, terms->partition_count);
    window->window.partition_collations = BR_ALLOC(arena, br_collation, terms->partition_count);
    BR_NEED(window->window.partitions, err);
    BR_NEED(window->window.partition_collations, err);
    for (uint32_t i = 0; i < terms->partition_count; i++) {
        BR_TRY(br_bind_expression(scope, terms->partition_by[i], &key, err));
        if (is_idle(key.expr)) continue;
        uint32_t index = window->window.partition_count++;
        window->window.partitions[index] = key.expr;
        window->window.partition_collations[index] = key_collation(&key);
    }
    return BR_OK;
}

// The one key of RANGE with an offset stays even when it is constant: frames are measured by it.
static br_status bind_order(br_scope *scope, const window_terms *terms, bool is_measured,
                            br_plan *window, br_error *err)
{
    br_bound key;
    window->window.order_by = BR_ALLOC(scope->binder->arena, br_sort_key, terms->order_count);
    BR_NEED(window->window.order_by, err);
    for (uint32_t i = 0; i < terms->order_count; i++) {
        const br_ast_order *order = &terms->order_by[i];
        BR_TRY(br_bind_expression(scope, order->expression, &key, err));
        if (is_idle(key.expr) && !is_measured) continue;
        window->window.order_by[window->window.order_count++] = (br_sort_key){
            .expression = key.expr,
            .descending = order->descending,
            .nulls_last = order->nulls == 0 ? order->descending : order->nulls > 0,
            .collation = key_collation(&key),
        };
    }
    return BR_OK;
}

static bool window_equal(const br_plan *left, const br_plan *right)
{
    if (left->window.partition_count != right->window.partition_count) return false;
    if (left->window.order_count != right->window.order_count) return false;
    for (uint32_t i = 0; i < left->window.partition_count; i++) {
        bool same = br_expr_equal(left->window.partitions[i], right->window.partitions[i]) &&
                    left->window.partition_collations[i] == right->window.partition_collations[i];
        if (!same) return false;
    }
    for (uint32_t i = 0; i < left->window.order_count; i++) {
        const br_sort_key *a = &left->window.order_by[i], *b = &right->window.order_by[i];
        bool same = br_expr_equal(a->expression, b->expression) &&
                    a->descending == b->descending && a->nulls_last == b->nulls_last &&
                    a->collation == b->collation;
        if (!same) return false;
    }
    return true;
}

// The scope's window like *window, which becomes one of the scope's if there is none.
static br_status share_window(br_scope *scope, br_plan **window, br_error *err)
{
    for (uint32_t i = 0; i < scope->window_count; i++) {
        if (!window_equal(scope->windows[i], *window)) continue;
        *window = scope->windows[i];
        return BR_OK;
    }
    br_plan **grown =
        br_grow(scope->binder->arena, scope->windows, scope->window_count, sizeof *grown);
    BR_NEED(grown, err);
    scope->windows = grown;
    grown[scope->window_count++] = *window;
    return BR_OK;
}

// The column of the call, which is added unless the window has it already.
static br_status call_column(br_scope *scope, br_plan *window, const br_window_call *call,
                             br_plan_column **out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    uint32_t count = window->window.call_count;
    for (uint32_t i = 0; i < count; i++) {
        if (!call_equal(&window->window.calls[i], call)) continue;
        *out = &window->columns[i];
        return BR_OK;
    }
    br_window_call *calls = br_grow(arena, window->window.calls, count, sizeof *calls);
    br_plan_column *columns = br_grow(arena, window->columns, count, sizeof *columns);
    BR_NEED(calls, err);
    BR_NEED(columns, err);
    window->window.calls = calls;
    window->columns = columns;
    window->window.call_count = window->column_count = count + 1;
    calls[count] = *call;
    columns[count] = (br_plan_column){
        .id = scope->binder->next_id++, .name = "", .type = br_type_window(call),
        .json = is_json(call) ? BR_JSON_ALWAYS : BR_JSON_NOT};
    *out = &columns[count];
    return BR_OK;
}

static br_status check_terms(const br_ast *ast, const window_terms *terms,
                             br_window_function function, br_error *err)
{
    bool is_range = terms->frame->has_frame && terms->frame->frame_unit == 0;
    if (is_range && has_offset(terms->frame) && terms->order_count != 1)
        return br_fail(err, BR_SQL,
                       "RANGE with offset PRECEDING/FOLLOWING requires one ORDER BY expression");
    if (ast->filter != NULL && function != BR_WINDOW_AGGREGATE)
        return br_fail(err, BR_SQL,
                       "FILTER clause may only be used with aggregate window functions");
    return BR_OK;
}

static br_status bind_parts(br_scope *scope, const br_ast *ast, br_window_call *call,
                            br_plan *window, br_bound *out, br_error *err)
{
    window_terms terms;
    BR_TRY(resolve_call(scope->core, ast->window, &terms, err));
    BR_TRY(check_terms(ast, &terms, call->function, err));
    BR_TRY(bind_call(scope, ast, &terms, call, out, err));
    BR_TRY(bind_partitions(scope, &terms, window, err));
    bool is_measured = call->frame.unit == BR_FRAME_RANGE && has_offset(terms.frame);
    return bind_order(scope, &terms, is_measured, window, err);
}

static br_status bind_known(br_scope *scope, const br_ast *ast, br_window_call *call,
                            br_bound *out, br_error *err)
{
    br_plan *window = br_plan_new(scope->binder, BR_PLAN_WINDOW, 0);
    br_plan_column *column;
    BR_NEED(window, err);
    window->columns = NULL;  // grows
    *out = (br_bound){.source = BR_COLLATED_NOT};
    scope->windows_allowed = false;
    br_status status = bind_parts(scope, ast, call, window, out, err);
    scope->windows_allowed = true;
    BR_TRY(status);
    BR_TRY(share_window(scope, &window, err));
    BR_TRY(call_column(scope, window, call, &column, err));
    out->expr = br_expr_column(scope->binder->arena, column);
    BR_NEED(out->expr, err);
    return BR_OK;
}

// A function that is none over windows, or none at all.
static br_status refuse(br_scope *scope, const br_ast *ast, br_error *err)
{
    const br_sql_catalog *catalog = scope->binder->catalog;
    bool is_volatile;
    bool exists = br_function_find(ast->name) != NULL ||
                  (catalog->find_function != NULL &&
                   catalog->find_function(catalog->context, ast->name, ast->arg_count,
                                          &is_volatile));
    if (!exists) return br_fail_at(err, BR_SQL, ast->offset, "no such function: %s", ast->name);
    return br_fail_at(err, BR_SQL, ast->offset, "%s() may not be used as a window function",
                      ast->name);
}

// Those that the WINDOW operator computes over frames.
static br_status check_aggregate(const br_ast *ast, br_aggregate_kind kind, br_error *err)
{
    BR_TRY(br_aggregate_check_count(ast, kind, err));
    bool is_known = kind <= BR_AGG_GROUP_CONCAT || kind == BR_AGG_JSON_ARRAY ||
                    kind == BR_AGG_JSON_OBJECT;
    if (is_known && !br_name_equal(ast->name, "approx_count_distinct")) return BR_OK;
    return br_fail_at(err, BR_SQL, ast->offset, "%s() may not be used as a window function",
                      ast->name);
}

br_status br_bind_window(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    const br_window_info *info = br_window_find(ast->name);
    br_window_call call = {.aggregate.kind = br_aggregate_find(ast->name, ast->arg_count)};
    bool is_aggregate = info == NULL && call.aggregate.kind != BR_AGG_COUNT_;
    if (ast->distinct)
        return br_fail(err, BR_SQL, "DISTINCT is not supported for window functions");
    if (info == NULL && !is_aggregate) return refuse(scope, ast, err);
    if (!scope->windows_allowed)
        return br_fail_at(err, BR_SQL, ast->offset, "misuse of window function %s()", ast->name);
    if (ast->order_count > 0)
        return br_fail(err, BR_UNSUPPORTED, "ORDER BY inside aggregate %s()", ast->name);
    if (is_aggregate) {
        BR_TRY(check_aggregate(ast, call.aggregate.kind, err));
        return bind_known(scope, ast, &call, out, err);
    }
    if (ast->arg_count < info->arguments_min || ast->arg_count > info->arguments_max)
        return br_fail_at(err, BR_SQL, ast->offset,
                          "wrong number of arguments to function %s()", ast->name);
    call.function = info->function;
    call.aggregate.kind = BR_AGG_COUNT_STAR;
    return bind_known(scope, ast, &call, out, err);
}

// The window of the first call comes last: its order is the one in which SQLite hands rows out.
br_status br_scope_add_windows(br_scope *scope, br_error *err)
{
    for (uint32_t i = scope->window_count; i-- > 0;) {
        br_plan *window = scope->windows[i];
        window->left = scope->plan;
        if (!br_plan_window_columns(scope->binder, window))
            return br_fail(err, BR_NOMEM, "no memory for the plan");
        scope->plan = window;
    }
    return BR_OK;
}
