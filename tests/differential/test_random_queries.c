// Random databases, random changes between queries, random queries: both engines must agree.
//
//     differential_test_random_queries [SEED [ROUNDS [QUERIES [verbose]]]]
//
// Each round has its own number of threads, instruction set and size of tables. What differs is
// shrunk to a script for braid-slt (support_shrink.h).
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "braid.h"
#include "tests/differential/support_compare.h"
#include "tests/differential/support_shrink.h"
#include "tests/differential/support_world.h"

enum { ROUNDS_DEFAULT = 16, QUERIES_DEFAULT = 130, SHRUNK_MAX = 5 };

typedef struct round_state {
    test_world world;
    braid *db;
    char path[64];
    sql_text sql, marked;
    bool verbose;
} round_state;

static void execute(braid *db, const sql_text *sql)
{
    if (braid_exec(db, sql->bytes) == BRAID_OK) return;
    // Some random changes break a constraint; a transaction they left open would hide later ones.
    (void)braid_exec(db, "ROLLBACK");
}

static void must(braid *db, braid_status status, const char *what)
{
    if (status == BRAID_OK) return;
    printf("%s: %s\n", what, braid_error_message(db));
    exit(1);
}

static void reopen(round_state *self)
{
    static const char *const sets[] = {NULL, "scalar", "avx2"};
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    config.threads = 1u << world_below(&self->world, 3);
    config.isa = sets[world_below(&self->world, 3)];
    braid_close(self->db);
    self->db = NULL;
    must(self->db, braid_open(self->path, &config, &self->db), "open");
}

static void maintain(round_state *self)
{
    if (world_chance(&self->world, 20)) {
        text_clear(&self->sql);
        world_change(&self->world, &self->sql);
        execute(self->db, &self->sql);
    }
    if (world_chance(&self->world, 6)) must(self->db, braid_checkpoint(self->db), "checkpoint");
    if (world_chance(&self->world, 2)) must(self->db, braid_compact(self->db), "compact");
    if (world_chance(&self->world, 2)) reopen(self);
}

static void fill(round_state *self)
{
    test_world *world = &self->world;
    uint32_t most = world_chance(world, 25) ? 400 : 60;
    world_create(world, &self->sql);
    execute(self->db, &self->sql);
    for (uint32_t t = 0; t < world->table_count; t++) {
        text_clear(&self->sql);
        world_insert(world, t, world_chance(world, 10) ? 1 : 5 + world_below(world, most),
                     &self->sql);
        execute(self->db, &self->sql);
    }
    for (uint32_t i = world_below(world, WORLD_NAMES_MAX); i > 0; i--) {
        text_clear(&self->marked);
        world_view(world, &self->marked);
        query_render(self->marked.bytes, true, &self->sql);
        if (braid_exec(self->db, self->sql.bytes) == BRAID_OK) continue;
        if (self->verbose) printf("%s: %s\n", braid_error_message(self->db), self->sql.bytes);
        world->view_count--;
    }
}

static void query_run(round_state *self, compare_tally *tally)
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
        snprintf(path, sizeof path, "/tmp/braid-different-%" PRIu64 ".test",
                 tally->outcomes[COMPARE_DIFFERENT]);
        printf("DIFFERENT: %s\n    %s\n", message, self->sql.bytes);
        if (tally->outcomes[COMPARE_DIFFERENT] <= SHRUNK_MAX)
            shrink_query(self->db, self->marked.bytes, query.ordered, query.approximate, path);
    } else if (self->verbose && outcome != COMPARE_SAME) {
        printf("outcome %d: %s\n    %s\n", (int)outcome, message, self->sql.bytes);
    }
}

static void round_run(uint64_t seed, uint32_t query_count, bool verbose, compare_tally *tally)
{
    char folder[] = "/tmp/braid-differential-XXXXXX", command[64];
    round_state *self = calloc(1, sizeof *self);
    if (self == NULL || mkdtemp(folder) == NULL) exit(2);
    self->verbose = verbose;
    snprintf(self->path, sizeof self->path, "%s/world.db", folder);
    world_init(&self->world, seed);
    reopen(self);
    fill(self);
    for (uint32_t i = 0; i < query_count; i++) {
        maintain(self);
        query_run(self, tally);
    }
    uint64_t rows = 0;
    must(self->db, braid_check(self->db, &rows), "check");
    braid_close(self->db);
    text_release(&self->sql);
    text_release(&self->marked);
    free(self);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) exit(2);
}

int main(int argument_count, char **arguments)
{
    uint64_t seed = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint32_t rounds = argument_count > 2 ? (uint32_t)atoi(arguments[2]) : ROUNDS_DEFAULT;
    uint32_t queries = argument_count > 3 ? (uint32_t)atoi(arguments[3]) : QUERIES_DEFAULT;
    compare_tally tally = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %" PRIu64 "\n", seed);
    for (uint32_t round = 0; round < rounds; round++) {
        uint64_t different = tally.outcomes[COMPARE_DIFFERENT];
        round_run(seed + round, queries, argument_count > 4, &tally);
        if (tally.outcomes[COMPARE_DIFFERENT] > different)
            printf("seed %" PRIu64 " differs\n", seed + round);
    }
    tally_print(&tally);
    return tally.outcomes[COMPARE_DIFFERENT] != 0 ||
           tally.outcomes[COMPARE_SAME] < tally.queries / 4;
}
