// Random queries over numbers where INTEGER and REAL hardly tell values apart, zeros of both signs,
// and texts that look like numbers, in columns of every affinity: what is equal, which comes first,
// and what a set, a group or a join takes for the same must be as in SQLite.
//
//     differential_test_random_extremes [SEED [ROUNDS [QUERIES]]]
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/differential/support_compare.h"
#include "tests/differential/support_round.h"
#include "tests/differential/support_shrink.h"

enum { ROUNDS_DEFAULT = 12, QUERIES_DEFAULT = 60, TABLES = 3, COLUMNS = 6, ROWS_MAX = 120 };
enum { SHRUNK_MAX = 3 };

#define PICK(world, ...)                                                  \
    ((const char *const[]){__VA_ARGS__})[world_below(                     \
        world, (uint32_t)(sizeof((const char *const[]){__VA_ARGS__}) /    \
                          sizeof(const char *)))]

static const char *const types[COLUMNS] = {"INT",  "REAL", "NUMERIC",
                                           "TEXT", "",     "TEXT COLLATE NOCASE"};

// ---- values and columns ----------------------------------------------------------------------

static const char *any_integer(test_world *world)
{
    return PICK(world, "9223372036854775807", "-9223372036854775808", "9223372036854775806",
                "-9223372036854775807", "9223372036854774784", "-9223372036854774784",
                "9007199254740992", "9007199254740993", "9007199254740991", "-9007199254740993",
                "-9007199254740992", "4611686018427387904", "0", "1", "-1", "2147483648");
}

static const char *any_real(test_world *world)
{
    return PICK(world, "9223372036854775807.0", "-9223372036854775808.0", "9223372036854774784.0",
                "-9223372036854774784.0", "9007199254740992.0", "9007199254740994.0",
                "-9007199254740992.0", "1e19", "-1e19", "9e999", "-9e999", "0.0", "-0.0", "1.0",
                "0.5", "5e-324", "4611686018427387904.0", "1e18");
}

static const char *any_text(test_world *world)
{
    return PICK(world, "'9223372036854775807'", "'9223372036854775808'", "'-9223372036854775808'",
                "'-9223372036854775809'", "'9007199254740993'", "'9007199254740993.0'", "'1'",
                "'1.0'", "'1 '", "' 1'", "'0'", "'-0'", "'-0.0'", "'1e0'",
                "'9.223372036854775807e18'",
                "''", "'0x1'", "'1x'", "'.5'", "'0.50'", "x'31'");
}

static const char *any_value(test_world *world)
{
    switch (world_below(world, 10)) {
    case 0: return "NULL";
    case 1:
    case 2: return any_text(world);
    case 3:
    case 4:
    case 5: return any_real(world);
    default: return any_integer(world);
    }
}

static void fill(test_round *round)
{
    test_world *world = &round->world;
    for (uint32_t t = 0; t < TABLES; t++) {
        text_clear(&round->sql);
        text_add(&round->sql, "CREATE TABLE t%u(id INTEGER PRIMARY KEY", t);
        for (uint32_t c = 0; c < COLUMNS; c++) text_add(&round->sql, ", c%u %s", c, types[c]);
        text_add(&round->sql, ");");
        bool is_homogeneous = world_chance(world, 40); // else classes are mixed in a column
        for (uint32_t row = 0, rows = 1 + world_below(world, ROWS_MAX); row < rows; row++) {
            text_add(&round->sql, "INSERT INTO t%u VALUES (NULL", t);
            for (uint32_t c = 0; c < COLUMNS; c++)
                text_add(&round->sql, ", %s",
                         !is_homogeneous ? any_value(world)
                         : c == 1        ? any_real(world)
                         : c == 3        ? any_text(world)
                                         : any_integer(world));
            text_add(&round->sql, ");");
        }
        if (world_chance(world, 30)) text_add(&round->sql, "CREATE INDEX i%u ON t%u(c0);", t, t);
        round_must(round->db, braid_exec(round->db, round->sql.bytes), "fill");
        if (t == 0 || world_chance(world, 50))
            round_must(round->db, braid_checkpoint(round->db), "checkpoint");
    }
    if (world_chance(world, 50)) round_must(round->db, braid_compact(round->db), "compact");
}

// A column of a table, often inside an expression that keeps or changes class and affinity.
static void operand(test_world *world, char alias, sql_text *out)
{
    const char *form =
        PICK(world, "#", "#", "#", "#", "+#", "-#", "# + 0", "# * 1.0", "# - 1", "# + 1", "# || ''",
             "CAST(# AS INTEGER)", "CAST(# AS REAL)", "CAST(# AS TEXT)", "CAST(# AS NUMERIC)",
             "abs(#)", "# / 2", "max(#, 0)", "ifnull(#, -0.0)",
             "CASE WHEN # > 0 THEN # ELSE 0.0 END");
    uint32_t column = world_below(world, COLUMNS);
    for (; *form != '\0'; form++) {
        if (*form == '#')
            text_add(out, "%c.c%u", alias, column);
        else
            text_add(out, "%c", *form);
    }
}

// ---- queries -----------------------------------------------------------------------------------

static void condition(test_world *world, sql_text *out)
{
    text_add(out, " WHERE ");
    operand(world, 'a', out);
    switch (world_below(world, 4)) {
    case 0: text_add(out, " BETWEEN %s AND %s", any_value(world), any_value(world)); break;
    case 1:
        text_add(out, " %sIN (%s", PICK(world, "", "NOT "), any_value(world));
        for (uint32_t i = world_below(world, 8); i > 0; i--)
            text_add(out, ", %s", any_value(world));
        text_add(out, ")");
        break;
    default:
        text_add(out, " %s %s", PICK(world, "=", "<", "<=", ">", ">=", "<>", "IS", "IS NOT"),
                 any_value(world));
    }
}

