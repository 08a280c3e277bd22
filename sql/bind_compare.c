// Comparisons: which affinity and which collation they use.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "sql/bind.h"

static const unsigned mask_number = BR_MASK_INT | BR_MASK_REAL;

br_status br_parse_collation(br_binder *binder, const char *name, br_collation *out, br_error *err)
{
    const br_sql_catalog *catalog = binder->catalog;
    for (br_collation i = 0; i < BR_COLLATION_COUNT; i++) {
        if (!br_name_equal(br_collation_name(i), name)) continue;
        *out = i;
        return BR_OK;
    }
    br_collator *collator = NULL;
    if (catalog->find_collation != NULL)
        BR_TRY(catalog->find_collation(catalog->context, name, &collator, err));
    if (collator == NULL) return br_fail(err, BR_SQL, "no such collation sequence: %s", name);
    *out = (br_collation)collator;
    binder->query->has_collator = true;
    return BR_OK;
}

// An explicit COLLATE counts before a column's own, and left before right.
br_collation br_bound_collation(const br_bound *left, const br_bound *right)
{
    if (left->source == BR_COLLATED_EXPLICIT) return left->collation;
    if (right->source == BR_COLLATED_EXPLICIT) return right->collation;
    if (left->source == BR_COLLATED_COLUMN) return left->collation;
    return right->source == BR_COLLATED_COLUMN ? right->collation : BR_COLLATION_BINARY;
}

static bool is_numeric(br_affinity affinity)
{
    return affinity >= BR_AFFINITY_NUMERIC;
}

br_affinity br_compare_affinity(br_affinity left, br_affinity right)
{
    if (left == BR_AFFINITY_NONE) return right;
    if (right == BR_AFFINITY_NONE) return left;
    return is_numeric(left) || is_numeric(right) ? BR_AFFINITY_NUMERIC : BR_AFFINITY_BLOB;
}

// An optional sign and up to 18 digits: an integer whatever the rules for reals say.
static bool text_is_plain_integer(br_text text, int64_t *value_out)
{
    uint32_t i = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    if (i == text.size || text.size - i > 18) return false;
    int64_t value = 0;
    for (uint32_t k = i; k < text.size; k++) {
        if (text.data[k] < '0' || text.data[k] > '9') return false;
        value = value * 10 + (text.data[k] - '0');
    }
    *value_out = i == 1 && text.data[0] == '-' ? -value : value;
    return true;
}

// Constants that convert without any question of rounding.
static br_expr *fold_affinity(br_arena *arena, br_expr *expr, br_affinity affinity)
{
    int64_t value;
    if (expr->kind != BR_EXPR_CONST) return NULL;
    if (affinity == BR_AFFINITY_TEXT && expr->value.class_ == BR_INT) {
        const char *text = br_arena_format(arena, "%" PRId64, expr->value.i64);
        if (text == NULL) return NULL;
        return br_expr_const(arena, br_value_text(br_text_make(text, (uint32_t)strlen(text))));
    }
    bool is_text = expr->value.class_ == BR_TEXT;
    if (is_numeric(affinity) && is_text && text_is_plain_integer(expr->value.text, &value))
        return br_expr_const(arena, br_value_int(value));
    return NULL;
}

br_expr *br_apply_affinity(br_arena *arena, br_expr *expr, br_affinity affinity)
{
    unsigned mask = expr->type.class_mask;
    if (is_numeric(affinity)) {
        if ((mask & BR_MASK_TEXT) == 0) return expr;
        affinity = BR_AFFINITY_NUMERIC;
    } else if (affinity != BR_AFFINITY_TEXT || (mask & mask_number) == 0) {
        return expr;
    }
    br_expr *folded = fold_affinity(arena, expr, affinity);
    if (folded != NULL) return folded;
    br_expr *out = br_expr_new(arena, BR_EXPR_AFFINITY, 1);
    if (out == NULL) return NULL;
    out->args[0] = expr;
    out->affinity_to = affinity;
    out->type = br_type_affinity(expr->type, affinity);
    out->can_fail = expr->can_fail;
    out->affinity = expr->affinity;
    out->offset = expr->offset;
    return out;
}

