// test_plans.c - plan nodes built by hand, in forms that a planner seldom or never chooses.
//
// Each plan has a SQL text that means the same; SQLite says what the rows are.
// SPDX-License-Identifier: Apache-2.0
#include <stdatomic.h>

#include "base/thread.h"
#include "tests/exec/support_query.h"
#include "tests/test.h"

static query_world world;
static br_arena *arena;
static uint32_t next_id;

static void make_world(void)
{
    world_open(&world);
    world_exec(&world,
               "CREATE TABLE l(k, a INTEGER); CREATE TABLE r(k, b INTEGER); CREATE TABLE none(k, b);"
               "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 30000)"
               "INSERT INTO l SELECT CASE WHEN i % 97 = 0 THEN NULL WHEN i % 10 = 0 THEN i % 700 * 1.0"
               "  WHEN i % 31 = 0 THEN 'k' || i % 50 ELSE i % 3000 END, i FROM g;"
               "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 2500)"
               "INSERT INTO r SELECT CASE WHEN i % 50 = 0 THEN NULL WHEN i % 7 = 0 THEN i * 1.0"
               "  WHEN i % 11 = 0 THEN 'k' || i % 80 ELSE i % 2000 END, i FROM g;"
               "CREATE INDEX l_k ON l(k); CREATE INDEX r_k ON r(k);"
               // SQLite goes through r for each row of it, in some queries.
               "CREATE TABLE some AS SELECT k, a FROM l WHERE a % 11 = 0;"
               // Two thirds of `many` have the same key, which some of `few` have, too.
               "CREATE TABLE few AS SELECT CASE WHEN a % 7 = 3 THEN 'hot' ELSE k END AS k, a FROM l "
               "  WHERE a BETWEEN 60 AND 85;"
               "CREATE TABLE many AS SELECT CASE WHEN a % 3 THEN 'hot' ELSE k END AS k, "
               "  (a + 7) % 16000 AS b FROM l WHERE a <= 16000;");
    world_load(&world);
}

// ---- building --------------------------------------------------------------------------------

static br_plan *plan_new(br_plan_kind kind, uint32_t column_count)
{
    br_plan *plan = BR_ALLOC(arena, br_plan, 1);
    plan->kind = kind;
    plan->column_count = column_count;
    plan->columns = BR_ALLOC(arena, br_plan_column, column_count);
    return plan;
}

static br_plan *plan_scan(const char *table)
{
    br_plan *plan = plan_new(BR_PLAN_SCAN, 2);
    const br_table_view *view = br_snapshot_find(world.snapshot, table);
    plan->scan.table_id = br_table_view_spec(view)->table_id;
    plan->scan.table_name = table;
    plan->scan.output_count = 2;
    plan->scan.table_columns = BR_ALLOC(arena, uint32_t, 2);
    for (uint32_t i = 0; i < 2; i++) {
        plan->scan.table_columns[i] = i;
        plan->columns[i] = (br_plan_column){
            .id = next_id++, .name = "c", .type = {.class_mask = BR_MASK_ALL}};
    }
    return plan;
}

static br_expr *column_of(const br_plan *plan, uint32_t index)
{
    br_expr *expr = BR_ALLOC(arena, br_expr, 1);
    expr->kind = BR_EXPR_COLUMN;
    expr->column_id = plan->columns[index].id;
    expr->type = plan->columns[index].type;
    return expr;
}

static br_expr *constant(br_value value)
{
    br_expr *expr = BR_ALLOC(arena, br_expr, 1);
    expr->kind = BR_EXPR_CONST;
    expr->value = value;
    expr->type.class_mask = (uint8_t)(1u << value.class_);
    return expr;
}

static br_expr *operator_of(br_operator operator_, br_expr *left, br_expr *right)
{
    br_expr *expr = BR_ALLOC(arena, br_expr, 1);
    expr->kind = BR_EXPR_OPERATOR;
    expr->operator_ = operator_;
    expr->arg_count = 2;
    expr->args = BR_ALLOC(arena, br_expr *, 2);
    expr->args[0] = left;
    expr->args[1] = right;
    expr->type.class_mask = BR_MASK_ALL;
    return expr;
}

typedef struct join_form {
    br_join_kind join;
    bool build_left, has_residual, null_safe;
    uint32_t mark_key_count;
    uint32_t key_count;
    const char *left, *right;  // tables; NULL: l
} join_form;

