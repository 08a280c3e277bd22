// support_compare.h - the same query on both engines must give the same rows.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_SUPPORT_COMPARE_H
#define BR_TESTS_SUPPORT_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "braid.h"

enum { COMPARE_REASONS_MAX = 60 };

typedef enum compare_outcome {
    COMPARE_SAME,
    COMPARE_REFUSED,     // not native
    COMPARE_INVALID,     // not SQL that SQLite runs
    COMPARE_INTERRUPTED, // took too long, or too much memory, in one of the engines
    COMPARE_OPEN,        // an error in one engine that depends on the order of evaluation
    COMPARE_DIFFERENT,
    COMPARE_OUTCOMES,
} compare_outcome;

typedef struct compare_tally {
    uint64_t queries, outcomes[COMPARE_OUTCOMES];
    struct {
        char text[120];
        uint64_t count;
    } reasons[COMPARE_REASONS_MAX]; // why queries were refused
    uint32_t reason_count;
} compare_tally;

// How the rows of a query are compared.
typedef struct compare_query {
    const char *sql;  // parameters have the values of world_parameters
    bool ordered;     // row by row, otherwise as a multiset
    bool approximate; // numbers within 1e-12, whatever their class; text without regard to case
    bool equal;       // numbers of equal value, whatever their class; text as above
} compare_query;

// Runs a query on the columnar engine and on SQLite and compares rows: value and storage class
// exactly, or as told. The message says what differs, or why the query was refused.
compare_outcome compare_engines(braid *db, const compare_query *query, char *message_out,
                                size_t message_size);

typedef struct compare_side {
    braid *db;
    const char *sql;
    braid_engine engine;
} compare_side;

// The same for any two queries, on one handle or on two. The text in `how` does not matter.
compare_outcome compare_sides(const compare_side *left, const compare_side *right,
                              const compare_query *how, char *message_out, size_t message_size);

// The parts of compare_engines, for results that are kept. First the statuses are compared; when
// they are the same, and both BRAID_OK, the rows.
braid_status compare_run(const compare_side *side, braid_result **result_out);
compare_outcome compare_statuses(braid_status olap, const char *olap_message, braid_status oltp,
                                 const char *oltp_message, char *message_out, size_t message_size);
compare_outcome compare_results(const braid_result *left, const braid_result *right,
                                const compare_query *how, char *message_out, size_t message_size);

void tally_add(compare_tally *self, compare_outcome outcome, const char *message);
void tally_print(const compare_tally *self);

#endif
