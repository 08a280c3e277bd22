// Several captures of one file, as several processes have them: memory of followers, whose role it
// is to maintain, and what each sees.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cdc/fixture.h"

static void fill(fixture *f)
{
    fixture_exec(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
                    "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 2000)"
                    " INSERT INTO t SELECT i, 'row ' || i FROM r");
}

static br_cdc *open_with_quota(fixture *f, br_quota *quota)
{
    br_cdc *cdc = NULL;
    br_cdc_config config = fixture_config(f);
    config.store.quota = quota;
    config.store.page_cache_bytes = quota->limit_bytes / 4;
    MUST(br_cdc_open(&config, &cdc, &f->err), f->err);
    return cdc;
}

// Rows that are updated again and again leave dead ones behind, which only a checkpoint takes away.
static void test_memory_of_a_follower_is_bounded(void)
{
    fixture f;
    br_quota quota;
    fixture_init(&f);
    fill(&f);
    br_quota_init(&quota, 8 << 20, NULL);
    f.cdc = fixture_open_cdc(&f);
    br_cdc *follower = open_with_quota(&f, &quota);
    for (int i = 0; i < 300; i++) {
        fixture_exec(&f, "UPDATE t SET a = a || '.' WHERE id <= 1000 AND id % 2 = 0;"
                         "UPDATE t SET a = substr(a, 1, 10) WHERE id <= 1000 AND id % 2 = 1");
        MUST(br_cdc_sync(follower, &f.err), f.err);
        if (i % 50 == 49) {  // with a newer copy in the folder, and without
            MUST(br_cdc_sync(f.cdc, &f.err), f.err);
            MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
        }
    }
    CHECK(!br_cdc_get_status(follower).is_maintainer);
    CHECK(is_same_copy(follower));
    CHECK(is_same_copy(f.cdc));
    br_cdc_close(follower);
    CHECK(quota.used_bytes == 0);
    fixture_release(&f);
}

int main(void)
{
    RUN(test_memory_of_a_follower_is_bounded);
    return test_result();
}
