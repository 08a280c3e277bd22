// SQL against a small store, bound and optimised, and what EXPLAIN says of the plan. Estimated rows
// are left out where they do not matter.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <strings.h>

#include "columnar/columnar.h"
#include "sql/sql.h"
#include "tests/test.h"

enum { TABLES_MAX = 80 };

typedef struct fixture {
    char folder[64];
    br_task_pool *pool;
    br_quota quota;
    br_store *store;
    br_snapshot *snapshot;
    br_arena *arena;
    uint32_t table_count;
    br_sql_table tables[TABLES_MAX];
} fixture;

static fixture world;

// ---- tables ----------------------------------------------------------------------------------

static br_sql_column int_column(const char *name, bool is_rowid)
{
    return (br_sql_column){.name = name, .affinity = BR_AFFINITY_INTEGER, .collation = "BINARY",
                           .declared_type = "INTEGER", .is_rowid = is_rowid};
}

static br_sql_column text_column(const char *name)
{
    return (br_sql_column){.name = name, .affinity = BR_AFFINITY_TEXT, .collation = "BINARY",
                           .declared_type = "TEXT"};
}

static br_value text_value(const char *format, int64_t number)
{
    char *text = br_arena_format(world.arena, "%s%02d", format, (int)number);
    return br_value_text(br_text_make(text, (uint32_t)strlen(text)));
}

// (id, a, b, t): id counts, a repeats after `a_count`, b after `b_count`, t is one of 20 months.
static void add_table(br_apply *apply, const char *name, int64_t rows, int64_t a_count,
                      int64_t b_count)
{
    br_error err;
    uint32_t index = world.table_count++;
    br_sql_column *columns = BR_ALLOC(world.arena, br_sql_column, 4);
    columns[0] = int_column("id", true);
    columns[1] = int_column("a", false);
    columns[2] = int_column("b", false);
    columns[3] = text_column("t");
    world.tables[index] =
        (br_sql_table){.name = name, .columns = columns, .column_count = 4, .has_rowid = true};
    const char *names[] = {"id", "a", "b", "t"};
    br_table_spec spec = {.table_id = index + 1, .name = name, .definition = "",
                          .key_kind = BR_KEY_ROWID, .column_count = 4, .column_names = names};
    MUST(br_apply_add_table(apply, &spec, &err), err);
    br_value texts[20];
    for (int64_t i = 0; i < 20; i++)
        texts[i] = text_value(i < 12 ? "1995-" : "1996-", i % 12 + 1);
    for (int64_t id = 1; id <= rows; id++) {
        br_value values[4] = {br_value_int(id), br_value_int(id % a_count),
                              br_value_int(id % b_count), texts[id % 20]};
        MUST(br_apply_append(apply, index + 1, id, values, &err), err);
    }
}

static void world_open(void)
{
    br_error err;
    br_apply *apply;
    snprintf(world.folder, sizeof world.folder, "/tmp/braid-optimize-XXXXXX");
    if (mkdtemp(world.folder) == NULL) exit(1);
    br_quota_init(&world.quota, SIZE_MAX, NULL);
    world.arena = br_arena_new(NULL);
    MUST(br_task_pool_new(1, &world.pool, &err), err);
    char path[100];
    snprintf(path, sizeof path, "%s/store", world.folder);
    br_store_config config = {.folder = path, .kernels = br_format_kernels_for(BR_ISA_SCALAR),
                              .pool = world.pool, .quota = &world.quota,
                              .page_cache_bytes = 1 << 24};
    MUST(br_store_open(&config, &world.store, &err), err);
    MUST(br_apply_begin(world.store, &apply, &err), err);
    add_table(apply, "big", 20000, 100, 4000);
    add_table(apply, "mid", 4000, 50, 100);
    add_table(apply, "small", 100, 10, 7);
    add_table(apply, "tiny", 5, 5, 5);
    for (uint32_t i = 0; i < 70; i++)
        add_table(apply, br_arena_format(world.arena, "chain%u", i), 10, 10, 10);
    br_watermark watermark = {.seq = 1};
    MUST(br_apply_publish(apply, &watermark, &err), err);
    world.snapshot = br_snapshot_acquire(world.store);
    for (uint32_t i = 0; i < world.table_count; i++)
        world.tables[i].view = br_snapshot_find(world.snapshot, world.tables[i].name);
}

static void world_close(void)
{
    br_error err;
    br_snapshot_drop(world.snapshot);
    br_store_close(world.store);
    br_task_pool_free(world.pool);
    br_arena_free(world.arena);
    MUST(br_folder_remove(world.folder, &err), err);
}

static const br_sql_table *find_table(void *context, const char *schema, const char *name)
{
    (void)context;
    (void)schema;
    for (uint32_t i = 0; i < world.table_count; i++)
        if (strcasecmp(world.tables[i].name, name) == 0) return &world.tables[i];
    return NULL;
}

static const char *find_view(void *context, const char *schema, const char *name)
{
    (void)context;
    (void)schema;
    return strcasecmp(name, "months") == 0
               ? "CREATE VIEW months AS SELECT t AS month, count(*) AS n FROM mid GROUP BY t"
               : NULL;
}

static bool find_function(void *context, const char *name, uint32_t argument_count,
                          bool *is_volatile_out)
{
    (void)context;
    *is_volatile_out = false;
    (void)argument_count;
    return strcasecmp(name, "opaque") == 0;
}