br_status br_compare_prepare(br_scope *scope, br_expr **left, br_expr **right,
                             br_affinity affinity, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    unsigned left_mask = (*left)->type.class_mask, right_mask = (*right)->type.class_mask;
    if (affinity == BR_AFFINITY_TEXT) {
        // SQLite converts numbers only when the other value is text.
        if (((left_mask | right_mask) & BR_MASK_TEXT) == 0) return BR_OK;
    }
    *left = br_apply_affinity(arena, *left, affinity);
    BR_NEED(*left, err);
    *right = br_apply_affinity(arena, *right, affinity);
    BR_NEED(*right, err);
    return BR_OK;
}

static br_collation_source explicit_only(const br_bound *left, const br_bound *right)
{
    bool is_explicit =
        left->source == BR_COLLATED_EXPLICIT || right->source == BR_COLLATED_EXPLICIT;
    return is_explicit ? BR_COLLATED_EXPLICIT : BR_COLLATED_NOT;
}

static br_status compare_as(br_scope *scope, br_operator operator_, const br_bound *left,
                            const br_bound *right, br_affinity affinity, br_expr **out,
                            br_error *err)
{
    br_expr *l = left->expr, *r = right->expr;
    BR_TRY(br_compare_prepare(scope, &l, &r, affinity, err));
    *out = br_expr_operator(scope->binder->arena, operator_, l, r);
    BR_NEED(*out, err);
    (*out)->collation = br_bound_collation(left, right);
    return BR_OK;
}

bool br_compare_is_mixed(const br_expr *left, const br_expr *right, br_affinity affinity)
{
    unsigned left_mask = left->type.class_mask, right_mask = right->type.class_mask;
    return affinity == BR_AFFINITY_TEXT && ((left_mask | right_mask) & BR_MASK_TEXT) != 0 &&
           (left_mask & mask_number) != 0 && (right_mask & mask_number) != 0;
}

// typeof(a) = 'text' OR typeof(b) = 'text'
static br_status has_text(br_scope *scope, const br_expr *const *sides, br_expr **out,
                          br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_expr *each[2];
    for (uint32_t i = 0; i < 2; i++) {
        br_expr *type = br_expr_new(arena, BR_EXPR_FUNCTION, 1);
        br_expr *text = br_expr_const(arena, br_value_text(br_text_make("text", 4)));
        BR_NEED(type, err);
        BR_NEED(text, err);
        type->args[0] = br_expr_clone(arena, sides[i]);
        BR_NEED(type->args[0], err);
        type->function = BR_FN_TYPEOF;
        type->function_name = "typeof";
        type->can_fail = sides[i]->can_fail;
        type->type = br_function_type(BR_FN_TYPEOF, "typeof", type->args, 1);
        each[i] = br_expr_operator(arena, BR_OP_EQ, type, text);
        BR_NEED(each[i], err);
    }
    *out = br_expr_operator(arena, BR_OP_OR, each[0], each[1]);
    BR_NEED(*out, err);
    return BR_OK;
}

// Where a number may meet a text as well as a number, each pair of values decides: CASE WHEN one of
// them is text THEN as texts ELSE as they are END.
static br_status compare_mixed(br_scope *scope, br_operator operator_, const br_bound *left,
                               const br_bound *right, br_expr **out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    const br_expr *sides[] = {left->expr, right->expr};
    br_expr *either = br_expr_new(arena, BR_EXPR_CASE, 3);
    BR_NEED(either, err);
    BR_TRY(has_text(scope, sides, &either->args[0], err));
    for (uint32_t i = 1; i < 3; i++) {
        br_bound l = *left, r = *right;
        l.expr = br_expr_clone(arena, left->expr);
        r.expr = br_expr_clone(arena, right->expr);
        BR_NEED(l.expr, err);
        BR_NEED(r.expr, err);
        br_affinity affinity = i == 1 ? BR_AFFINITY_TEXT : BR_AFFINITY_NONE;
        BR_TRY(compare_as(scope, operator_, &l, &r, affinity, &either->args[i], err));
    }
    either->can_fail = left->expr->can_fail || right->expr->can_fail;
    either->type = br_function_type(BR_FN_IIF, "iif", either->args, 3);
    *out = either;
    return BR_OK;
}

