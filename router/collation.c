// The application's collations that a plan compares with.
// SPDX-License-Identifier: Apache-2.0
#include <strings.h>

#include "base/collator.h"
#include "router/database.h"

struct br_plan_collation {  // in the plan's arena
    br_plan_collation *next;
    br_collator *collator;
    void *held;  // the definition: it may be replaced while the plan lives
};

static void release(void *context)
{
    br_plan_collation *collation = context;
    br_collator_free(collation->collator);
    br_oltp_collation_drop(collation->held);
}

br_status br_plan_collation_find(br_statement *statement, const char *name, br_collator **out,
                                 br_error *err)
{
    br_database *database = statement->database;
    *out = NULL;
    for (br_plan_collation *at = statement->collations; at != NULL; at = at->next) {
        if (strcasecmp(br_collator_name(at->collator), name) != 0) continue;
        *out = at->collator;
        return BR_OK;
    }
    void *held = br_oltp_collation_take(database->functions, name);
    if (held == NULL) return BR_OK;
    br_plan_collation *added = BR_ALLOC(statement->plan_arena, br_plan_collation, 1);
    br_collator *collator = br_collator_new(name, br_oltp_collate, held, &database->quota);
    br_plan_collation collation = {statement->collations, collator, held};
    if (added == NULL || collator == NULL ||
        !br_arena_on_free(statement->plan_arena, release, added)) {
        release(&collation);
        return br_fail(err, BR_NOMEM, "collation '%s' of a plan", name);
    }
    *added = collation;
    statement->collations = added;
    *out = collator;
    return BR_OK;
}

void br_plan_collations_forget(br_statement *statement)
{
    for (br_plan_collation *at = statement->collations; at != NULL; at = at->next)
        br_collator_forget(at->collator);
}