static const br_sql_catalog catalog = {
    .find_table = find_table, .find_view = find_view, .find_function = find_function};

// ---- checks ----------------------------------------------------------------------------------

static br_status plan_text(const char *sql, br_arena *arena, br_buffer *out, br_error *err)
{
    br_statement_ast statement;
    br_query *query = NULL;
    br_plan_options options = {.optimize = true};
    BR_TRY(br_parse(sql, arena, &statement, err));
    BR_TRY(br_sql_plan(&statement, &catalog, &options, arena, &query, err));
    CHECK(query->cost >= 0 && query->root->rows >= 0);
    return br_query_explain(query, out, err);
}

// Takes "  (n rows)" out of every line.
static void drop_rows(char *text)
{
    char *write = text;
    for (char *read = text; *read != 0;) {
        char *end = strstr(read, "  (");
        if (end == NULL) end = read + strlen(read);
        memmove(write, read, (size_t)(end - read));
        write += end - read;
        read = *end == 0 ? end : strchr(end, '\n');
    }
    *write = 0;
}

static void check_plan(const char *sql, const char *expected)
{
    br_error err;
    br_buffer buffer = {0};
    br_arena *arena = br_arena_new(NULL);
    MUST(plan_text(sql, arena, &buffer, &err), err);
    CHECK(br_buffer_append(&buffer, "", 1));
    drop_rows((char *)buffer.bytes);
    CHECK_TEXT((char *)buffer.bytes, expected);
    br_buffer_release(&buffer);
    br_arena_free(arena);
}

// ---- limits ----------------------------------------------------------------------------------

static void test_limits_go_below_what_keeps_every_row(void)
{
    check_plan("SELECT big.id, mid.b FROM big LEFT JOIN mid ON big.b = mid.id LIMIT 3 OFFSET 2",
               "rows limit 3 offset 2\n"
               "  left join on b = id, build left\n"
               "    rows limit 3 and 2\n"
               "      scan big [id, b]\n"
               "    scan mid [id, b]\n");
    check_plan("SELECT big.id, mid.b FROM big LEFT JOIN mid ON big.b = mid.id"
               " WHERE big.a = 1 ORDER BY big.b DESC LIMIT 3",
               "project id as id, b as b\n"
               "  sort b desc limit 3\n"
               "    left join on b = id, build left\n"
               "      sort b desc limit 3\n"
               "        scan big [id, b] where a = 1\n"
               "      scan mid [id, b]\n");
    check_plan("SELECT id, b IN (SELECT id FROM mid) AS x FROM big ORDER BY a LIMIT ?",
               "project id as id, #10 as x\n"
               "  sort a limit ?1\n"
               "    mark join on b = id\n"
               "      sort a limit ?1\n"
               "        scan big [id, a, b]\n"
               "      scan mid [id]\n");
    check_plan("SELECT a FROM big UNION ALL SELECT b FROM mid ORDER BY 1 LIMIT 3",
               "sort a limit 3\n"
               "  union all\n"
               "    sort a limit 3\n"
               "      scan big [a]\n"
               "    sort b limit 3\n"
               "      scan mid [b]\n");
    check_plan("SELECT a FROM big LIMIT 0", "values\n");
}

static void test_limits_stay_where_rows_may_be_missing(void)
{
    check_plan("SELECT big.id FROM big JOIN mid ON big.b = mid.id LIMIT 3",
               "rows limit 3\n"
               "  inner join on b = id\n"
               "    scan big [id, b]\n"
               "    scan mid [id]\n");
    check_plan("SELECT big.id, mid.b FROM big LEFT JOIN mid ON big.b = mid.id"
               " ORDER BY mid.b LIMIT 3",
               "sort b limit 3\n"
               "  left join on b = id\n"
               "    scan big [id, b]\n"
               "    scan mid [id, b]\n");
    check_plan("SELECT a FROM big UNION SELECT b FROM mid ORDER BY 1 LIMIT 3",
               "sort a limit 3\n"
               "  union\n"
               "    scan big [a]\n"
               "    scan mid [b]\n");
    check_plan("SELECT * FROM (SELECT a FROM big UNION ALL SELECT b FROM mid) LIMIT 3",
               "rows limit 3\n"
               "  union all\n"
               "    scan big [a]\n"
               "    scan mid [b]\n");
}

// ---- what occurs twice -----------------------------------------------------------------------

static void test_equal_parts_are_computed_once(void)
{
    check_plan("SELECT x.a, x.n FROM (SELECT a, count(*) AS n FROM big WHERE b < 9 GROUP BY a) x"
               " WHERE n = (SELECT max(n) FROM"
               " (SELECT a, count(*) AS n FROM big WHERE b < 9 GROUP BY a))",
               "filter n = subquery 0\n"
               "  shared 0\n"
               "shared 0:\n"
               "  aggregate by a: count(*) as #13\n"
               "    scan big [a] where b < 9\n"
               "subquery 0:\n"
               "  aggregate: max(#13) as max(n)\n"
               "    shared 0\n");
    check_plan("SELECT a, sum(b) FROM big GROUP BY a UNION ALL SELECT a, sum(b) FROM big GROUP BY a",
               "union all\n"
               "  shared 0\n"
               "  shared 0\n"
               "shared 0:\n"
               "  aggregate by a: sum(b) as #5\n"
               "    scan big [a, b]\n");
}

