// Random queries whose rows are known without SQLite: a query is the sum of its parts by a
// predicate, a count is the sum of the predicate's values (support_world.h), and no result depends
// on the number of threads, the instruction set, the memory at hand or the optimiser.
//
//     differential_test_random_oracles [SEED [ROUNDS [QUERIES]]] [OPTIONS as of random_queries]
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/differential/support_compare.h"
#include "tests/differential/support_round.h"

enum { ROUNDS_DEFAULT = 8, QUERIES_DEFAULT = 60, HANDLES = 5, MEMORY_BYTES_SMALL = 6 << 20 };

static void pair_run(braid *left, const char *left_sql, braid *right, const char *right_sql,
                     compare_tally *tally)
{
    char message[800];
    compare_outcome outcome =
        compare_results(left, left_sql, right, right_sql, message, sizeof message);
    tally_add(tally, outcome, message);
    if (outcome == COMPARE_DIFFERENT)
        printf("DIFFERENT: %s\n    %s\n    %s\n", message, left_sql, right_sql);
}

static void queries_run(test_round *self, braid *const *handles, uint32_t index,
                        compare_tally *tally)
{
    sql_text left = {0}, right = {0};
    switch (index % 3) {
    case 0:
        world_partition(&self->world, &left, &right);
        pair_run(self->db, left.bytes, self->db, right.bytes, tally);
        break;
    case 1:
        world_count(&self->world, &left, &right);
        pair_run(self->db, left.bytes, self->db, right.bytes, tally);
        break;
    default:
        text_clear(&self->marked);
        world_query(&self->world, &self->marked);
        query_render(self->marked.bytes, true, &left);
        for (uint32_t i = 1; i < HANDLES; i++)
            pair_run(handles[0], left.bytes, handles[i], left.bytes, tally);
    }
    text_release(&left);
    text_release(&right);
}

int main(int argument_count, char **arguments)
{
    static const round_settings kinds[HANDLES] = {
        {.threads = 1, .isa = "scalar"},
        {.threads = 2, .isa = "avx2"},
        {.threads = 4},
        {.threads = 2, .memory_bytes = MEMORY_BYTES_SMALL},
        {.threads = 2, .plans_plainly = true},
    };
    round_arguments given =
        round_arguments_read(argument_count, arguments, ROUNDS_DEFAULT, QUERIES_DEFAULT);
    compare_tally tally = {0};
    test_round *self = malloc(sizeof *self);
    if (self == NULL) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %" PRIu64 "\n", given.seed);
    for (uint32_t round = 0; round < given.rounds; round++) {
        uint64_t different = tally.outcomes[COMPARE_DIFFERENT];
        braid *handles[HANDLES];
        round_open(self, &given, round, (given.seed + round) % 2 == 0);
        for (uint32_t i = 0; i < HANDLES; i++) handles[i] = round_handle(self, &kinds[i]);
        for (uint32_t i = 0; i < given.queries; i++) queries_run(self, handles, i, &tally);
        for (uint32_t i = 0; i < HANDLES; i++) braid_close(handles[i]);
        round_close(self);
        if (tally.outcomes[COMPARE_DIFFERENT] > different)
            printf("seed %" PRIu64 " differs\n", given.seed + round);
    }
    free(self);
    tally_print(&tally);
    return tally.outcomes[COMPARE_DIFFERENT] != 0 ||
           tally.outcomes[COMPARE_SAME] < tally.queries / 4;
}