br_status br_bind_compare(br_scope *scope, br_operator operator_, br_bound left, br_bound right,
                          br_bound *out, br_error *err)
{
    br_affinity affinity = br_compare_affinity(left.expr->affinity, right.expr->affinity);
    br_expr *expr;
    if (br_compare_is_mixed(left.expr, right.expr, affinity))
        BR_TRY(compare_mixed(scope, operator_, &left, &right, &expr, err));
    else BR_TRY(compare_as(scope, operator_, &left, &right, affinity, &expr, err));
    *out = (br_bound){expr, br_bound_collation(&left, &right), explicit_only(&left, &right)};
    return BR_OK;
}

// ---- row values ------------------------------------------------------------------------------

// May it have other than one column? Only a SELECT that is written out tells before it is bound.
static bool may_be_row(const br_ast *ast)
{
    if (ast->kind == BR_AST_ROW) return true;
    if (ast->kind != BR_AST_SUBQUERY) return false;
    const br_ast_core *core = &ast->select->cores[0];
    if (core->result_count != 1) return true;
    return !core->is_values && core->results[0].expression->kind == BR_AST_STAR;
}

br_status br_bind_row(br_scope *scope, const br_ast *ast, br_bound **items_out,
                      uint32_t *count_out, br_error *err)
{
    bool is_row = ast->kind == BR_AST_ROW;
    if (!is_row && may_be_row(ast))
        return br_bind_row_subquery(scope, ast, items_out, count_out, err);
    uint32_t count = is_row ? ast->arg_count : 1;
    br_bound *items = BR_ALLOC(scope->binder->arena, br_bound, count);
    BR_NEED(items, err);
    for (uint32_t i = 0; i < count; i++)
        BR_TRY(br_bind_expression(scope, is_row ? ast->args[i] : ast, &items[i], err));
    *items_out = items;
    *count_out = count;
    return BR_OK;
}

static br_status clone_bound(br_scope *scope, br_bound from, br_bound *out, br_error *err)
{
    *out = from;
    out->expr = br_expr_clone(scope->binder->arena, from.expr);
    BR_NEED(out->expr, err);
    return BR_OK;
}

static br_status compare_copies(br_scope *scope, br_operator operator_, br_bound left,
                                br_bound right, br_expr **out, br_error *err)
{
    br_bound left_copy, right_copy, result;
    BR_TRY(clone_bound(scope, left, &left_copy, err));
    BR_TRY(clone_bound(scope, right, &right_copy, err));
    BR_TRY(br_bind_compare(scope, operator_, left_copy, right_copy, &result, err));
    *out = result.expr;
    return BR_OK;
}

static br_operator strict_operator(br_operator operator_)
{
    if (operator_ == BR_OP_LE) return BR_OP_LT;
    return operator_ == BR_OP_GE ? BR_OP_GT : operator_;
}

// a < c OR (a = c AND (b < d OR ...)), from the last pair to the first.
static br_status order_rows(br_scope *scope, br_operator operator_, const br_bound *left,
                            const br_bound *right, uint32_t count, br_expr **out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_expr *result = NULL;
    for (uint32_t i = count; i-- > 0;) {
        br_operator here = i + 1 == count ? operator_ : strict_operator(operator_);
        br_expr *less, *equal;
        BR_TRY(compare_copies(scope, here, left[i], right[i], &less, err));
        if (result == NULL) {
            result = less;
            continue;
        }
        BR_TRY(compare_copies(scope, BR_OP_EQ, left[i], right[i], &equal, err));
        br_expr *both = br_expr_operator(arena, BR_OP_AND, equal, result);
        BR_NEED(both, err);
        result = br_expr_operator(arena, BR_OP_OR, less, both);
        BR_NEED(result, err);
    }
    *out = result;
    return BR_OK;
}

