// json_call.c - see the header.
//
// Arguments that are not marked are leaves: they are computed here, for all rows. What SQLite would
// not compute for some rows (branches of CASE, later arguments of coalesce()) and what may fail is
// no leaf but goes into the text.
// SPDX-License-Identifier: Apache-2.0
#include "exec/json_call.h"

#include "base/bytes.h"
#include "exec/evaluate.h"

typedef struct writer {
    br_json_call *call;
    br_arena *arena;
    br_buffer text;
    uint32_t capacity;  // of leaves
} writer;

static br_status write_expr(writer *self, br_expr *expr, bool is_lazy, br_error *err);

bool br_json_is_nested(const br_expr *expr)
{
    if (expr->kind != BR_EXPR_FUNCTION || !br_function_takes_json(expr->function_name))
        return false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (br_expr_json(expr->args[i]) != BR_JSON_NOT) return true;
    }
    return false;
}

static br_status put(writer *self, const char *text, br_error *err)
{
    bool done = br_buffer_append(&self->text, text, strlen(text));
    return done ? BR_OK : br_evaluate_no_memory(err);
}

static br_status put_name(writer *self, const char *name, br_error *err)
{
    BR_TRY(put(self, "\"", err));
    for (; *name != 0; name++) {
        char letter[3] = {*name, *name == '"' ? '"' : 0, 0};
        BR_TRY(put(self, letter, err));
    }
    return put(self, "\"", err);
}

static br_status put_leaf(writer *self, br_expr *expr, br_error *err)
{
    br_json_call *call = self->call;
    if (call->leaf_count == self->capacity) {
        uint32_t capacity = self->capacity == 0 ? 8 : self->capacity * 2;
        br_expr **leaves = BR_ALLOC(self->arena, br_expr *, capacity);
        if (leaves == NULL) return br_evaluate_no_memory(err);
        if (call->leaf_count > 0) memcpy(leaves, call->leaves, call->leaf_count * sizeof *leaves);
        call->leaves = leaves;
        self->capacity = capacity;
    }
    call->leaves[call->leaf_count++] = expr;
    bool done = br_buffer_format(&self->text, "?%u", call->leaf_count);
    return done ? BR_OK : br_evaluate_no_memory(err);
}

// A marked text that was computed elsewhere is valid JSON: json() gives it back, with its mark.
static br_status put_marked(writer *self, br_expr *expr, br_error *err)
{
    if (expr->json != BR_JSON_ALWAYS)
        return br_fail(err, BR_UNSUPPORTED, "JSON of a subquery in a JSON function");
    BR_TRY(put(self, "json(", err));
    BR_TRY(put_leaf(self, expr, err));
    return put(self, ")", err);
}

static br_status put_call(writer *self, const br_expr *expr, bool is_lazy, br_error *err)
{
    bool compares = expr->function == BR_FN_MIN || expr->function == BR_FN_MAX ||
                    expr->function == BR_FN_NULLIF;
    self->call->is_volatile = self->call->is_volatile || expr->is_volatile;
    BR_TRY(put_name(self, expr->function_name, err));
    BR_TRY(put(self, "(", err));
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (i > 0) BR_TRY(put(self, ",", err));
        bool is_later = expr->function == BR_FN_COALESCE && i > 0;
        BR_TRY(write_expr(self, expr->args[i], is_lazy || is_later, err));
        if (i > 0 || !compares || expr->collation == BR_COLLATION_BINARY) continue;
        BR_TRY(put(self, " COLLATE ", err));
        BR_TRY(put_name(self, br_collation_name(expr->collation), err));
    }
    return put(self, ")", err);
}

static br_status put_case(writer *self, const br_expr *expr, bool is_lazy, br_error *err)
{
    BR_TRY(put(self, "CASE", err));
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        BR_TRY(put(self, " WHEN ", err));
        BR_TRY(write_expr(self, expr->args[i], is_lazy || i > 0, err));
        BR_TRY(put(self, " THEN ", err));
        BR_TRY(write_expr(self, expr->args[i + 1], true, err));
    }
    BR_TRY(put(self, " ELSE ", err));
    BR_TRY(write_expr(self, expr->args[expr->arg_count - 1], true, err));
    return put(self, " END", err);
}

static br_status write_expr(writer *self, br_expr *expr, bool is_lazy, br_error *err)
{
    bool is_marked = br_expr_json(expr) != BR_JSON_NOT;
    if (!is_marked && !(is_lazy && expr->can_fail)) return put_leaf(self, expr, err);
    switch (expr->kind) {
    case BR_EXPR_COLUMN:
    case BR_EXPR_SUBQUERY: return put_marked(self, expr, err);
    case BR_EXPR_FUNCTION: return put_call(self, expr, is_lazy, err);
    case BR_EXPR_CASE: return put_case(self, expr, is_lazy, err);
    case BR_EXPR_CAST:
        if (expr->affinity_to != BR_AFFINITY_TEXT) break;
        BR_TRY(put(self, "CAST(", err));
        BR_TRY(write_expr(self, expr->args[0], is_lazy, err));
        return put(self, " AS TEXT)", err);
    default: break;
    }
    return br_fail(err, BR_UNSUPPORTED, "operator in an argument of a JSON function");
}

br_status br_json_call_make(const br_expr *expr, br_arena *arena, br_json_call *out, br_error *err)
{
    *out = (br_json_call){0};
    writer self = {.call = out, .arena = arena};
    br_status status = put_call(&self, expr, false, err);
    if (status == BR_OK) {
        out->text = br_arena_copy_text(arena, (const char *)self.text.bytes, self.text.size_bytes);
        if (out->text == NULL) status = br_evaluate_no_memory(err);
    }
    br_buffer_release(&self.text);
    return status;
}
