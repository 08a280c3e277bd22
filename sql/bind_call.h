// bind_call.h - a table-valued function, or a table that SQLite reads, on its way from FROM to a
// CALL node.
//
// Its arguments may name tables behind it. Then it waits until all of FROM is bound.
//
// Ownership and threads: the binder's.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_BIND_CALL_H
#define BR_SQL_BIND_CALL_H

#include "sql/bind.h"

typedef struct br_call_argument {
    const br_ast *ast;
    br_call_constraint constraint;
} br_call_argument;

typedef struct br_table_call {
    const br_ast_source *source;
    const br_table_function *function;
    bool takes_arguments;
    uint32_t argument_count;
    br_call_argument *arguments;
    br_plan *plan;
    br_scope_item *item;
} br_table_call;

// bind_constraint.c: finds the arguments, in parentheses and in the conditions that the scope
// offers. Conditions taken mean nothing any more: see br_bind_constraint.
BR_CHECKED br_status br_call_arguments(br_scope *scope, br_table_call *call, br_error *err);

// Does it say what the column is equal to?
bool br_call_has_argument(const br_table_call *call, uint32_t column);

#endif
