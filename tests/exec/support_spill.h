// support_spill.h - queries whose rows do not fit their quota, over two tables.
//
//     fact(id, g, n, r, t, d, mixed)    other: every second row of it
//
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_EXEC_SUPPORT_SPILL_H
#define BR_TESTS_EXEC_SUPPORT_SPILL_H

#include "tests/exec/support_query.h"

extern query_world spill_world;
// The tables and batches that a worker is at need some memory as well: no quota is less.
extern size_t spill_limit_min;

void spill_open(uint32_t row_count);  // of fact
// Runs a query without a limit, which tells what it needs, and then, for each number of threads,
// with a 20th of that: the rows are the same. Returns the bytes that went to disk, 0 when the rows
// differ or it fails.
uint64_t spill_check(const char *sql);
// Is the answer without a limit SQLite's? Once per kind of operator.
bool spill_check_sqlite(const char *sql);
// Files in the folder of the world besides its store: those of queries have no names.
uint32_t spill_files(void);

#endif
