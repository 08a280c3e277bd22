// Random queries whose rows do not depend on where the rows of their tables lie: in the delta, in
// segments, behind deleted rows, merged and encoded anew, or copied once more from SQLite.
//
//     differential_test_random_placement [SEED [ROUNDS [QUERIES]]] [OPTIONS as of random_queries]
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/differential/support_compare.h"
#include "tests/differential/support_round.h"

enum { ROUNDS_DEFAULT = 8, QUERIES_DEFAULT = 30, SHIFT_MAX = 3000 };

typedef struct kept_query {
    char *sql;
    compare_query how;
    braid_status status;
    braid_result *result;
} kept_query;

typedef enum placement {
    PLACED_BY_WRITES, // where the changes of the round left them
    PLACED_BEHIND,    // in segments, behind rows that are deleted: elsewhere in batches and zones
    PLACED_IN_SEGMENTS,
    PLACED_COMPACTLY,
    PLACED_ANEW,
    PLACEMENTS
} placement;

static const char *const placement_names[] = {"by writes", "behind deleted rows", "in segments",
                                              "compactly", "anew"};

// ---- placing -----------------------------------------------------------------------------------

// As many rows with the least rowids, made durable and deleted again.
static void shift(test_round *self)
{
    test_world *world = &self->world;
    for (uint32_t step = 0; step < 2; step++) {
        for (uint32_t t = 0; t < world->table_count; t++) {
            const char *name = world->tables[t].name;
            if (world->tables[t].key == KEY_WITHOUT_ROWID) continue;
            text_clear(&self->sql);
            if (step == 0)
                text_add(&self->sql,
                         "INSERT INTO %s(rowid) WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT "
                         "n + 1 FROM n LIMIT %u) SELECT -1000000 + n FROM n",
                         name, 1 + world_below(world, SHIFT_MAX));
            else
                text_add(&self->sql, "DELETE FROM %s WHERE rowid < -900000", name);
            round_must(self->db, braid_exec(self->db, self->sql.bytes), "shift");
        }
        if (step == 0) round_must(self->db, braid_checkpoint(self->db), "checkpoint");
    }
}

static void place(test_round *self, placement where)
{
    if (where == PLACED_BEHIND) shift(self);
    if (where == PLACED_IN_SEGMENTS)
        round_must(self->db, braid_checkpoint(self->db), "checkpoint");
    if (where == PLACED_COMPACTLY) round_must(self->db, braid_compact(self->db), "compact");
    if (where == PLACED_ANEW) round_must(self->db, braid_rebuild(self->db), "rebuild");
}

// ---- asking ------------------------------------------------------------------------------------

static void query_keep(test_round *self, kept_query *out)
{
    sql_text sql = {0};
    text_clear(&self->marked);
    world_query(&self->world, &self->marked);
    query_render(self->marked.bytes, true, &sql);
    *out = (kept_query){.sql = sql.bytes, .how.approximate = self->world.approximate};
    compare_side side = {self->db, out->sql, BRAID_ENGINE_OLAP};
    out->status = compare_run(&side, &out->result);
}

static void query_again(test_round *self, const kept_query *kept, placement where,
                        compare_tally *tally)
{
    char message[800] = "";
    braid_result *result;
    compare_side side = {self->db, kept->sql, BRAID_ENGINE_OLAP};
    braid_status status = compare_run(&side, &result);
    bool gave_up = status == BRAID_INTERRUPTED || status == BRAID_NOMEM ||
                   kept->status == BRAID_INTERRUPTED || kept->status == BRAID_NOMEM;
    compare_outcome outcome = COMPARE_SAME;
    if (gave_up)
        outcome = COMPARE_INTERRUPTED;
    else if (status == BRAID_OK && kept->status == BRAID_OK)
        outcome = compare_results(kept->result, result, &kept->how, message, sizeof message);
    else if ((status == BRAID_OK) != (kept->status == BRAID_OK))
        // Data make the plan, which may overflow or be refused where the other is not.
        outcome = status == BRAID_RUNTIME || kept->status == BRAID_RUNTIME ? COMPARE_OPEN
                                                                          : COMPARE_DIFFERENT;
    tally_add(tally, outcome, message);
    if (outcome == COMPARE_DIFFERENT)
        printf("DIFFERENT %s: %s %s\n    %s\n", placement_names[where], message,
               braid_error_message(self->db), kept->sql);
    braid_result_free(result);
}

static void round_run(test_round *self, uint32_t query_count, compare_tally *tally)
{
    kept_query *queries = calloc(query_count + 1, sizeof *queries);
    if (queries == NULL) exit(2);
    for (uint32_t i = 0; i < query_count; i++) query_keep(self, &queries[i]);
    for (placement where = PLACED_BEHIND; where < PLACEMENTS; where++) {
        place(self, where);
        for (uint32_t i = 0; i < query_count; i++) query_again(self, &queries[i], where, tally);
    }
    for (uint32_t i = 0; i < query_count; i++) {
        braid_result_free(queries[i].result);
        free(queries[i].sql);
    }
    free(queries);
}

int main(int argument_count, char **arguments)
{
    round_arguments given =
        round_arguments_read(argument_count, arguments, ROUNDS_DEFAULT, QUERIES_DEFAULT);
    compare_tally tally = {0};
    test_round *self = malloc(sizeof *self);
    if (self == NULL) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %" PRIu64 "\n", given.seed);
    for (uint32_t round = 0; round < given.rounds; round++) {
        uint64_t different = tally.outcomes[COMPARE_DIFFERENT];
        round_open(self, &given, round, (given.seed + round) % 2 == 0);
        for (uint32_t i = 0; i < 20; i++) round_change(self);
        round_run(self, given.queries, &tally);
        round_close(self);
        if (tally.outcomes[COMPARE_DIFFERENT] > different)
            printf("seed %" PRIu64 " differs\n", given.seed + round);
    }
    free(self);
    tally_print(&tally);
    return tally.outcomes[COMPARE_DIFFERENT] != 0 ||
           tally.outcomes[COMPARE_SAME] < tally.queries / 2;
}