// Scans, filters and joins that differ in nothing but what they put out give it all to every use.
static void test_joins_of_other_columns_are_computed_once(void)
{
    check_plan("SELECT big.a, sum(big.b) FROM big JOIN mid ON big.id = mid.id AND mid.a = 3"
               " GROUP BY 1 HAVING sum(big.b) > (SELECT max(mid.b) FROM big JOIN mid"
               " ON big.id = mid.id AND mid.a = 3)",
               "filter sum(big.b) > subquery 0\n"
               "  aggregate by a: sum(b) as sum(big.b)\n"
               "    shared 0\n"
               "shared 0:\n"
               "  inner join on id = id\n"
               "    scan big [id, a, b]\n"
               "    scan mid [id, b] where a = 3\n"
               "subquery 0:\n"
               "  aggregate: max(b) as max(mid.b)\n"
               "    shared 0\n");
    check_plan("SELECT big.a, mid.b FROM big JOIN mid ON big.id = mid.id AND mid.a = 3 UNION"
               " SELECT big.b, mid.id FROM big JOIN mid ON big.id = mid.id AND mid.a = 3",
               "union\n"
               "  project a, b\n"
               "    shared 0\n"
               "  project b, id\n"
               "    shared 0\n"
               "shared 0:\n"
               "  inner join on id = id\n"
               "    scan big [id, a, b]\n"
               "    scan mid [id, b] where a = 3\n");
}

static void test_parts_that_differ_are_computed_each(void)
{
    check_plan("SELECT a, sum(b) FROM big GROUP BY a UNION ALL SELECT a, sum(id) FROM big GROUP BY a",
               "union all\n"
               "  aggregate by a: sum(b) as #5\n"
               "    scan big [a, b]\n"
               "  aggregate by a: sum(id) as #13\n"
               "    scan big [id, a]\n");
    check_plan("SELECT a, max(opaque(b)) FROM big GROUP BY a"
               " UNION ALL SELECT a, max(opaque(b)) FROM big GROUP BY a",
               "union all\n"
               "  aggregate by a: max(opaque(b)) as #5\n"
               "    scan big [a, b]\n"
               "  aggregate by a: max(opaque(b)) as #13\n"
               "    scan big [a, b]\n");
}

// ---- push-down -------------------------------------------------------------------------------

static void test_push_reaches_the_scan(void)
{
    check_plan("SELECT id FROM big WHERE a = 1 AND b < 5",
               "scan big [id] where a = 1 AND b < 5\n");
    check_plan("SELECT x FROM (SELECT a + 1 AS x, b AS y FROM big) WHERE y = 3 AND x > 2",
               "project a + 1 as x\n"
               "  scan big [a] where b = 3 AND (a + 1) > 2\n");
    check_plan("SELECT count(*) FROM big WHERE NOT (a = 1 OR b > 7)",
               "aggregate: count(*) as count(*)\n"
               "  scan big [] where a <> 1 AND b <= 7, by statistics where they tell\n");
    check_plan("SELECT t FROM big WHERE 1 = 1 AND 2 + 3 > 4", "scan big [t]\n");
}

static void test_push_stops_where_it_must(void)
{
    check_plan("SELECT id FROM (SELECT id, a FROM big ORDER BY b LIMIT 5) WHERE a = 1",
               "project id as id\n"
               "  filter a = 1\n"
               "    sort b limit 5\n"
               "      scan big [id, a, b]\n");
    check_plan("SELECT a, count(*) FROM big GROUP BY a HAVING count(*) > 3 AND a < 9",
               "filter count(*) > 3\n"
               "  aggregate by a: count(*) as count(*)\n"
               "    scan big [a] where a < 9\n");
    check_plan("SELECT y.b FROM (SELECT * FROM big WHERE opaque(a) > 1) x, mid y WHERE x.b = y.id",
               "inner join on b = id\n"
               "  filter opaque(a) > 1\n"
               "    scan big [a, b]\n"
               "  scan mid [id, b]\n");
    check_plan("SELECT mid.b FROM big, mid WHERE big.b = mid.id AND opaque(mid.t) AND mid.a = 1",
               "project b as b\n"
               "  filter opaque(t)\n"
               "    inner join on b = id\n"
               "      scan big [b]\n"
               "      scan mid [id, b, t] where a = 1\n");
}

static void test_push_goes_through_sets_and_views(void)
{
    check_plan("SELECT x FROM (SELECT a AS x, b FROM big UNION ALL SELECT id, a FROM mid)"
               " WHERE x = 3",
               "union all\n"
               "  scan big [a] where a = 3\n"
               "  scan mid [id] where id = 3\n");
    check_plan("SELECT n FROM months WHERE month = '1995-03'",
               "project #5 as n\n"
               "  aggregate by t: count(*) as #5\n"
               "    scan mid [t] where t = '1995-03'\n");
}

static void test_push_of_a_never_true_condition_reads_nothing(void)
{
    check_plan("SELECT big.id FROM big, mid WHERE big.a = mid.a AND 1 > 2",
               "values\n");
    check_plan("SELECT count(*) FROM big WHERE NULL",
               "aggregate: count(*) as count(*)\n  values\n");
}

// ---- joins -----------------------------------------------------------------------------------

