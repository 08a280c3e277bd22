// SPDX-License-Identifier: Apache-2.0
#include "sql/profile.h"

#include "sql/sql.h"

static uint32_t count_nodes(const br_plan *plan)
{
    return plan == NULL ? 0 : 1 + count_nodes(plan->left) + count_nodes(plan->right);
}

static void add_nodes(br_query_profile *profile, const br_plan *plan)
{
    if (plan == NULL) return;
    profile->nodes[profile->node_count++] = plan;
    add_nodes(profile, plan->left);
    add_nodes(profile, plan->right);
}

br_status br_query_profile_new(const br_query *query, br_arena *arena,
                               br_query_profile **profile_out, br_error *err)
{
    uint32_t count = count_nodes(query->root);
    for (uint32_t i = 0; i < query->shared_count; i++) count += count_nodes(query->shared[i]);
    for (uint32_t i = 0; i < query->subquery_count; i++)
        count += count_nodes(query->subqueries[i]);
    for (uint32_t i = 0; i < query->applied_count; i++) count += count_nodes(query->applied[i]);
    br_query_profile *profile = BR_ALLOC(arena, br_query_profile, 1);
    const br_plan **nodes = BR_ALLOC(arena, const br_plan *, count);
    br_node_figures *figures = BR_ALLOC(arena, br_node_figures, count);
    if (profile == NULL || nodes == NULL || figures == NULL)
        return br_fail(err, BR_NOMEM, "no memory to analyse a plan of %u nodes", count);
    profile->nodes = nodes;
    profile->figures = figures;
    add_nodes(profile, query->root);
    for (uint32_t i = 0; i < query->shared_count; i++) add_nodes(profile, query->shared[i]);
    for (uint32_t i = 0; i < query->subquery_count; i++) add_nodes(profile, query->subqueries[i]);
    for (uint32_t i = 0; i < query->applied_count; i++) add_nodes(profile, query->applied[i]);
    *profile_out = profile;
    return BR_OK;
}

uint32_t br_query_profile_find(const br_query_profile *profile, const br_plan *plan)
{
    for (uint32_t i = 0; i < profile->node_count; i++)
        if (profile->nodes[i] == plan) return i;
    return BR_NODE_NONE;
}

void br_node_figures_add(br_node_figures *total, const br_node_figures *more)
{
    total->rows += more->rows;
    total->batches += more->batches;
    total->cpu_ns += more->cpu_ns;
    total->memory_bytes += more->memory_bytes;
    total->spilled_bytes += more->spilled_bytes;
    total->build_rows += more->build_rows;
    total->rows_read += more->rows_read;
    total->delta_rows += more->delta_rows;
    total->zones_read += more->zones_read;
    total->zones_pruned += more->zones_pruned;
    total->pages_loaded += more->pages_loaded;
    total->bytes_loaded += more->bytes_loaded;
}