// SELECT l.k, l.a [, r.k, r.b | mark] FROM l <join> r ON l.k = r.k [AND l.a = r.b] [AND l.a > r.b]
static br_plan *plan_join(const join_form *form)
{
    bool has_right = form->join != BR_JOIN_SEMI && form->join != BR_JOIN_ANTI &&
                     form->join != BR_JOIN_MARK;
    br_plan *plan = plan_new(BR_PLAN_JOIN, has_right ? 4 : form->join == BR_JOIN_MARK ? 3 : 2);
    plan->left = plan_scan(form->left == NULL ? "l" : form->left);
    plan->right = plan_scan(form->right);
    for (uint32_t i = 0; i < 2; i++) {
        plan->columns[i] = plan->left->columns[i];
        if (has_right) plan->columns[2 + i] = plan->right->columns[i];
    }
    if (form->join == BR_JOIN_MARK)
        plan->columns[2] = (br_plan_column){.id = next_id++, .name = "mark"};
    plan->join.join = form->join;
    plan->join.build_left = form->build_left;
    plan->join.mark_key_count = form->mark_key_count;
    plan->join.key_count = form->key_count;
    plan->join.left_keys = BR_ALLOC(arena, br_expr *, 2);
    plan->join.right_keys = BR_ALLOC(arena, br_expr *, 2);
    plan->join.key_collations = BR_ALLOC(arena, br_collation, 2);
    plan->join.null_safe = BR_ALLOC(arena, bool, 2);
    for (uint32_t i = 0; i < 2; i++) {
        plan->join.left_keys[i] = column_of(plan->left, i);
        plan->join.right_keys[i] = column_of(plan->right, i);
        plan->join.null_safe[i] = form->null_safe;
    }
    if (form->has_residual)
        plan->join.residual = operator_of(BR_OP_GT, column_of(plan->left, 1),
                                          column_of(plan->right, 1));
    return plan;
}

static bool check_join(const join_form *form, const char *sql)
{
    arena = br_arena_new(NULL);
    next_id = 1;
    br_query query = {.root = plan_join(form)};
    bool is_same = world_check_plan(&world, &query, sql);
    br_arena_free(arena);
    return is_same;
}

// ---- joins -----------------------------------------------------------------------------------

static void test_joins_build_either_side(void)
{
    for (int build_left = 0; build_left < 2; build_left++) {
        join_form form = {.build_left = build_left, .key_count = 1, .right = "r"};
        form.join = BR_JOIN_INNER;
        CHECK(check_join(&form, "SELECT * FROM l JOIN r ON l.k = r.k"));
        form.join = BR_JOIN_LEFT;
        CHECK(check_join(&form, "SELECT * FROM l LEFT JOIN r ON l.k = r.k"));
        form.join = BR_JOIN_FULL;
        CHECK(check_join(&form, "SELECT * FROM l FULL JOIN r ON l.k = r.k"));
        form.join = BR_JOIN_SEMI;
        CHECK(check_join(&form, "SELECT * FROM l WHERE k IN (SELECT k FROM r)"));
        form.join = BR_JOIN_ANTI;
        CHECK(check_join(&form, "SELECT * FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k)"));
        form.right = "none";
        CHECK(check_join(&form, "SELECT * FROM l"));
        form.join = BR_JOIN_SEMI;
        CHECK(check_join(&form, "SELECT * FROM l WHERE 0"));
        form.join = BR_JOIN_FULL;
        CHECK(check_join(&form, "SELECT *, NULL, NULL FROM l"));
    }
}

static void test_joins_with_residual(void)
{
    for (int build_left = 0; build_left < 2; build_left++) {
        join_form form = {
            .build_left = build_left, .key_count = 1, .has_residual = true, .right = "r"};
        form.join = BR_JOIN_INNER;
        CHECK(check_join(&form, "SELECT * FROM l JOIN r ON l.k = r.k AND l.a > r.b"));
        form.join = BR_JOIN_LEFT;
        CHECK(check_join(&form, "SELECT * FROM l LEFT JOIN r ON l.k = r.k AND l.a > r.b"));
        form.join = BR_JOIN_FULL;
        CHECK(check_join(&form, "SELECT * FROM l FULL JOIN r ON l.k = r.k AND l.a > r.b"));
        form.join = BR_JOIN_SEMI;
        CHECK(check_join(&form, "SELECT * FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND a > b)"));
        form.join = BR_JOIN_ANTI;
        CHECK(check_join(&form,
                         "SELECT * FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND a > b)"));
    }
}