static void test_join_builds_the_smaller_side(void)
{
    check_plan("SELECT big.t FROM small, big WHERE small.id = big.a AND small.b = 2",
               "inner join on a = id\n"
               "  scan big [a, t]\n"
               "  scan small [id] where b = 2\n");
}

static void test_join_order_avoids_crossing(void)
{
    check_plan("SELECT count(*) FROM big, small, mid, tiny"
               " WHERE big.b = mid.id AND mid.b = small.id AND small.a = tiny.id",
               "aggregate: count(*) as count(*)\n"
               "  inner join on b = id\n"
               "    scan big [b]\n"
               "    inner join on b = id\n"
               "      scan mid [id, b]\n"
               "      inner join on a = id\n"
               "        scan small [id, a]\n"
               "        scan tiny [id]\n");
}

static void test_join_spreads_constants_over_equal_columns(void)
{
    check_plan("SELECT count(*) FROM big JOIN mid ON big.a = mid.a WHERE mid.a = 7",
               "aggregate: count(*) as count(*)\n"
               "  inner join on a = a\n"
               "    scan big [a] where a = 7\n"
               "    scan mid [a] where a = 7\n");
}

static void test_join_takes_common_parts_out_of_or(void)
{
    check_plan("SELECT count(*) FROM big, mid WHERE (big.a = mid.id AND big.b = 1 AND mid.b = 2)"
               " OR (big.a = mid.id AND big.b = 3 AND mid.b = 4)",
               "aggregate: count(*) as count(*)\n"
               "  inner join on id = a if ((b = 1) AND (b = 2)) OR ((b = 3) AND (b = 4))\n"
               "    scan mid [id, b] where (b = 2) OR (b = 4)\n"
               "    scan big [a, b] where (b = 1) OR (b = 3)\n");
}

static void test_join_keys_may_be_expressions(void)
{
    check_plan("SELECT count(*) FROM big, mid WHERE big.a + 1 = mid.id AND big.b > mid.b",
               "aggregate: count(*) as count(*)\n"
               "  inner join on a + 1 = id if b > b\n"
               "    scan big [a, b]\n"
               "    scan mid [id, b]\n");
}

static void test_left_join_keeps_its_rows(void)
{
    check_plan("SELECT count(mid.id) FROM big LEFT JOIN mid ON big.a = mid.id AND mid.b = 2"
               " AND big.b = 3 WHERE big.t > '1995-03'",
               "aggregate: count(id) as count(mid.id)\n"
               "  left join on a = id if b = 3\n"
               "    scan big [a, b] where t > '1995-03'\n"
               "    scan mid [id] where b = 2\n");
    check_plan("SELECT count(*) FROM big LEFT JOIN mid ON big.a = mid.id WHERE mid.b IS NULL",
               "aggregate: count(*) as count(*)\n"
               "  filter b IS NULL\n"
               "    left join on a = id\n"
               "      scan big [a]\n"
               "      scan mid [id, b]\n");
}

static void test_left_join_becomes_inner(void)
{
    check_plan("SELECT count(*) FROM small LEFT JOIN big ON big.a = small.id WHERE big.b > 2",
               "aggregate: count(*) as count(*)\n"
               "  inner join on a = id\n"
               "    scan big [a] where b > 2\n"
               "    scan small [id]\n");
}

static void test_left_join_builds_a_much_smaller_left_side(void)
{
    check_plan("SELECT count(*) FROM tiny LEFT JOIN big ON big.a = tiny.id",
               "aggregate: count(*) as count(*)\n"
               "  left join on id = a, build left\n"
               "    scan tiny [id]\n"
               "    scan big [a]\n");
}

static void test_semi_join_comes_early_when_it_is_selective(void)
{
    check_plan("SELECT count(*) FROM big, mid WHERE big.b = mid.id"
               " AND mid.id IN (SELECT id FROM tiny)",
               "aggregate: count(*) as count(*)\n"
               "  inner join on b = id\n"
               "    scan big [b]\n"
               "    semi join on id = id\n"
               "      scan mid [id]\n"
               "      scan tiny [id]\n");
    check_plan("SELECT count(*) FROM tiny"
               " WHERE NOT EXISTS (SELECT 1 FROM big WHERE a = tiny.id AND b < 3)",
               "aggregate: count(*) as count(*)\n"
               "  anti join on id = a, build left\n"
               "    scan tiny [id]\n"
               "    scan big [a] where b < 3\n");
}

static void test_join_of_many_tables_is_planned(void)
{
    br_buffer sql = {0}, out = {0};
    br_error err;
    CHECK(br_buffer_format(&sql, "SELECT count(*) FROM chain0"));
    for (int i = 1; i < 64; i++) CHECK(br_buffer_format(&sql, ", chain%d", i));
    CHECK(br_buffer_format(&sql, " WHERE chain0.id = 1"));
    for (int i = 1; i < 64; i++)
        CHECK(br_buffer_format(&sql, " AND chain%d.a = chain%d.b", i, (i * 7) % i));
    CHECK(br_buffer_append(&sql, "", 1));
    br_arena *arena = br_arena_new(NULL);
    MUST(plan_text((char *)sql.bytes, arena, &out, &err), err);
    CHECK(br_buffer_append(&out, "", 1));
    CHECK(strstr((char *)out.bytes, "cross join") == NULL);
    br_arena_free(arena);
    br_buffer_release(&sql);
    br_buffer_release(&out);
}

