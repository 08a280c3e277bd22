// Random queries whose rows are known without SQLite: a query is the sum of its parts by a
// predicate, a count is the sum of the predicate's values (support_world.h), and no result depends
// on the number of threads, the instruction set, the memory at hand or the optimiser. What SQLite
// has no words for is compared with what it means, in SQLite.
//
//     differential_test_random_oracles [SEED [ROUNDS [QUERIES]]] [OPTIONS as of random_queries]
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/differential/support_compare.h"
#include "tests/differential/support_round.h"

enum { ROUNDS_DEFAULT = 8, QUERIES_DEFAULT = 70, MEMORY_BYTES_SMALL = 8 << 20 };
enum { HANDLE_LITTLE = 3, HANDLES = 5 };

static void pair_run(const compare_side *left, const compare_side *right, bool approximate,
                     compare_tally *tally)
{
    char message[800];
    compare_query how = {.approximate = approximate};
    compare_outcome outcome = compare_sides(left, right, &how, message, sizeof message);
    tally_add(tally, outcome, message);
    if (outcome == COMPARE_DIFFERENT)
        printf("DIFFERENT: %s\n    %s\n    %s\n", message, left->sql, right->sql);
}

static void queries_run(test_round *self, braid *const *handles, uint32_t index,
                        compare_tally *tally)
{
    sql_text left = {0}, right = {0};
    uint32_t kind = index % (PAIR_KINDS + 2);
    if (kind < PAIR_KINDS) {
        world_pair(&self->world, (world_pair_kind)kind, &left, &right);
        bool is_plain = kind >= PAIR_QUALIFY;
        compare_side ours = {self->db, left.bytes, BRAID_ENGINE_OLAP};
        compare_side theirs = {self->db, right.bytes,
                               is_plain ? BRAID_ENGINE_OLTP : BRAID_ENGINE_OLAP};
        pair_run(&ours, &theirs, false, tally);
    } else {
        text_clear(&self->marked);
        world_query(&self->world, &self->marked);
        query_render(self->marked.bytes, true, &left);
        compare_side first = {handles[0], left.bytes, BRAID_ENGINE_OLAP};
        for (uint32_t i = 1; i < HANDLES; i++) {
            compare_side other = {handles[i], left.bytes, BRAID_ENGINE_OLAP};
            // Blocks on disk and other plans may add in another order.
            pair_run(&first, &other, i >= HANDLE_LITTLE && self->world.approximate, tally);
        }
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
        [HANDLE_LITTLE] = {.threads = 2, .memory_bytes = MEMORY_BYTES_SMALL},
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