static void test_joins_on_two_keys(void)
{
    for (int build_left = 0; build_left < 2; build_left++) {
        join_form form = {.build_left = build_left, .key_count = 2, .right = "r"};
        form.join = BR_JOIN_INNER;
        CHECK(check_join(&form, "SELECT * FROM l JOIN r ON l.k = r.k AND l.a = r.b"));
        form.join = BR_JOIN_LEFT;
        CHECK(check_join(&form, "SELECT * FROM l LEFT JOIN r ON l.k = r.k AND l.a = r.b"));
        form.null_safe = true;
        CHECK(check_join(&form, "SELECT * FROM l LEFT JOIN r ON l.k IS r.k AND l.a IS r.b"));
    }
    join_form safe = {.join = BR_JOIN_SEMI, .key_count = 1, .null_safe = true, .right = "r"};
    CHECK(check_join(&safe, "SELECT * FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k IS l.k)"));
}

static void test_mark_and_single(void)
{
    join_form form = {.join = BR_JOIN_MARK, .key_count = 1, .mark_key_count = 1, .right = "r"};
    CHECK(check_join(&form, "SELECT *, k IN (SELECT k FROM r) FROM l"));
    form.mark_key_count = 0;
    CHECK(check_join(&form, "SELECT *, EXISTS (SELECT 1 FROM r WHERE r.k = l.k) FROM l"));
    form.has_residual = true;
    form.mark_key_count = 1;
    form.left = "some";
    CHECK(check_join(&form, "SELECT *, k IN (SELECT k FROM r WHERE a > b) FROM some"));
    form.has_residual = false;
    form.key_count = 2;  // the second one correlates
    CHECK(check_join(&form, "SELECT *, k IN (SELECT k FROM r WHERE a = b) FROM some"));
    form.left = "l";
    form.right = "none";
    CHECK(check_join(&form, "SELECT *, k IN (SELECT k FROM none) FROM l"));
    form = (join_form){.join = BR_JOIN_SINGLE, .key_count = 1, .right = "r"};
    CHECK(check_join(&form, "SELECT l.*, r.* FROM l LEFT JOIN r ON r.rowid ="
                            " (SELECT min(q.rowid) FROM r AS q WHERE q.k = l.k)"));
    form.has_residual = true;
    CHECK(check_join(&form, "SELECT l.*, r.* FROM l LEFT JOIN r ON r.rowid ="
                            " (SELECT min(q.rowid) FROM r AS q WHERE q.k = l.k AND l.a > q.b)"));
}

// ---- build sides on disk ---------------------------------------------------------------------

// The same with a quota that the build side, which is `many`, does not fit.
static bool check_on_disk(join_form form, const char *sql)
{
    br_error err;
    br_result *result;
    world.spills = true;
    world.memory_limit = 1536 << 10;
    if (form.left == NULL) form.left = "few";
    if (form.right == NULL) form.right = "many";
    bool is_same = check_join(&form, sql);
    arena = br_arena_new(NULL);
    br_query query = {.root = plan_join(&form)};
    br_status status = world_run_query(&world, &query, 1, br_cpu_isa_best(), &result, &err);
    bool is_on_disk = status == BR_OK && result->spilled_bytes > 0;
    if (status == BR_OK) br_result_free(result);
    br_arena_free(arena);
    world.memory_limit = 0;
    world.spills = false;
    return is_same && is_on_disk;
}

// Nothing to cut by: probe rows pass one block of the build side after the other.
static void test_joins_without_keys_on_disk(void)
{
    join_form form = {.has_residual = true};
    form.join = BR_JOIN_INNER;
    CHECK(check_on_disk(form, "SELECT * FROM few JOIN many ON a > b"));
    form.join = BR_JOIN_LEFT;
    CHECK(check_on_disk(form, "SELECT * FROM few LEFT JOIN many ON a > b"));
    form.join = BR_JOIN_SEMI;
    CHECK(check_on_disk(form, "SELECT * FROM few WHERE EXISTS (SELECT 1 FROM many WHERE a > b)"));
    form.join = BR_JOIN_ANTI;
    CHECK(check_on_disk(form, "SELECT * FROM few WHERE NOT EXISTS (SELECT 1 FROM many WHERE a > b)"));
    form.join = BR_JOIN_MARK;
    CHECK(check_on_disk(form, "SELECT *, EXISTS (SELECT 1 FROM many WHERE a > b) FROM few"));
    form.join = BR_JOIN_SINGLE;
    CHECK(check_on_disk(form, "SELECT few.*, many.* FROM few LEFT JOIN many ON many.rowid ="
                              " (SELECT min(q.rowid) FROM many AS q WHERE few.a > q.b)"));
}