static void test_join_without_conditions_crosses_small_sides_first(void)
{
    check_plan("SELECT count(*) FROM big, tiny, small",
               "aggregate: count(*) as count(*)\n"
               "  cross join\n"
               "    scan big []\n"
               "    cross join\n"
               "      scan small []\n"
               "      scan tiny []\n");
}

// ---- shapes ----------------------------------------------------------------------------------

static void test_limit_over_sort_is_a_top_n(void)
{
    check_plan("SELECT a + 1 FROM big ORDER BY b DESC LIMIT 3 OFFSET 2",
               "project a + 1 as a + 1\n"
               "  sort b desc limit 3 offset 2\n"
               "    scan big [a, b]\n");
}

static void test_prune_keeps_what_is_read(void)
{
    check_plan("SELECT max(b) FROM (SELECT *, a * 2 AS unused FROM big)",
               "aggregate: max(b) as max(b)\n  scan big [b], by statistics where they tell\n");
    check_plan("SELECT a FROM (SELECT a, sum(b), count(*) AS n FROM big GROUP BY a) WHERE n > 1",
               "project #7 as a\n"
               "  filter #6 > 1\n"
               "    aggregate by a: count(*) as #6\n"
               "      scan big [a]\n");
    check_plan("SELECT count(*) FROM (SELECT a FROM big UNION ALL SELECT b FROM mid)",
               "aggregate: count(*) as count(*)\n"
               "  union all\n"
               "    scan big [a]\n"
               "    scan mid [b]\n");
}

static void test_windows_let_conditions_on_partitions_through(void)
{
    check_plan("SELECT * FROM (SELECT a, b, sum(b) OVER (PARTITION BY a) AS s FROM big)"
               " WHERE a = 3 AND b > 1 AND s < 9",
               "filter (b > 1) AND (s < 9)\n"
               "  window partition by a: sum(b) range unbounded preceding to current row as s\n"
               "    scan big [a, b] where a = 3\n");
    check_plan("SELECT * FROM (SELECT a, rank() OVER (ORDER BY b DESC NULLS FIRST) AS r,"
               " rank() OVER (PARTITION BY a ORDER BY b) AS s FROM big) WHERE a = 3",
               "project a as a, #5 as r, #6 as s\n"
               "  filter a = 3\n"
               "    window order by b desc nulls first: rank() as #5\n"
               "      window partition by a order by b: rank() as #6\n"
               "        scan big [a, b]\n");
    check_plan("SELECT id, row_number() OVER (ORDER BY b) FROM big LIMIT 5",
               "rows limit 5\n"
               "  window order by b: row_number() as row_number() OVER (ORDER BY b)\n"
               "    scan big [id, b]\n");
}

static void test_windows_that_nobody_reads_are_not_computed(void)
{
    check_plan("SELECT id, m FROM (SELECT id, max(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND"
               " 2 FOLLOWING EXCLUDE GROUP) AS m, rank() OVER (ORDER BY b),"
               " rank() OVER (ORDER BY t) FROM big)",
               "window order by b: max(a) rows 1 preceding to 2 following exclude group as m\n"
               "  scan big [id, a, b]\n");
    check_plan("SELECT count(*) FROM (SELECT lag(a) OVER (ORDER BY b) FROM big)",
               "aggregate: count(*) as count(*)\n  scan big [], by statistics where they tell\n");
}

static void test_bounds_spread_over_equal_columns(void)
{
    check_plan("SELECT big.b FROM big, mid WHERE big.a = mid.id AND big.a < 10",
               "inner join on a = id\n"
               "  scan big [a, b] where a < 10\n"
               "  scan mid [id] where id < 10\n");
    check_plan("SELECT big.b FROM big, mid, small WHERE big.a = mid.id AND mid.id = small.id "
               "AND small.id BETWEEN 2 AND 4 AND mid.id >= 1",
               "inner join on a = id\n"
               "  scan big [a, b] where a BETWEEN 2 AND 4\n"
               "  inner join on id = id\n"
               "    scan small [id] where id BETWEEN 2 AND 4\n"
               "    scan mid [id] where id BETWEEN 2 AND 4\n");
    check_plan("SELECT big.b FROM big, mid WHERE big.a = mid.id AND big.a IN (1, 2) "
               "AND mid.id IN (1, 2)",
               "inner join on a = id\n"
               "  scan big [a, b] where a IN (1, 2)\n"
               "  scan mid [id] where id IN (1, 2)\n");
    check_plan("SELECT big.b FROM big LEFT JOIN mid ON big.a = mid.id WHERE big.a < 10 "
               "AND (mid.b IS NULL OR mid.b > 1)",
               "project b as b\n"
               "  filter (b IS NULL) OR (b > 1)\n"
               "    left join on a = id\n"
               "      scan big [a, b] where a < 10\n"
               "      scan mid [id, b]\n");
}

