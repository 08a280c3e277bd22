// unnest.h - subqueries that name columns of the query around them, made joins.
//
// The binder leaves *dependent joins*: the right side names columns of the left side. They are
// removed in this order, each where the one before does not apply:
//
//   pull-up    conditions that name outer columns move from FILTERs of the right side into the
//              join's residual, when nothing else there is correlated        (unnest_pull.c)
//   scalar     (SELECT aggregate ...): the aggregate gets keys, and the join is a LEFT join on
//              them; what it puts out for no rows is computed above           (unnest_scalar.c)
//   domain     D = the distinct values of the outer columns; D is joined into the right side, in
//              place of the outer columns, and the join matches rows with equal D
//              (Neumann and Kemper, "Unnesting Arbitrary Queries")            (unnest_domain.c)
//   limit      LIMIT for each value of D: rows numbered within it, and filtered  (unnest_limit.c)
//   apply      what D cannot be joined into (FULL JOIN, LIMIT ?) is run once for each row of D, by
//              an APPLY node: the outer columns become its arguments           (unnest_apply.c)
//
// Invariants: 1. The left side of a join is free of outer columns when its right side is unnested.
//             2. Rows and their multiplicity stay; D compares without collation, and columns that
//                mix integers and reals are in D with their typeof(), since 1 and 1.0 are equal.
//
// Ownership: the binder's arena. Threads: one. Errors: BR_UNSUPPORTED, BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_UNNEST_H
#define BR_SQL_UNNEST_H

#include "sql/bind.h"

typedef struct br_unnest_ids {  // a set of column ids
    uint8_t *has;
    uint32_t size;
} br_unnest_ids;

static inline bool br_ids_has(const br_unnest_ids *ids, uint32_t id)
{
    return id < ids->size && ids->has[id] != 0;
}

BR_CHECKED br_status br_ids_init(br_binder *binder, br_unnest_ids *ids, br_error *err);
// Every column that a node of the plan puts out.
void br_ids_add_produced(br_unnest_ids *ids, const br_plan *plan);
bool br_expr_names(const br_expr *expr, const br_unnest_ids *ids);
// Does the expression name a column that is not in the set?
bool br_expr_names_other(const br_expr *expr, const br_unnest_ids *ids);
bool br_plan_names(br_plan *plan, const br_unnest_ids *ids);

// Lists of columns that come from the inputs, for the node alone or the whole tree.
BR_CHECKED br_status br_refresh_node(br_binder *binder, br_plan *plan, br_error *err);
BR_CHECKED br_status br_refresh(br_binder *binder, br_plan *plan, br_error *err);
// `extra` more columns and expressions at the end of a PROJECT, for the caller to fill.
BR_CHECKED br_status br_project_extend(br_binder *binder, br_plan *plan, uint32_t extra,
                                       br_error *err);
BR_CHECKED br_status br_join_add_keys(br_binder *binder, br_plan *join, uint32_t count,
                                      br_error *err);  // to fill: the last `count`
// Replaces every column `id` in the plan's expressions by a copy of `expr`.
BR_CHECKED br_status br_plan_substitute(br_binder *binder, br_plan *plan, uint32_t id,
                                        const br_expr *expr, br_error *err);
// A deep copy with new ids; *map_out[old] is the new one, 0 when the plan does not put it out.
BR_CHECKED br_status br_plan_clone(br_binder *binder, const br_plan *plan, br_plan **out,
                                   uint32_t **map_out, br_error *err);

// unnest_pull.c: false: the right side is correlated elsewhere too, and nothing was changed.
bool br_pull_is_possible(br_binder *binder, br_plan *plan, const br_unnest_ids *produced);
// Takes correlated conditions out of *plan; they are ANDed to *condition.
BR_CHECKED br_status br_pull(br_binder *binder, br_plan **plan, const br_unnest_ids *produced,
                             br_expr **condition, br_error *err);

// unnest_scalar.c: *done_out false: the right side is no aggregate without keys.
BR_CHECKED br_status br_unnest_scalar(br_binder *binder, br_plan *root, br_plan *join,
                                      bool *done_out, br_error *err);

// unnest_domain.c
typedef struct br_domain {
    br_binder *binder;
    const br_plan *source;     // where the outer columns come from
    uint32_t count;
    br_plan_column *columns;   // of D: the outer columns, with their ids there, or typeof() of one
    br_expr **values;          // what each is, over the left side
    br_unnest_ids outer;       // ids of the outer columns
} br_domain;

BR_CHECKED br_status br_domain_init(br_domain *domain, br_binder *binder, const br_plan *left,
                                    br_plan *right, br_error *err);
// *plan joined with D: no outer columns any more; ids_out[i] stands for columns[i].
BR_CHECKED br_status br_domain_push(br_domain *domain, br_plan **plan, uint32_t *ids_out,
                                    br_error *err);
// D itself; its columns' ids go to ids_out.
BR_CHECKED br_status br_domain_make(br_domain *domain, br_plan **out, uint32_t *ids_out,
                                    br_error *err);
// Columns of the left side named in the node itself become D's.
BR_CHECKED br_status br_domain_rename(br_domain *domain, br_plan *plan, const uint32_t *ids,
                                      br_error *err);
br_expr *br_domain_column(const br_domain *domain, uint32_t index, uint32_t id);
BR_CHECKED br_status br_unnest_domain(br_binder *binder, br_plan *join, br_error *err);

// unnest_limit.c: a SORT or LIMIT; *done_out false: its bounds are not written out, and nothing was
// changed.
BR_CHECKED br_status br_domain_limit(br_domain *domain, br_plan **plan, uint32_t *ids_out,
                                     bool *done_out, br_error *err);
// unnest_apply.c: *plan run for each row of D; ids_out as for br_domain_push.
BR_CHECKED br_status br_domain_apply(br_domain *domain, br_plan **plan, uint32_t *ids_out,
                                     br_error *err);

#endif
