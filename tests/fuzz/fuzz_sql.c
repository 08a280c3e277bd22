// fuzz_sql - any text through the parser; what SQLite takes as a statement also through the binder,
// the planner and EXPLAIN.
// SPDX-License-Identifier: Apache-2.0
#include "sql/sql.h"
#include "tests/fuzz/support_sql.h"

static void parse(const char *text)
{
    br_error err;
    br_arena *arena = br_arena_new(NULL);
    br_statement_ast statement;
    if (arena == NULL) exit(2);
    br_status status = br_parse(text, arena, &statement, &err);
    if (status != BR_OK && err.message[0] == '\0') abort(); // whoever fails says why
    br_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = fuzz_text(bytes, size), *plan = NULL;
    if (text == NULL) return 0;
    braid *db = fuzz_world(text);
    parse(text);
    if (fuzz_is_query(text) && braid_explain(db, text, &plan) == BRAID_OK) braid_free(plan);
    free(text);
    return 0;
}