static br_status equal_rows(br_scope *scope, br_operator operator_, const br_bound *left,
                            const br_bound *right, uint32_t count, br_expr **out, br_error *err)
{
    bool any = operator_ == BR_OP_NE || operator_ == BR_OP_IS_NOT;
    br_expr *result = NULL;
    for (uint32_t i = 0; i < count; i++) {
        br_expr *pair;
        BR_TRY(compare_copies(scope, operator_, left[i], right[i], &pair, err));
        if (result != NULL)
            pair = br_expr_operator(scope->binder->arena, any ? BR_OP_OR : BR_OP_AND, result, pair);
        BR_NEED(pair, err);
        result = pair;
    }
    *out = result;
    return BR_OK;
}

static br_status compare_rows(br_scope *scope, br_operator operator_, const br_bound *left,
                              const br_bound *right, uint32_t count, br_expr **out, br_error *err)
{
    bool orders = operator_ >= BR_OP_LT && operator_ <= BR_OP_GE;
    if (orders) return order_rows(scope, operator_, left, right, count, out, err);
    return equal_rows(scope, operator_, left, right, count, out, err);
}

static br_status row_misused(const br_ast *ast, br_error *err)
{
    return br_fail_at(err, BR_SQL, ast->offset, "row value misused");
}

// Where a whole condition of WHERE is `row = subquery`, SQLite takes it apart into comparisons of
// single columns, and the subquery's have no collation then.
static void drop_collations(const br_ast *ast, br_operator operator_, br_bound *left,
                            br_bound *right, uint32_t count)
{
    bool left_select = ast->args[0]->kind == BR_AST_SUBQUERY;
    bool right_select = ast->args[1]->kind == BR_AST_SUBQUERY;
    bool is_equal = operator_ == BR_OP_EQ || operator_ == BR_OP_IS;
    if (!is_equal || left_select == right_select) return;
    br_bound *items = left_select ? left : right;
    for (uint32_t i = 0; i < count; i++)
        items[i] = (br_bound){.expr = items[i].expr, .source = BR_COLLATED_NOT};
}

br_status br_bind_compare_ast(br_scope *scope, const br_ast *ast, br_operator operator_,
                              br_bound *out, br_error *err)
{
    br_bound *left, *right;
    uint32_t left_count, right_count;
    BR_TRY(br_bind_row(scope, ast->args[0], &left, &left_count, err));
    BR_TRY(br_bind_row(scope, ast->args[1], &right, &right_count, err));
    if (left_count != right_count) return row_misused(ast->args[0], err);
    bool is_row = left_count > 1 || ast->args[0]->kind == BR_AST_ROW;
    if (!is_row) return br_bind_compare(scope, operator_, left[0], right[0], out, err);
    if (scope->conjunct == ast) drop_collations(ast, operator_, left, right, left_count);
    *out = (br_bound){.source = BR_COLLATED_NOT};
    return compare_rows(scope, operator_, left, right, left_count, &out->expr, err);
}

// ---- BETWEEN, IN, CASE -----------------------------------------------------------------------

static br_status negate(br_scope *scope, bool negated, br_bound *out, br_error *err)
{
    if (!negated) return BR_OK;
    out->expr = br_expr_operator(scope->binder->arena, BR_OP_NOT, out->expr, NULL);
    BR_NEED(out->expr, err);
    return BR_OK;
}

static br_status between_rows(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    br_bound *value, *low, *high;
    br_expr *above, *below;
    uint32_t count, low_count, high_count;
    BR_TRY(br_bind_row(scope, ast->args[0], &value, &count, err));
    BR_TRY(br_bind_row(scope, ast->args[1], &low, &low_count, err));
    BR_TRY(br_bind_row(scope, ast->args[2], &high, &high_count, err));
    if (low_count != count || high_count != count) return row_misused(ast->args[0], err);
    BR_TRY(compare_rows(scope, BR_OP_GE, value, low, count, &above, err));
    BR_TRY(compare_rows(scope, BR_OP_LE, value, high, count, &below, err));
    *out = (br_bound){.source = BR_COLLATED_NOT};
    out->expr = br_expr_operator(scope->binder->arena, BR_OP_AND, above, below);
    BR_NEED(out->expr, err);
    return negate(scope, ast->negated, out, err);
}

