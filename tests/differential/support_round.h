// support_round.h - a random database in a file of its own, for one round of random queries.
//
// Ownership: the round owns everything in it. Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SUPPORT_ROUND_H
#define BR_TESTS_SUPPORT_ROUND_H

#include "braid.h"
#include "tests/differential/support_world.h"

typedef struct test_round {
    test_world world;
    char folder[64], path[80];
    braid *db;
    sql_text sql, marked;
} test_round;

typedef struct round_arguments { // of a program that makes random queries
    uint64_t seed;
    uint32_t rounds, queries;
    uint32_t depth_max; // of expressions and subqueries
    uint32_t features;  // that queries may use: query_feature
    bool verbose;
} round_arguments;

typedef struct round_settings { // of a handle
    uint32_t threads;
    const char *isa; // one that the CPU lacks, or NULL, gives way to the best it has
    uint64_t memory_bytes; // 0: plenty
    bool plans_plainly;    // without the optimiser
} round_settings;

// [SEED [ROUNDS [QUERIES]]] [--depth N] [--features NAME,...] [--without NAME,...] [--verbose], with
// the given defaults for rounds and queries. Ends the program when they are wrong.
round_arguments round_arguments_read(int count, char **arguments, uint32_t rounds,
                                     uint32_t queries);
// Tables, rows and views. Large ones have a number of rows beside a batch, a zone, or a chunk.
void round_open(test_round *self, const round_arguments *arguments, uint32_t round, bool is_large);
void round_close(test_round *self); // checks both sides of the copy row by row
// Now and then: changes rows, makes the copy durable, compacts it, opens the file anew.
void round_maintain(test_round *self);
// Makes an empty folder, in memory where that is possible: its name goes to `folder_out`, of 64
// bytes. round_folder_remove removes it with what is in it.
void round_folder_make(char *folder_out);
void round_folder_remove(const char *folder);
void round_change(test_round *self); // changes rows
// Another handle on the file.
braid *round_handle(test_round *self, const round_settings *settings);
// Any number of threads and instruction set, now and then little memory or plain plans.
round_settings round_settings_random(test_world *world);
void round_must(braid *db, braid_status status, const char *what);

#endif
