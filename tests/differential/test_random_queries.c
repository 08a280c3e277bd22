// Random databases, random changes between queries, random queries: both engines must agree.
//
//     differential_test_random_queries [SEED [ROUNDS [QUERIES]]] [--depth N] [--features NAME,...]
//                                      [--without NAME,...] [--verbose]
//
// Each round has its own number of threads, instruction set and size of tables. What differs is
// shrunk to a script for braid-slt (support_shrink.h).
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/differential/support_compare.h"
#include "tests/differential/support_round.h"
#include "tests/differential/support_shrink.h"

enum { ROUNDS_DEFAULT = 18, QUERIES_DEFAULT = 130, SHRUNK_MAX = 5, LARGE_QUERIES_MAX = 40 };

static void query_run(test_round *self, bool verbose, compare_tally *tally)
{
    char message[800];
    text_clear(&self->marked);
    world_query(&self->world, &self->marked);
    query_render(self->marked.bytes, false, &self->sql);
    compare_query query = {.sql = self->sql.bytes,
                           .ordered = self->world.ordered,
                           .approximate = self->world.approximate};
    compare_outcome outcome = compare_engines(self->db, &query, message, sizeof message);
    tally_add(tally, outcome, message);
    if (outcome == COMPARE_DIFFERENT) {
        char path[64];
        uint64_t number = tally->outcomes[COMPARE_DIFFERENT];
        snprintf(path, sizeof path, "/tmp/braid-different-%d-%" PRIu64 ".test", (int)getpid(),
                 number);
        printf("DIFFERENT: %s\n    %s\n", message, self->sql.bytes);
        if (number <= SHRUNK_MAX)
            shrink_query(self->db, self->marked.bytes, &query, path);
    } else if (verbose && outcome != COMPARE_SAME) {
        printf("outcome %d: %s\n    %s\n", (int)outcome, message, self->sql.bytes);
    }
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
        bool is_large = (given.seed + round) % 8 == 7;
        round_open(self, &given, round, is_large);
        for (uint32_t i = 0; i < given.queries && !(is_large && i == LARGE_QUERIES_MAX); i++) {
            round_maintain(self);
            query_run(self, given.verbose, &tally);
        }
        round_close(self);
        if (tally.outcomes[COMPARE_DIFFERENT] > different)
            printf("seed %" PRIu64 " differs\n", given.seed + round);
    }
    free(self);
    tally_print(&tally);
    return tally.outcomes[COMPARE_DIFFERENT] != 0 ||
           tally.outcomes[COMPARE_SAME] < tally.queries / 4;
}