// NULLs of all rows matter: one block after the other as well.
static void test_not_in_on_disk(void)
{
    join_form form = {.join = BR_JOIN_MARK, .key_count = 1, .mark_key_count = 1};
    CHECK(check_on_disk(form, "SELECT *, k IN (SELECT k FROM many) FROM few"));
    form.has_residual = true;
    CHECK(check_on_disk(form, "SELECT *, k IN (SELECT k FROM many WHERE a > b) FROM few"));
    form.has_residual = false;
    form.key_count = 2;
    CHECK(check_on_disk(form, "SELECT *, k IN (SELECT k FROM many WHERE a = b) FROM few"));
    form.mark_key_count = 2;
    CHECK(check_on_disk(form, "SELECT *, (k, a) IN (SELECT k, b FROM many) FROM few"));
}

// A key with too many rows for one table: its partition has several blocks.
static void test_one_key_on_disk(void)
{
    join_form form = {.key_count = 1, .has_residual = true};
    form.join = BR_JOIN_INNER;
    CHECK(check_on_disk(form, "SELECT * FROM few JOIN many ON few.k = many.k AND a > b"));
    form.join = BR_JOIN_LEFT;
    CHECK(check_on_disk(form, "SELECT * FROM few LEFT JOIN many ON few.k = many.k AND a > b"));
    form.join = BR_JOIN_SEMI;
    CHECK(check_on_disk(form, "SELECT * FROM few WHERE EXISTS "
                              "(SELECT 1 FROM many WHERE few.k = many.k AND a > b)"));
    form.join = BR_JOIN_ANTI;
    CHECK(check_on_disk(form, "SELECT * FROM few WHERE NOT EXISTS "
                              "(SELECT 1 FROM many WHERE few.k = many.k AND a > b)"));
    form.join = BR_JOIN_MARK;
    CHECK(check_on_disk(form, "SELECT *, EXISTS (SELECT 1 FROM many WHERE few.k = many.k AND a > b)"
                              " FROM few"));
    form.join = BR_JOIN_SINGLE;
    CHECK(check_on_disk(form, "SELECT few.*, many.* FROM few LEFT JOIN many ON many.rowid ="
                              " (SELECT min(q.rowid) FROM many AS q WHERE few.k = q.k AND a > q.b)"));
}

// ---- failures --------------------------------------------------------------------------------

static const char *const heavy[] = {
    "SELECT a, count(*), group_concat(k) FROM l GROUP BY a",
    "SELECT count(DISTINCT k), count(DISTINCT a) FROM l",
    "SELECT * FROM l ORDER BY k, a",
    "SELECT * FROM l ORDER BY k, a LIMIT 5000",
    "SELECT l.a, r.b FROM l JOIN r ON l.k = r.k",
    "SELECT l.a, r.b FROM r LEFT JOIN l ON l.k = r.k AND l.a < r.b",
    "SELECT k FROM l INTERSECT SELECT k FROM r",
    "SELECT b, (SELECT count(*) FROM (SELECT k FROM l WHERE l.a < r.b LIMIT 3 OFFSET (SELECT 1)))"
    " FROM r WHERE b < 20",
    "WITH q AS (SELECT k, sum(a) AS s FROM l GROUP BY k) SELECT * FROM q WHERE s = (SELECT max(s) FROM q)",
};

// Whatever the limit, a query either works or says why not; nothing is leaked.
static void test_memory_limits(void)
{
    for (uint32_t q = 0; q < sizeof heavy / sizeof *heavy; q++) {
        uint32_t failures = 0;
        for (size_t limit = 20000; limit < 200000000; limit = limit * 5 / 2) {
            br_error err = {0};
            br_result *result = NULL;
            world.memory_limit = limit;
            br_status status = world_run(&world, heavy[q], 1, br_cpu_isa_best(), &result, &err);
            CHECK(status == BR_OK || (status == BR_NOMEM && err.message[0] != 0));
            failures += status != BR_OK;
            if (status == BR_OK) br_result_free(result);
            CHECK_INT(atomic_load(&world.query_quota.used_bytes), 0);
        }
        CHECK(failures > 0);
    }
    world.memory_limit = 0;
}

static void test_cancelled_and_too_late(void)
{
    _Atomic bool cancelled = true;
    for (uint32_t q = 0; q < sizeof heavy / sizeof *heavy; q++) {
        br_error err = {0};
        br_result *result = NULL;
        world.cancelled = &cancelled;
        CHECK_INT(world_run(&world, heavy[q], 1, br_cpu_isa_best(), &result, &err),
                  BR_INTERRUPTED);
        CHECK_TEXT(err.message, "interrupted");
        world.cancelled = NULL;
        world.deadline_ns = 1;
        CHECK_INT(world_run(&world, heavy[q], 1, br_cpu_isa_best(), &result, &err),
                  BR_INTERRUPTED);
        world.deadline_ns = 0;
        CHECK_INT(atomic_load(&world.query_quota.used_bytes), 0);
    }
}