static void compound(test_world *world, sql_text *out)
{
    for (uint32_t i = 0, arms = 2 + world_below(world, 2); i < arms; i++) {
        if (i > 0)
            text_add(out, "%s", PICK(world, " UNION ", " UNION ", " INTERSECT ", " EXCEPT ",
                                     " UNION ALL "));
        text_add(out, "SELECT "), operand(world, 'a', out);
        text_add(out, " AS x FROM t%u AS a", world_below(world, TABLES));
        if (world_chance(world, 30)) condition(world, out);
    }
}

static void grouped(test_world *world, sql_text *out)
{
    sql_text key = {0};
    operand(world, 'a', &key);
    text_add(out, "SELECT count(*), min(a.id), max(a.id), %s, count(DISTINCT a.c%u) FROM t%u AS a",
             PICK(world, "min(a.c0)", "max(a.c2)", "max(a.c3)", "min(a.c4)", "sum(a.id)"),
             world_below(world, 5), world_below(world, TABLES));
    if (world_chance(world, 30)) condition(world, out);
    text_add(out, " GROUP BY %s", key.bytes);
    text_release(&key);
}

static void joined(test_world *world, sql_text *out)
{
    text_add(out, "SELECT a.id, b.id FROM t%u AS a %s t%u AS b ON ", world_below(world, TABLES),
             PICK(world, "JOIN", "LEFT JOIN", "JOIN"), world_below(world, TABLES));
    operand(world, 'a', out);
    text_add(out, " %s ", PICK(world, "=", "=", "=", "IS", "<", ">="));
    operand(world, 'b', out);
    if (world_chance(world, 30)) condition(world, out);
}

static void subquery(test_world *world, sql_text *out)
{
    text_add(out, "SELECT a.id FROM t%u AS a WHERE ", world_below(world, TABLES));
    bool is_exists = world_chance(world, 40);
    if (is_exists)
        text_add(out, "%sEXISTS (SELECT 1", PICK(world, "", "NOT "));
    else
        operand(world, 'a', out), text_add(out, " %sIN (SELECT ", PICK(world, "", "NOT "));
    if (!is_exists) operand(world, 'b', out);
    text_add(out, " FROM t%u AS b", world_below(world, TABLES));
    if (is_exists) {
        text_add(out, " WHERE "), operand(world, 'a', out);
        text_add(out, " = "), operand(world, 'b', out);
    }
    text_add(out, ")");
}

static void ranked(test_world *world, sql_text *out)
{
    text_add(out, "SELECT a.id, %s OVER (",
             PICK(world, "rank()", "dense_rank()", "count(*)", "min(a.c0)", "max(a.c4)"));
    if (world_chance(world, 60)) text_add(out, "PARTITION BY "), operand(world, 'a', out);
    text_add(out, " ORDER BY "), operand(world, 'a', out);
    text_add(out, "%s) FROM t%u AS a", PICK(world, "", " DESC"), world_below(world, TABLES));
}

// Sets show either of two equal values: how many there are is compared exactly.
static compare_query query_make(test_world *world, sql_text *out)
{
    compare_query query = {0};
    text_clear(out);
    switch (world_below(world, 8)) {
    case 0:
        text_add(out, "SELECT count(*) FROM ("), compound(world, out), text_add(out, ")");
        break;
    case 1:
        compound(world, out);
        query.equal = true;
        break;
    case 2:
        grouped(world, out);
        query.equal = true;
        break;
    case 3:
    case 4: joined(world, out); break;
    case 5: subquery(world, out); break;
    case 6:
        ranked(world, out);
        query.equal = true;
        break;
    default:
        text_add(out, "SELECT a.id, "), operand(world, 'a', out);
        text_add(out, " FROM t%u AS a", world_below(world, TABLES));
        condition(world, out);
        text_add(out, " ORDER BY 2%s, a.id", PICK(world, "", " DESC"));
        query.ordered = true;
    }
    query.sql = out->bytes;
    return query;
}

static void round_run(const round_arguments *given, uint32_t number, compare_tally *tally)
{
    test_round round = {0};
    round_settings settings;
    round_folder_make(round.folder);
    snprintf(round.path, sizeof round.path, "%s/extremes.db", round.folder);
    world_init(&round.world, given->seed + number);
    settings = round_settings_random(&round.world);
    round.db = round_handle(&round, &settings);
    fill(&round);
    for (uint32_t i = 0; i < given->queries; i++) {
        char message[800];
        compare_query query = query_make(&round.world, &round.sql);
        compare_outcome outcome = compare_engines(round.db, &query, message, sizeof message);
        tally_add(tally, outcome, message);
        if (outcome != COMPARE_DIFFERENT) continue;
        printf("DIFFERENT (seed %" PRIu64 "): %s\n    %s\n", given->seed + number, message,
               query.sql);
        char path[64];
        snprintf(path, sizeof path, "/tmp/braid-extreme-%" PRIu64 ".test", given->seed + number);
        if (tally->outcomes[COMPARE_DIFFERENT] <= SHRUNK_MAX)
            shrink_query(round.db, query.sql, &query, path);
    }
    round_close(&round);
}

int main(int argument_count, char **arguments)
{
    round_arguments given =
        round_arguments_read(argument_count, arguments, ROUNDS_DEFAULT, QUERIES_DEFAULT);
    compare_tally tally = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %" PRIu64 "\n", given.seed);
    for (uint32_t i = 0; i < given.rounds; i++) round_run(&given, i, &tally);
    tally_print(&tally);
    return tally.outcomes[COMPARE_DIFFERENT] != 0 || tally.outcomes[COMPARE_REFUSED] != 0 ||
           tally.outcomes[COMPARE_SAME] < tally.queries / 2;
}