static void test_conditions_that_follow_are_dropped(void)
{
    check_plan("SELECT id FROM big WHERE a > 5 AND a >= 7 AND 3 < a AND a < 90 AND a <= 90",
               "scan big [id] where a >= 7 AND a < 90\n");
    check_plan("SELECT id FROM big WHERE a = 7 AND a >= 7 AND a BETWEEN 0 AND 9 AND a < 8",
               "scan big [id] where a = 7\n");
    check_plan("SELECT id FROM big WHERE a > 5 AND b > 5 AND t > '1995' AND t > '1995-07'",
               "scan big [id] where a > 5 AND b > 5 AND t > '1995-07'\n");
    check_plan("SELECT id FROM big WHERE a + b = 3 AND a + b = 3 AND a > 5.5 AND a > 5",
               "scan big [id] where (a + b) = 3 AND a > 5.5\n");
    check_plan("SELECT id FROM big WHERE a <= 5 AND a >= 5",
               "scan big [id] where a <= 5 AND a >= 5\n");
    const char *const nevers[] = {"a > 5 AND a < 5",  "a = 5 AND a = 6",  "a > 7 AND 5 >= a",
                                  "a = 5 AND a > 5",  "t < 'a' AND t > 'b'",
                                  "a BETWEEN 1 AND 3 AND b > 0 AND a > 3.5"};
    for (uint32_t i = 0; i < sizeof nevers / sizeof *nevers; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM big WHERE %s", nevers[i]);
        check_plan(sql, "aggregate: count(*) as count(*)\n  values\n");
    }
}

static void test_distinct_of_rows_that_differ_does_nothing(void)
{
    check_plan("SELECT DISTINCT id, a FROM big", "scan big [id, a]\n");
    check_plan("SELECT DISTINCT big.id, small.t FROM big, small WHERE big.a = small.id",
               "inner join on a = id\n  scan big [id, a]\n  scan small [id, t]\n");
    check_plan("SELECT DISTINCT a FROM big", "distinct a\n  scan big [a]\n");
    check_plan("SELECT DISTINCT big.id FROM big, small WHERE big.a = small.a",
               "distinct id\n"
               "  inner join on a = a\n"
               "    scan big [id, a]\n"
               "    scan small [a]\n");
    check_plan("SELECT DISTINCT id FROM big UNION ALL SELECT DISTINCT id + 0 FROM big",
               "union all\n"
               "  scan big [id]\n"
               "  distinct id + 0\n"
               "    project id + 0 as id + 0\n"
               "      scan big [id]\n");
}

static void test_sort_keys_that_follow_are_dropped(void)
{
    check_plan("SELECT a FROM big ORDER BY id DESC, b",
               "project a as a\n  sort id desc\n    scan big [id, a]\n");
    check_plan("SELECT id FROM big WHERE a = 3 ORDER BY a, b, a",
               "project id as id\n  sort b\n    scan big [id, b] where a = 3\n");
    check_plan("SELECT big.id FROM big JOIN small ON big.a = small.id ORDER BY small.id, big.a, "
               "small.t, big.b",
               "project id as id\n"
               "  sort id, b\n"
               "    inner join on a = id\n"
               "      scan big [id, a, b]\n"
               "      scan small [id]\n");
    // A row without a partner has NULL, whatever its a.
    check_plan("SELECT big.id FROM big LEFT JOIN small ON big.a = small.id ORDER BY big.a, "
               "small.b, small.t",
               "project id as id\n"
               "  sort a, b, t\n"
               "    left join on a = id\n"
               "      scan big [id, a]\n"
               "      scan small [id, b, t]\n");
}

static void test_group_keys_that_follow_are_no_keys(void)
{
    check_plan("SELECT small.t, small.id, count(*) FROM big JOIN small ON big.a = small.id"
               " GROUP BY small.t, small.id, big.a",
               "project #10 as t, #11 as id, #9 as count(*)\n"
               "  aggregate by id: count(*) as #9, first(t) as #10\n"
               "    inner join on a = id\n"
               "      scan big [a]\n"
               "      scan small [id, t]\n");
    check_plan("SELECT a, b, sum(id) FROM big WHERE a = 3 GROUP BY a, b",
               "project a, b, sum(id)\n"
               "  aggregate by b: sum(id) as sum(id), first(a) as a\n"
               "    scan big [id, a, b] where a = 3\n");
    // Rows without a partner have NULL, whatever their a; and what is always the same is a key
    // where there is no other.
    check_plan("SELECT big.a, small.t, count(*) FROM big LEFT JOIN small ON big.a = small.id"
               " GROUP BY big.a, small.t",
               "aggregate by a, t: count(*) as count(*)\n"
               "  left join on a = id\n"
               "    scan big [a]\n"
               "    scan small [id, t]\n");
    check_plan("SELECT a, count(*) FROM big WHERE a = 3 GROUP BY a",
               "aggregate by a: count(*) as count(*)\n  scan big [a] where a = 3\n");
}

static void test_sums_of_one_column_are_shared(void)
{
    check_plan("SELECT sum(a), sum(a + 1), sum(2 + a), sum(a - 3), sum(b + 1) FROM big",
               "project sum(a), sum(a) + (1 * #15) as sum(a + 1), sum(a) + (2 * #15) as "
               "sum(2 + a), sum(a) + (-3 * #15) as sum(a - 3), sum(b + 1)\n"
               "  aggregate: sum(a) as sum(a), count(*) as #15, sum(b + 1) as sum(b + 1)\n"
               "    scan big [a, b]\n");
    check_plan("SELECT a, sum(b + 1) FROM big GROUP BY a",
               "aggregate by a: sum(b + 1) as sum(b + 1)\n  scan big [a, b]\n");
    check_plan("SELECT sum(DISTINCT a + 1), sum(a + 2) FILTER (WHERE b > 1), sum(a + 3) FROM big",
               "aggregate: sum(distinct a + 1) as sum(DISTINCT a + 1), sum(a + 2) filter b > 1 as "
               "sum(a + 2) FILTER (WHERE b > 1), sum(a + 3) as sum(a + 3)\n"
               "  scan big [a, b]\n");
}

