// The plan of a statement for the data as they are: made when first needed, kept while the classes,
// ranges and names it rests on hold, made anew when they do not.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "router/database.h"

void br_statement_forget_plan(br_statement *statement)
{
    br_arena_free(statement->plan_arena);
    statement->plan_arena = NULL;
    statement->query = NULL;
    statement->unsupported = NULL;
    statement->collations = NULL;
    if (statement->plan_schema != NULL) br_cdc_schema_drop(statement->plan_schema);
    statement->plan_schema = NULL;
    statement->plan_version = 0;
}

// The binder refuses what SQLite would refuse too, and what only SQLite can run. Both leave the
// statement to SQLite, whose word is final; the offset says where, for a caller who forced OLAP.
static void statement_set_unsupported(br_statement *statement, const br_error *problem)
{
    size_t size = strlen(problem->message);
    const char *reason = br_arena_copy_text(statement->plan_arena, problem->message, size);
    statement->unsupported = reason != NULL ? reason : "out of memory while planning";
    statement->refusal = problem->status;
    statement->refusal_offset = problem->sql_offset;
    statement->query = NULL;
}

// Freshness, compiling and thread start of a columnar run, which its plan's cost does not contain.
static const double olap_start_ns = 15000;

static void statement_route(br_statement *statement, const br_snapshot *snapshot,
                            const br_schema *schema)
{
    double olap = statement->query->cost + olap_start_ns;
    double oltp = br_cost_oltp(statement->query, snapshot, schema);
    statement->cost_olap_ns = olap;
    statement->cost_oltp_ns = oltp;
    statement->route = oltp < olap ? BR_ENGINE_OLTP : BR_ENGINE_OLAP;
    statement->route_reason = oltp < olap ? "SQLite is cheaper" : "columnar is cheaper";
}

static br_status statement_make_plan(br_statement *statement, const br_snapshot *snapshot,
                                     const br_schema *schema, br_error *err)
{
    br_catalog_context context = {
        .arena = statement->plan_arena,
        .database = statement->database,
        .statement = statement,
        .schema = schema,
        .snapshot = snapshot,
    };
    br_sql_catalog catalog = br_catalog_make(&context);
    br_plan_options options = {
        .parameter_masks = statement->parameter_masks,
        .parameter_count = statement->ast.parameter_count,
        .checked_arithmetic = statement->checked_arithmetic,
        .like_is_case_sensitive =
            br_oltp_functions_like_is_case_sensitive(statement->database->functions),
        .optimize = !statement->database->plans_plainly,
    };
    br_error problem;
    br_status status = br_sql_plan(&statement->ast, &catalog, &options, statement->plan_arena,
                                   &statement->query, &problem);
    if (status == BR_SQL || status == BR_UNSUPPORTED) {
        statement_set_unsupported(statement, &problem);
        return BR_OK;
    }
    if (status != BR_OK) {
        if (err != NULL) *err = problem;
        return status;
    }
    statement_route(statement, snapshot, schema);
    return BR_OK;
}

br_status br_statement_plan(br_statement *statement, const br_snapshot *snapshot,
                            const br_schema_ref *schema, br_error *err)
{
    uint64_t version = br_snapshot_version(snapshot);
    uint32_t functions = br_oltp_functions_generation(statement->database->functions);
    uint32_t session =
        atomic_load_explicit(&statement->database->session_changes, memory_order_relaxed);
    bool same_schema = statement->plan_schema == schema && statement->plan_arena != NULL &&
                       statement->plan_functions == functions && statement->plan_session == session;
    if (same_schema && statement->plan_version == version) return BR_OK;
    if (same_schema && statement->query != NULL &&
        br_query_fits(statement->query, snapshot, statement->parameter_masks,
                      statement->ast.parameter_count)) {
        statement->plan_version = version;
        statement_route(statement, snapshot, br_schema_ref_get(schema));
        return BR_OK;
    }
    br_statement_forget_plan(statement);
    statement->plan_arena = br_arena_new(&statement->database->quota);
    if (statement->plan_arena == NULL) return br_fail(err, BR_NOMEM, "plan of a query");
    BR_TRY(statement_make_plan(statement, snapshot, br_schema_ref_get(schema), err));
    br_cdc_schema_retain(schema);
    statement->plan_schema = schema;
    statement->plan_functions = functions;
    statement->plan_session = session;
    statement->plan_version = version;
    return BR_OK;
}