// One BETWEEN node when both comparisons treat the value alike, else two comparisons.
br_status br_bind_between(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    if (may_be_row(ast->args[0]) || may_be_row(ast->args[1]) || may_be_row(ast->args[2]))
        return between_rows(scope, ast, out, err);
    br_arena *arena = scope->binder->arena;
    br_bound value, low, high, copy, above, below;
    BR_TRY(br_bind_expression(scope, ast->args[0], &value, err));
    BR_TRY(br_bind_expression(scope, ast->args[1], &low, err));
    BR_TRY(br_bind_expression(scope, ast->args[2], &high, err));
    BR_TRY(clone_bound(scope, value, &copy, err));
    BR_TRY(br_bind_compare(scope, BR_OP_GE, value, low, &above, err));
    BR_TRY(br_bind_compare(scope, BR_OP_LE, copy, high, &below, err));
    br_expr *expr = br_expr_operator(arena, BR_OP_AND, above.expr, below.expr);
    BR_NEED(expr, err);
    bool alike = above.expr->kind == BR_EXPR_OPERATOR && below.expr->kind == BR_EXPR_OPERATOR &&
                 above.collation == below.collation &&
                 br_expr_equal(above.expr->args[0], below.expr->args[0]);
    if (alike) {
        expr->operator_ = BR_OP_BETWEEN;
        expr->collation = above.collation;
        expr->arg_count = 3;
        expr->args = BR_ALLOC(arena, br_expr *, 3);
        BR_NEED(expr->args, err);
        expr->args[0] = above.expr->args[0];
        expr->args[1] = above.expr->args[1];
        expr->args[2] = below.expr->args[1];
    }
    br_collation_source source = above.source == BR_COLLATED_EXPLICIT ||
                                         below.source == BR_COLLATED_EXPLICIT
                                     ? BR_COLLATED_EXPLICIT : BR_COLLATED_NOT;
    *out = (br_bound){expr, above.collation, source};
    return negate(scope, ast->negated, out, err);
}

// SQLite reads `x IN (constant)` as `x = +constant`.
static bool is_single_constant(const br_ast *ast, const br_expr *element)
{
    return ast->arg_count == 2 && br_expr_is_constant(element) &&
           ast->args[1]->kind != BR_AST_SUBQUERY && element->kind != BR_EXPR_SUBQUERY;
}

static br_status in_constant(br_scope *scope, const br_ast *ast, br_bound left, br_bound right,
                             br_bound *out, br_error *err)
{
    right.expr->affinity = BR_AFFINITY_NONE;
    BR_TRY(br_bind_compare(scope, BR_OP_EQ, left, right, out, err));
    return negate(scope, ast->negated, out, err);
}

// The left side's affinity counts for every element, the elements' own do not.
static br_status in_elements(br_scope *scope, const br_ast *ast, br_bound left, br_expr *expr,
                             br_error *err)
{
    br_affinity affinity = left.expr->affinity;
    bool nullable = (left.expr->type.class_mask & BR_MASK_NULL) != 0;
    expr->args[0] = br_apply_affinity(scope->binder->arena, left.expr, affinity);
    BR_NEED(expr->args[0], err);
    expr->can_fail = left.expr->can_fail;
    for (uint32_t i = 1; i < ast->arg_count; i++) {
        br_expr *element = expr->args[i];
        nullable = nullable || (element->type.class_mask & BR_MASK_NULL) != 0;
        expr->can_fail = expr->can_fail || element->can_fail;
        expr->args[i] = br_apply_affinity(scope->binder->arena, element, affinity);
        BR_NEED(expr->args[i], err);
    }
    expr->type = br_type_int(0, 1, nullable);
    return BR_OK;
}