static void test_joins_that_add_nothing_are_dropped(void)
{
    check_plan("SELECT big.b FROM big LEFT JOIN small ON big.a = small.id WHERE big.b > 1",
               "scan big [b] where b > 1\n");
    check_plan("SELECT big.b FROM big LEFT JOIN (SELECT a, count(*) FROM mid GROUP BY a) m "
               "ON big.b = m.a",
               "scan big [b]\n");
    check_plan("SELECT count(*) FROM big LEFT JOIN small ON big.a = small.a",
               "aggregate: count(*) as count(*)\n"
               "  left join on a = a\n"
               "    scan big [a]\n"
               "    scan small [a]\n");
    check_plan("SELECT big.b FROM big JOIN small ON big.a = small.id",
               "inner join on a = id\n  scan big [a, b]\n  scan small [id]\n");
}

static void test_shared_tables_keep_their_columns(void)
{
    check_plan("WITH c AS MATERIALIZED (SELECT a, count(*) AS n FROM big GROUP BY a)"
               " SELECT x.n FROM c AS x, c AS y WHERE x.a = y.n",
               "inner join on n = a\n"
               "  shared 0\n"
               "  shared 0\n"
               "shared 0:\n"
               "  aggregate by a: count(*) as n\n"
               "    scan big [a]\n");
}

static void test_shared_tables_lose_columns_nobody_reads(void)
{
    check_plan("WITH c AS (SELECT a, count(*) AS n, sum(b) AS s, max(t) AS m FROM big GROUP BY a)"
               " SELECT count(*) FROM c AS x, c AS y WHERE x.a = y.s",
               "aggregate: count(*) as count(*)\n"
               "  inner join on s = a\n"
               "    shared 0\n"
               "    shared 0\n"
               "shared 0:\n"
               "  aggregate by a: sum(b) as s\n"
               "    scan big [a, b]\n");
}

static void test_plain_ctes_run_for_each_use(void)
{
    check_plan("WITH c AS (SELECT * FROM big WHERE a > 2)"
               " SELECT id FROM c WHERE b = 1 UNION ALL SELECT a FROM c WHERE b = 2",
               "union all\n"
               "  scan big [id] where b = 1 AND a > 2\n"
               "  scan big [a] where b = 2 AND a > 2\n");
    check_plan("WITH c AS MATERIALIZED (SELECT id, b FROM big WHERE a > 2)"
               " SELECT id FROM c WHERE b = 1 UNION ALL SELECT id FROM c WHERE b = 2",
               "union all\n"
               "  project id as id\n"
               "    filter b = 1\n"
               "      shared 0\n"
               "  project id as id\n"
               "    filter b = 2\n"
               "      shared 0\n"
               "shared 0:\n"
               "  scan big [id, b] where (b = 1) OR (b = 2) AND a > 2\n");
}

static void test_shared_tables_have_rows_that_are_wanted(void)
{
    check_plan("WITH c AS (SELECT a, b, count(*) AS n FROM big GROUP BY a, b) SELECT x.n, y.n"
               " FROM c AS x, c AS y WHERE x.a = 1 AND y.a = 2 AND x.b = y.b AND x.n > 3",
               "project n as n, n as n\n"
               "  inner join on b = b\n"
               "    filter a = 2\n"
               "      shared 0\n"
               "    filter (a = 1) AND (n > 3)\n"
               "      shared 0\n"
               "shared 0:\n"
               "  aggregate by a, b: count(*) as n\n"
               "    scan big [a, b] where (a = 1) OR (a = 2)\n");
    // A LEFT JOIN wants all rows of its right side, but for what its condition says.
    check_plan("WITH c AS (SELECT a, count(*) AS n FROM big GROUP BY a) SELECT x.n, y.n"
               " FROM c AS x LEFT JOIN c AS y ON x.a = y.n WHERE x.a = 1 AND y.a IS NULL",
               "project n as n, n as n\n"
               "  filter a IS NULL\n"
               "    left join on a = n, build left\n"
               "      filter a = 1\n"
               "        shared 0\n"
               "      shared 0\n"
               "shared 0:\n"
               "  aggregate by a: count(*) as n\n"
               "    scan big [a]\n");
}

// ---- estimates -------------------------------------------------------------------------------

static double rows_of(const char *sql)
{
    br_error err;
    br_arena *arena = br_arena_new(NULL);
    br_statement_ast statement;
    br_query *query = NULL;
    br_plan_options options = {.optimize = true};
    MUST(br_parse(sql, arena, &statement, &err), err);
    MUST(br_sql_plan(&statement, &catalog, &options, arena, &query, &err), err);
    double rows = query->root->rows;
    br_arena_free(arena);
    return rows;
}

static void check_rows(const char *sql, double min, double max)
{
    double rows = rows_of(sql);
    CHECK(rows >= min && rows <= max);
    if (rows < min || rows > max) printf("%s: %g rows\n", sql, rows);
}

