// support_shrink.h - makes a failing query and its database small.
//
// The query loses nodes of its tree, from the largest to the smallest, or has them replaced by
// something simpler, as long as the engines still differ (Misherghi & Su, "HDD: Hierarchical Delta
// Debugging", ICSE 2006); the statements that make the database are halved and thinned (Zeller &
// Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002).
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SUPPORT_SHRINK_H
#define BR_TESTS_SUPPORT_SHRINK_H

#include "tests/differential/support_compare.h"
#include "tests/differential/support_world.h"

// Prints a script for braid-slt that shows how `marked`, a query with marks, differs on the
// database, and writes it to `path`. Where the difference does not come back in a fresh database
// with the same rows, only the query is made smaller and `path` is not written.
// `how` says how rows are compared; its text does not matter.
void shrink_query(braid *db, const char *marked, const compare_query *how, const char *path);

#endif