// Constants go into a set of texts. Others, and up to two, SQLite compares one by one.
static bool is_compared_singly(const br_expr *expr, const br_bound *left)
{
    bool is_constant = true, is_mixed = false;
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        is_constant = is_constant && br_expr_is_constant(expr->args[i]);
        is_mixed = is_mixed || br_compare_is_mixed(left->expr, expr->args[i], left->expr->affinity);
    }
    return is_mixed && (!is_constant || expr->arg_count <= 3);
}

static br_status in_singly(br_scope *scope, const br_ast *ast, const br_bound *left,
                           const br_expr *list, br_bound *out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_expr *result = NULL;
    for (uint32_t i = 1; i < list->arg_count; i++) {
        br_bound value, equal, element = {.expr = list->args[i]};
        element.expr->affinity = BR_AFFINITY_NONE;
        BR_TRY(clone_bound(scope, *left, &value, err));
        BR_TRY(br_bind_compare(scope, BR_OP_EQ, value, element, &equal, err));
        result = result == NULL ? equal.expr
                                : br_expr_operator(arena, BR_OP_OR, result, equal.expr);
        BR_NEED(result, err);
    }
    out->expr = result;
    return negate(scope, ast->negated, out, err);
}

// (a, b) IN ((c, d), ...) is (a, b) = (c, d) OR ...
static br_status in_rows(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_bound *left, *right;
    uint32_t count, right_count;
    br_expr *result = NULL, *equal;
    *out = (br_bound){.source = BR_COLLATED_NOT};
    BR_TRY(br_bind_row(scope, ast->args[0], &left, &count, err));
    for (uint32_t i = 1; i < ast->arg_count; i++) {
        right_count = ast->args[i]->kind == BR_AST_ROW ? ast->args[i]->arg_count : 1;
        if (right_count != count)
            return br_fail(err, BR_SQL, "IN(...) element has %u term%s - expected %u", right_count,
                           right_count == 1 ? "" : "s", count);
        BR_TRY(br_bind_row(scope, ast->args[i], &right, &right_count, err));
        BR_TRY(compare_rows(scope, BR_OP_EQ, left, right, count, &equal, err));
        result = result == NULL ? equal : br_expr_operator(arena, BR_OP_OR, result, equal);
        BR_NEED(result, err);
    }
    out->expr = result;
    return negate(scope, ast->negated, out, err);
}

br_status br_bind_in_list(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    br_arena *arena = scope->binder->arena;
    br_bound left, element = {0};
    *out = (br_bound){.source = BR_COLLATED_NOT};
    if (ast->arg_count == 1) {  // never true, not even for NULL; SQLite looks at no operand
        out->expr = br_expr_const(arena, br_value_int(ast->negated));
        BR_NEED(out->expr, err);
        return BR_OK;
    }
    if (ast->args[0]->kind == BR_AST_ROW) return in_rows(scope, ast, out, err);
    BR_TRY(br_bind_expression(scope, ast->args[0], &left, err));
    br_expr *expr = br_expr_new(arena, BR_EXPR_OPERATOR, ast->arg_count);
    BR_NEED(expr, err);
    for (uint32_t i = 1; i < ast->arg_count; i++) {
        BR_TRY(br_bind_expression(scope, ast->args[i], &element, err));
        expr->args[i] = element.expr;
        if (element.source == BR_COLLATED_EXPLICIT) out->source = BR_COLLATED_EXPLICIT;
    }
    if (is_single_constant(ast, element.expr))
        return in_constant(scope, ast, left, element, out, err);
    expr->operator_ = BR_OP_IN;
    expr->offset = ast->offset;
    expr->collation = left.source == BR_COLLATED_NOT ? BR_COLLATION_BINARY : left.collation;
    if (left.source == BR_COLLATED_EXPLICIT) out->source = BR_COLLATED_EXPLICIT;
    out->collation = expr->collation;
    if (is_compared_singly(expr, &left)) return in_singly(scope, ast, &left, expr, out, err);
    BR_TRY(in_elements(scope, ast, left, expr, err));
    out->expr = expr;
    return negate(scope, ast->negated, out, err);
}