static void test_estimates_follow_the_statistics(void)
{
    check_rows("SELECT id FROM big", 20000, 20000);
    check_rows("SELECT t FROM big WHERE id = 17", 1, 1);
    check_rows("SELECT t FROM big WHERE a = 17", 150, 250);
    check_rows("SELECT t FROM big WHERE a = 1000", 0, 0);
    check_rows("SELECT t FROM big WHERE a IN (1, 2, 3)", 450, 750);
    check_rows("SELECT t FROM big WHERE a BETWEEN 10 AND 19", 1500, 2500);
    check_rows("SELECT t FROM big WHERE a >= 10 AND a < 20", 1500, 2500);
    check_rows("SELECT id FROM big WHERE a <> 4", 19000, 20000);
    check_rows("SELECT a FROM big WHERE a IS NULL", 0, 0);
    check_rows("SELECT a, count(*) FROM big GROUP BY a", 80, 120);
    check_rows("SELECT 1 FROM big, mid WHERE big.b = mid.id", 15000, 25000);
    check_rows("SELECT 1 FROM big JOIN mid ON big.b = mid.id WHERE mid.a = 3", 300, 500);
    check_rows("SELECT a FROM big LIMIT 7", 7, 7);
    check_rows("SELECT id FROM big QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1", 80,
               120);
    check_rows("SELECT id FROM big QUALIFY rank() OVER (PARTITION BY a ORDER BY b) <= 20", 1500,
               2500);
    check_rows("SELECT id FROM big QUALIFY ntile(4) OVER (ORDER BY b) = 1", 4000, 6000);
    check_rows("SELECT DISTINCT max(b) OVER (PARTITION BY a) FROM big", 80, 120);
    check_rows("SELECT DISTINCT a, t FROM big WHERE a IN (1, 2, 3) AND t = '1995-02'", 1, 3);
    check_rows("SELECT DISTINCT a FROM big WHERE a < 10", 8, 12);
    check_rows("SELECT n, count(*) FROM (SELECT b, count(*) AS n FROM big GROUP BY b) GROUP BY n", 5,
               20);
    check_rows("SELECT small.t, count(*) FROM small JOIN tiny ON small.id = tiny.id GROUP BY 1", 4,
               6);
}

static void test_optimize_reports_no_memory(void)
{
    const char *sql = "SELECT x.a, count(*) FROM big x, mid y, small z WHERE x.b = y.id AND"
                      " y.b = z.id AND (x.a = 1 AND z.a = 2 OR x.a = 3 AND z.a = 4) AND EXISTS"
                      " (SELECT 1 FROM tiny WHERE id = z.id) GROUP BY 1"
                      " QUALIFY x.a > rank() OVER (PARTITION BY x.a ORDER BY count(*))"
                      " ORDER BY 2 LIMIT 3";
    for (size_t limit = 0;; limit += 2048) {
        br_error err;
        br_quota quota;
        br_buffer buffer = {0};
        br_quota_init(&quota, limit, NULL);
        br_arena *arena = br_arena_new(&quota);
        br_status status = arena == NULL ? BR_NOMEM : plan_text(sql, arena, &buffer, &err);
        br_buffer_release(&buffer);
        br_arena_free(arena);
        if (status == BR_OK) return;
        CHECK_INT(status, BR_NOMEM);
        if (limit > 16 << 20) exit(1);
    }
}

int main(void)
{
    world_open();
    RUN(test_limits_go_below_what_keeps_every_row);
    RUN(test_limits_stay_where_rows_may_be_missing);
    RUN(test_equal_parts_are_computed_once);
    RUN(test_joins_of_other_columns_are_computed_once);
    RUN(test_parts_that_differ_are_computed_each);
    RUN(test_push_reaches_the_scan);
    RUN(test_push_stops_where_it_must);
    RUN(test_push_goes_through_sets_and_views);
    RUN(test_push_of_a_never_true_condition_reads_nothing);
    RUN(test_join_builds_the_smaller_side);
    RUN(test_join_order_avoids_crossing);
    RUN(test_join_spreads_constants_over_equal_columns);
    RUN(test_join_takes_common_parts_out_of_or);
    RUN(test_join_keys_may_be_expressions);
    RUN(test_left_join_keeps_its_rows);
    RUN(test_left_join_becomes_inner);
    RUN(test_left_join_builds_a_much_smaller_left_side);
    RUN(test_semi_join_comes_early_when_it_is_selective);
    RUN(test_join_of_many_tables_is_planned);
    RUN(test_join_without_conditions_crosses_small_sides_first);
    RUN(test_limit_over_sort_is_a_top_n);
    RUN(test_prune_keeps_what_is_read);
    RUN(test_windows_let_conditions_on_partitions_through);
    RUN(test_windows_that_nobody_reads_are_not_computed);
    RUN(test_bounds_spread_over_equal_columns);
    RUN(test_conditions_that_follow_are_dropped);
    RUN(test_distinct_of_rows_that_differ_does_nothing);
    RUN(test_sort_keys_that_follow_are_dropped);
    RUN(test_group_keys_that_follow_are_no_keys);
    RUN(test_sums_of_one_column_are_shared);
    RUN(test_joins_that_add_nothing_are_dropped);
    RUN(test_shared_tables_keep_their_columns);
    RUN(test_shared_tables_lose_columns_nobody_reads);
    RUN(test_plain_ctes_run_for_each_use);
    RUN(test_shared_tables_have_rows_that_are_wanted);
    RUN(test_estimates_follow_the_statistics);
    RUN(test_optimize_reports_no_memory);
    world_close();
    return test_result();
}
