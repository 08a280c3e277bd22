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

// Tables, rows and views. Large ones have a number of rows beside a batch, a zone, or a chunk.
void round_open(test_round *self, uint64_t seed, bool is_large);
void round_close(test_round *self); // checks both sides of the copy row by row
// Now and then: changes rows, makes the copy durable, compacts it, opens the file anew.
void round_maintain(test_round *self);
// Makes an empty folder, in memory where that is possible: its name goes to `folder_out`, of 64
// bytes. round_folder_remove removes it with what is in it.
void round_folder_make(char *folder_out);
void round_folder_remove(const char *folder);
// Another handle on the file; threads 0 and isa NULL: at random. A set that
// the CPU lacks gives way to the best it has. Some handles have little memory.
braid *round_handle(test_round *self, uint32_t threads, const char *isa);
void round_must(braid *db, braid_status status, const char *what);

#endif
