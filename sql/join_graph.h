// join_graph.h - inner joins as a graph: leaves, and what must be equal or true between them.
//
//     leaf        a relation that is joined, with the conditions on it alone already inside
//     class       columns of several leaves that are all equal to each other: a = b AND b = c
//     condition   anything else over two leaves or more; a *key* when it is an equality of
//                 something of some leaves and something of others
//     semi        a SEMI or ANTI join that was on top of the joins: a filter of their rows
//
// Sets of leaves are bits of a word. br_join_order finds a tree of joins that costs little; rows of
// a set are estimated once, from the first way in which it was made.
//
// Invariants: every column of a class holds only numbers, or only texts under one collation, so
// that equality is transitive. Between any two sets one pair of columns per class decides.
//
// Ownership: the arena. Threads: one. Errors: BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_JOIN_GRAPH_H
#define BR_SQL_JOIN_GRAPH_H

#include "sql/rewrite.h"

enum { BR_GRAPH_LEAVES_MAX = 64, BR_GRAPH_DP_MAX = 12 };  // DP: 3^12 pairs, about a millisecond

typedef struct br_graph_member {
    br_expr *column;
    uint32_t leaf;
} br_graph_member;

typedef struct br_graph_class {
    uint64_t leaves;
    uint32_t member_count;
    br_graph_member *members;
    const br_expr *comparison;  // one of those that made it: operator and collation
    bool has_constant;          // each member is filtered to one value already
    double spread;              // the share of rows that conditions spread over all members let
                                // through, at each of them again; 1: none were
} br_graph_class;

typedef struct br_graph_condition {
    br_expr *expr;
    uint64_t leaves;
    bool is_key;
    uint64_t sides[2];    // leaves of args[0] and args[1] of a key
    double selectivity;
} br_graph_condition;

typedef struct br_graph_semi {
    br_plan *join;        // its left input is not set
    uint64_t leaves;
} br_graph_semi;

typedef struct br_join_graph {
    br_rewrite *rewrite;
    uint32_t leaf_count;
    br_plan *leaves[BR_GRAPH_LEAVES_MAX];
    br_conjuncts leaf_conditions[BR_GRAPH_LEAVES_MAX];
    br_conjuncts pool;     // conditions not yet placed
    br_conjuncts failing;  // those that can fail: above all joins
    uint32_t class_count;
    br_graph_class *classes;
    uint32_t condition_count;
    br_graph_condition *conditions;
    uint32_t semi_count;
    br_graph_semi *semis;
    uint32_t stamp;        // columns of leaf i are in set stamp + i
} br_join_graph;

// join_class.c: moves the equalities of columns from the pool into classes, and what follows from
// them for single leaves (a = 1 AND a = b: b = 1) to the pool.
BR_CHECKED br_status br_graph_make_classes(br_join_graph *graph, br_error *err);

// join_order.c: the leaves, joined.
BR_CHECKED br_status br_join_order(br_join_graph *graph, br_plan **plan_out, br_error *err);

#endif