typedef struct case_base {  // CASE base WHEN ...: one item, or a row value
    bool is_row;
    br_bound *items;
    uint32_t count;
} case_base;

static br_status case_condition(br_scope *scope, const br_ast *ast, const case_base *base,
                                br_bound *out, br_error *err)
{
    if (base->items == NULL) return br_bind_expression(scope, ast, out, err);
    br_bound *when, copy;
    uint32_t count;
    BR_TRY(br_bind_row(scope, ast, &when, &count, err));
    if (count != base->count) return row_misused(ast, err);
    *out = (br_bound){.source = BR_COLLATED_NOT};
    if (base->is_row)
        return compare_rows(scope, BR_OP_EQ, base->items, when, count, &out->expr, err);
    BR_TRY(clone_bound(scope, base->items[0], &copy, err));
    return br_bind_compare(scope, BR_OP_EQ, copy, when[0], out, err);
}

static void case_note(br_bound *out, const br_bound *part)
{
    if (part->source != BR_COLLATED_EXPLICIT || out->source == BR_COLLATED_EXPLICIT) return;
    out->source = BR_COLLATED_EXPLICIT;
    out->collation = part->collation;
}

br_status br_bind_case(br_scope *scope, const br_ast *ast, br_bound *out, br_error *err)
{
    uint32_t first = ast->has_base ? 1 : 0;
    uint32_t pairs = (ast->arg_count - first - (ast->has_else ? 1 : 0)) / 2;
    br_bound part;
    case_base base = {.is_row = ast->has_base && ast->args[0]->kind == BR_AST_ROW};
    *out = (br_bound){.source = BR_COLLATED_NOT};
    if (ast->has_base) BR_TRY(br_bind_row(scope, ast->args[0], &base.items, &base.count, err));
    base.is_row = base.is_row || base.count > 1;
    br_expr *expr = br_expr_new(scope->binder->arena, BR_EXPR_CASE, pairs * 2 + 1);
    BR_NEED(expr, err);
    expr->offset = ast->offset;
    br_branch_guard guard = {
        .passed = BR_OP_IS_NOT_TRUE, .conditions = expr->args, .step = 2};
    for (uint32_t i = 0; i < pairs; i++) {
        const br_ast *const *pair = (const br_ast *const *)&ast->args[first + 2 * i];
        uint32_t joins = br_scope_join_count(scope);
        guard.before = i;
        guard.condition = NULL;
        BR_TRY(case_condition(scope, pair[0], &base, &part, err));
        BR_TRY(br_scope_guard(scope, joins, &guard, err));
        expr->args[2 * i] = part.expr;
        case_note(out, &part);
        joins = br_scope_join_count(scope);
        guard.condition = part.expr;
        BR_TRY(br_bind_expression(scope, pair[1], &part, err));
        BR_TRY(br_scope_guard(scope, joins, &guard, err));
        expr->args[2 * i + 1] = part.expr;
        case_note(out, &part);
        expr->type = i == 0 ? part.expr->type : br_type_union(expr->type, part.expr->type);
    }
    if (ast->has_else) {
        uint32_t joins = br_scope_join_count(scope);
        guard.before = pairs;
        guard.condition = NULL;
        BR_TRY(br_bind_expression(scope, ast->args[ast->arg_count - 1], &part, err));
        BR_TRY(br_scope_guard(scope, joins, &guard, err));
        case_note(out, &part);
    } else {
        part.expr = br_expr_const(scope->binder->arena, br_value_null());
        BR_NEED(part.expr, err);
    }
    expr->args[pairs * 2] = part.expr;
    expr->type = br_type_union(expr->type, part.expr->type);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        expr->can_fail = expr->can_fail || expr->args[i]->can_fail;
    out->expr = expr;
    return BR_OK;
}
