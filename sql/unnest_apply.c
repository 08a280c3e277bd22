// The last way: a subquery run once for each row of the domain, the outer columns as its arguments.
// SPDX-License-Identifier: Apache-2.0
#include "sql/unnest.h"

static br_status add_applied(br_binder *binder, br_plan *plan, uint32_t *index_out, br_error *err)
{
    br_query *query = binder->query;
    br_plan **grown = br_grow(binder->arena, query->applied, query->applied_count, sizeof *grown);
    BR_NEED(grown, err);
    query->applied = grown;
    *index_out = query->applied_count;
    grown[query->applied_count++] = plan;
    return BR_OK;
}

// Each outer column in `inner` becomes a parameter, whose value is that column of D.
static br_status set_arguments(br_domain *domain, br_plan *apply, br_plan *inner,
                               const uint32_t *ids, br_error *err)
{
    br_binder *binder = domain->binder;
    br_query *query = binder->query;
    apply->apply.first_parameter = query->parameter_count + query->argument_count;
    apply->apply.arguments = BR_ALLOC(binder->arena, br_expr *, domain->count);
    BR_NEED(apply->apply.arguments, err);
    for (uint32_t i = 0; i < domain->count; i++) {
        const br_plan_column *column = &domain->columns[i];
        if (column->id == 0) continue;  // the typeof() of another one
        br_expr *parameter = br_expr_new(binder->arena, BR_EXPR_PARAMETER, 0);
        br_expr *argument = br_domain_column(domain, i, ids[i]);
        BR_NEED(parameter, err);
        BR_NEED(argument, err);
        parameter->parameter = query->parameter_count + query->argument_count++;
        parameter->type = column->type;
        parameter->affinity = column->affinity;
        apply->apply.arguments[apply->apply.argument_count++] = argument;
        BR_TRY(br_plan_substitute(binder, inner, column->id, parameter, err));
    }
    return BR_OK;
}

br_status br_domain_apply(br_domain *domain, br_plan **plan, uint32_t *ids_out, br_error *err)
{
    br_binder *binder = domain->binder;
    br_plan *inner = *plan, *all;
    uint32_t count = inner->column_count;
    BR_TRY(br_domain_make(domain, &all, ids_out, err));
    br_plan *apply = br_plan_new(binder, BR_PLAN_APPLY, domain->count + count);
    BR_NEED(apply, err);
    apply->left = all;
    for (uint32_t i = 0; i < domain->count; i++) apply->columns[i] = all->columns[i];
    for (uint32_t i = 0; i < count; i++) apply->columns[domain->count + i] = inner->columns[i];
    BR_TRY(set_arguments(domain, apply, inner, ids_out, err));
    // What stands above names the ids that the subquery had: it gets others.
    BR_TRY(br_plan_rename(binder, inner, err));
    BR_TRY(br_unnest(binder, &inner, err));
    BR_TRY(add_applied(binder, inner, &apply->apply.index, err));
    *plan = apply;
    return BR_OK;
}