// For each row x of r, the rows of r whose b is the argument x.k; none for texts and NULLs.
static void test_apply_with_and_without_rows(void)
{
    arena = br_arena_new(NULL);
    next_id = 1;
    br_expr *parameter = constant(br_value_null()), *arguments[1], *filters[1];
    parameter->kind = BR_EXPR_PARAMETER;
    parameter->type.class_mask = BR_MASK_ALL;
    br_plan *inner = plan_scan("r"), *applied[1] = {inner};
    filters[0] = operator_of(BR_OP_EQ, column_of(inner, 1), parameter);
    inner->scan.filters = filters;
    inner->scan.filter_count = 1;
    br_plan *apply = plan_new(BR_PLAN_APPLY, 4);
    apply->left = plan_scan("r");
    for (uint32_t i = 0; i < 2; i++) {
        apply->columns[i] = apply->left->columns[i];
        apply->columns[2 + i] = (br_plan_column){.id = next_id++, .name = "c"};
        apply->columns[2 + i].type.class_mask = BR_MASK_ALL;
    }
    arguments[0] = column_of(apply->left, 0);
    apply->apply.arguments = arguments;
    apply->apply.argument_count = 1;
    br_query query = {
        .root = apply, .applied_count = 1, .applied = applied, .argument_count = 1};
    CHECK(world_check_plan(&world, &query, "SELECT * FROM r x JOIN r y ON y.b = x.k"));
    apply->apply.keeps_unmatched = true;
    CHECK(world_check_plan(&world, &query, "SELECT * FROM r x LEFT JOIN r y ON y.b = x.k"));
    br_arena_free(arena);
}

// A plan made for other data than the snapshot's.
static void test_outdated_plan(void)
{
    br_error err = {0};
    br_result *result = NULL;
    arena = br_arena_new(NULL);
    next_id = 1;
    br_query query = {.root = plan_scan("l")};
    query.root->columns[0].type.class_mask = BR_MASK_INT;
    CHECK_INT(world_run_query(&world, &query, 0, BR_ISA_SCALAR, &result, &err), BR_RETYPE);
    query.root->scan.table_id = 77;
    CHECK_INT(world_run_query(&world, &query, 0, BR_ISA_SCALAR, &result, &err), BR_RETYPE);
    br_arena_free(arena);
}

static void test_filters_that_are_constants(void)
{
    arena = br_arena_new(NULL);
    next_id = 1;
    br_query query = {.root = plan_scan("r")};
    br_expr *filters[3];
    query.root->scan.filters = filters;
    query.root->scan.filter_count = 1;
    filters[0] = constant(br_value_int(1));
    CHECK(world_check_plan(&world, &query, "SELECT * FROM r"));
    filters[0] = constant(br_value_null());
    CHECK(world_check_plan(&world, &query, "SELECT * FROM r WHERE 0"));
    filters[0] = operator_of(BR_OP_IS, column_of(query.root, 0), constant(br_value_null()));
    CHECK(world_check_plan(&world, &query, "SELECT * FROM r WHERE k IS NULL"));
    filters[0] = operator_of(BR_OP_IS_NOT, column_of(query.root, 0), constant(br_value_int(5)));
    filters[1] = operator_of(BR_OP_GE, constant(br_value_int(2000)), column_of(query.root, 1));
    filters[2] = operator_of(BR_OP_NE, column_of(query.root, 0), column_of(query.root, 1));
    query.root->scan.filter_count = 3;
    CHECK(world_check_plan(&world, &query,
                           "SELECT * FROM r WHERE k IS NOT 5 AND b <= 2000 AND k <> b"));
    br_arena_free(arena);
}

int main(void)
{
    make_world();
    RUN(test_joins_build_either_side);
    RUN(test_joins_with_residual);
    RUN(test_joins_on_two_keys);
    RUN(test_mark_and_single);
    RUN(test_joins_without_keys_on_disk);
    RUN(test_not_in_on_disk);
    RUN(test_one_key_on_disk);
    RUN(test_filters_that_are_constants);
    RUN(test_apply_with_and_without_rows);
    RUN(test_outdated_plan);
    RUN(test_memory_limits);
    RUN(test_cancelled_and_too_late);
    world_close(&world);
    return test_result();
}
