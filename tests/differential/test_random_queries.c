// Random databases, random changes between queries, random queries: both engines must agree.
//
//     differential_test_random_queries [SEED [ROUNDS [QUERIES [verbose]]]]
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "braid.h"
#include "tests/differential/support_compare.h"
#include "tests/differential/support_world.h"

enum { ROUNDS_DEFAULT = 12, QUERIES_DEFAULT = 170 };

static void execute(braid *db, const sql_text *sql)
{
    if (braid_exec(db, sql->bytes) == BRAID_OK) return;
    // Some random changes break a constraint; a transaction they left open would hide later ones.
    (void)braid_exec(db, "ROLLBACK");
}

static void maintain(test_world *world, braid *db)
{
    if (world_chance(world, 6) && braid_checkpoint(db) != BRAID_OK) {
        printf("checkpoint: %s\n", braid_error_message(db));
        exit(1);
    }
    if (world_chance(world, 2) && braid_compact(db) != BRAID_OK) {
        printf("compact: %s\n", braid_error_message(db));
        exit(1);
    }
}

static braid *reopen(braid *db, const char *path)
{
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    braid_close(db);
    db = NULL;
    if (braid_open(path, &config, &db) == BRAID_OK) return db;
    printf("open: %s\n", braid_error_message(db));
    exit(1);
}

static void round_run(uint64_t seed, uint32_t query_count, compare_tally *tally)
{
    char folder[] = "/tmp/braid-differential-XXXXXX", path[64], command[64];
    if (mkdtemp(folder) == NULL) exit(2);
    snprintf(path, sizeof path, "%s/world.db", folder);
    braid *db = reopen(NULL, path);
    test_world world;
    sql_text sql = {0};
    world_init(&world, seed);
    world_create(&world, &sql);
    execute(db, &sql);
    for (uint32_t t = 0; t < world.table_count; t++) {
        text_clear(&sql);
        world_insert(&world, t, world_chance(&world, 10) ? 0 + 1 : 30 + world_below(&world, 400),
                     &sql);
        execute(db, &sql);
    }
    for (uint32_t i = 0; i < query_count; i++) {
        if (world_chance(&world, 20)) {
            text_clear(&sql);
            world_change(&world, &sql);
            execute(db, &sql);
        }
        maintain(&world, db);
        if (world_chance(&world, 2)) db = reopen(db, path);
        text_clear(&sql);
        world_query(&world, &sql);
        compare_engines(db, sql.bytes, world.ordered, world.approximate, tally);
    }
    uint64_t rows = 0;
    if (braid_check(db, &rows) != BRAID_OK) {
        printf("DIFFERENT: check: %s\n", braid_error_message(db));
        tally->failed++;
    }
    braid_close(db);
    text_release(&sql);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) exit(2);
}

int main(int argument_count, char **arguments)
{
    uint64_t seed = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint32_t rounds = argument_count > 2 ? (uint32_t)atoi(arguments[2]) : ROUNDS_DEFAULT;
    uint32_t queries = argument_count > 3 ? (uint32_t)atoi(arguments[3]) : QUERIES_DEFAULT;
    compare_tally tally = {.verbose = argument_count > 4};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint32_t round = 0; round < rounds; round++) {
        uint64_t failed = tally.failed;
        round_run(seed + round, queries, &tally);
        if (tally.failed > failed) printf("seed %" PRIu64 " differs\n", seed + round);
    }
    printf("seed %" PRIu64 ": %" PRIu64 " queries, %" PRIu64 " native, %" PRIu64
           " refused, %" PRIu64 " too long, %" PRIu64 " different\n",
           seed, tally.queries, tally.native, tally.refused, tally.interrupted, tally.failed);
    return tally.failed != 0 || tally.native < tally.queries / 2;
}
